/* SPDX-License-Identifier: Apache-2.0 */
#include "site/space/gate.h"

#include "base/clock.h"
#include "rt/throttle.h"
#include "site/route.h"
#include "site/share/guest.h"
#include "site/space/sign_on.h"
#include "site/view/view.h"

bool gate_is_closed(const struct space *sp)
{
    return sp && (sp->suspended || !sp->people.is_public);
}

int64_t gate_wait_s(const struct site *s, const struct space *sp, str path)
{
    if (!sp || !sp->requests_per_minute || str_starts(path, STR("/-/health")) || str_starts(path, STR("/-/ready")))
        return 0;
    const struct throttle_rule rule = {.burst = (uint32_t)MIN(sp->requests_per_minute, UINT32_MAX / 2),
                                       .refill_ms = (uint32_t)MAX(60000 / sp->requests_per_minute, 1)};
    return throttle_take(s->shared->requests, STR("all"), rule, clock_mono_us() / 1000);
}

static bool is_open(const struct request *rq)
{
    return rq->route && (rq->route->flags & ROUTE_OPEN);
}

/* Somebody whom a private space does not know. */
static bool is_outsider(const struct request *rq)
{
    if (rq->guest && rq->guest->preview) /* a member looks at what others see */
        return false;
    return rq->space && !rq->space->people.is_public && permit_role(&rq->space->people, rq->actor) == ROLE_NONE;
}

/* Knows itself whom to let in, and what to tell the others. */
static bool is_share_link(const struct request *rq)
{
    return rq->route && rq->route->view == view_share_link;
}

bool gate_keeps_out(const struct request *rq)
{
    return rq->space && (rq->space->suspended || is_outsider(rq));
}

bool gate_is_browsing(const struct request *rq)
{
    const struct http_request *http = rq->http;
    str dest = http_header(http, STR("sec-fetch-dest"));
    return request_is_get(rq) && str_is(rq->format, "html") && !http_header(http, STR("authorization")).n &&
           str_find(http_header(http, STR("accept")), STR("text/html")) != STR_NPOS &&
           (!dest.n || str_is(dest, "document"));
}

static enum status refuse(struct request *rq, bool *ret_answered, struct err *err)
{
    const struct space *sp = rq->space;
    rq->error_extra = VALUE_UNDEF;
    if (!value_is_null(rq->actor)) {
        str owners = space_owners(sp, rq->arena);
        rq->error_title = "You are not a member of this space";
        err_set(err, STATUS_FORBIDDEN, "This space is private, and you are not one of its members.");
        return err_hint(err, "Ask %.*s to invite you, or switch to the account that was invited.",
                        STR_ARG(owners.n ? owners : STR("its owner")));
    }
    if (gate_is_browsing(rq)) {
        *ret_answered = true;
        return sign_on_start(rq, request_full_path(rq), false, err);
    }
    rq->challenge = "Bearer";
    err_set(
        err, STATUS_UNAUTHENTICATED,
        "This space is private. Send an API token of a member as \"Authorization: Bearer TOKEN\"; members make them "
        "at %.*s/-/tokens",
        STR_ARG(sp->origin));
    return STATUS_UNAUTHENTICATED;
}

enum status gate_enter(struct request *rq, bool *ret_answered, struct err *err)
{
    const struct space *sp = rq->space;
    *ret_answered = false;
    if (!sp || is_open(rq))
        return STATUS_OK;
    if (sp->suspended) {
        rq->error_title = "This space is suspended";
        rq->retry_after_s = 3600;
        err_set(err, STATUS_BUSY, "This space is suspended%s%.*s", sp->suspended_why.n ? ": " : ".",
                STR_ARG(sp->suspended_why));
        return err_hint(err, "Its data is kept. Its owner can ask whoever runs %.*s.", STR_ARG(sp->hub));
    }
    /* Reading a database is left to the permissions: somebody may have been given a table or a query of it. */
    bool given = request_is_get(rq) && rq->route && str_starts(str_of(rq->route->pattern), STR("/:db"));
    given = given || is_share_link(rq);
    if (!is_outsider(rq) || given)
        return STATUS_OK;
    return refuse(rq, ret_answered, err);
}

enum status gate_leave(struct request *rq, enum status st, struct err *err)
{
    bool answered = false;
    int own = st == STATUS_OK ? rq->response->status : 0; /* of views that make their refusals themselves */
    bool refused = st == STATUS_FORBIDDEN || st == STATUS_NOT_FOUND || own == 403 || own == 404;
    if (!is_outsider(rq) || is_open(rq) || is_share_link(rq) || !refused)
        return st;
    response_clear(rq->response);
    st = refuse(rq, &answered, err);
    return answered ? STATUS_OK : st;
}

void gate_headers(const struct request *rq, struct http_response *r)
{
    static const char *const apart[][2] = {
        {"x-content-type-options", "nosniff"},
        {"cross-origin-opener-policy", "same-origin"},
        {"origin-agent-cluster", "?1"}, /* no page of a sibling host shares the memory of ours */
    };
    const struct space *sp = rq->space;
    if (!sp)
        return;
    for (size_t i = 0; i < ARRAY_LEN(apart); i++)
        response_header_set(r, str_of(apart[i][0]), str_of(apart[i][1]));
    if (sp->people.is_public && value_is_null(rq->actor))
        return; /* open data may be shown in frames of others, and kept by their caches */
    if (!rq->guest || !rq->guest->embedded)
        response_header_set(r, STR("x-frame-options"), STR("SAMEORIGIN"));
    response_header_set(r, STR("cross-origin-resource-policy"), STR("same-origin"));
    if (!http_headers_get(&r->headers, STR("content-security-policy")).n)
        response_header_set(r, STR("content-security-policy"), STR("frame-ancestors 'self'; object-src 'none'"));
    str cache = http_headers_get(&r->headers, STR("cache-control"));
    if (str_find(cache, STR("no-store")) == STR_NPOS)
        response_header_set(r, STR("cache-control"), STR("private, no-cache"));
}
