/* SPDX-License-Identifier: Apache-2.0 */
/* conn_impl: the inside of a connection. Private to src/db. */
#ifndef VITRINE_DB_CONN_IMPL_H
#define VITRINE_DB_CONN_IMPL_H

#include <sqlite3.h>

#include "base/limits.h"
#include "db/conn.h"
#include "db/database_impl.h"
#include "db/deadline.h"

struct stmt;

struct conn {
    struct sqlite3 *sqlite;
    struct database *db; /* held */
    enum conn_mode mode;
    struct db_ticket ticket;                              /* the file it was opened on */
    struct db_ticket attached_tickets[LIMIT_DB_ATTACHED]; /* likewise */
    struct db_signature opened;                           /* ticket.needs_immutable: good for this signature only */
    struct db_signature acquired; /* looked: as conn_acquire saw it, and nothing was read since */
    bool looked;
    bool cached;      /* belongs to a thread's cache */
    bool broken;      /* met corruption or an I/O error: not kept */
    bool in_read;     /* conn_begin_read */
    bool trusted;     /* what SQLite compiles now is ours: the authorizer lets it pass */
    char reason[256]; /* why the authorizer refused; "" = it did not */
    struct deadline deadline;

    struct stmt *stmts[LIMIT_DB_STMTS_PER_CONN]; /* prepared, idle or in use */
    uint64_t stmt_hashes[LIMIT_DB_STMTS_PER_CONN];
    size_t stmt_count;
    uint64_t stmt_clock; /* counts uses, for least recently used */
    struct stmt *stmts_in_use;

    const struct schema *schema; /* what this connection saw last; NULL = nothing */
    struct db_signature schema_signature;

    struct conn *next, *prev; /* conn_cache.c */
};

enum status conn_open(struct database *db, enum conn_mode mode, struct conn **ret_conn, struct err *err) MUST_USE;
/* Good for another request: still the file that the path leads to. */
bool conn_is_current(struct conn *c);
/* Ends statements, transaction and deadline. */
void conn_rest(struct conn *c);
/* Message and status of the last SQLite error on this connection, with what the deadline and the authorizer know. */
enum status conn_error(struct conn *c, int code, struct err *err);
void stmt_drop_all(struct conn *c);
/* One statement, compiled as visitors' SQL, in no cache: the caller finalizes it. */
enum status stmt_compile(struct conn *c, str sql, struct sqlite3_stmt **ret, struct err *err) MUST_USE;

#endif
