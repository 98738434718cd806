/* SPDX-License-Identifier: Apache-2.0 */
/* edge_h2 — a client connection that speaks HTTP/2: many requests at once, each the same state machine as with
 * HTTP/1.1.
 *
 * http/h2 turns frames into request heads and bodies and asks for what is to be sent; here that is joined with the
 * requests (struct edge_client) and with the socket. Its callbacks only note which requests can go on; edge_h2_step
 * lets them, reads, and writes, until nothing moves.
 *
 * Back-pressure: bodies wait in the stream within its window, which opens only as the app takes them. Answers wait in
 * x->answer; what is pulled into `out` is written before more is pulled, and while the socket is full nothing is read
 * either, so that nobody can make us pile up answers.
 *
 * Deadlines of the connection: the socket takes nothing (WRITE), a head does not end (HEAD), no request is in hand
 * (IDLE: PING does not count as one), the client does not answer our GOAWAY (DRAIN). A client whose windows stay shut
 * runs into the deadline of its request (stalled, drains).
 *
 * Invariants: (1) r->stream is set as long as the stream lives and its client cares. (2) No request is stepped from
 * inside a callback. (3) A connection ends with GOAWAY twice, unless its client broke the rules. */
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "edge/worker_impl.h"

enum waits { WAITS_NONE, WAITS_WRITE, WAITS_HEAD, WAITS_IDLE, WAITS_DRAIN };

struct edge_h2 {
    struct h2_session *session;
    struct edge_request *ready, **ready_end;
    struct buf out;
    size_t written; /* of out */
    bool write_blocked, draining;
    bool broken; /* what is in `out` is the last thing we say */
    enum waits waits;
};

static const struct edge_client http2_client;

static void make_ready(struct edge_request *r)
{
    struct edge_h2 *h = r->conn->h2;
    if (r->ready)
        return;
    r->ready = true;
    r->ready_next = NULL;
    *h->ready_end = r;
    h->ready_end = &r->ready_next;
}

/* ---- what the session tells ---- */

static void on_request(void *arg, struct h2_stream *s, str head, int http_status)
{
    struct edge_conn *c = arg;
    struct edge_request *r = edge_request_new(c);
    r->stream = s;
    s->owner = r;
    buf_puts(&r->x->in, head);
    if (http_status)
        edge_request_refuse(r, http_status,
                            http_status == 431   ? "The header fields are too large."
                            : http_status == 501 ? "This protocol is not passed on."
                                                 : "The header fields are not valid.");
    make_ready(r);
}

static void on_body(void *owner)
{
    make_ready(owner);
}

static size_t on_waiting(void *owner, bool *ret_last)
{
    const struct edge_request *r = owner;
    *ret_last = r->x->answer.ended;
    return flow_waiting_bytes(&r->x->answer);
}

static void on_take(void *owner, char *to, size_t n)
{
    struct edge_request *r = owner;
    flow_copy_out(&r->x->answer, to, n);
    r->x->sent_bytes += n;
    if (flow_waiting(&r->x->answer))
        return;
    r->write_blocked = false;
    make_ready(r);
}

static bool is_answered(const struct edge_request *r)
{
    unsigned st = sm_state(&r->sm);
    return (st == EDGE_REQUEST_FORWARDING || st == EDGE_REQUEST_REPLYING) && r->x->status && r->x->answer.ended &&
           !flow_waiting(&r->x->answer);
}

static void on_gone(void *owner)
{
    struct edge_request *r = owner;
    r->stream = NULL;
    if (is_answered(r)) /* its last frame closed the stream: it only needs to be told */
        make_ready(r);
    else
        edge_request_gone(r);
}

static const struct h2_handler handler = {on_request, on_body, on_waiting, on_take, on_gone};

/* ---- what a request asks ---- */

static bool more(struct edge_request *r)
{
    (void)r; /* heads come whole */
    return false;
}

static bool readable(const struct edge_request *r)
{
    return r->stream && h2_readable(r->stream);
}

static enum status read_body(struct edge_request *r, void *p, size_t size, size_t *ret_n)
{
    size_t n = h2_read(r->stream, p, size);
    if (!n)
        return r->stream->ended ? STATUS_CLOSED : STATUS_AGAIN;
    *ret_n = n;
    return STATUS_OK;
}

static size_t ahead(const struct edge_request *r)
{
    return r->stream ? r->stream->body.n - r->stream->read : 0;
}

static bool put_head(struct edge_request *r, const struct rewrite_answer *a)
{
    struct http_header fields[LIMIT_HTTP_HEADERS + 1];
    char number[24];
    size_t n = rewrite_answer_fields(fields, number, a), bytes = 0;
    bool body = a->upgrade || (a->body != H1_BODY_NONE && !(a->body == H1_BODY_LENGTH && a->head->content_length == 0));
    int status = a->upgrade ? 200 : a->head->status; /* RFC 8441 section 5 */
    for (size_t i = 0; i < n; i++)
        bytes += fields[i].name.n + fields[i].value.n;
    if (bytes > LIMIT_EDGE_HEAD)
        return false;
    if (status >= 200)
        r->x->sent_bytes += bytes;
    if (r->stream)
        h2_answer(r->stream, status, fields, n, body);
    return true;
}

/* Bytes are pulled when there is room: on_take then makes it ready. */
static enum status write_answer(struct edge_request *r)
{
    if (!flow_waiting(&r->x->answer))
        return STATUS_OK;
    if (!r->stream)
        return STATUS_CLOSED;
    h2_resume(r->stream);
    return STATUS_AGAIN;
}

static void stalled(struct edge_request *r)
{
    r->mark = r->x->sent_bytes;
}

static bool drains(struct edge_request *r)
{
    bool moved = r->x->sent_bytes - r->mark >= LIMIT_H2_CRAWL;
    r->mark = r->x->sent_bytes;
    /* With its windows open it waits for other streams or the socket, which has a deadline of its own. */
    return moved || (r->stream && !h2_is_shut(r->stream));
}

static void finish(struct edge_request *r)
{
    if (r->stream)
        h2_finish(r->stream);
    r->stream = NULL;
    edge_request_drop(r);
}

static void lost(struct edge_request *r)
{
    const struct edge_exchange *x = r->x;
    if (r->stream && sm_state(&r->sm) == EDGE_REQUEST_TUNNEL && x->answer.ended && !flow_waiting(&x->answer))
        h2_finish(r->stream);
    else if (r->stream)
        h2_reset(r->stream, true);
    r->stream = NULL;
    edge_request_gone(r);
}

static void reset(struct edge_request *r)
{
    if (r->stream)
        h2_reset(r->stream, false);
    r->stream = NULL;
    edge_request_gone(r);
}

static void tick(struct edge_request *r)
{
    if (sm_state(&r->sm) != EDGE_REQUEST_OVER)
        make_ready(r);
    edge_conn_tick(r->conn);
}

static const struct edge_client http2_client = {
    .protocol = "HTTP/2",
    .frames_bodies = true,
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

/* ---- the connection ---- */

static void receive(struct edge_conn *c, str bytes)
{
    struct edge_h2 *h = c->h2;
    struct err err = ERR_INIT;
    if (h2_receive(h->session, bytes, loop_now_us(c->worker->loop), &err) == STATUS_OK)
        return;
    log_line(LOG_INFO, "edge", "%s: %s", c->peer[0] ? c->peer : "unix", err.text);
    h->broken = true;
}

void edge_h2_begin(struct edge_conn *c, str bytes)
{
    const struct edge_limits *l = &c->worker->config.limits;
    struct h2_limits limits = {.streams = LIMIT_H2_STREAMS, .head_bytes = l->head_bytes};
    struct edge_request *r = c->request;
    struct edge_h2 *h = MEM_NEW(struct edge_h2);
    sm_move(&c->sm, EDGE_CONN_H2);
    c->client = &http2_client;
    c->half_closed = false; /* the end of what it sends is met by reading it */
    c->request = NULL;
    c->h2 = h;
    h->ready_end = &h->ready;
    buf_init(&h->out, LIMIT_EDGE_BLOCK * 3);
    h->session = h2_new(&limits, &handler, c);
    receive(c, bytes); /* these lie in r->x->in */
    edge_request_drop(r);
    if (c->stopped)
        h2_shutdown(h->session);
    h->draining = c->stopped;
}

void edge_h2_free(struct edge_conn *c)
{
    struct edge_h2 *h = c->h2;
    if (!h)
        return;
    h2_free(h->session);
    for (struct edge_request *r = h->ready; r; r = r->ready_next)
        if (sm_state(&r->sm) != EDGE_REQUEST_OVER) /* answered, but not told yet */
            edge_request_finish(r);
    buf_release(&h->out);
    free(h);
    c->h2 = NULL;
}

static bool run_ready(struct edge_h2 *h)
{
    struct edge_request *r = h->ready;
    if (!r)
        return false;
    h->ready = r->ready_next;
    if (!h->ready)
        h->ready_end = &h->ready;
    r->ready = false;
    while (sm_state(&r->sm) != EDGE_REQUEST_OVER && edge_request_step(r))
        ;
    return true;
}

static bool read_some(struct edge_conn *c)
{
    char bytes[LIMIT_EDGE_READ];
    size_t n = 0;
    if (!c->may_read || c->h2->write_blocked || c->h2->broken)
        return false;
    enum status st = edge_conn_read(c, bytes, sizeof(bytes), &n);
    if (st == STATUS_OK)
        receive(c, str_make(bytes, n));
    else if (st != STATUS_AGAIN)
        edge_conn_lost(c);
    return st == STATUS_OK;
}

static bool write_some(struct edge_conn *c)
{
    struct edge_h2 *h = c->h2;
    if (h->write_blocked)
        return false;
    if (h->written == h->out.n) {
        h->written = 0;
        buf_clear(&h->out);
        h->broken = h2_fill(h->session, &h->out, LIMIT_EDGE_BLOCK, NULL) != STATUS_OK || h->broken;
        if (!h->out.n) {
            buf_release(&h->out);
            return false;
        }
    }
    struct iovec piece = {h->out.p + h->written, h->out.n - h->written};
    size_t n = 0;
    enum status st = stream_writev(&c->stream, &piece, 1, 0, &n, NULL);
    if (st == STATUS_AGAIN) {
        h->write_blocked = true;
        return false;
    }
    if (st != STATUS_OK) {
        edge_conn_lost(c);
        return false;
    }
    h->written += n;
    return true;
}

bool edge_h2_step(struct edge_conn *c)
{
    if (run_ready(c->h2) || read_some(c))
        return true;
    if (sm_state(&c->sm) != EDGE_CONN_H2)
        return false;
    if (write_some(c))
        return true;
    if (sm_state(&c->sm) != EDGE_CONN_H2 || c->h2->write_blocked || c->h2->ready)
        return sm_state(&c->sm) == EDGE_CONN_H2 && c->h2->ready;
    if (c->h2->broken || h2_over(c->h2->session)) {
        edge_h2_free(c);
        edge_conn_linger(c);
    }
    return false;
}

void edge_h2_event(struct edge_conn *c, unsigned events)
{
    c->may_read = true; /* any: TLS may have waited to write before it could read */
    if (events & (LOOP_WRITE | stream_write_wants(&c->stream)))
        c->h2->write_blocked = false;
}

static enum waits waits_for(struct edge_conn *c)
{
    const struct edge_h2 *h = c->h2;
    return h->write_blocked          ? WAITS_WRITE
           : h2_in_head(h->session)  ? WAITS_HEAD
           : h->draining             ? WAITS_DRAIN
           : !h2_streams(h->session) ? WAITS_IDLE
                                     : WAITS_NONE;
}

unsigned edge_h2_wants(struct edge_conn *c)
{
    const struct edge_limits *l = &c->worker->config.limits;
    struct edge_h2 *h = c->h2;
    enum waits waits = waits_for(c);
    if (waits != h->waits) {
        h->waits = waits;
        c->unsent = -1;
        edge_conn_deadline(c, waits == WAITS_WRITE   ? l->write_ms
                              : waits == WAITS_HEAD  ? l->head_ms
                              : waits == WAITS_DRAIN ? l->linger_ms
                              : waits == WAITS_IDLE  ? l->idle_ms
                                                     : 0);
    }
    return h->write_blocked ? stream_write_wants(&c->stream) : stream_read_wants(&c->stream);
}

void edge_h2_expired(struct edge_conn *c)
{
    struct edge_h2 *h = c->h2;
    switch (h->waits) {
    case WAITS_WRITE:
        if (!stream_drains(&c->stream, &c->unsent)) {
            edge_conn_reset(c);
            return;
        }
        edge_conn_deadline(c, c->worker->config.limits.write_ms);
        return;
    case WAITS_IDLE:
        h->draining = true;
        h2_shutdown(h->session);
        break;
    default:
        h2_shutdown_final(h->session);
        h->broken = h->waits == WAITS_HEAD;
        break;
    }
    edge_conn_tick(c);
}

static struct edge_request *first_held(struct edge_conn *c)
{
    struct h2_stream *s = c->h2 ? h2_streams(c->h2->session) : NULL;
    while (s && !(s->owner && sm_state(&((struct edge_request *)s->owner)->sm) == EDGE_REQUEST_HOLDING))
        s = s->next;
    return s ? s->owner : NULL;
}

void edge_h2_leave(struct edge_conn *c)
{
    c->h2->draining = true;
    h2_shutdown(c->h2->session);
    edge_conn_tick(c);
}

void edge_h2_stop(struct edge_conn *c)
{
    struct edge_request *held;
    c->h2->draining = true;
    h2_shutdown(c->h2->session);
    while ((held = first_held(c)))
        hold_expired(held);
    edge_conn_tick(c);
}
