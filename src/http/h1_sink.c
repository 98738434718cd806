/* SPDX-License-Identifier: Apache-2.0 */
/* h1_sink — bodies that go to the application piece by piece, on a worker, while they come in.
 *
 * One buffer of LIMIT_HTTP_SINK_PIECE a body: the loop fills it, a worker hands it to the sink, then the loop reads on.
 * While the worker has it (`busy`) nothing is read, and no deadline runs: the client waits for us, not we for it. A
 * client that goes away in the middle has what it sent written to the end before the sink is closed: uploads that can
 * be resumed go on from there. After a failed write the handler gets the request all the same: it knows how to say it.
 *
 * While `busy` the worker owns piece, status and body; the loop looks at nothing of it until the message came. */
#include <stdlib.h>

#include "base/mem.h"
#include "http/server_impl.h"
#include "rt/fault.h"

#define RETRY_MS 20 /* the lane is full */

static void sink_free(struct h1_work *w)
{
    struct h1_sink *s = w->sink;
    loop_timer_cancel(s->conn->server->config.loop, &s->retry);
    buf_release(&s->piece);
    free(s);
    w->sink = NULL;
}

static void came_back(void *arg)
{
    struct h1_sink *s = arg;
    struct h1_conn *c = s->conn;
    s->busy = false;
    if (sm_state(&c->sm) != H1_ABANDONED) {
        c->quiet = false;
        c->may_read = true;
        h1_body_deadline(c);
        h1_conn_tick(c);
    } else if (!h1_sink_abandon(c->work)) {
        h1_conn_abandoned(c);
    }
}

static void write_piece(struct h1_sink *s)
{
    if (s->piece.n) {
        s->status = s->body->write(s->body, buf_str(&s->piece), &s->body->failed);
        s->body->bytes += s->status == STATUS_OK ? (int64_t)s->piece.n : 0;
    }
    buf_clear(&s->piece);
}

static void close_body(struct h1_sink *s)
{
    if (s->status == STATUS_OK)
        write_piece(s);
    if (s->status == STATUS_OK)
        err_set(&s->body->failed, STATUS_CLOSED, "the client went away");
    s->body->close(s->body);
    s->closed = true;
}

static void write_job(void *arg, struct worker *worker)
{
    struct h1_sink *s = arg;
    (void)worker;
    write_piece(s);
    loop_post_message(s->conn->server->config.loop, &s->message);
}

static void close_job(void *arg, struct worker *worker)
{
    struct h1_sink *s = arg;
    (void)worker;
    close_body(s);
    loop_post_message(s->conn->server->config.loop, &s->message);
}

static bool submit(struct h1_sink *s, void (*job)(void *arg, struct worker *w))
{
    const struct http_server_config *config = &s->conn->server->config;
    s->message = (struct loop_message){.fn = came_back, .arg = s};
    s->busy = true; /* before the job can begin */
    if (!config->pool || FAULT("http.sink_lane") || !pool_submit(config->pool, config->sink_lane, job, s))
        s->busy = false;
    return s->busy;
}

static void retry(void *arg)
{
    struct h1_sink *s = arg;
    h1_conn_tick(s->conn);
}

void h1_sink_begin(struct h1_conn *c, struct http_sink *body)
{
    struct h1_sink *s = MEM_NEW(struct h1_sink);
    s->conn = c;
    s->body = body;
    buf_init(&s->piece, LIMIT_HTTP_SINK_PIECE);
    loop_timer_init(&s->retry, retry, s);
    c->work->sink = s;
}

static void give_to_handler(struct h1_conn *c)
{
    struct h1_work *w = c->work;
    w->x.request.sink = w->sink->body;
    sink_free(w);
    h1_body_dispatch(c);
}

void h1_sink_fail(struct h1_conn *c, enum status st, const char *text)
{
    struct h1_sink *s = c->work->sink;
    s->status = err_set(&s->body->failed, st, "%s", text);
}

bool h1_sink_flush(struct h1_conn *c)
{
    struct h1_sink *s = c->work->sink;
    struct http_server *server = c->server;
    if (s->status != STATUS_OK || (s->whole && !s->piece.n)) {
        if (s->status != STATUS_OK)
            c->close_after = c->refused = true; /* the rest of the body is not read */
        give_to_handler(c);
        return true;
    }
    if (!s->piece.n)
        return false;
    h1_conn_deadline(c, 0);
    if (submit(s, write_job))
        return false;
    if (server->config.pool) {
        loop_timer_after_ms(server->config.loop, &s->retry, RETRY_MS);
        return false;
    }
    write_piece(s);
    h1_body_deadline(c);
    return true;
}

bool h1_sink_abandon(struct h1_work *w)
{
    struct h1_sink *s = w->sink;
    if (!s)
        return false;
    loop_timer_cancel(s->conn->server->config.loop, &s->retry);
    if (!s->busy && !s->closed && !submit(s, close_job))
        close_body(s);
    if (s->busy)
        return true;
    sink_free(w);
    return false;
}
