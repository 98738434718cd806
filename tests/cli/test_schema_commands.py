# SPDX-License-Identifier: Apache-2.0
"""The commands that make, change, list and drop tables, indexes, views and search indexes."""
import json
import sqlite3

import pytest

from serving import make, run

TREES = """
create table trees (id integer primary key, species text, common text, place text, height real);
insert into trees values (1, 'Acer', 'maple', 'park', 3.5), (2, 'Quercus', 'oak', 'park', 7), (3, 'Acer', 'maple', null, null),
  (4, null, null, 'street', 2), (5, 'Acer', null, 'street', 2);
create view tall as select id, height from trees where height > 3;
create table "odd ""name" ("a b" text, "c""d" integer references trees(id)); insert into "odd ""name" values ('x y', 1);
"""


@pytest.fixture
def database(tmp_path):
    return make(tmp_path / "t.db", TREES)


def good(*arguments):
    status, out, err = run(*arguments)
    assert (status, err) == (0, ""), (arguments, err)
    return out


def bad(*arguments):
    status, out, err = run(*arguments)
    assert status and out == "", (arguments, out)
    return err


def ask(path, sql, values=()):
    db = sqlite3.connect(path)
    try:
        return db.execute(sql, values).fetchall()
    finally:
        db.close()


def sql_of(path, name):
    return ask(path, "select sql from sqlite_master where name = ?", [name])[0][0]


# ---- extract


def test_extract_one_column(database):
    good("extract", database, "trees", "species")
    assert sql_of(database, "trees") == """CREATE TABLE "trees" (
   "id" integer PRIMARY KEY,
   "species_id" INTEGER REFERENCES "species"("id"),
   "common" text,
   "place" text,
   "height" real
)"""
    assert ask(database, "select t.id, s.species from trees t left join species s on s.id = t.species_id order by 1") == [
        (1, "Acer"), (2, "Quercus"), (3, "Acer"), (4, None), (5, "Acer")]
    assert ask(database, "select count(*) from species") == [(2,)]
    assert 'CREATE UNIQUE INDEX "idx_species_species"' in sql_of(database, "idx_species_species")
    assert ask(database, "select * from tall") == [(1, 3.5), (2, 7.0)]


def test_extract_several_columns(database):
    good("extract", database, "trees", "species", "common", "--table", "kinds", "--fk-column", "kind",
         "--rename", "species", "name")
    assert ask(database, "select t.id, k.name, k.common from trees t left join kinds k on k.id = t.kind order by 1") == [
        (1, "Acer", "maple"), (2, "Quercus", "oak"), (3, "Acer", "maple"), (4, None, None), (5, "Acer", None)]
    assert ask(database, "select count(*) from kinds") == [(3,)]


def test_extract_into_a_table_that_is_there(database):
    with sqlite3.connect(database) as db:
        db.executescript("create table places (id integer primary key, place text); insert into places values (70, 'street')")
    before = ask(database, "select id, place from trees order by 1")
    good("extract", database, "trees", "place", "--table", "places")
    assert ask(database, "select t.id, p.place from trees t left join places p on p.id = places_id order by 1") == before
    assert ask(database, "select id from places where place = 'street'") == [(70,)]
    assert "other columns" in bad("extract", database, "trees", "common", "--table", "places", "--fk-column", "c")


def test_extract_only_printed(database):
    before = database.read_bytes()
    out = good("extract", database, "trees", "species", "--sql")
    assert "CREATE TABLE \"species\"" in out and database.read_bytes() == before


# ---- search indexes


@pytest.mark.parametrize("version", ["--fts5", "--fts4"])
def test_search_index(database, version):
    good("enable-fts", database, "trees", "species", "common", version, "--tokenize", "porter", "--create-triggers")
    assert [row["id"] for row in json.loads(good("search", database, "trees", "maples"))] == [1, 3]
    db = sqlite3.connect(database)
    db.execute("insert into trees (id, species) values (9, 'Betula')")
    db.execute("update trees set common = 'elm' where id = 1")
    db.execute("delete from trees where id = 3")
    db.commit()
    db.close()
    assert json.loads(good("search", database, "trees", "betula", "-c", "id")) == [{"id": 9}]
    assert json.loads(good("search", database, "trees", "maple")) == []
    assert json.loads(good("search", database, "trees", "elm", "--nl", "-c", "common")) == {"common": "elm"}
    assert [r["table"] for r in json.loads(good("tables", database, version))] == ["trees_fts"]
    good("transform", database, "trees", "--type", "height", "text")
    assert json.loads(good("search", database, "trees", "elm", "-c", "id")) == [{"id": 1}]
    assert "--replace" in bad("enable-fts", database, "trees", "species")
    good("enable-fts", database, "trees", "species", "--replace")
    good("rebuild-fts", database)
    good("optimize", database)
    assert ask(database, "select count(*) from sqlite_master where type = 'trigger'") == [(0,)]
    good("disable-fts", database, "trees")
    assert ask(database, "select count(*) from sqlite_master where name like '%fts%'") == [(0,)]
    assert "enable-fts" in bad("search", database, "trees", "x")
    assert "enable-fts" in bad("disable-fts", database, "trees")


def test_search_index_of_odd_names(database):
    good("enable-fts", database, 'odd "name', "a b", "--create-triggers")
    assert len(json.loads(good("search", database, 'odd "name', 'z "y-', "--quote"))) == 0
    assert len(json.loads(good("search", database, 'odd "name', "x y", "--quote"))) == 1
    good("disable-fts", database, 'odd "name')
    assert "no column" in bad("enable-fts", database, "trees", "nope")
    assert "exclude" in bad("enable-fts", database, "trees", "species", "--fts4", "--fts5")


# ---- tables, views, columns


def test_create_table(tmp_path):
    path = tmp_path / "new.db"
    good("create-table", path, "people", "id", "integer", "name", "text", "age", "int", "--pk", "id", "--not-null", "name",
         "--default", "age", "7", "--default", "name", "it's")
    assert sql_of(path, "people") == ("CREATE TABLE \"people\" (\n   \"id\" INTEGER PRIMARY KEY,\n   \"name\" TEXT NOT NULL "
                                      "DEFAULT 'it''s',\n   \"age\" INTEGER DEFAULT 7\n)")
    good("create-table", path, "pets", "name", "text", "owner", "integer", "--pk", "id", "--fk", "owner", "people", "id",
         "--strict")
    assert sql_of(path, "pets").startswith('CREATE TABLE "pets" (\n   "id" INTEGER PRIMARY KEY,')
    assert sql_of(path, "pets").endswith("STRICT")
    assert "--replace" in bad("create-table", path, "pets", "x", "text")
    good("create-table", path, "pets", "x", "text", "--ignore")
    good("create-table", path, "pets", "x", "text", "--replace")
    assert sql_of(path, "pets") == 'CREATE TABLE "pets" (\n   "x" TEXT\n)'
    good("create-table", path, "pets", "x", "text", "y", "blob", "--replace", "--sql")
    assert "y" not in sql_of(path, "pets")
    for words, says in ((["t", "x"], "Usage"), (["t", "x", "money"], "types are"), (["t", "x", "text", "y"], "pairs"),
                        (["sqlite_x", "x", "text"], "sqlite_"), (["t", "x", "text", "--not-null", "z"], "columns are: x"),
                        (["t", "x", "text", "--fk", "x", "nope", "id"], "No such table")):
        assert says in bad("create-table", path, *words)


def test_columns_and_names(database):
    good("add-column", database, "trees", "planted", "integer")
    good("add-column", database, "trees", "note", "--not-null-default", "none")
    good("add-column", database, "trees", "parent", "--fk", "trees")
    assert '"parent" integer REFERENCES "trees"("id")' in sql_of(database, "trees")
    assert ask(database, "select distinct note, planted from trees") == [("none", None)]
    assert "already" in bad("add-column", database, "trees", "note")
    good("add-column", database, "trees", "note", "--ignore")
    good("duplicate", database, "trees", "copy")
    assert ask(database, "select count(*) from copy") == [(5,)]
    good("rename-table", database, "trees", "woods")
    assert "woods" in sql_of(database, "tall") and 'REFERENCES "woods"("id")' in sql_of(database, "woods")
    good("create-view", database, "small", "select * from woods where height < 3")
    assert [r["view"] for r in json.loads(good("views", database))] == ["small", "tall"]
    assert json.loads(good("views", database, "--counts", "--csv", "--no-headers").splitlines()[0].split(",")[1]) == 2
    for words, says in ((["create-view", database, "small", "select 1"], "--replace"),
                        (["create-view", database, "v", "select nope from woods"], "nope"),
                        (["create-view", database, "v", "select 1; drop table woods"], "one statement"),
                        (["drop-view", database, "woods"], "no view"), (["drop-table", database, "small"], "no table"),
                        (["rename-table", database, "nope", "x"], "no table"), (["duplicate", database, "small", "x"], "view"),
                        (["drop-table", "/no/such.db", "x"], "no database")):
        assert says in bad(*words)
    good("create-view", database, "small", "select 1 as one", "--replace")
    good("drop-view", database, "small")
    good("drop-view", database, "small", "--ignore")
    good("drop-table", database, "copy")
    assert json.loads(good("tables", database, "--columns", "--schema"))[0]["columns"] == '["a b","c\\"d"]'


# ---- indexes


def test_indexes(database):
    good("create-index", database, "trees", "species", "common")
    good("add-index", database, "trees", "--unique", "--name", "high first", "--analyze", "--", "-height", "id")
    assert sql_of(database, "high first").endswith('ON "trees" ("height" desc, "id")')
    good("create-index", database, "trees", "species", "common", "--if-not-exists")
    assert "already exists" in bad("create-index", database, "trees", "species", "common")
    assert "UNIQUE" in bad("create-index", database, "trees", "place", "--unique")
    assert "columns are" in bad("create-index", database, "trees", "--", "-nope")
    rows = json.loads(good("indexes", database, "trees"))
    assert [(r["index_name"], r["name"], r["desc"]) for r in rows][:2] == [("high first", "height", 1), ("high first", "id", 0)]
    good("index-foreign-keys", database)
    assert ask(database, "select tbl_name from sqlite_master where name = 'idx_odd_\"name_c\"d'") == [('odd "name',)]
    assert good("index-foreign-keys", database, "--sql") == "BEGIN;\nCOMMIT;\n"
    assert "indexes" in bad("drop-index", database, "trees", "nope")
    good("drop-index", database, "trees", "nope", "--ignore")
    good("drop-index", database, "trees", "high first")
    good("analyze", database)
    good("vacuum", database)


# ---- lists


def test_lists(database):
    with sqlite3.connect(database) as db:
        db.execute("create trigger tr after insert on trees begin select 1; end")
    assert json.loads(good("triggers", database, "trees"))[0]["name"] == "tr"
    assert json.loads(good("triggers", database, 'odd "name')) == []
    schema = good("schema", database)
    assert sqlite3.connect(":memory:").executescript(schema) and "create view tall" in schema.lower()
    assert good("schema", database, "tall").lower() == "create view tall as select id, height from trees where height > 3;\n"
    assert "vitrine tables" in bad("schema", database, "nope")
    rows = json.loads(good("analyze-tables", database, "trees", "-c", "species", "-c", "height", "--common-limit", "1"))
    assert rows[0] == {"table": "trees", "column": "species", "total_rows": 5, "num_null": 1, "num_blank": 0, "num_distinct": 2,
                       "most_common": '[["Acer",3]]'}
    assert good("analyze-tables", database, "--table", "-c", "place").splitlines()[0].startswith("table  column")


def test_many_tables(tmp_path):
    path = tmp_path / "many.db"
    good("generate", "tables", path, "--tables", "700", "--rows", "1")
    rows = json.loads(good("tables", path, "--counts"))
    assert len(rows) == 700 and all(row["count"] == 1 for row in rows)
