# SPDX-License-Identifier: Apache-2.0
"""vitrine export: what goes out comes in again."""
import csv
import gzip
import io
import json
import sqlite3
import subprocess

import pytest

from serving import PROGRAM, make, run

ROWS = [(1, "Ada, \"L\"", 1.5, b"\x00\xff", 2 ** 63 - 1), (2, "é\ntwo\r\n\tthree", -0.25, b"", -2 ** 63), (3, "", 9e999, None, 0),
        (4, None, None, b"abc", None), (5, "007", 2.0, None, 1), (6, " 'x' ", -9e999, b"\"", 7)]


@pytest.fixture
def database(tmp_path):
    path = make(tmp_path / "t.db", """create table "odd ""table" (id integer primary key, "a b" text, "x""y" real, data blob,
        big integer);
        create index "an index" on "odd ""table" ("a b"); create view v as select 1 as one;
        create table notes (body text); insert into notes (rowid, body) values (7, 'seven'), (9, null);
        create table "../up" (x); create table "" (x); create table keys (k text primary key) without rowid""")
    with sqlite3.connect(path) as db:
        db.executemany('insert into "odd ""table" values (?, ?, ?, ?, ?)', ROWS)
    return path


def ask(path, sql):
    db = sqlite3.connect(path)
    try:
        return db.execute(sql).fetchall()
    finally:
        db.close()


def export(*arguments):
    status, out, err = run("export", *arguments)
    assert status == 0, err
    return out, err


@pytest.mark.parametrize("ending", ["json", "ndjson", "json.gz", "ndjson.zst"])
def test_json_round_trip(database, tmp_path, ending):
    file = tmp_path / f"out.{ending}"
    _, err = export(database, 'odd "table', file)
    assert f"{file}: 6 rows" in err and [p.name for p in tmp_path.glob("*partial*")] == []
    assert run("insert", tmp_path / "new.db", 'odd "table', file, "--pk", "id", "--silent")[0] == 0
    assert ask(tmp_path / "new.db", 'select * from "odd ""table"') == ROWS
    assert [row[2] for row in ask(tmp_path / "new.db", "pragma table_info('odd \"table')")] == ["INTEGER", "TEXT", "REAL", "BLOB",
                                                                                              "INTEGER"]


@pytest.mark.parametrize("ending", ["csv", "tsv", "csv.gz", "tsv.zst"])
def test_csv_round_trip(database, tmp_path, ending):
    file = tmp_path / f"out.{ending}"
    export(database, 'odd "table', file, "--null", "\\N", "--silent")
    assert run("insert", tmp_path / "new.db", "t", file, "--null", "\\N", "--silent")[0] == 0
    got = ask(tmp_path / "new.db", "select id, \"a b\", \"x\"\"y\", big from t")
    assert [(r[0], r[1], r[3]) for r in got] == [(r[0], r[1], r[4]) for r in ROWS]
    assert [r[2] is None or float(r[2]) for r in got] == [r[2] is None or r[2] for r in ROWS]


def test_csv_as_python_reads_it(database, tmp_path):
    out, err = export(database, 'odd "table', "-", "--format", "csv")
    rows = list(csv.reader(io.StringIO(out, newline="")))
    assert err == "" and rows[0] == ["id", "a b", 'x"y', "data", "big"] and rows[1] == ["1", 'Ada, "L"', "1.5", "AP8=",
                                                                                       "9223372036854775807"]
    export(database, "--sql", "select body from notes", tmp_path / "one.csv.gz", "--no-headers")
    assert gzip.decompress((tmp_path / "one.csv.gz").read_bytes()) == b'seven\r\n""\r\n'
    assert json.loads(export(database, "v", "-", "--format", "json")[0]) == [{"one": 1}]
    assert json.loads(export(database, "keys", "-", "--format", "json")[0]) == []


def test_sql_round_trip(database, tmp_path):
    export(database, 'odd "table', tmp_path / "out.sql")
    db = sqlite3.connect(":memory:")
    db.executescript((tmp_path / "out.sql").read_bytes().decode())
    assert db.execute('select * from "odd ""table"').fetchall() == ROWS
    assert db.execute("select name from sqlite_master where type = 'index'").fetchall() == [("an index",)]


def test_database_round_trip(database, tmp_path):
    for table in ('odd "table', "notes", "keys"):
        file = tmp_path / "out.db"
        export(database, table, file, "--replace")
        quoted = '"' + table.replace('"', '""') + '"'
        what = "*" if table == "keys" else "rowid, *"
        assert ask(file, f"select {what} from {quoted}") == ask(database, f"select {what} from {quoted}")
        where = f"select sql from sqlite_master where tbl_name = '{table}' order by 1"
        assert ask(file, where) == ask(database, where)
    export(database, "--sql", "select big, body from \"odd \"\"table\", notes", "--table", "both", tmp_path / "q.sqlite")
    assert len(ask(tmp_path / "q.sqlite", "select * from both where big > 0")) == 6
    before = (tmp_path / "out.db").read_bytes()
    status, _, err = run("export", database, "notes", tmp_path / "out.db")
    assert status and "--replace" in err and (tmp_path / "out.db").read_bytes() == before


def test_all_tables(database, tmp_path):
    folder = tmp_path / "all"
    export(database, "--all", "--dir", folder, "--format", "ndjson.gz", "--silent")
    assert {p.name for p in folder.iterdir()} == {
        "_._up.ndjson.gz", "_.ndjson.gz", "keys.ndjson.gz", "notes.ndjson.gz", 'odd "table.ndjson.gz'}
    assert not (tmp_path / "up.ndjson.gz").exists()


@pytest.mark.parametrize("arguments, says", [
    ([], "database"), (["{db}"], "table"), (["{db}", "notes"], "file"), (["{db}", "notes", "out.xls"], ".ndjson"),
    (["{db}", "nope", "out.csv"], "vitrine tables"), (["{db}", "notes", "-", "--format", "db"], "standard output"),
    (["{db}", "notes", "x.db.gz"], "pack"), (["{db}", "notes", "-", "--format", "doc"], "formats are"),
    (["{db}", "--sql", "delete from notes", "-"], "not authorized"), (["{db}", "--sql", "select", "-"], "incomplete"),
    (["{db}", "--all", "--sql", "x"], "exclude"), (["{db}", "notes", "/no/such/folder/x.csv"], "/no/such/folder"),
    (["{db}", "notes", "/dev/full.csv", "more"], "too many"), (["/no/such.db", "notes", "-"], "/no/such.db")])
def test_wrong_use(database, tmp_path, arguments, says):
    status, out, err = run("export", *(part.replace("{db}", str(database)) for part in arguments), cwd=tmp_path)
    assert status and out == "" and says in err, err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["t.db"]


def test_failure_leaves_the_old_file(database, tmp_path):
    file = tmp_path / "out.csv"
    file.write_text("old")
    sql = "select abs(-9223372036854775808 + rowid - 7) from notes order by rowid desc"
    status, _, err = run("export", database, "--sql", sql, file)
    assert status and "integer overflow" in err and file.read_text() == "old"
    assert [p.name for p in tmp_path.glob("*partial*")] == []


def test_memory_does_not_grow(tmp_path):
    assert run("generate", "series", tmp_path / "big.db", "--rows", "600000")[0] == 0
    done = subprocess.run(["/usr/bin/python3", "-c", """import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)""", PROGRAM, "export",
                           tmp_path / "big.db", "readings", tmp_path / "big.json", "--silent"], capture_output=True,
                          text=True, check=True)
    assert (tmp_path / "big.json").stat().st_size > 50000000
    if b"__asan_init" not in PROGRAM.read_bytes():
        assert int(done.stdout) < 64000
