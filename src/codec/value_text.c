/* SPDX-License-Identifier: Apache-2.0 */
/* value_text — values as Python's str() and repr() print them: what templates show. */
#include <math.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "codec/jwrite.h"
#include "codec/value.h"

#define REPR_DEPTH_MAX 64
_Static_assert(VALUE_FLOAT_MAX >= JWRITE_DOUBLE_MAX, "room for every number");

static void put_double(struct buf *b, double f)
{
    char text[VALUE_FLOAT_MAX];
    buf_put(b, text, value_write_float(text, f));
}

/* Python's quote: single, unless that would need escaping and double ones would not. */
static char pick_quote(str s)
{
    return str_find_char(s, '\'') != STR_NPOS && str_find_char(s, '"') == STR_NPOS ? '"' : '\'';
}

/* An ASCII byte as repr() shows it. */
static void put_repr_ascii(struct buf *b, unsigned char c, char quote)
{
    const char *letter = c == '\n' ? "\\n" : c == '\r' ? "\\r" : c == '\t' ? "\\t" : NULL;
    if (letter) {
        buf_puts(b, str_of(letter));
    } else if (c < 0x20 || c >= 0x7f) {
        buf_printf(b, "\\x%02x", c);
    } else {
        if (c == '\\' || c == (unsigned char)quote)
            buf_putc(b, '\\');
        buf_putc(b, (char)c);
    }
}

/* Code points past ASCII that Python escapes: controls, formats, surrogates, private use, separators of Unicode 14.
 * Unassigned ones, which it escapes too, are shown as they are here. */
static bool printable(uint32_t code)
{
    static const uint32_t hidden[][2] = {
        {0x80, 0xA0},       {0xAD, 0xAD},        {0x600, 0x605},     {0x61C, 0x61C},     {0x6DD, 0x6DD},
        {0x70F, 0x70F},     {0x890, 0x891},      {0x8E2, 0x8E2},     {0x1680, 0x1680},   {0x180E, 0x180E},
        {0x2000, 0x200F},   {0x2028, 0x202F},    {0x205F, 0x2064},   {0x2066, 0x206F},   {0x3000, 0x3000},
        {0xD800, 0xF8FF},   {0xFEFF, 0xFEFF},    {0xFFF9, 0xFFFB},   {0x110BD, 0x110BD}, {0x110CD, 0x110CD},
        {0x13430, 0x13438}, {0x1BCA0, 0x1BCA3},  {0x1D173, 0x1D17A}, {0xE0001, 0xE0001}, {0xE0020, 0xE007F},
        {0xF0000, 0xFFFFD}, {0x100000, 0x10FFFD}};
    for (size_t i = 0; i < ARRAY_LEN(hidden); i++)
        if (code >= hidden[i][0] && code <= hidden[i][1])
            return false;
    return true;
}

static void put_repr_text(struct buf *b, str s)
{
    char quote = pick_quote(s);
    buf_putc(b, quote);
    while (s.n) {
        if ((unsigned char)s.p[0] < 0x80) {
            put_repr_ascii(b, (unsigned char)s.p[0], quote);
            s = str_from(s, 1);
            continue;
        }
        size_t len;
        uint32_t code = utf8_decode(s, &len);
        if (code == UTF8_BAD)
            buf_puts(b, STR("\xEF\xBF\xBD"));
        else if (printable(code))
            buf_put(b, s.p, len);
        else
            buf_printf(b, code < 0x100 ? "\\x%02x" : code < 0x10000 ? "\\u%04x" : "\\U%08x", code);
        s = str_from(s, len);
    }
    buf_putc(b, quote);
}

static void put_repr_bytes(struct buf *b, str s)
{
    char quote = pick_quote(s);
    buf_putc(b, 'b');
    buf_putc(b, quote);
    for (size_t i = 0; i < s.n; i++)
        put_repr_ascii(b, (unsigned char)s.p[i], quote);
    buf_putc(b, quote);
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

size_t value_write_float(char out[VALUE_FLOAT_MAX], double f)
{
    if (LIKELY(isfinite(f)))
        return jwrite_double(out, f);
    str s = isnan(f) ? STR("nan") : f > 0 ? STR("inf") : STR("-inf");
    memcpy(out, s.p, s.n);
    return s.n;
}

static str float_to_str(struct arena *a, double f)
{
    char text[VALUE_FLOAT_MAX];
    return arena_str(a, str_make(text, value_write_float(text, f)));
}

str value_to_str(struct arena *a, struct value v)
{
    switch (v.kind) {
    case VALUE_STR:
    case VALUE_SAFE:
        return v.s;
    case VALUE_UNDEFINED:
        return STR("");
    case VALUE_NONE:
        return STR("None");
    case VALUE_BOOL:
        return v.b ? STR("True") : STR("False");
    case VALUE_INT:
        return arena_i64(a, v.i);
    case VALUE_FLOAT:
        return float_to_str(a, v.f);
    case VALUE_BYTES:
    case VALUE_LIST:
    case VALUE_DICT:
    case VALUE_OBJECT:
        break;
    }
    struct buf b;
    buf_init(&b, LIMIT_VALUE_TEXT);
    put_repr(&b, v, 0);
    str out = arena_str(a, utf8_cut(buf_str(&b), b.n));
    buf_release(&b);
    return out;
}
