# SPDX-License-Identifier: Apache-2.0
"""Importing files in Chromium: dropping, pasting, choosing; the preview, the progress and the report."""
import os
import re
import sqlite3

import pytest

import serving
from look import look

MAY = [option for right in ("create-table", "insert-row", "update-row", "drop-table", "alter-table")
       for option in ("--setting", f"permissions.{right}", "true")]
CSV = "code,name,n\n" + "".join(f"c{i},A rather long name of a thing number {i},{i * 3}\n" for i in range(30))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("upload")
    with sqlite3.connect(folder / "data.db") as db:
        db.execute("create table docs (id integer primary key, title text)")
    one = serving.Server(folder / "data.db", "--state", folder / "state", *MAY).wait()
    yield one
    one.stop()


def upload(site, name, data):
    answer = site.ask("POST", "/-/upload", {"Tus-Resumable": "1.0.0", "Upload-Defer-Length": "1", "Upload-Metadata": "",
                                            "Content-Type": "application/offset+octet-stream"}, data)
    assert answer.status == 201, answer
    url = answer.header("location")
    site.ask("PATCH", url, {"Tus-Resumable": "1.0.0", "Upload-Offset": str(len(data)), "Upload-Length": str(len(data)),
                            "Content-Type": "application/offset+octet-stream"})
    return url.replace("upload", "import")


def act(site, action, path, width=1280):
    seen = look(site, {"page": path}, widths=[width], act={"page": action})[0]
    assert not seen["errors"], seen["errors"]
    return seen["acted"]


def test_pages(site, tmp_path):
    """Wide and narrow, light and dark: nothing sticks out, axe finds no fault, nothing on the console."""
    done = upload(site, "b.csv", b"a,b\n1,2\n3,x\n")
    answer = site.ask("POST", done, {"Content-Type": "application/x-www-form-urlencoded"},
                      "action=start&mode=create&database=data&table=done&name.0=a&name.1=b&type.1=INTEGER")
    assert answer.status == 303
    while site.json(done + ".json")["state"] == "running":
        pass
    half = site.ask("POST", "/-/upload", {"Tus-Resumable": "1.0.0", "Upload-Length": "1000000"}).header("location")
    pages = {"upload": "/-/upload?database=data", "import": upload(site, "a.csv", CSV.encode()), "import-done": done,
             "import-bad": upload(site, "c.csv", b'[{"a": 1}, {"a"'), "import-half": half.replace("upload", "import")}
    pictures = os.environ.get("PICTURES") or str(tmp_path)
    for width, scheme in ((1280, "light"), (390, "dark"), (1280, "dark"), (390, "light")):
        for s in look(site, pages, widths=[width], schemes=[scheme], axe=True, pictures=pictures):
            where = (s["name"], width, scheme)
            assert s["status"] == 200 and s["overflow"] <= 0, (where, s["overflow"])
            assert not s["errors"] and not s["elsewhere"] and not s["axe"], (where, s)
    for s in look(site, pages, widths=[390], scripts=False):
        assert s["overflow"] <= 0 and not s["errors"], s


@pytest.mark.parametrize("path", ["/", "/data"])
def test_drop(site, path):
    got = act(site, "dropAndImport", path)
    assert got["marked"] and not got["faults"]
    assert got["types"] == ["TEXT (found)", "TEXT (found)", "TEXT (found)"]
    assert re.match(r"2,999 rows in the new table dropped", got["said"])
    assert got["rejects"].startswith("1 line did not fit") and "2,999" in got["count"]
    assert "taken back" in got["undone"]
    with sqlite3.connect(site.command[2]) as db:
        assert not db.execute("select * from sqlite_master where name like 'dropped%'").fetchall()


def test_paste(site):
    rows = act(site, "pasteCells", "/data/docs")
    assert [re.sub(r"\s", "", row) for row in rows] == ["1x1", "2y2"]


def test_choose(site):
    assert act(site, "chooseFile", "/-/upload") == "chosen"
