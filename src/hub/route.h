/* SPDX-License-Identifier: Apache-2.0 */
/* route: the table of the hub's addresses. */
#ifndef VITRINE_HUB_ROUTE_H
#define VITRINE_HUB_ROUTE_H

#include "hub/request.h"

enum hub_access {
    HUB_ANYBODY,
    HUB_SIGNED_IN, /* others go to the sign-in page and come back */
    HUB_ADMIN,
};
enum hub_route_flags {
    HUB_GET = 1,
    HUB_POST = 2,
    HUB_STRONG = 4, /* a password or factor was shown within the last minutes (page: asks for it) */
    HUB_SLOW = 16,  /* a GET goes to the lane of the route too */
    HUB_API = 8,    /* errors are JSON */
    HUB_FILE = 32,  /* takes multipart/form-data, with a file: the view reads it */
};
struct hub_route {
    const char *pattern; /* "/spaces/{}/members" */
    unsigned flags;
    enum hub_access access;
    enum hub_lane lane; /* of POST; GET is HUB_PAGE unless HUB_SLOW */
    enum status (*view)(struct hub_request *rq, struct err *err);
};
extern const struct hub_route hub_routes[]; /* ends with a row whose pattern is NULL */

/* NULL: no such page. Sets the two params, decoded, in `a`. */
const struct hub_route *hub_route_find(struct arena *a, str path, str params[2]);

#endif
