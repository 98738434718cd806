/* SPDX-License-Identifier: Apache-2.0 */
/* download — the app's answer on its way to the client: its head, read and written anew, then its body.
 *
 * Whatever the app does wrong before the head of its answer left ends in forward_fail (another instance, or the truth);
 * after that in forward_cut, for an answer that is not whole must not look whole. */
#include "base/log.h"
#include "edge/worker_impl.h"

static const struct h1_limits answer_limits = {
    .line_bytes = LIMIT_EDGE_READ / 2, .head_bytes = LIMIT_EDGE_BLOCK - 1, .header_count = LIMIT_HTTP_HEADERS};

void download_begin(struct edge_exchange *x)
{
    x->up_may_read = x->up_ended = x->up_hung = x->answer_bytes = false;
    x->up_used = 0;
    buf_clear(&x->up_in);
    flow_init(&x->answer, H1_BODY_NONE, 0, false);
    h1_parser_init_answer(&x->answer_parser, &answer_limits);
}

/* 379: the app gives an upload back that it will not execute, for it is about to end (Partial Post Replay). What it had
 * read it may send along; all of it is kept here. No client is ever shown this status. */
static void taken_back(struct edge_request *r)
{
    if (forward_replay(r))
        return;
    forward_end(r, false);
    reply_status(r, 503, "The app was replaced during the upload, and it could not be kept.", "Send it again.");
}

static bool send_answer(struct edge_request *r)
{
    struct edge_exchange *x = r->x;
    bool was_blocked = r->write_blocked;
    uint64_t before = x->sent_bytes;
    enum status st = r->conn->client->write(r);
    r->write_blocked = st == STATUS_AGAIN;
    if (st == STATUS_AGAIN) {
        if (!was_blocked || x->sent_bytes != before)
            edge_request_await_client(r);
        return false;
    }
    if (st != STATUS_OK) {
        r->conn->client->lost(r);
        return false;
    }
    return true;
}

static bool is_event_stream(const struct http_headers *h)
{
    str type = str_sub(http_headers_get(h, STR("content-type")), 0, 17);
    return str_eq_nocase(type, STR("text/event-stream"));
}

static bool too_large(struct edge_request *r)
{
    forward_fail(r, 502, "The header fields of the app's answer are too large.");
    return true;
}

/* 100 to 199, but not 101: the head of another answer follows. */
static bool pass_interim(struct edge_request *r)
{
    struct edge_exchange *x = r->x;
    int status = x->answer_h.status;
    x->up_used += x->answer_h.bytes;
    x->answer_bytes = x->up_used < x->up_in.n;
    h1_parser_init_answer(&x->answer_parser, &answer_limits);
    /* The edge says "100 Continue" itself, when it is ready to read on. */
    if (status == 100 || x->head.minor == 0)
        return true;
    struct rewrite_answer how = {.head = &x->answer_h};
    return r->conn->client->head(r, &how) || too_large(r);
}

/* The app has decided: nothing is sent again. */
static void forget_upload(struct edge_request *r)
{
    if (!r->spool)
        return;
    r->x->request_cut = r->x->request_cut || r->spool->at < r->spool->n;
    spool_close(r->spool);
    r->spool = NULL;
}

static struct rewrite_answer how_to_pass(struct edge_request *r, enum h1_body body, bool chunk_out)
{
    const struct edge_exchange *x = r->x;
    bool upgrade = x->answer_h.status == 101, old = x->head.minor == 0;
    bool unframed = body == H1_BODY_CHUNKED || body == H1_BODY_CLOSE;
    if (!upgrade)
        r->close_after = r->close_after || r->conn->stopped || !x->request.ended || x->request_cut || (old && unframed);
    return (struct rewrite_answer){.head = &x->answer_h,
                                   .body = chunk_out                        ? H1_BODY_CHUNKED
                                           : old && body == H1_BODY_CHUNKED ? H1_BODY_CLOSE
                                                                            : body,
                                   .close = r->close_after && !upgrade,
                                   .keep_alive = old && !r->close_after,
                                   .upgrade = upgrade};
}

/* The head of the answer is in x->answer_h. */
static bool begin_answer(struct edge_request *r)
{
    struct edge_exchange *x = r->x;
    struct h1_head *h = &x->answer_h;
    enum h1_body body = h1_answer_body(h, str_is(x->head.method, "HEAD"));
    bool upgrade = h->status == 101;
    if (upgrade && (!rewrite_upgrade(&x->head).p || !http_headers_has(&h->headers, STR("upgrade")))) {
        forward_fail(r, 502, "The app changed the protocol unasked.");
        return true;
    }
    if (h->status == 379 && x->spool_wanted) {
        taken_back(r);
        return true;
    }
    if (h->status < 200 && !upgrade)
        return pass_interim(r);
    forget_upload(r);
    bool chunk_out =
        x->head.minor > 0 && !r->conn->client->frames_bodies && (body == H1_BODY_CHUNKED || body == H1_BODY_CLOSE);
    struct rewrite_answer how = how_to_pass(r, body, chunk_out);
    flow_init(&x->answer, upgrade ? H1_BODY_CLOSE : body, h->content_length, chunk_out && !upgrade);
    if (!r->conn->client->head(r, &how))
        return too_large(r);
    x->up_used += h->bytes;
    x->status = h->status;
    x->answering = true;
    if (upgrade) {
        sm_move(&r->sm, EDGE_REQUEST_TUNNEL);
        flow_init(&x->request, H1_BODY_CLOSE, 0, false);
    }
    x->event_stream = !upgrade && is_event_stream(&h->headers);
    return true;
}

static bool take_answer(struct edge_request *r)
{
    struct edge_exchange *x = r->x;
    struct err err = ERR_INIT;
    if (!x->answering) {
        enum status st = h1_parse_answer(&x->answer_parser, str_from(buf_str(&x->up_in), x->up_used), x->answer_fields,
                                         &x->answer_h, &err);
        if (st == STATUS_OK)
            return begin_answer(r);
        if (st == STATUS_AGAIN)
            return false;
        log_line(LOG_WARN, "edge", "%s: %s", x->instance->name, err.text);
        forward_fail(r, 502, "The app's answer is not valid HTTP.");
        return true;
    }
    size_t used = 0;
    enum status st = flow_take(&x->answer, x->up_in.p + x->up_used, x->up_in.n - x->up_used, &used, &err);
    if (st != STATUS_OK) {
        log_line(LOG_WARN, "edge", "%s: %s", x->instance->name, err.text);
        forward_cut(r);
        return false;
    }
    x->up_used += used;
    return true;
}

static bool answer_ended_early(struct edge_request *r)
{
    struct edge_exchange *x = r->x;
    if (!x->answering) {
        forward_fail(r, 502, x->answer_bytes ? "The app ended its answer too early." : "The app ended the connection.");
        return true;
    }
    if (x->answer.from == H1_BODY_CLOSE) {
        flow_source_end(&x->answer);
        return true;
    }
    forward_cut(r);
    return false;
}

static bool read_answer(struct edge_request *r)
{
    struct edge_exchange *x = r->x;
    size_t n = 0;
    if (x->up_ended)
        return answer_ended_early(r);
    if (!x->up_may_read)
        return false;
    if (x->up_used == x->up_in.n) {
        size_t room = x->answering && x->up_in.n == x->up_in.cap ? LIMIT_EDGE_BLOCK : LIMIT_EDGE_READ;
        x->up_in.n = x->up_used = 0;
        if (x->up_in.cap < room)
            (void)!buf_reserve(&x->up_in, room);
    } else if (x->up_in.n == x->up_in.cap && !buf_reserve(&x->up_in, LIMIT_EDGE_READ)) {
        forward_fail(r, 502, "The header fields of the app's answer are too large.");
        return true;
    }
    size_t room = x->up_in.cap - x->up_in.n;
    enum status st = stream_read(&x->up->stream, x->up_in.p + x->up_in.n, room, &n, NULL);
    x->up_may_read = x->up_hung || (st == STATUS_OK && n == room);
    if (st == STATUS_AGAIN)
        return false;
    if (st == STATUS_OK) {
        x->up_in.n += n;
        x->answer_bytes = true;
    } else {
        x->up_ended = true;
    }
    return true;
}

static bool finish(struct edge_request *r)
{
    struct edge_exchange *x = r->x;
    bool sent = upload_complete(r);
    x->keep_up = x->answer.from != H1_BODY_CLOSE && x->answer_h.keep_alive && x->up_used == x->up_in.n && sent &&
                 !x->up_ended && !x->up_hung && !x->send_proxy;
    r->close_after = r->close_after || !sent;
    edge_request_finish(r);
    return true;
}

bool download_step(struct edge_request *r)
{
    struct edge_exchange *x = r->x;
    bool here = x->up_used < x->up_in.n;
    /* A head that waits takes the first piece of its body along: one write for a small answer. */
    if (flow_waiting(&x->answer) && !(x->answering && here && x->answer.out_n == 1 && !x->answer.ended &&
                                      x->answer.bytes == 0 && !r->write_blocked && !x->sent_bytes))
        return !r->write_blocked && send_answer(r);
    if (x->answering && x->answer.ended) {
        if (sm_state(&r->sm) != EDGE_REQUEST_TUNNEL)
            return finish(r);
        r->conn->client->lost(r);
        return false;
    }
    if (here && take_answer(r))
        return true;
    /* still the same exchange? take_answer that returned false may have closed it */
    return sm_state(&r->sm) != EDGE_REQUEST_OVER && read_answer(r);
}
