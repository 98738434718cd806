/* SPDX-License-Identifier: Apache-2.0 */
/* database_impl: what conn.c and schema.c need of a database. Private to src/db. */
#ifndef VITRINE_DB_DATABASE_IMPL_H
#define VITRINE_DB_DATABASE_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "db/database.h"
#include "db/open.h"

struct sqlite3;
struct schema;

/* One file as it was found at the path; replaced by another db_file when the path leads to another inode. */
struct db_file {
    atomic_int refs;
    struct inode *main;
    struct inode **shm; /* every -shm seen, newest last: descriptors must outlive the connections (inode.c) */
    size_t shm_count;
    bool needs_immutable; /* see open.c; then connections are only good for one signature */
};

struct database {
    char *name, *path; /* path NULL = memory */
    char *shm_path, *wal_path;
    char *memory_name; /* unique in the process */
    bool immutable, nolock, create, foreign_keys;
    char **extensions;
    size_t extension_count;
    struct database **attached; /* with their schema names */
    char **attached_names;
    size_t attached_count;
    int64_t cache_size_kb, busy_timeout_ms;

    atomic_int refs;   /* owners + connections + 1 while owners > 0 */
    atomic_int owners; /* database_new and database_ref; 0 = retired */
    atomic_bool retired;
    atomic_bool fixed;             /* immutable, and its file is open: file does not change any more */
    atomic_llong reader_waited_us; /* monotonic time when a reader of this process last met a lock */
    atomic_ullong touched;         /* counts commits of this process to a memory database */
    atomic_ullong generation;      /* counts replacements of the file, attached ones included */

    pthread_rwlock_t lock; /* below this line; held for some system calls, never while SQLite runs */
    struct db_file *file;
    struct sqlite3 *anchor;      /* memory: keeps the content alive */
    const struct schema *schema; /* newest snapshot, shared by connections; schema.c */
    uint64_t schema_generation;
};

struct db_ticket {        /* what a connection is opened on */
    struct db_file *file; /* a reference; NULL for memory */
    uint64_t generation;
    bool needs_immutable;
};

struct open_request database_request(const struct database *db, bool writable);
/* Looks whether the path still leads to the same files, and gives what a new connection needs. */
enum status database_ticket(struct database *db, struct db_ticket *ret, struct err *err) MUST_USE;
/* As above for a connection that exists: its generation is compared with *ret_generation, nothing is referenced. */
enum status database_generation(struct database *db, uint64_t *ret_generation, struct err *err) MUST_USE;
/* Generation and signature of the same moment; ret may be NULL. Statuses: those of database_signature. */
enum status database_look(struct database *db, uint64_t *ret_generation, struct db_signature *ret,
                          struct err *err) MUST_USE;
/* Forgets what was found at the path, so that the next ticket looks anew (a -shm file came or went). */
void database_reinspect(struct database *db);
void db_file_unref(struct db_file *f);
void database_hold(struct database *db); /* connections */
void database_drop(struct database *db);

#endif
