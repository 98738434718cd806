# SPDX-License-Identifier: Apache-2.0
"""vitrine insert: what becomes of each kind of file and row."""
import bz2
import gzip
import io
import json
import os
import random
import shutil
import sqlite3
import struct
import subprocess
import zipfile

import pytest

import serving

ZSTD = shutil.which("zstd")


class Import:
    def __init__(self, folder):
        self.folder, self.path = folder, folder / "t.db"

    def file(self, data, name="in.csv"):
        path = self.folder / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    def __call__(self, data, *options, name="in.csv", table="t", verb="insert"):
        """The report."""
        status, out, err = serving.run(verb, self.path, table, self.file(data, name), "--json", "--no-undo", *options)
        assert status == 0, err
        return json.loads(out)

    def fails(self, data, *options, name="in.csv", table="t", verb="insert"):
        """What it says on standard error."""
        status, out, err = serving.run(verb, self.path, table, self.file(data, name), "--json", "--no-undo", *options)
        assert status not in (0, 139, 134) and out == "", (status, out, err)
        return err

    def rows(self, sql="select * from t order by rowid"):
        db = sqlite3.connect(self.path)
        try:
            return db.execute(sql).fetchall()
        finally:
            db.close()

    def columns(self, table="t"):
        return self.rows(f"select name, type from pragma_table_info('{table}')")


@pytest.fixture
def imports(tmp_path):
    return Import(tmp_path)


def types(report):
    return {c["name"]: c["type"] for c in report["columns"]}


def test_types_come_from_the_whole_file(imports):
    lines = [f"{i},{i},{i}\n" for i in range(50000)]
    lines[49990] = "49990,0.5,x\n"
    report = imports("a,b,c\n" + "".join(lines))
    assert types(report) == {"a": "INTEGER", "b": "REAL", "c": "TEXT"}
    b, c = report["columns"][1:]
    assert b["first_odd"] == {"line": 49992, "value": "0.5"} and c["first_odd"] == {"line": 49992, "value": "x"}
    assert imports.rows("select typeof(a), typeof(c), count(*) from t group by 1, 2") == [("integer", "text", 50000)]


@pytest.mark.parametrize("values, kind, stored", [
    (["1", "2"], "INTEGER", [1, 2]), (["007", "1"], "TEXT", ["007", "1"]), (["0", "-5"], "INTEGER", [0, -5]),
    (["1.5", "2"], "REAL", [1.5, 2.0]), ([".5", "5."], "REAL", [.5, 5.0]), (["1e3", "2"], "REAL", [1000.0, 2.0]),
    (["+49", "1"], "TEXT", ["+49", "1"]), (["1,5", "2"], "TEXT", ["1,5", "2"]), (["1 000", "2"], "TEXT", ["1 000", "2"]),
    (["9223372036854775807", "-9223372036854775808"], "INTEGER", [2**63 - 1, -2**63]),
    (["9223372036854775808", "1"], "TEXT", ["9223372036854775808", "1"]),
    (["9007199254740993", "0.5"], "TEXT", ["9007199254740993", "0.5"]), (["1e999", "2"], "TEXT", ["1e999", "2"]),
    (["nan", "1"], "TEXT", ["nan", "1"]), (["inf", "1"], "TEXT", ["inf", "1"]), (["0x10", "1"], "TEXT", ["0x10", "1"]),
    ([" 1", "2 "], "INTEGER", [1, 2]), (["", "3"], "INTEGER", [None, 3]), (["", "x"], "TEXT", ["", "x"]),
    (["", ""], "TEXT", ["", ""]), (["-", "1"], "TEXT", ["-", "1"]), (["1e", "2"], "TEXT", ["1e", "2"]),
    (["0.1", "12345678901234567.5"], "REAL", [.1, 12345678901234567.5]), (["00.5", "1"], "TEXT", ["00.5", "1"]),
    (["2.2250738585072014e-308", "1.7976931348623157e308"], "REAL", [2.2250738585072014e-308, 1.7976931348623157e308]),
    (["123456789012345678901234567890.5", "0.3"], "REAL", [123456789012345678901234567890.5, .3]),
    (["2020-01-31", "2020-02-01"], "TEXT", ["2020-01-31", "2020-02-01"]),
    (["1/31/2020", "2/1/2020"], "TEXT", ["2020-01-31", "2020-02-01"]),
    (["31/1/2020", "1/2/2020"], "TEXT", ["2020-01-31", "2020-02-01"]),
    (["1/2/2020", "3/4/2020"], "TEXT", ["1/2/2020", "3/4/2020"]),
    (["31/1/2020", "1/31/2020"], "TEXT", ["31/1/2020", "1/31/2020"]),
    (["31.01.2020 7:05", "01.02.2020 23:59:58"], "TEXT", ["2020-01-31T07:05", "2020-02-01T23:59:58"]),
    (["2020/1/31", "2020/2/29"], "TEXT", ["2020-01-31", "2020-02-29"]),
    (["2021/2/29", "2020/1/1"], "TEXT", ["2021/2/29", "2020/1/1"]),
    (["31 Jan 2020", "February 1, 2020"], "TEXT", ["2020-01-31", "2020-02-01"]),
    (["1/31/20", "2/1/20"], "TEXT", ["1/31/20", "2/1/20"]), (["1/31/2020", ""], "TEXT", ["2020-01-31", ""])])
def test_values(imports, values, kind, stored):
    report = imports("k;v\n" + "".join(f"x;{value}\n" for value in values))
    assert types(report) == {"k": "TEXT", "v": kind}
    assert [row[1] for row in imports.rows()] == stored


def test_report_of_columns(imports):
    report = imports("n,x,t\n" + "".join(f"{i},{i / 4},{'ab'[i % 2]}\n" for i in range(500)) + ",,\n")
    n, x, t = report["columns"]
    assert (n["min"], n["max"], n["distinct"], n["blank"], n["distinct_is_estimate"]) == (0, 499, 500, 1, False)
    assert (x["min"], x["max"], x["distinct"]) == (0.0, 124.75, 500) and (t["min"], t["max"], t["distinct"]) == ("a", "b", 2)
    assert report["rows"] == report["imported"] == 501 and report["rejected"] == 0 and report["created"] is True


def test_many_distinct_values_are_estimated(imports):
    report = imports("n\n" + "".join(f"{i}\n" for i in range(40000)))
    assert report["columns"][0]["distinct_is_estimate"] is True
    assert abs(report["columns"][0]["distinct"] - 40000) < 4000


@pytest.mark.parametrize("encode, name", [
    (lambda t: t.encode("utf-8-sig"), "UTF-8"), (lambda t: t.encode("utf-16"), "UTF-16LE"),
    (lambda t: t.encode("utf-16-le"), "UTF-16LE"), (lambda t: b"\xfe\xff" + t.encode("utf-16-be"), "UTF-16BE"),
    (lambda t: t.encode("cp1252"), "Windows-1252"), (lambda t: t.encode("mac-roman"), "Mac Roman")])
def test_encodings(imports, encode, name):
    text = "name,town\nJosé’s café,Málaga\nZoë – “Straße”,Köln\n"
    report = imports(encode(text))
    assert report["encoding"] == name
    assert imports.rows() == [("José’s café", "Málaga"), ("Zoë – “Straße”", "Köln")]


def test_another_encoding_far_into_the_file(imports):
    report = imports(b"a,b\n" + b"1,plain text\n" * 100000 + "2,déjà vu\n".encode("cp1252"))
    assert report["encoding"] == "Windows-1252"
    assert imports.rows("select b from t where a = 2") == [("déjà vu",)]


def test_an_encoding_by_name(imports):
    report = imports("a\nпривет\n".encode("koi8-r"), "--encoding", "koi8-r")
    assert imports.rows() == [("привет",)] and report["encoding"] == "koi8-r"
    assert "no-such-code" in imports.fails("a\n1\n", "--encoding", "no-such-code")


def test_a_few_bad_bytes_in_utf8(imports):
    good = "".join(f"{i},naïve\n" for i in range(200))
    report = imports(b"a,b\n" + good.encode() + b"7,bad \xff byte\n" + good.encode())
    assert report["rejected"] == 1 and report["imported"] == 400
    assert imports.rows("select line, \"column\", text, reason from t__rejects") == [
        (202, "b", b"7,bad \xff byte", "bytes that are not UTF-8")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters(imports, delimiter):
    text = delimiter.join(("a", "b", "c")) + "\n" + "".join(delimiter.join((str(i), "x, y; z", "p")) + "\n" for i in range(9))
    report = imports(text if delimiter not in ",;" else text.replace("x, y; z", '"x, y; z"'))
    assert report["delimiter"] == delimiter and imports.rows()[3] == (3, "x, y; z", "p")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_and_quotes(imports, end):
    text = f'a,b{end}1,"x{end}y"{end}{end}2,"say ""hi"""{end}3,"a"b"c{end}4,p"q{end}5,""'
    imports(text)
    assert imports.rows() == [(1, f"x{end}y"), (2, 'say "hi"'), (3, 'ab"c'), (4, 'p"q'), (5, "")]


def test_headers(imports):
    report = imports("\n  , id ,ID,,name,\"two\nlines\"\n1,2,3,4,5,6\n")
    assert [c["name"] for c in report["columns"]] == ["column_1", "id", "ID_2", "column_4", "name", "two lines"]
    report = imports("1,2\n3,4\n", "--no-headers", table="plain")
    assert [c["name"] for c in report["columns"]] == ["column_1", "column_2"] and report["imported"] == 2
    report = imports('"x","y"\n"1",5,6\n"2",7,8\n"3",9,9\n', table="r")  # as R writes row names
    assert [c["name"] for c in report["columns"]] == ["column_1", "x", "y"]


def test_titles_and_notes(imports):
    report = imports("Sales of 2019\n\nid,town,sum\n1,Bonn,5\n2,Köln,7\n3,Trier,\nSource: the office\n* estimated\n")
    assert types(report) == {"id": "INTEGER", "town": "TEXT", "sum": "INTEGER"} and report["header_line"] == 3
    assert imports.rows() == [(1, "Bonn", 5), (2, "Köln", 7), (3, "Trier", None)]
    assert imports.rows("select line, text, reason from t__rejects") == [
        (1, "Sales of 2019", "a line above the header"), (7, "Source: the office", "a note under the table"),
        (8, "* estimated", "a note under the table")]


def test_ragged_rows(imports):
    report = imports("a,b,c\n1,2\n3,4,5\n6,7,8,\n6,7,8,9\n")
    assert imports.rows() == [(1, 2, None), (3, 4, 5), (6, 7, 8)] and report["shorter_than_header"] == 1
    assert imports.rows("select line, text, reason from t__rejects") == [(5, "6,7,8,9", "4 cells, but there are 3 columns")]


def test_forced_types_reject_what_does_not_fit(imports):
    report = imports("id,n\n1,5\n2,abc\n3,007\n4,\n", "--type", "n", "INTEGER", "--type", "id", "text")
    assert imports.rows() == [("1", 5), ("4", None)] and report["rejected"] == 2
    assert imports.rows("select line, \"column\", text, reason, file from t__rejects")[0] == (
        3, "n", "2,abc", '"abc" is no INTEGER', str(imports.folder / "in.csv"))
    err = imports.fails("id,n\n1,5\n2,abc\n", "--type", "n", "integer", "--strict", table="s")
    assert "line 3" in err and "abc" in err and imports.rows("select count(*) from sqlite_master where name like 's%'") == [(0,)]
    assert "--type" in imports.fails("a\n1\n", "--type", "nope", "integer")
    assert "--type" in imports.fails("a\n1\n", "--type", "a", "colour")


def test_null_texts_and_blanks(imports):
    assert types(imports("a,b\n1,x\nNA,\n2,NA\n", "--null", "NA", "--empty-null")) == {"a": "INTEGER", "b": "TEXT"}
    assert imports.rows() == [(1, "x"), (None, None), (2, None)]


def test_an_unclosed_quote(imports):
    report = imports('a,b\n1,x\n2,"never closed\n3,y\n4,z\n')
    assert imports.rows() == [(1, "x"), (3, "y"), (4, "z")]
    assert imports.rows("select line, text, reason from t__rejects") == [
        (3, '2,"""never closed"', "a quote is opened and never closed")]
    assert "line 3" in imports.fails('a,b\n1,x\n2,"never closed\n', "--strict", table="s")
    assert report["imported"] == 3
    assert imports('a,b\n1,"x\n2,y\n', "--quotechar", "", table="q")["imported"] == 2


def test_keys_and_modes(imports):
    assert imports("id,v,w\n1,a,p\n2,b,q\n", "--pk", "id")["imported"] == 2
    assert imports.columns() == [("id", "INTEGER"), ("v", "TEXT"), ("w", "TEXT")]
    report = imports("id,v,w\n2,c,r\n3,d,s\n")
    assert report["rejected"] == 1 and report["imported"] == 1 and report["created"] is False
    assert "UNIQUE" in imports.rows("select reason from t__rejects")[0][0]
    report = imports("id,v,w\n2,c,r\n4,e,t\n", "--ignore")
    assert (report["imported"], report["ignored"], report["rejected"]) == (1, 1, 0)
    assert imports("id,v\n2,C\n5,f\n", verb="upsert")["imported"] == 2
    assert imports.rows("select * from t where id in (2, 5)") == [(2, "C", "q"), (5, "f", None)]
    assert imports("id,v\n2,D\n", "--replace")["imported"] == 1
    assert imports.rows("select * from t where id = 2") == [(2, "D", None)]
    assert imports("id,v\n9,z\n", "--truncate")["imported"] == 1 and imports.rows() == [(9, "z", None)]
    assert imports("x\n1\n", "--replace-table")["created"] is True and imports.rows() == [(1,)]


def test_compound_key_not_null_default(imports):
    imports("a,b,c\n1,1,\n1,2,5\n", "--pk", "a", "--pk", "b", "--not-null", "b", "--default", "c", "7", "--default", "b", "it's")
    assert imports.rows("select pk, \"notnull\", dflt_value from pragma_table_info('t')") == [
        (1, 0, None), (2, 1, "'it''s'"), (0, 0, "7")]
    assert imports("a,b,c\n1,1,0\n2,,0\n")["rejected"] == 2


def test_new_columns_need_alter(imports):
    imports("a\n1\n")
    err = imports.fails("a,b\n2,3\n")
    assert '"b"' in err and "--alter" in err and imports.rows() == [(1,)]
    assert imports("A,b\n2,3\n", "--alter")["imported"] == 1
    assert imports.rows() == [(1, None), (2, 3)]


def test_appending_keeps_the_types_of_the_table(imports):
    db = sqlite3.connect(imports.path)
    db.execute("create table t (zip text, n integer, r real, any)")
    db.commit()
    db.close()
    report = imports("zip,n,r,any\n1.50,1,2,x\n20,2,0.5,3\n30,oops,1,4\n")
    assert imports.rows() == [("1.50", 1, 2.0, "x"), ("20", 2, 0.5, "3")] and report["rejected"] == 1


@pytest.mark.parametrize("options, says", [
    (["--pk", "nope"], "nope"), (["--not-null", "nope"], "nope"), (["--default", "nope", "1"], "nope"),
    (["--delimiter", "ab"], "--delimiter"), (["--replace", "--ignore"], "--replace"), (["--skip-lines", "x"], "--skip-lines"),
    (["--nope"], "--nope")])
def test_wrong_options(imports, options, says):
    assert says in imports.fails("a,b\n1,2\n", *options)


def test_wrong_use(tmp_path):
    for arguments, says in ((["insert"], "database"), (["insert", "x.db"], "table"), (["insert", "x.db", "t"], "file"),
                            (["insert", "x.db", "t", "f", "g"], "g"), (["upsert", tmp_path / "x.db", "t", "/no/file"], "/no/file"),
                            (["insert", tmp_path / "x.db", "sqlite_x", "f"], "sqlite_x"),
                            (["insert", tmp_path / "x.db", "t", tmp_path], "directory")):
        status, out, err = serving.run(*arguments)
        assert status and out == "" and says in err, (arguments, err)
    assert "--pk" in serving.run("insert", "--help")[1]


def test_upsert_needs_a_key(imports):
    assert "--pk" in imports.fails("a\n1\n", verb="upsert")
    assert imports("a,b\n1,x\n1,y\n", "--pk", "a", verb="upsert")["imported"] == 2
    assert imports.rows() == [(1, "y")]


def test_views_and_odd_names(imports):
    db = sqlite3.connect(imports.path)
    db.executescript("create view v as select 1")
    db.close()
    assert "plain table" in imports.fails("a\n1\n", table="v")
    name = 'x"; drop table t; --]\' é'
    report = imports('a"b,[c],d\'e,select\n1,2,3,4\n', "--pk", 'a"b', table=name)
    assert report["table"] == name
    assert imports.rows('select name from sqlite_master where type = \'table\'') == [(name,)]


def test_dry_run_changes_nothing(imports):
    report = imports("a,b\n1,2\nx,3\n", "--dry-run")
    assert report["dry_run"] is True and report["rows"] == 2 and not imports.path.exists()
    imports("a\n1\n")
    before = imports.path.read_bytes()
    assert imports("a\n2\nx\n", "--dry-run")["rejected"] == 1
    assert imports.path.read_bytes() == before


def test_stop_after(imports):
    assert imports("a\n" + "1\n" * 100000, "--stop-after", "3")["imported"] == 3 and len(imports.rows()) == 3


def test_packed_files_and_standard_input(imports):
    text = "a,b\n" + "".join(f"{i},row {i}\n" for i in range(20000))
    want = [(i, f"row {i}") for i in range(20000)]
    half = len(text) // 2
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("folder/", "")
        z.writestr("folder/data.csv", text)
        z.writestr("__MACOSX/folder/._data.csv", "junk")
    cases = {"a.csv.gz": gzip.compress(text.encode()), "b.zip": packed.getvalue(),
             "c.gz": gzip.compress(text[:half].encode()) + gzip.compress(text[half:].encode())}
    if ZSTD:
        cases["d.csv.zst"] = subprocess.run([ZSTD, "-c"], input=text.encode(), capture_output=True).stdout
    for number, (name, data) in enumerate(cases.items()):
        assert imports(data, name=name, table=f"t{number}")["imported"] == 20000
        assert imports.rows(f"select * from t{number}") == want
    done = subprocess.run([serving.PROGRAM, "insert", imports.path, "piped", "-", "--json"], input=text.encode(),
                          capture_output=True)
    assert done.returncode == 0, done.stderr
    assert imports.rows("select * from piped") == want
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as z:
        z.writestr("one.csv", "a\n1\n")
        z.writestr("two.csv", "a\n2\n")
    err = imports.fails(packed.getvalue(), name="both.zip")
    assert "one.csv" in err and "two.csv" in err and "--entry" in err
    imports(packed.getvalue(), "--entry", "two.csv", name="both.zip")
    assert imports.rows() == [(2,)]


@pytest.mark.parametrize("data, says", [
    (b"", "empty"), (b"\n\n\n", "empty"), (b"\x89PNG\r\n\x1a\n" + bytes(100), "PNG"), (b"%PDF-1.7\n" + bytes(50), "PDF"),
    (bytes(range(256)) * 20, "text"), (b"\x7fELF" + bytes(99), "program"),
    (bz2.compress(b"a,b\n1,2\n"), "bzip2"), (random.Random(1).randbytes(5000).replace(b"\x1f\x8b", b"xx"), "text"),
    (gzip.compress(b"a,b\n" + os.urandom(4000).hex().encode() + b"\n")[:-300], "gzip"),
    (gzip.compress(b"a,b\n" + b"1,2\n" * 999)[:40], "gzip"), (b"\x1f\x8b" + bytes(30), "gzip"),
    (b"PK\3\4" + bytes(60), "zip"), (b"\x28\xb5\x2f\xfd" + b"\xff" * 40, "in.csv"),
    (b"x" * 5 + b",x" * 999999 + b"\n1,2\n", "columns")], ids=lambda value: value if isinstance(value, str) else "")
def test_files_that_are_no_tables(imports, data, says):
    imports("kept\n1\n", table="kept")
    err = imports.fails(data)
    assert says in err
    assert imports.rows("select name from sqlite_master") == [("kept",)]


def test_a_damaged_zip(imports):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("a.csv", "a,b\n" + "".join(f"{i},{i * i}\n" for i in range(9999)))
    data = packed.getvalue()
    for broken in (data[:-30], data[:2000], data[:500] + b"\0" * 60 + data[560:], data[:14] + struct.pack("<I", 7) + data[18:]):
        if broken == data:
            continue
        status, out, err = serving.run("insert", imports.path, "t", imports.file(broken, "x.zip"))
        assert (status and "zip" in err) or imports.rows("select count(*) from t") == [(9999,)]


def test_a_bomb_is_not_unpacked(imports):
    """300 MB of zeros are some 10 KB in zstd: the ratio stops it."""
    if not ZSTD:
        pytest.skip("zstd is not installed")
    zeros = subprocess.run(f"head -c 300000000 /dev/zero | {ZSTD} -c", shell=True, capture_output=True).stdout
    assert "bomb" in imports.fails(zeros, name="x.csv.zst")
