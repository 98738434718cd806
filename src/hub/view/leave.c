/* SPDX-License-Identifier: Apache-2.0 */
/* leave — taking one's data along, and deleting the account. A deleted account is kept for LIMIT_HUB_GRACE_S, in which
 * its owner may sign in and keep it; then account_purge takes it away. */
#include "base/clock.h"
#include "base/limits.h"
#include "hub/account.h"
#include "hub/audit.h"
#include "hub/notice.h"
#include "hub/session.h"
#include "hub/space.h"
#include "hub/view/view.h"
#include "rt/fault.h"

/* ---- export ---- */

/* Everything of hub.db that is about the user, but for secrets: X(key, SQL with ?1). */
static const struct {
    const char *key, *sql;
} parts[] = {
    {"account", "select id, email, name, verified_at, created_at, seen_at, deletes_at from users where id = ?1"},
    {"sessions", "select created_at, seen_at, ends_at, agent, address from sessions where user_id = ?1"},
    {"passkeys", "select name, made_at, used_at from passkeys where user_id = ?1"},
    {"identities", "select provider, issuer, subject, who, created_at, used_at from identities where user = ?1"},
    {"apps", "select since from totp where user_id = ?1 and secret is not null"},
    {"spaces", "select s.id, s.name, s.title, m.role, m.added_at from members m join spaces s on s.id = m.space_id"
               " where m.user_id = ?1"},
    {"roles_by_groups", "select s.id, s.name, s.title, g.role, i.provider from space_grants g join spaces s on s.id ="
                        " g.space_id join identities i on i.id = g.identity_id where g.user_id = ?1"},
    {"teams", "select t.id, t.name from team_people p join teams t on t.id = p.team_id where p.user_id = ?1"},
    {"invitations_sent", "select email, role, created_at, ends_at, used_at from invitations where by_user = ?1"},
    {"log", "select at, action, space_id, object, address from (select * from audit where user_id = ?1 order by id desc"
            " limit 10000) order by id"},
};

enum status hub_view_export(struct hub_request *rq, struct err *err)
{
    struct value all = value_dict(rq->a), rows;
    struct conn *c;
    enum status st = hub_conn(rq, &c, err);
    VALUE_SET(all, "from", value_str(rq->hub->config.origin));
    VALUE_SET(all, "at", value_int(clock_unix_s()));
    for (size_t i = 0; st == STATUS_OK && i < ARRAY_LEN(parts); i++) {
        const struct db_value args[] = {SQL_T(hub_user_id(rq))};
        st = sql_rows(c, rq->a, parts[i].sql, args, 1, &rows, err);
        if (st == STATUS_OK)
            value_set(all, str_of(parts[i].key), rows);
    }
    if (st != STATUS_OK)
        return st;
    response_header_set(&rq->response, STR("content-disposition"), STR("attachment; filename=\"account.json\""));
    return hub_json(rq, 200, all);
}

/* ---- deleting ---- */

static enum status last_admin(struct conn *c, struct arena *a, str user, struct err *err)
{
    struct value row;
    enum status st = SQL_ROW(c, a, &row, err,
                             "select (select is_admin from users where id = ?1) and not exists (select 1 from users"
                             " where is_admin and id <> ?1 and disabled_at = 0 and deletes_at = 0) as last",
                             SQL_T(user));
    if (st == STATUS_OK && VALUE_GET(row, "last").i) {
        err_set(err, STATUS_CONFLICT, "You are the only administrator.");
        return err_hint(err, "Make somebody else one first.");
    }
    return st;
}

static enum status write_delete(struct conn *c, void *arg, struct err *err)
{
    struct hub_request *rq = arg;
    struct value spaces;
    str user = hub_user_id(rq);
    enum status st = account_alone(c, rq->a, user, &spaces, err);
    if (st == STATUS_OK && value_count(spaces)) {
        err_set(err, STATUS_CONFLICT, "You are the only owner of %zu space%s, the first is \"%.*s\".",
                value_count(spaces), value_count(spaces) == 1 ? "" : "s",
                STR_ARG(value_get_text(value_at(spaces, 0), STR("name"))));
        return err_hint(err, "Make somebody else an owner, or delete the space, before you delete your account.");
    }
    if (st == STATUS_OK)
        st = last_admin(c, rq->a, user, err);
    int64_t until = clock_unix_s() + LIMIT_HUB_GRACE_S;
    if (st == STATUS_OK)
        st = SQL_RUN(c, err, "update users set deletes_at = ?2 where id = ?1", SQL_T(user), SQL_I(until));
    if (st == STATUS_OK)
        st = notice_add(c, rq, user, "account_deleted", "until", value_str(hub_day(rq->a, until)), err);
    if (st == STATUS_OK)
        st = hub_session_end_others(c, rq->a, user, STR(""), err);
    return st == STATUS_OK ? hub_audit(c, rq, "account.deleted", STR(""), user, err) : st;
}

static enum status write_keep(struct conn *c, void *arg, struct err *err)
{
    struct hub_request *rq = arg;
    enum status st = SQL_RUN(c, err, "update users set deletes_at = 0 where id = ?1", SQL_T(hub_user_id(rq)));
    return st == STATUS_OK ? hub_audit(c, rq, "account.kept", STR(""), hub_user_id(rq), err) : st;
}

static enum status leave_page(struct hub_request *rq, const struct err *why, struct err *err)
{
    struct value vars = value_dict(rq->a), spaces;
    struct conn *c;
    enum status st = hub_conn(rq, &c, err);
    if (st == STATUS_OK)
        st = account_alone(c, rq->a, hub_user_id(rq), &spaces, err);
    if (st != STATUS_OK)
        return st;
    VALUE_SET(vars, "spaces", spaces);
    VALUE_SET(vars, "days", value_int(LIMIT_HUB_GRACE_S / 86400));
    VALUE_SET(vars, "until", value_str(hub_day(rq->a, VALUE_GET(rq->user, "deletes_at").i)));
    hub_put_error(rq, vars, why);
    return hub_page(rq, why->status == STATUS_OK ? 200 : status_http(why->status), "leave.html", vars, err);
}

enum status hub_view_leave(struct hub_request *rq, struct err *err)
{
    struct err why = ERR_INIT;
    bool keep = str_is(hub_field(rq, "do"), "keep"), delete = str_is(hub_field(rq, "do"), "delete");
    if (!hub_is_post(rq))
        return leave_page(rq, &why, err);
    if (!keep && !delete)
        return err_set(err, STATUS_INVALID, "The form must say do = delete or keep.");
    if (delete &&!str_eq_nocase(hub_field(rq, "email"), value_get_text(rq->user, STR("email")))) {
        err_set(&why, STATUS_INVALID, "Type your e-mail address to say that you mean it.");
        rq->wrong = "email";
        return leave_page(rq, &why, err);
    }
    hub_conn_release(rq);
    enum status st = store_write(rq->hub->store, keep ? write_keep : write_delete, rq, &why);
    (void)FAULT("hub.account.deleted");
    if (st == STATUS_CONFLICT)
        return leave_page(rq, &why, err);
    if (st != STATUS_OK) {
        *err = why;
        return st;
    }
    if (keep)
        return hub_go(rq, STR("/-/account"), "kept");
    space_tell(rq->hub);
    hub_cookie(rq, SESSION_COOKIE, STR(""), 0);
    return hub_go(rq, STR("/"), "account-deleted");
}
