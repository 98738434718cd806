/* SPDX-License-Identifier: Apache-2.0 */
/* write/column_types: what a column holds beyond its SQLite type: url, email, json, textarea. */
#ifndef VITRINE_SITE_WRITE_COLUMN_TYPES_H
#define VITRINE_SITE_WRITE_COLUMN_TYPES_H

#include "db/schema.h"
#include "site/request.h"

struct column_type {
    const char *name, *description;
    const char *(*check)(struct arena *a, struct value v); /* what is wrong, or NULL; NULL itself = anything goes */
};
extern const struct column_type column_type_rows[]; /* by name */
extern const size_t column_type_count;

const struct column_type *column_type_find(str name);
/* All of them are for TEXT columns. "TEXT", "INTEGER", "REAL", "BLOB", "NUMERIC" of a declared type. */
const char *column_sqlite_type(str declared);

/* DICT column -> {"type", "config"} of the configuration and of visitors, as far as they fit the columns of `t`. */
struct value column_types_of(struct request *rq, const struct schema_table *t);
/* What is wrong with a row, as texts added to `errors`. types: of column_types_of(). */
void column_types_wrong(struct arena *a, struct value types, struct value row, struct value errors);
/* Checks the rows (LIST of DICT) against the types of rq->db's table; INVALID with all reasons. */
enum status column_types_check(struct request *rq, str table, struct value rows, struct err *err) MUST_USE;

#endif
