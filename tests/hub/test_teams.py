# SPDX-License-Identifier: Apache-2.0
"""Teams, and who may do what with spaces: a table of roles and routes."""
import re

import pytest
from hub_rig import Hub, at_once
from limits import lowered


def person(hub, email):
    browser = hub.browser()
    assert browser.sign_up(email).status == 303
    return browser


def join(hub, owner, space, guest, email, role):
    link = owner.post(f"/spaces/{space}/invitations", {"email": email, "role": role}).text
    token = link.split('value="http')[1].split('"')[0].split("token=")[1]
    assert guest.post("/-/invitation", {"token": token}).status == 303


def roles(hub, space):
    return {m["name"]: m["role"] for m in hub.space_json(space)["members"].values()}


def new_team(browser, name):
    page = browser.post("/-/teams", {"name": name})
    assert page.status == 303, page
    return page.header("location").split("?")[0]


def user_id(browser, team, email):
    row = re.search(rf'{re.escape(email)}</td>.*?name="user" value="(u\w+)"', browser.get(team).text, re.S)
    return row.group(1)


def test_a_team_from_making_to_deleting(hub):
    ana, ben, cat = (person(hub, f"{n}@t.example") for n in ("ana", "ben", "cat"))
    ana.new_space("Field", "field")
    ana.new_space("Forest", "forest")
    join(hub, ana, "field", ben, "ben@t.example", "viewer")
    assert "You are in none yet" in ana.get("/-/teams").said
    team = new_team(ana, "Botanists")
    # Who shares nothing with us is not told of, whether there is an account or not.
    refused = {e: ana.post(team, {"do": "add", "email": e}) for e in ("cat@t.example", "nobody@t.example")}
    assert [r.status for r in refused.values()] == [400, 400]
    assert len({r.text.replace(e, "what was typed") for e, r in refused.items()}) == 1
    assert ana.post(team, {"do": "add", "email": "BEN@t.example"}).status == 303
    assert ben.get(team).status == 200 and "Botanists" in ben.get("/-/teams").said
    assert cat.get(team).status == 404 and cat.post(team, {"do": "delete"}).status == 404
    assert ben.post(team, {"do": "rename", "name": "Mine"}).status == 403
    # A role for all of them, in two spaces; told at once.
    assert roles(hub, "forest") == {"ana": "owner"}
    for space, role in (("field", "editor"), ("forest", "viewer")):
        assert ana.post(f"/spaces/{space}/members", {"team": team[-13:], "role": role}).status == 303
    assert roles(hub, "field") == {"ana": "owner", "ben": "editor"}, "the higher role counts"
    assert roles(hub, "forest") == {"ana": "owner", "ben": "viewer"}
    assert "Forest" in ben.get("/").said and "Botanists" in ana.get("/spaces/forest/members").said
    assert "Field as editor" in ben.get(team).said
    assert ana.post("/spaces/forest/members", {"team": team[-13:], "role": "editor"}).status == 303
    assert roles(hub, "forest")["ben"] == "editor"
    # A manager, and never none.
    ids = {n: user_id(ana, team, f"{n}@t.example") for n in ("ana", "ben")}
    last = ana.post(team, {"do": "remove", "user": ids["ana"]})
    assert last.status == 409 and "last manager" in last.said
    assert ana.post(team, {"do": "no-manager", "user": ids["ana"]}).status == 409
    assert ana.post(team, {"do": "manager", "user": ids["ben"]}).status == 303
    assert ben.post(team, {"do": "rename", "name": "Plant people"}).status == 303
    both = at_once(lambda: ana.post(team, {"do": "no-manager", "user": ids["ben"]}),
                   lambda: ben.post(team, {"do": "no-manager", "user": ids["ana"]}))
    assert 303 in [b.status for b in both] and sorted(b.status for b in both) in ([303, 403], [303, 409]), both
    boss = ana if "Delete this team" in ana.get(team).said else ben
    if boss is ben:
        assert ben.post(team, {"do": "manager", "user": ids["ana"]}).status == 303
    # Out of the team is out of all its spaces.
    assert ana.post(team, {"do": "remove", "user": ids["ben"]}).status == 303
    assert roles(hub, "forest") == {"ana": "owner"} and roles(hub, "field")["ben"] == "viewer"
    assert ana.post(team, {"do": "add", "email": "ben@t.example"}).status == 303
    assert roles(hub, "forest")["ben"] == "editor"
    assert ana.post("/spaces/field/members", {"team": team[-13:], "role": "none"}).status == 303
    assert roles(hub, "field")["ben"] == "viewer"
    assert ana.post(team, {"do": "delete"}).status == 303
    assert roles(hub, "forest") == {"ana": "owner"} and ana.get(team).status == 404


@pytest.fixture(scope="module")
def eve(hub):
    browser = person(hub, "eve@t.example")
    return browser, new_team(browser, "Bad input")


@pytest.mark.parametrize("form, says", [
    ({"do": "rename", "name": ""}, "name"),
    ({"do": "rename", "name": "n" * 101}, "1 to 100 bytes"),
    ({"do": "rename", "name": "a\x01b"}, "1 to 100 bytes"),
    ({"do": "add", "email": ""}, "share no space"),
    ({"do": "add", "email": "' or 1=1 --"}, "share no space"),
    ({"do": "dance"}, "Do what?"),
    ({}, "Do what?"),
])
def test_bad_input(eve, form, says):
    eve, team = eve
    page = eve.post(team, form)
    assert page.status == 400 and says in page.said, page
    assert eve.post("/-/teams", {"name": " "}).status == 400
    assert eve.get("/-/teams/tnone").status == 404


def test_a_team_of_owners_does_not_replace_the_last_owner(hub):
    own, mate = person(hub, "own@t.example"), person(hub, "mate@t.example")
    own.new_space("Kept", "kept-space")
    join(hub, own, "kept-space", mate, "mate@t.example", "viewer")
    team = new_team(own, "Owners")
    assert own.post(team, {"do": "add", "email": "mate@t.example"}).status == 303
    assert own.post("/spaces/kept-space/members", {"team": team[-13:], "role": "owner"}).status == 303
    assert roles(hub, "kept-space")["mate"] == "owner"
    me = user_id(own, team, "own@t.example")
    # Whoever tries, at the same moment as the team goes.
    results = at_once(lambda: mate.post("/spaces/kept-space/members", {"user": me, "role": "none"}),
                      lambda: own.post("/spaces/kept-space/members", {"user": me, "role": "viewer"}),
                      lambda: own.post(team, {"do": "delete"}))
    assert results[0].status in (403, 409) and results[1].status == 409 and results[2].status == 303, results
    assert roles(hub, "kept-space") == {"own": "owner", "mate": "viewer"}


def test_a_team_that_one_is_not_in_cannot_be_given_anything(hub):
    ann, zoe = person(hub, "ann@t.example"), person(hub, "zoe@t.example")
    team = new_team(ann, "Private")
    zoe.new_space("Zoo", "zoe-zoo")
    for name in (team[-13:], "tnosuchteam00"):
        page = zoe.post("/spaces/zoe-zoo/members", {"team": name, "role": "viewer"})
        assert page.status == 400 and "You are in no such team" in page.said
    assert zoe.post("/spaces/zoe-zoo/members", {"team": team[-13:], "role": "king"}).status == 400
    assert roles(hub, "zoe-zoo") == {"zoe": "owner"}


def test_limits(make_hub):
    # LIMIT_HUB_TEAMS, LIMIT_HUB_TEAM_PEOPLE
    hub = make_hub(env=lowered(HUB_TEAMS=1, HUB_TEAM_PEOPLE=1))
    ana, ben = person(hub, "ana@t.example"), person(hub, "ben@t.example")
    ana.new_space("Small", "small-one")
    join(hub, ana, "small-one", ben, "ben@t.example", "viewer")
    team = new_team(ana, "One")
    second = ana.post("/-/teams", {"name": "Two"})
    assert second.status == 409 and "1 teams" in second.said
    full = ana.post(team, {"do": "add", "email": "ben@t.example"})
    assert full.status == 409 and "1 people" in full.said


# ---- who may do what ----

WHO = ("owner", "editor", "viewer", "by team", "stranger", "admin", "nobody")


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    hub = Hub(tmp_path_factory.mktemp("matrix"))
    found = {"admin": hub.admin(), "nobody": hub.browser()}
    for name in ("owner", "editor", "viewer", "mate", "stranger"):
        found[name] = person(hub, f"{name}@m.example")
    owner = found["owner"]
    owner.new_space("Matrix", "matrix")
    for name in ("editor", "viewer"):
        join(hub, owner, "matrix", found[name], f"{name}@m.example", name)
    join(hub, owner, "matrix", found["mate"], "mate@m.example", "viewer")
    team = new_team(owner, "Team")
    assert owner.post(team, {"do": "add", "email": "mate@m.example"}).status == 303
    assert owner.post("/spaces/matrix/members", {"team": team[-13:], "role": "owner"}).status == 303
    found["by team"] = found.pop("mate")
    yield found, team
    hub.stop()


# method, address, form; the answer for each of WHO. Forms are wrong on purpose: who may is told what is wrong with them.
MATRIX = [
    ("GET", "/spaces/matrix", None, (200, 403, 403, 200, 404, 200, 303)),
    ("GET", "/spaces/matrix/clone", None, (200, 403, 403, 200, 404, 200, 303)),
    ("POST", "/spaces/matrix/clone", {"title": ""}, (400, 403, 403, 400, 404, 400, 401)),
    ("GET", "/spaces/matrix/download", None, (200, 403, 403, 200, 404, 200, 303)),
    ("GET", "/spaces/matrix/domains", None, (200, 403, 403, 200, 404, 200, 303)),
    ("POST", "/spaces/matrix/domains", {"host": "-"}, (400, 403, 403, 400, 404, 400, 401)),
    ("POST", "/spaces/matrix/domains", {"remove": "x.example"}, (404, 403, 403, 404, 404, 404, 401)),
    ("POST", "/spaces/matrix/members", {"team": "t", "role": "viewer"}, (400, 403, 403, 400, 404, 400, 401)),
    ("POST", "/spaces/matrix/members", {"team": "t", "role": "x"}, (400, 403, 403, 400, 404, 400, 401)),
    ("GET", "/-/teams", None, (200, 200, 200, 200, 200, 200, 303)),
    ("GET", "TEAM", None, (200, 404, 404, 200, 404, 200, 303)),
    ("POST", "TEAM", {"do": "x"}, (400, 404, 404, 403, 404, 400, 401)),
    ("POST", "TEAM", {"do": "rename"}, (400, 404, 404, 403, 404, 400, 401)),
    ("POST", "TEAM", {"do": "add"}, (400, 404, 404, 403, 404, 400, 401)),
    ("GET", "/-/admin", None, (404, 404, 404, 404, 404, 200, 303)),
]


@pytest.mark.parametrize("method, address, form, answers", MATRIX, ids=[f"{m[0]} {m[1]} {m[2]}" for m in MATRIX])
def test_who_may(people, method, address, form, answers):
    found, team = people
    url = team if address == "TEAM" else address
    got = {who: found[who].ask(method, url, form) for who in WHO}
    assert {w: p.status for w, p in got.items()} == dict(zip(WHO, answers))
    for who, page in got.items():
        if page.status == 303:
            assert page.header("location").startswith("/-/sign-in?to="), (who, page)


def test_forms_of_other_sites_change_nothing(people):
    found, team = people
    for method, address, form, _ in MATRIX:
        if method == "POST":
            url = team if address == "TEAM" else address
            assert found["owner"].post(url, form, origin="https://evil.example").status == 403
