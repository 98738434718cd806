# SPDX-License-Identifier: Apache-2.0
"""vitrine tables, rows and query: what comes out, and that it goes in again."""
import csv
import io
import json
import sqlite3

import pytest

from serving import DATA, make, run


@pytest.fixture
def database(tmp_path):
    return make(tmp_path / "t.db", """create table a (id integer primary key, name text, x real, data blob);
        insert into a values (1, 'Ada, "L"', 1.5, null), (2, 'é
two', -0.25, x'00ff'), (3, null, 9e999, null);
        create table "b c" (v); create view w as select 1 as one;""")


def out_of(*arguments):
    status, out, err = run(*arguments)
    assert (status, err) == (0, ""), err
    return out


def test_json(database):
    wanted = [{"id": 1, "name": 'Ada, "L"', "x": 1.5, "data": None},
              {"id": 2, "name": "é\ntwo", "x": -0.25, "data": {"$base64": True, "encoded": "AP8="}},
              {"id": 3, "name": None, "x": None, "data": None}]
    assert json.loads(out_of("rows", database, "a")) == wanted
    assert [json.loads(line) for line in out_of("rows", database, "a", "--nl").splitlines()] == wanted
    assert json.loads(out_of("rows", database, "a", "--arrays"))[0] == [1, 'Ada, "L"', 1.5, None]
    assert json.loads(out_of("rows", database, "b c")) == [] and out_of("rows", database, "b c", "--nl") == ""


def test_choice_of_rows(database):
    got = json.loads(out_of("rows", database, "a", "--where", "id > 1", "--order", "id desc", "--limit", "1", "-c", "id"))
    assert got == [{"id": 3}]
    assert json.loads(out_of("rows", database, "a", "--offset", "2", "-c", "id")) == [{"id": 3}]
    assert json.loads(out_of("query", database, "select :a || :b as ab", "-p", "a", "x", "--param", "b", "y")) == [{"ab": "xy"}]
    assert json.loads(out_of("query", database, "select * from w")) == [{"one": 1}]


def test_text(database):
    status, out, _ = run("rows", database, "a", "--csv")
    assert status == 0 and list(csv.reader(io.StringIO(out, newline="")))[2] == ["2", "é\ntwo", "-0.25", "AP8="]
    assert out_of("query", database, "select name from a where id = 3", "--csv").splitlines() == ["name", '""']
    assert out_of("rows", database, "a", "--tsv", "--no-headers", "-c", "id", "-c", "name").splitlines()[1] == "2\té two"
    assert out_of("tables", database, "--counts", "--table").splitlines() == [
        "table  count", "-----  -----", "a      3", "b c    0"]
    assert json.loads(out_of("tables", database)) == [{"table": "a"}, {"table": "b c"}]


@pytest.mark.parametrize("arguments, says", [
    (["query"], "database"), (["query", "{db}"], "SQL"), (["rows", "{db}"], "table"), (["rows", "{db}", "nope"], "nope"),
    (["query", "{db}", "select"], "incomplete"), (["query", "{db}", "select 1; select 2"], "one statement"),
    (["rows", "{db}", "a", "--limit", "x"], "number"), (["tables", "/no/such.db"], "/no/such.db"),
    (["tables", "{db}", "more"], "more"), (["rows", "{db}", "a", "-c", "nope\""], "nope")])
def test_wrong_use(database, arguments, says):
    status, out, err = run(*(part.replace("{db}", str(database)) for part in arguments))
    assert status and out == "" and says in err, err


@pytest.mark.parametrize("sql", ["delete from a", "drop table a", "update a set x = 1", "attach 'x.db' as x",
                                 "pragma user_version = 5", "insert into a (x) values (1)"])
def test_nothing_is_written(database, sql):
    before = database.read_bytes()
    status, _, err = run("query", database, sql)
    assert status and err and database.read_bytes() == before


@pytest.mark.parametrize("form", ["--csv", "--json", "--nl", "--tsv"])
def test_out_and_in_again(tmp_path, form):
    table = "Invoice"
    data = tmp_path / ("out." + {"--nl": "ndjson"}.get(form, form[2:]))
    data.write_bytes(out_of("rows", DATA / "chinook.db", table, form).encode())
    assert run("insert", tmp_path / "new.db", table, data, "--silent")[0] == 0
    rows = [sqlite3.connect(path).execute(f"select * from {table} order by 1").fetchall()
            for path in (DATA / "chinook.db", tmp_path / "new.db")]
    assert [[str(cell or "") for cell in row] for row in rows[0]] == [[str(cell or "") for cell in row] for row in rows[1]]
