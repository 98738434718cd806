/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/oidc_token.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "codec/digest.h"
#include "codec/letter.h"

#define SKEW_S    120   /* clocks that differ */
#define OLDEST_S  86400 /* a token that was made longer ago is none of this try */
#define SUBJECT_N 255   /* bytes (Core 1.0 section 2) */

/* ---- addresses ---- */

static str origin_of(str url)
{
    size_t at = str_find(url, STR("://"));
    if (at == STR_NPOS)
        return (str){0};
    for (size_t i = at + 3; i < url.n; i++)
        if (strchr("/?#", url.p[i]))
            return str_sub(url, 0, i);
    return url;
}

bool oidc_same_origin(str a, str b)
{
    str oa = origin_of(a), ob = origin_of(b);
    return oa.n && str_eq_nocase(oa, ob);
}

bool oidc_is_safe_url(str url)
{
    const str local[] = {STR("http://localhost"), STR("http://127.0.0.1"), STR("http://[::1]")};
    str origin = origin_of(url);
    for (size_t i = 0; i < url.n; i++)
        if ((unsigned char)url.p[i] <= ' ' || (unsigned char)url.p[i] >= 127 || strchr("\"'<>\\^`{|}", url.p[i]))
            return false;
    if (str_find_char(origin, '@') != STR_NPOS || url.n > LIMIT_OIDC_URL)
        return false;
    if (str_starts(origin, STR("https://")))
        return origin.n > strlen("https://");
    for (size_t i = 0; i < ARRAY_LEN(local); i++)
        if (str_starts(origin, local[i]) && (origin.n == local[i].n || origin.p[local[i].n] == ':'))
            return true;
    return false;
}

/* ---- discovery ---- */

static bool lists(struct value v, const char *text)
{
    for (size_t i = 0; v.kind == VALUE_LIST && i < value_count(v); i++)
        if (value_is_text(value_at(v, i)) && str_is(value_at(v, i).s, text))
            return true;
    return false;
}

static enum status endpoint(struct arena *a, struct value d, const char *name, bool wanted, str *ret, struct err *err)
{
    str url = value_get_text(d, str_of(name));
    if (!url.n && wanted)
        return err_set(err, STATUS_INVALID, "its description names no %s", name);
    if (url.n && !oidc_is_safe_url(url))
        return err_set(err, STATUS_INVALID, "its %s is not encrypted or no URL", name);
    *ret = arena_str(a, url);
    return STATUS_OK;
}

static enum status check_issuer(const struct oidc_config *c, struct value d, struct err *err)
{
    str said = value_get_text(d, STR("issuer"));
    if (str_eq(said, c->issuer))
        return STATUS_OK;
    err_set(err, STATUS_INVALID, "it calls itself \"%.*s\", not \"%.*s\"", (int)MIN(said.n, (size_t)200),
            said.n ? said.p : "", STR_ARG(c->issuer));
    err_hint(err, "Write the issuer in hub.yaml exactly as it calls itself, if that is the one you mean.");
    return STATUS_INVALID;
}

enum status oidc_read_discovery(struct arena *a, const struct oidc_config *c, str json, struct oidc_discovery *ret,
                                struct err *err)
{
    struct value d;
    struct oidc_discovery out = {0};
    enum status st = value_from_json(a, json, &d, err);
    if (st != STATUS_OK)
        return st;
    if (d.kind != VALUE_DICT)
        return err_set(err, STATUS_INVALID, "its description is no JSON object");
    const struct {
        const char *name;
        bool wanted;
        str *to;
    } endpoints[] = {{"authorization_endpoint", true, &out.authorization},
                     {"token_endpoint", true, &out.token},
                     {"jwks_uri", true, &out.keys},
                     {"userinfo_endpoint", false, &out.userinfo},
                     {"end_session_endpoint", false, &out.end_session}};
    st = check_issuer(c, d, err);
    for (size_t i = 0; i < ARRAY_LEN(endpoints) && st == STATUS_OK; i++)
        st = endpoint(a, d, endpoints[i].name, endpoints[i].wanted, endpoints[i].to, err);
    struct value methods = VALUE_GET(d, "token_endpoint_auth_methods_supported"); /* absent: Basic */
    out.secret_in_body = methods.kind == VALUE_LIST && !lists(methods, "client_secret_basic");
    out.says_issuer = value_truth(VALUE_GET(d, "authorization_response_iss_parameter_supported"));
    if (st == STATUS_OK)
        *ret = out;
    return st;
}

/* ---- the token ---- */

static bool seconds(struct value v, int64_t *ret)
{
    if (v.kind == VALUE_INT)
        *ret = v.i;
    else if (v.kind == VALUE_FLOAT && v.f > 0 && v.f < 1e15)
        *ret = (int64_t)v.f;
    else
        return false;
    return true;
}

static enum status check_audience(const struct oidc_config *c, struct value claims, struct err *err)
{
    struct value aud = VALUE_GET(claims, "aud"), azp = VALUE_GET(claims, "azp");
    bool ours = value_is_text(aud) && str_eq(aud.s, c->client_id);
    for (size_t i = 0; aud.kind == VALUE_LIST && i < value_count(aud); i++)
        ours |= value_is_text(value_at(aud, i)) && str_eq(value_at(aud, i).s, c->client_id);
    if (!ours)
        return err_set(err, STATUS_INVALID, "the token was made for another application (aud)");
    if (azp.kind == VALUE_UNDEFINED && aud.kind == VALUE_LIST && value_count(aud) > 1)
        return err_set(err, STATUS_INVALID, "the token is for several applications and does not say which asked (azp)");
    if (azp.kind != VALUE_UNDEFINED && !(value_is_text(azp) && str_eq(azp.s, c->client_id)))
        return err_set(err, STATUS_INVALID, "another application asked for the token (azp)");
    return STATUS_OK;
}

static enum status check_times(struct value claims, int64_t now_s, struct err *err)
{
    int64_t expires, made, begins;
    struct value nbf = VALUE_GET(claims, "nbf");
    if (!seconds(VALUE_GET(claims, "exp"), &expires) || !seconds(VALUE_GET(claims, "iat"), &made))
        return err_set(err, STATUS_INVALID, "the token does not say when it was made and when it ends (iat, exp)");
    if (expires <= now_s - SKEW_S)
        return err_set(err, STATUS_INVALID, "the token has expired; are the clocks of both machines right?");
    if (made > now_s + SKEW_S || (nbf.kind != VALUE_UNDEFINED && (!seconds(nbf, &begins) || begins > now_s + SKEW_S)))
        return err_set(err, STATUS_INVALID, "the token is of the future; are the clocks of both machines right?");
    if (made < now_s - OLDEST_S)
        return err_set(err, STATUS_INVALID, "the token was made long ago");
    return STATUS_OK;
}

enum status oidc_check_claims(const struct oidc_config *c, struct value claims, str nonce, int64_t now_s,
                              struct err *err)
{
    str subject = value_get_text(claims, STR("sub"));
    if (!str_eq(value_get_text(claims, STR("iss")), c->issuer))
        return err_set(err, STATUS_INVALID, "the token is of another issuer (iss)");
    if (!subject.n || subject.n > SUBJECT_N)
        return err_set(err, STATUS_INVALID, "the token does not say whom it is about (sub)");
    enum status st = check_audience(c, claims, err);
    if (st == STATUS_OK)
        st = check_times(claims, now_s, err);
    if (st == STATUS_OK && (!nonce.n || !digest_equal(value_get_text(claims, STR("nonce")), nonce)))
        st = err_set(err, STATUS_INVALID, "the token is of another try to sign in (nonce)");
    return st;
}

/* A claim, or one inside of others: "realm_access.roles". Names with dots that are no paths come first. */
static struct value claim_at(struct value claims, str path)
{
    struct value v = value_get(claims, path);
    str first, rest = path;
    if (v.kind != VALUE_UNDEFINED)
        return v;
    for (v = claims; rest.n;) {
        (void)str_cut(rest, '.', &first, &rest);
        v = value_get(v, first); /* UNDEFINED where it is no dict */
    }
    return v;
}

bool oidc_wants_userinfo(const struct oidc_config *c, struct value claims)
{
    bool groups = c->group_count || c->admin_count || c->maps_groups;
    return !value_has(claims, STR("email")) || !value_has(claims, STR("name")) ||
           (groups && claim_at(claims, c->groups_claim).kind == VALUE_UNDEFINED);
}

enum status oidc_add_userinfo(struct value claims, struct value userinfo, struct err *err)
{
    static const char *const fixed[] = {"iss", "sub", "aud", "azp", "exp", "iat", "nonce"};
    str subject = value_get_text(claims, STR("sub"));
    if (userinfo.kind != VALUE_DICT || !str_eq(value_get_text(userinfo, STR("sub")), subject))
        return err_set(err, STATUS_INVALID, "what it says of the person is of somebody else (sub)");
    bool email = value_has(claims, STR("email")); /* its verification belongs to it */
    for (size_t i = 0; i < userinfo.dict->count; i++) {
        const struct value_entry *e = &userinfo.dict->entries[i];
        bool skip = value_has(claims, e->key) || (email && str_is(e->key, "email_verified"));
        for (size_t j = 0; j < ARRAY_LEN(fixed); j++)
            skip |= str_is(e->key, fixed[j]);
        if (!skip)
            value_set(claims, e->key, e->value);
    }
    return STATUS_OK;
}

static void take_groups(struct arena *a, struct value v, struct identity_person *p)
{
    size_t n = v.kind == VALUE_LIST ? MIN(value_count(v), (size_t)LIMIT_OIDC_GROUPS) : value_is_text(v);
    p->says_groups = v.kind != VALUE_UNDEFINED;
    p->groups = ARENA_ARRAY(a, str, n + 1);
    for (size_t i = 0; i < n; i++) {
        struct value item = v.kind == VALUE_LIST ? value_at(v, i) : v;
        if (value_is_text(item) && item.s.n)
            p->groups[p->group_count++] = arena_str(a, item.s);
    }
}

enum status oidc_person(struct arena *a, const struct oidc_config *c, struct value claims, struct identity_person *ret,
                        struct err *err)
{
    struct identity_person p = {.issuer = c->issuer, .subject = arena_str(a, value_get_text(claims, STR("sub")))};
    struct value verified = VALUE_GET(claims, "email_verified");
    str email = value_get_text(claims, STR("email")), name = value_get_text(claims, STR("name"));
    struct err no_address = ERR_INIT;
    if (letter_address(email, &no_address) == STATUS_OK)
        p.email = arena_str(a, email);
    /* Some issuers write the truth as a text. */
    p.email_verified = p.email.n && (c->trust_email || (verified.kind == VALUE_BOOL && verified.b) ||
                                     (value_is_text(verified) && str_is(verified.s, "true")));
    p.name = utf8_repair(a, name.n ? name : value_get_text(claims, STR("preferred_username")));
    p.login = arena_str(a, value_get_text(claims, STR("preferred_username")));
    take_groups(a, claim_at(claims, c->groups_claim), &p);
    bool allowed = !c->group_count;
    for (size_t i = 0; i < p.group_count; i++)
        allowed |= str_in(p.groups[i], c->groups, c->group_count) || str_in(p.groups[i], c->admins, c->admin_count);
    if (!allowed) {
        err_set(err, STATUS_FORBIDDEN, "you are in none of the groups that may sign in here");
        err_hint(err, "Ask your administrator: \"groups\" of hub.yaml names them.");
        return STATUS_FORBIDDEN;
    }
    *ret = p;
    return STATUS_OK;
}
