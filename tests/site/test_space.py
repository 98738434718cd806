# SPDX-License-Identifier: Apache-2.0
"""A space of a hub: who gets in, by whose word, until when; and what it never does. The hub is a stand-in (stand_in_hub.py)."""
import http.client
import json
import re
import sqlite3
import time
import urllib.parse

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import serving
import signing
from limits import lowered
from serving import make, run
from stand_in_hub import BROWSER, FORM, HUB, ORIGIN, Browser, Hub, signed_on, state_of, until

SCHEMA = "create table t (id integer primary key, name text); insert into t values (1, 'hush'), (2, 'two');"
HASH = "pbkdf2_sha256$1$salt$Eg+2z/z4syxD5yJSVsT4N6hlSMkszDVICAWYfLcL4Xs="  # password
NAME, NONCE = "__Host-vitrine-space", "__Host-vitrine-space-nonce"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    hub = Hub(tmp_path_factory.mktemp("space"))
    make(hub.folder / "data/d.db", SCHEMA)
    (hub.folder / "data/static").mkdir()
    (hub.folder / "data/static/logo.png").write_bytes(b"\x89PNG hush")
    (hub.folder / "data/templates/pages").mkdir(parents=True)
    (hub.folder / "data/templates/pages/about.html").write_text("hush about")
    s = serving.Server("--space", hub.folder).wait()
    yield hub, s
    s.stop()


@pytest.fixture
def space(place):
    hub, s = place
    whole = json.dumps(hub.space)
    yield hub, s
    if json.dumps(hub.space) != whole:
        hub.tell(**json.loads(whole))
        until(lambda: s.get("/-/actor.json").status == 401, "private again")


def told(hub, s, condition, what="the change is in force", **changes):
    hub.tell(**changes)
    until(condition, what)


# ---- signing on


def test_the_way_in(space):
    hub, s = space
    browser = Browser(s)
    sent = browser.get("/d/t?_sort=name")
    assert sent.status == 302 and sent.header("cache-control") == "no-store" and "hush" not in sent.text
    assert list(browser.cookies) == [NONCE]
    flags = sent.header("set-cookie").lower()
    assert all(f in flags for f in ("; httponly", "; secure", "; path=/", "samesite=lax")) and "domain" not in flags
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(sent.header("location")).query))
    assert query["space"] == hub.space["id"] and query["to"] == "/d/t?_sort=name"
    assert browser.cookies[NONCE] not in sent.header("location")
    back = browser.get("/-/sign-on?" + urllib.parse.urlencode({
        "ticket": hub.ticket("ueditor", query["state"]), "to": query["to"]}))
    assert (back.status, back.header("location")) == (302, "/d/t?_sort=name")
    assert back.header("referrer-policy") == "no-referrer" and list(browser.cookies) == [NAME]
    field = next(f for f in back.all("set-cookie") if f.startswith(NAME + "="))
    assert all(f in field.lower() for f in ("; httponly", "; secure", "; path=/", "samesite=lax")) and "domain" not in field.lower()
    page = browser.get("/d/t?_sort=name")
    assert page.status == 200 and "hush" in page.text and "Edi Editor" in page.text and "City museum" in page.text
    assert browser.actor().json()["actor"] == {
        "id": "ueditor", "name": "Edi Editor", "email": "ueditor@example.org", "role": "editor"}


def test_who_was_let_in_a_moment_ago(space):
    """The hub writes who is in, then sends the person: whoever comes before the space has looked is known all the same."""
    hub, s = space
    members = dict(hub.space["members"])
    for n in range(8):
        browser = Browser(s)
        ticket = hub.ticket(f"unew{n}", browser.begin("/d/t"))
        members[f"unew{n}"] = {"role": "viewer", "name": f"New {n}", "email": "new@example.org"}
        hub.tell(members=dict(members))
        back = browser.get("/-/sign-on?" + urllib.parse.urlencode({"ticket": ticket, "to": "/d/t"}))
        assert (back.status, back.header("location")) == (302, "/d/t"), back
        page = browser.get("/d/t")
        assert page.status == 200 and "hush" in page.text, (n, page.status)
        assert browser.actor().json()["actor"]["role"] == "viewer"
    # Who is not in stays out, and what the site was told otherwise is in force too.
    stranger = signed_on(s, hub, "ustranger")
    assert stranger.get("/d/t").status == 403
    told(hub, s, lambda: s.get("/-/actor.json").status == 200, visibility="public")


@pytest.mark.parametrize("to", ["//evil.example", "/\\evil.example", "https://evil.example/", "evil", "/a\r\nX: y",
                                "javascript:alert(1)", "/" + "a" * 5000])
def test_no_open_redirect(space, to):
    hub, s = space
    browser = Browser(s)
    sent = browser.get("/-/sign-on?" + urllib.parse.urlencode({"to": to}))
    assert dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(sent.header("location")).query))["to"] == "/"
    back = browser.sign_on(hub, "uviewer", to)
    assert (back.status, back.header("location"), back.header("x")) == (302, "/", None)


REFUSED = {
    "another use": ({"use": "invite"}, "not for sign-on"),
    "another space": ({"aud": "sother"}, "somebody else"),
    "expired": ({"exp": int(time.time()) - 60}, "expired"),
    "of the future": ({"iat": int(time.time()) + 600, "exp": int(time.time()) + 660}, "future"),
    # LIMIT_SPACE_TICKET_S
    "for a day": ({"exp": int(time.time()) + 86400}, "too long"),
    "without an end": ({"exp": None}, "from when to when"),
    "another browser": ({"nonce": "x" * 43}, "another browser"),
    "no nonce": ({"nonce": ""}, "another browser"),
    "nobody": ({"sub": ""}, "who it is for"),
    "no session": ({"sid": None}, "who it is for"),
    # LIMIT_SPACE_SESSION_ID
    "a long session": ({"sid": "z" * 129}, "who it is for"),
    "unknown key": ({"kid": "2"}, "another key"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_tickets_that_are_refused(space, name):
    hub, s = space
    changes, why = REFUSED[name]
    browser = Browser(s)
    answer = browser.sign_on(hub, "uowner", **changes)
    assert answer.status == 403 and why in answer.text and NAME not in browser.cookies, answer.text
    assert '<a class="button" href="/-/sign-on?to=' in answer.text  # a link, no redirect: no circle
    assert browser.actor().status == 401


def test_ticket_of_another_signer(space):
    hub, s = space
    browser = Browser(s)
    answer = browser.sign_on(hub, "uowner", key=Ed25519PrivateKey.generate())
    assert answer.status == 403 and "not signed with a key" in answer.text and NAME not in browser.cookies
    for ticket in ("x", "v1.", "v1..", "v1.e30.e30", "v1." + "A" * 9000):
        answer = browser.get("/-/sign-on?" + urllib.parse.urlencode({"ticket": ticket}))
        assert answer.status == 403 and NAME not in browser.cookies


def test_login_csrf_is_refused(space):
    """Somebody else's ticket in this browser: nobody is signed in with it, and who is signed in stays it."""
    hub, s = space
    attacker, victim = Browser(s), Browser(s)
    ticket = hub.ticket("uviewer", attacker.begin())
    answer = victim.get("/-/sign-on?" + urllib.parse.urlencode({"ticket": ticket}))
    assert answer.status == 403 and "no cookie" in answer.text and not victim.cookies
    victim.begin()
    answer = victim.get("/-/sign-on?" + urllib.parse.urlencode({"ticket": ticket}))
    assert answer.status == 403 and "another browser" in answer.text and NAME not in victim.cookies


def test_a_ticket_is_good_once(space):
    hub, s = space
    browser = Browser(s)
    ticket = hub.ticket("uviewer", browser.begin())
    nonce = browser.cookies[NONCE]
    path = "/-/sign-on?" + urllib.parse.urlencode({"ticket": ticket, "to": "/d"})
    assert browser.get(path).status == 302
    assert browser.get(path).header("location") == "/d"  # a second tab: signed in as the same user already
    browser.cookies = {NONCE: nonce}
    answer = browser.get(path)
    assert answer.status == 403 and "used before" in answer.text and NAME not in browser.cookies
    rows = sqlite3.connect(hub.folder / "state/internal.db").execute(
        "select actor, what from audit where what = 'sign-on' and actor = 'uviewer'").fetchall()
    assert rows


def test_cookies_that_are_nobodys(space):
    """Tossed from a sibling host, forged, of another name, of Datasette's form: as if they were not there."""
    hub, s = space
    browser = signed_on(s, hub, "uowner")
    good = browser.cookies[NAME]
    secret = (hub.folder / "state/secret").read_text().strip()
    for cookie in (f"vitrine-space={good}", f"{NAME}={good}; {NAME}={good}", f"{NAME}={good[:-1]}", f"{NAME}=",
                   f"{NAME}=x{good}", signing.cookie(secret, {"id": "uowner"})["Cookie"],
                   f"{NAME}={signing.cookie(secret, {'id': 'uowner'})['Cookie'].split('=', 1)[1]}"):
        assert s.get("/-/actor.json", {"Cookie": cookie}).status == 401, cookie
    assert s.get("/-/actor.json", {"Cookie": f"{NAME}={good}"}).json()["actor"]["id"] == "uowner"


def test_signing_out(space):
    hub, s = space
    browser = signed_on(s, hub, "uviewer")
    page = browser.get("/-/logout")
    assert page.status == 200 and f'href="{HUB}/-/sign-out"' in page.text
    foreign = browser.ask("POST", "/-/logout", {**FORM, "Sec-Fetch-Site": "same-site"}, "")
    assert foreign.status == 403 and NAME in browser.cookies  # a sibling space signs nobody out
    answer = browser.ask("POST", "/-/logout", {**FORM, "Sec-Fetch-Site": "same-origin", "Origin": ORIGIN}, "")
    assert (answer.status, answer.header("location")) == (303, "/-/logout") and not browser.cookies
    page = browser.get("/-/logout")
    assert page.status == 200 and "signed out" in page.text and "/-/sign-on?to=" in page.text  # no redirect that signs in again
    assert browser.actor().status == 401


# ---- who gets in


def test_a_private_space_shows_nothing(space):
    hub, s = space
    for path in ("/", "/.json", "/-/", "/d", "/d.json", "/d/t.json", "/d/t.csv", "/d/t.csv?_stream=1", "/d/nope.json", "/nope",
                 "/d/-/query.json?sql=select+1", "/-/schema.json", "/-/queries.json", "/-/allowed.json?action=view-table",
                 "/-/jump.json", "/-/search.json?q=hush", "/static/logo.png", "/about", "/-/versions.json", "/robots.txt",
                 "/-/actor.json", "/d/t/1.json", "/-/tokens", "/-/patterns", "/sitemap.xml", "/d.db"):
        answer = s.get(path)
        assert answer.status == 401 and answer.header("www-authenticate").startswith("Bearer"), (path, answer)
        assert "hush" not in answer.text and "/-/tokens" in answer.json()["error"], path
        assert "max-age" not in answer.header("cache-control") and "private" in answer.header("cache-control"), path
    for path in ("/", "/d/t", "/about", "/nope", "/d/nope"):
        answer = s.get(path, BROWSER)
        assert answer.status == 302 and answer.header("location").startswith(HUB + "/-/sign-on?"), path
    assert s.get("/", {**BROWSER, "Sec-Fetch-Dest": "iframe"}).status == 401
    assert s.ask("POST", "/d/t/-/insert", {"Content-Type": "application/json"}, '{"row": {}}').status == 401
    assert s.get("/-/health").status == 200 and s.get("/-/ready").status == 200
    member = signed_on(s, hub, "uviewer")
    assert member.get("/static/logo.png").body == b"\x89PNG hush" and member.get("/about").text == "hush about"
    assert member.get("/nope").status == 404


def test_who_is_no_member_is_told_so(space):
    hub, s = space
    browser = signed_on(s, hub, "ustranger")
    assert browser.actor().status == 403
    for path in ("/", "/d/t", "/about", "/static/logo.png"):
        page = browser.get(path)
        assert page.status == 403 and "hush" not in page.text, path
        assert "ustranger@example.org" in page.text and "Olga Owner" in page.text and "switch=1" in page.text
    sent = browser.get("/-/sign-on?switch=1&to=/d")
    assert "switch=1" in sent.header("location")
    told(hub, s, lambda: browser.get("/").status == 200, members={
        **hub.space["members"], "ustranger": {"role": "viewer", "name": "Stan", "email": "s@example.org"}})
    assert browser.actor().json()["actor"]["role"] == "viewer"


def test_removed_and_revoked(space):
    hub, s = space
    first, second = signed_on(s, hub, "ueditor"), signed_on(s, hub, "uviewer")
    token = s  # no generation of the site is made for this
    made = lambda: s.log().count("renewed")
    before = made()
    rest = {user: m for user, m in hub.space["members"].items() if user != "ueditor"}
    told(hub, s, lambda: first.actor().status == 401, members=rest)
    assert first.get("/d/t").status == 302 and second.get("/d/t").status == 200
    assert token and made() == before
    told(hub, s, lambda: second.actor().status == 401, revoked={"z-uviewer": int(time.time()) + 1000})
    assert second.sign_on(hub, "uviewer").status == 403  # that session is over; another one is none of its business
    assert second.sign_on(hub, "uviewer", sid="z-another").status == 302 and second.actor().status == 200


def stream_of(s, path, cookie):
    """A reader who has taken the beginning and waits."""
    connection = http.client.HTTPConnection("127.0.0.1", s.port, timeout=120)
    connection.request("GET", path, headers={"Cookie": cookie})
    answer = connection.getresponse()
    assert answer.status == 200 and answer.read(1000)
    return connection, answer


@pytest.fixture(scope="module")
def long_answers(tmp_path_factory):
    hub = Hub(tmp_path_factory.mktemp("long"))
    make(hub.folder / "data/big.db", "create table t (id integer primary key, name text); with recursive n (i) as (select 1"
         " union all select i + 1 from n where i < 60000) insert into t select i, hex(zeroblob(400)) from n")
    s = serving.Server("--space", hub.folder, "--setting", "sql_time_limit_ms", "100000", timeout=120).wait()
    yield hub, s
    s.stop()


@pytest.mark.parametrize("what", ["removed", "revoked", "suspended", "nothing"])
def test_who_is_sent_away_reads_no_more(long_answers, what):
    """A long answer that is being read: it ends, as a cut one, when its reader may not see it any more."""
    hub, s = long_answers
    whole, member = json.dumps(hub.space), Browser(s)

    def let_in():  # what the last one changed may still be in force
        member.sign_on(hub, "ueditor", sid="reader-" + what)
        return member.get("/big/t.json?_size=1", {"Accept": "*/*"}).status == 200

    until(let_in, "a member again")
    cookie = "; ".join(f"{k}={v}" for k, v in member.cookies.items())
    connection, answer = stream_of(s, "/big/t.csv?_stream=1", cookie)
    gone = lambda: member.actor().status == (503 if what == "suspended" else 401)  # noqa: E731
    if what == "removed":
        told(hub, s, gone, members={u: m for u, m in hub.space["members"].items() if u != "ueditor"})
    elif what == "revoked":
        told(hub, s, gone, revoked={"reader-revoked": int(time.time()) + 1000})
    elif what == "suspended":
        told(hub, s, gone, suspended=True)
    if what == "nothing":
        assert len(answer.read()) > 45000000
    else:
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            answer.read()
    connection.close()
    hub.tell(**json.loads(whole))


def test_a_broken_file_changes_nothing(space):
    hub, s = space
    browser = signed_on(s, hub, "uowner")
    for text in ("", "{", '{"id": "s"}', json.dumps({**hub.space, "visibility": "open"})):
        lines = s.log().count("stays in force")
        hub.write(text)
        until(lambda: s.log().count("stays in force") > lines, "a line in the log")
        assert browser.actor().json()["actor"]["role"] == "owner"
        assert s.get("/").status == 401
    hub.tell()


def test_public(space):
    hub, s = space
    told(hub, s, lambda: s.get("/d/t.json").status == 200, visibility="public")
    page = s.get("/d/t", BROWSER)
    assert page.status == 200 and "/-/sign-on?to=/d/t" in urllib.parse.unquote(page.text)
    assert page.header("x-content-type-options") == "nosniff" and page.header("x-frame-options") is None
    again = s.get("/d/t", BROWSER)
    assert "desc=hit" in again.header("server-timing")
    member = signed_on(s, hub, "ueditor").get("/d/t")
    assert "desc=hit" not in member.header("server-timing") and "Edi Editor" in member.text
    assert member.header("cache-control") == "private, no-cache" and member.header("x-frame-options") == "SAMEORIGIN"
    stranger = signed_on(s, hub, "ustranger")
    assert stranger.actor().json()["actor"] == {"id": "ustranger", "name": "ustranger", "email": "ustranger@example.org"}
    assert stranger.get("/d/t").status == 200
    for headers in ({}, {"Cookie": f"{NAME}={stranger.cookies[NAME]}"}):
        answer = s.ask("POST", "/d/t/-/insert", {**headers, "Content-Type": "application/json"}, '{"row": {"name": "x"}}')
        assert answer.status == 403
    told(hub, s, lambda: s.get("/d/t", BROWSER).status == 302, visibility="private")  # what was kept is not shown


def test_suspended(space):
    hub, s = space
    browser = signed_on(s, hub, "uowner")
    told(hub, s, lambda: s.get("/").status == 503, suspended="the bill of May", visibility="public")
    for answer in (browser.get("/d/t"), s.get("/d/t.json"), browser.get("/static/logo.png")):
        assert answer.status == 503 and "the bill of May" in answer.text and int(answer.header("retry-after")) >= 600
    assert s.get("/-/health").status == 200 and s.get("/-/static/app.css").status == 200


def test_theme(space):
    hub, s = space
    browser = signed_on(s, hub, "uviewer")
    told(hub, s, lambda: "Stadtmuseum &lt;b&gt;" in browser.get("/").text, title="Stadtmuseum <b>",
         theme={"accent": "#ffee00", "logo": "logo.png"})
    page = browser.get("/d/t").text
    assert 'src="/static/logo.png"' in page and f'href="{HUB}/"' in page and f'href="{HUB}/-/account"' in page
    light, dark = re.findall(r"--accent:(#\w{6})", page)[:2]
    assert "--brand:#ffee00" in page and light != "#ffee00" and dark == "#ffee00"


# ---- roles

WRITES = {  # path, body: the least role
    "/d/t/-/insert": ('{"row": {"name": "x"}}', "editor"),
    "/d/t/1/-/update": ('{"update": {"name": "hush"}}', "editor"),
    "/d/-/create": ('{"table": "made_by_%s", "row": {"a": 1}}', "editor"),
    "/d/-/execute-write": ('{"sql": "update t set name = name"}', "editor"),
    "/d/-/queries/store": ('{"query": {"name": "q_%s", "sql": "select 1"}}', "editor"),
    "/d/drop_%s/-/drop": ('{"confirm": true}', "owner"),
}
READS = {"/d/t.json": "viewer", "/d/-/query.json?sql=select+1": "viewer", "/-/api-log.json": "owner", "/-/threads.json": "owner",
         "/-/rules.json?action=view-table": "owner", "/-/create-database": "editor", "/-/upload": "editor"}
ORDER = ["viewer", "editor", "owner"]


def test_roles(space):
    hub, s = space
    db = sqlite3.connect(hub.folder / "data/d.db")
    wrong = []
    for role in ORDER:
        browser = signed_on(s, hub, "u" + role)
        db.execute(f"create table if not exists drop_{role} (a)")
        db.commit()
        for path, least in READS.items():
            allowed = ORDER.index(role) >= ORDER.index(least)
            got = browser.get(path, {"Accept": "*/*"}).status
            if got != (200 if allowed else 403):
                wrong.append((role, path, got))
        for path, (body, least) in WRITES.items():
            allowed = ORDER.index(role) >= ORDER.index(least)
            path, body = path.replace("%s", role), body.replace("%s", role)
            got = browser.ask("POST", path, {"Content-Type": "application/json", "Accept": "application/json"}, body)
            if (got.status in (200, 201)) != allowed or (not allowed and got.status != 403):
                wrong.append((role, path, got))
    assert not wrong, wrong
    editor = signed_on(s, hub, "ueditor")
    answer = editor.ask("POST", "/d/-/execute-write", {"Content-Type": "application/json"}, '{"sql": "drop table drop_editor"}')
    assert answer.status == 403, answer


def test_the_configuration_narrows_and_never_widens(server, tmp_path):
    hub = Hub(tmp_path)
    make(tmp_path / "data/d.db", SCHEMA + "create table u (id integer primary key);")
    (tmp_path / "data/vitrine.yaml").write_text(json.dumps({
        "permissions": {name: True for name in ("view-instance", "insert-row", "drop-table", "permissions-debug")},
        "databases": {"d": {"allow": True, "tables": {"t": {"allow": {"id": "ueditor"}}, "u": {
            "allow": True, "allow_write": True, "permissions": {"insert-row": {"unauthenticated": True}}}}}},
        "plugins": {"datasette-auth-passwords": {"uowner_password_hash": HASH},
                    "datasette-auth-tokens": {"tokens": [{"token": "T", "actor": {"id": "uowner"}}]}}}))
    s = server("--space", tmp_path)
    assert s.get("/d/u.json").status == 401  # allow: true of a private space
    assert s.get("/-/actor.json", {"Authorization": "Bearer T"}).status == 401
    assert s.ask("POST", "/-/login", FORM, "username=uowner&password=password").status in (401, 404)
    owner, viewer = signed_on(s, hub, "uowner"), signed_on(s, hub, "uviewer")
    assert owner.get("/d/t.json").status == 403 and owner.get("/d/u.json").status == 200  # narrowed
    assert signed_on(s, hub, "ueditor").get("/d/t.json").status == 200
    insert = ("POST", "/d/u/-/insert", {"Content-Type": "application/json"}, '{"row": {"id": 1}}')
    assert viewer.ask(*insert).status == 403 and viewer.get("/-/threads.json").status == 403
    hub.tell(visibility="public")
    until(lambda: s.get("/d/u.json").status == 200, "public")
    assert s.ask(*insert).status == 403 and s.get("/d/t.json").status == 403


# ---- limits


def test_quota_of_requests_and_sql(server, tmp_path):
    hub = Hub(tmp_path, visibility="public", quota={"sql_ms": 50, "requests_per_minute": 20})
    make(tmp_path / "data/d.db", SCHEMA)
    s = server("--space", tmp_path)
    assert s.json("/-/settings.json")["sql_time_limit_ms"] == 50
    slow = "with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c"
    assert s.get("/d/-/query.json", sql=slow).status == 400
    answers = [s.get("/d/t.json") for _ in range(30)]
    last = answers[-1]
    assert last.status == 429 and 0 < int(last.header("retry-after")) <= 60 and "quota" in last.text
    assert s.get("/-/health").status == 200
    hub.tell(quota={"sql_ms": 80})
    until(lambda: '"sql_time_limit_ms": 80' in s.get("/-/settings.json").text, "the new limit")


def test_quota_of_disk(server, tmp_path):
    """Refused before it is passed, with what to do; what deletes goes on; an import that passes it changes nothing."""
    hub = Hub(tmp_path, quota={"disk_bytes": 2_000_000})
    make(tmp_path / "data/d.db", SCHEMA + "create table u (a); create table big (x)")
    s = server("--space", tmp_path)
    editor, owner = signed_on(s, hub, "ueditor"), signed_on(s, hub, "uowner")
    same = {"Sec-Fetch-Site": "same-origin"}
    as_json = {"Content-Type": "application/json", "Accept": "application/json"}
    insert = ("POST", "/d/t/-/insert", as_json, '{"row": {"name": "x"}}')
    assert editor.ask(*insert).status == 201
    tus = {"Tus-Resumable": "1.0.0", "Upload-Length": "3000000", "Upload-Metadata": "filename eC5jc3Y=", **same}
    answer = editor.ask("POST", "/-/upload", tus)
    assert answer.status == 413 and "room for" in answer.text, answer
    rows = "a\n" + "".join(f"{i:0100}\n" for i in range(15_000))  # 1.5 MB: it may come in; its table may not
    made = editor.ask("POST", "/-/upload", {**tus, "Upload-Length": str(len(rows)), "Content-Type":
                                            "application/offset+octet-stream"}, rows)
    assert made.status == 201, made
    page = made.header("location").replace("/-/upload/", "/-/import/")
    page = urllib.parse.urlsplit(page).path
    answer = editor.ask("POST", page, {**FORM, **same}, "action=start&mode=create&database=d&table=fresh")
    assert answer.status == 303, answer
    state = lambda: editor.get(page + ".json", {"Accept": "*/*"}).json()
    until(lambda: state()["state"] != "running", "the import ended")
    assert "used up the 2.0 MB" in (state()["fault"] or ""), state()
    assert editor.get("/d/fresh.json").status == 404
    (tmp_path / "state/filler").write_bytes(b"x" * 2_000_000)
    until(lambda: editor.ask(*insert).status == 507, "full")
    answer = editor.ask(*insert)
    assert answer.json()["ok"] is False and "used up the 2.0 MB" in answer.json()["error"] and HUB in answer.json()["hint"]
    assert editor.ask("POST", "/-/create-database", {**FORM, **same}, "name=fresh").status == 507
    assert editor.ask("POST", "/d/t/1/-/delete", as_json, "{}").status == 200
    assert owner.ask("POST", "/d/u/-/drop", as_json, '{"confirm": true}').status == 200
    assert editor.get("/d/t.json").status == 200
    hub.tell(quota={})
    until(lambda: editor.ask(*insert).status == 201, "no limit")


def test_two_imports_at_once_keep_to_the_quota(server, tmp_path):
    """Into two databases: there is room for either, not for both."""
    hub = Hub(tmp_path, quota={"disk_bytes": 9_000_000})
    for name in ("d", "e"):
        make(tmp_path / f"data/{name}.db", SCHEMA)
    s = server("--space", tmp_path)
    editor, same = signed_on(s, hub, "ueditor"), {"Sec-Fetch-Site": "same-origin"}
    rows = "a\n" + "".join(f"{2 + i % 100}\n" for i in range(250_000))  # 0.7 MB, as a table 2.3 MB
    tus = {"Tus-Resumable": "1.0.0", "Upload-Length": str(len(rows)), "Upload-Metadata": "filename eC5jc3Y=", **same,
           "Content-Type": "application/offset+octet-stream"}

    def upload():
        made = editor.ask("POST", "/-/upload", tus, rows)
        assert made.status == 201, made
        return urllib.parse.urlsplit(made.header("location").replace("/-/upload/", "/-/import/")).path

    def size():
        return sum(f.stat().st_size for f in tmp_path.rglob("*") if f.is_file())

    pages = {"d": upload(), "e": upload()}
    hub.tell(quota={"disk_bytes": size() + 3_100_000})
    more = {k: v for k, v in tus.items() if k != "Content-Type"} | {"Upload-Length": "5000000"}
    until(lambda: editor.ask("POST", "/-/upload", more).status == 413, "the quota is in force")
    for name, page in pages.items():
        answer = editor.ask("POST", page, {**FORM, **same}, f"action=start&mode=create&database={name}&table=fresh")
        assert answer.status == 303, answer
    state = lambda page: editor.get(page + ".json", {"Accept": "*/*"}).json()
    until(lambda: all(state(page)["state"] != "running" for page in pages.values()), "both ended")
    ended = sorted(state(page)["state"] for page in pages.values())
    assert ended == ["done", "failed"], [state(page) for page in pages.values()]
    assert any("used up the" in (state(page)["fault"] or "") for page in pages.values())


def test_http_on_localhost(server, tmp_path):
    """Without https the name of the cookie protects nothing: then two of them are none."""
    hub = Hub(tmp_path, origin="http://museum.localhost:8001")
    s = server("--space", tmp_path)
    browser = signed_on(s, hub, "uowner")
    assert list(browser.cookies) == ["vitrine-space"]
    good = browser.cookies["vitrine-space"]
    assert browser.get("/").status == 200 and "There is no database here" in browser.get("/").text
    assert s.get("/", {"Cookie": f"vitrine-space={good}; a=b; vitrine-space={good}"}).status == 401


def test_new_databases_appear(space):
    hub, s = space
    browser = signed_on(s, hub, "ueditor")
    page = browser.ask("POST", "/-/create-database", {**FORM, "Sec-Fetch-Site": "same-origin"}, "name=fresh")
    assert page.status in (302, 307), page
    until(lambda: browser.get("/fresh").status == 200, "the new database")
    make(hub.folder / "data/dropped.db", SCHEMA)
    until(lambda: browser.get("/dropped/t.json").status == 200, "the file that appeared")


def test_limits(server, tmp_path):
    """LIMIT_SPACE_FILE, LIMIT_SPACE_SESSION_S, LIMIT_AUDIT_ROWS"""
    hub = Hub(tmp_path)
    s = server("--space", tmp_path, env=lowered(SPACE_FILE=20_000, SPACE_SESSION_S=0, AUDIT_ROWS=3))
    browser = Browser(s)
    for _ in range(5):
        answer = browser.sign_on(hub, "uviewer")
        assert answer.status == 302 and "Max-Age=0" in next(f for f in answer.all("set-cookie") if f.startswith(NAME + "="))
    good = next(f for f in answer.all("set-cookie") if f.startswith(NAME + "=")).split(";")[0]
    assert s.get("/-/actor.json", {"Cookie": good}).status == 401  # its end has come
    rows = sqlite3.connect(tmp_path / "state/internal.db").execute("select count(*) from audit").fetchone()
    assert rows == (3,)
    hub.tell(visibility="public", filler="x" * 20_000)
    assert s.logs("stays in force") and s.get("/").status == 401


# ---- the command


def test_usage(tmp_path):
    status, _, err = run("serve", "--space", tmp_path)
    assert status != 0 and "data is no folder" in err
    (tmp_path / "data").mkdir()
    status, _, err = run("serve", "--space", tmp_path)
    assert status != 0 and "space.json" in err
    (tmp_path / "space.json").write_text('{"id": "s"}')
    status, _, err = run("serve", "--space", tmp_path)
    assert status != 0 and '"name"' in err
    status, _, err = run("serve", "--space", tmp_path, "--root")
    assert status != 0 and "stands alone" in err
