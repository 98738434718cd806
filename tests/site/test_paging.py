# SPDX-License-Identifier: Apache-2.0
"""Walking through pages: each row exactly once, in the right order; filters and labels against sqlite3."""
import urllib.parse

import pytest

from serving import Database, as_json, make, quote, tilde


def walk(site, path, limit=200):
    """All rows along next_url, and how many pages they came in."""
    rows, pages = [], 0
    while path:
        data = site.json(path)
        rows += data["rows"]
        pages += 1
        assert pages <= limit, "no end"
        assert (data["next"] is None) == (data["next_url"] is None)
        url = urllib.parse.urlsplit(data["next_url"] or "")
        path = url.path + "?" + url.query if data["next_url"] else None
    return rows, pages


@pytest.mark.parametrize("name, table, size", [
    ("chinook", "Track", 500), ("chinook", "PlaylistTrack", 400), ("northwind", "Order Details", 100),
    ("northwind", "Customers", 7), ("northwind", "EmployeeTerritories", 10), ("chinook", "Artist", 1000)])
def test_walk_by_key(site, name, table, size):
    wanted = site.databases[name].dicts(table)
    rows, pages = walk(site, f"/{name}/{tilde(table)}.json?_size={size}")
    assert rows == wanted and pages == -(-len(wanted) // size)


@pytest.mark.parametrize("view", ["Invoices", "Customer and Suppliers by City", "Products by Category"])
def test_walk_a_view(site, view):
    wanted = site.databases["northwind"].dicts(view)
    rows, _ = walk(site, f"/northwind/{tilde(view)}.json?_size=300")
    assert rows == wanted


@pytest.mark.parametrize("direction", ["_sort", "_sort_desc"])
@pytest.mark.parametrize("name, table, column, size", [
    ("chinook", "Track", "Composer", 400), ("chinook", "Employee", "ReportsTo", 1), ("chinook", "Customer", "State", 7),
    ("northwind", "Order Details", "Discount", 200), ("northwind", "Orders", "ShipRegion", 100),
    ("chinook", "Invoice", "Total", 50), ("chinook", "Track", "UnitPrice", 999)])
def test_walk_sorted(site, name, table, column, size, direction):
    database = site.databases[name]
    rows, _ = walk(site, f"/{name}/{tilde(table)}.json?_size={size}&{direction}={column}")
    keys = database.keys(table)
    found = [tuple(row[key] for key in keys) for row in rows]
    assert len(set(found)) == len(found)
    order = quote(column) + " desc" * (direction == "_sort_desc")
    wanted = database.dicts(table, order=f"{order}, {database.order(table)}")
    assert sorted(map(repr, rows)) == sorted(map(repr, wanted))
    assert [row[column] for row in rows] == [row[column] for row in wanted]


def test_walk_without_a_key_and_with_awkward_keys(server, tmp_path):
    path = make(tmp_path / "awkward.db", """
        create table plain (a, b);
        with recursive c(i) as (select 1 union all select i + 1 from c where i < 57)
            insert into plain select i % 5, case when i % 3 then i end from c;
        create table compound (x text, y integer, z real, primary key (x, y, z)) without rowid;
        with recursive c(i) as (select 0 union all select i + 1 from c where i < 99)
            insert into compound select
                case i % 4 when 0 then '' when 1 then 'a/b' when 2 then 'c,d~e' else 'é %$' end, i / 4, i / 2.0 from c;
        create table words (word text primary key, n);
        insert into words values ('', 1), ('.', 2), ('..', 3), ('a.json', 4), ('$null', 5), ('~2C', 6), ('x y', 7),
            ('%41', 8), ('☃', 9), ('a+b', 10), ('a&b=c', 11), ('"', 12), ('''', 13), ('/', 14);
        """)
    site, database = server(path), Database(path)
    for table, size in (("plain", 10), ("compound", 7), ("words", 3), ("words", 1)):
        columns = "rowid, *" if table == "plain" else "*"
        wanted = database.rows(f"select {columns} from {table} order by {database.order(table)}")
        rows, _ = walk(site, f"/awkward/{table}.json?_size={size}")
        assert [tuple(row.values()) for row in rows] == wanted
    for row in database.dicts("words"):
        if row["word"]:  # the empty key has no address
            assert site.json(f"/awkward/words/{tilde(row['word'])}.json")["rows"] == [row]
    for row in database.dicts("compound")[::9]:
        values = ",".join(tilde(str(row[c])) for c in ("x", "y", "z"))
        assert site.json(f"/awkward/compound/{values}.json")["rows"] == [row]
    database.close()


@pytest.mark.parametrize("direction", ["_sort", "_sort_desc"])
def test_walk_sorted_by_a_column_without_affinity(server, tmp_path, direction):
    """Such a column keeps numbers, texts and blobs as they came, and a number never equals a text there."""
    path = make(tmp_path / "mixed.db", """
        create table plain (a, b);
        with recursive c(i) as (select 1 union all select i + 1 from c where i < 57)
            insert into plain select i, case i % 5 when 0 then null when 1 then i / 8 when 2 then 'w' || i / 8
                when 3 then cast('x' || i / 8 as blob) else i / 8 + 0.5 end from c;
        insert into plain values (58, 9e999), (59, -9e999), (60, 9007199254740993), (61, '$n5'), (62, '$x00'), (63, x'');
        create table keyed (k primary key, r real);
        insert into keyed select b, case when a % 2 then 9e999 else a end from plain group by b having b is not null;
        """)
    site, database = server(path), Database(path)
    rows, _ = walk(site, f"/mixed/plain.json?_size=4&{direction}=b")
    order = "b desc, rowid" if direction == "_sort_desc" else "b, rowid"
    assert [row["rowid"] for row in rows] == [n for n, in database.rows(f"select rowid from plain order by {order}")]
    for order, path in (("k", "?_size=3"), ("r desc, k", "?_size=3&_sort_desc=r")):
        wanted = [(as_json(k),) for k, in database.rows(f"select k from keyed order by {order}")]
        rows, _ = walk(site, f"/mixed/keyed.json{path}")
        assert [(row["k"],) for row in rows] == wanted
    database.close()


def test_tokens_in_the_form_of_datasette_are_taken(site):
    """A token that was handed out before still leads to the page after it, and no token leads to an error page."""
    wanted = site.databases["chinook"].dicts("Track", order="UnitPrice, TrackId")
    after = next(i for i, row in enumerate(wanted) if row["TrackId"] == 100) + 1
    rows = site.json("/chinook/Track.json?_sort=UnitPrice&_next=0.99,100&_size=10")["rows"]
    assert rows == wanted[after:after + 10]
    for token in ("$n0.99,$n100", "%24n0.99,100"):
        assert site.json(f"/chinook/Track.json?_sort=UnitPrice&_next={token}&_size=10")["rows"] == rows
    for token in ("$n,1", "$nx,1", "$x0,1", "$xzz,1", "$,1", "$nnan,1", "$n1e,1", "$n--1,1"):
        assert site.get(f"/chinook/Track.json?_sort=UnitPrice&_next={token}").status == 200


FILTERS = [
    ("Name__exact=Balls+to+the+Wall", "Name = 'Balls to the Wall'"),
    ("Name=Balls+to+the+Wall", "Name = 'Balls to the Wall'"),
    ("GenreId=2", "GenreId = 2"), ("GenreId__not=1", "GenreId != 1"), ("Name__contains=rock", "Name like '%rock%'"),
    ("Name__notcontains=a", "Name not like '%a%'"), ("Name__startswith=The", "Name like 'The%'"),
    ("Name__endswith=e", "Name like '%e'"), ("TrackId__gt=3400", "TrackId > 3400"),
    ("TrackId__gte=3400", "TrackId >= 3400"),
    ("TrackId__lt=10", "TrackId < 10"), ("TrackId__lte=10", "TrackId <= 10"), ("Name__like=_a%25", "Name like '_a%'"),
    ("Name__notlike=%25a%25", "Name not like '%a%'"), ("Name__glob=[XYZ]*", "Name glob '[XYZ]*'"),
    ("GenreId__in=2,3", "GenreId in (2, 3)"), ("GenreId__in=[2,+3]", "GenreId in (2, 3)"),
    ("GenreId__notin=1,2,3", "GenreId not in (1, 2, 3)"), ("Composer__isnull=1", "Composer is null"),
    ("Composer__notnull=1", "Composer is not null"), ("Composer__isblank=1", "(Composer is null or Composer = '')"),
    ("Composer__notblank=1", "(Composer is not null and Composer != '')"),
    ("GenreId=1&Composer__isnull=1", "GenreId = 1 and Composer is null"), ("Nothing=1", "0"),
    ("_where=Milliseconds>1000000", "Milliseconds > 1000000"), ("UnitPrice__gt=1", "UnitPrice > 1"),
    ("Name__exact=%27+or+1=1+--", "0"), ("Name__exact=%00", "Name = char(0)"),
]


@pytest.mark.parametrize("query, where", FILTERS)
def test_filters(site, query, where):
    wanted = site.databases["chinook"].dicts("Track", where)
    data = site.json(f"/chinook/Track.json?{query}&_size=1000&_extra=count")
    assert data["rows"] == wanted[:1000] and data["count"] == len(wanted)


def test_filter_form_leads_to_the_filter(site):
    answer = site.get("/chinook/Track?_filter_column=GenreId&_filter_op=exact&_filter_value=2")
    assert answer.status == 302 and answer.header("location").endswith("/chinook/Track?GenreId=2") or (
        "GenreId__exact=2" in answer.header("location"))


def test_labels(site):
    titles = dict(site.databases["chinook"].rows("select AlbumId, Title from Album"))
    rows = site.json("/chinook/Track.json", _labels="on", _size=30)["rows"]
    plain = site.json("/chinook/Track.json", _size=30)["rows"]
    for labelled, bare in zip(rows, plain):
        assert labelled["AlbumId"] == {"value": bare["AlbumId"], "label": titles[bare["AlbumId"]]}
    page = site.get("/chinook/Track", _size=5).text
    assert 'href="/chinook/Album/1"' in page and "For Those About To Rock We Salute You" in page


def test_shapes(site):
    wanted = site.databases["chinook"].dicts("Genre")
    assert site.json("/chinook/Genre.json", _shape="array") == wanted
    assert site.json("/chinook/Genre.json", _shape="arrays")["rows"] == [list(row.values()) for row in wanted]
    assert site.json("/chinook/Genre.json", _shape="object") == {str(row["GenreId"]): row for row in wanted}
    assert site.json("/chinook/Genre.json", _shape="arrayfirst") == [row["GenreId"] for row in wanted]
    lines = site.get("/chinook/Genre.json", _shape="array", _nl="on").text.splitlines()
    assert len(lines) == len(wanted) and lines[0].startswith('{"GenreId": 1')
    assert site.get("/chinook/Genre.json", _shape="nope").status == 400


def test_columns_chosen(site):
    assert list(site.json("/chinook/Track.json", _col="Name")["rows"][0]) == ["TrackId", "Name"]
    assert "Name" not in site.json("/chinook/Track.json", _nocol="Name")["rows"][0]
    assert site.get("/chinook/Track.json", _col="Nothing").status == 400


@pytest.mark.parametrize("query, says", [
    ("_sort=Nothing", "Cannot sort table by Nothing"), ("_sort=Name&_sort_desc=Name", "_sort_desc"),
    ("_size=-1", "_size"), ("_size=x", "_size"), ("_size=1001", "_size"), ("_where=select", ""), ("_where=nope(1)", ""),
    ("_facet=Nothing", ""), ("_next=garbage&_sort=Name", None)])
def test_wrong_arguments(site, query, says):
    answer = site.get(f"/chinook/Track.json?{query}")
    if says is None:
        assert answer.status in (200, 400)
        return
    assert answer.status == 400, answer
    data = answer.json()
    assert data["ok"] is False and data["status"] == 400 and says in data["error"] and data["error"]
    assert site.get(f"/chinook/Track?{query}").status == 400


def test_unknown_extra(site):
    answer = site.get("/chinook/Track.json?_extra=nope")
    assert answer.status == 400 and answer.json()["error"] == "Unknown _extra: nope"


def test_facets(site):
    data = site.json("/chinook/Track.json", _facet="GenreId", _size=1)
    wanted = site.databases["chinook"].rows(
        "select GenreId, Genre.Name, count(*) from Track join Genre using (GenreId) group by 1 order by 3 desc, 1")
    found = data["facet_results"]["results"]["GenreId"]["results"]
    assert [(f["value"], f["label"], f["count"]) for f in found] == wanted


def test_counts(site):
    database = site.databases["northwind"]
    for table in database.names("table") + database.names("view"):
        data = site.json(f"/northwind/{tilde(table)}.json", _extra="count", _size=0)
        assert data["count"] == database.rows(f"select count(*) from {quote(table)}")[0][0]
        assert data["rows"] == []
