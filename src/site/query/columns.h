/* SPDX-License-Identifier: Apache-2.0 */
/* query/columns: `_col`, `_nocol` -> the columns of the page. */
#ifndef VITRINE_SITE_QUERY_COLUMNS_H
#define VITRINE_SITE_QUERY_COLUMNS_H

#include "site/query/table.h"

struct query_columns {
    const str *names; /* rowid first for rowid tables */
    size_t count;
    str sql; /* "pk, state, \"a b\"" */
};

/* INVALID "_col=X - invalid columns" / "_nocol=X - invalid columns" (also for a primary key in _nocol). */
enum status query_columns(struct arena *a, const struct query_table *table, const struct args *args,
                          struct query_columns *ret, struct err *err) MUST_USE;
/* All columns of the table, whatever was asked. */
void query_columns_all(struct arena *a, const struct query_table *table, struct query_columns *ret);

#endif
