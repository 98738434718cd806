/* SPDX-License-Identifier: Apache-2.0 */
/* session: the cookie of a space's own host, by which it knows who was there before. The essay is in sign_on.c. */
#ifndef VITRINE_SITE_SPACE_SESSION_H
#define VITRINE_SITE_SPACE_SESSION_H

#include "site/request.h"

/* Part of the name of each cookie of this folder: a request that has it is not anybody's. */
#define SESSION_COOKIE_MARK "vitrine-space"

/* Who the hub says somebody is. */
struct session {
    str user, id, name, email; /* id: of the hub's session */
    bool member;               /* was one when the cookie was made */
};

/* Sets rq->actor to the holder of the cookie: {"id", "name", "email", "role"} for a member, without a role for somebody
 * whom the hub knows and who never was one. Nobody (NONE): no cookie, a forged or old one, one that came twice, a
 * session that was revoked, somebody who is no member any more. */
void session_actor(struct request *rq);
/* The same of a user id, for tokens: NONE for who is no member. */
struct value session_member(const struct space *sp, struct arena *a, str user);
void session_begin(struct request *rq, const struct session *s);
void session_end(struct request *rq);

/* The random text that ties an answer of the hub to this browser. Read: empty when there is none of the right form. */
str session_nonce(struct request *rq);
enum status session_nonce_set(struct request *rq, str *ret, struct err *err) MUST_USE; /* the one there, or a new one */
void session_nonce_clear(struct request *rq);

#endif
