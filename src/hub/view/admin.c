/* SPDX-License-Identifier: Apache-2.0 */
/* admin — all spaces and people, for administrators. Lists come LIMIT_HUB_ADMIN_ROWS at a time, in the order of their
 * names, and can be searched. */
#include "base/clock.h"
#include "base/limits.h"
#include "hub/audit.h"
#include "hub/edge_apps.h"
#include "hub/fleet.h"
#include "hub/groups.h"
#include "hub/session.h"
#include "hub/space.h"
#include "hub/usage.h"
#include "hub/view/view.h"
#include "rt/fault.h"

/* The first LIMIT_HUB_ADMIN_ROWS of rows; where there is one more, *ret_next is what the last of them has in `key`. */
static struct value page_of(struct arena *a, struct value rows, const char *key, str *ret_next)
{
    struct value out = value_list(a);
    size_t most = (size_t)LIMIT_HUB_ADMIN_ROWS;
    *ret_next = STR("");
    for (size_t i = 0; i < MIN(value_count(rows), most); i++)
        value_push(out, value_at(rows, i));
    if (value_count(rows) > most)
        *ret_next = value_get(value_at(rows, most - 1), str_of(key)).s;
    return out;
}

struct lists {
    struct value spaces, people, log, groups, counts;
    str more_spaces, more_people;
    int64_t before; /* of the log */
};

static enum status read_lists(struct hub_request *rq, struct conn *c, struct lists *l, struct err *err)
{
    struct arena *a = rq->a;
    str q = str_sub(str_trim(hub_arg(rq, "q")), 0, LIMIT_HUB_NAME);
    int64_t before = 0;
    if (!str_to_i64(hub_arg(rq, "before"), &before) || before < 0)
        before = 0;
    enum status st =
        SQL_ROWS(c, a, &l->spaces, err,
                 "select s.id, s.name, s.title, s.state, s.visibility, s.created_at, s.quota, s.version, s.pinned, b.at"
                 " as backup_at, b.failed = '' as backup_good, (select count(*) from members m where m.space_id = s.id)"
                 " as members, (select group_concat(email, ', ') from (select u.email from members m join users u on"
                 " u.id = m.user_id where m.space_id = s.id and m.role = 'owner' order by u.email limit 3)) as owners"
                 " from spaces s left join backups b on b.space_id = s.id where s.name > ?1 and (?2 = '' or"
                 " instr(lower(s.name || ' ' || s.title), lower(?2))) order by s.name limit ?3",
                 SQL_T(hub_arg(rq, "spaces")), SQL_T(q), SQL_I(LIMIT_HUB_ADMIN_ROWS + 1));
    if (st == STATUS_OK)
        st = SQL_ROWS(c, a, &l->people, err,
                      "select id, email, name, is_admin, verified_at, disabled_at, seen_at, (select count(*) from"
                      " members m where m.user_id = u.id) as spaces, exists (select 1 from identities i where i.user ="
                      " u.id and i.made_admin) as by_group from users u where email > ?1 and (?2 = '' or"
                      " instr(lower(email || ' ' || name), lower(?2))) order by email limit ?3",
                      SQL_T(hub_arg(rq, "people")), SQL_T(q), SQL_I(LIMIT_HUB_ADMIN_ROWS + 1));
    if (st == STATUS_OK)
        st = sql_row(c, a, "select (select count(*) from spaces) as spaces, (select count(*) from users) as people",
                     NULL, 0, &l->counts, err);
    if (st == STATUS_OK)
        st = hub_audit_rows(c, a, STR(""), before, &l->log, &l->before, err);
    if (st == STATUS_OK)
        st = groups_list(c, a, rq->hub->providers, &l->groups, err);
    if (st != STATUS_OK)
        return st;
    l->spaces = page_of(a, l->spaces, "name", &l->more_spaces);
    l->people = page_of(a, l->people, "email", &l->more_people);
    return STATUS_OK;
}

/* Which versions spaces run, and how the last upgrade of all ended, or how far it is. */
static enum status add_fleet(struct hub_request *rq, struct value vars, struct err *err)
{
    struct value fleet;
    enum status st = fleet_status(rq->hub, rq->a, &fleet, err);
    if (st != STATUS_OK)
        return st;
    struct value run = VALUE_GET(fleet, "last_run");
    if (run.kind == VALUE_DICT)
        VALUE_SET(run, "began", hub_when(rq->a, VALUE_GET(run, "began_at").i, clock_unix_s()));
    VALUE_SET(vars, "fleet", fleet);
    return STATUS_OK;
}

enum status hub_view_admin(struct hub_request *rq, struct err *err)
{
    struct value vars = value_dict(rq->a), apps;
    struct lists l = {0};
    struct conn *c;
    enum status st = hub_conn(rq, &c, err);
    if (st == STATUS_OK)
        st = read_lists(rq, c, &l, err);
    if (st != STATUS_OK)
        return st;
    hub_conn_release(rq);
    st = add_fleet(rq, vars, err);
    if (st != STATUS_OK)
        return st;
    if (edge_apps_list(rq->hub, rq->a, &apps, NULL) != STATUS_OK)
        apps = value_dict(rq->a);
    int64_t files = LIMIT_HUB_FILES;
    for (size_t i = 0; i < value_count(l.spaces); i++) {
        struct value s = value_at(l.spaces, i);
        VALUE_SET(s, "origin", value_str(hub_space_origin(rq->a, &rq->hub->config, VALUE_GET(s, "name").s)));
        usage_add(rq->hub, rq->a, apps, s, &files);
    }
    hub_say_when(rq->a, l.spaces, "created_at");
    hub_say_when(rq->a, l.people, "seen_at");
    hub_say_when(rq->a, l.log, "at");
    VALUE_SET(vars, "q", value_str(hub_arg(rq, "q")));
    VALUE_SET(vars, "counts", l.counts);
    VALUE_SET(vars, "spaces", l.spaces);
    VALUE_SET(vars, "more_spaces", value_str(l.more_spaces));
    VALUE_SET(vars, "people", l.people);
    VALUE_SET(vars, "more_people", value_str(l.more_people));
    VALUE_SET(vars, "groups", l.groups);
    VALUE_SET(vars, "log", l.log);
    VALUE_SET(vars, "before", value_int(l.before));
    return hub_page(rq, 200, "admin.html", vars, err);
}

struct suspend {
    struct hub_request *rq;
    str id, why;
    bool on;
};

static enum status write_suspend(struct conn *c, void *arg, struct err *err)
{
    const struct suspend *s = arg;
    enum status st = SQL_RUN(c, err,
                             "update spaces set state = ?2, suspended_for = ?3 where id = ?1 and state in ('live',"
                             " 'suspended')",
                             SQL_T(s->id), SQL_T(s->on ? STR("suspended") : STR("live")), SQL_T(s->why));
    if (st == STATUS_OK)
        st = space_changed(c, s->id, err);
    return st == STATUS_OK ? hub_audit(c, s->rq, s->on ? "space.suspended" : "space.resumed", s->id, s->why, err) : st;
}

enum status hub_view_admin_space(struct hub_request *rq, struct err *err)
{
    struct value space, vars = value_dict(rq->a);
    str what = hub_field(rq, "do");
    enum status st = space_find(rq, rq->params[0], &space, err);
    if (st != STATUS_OK)
        return st;
    if (!hub_is_post(rq)) {
        VALUE_SET(vars, "space", space);
        return hub_page(rq, 200, "suspend.html", vars, err);
    }
    struct suspend s = {rq, VALUE_GET(space, "id").s, str_sub(hub_field(rq, "why"), 0, 200), str_is(what, "suspend")};
    if (!s.on && !str_is(what, "resume"))
        return err_set(err, STATUS_INVALID, "A space is suspended or resumed.");
    hub_conn_release(rq);
    st = store_write(rq->hub->store, write_suspend, &s, err);
    (void)FAULT("hub.space.suspended");
    if (st != STATUS_OK)
        return st;
    space_tell(rq->hub);
    return hub_go(rq, STR("/-/admin"), s.on ? "suspended" : "resumed");
}

struct person_act {
    const char *name, *audit, *sql; /* ?1 who, ?2 now */
    bool by_hand;                   /* no group of an issuer takes it away */
};
static const struct person_act person_acts[] = {
    {"disable", "account.closed", "update users set disabled_at = ?2 where id = ?1", false},
    {"enable", "account.opened", "update users set disabled_at = 0 where id = ?1 and ?2 > 0", false},
    {"make-admin", "account.admin", "update users set is_admin = 1 where id = ?1 and ?2 > 0", true},
    {"unmake-admin", "account.no-admin", "update users set is_admin = 0 where id = ?1 and ?2 > 0", true},
};

struct person {
    struct hub_request *rq;
    str id;
    const struct person_act *act;
};

static enum status write_person(struct conn *c, void *arg, struct err *err)
{
    const struct person *p = arg;
    struct value row;
    int64_t changes = 0;
    const struct db_value args[] = {SQL_T(p->id), SQL_I(clock_unix_s())};
    enum status st = sql_change(c, p->act->sql, args, ARRAY_LEN(args), &changes, err);
    if (st == STATUS_OK && !changes)
        return err_set(err, STATUS_NOT_FOUND, "There is no such person.");
    if (st == STATUS_OK && p->act->by_hand)
        st = SQL_RUN(c, err, "update identities set made_admin = 0 where user = ?1", SQL_T(p->id));
    if (st == STATUS_OK)
        st = sql_row(c, p->rq->a,
                     "select count(*) as n from users where is_admin = 1 and disabled_at = 0 and deletes_at = 0", NULL,
                     0, &row, err);
    if (st == STATUS_OK && !VALUE_GET(row, "n").i) {
        err_set(err, STATUS_CONFLICT, "The last administrator cannot go.");
        return err_hint(err, "Make somebody else one first.");
    }
    if (st == STATUS_OK && p->act == &person_acts[0])
        st = hub_session_end_others(c, p->rq->a, p->id, STR(""), err);
    if (st == STATUS_OK)
        st = space_changed_of(c, p->id, err);
    return st == STATUS_OK ? hub_audit(c, p->rq, p->act->audit, STR(""), p->id, err) : st;
}

enum status hub_view_admin_person(struct hub_request *rq, struct err *err)
{
    struct person p = {.rq = rq, .id = rq->params[0]};
    for (size_t i = 0; i < ARRAY_LEN(person_acts); i++)
        if (str_is(hub_field(rq, "do"), person_acts[i].name))
            p.act = &person_acts[i];
    if (!p.act)
        return err_set(err, STATUS_INVALID, "Do what? disable, enable, make-admin or unmake-admin.");
    hub_conn_release(rq);
    enum status st = store_write(rq->hub->store, write_person, &p, err);
    (void)FAULT("hub.person.changed");
    if (st != STATUS_OK)
        return st;
    space_tell(rq->hub);
    return hub_go(rq, STR("/-/admin"), "saved");
}
