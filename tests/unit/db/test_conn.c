/* SPDX-License-Identifier: Apache-2.0 */
/* Connections, statements, the authorizer, deadlines and counts. */
#include "db/conn.h"

#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "db/authorizer.h"
#include "db/conn_cache.h"
#include "db/count.h"
#include "support.h"

static struct database *small(const char *sql)
{
    make_database(temp_path("small.db"), sql);
    return open_database(temp_path("small.db"));
}

/* ---- statements
 * -------------------------------------------------------------------------------------------------------- */

TEST(stmt_values_of_all_kinds)
{
    struct database *db =
        small("create table t(a); insert into t values (null), (-7), (1.5), ('a' || char(0) || 'b'), (x'00ff'), "
              "(x''), (''), (cast(x'ff41' as text));");
    struct conn *c = acquire(db);
    struct stmt *s;
    CHECK_OK(conn_prepare(c, STR("select a, rowid as r from t order by rowid -- end"), &s, e));
    CHECK_INT(stmt_column_count(s), 2);
    CHECK_STR(stmt_column_name(s, 1), "r");
    struct db_value v[8];
    for (int i = 0; i < 8; i++) {
        CHECK_INT(stmt_step(s, NULL), STATUS_AGAIN);
        v[i] = stmt_column_value(s, 0);
        CHECK_INT(v[i].kind, stmt_column_kind(s, 0));
        if (i == 3)
            CHECK_STRS(v[i].s, STR("a\0b"));
        if (i == 4)
            CHECK_STRS(v[i].s, STR("\0\xff"));
        if (i == 5)
            CHECK(v[i].s.n == 0 && v[i].s.p);
        if (i == 7)
            CHECK_STRS(v[i].s, STR("\xff\x41"));
    }
    CHECK_INT(stmt_step(s, NULL), STATUS_OK);
    CHECK(v[0].kind == DB_NULL && v[1].kind == DB_INT && v[2].kind == DB_FLOAT && v[3].kind == DB_TEXT &&
          v[4].kind == DB_BLOB);
    CHECK(v[1].i == -7 && v[2].f == 1.5);
    stmt_done(s);
    conn_release(c);
    database_unref(db);
}

TEST(stmt_parameters)
{
    struct database *db = small("create table t(a)");
    struct conn *c = acquire(db);
    struct stmt *s;
    struct err err = ERR_INIT;
    CHECK_OK(conn_prepare(c, STR("select :x, @x, $y, ?, :missing"), &s, e));
    CHECK_INT(stmt_parameter_count(s), 5);
    CHECK_STR(stmt_parameter_name(s, 3), "y");
    CHECK_STR(stmt_parameter_name(s, 4), "");
    CHECK_OK(stmt_bind_named(s, STR("x"), (struct db_value){.kind = DB_TEXT, .s = STR("tx")}, e));
    CHECK_OK(stmt_bind_named(s, STR("nobody"), (struct db_value){.kind = DB_INT, .i = 1}, e));
    CHECK_OK(stmt_bind_f64(s, 3, 2.5, e));
    CHECK_OK(stmt_bind_blob(s, 4, STR(""), e));
    CHECK_INT(stmt_bind_i64(s, 6, 1, &err), STATUS_RANGE);
    CHECK_INT(stmt_step(s, NULL), STATUS_AGAIN);
    CHECK_STR(stmt_column_text(s, 0), "tx");
    CHECK_STR(stmt_column_text(s, 1), "tx");
    CHECK(stmt_column_f64(s, 2) == 2.5);
    CHECK_INT(stmt_column_kind(s, 3), DB_BLOB);
    CHECK_INT(stmt_column_kind(s, 4), DB_NULL);
    stmt_done(s);
    /* Bindings do not survive in the cached statement. */
    CHECK_OK(conn_prepare(c, STR("select :x, @x, $y, ?, :missing"), &s, e));
    CHECK_INT(stmt_step(s, NULL), STATUS_AGAIN);
    CHECK_INT(stmt_column_kind(s, 0), DB_NULL);
    struct stmt *twin; /* in use: the second user gets another one */
    CHECK_OK(conn_prepare(c, STR("select :x, @x, $y, ?, :missing"), &twin, e));
    CHECK(twin != s);
    conn_release(c); /* ends both */
    database_unref(db);
}

TEST(stmt_refuses_wrong_sql)
{
    static const struct {
        const char *sql, *text;
        enum status status;
    } cases[] = {
        {"select * from nope", "no such table: nope", STATUS_SQL},
        {"selec 1", "near \"selec\": syntax error", STATUS_SQL},
        {"", "the SQL statement is empty", STATUS_INVALID},
        {" -- only a comment", "the SQL statement is empty", STATUS_INVALID},
        {"select 1; select 2", "You can only execute one statement at a time.", STATUS_INVALID},
        {"select 1; bogus", "You can only execute one statement at a time.", STATUS_INVALID},
        {"select abs(-9223372036854775808)", "integer overflow", STATUS_SQL},
        {"select zeroblob(2000000000)", "string or blob too big", STATUS_TOO_LARGE},
        {"select printf('%.*c', 1000000000, 'x')", "string or blob too big", STATUS_TOO_LARGE},
    };
    struct database *db = small("create table t(a)");
    struct conn *c = acquire(db);
    struct err err = ERR_INIT;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CHECK_INT(try_sql(c, cases[i].sql, &err), cases[i].status);
        CHECK_STR(str_of(err.text), cases[i].text);
    }
    CHECK_INT(try_sql(c, "select 1 ; -- fine\n /* too */ ;", &err), STATUS_OK);
    struct stmt *s;
    CHECK_INT(conn_prepare(c, STR("select 1\0, 2"), &s, &err), STATUS_INVALID);
    static char big[LIMIT_DB_SQL_BYTES + 2];
    memset(big, ' ', sizeof big - 1);
    CHECK_INT(conn_prepare(c, str_of(big), &s, &err), STATUS_TOO_LARGE);
    struct buf columns;
    buf_init(&columns, 100000);
    buf_puts(&columns, STR("select 1"));
    for (int i = 0; i < 2100; i++)
        buf_puts(&columns, STR(",1"));
    CHECK_INT(conn_prepare(c, buf_str(&columns), &s, &err), STATUS_SQL);
    CHECK_STR(str_of(err.text), "too many columns in result set");
    buf_release(&columns);
    conn_release(c);
    database_unref(db);
}

TEST(stmt_cache_is_bounded_and_survives_schema_change)
{
    struct database *db = small("create table t(a); insert into t values (1)");
    struct conn *c = acquire(db);
    char sql[64];
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 3 * LIMIT_DB_STMTS_PER_CONN; i++) {
            snprintf(sql, sizeof sql, "select %d + count(*) from t", i);
            CHECK_INT(query_i64(c, sql), i + 1);
        }
    size_t statements = 0;
    for (sqlite3_stmt *s = NULL; (s = sqlite3_next_stmt(conn_sqlite(c), s));)
        statements++;
    CHECK_INT(statements, LIMIT_DB_STMTS_PER_CONN);
    struct writer *w = writer_start(temp_path("small.db"));
    writer_sql(w, "alter table t add column b default 5");
    struct stmt *s;
    CHECK_OK(conn_prepare(c, STR("select 190 + count(*) from t"), &s, e));
    CHECK_INT(stmt_step(s, NULL), STATUS_AGAIN);
    stmt_done(s);
    CHECK_OK(conn_prepare(c, STR("select * from t"), &s, e));
    CHECK_INT(stmt_step(s, NULL), STATUS_AGAIN);
    CHECK_INT(stmt_column_count(s), 2);
    stmt_done(s);
    writer_end(w);
    conn_release(c);
    database_unref(db);
}

/* ---- policy
 * ------------------------------------------------------------------------------------------------------------ */

TEST(authorizer_refuses_with_reasons)
{
    static const struct {
        const char *sql, *word;
    } cases[] = {
        {"insert into t values (1)", "insert into t"},
        {"update t set a = 1", "update t"},
        {"delete from t", "delete from t"},
        {"create table u(a)", "not authorized"},
        {"create temp table u(a)", "not authorized"},
        {"create view v as select 1", "not authorized"},
        {"drop table t", "not authorized"},
        {"alter table t rename to u", "not authorized"},
        {"create virtual table x using fts5(a)", "not authorized"},
        {"attach ':memory:' as x", "ATTACH is not allowed"},
        {"attach database '/etc/passwd' as x", "ATTACH is not allowed"},
        {"detach main", "DETACH is not allowed"},
        {"begin", "transactions are not allowed"},
        {"savepoint x", "savepoints are not allowed"},
        {"vacuum into '/tmp/vitrine-must-not-exist.db'", "not authorized"},
        {"pragma query_only=0", "PRAGMA query_only is not allowed"},
        {"pragma journal_mode=wal", "PRAGMA journal_mode is not allowed"},
        {"pragma schema_version=99", "PRAGMA schema_version may not be set"},
        {"pragma writable_schema=1", "PRAGMA writable_schema is not allowed"},
        {"select * from pragma_compile_options", "not allowed"},
        {"select load_extension('x')", "load_extension"},
        {"select * from sqlite_dbpage", "sqlite_dbpage may not be read"},
        {"select fts3_tokenizer('simple')", "fts3_tokenizer"},
        {"select * from sqlite_stmt", "sqlite_stmt may not be read"},
        {"analyze", "not authorized"},
        {"reindex", "not authorized"},
        {"with x as (select 1) insert into t select * from x", "insert into t"},
        {"insert into r_node values (1, 2)", "r_node"},
    };
    struct database *db = small(
        "create table t(a unique); create virtual table r using rtree(id, x0, x1); insert into r values (1, 2, 3);");
    struct conn *c = acquire(db);
    struct err err = ERR_INIT;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum status st = try_sql(c, cases[i].sql, &err);
        if (st != STATUS_SQL || !strstr(err.text, cases[i].word))
            test_fail(__FILE__, __LINE__, "%s: %s: %s", cases[i].sql, status_name(st), err.text);
    }
    CHECK(access("/tmp/vitrine-must-not-exist.db", F_OK) != 0);
    CHECK_INT(query_i64(c, "select count(*) from t"), 0);
    conn_release(c);
    database_unref(db);
}

TEST(authorizer_lets_reading_pass)
{
    static const char *const fine[] = {
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < 10) select * from n",
        "select * from pragma_table_info('t')",
        "select * from pragma_table_xinfo('t'), pragma_index_list('t'), pragma_page_count(), pragma_page_size()",
        "select * from pragma_schema_version, pragma_database_list, pragma_table_list, pragma_function_list",
        "select * from pragma_foreign_key_list('t'), pragma_max_page_count",
        "select * from r where x0 > 1",
        "select * from f4 where f4 match 'hello'",
        "select *, rank, snippet(f5, 0, '[', ']', '...', 4) from f5 where f5 match 'hello' order by rank",
        "select * from f5('world')",
        "select * from f5_data, f4_segdir, r_node",
        "select * from sqlite_schema",
        "select * from sqlite_master",
        "select * from v",
        "explain query plan select * from t",
        "explain select * from t",
        "select \"no such column\"",
        "select json_extract('{\"a\": 1}', '$.a'), sqrt(2), soundex('x')",
        "select * from json_each('[1, 2]'), geo",
        "select a, row_number() over (order by a) from t",
        "select sum(pgsize) from dbstat",
    };
    struct database *db = small(
        "create table t(a); create virtual table r using rtree(id, x0, x1); insert into r values (1, 2, 3);"
        "create virtual table f4 using fts4(a); insert into f4 values ('hello world');"
        "create virtual table f5 using fts5(a); insert into f5 values ('hello world'); insert into f5 values ('more');"
        "create virtual table geo using geopoly(z); create view v as select escape_fts('a b'), a from t;");
    for (int reopened = 0; reopened < 2; reopened++) {
        struct conn *c = acquire(db);
        struct err err = ERR_INIT;
        for (size_t i = 0; i < ARRAY_LEN(fine); i++)
            if (try_sql(c, fine[i], &err) != STATUS_OK)
                test_fail(__FILE__, __LINE__, "%s: %s", fine[i], err.text);
        CHECK_INT(query_i64(c, "select count(*) from f5 where f5 match escape_fts('hello \"world')"), 1);
        conn_release(c);
        conn_cache_drop(db);
    }
    database_unref(db);
}

TEST(authorizer_memory_is_read_only_too)
{
    struct database *db;
    struct database_options o = {.name = STR("m"), .memory = true};
    struct err err = ERR_INIT;
    CHECK_OK(database_new(&o, &db, e));
    struct conn *c = acquire(db), *w;
    CHECK_INT(try_sql(c, "create table t(a)", &err), STATUS_SQL);
    CHECK_OK(conn_open_private(db, CONN_WRITE, &w, e));
    CHECK_INT(try_sql(w, "create table t(a)", &err), STATUS_OK);
    CHECK_INT(try_sql(w, "insert into t values (3)", &err), STATUS_OK);
    CHECK_INT(try_sql(w, "select load_extension('x')", &err), STATUS_SQL);
    CHECK_INT(query_i64(c, "select a from t"), 3);
    conn_close(w);
    conn_release(c);
    database_unref(db);
}

TEST(conn_extension_errors)
{
    str wrong[] = {STR("/nonexistent/ext.so:entry")};
    struct database_options o = {.name = STR("m"), .memory = true, .load_extensions = wrong, .load_extension_count = 1};
    struct database *db;
    struct err err = ERR_INIT;
    CHECK_OK(database_new(&o, &db, e));
    CHECK_INT(database_check(db, &err), STATUS_SQL);
    CHECK(strstr(err.text, "cannot load the SQLite extension '/nonexistent/ext.so:entry'"));
    database_unref(db);
}

TEST(conn_snapshot)
{
    struct database *db = small("pragma journal_mode=wal; create table t(a); insert into t values (1)");
    struct conn *c = acquire(db);
    struct writer *w = writer_start(temp_path("small.db"));
    CHECK_OK(conn_begin_read(c, e));
    CHECK_INT(query_i64(c, "select count(*) from t"), 1);
    writer_sql(w, "insert into t values (2)");
    CHECK_INT(query_i64(c, "select count(*) from t"), 1);
    conn_end_read(c);
    CHECK_INT(query_i64(c, "select count(*) from t"), 2);
    CHECK_OK(conn_begin_read(c, e));
    conn_release(c); /* ends it */
    c = acquire(db);
    writer_sql(w, "insert into t values (3)");
    CHECK_INT(query_i64(c, "select count(*) from t"), 3);
    conn_release(c);
    writer_end(w);
    database_unref(db);
}

/* ---- time
 * -------------------------------------------------------------------------------------------------------------- */

static void check_stops(struct conn *c, const char *sql, int limit_ms)
{
    struct err err = ERR_INIT;
    int64_t start = clock_mono_us();
    conn_deadline(c, start + limit_ms * 1000, NULL);
    enum status st = try_sql(c, sql, &err);
    int64_t took_ms = (clock_mono_us() - start) / 1000;
    if (st != STATUS_TIMEOUT || took_ms < limit_ms - 1 || took_ms > limit_ms + 1500)
        test_fail(__FILE__, __LINE__, "%s: %s after %lld ms: %s", sql, status_name(st), (long long)took_ms, err.text);
    conn_deadline(c, 0, NULL);
    CHECK_INT(query_i64(c, "select 5"), 5); /* the interrupt does not stay */
}

TEST(deadline_stops_statements)
{
    struct database *db =
        small("create table t(a); with recursive n(i) as (select 1 union all select i+1 from n where i<100000) "
              "insert into t select hex(randomblob(8)) from n;");
    struct conn *c = acquire(db);
    check_stops(c, "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n", 60);
    check_stops(c, "select count(*) from t a, t b, t c", 60);
    check_stops(c, "select a.a || b.a || c.a from t a, t b, t c order by 1", 60);
    check_stops(c, "select count(*) from t where (select sum(a.a like '%A%9%' || t.a) from t a) = 3", 60);
    check_stops(c, "select count(*) from t where printf('%020000d', rowid) regexp '(0|00)*(1|01)*x'", 60);
    conn_release(c);
    database_unref(db);
}

TEST(deadline_stops_what_has_no_progress)
{
    /* count(*) of a table is one instruction; the file is sparse in rows but large in pages. */
    struct database *db = small("pragma page_size=512; create table t(a); with recursive n(i) as (select 1 union all "
                                "select i+1 from n where i<400000) insert into t select zeroblob(400) from n;");
    struct conn *c = acquire(db);
    struct err err = ERR_INIT;
    conn_deadline(c, clock_mono_us() + 60000000, NULL);
    int64_t start = clock_mono_us();
    CHECK_INT(try_sql(c, "select count(*) from t", &err), STATUS_OK);
    int64_t whole_us = clock_mono_us() - start;
    if (whole_us > 60000) {         /* else this machine is too fast to tell */
        enum status st = STATUS_OK; /* on a busy machine the watchdog may get its turn too late, but not always */
        for (int i = 0; i < 20 && st == STATUS_OK; i++) {
            conn_deadline(c, clock_mono_us() + 5000, NULL);
            st = try_sql(c, "select count(*) from t", &err);
        }
        CHECK_INT(st, STATUS_TIMEOUT);
    }
    conn_deadline(c, 0, NULL);
    CHECK_INT(query_i64(c, "select count(*) from t"), 400000);
    conn_release(c);
    database_unref(db);
}

static atomic_bool gone;
static void *cancel_soon(void *arg)
{
    (void)arg;
    usleep(30000);
    atomic_store(&gone, true);
    return NULL;
}

TEST(deadline_cancelled_and_interrupted)
{
    struct database *db = small("create table t(a)");
    struct conn *c = acquire(db);
    struct err err = ERR_INIT;
    pthread_t t;
    conn_deadline(c, 0, &gone);
    CHECK(pthread_create(&t, NULL, cancel_soon, NULL) == 0);
    CHECK_INT(
        try_sql(c, "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n", &err),
        STATUS_CANCELLED);
    pthread_join(t, NULL);
    conn_release(c);
    c = acquire(db); /* nothing of it stays */
    CHECK_INT(query_i64(c, "select 1"), 1);
    conn_release(c);
    database_unref(db);
}

TEST(deadline_ends_the_wait_for_a_lock)
{
    struct database *db = small("create table t(a)");
    struct conn *c = acquire(db);
    struct writer *w = writer_start(temp_path("small.db"));
    struct err err = ERR_INIT;
    writer_sql(w, "begin exclusive");
    int64_t start = clock_mono_us();
    conn_deadline(c, start + 50000, NULL);
    CHECK_INT(try_sql(c, "select * from t", &err), STATUS_TIMEOUT);
    CHECK(clock_mono_us() - start < 900000);
    conn_deadline(c, 0, NULL);
    start = clock_mono_us();
    CHECK_INT(try_sql(c, "select * from t", &err), STATUS_BUSY);
    CHECK(clock_mono_us() - start >= 900000);
    writer_sql(w, "rollback");
    CHECK_INT(try_sql(c, "select * from t", &err), STATUS_OK);
    writer_end(w);
    conn_release(c);
    database_unref(db);
}

TEST(count_is_bounded)
{
    struct database *db =
        small("create table [select](a); with recursive n(i) as (select 1 union all select i+1 from n where "
              "i<20000) insert into [select] select i from n; create table \"a]b\"(a); create view slow as with "
              "recursive n(i) as (select 1 union all select i+1 from n) select i from n;");
    struct conn *c = acquire(db);
    int64_t n = -1;
    struct err err = ERR_INIT;
    CHECK_OK(count_rows(c, STR("select"), COUNT_LIMIT, 1000, &n, e));
    CHECK_INT(n, 10001);
    CHECK_OK(count_rows(c, STR("select"), 0, 0, &n, e));
    CHECK_INT(n, 20000);
    CHECK_OK(count_rows(c, STR("a]b"), COUNT_LIMIT, 0, &n, e));
    CHECK_INT(n, 0);
    CHECK_OK(count_rows(c, STR("slow"), COUNT_LIMIT, 1000, &n, e));
    CHECK_INT(n, 10001);
    CHECK_INT(count_rows(c, STR("slow"), 0, 40, &n, &err), STATUS_TIMEOUT);
    CHECK_INT(count_rows(c, STR("nope"), 0, 40, &n, &err), STATUS_SQL);
    conn_release(c);
    database_unref(db);
}

/* ---- cache
 * ------------------------------------------------------------------------------------------------------------- */

static int open_descriptors(void)
{
    int n = 0;
    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) != -1;
    return n;
}

TEST(cache_is_bounded_over_many_databases)
{
    struct database *dbs[50];
    char name[32];
    make_database(temp_path("first.db"), "create table t(a)");
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof name, "%d.db", i);
        make_database(temp_path(name), "create table t(a); insert into t values (1)");
        dbs[i] = open_database(temp_path(name));
        struct conn *c = acquire(dbs[i]);
        CHECK_INT(query_i64(c, "select count(*) from t"), 1);
        conn_release(c);
    }
    CHECK_INT(conn_cache_idle(), LIMIT_DB_CONNS_PER_THREAD);
    struct conn *c = acquire(dbs[49]), *again;
    sqlite3 *handle = conn_sqlite(c);
    conn_release(c);
    again = acquire(dbs[49]);
    CHECK(conn_sqlite(again) == handle);
    conn_release(again);
    c = acquire(dbs[0]);
    conn_release(c);
    conn_cache_drop(dbs[0]);
    for (int i = 0; i < 50; i++)
        database_unref(dbs[i]);
    CHECK_INT(conn_cache_idle(), 0);
}

TEST(cache_retire_closes_everything)
{
    make_database(temp_path("r.db"), "create table t(a)");
    int before = open_descriptors();
    struct database *db = open_database(temp_path("r.db"));
    struct conn *idle = acquire(db), *used = acquire(db), *c;
    struct err err = ERR_INIT;
    CHECK(idle != used);
    conn_release(idle);
    database_retire(db);
    CHECK_INT(conn_cache_idle(), 0);
    CHECK_INT(conn_acquire(db, &c, &err), STATUS_CLOSED);
    CHECK_INT(query_i64(used, "select 3"), 3); /* finishes */
    conn_release(used);
    CHECK_INT(conn_cache_idle(), 0);
    database_unref(db);
    CHECK_INT(open_descriptors(), before);
}
