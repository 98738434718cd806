/* SPDX-License-Identifier: Apache-2.0 */
/* json_input — JSON arrays, NDJSON and GeoJSON as batches of rows, without a tree and without the whole file in memory.
 *
 * The file is cut into items, and each item (one object, as a rule) is read by the pull reader of codec/jread:
 *
 *   LINES  an item a line (NDJSON). A line that is no JSON is a rejected row; the rest is imported.
 *   ARRAY  the items of one array: of the document itself, or the one that --path leads to. Brackets and quotes are
 *          counted to find where an item ends. Damage ends the import: nothing after it can be trusted.
 *   ONE    the document is one object without such an array: one row.
 *
 * Which array it is, in a document that is an object, is found by reading the document once (in memory, up to
 * LIMIT_INGEST_RECORD); the passes then begin at its offset.
 *
 * Keys become columns in the order of their first appearance. The first pass finds them all; b->columns is what was
 * known when the batch was filled, and may be read by the other thread: names are only ever added behind. Objects and
 * lists inside of a row are kept as JSON text, or with `flatten` objects become columns "a_b". Strings stay text
 * whatever they look like; integers past 64 bits stay text too.
 * Not here: what becomes of an item (json_item.c), which list is meant (json_find.c). Tests:
 * tests/ingest/test_json.py, fuzz target `infer`. */
#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"
#include "codec/jread.h"
#include "ingest/json_impl.h"

#include "base/banned.h"

/* ---- cutting ---------------------------------------------------------------------------------------------------- */

static uint64_t lines_in(const char *p, size_t n)
{
    uint64_t lines = 0;
    for (const char *end = p + n; (p = memchr(p, '\n', (size_t)(end - p))); p++)
        lines++;
    return lines;
}

/* Bytes up to where the item that begins at p ends: before the comma or bracket after it. n = it does not end here. */
static size_t item_length(const char *p, size_t n)
{
    size_t depth = 0;
    bool inside = false;
    for (size_t i = 0; i < n; i++) {
        char c = p[i];
        if (inside) {
            if (c == '\\')
                i++;
            else if (c == '"')
                inside = false;
            continue;
        }
        if (c == '"')
            inside = true;
        else if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && depth)
            depth--;
        else if ((c == ',' || c == ']' || c == '}') && !depth)
            return i;
    }
    return n;
}

static enum status damaged(const struct json_input *j, const char *what, struct err *err)
{
    return err_set(err, STATUS_INVALID, "%.*s line %llu: %s", STR_ARG(j->base.source->name),
                   (unsigned long long)j->line, what);
}

static enum status cut_array(struct json_input *j, struct batch *b, const char *p, size_t n, size_t *ret_used,
                             struct err *err)
{
    size_t at = 0;
    while (!j->done) {
        size_t from = at;
        while (at < n && (p[at] == ' ' || p[at] == '\t' || p[at] == '\n' || p[at] == '\r'))
            at++;
        j->line += lines_in(p + from, at - from);
        from = at;
        size_t length = item_length(p + at, n - at);
        bool one = j->cut == CUT_ONE;
        if (at + length == n && !(one && j->ended)) {
            if (j->ended)
                return damaged(j, "the array is not closed: the file was cut off", err);
            break;
        }
        char next = at + length < n ? p[at + length] : ']';
        if (length && next != '}') {
            enum status st = json_read_item(j, b, str_make(p + at, length), err);
            if (st != STATUS_OK)
                return st;
        } else if (length || next != ']') {
            return damaged(j, "a value is missing, or a bracket does not fit", err);
        }
        at += length + (at + length < n);
        j->line += lines_in(p + from, at - from);
        j->done = next == ']' || one;
    }
    *ret_used = j->done ? n : at;
    return STATUS_OK;
}

static enum status cut_lines(struct json_input *j, struct batch *b, const char *p, size_t n, size_t *ret_used,
                             struct err *err)
{
    size_t at = 0;
    while (at < n) {
        const char *end = memchr(p + at, '\n', n - at);
        if (!end && !j->ended)
            break;
        size_t length = end ? (size_t)(end - p) - at : n - at;
        str text = str_make(p + at, length);
        if (str_trim(text).n) {
            enum status st = json_read_item(j, b, text, err);
            if (st != STATUS_OK)
                return st;
        }
        at += length + (end != NULL);
        j->line++;
    }
    *ret_used = at;
    return STATUS_OK;
}

/* ---- the class -------------------------------------------------------------------------------------------------- */

static enum status start(struct input *in, struct err *err)
{
    struct json_input *j = (struct json_input *)in;
    decode_free(j->decode);
    j->decode = NULL;
    j->carry_n = 0;
    j->to_skip = j->offset;
    j->line = 1;
    j->item = 0;
    j->ended = j->done = false;
    in->encoding = encoding_name(j->encoding);
    return decode_new(in->source, j->encoding, NULL, &j->decode, err);
}

static void skip(struct json_input *j, struct batch *b, size_t *n)
{
    size_t cut = MIN(j->to_skip, *n);
    if (!cut)
        return;
    j->line += lines_in(b->text, cut);
    memmove(b->text, b->text + cut, *n - cut);
    *n -= cut;
    j->to_skip -= cut;
}

static void keep_carry(struct json_input *j, const char *p, size_t n)
{
    if (n > j->carry_cap) {
        j->carry_cap = n + n / 2;
        j->carry = mem_resize(j->carry, j->carry_cap, 1);
    }
    if (n)
        memcpy(j->carry, p, n);
    j->carry_n = n;
}

static enum status fill(struct input *in, struct batch *b, struct err *err)
{
    struct json_input *j = (struct json_input *)in;
    size_t n = j->carry_n, used = 0;
    batch_reserve(b, n + LIMIT_INGEST_BLOCK);
    if (n)
        memcpy(b->text, j->carry, n);
    for (;;) {
        size_t more = 0;
        bool ill_formed;
        enum status st = decode_read(j->decode, b->text + n, b->text_cap - n, &more, &ill_formed, err);
        if (st != STATUS_OK)
            return st;
        j->ended = more == 0;
        n += more;
        skip(j, b, &n);
        st = j->cut == CUT_LINES ? cut_lines(j, b, b->text, n, &used, err) : cut_array(j, b, b->text, n, &used, err);
        if (st != STATUS_OK)
            return st;
        if (used || j->ended || j->done)
            break;
        if (n >= (size_t)LIMIT_INGEST_RECORD) {
            err_set(err, STATUS_TOO_LARGE, "%.*s line %llu: an item is longer than %d bytes", STR_ARG(in->source->name),
                    (unsigned long long)j->line, LIMIT_INGEST_RECORD);
            return err_hint(err, "Perhaps a quote or a bracket is opened there and never closed.");
        }
        batch_reserve(b, n + n / 2 + LIMIT_INGEST_BLOCK);
    }
    keep_carry(j, b->text + used, n - used);
    b->position = decode_position(j->decode);
    b->last = j->ended || j->done;
    b->columns = in->columns.items;
    b->column_count = in->columns.count;
    in->replaced = decode_replaced(j->decode);
    return STATUS_OK;
}

static void free_input(struct input *in)
{
    struct json_input *j = (struct json_input *)in;
    decode_free(j->decode);
    free(j->carry);
    map_free(j->keys);
    map_free(j->taken);
    map_free(j->lists);
    j->decode = NULL;
    j->carry = NULL;
    j->keys = j->taken = j->lists = NULL;
}

static const struct input_class json_class = {"JSON", start, fill, NULL, NULL, free_input};
static const struct input_class lines_class = {"NDJSON", start, fill, NULL, NULL, free_input};
static const struct input_class geojson_class = {"GeoJSON", start, fill, NULL, NULL, free_input};

/* ---- opening ---------------------------------------------------------------------------------------------------- */

/* True when the first line of the sample is a whole value and something follows. */
static bool is_lines(str sample)
{
    str first, rest;
    bool more = str_cut(sample, '\n', &first, &rest);
    size_t n = item_length(first.p, first.n);
    struct arena *a = arena_new(0);
    struct jread r;
    enum jread_token token;
    jread_init(&r, a, str_trim(first));
    bool whole = more && str_trim(rest).n && n == first.n && jread_next(&r, &token, NULL) == STATUS_OK &&
                 jread_skip(&r, token, NULL) == STATUS_OK && jread_next(&r, &token, NULL) == STATUS_OK;
    arena_free(a);
    return whole;
}

static void close_input(void *arg)
{
    struct json_input *j = arg;
    free_input(&j->base);
    arena_free(j->base.arena); /* j is in it */
}

enum status json_input_new(struct arena *a, const struct source *s, const struct ingest_options *o, str sample,
                           struct input **ret, struct err *err)
{
    struct arena *own = arena_new(LIMIT_INGEST_ARENA);
    struct json_input *j = ARENA_NEW(own, struct json_input);
    j->base = (struct input){.class = &json_class, .arena = own, .source = s, .sparse = true};
    j->options = o;
    j->keys = map_new();
    j->taken = map_new();
    j->lists = map_new();
    j->encoding = encoding_utf16(sample);
    arena_defer(a, close_input, j);
    if (o->parent)
        (void)json_add_first_column(j, o->parent->column);
    else if (o->children && !o->pk_count) { /* the number is the key */
        j->base.keys = json_add_first_column(j, STR(JSON_NUMBER_COLUMN));
        j->base.key_count = 1;
    }
    if (j->encoding == ENCODING_UNKNOWN)
        j->encoding = ENCODING_UTF8;
    sample = str_trim(str_starts(sample, STR("\xef\xbb\xbf")) ? str_from(sample, 3) : sample);
    bool is_list = j->encoding == ENCODING_UTF8 && sample.n && sample.p[0] == '[' && !o->path.n;
    enum status st = STATUS_OK;
    if (o->format == FORMAT_NDJSON || str_is(s->ending, "ndjson") || str_is(s->ending, "jsonl") ||
        (!o->path.n && is_lines(sample))) {
        j->cut = CUT_LINES;
        j->base.class = &lines_class;
    } else if (is_list) {
        struct decode *d; /* where the bracket is: right behind white space */
        char head[4096];
        size_t n = 0;
        bool ill_formed;
        st = decode_new(s, j->encoding, NULL, &d, err);
        if (st == STATUS_OK) {
            st = decode_read(d, head, sizeof head, &n, &ill_formed, err);
            decode_free(d);
        }
        size_t bracket = str_find_char(str_make(head, n), '[');
        if (st == STATUS_OK && bracket == STR_NPOS)
            st = err_set(err, STATUS_INVALID, "%.*s begins with more than 4,096 blanks", STR_ARG(s->name));
        j->cut = CUT_ARRAY;
        j->offset = bracket + 1;
    } else {
        st = json_find_list(j, err);
    }
    if (st != STATUS_OK)
        return st;
    j->geojson |= o->format == FORMAT_GEOJSON;
    if (j->geojson)
        j->base.class = &geojson_class;
    *ret = &j->base;
    return STATUS_OK;
}
