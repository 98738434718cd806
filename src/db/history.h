/* SPDX-License-Identifier: Apache-2.0 */
/* history: every change of a table, kept in a table beside it by triggers, so that writes by any program count.
 *
 * The table "_history_T" has a row a change: version (1, 2 ...), at, op (insert, update, delete; start and stop of
 * keeping), who, via (NULL: another program), the row's key as "row.KEY", the values as "before.COLUMN" and
 * "after.COLUMN" exactly as they were stored. The essay is in history_sql.c. */
#ifndef VITRINE_DB_HISTORY_H
#define VITRINE_DB_HISTORY_H

#include "base/arena.h"
#include "db/conn.h"
#include "db/schema.h"

#define HISTORY_PREFIX       "_history_"
#define HISTORY_COMMAND_LINE "command line" /* by which way: commands of ours */
#define HISTORY_ASIDE        ":aside"
#define HISTORY_OWN_PREFIX   "_vitrine_" /* who wrote, columns of before; and what undoes an import (ingest/undo.h) */
#define HISTORY_ACTOR        "_vitrine_actor"
#define HISTORY_COLUMNS      "_vitrine_history_columns"

struct history_column {
    str name;
    const char *affinity; /* of the column in the table: "TEXT" */
};

struct history_unique {
    const str *columns;
    size_t count;
};

/* A table as its history sees it. */
struct history_shape {
    str table, history;
    const struct history_column *columns; /* no generated ones; the rowid first when it is the key */
    size_t column_count;
    const str *keys; /* primary key in its order, or the name that reaches the rowid */
    size_t key_count;
    bool by_rowid;                        /* no primary key */
    const struct history_unique *uniques; /* constraints that REPLACE deletes other rows for */
    size_t unique_count;
};

enum history_trigger {
    HISTORY_ON_INSERT,
    HISTORY_ON_UPDATE,
    HISTORY_ON_DELETE,
    HISTORY_BEFORE_INSERT,
    HISTORY_BEFORE_UPDATE,
    HISTORY_TRIGGERS
};
/* "CREATE TRIGGER ..."; empty when the table needs no such trigger. Pure. */
str history_trigger_sql(struct arena *a, const struct history_shape *s, enum history_trigger which);
str history_trigger_name(struct arena *a, str history, enum history_trigger t);
/* "CREATE TABLE ..." and the two that all histories of a database share. Pure. */
str history_table_sql(struct arena *a, const struct history_shape *s);
extern const char history_shared_sql[];
/* "CREATE TABLE ..." of the rows that REPLACE may delete, after dropping it. */
str history_aside_sql(struct arena *a, const struct history_shape *s);
/* "CREATE INDEX ..." of the rows and of moved rows. */
str history_index_sql(struct arena *a, const struct history_shape *s);

struct history_info {
    bool there;       /* the history table exists */
    bool enabled;     /* changes are being recorded */
    bool current;     /* ... of all columns as they are now */
    str history;      /* its name, also when it is not there */
    const char *why;  /* not current: what is wrong; static text */
    str column;       /* ... and where; empty = nowhere in particular */
    const str *names; /* columns that were ever recorded */
    size_t name_count;
    struct history_shape shape;
};

/* What there is. NOT_FOUND: no such table; INVALID: a view, a virtual table, a history. Any kind of connection. */
enum status history_look(struct conn *c, struct arena *a, str table, struct history_info *ret,
                         struct err *err) MUST_USE;

/* ---- reading ---- */

enum history_op { HISTORY_INSERT, HISTORY_UPDATE, HISTORY_DELETE, HISTORY_START, HISTORY_STOP, HISTORY_OPS };
extern const char *const history_op_names[HISTORY_OPS];

struct db_value;

struct history_change {
    int64_t version;
    enum history_op op;
    str at;                                /* "2026-01-31T12:30:00.123Z" */
    str who, via;                          /* via empty: another program */
    const struct db_value *keys;           /* of the row; as many as shape.key_count; of START and STOP: NULLs */
    const struct db_value *before, *after; /* as many as info.name_count; NULL = there was no row */
    const bool *recorded;                  /* was that column being recorded then? */
};

struct history_query {
    const str *keys; /* one row by its key, as texts; NULL = all rows. As many as shape.key_count */
    int64_t below;   /* only versions below; 0 = from the newest */
    int64_t version; /* only this one; 0 = any */
    int64_t above;   /* only versions above */
    str op, who;     /* empty = any */
    size_t limit;
};

/* Newest first. *ret_more: there are older ones. `info` of the same connection, and there. Statuses of stmt_step. */
enum status history_read(struct conn *c, struct arena *a, const struct history_info *info,
                         const struct history_query *q, struct history_change **ret, size_t *ret_count, bool *ret_more,
                         struct err *err) MUST_USE;
/* Did the change change this column? Of a row that came or went: is there a value? */
bool history_differs(const struct history_change *h, size_t column);

/* What bringing a row back to before a change takes. */
enum history_undo { HISTORY_UNDO_UPDATE, HISTORY_UNDO_INSERT, HISTORY_UNDO_DELETE };
/* The row as it was before version `version`. Reading: what that would take. NOT_FOUND: no such change of this row. */
enum status history_undo_plan(struct conn *c, struct arena *a, const struct history_info *info, const str *keys,
                              int64_t version, enum history_undo *ret, struct err *err) MUST_USE;
/* Does it, on a connection that writes. CONFLICT: it would take something else than `expected` by now. Columns that
 * were not recorded then stay as they are. */
enum status history_undo_run(struct conn *c, struct arena *a, str table, const str *keys, int64_t version,
                             enum history_undo expected, struct err *err) MUST_USE;

/* ---- writing ---- */

/* The rest: on a connection that writes, within the caller's transaction. */

/* Begins to record, or brings what is recorded to the columns that there are. Twice is as once. who and via: as of
 * history_author(), which could not say it before a database's first history. *ret_changed (NULL is fine): something
 * was to be done. */
enum status history_enable(struct conn *c, struct arena *a, str table, str who, str via, bool *ret_changed,
                           struct err *err) MUST_USE;
/* Ends recording. `forget`: what was recorded goes too. */
enum status history_disable(struct conn *c, struct arena *a, str table, bool forget, struct err *err) MUST_USE;
/* As history_enable() for a table that has a history that is being recorded; else does nothing. */
enum status history_refresh(struct conn *c, struct arena *a, str table, struct err *err) MUST_USE;

/* ... for every table of the database. */
enum status history_refresh_all(struct conn *c, struct arena *a, struct err *err) MUST_USE;

/* Around a change of the table's definition: suspend, change, resume. */
struct history_rename {
    str from, to;
};
enum status history_suspend(struct conn *c, struct arena *a, str table, struct history_info *ret,
                            struct err *err) MUST_USE;
enum status history_resume(struct conn *c, struct arena *a, const struct history_info *was, str table_now,
                           const struct history_rename *renames, size_t count, struct err *err) MUST_USE;

/* Says who writes until it is said again; empty `via` = nobody known. Nothing happens in a database without histories.
 */
enum status history_author(struct conn *c, str who, str via, struct err *err) MUST_USE;
/* Deletes the oldest changes beyond `max_rows` (0 = any number) and those before `before` ("2026-01-31T...", empty =
 * any age), at most LIMIT_HISTORY_PRUNE. *ret_more: there are more. */
enum status history_prune(struct conn *c, str history, int64_t max_rows, str before, bool *ret_more,
                          struct err *err) MUST_USE;
/* Names of all history tables. */
enum status history_list(struct conn *c, struct arena *a, const str **ret, size_t *ret_count, struct err *err) MUST_USE;

/* Does the database have any history, as this connection sees it now? */
bool history_in_use(struct conn *c);
/* Is it one of the tables that are kept by ourselves? Their rows are believed (undo drops the tables that they name),
 * so nobody changes them, or makes one, through the site. */
bool history_is_own_table(str table);
/* The table whose history `table` is; empty = it is none. A renamed table is found by its triggers. */
str history_owner(const struct schema *s, str table);

#endif
