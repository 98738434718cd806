# SPDX-License-Identifier: Apache-2.0
"""Imports in a bad world: no room at any stage, cells of a gigabyte, names of attackers, two at once, other readers."""
import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys

import pytest

import limits
import serving
from serving import make, run
from test_crash import state

BEFORE = "create table t (a integer primary key, b text); insert into t values (1, 'one'), (2, 'two')"
ROWS = "a,b\n" + "".join(f"{i},some text that takes room {i}\n" for i in range(2, 6000)) + "x,7\n"
WAYS = {"append": ["insert", "t"], "replace": ["insert", "t", "--replace", "--alter"], "upsert": ["upsert", "t"],
        "truncate": ["insert", "t", "--truncate"], "anew": ["insert", "t", "--replace-table"],
        "made": ["insert", "new", "--index", "a", "--fts", "b", "--extract", "a", "--analyze"],
        "guessed": ["insert", "new", "--sample", "9"]}


def cramped(size):
    """No file may grow past `size` bytes: write(2) fails, as it does on a full disk."""
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    return limit


def start(verb, path, table, file, *options, **more):
    return subprocess.Popen([serving.PROGRAM, verb, path, table, file, "--silent", *options], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, **more)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_no_room_at_any_stage(tmp_path, way, mode):
    """Old or new, wherever the room ends; sizes lie all over those of a run that has enough."""
    file, path = tmp_path / "in.csv", tmp_path / "t.db"
    file.write_text(ROWS)
    verb, table, *options = WAYS[way]

    def attempt(size):
        for old in tmp_path.glob("t.db*"):
            old.unlink()
        make(path, BEFORE)
        with sqlite3.connect(path) as db:
            db.execute(f"pragma journal_mode = {mode}")
        before = state(path)
        process = start(verb, path, table, file, *options, preexec_fn=cramped(size) if size else None)
        err = process.communicate(timeout=60)[1]
        return process.returncode, err, before

    status, err, before = attempt(0)
    assert status == 0, err
    after, whole = state(path), path.stat().st_size
    seen = set()
    for part in (0, 5, 20, 45, 70, 95, 200):
        status, err, before = attempt(4096 + whole * part // 100)
        now = state(path)
        for tables in (after, now):  # times of import
            tables.update({name: [row[:-1] for row in rows] for name, rows in tables.items() if name.endswith("__rejects")
                           and rows and len(rows[0]) == 6})
        assert now == (before if status else after), (part, err)
        assert status == 0 or err.startswith("vitrine: "), err
        seen.add(status == 0)
    assert seen == {True, False}


def test_no_room_in_a_file_system(tmp_path):
    """ENOSPC itself, on a small tmpfs in a namespace of its own."""
    script = ("mount -t tmpfs -o size=1500k none {0} && cp {1} {0}/t.db && {2} insert {0}/t.db t {3} --silent; echo $?; "
              "cp {0}/t.db {1}").format(tmp_path / "small", tmp_path / "t.db", serving.PROGRAM, tmp_path / "in.csv")
    (tmp_path / "small").mkdir()
    (tmp_path / "in.csv").write_text("a,b\n" + "".join(f"{i},{'x' * 200}\n" for i in range(10, 20000)))
    make(tmp_path / "t.db", BEFORE)
    before = state(tmp_path / "t.db")
    done = subprocess.run(["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True)
    if not done.stdout.strip():
        pytest.skip("no namespaces here: " + done.stderr)
    assert done.stdout.strip() != "0" and "vitrine: " in done.stderr and state(tmp_path / "t.db") == before
    assert "full" in done.stderr or "space" in done.stderr


def test_no_room_for_standard_input(tmp_path):
    path, temporary = tmp_path / "t.db", tmp_path / "tmp"
    temporary.mkdir()
    done = subprocess.run([serving.PROGRAM, "insert", path, "t", "-"], input=ROWS.encode(), capture_output=True,
                          env={**os.environ, "TMPDIR": str(temporary)}, preexec_fn=cramped(50_000))
    assert done.returncode == 7 and done.stderr.startswith(b"vitrine: ") and not list(temporary.iterdir())
    assert state(path) == {}


@pytest.mark.parametrize("name, head, says", [
    ("cell.csv", "a,b\n1,2\n3," + "x" * 300_000, "line 3"), ("quoted.csv", 'a,b\n1,2\n3,"' + "x" * 300_000, "line 3"),
    ("cell.json", '[{"a": 1},\n{"a": "' + "x" * 300_000, "line 2"), ("cell.ndjson", '{"a": 1}\n{"a": "' + "x" * 300_000, "line 2")],
    ids=["plain", "quoted", "json", "ndjson"])
def test_a_cell_of_a_gigabyte(tmp_path, name, head, says):
    """The file is sparse; it is given up at LIMIT_INGEST_RECORD (lowered where the build allows it)."""
    file, path = tmp_path / name, tmp_path / "t.db"
    make(path, BEFORE)
    before = state(path)
    file.write_text(head)
    os.truncate(file, 1 << 30)
    lower = limits.lowered(INGEST_RECORD=4_000_000) if limits.COMPILED_IN else {}
    done = subprocess.run([serving.PROGRAM, "insert", path, "new", file], capture_output=True, text=True,
                          env={**os.environ, **lower})
    assert done.returncode == 7 and says in done.stderr and "longer than" in done.stderr, done.stderr
    assert state(path) == before


@pytest.mark.parametrize("name", [
    'a"; DROP TABLE t; --', "a'b", "]", "a`b", "../../etc/passwd", "x" * 5000, "t\nu", "%s%n", "\u202egnp.exe", "T", "ta\u0301",
    "sqlite_master", "_vitrine_imports", "a\tb", "--help"], ids=range(15))
def test_names_of_attackers(tmp_path, name):
    """They are names, quoted and no more; those that are SQLite's or ours are refused."""
    file, path = tmp_path / "in.csv", tmp_path / "t.db"
    make(path, BEFORE)
    before = state(path)
    file.write_text(f'a,"{name.replace(chr(34), chr(34) * 2)}"\n7,8\n')
    done = subprocess.run([serving.PROGRAM, "insert", path, "--alter", "--silent", "--", name, file] if name.startswith("--")
                          else [serving.PROGRAM, "insert", path, name, file, "--alter", "--silent"],
                          capture_output=True, text=True)
    after = state(path)
    if done.returncode:
        assert after == before and done.stderr.startswith("vitrine: ")
    else:
        (made,) = [key for key in after if key == name or (name == "T" and key == "t")]
        assert after[made][-1][0] == 7 and (made == "t" or after["t"] == before["t"])
    assert name not in ("sqlite_master",) or done.returncode


def test_two_imports_into_one_table(tmp_path):
    """They come one after the other: all rows of both, whole, with one rowid each."""
    path, files = tmp_path / "t.db", [tmp_path / "one.csv", tmp_path / "two.csv"]
    make(path, "create table t (a integer, b text)")
    for file in files:
        file.write_text("a,b\n" + f"1,{file.stem}\n" * 20_000)
    both = [start("insert", path, "t", file, "--sample", "5") for file in files]
    for process in both:
        err = process.communicate(timeout=120)[1]
        assert process.returncode == 0, err
    db = sqlite3.connect(path)
    assert db.execute("select count(*), count(distinct b) from t").fetchone() == (40_000, 2)
    assert db.execute("select count(*) from (select b, lag(b) over (order by rowid) as p from t) where b <> p").fetchone() == (1,)
    assert db.execute("pragma integrity_check").fetchone() == ("ok",)
    db.close()


@pytest.mark.parametrize("rows, options, kept, reasons", [
    ("1,a\n1,b\n", ["--pk", "id"], [(1, "a")], ["UNIQUE"]),
    ("x,a\n,b\n", ["--pk", "id", "--not-null", "v", "--empty-null"], [("x", "a"), (None, "b")], []),
    ("1,a\n2,\n", ["--pk", "id", "--not-null", "v", "--empty-null"], [(1, "a")], ["NOT NULL"]),
    ("1,a\n,b\n", ["--pk", "id"], [(1, "a"), (2, "b")], []), ("x,a\nx,b\n", ["--pk", "id", "--replace"], [("x", "b")], []),
    ("x,a\nx,b\n", ["--pk", "id", "--ignore"], [("x", "a")], [])])
def test_keys_that_are_missing_or_there_twice(tmp_path, rows, options, kept, reasons):
    file, path = tmp_path / "in.csv", tmp_path / "t.db"
    file.write_text("id,v\n" + rows)
    status, _, err = run("insert", path, "t", file, "--silent", *options)
    assert status == 0, err
    db = sqlite3.connect(path)
    assert db.execute("select id, v from t").fetchall() == kept
    found = db.execute("select line, reason from t__rejects").fetchall() if reasons else []
    db.close()
    assert len(found) == len(reasons) and all(line == 3 and want in got for (line, got), want in zip(found, reasons))


def sqlite_utils():
    """The program of that name, or a Python that has the package."""
    program = os.environ.get("SQLITE_UTILS") or shutil.which("sqlite-utils")
    if program:
        return [program]
    has = subprocess.run([sys.executable, "-c", "import sqlite_utils"], capture_output=True).returncode == 0
    return [sys.executable, "-m", "sqlite_utils"] if has else None


def test_sqlite_utils_reads_what_we_write(tmp_path):
    tool = sqlite_utils()
    if not tool:
        pytest.skip("SQLITE-UTILS IS NOT INSTALLED: nothing says that it reads our databases. pip install sqlite-utils, or "
                    "set SQLITE_UTILS")

    file, path = tmp_path / "in.csv", tmp_path / "t.db"
    file.write_text('id,name,x,zip\n1,"Ada, é",1.5,007\n2,,2,1\n3,b,0.5,\n')
    status, _, err = run("insert", path, "people", file, "--pk", "id", "--index", "x", "--fts", "name", "--sample", "1")
    assert status == 0, err

    def ask(*words):
        done = subprocess.run([*tool, *map(str, words)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout
    rows = [{"id": 1, "name": "Ada, é", "x": 1.5, "zip": "007"}, {"id": 2, "name": "", "x": 2.0, "zip": "1"},
            {"id": 3, "name": "b", "x": 0.5, "zip": ""}]
    assert json.loads(ask("rows", path, "people")) == rows
    schema = {r["table"]: r for r in json.loads(ask("tables", path, "--counts", "--columns"))}
    assert schema["people"] == {"table": "people", "count": 3, "columns": ["id", "name", "x", "zip"]}
    assert json.loads(ask("indexes", path, "people"))[0]["name"] == "x"
    assert [r["id"] for r in json.loads(ask("search", path, "people", "ada"))] == [1]
    ask("transform", path, "people", "--rename", "zip", "postcode")
    more = tmp_path / "more.csv"
    more.write_text("id,name,x,postcode\n4,d,4.25,\n")
    assert run("insert", path, "people", more)[0] == 0
    assert json.loads(ask("query", path, "select count(*) as n, sum(x) as s from people")) == [{"n": 4, "s": 8.25}]
