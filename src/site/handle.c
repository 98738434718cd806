/* SPDX-License-Identifier: Apache-2.0 */
/* handle — the way of a request through the site.
 *
 *   loop thread:  password wanted? -> static file? -> cached answer? -> job into a lane (503 when its queue is full)
 *   worker:       route -> method -> actor -> query arguments -> view -> (not found: redirect, page of pages/)
 *                 -> (error page) -> keep in the cache -> respond
 *
 *   a view that writes returns AGAIN:  writer of the database (apply, COMMIT) -> respond, or finish on a worker ->
 * respond
 *
 * The loop thread does no SQL and no rendering. A job owns the exchange's arena until it responds. Slow lane: what runs
 * visitors' own SQL, so that it never stands before pages.
 *
 * Cache: only GET/HEAD of anonymous clients without messages, status 200, from routes not marked ROUTE_NO_CACHE; the
 * database's signature is read before the view runs its first query.
 *
 * Passwords are hashed in a lane of their own. Where everybody needs one (http_basic_auth), the loop knows those that
 * were right before; a new one makes its whole request, a static file too, a job of that lane. */
#include "site/handle.h"

#include <stddef.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/metric.h"
#include "db/writer.h"
#include "http/accept.h"
#include "site/accounts.h"
#include "site/actor.h"
#include "site/api_log.h"
#include "site/budget.h"
#include "site/cache.h"
#include "site/csrf.h"
#include "site/figures.h"
#include "site/history.h"
#include "site/kept.h"
#include "site/links.h"
#include "site/metrics.h"
#include "site/render/page.h"
#include "site/route.h"
#include "site/rules.h"
#include "site/share/guest.h"
#include "site/space/disk.h"
#include "site/space/gate.h"
#include "site/space/session.h"
#include "site/static.h"
#include "site/template_files.h"
#include "site/trace.h"
#include "site/upload/sink.h"
#include "site/view/custom_page.h"
#include "site/visitors.h"
#include "site/write/write.h"

struct job {
    struct site *site;
    struct http_exchange *exchange;
    struct request request;
    struct http_response response;
    struct db_signature made_under;
    int64_t began_us; /* on a worker */
    struct writer_job write;
    str cache_key; /* empty = do not keep */
    bool may_be_static;
};

/* Only clients that look the same may share an answer: no credentials, no messages. */
static bool is_anonymous(const struct site *s, const struct http_request *http)
{
    if (http_header(http, STR("authorization")).n)
        return false;
    str cookie = http_header(http, STR("cookie"));
    return !cookie.n ||
           (str_find(cookie, STR("ds_")) == STR_NPOS && str_find(cookie, STR(SESSION_COOKIE_MARK)) == STR_NPOS &&
            !visitors_has_cookie(s->visitors, http));
}

/* scheme, host, target: answers hold absolute links. The generation of the templates: an answer made with one that
 * changed since is not found again. Clients that take gzip have entries of their own: packing is work
 * that the others need not wait for, and an answer first made for one of those would stay unpacked. */
static str cache_key(struct site *s, const struct space *sp, const struct http_request *http,
                     const struct request_note *note)
{
    str param = accounts_token_param(s->accounts);
    if (param.n && str_find(http->query, param) != STR_NPOS)
        return (str){0};
    if (!s->cache || (http->method != HTTP_GET && http->method != HTTP_HEAD) || !is_anonymous(s, http))
        return (str){0};
    bool gzip = accept_gzip(http_header(http, STR("accept-encoding")));
    uint64_t templates = template_files_generation(s->template_files), kept = kept_generation(s->kept);
    uint64_t shared = shares_generation(s->shares, clock_unix_s());
    str generation =
        arena_printf(http->arena, "%llu %llu %llu %llx ", (unsigned long long)templates, (unsigned long long)kept,
                     (unsigned long long)shared, (unsigned long long)(sp ? sp->generation : 0));
    bool secure = http->secure || note->from.secure;
    return ARENA_CAT(http->arena, generation, secure ? STR("s") : STR("p"), gzip ? STR("z ") : STR(" "), http->host,
                     STR(" "), site_cors_origin(s, http_header(http, STR("origin"))), STR(" "), http->target);
}

static unsigned label_of(const struct request *rq)
{
    return rq->route ? METRICS_ROUTES + (unsigned)(rq->route - routes) : METRICS_NOWHERE;
}

/* ---- worker ---- */

static enum status refuse_foreign(struct request *rq, struct err *err)
{
    enum status st = csrf_check(rq, err);
    if (st != STATUS_OK)
        rq->error_template = "csrf_error.html";
    return st;
}

static enum status check_method(struct request *rq, bool *ret_done, struct err *err)
{
    unsigned flags = rq->route->flags;
    bool post = (flags & ROUTE_POST) || ((flags & ROUTE_POST_JSON) && str_is(rq->format, "json"));
    *ret_done = false;
    if (rq->http->method == HTTP_POST && post)
        return refuse_foreign(rq, err);
    if ((request_is_get(rq) && (flags & (ROUTE_GET | ROUTE_ANY_METHOD))) ||
        ((flags & ROUTE_ANY_METHOD) && rq->http->method != HTTP_POST))
        return STATUS_OK;
    if (rq->http->method == HTTP_OPTIONS) {
        *ret_done = true;
        respond_options(rq, !(flags & ROUTE_GET) ? "POST" : post ? "HEAD, GET, POST" : "HEAD, GET");
        return STATUS_OK;
    }
    return err_set(err, STATUS_METHOD, "Method not allowed");
}

/* After a 404: a percent-encoded path goes to its tilde form, a trailing slash goes away. */
static bool redirect_instead(struct request *rq)
{
    struct arena *a = rq->arena;
    str path = rq->http->path, to = {0};
    if (str_find_char(path, '%') != STR_NPOS) {
        struct buf b;
        buf_init(&b, path.n * 3 + 16);
        for (size_t i = 0; i < path.n; i++) {
            if (path.p[i] == '~')
                buf_puts(&b, STR("~7E"));
            else if (path.p[i] == '%')
                buf_putc(&b, '~');
            else if (path.p[i] == '.')
                buf_puts(&b, STR("~2E"));
            else
                buf_putc(&b, path.p[i]);
        }
        to = arena_str(a, buf_str(&b));
        buf_release(&b);
    } else if (path.n > 1 && str_ends(path, STR("/"))) {
        to = str_sub(path, 0, path.n - 1);
    }
    while (to.n > 1 && str_ends(to, STR("/")))
        to = str_sub(to, 0, to.n - 1);
    if (!to.n)
        return false;
    size_t lead = 0; /* browsers read both kinds of slash alike: two of them would lead to another host */
    while (lead < to.n && (to.p[lead] == '/' || to.p[lead] == '\\'))
        lead++;
    if (lead > 1)
        to = ARENA_CAT(a, STR("/"), str_from(to, lead));
    if (rq->query_string.n)
        to = ARENA_CAT(a, to, STR("?"), rq->query_string);
    response_clear(rq->response);
    rq->response->status = 302;
    response_header(rq->response, STR("content-type"), STR("text/html; charset=utf-8"));
    response_header(rq->response, STR("location"), to);
    return true;
}

#define OVER_BUDGET_TEXT                                                                                               \
    "You have used the time in the database that one visitor may use. Try again in %lld second%s, and ask for less "   \
    "at "                                                                                                              \
    "once: fewer facets, narrower filters, or a CSV export instead of many pages."

/* Who came with a cookie or a token is known only now; everybody else was checked before. */
static enum status check_budget(struct request *rq, struct err *err)
{
    budget_of_actor(rq);
    int64_t wait_s = budget_counts(rq) && !is_anonymous(rq->site, rq->http) ? budget_wait_s(rq->site, rq->note) : 0;
    if (!wait_s)
        return STATUS_OK;
    metric_add(METRIC_OVER_BUDGET, 1);
    rq->note->reason = STR("over budget");
    rq->retry_after_s = wait_s;
    return err_set(err, STATUS_RATE, OVER_BUDGET_TEXT, (long long)wait_s, wait_s == 1 ? "" : "s");
}

static bool redirect_by_rule(struct request *rq)
{
    int status = 0;
    str to = rules_redirect(rq->site->rules, rq->path, &status);
    if (to.p)
        respond_redirect(rq, status, str_starts(to, STR("/")) && !str_starts(to, STR("//")) ? link_path(rq, to) : to);
    return to.p != NULL;
}

static enum status dispatch(struct request *rq, struct err *err)
{
    bool done = false;
    enum status st = actor_authenticate(rq, err);
    if (st == STATUS_OK)
        st = gate_enter(rq, &done, err);
    if (st == STATUS_OK && !done)
        st = visitors_enter(rq->site->visitors, rq, &done, err);
    if (st == STATUS_OK && !done)
        st = check_budget(rq, err);
    if (st != STATUS_OK || done)
        return st;
    if (redirect_by_rule(rq))
        return STATUS_OK;
    if (str_starts(rq->path, STR("/:memory:"))) {
        str to = ARENA_CAT(rq->arena, STR("/_memory"), str_from(rq->path, 9));
        respond_redirect(rq, 301, rq->query_string.n ? ARENA_CAT(rq->arena, to, STR("?"), rq->query_string) : to);
        rq->response_varies = true;
        return STATUS_OK;
    }
    if (!rq->route)
        return err_set(err, STATUS_NOT_FOUND, "Page not found: %.*s", STR_ARG(rq->path));
    st = check_method(rq, &done, err);
    if (st != STATUS_OK || done)
        return st;
    if ((rq->route->flags & ROUTE_FILLS) && !rq->body && !request_is_get(rq) && rq->http->method != HTTP_DELETE)
        st = space_disk_enter(rq, err);
    if (st == STATUS_OK)
        st = args_parse(rq->arena, rq->query_string, &rq->args, err);
    return st == STATUS_OK ? rq->route->view(rq, err) : st;
}

/* The signature is taken again: a writer that died within its commit may have taken the file back. */
static void keep(struct job *j, const struct db_signature *made_under)
{
    struct request *rq = &j->request;
    struct db_signature now;
    if (rq->response_varies || !value_is_null(rq->actor) || !j->cache_key.n || rq->response->status != 200 ||
        (rq->route->flags & ROUTE_NO_CACHE))
        return;
    if (!rq->db && !rq->response_is_constant)
        return;
    if (rq->db &&
        (database_signature(rq->db->database, &now, NULL) != STATUS_OK || !db_signature_equal(&now, made_under)))
        return;
    bool gzip = accept_gzip(http_headers_get(&rq->http->headers, STR("accept-encoding")));
    struct http_blob *blob = http_blob_from_response(rq->response, HTTP_BLOB_ETAG | (gzip ? HTTP_BLOB_GZIP : 0));
    if (!blob)
        return;
    blob->label = label_of(rq);
    answer_cache_put(j->site->cache, j->cache_key, rq->db ? rq->db->database : NULL, made_under, blob);
    response_clear(rq->response);
    response_body_blob(rq->response, blob);
}

static void note_actor(struct request *rq)
{
    struct value id = VALUE_GET(rq->actor, "id");
    if (value_is_text(id))
        rq->note->actor = id.s;
}

static bool keeps_out(const struct request *rq)
{
    return gate_keeps_out(rq) || (visitors_required(rq->site->visitors) && value_is_null(rq->actor));
}

/* A static file whose client has only now shown its password, or has to be a member. */
static bool run_static(struct job *j)
{
    struct err err = ERR_INIT;
    return j->may_be_static && static_is_mounted(j->site, j->request.http) &&
           actor_authenticate(&j->request, &err) == STATUS_OK && !keeps_out(&j->request) &&
           static_respond_blocking(j->site, j->exchange);
}

static void respond(struct job *j, enum status st, struct err *err)
{
    struct request *rq = &j->request;
    struct request_note *note = rq->note;
    uint64_t sql_us = metric_mine(METRIC_SQL_SECONDS);
    figures_flush(rq);
    request_disconnect(rq);
    st = gate_leave(rq, st, err);
    if (st == STATUS_NOT_FOUND)
        st = redirect_instead(rq) ? STATUS_OK : custom_page_respond(rq, err);
    if (st == STATUS_FORBIDDEN && rules_forbidden_to(j->site->rules).n) {
        respond_redirect(rq, 302, rules_forbidden_to(j->site->rules));
        st = STATUS_OK;
    }
    if (st == STATUS_OK)
        page_cors(rq);
    else
        page_respond_error(rq, err, rq->error_title, rq->error_extra);
    guest_headers(rq);
    trace_finish(rq);
    keep(j, &j->made_under);
    note->sql_us += (int64_t)(metric_mine(METRIC_SQL_SECONDS) - sql_us);
    note_actor(rq);
    budget_charge(j->site, note, note->sql_us);
    budget_learn(rq, note->sql_us);
    access_headers(j->site, note, MAX(clock_mono_us() - j->began_us - note->sql_us, 0), rq->response);
    api_log_note(rq, rq->response);
    gate_headers(rq, rq->response);
    response_prepare(rq->response, rq->http);
    if (rq->body)
        rq->body->close(rq->body);
    http_exchange_respond(j->exchange, rq->response);
}

/* ---- writer's thread ---- */

static struct job *job_of(struct writer_job *w)
{
    return (struct job *)((char *)w - offsetof(struct job, write));
}

static enum status step_run(struct writer_job *w, struct conn *c, struct err *err)
{
    struct request *rq = &job_of(w)->request;
    response_clear(rq->response); /* it may be the second try */
    rq->response->status = 200;
    return rq->write.apply(rq, c, rq->write.plan, err);
}

static void step_finish(void *arg, struct worker *w)
{
    struct job *j = arg;
    struct request *rq = &j->request;
    struct err err = j->write.err;
    (void)w;
    if (j->write.status != STATUS_OK)
        response_clear(rq->response);
    enum status st =
        rq->write.finish ? rq->write.finish(rq, rq->write.plan, j->write.status, &err) : write_answer_failure(rq, &err);
    respond(j, st, &err);
}

static void step_done(struct writer_job *w)
{
    struct job *j = job_of(w);
    struct err err = ERR_INIT;
    if (w->status == STATUS_OK && !j->request.write.finish)
        respond(j, STATUS_OK, &err);
    else if (!j->request.write.finish || !pool_submit(j->site->pool, LANE_PAGE, step_finish, j))
        step_finish(j, NULL); /* what was written must be told, even when pages wait in line */
}

static bool hand_over(struct job *j, struct err *err)
{
    struct request *rq = &j->request;
    request_release_conn(rq);
    j->write = (struct writer_job){.run = step_run, .done = step_done, .who = actor_name(rq), .via = STR(HISTORY_WEB)};
    enum status st = writer_submit(rq->write.writer, &j->write, err);
    if (st == STATUS_OK)
        return true; /* it may be answered by now: nothing of the job may be touched */
    j->write.status = st;
    if (err)
        j->write.err = *err;
    return false;
}

/* ---- worker ---- */

static void run(void *arg, struct worker *w)
{
    struct job *j = arg;
    struct request *rq = &j->request;
    struct err err = ERR_INIT;
    uint64_t sql_us = metric_mine(METRIC_SQL_SECONDS);
    j->began_us = clock_mono_us();
    rq->body = http_exchange_take_sink(j->exchange);
    (void)w;
    if (run_static(j))
        return;
    bool keepable = j->cache_key.n && rq->route && rq->param_count;
    struct published *p = keepable ? site_find(j->site, rq->params[0]) : NULL;
    if (p && database_signature(p->database, &j->made_under, NULL) != STATUS_OK)
        j->made_under = (struct db_signature){0};
    trace_begin(rq);
    enum status st = dispatch(rq, &err);
    rq->note->sql_us = (int64_t)(metric_mine(METRIC_SQL_SECONDS) - sql_us);
    if (st != STATUS_AGAIN)
        respond(j, st, &err);
    else if (!hand_over(j, &err))
        step_finish(j, w);
}

/* ---- loop thread ---- */

/* An answer of the loop's own: no template, no SQL. */
static void respond_refused(struct job *j, int status, const char *reason, int64_t retry_s, const char *text)
{
    static const char page[] =
        "<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" "
        "content=\"width=device-width\">"
        "<title>Error %d</title><style>:root{color-scheme:light dark}body{font:1.0625rem/1.55 system-ui,sans-serif;"
        "margin:18vh auto;max-width:34rem;padding:0 1.5rem}a{display:inline-block;padding:.55rem 0;min-height:44px}"
        "</style><main><h1>Error %d</h1><p>%s</p><p><a href=\"\">Try again</a></p></main></html>";
    struct request *rq = &j->request;
    struct http_response *r = &j->response;
    struct arena *a = rq->arena;
    struct err err = ERR_INIT;
    bool json = str_is(rq->format, "json") || str_ends(rq->path, STR(".json"));
    response_clear(r);
    r->status = status;
    rq->note->reason = str_of(reason);
    access_headers(j->site, rq->note, 0, r);
    response_header(r, STR("retry-after"), arena_printf(a, "%lld", (long long)retry_s));
    response_header(r, STR("content-type"),
                    json ? STR("application/json; charset=utf-8") : STR("text/html; charset=utf-8"));
    if (json) {
        struct buf b;
        buf_init(&b, LIMIT_JSON_OUTPUT);
        err_set(&err, status == 429 ? STATUS_RATE : STATUS_BUSY, "%s", text);
        value_to_json(&b, page_error_json(a, &err, status), 0);
        response_body_take(r, &b);
    } else {
        response_body_text(r, arena_printf(a, page, status, status, text));
    }
    page_cors(rq);
    http_exchange_respond(j->exchange, r);
}

static void respond_busy(struct job *j)
{
    respond_refused(j, 503, "busy", 1, "The server is busy: too many requests are waiting. Try again in a moment.");
}

static void respond_over_budget(struct job *j, int64_t wait_s)
{
    metric_add(METRIC_OVER_BUDGET, 1);
    respond_refused(j, 429, "over budget", wait_s,
                    arena_printf(j->request.arena, OVER_BUDGET_TEXT, (long long)wait_s, wait_s == 1 ? "" : "s").p);
}

/* What is over the setting is refused by the view, in the format that the client speaks (request_body_check); what is
 * far over it by the server, before it is read. */
static bool is_spooled(const struct site *s, const struct http_request *rq)
{
    const struct route *r = route_find(request_path(s, rq->path), rq->arena).route;
    return r && (r->flags & ROUTE_SPOOL);
}

struct http_sink *site_body_sink(struct site *s, struct http_exchange *x)
{
    return is_spooled(s, http_exchange_request(x)) ? body_sink_new(s, x) : NULL;
}

int64_t site_body_limit(const struct site *s, const struct http_request *rq)
{
    const struct settings *settings = &s->config.settings;
    int64_t set = settings->max_post_body_bytes, most;
    if (is_spooled(s, rq))
        return settings->max_upload_mb > 0 && settings->max_upload_mb < INT64_MAX >> 20 ? settings->max_upload_mb << 20
                                                                                        : INT64_MAX / 2;
    struct http_limits limits;
    http_limits_default(&limits);
    if (!set)
        return limits.body_bytes;
    return __builtin_mul_overflow(set, 2, &most) || __builtin_add_overflow(most, 65536, &most) ? set : most;
}

static str below_base(const struct site *s, str path)
{
    str base = s->config.settings.base_url;
    return base.n > 1 && str_starts(path, base) ? str_from(path, base.n - 1) : path;
}

static struct request_note *client_note(struct site *s, const struct http_request *http)
{
    struct request_note *note = access_note(s, http);
    if (s->proxies.count || s->proxies.unix_peers) /* they may say that the client came by https */
        access_client(s, http, note);
    return note;
}

/* True: the configuration has an answer for every request like this one. */
static bool answered_by_rule(struct site *s, struct http_exchange *x, struct request_note *note)
{
    const struct http_request *http = http_exchange_request(x);
    struct http_response r;
    response_init(&r, http->arena);
    if (!rules_gate(s->rules, http, below_base(s, http->path), http->secure || note->from.secure, &r))
        return false;
    access_headers(s, note, 0, &r);
    http_exchange_note(x, METRICS_NOWHERE, note);
    http_exchange_respond(x, &r);
    return true;
}

static void ask_for_password(struct http_exchange *x)
{
    struct http_response r;
    response_init(&r, http_exchange_arena(x));
    r.status = 401;
    response_header(&r, STR("www-authenticate"), STR(ACTOR_CHALLENGE));
    response_header(&r, STR("content-type"), STR("text/plain; charset=utf-8"));
    response_body_text(&r, STR("401 Authorization Required"));
    http_exchange_respond(x, &r);
}

static void respond_over_quota(struct http_exchange *x, int64_t wait_s)
{
    struct http_response r;
    struct arena *a = http_exchange_arena(x);
    response_init(&r, a);
    r.status = 429;
    response_header(&r, STR("retry-after"), arena_printf(a, "%lld", (long long)wait_s));
    response_header(&r, STR("content-type"), STR("text/plain; charset=utf-8"));
    response_body_text(&r,
                       STR("This space has used up the requests it may answer in a minute. Try again in a moment; its "
                           "owner can ask for a larger quota."));
    http_exchange_respond(x, &r);
}

/* Does the request carry a name and a password that have to be hashed first? */
static bool has_new_password(struct site *s, const struct http_request *http)
{
    struct value actor;
    str field = http_header(http, STR("authorization"));
    return accounts_is_basic(field) && accounts_count(s->accounts) &&
           !accounts_basic_is_known(s->accounts, http->arena, field, &actor);
}

static enum site_lane lane_of(const struct job *j, bool new_password)
{
    unsigned flags = j->request.route ? j->request.route->flags : 0;
    if (new_password || ((flags & ROUTE_HASHES) && j->request.http->method == HTTP_POST))
        return LANE_SIGN_IN;
    if ((flags & (ROUTE_POST_SLOW)) && j->request.http->method == HTTP_POST)
        return LANE_SQL;
    if (visitors_must_ask(j->site->visitors, j->request.http))
        return LANE_SQL; /* it may wait for another server */
    bool slow = flags & ROUTE_SLOW || budget_may_be_slow(&j->request) ||
                (budget_counts(&j->request) && budget_is_low(j->site, j->request.note));
    return slow ? LANE_SQL : LANE_PAGE;
}

void site_handle(struct site *s, struct http_exchange *x)
{
    const struct http_request *http = http_exchange_request(x);
    http_exchange_note(x, METRICS_STATIC, NULL);
    const struct space *sp = space_cell_borrow(s->shared->space, http->arena);
    bool closed = accounts_basic_required(s->accounts) && !actor_is_open_path(below_base(s, http->path));
    bool members_only = gate_is_closed(sp) || visitors_required(s->visitors);
    bool new_password = has_new_password(s, http);
    struct request_note *note = rules_has_gate(s->rules) ? client_note(s, http) : NULL;
    if (note && answered_by_rule(s, x, note))
        return;
    if (static_respond_builtin(s, x))
        return;
    int64_t wait_s = gate_wait_s(s, sp, below_base(s, http->path));
    if (wait_s) {
        respond_over_quota(x, wait_s);
        return;
    }
    if (closed && !accounts_is_basic(http_header(http, STR("authorization")))) {
        ask_for_password(x);
        return;
    }
    if (!(closed && new_password) && !members_only && static_respond(s, x))
        return;
    note = note ? note : client_note(s, http);
    str key = closed || members_only ? (str){0} : cache_key(s, sp, http, note);
    if (key.n) {
        struct http_blob *blob = answer_cache_get(s->cache, key, http_exchange_round(x));
        if (blob) {
            struct http_response r;
            response_init(&r, http->arena);
            response_body_blob(&r, blob);
            note->cached = true;
            access_headers(s, note, -1, &r);
            http_exchange_note(x, blob->label, note);
            http_exchange_respond(x, &r);
            return;
        }
    }
    site_hold(s, http->arena);
    struct job *j = ARENA_NEW(http->arena, struct job);
    j->site = s;
    j->exchange = x;
    j->cache_key = key;
    response_init(&j->response, http->arena);
    request_init(&j->request, s, x, &j->response);
    j->request.note = note;
    http_exchange_note(x, label_of(&j->request), note);
    if (j->request.route && (j->request.route->flags & ROUTE_STATS)) {
        struct http_stats *stats = ARENA_NEW(http->arena, struct http_stats);
        http_exchange_stats(x, stats);
        j->request.http_stats = stats;
    }
    j->may_be_static = (closed && new_password) || members_only;
    budget_of_client(s, http, note);
    wait_s = budget_counts(&j->request) && is_anonymous(s, http) ? budget_wait_s(s, note) : 0;
    if (wait_s)
        respond_over_budget(j, wait_s);
    else if (!pool_submit_flow(s->pool, lane_of(j, new_password), note->flow, run, j))
        respond_busy(j);
}
