/* SPDX-License-Identifier: Apache-2.0 */
/* view: the pages, one function an address of tbl/hub_routes.h. Each answers by one of the functions of request.h, or
 * fails with a sentence that becomes the error page. They run on workers. */
#ifndef VITRINE_HUB_VIEW_VIEW_H
#define VITRINE_HUB_VIEW_VIEW_H

#include "hub/request.h"

#define X(pattern, flags, access, lane, view) enum status view(struct hub_request *rq, struct err *err) MUST_USE;
#include "hub/tbl/hub_routes.h"
#undef X

/* Who asks whoever is signed in, and has shown that their address is theirs, into which spaces: LIST of {id, role,
 * name, title, by_name}. */
enum status hub_invitations_of(struct hub_request *rq, struct value *ret, struct err *err) MUST_USE;
/* Where somebody goes who signed out: to where the issuer's own sign-out is offered, or the first page. */
str hub_identity_signed_out(struct hub_request *rq);

#endif
