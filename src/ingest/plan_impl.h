/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of plan share: how a row and a cell are seen, whichever pass looks. */
#ifndef VITRINE_INGEST_PLAN_IMPL_H
#define VITRINE_INGEST_PLAN_IMPL_H

#include "base/utf8.h"
#include "ingest/plan.h"
#include "ingest/row_fault.h"

enum { MAY_INT = 1, MAY_REAL = 2, MAY_DATE_SHIFT = 2, MAY_ALL = MAY_INT | MAY_REAL | DATE_ANY << MAY_DATE_SHIFT };

#define PLAN_EXACT_INTEGER (INT64_C(1) << 53) /* a double holds all integers up to here */

/* What a column is when its values may be `may`. */
struct plan_decision {
    enum column_type type;
    unsigned date, ambiguous;
};
struct plan_decision plan_decision_of(unsigned may, bool any, bool blob);

/* The first pass for one row: counting it, and (when that finds no fault) looking at its cells. */
enum row_fault plan_count_row(struct plan *p, const struct batch *b, struct row *row);
void plan_look_row(struct plan *p, const struct batch *b, struct row *row);
/* The rows from `first` on. */
void plan_look_from(struct plan *p, const struct batch *b, size_t first);
/* A column that was guessed may be less than it was, by one value more (plan_guess.c). */
void plan_check_guess(struct plan *p, size_t column, unsigned may);

static inline void text_set(struct plan_text *t, str s)
{
    str cut = utf8_cut(s, PLAN_SAMPLE_TEXT);
    t->cut = cut.n < s.n;
    t->n = (uint8_t)cut.n;
    if (cut.n)
        memcpy(t->p, cut.p, cut.n);
}

static inline bool is_null_text(const struct ingest_options *o, str s)
{
    for (size_t i = 0; i < o->null_count; i++)
        if (str_eq(o->nulls[i], s))
            return true;
    return false;
}

static inline bool is_blank(const struct ingest_options *o, const struct cell *c)
{
    return c->kind == CELL_NULL || (c->kind == CELL_RAW && c->n == 0) ||
           (UNLIKELY(o->null_count) && c->kind == CELL_RAW && is_null_text(o, cell_str(c)));
}

static inline bool rest_is_blank(const struct cell *cells, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++)
        if (cells[i].kind != CELL_NULL && cells[i].n)
            return false;
    return true;
}

static inline bool is_ill_formed(const struct cell *cells, uint32_t count, uint32_t *ret_cell)
{
    for (uint32_t i = 0; i < count; i++)
        if (cells[i].kind <= CELL_TEXT && cells[i].n && !utf8_valid(cell_str(&cells[i]))) {
            *ret_cell = i;
            return true;
        }
    return false;
}

/* What is wrong with a row as such; sets `fault_cell` where one cell is to blame. */
static inline enum row_fault row_shape(const struct plan *p, const struct batch *b, struct row *row)
{
    const struct cell *cells = &b->rows.cells[row->first];
    if (UNLIKELY(row->fault))
        return row->fault;
    if (UNLIKELY(b->ill_formed) && is_ill_formed(cells, row->count, &row->fault_cell))
        return ROW_ILL_FORMED;
    if (UNLIKELY(row->count > p->count) && !rest_is_blank(cells, (uint32_t)p->count, row->count)) {
        row->fault_cell = (uint32_t)p->count;
        return ROW_TOO_WIDE;
    }
    return ROW_FINE;
}

static inline bool only_first_cell(const struct plan *p, const struct batch *b, const struct cell *cells,
                                   uint32_t count)
{
    if (p->count < 2 || !b->notes || !count || !cells[0].n || cells[0].kind > CELL_TEXT)
        return false;
    return count == 1 || (p->count > 2 && !cells[1].n && rest_is_blank(cells, 1, MIN(count, (uint32_t)p->count)));
}

#endif
