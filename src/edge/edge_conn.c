/* SPDX-License-Identifier: Apache-2.0 */
/* edge_conn — one client connection: its socket, and what a request asks of it (struct edge_client).
 *
 *   PROXY --header--> IDLE (connections of --proxy-protocol: edge_proxied.c)
 *   IDLE --byte--> BUSY --answer is out--> IDLE | BUSY (the next one is here already) | LINGER --> CLOSED
 *                   `--first bytes, or TLS agreed on it--> H2 (edge_h2.c) --> LINGER
 *
 * The request itself is a state machine of its own (request.c). Every callback notes what happened and calls
 * edge_conn_tick, which makes steps until one has to wait. A step never recurses into tick.
 *
 * Invariants: (1) Of HTTP/1.1 one request at a time; what the client sends ahead stays in x->in or in its socket, so
 * that answers come in order. (2) A connection is freed by loop_defer.
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
    [EDGE_CONN_PROXY] = {"reading who it is", SM_TO(EDGE_CONN_IDLE) | SM_TO(EDGE_CONN_CLOSED), SM_INITIAL},
    [EDGE_CONN_IDLE] = {"idle", SM_TO(EDGE_CONN_BUSY) | SM_TO(EDGE_CONN_CLOSED), SM_INITIAL},
    [EDGE_CONN_BUSY] = {"busy",
                        SM_TO(EDGE_CONN_IDLE) | SM_TO(EDGE_CONN_H2) | SM_TO(EDGE_CONN_LINGER) | SM_TO(EDGE_CONN_CLOSED),
                        0},
    [EDGE_CONN_H2] = {"HTTP/2", SM_TO(EDGE_CONN_LINGER) | SM_TO(EDGE_CONN_CLOSED), 0},
    [EDGE_CONN_LINGER] = {"lingering", SM_TO(EDGE_CONN_CLOSED), 0},
    [EDGE_CONN_CLOSED] = {"closed", 0, SM_FINAL},
};

void edge_conn_deadline(struct edge_conn *c, uint32_t after_ms)
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
    edge_proxied_free(c);
    edge_handshake_end(c);
    sm_move(&c->sm, EDGE_CONN_CLOSED);
    loop_remove_fd(w->loop, c->watch);
    c->watch = NULL;
    stream_release(&c->stream);
    wheel_remove(&w->wheel, &c->deadline);
    worker_conn_gone(w, c);
    loop_defer(w->loop, conn_free, c);
}

void edge_conn_lost(struct edge_conn *c)
{
    if (sm_state(&c->sm) == EDGE_CONN_CLOSED)
        return;
    if (c->request)
        edge_request_gone(c->request);
    c->request = NULL;
    edge_h2_free(c);
    conn_close(c);
}

void edge_conn_reset(struct edge_conn *c)
{
    struct linger hard = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(c->stream.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    edge_conn_lost(c);
}

enum status edge_conn_read(struct edge_conn *c, void *p, size_t size, size_t *ret_n)
{
    enum status st = stream_read(&c->stream, p, size, ret_n, NULL);
    c->quiet = false;
    /* A short read emptied the socket; should more come, epoll says so. */
    c->may_read = st == STATUS_OK && (*ret_n == size || stream_pending(&c->stream));
    return st;
}

void edge_conn_linger(struct edge_conn *c)
{
    sm_move(&c->sm, EDGE_CONN_LINGER);
    c->linger_left = LINGER_BYTES;
    c->may_read = true;
    c->quiet = false;
    edge_conn_deadline(c, c->worker->config.limits.linger_ms);
    enum status st = stream_shutdown(&c->stream, NULL);
    if (st != STATUS_OK && st != STATUS_AGAIN)
        conn_close(c);
}

/* ---- what a request asks of it ---- */

static bool more(struct edge_request *r)
{
    struct edge_conn *c = r->conn;
    struct buf *in = &r->x->in;
    char *to = buf_reserve(in, in->cap - in->n < ROOM_MIN ? LIMIT_EDGE_READ : ROOM_MIN);
    size_t n = 0;
    ASSERT(to); /* the parser refuses heads long before */
    enum status st = c->may_read ? edge_conn_read(c, to, in->cap - in->n, &n) : STATUS_AGAIN;
    if (st == STATUS_OK)
        in->n += n;
    else if (st != STATUS_AGAIN)
        edge_conn_lost(c);
    return st == STATUS_OK;
}

static bool readable(const struct edge_request *r)
{
    return r->conn->may_read;
}

static enum status read_body(struct edge_request *r, void *p, size_t size, size_t *ret_n)
{
    return edge_conn_read(r->conn, p, size, ret_n);
}

static size_t ahead(const struct edge_request *r)
{
    (void)r; /* it stays in the kernel */
    return 0;
}

static bool put_head(struct edge_request *r, const struct rewrite_answer *a)
{
    struct edge_exchange *x = r->x;
    buf_clear(&x->answer_head);
    rewrite_answer(&x->answer_head, a);
    if (x->answer_head.over)
        return false;
    flow_put(&x->answer, buf_str(&x->answer_head));
    return true;
}

static enum status write_answer(struct edge_request *r)
{
    return flow_write(&r->x->answer, &r->conn->stream, &r->x->sent_bytes, NULL);
}

static void stalled(struct edge_request *r)
{
    r->conn->unsent = -1;
}

/* The kernel says "writable" only when a third of a large buffer is free; what counts is whether the client still takes
 * anything out of it. */
static bool drains(struct edge_request *r)
{
    return stream_drains(&r->conn->stream, &r->conn->unsent);
}

static void lost(struct edge_request *r)
{
    edge_conn_lost(r->conn);
}

static void reset(struct edge_request *r)
{
    edge_conn_reset(r->conn);
}

static void tick(struct edge_request *r)
{
    edge_conn_tick(r->conn);
}

static void finish(struct edge_request *r)
{
    struct edge_conn *c = r->conn;
    str ahead = str_from(buf_str(&r->x->in), r->x->in_used);
    bool last = r->close_after || c->stopped;
    c->request = NULL;
    if (!last && leave_give(c, ahead, 0)) {
        edge_request_drop(r);
        return;
    }
    c->may_read = c->may_read || c->quiet;
    c->quiet = false;
    if (!last && ahead.n) {
        c->request = edge_request_new(c);
        buf_puts(&c->request->x->in, ahead);
    }
    edge_request_drop(r);
    if (last) { /* closing with unread bytes would reset the connection, and the reset may overtake the answer */
        edge_conn_linger(c);
    } else if (!c->request) {
        sm_move(&c->sm, EDGE_CONN_IDLE);
        edge_conn_deadline(c, c->worker->config.limits.idle_ms);
    }
}

static const struct edge_client http1_client = {
    .protocol = "HTTP/1.1",
    .more = more,
    .readable = readable,
    .read = read_body,
    .ahead = ahead,
    .head = put_head,
    .write = write_answer,
    .stalled = stalled,
    .drains = drains,
    .finish = finish,
    .lost = lost,
    .reset = reset,
    .tick = tick,
};

/* ---- steps ---- */

static bool idle_step(struct edge_conn *c)
{
    if (!c->may_read)
        return false;
    c->request = edge_request_new(c);
    if (more(c->request)) {
        edge_handshake_end(c);
        sm_move(&c->sm, EDGE_CONN_BUSY);
        edge_conn_deadline(c, 0);
        return true;
    }
    if (c->request) { /* woken for nothing, or by TLS itself */
        edge_request_drop(c->request);
        c->request = NULL;
        return edge_handshake_step(c);
    }
    return false;
}

static bool linger_step(struct edge_conn *c)
{
    char drop[LIMIT_EDGE_READ];
    while (c->may_read) {
        size_t n = 0;
        enum status st = edge_conn_read(c, drop, sizeof(drop), &n);
        c->linger_left -= (int64_t)n;
        if ((st != STATUS_OK && st != STATUS_AGAIN) || c->linger_left < 0) {
            conn_close(c);
            return false;
        }
    }
    return false;
}

/* ---- events ---- */

/* HTTP/2 is agreed on by TLS (RFC 9113 section 3.2), or its first bytes say so (section 3.4), which as a request of
 * HTTP/1.1 are none. False: the bytes that are here do not tell yet. */
static bool sniff(struct edge_conn *c)
{
    str in = buf_str(&c->request->x->in), preface = STR(H2_PREFACE);
    size_t n = MIN(in.n, preface.n);
    bool tls = stream_is_tls(&c->stream), begins = n && memcmp(in.p, preface.p, n) == 0;
    if (!tls && begins && n < preface.n)
        return false;
    c->fresh = false;
    if (tls && str_is(stream_alpn(&c->stream), "acme-tls/1")) { /* RFC 8737 section 3: for its handshake alone */
        edge_conn_lost(c);
        return true;
    }
    if (tls ? str_is(stream_alpn(&c->stream), "h2") : begins)
        edge_h2_begin(c, in);
    return true;
}

static bool busy_step(struct edge_conn *c)
{
    struct edge_request *r = c->request;
    if (!c->fresh)
        return edge_request_step(r);
    if (sniff(c))
        return true;
    if (!r->deadline.at_us)
        edge_request_deadline(r, c->worker->config.limits.head_ms);
    return more(r);
}

static bool step(struct edge_conn *c)
{
    switch (sm_state(&c->sm)) {
    case EDGE_CONN_PROXY:
        return edge_proxied_step(c);
    case EDGE_CONN_IDLE:
        return idle_step(c);
    case EDGE_CONN_BUSY:
        return busy_step(c);
    case EDGE_CONN_H2:
        return edge_h2_step(c);
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
    return st == EDGE_CONN_PROXY || st == EDGE_CONN_IDLE || st == EDGE_CONN_LINGER ||
           (st == EDGE_CONN_BUSY && sm_state(&c->request->sm) == EDGE_REQUEST_HEAD);
}

static void watch(struct edge_conn *c)
{
    if (sm_state(&c->sm) == EDGE_CONN_H2) {
        loop_set_events(c->worker->loop, c->watch, edge_h2_wants(c));
        return;
    }
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
        edge_conn_lost(c);
        return;
    }
    if (sm_state(&c->sm) == EDGE_CONN_H2) {
        edge_h2_event(c, events);
        edge_conn_tick(c);
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
    if (sm_state(&c->sm) == EDGE_CONN_H2)
        edge_h2_expired(c);
    else
        conn_close(c);
}

void edge_conn_stop(struct edge_conn *c, bool now)
{
    c->stopped = true;
    if (now) {
        edge_conn_reset(c);
        return;
    }
    if (sm_state(&c->sm) == EDGE_CONN_H2) {
        edge_h2_stop(c);
        return;
    }
    if (c->request && sm_state(&c->request->sm) == EDGE_REQUEST_HOLDING)
        hold_expired(c->request);
    if (sm_state(&c->sm) == EDGE_CONN_PROXY)
        conn_close(c);
    if (sm_state(&c->sm) != EDGE_CONN_IDLE)
        return;
    c->may_read = true; /* a request that is already here is still answered */
    edge_conn_tick(c);
    if (sm_state(&c->sm) == EDGE_CONN_IDLE)
        conn_close(c);
}

void edge_conn_set_peer(struct edge_conn *c, const struct addr *peer)
{
    char text[ADDR_TEXT_MAX];
    size_t n = MIN(addr_format_host(peer, text), sizeof(c->peer) - 1);
    memcpy(c->peer, text, n);
    c->peer[n] = '\0';
    c->peer_port = (uint16_t)addr_port(peer);
    c->trusted = proxy_list_has(c->worker->config.trusted, str_make(text, addr_format(peer, text)));
}

int edge_conn_detach(struct edge_conn *c)
{
    int fd = c->stream.fd;
    loop_remove_fd(c->worker->loop, c->watch);
    c->watch = NULL;
    c->stream.fd = -1;
    return fd;
}

void edge_conn_discard(struct edge_conn *c)
{
    if (c->request)
        edge_request_drop(c->request);
    c->request = NULL;
    conn_close(c);
}

void edge_conn_retire(struct edge_conn *c, uint32_t idle_ms)
{
    c->stopped = true;
    if (sm_state(&c->sm) == EDGE_CONN_H2)
        edge_h2_leave(c);
    else if (sm_state(&c->sm) == EDGE_CONN_IDLE)
        edge_conn_deadline(c, idle_ms);
}

void edge_conn_resume(struct edge_conn *c, str unread, int64_t arrived_us)
{
    edge_conn_deadline(c, unread.n ? 0 : c->worker->config.limits.idle_ms);
    if (!unread.n)
        return;
    c->request = edge_request_new(c);
    c->request->arrived_us = arrived_us;
    buf_puts(&c->request->x->in, unread);
    sm_move(&c->sm, EDGE_CONN_BUSY);
    edge_conn_tick(c);
}

void edge_conn_resume_tunnel(struct edge_conn *c, struct edge_instance *i, int own_fd, int64_t started_us)
{
    edge_conn_deadline(c, 0);
    c->request = edge_request_new(c);
    c->request->x->started_us = started_us;
    sm_move(&c->sm, EDGE_CONN_BUSY);
    if (tunnel_resume(c->request, i, own_fd)) {
        c->may_read = true;
        edge_conn_tick(c);
    } else {
        edge_conn_discard(c);
    }
}

struct edge_conn *edge_conn_start(struct edge_worker *w, int fd, const struct addr *peer, size_t slot, bool began)
{
    char text[ADDR_TEXT_MAX];
    struct tls_server *tls = w->slots[slot].tls;
    struct edge_conn *c = MEM_NEW(struct edge_conn);
    str from = str_make(text, addr_format(peer, text));
    bool proxied = !began && proxy_list_has(w->config.proxied, from);
    sm_init(&c->sm, "edge_conn", edge_conn_states, EDGE_CONN_STATES, proxied ? EDGE_CONN_PROXY : EDGE_CONN_IDLE);
    c->worker = w;
    c->client = &http1_client;
    c->fresh = true;
    c->unsent = -1;
    c->secure = tls != NULL;
    edge_conn_set_peer(c, peer);
    c->stream = (struct stream){.fd = -1};
    enum status st = STATUS_OK;
    if (tls && !proxied)
        st = stream_init_tls(&c->stream, fd, tls, NULL);
    else
        stream_init_plain(&c->stream, fd);
    if (proxied)
        edge_proxied_begin(c, tls);
    if (st == STATUS_OK)
        st = loop_add_fd(w->loop, fd, LOOP_READ | LOOP_READ_CLOSED, on_event, c, &c->watch, NULL);
    if (st != STATUS_OK) { /* out of kernel memory: the client sees a closed connection */
        stream_release(&c->stream);
        edge_proxied_free(c);
        conn_free(c);
        atomic_fetch_sub_explicit(&w->conn_count, 1, memory_order_relaxed);
        return NULL;
    }
    c->slot = (uint8_t)slot;
    c->next = w->conns;
    if (c->next)
        c->next->prev = c;
    w->conns = c;
    edge_conn_deadline(c, w->config.limits.head_ms);
    return c;
}
