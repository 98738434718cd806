/* SPDX-License-Identifier: Apache-2.0 */
#include "db/schema.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "support.h"

struct opened {
    struct database *db;
    struct conn *conn;
    const struct schema *schema;
};

static struct opened open_schema(const char *path)
{
    struct opened o = {.db = open_database(path)};
    o.conn = acquire(o.db);
    CHECK_OK(schema_get(o.conn, &o.schema, e));
    return o;
}

static struct opened with(const char *sql)
{
    make_database(temp_path("s.db"), sql);
    return open_schema(temp_path("s.db"));
}

static void done(struct opened *o)
{
    schema_unref(o->schema);
    conn_release(o->conn);
    database_unref(o->db);
}

static const struct schema_table *table(struct opened *o, const char *name)
{
    const struct schema_table *t = schema_table(o->schema, str_of(name));
    if (!t)
        test_fail(__FILE__, __LINE__, "no table %s", name);
    return t;
}

TEST(schema_columns_and_keys)
{
    struct opened o = with(
        "create table a(id integer primary key, name text not null default 'x y', n, g as (n + 1), h as (n) stored);"
        "create table b(x text, y int, z blob, primary key (y, x)) without rowid;"
        "create table c(a int /* without rowid */, b text default ') without rowid') strict;"
        "create table d(a text primary key) /* x ) */ strict, -- y\n without  rowid;"
        "create view v as select id, name from a;"
        "create trigger tr after insert on a begin select 1; end; create trigger tr2 after delete on A begin select 2; "
        "end;");
    CHECK_INT(o.schema->table_count, 5);
    CHECK_INT(o.schema->view_count, 1);
    const struct schema_table *t = table(&o, "A");
    CHECK_STR(t->name, "a");
    CHECK(t->has_rowid && !t->use_rowid && t->kind == SCHEMA_TABLE && !t->strict);
    CHECK_INT(t->column_count, 5);
    CHECK_INT(t->column_name_count, 5);
    CHECK(t->columns[1].notnull && t->columns[3].hidden == 2 && t->columns[4].hidden == 3);
    CHECK_STR(t->columns[1].default_value, "'x y'");
    CHECK(!t->columns[0].default_value.p);
    CHECK_STR(t->columns[1].type, "TEXT");
    CHECK(schema_column_is_pk(t, STR("ID")) && !schema_column_is_pk(t, STR("name")) &&
          !schema_column_is_pk(t, STR("zz")));
    CHECK_INT(t->trigger_count, 2);
    CHECK_STR(t->triggers[1].name, "tr2");
    t = table(&o, "b");
    CHECK_INT(t->pk_count, 2);
    CHECK_STR(t->pks[0], "y");
    CHECK_STR(t->pks[1], "x");
    CHECK(!t->has_rowid && !t->use_rowid);
    t = table(&o, "c");
    CHECK(t->has_rowid && t->use_rowid && t->strict);
    t = table(&o, "d");
    CHECK(!t->has_rowid && t->strict);
    t = table(&o, "v");
    CHECK(t->kind == SCHEMA_VIEW && !t->has_rowid && !t->use_rowid);
    CHECK_INT(t->column_name_count, 2);
    CHECK(!schema_table(o.schema, STR("nope")) && !schema_table(o.schema, STR("")));
    done(&o);
}

TEST(schema_foreign_keys)
{
    struct opened o =
        with("create table city(id integer primary key, name text);"
             "create table pair(a, b, primary key (a, b));"
             "create table p(c references CITY, d references city(name) on delete cascade, a, b, x references nowhere,"
             " y references pair, foreign key (a, b) references pair);");
    const struct schema_table *p = table(&o, "p"), *city = table(&o, "city");
    CHECK_INT(p->fk_count, 5);
    const struct schema_fk *f = schema_fk_on(p, STR("c"));
    CHECK_STR(f->other_table, "CITY");
    CHECK_STR(f->other_columns[0], "id");
    f = schema_fk_on(p, STR("d"));
    CHECK_STR(f->other_columns[0], "name");
    CHECK_STR(f->on_delete, "CASCADE");
    CHECK_STR(schema_fk_on(p, STR("x"))->other_columns[0], "");
    CHECK_STR(schema_fk_on(p, STR("y"))->other_columns[0], ""); /* pair has a compound key */
    CHECK(!schema_fk_on(p, STR("a")));
    CHECK_INT(p->fks[0].count, 2);
    CHECK_STR(p->fks[0].columns[1], "b");
    CHECK_STR(p->fks[0].other_columns[1], "b");
    CHECK_INT(city->incoming_count, 2);
    CHECK_STR(city->incoming[0].other_table, "p");
    for (size_t i = 0; i < 2; i++)
        CHECK(str_is(city->incoming[i].column, str_is(city->incoming[i].other_column, "c") ? "id" : "name"));
    CHECK_INT(table(&o, "pair")->incoming_count, 1);
    done(&o);
}

TEST(schema_survives_broken_objects)
{
    const char *path = temp_path("broken.db");
    make_database(path, "create table t(a); create view gone as select * from t; create view fine as select 1 as x;"
                        "create view loop as select * from t; create table u(id integer primary key);"
                        "pragma writable_schema=on; update sqlite_schema set sql = 'create view gone as select * from "
                        "missing' where name = 'gone';"
                        "insert into sqlite_schema values ('table', 'ghost', 'ghost', 0, 'CREATE VIRTUAL TABLE ghost "
                        "USING nomodule(a, b)');"
                        "pragma writable_schema=off;");
    struct opened o = open_schema(path);
    CHECK_INT(o.schema->table_count, 6);
    CHECK(strstr(table(&o, "gone")->error.p, "missing"));
    CHECK_INT(table(&o, "gone")->column_count, 0);
    CHECK(strstr(table(&o, "ghost")->error.p, "nomodule"));
    CHECK_STR(table(&o, "ghost")->module, "nomodule");
    CHECK_INT(table(&o, "fine")->column_count, 1);
    CHECK_INT(table(&o, "u")->pk_count, 1);
    CHECK_INT(table(&o, "fine")->error.n, 0);
    done(&o);
}

TEST(schema_names_of_any_bytes)
{
    struct opened o =
        with("create table \"a b]c\"\"d\"(\"x]y\", \"\" , 'q''r', [sel ect] primary key); create table "
             "\"\xff\xfe\"(\"\xc3\x28\");"
             "create table \"caf\xc3\xa9\"(a); create table ''(a); create index \"i]\" on \"a b]c\"\"d\"(\"x]y\");"
             "create table \"new\nline\"(\"tab\there\" references \"a b]c\"\"d\");");
    const struct schema_table *t = table(&o, "a b]c\"d");
    CHECK_INT(t->column_count, 4);
    CHECK_STR(t->columns[1].name, "");
    CHECK_STR(t->columns[2].name, "q'r");
    CHECK_STR(schema_index(t, STR("i]"))->columns[0], "x]y");
    CHECK_STR(table(&o, "\xff\xfe")->columns[0].name, "\xc3\x28");
    CHECK_INT(table(&o, "")->column_count, 1);
    CHECK_STR(table(&o, "new\nline")->fks[0].other_columns[0], "sel ect");
    CHECK_INT(t->incoming_count, 1);
    done(&o);
}

TEST(schema_full_text_search)
{
    struct opened o = with("create table docs(id integer primary key, body text); create table other(a); create table "
                           "none(a); create table \"od d\"(a);"
                           "create virtual table docs_fts using fts5(body, content=\"docs\", content_rowid=id);"
                           "create virtual table second using fts5(body, content=\"docs\");"
                           "create virtual table other_fts USING FTS4 (a, content=[OTHER]);"
                           "create virtual table odd_fts using fts4 (a, content=\"od d\");"
                           "create virtual table plain using fts5(title, body);"
                           "create virtual table less using fts5(a, content='');"
                           "create virtual table boxes using rtree(id, a, b);"
                           "create table none_fts_not(a);");
    CHECK_STR(table(&o, "docs")->fts_table, "docs_fts");
    CHECK_STR(table(&o, "other")->fts_table, "other_fts");
    CHECK_STR(table(&o, "od d")->fts_table, "odd_fts");
    CHECK_STR(table(&o, "plain")->fts_table, "plain");
    CHECK_STR(table(&o, "none")->fts_table, "");
    CHECK(table(&o, "docs_fts")->hidden && table(&o, "less")->hidden && !table(&o, "plain")->hidden &&
          !table(&o, "boxes")->hidden);
    static const char *const shadows[] = {"docs_fts_data",    "docs_fts_idx",      "docs_fts_docsize",
                                          "docs_fts_config",  "plain_content",     "other_fts_segments",
                                          "other_fts_segdir", "other_fts_docsize", "other_fts_stat",
                                          "boxes_node",       "boxes_rowid",       "boxes_parent"};
    for (size_t i = 0; i < ARRAY_LEN(shadows); i++)
        CHECK(table(&o, shadows[i])->hidden && table(&o, shadows[i])->is_shadow);
    const struct schema_table *t = table(&o, "plain");
    CHECK(t->kind == SCHEMA_VIRTUAL && t->is_fts && t->use_rowid);
    CHECK_STR(t->module, "fts5");
    CHECK_INT(t->column_name_count, 2);
    CHECK_INT(t->column_count, 4);
    CHECK_INT(t->columns[3].hidden, 1);
    /* The same as SQLite's own idea of shadow tables. */
    struct stmt *s;
    size_t n = 0;
    CHECK_OK(conn_prepare(o.conn, STR("select name from pragma_table_list where schema = 'main' and type = 'shadow'"),
                          &s, e));
    while (stmt_step(s, NULL) == STATUS_AGAIN && ++n)
        CHECK(schema_table(o.schema, stmt_column_text(s, 0))->is_shadow);
    stmt_done(s);
    for (size_t i = 0; i < o.schema->table_count; i++)
        n -= o.schema->tables[i].is_shadow;
    CHECK_INT(n, 0);
    done(&o);
}

TEST(schema_hidden_by_name)
{
    struct opened o = with("create table _x(a); create view _v as select 1; create table y_(a primary key); insert "
                           "into y_ values (1); analyze;"
                           "create table auto(id integer primary key autoincrement);");
    CHECK(table(&o, "_x")->hidden && table(&o, "_v")->hidden && !table(&o, "y_")->hidden);
    CHECK(table(&o, "sqlite_stat1")->hidden && !table(&o, "sqlite_sequence")->hidden);
    done(&o);
}

TEST(schema_label_column)
{
    struct opened o = with("create table a(id integer primary key, x text unique, name text);"
                           "create table b(id integer primary key, Title text, name text);"
                           "create table c(id integer primary key, v);"
                           "create table d(pk integer primary key, id int);"
                           "create table e(k text primary key, v);"
                           "create table f(k text primary key, v varchar(10) unique, w);"
                           "create table g(x int unique, y, z);"
                           "create table h(id integer primary key, x text, y); create unique index hx on h(x);"
                           "create table i(code text primary key, n int, m int) without rowid;");
    static const char *const want[][2] = {{"a", "x"}, {"b", "Title"}, {"c", "v"}, {"d", ""},    {"e", "k"},
                                          {"f", ""},  {"g", ""},      {"h", "x"}, {"i", "code"}};
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        CHECK_STR(table(&o, want[i][0])->label_column, want[i][1]);
    CHECK(schema_index(table(&o, "h"), STR("hx"))->origin == 'c');
    CHECK_INT(table(&o, "f")->index_count, 2);
    done(&o);
}

TEST(schema_follows_changes)
{
    struct opened o = with("create table t(a)");
    const struct schema *again, *other;
    CHECK_OK(schema_get(o.conn, &again, e));
    CHECK(again == o.schema);
    schema_unref(again);
    struct conn *second = acquire(o.db);
    CHECK_OK(schema_get(second, &other, e));
    CHECK(other == o.schema); /* shared */
    schema_unref(other);
    struct writer *w = writer_start(temp_path("s.db"));
    writer_sql(w, "insert into t values (1)");
    CHECK_OK(schema_get(second, &other, e));
    CHECK(other == o.schema); /* a commit, but not to the schema */
    schema_unref(other);
    writer_sql(w, "create table u(b)");
    CHECK_OK(schema_get(o.conn, &again, e));
    CHECK(again != o.schema && schema_table(again, STR("u")));
    CHECK(!schema_table(o.schema, STR("u"))); /* the old picture stays as it was */
    CHECK_OK(schema_get(second, &other, e));
    CHECK(other == again);
    schema_unref(other);
    schema_unref(again);
    /* Within a snapshot: what the connection sees, not what is newest. */
    writer_sql(w, "pragma journal_mode=wal");
    CHECK_OK(conn_begin_read(second, e));
    writer_sql(w, "create table w(c)");
    CHECK_OK(schema_get(second, &other, e));
    CHECK(!schema_table(other, STR("w")));
    schema_unref(other);
    conn_end_read(second);
    CHECK_OK(schema_get(second, &other, e));
    CHECK(schema_table(other, STR("w")) != NULL);
    schema_unref(other);
    conn_release(second);
    writer_end(w);
    done(&o);
}

TEST(schema_of_two_thousand_tables)
{
    const char *path = temp_path("many.db");
    sqlite3 *handle;
    char sql[160];
    CHECK_INT(sqlite3_open(path, &handle), SQLITE_OK);
    sqlite3_exec(handle, "pragma synchronous=off; begin", NULL, NULL, NULL);
    for (int i = 0; i < 2000; i++) {
        snprintf(sql, sizeof sql, "create table t%d(id integer primary key, name text%s, t references t%d)", i,
                 i % 10 ? "" : " unique", i / 2);
        CHECK_INT(sqlite3_exec(handle, sql, NULL, NULL, NULL), SQLITE_OK);
    }
    for (int i = 0; i < 200; i++) {
        snprintf(sql, sizeof sql, "create view v%d as select * from t%d", i, i);
        CHECK_INT(sqlite3_exec(handle, sql, NULL, NULL, NULL), SQLITE_OK);
    }
    sqlite3_exec(handle, "commit", NULL, NULL, NULL);
    sqlite3_close(handle);
    int64_t start = clock_mono_us();
    struct opened o = open_schema(path);
    fprintf(stderr, "# 2,200 tables and views read in %lld ms\n", (long long)(clock_mono_us() - start) / 1000);
    CHECK_INT(o.schema->table_count, 2200);
    CHECK_INT(table(&o, "t0")->incoming_count, 2);
    CHECK_INT(table(&o, "t10")->index_count, 1);
    done(&o);
}

static void check_shared(const char *path)
{
    if (access(path, R_OK) != 0)
        return;
    struct opened o = open_schema(path);
    size_t fks = 0, columns = 0;
    for (size_t i = 0; i < o.schema->table_count; i++) {
        const struct schema_table *t = &o.schema->tables[i];
        CHECK_INT(t->error.n, 0);
        fks += t->fk_count;
        columns += t->column_count;
    }
    CHECK(fks > 5 && columns > 50);
    done(&o);
}

TEST(schema_of_sample_files)
{
    const char *folder = getenv("VITRINE_SAMPLE_DATA"); /* chinook.db and northwind.db, when there */
    char path[512];
    static const char *const names[] = {"chinook.db", "northwind.db"};
    for (size_t i = 0; folder && i < ARRAY_LEN(names); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        check_shared(path);
    }
}
