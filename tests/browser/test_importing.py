# SPDX-License-Identifier: Apache-2.0
"""Importing files in Chromium: dropping, pasting, choosing; the preview, the progress and the report. Changing rows and
tables with the forms."""
import re
import sqlite3

import pytest

import serving
from look import look

MAY = [option for right in ("create-table", "insert-row", "update-row", "drop-table", "alter-table")
       for option in ("--setting", f"permissions.{right}", "true")]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("upload")
    with sqlite3.connect(folder / "data.db") as db:
        db.execute("create table docs (id integer primary key, title text)")
        db.execute("insert into docs values (1, 'one')")
        db.executescript("""create table topics (id integer primary key, name text);
            insert into topics values (1, 'Astronomy'), (2, 'Botany');
            create table notes (id integer primary key, title text, body text, topic integer references topics);
            insert into notes values (1, 'x', 'long', 1), (2, 'y', null, null)""")
    one = serving.Server(folder / "data.db", "--state", folder / "state", *MAY).wait()
    yield one
    one.stop()


def act(site, action, path, width=1280):
    seen = look(site, {"page": path}, widths=[width], act={"page": action})[0]
    assert not seen["errors"], seen["errors"]
    return seen["acted"]


@pytest.mark.parametrize("path", ["/", "/data/-/schema"])
def test_drop(site, path):
    got = act(site, "dropAndImport", path)
    assert got["marked"] and not got["faults"]
    assert got["types"] == ["TEXT (found)", "TEXT (found)", "TEXT (found)"]
    assert re.match(r"2,999 rows in the new table dropped", got["said"])
    assert got["rejects"].startswith("1 line did not fit") and "2,999" in got["count"]
    assert "The table dropped is dropped, with the 2,999 rows" in got["asked"]
    assert "taken back" in got["undone"]
    with sqlite3.connect(site.command[2]) as db:
        assert not db.execute("select * from sqlite_master where name like 'dropped%'").fetchall()


def test_progress_is_live(site):
    said = act(site, "watchImport", "/")
    assert len(said) >= 2 and all(re.match(r"[\d,]+ rows, [\d.]+ [KM]B of 2[\d.]+ MB", text) for text in said), said


def test_edit_row(site):
    options, ticked, said = act(site, "editRow", "/data/notes/1/-/edit-row")
    assert options == [["2", "2: Botany"]] and not ticked and said == "Updated row 1"
    assert site.json("/data/notes/1.json?_shape=array")[0]["topic"] == 2


def test_alter_table(site):
    got = act(site, "alterTable", "/data/notes/-/alter-table")
    assert "The column body goes: 1 row has a value there." in got["asked"] and not got["faults"]
    assert got["names"] == ["id", "heading", "topic", "extra"]


def test_paste(site):
    rows = act(site, "pasteCells", "/data/docs")
    assert [re.sub(r"\s", "", row) for row in rows] == ["1x1", "2y2"]


def test_choose(site):
    assert act(site, "chooseFile", "/-/upload") == "chosen"


def test_an_upload_goes_on_after_the_page_was_closed(site):
    seen = look(site, {"page": "/-/upload"}, widths=[1280], act={"page": "uploadAgain"})[0]
    assert not [text for text in seen["errors"] if "ERR_FAILED" not in text]
    sent, previews = seen["acted"]
    assert sent == [f"PATCH{8 << 20}", f"PATCH{16 << 20}"] and previews == 1
