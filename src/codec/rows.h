/* SPDX-License-Identifier: Apache-2.0 */
/* rows: what the readers of table files give: cells in one array, rows as ranges of it. Memory is reused from one block
 * of a file to the next: nothing is allocated for a row or a cell once the arrays have grown. */
#ifndef VITRINE_CODEC_ROWS_H
#define VITRINE_CODEC_ROWS_H

#include "base/str.h"

enum cell_kind {
    CELL_NULL, /* no value */
    CELL_RAW,  /* text of a file without types (CSV): what it means is found out from the whole column */
    CELL_TEXT, /* text, whatever it looks like */
    CELL_INT,  /* i */
    CELL_REAL, /* f */
    CELL_BLOB,
    CELL_OTHER, /* text other than in the file: other, other_n */
};

struct cell {
    const char *p; /* as it stands in the file, whatever the kind; borrowed from the block's text */
    uint32_t n;    /* bytes at p */
    uint8_t kind;
    uint8_t other_n;
    union {
        int64_t i;
        double f;
        const char *other;
    };
};

struct row {
    uint64_t line;  /* of the file, from 1, where the row begins */
    uint32_t first; /* its first cell */
    uint32_t count; /* of cells */
    uint32_t fault; /* why it cannot be used (the reader's or the user's own numbers), 0 = fine */
    uint32_t fault_cell;
    uint64_t hash; /* the user's own: of the values */
};

struct rows {
    struct cell *cells;
    struct row *rows;
    size_t cell_count, cell_cap, row_count, row_cap;
};

void rows_release(struct rows *r);
static inline void rows_clear(struct rows *r)
{
    r->cell_count = r->row_count = 0;
}
void rows_grow_cells(struct rows *r); /* room for one more at least; aborts when there is no memory */
void rows_grow_rows(struct rows *r);
static inline struct cell *rows_cell(struct rows *r)
{
    if (UNLIKELY(r->cell_count == r->cell_cap))
        rows_grow_cells(r);
    return &r->cells[r->cell_count++];
}
/* Ends a row: its cells are those from `first` on. */
static inline void rows_end(struct rows *r, uint64_t line, size_t first)
{
    if (UNLIKELY(r->row_count == r->row_cap))
        rows_grow_rows(r);
    r->rows[r->row_count++] =
        (struct row){.line = line, .first = (uint32_t)first, .count = (uint32_t)(r->cell_count - first)};
}
static inline str cell_str(const struct cell *c)
{
    return (str){c->p, c->n};
}

#endif
