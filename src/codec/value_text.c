/* SPDX-License-Identifier: Apache-2.0 */
/* value_text — values as Python's str() and repr() print them: what templates show. */
#include <math.h>

#include "base/utf8.h"
#include "codec/jwrite.h"
#include "codec/value.h"

#define TEXT_MAX       ((size_t)16 << 20)
#define REPR_DEPTH_MAX 64

static void put_double(struct buf *b, double f)
{
    if (isnan(f))
        buf_puts(b, STR("nan"));
    else if (isinf(f))
        buf_puts(b, f > 0 ? STR("inf") : STR("-inf"));
    else
        jwrite_put_double(b, f);
}

/* Single quotes unless the text holds a single quote and no double one. */
static void put_repr_text(struct buf *b, str s)
{
    char quote = str_find_char(s, '\'') != STR_NPOS && str_find_char(s, '"') == STR_NPOS ? '"' : '\'';
    buf_putc(b, quote);
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '\\' || c == (unsigned char)quote)
            buf_printf(b, "\\%c", c);
        else if (c == '\n')
            buf_puts(b, STR("\\n"));
        else if (c == '\r')
            buf_puts(b, STR("\\r"));
        else if (c == '\t')
            buf_puts(b, STR("\\t"));
        else if (c < 0x20 || c == 0x7f)
            buf_printf(b, "\\x%02x", c);
        else
            buf_putc(b, (char)c);
    }
    buf_putc(b, quote);
}

static void put_repr_bytes(struct buf *b, str s)
{
    buf_puts(b, STR("b'"));
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '\\' || c == '\'')
            buf_printf(b, "\\%c", c);
        else if (c == '\n')
            buf_puts(b, STR("\\n"));
        else if (c == '\r')
            buf_puts(b, STR("\\r"));
        else if (c == '\t')
            buf_puts(b, STR("\\t"));
        else if (c < 0x20 || c >= 0x7f)
            buf_printf(b, "\\x%02x", c);
        else
            buf_putc(b, (char)c);
    }
    buf_putc(b, '\'');
}

static void put_repr(struct buf *b, struct value v, int depth);

static void put_repr_list(struct buf *b, struct value v, int depth)
{
    buf_putc(b, v.tuple ? '(' : '[');
    for (size_t i = 0; i < v.list->count; i++) {
        if (i)
            buf_puts(b, STR(", "));
        put_repr(b, v.list->items[i], depth + 1);
    }
    if (v.tuple && v.list->count == 1)
        buf_putc(b, ',');
    buf_putc(b, v.tuple ? ')' : ']');
}

static void put_repr_dict(struct buf *b, struct value v, int depth)
{
    buf_putc(b, '{');
    for (size_t i = 0; i < v.dict->count; i++) {
        if (i)
            buf_puts(b, STR(", "));
        put_repr_text(b, v.dict->entries[i].key);
        buf_puts(b, STR(": "));
        put_repr(b, v.dict->entries[i].value, depth + 1);
    }
    buf_putc(b, '}');
}

static void put_repr(struct buf *b, struct value v, int depth)
{
    if (depth > REPR_DEPTH_MAX) {
        buf_puts(b, STR("..."));
        return;
    }
    switch (v.kind) {
    case VALUE_UNDEFINED:
        buf_puts(b, STR("Undefined"));
        break;
    case VALUE_NONE:
        buf_puts(b, STR("None"));
        break;
    case VALUE_BOOL:
        buf_puts(b, v.b ? STR("True") : STR("False"));
        break;
    case VALUE_INT:
        buf_put_i64(b, v.i);
        break;
    case VALUE_FLOAT:
        put_double(b, v.f);
        break;
    case VALUE_STR:
        put_repr_text(b, v.s);
        break;
    case VALUE_SAFE:
        buf_puts(b, STR("Markup("));
        put_repr_text(b, v.s);
        buf_putc(b, ')');
        break;
    case VALUE_BYTES:
        put_repr_bytes(b, v.s);
        break;
    case VALUE_LIST:
        put_repr_list(b, v, depth);
        break;
    case VALUE_DICT:
        put_repr_dict(b, v, depth);
        break;
    case VALUE_OBJECT:
        buf_printf(b, "<%s>", v.object.class->name ? v.object.class->name : "object");
        break;
    }
}

str value_to_str(struct arena *a, struct value v)
{
    if (v.kind == VALUE_STR || v.kind == VALUE_SAFE)
        return v.s;
    if (v.kind == VALUE_UNDEFINED)
        return STR("");
    struct buf b;
    buf_init(&b, TEXT_MAX);
    put_repr(&b, v, 0);
    str out = arena_str(a, buf_str(&b));
    buf_release(&b);
    return out;
}
