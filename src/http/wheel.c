/* SPDX-License-Identifier: Apache-2.0 */
#include "http/wheel.h"

#define TICK_US (WHEEL_TICK_MS * INT64_C(1000))

static void tick(void *arg);

void wheel_init(struct wheel *w, struct loop *loop, void (*expired)(struct wheel_item *item))
{
    *w = (struct wheel){.loop = loop, .expired = expired};
    loop_timer_init(&w->timer, tick, w);
    for (size_t i = 0; i < WHEEL_SLOTS; i++)
        w->slots[i].prev = w->slots[i].next = &w->slots[i];
}

void wheel_release(struct wheel *w)
{
    ASSERT(w->count == 0);
    loop_timer_cancel(w->loop, &w->timer);
}

static void unlink_item(struct wheel *w, struct wheel_item *item)
{
    item->prev->next = item->next;
    item->next->prev = item->prev;
    item->prev = item->next = NULL;
    w->count--;
}

/* The slot whose tick is the first not before at_us, or the farthest one when that is beyond the wheel. */
static void link_item(struct wheel *w, struct wheel_item *item)
{
    int64_t due = (item->at_us + TICK_US - 1) / TICK_US;
    item->tick = MIN(MAX(due, w->tick + 1), w->tick + WHEEL_SLOTS - 1);
    struct wheel_item *head = &w->slots[item->tick % WHEEL_SLOTS];
    item->prev = head->prev;
    item->next = head;
    head->prev->next = item;
    head->prev = item;
    w->count++;
}

static void arm(struct wheel *w)
{
    loop_timer_at(w->loop, &w->timer, (w->tick + 1) * TICK_US);
}

void wheel_set(struct wheel *w, struct wheel_item *item, int64_t at_us)
{
    item->at_us = at_us;
    if (!at_us || (item->next && at_us >= (item->tick - 1) * TICK_US))
        return; /* its slot comes in time, or nobody will mind when it comes */
    if (item->next)
        unlink_item(w, item);
    if (!w->count && !loop_timer_armed(&w->timer))
        w->tick = loop_now_us(w->loop) / TICK_US;
    link_item(w, item);
    if (!loop_timer_armed(&w->timer))
        arm(w);
}

void wheel_remove(struct wheel *w, struct wheel_item *item)
{
    item->at_us = 0;
    if (item->next)
        unlink_item(w, item);
}

static void run_slot(struct wheel *w, struct wheel_item *head, int64_t now_us)
{
    struct wheel_item due = {.prev = &due, .next = &due};
    if (head->next == head)
        return;
    /* The slot becomes empty first: items go back into slots, maybe this one, while the old list is walked. */
    due.next = head->next;
    due.prev = head->prev;
    due.next->prev = due.prev->next = &due;
    head->prev = head->next = head;
    while (due.next != &due) {
        struct wheel_item *item = due.next;
        unlink_item(w, item);
        if (!item->at_us)
            continue;
        if (item->at_us > now_us) {
            link_item(w, item);
            continue;
        }
        item->at_us = 0;
        w->expired(item);
    }
}

static void tick(void *arg)
{
    struct wheel *w = arg;
    int64_t now_us = loop_now_us(w->loop), to = now_us / TICK_US;
    w->tick = MAX(w->tick, to - WHEEL_SLOTS); /* after a long sleep: every slot once is enough */
    while (w->tick < to) {
        w->tick++;
        run_slot(w, &w->slots[w->tick % WHEEL_SLOTS], now_us);
    }
    if (w->count)
        arm(w);
}
