/* SPDX-License-Identifier: Apache-2.0 */
#include "site/csrf.h"

#include "site/request.h"

enum status csrf_check(const struct request *rq, struct err *err)
{
    str site = http_header(rq->http, STR("sec-fetch-site")), origin = http_header(rq->http, STR("origin"));
    bool bearer = str_starts(http_header(rq->http, STR("authorization")), STR("Bearer "));
    if (bearer && !http_header(rq->http, STR("cookie")).n)
        return STATUS_OK;
    bool ok = true;
    if (site.n)
        ok = str_is(site, "same-origin") || str_is(site, "none");
    else if (origin.n)
        ok = str_eq_nocase(origin, request_origin(rq));
    if (ok)
        return STATUS_OK;
    err_set(err, STATUS_FORBIDDEN, "This request came from another site (CSRF check failed)");
    return err_hint(err, "Open the page on this site and send the form from there.");
}
