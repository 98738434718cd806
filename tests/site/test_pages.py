# SPDX-License-Identifier: Apache-2.0
"""Every table, view and row page of two real databases, in every format, with the values that sqlite3 gives."""
import csv
import html.parser
import io
import urllib.parse

import pytest

import serving
from serving import as_json, tilde

ROWS_OF_A_TABLE = 25  # row pages asked for in each table, spread over it


def tables_and_views():
    for name in ("chinook", "northwind"):
        database = serving.Database(serving.DATA / f"{name}.db")
        for kind in ("table", "view"):
            yield from ((name, kind, entry) for entry in database.names(kind))
        database.close()


ALL = list(tables_and_views())
TABLES = [(name, entry) for name, kind, entry in ALL if kind == "table"]


class Cells(html.parser.HTMLParser):
    """The body rows of the table of a page: [[text, ...], ...]."""

    def __init__(self, page):
        super().__init__()
        self.rows, self.head, self.text, self.heads = [], [], None, 0
        self.feed(page)

    def handle_starttag(self, tag, _):
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.text = ""
            self.heads += tag == "th"

    def handle_endtag(self, tag):
        if tag in ("td", "th") and self.text is not None and self.rows:
            (self.rows[-1] if tag == "td" else self.head).append(" ".join(self.text.split()))
            self.text = None

    def handle_data(self, data):
        if self.text is not None:
            self.text += data


def test_the_test_data_is_there():
    assert len([1 for name, kind, _ in ALL if (name, kind) == ("chinook", "table")]) == 11
    assert len([1 for name, kind, _ in ALL if name == "northwind"]) == 13 + 16


@pytest.mark.parametrize("name, kind, entry", ALL)
def test_table_json(site, name, kind, entry):
    database = site.databases[name]
    data = site.json(f"/{name}/{tilde(entry)}.json")
    assert data["ok"] is True and data["truncated"] is False
    wanted = database.dicts(entry)
    assert len(data["rows"]) == min(len(wanted), 100)
    for got, row in zip(data["rows"], wanted):
        assert list(got) == list(row)
        assert all(serving.same(got[c], row[c], computed=kind == "view") for c in row), (got, row)
    assert (data["next"] is not None) == (len(wanted) > 100)
    assert (data["next_url"] is not None) == (len(wanted) > 100)


@pytest.mark.parametrize("name, kind, entry", ALL)
def test_table_csv(site, name, kind, entry):
    database = site.databases[name]
    answer = site.get(f"/{name}/{tilde(entry)}.csv", _size="max")
    assert (answer.status, answer.header("content-type")) == (200, "text/plain; charset=utf-8")
    rows = list(csv.reader(io.StringIO(answer.text, newline="")))
    columns = database.columns(entry)
    assert rows[0] == columns
    wanted = database.dicts(entry)[:1000]
    assert len(rows) - 1 == len(wanted)
    for got, row in zip(rows[1:], wanted):
        for cell, column in zip(got, columns):
            value = row[column]
            if isinstance(value, dict):
                assert ".blob?_blob_column=" in cell
            else:
                assert cell == ("" if value is None else str(value)) or (
                    kind == "view" and serving.same(float(cell), value, computed=True)), (column, got)


@pytest.mark.parametrize("name, kind, entry", ALL)
def test_whole_table_streams_as_csv(site, name, kind, entry):
    answer = site.get(f"/{name}/{tilde(entry)}.csv", _stream="on")
    assert answer.status == 200
    rows = list(csv.reader(io.StringIO(answer.text, newline="")))
    database = site.databases[name]
    assert len(rows) - 1 == database.rows(f"select count(*) from {serving.quote(entry)}")[0][0]
    keys = database.keys(entry)
    if keys:
        at = [rows[0].index(key) for key in keys]
        wanted = [[str(row[key]) for key in keys] for row in database.dicts(entry)]
        assert [[row[i] for i in at] for row in rows[1:]] == wanted


@pytest.mark.parametrize("name, kind, entry", ALL)
def test_table_html(site, name, kind, entry):
    answer = site.get(f"/{name}/{tilde(entry)}", _size=20, _labels="off")
    assert (answer.status, answer.header("content-type")) == (200, "text/html; charset=utf-8")
    database = site.databases[name]
    wanted = database.dicts(entry)[:20]
    rows = [row for row in Cells(answer.text).rows if row]
    assert len(rows) >= len(wanted)
    for row in wanted:
        texts = [" ".join(v.split()) for v in row.values() if isinstance(v, str) and 0 < len(v) < 60]
        assert any(all(text in " ".join(got) for text in texts) for got in rows), row


@pytest.mark.parametrize("name, table", TABLES)
def test_row_pages(site, name, table):
    database = site.databases[name]
    keys, rows = database.keys(table), database.dicts(table)
    assert keys
    step = max(1, len(rows) // ROWS_OF_A_TABLE)
    for row in rows[::step] + rows[-1:]:
        path = f"/{name}/{tilde(table)}/" + ",".join(tilde(str(row[key])) for key in keys)
        data = site.json(path + ".json")
        assert data["rows"] == [row] and data["primary_keys"] == keys
        assert data["primary_key_values"] == [str(row[key]) for key in keys]
        assert (data["database"], data["table"], data["ok"]) == (name, table, True)
        page = site.get(path)
        assert page.status == 200 and page.header("content-type") == "text/html; charset=utf-8"
        for value in row.values():
            if isinstance(value, str) and 3 < len(value) < 40 and value.isalnum():
                assert value in page.text


def test_row_that_is_not_there(site):
    for path, status in (("/chinook/Track/999999", 404), ("/chinook/PlaylistTrack/1,999999", 404),
                         ("/chinook/PlaylistTrack/1", 400), ("/chinook/Track/1,2", 400), ("/chinook/Nothing/1", 404),
                         ("/nothing/Track/1", 404), ("/nothing", 404), ("/chinook/Nothing", 404)):
        assert site.get(path).status == status, path
        answer = site.get(path + ".json")
        assert answer.status == status, path
        data = answer.json()
        assert data["ok"] is False and data["status"] == status and data["error"]
        assert data["errors"] == [data["error"]] and answer.header("content-type").startswith("application/json")


def test_blobs(site):
    database = site.databases["northwind"]
    pictures = database.rows("select CategoryID, Picture from Categories")
    assert pictures and all(isinstance(p, bytes) for _, p in pictures)
    for key, picture in pictures:
        answer = site.get(f"/northwind/Categories/{key}.blob", _blob_column="Picture")
        assert (answer.status, answer.body) == (200, picture)
        assert answer.header("content-type") == "application/binary"
        assert answer.header("x-content-type-options") == "nosniff"
        assert answer.header("content-disposition") == f'attachment; filename="Categories-{key}-Picture.blob"'
        assert site.json(f"/northwind/Categories/{key}.json")["rows"][0]["Picture"] == as_json(picture)
    assert site.get("/northwind/Categories/1.blob", _blob_column="Nothing").status == 400
    assert site.get("/northwind/Categories/1.blob").status == 400


@pytest.mark.parametrize("name", ["chinook", "northwind"])
def test_database_page(site, name):
    database = site.databases[name]
    data = site.json(f"/{name}.json")
    tables = {t["name"]: t for t in data["tables"]}
    assert set(database.names("table")) <= set(tables)
    assert sorted(v["name"] for v in data["views"]) == database.names("view")
    for table in database.names("table"):
        assert tables[table]["columns"] == database.columns(table)
        assert tables[table]["primary_keys"] == database.keys(table)
        assert tables[table]["count"] == database.rows(f"select count(*) from {serving.quote(table)}")[0][0]
        links = {(fk["column"], fk["other_table"], fk["other_column"])
                 for fk in tables[table]["foreign_keys"]["outgoing"]}
        assert links == {(r[3], r[2], r[4]) for r in database.rows(f"pragma foreign_key_list({serving.quote(table)})")}
    page = site.get(f"/{name}")
    assert page.status == 200
    for entry in database.names("table") + database.names("view"):
        links = [f'"/{name}/{encoded}"' for encoded in (tilde(entry), urllib.parse.quote(entry))]
        assert any(link in page.text for link in links), entry


def test_front_page(site):
    data = site.json("/.json")
    assert [d["name"] for d in data["databases"]] == ["chinook", "northwind"]
    # the front page counts sqlite_sequence too, as Datasette does
    assert [d["tables_count"] for d in data["databases"]] == [11, 14]
    page = site.get("/")
    assert page.status == 200 and 'href="/chinook"' in page.text and 'href="/northwind"' in page.text


def test_links_of_a_page_work(site):
    """Every link on the front, database, table and row pages that stays on the site is answered."""
    class Links(html.parser.HTMLParser):
        def __init__(self, page):
            super().__init__()
            self.found = []
            self.feed(page)

        def handle_starttag(self, tag, attributes):
            values = dict(attributes)
            link = values.get({"a": "href", "link": "href", "script": "src", "img": "src"}.get(tag))
            if link:
                self.found.append(link)
    seen = set()
    for start in ("/", "/chinook", "/northwind", "/chinook/Track", "/northwind/Order+Details", "/chinook/Track/1",
                  "/northwind/Customer+and+Suppliers+by+City", "/northwind/Categories/1",
                  "/chinook/-/query?sql=select+1"):
        page = site.get(start)
        assert page.status == 200, start
        for link in Links(page.text).found:
            link = link.replace(f"http://127.0.0.1:{site.port}", "").split("#")[0]
            if link.startswith("//") or "://" in link:
                assert "datasette.io" not in link
                continue
            if link.startswith("?"):
                link = start.split("?")[0] + link
            if link.startswith("/") and link not in seen and not link.startswith("/-/logout"):
                seen.add(link)
    for link in sorted(seen):
        answer = site.get(link)
        assert answer.status in (200, 302) or (answer.status == 403 and "/-/" in link), (link, answer)
    assert len(seen) > 100
