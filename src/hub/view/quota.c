/* SPDX-License-Identifier: Apache-2.0 */
/* quota — what one space may use, for administrators. Owners see the same figures on the space's own page. */
#include "hub/quota.h"

#include "base/limits.h"
#include "hub/edge_apps.h"
#include "hub/space.h"
#include "hub/usage.h"
#include "hub/view/view.h"

enum status hub_view_admin_quota(struct hub_request *rq, struct err *err)
{
    struct value vars = value_dict(rq->a), space, apps;
    struct err why = ERR_INIT;
    int64_t files = LIMIT_HUB_FILES;
    str own;
    enum status st = space_find(rq, rq->params[0], &space, err);
    if (st != STATUS_OK)
        return st;
    if (hub_is_post(rq)) {
        st = str_is(VALUE_GET(space, "state").s, "deleted")
                 ? err_set(&why, STATUS_CONFLICT, "The space is deleted: bring it back first.")
                 : quota_read_form(rq, &own, &why);
        if (st == STATUS_OK)
            st = quota_set(rq, VALUE_GET(space, "id").s, own, &why);
        if (st == STATUS_OK)
            return hub_go(rq, rq->http->path, "quota-set");
        if (st != STATUS_INVALID && st != STATUS_CONFLICT) {
            *err = why;
            return st;
        }
        hub_put_error(rq, vars, &why);
    }
    hub_conn_release(rq);
    if (edge_apps_list(rq->hub, rq->a, &apps, NULL) != STATUS_OK)
        apps = value_dict(rq->a);
    usage_add(rq->hub, rq->a, apps, space, &files);
    struct value rows = quota_rows(&rq->hub->config, rq->a, VALUE_GET(space, "quota").s);
    for (size_t i = 0; hub_is_post(rq) && i < value_count(rows); i++) /* what was typed stays in its field */
        VALUE_SET(value_at(rows, i), "value",
                  value_str(hub_field(rq, arena_cstr(rq->a, VALUE_GET(value_at(rows, i), "name").s))));
    VALUE_SET(vars, "space", space);
    VALUE_SET(vars, "quotas", rows);
    return hub_page(rq, why.status == STATUS_OK ? 200 : status_http(why.status), "quota.html", vars, err);
}
