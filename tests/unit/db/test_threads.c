/* SPDX-License-Identifier: Apache-2.0 */
/* Four threads and another process at once: run under ThreadSanitizer too. */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "db/conn_cache.h"
#include "db/schema.h"
#include "support.h"

#define THREADS 4

static struct database *dbs[3];
static atomic_bool stop;
static atomic_llong reads;

/* Every commit raises the number in t; whoever reads after a signature sees at least the number of an equal signature.
 */
static void *reader(void *arg)
{
    unsigned n = (unsigned)(uintptr_t)arg;
    struct db_signature last = {{0}};
    int64_t least = -1;
    while (!atomic_load(&stop)) {
        struct database *db = dbs[n++ % 2];
        struct conn *c;
        const struct schema *schema;
        struct db_signature now;
        if (n % 2)
            least = -1; /* the other database */
        struct err err = ERR_INIT;
        CHECK_OK(database_signature(db, &now, e));
        if (conn_acquire(db, &c, &err) != STATUS_OK) {
            CHECK_INT(err.status, STATUS_BUSY); /* a slow writer: nothing but that may refuse */
            continue;
        }
        conn_deadline(c, clock_mono_us() + 5000000, &stop);
        struct stmt *s;
        enum status st = conn_prepare(c, STR("select n from t"), &s, &err);
        if (st == STATUS_OK && (st = stmt_step(s, &err)) == STATUS_AGAIN) {
            int64_t v = stmt_column_i64(s, 0);
            if (least >= 0 && db_signature_equal(&now, &last))
                CHECK(v >= least);
            least = v;
            last = now;
            stmt_done(s);
            st = schema_get(c, &schema, &err);
            if (st == STATUS_OK) {
                CHECK(schema_table(schema, STR("t")) != NULL);
                schema_unref(schema);
                atomic_fetch_add(&reads, 1);
            } else { /* it is over just now, or a writer is slow */
                CHECK(st == STATUS_CANCELLED || st == STATUS_BUSY);
            }
        } else {
            CHECK(st == STATUS_CANCELLED || st == STATUS_BUSY);
        }
        conn_release(c);
        if (n % 50 == 0)
            conn_cache_drop(dbs[n % 3]);
    }
    return NULL;
}

TEST(threads_read_while_others_write)
{
    static const char *const names[] = {"t0.db", "t1.db", "t2.db"};
    struct writer *w[2];
    char sql[64];
    for (int i = 0; i < 3; i++) {
        make_database(temp_path(names[i]), i ? "pragma journal_mode=wal; create table t(n); insert into t values (0)"
                                             : "create table t(n); insert into t values (0)");
        dbs[i] = open_database(temp_path(names[i]));
    }
    for (int i = 0; i < 2; i++)
        w[i] = writer_start(temp_path(names[i]));
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, reader, (void *)i) == 0);
    for (int k = 1; k <= 150; k++) {
        snprintf(sql, sizeof sql, k % 30 ? "update t set n = %d" : "create table x%d(a)", k);
        writer_sql(w[k % 2], sql);
        if (k == 75) /* the file of a database that nobody writes is replaced */
            make_database(temp_path("t2.new"), "create table t(n); insert into t values (7)");
        if (k == 76)
            CHECK(rename(temp_path("t2.new"), temp_path("t2.db")) == 0);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK(atomic_load(&reads) > 100);
    for (int i = 0; i < 2; i++)
        writer_end(w[i]);
    for (int i = 0; i < 3; i++)
        database_unref(dbs[i]);
    CHECK_INT(conn_cache_idle(), 0); /* threads that ended have closed theirs */
}

static void *hold(void *arg)
{
    struct database *db = arg;
    for (int i = 0; i < 200; i++) {
        struct conn *c;
        struct err err = ERR_INIT;
        if (conn_acquire(db, &c, &err) != STATUS_OK) {
            CHECK_INT(err.status, STATUS_CLOSED);
            break;
        }
        conn_release(c);
    }
    return NULL;
}

TEST(threads_retire_while_used)
{
    make_database(temp_path("retire.db"), "create table t(n)");
    for (int round = 0; round < 10; round++) {
        struct database *db = open_database(temp_path("retire.db"));
        pthread_t threads[THREADS];
        for (int i = 0; i < THREADS; i++)
            CHECK(pthread_create(&threads[i], NULL, hold, db) == 0);
        usleep(500);
        database_retire(db);
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        database_unref(db);
    }
}

TEST(threads_move_a_private_connection)
{
    make_database(temp_path("m.db"), "create table t(n); insert into t values (1), (2), (3)");
    struct database *db = open_database(temp_path("m.db"));
    struct conn *c;
    struct stmt *s;
    CHECK_OK(conn_open_private(db, CONN_READ, &c, e));
    CHECK_OK(conn_prepare(c, STR("select n from t"), &s, e));
    CHECK_INT(stmt_step(s, NULL), STATUS_AGAIN);
    pthread_t t;
    CHECK(pthread_create(&t, NULL, hold, db) == 0);
    pthread_join(t, NULL);
    CHECK_INT(stmt_step(s, NULL), STATUS_AGAIN);
    CHECK_INT(stmt_column_i64(s, 0), 2);
    conn_close(c); /* with its statement */
    database_unref(db);
}
