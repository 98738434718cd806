# SPDX-License-Identifier: Apache-2.0
import contextlib
import pathlib
import sys

import pytest

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent)]
from certs_rig import NEEDED, World, program  # noqa: E402


def pytest_collection_modifyitems(items):
    missing = [name for name in NEEDED if not program(name)]
    for item in items:
        if missing:
            item.add_marker(pytest.mark.skip(reason=f"needs {', '.join(missing)}: tools/setup.sh --test installs them"))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        yield World(stack, tmp_path_factory.mktemp("certs"))


@pytest.fixture
def make_world(tmp_path):
    with contextlib.ExitStack() as stack:
        def make(**options):
            return World(stack, tmp_path, **options)
        yield make
