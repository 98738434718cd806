/* SPDX-License-Identifier: Apache-2.0 */
/* lock: who works at one thing, of all threads and processes of a hub (two hubs while one takes over, fleet, backup,
 * reload): a byte of DIR/lock a name. It goes with whoever has it, however that ends. */
#ifndef VITRINE_HUB_LOCK_H
#define VITRINE_HUB_LOCK_H

#include "hub/hub.h"

/* what: "app" (the edge is told of this space), "making" (a space that is not live yet), "tell" (space.json).
 * Waits wait_ms at most (0: only tries); BUSY: somebody else has it. */
enum status hub_lock(struct hub *h, const char *what, str id, int64_t wait_ms, int *ret_fd, struct err *err) MUST_USE;
void hub_unlock(int fd); /* -1 is fine */

#endif
