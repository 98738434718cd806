/* SPDX-License-Identifier: Apache-2.0 */
#include "rt/timer_heap.h"

#include <stdlib.h>

#include "base/mem.h"

static bool before(const struct loop_timer *a, const struct loop_timer *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void place(struct timer_heap *h, uint32_t i, struct loop_timer *t)
{
    h->items[i] = t;
    t->index = i + 1;
}

static void sift_up(struct timer_heap *h, uint32_t i, struct loop_timer *t)
{
    while (i > 0) {
        uint32_t parent = (i - 1) / 2;
        if (!before(t, h->items[parent]))
            break;
        place(h, i, h->items[parent]);
        i = parent;
    }
    place(h, i, t);
}

static void sift_down(struct timer_heap *h, uint32_t i, struct loop_timer *t)
{
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= h->count)
            break;
        if (child + 1 < h->count && before(h->items[child + 1], h->items[child]))
            child++;
        if (!before(h->items[child], t))
            break;
        place(h, i, h->items[child]);
        i = child;
    }
    place(h, i, t);
}

static void sift(struct timer_heap *h, uint32_t i, struct loop_timer *t)
{
    if (i > 0 && before(t, h->items[(i - 1) / 2]))
        sift_up(h, i, t);
    else
        sift_down(h, i, t);
}

static void grow(struct timer_heap *h)
{
    uint32_t cap = h->cap ? h->cap * 2 : 64;
    struct loop_timer **items = mem_resize(h->items, cap, sizeof(*items));
    h->items = items;
    h->cap = cap;
}

void timer_heap_put(struct timer_heap *h, struct loop_timer *t)
{
    t->order = h->order++;
    if (t->index != 0) {
        ASSERT(t->index <= h->count && h->items[t->index - 1] == t);
        sift(h, t->index - 1, t);
        return;
    }
    if (h->count == h->cap)
        grow(h);
    h->count++;
    sift_up(h, h->count - 1, t);
}

void timer_heap_remove(struct timer_heap *h, struct loop_timer *t)
{
    if (t->index == 0)
        return;
    uint32_t i = t->index - 1;
    ASSERT(i < h->count && h->items[i] == t);
    t->index = 0;
    struct loop_timer *last = h->items[--h->count];
    if (last != t)
        sift(h, i, last);
}

void timer_heap_release(struct timer_heap *h)
{
    for (uint32_t i = 0; i < h->count; i++)
        h->items[i]->index = 0;
    free(h->items);
    *h = (struct timer_heap){0};
}
