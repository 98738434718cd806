/* SPDX-License-Identifier: Apache-2.0 */
/* tokens: API tokens that were made here, so that they can be listed and taken back. A token is still a signed text
 * that says all that it is good for (actor.h); recorded ones have an id inside ("i"), and are refused when the record
 * says so or is gone. Records are rows of api_tokens in the internal database; who is revoked is kept in memory. What
 * another process does to the table is seen within a second. When a token was last used is written now and then.
 *
 * Any thread, but not the loop's, save for tokens_tick(). */
#ifndef VITRINE_SITE_TOKENS_H
#define VITRINE_SITE_TOKENS_H

#include "base/err.h"
#include "codec/value.h"

struct internal;
struct pool;
struct request;
struct tokens;

struct tokens *tokens_new(struct internal *in) MUST_USE; /* touches no disk */
void tokens_free(struct tokens *t);                      /* writes what was used last; NULL is fine */

struct token_record {
    str actor, name;           /* name: what it is for, in the maker's words */
    struct value restrictions; /* DICT or none */
    int64_t expires;           /* Unix seconds; 0 = never */
};
/* *ret_id: to be put into the token; empty when nothing can be kept here (the internal database is memory): such a
 * token is good until it expires. CONFLICT: the actor has LIMIT_TOKENS_ACTOR of them. */
enum status tokens_add(struct tokens *t, struct arena *a, const struct token_record *r, str *ret_id,
                       struct err *err) MUST_USE;
/* UNAUTHENTICATED: revoked, or not known. */
enum status tokens_use(struct tokens *t, str id, struct err *err) MUST_USE;
/* Newest first: LIST of DICT id, actor, name, restrictions, created, expires, last_used, revoked (Unix seconds or
 * none). actor.p NULL: everybody's. */
enum status tokens_list(struct tokens *t, struct arena *a, str actor, struct value *ret, struct err *err) MUST_USE;
/* At once. actor.p NULL: whoever's it is. NOT_FOUND: none of that id (and actor) that is good. */
enum status tokens_revoke(struct tokens *t, str id, str actor, str by, struct err *err) MUST_USE;
/* Loop's thread, once a second: has a worker write what was used, when it is time. */
void tokens_tick(struct tokens *t, struct pool *pool, unsigned lane);

/* A person who is signed in, where signed tokens are allowed: FORBIDDEN says why not. */
enum status tokens_check_maker(const struct request *rq, struct err *err) MUST_USE;

#endif
