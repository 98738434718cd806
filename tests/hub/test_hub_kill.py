# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the hub at every point where it changes something that lasts. A scenario does it up to the point, where the
process dies before it could answer; then the hub is started again, hub.db, the edge and every space.json must agree
(tough_rig), and the scenario says what must be there: what was done is whole or absent, and the next try ends well."""
import json
import os
import shutil
import sqlite3

import pytest
from authenticator import Passkey
from stand_in import GitHub, Issuer
from test_factors import code, codes_of, options_of, secret_of
from test_logo import png, send
from test_oidc import back, begin
from test_oidc import sign_in as sign_in_by
from tough_rig import PASSWORD, Tough, points, wait_for

import serving

POINTS = [p for p in points() if p.startswith("hub.")]
pytestmark = pytest.mark.skipif(not POINTS, reason="built without fault points")
SCENARIOS = []
ELSEWHERE = {"hub.seals.before", "hub.seals.after"}  # test_seals.py
CSV = (b'------x\r\nContent-Disposition: form-data; name="file"; filename="towns.csv"\r\n\r\n'
       b"id,name\n1,Oslo\n2,Rome\n\r\n------x--\r\n")


def at(point, **more):
    def add(fn):
        SCENARIOS.append((point, fn, more))
        return fn
    return add


def test_every_point_has_a_scenario():
    assert {point for point, _, _ in SCENARIOS} | ELSEWHERE == set(POINTS)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    issuer, github, keys = Issuer(), GitHub(), []
    made = Tough(tmp_path_factory.mktemp("tough"), f"""verify_email: true
oidc:
- issuer: "{issuer.url}"
  client_id: us
  client_secret: "s3 cret:+"
  name: standin
  map: [{{group: keepers, space: museum, role: editor}}]
github: {{client_id: gh, client_secret: gh-secret, url: "{github.url}", api: "{github.url}/api"}}
""")
    made.issuer, made.github, made.keys = issuer, github, keys
    made.root = made.new_browser()
    assert made.root.post("/-/admin-link", {"token": made.admin_link, "email": "root@example.org", "name": "Root",
                                            "password": PASSWORD}).status == 303
    made.ana, made.ben = made.person("ana@example.org"), made.person("ben@example.org")
    made.ana.new_space("Museum", "museum")
    made.ana.new_space("Garden", "garden")
    yield made
    made.stop()
    for one in (issuer, github, *keys):
        one.close()


@pytest.mark.parametrize("point, scenario, more", SCENARIOS, ids=[f"{p}-{fn.__name__}" for p, fn, _ in SCENARIOS])
def test_killed(world, point, scenario, more):
    steps = scenario(world)
    world.kill_at(point, next(steps), **more)
    for _ in steps:
        pytest.fail("one act a scenario")
    world.well()


def id_of(w, address):
    return w.value("select id from users where email = ?", address)


def space(w, name):
    found = w.rows("select id, state from spaces where name = ?", name)
    return found[0] if found else None


def role(w, name, address):
    found = w.rows("select role from members m join spaces s on s.id = m.space_id join users u on u.id = m.user_id where"
                   " s.name = ? and u.email = ?", name, address)
    return found[0][0] if found else None


# ---- accounts ----


@at("hub.account.made")
def sign_up(w):
    b = w.new_browser()
    yield lambda: b.sign_up("dan@example.org")
    assert w.value("select count(*) from users where email = 'dan@example.org'") == 1
    token = wait_for(lambda: w.link("dan@example.org", "/-/verify"), 60)  # the mail is part of it
    assert b.post("/-/verify", {"token": token}).status == 403, "the answer with this browser's cookie was lost"
    assert b.post("/-/verify", {"token": token, "chosen": PASSWORD}).status == 303 and b.get("/-/account").status == 200


@at("hub.mail.sent")
def mail(w):
    b = w.new_browser()
    yield lambda: (b.sign_up("mail@example.org"), w.process.wait(60))[0] and None
    wait_for(lambda: not w.value("select count(*) from mails where sent_at = 0"), 60)  # at most once more
    assert w.link("mail@example.org", "/-/verify")


@at("hub.address.verified")
def verify(w):
    b = w.new_browser()
    assert b.sign_up("eve@example.org").status == 303
    token = wait_for(lambda: w.link("eve@example.org", "/-/verify"), 60)
    yield lambda: b.post("/-/verify", {"token": token})
    assert b.post("/-/verify", {"token": token}).status == 404, "used"
    assert b.sign_in("eve@example.org").status == 303


@at("hub.address.verified")
def verify_anew(w):
    w.new_browser().sign_up("eva@example.org")
    token = wait_for(lambda: w.link("eva@example.org", "/-/verify"), 60)
    b = w.new_browser()
    yield lambda: b.post("/-/verify", {"token": token, "password": "words of the owner"})
    assert b.post("/-/verify", {"token": token}).status == 404, "used"
    assert b.sign_in("eva@example.org").status == 401 and b.sign_in("eva@example.org", "words of the owner").status == 303


@at("hub.session.made")
def sign_in(w):
    b = w.new_browser()
    before = w.value("select count(*) from sessions")
    yield lambda: b.sign_in("ben@example.org")
    assert w.value("select count(*) from sessions") == before + 1, "one that nobody has the secret of"
    assert b.sign_in("ben@example.org").status == 303 and b.get("/-/account").status == 200


@at("hub.link.made")
def forgot(w):
    b = w.new_browser()
    yield lambda: b.post("/-/forgot", {"email": "ben@example.org"})
    assert wait_for(lambda: w.link("ben@example.org", "/-/reset"), 60)


@at("hub.password.reset")
def reset(w):
    b, other = w.person("fay@example.org"), w.new_browser()
    assert other.post("/-/forgot", {"email": "fay@example.org"}).status == 303
    token = wait_for(lambda: w.link("fay@example.org", "/-/reset"), 60)
    yield lambda: other.post("/-/reset", {"token": token, "password": "quite another phrase"})
    assert b.get("/-/account").status == 303, "signed out everywhere"
    assert b.sign_in("fay@example.org").status == 401
    assert b.sign_in("fay@example.org", "quite another phrase").status == 303


@at("hub.password.changed")
def password(w):
    b = w.person("gus@example.org")
    yield lambda: b.post("/-/account/password", {"old": PASSWORD, "password": "yet another phrase"})
    assert b.get("/-/account").status == 200
    assert w.new_browser().sign_in("gus@example.org", "yet another phrase").status == 303


@at("hub.admin.made")
def admin_link(w):
    made = w.run("hub", "admin-link", "--dir", w.folder)
    token = made.stdout.strip().split("token=")[1]
    form = {"token": token, "email": "root2@example.org", "name": "Root", "password": PASSWORD}
    yield lambda: w.new_browser().post("/-/admin-link", form)
    b = w.new_browser()
    assert b.sign_in("root2@example.org").status == 303 and b.get("/-/admin").status == 200
    assert w.new_browser().post("/-/admin-link", {**form, "email": "root3@example.org"}).status == 404, "once"


@at("hub.account.changed")
def profile(w):
    yield lambda: w.ana.post("/-/account", {"name": "Ana Maria"})
    assert "Ana Maria" in w.ana.get("/-/account").text


@at("hub.session.ended")
def sign_out(w):
    b = w.new_browser()
    assert b.sign_in("ana@example.org").status == 303
    yield lambda: b.post("/-/sign-out")
    assert b.get("/-/account").status == 303


@at("hub.sessions.ended")
def others_out(w):
    b = w.new_browser()
    assert b.sign_in("ana@example.org").status == 303
    yield lambda: w.ana.post("/-/account/sessions")
    assert b.get("/-/account").status == 303 and w.ana.get("/-/account").status == 200


@at("hub.session.space")
def sign_on(w):
    where = f"/-/sign-on?space={space(w, 'museum')[0]}&state=abc&to=/"
    yield lambda: w.ana.get(where)
    assert w.ana.get(where).status == 303


@at("hub.account.deleted")
def leave(w):
    b = w.person("hal@example.org")
    yield lambda: b.post("/-/account/delete", {"do": "delete", "email": "hal@example.org"})
    assert b.get("/-/account").status == 303
    assert b.sign_in("hal@example.org").status == 303
    assert b.post("/-/account/delete", {"do": "keep"}).status == 303
    assert not w.value("select deletes_at from users where email = 'hal@example.org'")


@at("hub.account.gone")
def gone(w):
    w.person("ida@example.org")
    yield lambda: w.again(lambda: w.write("update users set deletes_at = 1 where email = 'ida@example.org'"))
    assert not w.rows("select 1 from users where email = 'ida@example.org'")


@at("hub.person.changed")
def disabled(w):
    who = id_of(w, "ben@example.org")
    yield lambda: w.root.post(f"/-/admin/people/{who}", {"do": "disable"})
    assert w.ben.get("/-/account").status == 303 and w.ben.sign_in("ben@example.org").status == 403, "told: it is closed"
    assert w.root.post(f"/-/admin/people/{who}", {"do": "enable"}).status == 303
    assert w.ben.sign_in("ben@example.org").status == 303


# ---- who is in ----


@at("hub.invitation.made")
def invite(w):
    yield lambda: w.ana.post("/spaces/museum/invitations", {"email": "jon@example.org", "role": "viewer"})
    assert wait_for(lambda: w.link("jon@example.org", "/-/invitation"), 60)


@at("hub.invitation.used")
def accept(w):
    w.ana.post("/spaces/museum/invitations", {"email": "ben@example.org", "role": "viewer"})
    token = wait_for(lambda: w.link("ben@example.org", "/-/invitation"), 60)
    yield lambda: w.ben.post("/-/invitation", {"token": token})
    assert role(w, "museum", "ben@example.org") == "viewer"
    assert w.ben.post("/-/invitation", {"token": token}).status == 404, "once"


@at("hub.invitation.withdrawn")
def withdraw(w):
    w.ana.post("/spaces/museum/invitations", {"email": "kim@example.org", "role": "viewer"})
    token = wait_for(lambda: w.link("kim@example.org", "/-/invitation"), 60)
    which = w.value("select id from invitations where email = 'kim@example.org'")
    yield lambda: w.ana.post("/spaces/museum/invitations", {"withdraw": which})
    assert w.new_browser().get(f"/-/invitation?token={token}").status == 404


@at("hub.member.changed")
def member(w):
    who = id_of(w, "ben@example.org")
    yield lambda: w.ana.post("/spaces/museum/members", {"user": who, "role": "editor"})
    assert role(w, "museum", "ben@example.org") == "editor"


@at("hub.member.changed")
def member_out(w):
    who = id_of(w, "ben@example.org")
    yield lambda: w.ana.post("/spaces/museum/members", {"user": who, "role": "none"})
    assert role(w, "museum", "ben@example.org") is None


@at("hub.team.changed")
def team(w):
    yield lambda: w.root.post("/-/teams", {"name": "Keepers"})
    which = w.value("select id from teams where name = 'Keepers'")
    assert w.root.get(f"/-/teams/{which}").status == 200


@at("hub.team.changed")
def team_member(w):
    which = w.value("select id from teams where name = 'Keepers'")
    w.root.post("/spaces/museum/members", {"team": which, "role": "viewer"})
    yield lambda: w.root.post(f"/-/teams/{which}", {"do": "add", "email": "ben@example.org"})
    assert id_of(w, "ben@example.org") in w.value("select json_group_array(user_id) from team_people where team_id = ?", which)


@at("hub.team.changed")
def team_deleted(w):
    which = w.value("select id from teams where name = 'Keepers'")
    yield lambda: w.root.post(f"/-/teams/{which}", {"do": "delete"})
    assert not w.value("select count(*) from team_spaces")


# ---- spaces ----


def not_made(w, name):
    assert space(w, name) is None
    w.ana.new_space(name, name)
    assert space(w, name)[1] == "live"
    assert w.ana.post(f"/spaces/{name}/delete", {"name": name}).status == 303


@at("hub.space.inserted")
def made_row(w):
    yield lambda: w.ana.post("/-/new", {"title": "Row", "name": "row"})
    not_made(w, "row")


@at("hub.space.folders")
def made_folders(w):
    yield lambda: w.ana.post("/-/new", {"title": "Folders", "name": "folders"})
    not_made(w, "folders")


@at("hub.tell.written")
def made_told(w):
    yield lambda: w.ana.post("/-/new", {"title": "Told", "name": "told"})
    not_made(w, "told")


@at("hub.edge.told")
def made_started(w):
    yield lambda: w.ana.post("/-/new", {"title": "Started", "name": "started"})
    not_made(w, "started")


@at("hub.space.live")
def made_whole(w):
    yield lambda: w.ana.post("/-/new", {"title": "Whole", "name": "whole"})
    assert space(w, "whole")[1] == "live"
    assert w.ana.post("/spaces/whole/delete", {"name": "whole"}).status == 303


@at("hub.space.erased")
def erased(w):
    w.ana.new_space("Old", "old")
    w.ana.post("/spaces/old/delete", {"name": "old"})
    yield lambda: w.again(lambda: w.write("update spaces set deletes_at = 1 where name = 'old'"))
    wait_for(lambda: space(w, "old") is None, 60)


@at("hub.space.saved")
def renamed(w):
    yield lambda: w.ana.post("/spaces/garden", {"title": "Park", "name": "park", "visibility": "public"})
    page = w.browser().get(f"http://park.data.localhost:{w.port}/")
    assert page.status == 200 and "Park" in page.said and space(w, "garden") is None


@at("hub.edge.told")
def renamed_back(w):
    yield lambda: w.ana.post("/spaces/park", {"title": "Garden", "name": "garden", "visibility": "public"})
    assert w.browser().get(f"http://garden.data.localhost:{w.port}/").status == 200


@at("hub.space.suspended")
def suspended(w):
    yield lambda: w.root.post("/-/admin/spaces/garden", {"do": "suspend", "why": "a test"})
    assert space(w, "garden")[1] == "suspended"
    assert w.root.post("/-/admin/spaces/garden", {"do": "resume"}).status == 303


@at("hub.space.deleted")
def deleted(w):
    yield lambda: w.ana.post("/spaces/garden/delete", {"name": "garden"})
    assert space(w, "garden")[1] == "deleted"


@at("hub.space.restored")
def restored(w):
    yield lambda: w.ana.post("/spaces/garden/restore")
    assert space(w, "garden")[1] == "live"
    assert w.browser().get(f"http://garden.data.localhost:{w.port}/").status == 200


@at("hub.domain.added")
def domain(w):
    yield lambda: w.ana.post("/spaces/garden/domains", {"host": "garden.localhost"})
    assert w.browser().get(f"http://garden.localhost:{w.port}/").status == 200


@at("hub.domain.removed")
def domain_out(w):
    yield lambda: w.ana.post("/spaces/garden/domains", {"remove": "garden.localhost"})
    assert w.browser().get(f"http://garden.localhost:{w.port}/").status in (404, 421)


@at("hub.clone.copied")
def clone(w):
    form = {"title": "Copy", "name": "copy"}
    yield lambda: w.ana.post("/spaces/garden/clone", form)
    assert space(w, "copy") is None
    wait_for(lambda: not os.listdir(w.folder / "copies"), 60)


# ---- files ----


def bring(b):
    return b.ask("POST", "/-/start", CSV, {"Content-Type": "multipart/form-data; boundary=----x"})


@at("hub.waiting.kept")
def file_kept(w):
    yield lambda: bring(w.ben)
    assert "towns.csv" in w.ben.get("/").said, "its owner has it, though nobody said so"


@at("hub.waiting.dropped")
def file_dropped(w):
    yield lambda: w.ben.post("/-/start/drop")
    assert "towns.csv" not in w.ben.get("/").said
    wait_for(lambda: not os.listdir(w.folder / "incoming"), 60)


@at("hub.start.filled")
def file_filled(w):
    assert bring(w.ben).status == 303
    yield lambda: w.ben.post("/-/start/keep", {"title": "Towns"})
    assert space(w, "towns") is None and "towns.csv" in w.ben.get("/").said


@at("hub.start.made")
def file_made(w):
    yield lambda: w.ben.post("/-/start/keep", {"title": "Towns"})
    assert space(w, "towns")[1] == "live" and "towns.csv" not in w.ben.get("/").said
    wait_for(lambda: not os.listdir(w.folder / "incoming"), 60)


# ---- what spaces ask; copies; versions ----


@at("hub.outbox.taken")
def outbox(w):
    name = space(w, "towns")[0]
    folder = w.folder / "spaces" / name / "outbox"

    def share():
        (folder / "a.tmp").write_text(json.dumps({
            "kind": "share", "to": "lea@example.org", "what": "Towns", "by": id_of(w, "ben@example.org"),
            "url": f"http://towns.data.localhost:{w.port}/towns"}))
        (folder / "a.tmp").rename(folder / "a.json")
    yield share
    wait_for(lambda: not list(folder.iterdir()), 60)
    assert w.value("select count(*) from mails where recipient = 'lea@example.org'")


def backup(w):
    return w.run("hub", "backup", "--dir", w.folder)


@at("hub.backup.taken", of_hub=False)
def backup_taken(w):
    yield lambda: backup(w)
    assert backup(w).returncode == 0


@at("hub.backup.noted", of_hub=False)
def backup_noted(w):
    yield lambda: backup(w)
    assert backup(w).returncode == 0
    copy = max((w.folder / "backups/hub").rglob("*.db"), key=os.path.getmtime)
    with sqlite3.connect(f"file:{copy}?immutable=1", uri=True) as db:
        assert db.execute("select count(*) from users where email = 'ana@example.org'").fetchone() == (1,)
    db.close()


def upgrade(w, *more):
    return w.run("fleet", "upgrade", "--no-backup", "--watch", "0", "--dir", w.folder, *more)


def versions(w):
    return {v for v, in w.rows("select distinct version from spaces where state = 'live' and not pinned")}


@at("hub.fleet.written", of_hub=False)
def fleet_noted(w):
    for name in ("museum", "towns"):
        assert w.run("fleet", "pin", name, "--dir", w.folder).returncode == 0
    yield lambda: upgrade(w)
    done = upgrade(w, "--resume")
    assert done.returncode == 0, done
    assert len(versions(w)) == 1 and versions(w) != {""}
    run = json.loads(w.run("fleet", "status", "--json", "--dir", w.folder).stdout)["last_run"]
    assert run["state"] == "done", run
    [one] = [a for a in w.edge_says("/status")["apps"] if a["name"] == "s-" + space(w, "garden")[0]]
    assert f"/versions/{versions(w).pop()}/vitrine" in one["versions"][0]["spec"]["run"]


@at("hub.fleet.put", of_hub=False)
def fleet_changed(w):
    other = w.folder.parent / "other"
    shutil.copy(serving.PROGRAM, other)
    with open(other, "ab") as f:
        f.write(b"another version")
    before = versions(w)
    yield lambda: upgrade(w, "--program", other)
    done = upgrade(w, "--resume")
    assert done.returncode == 0 and len(versions(w)) == 1 and versions(w) != before, done


@at("hub.fleet.back", of_hub=False)
def fleet_back(w):
    broken = w.folder.parent / "broken"
    broken.write_text("#!/bin/sh\n[ \"$1\" = version ] && exit 0\nexit 9\n")
    broken.chmod(0o755)
    before = versions(w)
    yield lambda: upgrade(w, "--program", broken)
    done = upgrade(w, "--resume")
    assert done.returncode == 6 and versions(w) == before, done


# ---- second factors ----


def with_app(w, address):
    """Somebody with an app: browser, secret, recovery codes."""
    b = w.person(address)
    b.post("/-/account/app", {"do": "begin"})
    secret = secret_of(b.get("/-/account/app"))
    page = b.post("/-/account/app", {"do": "confirm", "code": code(secret)})
    assert page.status == 200, page
    return b, secret, codes_of(page)


def at_second_step(w, address):
    b = w.new_browser()
    assert b.sign_in(address).header("location").startswith("/-/second")
    return b


def codes_left(w, address):
    return w.value("select count(*) from recovery_codes where used_at = 0 and user_id = ?", id_of(w, address))


def used_step(w, address):
    return w.value("select used_step from totp where user_id = ?", id_of(w, address))


@at("hub.app.changed")
def app_begun(w):
    b = w.person("app-begun@example.org")
    yield lambda: b.post("/-/account/app", {"do": "begin"})
    secret = secret_of(b.get("/-/account/app"))
    assert w.new_browser().sign_in("app-begun@example.org").header("location") == "/", "not asked for before it is confirmed"
    page = b.post("/-/account/app", {"do": "confirm", "code": code(secret)})
    assert page.status == 200 and len(codes_of(page)) == 10


@at("hub.app.changed")
def app_confirmed(w):
    b = w.person("app-on@example.org")
    b.post("/-/account/app", {"do": "begin"})
    secret = secret_of(b.get("/-/account/app"))
    yield lambda: b.post("/-/account/app", {"do": "confirm", "code": code(secret)})
    new = at_second_step(w, "app-on@example.org")
    assert codes_left(w, "app-on@example.org") == 10, "that nobody has seen"
    assert new.post("/-/second", {"code": code(secret, 30)}).status == 303, "the app is what it was confirmed with"
    codes = codes_of(b.post("/-/account/app", {"do": "codes"}))
    assert at_second_step(w, "app-on@example.org").post("/-/second", {"code": codes[0]}).status == 303


@at("hub.app.changed")
def codes_made_anew(w):
    b, _, old = with_app(w, "codes@example.org")
    yield lambda: b.post("/-/account/app", {"do": "codes"})
    assert codes_left(w, "codes@example.org") == 10
    assert at_second_step(w, "codes@example.org").post("/-/second", {"code": old[0]}).status == 403, "void"
    codes = codes_of(b.post("/-/account/app", {"do": "codes"}))
    assert at_second_step(w, "codes@example.org").post("/-/second", {"code": codes[0]}).status == 303


@at("hub.app.changed")
def app_off(w):
    b, _, _ = with_app(w, "app-off@example.org")
    yield lambda: b.post("/-/account/app", {"do": "off"})
    assert w.new_browser().sign_in("app-off@example.org").header("location") == "/"
    assert codes_left(w, "app-off@example.org") == 0


@at("hub.code.used")
def recovery_code_before(w):
    _, _, codes = with_app(w, "code-before@example.org")
    b = at_second_step(w, "code-before@example.org")
    yield lambda: b.post("/-/second", {"code": codes[0]})
    assert codes_left(w, "code-before@example.org") == 10, "nobody was signed in by it"
    assert b.post("/-/second", {"code": codes[0]}).status == 303 and b.get("/-/account").status == 200
    assert at_second_step(w, "code-before@example.org").post("/-/second", {"code": codes[0]}).status == 403, "once"


@at("hub.session.made")
def recovery_code_after(w):
    _, _, codes = with_app(w, "code-after@example.org")
    b = at_second_step(w, "code-after@example.org")
    yield lambda: b.post("/-/second", {"code": codes[0]})
    assert codes_left(w, "code-after@example.org") == 9
    b = at_second_step(w, "code-after@example.org")
    assert b.post("/-/second", {"code": codes[0]}).status == 403, "it stays used"
    assert b.post("/-/second", {"code": codes[1]}).status == 303 and codes_left(w, "code-after@example.org") == 8


@at("hub.code.used")
def app_code_before(w):
    _, secret, _ = with_app(w, "step-before@example.org")
    b, before = at_second_step(w, "step-before@example.org"), used_step(w, "step-before@example.org")
    yield lambda: b.post("/-/second", {"code": code(secret, 30)})
    assert used_step(w, "step-before@example.org") == before and b.get("/-/account").status == 303
    assert b.post("/-/second", {"code": code(secret, 30)}).status == 303, "the step between is still good"


@at("hub.session.made")
def app_code_after(w):
    _, secret, _ = with_app(w, "step-after@example.org")
    b, before, typed = at_second_step(w, "step-after@example.org"), used_step(w, "step-after@example.org"), code(secret, 30)
    yield lambda: b.post("/-/second", {"code": typed})
    assert used_step(w, "step-after@example.org") > before
    assert at_second_step(w, "step-after@example.org").post("/-/second", {"code": typed}).status == 403
    assert b.post("/-/second", {"code": typed}).header("location").startswith("/-/sign-in"), "that step is over"


@at("hub.session.confirmed")
def asked_again(w):
    b = w.person("again@example.org")
    w.write("update sessions set strong_at = 1 where user_id = ?", id_of(w, "again@example.org"))
    assert b.get("/-/account/app").status == 303
    yield lambda: b.post("/-/confirm", {"to": "/-/account/app", "password": PASSWORD})
    assert b.get("/-/account/app").status == 200


# ---- passkeys ----


def new_key(w):
    w.keys.append(Passkey(w.origin))
    return w.keys[-1]


def add_key(b, key, name="Phone"):
    return b.post("/-/account/passkeys", {"do": "add", "name": name, **key.create(options_of(b.get("/-/account/passkeys")))})


def key_of(w, address):
    return w.rows("select name, counter, used_at, suspect_at from passkeys where user_id = ?", id_of(w, address))


def answer(b, key):
    return key.get(options_of(b.get("/-/sign-in")))


@at("hub.passkey.changed")
def passkey_added(w):
    b, key = w.person("key@example.org"), new_key(w)
    yield lambda: add_key(b, key)
    assert "Phone" in b.get("/-/account/passkeys").said and add_key(b, key).status == 409, "it is there"
    new = w.new_browser()
    assert new.post("/-/passkey", answer(new, key)).status == 303 and new.get("/-/account").status == 200


@at("hub.passkey.changed")
def passkey_renamed(w):
    b, key = w.person("key-name@example.org"), new_key(w)
    assert add_key(b, key).status == 303
    which = options_of(b.get("/-/account/passkeys"))["excludeCredentials"][0]["id"]
    yield lambda: b.post("/-/account/passkeys", {"do": "rename", "key": which, "name": "Old phone"})
    assert key_of(w, "key-name@example.org")[0][0] == "Old phone"


@at("hub.passkey.changed")
def passkey_removed(w):
    b, key = w.person("key-out@example.org"), new_key(w)
    assert add_key(b, key).status == 303
    which = options_of(b.get("/-/account/passkeys"))["excludeCredentials"][0]["id"]
    yield lambda: b.post("/-/account/passkeys", {"do": "remove", "key": which})
    assert not key_of(w, "key-out@example.org")
    new = w.new_browser()
    assert new.post("/-/passkey", answer(new, key)).status == 403, "gone"


@at("hub.passkey.used")
def passkey_before(w):
    b, key = w.person("key-before@example.org"), new_key(w)
    assert add_key(b, key).status == 303
    before, new = key_of(w, "key-before@example.org"), w.new_browser()
    fields = answer(new, key)
    yield lambda: new.post("/-/passkey", fields)
    assert key_of(w, "key-before@example.org") == before and new.get("/-/account").status == 303
    assert new.post("/-/passkey", fields).status == 303, "nobody was signed in by that answer"
    assert key_of(w, "key-before@example.org")[0][1] > before[0][1]


@at("hub.session.made")
def passkey_after(w):
    b, key = w.person("key-after@example.org"), new_key(w)
    assert add_key(b, key).status == 303
    before, new = key_of(w, "key-after@example.org"), w.new_browser()
    fields = answer(new, key)
    yield lambda: new.post("/-/passkey", fields)
    assert key_of(w, "key-after@example.org")[0][1] > before[0][1], "its counter is kept"
    assert new.post("/-/passkey", fields).status == 403, "sent before"
    assert new.post("/-/passkey", answer(new, key)).status == 303
    assert key_of(w, "key-after@example.org")[0][3] == 0, "and no copy is suspected"


# ---- others who sign in ----


def is_person(w, name, **more):
    w.issuer.reset()
    w.issuer.person = {"sub": f"sub-{name}", "email": f"{name}@example.org", "email_verified": True, "name": name, **more}


def identities(w, address):
    return w.value("select count(*) from identities where user = ?", id_of(w, address))


def grants(w, address):
    return w.rows("select g.role from space_grants g join spaces s on s.id = g.space_id where s.name = 'museum' and user_id = ?",
                  id_of(w, address))


@at("hub.identity.tried")
def issuer_answered(w):
    is_person(w, "tried")
    b = w.new_browser()
    token, q = w.issuer.code(begin(b))
    yield lambda: back(b, q, code=token, state=q["state"])
    assert not w.rows("select 1 from users where email = 'tried@example.org'")
    assert back(b, q, code=token, state=q["state"]).status == 409, "one answer"
    assert sign_in_by(b, w.issuer).status == 303 and identities(w, "tried@example.org") == 1


@at("hub.identity.new")
def issuer_makes_account(w):
    is_person(w, "by-issuer", groups=["keepers"])
    yield lambda: sign_in_by(w.new_browser(), w.issuer)
    assert identities(w, "by-issuer@example.org") == 1 and grants(w, "by-issuer@example.org") == [("editor",)]
    b, people = w.new_browser(), w.value("select count(*) from users")
    assert sign_in_by(b, w.issuer).status == 303 and b.get("/-/account").status == 200
    assert w.value("select count(*) from users") == people, "the account that was made"


@at("hub.identity.new")
def github_makes_account(w):
    w.github.reset()
    yield lambda: sign_in_by(w.new_browser(), w.github, "github")
    b = w.new_browser()
    assert identities(w, "octo@example.org") == 1
    assert sign_in_by(b, w.github, "github").status == 303 and "octo@example.org" in b.get("/-/account").said


@at("hub.identity.new")
def owner_is_asked(w):
    w.person("asked@example.org")
    is_person(w, "asked")
    yield lambda: sign_in_by(w.new_browser(), w.issuer)
    assert identities(w, "asked@example.org") == 0
    token = wait_for(lambda: w.link("asked@example.org", "/-/link-identity"), 60)
    assert w.new_browser().post("/-/link-identity", {"token": token}).status == 303
    assert sign_in_by(w.new_browser(), w.issuer).status == 303


@at("hub.identity.confirmed")
def owner_says_yes(w):
    w.person("yes@example.org")
    is_person(w, "yes")
    b = w.new_browser()
    assert sign_in_by(b, w.issuer).status == 200
    token = wait_for(lambda: w.link("yes@example.org", "/-/link-identity"), 60)
    yield lambda: b.post("/-/link-identity", {"token": token})
    assert b.post("/-/link-identity", {"token": token}).status == 404, "once"
    assert sign_in_by(b, w.issuer).status == 303 and "yes@example.org" in b.get("/-/account").said


@at("hub.identity.used")
def groups_at_sign_in(w):
    is_person(w, "groups")
    b = w.new_browser()
    assert sign_in_by(b, w.issuer).status == 303 and not grants(w, "groups@example.org")
    is_person(w, "groups", groups=["keepers"])
    yield lambda: sign_in_by(b, w.issuer)
    assert grants(w, "groups@example.org") == [("editor",)], "world.well() looks at space.json"
    is_person(w, "groups")
    assert sign_in_by(b, w.issuer).status == 303 and not grants(w, "groups@example.org")


@at("hub.identity.linked")
def issuer_linked(w):
    b = w.person("linked@example.org")
    is_person(w, "someone-elsewhere", groups=["keepers"])
    yield lambda: sign_in_by(b, w.issuer, query=b.linking("standin"))
    assert identities(w, "linked@example.org") == 1 and grants(w, "linked@example.org") == [("editor",)]
    new = w.new_browser()
    assert sign_in_by(new, w.issuer).status == 303 and "linked@example.org" in new.get("/-/account").said


@at("hub.identity.unlinked")
def issuer_unlinked(w):
    b = w.person("unlinked@example.org")
    is_person(w, "unlinked", groups=["keepers"])
    assert sign_in_by(b, w.issuer, query=b.linking("standin")).status == 303
    which = w.value("select id from identities where user = ?", id_of(w, "unlinked@example.org"))
    yield lambda: b.post("/-/account/unlink", {"id": which})
    assert identities(w, "unlinked@example.org") == 0 and not grants(w, "unlinked@example.org")
    assert sign_in_by(w.new_browser(), w.issuer).status == 200, "a stranger again: its owner is asked by mail"


# ---- addresses, quotas, logos ----


@at("hub.address.asked")
def address_asked(w):
    b = w.person("moves@example.org")
    yield lambda: b.post("/-/account/address", {"email": "moved@example.org"})
    token = wait_for(lambda: w.link("moved@example.org", "/-/new-address"), 60)
    assert b.post("/-/new-address", {"token": token}).status == 303
    assert w.new_browser().sign_in("moved@example.org").status == 303


@at("hub.address.changed")
def address_changed(w):
    b = w.person("before@example.org")
    assert b.post("/-/account/address", {"email": "after@example.org"}).status == 303
    token = wait_for(lambda: w.link("after@example.org", "/-/new-address"), 60)
    yield lambda: b.post("/-/new-address", {"token": token})
    assert b.post("/-/new-address", {"token": token}).status == 404, "used"
    assert w.new_browser().sign_in("before@example.org").status == 401
    assert w.new_browser().sign_in("after@example.org").status == 303


def told(w, name):
    return json.loads((w.folder / "spaces" / space(w, name)[0] / "space.json").read_text())


@at("hub.quota.changed")
def quota(w):
    yield lambda: w.root.post("/-/admin/spaces/museum/quota", {"disk_bytes": "50"})
    assert told(w, "museum")["quota"]["disk_bytes"] == 50000000


@at("hub.logo.changed")
def logo(w):
    yield lambda: send(w.ana, "museum", png())
    assert w.browser().get(told(w, "museum")["theme"]["logo"]).body == png()


# ---- copies of hub.db: the second signs everybody out, so it is the last ----


@at("hub.copies.counted", of_hub=False)
def copy_counted(w):
    yield lambda: backup(w)
    w.again()
    wait_for(w.is_up, 60)
    assert w.ana.get("/-/account").status == 200, "nothing was brought back"
    assert (w.folder / "keys/copies").read_text().strip() == w.value("select value from facts where name = 'copies'")


@at("hub.copies.ended")
def copy_brought_back(w):
    yield lambda: w.again(lambda: (w.folder / "keys/copies").unlink())
    assert w.ana.get("/-/account").status == 303 and w.value("select count(*) from sessions") == 0
    assert w.ana.sign_in("ana@example.org").status == 303
    w.again()
    wait_for(w.is_up, 60)
    assert w.ana.get("/-/account").status == 200, "once"
