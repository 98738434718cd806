# SPDX-License-Identifier: Apache-2.0
"""CSV, at once and as a stream of pages, beside what Python's csv module writes of the same rows."""
import csv
import io
import sqlite3

import pytest

from serving import make

ROWS = 57  # pages of 10: the last one is not full; of 19: it is


@pytest.fixture
def awkward(server, tmp_path):
    path = make(tmp_path / "awkward.db", """
        create table t (id integer primary key, a, "b,c" text, f real, k integer references kind(id));
        create table kind (id integer primary key, name text);
        insert into kind values (1, 'one, or more'), (2, 'two "quoted"');
        create table sole (x text primary key);
        insert into sole values (''), ('x'), ('y');
        create table none (x, y);
        create table plain (a, b);
        create view backwards as select id, a from t order by id desc;""")
    with sqlite3.connect(path) as db:
        texts = ["plain", "", None, "a,b", 'say "x"', "two\nlines", "cr\rlf", "é ☃", " space ", 5, -2 ** 63, 1e300]
        for i in range(ROWS):
            db.execute("insert into t values (?, ?, ?, ?, ?)",
                       (i + 1, texts[i % len(texts)], texts[(i * 7) % len(texts)], i / 8 if i % 5 else None, i % 3 or None))
            db.execute("insert into plain values (?, ?)", (i % 4, i))
        db.execute("insert into plain values (cast(x'61ff62' as text), 9e999), (-9e999, 1.0)")
    return lambda size=10: (server(path, "--setting", "max_returned_rows", size, "--setting", "default_page_size", 7),
                            path)


def written(header, rows):
    """As Datasette: NULL is an empty field."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


def rows_of(path, sql):
    db = sqlite3.connect(path)
    db.text_factory = lambda b: b.decode(errors="replace")
    cursor = db.execute(sql)
    return [c[0] for c in cursor.description], cursor.fetchall()


@pytest.mark.parametrize("size", [1, 10, 19, 57, 58])
@pytest.mark.parametrize("path, sql", [
    ("t.csv?_stream=1", "select * from t order by id"),
    ("t.csv?_stream=on&_sort_desc=f", "select * from t order by f desc, id"),
    ("t.csv?_stream=1&_sort=a&_col=f", "select id, f from t order by a, id"),  # the sort column is not shown
    ("t.csv?_stream=1&id__gt=20&_nocol=a", 'select id, "b,c", f, k from t where id > 20 order by id'),
    ("plain.csv?_stream=1", "select rowid, * from plain"),
    ("backwards.csv?_stream=1", "select * from backwards"),
    ("none.csv?_stream=1", "select rowid, * from none"),
    ("sole.csv?_stream=1", "select * from sole order by x"),
])
def test_stream(awkward, size, path, sql):
    site, file = awkward(size)
    assert site.get("/awkward/" + path).body.decode() == written(*rows_of(file, sql))


def test_stream_with_labels(awkward):
    site, file = awkward()
    wanted = written(*rows_of(file, """select t.id, a, "b,c", f, k, coalesce(name, '') as k_label
                                       from t left join kind on kind.id = k order by t.id"""))
    assert site.get("/awkward/t.csv?_stream=1&_labels=on").body.decode() == wanted


def test_stream_without_header_and_past_the_maximum(awkward, server):
    site, file = awkward()
    header, rows = rows_of(file, "select * from t order by id")
    assert site.get("/awkward/t.csv?_stream=1&_header=off").body.decode() == written(header, rows).split("\r\n", 1)[1]
    big = make(file.with_name("big.db"), """
        create table t (id integer primary key, x);
        with recursive c(i) as (select 1 union all select i + 1 from c where i < 3000)
            insert into t select i, hex(zeroblob(500)) from c;""")
    body = server(big, "--setting", "max_csv_mb", "1").get("/big/t.csv?_stream=1").text
    assert body.endswith("CSV contains more than 1048576 bytes") and len(body) < (1 << 20) + 100


def test_a_blob_is_a_link_in_each_page(server, tmp_path):
    path = make(tmp_path / "b.db", "create table t (id integer primary key, x);"
                                   "insert into t values (1, x'00'), (2, x''), (3, 'text'), (4, x'ff');")
    site = server(path, "--setting", "max_returned_rows", 2)
    rows = list(csv.reader(io.StringIO(site.get("/b/t.csv?_stream=1").text)))
    assert [r[1].startswith("http") for r in rows] == [False, True, True, False, True]
    assert site.get("/" + rows[4][1].split("/", 3)[3]).body == b"\xff"
