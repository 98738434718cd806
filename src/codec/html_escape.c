/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/html_escape.h"

static const uint8_t special[256] = {['&'] = 1, ['<'] = 2, ['>'] = 3, ['"'] = 4, ['\''] = 5};
static const str entities[] = {{"", 0}, {"&amp;", 5}, {"&lt;", 4}, {"&gt;", 4}, {"&#34;", 5}, {"&#39;", 5}};

void html_escape(struct buf *out, str s)
{
    size_t from = 0;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t kind = special[(unsigned char)s.p[i]];
        if (LIKELY(!kind))
            continue;
        buf_put(out, s.p + from, i - from);
        buf_puts(out, entities[kind]);
        from = i + 1;
    }
    buf_put(out, s.p + from, s.n - from);
}

str html_escape_arena(struct arena *a, str s)
{
    size_t grown = 0;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t kind = special[(unsigned char)s.p[i]];
        if (kind)
            grown += entities[kind].n - 1;
    }
    if (!grown)
        return s;
    char *p = arena_alloc_raw(a, s.n + grown + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t kind = special[(unsigned char)s.p[i]];
        if (kind) {
            memcpy(p + n, entities[kind].p, entities[kind].n);
            n += entities[kind].n;
        } else {
            p[n++] = s.p[i];
        }
    }
    p[n] = 0;
    return str_make(p, n);
}
