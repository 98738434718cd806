/* SPDX-License-Identifier: Apache-2.0 */
#include "site/actor.h"

#include "base/clock.h"
#include "base/log.h"
#include "codec/digest.h"
#include "codec/sign.h"
#include "http/cookie.h"
#include "site/access.h"
#include "site/accounts.h"
#include "site/fetch.h"
#include "site/request.h"
#include "site/share/guest.h"
#include "site/space/session.h"
#include "site/tokens.h"
#include "site/visitors.h"

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
        return bad_token(err, issued.kind == VALUE_UNDEFINED ? "Invalid token: no timestamp"
                                                             : "Invalid token: invalid timestamp");
    if (!value_is_null(duration) && (duration.kind != VALUE_INT || duration.i < 0))
        return bad_token(err, "Invalid token: invalid duration");
    if (duration.kind == VALUE_INT)
        life = duration.i;
    if (ttl && (!life || life > ttl))
        life = ttl;
    *ret_expires = 0;
    if (!life)
        return STATUS_OK;
    if (__builtin_add_overflow(issued.i, life, ret_expires))
        return bad_token(err, "Invalid token: invalid timestamp");
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
        return bad_token(err, "Invalid token signature");
    struct value record = VALUE_GET(payload, "i");
    enum status st = check_age(rq, payload, &expires, err);
    if (st == STATUS_OK && value_is_text(record))
        st = tokens_use(rq->site->shared->tokens, record.s, err);
    if (st != STATUS_OK)
        return st;
    struct value actor = value_dict(a), restrictions = VALUE_GET(payload, "_r");
    VALUE_SET(actor, "id", VALUE_GET(payload, "a"));
    if (rq->space) {
        actor = session_member(rq->space, a, value_get_text(payload, STR("a")));
        if (value_is_null(actor))
            return bad_token(err, "The token's owner is not a member of this space any more");
    }
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
    if (!value_is_null(expires) && (!value_is_text(expires) || !base62_decode(expires.s, &at) || clock_unix_s() > at))
        return;
    if (actor.kind == VALUE_DICT && value_count(actor)) /* {} is nobody */
        rq->actor = actor;
}

/* ---- what the configuration names -------------------------------------------------------------------------------- */

static enum status challenge(struct request *rq, struct err *err)
{
    rq->challenge = ACTOR_CHALLENGE;
    return err_set(err, STATUS_UNAUTHENTICATED, "401 Authorization Required");
}

static enum status from_password(struct request *rq, str authorization, struct err *err)
{
    struct accounts *accounts = rq->site->accounts;
    bool required = accounts_basic_required(accounts) && !actor_is_open_path(rq->path);
    struct err local = ERR_INIT;
    enum status st = accounts_basic(accounts, rq->arena, authorization, access_client(rq->site, rq->http, rq->note),
                                    &rq->actor, &rq->retry_after_s, &local);
    if (st == STATUS_RATE) {
        *err = local;
        return st;
    }
    return st == STATUS_OK || !required ? STATUS_OK : challenge(rq, err);
}

/* Columns actor_X of the one row become the actor's keys X when token_secret is right. */
static struct value actor_of_row(struct arena *a, const struct rowset *rows, str secret)
{
    struct value actor = value_dict(a);
    size_t at = rowset_column(rows, STR("token_secret"));
    if (at == (size_t)-1 || !rows->row_count)
        return VALUE_NULL;
    const struct cell *kept = rowset_cell(rows, 0, at);
    str text = kept->kind == CELL_NULL ? (str){0} : cell_text(a, kept);
    if (!text.n || !digest_equal(text, secret))
        return VALUE_NULL;
    for (size_t i = 0; i < rows->column_count; i++)
        if (str_starts(rows->columns[i], STR("actor_")))
            value_set(actor, str_from(rows->columns[i], 6), cell_value(rowset_cell(rows, 0, i)));
    return value_count(actor) ? actor : VALUE_NULL;
}

/* A token "ID-SECRET" of a table of tokens. A statement that fails lets nobody in, and is logged. */
static void from_token_table(struct request *rq, str token)
{
    const struct site *s = rq->site;
    str sql, database, id, secret;
    struct rowset rows = {0};
    struct err err = ERR_INIT;
    if (!accounts_token_query(s->accounts, &sql, &database) || !str_cut(token, '-', &id, &secret))
        return;
    rq->db = database.n ? site_find(s, database) : s->published_count ? s->published[0] : NULL;
    const struct query_param param = {STR("token_id"), value_str(id)};
    const struct fetch_limits limits = {
        .max_rows = 1, .time_limit_ms = s->config.settings.sql_time_limit_ms, .trusted = true};
    enum status st = rq->db ? request_connect(rq, &err) : err_set(&err, STATUS_NOT_FOUND, "there is no such database");
    if (st == STATUS_OK)
        st = fetch_rows(rq, rq->conn, sql, &param, 1, &limits, &rows, &err);
    if (st == STATUS_OK)
        rq->actor = actor_of_row(rq->arena, &rows, secret);
    else
        log_line(LOG_ERROR, "accounts", "plugins.datasette-auth-tokens.query: %s", err.text);
    request_disconnect(rq);
    rq->db = NULL;
}

static void from_configured_token(struct request *rq, str token)
{
    rq->actor = accounts_token_actor(rq->site->accounts, token);
    if (value_is_null(rq->actor))
        from_token_table(rq, token);
}

static str token_argument(struct request *rq)
{
    str name = accounts_token_param(rq->site->accounts);
    struct args args;
    if (!name.n || args_parse(rq->arena, rq->query_string, &args, NULL) != STATUS_OK)
        return (str){0};
    return args_get(&args, name);
}

bool actor_is_open_path(str path)
{
    static const char *const open[] = {"/-/health", "/-/health.json", "/-/ready", "/-/ready.json"};
    return str_is_any(path, open, ARRAY_LEN(open));
}

enum status actor_authenticate(struct request *rq, struct err *err)
{
    str authorization = http_header(rq->http, STR("authorization")), token;
    if (rq->space)
        session_actor(rq);
    else
        from_cookie(rq);
    if (value_is_null(rq->actor)) {
        enum status st = visitors_actor(rq->site->visitors, rq, &rq->actor, err);
        if (st != STATUS_OK)
            return st;
    }
    struct value cookie_actor = rq->actor;
    rq->actor = VALUE_NULL;
    bool bearer = str_starts(authorization, STR("Bearer "));
    token = bearer ? str_trim(str_from(authorization, 7)) : token_argument(rq);
    enum status st = from_password(rq, authorization, err);
    if (st == STATUS_OK && bearer && str_starts(token, STR(TOKEN_PREFIX)))
        st = from_token(rq, str_from(token, sizeof TOKEN_PREFIX - 1), err);
    else if (st == STATUS_OK && token.n && value_is_null(rq->actor))
        from_configured_token(rq, token);
    if (!value_is_null(cookie_actor))
        rq->actor = cookie_actor;
    guest_begin(rq);
    return st;
}

/* ---- cookies -------------------------------------------------------------------------------------------------------
 */

static void set_cookie(struct request *rq, str value, const char *tail)
{
    bool https = str_starts(request_origin(rq), STR("https:"));
    response_header(rq->response, STR("set-cookie"),
                    ARENA_CAT(rq->arena, STR(COOKIE_NAME "="), value, STR("; Path=/; SameSite=lax"), str_of(tail),
                              https ? STR("; Secure") : STR("")));
}

void actor_set_cookie(struct request *rq, struct value actor, int64_t seconds, bool hidden)
{
    struct value payload = value_dict(rq->arena);
    VALUE_SET(payload, "a", actor);
    if (seconds)
        VALUE_SET(payload, "e", value_str(base62_encode(rq->arena, clock_unix_s() + seconds)));
    set_cookie(rq, sign_dumps(rq->arena, rq->site->secret, STR("actor"), payload), hidden ? "; HttpOnly" : "");
}

void actor_clear_cookie(struct request *rq)
{
    set_cookie(rq, STR("\"\""), "; Max-Age=0; expires=Thu, 01 Jan 1970 00:00:00 GMT");
}

str actor_make_token(struct arena *a, str secret, str actor_id, str record, int64_t seconds, struct value restrictions)
{
    struct value payload = value_dict(a);
    VALUE_SET(payload, "a", value_str(actor_id));
    VALUE_SET(payload, "t", value_int(clock_unix_s()));
    if (seconds)
        VALUE_SET(payload, "d", value_int(seconds));
    if (restrictions.kind == VALUE_DICT && value_count(restrictions))
        VALUE_SET(payload, "_r", restrictions);
    if (record.n)
        VALUE_SET(payload, "i", value_str(record));
    return ARENA_CAT(a, STR(TOKEN_PREFIX), sign_dumps(a, secret, STR("token"), payload));
}

str actor_name(const struct request *rq)
{
    struct value id = VALUE_GET(rq->actor, "id");
    return value_is_null(id) ? (str){0} : value_to_str(rq->arena, id);
}
