/* SPDX-License-Identifier: Apache-2.0 */
/* display_rows: the rows of a page as templates see them. */
#ifndef VITRINE_SITE_RENDER_DISPLAY_ROWS_H
#define VITRINE_SITE_RENDER_DISPLAY_ROWS_H

#include "site/render/cell_show.h"

struct display_table {
    struct cell_show show;
    struct rowset rows;
    struct cell_column *columns; /* those that are shown, without the link */
    size_t column_count;
    bool linked; /* the first cell links to the row */
    struct cell_column link;
    size_t label_column; /* of the rowset; (size_t)-1 = none */
};

/* LIST of the first `count` rows as objects: row.html, cells, pk_path, row_path, row_label, display(), keys(), items(),
 * [column]. Nothing is rendered before a template asks for it. t lives in the arena of its request. */
struct value display_rows(struct display_table *t, size_t count);

#endif
