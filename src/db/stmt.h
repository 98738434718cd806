/* SPDX-License-Identifier: Apache-2.0 */
/* stmt: a prepared statement. Prepared ones are kept by the connection (least recently used goes first), found by SQL
 * text.
 *
 *   conn_prepare -> stmt_bind_* -> while (stmt_step == AGAIN) stmt_column_* -> stmt_done (always, also after errors)
 *
 * Same thread as its connection. Text and blobs of a row are borrowed until the next step or done. */
#ifndef VITRINE_DB_STMT_H
#define VITRINE_DB_STMT_H

#include "db/conn.h"

struct stmt;

enum db_kind { DB_NULL, DB_INT, DB_FLOAT, DB_TEXT, DB_BLOB };

struct db_value {
    enum db_kind kind;
    union {
        int64_t i;
        double f;
    };
    str s; /* TEXT (bytes may be invalid UTF-8 and may hold NULs) or BLOB */
};

/* SQL (SQLite's own message as err->text; also for refusals of the authorizer), INVALID (empty, or more than one
 * statement), TOO_LARGE, TIMEOUT, BUSY, CORRUPT, IO, NO_MEMORY. Exactly one statement; a trailing ';' and comments are
 * fine. */
enum status conn_prepare(struct conn *c, str sql, struct stmt **ret_stmt, struct err *err) MUST_USE;
/* As conn_prepare, past the read-only authorizer: for SQL that is ours and constant. */
enum status conn_prepare_trusted(struct conn *c, str sql, struct stmt **ret_stmt, struct err *err) MUST_USE;
/* Resets, clears bindings, gives it back to the cache. NULL is fine. */
void stmt_done(struct stmt *s);
/* Makes it ready to run again; parameters keep their values until they are bound anew. */
void stmt_reset(struct stmt *s);

/* Parameters. index from 1. Text and blobs are copied (..._static: borrowed until stmt_done). A name that
 * the statement has not is no error. Statuses: RANGE (no such index), TOO_LARGE, NO_MEMORY. */
int stmt_parameter_count(struct stmt *s);
str stmt_parameter_name(struct stmt *s, int index); /* without its first character; empty for "?" */
enum status stmt_bind(struct stmt *s, int index, struct db_value v, struct err *err) MUST_USE;
enum status stmt_bind_null(struct stmt *s, int index, struct err *err) MUST_USE;
enum status stmt_bind_i64(struct stmt *s, int index, int64_t v, struct err *err) MUST_USE;
enum status stmt_bind_f64(struct stmt *s, int index, double v, struct err *err) MUST_USE;
enum status stmt_bind_text(struct stmt *s, int index, str v, struct err *err) MUST_USE;
enum status stmt_bind_text_static(struct stmt *s, int index, str v, struct err *err) MUST_USE;
enum status stmt_bind_blob(struct stmt *s, int index, str v, struct err *err) MUST_USE;
/* By name; a name that the statement does not have is ignored (OK). */
enum status stmt_bind_named(struct stmt *s, str name, struct db_value v, struct err *err) MUST_USE;

/* AGAIN = there is a row, OK = finished. Else: SQL, TIMEOUT, CANCELLED, BUSY, CORRUPT, TOO_LARGE, DISK_FULL, IO,
 * NO_MEMORY. */
enum status stmt_step(struct stmt *s, struct err *err) MUST_USE;

int stmt_column_count(struct stmt *s);
str stmt_column_name(struct stmt *s, int column);     /* column from 0; borrowed until stmt_done */
str stmt_column_decltype(struct stmt *s, int column); /* as declared; empty for expressions */
enum db_kind stmt_column_kind(struct stmt *s, int column);
int64_t stmt_column_i64(struct stmt *s, int column); /* converts as SQLite does */
double stmt_column_f64(struct stmt *s, int column);
str stmt_column_text(struct stmt *s, int column); /* numbers as text; NULL gives {NULL, 0} */
struct db_value stmt_column_value(struct stmt *s, int column);

/* First column of the first row of trusted constant SQL; NOT_FOUND without a row. */
enum status conn_query_i64(struct conn *c, str sql, int64_t *ret, struct err *err) MUST_USE;
/* The first column of all rows of trusted SQL, as texts in `a`; `value` for its only parameter, if it has one. */
enum status conn_fetch_texts(struct conn *c, struct arena *a, str sql, str value, str **ret, size_t *ret_count,
                             struct err *err) MUST_USE;

#endif
