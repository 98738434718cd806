# SPDX-License-Identifier: Apache-2.0
"""vitrine insert: JSON lists, newline-delimited JSON, nested documents, GeoJSON."""
import gzip
import json
import os
import pathlib
import sqlite3

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving import run
from test_rows import Import, types

SAMPLES = pathlib.Path(os.environ.get("VITRINE_SAMPLE_DATA", "/nonexistent"))


@pytest.fixture
def imports(tmp_path):
    return Import(tmp_path)


def test_a_list_of_objects(imports):
    report = imports('[{"id": 1, "name": "Ada", "x": 1.5, "ok": true},\n {"id": 2, "zip": "007", "x": 2, "ok": null}]',
                     name="in.json")
    assert report["format"] == "JSON" and report["shorter_than_header"] == 0
    assert types(report) == {"id": "INTEGER", "name": "TEXT", "x": "REAL", "ok": "INTEGER", "zip": "TEXT"}
    assert imports.rows() == [(1, "Ada", 1.5, 1, None), (2, None, 2.0, None, "007")]


def test_newline_delimited(imports):
    lines = '{"a": 1}\n\n{"a": "x", "b": [1,{"c":2}]}\r\nnot json\n[1]\n{"a": 2'
    report = imports(lines, name="in.ndjson")
    assert report["format"] == "NDJSON" and imports.rows() == [("1", None), ("x", '[1, {"c": 2}]')]
    assert imports.rows("select line, text, reason from t__rejects") == [
        (4, "not json", "not JSON"), (5, "[1]", "no JSON object"), (6, '{"a": 2', "not JSON")]
    assert "line 4" in imports.fails(lines, "--strict", "--nl", name="in.txt", table="s")
    assert imports('{"a": 1}\n{"a": 2}\n', name="found.txt", table="found")["format"] == "NDJSON"


def test_nested_documents(imports):
    text = json.dumps({"about": {"x": [1]}, "result": {"items": [{"n": 1, "in": {"a": {"b": 2}}}, {"n": 2}]},
                       "people": [{"id": 5}]}, indent=1)
    assert imports(text, name="in.json")["imported"] == 1 and imports.rows() == [(5,)]
    assert imports(text, "--path", "result.items", "--flatten", name="in.json", table="i")["imported"] == 2
    assert imports.rows("select * from i") == [(1, 2), (2, None)] and imports.columns("i")[1][0] == "in_a_b"
    assert "--path" in imports.fails(text, "--path", "nope", name="in.json")
    assert imports('{"a": 1, "b": {"c": [2, 3]}}', name="one.json", table="one")["imported"] == 1
    assert imports.rows("select * from one") == [(1, '{"c": [2, 3]}')]
    err = imports.fails('{"a": [{"x": 1}], "b": [{"y": 1}]}', name="two.json")
    assert "a, b" in err and "--path" in err


def test_geojson(imports):
    text = json.dumps({"type": "FeatureCollection", "name": "x", "features": [
        {"type": "Feature", "id": 3, "properties": {"name": "Bonn", "n": 1},
         "geometry": {"type": "Point", "coordinates": [7.1, 50.7]}},
        {"type": "Feature", "properties": None, "geometry": None}]})
    report = imports(text, name="in.geojson")
    assert report["format"] == "GeoJSON"
    assert imports.rows("select id, name, n, geometry from t") == [
        (3, "Bonn", 1, '{"type": "Point", "coordinates": [7.1, 50.7]}'), (None, None, None, None)]


def test_numbers_and_names(imports):
    imports('[{"big": 123456789012345678901, "a": 1, "A": 2, "": 3, "x\\ny": "\\u00e9\\ud83d\\ude00"},'
            ' {"big": 9223372036854775807, "a": 1e3}]', name="in.json")
    assert [name for name, _ in imports.columns()] == ["big", "a", "A_2", "column_1", "x y"]
    assert imports.rows() == [("123456789012345678901", 1.0, 2, 3, "é😀"), ("9223372036854775807", 1000.0, None, None, None)]


@pytest.mark.parametrize("text, says", [
    ("[", "cut off"), ('[{"a": 1}', "cut off"), ('[{"a": 1},, {"a": 2}]', "line 1"), ('[{"a": 1}, {"a": }]', "line 1"),
    ('[{"a": 1},\n{"a": 1 "b": 2}]', "line 2"), ('{"a": [', "in.json"), ('[{"a": 1}}', "line 1"), ("[]", "no rows"),
    ("nonsense", "in.json"), ('[{"a": "\x01"}]', "line 1"), ('[{"a": ' + "[" * 300 + "]" * 300 + "}]", "line 1"),
    ("[{" + ",".join(f'"k{i}": 1' for i in range(2001)) + "}]", "2000")], ids=range(12))
def test_bad_documents(imports, text, says):
    imports("kept\n1\n", table="kept")
    assert says in imports.fails(text, name="in.json")
    assert imports.rows("select name from sqlite_master") == [("kept",)]


def test_long_lists_in_blocks(imports):
    rows = [{"n": i, "text": "é" * (i % 300), "sub": {"k": [i]}} for i in range(20000)]
    for number, data in enumerate((json.dumps(rows), json.dumps(rows, indent=2, ensure_ascii=False),
                                   "\n".join(map(json.dumps, rows)))):
        assert imports(gzip.compress(data.encode()), name="in.json.gz", table=f"t{number}")["imported"] == len(rows)
        assert imports.rows(f"select n, text, sub from t{number}") == [
            (r["n"], r["text"], json.dumps(r["sub"])) for r in rows]


@pytest.mark.skipif(not (SAMPLES / "legislators-current.json").exists(), reason="VITRINE_SAMPLE_DATA is not set")
@pytest.mark.parametrize("name", ["legislators-current.json", "committees-current.json", "legislators-social-media.json"])
def test_real_nested_files(imports, name):
    data = (SAMPLES / name).read_bytes()
    wanted = json.loads(data)
    report = imports(data, name=name)
    assert report["imported"] == len(wanted)
    db = sqlite3.connect(imports.path)
    db.row_factory = sqlite3.Row
    for row, want in zip(db.execute("select * from t order by rowid"), wanted):
        for column in row.keys():
            value = want.get(column)
            got = json.loads(row[column]) if isinstance(value, (dict, list)) else row[column]
            assert got == value, (column, value)
    db.close()


KEYS = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=8).map(lambda k: "k" + k)
VALUES = st.one_of(st.none(), st.integers(-2**63, 2**63 - 1), st.text(st.characters(blacklist_categories=("Cs",)), max_size=20),
                   st.floats(allow_nan=False, allow_infinity=False))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dictionaries(st.sampled_from("abcd"), VALUES, min_size=1), min_size=1, max_size=8), st.booleans())
def test_any_rows(tmp_path, rows, ascii_only):
    """Values come back equal; in a column that mixes kinds they come back as text."""
    imports = Import(tmp_path)
    imports.path.unlink(missing_ok=True)
    report = imports(json.dumps(rows, ensure_ascii=ascii_only), name="in.json")
    assert report["imported"] == len(rows)
    db = sqlite3.connect(imports.path)
    db.row_factory = sqlite3.Row
    kinds = types(report)
    for got, want in zip(db.execute("select * from t order by rowid"), rows):
        for key, value in want.items():
            have = got[key]
            if kinds[key] == "TEXT" and value is not None and not isinstance(value, str):
                assert type(value)(have) == value
            else:
                assert have == value
    db.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=12),
                         min_size=3, max_size=3), min_size=1, max_size=8), st.sampled_from([",", ";", "\t", "|"]))
def test_any_csv(tmp_path, rows, delimiter):
    """What csv.writer writes comes back, without types, byte for byte."""
    import csv
    import io
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerow(["a", "b", "c"])
    writer.writerows(rows)
    imports = Import(tmp_path)
    imports.path.unlink(missing_ok=True)
    path = imports.file(out.getvalue().encode(), "in.csv")
    status, _, err = run("insert", imports.path, "t", path, "--no-types", "--delimiter", delimiter, "--encoding", "utf-8",
                         "--skip-lines", "0", "--silent")
    assert status == 0, err
    assert imports.rows("select * from t order by rowid") == [tuple(row) for row in rows]


PEOPLE = [{"id": "a", "terms": [{"n": 1, "x": {"y": 2}}, {"n": "two", "id": 5, "more": [{"z": 1}]}], "tags": ["p", "q"]},
          {"id": "b", "terms": [], "name": {"first": "Bo"}},
          {"id": "c", "terms": None, "jobs": [{"j": 1}], "name": {"first": "Cy", "lists": [{"deep": True}]}}]


def test_lists_become_tables(imports):
    report = imports(json.dumps(PEOPLE), "--children", "--pk", "id", name="in.json", table="p")
    assert [c["table"] for c in report["children"]] == ["p_terms", "p_jobs"] and report["imported"] == 3
    assert [c["imported"] for c in report["children"]] == [2, 1]
    assert imports.rows("select id, tags, name from p") == [
        ("a", '["p", "q"]', None), ("b", None, '{"first": "Bo"}'),
        ("c", None, '{"first": "Cy", "lists": [{"deep": true}]}')]
    assert imports.rows("select * from p_terms") == [("a", "1", '{"y": 2}', None, None), ("a", "two", None, 5, '[{"z": 1}]')]
    assert imports.columns("p_terms")[0] == ("p_id", "TEXT")
    assert imports.rows('select "table", "from", "to" from pragma_foreign_key_list(\'p_terms\')') == [("p", "p_id", "id")]
    assert imports.rows("select name from pragma_index_list('p_terms')") == [("idx_p_terms_p_id",)]
    assert imports.rows("pragma foreign_key_check") == []


def test_lists_of_rows_without_a_key(imports):
    lines = "\n".join(map(json.dumps, PEOPLE)) + "\nnonsense\n"
    report = imports(lines, "--children", "--flatten", "--nl", name="in.txt", table="p")
    assert report["rejected"] == 1 and [c["table"] for c in report["children"]] == ["p_terms", "p_jobs", "p_name_lists"]
    assert imports.rows("select _id, id from p") == [(1, "a"), (2, "b"), (3, "c")]
    assert imports.rows("select p_id, n, x_y from p_terms") == [(1, "1", 2), (1, "two", None)]
    assert imports.rows("select p_id, deep from p_name_lists") == [(3, 1)]
    assert "--pk" in imports.fails(lines, "--children", "--nl", name="in.txt", table="p")


def test_lists_again(imports):
    text = json.dumps(PEOPLE)
    for options in ((), ("--replace-table",), ("--truncate",)):
        report = imports(text, "--children", "--pk", "id", *options, name="in.json", table="p")
        assert imports.rows("select count(*) from p_terms") == [(2,)] and report["rejected"] == 0
    # Rows whose parent is there already are rejected, their lists are added to it.
    report = imports(text, "--children", "--pk", "id", name="in.json", table="p")
    assert report["rejected"] == 3 and imports.rows("select count(*) from p") == [(3,)]
    # The parent is rejected and not there: so are the rows of its lists.
    text = json.dumps([{"id": "x", "n": 1, "terms": [{"n": 1}]}, {"id": "y", "n": "no", "terms": [{"n": 2}]}])
    report = imports(text, "--children", "--pk", "id", "--type", "n", "integer", name="in.json", table="q")
    assert report["rejected"] == 1 and report["children"][0]["rejected"] == 1
    assert imports.rows("select * from q_terms") == [("x", 1)]
    assert "FOREIGN KEY" in imports.rows("select reason from q_terms__rejects")[0][0]


def test_lists_that_cannot_be(imports):
    text = json.dumps(PEOPLE)
    imports("kept\n1\n", table="p_terms")
    assert "p_terms" in imports.fails(text, "--children", "--pk", "id", name="in.json", table="p")
    assert "plain inserting" in imports.fails(text, "--children", "--pk", "id", name="in.json", table="p", verb="upsert")
    assert "one column" in imports.fails(text, "--children", "--pk", "id", "--pk", "tags", name="in.json", table="p")
    many = json.dumps([{f"l{i}": [{"a": 1}] for i in range(101)}])
    assert "100" in imports.fails(many, "--children", name="in.json", table="m")
    mixed = json.dumps([{"id": 1, "l": [{"a": 1}, 5, [6]]}, {"id": 2, "l": ["text"]}])
    report = imports(mixed, "--children", "--pk", "id", name="in.json", table="mixed")
    assert report["children"][0]["rejected"] == 2 and imports.rows("select * from mixed") == [(1, None), (2, '["text"]')]
    assert imports.rows("select name from sqlite_master where type = 'table' and name not like 'mixed%'") == [("p_terms",)]
    status, out, err = run("insert", imports.path, "dry", imports.file(text, "in.json"), "--children", "--dry-run", "--json")
    assert status == 0 and [c["rows"] for c in json.loads(out)["children"]] == [2, 1]


@pytest.mark.skipif(not (SAMPLES / "legislators-current.json").exists(), reason="VITRINE_SAMPLE_DATA is not set")
def test_real_lists(imports):
    data = (SAMPLES / "legislators-current.json").read_bytes()
    imports(data, "--children", "--flatten", "--pk", "id_bioguide", name="in.json", table="people")
    wanted = [(p["id"]["bioguide"], t["type"], t["start"], t.get("party")) for p in json.loads(data) for t in p["terms"]]
    assert imports.rows("select people_id_bioguide, type, start, party from people_terms") == wanted
