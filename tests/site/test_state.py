# SPDX-License-Identifier: Apache-2.0
"""State of our own: the secret and the internal database outlive the process; without a place for them, all works."""
import json
import shutil
import sqlite3
import stat

import pytest

from serving import run


def root_cookie(site):
    link = site.said(r"/-/auth-token\?token=\w+")
    return site.get(link.group(0)).header("set-cookie").split(";")[0]


def actor(site, cookie):
    return site.get("/-/actor.json", headers={"Cookie": cookie}).json()["actor"]


def test_sign_ins_survive_a_restart(server, chinook):
    first = server(chinook, "--root")
    cookie = root_cookie(first)
    assert actor(first, cookie) == {"id": "root"}
    first.stop()
    assert actor(server(chinook, "--root"), cookie) == {"id": "root"}
    assert actor(server(chinook, "--root", "--secret", "another"), cookie) is None


def test_sites_do_not_share_sign_ins(server, chinook, tmp_path):
    cookie = root_cookie(server(chinook, "--root"))
    (tmp_path / "other").mkdir()
    other = shutil.copy(chinook, tmp_path / "other/chinook.db")
    assert actor(server(other, "--root"), cookie) is None


def test_state_folder(server, chinook, tmp_path):
    folder = tmp_path / "state/of it"
    first = server(chinook, "--root", "--state", folder)
    cookie = root_cookie(first)
    assert stat.S_IMODE((folder / "secret").stat().st_mode) == 0o600
    assert actor(server(chinook, env={"VITRINE_STATE": str(folder)}), cookie) == {"id": "root"}


def test_internal_file_of_datasette_is_kept(server, chinook, tmp_path):
    path = tmp_path / "internal.db"
    db = sqlite3.connect(path)
    db.executescript("create table metadata_instance (key text, value text, unique(key));"
                     "insert into metadata_instance values ('title', 'Kept'); create table other_plugin (x);")
    db.close()
    server(chinook, "--internal", path).stop()
    db = sqlite3.connect(path)
    names = {name for name, in db.execute("select name from sqlite_master where type = 'table'")}
    assert {"other_plugin", "metadata_instance", "queries", "column_types", "vitrine_steps"} <= names
    assert db.execute("select value from metadata_instance").fetchall() == [("Kept",)]
    assert (tmp_path / "internal.db-secret").exists()


@pytest.mark.parametrize("where", ["/dev/null/internal.db", "text"])
def test_internal_file_that_cannot_be_used(chinook, tmp_path, where):
    if where == "text":
        where = tmp_path / "text.db"
        where.write_text("this is no database, and it is long enough to be told apart from an empty file " * 3)
    status, out, err = run("serve", chinook, "--port", "0", "--internal", where)
    assert status not in (0, 1) and out == "" and "--internal" in err and str(where) in err


def test_no_place_for_state(server, chinook):
    env = {"XDG_STATE_HOME": "/dev/null/x"}
    site = server(chinook, "--root", env=env)
    assert actor(site, root_cookie(site)) == {"id": "root"} and site.json("/chinook/Genre.json")["ok"]
    assert site.logs("--state") and site.log().count("--state") == 1
    site = server(chinook, env={"XDG_STATE_HOME": "", "HOME": ""})
    assert site.json("/chinook/Genre.json")["ok"] and site.logs("--state")
    assert site.log().count("--state") == 1


def test_bad_secret_file_is_named(server, chinook, tmp_path):
    (tmp_path / "s").mkdir()
    (tmp_path / "s/secret").write_text("x")
    status, _, err = run("serve", chinook, "--port", "0", "--state", tmp_path / "s")
    assert status == 78 and str(tmp_path / "s/secret") in err


def test_metadata_of_an_internal_database(server, chinook, tmp_path):
    """What Datasette or a plugin of it keeps there is shown; the metadata file goes first."""
    internal = tmp_path / "internal.db"
    with sqlite3.connect(internal) as db:
        db.executescript("""
            create table metadata_instance (key text, value text, unique(key));
            create table metadata_databases (database_name text, key text, value text, unique(database_name, key));
            create table metadata_resources (database_name text, resource_name text, key text, value text,
                unique(database_name, resource_name, key));
            create table metadata_columns (database_name text, resource_name text, column_name text, key text, value text,
                unique(database_name, resource_name, column_name, key));
            insert into metadata_instance values ('title', 'Kept title'), ('about', 'Kept about'), ('license', null);
            insert into metadata_databases values ('chinook', 'description', 'Kept <database>'), ('gone', 'title', 'x');
            insert into metadata_resources values ('chinook', 'Album', 'source', 'Kept source');
            insert into metadata_columns values ('chinook', 'Album', 'Title', 'description', 'Kept column'),
                ('chinook', 'Album', 'AlbumId', 'description', 'Kept id'), ('chinook', 'Album', 'Title', 'unit', 'x');""")
    (tmp_path / "metadata.json").write_text(json.dumps({"title": "File title", "databases": {"chinook": {"tables": {
        "Album": {"columns": {"AlbumId": "File id"}}}}}}))
    site = server(chinook, "--internal", internal, "--metadata", tmp_path / "metadata.json")
    whole = site.json("/-/metadata.json?_compat=0.65")
    assert (whole["title"], whole["about"], "license" in whole) == ("File title", "Kept about", False)
    assert "Kept &lt;database&gt;" in site.get("/chinook").text
    table = site.json("/chinook/Album.json?_size=1&_extra=metadata")["metadata"]
    assert table["source"] == "Kept source" and table["columns"] == {"AlbumId": "File id", "Title": "Kept column"}
    assert server(chinook, "--internal", internal).json("/-/metadata.json?_compat=0.65")["title"] == "Kept title"
