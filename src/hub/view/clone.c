/* SPDX-License-Identifier: Apache-2.0 */
/* clone — a new space that begins with the databases and files of another: nobody else is in it, and it has no tokens,
 * shares or domains. The copies are taken before it is made; what fails or is killed after that leaves nothing
 * (space_make). */
#include "base/clock.h"
#include "hub/account.h"
#include "hub/copies.h"
#include "hub/logo.h"
#include "hub/space.h"
#include "hub/view/view.h"
#include "rt/fault.h"

struct clone {
    struct hub_request *rq;
    struct copies copies;
    str from, to; /* spaces */
};

static enum status put(struct hub_request *rq, str space_id, void *arg, struct err *err)
{
    struct clone *made = arg;
    made->to = space_id;
    return copies_into(&made->copies, rq->a,
                       arena_printf(rq->a, "%.*s/spaces/%.*s/data", STR_ARG(rq->hub->config.dir), STR_ARG(space_id)),
                       err);
}

/* Copying took its time: who was sent away meanwhile takes nothing along. */
static enum status keep_look(struct conn *c, void *arg, struct err *err)
{
    const struct clone *made = arg;
    bool owns = false;
    enum status st = space_is_owned_by(c, made->rq->a, made->from, hub_user_id(made->rq), &owns, err);
    if (st == STATUS_OK && !owns) {
        err_set(err, STATUS_FORBIDDEN, "You are no owner of this space any more.");
        return err_hint(err, "Nothing was made. Ask one of its owners.");
    }
    return st == STATUS_OK ? logo_copy(c, made->from, made->to, err) : st;
}

static enum status check(struct hub_request *rq, struct value space, str title, str *io_name, struct err *err)
{
    static const struct throttle_rule rule = {10, 60000};
    enum status st = hub_of_field(rq, "title", account_name_check(title, "The title", err));
    if (st == STATUS_OK && !io_name->n)
        *io_name = space_name_from(rq->a, title);
    if (st == STATUS_OK)
        st = hub_of_field(rq, "name", space_name_check(*io_name, err));
    if (st == STATUS_OK && !str_is(VALUE_GET(space, "state").s, "live")) /* a suspended one is not to go on elsewhere */
        st = err_set(err, STATUS_CONFLICT, "Only a space that is open can be cloned.");
    int64_t wait = st == STATUS_OK ? throttle_take(rq->hub->throttle, ARENA_CAT(rq->a, STR("clone "), hub_user_id(rq)),
                                                   rule, clock_mono_ms())
                                   : 0;
    return wait ? err_set(err, STATUS_RATE, "Too many clones in a short time. Wait %lld seconds.", (long long)wait)
                : st;
}

static enum status make_clone(struct hub_request *rq, struct value space, str *ret_name, struct err *err)
{
    struct clone made = {.rq = rq, .from = VALUE_GET(space, "id").s};
    str title = hub_field(rq, "title"), name = hub_field(rq, "name"), id;
    int64_t most = rq->hub->config.quota.disk_bytes;
    enum status st = check(rq, space, title, &name, err);
    hub_conn_release(rq);
    if (st == STATUS_OK)
        st = space_room(rq, err); /* said before the work; what counts is said by space_make */
    hub_conn_release(rq);
    if (st != STATUS_OK)
        return st;
    st = copies_take(rq->hub, rq->a, made.from, &made.copies, err);
    (void)FAULT("hub.clone.copied");
    if (st != STATUS_OK)
        return st;
    if (most && made.copies.tree.bytes > most) {
        err_set(err, STATUS_CONFLICT, "The databases and files have %lld bytes, and a new space may have %lld.",
                (long long)made.copies.tree.bytes, (long long)most);
        st = err_hint(err, "Download the space, or ask an administrator of %.*s.", STR_ARG(rq->hub->config.domain));
    }
    if (st == STATUS_OK)
        st = space_make(rq, name, title, &(struct space_contents){put, keep_look, &made}, &id, err);
    copies_release(&made.copies);
    *ret_name = name;
    return st;
}

enum status hub_view_clone(struct hub_request *rq, struct err *err)
{
    struct value vars = value_dict(rq->a), space;
    struct err why = ERR_INIT;
    str name = {0};
    enum status st = space_find_for(rq, rq->params[0], ROLE_OWNER, &space, err);
    if (st != STATUS_OK)
        return st;
    if (hub_is_post(rq)) {
        st = make_clone(rq, space, &name, &why);
        if (st == STATUS_OK)
            return hub_go_outside(rq, ARENA_CAT(rq->a, hub_space_origin(rq->a, &rq->hub->config, name), STR("/")));
        if (!hub_in_form(st)) {
            *err = why;
            return st;
        }
        hub_put_error(rq, vars, &why);
    }
    VALUE_SET(vars, "space", space);
    VALUE_SET(vars, "title",
              value_str(hub_is_post(rq) ? hub_field(rq, "title")
                                        : ARENA_CAT(rq->a, STR("Copy of "), VALUE_GET(space, "title").s)));
    VALUE_SET(vars, "name", value_str(hub_field(rq, "name")));
    return hub_page(rq, why.status == STATUS_OK ? 200 : status_http(why.status), "clone_space.html", vars, err);
}
