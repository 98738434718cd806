/* SPDX-License-Identifier: Apache-2.0 */
#include "site/space/session.h"

#include <sys/random.h>

#include "base/clock_jump.h"
#include "base/limits.h"
#include "codec/b64.h"
#include "codec/sign.h"
#include "http/cookie.h"
#include "site/space/space.h"

#define NONCE_BYTES   32
#define NONCE_TEXT    43 /* its base64url */
#define NONCE_SECONDS 600

/* With https the browser itself keeps others from setting it: __Host- means Secure, this host only, the whole host. */
static str cookie_name(const struct request *rq, const char *plain)
{
    return rq->space->https ? ARENA_CAT(rq->arena, STR("__Host-"), str_of(plain)) : str_of(plain);
}

#define SESSION_NAME "vitrine-space"
#define NONCE_NAME   "vitrine-space-nonce"

/* Without https a page of a sibling host can set a cookie for the parent domain. Then there are two of the name, and
 * nobody can tell which is ours: none is. */
static str cookie_value(const struct request *rq, const char *plain)
{
    return cookie_find_only(rq->arena, http_header(rq->http, STR("cookie")), cookie_name(rq, plain));
}

static void cookie_put(struct request *rq, const char *plain, str value, int64_t seconds)
{
    unsigned flags = COOKIE_HTTP_ONLY | COOKIE_LAX | (rq->space->https ? COOKIE_SECURE : 0);
    str field = cookie_format(rq->arena, cookie_name(rq, plain), value, (str){0}, seconds, flags);
    ASSERT(field.n);
    response_header(rq->response, STR("set-cookie"), field);
}

/* ---- who ---- */

static void set_text(struct value d, const char *key, str text)
{
    if (text.n)
        value_set(d, str_of(key), value_str(text));
}

static struct value person(struct arena *a, str id, str name, str email, enum role role)
{
    struct value actor = value_dict(a);
    VALUE_SET(actor, "id", value_str(id));
    set_text(actor, "name", name);
    set_text(actor, "email", email);
    if (role != ROLE_NONE)
        VALUE_SET(actor, "role", value_cstr(role_names[role]));
    return actor;
}

struct value session_member(const struct space *sp, struct arena *a, str user)
{
    struct value m = value_get(sp->people.members, user);
    enum role role = role_find(value_get_text(m, STR("role")));
    if (role == ROLE_NONE)
        return VALUE_NULL;
    return person(a, user, value_get_text(m, STR("name")), value_get_text(m, STR("email")), role);
}

void session_actor(struct request *rq)
{
    struct arena *a = rq->arena;
    const struct space *sp = rq->space;
    str raw = cookie_value(rq, SESSION_NAME);
    struct value v;
    if (!raw.n || sign_loads(a, rq->site->secret, STR("space-session"), raw, &v, NULL) != STATUS_OK)
        return;
    str user = value_get_text(v, STR("u")), session = value_get_text(v, STR("s"));
    struct value end = VALUE_GET(v, "e");
    int64_t now = clock_unix_s(); /* an end further ahead than any was given before the clock was set back */
    if (!str_eq(value_get_text(v, STR("space")), sp->id) || end.kind != VALUE_INT || now >= end.i ||
        end.i - LIMIT_SPACE_SESSION_S < sp->signed_in_after ||
        clock_age_s(end.i - LIMIT_SPACE_SESSION_S, now) == INT64_MAX || !user.n || space_is_revoked(sp, session))
        return;
    rq->actor = session_member(sp, a, user);
    if (value_is_null(rq->actor) && !value_truth(VALUE_GET(v, "m")))
        rq->actor = person(a, user, value_get_text(v, STR("n")), value_get_text(v, STR("a")), ROLE_NONE);
}

void session_begin(struct request *rq, const struct session *s)
{
    struct value v = value_dict(rq->arena);
    VALUE_SET(v, "space", value_str(rq->space->id));
    VALUE_SET(v, "u", value_str(s->user));
    VALUE_SET(v, "s", value_str(s->id));
    VALUE_SET(v, "e", value_int(clock_unix_s() + LIMIT_SPACE_SESSION_S));
    VALUE_SET(v, "m", value_bool(s->member));
    if (!s->member) { /* of members the hub says it, and newer */
        VALUE_SET(v, "n", value_str(s->name));
        VALUE_SET(v, "a", value_str(s->email));
    }
    cookie_put(rq, SESSION_NAME, sign_dumps(rq->arena, rq->site->secret, STR("space-session"), v),
               LIMIT_SPACE_SESSION_S);
}

void session_end(struct request *rq)
{
    cookie_put(rq, SESSION_NAME, STR(""), 0);
}

/* ---- nonce ---- */

str session_nonce(struct request *rq)
{
    str text = cookie_value(rq, NONCE_NAME), bytes;
    return text.n == NONCE_TEXT && b64url_decode(rq->arena, text, &bytes) ? text : (str){0};
}

enum status session_nonce_set(struct request *rq, str *ret, struct err *err)
{
    char bytes[NONCE_BYTES];
    str nonce = session_nonce(rq); /* two tabs that sign in at once share it */
    if (!nonce.n && getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return err_set(err, STATUS_IO, "The system has no random numbers");
    if (!nonce.n)
        nonce = b64url_encode(rq->arena, str_make(bytes, sizeof bytes));
    cookie_put(rq, NONCE_NAME, nonce, NONCE_SECONDS);
    *ret = nonce;
    return STATUS_OK;
}

void session_nonce_clear(struct request *rq)
{
    cookie_put(rq, NONCE_NAME, STR(""), 0);
}
