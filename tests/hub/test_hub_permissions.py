# SPDX-License-Identifier: Apache-2.0
"""Every route of the hub x every kind of person: the answers that the table ROUTES foretells. And the sites of spaces
behind a real hub (all their routes, with a hub that stands in: tests/site/test_permissions.py).

A route of src/hub/tbl/hub_routes.h without a row fails this test: say there who gets what."""
import hashlib
import json
import re
import secrets
import sqlite3
import time
import urllib.parse

import pytest
import serving
from authenticator import totp
from hub_rig import DOMAIN, PASSWORD, Hub, wait_for
from test_take_along import put
from test_teams import join, new_team, person

TABLE = (serving.TOP / "src/hub/tbl/hub_routes.h").read_text()
PATTERNS = re.findall(r'^X\("([^"]+)", ([A-Z_ |]+), (HUB_\w+), HUB_\w+, \w+\)', TABLE, re.M)

# nobody    without any cookie                        viewer, editor, owner   members of the space "matrix"
# second    the password was right, the code is due   team     an editor by a team, no member of their own
# locked    disabled by an administrator, with a      former   a member who was removed
#           session that was left over                stale    the owner, long after the last password
# stranger  signed in, in no space of others          admin    an administrator, in no space
WHO = ("nobody", "second", "locked", "stranger", "former", "viewer", "editor", "team", "owner", "stale", "admin")

# in: to the sign-in page and back. ask: to the page that asks again who this is. Numbers: the status.
# Forms are wrong on purpose: who may send them is told what is wrong with them.
ROUTES = """
                                                          nobody second locked stranger former viewer editor team owner stale admin
GET  /                                                    200    200    200    200      200    200    200    200  200   200   200
GET  /-/health                                            200    200    200    200      200    200    200    200  200   200   200
GET  /-/sign-up                                           200    200    200    200      200    200    200    200  200   200   200
POST /-/sign-up email=no                                  400    400    400    400      400    400    400    400  400   400   400
GET  /-/sign-in                                           200    200    200    303      303    303    303    303  303   303   303
POST /-/sign-in email=no                                  401    401    401    401      401    401    401    401  401   401   401
GET  /-/second                                            303    200    303    303      303    303    303    303  303   303   303
POST /-/second code=x                                     303    403    303    303      303    303    303    303  303   303   303
POST /-/passkey id=x                                      400    400    400    400      400    400    400    400  400   400   400
GET  /-/sign-out                                          303    303    303    200      200    200    200    200  200   200   200
POST /-/sign-out                                          303    303    303    303      303    303    303    303  303   303   303
GET  /-/sign-on?space=SPACE&state=s                       in     in     in     303      303    303    303    303  303   303   303
GET  /-/sign-on?space=snone&state=s                       in     in     in     404      404    404    404    404  404   404   404
GET  /-/admin-link?token=x                                404    404    404    404      404    404    404    404  404   404   404
POST /-/admin-link token=x                                404    404    404    404      404    404    404    404  404   404   404
GET  /-/verify?token=x                                    404    404    404    404      404    404    404    404  404   404   404
POST /-/verify token=x                                    404    404    404    404      404    404    404    404  404   404   404
GET  /-/forgot                                            200    200    200    200      200    200    200    200  200   200   200
POST /-/forgot email=no                                   400    400    400    400      400    400    400    400  400   400   400
GET  /-/reset?token=x                                     404    404    404    404      404    404    404    404  404   404   404
POST /-/reset token=x                                     404    404    404    404      404    404    404    404  404   404   404
GET  /-/signed-out                                        303    303    303    303      303    303    303    303  303   303   303
GET  /-/oidc/none/start                                   404    404    404    404      404    404    404    404  404   404   404
GET  /-/oidc/none/callback?state=x                        404    404    404    404      404    404    404    404  404   404   404
GET  /-/github/start                                      404    404    404    404      404    404    404    404  404   404   404
GET  /-/github/callback?state=x                           404    404    404    404      404    404    404    404  404   404   404
GET  /-/link-identity?token=x                             404    404    404    404      404    404    404    404  404   404   404
POST /-/link-identity token=x                             404    404    404    404      404    404    404    404  404   404   404
POST /-/account/unlink id=x                               401    401    401    400      400    400    400    400  400   ask   400
GET  /-/account                                           in     in     in     200      200    200    200    200  200   200   200
POST /-/account name=                                     401    401    401    400      400    400    400    400  400   400   400
GET  /-/account/address                                   in     in     in     200      200    200    200    200  200   ask   200
POST /-/account/address email=no                          401    401    401    400      400    400    400    400  400   ask   400
GET  /-/new-address?token=x                               404    404    404    404      404    404    404    404  404   404   404
POST /-/new-address token=x                               404    404    404    404      404    404    404    404  404   404   404
GET  /-/account/password                                  in     in     in     200      200    200    200    200  200   200   200
POST /-/account/password old=x                            401    401    401    403      403    403    403    403  403   403   403
GET  /-/account/app                                       in     in     in     200      200    200    200    200  200   ask   200
POST /-/account/app do=x                                  401    401    401    400      400    400    400    400  400   ask   400
GET  /-/account/passkeys                                  in     in     in     200      200    200    200    200  200   ask   200
POST /-/account/passkeys do=x                             401    401    401    400      400    400    400    400  400   ask   400
GET  /-/account/sessions                                  in     in     in     200      200    200    200    200  200   200   200
POST /-/account/sessions session=kx                       401    401    401    404      404    404    404    404  404   404   404
GET  /-/account/export                                    in     in     in     200      200    200    200    200  200   ask   200
GET  /-/account/delete                                    in     in     in     200      200    200    200    200  200   ask   200
POST /-/account/delete do=x                               401    401    401    400      400    400    400    400  400   ask   400
GET  /-/confirm                                           in     in     in     200      200    200    200    200  200   200   200
POST /-/confirm password=x                                401    401    401    403      403    403    403    403  403   403   403
GET  /-/start                                             303    303    303    303      303    303    303    303  303   303   303
POST /-/start file=x                                      400    400    400    400      400    400    400    400  400   400   400
POST /-/start/keep title=x                                401    401    401    404      404    404    404    404  404   404   404
POST /-/start/drop                                        303    303    303    303      303    303    303    303  303   303   303
GET  /-/invitation?token=x                                404    404    404    404      404    404    404    404  404   404   404
POST /-/invitation token=x                                404    404    404    404      404    404    404    404  404   404   404
POST /-/invitation id=x                                   404    404    404    404      404    404    404    404  404   404   404
GET  /-/new                                               in     in     in     200      200    200    200    200  200   200   200
POST /-/new title=                                        401    401    401    400      400    400    400    400  400   400   400
GET  /spaces/matrix                                       in     in     in     404      404    403    403    403  200   200   200
POST /spaces/matrix title=                                401    401    401    404      404    403    403    403  400   400   400
GET  /spaces/none                                         in     in     in     404      404    404    404    404  404   404   404
GET  /spaces/matrix/members                               in     in     in     404      404    200    200    200  200   200   200
POST /spaces/matrix/members user=unone&role=king          401    401    401    404      404    403    403    403  400   400   400
POST /spaces/matrix/members user=unone&role=none          401    401    401    404      404    403    403    403  404   404   404
POST /spaces/matrix/members user=unone&role=owner         401    401    401    404      404    403    403    403  404   404   404
POST /spaces/matrix/members team=tnone&role=viewer        401    401    401    404      404    403    403    403  400   400   400
POST /spaces/matrix/invitations email=no&role=viewer      401    401    401    404      404    403    403    403  400   400   400
POST /spaces/matrix/invitations withdraw=inone            401    401    401    404      404    403    403    403  303   303   303
GET  /spaces/matrix/delete                                in     in     in     404      404    403    403    403  200   200   200
POST /spaces/matrix/delete name=wrong                     401    401    401    404      404    403    403    403  400   400   400
POST /spaces/matrix/restore                               401    401    401    404      404    403    403    403  409   409   409
GET  /spaces/matrix/download                              in     in     in     404      404    403    403    403  200   ask   200
POST /spaces/matrix/logo x=y                              401    401    401    404      404    403    403    403  400   400   400
GET  /-/logo/none.png                                     404    404    404    404      404    404    404    404  404   404   404
GET  /spaces/matrix/clone                                 in     in     in     404      404    403    403    403  200   200   200
POST /spaces/matrix/clone title=                          401    401    401    404      404    403    403    403  400   400   400
GET  /spaces/matrix/domains                               in     in     in     404      404    403    403    403  200   200   200
POST /spaces/matrix/domains host=-                        401    401    401    404      404    403    403    403  400   400   400
POST /spaces/matrix/domains remove=x.example              401    401    401    404      404    403    403    403  404   404   404
GET  /-/teams                                             in     in     in     200      200    200    200    200  200   200   200
POST /-/teams name=                                       401    401    401    400      400    400    400    400  400   400   400
GET  /-/teams/TEAM                                        in     in     in     404      404    404    404    200  200   200   200
POST /-/teams/TEAM do=x                                   401    401    401    404      404    404    404    403  400   400   400
GET  /-/admin                                             in     in     in     404      404    404    404    404  404   404   200
GET  /-/admin/log                                         in     in     in     404      404    404    404    404  404   404   200
GET  /-/admin/spaces/matrix                               in     in     in     404      404    404    404    404  404   404   200
GET  /-/admin/spaces/matrix/log                           in     in     in     404      404    404    404    404  404   404   200
POST /-/admin/spaces/matrix do=x                          401    401    401    404      404    404    404    404  404   404   400
GET  /-/admin/spaces/matrix/quota                         in     in     in     404      404    404    404    404  404   404   200
POST /-/admin/spaces/matrix/quota sql_ms=x                401    401    401    404      404    404    404    404  404   404   400
POST /-/admin/people/unone do=x                           401    401    401    404      404    404    404    404  404   404   400
POST /-/admin/people/unone do=disable                     401    401    401    404      404    404    404    404  404   404   404
"""


def rows():
    """(method, target, form, {who: answer}) of each line."""
    lines = ROUTES.strip("\n").split("\n")
    assert tuple(lines[0].split()) == WHO
    for line in lines[1:]:
        words = line.split()
        head, answers = words[:-len(WHO)], words[-len(WHO):]
        form = dict(urllib.parse.parse_qsl(head[2], keep_blank_values=True)) if len(head) > 2 else {}
        yield head[0], head[1], form, dict(zip(WHO, answers))


def pattern_of(path):
    path = path.split("?")[0]
    return next(p for p, _, _ in PATTERNS if re.fullmatch(re.escape(p).replace(r"\{\}", "[^/]+"), path))


def test_every_route_has_a_row():
    assert len(PATTERNS) == len(re.findall(r"^X\(", TABLE, re.M)) > 40
    wanted = {(p, m) for p, flags, _ in PATTERNS for m in ("GET", "POST") if f"HUB_{m}" in flags.split(" | ")}
    have = {(pattern_of(target), method) for method, target, _, _ in rows()}
    assert not wanted - have, f"say in ROUTES who gets what: {sorted(wanted - have)}"
    assert not have - wanted, "these routes are gone"


# ---- people


def sql(hub, text, *values):
    db = sqlite3.connect(hub.folder / "hub.db", timeout=60)
    try:
        with db:
            return db.execute(text, values).fetchall()
    finally:
        db.close()


class People:
    """A hub with one of each. browser(who) is new each time, with a session of its own."""

    def __init__(self, folder):
        hub = self.hub = Hub(folder)
        self.ids, self.addresses = {}, iter(range(2, 10**6))
        made = {"admin": hub.admin()}
        for name in ("second", "locked", "stranger", "former", "viewer", "editor", "team", "owner"):
            made[name] = person(hub, f"{name}@m.example")
        for user, email in sql(hub, "select id, email from users"):
            self.ids["admin" if email == "root@example.org" else email.split("@")[0]] = user
        owner = self.owner = made["owner"]
        owner.new_space("Matrix", "matrix")
        owner.new_space("Beside", "beside")
        for name in ("viewer", "editor", "former", "locked"):
            join(hub, owner, "matrix", made[name], f"{name}@m.example", "editor" if name == "editor" else "viewer")
        join(hub, owner, "beside", made["team"], "team@m.example", "viewer")
        self.team = new_team(owner, "Team").rsplit("/", 1)[1]
        for url, form in ((f"/-/teams/{self.team}", {"do": "add", "email": "team@m.example"}),
                          ("/spaces/matrix/members", {"team": self.team, "role": "editor"}),
                          ("/spaces/matrix/members", {"user": self.ids["former"], "role": "none"})):
            assert owner.post(url, form).status == 303, (url, form)
        self.space = hub.space_json("matrix")["id"]
        made["second"].post("/-/account/app", {"do": "begin"})
        secret = re.search(r'class="secret">([a-z2-7 ]+)<', made["second"].get("/-/account/app").text).group(1)
        page = made["second"].post("/-/account/app", {"do": "confirm", "code": totp(secret, time.time())})
        assert page.status == 200, page
        self.second = hub.browser()
        assert self.second.sign_in("second@m.example").header("location").startswith("/-/second")
        assert made["admin"].post(f"/-/admin/people/{self.ids['locked']}", {"do": "disable"}).status == 303

    def browser(self, who):
        n = next(self.addresses)
        browser = self.hub.browser(f"127.1.{n // 250 % 250}.{n % 250 + 1}")
        if who == "second":  # ten minutes are not enough for a machine that is busy
            sql(self.hub, "update links set ends_at = ? where kind = 'second'", int(time.time()) + 600)
            browser.jar[DOMAIN] = dict(self.second.jar[DOMAIN])
        elif who != "nobody":
            secret, now = secrets.token_urlsafe(32), int(time.time())
            sql(self.hub, "insert into sessions (id, hash, user_id, created_at, seen_at, ends_at, strong_at) values"
                          " (?, ?, ?, ?, ?, ?, ?)", "k" + secrets.token_hex(6), hashlib.sha256(secret.encode()).hexdigest(),
                self.ids["owner" if who == "stale" else who], now, now, now + 9999, 1 if who == "stale" else now)
            browser.jar[DOMAIN] = {"vitrine_hub": secret}
        return browser

    def target(self, text):
        return text.replace("SPACE", self.space).replace("TEAM", self.team)


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    made = People(tmp_path_factory.mktemp("permissions"))
    yield made
    made.hub.stop()


def answer(page):
    """As ROUTES has it."""
    to = page.header("location") or ""
    return "in" if to.startswith("/-/sign-in?to=") else "ask" if to.startswith("/-/confirm?to=") else str(page.status)


# What each of these shows to nobody who may not see it.
SECRETS = ("owner@m.example", "City secret")


@pytest.mark.parametrize("who", WHO)
def test_matrix(people, who):
    sql(people.hub, "update spaces set title = 'City secret' where name = 'matrix'")
    wrong = []
    for method, target, form, answers in rows():
        browser = people.browser(who)
        page = browser.ask(method, people.target(target), form if method == "POST" else None)
        if answer(page) != answers[who]:
            wrong.append(f"{method} {target} {form}: {answer(page)}, not {answers[who]}: {page}")
        knows = who in ("owner", "stale", "admin")
        if page.status in (401, 403, 404) and not knows and any(s.encode() in page.body for s in SECRETS):
            wrong.append(f"{method} {target} {form}: shows what it refuses: {page}")
        if page.status == 200 and (page.header("cache-control") or "") != "no-store":
            wrong.append(f"{method} {target}: could be kept by a cache")
    assert not wrong, f"{who}: {len(wrong)}:\n" + "\n".join(wrong)


def test_other_methods(people):
    wrong = []
    for pattern, flags, _ in PATTERNS:
        path = pattern.replace("{}", "matrix")
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            if f"HUB_{'GET' if method == 'HEAD' else method}" in flags.split(" | "):
                continue
            page = people.owner.ask(method, path, headers={"Origin": people.hub.origin})
            if page.status != 405:
                wrong.append((method, path, page.status))
    assert not wrong, wrong


# ---- forms of other sites


def everything(hub):
    """What stands in hub.db, but for what a visit alone may change."""
    db = sqlite3.connect(f"file:{hub.folder}/hub.db?mode=ro", uri=True, timeout=60)
    tables = [t for t, in db.execute("select name from sqlite_schema where type = 'table' and name not in ('mails', 'backups')")]
    found = {}
    for table in tables:
        columns = [c for _, c, *_ in db.execute(f"pragma table_info({table})") if c not in ("seen_at", "ends_at", "told")]
        found[table] = sorted(map(repr, db.execute(f"select {', '.join(columns)} from {table}")))
    db.close()
    return found


def foreign(hub):
    """Origin, further headers: of pages that are not the hub's."""
    return {
        "another site": ("https://evil.example", {}),
        "a space": (f"http://matrix.{DOMAIN}:{hub.port}", {}),
        "a space that says it is the hub": (f"http://matrix.{DOMAIN}:{hub.port}", {"Sec-Fetch-Site": "same-origin"}),
        "another scheme": (f"https://{DOMAIN}:{hub.port}", {}),
        "another port": (f"http://{DOMAIN}:1", {}),
        "a longer host": (f"{hub.origin}.evil.example", {}),
        "a user of ours": (f"http://{DOMAIN}@evil.example", {}),
        "a sandboxed frame": ("null", {"Sec-Fetch-Site": "cross-site"}),
        "a frame of a space": ("null", {"Sec-Fetch-Site": "same-site"}),
        "an old browser": (None, {"Origin": None, "Sec-Fetch-Site": None}),
        "a sibling without Origin": (None, {"Origin": None, "Sec-Fetch-Site": "same-site"}),
        "typed in": (None, {"Origin": None, "Sec-Fetch-Site": "none"}),
    }


@pytest.mark.parametrize("where", foreign(type("H", (), {"port": 0, "origin": ""})))
def test_forms_of_other_sites_change_nothing(people, where):
    """Every POST of the table, by somebody whom it is allowed to; and those that would do something."""
    hub, wrong = people.hub, []
    origin, headers = foreign(hub)[where]
    telling = [("POST", "/-/account", {"name": "Mallory"}), ("POST", "/spaces/matrix", {"title": "Mine", "visibility": "public"}),
               ("POST", "/spaces/matrix/members", {"user": people.ids["viewer"], "role": "owner"}),
               ("POST", "/spaces/matrix/invitations", {"email": "m@m.example", "role": "owner"}),
               ("POST", "/spaces/matrix/delete", {"name": "matrix"}), ("POST", "/-/new", {"title": "Mallory"}),
               ("POST", f"/-/teams/{people.team}", {"do": "delete"}), ("POST", "/-/account/sessions", {}),
               ("POST", "/-/account/delete", {"do": "delete", "email": "owner@m.example"}),
               ("POST", f"/-/admin/people/{people.ids['viewer']}", {"do": "make-admin"})]
    cases = [row[:3] for row in rows() if row[0] == "POST"] + telling
    owner, admin = people.browser("owner"), people.browser("admin")
    before = everything(hub)
    for method, target, form in cases:
        browser = admin if "/admin/" in target else owner
        for body, more in ((form, {}), (json.dumps(form), {"Content-Type": "application/json"})):
            page = browser.ask(method, people.target(target), body, headers={**headers, **more}, origin=origin)
            if page.status != 403 or "another site" not in page.said:
                wrong.append(f"{target} {form}: {page}")
    assert not wrong, "\n".join(wrong)
    assert everything(hub) == before


# ---- ids of others


def test_ids_of_others(people):
    """What belongs to somebody else cannot be reached by its id, wherever an address or a form takes one."""
    hub, mine = people.hub, people.browser("owner")
    theirs = person(hub, "rival@m.example")
    theirs.new_space("Theirs", "theirs")
    rival = sql(hub, "select id from users where email = 'rival@m.example'")[0][0]
    link = theirs.post("/spaces/theirs/invitations", {"email": "guest@m.example", "role": "editor"}).text
    token = link.split('value="http')[1].split('"')[0].split("token=")[1]
    team = new_team(theirs, "Rivals").rsplit("/", 1)[1]
    space = hub.space_json("theirs")["id"]
    sql(hub, "insert into domains (host, space_id, added_at) values ('rival.example', ?, 1)", space)
    sql(hub, "insert into identities (user, provider, issuer, subject, who, created_at, used_at) values"
             " (?, 'x', 'https://x.example', 'rival', 'Rival', 1, 1)", rival)
    sql(hub, "insert into passkeys (id, user_id, name, key, counter, aaguid, backed_up, made_at) values"
             " (x'0102030405060708', ?, 'Key', x'00', 0, x'00', 0, 1)", rival)
    invitation = sql(hub, "select id from invitations where space_id = ?", space)[0][0]
    session = sql(hub, "select id from sessions where user_id = ?", rival)[0][0]
    identity = sql(hub, "select id from identities where user = ?", rival)[0][0]
    before = everything(hub)
    tries = [  # by the owner of another space
        ("POST", "/spaces/matrix/members", {"user": rival, "role": "viewer"}, 404),
        ("POST", "/spaces/matrix/members", {"user": rival, "role": "none"}, 404),
        ("POST", "/spaces/matrix/members", {"team": team, "role": "viewer"}, 400),
        ("POST", "/spaces/matrix/domains", {"remove": "rival.example"}, 404),
        ("POST", "/-/account/sessions", {"session": session}, 404),
        ("POST", "/-/account/unlink", {"id": str(identity)}, 404),
        ("POST", "/-/account/passkeys", {"do": "remove", "key": "AQIDBAUGBwg"}, 404),
        ("POST", "/-/account/passkeys", {"do": "rename", "key": "AQIDBAUGBwg", "name": "Mine"}, 404),
        ("GET", f"/-/teams/{team}", None, 404), ("POST", f"/-/teams/{team}", {"do": "delete"}, 404),
        ("POST", f"/-/admin/people/{rival}", {"do": "disable"}, 404),
        ("POST", "/-/admin/spaces/theirs", {"do": "suspend"}, 404),
        *[("GET", f"/spaces/theirs{below}", None, 404) for below in ("", "/members", "/delete", "/download", "/clone", "/domains")],
        *[("POST", f"/spaces/theirs{below}", form, 404) for below, form in (
            ("", {"title": "Mine", "visibility": "public"}), ("/members", {"user": rival, "role": "none"}),
            ("/invitations", {"email": "m@m.example", "role": "owner"}), ("/invitations", {"withdraw": invitation}),
            ("/delete", {"name": "theirs"}), ("/restore", {}), ("/clone", {"title": "Mine"}), ("/domains", {"host": "m.example"}))],
    ]
    wrong = [(m, t, f, page) for m, t, f, status in tries if (page := mine.ask(m, t, f)).status != status]
    assert not wrong, wrong
    assert everything(hub) == before
    # Of its own space an owner may name any invitation: those of others are not among them.
    assert mine.post("/spaces/matrix/invitations", {"withdraw": invitation}).status == 303
    assert hub.browser().get(f"/-/invitation?token={token}").status == 200
    # People of another team.
    own = people.ids["team"]
    theirs.post(f"/-/teams/{team}", {"do": "remove", "user": own})
    assert sql(hub, "select count(*) from team_people where team_id = ? and user_id = ?", people.team, own) == [(1,)]


# ---- cookies from a sibling host


@pytest.mark.parametrize("first", [True, False])
def test_a_cookie_with_a_twin_is_nobodys(people, first):
    """Without https a page of a space may set a cookie for the whole domain: then there are two of the name."""
    hub = people.hub
    good, tossed = people.browser("owner"), people.browser("stranger")
    two = [good.jar[DOMAIN]["vitrine_hub"], tossed.jar[DOMAIN]["vitrine_hub"]][::1 if first else -1]
    cookie = {"Cookie": "; ".join(f"vitrine_hub={v}" for v in two)}
    assert hub.browser().get("/-/account", headers=cookie).header("location").startswith("/-/sign-in")
    assert hub.browser().post("/-/account", {"name": "M"}, headers=cookie).status == 401
    assert hub.browser().get("/-/account", headers={"Cookie": f"vitrine_hub={two[0]}"}).status == 200
    second = people.second.jar[DOMAIN]["vitrine_second"]
    twins = [second, "A" * 43][::1 if first else -1]
    page = hub.browser().get("/-/second", headers={"Cookie": "; ".join(f"vitrine_second={v}" for v in twins)})
    assert page.status == 303, "the step of whom?"


def test_with_https_the_name_keeps_others_from_setting_it(make_hub):
    hub = make_hub(change=lambda text: re.sub(r"(?m)^origin: .*$", f"origin: https://{DOMAIN}", text))
    browser = hub.browser()
    page = browser.post("/-/sign-up", {"email": "ana@example.org", "password": PASSWORD}, origin=f"https://{DOMAIN}")
    assert page.status == 303, page
    fields = [v for k, v in page.headers if k.lower() == "set-cookie"]
    assert {f.split("=")[0] for f in fields} == {"__Host-vitrine_hub", "__Host-vitrine_device"}
    for field in fields:
        flags = field.lower().split("; ")
        assert {"secure", "httponly", "path=/", "samesite=lax"} <= set(flags) and "domain" not in field.lower(), field
    cookie = browser.jar[DOMAIN]["__Host-vitrine_hub"]
    assert browser.get("/-/account").status == 200
    assert hub.browser().get("/-/account", headers={"Cookie": f"vitrine_hub={cookie}"}).status == 303
    assert page.header("strict-transport-security")


# ---- sites of spaces

SPACE_WHO = ("nobody", "stranger", "admin", "former", "viewer", "editor", "team", "owner")
JSON = {"Content-Type": "application/json", "Accept": "application/json"}
# The second line of each: in a public space. PERSON stands for who asks.
SPACE_ROUTES = r"""
                                                               nobody stranger admin former viewer editor team owner
GET  /.json                                                    401    403      403   401    200    200    200  200
                                                               200    200      200   200    200    200    200  200
GET  /d/t.json                                                 401    403      403   401    200    200    200  200
                                                               200    200      200   200    200    200    200  200
GET  /d/t.csv?_stream=1                                        401    403      403   401    200    200    200  200
                                                               200    200      200   200    200    200    200  200
GET  /d/-/query.json?sql=select+1                              401    403      403   401    200    200    200  200
                                                               200    200      200   200    200    200    200  200
GET  /-/tokens                                                 401    403      403   401    200    200    200  200
                                                               403    200      200   403    200    200    200  200
GET  /-/upload                                                 401    403      403   401    403    200    200  200
                                                               403    403      403   403    403    200    200  200
GET  /-/shares.json                                            401    403      403   401    403    200    200  200
                                                               403    403      403   403    403    200    200  200
GET  /-/api-log.json                                           401    403      403   401    403    403    403  200
                                                               403    403      403   403    403    403    403  200
POST /d/t/-/insert {"row":{"name":"x"}}                        401    403      403   401    403    201    201  201
                                                               403    403      403   403    403    201    201  201
POST /d/t/1/-/update {"update":{"name":"hush"}}                401    403      403   401    403    200    200  200
                                                               403    403      403   403    403    200    200  200
POST /d/-/create {"table":"of_PERSON","row":{"a":1}}           401    403      403   401    403    201    201  201
                                                               403    403      403   403    403    201    201  201
POST /d/-/execute-write {"sql":"update\u0020t\u0020set\u0020name=name"} 401 403 403   401    403    200    200  200
                                                               403    403      403   403    403    200    200  200
POST /-/share {"database":"d","table":"t","audience":"link"}   401    403      403   401    403    201    201  201
                                                               403    403      403   403    403    201    201  201
POST /d/t/-/drop {}                                            401    403      403   401    403    403    403  200
                                                               403    403      403   403    403    403    403  200
"""


def space_rows():
    lines = SPACE_ROUTES.strip("\n").split("\n")
    assert tuple(lines[0].split()) == SPACE_WHO
    for private, public in zip(lines[1::2], lines[2::2]):
        words = private.split()
        head, answers = words[:-len(SPACE_WHO)], words[-len(SPACE_WHO):]
        yield (head[0], head[1], head[2] if len(head) > 2 else None, dict(zip(SPACE_WHO, map(int, answers))),
               dict(zip(SPACE_WHO, map(int, public.split()))))


@pytest.fixture(scope="module")
def visitors(people):
    """Browsers that are signed on to the space "sites"; the former member was until a moment ago."""
    hub = people.hub
    people.owner.new_space("Sites", "sites")
    put(hub, "sites", "d.db")
    origin = f"http://sites.{DOMAIN}:{hub.port}"
    found = {who: people.browser(who) for who in SPACE_WHO}
    for who in ("former", "viewer", "editor"):
        join(hub, people.owner, "sites", found[who], f"{who}@m.example", "editor" if who == "editor" else "viewer")
    assert people.owner.post("/spaces/sites/members", {"team": people.team, "role": "editor"}).status == 303
    html = {"Accept": "text/html"}
    wait_for(lambda: found["owner"].follow(found["owner"].get(origin + "/d/t", headers=html)).status == 200, 60)
    for who in SPACE_WHO[1:]:
        page = found[who].follow(found[who].get(origin + "/d/t", headers=html))
        assert page.url.startswith(origin) and page.status == (403 if who in ("stranger", "admin") else 200), (who, page)
    assert people.owner.post("/spaces/sites/members", {"user": people.ids["former"], "role": "none"}).status == 303
    wait_for(lambda: found["former"].get(origin + "/d/t.json").status == 401, 60)
    return origin, found


@pytest.mark.parametrize("visibility", ["private", "public"])
def test_sites_of_spaces(people, visitors, visibility):
    origin, found = visitors
    assert people.owner.post("/spaces/sites", {"title": "Sites", "visibility": visibility}).status == 303
    wait_for(lambda: found["nobody"].get(origin + "/d/t.json").status == (401 if visibility == "private" else 200), 60)
    wrong = []
    for method, path, body, private, public in space_rows():
        for who in SPACE_WHO:
            wanted = (private if visibility == "private" else public)[who]
            headers = JSON if body else {"Accept": "*/*"}
            sent = body and body.replace("PERSON", f"{who}_{visibility}")
            page = found[who].ask(method, origin + path, sent, headers=headers)
            if page.status != wanted:
                wrong.append(f"{who}: {method} {path} {body}: {page.status}, not {wanted}: {page.body[:200]!r}")
            if page.status in (401, 403) and b"row 0" in page.body:
                wrong.append(f"{who}: {path}: shows what it refuses")
    assert not wrong, "\n".join(wrong)


def test_forms_of_other_sites_change_nothing_in_a_space(people, visitors):
    """The hub, a sibling, anybody else: only pages of the space itself act with the rights of its members."""
    origin, found = visitors
    hub = people.hub
    for where, (other, headers) in {**foreign(hub), "the hub": (hub.origin, {"Sec-Fetch-Site": "same-site"})}.items():
        if headers.get("Sec-Fetch-Site") in ("none", None) and other is None:
            continue  # no browser of today: nothing but its user sent it
        if where == "a space that says it is the hub":
            continue  # no browser says so
        for method, path, body, _, _ in space_rows():
            if method == "POST":
                page = found["owner"].ask(method, origin + path, body, headers={**JSON, **headers}, origin=other)
                assert page.status == 403, (where, path, page)


def test_tokens_and_links_of_a_space(people, visitors):
    """A token is its member's and goes with the membership; a link opens one table and ends when it is withdrawn."""
    origin, found = visitors
    hub = people.hub
    assert people.owner.post("/spaces/sites", {"title": "Sites", "visibility": "private"}).status == 303
    plain = lambda path, **more: hub.browser().get(origin + path, **more)  # noqa: E731
    wait_for(lambda: plain("/d/t.json").status == 401, 60)
    guest = people.browser("stranger")
    join(hub, people.owner, "sites", guest, "stranger@m.example", "viewer")
    wait_for(lambda: guest.follow(guest.get(origin + "/d/t", headers={"Accept": "text/html"})).status == 200, 60)
    page = guest.post(origin + "/-/create-token", {"expires": ""})
    token = {"Authorization": "Bearer " + re.search(r"dstok_[A-Za-z0-9_.-]+", page.text).group(0)}
    assert plain("/d/t.json", headers=token).status == 200
    assert plain("/-/api-log.json", headers=token).status == 403, "no more than its maker"
    made = found["owner"].ask("POST", origin + "/-/share", json.dumps({"database": "d", "table": "t", "audience": "link"}),
                              headers=JSON).json()["share"]
    path = made["url"][len(origin):]
    assert plain(path + ".json").json()["rows"] and plain("/d/t.json").status == 401
    assert people.owner.post("/spaces/sites/members", {"user": people.ids["stranger"], "role": "none"}).status == 303
    wait_for(lambda: plain("/d/t.json", headers=token).status == 401, 60)
    # Of another space a token is none.
    people.owner.new_space("Another", "another")
    other = f"http://another.{DOMAIN}:{hub.port}"
    mine = found["owner"].post(origin + "/-/create-token", {"expires": ""})
    token = {"Authorization": "Bearer " + re.search(r"dstok_[A-Za-z0-9_.-]+", mine.text).group(0)}
    assert plain("/-/api-log.json", headers=token).status == 200
    assert hub.browser().get(other + "/.json", headers=token).status == 401
    assert found["owner"].ask("POST", f"{origin}/-/shares/{made['id']}", '{"action": "withdraw"}', headers=JSON).status == 200
    wait_for(lambda: plain(path + ".json").status == 410, 60)
