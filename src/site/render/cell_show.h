/* SPDX-License-Identifier: Apache-2.0 */
/* cell_show: the HTML of one cell of a page. A page has thousands: a cell becomes pieces of text that are printed at
 * once (shown_put_cell) or made a value that a template may look at (shown_value). */
#ifndef VITRINE_SITE_RENDER_CELL_SHOW_H
#define VITRINE_SITE_RENDER_CELL_SHOW_H

#include "db/schema.h"
#include "site/render/cell_html.h"

/* Types of cells in class names: of the value, or what the cell is made into. */
#define CELL_TYPE_FK    5 /* an expanded foreign key: shows a label, not a number */
#define CELL_TYPE_PK    6
#define CELL_TYPE_COUNT 7
extern const char *const cell_type_names[]; /* of a cell_kind */

struct cell_column {
    size_t source; /* column of the rowset */
    str name;
    str type;       /* column type: url, email, json; empty = none */
    str other_link; /* "<a href=..." up to the key of the row in the other table */
    bool markdown;
    str open[CELL_TYPE_COUNT]; /* "<td ...>", made when first needed */
};

struct cell_show { /* what the cells of one page have in common; do not move it */
    struct request *rq;
    const struct schema_table *table; /* NULL for query results */
    struct cell_html html;
    int64_t truncate; /* characters; 0 = never */
    bool own_html;    /* cells may be shown by column type, as Markdown or JSON: dear, and Markdown has a budget */
};

#define SHOWN_PARTS 7
struct shown {
    str open; /* "<td ...>" */
    str parts[SHOWN_PARTS];
    size_t count;
    bool raw; /* one part that is not escaped yet; else all are HTML */
    char number[VALUE_FLOAT_MAX];
};

void cell_show_init(struct cell_show *s, struct request *rq, const struct schema_table *t, int64_t truncate);
/* After it the caller sets ret->source. */
void cell_show_column(struct cell_show *s, str name, str type, struct cell_column *ret);
/* path: of the row, wanted for blobs only. *ret borrows from the cell, the column and the arena of the request. */
void cell_show(struct cell_show *s, struct cell_column *col, const struct cell *c, str path, struct shown *ret);
/* The same as a whole <td>, printed. */
void cell_show_put(struct cell_show *s, struct cell_column *col, const struct cell *c, str path, struct buf *out);
/* The cell that links to the row itself. */
void cell_show_key(const struct cell_show *s, struct cell_column *col, str path, str title, struct shown *ret);
/* HTML that a column type makes of a value, or empty with p == NULL when it has none. */
str cell_show_typed(struct arena *a, str type, const struct cell *c);
str cell_show_blob(struct arena *a, str href, size_t size);

struct value shown_value(struct arena *a, const struct shown *s); /* SAFE, or STR: text as it is */
str shown_attrs(const struct shown *s);                           /* between "<td " and ">" */
void shown_put_cell(struct buf *out, const struct shown *s);      /* the whole <td> */

/* "12.3 KB" */
str format_bytes(struct arena *a, int64_t bytes);
bool is_url(str s);

#endif
