/* SPDX-License-Identifier: Apache-2.0 */
/* dialect — the delimiter is the one by which the rows of the sample agree best.
 *
 * For each candidate the sample is read as a whole, quotes included, and scored: which share of the rows has the most
 * common width, if that is more than one. A tie goes to the wider rows, then to the order of the table. A title above
 * the header is a line with one filled cell where the other rows have several; it is passed over only when the next row
 * is filled well enough to be a header. Tests: tests/unit/ingest, tests/ingest (439 real files). */
#include "ingest/dialect.h"

#include "base/limits.h"
#include "base/map.h"
#include "base/utf8.h"
#include "codec/csvread.h"

#include "base/banned.h"

static const char candidates[] = {',', '\t', ';', '|'};

struct sample {
    struct rows rows;
    char *text; /* a copy: reading changes it */
};

/* The rows of the sample; a last row that may be cut is left out. */
static void read_sample(struct arena *a, str text, bool whole, char delimiter, char quote, struct sample *s)
{
    struct csvread r;
    size_t used;
    memcpy(s->text, text.p, text.n);
    rows_clear(&s->rows);
    csvread_init(&r, delimiter, quote);
    enum status st = csvread_block(&r, s->text, text.n, whole, &s->rows, &used, NULL);
    if (st != STATUS_OK) /* an open quote: what was read before it does */
        (void)a;
    if (s->rows.row_count > LIMIT_INGEST_SAMPLE_ROWS)
        s->rows.row_count = LIMIT_INGEST_SAMPLE_ROWS;
}

/* The most common width of rows, the wider one of two that are as common; *ret_share of 1000 rows have it. */
static uint32_t common_width(const struct rows *rows, unsigned *ret_share)
{
    uint32_t best = 0;
    size_t best_count = 0;
    for (size_t i = 0; i < rows->row_count; i++) {
        size_t count = 0;
        for (size_t k = 0; k < rows->row_count; k++)
            count += rows->rows[k].count == rows->rows[i].count;
        if (count > best_count || (count == best_count && rows->rows[i].count > best)) {
            best = rows->rows[i].count;
            best_count = count;
        }
    }
    *ret_share = rows->row_count ? (unsigned)(best_count * 1000 / rows->row_count) : 0;
    return best;
}

static char find_delimiter(struct arena *a, str text, bool whole, char quote, str ending, struct sample *s)
{
    char best = str_is(ending, "tsv") || str_is(ending, "tab") ? '\t' : ',';
    unsigned best_share = 0;
    uint32_t best_width = 1;
    for (size_t i = 0; i < ARRAY_LEN(candidates); i++) {
        unsigned share;
        read_sample(a, text, whole, candidates[i], quote, s);
        uint32_t width = common_width(&s->rows, &share);
        if (width < 2)
            continue;
        bool usual = candidates[i] == (str_is(ending, "tsv") ? '\t' : ',');
        share += usual ? 100 : 0;                          /* what the name of the file says counts, */
        share += s->rows.rows[0].count == width ? 200 : 0; /* and a header that has as many cells */
        if (share > best_share || (share == best_share && width > best_width)) {
            best = candidates[i];
            best_share = share;
            best_width = width;
        }
    }
    return best;
}

static size_t filled(const struct rows *rows, size_t row)
{
    size_t n = 0;
    for (uint32_t i = 0; i < rows->rows[row].count; i++)
        n += str_trim(cell_str(&rows->cells[rows->rows[row].first + i])).n > 0;
    return n;
}

/* Which row of the sample is the header. */
static size_t find_header(const struct rows *rows, uint32_t width)
{
    size_t at = 0;
    while (at < LIMIT_INGEST_TITLE_LINES && at + 1 < rows->row_count && width > 1) {
        size_t own = filled(rows, at);
        bool title = own <= 1 && (rows->rows[at].count < width || width > 2);
        if (!title)
            break;
        at++;
    }
    /* Only when the row found is a better header than the first one. */
    return at && rows->rows[at].count >= width - 1 && filled(rows, at) * 5 >= (size_t)width * 4 ? at : 0;
}

const str *dialect_names(struct arena *a, const str *raw, size_t count)
{
    str *names = ARENA_ARRAY(a, str, count + 1);
    struct map *seen = map_new();
    for (size_t i = 0; i < count; i++) {
        char *p = arena_cstr(a, utf8_repair(a, str_trim(raw[i])));
        for (char *c = p; *c; c++)
            *c = (unsigned char)*c < ' ' ? ' ' : *c;
        str name = utf8_cut(str_of(p), LIMIT_INGEST_NAME); /* a NUL ends it: SQL cannot say it */
        if (!name.n)
            name = arena_printf(a, "column_%zu", i + 1);
        str base = name;
        for (size_t number = 1;; number++) {
            str low = arena_lower(a, name);
            if (!map_has(seen, low)) {
                map_put(seen, low, seen);
                break;
            }
            name = arena_printf(a, "%.*s_%zu", STR_ARG(base), number + 1);
        }
        names[i] = name;
    }
    map_free(seen);
    return names;
}

static enum status make_columns(struct arena *a, const struct rows *rows, size_t header, uint32_t width,
                                bool no_headers, bool placed, struct dialect *d, struct err *err)
{
    size_t own = rows->row_count ? rows->rows[header].count : 0;
    size_t count = no_headers ? width : own;
    size_t alike = 0, data = rows->row_count > header ? rows->row_count - header - 1 : 0;
    for (size_t i = header + 1; i < rows->row_count; i++)
        alike += rows->rows[i].count == width;
    /* Row names without a heading (R's write.table): every row has one cell more than the header. */
    bool shifted = !no_headers && !placed && own + 1 == width && data > 1 && alike == data;
    if (!no_headers && own < width && !shifted && alike * 2 > data)
        count = width;
    count += shifted;
    if (count > LIMIT_INGEST_COLUMNS) {
        err_set(err, STATUS_TOO_LARGE, "the file has %zu columns, a table at most %d", count, LIMIT_INGEST_COLUMNS);
        return placed ? err->status
                      : err_hint(err, "Perhaps the delimiter was not recognised: give it with --delimiter.");
    }
    str *raw = ARENA_ARRAY(a, str, count + 1);
    for (size_t i = 0; !no_headers && i < own; i++)
        raw[i + shifted] = cell_str(&rows->cells[rows->rows[header].first + i]);
    d->columns = dialect_names(a, raw, count);
    d->column_count = count;
    return STATUS_OK;
}

static uint64_t line_after(const struct rows *rows, size_t row, size_t skip)
{
    return row + 1 < rows->row_count ? rows->rows[row + 1].line : rows->rows[row].line + 1 + skip;
}

enum status dialect_header(struct arena *a, const struct rows *rows, const struct ingest_options *o, bool placed,
                           struct dialect *ret, struct err *err)
{
    unsigned share;
    uint32_t width = common_width(rows, &share);
    size_t header = 0;
    if (o->skip_lines >= 0)
        while (header + 1 < rows->row_count && rows->rows[header].line <= (uint64_t)o->skip_lines)
            header++;
    else if (!o->no_headers)
        header = find_header(rows, width);
    enum status st = make_columns(a, rows, header, width, o->no_headers, placed, ret, err);
    if (st == STATUS_OK && rows->row_count) {
        ret->header_line = o->no_headers ? 0 : rows->rows[header].line;
        ret->data_line = o->no_headers ? rows->rows[header].line : line_after(rows, header, 0);
    }
    return st;
}

enum status dialect_detect(struct arena *a, str sample, bool whole, const struct ingest_options *o, str ending,
                           struct dialect *ret, struct err *err)
{
    struct dialect d = {.quote = o->no_quotes ? 0 : o->quote.n ? o->quote.p[0] : '"'};
    struct sample s = {.text = arena_alloc(a, sample.n + CSVREAD_PAD)};
    if (o->delimiter.n)
        d.delimiter = o->delimiter.p[0];
    else if (o->format == FORMAT_TSV)
        d.delimiter = '\t';
    else
        d.delimiter = find_delimiter(a, sample, whole, d.quote, ending, &s);
    read_sample(a, sample, whole, d.delimiter, d.quote, &s);
    enum status st = dialect_header(a, &s.rows, o, false, &d, err);
    rows_release(&s.rows);
    if (st == STATUS_OK)
        *ret = d;
    return st;
}
