/* SPDX-License-Identifier: Apache-2.0 */
/* arena — bump allocation in chunks, freed as a whole.
 *
 * Why: one request allocates hundreds of small things that all die together. A bump pointer costs a compare and an add;
 * nothing is freed by hand, so nothing leaks and nothing is freed twice.
 *
 *   chunks:  newest -> ... -> first      each twice its elder (LIMIT_ARENA_CHUNK_MIN .. _MAX); only the newest is
 * filled bigs:    newest -> ... -> oldest     one allocation each, for what would waste more than a quarter of a fresh
 * chunk defers:  newest -> ... -> oldest     nodes live in the arena itself
 *
 * Invariants:
 *  (1) `at` and `end` lie in the newest chunk; [at, end) is poisoned under AddressSanitizer, and so are GAP bytes after
 *      every allocation: an overrun by one byte is reported, as with malloc.
 *  (2) `last` is the most recent allocation from the newest chunk, or NULL: the only one that may grow in place.
 *  (3) the arena itself lies at the start of its first chunk, which outlives every reset.
 *  (4) both lists are in the order of allocation, so a mark is three list heads and a pointer.
 *
 * Not here: sharing between threads (an arena has one owner at a time). Tests: tests/unit/base/test_arena.c. */
#include "base/arena.h"

#include "base/limits.h"
#include "base/mem.h"

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(p, n)   ASAN_POISON_MEMORY_REGION((p), (n))
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION((p), (n))
#define GAP            16
#else
#define POISON(p, n)   ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#define GAP            0
#endif

#define ALIGN        16
#define SMALL_CHUNK  1024
#define ROUND_UP(n)  (((n) + (ALIGN - 1)) & ~(size_t)(ALIGN - 1))
#define CHUNK_HEADER ROUND_UP(sizeof(struct chunk))

struct chunk {
    struct chunk *next;
    size_t size; /* bytes of the whole malloc, header included */
};

struct defer {
    struct defer *next;
    void (*fn)(void *arg);
    void *arg;
};

struct arena {
    char *at, *end;       /* free space of the newest chunk */
    char *last;           /* start of the newest allocation in it, or NULL */
    struct chunk *chunks; /* newest first */
    struct chunk *bigs;   /* newest first */
    struct defer *defers; /* newest first */
    size_t used;          /* bytes handed out, after rounding */
    size_t max_bytes;     /* 0 = none */
    bool over;            /* sticky: used went past max_bytes */
};

static struct chunk *chunk_new(size_t size)
{
    struct chunk *c = malloc(size);
    if (!c) {
        (void)fprintf(stderr, "vitrine: out of memory: an arena needs %zu bytes more\n", size);
        abort();
    }
    c->size = size;
    return c;
}

static void chunk_free(struct chunk *c)
{
    UNPOISON((char *)c, c->size);
    free(c);
}

static void arena_enter(struct arena *a, struct chunk *c, size_t offset)
{
    a->chunks = c;
    a->at = (char *)c + offset;
    a->end = (char *)c + c->size;
    a->last = NULL;
    POISON(a->at, (size_t)(a->end - a->at));
}

static struct arena *arena_begin(size_t first_bytes, size_t max_bytes)
{
    struct chunk *c = chunk_new(first_bytes);
    c->next = NULL;
    struct arena *a = (struct arena *)(void *)((char *)c + CHUNK_HEADER);
    *a = (struct arena){.max_bytes = max_bytes};
    arena_enter(a, c, CHUNK_HEADER + ROUND_UP(sizeof(*a)));
    return a;
}

struct arena *arena_new(size_t max_bytes)
{
    return arena_begin(LIMIT_ARENA_CHUNK_MIN, max_bytes);
}

struct arena *arena_new_small(void)
{
    return arena_begin(SMALL_CHUNK, 0);
}

/* Runs the deferred functions newer than `until`. A deferred function may defer more: those run too. */
static void arena_run_defers(struct arena *a, struct defer *until)
{
    while (a->defers != until) {
        struct defer *d = a->defers;
        a->defers = d->next;
        d->fn(d->arg);
    }
}

static void arena_drop_bigs(struct arena *a, struct chunk *until)
{
    while (a->bigs != until) {
        struct chunk *c = a->bigs;
        a->bigs = c->next;
        chunk_free(c);
    }
}

static void arena_drop_chunks(struct arena *a, struct chunk *until)
{
    while (a->chunks != until) {
        struct chunk *c = a->chunks;
        a->chunks = c->next;
        chunk_free(c);
    }
}

static struct chunk *arena_first(struct arena *a)
{
    return (struct chunk *)(void *)((char *)a - CHUNK_HEADER);
}

void arena_reset(struct arena *a)
{
    struct chunk *first = arena_first(a);
    arena_run_defers(a, NULL);
    arena_drop_bigs(a, NULL);
    arena_drop_chunks(a, first);
    arena_enter(a, first, CHUNK_HEADER + ROUND_UP(sizeof(*a)));
    a->used = 0;
    a->over = false;
}

void arena_free(struct arena *a)
{
    if (!a)
        return;
    struct chunk *first = arena_first(a);
    arena_run_defers(a, NULL);
    arena_drop_bigs(a, NULL);
    arena_drop_chunks(a, first);
    chunk_free(first);
}

bool arena_over(const struct arena *a)
{
    return a->over;
}

size_t arena_used(const struct arena *a)
{
    return a->used;
}

static void arena_count(struct arena *a, size_t size)
{
    a->used += size;
    if (a->max_bytes && a->used > a->max_bytes)
        a->over = true;
}

static void *arena_alloc_big(struct arena *a, size_t size)
{
    struct chunk *c = chunk_new(size_add(CHUNK_HEADER, size));
    c->next = a->bigs;
    a->bigs = c;
    return (char *)c + CHUNK_HEADER;
}

static void *arena_alloc_slow(struct arena *a, size_t size)
{
    size_t next = MIN(a->chunks->size * 2, (size_t)LIMIT_ARENA_CHUNK_MAX);
    arena_count(a, size);
    if (size > next / 4)
        return arena_alloc_big(a, size);
    struct chunk *c = chunk_new(next);
    c->next = a->chunks;
    arena_enter(a, c, CHUNK_HEADER);
    void *p = a->at;
    UNPOISON(p, size);
    a->last = p;
    a->at += size + GAP;
    return p;
}

void *arena_alloc_raw(struct arena *a, size_t size)
{
    ASSERT(size < SIZE_MAX / 2);
    size = size ? ROUND_UP(size) : ALIGN;
    if (UNLIKELY(size + GAP > (size_t)(a->end - a->at)))
        return arena_alloc_slow(a, size);
    void *p = a->at;
    UNPOISON(p, size);
    a->last = p;
    a->at += size + GAP;
    arena_count(a, size);
    return p;
}

void *arena_alloc(struct arena *a, size_t size)
{
    void *p = arena_alloc_raw(a, size);
    memset(p, 0, size);
    return p;
}

void *arena_alloc_array(struct arena *a, size_t size, size_t count)
{
    return arena_alloc(a, size_mul(size, count));
}

void *arena_grow(struct arena *a, void *p, size_t old_size, size_t new_size)
{
    ASSERT(new_size < SIZE_MAX / 2);
    if (p && new_size <= old_size)
        return p;
    if (p && (char *)p == a->last) {
        size_t had = (size_t)(a->at - GAP - a->last), want = ROUND_UP(new_size);
        if (want <= had)
            return p;
        if (want + GAP <= (size_t)(a->end - a->last)) {
            UNPOISON(a->last, want);
            a->at = a->last + want + GAP;
            arena_count(a, want - had);
            return p;
        }
    }
    void *q = arena_alloc_raw(a, new_size);
    if (old_size)
        memcpy(q, p, old_size);
    return q;
}

struct arena_mark arena_mark(const struct arena *a)
{
    return (struct arena_mark){a->chunks, a->bigs, a->defers, a->at, a->used};
}

void arena_rewind(struct arena *a, struct arena_mark mark)
{
    arena_run_defers(a, mark.defers);
    arena_drop_bigs(a, mark.big);
    arena_drop_chunks(a, mark.chunk);
    arena_enter(a, mark.chunk, (size_t)(mark.at - (char *)mark.chunk));
    a->used = mark.used;
}

char *arena_cstr(struct arena *a, str s)
{
    char *p = arena_alloc_raw(a, size_add(s.n, 1));
    if (s.n)
        memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return p;
}

str arena_str(struct arena *a, str s)
{
    return (str){arena_cstr(a, s), s.n};
}

str arena_lower(struct arena *a, str s)
{
    char *p = arena_cstr(a, s);
    return str_lower(p, str_make(p, s.n));
}

str arena_i64(struct arena *a, int64_t v)
{
    char *p = arena_alloc_raw(a, STR_I64_MAX + 1);
    size_t n = str_write_i64(p, v);
    p[n] = '\0';
    return (str){p, n};
}

str arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
    char small[256];
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(small, sizeof(small), fmt, ap);
    ASSERT(n >= 0);
    char *p = arena_alloc_raw(a, (size_t)n + 1);
    if ((size_t)n < sizeof(small))
        memcpy(p, small, (size_t)n + 1);
    else
        (void)vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return (str){p, (size_t)n};
}

str arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    str s = arena_vprintf(a, fmt, ap);
    va_end(ap);
    return s;
}

str arena_concat(struct arena *a, const str *parts, size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        n = size_add(n, parts[i].n);
    char *p = arena_alloc_raw(a, size_add(n, 1)), *at = p;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].n)
            memcpy(at, parts[i].p, parts[i].n);
        at += parts[i].n;
    }
    *at = '\0';
    return (str){p, n};
}

void arena_defer(struct arena *a, void (*fn)(void *arg), void *arg)
{
    struct defer *d = arena_alloc_raw(a, sizeof(*d));
    *d = (struct defer){a->defers, fn, arg};
    a->defers = d;
}
