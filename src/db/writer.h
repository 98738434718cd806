/* SPDX-License-Identifier: Apache-2.0 */
/* writer: all writing to one database goes through one thread. Jobs that wait together share a transaction, each in a
 * savepoint of its own, and are answered after the COMMIT: one fsync serves many clients, and "done" means durable.
 * The essay is in writer.c. */
#ifndef VITRINE_DB_WRITER_H
#define VITRINE_DB_WRITER_H

#include "db/conn.h"

struct writer;
struct writer_job;

enum writer_sync {
    WRITER_SYNC_FULL,  /* an acknowledged write survives a power cut */
    WRITER_SYNC_NORMAL /* ... survives a crash of the process; after a power cut the last ones may be missing (WAL) */
};

/* Caller's storage; untouched by the caller from writer_submit until done(). */
struct writer_job {
    /* On the writer's thread, inside a transaction that is not the job's own: no BEGIN, COMMIT, SAVEPOINT. Anything but
     * OK undoes what it did, and nothing else. It may be called a second time when the transaction was lost because of
     * another job: it must start from scratch then. Must not use schema_get() on `c`: uncommitted tables would be
     * shared with readers. */
    enum status (*run)(struct writer_job *j, struct conn *c, struct err *err);
    /* Once, on the writer's thread, after the COMMIT or the failure; status and err are set. The job is the caller's
     * again. Must not block for long. */
    void (*done)(struct writer_job *j);
    int64_t time_limit_ms; /* of run(); 0 = LIMIT_WRITE_TIME_MS */
    str who, via;          /* for histories (history.h): who writes, by which way; empty `via` = not said */
    /* For work that takes long and has a transaction of its own (an import): run() is called outside of any, no other
     * job shares it, there is no time limit, and it is called once. Jobs that come meanwhile wait. */
    bool alone;
    /* the writer's */
    enum status status;
    struct err err;
    struct writer_job *next;
};

struct writer_stats {
    uint64_t jobs, failed, commits, retried; /* retried: run a second time because another job lost the transaction */
    size_t queued;
};

/* Takes a reference of the database. Opens nothing: the thread and the connection come with the first job. */
struct writer *writer_new(struct database *db, enum writer_sync sync) MUST_USE;
/* Runs what is queued, ends the thread. NULL is fine. Blocks. */
void writer_free(struct writer *w);

/* BUSY: LIMIT_WRITER_QUEUE jobs wait. CLOSED: stopping. FORBIDDEN: the database is immutable. IO: no thread. done() is
 * then never called. Threads: any; never blocks for long. */
enum status writer_submit(struct writer *w, struct writer_job *j, struct err *err) MUST_USE;
/* Submits, waits for the COMMIT, gives its status. Not on the writer's thread. j->done is set by this function. */
enum status writer_run(struct writer *w, struct writer_job *j, struct err *err) MUST_USE;
void writer_stats(struct writer *w, struct writer_stats *ret);

#endif
