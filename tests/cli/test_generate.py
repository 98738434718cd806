# SPDX-License-Identifier: Apache-2.0
"""vitrine generate: databases of recipes, always the same; and the program copes with them."""
import json
import re
import sqlite3

import pytest

from serving import Server, run, tilde

SMALL = {"series": ["--rows", "300"], "search": ["--rows", "50"], "tables": ["--tables", "30"], "deep": [], "wide": ["--rows", "5"],
         "blobs": ["--rows", "2", "--bytes", "10001"], "names": [], "values": []}
FACTS = {"series": ("readings", 300), "search": ("documents", 50), "tables": ("table_00030", 3), "deep": ("level_030", 10),
         "wide": ("wide", 5), "blobs": ("files", 2), "names": ("[bracket]", 3), "values": ("values", 29)}


def good(*arguments):
    status, out, err = run(*arguments)
    assert (status, err) == (0, ""), err
    return out


def content(path):
    db = sqlite3.connect(path)
    db.text_factory = bytes
    try:
        return list(db.iterdump()) if "values" not in path.name else db.execute('select * from "values"').fetchall()
    finally:
        db.close()


@pytest.mark.parametrize("recipe", SMALL)
def test_recipe(tmp_path, recipe):
    first, again, other = (tmp_path / f"{name}-{recipe}.db" for name in ("first", "again", "other"))
    good("generate", recipe, first, *SMALL[recipe])
    good("generate", recipe, again, *SMALL[recipe], "--seed", "1")
    good("generate", recipe, other, *SMALL[recipe], "--seed", "2")
    assert first.read_bytes() == again.read_bytes() != other.read_bytes()
    db = sqlite3.connect(first)
    table, count = FACTS[recipe]
    assert db.execute('select count(*) from "' + table + '"').fetchone() == (count,)
    assert db.execute("pragma integrity_check").fetchone() == ("ok",) and db.execute("pragma foreign_key_check").fetchall() == []
    db.close()
    server = Server(first).wait()
    try:
        for entry in server.get(f"/first-{recipe}.json").json()["tables"]:
            page = server.get(f"/first-{recipe}/{tilde(entry['name'])}")
            assert page.status == 200, (entry["name"], page)
    finally:
        server.stop()


def test_encodings(tmp_path):
    good("generate", "encodings", tmp_path / "files", "--rows", "30")
    files = sorted((tmp_path / "files").iterdir())
    assert len(files) == 14
    for file in files:
        known = file.stem in ("utf-8", "utf-8-mark", "utf-16le", "utf-16be", "windows-1252")
        name = {"mac-roman": "macintosh", "cp850": "cp850"}.get(file.stem, file.stem)
        good("insert", tmp_path / "all.db", file.stem, file, "--silent", "--no-undo", *([] if known else ["--encoding", name]))
        rows = json.loads(good("rows", tmp_path / "all.db", file.stem))
        assert len(rows) == 30 and rows[0]["id"] == 1 and re.search("Müller|東京|北京|高雄|서울|Москва", rows[0]["name"]), (file, rows[0])


@pytest.mark.parametrize("arguments, says", [
    ([], "--list"), (["nope", "x.db"], "--list"), (["series"], "missing"), (["series", "x.db", "y"], "too many"),
    (["series", "x.db", "--columns", "5"], "no --columns"), (["wide", "x.db", "--columns", "2001"], "2000"),
    (["wide", "x.db", "--rows", "x"], "number"), (["wide", "there.db"], "already")])
def test_wrong_use(tmp_path, arguments, says):
    (tmp_path / "there.db").write_bytes(b"")
    status, out, err = run("generate", *arguments, cwd=tmp_path)
    assert status and out == "" and says in err, err
    assert [p.name for p in tmp_path.iterdir()] == ["there.db"]


def test_list():
    assert [line.split()[0] for line in good("generate", "--list").splitlines()] == [*SMALL, "encodings"]
