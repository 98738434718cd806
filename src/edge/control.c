/* SPDX-License-Identifier: Apache-2.0 */
/* control — what the other verbs ask of a running edge: HTTP with JSON on a Unix socket in the state folder, which only
 * its owner can open. docs/edge.md lists the addresses; the table below is all of them. */
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "edge/certs.h"
#include "edge/wish.h"

void control_value(struct http_exchange *x, int status, struct value v)
{
    struct buf body;
    struct http_response r;
    buf_init(&body, LIMIT_EDGE_STATE);
    value_to_json(&body, v, VALUE_JSON_UTF8);
    buf_putc(&body, '\n');
    response_init(&r, http_exchange_arena(x));
    r.status = status;
    response_header(&r, STR("content-type"), STR("application/json"));
    response_body_take(&r, &body);
    http_exchange_respond(x, &r);
}

void control_error(struct http_exchange *x, const struct err *err)
{
    struct arena *a = http_exchange_arena(x);
    struct value v = value_dict(a);
    VALUE_SET(v, "status", value_cstr(status_name(err->status)));
    VALUE_SET(v, "error", value_str(arena_str(a, str_of(err->text))));
    VALUE_SET(v, "hint", value_str(arena_str(a, str_of(err->hint))));
    control_value(x, status_http(err->status), v);
}

static void send_job(struct http_exchange *x, const struct job *j)
{
    struct value v = value_dict(http_exchange_arena(x));
    VALUE_SET(v, "job", value_int((int64_t)j->id));
    control_value(x, 202, v);
}

struct call {
    struct edge *edge;
    struct http_exchange *x;
    const struct http_request *rq;
    struct arena *a;
    str name;          /* of the app, or the number of the job */
    struct value body; /* DICT; empty when there was none */
};

static struct value edge_value(struct edge *e, struct arena *a)
{
    struct value v = value_dict(a), listens = value_list(a), apps = value_list(a);
    uint32_t connections = 0;
    size_t pos = 0;
    void *item;
    for (unsigned i = 0; i < e->worker_count; i++)
        connections += edge_worker_connections(e->workers[i]);
    for (size_t i = 0; i < e->listen_count; i++) {
        char text[ADDR_TEXT_MAX];
        str s = str_make(text, addr_format(listener_addr(e->listeners[i]), text));
        value_push(listens, value_str(arena_str(a, s)));
    }
    while (map_next(e->lives, &pos, NULL, &item))
        value_push(apps, life_value(a, item, false));
    VALUE_SET(v, "pid", value_int(getpid()));
    VALUE_SET(v, "since", value_int(e->started_unix_s));
    VALUE_SET(v, "listen", listens);
    VALUE_SET(v, "loops", value_int(e->worker_count));
    VALUE_SET(v, "connections", value_int(connections));
    VALUE_SET(v, "table", value_int((int64_t)e->table_version));
    VALUE_SET(v, "apps", apps);
    VALUE_SET(v, "sources", wish_value(a, e));
    return v;
}

static void call_status(struct call *c)
{
    control_value(c->x, 200, edge_value(c->edge, c->a));
}

static void call_metrics(struct call *c)
{
    struct buf body;
    struct http_response r;
    buf_init(&body, LIMIT_EDGE_STATE);
    edge_metrics(c->edge, &body);
    response_init(&r, c->a);
    response_header(&r, STR("content-type"), STR("text/plain; version=0.0.4; charset=utf-8"));
    response_body_take(&r, &body);
    http_exchange_respond(c->x, &r);
}

static void no_app(struct call *c)
{
    struct err err = ERR_INIT;
    err_set(&err, STATUS_NOT_FOUND, "there is no app \"%.*s\"", STR_ARG(str_sub(c->name, 0, 80)));
    err_hint(&err, "vitrine list shows those there are.");
    control_error(c->x, &err);
}

static void call_app(struct call *c)
{
    struct life *l = edge_life(c->edge, c->name);
    if (l)
        control_value(c->x, 200, life_value(c->a, l, false));
    else
        no_app(c);
}

/* What a file or a container's labels say would be made so again. */
static bool refused_for_wish(struct call *c, str app)
{
    const struct wish *wish = wish_of(c->edge, app);
    struct err err = ERR_INIT;
    if (!wish)
        return false;
    err_set(&err, STATUS_CONFLICT, "%.*s is what %s says; nothing was changed", STR_ARG(app), wish->origin);
    err_hint(&err, "Change it there: %s", wish->source->where);
    control_error(c->x, &err);
    return true;
}

/* "?asleep=1" */
static bool wants_asleep(const struct call *c)
{
    return str_is(c->rq->query, "asleep=1");
}

static void call_deploy(struct call *c)
{
    struct err err = ERR_INIT;
    struct arena *arena = arena_new_small();
    struct edge_spec spec;
    value_set(c->body, STR("name"), value_str(c->name));
    if (edge_spec_read(arena, c->body, &spec, &err) != STATUS_OK) {
        arena_free(arena);
        control_error(c->x, &err);
        return;
    }
    if (wants_asleep(c) && !spec.sleep_ms) {
        arena_free(arena);
        err_set(&err, STATUS_INVALID, "%.*s: nothing would start it", STR_ARG(c->name));
        err_hint(&err, "Only an app with --sleep SECONDS is started by the next request.");
        control_error(c->x, &err);
        return;
    }
    if (refused_for_wish(c, spec.name)) {
        arena_free(arena);
        return;
    }
    if (!edge_life(c->edge, c->name) && map_count(c->edge->lives) >= (size_t)LIMIT_EDGE_APPS) {
        arena_free(arena);
        err_set(&err, STATUS_TOO_LARGE, "there are %d apps already", LIMIT_EDGE_APPS);
        err_hint(&err, "Take one away with vitrine remove NAME.");
        control_error(c->x, &err);
        return;
    }
    struct job *job = job_new(c->edge, "deploy", c->name);
    send_job(c->x, job);
    struct life *l = edge_life_make(c->edge, spec.name);
    free(l->origin); /* from now on it is somebody's own */
    l->origin = NULL;
    life_deploy(l, arena, &spec, wants_asleep(c), job);
}

static void with_life(struct call *c, const char *what, void (*fn)(struct life *l, struct job *job))
{
    struct life *l = edge_life(c->edge, c->name);
    if (!l) {
        no_app(c);
        return;
    }
    struct job *job = job_new(c->edge, what, c->name);
    send_job(c->x, job);
    fn(l, job);
}

static void rollback(struct life *l, struct job *job)
{
    life_rollback(l, false, job);
}

static void call_rollback(struct call *c)
{
    with_life(c, "rollback", rollback);
}

static void call_remove(struct call *c)
{
    if (refused_for_wish(c, c->name))
        return;
    with_life(c, "remove", life_remove);
}

static void set_traffic(struct call *c, const char *what, enum edge_pause pause, str message)
{
    struct life *l = edge_life(c->edge, c->name);
    if (!l) {
        no_app(c);
        return;
    }
    struct job *job = job_new(c->edge, what, c->name);
    char *kept = mem_cstr(message); /* the request goes with the answer */
    send_job(c->x, job);
    life_pause(l, pause, str_of(kept), job);
    free(kept);
}

static void call_pause(struct call *c)
{
    bool writes = value_truth(VALUE_GET(c->body, "writes_only"));
    set_traffic(c, "pause", writes ? EDGE_PAUSED_WRITES : EDGE_PAUSED, STR(""));
}

static void call_resume(struct call *c)
{
    set_traffic(c, "resume", EDGE_RUNNING, STR(""));
}

static void call_stop(struct call *c)
{
    set_traffic(c, "stop", EDGE_STOPPED, str_sub(value_get_text(c->body, STR("message")), 0, 1000));
}

static void call_job(struct call *c)
{
    int64_t id = 0, after = 0;
    str rest = c->rq->query, pair, key, text;
    while (rest.n) {
        str_cut(rest, '&', &pair, &rest);
        if (str_cut(pair, '=', &key, &text) && str_is(key, "after") && !str_to_i64(text, &after))
            after = 0;
    }
    struct job *j = c->edge->jobs;
    while (j && (!str_to_i64(c->name, &id) || j->id != (uint64_t)id))
        j = j->next;
    if (j) {
        job_answer(j, c->x, (size_t)MAX(after, 0));
        return;
    }
    struct err err = ERR_INIT;
    err_set(&err, STATUS_NOT_FOUND, "this job is not known any more");
    control_error(c->x, &err);
}

static void call_end(struct call *c)
{
    struct value v = value_dict(c->a);
    VALUE_SET(v, "stopping", value_bool(true));
    control_value(c->x, 202, v);
    edge_stop_begin(c->edge);
}

static void call_upgrade(struct call *c)
{
    heir_begin(c->edge, c->x);
}

static void call_certs(struct call *c)
{
    certs_call_list(c->edge, c->x);
}

static void call_cert(struct call *c)
{
    certs_call_show(c->edge, c->x, c->name);
}

static void call_cert_renew(struct call *c)
{
    certs_call_renew(c->edge, c->x, c->name);
}

static void call_cert_tell(struct call *c)
{
    certs_call_tell(c->edge, c->x, c->name, c->body);
}

static void call_reload(struct call *c)
{
    struct err err = ERR_INIT;
    struct value v = value_dict(c->a);
    if (edge_reload(c->edge, &err) != STATUS_OK) {
        control_error(c->x, &err);
        return;
    }
    VALUE_SET(v, "reloaded", value_bool(true));
    control_value(c->x, 200, v);
}

static const struct address {
    enum http_method method;
    const char *before, *after; /* around the name; before alone when there is none */
    bool named;
    void (*fn)(struct call *c);
    bool changes; /* not while an upgrade is under way: the new process is asked then */
} addresses[] = {
    {HTTP_GET, "/status", "", false, call_status, false},
    {HTTP_GET, "/metrics", "", false, call_metrics, false},
    {HTTP_POST, "/stop", "", false, call_end, false},
    {HTTP_POST, "/reload", "", false, call_reload, false},
    {HTTP_POST, "/upgrade", "", false, call_upgrade, false},
    {HTTP_GET, "/jobs/", "", true, call_job, false},
    {HTTP_GET, "/certs", "", false, call_certs, false},
    {HTTP_GET, "/certs/", "", true, call_cert, false},
    {HTTP_POST, "/certs/", "/renew", true, call_cert_renew, true},
    {HTTP_POST, "/certs-tell/", "", true, call_cert_tell, false},
    {HTTP_GET, "/apps/", "", true, call_app, false},
    {HTTP_POST, "/apps/", "/deploy", true, call_deploy, true},
    {HTTP_POST, "/apps/", "/rollback", true, call_rollback, true},
    {HTTP_POST, "/apps/", "/remove", true, call_remove, true},
    {HTTP_POST, "/apps/", "/pause", true, call_pause, true},
    {HTTP_POST, "/apps/", "/resume", true, call_resume, true},
    {HTTP_POST, "/apps/", "/stop", true, call_stop, true},
};

static bool fits(const struct address *at, const struct http_request *rq, str *ret_name)
{
    str before = str_of(at->before), after = str_of(at->after);
    if (rq->method != at->method || rq->path.n < before.n + after.n || !str_starts(rq->path, before) ||
        !str_ends(rq->path, after))
        return false;
    *ret_name = str_sub(rq->path, before.n, rq->path.n - after.n);
    return at->named ? ret_name->n && str_find_char(*ret_name, '/') == STR_NPOS : !ret_name->n;
}

static void handle(void *app, struct http_exchange *x)
{
    struct call c = {.edge = app, .x = x, .rq = http_exchange_request(x), .a = http_exchange_arena(x)};
    struct err err = ERR_INIT;
    c.body = value_dict(c.a);
    if (c.rq->body.n && value_from_json(c.a, c.rq->body, &c.body, &err) != STATUS_OK) {
        control_error(x, &err);
        return;
    }
    if (c.body.kind != VALUE_DICT)
        c.body = value_dict(c.a);
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
        str name;
        if (!fits(&addresses[i], c.rq, &name))
            continue;
        c.name = arena_str(c.a, name);
        if (addresses[i].changes && (heir_frozen(c.edge) || c.edge->heir.waiting)) {
            err_set(&err, STATUS_BUSY, "the edge is being upgraded");
            err_hint(&err, "Try again in a moment.");
            control_error(x, &err);
            return;
        }
        addresses[i].fn(&c);
        return;
    }
    err_set(&err, STATUS_NOT_FOUND, "the edge has no such address");
    control_error(x, &err);
}

enum status control_start(struct edge *e, struct err *err)
{
    struct listener_config config = {.unix_mode = 0600};
    struct http_listen listen = {0};
    const char *path = edge_path(e, e->arena, "", EDGE_CONTROL_SOCKET);
    enum status st = addr_from_unix_path(str_of(path), &config.addr, err);
    int fd = legacy_take(e, STR("control"));
    if (st == STATUS_OK && fd >= 0 && (st = listener_adopt(fd, &listen.listener, err)) == STATUS_OK)
        (void)listener_own_path(listen.listener, str_of(path));
    if (st == STATUS_OK && fd < 0)
        st = listener_open(&config, &listen.listener, err);
    if (st != STATUS_OK)
        return st;
    struct http_server_config server = {
        .loop = e->loop, .listens = &listen, .listen_count = 1, .server_name = "", .app = e, .handler = handle};
    http_limits_default(&server.limits);
    server.limits.body_bytes = LIMIT_EDGE_CONTROL;
    return http_server_new(&server, &e->control, err);
}
