/* SPDX-License-Identifier: Apache-2.0 */
/* domains — hosts of their owners' own that lead to a space. */
#include "hub/domain.h"

#include "base/clock.h"
#include "hub/host_cert.h"
#include "hub/proof.h"
#include "hub/space.h"
#include "hub/view/view.h"

static enum status change_domains(struct hub_request *rq, str space, struct err *err)
{
    static const struct throttle_rule rule = {20, 30000}; /* each asks name servers, and the edge for a certificate */
    str host = arena_lower(rq->a, hub_field(rq, "host"));
    if (hub_field(rq, "remove").n)
        return domain_remove(rq, space, hub_field(rq, "remove"), err);
    enum status st = hub_of_field(rq, "host", domain_host_check(&rq->hub->config, host, err));
    if (st != STATUS_OK)
        return st;
    int64_t wait =
        throttle_take(rq->hub->throttle, ARENA_CAT(rq->a, STR("domain "), hub_user_id(rq)), rule, clock_mono_ms());
    if (wait)
        return err_set(err, STATUS_RATE, "Too many hosts in a short time. Wait %lld seconds.", (long long)wait);
    hub_conn_release(rq);
    st = domain_leads_here(&rq->hub->config, host, err);
    if (st == STATUS_INVALID && hub_field(rq, "proof").n)
        st = proof_check(rq->hub, rq->a, space, host, err);
    return hub_of_field(rq, "host", st == STATUS_OK ? domain_add(rq, space, host, err) : st);
}

enum status hub_view_domains(struct hub_request *rq, struct err *err)
{
    struct value vars = value_dict(rq->a), space, domains;
    struct err why = ERR_INIT;
    struct conn *c;
    enum status st = space_find_for(rq, rq->params[0], ROLE_OWNER, &space, err);
    if (st != STATUS_OK)
        return st;
    str id = VALUE_GET(space, "id").s;
    if (hub_is_post(rq)) {
        st = str_is(VALUE_GET(space, "state").s, "live") ? change_domains(rq, id, &why)
                                                         : err_set(&why, STATUS_CONFLICT, "The space is not open.");
        if (st == STATUS_OK)
            return hub_go(rq, rq->http->path, "saved");
        if (!hub_in_form(st) && st != STATUS_NOT_FOUND) {
            *err = why;
            return st;
        }
        hub_put_error(rq, vars, &why);
    }
    st = hub_conn(rq, &c, err);
    if (st == STATUS_OK)
        st = domain_list(c, rq->a, id, &domains, err);
    if (st != STATUS_OK)
        return st;
    hub_conn_release(rq);
    host_cert_add(rq->hub, rq->a, domains);
    VALUE_SET(vars, "space", space);
    VALUE_SET(vars, "domains", domains);
    VALUE_SET(vars, "scheme", value_cstr(rq->hub->config.secure ? "https" : "http"));
    VALUE_SET(vars, "port", value_str(rq->hub->config.port));
    str host = arena_lower(rq->a, hub_field(rq, "host"));
    VALUE_SET(vars, "host", value_str(hub_field(rq, "host")));
    if (why.status == STATUS_INVALID && domain_host_check(&rq->hub->config, host, NULL) == STATUS_OK) {
        VALUE_SET(vars, "record", value_str(proof_name(rq->a, host)));
        VALUE_SET(vars, "record_text", value_str(proof_text(rq->hub, rq->a, id, host)));
    }
    return hub_page(rq, why.status == STATUS_OK ? 200 : status_http(why.status), "domains.html", vars, err);
}
