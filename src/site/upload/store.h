/* SPDX-License-Identifier: Apache-2.0 */
/* store: files that people upload, and what becomes of them: one row of `uploads` in the internal database and one file
 * in the folder of uploads each. They outlive the process; an upload goes on where its file ends.
 *
 * An id is 128 random bits, and an upload is there only for the actor who began it: for others it is not found.
 * Whoever writes to a file, or imports it, holds flock() on it: two cannot at once, whatever process they are in, and
 * an import whose process died is known by the lock that is free.
 * Threads: workers; everything blocks on disk. */
#ifndef VITRINE_SITE_UPLOAD_STORE_H
#define VITRINE_SITE_UPLOAD_STORE_H

#include "site/request.h"

enum upload_state {
    UPLOAD_RECEIVING, /* or whole, when the file is as long as it should be */
    UPLOAD_RUNNING,   /* being imported */
    UPLOAD_DONE,
    UPLOAD_FAILED,
    UPLOAD_CANCELLED,
    UPLOAD_UNDONE, /* imported, and taken back */
    UPLOAD_STATES
};

struct upload {
    str id, actor, name;
    int64_t size;    /* of the whole; -1 = not known yet */
    int64_t offset;  /* bytes that are here */
    int64_t expires; /* Unix seconds */
    enum upload_state state;
    str metadata;         /* as a tus client gave it */
    str database, table;  /* of the import */
    struct value options; /* DICT: what was chosen for it */
    struct value report;  /* DICT: of ingest_report_json; UNDEFINED before its end */
    str fault;            /* why it failed */
};

/* May the actor put data into some database? */
bool upload_may(struct request *rq);
/* A new one, with an empty file. RATE: LIMIT_UPLOADS of them are kept. Expired ones go first. */
enum status upload_create(struct request *rq, str name, int64_t size, str metadata, struct upload *ret,
                          struct err *err) MUST_USE;
/* NOT_FOUND: none, another actor's, or expired. */
enum status upload_find(struct request *rq, str id, struct upload *ret, struct err *err) MUST_USE;
/* The file, with its lock: CONFLICT when another has it. Closing gives the lock back. */
enum status upload_lock(struct request *rq, const struct upload *u, int *ret_fd, struct err *err) MUST_USE;
bool upload_is_locked(struct site *s, str id); /* somebody writes to it or imports it */
/* Keeps the fields that change: size, state, database, table, options, report, fault. */
enum status upload_save(struct site *s, struct arena *a, const struct upload *u, struct err *err) MUST_USE;
enum status upload_delete(struct request *rq, const struct upload *u, struct err *err) MUST_USE;
/* Deletes what has expired; now and then, also where nobody uploads any more. */
void upload_sweep(struct site *s);
/* Only the file: the import is done. */
void upload_drop_file(struct site *s, struct arena *a, str id);
str upload_path(const struct site *s, struct arena *a, str id);
const char *upload_state_name(enum upload_state state); /* "receiving" */
/* Largest file: bytes. */
int64_t upload_most(const struct site *s);

#endif
