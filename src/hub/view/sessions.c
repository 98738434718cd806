/* SPDX-License-Identifier: Apache-2.0 */
/* sessions — where one is signed in, ending that, and the password. */
#include "hub/session.h"

#include "base/clock_jump.h"
#include "base/limits.h"
#include "codec/password.h"
#include "codec/password_rules.h"
#include "hub/account.h"
#include "hub/audit.h"
#include "hub/device.h"
#include "hub/notice.h"
#include "hub/second.h"
#include "hub/space.h"
#include "hub/view/view.h"
#include "rt/fault.h"

/* ---- the list ---- */

static enum status sessions_page(struct hub_request *rq, struct err *err)
{
    struct value vars = value_dict(rq->a), rows;
    struct conn *c;
    enum status st = hub_conn(rq, &c, err);
    if (st == STATUS_OK)
        st = SQL_ROWS(c, rq->a, &rows, err,
                      "select id, agent, address, created_at, seen_at from sessions where user_id = ?1 and ends_at > ?2"
                      " order by id <> ?3, seen_at desc",
                      SQL_T(hub_user_id(rq)), SQL_I(clock_unix_s()), SQL_T(rq->session));
    if (st != STATUS_OK)
        return st;
    for (size_t i = 0; i < value_count(rows); i++) {
        struct value row = value_at(rows, i);
        VALUE_SET(row, "device", value_str(device_name(rq->a, value_get_text(row, STR("agent")))));
        VALUE_SET(row, "place", value_str(device_place(rq->a, value_get_text(row, STR("address")))));
        VALUE_SET(row, "since", value_str(hub_day(rq->a, VALUE_GET(row, "created_at").i)));
        VALUE_SET(row, "seen", value_str(hub_day(rq->a, VALUE_GET(row, "seen_at").i)));
        VALUE_SET(row, "here", value_bool(str_eq(value_get_text(row, STR("id")), rq->session)));
    }
    VALUE_SET(vars, "sessions", rows);
    return hub_page(rq, 200, "sessions.html", vars, err);
}

static enum status write_end(struct conn *c, void *arg, struct err *err)
{
    struct hub_request *rq = arg;
    struct value row;
    str id = hub_field(rq, "session");
    enum status st;
    if (!id.n) {
        st = hub_session_end_others(c, rq->a, hub_user_id(rq), rq->session, err);
    } else {
        st = SQL_ROW(c, rq->a, &row, err, "select id from sessions where id = ?1 and user_id = ?2", SQL_T(id),
                     SQL_T(hub_user_id(rq)));
        if (st == STATUS_OK && row.kind != VALUE_DICT)
            return err_set(err, STATUS_NOT_FOUND, "There is no such session; perhaps it ended already.");
        if (st == STATUS_OK)
            st = hub_session_end(c, rq->a, id, err);
    }
    return st == STATUS_OK ? hub_audit(c, rq, id.n ? "session.ended" : "sessions.ended", STR(""), id, err) : st;
}

enum status hub_view_sessions(struct hub_request *rq, struct err *err)
{
    if (!hub_is_post(rq))
        return sessions_page(rq, err);
    hub_conn_release(rq);
    enum status st = store_write(rq->hub->store, write_end, rq, err);
    (void)FAULT("hub.sessions.ended");
    if (st != STATUS_OK)
        return st;
    space_tell(rq->hub);
    return hub_go(rq, STR("/-/account/sessions"), "session-ended");
}

/* ---- the password ---- */

struct new_password {
    struct hub_request *rq;
    str hash;
};

static enum status write_password(struct conn *c, void *arg, struct err *err)
{
    const struct new_password *n = arg;
    struct hub_request *rq = n->rq;
    enum status st =
        SQL_RUN(c, err, "update users set password = ?2 where id = ?1", SQL_T(hub_user_id(rq)), SQL_T(n->hash));
    if (st == STATUS_OK)
        st = hub_session_end_others(c, rq->a, hub_user_id(rq), rq->session, err);
    if (st == STATUS_OK)
        st = account_void_links(c, hub_user_id(rq), err);
    if (st == STATUS_OK)
        st = notice_add(c, rq, hub_user_id(rq), "password_changed", NULL, VALUE_NULL, err);
    return st == STATUS_OK ? hub_audit(c, rq, "password.changed", STR(""), STR(""), err) : st;
}

static enum status check_old(struct hub_request *rq, str hash, struct err *err)
{
    static const struct throttle_rule rule = {5, 30000};
    str bucket = ARENA_CAT(rq->a, STR("confirm "), rq->session);
    int64_t wait = throttle_take(rq->hub->throttle, bucket, rule, clock_mono_ms());
    if (wait)
        return err_set(err, STATUS_RATE, "Too many attempts. Wait %lld seconds, then try again.", (long long)wait);
    if (!password_matches(hash, value_get_text(rq->form, STR("old"))))
        return hub_of_field(rq, "old", err_set(err, STATUS_FORBIDDEN, "The old password is wrong."));
    throttle_give_back(rq->hub->throttle, bucket, rule, clock_mono_ms());
    return STATUS_OK;
}

static enum status change_password(struct hub_request *rq, str old_hash, struct err *err)
{
    struct new_password n = {.rq = rq};
    str password = value_get_text(rq->form, STR("password"));
    enum status st = STATUS_OK;
    if (old_hash.n)
        st = check_old(rq, old_hash, err);
    else if (clock_age_s(rq->strong_at, clock_unix_s()) > LIMIT_HUB_STRONG_S)
        st = err_set(err, STATUS_FORBIDDEN, "Sign in anew first: the first password needs a fresh sign-in.");
    if (st == STATUS_OK)
        st = hub_of_field(rq, "password", password_rules_check(password, value_get_text(rq->user, STR("email")), err));
    if (st == STATUS_OK)
        st = password_hash(rq->a, password, PASSWORD_ARGON2ID, &n.hash, err);
    hub_conn_release(rq);
    if (st == STATUS_OK)
        st = store_write(rq->hub->store, write_password, &n, err);
    (void)FAULT("hub.password.changed");
    return st;
}

enum status hub_view_password(struct hub_request *rq, struct err *err)
{
    struct value vars = value_dict(rq->a), row;
    struct err why = ERR_INIT;
    struct conn *c;
    enum status st = hub_conn(rq, &c, err);
    if (st == STATUS_OK)
        st = SQL_ROW(c, rq->a, &row, err, "select password from users where id = ?1", SQL_T(hub_user_id(rq)));
    if (st != STATUS_OK)
        return st;
    str old_hash = value_get_text(row, STR("password"));
    if (hub_is_post(rq)) {
        st = change_password(rq, old_hash, &why);
        if (st == STATUS_OK) {
            space_tell(rq->hub);
            return hub_go(rq, STR("/-/account"), "password-changed");
        }
        if (!second_in_form(st)) {
            *err = why;
            return st;
        }
        hub_put_error(rq, vars, &why);
    }
    VALUE_SET(vars, "has_password", value_bool(old_hash.n > 0));
    return hub_page(rq, why.status == STATUS_OK ? 200 : status_http(why.status), "password.html", vars, err);
}
