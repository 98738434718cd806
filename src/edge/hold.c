/* SPDX-License-Identifier: Apache-2.0 */
/* hold — requests that wait: the app is paused, or none of its instances takes one now.
 *
 * A queue for each app and loop, first in first out. What waits keeps its socket, the bytes that were read, and nothing
 * else: no buffers, no parser; the rest of a body stays in the kernel, whose window stops the client. Of HTTP/2 it
 * comes into the stream, up to the stream's window, and counts as it comes. Bounds: number (hold_max, all loops
 * together), bytes (LIMIT_EDGE_HOLD_BYTES a loop), time (hold_ms). A client that leaves is taken out at once: its
 * request never reaches the app.
 *
 * Released requests are read again from their bytes, as if they had just come; they keep the time at which they came.
 * Those that arrive while others are still let out stand behind them. */
#include <stdlib.h>

#include "base/mem.h"
#include "edge/worker_impl.h"

#define LOOK_AGAIN_MS 50 /* after an instance refused: how soon it is asked again */
#define HOLD_SHARE    4  /* the part of LIMIT_EDGE_HOLD_BYTES that one app may have */

static struct edge_queue *queue_of(const struct edge_worker *w, struct edge_app *app)
{
    return &app->shares[w->config.index].queue;
}

static void link_queue(struct edge_worker *w, struct edge_queue *q)
{
    q->prev = NULL;
    q->next = w->queues;
    if (q->next)
        q->next->prev = q;
    w->queues = q;
}

static void unlink_queue(struct edge_worker *w, struct edge_queue *q)
{
    *(q->prev ? &q->prev->next : &w->queues) = q->next;
    if (q->next)
        q->next->prev = q->prev;
    q->prev = q->next = NULL;
}

static bool held_back(enum edge_pause pause, str method)
{
    return pause == EDGE_PAUSED || (pause == EDGE_PAUSED_WRITES && !edge_is_read(method));
}

/* How many more requests its instances may have in hand. */
static uint32_t room(const struct edge_worker *w, const struct edge_target *t)
{
    uint64_t in_hand = count_get(&t->app->shares[w->config.index].in_hand);
    return !t->in_hand_max ? UINT32_MAX : in_hand < t->in_hand_max ? t->in_hand_max - (uint32_t)in_hand : 0;
}

static void wake(const struct edge_worker *w, const struct edge_target *t)
{
    if (t->asleep && w->config.wake)
        w->config.wake(w->config.arg, t->app);
}

bool hold_wanted(const struct edge_request *r, const struct edge_target *target)
{
    const struct edge_queue *q = queue_of(r->conn->worker, target->app);
    if (!target->count || held_back(target->pause, r->x->head.method) || !room(r->conn->worker, target))
        return true;
    /* Those that wait go first; one that was just let out has its turn now. */
    return q->count > 0 && (target->hold_rate || target->in_hand_max) && !r->held_until_us &&
           target->pause == EDGE_RUNNING;
}

static void refuse(struct edge_request *r, const char *text)
{
    struct edge_app *app = r->x->app;
    count_add(&app->shares[r->conn->worker->config.index].counts[EDGE_HELD_LOST], 1);
    reply_late(r, text);
}

static void count_bytes(struct edge_request *r, int64_t n)
{
    queue_of(r->conn->worker, r->held_app)->bytes += n;
    r->conn->worker->held_bytes += n;
}

void hold_begin(struct edge_request *r, const struct edge_target *target)
{
    struct edge_worker *w = r->conn->worker;
    struct edge_exchange *x = r->x;
    struct edge_queue *q = queue_of(w, target->app);
    int64_t now_us = loop_now_us(w->loop);
    size_t body = r->conn->client->ahead(r);
    if (!r->held_until_us) {
        if (!r->arrived_us)
            r->arrived_us = x->started_us; /* in another process, perhaps */
        r->held_until_us = r->arrived_us + target->hold_ms * INT64_C(1000);
        count_add(&target->app->shares[w->config.index].counts[EDGE_HELD], 1);
    }
    if (!r->spool && leave_give(r->conn, buf_str(&x->in), r->arrived_us))
        return;
    if (r->expired || now_us >= r->held_until_us) {
        refuse(r, "It did not become ready in time.");
        return;
    }
    if (w->stopping) {
        refuse(r, "The server is stopping.");
        return;
    }
    if (atomic_load_explicit(&target->app->waiting, memory_order_relaxed) >= target->hold_max ||
        w->held_bytes + (int64_t)(x->in.n + body) > LIMIT_EDGE_HOLD_BYTES ||
        (q->count && q->bytes + (int64_t)(x->in.n + body) > LIMIT_EDGE_HOLD_BYTES / HOLD_SHARE)) {
        refuse(r, "Too many requests wait for it already.");
        return;
    }
    bool wakes = !held_back(target->pause, x->head.method);
    sm_move(&r->sm, EDGE_REQUEST_HOLDING);
    r->held = mem_alloc(x->in.n);
    memcpy(r->held, x->in.p, x->in.n);
    r->held_n = (uint32_t)x->in.n;
    r->held_body = (uint32_t)body;
    r->held_app = target->app;
    worker_exchange_give(w, x);
    r->x = NULL;
    r->held_prev = q->last;
    r->held_next = NULL;
    *(q->last ? &q->last->held_next : &q->first) = r;
    q->last = r;
    if (!q->count++)
        link_queue(w, q);
    count_bytes(r, (int64_t)r->held_n + r->held_body);
    atomic_fetch_add_explicit(&target->app->waiting, 1, memory_order_relaxed);
    /* What waits for its turn, or for an app to wake, is let go by this process; of what else it waits for another one
     * may be told. */
    r->bound = (r->stream || r->spool || stream_is_tls(&r->conn->stream)) &&
               (target->pause != EDGE_RUNNING || (!target->count && !target->asleep));
    if (r->bound)
        atomic_fetch_add_explicit(&target->app->bound, 1, memory_order_relaxed);
    wheel_set(&w->request_wheel, &r->deadline, r->held_until_us);
    if (wakes)
        wake(w, target);
    if (target->count && target->pause == EDGE_RUNNING && !loop_timer_armed(&w->release))
        loop_timer_after_ms(w->loop, &w->release, LOOK_AGAIN_MS);
}

void hold_leave(struct edge_request *r)
{
    struct edge_queue *q = queue_of(r->conn->worker, r->held_app);
    *(r->held_prev ? &r->held_prev->held_next : &q->first) = r->held_next;
    *(r->held_next ? &r->held_next->held_prev : &q->last) = r->held_prev;
    r->held_prev = r->held_next = NULL;
    if (!--q->count)
        unlink_queue(r->conn->worker, q);
    count_bytes(r, -((int64_t)r->held_n + r->held_body));
    atomic_fetch_sub_explicit(&r->held_app->waiting, 1, memory_order_relaxed);
    if (r->bound)
        atomic_fetch_sub_explicit(&r->held_app->bound, 1, memory_order_relaxed);
}

/* Back to HEAD with the bytes it had. */
static void put_back(struct edge_request *r)
{
    hold_leave(r);
    r->held_app = NULL;
    r->x = worker_exchange_take(r->conn->worker, r);
    buf_put(&r->x->in, r->held, r->held_n);
    free(r->held);
    r->held = NULL;
    sm_move(&r->sm, EDGE_REQUEST_HEAD);
}

static void go_on(struct edge_request *r)
{
    put_back(r);
    r->conn->client->tick(r);
}

bool hold_grew(struct edge_request *r)
{
    uint32_t body = (uint32_t)r->conn->client->ahead(r);
    count_bytes(r, (int64_t)body - r->held_body);
    r->held_body = body;
    const struct edge_queue *q = queue_of(r->conn->worker, r->held_app);
    if (r->conn->worker->held_bytes <= LIMIT_EDGE_HOLD_BYTES &&
        (q->count == 1 || q->bytes <= LIMIT_EDGE_HOLD_BYTES / HOLD_SHARE))
        return false;
    put_back(r); /* it finds no room any more, and says so */
    return true;
}

void hold_expired(struct edge_request *r)
{
    r->expired = true;
    go_on(r);
}

/* May the first of the queue go? With --writes-only the queue holds writes alone, so its pause counts for each. */
static bool may_go(const struct edge_target *t)
{
    return !t || t->pause == EDGE_STOPPED || (t->pause == EDGE_RUNNING && (t->count > 0 || t->trouble));
}

/* Lets out what may go now; true: some must wait for their turn. */
static bool release_app(struct edge_worker *w, struct edge_app *app, const struct edge_target *t)
{
    struct edge_queue *q = queue_of(w, app);
    int64_t now_us = loop_now_us(w->loop);
    int64_t step_us = t && t->hold_rate ? MAX(1, INT64_C(1000000) / t->hold_rate) : 0;
    if (t && t->pause == EDGE_RUNNING)
        wake(w, t);
    if (!may_go(t))
        return false;
    q->next_us = MAX(q->next_us, now_us - 20000); /* a late timer is made good, a long silence is not */
    uint32_t most = t && t->count ? room(w, t) : UINT32_MAX;
    for (uint32_t n = MIN(q->count, most); n > 0 && q->first; n--) {
        if (step_us && q->next_us > now_us)
            return true;
        q->next_us += step_us;
        go_on(q->first);
    }
    return q->count > 0 && (!t || room(w, t)); /* for room nobody looks: who ends tells */
}

/* What is let out may change any queue, so each look begins at the front. */
static struct edge_queue *next_queue(const struct edge_worker *w)
{
    struct edge_queue *q = w->queues;
    while (q && q->pass == w->pass)
        q = q->next;
    return q;
}

void hold_look_soon(struct edge_worker *w)
{
    loop_timer_at(w->loop, &w->release, loop_now_us(w->loop));
}

void hold_release(struct edge_worker *w)
{
    bool more = false, rated = false;
    struct edge_queue *q;
    w->pass++;
    while ((q = next_queue(w)) != NULL) {
        const struct edge_target *t = edge_table_target(w->table, q->app); /* NULL: gone; they are told */
        q->pass = w->pass;
        if (release_app(w, q->app, t)) {
            more = true;
            rated = rated || (t && t->hold_rate);
        }
    }
    if (more)
        loop_timer_after_ms(w->loop, &w->release, rated ? 1 : LOOK_AGAIN_MS);
}
