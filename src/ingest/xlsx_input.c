/* SPDX-License-Identifier: Apache-2.0 */
/* xlsx_input — one sheet of a workbook as batches of rows.
 *
 * The sheet's XML is read in pieces of 16 KiB; a row is collected in memory of its own and handed to the batch when its
 * tag is closed, so that neither a piece nor a batch has to end where a row does. A sheet is never in memory as a
 * whole.
 *
 * Cells know their column, so rows are sparse: blank cells are left out by most writers. Texts of a workbook are texts,
 * whatever they look like; numbers with a format of dates become dates in ISO form. Cells that show an error (#N/A) and
 * formulas that were saved without a value are NULL, and counted. A merged cell counts as its first one.
 *
 * Columns left of the first one that the sample uses are left out; should one be used later, the passes begin anew.
 * Header, titles and notes are found as in delimited text. Tests: tests/ingest/test_xlsx.py, fuzz target `infer`. */
#include <math.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "codec/jwrite.h"
#include "ingest/dialect.h"
#include "ingest/input.h"
#include "ingest/row_fault.h"
#include "ingest/types.h"
#include "ingest/xlsx_book.h"
#include "ingest/xlsx_value.h"
#include "ingest/xml_part.h"

#include "base/banned.h"

#define BATCH_ROWS    4096
#define BATCH_CELLS   65536
#define EXACT_INTEGER 9007199254740992.0 /* 2^53: a double holds all integers up to here */

struct pending { /* a cell of the row that is being read */
    struct cell cell;
    bool own; /* cell.p is an offset into `text` */
};

struct xlsx_input {
    struct input base;
    const struct ingest_options *options;
    struct arena *book_arena;
    struct xlsx_book book;
    size_t sheet;
    struct dialect dialect;
    uint32_t first_column, leftmost; /* the table begins there; at the latest */
    bool met_left;                   /* a cell left of it */

    /* Of a pass. */
    struct xml_part *part;
    struct batch *batch;
    bool ended;
    uint64_t line;
    bool in_row, in_cell, in_value;
    unsigned phonetic;
    struct pending *cells; /* LIMIT_INGEST_COLUMNS + 1 */
    size_t cell_count;
    struct buf text;  /* of the row */
    struct buf value; /* of the cell */
    uint32_t column, next_column;
    char type; /* the first letter but for "str" and "inlineStr" ('t'); 'n' = number */
    uint64_t style;
    bool formula, has_value;
};

static enum status damaged(const char *what, struct err *err)
{
    return err_set(err, STATUS_INVALID, "%s", what);
}

/* ---- cells ------------------------------------------------------------------------------------------------------ */

static void own_text(struct xlsx_input *x, struct pending *to, str text)
{
    to->own = true;
    to->cell.p = (const char *)(uintptr_t)x->text.n;
    to->cell.n = (uint32_t)text.n;
    buf_puts(&x->text, text);
}

static void set_number(struct xlsx_input *x, struct pending *to, str raw)
{
    double f = 0;
    int64_t i = 0;
    char text[JWRITE_DOUBLE_MAX > XLSX_DATE_MAX ? JWRITE_DOUBLE_MAX : XLSX_DATE_MAX];
    unsigned show = x->style < x->book.format_count ? x->book.formats[x->style] : 0;
    enum number_kind kind = number_parse(raw, &i, &f);
    to->cell.kind = CELL_TEXT;
    if (kind == NUMBER_NONE) {
        own_text(x, to, raw);
        return;
    }
    f = kind == NUMBER_INT ? (double)i : f;
    size_t n = show ? xlsx_date(f, show, x->book.date1904, text) : 0;
    if (n) {
        own_text(x, to, str_make(text, n));
        return;
    }
    if (kind == NUMBER_REAL && f == floor(f) && fabs(f) < EXACT_INTEGER) { /* "1E3": Excel knows no integers */
        kind = NUMBER_INT;
        i = (int64_t)f;
    }
    to->cell.kind = kind == NUMBER_INT ? CELL_INT : CELL_REAL;
    if (kind == NUMBER_INT)
        to->cell.i = i;
    else
        to->cell.f = f;
    n = kind == NUMBER_INT ? (size_t)snprintf(text, sizeof text, "%lld", (long long)i) : jwrite_double(text, f);
    own_text(x, to, str_make(text, n));
}

static enum status set_shared(struct xlsx_input *x, struct pending *to, str raw, struct err *err)
{
    uint64_t at;
    if (!str_to_u64(str_trim(raw), &at) || at >= x->book.text_count)
        return damaged("a cell names a shared text that there is not", err);
    uint32_t begin = at ? x->book.ends[at - 1] : 0;
    to->cell = (struct cell){.p = x->book.texts + begin, .n = x->book.ends[at] - begin, .kind = CELL_TEXT};
    return STATUS_OK;
}

static enum status set_value(struct xlsx_input *x, struct pending *to, struct err *err)
{
    str raw = buf_str(&x->value);
    bool yes;
    switch (x->type) {
    case 's':
        return set_shared(x, to, raw, err);
    case 't':
        raw.n = raw.n ? xlsx_unescape(x->value.p, raw.n) : 0;
        to->cell.kind = CELL_TEXT;
        own_text(x, to, raw);
        break;
    case 'd': /* ISO 8601 already */
        to->cell.kind = CELL_TEXT;
        own_text(x, to, raw);
        break;
    case 'b':
        yes = str_is(str_trim(raw), "1") || str_is(str_trim(raw), "true");
        to->cell = (struct cell){.p = yes ? "TRUE" : "FALSE", .n = yes ? 4 : 5, .kind = CELL_INT, .i = yes};
        break;
    case 'e':
        x->base.cell_errors++;
        break;
    default:
        set_number(x, to, str_trim(raw));
        break;
    }
    return STATUS_OK;
}

static enum status too_long(const struct xlsx_input *x, const char *what, int most, struct err *err)
{
    err_set(err, STATUS_TOO_LARGE, "row %llu: %s is longer than %d bytes", (unsigned long long)x->line, what, most);
    return err_hint(err, "Shorten it, or save the sheet as CSV and import that.");
}

static enum status end_cell(struct xlsx_input *x, struct err *err)
{
    struct pending cell = {.cell.kind = CELL_NULL};
    x->in_cell = false;
    if (x->value.over)
        return too_long(x, "a cell", LIMIT_INGEST_XLSX_CELL, err);
    x->base.uncalculated += x->formula && !x->has_value;
    if (!x->value.n)
        return STATUS_OK;
    if (x->column < x->first_column) {
        x->met_left = true;
        return damaged("a cell stands left of the table", err);
    }
    enum status st = set_value(x, &cell, err);
    if (st != STATUS_OK || (cell.cell.kind == CELL_NULL && x->type != 'e') || (x->type == 's' && !cell.cell.n))
        return st;
    size_t at = MIN((size_t)x->column - x->first_column, (size_t)LIMIT_INGEST_COLUMNS);
    while (x->cell_count <= at)
        x->cells[x->cell_count++] = (struct pending){.cell.kind = CELL_NULL};
    x->cells[at] = cell;
    return STATUS_OK;
}

static enum status end_row(struct xlsx_input *x, struct err *err)
{
    struct rows *rows = &x->batch->rows;
    size_t first = rows->cell_count;
    x->in_row = false;
    if (!x->cell_count)
        return STATUS_OK;
    if (x->text.over)
        return too_long(x, "it", LIMIT_INGEST_RECORD, err);
    char *text = arena_alloc_raw(x->batch->arena, x->text.n + 1);
    if (x->text.n)
        memcpy(text, x->text.p, x->text.n);
    for (size_t i = 0; i < x->cell_count; i++) {
        struct cell cell = x->cells[i].cell;
        if (x->cells[i].own)
            cell.p = text + (uintptr_t)cell.p;
        *rows_cell(rows) = cell;
    }
    rows_end(rows, x->line, first);
    return STATUS_OK;
}

/* ---- tags ------------------------------------------------------------------------------------------------------- */

static void begin_row(struct xlsx_input *x, const char *const *attributes)
{
    uint64_t line;
    x->line = str_to_u64(xml_attribute(attributes, "r"), &line) ? line : x->line + 1;
    x->in_row = true;
    x->cell_count = 0;
    x->next_column = 0;
    buf_clear(&x->text);
}

static enum status begin_cell(struct xlsx_input *x, const char *const *attributes, struct err *err)
{
    str reference = xml_attribute(attributes, "r"), type = xml_attribute(attributes, "t");
    uint64_t row;
    x->column = x->next_column;
    if (reference.n && !xlsx_reference(reference, &x->column, &row))
        return err_set(err, STATUS_INVALID, "\"%.*s\" is no cell", STR_ARG(utf8_cut(reference, 40)));
    x->next_column = x->column + 1;
    if (x->next_column > 16384)
        return damaged("a row has more than 16,384 cells", err);
    x->type = str_is(type, "str") || str_is(type, "inlineStr") ? 't' : type.n ? type.p[0] : 'n';
    if (!str_to_u64(xml_attribute(attributes, "s"), &x->style))
        x->style = 0;
    x->in_cell = true;
    x->in_value = x->formula = x->has_value = false;
    x->phonetic = 0;
    buf_clear(&x->value);
    return STATUS_OK;
}

static enum status on_start(void *arg, str name, const char *const *attributes, struct err *err)
{
    struct xlsx_input *x = arg;
    if (!x->in_row) {
        if (str_is(name, "row"))
            begin_row(x, attributes);
    } else if (!x->in_cell) {
        if (str_is(name, "c"))
            return begin_cell(x, attributes, err);
    } else {
        x->formula |= str_is(name, "f");
        x->phonetic += str_is(name, "rPh");
        x->in_value = str_is(name, "v") || (str_is(name, "t") && !x->phonetic);
        x->has_value |= x->in_value;
    }
    return STATUS_OK;
}

static enum status on_end(void *arg, str name, struct err *err)
{
    struct xlsx_input *x = arg;
    x->in_value = false;
    if (x->in_cell) {
        if (str_is(name, "rPh") && x->phonetic)
            x->phonetic--;
        return str_is(name, "c") ? end_cell(x, err) : STATUS_OK;
    }
    return x->in_row && str_is(name, "row") ? end_row(x, err) : STATUS_OK;
}

static enum status on_text(void *arg, str text, struct err *err)
{
    struct xlsx_input *x = arg;
    (void)err;
    if (x->in_value)
        buf_puts(&x->value, text);
    return STATUS_OK;
}

static const struct xml_calls sheet_calls = {on_start, on_end, on_text};

/* ---- the class -------------------------------------------------------------------------------------------------- */

static enum status start(struct input *in, struct err *err)
{
    struct xlsx_input *x = (struct xlsx_input *)in;
    const struct xlsx_sheet *sheet = &x->book.sheets[x->sheet];
    xml_part_free(x->part);
    x->part = NULL;
    x->ended = x->in_row = x->in_cell = x->met_left = false;
    x->line = 0;
    x->base.cell_errors = x->base.uncalculated = 0;
    return xml_part_new(in->source, sheet->entry, sheet->name, &sheet_calls, x, &x->part, err);
}

static enum status fill_rows(struct xlsx_input *x, struct batch *b, size_t max, struct err *err)
{
    enum status st = STATUS_OK;
    x->batch = b;
    while (st == STATUS_OK && !x->ended && b->rows.row_count < max && b->rows.cell_count < BATCH_CELLS &&
           arena_used(b->arena) < LIMIT_INGEST_BLOCK)
        st = xml_part_step(x->part, &x->ended, err);
    return st;
}

static enum status fill(struct input *in, struct batch *b, struct err *err)
{
    struct xlsx_input *x = (struct xlsx_input *)in;
    enum status st = fill_rows(x, b, BATCH_ROWS, err);
    if (st != STATUS_OK)
        return st;
    batch_cut_head(in, b, x->dialect.header_line, x->dialect.data_line);
    b->notes = true;
    b->position = xml_part_position(x->part);
    b->last = x->ended;
    b->columns = in->columns.items;
    b->column_count = in->columns.count;
    return STATUS_OK;
}

/* Header and columns, from the first rows. */
static enum status look_at_head(struct xlsx_input *x, struct err *err)
{
    struct batch b;
    uint32_t left = x->leftmost;
    x->first_column = 0;
    x->dialect = (struct dialect){0};
    x->base.columns.count = 0;
    batch_init(&b);
    enum status st = start(&x->base, err);
    if (st == STATUS_OK)
        st = fill_rows(x, &b, LIMIT_INGEST_SAMPLE_ROWS, err);
    if (st == STATUS_OK && !b.rows.row_count)
        st = err_set(err, STATUS_INVALID, "%.*s: the sheet \"%.*s\" is empty", STR_ARG(x->base.source->name),
                     STR_ARG(x->book.sheets[x->sheet].name));
    b.rows.row_count = MIN(b.rows.row_count, (size_t)LIMIT_INGEST_SAMPLE_ROWS);
    for (size_t i = 0; i < b.rows.row_count; i++) {
        const struct row *row = &b.rows.rows[i];
        for (uint32_t k = 0; k < row->count && k < left; k++)
            if (b.rows.cells[row->first + k].kind != CELL_NULL)
                left = k;
    }
    for (size_t i = 0; i < b.rows.row_count; i++) {
        b.rows.rows[i].first += left;
        b.rows.rows[i].count -= MIN(left, b.rows.rows[i].count);
    }
    x->first_column = left;
    if (st == STATUS_OK)
        st = dialect_header(x->base.arena, &b.rows, x->options, true, &x->dialect, err);
    for (size_t i = 0; st == STATUS_OK && i < x->dialect.column_count; i++)
        VEC_PUSH(x->base.arena, &x->base.columns, x->dialect.columns[i]);
    x->base.header_line = x->dialect.header_line;
    batch_release(&b);
    return st;
}

static bool recover(struct input *in, struct err *err)
{
    struct xlsx_input *x = (struct xlsx_input *)in;
    if (!x->met_left)
        return false;
    err_clear(err);
    x->leftmost = x->column;
    return look_at_head(x, err) == STATUS_OK;
}

static void free_input(struct input *in)
{
    struct xlsx_input *x = (struct xlsx_input *)in;
    xml_part_free(x->part);
    x->part = NULL;
    free(x->cells);
    x->cells = NULL;
    buf_release(&x->text);
    buf_release(&x->value);
    arena_free(x->book_arena);
    x->book_arena = NULL;
}

static const struct input_class xlsx_class = {"XLSX", start, fill, NULL, recover, free_input};

static void close_input(void *arg)
{
    struct xlsx_input *x = arg;
    free_input(&x->base);
    arena_free(x->base.arena); /* x is in it */
}

enum status xlsx_input_new(struct arena *a, const struct source *s, const struct ingest_options *o, struct input **ret,
                           struct err *err)
{
    struct arena *own = arena_new(LIMIT_INGEST_ARENA);
    struct xlsx_input *x = ARENA_NEW(own, struct xlsx_input);
    x->base = (struct input){.class = &xlsx_class, .arena = own, .source = s, .sparse = true};
    x->options = o;
    x->leftmost = UINT32_MAX;
    x->book_arena = arena_new(0); /* bounded by LIMIT_INGEST_XLSX_TEXTS and the like */
    x->cells = mem_array(LIMIT_INGEST_COLUMNS + 1, sizeof *x->cells);
    buf_init(&x->text, LIMIT_INGEST_RECORD);
    buf_init(&x->value, LIMIT_INGEST_XLSX_CELL);
    arena_defer(a, close_input, x);
    enum status st = xlsx_book_open(x->book_arena, s, true, &x->book, err);
    if (st == STATUS_OK)
        st = xlsx_book_find(&x->book, s->name, o->part, &x->sheet, err);
    if (st == STATUS_OK)
        st = look_at_head(x, err);
    if (st != STATUS_OK)
        return st;
    str *names = ARENA_ARRAY(own, str, x->book.sheet_count);
    for (size_t i = 0; i < x->book.sheet_count; i++)
        names[i] = x->book.sheets[i].name;
    x->base.part_word = "sheet";
    x->base.part = names[x->sheet];
    x->base.parts = names;
    x->base.part_count = x->book.sheet_count;
    *ret = &x->base;
    return STATUS_OK;
}

/* ---- which sheets hold something -------------------------------------------------------------------------------- */

static enum status see_start(void *arg, str name, const char *const *attributes, struct err *err)
{
    (void)attributes;
    (void)err;
    *(bool *)arg |= str_is(name, "v") || str_is(name, "is");
    return STATUS_OK;
}

static enum status see_end(void *arg, str name, struct err *err)
{
    (void)arg;
    (void)name;
    (void)err;
    return STATUS_OK;
}

enum status xlsx_sheets(struct arena *a, const struct source *s, str **ret, size_t *ret_count, struct err *err)
{
    static const struct xml_calls calls = {see_start, see_end, NULL};
    struct xlsx_book book;
    size_t count = 0;
    enum status st = xlsx_book_open(a, s, false, &book, err);
    if (st != STATUS_OK)
        return st;
    str *names = ARENA_ARRAY(a, str, book.sheet_count);
    for (size_t i = 0; i < book.sheet_count && st == STATUS_OK; i++) {
        struct xml_part *part;
        bool seen = false, ended = false;
        if (book.sheets[i].hidden)
            continue;
        st = xml_part_new(s, book.sheets[i].entry, book.sheets[i].name, &calls, &seen, &part, err);
        if (st != STATUS_OK)
            break;
        while (st == STATUS_OK && !seen && !ended)
            st = xml_part_step(part, &ended, err);
        xml_part_free(part);
        if (seen)
            names[count++] = book.sheets[i].name;
    }
    if (st == STATUS_OK) {
        *ret = names;
        *ret_count = count;
    }
    return st;
}
