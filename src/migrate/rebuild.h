/* SPDX-License-Identifier: Apache-2.0 */
/* rebuild: a table is given another shape, with its rows, rowids, indexes, triggers, views and the keys of other tables
 * kept. All of it runs inside of the caller's transaction: after a failure the caller rolls back and nothing has
 * happened. Blocks for as long as the copying takes. */
#ifndef VITRINE_MIGRATE_REBUILD_H
#define VITRINE_MIGRATE_REBUILD_H

#include "db/conn.h"
#include "migrate/table_def.h"

struct sql_log { /* what was done, statement by statement; memory from the caller's arena */
    VEC(str) items;
    bool dry; /* leave out what takes time (copying and all behind it): the caller rolls back */
};

/* The table as it is. NOT_FOUND; INVALID: a view, a virtual table, or a statement that cannot be read. */
enum status rebuild_read(struct arena *a, struct conn *c, str table, struct table_def *ret, struct err *err) MUST_USE;
/* Makes `table` what `def` says: rebuilt when it differs from what is there, then columns that `becomes` names are
 * renamed by SQLite itself, which changes the name in indexes, triggers, views and other tables too. `def` comes from
 * rebuild_read() on this connection. Needs a transaction and foreign_keys off. *ret_changed: did anything?
 * CONFLICT names the index, view or trigger that the change would break. */
enum status rebuild_table(struct arena *a, struct conn *c, const struct table_def *def, struct sql_log *log,
                          bool *ret_changed, struct err *err) MUST_USE;
/* Runs one statement and notes it. */
enum status rebuild_run(struct arena *a, struct conn *c, str sql, struct sql_log *log, struct err *err) MUST_USE;
/* The same for what takes time: in a dry run it is only noted. */
enum status rebuild_run_late(struct arena *a, struct conn *c, str sql, struct sql_log *log, struct err *err) MUST_USE;

#endif
