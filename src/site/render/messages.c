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

void messages_add(struct request *rq, str text, enum message_type type)
{
    struct value list = read_messages(rq, rq->arena), pair = value_list(rq->arena);
    value_push(pair, value_str(text));
    value_push(pair, value_int(type));
    value_push(list, pair);
    set_cookie(rq, sign_dumps(rq->arena, rq->site->secret, STR("messages"), list), "");
}

struct value messages_take(struct request *rq, struct arena *a)
{
    struct value list = read_messages(rq, a);
    if (value_count(list))
        set_cookie(rq, STR(""), "; Max-Age=0; expires=Thu, 01 Jan 1970 00:00:00 GMT");
    return list;
}
