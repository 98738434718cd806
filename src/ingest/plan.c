/* SPDX-License-Identifier: Apache-2.0 */
/* plan — the type of a column is the narrowest that every value of the file has.
 *
 * INTEGER < REAL < TEXT; dates in one order beside them. may[c] holds what is still possible for column c; each value
 * takes bits away and none comes back, so once it is 0 (text) a column costs nothing more in the first pass. Blank
 * cells say nothing. A sample would be wrong: the decimal point or the "n/a" of row 900,001 is what imports fail on
 * elsewhere.
 *
 * Rows with nothing but a first cell may be notes under the table. The last of them are kept apart until the next whole
 * row (then they were data) or the end; at the end they are notes when the first column has a type that they do not
 * fit, or when they have no delimiter and are the only short rows of the file.
 *
 * Invariants: (1) plan_look and plan_convert see the same rows and judge them by the same row_shape(). (2) a column of
 * type INTEGER or REAL that is not forced fits every value, so conversion cannot fail. Tests: tests/unit/ingest,
 * tests/ingest. */
#include "ingest/plan.h"

#include <math.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "codec/jwrite.h"
#include "ingest/row_fault.h"

#include "base/banned.h"

enum { MAY_INT = 1, MAY_REAL = 2, MAY_DATE_SHIFT = 2, MAY_ALL = MAY_INT | MAY_REAL | DATE_ANY << MAY_DATE_SHIFT };
#define EXACT_INTEGER (INT64_C(1) << 53) /* a double holds all integers up to here */

static void free_arena(void *arg)
{
    arena_free(arg);
}

struct plan *plan_new(struct arena *a, const struct ingest_options *o)
{
    struct plan *p = ARENA_NEW(a, struct plan);
    p->arena = arena_new(0); /* bounded by LIMIT_INGEST_COLUMNS times a column */
    arena_defer(a, free_arena, p->arena);
    p->options = o;
    p->empty_hash = distinct_hash(STR(""));
    return p;
}

static str renamed(const struct ingest_options *o, str name)
{
    for (size_t i = 0; i < o->rename_count; i++)
        if (str_eq(o->renames[i].column, name))
            return o->renames[i].value;
    return name;
}

void plan_columns(struct plan *p, const str *names, size_t n)
{
    if (n > p->cap) {
        size_t cap = MAX(n, p->cap * 2);
        p->columns = arena_grow(p->arena, p->columns, p->cap * sizeof *p->columns, cap * sizeof *p->columns);
        p->may = arena_grow(p->arena, p->may, p->cap, cap);
        p->cap = cap;
    }
    for (; p->count < n; p->count++) {
        p->columns[p->count] = (struct column_plan){.name = arena_str(p->arena, renamed(p->options, names[p->count]))};
        p->may[p->count] = p->options->no_types ? 0 : p->options->no_dates ? MAY_INT | MAY_REAL : MAY_ALL;
    }
}

static void text_set(struct plan_text *t, str s)
{
    str cut = utf8_cut(s, PLAN_SAMPLE_TEXT);
    t->cut = cut.n < s.n;
    t->n = (uint8_t)cut.n;
    if (cut.n)
        memcpy(t->p, cut.p, cut.n);
}

static bool is_null_text(const struct ingest_options *o, str s)
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

/* ---- rows ------------------------------------------------------------------------------------------------------- */

static bool rest_is_blank(const struct cell *cells, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++)
        if (cells[i].kind != CELL_NULL && cells[i].n)
            return false;
    return true;
}

static bool is_ill_formed(const struct cell *cells, uint32_t count, uint32_t *ret_cell)
{
    for (uint32_t i = 0; i < count; i++)
        if (cells[i].kind <= CELL_TEXT && cells[i].n && !utf8_valid(cell_str(&cells[i]))) {
            *ret_cell = i;
            return true;
        }
    return false;
}

/* What is wrong with a row as such; sets `fault_cell` where one cell is to blame. */
static enum row_fault row_shape(const struct plan *p, const struct batch *b, struct row *row)
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

/* ---- first pass ------------------------------------------------------------------------------------------------- */

static void odd(struct column_plan *c, const struct cell *cell, uint64_t line)
{
    c->odd_line = line;
    text_set(&c->odd, cell_str(cell));
}

/* What one value may be. Also says when an integer is too large to be exact as a REAL. */
static unsigned value_may(struct column_plan *c, const struct cell *cell, unsigned may)
{
    int64_t i = 0;
    double f;
    switch (cell->kind) {
    case CELL_INT:
        c->big |= cell->i > EXACT_INTEGER || cell->i < -EXACT_INTEGER;
        return MAY_INT | MAY_REAL;
    case CELL_REAL:
        return MAY_REAL;
    case CELL_RAW:
        break;
    default:
        c->blob |= cell->kind == CELL_BLOB;
        return 0;
    }
    if (may & MAY_REAL) {
        enum number_kind kind = number_parse(cell_str(cell), &i, &f);
        if (kind == NUMBER_INT) {
            c->big |= i > EXACT_INTEGER || i < -EXACT_INTEGER;
            return MAY_INT | MAY_REAL;
        }
        if (kind == NUMBER_REAL)
            return MAY_REAL;
    }
    unsigned dates = may >> MAY_DATE_SHIFT;
    return dates ? date_orders(cell_str(cell), dates) << MAY_DATE_SHIFT : 0;
}

static void look_at(struct plan *p, size_t column, const struct cell *cell, uint64_t line)
{
    struct column_plan *c = &p->columns[column];
    unsigned before = p->may[column], after = before & value_may(c, cell, before);
    if (after & MAY_REAL && !(after & MAY_INT) && c->big)
        after = 0; /* as REAL the large integer would lose digits */
    if (after != before) {
        bool narrower_type = !(after & MAY_INT) && (before & MAY_INT) && c->fits;
        if (narrower_type || (before && !after && c->fits))
            odd(c, cell, line);
        p->may[column] = (uint8_t)after;
    }
    c->fits++;
}

static inline void look_at_cell(struct plan *p, size_t column, const struct cell *cell, uint64_t line)
{
    if (p->may[column] && !is_blank(p->options, cell))
        look_at(p, column, cell, line);
}

static void take_notes_back(struct plan *p)
{
    for (size_t i = 0; i < p->note_count; i++)
        look_at_cell(p, 0, &p->notes[i].cell, p->notes[i].line);
    p->note_count = 0;
}

static void keep_note(struct plan *p, const struct cell *cell, uint64_t line, bool bare)
{
    if (p->note_count == LIMIT_INGEST_NOTE_LINES)
        take_notes_back(p);
    struct plan_note *note = &p->notes[p->note_count++];
    note->line = line;
    note->bare = bare;
    note->cell = *cell;
    note->cell.n = MIN(cell->n, (uint32_t)PLAN_SAMPLE_TEXT);
    memcpy(note->text, cell->p, note->cell.n);
    note->cell.p = note->text;
}

void plan_look(struct plan *p, const struct batch *b)
{
    for (size_t r = 0; r < b->rows.row_count; r++) {
        struct row *row = &b->rows.rows[r];
        const struct cell *cells = &b->rows.cells[row->first];
        enum row_fault fault = row_shape(p, b, row);
        p->rows++;
        p->too_short += row->count < p->count;
        p->too_wide += fault == ROW_TOO_WIDE;
        p->ill_formed += fault == ROW_ILL_FORMED;
        if (UNLIKELY(fault))
            continue;
        if (UNLIKELY(only_first_cell(p, b, cells, row->count))) {
            keep_note(p, cells, row->line, row->count == 1);
            continue;
        }
        if (UNLIKELY(p->note_count))
            take_notes_back(p);
        size_t n = MIN((size_t)row->count, p->count);
        for (size_t i = 0; i < n; i++)
            look_at_cell(p, i, &cells[i], row->line);
    }
}

/* ---- decision --------------------------------------------------------------------------------------------------- */

static void decide_notes(struct plan *p)
{
    bool notes = false, bare = true;
    for (size_t i = 0; i < p->note_count; i++) {
        bare &= p->notes[i].bare;
        struct column_plan scratch = {0};
        unsigned fits = p->may[0] & value_may(&scratch, &p->notes[i].cell, p->may[0]);
        notes |= p->may[0] && p->columns[0].fits && !fits;
    }
    if (notes || (bare && p->too_short == p->note_count && p->rows > 2 * p->note_count))
        p->notes_from = p->notes[0].line;
    else
        take_notes_back(p);
}

static void decide_type(struct plan *p, size_t column)
{
    struct column_plan *c = &p->columns[column];
    unsigned may = p->may[column], dates = may >> MAY_DATE_SHIFT;
    c->type = COLUMN_TEXT;
    if (c->blob)
        c->type = COLUMN_BLOB;
    else if (!c->fits || !may)
        return;
    else if (may & MAY_INT)
        c->type = COLUMN_INTEGER;
    else if (may & MAY_REAL)
        c->type = COLUMN_REAL;
    else if ((dates & (dates - 1)) == 0)
        c->date = dates;
    else
        c->ambiguous = dates;
}

enum column_type plan_type_of(str declared)
{
    char text[64];
    size_t n = MIN(declared.n, sizeof text - 1);
    for (size_t i = 0; i < n; i++)
        text[i] = declared.p[i] >= 'a' && declared.p[i] <= 'z' ? (char)(declared.p[i] - 32) : declared.p[i];
    text[n] = '\0';
    if (strstr(text, "INT"))
        return COLUMN_INTEGER;
    if (strstr(text, "CHAR") || strstr(text, "CLOB") || strstr(text, "TEXT") || strcmp(text, "STR") == 0)
        return COLUMN_TEXT;
    if (strstr(text, "REAL") || strstr(text, "FLOA") || strstr(text, "DOUB"))
        return COLUMN_REAL;
    return n && strcmp(text, "BLOB") == 0 ? COLUMN_BLOB : COLUMN_ANY;
}

const char *plan_type_name(enum column_type t)
{
    static const char *const names[] = {"TEXT", "INTEGER", "REAL", "BLOB", "ANY"};
    return names[t];
}

void plan_force(struct plan *p, size_t column, enum column_type t)
{
    struct column_plan *c = &p->columns[column];
    if (t == COLUMN_ANY || t == COLUMN_BLOB)
        return;
    bool fits = t == COLUMN_TEXT || t == c->type || (t == COLUMN_REAL && c->type == COLUMN_INTEGER && !c->big);
    c->type = t;
    c->forced = !fits;
    p->any_forced |= c->forced;
    if (t != COLUMN_TEXT)
        c->date = c->ambiguous = 0;
}

static size_t find_column(const struct plan *p, str name)
{
    for (size_t i = 0; i < p->count; i++)
        if (str_eq_nocase(p->columns[i].name, name))
            return i;
    return p->count;
}

enum status plan_decide(struct plan *p, struct err *err)
{
    static const char *const known[] = {"text", "integer", "int", "real", "float", "str", "string"};
    if (p->note_count)
        decide_notes(p);
    for (size_t i = 0; i < p->count; i++)
        decide_type(p, i);
    for (size_t i = 0; i < p->options->type_count; i++) {
        str column = p->options->types[i].column, type = p->options->types[i].value;
        size_t at = find_column(p, column);
        bool is_known = false;
        for (size_t k = 0; k < ARRAY_LEN(known); k++)
            is_known |= str_eq_nocase(type, str_of(known[k]));
        if (at == p->count)
            return err_set(err, STATUS_USAGE, "--type: the file has no column \"%.*s\"", STR_ARG(column));
        if (!is_known)
            return err_set(err, STATUS_USAGE, "--type %.*s: \"%.*s\" is no type; use TEXT, INTEGER or REAL",
                           STR_ARG(column), STR_ARG(type));
        p->columns[at].date = 0;
        plan_force(p, at, str_eq_nocase(type, STR("string")) ? COLUMN_TEXT : plan_type_of(type));
    }
    return STATUS_OK;
}

/* ---- second pass ------------------------------------------------------------------------------------------------ */

static inline void seen(struct plan *p, struct column_plan *c, uint64_t hash)
{
    if (hash != c->last_hash)
        distinct_add(&c->distinct, p->arena, hash);
    c->last_hash = hash;
}

static inline void stat_int(struct plan *p, struct column_plan *c, int64_t i)
{
    c->min_i = c->any ? MIN(c->min_i, i) : i;
    c->max_i = c->any ? MAX(c->max_i, i) : i;
    c->any = true;
    seen(p, c, distinct_hash_u64((uint64_t)i));
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

static void convert_date(struct batch *b, const struct column_plan *c, struct cell *cell)
{
    char text[DATE_TEXT_MAX];
    size_t n = date_normalise(cell_str(cell), (enum date_order)c->date, text);
    if (!n)
        return;
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
        break;
    case COLUMN_REAL:
        if (convert_real(cell)) {
            stat_real(p, c, cell->f);
            return;
        }
        break;
    default:
        break;
    }
    if (c->date)
        convert_date(b, c, cell);
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

void plan_convert(struct plan *p, struct batch *b)
{
    for (size_t r = 0; r < b->rows.row_count; r++) {
        struct row *row = &b->rows.rows[r];
        struct cell *cells = &b->rows.cells[row->first];
        size_t n = MIN((size_t)row->count, p->count);
        row->fault = row_shape(p, b, row);
        if (!row->fault && UNLIKELY(p->notes_from) && row->line >= p->notes_from &&
            only_first_cell(p, b, cells, row->count))
            row->fault = ROW_NOTE;
        if (!row->fault && UNLIKELY(p->any_forced))
            row->fault = check_forced(p, row, cells, n);
        if (UNLIKELY(row->fault))
            continue;
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
}

str plan_fault_text(struct arena *a, const struct plan *p, const struct row *row, const struct rows *rows)
{
    switch ((enum row_fault)row->fault) {
    case ROW_OPEN_QUOTE:
        return STR("a quote is opened and never closed");
    case ROW_TOO_WIDE:
        return arena_printf(a, "%u cells, but there are %zu columns", row->count, p->count);
    case ROW_ILL_FORMED:
        return STR("bytes that are not UTF-8");
    case ROW_NOTE:
        return STR("a note under the table");
    case ROW_BAD_JSON:
        return STR("not JSON");
    case ROW_NO_OBJECT:
        return STR("no JSON object");
    case ROW_NO_FIT: {
        str value = cell_str(&rows->cells[row->first + row->fault_cell]);
        str shown = utf8_cut(value, PLAN_SAMPLE_TEXT);
        return arena_printf(a, "\"%.*s%s\" is no %s", STR_ARG(shown), shown.n < value.n ? "..." : "",
                            plan_type_name(p->columns[row->fault_cell].type));
    }
    case ROW_FINE:
        break;
    }
    return STR("");
}
