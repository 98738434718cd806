# SPDX-License-Identifier: Apache-2.0
"""Formats by extension: feeds, calendars, GeoJSON, lines of JSON, tables to copy, lines for notebooks."""
import json
import re
import xml.etree.ElementTree as xml

import pytest

import serving

ATOM = "{http://www.w3.org/2005/Atom}"
SCRIPT = """
create table news (id integer primary key, headline text, body text, created text);
insert into news values (1, 'One <b>', '<p onclick="x()">Hi<script>alert(1)</script></p>', '2024-01-02 03:04:05');
insert into news values (2, 'Two', null, '2024-05-06T07:08:09+02:00');
create view feed as select 'tag:x,' || id as atom_id, headline as atom_title, created as atom_updated,
  body as atom_content_html, 'https://example.com/' || id as atom_link, 'Ann' as atom_author_name,
  'javascript:alert(1)' as atom_author_uri from news order by id;
create view events as select headline as event_name, created as event_dtstart, 'a;b,c' || char(10) || 'd\\e' as
  event_description, id as event_uid, 'Europe/Rome' as event_tzid, 3600 as event_duration from news order by id;
create table places (id integer primary key, name text, latitude real, longitude real);
insert into places values (1, 'Rome', 41.9, 12.5), (2, 'Nowhere', null, 3), (3, 'Wrong', 'north', 'east');
create table shapes (id integer primary key, name text, geometry text);
insert into shapes values (1, 'point', '{"type": "Point",
 "coordinates": [1, 2]}'), (2, 'broken', '{"type"'), (3, 'none', null);
create table blobs (id integer primary key, geometry blob);
insert into blobs values (1, x'0001');
create table numbers (n integer primary key, label text);
insert into numbers with recursive r(n) as (select 1 union all select n + 1 from r where n < 2500)
  select n, 'row ' || n from r;
create table odd ("a|b" text, n real, e text);
insert into odd values ('x|y', 1.5, null), ('<&>_%$', 20, 'é'), ('two
lines', null, '');
"""
CONFIG = {"databases": {"f": {"queries": {
    "titled": {"sql": "select * from feed", "title": "My feed"},
    "html": {"sql": "select * from feed"},
}}}, "plugins": {"datasette-atom": {"allow_unsafe_html_in_canned_queries": {"f": ["html"]}}}}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("formats")
    serving.make(folder / "f.db", SCRIPT)
    (folder / "datasette.json").write_text(json.dumps(CONFIG))
    server = serving.Server(folder / "f.db", "--config", folder / "datasette.json", "--cors").wait()
    yield server
    server.stop()


def feed(server, path):
    answer = server.get(path)
    assert (answer.status, answer.header("content-type")) == (200, "application/xml; charset=utf-8"), answer
    return xml.fromstring(answer.body)


def test_atom(server):
    root = feed(server, "/f/feed.atom")
    assert root.find(f"{ATOM}title").text == "f/feed"
    assert root.find(f"{ATOM}updated").text == "2024-05-06T07:08:09+02:00"
    assert root.find(f"{ATOM}id").text.endswith("/f/feed.atom")
    first, second = root.findall(f"{ATOM}entry")
    assert (first.find(f"{ATOM}id").text, first.find(f"{ATOM}title").text) == ("tag:x,1", "One <b>")
    assert first.find(f"{ATOM}updated").text == "2024-01-02T03:04:05Z"
    assert first.find(f"{ATOM}link").get("href") == "https://example.com/1"
    assert first.find(f"{ATOM}author/{ATOM}name").text == "Ann"
    content = first.find(f"{ATOM}content")
    assert (content.get("type"), content.text) == ("html", "<p>Hi&lt;script&gt;alert(1)&lt;/script&gt;</p>")
    assert second.find(f"{ATOM}content") is None


def test_atom_titles(server):
    assert feed(server, "/f/titled.atom?_feed_title=x").find(f"{ATOM}title").text == "My feed"
    assert feed(server, "/f/feed.atom?_feed_title=x").find(f"{ATOM}title").text == "x"
    assert "atom_id" in feed(server, "/f/feed.atom?atom_id=tag:x,1").find(f"{ATOM}title").text
    custom = feed(server, "/f/-/query.atom?sql=select+1+as+atom_id,'a%01b'+as+atom_title,'2024-01-01'+as+atom_updated")
    assert custom.find(f"{ATOM}entry/{ATOM}title").text == "ab"


def test_atom_trusts_the_queries_that_configuration_names(server):
    trusted = feed(server, "/f/html.atom").find(f"{ATOM}entry/{ATOM}content").text
    assert trusted == '<p onclick="x()">Hi<script>alert(1)</script></p>'
    other = feed(server, "/f/titled.atom").find(f"{ATOM}entry/{ATOM}content").text
    assert "<script" not in other


def test_atom_says_what_is_missing(server):
    answer = server.get("/f/-/query.atom", sql="select 1 as atom_id")
    assert answer.status == 400 and "atom_title, atom_updated" in answer.text
    answer = server.get("/f/-/query.atom", sql="select 1 as atom_id, 2 as atom_title, 'soon' as atom_updated")
    assert answer.status == 400 and "row 1" in answer.text and "soon" in answer.text


def unfold(text):
    assert all(len(line) <= 75 for line in text.encode().split(b"\r\n"))
    return text.replace("\r\n ", "").split("\r\n")


def test_ics(server):
    answer = server.get("/f/events.ics")
    assert (answer.status, answer.header("content-type")) == (200, "text/calendar; charset=utf-8")
    lines = unfold(answer.text)
    assert lines[:2] == ["BEGIN:VCALENDAR", "VERSION:2.0"] and lines[-2:] == ["END:VCALENDAR", ""]
    assert "X-WR-CALNAME:events" in lines and lines.count("BEGIN:VEVENT") == 2
    assert "DTSTART;TZID=Europe/Rome:20240102T030405" in lines
    assert "DTSTART:20240506T050809Z" in lines
    assert "DURATION:PT3600S" in lines and "UID:1" in lines and "SUMMARY:One <b>" in lines
    assert "DESCRIPTION:a\\;b\\,c\\nd\\\\e" in lines
    assert server.get("/f/events.ics?_plain=1").header("content-type") == "text/plain; charset=utf-8"
    assert server.get("/f/events.ics").body == answer.body


def test_ics_folds_between_characters(server):
    sql = "select printf('%.*c', 100, 'é') as event_name, '2024-01-01' as event_dtstart, '2024-01-03' as event_dtend"
    lines = unfold(server.get("/f/-/query.ics", sql=sql).text)
    assert "SUMMARY:" + "é" * 100 in lines
    assert "DTSTART;VALUE=DATE:20240101" in lines and "DTEND;VALUE=DATE:20240103" in lines


def test_ics_errors(server):
    assert "event_dtstart" in server.get("/f/-/query.ics", sql="select 1 as event_name").text
    for sql in ("1 as event_name, 'x' as event_dtstart", "1 as event_name, '2024-01-01' as event_dtstart, 'x' as event_dtend",
                "1 as event_name, '2024-01-01' as event_dtstart, 'an hour' as event_duration"):
        answer = server.get("/f/-/query.ics", sql="select " + sql)
        assert answer.status == 400 and "row 1" in answer.text


def test_geojson_of_coordinates(server):
    answer = server.get("/f/places.geojson")
    assert (answer.status, answer.header("content-type")) == (200, "application/geo+json; charset=utf-8")
    data = answer.json()
    assert data["type"] == "FeatureCollection"
    assert data["features"][0] == {"type": "Feature", "geometry": {"type": "Point", "coordinates": [12.5, 41.9]},
                                   "properties": {"id": 1, "name": "Rome", "latitude": 41.9, "longitude": 12.5}}
    assert [f["geometry"] for f in data["features"][1:]] == [None, None]


def test_geojson_of_geometry(server):
    features = server.get("/f/shapes.geojson").json()["features"]
    assert features[0] == {"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2]},
                           "properties": {"id": 1, "name": "point"}}
    assert [f["geometry"] for f in features[1:]] == [None, None]
    lines = server.get("/f/shapes.geojson?_nl=on").text.splitlines()
    assert [json.loads(line) for line in lines] == features
    query = server.get("/f/-/query.geojson", sql="select geometry, 1 as a from shapes").json()["features"]
    assert query[0]["properties"] == {"a": 1}
    row = server.get("/f/shapes/1.geojson").json()
    assert row["features"] == features[:1]
    assert server.get("/f/-/query.geojson", sql="select * from places where 0").json()["features"] == []


def test_geojson_errors(server):
    assert server.get("/f/news.geojson").status == 400
    answer = server.get("/f/blobs.geojson")
    assert answer.status == 400 and "AsGeoJSON" in answer.text


def test_streams(server):
    rows = [json.loads(line) for line in server.get("/f/numbers.ndjson?_stream=on").text.splitlines()]
    assert rows == [{"n": n, "label": f"row {n}"} for n in range(1, 2501)]
    answer = server.get("/f/numbers.ndjson?_stream=on&n__gt=2400")
    assert len(answer.text.splitlines()) == 100
    assert len(server.get("/f/numbers.ndjson?_size=3").text.splitlines()) == 3
    assert server.get("/f/numbers.ndjson").header("content-type") == "application/x-ndjson; charset=utf-8"
    assert server.get("/f/numbers.ndjson?_stream=on&_next=1").status == 400
    many = server.get("/f/places.geojson?_stream=on&_size=1").json()
    assert len(many["features"]) == 3


def test_geojson_stream_over_pages(tmp_path):
    serving.make(tmp_path / "g.db", "create table p (id integer primary key, lat real, lng real);"
                 "insert into p with recursive r(n) as (select 1 union all select n + 1 from r where n < 30)"
                 " select n, n, n from r")
    server = serving.Server(tmp_path / "g.db", "--setting", "max_returned_rows", "7").wait()
    features = server.get("/g/p.geojson?_stream=on").json()["features"]
    assert [f["geometry"]["coordinates"] for f in features] == [[n, n] for n in range(1, 31)]
    server.stop()


TABLES = {
    "tsv": "a|b\tn\te\nx|y\t1.5\t\n<&>_%$\t20.0\té\ntwo lines\t\t\n",
    "csv": 'a|b,n,e\nx|y,1.5,\n<&>_%$,20.0,é\n"two\nlines",,\n',
    "github": "| a\\|b      |    n | e   |\n",
    "html": "<table>\n<thead>\n<tr><th>a|b</th><th>n</th><th>e</th></tr>\n</thead>\n<tbody>\n<tr><td>x|y</td>",
    "latex": "\\begin{tabular}{lrl}\n\\hline\n",
    "rst": "=========  ====  =\n",
    "grid": "+-----------+------+---+\n| a|b       |    n | e |\n+===========+======+===+\n| x|y       |  1.5 |   |\n+--",
    "psql": "+-----------+------+---+\n| a|b       |    n | e |\n|-----------+------+---|\n",
    "simple": "a|b           n  e\n---------  ----  -\n",
    "plain": "a|b           n  e\nx|y         1.5\n",
    "orgtbl": "| a|b       |    n | e |\n|-----------+------+---|\n",
    "mediawiki": '{| class="wikitable"\n! a|b',
}


@pytest.mark.parametrize("name", TABLES)
def test_copyable(server, name):
    answer = server.get("/f/-/query.copyable", sql="select * from odd", _raw="1", _table_format=name)
    assert answer.header("content-type") == "text/plain; charset=utf-8"
    text = answer.text
    wanted = TABLES[name]
    if name == "github":
        assert text == ("| a\\|b      |    n | e |\n|-----------|-----:|---|\n| x\\|y      |  1.5 |   |\n"
                        "| <&>_%$    | 20.0 | é |\n| two lines |      |   |\n")
    else:
        assert text.startswith(wanted), text


def test_copyable_escapes(server):
    html = server.get("/f/-/query.copyable", sql="select * from odd", _raw="1", _table_format="html").text
    assert "&lt;&amp;&gt;_%$" in html
    latex = server.get("/f/-/query.copyable", sql="select * from odd", _raw="1", _table_format="latex").text
    assert "\\&" in latex and "\\_\\%\\$" in latex
    assert server.get("/f/-/query.copyable", sql="select * from odd", _raw="1", _table_format="json").json()[0] == {
        "a|b": "x|y", "n": 1.5, "e": None}


def test_copyable_page(server):
    page = server.get("/f/news.copyable?_table_format=html&_size=1").text
    assert "&lt;table&gt;" in page and "<script>alert" not in page
    assert 'href="/f/news?_table_format=html&amp;_size=1"' in page
    assert 'aria-current="true"' in page and "data-copy=" in page


def test_notebook(server):
    for extension in ("Notebook", "notebook"):
        page = server.get(f"/f/numbers.{extension}?n__gt=5").text
        assert "pandas.read_json(" in page and "/f/numbers.json?n__gt=5\\u0026_shape=array" in page
        assert "All 2,495 rows" in page and "_stream=on" in page and "d3.json(" in page


def test_links_only_where_the_columns_fit(server):
    def links(path):
        text = server.get(path).text.split("This data as", 1)[1].split("</p>")[0]
        return [part.split("</a>")[0] for part in text.split('">')[1:]]
    assert links("/f/news") == ["json", "ndjson", "copyable", "Notebook", "CSV", "advanced"]
    assert "atom" in links("/f/feed") and "ics" in links("/f/events") and "geojson" in links("/f/places")
    assert "geojson" in links("/f/-/query?sql=select+1+as+geometry")
    assert "atom" in links("/f/titled")
    assert links("/f/news/1")[0] == "json"


def test_json_lists_what_the_columns_were_named_for(server):
    assert list(server.json("/f/feed.json?_extra=renderers")["renderers"]) == ["json", "atom"]
    assert list(server.json("/f/places.json?_extra=renderers")["renderers"]) == ["json"]


def test_documentation_has_every_format():
    page = (serving.TOP / "docs/formats.md").read_text()
    source = (serving.TOP / "src/site/render/formats.c").read_text()
    known = set(re.findall(r'^    \{"(\w+)", "', source, re.M)) - {"html", "blob", "notebook"}
    assert known == set(re.findall(r"^\| `\.(\w+)` \|", page, re.M))
    styles = re.findall(r'^    \{"(\w+)",\s+"', (serving.TOP / "src/site/render/copyable.c").read_text(), re.M)
    assert styles == re.findall(r"`(\w+)`", page.split("`_table_format` is one of", 1)[1])


def test_unknown_format(server):
    answer = server.get("/f/news.docx")
    assert answer.status == 400 and ".ndjson" in answer.text
