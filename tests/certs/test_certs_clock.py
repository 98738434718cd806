# SPDX-License-Identifier: Apache-2.0
"""The clock is set while an edge renews its certificates: an authority is not asked again and again."""
import datetime

import pytest
from certs_rig import wait_until
from clock import DAY, THERE, Clock

pytestmark = pytest.mark.skipif(not THERE, reason="a program without a clock that can be set")
HOST = "clock.example.org"


def when(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


@pytest.fixture(scope="module")
def one(world, tmp_path_factory):
    """An edge with a certificate, and its clock."""
    clock = Clock(tmp_path_factory.mktemp("clock"))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in clock.env.items():
            patch.setenv(name, value)
        edge = world.edge("--loops", "1")
    edge.deploy(options=("--health", "/up", "--host", HOST))
    edge.wait_cert(HOST)
    return edge, clock


@pytest.fixture
def edge(one):
    one[1].set(0)
    return one[0]


@pytest.fixture
def clock(one):
    return one[1]


def look_now(edge, n):
    """A change of routes has the edge look at its certificates at once."""
    edge.deploy(options=("--health", "/up", "--host", HOST, "--env", f"N={n}"))


def test_ahead_so_far_that_even_a_new_one_is_old(edge, clock):
    life = when(edge.cert(HOST)["expires"]) - when(edge.cert(HOST)["begins"])
    before, serial = edge.orders(), edge.serial(HOST)
    clock.set(int(life) + 30 * DAY)
    look_now(edge, 1)
    wait_until(lambda: edge.serial(HOST) != serial, edge.log)
    wait_until(lambda: "is the clock right?" in edge.log(), edge.log)
    edge.wait_cert(HOST, "expired")  # by our clock; it is shown all the same
    assert edge.orders() == before + 1
    look_now(edge, 2)
    later = when(edge.cert(HOST)["renew_at"])
    assert later - clock.now() > 5 * 3600, "asked as seldom as one that fails for days"
    assert edge.orders() == before + 1
    clock.set(0)
    look_now(edge, 3)
    assert edge.wait_cert(HOST)["failures"] == 0
    assert edge.orders() == before + 1, "it is young again"


def test_back_by_a_day_and_by_a_year(edge, clock):
    before, serial = edge.orders(), edge.serial(HOST)
    for off in (-DAY, -365 * DAY):
        clock.set(off)
        look_now(edge, off)
        assert edge.wait_cert(HOST)["error"] is None
    assert (edge.orders(), edge.serial(HOST)) == (before, serial)
