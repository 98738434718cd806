/* SPDX-License-Identifier: Apache-2.0 */
/* gate: who gets into a space at all. Permissions (permit.h) decide what members and readers may; the gate keeps those
 * out who have no business here, and tells them what to do: browsers are sent to the hub, programs get 401. */
#ifndef VITRINE_SITE_SPACE_GATE_H
#define VITRINE_SITE_SPACE_GATE_H

#include "site/request.h"
#include "site/space/space.h"

/* Must each request be looked at on a worker, also those for static files and cached answers? sp may be NULL: no. */
bool gate_is_closed(const struct space *sp);
/* 0, or the seconds until the space may be asked again (requests_per_minute). Loop's thread, before anything. */
int64_t gate_wait_s(const struct site *s, const struct space *sp, str path);

/* After the actor is known, before the view. *ret_answered: the answer is made (a redirect to the hub). Else a failure
 * is: BUSY (suspended), UNAUTHENTICATED, FORBIDDEN. */
enum status gate_enter(struct request *rq, bool *ret_answered, struct err *err) MUST_USE;
/* Is this somebody whom a private space does not know, or is it suspended? Such get no file either. */
bool gate_keeps_out(const struct request *rq);
/* A person looks at this, and can be sent elsewhere: not a program, a script of a page, a picture. */
bool gate_is_browsing(const struct request *rq);
/* After the view: what it refused to somebody who is not signed in, and what was not found for somebody who may not
 * know that, becomes what gate_enter says. `st` and *err are the view's; returns the status that counts. */
enum status gate_leave(struct request *rq, enum status st, struct err *err) MUST_USE;
/* The last words about an answer: headers that keep it apart from other sites, caches that others share. */
void gate_headers(const struct request *rq, struct http_response *r);

#endif
