/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/request.h"

#include "base/clock.h"
#include "base/limits.h"
#include "http/cookie.h"
#include "http/forwarded.h"
#include "http/uri.h"

static str client_of(struct hub *h, struct arena *a, const struct http_request *http)
{
    struct forwarded f;
    forwarded_find(&h->config.proxies, &http->headers, http->peer, &f);
    return arena_str(a, str_of(f.client));
}

static str crowd_of(struct arena *a, str client)
{
    char text[CLIENT_TEXT_MAX];
    client_network(client, text);
    return arena_str(a, str_of(text));
}

struct hub_request *hub_request_new(struct hub *h, struct http_exchange *x)
{
    const struct http_request *http = http_exchange_request(x);
    struct hub_request *rq = ARENA_NEW(http->arena, struct hub_request);
    *rq = (struct hub_request){.hub = h,
                               .exchange = x,
                               .http = http,
                               .a = http->arena,
                               .client = client_of(h, http->arena, http),
                               .args = value_dict(http->arena),
                               .form = value_dict(http->arena)};
    rq->crowd = crowd_of(rq->a, rq->client);
    response_init(&rq->response, http->arena);
    return rq;
}

bool hub_same_origin(const struct hub_request *rq)
{
    str site = http_header(rq->http, STR("sec-fetch-site")), origin = http_header(rq->http, STR("origin"));
    if (origin.n && !str_is(origin, "null"))
        return str_eq_nocase(origin, rq->hub->config.origin);
    if (site.n)
        return str_is(site, "same-origin");
    return !http_header(rq->http, STR("cookie")).n; /* no browser: no cookie that could be used behind one's back */
}

str hub_field(const struct hub_request *rq, const char *name)
{
    return str_trim(value_get_text(rq->form, str_of(name)));
}

str hub_arg(const struct hub_request *rq, const char *name)
{
    return str_trim(value_get_text(rq->args, str_of(name)));
}

str hub_user_id(const struct hub_request *rq)
{
    return value_get_text(rq->user, STR("id"));
}

bool hub_is_post(const struct hub_request *rq)
{
    return rq->http->method == HTTP_POST;
}

str hub_day(struct arena *a, int64_t unix_s)
{
    char iso[CLOCK_ISO_LEN + 1];
    if (!unix_s)
        return STR("");
    clock_format_iso_ms(unix_s * 1000000, iso);
    return arena_printf(a, "%.10s %.5s UTC", iso, iso + 11);
}

struct value hub_when(struct arena *a, int64_t unix_s, int64_t now_s)
{
    static const struct {
        int64_t below_s, unit_s; /* ages below this are said in units of that */
        const char *name;
    } units[] = {{3600, 60, "minute"}, {86400, 3600, "hour"}, {30 * 86400, 86400, "day"}};
    char iso[CLOCK_ISO_LEN + 1];
    struct value v = value_dict(a);
    int64_t age = now_s - unix_s;
    if (!unix_s)
        return VALUE_NULL;
    clock_format_iso_ms(unix_s * 1000000, iso);
    str words = age < 60 ? STR("just now") : arena_printf(a, "%.10s", iso);
    for (size_t i = 0; age >= 60 && i < ARRAY_LEN(units); i++) {
        int64_t n = age / units[i].unit_s;
        if (age >= units[i].below_s)
            continue;
        words = arena_printf(a, "%lld %s%s ago", (long long)n, units[i].name, n == 1 ? "" : "s");
        break;
    }
    VALUE_SET(v, "words", value_str(words));
    VALUE_SET(v, "iso", value_str(arena_printf(a, "%.19sZ", iso)));
    return v;
}

void hub_say_when(struct arena *a, struct value rows, const char *column)
{
    int64_t now = clock_unix_s();
    for (size_t i = 0; i < value_count(rows); i++) {
        struct value row = value_at(rows, i);
        value_set(row, str_of(column), hub_when(a, value_get(row, str_of(column)).i, now));
    }
}

enum status hub_conn(struct hub_request *rq, struct conn **ret, struct err *err)
{
    enum status st = rq->conn ? STATUS_OK : store_read(rq->hub->store, &rq->conn, err);
    if (st == STATUS_OK)
        *ret = rq->conn;
    return st;
}

void hub_conn_release(struct hub_request *rq)
{
    conn_release(rq->conn);
    rq->conn = NULL;
}

str hub_safe_path(str path)
{
    return uri_is_own_path(path) ? path : STR("/");
}

/* Over https the prefix keeps other hosts, and with them spaces, from setting or reading it (RFC 6265bis 4.1.3.2). */
static str cookie_name(const struct hub_request *rq, const char *name)
{
    return arena_printf(rq->a, "%s%s", rq->hub->config.secure ? "__Host-" : "", name);
}

void hub_cookie(struct hub_request *rq, const char *name, str value, int64_t life_s)
{
    unsigned flags = COOKIE_HTTP_ONLY | COOKIE_LAX | (rq->hub->config.secure ? COOKIE_SECURE : 0);
    str line = cookie_format(rq->a, cookie_name(rq, name), value, STR("/"), life_s, flags);
    if (line.n)
        response_header(&rq->response, STR("set-cookie"), line);
}

/* Without https a page of a space can set a cookie for the whole domain. Then there are two of the name, and nobody can
 * tell which is ours: none is. */
str hub_cookie_of(const struct hub_request *rq, const char *name)
{
    return cookie_find_only(rq->a, http_header(rq->http, STR("cookie")), cookie_name(rq, name));
}
