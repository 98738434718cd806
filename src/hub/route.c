/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/route.h"

#include "codec/url.h"
#include "hub/view/view.h"

const struct hub_route hub_routes[] = {
#define X(pattern, flags, access, lane, view) {pattern, flags, access, lane, view},
#include "hub/tbl/hub_routes.h"
#undef X
    {0},
};

static bool match(struct arena *a, str pattern, str path, str params[2])
{
    size_t filled = 0;
    params[0] = params[1] = (str){0};
    while (pattern.n || path.n) {
        str want, have;
        if (!pattern.n || !path.n)
            return false;
        pattern = str_from(pattern, 1);
        path = str_from(path, 1); /* both begin with a slash */
        size_t end = str_find_char(pattern, '/');
        want = str_sub(pattern, 0, end == STR_NPOS ? pattern.n : end);
        pattern = str_from(pattern, want.n);
        end = str_find_char(path, '/');
        have = str_sub(path, 0, end == STR_NPOS ? path.n : end);
        path = str_from(path, have.n);
        if (str_is(want, "{}") && have.n && filled < 2)
            params[filled++] = url_unquote(a, have);
        else if (!str_eq(want, have))
            return false;
    }
    return true;
}

const struct hub_route *hub_route_find(struct arena *a, str path, str params[2])
{
    if (!path.n || path.p[0] != '/')
        return NULL;
    for (const struct hub_route *r = hub_routes; r->pattern; r++)
        if (match(a, str_of(r->pattern), path, params))
            return r;
    return NULL;
}
