/* SPDX-License-Identifier: Apache-2.0 */
/* timer_heap: armed timers, the earliest first. A binary heap of pointers to the owners' timers; each timer knows its
 * place, so moving and cancelling are O(log n). Only for loop.c and its test. */
#ifndef VITRINE_RT_TIMER_HEAP_H
#define VITRINE_RT_TIMER_HEAP_H

#include "rt/loop.h"

struct timer_heap {
    struct loop_timer **items; /* items[0] is the earliest; the timers are their owners' */
    uint32_t count, cap;
    uint64_t order; /* given to each timer as it is armed */
};

/* Arms `t` for t->at_us, or moves it when it is in the heap. */
void timer_heap_put(struct timer_heap *h, struct loop_timer *t);
void timer_heap_remove(struct timer_heap *h, struct loop_timer *t); /* fine when not armed */
static inline struct loop_timer *timer_heap_first(const struct timer_heap *h)
{
    return h->count ? h->items[0] : NULL;
}
void timer_heap_release(struct timer_heap *h); /* disarms all, frees the array */

#endif
