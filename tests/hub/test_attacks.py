# SPDX-License-Identifier: Apache-2.0
"""What somebody tries who has an account, and wants more of the hub than is theirs."""
import email
import email.policy
import http.client
import sqlite3

import hub_rig
import pytest
from hub_rig import DOMAIN, at_once, wait_for
from limits import lowered
from test_take_along import data_of, left_over, person, put


def sql(hub, text, *values):
    db = sqlite3.connect(hub.folder / "hub.db", timeout=60)
    try:
        with db:
            return db.execute(text, values).fetchall()
    finally:
        db.close()


def test_deleted_spaces_take_room_too(make_hub):
    """Each keeps its data for a week: who makes, fills and deletes without end would fill the disk."""
    hub = make_hub(change=lambda text: text.replace("each: 50", "each: 2"))
    ana, root = person(hub, "ana@example.org"), hub.admin()
    for names in (("one", "two"), ("three", "four")):
        for name in names:
            ana.new_space(name, f"space-{name}")
        for name in names:
            assert ana.post(f"/spaces/space-{name}/delete", {"name": f"space-{name}"}).status == 303
    page = ana.post("/-/new", {"title": "Five", "name": "space-five"})
    assert page.status == 409 and "You deleted 4 spaces that can still be brought back" in page.said, page
    assert "7 days" in page.said and hub.space_json("space-five") is None
    # They come back, as many as one may own; an administrator may help with more.
    for name in ("one", "two"):
        assert ana.post(f"/spaces/space-{name}/restore").status == 303
    page = ana.post("/spaces/space-three/restore")
    assert page.status == 409 and "You own 2 spaces" in page.said, page
    assert sql(hub, "select state from spaces where name = 'space-three'") == [("deleted",)]
    assert root.post("/spaces/space-three/restore").status == 303
    # Somebody else has room.
    person(hub, "ben@example.org").new_space("Five", "space-five")


def held_download(hub, browser, space):
    """One that is begun, and that its reader does not take further."""
    connection = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=120)
    cookies = "; ".join(f"{k}={v}" for k, v in browser.jar[DOMAIN].items())
    connection.request("GET", f"/spaces/{space}/download", headers={"Host": f"{DOMAIN}:{hub.port}", "Cookie": cookies})
    answer = connection.getresponse()
    assert answer.status == 200 and len(answer.read(1000)) == 1000
    return connection


def test_copies_of_a_space_at_once(make_hub):
    """LIMIT_HUB_COPIES: each is as large as the space, and stays until its reader has it, however slowly."""
    hub = make_hub(env=lowered(HUB_COPIES=1))
    ana = person(hub, "ana@example.org")
    ana.new_space("Large", "large")
    ana.new_space("Other", "other")
    put(hub, "large", "big.db", 0)
    db = sqlite3.connect(data_of(hub, "large") / "big.db")
    db.executemany("insert into t (name) values (?)", [("x" * 1000000,)] * 40)
    db.commit()
    db.close()
    held = held_download(hub, ana, "large")
    assert len(left_over(hub)) == 1
    for page in (ana.get("/spaces/large/download"), ana.post("/spaces/large/clone", {"title": "Clone", "name": "clone"})):
        assert page.status == 429 and "being copied already" in page.said, page
    assert len(left_over(hub)) == 1 and hub.space_json("clone") is None
    assert ana.get("/spaces/other/download").status == 200, "another space is another matter"
    held.close()
    wait_for(lambda: not left_over(hub))
    assert ana.post("/spaces/large/clone", {"title": "Clone", "name": "clone"}).status == 303
    wait_for(lambda: not left_over(hub))


def test_who_is_sent_away_takes_no_clone_along(make_hub):
    """... while the databases are being copied, which may take minutes. Here it happens when the row is made."""
    hub = make_hub()
    ana = person(hub, "ana@example.org")
    ana.new_space("Source", "source")
    source = hub.space_json("source")["id"]
    sql(hub, f"create trigger away after insert on spaces begin update members set role = 'viewer' where space_id = '{source}';"
             " end")
    page = ana.post("/spaces/source/clone", {"title": "Target", "name": "target"})
    assert page.status == 403 and "no owner of this space any more" in page.said, page
    assert sql(hub, "select name from spaces") == [("source",)]
    assert not left_over(hub)
    wait_for(lambda: [p.name for p in (hub.folder / "spaces").iterdir()] == [source])


def test_a_stolen_session_makes_nobody_an_administrator(make_hub):
    hub = make_hub()
    root = hub.admin()
    person(hub, "eve@example.org")
    eve = sql(hub, "select id from users where email = 'eve@example.org'")[0][0]
    sql(hub, "update sessions set strong_at = 1")
    for what in ("make-admin", "disable"):
        page = root.post(f"/-/admin/people/{eve}", {"do": what})
        assert page.status == 303 and page.header("location") == "/-/confirm?to=/-/admin", page
    assert sql(hub, "select is_admin, disabled_at from users where id = ?", eve) == [(0, 0)]
    assert root.post("/-/confirm", {"password": hub_rig.PASSWORD, "to": "/-/admin"}).header("location") == "/-/admin"
    assert root.post(f"/-/admin/people/{eve}", {"do": "make-admin"}).status == 303
    assert sql(hub, "select is_admin from users where id = ?", eve) == [(1,)]


def test_invitations_carry_no_links_of_others(make_hub, tmp_path):
    """A mail of the hub to somebody who may know nobody here is no way to send what one likes."""
    mails = tmp_path / "mails"
    mails.mkdir()
    hub = make_hub(f'verify_email: false\nmail: {{url: "file:{mails}", from: "Data <data@example.org>"}}')
    eve, ana = hub.browser(), hub.browser()
    assert eve.sign_up("eve@example.org", "Win at HTTPS://evil.example").status == 303
    assert ana.sign_up("ana@example.org", "Ana").status == 303
    for browser, title, name in ((eve, "WWW.evil.example", "evil"), (ana, "City museum", "museum")):
        assert browser.post("/-/new", {"title": title, "name": name}).status == 303
        assert browser.post(f"/spaces/{name}/invitations", {"email": f"{name}@example.net", "role": "viewer"}).status == 303

    def mail_to(address):
        found = [email.message_from_bytes(p.read_bytes(), policy=email.policy.default) for p in mails.glob("*.eml")]
        return next((m for m in found if m["to"] == address), None)

    bad, good = (wait_for(lambda a=a: mail_to(f"{a}@example.net")) for a in ("evil", "museum"))
    assert bad["subject"] == "Somebody invites you to a space" and good["subject"] == "Ana invites you to City museum"
    for part in bad.walk():
        if part.get_content_maintype() == "text":
            assert "evil.example" not in part.get_content().lower() and "Somebody invites you" in part.get_content()


@pytest.fixture
def deep(make_hub, monkeypatch):
    """A hub whose own name is below another one that leads to the same machine."""
    monkeypatch.setattr(hub_rig, "DOMAIN", "data.museum.localhost")
    return make_hub()


def test_the_name_above_the_hub_needs_a_record(deep):
    """example.org above data.example.org often leads to the same machine, and is not anybody's who makes a space there."""
    eve = person(deep, "eve@example.org")
    eve.new_space("Evil", "evil")
    page = eve.post("/spaces/evil/domains", {"host": "museum.localhost"})
    assert page.status == 400 and "does not prove that it is yours" in page.said and "_vitrine.museum.localhost" in page.said
    assert eve.post("/spaces/evil/domains", {"host": "museum.localhost", "proof": "txt"}).status == 400
    assert deep.space_json("evil")["hosts"] == []
    assert eve.post("/spaces/evil/domains", {"host": "www.museum.localhost"}).status == 303, "a name beside it may be"


def test_sessions_without_end(make_hub):
    """LIMIT_HUB_SESSIONS: those that were used last stay, and spaces are told of the others."""
    hub = make_hub(env=lowered(HUB_SESSIONS=2))
    first, second, third = person(hub, "ana@example.org"), hub.browser(), hub.browser()
    origin = first.new_space("Museum", "museum")
    html = {"Accept": "text/html"}
    assert first.follow(first.get(origin + "/-/versions", headers=html), headers=html).status == 200
    assert second.sign_in("ana@example.org").status == 303 and first.get("/-/account").status == 200
    sql(hub, "update sessions set seen_at = seen_at - 60 where rowid = (select min(rowid) from sessions)")
    assert third.sign_in("ana@example.org").status == 303
    assert [b.get("/-/account").status for b in (first, second, third)] == [303, 200, 200]
    wait_for(lambda: first.get(origin + "/-/versions", headers=html).status == 302)
    assert sql(hub, "select count(*) from sessions") == [(2,)] and sql(hub, "select count(*) from devices") == [(2,)]


def test_forms_without_end(make_hub):
    """LIMIT_HUB_POSTS: whatever they do, each may leave a row of the log."""
    hub = make_hub(env=lowered(HUB_POSTS=1))
    ana, ben = person(hub, "ana@example.org"), person(hub, "ben@example.org")
    answers = []

    def send():
        answers.extend(at_once(*[lambda: ana.post("/-/account", {"name": "Ana"}) for _ in range(10)]))
        return [p for p in answers if p.status == 429]
    refused = wait_for(send)
    assert "many forms" in refused[0].said and {p.status for p in answers} == {303, 429}
    assert sql(hub, "select count(*) from audit where action = 'account.changed'")[0][0] == len(answers) - len(refused)
    assert ben.post("/-/account", {"name": "Ben"}).status == 303 and ana.get("/-/account").status == 200
