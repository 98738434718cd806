/* SPDX-License-Identifier: Apache-2.0 */
/* groups — what the groups of an issuer give, applied at each sign-in.
 *
 *   hub.yaml (map, admins) + the person's groups -> wanted -> what is missing is given, what is too much is taken
 *
 * Where it is kept
 *   administrator   users.is_admin, and identities.made_admin: by which identity
 *   team            team_people, and team_grants: by which identity; by_hand: somebody added the person there too
 *   space           space_grants: beside members, and never in it. The highest role counts, as with teams (space.c)
 *
 * Invariants
 * 1. What was given by hand is not touched: members has no row of ours; a person of a team, or an administrator, who
 * was one before is left as they are.
 * 2. Two identities of one account that give the same: it goes with the second of them.
 * 3. An owner by a group is an owner, but each space has one in members: so taking a role away leaves no space alone.
 *    The last administrator stays. A manager of a team is there by hand (team.c), so that the last one stays too.
 * 4. What spaces believe changes in the same transaction (spaces.changed).
 *
 * Not here: reading hub.yaml (providers.c), who may sign in at all (oidc_token.c). Tests: tests/hub/test_groups.py. */
#include "hub/groups.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "hub/audit.h"

struct role_in {
    str space; /* id */
    enum space_role role;
};
struct wanted {
    bool admin;
    str *teams; /* ids */
    struct role_in *spaces;
    size_t team_count, space_count;
};

struct giving {
    struct conn *c;
    struct arena *a;
    const struct hub_request *rq; /* NULL: at the start */
    str user, by;                 /* by: the provider's name, for the audit */
    int64_t identity;
};

static enum status note(const struct giving *g, const char *action, str space, str object, struct err *err)
{
    return hub_audit_of(g->c, g->rq, g->user, action, space,
                        object.n ? ARENA_CAT(g->a, object, STR(", by "), g->by) : ARENA_CAT(g->a, STR("by "), g->by),
                        err);
}

static enum status changes(const struct giving *g, const char *sql, const struct db_value *args, size_t n, bool *ret,
                           struct err *err)
{
    int64_t rows = 0;
    enum status st = sql_change(g->c, sql, args, n, &rows, err);
    *ret = rows > 0;
    return st;
}

/* ---- administrators ---- */

static enum status write_admin(const struct giving *g, bool admin, bool made, struct err *err)
{
    enum status st = SQL_RUN(g->c, err, "update users set is_admin = ?2 where id = ?1", SQL_T(g->user), SQL_I(admin));
    if (st == STATUS_OK)
        st = SQL_RUN(g->c, err, "update identities set made_admin = ?2 where id = ?1", SQL_I(g->identity), SQL_I(made));
    return st;
}

static enum status set_admin(const struct giving *g, bool want, struct err *err)
{
    struct value row;
    enum status st =
        SQL_ROW(g->c, g->a, &row, err,
                "select u.is_admin, i.made_admin, exists (select 1 from identities o where o.user = u.id and o.id <>"
                " i.id and o.made_admin) as by_other, exists (select 1 from users o where o.is_admin and o.id <> u.id"
                " and o.disabled_at = 0 and o.deletes_at = 0) as others from users u join identities i on i.user = u.id"
                " where u.id = ?1 and i.id = ?2",
                SQL_T(g->user), SQL_I(g->identity));
    if (st != STATUS_OK || row.kind != VALUE_DICT)
        return st;
    bool is = VALUE_GET(row, "is_admin").i, made = VALUE_GET(row, "made_admin").i;
    bool by_other = VALUE_GET(row, "by_other").i, by_hand = is && !made && !by_other;
    if (want == (is && made) || by_hand)
        return STATUS_OK;
    if (!want && is && !by_other && !VALUE_GET(row, "others").i) {
        log_line(LOG_WARN, "hub", "%.*s stays an administrator, though no group says so: there is no other",
                 STR_ARG(g->user));
        return STATUS_OK;
    }
    st = write_admin(g, want || (is && by_other), want, err);
    if (st != STATUS_OK || is == (want || (is && by_other)))
        return st;
    return note(g, want ? "groups.admin-given" : "groups.admin-taken", STR(""), STR(""), err);
}

/* ---- teams ---- */

static enum status team_changed(const struct giving *g, str team, const char *action, struct err *err)
{
    enum status st = SQL_RUN(g->c, err,
                             "update spaces set changed = changed + 1 where id in (select space_id from team_spaces"
                             " where team_id = ?1)",
                             SQL_T(team));
    return st == STATUS_OK ? note(g, action, STR(""), team, err) : st;
}

static enum status take_team(const struct giving *g, str team, struct err *err)
{
    const struct db_value key[] = {SQL_T(team), SQL_T(g->user)};
    bool gone = false;
    enum status st = SQL_RUN(g->c, err, "delete from team_grants where identity_id = ?1 and team_id = ?2",
                             SQL_I(g->identity), SQL_T(team));
    if (st == STATUS_OK)
        st = changes(g,
                     "delete from team_people where team_id = ?1 and user_id = ?2 and by_hand = 0 and not exists"
                     " (select 1 from team_grants x join identities i on i.id = x.identity_id where x.team_id = ?1 and"
                     " i.user = ?2)",
                     key, ARRAY_LEN(key), &gone, err);
    return st == STATUS_OK && gone ? team_changed(g, team, "groups.team-taken", err) : st;
}

static enum status give_team(const struct giving *g, str team, struct err *err)
{
    const struct db_value key[] = {SQL_T(team), SQL_T(g->user)};
    struct value row;
    bool added = false;
    enum status st = SQL_ROW(g->c, g->a, &row, err,
                             "select count(*) as n, coalesce(max(user_id = ?2), 0) as is_in from team_people where"
                             " team_id = ?1",
                             SQL_T(team), SQL_T(g->user));
    if (st == STATUS_OK && VALUE_GET(row, "n").i >= LIMIT_HUB_TEAM_PEOPLE && !VALUE_GET(row, "is_in").i) {
        log_line(LOG_WARN, "hub", "the team %.*s is full (%d people): %.*s is not added", STR_ARG(team),
                 (int)LIMIT_HUB_TEAM_PEOPLE, STR_ARG(g->user));
        return STATUS_OK;
    }
    if (st == STATUS_OK)
        st = SQL_RUN(g->c, err, "insert or ignore into team_grants (identity_id, team_id) values (?1, ?2)",
                     SQL_I(g->identity), SQL_T(team));
    if (st == STATUS_OK)
        st = changes(g, "insert or ignore into team_people (team_id, user_id, by_hand) values (?1, ?2, 0)", key,
                     ARRAY_LEN(key), &added, err);
    return st == STATUS_OK && added ? team_changed(g, team, "groups.team-given", err) : st;
}

static enum status set_teams(const struct giving *g, const struct wanted *w, struct err *err)
{
    struct value rows;
    enum status st =
        SQL_ROWS(g->c, g->a, &rows, err, "select team_id from team_grants where identity_id = ?1", SQL_I(g->identity));
    for (size_t i = 0; st == STATUS_OK && i < value_count(rows); i++) {
        str team = VALUE_GET(value_at(rows, i), "team_id").s;
        if (!str_in(team, w->teams, w->team_count))
            st = take_team(g, team, err);
    }
    for (size_t i = 0; st == STATUS_OK && i < w->team_count; i++)
        st = give_team(g, w->teams[i], err);
    return st;
}

/* ---- roles in spaces ---- */

static enum status role_changed(const struct giving *g, str space, const char *action, str role, struct err *err)
{
    enum status st = space_changed(g->c, space, err);
    return st == STATUS_OK ? note(g, action, space, role, err) : st;
}

static enum status give_role(const struct giving *g, const struct role_in *want, struct err *err)
{
    str role = str_of(space_role_name(want->role));
    const struct db_value row[] = {SQL_I(g->identity), SQL_T(g->user), SQL_T(want->space), SQL_T(role)};
    bool new = false;
    enum status st = changes(g,
                             "insert into space_grants (identity_id, user_id, space_id, role) values (?1, ?2, ?3, ?4)"
                             " on conflict do update set role = excluded.role where role <> excluded.role",
                             row, ARRAY_LEN(row), &new, err);
    return st == STATUS_OK && new ? role_changed(g, want->space, "groups.role-given", role, err) : st;
}

static const struct role_in *find_role(const struct wanted *w, str space)
{
    for (size_t i = 0; i < w->space_count; i++)
        if (str_eq(w->spaces[i].space, space))
            return &w->spaces[i];
    return NULL;
}

static enum status set_roles(const struct giving *g, const struct wanted *w, struct err *err)
{
    struct value rows;
    enum status st = SQL_ROWS(g->c, g->a, &rows, err, "select space_id, role from space_grants where identity_id = ?1",
                              SQL_I(g->identity));
    for (size_t i = 0; st == STATUS_OK && i < value_count(rows); i++) {
        str space = VALUE_GET(value_at(rows, i), "space_id").s;
        if (find_role(w, space))
            continue;
        st = SQL_RUN(g->c, err, "delete from space_grants where identity_id = ?1 and space_id = ?2", SQL_I(g->identity),
                     SQL_T(space));
        if (st == STATUS_OK)
            st = role_changed(g, space, "groups.role-taken", VALUE_GET(value_at(rows, i), "role").s, err);
    }
    for (size_t i = 0; st == STATUS_OK && i < w->space_count; i++)
        st = give_role(g, &w->spaces[i], err);
    return st;
}

static enum status set_all(const struct giving *g, const struct wanted *w, struct err *err)
{
    enum status st = set_admin(g, w->admin, err);
    if (st == STATUS_OK)
        st = set_teams(g, w, err);
    return st == STATUS_OK ? set_roles(g, w, err) : st;
}

/* ---- what is wanted ---- */

static void want_team(struct wanted *w, str team)
{
    if (!str_in(team, w->teams, w->team_count))
        w->teams[w->team_count++] = team;
}

static void want_role(struct wanted *w, str space, enum space_role role)
{
    for (size_t i = 0; i < w->space_count; i++)
        if (str_eq(w->spaces[i].space, space)) {
            w->spaces[i].role = MAX(w->spaces[i].role, role);
            return;
        }
    w->spaces[w->space_count++] = (struct role_in){space, role};
}

static void wanted_init(struct wanted *w, struct arena *a, const struct provider *p)
{
    size_t n = p ? p->rule_count : 0;
    *w = (struct wanted){.teams = ARENA_ARRAY(a, str, n + 1), .spaces = ARENA_ARRAY(a, struct role_in, n + 1)};
}

static enum status space_of_rule(struct conn *c, struct arena *a, const struct group_rule *rule, str *ret,
                                 struct err *err)
{
    struct value row;
    enum status st =
        SQL_ROW(c, a, &row, err, "select id from spaces where name = ?1 and state <> 'making'", SQL_T(rule->space));
    if (st == STATUS_OK)
        *ret = row.kind == VALUE_DICT ? VALUE_GET(row, "id").s : (str){0};
    return st;
}

static enum status team_of_rule(struct conn *c, struct arena *a, const struct group_rule *rule, str *ret_name,
                                struct err *err)
{
    struct value row;
    enum status st = SQL_ROW(c, a, &row, err, "select name from teams where id = ?1", SQL_T(rule->team));
    if (st == STATUS_OK)
        *ret_name = row.kind == VALUE_DICT ? VALUE_GET(row, "name").s : (str){0};
    return st;
}

/* `person` NULL: of somebody who is in every group. */
static enum status wanted_by(struct conn *c, struct arena *a, const struct provider *p,
                             const struct identity_person *person, struct wanted *w, struct err *err)
{
    enum status st = STATUS_OK;
    wanted_init(w, a, p);
    for (size_t i = 0; st == STATUS_OK && p && i < p->rule_count; i++) {
        const struct group_rule *rule = &p->rules[i];
        str space = {0}, team = {0};
        if (person && !str_in(rule->group, person->groups, person->group_count))
            continue;
        w->admin |= rule->admin;
        if (rule->space.n)
            st = space_of_rule(c, a, rule, &space, err);
        if (st == STATUS_OK && rule->team.n)
            st = team_of_rule(c, a, rule, &team, err);
        if (space.n)
            want_role(w, space, rule->role);
        if (team.n)
            want_team(w, rule->team);
    }
    return st;
}

enum status groups_apply(struct conn *c, const struct hub_request *rq, const struct provider *p, str user,
                         const struct identity_person *person, struct err *err)
{
    struct giving g = {.c = c, .a = rq->a, .rq = rq, .user = user, .by = p->name};
    struct wanted w;
    struct value row;
    enum status st =
        SQL_ROW(c, g.a, &row, err, "select id from identities where issuer = ?1 and subject = ?2 and user = ?3",
                SQL_T(person->issuer), SQL_T(person->subject), SQL_T(user));
    if (st != STATUS_OK || row.kind != VALUE_DICT)
        return st;
    if (p->rule_count && !person->says_groups)
        log_line(LOG_WARN, "hub", "%.*s says nothing of groups: is groups_claim right, and do scopes ask for it?",
                 STR_ARG(p->label));
    g.identity = VALUE_GET(row, "id").i;
    st = wanted_by(c, g.a, p, person, &w, err);
    return st == STATUS_OK ? set_all(&g, &w, err) : st;
}

enum status groups_forget(struct conn *c, const struct hub_request *rq, str user, int64_t identity, struct err *err)
{
    struct giving g = {.c = c, .a = rq->a, .rq = rq, .user = user, .by = STR("unlinking"), .identity = identity};
    struct wanted nothing;
    struct value row;
    enum status st = SQL_ROW(c, g.a, &row, err, "select 1 as one from identities where id = ?1 and user = ?2",
                             SQL_I(identity), SQL_T(user));
    if (st != STATUS_OK || row.kind != VALUE_DICT)
        return st;
    wanted_init(&nothing, g.a, NULL);
    return set_all(&g, &nothing, err);
}

/* ---- in the course of time ---- */

struct lapse {
    struct arena *a;
    int64_t now_s, gone;
};

/* The last administrator stays, so that one is not looked at again and again. */
static enum status lapse(struct conn *c, void *arg, struct err *err)
{
    struct lapse *l = arg;
    struct value rows;
    enum status st = SQL_ROWS(
        c, l->a, &rows, err,
        "select id, user from identities i where used_at < ?1 and (exists (select 1 from space_grants"
        " where identity_id = i.id) or exists (select 1 from team_grants where identity_id = i.id) or (made_admin and"
        " exists (select 1 from users o where o.is_admin and o.id <> i.user and o.disabled_at = 0 and o.deletes_at ="
        " 0))) limit 100",
        SQL_I(l->now_s - LIMIT_IDENTITY_AGE_S));
    l->gone = st == STATUS_OK ? (int64_t)value_count(rows) : 0;
    for (size_t i = 0; st == STATUS_OK && i < value_count(rows); i++) {
        struct value row = value_at(rows, i);
        struct giving g = {.c = c,
                           .a = l->a,
                           .user = VALUE_GET(row, "user").s,
                           .by = STR("no sign-in there"),
                           .identity = VALUE_GET(row, "id").i};
        struct wanted nothing;
        wanted_init(&nothing, l->a, NULL);
        st = set_all(&g, &nothing, err);
    }
    return st;
}

enum status groups_lapse(struct hub *h, int64_t now_s, struct err *err)
{
    struct lapse l = {.a = arena_new(0), .now_s = now_s};
    enum status st = store_write(h->store, lapse, &l, err);
    if (st == STATUS_OK && l.gone)
        log_line(LOG_INFO, "hub", "groups: what %lld sign-ins gave is taken away: they are too long ago",
                 (long long)l.gone);
    arena_free(l.a);
    return st;
}

/* ---- for administrators ---- */

static enum status list_rule(struct conn *c, struct arena *a, const struct provider *p, const struct group_rule *rule,
                             struct value out, struct err *err)
{
    enum status st = STATUS_OK;
    const char *const kinds[] = {rule->admin ? "administrator" : NULL, rule->team.n ? "in the team" : NULL,
                                 rule->space.n ? space_role_name(rule->role) : NULL};
    for (size_t i = 0; st == STATUS_OK && i < ARRAY_LEN(kinds); i++) {
        struct value row = value_dict(a);
        str name = {0};
        if (!kinds[i])
            continue;
        VALUE_SET(row, "provider", value_str(p->label));
        VALUE_SET(row, "group", value_str(rule->group));
        VALUE_SET(row, "gives", value_cstr(i == 2 ? arena_printf(a, "%s of", kinds[i]).p : kinds[i]));
        if (i == 1)
            st = team_of_rule(c, a, rule, &name, err);
        if (i == 2)
            st = space_of_rule(c, a, rule, &name, err);
        VALUE_SET(row, "what", value_str(i == 2 ? rule->space : i == 1 && name.n ? name : i == 1 ? rule->team : name));
        VALUE_SET(row, "path",
                  value_str(i == 0 || !name.n ? STR("")
                            : i == 1          ? ARENA_CAT(a, STR("/-/teams/"), rule->team)
                                              : ARENA_CAT(a, STR("/spaces/"), rule->space, STR("/members"))));
        VALUE_SET(row, "problem", value_bool(i > 0 && !name.n));
        value_push(out, row);
    }
    return st;
}

enum status groups_list(struct conn *c, struct arena *a, const struct providers *providers, struct value *ret,
                        struct err *err)
{
    struct value out = value_list(a);
    enum status st = STATUS_OK;
    for (size_t i = 0; i < providers_count(providers); i++) {
        const struct provider *p = providers_at(providers, i);
        for (size_t j = 0; st == STATUS_OK && j < p->rule_count; j++)
            st = list_rule(c, a, p, &p->rules[j], out, err);
    }
    if (st == STATUS_OK)
        *ret = out;
    return st;
}

/* ---- at the start ---- */

#define PAGE 500 /* identities of one transaction */

struct prune {
    struct hub *hub;
    struct arena *a;
    int64_t after, last; /* ids of identities */
    size_t seen;
};

static const struct provider *provider_of(const struct providers *all, str issuer)
{
    for (size_t i = 0; i < providers_count(all); i++)
        if (str_eq(provider_issuer(providers_at(all, i)), issuer))
            return providers_at(all, i);
    return NULL;
}

/* Of what the identity has, what a rule could still give: the rest goes. */
static enum status prune_one(struct conn *c, const struct prune *p, struct value row, struct err *err)
{
    struct giving g = {
        .c = c, .a = p->a, .user = VALUE_GET(row, "user").s, .by = STR("hub.yaml"), .identity = VALUE_GET(row, "id").i};
    struct wanted all, keep;
    struct value teams, roles;
    enum status st = wanted_by(c, p->a, provider_of(p->hub->providers, VALUE_GET(row, "issuer").s), NULL, &all, err);
    if (st == STATUS_OK)
        st =
            SQL_ROWS(c, p->a, &teams, err, "select team_id from team_grants where identity_id = ?1", SQL_I(g.identity));
    if (st == STATUS_OK)
        st = SQL_ROWS(c, p->a, &roles, err, "select space_id, role from space_grants where identity_id = ?1",
                      SQL_I(g.identity));
    if (st != STATUS_OK)
        return st;
    keep = (struct wanted){.admin = all.admin && VALUE_GET(row, "made_admin").i,
                           .teams = ARENA_ARRAY(p->a, str, all.team_count + 1),
                           .spaces = ARENA_ARRAY(p->a, struct role_in, all.space_count + 1)};
    for (size_t i = 0; i < value_count(teams); i++) {
        str team = VALUE_GET(value_at(teams, i), "team_id").s;
        if (str_in(team, all.teams, all.team_count))
            want_team(&keep, team);
    }
    for (size_t i = 0; i < value_count(roles); i++) {
        str space = VALUE_GET(value_at(roles, i), "space_id").s;
        enum space_role has = space_role_parse(VALUE_GET(value_at(roles, i), "role").s);
        const struct role_in *most = find_role(&all, space);
        if (most)
            want_role(&keep, space, MIN(has, most->role));
    }
    return set_all(&g, &keep, err);
}

static enum status prune_page(struct conn *c, void *arg, struct err *err)
{
    struct prune *p = arg;
    struct value rows;
    enum status st =
        SQL_ROWS(c, p->a, &rows, err,
                 "select id, user, issuer, made_admin from identities i where id > ?1 and (made_admin or exists (select"
                 " 1 from space_grants where identity_id = i.id) or exists (select 1 from team_grants where identity_id"
                 " = i.id)) order by id limit ?2",
                 SQL_I(p->after), SQL_I(PAGE));
    if (st != STATUS_OK)
        return st;
    p->seen = value_count(rows);
    for (size_t i = 0; st == STATUS_OK && i < p->seen; i++) {
        p->last = VALUE_GET(value_at(rows, i), "id").i;
        st = prune_one(c, p, value_at(rows, i), err);
    }
    return st;
}

/* A name that is nothing (yet) stands in the log and on the page of administrators, and is no error: spaces and teams
 * come and go while hub.yaml stays. */
static void warn(struct hub *h)
{
    struct arena *a = arena_new(0);
    struct conn *c = NULL;
    struct value list = VALUE_NULL;
    enum status st = store_read(h->store, &c, NULL);
    if (st == STATUS_OK)
        st = groups_list(c, a, h->providers, &list, NULL);
    conn_release(c);
    for (size_t i = 0; st == STATUS_OK && i < value_count(list); i++) {
        struct value row = value_at(list, i);
        if (VALUE_GET(row, "problem").b)
            log_line(LOG_WARN, "hub", "hub.yaml: %.*s: map: group %.*s, %.*s %.*s: there is none",
                     STR_ARG(VALUE_GET(row, "provider").s), STR_ARG(VALUE_GET(row, "group").s),
                     STR_ARG(VALUE_GET(row, "gives").s), STR_ARG(VALUE_GET(row, "what").s));
    }
    arena_free(a);
}

enum status groups_prune(struct hub *h, struct err *err)
{
    struct prune p = {.hub = h, .seen = PAGE};
    enum status st = STATUS_OK;
    while (st == STATUS_OK && p.seen == PAGE) {
        p.a = arena_new(0);
        st = store_write(h->store, prune_page, &p, err);
        p.after = p.last;
        arena_free(p.a);
    }
    if (st == STATUS_OK)
        warn(h);
    return st;
}
