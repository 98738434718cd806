# SPDX-License-Identifier: Apache-2.0
"""Queries that visitors store: whose they are, who sees them, and forms that need no script."""
import html
import json
import re
import urllib.parse

import pytest

import signing
from serving import make

SECRET = "stored"
SCHEMA = "create table t (id integer primary key, name text); insert into t values (1, 'one'), (2, 'two');"
ANN, BOB, ROOT = (signing.cookie(SECRET, {"id": name}) for name in ("ann", "bob", "root"))
CONFIG = {"databases": {"d": {"permissions": {"store-query": {"id": ["ann", "bob"]}},
                              "queries": {"fixed": {"sql": "select 1 as one"}}}}}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def start(server, tmp_path):
    (tmp_path / "c.json").write_text(json.dumps(CONFIG))
    path = make(tmp_path / "d.db", SCHEMA)
    return lambda *options: server(path, "-c", tmp_path / "c.json", "--secret", SECRET, "--root", "--internal",
                                   tmp_path / "internal.db", *options)


def store(s, who, name, status=201, sql="select * from t where id = :id", **more):
    answer = s.ask("POST", "/d/-/queries/store", {**who, **JSON}, json.dumps({"query": {"name": name, "sql": sql, **more}}))
    assert answer.status == status, answer
    return answer.json()


def fields(page):
    """What a browser without scripts would send for the form of the query: pairs, in order."""
    form = re.search(r'<form class="core stored-query".*?</form>', page.text, re.S).group(0)
    pairs = []
    for found in re.finditer(r'<input ([^>]*)>|<textarea ([^>]*)>([^<]*)</textarea>', form):
        attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', found.group(1) or found.group(2)))
        if attributes.get("type") == "submit" or "name" not in attributes:
            continue
        if attributes.get("type") == "checkbox" and not re.search(r"\bchecked\b", found.group(1)):
            continue
        value = found.group(3) if found.group(2) else attributes.get("value", "")
        pairs.append((attributes["name"], html.unescape(value)))
    action = re.search(r'action="([^"]*)"', form).group(1)
    return action, pairs


def send(s, who, action, pairs, **headers):
    return s.ask("POST", html.unescape(action), {**who, **FORM, **headers}, urllib.parse.urlencode(pairs))


def seen(s, who):
    """Where the names of stored queries show to this actor."""
    lists = [s.get("/d/-/queries.json", who).json()["queries"], s.get("/-/queries.json", who).json()["queries"],
             s.get("/d.json", who).json()["queries"]]
    names = [{q["name"] for q in one} for one in lists]
    names.append({m["url"].rsplit("/", 1)[1] for m in s.get("/-/jump.json", who).json()["matches"] if m["type"] == "query"})
    assert all(one == names[0] for one in names), names
    return names[0]


def test_private_is_private(start):
    s = start()
    store(s, ANN, "hers")
    assert seen(s, ANN) == {"fixed", "hers"}
    for other in ({}, BOB, ROOT, signing.bearer(SECRET, "bob"), signing.bearer(SECRET, "ann", {"a": ["vd", "vi"]})):
        assert s.get("/d/hers.json?id=1", other).status == 403
        assert s.get("/d/hers.csv?id=1", other).status == 403
        assert s.get("/d/hers/-/definition.json", other).status == 403
        assert "hers" not in seen(s, other) if other is not ANN else True
        for verb in ("edit", "delete"):
            assert s.get(f"/d/hers/-/{verb}", other).status == 403
        assert s.ask("POST", "/d/hers/-/update", {**other, **JSON}, '{"update": {"title": "x"}}').status == 403
        assert s.ask("POST", "/d/hers/-/delete", {**other, **JSON}, "{}").status == 403
        check = s.get("/-/check.json?action=view-query&parent=d&child=hers", {**ROOT}, actor='{"id": "bob"}').json()
        assert check["allowed"] is False
    assert s.get("/d/hers.json?id=2", ANN).json()["rows"] == [{"id": 2, "name": "two"}]
    assert s.get("/d/hers.json?id=2", signing.bearer(SECRET, "ann")).status == 200
    page = s.get("/d/hers?id=1", ANN)
    assert "🔒" in page.text and '<span class="flag">Private</span>' in s.get("/d/-/queries", ANN).text


def test_published_and_taken_back(start):
    """What was kept of an answer ends with the change."""
    s = start()
    store(s, ANN, "hers", is_private=False)
    for _ in range(3):
        assert s.get("/d/hers.json?id=1").json()["rows"] == [{"id": 1, "name": "one"}]
    assert seen(s, {}) == {"fixed", "hers"}
    update = {**ANN, **JSON}
    assert s.ask("POST", "/d/hers/-/update", update, '{"update": {"sql": "select 2 as two"}}').status == 200
    assert s.get("/d/hers.json?id=1").json()["rows"] == [{"two": 2}]
    assert s.ask("POST", "/d/hers/-/update", update, '{"update": {"is_private": true}}').status == 200
    assert s.get("/d/hers.json?id=1").status == 403 and seen(s, {}) == {"fixed"}
    assert s.ask("POST", "/d/hers/-/delete", update, "{}").status == 200
    assert s.get("/d/hers.json?id=1", ANN).status == 404 and seen(s, ANN) == {"fixed"}


@pytest.mark.parametrize("private", [True, False])
def test_forms(start, private):
    s = start()
    assert "/d/-/queries/store?" in s.get("/d/-/query?sql=select+1", ANN).text
    assert "/d/-/queries/store?" not in s.get("/d/-/query?sql=select+1").text
    action, pairs = fields(s.get("/d/-/queries/store?sql=select+*+from+t+where+name+%3D+:name", ANN))
    assert ("sql", "select * from t where name = :name") in pairs and ("is_private", "1") in pairs
    pairs = [(k, {"name": "mine", "title": "<b>Mine</b>", "description": "D & D"}.get(k, v)) for k, v in pairs
             if private or (k, v) != ("is_private", "1")]
    foreign = send(s, ANN, action, pairs, **{"Sec-Fetch-Site": "cross-site"})
    assert foreign.status == 403 and "mine" not in seen(s, ANN)
    answer = send(s, ANN, action, pairs)
    assert (answer.status, answer.header("location")) == (302, "/d/mine"), answer.text
    assert ("mine" in seen(s, {})) is not private
    page = s.get("/d/mine?name=two", ANN)
    assert "&lt;b&gt;Mine&lt;/b&gt;" in page.text and "<b>Mine" not in page.text and ">two<" in page.text
    action, pairs = fields(s.get("/d/mine/-/edit", ANN))
    assert ("is_private", "1") in pairs if private else ("is_private", "1") not in pairs
    pairs = [(k, {"title": "Changed"}.get(k, v)) for k, v in pairs if (k, v) != ("is_private", "1")] + (
        [] if private else [("is_private", "1")])
    answer = send(s, ANN, action, pairs)
    assert (answer.status, answer.header("location")) == (302, "/d/mine"), answer.text
    assert "Changed" in s.get("/d/mine?name=two", ANN).text
    assert ("mine" in seen(s, {})) is private  # the tick was turned over
    confirm = s.get("/d/mine/-/delete", ANN)
    action = re.search(r'action="(/d/mine/-/delete)"', confirm.text).group(1)
    assert confirm.status == 200 and s.ask("POST", action, {**ANN, **FORM, "Origin": "https://evil.example"}, "").status == 403
    assert s.ask("POST", action, {**ANN, **FORM}, "").status == 302
    assert s.get("/d/mine", ANN).status == 404


def test_mistakes_keep_what_was_typed(start):
    s = start()
    action, pairs = fields(s.get("/d/-/queries/store?sql=select+1", ANN))
    for name, sql in (("", "select 1"), ("t", "select 1"), ("fixed", "select 1"), ("a/b", "select 1"), ("ok", ""),
                      ("ok", "select :_actor_id"), ("ok", "select * from gone"), ("ok", "delete from t"),
                      ("ok", "select 1; select 2")):
        typed = {"name": name, "sql": sql, "title": "kept \"title\""}
        answer = send(s, ANN, action, [(k, typed.get(k, v)) for k, v in pairs])
        assert answer.status in (400, 403), (name, sql, answer)
        back = dict(fields(answer)[1])
        assert back["title"] == 'kept "title"' and back["name"] == name and back["sql"] == sql
    assert seen(s, ANN) == {"fixed"}


def test_who_may_store(start):
    s = start()
    for other in ({}, signing.cookie(SECRET, {"id": "eve"}), signing.bearer(SECRET, "ann", {"a": ["es", "vd"]})):
        store(s, other, "no", status=403)
        assert s.get("/d/-/queries/store", other).status == 403
    store(s, BOB, "his")
    store(s, ANN, "his", status=400)
    for verb, body in (("update", '{"update": {"title": "x"}}'), ("delete", "{}")):
        assert s.ask("POST", f"/d/fixed/-/{verb}", {**ROOT, **JSON}, body).status == 403  # the configuration's
        assert s.ask("POST", f"/d/nope/-/{verb}", {**ROOT, **JSON}, body).status == 404
        assert s.ask("POST", f"/d/nope/-/{verb}", {**ANN, **JSON}, body).status == 403
        assert s.ask("POST", f"/d/his/-/{verb}", {**ANN, **JSON}, body).status == 403


def test_untrusted_needs_sql(server, tmp_path):
    """A stored query runs with the rights of who runs it, not of who stored it."""
    config = {"databases": {"d": {"allow_sql": {"id": "ann"}, "permissions": {"store-query": {"id": "ann"}},
                                  "tables": {"t": {"allow": {"id": "ann"}}}}}}
    (tmp_path / "c.json").write_text(json.dumps(config))
    s = server(make(tmp_path / "d.db", SCHEMA), "-c", tmp_path / "c.json", "--secret", SECRET)
    store(s, ANN, "open", is_private=False, sql="select name from t")
    assert s.get("/d/open.json", ANN).status == 200
    for path in ("/d/open.json", "/d/open", "/d/open.csv"):
        assert s.get(path, BOB).status == 403 and s.get(path).status == 403


def test_they_outlive_the_process(start):
    s = start()
    store(s, ANN, "hers", title="Hers")
    store(s, ANN, "ours", is_private=False)
    s.stop()
    s = start()
    assert seen(s, ANN) == {"fixed", "hers", "ours"} and seen(s, {}) == {"fixed", "ours"}
    assert s.get("/d/hers/-/definition.json", ANN).json()["query"]["title"] == "Hers"


PAYLOAD = "\"'><zq9 onzq=1></script><zq9>{{191*7}}"


def test_hostile_texts(start):
    s = start()
    name = "q" + PAYLOAD.replace("/", "")
    store(s, ANN, name, sql=f"select 1 as \"{PAYLOAD.replace(chr(34), chr(34) * 2)}\"", title=PAYLOAD, description=PAYLOAD,
          fragment=PAYLOAD, is_private=False)
    path = next(q for q in s.json("/-/queries.json")["queries"] if q["name"] == name) and s.get("/d/-/queries").text
    link = html.unescape(re.search(r'<a href="(/d/q~[^"]*)"', path).group(1)).split("#")[0]
    for page in (link, f"{link}/-/edit", f"{link}/-/delete", "/d/-/queries", "/-/queries", "/d", "/", f"{link}?_hide_sql=1",
                 "/d/-/queries/store?sql=" + urllib.parse.quote(PAYLOAD)):
        answer = s.get(page, ANN)
        assert answer.status == 200 and "<zq9" not in answer.text and "1337" not in answer.text, page
