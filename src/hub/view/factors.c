/* SPDX-License-Identifier: Apache-2.0 */
/* factors — one's app, recovery codes and passkeys: set up, shown, taken away. All of it asks first who this is
 * (HUB_STRONG). */
#include "base/clock.h"
#include "base/limits.h"
#include "codec/qr.h"
#include "codec/totp.h"
#include "hub/account.h"
#include "hub/audit.h"
#include "hub/factor.h"
#include "hub/notice.h"
#include "hub/second.h"
#include "hub/view/view.h"
#include "rt/fault.h"

/* A code that is wrong, a passkey that is gone or one too many: said in the page. */
static bool in_form(enum status st)
{
    return second_in_form(st) || st == STATUS_NOT_FOUND || st == STATUS_TOO_LARGE;
}

/* ---- the app and recovery codes ---- */

struct app {
    struct hub_request *rq;
    str secret;
    str codes[RECOVERY_CODES];
    bool has_codes;
};

static enum status renew(struct conn *c, struct app *p, struct err *err)
{
    struct hub_request *rq = p->rq;
    enum status st = factor_renew_recovery(c, rq->a, rq->hub->secret, hub_user_id(rq), clock_unix_s(), p->codes, err);
    p->has_codes = st == STATUS_OK;
    return st;
}

static enum status app_begin(struct conn *c, void *arg, struct err *err)
{
    struct app *p = arg;
    return factor_begin(c, p->rq->a, p->rq->hub->secret, hub_user_id(p->rq), clock_unix_s(), &p->secret, err);
}

static enum status app_confirm(struct conn *c, void *arg, struct err *err)
{
    struct app *p = arg;
    struct hub_request *rq = p->rq;
    str code = hub_field(rq, "code");
    enum status st =
        hub_of_field(rq, "code", factor_confirm(c, rq->a, rq->hub->secret, hub_user_id(rq), code, clock_unix_s(), err));
    if (st == STATUS_OK)
        st = renew(c, p, err);
    if (st == STATUS_OK)
        st = notice_add(c, rq, hub_user_id(rq), "app_on", NULL, VALUE_NULL, err);
    return st == STATUS_OK ? hub_audit(c, rq, "factor.added", STR(""), STR("app"), err) : st;
}

static enum status app_codes(struct conn *c, void *arg, struct err *err)
{
    struct app *p = arg;
    struct factor_state state = {0};
    enum status st = factor_state(c, hub_user_id(p->rq), &state, err);
    if (st == STATUS_OK && !state.totp)
        return err_set(err, STATUS_CONFLICT, "Recovery codes stand in for an app: set one up first.");
    if (st == STATUS_OK)
        st = renew(c, p, err);
    if (st == STATUS_OK)
        st = notice_add(c, p->rq, hub_user_id(p->rq), "codes_made", NULL, VALUE_NULL, err);
    return st == STATUS_OK ? hub_audit(c, p->rq, "recovery.renewed", STR(""), STR(""), err) : st;
}

static enum status app_off(struct conn *c, void *arg, struct err *err)
{
    const struct app *p = arg;
    struct factor_state state = {0};
    enum status st = factor_state(c, hub_user_id(p->rq), &state, err);
    if (st == STATUS_OK)
        st = factor_off(c, hub_user_id(p->rq), err);
    if (st == STATUS_OK && state.totp)
        st = notice_add(c, p->rq, hub_user_id(p->rq), "app_off", NULL, VALUE_NULL, err);
    return st == STATUS_OK ? hub_audit(c, p->rq, "factor.removed", STR(""), STR("app"), err) : st;
}

static const struct {
    const char *name;
    store_write_fn *write;
} app_acts[] = {{"begin", app_begin}, {"confirm", app_confirm}, {"codes", app_codes}, {"off", app_off}};

static enum status app_act(struct hub_request *rq, struct app *p, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(app_acts); i++)
        if (str_is(hub_field(rq, "do"), app_acts[i].name)) {
            enum status st = store_write(rq->hub->store, app_acts[i].write, p, err);
            (void)FAULT("hub.app.changed");
            return st;
        }
    return err_set(err, STATUS_INVALID, "The form must say do = begin, confirm, codes or off.");
}

/* The secret that waits, as a picture and for typing. */
static enum status put_secret(struct hub_request *rq, struct conn *c, struct value vars, struct err *err)
{
    str secret, svg;
    struct err none = ERR_INIT;
    str email = value_get_text(rq->user, STR("email"));
    enum status st = factor_waiting(c, rq->a, rq->hub->secret, hub_user_id(rq), clock_unix_s(), &secret, &none);
    if (st != STATUS_OK)
        return st == STATUS_NOT_FOUND ? STATUS_OK : (*err = none).status;
    str uri = totp_uri(rq->a, rq->hub->config.domain, email, secret);
    st = qr_svg(rq->a, uri, STR("QR code for the app"), &svg, err);
    if (st != STATUS_OK)
        return st;
    VALUE_SET(vars, "qr", value_safe(svg));
    VALUE_SET(vars, "uri", value_str(uri));
    VALUE_SET(vars, "secret", value_str(totp_typed_secret(rq->a, secret)));
    return STATUS_OK;
}

static enum status app_page(struct hub_request *rq, const struct app *p, const struct err *why, struct err *err)
{
    struct value vars = value_dict(rq->a), codes = value_list(rq->a);
    struct factor_state state = {0};
    struct conn *c;
    enum status st = hub_conn(rq, &c, err);
    if (st == STATUS_OK)
        st = factor_state(c, hub_user_id(rq), &state, err);
    if (st == STATUS_OK && !p->has_codes)
        st = put_secret(rq, c, vars, err);
    if (st != STATUS_OK)
        return st;
    for (int i = 0; p->has_codes && i < RECOVERY_CODES; i++)
        value_push(codes, value_str(p->codes[i]));
    VALUE_SET(vars, "app", value_bool(state.totp));
    VALUE_SET(vars, "left", value_int(state.recovery_left));
    VALUE_SET(vars, "codes", codes);
    hub_put_error(rq, vars, why);
    return hub_page(rq, why->status == STATUS_OK ? 200 : status_http(why->status), "app.html", vars, err);
}

enum status hub_view_app(struct hub_request *rq, struct err *err)
{
    struct app p = {.rq = rq};
    struct err why = ERR_INIT;
    if (hub_is_post(rq)) {
        hub_conn_release(rq);
        enum status st = app_act(rq, &p, &why);
        if (st == STATUS_OK && !p.has_codes) /* codes are shown once: by the answer itself */
            return hub_go(rq, STR("/-/account/app"), str_is(hub_field(rq, "do"), "off") ? "factor-off" : NULL);
        if (st != STATUS_OK && !in_form(st)) {
            *err = why;
            return st;
        }
    }
    return app_page(rq, &p, &why, err);
}

/* ---- passkeys ---- */

struct keys {
    struct hub_request *rq;
    struct passkey_ask ask;
};

static enum status keys_add(struct conn *c, void *arg, struct err *err)
{
    const struct keys *k = arg;
    struct hub_request *rq = k->rq;
    str name = hub_field(rq, "name");
    enum status st = account_name_check(name, "The name of the passkey", err);
    if (st == STATUS_OK)
        st = passkey_add(c, rq->a, &k->ask, hub_user_id(rq), name, hub_field(rq, "client_data"),
                         hub_field(rq, "attestation"), err);
    if (st == STATUS_OK)
        st = notice_add(c, rq, hub_user_id(rq), "passkey_added", "what", value_str(name), err);
    return st == STATUS_OK ? hub_audit(c, rq, "factor.added", STR(""), STR("passkey"), err) : st;
}

static enum status keys_rename(struct conn *c, void *arg, struct err *err)
{
    const struct keys *k = arg;
    str name = hub_field(k->rq, "name");
    enum status st = account_name_check(name, "The name of the passkey", err);
    return st == STATUS_OK ? passkey_rename(c, k->rq->a, hub_user_id(k->rq), hub_field(k->rq, "key"), name, err) : st;
}

/* Whoever has no password and no other provider signs in with passkeys only: one stays. */
static enum status keys_remove(struct conn *c, void *arg, struct err *err)
{
    const struct keys *k = arg;
    struct hub_request *rq = k->rq;
    struct value row;
    str name = STR("");
    enum status st = passkey_name(c, rq->a, hub_user_id(rq), hub_field(rq, "key"), &name, err);
    if (st == STATUS_OK)
        st = passkey_remove(c, rq->a, hub_user_id(rq), hub_field(rq, "key"), err);
    if (st == STATUS_OK)
        st = SQL_ROW(c, rq->a, &row, err,
                     "select password <> '' or exists (select 1 from passkeys where user_id = ?1) or exists (select 1"
                     " from identities where user = ?1) as way_in from users where id = ?1",
                     SQL_T(hub_user_id(rq)));
    if (st == STATUS_OK && !VALUE_GET(row, "way_in").i) {
        err_set(err, STATUS_CONFLICT, "This passkey is the last way into your account.");
        return err_hint(err, "Set a password, or add another passkey, before you remove it.");
    }
    if (st == STATUS_OK)
        st = notice_add(c, rq, hub_user_id(rq), "passkey_removed", "what", value_str(name), err);
    return st == STATUS_OK ? hub_audit(c, rq, "factor.removed", STR(""), STR("passkey"), err) : st;
}

static const struct {
    const char *name, *note;
    store_write_fn *write;
} key_acts[] = {
    {"add", "passkey-added", keys_add}, {"rename", "saved", keys_rename}, {"remove", "passkey-removed", keys_remove}};

static enum status keys_page(struct hub_request *rq, const struct err *why, struct err *err)
{
    struct value vars = value_dict(rq->a), list;
    struct passkey_ask ask = second_ask(rq, "add");
    struct conn *c;
    str json;
    enum status st = hub_conn(rq, &c, err);
    if (st == STATUS_OK)
        st = passkey_list(c, rq->a, hub_user_id(rq), &list, err);
    if (st == STATUS_OK)
        st = passkey_options_create(c, rq->a, &ask, hub_user_id(rq), value_get_text(rq->user, STR("email")),
                                    value_get_text(rq->user, STR("name")), rq->hub->config.domain, &json, err);
    if (st != STATUS_OK)
        return st;
    for (size_t i = 0; i < value_count(list); i++) {
        struct value row = value_at(list, i);
        VALUE_SET(row, "made", value_str(hub_day(rq->a, VALUE_GET(row, "made_at").i)));
        VALUE_SET(row, "used", value_str(hub_day(rq->a, VALUE_GET(row, "used_at").i)));
    }
    VALUE_SET(vars, "passkeys", list);
    VALUE_SET(vars, "passkey_options", value_str(json));
    hub_put_error(rq, vars, why);
    return hub_page(rq, why->status == STATUS_OK ? 200 : status_http(why->status), "passkeys.html", vars, err);
}

enum status hub_view_passkeys(struct hub_request *rq, struct err *err)
{
    struct keys k = {rq, second_ask(rq, "add")};
    struct err why = ERR_INIT;
    enum status st = STATUS_INVALID;
    if (!hub_is_post(rq))
        return keys_page(rq, &why, err);
    hub_conn_release(rq);
    err_set(&why, st, "The form must say do = add, rename or remove.");
    for (size_t i = 0; i < ARRAY_LEN(key_acts); i++) {
        if (!str_is(hub_field(rq, "do"), key_acts[i].name))
            continue;
        err_clear(&why);
        st = store_write(rq->hub->store, key_acts[i].write, &k, &why);
        (void)FAULT("hub.passkey.changed");
        if (st == STATUS_OK)
            return hub_go(rq, STR("/-/account/passkeys"), key_acts[i].note);
    }
    if (in_form(st))
        return keys_page(rq, &why, err);
    *err = why;
    return st;
}
