/* SPDX-License-Identifier: Apache-2.0 */
/* The walls of db/: what is at the limit works, one more is refused with a message. */
#include <sqlite3.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/limits.h"
#include "db/schema.h"
#include "support.h"

static struct database *small(void)
{
    make_database(temp_path("limits.db"), "create table t(a)");
    return open_database(temp_path("limits.db"));
}

static void fails_with(struct conn *c, const char *sql, const char *part)
{
    struct err err = ERR_INIT;
    enum status st = try_sql(c, sql, &err);
    if (st == STATUS_OK || !strstr(err.text, part))
        test_fail(__FILE__, __LINE__, "%.200s: %s: %s", sql, status_name(st), err.text);
}

static void works(struct conn *c, const char *sql)
{
    struct err err = ERR_INIT;
    if (try_sql(c, sql, &err) != STATUS_OK)
        test_fail(__FILE__, __LINE__, "%.200s: %s", sql, err.text);
}

TEST(values_patterns_and_expressions)
{
    struct database *db = small();
    struct conn *c = acquire(db);
    char sql[300];
    static const struct {
        const char *before, *after; /* a length stands between them */
        int limit;
        const char *text;
    } cases[] = {
        {"select length(zeroblob(", "))", LIMIT_DB_VALUE_BYTES, "string or blob too big"},
        {"select 'x' like printf('%.*c', ", ", 'x')", LIMIT_DB_LIKE_PATTERN_BYTES, "pattern too complex"},
        {"select 'x' glob printf('%.*c', ", ", 'x')", LIMIT_DB_LIKE_PATTERN_BYTES, "pattern too complex"},
        {"select 'x' regexp printf('%.*c', ", ", 'x')", LIMIT_DB_REGEXP_BYTES, "more than 4096 bytes"},
        {"select levenshtein('x', printf('%.*c', ", ", 'x'))", LIMIT_DB_LEVENSHTEIN, "1024"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        snprintf(sql, sizeof sql, "%s%d%s", cases[i].before, cases[i].limit, cases[i].after);
        works(c, sql);
        snprintf(sql, sizeof sql, "%s%d%s", cases[i].before, cases[i].limit + 1, cases[i].after);
        fails_with(c, sql, cases[i].text);
    }
    CHECK(LIMIT_DB_REGEXP_NODES == 8192);
    works(c, "select 'x' regexp '(abcdefgh){1000}'");
    fails_with(c, "select 'x' regexp '(abcdefgh){1100}'", "regular expression");
    conn_release(c);
    database_unref(db);
}

TEST(a_program_of_so_many_instructions)
{
    struct database *db = small();
    struct conn *c = acquire(db);
    CHECK_INT(sqlite3_limit(conn_sqlite(c), SQLITE_LIMIT_VDBE_OP, -1), LIMIT_DB_VM_OPS);
    conn_release(c);
    database_unref(db);
}

TEST(options_of_a_database)
{
    struct database *db;
    struct err err = ERR_INIT;
    char *path = calloc(1, LIMIT_DB_PATH_BYTES / 4 + 2);
    memset(path, 'x', LIMIT_DB_PATH_BYTES / 4 + 1);
    CHECK_INT(database_new(&(struct database_options){.name = STR("x"), .path = str_of(path)}, &db, &err),
              STATUS_INVALID);
    CHECK(strstr(err.text, "too long") != NULL);
    free(path);
    struct database_attach many[LIMIT_DB_ATTACHED + 1] = {{.immutable = false}};
    CHECK_INT(
        database_new(&(struct database_options){.memory = true, .attach = many, .attach_count = LIMIT_DB_ATTACHED + 1},
                     &db, &err),
        STATUS_INVALID);
}

/* Another process holds the lock: readers and writers wait as long as they may, then say so. */
TEST(waits_for_locks)
{
    struct database *db = small();
    struct writer *other = writer_start(temp_path("limits.db"));
    writer_sql(other, "begin exclusive");
    struct conn *c;
    struct err err = ERR_INIT;
    CHECK_INT(LIMIT_DB_BUSY_TIMEOUT_MS, 1000);
    CHECK_INT(conn_acquire(db, &c, &err), STATUS_BUSY);
    CHECK(strstr(err.text, "locked") != NULL && err.hint[0]);
    writer_end(other);
    database_unref(db);
}

#if defined(VITRINE_FAULTS) && VITRINE_FAULTS
TEST(size_of_a_schema)
{
    setenv("VITRINE_LIMITS", "DB_SCHEMA_BYTES=100000", 1);
    struct buf sql;
    struct err err = ERR_INIT;
    const struct schema *schema;
    buf_init(&sql, 64u << 20);
    buf_puts(&sql, STR("begin;"));
    for (int i = 0; i < 1500; i++)
        buf_printf(&sql, "create table a_rather_long_name_of_a_table_%d (id integer primary key, name text);", i);
    buf_puts(&sql, STR("commit;"));
    buf_putc(&sql, 0);
    make_database(temp_path("many.db"), sql.p);
    buf_release(&sql);
    struct database *db = open_database(temp_path("many.db"));
    struct conn *c = acquire(db);
    CHECK_INT(schema_get(c, &schema, &err), STATUS_TOO_LARGE);
    CHECK(strstr(err.text, "the schema of") != NULL && LIMIT_DB_SCHEMA_BYTES == 100000);
    conn_release(c);
    database_unref(db);
}
#endif
