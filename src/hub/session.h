/* SPDX-License-Identifier: Apache-2.0 */
/* session: who is signed in, in which browser. The cookie holds a random secret; hub.db its hash. */
#ifndef VITRINE_HUB_SESSION_H
#define VITRINE_HUB_SESSION_H

#include "hub/request.h"

#define SESSION_COOKIE "vitrine_hub"

/* Sets rq->user, session, strong_at from the cookie; nobody when it is unknown, ended, or the account is disabled. */
enum status hub_session_find(struct hub_request *rq, struct err *err) MUST_USE;
/* What is written in the same transaction as a session, before it: a code or a passkey is used up when it signs in, and
 * not when it does not. fn NULL: nothing. It may say who signs in. */
struct session_first {
    store_write_fn *fn;
    void *arg;
};
/* A new session for the user, its cookie in the answer; the one the browser had before ends. A password or a factor was
 * shown just now. *user_id is read after `first` ran, which may set it. A write of its own: not inside of one. */
enum status hub_session_begin(struct hub_request *rq, const str *user_id, struct session_first first,
                              struct err *err) MUST_USE;
/* Inside of a write: a password or a factor was shown again in this session. */
enum status hub_session_confirm(struct conn *c, const struct hub_request *rq, struct err *err) MUST_USE;
/* What pages that are shown in this session hold, and no page elsewhere can know: for a GET that begins something. */
str hub_session_proof(const struct hub_request *rq, const char *what);
/* Inside of a write: ends it, and everything that spaces believe because of it (space.json's "revoked"). */
enum status hub_session_end(struct conn *c, struct arena *a, str session_id, struct err *err) MUST_USE;
/* Inside of a write: all of a user's but `keep` (empty: all). */
enum status hub_session_end_others(struct conn *c, struct arena *a, str user_id, str keep, struct err *err) MUST_USE;

#endif
