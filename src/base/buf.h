/* SPDX-License-Identifier: Apache-2.0 */
/* buf: growing bytes on the heap with a mandatory maximum. Past the maximum `over` is set and further puts are
 * ignored: writers check it once, at the end. */
#ifndef VITRINE_BASE_BUF_H
#define VITRINE_BASE_BUF_H

#include <stdarg.h>

#include "base/str.h"

struct buf {
    char *p;
    size_t n, cap;
    size_t max; /* bytes; a name from base/limits.h */
    bool over;  /* sticky: something did not fit */
};

void buf_init(struct buf *b, size_t max);
void buf_release(struct buf *b);                 /* frees; the buf is then as after init */
void buf_clear(struct buf *b);                   /* n = 0, over = false, memory kept */
void buf_take(struct buf *to, struct buf *from); /* moves; `from` is then as after init */
/* Makes room for n more bytes and returns where to write them (caller then adds to b->n); NULL and over when past max.
 */
char *buf_reserve(struct buf *b, size_t n) MUST_USE;
void buf_put_slow(struct buf *b, const void *p, size_t n);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
void buf_put_i64(struct buf *b, int64_t v);
void buf_put_u64(struct buf *b, uint64_t v);
void buf_consume(struct buf *b, size_t n); /* drops n bytes from the front */

static inline void buf_put(struct buf *b, const void *p, size_t n)
{
    if (LIKELY(n <= b->cap - b->n)) {
        if (n)
            memcpy(b->p + b->n, p, n);
        b->n += n;
    } else {
        buf_put_slow(b, p, n);
    }
}
static inline void buf_puts(struct buf *b, str s)
{
    buf_put(b, s.p, s.n);
}
static inline void buf_putc(struct buf *b, char c)
{
    if (LIKELY(b->n < b->cap))
        b->p[b->n++] = c;
    else
        buf_put_slow(b, &c, 1);
}
static inline str buf_str(const struct buf *b)
{
    return (str){b->p, b->n};
}

#endif
