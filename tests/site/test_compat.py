# SPDX-License-Identifier: Apache-2.0
"""json_compat: 0.65 and ?_compat=0.65: the keys and shapes that Datasette 0.65.2 has (its views/table.py, row.py,
database.py, index.py, renderer.py and handle_exception.py say which)."""
import json

import pytest

from serving import run

TABLE = ["database", "table", "is_view", "human_description_en", "rows", "truncated", "filtered_table_rows_count",
         "expanded_columns", "expandable_columns", "columns", "primary_keys", "units", "query", "facet_results",
         "suggested_facets", "next", "next_url", "private", "allow_execute_sql", "query_ms"]
ROW = ["database", "table", "rows", "columns", "primary_keys", "primary_key_values", "units", "query_ms"]
QUERY = ["ok", "database", "query_name", "rows", "truncated", "columns", "query", "error", "private",
         "allow_execute_sql", "query_ms"]
DATABASE = ["database", "private", "path", "size", "tables", "hidden_count", "views", "queries", "allow_execute_sql",
            "query_ms"]


@pytest.fixture(params=["setting", "argument"])
def old(request, server, chinook):
    """old(path): the JSON of a path in the shapes of 0.65, asked for in both ways."""
    by_setting = request.param == "setting"
    site = server(chinook, *(["--setting", "json_compat", "0.65"] if by_setting else []))

    def ask(path, status=200):
        answer = site.get(path if by_setting else path + ("&" if "?" in path else "?") + "_compat=0.65")
        assert answer.status == status, answer
        return answer.json()
    return ask


def test_table(old):
    page = old("/chinook/Album.json?_size=2&_labels=on&_facet=ArtistId&_facet_size=1&ArtistId__lt=50")
    assert list(page) == TABLE
    assert page["rows"][0] == {"AlbumId": 1, "Title": "For Those About To Rock We Salute You",
                               "ArtistId": {"value": 1, "label": "AC/DC"}}
    assert old("/chinook/Album.json?_size=1")["rows"] == [[1, "For Those About To Rock We Salute You", 1]]
    assert page["columns"] == ["AlbumId", "Title", "ArtistId"] and page["primary_keys"] == ["AlbumId"]
    assert page["filtered_table_rows_count"] > 2 and page["next"] == "2" and "_next=2" in page["next_url"]
    assert page["facet_results"]["ArtistId"]["results"][0]["value"] == 22
    assert page["expanded_columns"] == ["ArtistId"]
    assert page["expandable_columns"] == [
        [{"column": "ArtistId", "other_table": "Artist", "other_column": "ArtistId"}, "Name"]]
    assert page["query"]["params"] == {"p0": 50} and page["human_description_en"] == "where ArtistId < 50"
    assert old("/chinook/Album.json")["facet_results"] == {}


def test_what_0_65_answered(old):
    """Found by the same requests to both."""
    assert old("/chinook.json?sql=select+x'6869'+as+a,x'ff'+as+b")["rows"] == [["hi", {"$base64": True, "encoded": "/w=="}]]
    assert old("/chinook.json?sql=select+1&x=2&_shape=arrays")["query"]["params"] == {"x": "2"}
    assert "ok" not in old("/-/settings.json") and "count_truncated" not in old("/chinook.json")["tables"][0]
    assert old("/chinook/Album.json?_shape=x", 400)["title"] is None


def test_shapes(old):
    assert list(old("/chinook/Genre.json?_shape=objects&_size=1")) == TABLE
    assert old("/chinook/Genre.json?_shape=objects&_size=1")["rows"] == [{"GenreId": 1, "Name": "Rock"}]
    assert old("/chinook/Genre.json?_shape=array&_size=1") == [{"GenreId": 1, "Name": "Rock"}]
    assert old("/chinook/Genre.json?_shape=object&_size=1") == {"1": {"GenreId": 1, "Name": "Rock"}}
    assert old("/chinook/Genre.json?_shape=arrayfirst&_size=2") == [1, 2]


def test_row(old):
    page = old("/chinook/Genre/2.json")
    assert list(page) == ROW and page["rows"] == [[2, "Jazz"]] and page["primary_key_values"] == ["2"]
    keys = old("/chinook/Genre/2.json?_extras=foreign_key_tables")["foreign_key_tables"]
    assert keys[0]["other_table"] == "Track"


@pytest.mark.parametrize("path", ["/chinook/-/query.json", "/chinook.json"])
def test_query(old, path):
    page = old(f"{path}?sql=select+:a+as+x,+2+as+y&a=1")
    assert list(page) == QUERY
    assert page["rows"] == [["1", 2]] and page["columns"] == ["x", "y"] and page["error"] is None
    assert page["query"] == {"sql": "select :a as x, 2 as y", "params": {"a": "1"}} and page["query_name"] is None


def test_errors(old):
    page = old("/chinook/-/query.json?sql=select+nope", 400)
    assert page["ok"] is False and page["error"] == "no such column: nope" and page["rows"] == []
    assert old("/chinook/Nope.json", 404).items() >= {
        "ok": False, "error": "Table not found", "status": 404, "title": None}.items()
    assert old("/chinook/Genre.json?_shape=x", 400)["error"] == "Invalid _shape: x"


def test_index_and_databases(old):
    assert list(old("/.json")) == ["chinook"] and old("/.json")["chinook"]["tables_count"] == 11
    assert list(old("/chinook.json")) == DATABASE
    assert [d["name"] for d in old("/-/databases.json")] == ["chinook"]


def test_each_request_may_choose(server, chinook, tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text("settings:\n  json_compat: 0.65\n")
    site = server(chinook, "--config", config)
    assert list(site.json("/chinook/Genre.json")) == TABLE
    assert list(site.json("/chinook/Genre.json?_compat=1.0")) == ["ok", "next", "next_url", "rows", "truncated"]
    assert list(site.json("/chinook/Genre.json?_compat=nonsense")) == TABLE
    assert list(site.json("/chinook/Genre.json")) == TABLE


def test_source_of_the_instance(server, chinook, tmp_path):
    metadata = tmp_path / "metadata.json"
    metadata.write_text(json.dumps({"source": "S", "license_url": "https://l", "title": "T", "databases": {
        "chinook": {"tables": {"Track": {"units": {"Milliseconds": "ms"}}}}}}))
    site = server(chinook, "--metadata", metadata)
    page = site.json("/chinook/Track.json?_compat=0.65&_size=1")
    assert (page["source"], page["license_url"]) == ("S", "https://l") and page["units"] == {"Milliseconds": "ms"}
    assert site.json("/-/metadata.json?_compat=0.65")["title"] == "T"


def test_unknown_version_is_refused():
    status, _, err = run("serve", "--memory", "--setting", "json_compat", "0.9", "--get", "/")
    assert status > 1 and "0.65" in err
