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

static unsigned index_of(const struct edge_conn *c)
{
    return c->worker->config.index;
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
static struct edge_instance *choose(struct edge_conn *c, const struct edge_target *target)
{
    struct edge_instance *best = NULL;
    uint32_t least = 0;
    uint64_t turn = c->worker->turn++;
    for (size_t k = 0; k < target->count; k++) {
        struct edge_instance *i = target->instances[(turn + k) % target->count];
        uint32_t busy = atomic_load_explicit(&i->places[index_of(c)].busy, memory_order_relaxed);
        if (was_tried(c->x, i) || (best && busy >= least))
            continue;
        best = i;
        least = busy;
    }
    return best;
}

static void attach(struct edge_conn *c, struct edge_instance *i)
{
    struct edge_exchange *x = c->x;
    struct edge_place *place = &i->places[index_of(c)];
    if (!place->open) {
        upstream_pool_init(&place->pool, &c->worker->client, &i->addr);
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
        count_add(&x->app->writes[index_of(c)], 1);
    atomic_fetch_add_explicit(&place->busy, 1, memory_order_relaxed);
}

void forward_end(struct edge_exchange *x, bool keep)
{
    if (x->up && keep)
        upstream_give(x->up);
    else
        upstream_drop(x->up);
    x->up = NULL;
    if (!x->instance)
        return;
    struct edge_place *place = &x->instance->places[index_of(x->conn)];
    if (x->prev)
        x->prev->next = x->next;
    else
        place->first = x->next;
    if (x->next)
        x->next->prev = x->prev;
    x->next = x->prev = NULL;
    x->instance = NULL;
    if (x->is_write)
        count_add(&x->app->writes[index_of(x->conn)], (uint64_t)-1);
    /* The last touch: from zero on the control thread may take the instance away. */
    atomic_fetch_sub_explicit(&place->busy, 1, memory_order_release);
}

static bool build_head(struct edge_conn *c)
{
    struct edge_exchange *x = c->x;
    struct rewrite_request r = {
        .head = &x->head,
        .target = &x->target,
        .host = x->host,
        .peer = str_of(c->peer),
        .trusted = c->trusted,
        .secure = stream_is_tls(&c->stream),
        .strip = x->strip,
        .upgrade = rewrite_upgrade(&x->head).p != NULL,
    };
    buf_clear(&x->request_head);
    rewrite_request(&x->request_head, &r);
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

static void start(struct edge_conn *c)
{
    struct edge_exchange *x = c->x;
    enum h1_body body = x->head.chunked ? H1_BODY_CHUNKED : x->head.content_length > 0 ? H1_BODY_LENGTH : H1_BODY_NONE;
    sm_move(&c->sm, EDGE_CONN_FORWARDING);
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

static void fail(struct edge_conn *c, int status, const char *text);

/* Sends the request to an instance of the target; when none is left that was not tried: false. */
static bool offer(struct edge_conn *c, const struct edge_target *target)
{
    struct edge_exchange *x = c->x;
    struct edge_instance *i = choose(c, target);
    struct err err = ERR_INIT;
    if (!i)
        return false;
    bool fresh = x->stale; /* a kept connection failed: the next one is new */
    attach(c, i);
    if (sm_state(&c->sm) != EDGE_CONN_CONNECTING)
        sm_move(&c->sm, EDGE_CONN_CONNECTING);
    x->answer_ms = target->answer_ms;
    x->began = false;
    if (upstream_take(&i->places[index_of(c)].pool, fresh, !is_idempotent(x->head.method), on_up, c, &x->up, &err) !=
        STATUS_OK) {
        forward_end(x, false);
        reply_status(c, 503, "The server has no connection to spare.", "Try again in a moment.");
        return true;
    }
    if (upstream_connected(x->up))
        start(c);
    return true;
}

void forward_begin(struct edge_conn *c, const struct edge_target *target)
{
    struct edge_exchange *x = c->x;
    x->continue_wanted = x->head.expect_continue;
    if (!build_head(c)) {
        c->close_after = true;
        reply_status(c, 431, "The header fields are too large to be passed on.", "Send fewer or shorter cookies.");
        return;
    }
    if (!offer(c, target))
        fail(c, 502, "No instance of the app can be reached.");
}

/* ---- when an app fails ---- */

/* Nothing of an answer was passed on yet: another instance, a moment's patience, or the truth. */
static void fail(struct edge_conn *c, int status, const char *text)
{
    struct edge_exchange *x = c->x;
    bool may_repeat = !x->answer_bytes && !c->half_closed && status != 504 &&
                      (!x->began || (x->whole && is_idempotent(x->head.method)));
    if (x->instance && !x->stale && x->tries < LIMIT_EDGE_TRIES)
        x->tried[x->tries] = x->instance->id;
    if (x->instance)
        x->tries++;
    forward_end(x, false);
    const struct edge_target *target = edge_table_target(c->worker->table, x->app);
    if (may_repeat && target && x->tries < LIMIT_EDGE_TRIES) {
        count_add(&x->app->counts[index_of(c)][EDGE_RETRIES], 1);
        if (!hold_wanted(c, target) && offer(c, target))
            return;
    }
    /* Its process may have died just now and be back in a moment. A request that itself kills apps gets no third. */
    if (may_repeat && target && target->managed && x->whole && !(x->began && c->repeated)) {
        c->repeated = c->repeated || x->began;
        if (sm_state(&c->sm) != EDGE_CONN_HEAD)
            sm_move(&c->sm, EDGE_CONN_HEAD);
        hold_begin(c, target);
        return;
    }
    reply_status(c, status, text,
                 status == 504 ? "It may be overloaded. Try again in a moment."
                               : "It may be starting or have stopped. Try again in a moment.");
}

/* After the head of the answer left: the client must see that it is not whole. */
static void cut(struct edge_conn *c)
{
    count_add(&c->x->app->counts[index_of(c)][EDGE_CUT], 1);
    edge_conn_reset(c);
}

/* ---- client -> app ---- */

static bool bad_body(struct edge_conn *c, int status, const char *text)
{
    if (c->x->answering || c->x->sent_bytes) {
        cut(c);
        return false;
    }
    c->close_after = true;
    forward_end(c->x, false);
    reply_status(c, status, text, "The request was not completed.");
    return true;
}

static bool send_request(struct edge_conn *c)
{
    struct edge_exchange *x = c->x;
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

static bool take_request(struct edge_conn *c)
{
    struct edge_exchange *x = c->x;
    size_t used = 0;
    struct err err = ERR_INIT;
    enum status st = flow_take(&x->request, x->in.p + x->in_used, x->in.n - x->in_used, &used, &err);
    if (st != STATUS_OK)
        return bad_body(c, st == STATUS_HEADERS_TOO_LARGE ? 431 : 400, err.text);
    x->in_used += used;
    x->whole = x->whole && x->request.from != H1_BODY_CHUNKED;
    int64_t most = c->worker->config.limits.body_bytes;
    if (most && x->request.bytes > most && sm_state(&c->sm) == EDGE_CONN_FORWARDING)
        return bad_body(c, 413, "The request is too large.");
    return true;
}

static bool read_request(struct edge_conn *c)
{
    struct edge_exchange *x = c->x;
    size_t n = 0;
    if (x->continue_wanted && !x->answering && !flow_waiting(&x->answer)) {
        x->continue_wanted = false;
        flow_put(&x->answer, STR("HTTP/1.1 100 Continue\r\n\r\n"));
        return true;
    }
    if (!c->may_read)
        return false;
    /* Small bodies stay, so that they can be sent again; of larger ones only the present piece is here. */
    if (!x->whole || x->in.cap - x->in.n < LIMIT_EDGE_READ / 8) {
        x->in.n = x->in_used = x->head.bytes;
        x->whole = false;
        grow_in(x, LIMIT_EDGE_READ / 8);
    }
    enum status st = edge_conn_read(c, x->in.p + x->in.n, x->in.cap - x->in.n, &n);
    if (st == STATUS_OK) {
        x->continue_wanted = false;
        x->in.n += n;
        return true;
    }
    if (st == STATUS_AGAIN)
        return false;
    if (sm_state(&c->sm) == EDGE_CONN_TUNNEL) {
        flow_source_end(&x->request);
        x->request_cut = stream_shutdown(&x->up->stream, NULL) != STATUS_OK;
        return true;
    }
    edge_conn_lost(c);
    return false;
}

static bool wants_request(const struct edge_exchange *x)
{
    return !x->request.ended && !x->request_cut && !flow_waiting(&x->request);
}

static bool request_step(struct edge_conn *c)
{
    struct edge_exchange *x = c->x;
    if (flow_waiting(&x->request))
        return !x->up_blocked && send_request(c);
    if (!wants_request(x))
        return false;
    return x->in_used < x->in.n ? take_request(c) : read_request(c);
}

/* ---- app -> client ---- */

static bool send_answer(struct edge_conn *c)
{
    struct edge_exchange *x = c->x;
    bool was_blocked = c->write_blocked;
    uint64_t before = x->sent_bytes;
    enum status st = flow_write(&x->answer, &c->stream, &x->sent_bytes, NULL);
    c->write_blocked = st == STATUS_AGAIN;
    if (st == STATUS_AGAIN) {
        if (!was_blocked || x->sent_bytes != before) {
            c->unsent = -1;
            edge_conn_deadline(c, c->worker->config.limits.write_ms);
        }
        return false;
    }
    if (st != STATUS_OK) {
        edge_conn_lost(c);
        return false;
    }
    return true;
}

static void begin_tunnel(struct edge_conn *c)
{
    struct edge_exchange *x = c->x;
    sm_move(&c->sm, EDGE_CONN_TUNNEL);
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
static bool begin_answer(struct edge_conn *c)
{
    struct edge_exchange *x = c->x;
    struct h1_head *h = &x->answer_h;
    enum h1_body body = h1_answer_body(h, str_is(x->head.method, "HEAD"));
    bool upgrade = h->status == 101, interim = h->status < 200 && !upgrade, old = x->head.minor == 0;
    if (upgrade && (!rewrite_upgrade(&x->head).p || !http_headers_has(&h->headers, STR("upgrade")))) {
        fail(c, 502, "The app changed the protocol unasked.");
        return true;
    }
    bool chunk_out = !old && (body == H1_BODY_CHUNKED || body == H1_BODY_CLOSE);
    if (!interim && !upgrade)
        c->close_after = c->close_after || c->stopped || !x->request.ended || x->request_cut ||
                         (old && (body == H1_BODY_CHUNKED || body == H1_BODY_CLOSE));
    struct rewrite_answer r = {.head = h,
                               .body = chunk_out                        ? H1_BODY_CHUNKED
                                       : old && body == H1_BODY_CHUNKED ? H1_BODY_CLOSE
                                                                        : body,
                               .close = c->close_after && !interim && !upgrade,
                               .keep_alive = old && !c->close_after,
                               .upgrade = upgrade};
    buf_clear(&x->answer_head);
    rewrite_answer(&x->answer_head, &r);
    if (x->answer_head.over) {
        fail(c, 502, "The header fields of the app's answer are too large.");
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
        begin_tunnel(c);
        return true;
    }
    x->event_stream = is_event_stream(&h->headers);
    flow_init(&x->answer, body, h->content_length, chunk_out);
    flow_put(&x->answer, buf_str(&x->answer_head));
    return true;
}

static bool take_answer(struct edge_conn *c)
{
    struct edge_exchange *x = c->x;
    struct err err = ERR_INIT;
    if (!x->answering) {
        enum status st = h1_parse_answer(&x->answer_parser, str_from(buf_str(&x->up_in), x->up_used), x->answer_fields,
                                         &x->answer_h, &err);
        if (st == STATUS_OK)
            return begin_answer(c);
        if (st == STATUS_AGAIN)
            return false;
        log_line(LOG_WARN, "edge", "%s: %s", x->instance->name, err.text);
        fail(c, 502, "The app's answer is not valid HTTP.");
        return true;
    }
    size_t used = 0;
    enum status st = flow_take(&x->answer, x->up_in.p + x->up_used, x->up_in.n - x->up_used, &used, &err);
    if (st != STATUS_OK) {
        log_line(LOG_WARN, "edge", "%s: %s", x->instance->name, err.text);
        cut(c);
        return false;
    }
    x->up_used += used;
    return true;
}

static bool answer_ended_early(struct edge_conn *c)
{
    struct edge_exchange *x = c->x;
    if (!x->answering) {
        fail(c, 502, x->answer_bytes ? "The app ended its answer too early." : "The app ended the connection.");
        return true;
    }
    if (x->answer.from == H1_BODY_CLOSE) {
        flow_source_end(&x->answer);
        return true;
    }
    cut(c);
    return false;
}

static bool read_answer(struct edge_conn *c)
{
    struct edge_exchange *x = c->x;
    size_t n = 0;
    if (x->up_ended)
        return answer_ended_early(c);
    if (!x->up_may_read)
        return false;
    if (x->up_used == x->up_in.n) {
        size_t room = x->answering && x->up_in.n == x->up_in.cap ? LIMIT_EDGE_BLOCK : LIMIT_EDGE_READ;
        x->up_in.n = x->up_used = 0;
        if (x->up_in.cap < room)
            (void)!buf_reserve(&x->up_in, room);
    } else if (x->up_in.n == x->up_in.cap && !buf_reserve(&x->up_in, LIMIT_EDGE_READ)) {
        fail(c, 502, "The header fields of the app's answer are too large.");
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

static bool finish(struct edge_conn *c)
{
    struct edge_exchange *x = c->x;
    bool sent = x->request.ended && !flow_waiting(&x->request) && !x->request_cut;
    x->keep_up = x->answer.from != H1_BODY_CLOSE && x->answer_h.keep_alive && x->up_used == x->up_in.n && sent &&
                 !x->up_ended && !x->up_hung;
    c->close_after = c->close_after || !sent;
    edge_conn_finish(c);
    return true;
}

static bool answer_step(struct edge_conn *c)
{
    struct edge_exchange *x = c->x;
    bool here = x->up_used < x->up_in.n;
    /* A head that waits takes the first piece of its body along: one write for a small answer. */
    if (flow_waiting(&x->answer) && !(x->answering && here && x->answer.out_n == 1 && !x->answer.ended &&
                                      x->answer.bytes == 0 && !c->write_blocked && !x->sent_bytes))
        return !c->write_blocked && send_answer(c);
    if (x->answering && x->answer.ended) {
        if (sm_state(&c->sm) != EDGE_CONN_TUNNEL)
            return finish(c);
        edge_conn_lost(c);
        return false;
    }
    if (here && take_answer(c))
        return true;
    /* still the same exchange? take_answer that returned false may have closed it */
    return sm_state(&c->sm) != EDGE_CONN_CLOSED && read_answer(c);
}

/* ---- both ---- */

static void set_deadlines(struct edge_conn *c)
{
    struct edge_exchange *x = c->x;
    const struct edge_limits *l = &c->worker->config.limits;
    bool tunnel = sm_state(&c->sm) == EDGE_CONN_TUNNEL, sent = !flow_waiting(&x->request) && !wants_request(x);
    unsigned events = flow_waiting(&x->answer) ? 0 : LOOP_READ;
    if (!c->write_blocked)
        edge_conn_deadline(c, tunnel ? l->tunnel_ms : wants_request(x) ? l->body_ms : 0);
    if (!x->answering && sent && !x->waits) {
        x->waits = true;
        upstream_deadline(x->up, x->answer_ms);
    } else if (x->up_blocked && !x->answering) {
        upstream_deadline(x->up, l->pause_ms);
    } else if (x->answering) {
        upstream_deadline(x->up, c->write_blocked || x->event_stream || tunnel ? 0 : l->pause_ms);
    } else if (!sent) {
        upstream_deadline(x->up, 0);
    }
    upstream_watch(x->up, events | (x->up_blocked ? LOOP_WRITE : 0));
}

bool forward_step(struct edge_conn *c)
{
    struct edge_exchange *x = c->x;
    /* TCP shows no difference between a client that ended its sending half and one that is gone. An answer that is on
     * its way is finished; but a stream of events has no end, and nothing may be written for hours. */
    if (c->half_closed && (!x->answering || x->event_stream) && !wants_request(x) && !flow_waiting(&x->request)) {
        edge_conn_lost(c);
        return false;
    }
    while (request_step(c))
        if (sm_state(&c->sm) != EDGE_CONN_FORWARDING || c->x != x)
            return sm_state(&c->sm) != EDGE_CONN_CLOSED;
    if (sm_state(&c->sm) != EDGE_CONN_FORWARDING)
        return false;
    if (answer_step(c))
        return true;
    if (sm_state(&c->sm) == EDGE_CONN_FORWARDING && c->x == x)
        set_deadlines(c);
    return false;
}

bool tunnel_step(struct edge_conn *c)
{
    while (request_step(c))
        ;
    if (sm_state(&c->sm) != EDGE_CONN_TUNNEL)
        return false;
    if (answer_step(c))
        return true;
    if (sm_state(&c->sm) == EDGE_CONN_TUNNEL)
        set_deadlines(c);
    return false;
}

unsigned forward_client_wants(const struct edge_conn *c)
{
    const struct edge_exchange *x = c->x;
    if (wants_request(x) && x->in_used == x->in.n)
        return stream_read_wants(&c->stream);
    return c->quiet || c->half_closed ? 0 : LOOP_READ;
}

void forward_client_expired(struct edge_conn *c)
{
    if (sm_state(&c->sm) == EDGE_CONN_TUNNEL) {
        edge_conn_lost(c);
        return;
    }
    if (bad_body(c, 408, "The request did not come in time."))
        edge_conn_tick(c);
}

static void app_expired(struct edge_conn *c)
{
    if (c->x->answering)
        cut(c);
    else
        fail(c, 504, "The app did not answer in time.");
}

static void on_up(void *owner, unsigned events)
{
    struct edge_conn *c = owner;
    struct edge_exchange *x = c->x;
    if (events & UPSTREAM_CONNECTED) {
        start(c);
    } else if (sm_state(&c->sm) == EDGE_CONN_CONNECTING) {
        x->stale = false;
        fail(c, 502, "No instance of the app can be reached.");
    } else if (events & UPSTREAM_EXPIRED) {
        app_expired(c);
    } else {
        x->up_may_read = x->up_may_read || (events & (LOOP_READ | LOOP_READ_CLOSED | LOOP_HANGUP));
        if (events & (LOOP_WRITE | LOOP_HANGUP))
            x->up_blocked = false;
        if (events & LOOP_HANGUP) { /* would be told each round; what is left is read as the client takes it */
            x->up_hung = true;
            loop_remove_fd(c->worker->loop, x->up->watch);
            x->up->watch = NULL;
        }
    }
    if (sm_state(&c->sm) != EDGE_CONN_CLOSED)
        edge_conn_tick(c);
}
