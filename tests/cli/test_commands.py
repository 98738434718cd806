# SPDX-License-Identifier: Apache-2.0
"""inspect, create-token, serve --get, and the environment: what each prints and with which exit status it ends."""
import hashlib
import json
import sqlite3

import pytest

from serving import DATA, make, run

CHINOOK = DATA / "chinook.db"


# ---- serve --get ----

def test_get_prints_the_answer():
    status, out, err = run("serve", CHINOOK, "--get", "/chinook/Genre.json?_size=1")
    assert (status, err) == (0, "") and json.loads(out)["rows"] == [{"GenreId": 1, "Name": "Rock"}]
    status, out, _ = run("serve", CHINOOK, "--get", "/chinook/-/query.json?sql=select 'é' as x&_shape=arrayfirst")
    assert status == 0 and json.loads(out) == ["é"]
    status, out, _ = run("serve", CHINOOK, "--get", "/chinook/Track.csv?_stream=on")
    assert status == 0 and len(out.splitlines()) == 3504
    assert run("serve", CHINOOK, "--get", "/nope")[0] == 1


def test_get_headers():
    status, out, _ = run("serve", CHINOOK, "--get", "/chinook/Genre.json?_size=0", "--headers")
    head, body = out.split("\n\n", 1)
    assert status == 0 and head.startswith("HTTP/1.1 200\n") and "content-type: application/json" in head
    assert json.loads(body)["rows"] == []
    status, out, _ = run("serve", CHINOOK, "--get", "/chinook?sql=select+1", "--headers")
    assert status == 1 and out.startswith("HTTP/1.1 302\n") and "location: /chinook/-/query?sql=select+1" in out


def test_get_as_somebody():
    actor = {"id": "x", "groups": ["a"]}
    out = run("serve", CHINOOK, "--get", "/-/actor.json", "--actor", json.dumps(actor))[1]
    assert json.loads(out)["actor"] == actor
    token = run("create-token", "bo", "--secret", "s")[1].strip()
    out = run("serve", CHINOOK, "--secret", "s", "--get", "/-/actor.json", "--token", token)[1]
    assert json.loads(out)["actor"]["id"] == "bo"
    assert run("serve", CHINOOK, "--secret", "other", "--get", "/-/actor.json", "--token", token)[0] == 1


@pytest.mark.parametrize("arguments, says", [
    (["--headers"], "--get"), (["--token", "x"], "--get"), (["--actor", "{}"], "--get"), (["--get", "chinook"], "/"),
    (["--get", "/", "--actor", "nope"], "--actor"), (["--get", "/", "--actor", "[1]"], "--actor")])
def test_get_used_wrongly(arguments, says):
    status, out, err = run("serve", CHINOOK, *arguments)
    assert status == 64 and out == "" and says in err


# ---- inspect ----

def test_inspect(server, tmp_path):
    status, out, err = run("inspect", CHINOOK, DATA / "northwind.db")
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert list(found) == ["chinook", "northwind"]
    one = found["chinook"]
    assert one["hash"] == hashlib.sha256(CHINOOK.read_bytes()).hexdigest() and one["size"] == CHINOOK.stat().st_size
    db = sqlite3.connect(CHINOOK)
    tables = [name for name, in db.execute("select name from sqlite_master where type = 'table'")]
    assert one["tables"] == {t: {"count": db.execute(f'select count(*) from "{t}"').fetchone()[0]} for t in tables}
    path = tmp_path / "counts.json"
    assert run("inspect", CHINOOK, "--inspect-file", path) == (0, "", "")
    edited = json.loads(path.read_text())
    edited["chinook"]["tables"]["Genre"]["count"] = 12345
    path.write_text(json.dumps(edited))
    site = server("-i", CHINOOK, "--inspect-file", path)
    counts = {t["name"]: t["count"] for t in site.json("/chinook.json")["tables"]}
    assert counts["Genre"] == 12345 and counts["Track"] == 3503


def test_inspect_of_two_files_with_one_name(tmp_path):
    (tmp_path / "x").mkdir()
    one, two = make(tmp_path / "a.db", "create table t(x)"), make(tmp_path / "x/a.db", "create table u(x)")
    found = json.loads(run("inspect", one, two)[1])
    assert list(found) == ["a", "a_2"] and list(found["a_2"]["tables"]) == ["u"]


@pytest.mark.parametrize("arguments, says", [
    ([], "database"), (["/no/such.db"], "/no/such.db"), (["--nope"], "--nope"),
    ([CHINOOK, "--inspect-file", "/no/such/dir/x.json"], "/no/such/dir"),
    ([CHINOOK, "--load-extension", "/no/such.so"], "/no/such.so")])
def test_inspect_used_wrongly(arguments, says):
    status, out, err = run("inspect", *arguments)
    assert status > 1 and out == "" and says in err


# ---- create-token ----

def test_create_token():
    status, out, err = run("create-token", "bo", "--secret", "s", "-e", "60", "-a", "view-instance", "-d", "db", "vt",
                           "--resource", "db", "t", "insert-row", "--debug")
    assert (status, err) == (0, "")
    token, decoded = out.split("\n\nDecoded:\n\n")
    inside = json.loads(decoded)
    assert token.startswith("dstok_") and inside.pop("t") > 1_700_000_000
    assert inside == {"a": "bo", "d": 60, "_r": {"a": ["vi"], "d": {"db": ["vt"]}, "r": {"db": {"t": ["ir"]}}}}
    assert run("create-token", "bo", env={"DATASETTE_SECRET": "s"})[1].startswith("dstok_")
    status, out, err = run("create-token", "bo", "--secret", "s", "--all", "no-such-action")
    assert status == 0 and "no-such-action" in err


def test_create_token_with_the_secret_of_a_running_server(server, chinook, tmp_path):
    site = server(chinook, "--state", tmp_path / "state")
    token = run("create-token", "bo", "--state", tmp_path / "state")[1].strip()
    assert site.get("/-/actor.json", headers={"Authorization": f"Bearer {token}"}).json()["actor"]["id"] == "bo"


@pytest.mark.parametrize("arguments, says", [
    (["--secret", "s"], "actor"), (["bo"], "--secret"), (["bo", "al", "--secret", "s"], "al"),
    (["bo", "--secret", "s", "-e", "soon"], "soon"), (["bo", "--secret", "s", "-r", "db", "t"], "--resource")])
def test_create_token_used_wrongly(arguments, says):
    status, out, err = run("create-token", *arguments)
    assert status > 1 and out == "" and says in err


# ---- environment ----

def setting(name, *arguments, env):
    return json.loads(run("serve", CHINOOK, *arguments, "--get", "/-/settings.json", env=env)[1])[name]


def test_settings_of_the_environment(tmp_path):
    config = tmp_path / "datasette.yaml"
    config.write_text("settings:\n  sql_time_limit_ms: 1\n")
    name, file = "sql_time_limit_ms", ["--config", config]
    assert setting(name, *file, env={}) == 1
    assert setting(name, *file, env={"DATASETTE_SQL_TIME_LIMIT_MS": "2"}) == 2
    both = {"DATASETTE_SQL_TIME_LIMIT_MS": "2", "VITRINE_SQL_TIME_LIMIT_MS": "3"}
    assert setting(name, *file, env=both) == 3
    assert setting(name, *file, "--setting", name, "4", env=both) == 4
    assert setting("max_returned_rows", env={"DATASETTE_MAX_RETURNED_ROWS": "7"}) == 7
    assert setting("cache_size_kb", env={"DATASETTE_CACHE_SIZE_KB": "99"}) == 99


def test_options_of_the_environment(server, chinook, tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own/index.html").write_text("mine")
    out = run("serve", CHINOOK, "--get", "/", env={"VITRINE_TEMPLATE_DIR": str(tmp_path / "own")})[1]
    assert out == "mine\n"
    site = server(chinook, env={"DATASETTE_CORS": "1", "DATASETTE_LOG_LEVEL": "error"})
    assert site.get("/chinook.json").header("access-control-allow-origin") == "*"
    assert server(chinook, env={"DATASETTE_CORS": "0"}).get("/chinook.json").header("access-control-allow-origin") is None


def test_ports_of_the_environment(server, chinook):
    for env in ({"PORT": "0"}, {"DATASETTE_PORT": "0", "PORT": "70"}, {"VITRINE_PORT": "0", "DATASETTE_PORT": "70"},
                {"DATASETTE_PORT": "tcp://10.0.0.1:80", "PORT": "0"}):
        assert server(chinook, env=env, port=None).get("/chinook.json").status == 200


@pytest.mark.parametrize("env, says", [
    ({"DATASETTE_PORT": "x"}, "DATASETTE_PORT"), ({"VITRINE_CORS": "perhaps"}, "VITRINE_CORS"), ({"PORT": "x"}, "PORT"),
    ({"DATASETTE_LOG_LEVEL": "loud"}, "DATASETTE_LOG_LEVEL"),
    ({"DATASETTE_SQL_TIME_LIMIT_MS": "x"}, "sql_time_limit_ms"), ({"VITRINE_CONFIG": "/no/such"}, "/no/such")])
def test_wrong_environment(env, says):
    status, out, err = run("serve", CHINOOK, "--get", "/", env=env)
    assert status > 1 and out == "" and says in err


def test_options_that_cannot_work_here_say_so(server, chinook):
    site = server(chinook, "--pdb", "--plugins-dir", "plugins")
    assert site.logs("--pdb") and site.logs("--plugins-dir") and site.get("/chinook.json").status == 200


def test_spatialite_by_name():
    status, out, err = run("serve", CHINOOK, "--load-extension", "spatialite", "--get", "/-/versions.json")
    if status == 0:
        assert "spatialite" in out
    else:
        assert "libsqlite3-mod-spatialite" in err and out == ""


def test_extension_with_an_entry_point_says_which(tmp_path):
    status, _, err = run("serve", CHINOOK, "--load-extension", f"{tmp_path}/x.so:my_entry", "--get", "/")
    assert status > 1 and f"{tmp_path}/x.so:my_entry" in err


def test_plugins():
    status, out, _ = run("plugins")
    names = [p["name"] for p in json.loads(out)]
    assert status == 0 and "datasette-auth-passwords" in names
    assert all(p["hooks"] == [] and p["description"] for p in json.loads(out))
    assert run("plugins", "--requirements")[1].split() == names
    assert run("plugins", "x")[0] == 64
