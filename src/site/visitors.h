/* SPDX-License-Identifier: Apache-2.0 */
/* visitors: people who are signed in elsewhere on the same domain, known by the cookie they bring.
 *
 *   plugins.vitrine-django                     sessions in signed cookies of a Django application (codec/django.h)
 *   plugins.datasette-auth-existing-cookies    another server is asked whose cookies these are
 *
 * Answers of the other server are kept for cookie_ttl seconds, in memory, under a keyed digest of the cookies. */
#ifndef VITRINE_SITE_VISITORS_H
#define VITRINE_SITE_VISITORS_H

#include "codec/value.h"
#include "site/config.h"

struct http_request;
struct request;
struct visitors;

/* Lives in `a`, borrows the configuration; *ret NULL when neither plugin is configured. INVALID names the key. */
enum status visitors_new(struct arena *a, const struct config *c, struct visitors **ret, struct err *err) MUST_USE;
void visitors_free(struct visitors *v); /* NULL is fine, as in all that follow */

/* Does the request bring such a cookie? Its answer is then nobody else's. Any thread. */
bool visitors_has_cookie(const struct visitors *v, const struct http_request *http);
/* Nobody gets in without being known (require_auth). */
bool visitors_required(const struct visitors *v);
/* Would the other server have to be asked? Any thread; the answer belongs into a lane where waiting is fine. */
bool visitors_must_ask(struct visitors *v, const struct http_request *http);
/* The actor of the cookies, or NONE. May ask the other server: blocks for LIMIT_VISITORS_ASK_MS at most. RATE with
 * rq->retry_after_s: too many new cookies from this client. */
enum status visitors_actor(struct visitors *v, struct request *rq, struct value *ret, struct err *err) MUST_USE;
/* Where they sign in and come back from; empty = nowhere. */
str visitors_sign_in(const struct visitors *v, const struct request *rq);
/* After the actor is known: who is required to be and is not gets there (*ret_answered), or UNAUTHENTICATED. */
enum status visitors_enter(const struct visitors *v, struct request *rq, bool *ret_answered, struct err *err) MUST_USE;

#endif
