/* SPDX-License-Identifier: Apache-2.0 */
/* internal: the database of our own state (stored queries, column types, edited metadata, kept figures).
 *
 * One SQLite file, WAL, made with its schema at first use (tbl/internal_steps.h: append a step there to get a table).
 * Any worker may read and write, never the loop thread: both block on disk. When the file cannot be made or written,
 * everything goes to a memory database instead, which ends with the process; that is logged once.
 *
 *   struct conn *c;
 *   st = internal_read(in, &c, err);     then conn_prepare(c, ...) as on any connection, and conn_release(c)
 *   st = internal_write(in, fn, arg, err);   fn(c, arg, err) runs alone in a transaction */
#ifndef VITRINE_SITE_INTERNAL_H
#define VITRINE_SITE_INTERNAL_H

#include "db/conn.h"
#include "db/db_value.h"

struct internal;

/* path: the file, made at first use together with its folders; empty = memory. Touches no disk. */
struct internal *internal_new(str path) MUST_USE;
void internal_free(struct internal *in); /* NULL is fine; no connection may be in use */

/* Makes or opens the file now, without falling back to memory: for a path that the user named. Statuses: those of
 * database_check(), FORBIDDEN, IO, DISK_FULL. Optional. */
enum status internal_open(struct internal *in, struct err *err) MUST_USE;

/* Lends a read-only connection of the calling thread, which sees every commit made before. Give it back with
 * conn_release() before the next internal_write() of this thread. Statuses: those of conn_acquire(). */
enum status internal_read(struct internal *in, struct conn **ret_conn, struct err *err) MUST_USE;

/* Runs fn on the one writable connection within BEGIN IMMEDIATE ... COMMIT; writers of this process wait for each
 * other, those of others for at most LIMIT_DB_BUSY_TIMEOUT_MS. When fn does not return OK, all is rolled back and its
 * status comes back. fn may prepare statements (stmt_done before it returns) and use conn_execute; it must be short and
 * must not call internal_*. What it commits survives a crash of the process; the last commits may be lost when the
 * machine loses power, but the file stays whole. Statuses: fn's, BUSY, IO, DISK_FULL, CORRUPT. */
typedef enum status internal_fn(struct conn *c, void *arg, struct err *err);
enum status internal_write(struct internal *in, internal_fn *fn, void *arg, struct err *err) MUST_USE;

/* One statement with its values, alone in a transaction. *ret_changes (or NULL): rows that it changed. Statuses: those
 * of internal_write(). */
enum status internal_run(struct internal *in, const char *sql, const struct db_value *values, size_t count,
                         int64_t *ret_changes, struct err *err) MUST_USE;

/* Differs whenever something was committed by any process: to keep what was read in memory until then. Take it before
 * reading. */
enum status internal_signature(struct internal *in, struct db_signature *ret, struct err *err) MUST_USE;

/* True when state ends with the process (no path, or it could not be written). Opens the file to know. */
bool internal_is_memory(struct internal *in);
str internal_path(const struct internal *in); /* as given */

#endif
