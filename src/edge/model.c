/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/model.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "http/uri.h"

const char *const edge_counter_names[EDGE_COUNTERS] = {
    [EDGE_REQUESTS] = "requests",       [EDGE_1XX] = "answers_1xx",      [EDGE_2XX] = "answers_2xx",
    [EDGE_3XX] = "answers_3xx",         [EDGE_4XX] = "answers_4xx",      [EDGE_5XX] = "answers_5xx",
    [EDGE_HTTP1] = "requests_http1",    [EDGE_HTTP2] = "requests_http2", [EDGE_GONE] = "clients_gone",
    [EDGE_CUT] = "answers_cut",         [EDGE_RETRIES] = "retries",      [EDGE_SPOOLED] = "spooled",
    [EDGE_UNSPOOLED] = "unspooled",     [EDGE_REPLAYS] = "replays",      [EDGE_HELD] = "held",
    [EDGE_HELD_LOST] = "held_lost",     [EDGE_BYTES_IN] = "bytes_in",    [EDGE_BYTES_OUT] = "bytes_out",
    [EDGE_DURATION_US] = "duration_us", [EDGE_RATED] = "rate_refused",
};

struct edge_app *edge_app_new(str name, unsigned loops)
{
    struct edge_app *app = mem_alloc(sizeof(*app) + loops * sizeof(app->shares[0]));
    ASSERT(edge_name_ok(name) && loops > 0 && loops <= LIMIT_EDGE_LOOPS);
    memcpy(app->name, name.p, name.n);
    app->loops = loops;
    for (unsigned i = 0; i < loops; i++)
        app->shares[i].queue.app = app;
    return app;
}

struct edge_instance *edge_instance_new(struct edge_app *app, uint64_t id)
{
    struct edge_instance *i = mem_alloc(sizeof(*i) + app->loops * sizeof(i->places[0]));
    i->id = id;
    i->app = app;
    (void)snprintf(i->name, sizeof(i->name), "%s.%llu", app->name, (unsigned long long)id);
    return i;
}

uint64_t edge_app_count(const struct edge_app *app, enum edge_counter which)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < app->loops; i++)
        sum += count_get(&app->shares[i].counts[which]);
    return sum;
}

uint32_t edge_app_writes(const struct edge_app *app)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < app->loops; i++)
        sum += count_get(&app->shares[i].writes);
    return (uint32_t)sum;
}

uint32_t edge_app_in_hand(const struct edge_app *app)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < app->loops; i++)
        sum += count_get(&app->shares[i].in_hand);
    return (uint32_t)sum;
}

int64_t edge_app_last_us(const struct edge_app *app)
{
    int64_t last = 0;
    for (size_t i = 0; i < app->loops; i++)
        last = MAX(last, atomic_load_explicit(&app->shares[i].last_us, memory_order_relaxed));
    return last;
}

bool edge_is_read(str method)
{
    return str_is(method, "GET") || str_is(method, "HEAD") || str_is(method, "OPTIONS");
}

uint32_t edge_instance_busy(const struct edge_instance *instance)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < instance->app->loops; i++)
        sum += atomic_load_explicit(&instance->places[i].busy, memory_order_acquire);
    return sum;
}

/* ---- the table ---- */

struct edge_table *edge_table_new(uint64_t version)
{
    struct edge_table *t = MEM_NEW(struct edge_table);
    atomic_init(&t->refs, 1);
    t->version = version;
    t->arena = arena_new(0);
    return t;
}

static void *add_item(struct arena *a, void *items, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return items;
    *room = *room ? *room * 2 : 16;
    return arena_grow(a, items, count * size, *room * size);
}

struct edge_target *edge_table_add_target(struct edge_table *t, const struct edge_target *like)
{
    struct edge_target *target = ARENA_NEW(t->arena, struct edge_target);
    *target = *like;
    target->instances = ARENA_ARRAY(t->arena, struct edge_instance *, like->count + 1);
    if (like->count)
        memcpy(target->instances, like->instances, like->count * sizeof(*like->instances));
    target->message = arena_str(t->arena, like->message);
    t->targets = add_item(t->arena, t->targets, t->target_count, &t->target_room, sizeof(*t->targets));
    t->targets[t->target_count++] = target;
    return target;
}

static void copy_route(struct edge_table *t, const struct edge_route *like, struct edge_route *r)
{
    *r = *like;
    r->host = arena_lower(t->arena, like->host);
    str path = like->path;
    while (path.n > 1 && path.p[path.n - 1] == '/')
        path.n--;
    r->path = arena_str(t->arena, path.n ? path : STR("/"));
    r->redirect = arena_str(t->arena, like->redirect);
}

void edge_table_add_route(struct edge_table *t, const struct edge_route *like)
{
    t->routes = add_item(t->arena, t->routes, t->route_count, &t->route_room, sizeof(*t->routes));
    copy_route(t, like, &t->routes[t->route_count++]);
}

void edge_table_add_coming(struct edge_table *t, const struct edge_route *like)
{
    t->coming = add_item(t->arena, t->coming, t->coming_count, &t->coming_room, sizeof(*t->coming));
    copy_route(t, like, &t->coming[t->coming_count++]);
}

void edge_table_add_token(struct edge_table *t, str token, str text)
{
    t->tokens = add_item(t->arena, t->tokens, t->token_count, &t->token_room, sizeof(*t->tokens));
    t->tokens[t->token_count++] = (struct edge_token){arena_str(t->arena, token), arena_str(t->arena, text)};
}

str edge_table_token(const struct edge_table *t, str path)
{
    static const str folder = {"/.well-known/acme-challenge/", 28};
    for (size_t i = 0; i < t->token_count && str_starts(path, folder); i++)
        if (str_eq(t->tokens[i].token, str_from(path, folder.n)))
            return t->tokens[i].text;
    return (str){0};
}

static int host_rank(str host)
{
    return !host.n ? 2 : host.p[0] == '*' ? 1 : 0;
}

static int compare_routes(const void *a, const void *b)
{
    const struct edge_route *x = a, *y = b;
    int by_rank = host_rank(x->host) - host_rank(y->host);
    if (by_rank)
        return by_rank;
    if (x->host.n != y->host.n) /* of wildcards the longer one is nearer */
        return x->host.n > y->host.n ? -1 : 1;
    int by_host = str_cmp(x->host, y->host);
    if (by_host)
        return by_host;
    return x->path.n != y->path.n ? (x->path.n > y->path.n ? -1 : 1) : str_cmp(x->path, y->path);
}

struct edge_table *edge_table_ref(struct edge_table *t)
{
    atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
    return t;
}

void edge_table_unref(struct edge_table *t)
{
    if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
        return;
    arena_free(t->arena);
    free(t);
}

/* Without port and without the dot of a full name: "Example.com.:80" is example.com. */
static str bare_host(str host)
{
    size_t colon = str_rfind_char(host, ':'), bracket = str_rfind_char(host, ']');
    if (colon != STR_NPOS && (bracket == STR_NPOS || colon > bracket))
        host = str_sub(host, 0, colon);
    if (host.n > 1 && host.p[host.n - 1] == '.')
        host.n--;
    return host;
}

/* ---- looking up ----
 *
 * Routes lie in order: exact hosts, wildcards, any; of one host the longer paths first. Routes of one host are a group.
 * Two hash tables, made once: host -> group, and (group, path) -> route. A request asks for its host, then for each
 * wildcard that could cover it, then for any; and in a group for the prefixes of its path that end at a "/", none
 * longer than the longest path there. So the cost depends on the request, not on how many apps there are. */

static size_t slots_for(size_t items)
{
    size_t n = 8;
    while (n < items * 2)
        n *= 2;
    return n;
}

static uint64_t hash_path(size_t group, str path)
{
    return (str_hash(path) ^ group) * UINT64_C(0x9e3779b97f4a7c15);
}

/* The slot of a key: the one that holds it, or the free one where it belongs. */
static uint32_t *group_slot(const struct edge_table *t, str host)
{
    for (uint64_t i = str_hash(host);; i++) {
        uint32_t *slot = &t->group_index[i & (t->group_slots - 1)];
        if (!*slot || str_eq(t->groups[*slot - 1].host, host))
            return slot;
    }
}

static uint32_t *route_slot(const struct edge_table *t, size_t group, str path)
{
    for (uint64_t i = hash_path(group, path) >> 16;; i++) {
        uint32_t *slot = &t->route_index[i & (t->route_slots - 1)];
        if (!*slot || (t->routes[*slot - 1].group == group && str_eq(t->routes[*slot - 1].path, path)))
            return slot;
    }
}

static uint32_t *app_slot(const struct edge_table *t, const struct edge_app *app)
{
    for (uint64_t i = ((uintptr_t)app * UINT64_C(0x9e3779b97f4a7c15)) >> 32;; i++) {
        uint32_t *slot = &t->app_index[i & (t->app_slots - 1)];
        if (!*slot || t->targets[*slot - 1]->app == app)
            return slot;
    }
}

static void make_index(struct edge_table *t)
{
    t->app_slots = slots_for(t->target_count + 1);
    t->app_index = ARENA_ARRAY(t->arena, uint32_t, t->app_slots);
    for (size_t i = 0; i < t->target_count; i++)
        *app_slot(t, t->targets[i]->app) = (uint32_t)i + 1;
    t->groups = ARENA_ARRAY(t->arena, struct edge_group, t->route_count + 1);
    t->group_slots = t->route_slots = slots_for(t->route_count + 1);
    t->group_index = ARENA_ARRAY(t->arena, uint32_t, t->group_slots);
    t->route_index = ARENA_ARRAY(t->arena, uint32_t, t->route_slots);
    for (size_t i = 0; i < t->route_count; i++) {
        struct edge_route *r = &t->routes[i];
        uint32_t *slot = group_slot(t, r->host);
        if (!*slot) {
            t->groups[t->group_count] = (struct edge_group){.host = r->host, .path_max = r->path.n};
            *slot = (uint32_t)++t->group_count;
        }
        r->group = *slot - 1;
        slot = route_slot(t, r->group, r->path);
        if (!*slot)
            *slot = (uint32_t)i + 1;
    }
}

void edge_table_finish(struct edge_table *t)
{
    if (t->route_count)
        qsort(t->routes, t->route_count, sizeof(*t->routes), compare_routes);
    make_index(t);
}

static const struct edge_route *find_path(const struct edge_table *t, str host, str path)
{
    uint32_t found = *group_slot(t, host);
    if (!found)
        return NULL;
    size_t group = found - 1;
    for (size_t n = MIN(path.n, t->groups[group].path_max); n > 1; n--) {
        if (n < path.n && path.p[n] != '/')
            continue;
        found = *route_slot(t, group, str_sub(path, 0, n));
        if (found)
            return &t->routes[found - 1];
    }
    found = *route_slot(t, group, STR("/"));
    return found ? &t->routes[found - 1] : NULL;
}

const struct edge_route *edge_table_find(const struct edge_table *t, str host, str path)
{
    char name[LIMIT_EDGE_HOST + 2];
    const struct edge_route *r = NULL;
    host = bare_host(host);
    if (!t->route_count)
        return NULL;
    if (host.n && host.n <= LIMIT_EDGE_HOST) {
        r = find_path(t, str_lower(name, host), path);
        /* "a.b.test": "*.b.test", then "*.test"; a host that begins with a dot has nothing below it */
        for (size_t i = 1; !r && i < host.n; i++)
            if (name[i] == '.') {
                char before = name[i - 1];
                name[i - 1] = '*';
                r = find_path(t, str_make(name + i - 1, host.n - i + 1), path);
                name[i - 1] = before;
            }
    }
    return r ? r : find_path(t, STR(""), path);
}

static bool covers(const struct edge_route *r, str host, str path)
{
    bool below = r->host.n && r->host.p[0] == '*' && host.n > r->host.n - 1 &&
                 str_eq_nocase(str_from(host, host.n - (r->host.n - 1)), str_from(r->host, 1));
    bool inside = r->path.n == 1 || (str_starts(path, r->path) && (path.n == r->path.n || path.p[r->path.n] == '/'));
    return inside && (!r->host.n || below || str_eq_nocase(host, r->host));
}

const struct edge_route *edge_table_find_coming(const struct edge_table *t, str host, str path)
{
    host = bare_host(host);
    for (size_t i = 0; i < t->coming_count; i++)
        if (covers(&t->coming[i], host, path))
            return &t->coming[i];
    return NULL;
}

struct edge_target *edge_table_target(const struct edge_table *t, const struct edge_app *app)
{
    uint32_t found = t->app_slots ? *app_slot(t, app) : 0;
    return found ? t->targets[found - 1] : NULL;
}

/* ---- checks ---- */

bool edge_name_ok(str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_' && !(c == '-' && i))
            return false;
    }
    return name.n > 0 && name.n <= LIMIT_EDGE_NAME;
}

enum status edge_host_check(str host, struct err *err)
{
    str name = str_starts(host, STR("*.")) ? str_from(host, 2) : host;
    if (host.n > LIMIT_EDGE_HOST ||
        (host.n && (!name.n || !uri_authority_ok(name) || str_find_char(name, '*') != STR_NPOS)))
        err_set(err, STATUS_INVALID, "\"%.*s\" is no host name", STR_ARG(str_sub(host, 0, 100)));
    else if (bare_host(name).n != name.n)
        err_set(err, STATUS_INVALID, "\"%.*s\": a host is written without port", STR_ARG(host));
    else
        return STATUS_OK;
    err_hint(err, "Write www.example.com, or *.example.com for all names below it.");
    return STATUS_INVALID;
}

enum status edge_path_check(str path, struct err *err)
{
    struct uri_target parts;
    bool ok = path.n && path.n <= LIMIT_EDGE_PATH && path.p[0] == '/' &&
              uri_parse_target(path, false, false, &parts, NULL) == STATUS_OK && !parts.has_query;
    str rest = path, segment;
    while (ok && rest.n) {
        str_cut(rest, '/', &segment, &rest);
        ok = !str_is(segment, ".") && !str_is(segment, "..");
    }
    if (ok)
        return STATUS_OK;
    err_set(err, STATUS_INVALID, "\"%.*s\" is no path", STR_ARG(str_sub(path, 0, 100)));
    err_hint(err, "A path begins with /, as in /shop.");
    return STATUS_INVALID;
}
