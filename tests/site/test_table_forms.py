# SPDX-License-Identifier: Apache-2.0
"""The plain forms that make, change and drop tables: /-/create-table, /-/alter-table, /-/drop-table."""
import html
import html.parser
import sqlite3
import urllib.parse

import pytest

from serving import make

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MAY = [option for right in ("create-table", "alter-table", "drop-table")
       for option in ("--setting", f"permissions.{right}", "true")]
SCHEMA = """
create table t (id integer primary key, name text not null, price real default 1.5, "odd type" varchar(20) default 'it''s',
    made text default CURRENT_TIMESTAMP, topic text references topics (code));
create table topics (code text primary key, name text);
create table child (id integer primary key, t_id integer references t (id));
create index by_name on t (name);
insert into topics values ('a', 'A');
insert into t (id, name, price, topic) values (1, 'one', 2, 'a'), (2, 'two', null, null), (3, 'three', '', null);
insert into child values (1, 1);
"""


@pytest.fixture
def site(server, tmp_path):
    one = server(make(tmp_path / "d.db", SCHEMA), *MAY)
    one.path = tmp_path / "d.db"
    return one


class Form(html.parser.HTMLParser):
    """What a browser would send of the form as it is."""
    def __init__(self, page):
        super().__init__()
        self.given, self.select, self.options = {}, None, []
        self.feed(page[page.index('<form class="core'):])

    def handle_starttag(self, tag, attributes):
        a = dict(attributes)
        if tag == "input" and a.get("name") and (a.get("type") != "checkbox" or "checked" in a):
            self.given[a["name"]] = a.get("value", "")
        elif tag == "select":
            self.select, self.options = a["name"], []
        elif tag == "option":
            self.options.append([a.get("value"), "selected" in a, ""])

    def handle_data(self, data):
        if self.select and self.options:
            self.options[-1][2] += data

    def handle_endtag(self, tag):
        if tag == "select":
            value, _, text = next((o for o in self.options if o[1]), self.options[0])
            self.given[self.select], self.select = text if value is None else value, None


def fields(page):
    return Form(page).given


def rows_by_name(given):
    return {v: k.split(".")[1] for k, v in given.items() if k.startswith("was.")}


def send(site, path, given):
    return site.ask("POST", path, FORM, urllib.parse.urlencode(given))


def sql_of(site, table="t"):
    with sqlite3.connect(site.path) as db:
        return db.execute("select sql from sqlite_master where name = ?", [table]).fetchone()[0]


def changed(site, change):
    given = fields(site.get("/d/t/-/alter-table").text)
    change(given, rows_by_name(given))
    return given, send(site, "/d/t/-/alter-table", given)


def test_what_is_left_alone_stays(site):
    before = sql_of(site)
    _, answer = changed(site, lambda given, row: None)
    assert answer.status == 400 and "Nothing was changed" in answer.text
    assert sql_of(site) == before


def test_many_changes_at_once(site):
    def change(given, row):
        new = str(max(int(i) for i in row.values()) + 1)
        given[f"name.{row['name']}"] = "title"
        given[f"type.{row['price']}"] = "integer"
        given[f"default.{row['price']}"] = "7"
        given[f"default.{row['made']}"] = ""
        given[f"fk_table.{row['topic']}"] = ""
        given[f"place.{row['topic']}"] = "0"
        given[f"name.{new}"], given[f"type.{new}"], given[f"fk_table.{new}"] = "other", "text", "topics"
        given["table"] = "things"
    _, answer = changed(site, change)
    assert answer.status == 302 and answer.header("location").endswith("/d/things"), answer
    sql = sql_of(site, "things")
    with sqlite3.connect(site.path) as db:
        names = [r[1] for r in db.execute("pragma table_info(things)")]
        keys = {r[3]: (r[2], r[4]) for r in db.execute("pragma foreign_key_list(things)")}
        rows = db.execute("select id, title, price from things order by id").fetchall()
        assert db.execute("pragma foreign_key_check").fetchall() == []
        assert db.execute("select sql from sqlite_master where name = 'child'").fetchone()[0].count("things") == 1
    assert names == ["topic", "id", "title", "price", "odd type", "made", "other"]
    assert keys == {"other": ("topics", "code")} and rows == [(1, "one", 2), (2, "two", None), (3, "three", "")]
    assert "'it''s'" in sql and "varchar(20)" in sql and "CURRENT_TIMESTAMP" not in sql and "DEFAULT '7'" in sql


def test_a_column_goes_only_when_that_was_said(site):
    given, answer = changed(site, lambda given, row: given.update({f"drop.{row['price']}": "1"}))
    assert answer.status == 200 and "The column price goes: 2 rows have a value there" in html.unescape(answer.text)
    assert "price" in sql_of(site)
    assert send(site, "/d/t/-/alter-table", {**given, "sure": "1"}).status == 302
    assert "price" not in sql_of(site) and "by_name" in sql_of(site, "by_name")


@pytest.mark.parametrize("change, says", [
    (lambda g, r: g.update({f"name.{r['name']}": " "}), "needs a name"),
    (lambda g, r: g.update({f"was.{r['name']}": "gone"}), "changed meanwhile"),
    (lambda g, r: g.update({f"name.{r['name']}": "id"}), "id"),
    (lambda g, r: g.update({"name.6": "x", "type.6": "text", "not_null.6": "1", "default.6": ""}), "default"),
    (lambda g, r: g.update({"table": "sqlite_x"}), "Invalid table name"),
    (lambda g, r: g.update({f"fk_table.{r['name']}": "nowhere"}), "nowhere")])
def test_wrong_changes(site, change, says):
    before = sql_of(site)
    _, answer = changed(site, change)
    assert answer.status == 400 and 'role="alert"' in answer.text and says in html.unescape(answer.text), answer.text
    assert "operations." not in answer.text and sql_of(site) == before


def test_more_rows(site):
    for path in ("/d/t/-/alter-table", "/d/-/create-table"):
        given = fields(site.get(path).text)
        more = send(site, path, {**given, "action": "more", "table": "kept"})
        assert more.status == 200 and 'value="kept"' in more.text
        assert more.text.count('name="name.') == sum(k.startswith("name.") for k in given) + 4


def test_create_table(site):
    answer = send(site, "/d/-/create-table", {
        "action": "create", "table": "made", "name.0": "id", "type.0": "integer", "pk.0": "1", "name.1": "t_id",
        "type.1": "integer",
        "fk_table.1": "t", "name.2": "n", "type.2": "float", "not_null.2": "1", "default.2": "5", "name.3": "", "type.3": "text"})
    assert answer.status == 302 and answer.header("location").endswith("/d/made"), answer
    with sqlite3.connect(site.path) as db:
        assert [r[1:4] for r in db.execute("pragma table_info(made)")] == [
            ("id", "INTEGER", 0), ("t_id", "INTEGER", 0), ("n", "REAL", 1)]


def test_drop_table(site):
    page = site.get("/d/t/-/drop-table").text
    assert "all of its 3 rows" in page and "Keys of child" in page
    assert sql_of(site)
    answer = send(site, "/d/t/-/drop-table", {"x": "y"})
    assert answer.status == 302 and answer.header("location").endswith("/d")
    with sqlite3.connect(site.path) as db:
        assert not db.execute("select 1 from sqlite_master where name in ('t', 'by_name')").fetchall()


def test_strangers(site):
    for path in ("/d/t/-/alter-table", "/d/t/-/drop-table", "/d/-/create-table"):
        answer = site.ask("POST", path, {**FORM, "Sec-Fetch-Site": "cross-site"}, "sure=1&table=x")
        assert answer.status == 403, path
    assert sql_of(site)


def test_not_tables(server, tmp_path):
    script = "create table t (a); create view v as select 1; create virtual table f using fts5(a);"
    one = server(make(tmp_path / "d.db", script), *MAY)
    assert one.get("/d/v/-/alter-table").status == 404
    assert one.get("/d/f/-/alter-table").status == 400
    assert one.get("/d/nope/-/drop-table").status == 404
