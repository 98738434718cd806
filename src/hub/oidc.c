/* SPDX-License-Identifier: Apache-2.0 */
/* oidc — asks issuers.
 *
 * What is trusted: the issuer's name in hub.yaml, over TLS. Everything else follows from what it says there, and is
 * checked again: its description must carry its name, endpoints must be encrypted, and one on another host than the
 * issuer's must be a public address (else an issuer could make this machine ask its own network for things), unless
 * the configuration says `internal`. No redirect is followed. Tokens are believed by their signature alone, although
 * they come over TLS, so that one rule holds for all.
 *
 * A key that is not among the kept ones makes us ask for them anew, once, and not more often than every
 * LIMIT_OIDC_KEYS_S, so that forged tokens cannot be used to bother an issuer.
 *
 * Not here: state and nonce of a browser, accounts (identity.h). Tests: tests/hub/test_oidc.py. */
#include "hub/oidc.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "codec/b64.h"
#include "codec/digest.h"
#include "codec/jose_verify.h"
#include "codec/url.h"
#include "net/ask.h"

#include "base/banned.h"

struct kept { /* a document of the issuer, as it came */
    char *text;
    int64_t at_ms, tried_ms; /* 0 = never */
};

struct oidc {
    const struct oidc_config *config;
    pthread_mutex_t lock; /* around the two */
    struct kept discovery, keys;
};

struct oidc *oidc_new(const struct oidc_config *c)
{
    struct oidc *o = MEM_NEW(struct oidc);
    o->config = c;
    ASSERT(pthread_mutex_init(&o->lock, NULL) == 0);
    return o;
}

void oidc_free(struct oidc *o)
{
    if (!o)
        return;
    pthread_mutex_destroy(&o->lock);
    free(o->discovery.text);
    free(o->keys.text);
    free(o);
}

const struct oidc_config *oidc_config(const struct oidc *o)
{
    return o->config;
}

/* ---- documents that are kept ---- */

static str kept_text(struct oidc *o, struct arena *a, const struct kept *k, int64_t max_age_ms)
{
    str s = {0};
    pthread_mutex_lock(&o->lock);
    if (k->text && clock_mono_ms() - k->at_ms < max_age_ms)
        s = arena_str(a, str_of(k->text));
    pthread_mutex_unlock(&o->lock);
    return s;
}

static void keep(struct oidc *o, struct kept *k, str text)
{
    pthread_mutex_lock(&o->lock);
    free(k->text);
    k->text = mem_cstr(text);
    k->at_ms = k->tried_ms = clock_mono_ms();
    pthread_mutex_unlock(&o->lock);
}

/* True at most once every LIMIT_OIDC_KEYS_S. */
static bool may_ask_keys_again(struct oidc *o)
{
    pthread_mutex_lock(&o->lock);
    int64_t now = clock_mono_ms();
    bool may = !o->keys.tried_ms || now - o->keys.tried_ms >= LIMIT_OIDC_KEYS_S * 1000;
    if (may)
        o->keys.tried_ms = now;
    pthread_mutex_unlock(&o->lock);
    return may;
}

static struct ask question(const struct oidc *o, str url)
{
    const struct oidc_config *c = o->config;
    return (struct ask){.method = STR("GET"),
                        .url = url,
                        .timeout_ms = LIMIT_OIDC_MS,
                        .max_answer = LIMIT_OIDC_DOCUMENT,
                        .ca_file = c->ca_file,
                        .public_only = !c->internal && !oidc_same_origin(url, c->issuer)};
}

static enum status get(const struct oidc *o, struct arena *a, str url, str *ret, struct err *err)
{
    struct ask q = question(o, url);
    struct ask_answer answer;
    enum status st = ask_url(a, &q, &answer, err);
    if (st != STATUS_OK)
        return st;
    if (answer.status != 200)
        return err_set(err, STATUS_INVALID, "%.*s answers with status %d", STR_ARG(url), answer.status);
    *ret = answer.body;
    return STATUS_OK;
}

static enum status discover(struct oidc *o, struct arena *a, struct oidc_discovery *ret, struct err *err)
{
    const struct oidc_config *c = o->config;
    str text = kept_text(o, a, &o->discovery, LIMIT_OIDC_KEEP_S * 1000), base = c->issuer;
    if (text.n)
        return oidc_read_discovery(a, c, text, ret, err);
    if (str_ends(base, STR("/")))
        base.n--;
    enum status st = get(o, a, ARENA_CAT(a, base, STR("/.well-known/openid-configuration")), &text, err);
    if (st == STATUS_OK)
        st = oidc_read_discovery(a, c, text, ret, err);
    if (st == STATUS_OK)
        keep(o, &o->discovery, text);
    return st;
}

static enum status fetch_keys(struct oidc *o, struct arena *a, const struct oidc_discovery *d, struct jose_keys **ret,
                              struct err *err)
{
    str text;
    enum status st = get(o, a, d->keys, &text, err);
    if (st == STATUS_OK)
        st = jose_keys_read(text, ret, err);
    if (st == STATUS_OK)
        keep(o, &o->keys, text);
    return st;
}

/* The claims of a token that one of the issuer's keys signed. */
static enum status verify(struct oidc *o, struct arena *a, const struct oidc_discovery *d, str token,
                          struct value *ret_claims, struct err *err)
{
    const unsigned algorithms = JOSE_RS256 | JOSE_ES256 | JOSE_EDDSA;
    struct jose_keys *keys = NULL;
    str text = kept_text(o, a, &o->keys, LIMIT_OIDC_KEEP_S * 1000);
    enum status st = text.n ? jose_keys_read(text, &keys, err) : fetch_keys(o, a, d, &keys, err);
    if (st == STATUS_OK)
        st = jose_verify(a, keys, algorithms, token, ret_claims, err);
    if (st == STATUS_NOT_FOUND && text.n && may_ask_keys_again(o)) { /* it may have new ones */
        jose_keys_free(keys);
        keys = NULL;
        err_clear(err);
        st = fetch_keys(o, a, d, &keys, err);
        if (st == STATUS_OK)
            st = jose_verify(a, keys, algorithms, token, ret_claims, err);
    }
    jose_keys_free(keys);
    return st;
}

/* ---- the flow ---- */

str oidc_challenge(struct arena *a, str verifier)
{
    return digest_sha256_b64url(a, verifier);
}

static str with_query(struct arena *a, str url, const struct url_pair *pairs, size_t count)
{
    str sign = str_find_char(url, '?') == STR_NPOS ? STR("?") : STR("&");
    return ARENA_CAT(a, url, sign, url_encode(a, pairs, count));
}

static enum status of_issuer(const struct oidc *o, enum status st, struct err *err)
{
    if (st != STATUS_OK)
        err_prefix(err, "%.*s", STR_ARG(o->config->label));
    return st;
}

enum status oidc_start(struct oidc *o, struct arena *a, const struct oidc_try *t, str *ret_url, struct err *err)
{
    struct oidc_discovery d;
    enum status st = of_issuer(o, discover(o, a, &d, err), err);
    if (st != STATUS_OK)
        return st;
    const struct url_pair pairs[] = {{STR("response_type"), STR("code")},
                                     {STR("client_id"), o->config->client_id},
                                     {STR("redirect_uri"), t->redirect_uri},
                                     {STR("scope"), o->config->scopes},
                                     {STR("state"), t->state},
                                     {STR("nonce"), t->nonce},
                                     {STR("code_challenge"), oidc_challenge(a, t->verifier)},
                                     {STR("code_challenge_method"), STR("S256")}};
    *ret_url = with_query(a, d.authorization, pairs, ARRAY_LEN(pairs));
    return STATUS_OK;
}

static enum status refused(const struct ask_answer *answer, struct value json, struct err *err)
{
    str error = value_get_text(json, STR("error")), text = value_get_text(json, STR("error_description"));
    if (str_is(error, "invalid_client")) {
        err_set(err, STATUS_CONFIG, "it does not know our client id and secret");
        err_hint(err, "Look at client_id and client_secret in hub.yaml.");
        return STATUS_CONFIG;
    }
    if (str_is(error, "invalid_grant")) {
        err_set(err, STATUS_INVALID, "it does not take the code any more");
        err_hint(err, "Sign in again. If it happens each time, its redirect address is not the one given to it.");
        return STATUS_INVALID;
    }
    return err_set(err, STATUS_INVALID, "it gives no token (status %d, %.*s) %.*s", answer->status,
                   (int)MIN(error.n, (size_t)60), error.n ? error.p : "no reason", (int)MIN(text.n, (size_t)200),
                   text.n ? text.p : "");
}

/* Code -> tokens (Core 1.0 section 3.1.3). */
static enum status redeem(struct oidc *o, struct arena *a, const struct oidc_discovery *d, const struct oidc_try *t,
                          str code, str *ret_id_token, str *ret_access_token, struct err *err)
{
    const struct oidc_config *c = o->config;
    struct ask q = question(o, d->token);
    struct ask_answer answer;
    struct value json;
    bool basic = c->client_secret.n && !d->secret_in_body;
    struct url_pair pairs[6] = {{STR("grant_type"), STR("authorization_code")},
                                {STR("code"), code},
                                {STR("redirect_uri"), t->redirect_uri},
                                {STR("code_verifier"), t->verifier}};
    size_t count = 4, headers = 2;
    str both = ARENA_CAT(a, url_quote_plus(a, c->client_id), STR(":"), url_quote_plus(a, c->client_secret));
    str lines[3] = {STR("Content-Type: application/x-www-form-urlencoded"), STR("Accept: application/json")};
    if (basic) /* RFC 6749 section 2.3.1 */
        lines[headers++] = ARENA_CAT(a, STR("Authorization: Basic "), b64_encode_arena(a, both));
    else
        pairs[count++] = (struct url_pair){STR("client_id"), c->client_id};
    if (!basic && c->client_secret.n)
        pairs[count++] = (struct url_pair){STR("client_secret"), c->client_secret};
    q.method = STR("POST");
    q.body = url_encode(a, pairs, count);
    q.headers = lines;
    q.header_count = headers;
    enum status st = ask_json(a, &q, &answer, &json, err);
    if (st != STATUS_OK)
        return st;
    *ret_id_token = value_get_text(json, STR("id_token"));
    *ret_access_token = value_get_text(json, STR("access_token"));
    if (answer.status == 200 && !ret_id_token->n && !value_has(json, STR("error")))
        return err_set(err, STATUS_INVALID, "it gives no id_token: is it an issuer of OpenID Connect?");
    return answer.status == 200 && ret_id_token->n ? STATUS_OK : refused(&answer, json, err);
}

static enum status ask_userinfo(struct oidc *o, struct arena *a, const struct oidc_discovery *d, str access_token,
                                struct value claims, struct err *err)
{
    struct ask q = question(o, d->userinfo);
    struct ask_answer answer;
    struct value json;
    for (size_t i = 0; i < access_token.n; i++)
        if ((unsigned char)access_token.p[i] <= ' ' || (unsigned char)access_token.p[i] >= 127)
            return err_set(err, STATUS_INVALID, "its access token is no token");
    str lines[] = {ARENA_CAT(a, STR("Authorization: Bearer "), access_token), STR("Accept: application/json")};
    q.headers = lines;
    q.header_count = ARRAY_LEN(lines);
    enum status st = ask_json(a, &q, &answer, &json, err);
    if (st == STATUS_OK && answer.status != 200)
        st = err_set(err, STATUS_INVALID, "it does not say more of the person (status %d)", answer.status);
    return st == STATUS_OK ? oidc_add_userinfo(claims, json, err) : st;
}

/* Another issuer than the one the browser was sent to may have answered (RFC 9207 section 2.4). */
static enum status check_answering_issuer(const struct oidc *o, const struct oidc_discovery *d, str issuer,
                                          struct err *err)
{
    if (issuer.n ? str_eq(issuer, o->config->issuer) : !d->says_issuer)
        return STATUS_OK;
    return err_set(err, STATUS_INVALID, "another issuer has answered (iss)");
}

enum status oidc_finish(struct oidc *o, struct arena *a, const struct oidc_try *t, str code, str issuer,
                        struct identity_person *ret, str *ret_id_token, struct err *err)
{
    struct oidc_discovery d;
    struct value claims;
    str id_token = {0}, access_token = {0};
    enum status st = discover(o, a, &d, err);
    if (st == STATUS_OK)
        st = check_answering_issuer(o, &d, issuer, err);
    if (st == STATUS_OK)
        st = redeem(o, a, &d, t, code, &id_token, &access_token, err);
    if (st == STATUS_OK)
        st = verify(o, a, &d, id_token, &claims, err);
    if (st == STATUS_OK)
        st = oidc_check_claims(o->config, claims, t->nonce, clock_unix_s(), err);
    if (st == STATUS_OK && d.userinfo.n && access_token.n && oidc_wants_userinfo(o->config, claims))
        st = ask_userinfo(o, a, &d, access_token, claims, err);
    if (st == STATUS_OK)
        st = oidc_person(a, o->config, claims, ret, err);
    if (st == STATUS_OK)
        *ret_id_token = id_token;
    if (st == STATUS_NOT_FOUND) /* a key that nobody has published */
        st = err->status = STATUS_INVALID;
    return of_issuer(o, st, err);
}

enum status oidc_end(struct oidc *o, struct arena *a, str id_token, str back_to, str *ret_url)
{
    struct oidc_discovery d;
    struct err err = ERR_INIT;
    str text = kept_text(o, a, &o->discovery, INT64_MAX);
    if (!text.n || oidc_read_discovery(a, o->config, text, &d, &err) != STATUS_OK || !d.end_session.n)
        return STATUS_NOT_FOUND;
    struct url_pair pairs[3] = {{STR("client_id"), o->config->client_id}, {STR("post_logout_redirect_uri"), back_to}};
    size_t count = 2;
    if (id_token.n)
        pairs[count++] = (struct url_pair){STR("id_token_hint"), id_token};
    *ret_url = with_query(a, d.end_session, pairs, count);
    return STATUS_OK;
}
