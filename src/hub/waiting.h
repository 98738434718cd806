/* SPDX-License-Identifier: Apache-2.0 */
/* waiting: files that somebody brought before there was an account for them.
 *
 *   DIR/incoming/HASH   the bytes; HASH is that of the secret in the visitor's cookie
 *   hub.db, waiting     what it is called, since when, and whose it is once somebody made an account
 *
 *   coming in (locked, no row) --waiting_keep--> waiting --kept in a space, dropped, LIMIT_HUB_START_S--> gone
 *
 * Invariants: (1) whoever writes or reads the bytes holds flock() on the file; one that is neither locked nor in hub.db
 * is a rest, and goes with the next round of upkeep; (2) a file is shown to the browser that has its secret as long as
 * it is nobody's, then to its owner alone; (3) files that come in count with the size that was announced for them. */
#ifndef VITRINE_HUB_WAITING_H
#define VITRINE_HUB_WAITING_H

#include "hub/request.h"

#define WAITING_COOKIE "vitrine_file"

/* A new file for `reserve` bytes, locked. BUSY: too many wait already. */
enum status waiting_begin(struct hub *h, struct arena *a, str hash, int64_t reserve, int *ret_fd,
                          struct err *err) MUST_USE;
void waiting_remove(struct hub *h, struct arena *a, str hash); /* the bytes; not there: fine */
/* They are whole: on disk, and in hub.db. What this browser, or this user, brought before goes. */
enum status waiting_keep(struct hub_request *rq, str hash, str name, int64_t bytes, int fd, struct err *err) MUST_USE;
/* The row {hash, name, bytes} of the file of whoever asks; UNDEFINED: there is none. */
enum status waiting_find(struct hub_request *rq, struct value *ret, struct err *err) MUST_USE;
/* Inside of a write: the file of this browser is now that of a user who just made an account. */
enum status waiting_give(struct conn *c, const struct hub_request *rq, str user_id, struct err *err) MUST_USE;
/* Inside of a write. */
enum status waiting_forget(struct conn *c, str hash, struct err *err) MUST_USE;
/* Its bytes, locked. BUSY: somebody is putting it into a space just now. */
enum status waiting_open(struct hub *h, struct arena *a, str hash, int *ret_fd, struct err *err) MUST_USE;
/* Takes away what waited too long, and rests. */
enum status waiting_upkeep(struct hub *h, int64_t now_s, struct err *err) MUST_USE;

#endif
