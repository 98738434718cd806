# SPDX-License-Identifier: Apache-2.0
"""The walls of imports: what happens at each is what src/base/limits.h says. Those of workbooks are in test_xlsx.py too,
those of fetching in test_url.py."""
import gzip
import io
import json
import sqlite3
import subprocess
import zipfile

import pytest

import limits
import serving
from limits import lowered
from test_rows import ZSTD, Import, types
from test_xlsx import by_hand


@pytest.fixture
def imports(tmp_path):
    return Import(tmp_path)


def bring(imports, data, *options, name="in.csv", table="t", env=None, verb="insert"):
    """(exit status, report or None, standard error)"""
    status, out, err = serving.run(verb, imports.path, table, imports.file(data, name), "--json", *options, env=env)
    return status, json.loads(out) if out else None, err


def refused(imports, data, *says, hint=True, **more):
    status, _, err = bring(imports, data, **more)
    assert status and all(str(word) in err for word in says), err
    assert not hint or err.count("\n") > 1, err  # and what to do


def test_length_of_a_record(imports):
    env = lowered(INGEST_RECORD=1_500_000)  # LIMIT_INGEST_RECORD
    for kind, make in {
            "csv": lambda n: "a,b\n1,x\n2," + "y" * n + "\n",
            "json": lambda n: json.dumps([{"a": 1}, {"a": "y" * n}]),
            "xlsx": lambda n: by_hand("<row><c t='str'><v>a</v></c><c t='str'><v>b</v></c></row><row>" +
                                      f"<c t='str'><v>{'x' * (n // 2)}</v></c><c t='str'><v>{'y' * (n // 2)}</v></c>"
                                      "</row>")}.items():
        status, report, err = bring(imports, make(1_200_000), name="in." + kind, table=kind, env=env)
        assert status == 0, err
        refused(imports, make(3_000_000), "longer than 1500000 bytes", name="in." + kind, table=kind + "2", env=env,
                hint=True)


def test_titles_notes_and_quotes(imports):
    most = limits.LIMIT_INGEST_TITLE_LINES
    for n, header in (most, most + 1), (most + 1, 1):
        titles = "".join(f"title {i}\n" for i in range(n))
        assert bring(imports, titles + "id,town,sum\n" + "1,Bonn,5\n" * 60, table=f"t{n}")[1]["header_line"] == header
    most = limits.LIMIT_INGEST_NOTE_LINES
    for n, kind in (most, "INTEGER"), (most + 1, "TEXT"):
        notes = "".join(f"note {i}\n" for i in range(n))
        report = bring(imports, "id,town,sum\n1,Bonn,5\n2,Köln,7\n3,Trier,8\n" + notes, table=f"n{n}")[1]
        assert types(report)["id"] == kind, report


def test_unclosed_quotes(imports):
    """Each is found when the row that it begins becomes too long."""
    env, most, rest = lowered(INGEST_RECORD=300_000), limits.LIMIT_INGEST_OPEN_QUOTES, "x," + "y" * 100_000 + "\n"
    for n, good in (most, True), (most + 1, False):
        status, report, err = bring(imports, "a,b\n" + rest * 4 + (f'1,"open\n{rest * 22}') * n, table=f"q{n}", env=env)
        assert (status == 0) == good, (n, report, err)
        assert good or "never closed" in err


def test_packed_files(imports):
    text = "a\n" + ("1" * 999 + "\n") * 400
    status, _, err = bring(imports, gzip.compress(text.encode()), name="a.csv.gz", env=lowered(INGEST_UNPACKED=500_000))
    assert status == 0, err  # LIMIT_INGEST_UNPACKED
    refused(imports, gzip.compress((text * 2).encode()), "unpacks to more than", table="u", name="b.csv.gz",
            env=lowered(INGEST_UNPACKED=500_000))
    env = lowered(INGEST_ZIP_ENTRIES=50)  # LIMIT_INGEST_ZIP_ENTRIES
    for n in 50, 51:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as z:
            for i in range(n - 1):
                z.writestr(f"{i}.dat", b"")
            z.writestr("in.csv", "a\n1\n")
        if n == 50:
            assert bring(imports, out.getvalue(), "--entry", "in.csv", name="in.zip", table="z", env=env)[0] == 0
        else:
            refused(imports, out.getvalue(), "more than 50 files", name="in.zip", table="z", env=env)


@pytest.mark.skipif(not ZSTD, reason="zstd is not installed")
def test_bombs(imports):
    """LIMIT_INGEST_UNPACK_FREE bytes may come of anything; beyond, LIMIT_INGEST_UNPACK_RATIO for each packed one."""
    env = lowered(INGEST_UNPACK_FREE=4_000_000)
    for size, good in (3_000_000, True), (12_000_000, False):
        text = "a\n" + ("1" * 9999 + "\n") * (size // 10_000)
        data = subprocess.run([ZSTD, "-c"], input=text.encode(), capture_output=True).stdout
        assert size / len(data) > limits.LIMIT_INGEST_UNPACK_RATIO
        status, _, err = bring(imports, data, name="in.csv.zst", table=f"t{size}", env=env)
        assert (status == 0) == good and (good or "bomb" in err and "unpack it yourself" in err), err


def test_rejected_rows(imports):
    env = lowered(INGEST_REJECT_TEXT=1000)  # LIMIT_INGEST_REJECT_TEXT
    bring(imports, f"a,b\n1,x\nno,{'y' * 500}\nno,{'z' * 5000}\n", "--type", "a", "integer", env=env)
    short, long = imports.rows("select text, reason from t__rejects")
    assert len(short[0]) == 503 and "cut off" not in short[1]
    assert len(long[0]) <= 1000 and "cut off" in long[1]


def test_memory_of_an_import(imports):
    env = lowered(INGEST_ARENA=400_000)  # LIMIT_INGEST_ARENA
    assert bring(imports, "a short title\nid,town,sum\n1,Bonn,5\n2,Köln,7\n", env=env)[0] == 0
    refused(imports, "t" * 900_000 + "\nid,town,sum\n1,Bonn,5\n2,Köln,7\n", "names and notes", table="u", env=env)


def test_dumps(imports):
    numbers = "with recursive c(i) as (select 1 union all select i + 1 from c where i < %d) "
    rows = "create table a (x);\ninsert into a " + numbers % 3000 + "select printf('%.*c', 1000, 'x') from c;\n"
    env = lowered(INGEST_DUMP_FREE=1_000_000)  # LIMIT_INGEST_DUMP_FREE
    refused(imports, rows, "full", name="in.sql", env=env, hint=False)
    padding = "-- " + "p" * (3_000_000 // limits.LIMIT_INGEST_DUMP_TIMES) + "\n"
    assert bring(imports, padding + rows, name="in.sql", env=env)[1]["imported"] == 3000
    slow = ("create table a (x);\ninsert into a with recursive c(i) as (select 1 union all select i + 1 from c) "
            "select count(*) from c;")
    refused(imports, slow, "line 2", "longer", name="in.sql", table="s", env=lowered(INGEST_STATEMENT_MS=200))
    # LIMIT_DB_SCRIPT_BYTES (and LIMIT_INGEST_STATEMENT_MS before)
    for size, good in (1_900_000, True), (3_500_000, False):
        text = "create table a (x);\ninsert into a values ('" + "y" * size + "');\n"
        status, _, err = bring(imports, text, name="in.sql", table=f"d{size}", env=lowered(DB_SCRIPT_BYTES=2_000_000))
        assert (status == 0) == good and (good or "longer than 2000000 bytes" in err), err


def test_lists_inside_of_rows(imports):
    for n in limits.LIMIT_INGEST_CHILDREN, limits.LIMIT_INGEST_CHILDREN + 1:
        data = json.dumps([{"id": 1, **{f"l{i}": [{"a": i}] for i in range(n)}}])
        status, _, err = bring(imports, data, "--children", "--pk", "id", name="in.json", table=f"t{n}")
        assert (status == 0) == (n == limits.LIMIT_INGEST_CHILDREN)
    assert f"more than {limits.LIMIT_INGEST_CHILDREN} different lists" in err and "--children" in err


def test_workbooks(imports):
    head = "<row><c t='str'><v>a</v></c></row><row><c t='s'><v>0</v></c></row>"
    env = lowered(INGEST_XLSX_TEXTS=100_000, INGEST_XLSX_STYLES=50)  # LIMIT_INGEST_XLSX_TEXTS, LIMIT_INGEST_XLSX_STYLES
    styles = "<cellXfs>" + "<xf numFmtId='0'/>" * 48 + "</cellXfs>"
    good = by_hand(head, ["<si><t>%s</t></si>" % ("x" * 50_000)], styles)
    assert bring(imports, good, name="in.xlsx", env=env)[0] == 0
    refused(imports, by_hand(head, ["<si><t>%s</t></si>" % ("x" * 50_000)] * 3, styles), "texts are longer than 100000",
            name="in.xlsx", table="u", env=env)
    refused(imports, by_hand(head, ["<si><t>x</t></si>"], styles.replace("</", "<xf/>" * 9 + "</")), "more than 50 formats",
            name="in.xlsx", table="u", env=env)


def test_undo(imports):
    env = lowered(UNDO_ROWS=5, UNDO_LOG=3)  # LIMIT_UNDO_ROWS, LIMIT_UNDO_LOG
    for n, good in (5, True), (6, False):
        bring(imports, "a\n" + "1\n" * n, table=f"t{n}", env=env)
        bring(imports, "a\n2\n", "--truncate", table=f"t{n}", env=env)
        status, _, err = serving.run("undo", imports.path)
        assert (status == 0) == good and (good or "too large to be kept" in err), err
    for _ in range(3):
        bring(imports, "a\n2\n", table="t6", env=env)
    db = sqlite3.connect(imports.path)
    assert db.execute("select count(*) from _vitrine_imports").fetchone() == (3,)
    db.close()
