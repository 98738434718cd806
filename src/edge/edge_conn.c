/* SPDX-License-Identifier: Apache-2.0 */
/* edge_conn — one client connection: its socket, and what a request asks of it (client_..., worker_impl.h).
 *
 *   IDLE --byte--> BUSY --answer is out--> IDLE | BUSY (the next one is here already) | LINGER --> CLOSED
 *
 * The request itself is a state machine of its own (request.c). Every callback notes what happened and calls
 * edge_conn_tick, which makes steps until one has to wait. A step never recurses into tick.
 *
 * Invariants: (1) One request at a time; what the client sends ahead stays in x->in or in its socket, so that answers
 * come in order. (2) A connection is freed by loop_defer.
 *
 * Why not http/server: that one hands a handler whole bodies and gets answers that are known or made on workers. Here
 * neither is ever whole. What both read goes through the same parser, decoder, streams and wheel (docs/design). */
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "edge/worker_impl.h"

#define ROOM_MIN     2048
#define LINGER_BYTES (INT64_C(1) << 22)

const struct sm_state edge_conn_states[EDGE_CONN_STATES] = {
    [EDGE_CONN_IDLE] = {"idle", SM_TO(EDGE_CONN_BUSY) | SM_TO(EDGE_CONN_CLOSED), SM_INITIAL},
    [EDGE_CONN_BUSY] = {"busy", SM_TO(EDGE_CONN_IDLE) | SM_TO(EDGE_CONN_LINGER) | SM_TO(EDGE_CONN_CLOSED), 0},
    [EDGE_CONN_LINGER] = {"lingering", SM_TO(EDGE_CONN_CLOSED), 0},
    [EDGE_CONN_CLOSED] = {"closed", 0, SM_FINAL},
};

static void conn_deadline(struct edge_conn *c, uint32_t after_ms)
{
    struct edge_worker *w = c->worker;
    wheel_set(&w->wheel, &c->deadline, after_ms ? loop_now_us(w->loop) + after_ms * INT64_C(1000) : 0);
}

static void conn_free(void *arg)
{
    free(arg);
}

static void conn_close(struct edge_conn *c)
{
    struct edge_worker *w = c->worker;
    sm_move(&c->sm, EDGE_CONN_CLOSED);
    loop_remove_fd(w->loop, c->watch);
    c->watch = NULL;
    stream_release(&c->stream);
    wheel_remove(&w->wheel, &c->deadline);
    worker_conn_gone(w, c);
    loop_defer(w->loop, conn_free, c);
}

static void conn_lost(struct edge_conn *c)
{
    if (sm_state(&c->sm) == EDGE_CONN_CLOSED)
        return;
    if (c->request)
        edge_request_gone(c->request);
    c->request = NULL;
    conn_close(c);
}

static void conn_reset(struct edge_conn *c)
{
    struct linger hard = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(c->stream.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    conn_lost(c);
}

static enum status conn_read(struct edge_conn *c, void *p, size_t size, size_t *ret_n)
{
    enum status st = stream_read(&c->stream, p, size, ret_n, NULL);
    c->quiet = false;
    /* A short read emptied the socket; should more come, epoll says so. */
    c->may_read = st == STATUS_OK && (*ret_n == size || stream_pending(&c->stream));
    return st;
}

static void begin_linger(struct edge_conn *c)
{
    sm_move(&c->sm, EDGE_CONN_LINGER);
    c->linger_left = LINGER_BYTES;
    c->may_read = true;
    c->quiet = false;
    conn_deadline(c, c->worker->config.limits.linger_ms);
    enum status st = stream_shutdown(&c->stream, NULL);
    if (st != STATUS_OK && st != STATUS_AGAIN)
        conn_close(c);
}

/* ---- what a request asks of it ---- */

bool client_readable(const struct edge_request *r)
{
    return r->conn->may_read;
}

enum status client_read(struct edge_request *r, void *p, size_t size, size_t *ret_n)
{
    return conn_read(r->conn, p, size, ret_n);
}

enum status client_write(struct edge_request *r)
{
    return flow_write(&r->x->answer, &r->conn->stream, &r->x->sent_bytes, NULL);
}

void client_stalled(struct edge_request *r)
{
    r->conn->unsent = -1;
}

bool client_drains(struct edge_request *r)
{
    return stream_drains(&r->conn->stream, &r->conn->unsent);
}

void client_lost(struct edge_request *r)
{
    conn_lost(r->conn);
}

void client_reset(struct edge_request *r)
{
    conn_reset(r->conn);
}

void client_finish(struct edge_request *r)
{
    struct edge_conn *c = r->conn;
    str ahead = str_from(buf_str(&r->x->in), r->x->in_used);
    bool last = r->close_after || c->stopped;
    c->request = NULL;
    c->may_read = c->may_read || c->quiet;
    c->quiet = false;
    if (!last && ahead.n) {
        c->request = edge_request_new(c);
        buf_puts(&c->request->x->in, ahead);
    }
    edge_request_drop(r);
    if (last) { /* closing with unread bytes would reset the connection, and the reset may overtake the answer */
        begin_linger(c);
    } else if (!c->request) {
        sm_move(&c->sm, EDGE_CONN_IDLE);
        conn_deadline(c, c->worker->config.limits.idle_ms);
    }
}

/* ---- steps ---- */

bool client_more(struct edge_request *r)
{
    struct edge_conn *c = r->conn;
    struct buf *in = &r->x->in;
    char *to = buf_reserve(in, in->cap - in->n < ROOM_MIN ? LIMIT_EDGE_READ : ROOM_MIN);
    size_t n = 0;
    ASSERT(to); /* the parser refuses heads long before */
    enum status st = c->may_read ? conn_read(c, to, in->cap - in->n, &n) : STATUS_AGAIN;
    if (st == STATUS_OK)
        in->n += n;
    else if (st != STATUS_AGAIN)
        conn_lost(c);
    return st == STATUS_OK;
}

static bool idle_step(struct edge_conn *c)
{
    if (!c->may_read)
        return false;
    c->request = edge_request_new(c);
    if (client_more(c->request)) {
        sm_move(&c->sm, EDGE_CONN_BUSY);
        conn_deadline(c, 0);
        return true;
    }
    if (c->request) { /* woken for nothing, or by TLS itself */
        edge_request_drop(c->request);
        c->request = NULL;
    }
    return false;
}

static bool linger_step(struct edge_conn *c)
{
    char drop[LIMIT_EDGE_READ];
    while (c->may_read) {
        size_t n = 0;
        enum status st = conn_read(c, drop, sizeof(drop), &n);
        c->linger_left -= (int64_t)n;
        if ((st != STATUS_OK && st != STATUS_AGAIN) || c->linger_left < 0) {
            conn_close(c);
            return false;
        }
    }
    return false;
}

/* ---- events ---- */

static bool step(struct edge_conn *c)
{
    switch (sm_state(&c->sm)) {
    case EDGE_CONN_IDLE:
        return idle_step(c);
    case EDGE_CONN_BUSY:
        return edge_request_step(c->request);
    case EDGE_CONN_LINGER:
        return linger_step(c);
    default:
        return false;
    }
}

/* Nothing but bytes from the client lets it go on. */
static bool is_reading(const struct edge_conn *c)
{
    unsigned st = sm_state(&c->sm);
    return st == EDGE_CONN_IDLE || st == EDGE_CONN_LINGER ||
           (st == EDGE_CONN_BUSY && sm_state(&c->request->sm) == EDGE_REQUEST_HEAD);
}

static void watch(struct edge_conn *c)
{
    unsigned events = c->half_closed ? 0 : LOOP_READ_CLOSED;
    const struct edge_request *r = c->request;
    unsigned st = r ? sm_state(&r->sm) : EDGE_REQUEST_OVER;
    bool body = (st == EDGE_REQUEST_FORWARDING || st == EDGE_REQUEST_TUNNEL) && forward_wants_body(r);
    if (is_reading(c) || body)
        events |= stream_read_wants(&c->stream);
    else if (!c->quiet && !c->half_closed)
        events |= LOOP_READ;
    if (r && r->write_blocked)
        events |= stream_write_wants(&c->stream);
    loop_set_events(c->worker->loop, c->watch, events);
}

void edge_conn_tick(struct edge_conn *c)
{
    ASSERT(!c->in_tick);
    c->in_tick = true;
    while (step(c))
        ;
    c->in_tick = false;
    if (c->watch)
        watch(c);
}

static void on_event(void *arg, unsigned events)
{
    struct edge_conn *c = arg;
    if (events & LOOP_HANGUP) {
        conn_lost(c);
        return;
    }
    if (events & LOOP_READ_CLOSED)
        c->half_closed = true;
    if (events & LOOP_READ)
        c->may_read = c->quiet = true;
    if (is_reading(c))
        c->may_read = true;
    if (c->request && (events & (LOOP_WRITE | stream_write_wants(&c->stream)))) /* TLS may have waited for bytes */
        c->request->write_blocked = false;
    edge_conn_tick(c);
}

void edge_conn_expired(struct edge_conn *c)
{
    conn_close(c);
}

void edge_conn_stop(struct edge_conn *c, bool now)
{
    c->stopped = true;
    if (now) {
        conn_reset(c);
        return;
    }
    if (c->request && sm_state(&c->request->sm) == EDGE_REQUEST_HOLDING)
        hold_expired(c->request);
    if (sm_state(&c->sm) != EDGE_CONN_IDLE)
        return;
    c->may_read = true; /* a request that is already here is still answered */
    edge_conn_tick(c);
    if (sm_state(&c->sm) == EDGE_CONN_IDLE)
        conn_close(c);
}

void edge_conn_start(struct edge_worker *w, int fd, const struct addr *peer, struct tls_server *tls)
{
    char text[ADDR_TEXT_MAX];
    struct edge_conn *c = MEM_NEW(struct edge_conn);
    sm_init(&c->sm, "edge_conn", edge_conn_states, EDGE_CONN_STATES, EDGE_CONN_IDLE);
    c->worker = w;
    c->unsent = -1;
    size_t n = addr_format_host(peer, text);
    memcpy(c->peer, text, MIN(n, sizeof(c->peer) - 1));
    c->trusted = proxy_list_has(w->config.trusted, str_make(text, addr_format(peer, text)));
    c->stream = (struct stream){.fd = -1};
    enum status st = STATUS_OK;
    if (tls)
        st = stream_init_tls(&c->stream, fd, tls, NULL);
    else
        stream_init_plain(&c->stream, fd);
    if (st == STATUS_OK)
        st = loop_add_fd(w->loop, fd, LOOP_READ | LOOP_READ_CLOSED, on_event, c, &c->watch, NULL);
    if (st != STATUS_OK) { /* out of kernel memory: the client sees a closed connection */
        stream_release(&c->stream);
        conn_free(c);
        atomic_fetch_sub_explicit(&w->conn_count, 1, memory_order_relaxed);
        return;
    }
    c->next = w->conns;
    if (c->next)
        c->next->prev = c;
    w->conns = c;
    conn_deadline(c, w->config.limits.head_ms);
}
