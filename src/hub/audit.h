/* SPDX-License-Identifier: Apache-2.0 */
/* audit: who did what to accounts and spaces, written in the transaction that does it. */
#ifndef VITRINE_HUB_AUDIT_H
#define VITRINE_HUB_AUDIT_H

#include "hub/request.h"

/* action: "space.made", "member.removed" ...; object: what it was done to; space_id empty: of no space. */
enum status hub_audit(struct conn *c, const struct hub_request *rq, const char *action, str space_id, str object,
                      struct err *err) MUST_USE;
/* The same for what happens to an account because of who it is, while nobody is signed in. rq NULL: no request. */
enum status hub_audit_of(struct conn *c, const struct hub_request *rq, str user, const char *action, str space_id,
                         str object, struct err *err) MUST_USE;

#endif
