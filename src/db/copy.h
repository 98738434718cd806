/* SPDX-License-Identifier: Apache-2.0 */
/* copy: all pages of one database into another, while others go on reading and writing it (SQLite's online backup).
 * Blocks; any thread. */
#ifndef VITRINE_DB_COPY_H
#define VITRINE_DB_COPY_H

#include "db/conn.h"

struct copy_progress {
    void (*step)(void *arg, uint64_t pages, uint64_t of); /* NULL = nobody looks; every 16 MB or so */
    void *arg;
    const atomic_bool *cancelled; /* NULL = never */
};

/* `file` becomes the database as it was at one moment: of a WAL database when the copy began, of another one when the
 * last page was read. The file is made when it does not exist. An existing database is replaced in one transaction, by
 * its own locks: who reads it sees the old one or the new one, and every process notices. It is on disk on return.
 *
 * Statuses: CANCELLED; BUSY (`from` is written without end and keeps no write-ahead log, or `file` is locked); CORRUPT,
 * IO, DISK_FULL of either. After a failure an existing database is as it was; a file that was made is to be removed. */
enum status copy_database(struct database *from, const char *file, const struct copy_progress *progress,
                          struct err *err) MUST_USE;
/* PRAGMA integrity_check (quick: quick_check) on a file that nobody writes. CORRUPT with what SQLite found first. */
enum status copy_check(const char *file, bool quick, const atomic_bool *cancelled, struct err *err) MUST_USE;

#endif
