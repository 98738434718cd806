/* SPDX-License-Identifier: Apache-2.0 */
/* proof: whose a host is, by a TXT record beside it: for hosts that lead to another proxy, which leads here. What the
 * record must say is made of the space and the host: it proves nothing for another space, and needs no memory. */
#ifndef VITRINE_HUB_PROOF_H
#define VITRINE_HUB_PROOF_H

#include "hub/hub.h"

str proof_name(struct arena *a, str host);                              /* "_vitrine.www.example.org" */
str proof_text(struct hub *h, struct arena *a, str space_id, str host); /* "vitrine=..." */
/* Whether the record is there. INVALID says what to do. Asks name servers, blocks for some seconds. */
enum status proof_check(struct hub *h, struct arena *a, str space_id, str host, struct err *err) MUST_USE;

#endif
