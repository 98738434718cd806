/* SPDX-License-Identifier: Apache-2.0 */
#include "db/open.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db/conn_cache.h"
#include "support.h"

/* database_check() of a file fails as expected: status, a word of the message, a word of the hint. */
static void check_refused(const char *path, enum status want, const char *text, const char *hint)
{
    struct err err = ERR_INIT;
    struct database *db = open_database(path);
    enum status st = database_check(db, &err);
    if (st != want || !strstr(err.text, text) || !strstr(err.hint, hint))
        test_fail(__FILE__, __LINE__, "%s: %s: %s (%s)", path, status_name(st), err.text, err.hint);
    CHECK_INT(err.status, want);
    database_unref(db);
}

static void check_reads(const char *path, int64_t want)
{
    struct database *db = open_database(path);
    CHECK_OK(database_check(db, e));
    struct conn *c = acquire(db);
    CHECK_INT(query_i64(c, "select count(*) from t"), want);
    conn_release(c);
    database_unref(db);
}

TEST(open_refuses_what_is_not_there)
{
    check_refused(temp_path("none.db"), STATUS_NOT_FOUND, "none.db", "--create");
    check_refused(temp_path("no/none.db"), STATUS_NOT_FOUND, "none.db", "The folder");
    CHECK(symlink("/nonexistent/x", temp_path("link.db")) == 0);
    check_refused(temp_path("link.db"), STATUS_NOT_FOUND, "link.db", "symbolic link");
}

TEST(open_refuses_what_is_no_file)
{
    check_refused(temp_folder(), STATUS_INVALID, "a directory", "inside it");
    CHECK(mkfifo(temp_path("pipe.db"), 0644) == 0);
    check_refused(temp_path("pipe.db"), STATUS_INVALID, "a named pipe", "");
    check_refused("/dev/null", STATUS_INVALID, "a character device", "");
}

TEST(open_refuses_what_is_no_database)
{
    static const char csv[] = "id,name\n1,x\n", json[] = " [{\"id\": 1}]\n",
                      gz[] = "\x1f\x8b\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    write_file(temp_path("a.csv"), csv, sizeof csv - 1);
    check_refused(temp_path("a.csv"), STATUS_CORRUPT, "is not a SQLite database", "text");
    write_file(temp_path("a.json"), json, sizeof json - 1);
    check_refused(temp_path("a.json"), STATUS_CORRUPT, "is not a SQLite database", "JSON");
    write_file(temp_path("a.gz"), gz, sizeof gz - 1);
    check_refused(temp_path("a.gz"), STATUS_CORRUPT, "is not a SQLite database", "gunzip");
    unsigned char noise[4096];
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (unsigned char)(i * 167 + 129);
    write_file(temp_path("noise.db"), noise, sizeof noise);
    check_refused(temp_path("noise.db"), STATUS_CORRUPT, "is not a SQLite database", "encrypted");
}

TEST(open_takes_an_empty_file)
{
    write_file(temp_path("empty.db"), "", 0);
    struct database *db = open_database(temp_path("empty.db"));
    CHECK_OK(database_check(db, e));
    struct conn *c = acquire(db);
    CHECK_INT(query_i64(c, "select count(*) from sqlite_schema"), 0);
    conn_release(c);
    database_unref(db);
}

static const char rows[] =
    "create table t(a, b); with recursive n(i) as (select 1 union all select i+1 from n where i<2000) "
    "insert into t select i, printf('%0100d', i) from n;";

TEST(open_refuses_damage)
{
    struct stat st;
    make_database(temp_path("cut.db"), rows);
    CHECK(stat(temp_path("cut.db"), &st) == 0);
    CHECK(truncate(temp_path("cut.db"), st.st_size / 2) == 0);
    check_refused(temp_path("cut.db"), STATUS_CORRUPT, "cut short", "copied");
    CHECK(truncate(temp_path("cut.db"), 50) == 0);
    check_refused(temp_path("cut.db"), STATUS_CORRUPT, "header is cut", "backup");

    make_database(temp_path("bad.db"), rows); /* the schema's page is noise: met when the schema is read */
    int fd = open(temp_path("bad.db"), O_WRONLY);
    CHECK(pwrite(fd, "\xff\xff\xff\xff\xff\xff", 6, 100) == 6);
    close(fd);
    check_refused(temp_path("bad.db"), STATUS_CORRUPT, "malformed", "integrity_check");

    make_database(temp_path("leaf.db"), rows); /* a page of the table: met by the query */
    fd = open(temp_path("leaf.db"), O_WRONLY);
    char zeros[4096] = {0};
    for (int page = 2; page < 20; page++)
        CHECK(pwrite(fd, zeros, sizeof zeros, page * 4096) == sizeof zeros);
    close(fd);
    struct database *db = open_database(temp_path("leaf.db"));
    CHECK_OK(database_check(db, e));
    struct conn *c = acquire(db);
    struct err err = ERR_INIT;
    CHECK_INT(try_sql(c, "select sum(length(b)) from t", &err), STATUS_CORRUPT);
    conn_release(c);
    CHECK_INT(conn_cache_idle(), 0); /* not kept */
    database_unref(db);
}

TEST(open_refuses_without_permission)
{
    make_database(temp_path("secret.db"), "create table t(a)");
    CHECK(chmod(temp_path("secret.db"), 0600) == 0);
    CHECK(mkdir(temp_path("closed"), 0700) == 0);
    make_database(temp_path("closed/x.db"), "create table t(a)");
    become_nobody();
    if (geteuid() == 65534) {
        check_refused(temp_path("secret.db"), STATUS_FORBIDDEN, "secret.db", "mode 0600");
        check_refused(temp_path("closed/x.db"), STATUS_FORBIDDEN, "x.db", "folder");
    }
    CHECK(seteuid(getuid()) == 0);
}

TEST(open_takes_any_name)
{
    static const char *const names[] = {
        "a b.db",    "a%20b.db", "a?mode=rwc", "a#b.db", "a&b=c.db",          "caf\xc3\xa9 \xff.db",
        "a'b\"c.db", "a\nb.db",  ":memory:",   "100%",   "//double//slash.db"};
    CHECK(mkdir(temp_path("double"), 0755) == 0);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *path = temp_path(names[i]);
        make_database(path, "create table t(a); insert into t values (1)");
        check_reads(path, 1);
    }
    CHECK(chdir(temp_folder()) == 0);
    check_reads(":memory:", 1); /* relative, too */
    check_reads("a?mode=rwc", 1);
}

TEST(open_reads_a_wal_without_write_permission)
{
    const char *path = temp_path("ro/wal.db");
    CHECK(mkdir(temp_path("ro"), 0755) == 0);
    make_database(path, "pragma journal_mode=wal; create table t(a); insert into t values (1), (2)");
    CHECK(access(temp_path("ro/wal.db-shm"), F_OK) != 0);
    become_nobody();
    if (geteuid() != 65534)
        return;
    check_reads(path, 2);

    /* The log has content that the main file lacks, and no index: not readable without guessing. */
    CHECK(seteuid(0) == 0);
    struct writer *w = writer_start(path);
    writer_sql(w, "pragma wal_autocheckpoint=0");
    writer_sql(w, "insert into t values (3)");
    writer_sql(w, "!exit");
    writer_end(w);
    CHECK(access(temp_path("ro/wal.db-wal"), F_OK) == 0);
    become_nobody();
    check_reads(path, 3); /* its -shm is there */
    CHECK(seteuid(0) == 0);
    CHECK(unlink(temp_path("ro/wal.db-shm")) == 0);
    become_nobody();
    check_refused(path, STATUS_FORBIDDEN, "wal.db-shm' does not exist", "wal_checkpoint");
    CHECK(seteuid(0) == 0);
    check_reads(path, 3); /* root can make it */
    CHECK(chmod(temp_path("ro/wal.db-wal"), 0600) == 0);
    become_nobody();
    check_refused(path, STATUS_FORBIDDEN, "wal.db-wal', the write-ahead log", "readable");
    CHECK(seteuid(0) == 0);
}

TEST(open_follows_a_wal_that_seemed_immutable)
{
    const char *path = temp_path("turn/wal.db");
    CHECK(mkdir(temp_path("turn"), 0755) == 0);
    make_database(path, "pragma journal_mode=wal; create table t(a); insert into t values (1), (2)");
    become_nobody();
    if (geteuid() != 65534)
        return;
    struct database *db = open_database(path);
    struct conn *c = acquire(db);
    CHECK_INT(query_i64(c, "select count(*) from t"), 2);
    conn_release(c);
    CHECK(seteuid(0) == 0);
    struct writer *w = writer_start(path); /* somebody who may write makes -wal and -shm */
    writer_sql(w, "insert into t values (3)");
    become_nobody();
    c = acquire(db);
    CHECK_INT(query_i64(c, "select count(*) from t"), 3);
    conn_release(c);
    conn_cache_drop(db);
    CHECK(seteuid(0) == 0);
    writer_sql(w, "insert into t values (4)");
    writer_sql(w, "!close"); /* checkpoint, and both files go away */
    become_nobody();
    c = acquire(db);
    CHECK_INT(query_i64(c, "select count(*) from t"), 4);
    conn_release(c);
    CHECK(seteuid(0) == 0);
    writer_end(w);
    database_unref(db);
}

TEST(open_immutable_and_nolock)
{
    const char *path = temp_path("lock.db");
    make_database(path, "create table t(a); insert into t values (1)");
    struct writer *w = writer_start(path);
    writer_sql(w, "begin exclusive");
    struct database_options o = {.path = str_of(path), .busy_timeout_ms = 50};
    struct database *db;
    struct err err = ERR_INIT;
    CHECK_OK(database_new(&o, &db, e));
    CHECK_INT(database_check(db, &err), STATUS_BUSY);
    CHECK(strstr(err.text, "locked") && strstr(err.hint, "--nolock"));
    database_unref(db);
    o.nolock = true;
    CHECK_OK(database_new(&o, &db, e));
    CHECK_OK(database_check(db, e));
    database_unref(db);
    o.nolock = false;
    o.immutable = true;
    CHECK_OK(database_new(&o, &db, e));
    CHECK_OK(database_check(db, e));
    CHECK(database_is_immutable(db));
    struct conn *c;
    CHECK_INT(conn_open_private(db, CONN_WRITE, &c, &err), STATUS_FORBIDDEN);
    database_unref(db);
    writer_end(w);
}

TEST(open_create_makes_an_empty_database)
{
    struct database_options o = {.path = str_of(temp_path("new.db")), .create = true};
    struct database *db;
    CHECK_OK(database_new(&o, &db, e));
    CHECK_OK(database_check(db, e));
    CHECK(database_size_bytes(db) >= 512);
    CHECK(unlink(temp_path("new.db")) == 0); /* deleted while published: not made again by looking */
    struct db_signature s;
    struct err err = ERR_INIT;
    CHECK_INT(database_signature(db, &s, &err), STATUS_NOT_FOUND);
    database_unref(db);
}

TEST(open_options_are_checked)
{
    struct database *db;
    struct err err = ERR_INIT;
    CHECK_INT(database_new(&(struct database_options){.name = STR("x")}, &db, &err), STATUS_INVALID);
    CHECK_INT(database_new(&(struct database_options){.path = str_make("a\0b", 3)}, &db, &err), STATUS_INVALID);
    struct database_attach many[11] = {{.immutable = false}};
    CHECK_INT(database_new(&(struct database_options){.memory = true, .attach = many, .attach_count = 11}, &db, &err),
              STATUS_INVALID);
}
