# SPDX-License-Identifier: Apache-2.0
"""What the groups of an issuer give: administrators, teams, roles in spaces; and that only this is taken away again."""
import json
import re
import shutil
import sqlite3
import subprocess

import pytest
from hub_rig import DOMAIN, HERE, PASSWORD, Hub, wait_for
from serving import free_port
from stand_in import Issuer
from test_oidc import begin, certified, sign_in
from test_teams import new_team, roles, user_id

import limits


@pytest.fixture(scope="module")
def issuer():
    one = Issuer()
    yield one
    one.close()


@pytest.fixture(autouse=True)
def honest(issuer):
    issuer.reset()


def settings(url, rules, **more):
    lines = "".join(f"  - {rule}\n" for rule in rules)
    keys = "".join(f"  {k}: {v}\n" for k, v in more.items())
    return (f'oidc:\n- issuer: "{url}"\n  client_id: us\n  client_secret: "s3 cret:+"\n  label: Stand-in\n'
            f"  name: standin\n{keys}" + (f"  map:\n{lines}" if rules else ""))


RULES = ["{group: botany, space: field, role: editor}", "{group: board, space: field, role: owner}",
         "{group: botany, space: forest, role: viewer}", "{group: chiefs, admin: true}",
         "{group: chiefs, space: nowhere, role: viewer}"]


def with_rules(hub, issuer, rules, **more):
    """The same hub with another map."""
    hub.stop()
    config = hub.folder / "hub.yaml"
    config.write_text(re.sub(r"\noidc:\n(?:[ -].*\n)*", "", config.read_text()) + "\n" + settings(issuer.url, rules, **more))
    hub.start()


@pytest.fixture(scope="module")
def place(tmp_path_factory, issuer):
    """A hub with two spaces and a team of Ana's, whose id stands in its map."""
    hub = Hub(tmp_path_factory.mktemp("groups"))
    hub.root, hub.ana = hub.admin(), hub.browser()
    assert hub.ana.sign_up("ana@g.example", "ana").status == 303
    hub.ana.new_space("Field", "field")
    hub.ana.new_space("Forest", "forest")
    hub.team = new_team(hub.ana, "Botanists")
    hub.rules = [*RULES, f"{{group: botany, team: {hub.team[-13:]}}}"]
    assert hub.ana.post("/spaces/forest/members", {"team": hub.team[-13:], "role": "editor"}).status == 303
    with_rules(hub, issuer, hub.rules)
    yield hub
    hub.stop()


def arrive(hub, issuer, name, groups, browser=None):
    browser = browser or hub.browser()
    issuer.person = {"sub": f"sub-{name}", "email": f"{name}@g.example", "email_verified": True, "name": name, "groups": groups}
    page = sign_in(browser, issuer)
    assert page.status == 303, page
    return browser


def people_of(team):
    return re.findall(r'data-label="Name">(\w+)', team.text)


def test_given_and_taken_at_each_sign_in(place, issuer):
    ben = arrive(place, issuer, "ben", ["staff", "botany"])
    for space in ("field", "forest"):  # the team's role is higher
        wait_for(lambda: roles(place, space).get("ben") == "editor")  # noqa: B023
    assert "ben" in people_of(place.ana.get(place.team))
    assert "Field" in ben.get("/").said and ben.get("/-/admin").status == 404
    page = place.ana.get("/spaces/field/members")
    assert re.search(r"ben ben@g\.example editor \(by a group\)", page.said), page.said
    assert re.search(r"ben by a group", place.ana.get(place.team).said)
    # Several groups: the highest role; an owner by a group may do what owners do, but is none that a space stands on.
    arrive(place, issuer, "ben", ["botany", "board"], ben)
    assert roles(place, "field")["ben"] == "owner"
    assert ben.post("/spaces/field/invitations", {"email": "x@g.example", "role": "viewer"}).status == 200
    mine = re.search(r'name="user" value="(u\w+)"', page.text).group(1)
    refused = ben.post("/spaces/field/members", {"user": mine, "role": "none"})
    assert refused.status == 409 and "last owner" in refused.said, refused
    # The groups are gone: so is what they gave, and everything else stays.
    arrive(place, issuer, "ben", ["staff"], ben)
    assert roles(place, "field") == {"ana": "owner"} and roles(place, "forest") == {"ana": "owner"}
    assert people_of(place.ana.get(place.team)) == ["ana"]
    log = place.root.get("/-/admin").said
    for said in ("Role given by a group field editor, by standin", "Role given by a group field owner, by standin",
                 "Role taken by a group field owner, by standin", f"In a team by a group {place.team[-13:]}, by standin",
                 f"Out of a team by a group {place.team[-13:]}, by standin"):
        assert f"ben@g.example {said}" in log, said


def noted(hub, action):
    db = sqlite3.connect(hub.folder / "hub.db", timeout=60)
    try:
        return db.execute("select count(*) from audit where action = ?", [action]).fetchone()[0]
    finally:
        db.close()


def test_a_sign_in_by_an_issuer_ends(make_hub, issuer):
    """LIMIT_IDENTITY_AGE_S: the session, and what the groups gave. Who signs in otherwise is not concerned."""
    hub = make_hub(settings(issuer.url, RULES[:1]), env=limits.lowered(IDENTITY_AGE_S=2))
    ana = hub.browser()
    assert ana.sign_up("ana@g.example", "ana").status == 303
    ana.new_space("Field", "field")
    ben = arrive(hub, issuer, "ben", ["botany"])
    assert noted(hub, "groups.role-given") == 1
    wait_for(lambda: ben.get("/-/account").header("location") == "/-/sign-in?to=/-/account", 90)
    wait_for(lambda: noted(hub, "groups.role-taken") == 1, 90)
    wait_for(lambda: roles(hub, "field") == {"ana": "owner"}, 90)
    assert ana.get("/-/account").status == 200
    arrive(hub, issuer, "ben", ["botany"], ben)
    assert noted(hub, "groups.role-given") == 2, "signed in again, all is as before"
    wait_for(lambda: noted(hub, "groups.role-taken") == 2, 90)


def test_what_was_given_by_hand_stays(place, issuer):
    cat = arrive(place, issuer, "cat", ["botany"])
    link = place.ana.post("/spaces/field/invitations", {"email": "cat@g.example", "role": "viewer"}).text
    token = re.search(r"/-/invitation\?token=([\w-]+)", link).group(1)
    assert cat.post("/-/invitation", {"token": token}).status == 303
    assert place.ana.post(place.team, {"do": "add", "email": "cat@g.example"}).status == 303
    assert roles(place, "field")["cat"] == "editor", "the higher of the two"
    arrive(place, issuer, "cat", [], cat)
    assert roles(place, "field")["cat"] == "viewer" and roles(place, "forest")["cat"] == "editor"
    assert "cat" in people_of(place.ana.get(place.team))
    # A manager whom a group brought is there by hand from then on: a team does not lose its last one.
    dan = arrive(place, issuer, "dan", ["botany"])
    dans = user_id(place.ana, place.team, "dan@g.example")
    assert place.ana.post(place.team, {"do": "manager", "user": dans}).status == 303
    arrive(place, issuer, "dan", [], dan)
    assert "dan" in people_of(place.ana.get(place.team))
    assert dan.post(place.team, {"do": "remove", "user": dans}).status == 303
    assert "dan" not in people_of(place.ana.get(place.team))


def test_administrators(place, issuer):
    eve = arrive(place, issuer, "eve", ["chiefs"])
    assert "eve administrator by a group" in eve.get("/-/admin").said
    arrive(place, issuer, "eve", [], eve)
    assert eve.get("/-/admin").status == 404
    # Who was made one by hand stays one, whatever the groups were in between.
    eves = re.search(r'eve@g\.example</td>.*?/-/admin/people/(u\w+)"', place.root.get("/-/admin").text, re.S).group(1)
    assert place.root.post(f"/-/admin/people/{eves}", {"do": "make-admin"}).status == 303
    for groups in (["chiefs"], []):
        arrive(place, issuer, "eve", groups, eve)
        assert "eve administrator by a group" not in eve.get("/-/admin").said
        assert eve.get("/-/admin").status == 200, groups
    assert place.root.post(f"/-/admin/people/{eves}", {"do": "unmake-admin"}).status == 303
    # And whom a group made one before a hand confirmed it.
    arrive(place, issuer, "eve", ["chiefs"], eve)
    assert place.root.post(f"/-/admin/people/{eves}", {"do": "make-admin"}).status == 303
    arrive(place, issuer, "eve", [], eve)
    assert eve.get("/-/admin").status == 200
    assert place.root.post(f"/-/admin/people/{eves}", {"do": "unmake-admin"}).status == 303
    log = place.root.get("/-/admin").said
    assert "eve@g.example Made an administrator by a group by standin" in log
    assert "eve@g.example No administrator any more, by a group by standin" in log


def test_what_administrators_see(place, issuer):
    page = place.root.get("/-/admin")
    assert "Groups" in page.said and "Stand-in botany editor of field" in page.said, page.said
    assert "Stand-in botany in the team Botanists" in page.said and place.team in page.text
    assert "Stand-in chiefs administrator" in page.said
    assert "viewer of nowhere there is none of this name" in page.said
    assert f"In hub.yaml this team is {place.team[-13:]}" in place.root.get(place.team).said
    assert "hub.yaml" not in place.ana.get(place.team).said
    logs = lambda: "".join(p.read_text() for p in (place.folder / "edge/logs").glob("hub*"))  # noqa: E731
    wait_for(lambda: "map: group chiefs, viewer of nowhere: there is none" in logs())


def test_unlinking_takes_it_along(place, issuer):
    fay = place.browser()
    assert fay.sign_up("fay@g.example", "fay").status == 303
    issuer.person = {"sub": "sub-fay", "groups": ["botany", "chiefs"]}
    assert sign_in(fay, issuer, "standin", fay.linking("standin")).status == 303
    assert roles(place, "field")["fay"] == "editor" and fay.get("/-/admin").status == 200
    link = re.search(r'name="id" value="(\d+)"', fay.get("/-/account").text).group(1)
    assert place.ana.post("/-/account/unlink", {"id": link}).status == 404, "not somebody else's"
    assert roles(place, "field")["fay"] == "editor"
    assert fay.post("/-/account/unlink", {"id": link}).status == 303
    assert "fay" not in roles(place, "field") and fay.get("/-/admin").status == 404
    assert "fay" not in people_of(place.ana.get(place.team))


def test_in_the_space_within_a_second(place, issuer):
    """The space itself lets in and keeps out, without a sign-on more."""
    gil = arrive(place, issuer, "gil", ["botany"])
    field = place.space_json("field")["origin"]
    page = gil.follow(gil.get(field + "/", headers={"Accept": "text/html"}), headers={"Accept": "text/html"})
    assert page.status == 200, page
    arrive(place, issuer, "gil", [], gil)
    wait_for(lambda: gil.get(field + "/", headers={"Accept": "text/html"}).status != 200)


def test_a_rule_that_goes_takes_along_what_it_gave(make_hub, issuer):
    """Also from people who never sign in again; and a map without an administrator leaves the last one."""
    hub = make_hub()
    ana = hub.browser()
    assert ana.sign_up("ana@g.example", "ana").status == 303
    ana.new_space("Field", "field")
    team = new_team(ana, "Botanists")
    assert ana.post("/spaces/field/members", {"team": team[-13:], "role": "viewer"}).status == 303
    rules = ["{group: botany, space: field, role: editor}", "{group: chiefs, admin: true}",
             f"{{group: botany, team: {team[-13:]}}}"]
    with_rules(hub, issuer, rules)
    hal, ida = (arrive(hub, issuer, n, ["botany", "chiefs"]) for n in ("hal", "ida"))
    assert roles(hub, "field") == {"ana": "owner", "hal": "editor", "ida": "editor"}
    with_rules(hub, issuer, ["{group: botany, space: field, role: viewer}"])
    wait_for(lambda: hal.get("/-/admin").status + ida.get("/-/admin").status == 604)  # one 200, one 404
    wait_for(lambda: roles(hub, "field") == {"ana": "owner", "hal": "viewer", "ida": "viewer"})
    assert people_of(ana.get(team)) == ["ana"]
    with_rules(hub, issuer, [])
    wait_for(lambda: roles(hub, "field") == {"ana": "owner"})


def test_check_names_place_and_remedy(place):
    config = place.folder / "hub.yaml"
    good = config.read_text()
    try:
        config.write_text(good.replace("role: editor}", "role: chief}", 1))
        done = place.run("hub", "check", "--dir", place.folder)
        assert done.returncode == 78 and "hub.yaml: oidc: issuer 1: map: rule 1: role is no role (chief)" in done.stderr, done
        assert "owner, editor and viewer" in done.stderr
    finally:
        config.write_text(good)
    assert place.run("hub", "check", "--dir", place.folder).returncode == 0


def test_a_certified_issuer_says_groups(make_hub, tmp_path):
    """Groups from the userinfo endpoint of npm oidc-provider, changed between two sign-ins."""
    port, groups = free_port(), tmp_path / "groups.json"
    if not (HERE.parent.parent / "node_modules/oidc-provider").is_dir() or not shutil.which("node"):
        pytest.skip("npm oidc-provider is not installed")
    origin = f"http://{DOMAIN}:{port}"
    groups.write_text(json.dumps({"ana": ["botany", "chiefs"]}))
    run = subprocess.Popen(["node", HERE / "issuer.mjs", "us", "a secret", f"{origin}/-/oidc/real/callback", origin + "/",
                            groups], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        url = run.stdout.readline().strip()
        if not url:
            pytest.skip("npm oidc-provider does not run with this node")
        hub = make_hub(f'oidc: {{issuer: "{url}", client_id: us, client_secret: "a secret", label: Real, map: '
                       '[{group: botany, space: field, role: editor}, {group: chiefs, admin: true}]}', port=port)
        root, own = hub.admin(), hub.browser()
        assert own.sign_up("own@g.example", "own", PASSWORD).status == 303
        own.new_space("Field", "field")
        ana = hub.browser()
        assert certified(ana, begin(ana, "real"), "ana").status == 303
        assert roles(hub, "field") == {"own": "owner", "Ana": "editor"} and ana.get("/-/admin").status == 200
        groups.write_text(json.dumps({"ana": ["staff"]}))
        assert certified(ana, begin(ana, "real"), "ana").status == 303
        assert roles(hub, "field") == {"own": "owner"} and ana.get("/-/admin").status == 404
        assert "ana@example.org Role taken by a group field editor, by real" in root.get("/-/admin").said
    finally:
        run.stdin.close()
        run.wait(60)
