# SPDX-License-Identifier: Apache-2.0
"""Databases that are made from a page: alone, and for an import; only where a directory is served."""
import urllib.parse

import pytest

from limits import LIMIT_DATABASE_NAME
from test_upload import cookie, ended, upload
from writing import make, serve

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PAGE = "/-/create-database"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("served")
    make(path / "data.db")
    (path / "datasette.json").write_text('{"permissions": {"create-table": true}}')
    return path


@pytest.fixture(scope="module")
def site(folder):
    one = serve(folder, "--state", folder / "state")
    yield one
    one.stop()


def post(site, path, headers=None, **fields):
    """As a browser: 307 sends the same form again."""
    for _ in range(21):
        answer = site.ask("POST", path, {**FORM, **(cookie() if headers is None else headers)}, urllib.parse.urlencode(fields))
        if answer.status != 307:
            return answer
        path = answer.header("location")
    raise AssertionError("too many redirects")


def test_made(site, folder):
    text = site.ask("GET", "/", cookie()).text
    assert f'href="{PAGE}"' in text
    answer = post(site, PAGE, name="fresh")
    assert answer.status == 303 and answer.header("location") == "/fresh"
    assert "no tables yet" in site.ask("GET", "/fresh", cookie()).text
    assert (folder / "fresh.db").read_bytes()[:15] == b"SQLite format 3" and not list(folder.glob(".*"))
    again = post(site, PAGE, name="fresh")
    assert again.status == 400 and "There is a database fresh already" in again.text


def test_an_import_into_a_new_one(site, folder):
    page = upload(site, "id,name\n1,x\n2,y\n")
    assert 'name="new_database"' in site.ask("GET", page, cookie()).text
    answer = post(site, page, action="start", mode="create", new_database="imported", table="t",
                  **{"name.0": "id", "name.1": "name"})
    assert answer.status == 303, answer
    assert ended(site, page)["state"] == "done"
    assert site.get("/imported/t.json?_shape=array").json() == [
        {"rowid": 1, "id": 1, "name": "x"}, {"rowid": 2, "id": 2, "name": "y"}]
    other = upload(site, "a\n1\n")
    taken = post(site, other, action="start", mode="create", new_database="imported", table="u")
    assert taken.status == 400 and "already" in taken.text and 'value="imported"' in taken.text


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "a.b", "-x", "a b", "é", "a\0b", "x" * (LIMIT_DATABASE_NAME + 1)])
def test_names_that_are_refused(site, folder, name):
    before = sorted(folder.rglob("*.db"))
    answer = post(site, PAGE, name=name)
    assert answer.status == 400 and "cannot be the name of a database" in answer.text
    assert sorted(folder.rglob("*.db")) == before


def test_a_file_that_is_there_stays(site, folder):
    (folder / "note.db").write_text("not a database")
    answer = post(site, PAGE, name="note")
    assert answer.status == 400 and (folder / "note.db").read_text() == "not a database"
    (folder / "note.db").unlink()


def test_who_may(site, folder):
    assert site.get(PAGE).status == 403 and post(site, PAGE, {}, name="x").status == 403  # everybody may make tables here
    assert post(site, PAGE, {**cookie(), "Sec-Fetch-Site": "cross-site"}, name="x").status == 403
    assert PAGE not in site.get("/").text and not (folder / "x.db").exists()


def test_only_where_a_directory_is_served(tmp_path):
    one = serve(make(tmp_path / "data.db"), "--state", tmp_path / "state")
    assert one.ask("GET", PAGE, cookie()).status == 404 and PAGE not in one.ask("GET", "/", cookie()).text
    page = upload(one, "a\n1\n")
    assert "new_database" not in one.ask("GET", page, cookie()).text
    assert post(one, page, action="start", mode="create", new_database="x", table="u").status == 403
    assert [p.name for p in tmp_path.glob("*.db")] == ["data.db"]
    one.stop()
