/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/url.h"

#include "base/utf8.h"

static const char hex[] = "0123456789ABCDEF";

static bool is_alnum(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Bytes in `keep` and letters and digits stay; space may become "+"; others are escape + two hex digits. */
static str encode(struct arena *a, str s, const char *keep, bool plus, char escape)
{
    size_t grown = 0;
    bool changed = false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (is_alnum(c) || (c && strchr(keep, c)))
            continue;
        changed = true;
        if (!(plus && c == ' '))
            grown += 2;
    }
    if (!changed)
        return s;
    char *p = arena_alloc_raw(a, s.n + grown + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (is_alnum(c) || (c && strchr(keep, c))) {
            p[n++] = (char)c;
        } else if (plus && c == ' ') {
            p[n++] = '+';
        } else {
            p[n++] = escape;
            p[n++] = hex[c >> 4];
            p[n++] = hex[c & 15];
        }
    }
    p[n] = 0;
    return str_make(p, n);
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static str decode(struct arena *a, str s, bool plus, char escape)
{
    bool changed = false;
    for (size_t i = 0; i < s.n && !changed; i++)
        changed = s.p[i] == escape || (plus && s.p[i] == '+');
    if (!changed)
        return s;
    char *p = arena_alloc_raw(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == escape && i + 2 < s.n && hex_digit(s.p[i + 1]) >= 0 && hex_digit(s.p[i + 2]) >= 0) {
            p[n++] = (char)(hex_digit(s.p[i + 1]) * 16 + hex_digit(s.p[i + 2]));
            i += 2;
        } else {
            p[n++] = plus && s.p[i] == '+' ? ' ' : s.p[i];
        }
    }
    p[n] = 0;
    return str_make(p, n);
}

str url_quote(struct arena *a, str s, const char *safe)
{
    char keep[64] = "_.-~";
    size_t n = strlen(safe);
    ASSERT(n + 5 <= sizeof keep);
    memcpy(keep + 4, safe, n + 1);
    return encode(a, s, keep, false, '%');
}

str url_quote_plus(struct arena *a, str s)
{
    return encode(a, s, "_.-~", true, '%');
}

str url_unquote(struct arena *a, str s)
{
    return decode(a, s, false, '%');
}

str url_unquote_plus(struct arena *a, str s)
{
    return decode(a, s, true, '%');
}

bool url_parse_query(struct arena *a, str query, size_t max, struct url_pair **ret, size_t *ret_count)
{
    VEC(struct url_pair) pairs = {0};
    while (query.n) {
        str piece, key, value;
        str_cut(query, '&', &piece, &query);
        if (!piece.n)
            continue;
        if (pairs.count == max)
            return false;
        str_cut(piece, '=', &key, &value);
        key = utf8_repair(a, url_unquote_plus(a, key));
        value = value.n ? utf8_repair(a, url_unquote_plus(a, value)) : STR("");
        VEC_PUSH(a, &pairs, (struct url_pair){key, value});
    }
    *ret = pairs.items;
    *ret_count = pairs.count;
    return true;
}

str url_encode(struct arena *a, const struct url_pair *pairs, size_t count)
{
    str *parts = ARENA_ARRAY(a, str, count * 4 + 1);
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (i)
            parts[n++] = STR("&");
        parts[n++] = url_quote_plus(a, pairs[i].key);
        parts[n++] = STR("=");
        parts[n++] = url_quote_plus(a, pairs[i].value);
    }
    return arena_concat(a, parts, n);
}

str tilde_encode(struct arena *a, str s)
{
    return encode(a, s, "_-", true, '~');
}

str tilde_decode(struct arena *a, str s)
{
    return decode(a, s, true, '~');
}
