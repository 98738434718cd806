/* SPDX-License-Identifier: Apache-2.0 */
/* audit: who did what to accounts and spaces, written in the transaction that does it. */
#ifndef VITRINE_HUB_AUDIT_H
#define VITRINE_HUB_AUDIT_H

#include "hub/request.h"

/* Inside of the write that does it. action: one of tbl/audit_words.h, "space.made"; object: what it was done to, an id
 * or a name; space_id empty: of no space. Who: the user of rq, or nobody. */
enum status hub_audit(struct conn *c, const struct hub_request *rq, const char *action, str space_id, str object,
                      struct err *err) MUST_USE;
/* The same for what happens to an account because of who it is, while nobody is signed in. rq NULL: no request. */
enum status hub_audit_of(struct conn *c, const struct hub_request *rq, str user, const char *action, str space_id,
                         str object, struct err *err) MUST_USE;

/* What happened, newest first, LIMIT_HUB_ADMIN_ROWS of it: rows {id, at (INT), who, email, action, words, space,
 * object}; object in words where it is the id of somebody. space_id empty: everywhere; before: only what has a smaller
 * id, 0: all. *ret_before: what to ask with for the rest, 0: that is all. */
enum status hub_audit_rows(struct conn *c, struct arena *a, str space_id, int64_t before, struct value *ret,
                           int64_t *ret_before, struct err *err) MUST_USE;

#endif
