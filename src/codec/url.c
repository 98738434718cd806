/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/url.h"

#include "base/utf8.h"

/* Which bytes stay as they are, a bit each. */
struct keep {
    uint64_t bits[4];
};

/* Letters and digits, and: "-_" for tilde encoding, "-._~" for percent encoding (RFC 3986 "unreserved"). */
static const struct keep tilde_keep = {{UINT64_C(0x03FF200000000000), UINT64_C(0x07FFFFFE87FFFFFE), 0, 0}};
static const struct keep quote_keep = {{UINT64_C(0x03FF600000000000), UINT64_C(0x47FFFFFE87FFFFFE), 0, 0}};

static inline bool kept(const struct keep *k, unsigned char c)
{
    return k->bits[c >> 6] >> (c & 63) & 1;
}

/* Bytes of `keep` stay; a space becomes "+" where `plus`; others are `escape` + two hex digits. */
static str encode(struct arena *a, str s, const struct keep *keep, bool plus, char escape)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t clean = 0, grown = 0;
    while (clean < s.n && kept(keep, (unsigned char)s.p[clean]))
        clean++;
    if (clean == s.n)
        return s;
    for (size_t i = clean; i < s.n; i++)
        if (!kept(keep, (unsigned char)s.p[i]) && !(plus && s.p[i] == ' '))
            grown += 2;
    char *p = arena_alloc_raw(a, s.n + grown + 1);
    size_t n = clean;
    memcpy(p, s.p, clean);
    for (size_t i = clean; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (kept(keep, c)) {
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
    int letter = (c | 32) - 'a';
    return c >= '0' && c <= '9' ? c - '0' : letter >= 0 && letter < 6 ? letter + 10 : -1;
}

static str decode(struct arena *a, str s, bool plus, char escape)
{
    size_t clean = 0;
    while (clean < s.n && s.p[clean] != escape && !(plus && s.p[clean] == '+'))
        clean++;
    if (clean == s.n)
        return s;
    char *p = arena_alloc_raw(a, s.n + 1);
    size_t n = clean;
    memcpy(p, s.p, clean);
    for (size_t i = clean; i < s.n; i++) {
        if (s.p[i] == escape && s.n - i > 2 && hex_digit(s.p[i + 1]) >= 0 && hex_digit(s.p[i + 2]) >= 0) {
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
    struct keep keep = quote_keep;
    for (; *safe; safe++) {
        unsigned char c = (unsigned char)*safe;
        ASSERT(c < 128);
        keep.bits[c >> 6] |= UINT64_C(1) << (c & 63);
    }
    return encode(a, s, &keep, false, '%');
}

str url_quote_plus(struct arena *a, str s)
{
    return encode(a, s, &quote_keep, true, '%');
}

str url_unquote(struct arena *a, str s)
{
    return decode(a, s, false, '%');
}

str url_unquote_plus(struct arena *a, str s)
{
    return decode(a, s, true, '%');
}

str tilde_encode(struct arena *a, str s)
{
    return encode(a, s, &tilde_keep, true, '~');
}

str tilde_decode(struct arena *a, str s)
{
    return decode(a, s, true, '~');
}

/* ---- query strings ------------------------------------------------------------------------------------------ */

/* Takes the next pair off the front of *query, decoded; false at the end. */
static bool next_pair(struct arena *a, str *query, struct url_pair *ret)
{
    str piece, key, value;
    do {
        if (!query->n)
            return false;
        (void)str_cut(*query, '&', &piece, query);
    } while (!piece.n);
    (void)str_cut(piece, '=', &key, &value);
    ret->key = utf8_repair(a, url_unquote_plus(a, key));
    ret->value = value.n ? utf8_repair(a, url_unquote_plus(a, value)) : STR("");
    return true;
}

bool url_parse_query(struct arena *a, str query, size_t max, struct url_pair **ret, size_t *ret_count)
{
    VEC(struct url_pair) pairs = {0};
    struct url_pair pair;
    while (next_pair(a, &query, &pair)) {
        if (pairs.count == max)
            return false;
        VEC_PUSH(a, &pairs, pair);
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

/* ---- links with other arguments ----------------------------------------------------------------------------- */

enum change { ADDED, REPLACED, REMOVED };

static bool drops(enum change change, const struct url_pair *pair, const struct url_pair *args, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!str_eq(args[i].key, pair->key))
            continue;
        if (change == REPLACED || !args[i].value.p || (change == REMOVED && str_eq(args[i].value, pair->value)))
            return true;
    }
    return false;
}

static str changed(struct arena *a, enum change change, str path, str query, const struct url_pair *args, size_t count)
{
    VEC(struct url_pair) pairs = {0};
    struct url_pair pair;
    while (next_pair(a, &query, &pair))
        if (pair.value.n && !drops(change, &pair, args, count))
            VEC_PUSH(a, &pairs, pair);
    for (size_t i = 0; change != REMOVED && i < count; i++)
        if (args[i].value.p)
            VEC_PUSH(a, &pairs, args[i]);
    return pairs.count ? ARENA_CAT(a, path, STR("?"), url_encode(a, pairs.items, pairs.count)) : path;
}

str url_with_added(struct arena *a, str path, str query, const struct url_pair *args, size_t count)
{
    return changed(a, ADDED, path, query, args, count);
}

str url_with_replaced(struct arena *a, str path, str query, const struct url_pair *args, size_t count)
{
    return changed(a, REPLACED, path, query, args, count);
}

str url_with_removed(struct arena *a, str path, str query, const struct url_pair *args, size_t count)
{
    return changed(a, REMOVED, path, query, args, count);
}

str url_shown(struct arena *a, str url)
{
    size_t begin = str_find(url, STR("://"));
    if (begin == STR_NPOS)
        return url;
    str rest = str_from(url, begin + 3), host = rest;
    for (size_t i = 0; i < rest.n; i++)
        if (strchr("/?#", rest.p[i])) {
            host.n = i;
            break;
        }
    size_t at = str_rfind_char(host, '@');
    return at == STR_NPOS ? url : ARENA_CAT(a, str_sub(url, 0, begin + 3), str_from(rest, at + 1));
}
