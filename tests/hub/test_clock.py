# SPDX-License-Identifier: Apache-2.0
"""The clock is set while the hub runs: back by a day, ahead by a month. Nobody is kept out, nothing is good for longer
than it should be, nothing is removed that somebody may want back."""
import sqlite3

import pytest
from authenticator import totp
from clock import DAY, THERE, Clock
from hub_rig import PASSWORD, wait_for
from limits import lowered
from test_factors import secret_of

pytestmark = pytest.mark.skipif(not THERE, reason="a program without a clock that can be set")
MONTH = 31 * DAY
WAIT = 120


@pytest.fixture
def clock(tmp_path):
    return Clock(tmp_path)


@pytest.fixture
def hub(make_hub, clock):
    return make_hub(env={**clock.env, **lowered(HUB_UPKEEP_MS=300)})


def person(hub, email="ana@example.org"):
    browser = hub.browser()
    assert browser.sign_up(email).status == 303
    return browser


def visit(browser, origin):
    """As a person: by way of the hub, where the space does not know who asks."""
    html = {"Accept": "text/html"}
    return browser.follow(browser.get(origin + "/", headers=html), headers=html)


def space(browser, title):
    origin = browser.new_space(title)
    assert visit(browser, origin).status == 200
    return origin


def doubts(hub):
    """The round of upkeep that sees the clock ahead has come by."""
    wait_for(lambda: "the clock was set ahead" in hub.app_log(), WAIT)


def is_in(browser, origin):
    """Whether the space itself knows who asks, without the hub."""
    return browser.get(origin + "/").status == 200


def test_set_back_by_a_day(hub, clock):
    ana = person(hub)
    origin = space(ana, "back")
    assert ana.get("/-/account/app").status == 200, "she signed in just now"
    clock.set(-DAY)
    assert ana.get("/-/account").status == 200, "still signed in"
    assert ana.get("/-/account/app").header("location") == "/-/confirm?to=/-/account/app", "but not just now"
    assert ana.post("/-/confirm", {"to": "/-/account", "password": PASSWORD}).status == 303
    assert ana.get("/-/account/app").status == 200
    assert not is_in(ana, origin), "its cookie would be good for a day and a half"
    assert visit(ana, origin).status == 200, "nobody notices: the hub says it again"
    assert is_in(ana, origin)
    clock.set(0)
    assert ana.get("/-/account").status == 200 and visit(ana, origin).status == 200


def test_ahead_by_a_month_and_back(hub, clock):
    ana, bob = person(hub), person(hub, "bob@example.org")
    origin, gone = space(ana, "ahead"), space(ana, "gone")
    folder = hub.folder / "spaces" / hub.space_json("gone")["id"]
    bob_origin = space(bob, "bobs")
    stolen = hub.browser()
    stolen.jar = {host: dict(jar) for host, jar in bob.jar.items()}
    assert is_in(stolen, bob_origin)
    assert bob.post("/-/sign-out").status == 303
    wait_for(lambda: not is_in(stolen, bob_origin), WAIT)
    assert ana.post("/spaces/gone/delete", {"name": "gone"}).status == 303
    clock.set(MONTH)
    assert ana.get("/-/account").header("location").startswith("/-/sign-in"), "nobody came for thirty days"
    new = hub.browser()
    assert new.sign_in("ana@example.org").status == 303 and visit(new, origin).status == 200
    doubts(hub)
    clock.set(0)
    assert ana.get("/-/account").status == 200, "her session was not removed"
    assert visit(ana, origin).status == 200
    assert new.get("/-/account").status == 200
    assert not is_in(stolen, bob_origin), "who was signed out stays out"
    assert folder.is_dir(), "a week is not over"
    assert ana.post("/spaces/gone/restore").status == 303
    assert visit(ana, gone).status == 200


def facts(hub, name):
    db = sqlite3.connect(hub.folder / "hub.db", timeout=WAIT)
    try:
        return db.execute("select value from facts where name = ?", [name]).fetchall()
    finally:
        db.close()


def test_the_doubt_is_kept_by_the_next_process(hub, clock):
    ana = person(hub)
    space(ana, "gone")
    folder = hub.folder / "spaces" / hub.space_json("gone")["id"]
    assert ana.post("/spaces/gone/delete", {"name": "gone"}).status == 303
    wait_for(lambda: facts(hub, "clock"), WAIT)  # a round has come by
    hub.stop()
    clock.set(MONTH)  # while nobody looks
    hub.start()
    doubts(hub)
    hub.stop()
    hub.start()
    wait_for(lambda: "the clock was set ahead lately" in hub.app_log(), WAIT)
    clock.set(0)
    assert folder.is_dir(), "a week is not over"
    assert ana.post("/spaces/gone/restore").status == 303


def test_tickets_of_another_time_are_refused_once(hub, clock):
    ana = person(hub)
    origin = space(ana, "tickets")
    for off in (-DAY, MONTH):
        clock.set(0)
        ana.jar.pop("tickets.data.localhost", None)
        ana.sign_in("ana@example.org")
        to_hub = ana.get(origin + "/-/sign-on")
        ticket = ana.get(to_hub.header("location")).header("location")
        assert "ticket=" in ticket, ticket
        clock.set(off)
        page = ana.get(ticket)
        assert page.status == 403 and "Sign in again from here" in page.said, page
        clock.set(0)
        assert visit(ana, origin).status == 200


def test_codes_of_an_app(hub, clock):
    ana = person(hub)
    ana.post("/-/account/app", {"do": "begin"})
    secret = secret_of(ana.get("/-/account/app"))

    def code(off=0):
        return totp(secret, clock.now() + off)

    assert ana.post("/-/account/app", {"do": "confirm", "code": code()}).status == 200
    address = iter(range(2, 100))

    def signs_in(text):
        browser = hub.browser(f"127.0.9.{next(address)}")
        assert browser.sign_in("ana@example.org").status == 303
        return browser.post("/-/second", {"code": text}).status

    for off in (MONTH, 0, -DAY):  # not kept out for a month
        clock.set(off)
        now = code()
        assert signs_in(now) == 303, off
        assert signs_in(now) == 403, "a code is for one sign-in"
