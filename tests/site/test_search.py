# SPDX-License-Identifier: Apache-2.0
"""/-/search: every table that can be searched, for those who may see it, in bounded time."""
import json

import pytest

import serving

SCRIPT = """
create table notes (id integer primary key, title text, body text);
insert into notes values (1, 'Pelican', 'A <b>large</b> bird'), (2, 'Heron', 'grey bird'), (3, 'Stone', 'no wings');
create virtual table notes_fts using fts5(title, body, content='notes');
insert into notes_fts (rowid, title, body) select id, title, body from notes;
create table many (id integer primary key, word text);
insert into many with recursive r(n) as (select 1 union all select n + 1 from r where n < 20) select n, 'bird' from r;
create virtual table many_fts using fts4(word, content='many');
insert into many_fts (docid, word) select id, word from many;
create table plain (id integer primary key, word text);
insert into plain values (1, 'bird');
"""
SECRET = """
create table vault (id integer primary key, word text);
insert into vault values (1, 'bird secretword');
create virtual table vault_fts using fts5(word, content='vault');
insert into vault_fts (rowid, word) select id, word from vault;
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("search")
    serving.make(folder / "a.db", SCRIPT)
    serving.make(folder / "s.db", SECRET)
    return folder


def serve(folder, config=None, files=("a.db", "s.db")):
    (folder / "datasette.json").write_text(json.dumps(config or {}))
    return serving.Server(*[folder / f for f in files], "--config", folder / "datasette.json", "--secret", "x").wait()


@pytest.fixture(scope="module")
def server(folder):
    server = serve(folder)
    yield server
    server.stop()


def names(tables):
    return [(t["database"], t["table"]) for t in tables]


def test_json(server):
    data = server.json("/-/search.json", q="bird")
    assert data["ok"] is True and data["q"] == "bird" and data["not_searched"] == []
    assert sorted(names(data["searchable_tables"])) == [("a", "many"), ("a", "notes"), ("s", "vault")]
    found = {t["table"]: t for t in data["results"]}
    assert [r["id"] for r in found["notes"]["rows"]] == [1, 2] and found["notes"]["more"] is False
    assert len(found["many"]["rows"]) == 5 and found["many"]["more"] is True
    assert found["notes"]["url"] == "/a/notes?_search=bird"
    assert server.get(found["notes"]["url_json"]).json()["rows"][0]["id"] == 1


def test_page(server):
    page = server.get("/-/search?q=bird").text
    assert "Found in 3 of 3 tables" in page and '<a href="/a/notes/1">1</a>' in page
    assert "A &lt;b&gt;large&lt;/b&gt; bird" in page
    assert 'href="/a/many?_search=bird"' in page and 'name="robots" content="noindex"' in page
    assert "/a/plain" not in page.split("<main")[1]


@pytest.mark.parametrize("q", ['"open', "a AND", "*", "x' or 1=1", "<script>alert(1)</script>", "%00", "é"])
def test_any_text(server, q):
    answer = server.get("/-/search", q=q)
    assert answer.status == 200 and "<script>alert" not in answer.text
    assert server.json("/-/search.json", q=q)["results"] == []


def test_empty_states(server, folder):
    page = server.get("/-/search").text
    assert "Looks in 3 tables" in page
    assert "No row of 3 tables" in server.get("/-/search?q=nosuchword").text
    other = serving.make(folder / "none.db", "create table t (a)")
    bare = serving.Server(other).wait()
    assert "No table here can be searched" in bare.get("/-/search?q=x").text
    index = bare.get("/").text
    assert "/-/search" not in index
    bare.stop()


def test_limit(server):
    assert server.get("/-/search", q="x" * 4097).status == 400
    assert server.get("/-/search", q="x" * 4096).status == 200


def test_links(server):
    index = server.get("/").text
    assert 'action="/-/search"' in index and 'href="/-/search">Search all tables' in index


def test_no_leak(folder):
    """Tables that the actor may not see are neither searched nor named, and their links do not show."""
    server = serve(folder, {"databases": {"s": {"allow": {"id": "root"}}}})
    for path in ("/-/search?q=secretword", "/-/search.json?q=secretword", "/-/search"):
        answer = server.get(path)
        assert answer.status == 200 and "vault" not in answer.text
    assert server.json("/-/search.json", q="bird")["results"] and server.json("/-/search.json", q="secretword")["results"] == []
    server.stop()
    only = serve(folder, {"databases": {"s": {"tables": {"vault": {"allow": False}}}}}, files=("s.db",))
    assert only.json("/-/search.json", q="secretword")["searchable_tables"] == []
    assert "/-/search" not in only.get("/").text and "/-/search" not in only.get("/s").text
    only.stop()


def test_needs_view_instance(folder):
    server = serve(folder, {"allow": {"id": "root"}})
    assert server.get("/-/search?q=bird").status == 403
    server.stop()


def test_configured_index_and_hidden_tables(folder):
    server = serve(folder, {"databases": {"a": {"tables": {"notes": {"hidden": True}, "plain": {"fts_table": "many_fts"}}}}})
    tables = names(server.json("/-/search.json", q="bird")["searchable_tables"])
    assert ("a", "notes") not in tables and ("a", "plain") in tables
    server.stop()


def test_a_broken_table_is_an_entry(folder):
    server = serve(folder, {"databases": {"a": {"tables": {"plain": {"fts_table": "nowhere"}}}}})
    broken = [t for t in server.json("/-/search.json", q="bird")["results"] if t["table"] == "plain"]
    assert "nowhere" in broken[0]["error"]
    assert "nowhere" in server.get("/-/search?q=bird").text
    server.stop()
