/* SPDX-License-Identifier: Apache-2.0 */
/* upload — the request's way to the app: its head, then its body piece by piece, in the framing in which it came.
 *
 * What makes a second instance possible is that all of the body is still here. A small one stays in the buffer behind
 * its head (x->whole). One that does not fit there is kept in a spool (r->spool) from its first byte on, as it passes;
 * when there is no room for it, it passes without, and that is counted.
 *
 * After the request was taken back from an instance (upload_rewind), the next one gets: the head, what the spool holds,
 * and then what the client goes on sending. The client notices nothing but that nobody reads for a moment. The framing
 * of the client is decoded once: the spool holds the body alone, and the flow that read it is kept with it. */
#include "edge/worker_impl.h"

/* The body begins behind the head; `in` may have moved. */
static void grow_in(struct edge_exchange *x, size_t room)
{
    if (x->in.cap - x->in.n >= room || !buf_reserve(&x->in, room))
        return;
    h1_parser_head(&x->parser, buf_str(&x->in), x->fields, &x->head);
    enum status st = uri_parse_target(x->head.target, str_is(x->head.method, "OPTIONS"), false, &x->target, NULL);
    ASSERT(st == STATUS_OK);
    x->host = x->target.authority.n ? x->target.authority : x->head.host.p ? x->head.host : STR("");
}

void upload_begin(struct edge_request *r)
{
    struct edge_exchange *x = r->x;
    struct edge_flow *f = &x->request;
    enum h1_body body = x->head.chunked ? (r->conn->client->frames_bodies ? H1_BODY_CLOSE : H1_BODY_CHUNKED)
                        : x->head.content_length > 0 ? H1_BODY_LENGTH
                                                     : H1_BODY_NONE;
    x->in_used = x->head.bytes;
    x->whole = !r->spool;
    x->began = x->request_cut = x->up_blocked = x->waits = false;
    x->uploading = true;
    if (body != H1_BODY_NONE && (x->head.chunked || x->head.content_length > LIMIT_EDGE_READ))
        grow_in(x, LIMIT_EDGE_BLOCK);
    if (r->spool)
        *f = r->spool->flow;
    else
        flow_init(f, body, x->head.content_length, x->head.chunked);
    flow_put(f, buf_str(&x->request_head));
    if (r->spool && r->spool->n == 0 && f->ended)
        flow_again(f, STR(""), true);
}

void upload_rewind(struct edge_request *r)
{
    struct edge_exchange *x = r->x;
    if (!r->spool || !x->uploading)
        return;
    size_t ahead = x->in.n - x->in_used;
    memmove(x->in.p + x->head.bytes, x->in.p + x->in_used, ahead);
    x->in_used = x->head.bytes;
    x->in.n = x->head.bytes + ahead;
    x->uploading = false;
    r->spool->flow = x->request;
    r->spool->flow.out_n = r->spool->flow.out_at = 0;
    r->spool->at = 0;
}

static bool sending_again(const struct edge_request *r)
{
    return r->spool && r->spool->at < r->spool->n;
}

bool upload_kept(const struct edge_request *r)
{
    return r->x->whole || r->spool;
}

bool upload_over(const struct edge_request *r)
{
    const struct edge_exchange *x = r->x;
    return !flow_waiting(&x->request) && ((x->request.ended && !sending_again(r)) || x->request_cut);
}

bool upload_complete(const struct edge_request *r)
{
    return upload_over(r) && !r->x->request_cut;
}

bool upload_wants(const struct edge_request *r)
{
    const struct edge_exchange *x = r->x;
    return !x->request.ended && !x->request_cut && !flow_waiting(&x->request) && !sending_again(r);
}

bool upload_bad(struct edge_request *r, int status, const char *text)
{
    if (r->x->answering || r->x->sent_bytes) {
        forward_cut(r);
        return false;
    }
    r->close_after = true;
    forward_end(r, false);
    reply_status(r, status, text, "The request was not completed.");
    return true;
}

/* ---- keeping ---- */

static void stop_keeping(struct edge_request *r)
{
    struct edge_exchange *x = r->x;
    spool_close(r->spool);
    r->spool = NULL;
    count_add(&x->app->shares[r->conn->worker->config.index].counts[EDGE_UNSPOOLED], 1);
}

static void begin_keeping(struct edge_request *r, str first)
{
    struct edge_exchange *x = r->x;
    x->whole = false;
    if (!x->spool_wanted || x->answering || sm_state(&r->sm) != EDGE_REQUEST_FORWARDING)
        return;
    r->spool = spool_open(r->conn->worker->config.spool);
    if (!r->spool || !spool_put(r->spool, first)) {
        stop_keeping(r);
        return;
    }
    r->spool->at = r->spool->n;
    count_add(&x->app->shares[r->conn->worker->config.index].counts[EDGE_SPOOLED], 1);
}

/* What was taken just now. Chunks lose their framing in the buffer, so it is no use any more. */
static void keep(struct edge_request *r)
{
    struct edge_exchange *x = r->x;
    if (r->spool && spool_put(r->spool, x->request.data))
        r->spool->at = r->spool->n;
    else if (r->spool)
        stop_keeping(r);
    else if (x->request.from == H1_BODY_CHUNKED && x->whole && !x->request.ended)
        begin_keeping(r, x->request.data);
    else if (x->request.from == H1_BODY_CHUNKED)
        x->whole = false;
}

/* ---- steps ---- */

static bool send_request(struct edge_request *r)
{
    struct edge_exchange *x = r->x;
    uint64_t n = 0;
    enum status st = flow_write(&x->request, &x->up->stream, &n, NULL);
    x->began = x->began || n > 0;
    x->request_bytes += n;
    if (st == STATUS_AGAIN) {
        x->up_blocked = true;
        return false;
    }
    if (st != STATUS_OK) { /* it reads no more, but may have said why */
        x->request_cut = x->up_may_read = true;
        x->request.out_n = x->request.out_at = 0;
    }
    return true;
}

static bool send_again(struct edge_request *r)
{
    struct edge_flow *f = &r->x->request;
    str piece = spool_next(r->spool);
    if (!piece.n)
        return upload_bad(r, 502, "What was kept of the request cannot be read any more.");
    flow_again(f, piece, f->ended && !sending_again(r));
    return true;
}

static bool take_request(struct edge_request *r)
{
    struct edge_exchange *x = r->x;
    size_t used = 0;
    struct err err = ERR_INIT;
    enum status st = flow_take(&x->request, x->in.p + x->in_used, x->in.n - x->in_used, &used, &err);
    if (st != STATUS_OK)
        return upload_bad(r, st == STATUS_HEADERS_TOO_LARGE ? 431 : 400, err.text);
    x->in_used += used;
    keep(r);
    int64_t most = r->conn->worker->config.limits.body_bytes;
    if (most && x->request.bytes > most && sm_state(&r->sm) == EDGE_REQUEST_FORWARDING)
        return upload_bad(r, 413, "The request is too large.");
    return true;
}

static bool read_request(struct edge_request *r)
{
    struct edge_exchange *x = r->x;
    size_t n = 0;
    if (x->continue_wanted && !x->answering && !flow_waiting(&x->answer)) {
        x->continue_wanted = false;
        struct h1_head head = {.status = 100, .reason = STR("Continue"), .content_length = -1};
        return r->conn->client->head(r, &(struct rewrite_answer){.head = &head});
    }
    if (!r->conn->client->readable(r))
        return false;
    if (!x->whole || x->in.cap - x->in.n < LIMIT_EDGE_READ / 8) {
        if (x->whole)
            begin_keeping(r, str_from(buf_str(&x->in), x->head.bytes));
        x->in.n = x->in_used = x->head.bytes;
        grow_in(x, LIMIT_EDGE_READ / 8);
    }
    enum status st = r->conn->client->read(r, x->in.p + x->in.n, x->in.cap - x->in.n, &n);
    if (st == STATUS_OK) {
        if (x->wait_from_us)
            x->waited_us += loop_now_us(r->conn->worker->loop) - x->wait_from_us;
        x->wait_from_us = 0;
        x->continue_wanted = false;
        x->in.n += n;
        return true;
    }
    if (st == STATUS_AGAIN)
        return false;
    if (sm_state(&r->sm) == EDGE_REQUEST_TUNNEL) {
        flow_source_end(&x->request);
        x->request_cut = stream_shutdown(&x->up->stream, NULL) != STATUS_OK;
        return true;
    }
    if (x->request.from == H1_BODY_CLOSE) { /* HTTP/2: all of it came */
        flow_source_end(&x->request);
        return true;
    }
    r->conn->client->lost(r);
    return false;
}

bool upload_step(struct edge_request *r)
{
    struct edge_exchange *x = r->x;
    if (flow_waiting(&x->request))
        return !x->up_blocked && send_request(r);
    if (sending_again(r) && !x->request_cut)
        return send_again(r);
    if (!upload_wants(r))
        return false;
    return x->in_used < x->in.n ? take_request(r) : read_request(r);
}

uint32_t upload_patience(struct edge_request *r)
{
    struct edge_exchange *x = r->x;
    const struct edge_limits *l = &r->conn->worker->config.limits;
    int64_t now_us = loop_now_us(r->conn->worker->loop);
    if (!x->wait_from_us)
        x->wait_from_us = now_us;
    if (!l->body_rate)
        return l->body_ms;
    int64_t earned_us = x->request.bytes / l->body_rate * 1000000;
    int64_t left_us = l->body_ms * INT64_C(1000) + earned_us - x->waited_us - (now_us - x->wait_from_us);
    return (uint32_t)MIN(MAX(left_us / 1000, 1), (int64_t)l->body_ms);
}
