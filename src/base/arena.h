/* SPDX-License-Identifier: Apache-2.0 */
/* arena: all memory of one request or job; freed as a whole, owned by one thread at a time.
 *
 * Allocation never returns NULL: out of memory aborts. `max_bytes` is a sticky flag, not a wall: code that allocates in
 * proportion to outside input checks arena_over() in its loop and stops with STATUS_TOO_LARGE. */
#ifndef VITRINE_BASE_ARENA_H
#define VITRINE_BASE_ARENA_H

#include <stdarg.h>

#include "base/str.h"

struct arena;

struct arena *arena_new(size_t max_bytes) MUST_USE; /* 0 = no maximum */
struct arena *arena_new_small(void) MUST_USE;       /* begins with a chunk of 1 kB: for what is kept by the thousand */
void arena_free(struct arena *a);                   /* runs deferred functions last-in first-out; NULL is fine */
void arena_reset(struct arena *a); /* as free, but keeps the first chunk for reuse; clears the over flag */
bool arena_over(const struct arena *a);
size_t arena_used(const struct arena *a); /* bytes handed out */

void *arena_alloc(struct arena *a, size_t size) MUST_USE;     /* zeroed, aligned to 16 */
void *arena_alloc_raw(struct arena *a, size_t size) MUST_USE; /* not zeroed, aligned to 16 */
/* Grows the last allocation in place where it can, else copies. p may be NULL. Not zeroed past old_size. */
void *arena_grow(struct arena *a, void *p, size_t old_size, size_t new_size) MUST_USE;
#define ARENA_NEW(a, type)          ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, count) ((type *)arena_alloc_array((a), sizeof(type), (count)))
void *arena_alloc_array(struct arena *a, size_t size, size_t count) MUST_USE; /* overflow-checked, zeroed */

/* Copies; the bytes past n are NUL, so .p is also a C string. */
str arena_str(struct arena *a, str s) MUST_USE;
char *arena_cstr(struct arena *a, str s) MUST_USE;
str arena_lower(struct arena *a, str s) MUST_USE;   /* ASCII letters in lower case */
str arena_i64(struct arena *a, int64_t v) MUST_USE; /* its decimal digits */
str arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3) MUST_USE;
str arena_vprintf(struct arena *a, const char *fmt, va_list ap) PRINTF_LIKE(2, 0) MUST_USE;
str arena_concat(struct arena *a, const str *parts, size_t count) MUST_USE;
#define ARENA_CAT(a, ...)                                                                                              \
    arena_concat((a), (const str[]){__VA_ARGS__}, sizeof((const str[]){__VA_ARGS__}) / sizeof(str))

/* Calls fn(arg) when the arena is reset or freed: file descriptors, statements, references. */
void arena_defer(struct arena *a, void (*fn)(void *arg), void *arg);

/* Scratch: everything allocated (and deferred) since the mark is dropped by the rewind. Marks nest; the over flag
 * stays. */
struct arena_mark {
    void *chunk, *big, *defers;
    char *at;
    size_t used;
};
struct arena_mark arena_mark(const struct arena *a);
void arena_rewind(struct arena *a, struct arena_mark mark);

/* VEC: a growing array in an arena: struct { type *items; size_t count, cap; } v = {0}; VEC_PUSH(arena, &v, item); */
#define VEC(type)                                                                                                      \
    struct {                                                                                                           \
        type *items;                                                                                                   \
        size_t count, cap;                                                                                             \
    }
#define VEC_PUSH(a, v, ...)                                                                                            \
    do {                                                                                                               \
        if ((v)->count == (v)->cap) {                                                                                  \
            size_t vec_cap_ = (v)->cap ? (v)->cap * 2 : 8;                                                             \
            (v)->items = arena_grow((a), (v)->items, (v)->cap * sizeof(*(v)->items), vec_cap_ * sizeof(*(v)->items));  \
            (v)->cap = vec_cap_;                                                                                       \
        }                                                                                                              \
        (v)->items[(v)->count++] = (__VA_ARGS__);                                                                      \
    } while (0)

#endif
