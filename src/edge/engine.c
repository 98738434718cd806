/* SPDX-License-Identifier: Apache-2.0 */
/* engine — follows the labels of containers over a container engine's API (Docker, or Podman's likeness of it).
 *
 *   events: one GET that never ends. Its head is here --> list --> apps (labels.h)
 *   an event about a container --> list again, a moment later
 *   its end, or silence of the engine --> all goes on as it is; asked again, with growing pauses
 *
 * The stream is opened before the list is asked for, so no change falls between the two. The list is the truth; an
 * event says only that it changed, but for one: "kill" comes before the process is told to end, and from then on its
 * container gets no new request. (Those who wait for "die" still send requests to what is on its way out.)
 *
 * An engine that is not there is no reason not to start: apps that are known go on. */
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "edge/flow.h"
#include "edge/labels.h"
#include "edge/wish.h"
#include "http/message.h"

#define SETTLE_MS      50
#define ANSWER_MS      10000
#define RETRY_FIRST_MS 200
#define RETRY_MAX_MS   10000
#define LEAVING_MAX    64

struct engine;
struct engine_call { /* one GET: its body is handed on as it comes, or kept */
    struct engine *engine;
    const char *target;
    struct upstream_conn *conn; /* NULL: none is under way */
    struct buf in;
    struct buf body;
    size_t used;
    struct h1_parser parser;
    struct http_header fields[LIMIT_HTTP_HEADERS];
    struct h1_head head;
    struct edge_flow flow;
    bool answering;
    void (*began)(struct engine *g);
    void (*data)(struct engine *g);
    void (*ended)(struct engine *g);
};
struct engine {
    struct wish_source source;
    struct upstream_pool pool;
    struct engine_call events, list;
    struct loop_timer again, settle;
    int64_t wait_ms;
    bool stale;                    /* something changed while the list was under way */
    char leaving[LEAVING_MAX][72]; /* ids of containers that were told to end; a ring */
    unsigned leaving_at;
};

/* ---- one call ---- */

static void call_drop(struct engine_call *k)
{
    upstream_drop(k->conn);
    k->conn = NULL;
}

/* Whatever the reason: both calls end, and all is asked again a while later. */
static void lost(struct engine *g, const char *text)
{
    call_drop(&g->events);
    call_drop(&g->list);
    loop_timer_cancel(g->source.edge->loop, &g->settle);
    wish_source_problem(&g->source, text);
    g->wait_ms = MIN(RETRY_MAX_MS, g->wait_ms ? g->wait_ms * 2 : RETRY_FIRST_MS);
    loop_timer_after_ms(g->source.edge->loop, &g->again, g->wait_ms);
}

static void call_send(struct engine_call *k)
{
    struct buf out;
    size_t n = 0;
    buf_init(&out, 1024);
    buf_printf(&out,
               "GET %s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: vitrine-edge\r\nAccept: application/json\r\n\r\n",
               k->target);
    struct iovec iov = {out.p, out.n};
    enum status st = stream_writev(&k->conn->stream, &iov, 1, 0, &n, NULL);
    bool all = st == STATUS_OK && n == out.n;
    buf_release(&out);
    if (!all) {
        lost(k->engine, "the container engine takes no request");
        return;
    }
    h1_parser_init_answer(&k->parser, &(struct h1_limits){4096, LIMIT_EDGE_BLOCK - 1, LIMIT_HTTP_HEADERS});
    upstream_watch(k->conn, LOOP_READ);
    upstream_deadline(k->conn, ANSWER_MS);
}

/* True: there may be more to take. */
static bool call_take(struct engine_call *k)
{
    char text[128];
    struct err err = ERR_INIT;
    if (!k->answering) {
        enum status st = h1_parse_answer(&k->parser, buf_str(&k->in), k->fields, &k->head, &err);
        if (st == STATUS_AGAIN)
            return false;
        if (st != STATUS_OK || k->head.status != 200) {
            (void)snprintf(text, sizeof(text), "the container engine answered %s",
                           st != STATUS_OK ? "no HTTP" : http_reason(k->head.status));
            lost(k->engine, text);
            return false;
        }
        k->answering = true;
        k->used = k->head.bytes;
        flow_init(&k->flow, h1_answer_body(&k->head, false), k->head.content_length, false);
        if (k->began)
            k->began(k->engine);
        return k->conn != NULL;
    }
    size_t used = 0;
    if (k->flow.ended || k->used == k->in.n)
        return false;
    if (flow_take(&k->flow, k->in.p + k->used, k->in.n - k->used, &used, &err) != STATUS_OK) {
        lost(k->engine, "the container engine's answer is not valid HTTP");
        return false;
    }
    k->used += used;
    for (int i = 0; i < k->flow.out_n; i++)
        buf_put(&k->body, k->flow.out[i].iov_base, k->flow.out[i].iov_len);
    k->flow.out_n = 0;
    if (k->body.over) {
        lost(k->engine, "the container engine's answer is too large");
        return false;
    }
    if (k->data)
        k->data(k->engine);
    return k->conn != NULL;
}

static void call_read(struct engine_call *k)
{
    while (k->conn) {
        size_t n = 0;
        if (k->answering && k->used == k->in.n)
            k->in.n = k->used = 0;
        char *to = buf_reserve(&k->in, LIMIT_EDGE_READ);
        if (!to) {
            lost(k->engine, "the container engine's answer is not valid HTTP");
            return;
        }
        enum status st = stream_read(&k->conn->stream, to, LIMIT_EDGE_READ, &n, NULL);
        if (st == STATUS_AGAIN)
            return;
        if (st != STATUS_OK && k->answering && k->flow.from == H1_BODY_CLOSE)
            k->flow.ended = true;
        else if (st != STATUS_OK) {
            lost(k->engine, "the container engine ended the connection");
            return;
        }
        k->in.n += n;
        while (call_take(k))
            ;
        if (k->conn && k->answering && k->flow.ended) {
            call_drop(k);
            k->ended(k->engine);
            return;
        }
    }
}

static void on_conn(void *owner, unsigned events)
{
    struct engine_call *k = owner;
    char text[128];
    if (events & UPSTREAM_CONNECTED) {
        call_send(k);
    } else if (events & UPSTREAM_FAILED) {
        (void)snprintf(text, sizeof(text), "the container engine cannot be reached: %s",
                       strerrordesc_np(k->conn->error));
        lost(k->engine, text);
    } else if (events & UPSTREAM_EXPIRED) {
        lost(k->engine, "the container engine does not answer");
    } else {
        call_read(k);
    }
}

static void call_begin(struct engine_call *k)
{
    struct err err = ERR_INIT;
    buf_clear(&k->in);
    buf_clear(&k->body);
    k->used = 0;
    k->answering = false;
    if (upstream_take(&k->engine->pool, true, false, on_conn, k, &k->conn, &err) != STATUS_OK) {
        k->conn = NULL;
        lost(k->engine, err.text);
    }
}

/* ---- the list ---- */

static bool is_leaving(void *arg, str id)
{
    const struct engine *g = arg;
    for (unsigned i = 0; i < LEAVING_MAX; i++)
        if (id.n && str_is(id, g->leaving[i]))
            return true;
    return false;
}

static void take_app(void *arg, str router, struct value fields)
{
    struct engine *g = arg;
    struct arena *a = arena_new(0);
    struct edge_spec spec;
    struct err err = ERR_INIT;
    str name = value_get_text(fields, STR("name"));
    if (edge_spec_read(a, fields, &spec, &err) == STATUS_OK) {
        wish_put(&g->source, router, name, &spec, a);
        return;
    }
    arena_free(a);
    err_prefix(&err, "container router %.*s", STR_ARG(router));
    wish_broken(&g->source, router, name, &err);
}

static void take_broken(void *arg, str router, const struct err *err)
{
    struct engine *g = arg;
    struct err told = *err;
    err_prefix(&told, "container router");
    wish_broken(&g->source, router, STR(""), &told);
}

static void on_list(struct engine *g)
{
    struct arena *a = arena_new(0);
    struct value v;
    struct err err = ERR_INIT;
    struct labels_out out = {.app = take_app, .broken = take_broken, .leaving = is_leaving, .arg = g};
    enum status st = value_from_json(a, buf_str(&g->list.body), &v, &err);
    if (st == STATUS_OK) {
        wish_round_begin(&g->source);
        st = labels_read(a, v, &out, &err);
    }
    if (st != STATUS_OK) {
        lost(g, err.text);
    } else {
        wish_source_problem(&g->source, NULL);
        g->wait_ms = 0;
        wish_round_end(&g->source);
        if (g->stale)
            loop_timer_after_ms(g->source.edge->loop, &g->settle, SETTLE_MS);
    }
    arena_free(a);
}

static void begin_list(struct engine *g)
{
    g->stale = g->list.conn != NULL;
    if (!g->stale)
        call_begin(&g->list);
}

static void on_settled(void *arg)
{
    begin_list(arg);
}

/* ---- events ---- */

static void forget_leaving(struct engine *g, str id)
{
    for (unsigned i = 0; i < LEAVING_MAX; i++)
        if (str_is(id, g->leaving[i]))
            g->leaving[i][0] = '\0';
}

/* Signals that by custom end a process; a container may have its own, and then its end is seen when it comes. */
static bool ends(str signal)
{
    static const str enders[] = {{"15", 2}, {"9", 1}, {"3", 1}, {"2", 1}, {"SIGTERM", 7}, {"SIGKILL", 7}};
    return str_in(signal, enders, ARRAY_LEN(enders));
}

static void take_event(struct engine *g, str line)
{
    struct arena *a = arena_new(0);
    struct value v;
    if (value_from_json(a, line, &v, NULL) == STATUS_OK) {
        struct value actor = VALUE_GET(v, "Actor");
        str action = value_get_text(v, STR("Action")), id = value_get_text(actor, STR("ID"));
        str signal = value_get_text(VALUE_GET(actor, "Attributes"), STR("signal"));
        if (str_is(action, "kill") && ends(signal) && id.n && id.n < sizeof(g->leaving[0])) {
            char *to = g->leaving[g->leaving_at++ % LEAVING_MAX];
            memcpy(to, id.p, id.n);
            to[id.n] = '\0';
        } else if (str_is(action, "start") || str_is(action, "die")) {
            forget_leaving(g, id);
        }
        bool says_nothing = str_starts(action, STR("exec_")) || str_is(action, "top") || str_is(action, "attach");
        if (!says_nothing && !loop_timer_armed(&g->settle))
            loop_timer_after_ms(g->source.edge->loop, &g->settle, SETTLE_MS);
    }
    arena_free(a);
}

static void on_events(struct engine *g)
{
    size_t at = 0, end;
    str all = buf_str(&g->events.body);
    while ((end = str_find_char(str_from(all, at), '\n')) != STR_NPOS) {
        take_event(g, str_sub(all, at, at + end));
        at += end + 1;
    }
    buf_consume(&g->events.body, at);
}

static void events_began(struct engine *g)
{
    upstream_deadline(g->events.conn, 0); /* it may be silent for days */
    begin_list(g);
}

static void events_ended(struct engine *g)
{
    lost(g, "the container engine ended its events");
}

static void on_again(void *arg)
{
    struct engine *g = arg;
    call_begin(&g->events);
}

/* ---- life ---- */

static void call_init(struct engine_call *k, struct engine *g, const char *target)
{
    k->engine = g;
    k->target = target;
    buf_init(&k->in, (size_t)LIMIT_EDGE_BLOCK * 2);
    buf_init(&k->body, LIMIT_EDGE_STATE);
}

static void engine_free(struct wish_source *s)
{
    struct engine *g = (struct engine *)s; /* its first member */
    call_drop(&g->events);
    call_drop(&g->list);
    loop_timer_cancel(s->edge->loop, &g->again);
    loop_timer_cancel(s->edge->loop, &g->settle);
    upstream_pool_release(&g->pool);
    buf_release(&g->events.in);
    buf_release(&g->events.body);
    buf_release(&g->list.in);
    buf_release(&g->list.body);
    wish_source_release(s);
    free(g);
}

void engine_start(struct edge *e, const struct addr *addr)
{
    struct engine *g = MEM_NEW(struct engine);
    char text[ADDR_TEXT_MAX];
    wish_source_add(e, &g->source, "container", str_make(text, addr_format(addr, text)));
    g->source.free = engine_free;
    g->source.stays = true;
    upstream_pool_init(&g->pool, &e->client, addr);
    call_init(&g->events, g, "/events?filters=%7B%22type%22%3A%5B%22container%22%5D%7D");
    call_init(&g->list, g, "/containers/json");
    g->events.began = events_began;
    g->events.data = on_events;
    g->events.ended = events_ended;
    g->list.ended = on_list;
    loop_timer_init(&g->again, on_again, g);
    loop_timer_init(&g->settle, on_settled, g);
    loop_timer_after_ms(e->loop, &g->again, 0);
}
