# SPDX-License-Identifier: Apache-2.0
"""Programs of others against ours: sqlite-utils reads and changes the files we write, curl and dclient drive the API.

dclient comes from PyPI: where that does not answer its test is skipped, and says so."""
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import venv

import pytest

import serving
import writing

CSV = "id,name,born,score,team\n1,Zoë,1990-01-02,1.5,red\n2,Ben,1985-11-30,,blue\n3,\"O'Neil, Pat\",2001-07-04,7,red\n"


def run(*command, env=None, **options):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=120,
                          env={**os.environ, **(env or {})}, **options)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


def vitrine(*arguments, **options):
    return run(serving.PROGRAM, *arguments, **options)


# ---- sqlite-utils


@pytest.fixture
def utils():
    if not shutil.which("sqlite-utils"):
        pytest.fail("sqlite-utils is missing: tools/setup.sh --test installs it")
    # the Debian package belongs to Debian's Python, whatever stands first in PATH
    return lambda *a: run("sqlite-utils", *a, env={"PYTHONPATH": ""})


def test_sqlite_utils_reads_what_we_write(utils, tmp_path):
    (tmp_path / "people.csv").write_text(CSV)
    db = tmp_path / "data.db"
    vitrine("insert", db, "people", tmp_path / "people.csv", "--pk", "id", "--extract", "team")
    vitrine("enable-fts", db, "people", "name")
    vitrine("add-index", db, "people", "born")
    vitrine("history", "enable", db, "people")
    tables = {t["table"]: t for t in json.loads(utils("tables", db, "--counts", "--columns"))}
    assert tables["people"]["count"] == 3 and tables["people"]["columns"] == ["id", "name", "born", "score", "team_id"]
    rows = json.loads(utils("rows", db, "people"))
    assert [r["name"] for r in rows] == ["Zoë", "Ben", "O'Neil, Pat"]
    assert [r["score"] for r in rows] == [1.5, None, 7.0]
    assert [r["name"] for r in json.loads(utils("search", db, "people", "zoë"))] == ["Zoë"]
    indexes = json.loads(utils("indexes", db, "people"))
    assert any(i["name"] == "born" for i in indexes)
    assert "REFERENCES" in utils("schema", db, "people")


def test_sqlite_utils_changes_what_we_write(utils, tmp_path):
    """A history and a search index go on through another program's writes: triggers keep both."""
    (tmp_path / "people.csv").write_text(CSV)
    (tmp_path / "more.json").write_text('[{"id": 3, "name": "Pat"}, {"id": 4, "name": "Dora"}]')
    db = tmp_path / "data.db"
    vitrine("insert", db, "people", tmp_path / "people.csv", "--pk", "id")
    vitrine("enable-fts", db, "people", "name", "--create-triggers")
    vitrine("history", "enable", db, "people")
    utils("upsert", db, "people", tmp_path / "more.json", "--pk", "id")
    assert json.loads(utils("search", db, "people", "dora"))[0]["id"] == 4
    changes = [json.loads(line) for line in vitrine("history", "show", db, "people", "--json").splitlines()]
    assert {(c["after"]["id"], c["op"]) for c in changes if c["after"]} >= {(4, "insert"), (3, "update")}, changes
    utils("transform", db, "people", "--rename", "born", "birthday")
    assert "birthday" in json.loads(vitrine("rows", db, "people", "--json"))[0]
    with sqlite3.connect(db) as check:
        assert check.execute("pragma integrity_check").fetchone() == ("ok",)


# ---- curl and dclient


@pytest.fixture
def site(tmp_path):
    s = writing.Site(writing.make(tmp_path / "data.db"), "--secret", writing.SECRET, "--root").wait()
    yield s
    s.stop()


def test_curl(site):
    token = writing.bearer()["Authorization"]

    def curl(path, body):
        return json.loads(run("curl", "-sS", "-H", f"Authorization: {token}", "-H", "Content-Type: application/json",
                              "-d", json.dumps(body), f"http://{serving.HOST}:{site.port}{path}"))

    assert curl("/data/-/create", {"table": "notes", "rows": [{"id": 1, "text": "one"}], "pk": "id"})["ok"]
    assert curl("/data/notes/-/insert", {"row": {"id": 2, "text": "two"}})["rows"] == [{"id": 2, "text": "two"}]
    assert curl("/data/notes/-/upsert", {"rows": [{"id": 2, "text": "deux"}]}) == {"ok": True}
    assert curl("/data/notes/1/-/update", {"update": {"text": "un"}, "return": True})["rows"][0]["text"] == "un"
    assert curl("/data/notes/1/-/delete", {}) == {"ok": True}
    assert site.get("/data/notes.json?_shape=array").json() == [{"id": 2, "text": "deux"}]
    assert curl("/data/notes/-/drop", {"confirm": True}) == {"ok": True}


@pytest.fixture(scope="session")
def dclient(tmp_path_factory):
    if shutil.which("dclient"):
        return "dclient"
    folder = tmp_path_factory.mktemp("dclient")
    try:
        venv.create(folder, with_pip=True)
        subprocess.run([folder / "bin/pip", "install", "-q", "--retries", "0", "--timeout", "5", "dclient==0.4"],
                       check=True, capture_output=True, timeout=120)
    except (OSError, subprocess.SubprocessError):
        print("test_clients: dclient cannot be had from PyPI here", file=sys.stderr)
        pytest.skip("dclient cannot be had from PyPI here")
    return folder / "bin/dclient"


def test_dclient(site, dclient, tmp_path):
    token = writing.bearer()["Authorization"].split()[1]
    url = f"http://{serving.HOST}:{site.port}/data"
    home = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}

    def client(*arguments):
        return run(dclient, *arguments, env=home)

    (tmp_path / "people.csv").write_text(CSV)
    (tmp_path / "more.json").write_text('[{"id": 2, "name": "Benno"}, {"id": 9, "name": "New", "city": "Rome"}]')
    client("insert", url, "people", tmp_path / "people.csv", "--csv", "--create", "--pk", "id", "--token", token, "--silent")
    got = json.loads(client("query", f"{url}/-/query", "select name from people order by id", "--token", token))
    assert [r["name"] for r in got] == ["Zoë", "Ben", "O'Neil, Pat"]
    client("insert", url, "people", tmp_path / "more.json", "--json", "--replace", "--alter", "--token", token, "--silent")
    rows = {r["id"]: r for r in site.get("/data/people.json?_shape=array").json()}
    assert rows[2]["name"] == "Benno" and rows[9]["city"] == "Rome" and len(rows) == 4
    assert json.loads(client("actor", url, "--token", token))["actor"]["id"] == "root"
