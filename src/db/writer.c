/* SPDX-License-Identifier: Apache-2.0 */
/* writer — one thread, one connection, shared transactions.
 *
 * SQLite lets one connection write at a time, so threads that each open a transaction only wait for each other, and
 * every COMMIT waits for the disk (some ms). Here the jobs that arrive while a COMMIT waits make up the next
 * transaction ("group commit"): the more clients, the more rows a fsync.
 *
 *   take all waiting jobs (at most LIMIT_WRITER_BATCH) -> BEGIN IMMEDIATE
 *     each job:  SAVEPOINT job -> run() -> RELEASE, or ROLLBACK TO + RELEASE when it fails
 *   COMMIT -> done() of every job
 *
 * A job that is `alone` is a batch of its own, without a transaction around it.
 *
 * What can go wrong, and what becomes of the jobs:
 *   BEGIN meets another process's lock     busy handler for LIMIT_DB_WRITE_BUSY_MS, then all jobs of the batch: BUSY
 *   a job fails                            undone alone
 *   SQLite rolls the whole transaction back (disk full, I/O error, out of memory, an interrupted write)
 *                                          that job fails; those before it run again, each in a transaction of its own
 *   COMMIT fails for what a job left behind (deferred foreign keys)     every job again, each on its own
 *   COMMIT fails for the disk or for readers that do not end            rolled back; all jobs get that status
 *   kill -9 or a power cut                 before the commit point: nothing of the batch; after it: all of it. No job
 *                                          was acknowledged before the commit point.
 *
 * The journal mode of the file stays what it is. In rollback mode "full" sets synchronous=EXTRA (the folder is synced
 * after the journal was deleted: without that a power cut can bring the journal back and undo a commit); in WAL mode
 * EXTRA is FULL. "normal" is synchronous=NORMAL.
 *
 * Invariants: (1) done() is called exactly once for an accepted job, never before the COMMIT of its transaction
 * returned. (2) no lock of ours is held while SQLite runs or a callback is called. (3) the connection belongs to the
 * thread; it is closed when it broke, when the file was replaced, and at the end.
 * Fault points: writer.begin, writer.job, writer.commit, writer.committed.
 * Not here: what jobs do. Tests: tests/unit/db/test_writer.c, tests/site/test_write_durable.py (kill -9). */
#include "db/writer.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/conn_impl.h"
#include "db/history.h"
#include "db/stmt.h"
#include "rt/fault.h"
#include "rt/thread.h"

#include "base/banned.h"

#define READERS_FIRST_US 20000 /* longest pause between two transactions for readers that wait */
#define READER_IS_IN_US  5000  /* who waits looks more often than that */

struct writer {
    struct database *db;
    enum writer_sync sync;

    pthread_mutex_t lock; /* of all down to `stats` */
    pthread_cond_t wake;
    struct writer_job *first, **last;
    bool stopping, started;
    pthread_t thread;
    struct writer_stats stats;

    struct conn *conn; /* the thread's; NULL = not open */
};

/* ---- connection ---- */

static enum status open_conn(struct writer *w, struct err *err)
{
    if (w->conn && conn_is_current(w->conn) && !w->conn->broken)
        return STATUS_OK;
    conn_close(w->conn);
    w->conn = NULL;
    enum status st = conn_open_private(w->db, CONN_WRITE, &w->conn, err);
    if (st != STATUS_OK)
        return st;
    str sql = w->sync == WRITER_SYNC_FULL ? STR("PRAGMA synchronous=EXTRA") : STR("PRAGMA synchronous=NORMAL");
    st = conn_execute(w->conn, sql, err);
    if (st != STATUS_OK) {
        conn_close(w->conn);
        w->conn = NULL;
    }
    return st;
}

/* A short statement of ours, prepared once. */
static enum status execute(struct writer *w, str sql, struct err *err)
{
    struct stmt *s = NULL;
    enum status st = conn_prepare_trusted(w->conn, sql, &s, err);
    if (st == STATUS_OK)
        st = stmt_step(s, err);
    stmt_done(s);
    return st;
}

static bool transaction_is_lost(const struct writer *w)
{
    return sqlite3_get_autocommit(w->conn->sqlite) != 0;
}

/* In rollback mode a COMMIT keeps readers out while it waits for the disk. Under load one would follow the other, and a
 * reader that looks in vain each time would give up in the end: so who waits is let in first. They look every 2 ms. */
static void let_readers_in(struct writer *w)
{
    int64_t until = clock_mono_us() + READERS_FIRST_US;
    struct timespec pause = {.tv_nsec = 500000};
    for (int64_t now; (now = clock_mono_us()) < until;) {
        if (now - atomic_load_explicit(&w->db->reader_waited_us, memory_order_relaxed) > READER_IS_IN_US)
            return;
        nanosleep(&pause, NULL);
    }
}

static enum status begin(struct writer *w, struct err *err)
{
    let_readers_in(w);
    enum status st = open_conn(w, err);
    if (st == STATUS_OK && FAULT("writer.begin"))
        st = err_set(err, STATUS_BUSY, "database is locked (injected)");
    if (st == STATUS_OK)
        st = execute(w, STR("BEGIN IMMEDIATE"), err);
    if (st == STATUS_BUSY) {
        err_set(err, STATUS_BUSY, "database is locked");
        err_hint(err, "Another process is writing to it. Nothing was changed: try again.");
    }
    return st;
}

static void roll_back(struct writer *w)
{
    conn_deadline(w->conn, 0, NULL);
    if (!transaction_is_lost(w))
        (void)!execute(w, STR("ROLLBACK"), NULL);
    while (w->conn->stmts_in_use)
        stmt_done(w->conn->stmts_in_use);
}

static enum status commit(struct writer *w, struct err *err)
{
    enum status st = STATUS_OK;
    if (FAULT("writer.commit"))
        st = err_set(err, STATUS_DISK_FULL, "database or disk is full (injected)");
    if (st == STATUS_OK)
        st = execute(w, STR("COMMIT"), err);
    if (st != STATUS_OK) {
        roll_back(w);
        return st;
    }
    (void)FAULT("writer.committed");
    pthread_mutex_lock(&w->lock);
    w->stats.commits++;
    pthread_mutex_unlock(&w->lock);
    return STATUS_OK;
}

/* ---- jobs ---- */

static void run_in_transaction(struct writer *w, struct writer_job *j)
{
    int64_t limit_ms = j->time_limit_ms ? j->time_limit_ms : LIMIT_WRITE_TIME_MS;
    err_clear(&j->err);
    j->status = execute(w, STR("SAVEPOINT job"), &j->err);
    if (j->status != STATUS_OK)
        return;
    conn_deadline(w->conn, clock_mono_us() + limit_ms * 1000, NULL);
    j->status = FAULT("writer.job") ? err_set(&j->err, STATUS_IO, "disk I/O error (injected)") : STATUS_OK;
    if (j->status == STATUS_OK && j->via.n)
        j->status = history_author(w->conn, j->who, j->via, &j->err);
    if (j->status == STATUS_OK)
        j->status = j->run(j, w->conn, &j->err);
    if (j->status == STATUS_TIMEOUT) {
        err_set(&j->err, STATUS_TIMEOUT, "the write took longer than %lld ms: nothing of it was kept",
                (long long)limit_ms);
        err_hint(&j->err, "Write it in smaller parts.");
    }
    conn_deadline(w->conn, 0, NULL);
    if (j->status == STATUS_OK && j->via.n && !transaction_is_lost(w))
        j->status = history_author(w->conn, (str){0}, (str){0}, &j->err);
    while (w->conn->stmts_in_use)
        stmt_done(w->conn->stmts_in_use);
    if (transaction_is_lost(w)) {
        if (j->status == STATUS_OK)
            j->status = err_set(&j->err, STATUS_INTERNAL, "the write ended the transaction it ran in");
        return;
    }
    if (j->status != STATUS_OK)
        (void)!execute(w, STR("ROLLBACK TO job"), NULL);
    struct err local = ERR_INIT;
    enum status st = execute(w, STR("RELEASE job"), &local);
    if (st != STATUS_OK && j->status == STATUS_OK) {
        j->status = st;
        j->err = local;
    }
}

static void run_alone(struct writer *w, struct writer_job *j)
{
    err_clear(&j->err);
    j->status = begin(w, &j->err);
    if (j->status != STATUS_OK)
        return;
    run_in_transaction(w, j);
    if (j->status != STATUS_OK)
        roll_back(w);
    else
        j->status = commit(w, &j->err);
}

/* Jobs of [first, end) that went well, once more, each alone. */
static void run_again(struct writer *w, struct writer_job *first, const struct writer_job *end)
{
    for (struct writer_job *j = first; j != end; j = j->next) {
        if (j->status != STATUS_OK)
            continue;
        run_alone(w, j);
        pthread_mutex_lock(&w->lock);
        w->stats.retried++;
        pthread_mutex_unlock(&w->lock);
    }
}

static void fail_all(struct writer_job *first, enum status st, const struct err *err)
{
    for (struct writer_job *j = first; j; j = j->next) {
        if (j->status != STATUS_OK)
            continue;
        j->status = st;
        j->err = *err;
    }
}

/* What it began and did not end is taken back. */
static void run_its_own(struct writer *w, struct writer_job *j)
{
    err_clear(&j->err);
    let_readers_in(w);
    j->status = open_conn(w, &j->err);
    if (j->status == STATUS_OK)
        j->status = j->run(j, w->conn, &j->err);
    if (w->conn)
        roll_back(w);
}

static void run_batch(struct writer *w, struct writer_job *first)
{
    struct err err = ERR_INIT;
    if (first->alone) {
        run_its_own(w, first);
        return;
    }
    for (struct writer_job *j = first; j; j = j->next)
        j->status = STATUS_OK;
    enum status st = begin(w, &err);
    if (st != STATUS_OK) {
        fail_all(first, st, &err);
        return;
    }
    bool any = false;
    for (struct writer_job *j = first; j; j = j->next) {
        run_in_transaction(w, j);
        any = any || j->status == STATUS_OK;
        if (!transaction_is_lost(w))
            continue;
        run_again(w, first, j);
        if (j->next)
            run_batch(w, j->next); /* as deep as jobs that lose transactions: LIMIT_WRITER_BATCH at most */
        return;
    }
    if (!any) {
        roll_back(w);
        return;
    }
    st = commit(w, &err);
    if (st == STATUS_CONFLICT)
        run_again(w, first, NULL);
    else if (st != STATUS_OK)
        fail_all(first, st, &err);
}

/* ---- thread ---- */

static struct writer_job *take(struct writer *w)
{
    struct writer_job *first = w->first, *j = first;
    for (size_t n = 1; j && j->next && n < LIMIT_WRITER_BATCH && !j->alone && !j->next->alone; n++)
        j = j->next;
    if (!j)
        return NULL;
    w->first = j->next;
    if (!w->first)
        w->last = &w->first;
    j->next = NULL;
    for (j = first; j; j = j->next)
        w->stats.queued--;
    return first;
}

static void finish(struct writer *w, struct writer_job *first)
{
    size_t jobs = 0, failed = 0;
    for (struct writer_job *j = first; j; j = j->next) {
        jobs++;
        failed += j->status != STATUS_OK;
    }
    pthread_mutex_lock(&w->lock);
    w->stats.jobs += jobs;
    w->stats.failed += failed;
    pthread_mutex_unlock(&w->lock);
    for (struct writer_job *j = first, *next; j; j = next) {
        next = j->next; /* done() may free the job */
        j->done(j);
    }
}

static void writer_thread(void *arg)
{
    struct writer *w = arg;
    pthread_mutex_lock(&w->lock);
    for (;;) {
        while (!w->first && !w->stopping)
            pthread_cond_wait(&w->wake, &w->lock);
        struct writer_job *batch = take(w);
        if (!batch)
            break;
        pthread_mutex_unlock(&w->lock);
        run_batch(w, batch);
        finish(w, batch);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    conn_close(w->conn);
    w->conn = NULL;
}

/* ---- doors ---- */

struct writer *writer_new(struct database *db, enum writer_sync sync)
{
    struct writer *w = MEM_NEW(struct writer);
    w->db = database_ref(db);
    w->sync = sync;
    w->last = &w->first;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, NULL);
    return w;
}

void writer_free(struct writer *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_signal(&w->wake);
    bool started = w->started;
    pthread_mutex_unlock(&w->lock);
    if (started)
        thread_join(w->thread);
    database_unref(w->db);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

enum status writer_submit(struct writer *w, struct writer_job *j, struct err *err)
{
    enum status st = STATUS_OK;
    if (database_is_immutable(w->db))
        return err_set(err, STATUS_FORBIDDEN, "Database is immutable");
    j->next = NULL;
    pthread_mutex_lock(&w->lock);
    if (w->stopping)
        st = err_set(err, STATUS_CLOSED, "The server is stopping");
    else if (w->stats.queued >= LIMIT_WRITER_QUEUE)
        st = err_set(err, STATUS_BUSY, "Too many writes are waiting. Try again in a moment.");
    else if (!w->started)
        st = thread_start("db-writer", 0, writer_thread, w, &w->thread, err);
    if (st == STATUS_OK) {
        w->started = true;
        w->stats.queued++;
        *w->last = j;
        w->last = &j->next;
        pthread_cond_signal(&w->wake);
    }
    pthread_mutex_unlock(&w->lock);
    return st;
}

struct waiter {
    struct writer_job job; /* first: done() gets its address */
    struct writer_job *wanted;
    pthread_mutex_t lock;
    pthread_cond_t finished;
    bool is_finished;
};

static enum status waiter_run(struct writer_job *j, struct conn *c, struct err *err)
{
    struct waiter *wait = (struct waiter *)j;
    return wait->wanted->run(wait->wanted, c, err);
}

static void waiter_done(struct writer_job *j)
{
    struct waiter *wait = (struct waiter *)j;
    pthread_mutex_lock(&wait->lock);
    wait->is_finished = true;
    pthread_cond_signal(&wait->finished);
    pthread_mutex_unlock(&wait->lock);
}

enum status writer_run(struct writer *w, struct writer_job *j, struct err *err)
{
    struct waiter wait = {.wanted = j};
    wait.job = (struct writer_job){.run = waiter_run,
                                   .done = waiter_done,
                                   .time_limit_ms = j->time_limit_ms,
                                   .who = j->who,
                                   .via = j->via,
                                   .alone = j->alone};
    pthread_mutex_init(&wait.lock, NULL);
    pthread_cond_init(&wait.finished, NULL);
    enum status st = writer_submit(w, &wait.job, err);
    if (st == STATUS_OK) {
        pthread_mutex_lock(&wait.lock);
        while (!wait.is_finished)
            pthread_cond_wait(&wait.finished, &wait.lock);
        pthread_mutex_unlock(&wait.lock);
        st = wait.job.status;
        if (st != STATUS_OK && err)
            *err = wait.job.err;
    }
    pthread_cond_destroy(&wait.finished);
    pthread_mutex_destroy(&wait.lock);
    return st;
}

void writer_stats(struct writer *w, struct writer_stats *ret)
{
    pthread_mutex_lock(&w->lock);
    *ret = w->stats;
    pthread_mutex_unlock(&w->lock);
}
