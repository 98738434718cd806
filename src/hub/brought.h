/* SPDX-License-Identifier: Apache-2.0 */
/* brought: a hub.db that was brought back from a backup is recognized, and what was ended since does not live again. */
#ifndef VITRINE_HUB_BROUGHT_H
#define VITRINE_HUB_BROUGHT_H

#include "hub/hub.h"

/* After a copy of hub.db was taken: from now on it is older than hub.db. Blocks. */
enum status brought_mark(struct hub *h, struct err *err) MUST_USE;
/* Before the hub serves: is hub.db such a copy, then all sessions, links in mails and invitations end, and the log says
 * so; spaces are told when they are compared (space_reconcile). Blocks. */
enum status brought_look(struct hub *h, struct err *err) MUST_USE;

#endif
