/* SPDX-License-Identifier: Apache-2.0 */
/* conn: one SQLite connection with the house policy: read-only, authorizer, limits, functions, deadline.
 *
 * A connection belongs to one thread at a time. conn_acquire() lends one from the calling thread's cache
 * (conn_cache.h); give it back on the same thread. Streams that move between threads use conn_open_private(). All
 * functions block on disk and must not run on the loop thread. */
#ifndef VITRINE_DB_CONN_H
#define VITRINE_DB_CONN_H

#include <stdatomic.h>

#include "db/database.h"

struct conn;
struct sqlite3;

enum conn_mode {
    CONN_READ, /* SELECT only; see authorizer.h */
    CONN_WRITE /* private connections only: read-write, no authorizer except against load_extension() */
};

/* Statuses of both: those of database_check(), CLOSED (retired), NO_MEMORY.
 * conn_acquire may be called again while one is held: the second is another connection. */
enum status conn_acquire(struct database *db, struct conn **ret_conn, struct err *err) MUST_USE;
/* Ends any statement and transaction, clears the deadline, keeps the connection for the thread. NULL is fine. */
void conn_release(struct conn *c);

enum status conn_open_private(struct database *db, enum conn_mode mode, struct conn **ret_conn,
                              struct err *err) MUST_USE;
void conn_close(struct conn *c); /* private ones; NULL is fine */

struct database *conn_database(const struct conn *c); /* borrowed */
struct sqlite3 *conn_sqlite(struct conn *c);          /* for code of this folder and replicate */

/* Statements of this connection stop with TIMEOUT once clock_mono_us() passes `deadline_mono_us` (0 = none), or with
 * CANCELLED once *cancelled is true (NULL = never; must stay valid until replaced or released). Looked at every 1,000
 * VM steps (some 20 us), while waiting for locks, and inside our own long functions. */
void conn_deadline(struct conn *c, int64_t deadline_mono_us, const atomic_bool *cancelled);

/* One snapshot for several statements: what other processes commit in between is not seen. Ends at conn_release too.
 * Do not hold one for long: it keeps a WAL from being reset. Statuses: BUSY, CORRUPT, IO. */
enum status conn_begin_read(struct conn *c, struct err *err) MUST_USE;
void conn_end_read(struct conn *c);

/* Of the last INSERT, UPDATE or DELETE on this connection. */
int64_t conn_changes(struct conn *c);
int64_t conn_last_rowid(struct conn *c);

/* Runs statements without results, past the authorizer: for our own constant SQL and for CONN_WRITE. */
enum status conn_execute(struct conn *c, str sql, struct err *err) MUST_USE;
/* Another file beside this one, as `schema`, and away again: ours to name, not a visitor's. Not inside of a
 * transaction. */
enum status conn_attach(struct conn *c, str file, const char *schema, struct err *err) MUST_USE;
enum status conn_detach(struct conn *c, const char *schema, struct err *err) MUST_USE;
/* The files of the write-ahead log stay, empty, when this connection is the last that closes: a database that is opened
 * and closed often need not make and remove them each time. For a CONN_WRITE connection. */
enum status conn_keep_log(struct conn *c, struct err *err) MUST_USE;
/* VACUUM attaches a file of its own, which other statements may not. Not inside of a transaction. */
enum status conn_vacuum(struct conn *c, struct err *err) MUST_USE;
/* One statement of a script of others on a CONN_WRITE connection, to its end; its rows are dropped. It is judged by the
 * authorizer (no ATTACH, no transactions, no PRAGMA), kept in no cache, and may have LIMIT_DB_SCRIPT_BYTES. Statuses:
 * those of conn_prepare and stmt_step. */
enum status conn_run(struct conn *c, str sql, struct err *err) MUST_USE;

#endif
