/* SPDX-License-Identifier: Apache-2.0 */
/* edge_conn — one client connection as a state machine on a worker's loop.
 *
 *   IDLE --byte--> HEAD --complete--> CONNECTING --connected--> FORWARDING --answer is out--> IDLE | HEAD | LINGER
 *     ^              |  `--no instance--> HOLDING --released--> HEAD   |   `--101--> TUNNEL --> CLOSED
 *     |              `--no route, bad head--> REPLYING <---------------' app failed before its first byte
 *     `------------------------------------------'
 *   FORWARDING --app failed--> CONNECTING (to another instance, while nothing of the answer was seen)
 *
 * Every callback notes what happened and calls edge_conn_tick, which makes steps until one has to wait. A step never
 * recurses into tick; only forward.c speaks to apps, only hold.c to the queue.
 *
 * Invariants: (1) One request at a time; what the client sends ahead stays in x->in or in its socket, so that answers
 * come in order. (2) An answer that cannot be completed ends in a reset: no client takes it for whole. (3) A
 * connection is freed by loop_defer. (4) A request that is read but not yet sent to an app may wait, be sent to another
 * instance, or be dropped when its client leaves; once its answer began it is neither.
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
    [EDGE_CONN_IDLE] = {"idle", SM_TO(EDGE_CONN_HEAD) | SM_TO(EDGE_CONN_CLOSED), SM_INITIAL},
    [EDGE_CONN_HEAD] = {"reading head",
                        SM_TO(EDGE_CONN_HOLDING) | SM_TO(EDGE_CONN_CONNECTING) | SM_TO(EDGE_CONN_REPLYING) |
                            SM_TO(EDGE_CONN_CLOSED),
                        0},
    [EDGE_CONN_HOLDING] = {"holding", SM_TO(EDGE_CONN_HEAD) | SM_TO(EDGE_CONN_CLOSED), 0},
    [EDGE_CONN_CONNECTING] = {"connecting",
                              SM_TO(EDGE_CONN_FORWARDING) | SM_TO(EDGE_CONN_HEAD) | SM_TO(EDGE_CONN_REPLYING) |
                                  SM_TO(EDGE_CONN_CLOSED),
                              0},
    [EDGE_CONN_FORWARDING] = {"forwarding",
                              SM_TO(EDGE_CONN_CONNECTING) | SM_TO(EDGE_CONN_HEAD) | SM_TO(EDGE_CONN_REPLYING) |
                                  SM_TO(EDGE_CONN_TUNNEL) | SM_TO(EDGE_CONN_IDLE) | SM_TO(EDGE_CONN_LINGER) |
                                  SM_TO(EDGE_CONN_CLOSED),
                              0},
    [EDGE_CONN_TUNNEL] = {"tunnel", SM_TO(EDGE_CONN_CLOSED), 0},
    [EDGE_CONN_REPLYING] = {"replying",
                            SM_TO(EDGE_CONN_IDLE) | SM_TO(EDGE_CONN_HEAD) | SM_TO(EDGE_CONN_LINGER) |
                                SM_TO(EDGE_CONN_CLOSED),
                            0},
    [EDGE_CONN_LINGER] = {"lingering", SM_TO(EDGE_CONN_CLOSED), 0},
    [EDGE_CONN_CLOSED] = {"closed", 0, SM_FINAL},
};

static bool is_reading(const struct edge_conn *c)
{
    unsigned st = sm_state(&c->sm);
    return st == EDGE_CONN_IDLE || st == EDGE_CONN_HEAD || st == EDGE_CONN_LINGER;
}

void edge_conn_deadline(struct edge_conn *c, uint32_t after_ms)
{
    struct edge_worker *w = c->worker;
    wheel_set(&w->wheel, &c->deadline, after_ms ? loop_now_us(w->loop) + after_ms * INT64_C(1000) : 0);
}

static void conn_free(void *arg)
{
    struct edge_conn *c = arg;
    free(c->held);
    free(c);
}

void edge_conn_close(struct edge_conn *c)
{
    struct edge_worker *w = c->worker;
    if (sm_state(&c->sm) == EDGE_CONN_HOLDING)
        hold_leave(c);
    sm_move(&c->sm, EDGE_CONN_CLOSED);
    loop_remove_fd(w->loop, c->watch);
    c->watch = NULL;
    stream_release(&c->stream);
    wheel_remove(&w->wheel, &c->deadline);
    if (c->x) {
        forward_end(c->x, false);
        worker_exchange_give(w, c->x);
    }
    c->x = NULL;
    worker_conn_gone(w, c);
    loop_defer(w->loop, conn_free, c);
}

void edge_conn_lost(struct edge_conn *c)
{
    switch (sm_state(&c->sm)) {
    case EDGE_CONN_CLOSED:
        return;
    case EDGE_CONN_CONNECTING:
    case EDGE_CONN_FORWARDING:
    case EDGE_CONN_TUNNEL:
    case EDGE_CONN_REPLYING:
        edge_access_note(c, sm_state(&c->sm) == EDGE_CONN_TUNNEL);
        break;
    case EDGE_CONN_HOLDING:
        count_add(&c->held_app->counts[c->worker->config.index][EDGE_GONE], 1);
        break;
    default:
        break;
    }
    edge_conn_close(c);
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

static void begin_linger(struct edge_conn *c)
{
    sm_move(&c->sm, EDGE_CONN_LINGER);
    worker_exchange_give(c->worker, c->x);
    c->x = NULL;
    c->linger_left = LINGER_BYTES;
    c->may_read = true;
    c->quiet = false;
    edge_conn_deadline(c, c->worker->config.limits.linger_ms);
    enum status st = stream_shutdown(&c->stream, NULL);
    if (st != STATUS_OK && st != STATUS_AGAIN)
        edge_conn_close(c);
}

/* A new exchange whose buffer begins with what the old one had left over. */
static void begin_next(struct edge_conn *c, str ahead)
{
    struct edge_exchange *old = c->x;
    c->x = worker_exchange_take(c->worker, c);
    buf_puts(&c->x->in, ahead);
    worker_exchange_give(c->worker, old);
    sm_move(&c->sm, EDGE_CONN_HEAD);
    edge_conn_deadline(c, c->worker->config.limits.head_ms);
}

void edge_conn_finish(struct edge_conn *c)
{
    struct edge_exchange *x = c->x;
    str ahead = str_from(buf_str(&x->in), x->in_used);
    edge_access_note(c, true);
    forward_end(x, x->keep_up);
    c->arrived_us = 0;
    c->expired = c->repeated = false;
    if (c->close_after || c->stopped) {
        /* Closing with unread bytes would reset the connection, and the reset may overtake the answer. */
        begin_linger(c);
        return;
    }
    c->may_read = c->may_read || c->quiet;
    c->quiet = false;
    if (ahead.n) {
        begin_next(c, ahead);
        return;
    }
    sm_move(&c->sm, EDGE_CONN_IDLE);
    worker_exchange_give(c->worker, x);
    c->x = NULL;
    edge_conn_deadline(c, c->worker->config.limits.idle_ms);
}

/* ---- IDLE and HEAD ---- */

static void refuse_head(struct edge_conn *c, int status, const char *text)
{
    c->close_after = true;
    reply_status(c, status, text, "The request is not valid; nothing was passed on.");
}

static bool read_head(struct edge_conn *c)
{
    struct edge_exchange *x = c->x;
    char *to = buf_reserve(&x->in, x->in.cap - x->in.n < ROOM_MIN ? LIMIT_EDGE_READ : ROOM_MIN);
    size_t n = 0;
    ASSERT(to); /* the parser refuses heads long before */
    enum status st = c->may_read ? edge_conn_read(c, to, x->in.cap - x->in.n, &n) : STATUS_AGAIN;
    if (st == STATUS_OK) {
        x->in.n += n;
        if (sm_state(&c->sm) == EDGE_CONN_IDLE) {
            sm_move(&c->sm, EDGE_CONN_HEAD);
            edge_conn_deadline(c, c->worker->config.limits.head_ms);
        }
        return true;
    }
    if (st != STATUS_AGAIN) {
        edge_conn_lost(c);
    } else if (sm_state(&c->sm) == EDGE_CONN_IDLE) { /* woken for nothing, or by TLS itself */
        worker_exchange_give(c->worker, x);
        c->x = NULL;
    }
    return false;
}

static bool head_step(struct edge_conn *c)
{
    struct err err;
    if (!c->x) {
        if (!c->may_read)
            return false;
        c->x = worker_exchange_take(c->worker, c);
    }
    struct edge_exchange *x = c->x;
    if (x->in.n) {
        enum status st = h1_parse_request(&x->parser, buf_str(&x->in), x->fields, &x->head, &err);
        if (st == STATUS_OK) {
            x->started_us = c->arrived_us ? c->arrived_us : loop_now_us(c->worker->loop);
            x->in_used = x->head.bytes;
            x->released_us = loop_now_us(c->worker->loop);
            edge_conn_deadline(c, 0);
            edge_conn_dispatch(c);
            return true;
        }
        if (st != STATUS_AGAIN) {
            refuse_head(c, x->parser.http_status, err.text);
            return true;
        }
    }
    return read_head(c);
}

static int refused(const struct edge_conn *c, const char **ret_text)
{
    const struct edge_exchange *x = c->x;
    int64_t most = c->worker->config.limits.body_bytes;
    if (str_is(x->head.method, "CONNECT") || str_is(x->head.method, "TRACE")) {
        *ret_text = "This method is not passed on.";
        return 405;
    }
    if (most && x->head.content_length > most) {
        *ret_text = "The request is too large.";
        return 413;
    }
    return 0;
}

void edge_conn_dispatch(struct edge_conn *c)
{
    struct edge_exchange *x = c->x;
    const char *text = NULL;
    enum status st = uri_parse_target(x->head.target, str_is(x->head.method, "OPTIONS"),
                                      str_is(x->head.method, "CONNECT"), &x->target, NULL);
    ASSERT(st == STATUS_OK); /* the parser looked already */
    x->host = x->target.authority.n ? x->target.authority : x->head.host.p ? x->head.host : STR("");
    c->close_after = !x->head.keep_alive || c->stopped;
    int status = refused(c, &text);
    if (status) {
        c->close_after = true;
        reply_status(c, status, text, "");
        return;
    }
    const struct edge_route *route = edge_table_find(c->worker->table, x->host, x->target.path);
    if (!route) {
        reply_status(c, 404, "No app answers for this address.",
                     "If it should, deploy one: vitrine deploy APP --host HOST --run COMMAND");
        return;
    }
    if (!route->target) {
        reply_redirect(c, route);
        return;
    }
    x->app = route->target->app;
    x->strip = route->strip ? route->path : STR("");
    if (route->target->pause == EDGE_STOPPED) {
        reply_status(c, 503, route->target->message.n ? "" : "This site is stopped.", "");
        return;
    }
    if (hold_wanted(c, route->target)) {
        hold_begin(c, route->target);
        return;
    }
    forward_begin(c, route->target);
}

static bool linger_step(struct edge_conn *c)
{
    char drop[LIMIT_EDGE_READ];
    while (c->may_read) {
        size_t n = 0;
        enum status st = edge_conn_read(c, drop, sizeof(drop), &n);
        c->linger_left -= (int64_t)n;
        if ((st != STATUS_OK && st != STATUS_AGAIN) || c->linger_left < 0) {
            edge_conn_close(c);
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
    case EDGE_CONN_HEAD:
        return head_step(c);
    case EDGE_CONN_HOLDING:
    case EDGE_CONN_CONNECTING:
        if (c->half_closed)
            edge_conn_lost(c);
        return false;
    case EDGE_CONN_FORWARDING:
        return forward_step(c);
    case EDGE_CONN_TUNNEL:
        return tunnel_step(c);
    case EDGE_CONN_REPLYING:
        return reply_step(c);
    case EDGE_CONN_LINGER:
        return linger_step(c);
    default:
        return false;
    }
}

static void watch(struct edge_conn *c)
{
    unsigned events = c->half_closed ? 0 : LOOP_READ_CLOSED, st = sm_state(&c->sm);
    if (is_reading(c))
        events |= stream_read_wants(&c->stream);
    else if (st == EDGE_CONN_FORWARDING || st == EDGE_CONN_TUNNEL)
        events |= forward_client_wants(c);
    else if (!c->quiet && !c->half_closed)
        events |= LOOP_READ;
    if (c->write_blocked)
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
    if (events & LOOP_READ_CLOSED)
        c->half_closed = true;
    if (events & LOOP_READ)
        c->may_read = c->quiet = true;
    if (is_reading(c))
        c->may_read = true;
    if (events & (LOOP_WRITE | stream_write_wants(&c->stream))) /* TLS may have waited for bytes to read */
        c->write_blocked = false;
    edge_conn_tick(c);
}

/* The kernel says "writable" only when a third of a large buffer is free; what counts is whether the client still takes
 * anything out of it. A client that does not is cut after one to two deadlines. */
static bool still_drains(struct edge_conn *c)
{
    if (!stream_drains(&c->stream, &c->unsent))
        return false;
    edge_conn_deadline(c, c->worker->config.limits.write_ms);
    return true;
}

void edge_conn_expired(struct edge_conn *c)
{
    switch (sm_state(&c->sm)) {
    case EDGE_CONN_HEAD:
        if (!h1_parser_started(&c->x->parser)) {
            edge_conn_close(c);
            break;
        }
        refuse_head(c, 408, "The request did not come in time.");
        edge_conn_tick(c);
        break;
    case EDGE_CONN_HOLDING:
        hold_expired(c);
        break;
    case EDGE_CONN_FORWARDING:
    case EDGE_CONN_TUNNEL:
        if (!c->write_blocked)
            forward_client_expired(c);
        else if (!still_drains(c))
            edge_conn_reset(c);
        break;
    case EDGE_CONN_REPLYING:
        if (!still_drains(c))
            edge_conn_reset(c);
        break;
    case EDGE_CONN_IDLE:
    case EDGE_CONN_LINGER:
        edge_conn_close(c);
        break;
    default:
        break;
    }
}

void edge_conn_stop(struct edge_conn *c, bool now)
{
    c->stopped = true;
    if (now) {
        edge_conn_reset(c);
        return;
    }
    if (sm_state(&c->sm) == EDGE_CONN_HOLDING)
        hold_expired(c);
    if (sm_state(&c->sm) != EDGE_CONN_IDLE)
        return;
    c->may_read = true; /* a request that is already here is still answered */
    edge_conn_tick(c);
    if (sm_state(&c->sm) == EDGE_CONN_IDLE)
        edge_conn_close(c);
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
    edge_conn_deadline(c, w->config.limits.head_ms);
}
