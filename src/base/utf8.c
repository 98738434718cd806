/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

#include "base/mem.h"

/* How many bytes of the lead byte's sequence follow, and the range of the first one (Unicode 15 table 3-7). */
struct lead {
    unsigned char follow, low, high;
};

static struct lead lead_of(unsigned char c)
{
    if (c < 0xC2)
        return (struct lead){0, 0, 0};
    if (c < 0xE0)
        return (struct lead){1, 0x80, 0xBF};
    if (c == 0xE0)
        return (struct lead){2, 0xA0, 0xBF};
    if (c == 0xED)
        return (struct lead){2, 0x80, 0x9F};
    if (c < 0xF0)
        return (struct lead){2, 0x80, 0xBF};
    if (c == 0xF0)
        return (struct lead){3, 0x90, 0xBF};
    if (c < 0xF4)
        return (struct lead){3, 0x80, 0xBF};
    if (c == 0xF4)
        return (struct lead){3, 0x80, 0x8F};
    return (struct lead){0, 0, 0};
}

uint32_t utf8_decode(str s, size_t *ret_len)
{
    ASSERT(s.n > 0);
    const unsigned char *p = (const unsigned char *)s.p;
    *ret_len = 1;
    if (p[0] < 0x80)
        return p[0];
    struct lead lead = lead_of(p[0]);
    if (lead.follow == 0)
        return UTF8_BAD;
    uint32_t code = p[0] & (0x3Fu >> lead.follow);
    for (size_t i = 1; i <= lead.follow; i++) {
        if (i >= s.n || p[i] < lead.low || p[i] > lead.high) {
            *ret_len = i;
            return UTF8_BAD;
        }
        code = code << 6 | (p[i] & 0x3Fu);
        lead.low = 0x80;
        lead.high = 0xBF;
    }
    *ret_len = lead.follow + 1u;
    return code;
}

/* Bytes of the leading ASCII run, found 8 at a time. */
static size_t ascii_run(str s)
{
    size_t i = 0;
    for (; i + 8 <= s.n; i += 8) {
        uint64_t word;
        memcpy(&word, s.p + i, sizeof(word));
        if (word & UINT64_C(0x8080808080808080))
            break;
    }
    while (i < s.n && (unsigned char)s.p[i] < 0x80)
        i++;
    return i;
}

/* Bytes of the longest well-formed prefix. */
static size_t valid_run(str s)
{
    size_t at = 0, len;
    while ((at += ascii_run(str_from(s, at))) < s.n) {
        if (utf8_decode(str_from(s, at), &len) == UTF8_BAD)
            break;
        at += len;
    }
    return at;
}

bool utf8_valid(str s)
{
    return valid_run(s) == s.n;
}

size_t utf8_encode(uint32_t code, char out[4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xC0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
        code = UTF8_REPLACEMENT;
    if (code < 0x10000) {
        out[0] = (char)(0xE0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3F));
        out[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3F));
    out[2] = (char)(0x80 | (code >> 6 & 0x3F));
    out[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

size_t utf8_count(str s)
{
    size_t count = 0, len;
    while (s.n) {
        size_t run = ascii_run(s);
        count += run;
        s = str_from(s, run);
        if (s.n) {
            (void)utf8_decode(s, &len);
            count++;
            s = str_from(s, len);
        }
    }
    return count;
}

str utf8_cut(str s, size_t max_bytes)
{
    if (s.n <= max_bytes)
        return s;
    /* Back over at most three continuation bytes to a lead byte; keep the cut if what starts there ends before it. */
    for (size_t back = 1; back <= 3 && back <= max_bytes; back++) {
        unsigned char c = (unsigned char)s.p[max_bytes - back];
        if ((c & 0xC0) != 0x80) {
            size_t len;
            bool split = utf8_decode(str_from(s, max_bytes - back), &len) != UTF8_BAD && len > back;
            return str_sub(s, 0, split ? max_bytes - back : max_bytes);
        }
    }
    return str_sub(s, 0, max_bytes);
}

size_t utf8_offset(str s, size_t count)
{
    size_t at = 0, len;
    while (count && at < s.n) {
        (void)utf8_decode(str_from(s, at), &len);
        at += len;
        count--;
    }
    return at;
}

static const char replacement[] = "\xEF\xBF\xBD";

void utf8_put_repaired(struct buf *b, str s)
{
    while (s.n) {
        size_t run = valid_run(s), len;
        buf_put(b, s.p, run);
        s = str_from(s, run);
        if (s.n) {
            (void)utf8_decode(s, &len);
            buf_put(b, replacement, 3);
            s = str_from(s, len);
        }
    }
}

str utf8_repair(struct arena *a, str s)
{
    size_t run = valid_run(s), len, n = 0, bad = 0;
    if (run == s.n)
        return s;
    for (str rest = str_from(s, run); rest.n; rest = str_from(rest, valid_run(rest))) {
        (void)utf8_decode(rest, &len);
        rest = str_from(rest, len);
        bad++;
    }
    /* Each piece of 1-3 bytes becomes 3 bytes: at most two more than before. */
    char *p = arena_alloc_raw(a, size_add(s.n, size_mul(bad, 2)) + 1);
    while (s.n) {
        run = valid_run(s);
        if (run)
            memcpy(p + n, s.p, run);
        n += run;
        s = str_from(s, run);
        if (s.n) {
            (void)utf8_decode(s, &len);
            memcpy(p + n, replacement, 3);
            n += 3;
            s = str_from(s, len);
        }
    }
    p[n] = '\0';
    return (str){p, n};
}
