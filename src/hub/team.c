/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/team.h"

#include "base/clock.h"
#include "base/limits.h"
#include "hub/audit.h"
#include "rt/fault.h"

#define MANAGES                                                                                                        \
    "(p.is_manager or not exists (select 1 from team_people x where x.team_id = p.team_id and x.is_manager = 1))"

static bool is_admin(const struct hub_request *rq)
{
    return value_truth(VALUE_GET(rq->user, "is_admin"));
}

/* ---- reading ---- */

enum status team_find(struct hub_request *rq, str id, struct value *ret, struct err *err)
{
    struct value row;
    struct conn *c;
    enum status st = hub_conn(rq, &c, err);
    if (st == STATUS_OK)
        st = SQL_ROW(c, rq->a, &row, err,
                     "select t.id, t.name, p.user_id is not null as is_in, coalesce(" MANAGES ", 0) as is_manager from"
                     " teams t left join team_people p on p.team_id = t.id and p.user_id = ?2 where t.id = ?1",
                     SQL_T(id), SQL_T(hub_user_id(rq)));
    if (st != STATUS_OK)
        return st;
    if (row.kind != VALUE_DICT || (!VALUE_GET(row, "is_in").i && !is_admin(rq))) {
        err_set(err, STATUS_NOT_FOUND, "You are in no such team.");
        return err_hint(err, "Ask one of its managers to add you.");
    }
    *ret = row;
    return STATUS_OK;
}

enum status team_require(const struct hub_request *rq, struct value team, struct err *err)
{
    if ((VALUE_GET(team, "is_in").i && VALUE_GET(team, "is_manager").i) || is_admin(rq))
        return STATUS_OK;
    err_set(err, STATUS_FORBIDDEN, "Only managers of this team may do that.");
    return err_hint(err, "Ask one of them.");
}

enum status team_list(struct conn *c, struct arena *a, str user_id, struct value *ret, struct err *err)
{
    return SQL_ROWS(c, a, ret, err,
                    "select t.id, t.name, " MANAGES
                    " as is_manager, (select count(*) from team_people y where y.team_id ="
                    " t.id) as people, (select count(*) from team_spaces s where s.team_id = t.id) as spaces from"
                    " team_people p join teams t on t.id = p.team_id where p.user_id = ?1 order by t.name",
                    SQL_T(user_id));
}

enum status team_people(struct conn *c, struct arena *a, str team_id, struct value *ret, struct err *err)
{
    return SQL_ROWS(
        c, a, ret, err,
        "select u.id, u.name, u.email, p.is_manager, p.by_hand from team_people p join users u on u.id = p.user_id"
        " where p.team_id = ?1 order by u.name, u.id",
        SQL_T(team_id));
}

enum status team_spaces(struct conn *c, struct arena *a, str team_id, struct value *ret, struct err *err)
{
    return SQL_ROWS(c, a, ret, err,
                    "select s.name, s.title, x.role from team_spaces x join spaces s on s.id = x.space_id where"
                    " x.team_id = ?1 and s.state <> 'deleted' order by s.title",
                    SQL_T(team_id));
}

enum status team_of_space(struct conn *c, struct arena *a, str space_id, struct value *ret, struct err *err)
{
    return SQL_ROWS(c, a, ret, err,
                    "select t.id, t.name, x.role, (select count(*) from team_people p where p.team_id = t.id) as people"
                    " from team_spaces x join teams t on t.id = x.team_id where x.space_id = ?1 order by t.name",
                    SQL_T(space_id));
}

/* ---- changing ---- */

struct team_change {
    struct hub_request *rq;
    str id, text; /* text: name, address, or user */
    str space;
    enum space_role role;
    bool on;
};

/* All spaces that the team is in have to be told. */
static enum status all_changed(struct conn *c, str id, struct err *err)
{
    return SQL_RUN(c, err,
                   "update spaces set changed = changed + 1 where id in (select space_id from team_spaces where team_id"
                   " = ?1)",
                   SQL_T(id));
}

static enum status done(struct conn *c, const struct team_change *t, const char *action, str object, struct err *err)
{
    enum status st = all_changed(c, t->id, err);
    return st == STATUS_OK ? hub_audit(c, t->rq, action, t->space, object, err) : st;
}

static enum status count(struct conn *c, const struct team_change *t, const char *sql, str arg, int64_t *ret,
                         struct err *err)
{
    struct value row;
    const struct db_value args[] = {SQL_T(arg)};
    enum status st = sql_row(c, t->rq->a, sql, args, 1, &row, err);
    if (st == STATUS_OK)
        *ret = VALUE_GET(row, "n").i;
    return st;
}

static enum status write_make(struct conn *c, void *arg, struct err *err)
{
    const struct team_change *t = arg;
    int64_t n = 0;
    str user = hub_user_id(t->rq);
    enum status st =
        count(c, t, "select count(*) as n from team_people where user_id = ?1 and is_manager = 1", user, &n, err);
    if (st == STATUS_OK && n >= LIMIT_HUB_TEAMS) {
        err_set(err, STATUS_CONFLICT, "You manage %lld teams, and nobody may manage more.", (long long)n);
        return err_hint(err, "Delete one first.");
    }
    if (st == STATUS_OK)
        st = SQL_RUN(c, err, "insert into teams (id, name, created_at) values (?1, ?2, ?3)", SQL_T(t->id),
                     SQL_T(t->text), SQL_I(clock_unix_s()));
    if (st == STATUS_OK)
        st = SQL_RUN(c, err, "insert into team_people (team_id, user_id, is_manager) values (?1, ?2, 1)", SQL_T(t->id),
                     SQL_T(user));
    return st == STATUS_OK ? done(c, t, "team.made", t->text, err) : st;
}

static enum status write_rename(struct conn *c, void *arg, struct err *err)
{
    const struct team_change *t = arg;
    enum status st = SQL_RUN(c, err, "update teams set name = ?2 where id = ?1", SQL_T(t->id), SQL_T(t->text));
    return st == STATUS_OK ? done(c, t, "team.renamed", t->text, err) : st;
}

/* ?1 address, ?2 who asks, ?3 whether that is an administrator. */
#define KNOWN_PERSON                                                                                                   \
    "with mine as (select space_id from members where user_id = ?2 union select s.space_id from team_spaces s join"    \
    " team_people p on p.team_id = s.team_id where p.user_id = ?2) select u.id from users u where u.email = ?1 and"    \
    " u.disabled_at = 0 and u.deletes_at = 0 and (?3 or u.id = ?2 or exists (select 1 from members m where m.user_id " \
    "="                                                                                                                \
    " u.id and m.space_id in (select space_id from mine)) or exists (select 1 from team_people x join team_people y"   \
    " on y.team_id = x.team_id where x.user_id = u.id and y.user_id = ?2))"

static enum status write_add(struct conn *c, void *arg, struct err *err)
{
    const struct team_change *t = arg;
    struct value row;
    int64_t n = 0;
    enum status st = SQL_ROW(c, t->rq->a, &row, err, KNOWN_PERSON, SQL_T(t->text), SQL_T(hub_user_id(t->rq)),
                             SQL_I(is_admin(t->rq)));
    if (st == STATUS_OK && row.kind != VALUE_DICT) {
        err_set(err, STATUS_INVALID, "You share no space with anybody who has this address.");
        return err_hint(err, "Invite them into a space first; then they can be added here.");
    }
    if (st == STATUS_OK)
        st = count(c, t, "select count(*) as n from team_people where team_id = ?1", t->id, &n, err);
    if (st == STATUS_OK && n >= LIMIT_HUB_TEAM_PEOPLE) {
        err_set(err, STATUS_CONFLICT, "A team may have %lld people.", (long long)n);
        return err_hint(err, "Make another team.");
    }
    str user = st == STATUS_OK ? VALUE_GET(row, "id").s : STR("");
    if (st == STATUS_OK)
        st = SQL_RUN(c, err,
                     "insert into team_people (team_id, user_id) select id, ?2 from teams where id = ?1 on conflict do"
                     " update set by_hand = 1",
                     SQL_T(t->id), SQL_T(user));
    return st == STATUS_OK ? done(c, t, "team.added", user, err) : st;
}

static enum status still_managed(struct conn *c, const struct team_change *t, struct err *err)
{
    int64_t n = 0;
    enum status st = count(c, t, "select count(*) > 0 and max(is_manager) = 0 as n from team_people where team_id = ?1",
                           t->id, &n, err);
    if (st != STATUS_OK || !n)
        return st;
    err_set(err, STATUS_CONFLICT, "The last manager of a team cannot go.");
    return err_hint(err, "Make somebody else a manager first, or delete the team.");
}

static enum status write_remove(struct conn *c, void *arg, struct err *err)
{
    const struct team_change *t = arg;
    enum status st =
        SQL_RUN(c, err, "delete from team_people where team_id = ?1 and user_id = ?2", SQL_T(t->id), SQL_T(t->text));
    if (st == STATUS_OK)
        st = still_managed(c, t, err);
    return st == STATUS_OK ? done(c, t, "team.removed", t->text, err) : st;
}

static enum status write_manager(struct conn *c, void *arg, struct err *err)
{
    const struct team_change *t = arg;
    enum status st =
        SQL_RUN(c, err, /* a manager stays, whatever an issuer says of groups: it may be the last one */
                "update team_people set is_manager = ?3, by_hand = by_hand or ?3 where team_id = ?1 and user_id = ?2",
                SQL_T(t->id), SQL_T(t->text), SQL_I(t->on));
    if (st == STATUS_OK)
        st = still_managed(c, t, err);
    return st == STATUS_OK ? done(c, t, "team.manager", t->text, err) : st;
}

static enum status write_delete(struct conn *c, void *arg, struct err *err)
{
    const struct team_change *t = arg;
    enum status st = done(c, t, "team.deleted", t->id, err); /* before its rows are gone */
    return st == STATUS_OK ? SQL_RUN(c, err, "delete from teams where id = ?1", SQL_T(t->id)) : st;
}

static enum status write_give(struct conn *c, void *arg, struct err *err)
{
    const struct team_change *t = arg;
    struct value row;
    enum status st;
    if (t->role == ROLE_NONE) {
        st = SQL_RUN(c, err, "delete from team_spaces where team_id = ?1 and space_id = ?2", SQL_T(t->id),
                     SQL_T(t->space));
    } else {
        st =
            SQL_ROW(c, t->rq->a, &row, err,
                    "select 1 as known from teams t where t.id = ?1 and (?3 or exists (select 1 from team_people p"
                    " where p.team_id = t.id and p.user_id = ?2) or exists (select 1 from team_spaces s where s.team_id"
                    " = t.id and s.space_id = ?4))",
                    SQL_T(t->id), SQL_T(hub_user_id(t->rq)), SQL_I(is_admin(t->rq)), SQL_T(t->space));
        if (st == STATUS_OK && row.kind != VALUE_DICT)
            return err_set(err, STATUS_INVALID, "You are in no such team.");
        if (st == STATUS_OK)
            st = SQL_RUN(c, err,
                         "insert into team_spaces (team_id, space_id, role) values (?1, ?2, ?3) on conflict do update"
                         " set role = excluded.role",
                         SQL_T(t->id), SQL_T(t->space), SQL_T(str_of(space_role_name(t->role))));
    }
    if (st == STATUS_OK)
        st = space_changed(c, t->space, err);
    return st == STATUS_OK ? hub_audit(c, t->rq, "team.role", t->space, t->id, err) : st;
}

static enum status run(store_write_fn *write, struct team_change *t, struct err *err)
{
    hub_conn_release(t->rq);
    enum status st = store_write(t->rq->hub->store, write, t, err);
    (void)FAULT("hub.team.changed");
    if (st == STATUS_OK)
        space_tell(t->rq->hub);
    return st;
}

enum status team_make(struct hub_request *rq, str name, str *ret_id, struct err *err)
{
    struct team_change t = {.rq = rq, .id = hub_id(rq->a, 't'), .text = name};
    enum status st = run(write_make, &t, err);
    if (st == STATUS_OK)
        *ret_id = t.id;
    return st;
}

enum status team_rename(struct hub_request *rq, str id, str name, struct err *err)
{
    return run(write_rename, &(struct team_change){.rq = rq, .id = id, .text = name}, err);
}

enum status team_add(struct hub_request *rq, str id, str email, struct err *err)
{
    return run(write_add, &(struct team_change){.rq = rq, .id = id, .text = email}, err);
}

enum status team_remove(struct hub_request *rq, str id, str user_id, struct err *err)
{
    return run(write_remove, &(struct team_change){.rq = rq, .id = id, .text = user_id}, err);
}

enum status team_manager(struct hub_request *rq, str id, str user_id, bool on, struct err *err)
{
    return run(write_manager, &(struct team_change){.rq = rq, .id = id, .text = user_id, .on = on}, err);
}

enum status team_delete(struct hub_request *rq, str id, struct err *err)
{
    return run(write_delete, &(struct team_change){.rq = rq, .id = id}, err);
}

enum status team_give(struct hub_request *rq, str id, str space_id, enum space_role role, struct err *err)
{
    return run(write_give, &(struct team_change){.rq = rq, .id = id, .space = space_id, .role = role}, err);
}
