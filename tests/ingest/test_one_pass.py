# SPDX-License-Identifier: Apache-2.0
"""One pass with guessed types leaves what two passes leave: every value, its storage class, rowids, SQL, rejects, report."""
import gzip
import json
import random
import sqlite3

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from serving import make, run

BEFORE = """
create table t (a integer, b real, c text, d, e varchar(10));
insert into t values (1, 1.5, 'x', null, 'y');
create table k (a integer primary key, b text); insert into k values (1, 'one'), (2, 'two');
"""


def picture(path):
    """Everything in the database but the times of imports; sums of undo are in it."""
    db = sqlite3.connect(path)
    db.text_factory = bytes
    try:
        assert db.execute("pragma integrity_check").fetchone() == (b"ok",)
        schema = db.execute("select type, name, sql from sqlite_master order by 1, 2").fetchall()
        rows = {}
        for kind, name, sql in schema:
            if kind != b"table":
                continue
            quoted = '"' + name.decode().replace('"', '""') + '"'
            names = ['"' + c[1].decode().replace('"', '""') + '"' for c in db.execute(f"pragma table_info({quoted})")
                     if c[1] != b"imported_at"]
            cells = ", ".join(f"typeof({n}), quote({n})" for n in names)
            key = "1" if sql.endswith(b"WITHOUT ROWID") else "rowid"
            rows[name] = db.execute(f"select {key}, {cells} from {quoted} order by {key}").fetchall()
        return schema, rows
    finally:
        db.close()


def bring(folder, way, name, data, verb, table, options, before=BEFORE):
    """(report, picture), or (error, picture)"""
    path, file = folder / f"{way}.db", folder / name
    for old in folder.glob(f"{way}.db*"):
        old.unlink()
    make(path, before)
    if file.suffix == ".gz":
        file.write_bytes(gzip.compress(data, mtime=0))
    else:
        file.write_bytes(data)
    status, out, err = run(verb, path, table, file, "--json", *options)
    if status:
        return err, picture(path), None
    report = json.loads(out)
    passes = report.pop("passes")
    report.pop("duration_us")
    return report, picture(path), passes


def same(folder, name, data, rows, verb="insert", table="new", options=(), before=BEFORE):
    one = bring(folder, "one", name, data, verb, table, ["--sample", str(rows), *options], before)
    two = bring(folder, "two", name, data, verb, table, ["--sample", "all", *options], before)
    assert one[0] == two[0] and one[1] == two[1]
    return one


SMALL = st.sampled_from(["1", "2", "30", "-4"])
CELLS = st.one_of(SMALL, SMALL, SMALL, st.sampled_from([
    "", "", "1.5", "2.0", "-0", "007", "1.50", " 7 ", "1e5", "1e400", "9007199254740993", "140737488355329", "4503599627370497",
    "-9223372036854775808", "99999999999999999999", "x", "NA", "1/2/2020", "3/4/2021", "13/2/2020", "2/13/2020",
    "2020/1/5", "5 Jan 2020", "2020-01-05", "é", '"a ""b"""', '"two\nlines"', '"open', "true", "1,5"]))
ROWS = st.lists(st.lists(CELLS, min_size=1, max_size=4), min_size=1, max_size=14)
WAYS = st.sampled_from([
    ("insert", "new", []), ("insert", "new", []), ("insert", "new", ["--pk", "a"]), ("insert", "new", ["--empty-null"]),
    ("insert", "new", ["--null", "NA", "--type", "b", "INTEGER"]),
    ("insert", "new", ["--not-null", "c", "--default", "b", "5"]),
    ("insert", "new", ["--no-dates", "--type", "a", "REAL", "--type", "c", "TEXT"]),
    ("insert", "new", ["--index", "b", "--fts", "c"]),
    ("insert", "new", ["--extract", "c"]), ("insert", "t", []), ("insert", "t", ["--truncate"]),
    ("insert", "t", ["--replace-table"]),
    ("insert", "k", ["--alter"]), ("insert", "k", ["--alter", "--replace"]), ("upsert", "k", ["--alter"]),
    ("insert", "k", ["--alter", "--ignore"]), ("insert", "new", ["--no-undo", "--analyze"]), ("insert", "new", ["--dry-run"])])


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=ROWS, sample=st.integers(1, 4), way=WAYS, end=st.sampled_from(["\n", "\r\n", ""]), bad=st.booleans(),
       packed=st.booleans())
def test_any_csv(tmp_path, rows, sample, way, end, bad, packed):
    text = (end or "\n").join(",".join(row) for row in [["a", "b", "c"], *rows]) + end
    data = text.encode() + (b"1,\xff,3\n" if bad and len(rows) % 4 == 0 else b"")
    same(tmp_path, "in.csv.gz" if packed else "in.csv", data, sample, *way)


VALUES = st.one_of(st.integers(-3, 40), st.sampled_from([
    None, 1.5, 2.0, -0.0, True, "text", "5", "", 2**53 + 1, 2**47 + 1, 10**20, [1], {"x": 1},
    {"$base64": True, "encoded": "AP8="}]))
ITEMS = st.lists(st.dictionaries(st.sampled_from("abcd"), VALUES, max_size=3), min_size=1, max_size=12)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(items=ITEMS, sample=st.integers(1, 4), lines=st.booleans(), bad=st.booleans(), way=st.sampled_from([
    ("insert", "new", []), ("insert", "new", ["--flatten"]), ("insert", "new", ["--pk", "a"]), ("insert", "t", ["--alter"]),
    ("upsert", "k", ["--alter"]), ("insert", "new", ["--type", "b", "INTEGER"])]))
def test_any_json(tmp_path, items, sample, lines, bad, way):
    text = "\n".join(map(json.dumps, items)) if lines else json.dumps(items)
    same(tmp_path, "in.ndjson" if lines else "in.json", (text + ("\n{broken" if bad else "")).encode(), sample, *way)


def table(*columns):
    return ("a,b\n" + "".join(f"{a},{b}\n" for a, b in zip(*columns))).encode()


@pytest.mark.parametrize("late, passes", [
    ("3", 1), ("2.5", 1), ("-0", 1), ("", 1), ("x", 2), ("007", 2), ("1/2/2020", 2), ("9007199254740993", 1), ("1e400", 2)])
def test_a_late_value(tmp_path, late, passes):
    """An INTEGER that becomes REAL is no reason to read again; everything else that is wider is."""
    report, _, found = same(tmp_path, "in.csv", table(range(50), [*range(49), late]), 10)
    assert found == passes and report["imported"] == 50
    assert report["columns"][1]["type"] == ("REAL" if late in ("2.5", "-0") else "INTEGER" if passes == 1 else "TEXT")


@pytest.mark.parametrize("values, type_, passes", [
    (["1", "", "9007199254740993", "2.5"], "TEXT", 2), (["2.5", "1", "9007199254740993"], "TEXT", 2),
    (["", "", "", "5"], "INTEGER", 2), (["", "", "", "5/13/2020"], "TEXT", 2), (["5/6/2020", "6/7/2020", "5/13/2020"], "TEXT", 2),
    (["140737488355329", "1e15", "5", "0.5"], "REAL", 1)])
def test_the_sample_says_less(tmp_path, values, type_, passes):
    report, _, found = same(tmp_path, "in.csv", table(range(len(values)), values), 1)
    assert (report["columns"][1]["type"], found) == (type_, passes)


def test_a_column_that_is_a_key_is_not_widened(tmp_path):
    assert same(tmp_path, "in.csv", table([1, 2, "3.5"], "xyz"), 1, options=["--pk", "a"])[2] == 2
    assert same(tmp_path, "in.csv", table([1, 2, "3.5"], "xyz"), 1, options=["--default", "a", "7"])[2] == 2
    assert same(tmp_path, "in.csv", table([1, 2, "3.5"], "xyz"), 1, table="t", options=["--replace-table"])[2] == 2


def test_widened_and_written_on(tmp_path):
    """The table that was declared anew is one like any other: rows, columns and an index can be added, undo knows it."""
    same(tmp_path, "in.csv", table([1, 2, "3.5"], "xyz"), 1)
    path = tmp_path / "one.db"
    db = sqlite3.connect(path)
    assert db.execute("select a, typeof(a) from new").fetchall() == [(1.0, "real"), (2.0, "real"), (3.5, "real")]
    assert db.execute("select count(*) from new where a = 2").fetchone() == (1,)
    db.close()
    status, _, err = run("undo", path)
    assert status == 0, err
    db = sqlite3.connect(path)
    assert db.execute("select count(*) from sqlite_master where name = 'new'").fetchone() == (0,)
    db.close()


def big(late_row, late):
    rnd = random.Random(5)
    lines = [f'{i},{i % 7},"some, words ""quoted"" and\na line end {rnd.random()}",{rnd.random():.5f}' for i in range(120_000)]
    lines[late_row] = f"{late_row},{late},x,1"
    return ("id,n,words,f\n" + "\n".join(lines) + "\n").encode()


@pytest.mark.parametrize("late_row, late, passes", [(0, "5", 1), (60_000, "many", 2), (60_000, "0.5", 1), (119_999, "last", 1)])
def test_a_big_file(tmp_path, late_row, late, passes):
    """Windows see the end, and a stretch of other values; a single value between them they do not."""
    data = big(late_row, late)
    assert same(tmp_path, "in.csv", data, 0)[2] == passes
    if late == "many":
        assert same(tmp_path, "in.csv.gz", data, 0)[2] == passes


def test_notes_at_the_end_and_other_lines(tmp_path):
    data = b"A title\n\n" + big(0, "1") + b"Source: somebody\n"
    report, _, passes = same(tmp_path, "in.csv", data, 0)
    assert passes == 2 and report["rejected"] == 2 and report["columns"][0]["type"] == "INTEGER"


@pytest.mark.parametrize("tail", [b"1,2,\xe9t\xe9,1\n", b'1,2,"never closed,1\n3,4,x,1\n'])
def test_what_can_only_be_known_at_the_end(tmp_path, tail):
    same(tmp_path, "in.csv", big(0, "1") + tail, 0)


@pytest.mark.parametrize("name", ["in.csv.gz", "in.json"])
def test_nothing_is_left_of_a_file_that_ends_too_early(tmp_path, name):
    data = gzip.compress(big(0, "1"))[:-500] if name.endswith("gz") else b'[{"a": 1}, {"a": 2}, {"a":'
    made = tmp_path / "t.db"
    (tmp_path / name).write_bytes(data)
    status, _, err = run("insert", made, "t", tmp_path / name, "--sample", "1")
    assert status and name in err
    assert not made.exists() or sqlite3.connect(made).execute("select count(*) from sqlite_master").fetchone() == (0,)
