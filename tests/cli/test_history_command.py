# SPDX-License-Identifier: Apache-2.0
"""vitrine history, and what the other commands that write leave in a history."""
import json
import sqlite3

import pytest

from serving import run

ENV = {"USER": "ann"}


@pytest.fixture
def db(tmp_path):
    path = tmp_path / "d.db"
    with sqlite3.connect(path) as c:
        c.executescript("create table docs (id integer primary key, title text); insert into docs values (1, 'a');"
                        "create table pairs (a text, b int, primary key (a, b)) without rowid; create view v as select 1")
    return path


def ok(*arguments):
    status, out, err = run(*arguments, env=ENV)
    assert (status, err) == (0, ""), (arguments, out, err)
    return out


def sql(path, *statements):
    with sqlite3.connect(path) as c:
        for statement in statements:
            c.execute(statement)


def shown(path, table, *more):
    return [json.loads(line) for line in ok("history", "show", path, table, "--json", *more).splitlines()]


def test_keep_show_revert(db):
    assert "is recorded from now on" in ok("history", "enable", db, "docs")
    assert "already" in ok("history", "enable", db, "docs")
    sql(db, "update docs set title = 'b' where id = 1", "insert into docs values (2, 'x')", "delete from docs where id = 2")
    out = ok("history", "show", db, "docs")
    assert "4  2" in out and 'title: "a" -> "b"' in out and "by another program" in out and "by ann (command line)" in out
    assert [c["version"] for c in shown(db, "docs", "--limit", 2)] == [4, 3]
    assert [c["version"] for c in shown(db, "docs", "--before", 3)] == [2, 1]
    assert [c["op"] for c in shown(db, "docs", "2")] == ["delete", "insert"]
    assert "Changed" in ok("history", "revert", db, "docs", 1, "--version", 2)
    assert "Brought" in ok("history", "revert", db, "docs", 2, "--version", 4)
    assert sqlite3.connect(db).execute("select * from docs").fetchall() == [(1, "a"), (2, "x")]
    assert shown(db, "docs")[0]["who"] == "ann" and shown(db, "docs")[0]["via"] == "command line"
    assert "kept" in ok("history", "disable", db, "docs") and "No history is being kept" in ok("history", "show", db, "docs")
    assert "deleted" in ok("history", "disable", db, "docs", "--forget")
    assert shown(db, "docs") == []


def test_keys_of_two_columns(db):
    ok("history", "enable", db, "pairs")
    sql(db, "insert into pairs values ('x,y', 1)", "delete from pairs")
    ok("history", "revert", db, "pairs", "x~2Cy,1", "--version", 3)
    assert sqlite3.connect(db).execute("select * from pairs").fetchall() == [("x,y", 1)]


@pytest.mark.parametrize("arguments, says", [
    (["history"], "needs one of"), (["history", "nope"], "needs one of"), (["history", "enable", "DB"], "usage"),
    (["history", "revert", "DB", "docs", "1"], "--version"), (["history", "revert", "DB", "docs", "1", "--version", "9"], "9"),
    (["history", "show", "DB", "docs", "--limit", "0"], "0"), (["history", "enable", "DB", "v"], "view"),
    (["history", "enable", "DB", "nope"], "nope"), (["history", "show", "/no/such.db", "docs"], "/no/such.db"),
    (["history", "show", "DB", "pairs", "1"], "2 parts")])
def test_wrong_use(db, arguments, says):
    status, _, err = run(*(db if a == "DB" else a for a in arguments))
    assert status != 0 and says in err


def test_other_commands_keep_it_going(db, tmp_path):
    ok("history", "enable", db, "docs")
    (tmp_path / "rows.csv").write_text("id,title,extra\n5,e,1\n")
    run("insert", db, "docs", tmp_path / "rows.csv", "--alter", "--silent", env=ENV)
    newest = shown(db, "docs")[0]
    assert (newest["op"], newest["who"], newest["via"], newest["after"]["extra"]) == ("insert", "ann", "command line", 1)
    ok("add-column", db, "docs", "more", "text")
    ok("transform", db, "docs", "--rename", "title", "name")
    ok("rename-table", db, "docs", "papers")
    sql(db, "update papers set name = 'n', more = 'm' where id = 1")
    newest = shown(db, "papers")[0]
    assert newest["before"]["name"] == "a" and newest["after"] == {"id": 1, "name": "n", "extra": None, "more": "m"}
    assert [c["op"] for c in shown(db, "papers")] == ["update", "insert", "start"]
    ok("drop-table", db, "papers")
