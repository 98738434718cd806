/* SPDX-License-Identifier: Apache-2.0 */
/* teams — one's teams, and one of them: its name, its people. A role in a space is given on the space's own page. */
#include "hub/account.h"
#include "hub/team.h"
#include "hub/view/view.h"

enum status hub_view_teams(struct hub_request *rq, struct err *err)
{
    struct value vars = value_dict(rq->a), teams;
    struct err why = ERR_INIT;
    struct conn *c;
    str id;
    if (hub_is_post(rq)) {
        enum status made = hub_of_field(rq, "name", account_name_check(hub_field(rq, "name"), "The name", &why));
        if (made == STATUS_OK)
            made = team_make(rq, hub_field(rq, "name"), &id, &why);
        if (made == STATUS_OK)
            return hub_go(rq, ARENA_CAT(rq->a, STR("/-/teams/"), id), NULL);
        if (!hub_in_form(made)) {
            *err = why;
            return made;
        }
        hub_put_error(rq, vars, &why);
    }
    enum status st = hub_conn(rq, &c, err);
    if (st == STATUS_OK)
        st = team_list(c, rq->a, hub_user_id(rq), &teams, err);
    if (st != STATUS_OK)
        return st;
    VALUE_SET(vars, "teams", teams);
    VALUE_SET(vars, "name", value_str(hub_field(rq, "name")));
    return hub_page(rq, why.status == STATUS_OK ? 200 : status_http(why.status), "teams.html", vars, err);
}

static enum status show(struct hub_request *rq, struct value team, const struct err *why, struct err *err)
{
    struct value vars = value_dict(rq->a), people, spaces;
    struct conn *c;
    str id = VALUE_GET(team, "id").s;
    enum status st = hub_conn(rq, &c, err);
    if (st == STATUS_OK)
        st = team_people(c, rq->a, id, &people, err);
    if (st == STATUS_OK)
        st = team_spaces(c, rq->a, id, &spaces, err);
    if (st != STATUS_OK)
        return st;
    VALUE_SET(vars, "team", team);
    VALUE_SET(vars, "people", people);
    VALUE_SET(vars, "spaces", spaces);
    VALUE_SET(vars, "may_change", value_bool(team_require(rq, team, NULL) == STATUS_OK));
    hub_put_error(rq, vars, why);
    return hub_page(rq, why ? status_http(why->status) : 200, "team.html", vars, err);
}

static enum status change(struct hub_request *rq, struct value team, bool *ret_left, struct err *err)
{
    str what = hub_field(rq, "do"), id = VALUE_GET(team, "id").s, user = hub_field(rq, "user");
    *ret_left = str_is(what, "delete") || (str_is(what, "remove") && str_eq(user, hub_user_id(rq)));
    bool leaves = *ret_left && str_is(what, "remove");
    enum status st = leaves ? STATUS_OK : team_require(rq, team, err);
    if (st != STATUS_OK)
        return st;
    if (str_is(what, "rename")) {
        st = hub_of_field(rq, "name", account_name_check(hub_field(rq, "name"), "The name", err));
        return st == STATUS_OK ? team_rename(rq, id, hub_field(rq, "name"), err) : st;
    }
    if (str_is(what, "add"))
        return hub_of_field(rq, "email", team_add(rq, id, hub_field(rq, "email"), err));
    if (str_is(what, "remove"))
        return team_remove(rq, id, user, err);
    if (str_is(what, "manager") || str_is(what, "no-manager"))
        return team_manager(rq, id, user, str_is(what, "manager"), err);
    if (str_is(what, "delete"))
        return team_delete(rq, id, err);
    return err_set(err, STATUS_INVALID, "Do what? rename, add, remove, manager, no-manager or delete.");
}

enum status hub_view_team(struct hub_request *rq, struct err *err)
{
    struct value team;
    struct err why = ERR_INIT;
    bool left = false;
    enum status st = team_find(rq, rq->params[0], &team, err);
    if (st != STATUS_OK)
        return st;
    if (!hub_is_post(rq))
        return show(rq, team, NULL, err);
    st = change(rq, team, &left, &why);
    if (st == STATUS_OK)
        return hub_go(rq, left ? STR("/-/teams") : rq->http->path, "saved");
    if (hub_in_form(st))
        return show(rq, team, &why, err);
    *err = why;
    return st;
}
