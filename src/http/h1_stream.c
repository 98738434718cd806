/* SPDX-License-Identifier: Apache-2.0 */
/* h1_stream — bodies that a worker makes while the loop sends them.
 *
 * Two buffers: the worker fills one while the other is on the wire; when both are full nothing is pulled, so a slow
 * client costs two pieces of memory and no worker. The head goes out with the first piece: a stream whose first pull
 * fails still becomes a proper 500. Later failures can only be shown by cutting the connection before the last chunk.
 *
 * While `busy` the worker owns fill, status, err and body; the loop looks at nothing of it until the message came. */
#include "base/log.h"
#include "base/mem.h"
#include "http/server_impl.h"
#include "rt/fault.h"

#include <stdlib.h>

#define RETRY_MS 20 /* the lane is full */

static void close_body(struct h1_stream *s)
{
    s->body->close(s->body);
    s->closed = true;
}

static void came_back(void *arg)
{
    struct h1_stream *s = arg;
    struct h1_conn *c = s->conn;
    s->busy = false;
    if (sm_state(&c->sm) != H1_ABANDONED)
        h1_conn_tick(c);
    else if (!h1_stream_abandon(c->work))
        h1_conn_abandoned(c);
}

static void pull(struct h1_stream *s)
{
    s->status = s->body->pull(s->body, &s->fill, &s->err);
    if (s->status != STATUS_AGAIN)
        close_body(s);
}

static void pull_job(void *arg, struct worker *worker)
{
    struct h1_stream *s = arg;
    (void)worker;
    pull(s);
    loop_post_message(s->conn->server->config.loop, &s->message);
}

static void close_job(void *arg, struct worker *worker)
{
    struct h1_stream *s = arg;
    (void)worker;
    close_body(s);
    loop_post_message(s->conn->server->config.loop, &s->message);
}

/* True: a job is on its way and will come back by message. */
static bool submit(struct h1_stream *s, void (*job)(void *arg, struct worker *w))
{
    const struct http_server_config *config = &s->conn->server->config;
    s->message = (struct loop_message){.fn = came_back, .arg = s};
    s->busy = true; /* before the job can begin */
    if (!config->pool || FAULT("http.stream_lane") || !pool_submit(config->pool, config->stream_lane, job, s))
        s->busy = false;
    return s->busy;
}

static void start_pull(struct h1_stream *s)
{
    struct http_server *server = s->conn->server;
    if (submit(s, pull_job))
        return;
    if (server->config.pool)
        loop_timer_after_ms(server->config.loop, &s->retry, RETRY_MS);
    else
        pull(s);
}

/* Not before the pause that the body asked for is over: then the timer is armed. */
static void next_pull(struct h1_stream *s)
{
    uint32_t pause_ms = s->rested ? 0 : s->body->pause_ms;
    if (pause_ms) {
        loop_timer_after_ms(s->conn->server->config.loop, &s->retry, pause_ms);
        return;
    }
    s->rested = false;
    start_pull(s);
}

static void retry(void *arg)
{
    struct h1_stream *s = arg;
    s->rested = true;
    h1_conn_tick(s->conn);
}

void h1_stream_begin(struct h1_conn *c, struct http_stream *body, bool chunked)
{
    struct h1_stream *s = MEM_NEW(struct h1_stream);
    s->conn = c;
    s->body = body;
    s->chunked = chunked;
    buf_init(&s->fill, LIMIT_HTTP_STREAM_PIECE);
    buf_init(&s->piece, LIMIT_HTTP_STREAM_PIECE);
    loop_timer_init(&s->retry, retry, s);
    c->work->stream = s;
}

static void stream_free(struct h1_work *w)
{
    struct h1_stream *s = w->stream;
    loop_timer_cancel(s->conn->server->config.loop, &s->retry);
    buf_release(&s->fill);
    buf_release(&s->piece);
    free(s);
    w->stream = NULL;
}

bool h1_stream_abandon(struct h1_work *w)
{
    struct h1_stream *s = w->stream;
    loop_timer_cancel(s->conn->server->config.loop, &s->retry);
    if (!s->busy && !s->closed && !submit(s, close_job))
        close_body(s);
    if (s->busy)
        return true;
    stream_free(w);
    return false;
}

/* The piece that was filled becomes the piece to send, framed. */
static void send_piece(struct h1_conn *c, struct h1_stream *s)
{
    struct h1_out *o = &c->work->out;
    struct buf empty = s->piece;
    if (s->began)
        *o = (struct h1_out){.file = -1};
    buf_clear(&empty);
    s->piece = s->fill;
    s->fill = empty;
    s->last = s->closed;
    s->began = true;
    if (s->chunked && s->piece.n) {
        int n = snprintf(s->size_line, sizeof(s->size_line), "%zx\r\n", s->piece.n);
        h1_out_add(o, str_make(s->size_line, (size_t)n));
    }
    h1_out_add(o, buf_str(&s->piece));
    if (s->chunked && s->piece.n)
        h1_out_add(o, s->last ? STR("\r\n0\r\n\r\n") : STR("\r\n"));
    else if (s->chunked)
        h1_out_add(o, STR("0\r\n\r\n"));
    h1_conn_deadline(c, c->server->config.limits.write_ms);
    if (!s->closed)
        next_pull(s);
}

static bool stream_failed(struct h1_conn *c, struct h1_stream *s)
{
    struct h1_work *w = c->work;
    const char *text = s->fill.over ? "a piece of the answer is too large" : s->err.text;
    LOG_WITH(LOG_ERROR, "http", STR("a streamed answer failed"), LOG_STR("target", w->x.request.target),
             LOG_STR("error", str_of(text)));
    if (s->began || !s->closed) {
        h1_conn_reset(c);
        return false;
    }
    int http = status_http(s->status);
    struct err copy = s->err;
    stream_free(w);
    c->server->stats.statuses[w->x.response.status / 100]--;
    http_exchange_set(&w->x, http >= 400 ? http : 500, copy.text);
    h1_send_begin(c);
    return true;
}

bool h1_stream_step(struct h1_conn *c)
{
    struct h1_stream *s = c->work->stream;
    for (;;) {
        enum status st = s->began ? h1_out_flush(c) : STATUS_OK;
        if (st == STATUS_AGAIN)
            return false;
        if (st != STATUS_OK) {
            h1_conn_lost(c);
            return false;
        }
        h1_conn_deadline(c, 0);
        if (s->last) {
            http_exchange_log(c, true);
            stream_free(c->work);
            h1_conn_finish(c);
            return true;
        }
        if (s->busy)
            return false;
        if (s->fill.over || (s->closed && s->status != STATUS_OK))
            return stream_failed(c, s);
        if (s->fill.n || s->closed) {
            send_piece(c, s);
            continue;
        }
        if (!loop_timer_armed(&s->retry))
            next_pull(s);
        if (s->busy || loop_timer_armed(&s->retry))
            return false;
    }
}
