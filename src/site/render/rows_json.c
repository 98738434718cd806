/* SPDX-License-Identifier: Apache-2.0 */
#include "site/render/rows_json.h"

#include <math.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "codec/b64.h"
#include "codec/jwrite.h"
#include "site/compat.h"
#include "site/links.h"

struct writer {
    struct arena *a;
    const struct rows_json *spec;
    struct buf *out;
    str *keys;      /* "\"name\": " a column; empty for names that a later column repeats */
    bool *parsed;   /* column's text is JSON */
    bool *repeated; /* a later column has the same name: objects keep the last value at the first place */
    size_t *source; /* column whose value is written at this place */
};

static void write_blob(struct buf *out, str bytes)
{
    buf_puts(out, STR("{\"$base64\": true, \"encoded\": \""));
    b64_encode(out, bytes);
    buf_puts(out, STR("\"}"));
}

static void write_plain(const struct writer *w, const struct cell *c)
{
    struct buf *out = w->out;
    switch (c->kind) {
    case CELL_NULL:
        buf_puts(out, STR("null"));
        break;
    case CELL_INT:
        buf_put_i64(out, c->i);
        break;
    case CELL_FLOAT:
        if (isfinite(c->f))
            jwrite_put_double(out, c->f);
        else
            buf_puts(out, !w->spec->infinity || isnan(c->f) ? STR("null")
                          : c->f > 0                        ? STR("Infinity")
                                                            : STR("-Infinity"));
        break;
    case CELL_TEXT:
        jwrite_put_string(out, c->s, 0);
        break;
    case CELL_BLOB:
        if (w->spec->text_blobs && utf8_valid(c->s))
            jwrite_put_string(out, c->s, 0);
        else
            write_blob(out, c->s);
        break;
    }
}

static void write_cell(const struct writer *w, const struct cell *c, size_t column)
{
    if (c->label.p) {
        buf_puts(w->out, STR("{\"value\": "));
        write_plain(w, c);
        buf_puts(w->out, STR(", \"label\": "));
        jwrite_put_string(w->out, c->label, 0);
        buf_putc(w->out, '}');
        return;
    }
    struct value v;
    if (w->parsed[column] && c->kind == CELL_TEXT && value_from_json(w->a, c->s, &v, NULL) == STATUS_OK) {
        value_to_json(w->out, v, 0);
        return;
    }
    write_plain(w, c);
}

static void write_object(const struct writer *w, size_t row)
{
    const struct rowset *r = w->spec->rows;
    bool first = true;
    buf_putc(w->out, '{');
    for (size_t i = 0; i < r->column_count; i++) {
        if (w->repeated[i])
            continue;
        if (!first)
            buf_puts(w->out, STR(", "));
        first = false;
        buf_puts(w->out, w->keys[i]);
        write_cell(w, rowset_cell(r, row, w->source[i]), w->source[i]);
    }
    buf_putc(w->out, '}');
}

static void write_array(const struct writer *w, size_t row)
{
    const struct rowset *r = w->spec->rows;
    buf_putc(w->out, '[');
    for (size_t i = 0; i < r->column_count; i++) {
        if (i)
            buf_puts(w->out, STR(", "));
        write_cell(w, rowset_cell(r, row, i), i);
    }
    buf_putc(w->out, ']');
}

static void write_row(const struct writer *w, size_t row)
{
    const struct rowset *r = w->spec->rows;
    switch (w->spec->shaping.shape) {
    case QUERY_SHAPE_ARRAYS:
        write_array(w, row);
        break;
    case QUERY_SHAPE_ARRAYFIRST:
        if (r->column_count)
            write_cell(w, rowset_cell(r, row, 0), 0);
        break;
    case QUERY_SHAPE_OBJECT:
        jwrite_put_string(w->out, row_path(w->a, r, row, w->spec->pks, w->spec->pk_count), 0);
        buf_puts(w->out, STR(": "));
        write_object(w, row);
        break;
    case QUERY_SHAPE_OBJECTS:
    case QUERY_SHAPE_ARRAY:
        write_object(w, row);
        break;
    }
}

static void write_entries(struct buf *out, struct value dict, bool *first)
{
    for (size_t i = 0; dict.kind == VALUE_DICT && i < dict.dict->count; i++) {
        if (!*first)
            buf_puts(out, STR(", "));
        *first = false;
        jwrite_put_string(out, dict.dict->entries[i].key, 0);
        buf_puts(out, STR(": "));
        value_to_json(out, dict.dict->entries[i].value, 0);
    }
}

static void prepare_columns(struct writer *w)
{
    const struct rowset *r = w->spec->rows;
    size_t n = r->column_count + 1;
    w->keys = ARENA_ARRAY(w->a, str, n);
    w->parsed = ARENA_ARRAY(w->a, bool, n);
    w->repeated = ARENA_ARRAY(w->a, bool, n);
    w->source = ARENA_ARRAY(w->a, size_t, n);
    for (size_t i = 0; i < r->column_count; i++) {
        struct buf key;
        buf_init(&key, r->columns[i].n * 6 + 16);
        jwrite_put_string(&key, r->columns[i], 0);
        buf_puts(&key, STR(": "));
        w->keys[i] = arena_str(w->a, buf_str(&key));
        buf_release(&key);
        w->source[i] = i;
        w->repeated[i] = w->spec->skip.p && str_eq(w->spec->skip, r->columns[i]);
        for (size_t k = 0; k < w->spec->parsed_count; k++)
            w->parsed[i] |= str_eq(w->spec->parsed[k], r->columns[i]);
        for (size_t k = 0; k < i && !w->repeated[i] && r->column_count <= 2000; k++) {
            if (!w->repeated[k] && str_eq(r->columns[k], r->columns[i])) {
                w->source[k] = i;
                w->repeated[i] = true;
                break;
            }
        }
    }
}

void rows_json_write(struct arena *a, const struct rows_json *spec, struct buf *out)
{
    struct writer w = {.a = a, .spec = spec, .out = out};
    enum query_shape shape = spec->shaping.shape;
    bool envelope = shape == QUERY_SHAPE_OBJECTS || shape == QUERY_SHAPE_ARRAYS, first = true;
    bool lines = spec->shaping.lines, object = shape == QUERY_SHAPE_OBJECT, bare = lines || spec->bare;
    prepare_columns(&w);
    if (envelope) {
        buf_putc(out, '{');
        write_entries(out, spec->head, &first);
        buf_puts(out, first ? STR("\"rows\": ") : STR(", \"rows\": "));
    }
    if (!bare)
        buf_putc(out, object ? '{' : '[');
    for (size_t i = 0; i < spec->row_count; i++) {
        if (i)
            buf_puts(out, lines ? STR("\n") : STR(", "));
        if (spec->before_row)
            spec->before_row(spec, i, out);
        write_row(&w, i);
        if (spec->before_row)
            buf_putc(out, '}');
        if (out->over)
            return;
    }
    if (!bare)
        buf_putc(out, object ? '}' : ']');
    if (envelope) {
        first = false;
        write_entries(out, spec->tail, &first);
        buf_putc(out, '}');
    }
}

enum status rows_json_options(struct request *rq, struct rows_json *spec, struct err *err)
{
    enum status st = query_shape_parse(&rq->args, &spec->shaping, err);
    if (st != STATUS_OK)
        return st;
    if (!args_has(&rq->args, STR("_shape")) && compat_is_old(rq))
        spec->shaping.shape = QUERY_SHAPE_ARRAYS;
    const struct arg *json;
    size_t n = args_all(&rq->args, STR("_json"), &json);
    str *parsed = ARENA_ARRAY(rq->arena, str, n + 1);
    for (size_t i = 0; i < n; i++)
        parsed[i] = json[i].value;
    spec->parsed = parsed;
    spec->parsed_count = n;
    spec->text_blobs = compat_is_old(rq);
    spec->infinity = request_flag(rq, "_json_infinity", false);
    return STATUS_OK;
}

const char *rows_json_content_type(const struct rows_json *spec)
{
    return spec->shaping.lines ? "text/plain" : "application/json; charset=utf-8";
}

enum status rows_json_respond(struct request *rq, const struct rows_json *spec, int http_status, struct err *err)
{
    struct buf out;
    buf_init(&out, LIMIT_JSON_OUTPUT);
    rows_json_write(rq->arena, spec, &out);
    if (out.over) {
        buf_release(&out);
        err_set(err, STATUS_TOO_LARGE, "The answer is larger than %d MB", LIMIT_JSON_OUTPUT >> 20);
        return err_hint(err, "Ask for fewer rows with _size, for fewer columns with _col, or export as CSV.");
    }
    respond_buf(rq, http_status, rows_json_content_type(spec), &out);
    return STATUS_OK;
}
