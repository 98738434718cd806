# SPDX-License-Identifier: Apache-2.0
"""Custom SQL: parameters, limits, errors, formats."""
import csv
import io
import select
import urllib.parse

import pytest

ENDLESS = "with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c"


def test_values_of_every_kind(site):
    sql = ("select 1 as i, -9223372036854775808 as low, 9223372036854775807 as high, 1.5 as f, 3.0 as three, "
           "1e100 as big, 1e-7 as small, 0.1 + 0.2 as sum, 'é☃😀' as t, x'00ff' as b, null as n, '' as e, "
           "x'' as eb, 'a\"\\/' || char(10, 9, 1, 127) as q")
    row = site.sql("chinook", sql)["rows"][0]
    assert row == {"i": 1, "low": -2**63, "high": 2**63 - 1, "f": 1.5, "three": 3.0, "big": 1e100, "small": 1e-07,
                   "sum": 0.1 + 0.2, "t": "é☃😀", "b": {"$base64": True, "encoded": "AP8="}, "n": None, "e": "",
                   "eb": {"$base64": True, "encoded": ""}, "q": 'a"\\/\n\t\x01\x7f'}
    body = site.get("/chinook/-/query.json", sql=sql).text
    assert '"three": 3.0' in body and '"big": 1e+100' in body and '"small": 1e-07' in body and "\\u2603" in body
    assert site.sql("chinook", "select 9e999 as i, -9e999 as j")["rows"] == [{"i": None, "j": None}]


def test_parameters(site):
    assert site.sql("chinook", "select :a || '-' || :b as x", a="1", b="zwei ☃")["rows"] == [{"x": "1-zwei ☃"}]
    assert site.sql("chinook", "select :a as a, :a as b", a="x' or 1")["rows"] == [{"a": "x' or 1", "b": "x' or 1"}]
    assert site.sql("chinook", "select :missing as m")["rows"] == [{"m": ""}]
    rows = site.sql("chinook", "select count(*) as n from Track where GenreId = :genre", genre="2")["rows"]
    assert rows == [{"n": site.databases["chinook"].rows("select count(*) from Track where GenreId = 2")[0][0]}]
    assert site.sql("chinook", "select ':no' as a, 'x' as \":b\" -- :c")["rows"] == [{"a": ":no", ":b": "x"}]


def test_page_has_a_field_for_each_parameter(site):
    page = site.get("/chinook/-/query", sql="select :first, :second_one", first='<b>"').text
    assert 'name="first"' in page and 'name="second_one"' in page and "&lt;b&gt;&#34;" in page and '<b>"' not in page


def test_old_address_redirects(site):
    answer = site.get("/chinook?sql=select+1&a=2")
    assert answer.status == 302 and answer.header("location") == "/chinook/-/query?sql=select+1&a=2"


def test_row_limit(site):
    data = site.sql("chinook", "select TrackId from Track")
    assert len(data["rows"]) == 1000 and data["truncated"] is True
    assert site.sql("chinook", "select TrackId from Track limit 1000")["truncated"] is False


def test_csv_of_a_query(site):
    answer = site.get("/chinook/-/query.csv", sql="select 'a,b' as x, 'c\"d' as y, null as z, 1.0 as w")
    assert answer.text == 'x,y,z,w\r\n"a,b","c""d",,1.0\r\n'
    answer = site.get("/chinook/-/query.csv", sql="select 1 as a", _dl="on")
    assert answer.header("content-type") == "text/csv; charset=utf-8"
    assert "attachment" in answer.header("content-disposition")
    rows = list(csv.reader(io.StringIO(site.get("/chinook/-/query.csv", sql="select Name from Genre").text)))
    assert len(rows) == 26


@pytest.mark.parametrize("sql, says", [
    ("", "?sql= is required"), ("delete from Track", "Statement must be a SELECT"), ("drop table Track", "SELECT"),
    ("select nope", "no such column: nope"), ("select * from nope", "no such table: nope"), ("select (", ""),
    ("select 1; select 2", "one statement"), ("attach 'x' as y", ""), ("pragma journal_mode = delete", ""),
    ("select load_extension('x')", ""), ("vacuum", ""), ("begin", ""), ("select 'open", ""),
    ("with x as (select 1) delete from Track", ""), ("replace into Genre values (1, 'x')", "SELECT"),
    ("select writefile('/tmp/x', 'y')", ""), ("select readfile('/etc/passwd')", ""), ("explain nope", "")])
def test_refused(site, sql, says):
    answer = site.get("/chinook/-/query.json", sql=sql)
    assert answer.status == 400, answer
    data = answer.json()
    assert data["ok"] is False and data["status"] == 400 and data["errors"] and says in data["error"]
    page = site.get("/chinook/-/query", sql=sql)
    assert page.status in (200, 400) and "text/html" in page.header("content-type")
    assert not sql or 'class="message-error' in page.text or page.status == 400


def test_nothing_was_written(site):
    assert site.json("/chinook/Track.json", _extra="count", _size=0)["count"] == 3503


def test_time_limit(server, chinook):
    site = server(chinook, "--setting", "sql_time_limit_ms", "200")
    answer = site.get("/chinook/-/query.json", sql=ENDLESS)
    assert answer.status == 400 and "took too long" in answer.json()["error"], answer
    page = site.get("/chinook/-/query", sql=ENDLESS)
    assert page.status == 400 and "SQL Interrupted" in page.text
    assert site.get("/chinook/-/query.json", sql=ENDLESS, _timelimit=20).status == 400
    assert site.get("/chinook/-/query.csv", sql=ENDLESS).status == 400
    site.alive()


def test_slow_queries_do_not_stop_the_others(server, chinook):
    """More endless queries than there are threads for SQL, and still a row is answered while they run."""
    site = server(chinook, "--setting", "sql_time_limit_ms", "600000", "--cache", "0")
    asked = [site.connect() for _ in range(8)]
    for connection in asked:
        connection.request("GET", "/chinook/-/query.json?sql=" + urllib.parse.quote(ENDLESS))
    for _ in range(10):
        assert site.get("/chinook/Track/1.json").status == 200
    assert not select.select([connection.sock for connection in asked], [], [], 0)[0], "none of them has an answer"
    for connection in asked:
        connection.close()
    site.alive()


def test_client_that_goes_away_stops_its_query(server, chinook):
    site = server(chinook, "--setting", "sql_time_limit_ms", "60000")
    for _ in range(12):
        connection = site.connect()
        connection.request("GET", "/chinook/-/query.json?sql=" + urllib.parse.quote(ENDLESS))
        connection.close()
    # if they still ran, the lane of slow queries would be full for a minute
    assert site.get("/chinook/-/query.json", sql="select 1 as one").json()["rows"] == [{"one": 1}]
    assert site.get("/chinook/Track.json").status == 200


def test_analysis_of_parameters(site):
    answer = site.get("/chinook/-/query/parameters", sql="select :a, :b")
    assert answer.status == 200 and answer.json()["parameters"] == ["a", "b"]


def test_extras_that_are_always_there(site):
    """The released script of datasette-cluster-map asks for next_url."""
    data = site.json("/chinook/Track.json?_size=1&_extra=count&_extra=next_url")
    assert data["count"] == 3503 and data["next_url"]
    assert site.get("/chinook/Track.json?_extra=nothing").status == 400
