/* SPDX-License-Identifier: Apache-2.0 */
/* table: the table that an import goes to: what it has, what it needs, the SQL for it. Names are quoted always. */
#ifndef VITRINE_INGEST_TABLE_H
#define VITRINE_INGEST_TABLE_H

#include "db/stmt.h"
#include "ingest/plan.h"

struct table_column {
    str name, type; /* type as declared */
    int pk;         /* place in the primary key, 0 = not part of it */
};

struct table {
    str name;
    bool exists;
    struct table_column *columns;
    size_t column_count;
    const str *keys; /* primary key, in its order; of the existing table or as asked for */
    size_t key_count;
    size_t *map; /* file column -> column of `columns`, SIZE_MAX = to be added */
};

/* What there is. INVALID: it is a view or a virtual table that cannot be written. */
enum status table_look(struct arena *a, struct conn *c, str name, struct table *ret, struct err *err) MUST_USE;
/* Brings file and table together: types of existing columns are forced on the plan, missing ones are found. Statuses:
 * USAGE (no such key column, no key for an upsert), CONFLICT (columns are missing and --alter was not given). */
enum status table_fit(struct arena *a, struct table *t, struct plan *p, const struct ingest_options *o,
                      struct err *err) MUST_USE;
/* The types of existing columns, forced on the plan once more (after it has decided anew). */
void table_force(const struct table *t, struct plan *p);
/* What table_prepare() makes a new table with. */
str table_create_sql(struct arena *a, const struct table *t, const struct plan *p, const struct ingest_options *o);
/* Inside of the transaction: drops, creates, adds columns, empties, as needed. */
enum status table_prepare(struct arena *a, struct conn *c, struct table *t, const struct plan *p,
                          const struct ingest_options *o, struct err *err) MUST_USE;
enum status table_empty(struct conn *c, str name, struct err *err) MUST_USE;
/* An index on the column that refers to the parent, when there is a parent. */
enum status table_index_parent(struct conn *c, const struct table *t, const struct ingest_options *o,
                               struct err *err) MUST_USE;
/* INSERT for one row of the file: parameter n is column n of the plan. */
str table_insert_sql(struct arena *a, const struct table *t, const struct plan *p, const struct ingest_options *o);

#endif
