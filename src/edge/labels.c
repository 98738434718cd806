/* SPDX-License-Identifier: Apache-2.0 */
/* labels — routers out of the labels of containers. One pass collects (router, container) pairs, a second makes an app
 * of each router; what the containers of one router say differently is a mistake of that router alone. */
#include "edge/labels.h"

#include "base/limits.h"
#include "edge/model.h"
#include "edge/rule.h"

#define ROUTERS     "traefik.http.routers."
#define SERVICES    "traefik.http.services."
#define MIDDLEWARES "traefik.http.middlewares."

struct router {
    str name, rule, strip, health; /* strip: the path that its middleware takes away */
    struct value to;
    bool told; /* a mistake was told */
};
struct reader {
    struct arena *a;
    const struct labels_out *out;
    VEC(struct router) routers;
};

static void broken(struct reader *r, struct router *router, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void broken(struct reader *r, struct router *router, const char *fmt, ...)
{
    struct err err = ERR_INIT;
    va_list ap;
    if (router->told)
        return;
    router->told = true;
    va_start(ap, fmt);
    err_vset(&err, STATUS_INVALID, fmt, ap);
    va_end(ap);
    r->out->broken(r->out->arg, router->name, &err);
}

/* ---- one container ---- */

/* "PREFIX NAME.SUFFIX": the name; empty when the label is another. */
static str name_in(str label, str prefix, str suffix)
{
    if (label.n <= prefix.n + suffix.n || !str_eq_nocase(str_sub(label, 0, prefix.n), prefix) ||
        !str_eq_nocase(str_from(label, label.n - suffix.n), suffix))
        return STR("");
    str name = str_sub(label, prefix.n, label.n - suffix.n);
    return str_find_char(name, '.') == STR_NPOS ? name : STR("");
}

static str label(struct value labels, struct arena *a, const char *prefix, str name, const char *suffix)
{
    str key = ARENA_CAT(a, str_of(prefix), name, str_of(suffix));
    for (size_t i = 0; labels.kind == VALUE_DICT && i < value_count(labels); i++)
        if (str_eq_nocase(labels.dict->entries[i].key, key) && labels.dict->entries[i].value.kind == VALUE_STR)
            return labels.dict->entries[i].value.s;
    return STR("");
}

/* The service of a router: the one it names, or the container's only one, or none (""). */
static str service_of(struct reader *r, struct value labels, str router)
{
    str named = label(labels, r->a, ROUTERS, router, ".service"), only = STR("");
    for (size_t i = 0; !named.n && i < value_count(labels); i++) {
        str key = labels.dict->entries[i].key, service, rest;
        if (!str_eq_nocase(str_sub(key, 0, sizeof(SERVICES) - 1), STR(SERVICES)))
            continue;
        str_cut(str_from(key, sizeof(SERVICES) - 1), '.', &service, &rest);
        if (only.n && !str_eq(only, service))
            return STR("");
        only = service;
    }
    return named.n ? named : only;
}

static int64_t exposed_port(struct value ports)
{
    int64_t least = 0;
    for (size_t i = 0; i < value_count(ports); i++) {
        struct value one = value_at(ports, i), port = VALUE_GET(one, "PrivatePort");
        str type = value_get_text(one, STR("Type"));
        if (port.kind == VALUE_INT && (!type.n || str_is(type, "tcp")) && (!least || port.i < least))
            least = port.i;
    }
    return least;
}

/* Where the container listens: its address in the network, or the port that the engine publishes for it. */
static str address_of(struct reader *r, struct value c, int64_t port)
{
    struct value networks = VALUE_GET(VALUE_GET(c, "NetworkSettings"), "Networks"), ports = VALUE_GET(c, "Ports");
    struct value labels = VALUE_GET(c, "Labels");
    str wanted = label(labels, r->a, "traefik.docker.network", STR(""), "");
    for (size_t i = 0; networks.kind == VALUE_DICT && i < value_count(networks); i++) {
        str network = networks.dict->entries[i].key;
        str ip = value_get_text(networks.dict->entries[i].value, STR("IPAddress"));
        if (str_is(network, "host"))
            ip = STR("127.0.0.1");
        if (ip.n && (!wanted.n || str_eq(wanted, network)))
            return arena_printf(r->a, str_find_char(ip, ':') == STR_NPOS ? "%.*s:%lld" : "[%.*s]:%lld", STR_ARG(ip),
                                (long long)port);
    }
    for (size_t i = 0; !wanted.n && i < value_count(ports); i++) {
        struct value out = VALUE_GET(value_at(ports, i), "PublicPort");
        struct value in = VALUE_GET(value_at(ports, i), "PrivatePort");
        if (out.kind == VALUE_INT && in.kind == VALUE_INT && in.i == port)
            return arena_printf(r->a, "127.0.0.1:%lld", (long long)out.i);
    }
    return STR("");
}

/* The path that the router's middlewares take away. False: there is one that does something else. */
static bool read_middlewares(struct reader *r, struct value labels, struct router *router)
{
    str rest = label(labels, r->a, ROUTERS, router->name, ".middlewares"), one;
    while (rest.n) {
        str_cut(rest, ',', &one, &rest);
        one = str_trim(one);
        str name, provider;
        str_cut(one, '@', &name, &provider);
        str prefixes = label(labels, r->a, MIDDLEWARES, name, ".stripprefix.prefixes");
        if (!prefixes.n || str_find_char(prefixes, ',') != STR_NPOS || router->strip.n) {
            broken(r, router, "%.*s: the middleware \"%.*s\" is not known here, only one stripprefix with one path",
                   STR_ARG(router->name), STR_ARG(str_sub(one, 0, 80)));
            return false;
        }
        router->strip = prefixes;
    }
    return true;
}

static bool same_text(struct reader *r, struct router *known, str a, str b, const char *what)
{
    if (str_eq(a, b))
        return true;
    broken(r, known, "%.*s: its containers do not agree on %s", STR_ARG(known->name), what);
    return false;
}

static void add_router(struct reader *r, struct value c, str name, str rule)
{
    struct value labels = VALUE_GET(c, "Labels");
    struct router here = {.name = name, .rule = rule, .to = value_list(r->a)};
    struct router *known = NULL;
    str service = service_of(r, labels, name);
    str port_text = label(labels, r->a, SERVICES, service, ".loadbalancer.server.port");
    str scheme = label(labels, r->a, SERVICES, service, ".loadbalancer.server.scheme");
    int64_t port = exposed_port(VALUE_GET(c, "Ports"));
    here.health = label(labels, r->a, SERVICES, service, ".loadbalancer.healthcheck.path");
    for (size_t i = 0; i < r->routers.count && !known; i++)
        if (str_eq(r->routers.items[i].name, name))
            known = &r->routers.items[i];
    bool news = !known;
    if (news) {
        VEC_PUSH(r->a, &r->routers, here);
        known = &r->routers.items[r->routers.count - 1];
    }
    if (scheme.n && !str_is(scheme, "http"))
        broken(r, known, "%.*s: the scheme %.*s is not spoken to apps", STR_ARG(name), STR_ARG(str_sub(scheme, 0, 40)));
    if (port_text.n && (!str_to_i64(port_text, &port) || port < 1 || port > 65535))
        broken(r, known, "%.*s: \"%.*s\" is no port", STR_ARG(name), STR_ARG(str_sub(port_text, 0, 40)));
    if (!port)
        broken(r, known, "%.*s: it exposes no port; the label " SERVICES "NAME.loadbalancer.server.port says it",
               STR_ARG(name));
    if (known->told || !read_middlewares(r, labels, news ? known : &here))
        return;
    str where = address_of(r, c, port);
    if (!where.n)
        broken(r, known, "%.*s: the container has no address in the network", STR_ARG(name));
    else if (same_text(r, known, known->rule, rule, "the rule") &&
             same_text(r, known, known->health, here.health, "the health check") &&
             (news || same_text(r, known, known->strip, here.strip, "the middlewares")))
        value_push(known->to, value_str(where));
}

/* "Up 3 minutes (unhealthy)", "Up 2 seconds (health: starting)": not yet, or no longer. */
static bool is_well(struct value c)
{
    str state = value_get_text(c, STR("State")), status = value_get_text(c, STR("Status"));
    return (!state.n || str_is(state, "running")) && str_find(status, STR("(unhealthy)")) == STR_NPOS &&
           str_find(status, STR("(health: starting)")) == STR_NPOS;
}

static void read_container(struct reader *r, struct value c)
{
    struct value labels = VALUE_GET(c, "Labels");
    str id = value_get_text(c, STR("Id"));
    if (labels.kind != VALUE_DICT || !is_well(c) ||
        str_eq_nocase(label(labels, r->a, "traefik.enable", STR(""), ""), STR("false")) ||
        (r->out->leaving && r->out->leaving(r->out->arg, id)))
        return;
    for (size_t i = 0; i < value_count(labels); i++) {
        const struct value_entry *e = &labels.dict->entries[i];
        str name = name_in(e->key, STR(ROUTERS), STR(".rule"));
        if (name.n && e->value.kind == VALUE_STR)
            add_router(r, c, name, e->value.s);
    }
}

/* ---- apps ---- */

/* Names of apps are narrower than those of routers: "Web.App" is web-app. */
static str app_name(struct reader *r, str router, size_t number)
{
    char *p = arena_cstr(r->a, str_sub(router, 0, LIMIT_EDGE_NAME - 4));
    for (size_t i = 0; p[i]; i++) {
        char c = str_lower_char(p[i]);
        p[i] = edge_name_ok(str_make(&c, 1)) ? c : i ? '-' : '_';
    }
    return number ? arena_printf(r->a, "%s-%zu", p, number + 1) : str_of(p);
}

static void put_app(struct reader *r, struct router *router, struct rule_place *places, size_t count, size_t first,
                    size_t number)
{
    struct value v = value_dict(r->a), hosts = value_list(r->a);
    str path = places[first].path;
    bool any = false;
    for (size_t i = first; i < count; i++)
        if (str_eq(places[i].path, path)) {
            any = any || !places[i].host.n;
            value_push(hosts, value_str(places[i].host));
        }
    VALUE_SET(v, "name", value_str(app_name(r, router->name, number)));
    if (!any)
        VALUE_SET(v, "host", hosts);
    VALUE_SET(v, "path", value_str(path));
    VALUE_SET(v, "to", router->to);
    if (router->strip.n)
        VALUE_SET(v, "strip", value_bool(true));
    if (router->health.n)
        VALUE_SET(v, "health", value_str(router->health));
    r->out->app(r->out->arg, number ? arena_printf(r->a, "%.*s %zu", STR_ARG(router->name), number + 1) : router->name,
                v);
}

static void finish(struct reader *r, struct router *router)
{
    struct rule_place *places = NULL;
    struct err err = ERR_INIT;
    size_t count = 0, number = 0;
    if (router->told)
        return;
    if (rule_parse(r->a, router->rule, &places, &count, &err) != STATUS_OK) {
        broken(r, router, "%.*s: %.800s", STR_ARG(router->name), err.text);
        return;
    }
    str strip = router->strip;
    while (strip.n > 1 && strip.p[strip.n - 1] == '/')
        strip.n--;
    for (size_t i = 0; i < count && strip.n; i++)
        if (!str_eq(places[i].path, strip)) {
            broken(r, router, "%.*s: stripprefix takes away %.*s, which is not the path of its rule",
                   STR_ARG(router->name), STR_ARG(str_sub(strip, 0, 80)));
            return;
        }
    for (size_t i = 0; i < count; i++) {
        bool first = true;
        for (size_t k = 0; k < i; k++)
            first = first && !str_eq(places[k].path, places[i].path);
        if (first)
            put_app(r, router, places, count, i, number++);
    }
}

enum status labels_read(struct arena *a, struct value containers, const struct labels_out *out, struct err *err)
{
    struct reader r = {.a = a, .out = out};
    if (containers.kind != VALUE_LIST)
        return err_set(err, STATUS_INVALID, "the engine's answer is no list of containers");
    for (size_t i = 0; i < value_count(containers); i++)
        read_container(&r, value_at(containers, i));
    for (size_t i = 0; i < r.routers.count; i++)
        finish(&r, &r.routers.items[i]);
    return STATUS_OK;
}
