/* SPDX-License-Identifier: Apache-2.0 */
/* h1_conn — one HTTP/1.x connection as a state machine on the loop.
 *
 *   IDLE --first byte--> READING_HEAD --head complete--> READING_BODY --all in--> HANDLING --respond--> WRITING
 *     ^                    |      ^        `--no body---------------------------------^  `--stream--> STREAMING
 *     |                    `------|-- refused (400 408 413 414 431 501 505) --> WRITING                  |
 *     |                           `---- sent ahead (pipelined) ------------------|                       |
 *     `------------------------------ answer is out ------------------------------<----------------------'
 *   WRITING, STREAMING --last answer--> LINGER --client's end | deadline--> CLOSED
 *   HANDLING --client gone--> ABANDONED --worker let go--> CLOSED      (STREAMING, READING_BODY likewise, while a
 *                                                                       piece is pulled or written)
 *
 * Every callback (socket, mailbox, deadline) notes what happened and calls h1_conn_tick, which makes steps until one
 * has to wait. A step never recurses into tick; a handler that answers at once only sets x->ready.
 *
 * Invariants: (1) One request at a time; while it is in hand nothing is read, so a client that sends ahead is slowed by
 * TCP. Bytes that were read with it wait in work->in. (2) Slices of the request point into work->in, which neither
 * moves nor shrinks between dispatch and h1_conn_finish. (3) IDLE connections have no work. (4) The registration in
 * epoll changes only when an answer blocks or a client sends early: a cached answer costs one read and one write. (5) A
 * connection is freed by loop_defer, and only when no worker can reach its work.
 *
 * A client that ends its sending half while a worker makes its answer counts as gone: TCP shows no difference between
 * that and a closed browser tab. While an answer is being sent it does not matter.
 *
 * Not here: bodies (h1_body.c, h1_sink.c), sending (h1_send.c, h1_stream.c). Tests: tests/http/. */
#include <stdlib.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "http/server_impl.h"

#define ROOM_MIN 2048 /* free bytes of `in` before a read is worth it */

const struct sm_state h1_conn_states[H1_STATES] = {
    [H1_IDLE] = {"idle", SM_TO(H1_READING_HEAD) | SM_TO(H1_CLOSED), SM_INITIAL},
    [H1_READING_HEAD] = {"reading head",
                         SM_TO(H1_READING_BODY) | SM_TO(H1_HANDLING) | SM_TO(H1_WRITING) | SM_TO(H1_CLOSED), 0},
    [H1_READING_BODY] = {"reading body",
                         SM_TO(H1_HANDLING) | SM_TO(H1_WRITING) | SM_TO(H1_ABANDONED) | SM_TO(H1_CLOSED), 0},
    [H1_HANDLING] = {"handling", SM_TO(H1_WRITING) | SM_TO(H1_STREAMING) | SM_TO(H1_ABANDONED), 0},
    [H1_WRITING] = {"writing", SM_TO(H1_IDLE) | SM_TO(H1_READING_HEAD) | SM_TO(H1_LINGER) | SM_TO(H1_CLOSED), 0},
    [H1_STREAMING] = {"streaming",
                      SM_TO(H1_IDLE) | SM_TO(H1_READING_HEAD) | SM_TO(H1_WRITING) | SM_TO(H1_LINGER) |
                          SM_TO(H1_ABANDONED) | SM_TO(H1_CLOSED),
                      0},
    [H1_LINGER] = {"lingering", SM_TO(H1_CLOSED), 0},
    [H1_ABANDONED] = {"abandoned", SM_TO(H1_CLOSED), 0},
    [H1_CLOSED] = {"closed", 0, SM_FINAL},
};

#define LINGER_BYTES (INT64_C(1) << 22) /* dropped at most after a refused request */

static bool is_reading(const struct h1_conn *c)
{
    unsigned st = sm_state(&c->sm);
    if (st == H1_READING_BODY)
        return !h1_sink_busy(c->work);
    return st == H1_IDLE || st == H1_READING_HEAD || st == H1_LINGER;
}

void h1_conn_deadline(struct h1_conn *c, uint32_t after_ms)
{
    struct http_server *s = c->server;
    wheel_set(&s->wheel, &c->deadline, after_ms ? loop_now_us(s->config.loop) + after_ms * INT64_C(1000) : 0);
}

/* The socket goes; the rest stays. */
static void detach(struct h1_conn *c)
{
    loop_remove_fd(c->server->config.loop, c->watch);
    c->watch = NULL;
    stream_release(&c->stream);
    wheel_remove(&c->server->wheel, &c->deadline);
}

static void conn_free(void *arg)
{
    struct h1_conn *c = arg;
    free(c->peer);
    free(c);
}

static void conn_close(struct h1_conn *c)
{
    sm_move(&c->sm, H1_CLOSED);
    if (c->watch)
        detach(c);
    if (c->work)
        server_work_give(c->server, c->work);
    c->work = NULL;
    server_conn_gone(c->server, c);
    loop_defer(c->server->config.loop, conn_free, c);
}

void h1_conn_abandoned(struct h1_conn *c)
{
    conn_close(c);
}

void h1_conn_lost(struct h1_conn *c)
{
    struct h1_work *w = c->work;
    switch (sm_state(&c->sm)) {
    case H1_READING_BODY:
        if (h1_sink_abandon(w)) {
            sm_move(&c->sm, H1_ABANDONED);
            detach(c);
        } else {
            conn_close(c);
        }
        break;
    case H1_HANDLING:
        c->server->stats.gone++;
        http_exchange_log(c, false);
        sm_move(&c->sm, H1_ABANDONED);
        detach(c);
        http_exchange_mark_gone(&w->x);
        if (w->x.ready) /* on_gone answered at once */
            h1_conn_abandoned(c);
        break;
    case H1_STREAMING:
        c->server->stats.gone++;
        http_exchange_log(c, false);
        detach(c);
        http_exchange_mark_gone(&w->x);
        if (h1_stream_abandon(w))
            sm_move(&c->sm, H1_ABANDONED);
        else
            conn_close(c);
        break;
    case H1_WRITING:
        http_exchange_log(c, false);
        conn_close(c);
        break;
    case H1_ABANDONED:
    case H1_CLOSED:
        break;
    default:
        conn_close(c);
        break;
    }
}

void h1_conn_reset(struct h1_conn *c)
{
    struct linger hard = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(c->stream.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    h1_conn_lost(c);
}

enum status h1_conn_read(struct h1_conn *c, void *p, size_t size, size_t *ret_n)
{
    enum status st = stream_read(&c->stream, p, size, ret_n, NULL);
    c->event_round = 0; /* what is read next may be newer than the event */
    if (st == STATUS_OK)
        c->server->stats.bytes_in += *ret_n;
    /* A short read emptied the socket; should more come, epoll says so. */
    c->may_read = st == STATUS_OK && (*ret_n == size || stream_pending(&c->stream));
    return st;
}

void h1_conn_refuse(struct h1_conn *c, int http_status, const char *text)
{
    struct h1_work *w = c->work;
    c->close_after = c->refused = true;
    c->server->stats.refused++;
    if (!w->x.started_us)
        w->x.started_us = loop_now_us(c->server->config.loop);
    w->x.ready = true;
    http_exchange_set(&w->x, http_status, text);
    h1_send_begin(c);
}

static void begin_linger(struct h1_conn *c)
{
    sm_move(&c->sm, H1_LINGER);
    server_work_give(c->server, c->work);
    c->work = NULL;
    c->linger_left = LINGER_BYTES;
    c->may_read = true;
    c->quiet = false;
    h1_conn_deadline(c, c->server->config.limits.linger_ms);
    enum status st = stream_shutdown(&c->stream, NULL);
    if (st != STATUS_OK && st != STATUS_AGAIN)
        conn_close(c);
}

/* To the successor, with what the client sent ahead. False: it stays, being TLS, or having sent too much ahead. */
static bool give(struct h1_conn *c)
{
    struct http_server *s = c->server;
    str unread = c->work ? str_from(buf_str(&c->work->in), c->work->in_used) : STR("");
    if (!s->leave.give || stream_is_tls(&c->stream) || unread.n > LIMIT_TAKEOVER_UNREAD)
        return false;
    int fd = c->stream.fd;
    loop_remove_fd(s->config.loop, c->watch);
    c->watch = NULL;
    c->stream.fd = -1;
    wheel_remove(&s->wheel, &c->deadline);
    s->stats.given++;
    s->leave.give(s->leave.arg, c->listen, fd, unread);
    conn_close(c);
    return true;
}

void h1_conn_leave(struct h1_conn *c)
{
    unsigned st = sm_state(&c->sm);
    if (st != H1_IDLE && st != H1_READING_HEAD)
        return;
    if (!give(c) && st == H1_IDLE)
        h1_conn_deadline(c, c->server->leave.idle_ms);
}

void h1_conn_finish(struct h1_conn *c)
{
    struct http_server *s = c->server;
    struct h1_work *w = c->work;
    size_t ahead = w->in.n - w->in_used;
    c->served = true;
    if (c->close_after || s->stopping) { /* a stop may have begun after the head was sent */
        /* Closing with unread bytes would reset the connection, and the reset may overtake the answer. */
        if (c->refused || ahead || c->quiet || s->stopping || stream_is_tls(&c->stream))
            begin_linger(c);
        else
            conn_close(c);
        return;
    }
    if (give(c))
        return;
    c->quiet = false;
    if (!ahead) {
        sm_move(&c->sm, H1_IDLE);
        server_work_give(s, w);
        c->work = NULL;
        h1_conn_deadline(c, s->config.limits.idle_ms);
        return;
    }
    /* Pipelined: the next request begins where this one ended. */
    struct buf in = w->in;
    buf_init(&w->in, in.max);
    size_t used = w->in_used;
    server_work_give(s, w);
    c->work = w = server_work_take(s);
    w->x.conn = c;
    buf_release(&w->in);
    w->in = in;
    buf_consume(&w->in, used);
    sm_move(&c->sm, H1_READING_HEAD);
    h1_conn_deadline(c, s->config.limits.head_ms);
}

/* The round, when the byte that begins a request was in the socket before it. Not so: line ends that some clients send
 * after a body (what follows them may have come later), records of TLS that hold no request yet. */
static uint64_t arrived_before(const struct h1_conn *c, uint64_t event_round, char first)
{
    bool known = event_round == loop_round(c->server->config.loop) && !stream_is_tls(&c->stream);
    return known && first != '\r' && first != '\n' ? event_round : 0;
}

/* IDLE and READING_HEAD: parse what is here, then read. */
static bool head_step(struct h1_conn *c)
{
    struct http_server *s = c->server;
    struct err err;
    if (!c->work) {
        if (!c->may_read)
            return false;
        c->work = server_work_take(s);
        c->work->x.conn = c;
    }
    struct h1_work *w = c->work;
    if (w->in.n) {
        enum status st = h1_parse_request(&w->parser, buf_str(&w->in), w->fields, &w->head, &err);
        if (st == STATUS_OK) {
            h1_body_begin(c);
            return true;
        }
        if (st != STATUS_AGAIN) {
            h1_conn_refuse(c, w->parser.http_status, err.text);
            return true;
        }
    }
    size_t n = 0;
    uint64_t event_round = c->event_round;
    enum status st = STATUS_AGAIN;
    if (c->may_read) {
        char *to = buf_reserve(&w->in, w->in.cap - w->in.n < ROOM_MIN ? LIMIT_HTTP_READ : ROOM_MIN);
        ASSERT(to); /* the parser refuses heads long before */
        st = h1_conn_read(c, to, w->in.cap - w->in.n, &n);
    }
    if (st == STATUS_OK) {
        w->in.n += n;
        if (sm_state(&c->sm) == H1_IDLE) {
            w->x.round = arrived_before(c, event_round, w->in.p[0]);
            sm_move(&c->sm, H1_READING_HEAD);
            h1_conn_deadline(c, s->config.limits.head_ms);
        }
        return true;
    }
    if (st != STATUS_AGAIN) {
        h1_conn_lost(c);
        return false;
    }
    if (sm_state(&c->sm) == H1_IDLE) { /* woken for nothing, or by TLS itself */
        server_work_give(s, w);
        c->work = NULL;
    }
    return false;
}

static bool linger_step(struct h1_conn *c)
{
    char drop[LIMIT_HTTP_READ];
    while (c->may_read) {
        size_t n = 0;
        enum status st = h1_conn_read(c, drop, sizeof(drop), &n);
        c->linger_left -= (int64_t)n;
        if ((st != STATUS_OK && st != STATUS_AGAIN) || c->linger_left < 0) {
            conn_close(c);
            return false;
        }
    }
    return false;
}

static bool handling_step(struct h1_conn *c)
{
    if (c->work->x.ready) {
        h1_send_begin(c);
        return true;
    }
    if (c->half_closed)
        h1_conn_lost(c);
    return false;
}

static bool step(struct h1_conn *c)
{
    switch (sm_state(&c->sm)) {
    case H1_IDLE:
    case H1_READING_HEAD:
        return head_step(c);
    case H1_READING_BODY:
        return h1_body_step(c);
    case H1_HANDLING:
        return handling_step(c);
    case H1_WRITING:
        return h1_send_step(c);
    case H1_STREAMING:
        return h1_stream_step(c);
    case H1_LINGER:
        return linger_step(c);
    case H1_ABANDONED:
        if (c->work->x.ready && !c->work->stream)
            h1_conn_abandoned(c);
        return false;
    default:
        return false;
    }
}

static void watch(struct h1_conn *c)
{
    unsigned events = c->half_closed ? 0 : LOOP_READ_CLOSED;
    if (is_reading(c))
        events |= stream_read_wants(&c->stream);
    else if (!c->quiet && !c->half_closed)
        events |= LOOP_READ;
    if (c->write_blocked)
        events |= stream_write_wants(&c->stream);
    loop_set_events(c->server->config.loop, c->watch, events);
}

void h1_conn_tick(struct h1_conn *c)
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
    struct h1_conn *c = arg;
    if (events & LOOP_HANGUP) {
        h1_conn_lost(c);
        return;
    }
    if (events & LOOP_READ_CLOSED)
        c->half_closed = true;
    if (is_reading(c)) {
        c->may_read = true;
        c->event_round = loop_round(c->server->config.loop);
    } else if (events & LOOP_READ) {
        c->quiet = true;
    }
    h1_conn_tick(c);
}

/* The kernel says "writable" only when a third of a buffer of megabytes is free, which may take a slow client longer
 * than the deadline. So what counts is whether the client still takes anything out of that buffer. A client that does
 * not is cut after one to two deadlines. */
static bool still_drains(struct h1_conn *c)
{
    if (!stream_drains(&c->stream, &c->unsent))
        return false;
    h1_conn_deadline(c, c->server->config.limits.write_ms);
    return true;
}

void h1_conn_expired(struct h1_conn *c)
{
    bool started = c->work && h1_parser_started(&c->work->parser);
    switch (sm_state(&c->sm)) {
    case H1_READING_HEAD:
    case H1_READING_BODY:
        c->server->stats.timeouts += started;
        if (!started || c->work->sink) { /* what came of a long upload is kept by its sink: the client goes on there */
            h1_conn_lost(c);
            break;
        }
        h1_conn_refuse(c, 408, "the request did not come in time");
        h1_conn_tick(c);
        break;
    case H1_WRITING:
    case H1_STREAMING:
        if (still_drains(c))
            break;
        c->server->stats.timeouts++;
        h1_conn_lost(c);
        break;
    case H1_IDLE:
    case H1_LINGER:
        conn_close(c);
        break;
    default:
        break;
    }
}

void h1_conn_stop(struct h1_conn *c, bool now)
{
    if (now) {
        h1_conn_lost(c);
        return;
    }
    if (sm_state(&c->sm) == H1_READING_BODY && h1_body_give_back(c))
        return;
    if (sm_state(&c->sm) != H1_IDLE)
        return;
    c->may_read = true; /* a request that is already here is still answered */
    h1_conn_tick(c);
    if (sm_state(&c->sm) == H1_IDLE)
        conn_close(c);
}

/* NULL: out of kernel memory; the client sees a closed connection. */
static struct h1_conn *conn_new(struct http_server *s, int fd, const struct addr *peer, uint32_t listen,
                                struct tls_server *tls)
{
    char text[ADDR_TEXT_MAX];
    struct h1_conn *c = MEM_NEW(struct h1_conn);
    sm_init(&c->sm, "h1_conn", h1_conn_states, H1_STATES, H1_IDLE);
    c->server = s;
    c->listen = listen;
    c->peer = mem_cstr(str_make(text, addr_format(peer, text)));
    c->stream = (struct stream){.fd = -1};
    enum status st = STATUS_OK;
    if (tls)
        st = stream_init_tls(&c->stream, fd, tls, NULL);
    else
        stream_init_plain(&c->stream, fd);
    if (st == STATUS_OK)
        st = loop_add_fd(s->config.loop, fd, LOOP_READ | LOOP_READ_CLOSED, on_event, c, &c->watch, NULL);
    if (st != STATUS_OK) {
        stream_release(&c->stream);
        conn_free(c);
        return NULL;
    }
    c->next = s->conns;
    if (c->next)
        c->next->prev = c;
    s->conns = c;
    s->conn_count++;
    return c;
}

void h1_conn_start(struct http_server *s, int fd, const struct addr *peer, uint32_t listen)
{
    struct h1_conn *c = conn_new(s, fd, peer, listen, s->listens[listen].tls);
    if (!c)
        return;
    s->stats.accepted++;
    h1_conn_deadline(c, s->config.limits.head_ms);
}

void h1_conn_adopt(struct http_server *s, int fd, const struct addr *peer, uint32_t listen, str unread)
{
    struct h1_conn *c = conn_new(s, fd, peer, listen, NULL);
    if (!c)
        return;
    s->stats.adopted++;
    c->served = true;
    h1_conn_deadline(c, unread.n ? s->config.limits.head_ms : s->config.limits.idle_ms);
    if (!unread.n)
        return;
    c->work = server_work_take(s);
    c->work->x.conn = c;
    buf_puts(&c->work->in, unread);
    sm_move(&c->sm, H1_READING_HEAD);
    h1_conn_tick(c);
}
