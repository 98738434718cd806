/* SPDX-License-Identifier: Apache-2.0 */
/* identity — signing in by others (an issuer of OpenID Connect, GitHub), and linking them to an account.
 *
 *   start      a try: state, nonce and verifier, signed into a cookie of this browser -> to the provider
 *   callback   the cookie and the state fit, and had no answer yet -> the provider is asked who it is -> arrive
 *   arrive     known: signed in · linking: linked · unknown: a new account, or a mail to whom the address belongs
 *
 * A try lives in a cookie and not in hub.db: whoever presses the button ten thousand times fills nothing. That it had
 * its answer is written down, which only a browser with the cookie can cause. Each provider has an address of its own
 * to come back to, the cookie names it, and "iss" is compared where a provider sends it: no answer of one can be taken
 * for that of another. An e-mail address alone opens no account (hub/identity.h). */
#include "hub/identity.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "codec/digest.h"
#include "codec/token.h"
#include "hub/account.h"
#include "hub/audit.h"
#include "hub/groups.h"
#include "hub/mail.h"
#include "hub/notice.h"
#include "hub/second.h"
#include "hub/session.h"
#include "hub/space.h"
#include "hub/view/view.h"
#include "rt/fault.h"

#define TRY_COOKIE "vitrine_try"
#define BY_COOKIE  "vitrine_by" /* who signed this browser in: asked to sign out too */
#define NEXT_MAX   500          /* bytes of the page to go to: a cookie has room for 4 kB */
#define SKEW_S     5

static const struct throttle_rule per_client = {100, 500};

/* Errors of a provider are worth their words: 400, 403, or 503 where it may be better later. */
static enum status outside(enum status st, struct err *err)
{
    if (st == STATUS_OK || st == STATUS_INVALID || st == STATUS_FORBIDDEN || st == STATUS_CONFLICT)
        return st;
    log_line(LOG_WARN, "hub", "signing in by others: %s %s", err->text, err->hint);
    err->status = STATUS_BUSY;
    if (!err->hint[0])
        err_hint(err, "Try again in a moment, or sign in another way.");
    return STATUS_BUSY;
}

static enum status provider_of(struct hub_request *rq, const struct provider **ret, struct err *err)
{
    str name = rq->params[0].n ? rq->params[0] : STR("github");
    *ret = providers_find(rq->hub->providers, name);
    if (*ret)
        return STATUS_OK;
    err_set(err, STATUS_NOT_FOUND, "Nobody signs in here with \"%.*s\".", STR_ARG(str_sub(name, 0, 60)));
    return err_hint(err, "The sign-in page has what there is.");
}

static str callback_of(struct hub_request *rq, const struct provider *p)
{
    str path = p->oidc ? ARENA_CAT(rq->a, STR("/-/oidc/"), p->name, STR("/callback")) : STR("/-/github/callback");
    return ARENA_CAT(rq->a, rq->hub->config.origin, path);
}

/* ---- start ---- */

static enum status keep_try(struct hub_request *rq, const struct provider *p, const struct oidc_try *t, str to,
                            bool link, struct err *err)
{
    struct value claims = value_dict(rq->a);
    int64_t now_s = clock_unix_s();
    str token;
    VALUE_SET(claims, "use", value_cstr("sign-in-try"));
    VALUE_SET(claims, "aud", value_str(p->name));
    VALUE_SET(claims, "state", value_str(t->state));
    VALUE_SET(claims, "nonce", value_str(t->nonce));
    VALUE_SET(claims, "verifier", value_str(t->verifier));
    VALUE_SET(claims, "to", value_str(to.n > NEXT_MAX ? STR("/") : to));
    VALUE_SET(claims, "session", value_str(link ? rq->session : STR("")));
    VALUE_SET(claims, "iat", value_int(now_s));
    VALUE_SET(claims, "exp", value_int(now_s + LIMIT_IDENTITY_TRY_S));
    enum status st = token_sign(rq->a, rq->hub->key, STR("1"), claims, &token, err);
    if (st == STATUS_OK)
        hub_cookie(rq, TRY_COOKIE, token, LIMIT_IDENTITY_TRY_S);
    return st;
}

/* Another way into an account: only who has just shown who they are opens one, and from a page of ours. Else a session
 * that was stolen would become an account that was, and a page elsewhere could link whoever is signed in at the
 * provider. Where the browser says that the request comes from is not enough: a link to our pages that sign in or ask
 * again (`to`) would begin it from there. So the button holds what only pages for this session do.
 */
static enum status may_link(struct hub_request *rq, bool *ret_sent_away, struct err *err)
{
    str site = http_header(rq->http, STR("sec-fetch-site")), proof = hub_session_proof(rq, "link");
    *ret_sent_away = true;
    if (value_is_null(rq->user))
        return hub_go(rq, STR("/-/sign-in?to=/-/account"), NULL);
    if ((site.n && !str_is(site, "same-origin")) || !digest_equal(hub_arg(rq, "link"), proof)) {
        err_set(err, STATUS_FORBIDDEN, "A page of another site asked to link something to your account.");
        return err_hint(err, "If you want that, begin on your account page.");
    }
    if (clock_unix_s() - rq->strong_at > LIMIT_HUB_STRONG_S)
        return hub_go(rq, ARENA_CAT(rq->a, STR("/-/confirm?to="), rq->http->path, STR("%3Flink="), proof), NULL);
    *ret_sent_away = false;
    return STATUS_OK;
}

enum status hub_view_identity_start(struct hub_request *rq, struct err *err)
{
    const struct provider *p;
    str url = {0}, hash;
    bool link = hub_arg(rq, "link").n > 0, sent_away = false;
    int64_t wait =
        throttle_take(rq->hub->throttle, ARENA_CAT(rq->a, STR("oidc "), rq->crowd), per_client, clock_mono_ms());
    if (wait)
        return err_set(err, STATUS_RATE, "Too many attempts. Wait %lld s, then try again.", (long long)wait);
    enum status st = provider_of(rq, &p, err);
    if (st == STATUS_OK && link)
        st = may_link(rq, &sent_away, err);
    if (st != STATUS_OK || sent_away)
        return st;
    const struct oidc_try t = {.redirect_uri = callback_of(rq, p),
                               .state = hub_secret(rq->a, &hash),
                               .nonce = hub_secret(rq->a, &hash),
                               .verifier = hub_secret(rq->a, &hash)};
    st = outside(provider_start(p, rq->a, &t, &url, err), err);
    if (st == STATUS_OK)
        st = keep_try(rq, p, &t, hub_safe_path(hub_arg(rq, "to")), link, err);
    return st == STATUS_OK ? hub_go_outside(rq, url) : st;
}

/* ---- callback ---- */

struct arrival {
    struct hub_request *rq;
    const struct provider *provider;
    struct identity_person person;
    struct value claims; /* of the try */
    str user, session;   /* whose it is (empty: unknown); the session that wants it linked */
    str id, name;        /* of a new account */
    str hash, secret;    /* of a link in a mail */
    bool asked;          /* the owner of the address was asked by mail */
};

static enum status stale(struct err *err)
{
    err_set(err, STATUS_INVALID, "This browser did not begin to sign in that way, or too long ago.");
    err_hint(err, "Begin again on the sign-in page. Cookies must be allowed.");
    return STATUS_INVALID;
}

static enum status read_try(struct arrival *v, struct err *err)
{
    struct hub_request *rq = v->rq;
    struct token_public key = {.id = STR("1")};
    struct err why = ERR_INIT;
    str text = hub_cookie_of(rq, TRY_COOKIE);
    hub_cookie(rq, TRY_COOKIE, STR(""), 0);
    ASSERT(token_public_read(token_key_public(rq->hub->key, rq->a), key.bytes));
    if (!text.n || token_verify(rq->a, &key, 1, text, &v->claims, &why) != STATUS_OK ||
        token_is_for(v->claims, STR("sign-in-try"), v->provider->name, clock_unix_s(), SKEW_S, &why) != STATUS_OK ||
        !digest_equal(value_get_text(v->claims, STR("state")), hub_arg(rq, "state")))
        return stale(err);
    v->session = value_get_text(v->claims, STR("session"));
    if (v->session.n && !str_eq(v->session, rq->session)) {
        err_set(err, STATUS_FORBIDDEN, "Somebody else is signed in here by now, or nobody.");
        err_hint(err, "Sign in, then link it on your account page.");
        return STATUS_FORBIDDEN;
    }
    return STATUS_OK;
}

static enum status write_used(struct conn *c, void *arg, struct err *err)
{
    const struct arrival *v = arg;
    return identity_use_try(c, hub_hash(v->rq->a, value_get_text(v->claims, STR("state"))),
                            VALUE_GET(v->claims, "exp").i + 60, err);
}

/* What the provider says went wrong (RFC 6749 section 4.1.2.1). */
static enum status refused(const struct arrival *v, str error, struct err *err)
{
    str text = str_sub(hub_arg(v->rq, "error_description"), 0, 200), label = v->provider->label;
    if (str_is(error, "access_denied"))
        err_set(err, STATUS_FORBIDDEN, "%.*s did not let you in, or you did not allow it.", STR_ARG(label));
    else
        err_set(err, STATUS_INVALID, "%.*s says: %.*s%s%.*s", STR_ARG(label), STR_ARG(str_sub(error, 0, 60)),
                text.n ? ": " : "", STR_ARG(text));
    err_hint(err, str_is(error, "redirect_uri_mismatch")
                      ? "The address to come back to must be known there; the administrator can add it."
                      : "Try again, or sign in another way.");
    return err->status;
}

static enum status ask_provider(struct arrival *v, struct err *err)
{
    struct hub_request *rq = v->rq;
    str error = hub_arg(rq, "error"), code = hub_arg(rq, "code"), id_token;
    const struct oidc_try t = {.redirect_uri = callback_of(rq, v->provider),
                               .state = value_get_text(v->claims, STR("state")),
                               .nonce = value_get_text(v->claims, STR("nonce")),
                               .verifier = value_get_text(v->claims, STR("verifier"))};
    if (error.n)
        return refused(v, error, err);
    if (!code.n)
        return stale(err);
    return outside(provider_finish(v->provider, rq->a, &t, code, hub_arg(rq, "iss"), &v->person, &id_token, err), err);
}

/* ---- arriving ---- */

static enum status write_known(struct conn *c, void *arg, struct err *err)
{
    const struct arrival *v = arg;
    enum status st = identity_used(c, &v->person, err);
    return st == STATUS_OK ? groups_apply(c, v->rq, v->provider, v->user, &v->person, err) : st;
}

static enum status write_link(struct conn *c, void *arg, struct err *err)
{
    const struct arrival *v = arg;
    str user = hub_user_id(v->rq);
    enum status st = identity_link(c, v->rq->a, user, v->provider->name, &v->person, err);
    if (st == STATUS_OK)
        st = groups_apply(c, v->rq, v->provider, user, &v->person, err);
    if (st == STATUS_OK)
        st = notice_add(c, v->rq, user, "identity_linked", "what", value_str(v->provider->label), err);
    return st == STATUS_OK ? hub_audit(c, v->rq, "identity.linked", STR(""), v->provider->label, err) : st;
}

static enum status sign_in(struct arrival *v, struct err *err)
{
    struct hub_request *rq = v->rq;
    struct conn *c;
    str user;
    hub_conn_release(rq); /* it may have been made just now */
    enum status st = hub_conn(rq, &c, err);
    if (st == STATUS_OK)
        st = identity_find(c, rq->a, &v->person, &user, &rq->identity, err);
    hub_conn_release(rq);
    if (st != STATUS_OK)
        return st;
    hub_cookie(rq, BY_COOKIE, v->provider->name, LIMIT_HUB_SESSION_S);
    return second_begin(rq, v->user, hub_safe_path(value_get_text(v->claims, STR("to"))), NULL, err);
}

static enum status arrive_known(struct arrival *v, struct err *err)
{
    struct hub_request *rq = v->rq;
    struct conn *c;
    struct value row;
    if (v->session.n && !str_eq(v->user, hub_user_id(rq))) {
        err_set(err, STATUS_CONFLICT, "It is linked to another account here.");
        err_hint(err, "Sign out, sign in with it, and unlink it there first.");
        return STATUS_CONFLICT;
    }
    if (v->session.n)
        return hub_go(rq, STR("/-/account"), "linked");
    enum status st = hub_conn(rq, &c, err);
    if (st == STATUS_OK)
        st = SQL_ROW(c, rq->a, &row, err, "select id from users where id = ?1 and disabled_at = 0", SQL_T(v->user));
    if (st == STATUS_OK && row.kind != VALUE_DICT)
        st = account_closed(rq, err);
    hub_conn_release(rq);
    if (st == STATUS_OK)
        st = store_write(rq->hub->store, write_known, v, err);
    (void)FAULT("hub.identity.used");
    if (st == STATUS_OK)
        space_tell(rq->hub);
    return st == STATUS_OK ? sign_in(v, err) : st;
}

/* ---- somebody new ---- */

/* The address has an account: its owner is asked, in the mailbox that the issuer says is this person's. */
static enum status ask_owner(struct conn *c, struct arrival *v, str user, str email, struct err *err)
{
    struct arena *a = v->rq->a;
    struct value data = value_dict(a), vars = value_dict(a);
    struct buf json;
    int64_t now_s = clock_unix_s();
    VALUE_SET(data, "provider", value_str(v->provider->name));
    VALUE_SET(data, "issuer", value_str(v->person.issuer));
    VALUE_SET(data, "subject", value_str(v->person.subject));
    VALUE_SET(data, "who", value_str(v->person.login.n ? v->person.login : v->person.email));
    buf_init(&json, LIMIT_HUB_FORM);
    value_to_json(&json, data, VALUE_JSON_UTF8);
    enum status st = SQL_RUN(c, err,
                             "insert into links (hash, kind, user_id, email, data, created_at, ends_at)"
                             " values (?1, 'identity', ?2, ?3, ?4, ?5, ?6)",
                             SQL_T(v->hash), SQL_T(user), SQL_T(email), SQL_T(buf_str(&json)), SQL_I(now_s),
                             SQL_I(now_s + LIMIT_HUB_LINK_S));
    buf_release(&json);
    VALUE_SET(vars, "provider", value_str(v->provider->label));
    VALUE_SET(vars, "url",
              value_str(ARENA_CAT(a, v->rq->hub->config.origin, STR("/-/link-identity?token="), v->secret)));
    v->asked = true;
    return st == STATUS_OK ? mail_add(c, a, v->rq->hub->secret, email, "link_identity", vars, err) : st;
}

static bool may_sign_up(const struct arrival *v)
{
    size_t groups = v->provider->oidc ? v->provider->oidc_config.group_count : v->provider->github.group_count;
    return v->rq->hub->config.sign_up == SIGN_UP_OPEN || groups; /* hub.yaml says who: they are asked in by that */
}

static enum status write_new(struct conn *c, void *arg, struct err *err)
{
    struct arrival *v = arg;
    struct value row;
    v->asked = false;
    enum status st = SQL_ROW(c, v->rq->a, &row, err, "select id, email, disabled_at from users where email = ?1",
                             SQL_T(v->person.email));
    if (st == STATUS_OK && row.kind == VALUE_DICT && VALUE_GET(row, "disabled_at").i)
        return account_closed(v->rq, err);
    if (st == STATUS_OK && row.kind == VALUE_DICT && !v->rq->hub->mail_config.url.n) {
        err_set(err, STATUS_CONFLICT, "The address %.*s has an account here already.", STR_ARG(v->person.email));
        err_hint(err, "Sign in to it with its password, then link %.*s on your account page.",
                 STR_ARG(v->provider->label));
        return STATUS_CONFLICT;
    }
    if (st == STATUS_OK && row.kind == VALUE_DICT)
        return ask_owner(c, v, VALUE_GET(row, "id").s, VALUE_GET(row, "email").s, err);
    if (st == STATUS_OK && !may_sign_up(v)) {
        err_set(err, STATUS_FORBIDDEN, "Nobody can make an account here without an invitation.");
        err_hint(err, "Ask somebody who has a space here to invite you.");
        return STATUS_FORBIDDEN;
    }
    if (st == STATUS_OK)
        st = account_add(c, v->rq, v->id, v->person.email, v->name, STR(""), true, err);
    if (st == STATUS_OK)
        st = identity_link(c, v->rq->a, v->id, v->provider->name, &v->person, err);
    v->user = v->id;
    return st == STATUS_OK ? groups_apply(c, v->rq, v->provider, v->user, &v->person, err) : st;
}

static enum status arrive_new(struct arrival *v, struct err *err)
{
    struct hub_request *rq = v->rq;
    struct identity_person *p = &v->person;
    struct err why = ERR_INIT;
    struct value vars = value_dict(rq->a);
    if (!p->email_verified) {
        err_set(err, STATUS_FORBIDDEN, "%.*s did not confirm that %s yours, so no account is found or made by it.",
                STR_ARG(v->provider->label), p->email.n ? "your e-mail address is" : "an e-mail address is");
        err_hint(err, "Make an account here or sign in to it, then link %.*s on your account page.",
                 STR_ARG(v->provider->label));
        return STATUS_FORBIDDEN;
    }
    bool named = account_name_check(str_trim(p->name), "Your name", &why) == STATUS_OK;
    v->name = named ? str_trim(p->name) : str_sub(p->email, 0, str_find_char(p->email, '@'));
    v->id = hub_id(rq->a, 'u');
    v->secret = hub_secret(rq->a, &v->hash);
    enum status st = store_write(rq->hub->store, write_new, v, err);
    (void)FAULT("hub.identity.new");
    if (st != STATUS_OK)
        return st;
    space_tell(rq->hub);
    if (!v->asked)
        return sign_in(v, err);
    VALUE_SET(vars, "provider", value_str(v->provider->label));
    VALUE_SET(vars, "email", value_str(p->email));
    return hub_page(rq, 200, "identity_asked.html", vars, err);
}

enum status hub_view_identity_callback(struct hub_request *rq, struct err *err)
{
    struct arrival v = {.rq = rq};
    struct conn *c;
    struct err none = ERR_INIT;
    enum status st = provider_of(rq, &v.provider, err);
    if (st == STATUS_OK)
        st = read_try(&v, err);
    hub_conn_release(rq);
    if (st == STATUS_OK)
        st = store_write(rq->hub->store, write_used, &v, err);
    (void)FAULT("hub.identity.tried");
    if (st == STATUS_OK)
        st = ask_provider(&v, err);
    if (st == STATUS_OK)
        st = hub_conn(rq, &c, err);
    if (st != STATUS_OK)
        return st;
    st = identity_find(c, rq->a, &v.person, &v.user, NULL, &none);
    hub_conn_release(rq);
    if (st == STATUS_OK)
        return arrive_known(&v, err);
    if (st != STATUS_NOT_FOUND) {
        *err = none;
        return st;
    }
    if (!v.session.n)
        return arrive_new(&v, err);
    st = store_write(rq->hub->store, write_link, &v, err);
    (void)FAULT("hub.identity.linked");
    if (st == STATUS_OK)
        space_tell(rq->hub);
    return st == STATUS_OK ? hub_go(rq, STR("/-/account"), "linked") : st;
}

/* ---- the link in the mail of ask_owner ---- */

static enum status write_confirmed(struct conn *c, void *arg, struct err *err)
{
    struct arrival *v = arg;
    struct value row, data;
    struct arena *a = v->rq->a;
    str token = hub_field(v->rq, "token");
    enum status st = SQL_ROW(c, a, &row, err, "select user_id, data from links where hash = ?1 and kind = 'identity'",
                             SQL_T(hub_hash(a, token)));
    if (st == STATUS_OK)
        st = account_link_use(c, a, token, "identity", err);
    if (st == STATUS_OK)
        st = value_from_json(a, value_get_text(row, STR("data")), &data, err);
    if (st != STATUS_OK)
        return st;
    const struct identity_person p = {.issuer = value_get_text(data, STR("issuer")),
                                      .subject = value_get_text(data, STR("subject")),
                                      .login = value_get_text(data, STR("who"))};
    st = account_proven(c, a, VALUE_GET(row, "user_id").s, err);
    if (st == STATUS_OK)
        st = identity_link(c, a, VALUE_GET(row, "user_id").s, value_get_text(data, STR("provider")), &p, err);
    if (st == STATUS_OK)
        st = notice_add(c, v->rq, VALUE_GET(row, "user_id").s, "identity_linked", "what", VALUE_GET(data, "provider"),
                        err);
    return st == STATUS_OK ? hub_audit(c, v->rq, "identity.linked", STR(""), value_get_text(data, STR("provider")), err)
                           : st;
}

enum status hub_view_link_identity(struct hub_request *rq, struct err *err)
{
    struct arrival v = {.rq = rq};
    struct conn *c;
    struct value link, vars = value_dict(rq->a);
    str token = hub_is_post(rq) ? hub_field(rq, "token") : hub_arg(rq, "token");
    enum status st = hub_conn(rq, &c, err);
    if (st == STATUS_OK)
        st = account_link_find(c, rq->a, token, "identity", &link, err);
    if (st == STATUS_OK && link.kind != VALUE_DICT) {
        err_set(err, STATUS_NOT_FOUND, "This link was used already, or its time is over.");
        err_hint(err, "Sign in that way again, and a new one is sent.");
        return STATUS_NOT_FOUND;
    }
    if (st != STATUS_OK)
        return st;
    if (!hub_is_post(rq)) {
        VALUE_SET(vars, "token", value_str(token));
        VALUE_SET(vars, "email", VALUE_GET(link, "email"));
        return hub_page(rq, 200, "link_identity.html", vars, err);
    }
    hub_conn_release(rq);
    st = store_write(rq->hub->store, write_confirmed, &v, err);
    (void)FAULT("hub.identity.confirmed");
    if (st == STATUS_OK)
        space_tell(rq->hub);
    return st == STATUS_OK ? hub_go(rq, STR("/-/sign-in"), "linked-by-mail") : st;
}

/* ---- unlinking ---- */

static enum status write_unlink(struct conn *c, void *arg, struct err *err)
{
    struct hub_request *rq = arg;
    struct value row;
    int64_t id = 0, n = 0;
    str user = hub_user_id(rq);
    if (!str_to_i64(hub_field(rq, "id"), &id))
        return err_set(err, STATUS_INVALID, "There is no such link.");
    enum status st = identity_count(c, user, &n, err);
    if (st == STATUS_OK)
        st = SQL_ROW(c, rq->a, &row, err,
                     "select password <> '' or exists (select 1 from passkeys where user_id = ?1) as has_other,"
                     " coalesce((select who from identities where user = ?1 and id = ?2), '') as who from users"
                     " where id = ?1",
                     SQL_T(user), SQL_I(id));
    if (st == STATUS_OK && n <= 1 && !VALUE_GET(row, "has_other").i) {
        err_set(err, STATUS_CONFLICT, "This is your only way to sign in.");
        err_hint(err, "Set a password first (\"Forgot the password\" on the sign-in page), or link another.");
        return STATUS_CONFLICT;
    }
    if (st == STATUS_OK) /* what the groups there gave goes with it */
        st = groups_forget(c, rq, user, id, err);
    if (st == STATUS_OK)
        st = identity_unlink(c, user, id, err);
    if (st == STATUS_OK)
        st = notice_add(c, rq, user, "identity_unlinked", "what", VALUE_GET(row, "who"), err);
    return st == STATUS_OK ? hub_audit(c, rq, "identity.unlinked", STR(""), hub_field(rq, "id"), err) : st;
}

enum status hub_view_unlink_identity(struct hub_request *rq, struct err *err)
{
    hub_conn_release(rq);
    enum status st = store_write(rq->hub->store, write_unlink, rq, err);
    (void)FAULT("hub.identity.unlinked");
    if (st == STATUS_OK)
        space_tell(rq->hub);
    return st == STATUS_OK ? hub_go(rq, STR("/-/account"), "unlinked") : st;
}

/* ---- signing out there too ---- */

str hub_identity_signed_out(struct hub_request *rq)
{
    str name = hub_cookie_of(rq, BY_COOKIE);
    if (!name.n)
        return STR("/");
    hub_cookie(rq, BY_COOKIE, STR(""), 0);
    return providers_find(rq->hub->providers, name) ? ARENA_CAT(rq->a, STR("/-/signed-out?by="), name) : STR("/");
}

enum status hub_view_signed_out(struct hub_request *rq, struct err *err)
{
    struct value vars = value_dict(rq->a);
    const struct provider *p = providers_find(rq->hub->providers, hub_arg(rq, "by"));
    str url;
    if (!p || !p->oidc ||
        oidc_end(p->oidc, rq->a, STR(""), ARENA_CAT(rq->a, rq->hub->config.origin, STR("/")), &url) != STATUS_OK)
        return hub_go(rq, STR("/"), "signed-out");
    VALUE_SET(vars, "provider", value_str(p->label));
    VALUE_SET(vars, "url", value_str(url));
    return hub_page(rq, 200, "signed_out.html", vars, err);
}
