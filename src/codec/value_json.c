/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "codec/jread.h"
#include "codec/jwrite.h"
#include "codec/value.h"

/* ---- reading
 * ----------------------------------------------------------------------------------------------------------- */

static struct value scalar(const struct jread *r, enum jread_token t)
{
    switch (t) {
    case JREAD_STRING:
        return value_str(r->s);
    case JREAD_INT:
        return value_int(r->i);
    case JREAD_FLOAT:
        return value_float(r->f);
    case JREAD_TRUE:
        return value_bool(true);
    case JREAD_FALSE:
        return value_bool(false);
    case JREAD_NULL:
    case JREAD_END:
    case JREAD_KEY:
    case JREAD_OBJECT_BEGIN:
    case JREAD_OBJECT_END:
    case JREAD_ARRAY_BEGIN:
    case JREAD_ARRAY_END:
        break;
    }
    return VALUE_NULL;
}

enum status value_from_json(struct arena *a, str text, struct value *ret, struct err *err)
{
    struct jread r;
    struct value stack[LIMIT_JSON_DEPTH + 1], root = VALUE_NULL;
    str keys[LIMIT_JSON_DEPTH + 1];
    size_t depth = 0;
    /* Strings without escapes point into the text: keep a copy that lives as long as the tree. */
    jread_init(&r, a, arena_str(a, text));
    for (;;) {
        enum jread_token t;
        enum status st = jread_next(&r, &t, err);
        if (st != STATUS_OK)
            return st;
        if (t == JREAD_END)
            break;
        if (t == JREAD_KEY) {
            keys[depth] = r.s;
            continue;
        }
        if (arena_over(a))
            return err_set(err, STATUS_TOO_LARGE,
                           "the JSON text holds more values than fit into memory set aside for it");
        if (t == JREAD_OBJECT_END || t == JREAD_ARRAY_END) {
            depth--;
            continue;
        }
        struct value v = t == JREAD_OBJECT_BEGIN  ? value_dict(a)
                         : t == JREAD_ARRAY_BEGIN ? value_list(a)
                                                  : scalar(&r, t);
        if (!depth)
            root = v;
        else if (stack[depth].kind == VALUE_DICT)
            value_set(stack[depth], keys[depth], v);
        else
            value_push(stack[depth], v);
        if (t == JREAD_OBJECT_BEGIN || t == JREAD_ARRAY_BEGIN)
            stack[++depth] = v;
    }
    *ret = root;
    return STATUS_OK;
}

/* ---- writing
 * ----------------------------------------------------------------------------------------------------------- */

struct writer {
    struct buf *out;
    unsigned flags;
    int indent; /* spaces a level; 0 = one line */
};

static void write_value(const struct writer *w, struct value v, int depth);

static void new_line(const struct writer *w, int depth)
{
    buf_putc(w->out, '\n');
    for (int i = 0; i < w->indent * depth; i++)
        buf_putc(w->out, ' ');
}

static void separator(const struct writer *w, bool first, int depth)
{
    if (!first)
        buf_putc(w->out, ',');
    if (w->indent)
        new_line(w, depth);
    else if (!first && !(w->flags & VALUE_JSON_COMPACT))
        buf_putc(w->out, ' ');
}

static int by_key(const void *x, const void *y)
{
    return str_cmp(((const struct value_entry *)x)->key, ((const struct value_entry *)y)->key);
}

static void write_dict(const struct writer *w, struct value v, int depth)
{
    const struct value_entry *entries = v.dict->entries;
    struct value_entry *sorted = NULL; /* not in the dict's arena: other threads may be reading it too */
    size_t n = v.dict->count;
    if ((w->flags & VALUE_JSON_SORTED) && n) {
        sorted = mem_array(n, sizeof *sorted);
        memcpy(sorted, entries, n * sizeof *sorted);
        qsort(sorted, n, sizeof *sorted, by_key);
        entries = sorted;
    }
    buf_putc(w->out, '{');
    for (size_t i = 0; i < n; i++) {
        separator(w, i == 0, depth + 1);
        jwrite_put_string(w->out, entries[i].key, w->flags);
        buf_puts(w->out, (w->flags & VALUE_JSON_COMPACT) && !w->indent ? STR(":") : STR(": "));
        write_value(w, entries[i].value, depth + 1);
    }
    free(sorted);
    if (n && w->indent)
        new_line(w, depth);
    buf_putc(w->out, '}');
}

static void write_list(const struct writer *w, struct value v, int depth)
{
    buf_putc(w->out, '[');
    for (size_t i = 0; i < v.list->count; i++) {
        separator(w, i == 0, depth + 1);
        write_value(w, v.list->items[i], depth + 1);
    }
    if (v.list->count && w->indent)
        new_line(w, depth);
    buf_putc(w->out, ']');
}

static void write_double(const struct writer *w, double f)
{
    if (isfinite(f) || (w->flags & VALUE_JSON_INFINITY))
        jwrite_put_double(w->out, f);
    else
        buf_puts(w->out, STR("null"));
}

static void write_value(const struct writer *w, struct value v, int depth)
{
    struct buf *out = w->out;
    if (depth > LIMIT_JSON_DEPTH || out->over) {
        buf_puts(out, STR("null"));
        return;
    }
    switch (v.kind) {
    case VALUE_UNDEFINED:
    case VALUE_NONE:
    case VALUE_OBJECT:
        buf_puts(out, STR("null"));
        break;
    case VALUE_BOOL:
        buf_puts(out, v.b ? STR("true") : STR("false"));
        break;
    case VALUE_INT:
        buf_put_i64(out, v.i);
        break;
    case VALUE_FLOAT:
        write_double(w, v.f);
        break;
    case VALUE_STR:
    case VALUE_SAFE:
        jwrite_put_string(out, v.s, w->flags);
        break;
    case VALUE_BYTES:
        jwrite_put_bytes(out, v.s, w->flags);
        break;
    case VALUE_LIST:
        write_list(w, v, depth);
        break;
    case VALUE_DICT:
        write_dict(w, v, depth);
        break;
    }
}

void value_to_json(struct buf *out, struct value v, unsigned flags)
{
    write_value(&(struct writer){out, flags, 0}, v, 0);
}

void value_to_json_indent(struct buf *out, struct value v, unsigned flags, int indent)
{
    write_value(&(struct writer){out, flags, indent}, v, 0);
}
