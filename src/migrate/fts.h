/* SPDX-License-Identifier: Apache-2.0 */
/* fts: the search index of a table: TABLE_fts, an FTS5 or FTS4 table over its columns, and triggers that keep it up to
 * date. Named as sqlite-utils names them. Runs in the caller's transaction. */
#ifndef VITRINE_MIGRATE_FTS_H
#define VITRINE_MIGRATE_FTS_H

#include "migrate/rebuild.h"

struct fts_options {
    const str *columns;
    size_t column_count;
    bool fts4;
    str tokenize; /* "porter"; empty = SQLite's default */
    bool triggers, replace;
};

/* Makes and fills it. CONFLICT: there is one and `replace` is off; INVALID: no such column, or a table without rowids.
 */
enum status fts_enable(struct arena *a, struct conn *c, str table, const struct fts_options *o, struct sql_log *log,
                       struct err *err) MUST_USE;
/* Drops it with its triggers. NOT_FOUND: there is none. */
enum status fts_disable(struct arena *a, struct conn *c, str table, struct sql_log *log, struct err *err) MUST_USE;
/* Fills it again; `command`: "rebuild" or "optimize". NOT_FOUND: there is none. */
enum status fts_run(struct arena *a, struct conn *c, str table, const char *command, struct sql_log *log,
                    struct err *err) MUST_USE;
/* The FTS table whose content is `table`, or the table itself when it is one; empty = none. */
enum status fts_find(struct arena *a, struct conn *c, str table, str *ret, bool *ret_fts5, struct err *err) MUST_USE;

#endif
