/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "db/conn_cache.h"
#include "support.h"

static struct db_signature sign(struct database *db)
{
    struct db_signature s = {{0}};
    CHECK_OK(database_signature(db, &s, e));
    return s;
}

static void check_moves(struct database *db, struct db_signature *last, struct writer *w, const char *sql)
{
    writer_sql(w, sql);
    struct db_signature now = sign(db);
    if (db_signature_equal(&now, last))
        test_fail(__FILE__, __LINE__, "the signature did not move with: %s", sql);
    *last = now;
}

static void check_rests(struct database *db, struct db_signature *last)
{
    struct db_signature now = sign(db);
    CHECK(db_signature_equal(&now, last));
}

static void commits(const char *mode, bool with_reader)
{
    const char *path = temp_path("commits.db");
    struct writer *w = writer_start(path);
    char sql[64];
    snprintf(sql, sizeof sql, "pragma journal_mode=%s", mode);
    writer_sql(w, "create table t(a)");
    writer_sql(w, sql);
    struct database *db = open_database(path);
    struct conn *c = with_reader ? acquire(db) : NULL;
    struct db_signature last = sign(db);
    for (int i = 0; i < 200; i++) {
        snprintf(sql, sizeof sql, "insert into t values (%d)", i);
        check_moves(db, &last, w, sql);
        check_rests(db, &last);
        if (c)
            CHECK_INT(query_i64(c, "select count(*) from t"), i + 1);
        check_rests(db, &last); /* reading is no change */
    }
    check_moves(db, &last, w, "update t set a = 1000 where a = 3");
    check_moves(db, &last, w, "create table u(a)");
    conn_release(c);
    writer_sql(w, "begin;;insert into t values (1)");
    check_rests(db, &last); /* not committed */
    writer_sql(w, "rollback");
    check_rests(db, &last);
    check_moves(db, &last, w, "pragma user_version=7");
    check_moves(db, &last, w, "vacuum");
    writer_end(w);
    database_unref(db);
}

TEST(signature_sees_commits_of_a_rollback_journal)
{
    commits("delete", false);
}
TEST(signature_sees_commits_of_a_rollback_journal_while_reading)
{
    commits("delete", true);
}
TEST(signature_sees_commits_of_a_truncated_journal)
{
    commits("truncate", true);
}
TEST(signature_sees_commits_of_a_wal)
{
    commits("wal", false);
}
TEST(signature_sees_commits_of_a_wal_while_reading)
{
    commits("wal", true);
}

/* Two commits so close that no clock of the file system tells them apart: the other process makes both at once, and the
 * time of the file is set back to what it was. */
static void same_instant(const char *mode)
{
    const char *path = temp_path("instant.db");
    struct writer *w = writer_start(path);
    char sql[64];
    snprintf(sql, sizeof sql, "pragma journal_mode=%s", mode);
    writer_sql(w, sql);
    writer_sql(w, "create table t(a)");
    writer_sql(w, "insert into t values (1)");
    struct database *db = open_database(path);
    struct timespec times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    CHECK(utimensat(AT_FDCWD, path, times, 0) == 0);
    struct db_signature a = sign(db);
    writer_sql(w, "update t set a = 2");
    CHECK(utimensat(AT_FDCWD, path, times, 0) == 0);
    struct db_signature b = sign(db);
    writer_sql(w, "update t set a = 3;;update t set a = 2");
    CHECK(utimensat(AT_FDCWD, path, times, 0) == 0);
    struct db_signature c = sign(db);
    CHECK(!db_signature_equal(&a, &b) && !db_signature_equal(&b, &c) && !db_signature_equal(&a, &c));
    writer_end(w);
    database_unref(db);
}

TEST(signature_needs_no_clock)
{
    same_instant("delete");
    unlink(temp_path("instant.db"));
    same_instant("wal");
}

TEST(signature_of_a_wal_through_checkpoints_and_resets)
{
    const char *path = temp_path("reset.db");
    struct writer *w = writer_start(path);
    writer_sql(w, "pragma journal_mode=wal");
    writer_sql(w, "create table t(a)");
    struct database *db = open_database(path);
    struct db_signature last = sign(db), seen[60];
    for (int i = 0; i < 60;
         i++) { /* every state is new, also when the log starts again with a frame count seen before */
        check_moves(db, &last, w, "insert into t values (1)");
        for (int k = 0; k < i; k++)
            CHECK(!db_signature_equal(&last, &seen[k]));
        if (i % 3 == 0)
            writer_sql(w, i % 2 ? "pragma wal_checkpoint(restart)" : "pragma wal_checkpoint(truncate)");
        struct conn *c = acquire(db);
        CHECK_INT(query_i64(c, "select count(*) from t"), i + 1);
        conn_release(c);
        last = seen[i] = sign(db);
    }
    conn_cache_drop(db);
    writer_sql(w, "!close"); /* -wal and -shm go */
    struct db_signature gone = sign(db);
    writer_sql(w, "!open");
    last = sign(db);
    (void)gone;
    check_moves(db, &last, w, "insert into t values (2)");
    writer_sql(w, "!exit"); /* dies: -wal and -shm stay */
    writer_end(w);
    check_rests(db, &last);
    w = writer_start(path); /* recovers the log */
    writer_sql(w, "select * from t");
    last = sign(db);
    check_moves(db, &last, w, "insert into t values (3)");
    check_moves(db, &last, w, "pragma journal_mode=delete");
    check_moves(db, &last, w, "insert into t values (4)");
    check_moves(db, &last, w, "pragma journal_mode=wal");
    check_moves(db, &last, w, "insert into t values (5)");
    writer_end(w);
    database_unref(db);
}

TEST(signature_of_an_empty_file_that_becomes_a_wal)
{
    const char *path = temp_path("grow.db");
    write_file(path, "", 0);
    struct database *db = open_database(path);
    struct db_signature last = sign(db);
    struct writer *w = writer_start(path);
    check_moves(db, &last, w, "pragma journal_mode=wal");
    check_moves(db, &last, w, "create table t(a)");
    check_moves(db, &last, w, "insert into t values (1)");
    writer_end(w);
    database_unref(db);
}

TEST(signature_follows_a_replaced_file)
{
    const char *path = temp_path("a.db");
    make_database(path, "create table t(a); insert into t values (1)");
    make_database(temp_path("b.db"), "create table t(a); insert into t values (2)");
    struct database *db = open_database(path);
    struct conn *busy = acquire(db), *idle = acquire(db), *c;
    struct stmt *s;
    CHECK_OK(conn_prepare(busy, STR("select a from t"), &s, e));
    CHECK_INT(stmt_step(s, NULL), STATUS_AGAIN);
    conn_release(idle);
    struct db_signature before = sign(db);
    CHECK(rename(temp_path("b.db"), path) == 0);
    struct db_signature after = sign(db);
    CHECK(!db_signature_equal(&before, &after));
    c = acquire(db);
    CHECK_INT(query_i64(c, "select a from t"), 2);
    CHECK_INT(stmt_column_i64(s, 0), 1); /* the old one finishes */
    stmt_done(s);
    CHECK_INT(query_i64(busy, "select a from t"), 1);
    conn_release(busy);
    conn_release(c);
    c = acquire(db);
    struct conn *second = acquire(db);
    CHECK_INT(query_i64(c, "select a from t"), 2);
    CHECK_INT(query_i64(second, "select a from t"), 2);
    conn_release(second);
    conn_release(c);

    struct err err = ERR_INIT;
    CHECK(unlink(path) == 0);
    CHECK_INT(database_signature(db, &after, &err), STATUS_NOT_FOUND);
    CHECK_INT(conn_acquire(db, &c, &err), STATUS_NOT_FOUND);
    make_database(path, "create table t(a); insert into t values (3)");
    c = acquire(db);
    CHECK_INT(query_i64(c, "select a from t"), 3);
    conn_release(c);
    database_unref(db);
}

TEST(signature_of_memory_and_attached)
{
    const char *path = temp_path("att.db");
    make_database(path, "create table t(a); insert into t values (1)");
    struct database_attach attach[] = {{.name = STR("one x"), .path = str_of(path)}};
    struct database_options o = {.name = STR("_memory"), .memory = true, .attach = attach, .attach_count = 1};
    struct database *db;
    CHECK_OK(database_new(&o, &db, e));
    struct conn *c = acquire(db), *w;
    CHECK_INT(query_i64(c, "select a from [one x].t"), 1);
    struct db_signature last = sign(db);
    struct writer *other = writer_start(path);
    check_moves(db, &last, other, "update t set a = 2");
    CHECK_INT(query_i64(c, "select a from [one x].t"), 2);
    CHECK_OK(conn_open_private(db, CONN_WRITE, &w, e));
    CHECK_OK(conn_execute(w, STR("create table m(a); insert into m values (9)"), e));
    struct db_signature now = sign(db);
    CHECK(!db_signature_equal(&now, &last));
    conn_close(w);
    CHECK_INT(query_i64(c, "select a from m"), 9); /* one content for all connections */
    conn_release(c);
    CHECK(rename(temp_path("att.db"), temp_path("old.db")) == 0);
    make_database(path, "create table t(a); insert into t values (5)");
    c = acquire(db);
    CHECK_INT(query_i64(c, "select a from [one x].t"), 5);
    conn_release(c);
    writer_end(other);
    database_unref(db);
}
