/* SPDX-License-Identifier: Apache-2.0 */
/* Histories: the text of the triggers, what they record, the limits. tests/site/test_history.py has the rest, with a
 * plain SQLite as the writer. */
#include "db/history.h"

#include "base/buf.h"
#include "base/limits.h"
#include "support.h"

struct open {
    struct database *db;
    struct conn *c;
    struct arena *a;
};

static struct open begin(const char *sql)
{
    struct open o = {.a = arena_new(0)};
    make_database(temp_path("h.db"), sql);
    o.db = open_database(temp_path("h.db"));
    CHECK_OK(conn_open_private(o.db, CONN_WRITE, &o.c, e));
    return o;
}

static void end(struct open *o)
{
    conn_close(o->c);
    database_unref(o->db);
    arena_free(o->a);
}

static void run(struct open *o, const char *sql)
{
    CHECK_OK(conn_execute(o->c, str_of(sql), e));
}

static int64_t ask(struct open *o, const char *sql)
{
    int64_t n = -1;
    CHECK_OK(conn_query_i64(o->c, str_of(sql), &n, e));
    return n;
}

static void enable(struct open *o, const char *table)
{
    CHECK_OK(history_enable(o->c, o->a, str_of(table), (str){0}, (str){0}, NULL, e));
}

TEST(history_trigger_text_quotes_names)
{
    struct arena *a = arena_new(0);
    const struct history_column columns[] = {{STR("a\"b"), "TEXT"}, {STR("c.d"), "BLOB"}};
    const str keys[] = {STR("a\"b")};
    const struct history_shape s = {.table = STR("t'1"),
                                    .history = STR("_history_t'1"),
                                    .columns = columns,
                                    .column_count = 2,
                                    .keys = keys,
                                    .key_count = 1};
    str sql = history_trigger_sql(a, &s, HISTORY_ON_DELETE);
    CHECK(str_starts(sql, STR("CREATE TRIGGER \"_history_t'1:delete\" AFTER DELETE ON \"t'1\" FOR EACH ROW BEGIN ")));
    CHECK(str_find(sql, STR("\"before.a\"\"b\", \"before.c.d\")")) != STR_NPOS);
    CHECK(str_find(sql, STR("OLD.\"a\"\"b\" IS \"row.a\"\"b\"")) != STR_NPOS);
    CHECK(str_find(history_table_sql(a, &s), STR("\"row.a\"\"b\" TEXT")) != STR_NPOS);
    arena_free(a);
}

TEST(history_has_no_update_trigger_that_it_does_not_need)
{
    struct arena *a = arena_new(0);
    const struct history_column columns[] = {{STR("rowid"), "INTEGER"}, {STR("x"), "TEXT"}};
    const str keys[] = {STR("rowid")};
    struct history_shape s = {.table = STR("t"),
                              .history = STR("_history_t"),
                              .columns = columns,
                              .column_count = 2,
                              .keys = keys,
                              .key_count = 1,
                              .by_rowid = true};
    CHECK_INT(history_trigger_sql(a, &s, HISTORY_BEFORE_UPDATE).n, 0);
    s.by_rowid = false;
    CHECK(history_trigger_sql(a, &s, HISTORY_BEFORE_UPDATE).n > 0);
    arena_free(a);
}

TEST(history_records_what_replace_deletes)
{
    struct open o = begin("create table t (id integer primary key, u unique); insert into t values (1, 'a'), (2, 'b')");
    enable(&o, "t");
    run(&o, "insert or replace into t values (1, 'b')");
    CHECK_INT(ask(&o, "select count(*) from _history_t where op = 'delete'"), 2);
    CHECK_INT(ask(&o, "select max(version) from _history_t where op = 'insert'"), 4);
    run(&o, "insert or ignore into t values (1, 'c')");
    run(&o, "insert into t values (1, 'd') on conflict (id) do update set u = 'e'");
    CHECK_INT(ask(&o, "select count(*) from _history_t where version > 4"), 1);
    run(&o, "update t set u = u"); /* nothing changes */
    CHECK_INT(ask(&o, "select count(*) from _history_t where version > 4"), 1);
    run(&o, "update t set u = 1");
    run(&o, "update t set u = 1.0"); /* equal, but another type */
    CHECK_INT(ask(&o, "select count(*) from _history_t where version > 4"), 3);
    end(&o);
}

TEST(history_author_is_there_for_one_write)
{
    struct open o = begin("create table t (id integer primary key)");
    CHECK_OK(history_author(o.c, STR("eve"), STR("web"), e)); /* no history: nothing happens */
    enable(&o, "t");
    CHECK_OK(history_author(o.c, STR("eve"), STR("web"), e));
    run(&o, "insert into t values (1)");
    CHECK_OK(history_author(o.c, (str){0}, (str){0}, e));
    run(&o, "insert into t values (2)");
    CHECK_INT(ask(&o, "select count(*) from _history_t where who = 'eve' and via = 'web'"), 1);
    CHECK_INT(ask(&o, "select count(*) from _history_t where op = 'insert' and via is null and who is null"), 1);
    end(&o);
}

TEST(history_keeps_no_more_than_asked)
{
    struct open o = begin("create table t (id integer primary key)");
    bool more;
    enable(&o, "t");
    run(&o,
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < 6000) insert into t select i from n");
    CHECK_OK(history_prune(o.c, STR("_history_t"), 0, (str){0}, &more, e));
    CHECK(!more);
    CHECK_INT(ask(&o, "select count(*) from _history_t"), 6001);
    CHECK_OK(history_prune(o.c, STR("_history_t"), 10, (str){0}, &more, e));
    CHECK(more);
    CHECK_INT(ask(&o, "select count(*) from _history_t"), 6001 - LIMIT_HISTORY_PRUNE);
    CHECK_OK(history_prune(o.c, STR("_history_t"), 10, (str){0}, &more, e));
    CHECK(!more);
    CHECK_INT(ask(&o, "select count(*) from _history_t"), 10);
    CHECK_OK(history_prune(o.c, STR("_history_t"), 0, STR("9999"), &more, e));
    CHECK_INT(ask(&o, "select count(*) from _history_t"), 0);
    run(&o, "insert into t values (7000)");
    CHECK_INT(ask(&o, "select version from _history_t"), 6002); /* numbers are not used twice */
    end(&o);
}

TEST(history_of_wide_tables)
{
    for (int n = LIMIT_HISTORY_COLUMNS; n <= LIMIT_HISTORY_COLUMNS + 1; n++) {
        struct buf sql;
        struct err err = ERR_INIT;
        buf_init(&sql, 1u << 20);
        buf_puts(&sql, STR("create table t (c0 integer primary key"));
        for (int i = 1; i < n; i++)
            buf_printf(&sql, ", c%d", i);
        buf_puts(&sql, STR(")"));
        buf_putc(&sql, '\0');
        struct open o = begin(sql.p);
        enum status st = history_enable(o.c, o.a, STR("t"), (str){0}, (str){0}, NULL, &err);
        CHECK_INT(st, n > LIMIT_HISTORY_COLUMNS ? STATUS_INVALID : STATUS_OK);
        if (st == STATUS_OK) {
            run(&o, "insert into t (c1) values (1); insert or replace into t (c0, c1) values (1, 2); delete from t");
            CHECK_INT(ask(&o, "select count(*) from _history_t"), 5);
        }
        end(&o);
        buf_release(&sql);
        remove(temp_path("h.db"));
    }
}

TEST(history_refuses_what_has_no_rows_of_its_own)
{
    struct open o = begin("create table t (a); create view v as select * from t; create virtual table f using fts5(x);"
                          "create table r (rowid text, _rowid_ text, oid text)");
    static const struct {
        const char *table;
        enum status status;
    } cases[] = {{"v", STATUS_INVALID},
                 {"f", STATUS_INVALID},
                 {"nope", STATUS_NOT_FOUND},
                 {"r", STATUS_INVALID},
                 {"_history_t", STATUS_INVALID}};
    enable(&o, "t");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = ERR_INIT;
        CHECK_INT(history_enable(o.c, o.a, str_of(cases[i].table), (str){0}, (str){0}, NULL, &err), cases[i].status);
    }
    end(&o);
}
