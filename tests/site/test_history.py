# SPDX-License-Identifier: Apache-2.0
"""Histories of tables: who changed what, by which way, and bringing rows back. The writer is as often a plain SQLite
(Python's) as the program itself."""
import json
import sqlite3
import subprocess
import time
import xml.etree.ElementTree

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

import serving
from writing import SECRET, bearer, cookie, make, serve

SQL = """
create table docs (id integer primary key, title text, score float, data blob);
insert into docs values (1, 'First', 1.5, x'00ff'), (2, 'Second', 2.5, null);
create table pairs (a text, b integer, val text, primary key (a, b)) without rowid;
create table nopk (name text, n integer);
insert into nopk values ('n1', 1);
create table secret (id integer primary key, word text);
insert into secret values (1, 'xyzzy');
"""


@pytest.fixture
def site(tmp_path):
    server = serve(make(tmp_path / "data.db", SQL))
    server.file = tmp_path / "data.db"
    yield server
    server.stop()


def start(site, *tables):
    for table in tables or ("docs",):
        assert site.post(f"/data/{table}/-/history", {"enabled": True}, 200).json() == {"ok": True, "enabled": True}


def changes(site, path, **query):
    return site.json(f"{path}/-/history.json", **query)["changes"]


def outside(site, *statements):
    """Another program, which knows nothing of histories."""
    db = sqlite3.connect(site.file)
    for sql in statements:
        db.execute(*sql) if isinstance(sql, tuple) else db.executescript(sql)
    db.commit()
    db.close()


def test_every_way_of_writing(site):
    start(site)
    site.post("/data/docs/-/insert", {"row": {"title": "new"}}, 201)
    site.post("/data/docs/1/-/update", {"update": {"title": "changed"}}, 200, bearer("root"))
    outside(site, "update docs set score = 3 where id = 1; delete from docs where id = 2")
    got = changes(site, "/data/docs")
    assert [(c["version"], c["op"], c["who"], c["via"], c["changed"]) for c in got] == [
        (5, "delete", None, None, ["id", "title", "score"]), (4, "update", None, None, ["score"]),
        (3, "update", "root", "web", ["title"]), (2, "insert", "root", "web", ["id", "title"]),
        (1, "start", "root", "web", [])]
    assert got[0]["before"] == {"id": 2, "title": "Second", "score": 2.5, "data": None} and got[0]["after"] is None
    assert got[2]["before"]["data"] == {"$base64": True, "encoded": "AP8="} and got[2]["after"]["title"] == "changed"
    assert got[2]["row"] == {"id": 1}
    assert [c["version"] for c in changes(site, "/data/docs/1")] == [4, 3]
    assert [c["version"] for c in changes(site, "/data/docs", op="update", _size=1)] == [4]
    answer = site.json("/data/docs/-/history.json", _size=2)
    assert [c["version"] for c in answer["changes"]] == [5, 4] and answer["next"] == 4
    assert [c["version"] for c in site.json(answer["next_url"].split("/", 3)[-1].join(["/", ""]))["changes"]] == [3, 2]


def test_nobody_is_left_as_the_author(site):
    """The actor of one request must not stay for those that come after it."""
    start(site)
    site.post("/data/docs/1/-/update", {"update": {"title": "x"}}, 200)
    site.post("/data/docs/-/insert", {"row": {"id": 1}}, 400)
    outside(site, "update docs set title = 'y' where id = 1")
    assert [(c["who"], c["via"]) for c in changes(site, "/data/docs/1")] == [(None, None), ("root", "web")]
    db = sqlite3.connect(site.file)
    assert db.execute("select who, via from _vitrine_actor").fetchall() == [(None, None)]


def test_row_page_and_revert(site):
    start(site)
    site.post("/data/docs/1/-/update", {"update": {"title": "The first one", "score": None}}, 200)
    page = site.get("/data/docs/1", cookie()).text
    assert '<h2 id="history">History</h2>' in page and "by <strong>root</strong>" in page
    assert 'action="/data/docs/1/-/revert"' in page
    assert "revert" not in site.get("/data/docs/1").text  # who may not update sees the changes only
    assert "The first one" in site.get("/data/docs/1").text
    version = changes(site, "/data/docs/1")[0]["version"]
    assert site.post("/data/docs/1/-/revert", {"version": version}, 403, {}).json()["ok"] is False
    assert site.post("/data/docs/1/-/revert", {"version": version}, 200).json() == {"ok": True, "action": "updated"}
    assert site.json("/data/docs/1.json")["rows"] == [
        {"id": 1, "title": "First", "score": 1.5, "data": {"$base64": True, "encoded": "AP8="}}]
    assert changes(site, "/data/docs/1")[0]["op"] == "update"
    answer = site.form("/data/docs/1/-/revert", version=str(version))
    assert (answer.status, answer.header("location")) == (303, "/data/docs/1")
    for body, status in (({"version": 99}, 404), ({"version": "x"}, 400), ({}, 400), ({"version": 1, "y": 1}, 400)):
        site.post("/data/docs/1/-/revert", body, status)
    site.post("/data/docs/2/-/revert", {"version": version}, 404)  # a change of another row


def test_forms_of_other_sites_are_refused(site):
    start(site)
    site.post("/data/docs/1/-/update", {"update": {"title": "x"}}, 200)
    for path, body in (("/data/docs/1/-/revert", "version=2"), ("/data/docs/-/history", "enabled=0")):
        answer = site.ask("POST", path, {**cookie(), "Sec-Fetch-Site": "cross-site",
                                         "Content-Type": "application/x-www-form-urlencoded"}, body)
        assert answer.status == 403
    assert len(changes(site, "/data/docs/1")) == 1


def test_deleted_rows_come_back(site):
    start(site, "docs", "pairs", "nopk")
    site.post("/data/pairs/-/insert", {"row": {"a": "x/y", "b": 7, "val": "v"}}, 201)
    for table, key in (("docs", "1"), ("pairs", "x~2Fy,7"), ("nopk", "1")):
        before = site.json(f"/data/{table}/{key}.json")["rows"]
        site.post(f"/data/{table}/{key}/-/delete", {}, 200)
        assert site.get(f"/data/{table}/{key}.json").status == 404
        version = changes(site, f"/data/{table}/{key}")[0]["version"]
        assert "Restore this row" in site.get(f"/data/{table}/{key}/-/history", cookie()).text
        assert site.post(f"/data/{table}/{key}/-/revert", {"version": version}, 200).json()["action"] == "inserted"
        assert site.json(f"/data/{table}/{key}.json")["rows"] == before
        assert [c["op"] for c in changes(site, f"/data/{table}/{key}")[:2]] == ["insert", "delete"]
        assert site.post(f"/data/{table}/{key}/-/revert", {"version": version + 1}, 200).json()["action"] == "deleted"


def test_changed_keys_are_followed(site):
    start(site)
    site.post("/data/docs/1/-/update", {"update": {"id": 10}}, 200)
    assert [c["row"] for c in changes(site, "/data/docs/1")] == [{"id": 10}] == [c["row"] for c in changes(site, "/data/docs/10")]
    site.post("/data/docs/10/-/revert", {"version": 2}, 200)
    assert site.json("/data/docs/1.json")["rows"][0]["title"] == "First"


def test_altering_keeps_the_past(site):
    start(site)
    site.post("/data/docs/1/-/update", {"update": {"title": "a"}}, 200)
    site.post("/data/docs/-/alter", {"operations": [
        {"op": "rename_column", "args": {"name": "title", "to": "name"}},
        {"op": "add_column", "args": {"name": "extra", "type": "text"}},
        {"op": "drop_column", "args": {"name": "score"}},
        {"op": "rename_table", "args": {"to": "papers"}}]}, 200)
    site.post("/data/papers/1/-/update", {"update": {"name": "b", "extra": "e"}}, 200)
    new, old = changes(site, "/data/papers/1")
    assert (new["changed"], old["changed"]) == (["name", "extra"], ["name"])
    assert "extra" not in old["before"] and "score" in old["before"] and "score" not in new["before"]
    site.post("/data/papers/1/-/revert", {"version": old["version"]}, 200)
    row = site.json("/data/papers/1.json")["rows"][0]
    assert (row["name"], row["extra"]) == ("First", "e")  # what was not recorded then stays
    site.post("/data/papers/-/insert", {"row": {"name": "z", "more": 1}, "alter": True}, 201)
    assert changes(site, "/data/papers")[0]["after"]["more"] == 1


def test_rebuilding_a_table_keeps_recording(site):
    start(site)
    site.post("/data/docs/-/alter", {"operations": [{"op": "alter_column", "args": {"name": "title", "not_null": True}}]}, 200)
    assert [c["op"] for c in changes(site, "/data/docs")] == ["start"]  # copying the rows is no change
    outside(site, "update docs set title = 'z' where id = 2")
    assert changes(site, "/data/docs")[0]["changed"] == ["title"]


def test_changes_of_the_table_by_others_are_told(site):
    start(site)
    outside(site, "alter table docs add column extra; alter table docs rename column title to name")
    outside(site, "update docs set name = 'n', extra = 1 where id = 1")
    answer = site.json("/data/docs/-/history.json")
    assert answer["enabled"] and not answer["complete"] and "not recorded" in answer["problem"]
    assert "Not everything is recorded" in site.get("/data/docs/-/history").text
    start(site)
    assert site.json("/data/docs/-/history.json")["problem"] is None
    outside(site, "update docs set extra = 2 where id = 1")
    assert changes(site, "/data/docs")[0]["changed"] == ["extra"]
    outside(site, "alter table docs rename to other")
    outside(site, "update other set extra = 3 where id = 1")
    assert changes(site, "/data/other")[0]["changed"] == ["extra"]  # recording went on
    start(site, "other")
    assert site.json("/data/other/-/history.json")["complete"]


def test_a_single_rename_by_others_is_followed(site):
    start(site)
    outside(site, "update docs set title = 'old' where id = 1", "alter table docs rename column title to name")
    start(site)
    outside(site, "update docs set name = 'new' where id = 1")
    assert [c["changed"] for c in changes(site, "/data/docs/1")] == [["name"], ["name"]]


def test_feeds_and_exports(site):
    start(site)
    site.post("/data/docs/1/-/update", {"update": {"title": "a <b> & c"}}, 200)
    lines = site.get("/data/docs/-/history.csv").text.splitlines()
    assert lines[0] == ("version,at,op,who,via,row.id,before.id,before.title,before.score,before.data,after.id,after.title,"
                        "after.score,after.data")
    assert lines[1].startswith("2,") and ",update,root,web,1,1,First,1.5," in lines[1]
    feed = xml.etree.ElementTree.fromstring(site.get("/data/docs/-/history.atom").text)
    name = "{http://www.w3.org/2005/Atom}"
    assert [e.findtext(name + "title") for e in feed.findall(name + "entry")] == ["docs 1 changed", "docs: recording began"]
    assert feed.find(name + "entry").findtext(name + "content") == "title: First → a <b> & c\n"
    assert "a &lt;b&gt; &amp; c" in site.get("/data/docs/-/history").text
    assert site.get("/data/docs/-/history.nope").status in (400, 404)


def test_ending_and_forgetting(site):
    start(site)
    outside(site, "delete from docs where id = 1")
    site.post("/data/docs/-/history", {"enabled": False}, 200)
    outside(site, "delete from docs where id = 2")
    assert [c["op"] for c in changes(site, "/data/docs")] == ["stop", "delete", "start"]
    assert "not recorded any more" in site.get("/data/docs/-/history").text
    assert site.form("/data/docs/-/history", enabled="1").status == 303
    assert [c["op"] for c in changes(site, "/data/docs")] == ["start", "stop", "delete", "start"]
    site.post("/data/docs/-/history", {"enabled": False, "forget": True}, 200)
    assert changes(site, "/data/docs") == []
    for body in ({}, {"enabled": "yes"}, {"enabled": True, "x": 1}):
        site.post("/data/docs/-/history", body, 400)
    site.post("/data/docs/-/history", {"enabled": True}, 403, {})
    site.post("/data/nope/-/history", {"enabled": True}, 404)
    start(site)
    site.post("/data/docs/-/drop", {"confirm": True}, 200)
    db = sqlite3.connect(site.file)
    assert not db.execute("select name from sqlite_schema where name like '\\_history\\_docs%' escape '\\'").fetchall()


def test_a_history_cannot_be_changed(site):
    start(site)
    outside(site, "update docs set title = 'x' where id = 1")
    h = "/data/_history_docs"
    site.post(f"{h}/-/insert", {"row": {"op": "insert"}}, 403)
    site.post(f"{h}/2/-/update", {"update": {"op": "insert"}}, 403)
    site.post(f"{h}/2/-/delete", {}, 403)
    site.post(f"{h}/-/drop", {"confirm": True}, 403)
    site.post(f"{h}/-/alter", {"operations": [{"op": "drop_column", "args": {"name": "who"}}]}, 403)
    for sql in ("delete from _history_docs", "update _vitrine_actor set who = 'eve'", "drop table _history_docs",
                "insert into _history_docs (op) values ('x')", "drop trigger \"_history_docs:update\""):
        assert site.post("/data/-/execute-write", {"sql": sql}).status in (400, 403), sql
    assert site.post("/data/-/execute-write", {"sql": "update docs set title = 'y' where id = 1"}, 200)
    assert [c["who"] for c in changes(site, "/data/docs/1")] == ["root", None]


def test_who_may_change_rows_by_sql_needs_no_more(tmp_path):
    (tmp_path / "c.json").write_text(json.dumps({"databases": {"data": {
        "permissions": {"execute-write-sql": {"id": "bob"}},
        "tables": {"docs": {"permissions": {k: {"id": "bob"} for k in ("insert-row", "update-row", "delete-row")}}}}}}))
    site = serve(make(tmp_path / "data.db", SQL), "--config", tmp_path / "c.json")
    start(site)
    for sql in ("update docs set title = 'bob was here' where id = 1", "insert into docs (title) values ('b')"):
        site.post("/data/-/execute-write", {"sql": sql}, 200, bearer("bob"))
    assert changes(site, "/data/docs")[0]["who"] == "bob"
    site.stop()


def test_nothing_leaks(tmp_path):
    (tmp_path / "c.json").write_text(json.dumps({"databases": {"data": {
        "allow_sql": {"id": "root"},
        "tables": {"secret": {"allow": {"id": "root"}, "history": True}, "docs": {"history": True}}}}}))
    site = serve(make(tmp_path / "data.db", SQL), "--config", tmp_path / "c.json")
    site.file = tmp_path / "data.db"
    outside(site, "update secret set word = 'plugh' where id = 1")
    for path in ("/data/secret/-/history", "/data/secret/-/history.json", "/data/secret/-/history.atom", "/data/secret/1/-/history",
                 "/data/_history_secret", "/data/_history_secret.csv", "/data/_history_secret/2", "/data/_history_secret:aside",
                 "/data/_history_secret/-/autocomplete.json?q=x", "/data/_history_secret/-/history"):
        answer = site.get(path)
        assert answer.status == 403 and "xyzzy" not in answer.text and "plugh" not in answer.text, path
    assert "_history_secret" not in site.get("/data.json?_show_hidden=1").text
    assert "plugh" in site.get("/data/_history_secret.json", bearer()).text
    assert site.get("/data/_history_docs.json").status == 200
    assert site.json("/-/search.json?q=plugh")["results"] == []
    site.stop()


def test_configured(tmp_path):
    (tmp_path / "c.json").write_text(json.dumps({"databases": {"data": {"tables": {
        "docs": {"history": True}, "missing": {"history": True}}}}}))
    site = serve(make(tmp_path / "data.db", SQL), "--config", tmp_path / "c.json")
    assert [(c["op"], c["via"]) for c in changes(site, "/data/docs")] == [("start", "configuration")]
    site.stop()
    site = serve(tmp_path / "data.db", "--config", tmp_path / "c.json")
    assert len(changes(site, "/data/docs")) == 1
    site.stop()


@pytest.mark.parametrize("setting, left", [("history_max_rows", 3), ("history_max_age_days", 1)])
def test_old_changes_go(tmp_path, setting, left):
    path = make(tmp_path / "data.db", SQL)
    assert serving.run("history", "enable", path, "docs")[0] == 0
    db = sqlite3.connect(path)
    for i in range(20):
        db.execute("insert into docs (title) values (?)", [str(i)])
    db.execute("update _history_docs set at = '2020-01-01T00:00:00.000Z' where version < 21")
    db.commit()
    site = serve(path, "--setting", setting, str(left if setting.endswith("rows") else 30))
    end = time.monotonic() + 60
    while len(changes(site, "/data/docs")) > left and time.monotonic() < end:
        time.sleep(0.05)
    assert [c["version"] for c in changes(site, "/data/docs")] == list(range(21, 21 - left, -1))
    site.stop()


VALUES = st.one_of(st.none(), st.integers(-2**63, 2**63 - 1), st.floats(allow_nan=False), st.binary(max_size=4),
                   st.text(st.characters(
                       blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=4),
                   st.sampled_from(["1", 1, 1.0]))
TABLES = {
    "pk": ("create table t (id integer primary key, a, b text unique)", ["id"], ["id", "a", "b"]),
    "compound": ("create table t (x text collate nocase, y int, a, b unique, primary key (x, y)) without rowid", ["x", "y"],
                 ["x", "y", "a", "b"]),
    "rowid": ("create table t (a, b unique)", ["rowid"], ["rowid", "a", "b"]),
}
WRITES = st.lists(st.tuples(st.sampled_from(["insert into", "insert or replace into", "insert or ignore into", "upsert",
                                             "update or replace", "update", "update or ignore", "delete"]),
                            st.integers(1, 4), st.sampled_from("aAbc"), st.integers(1, 3), VALUES), max_size=25)


def exact(row):
    return [(type(v), v) for v in row]


@pytest.mark.parametrize("kind", TABLES)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(writes=WRITES, recursive=st.booleans())
def test_replaying_gives_the_table(tmp_path_factory, kind, writes, recursive):
    create, keys, columns = TABLES[kind]
    path = tmp_path_factory.mktemp("h") / "t.db"
    db = sqlite3.connect(path, isolation_level=None)
    db.execute(create)
    assert subprocess.run([serving.PROGRAM, "history", "enable", path, "t"], stdout=subprocess.DEVNULL).returncode == 0
    db.execute(f"pragma recursive_triggers = {int(recursive)}")
    real = [c for c in columns if c != "rowid"]
    for how, number, letter, unique, value in writes:
        values = {"id": number, "x": letter, "y": number, "a": value, "b": unique}
        into = f"({', '.join(real)}) values ({', '.join('?' * len(real))})"
        try:
            if how.startswith("insert"):
                db.execute(f"{how} t {into}", [values[c] for c in real])
            elif how == "upsert":
                target = "(b)" if kind == "rowid" else f"({', '.join(keys)})"
                db.execute(f"insert into t {into} on conflict {target} do update set a = excluded.a", [values[c] for c in real])
            elif how == "delete":
                db.execute("delete from t where b = ?", [unique])
            else:
                column = real[number % len(real)]
                db.execute(f"{how} t set {column} = ? where b = ?", [values[column], unique])
        except sqlite3.IntegrityError:
            pass
    state = {}
    history = db.execute("select * from _history_t where op in ('insert', 'update', 'delete') order by version")
    names = [d[0] for d in history.description]
    for row in (dict(zip(names, r)) for r in history):
        before, after = ([row[f"{side}.{c}"] for c in columns] for side in ("before", "after"))
        if row["op"] != "insert":
            assert exact(state.pop(tuple(before[:len(keys)]))) == exact(before)
        if row["op"] != "delete":
            assert tuple(after[:len(keys)]) not in state
            state[tuple(after[:len(keys)])] = after
    there = {tuple(r[:len(keys)]): r for r in db.execute(f"select {', '.join(columns)} from t")}
    assert {k: exact(v) for k, v in state.items()} == {k: exact(v) for k, v in there.items()}
    db.close()
