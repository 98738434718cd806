# SPDX-License-Identifier: Apache-2.0
"""Real files as published: every one imports, and every cell equals what Python's csv module reads.

A few lie in tests/data/messy; VITRINE_SAMPLE_DATA=DIR adds all those under DIR/fivethirtyeight."""
import json
import os
import pathlib
import sqlite3

import pytest

import reference
import serving

SAMPLES = serving.DATA / "messy"
ALL = pathlib.Path(os.environ.get("VITRINE_SAMPLE_DATA", "/nonexistent")) / "fivethirtyeight"
FILES = sorted(p for top in (SAMPLES, ALL) for p in top.rglob("*.[ct]sv"))


def name_of(path):
    top = ALL if ALL in path.parents else SAMPLES
    return path.relative_to(top).as_posix()


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_every_cell(path, tmp_path):
    name = path.name
    status, out, err = serving.run("insert", tmp_path / "t.db", "t", path, "--json")
    assert status == 0, err
    report = json.loads(out)
    delimiter = "\t" if path.suffix == ".tsv" else ","
    rows = reference.rows_of(path, delimiter, reference.encoding_of(path))
    at = reference.HEADERS.get(name, 0)
    header, data = rows[at], rows[at + 1:]
    assert report["delimiter"] == (delimiter if len(header) > 1 or delimiter == "," else ","), report["delimiter"]
    width = len(report["columns"])
    assert width == len(header)
    fitting = [row for row in data if not any(row[width:])]
    db = sqlite3.connect(tmp_path / "t.db")
    got = db.execute("select * from t order by rowid").fetchall()
    notes = report["rejected"] - at - (len(data) - len(fitting))
    assert len(got) == len(fitting) - notes, (len(got), len(data), report["rejected"])
    assert notes <= 3
    if report["rejected"]:
        assert db.execute("select count(*) from t__rejects").fetchone()[0] == report["rejected"]
    for number, (have, want) in enumerate(zip(got, fitting)):
        want = want[:width] + [""] * (width - len(want))
        for cell, text, column in zip(have, want, report["columns"]):
            assert reference.same(cell, text, column), (number, column, cell, text)
    for (column_name, kind), column, title in zip(db.execute("select name, type from pragma_table_info('t')"),
                                                  report["columns"], header):
        assert kind == column["type"] and column_name == column["name"]
        if title.strip() and header.count(title) == 1:
            assert column_name.startswith(" ".join(title.split("\n")).strip()[:20]), (column_name, title)
    db.close()
