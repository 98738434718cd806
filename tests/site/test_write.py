# SPDX-License-Identifier: Apache-2.0
"""The write API: what the recorded cases of Datasette (tests/conformance) do not ask."""
import concurrent.futures
import json
import re
import sqlite3

import pytest

from writing import bearer, cookie, make, serve


@pytest.fixture
def site(tmp_path):
    server = serve(make(tmp_path / "data.db"))
    yield server
    server.stop()


@pytest.fixture
def other(tmp_path):
    """serve() with options; stopped at the end."""
    started = []

    def start(*options, sql=None):
        path = make(tmp_path / "data.db") if sql is None else make(tmp_path / "data.db", sql)
        started.append(serve(path, *options))
        return started[-1]
    yield start
    for server in started:
        server.stop()


# ---- rows


def test_columns_that_a_row_lacks_keep_their_default(site):
    rows = [{"name": "a"}, {"name": "b", "made": "then"}]
    site.post("/data/pets/-/insert", {"rows": rows}, 201)
    made = [row["made"] for row in site.rows("pets")][-2:]
    assert re.match(r"\d{4}-\d\d-\d\d ", made[0]) and made[1] == "then"


def test_upsert_changes_only_what_is_given(site):
    got = site.post("/data/docs/-/upsert", {"rows": [{"id": 1, "age": 11}, {"id": 2, "title": "new"}], "return": True}, 200)
    assert got.json()["rows"] == [{"id": 1, "title": "First", "score": 1.5, "age": 11},
                                  {"id": 2, "title": "new", "score": 2.5, "age": 20}]
    assert site.post("/data/pairs/-/upsert", {"rows": [{"a": "x", "b": 1}, {"a": "x", "b": 1}], "return": True},
                     200).json()["rows"] == [{"a": "x", "b": 1, "val": None}]


def test_all_or_nothing(site):
    before = site.rows("docs")
    site.post("/data/docs/-/insert", {"rows": [{"title": "a"}, {"title": "b"}, {"id": 1}]}, 400)
    site.post("/data/docs/-/insert", {"rows": [{"title": "a", "new": 1}, {"id": 1}], "alter": True}, 400)
    assert site.rows("docs") == before


def test_blobs_and_lists(site):
    site.post("/data/pets/1/-/update", {"update": {"photo": {"$base64": True, "encoded": "AAH/"}, "chip": ["x", {"y": "é"}]}}, 200)
    row = site.json("/data/pets/1.json")["rows"][0]
    assert row["photo"] == {"$base64": True, "encoded": "AAH/"} and row["chip"] == '["x", {"y": "é"}]'
    for bad in ({"$base64": True, "encoded": "x"}, {"$base64": True, "encoded": 1}):
        site.post("/data/pets/1/-/update", {"update": {"photo": bad}}, 400)


def test_without_rowid(other):
    site = other(sql="create table w (k text primary key, v text) without rowid")
    got = site.post("/data/w/-/insert", {"rows": [{"k": "b", "v": "1"}, {"k": "a"}], "return": True}, 201)
    assert got.json()["rows"] == [{"k": "b", "v": "1"}, {"k": "a", "v": None}]


def test_update_of_the_key(site):
    got = site.post("/data/docs/1/-/update", {"update": {"id": 100}, "return": True}, 200)
    assert got.json()["rows"] == [{"id": 100, "title": "First", "score": 1.5, "age": 10}]
    site.post("/data/docs/1/-/update", {"update": {"title": "x"}}, 404)


def test_search_index_follows(other):
    site = other(sql="""create table t (id integer primary key, body text);
        create virtual table t_fts using fts5(body, content='t', content_rowid='id');
        create trigger t_ai after insert on t begin insert into t_fts(rowid, body) values (new.id, new.body); end;""")
    site.post("/data/t/-/insert", {"row": {"body": "hello world"}}, 201)
    assert [r["id"] for r in site.json("/data/t.json?_shape=array&_search=hello")] == [1]


# ---- bad input


@pytest.mark.parametrize("body, says", [
    (b"", "Invalid JSON"), (b"{", "Invalid JSON"), (b'{"row": {"title": NaN}}', "Invalid JSON"),
    (b'{"row": {"title": "\xff"}}', "Invalid JSON"), (b'{"row": {"title": "\\ud800"}}', None),
    (b'{"row": ' + b"[" * 5000, "Invalid JSON"), (b'{"row": {"age": 99999999999999999999}}', "64 bits"),
    (b'{"row": {"age": -9223372036854775809}}', "64 bits"), (b'{"row": {}, "row": 1}', "dictionary"),
    (b'{"row": {"a": 1}, "rows": []}', "same time"), (b'{"rows": {}}', "list"), (b'{"rows": [[]]}', "dictionaries"),
    (b'{"row": {"title": 1}, "x": 1, "y": 2}', '"x", "y"'), (b"null", "dictionary"), (b"1e999", "dictionary")])
def test_refused_bodies(site, body, says):
    before = site.rows("docs")
    got = site.post("/data/docs/-/insert", body)
    if says is None:
        assert got.status == 201
        return
    assert got.status == 400 and got.json()["ok"] is False and says in got.json()["error"], got
    assert got.json()["errors"] and got.json()["status"] == 400
    assert site.rows("docs") == before


def test_many_columns(site):
    row = {f"c{i}": i for i in range(10000)}
    got = site.post("/data/docs/-/insert", {"row": row}, 400)
    assert got.json()["error"].count("c") > 9000
    assert "too many columns" in site.post("/data/docs/-/insert", {"row": row, "alter": True}, 400).json()["error"]
    assert list(site.rows("docs")[0]) == ["id", "title", "score", "age"]
    site.post("/data/-/create", {"table": "wide", "row": row}, 400)
    assert site.get("/data/wide.json").status == 404


def test_too_large(other):
    site = other("--setting", "max_post_body_bytes", "1000")
    for path in ("/data/docs/-/insert", "/data/docs/1/-/update", "/data/-/create", "/data/docs/-/alter",
                 "/data/-/execute-write", "/data/-/queries/store"):
        got = site.post(path, {"row": {"title": "x" * 2000}})
        assert got.status == 413 and "1000 bytes" in got.json()["error"], (path, got)
    got = site.raw(b"POST /data/docs/-/insert HTTP/1.1\r\nHost: h\r\nContent-Length: 10000000\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 413"), got
    site.alive()


NAMES = ['a"b', "a]b", "a'; drop table docs; --", "naïve ☃", "x" * 500, "select", " ", "%s%n", "../../etc", "a\tb", "<b>"]


@pytest.mark.parametrize("name", NAMES)
def test_names_from_outside(site, name):
    import serving
    site.post("/data/-/create", {"table": name, "columns": [{"name": name, "type": "text"}], "pk": "id"}, 201)
    path = f"/data/{serving.tilde(name)}"
    site.post(path + "/-/insert", {"row": {name: "v"}}, 201)
    site.post(path + "/1/-/update", {"update": {name: "w"}}, 200)
    assert site.json(path + ".json?_shape=array") == [{"id": 1, name: "w"}]
    site.post(path + "/-/alter", {"operations": [{"op": "alter_column", "args": {"name": name, "default": name}},
                                                 {"op": "rename_column", "args": {"name": name, "to": "plain"}}]}, 200)
    site.post(path + "/-/insert", {"row": {}}, 201)
    assert site.json(path + ".json?_shape=array")[-1] == {"id": 2, "plain": name}
    site.post(path + "/-/drop", {"confirm": True}, 200)
    assert len(site.rows("docs")) == 3


@pytest.mark.parametrize("name", ["", "sqlite_x", "a\nb", "a\0b", 5, None, []])
def test_refused_table_names(site, name):
    site.post("/data/-/create", {"table": name, "columns": [{"name": "a"}]}, 400)


# ---- who may


def test_nobody_by_default(site):
    for headers in ({}, bearer("ann"), cookie("ann"), bearer("root", _r={"a": ["vt"]})):
        for path, body in (("/data/docs/-/insert", {"row": {}}), ("/data/docs/-/upsert", {"rows": []}),
                           ("/data/docs/1/-/update", {"update": {}}), ("/data/docs/1/-/delete", {}),
                           ("/data/docs/-/drop", {"confirm": True}), ("/data/docs/-/alter", {"operations": []}),
                           ("/data/-/create", {}), ("/data/-/execute-write", {"sql": "delete from docs"}),
                           ("/data/-/queries/store", {}), ("/data/docs/-/set-column-type", {})):
            site.post(path, body, 403, headers)
    assert len(site.rows("docs")) == 3


def test_form_of_another_site(site):
    for path in ("/data/docs/-/insert", "/data/docs/-/insert-row", "/data/docs/1/-/delete-row", "/data/-/execute-write"):
        for foreign in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            got = site.form(path, {**cookie(), **foreign}, sql="delete from docs", **{"v.title": "evil"})
            assert got.status == 403, got
    assert len(site.rows("docs")) == 3


def test_allow_write(other, tmp_path):
    config = tmp_path / "c.json"
    config.write_text(json.dumps({"databases": {"data": {"tables": {"docs": {"allow_write": {"id": "ann"}},
                                                                    "pets": {"allow_write": True}}}}}))
    site = other("--config", config)
    got = site.post("/data/docs.json", {"row": {"title": "short"}}, 201, bearer("ann"))
    assert got.json()["rows"][0]["title"] == "short"
    site.post("/data/docs.json", {"rows": [{"title": "a"}, {"title": "b"}]}, 201, bearer("ann"))
    site.post("/data/docs.json", {"row": {"title": "no"}}, 403, bearer("bob"))
    site.post("/data/pets.json", {"row": {"name": "p"}}, 201, bearer("bob"))
    site.post("/data/pets.json", {"row": {"name": "p"}}, 403, {})
    site.post("/data/docs/-/drop", {"confirm": True}, 403, bearer("ann"))


def test_immutable(tmp_path):
    make(tmp_path / "data.db")
    from writing import SECRET, Site
    site = Site("-i", tmp_path / "data.db", "--root", "--secret", SECRET).wait()
    for path, body in (("/data/docs/-/insert", {"row": {}}), ("/data/docs/1/-/update", {"update": {"title": "x"}}),
                       ("/data/-/execute-write", {"sql": "delete from docs"}), ("/data/docs/-/drop", {"confirm": True})):
        assert "immutable" in site.post(path, body, 403).json()["error"]
    assert site.get("/data/docs/-/insert-row", cookie()).status == 403
    assert "Insert row" not in site.get("/data/docs", cookie()).text
    site.stop()


# ---- seen at once


def test_next_answer_shows_the_change(site):
    paths = ["/data/docs.json?_shape=array", "/data/docs", "/data", "/", "/data/titles.json?_shape=array",
             "/data/-/query.json?sql=select+count(*)+from+docs"]
    for n in range(30):
        before = [site.get(path).body for path in paths]
        site.post("/data/docs/-/insert", {"row": {"title": f"row {n}"}}, 201)
        after = [site.get(path).body for path in paths]
        assert all(x != y for x, y in zip(before, after)), [p for p, x, y in zip(paths, before, after) if x == y]
        assert f"row {n}".encode() in after[0]


def test_column_type_shows_at_once(site):
    assert "mailto:" not in site.get("/data/docs").text
    site.post("/data/docs/-/insert", {"row": {"title": "a@b.co"}}, 201)
    site.get("/data/docs")
    site.post("/data/docs/-/set-column-type", {"column": "title", "column_type": {"type": "email"}}, 200)
    assert "mailto:a@b.co" in site.get("/data/docs").text
    site.post("/data/docs/-/insert", {"row": {"title": "nonsense"}}, 400)
    site.post("/data/docs/-/set-column-type", {"column": "title", "column_type": None}, 200)
    assert "mailto:" not in site.get("/data/docs").text


def test_many_clients(site):
    """Each acknowledged row is there, none is there twice, and a failing client harms no other."""
    def client(n):
        mine, refused = [], 0
        connection = site.connect()
        for i in range(40):
            body = json.dumps({"row": {"id": 1000 * (n + 1) + i} if i % 8 else {"id": 1}})
            connection.request("POST", "/data/docs/-/insert", body, bearer())
            answer = connection.getresponse()
            text = json.loads(answer.read())
            if answer.status == 201:
                mine.append(text["rows"][0]["id"])
            else:
                assert answer.status == 400 and "UNIQUE" in text["error"]
                refused += 1
        connection.close()
        return mine, refused
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        results = list(pool.map(client, range(16)))
    wanted = sorted(i for mine, _ in results for i in mine)
    assert all(refused == 5 for _, refused in results) and len(wanted) == 16 * 35
    got = [r["id"] for r in site.json("/data/-/query.json?_shape=array&sql=select+id+from+docs+where+id>=1000+order+by+id")]
    assert got == wanted


def test_journal_mode_stays(site, tmp_path):
    site.post("/data/docs/-/insert", {"row": {"title": "x"}}, 201)
    with sqlite3.connect(tmp_path / "data.db") as db:
        assert db.execute("pragma journal_mode").fetchone() == ("delete",)
        db.execute("pragma journal_mode=wal")
    db.close()
    site.post("/data/docs/-/insert", {"row": {"title": "in wal"}}, 201)
    assert site.rows("docs")[-1]["title"] == "in wal"


# ---- altering


def alter(site, table, *operations, status=200):
    return site.post(f"/data/{table}/-/alter", {"operations": [{"op": op, "args": args} for op, args in operations]},
                     status).json()


RICH = """
create table t (id integer primary key, a varchar(20) collate nocase, b integer check (b > 0), c text default 'x''y');
insert into t values (1, 'one', 5, 'c1'); create index t_a on t(a);
create trigger t_up after update on t begin insert into log values (old.a); end; create table log (a text);
create table plain (a text unique not null default 'd', b decimal(10, 2), k integer references plain(rowid) on delete cascade);
insert into plain values ('1', 2.5, 1), ('2', null, null); create index plain_b on plain(b) where b is not null;
create view v as select a from plain; create table child (x text primary key, p text references plain(a)) strict;
"""


def test_rebuilding_loses_nothing(other, tmp_path):
    site = other(sql=RICH)
    got = alter(site, "plain", ("reorder_columns", {"columns": ["k", "b"]}), ("add_column", {"name": "z", "default": "q"}))
    assert 'UNIQUE' in got["schema"] and "decimal(10, 2)" in got["schema"] and "ON DELETE CASCADE" in got["schema"]
    assert site.rows("plain") == [
        {"rowid": 1, "k": 1, "b": 2.5, "a": "1", "z": None}, {"rowid": 2, "k": None, "b": None, "a": "2", "z": None}]
    db = sqlite3.connect(tmp_path / "data.db")
    assert db.execute("select sql from sqlite_master where name = 'plain_b'").fetchone()[0].endswith("where b is not null")
    assert [r[0] for r in db.execute("select a from v order by 1")] == ["1", "2"]
    assert db.execute("pragma integrity_check").fetchone() == ("ok",)
    assert 'references plain(a)' in db.execute("select sql from sqlite_master where name = 'child'").fetchone()[0]
    alter(site, "child", ("add_column", {"name": "n", "type": "integer", "default": 3}))
    assert db.execute("select sql from sqlite_master where name = 'child'").fetchone()[0].endswith("STRICT")
    db.close()


def test_rebuilding_keeps_checks_and_triggers(other, tmp_path):
    site = other(sql=RICH)
    got = alter(site, "t", ("alter_column", {"name": "b", "type": "text"}), ("rename_column", {"name": "a", "to": "aa"}))
    assert '"b" TEXT check (b > 0)' in got["schema"] and '"aa" varchar(20) collate nocase' in got["schema"]
    site.post("/data/t/1/-/update", {"update": {"b": "-1"}}, 400)
    assert site.json("/data/t.json?_shape=array") == [{"id": 1, "aa": "one", "b": "5", "c": "c1"}]
    got = alter(site, "t", ("rename_column", {"name": "c", "to": "cc"}), ("add_column", {"name": "d"}))
    site.post("/data/t/1/-/update", {"update": {"aa": "two"}}, 200)
    assert site.rows("log") == [{"rowid": 1, "a": "one"}]
    db = sqlite3.connect(tmp_path / "data.db")
    assert db.execute("select sql from sqlite_master where name = 't_a'").fetchone()[0] == 'CREATE INDEX t_a on t("aa")'
    assert 'old."aa"' in db.execute("select sql from sqlite_master where name = 't_up'").fetchone()[0]
    db.close()


def test_rebuilding_refuses_what_would_break(other):
    site = other(sql=RICH + "create trigger t_ins after insert on t begin insert into log values (new.b); end;")
    before = site.json("/data/-/schema.json")
    for table, column, says in (("plain", "b", "plain_b"), ("plain", "a", "a view would not work"),
                                ("t", "b", "a trigger would not work")):
        got = alter(site, table, ("drop_column", {"name": column}), ("add_column", {"name": "new"}), status=400)
        assert says in got["error"], got
    assert before == site.json("/data/-/schema.json")


@pytest.mark.parametrize("operation", [
    ("rename_column", {"name": "nope", "to": "x"}), ("alter_column", {"name": "nope", "type": "text"}),
    ("alter_column", {"name": "title"}), ("alter_column", {"name": "title", "type": "nope"}),
    ("set_primary_key", {"columns": ["nope"]}), ("set_primary_key", {"columns": []}), ("rename_table", {"to": ""}),
    ("rename_table", {"to": "sqlite_x"}), ("add_foreign_key", {"column": "age", "fk_table": "nope"}),
    ("add_foreign_key", {"column": "age", "fk_table": "pairs"}), ("add_column", {"name": "title"}),
    ("add_column", {"name": "x", "default": 1, "default_expr": "current_date"}), ("add_column", {}),
    ("rename_column", {"name": "title", "to": "age"}), ("add_column", {"name": "x", "extra": 1}),
    ("set_foreign_keys", {"foreign_keys": [{}]}), ("nope", {}), ("drop_column", [])])
def test_wrong_operations(site, operation):
    before = site.json("/data/docs/-/schema.json")
    alter(site, "docs", ("add_column", {"name": "first"}), operation, status=400)
    assert site.json("/data/docs/-/schema.json") == before


def test_create_with_everything(site):
    got = site.post("/data/-/create", {"table": "new", "columns": [
        {"name": "n", "type": "integer", "not_null": True, "default": 7}, {"name": "t", "default": "it's"},
        {"name": "u", "type": "integer", "default_expr": "current_unixtime"}, {"name": "f", "type": "float", "default": 1.5},
        {"name": "o", "type": "integer", "fk_table": "owners"}, {"name": "self", "fk_table": "new", "fk_column": "n"}],
        "pks": ["n", "t"]}, 201).json()
    site.post("/data/new/-/insert", {"row": {}}, 201)
    row = site.rows("new")[0]
    assert (row["n"], row["t"], row["f"], row["o"]) == (7, "it's", 1.5, None) and row["u"] > 1_700_000_000
    assert 'REFERENCES "owners"("id")' in got["schema"]
    for bad in ([{"name": "a", "fk_table": "nope"}], [{"name": "a", "fk_table": "pairs"}], [{"name": "a"}, {"name": "a"}],
                [{"name": "a", "fk_column": "id"}], [{"name": "a", "default_expr": "random()"}], [{"name": 1}]):
        site.post("/data/-/create", {"table": "bad", "columns": bad}, 400)
    assert site.get("/data/bad.json").status == 404


# ---- SQL that writes


def write(site, sql, status=200, headers=None, **params):
    return site.post("/data/-/execute-write", {"sql": sql, "params": params}, status, headers).json()


@pytest.mark.parametrize("sql", [
    "attach ':memory:' as x", "pragma journal_mode=wal", "begin", "commit", "savepoint x", "vacuum", "analyze", "reindex",
    "create temp table x (a)", "create temp view x as select 1", "create virtual table x using fts5(a)",
    "create trigger x after insert on docs begin delete from docs; end", "detach main"])
def test_not_for_visitors(site, sql):
    before = site.json("/data/-/schema.json")
    assert write(site, sql, 403)["ok"] is False
    assert site.json("/data/-/schema.json") == before


def test_sql_needs_rights_for_each_table(other, tmp_path):
    config = tmp_path / "c.json"
    config.write_text(json.dumps({"databases": {"data": {
        "permissions": {"execute-write-sql": {"id": "ann"}, "insert-row": {"id": "ann"}},
        "tables": {"docs": {"permissions": {"update-row": {"id": "ann"}, "delete-row": {"id": "ann"}}},
                   "owners": {"allow": {"id": "bob"}}}}}}))
    site = other("--config", config, sql="""create table docs (id integer primary key, title text);
        create table owners (name text); insert into owners values ('secret'); create table log (t text);
        create trigger tr after delete on docs begin insert into log values (old.title); end;
        create view d as select * from docs""")
    ann = bearer("ann")
    write(site, "insert into docs (title) values ('x')", 200, ann)
    assert "view-table" in write(site, "insert into docs (title) select name from owners", 403, ann)["error"]
    assert "on data/log" in write(site, "delete from docs", 403, ann)["error"], "the trigger writes there"
    assert "drop-table" in write(site, "drop table docs", 403, ann)["error"]
    assert "create-table" in write(site, "create table x as select * from docs", 403, ann)["error"]
    assert "alter-table" in write(site, "create index i on docs(title)", 403, ann)["error"]
    assert len(site.rows("docs")) == 1


def test_a_view_is_no_way_round(tmp_path, request):
    """Whoever sees a view is not asked for the tables it reads: who may not read those by SQL defines none."""
    (tmp_path / "c.json").write_text(json.dumps({"databases": {"data": {
        "allow_sql": {"id": "root"}, "tables": {"docs": {"allow": {"id": "root"}}},
        "permissions": {name: {"id": ["ann", "root"]} for name in ("execute-write-sql", "create-view", "create-table")}}}}))
    server = serve(make(tmp_path / "data.db"), "-c", tmp_path / "c.json")
    request.addfinalizer(server.stop)
    view = {"sql": "create view leak as select * from docs"}
    got = server.post("/data/-/execute-write", view, 403, bearer("ann")).json()
    assert "execute-sql" in json.dumps(got) and server.ask("GET", "/data/leak.json", bearer("ann")).status == 404
    shown = server.ask("GET", "/data/-/execute-write/analyze?sql=create+view+leak+as+select+*+from+docs", bearer("ann"))
    assert shown.status == 200 and shown.json()["execute_disabled"] is True, shown
    server.post("/data/-/execute-write", {"sql": "create table copy as select * from docs"}, 403, bearer("ann"))
    server.post("/data/-/execute-write", view, 200)


def test_returning_is_cut(site):
    got = write(site, "insert into nopk (n) with recursive c(n) as (select 1 union all select n + 1 from c where n < 50) "
                      "select n from c returning n")
    assert got["rowcount"] == 50 and len(got["rows"]) == 10 and got["truncated"] is True
    assert len(site.rows("nopk")) == 51


def test_sql_that_never_ends(other):
    site = other()
    got = site.get("/data/-/execute-write/analyze", bearer(), sql="insert into docs (title) values (:t)").json()
    assert got["parameters"] == ["t"] and got["execute_disabled"] is False
    assert write(site, "insert into docs (title) values (:_actor_id)", 400)["error"] == "Magic parameters are not allowed"
    assert "Unknown parameters: x" in write(site, "delete from docs", 400, x=1)["error"]


# ---- stored queries


def test_stored_by_a_visitor(site):
    ann, bob = bearer("ann"), bearer("bob")
    query = {"query": {"name": "q", "sql": "select :x as x", "is_private": True}}
    site.post("/data/-/queries/store", query, 403, ann)
    site.post("/data/-/queries/store", query, 201)
    assert site.get("/data/q.json?x=1", bearer()).json()["rows"] == [{"x": "1"}]
    assert site.get("/data/q.json?x=1", bob).status == 403 and site.get("/data/q.json").status == 403
    assert "/data/q" not in site.get("/data").text and "/data/q" in site.get("/data", cookie()).text
    site.post("/data/q/-/update", {"update": {"is_private": False, "sql": "insert into docs (title) values (:x)"}}, 200)
    got = site.post("/data/q", {"x": "by bob"}, headers={**bob, "Accept": "application/json"})
    assert got.status == 403, "it runs with the rights of whoever runs it"
    got = site.post("/data/q", {"x": "by root"}, headers={**bearer(), "Accept": "application/json"})
    assert got.status == 200 and site.rows("docs")[-1]["title"] == "by root"
    site.post("/data/q/-/delete", {}, 403, bob)
    site.post("/data/q/-/delete", {}, 200)
    assert site.get("/data/q.json", bearer()).status == 404


def test_stored_queries_stay(tmp_path):
    make(tmp_path / "data.db")
    for n in range(2):
        site = serve(tmp_path / "data.db", "--internal", tmp_path / "internal.db")
        if n == 0:
            site.post("/data/-/queries/store", {"query": {"name": "kept", "sql": "select 1 as one", "is_private": False}}, 201)
            site.post("/data/docs/-/set-column-type", {"column": "title", "column_type": {"type": "url"}}, 200)
        assert site.json("/data/kept.json?_shape=array") == [{"one": 1}]
        assert site.json("/data/docs.json?_extra=column_types")["column_types"] == {"title": {"type": "url", "config": None}}
        site.stop()


# ---- pages


def test_forms_without_javascript(site):
    page = site.get("/data/docs", cookie()).text
    assert "/data/docs/-/insert-row" in page and "/data/docs/-/insert-row" not in site.get("/data/docs").text
    form = site.get("/data/pets/-/insert-row", cookie())
    assert form.status == 200 and 'name="v.name"' in form.text
    got = site.form("/data/pets/-/insert-row", **{"v.id": "", "v.name": "Tom <i>", "v.owner_id": "2", "v.chip": "", "v.made": ""})
    assert got.status == 302 and got.header("location") == "/data/pets/2" and "ds_messages" in got.header("set-cookie")
    row = site.json("/data/pets/2.json")["rows"][0]
    assert (row["name"], row["owner_id"], row["chip"]) == ("Tom <i>", 2, None) and row["made"]
    assert "Tom &lt;i&gt;" in site.get("/data/pets/2/-/edit-row", cookie()).text
    got = site.form("/data/pets/2/-/edit-row", **{"v.name": "Tim", "v.owner_id": "2", "n.chip": "1", "n.made": "1", "v.made": "x"})
    assert got.status == 302 and site.json("/data/pets/2.json")["rows"][0]["made"] is None
    got = site.form("/data/pets/2/-/edit-row", **{"v.name": "Tim", "v.chip": "c1"})
    assert got.status == 400 and "UNIQUE constraint failed: pets.chip" in got.text and 'value="c1"' in got.text
    assert "Delete this row" in site.get("/data/pets/2/-/delete-row", cookie()).text
    assert site.form("/data/pets/2/-/delete-row").header("location") == "/data/pets"
    assert site.get("/data/pets/2.json").status == 404
    for path in ("/data/pets/-/insert-row", "/data/pets/1/-/edit-row", "/data/pets/1/-/delete-row", "/data/-/create-table"):
        assert site.get(path).status == 403
    got = site.form("/data/pairs/p~2Fq,2/-/edit-row", **{"v.a": "x/y", "v.b": "3", "v.val": "slash"})
    assert got.header("location") == "/data/pairs/x~2Fy,3"


def test_form_makes_a_table(site):
    assert 'name="name.0"' in site.get("/data/-/create-table", cookie()).text
    got = site.form("/data/-/create-table", **{"table": "made", "name.0": "id", "type.0": "integer", "pk.0": "1",
                                               "name.1": "owner", "type.1": "integer", "fk_table.1": "owners"})
    assert got.status == 302 and got.header("location") == "/data/made"
    assert site.json("/data/made.json")["rows"] == []
    assert "already exists" in site.form("/data/-/create-table", **{"table": "made", "name.0": "x", "type.0": "text"}).text
    assert site.form("/data/-/create-table", **{"table": "sqlite_no", "name.0": "x", "type.0": "text"}).status == 400


def test_execute_write_page(site):
    sql = "insert into owners (name) values (:name) returning id, name"
    got = site.form("/data/-/execute-write", sql=sql)
    assert got.status == 200 and 'name="_sql_param_name"' in got.text and "insert-row, update-row, delete-row" in got.text
    assert len(site.rows("owners")) == 2, "the parameters are asked for first"
    got = site.form("/data/-/execute-write", sql=sql, _sql_param_name="<Zoe>")
    assert got.status == 200 and "1 row affected" in got.text and "&lt;Zoe&gt;" in got.text and "/data/owners/3" in got.text
    assert got.header("x-frame-options") == "DENY"
    got = site.form("/data/-/execute-write", sql="insert into owners (id) values (1)")
    assert got.status == 400 and "UNIQUE constraint failed" in got.text
    assert site.get("/data/-/execute-write").status == 403


def test_sql_that_reads_on_the_way(tmp_path):
    """Names of WITH and of sub-selects are nobody's; a table of which no column is read is a table all the same."""
    (tmp_path / "c.json").write_text(json.dumps(
        {"databases": {"data": {"tables": {"pets": {"allow": {"id": "nobody"}}}}}}))
    server = serve(make(tmp_path / "data.db"), "-c", tmp_path / "c.json")
    try:
        for sql in ("insert into nopk (n) select x from (select 1 as x) as y",
                    "with c(x) as (select 5) insert into nopk (n) select x from c",
                    "with recursive c(i) as (select 1 union all select i + 1 from c where i < 3) "
                    "insert into nopk (n) select i from c",
                    "update docs set age = (select max(m) from (select age + 1 as m from docs) z)",
                    "insert into nopk (n) select count(*) from owners",
                    "delete from docs where id in (select id from (select * from docs limit 1))"):
            server.post("/data/-/execute-write", {"sql": sql}, 200)
        for sql in ("insert into nopk (n) select count(*) from pets", "insert into nopk (n) select 1 from docs, pets",
                    "insert into nopk (n) select count(*) from (select 1 from pets)"):
            got = server.post("/data/-/execute-write", {"sql": sql}, 403).json()
            assert got["error"] == "Permission denied: need view-table on data/pets", sql
    finally:
        server.stop()


def test_actions_only_for_who_may(site):
    assert "/data/-/execute-write" in site.get("/data", cookie()).text
    assert "/-/edit-row" in site.get("/data/docs/1", cookie()).text
    for path in ("/data", "/data/docs", "/data/docs/1"):
        text = site.get(path).text
        assert not any(word in text for word in ("/-/execute-write", "/-/insert-row", "/-/edit-row", "/-/create-table"))
