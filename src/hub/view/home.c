/* SPDX-License-Identifier: Apache-2.0 */
/* home — the first page: what this is, or one's spaces. */
#include "hub/space.h"
#include "hub/view/start.h"
#include "hub/view/view.h"
#include "hub/waiting.h"

static void add_origins(struct hub_request *rq, struct value spaces)
{
    for (size_t i = 0; i < value_count(spaces); i++) {
        struct value s = value_at(spaces, i);
        VALUE_SET(s, "origin", value_str(hub_space_origin(rq->a, &rq->hub->config, VALUE_GET(s, "name").s)));
        VALUE_SET(s, "until", value_str(hub_day(rq->a, VALUE_GET(s, "deletes_at").i)));
    }
}

/* Whoever has just set the hub up may not have seen that its first account comes by a link. */
static enum status landing(struct hub_request *rq, struct value vars, struct err *err)
{
    struct value row;
    struct conn *c;
    enum status st = hub_conn(rq, &c, err);
    if (st == STATUS_OK)
        st = sql_row(c, rq->a, "select 1 as one from users where is_admin = 1", NULL, 0, &row, err);
    if (st != STATUS_OK)
        return st;
    VALUE_SET(vars, "no_admin", value_bool(row.kind != VALUE_DICT));
    return hub_page(rq, 200, "landing.html", vars, err);
}

enum status hub_view_home(struct hub_request *rq, struct err *err)
{
    struct value vars = value_dict(rq->a), spaces, invitations, file;
    struct conn *c;
    enum status st = waiting_find(rq, &file, err);
    if (st != STATUS_OK)
        return st;
    VALUE_SET(vars, "file", file);
    VALUE_SET(vars, "most_bytes", value_int(start_most_bytes(rq->hub)));
    if (value_is_null(rq->user))
        return landing(rq, vars, err);
    st = hub_conn(rq, &c, err);
    if (st == STATUS_OK)
        st = space_list(c, rq->a, hub_user_id(rq), &spaces, err);
    if (st == STATUS_OK)
        st = hub_invitations_of(rq, &invitations, err);
    if (st != STATUS_OK)
        return st;
    add_origins(rq, spaces);
    VALUE_SET(vars, "spaces", spaces);
    VALUE_SET(vars, "invitations", invitations);
    return hub_page(rq, 200, "home.html", vars, err);
}

enum status hub_view_health(struct hub_request *rq, struct err *err)
{
    struct value v = value_dict(rq->a), row;
    struct conn *c;
    enum status st = hub_conn(rq, &c, err);
    if (st == STATUS_OK)
        st = sql_row(c, rq->a, "select 1 as one", NULL, 0, &row, err);
    VALUE_SET(v, "ok", value_bool(true));
    return st == STATUS_OK ? hub_json(rq, 200, v) : st;
}
