/* SPDX-License-Identifier: Apache-2.0 */
/* jwrite — strings and documents; numbers are in jwrite_double.c.
 *
 * A string is copied and scanned in one go, 8 bytes a step, into room that was reserved for the whole of it. The room
 * is exact: every byte still to come makes at least one byte of output (a two-byte character makes 6, one of four 12),
 * so `what is left + 1` for the closing quote is always needed, and a buf near its maximum never refuses what would
 * fit. */
#include "codec/jwrite.h"

#include <math.h>

#include "base/utf8.h"
#include "codec/b64.h"
#include "codec/scan.h"

/* Bits of a byte's class; a string's mask says which of them need work. */
enum { ALWAYS = 1, IN_HTML = 2, IN_ASCII = 4 };

__extension__ static const uint8_t classes[256] = {
    [0 ... 31] = ALWAYS, ['"'] = ALWAYS,   ['\\'] = ALWAYS,  ['<'] = IN_HTML,       ['>'] = IN_HTML,
    ['&'] = IN_HTML,     ['\''] = IN_HTML, [127] = IN_ASCII, [128 ... 255] = ALWAYS};

static const char hex[] = "0123456789abcdef";

static size_t unit_escape(char *at, unsigned unit)
{
    at[0] = '\\';
    at[1] = 'u';
    at[2] = hex[unit >> 12 & 15];
    at[3] = hex[unit >> 8 & 15];
    at[4] = hex[unit >> 4 & 15];
    at[5] = hex[unit & 15];
    return 6;
}

static size_t code_escape(char *at, uint32_t code)
{
    if (code < 0x10000)
        return unit_escape(at, code);
    code -= 0x10000;
    (void)unit_escape(at, 0xD800 + (code >> 10));
    return 6 + unit_escape(at + 6, 0xDC00 + (code & 0x3FF));
}

static size_t ascii_escape(char *at, unsigned char c)
{
    static const char letters[128] = {
        ['"'] = '"', ['\\'] = '\\', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't', ['\b'] = 'b', ['\f'] = 'f'};
    if (!letters[c])
        return unit_escape(at, c);
    at[0] = '\\';
    at[1] = letters[c];
    return 2;
}

/* What stands for the special place at the start of `s` (at most 12 bytes) to `at`; returns how many, *ret_len = bytes
 * of input that it stands for. */
static size_t escape(char *at, str s, unsigned flags, size_t *ret_len)
{
    if ((unsigned char)s.p[0] < 128) {
        *ret_len = 1;
        return ascii_escape(at, (unsigned char)s.p[0]);
    }
    uint32_t code = utf8_decode(s, ret_len);
    if (code == UTF8_BAD)
        code = UTF8_REPLACEMENT;
    return flags & JWRITE_UTF8 ? utf8_encode(code, at) : code_escape(at, code);
}

static inline uint64_t special(uint64_t w, unsigned mask)
{
    uint64_t found = scan_is(w, '"') | scan_is(w, '\\') | scan_below(w, 0x20) | scan_not_ascii(w);
    if (mask & IN_ASCII)
        found |= scan_is(w, 127);
    if (mask & IN_HTML)
        found |= scan_is(w, '<') | scan_is(w, '>') | scan_is(w, '&') | scan_is(w, '\'');
    return found;
}

/* Copies the harmless bytes at the start of `s`; returns how many. May write up to s.n bytes. */
static inline size_t copy_clean(char *at, str s, unsigned mask)
{
    size_t i = 0;
    for (; i + 8 <= s.n; i += 8) {
        uint64_t found = special(scan_load(s.p + i), mask);
        memcpy(at + i, s.p + i, 8);
        if (UNLIKELY(found != 0))
            return i + scan_first(found);
    }
    for (; i < s.n && !(classes[(unsigned char)s.p[i]] & mask); i++)
        at[i] = s.p[i];
    return i;
}

void jwrite_put_string(struct buf *out, str s, unsigned flags)
{
    unsigned mask = ALWAYS | (flags & JWRITE_HTML ? IN_HTML : 0U) | (flags & JWRITE_UTF8 ? 0U : IN_ASCII);
    char *at = buf_reserve(out, s.n + 2);
    if (!at)
        return;
    *at++ = '"';
    out->n++;
    for (;;) {
        size_t clean = copy_clean(at, s, mask);
        at += clean;
        out->n += clean;
        s = str_from(s, clean);
        if (!s.n)
            break;
        do { /* specials come in runs: text that is not ASCII */
            char bytes[12];
            size_t len, n = escape(bytes, s, flags, &len);
            s = str_from(s, len);
            at = buf_reserve(out, n + s.n + 1);
            if (!at)
                return;
            memcpy(at, bytes, n);
            at += n;
            out->n += n;
        } while (s.n && (classes[(unsigned char)s.p[0]] & mask));
    }
    *at = '"';
    out->n++;
}

void jwrite_put_bytes(struct buf *out, str bytes, unsigned flags)
{
    bool compact = flags & JWRITE_COMPACT;
    buf_puts(out, compact ? STR("{\"$base64\":true,\"encoded\":\"") : STR("{\"$base64\": true, \"encoded\": \""));
    b64_encode(out, bytes);
    buf_puts(out, STR("\"}"));
}

/* ---- documents ---------------------------------------------------------------------------------------------- */

void jwrite_init(struct jwrite *w, struct buf *out, unsigned flags)
{
    *w = (struct jwrite){.out = out, .flags = flags};
}

static inline void before_item(struct jwrite *w)
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
    ASSERT(w->depth < LIMIT_JSON_DEPTH);
    w->more[++w->depth] = false;
}

static void end(struct jwrite *w, char c)
{
    ASSERT(w->depth > 0 && !w->after_key);
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
    ASSERT(!w->after_key);
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
    if (isfinite(f) || (w->flags & JWRITE_INFINITY))
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
