/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/html_escape.h"

#include "codec/scan.h"

static const uint8_t special[256] = {['&'] = 1, ['<'] = 2, ['>'] = 3, ['"'] = 4, ['\''] = 5};
static const str entities[] = {{"", 0}, {"&amp;", 5}, {"&lt;", 4}, {"&gt;", 4}, {"&#34;", 5}, {"&#39;", 5}};

static inline uint64_t specials(uint64_t w)
{
    /* & and ' differ in one bit only, < and > in another: with that bit cleared one test does for two */
    uint64_t ampersand = w & ~(SCAN_ONES * ('&' ^ '\'')), angle = w & ~(SCAN_ONES * ('<' ^ '>'));
    return scan_is(ampersand, '&') | scan_is(angle, '<') | scan_is(w, '"');
}

/* Offset of the first byte from `at` on that needs escaping; s.n when there is none. */
static inline size_t find_special(str s, size_t at)
{
    for (; at + 8 <= s.n; at += 8) {
        uint64_t found = specials(scan_load(s.p + at));
        if (found)
            return at + scan_first(found);
    }
    if (at < s.n && s.n >= 8 && !specials(scan_load(s.p + s.n - 8))) /* the rest at once, with some of what was seen */
        return s.n;
    while (at < s.n && !special[(unsigned char)s.p[at]])
        at++;
    return at;
}

static str entity_at(str s, size_t at)
{
    return entities[special[(unsigned char)s.p[at]]];
}

void html_escape(struct buf *out, str s)
{
    size_t from = 0;
    for (;;) {
        size_t at = find_special(s, from);
        buf_put(out, s.p + from, at - from);
        if (at == s.n)
            return;
        buf_puts(out, entity_at(s, at));
        from = at + 1;
    }
}

str html_escape_arena(struct arena *a, str s)
{
    size_t first = find_special(s, 0), grown = 0;
    if (first == s.n)
        return s;
    for (size_t at = first; at < s.n; at = find_special(s, at + 1))
        grown += entity_at(s, at).n - 1;
    char *p = arena_alloc_raw(a, s.n + grown + 1);
    size_t n = 0, from = 0;
    for (size_t at = first;; at = find_special(s, from)) {
        memcpy(p + n, s.p + from, at - from);
        n += at - from;
        if (at == s.n)
            break;
        str entity = entity_at(s, at);
        memcpy(p + n, entity.p, entity.n);
        n += entity.n;
        from = at + 1;
    }
    p[n] = 0;
    return str_make(p, n);
}
