/* SPDX-License-Identifier: Apache-2.0 */
/* write/alter: the operations of /-/alter as data, and what they make of a table. */
#ifndef VITRINE_SITE_WRITE_ALTER_H
#define VITRINE_SITE_WRITE_ALTER_H

#include "codec/value.h"
#include "migrate/table_def.h"

enum alter_op {
    ALTER_ADD_COLUMN,
    ALTER_RENAME_COLUMN,
    ALTER_RENAME_TABLE,
    ALTER_ALTER_COLUMN,
    ALTER_DROP_COLUMN,
    ALTER_SET_PRIMARY_KEY,
    ALTER_REORDER_COLUMNS,
    ALTER_ADD_FOREIGN_KEY,
    ALTER_DROP_FOREIGN_KEY,
    ALTER_SET_FOREIGN_KEYS,
    ALTER_OP_COUNT
};
extern const char *const alter_op_names[ALTER_OP_COUNT];

struct alter_fk {
    str column, table, other; /* other empty = the single key of the table */
};

struct alter_step {
    enum alter_op op;
    str name, to;                /* column, new name */
    const char *type;            /* SQL; NULL = as it is */
    bool has_not_null, not_null; /* alter_column: was it said? */
    bool has_default;
    str default_sql; /* p == NULL with has_default: no default any more */
    VEC(str) columns;
    VEC(struct alter_fk) fks;
};

struct alter_plan {
    VEC(struct alter_step) steps;
    str rename_to; /* empty = keeps its name */
};

/* INVALID "operations.0...: why". Strings are borrowed from the body. */
enum status alter_plan_read(struct arena *a, struct value body, struct alter_plan *ret, struct err *err) MUST_USE;

/* All but add_column (which SQLite does itself, before) and rename_table, on a table as data. INVALID for a column that
 * is not there, CONFLICT for one that cannot go. */
enum status alter_apply(struct arena *a, const struct alter_plan *p, struct table_def *d, struct err *err) MUST_USE;
/* "alter table "t" add column ..." */
str alter_add_column_sql(struct arena *a, str table, const struct alter_step *s);

/* Writer's thread, inside of a transaction: all of it, and the history of the table follows. */
struct conn;
enum status alter_table_run(struct arena *a, struct conn *c, str table, const struct alter_plan *p,
                            struct err *err) MUST_USE;

#endif
