/* SPDX-License-Identifier: Apache-2.0 */
/* csvread — a structural index of 64 bytes at a time, then a walk over the bytes that matter.
 *
 * A CSV file is mostly bytes without a meaning of their own. special_64() makes one bit for each of 64 bytes that is a
 * delimiter, a quote, CR or LF (SSE2 where there is one, words of 8 bytes elsewhere); only those bits are looked at, so
 * the cost goes with the fields, not with the bytes. Two states:
 *
 *   OUTSIDE  delimiter and line end end a field. A quote at the first byte of a field -> INSIDE. A quote right after
 * the quote that closed the field is an escaped one -> INSIDE again. Any other quote is text. INSIDE   only a quote
 * ends it -> OUTSIDE; line ends are counted.
 *
 * Invariants: (1) a record is changed in place only once its end has been seen, so an unfinished one can be read again
 * from its first byte with more text behind it. (2) r->line is the line of the first byte that was not taken. (3) CR as
 * the last byte of a block that is not the last one: whether LF follows is not known yet, so the record waits.
 *
 * Not here: types, encodings, which delimiter it is (src/ingest). Tests: tests/unit/codec/test_csvread.c (every split
 * of a text into blocks gives the same rows), tests/ingest (against Python's csv), fuzz target `csvread`. */
#include "codec/csvread.h"

#include "base/limits.h"
#include "codec/scan.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "base/banned.h"

void csvread_init(struct csvread *r, char delimiter, char quote)
{
    *r = (struct csvread){.delimiter = delimiter, .quote = quote, .line = 1, .cells_max = LIMIT_CSV_CELLS};
}

/* ---- which bytes matter ---- */

#if defined(__SSE2__)
struct special {
    __m128i delimiter, quote, cr, lf;
};

static struct special special_of(char delimiter, char quote)
{
    return (struct special){_mm_set1_epi8(delimiter), _mm_set1_epi8(quote ? quote : '\n'), _mm_set1_epi8('\r'),
                            _mm_set1_epi8('\n')};
}

static inline uint64_t special_16(const char *p, const struct special *s)
{
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i a = _mm_or_si128(_mm_cmpeq_epi8(v, s->delimiter), _mm_cmpeq_epi8(v, s->quote));
    __m128i b = _mm_or_si128(_mm_cmpeq_epi8(v, s->cr), _mm_cmpeq_epi8(v, s->lf));
    return (uint64_t)(unsigned)_mm_movemask_epi8(_mm_or_si128(a, b));
}

static inline uint64_t special_64(const char *p, const struct special *s)
{
    return special_16(p, s) | special_16(p + 16, s) << 16 | special_16(p + 32, s) << 32 | special_16(p + 48, s) << 48;
}
#else
struct special {
    unsigned char is[256];
};

static struct special special_of(char delimiter, char quote)
{
    struct special s = {0};
    s.is[(unsigned char)delimiter] = s.is[(unsigned char)(quote ? quote : '\n')] = s.is['\r'] = s.is['\n'] = 1;
    return s;
}

static inline uint64_t special_64(const char *p, const struct special *s)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < 64; i++)
        bits |= (uint64_t)s->is[(unsigned char)p[i]] << i;
    return bits;
}
#endif

/* ---- fields ---- */

/* Undoes the quotes of a field whose raw text is p[0..n), p[0] the opening quote; returns the new length. */
static uint32_t unquote(char *p, size_t n, char quote)
{
    size_t to = 0, i = 1;
    for (; i < n; i++) { /* inside */
        if (p[i] == quote) {
            if (i + 1 == n || p[i + 1] != quote)
                break;
            i++;
        }
        p[to++] = p[i];
    }
    if (i < n) /* what follows the closing quote */
        for (i++; i < n; i++)
            p[to++] = p[i];
    return (uint32_t)to;
}

struct scan {
    char *text;
    size_t field;      /* first byte of the field */
    size_t record;     /* first byte of the record */
    size_t first_cell; /* of the record */
    size_t closed;     /* where the quote of this field was closed last */
    uint64_t line;     /* of the record */
    uint64_t lines;    /* ended inside of it so far */
    uint64_t open_line;
    bool quoted, escaped, inside, literal;
};

/* Until the record ends, a quoted cell is only marked: n holds its raw length and kind which way to undo it. */
enum { MARK_PLAIN = CELL_RAW, MARK_SIMPLE = 250, MARK_HARD = 251 };

static inline void field_end(struct scan *s, size_t end, struct rows *out)
{
    struct cell *c = rows_cell(out);
    c->p = s->text + s->field;
    c->n = (uint32_t)(end - s->field);
    c->kind = !s->quoted ? MARK_PLAIN : !s->escaped && s->closed == end - 1 ? MARK_SIMPLE : MARK_HARD;
}

static inline void field_begin(struct scan *s, size_t at)
{
    s->field = at;
    s->quoted = s->escaped = false;
}

static void undo_quotes(struct scan *s, char quote, struct rows *out)
{
    for (size_t i = s->first_cell; i < out->cell_count; i++) {
        struct cell *c = &out->cells[i];
        if (c->kind == MARK_SIMPLE) {
            c->p++;
            c->n -= 2;
        } else if (c->kind == MARK_HARD) {
            c->n = unquote(s->text + (c->p - s->text), c->n, quote);
        }
        c->kind = CELL_RAW;
    }
}

static inline bool is_literal(const struct csvread *r, uint64_t line)
{
    for (size_t i = 0; i < r->literal_count; i++)
        if (r->literal[i] == line)
            return true;
    return false;
}

static inline void record_begin(const struct csvread *r, struct scan *s, size_t at, uint64_t line, struct rows *out)
{
    s->record = at;
    s->first_cell = out->cell_count;
    s->line = line;
    s->lines = 0;
    s->literal = UNLIKELY(r->literal_count) && is_literal(r, line);
    field_begin(s, at);
}

/* The record ends before text[end]; the next one begins at `next`. */
static inline void record_end(const struct csvread *r, struct scan *s, size_t end, size_t next, bool any_quoted,
                              struct rows *out)
{
    if (end == s->record) { /* a blank line */
        record_begin(r, s, next, s->line + 1, out);
        return;
    }
    field_end(s, end, out);
    if (any_quoted)
        undo_quotes(s, r->quote, out);
    rows_end(out, s->line, s->first_cell);
    record_begin(r, s, next, s->line + s->lines + 1, out);
}

static enum status too_many(const struct scan *s, size_t max, struct err *err)
{
    return err_set(err, STATUS_TOO_LARGE, "line %llu: a row of more than %zu cells", (unsigned long long)s->line, max);
}

enum status csvread_block(struct csvread *r, char *text, size_t n, bool last, struct rows *out, size_t *ret_used,
                          struct err *err)
{
    const struct special special = special_of(r->delimiter, r->quote);
    struct scan s = {.text = text};
    bool any_quoted = false;
    size_t skip_lf = SIZE_MAX; /* an LF here belongs to the CR before it */
    record_begin(r, &s, 0, r->line, out);
    for (size_t base = 0; base < n; base += 64) {
        uint64_t bits = special_64(text + base, &special);
        if (n - base < 64)
            bits &= (UINT64_C(1) << (n - base)) - 1;
        for (; bits; bits &= bits - 1) {
            size_t i = base + (size_t)__builtin_ctzll(bits);
            char c = text[i];
            if (s.inside) {
                if (c == r->quote) {
                    s.inside = false;
                    s.closed = i;
                } else if (c == '\n' || (c == '\r' && !(i + 1 < n && text[i + 1] == '\n'))) {
                    s.lines++;
                }
            } else if (c == r->delimiter) {
                field_end(&s, i, out);
                field_begin(&s, i + 1);
            } else if (c == '\n' || c == '\r') {
                if (i == skip_lf)
                    continue;
                if (c == '\r' && i + 1 == n && !last)
                    break;
                if (UNLIKELY(out->cell_count - s.first_cell >= r->cells_max))
                    return too_many(&s, r->cells_max, err);
                bool two = c == '\r' && i + 1 < n && text[i + 1] == '\n';
                if (two)
                    skip_lf = i + 1;
                record_end(r, &s, i, i + 1 + two, any_quoted, out);
                any_quoted = false;
            } else if (!s.literal && c == r->quote && r->quote) {
                if (i == s.field && !s.quoted) {
                    s.quoted = any_quoted = s.inside = true;
                    s.open_line = s.line + s.lines;
                } else if (s.quoted && i == s.closed + 1) {
                    s.escaped = s.inside = true;
                    s.closed = SIZE_MAX - 1;
                }
            }
        }
        if (UNLIKELY(out->cell_count - s.first_cell > r->cells_max))
            return too_many(&s, r->cells_max, err);
    }
    if (last && s.inside) {
        r->open_line = s.open_line;
        r->line = s.line;
        out->cell_count = s.first_cell;
        return err_set(err, STATUS_INVALID, "line %llu: a quote is opened and never closed",
                       (unsigned long long)s.open_line);
    }
    if (last && s.record < n)
        record_end(r, &s, n, n, any_quoted, out);
    out->cell_count = s.first_cell;
    r->line = s.line;
    *ret_used = s.record;
    return STATUS_OK;
}
