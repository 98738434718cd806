/* SPDX-License-Identifier: Apache-2.0 */
/* members — who is in a space, and asking people in. */
#include "base/clock.h"
#include "base/limits.h"
#include "codec/letter.h"
#include "hub/account.h"
#include "hub/audit.h"
#include "hub/mail.h"
#include "hub/team.h"
#include "hub/view/view.h"
#include "rt/fault.h"

static str members_path(struct hub_request *rq)
{
    return arena_printf(rq->a, "/spaces/%.*s/members", STR_ARG(rq->params[0]));
}

struct member {
    struct hub_request *rq;
    str space, user;
    enum space_role role; /* ROLE_NONE: out */
};

/* *ret_stay: those who can act, and stay: not disabled, not on their way out. */
static enum status owners(struct conn *c, const struct member *m, int64_t *ret_all, int64_t *ret_stay, struct err *err)
{
    struct value row;
    enum status st = SQL_ROW(c, m->rq->a, &row, err,
                             "select count(*) as n, count(*) filter (where u.deletes_at = 0 and u.disabled_at = 0) as"
                             " stay from members o join users u on u.id = o.user_id where o.space_id = ?1 and o.role ="
                             " 'owner'",
                             SQL_T(m->space));
    if (st == STATUS_OK) {
        *ret_all = VALUE_GET(row, "n").i;
        *ret_stay = VALUE_GET(row, "stay").i;
    }
    return st;
}

/* A space always has an owner: the last one neither goes nor becomes less. */
static enum status write_member(struct conn *c, void *arg, struct err *err)
{
    const struct member *m = arg;
    struct value row;
    int64_t all = 0, before = 0, after = 0;
    enum status st = SQL_ROW(c, m->rq->a, &row, err, "select role from members where space_id = ?1 and user_id = ?2",
                             SQL_T(m->space), SQL_T(m->user));
    if (st == STATUS_OK && row.kind != VALUE_DICT) {
        err_set(err, STATUS_NOT_FOUND, "That is no member of this space.");
        return err_hint(err, "Perhaps they left already, or are in it by a team.");
    }
    if (st == STATUS_OK)
        st = owners(c, m, &all, &before, err);
    if (st == STATUS_OK && m->role == ROLE_NONE)
        st = SQL_RUN(c, err, "delete from members where space_id = ?1 and user_id = ?2", SQL_T(m->space),
                     SQL_T(m->user));
    else if (st == STATUS_OK)
        st = SQL_RUN(c, err, "update members set role = ?3 where space_id = ?1 and user_id = ?2", SQL_T(m->space),
                     SQL_T(m->user), SQL_T(str_of(space_role_name(m->role))));
    if (st == STATUS_OK)
        st = owners(c, m, &all, &after, err);
    if (st == STATUS_OK && (!all || (before && !after))) {
        err_set(err, STATUS_CONFLICT, "The last owner of a space cannot go.");
        return err_hint(err, "Make somebody else an owner first, or delete the space.");
    }
    if (st == STATUS_OK)
        st = space_changed(c, m->space, err);
    return st == STATUS_OK
               ? hub_audit(c, m->rq, m->role == ROLE_NONE ? "member.removed" : "member.role", m->space, m->user, err)
               : st;
}

static enum status change_member(struct hub_request *rq, struct value space, struct err *err)
{
    struct member m = {rq, VALUE_GET(space, "id").s, hub_field(rq, "user"), space_role_parse(hub_field(rq, "role"))};
    bool leaves = str_eq(m.user, hub_user_id(rq)) && m.role == ROLE_NONE;
    enum status st = leaves ? STATUS_OK : space_require(rq, space, ROLE_OWNER, err);
    if (st == STATUS_OK && m.role == ROLE_NONE && !str_is(hub_field(rq, "role"), "none"))
        st = err_set(err, STATUS_INVALID, "The role must be owner, editor, viewer or none.");
    hub_conn_release(rq);
    if (st == STATUS_OK)
        st = store_write(rq->hub->store, write_member, &m, err);
    (void)FAULT("hub.member.changed");
    if (st != STATUS_OK)
        return st;
    space_tell(rq->hub);
    return hub_go(rq, leaves ? STR("/") : members_path(rq), m.role == ROLE_NONE ? "removed" : "role-changed");
}

static enum status change_team(struct hub_request *rq, struct value space, struct err *err)
{
    str role = hub_field(rq, "role");
    enum status st = space_require(rq, space, ROLE_OWNER, err);
    if (st == STATUS_OK && space_role_parse(role) == ROLE_NONE && !str_is(role, "none"))
        st = err_set(err, STATUS_INVALID, "The role must be owner, editor, viewer or none.");
    if (st == STATUS_OK)
        st = team_give(rq, hub_field(rq, "team"), VALUE_GET(space, "id").s, space_role_parse(role), err);
    return st == STATUS_OK ? hub_go(rq, members_path(rq), "role-changed") : st;
}

static enum status show(struct hub_request *rq, struct value space, str link, const struct err *why, struct err *err)
{
    struct value vars = value_dict(rq->a), people, invitations, teams, own_teams;
    struct conn *c;
    str id = VALUE_GET(space, "id").s;
    enum status st = hub_conn(rq, &c, err);
    if (st == STATUS_OK)
        st = space_people(c, rq->a, id, &people, err);
    if (st == STATUS_OK)
        st = SQL_ROWS(c, rq->a, &invitations, err,
                      "select id, email, role, ends_at from invitations where space_id = ?1 and used_at = 0 and"
                      " ends_at > ?2 order by created_at desc",
                      SQL_T(id), SQL_I(clock_unix_s()));
    if (st == STATUS_OK)
        st = team_of_space(c, rq->a, id, &teams, err);
    if (st == STATUS_OK)
        st = team_list(c, rq->a, hub_user_id(rq), &own_teams, err);
    if (st != STATUS_OK)
        return st;
    VALUE_SET(vars, "space", space);
    VALUE_SET(vars, "people", people);
    VALUE_SET(vars, "teams", teams);
    VALUE_SET(vars, "own_teams", own_teams);
    for (size_t i = 0; i < value_count(invitations); i++) {
        struct value row = value_at(invitations, i);
        VALUE_SET(row, "until", value_str(str_sub(hub_day(rq->a, VALUE_GET(row, "ends_at").i), 0, 10)));
    }
    VALUE_SET(vars, "invitations", invitations);
    VALUE_SET(vars, "sends", value_bool(hub_sends_mail(&rq->hub->config)));
    VALUE_SET(vars, "invitation_url", value_str_if(link.n > 0, link));
    VALUE_SET(vars, "may_change", value_bool(space_require(rq, space, ROLE_OWNER, NULL) == STATUS_OK));
    hub_put_error(rq, vars, why);
    return hub_page(rq, why ? status_http(why->status) : 200, "members.html", vars, err);
}

enum status hub_view_members(struct hub_request *rq, struct err *err)
{
    struct value space;
    struct err why = ERR_INIT;
    enum status st = space_find(rq, rq->params[0], &space, err);
    if (st != STATUS_OK || !hub_is_post(rq))
        return st == STATUS_OK ? show(rq, space, (str){0}, NULL, err) : st;
    st = hub_field(rq, "team").n ? change_team(rq, space, &why) : change_member(rq, space, &why);
    if (hub_in_form(st))
        return show(rq, space, (str){0}, &why, err);
    if (st != STATUS_OK)
        *err = why;
    return st;
}

/* ---- invitations ---- */

struct invite {
    struct hub_request *rq;
    str space, title, email, role, id, hash, url;
};

/* To an address that may know nobody here: our mail is not to carry a link of theirs. */
static struct value plain_word(str text, const char *otherwise)
{
    return mail_is_like_a_link(text) ? value_cstr(otherwise) : value_str(text);
}

static enum status write_invite(struct conn *c, void *arg, struct err *err)
{
    const struct invite *i = arg;
    struct arena *a = i->rq->a;
    int64_t now = clock_unix_s();
    struct value vars = value_dict(a);
    enum status st = SQL_RUN(c, err, "delete from invitations where space_id = ?1 and email = ?2 and used_at = 0",
                             SQL_T(i->space), SQL_T(i->email));
    if (st == STATUS_OK)
        st = SQL_RUN(c, err,
                     "insert into invitations (id, hash, space_id, email, role, by_user, created_at, ends_at) values"
                     " (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                     SQL_T(i->id), SQL_T(i->hash), SQL_T(i->space), SQL_T(i->email), SQL_T(i->role),
                     SQL_T(hub_user_id(i->rq)), SQL_I(now), SQL_I(now + LIMIT_HUB_INVITATION_S));
    VALUE_SET(vars, "url", value_str(i->url));
    VALUE_SET(vars, "space", plain_word(i->title, "a space"));
    VALUE_SET(vars, "role", value_str(i->role));
    VALUE_SET(vars, "by", plain_word(VALUE_GET(i->rq->user, "name").s, "Somebody"));
    if (st == STATUS_OK && hub_sends_mail(&i->rq->hub->config))
        st = mail_add(c, a, i->rq->hub->secret, i->email, "invitation", vars, err);
    return st == STATUS_OK ? hub_audit(c, i->rq, "member.invited", i->space, i->email, err) : st;
}

static enum status write_withdraw(struct conn *c, void *arg, struct err *err)
{
    const struct invite *i = arg;
    enum status st =
        SQL_RUN(c, err, "delete from invitations where space_id = ?1 and id = ?2", SQL_T(i->space), SQL_T(i->id));
    return st == STATUS_OK ? hub_audit(c, i->rq, "invitation.withdrawn", i->space, i->id, err) : st;
}

enum status hub_view_invite(struct hub_request *rq, struct err *err)
{
    static const struct throttle_rule rule = {30, 60000}; /* a new member cannot use us to send mail to everybody */
    struct invite i = {.rq = rq, .email = hub_field(rq, "email"), .role = hub_field(rq, "role")};
    struct err why = ERR_INIT;
    struct value space;
    enum status st = space_find_for(rq, rq->params[0], ROLE_OWNER, &space, err);
    if (st != STATUS_OK)
        return st;
    i.space = VALUE_GET(space, "id").s;
    i.title = VALUE_GET(space, "title").s;
    if (hub_field(rq, "withdraw").n) {
        i.id = hub_field(rq, "withdraw");
        hub_conn_release(rq);
        st = store_write(rq->hub->store, write_withdraw, &i, err);
        (void)FAULT("hub.invitation.withdrawn");
        return st == STATUS_OK ? hub_go(rq, members_path(rq), "saved") : st;
    }
    st = hub_of_field(rq, "email", letter_address(i.email, &why));
    if (st == STATUS_OK && space_role_parse(i.role) == ROLE_NONE)
        st = err_set(&why, STATUS_INVALID, "The role must be owner, editor or viewer.");
    int64_t wait =
        throttle_take(rq->hub->throttle, ARENA_CAT(rq->a, STR("invite "), hub_user_id(rq)), rule, clock_mono_ms());
    if (st == STATUS_OK && wait)
        st = err_set(&why, STATUS_RATE, "Too many invitations in a short time. Wait %lld seconds.", (long long)wait);
    if (st != STATUS_OK)
        return show(rq, space, (str){0}, &why, err);
    i.id = hub_id(rq->a, 'i');
    str secret = hub_secret(rq->a, &i.hash);
    i.url = ARENA_CAT(rq->a, rq->hub->config.origin, STR("/-/invitation?token="), secret);
    hub_conn_release(rq);
    st = store_write(rq->hub->store, write_invite, &i, err);
    (void)FAULT("hub.invitation.made");
    if (st != STATUS_OK)
        return st;
    /* A link that came by mail proves an address: whoever invites must not have it too. */
    return hub_sends_mail(&rq->hub->config) ? hub_go(rq, members_path(rq), "invited")
                                            : show(rq, space, i.url, NULL, err);
}

/* ---- the one who was invited ---- */

struct accept {
    struct hub_request *rq;
    struct value row;
};

static enum status write_accept(struct conn *c, void *arg, struct err *err)
{
    const struct accept *x = arg;
    str space = VALUE_GET(x->row, "space_id").s, user = hub_user_id(x->rq);
    int64_t changes = 0, now = clock_unix_s();
    const struct db_value args[] = {SQL_T(VALUE_GET(x->row, "id").s), SQL_I(now)};
    bool holds = false;
    enum status st =
        sql_change(c, "update invitations set used_at = ?2 where id = ?1 and used_at = 0", args, 2, &changes, err);
    if (st == STATUS_OK && !changes)
        return err_set(err, STATUS_CONFLICT, "This invitation was used already.");
    if (st == STATUS_OK)
        st = space_is_owned_by(c, x->rq->a, space, VALUE_GET(x->row, "by_user").s, &holds, err);
    if (st == STATUS_OK && !holds)
        return err_set(err, STATUS_CONFLICT, "Whoever invited you may not do that any more.");
    if (st == STATUS_OK) /* who is in already keeps the higher role */
        st = SQL_RUN(c, err,
                     "insert into members (space_id, user_id, role, added_at) values (?1, ?2, ?3, ?4) on conflict do"
                     " update set role = excluded.role where role = 'viewer' or excluded.role = 'owner'",
                     SQL_T(space), SQL_T(user), SQL_T(VALUE_GET(x->row, "role").s), SQL_I(now));
    if (st == STATUS_OK)
        st = space_changed(c, space, err);
    return st == STATUS_OK ? hub_audit(c, x->rq, "member.joined", space, user, err) : st;
}

#define INVITATIONS                                                                                                    \
    "select i.id, i.space_id, i.email, i.role, i.by_user, s.name, s.title, u.name as by_name from invitations i"       \
    " join spaces s on s.id = i.space_id left join users u on u.id = i.by_user where i.used_at = 0 and i.ends_at > ?1" \
    " and s.state in ('live', 'suspended')"

/* By the link; or, without it, by whoever has shown that the address is theirs: they could have asked for the mail. */
static enum status find_invited(struct hub_request *rq, struct conn *c, str token, struct value *ret, struct err *err)
{
    str id = hub_field(rq, "id");
    bool theirs = id.n && !value_is_null(rq->user) && VALUE_GET(rq->user, "verified_at").i;
    if (theirs)
        return SQL_ROW(c, rq->a, ret, err, INVITATIONS " and i.id = ?2 and i.email = ?3", SQL_I(clock_unix_s()),
                       SQL_T(id), SQL_T(VALUE_GET(rq->user, "email").s));
    return SQL_ROW(c, rq->a, ret, err, INVITATIONS " and i.hash = ?2", SQL_I(clock_unix_s()),
                   SQL_T(hub_hash(rq->a, str_sub(token, 0, 100))));
}

enum status hub_invitations_of(struct hub_request *rq, struct value *ret, struct err *err)
{
    struct value rows, out = value_list(rq->a);
    struct conn *c;
    *ret = out;
    if (!VALUE_GET(rq->user, "verified_at").i)
        return STATUS_OK;
    enum status st = hub_conn(rq, &c, err);
    if (st == STATUS_OK)
        st = SQL_ROWS(c, rq->a, &rows, err, INVITATIONS " and i.email = ?2 order by i.created_at desc limit ?3",
                      SQL_I(clock_unix_s()), SQL_T(VALUE_GET(rq->user, "email").s), SQL_I(LIMIT_HUB_ADMIN_ROWS));
    for (size_t i = 0; st == STATUS_OK && i < value_count(rows); i++) {
        struct value row = value_at(rows, i);
        bool holds = false;
        st = space_is_owned_by(c, rq->a, VALUE_GET(row, "space_id").s, VALUE_GET(row, "by_user").s, &holds, err);
        if (st == STATUS_OK && holds)
            value_push(out, row);
    }
    return st;
}

enum status hub_view_invitation(struct hub_request *rq, struct err *err)
{
    struct value vars = value_dict(rq->a), row;
    struct conn *c;
    str token = hub_is_post(rq) ? hub_field(rq, "token") : hub_arg(rq, "token");
    enum status st = hub_conn(rq, &c, err);
    if (st == STATUS_OK)
        st = find_invited(rq, c, token, &row, err);
    bool holds = false; /* an owner who was sent away does not bring anybody in, or themselves back */
    if (st == STATUS_OK && row.kind == VALUE_DICT)
        st = space_is_owned_by(c, rq->a, VALUE_GET(row, "space_id").s, VALUE_GET(row, "by_user").s, &holds, err);
    if (st != STATUS_OK)
        return st;
    if (!holds) {
        err_set(err, STATUS_NOT_FOUND, "This invitation was used, withdrawn, or its time is over.");
        return err_hint(err, "Are you in already? Sign in. Else ask whoever invited you for a new one.");
    }
    VALUE_SET(vars, "invitation", row);
    VALUE_SET(vars, "token", value_str(token));
    if (!hub_is_post(rq) || value_is_null(rq->user))
        return hub_page(rq, 200, "invitation.html", vars, err);
    struct accept x = {rq, row};
    hub_conn_release(rq);
    st = store_write(rq->hub->store, write_accept, &x, err);
    (void)FAULT("hub.invitation.used");
    if (st != STATUS_OK)
        return st;
    space_tell(rq->hub);
    return hub_go_outside(
        rq, ARENA_CAT(rq->a, hub_space_origin(rq->a, &rq->hub->config, VALUE_GET(row, "name").s), STR("/")));
}
