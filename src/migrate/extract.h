/* SPDX-License-Identifier: Apache-2.0 */
/* extract: columns of a table become rows of a lookup table, and a number in their place refers to them. */
#ifndef VITRINE_MIGRATE_EXTRACT_H
#define VITRINE_MIGRATE_EXTRACT_H

#include "migrate/rebuild.h"

struct extract_options {
    const str *columns; /* at least one */
    size_t column_count;
    const str *names; /* what they are called in the lookup table, one each; NULL = the same */
    str table;        /* the lookup table; empty = the columns joined with "_" */
    str fk_column;    /* in the place of the first column; empty = TABLE_id */
};

/* The lookup table (id INTEGER PRIMARY KEY and the columns, with a UNIQUE index) is made, or used when it is there and
 * has the columns: rows that it has already keep their id. Rows where all columns are NULL refer to nothing. Runs in
 * the caller's transaction; views over the columns make it fail. INVALID, CONFLICT, NOT_FOUND as rebuild_table(). */
enum status extract_columns(struct arena *a, struct conn *c, str table, const struct extract_options *o,
                            struct sql_log *log, struct err *err) MUST_USE;

#endif
