# SPDX-License-Identifier: Apache-2.0
"""vitrine insert: SQLite files and SQL dumps."""
import gzip
import os
import pathlib
import random
import shutil
import sqlite3
import subprocess
import zipfile

import pytest

import serving
from serving import run
from test_rows import Import, types

SAMPLES = pathlib.Path(os.environ.get("VITRINE_SAMPLE_DATA", "/nonexistent"))


@pytest.fixture
def imports(tmp_path):
    return Import(tmp_path)


def made(path, *statements):
    db = sqlite3.connect(path)
    for one in statements:
        db.execute(one)
    db.commit()
    db.close()
    return path.read_bytes()


def dump(path):
    db = sqlite3.connect(path)
    try:
        return "\n".join(db.iterdump())
    finally:
        db.close()


PEOPLE = ("create table people (id integer primary key, name text, x real, photo blob, note)",
          "insert into people values (3, 'Ada', 1.5, x'00ff', 'a'), (7, '007', 2, null, 5), (9, 'é', null, x'', null)")


def test_a_table_of_a_database(imports, tmp_path):
    data = made(tmp_path / "o.db", *PEOPLE)
    report = imports(data, name="other.db")
    assert report["format"] == "SQLite" and report["part"] == "people" and report["parts"] == ["people"]
    assert types(report) == {"id": "INTEGER", "name": "TEXT", "x": "REAL", "photo": "BLOB", "note": "TEXT"}
    assert imports.rows() == [(3, "Ada", 1.5, b"\0\xff", "a"), (7, "007", 2.0, None, "5"), (9, "é", None, b"", None)]
    assert imports.rows("select name, pk from pragma_table_info('t') where pk") == [("id", 1)]
    assert imports(data, "--ignore", name="other.db")["ignored"] == 3
    assert imports(data, "--pk", "name", name="other.db", table="named")["imported"] == 3
    assert imports.rows("select name from pragma_table_info('named') where pk") == [("name",)]


def test_which_table(imports, tmp_path):
    data = made(tmp_path / "o.db", "create table a (x)", "create table \"b c\" (x, y, primary key (y, x))",
                "insert into a values (1)", "insert into \"b c\" values (1, 2)", "create view v as select x + 1 as z from a",
                "create virtual table s using fts5(t)", "insert into s values ('hello world')")
    err = imports.fails(data, name="o2.db")
    assert "several tables" in err and "a, b c, v, s" in err and "--table" in err
    assert imports(data, "--table", "b c", name="o2.db", table="two")["imported"] == 1
    assert imports.rows("select name, pk from pragma_table_info('two') order by pk") == [("y", 1), ("x", 2)]
    assert imports(data, "--table", "V", name="o2.db", table="view")["imported"] == 1
    assert imports.rows("select z from view") == [(2,)]
    assert imports(data, "--table", "s", name="o2.db", table="search")["imported"] == 1
    assert "no such table" in imports.fails(data, "--table", "sqlite_schema", name="o2.db")
    assert "no table" in imports.fails(made(tmp_path / "e.db", "create view v as select 1"), name="e2.db")


def test_any_packing(imports, tmp_path):
    data = made(tmp_path / "o.db", *PEOPLE, "pragma journal_mode = wal")
    zipped = tmp_path / "o.zip"
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("deep/o.sqlite", data)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    for number, (name, content) in enumerate((("o.bin", data), ("o.db.gz", gzip.compress(data)), ("p.zip", zipped.read_bytes()))):
        assert imports(content, name=name, table=f"t{number}")["imported"] == 3
        assert imports.rows(f"select name from t{number} order by id") == [("Ada",), ("007",), ("é",)]
    done = subprocess.run([serving.PROGRAM, "insert", imports.path, "piped", "-"], input=data, capture_output=True,
                          env={**os.environ, "TMPDIR": str(temporary)})
    assert done.returncode == 0 and imports.rows("select count(*) from piped") == [(3,)] and not list(temporary.iterdir())


def test_a_database_that_is_being_written(imports, tmp_path):
    """What is only in the write-ahead log counts; an open transaction of another process does not."""
    path = tmp_path / "live.db"
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("pragma journal_mode = wal")
    writer.execute("create table a (x)")
    writer.execute("insert into a values (1)")
    writer.execute("begin")
    writer.execute("insert into a values (2)")
    assert run("insert", imports.path, "t", path)[0] == 0 and imports.rows() == [(1,)]
    writer.close()


def test_not_into_itself(imports, tmp_path):
    made(imports.path, "create table a (x)")
    (tmp_path / "link.db").symlink_to(imports.path)
    for path in (imports.path, tmp_path / "link.db"):
        status, _, err = run("insert", imports.path, "t", path)
        assert status and "into itself" in err


def test_bad_text_and_damage(imports, tmp_path):
    data = made(tmp_path / "o.db", "create table a (x, y)", "insert into a values (1, cast(x'ff41' as text)), (2, 'fine')")
    report = imports(data, name="o2.db")
    assert report["rejected"] == 1 and imports.rows() == [(2, "fine")]
    assert imports.rows("select line, \"column\", reason from t__rejects") == [(1, "y", "bytes that are not UTF-8")]
    big = made(tmp_path / "b.db", "create table a (x, y)", "insert into a select value, hex(randomblob(50)) from "
               "(with recursive n(value) as (select 1 union all select value + 1 from n limit 5000) select * from n)")
    assert imports.fails(big[:60000], name="cut.db", table="c")
    rng = random.Random(1)
    for _ in range(20):
        bad = bytearray(big)
        for _ in range(200):
            bad[rng.randrange(100, len(bad))] = rng.randrange(256)
        assert run("insert", imports.path, "d", imports.file(bytes(bad), "bad.db"))[0] not in (134, 139, -6, -11)


def test_a_dump(imports, tmp_path):
    made(tmp_path / "o.db", *PEOPLE, "create table log (at text, what text default ';')",
         "create trigger tr after insert on people begin insert into log values ('x;', 'END;'); select case when 1 then 2 "
         "end; end", "insert into people values (10, 'semi;colon'' -- /* \n\"', -1e300, x'3b', null)",
         "create index i on people (name)", "create view v as select count(*) as n from people")
    text = dump(tmp_path / "o.db")
    report = imports(text, "--table", "people", name="in.sql")
    assert report["format"] == "SQL" and report["imported"] == 4
    assert imports.rows("select * from t where id = 10") == [(10, "semi;colon' -- /* \n\"", -1e300, b";", None)]
    assert imports(text, "--table", "log", name="in.sql", table="log")["imported"] == 1
    assert imports(gzip.compress(text.encode("utf-16")), "--table", "v", name="x.sql.gz", table="v")["imported"] == 1
    assert imports.rows("select n from v") == [(4,)]
    done = subprocess.run([serving.PROGRAM, "insert", imports.path, "piped", "-", "--table", "people"], input=text.encode(),
                          capture_output=True)
    assert done.returncode == 0 and imports.rows("select count(*) from piped") == [(4,)]


@pytest.mark.skipif(not shutil.which("sqlite3"), reason="sqlite3 is not installed")
@pytest.mark.parametrize("name", ["chinook.db", "northwind.db"])
def test_real_dumps(imports, tmp_path, name):
    source = next((p for p in (SAMPLES / name, serving.DATA / name) if p.exists()), None)
    if not source:
        pytest.skip("no such sample")
    text = subprocess.run(["sqlite3", source, ".dump"], capture_output=True, check=True).stdout
    db = sqlite3.connect(f"file:{source}?mode=ro", uri=True)
    for number, (table,) in enumerate(db.execute("select name from sqlite_master where type = 'table' and name not like "
                                                 "'sqlite%' order by 1").fetchall()[:4]):
        count = db.execute(f'select count(*) from "{table}"').fetchone()[0]
        if count:
            assert imports(text, "--table", table, name="in.sql", table=f"t{number}")["imported"] == count
    db.close()


def test_dumps_of_others(imports):
    text = ("-- a comment; with a semicolon\n/* and another; one */\nSET NAMES utf8;\nSTART TRANSACTION;\n"
            "CREATE TABLE `towns` (`id` int(11) NOT NULL, `name` varchar(40), PRIMARY KEY (`id`));\n"
            "LOCK TABLES `towns` WRITE;\nINSERT INTO `towns` VALUES (1,'Bonn'),(2,'it''s; here');\nUNLOCK TABLES;\nCOMMIT")
    assert imports(text, name="in.sql")["imported"] == 2 and imports.rows() == [(1, "Bonn"), (2, "it's; here")]


@pytest.mark.parametrize("text, line, says", [
    ("create table a (x);\n\ninsert into a\nvalus (1);", 3, "syntax error"), ("attach 'x.db' as y;", 1, "ATTACH"),
    ("create table a (x);\nattach '/tmp/evil' as y;", 2, "ATTACH"),
    ("create table a(x); insert into a select load_extension('x');", 1, "load_extension"),
    ("create table a (x);\ninsert into b values (1)", 2, "no such table: b"),
    ("create table a (x);\nROLLBACK; -- due to errors", 2, "not complete"),
    ("pragma foreign_keys=off;", None, "no statement"), ("", None, "no statement"), ("-- nothing", None, "no statement"),
    ("create table a (x);\ninsert into a values (writefile('x', 'y'));", 2, "writefile"),
    ("create table a (x);\ninsert into a with recursive n(v) as (select 1 union all select v + 1 from n) select v from n",
     2, "full"),
    ("create table a (x);\ninsert into a values ('never closed;\n", 2, "unrecognized"),
    ("create table a (x);\n\n-- why\ndrop table nope;", 4, "nope"), ("\0\1\2", None, "")], ids=range(14))
def test_bad_dumps(imports, tmp_path, text, line, says):
    imports("kept\n1\n", table="kept")
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    path = imports.file(text, "in.sql")
    status, out, err = run("insert", imports.path, "t", path, env={"TMPDIR": str(temporary)}, cwd=tmp_path)
    assert status and says in err and (line is None or f"line {line}" in err), err
    assert not list(temporary.iterdir()) and not (tmp_path / "x.db").exists()
    assert imports.rows("select name from sqlite_master") == [("kept",)]


def test_what_a_dump_cannot_do(imports, tmp_path):
    """Settings and SQLite's own tables are left out, and the rest is imported."""
    text = ("pragma writable_schema=on;\npragma journal_mode=wal;\ncreate table a (x);\n"
            "insert into sqlite_schema values ('table', 'evil', 'evil', 0, 'create table evil (x)');\n"
            "insert into \"sqlite_sequence\" values ('a', 9);\ndelete from sqlite_sequence;\n"
            f"vacuum into '{tmp_path}/out.db';\ninsert into a values (1);")
    assert imports(text, name="in.sql")["imported"] == 1 and not (tmp_path / "out.db").exists()


def test_big_statements_and_blocks(imports):
    """Statements of several megabytes, and thousands that do not end where a block of the file does."""
    rows = ",".join(f"({i},'{'x' * (i % 50)};')" for i in range(100000))
    text = f"create table a (n, t);\ninsert into a values {rows};\n" + "".join(
        f"insert into a values ({i}, '-- {i} /*');\n" for i in range(100000, 130000))
    assert imports(text, name="in.sql")["imported"] == 130000
    assert imports.rows("select count(distinct n), sum(length(t)) from t")[0][0] == 130000


def test_served_with_others(server, tmp_path):
    """A dump becomes its tables; a database beside it is served as it is."""
    made(tmp_path / "other.db", *PEOPLE)
    (tmp_path / "d.sql").write_text("create table a (x); create table b (y); insert into a values (1); insert into b values (2);")
    one = server(tmp_path / "d.sql", tmp_path / "other.db")
    name = next(d["name"] for d in one.json("/-/databases.json")["databases"] if d["name"] not in ("other", "_memory"))
    assert one.json(f"/{name}/a.json?_shape=array") == [{"rowid": 1, "x": 1}]
    assert one.json(f"/{name}/b.json?_shape=array") == [{"rowid": 1, "y": 2}]
    assert one.json("/other/people.json?_shape=array")[0]["name"] == "Ada"
