# SPDX-License-Identifier: Apache-2.0
"""Answers that were found to differ from Datasette 1.0a37's, held as they must be: one server, a table of requests."""
import json
import sqlite3

import pytest

import serving
import signing

SECRET = "agreement"
TOKEN = signing.sign(SECRET, "token", {"a": "root", "t": 1700000000})
ROOT = {"Content-Type": "application/json", "Authorization": "Bearer dstok_" + TOKEN}
COOKIE = {"Cookie": "ds_actor=" + signing.sign(SECRET, "actor", {"a": {"id": "root"}})}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("agreement")
    with sqlite3.connect(folder / "two words.db") as db:
        db.executescript("""
            create table plain (name text, big integer);
            insert into plain values ('a', 1234567890123), ('b', 2), ('b', 3), ('c', null);
            create table texts (id integer primary key, title text, kind text);
            insert into texts values (1, 'red hammer', 'x'), (2, 'blue saw', 'x'), (3, 'red saw', 'y');
            create virtual table found using fts5(title, content='texts', content_rowid='id');
            insert into found(found) values ('rebuild');
            create view shown as select id, title from texts;
            create table "odd na.me" (id integer primary key, "a b" blob);
            insert into "odd na.me" values (1, x'00');
            create table pictures (id integer primary key, image blob);
            insert into pictures values (1, x'00ad'), (2, x'00ad');""")
    config = {"settings": {"truncate_cells_html": 6, "max_returned_rows": 10},
              "databases": {"two words": {"tables": {"shown": {"fts_table": "found", "fts_pk": "id"}},
                                          "queries": {"reads": "select :a as a"}}}}
    (folder / "datasette.json").write_text(json.dumps(config))
    server = serving.Server(folder / "two words.db", "--config", folder / "datasette.json", "--root", "--secret",
                            SECRET).wait()
    yield server
    server.stop()


DB = "/two+words"
ENDLESS = "with+recursive+c(x)+as+(select+1+union+all+select+x%2B1+from+c+limit+50)+select+x+from+c"
CASES = [  # method, path, headers, body, status, what the answer must hold (text), what it must not
    ("GET", f"{DB}/plain.json?_extra=next_url", {}, None, 400, "Unknown _extra: next_url", None),
    ("GET", f"{DB}/plain.json?_extra=count,next_url", {}, None, 200, '"count": 4', None),
    ("GET", f"{DB}/plain.json?_facet=name&_extra=extras&a=", {}, None, 200,
     'plain.json?_facet=name&_extra=extras&_extra=count"', None),
    ("GET", f"{DB}/plain/1.json?_extra=query", {}, None, 200, r'where \"rowid\"=:p0', None),
    ("GET", "/-/metadata.json", {}, None, 404, "Database not found", None),
    ("GET", "/-/metadata.json?_compat=0.65", {}, None, 200, "{", None),
    ("GET", f"{DB}/-/query/parameters?sql=select+:_now_epoch", {}, None, 400, "Magic parameters are not allowed", None),
    ("GET", f"{DB}/-/query.json?sql=+++", {}, None, 400, "Statement must be a SELECT", None),
    ("GET", f"{DB}/-/query.json?sql=", {}, None, 400, "?sql= is required", None),
    ("GET", f"{DB}/-/query?sql=", {}, None, 200, "_hide_sql=1", "sql=&amp;"),
    ("GET", f"{DB}/-/query?sql={ENDLESS}", {}, None, 200, "returning 10 rows", "more than 10"),
    ("GET", f"{DB}/-/query?sql={ENDLESS}", {}, None, 200, "There are more rows than these", None),
    ("GET", "/-/settings", {}, None, 200, "default_page_size", "&#34;ok&#34;: true"),
    ("GET", f"{DB}/plain?name__exact=a&note__x=1", {}, None, 200, "name__exact=a&amp;note__x=1", "a&note__x"),
    ("GET", f"{DB}/plain?_search=&name=b", {}, None, 200, "?name=b&amp;_sort=big", None),
    ("GET", f"{DB}/plain", {}, None, 200, ">123456…<", ">1234567890123<"),
    ("GET", f"{DB}/shown.json?_search_title=red&_shape=arrayfirst", {}, None, 200, "[1, 3]", None),
    ("GET", f"{DB}/pictures.json?_facet=image", {}, None, 200, "&image=%00%AD", None),
    ("GET", f"{DB}/texts//", {}, None, 302, "", None),
    ("GET", f"{DB}/texts/.json", {}, None, 404, "Row not found", None),
    ("GET", f"{DB}/texts/1.csv?_extra=count", {}, None, 400, "Unknown _extra: count", None),
    ("GET", f"{DB}/-/query.json?sql=select+1&_timelimit=0", {}, None, 200, "rows", None),
    ("GET", f"{DB}/reads/-/delete", COOKIE, None, 403, "", None),
    ("POST", f"{DB}.json", {}, "", 405, "Method not allowed", None),
    ("POST", f"{DB}.json", {}, '{"sql": "select 7 as n"}', 200, '"n": 7', None),
    ("POST", "/-/messages", {}, "", 400, "message", None),
    ("PUT", f"{DB}/reads.json", {}, "", 405, "Method not allowed", None),
    ("POST", f"{DB}/reads?_json=1", {}, "a=1", 200, '"message": "Query executed"', None),
    ("POST", f"{DB}/none/1/-/update", ROOT, '{"update": {}}', 404, "Table not found: none", None),
    ("POST", f"{DB}/texts/-/upsert", ROOT,
     '{"row": {"id": {"$base64": true, "encoded": "!"}, "title": ""}, "ignore": true}', 400, "Invalid $base64", None),
    ("POST", f"{DB}/-/execute-write", ROOT, '{"sql": "pragma user_version = 1"}', 403, "pragma pragma", None),
    ("POST", f"{DB}/-/execute-write", ROOT, '{"sql": "commit"}', 403, "commit transaction", None),
    ("POST", f"{DB}/-/execute-write", ROOT, '{"sql": "insert into plain values (?, 1)"}', 400, "named parameters", None),
    ("GET", f"{DB}/-/execute-write/analyze?sql=vacuum", ROOT, None, 200, '"table": "two words"', None),
    ("GET", "/-/jump?q=version", ROOT, None, 200, '"url": "/-/versions", "type": "debug"', None),
    ("GET", "/-/jump?q=version", {}, None, 200, '"matches": []', None),
    ("GET", "/-/actor.json", {"Cookie": "ds_actor=" + signing.sign(SECRET, "actor", {"a": {}})}, None, 200,
     '"actor": null', None),
    ("GET", "/-/actor.json", {"Authorization": "Bearer dstok_x"}, None, 401, "Invalid token signature", None),
    ("GET", "/-/actor.json", {"Authorization": "Bearer dstok_" + signing.sign(SECRET, "token", {"a": "x"})}, None, 401,
     "Invalid token: no timestamp", None),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]} {case[1][:60]}")
def test_answer(site, case):
    method, path, headers, body, status, held, absent = case
    answer = site.ask(method, path, headers, body)
    assert answer.status == status and held in answer.text, answer.text[:3000]
    assert not absent or absent not in answer.text


@pytest.mark.parametrize("method, path, name, value", [
    ("OPTIONS", DB, "allow", "HEAD, GET"),
    ("OPTIONS", f"{DB}/reads", "allow", "HEAD, GET, POST"),
    ("GET", f"{DB}/-/query.csv?sql=select+1&_dl=1", "content-disposition", 'attachment; filename="two words.csv"'),
    ("GET", f"{DB}/plain/1.json?_shape=bad", "referrer-policy", "no-referrer"),
    ("GET", f"{DB}/odd+na~2Eme/1.blob?_blob_column=a+b", "content-disposition",
     'attachment; filename="odd-name-a0f2a8-1-a-b-0cc9cd.blob"'),
    ("GET", f"{DB}/texts//", "location", f"{DB}/texts"),
])
def test_header(site, method, path, name, value):
    assert site.ask(method, path).header(name) == value


def test_suggestions_of_one_size_of_facets_are_not_those_of_another(site):
    def suggested(size):
        return [s["name"] for s in site.json(f"{DB}/plain.json?_extra=suggested_facets&_facet_size={size}")[
            "suggested_facets"]]
    assert (suggested(1), suggested(30), suggested(1)) == ([], ["name"], [])


def test_tables_that_inspect_data_does_not_name_are_counted_on_their_own_page(server, tmp_path, chinook):
    (tmp_path / "inspect.json").write_text(json.dumps({"chinook": {"hash": "ab", "tables": {"Genre": {"count": 99}}}}))
    site = server("-i", chinook, "--inspect-file", tmp_path / "inspect.json").wait()
    assert site.json("/chinook/Artist.json?_extra=count&_size=0")["count"] == 275
    assert site.json("/chinook/Genre.json?_extra=count&_size=0")["count"] == 99
    counts = {table["name"]: table["count"] for table in site.json("/chinook.json")["tables"]}
    assert counts.get("Genre") == 99 and not counts.get("Artist")


def test_more_values_of_a_facet_with_a_prefix(server, chinook):
    site = server(chinook, "--setting", "base_url", "/p/").wait()
    page = site.get("/p/chinook/Track?_facet=GenreId&_facet_size=1").text
    assert 'href="/p/chinook/Track?_facet=GenreId&amp;_facet_size=max"' in page


def test_links_where_a_proxy_takes_the_prefix_off(server, chinook):
    page = server(chinook, "--setting", "base_url", "/p/").wait().get("/chinook/Genre").text
    assert 'href="/p/chinook/Genre?_sort=Name"' in page and "/p/p/" not in page


def test_static_of_the_urls_finds_files_of_the_mount_static(server, chinook, tmp_path):
    (tmp_path / "own.css").write_text("b{}")
    site = server(chinook, "--static", f"static:{tmp_path}").wait()
    assert site.get("/-/static/own.css").text == site.get("/static/own.css").text == "b{}"
    assert site.get("/-/static/app.css").status == 200 and site.get("/-/static/none.css").status == 404
