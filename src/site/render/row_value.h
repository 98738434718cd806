/* SPDX-License-Identifier: Apache-2.0 */
/* row_value: rows of a query as templates see them: row.name, row["name"], row[0], row.keys(), {{ row|tojson }}. */
#ifndef VITRINE_SITE_RENDER_ROW_VALUE_H
#define VITRINE_SITE_RENDER_ROW_VALUE_H

#include "site/fetch.h"

enum row_kind {
    ROW_TUPLE, /* as Python's sqlite3.Row: iterating gives the values; names of columns in any case */
    ROW_DICT   /* as a dict: iterating gives the names; an expanded foreign key is {value, label} */
};

/* LIST of the first `count` rows; they point into `rows`, which must live as long. */
struct value row_values(struct arena *a, const struct rowset *rows, size_t count, enum row_kind kind);

#endif
