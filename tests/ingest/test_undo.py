# SPDX-License-Identifier: Apache-2.0
"""vitrine undo: the last import is taken back, whatever it did, or not at all."""
import json
import sqlite3
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from serving import PROGRAM, make, run

BEFORE = """
create table t (id integer primary key, name text unique, n real default 5);
insert into t values (1, 'one', 1.5), (2, 'two', null), (5, 'five', 5);
create index t_n on t(n); create view v as select name from t;
create table free (a text, b integer); insert into free (rowid, a, b) values (3, 'x', 1), (9, 'y', 2);
create table keyed (k text primary key, v text) without rowid; insert into keyed values ('a', '1'), ('b', '2');
create table log (what text); create trigger t_log after delete on free begin insert into log values (old.a); end;
"""


NOT_OURS = "name not like '!_vitrine%' escape '!'"


@pytest.fixture
def database(tmp_path):
    return make(tmp_path / "t.db", BEFORE)


def picture(path):
    """Everything but our own log."""
    db = sqlite3.connect(path)
    try:
        schema = db.execute(f"select type, name, sql from sqlite_master where {NOT_OURS} order by 1, 2").fetchall()
        names = [n for kind, n, _ in schema if kind == "table" and not n.startswith("sqlite")]
        rows = {}
        for name in names:
            quoted = '"' + name.replace('"', '""') + '"'
            try:
                rows[name] = db.execute(f"select rowid, * from {quoted} order by 1").fetchall()
            except sqlite3.OperationalError:
                rows[name] = db.execute(f"select * from {quoted} order by 1").fetchall()
        assert db.execute("pragma integrity_check").fetchone() == ("ok",)
        return schema, rows
    finally:
        db.close()


def bring(database, verb, table, text, *options):
    file = database.parent / ("in.json" if text.startswith("[") else "in.csv")
    file.write_text(text)
    status, out, err = run(verb, database, table, file, *options)
    assert status == 0, err
    return out, err


def undo(database):
    status, out, err = run("undo", database)
    assert (status, out) == (0, ""), err
    return err


IMPORTS = {
    "made": ("insert", "new", "a,b\n1,x\n2,y\n", []),
    "made of odd values": ("insert", "new",
                           "a,b,c,d,e,f\n1,-0.0,007,,1/31/2020,99999999999999999999\n,1e5,é,x,2/28/2020,1\n-5,,,\"\",,\n",
                           ["--null", "NA", "--default", "d", "q"]),
    "made with blank keys": ("insert", "new", "a,b\n1,x\n,y\n", ["--pk", "a"]),
    "made with same keys": ("insert", "new", "a,b\n1,x\n1,y\n", ["--pk", "a", "--replace"]),
    "made of blobs": ("insert", "new",
                      '[{"a": {"$base64": true, "encoded": "AP8="}, "b": 5}, {"a": 1, "b": "x"}, {"a": "t", "c": 1.5}]', []),
    "made with lists": ("insert", "new",
                        '[{"id": 1, "l": [{"a": 1}, {"a": 2}]}, {"id": 2, "l": [{"a": 3}]}]', ["--children", "--pk", "id"]),
    "made with all": ("insert", "new", "a,b,c\n1,x,red\n2,y,blue\n", [
        "--extract", "c", "--index", "a", "--fts", "b", "--pk", "a"]),
    "added": ("insert", "t", "id,name,n\n7,seven,7\n8,eight,8\n", []),
    "added in any order": ("insert", "t", "id,name\n90,a\n4,b\n3,c\n91,d\n", []),
    "added without key": ("insert", "free", "a,b\np,1\nq,2\n", []),
    "added with rejects": ("insert", "t", "id,name\n1,again\n10,ten\n", []),
    "ignored": ("insert", "t", "id,name\n1,again\n10,ten\n", ["--ignore"]),
    "columns": ("insert", "t", "id,name,extra,more\n10,ten,e,1\n", ["--alter"]),
    "replaced": ("insert", "t", "id,name\n1,uno\n10,ten\n11,five\n10,zehn\n", ["--replace"]),
    "upserted": ("upsert", "t", "id,name\n1,uno\n10,ten\n1,eins\n", []),
    "upserted columns": ("upsert", "t", "id,extra\n1,uno\n10,ten\n", ["--alter"]),
    "upserted keyed": ("upsert", "keyed", "k,v\na,one\nc,three\n", []),
    "truncated": ("insert", "t", "id,name\n1,uno\n", ["--truncate"]),
    "truncated free": ("insert", "free", "a\nnew\n", ["--truncate"]),
    "table anew": ("insert", "t", "x,y\n1,uno\n", ["--replace-table"]),
}


@pytest.mark.parametrize("name", IMPORTS)
def test_every_way(database, name):
    verb, table, text, options = IMPORTS[name]
    before = picture(database)
    bring(database, verb, table, text, *options)
    assert picture(database) != before
    assert "Took back the import of" in undo(database)
    after = picture(database)
    if name.startswith("truncated free"):
        after[1]["log"] = before[1]["log"]
    if name == "added without key":  # the user's trigger saw the rows go
        assert [row[1] for row in after[1]["log"]] == ["p", "q"]
        after[1]["log"] = before[1]["log"]
    assert after == before
    status, _, err = run("undo", database)
    assert status and "no import" in err


def test_only_the_last_one(database):
    bring(database, "insert", "t", "id,name\n10,ten\n")
    middle = picture(database)
    bring(database, "insert", "new", "a\n1\n")
    undo(database)
    assert picture(database) == middle
    status, _, err = run("undo", database)
    assert status and "a later import" in err and picture(database) == middle
    assert [r["table"] for r in json.loads(run("tables", database)[1])] == ["free", "keyed", "log", "t"]


@pytest.mark.parametrize("name, change", [
    ("made", "update new set b = 'changed' where a = 1"), ("made", "insert into new values (3, 'z')"), ("made", "delete from new"),
    ("made", "alter table new add column z"), ("made", "drop table new"), ("added", "update t set n = 8 where id = 7"),
    ("added", "delete from t where id = 8"), ("upserted", "update t set n = 8 where id = 1"),
    ("truncated", "insert into t (id) values (77)"),
    ("replaced", "delete from t where id = 10")])
def test_changed_since(database, name, change):
    verb, table, text, options = IMPORTS[name]
    bring(database, verb, table, text, *options)
    with sqlite3.connect(database) as db:
        db.execute(change)
    before = picture(database)
    status, _, err = run("undo", database)
    assert status and ("was changed after" in err or "not there any more" in err), err
    assert picture(database) == before


def test_other_changes_are_kept(database):
    bring(database, "insert", "t", "id,name\n10,ten\n")
    with sqlite3.connect(database) as db:
        db.execute("update t set n = 99 where id = 1")
        db.execute("insert into free (a) values ('mine')")
    undo(database)
    db = sqlite3.connect(database)
    assert db.execute("select id, n from t order by 1").fetchall() == [(1, 99.0), (2, None), (5, 5.0)]
    assert db.execute("select count(*) from free").fetchone() == (3,)
    db.close()


def test_search_index_follows(database):
    assert run("enable-fts", database, "t", "name", "--create-triggers")[0] == 0
    for name in ("added", "upserted", "replaced", "truncated"):
        verb, table, text, options = IMPORTS[name]
        bring(database, verb, table, text, *options)
        undo(database)
        for word, count in (("one", 1), ("ten", 0), ("uno", 0), ("five", 1), ("seven", 0)):
            assert len(json.loads(run("search", database, "t", word)[1])) == count, (name, word)


def test_without_and_wrong(database, tmp_path):
    bring(database, "insert", "new", "a\n1\n", "--no-undo")
    assert "no import" in run("undo", database)[2]
    db = sqlite3.connect(database)
    assert db.execute("select count(*) from sqlite_master where name like '\\_vitrine%' escape '\\'").fetchone() == (0,)
    db.close()
    assert "no database" in run("undo", tmp_path / "none.db")[2] and not (tmp_path / "none.db").exists()
    bring(database, "insert", "more", "a\n1\n", "--dry-run")
    assert "no import" in run("undo", database)[2]
    for n in range(3):
        bring(database, "insert", f"many{n}", "a\n1\n")
    for option in ("--index", "--fts", "--extract"):
        status, _, err = run("insert", database, "bad", database.parent / "in.csv", option, "nope")
        assert status and f"{option}: there is no column" in err
    status, _, err = run("insert", database, "many0", database.parent / "in.csv", "--extract", "a")
    assert status and "vitrine extract" in err


@pytest.mark.parametrize("point", ["undo.kept", "undo.commit"])
@pytest.mark.parametrize("name", ["upserted", "truncated", "added"])
def test_killed(database, point, name):
    verb, table, text, options = IMPORTS[name]
    states = [picture(database)]
    if point == "undo.commit":
        bring(database, verb, table, text, *options)
        states = [picture(database)]
    (database.parent / "in.csv").write_text(text)
    bringing = [verb, database, table, database.parent / "in.csv", *options]
    command = ["undo", database] if point == "undo.commit" else bringing
    done = subprocess.run([PROGRAM, *command], capture_output=True, env={"VITRINE_FAULT": f"{point}:1:kill"})
    if done.returncode == 0:
        pytest.skip("the program was built without fault points")
    assert done.returncode == -9 and picture(database) in states


CELLS = st.one_of(st.integers(0, 12).map(str), st.sampled_from(["", "x", "1.5", "007"]))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(old=st.dictionaries(st.integers(0, 12), CELLS, max_size=8),
       new=st.lists(st.tuples(st.integers(0, 12), CELLS), min_size=1, max_size=8),
       way=st.sampled_from([["insert"], ["insert", "--replace"], ["insert", "--ignore"], ["upsert"], ["insert", "--truncate"]]),
       key=st.sampled_from(["id integer primary key", "id integer", "id text unique", "id int not null primary key"]))
def test_any_rows(tmp_path, old, new, way, key):
    path = tmp_path / "any.db"
    path.unlink(missing_ok=True)
    db = sqlite3.connect(path)
    db.execute(f"create table t ({key}, v text unique)")
    db.executemany("insert or ignore into t values (?, ?)", old.items())
    db.commit()
    db.close()
    if way[0] == "upsert" and "primary" not in key:
        way = ["insert"]
    before = picture(path)
    bring(path, way[0], "t", "id,v\n" + "".join(f"{i},{v}\n" for i, v in new), *way[1:], "--silent")
    undo(path)
    assert picture(path) == before
