# SPDX-License-Identifier: Apache-2.0
"""Random tables, filters, sorts, pages and facets: what the server answers equals a plain reading of the same filters in
Python. The reading knows SQLite's rules of comparison (datatype3.html sections 3 and 4) and no SQL."""
import contextlib
import json
import re
import sqlite3
import urllib.parse

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from serving import Server, as_json, quote, tilde

# ---- values as SQLite keeps and compares them

AFFINITY = {"integer": "number", "real": "number", "numeric": "number", "text": "text", "": None, "blob": None}
NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*$", re.ASCII)


def convert(value, affinity):
    """A value that is compared with a column of this affinity."""
    if affinity == "number" and isinstance(value, str) and NUMBER.match(value):
        return float(value) if re.search("[.eE]", value) else int(value)
    if affinity == "text" and isinstance(value, (int, float)):
        return str(value)
    return value


def rank(value):
    """Sorts as SQLite does: NULL, numbers, texts, blobs; texts by their bytes."""
    if value is None:
        return 0, 0
    if isinstance(value, (int, float)):
        return 1, value
    return (2, value.encode()) if isinstance(value, str) else (3, value)


def like(text, pattern):
    """LIKE: % and _, and only the letters of ASCII have case."""
    def fold(s):
        return "".join(c.lower() if c.isascii() else c for c in s)
    regex = "".join(".*" if c == "%" else "." if c == "_" else re.escape(c) for c in fold(pattern))
    return re.fullmatch(regex, fold(text), re.DOTALL) is not None


def glob(text, pattern):
    regex = "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
    return re.fullmatch(regex, text, re.DOTALL) is not None


def digits(value):
    return int(value) if re.fullmatch("[0-9]+", value) else value


def list_items(value):
    return json.loads(value) if value.startswith("[") else [item.strip() for item in value.split(",")]


def compared(test, numeric=False):
    def run(cell, value, affinity):
        value = digits(value) if numeric else value
        return cell is not None and test(rank(cell), rank(convert(value, affinity)))
    return run


def matched(match, before="", after="", negated=False):
    return lambda cell, value, _: cell is not None and match(str(cell), before + value + after) != negated


def member(cell, value, affinity):
    return any(rank(cell) == rank(convert(item, affinity)) for item in list_items(value))


def array(cell):
    return [] if cell is None else json.loads(cell)


def day_of(cell):
    return cell[:10] if isinstance(cell, str) and re.fullmatch(r"\d{4}-\d\d-\d\d( \d\d:\d\d)?", cell) else None


OPERATORS = {
    "exact": compared(lambda a, b: a == b), "not": compared(lambda a, b: a != b),
    "gt": compared(lambda a, b: a > b, True), "gte": compared(lambda a, b: a >= b, True),
    "lt": compared(lambda a, b: a < b, True), "lte": compared(lambda a, b: a <= b, True),
    "contains": matched(like, "%", "%"), "notcontains": matched(like, "%", "%", True),
    "endswith": matched(like, "%"), "startswith": matched(like, "", "%"),
    "like": matched(like), "notlike": matched(like, negated=True), "glob": matched(glob),
    "in": lambda c, v, a: c is not None and member(c, v, a),
    "notin": lambda c, v, a: not list_items(v) or (c is not None and not member(c, v, a)),
    "arraycontains": lambda c, v, _: v in array(c), "arraynotcontains": lambda c, v, _: v not in array(c),
    "date": lambda c, v, _: day_of(c) == v,
    "isnull": lambda c, v, _: c is None, "notnull": lambda c, v, _: c is not None,
    "isblank": lambda c, v, _: c is None or c == "", "notblank": lambda c, v, _: c is not None and c != "",
}
ON_TEXT_ONLY = {"contains", "notcontains", "endswith", "startswith", "like", "notlike", "glob"}
ON_TAGS = {"arraycontains", "arraynotcontains"}

# ---- random tables and requests

LETTERS = "aAbBzé%_ö☃ '\"\\[]*?,.~+&=#/1 \n"
texts = st.text(LETTERS, max_size=4) | st.sampled_from(["", "0", "1", "2.5", "10", "-3", "$null", "$n1", "~20", "None"])
numbers = st.integers(-4, 12) | st.integers(-48, 48).map(lambda n: n / 4)
plain = st.none() | numbers | texts
cells = plain | st.binary(max_size=2)
tags = st.none() | st.lists(st.sampled_from(["a", "b", "é,", ""]), max_size=3).map(json.dumps)
days = st.none() | st.sampled_from(["2020-01-01", "2020-01-01 10:00", "2021-12-31", "never", ""])
names = st.text("abcé_ '\"[]().,%&?#/~", min_size=1, max_size=5).filter(lambda n: "__" not in n and not n.endswith("_"))


class Table:
    """rows: dicts of what SQLite made of the values, in key order."""

    def __init__(self, name, columns, keys, records):
        self.name, self.columns, self.keys, self.records = name, dict(columns), keys, records
        self.rows = []

    def write(self, db):
        for kind, old in db.execute("select type, name from sqlite_master where type = 'table'").fetchall():
            db.execute(f"drop {kind} {quote(old)}")
        parts = [f"{quote(name)} {kind}" for name, kind in self.columns.items()]
        if self.keys:
            parts.append("primary key (" + ", ".join(map(quote, self.keys)) + ")")
        db.execute(f"create table {quote(self.name)} ({', '.join(parts)})")
        marks = ", ".join("?" * len(self.columns))
        for record in self.records:
            with contextlib.suppress(sqlite3.IntegrityError):  # a key twice, or not an integer where it is the rowid
                db.execute(f"insert into {quote(self.name)} values ({marks})", record)
        db.commit()
        rows = db.execute(f"select {'*' if self.keys else 'rowid, *'} from {quote(self.name)}").fetchall()
        shown = list(self.columns) if self.keys else ["rowid", *self.columns]
        self.rows = sorted((dict(zip(shown, row)) for row in rows), key=self.key)

    def key(self, row):
        return [rank(row[name]) for name in self.keys or ["rowid"]]


@st.composite
def tables(draw):
    used = draw(st.lists(names, min_size=2, max_size=4, unique_by=lambda n: n.lower()))
    columns = [(name, draw(st.sampled_from(["integer", "real", "text", ""]))) for name in used]
    columns += [("tags", "text"), ("day", "text")]
    keys = draw(st.sampled_from([[], used[:1], used[:2]]))
    by_name = {"tags": tags, "day": days}
    values = st.tuples(*(cells.filter(lambda c: c is not None) if name in keys else by_name.get(name, cells)
                         for name, _ in columns))
    table = draw(names)
    return Table(f"t{table}", columns, keys, draw(st.lists(values, max_size=14)))


def values_for(operator, seen):
    seen = st.sampled_from(seen) if seen else st.just("1")
    if operator == "date":
        return st.sampled_from(["2020-01-01", "2021-12-31", "x"])
    if operator in ON_TAGS:
        return st.sampled_from(["a", "é,", "", "c"])
    if operator == "glob":
        return st.text("aAbé*?1", max_size=3)
    if operator in ("in", "notin"):
        items = st.lists(seen | texts, max_size=3)
        return items.map(json.dumps) | items.map(lambda i: ",".join(s.strip() for s in i if "," not in s)).filter(
            lambda s: not s.startswith("["))
    if operator in ("isnull", "notnull", "isblank", "notblank"):
        return st.just("1")
    return seen | texts


@st.composite
def requests(draw):
    table = draw(tables())
    filters = []
    for _ in range(draw(st.integers(0, 3))):
        operator = draw(st.sampled_from(sorted(OPERATORS)))
        column = "tags" if operator in ON_TAGS else "day" if operator == "date" else draw(
            st.sampled_from(list(table.columns)))
        place = list(table.columns).index(column)
        seen = [str(r[place]) for r in table.records if isinstance(r[place], (str, int))]
        filters.append((column, operator, draw(values_for(operator, seen))))
    sort = draw(st.none() | st.tuples(st.sampled_from(["_sort", "_sort_desc"]), st.sampled_from(list(table.columns))))
    return table, filters, sort, draw(st.integers(1, 5)), draw(st.sampled_from(list(table.columns)))


def reading(table, filters):
    """The rows that pass, in key order. None: a blob meets an operator on text, which SQLite reads as it likes."""
    found = table.rows
    for column, operator, value in filters:
        if operator in ON_TEXT_ONLY and any(isinstance(row[column], (bytes, float)) for row in found):
            return None
        found = [row for row in found if OPERATORS[operator](row[column], value, AFFINITY[table.columns[column]])]
    return found


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    path = tmp_path_factory.mktemp("property") / "p.db"
    db = sqlite3.connect(path)
    db.execute("pragma synchronous = off")
    db.execute("create table first (a)")
    db.commit()
    site = Server(path, "--setting", "sql_time_limit_ms", "10000", "--setting", "facet_time_limit_ms", "10000").wait()
    yield site, db
    site.stop()
    db.close()


def shown(rows):
    return [{name: as_json(value) for name, value in row.items()} for row in rows]


@settings(max_examples=100, deadline=None, database=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large])
@given(requests())
def test_answers_equal_a_plain_reading(one, request_):
    site, db = one
    table, filters, sort, size, facet = request_
    table.write(db)
    wanted = reading(table, filters)
    if wanted is None:
        return
    if sort:
        wanted = sorted(wanted, key=lambda row: rank(row[sort[1]]), reverse=sort[0] == "_sort_desc")
        if sort[0] == "_sort_desc":  # equal ones stay in key order
            wanted = sorted(sorted(wanted, key=table.key), key=lambda row: rank(row[sort[1]]), reverse=True)
    query = [(f"{column}__{operator}", value) for column, operator, value in filters] + ([sort] if sort else [])
    path = f"/p/{tilde(table.name)}.json?" + urllib.parse.urlencode(query)
    whole = site.json(path + "&_size=max&_extra=count&" + urllib.parse.urlencode({"_facet": facet}))
    assert whole["rows"] == shown(wanted)
    assert whole["count"] == len(wanted) and whole["count_truncated"] is False
    counts = {}
    for row in wanted:
        if row[facet] is not None:
            counts[row[facet]] = counts.get(row[facet], 0) + 1
    results = whole["facet_results"]["results"][facet]["results"]
    order = sorted(counts.items(), key=lambda item: (-item[1], rank(item[0])))
    if not any(isinstance(value, bytes) for value in counts):
        assert [(r["value"], r["count"]) for r in results] == order
    else:
        assert [r["count"] for r in results] == [count for _, count in order]
    walked, next_url = [], path + f"&_size={size}"
    while next_url:
        page = site.json(next_url)
        assert len(page["rows"]) <= size and len(walked) <= len(wanted)
        walked += page["rows"]
        parts = urllib.parse.urlsplit(page["next_url"] or "")
        next_url = page["next_url"] and parts.path + "?" + parts.query
    assert walked == shown(wanted)
