/* SPDX-License-Identifier: Apache-2.0 */
/* space — rules for names, making, who is in. What a space is told is in tell.c. */
#include "hub/space.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/utf8.h"
#include "hub/audit.h"
#include "hub/edge_apps.h"
#include "hub/lock.h"
#include "hub/old_name.h"
#include "hub/quota.h"
#include "hub/room.h"
#include "rt/fault.h"

static const char *const role_names[] = {"", "viewer", "editor", "owner"};

const char *space_role_name(enum space_role role)
{
    return role_names[role];
}

enum space_role space_role_parse(str name)
{
    for (size_t i = 1; i < ARRAY_LEN(role_names); i++)
        if (str_is(name, role_names[i]))
            return (enum space_role)i;
    return ROLE_NONE;
}

/* ---- names ---- */

/* What the eye makes of a name of a-z, 0-9 and hyphens: "l0gin", "1ogin", "log-in" and "login" are one. `one`: what a 1
 * is taken for. */
static str seen_as(str name, char one, char out[LIMIT_HUB_SPACE_NAME])
{
    size_t n = 0;
    for (size_t i = 0; i < name.n && n < LIMIT_HUB_SPACE_NAME; i++) {
        char c = name.p[i], next = i + 1 < name.n ? name.p[i + 1] : 0;
        bool two = (c == 'r' && next == 'n') || (c == 'v' && next == 'v');
        i += two;
        if (c != '-')
            out[n++] = two ? (c == 'r' ? 'm' : 'w') : c == '0' ? 'o' : c == '1' ? one : c;
    }
    return str_make(out, n);
}

static bool is_reserved(str name)
{
    static const char *const reserved[] = {
#define X(text) text,
#include "hub/tbl/reserved_names.h"
#undef X
    };
    char ours[LIMIT_HUB_SPACE_NAME], theirs[LIMIT_HUB_SPACE_NAME];
    for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
        if (str_eq(seen_as(name, 'l', theirs), seen_as(str_of(reserved[i]), 'l', ours)) ||
            str_eq(seen_as(name, 'i', theirs), seen_as(str_of(reserved[i]), 'i', ours)))
            return true;
    return false;
}

enum status space_name_check(str name, struct err *err)
{
    bool letters = name.n > 0;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        letters = letters && ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-');
    }
    if (name.n < 3 || name.n > LIMIT_HUB_SPACE_NAME)
        err_set(err, STATUS_INVALID, "The name must have 3 to %d letters.", LIMIT_HUB_SPACE_NAME);
    else if (!letters)
        err_set(err, STATUS_INVALID,
                "The name may have the letters a to z, digits and hyphens: it becomes a host name.");
    else if (name.p[0] == '-' || name.p[name.n - 1] == '-' || str_find(name, STR("--")) != STR_NPOS)
        err_set(err, STATUS_INVALID, "A hyphen must stand between two letters or digits.");
    else if (is_reserved(name))
        err_set(err, STATUS_INVALID, "\"%.*s\" is kept for the system.", STR_ARG(name));
    else
        return STATUS_OK;
    return err_hint(err, "Take another one, as city-museum.");
}

str space_name_from(struct arena *a, str title)
{
    char *out = arena_alloc(a, title.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < title.n && n < LIMIT_HUB_SPACE_NAME; i++) {
        char c = str_lower_char(title.p[i]);
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
            out[n++] = c;
        else if (n && out[n - 1] != '-')
            out[n++] = '-';
    }
    while (n && out[n - 1] == '-')
        n--;
    str name = str_make(out, n);
    return space_name_check(name, NULL) == STATUS_OK ? name : (str){0};
}

/* ---- who is in ---- */

#define ROLE_RANK(column) "case " column " when 'owner' then 3 when 'editor' then 2 when 'viewer' then 1 else 0 end"
/* One row a membership: by oneself, by a team, or by a group of whom one signs in with (groups.h). */
#define ALL_MEMBERS                                                                                                    \
    "(select space_id, user_id, role, 1 as direct, 0 as by_group from members union all"                               \
    " select s.space_id, p.user_id, s.role, 0, 0 from team_spaces s join team_people p on p.team_id = s.team_id"       \
    " union all select space_id, user_id, role, 0, 1 from space_grants)"

enum status space_people(struct conn *c, struct arena *a, str space_id, struct value *ret, struct err *err)
{
    struct value rows;
    enum status st =
        SQL_ROWS(c, a, &rows, err,
                 "select u.id, u.name, u.email, u.verified_at, max(" ROLE_RANK(
                     "m.role") ") as rank,"
                               " max(m.direct) as direct, max(m.by_group) as by_group from " ALL_MEMBERS
                               " m join users u on u.id = m.user_id"
                               " where m.space_id = ?1 and u.disabled_at = 0 group by u.id order by rank desc, u.name",
                 SQL_T(space_id));
    for (size_t i = 0; st == STATUS_OK && i < value_count(rows); i++) {
        struct value row = value_at(rows, i);
        VALUE_SET(row, "role", value_cstr(role_names[VALUE_GET(row, "rank").i]));
    }
    if (st == STATUS_OK)
        *ret = rows;
    return st;
}

enum status space_list(struct conn *c, struct arena *a, str user_id, struct value *ret, struct err *err)
{
    struct value rows;
    enum status st = SQL_ROWS(
        c, a, &rows, err,
        "select s.id, s.name, s.title, s.state, s.visibility, s.deletes_at, s.created_at,"
        " (select l.name from logos l where l.space_id = s.id) as logo,"
        " max(" ROLE_RANK("m.role") ") as rank from spaces s join " ALL_MEMBERS
                                    " m on m.space_id = s.id where m.user_id = ?1 and (s.state <> 'deleted' or m.role ="
                                    " 'owner') group by s.id order by s.state = 'deleted', s.title",
        SQL_T(user_id));
    for (size_t i = 0; st == STATUS_OK && i < value_count(rows); i++) {
        struct value row = value_at(rows, i);
        VALUE_SET(row, "role", value_cstr(role_names[VALUE_GET(row, "rank").i]));
    }
    if (st == STATUS_OK)
        *ret = rows;
    return st;
}

enum status space_find(struct hub_request *rq, str name, struct value *ret, struct err *err)
{
    struct conn *c;
    struct value row;
    enum status st = hub_conn(rq, &c, err);
    if (st == STATUS_OK)
        st = SQL_ROW(
            c, rq->a, &row, err,
            "select s.*, (select l.name from logos l where l.space_id = s.id) as logo, coalesce((select max(" ROLE_RANK(
                "m.role") ") from " ALL_MEMBERS
                          " m where m.space_id = s.id and m.user_id = ?2), 0) as rank from spaces s where s.name = ?1",
            SQL_T(name), SQL_T(hub_user_id(rq)));
    if (st != STATUS_OK)
        return st;
    bool admin = value_truth(VALUE_GET(rq->user, "is_admin"));
    if (row.kind != VALUE_DICT || (!VALUE_GET(row, "rank").i && !admin)) {
        err_set(err, STATUS_NOT_FOUND, "You are in no space of this name.");
        return err_hint(err, "Ask one of its owners to invite %.*s.", STR_ARG(value_get_text(rq->user, STR("email"))));
    }
    VALUE_SET(row, "role", value_cstr(role_names[VALUE_GET(row, "rank").i]));
    VALUE_SET(row, "origin", value_str(hub_space_origin(rq->a, &rq->hub->config, VALUE_GET(row, "name").s)));
    VALUE_SET(row, "until", value_str(hub_day(rq->a, VALUE_GET(row, "deletes_at").i)));
    *ret = row;
    return STATUS_OK;
}

enum status space_require(const struct hub_request *rq, struct value space, enum space_role role, struct err *err)
{
    if (VALUE_GET(space, "rank").i >= (int64_t)role || value_truth(VALUE_GET(rq->user, "is_admin")))
        return STATUS_OK;
    err_set(err, STATUS_FORBIDDEN, "Only %s of this space may do that.",
            role == ROLE_OWNER    ? "owners"
            : role == ROLE_EDITOR ? "editors and owners"
                                  : "members");
    return err_hint(err, "You are %s. Ask an owner.", space_role_name((enum space_role)VALUE_GET(space, "rank").i));
}

enum status space_find_for(struct hub_request *rq, str name, enum space_role role, struct value *ret, struct err *err)
{
    struct value space;
    enum status st = space_find(rq, name, &space, err);
    if (st == STATUS_OK)
        st = space_require(rq, space, role, err);
    if (st == STATUS_OK)
        *ret = space;
    return st;
}

enum status space_is_owned_by(struct conn *c, struct arena *a, str space_id, str user_id, bool *ret, struct err *err)
{
    struct value row;
    enum status st = SQL_ROW(c, a, &row, err,
                             "select 1 as one from users u where u.id = ?2 and u.disabled_at = 0 and (u.is_admin or"
                             " exists (select 1 from " ALL_MEMBERS
                             " m where m.space_id = ?1 and m.user_id = u.id and m.role = 'owner'))",
                             SQL_T(space_id), SQL_T(user_id));
    if (st == STATUS_OK)
        *ret = row.kind == VALUE_DICT;
    return st;
}

enum status space_changed(struct conn *c, str space_id, struct err *err)
{
    return SQL_RUN(c, err, "update spaces set changed = changed + 1 where id = ?1", SQL_T(space_id));
}

enum status space_changed_of(struct conn *c, str user_id, struct err *err)
{
    return SQL_RUN(c, err,
                   "update spaces set changed = changed + 1 where id in (select m.space_id from " ALL_MEMBERS
                   " m where m.user_id = ?1)",
                   SQL_T(user_id));
}

/* ---- making ---- */

struct make {
    struct hub_request *rq;
    str id, name, title;
};

static enum status count_owned(struct conn *c, const struct hub_request *rq, int64_t *ret_live, int64_t *ret_deleted,
                               struct err *err)
{
    struct value row;
    enum status st =
        SQL_ROW(c, rq->a, &row, err,
                "select count(*) filter (where s.state <> 'deleted') as live, count(*) filter (where s.state"
                " = 'deleted') as deleted from members m join spaces s on s.id = m.space_id where m.user_id"
                " = ?1 and m.role = 'owner'",
                SQL_T(hub_user_id(rq)));
    if (st == STATUS_OK) {
        *ret_live = VALUE_GET(row, "live").i;
        *ret_deleted = VALUE_GET(row, "deleted").i;
    }
    return st;
}

enum status space_room_for(struct conn *c, const struct hub_request *rq, struct err *err)
{
    int64_t most = rq->hub->config.spaces_each, live = 0, deleted = 0;
    enum status st = count_owned(c, rq, &live, &deleted, err);
    if (st != STATUS_OK || !most || live < most)
        return st;
    err_set(err, STATUS_CONFLICT, "You own %lld spaces, and nobody may own more here.", (long long)most);
    return err_hint(err, "Delete one, or ask an administrator of %.*s.", STR_ARG(rq->hub->config.domain));
}

/* Deleted ones keep their data for days: who makes, fills and deletes without end would fill the disk. */
static enum status room(struct conn *c, const struct hub_request *rq, struct err *err)
{
    int64_t most = rq->hub->config.spaces_each, live = 0, deleted = 0;
    enum status st = space_room_for(c, rq, err);
    if (st == STATUS_OK)
        st = count_owned(c, rq, &live, &deleted, err);
    if (st != STATUS_OK || !most || live + deleted < 2 * most)
        return st;
    err_set(err, STATUS_CONFLICT, "You deleted %lld spaces that can still be brought back.", (long long)deleted);
    return err_hint(err, "Bring one back, or wait until the first of them is gone, %d days after it was deleted.",
                    (int)(LIMIT_HUB_GRACE_S / 86400));
}

enum status space_room(struct hub_request *rq, struct err *err)
{
    struct conn *c;
    enum status st = hub_conn(rq, &c, err);
    return st == STATUS_OK ? room(c, rq, err) : st;
}

static enum status insert(struct conn *c, void *arg, struct err *err)
{
    const struct make *m = arg;
    const struct hub_request *rq = m->rq;
    int64_t now = clock_unix_s();
    enum status st = room(c, rq, err);
    if (st != STATUS_OK)
        return st;
    st = hub_of_field(m->rq, "name", old_name_take(c, rq->a, m->name, m->id, hub_user_id(rq), err));
    if (st != STATUS_OK)
        return st;
    st = SQL_RUN(c, err, "insert into spaces (id, name, title, created_at) values (?1, ?2, ?3, ?4)", SQL_T(m->id),
                 SQL_T(m->name), SQL_T(m->title), SQL_I(now));
    if (st == STATUS_CONFLICT) {
        err_set(err, STATUS_CONFLICT, "There is a space \"%.*s\" already.", STR_ARG(m->name));
        return hub_of_field(m->rq, "name", err_hint(err, "Take another name."));
    }
    if (st == STATUS_OK)
        st = SQL_RUN(c, err, "insert into members (space_id, user_id, role, added_at) values (?1, ?2, 'owner', ?3)",
                     SQL_T(m->id), SQL_T(hub_user_id(rq)), SQL_I(now));
    return st == STATUS_OK ? hub_audit(c, rq, "space.made", m->id, m->name, err) : st;
}

static enum status unmake(struct conn *c, void *arg, struct err *err)
{
    const str *id = arg;
    return SQL_RUN(c, err, "delete from spaces where id = ?1 and state = 'making'", SQL_T(*id));
}

struct live {
    str id;
    const struct space_contents *contents;
};

static enum status go_live(struct conn *c, void *arg, struct err *err)
{
    const struct live *l = arg;
    enum status st =
        SQL_RUN(c, err, "update spaces set state = 'live' where id = ?1 and state = 'making'", SQL_T(l->id));
    return st == STATUS_OK && l->contents && l->contents->kept ? l->contents->kept(c, l->contents->arg, err) : st;
}

static enum status make_folders(struct hub *h, struct arena *a, str id, struct err *err)
{
    static const char *const below[] = {"data/", "state/", "outbox/"};
    enum status st = STATUS_OK;
    for (size_t i = 0; st == STATUS_OK && i < ARRAY_LEN(below); i++)
        st = fs_make_folders(arena_printf(a, "%.*s/spaces/%.*s/%s", STR_ARG(h->config.dir), STR_ARG(id), below[i]),
                             0700, err);
    return st;
}

/* Everything between the row and being live. */
static enum status build(struct hub_request *rq, str id, const struct space_contents *contents, struct err *err)
{
    struct hub *h = rq->hub;
    struct conn *c;
    enum status st = make_folders(h, rq->a, id, err);
    (void)FAULT("hub.space.folders");
    if (st == STATUS_OK && contents)
        st = contents->put(rq, id, contents->arg, err);
    if (st == STATUS_OK) {
        space_tell(h);
        st = hub_conn(rq, &c, err);
    }
    if (st == STATUS_OK)
        st = edge_apps_put(h, c, id, false, err);
    hub_conn_release(rq);
    return st == STATUS_OK ? store_write(h->store, go_live, &(struct live){id, contents}, err) : st;
}

static enum status undo(struct hub *h, str id, struct err *err)
{
    enum status st = edge_apps_remove(h, id, err);
    if (st == STATUS_OK)
        st = space_erase(h, id, err);
    return st == STATUS_OK ? store_write(h->store, unmake, &id, err) : st;
}

/* The lock says that somebody is at it: without one, what is "making" was left behind by a process that is gone. */
enum status space_make(struct hub_request *rq, str name, str title, const struct space_contents *contents, str *ret_id,
                       struct err *err)
{
    struct hub *h = rq->hub;
    struct make m = {rq, hub_id(rq->a, 's'), name, title};
    int fd = -1;
    hub_conn_release(rq);
    enum status st = hub_room(h, 0, err);
    if (st == STATUS_OK)
        st = hub_lock(h, "making", m.id, 0, &fd, err);
    if (st == STATUS_OK)
        st = store_write(h->store, insert, &m, err);
    if (st != STATUS_OK) {
        hub_unlock(fd);
        return st;
    }
    (void)FAULT("hub.space.inserted");
    st = build(rq, m.id, contents, err);
    (void)FAULT("hub.space.live");
    struct err lost = ERR_INIT;
    if (st == STATUS_OK) {
        *ret_id = m.id;
    } else if (undo(h, m.id, &lost) != STATUS_OK) { /* upkeep tries again what cannot be done now */
        log_line(LOG_ERROR, "hub", "space %.*s: %s", STR_ARG(m.id), lost.text);
        atomic_store(&h->unsettled, true);
    }
    hub_unlock(fd);
    return st == STATUS_OK ? st : hub_room_or(h, st, err);
}

/* ---- taking away ---- */

enum status space_erase(struct hub *h, str space_id, struct err *err)
{
    struct arena *a = arena_new(0);
    str path = arena_printf(a, "%.*s/spaces/%.*s", STR_ARG(h->config.dir), STR_ARG(space_id));
    enum status st = fs_remove_tree(path.p, err);
    arena_free(a);
    return st;
}

/* ---- as hub.db says ---- */

/* `making`: whoever made it was not told that it is there, and is gone. */
static enum status settle_held(struct hub *h, struct conn *c, struct arena *a, str id, struct value app,
                               bool *ret_changed, struct err *err)
{
    struct value row;
    enum status st = SQL_ROW(c, a, &row, err, "select state from spaces where id = ?1", SQL_T(id));
    str state = st == STATUS_OK ? value_get_text(row, STR("state")) : STR("");
    if (st == STATUS_OK && str_is(state, "making")) {
        *ret_changed = true;
        return undo(h, id, err);
    }
    if (st == STATUS_OK && state.n && !str_is(state, "deleted"))
        st = make_folders(h, a, id, err);
    return st == STATUS_OK ? edge_apps_settle(h, c, id, app, ret_changed, err) : st;
}

static void settle_one(struct hub *h, struct conn *c, str id, struct value app, struct space_settled *io)
{
    struct arena *a = arena_new_small();
    struct err err = ERR_INIT;
    bool changed = false;
    int fd = -1;
    enum status st = hub_lock(h, "making", id, 0, &fd, &err);
    if (st == STATUS_OK)
        st = settle_held(h, c, a, id, app, &changed, &err);
    hub_unlock(fd);
    io->changed += st == STATUS_OK && changed;
    io->left += st != STATUS_OK;
    if (st == STATUS_OK && changed)
        log_line(LOG_INFO, "hub", "space %.*s: the edge has it as hub.db says", STR_ARG(id));
    if (st != STATUS_OK && st != STATUS_BUSY)
        log_line(LOG_ERROR, "hub", "space %.*s: %s", STR_ARG(id), err.text);
    arena_free(a);
}

/* Apps first: a space that is made in between has a row by then. */
enum status space_reconcile(struct hub *h, struct space_settled *ret, struct err *err)
{
    struct arena *a = arena_new(0);
    struct conn *c = NULL;
    struct value rows = VALUE_NULL, apps;
    *ret = (struct space_settled){0};
    atomic_store(&h->unsettled, false);
    enum status st = edge_apps_list(h, a, &apps, err);
    if (st == STATUS_OK)
        st = store_read(h->store, &c, err);
    if (st == STATUS_OK)
        st = sql_rows(c, a, "select id from spaces order by id", NULL, 0, &rows, err);
    if (st == STATUS_OK)
        ret->told = space_tell_all(h);
    for (size_t i = 0; st == STATUS_OK && i < value_count(rows) && !atomic_load(&h->stopping); i++) {
        str id = VALUE_GET(value_at(rows, i), "id").s, name = edge_apps_name(a, id);
        settle_one(h, c, id, value_get(apps, name), ret);
        value_set(apps, name, VALUE_NULL);
    }
    for (size_t i = 0; st == STATUS_OK && i < value_count(apps) && !atomic_load(&h->stopping); i++) {
        const struct value_entry *e = &apps.dict->entries[i];
        if (e->value.kind == VALUE_DICT) /* of a space that nobody knows: hub.db is older, or another one */
            settle_one(h, c, str_from(e->key, edge_apps_name(a, STR("")).n), e->value, ret);
    }
    conn_release(c);
    arena_free(a);
    if (st != STATUS_OK || ret->left)
        atomic_store(&h->unsettled, true);
    return st;
}
