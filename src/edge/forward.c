/* SPDX-License-Identifier: Apache-2.0 */
/* forward — a request to an instance and its answer back, both ways at once.
 *
 *   choose an instance -> take a connection -> head and body to the app -> head and body to the client
 *
 * Two flows (flow.h) share the connection pair: the request's bytes lie in x->in, the answer's in x->up_in. Each is
 * read only when all that was read before is written, so a slow side slows the other and nothing piles up.
 *
 * When an app fails: before a byte was written to it, any request goes to another instance. Later, but before a byte of
 * an answer came, a request goes on only if it may be made twice (RFC 9110 section 9.2.2) and all of it is still here.
 * Else the client is told by 502 or 504; and when its answer had begun, by a reset, for a cut answer must not look
 * whole.
 *
 * A connection to an app is kept only when the answer was framed, wholly read, nothing follows it, and the whole
 * request was written: anything else could make the next client read this one's answer. */
#include <stddef.h>

#include "base/log.h"
#include "edge/worker_impl.h"

static const struct h1_limits answer_limits = {
    .line_bytes = LIMIT_EDGE_READ / 2, .head_bytes = LIMIT_EDGE_BLOCK - 1, .header_count = LIMIT_HTTP_HEADERS};

static void on_up(void *owner, unsigned events);

static unsigned index_of(const struct edge_request *r)
{
    return r->conn->worker->config.index;
}

static bool is_idempotent(str method)
{
    static const char *const names[] = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_is(method, names[i]))
            return true;
    return false;
}

/* ---- choosing an instance ---- */

static bool was_tried(const struct edge_exchange *x, const struct edge_instance *i)
{
    for (unsigned k = 0; k < MIN(x->tries, LIMIT_EDGE_TRIES); k++)
        if (x->tried[k] == i->id)
            return true;
    return false;
}

/* The one with least in hand of this loop; of equals in turn. NULL: all were tried. */
static struct edge_instance *choose(struct edge_request *r, const struct edge_target *target)
{
    struct edge_instance *best = NULL;
    uint32_t least = 0;
    uint64_t turn = r->conn->worker->turn++;
    for (size_t k = 0; k < target->count; k++) {
        struct edge_instance *i = target->instances[(turn + k) % target->count];
        uint32_t busy = atomic_load_explicit(&i->places[index_of(r)].busy, memory_order_relaxed);
        if (was_tried(r->x, i) || (best && busy >= least))
            continue;
        best = i;
        least = busy;
    }
    return best;
}

static void attach(struct edge_request *r, struct edge_instance *i)
{
    struct edge_exchange *x = r->x;
    struct edge_place *place = &i->places[index_of(r)];
    if (!place->open) {
        upstream_pool_init(&place->pool, &r->conn->worker->client, &i->addr);
        place->open = true;
    }
    x->instance = i;
    x->prev = NULL;
    x->next = place->first;
    if (x->next)
        x->next->prev = x;
    place->first = x;
    x->is_write = !edge_is_read(x->head.method);
    if (x->is_write)
        count_add(&x->app->writes[index_of(r)], 1);
    atomic_fetch_add_explicit(&place->busy, 1, memory_order_relaxed);
}

void forward_end(struct edge_request *r, bool keep)
{
    struct edge_exchange *x = r->x;
    if (x->up && keep)
        upstream_give(x->up);
    else
        upstream_drop(x->up);
    x->up = NULL;
    if (!x->instance)
        return;
    struct edge_place *place = &x->instance->places[index_of(r)];
    if (x->prev)
        x->prev->next = x->next;
    else
        place->first = x->next;
    if (x->next)
        x->next->prev = x->prev;
    x->next = x->prev = NULL;
    x->instance = NULL;
    if (x->is_write)
        count_add(&x->app->writes[index_of(r)], (uint64_t)-1);
    /* The last touch: from zero on the control thread may take the instance away. */
    atomic_fetch_sub_explicit(&place->busy, 1, memory_order_release);
}

static bool build_head(struct edge_request *r)
{
    struct edge_exchange *x = r->x;
    struct rewrite_request how = {
        .head = &x->head,
        .target = &x->target,
        .host = x->host,
        .peer = str_of(r->conn->peer),
        .trusted = r->conn->trusted,
        .secure = stream_is_tls(&r->conn->stream),
        .strip = x->strip,
        .upgrade = rewrite_upgrade(&x->head).p != NULL,
    };
    buf_clear(&x->request_head);
    rewrite_request(&x->request_head, &how);
    return !x->request_head.over;
}

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

static void start(struct edge_request *r)
{
    struct edge_exchange *x = r->x;
    enum h1_body body = x->head.chunked ? H1_BODY_CHUNKED : x->head.content_length > 0 ? H1_BODY_LENGTH : H1_BODY_NONE;
    sm_move(&r->sm, EDGE_REQUEST_FORWARDING);
    x->in_used = x->head.bytes;
    x->whole = true;
    x->began = x->up_may_read = x->up_blocked = x->up_ended = x->up_hung = x->request_cut = x->waits = false;
    x->stale = x->up->uses > 0;
    x->up_used = 0;
    buf_clear(&x->up_in);
    if (body != H1_BODY_NONE && (body == H1_BODY_CHUNKED || x->head.content_length > LIMIT_EDGE_READ))
        grow_in(x, LIMIT_EDGE_BLOCK);
    flow_init(&x->request, body, x->head.content_length, x->head.chunked);
    flow_put(&x->request, buf_str(&x->request_head));
    flow_init(&x->answer, H1_BODY_NONE, 0, false);
    h1_parser_init_answer(&x->answer_parser, &answer_limits);
    upstream_watch(x->up, LOOP_READ);
}

static void fail(struct edge_request *r, int status, const char *text);

/* Sends the request to an instance of the target; when none is left that was not tried: false. */
static bool offer(struct edge_request *r, const struct edge_target *target)
{
    struct edge_exchange *x = r->x;
    struct edge_instance *i = choose(r, target);
    struct err err = ERR_INIT;
    if (!i)
        return false;
    bool fresh = x->stale; /* a kept connection failed: the next one is new */
    attach(r, i);
    if (sm_state(&r->sm) != EDGE_REQUEST_CONNECTING)
        sm_move(&r->sm, EDGE_REQUEST_CONNECTING);
    x->answer_ms = target->answer_ms;
    x->began = false;
    if (upstream_take(&i->places[index_of(r)].pool, fresh, !is_idempotent(x->head.method), on_up, r, &x->up, &err) !=
        STATUS_OK) {
        forward_end(r, false);
        reply_status(r, 503, "The server has no connection to spare.", "Try again in a moment.");
        return true;
    }
    if (upstream_connected(x->up))
        start(r);
    return true;
}

void forward_begin(struct edge_request *r, const struct edge_target *target)
{
    struct edge_exchange *x = r->x;
    x->continue_wanted = x->head.expect_continue;
    if (!build_head(r)) {
        r->close_after = true;
        reply_status(r, 431, "The header fields are too large to be passed on.", "Send fewer or shorter cookies.");
        return;
    }
    if (!offer(r, target))
        fail(r, 502, "No instance of the app can be reached.");
}

/* ---- when an app fails ---- */

/* Nothing of an answer was passed on yet: another instance, a moment's patience, or the truth. */
static void fail(struct edge_request *r, int status, const char *text)
{
    struct edge_exchange *x = r->x;
    bool may_repeat = !x->answer_bytes && !r->conn->half_closed && status != 504 &&
                      (!x->began || (x->whole && is_idempotent(x->head.method)));
    if (x->instance && !x->stale && x->tries < LIMIT_EDGE_TRIES)
        x->tried[x->tries] = x->instance->id;
    if (x->instance)
        x->tries++;
    forward_end(r, false);
    const struct edge_target *target = edge_table_target(r->conn->worker->table, x->app);
    if (may_repeat && target && x->tries < LIMIT_EDGE_TRIES) {
        count_add(&x->app->counts[index_of(r)][EDGE_RETRIES], 1);
        if (!hold_wanted(r, target) && offer(r, target))
            return;
    }
    /* Its process may have died just now and be back in a moment. A request that itself kills apps gets no third. */
    if (may_repeat && target && target->managed && x->whole && !(x->began && r->repeated)) {
        r->repeated = r->repeated || x->began;
        if (sm_state(&r->sm) != EDGE_REQUEST_HEAD)
            sm_move(&r->sm, EDGE_REQUEST_HEAD);
        hold_begin(r, target);
        return;
    }
    reply_status(r, status, text,
                 status == 504 ? "It may be overloaded. Try again in a moment."
                               : "It may be starting or have stopped. Try again in a moment.");
}

/* After the head of the answer left: the client must see that it is not whole. */
static void cut(struct edge_request *r)
{
    count_add(&r->x->app->counts[index_of(r)][EDGE_CUT], 1);
    client_reset(r);
}

/* ---- client -> app ---- */

static bool bad_body(struct edge_request *r, int status, const char *text)
{
    if (r->x->answering || r->x->sent_bytes) {
        cut(r);
        return false;
    }
    r->close_after = true;
    forward_end(r, false);
    reply_status(r, status, text, "The request was not completed.");
    return true;
}

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

static bool take_request(struct edge_request *r)
{
    struct edge_exchange *x = r->x;
    size_t used = 0;
    struct err err = ERR_INIT;
    enum status st = flow_take(&x->request, x->in.p + x->in_used, x->in.n - x->in_used, &used, &err);
    if (st != STATUS_OK)
        return bad_body(r, st == STATUS_HEADERS_TOO_LARGE ? 431 : 400, err.text);
    x->in_used += used;
    x->whole = x->whole && x->request.from != H1_BODY_CHUNKED;
    int64_t most = r->conn->worker->config.limits.body_bytes;
    if (most && x->request.bytes > most && sm_state(&r->sm) == EDGE_REQUEST_FORWARDING)
        return bad_body(r, 413, "The request is too large.");
    return true;
}

static bool read_request(struct edge_request *r)
{
    struct edge_exchange *x = r->x;
    size_t n = 0;
    if (x->continue_wanted && !x->answering && !flow_waiting(&x->answer)) {
        x->continue_wanted = false;
        flow_put(&x->answer, STR("HTTP/1.1 100 Continue\r\n\r\n"));
        return true;
    }
    if (!client_readable(r))
        return false;
    /* Small bodies stay, so that they can be sent again; of larger ones only the present piece is here. */
    if (!x->whole || x->in.cap - x->in.n < LIMIT_EDGE_READ / 8) {
        x->in.n = x->in_used = x->head.bytes;
        x->whole = false;
        grow_in(x, LIMIT_EDGE_READ / 8);
    }
    enum status st = client_read(r, x->in.p + x->in.n, x->in.cap - x->in.n, &n);
    if (st == STATUS_OK) {
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
    client_lost(r);
    return false;
}

static bool wants_request(const struct edge_exchange *x)
{
    return !x->request.ended && !x->request_cut && !flow_waiting(&x->request);
}

static bool request_step(struct edge_request *r)
{
    struct edge_exchange *x = r->x;
    if (flow_waiting(&x->request))
        return !x->up_blocked && send_request(r);
    if (!wants_request(x))
        return false;
    return x->in_used < x->in.n ? take_request(r) : read_request(r);
}

/* ---- app -> client ---- */

static bool send_answer(struct edge_request *r)
{
    struct edge_exchange *x = r->x;
    bool was_blocked = r->write_blocked;
    uint64_t before = x->sent_bytes;
    enum status st = client_write(r);
    r->write_blocked = st == STATUS_AGAIN;
    if (st == STATUS_AGAIN) {
        if (!was_blocked || x->sent_bytes != before) {
            edge_request_await_client(r);
        }
        return false;
    }
    if (st != STATUS_OK) {
        client_lost(r);
        return false;
    }
    return true;
}

static void begin_tunnel(struct edge_request *r)
{
    struct edge_exchange *x = r->x;
    sm_move(&r->sm, EDGE_REQUEST_TUNNEL);
    flow_init(&x->request, H1_BODY_CLOSE, 0, false);
    flow_init(&x->answer, H1_BODY_CLOSE, 0, false);
    flow_put(&x->answer, buf_str(&x->answer_head));
}

static bool is_event_stream(const struct http_headers *h)
{
    str type = str_sub(http_headers_get(h, STR("content-type")), 0, 17);
    return str_eq_nocase(type, STR("text/event-stream"));
}

/* The head of the answer is in x->answer_h. */
static bool begin_answer(struct edge_request *r)
{
    struct edge_exchange *x = r->x;
    struct h1_head *h = &x->answer_h;
    enum h1_body body = h1_answer_body(h, str_is(x->head.method, "HEAD"));
    bool upgrade = h->status == 101, interim = h->status < 200 && !upgrade, old = x->head.minor == 0;
    if (upgrade && (!rewrite_upgrade(&x->head).p || !http_headers_has(&h->headers, STR("upgrade")))) {
        fail(r, 502, "The app changed the protocol unasked.");
        return true;
    }
    bool chunk_out = !old && (body == H1_BODY_CHUNKED || body == H1_BODY_CLOSE);
    if (!interim && !upgrade)
        r->close_after = r->close_after || r->conn->stopped || !x->request.ended || x->request_cut ||
                         (old && (body == H1_BODY_CHUNKED || body == H1_BODY_CLOSE));
    struct rewrite_answer how = {.head = h,
                                 .body = chunk_out                        ? H1_BODY_CHUNKED
                                         : old && body == H1_BODY_CHUNKED ? H1_BODY_CLOSE
                                                                          : body,
                                 .close = r->close_after && !interim && !upgrade,
                                 .keep_alive = old && !r->close_after,
                                 .upgrade = upgrade};
    buf_clear(&x->answer_head);
    rewrite_answer(&x->answer_head, &how);
    if (x->answer_head.over) {
        fail(r, 502, "The header fields of the app's answer are too large.");
        return true;
    }
    x->up_used += h->bytes;
    if (interim) {
        h1_parser_init_answer(&x->answer_parser, &answer_limits);
        if (h->status != 100 && !old) /* the edge says "100 Continue" itself, when it is ready to read on */
            flow_put(&x->answer, buf_str(&x->answer_head));
        return true;
    }
    x->status = h->status;
    x->answering = true;
    if (upgrade) {
        begin_tunnel(r);
        return true;
    }
    x->event_stream = is_event_stream(&h->headers);
    flow_init(&x->answer, body, h->content_length, chunk_out);
    flow_put(&x->answer, buf_str(&x->answer_head));
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
        fail(r, 502, "The app's answer is not valid HTTP.");
        return true;
    }
    size_t used = 0;
    enum status st = flow_take(&x->answer, x->up_in.p + x->up_used, x->up_in.n - x->up_used, &used, &err);
    if (st != STATUS_OK) {
        log_line(LOG_WARN, "edge", "%s: %s", x->instance->name, err.text);
        cut(r);
        return false;
    }
    x->up_used += used;
    return true;
}

static bool answer_ended_early(struct edge_request *r)
{
    struct edge_exchange *x = r->x;
    if (!x->answering) {
        fail(r, 502, x->answer_bytes ? "The app ended its answer too early." : "The app ended the connection.");
        return true;
    }
    if (x->answer.from == H1_BODY_CLOSE) {
        flow_source_end(&x->answer);
        return true;
    }
    cut(r);
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
        fail(r, 502, "The header fields of the app's answer are too large.");
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
    bool sent = x->request.ended && !flow_waiting(&x->request) && !x->request_cut;
    x->keep_up = x->answer.from != H1_BODY_CLOSE && x->answer_h.keep_alive && x->up_used == x->up_in.n && sent &&
                 !x->up_ended && !x->up_hung;
    r->close_after = r->close_after || !sent;
    edge_request_finish(r);
    return true;
}

static bool answer_step(struct edge_request *r)
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
        client_lost(r);
        return false;
    }
    if (here && take_answer(r))
        return true;
    /* still the same exchange? take_answer that returned false may have closed it */
    return sm_state(&r->sm) != EDGE_REQUEST_OVER && read_answer(r);
}

/* ---- both ---- */

static void set_deadlines(struct edge_request *r)
{
    struct edge_exchange *x = r->x;
    const struct edge_limits *l = &r->conn->worker->config.limits;
    bool tunnel = sm_state(&r->sm) == EDGE_REQUEST_TUNNEL, sent = !flow_waiting(&x->request) && !wants_request(x);
    unsigned events = flow_waiting(&x->answer) ? 0 : LOOP_READ;
    if (!r->write_blocked)
        edge_request_deadline(r, tunnel ? l->tunnel_ms : wants_request(x) ? l->body_ms : 0);
    if (!x->answering && sent && !x->waits) {
        x->waits = true;
        upstream_deadline(x->up, x->answer_ms);
    } else if (x->up_blocked && !x->answering) {
        upstream_deadline(x->up, l->pause_ms);
    } else if (x->answering) {
        upstream_deadline(x->up, r->write_blocked || x->event_stream || tunnel ? 0 : l->pause_ms);
    } else if (!sent) {
        upstream_deadline(x->up, 0);
    }
    upstream_watch(x->up, events | (x->up_blocked ? LOOP_WRITE : 0));
}

bool forward_step(struct edge_request *r)
{
    struct edge_exchange *x = r->x;
    /* TCP shows no difference between a client that ended its sending half and one that is gone. An answer that is on
     * its way is finished; but a stream of events has no end, and nothing may be written for hours. */
    if (r->conn->half_closed && (!x->answering || x->event_stream) && !wants_request(x) && !flow_waiting(&x->request)) {
        client_lost(r);
        return false;
    }
    while (request_step(r))
        if (sm_state(&r->sm) != EDGE_REQUEST_FORWARDING || r->x != x)
            return sm_state(&r->sm) != EDGE_REQUEST_OVER;
    if (sm_state(&r->sm) != EDGE_REQUEST_FORWARDING)
        return false;
    if (answer_step(r))
        return true;
    if (sm_state(&r->sm) == EDGE_REQUEST_FORWARDING && r->x == x)
        set_deadlines(r);
    return false;
}

bool tunnel_step(struct edge_request *r)
{
    while (request_step(r))
        ;
    if (sm_state(&r->sm) != EDGE_REQUEST_TUNNEL)
        return false;
    if (answer_step(r))
        return true;
    if (sm_state(&r->sm) == EDGE_REQUEST_TUNNEL)
        set_deadlines(r);
    return false;
}

bool forward_wants_body(const struct edge_request *r)
{
    return wants_request(r->x) && r->x->in_used == r->x->in.n;
}

void forward_client_expired(struct edge_request *r)
{
    if (sm_state(&r->sm) == EDGE_REQUEST_TUNNEL) {
        client_lost(r);
        return;
    }
    if (bad_body(r, 408, "The request did not come in time."))
        edge_conn_tick(r->conn);
}

static void app_expired(struct edge_request *r)
{
    if (r->x->answering)
        cut(r);
    else
        fail(r, 504, "The app did not answer in time.");
}

static void on_up(void *owner, unsigned events)
{
    struct edge_request *r = owner;
    struct edge_exchange *x = r->x;
    if (events & UPSTREAM_CONNECTED) {
        start(r);
    } else if (sm_state(&r->sm) == EDGE_REQUEST_CONNECTING) {
        x->stale = false;
        fail(r, 502, "No instance of the app can be reached.");
    } else if (events & UPSTREAM_EXPIRED) {
        app_expired(r);
    } else {
        x->up_may_read = x->up_may_read || (events & (LOOP_READ | LOOP_READ_CLOSED | LOOP_HANGUP));
        if (events & (LOOP_WRITE | LOOP_HANGUP))
            x->up_blocked = false;
        if (events & LOOP_HANGUP) { /* would be told each round; what is left is read as the client takes it */
            x->up_hung = true;
            loop_remove_fd(r->conn->worker->loop, x->up->watch);
            x->up->watch = NULL;
        }
    }
    edge_conn_tick(r->conn);
}
