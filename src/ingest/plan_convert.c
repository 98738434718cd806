/* SPDX-License-Identifier: Apache-2.0 */
/* plan_convert — cells become what their columns are, and are counted on the way. Essay: plan.c; guessed types:
 * plan_guess.c. */
#include <math.h>

#include "base/limits.h"
#include "ingest/plan_impl.h"

#include "base/banned.h"

static inline void seen(struct plan *p, struct column_plan *c, uint64_t hash)
{
    if (hash != c->last_hash)
        distinct_add(&c->distinct, p->arena, hash);
    c->last_hash = hash;
}

/* Counted as the REAL that it is when the column turns out to be REAL; one too large for that cannot be there then. */
static inline uint64_t int_value_hash(int64_t i)
{
    double f = (double)i;
    uint64_t bits;
    if (i > PLAN_EXACT_INTEGER || i < -PLAN_EXACT_INTEGER)
        return distinct_hash_u64((uint64_t)i ^ UINT64_C(0x9e3779b97f4a7c15));
    memcpy(&bits, &f, sizeof bits);
    return distinct_hash_u64(bits);
}

static inline void stat_int(struct plan *p, struct column_plan *c, int64_t i)
{
    uint64_t hash = distinct_hash_u64((uint64_t)i);
    c->min_i = c->any ? MIN(c->min_i, i) : i;
    c->max_i = c->any ? MAX(c->max_i, i) : i;
    c->any = true;
    if (hash != c->last_hash)
        distinct_add(&c->distinct, p->arena, int_value_hash(i));
    c->last_hash = hash;
}

static inline void stat_real(struct plan *p, struct column_plan *c, double f)
{
    uint64_t bits;
    f += 0.0; /* -0.0 is 0.0 to SQL */
    memcpy(&bits, &f, sizeof bits);
    c->min_f = c->any ? MIN(c->min_f, f) : f;
    c->max_f = c->any ? MAX(c->max_f, f) : f;
    c->any = true;
    seen(p, c, distinct_hash_u64(bits));
}

static inline void stat_text(struct plan *p, struct column_plan *c, str s)
{
    uint64_t hash = distinct_hash(s);
    if (hash == c->last_hash)
        return;
    seen(p, c, hash);
    if (!c->any || str_cmp(s, str_make(c->min.p, c->min.n)) < 0)
        text_set(&c->min, s);
    if (!c->any || str_cmp(s, str_make(c->max.p, c->max.n)) > 0)
        text_set(&c->max, s);
    c->any = true;
}

/* False: it does not fit. */
static bool convert_int(struct cell *cell)
{
    double f;
    int64_t i;
    if (cell->kind == CELL_RAW || cell->kind == CELL_TEXT) {
        if (number_parse(cell_str(cell), &i, &f) != NUMBER_INT)
            return false;
        cell->i = i;
        cell->kind = CELL_INT;
    }
    return cell->kind == CELL_INT;
}

static bool convert_real(struct cell *cell)
{
    double f = 0;
    int64_t i = 0;
    if (cell->kind == CELL_RAW || cell->kind == CELL_TEXT) {
        enum number_kind kind = number_parse(cell_str(cell), &i, &f);
        if (kind == NUMBER_NONE)
            return false;
        cell->f = kind == NUMBER_INT ? (double)i : f;
        cell->kind = CELL_REAL;
    } else if (cell->kind == CELL_INT) {
        cell->f = (double)cell->i;
        cell->kind = CELL_REAL;
    }
    return cell->kind == CELL_REAL;
}

static void convert_date(struct plan *p, struct batch *b, const struct column_plan *c, struct cell *cell)
{
    char text[DATE_TEXT_MAX];
    size_t n = date_normalise(cell_str(cell), (enum date_order)c->date, text);
    if (!n) {
        p->wrong |= p->guessed;
        return;
    }
    char *copy = arena_alloc_raw(b->arena, n);
    memcpy(copy, text, n);
    cell->other = copy;
    cell->other_n = (uint8_t)n;
    cell->kind = CELL_OTHER;
}

static bool fits(const struct column_plan *c, const struct cell *cell)
{
    struct cell copy = *cell;
    return c->type == COLUMN_INTEGER ? convert_int(&copy) : c->type == COLUMN_REAL ? convert_real(&copy) : true;
}

/* Before anything of the row is changed: its text must be whole for the rejects table. */
static enum row_fault check_forced(const struct plan *p, struct row *row, const struct cell *cells, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p->columns[i].forced && !is_blank(p->options, &cells[i]) && !fits(&p->columns[i], &cells[i])) {
            row->fault_cell = (uint32_t)i;
            return ROW_NO_FIT;
        }
    return ROW_FINE;
}

static inline void convert_cell(struct plan *p, struct batch *b, struct column_plan *c, struct cell *cell)
{
    if (UNLIKELY(is_blank(p->options, cell))) {
        c->blank++;
        bool keeps = c->type == COLUMN_TEXT && cell->kind == CELL_RAW && !cell->n && !p->options->empty_null;
        cell->kind = keeps ? CELL_TEXT : CELL_NULL;
        return;
    }
    switch (c->type) {
    case COLUMN_INTEGER:
        if (convert_int(cell)) {
            stat_int(p, c, cell->i);
            return;
        }
        p->wrong |= p->guessed;
        break;
    case COLUMN_REAL:
        if (convert_real(cell)) {
            stat_real(p, c, cell->f);
            return;
        }
        p->wrong |= p->guessed;
        break;
    default:
        break;
    }
    if (c->date)
        convert_date(p, b, c, cell);
    else if (cell->kind == CELL_RAW || (c->type == COLUMN_TEXT && cell->kind != CELL_BLOB))
        cell->kind = CELL_TEXT;
    stat_text(p, c, cell->kind == CELL_OTHER ? str_make(cell->other, cell->other_n) : cell_str(cell));
}

/* The statistics have just looked at it: its hash is the column's last one. */
static inline uint64_t cell_hash(const struct plan *p, const struct column_plan *c, const struct cell *cell,
                                 uint64_t row)
{
    switch ((enum cell_kind)cell->kind) {
    case CELL_INT:
        return row_hash_add(row, VALUE_MARK_INT, c->last_hash);
    case CELL_REAL:
        return row_hash_add(row, VALUE_MARK_REAL, c->last_hash);
    case CELL_NULL:
        return row_hash_add(row, VALUE_MARK_NULL, 0);
    case CELL_BLOB:
        return row_hash_add(row, VALUE_MARK_BLOB, c->last_hash);
    default:
        break;
    }
    return row_hash_add(row, VALUE_MARK_TEXT, cell->kind == CELL_TEXT && !cell->n ? p->empty_hash : c->last_hash);
}

/* A row without a fault so far. */
static void convert_row(struct plan *p, struct batch *b, struct row *row)
{
    struct cell *cells = &b->rows.cells[row->first];
    size_t n = MIN((size_t)row->count, p->count);
    if (UNLIKELY(p->notes_from) && row->line >= p->notes_from && only_first_cell(p, b, cells, row->count))
        row->fault = ROW_NOTE;
    if (!row->fault && UNLIKELY(p->any_forced))
        row->fault = check_forced(p, row, cells, n);
    if (UNLIKELY(row->fault))
        return;
    row->hash = 0;
    for (size_t i = 0; i < n; i++) {
        convert_cell(p, b, &p->columns[i], &cells[i]);
        row->hash = cell_hash(p, &p->columns[i], &cells[i], row->hash);
    }
    for (size_t i = n; UNLIKELY(i < p->count); i++) {
        p->columns[i].blank++;
        row->hash = row_hash_add(row->hash, VALUE_MARK_NULL, 0);
    }
}

void plan_convert(struct plan *p, struct batch *b)
{
    for (size_t r = 0; r < b->rows.row_count; r++) {
        struct row *row = &b->rows.rows[r];
        row->fault = row_shape(p, b, row);
        if (LIKELY(!row->fault))
            convert_row(p, b, row);
    }
}

void plan_step(struct plan *p, struct batch *b)
{
    size_t r = 0;
    p->wrong |= b->column_count > p->count;
    plan_columns(p, b->columns, b->column_count);
    for (; r < b->rows.row_count && !p->wrong; r++) {
        struct row *row = &b->rows.rows[r];
        row->fault = plan_count_row(p, b, row);
        if (UNLIKELY(row->fault))
            continue;
        plan_look_row(p, b, row);
        convert_row(p, b, row);
    }
    plan_look_from(p, b, r);
    b->look_only = p->wrong;
}
