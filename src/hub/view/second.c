/* SPDX-License-Identifier: Apache-2.0 */
/* second — the second step of signing in, signing in with a passkey, and the page that asks again who this is.
 *
 * Between the steps nobody is signed in: a cookie holds a secret of ten minutes, hub.db its hash as a link of the kind
 * "second". Codes are guessed slowly: each wrong one uses up an attempt of the account, or, in a browser that signed in
 * to it before, of that browser; so somebody who knows the password can keep out nobody but strangers. A passkey that
 * checks its owner is two factors already, and ends both steps. */
#include "hub/second.h"

#include "base/clock.h"
#include "base/limits.h"
#include "codec/password.h"
#include "codec/url.h"
#include "hub/account.h"
#include "hub/audit.h"
#include "hub/device.h"
#include "hub/factor.h"
#include "hub/notice.h"
#include "hub/session.h"
#include "hub/view/view.h"
#include "rt/fault.h"

#define COOKIE    "vitrine_second"
#define STEP_S    600
#define CODES_FEW 3 /* recovery codes that are left: its owner is told to make new ones */

static const struct throttle_rule per_code = {5, 60000};

/* ---- the step between ---- */

struct step {
    struct hub_request *rq;
    str hash, user;
};

static enum status write_step(struct conn *c, void *arg, struct err *err)
{
    const struct step *s = arg;
    enum status st = account_link_add(c, s->hash, "second", s->user, STR(""), STEP_S, err);
    return st == STATUS_OK ? account_link_of_identity(c, s->hash, s->rq->identity, err) : st;
}

static enum status finish(struct hub_request *rq, str user_id, str to, const char *note, struct err *err)
{
    enum status st = hub_session_begin(rq, &user_id, (struct session_first){0}, err);
    return st == STATUS_OK ? hub_go(rq, hub_safe_path(to), note) : st;
}

enum status second_begin(struct hub_request *rq, str user_id, str to, const char *note, struct err *err)
{
    struct factor_state state = {0};
    struct conn *c;
    struct step s = {.rq = rq, .user = user_id};
    enum status st = hub_conn(rq, &c, err);
    if (st == STATUS_OK)
        st = factor_state(c, user_id, &state, err);
    if (st != STATUS_OK || !state.totp)
        return st == STATUS_OK ? finish(rq, user_id, to, note, err) : st;
    str secret = hub_secret(rq->a, &s.hash);
    hub_conn_release(rq);
    st = store_write(rq->hub->store, write_step, &s, err);
    if (st != STATUS_OK)
        return st;
    hub_cookie(rq, COOKIE, secret, STEP_S);
    return hub_go(rq, ARENA_CAT(rq->a, STR("/-/second?to="), url_quote(rq->a, hub_safe_path(to), "/")), NULL);
}

struct passkey_ask second_ask(struct hub_request *rq, const char *purpose)
{
    const struct hub_config *c = &rq->hub->config;
    return (struct passkey_ask){.site = {c->domain, c->origin},
                                .key = rq->hub->secret,
                                .purpose = str_of(purpose),
                                .browser = rq->session.n ? rq->session : device_id(rq),
                                .now_s = clock_unix_s()};
}

static enum status offer(struct hub_request *rq, const char *purpose, str user, struct value vars, struct err *err)
{
    struct passkey_ask ask = second_ask(rq, purpose);
    struct conn *c;
    str json;
    enum status st = hub_conn(rq, &c, err);
    if (st == STATUS_OK)
        st = passkey_options_get(c, rq->a, &ask, user, &json, err);
    if (st == STATUS_OK)
        VALUE_SET(vars, "passkey_options", value_str(json));
    return st;
}

enum status second_offer(struct hub_request *rq, struct value vars, struct err *err)
{
    return offer(rq, "sign-in", STR(""), vars, err);
}

static void put_again(struct hub_request *rq, struct value vars, const struct err *why)
{
    hub_put_error(rq, vars, why);
    VALUE_SET(vars, "to", value_str(hub_safe_path(hub_is_post(rq) ? hub_field(rq, "to") : hub_arg(rq, "to"))));
}

static enum status may_guess(struct hub_request *rq, str bucket, struct err *err)
{
    int64_t wait = throttle_take(rq->hub->throttle, bucket, per_code, clock_mono_ms());
    if (!wait)
        return STATUS_OK;
    response_header_set(&rq->response, STR("retry-after"), arena_i64(rq->a, wait));
    return err_set(err, STATUS_RATE, "Too many attempts. Wait %lld second%s, then try again.", (long long)wait,
                   wait == 1 ? "" : "s");
}

/* ---- the code ---- */

struct code {
    struct hub_request *rq;
    str user, step, typed; /* step empty: somebody who is signed in is asked again */
    bool recovery;
};

static enum status code_used(struct conn *c, struct code *k, struct err *err)
{
    struct factor_state state = {0};
    enum status st = factor_state(c, k->user, &state, err);
    if (st == STATUS_OK)
        st = notice_add(c, k->rq, k->user, state.recovery_left > CODES_FEW ? "code_used" : "codes_low", "left",
                        value_int(state.recovery_left), err);
    return st == STATUS_OK ? hub_audit(c, k->rq, "recovery.used", STR(""), k->user, err) : st;
}

static enum status write_code(struct conn *c, void *arg, struct err *err)
{
    struct code *k = arg;
    struct hub_request *rq = k->rq;
    enum status st = factor_use(c, rq->a, rq->hub->secret, k->user, k->typed, clock_unix_s(), &k->recovery, err);
    (void)FAULT("hub.code.used");
    if (st == STATUS_OK)
        st = k->step.n ? account_link_use(c, rq->a, k->step, "second", err) : hub_session_confirm(c, rq, err);
    return st == STATUS_OK && k->recovery ? code_used(c, k, err) : st;
}

static enum status use_code(struct hub_request *rq, struct code *k, struct err *err)
{
    struct conn *c;
    bool known;
    enum status st = hub_conn(rq, &c, err);
    if (st == STATUS_OK)
        st = device_knows(c, rq, k->user, &known, err);
    if (st != STATUS_OK)
        return st;
    str bucket = ARENA_CAT(rq->a, STR("code "), k->user, known ? device_id(rq) : STR(""));
    hub_conn_release(rq);
    st = may_guess(rq, bucket, err);
    if (st == STATUS_OK)
        st = hub_of_field(rq, "code",
                          k->step.n ? hub_session_begin(rq, &k->user, (struct session_first){write_code, k}, err)
                                    : store_write(rq->hub->store, write_code, k, err));
    if (st == STATUS_OK)
        throttle_give_back(rq->hub->throttle, bucket, per_code, clock_mono_ms());
    return st;
}

bool second_in_form(enum status st)
{
    return hub_in_form(st) || st == STATUS_FORBIDDEN || st == STATUS_UNAUTHENTICATED;
}

static enum status second_page(struct hub_request *rq, str user, const struct err *why, struct err *err)
{
    struct value vars = value_dict(rq->a);
    struct factor_state state = {0};
    struct conn *c;
    enum status st = hub_conn(rq, &c, err);
    if (st == STATUS_OK)
        st = factor_state(c, user, &state, err);
    if (st == STATUS_OK && state.passkeys)
        st = second_offer(rq, vars, err);
    put_again(rq, vars, why);
    return st == STATUS_OK ? hub_page(rq, why ? status_http(why->status) : 200, "second.html", vars, err) : st;
}

enum status hub_view_second(struct hub_request *rq, struct err *err)
{
    struct code k = {.rq = rq, .step = hub_cookie_of(rq, COOKIE), .typed = hub_field(rq, "code")};
    struct err why = ERR_INIT;
    struct value link;
    struct conn *c;
    enum status st = hub_conn(rq, &c, err);
    if (st == STATUS_OK)
        st = account_link_find(c, rq->a, k.step, "second", &link, err);
    if (st != STATUS_OK)
        return st;
    if (link.kind != VALUE_DICT) /* too late, or signed in already */
        return hub_go(rq, STR("/-/sign-in"), rq->session.n ? NULL : "too-late");
    k.user = VALUE_GET(link, "user_id").s;
    rq->identity = VALUE_GET(link, "identity").i;
    if (!hub_is_post(rq))
        return second_page(rq, k.user, NULL, err);
    st = use_code(rq, &k, &why);
    if (st != STATUS_OK && second_in_form(st))
        return second_page(rq, k.user, &why, err);
    if (st != STATUS_OK) {
        *err = why;
        return st;
    }
    hub_cookie(rq, COOKIE, STR(""), 0);
    return hub_go(rq, hub_safe_path(hub_field(rq, "to")), k.recovery ? "recovery-used" : NULL);
}

/* ---- passkeys ---- */

struct passkey_try {
    struct hub_request *rq;
    struct passkey_ask ask;
    str wanted, user; /* wanted: who is signed in, and is asked again; empty = whoever signs */
};

static enum status write_passkey(struct conn *c, void *arg, struct err *err)
{
    struct passkey_try *t = arg;
    struct hub_request *rq = t->rq;
    struct value row;
    const struct passkey_answer given = {hub_field(rq, "id"), hub_field(rq, "client_data"),
                                         hub_field(rq, "authenticator_data"), hub_field(rq, "signature")};
    enum status st = passkey_use(c, rq->a, &t->ask, t->wanted, &given, &t->user, err);
    (void)FAULT("hub.passkey.used");
    if (st == STATUS_OK)
        st = SQL_ROW(c, rq->a, &row, err, "select verified_at from users where id = ?1 and disabled_at = 0",
                     SQL_T(t->user));
    if (st == STATUS_OK && (row.kind != VALUE_DICT || (rq->hub->config.verify && !VALUE_GET(row, "verified_at").i)))
        return err_set(err, STATUS_FORBIDDEN, "This account cannot sign in.");
    return st == STATUS_OK && t->wanted.n ? hub_session_confirm(c, rq, err) : st;
}

static enum status sign_in_again(struct hub_request *rq, const struct err *why, struct err *err)
{
    struct value vars = value_dict(rq->a);
    enum status st = second_offer(rq, vars, err);
    put_again(rq, vars, why);
    return st == STATUS_OK ? hub_page(rq, status_http(why->status), "sign_in.html", vars, err) : st;
}

enum status hub_view_passkey(struct hub_request *rq, struct err *err)
{
    struct passkey_try t = {.rq = rq, .ask = second_ask(rq, "sign-in")};
    struct err why = ERR_INIT;
    enum status st = hub_session_begin(rq, &t.user, (struct session_first){write_passkey, &t}, &why);
    if (st == STATUS_OK)
        return hub_go(rq, hub_safe_path(hub_field(rq, "to")), NULL);
    if (second_in_form(st))
        return sign_in_again(rq, &why, err);
    *err = why;
    return st;
}

/* ---- once more ---- */

static enum status write_confirm(struct conn *c, void *arg, struct err *err)
{
    return hub_session_confirm(c, arg, err);
}

static enum status confirm_password(struct hub_request *rq, struct err *err)
{
    struct conn *c;
    struct value row;
    str bucket = ARENA_CAT(rq->a, STR("confirm "), rq->session), hash;
    enum status st = may_guess(rq, bucket, err);
    if (st == STATUS_OK)
        st = hub_conn(rq, &c, err);
    if (st == STATUS_OK)
        st = SQL_ROW(c, rq->a, &row, err, "select password from users where id = ?1", SQL_T(hub_user_id(rq)));
    if (st != STATUS_OK)
        return st;
    hash = value_get_text(row, STR("password"));
    if (!hash.n || !password_matches(hash, value_get_text(rq->form, STR("password"))))
        return hub_of_field(rq, "password", err_set(err, STATUS_FORBIDDEN, "The password is wrong."));
    throttle_give_back(rq->hub->throttle, bucket, per_code, clock_mono_ms());
    hub_conn_release(rq);
    return store_write(rq->hub->store, write_confirm, rq, err);
}

static enum status confirm(struct hub_request *rq, const struct factor_state *state, struct err *err)
{
    if (hub_field(rq, "signature").n) {
        struct passkey_try t = {.rq = rq, .ask = second_ask(rq, "confirm"), .wanted = hub_user_id(rq)};
        hub_conn_release(rq);
        return store_write(rq->hub->store, write_passkey, &t, err);
    }
    if (state->totp) {
        struct code k = {.rq = rq, .user = hub_user_id(rq), .typed = hub_field(rq, "code")};
        return use_code(rq, &k, err);
    }
    return confirm_password(rq, err);
}

enum status hub_view_confirm(struct hub_request *rq, struct err *err)
{
    struct value vars = value_dict(rq->a), row;
    struct factor_state state = {0};
    struct err why = ERR_INIT;
    struct conn *c;
    enum status st = hub_conn(rq, &c, err);
    if (st == STATUS_OK)
        st = factor_state(c, hub_user_id(rq), &state, err);
    if (st == STATUS_OK)
        st = SQL_ROW(c, rq->a, &row, err, "select password <> '' as password from users where id = ?1",
                     SQL_T(hub_user_id(rq)));
    if (st != STATUS_OK)
        return st;
    if (hub_is_post(rq)) {
        st = confirm(rq, &state, &why);
        (void)FAULT("hub.session.confirmed");
        if (st == STATUS_OK)
            return hub_go(rq, hub_safe_path(hub_field(rq, "to")), NULL);
        if (!second_in_form(st)) {
            *err = why;
            return st;
        }
    }
    VALUE_SET(vars, "app", value_bool(state.totp));
    VALUE_SET(vars, "password", VALUE_GET(row, "password"));
    if (state.passkeys && (st = offer(rq, "confirm", hub_user_id(rq), vars, err)) != STATUS_OK)
        return st;
    put_again(rq, vars, &why);
    return hub_page(rq, why.status == STATUS_OK ? 200 : status_http(why.status), "confirm.html", vars, err);
}
