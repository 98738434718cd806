/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

static NORETURN void mem_failed(size_t size)
{
    (void)fprintf(stderr, "vitrine: out of memory: %zu bytes are not to be had\n", size);
    abort();
}

void *mem_alloc(size_t size)
{
    void *p = calloc(1, size ? size : 1);
    if (!p)
        mem_failed(size);
    return p;
}

void *mem_array(size_t count, size_t size)
{
    return mem_alloc(size_mul(count, size));
}

void *mem_resize(void *p, size_t count, size_t size)
{
    size_t bytes = size_mul(count, size);
    void *q = realloc(p, bytes ? bytes : 1);
    if (!q)
        mem_failed(bytes);
    return q;
}

char *mem_cstr(str s)
{
    char *p = mem_alloc(size_add(s.n, 1));
    if (s.n)
        memcpy(p, s.p, s.n);
    return p;
}

size_t size_add(size_t a, size_t b)
{
    size_t sum;
    ASSERT(!__builtin_add_overflow(a, b, &sum));
    return sum;
}

size_t size_mul(size_t a, size_t b)
{
    size_t product;
    ASSERT(!__builtin_mul_overflow(a, b, &product));
    return product;
}
