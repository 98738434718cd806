/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/request.h"

#include "base/clock.h"
#include "base/limits.h"
#include "http/cookie.h"

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
    if (!path.n || path.n > 2048 || path.p[0] != '/' || (path.n > 1 && path.p[1] == '/'))
        return STR("/");
    for (size_t i = 0; i < path.n; i++)
        if ((unsigned char)path.p[i] <= 0x20 || (unsigned char)path.p[i] >= 0x7f || path.p[i] == '\\')
            return STR("/");
    return path;
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

str hub_cookie_of(const struct hub_request *rq, const char *name)
{
    return cookie_find(rq->a, http_header(rq->http, STR("cookie")), cookie_name(rq, name));
}
