# SPDX-License-Identifier: Apache-2.0
"""API tokens that were made here: /-/tokens makes, lists and revokes them; revoked ones are refused at once."""
import json
import re
import sqlite3
import time

import pytest

import limits
import serving
import signing
from limits import lowered
from serving import make
from stand_in_hub import FORM, Hub, signed_on, token_in, until

SECRET = "s3cret"
SCHEMA = """create table t (id integer primary key, name text); insert into t values (1, 'one');
create table u (id integer primary key);"""
ANN, ROOT = signing.cookie(SECRET, {"id": "ann"}), signing.cookie(SECRET, {"id": "root"})
CONFIG = {"permissions": {name: {"id": ["ann", "root"]} for name in ("insert-row", "update-row", "delete-row", "drop-table")}}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("list")
    (folder / "c.json").write_text(json.dumps(CONFIG))
    s = serving.Server(make(folder / "d.db", SCHEMA), "--secret", SECRET, "--state", folder / "state", "--root", "-c",
                       folder / "c.json").wait()
    yield s, folder
    s.stop()


def made(s, who, body):
    page = s.ask("POST", "/-/tokens", {**who, **FORM}, body)
    assert page.status == 200, page
    return {"Authorization": "Bearer " + token_in(page)}


def listed(s, who, path="/-/tokens.json"):
    return s.get(path, who).json()["tokens"]


def insert(s, headers, table="t"):
    return s.ask("POST", f"/d/{table}/-/insert", {**headers, "Content-Type": "application/json"}, '{"row": {}}').status


def test_two_clicks(place):
    s, _ = place
    table = s.get("/d/t", ANN).text
    link = re.search(r'href="(/-/tokens\?database=d&amp;table=t)"', table).group(1).replace("&amp;", "&")
    form = s.get(link, ANN).text
    assert 'name="table" value="t"' in form and 'value="read" checked' in form and 'value="30" selected' in form
    assert '<a href="/-/tokens">API tokens</a>' in table and "/-/tokens" not in s.get("/d/t").text
    reader = made(s, ANN, "action=create&database=d&table=t&access=read&days=30&name=nightly")
    assert s.get("/d/t.json", reader).status == 200
    assert [s.get(p, reader).status for p in ("/d/u.json", "/", "/d", "/d/-/query.json?sql=select+1")] == [403] * 4
    assert insert(s, reader) == 403
    writer = made(s, ANN, "action=create&database=d&table=t&access=write&days=1")
    assert insert(s, writer) == 201 and insert(s, writer, "u") == 403
    assert s.ask("POST", "/d/t/-/drop", {**writer, "Content-Type": "application/json"}, "{}").status == 403
    database = made(s, ANN, "action=create&database=d&access=read&days=7")
    assert [s.get(p, database).status for p in ("/d/u.json", "/d", "/d/-/query.json?sql=select+1", "/")] == [200, 200, 200, 403]
    whole = made(s, ANN, "action=create&access=all&days=0")
    assert s.get("/", whole).status == 200 and insert(s, whole) == 201
    newest = {t["name"]: t for t in listed(s, ANN)}["nightly"]
    assert newest["may"] == "d/t: read" and newest["actor"] == "ann" and newest["state"] == "good"
    assert abs(newest["expires"] - newest["created"] - 30 * 86400) <= 1 and abs(newest["last_used"] - time.time()) < 100
    assert newest["restrictions"] == {"r": {"d": {"t": ["vt", "vq"]}}}


def test_revoked_at_once(place):
    s, folder = place
    headers = made(s, ANN, "action=create&access=read&days=30&name=soon+gone")
    token = next(t for t in listed(s, ANN) if t["name"] == "soon gone")
    assert s.get("/d/t.json", headers).status == 200
    bob = signing.cookie(SECRET, {"id": "bob"})
    assert token["id"] not in s.get("/-/tokens", bob).text
    assert s.ask("POST", "/-/tokens", {**bob, **FORM}, f"action=revoke&id={token['id']}").status == 404
    assert s.get("/d/t.json", headers).status == 200
    cross = {**ANN, **FORM, "Sec-Fetch-Site": "cross-site"}
    assert s.ask("POST", "/-/tokens", cross, f"action=revoke&id={token['id']}").status == 403
    assert s.ask("POST", "/-/tokens", {**ANN, **FORM}, f"action=revoke&id={token['id']}").status == 303
    for path in ("/d/t.json", "/", "/-/actor.json"):
        answer = s.get(path, headers)
        assert answer.status == 401 and "revoked" in answer.json()["error"]
    assert next(t for t in listed(s, ANN) if t["id"] == token["id"])["state"] == "revoked"
    assert s.ask("POST", "/-/tokens", {**ANN, **FORM}, f"action=revoke&id={token['id']}").status == 404
    rows = sqlite3.connect(folder / "state/internal.db").execute(
        "select actor, what from audit where detail = ? order by id", (token["id"],)).fetchall()
    assert rows == [("ann", "token.make"), ("ann", "token.revoke")]


def test_root_sees_and_revokes_those_of_others(place):
    s, _ = place
    headers = made(s, ANN, "action=create&access=read&days=30&name=of+ann")
    assert s.get("/-/tokens?all=1", ANN).status == 403
    token = next(t for t in listed(s, ROOT, "/-/tokens.json?all=1") if t["name"] == "of ann")
    assert token["actor"] == "ann" and "of ann" not in s.get("/-/tokens", ROOT).text
    assert s.ask("POST", "/-/tokens", {**ROOT, **FORM}, f"action=revoke&all=1&id={token['id']}").status == 303
    assert s.get("/", headers).status == 401


def test_tokens_of_before_and_of_the_other_page(place):
    s, _ = place
    assert s.get("/-/actor.json", signing.bearer(SECRET, "ann")).status == 200  # without a record, as Datasette makes them
    page = s.ask("POST", "/-/create-token", {**ANN, **FORM}, "resource%3Ad%3At%3Avt=on")
    headers = {"Authorization": "Bearer " + token_in(page)}
    assert s.get("/d/t.json", headers).status == 200 and s.get("/d/u.json", headers).status == 403
    token = listed(s, ANN)[0]
    assert token["may"] == "d/t: read" and token["expires"] is None
    assert s.ask("POST", "/-/tokens", {**ANN, **FORM}, f"action=revoke&id={token['id']}").status == 303
    assert s.get("/d/t.json", headers).status == 401


def test_another_process_revokes_or_loses_one(place):
    s, folder = place
    one, two = (made(s, ANN, f"action=create&access=read&days=30&name=other+{n}") for n in "12")
    assert s.get("/", one).status == 200 and s.get("/", two).status == 200
    db = sqlite3.connect(folder / "state/internal.db")
    db.execute("update api_tokens set revoked = 1 where name = 'other 1'")
    db.execute("delete from api_tokens where name = 'other 2'")
    db.commit()
    until(lambda: s.get("/", one).status == 401 and s.get("/", two).status == 401, "seen")
    assert "not known here" in s.get("/", two).json()["error"]


@pytest.mark.parametrize("body, status", [
    ("action=create&access=root&days=30", 400), ("action=create&access=read&days=31", 400), ("action=create&access=read", 400),
    ("action=create&access=read&days=30&database=nope", 404), ("action=create&access=read&days=30&database=d&table=nope", 404),
    ("action=create&access=all&days=30&database=d", 400), ("action=create&access=read&days=30&table=t", 400),
    ("action=x", 400), ("action=revoke", 404),
    (f"action=create&access=read&days=30&name={'x' * (limits.LIMIT_TOKEN_NAME + 1)}", 400)])
def test_wrong_wishes(place, body, status):
    s, _ = place
    answer = s.ask("POST", "/-/tokens", {**ANN, **FORM}, body)
    # a table that is not there can be seen by whoever may see all: its token opens nothing
    assert answer.status == (200 if "table=nope" in body else status) and ("dstok_" in answer.text) == (answer.status == 200)


def test_markup_in_names(place):
    s, _ = place
    made(s, ANN, "action=create&access=read&days=30&name=%3Cscript%3Ealert(1)%3C/script%3E")
    assert "<script>alert" not in s.get("/-/tokens", ANN).text


def test_limits(server, tmp_path):
    """LIMIT_TOKENS_ACTOR, LIMIT_TOKEN_NAME"""
    s = server(make(tmp_path / "d.db", SCHEMA), "--secret", SECRET, "--state", tmp_path / "s", env=lowered(TOKENS_ACTOR=3))
    for _ in range(3):
        last = made(s, ANN, "action=create&access=read&days=30")
    full = s.ask("POST", "/-/tokens", {**ANN, **FORM}, "action=create&access=read&days=30")
    assert full.status == 409 and "as many as one may have" in full.text
    assert s.ask("POST", "/-/create-token", {**ANN, **FORM}, "a=b").status == 409
    made(s, ROOT, "action=create&access=read&days=30")
    token = listed(s, ANN)[0]
    s.ask("POST", "/-/tokens", {**ANN, **FORM}, f"action=revoke&id={token['id']}")
    made(s, ANN, "action=create&access=read&days=30")
    assert s.get("/", last).status == 401


def test_where_nothing_can_be_kept(server, tmp_path):
    """Such a token is good until its end: there is no list that it could be missing from."""
    s = server(make(tmp_path / "d.db", SCHEMA), "--secret", SECRET, "--state", "/proc/nowhere")
    headers = made(s, ANN, "action=create&access=read&days=30")
    assert s.get("/d/t.json", headers).status == 200
    assert "cannot be listed" in s.get("/-/tokens", ANN).text


def test_in_a_space(server, tmp_path):
    """A token can never do more than its owner's role, nor outlive his membership."""
    hub = Hub(tmp_path)
    make(tmp_path / "data/d.db", SCHEMA)
    s = server("--space", tmp_path)
    browsers = {role: signed_on(s, hub, "u" + role) for role in ("owner", "editor", "viewer")}
    headers = {}
    for role, browser in browsers.items():
        page = browser.ask("POST", "/-/tokens", {**FORM, "Sec-Fetch-Site": "same-origin"}, "action=create&access=all&days=30")
        headers[role] = {"Authorization": "Bearer " + token_in(page)}
    assert {role: insert(s, headers[role]) for role in browsers} == {"owner": 201, "editor": 201, "viewer": 403}
    drop = lambda role: s.ask("POST", "/d/u/-/drop", {**headers[role], "Content-Type": "application/json"}, "{}").status
    assert drop("editor") == 403 and drop("owner") == 200
    assert s.get("/-/actor.json", headers["editor"]).json()["actor"] == {
        "id": "ueditor", "name": "Edi Editor", "email": "ueditor@example.org", "role": "editor", "token": "dstok",
        "token_expires": pytest.approx(time.time() + 30 * 86400, abs=100)}
    assert browsers["editor"].get("/-/tokens?all=1").status == 403
    page = browsers["owner"].get("/-/tokens?all=1")
    assert all(name in page.text for name in ("Olga Owner", "Edi Editor", "Vera Viewer"))
    hub.tell(members={user: {**m, "role": "viewer"} if user == "ueditor" else m
                      for user, m in hub.space["members"].items() if user != "uviewer"})
    until(lambda: s.get("/", headers["viewer"]).status == 401, "no member any more")
    assert insert(s, headers["editor"]) == 403 and s.get("/d/t.json", headers["editor"]).status == 200
