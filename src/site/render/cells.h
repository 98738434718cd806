/* SPDX-License-Identifier: Apache-2.0 */
/* cells: rows as the HTML tables show them, for display_columns and display_rows of templates. What rows are to a
 * template is told in display_rows.h, how one cell looks in cell_show.h. */
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

#endif
