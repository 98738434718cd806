/* SPDX-License-Identifier: Apache-2.0 */
#include "site/request.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "http/cookie.h"
#include "site/kept.h"
#include "site/links.h"
#include "site/route.h"
#include "site/share/guest.h"
#include "site/space/space.h"

str request_path(const struct site *site, str path)
{
    str base = site->config.settings.base_url;
    bool stripped = false;
    while (base.n > 1 && str_starts(path, base)) { /* links of Datasette repeat the prefix: take all of them off */
        path = str_from(path, base.n - 1);
        stripped = true;
    }
    if (!stripped && base.n > 1 && str_eq(path, str_sub(base, 0, base.n - 1)))
        path = STR("/");
    return path;
}

void request_init(struct request *rq, struct site *site, struct http_exchange *x, struct http_response *response)
{
    const struct http_request *http = http_exchange_request(x);
    *rq = (struct request){.site = site, .exchange = x, .http = http, .arena = http->arena, .response = response};
    rq->started_mono_us = clock_mono_us();
    rq->actor = VALUE_NULL;
    rq->policy = site->policy;
    rq->space = space_cell_borrow(site->shared->space, http->arena);
    if (rq->space)
        rq->policy.hub = &rq->space->people;
    str path = request_path(site, http->path);
    rq->path = path;
    rq->query_string = http->query;
    struct route_match m = route_find(path, rq->arena);
    rq->route = m.route;
    rq->param_count = m.param_count;
    for (size_t i = 0; i < m.param_count; i++)
        rq->params[i] = m.params[i];
    rq->format = m.format.n ? m.format : STR("html");
}

str request_arg(const struct request *rq, const char *name)
{
    return args_get(&rq->args, str_of(name));
}

bool request_has_arg(const struct request *rq, const char *name)
{
    return args_has(&rq->args, str_of(name));
}

bool request_flag(const struct request *rq, const char *name, bool fallback)
{
    bool b = fallback;
    str text = request_arg(rq, name);
    return text.p && args_boolean(text, &b) ? b : fallback;
}

enum status request_body_check(const struct request *rq, struct err *err)
{
    int64_t most = rq->site->config.settings.max_post_body_bytes;
    if (most && (int64_t)rq->http->body.n > most)
        return err_set(err, STATUS_TOO_LARGE, "Request body exceeded maximum size of %lld bytes", (long long)most);
    return STATUS_OK;
}

const atomic_bool *request_gone(const struct request *rq)
{
    return rq->exchange ? http_exchange_gone(rq->exchange) : NULL;
}

bool request_is_get(const struct request *rq)
{
    return rq->http->method == HTTP_GET || rq->http->method == HTTP_HEAD;
}

str request_full_path(const struct request *rq)
{
    str path = link_path(rq, rq->path);
    return rq->query_string.n ? ARENA_CAT(rq->arena, path, STR("?"), rq->query_string) : path;
}

static bool host_is_safe(str host)
{
    for (size_t i = 0; i < host.n; i++) {
        char c = host.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
              c == ':' || c == '[' || c == ']' || c == '_'))
            return false;
    }
    return host.n > 0;
}

str request_origin(const struct request *rq)
{
    if (rq->space)
        return rq->space->origin;
    str host = rq->http->host;
    if (!host_is_safe(host))
        host = STR("localhost");
    bool https = rq->site->config.settings.force_https_urls || rq->http->secure || (rq->note && rq->note->from.secure);
    return ARENA_CAT(rq->arena, https ? STR("https://") : STR("http://"), host);
}

str request_absolute_url(const struct request *rq, str path)
{
    return ARENA_CAT(rq->arena, request_origin(rq), path);
}

struct value request_cookies(const struct request *rq, struct arena *a)
{
    return cookie_parse(a, http_header(rq->http, STR("cookie")));
}

struct value request_url_vars(const struct request *rq, struct arena *a)
{
    static const char *const names[] = {"database", "table", "pks"};
    struct value d = value_dict(a);
    bool at_database = rq->route && str_starts(str_of(rq->route->pattern), STR("/:db"));
    for (size_t i = 0; at_database && i < rq->param_count && i < ARRAY_LEN(names); i++)
        value_set(d, str_of(names[i]), value_str(rq->params[i]));
    VALUE_SET(d, "format", str_is(rq->format, "html") ? VALUE_NULL : value_str(rq->format));
    return d;
}

/* A query that a visitor stored is its owner's: he may see, change and delete it, and a private one is for nobody else.
 */
static bool owner_rule(const struct request *rq, struct value actor, enum action a, str parent, str child,
                       bool *ret_allowed)
{
    str owner;
    bool is_private;
    if (action_rows[a].level != ACTION_LEVEL_QUERY || !child.n ||
        !kept_query_owner(rq->site->kept, rq->arena, parent, child, &owner, &is_private))
        return false;
    struct value id = VALUE_GET(actor, "id");
    bool is_owner = owner.n && !value_is_null(id) && str_eq(value_to_str(rq->arena, id), owner);
    *ret_allowed = is_owner && permit_within_restrictions(actor, a, parent, child);
    return is_owner || is_private;
}

struct holder { /* who asks */
    struct value actor;
    const struct share_pass *passes;
    size_t pass_count;
};

static bool rules_allow(const struct request *rq, struct value actor, enum action a, str parent, str child,
                        int *ret_closed_to)
{
    bool allowed = false;
    *ret_closed_to = 0;
    if (a == ACTION_NONE || !owner_rule(rq, actor, a, parent, child, &allowed))
        return site_allowed(rq->site, &rq->policy, actor, a, parent, child);
    *ret_closed_to = 2; /* a private query is shared by itself or not at all */
    return allowed;
}

/* What the rules say, and what was shared where they say no. */
static bool holder_allowed(const struct request *rq, const struct holder *h, enum action a, str parent, str child,
                           struct share_hit *ret)
{
    int closed_to;
    ret->id[0] = 0;
    if (rules_allow(rq, h->actor, a, parent, child, &closed_to))
        return true;
    int level = a == ACTION_NONE
                    ? -1
                    : shares_level(rq->site->shares, h->actor, h->passes, h->pass_count, a, parent, child, ret);
    if (level >= 1 && level >= closed_to && permit_within_restrictions(h->actor, a, parent, child) &&
        !permit_has_narrower(&rq->policy, h->actor, a, parent, child, level))
        return true;
    ret->id[0] = 0;
    return false;
}

bool request_allows(const struct request *rq, struct value actor, enum action a, str parent, str child)
{
    struct share_hit hit;
    const struct holder h = {.actor = actor};
    return holder_allowed(rq, &h, a, parent, child, &hit);
}

static bool is_for_looking(enum action a)
{
    return a == ACTION_VIEW_INSTANCE || a == ACTION_VIEW_DATABASE || a == ACTION_VIEW_TABLE || a == ACTION_VIEW_QUERY ||
           a == ACTION_EXECUTE_SQL;
}

bool request_allowed(const struct request *rq, enum action a, str parent, str child)
{
    struct guest *g = rq->guest;
    struct share_hit hit;
    if (!g) /* before the actor is known */
        return request_allows(rq, rq->actor, a, parent, child);
    const struct holder h = {g->preview ? g->audience : rq->actor, g->passes, g->pass_count};
    if (g->preview && !(is_for_looking(a) && request_allows(rq, g->viewer, a, parent, child)))
        return false;
    if (!holder_allowed(rq, &h, a, parent, child, &hit))
        return false;
    if (hit.id[0])
        g->seen = hit;
    if (hit.id[0] && !g->first.id[0])
        g->first = hit;
    return true;
}

bool request_allowed_by_rules(const struct request *rq, enum action a, str parent, str child)
{
    const struct guest *g = rq->guest;
    int closed_to;
    return rules_allow(rq, g && g->preview ? g->audience : rq->actor, a, parent, child, &closed_to);
}

bool request_private(const struct request *rq, enum action a, str parent, str child)
{
    return !request_allows(rq, VALUE_NULL, a, parent, child);
}

enum status request_require(const struct request *rq, enum action a, str parent, str child, const char *message,
                            struct err *err)
{
    if (request_allowed(rq, a, parent, child))
        return STATUS_OK;
    return err_set(err, STATUS_FORBIDDEN, "%s", message ? message : action_rows[a].name);
}

enum status request_find_database(struct request *rq, struct err *err)
{
    rq->db = site_find(rq->site, rq->params[0]);
    if (!rq->db && !request_allowed(rq, ACTION_VIEW_DATABASE, rq->params[0], (str){0}))
        return err_set(err, STATUS_FORBIDDEN, "%s",
                       rq->refusal           ? rq->refusal
                       : rq->param_count > 1 ? "You do not have permission to view this table"
                                             : "You do not have permission to view this database");
    if (!rq->db && site_had(rq->site, rq->params[0])) {
        err_set(err, STATUS_NOT_FOUND, "Database not found: the file of %.*s was removed or renamed",
                STR_ARG(rq->params[0]));
        return err_hint(err, "Look at the home page for the databases that are there.");
    }
    return rq->db ? STATUS_OK : err_set(err, STATUS_NOT_FOUND, "Database not found");
}

enum status request_open_database(struct request *rq, struct err *err)
{
    enum status st = request_find_database(rq, err);
    return st == STATUS_OK ? request_connect(rq, err) : st;
}

static void unref_schema(void *arg)
{
    schema_unref(arg);
}

/* What was made of it has borrowed its names: it lives as long as the request. */
static void let_schema_go(struct request *rq)
{
    if (rq->schema)
        arena_defer(rq->arena, unref_schema, (void *)(uintptr_t)rq->schema);
    rq->schema = NULL;
}

enum status request_connect(struct request *rq, struct err *err)
{
    enum status st = conn_acquire(rq->db->database, &rq->conn, err);
    let_schema_go(rq); /* of before a write */
    if (st == STATUS_OK)
        conn_deadline(rq->conn, rq->started_mono_us + LIMIT_SCHEMA_TIME_MS * 1000, request_gone(rq));
    if (st == STATUS_OK)
        st = schema_get(rq->conn, &rq->schema, err);
    if (st == STATUS_TIMEOUT) {
        err_set(err, STATUS_TIMEOUT, "Reading the schema of %.*s took longer than %d ms", STR_ARG(rq->db->name),
                (int)LIMIT_SCHEMA_TIME_MS);
        return err_hint(err, "Try again when the machine has less to do, or take unused tables out.");
    }
    return st;
}

void request_release_conn(struct request *rq)
{
    conn_release(rq->conn);
    rq->conn = NULL;
}

void request_disconnect(struct request *rq)
{
    request_release_conn(rq);
    let_schema_go(rq);
}

/* ---- answers --------------------------------------------------------------------------------------------------------
 */

static void content_type(struct request *rq, int http_status, const char *type)
{
    rq->response->status = http_status;
    response_header(rq->response, STR("content-type"), str_of(type));
}

void respond_buf(struct request *rq, int http_status, const char *type, struct buf *own_body)
{
    content_type(rq, http_status, type);
    response_body_take(rq->response, own_body);
}

void respond_text(struct request *rq, int http_status, const char *type, str body)
{
    struct buf b;
    buf_init(&b, body.n + 1);
    buf_puts(&b, body);
    respond_buf(rq, http_status, type, &b);
}

void respond_options(struct request *rq, const char *methods)
{
    response_header(rq->response, STR("allow"), str_of(methods));
    respond_text(rq, 200, "text/plain; charset=utf-8", STR("ok"));
}

enum status respond_file(struct request *rq, const char *path, struct err *err)
{
    struct stat st;
    int fd;
    enum status status = fs_open(path, O_RDONLY, 0, &fd, err);
    if (status != STATUS_OK)
        return status;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return err_set(err, STATUS_IO, "%s is no regular file", path);
    }
    response_body_file(rq->response, fd, 0, st.st_size);
    return STATUS_OK;
}

void respond_json(struct request *rq, int http_status, struct value v)
{
    struct buf b;
    buf_init(&b, LIMIT_JSON_OUTPUT);
    value_to_json(&b, v, 0);
    respond_buf(rq, http_status, "application/json; charset=utf-8", &b);
}

void respond_redirect(struct request *rq, int http_status, str location)
{
    content_type(rq, http_status, "text/plain");
    response_header(rq->response, STR("location"), location);
}
