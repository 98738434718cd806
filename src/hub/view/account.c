/* SPDX-License-Identifier: Apache-2.0 */
/* account — one's own: name and password. */
#include "hub/account.h"

#include "hub/audit.h"
#include "hub/identity.h"
#include "hub/space.h"
#include "hub/view/view.h"
#include "rt/fault.h"

struct profile {
    struct hub_request *rq;
    str name;
};

static enum status write_profile(struct conn *c, void *arg, struct err *err)
{
    const struct profile *p = arg;
    str id = hub_user_id(p->rq);
    enum status st = SQL_RUN(c, err, "update users set name = ?2 where id = ?1", SQL_T(id), SQL_T(p->name));
    if (st == STATUS_OK)
        st = space_changed_of(c, id, err);
    return st == STATUS_OK ? hub_audit(c, p->rq, "account.changed", STR(""), p->name, err) : st;
}

enum status hub_view_account(struct hub_request *rq, struct err *err)
{
    struct value vars = value_dict(rq->a);
    struct err why = ERR_INIT;
    struct profile p = {rq, hub_field(rq, "name")};
    if (hub_is_post(rq)) {
        enum status st = hub_of_field(rq, "name", account_name_check(p.name, "Your name", &why));
        hub_conn_release(rq);
        if (st == STATUS_OK)
            st = store_write(rq->hub->store, write_profile, &p, err);
        (void)FAULT("hub.account.changed");
        if (st == STATUS_OK) {
            space_tell(rq->hub);
            return hub_go(rq, STR("/-/account"), "saved");
        }
        if (why.status == STATUS_OK)
            return st;
        hub_put_error(rq, vars, &why);
    }
    struct conn *c;
    struct value identities;
    enum status st = hub_conn(rq, &c, err);
    if (st == STATUS_OK)
        st = identity_list(c, rq->a, hub_user_id(rq), &identities, err);
    if (st != STATUS_OK)
        return st;
    VALUE_SET(vars, "identities", identities);
    return hub_page(rq, why.status == STATUS_OK ? 200 : 400, "account.html", vars, err);
}
