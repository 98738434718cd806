/* SPDX-License-Identifier: Apache-2.0 */
/* exchange — the answer's way from whoever made it to the connection.
 *
 * An exchange lives inside the connection's h1_work and is reused. From the handler's call to respond it belongs to one
 * thread at a time: the loop's, then maybe one worker's. respond does all that costs (headers to text, choosing 304) on
 * the calling thread; from a worker it ends with one mailbox message.
 *
 * The client may go meanwhile: the loop then closes the socket and sets `gone`, but h1_work stays until the answer came
 * and was dropped. Hence nothing a worker can reach is ever freed under it. */
#include "base/log.h"
#include "http/server_impl.h"

void http_exchange_init(struct http_exchange *x)
{
    atomic_init(&x->gone, false);
    atomic_init(&x->answered, false);
    x->arena = arena_new(LIMIT_HTTP_REQUEST_ARENA);
    buf_init(&x->head, LIMIT_HTTP_RESPONSE_HEAD);
    response_init(&x->response, x->arena);
}

void http_exchange_reset(struct http_exchange *x)
{
    struct http_sink *sink = http_exchange_take_sink(x);
    if (sink)
        sink->close(sink);
    response_release(&x->response);
    response_init(&x->response, x->arena);
    arena_reset(x->arena);
    if (x->head.cap > LIMIT_HTTP_READ)
        buf_release(&x->head);
    buf_clear(&x->head);
    atomic_store_explicit(&x->gone, false, memory_order_relaxed);
    atomic_store_explicit(&x->answered, false, memory_order_relaxed);
    x->ready = false;
    x->on_gone = NULL;
    x->label = 0;
    x->note = NULL;
    x->blob = (struct blob_choice){{NULL, 0}, {NULL, 0}};
    x->request = (struct http_request){.arena = x->arena};
    x->started_us = 0;
    x->round = 0;
}

const struct http_request *http_exchange_request(const struct http_exchange *x)
{
    return &x->request;
}

struct arena *http_exchange_arena(const struct http_exchange *x)
{
    return x->arena;
}

const atomic_bool *http_exchange_gone(const struct http_exchange *x)
{
    return &x->gone;
}

struct http_sink *http_exchange_take_sink(struct http_exchange *x)
{
    struct http_sink *sink = x->request.sink;
    x->request.sink = NULL;
    return sink;
}

uint64_t http_exchange_round(const struct http_exchange *x)
{
    return x->round;
}

void http_exchange_note(struct http_exchange *x, unsigned label, const void *note)
{
    x->label = label;
    x->note = note;
}

void http_exchange_stats(const struct http_exchange *x, struct http_stats *ret)
{
    http_server_stats(x->conn->server, ret);
}

void http_exchange_on_gone(struct http_exchange *x, void (*fn)(void *arg), void *arg)
{
    x->on_gone = fn;
    x->on_gone_arg = arg;
}

void http_exchange_mark_gone(struct http_exchange *x)
{
    atomic_store(&x->gone, true);
    if (x->on_gone) {
        void (*fn)(void *arg) = x->on_gone;
        x->on_gone = NULL;
        fn(x->on_gone_arg);
    }
}

static void write_head(struct http_exchange *x)
{
    struct http_response *r = &x->response;
    bool chunked = r->kind == HTTP_BODY_STREAM && x->request.minor > 0 && r->status != 204 && r->status != 304;
    response_fit(r, &x->request, 0);
    r->no_body = r->no_body || r->status == 204 || r->status == 304;
    buf_clear(&x->head);
    if (r->kind == HTTP_BODY_BLOB)
        x->blob = response_choose_blob(r, &x->request);
    response_write_head(r, chunked, &x->head);
}

void http_exchange_set(struct http_exchange *x, int status, const char *text)
{
    struct http_response *r = &x->response;
    response_clear(r);
    r->status = status;
    (void)response_header(r, STR("content-type"), STR("text/plain; charset=utf-8"));
    response_body_text(r, arena_printf(x->arena, "%d %s: %s\n", status, http_reason(status), text));
    write_head(x);
}

/* The answer cannot be sent as it was meant: a bug of whoever made it, so it is logged as one. */
static void replace_with_500(struct http_exchange *x, const char *why)
{
    LOG_WITH(LOG_ERROR, "http", STR("answer refused"), LOG_STR("why", str_of(why)),
             LOG_STR("method", x->request.method_text), LOG_STR("target", x->request.target));
    http_exchange_set(x, 500, "the server made an answer that cannot be sent");
}

static void post_ready(void *arg)
{
    struct http_exchange *x = arg;
    x->ready = true;
    h1_conn_tick(x->conn);
}

void http_exchange_respond(struct http_exchange *x, struct http_response *r)
{
    struct h1_conn *c = x->conn;
    ASSERT(!atomic_exchange(&x->answered, true));
    ASSERT(r != &x->response);
    x->response = *r;
    response_init(r, x->arena);
    r = &x->response;
    if (r->kind == HTTP_BODY_BUF && r->buf.over)
        replace_with_500(x, "the body is larger than its buffer may be");
    else if (r->bad_header || r->status < 200 || r->status > 599)
        replace_with_500(x, r->bad_header ? "a header was refused" : "no such status");
    else
        write_head(x);
    if (x->head.over)
        replace_with_500(x, "the header is too long");
    if (r->no_body && r->kind == HTTP_BODY_STREAM && r->stream) {
        r->stream->close(r->stream);
        r->stream = NULL;
    }
    if (loop_on_thread(c->server->config.loop) && c->in_tick) {
        x->ready = true;
        return;
    }
    x->message = (struct loop_message){.fn = post_ready, .arg = x};
    loop_post_message(c->server->config.loop, &x->message);
}

void http_exchange_fail(struct http_exchange *x, int status, str text)
{
    struct http_response r;
    response_init(&r, x->arena);
    r.status = status;
    (void)response_header(&r, STR("content-type"), STR("text/plain; charset=utf-8"));
    if (!text.n)
        text = str_of(http_reason(status));
    response_body_text(&r, ARENA_CAT(x->arena, text, STR("\n")));
    http_exchange_respond(x, &r);
}

void http_exchange_log(struct h1_conn *c, bool complete)
{
    struct http_server *s = c->server;
    struct h1_work *w = c->work;
    struct http_exchange *x = &w->x;
    if (!x->started_us || !s->config.access)
        return;
    bool begun = w->sent_bytes > 0 || complete;
    struct http_access a = {
        .request = &x->request,
        .peer = str_of(c->peer),
        .label = x->label,
        .note = x->note,
        .status = begun ? x->response.status : 0,
        .sent_bytes = MAX(w->sent_bytes - w->head_bytes, 0),
        .duration_us = loop_refresh_now_us(s->config.loop) - x->started_us,
        .complete = complete,
    };
    s->config.access(s->config.app, &a);
}
