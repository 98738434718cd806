/* SPDX-License-Identifier: Apache-2.0 */
/* space — making a space, its settings, its end. */
#include "hub/space.h"

#include "base/clock.h"
#include "base/limits.h"
#include "hub/account.h"
#include "hub/audit.h"
#include "hub/edge_apps.h"
#include "hub/logo.h"
#include "hub/old_name.h"
#include "hub/quota.h"
#include "hub/usage.h"
#include "hub/view/view.h"
#include "rt/fault.h"

/* ---- making ---- */

static enum status make(struct hub_request *rq, str *ret_name, struct err *err)
{
    str title = hub_field(rq, "title"), name = hub_field(rq, "name"), id;
    enum status st = hub_of_field(rq, "title", account_name_check(title, "The title", err));
    if (st == STATUS_OK && !name.n)
        name = space_name_from(rq->a, title);
    if (st == STATUS_OK)
        st = hub_of_field(rq, "name", space_name_check(name, err));
    if (st == STATUS_OK)
        st = space_make(rq, name, title, NULL, &id, err);
    *ret_name = name;
    return st;
}

enum status hub_view_new_space(struct hub_request *rq, struct err *err)
{
    struct value vars = value_dict(rq->a);
    struct err why = ERR_INIT;
    str name = {0};
    if (hub_is_post(rq)) {
        enum status st = make(rq, &name, &why);
        if (st == STATUS_OK)
            return hub_go_outside(rq, ARENA_CAT(rq->a, hub_space_origin(rq->a, &rq->hub->config, name), STR("/")));
        if (!hub_in_form(st)) {
            *err = why;
            return st;
        }
        hub_put_error(rq, vars, &why);
    }
    VALUE_SET(vars, "title", value_str(hub_field(rq, "title")));
    VALUE_SET(vars, "name", value_str(hub_field(rq, "name")));
    return hub_page(rq, why.status == STATUS_OK ? 200 : status_http(why.status), "new_space.html", vars, err);
}

/* ---- settings ---- */

struct settings {
    struct hub_request *rq;
    str id, title, visibility, name, theme;
    bool renamed;
};

static enum status write_settings(struct conn *c, void *arg, struct err *err)
{
    const struct settings *s = arg;
    enum status st = STATUS_OK;
    if (s->renamed)
        st = hub_of_field(s->rq, "name", old_name_take(c, s->rq->a, s->name, s->id, hub_user_id(s->rq), err));
    if (st == STATUS_OK && s->renamed)
        st = old_name_keep(c, s->id, err);
    if (st != STATUS_OK)
        return st;
    st = SQL_RUN(c, err, "update spaces set title = ?2, visibility = ?3, name = ?4, theme = ?5 where id = ?1",
                 SQL_T(s->id), SQL_T(s->title), SQL_T(s->visibility), SQL_T(s->name), SQL_T(s->theme));
    if (st == STATUS_CONFLICT) {
        err_set(err, STATUS_CONFLICT, "There is a space \"%.*s\" already.", STR_ARG(s->name));
        return hub_of_field(s->rq, "name", err_hint(err, "Take another name."));
    }
    if (st == STATUS_OK)
        st = space_changed(c, s->id, err);
    return st == STATUS_OK ? hub_audit(c, s->rq, "space.changed", s->id, s->visibility, err) : st;
}

static enum status read_theme(struct hub_request *rq, str *ret, struct err *err)
{
    str accent = hub_field(rq, "accent");
    bool ok = !accent.n || (accent.n == 7 && accent.p[0] == '#');
    for (size_t i = 1; ok && i < accent.n; i++)
        ok = strchr("0123456789abcdefABCDEF", accent.p[i]) != NULL;
    if (!ok)
        return hub_of_field(rq, "accent", err_set(err, STATUS_INVALID, "The colour must be written as #1b6e53."));
    *ret = accent.n ? arena_printf(rq->a, "{\"accent\": \"%.*s\"}", STR_ARG(accent)) : STR("{}");
    return STATUS_OK;
}

struct name_back {
    struct arena *a;
    str id, name, before;
};

static enum status write_name_back(struct conn *c, void *arg, struct err *err)
{
    const struct name_back *n = arg;
    enum status st = SQL_RUN(c, err, "update spaces set name = ?3 where id = ?1 and name = ?2", SQL_T(n->id),
                             SQL_T(n->name), SQL_T(n->before));
    if (st == STATUS_OK)
        st = old_name_take(c, n->a, n->before, n->id, STR(""), err);
    return st == STATUS_OK ? space_changed(c, n->id, err) : st;
}

/* The edge did not take it to its new address: it is where it was. */
static enum status keep_name(struct hub_request *rq, str id, str name, str before, struct err *err)
{
    struct name_back n = {rq->a, id, name, before};
    enum status st = err->status;
    hub_conn_release(rq);
    if (store_write(rq->hub->store, write_name_back, &n, NULL) != STATUS_OK)
        return st;
    space_tell(rq->hub);
    err_set(err, STATUS_CONFLICT, "The space does not start, so it keeps the address \"%.*s\".", STR_ARG(before));
    return err_hint(err, "The rest is saved. An administrator of %.*s finds the reason in the log.",
                    STR_ARG(rq->hub->config.domain));
}

static enum status save(struct hub_request *rq, struct value space, str *ret_name, struct err *err)
{
    struct settings s = {.rq = rq,
                         .id = VALUE_GET(space, "id").s,
                         .title = hub_field(rq, "title"),
                         .visibility = hub_field(rq, "visibility"),
                         .name = hub_field(rq, "name")};
    struct conn *c;
    if (!s.name.n)
        s.name = VALUE_GET(space, "name").s;
    s.renamed = !str_eq(s.name, VALUE_GET(space, "name").s);
    enum status st = hub_of_field(rq, "title", account_name_check(s.title, "The title", err));
    if (st == STATUS_OK && s.renamed)
        st = hub_of_field(rq, "name", space_name_check(s.name, err));
    if (st == STATUS_OK && !str_is(s.visibility, "public") && !str_is(s.visibility, "private"))
        st = err_set(err, STATUS_INVALID, "Who sees the space must be private or public.");
    if (st == STATUS_OK)
        st = read_theme(rq, &s.theme, err);
    hub_conn_release(rq);
    if (st == STATUS_OK)
        st = store_write(rq->hub->store, write_settings, &s, err);
    (void)FAULT("hub.space.saved");
    if (st != STATUS_OK)
        return st;
    space_tell(rq->hub);
    *ret_name = s.name;
    if (!s.renamed)
        return STATUS_OK;
    st = hub_conn(rq, &c, err);
    if (st == STATUS_OK)
        st = edge_apps_put(rq->hub, c, s.id, false, err);
    if (st != STATUS_OK)
        st = keep_name(rq, s.id, s.name, VALUE_GET(space, "name").s, err);
    return st;
}

static str space_path(struct hub_request *rq, str name, const char *below)
{
    return arena_printf(rq->a, "/spaces/%.*s%s", STR_ARG(name), below);
}

/* What the space uses. `space` gets more keys. */
static enum status add_use(struct hub_request *rq, struct value space, struct value vars, struct err *err)
{
    struct value backup, people, apps;
    struct conn *c;
    int64_t files = LIMIT_HUB_FILES;
    str id = VALUE_GET(space, "id").s;
    enum status st = hub_conn(rq, &c, err);
    if (st == STATUS_OK)
        st = SQL_ROW(c, rq->a, &backup, err, "select at, failed = '' as good from backups where space_id = ?1",
                     SQL_T(id));
    if (st == STATUS_OK)
        st = space_people(c, rq->a, id, &people, err);
    if (st != STATUS_OK)
        return st;
    hub_conn_release(rq);
    if (backup.kind == VALUE_DICT) {
        VALUE_SET(space, "backup_at", VALUE_GET(backup, "at"));
        VALUE_SET(space, "backup_good", VALUE_GET(backup, "good"));
    }
    if (edge_apps_list(rq->hub, rq->a, &apps, NULL) != STATUS_OK)
        apps = value_dict(rq->a);
    usage_add(rq->hub, rq->a, apps, space, &files);
    VALUE_SET(vars, "quotas", quota_rows(&rq->hub->config, rq->a, VALUE_GET(space, "quota").s));
    VALUE_SET(vars, "people", value_int((int64_t)value_count(people)));
    return STATUS_OK;
}

static enum status add_happened(struct hub_request *rq, str id, struct value vars, struct err *err)
{
    struct value log;
    struct conn *c;
    int64_t before = 0;
    if (!str_to_i64(hub_arg(rq, "before"), &before) || before < 0)
        before = 0;
    enum status st = hub_conn(rq, &c, err);
    if (st == STATUS_OK)
        st = hub_audit_rows(c, rq->a, id, before, &log, &before, err);
    if (st != STATUS_OK)
        return st;
    hub_say_when(rq->a, log, "at");
    VALUE_SET(vars, "log", log);
    VALUE_SET(vars, "before", value_int(before));
    return STATUS_OK;
}

enum status hub_view_space(struct hub_request *rq, struct err *err)
{
    struct value vars = value_dict(rq->a), space;
    struct err why = ERR_INIT;
    str name = rq->params[0];
    enum status st = space_find_for(rq, name, ROLE_OWNER, &space, err);
    if (st != STATUS_OK)
        return st;
    if (hub_is_post(rq)) {
        st = save(rq, space, &name, &why);
        if (st == STATUS_OK)
            return hub_go(rq, space_path(rq, name, ""), "saved");
        if (!hub_in_form(st)) {
            *err = why;
            return st;
        }
        hub_put_error(rq, vars, &why);
    }
    st = add_use(rq, space, vars, err);
    if (st != STATUS_OK)
        return st;
    VALUE_SET(vars, "space", space);
    st = add_happened(rq, VALUE_GET(space, "id").s, vars, err);
    if (st != STATUS_OK)
        return st;
    VALUE_SET(vars, "logo", value_str(logo_url(&rq->hub->config, rq->a, value_get_text(space, STR("logo")))));
    VALUE_SET(vars, "logo_most", value_int(LIMIT_HUB_LOGO));
    struct value theme;
    if (value_from_json(rq->a, VALUE_GET(space, "theme").s, &theme, NULL) == STATUS_OK)
        VALUE_SET(vars, "theme", theme);
    return hub_page(rq, why.status == STATUS_OK ? 200 : status_http(why.status), "space.html", vars, err);
}

/* ---- the end ---- */

struct change {
    struct hub_request *rq;
    str id;
    const char *action;
    const char *sql; /* ?1 id, ?2 a time */
    int64_t at_s;
    bool back; /* it counts among its owner's again */
};

/* The edge follows. */
static enum status put(struct hub_request *rq, str id, struct err *err)
{
    struct conn *c;
    enum status st = hub_conn(rq, &c, err);
    return st == STATUS_OK ? edge_apps_put(rq->hub, c, id, true, err) : st;
}

static enum status write_change(struct conn *c, void *arg, struct err *err)
{
    const struct change *d = arg;
    int64_t changes = 0;
    const struct db_value args[] = {SQL_T(d->id), SQL_I(d->at_s)};
    bool counts = d->back && !value_truth(VALUE_GET(d->rq->user, "is_admin")); /* an administrator helps somebody */
    enum status st = counts ? space_room_for(c, d->rq, err) : STATUS_OK;
    if (st == STATUS_OK)
        st = sql_change(c, d->sql, args, ARRAY_LEN(args), &changes, err);
    if (st == STATUS_OK && !changes)
        return err_set(err, STATUS_CONFLICT, "Somebody else changed this space at the same moment. Look again.");
    if (st == STATUS_OK)
        st = space_changed(c, d->id, err);
    return st == STATUS_OK ? hub_audit(c, d->rq, d->action, d->id, STR(""), err) : st;
}

static enum status not_its_name(struct value space, struct err *err)
{
    err_set(err, STATUS_INVALID, "That was not its name: nothing is deleted.");
    return err_hint(err, "Type %.*s to delete it.", STR_ARG(VALUE_GET(space, "name").s));
}

enum status hub_view_delete_space(struct hub_request *rq, struct err *err)
{
    struct value vars = value_dict(rq->a), space;
    struct err why = ERR_INIT;
    enum status st = space_find_for(rq, rq->params[0], ROLE_OWNER, &space, err);
    if (st != STATUS_OK)
        return st;
    struct change d = {rq,
                       VALUE_GET(space, "id").s,
                       "space.deleted",
                       "update spaces set state = 'deleted', deletes_at = ?2 where id = ?1 and state <> 'deleted'",
                       clock_unix_s() + LIMIT_HUB_GRACE_S,
                       false};
    bool typed = str_eq(hub_field(rq, "name"), VALUE_GET(space, "name").s);
    VALUE_SET(vars, "space", space);
    if (hub_is_post(rq) && !typed)
        (void)!hub_of_field(rq, "name", not_its_name(space, &why));
    if (!hub_is_post(rq) || !typed) {
        hub_put_error(rq, vars, &why);
        return hub_page(rq, hub_is_post(rq) ? 400 : 200, "delete_space.html", vars, err);
    }
    hub_conn_release(rq);
    st = store_write(rq->hub->store, write_change, &d, err);
    (void)FAULT("hub.space.deleted");
    if (st == STATUS_OK)
        st = put(rq, d.id, err);
    return st == STATUS_OK ? hub_go(rq, STR("/"), "deleted") : st;
}

enum status hub_view_restore_space(struct hub_request *rq, struct err *err)
{
    struct value space;
    enum status st = space_find_for(rq, rq->params[0], ROLE_OWNER, &space, err);
    if (st != STATUS_OK)
        return st;
    struct change d = {
        rq,
        VALUE_GET(space, "id").s,
        "space.restored",
        "update spaces set state = 'live', deletes_at = 0 where id = ?1 and state = 'deleted' and deletes_at > ?2",
        clock_unix_s(), /* after that upkeep may be at its files */
        true};
    hub_conn_release(rq);
    st = store_write(rq->hub->store, write_change, &d, err);
    (void)FAULT("hub.space.restored");
    if (st != STATUS_OK)
        return st;
    space_tell(rq->hub);
    st = put(rq, d.id, err);
    return st == STATUS_OK ? hub_go(rq, STR("/"), "restored") : st;
}
