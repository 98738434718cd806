/* SPDX-License-Identifier: Apache-2.0 */
/* cells: rows as the HTML tables show them. Everything a template may ask of a row or a cell is an attribute of the
 * host objects made here; the HTML of each cell is made once, in C, because a page has thousands. */
#ifndef VITRINE_SITE_RENDER_CELLS_H
#define VITRINE_SITE_RENDER_CELLS_H

#include "db/schema.h"
#include "site/fetch.h"

struct cells_spec {
    struct request *rq;
    const struct rowset *rows;
    size_t row_count;                 /* rows to show: may be fewer than rows->row_count */
    const struct schema_table *table; /* NULL for query results */
    bool link_column;                 /* tables: first column links to the row */
    int64_t truncate;                 /* characters; 0 = never */
    const str *sortable;
    size_t sortable_count;
    struct value descriptions; /* DICT column -> text, or UNDEFINED */
    struct value column_types; /* DICT column -> {type, config}, or UNDEFINED */
    str label_column;          /* for row labels; empty = none */
};

/* display_columns (LIST of DICT) and display_rows (LIST of row objects) for _table.html. */
void cells_build(const struct cells_spec *spec, struct value *ret_columns, struct value *ret_rows);
/* display_rows of query pages: LIST of LIST of HTML texts. */
struct value cells_query_rows(struct request *rq, const struct rowset *rows);
/* HTML that a column type makes of a value, or empty with p == NULL when it has none. */
str cells_render_typed(struct arena *a, str type, const struct cell *c);
/* "12.3 KB" */
str format_bytes(struct arena *a, int64_t bytes);
bool is_url(str s);

#endif
