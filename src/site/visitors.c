/* SPDX-License-Identifier: Apache-2.0 */
#include "site/visitors.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/digest.h"
#include "codec/django.h"
#include "codec/sign.h"
#include "codec/url.h"
#include "http/cookie.h"
#include "net/ask.h"
#include "rt/throttle.h"
#include "site/access.h"
#include "site/links.h"
#include "site/request.h"
#include "site/route.h"
#include "site/space/gate.h"

#define DJANGO   "vitrine-django"
#define EXISTING "datasette-auth-existing-cookies"

static const struct throttle_rule per_client = {.burst = 60, .refill_ms = 500};

/* What the other server said of some cookies; an arena each. */
struct verdict {
    unsigned char digest[DIGEST_RAW_MAX];
    struct arena *arena; /* NULL = free */
    struct value actor;  /* NONE = nobody */
    int64_t until_us;
};

struct visitors {
    /* vitrine-django */
    bool django;
    str cookie;
    str *secrets;
    size_t secret_count;
    int64_t max_age_s;
    struct value actors; /* DICT user id -> actor, or none */
    /* datasette-auth-existing-cookies */
    str api_url, next_secret;
    str *cookies;
    size_t cookie_count;
    int64_t ttl_s;
    /* of both */
    str login_url;
    bool required;
    struct throttle *asked;
    unsigned char key[DIGEST_RAW_MAX];
    pthread_mutex_t lock; /* of what follows */
    struct verdict kept[LIMIT_VISITORS_KEPT];
    size_t next;
};

/* ---- configuration ---- */

static enum status wrong(struct err *err, const char *plugin, const char *key, const char *must)
{
    return err_set(err, STATUS_INVALID, "plugins.%s.%s %s", plugin, key, must);
}

static enum status read_text(struct value d, const char *plugin, const char *key, str *ret, struct err *err)
{
    struct value v = value_get(d, str_of(key));
    if (value_is_null(v))
        return STATUS_OK;
    if (!value_is_text(v) || !v.s.n)
        return wrong(err, plugin, key, "must be a text");
    *ret = v.s;
    return STATUS_OK;
}

static enum status read_seconds(struct value d, const char *plugin, const char *key, int64_t *ret, struct err *err)
{
    struct value v = value_get(d, str_of(key));
    if (value_is_null(v))
        return STATUS_OK;
    if (v.kind != VALUE_INT || v.i < 1 || v.i > INT32_MAX)
        return wrong(err, plugin, key, "must be a number of seconds");
    *ret = v.i;
    return STATUS_OK;
}

static enum status read_texts(struct arena *a, struct value list, const char *plugin, const char *key, str *first,
                              str **ret, size_t *ret_count, struct err *err)
{
    str *texts = ARENA_ARRAY(a, str, value_count(list) + 1);
    size_t n = 0;
    if (!value_is_null(list) && list.kind != VALUE_LIST)
        return wrong(err, plugin, key, "must be a list of texts");
    if (first)
        texts[n++] = *first;
    for (size_t i = 0; i < value_count(list); i++) {
        struct value v = value_at(list, i);
        if (!value_is_text(v) || !v.s.n)
            return wrong(err, plugin, key, "must be a list of texts");
        texts[n++] = v.s;
    }
    *ret = texts;
    *ret_count = n;
    return STATUS_OK;
}

static enum status check_url(str url, const char *plugin, const char *key, struct err *err)
{
    bool good = !url.n || str_starts(url, STR("https://")) || str_starts(url, STR("http://"));
    return good ? STATUS_OK : wrong(err, plugin, key, "must be an address that begins with https:// or http://");
}

static enum status read_django(struct arena *a, struct visitors *v, struct value d, struct err *err)
{
    str secret = {0};
    if (value_is_null(d))
        return STATUS_OK;
    v->cookie = STR("sessionid");
    v->max_age_s = 1209600;
    v->actors = VALUE_GET(d, "actors");
    v->required = value_truth(VALUE_GET(d, "require_auth"));
    enum status st = d.kind != VALUE_DICT ? err_set(err, STATUS_INVALID, "plugins." DJANGO " must be an object")
                                          : read_text(d, DJANGO, "secret_key", &secret, err);
    if (st == STATUS_OK && !secret.n) {
        wrong(err, DJANGO, "secret_key", "must be the SECRET_KEY of the Django application");
        st = err_hint(err, "Write {\"$env\": \"DJANGO_SECRET_KEY\"} and set that variable.");
    }
    if (st == STATUS_OK)
        st = read_texts(a, VALUE_GET(d, "secret_key_fallbacks"), DJANGO, "secret_key_fallbacks", &secret, &v->secrets,
                        &v->secret_count, err);
    if (st == STATUS_OK)
        st = read_text(d, DJANGO, "cookie", &v->cookie, err);
    if (st == STATUS_OK)
        st = read_seconds(d, DJANGO, "max_age", &v->max_age_s, err);
    if (st == STATUS_OK)
        st = read_text(d, DJANGO, "login_url", &v->login_url, err);
    if (st == STATUS_OK)
        st = check_url(v->login_url, DJANGO, "login_url", err);
    if (st == STATUS_OK && !value_is_null(v->actors) && v->actors.kind != VALUE_DICT)
        st = wrong(err, DJANGO, "actors", "must be an object: id of a user -> actor");
    v->django = st == STATUS_OK;
    return st;
}

static enum status read_existing(struct arena *a, struct visitors *v, struct value d, struct err *err)
{
    struct value required = VALUE_GET(d, "require_auth");
    if (value_is_null(d))
        return STATUS_OK;
    v->ttl_s = 10;
    enum status st = d.kind != VALUE_DICT ? err_set(err, STATUS_INVALID, "plugins." EXISTING " must be an object")
                                          : read_text(d, EXISTING, "api_url", &v->api_url, err);
    if (st == STATUS_OK && !v->api_url.n)
        st = wrong(err, EXISTING, "api_url", "must be the address that says whose cookies they are");
    if (st == STATUS_OK)
        st = check_url(v->api_url, EXISTING, "api_url", err);
    if (st == STATUS_OK)
        st = read_texts(a, VALUE_GET(d, "original_cookies"), EXISTING, "original_cookies", NULL, &v->cookies,
                        &v->cookie_count, err);
    if (st == STATUS_OK && !v->cookie_count)
        st = wrong(err, EXISTING, "original_cookies", "must name the cookies to be passed on, such as [\"sessionid\"]");
    if (st == STATUS_OK)
        st = read_text(d, EXISTING, "auth_redirect_url", &v->login_url, err);
    if (st == STATUS_OK)
        st = check_url(v->login_url, EXISTING, "auth_redirect_url", err);
    if (st == STATUS_OK)
        st = read_text(d, EXISTING, "next_secret", &v->next_secret, err);
    if (st == STATUS_OK)
        st = read_seconds(d, EXISTING, "cookie_ttl", &v->ttl_s, err);
    v->required = v->required || value_is_null(required) || value_truth(required);
    return st;
}

enum status visitors_new(struct arena *a, const struct config *c, struct visitors **ret, struct err *err)
{
    struct value django = config_plugin(c, STR(DJANGO), (str){0}, (str){0});
    struct value existing = config_plugin(c, STR(EXISTING), (str){0}, (str){0});
    *ret = NULL;
    if (value_is_null(django) && value_is_null(existing))
        return STATUS_OK;
    struct visitors *v = MEM_NEW(struct visitors);
    pthread_mutex_init(&v->lock, NULL);
    v->asked = throttle_new();
    enum status st = getrandom(v->key, sizeof v->key, 0) == (ssize_t)sizeof v->key
                         ? STATUS_OK
                         : err_set(err, STATUS_IO, "The system has no random numbers");
    if (st == STATUS_OK)
        st = read_django(a, v, django, err);
    if (st == STATUS_OK)
        st = read_existing(a, v, existing, err);
    if (st == STATUS_OK)
        *ret = v;
    else
        visitors_free(v);
    return st;
}

void visitors_free(struct visitors *v)
{
    if (!v)
        return;
    for (size_t i = 0; i < LIMIT_VISITORS_KEPT; i++)
        arena_free(v->kept[i].arena);
    throttle_free(v->asked);
    pthread_mutex_destroy(&v->lock);
    free(v);
}

/* ---- cookies ---- */

/* "sessionid=...": of the named ones those that are there. Empty = none is. */
static str cookies_of(const struct visitors *v, const struct http_request *http)
{
    str field = http_header(http, STR("cookie")), out = STR("");
    for (size_t i = 0; field.n && i < v->cookie_count; i++) {
        str one = cookie_find(http->arena, field, v->cookies[i]);
        str pair = one.n ? cookie_format(http->arena, v->cookies[i], one, (str){0}, -1, 0) : (str){0}, rest;
        if (str_cut(pair, ';', &pair, &rest))
            out = ARENA_CAT(http->arena, out, out.n ? STR("; ") : STR(""), pair);
    }
    return out;
}

static str django_cookie(const struct visitors *v, const struct http_request *http)
{
    return v->django ? cookie_find(http->arena, http_header(http, STR("cookie")), v->cookie) : (str){0};
}

bool visitors_has_cookie(const struct visitors *v, const struct http_request *http)
{
    return v && (django_cookie(v, http).n || cookies_of(v, http).n);
}

bool visitors_required(const struct visitors *v)
{
    return v && v->required;
}

/* ---- Django ---- */

static struct value django_actor(struct visitors *v, struct request *rq)
{
    struct value session, actor;
    struct arena *a = rq->arena;
    str cookie = django_cookie(v, rq->http);
    if (!cookie.n || cookie.n > LIMIT_VISITORS_COOKIE ||
        django_session(a, cookie, v->secrets, v->secret_count, clock_unix_s(), v->max_age_s, &session, NULL) !=
            STATUS_OK)
        return VALUE_NULL;
    struct value user = VALUE_GET(session, "_auth_user_id");
    str id = value_is_text(user) || user.kind == VALUE_INT ? value_to_str(a, user) : (str){0};
    if (!id.n)
        return VALUE_NULL; /* a session of somebody who is not signed in */
    actor = value_get(v->actors, id);
    if (actor.kind == VALUE_DICT && value_has(actor, STR("id")))
        return actor;
    struct value named = value_dict(a);
    VALUE_SET(named, "id", value_str(id));
    for (size_t i = 0; actor.kind == VALUE_DICT && i < actor.dict->count; i++)
        value_set(named, actor.dict->entries[i].key, actor.dict->entries[i].value);
    return named;
}

/* ---- another server ---- */

static void digest_of(const struct visitors *v, const struct http_request *http, str cookies,
                      unsigned char out[DIGEST_RAW_MAX])
{
    (void)digest_hmac_sha256(str_make((const char *)v->key, sizeof v->key),
                             ARENA_CAT(http->arena, http->host, STR("\n"), cookies), out);
}

/* Under the lock; NULL = not known, or too old. */
static struct verdict *find_kept(struct visitors *v, const unsigned char digest[DIGEST_RAW_MAX])
{
    for (size_t i = 0; i < LIMIT_VISITORS_KEPT; i++)
        if (v->kept[i].arena && memcmp(v->kept[i].digest, digest, DIGEST_RAW_MAX) == 0)
            return v->kept[i].until_us > clock_mono_us() ? &v->kept[i] : NULL;
    return NULL;
}

static bool known(struct visitors *v, const unsigned char digest[DIGEST_RAW_MAX], struct arena *a, struct value *ret)
{
    pthread_mutex_lock(&v->lock);
    struct verdict *k = find_kept(v, digest);
    if (k && a)
        *ret = value_copy(a, k->actor);
    pthread_mutex_unlock(&v->lock);
    return k != NULL;
}

static void keep(struct visitors *v, const unsigned char digest[DIGEST_RAW_MAX], struct value actor)
{
    struct arena *a = arena_new(0);
    struct verdict one = {.arena = a, .actor = value_copy(a, actor), .until_us = clock_mono_us() + v->ttl_s * 1000000};
    memcpy(one.digest, digest, DIGEST_RAW_MAX);
    pthread_mutex_lock(&v->lock);
    struct verdict *at = NULL;
    for (size_t i = 0; i < LIMIT_VISITORS_KEPT && !at; i++)
        if (v->kept[i].arena && memcmp(v->kept[i].digest, digest, DIGEST_RAW_MAX) == 0)
            at = &v->kept[i];
    if (!at)
        at = &v->kept[v->next++ % LIMIT_VISITORS_KEPT];
    struct arena *old = at->arena;
    *at = one;
    pthread_mutex_unlock(&v->lock);
    arena_free(old);
}

bool visitors_must_ask(struct visitors *v, const struct http_request *http)
{
    unsigned char digest[DIGEST_RAW_MAX];
    str cookies = v && v->cookie_count ? cookies_of(v, http) : (str){0};
    if (!cookies.n)
        return false;
    digest_of(v, http, cookies, digest);
    return !known(v, digest, NULL, NULL);
}

/* {} and anything but an object is nobody; so is everybody while the other server does not answer. */
static struct value ask(struct visitors *v, struct request *rq, str cookies)
{
    struct arena *a = rq->arena;
    const struct url_pair host = {STR("host"), rq->http->host};
    str path, query;
    str_cut(v->api_url, '?', &path, &query);
    const str headers[] = {ARENA_CAT(a, STR("Cookie: "), cookies), STR("Accept: application/json")};
    const struct ask q = {.method = STR("GET"),
                          .url = url_with_added(a, path, query, &host, 1),
                          .headers = headers,
                          .header_count = ARRAY_LEN(headers),
                          .timeout_ms = LIMIT_VISITORS_ASK_MS,
                          .max_answer = LIMIT_VISITORS_ANSWER};
    struct ask_answer answer;
    struct value said = VALUE_UNDEF;
    struct err err = ERR_INIT;
    enum status st = ask_json(a, &q, &answer, &said, &err);
    if (st == STATUS_OK && answer.status != 200 && answer.status != 401 && answer.status != 403)
        st = err_set(&err, STATUS_IO, "it answered with status %d", answer.status);
    if (st != STATUS_OK)
        log_line(LOG_WARN, "visitors", "plugins." EXISTING ".api_url: %s; visitors are anonymous meanwhile", err.text);
    bool somebody = st == STATUS_OK && answer.status == 200 && said.kind == VALUE_DICT && value_count(said);
    return somebody ? said : VALUE_NULL;
}

static enum status existing_actor(struct visitors *v, struct request *rq, struct value *ret, struct err *err)
{
    unsigned char digest[DIGEST_RAW_MAX];
    str cookies = v->cookie_count ? cookies_of(v, rq->http) : (str){0};
    if (!cookies.n || cookies.n > LIMIT_VISITORS_COOKIE)
        return STATUS_OK;
    digest_of(v, rq->http, cookies, digest);
    if (known(v, digest, rq->arena, ret))
        return STATUS_OK;
    str client = access_client(rq->site, rq->http, rq->note);
    rq->retry_after_s = throttle_take(v->asked, client, per_client, clock_mono_us() / 1000);
    if (rq->retry_after_s)
        return err_set(err, STATUS_RATE, "Too many different cookies. Try again in %lld seconds.",
                       (long long)rq->retry_after_s);
    *ret = ask(v, rq, cookies);
    keep(v, digest, *ret);
    return STATUS_OK;
}

enum status visitors_actor(struct visitors *v, struct request *rq, struct value *ret, struct err *err)
{
    if (!v)
        return STATUS_OK;
    *ret = django_actor(v, rq);
    return value_is_null(*ret) ? existing_actor(v, rq, ret, err) : STATUS_OK;
}

/* ---- those who are not signed in ---- */

str visitors_sign_in(const struct visitors *v, const struct request *rq)
{
    struct arena *a = rq->arena;
    if (!v || !v->login_url.n)
        return (str){0};
    str next = request_absolute_url(rq, request_is_get(rq) ? request_full_path(rq) : link_path(rq, STR("/"))), path,
        query;
    struct url_pair pairs[] = {{STR("next"), next}, {STR("next_sig"), STR("")}};
    if (v->next_secret.n)
        pairs[1].value = sign_dumps(a, v->next_secret, STR("itsdangerous"), value_str(next));
    str_cut(v->login_url, '?', &path, &query);
    return url_with_added(a, path, query, pairs, v->next_secret.n ? 2 : 1);
}

enum status visitors_enter(const struct visitors *v, struct request *rq, bool *ret_answered, struct err *err)
{
    bool open = rq->route && (rq->route->flags & ROUTE_OPEN);
    if (!visitors_required(v) || open || !value_is_null(rq->actor))
        return STATUS_OK;
    if (v->login_url.n && gate_is_browsing(rq)) {
        *ret_answered = true;
        response_header(rq->response, STR("cache-control"), STR("no-store"));
        respond_redirect(rq, 302, visitors_sign_in(v, rq));
        return STATUS_OK;
    }
    rq->challenge = "Bearer";
    return err_set(err, STATUS_UNAUTHENTICATED, "You are not signed in%s%.*s", v->login_url.n ? ": sign in at " : "",
                   STR_ARG(v->login_url));
}
