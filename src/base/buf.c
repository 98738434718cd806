/* SPDX-License-Identifier: Apache-2.0 */
/* buf — growing bytes with a maximum. Once `over`, cap is lowered to n, so that the inline fast paths have no room and
 * every later put ends here and is ignored. realloc knows the true size, so the lowered cap loses nothing. */
#include "base/buf.h"

#include "base/limits.h"

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_release(struct buf *b)
{
    free(b->p);
    *b = (struct buf){.max = b->max};
}

void buf_clear(struct buf *b)
{
    b->n = 0;
    b->over = false;
}

void buf_take(struct buf *to, struct buf *from)
{
    if (to == from)
        return;
    free(to->p);
    *to = *from;
    *from = (struct buf){.max = to->max};
}

static void buf_set_over(struct buf *b)
{
    b->over = true;
    b->cap = b->n;
}

char *buf_reserve(struct buf *b, size_t n)
{
    if (b->over)
        return NULL;
    if (n <= b->cap - b->n && b->p)
        return b->p + b->n;
    if (b->n > b->max || n > b->max - b->n) {
        buf_set_over(b);
        return NULL;
    }
    size_t need = b->n + n, cap = b->cap < LIMIT_BUF_FIRST ? LIMIT_BUF_FIRST : b->cap;
    while (cap < need)
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    cap = MIN(cap, MAX(b->max, 1));
    char *p = realloc(b->p, cap);
    if (!p) { /* the size may be an outsider's: treated as "does not fit", the writer reports it */
        buf_set_over(b);
        return NULL;
    }
    b->p = p;
    b->cap = cap;
    return b->p + b->n;
}

void buf_put_slow(struct buf *b, const void *p, size_t n)
{
    char *at = n ? buf_reserve(b, n) : NULL;
    if (at) {
        memcpy(at, p, n);
        b->n += n;
    }
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
    if (b->over)
        return;
    va_list again;
    va_copy(again, ap);
    size_t room = b->cap - b->n;
    int n = vsnprintf(room ? b->p + b->n : NULL, room, fmt, ap);
    ASSERT(n >= 0);
    if ((size_t)n < room) {
        b->n += (size_t)n;
    } else if ((size_t)n <= b->max - MIN(b->n, b->max)) {
        /* One byte more for the NUL of vsnprintf; where the maximum leaves no room for it, a copy is made instead. */
        char *at = b->max - b->n > (size_t)n ? buf_reserve(b, (size_t)n + 1) : NULL;
        if (at) {
            (void)vsnprintf(at, (size_t)n + 1, fmt, again);
            b->n += (size_t)n;
        } else if (!b->over) {
            char *copy = NULL;
            if (vasprintf(&copy, fmt, again) == n)
                buf_put(b, copy, (size_t)n);
            else
                buf_set_over(b);
            free(copy);
        }
    } else {
        buf_set_over(b);
    }
    va_end(again);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(b, fmt, ap);
    va_end(ap);
}

void buf_put_u64(struct buf *b, uint64_t v)
{
    char text[STR_I64_MAX];
    buf_put(b, text, str_write_u64(text, v));
}

void buf_put_i64(struct buf *b, int64_t v)
{
    char text[STR_I64_MAX];
    buf_put(b, text, str_write_i64(text, v));
}

void buf_consume(struct buf *b, size_t n)
{
    ASSERT(n <= b->n);
    b->n -= n;
    if (b->n && n)
        memmove(b->p, b->p + n, b->n);
    if (b->over)
        b->cap = b->n;
}
