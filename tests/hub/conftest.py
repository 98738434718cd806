# SPDX-License-Identifier: Apache-2.0
import pathlib
import sys

import pytest

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent)]
from hub_rig import Hub  # noqa: E402


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """One hub a file of tests; each test has people and spaces of its own."""
    made = Hub(tmp_path_factory.mktemp("hub"))
    yield made
    made.stop()


@pytest.fixture
def make_hub(tmp_path):
    made = []

    def make(*arguments, **more):
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(Hub(folder, *arguments, **more))
        return made[-1]

    yield make
    for h in made:
        h.stop()
