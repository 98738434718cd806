/* SPDX-License-Identifier: Apache-2.0 */
/* app — a backend that knows what it did.
 *
 *   HEAD --request--> BODY --all in, right--> ledger --> ANSWER --sent--> HEAD | CLOSED
 *                       `--wrong--> ANSWER (422, not in the ledger)
 *   HEAD --upgrade--> WEBSOCKET: each message: ledger, echo
 *
 *   GET|POST|PUT .../echo?run=R&id=I[&size=N][&ms=T]   N bytes of the id's pattern, spread over T ms; a body must be
 * the id's pattern too GET .../ws?run=R                                   WebSocket; a message begins with its id, 8
 * bytes little endian GET .../ledger?run=R                               what was executed GET .../up 200: for health
 * checks
 *
 * The ledger is written when the request is whole and before the first byte of the answer: what was answered is in it,
 * what was cut before is not. One loop thread, plain HTTP/1.1; whatever stands in front does the rest.
 *
 * Invariants: (1) one request at a time per connection; (2) an answer is never begun before its ledger entry.
 * Tests: tests/prove. */
#include "prove/app.h"

#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/sm.h"
#include "http/h1_chunked.h"
#include "http/h1_parse.h"
#include "http/message.h"
#include "net/stream.h"
#include "prove/frame.h"
#include "prove/ledger.h"
#include "prove/pattern.h"

#define PIECE   65536
#define STEP_US 20000 /* between two pieces of a slow answer */

enum app_state { APP_HEAD, APP_BODY, APP_ANSWER, APP_WEBSOCKET, APP_CLOSED, APP_STATES };
static const struct sm_state app_states[APP_STATES] = {
    [APP_HEAD] = {"head", SM_TO(APP_BODY) | SM_TO(APP_WEBSOCKET) | SM_TO(APP_CLOSED), SM_INITIAL},
    [APP_BODY] = {"body", SM_TO(APP_ANSWER) | SM_TO(APP_CLOSED), 0},
    [APP_ANSWER] = {"answer", SM_TO(APP_HEAD) | SM_TO(APP_CLOSED), 0},
    [APP_WEBSOCKET] = {"websocket", SM_TO(APP_CLOSED), 0},
    [APP_CLOSED] = {"closed", 0, SM_FINAL},
};

struct app_conn {
    struct app *app;
    struct app_conn *prev, *next;
    struct sm sm;
    struct stream stream;
    struct loop_fd *watch;
    struct loop_timer timer; /* delay, the next piece of a slow answer, idleness */
    struct h1_parser parser;
    struct h1_chunked chunked;
    struct buf in, out;
    size_t out_at;
    /* of the request */
    uint64_t run, id, size, slow_us;
    uint64_t body_left, body_seen;
    bool is_chunked, right, close, ended, ledger_wanted;
    /* of the answer */
    int status;
    uint64_t sent;
    int64_t began_us;
    struct buf ledger;
};

struct app {
    struct app_config config;
    struct ledger ledger;
    struct app_conn *conns;
    bool stopping, told;
    struct loop_timer grace;
};

static const struct h1_limits head_limits = {8192, 32768, 100};

/* ---- connections ---- */

static void check_stopped(struct app *app)
{
    if (!app->stopping || app->conns || app->told)
        return;
    app->told = true;
    loop_timer_cancel(app->config.loop, &app->grace);
    app->config.stopped(app->config.arg);
}

static void conn_close(struct app_conn *c)
{
    struct app *app = c->app;
    struct loop *loop = app->config.loop;
    if (sm_state(&c->sm) == APP_CLOSED)
        return;
    sm_move(&c->sm, APP_CLOSED);
    loop_timer_cancel(loop, &c->timer);
    loop_remove_fd(loop, c->watch);
    c->watch = NULL;
    stream_release(&c->stream);
    buf_release(&c->in);
    buf_release(&c->out);
    buf_release(&c->ledger);
    if (c->prev)
        c->prev->next = c->next;
    else
        app->conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
    loop_defer(loop, free, c);
    check_stopped(app);
}

/* False: the connection is closed. */
static bool flush(struct app_conn *c)
{
    while (c->out_at < c->out.n) {
        struct iovec v = {c->out.p + c->out_at, c->out.n - c->out_at};
        size_t n = 0;
        enum status st = stream_writev(&c->stream, &v, 1, 0, &n, NULL);
        if (st == STATUS_AGAIN)
            return true;
        if (st != STATUS_OK) {
            conn_close(c);
            return false;
        }
        c->out_at += n;
    }
    buf_clear(&c->out);
    c->out_at = 0;
    return true;
}

/* ---- requests ---- */

static void read_query(struct app_conn *c, str query)
{
    uint64_t ms = 0;
    while (query.n) {
        str pair, name, value;
        uint64_t n;
        str_cut(query, '&', &pair, &query);
        str_cut(pair, '=', &name, &value);
        if (!str_to_u64(value, &n))
            continue;
        if (str_is(name, "run"))
            c->run = n;
        else if (str_is(name, "id"))
            c->id = n;
        else if (str_is(name, "size"))
            c->size = n;
        else if (str_is(name, "ms"))
            ms = MIN(n, UINT64_C(86400000));
    }
    c->slow_us = ms * 1000;
}

static void begin_websocket(struct app_conn *c, const struct h1_head *h)
{
    struct arena *a = arena_new(0);
    str accept = frame_accept(a, http_headers_get(&h->headers, STR("sec-websocket-key")));
    buf_printf(&c->out,
               "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
               "sec-websocket-accept: %.*s\r\n\r\n",
               STR_ARG(accept));
    arena_free(a);
    sm_move(&c->sm, APP_WEBSOCKET);
}

static void begin_request(struct app_conn *c, const struct h1_head *h)
{
    str path, query;
    str_cut(h->target, '?', &path, &query);
    size_t slash = str_rfind_char(path, '/');
    str name = slash == STR_NPOS ? path : str_from(path, slash + 1);
    c->run = c->id = c->size = c->slow_us = c->body_seen = c->sent = 0;
    c->ledger_wanted = str_is(name, "ledger");
    c->right = true;
    c->status = 200;
    c->close = !h->keep_alive;
    c->is_chunked = h->chunked;
    c->body_left = h->content_length > 0 ? (uint64_t)h->content_length : 0;
    read_query(c, query);
    if (str_is(name, "ws") && http_headers_has(&h->headers, STR("sec-websocket-key"))) {
        begin_websocket(c, h);
        return;
    }
    if (!str_is(name, "echo") && !str_is(name, "up") && !c->ledger_wanted)
        c->status = 404;
    if (str_is(name, "up"))
        c->size = 2;
    if (c->is_chunked)
        h1_chunked_init(&c->chunked);
    if (h->expect_continue)
        buf_puts(&c->out, STR("HTTP/1.1 100 Continue\r\n\r\n"));
    sm_move(&c->sm, APP_BODY);
}

static bool head_step(struct app_conn *c)
{
    struct http_header fields[LIMIT_HTTP_HEADERS];
    struct h1_head h;
    if (!c->in.n || (c->app->stopping && !h1_parser_started(&c->parser)))
        return false;
    enum status st = h1_parse_request(&c->parser, buf_str(&c->in), fields, &h, NULL);
    if (st == STATUS_AGAIN)
        return false;
    if (st != STATUS_OK) {
        buf_puts(&c->out, STR("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"));
        if (flush(c))
            conn_close(c);
        return false;
    }
    loop_timer_cancel(c->app->config.loop, &c->timer);
    begin_request(c, &h);
    buf_consume(&c->in, h.bytes);
    h1_parser_init(&c->parser, &head_limits);
    return true;
}

static void body_piece(struct app_conn *c, str piece)
{
    c->right = c->right && pattern_is(c->id, c->body_seen, piece);
    c->body_seen += piece.n;
}

static void begin_answer(struct app_conn *c);

static bool body_step(struct app_conn *c)
{
    enum status st = STATUS_AGAIN;
    if (!c->is_chunked) {
        size_t n = (size_t)MIN(c->body_left, (uint64_t)c->in.n);
        body_piece(c, str_sub(buf_str(&c->in), 0, n));
        buf_consume(&c->in, n);
        c->body_left -= n;
        st = c->body_left ? STATUS_AGAIN : STATUS_OK;
    }
    while (c->is_chunked && st == STATUS_AGAIN && c->in.n) {
        size_t used;
        str piece;
        st = h1_chunked_decode(&c->chunked, buf_str(&c->in), &used, &piece, NULL);
        body_piece(c, piece);
        buf_consume(&c->in, used);
    }
    if (st == STATUS_AGAIN)
        return false;
    if (st != STATUS_OK) {
        conn_close(c);
        return false;
    }
    begin_answer(c);
    return true;
}

static void begin_answer(struct app_conn *c)
{
    struct app *app = c->app;
    struct loop *loop = app->config.loop;
    if (!c->right)
        c->status = 422;
    if (c->status == 200 && c->run && !c->ledger_wanted && ledger_add(&app->ledger, c->run, c->id, NULL) != STATUS_OK)
        c->status = 507;
    if (c->status == 200 && c->ledger_wanted) {
        buf_clear(&c->ledger);
        if (ledger_read(&app->ledger, c->run, &c->ledger, NULL) != STATUS_OK)
            c->status = 507;
        c->size = c->ledger.n;
    }
    if (c->status != 200)
        c->size = 0;
    c->close = c->close || app->stopping;
    buf_printf(&c->out,
               "HTTP/1.1 %d %s\r\ncontent-type: application/octet-stream\r\ncache-control: no-store\r\n"
               "prove-id: %llu\r\ncontent-length: %llu\r\n%s\r\n",
               c->status, http_reason(c->status), (unsigned long long)c->id, (unsigned long long)c->size,
               c->close ? "connection: close\r\n" : "");
    sm_move(&c->sm, APP_ANSWER);
    c->began_us = loop_now_us(loop);
    if (app->config.delay_ms)
        loop_timer_after_ms(loop, &c->timer, app->config.delay_ms);
}

/* The next piece of the body into `out`. */
static void fill(struct app_conn *c)
{
    struct loop *loop = c->app->config.loop;
    int64_t gone_us = loop_now_us(loop) - c->began_us;
    uint64_t allowed = c->size;
    if (c->slow_us && (uint64_t)gone_us < c->slow_us)
        allowed = (uint64_t)((double)c->size * (double)gone_us / (double)c->slow_us);
    size_t n = (size_t)MIN(allowed - MIN(allowed, c->sent), (uint64_t)PIECE);
    if (!n) {
        loop_timer_at(loop, &c->timer, loop_now_us(loop) + STEP_US);
        return;
    }
    if (c->ledger_wanted) {
        buf_put(&c->out, c->ledger.p + c->sent, n);
    } else {
        char *to = buf_reserve(&c->out, n);
        ASSERT(to);
        pattern_fill(c->id, c->sent, to, n);
        c->out.n += n;
    }
    c->sent += n;
}

static bool answer_step(struct app_conn *c)
{
    struct loop *loop = c->app->config.loop;
    if (loop_timer_armed(&c->timer)) /* the delay, or the next piece */
        return false;
    if (!flush(c) || c->out.n)
        return false;
    if (c->sent < c->size) {
        fill(c);
        return c->out.n > 0;
    }
    if (c->close || c->ended) {
        conn_close(c);
        return false;
    }
    buf_release(&c->ledger);
    sm_move(&c->sm, APP_HEAD);
    if (c->app->stopping && !c->in.n) {
        conn_close(c);
        return false;
    }
    if (c->app->config.idle_ms)
        loop_timer_after_ms(loop, &c->timer, c->app->config.idle_ms);
    return true;
}

static bool websocket_step(struct app_conn *c)
{
    struct frame f;
    size_t used;
    struct err err = ERR_INIT;
    enum status st = frame_read(c->in.p, c->in.n, true, &f, &used, &err);
    if (st == STATUS_AGAIN) {
        (void)flush(c);
        return false;
    }
    uint64_t id = 0;
    bool good = st == STATUS_OK && f.opcode == FRAME_BINARY && f.payload.n >= sizeof id;
    if (good) {
        memcpy(&id, f.payload.p, sizeof id);
        good = ledger_add(&c->app->ledger, c->run, id, NULL) == STATUS_OK;
    }
    if (!good) {
        frame_put(&c->out, FRAME_CLOSE, false, 0, STR("\x03\xea")); /* 1002: protocol error */
        if (flush(c))
            conn_close(c);
        return false;
    }
    frame_put(&c->out, FRAME_BINARY, false, 0, f.payload);
    buf_consume(&c->in, used);
    return flush(c);
}

static void tick(struct app_conn *c)
{
    for (bool more = true; more && sm_state(&c->sm) != APP_CLOSED;) {
        switch (sm_state(&c->sm)) {
        case APP_HEAD:
            more = head_step(c);
            break;
        case APP_BODY:
            more = body_step(c);
            break;
        case APP_ANSWER:
            more = answer_step(c);
            break;
        default:
            more = websocket_step(c);
            break;
        }
    }
    if (sm_state(&c->sm) == APP_CLOSED)
        return;
    if (!flush(c)) /* 100 Continue, the answer to an upgrade */
        return;
    bool reading = sm_state(&c->sm) != APP_ANSWER && !c->ended;
    loop_set_events(c->app->config.loop, c->watch,
                    (reading ? LOOP_READ : 0) | (c->out.n && !loop_timer_armed(&c->timer) ? LOOP_WRITE : 0));
}

static void on_timer(void *arg)
{
    struct app_conn *c = arg;
    if (sm_state(&c->sm) == APP_HEAD)
        conn_close(c); /* idle */
    else
        tick(c);
}

static void on_event(void *arg, unsigned events)
{
    struct app_conn *c = arg;
    if (events & LOOP_HANGUP) {
        conn_close(c);
        return;
    }
    if (events & LOOP_READ) {
        char *to = buf_reserve(&c->in, PIECE);
        size_t n = 0;
        if (!to) {
            conn_close(c);
            return;
        }
        enum status st = stream_read(&c->stream, to, PIECE, &n, NULL);
        c->in.n += n;
        if (st != STATUS_OK && st != STATUS_AGAIN) {
            c->ended = true;
            if (sm_state(&c->sm) != APP_ANSWER) {
                conn_close(c);
                return;
            }
        }
    }
    tick(c);
}

static void on_accept(void *arg, int fd, const struct addr *peer)
{
    struct app *app = arg;
    struct app_conn *c = MEM_NEW(struct app_conn);
    (void)peer;
    c->app = app;
    sm_init(&c->sm, "prove app", app_states, APP_STATES, APP_HEAD);
    stream_init_plain(&c->stream, fd);
    loop_timer_init(&c->timer, on_timer, c);
    h1_parser_init(&c->parser, &head_limits);
    buf_init(&c->in, (size_t)LIMIT_PROVE_FRAME + 2 * PIECE);
    buf_init(&c->out, (size_t)LIMIT_PROVE_FRAME + 2 * PIECE);
    buf_init(&c->ledger, LIMIT_PROVE_LEDGER);
    c->next = app->conns;
    if (c->next)
        c->next->prev = c;
    app->conns = c;
    if (loop_add_fd(app->config.loop, fd, LOOP_READ, on_event, c, &c->watch, NULL) != STATUS_OK)
        conn_close(c);
}

/* ---- life ---- */

static void grace_over(void *arg)
{
    struct app *app = arg;
    while (app->conns)
        conn_close(app->conns);
}

enum status app_new(const struct app_config *config, struct app **ret, struct err *err)
{
    struct app *app = MEM_NEW(struct app);
    app->config = *config;
    app->ledger.fd = -1;
    loop_timer_init(&app->grace, grace_over, app);
    enum status st = ledger_open(config->ledger, &app->ledger, err);
    if (st == STATUS_OK)
        st = listener_start(config->listener, config->loop, on_accept, app, err);
    if (st != STATUS_OK) {
        listener_free(config->listener);
        ledger_release(&app->ledger);
        free(app);
        return st;
    }
    *ret = app;
    return STATUS_OK;
}

void app_stop(struct app *app, uint32_t grace_ms)
{
    struct app_conn *next;
    app->stopping = true;
    listener_free(app->config.listener);
    app->config.listener = NULL;
    loop_timer_after_ms(app->config.loop, &app->grace, grace_ms);
    for (struct app_conn *c = app->conns; c; c = next) {
        next = c->next;
        if (sm_state(&c->sm) == APP_WEBSOCKET) {
            frame_put(&c->out, FRAME_CLOSE, false, 0, STR("\x03\xe9")); /* 1001: going away */
            if (flush(c))
                conn_close(c);
        } else if (sm_state(&c->sm) == APP_HEAD && !h1_parser_started(&c->parser) && !c->in.n) {
            conn_close(c);
        }
    }
    check_stopped(app);
}

void app_free(struct app *app)
{
    if (!app)
        return;
    ASSERT(!app->conns);
    loop_timer_cancel(app->config.loop, &app->grace);
    ledger_release(&app->ledger);
    free(app);
}
