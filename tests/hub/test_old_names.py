# SPDX-License-Identifier: Apache-2.0
"""A name that a space gave up leads its visitors there still: for a while it is free for its owners only."""
from hub_rig import wait_for
from limits import lowered

WAIT = 90  # upkeep comes by every ten seconds, on a busy machine later


def person(hub, email):
    browser = hub.browser()
    assert browser.sign_up(email).status == 303
    return browser


def rename(browser, name, to):
    return browser.post(f"/spaces/{name}", {"title": "Renamed", "name": to, "visibility": "private"})


def make(browser, name):
    return browser.post("/-/new", {"title": "Made", "name": name})


def is_kept(page):
    return page.status == 409 and "is kept for its owners" in page.said


def test_of_a_renamed_space(hub):
    """LIMIT_HUB_OLD_NAME_S"""
    ana, eve = person(hub, "ana-names@example.org"), person(hub, "eve-names@example.org")
    ana.new_space("Museum", "first-name")
    eve.new_space("Eve", "of-eve")
    assert rename(ana, "first-name", "second-name").status == 303
    for page in (make(eve, "first-name"), rename(eve, "of-eve", "first-name")):
        assert is_kept(page), page
    assert "free" in make(eve, "first-name").said, "it says from when on"
    assert rename(eve, "of-eve", "of-eve").status == 303, "and nothing else is refused"
    assert rename(ana, "second-name", "first-name").status == 303, "back again"
    assert is_kept(make(eve, "second-name"))
    assert make(ana, "second-name").status == 303, "another space of its owner"
    assert not is_kept(make(eve, "second-name")) and make(eve, "second-name").status == 409, "which has it now"


def test_of_a_deleted_space_and_until_when(make_hub):
    hub = make_hub(env=lowered(HUB_GRACE_S=1, HUB_UPKEEP_MS=200))
    ana, eve = person(hub, "ana@example.org"), person(hub, "eve@example.org")
    ana.new_space("Museum", "museum-hall")
    assert ana.post("/spaces/museum-hall/delete", {"name": "museum-hall"}).status == 303
    wait_for(lambda: is_kept(make(eve, "museum-hall")), WAIT)  # its data is removed
    assert make(ana, "museum-hall").status == 303
    hub = make_hub(env=lowered(HUB_OLD_NAME_S=1))
    ana, eve = person(hub, "ana@example.org"), person(hub, "eve@example.org")
    ana.new_space("Museum", "museum-hall")
    assert rename(ana, "museum-hall", "museum-yard").status == 303
    wait_for(lambda: make(eve, "museum-hall").status == 303, WAIT)
