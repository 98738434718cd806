# SPDX-License-Identifier: Apache-2.0
"""Forms that published deployment guides use, in configuration and in the API, as they are written there."""
import json
import shutil

import pytest

from serving import DATA, make, run


def post(site, path, body, **headers):
    data = body if isinstance(body, bytes) else json.dumps(body)
    return site.ask("POST", path, {"Content-Type": "application/json", **headers}, data)


def test_sql_by_post(server, chinook):
    site = server(chinook)
    answer = post(site, "/chinook.json", {"sql": "select Name from Genre where GenreId = :id", "params": {"id": 2}})
    assert answer.status == 200
    assert answer.json() == {"ok": True, "rows": [{"Name": "Jazz"}], "truncated": False}
    same = {"sql": "select Name from Genre where GenreId = :id", "id": "2", "_shape": "arrayfirst"}
    assert post(site, "/chinook.json", same).json() == ["Jazz"]
    assert post(site, "/chinook.json?_shape=arrayfirst", {"sql": "select :x", "params": {"x": None}}).json() == [""]
    values = {"a": 1.5, "b": True, "c": [1, "é"], "d": "x y&z"}
    rows = post(site, "/chinook.json", {"sql": "select :a, :b, :c, :d", "params": values, "_shape": "arrays"}).json()["rows"]
    assert rows == [["1.5", "1", '[1, "é"]', "x y&z"]]


@pytest.mark.parametrize("body, status, says", [
    (b"nope", 400, "JSON"), ([], 400, "sql"), ({}, 400, "sql"), ({"sql": 5}, 400, "sql"), ({"sql": ""}, 400, "sql"),
    ({"sql": "select 1", "params": [1]}, 400, "params"), ({"sql": "delete from Genre"}, 400, "SELECT"),
    ({"sql": "select 1; select 2"}, 400, "one statement"), ({"sql": "select * from nope"}, 400, "nope")])
def test_wrong_sql_by_post(site, body, status, says):
    answer = post(site, "/chinook.json", body)
    assert answer.status == status and answer.json()["ok"] is False and says in answer.json()["error"]


def test_sql_by_post_asks_for_permission(server, chinook):
    site = server(chinook, "--setting", "default_allow_sql", "off")
    assert post(site, "/chinook.json", {"sql": "select 1"}).status == 403
    assert post(site, "/nope.json", {"sql": "select 1"}).status == 404
    assert post(server(chinook), "/chinook.json", {"sql": "select 1"}, **{"Sec-Fetch-Site": "cross-site"}).status == 403
    assert post(site, "/chinook", {"sql": "select 1"}).status == 405


def origin(site, path, value):
    answer = site.get(path, headers={"Origin": value})
    return answer.header("access-control-allow-origin"), answer.header("vary")


def test_cors_origins(server, chinook):
    site = server(chinook, "--setting", "cors_origins", "https://a.example, https://b.example:8443")
    for _ in range(2):  # the second time from the cache of answers
        assert origin(site, "/chinook.json", "https://a.example")[0] == "https://a.example"
        assert origin(site, "/chinook.json", "https://b.example:8443")[0] == "https://b.example:8443"
        allowed, vary = origin(site, "/chinook.json", "https://evil.example")
        assert allowed is None and "Origin" in vary
    assert origin(site, "/nope.json", "https://a.example")[0] == "https://a.example"
    assert site.get("/chinook.json").header("access-control-allow-origin") is None


def test_cors_origins_of_files_and_environment(server, chinook, tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text("settings:\n  cors_origins:\n  - https://a.example\n  - https://b.example\n")
    site = server(chinook, "--config", config)
    assert origin(site, "/chinook.json", "https://b.example")[0] == "https://b.example"
    site = server(chinook, "--cors", env={"DATASETTE_CORS_ORIGINS": "https://a.example"})
    assert origin(site, "/chinook.json", "https://a.example")[0] == "https://a.example"
    assert origin(site, "/chinook.json", "https://b.example")[0] is None
    assert site.json("/-/settings.json")["cors_origins"] == "https://a.example"
    site = server(chinook, "--setting", "cors_origins", '["*"]')
    assert origin(site, "/chinook.json", "https://b.example")[0] == "*"
    assert "cors_origins" not in server(chinook).json("/-/settings.json")


METADATA = {
    "databases": {"fts": {
        "immutable": True, "cache_size_kb": 512,
        "queries": {"list": {"sql": "select :a || :b as x", "params": ["a", "b"]},
                    "defaults": {"sql": "select :a || :b as x", "params": {"a": "1", "b": "2"}}},
        "tables": {"docs": {"fts_table": "idx", "fts_pk": "id", "sort_desc": "id",
                            "allow": {"id": "root"}, "plugins": {"datasette-vega": {"mark": "bar"}}},
                   "plain": {"sort": "n"}}}}}


@pytest.fixture
def forms(tmp_path):
    make(tmp_path / "fts.db", """
        create table docs (id integer primary key, t text);
        insert into docs values (1, 'one fish'), (2, 'two fish'), (3, 'red');
        create virtual table idx using fts5(t);
        insert into idx(rowid, t) select id, t from docs;
        create table plain (n);
        insert into plain values (2), (1);""")
    return tmp_path


@pytest.mark.parametrize("kind", ["metadata.json", "datasette.json"])
def test_keys_of_databases_and_tables(server, forms, kind):
    (forms / kind).write_text(json.dumps(METADATA))
    site = server(forms, "--secret", "s")
    assert site.json("/-/databases.json")["databases"][0]["is_mutable"] is False
    assert site.json("/fts/plain.json?_shape=array")[0]["n"] == 1
    assert site.json("/fts/list.json", a="x", b="y")["rows"] == [{"x": "xy"}]
    assert site.json("/fts/defaults.json", b="y")["rows"] == [{"x": "1y"}]
    assert site.get("/fts/docs.json").status == 403
    out = run("serve", forms, "--get", "/fts/docs.json?_search=fish&_shape=arrays&_col=id", "--actor", '{"id": "root"}')[1]
    assert [row[0] for row in json.loads(out)["rows"]] == [2, 1]
    shown = run("serve", forms, "--get", "/-/config.json", "--actor", '{"id": "root"}')[1]
    shown = json.loads(shown)["databases"]["fts"]["tables"]["docs"]
    assert shown["plugins"] == {"datasette-vega": {"mark": "bar"}} and shown["sort_desc"] == "id"
    if kind == "metadata.json":
        assert site.logs("belong in the configuration")
    else:
        assert "belong in the configuration" not in site.log()


def test_plugin_secrets_come_from_outside(server, chinook, tmp_path):
    (tmp_path / "secret").write_text("from-a-file\n")
    config = tmp_path / "c.json"
    tokens = [{"token": {"$env": "API_TOKEN"}, "actor": {"id": "env"}},
              {"token": {"$file": str(tmp_path / "secret")}, "actor": {"id": "file"}}]
    config.write_text(json.dumps({"plugins": {"datasette-auth-tokens": {"tokens": tokens},
                                              "datasette-auth-github": {"client_id": {"$env": "GH_ID"}}}}))
    site = server(chinook, "--config", config, env={"GH_ID": "abc", "API_TOKEN": "from-outside"})
    for token, actor in (("from-outside", "env"), ("from-a-file", "file")):
        answer = site.get("/-/actor.json", headers={"Authorization": f"Bearer {token}"})
        assert answer.json()["actor"]["id"] == actor
    shown = site.get("/-/config.json").text
    assert "from-outside" not in shown and "from-a-file" not in shown and "abc" not in shown and "GH_ID" in shown


def test_pattern_is_expanded_here(server, tmp_path):
    for name in ("a.db", "b.db"):
        shutil.copy(DATA / "chinook.db", tmp_path / name)
    site = server(f"{tmp_path}/*.db", "--setting", "sql_time_limit_ms", "5000", "--setting", "cache_size_kb", "256")
    assert [d["name"] for d in site.json("/-/databases.json")["databases"]] == ["a", "b"]
