/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/jwrite.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"

/* 1 = always escaped, 2 = escaped with JWRITE_HTML, 4 = not ASCII */
__extension__ static const uint8_t classes[256] = {
    [0 ... 31] = 1, ['"'] = 1, ['\\'] = 1, [127] = 0, ['<'] = 2, ['>'] = 2, ['&'] = 2, ['\''] = 2, [128 ... 255] = 4};

static void put_unit(struct buf *out, unsigned unit)
{
    static const char hex[] = "0123456789abcdef";
    char e[6] = {'\\', 'u', hex[unit >> 12 & 15], hex[unit >> 8 & 15], hex[unit >> 4 & 15], hex[unit & 15]};
    buf_put(out, e, sizeof e);
}

static void put_code(struct buf *out, uint32_t code)
{
    if (code < 0x10000) {
        put_unit(out, code);
        return;
    }
    code -= 0x10000;
    put_unit(out, 0xD800 + (code >> 10));
    put_unit(out, 0xDC00 + (code & 0x3FF));
}

static void put_control(struct buf *out, unsigned char c)
{
    static const char *const names[128] = {['"'] = "\\\"", ['\\'] = "\\\\", ['\n'] = "\\n", ['\r'] = "\\r",
                                           ['\t'] = "\\t", ['\b'] = "\\b",  ['\f'] = "\\f"};
    if (names[c])
        buf_put(out, names[c], 2);
    else
        put_unit(out, c);
}

void jwrite_put_string(struct buf *out, str s, unsigned flags)
{
    unsigned mask = 1 | (flags & JWRITE_HTML ? 2 : 0) | 4;
    size_t from = 0, i = 0;
    buf_putc(out, '"');
    while (i < s.n) {
        unsigned char c = (unsigned char)s.p[i];
        if (LIKELY(!(classes[c] & mask))) {
            i++;
            continue;
        }
        buf_put(out, s.p + from, i - from);
        if (c < 128) {
            put_control(out, c);
            from = ++i;
            continue;
        }
        size_t len;
        uint32_t code = utf8_decode(str_from(s, i), &len);
        if (code == UTF8_BAD && (flags & JWRITE_UTF8))
            buf_puts(out, STR("\xEF\xBF\xBD"));
        else if (flags & JWRITE_UTF8)
            buf_put(out, s.p + i, len);
        else
            put_code(out, code == UTF8_BAD ? UTF8_REPLACEMENT : code);
        i += len;
        from = i;
    }
    buf_put(out, s.p + from, i - from);
    buf_putc(out, '"');
}

/* %e text "d.ddde+XX" -> digits and exponent, then Python's choice of form. */
static void put_digits(struct buf *out, const char *text)
{
    char digits[32];
    size_t n = 0;
    const char *p = text;
    if (*p == '-') {
        buf_putc(out, '-');
        p++;
    }
    for (; *p && *p != 'e'; p++)
        if (*p >= '0' && *p <= '9' && n < sizeof digits)
            digits[n++] = *p;
    int exponent = (int)strtol(p + 1, NULL, 10);
    while (n > 1 && digits[n - 1] == '0')
        n--;
    if (exponent < -4 || exponent >= 16) {
        buf_putc(out, digits[0]);
        if (n > 1) {
            buf_putc(out, '.');
            buf_put(out, digits + 1, n - 1);
        }
        buf_printf(out, "e%c%02d", exponent < 0 ? '-' : '+', exponent < 0 ? -exponent : exponent);
        return;
    }
    if (exponent < 0) {
        buf_puts(out, STR("0."));
        for (int i = -1; i > exponent; i--)
            buf_putc(out, '0');
        buf_put(out, digits, n);
        return;
    }
    for (size_t i = 0; i <= (size_t)exponent; i++)
        buf_putc(out, i < n ? digits[i] : '0');
    buf_putc(out, '.');
    if (n > (size_t)exponent + 1)
        buf_put(out, digits + exponent + 1, n - (size_t)exponent - 1);
    else
        buf_putc(out, '0');
}

/* Most stored decimals are short: scaled by a power of ten they are exact integers, and dividing back is exactly
 * rounded, so the text is right whenever the quotient is the number again. */
static bool put_short_decimal(struct buf *out, double f)
{
    static const double tens[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};
    double absolute = fabs(f);
    if (absolute >= 1e9 || absolute < 1e-4 || signbit(f) != (f < 0))
        return false;
    for (int places = 1; places <= 6; places++) {
        double scaled = absolute * tens[places], whole = nearbyint(scaled);
        if (fabs(scaled - whole) > 1e-3 || whole >= 9e15 || whole / tens[places] != absolute)
            continue;
        uint64_t v = (uint64_t)whole, unit = (uint64_t)tens[places];
        char frac[8];
        if (f < 0)
            buf_putc(out, '-');
        buf_put_u64(out, v / unit);
        uint64_t rest = v % unit;
        for (int i = places - 1; i >= 0; i--) {
            frac[i] = (char)('0' + rest % 10);
            rest /= 10;
        }
        int n = places;
        while (n > 1 && frac[n - 1] == '0')
            n--;
        buf_putc(out, '.');
        buf_put(out, frac, (size_t)n);
        return true;
    }
    return false;
}

void jwrite_put_double(struct buf *out, double f)
{
    char text[40];
    if (isnan(f)) {
        buf_puts(out, STR("NaN"));
        return;
    }
    if (isinf(f)) {
        buf_puts(out, f > 0 ? STR("Infinity") : STR("-Infinity"));
        return;
    }
    if (put_short_decimal(out, f))
        return;
    for (int precision = 14; precision <= 16; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, f);
        if (precision == 16 || strtod(text, NULL) == f)
            break;
    }
    put_digits(out, text);
}

/* ---- documents ---- */

void jwrite_init(struct jwrite *w, struct buf *out, unsigned flags)
{
    memset(w, 0, sizeof *w);
    w->out = out;
    w->flags = flags;
}

static void before_item(struct jwrite *w)
{
    if (w->after_key) {
        w->after_key = false;
        return;
    }
    if (w->more[w->depth])
        buf_puts(w->out, w->flags & JWRITE_COMPACT ? STR(",") : STR(", "));
    w->more[w->depth] = true;
}

static void begin(struct jwrite *w, char c)
{
    before_item(w);
    buf_putc(w->out, c);
    ASSERT(w->depth + 1 < JWRITE_DEPTH_MAX);
    w->more[++w->depth] = false;
}

static void end(struct jwrite *w, char c)
{
    ASSERT(w->depth > 0);
    w->depth--;
    buf_putc(w->out, c);
}

void jwrite_object_begin(struct jwrite *w)
{
    begin(w, '{');
}

void jwrite_object_end(struct jwrite *w)
{
    end(w, '}');
}

void jwrite_array_begin(struct jwrite *w)
{
    begin(w, '[');
}

void jwrite_array_end(struct jwrite *w)
{
    end(w, ']');
}

void jwrite_key(struct jwrite *w, str key)
{
    before_item(w);
    jwrite_put_string(w->out, key, w->flags);
    buf_puts(w->out, w->flags & JWRITE_COMPACT ? STR(":") : STR(": "));
    w->after_key = true;
}

void jwrite_string(struct jwrite *w, str s)
{
    before_item(w);
    jwrite_put_string(w->out, s, w->flags);
}

void jwrite_i64(struct jwrite *w, int64_t i)
{
    before_item(w);
    buf_put_i64(w->out, i);
}

void jwrite_f64(struct jwrite *w, double f)
{
    before_item(w);
    if (isfinite(f))
        jwrite_put_double(w->out, f);
    else
        buf_puts(w->out, STR("null"));
}

void jwrite_bool(struct jwrite *w, bool b)
{
    before_item(w);
    buf_puts(w->out, b ? STR("true") : STR("false"));
}

void jwrite_null(struct jwrite *w)
{
    before_item(w);
    buf_puts(w->out, STR("null"));
}

void jwrite_raw(struct jwrite *w, str json)
{
    before_item(w);
    buf_puts(w->out, json);
}
