/* SPDX-License-Identifier: Apache-2.0 */
/* json_item — one object of a JSON file as a row: its keys as columns, its values as cells. Essay: json_input.c. */
#include "base/limits.h"
#include "codec/b64.h"
#include "codec/jread.h"
#include "ingest/dialect.h"
#include "ingest/json_impl.h"
#include "ingest/row_fault.h"

#include "base/banned.h"

/* ---- columns ---------------------------------------------------------------------------------------------------- */

static bool take_name(struct json_input *j, str name)
{
    str low = arena_lower(j->base.arena, name);
    if (map_has(j->taken, low))
        return false;
    map_put(j->taken, low, j);
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
const str *json_add_first_column(struct json_input *j, str name)
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
        if (j->base.children.count == LIMIT_INGEST_CHILDREN) {
            err_set(err, STATUS_TOO_LARGE, "the objects hold more than %d different lists", LIMIT_INGEST_CHILDREN);
            return err_hint(err, "Without --children they are kept as JSON.");
        }
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

enum status json_read_item(struct json_input *j, struct batch *b, str text, struct err *err)
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
