/* SPDX-License-Identifier: Apache-2.0 */
/* domain: hosts of people's own that lead to a space, beside its usual one. */
#ifndef VITRINE_HUB_DOMAIN_H
#define VITRINE_HUB_DOMAIN_H

#include "hub/request.h"

/* A host name that a space may have: as hub_domain_check, of two labels at least, no address, and not the hub's own
 * domain nor below it. INVALID. Pure. */
enum status domain_host_check(const struct hub_config *c, str host, struct err *err) MUST_USE;
/* Whether its name leads to this hub: to an address that the hub's own domain has. That proves whose it is (proof.h is
 * the other way, and the only one for names above the hub's): who is asked for certificates proves the same
 * (docs/certificates.md). INVALID says what to change.
 * Asks name servers, blocks for some seconds. */
enum status domain_leads_here(const struct hub_config *c, str host, struct err *err) MUST_USE;

/* The host is the space's from now on, at the edge too. CONFLICT: it is in use, or the space has LIMIT_HUB_DOMAINS. */
enum status domain_add(struct hub_request *rq, str space_id, str host, struct err *err) MUST_USE;
enum status domain_remove(struct hub_request *rq, str space_id, str host, struct err *err) MUST_USE; /* NOT_FOUND */
/* LIST of {host, added_at}. */
enum status domain_list(struct conn *c, struct arena *a, str space_id, struct value *ret, struct err *err) MUST_USE;

#endif
