# SPDX-License-Identifier: Apache-2.0
"""Boxes: as root, and as an ordinary user."""
import os

import pytest

import box as boxes


@pytest.fixture(scope="module", params=["root", "user"])
def box(request):
    boxes.require("sandboxes made by root, for the tests are not root", request.param == "user" or os.geteuid() == 0)
    one = boxes.Box(request.param)
    yield one
    one.close()
