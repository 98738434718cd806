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
 * type INTEGER or REAL that is not forced fits every value, so conversion cannot fail. Types that were guessed:
 * plan_guess.c. Tests: tests/unit/ingest,
 * tests/ingest. */
#include <math.h>
#include <stdlib.h>

#include "base/limits.h"
#include "codec/jwrite.h"
#include "ingest/plan_impl.h"

#include "base/banned.h"

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

/* ---- first pass ------------------------------------------------------------------------------------------------- */

static void odd(struct column_plan *c, const struct cell *cell, uint64_t line)
{
    c->odd_line = line;
    text_set(&c->odd, cell_str(cell));
}

/* What one value may be. Also says when an integer is too large to be exact as a REAL. In a pass that converts too the
 * number stays in the cell: its text is read once. */
static unsigned value_may(struct column_plan *c, struct cell *cell, unsigned may, bool converts)
{
    int64_t i = 0;
    double f = 0;
    switch (cell->kind) {
    case CELL_INT:
        c->big |= cell->i > PLAN_EXACT_INTEGER || cell->i < -PLAN_EXACT_INTEGER;
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
            c->big |= i > PLAN_EXACT_INTEGER || i < -PLAN_EXACT_INTEGER;
            if (converts) {
                cell->kind = CELL_INT;
                cell->i = i;
            }
            return MAY_INT | MAY_REAL;
        }
        if (kind == NUMBER_REAL) {
            if (converts) {
                cell->kind = CELL_REAL;
                cell->f = f;
            }
            return MAY_REAL;
        }
    }
    unsigned dates = may >> MAY_DATE_SHIFT;
    return dates ? date_orders(cell_str(cell), dates) << MAY_DATE_SHIFT : 0;
}

static void look_at(struct plan *p, size_t column, struct cell *cell, uint64_t line)
{
    struct column_plan *c = &p->columns[column];
    unsigned before = p->may[column], after = before & value_may(c, cell, before, p->guessed);
    if (after & MAY_REAL && !(after & MAY_INT) && c->big)
        after = 0; /* as REAL the large integer would lose digits */
    if (after != before) {
        bool narrower_type = !(after & MAY_INT) && (before & MAY_INT) && c->fits;
        if (narrower_type || (before && !after && c->fits))
            odd(c, cell, line);
        p->may[column] = (uint8_t)after;
    }
    if (UNLIKELY(p->guessed) && (after != before || !c->fits))
        plan_check_guess(p, column, after);
    c->fits++;
}

static inline void look_at_cell(struct plan *p, size_t column, struct cell *cell, uint64_t line)
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

void plan_look_row(struct plan *p, const struct batch *b, struct row *row)
{
    struct cell *cells = &b->rows.cells[row->first];
    if (UNLIKELY(only_first_cell(p, b, cells, row->count))) {
        keep_note(p, cells, row->line, row->count == 1);
        return;
    }
    if (UNLIKELY(p->note_count))
        take_notes_back(p);
    size_t n = MIN((size_t)row->count, p->count);
    for (size_t i = 0; i < n; i++)
        look_at_cell(p, i, &cells[i], row->line);
}

enum row_fault plan_count_row(struct plan *p, const struct batch *b, struct row *row)
{
    enum row_fault fault = row_shape(p, b, row);
    p->rows++;
    p->too_short += row->count < p->count;
    p->too_wide += fault == ROW_TOO_WIDE;
    p->ill_formed += fault == ROW_ILL_FORMED;
    return fault;
}

void plan_look_from(struct plan *p, const struct batch *b, size_t first)
{
    for (size_t r = first; r < b->rows.row_count; r++) {
        struct row *row = &b->rows.rows[r];
        if (LIKELY(plan_count_row(p, b, row) == ROW_FINE))
            plan_look_row(p, b, row);
    }
}

void plan_look(struct plan *p, const struct batch *b)
{
    plan_look_from(p, b, 0);
}

/* ---- decision --------------------------------------------------------------------------------------------------- */

static void decide_notes(struct plan *p)
{
    bool notes = false, bare = true;
    for (size_t i = 0; i < p->note_count; i++) {
        bare &= p->notes[i].bare;
        struct column_plan scratch = {0};
        unsigned fits = p->may[0] & value_may(&scratch, &p->notes[i].cell, p->may[0], false);
        notes |= p->may[0] && p->columns[0].fits && !fits;
    }
    if (notes || (bare && p->too_short == p->note_count && p->rows > 2 * p->note_count))
        p->notes_from = p->notes[0].line;
    else
        take_notes_back(p);
}

struct plan_decision plan_decision_of(unsigned may, bool any, bool blob)
{
    unsigned dates = may >> MAY_DATE_SHIFT;
    struct plan_decision d = {.type = COLUMN_TEXT};
    if (blob)
        d.type = COLUMN_BLOB;
    else if (!any || !may)
        return d;
    else if (may & MAY_INT)
        d.type = COLUMN_INTEGER;
    else if (may & MAY_REAL)
        d.type = COLUMN_REAL;
    else if ((dates & (dates - 1)) == 0)
        d.date = dates;
    else
        d.ambiguous = dates;
    return d;
}

static void decide_type(struct plan *p, size_t column)
{
    struct column_plan *c = &p->columns[column];
    struct plan_decision d = plan_decision_of(p->may[column], c->fits > 0, c->blob);
    c->type = c->own = d.type;
    c->date = d.date;
    c->ambiguous = d.ambiguous;
    c->forced = c->given = false;
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
    bool fits = t == COLUMN_TEXT || t == c->own || (t == COLUMN_REAL && c->own == COLUMN_INTEGER && !c->big);
    c->type = t;
    c->given = true;
    c->forced = p->guessed ? t != COLUMN_TEXT : !fits; /* what comes may not fit */
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
    p->any_forced = false;
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
