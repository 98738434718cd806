/* SPDX-License-Identifier: Apache-2.0 */
/* h1_body — from a complete head to the handler: request line to struct http_request, body into memory.
 *
 * A body that came with the head in one read is used where it lies. A longer one of known length is read straight into
 * its own buffer and never beyond its end, so the bytes of the next request stay in the socket. A chunked one is read
 * through a small buffer; what follows it goes back to `in`, which may move: its request is built again.
 * Memory: each body is charged to the server's account as it comes in. A body that the application wants piece by piece
 * goes to its sink instead (h1_sink.c); it has as long as its bytes take at LIMIT_HTTP_SINK_RATE, whatever its size. */
#include "http/server_impl.h"
#include "http/uri.h"

#define BODY_PIECE   65536
#define READS_A_TICK 16 /* then others get their turn */

static const char continue_line[] = "HTTP/1.1 100 Continue\r\n\r\n";
#define CONTINUE_N ((uint8_t)(sizeof(continue_line) - 1))

static void build_request(struct h1_conn *c)
{
    struct h1_work *w = c->work;
    struct http_request *rq = &w->x.request;
    const struct h1_head *h = &w->head;
    struct uri_target t;
    rq->method = http_method_parse(h->method);
    enum status st = uri_parse_target(h->target, rq->method == HTTP_OPTIONS, rq->method == HTTP_CONNECT, &t, NULL);
    ASSERT(st == STATUS_OK); /* the parser looked already */
    rq->method_text = h->method;
    rq->target = h->target;
    rq->path = t.path;
    rq->query = t.query;
    rq->has_query = t.has_query;
    rq->secure = stream_is_tls(&c->stream);
    rq->minor = h->minor;
    rq->host = t.authority.n ? t.authority : h->host; /* RFC 9112 section 3.2.2 */
    rq->headers = h->headers;
    rq->peer = str_of(c->peer);
    rq->arena = w->x.arena;
}

static const char *too_large_text(struct h1_conn *c)
{
    return arena_printf(c->work->x.arena, "the request body is larger than %lld bytes", (long long)c->work->body_limit)
        .p;
}

/* False: refused. */
static bool charge(struct h1_conn *c, size_t n)
{
    struct http_server *s = c->server;
    if (s->stats.bodies_bytes + (int64_t)n > s->config.limits.bodies_bytes) {
        h1_conn_refuse(c, 503, "too many request bodies are being received; try again later");
        return false;
    }
    s->stats.bodies_bytes += (int64_t)n;
    c->work->charged += (int64_t)n;
    return true;
}

void h1_body_dispatch(struct h1_conn *c)
{
    struct h1_work *w = c->work;
    struct http_server *s = c->server;
    if (w->body.n)
        w->x.request.body = buf_str(&w->body);
    sm_move(&c->sm, H1_HANDLING);
    h1_conn_deadline(c, 0);
    s->stats.requests++;
    s->config.handler(s->config.app, &w->x);
}

/* All of it is here. */
static void whole(struct h1_conn *c)
{
    struct h1_work *w = c->work;
    if (w->head.chunked) {
        h1_parser_head(&w->parser, buf_str(&w->in), w->fields, &w->head);
        build_request(c);
    }
    if (w->sink)
        w->sink->whole = true; /* h1_body_step hands the rest over */
    else
        h1_body_dispatch(c);
}

static void refuse_chunk(struct h1_conn *c, enum status st, const char *text)
{
    if (c->work->sink)
        h1_sink_fail(c, st, text);
    else
        h1_conn_refuse(c, st == STATUS_HEADERS_TOO_LARGE ? 431 : 400, text);
}

/* A piece of the body as the client means it. False: refused. */
static bool take_data(struct h1_conn *c, str data)
{
    struct h1_work *w = c->work;
    w->body_bytes += (int64_t)data.n;
    if (w->body_bytes > w->body_limit) {
        if (w->sink)
            h1_sink_fail(c, STATUS_TOO_LARGE, too_large_text(c));
        else
            h1_conn_refuse(c, 413, too_large_text(c));
        return false;
    }
    if (w->sink) {
        w->body_until_us += (int64_t)data.n * 1000000 / LIMIT_HTTP_SINK_RATE;
        buf_puts(&w->sink->piece, data);
        return true;
    }
    if (data.n && !charge(c, data.n))
        return false;
    buf_puts(&w->body, data);
    return true;
}

/* Decodes `bytes`; what lies behind the body is put behind the head in `in` (bytes may lie there themselves). */
static void take_chunked(struct h1_conn *c, str bytes)
{
    struct h1_work *w = c->work;
    enum status st = STATUS_AGAIN;
    while (bytes.n && st == STATUS_AGAIN) {
        size_t used = 0;
        str data;
        struct err err;
        st = h1_chunked_decode(&w->chunked, bytes, &used, &data, &err);
        if (st != STATUS_OK && st != STATUS_AGAIN) {
            refuse_chunk(c, st, err.text);
            return;
        }
        bytes = str_from(bytes, used);
        if (!take_data(c, data))
            return;
    }
    if (st != STATUS_OK)
        return;
    if (bytes.n) {
        char *to = buf_reserve(&w->in, bytes.n);
        ASSERT(to);
        memmove(to, bytes.p, bytes.n);
        w->in.n += bytes.n;
    }
    whole(c);
}

static void begin_body(struct h1_conn *c)
{
    struct h1_work *w = c->work;
    struct http_server *s = c->server;
    str rest = str_from(buf_str(&w->in), w->head.bytes);
    struct http_sink *sink = s->config.body_sink ? s->config.body_sink(s->config.app, &w->x) : NULL;
    sm_move(&c->sm, H1_READING_BODY);
    w->body_until_us = loop_now_us(s->config.loop) + s->config.limits.body_total_ms * INT64_C(1000);
    h1_body_deadline(c);
    buf_init(&w->body, (size_t)w->body_limit);
    w->continue_left = w->head.expect_continue && !rest.n ? CONTINUE_N : 0;
    if (sink && !charge(c, LIMIT_HTTP_SINK_PIECE)) {
        sink->close(sink);
        return;
    }
    if (sink)
        h1_sink_begin(c, sink);
    if (w->head.chunked) {
        h1_chunked_init(&w->chunked);
        w->in.n = w->head.bytes;
        take_chunked(c, rest);
        return;
    }
    if (!sink && !charge(c, MIN(rest.n, (size_t)w->head.content_length)))
        return;
    if ((int64_t)rest.n >= w->head.content_length) {
        w->in_used += (size_t)w->head.content_length;
        if (sink)
            buf_puts(&w->sink->piece, str_sub(rest, 0, (size_t)w->head.content_length));
        else
            w->x.request.body = str_sub(rest, 0, (size_t)w->head.content_length);
        whole(c);
        return;
    }
    w->body_left = w->head.content_length - (int64_t)rest.n;
    buf_puts(sink ? &w->sink->piece : &w->body, rest);
    w->in.n = w->head.bytes;
}

void h1_body_deadline(struct h1_conn *c)
{
    h1_conn_deadline(c, c->server->config.limits.body_ms);
    if (c->deadline.at_us > c->work->body_until_us)
        wheel_set(&c->server->wheel, &c->deadline, c->work->body_until_us);
}

void h1_body_begin(struct h1_conn *c)
{
    struct h1_work *w = c->work;
    struct http_server *s = c->server;
    w->in_used = w->head.bytes;
    build_request(c);
    w->x.started_us = loop_now_us(s->config.loop);
    c->close_after = c->close_after || !w->head.keep_alive;
    if (w->x.request.method == HTTP_CONNECT) {
        h1_conn_refuse(c, 501, "this server is no proxy");
        return;
    }
    if (!w->head.chunked && w->head.content_length <= 0) {
        h1_body_dispatch(c);
        return;
    }
    w->body_limit = s->config.limits.body_bytes;
    if (s->config.body_limit)
        w->body_limit = s->config.body_limit(s->config.app, &w->x.request);
    if (w->head.content_length > w->body_limit)
        h1_conn_refuse(c, 413, too_large_text(c));
    else
        begin_body(c);
}

/* Behind an edge that keeps uploads (Vitrine-Replay, docs/design/0020-edge.md): it sends this one to another process,
 * so nobody waits for its end here. 379 is Partial POST Replay; a body on its way into a sink is let go by the end of
 * the connection, which says the same of a body that has no end yet. */
bool h1_body_give_back(struct h1_conn *c)
{
    if (!str_is(http_headers_get(&c->work->head.headers, STR("vitrine-replay")), "379"))
        return false;
    if (c->work->sink) {
        h1_conn_lost(c);
        return true;
    }
    h1_conn_refuse(c, 379, "this process ends; the request was not executed");
    h1_conn_tick(c);
    return true;
}

static bool send_continue(struct h1_conn *c)
{
    struct h1_work *w = c->work;
    while (w->continue_left) {
        size_t n = 0;
        struct iovec v = {(void *)(uintptr_t)(continue_line + CONTINUE_N - w->continue_left), w->continue_left};
        enum status st = stream_writev(&c->stream, &v, 1, 0, &n, NULL);
        c->write_blocked = st == STATUS_AGAIN;
        if (st == STATUS_AGAIN)
            return false;
        if (st != STATUS_OK) {
            h1_conn_lost(c);
            return false;
        }
        w->continue_left = (uint8_t)(w->continue_left - n);
    }
    return true;
}

static enum status read_known_length(struct h1_conn *c)
{
    struct h1_work *w = c->work;
    size_t n = 0, want = (size_t)MIN(w->body_left, BODY_PIECE);
    struct buf *into = w->sink ? &w->sink->piece : &w->body;
    char *to = buf_reserve(into, want);
    ASSERT(to);
    enum status st = h1_conn_read(c, to, want, &n);
    if (st != STATUS_OK)
        return st;
    into->n += n;
    w->body_left -= (int64_t)n;
    if (w->sink)
        w->body_until_us += (int64_t)n * 1000000 / LIMIT_HTTP_SINK_RATE;
    else if (!charge(c, n))
        return STATUS_OK;
    if (!w->body_left)
        whole(c);
    return STATUS_OK;
}

static enum status read_chunked(struct h1_conn *c)
{
    char piece[LIMIT_HTTP_READ];
    size_t n = 0;
    enum status st = h1_conn_read(c, piece, sizeof(piece), &n);
    if (st == STATUS_OK)
        take_chunked(c, str_make(piece, n));
    return st;
}

/* More of the body may be read now. */
static bool wants_more(const struct h1_conn *c)
{
    const struct h1_work *w = c->work;
    return c->may_read && sm_state(&c->sm) == H1_READING_BODY &&
           (!w->sink || (w->sink->status == STATUS_OK && !w->sink->whole &&
                         w->sink->piece.n + BODY_PIECE <= LIMIT_HTTP_SINK_PIECE));
}

bool h1_body_step(struct h1_conn *c)
{
    if (h1_sink_busy(c->work) || !send_continue(c))
        return false;
    for (int i = 0; i < READS_A_TICK && wants_more(c); i++) {
        enum status st = c->work->head.chunked ? read_chunked(c) : read_known_length(c);
        if (st == STATUS_AGAIN)
            break;
        if (st != STATUS_OK) {
            h1_conn_lost(c);
            return false;
        }
        if (sm_state(&c->sm) == H1_READING_BODY)
            h1_body_deadline(c);
    }
    if (sm_state(&c->sm) == H1_READING_BODY && c->work->sink)
        return h1_sink_flush(c);
    return sm_state(&c->sm) != H1_READING_BODY;
}
