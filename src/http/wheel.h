/* SPDX-License-Identifier: Apache-2.0 */
/* wheel: coarse deadlines for many objects: setting one is a store, not a heap move. A deadline passes up to
 * WHEEL_TICK_MS late, never early. Threads: the loop's. */
#ifndef VITRINE_HTTP_WHEEL_H
#define VITRINE_HTTP_WHEEL_H

#include "rt/loop.h"

#define WHEEL_TICK_MS 250
#define WHEEL_SLOTS   64

struct wheel_item {                 /* zeroed before first use */
    struct wheel_item *prev, *next; /* NULL = in no slot */
    int64_t at_us;                  /* loop clock; 0 = none */
    int64_t tick;                   /* when its slot is looked at: not after at_us, maybe long before */
};
struct wheel {
    struct loop *loop;
    struct loop_timer timer; /* runs only while an item is in a slot */
    void (*expired)(struct wheel_item *item);
    int64_t tick; /* the last one looked at */
    size_t count;
    struct wheel_item slots[WHEEL_SLOTS]; /* list heads */
};
void wheel_init(struct wheel *w, struct loop *loop, void (*expired)(struct wheel_item *item));
void wheel_release(struct wheel *w); /* no item may be left */
/* Moves or sets the deadline; 0 = none. Later deadlines cost nothing: the item is found early and put back. */
void wheel_set(struct wheel *w, struct wheel_item *item, int64_t at_us);
void wheel_remove(struct wheel *w, struct wheel_item *item); /* before the item dies; fine when in no slot */

#endif
