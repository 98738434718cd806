/* SPDX-License-Identifier: Apache-2.0 */
/* The writer: jobs share transactions, fail alone, are acknowledged after the COMMIT. Under ThreadSanitizer too. */
#include "db/writer.h"

#include <pthread.h>
#include <sqlite3.h>
#include <unistd.h>

#include "base/limits.h"
#include "support.h"

#define THREADS 4
#define JOBS    100

struct insert {
    struct writer_job job; /* first */
    const char *sql;
    int runs;
    struct gate *gate; /* the writer waits there */
};

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    int arrived, opened, finished;
};

static void gate_init(struct gate *g)
{
    *g = (struct gate){0};
    pthread_mutex_init(&g->lock, NULL);
    pthread_cond_init(&g->moved, NULL);
}

static void gate_add(struct gate *g, int *what, int n)
{
    pthread_mutex_lock(&g->lock);
    *what += n;
    pthread_cond_broadcast(&g->moved);
    pthread_mutex_unlock(&g->lock);
}

static void gate_wait(struct gate *g, const int *what, int least)
{
    pthread_mutex_lock(&g->lock);
    while (*what < least)
        pthread_cond_wait(&g->moved, &g->lock);
    pthread_mutex_unlock(&g->lock);
}

static struct gate gate;

static enum status run_sql(struct writer_job *j, struct conn *c, struct err *err)
{
    struct insert *i = (struct insert *)j;
    struct stmt *s = NULL;
    i->runs++;
    if (i->gate) {
        gate_add(i->gate, &i->gate->arrived, 1);
        gate_wait(i->gate, &i->gate->opened, 1);
        i->gate = NULL;
    }
    enum status st = conn_prepare(c, str_of(i->sql), &s, err);
    if (st == STATUS_OK)
        st = stmt_step(s, err);
    stmt_done(s);
    return st;
}

static void count_done(struct writer_job *j)
{
    (void)j;
    gate_add(&gate, &gate.finished, 1);
}

static struct database *make(const char *sql)
{
    make_database(temp_path("w.db"), sql);
    gate_init(&gate);
    return open_database(temp_path("w.db"));
}

static int64_t ask(struct database *db, const char *sql)
{
    struct conn *c = acquire(db);
    int64_t n = query_i64(c, sql);
    conn_release(c);
    return n;
}

/* Submits jobs[0] and, while the writer holds it, the others: these share the next transaction. */
static void run_together(struct writer *w, struct insert *jobs, int n)
{
    struct gate hold;
    gate_init(&hold);
    jobs[0].gate = &hold;
    for (int i = 0; i < n; i++) {
        jobs[i].job.run = run_sql;
        jobs[i].job.done = count_done;
    }
    CHECK_OK(writer_submit(w, &jobs[0].job, e));
    gate_wait(&hold, &hold.arrived, 1);
    for (int i = 1; i < n; i++)
        CHECK_OK(writer_submit(w, &jobs[i].job, e));
    gate_add(&hold, &hold.opened, 1);
    gate_wait(&gate, &gate.finished, n);
}

TEST(writer_shares_transactions)
{
    struct database *db = make("create table t(a integer primary key)");
    struct writer *w = writer_new(db, WRITER_SYNC_FULL);
    struct insert jobs[51] = {0};
    for (int i = 0; i < 51; i++)
        jobs[i].sql = "insert into t default values";
    run_together(w, jobs, 51);
    for (int i = 0; i < 51; i++)
        CHECK_INT(jobs[i].job.status, STATUS_OK);
    struct writer_stats stats;
    writer_stats(w, &stats);
    CHECK_INT(stats.jobs, 51);
    CHECK_INT(stats.commits, 2);
    CHECK_INT(ask(db, "select count(*) from t"), 51);
    writer_free(w);
    database_unref(db);
}

TEST(writer_one_fails_alone)
{
    struct database *db = make("create table t(a integer primary key)");
    struct writer *w = writer_new(db, WRITER_SYNC_NORMAL);
    struct insert jobs[] = {{.sql = "insert into t values (1)"},
                            {.sql = "insert into t values (2)"},
                            {.sql = "insert into t values (2)"},
                            {.sql = "insert into t values (3), (1)"},
                            {.sql = "insert into t values (4)"}};
    run_together(w, jobs, 5);
    const enum status wanted[] = {STATUS_OK, STATUS_OK, STATUS_CONFLICT, STATUS_CONFLICT, STATUS_OK};
    for (int i = 0; i < 5; i++)
        CHECK_INT(jobs[i].job.status, wanted[i]);
    CHECK_STR(str_of(jobs[2].job.err.text), "UNIQUE constraint failed: t.a");
    CHECK_INT(ask(db, "select group_concat(a, '') from t"), 124);
    writer_free(w);
    database_unref(db);
}

/* RAISE(ROLLBACK) takes the whole transaction with it: the other jobs run again. */
TEST(writer_lost_transaction)
{
    struct database *db = make("create table t(a integer primary key); create table bad(a);"
                               "create trigger r before insert on bad begin select raise(rollback, 'no'); end");
    struct writer *w = writer_new(db, WRITER_SYNC_FULL);
    struct insert jobs[] = {{.sql = "insert into t values (1)"},
                            {.sql = "insert into t values (2)"},
                            {.sql = "insert into bad values (1)"},
                            {.sql = "insert into t values (3)"}};
    run_together(w, jobs, 4);
    CHECK_INT(jobs[0].job.status, STATUS_OK);
    CHECK_INT(jobs[1].job.status, STATUS_OK);
    CHECK_INT(jobs[1].runs, 2);
    CHECK_INT(jobs[2].job.status, STATUS_CONFLICT);
    CHECK_INT(jobs[3].job.status, STATUS_OK);
    CHECK_INT(ask(db, "select count(*) from t"), 3);
    writer_free(w);
    database_unref(db);
}

TEST(writer_refuses_what_ends_its_transaction)
{
    struct database *db = make("create table t(a)");
    struct writer *w = writer_new(db, WRITER_SYNC_FULL);
    const char *const forbidden[] = {"commit",
                                     "rollback",
                                     "savepoint x",
                                     "release job",
                                     "attach ':memory:' as m",
                                     "pragma journal_mode=wal",
                                     "pragma query_only=1",
                                     "pragma synchronous=0"};
    for (size_t i = 0; i < ARRAY_LEN(forbidden); i++) {
        struct insert j = {.sql = forbidden[i], .job = {.run = run_sql}};
        struct err err = ERR_INIT;
        CHECK_INT(writer_run(w, &j.job, &err), STATUS_SQL);
        CHECK(str_starts(str_of(err.text), STR("not authorized")));
    }
    struct insert j = {.sql = "pragma user_version=7", .job = {.run = run_sql}};
    CHECK_OK(writer_run(w, &j.job, e));
    CHECK_INT(ask(db, "select count(*) from t"), 0);
    writer_free(w);
    database_unref(db);
}

TEST(writer_time_limit)
{
    struct database *db = make("create table t(a)");
    struct writer *w = writer_new(db, WRITER_SYNC_FULL);
    struct insert slow = {.sql =
                              "with recursive c(n) as (select 1 union all select n + 1 from c) insert into t select n "
                              "from c",
                          .job = {.run = run_sql, .time_limit_ms = 50}};
    struct err err = ERR_INIT;
    CHECK_INT(writer_run(w, &slow.job, &err), STATUS_TIMEOUT);
    struct insert j = {.sql = "insert into t values (1)", .job = {.run = run_sql}};
    CHECK_OK(writer_run(w, &j.job, e));
    CHECK_INT(ask(db, "select count(*) from t"), 1);
    writer_free(w);
    database_unref(db);
}

TEST(writer_other_process)
{
    make_database(temp_path("w.db"), "create table t(a)");
    struct database_options o = {.name = STR("w"), .path = str_of(temp_path("w.db")), .busy_timeout_ms = 50};
    struct database *db;
    CHECK_OK(database_new(&o, &db, e));
    struct writer *w = writer_new(db, WRITER_SYNC_FULL);
    sqlite3 *other = NULL; /* locks of another connection of this process count as well */
    CHECK(sqlite3_open(temp_path("w.db"), &other) == SQLITE_OK);
    CHECK(sqlite3_exec(other, "begin immediate", NULL, NULL, NULL) == SQLITE_OK);
    struct insert j = {.sql = "insert into t values (1)", .job = {.run = run_sql}};
    struct err err = ERR_INIT;
    CHECK_INT(writer_run(w, &j.job, &err), STATUS_BUSY);
    CHECK_STR(str_of(err.text), "database is locked");
    CHECK(err.hint[0] != 0);
    CHECK_INT(j.runs, 0);
    sqlite3_exec(other, "rollback", NULL, NULL, NULL);
    sqlite3_close(other);
    CHECK_OK(writer_run(w, &j.job, e));
    writer_free(w);
    database_unref(db);
}

TEST(writer_replaced_file)
{
    struct database *db = make("create table t(a)");
    struct writer *w = writer_new(db, WRITER_SYNC_FULL);
    struct insert j = {.sql = "insert into t values (1)", .job = {.run = run_sql}};
    CHECK_OK(writer_run(w, &j.job, e));
    make_database(temp_path("new.db"), "create table t(a); insert into t values (10), (20)");
    CHECK(rename(temp_path("new.db"), temp_path("w.db")) == 0);
    CHECK_OK(writer_run(w, &j.job, e));
    CHECK_INT(ask(db, "select count(*) from t"), 3);
    writer_free(w);
    database_unref(db);
}

TEST(writer_immutable)
{
    make_database(temp_path("i.db"), "create table t(a)");
    struct database_options o = {.name = STR("i"), .path = str_of(temp_path("i.db")), .immutable = true};
    struct database *db;
    CHECK_OK(database_new(&o, &db, e));
    struct writer *w = writer_new(db, WRITER_SYNC_FULL);
    struct insert j = {.sql = "insert into t values (1)", .job = {.run = run_sql}};
    struct err err = ERR_INIT;
    CHECK_INT(writer_run(w, &j.job, &err), STATUS_FORBIDDEN);
    writer_free(w);
    database_unref(db);
}

TEST(writer_queue_limit)
{
    struct database *db = make("create table t(a)");
    struct writer *w = writer_new(db, WRITER_SYNC_FULL);
    static struct insert jobs[LIMIT_WRITER_QUEUE + 2];
    struct gate hold;
    struct err err = ERR_INIT;
    gate_init(&hold);
    for (size_t i = 0; i < ARRAY_LEN(jobs); i++)
        jobs[i] = (struct insert){.sql = "insert into t values (1)", .job = {.run = run_sql, .done = count_done}};
    jobs[0].gate = &hold;
    CHECK_OK(writer_submit(w, &jobs[0].job, e));
    gate_wait(&hold, &hold.arrived, 1);
    for (size_t i = 1; i <= LIMIT_WRITER_QUEUE; i++)
        CHECK_OK(writer_submit(w, &jobs[i].job, e));
    CHECK_INT(writer_submit(w, &jobs[LIMIT_WRITER_QUEUE + 1].job, &err), STATUS_BUSY);
    gate_add(&hold, &hold.opened, 1);
    writer_free(w); /* runs what is queued */
    CHECK_INT(gate.finished, LIMIT_WRITER_QUEUE + 1);
    CHECK_INT(ask(db, "select count(*) from t"), LIMIT_WRITER_QUEUE + 1);
    database_unref(db);
}

static struct writer *shared;

static void *many(void *arg)
{
    (void)arg;
    for (int i = 0; i < JOBS; i++) {
        struct insert j = {.sql = "insert into t values (1)", .job = {.run = run_sql}};
        CHECK_OK(writer_run(shared, &j.job, e));
    }
    return NULL;
}

/* Memory databases too; every acknowledged row is there for the next reader. */
TEST(writer_many_threads)
{
    pthread_t threads[THREADS];
    struct database_options o = {.name = STR("m"), .memory = true};
    struct database *db;
    CHECK_OK(database_new(&o, &db, e));
    shared = writer_new(db, WRITER_SYNC_FULL);
    struct insert j = {.sql = "create table t(a)", .job = {.run = run_sql}};
    CHECK_OK(writer_run(shared, &j.job, e));
    struct db_signature before, after;
    CHECK_OK(database_signature(db, &before, e));
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, many, NULL) == 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK_OK(database_signature(db, &after, e));
    CHECK(!db_signature_equal(&before, &after));
    CHECK_INT(ask(db, "select count(*) from t"), THREADS * JOBS);
    writer_free(shared);
    database_unref(db);
}

static enum status run_own(struct writer_job *j, struct conn *c, struct err *err)
{
    struct insert *i = (struct insert *)j;
    i->runs++;
    return conn_execute(c, str_of(i->sql), err);
}

/* Jobs that are alone have transactions of their own, and what they leave open is taken back. */
TEST(writer_alone)
{
    struct database *db = make("create table t(a integer primary key)");
    struct writer *w = writer_new(db, WRITER_SYNC_FULL);
    struct insert own = {.sql = "begin immediate; insert into t values (1), (2); commit"};
    struct insert open = {.sql = "begin immediate; insert into t values (3)"};
    struct insert bad = {.sql = "begin immediate; insert into t values (4); insert into t values (1)"};
    own.job = open.job = bad.job = (struct writer_job){.run = run_own, .alone = true};
    CHECK_OK(writer_run(w, &own.job, e));
    CHECK_OK(writer_run(w, &open.job, e));
    CHECK_INT(writer_run(w, &bad.job, NULL), STATUS_CONFLICT);
    CHECK_INT(own.runs + open.runs + bad.runs, 3);
    CHECK_INT(ask(db, "select group_concat(a) = '1,2' from t"), 1);
    struct insert after = {.sql = "insert into t values (5)", .job = {.run = run_sql}};
    CHECK_OK(writer_run(w, &after.job, e));
    CHECK_INT(ask(db, "select count(*) from t"), 3);
    writer_free(w);
    database_unref(db);
}
