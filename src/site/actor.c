/* SPDX-License-Identifier: Apache-2.0 */
#include "site/actor.h"

#include "base/clock.h"
#include "codec/sign.h"
#include "http/cookie.h"
#include "site/request.h"

#define COOKIE_NAME  "ds_actor"
#define TOKEN_PREFIX "dstok_"

static enum status bad_token(struct err *err, const char *why)
{
    return err_set(err, STATUS_UNAUTHENTICATED, "%s", why);
}

/* Age limits: the token's own "d" and the max_signed_tokens_ttl setting, whichever is shorter. */
static enum status check_age(const struct request *rq, struct value payload, int64_t *ret_expires, struct err *err)
{
    struct value issued = VALUE_GET(payload, "t"), duration = VALUE_GET(payload, "d");
    int64_t ttl = rq->site->config.settings.max_signed_tokens_ttl, life = 0;
    if (issued.kind != VALUE_INT)
        return bad_token(err, "Invalid token: no issue time");
    if (!value_is_null(duration) && (duration.kind != VALUE_INT || duration.i < 0))
        return bad_token(err, "Invalid token: bad duration");
    if (duration.kind == VALUE_INT)
        life = duration.i;
    if (ttl && (!life || life > ttl))
        life = ttl;
    *ret_expires = 0;
    if (!life)
        return STATUS_OK;
    if (__builtin_add_overflow(issued.i, life, ret_expires))
        return bad_token(err, "Invalid token: bad issue time");
    return clock_unix_s() > *ret_expires ? bad_token(err, "Token has expired") : STATUS_OK;
}

static enum status from_token(struct request *rq, str token, struct err *err)
{
    struct arena *a = rq->arena;
    struct value payload;
    int64_t expires = 0;
    if (!rq->site->config.settings.allow_signed_tokens)
        return bad_token(err, "Signed tokens are not enabled");
    if (sign_loads(a, rq->site->secret, STR("token"), token, &payload, NULL) != STATUS_OK || payload.kind != VALUE_DICT)
        return bad_token(err, "Invalid token: bad signature");
    enum status st = check_age(rq, payload, &expires, err);
    if (st != STATUS_OK)
        return st;
    struct value actor = value_dict(a), restrictions = VALUE_GET(payload, "_r");
    VALUE_SET(actor, "id", VALUE_GET(payload, "a"));
    VALUE_SET(actor, "token", value_cstr("dstok"));
    if (!value_is_null(restrictions))
        VALUE_SET(actor, "_r", restrictions);
    if (VALUE_GET(payload, "d").kind == VALUE_INT || expires)
        VALUE_SET(actor, "token_expires", value_int(expires));
    rq->actor = actor;
    return STATUS_OK;
}

static void from_cookie(struct request *rq)
{
    struct arena *a = rq->arena;
    str raw = cookie_find(a, http_header(rq->http, STR("cookie")), STR(COOKIE_NAME));
    struct value payload;
    if (!raw.n || sign_loads(a, rq->site->secret, STR("actor"), raw, &payload, NULL) != STATUS_OK)
        return;
    struct value actor = VALUE_GET(payload, "a"), expires = VALUE_GET(payload, "e");
    int64_t at;
    if (value_is_text(expires) && (!base62_decode(expires.s, &at) || clock_unix_s() > at))
        return;
    if (actor.kind == VALUE_DICT)
        rq->actor = actor;
}

enum status actor_authenticate(struct request *rq, struct err *err)
{
    str authorization = http_header(rq->http, STR("authorization"));
    from_cookie(rq);
    if (!str_starts(authorization, STR("Bearer ")))
        return STATUS_OK;
    str token = str_trim(str_from(authorization, 7));
    if (!str_starts(token, STR(TOKEN_PREFIX)))
        return STATUS_OK;
    struct value cookie_actor = rq->actor;
    enum status st = from_token(rq, str_from(token, sizeof TOKEN_PREFIX - 1), err);
    if (st == STATUS_OK && !value_is_null(cookie_actor))
        rq->actor = cookie_actor;
    return st;
}

static void set_cookie(struct request *rq, str value, const char *tail)
{
    response_header(rq->response, STR("set-cookie"),
                    ARENA_CAT(rq->arena, STR(COOKIE_NAME "="), value, STR("; Path=/; SameSite=lax"), str_of(tail)));
}

void actor_set_cookie(struct request *rq, struct value actor, int64_t seconds)
{
    struct value payload = value_dict(rq->arena);
    VALUE_SET(payload, "a", actor);
    if (seconds)
        VALUE_SET(payload, "e", value_str(base62_encode(rq->arena, clock_unix_s() + seconds)));
    set_cookie(rq, sign_dumps(rq->arena, rq->site->secret, STR("actor"), payload), "");
}

void actor_clear_cookie(struct request *rq)
{
    set_cookie(rq, STR("\"\""), "; Max-Age=0; expires=Thu, 01 Jan 1970 00:00:00 GMT");
}

str actor_make_token(struct arena *a, str secret, str actor_id, int64_t seconds, struct value restrictions)
{
    struct value payload = value_dict(a);
    VALUE_SET(payload, "a", value_str(actor_id));
    VALUE_SET(payload, "t", value_int(clock_unix_s()));
    if (seconds)
        VALUE_SET(payload, "d", value_int(seconds));
    if (restrictions.kind == VALUE_DICT && value_count(restrictions))
        VALUE_SET(payload, "_r", restrictions);
    return ARENA_CAT(a, STR(TOKEN_PREFIX), sign_dumps(a, secret, STR("token"), payload));
}
