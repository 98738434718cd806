/* SPDX-License-Identifier: Apache-2.0 */
/* groups: what the groups of an issuer give: being an administrator, being in a team, a role in a space (`map` and
 * `admins` of hub.yaml, providers.h). What an issuer gave is kept apart from what was given by hand, by identity; so it
 * goes when the group does, and nothing else goes with it. */
#ifndef VITRINE_HUB_GROUPS_H
#define VITRINE_HUB_GROUPS_H

#include "hub/providers.h"

/* Inside of a write, at each sign-in: the account gets what the groups of `person` give, and loses what they gave
 * before. The identity is linked to `user` already. Call space_tell after it. */
enum status groups_apply(struct conn *c, const struct hub_request *rq, const struct provider *p, str user,
                         const struct identity_person *person, struct err *err) MUST_USE;
/* Inside of a write, before an identity of the user is unlinked: what came by it goes. Nothing happens to that of
 * somebody else. */
enum status groups_forget(struct conn *c, const struct hub_request *rq, str user, int64_t identity,
                          struct err *err) MUST_USE;
/* At the start: what no rule of hub.yaml gives any more goes, also from people who never sign in again. Call space_tell
 * after it. Workers. */
enum status groups_prune(struct hub *h, struct err *err) MUST_USE;
/* Now and then: what was given at a sign-in longer than LIMIT_IDENTITY_AGE_S ago goes, until the next one: nobody knows
 * whether they are in those groups still. Call space_tell after it. Workers. */
enum status groups_lapse(struct hub *h, int64_t now_s, struct err *err) MUST_USE;
/* For administrators: LIST of {provider, group, gives ("administrator", "editor of", "in the team"), what, path,
 * problem}: as hub.yaml has them; problem: what the rule names is not there. */
enum status groups_list(struct conn *c, struct arena *a, const struct providers *providers, struct value *ret,
                        struct err *err) MUST_USE;

#endif
