/* SPDX-License-Identifier: Apache-2.0 */
#include "site/render/messages.h"

#include "codec/sign.h"
#include "http/cookie.h"
#include "site/request.h"

#define COOKIE_NAME "ds_messages"

static struct value read_messages(const struct request *rq, struct arena *a)
{
    str raw = cookie_find(a, http_header(rq->http, STR("cookie")), STR(COOKIE_NAME));
    struct value v;
    if (!raw.n || sign_loads(a, rq->site->secret, STR("messages"), raw, &v, NULL) != STATUS_OK || v.kind != VALUE_LIST)
        return value_list(a);
    return v;
}

static void set_cookie(struct request *rq, str value, const char *tail)
{
    response_header(rq->response, STR("set-cookie"),
                    ARENA_CAT(rq->arena, STR(COOKIE_NAME "="), value, STR("; Path=/; SameSite=lax"), str_of(tail)));
}

/* The Set-Cookie header that an earlier call added to this answer. */
static struct http_header *own_cookie(struct request *rq)
{
    struct http_headers *h = &rq->response->headers;
    for (size_t i = 0; i < h->count; i++)
        if (str_eq_nocase(h->items[i].name, STR("set-cookie")) && str_starts(h->items[i].value, STR(COOKIE_NAME "=")))
            return &h->items[i];
    return NULL;
}

/* Those of the request and those that this answer adds already. */
static struct value pending(struct request *rq)
{
    const struct http_header *mine = own_cookie(rq);
    str raw, rest;
    struct value v;
    if (!mine)
        return read_messages(rq, rq->arena);
    str_cut(str_from(mine->value, sizeof COOKIE_NAME), ';', &raw, &rest);
    bool ok = sign_loads(rq->arena, rq->site->secret, STR("messages"), raw, &v, NULL) == STATUS_OK;
    return ok && v.kind == VALUE_LIST ? v : value_list(rq->arena);
}

void messages_add(struct request *rq, str text, enum message_type type)
{
    struct value list = pending(rq), pair = value_list(rq->arena);
    value_push(pair, value_str(text));
    value_push(pair, value_int(type));
    value_push(list, pair);
    str signed_list = sign_dumps(rq->arena, rq->site->secret, STR("messages"), list);
    struct http_header *mine = own_cookie(rq);
    if (mine)
        mine->value = ARENA_CAT(rq->arena, STR(COOKIE_NAME "="), signed_list, STR("; Path=/; SameSite=lax"));
    else
        set_cookie(rq, signed_list, "");
}

struct value messages_take(struct request *rq, struct arena *a)
{
    struct value list = read_messages(rq, a);
    if (value_count(list))
        set_cookie(rq, STR(""), "; Max-Age=0; expires=Thu, 01 Jan 1970 00:00:00 GMT");
    return list;
}
