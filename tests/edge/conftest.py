# SPDX-License-Identifier: Apache-2.0
import contextlib
import pathlib
import sys

import pytest

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent)]
from edge_rig import Edge  # noqa: E402


@pytest.fixture
def make_edge(tmp_path):
    with contextlib.ExitStack() as stack:
        made = []

        def make(*options, **more):
            edge = Edge(tmp_path, *options, **more)
            made.append(edge)
            stack.callback(lambda: edge.stop())
            return edge

        yield make


@pytest.fixture
def edge(make_edge):
    return make_edge("--grace", "5")


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One edge with one app for tests that leave it as it was."""
    edge = Edge(tmp_path_factory.mktemp("edge"), "--grace", "2")
    edge.deploy(options=("--health", "/up", "--answer-timeout", "1"))
    yield edge
    edge.stop()
