/* SPDX-License-Identifier: Apache-2.0 */
#include "base/metric.h"

#include <stdatomic.h>

#include <stdlib.h>

#include "base/macros.h"

/* Blocks are never freed: what a thread counted stays counted. Threads are few and live long. */
struct block {
    _Alignas(64) atomic_ullong values[METRIC_COUNT];
    struct block *next;
};

static _Atomic(struct block *) blocks;
static _Thread_local struct block *mine;

const struct metric_row metric_rows[METRIC_COUNT] = {
#define X(id, kind, name, labels, help) {METRIC_##kind, name, labels, help},
#include "base/tbl/metrics.h"
#undef X
};

static struct block *my_block(void)
{
    if (LIKELY(mine))
        return mine;
    struct block *b = aligned_alloc(_Alignof(struct block), sizeof *b);
    ASSERT(b);
    memset(b, 0, sizeof *b);
    b->next = atomic_load(&blocks);
    while (!atomic_compare_exchange_weak(&blocks, &b->next, b))
        continue;
    return mine = b;
}

void metric_add(enum metric m, uint64_t n)
{
    atomic_ullong *v = &my_block()->values[m]; /* one writer: no read-modify-write is needed */
    atomic_store_explicit(v, atomic_load_explicit(v, memory_order_relaxed) + n, memory_order_relaxed);
}

uint64_t metric_sum(enum metric m)
{
    uint64_t sum = 0;
    for (struct block *b = atomic_load(&blocks); b; b = b->next)
        sum += atomic_load_explicit(&b->values[m], memory_order_relaxed);
    return sum;
}

uint64_t metric_mine(enum metric m)
{
    return atomic_load_explicit(&my_block()->values[m], memory_order_relaxed);
}
