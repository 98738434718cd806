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
 * whatever they look like; integers past 64 bits stay text too. Tests: tests/ingest/test_json.py, fuzz target `infer`.
 */
#include <stdlib.h>

#include "base/limits.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "codec/b64.h"
#include "codec/jread.h"
#include "ingest/decode.h"
#include "ingest/dialect.h"
#include "ingest/input.h"
#include "ingest/row_fault.h"

#include "base/banned.h"

enum cut { CUT_LINES, CUT_ARRAY, CUT_ONE };

struct json_input {
    struct input base;
    const struct ingest_options *options;
    struct decode *decode;
    enum encoding encoding;
    enum cut cut;
    bool geojson;
    size_t offset;     /* of the first item in the text */
    struct map *keys;  /* key -> index of its column + 1 */
    struct map *taken; /* column names in lower case */

    /* Of a pass. */
    char *carry;
    size_t carry_n, carry_cap;
    size_t to_skip; /* bytes before the first item that are still to come */
    uint64_t line;
    bool ended, done;
    uint64_t item;     /* number of the one that is read */
    struct map *lists; /* names in base.children */
};

/* ---- columns ---------------------------------------------------------------------------------------------------- */

static bool take_name(struct json_input *j, str name)
{
    char *low = arena_cstr(j->base.arena, name);
    for (char *c = low; *c; c++)
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
    if (map_has(j->taken, str_of(low)))
        return false;
    map_put(j->taken, str_of(low), j);
    return true;
}

static size_t add_column(struct json_input *j, str key)
{
    str base = dialect_names(j->base.arena, &key, 1)[0], name = base;
    for (size_t number = 2; !take_name(j, name); number++)
        name = arena_printf(j->base.arena, "%.*s_%zu", STR_ARG(base), number);
    VEC_PUSH(j->base.arena, &j->base.columns, name);
    map_put(j->keys, key, (void *)(uintptr_t)j->base.columns.count);
    return j->base.columns.count - 1;
}

/* A column that no key of the objects leads to. Returns its name, for as long as the input lives. */
static const str *add_first_column(struct json_input *j, str name)
{
    str *kept = ARENA_NEW(j->base.arena, str);
    *kept = arena_str(j->base.arena, name);
    (void)take_name(j, name);
    VEC_PUSH(j->base.arena, &j->base.columns, *kept);
    return kept;
}

static size_t column_of(struct json_input *j, str key)
{
    uintptr_t at = (uintptr_t)map_get(j->keys, key);
    return at ? at - 1 : add_column(j, key);
}

/* ---- one item --------------------------------------------------------------------------------------------------- */

struct item {
    struct json_input *input;
    struct batch *batch;
    struct jread reader;
    size_t first; /* cell */
    bool outer;   /* the row of a parent, of which only key and list are wanted */
    struct cell key;
    str list;
};

/* JSON as json.dumps spaces it, strings and numbers as they stand. */
static str compact(struct arena *a, str raw)
{
    char *p = arena_alloc_raw(a, raw.n * 2 + 1);
    size_t n = 0;
    bool inside = false;
    for (size_t i = 0; i < raw.n; i++) {
        char c = raw.p[i];
        if (!inside && (c == ' ' || c == '\t' || c == '\n' || c == '\r'))
            continue;
        p[n++] = c;
        if (inside && c == '\\' && i + 1 < raw.n)
            p[n++] = raw.p[++i];
        else if (c == '"')
            inside = !inside;
        else if (!inside && (c == ',' || c == ':'))
            p[n++] = ' ';
    }
    return str_make(p, n);
}

static struct cell *cell_of(struct item *it, size_t column)
{
    struct rows *rows = &it->batch->rows;
    while (rows->cell_count - it->first <= column)
        *rows_cell(rows) = (struct cell){.kind = CELL_NULL};
    return &rows->cells[it->first + column];
}

static str raw_of(const struct item *it, size_t start)
{
    return str_sub(it->reader.text, start, it->reader.at);
}

#define NUMBER_COLUMN "_id" /* what rows are called by that have no key */

static struct cell number_cell(struct item *it)
{
    str text = arena_printf(it->batch->arena, "%llu", (unsigned long long)it->input->item);
    return (struct cell){.p = text.p, .n = (uint32_t)text.n, .kind = CELL_INT, .i = (int64_t)it->input->item};
}

static void set_number(struct item *it, struct cell *c, enum jread_token token)
{
    str raw = raw_of(it, it->reader.start);
    bool whole = token == JREAD_FLOAT;
    for (size_t i = 0; i < raw.n; i++)
        whole &= raw.p[i] != '.' && (raw.p[i] | 32) != 'e';
    *c = (struct cell){.p = raw.p, .n = (uint32_t)raw.n};
    c->kind = whole ? CELL_TEXT : token == JREAD_INT ? CELL_INT : CELL_REAL; /* whole: an integer past 64 bits */
    if (c->kind == CELL_INT)
        c->i = it->reader.i;
    else if (c->kind == CELL_REAL)
        c->f = it->reader.f;
}

/* {"$base64": true, "encoded": "..."}, as bytes are written in JSON here and by Datasette and sqlite-utils. */
static bool is_blob(struct arena *a, str compact_text, str *ret)
{
    const str head = STR("{\"$base64\": true, \"encoded\": \""), tail = STR("\"}");
    if (!str_starts(compact_text, head) || !str_ends(compact_text, tail) || compact_text.n < head.n + tail.n)
        return false;
    return b64_decode(a, str_sub(compact_text, head.n, compact_text.n - tail.n), ret);
}

static enum status read_value(struct item *it, struct cell *c, enum jread_token token, struct err *err)
{
    size_t start = it->reader.start;
    str text, blob;
    switch (token) {
    case JREAD_STRING:
        *c = (struct cell){.p = it->reader.s.p, .n = (uint32_t)it->reader.s.n, .kind = CELL_TEXT};
        break;
    case JREAD_INT:
    case JREAD_FLOAT:
        set_number(it, c, token);
        break;
    case JREAD_TRUE:
    case JREAD_FALSE:
        *c = (struct cell){.p = token == JREAD_TRUE ? "true" : "false",
                           .n = token == JREAD_TRUE ? 4 : 5,
                           .kind = CELL_INT,
                           .i = token == JREAD_TRUE};
        break;
    case JREAD_OBJECT_BEGIN:
    case JREAD_ARRAY_BEGIN: {
        enum status st = jread_skip(&it->reader, token, err);
        if (st != STATUS_OK)
            return st;
        text = compact(it->batch->arena, raw_of(it, start));
        *c = is_blob(it->batch->arena, text, &blob)
                 ? (struct cell){.p = blob.p, .n = (uint32_t)blob.n, .kind = CELL_BLOB}
                 : (struct cell){.p = text.p, .n = (uint32_t)text.n, .kind = CELL_TEXT};
        break;
    }
    default:
        *c = (struct cell){.kind = CELL_NULL};
        break;
    }
    return STATUS_OK;
}

static enum status set_value(struct item *it, str key, enum jread_token token, struct err *err)
{
    struct cell value; /* the array of cells may move */
    enum status st = read_value(it, &value, token, err);
    if (st == STATUS_OK)
        *cell_of(it, column_of(it->input, key)) = value;
    return st;
}

/* A list whose bracket has been read, to its end; *ret_first is its first token. */
static enum status read_list(struct item *it, enum jread_token *ret_first, struct err *err)
{
    enum jread_token token;
    enum status st = jread_next(&it->reader, &token, err);
    *ret_first = token;
    while (st == STATUS_OK && token != JREAD_ARRAY_END) {
        st = jread_skip(&it->reader, token, err);
        if (st == STATUS_OK)
            st = jread_next(&it->reader, &token, err);
    }
    return st;
}

/* Lists of objects are rows of other tables; one that is empty may be one. Other lists are values. */
static enum status set_list(struct item *it, str key, struct err *err)
{
    struct json_input *j = it->input;
    size_t start = it->reader.start;
    enum jread_token first;
    enum status st = read_list(it, &first, err);
    if (st != STATUS_OK || first == JREAD_ARRAY_END)
        return st;
    if (first == JREAD_OBJECT_BEGIN) {
        if (map_has(j->lists, key))
            return STATUS_OK;
        if (j->base.children.count == LIMIT_INGEST_CHILDREN)
            return err_set(err, STATUS_TOO_LARGE, "the objects hold more than %d different lists",
                           LIMIT_INGEST_CHILDREN);
        VEC_PUSH(j->base.arena, &j->base.children, arena_str(j->base.arena, key));
        map_put(j->lists, key, j);
        return STATUS_OK;
    }
    str text = compact(it->batch->arena, raw_of(it, start));
    *cell_of(it, column_of(j, key)) = (struct cell){.p = text.p, .n = (uint32_t)text.n, .kind = CELL_TEXT};
    return STATUS_OK;
}

/* Of a parent's row: its key, and the list that is wanted. */
static enum status look_at_outer(struct item *it, str key, enum jread_token token, struct err *err)
{
    const struct ingest_parent *p = it->input->options->parent;
    size_t start = it->reader.start;
    enum jread_token first;
    if (str_eq(key, p->list) && token == JREAD_ARRAY_BEGIN) {
        enum status st = read_list(it, &first, err);
        if (st == STATUS_OK && first == JREAD_OBJECT_BEGIN)
            it->list = raw_of(it, start);
        return st;
    }
    if (!p->numbered && str_eq(key, p->key))
        return read_value(it, &it->key, token, err);
    return jread_skip(&it->reader, token, err);
}

/* The members of an object whose first brace has been read. */
static enum status read_members(struct item *it, str prefix, unsigned depth, struct err *err)
{
    const struct json_input *j = it->input;
    enum jread_token token;
    for (;;) {
        enum status st = jread_next(&it->reader, &token, err);
        if (st != STATUS_OK || token == JREAD_OBJECT_END)
            return st;
        str key = it->reader.s, name = prefix.n ? ARENA_CAT(it->batch->arena, prefix, STR("_"), key) : key;
        st = jread_next(&it->reader, &token, err);
        if (st != STATUS_OK)
            return st;
        bool feature = j->geojson && depth == 0;
        if (feature && str_is(key, "type"))
            st = jread_skip(&it->reader, token, err);
        else if (feature && str_is(key, "properties") && token == JREAD_OBJECT_BEGIN)
            st = read_members(it, STR(""), depth + 1, err);
        else if (j->options->flatten && !feature && token == JREAD_OBJECT_BEGIN)
            st = read_members(it, name, depth + 1, err);
        else if (it->outer)
            st = look_at_outer(it, name, token, err);
        else if (j->options->children && !j->options->parent && !feature && token == JREAD_ARRAY_BEGIN)
            st = set_list(it, name, err);
        else
            st = set_value(it, name, token, err);
        if (st != STATUS_OK)
            return st;
        if (j->base.columns.count > LIMIT_INGEST_COLUMNS) {
            err_set(err, STATUS_TOO_LARGE, "the objects have more than %d different keys, too many for a table",
                    LIMIT_INGEST_COLUMNS);
            return err_hint(err, "Keys that are data cannot be columns: choose another part with --path.");
        }
    }
}

static void reject_item(struct item *it, str text, enum row_fault fault)
{
    struct rows *rows = &it->batch->rows;
    rows->cell_count = it->first;
    *rows_cell(rows) = (struct cell){.p = text.p, .n = (uint32_t)text.n, .kind = CELL_TEXT};
    rows_end(rows, it->input->line, it->first);
    rows->rows[rows->row_count - 1].fault = fault;
}

/* The rows of the list that was found in a parent's row. */
static enum status read_inner(struct item *outer, struct err *err)
{
    struct item it = {.input = outer->input, .batch = outer->batch};
    struct rows *rows = &it.batch->rows;
    enum jread_token token;
    if (!outer->list.n)
        return STATUS_OK;
    jread_init(&it.reader, it.batch->arena, outer->list);
    enum status st = jread_next(&it.reader, &token, err);
    while (st == STATUS_OK && (st = jread_next(&it.reader, &token, err)) == STATUS_OK && token != JREAD_ARRAY_END) {
        size_t start = it.reader.start;
        it.first = rows->cell_count;
        if (token == JREAD_OBJECT_BEGIN) {
            *cell_of(&it, 0) = it.input->options->parent->numbered ? number_cell(&it) : outer->key;
            st = read_members(&it, STR(""), 0, err);
            rows_end(rows, it.input->line, it.first);
        } else {
            st = jread_skip(&it.reader, token, err);
            if (st == STATUS_OK)
                reject_item(&it, raw_of(&it, start), ROW_NO_OBJECT);
        }
    }
    return st;
}

static enum status read_item(struct json_input *j, struct batch *b, str text, struct err *err)
{
    const struct ingest_parent *parent = j->options->parent;
    struct item it = {.input = j, .batch = b, .first = b->rows.cell_count, .outer = parent != NULL};
    j->item++;
    struct err why = ERR_INIT;
    enum jread_token token;
    text = str_trim(text);
    jread_init(&it.reader, b->arena, text);
    if (j->base.key_count)
        *cell_of(&it, 0) = number_cell(&it);
    enum status st = jread_next(&it.reader, &token, &why);
    if (st == STATUS_OK && token == JREAD_OBJECT_BEGIN)
        st = read_members(&it, STR(""), 0, &why);
    else if (st == STATUS_OK && token == JREAD_ARRAY_BEGIN)
        st = jread_skip(&it.reader, token, &why);
    else if (st == STATUS_OK && !parent)
        st = set_value(&it, STR("value"), token, &why);
    bool is_list = token == JREAD_ARRAY_BEGIN;
    if (st == STATUS_OK)
        st = jread_next(&it.reader, &token, &why); /* nothing may follow */
    if (st == STATUS_OK && parent)
        st = read_inner(&it, &why);
    if (parent && (st == STATUS_OK || (st == STATUS_INVALID && j->cut == CUT_LINES)))
        return STATUS_OK; /* a bad line is among the rejected rows of the parent */
    if (st == STATUS_OK && !is_list) {
        rows_end(&b->rows, j->line, it.first);
    } else if (st == STATUS_OK || (st == STATUS_INVALID && j->cut == CUT_LINES)) {
        reject_item(&it, text, st == STATUS_OK ? ROW_NO_OBJECT : ROW_BAD_JSON);
    } else {
        err_set(err, st, "%.*s, in the item on line %llu: %s", STR_ARG(j->base.source->name),
                (unsigned long long)j->line, why.text);
        return err_hint(err, "%s", why.hint);
    }
    return STATUS_OK;
}

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
            enum status st = read_item(j, b, str_make(p + at, length), err);
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
            enum status st = read_item(j, b, text, err);
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
        if (n >= (size_t)LIMIT_INGEST_RECORD)
            return err_set(err, STATUS_TOO_LARGE, "%.*s line %llu: an item is longer than %d bytes",
                           STR_ARG(in->source->name), (unsigned long long)j->line, LIMIT_INGEST_RECORD);
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

/* Where in the document the wanted array begins: right behind its bracket. */
struct finder {
    struct jread reader;
    str path;  /* what is left of --path */
    str found; /* keys of members that are lists of objects */
    size_t offset, count;
    bool collection;
};

static enum status look_into_member(struct finder *f, struct arena *a, str key, enum jread_token token, struct err *err)
{
    if (token == JREAD_STRING && str_is(key, "type"))
        f->collection = str_is(f->reader.s, "FeatureCollection");
    if (token != JREAD_ARRAY_BEGIN)
        return jread_skip(&f->reader, token, err);
    size_t behind = f->reader.at;
    enum jread_token first;
    enum status st = jread_next(&f->reader, &first, err);
    if (st != STATUS_OK)
        return st;
    if (first == JREAD_OBJECT_BEGIN) {
        f->found = f->count ? ARENA_CAT(a, f->found, STR(", "), key) : arena_str(a, key);
        f->offset = f->count++ ? f->offset : behind;
    }
    while (st == STATUS_OK && first != JREAD_ARRAY_END) {
        st = jread_skip(&f->reader, first, err);
        if (st == STATUS_OK)
            st = jread_next(&f->reader, &first, err);
    }
    return st;
}

static enum status no_path(const struct json_input *j, str part, struct err *err)
{
    return err_set(err, STATUS_USAGE, "%.*s: --path: there is no list at \"%.*s\"", STR_ARG(j->base.source->name),
                   STR_ARG(part));
}

static enum status walk(struct json_input *j, struct finder *f, enum jread_token token, struct err *err)
{
    str key, wanted = {0};
    bool by_path = f->path.n > 0;
    if (by_path)
        str_cut(f->path, '.', &wanted, &f->path);
    if (token != JREAD_OBJECT_BEGIN)
        return no_path(j, wanted, err);
    for (;;) {
        enum status st = jread_next(&f->reader, &token, err);
        if (st != STATUS_OK)
            return st;
        if (token == JREAD_OBJECT_END)
            return by_path ? no_path(j, wanted, err) : STATUS_OK;
        key = f->reader.s;
        st = jread_next(&f->reader, &token, err);
        if (st == STATUS_OK && by_path && str_eq(key, wanted)) {
            if (f->path.n)
                return walk(j, f, token, err); /* as deep as --path has parts */
            if (token != JREAD_ARRAY_BEGIN)
                return no_path(j, wanted, err);
            f->offset = f->reader.at;
            f->count = 1;
            return STATUS_OK;
        }
        if (st == STATUS_OK)
            st = by_path ? jread_skip(&f->reader, token, err) : look_into_member(f, j->base.arena, key, token, err);
        if (st != STATUS_OK)
            return st;
    }
}

static enum status read_document(struct json_input *j, struct buf *text, struct err *err)
{
    struct decode *d = NULL;
    size_t n = 1;
    bool ill_formed;
    enum status st = decode_new(j->base.source, j->encoding, NULL, &d, err);
    while (st == STATUS_OK && n) {
        char *room = buf_reserve(text, LIMIT_INGEST_BLOCK);
        if (!room) {
            st = err_set(err, STATUS_TOO_LARGE, "%.*s: a JSON document of more than %d bytes has to be a list",
                         STR_ARG(j->base.source->name), LIMIT_INGEST_RECORD);
            break;
        }
        st = decode_read(d, room, LIMIT_INGEST_BLOCK, &n, &ill_formed, err);
        text->n += st == STATUS_OK ? n : 0;
    }
    decode_free(d);
    return st;
}

/* The document is an object: the list in it that is meant. */
static enum status find_list(struct json_input *j, struct err *err)
{
    struct arena *scratch = arena_new(0);
    struct buf text;
    struct finder f = {.path = j->options->path};
    enum jread_token token;
    buf_init(&text, LIMIT_INGEST_RECORD + LIMIT_INGEST_BLOCK);
    enum status st = read_document(j, &text, err);
    jread_init(&f.reader, scratch, buf_str(&text));
    if (st == STATUS_OK)
        st = jread_next(&f.reader, &token, err);
    if (st == STATUS_OK)
        st = walk(j, &f, token, err);
    if (st == STATUS_INVALID)
        err_prefix(err, "%.*s", STR_ARG(j->base.source->name));
    if (st == STATUS_OK && f.count > 1) {
        st = err_set(err, STATUS_USAGE, "%.*s holds several lists: %.*s", STR_ARG(j->base.source->name),
                     STR_ARG(f.found));
        err_hint(err, "Choose one with --path NAME.");
    }
    j->cut = f.count ? CUT_ARRAY : CUT_ONE;
    j->offset = f.count ? f.offset : 0;
    j->geojson |= f.collection && f.count;
    buf_release(&text);
    arena_free(scratch);
    return st;
}

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
        (void)add_first_column(j, o->parent->column);
    else if (o->children && !o->pk_count) { /* the number is the key */
        j->base.keys = add_first_column(j, STR(NUMBER_COLUMN));
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
        st = find_list(j, err);
    }
    if (st != STATUS_OK)
        return st;
    j->geojson |= o->format == FORMAT_GEOJSON;
    if (j->geojson)
        j->base.class = &geojson_class;
    *ret = &j->base;
    return STATUS_OK;
}
