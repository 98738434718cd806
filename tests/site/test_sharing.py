# SPDX-License-Identifier: Apache-2.0
"""Sharing: what each audience reaches and what it does not, links, passwords, embedding, previews, the dialog and its
API, what is refused."""
import json
import re
import sqlite3
import time
import urllib.parse

import pytest

import limits
import serving
import signing
from serving import make

SECRET = "sharing"
SCHEMA = """
create table secret (id integer primary key, name text);
insert into secret values (1, 'hush one'), (2, 'hush two');
create virtual table secret_fts using fts5(name, content='secret', content_rowid='id');
insert into secret_fts(secret_fts) values ('rebuild');
create table shown (id integer primary key, name text, secret_id integer references secret(id));
insert into shown values (1, 'Ana', 1), (2, 'Bea', 2), (3, 'Cleo', 1);
create table child (id integer primary key, shown_id integer references shown(id), word text);
insert into child values (1, 1, 'hush child'), (2, 1, 'hush child');
create view names as select name as hush_name from secret;
create table own_rule (id integer primary key, name text);
insert into own_rule values (1, 'hush rule');
"""
CONFIG = {
    "allow": {"id": ["ann", "ed", "cleo"]},
    "permissions": {"share": {"id": ["ann", "cleo"]}, "store-query": {"id": "ann"}, "update-query": {"id": "ann"},
                    "execute-sql": {"id": "ann"}, "permissions-debug": {"id": "cleo"}},
    "databases": {"d": {
        "tables": {"own_rule": {"allow": {"id": "ann"}}, "shown": {"title": "People shown", "description": "All of them"}},
        "queries": {"counts": {"sql": "select name, length(name) as n from secret", "title": "How long"},
                    "adds": {"sql": "insert into shown (name) values (:name)", "write": True},
                    "mine": "select :_actor_id as who"}}},
}
PEOPLE = {"ann": {"id": "ann", "name": "Ann Smith"}, "cleo": {"id": "cleo"}, "ed": {"id": "ed"},
          "guest": {"id": "g", "email": "Guest@Example.org"},
          "unverified": {"id": "h", "email": "guest@example.org", "email_verified": False}}
ANN, CLEO, ED, GUEST = (signing.cookie(SECRET, PEOPLE[who]) for who in ("ann", "cleo", "ed", "guest"))
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sharing")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    s = serving.Server(make(folder / "d.db", SCHEMA), make(folder / "other.db", "create table t (a)"), "-c",
                       folder / "config.json", "--secret", SECRET, "--internal", folder / "internal.db").wait()
    s.folder = folder
    yield s
    s.stop()


def share(site, by=ANN, status=201, **body):
    got = site.ask("POST", "/-/share", {**by, **JSON}, json.dumps({"database": "d", **body}))
    assert got.status == status, got
    return got.json()["share"] if status == 201 else got.json()


def change(site, one, status=200, who=ANN, **body):
    got = site.ask("POST", f"/-/shares/{one['id']}", {**who, **JSON}, json.dumps(body))
    assert got.status == status, got
    return got.json()


def path_of(one):
    return urllib.parse.urlsplit(one["url"]).path


def enter(site, one, headers=None):
    """The cookie that the link gives."""
    got = site.get(path_of(one), headers)
    assert got.status == 303, got
    cookie = got.header("set-cookie")
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Domain" not in cookie, cookie
    assert got.header("referrer-policy") == "no-referrer" and "noindex" in got.header("x-robots-tag")
    return {"Cookie": cookie.split(";")[0]}, got.header("location")


# ---- audiences x routes

ROUTES = [  # path: what is seen by a holder of: nothing, the table, the query, the database
    ("/", 403, 403, 403, 403),
    ("/d", 403, 403, 403, 200),
    ("/d.json", 403, 403, 403, 200),
    ("/d/shown", 403, 200, 403, 200),
    ("/d/shown.json?_extra=count,columns&_facet=name", 403, 200, 403, 200),
    ("/d/shown.csv?_stream=1", 403, 200, 403, 200),
    ("/d/shown/1", 403, 200, 403, 200),
    ("/d/shown/1.json?_extra=foreign_key_tables", 403, 200, 403, 200),
    ("/d/shown/-/schema.json", 403, 200, 403, 200),
    ("/d/shown/-/autocomplete.json?q=A", 403, 200, 403, 200),
    ("/d/shown/-/fragment?_row=1", 403, 200, 403, 200),
    ("/d/shown/-/history", 403, 403, 403, 403),
    ("/d/shown/1/-/history", 403, 403, 403, 403),
    ("/d/shown?_where=1=1", 403, 403, 403, 403),
    ("/d/secret", 403, 403, 403, 200),
    ("/d/secret.json", 403, 403, 403, 200),
    ("/d/secret/1", 403, 403, 403, 200),
    ("/d/secret/-/schema.json", 403, 403, 403, 200),
    ("/d/secret_fts.json", 403, 403, 403, 200),
    ("/d/secret_fts_content.json", 403, 403, 403, 404),
    ("/d/names.json", 403, 403, 403, 200),
    ("/d/child.json", 403, 403, 403, 200),
    ("/d/own_rule.json", 403, 403, 403, 403),
    ("/d/own_rule/1", 403, 403, 403, 403),
    ("/d/counts", 403, 403, 200, 200),
    ("/d/counts.json", 403, 403, 200, 200),
    ("/d/counts.csv", 403, 403, 200, 200),
    ("/d/adds", 403, 403, 403, 403),
    ("/d/mine.json", 403, 403, 403, 200),
    ("/d/-/query.json?sql=select+1", 403, 403, 403, 403),
    ("/d/-/query/parameters?sql=select+:a", 403, 403, 403, 403),
    ("/d/-/schema.json", 403, 403, 403, 200),
    ("/d.db", 403, 403, 403, 403),
    ("/other", 403, 403, 403, 403),
    ("/other/t.json", 403, 403, 403, 403),
    ("/-/versions.json", 403, 403, 403, 403),
    ("/-/databases.json", 403, 403, 403, 403),
    ("/-/config.json", 403, 403, 403, 403),
    ("/-/search.json?q=hush", 403, 403, 403, 403),
    ("/-/shares", 403, 403, 403, 403),
    ("/-/share?database=d&table=shown", 403, 403, 403, 403),
    ("/-/share/preview?database=d&table=shown", 403, 403, 403, 403),
    ("/-/create-token", 403, 403, 403, 403),
    ("/-/permissions", 403, 403, 403, 403),
    ("/d/-/execute-write", 403, 403, 403, 403),
    ("/d/-/queries/store", 403, 403, 403, 403),
    ("/d/shown/-/insert-row", 403, 403, 403, 403),
    ("/d/shown/1/-/edit-row", 403, 403, 403, 403),
    ("/d/shown/-/drop-table", 403, 403, 403, 403),
    ("POST /d/shown/-/insert", 403, 403, 403, 403),
    ("POST /d/shown/1/-/update", 403, 403, 403, 403),
    ("POST /d/shown/1/-/delete", 403, 403, 403, 403),
    ("POST /d/shown/-/drop", 403, 403, 403, 403),
    ("POST /d/-/create", 403, 403, 403, 403),
    ("POST /d/adds", 403, 403, 403, 403),
    ("POST /-/share", 403, 403, 403, 403),
]


def holders(site):
    one = {"table": share(site, table="shown", audience="link"), "query": share(site, query="counts", audience="link"),
           "database": share(site, audience="link")}
    return {"nothing": {}, **{kind: enter(site, it)[0] for kind, it in one.items()}}, one


def test_audiences_and_routes(site):
    cookies, made = holders(site)
    people = {"table": share(site, table="shown", audience="person", who="guest@example.org"),
              "database": share(site, audience="person", who="dave")}
    dave = signing.cookie(SECRET, {"id": "dave"})
    columns = [("nothing", {}, 1), ("table link", cookies["table"], 2), ("query link", cookies["query"], 3),
               ("database link", cookies["database"], 4), ("a person with the table", GUEST, 2),
               ("a person with the database", dave, 4), ("nothing again", {}, 1),
               ("an address nobody verified", signing.cookie(SECRET, PEOPLE["unverified"]), 1)]
    wrong = []
    for name, headers, column in columns:
        for row in ROUTES:
            method, path = row[0].split(" ") if " " in row[0] else ("GET", row[0])
            body = '{"rows": [{"name": "x"}], "database": "d"}' if method == "POST" else None
            got = site.ask(method, path, {**headers, **(JSON if body else {})}, body)
            wanted = row[column]
            if "create-token" in path and headers and "Cookie" in headers and "ds_actor" in headers["Cookie"]:
                wanted = 200  # whoever is signed in
            if got.status != wanted and not (wanted == 403 and got.status in (404, 302)):
                wrong.append(f"{name}: {row[0]}: {got.status}, not {wanted}: {got.text[:120]!r}")
            if wanted == 403 and "hush" in got.text:
                wrong.append(f"{name}: {row[0]} shows what it refuses")
            if column == 2 and "hush" in got.text:
                wrong.append(f"{name}: {row[0]} shows rows of another table")
    for one in [*made.values(), *people.values()]:
        change(site, one, action="withdraw")
    for kind, path in ("table", "/d/shown"), ("query", "/d/counts"), ("database", "/d"):
        if site.get(path, cookies[kind]).status != 403:
            wrong.append(f"{kind}: seen after it was withdrawn")
    if site.get("/d/shown", GUEST).status != 403 or site.get("/d", dave).status != 403:
        wrong.append("a person sees what was withdrawn")
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong[:40])


def test_other_tables_stay_closed(site):
    """Ways from a shared table into another one."""
    one = share(site, table="shown", audience="link")
    cookie, _ = enter(site, one)
    through = urllib.parse.quote(json.dumps({"table": "child", "column": "word", "value": "hush child"}))
    for path in (f"/d/shown.json?_through={through}", "/d/shown.json?_fts_table=secret_fts&_search=hush",
                 "/d/shown.json?_where=id+in+(select+id+from+secret)"):
        got = site.get(path, cookie)
        assert got.status in (400, 403) and "hush child" not in json.dumps(got.json().get("rows", "")), (path, got)
    for path in ("/d/shown.json?_labels=on&_shape=objects", "/d/shown.csv?_labels=on", "/d/shown?_facet=secret_id",
                 "/d/shown.json?_facet=secret_id&_extra=facet_results,expandable_columns",
                 "/d/shown/1.json?_extra=foreign_key_tables", "/d/shown/1"):
        got = site.get(path, cookie)
        assert got.status == 200 and "hush" not in got.text and "/d/secret" not in got.text, (path, got.text[-1500:])
    assert site.get("/d/shown.json?secret_id__contains=1&_extra=count", cookie).json()["count"] == 2
    change(site, one, action="withdraw")


def test_everybody(site):
    """Answers that the cache keeps follow what is shared."""
    for path in "/d/shown.json", "/d/shown":
        assert site.get(path).status == 403
    one = share(site, table="shown", audience="public")
    for _ in range(3):
        got = site.get("/d/shown")
        assert got.status == 200 and "Shared with you" not in got.text and "private" not in (
            got.header("cache-control") or ""), got.headers
    assert site.get("/d/shown.json").status == 200 and site.get("/d/secret.json").status == 403
    change(site, one, action="withdraw")
    for path in "/d/shown.json", "/d/shown":
        assert site.get(path).status == 403
    change(site, one, action="restore")
    assert site.get("/d/shown.json").status == 200
    change(site, one, action="withdraw")
    assert site.get("/d/shown.json").status == 403
    change(site, one, 404, action="change", until="1d")


def test_cache_keeps_audiences_apart(site):
    one = share(site, table="shown", audience="link")
    cookie, _ = enter(site, one)
    for headers, wanted in [(cookie, 200), ({}, 403), (cookie, 200), ({}, 403)]:
        for path in "/d/shown", "/d/shown.json":
            got = site.get(path, headers)
            assert got.status == wanted
            if wanted == 200:
                assert got.header("cache-control") == "private, no-cache" and "noindex" in got.header("x-robots-tag")
                assert got.header("content-security-policy") == "frame-ancestors 'self'"
    for _ in range(2):  # the link's own address is not kept either
        assert site.get(path_of(one) + ".json").status == 200
    change(site, one, action="withdraw")
    assert site.get(path_of(one) + ".json").status == 410 and site.get("/d/shown", cookie).status == 403


def test_ends(site):
    """What ends does so by the clock, and so does what the cache holds."""
    public = share(site, table="shown", audience="public", until="1d")
    one = share(site, table="shown", audience="link", until="7d")
    cookie, _ = enter(site, one)
    assert site.get("/d/shown.json").status == 200
    assert 6.9 < (time.mktime(time.strptime(one["until"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone - time.time()) / 86400 < 7.1
    db = sqlite3.connect(site.folder / "internal.db")
    db.execute("update shares set until = ? where id in (?, ?)", (int(time.time()) - 1, public["id"], one["id"]))
    db.commit()
    end = time.monotonic() + 60  # another process wrote: it is seen within a second
    while site.get("/d/shown.json", {"Cookie": "ds_x=1"}).status == 200 and time.monotonic() < end:
        pass
    assert site.get("/d/shown.json").status == 403 and site.get("/d/shown.json", cookie).status == 403
    got = site.get(path_of(one))
    assert got.status == 410 and "limited time" in got.text
    assert site.get("/-/shares/%s.json" % one["id"], ANN).json()["share"]["state"] == "ended"


# ---- links

def test_link(site):
    one = share(site, table="shown", audience="link", page="?_sort=name&_nocol=secret_id#g.mark=bar")
    token = path_of(one).rsplit("/", 1)[1]
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", token)
    _, location = enter(site, one)
    assert location == "/d/shown?_sort=name&_nocol=secret_id#g.mark=bar"
    stored = b"".join(p.read_bytes() for p in site.folder.glob("internal.db*"))
    assert token.encode() not in stored, "who reads the file has no link"
    cookie, _ = enter(site, one)
    got = site.get("/d/shown", cookie)
    assert got.status == 200 and "Shared with you by Ann Smith" in got.text and "until" not in re.search(
        r"Shared with you[^<]*", got.text).group()
    assert token not in got.text
    assert "Shared with you" not in site.get("/d/shown", ANN).text
    for path in (f"/-/s/{token[:-1]}", f"/-/s/{token}x", "/-/s/x", "/-/s/" + "A" * 22, "/-/s/~2E~2E"):
        got = site.get(path)
        assert got.status == 404 and "leads nowhere" in got.text and got.header("set-cookie") is None, path
        assert got.header("cache-control") == "no-store"
    assert site.get(f"/-/s/{token}.db").status == 400
    data = site.get(path_of(one) + ".json?_shape=array").json()
    assert data == [{"id": 1, "name": "Ana"}, {"id": 2, "name": "Bea"}, {"id": 3, "name": "Cleo"}]
    assert site.get(path_of(one) + ".csv").text.splitlines()[:2] == ["id,name", "1,Ana"]
    got = site.get(path_of(one) + ".json?_size=1")
    following = urllib.parse.urlsplit(got.json()["next_url"])
    assert following.path == path_of(one) + ".json"
    assert site.get(following.path + "?" + following.query).json()["rows"][0]["name"] == "Bea"
    assert got.header("set-cookie") is None
    # a new link ends the old one, and what the browsers that had it may see
    new = change(site, one, action="new-link")["share"]
    assert new["url"] != one["url"]
    assert site.get(path_of(one)).status == 404 and site.get("/d/shown", cookie).status == 403
    assert enter(site, new)[1] == location
    change(site, new, action="withdraw")
    got = site.get(path_of(new))
    assert got.status == 410 and "withdrawn" in got.text


def test_cookie(site):
    """Several links in one browser, a forged cookie, one too many."""
    one, two = share(site, table="shown", audience="link"), share(site, query="counts", audience="link")
    cookie, _ = enter(site, one)
    both, _ = enter(site, two, cookie)
    assert site.get("/d/shown", both).status == 200 and site.get("/d/counts", both).status == 200
    for forged in ("ds_share=x", "ds_share=" + signing.sign("other", "share", [[one["id"], 1]]),
                   "ds_share=" + signing.sign(SECRET, "share", {"a": 1}),
                   "ds_share=" + signing.sign(SECRET, "share", [[one["id"], 99], [1], "x", None]),
                   "ds_share=" + signing.sign(SECRET, "actor", [[one["id"], 1]])):
        assert site.get("/d/shown", {"Cookie": forged}).status == 403, forged
    many = {"Cookie": "ds_share=" + signing.sign(SECRET, "share", [["0" * 16, 1]] * limits.LIMIT_SHARE_PASSES + [
        [one["id"], 1]])}
    assert site.get("/d/shown", many).status == 403
    cookie, _ = enter(site, one, many)
    assert site.get("/d/shown", cookie).status == 200 and len(cookie["Cookie"]) < 1000
    for it in one, two:
        change(site, it, action="withdraw")


def test_password(site):
    one = share(site, table="shown", audience="link", password="correct horse")
    assert one["has_password"] and one["embed_url"] is None
    address = path_of(one)
    got = site.get(address)
    assert got.status == 200 and "password" in got.text and "People shown" not in got.text and not got.header("set-cookie")
    assert got.header("x-frame-options") == "DENY"
    bot = site.get(address, {"User-Agent": "Slackbot-LinkExpanding 1.0"})
    assert "People shown" not in bot.text and "shown" not in re.sub("<[^>]*>", "", bot.text).split()
    assert site.get(address + ".json").status == 401 and site.get(address + ".csv").status == 401
    assert "window of its own" in site.get(address + "?_embed=1").text
    here, there = ({"X-Forwarded-For": ip} for ip in ("192.0.2.1", "192.0.2.2"))
    statuses = [site.ask("POST", address, {**FORM, **here}, "password=wrong").status for _ in range(8)]
    assert statuses[0] == 403 and statuses[-1] == 429, statuses
    # nobody else waits for who guesses: another link of the same client is not held up
    other = share(site, table="shown", audience="link", password="another one")
    assert site.ask("POST", path_of(other), FORM, "password=another+one").status == 303
    again = share(site, table="shown", audience="link", password="correct horse")
    got = site.ask("POST", path_of(again), FORM, "password=correct+horse")
    assert got.status == 303 and got.header("location") == "/d/shown"
    cookie = {"Cookie": got.header("set-cookie").split(";")[0]}
    assert site.get("/d/shown", cookie).status == 200 and site.get(path_of(again) + ".json", cookie).status == 200
    change(site, again, action="change", password="another horse")
    assert site.get("/d/shown", cookie).status == 403, "a new password ends what the old one opened"
    change(site, again, action="change", no_password=True)
    assert enter(site, again)[1] == "/d/shown"
    stored = b"".join(p.read_bytes() for p in site.folder.glob("internal.db*"))
    assert b"correct horse" not in stored and b"$argon2id$" in stored
    for it in one, other, again:
        change(site, it, action="withdraw")


def test_guesses_of_one_household(server, tmp_path):
    """Whoever has a network of IPv6 has 2**64 addresses."""
    s = server(make(tmp_path / "d.db", SCHEMA), "--secret", SECRET, "--setting", "trusted_proxies", "127.0.0.1", "--root",
               "--internal", tmp_path / "internal.db")
    root = signing.cookie(SECRET, {"id": "root"})
    one = share(s, by=root, database="d", table="shown", audience="link", password="correct horse")
    guess = lambda ip, word="wrong": s.ask(  # noqa: E731
        "POST", path_of(one), {**FORM, "X-Forwarded-For": ip}, f"password={word}").status
    assert [guess(f"2001:db8:1:2::{i:x}") for i in range(5)] == [403] * 5
    assert guess("2001:db8:1:2:ffff::1") == 429
    assert guess("2001:db8:1:3::1", "correct+horse") == 303, "others are not held up"


def test_card(site):
    """What a chat shows beside a link."""
    one = share(site, table="shown", audience="link")
    got = site.get(path_of(one), {"User-Agent": "Mozilla/5.0 (compatible; Discordbot/2.0)"})
    assert got.status == 200 and 'og:title" content="People shown"' in got.text and "Ana" not in got.text
    assert 'og:description" content="All of them"' in got.text and 'content="noindex' in got.text
    change(site, one, action="withdraw")


def test_embed(site):
    one = share(site, table="shown", audience="link", page="?_size=2&_sort=name")
    query = share(site, query="counts", audience="link")
    got = site.get(path_of(one) + "?_embed=1")
    assert got.status == 200 and "frame-ancestors" not in got.header("content-security-policy")
    assert got.header("x-frame-options") is None and got.header("set-cookie") is None
    assert "Ana" in got.text and "hush" not in got.text and "<form" not in got.text and "<script" not in got.text
    following = re.search(r'href="([^"]*_next[^"]*)"', got.text).group(1).replace("&amp;", "&")
    assert following.startswith(path_of(one))
    assert "Cleo" in site.get(following).text
    for link in re.findall(r'href="([^"]*)"', got.text):
        assert link.startswith(("/-/static/", path_of(one))), link
    assert site.get(path_of(one) + ".csv?_size=max").text.count("\n") == 4
    got = site.get(path_of(query) + "?_embed=1")
    assert got.status == 200 and "hush one" in got.text and "<form" not in got.text
    cookie, _ = enter(site, one)
    assert "frame-ancestors 'self'" in site.get("/d/shown", cookie).header("content-security-policy")
    for it in one, query:
        change(site, it, action="withdraw")


# ---- people

def test_people(site):
    one = share(site, table="shown", audience="person", who="GUEST@example.org", until="2099-12-31")
    assert one["url"] is None and one["until"] == "2100-01-01T00:00:00Z"
    got = site.get("/d/shown", GUEST)
    assert got.status == 200 and "Shared with you by Ann Smith until 2100-01-01" in got.text
    assert site.get("/d/shown", signing.cookie(SECRET, PEOPLE["unverified"])).status == 403
    assert site.get("/d/shown", signing.cookie(SECRET, {"id": "GUEST@example.org"})).status == 200
    listed = [s for s in site.get("/-/shares.json", ANN).json()["shares"] if s["id"] == one["id"]]
    assert listed[0]["uses"] == 2 and listed[0]["used_at"]
    # a token that is restricted is not widened by what was shared
    narrow = signing.bearer(SECRET, "guest@example.org", {"a": ["view-instance"]})
    assert site.get("/d/shown.json", narrow).status == 403
    assert site.get("/d/shown.json", signing.bearer(SECRET, "GUEST@example.org")).status == 200
    # what somebody got is not theirs to pass on
    share(site, GUEST, 403, table="shown", audience="link")
    change(site, one, action="withdraw")


def test_why(site):
    """/-/check tells of a share where the rules alone refuse."""
    debug = signing.cookie(SECRET, {"id": "cleo"})
    one = share(site, table="shown", audience="person", who="zoe")
    got = site.get("/-/check.json?action=view-table&parent=d&child=shown&actor=" + urllib.parse.quote('{"id": "zoe"}'), debug)
    assert got.status == 200, got
    why = got.json()
    assert why["allowed"] is True and one["id"] in why["explanation"]["summary"], why
    change(site, one, action="withdraw")
    got = site.get("/-/check.json?action=view-table&parent=d&child=shown&actor=" + urllib.parse.quote('{"id": "zoe"}'), debug)
    assert got.json()["allowed"] is False and "share" not in got.json()["explanation"]


def test_queries(site):
    """Only what was shared runs: changed SQL is shown to nobody until it is shared again."""
    def store(sql):
        got = site.ask("POST", "/d/-/queries/store", {**ANN, **JSON},
                       json.dumps({"query": {"name": "stored", "sql": sql}}))
        assert got.status in (200, 201), got

    store("select count(*) as n from secret")
    one = share(site, query="stored", audience="link")
    cookie, _ = enter(site, one)
    assert site.get("/d/stored.json?_shape=array", cookie).json() == [{"n": 2}]
    assert site.get("/d/-/query.json?sql=select+1", cookie).status == 403
    got = site.ask("POST", "/d/stored/-/update", {**ANN, **JSON}, json.dumps({"update": {"sql": "select * from secret"}}))
    assert got.status == 200, got
    got = site.get("/d/stored.json", cookie)
    assert got.status == 403 and "changed after it had been shared" in got.json()["error"]
    assert site.get("/-/shares/%s.json" % one["id"], ANN).json()["share"]["changed"] is True
    assert "query that changes data" in share(site, status=400, query="adds", audience="link")["error"]
    share(site, CLEO, 403, query="stored", audience="link")  # may share, but may not run it
    change(site, one, action="withdraw")


# ---- who may share, bad input

def test_who_may(site):
    for who in {}, ED, GUEST:
        share(site, who, 403, table="shown", audience="public")
        for path in ("/-/shares", "/-/shares.json", "/-/share?database=d", "/-/share.json?database=d&table=shown",
                     "/-/share/preview?database=d&table=shown"):
            assert site.get(path, who).status == 403, path
    share(site, CLEO, 403, table="own_rule", audience="link")  # only what they see themselves
    one = share(site, CLEO, table="shown", audience="link")
    for who in {}, ED, GUEST:
        change(site, one, 403 if who == {} else 404, who, action="withdraw")
        assert site.get(f"/-/shares/{one['id']}.json", who).status == (403 if who == {} else 404)
    got = site.ask("POST", "/-/share", {**ANN, **FORM, "Sec-Fetch-Site": "cross-site"}, "database=d&audience=public")
    assert got.status == 403
    got = site.ask("POST", f"/-/shares/{one['id']}", {**ANN, **FORM, "Origin": "https://evil.example"}, "action=withdraw")
    assert got.status == 403
    assert site.get("/-/share?database=d&table=shown", ANN).header("x-frame-options") == "DENY"
    change(site, one, action="withdraw")


BAD = [
    ({"database": ""}, 400, "Name what is to be shared"),
    ({"database": 5}, 400, "Name what is to be shared"),
    ({"table": "shown", "query": "counts"}, 400, "Name what is to be shared"),
    ({"table": "nope"}, 404, "Table not found"),
    ({"query": "nope"}, 404, "no such query"),
    ({"database": "nope"}, 404, "Database not found"),
    ({"table": "shown", "audience": "world"}, 400, "audience"),
    ({"table": "shown", "audience": ""}, 400, "audience"),
    ({"table": "shown", "audience": "link", "until": "yesterday"}, 400, "until"),
    ({"table": "shown", "audience": "link", "until": "2001-01-01"}, 400, "until"),
    ({"table": "shown", "audience": "link", "until": "2030-02-31"}, 400, "until"),
    ({"table": "shown", "audience": "link", "until": "0d"}, 400, "until"),
    ({"table": "shown", "audience": "link", "until": "99999999999999999999d"}, 400, "until"),
    ({"table": "shown", "audience": "link", "password": "short"}, 400, "password"),
    ({"table": "shown", "audience": "link", "password": "x" * (limits.LIMIT_PASSWORD + 1)}, 400, "password"),
    ({"table": "shown", "audience": "public", "password": "long enough"}, 400, "only a link"),
    ({"table": "shown", "audience": "person"}, 400, "who"),
    ({"table": "shown", "audience": "person", "who": "a b"}, 400, "who"),
    ({"table": "shown", "audience": "person", "who": "a@x.org\r\nBcc: b@x.org"}, 400, "who"),
    ({"table": "shown", "audience": "person", "who": "a@x.org,b@x.org"}, 400, "who"),
    ({"table": "shown", "audience": "person", "who": "x" * (limits.LIMIT_SHARE_WHO + 1)}, 400, "who"),
    ({"table": "shown", "audience": "link", "page": "//evil.example"}, 400, "page"),
    ({"table": "shown", "audience": "link", "page": "?a=\r\nX: y"}, 400, "page"),
    ({"table": "shown", "audience": "link", "page": "?" + "x" * limits.LIMIT_SHARE_TEXT}, 400, "page"),
]


def test_bad_input(site):
    for body, status, text in BAD:
        assert text in share(site, status=status, **body)["error"], body
    for body in b"", b"[]", b"{", b"\xff", b'{"database": "d", "audience": "link"' + b" " * 100:
        got = site.ask("POST", "/-/share", {**ANN, **JSON}, body)
        assert got.status == 400 and got.json()["ok"] is False, body
    one = share(site, table="shown", audience="link")
    for body in ({}, {"action": "x"}, {"action": "change"}, {"action": "change", "until": "x"},
                 {"action": "change", "password": "short"}):
        change(site, one, 400, **body)
    person = share(site, table="shown", audience="person", who="x")
    change(site, person, 400, action="new-link")
    change(site, person, 400, action="change", password="long enough")
    assert site.ask("POST", "/-/shares/nope", {**ANN, **JSON}, "{}").status == 404
    for it in one, person:
        change(site, it, action="withdraw")


# ---- the dialog

def test_dialog(site):
    """Without scripts: forms that come back to the dialog."""
    dialog = "/-/share?database=d&table=shown&page=%3F_sort%3Dname"
    got = site.get("/d/shown?_sort=name", ANN)
    assert 'href="/-/share?database=d&amp;table=shown&amp;page=%3F_sort%3Dname"' in got.text
    assert "/-/share?" not in site.get("/d/shown", ED).text
    assert 'href="/-/share?database=d&amp;query=counts"' in site.get("/d/counts", ANN).text
    assert 'href="/-/share?database=d"' in site.get("/d", ANN).text
    got = site.get(dialog, ANN)
    assert got.status == 200 and "whom the rules of this site name" in got.text
    got = site.ask("POST", "/-/share", {**ANN, **FORM},
                   "database=d&table=shown&page=%3F_sort%3Dname&audience=link&until=day&day=2099-01-01&who=&password=")
    assert got.status == 303 and got.header("location") == dialog, got.headers
    messages = {"Cookie": ANN["Cookie"] + "; " + got.header("set-cookie").split(";")[0]}
    text = site.get(dialog, messages).text
    assert "The link is ready" in text and "Until <time" in text and "2099-01-02" in text and "&lt;iframe" in text
    one = [s for s in site.get("/-/shares.json", ANN).json()["shares"] if s["until"] == "2099-01-02T00:00:00Z"][0]
    assert one["url"] in text and one["page"] == "?_sort=name"
    got = site.ask("POST", "/-/share", {**ANN, **FORM}, "database=d&table=shown&audience=person&who=a+b")
    assert got.status == 303 and "ds_messages" in got.header("set-cookie")
    got = site.ask("POST", f"/-/shares/{one['id']}", {**ANN, **FORM}, "action=withdraw")
    assert got.status == 303 and got.header("location") == dialog
    assert "Share again" in site.get(dialog, ANN).text, "it can be undone"
    got = site.ask("POST", f"/-/shares/{one['id']}", {**ANN, **FORM}, "action=restore&back=shares")
    assert got.status == 303 and got.header("location") == "/-/shares"
    text = site.get("/-/shares", ANN).text
    assert '<td data-label="What">Withdrawn</td>' in text and '<td data-label="What">Shared again</td>' in text
    assert [line["what"] for line in site.get("/-/shares.json", ANN).json()["log"]][:3] == [
        "share.restore", "share.withdraw", "share.make"]
    site.ask("POST", f"/-/shares/{one['id']}", {**ANN, **FORM}, "action=withdraw")
    assert site.get(f"/-/shares/{one['id']}", ANN).header("location") == dialog


def test_one_click(site):
    """Make public, and the undo of it, on the page itself."""
    def press(path):
        form = re.search(r'<form action="([^"]*)" method="post"><input type="hidden" name="back" value="page">(.*?)</form>',
                         site.get(path, ANN).text, re.S)
        assert form, path
        fields = re.findall(r'name="([^"]*)" value="([^"]*)"', form.group(2)) + [("back", "page")]
        got = site.ask("POST", form.group(1), {**ANN, **FORM}, urllib.parse.urlencode(fields))
        assert got.status == 303 and got.header("location") == path, got.headers
        return form.group(2)

    for path in "/d/shown", "/d/counts", "/d":
        assert "Make public" in press(path) and site.get(path).status == 200
        assert "Make private" in press(path) and site.get(path).status == 403
        assert "Make public" not in site.get(path, ED).text
    assert site.get("/d/secret").status == 403
    assert "Share…" not in site.get("/d/adds", ANN).text


def test_preview(site):
    """As they see it, and never more than who looks may see."""
    table, query = share(site, table="shown", audience="link"), share(site, query="mine", audience="person", who="bob")
    got = site.get("/-/share/preview?share=" + table["id"], ANN)
    assert got.status == 200 and "Preview:" in got.text and "whoever has the link" in got.text and "Ana" in got.text
    assert "hush" not in got.text and "Log out" not in got.text and "Share…" not in got.text
    csp = got.header("content-security-policy")
    assert csp.startswith("sandbox allow-scripts") and "allow-forms" not in csp
    assert "hush" in site.get("/d/shown", ANN).text, "the one who looks sees labels of the other table"
    assert site.get("/-/share/preview?database=d&table=shown", ANN).status == 403, "everybody sees nothing yet"
    got = site.get("/-/share/preview?share=" + query["id"], ANN)
    assert got.status == 200 and ">bob<" not in got.text, "nobody's id is lent"
    # what the one who looks may not see is not in it either
    whole = share(site, audience="link")
    text = site.get("/-/share/preview?share=" + whole["id"], CLEO).text
    assert "shown" in text and "own_rule" not in text
    one = share(site, table="own_rule", audience="link")
    assert site.get("/-/share/preview?share=" + one["id"], CLEO).status == 404, "nor is she told that it is shared"
    assert site.get("/-/share/preview?share=" + one["id"], ED).status == 404
    for it in table, query, whole, one:
        change(site, it, action="withdraw")


def test_limit(site):
    """Too many shares are refused, and what ended long ago makes room."""
    db = sqlite3.connect(site.folder / "internal.db", timeout=60)
    row = db.execute("select * from shares limit 1").fetchone()
    names = [c[1] for c in db.execute("pragma table_info(shares)")]
    old = dict(zip(names, row), database_name="gone", withdrawn_at=0, until=0, audience="person", token_hash="")
    marks = ",".join("?" * len(names))
    db.executemany(f"insert into shares ({','.join(names)}) values ({marks})",
                   [[{**old, "id": f"x{i:015}"}[n] for n in names] for i in range(limits.LIMIT_SHARES)])
    db.commit()
    assert "shares already" in share(site, status=400, table="shown", audience="link")["error"]
    db.execute("update shares set until = 5 where database_name = 'gone'")
    db.commit()
    one = share(site, table="shown", audience="link")
    change(site, one, action="withdraw")
    assert db.execute("select count(*) from shares where database_name = 'gone'").fetchone() == (0,)


def test_restart(tmp_path):
    """Shares outlive the process; another secret makes links anew, and the old ones still lead there."""
    (tmp_path / "c.json").write_text(json.dumps(CONFIG))
    files = (make(tmp_path / "d.db", SCHEMA), "-c", tmp_path / "c.json", "--internal", tmp_path / "internal.db")
    first = serving.Server(*files, "--secret", SECRET).wait()
    one = share(first, table="shown", audience="link")
    enter(first, one)
    first.stop()
    second = serving.Server(*files, "--secret", "another").wait()
    ann = signing.cookie("another", PEOPLE["ann"])
    listed = second.get("/-/shares.json", ann).json()["shares"][0]
    assert listed["id"] == one["id"] and listed["url"] is None and listed["uses"] == 1
    assert second.get(path_of(one)).status == 303
    second.stop()


def test_shares_of_what_one_may_not_see(site):
    """Who may share sees the links of others, but not those to what only others may see: a link opens it."""
    one = share(site, table="own_rule", audience="link")
    whole = share(site, audience="link", password="four words in a row")
    cookie, _ = enter(site, one)
    assert site.ask("GET", "/d/own_rule.json", cookie).status == 200 and site.ask("GET", "/d/own_rule.json", CLEO).status == 403
    token = path_of(one).rsplit("/", 1)[1]
    for path in ("/-/shares.json", "/-/shares", "/-/shares.json?ended=1&database=d", "/-/share.json?database=d",
                 "/-/share?database=d", "/-/share.json?database=d&table=shown"):
        got = site.ask("GET", path, CLEO)
        assert got.status == 200 and token not in got.text and "own_rule" not in got.text, path
        assert whole["id"] in got.text or "shown" in path and "json" not in path, "of the database: she may see it"
    assert token in site.ask("GET", "/-/shares.json", ANN).text
    for path in (f"/-/shares/{one['id']}", f"/-/shares/{one['id']}.json", f"/-/share/preview?share={one['id']}"):
        got = site.ask("GET", path, CLEO)
        assert got.status == 404 and token not in got.text, path
    for body in ({"action": "new-link"}, {"action": "change", "no_password": True}, {"action": "change", "until": "7d"},
                 {"action": "withdraw"}, {"action": "restore"}):
        change(site, one, 404, CLEO, **body)
    assert site.ask("GET", "/d/own_rule.json", cookie).status == 200, "nothing of it was changed"
    for made in (one, whole):
        change(site, made, action="withdraw")
