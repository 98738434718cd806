/* SPDX-License-Identifier: Apache-2.0 */
/* count: LD_PRELOAD library that counts the allocations of a program into a file that others can read while it runs.
 *
 *   COUNT_FILE=path LD_PRELOAD=libcount.so program
 *
 * The file holds three native uint64_t: calls that allocate, calls that free, bytes asked for. Counting costs one
 * relaxed addition a call. Without COUNT_FILE the counts go nowhere. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct counts {
    atomic_uint_least64_t allocated, freed, bytes;
};

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t each);
extern void *__libc_realloc(void *p, size_t n);
extern void *__libc_memalign(size_t align, size_t n);
extern void __libc_free(void *p);

#define PUBLIC __attribute__((visibility("default")))

static struct counts nowhere;
static struct counts *counts = &nowhere;

__attribute__((constructor)) static void count_open(void)
{
    const char *path = getenv("COUNT_FILE");
    int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (fd < 0 || ftruncate(fd, (off_t)sizeof(struct counts)))
        return;
    void *shared = mmap(NULL, sizeof(struct counts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (shared != MAP_FAILED)
        counts = shared;
}

static void count(size_t n)
{
    atomic_fetch_add_explicit(&counts->allocated, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&counts->bytes, n, memory_order_relaxed);
}

PUBLIC void *malloc(size_t n)
{
    count(n);
    return __libc_malloc(n);
}

PUBLIC void *calloc(size_t n, size_t each)
{
    count(n * each);
    return __libc_calloc(n, each);
}

PUBLIC void *realloc(void *p, size_t n)
{
    count(n);
    return __libc_realloc(p, n);
}

PUBLIC void *memalign(size_t align, size_t n)
{
    count(n);
    return __libc_memalign(align, n);
}

PUBLIC void *aligned_alloc(size_t align, size_t n)
{
    return memalign(align, n);
}

PUBLIC int posix_memalign(void **ret, size_t align, size_t n)
{
    void *p = memalign(align, n);
    if (!p)
        return ENOMEM;
    *ret = p;
    return 0;
}

PUBLIC void free(void *p)
{
    if (p)
        atomic_fetch_add_explicit(&counts->freed, 1, memory_order_relaxed);
    __libc_free(p);
}
