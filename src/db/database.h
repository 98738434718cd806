/* SPDX-License-Identifier: Apache-2.0 */
/* database: one published SQLite file (or in-memory database), shared by all threads.
 *
 * It owns no connection except the anchor of a named memory database; connections are made by conn.h and hold a
 * reference. The essay about signatures and file descriptors is in database.c. */
#ifndef VITRINE_DB_DATABASE_H
#define VITRINE_DB_DATABASE_H

#include "base/arena.h"
#include "base/err.h"

struct database;

struct database_attach { /* --crossdb: further files on every connection, under a schema name */
    str name;
    str path;
    bool immutable;
};

struct database_options {       /* all borrowed; database_new() copies */
    str name;                   /* for messages; for memory databases also which one is shared */
    str path;                   /* the file as the user typed it; ignored for memory */
    bool memory;                /* no file. Same name = same content for all connections of this object; starts empty */
    bool immutable;             /* nobody writes: no locks, no change detection, memory-mapped */
    bool nolock;                /* open although another process holds a lock; may read inconsistent data */
    bool create;                /* database_check() makes the file when it does not exist */
    const str *load_extensions; /* "PATH" or "PATH:ENTRY" */
    size_t load_extension_count;
    bool foreign_keys;                    /* writing connections obey REFERENCES; SQLite's default is not to */
    const struct database_attach *attach; /* at most 10 */
    size_t attach_count;
    int64_t cache_size_kb;   /* page cache of one connection; 0 = SQLite's default */
    int64_t busy_timeout_ms; /* how long a statement waits for another process's lock; 0 = 1000 */
};

/* Copies the options; touches no disk. INVALID: more than 10 attached files, no path.
 * Threads: any. Blocks: no. The caller owns one reference. */
enum status database_new(const struct database_options *o, struct database **ret_db, struct err *err) MUST_USE;
struct database *database_ref(struct database *db);
/* Drops a reference; the last one closes idle connections and descriptors. NULL is fine. */
void database_unref(struct database *db);

/* Opens the file once and reads its schema version, so that an unreadable file is refused at start with the remedy in
 * err->hint. Makes the file when `create` says so. Blocks. Statuses: NOT_FOUND, FORBIDDEN (no permission), CORRUPT (no
 * database, truncated, damaged), BUSY (locked), INVALID (directory, pipe, device), IO, SQL (an extension does not
 * load). */
enum status database_check(struct database *db, struct err *err) MUST_USE;

str database_name(const struct database *db);
str database_path(const struct database *db); /* empty for memory */
bool database_is_immutable(const struct database *db);
int64_t database_size_bytes(struct database *db); /* file now, without its WAL; 0 for memory or when it is gone */

/* A value that differs whenever the data may differ. Equal signatures = SQLite would read the same pages. Take it
 * BEFORE reading; to store an answer under it, take it again afterwards and store only when both are equal (a writer
 * that dies within its commit may make SQLite take the file back to an older state). */
struct db_signature {
    uint64_t words[10];
};
/* Two to four system calls (stat, pread), about 1-2 us; no SQLite, no locks of other processes; the loop thread may
 * call it. Notices every commit by any process as soon as readers can see it, and a file that was replaced or deleted.
 * Replaced: the object moves to the new file by itself: connections acquired from now on read the new file, those in
 * use finish on the old one. Statuses: NOT_FOUND (deleted), FORBIDDEN, IO, INVALID. */
enum status database_signature(struct database *db, struct db_signature *ret, struct err *err) MUST_USE;
static inline bool db_signature_equal(const struct db_signature *a, const struct db_signature *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}
uint64_t db_signature_hash(const struct db_signature *s);

/* Says that this process changed a memory database (stmt.c calls it for writable connections). Threads: any. */
void database_touch(struct database *db);
/* No new connections from now on (conn_acquire gives CLOSED); idle ones of all threads are closed now, those in use
 * when they are released. Threads: any. */
void database_retire(struct database *db);

#endif
