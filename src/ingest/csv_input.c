/* SPDX-License-Identifier: Apache-2.0 */
/* csv_input — delimited text as batches of rows.
 *
 * A batch is filled with one block of the file; the record that the block cuts is carried over to the next batch. The
 * file is taken for UTF-8 until a byte says otherwise. What can only be known later is handled by reading again: bytes
 * that are not UTF-8 (the whole file is then asked what it is) and a quote that is never closed (its record is then
 * taken as it stands, and rejected). Invariant: a pass that succeeds has seen the whole file in the same way. */
#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "codec/csvread.h"
#include "ingest/decode.h"
#include "ingest/dialect.h"
#include "ingest/input.h"
#include "ingest/row_fault.h"

#include "base/banned.h"

struct csv_input {
    struct input base;
    const struct ingest_options *options;
    struct dialect dialect;
    struct csvread reader;
    struct decode *decode;
    enum encoding encoding;
    const char *iconv_name;
    char *carry; /* the record that the last block cut */
    size_t carry_n, carry_cap;
    uint64_t literal[LIMIT_INGEST_OPEN_QUOTES];
    size_t literal_count;
    bool met_other; /* the last failure: bytes that are not UTF-8 */
    bool met_open;  /* ... or an open quote */
    bool ended;
};

static enum status other_encoding(struct csv_input *c, struct err *err);

static enum status start(struct input *in, struct err *err)
{
    struct csv_input *c = (struct csv_input *)in;
    decode_free(c->decode);
    c->decode = NULL;
    c->carry_n = 0;
    c->ended = c->met_other = c->met_open = false;
    csvread_init(&c->reader, c->dialect.delimiter, c->dialect.quote);
    c->reader.literal = c->literal;
    c->reader.literal_count = c->literal_count;
    in->encoding = c->encoding == ENCODING_ICONV ? c->iconv_name : encoding_name(c->encoding);
    return decode_new(in->source, c->encoding, c->iconv_name, &c->decode, err);
}

static void keep_carry(struct csv_input *c, const char *p, size_t n)
{
    if (n > c->carry_cap) {
        c->carry_cap = n + n / 2;
        c->carry = mem_resize(c->carry, c->carry_cap, 1);
    }
    if (n)
        memcpy(c->carry, p, n);
    c->carry_n = n;
}

static void mark_literal(const struct csv_input *c, struct batch *b)
{
    for (size_t i = 0; i < b->rows.row_count; i++)
        for (size_t k = 0; k < c->literal_count; k++)
            if (b->rows.rows[i].line == c->literal[k])
                b->rows.rows[i].fault = ROW_OPEN_QUOTE;
}

static enum status too_long(struct csv_input *c, struct err *err)
{
    c->met_open = true; /* the likeliest reason */
    err_set(err, STATUS_TOO_LARGE, "%.*s line %llu: a row is longer than %d bytes", STR_ARG(c->base.source->name),
            (unsigned long long)c->reader.line, LIMIT_INGEST_RECORD);
    return err_hint(err, "Perhaps a quote is opened there and never closed, or it is no text file.");
}

static enum status fill(struct input *in, struct batch *b, struct err *err)
{
    struct csv_input *c = (struct csv_input *)in;
    size_t n = c->carry_n, used = 0;
    batch_reserve(b, MAX(n + LIMIT_INGEST_BLOCK, (size_t)LIMIT_INGEST_BLOCK));
    if (n)
        memcpy(b->text, c->carry, n);
    for (;;) {
        size_t more = 0;
        bool ill_formed;
        enum status st = decode_read(c->decode, b->text + n, b->text_cap - n, &more, &ill_formed, err);
        if (st != STATUS_OK)
            return st;
        if (ill_formed && c->encoding == ENCODING_UTF8) {
            c->met_other = true;
            return err_set(err, STATUS_INVALID, "%.*s is not UTF-8", STR_ARG(in->source->name));
        }
        b->ill_formed |= ill_formed;
        n += more;
        c->ended = more == 0;
        rows_clear(&b->rows);
        st = csvread_block(&c->reader, b->text, n, c->ended, &b->rows, &used, err);
        if (st == STATUS_INVALID)
            c->met_open = true;
        if (st != STATUS_OK)
            return err_prefix(err, "%.*s", STR_ARG(in->source->name));
        if (used || c->ended)
            break;
        if (n >= (size_t)LIMIT_INGEST_RECORD)
            return too_long(c, err);
        batch_reserve(b, n * 2);
    }
    keep_carry(c, b->text + used, n - used);
    if (c->literal_count)
        mark_literal(c, b);
    batch_cut_head(in, b, c->dialect.header_line, c->dialect.data_line);
    b->notes = true;
    b->position = decode_position(c->decode);
    b->last = c->ended;
    b->columns = in->columns.items;
    b->column_count = in->columns.count;
    in->replaced = decode_replaced(c->decode);
    return STATUS_OK;
}

/* Leaves out what does not look like rows of this table: the window may begin inside of a cell. Short rows at the end
 * of the file stay, they may be notes. */
static void drop_odd_rows(const struct csv_input *c, struct batch *b, bool ended)
{
    size_t kept = 0, exact = 0, last = 0, n = b->rows.row_count;
    for (size_t i = 0; i < n; i++)
        if (b->rows.rows[i].count == c->dialect.column_count) {
            exact++;
            last = i;
        }
    for (size_t i = 0; i < n && exact * 10 >= n * 9; i++)
        if (b->rows.rows[i].count == c->dialect.column_count || (ended && i > last))
            b->rows.rows[kept++] = b->rows.rows[i];
    b->rows.row_count = kept;
}

static enum status window(struct input *in, uint64_t offset, struct batch *b, struct err *err)
{
    struct csv_input *c = (struct csv_input *)in;
    struct csvread reader;
    struct decode *d;
    size_t n = 0, from = 0, used;
    bool ill_formed, ended;
    enum status st = decode_new(in->source, c->encoding, c->iconv_name, &d, err);
    if (st != STATUS_OK)
        return st;
    batch_reserve(b, LIMIT_INGEST_GUESS_WINDOW);
    st = decode_seek(d, offset) ? decode_read(d, b->text, LIMIT_INGEST_GUESS_WINDOW, &n, &ill_formed, err) : STATUS_OK;
    ended = decode_position(d) >= in->source->size_bytes;
    decode_free(d);
    while (from < n && b->text[from] != '\n' && b->text[from] != '\r')
        from++;
    if (st != STATUS_OK || from == n)
        return st;
    if (c->encoding == ENCODING_UTF8 && !utf8_valid(str_make(b->text + from, n - from)))
        return err_set(err, STATUS_INVALID, "%.*s is not UTF-8", STR_ARG(in->source->name));
    csvread_init(&reader, c->dialect.delimiter, c->dialect.quote);
    b->notes = true;
    if (csvread_block(&reader, b->text + from, n - from, ended, &b->rows, &used, NULL) != STATUS_OK)
        b->rows.row_count = 0; /* a quote that seems to be open */
    drop_odd_rows(c, b, ended);
    return STATUS_OK;
}

static bool recover(struct input *in, struct err *err)
{
    struct csv_input *c = (struct csv_input *)in;
    if (c->met_other) {
        err_clear(err);
        return other_encoding(c, err) == STATUS_OK;
    }
    bool tried = false;
    for (size_t i = 0; i < c->literal_count; i++)
        tried |= c->literal[i] == c->reader.line;
    if (!c->met_open || tried || c->options->strict || c->literal_count == LIMIT_INGEST_OPEN_QUOTES) {
        if (c->met_open && err->status == STATUS_INVALID)
            err_hint(err, "Give the character that quotes with --quotechar, or '' for none.");
        return false;
    }
    c->literal[c->literal_count++] = c->reader.line;
    err_clear(err);
    return true;
}

static void free_input(struct input *in)
{
    struct csv_input *c = (struct csv_input *)in;
    decode_free(c->decode);
    free(c->carry);
    c->decode = NULL;
    c->carry = NULL;
}

static const struct input_class csv_class = {"CSV", start, fill, window, recover, free_input};

/* ---- opening ---------------------------------------------------------------------------------------------------- */

/* A workbook with a password is a compound file that holds a stream "EncryptedPackage" (MS-OFFCRYPTO 2.3.2). */
static bool is_encrypted(const struct source *s, str sample)
{
    static const char stream[] = "E\0n\0c\0r\0y\0p\0t\0e\0d\0P\0a\0c\0k\0a\0g\0e";
    return str_is(s->ending, "xlsx") || str_is(s->ending, "xlsm") ||
           str_find(sample, str_make(stream, sizeof stream)) != STR_NPOS;
}

static enum status binary(const struct source *s, str sample, struct err *err)
{
    static const struct {
        const char *magic;
        uint8_t n;
        const char *what, *hint;
    } known[] = {
        {"\x89PNG", 4, "a PNG image", ""},
        {"\xff\xd8\xff", 3, "a JPEG image", ""},
        {"%PDF", 4, "a PDF document", "Tables in a PDF have to be taken out by another program first."},
        {"\x7f"
         "ELF",
         4, "a program", ""},
        {"\xd0\xcf\x11\xe0", 4, "an old Excel or Word file", "Save it as .xlsx or .csv first."},
        {"PAR1", 4, "a Parquet file", "Export it as CSV first."},
        {"BZh", 3, "packed by bzip2", "Unpack it first, with bunzip2."},
        {"\xfd"
         "7zXZ",
         5, "packed by xz", "Unpack it first, with unxz."},
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_starts(sample, str_make(known[i].magic, known[i].n))) {
            if (known[i].magic[0] == '\xd0' && is_encrypted(s, sample)) {
                err_set(err, STATUS_INVALID, "%.*s is encrypted with a password", STR_ARG(s->name));
                return err_hint(err, "Open it in a spreadsheet program and save it without a password.");
            }
            err_set(err, STATUS_INVALID, "%.*s is %s, not a table of text", STR_ARG(s->name), known[i].what);
            return known[i].hint[0] ? err_hint(err, "%s", known[i].hint) : STATUS_INVALID;
        }
    size_t odd = 0;
    for (size_t i = 0; i < sample.n; i++) {
        unsigned char ch = (unsigned char)sample.p[i];
        odd += (ch < ' ' && ch != '\n' && ch != '\r' && ch != '\t' && ch != '\f') || ch == 0x7f;
    }
    if (odd * 50 <= sample.n)
        return STATUS_OK;
    return err_set(err, STATUS_INVALID,
                   "%.*s does not look like text: %zu of its first %zu bytes are control characters", STR_ARG(s->name),
                   odd, sample.n);
}

/* The sample as UTF-8, for the names of columns. */
static enum status decoded_sample(struct csv_input *c, size_t max, str *ret, bool *ret_whole, struct err *err)
{
    struct decode *d;
    bool ill_formed;
    size_t n = 0;
    enum status st = decode_new(c->base.source, c->encoding, c->iconv_name, &d, err);
    if (st != STATUS_OK)
        return st;
    char *p = arena_alloc_raw(c->base.arena, max);
    st = decode_read(d, p, max, &n, &ill_formed, err);
    decode_free(d);
    if (st != STATUS_OK)
        return st;
    *ret = str_make(p, n);
    *ret_whole = n + 64 <= max;
    return STATUS_OK;
}

/* The text is not UTF-8. What the server says of it counts, but for the code that servers say of everything. */
static enum status other_encoding(struct csv_input *c, struct err *err)
{
    str charset = c->base.source->charset;
    enum encoding e = charset.n ? encoding_of_name(charset) : ENCODING_UTF8;
    struct decode *d;
    if (e == ENCODING_UTF8 || e == ENCODING_LATIN_1)
        return decode_detect(c->base.source, &c->encoding, err);
    const char *name = arena_cstr(c->base.arena, charset);
    if (decode_new(c->base.source, e, name, &d, NULL) != STATUS_OK) /* iconv does not know it */
        return decode_detect(c->base.source, &c->encoding, err);
    decode_free(d);
    c->encoding = e;
    c->iconv_name = name;
    return STATUS_OK;
}

static enum status find_encoding(struct csv_input *c, str sample, struct err *err)
{
    const struct ingest_options *o = c->options;
    if (o->encoding.n) {
        c->encoding = encoding_of_name(o->encoding);
        c->iconv_name = arena_cstr(c->base.arena, o->encoding);
        return STATUS_OK;
    }
    c->encoding = encoding_utf16(sample);
    if (c->encoding != ENCODING_UNKNOWN)
        return STATUS_OK;
    c->encoding = ENCODING_UTF8;
    enum status st = binary(c->base.source, sample, err);
    if (st != STATUS_OK)
        return st;
    struct encoding_evidence evidence = {0};
    encoding_feed(&evidence, utf8_cut(sample, sample.n > 4 ? sample.n - 4 : 0));
    return evidence.ill_formed ? other_encoding(c, err) : STATUS_OK;
}

static void close_input(void *arg)
{
    struct csv_input *c = arg;
    free_input(&c->base);
    arena_free(c->base.arena); /* c is in it */
}

enum status csv_input_new(struct arena *a, const struct source *s, const struct ingest_options *o, str sample,
                          struct input **ret, struct err *err)
{
    struct arena *own = arena_new(LIMIT_INGEST_ARENA);
    struct csv_input *c = ARENA_NEW(own, struct csv_input);
    c->base = (struct input){.class = &csv_class, .arena = own, .source = s};
    c->options = o;
    arena_defer(a, close_input, c);
    enum status st = find_encoding(c, sample, err);
    bool whole = false;
    for (size_t max = LIMIT_INGEST_SAMPLE; st == STATUS_OK && !c->dialect.column_count; max *= 8) {
        str text;
        struct arena_mark mark = arena_mark(own);
        if (whole || max > (size_t)LIMIT_INGEST_RECORD)
            return err_set(err, STATUS_INVALID, whole ? "%.*s is empty" : "%.*s has a first row that is too long",
                           STR_ARG(s->name));
        st = decoded_sample(c, max, &text, &whole, err);
        if (st == STATUS_OK)
            st = dialect_detect(own, text, whole, o, s->ending, &c->dialect, err);
        if (st == STATUS_OK && !c->dialect.column_count)
            arena_rewind(own, mark);
    }
    if (st != STATUS_OK)
        return st;
    c->base.seekable = s->packing == PACKING_NONE && c->encoding != ENCODING_ICONV && c->encoding != ENCODING_UTF16LE &&
                       c->encoding != ENCODING_UTF16BE;
    c->base.delimiter = c->dialect.delimiter;
    c->base.header_line = c->dialect.header_line;
    for (size_t i = 0; i < c->dialect.column_count; i++)
        VEC_PUSH(own, &c->base.columns, c->dialect.columns[i]);
    *ret = &c->base;
    return STATUS_OK;
}
