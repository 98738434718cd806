/* SPDX-License-Identifier: Apache-2.0 */
/* accounts: people and programs that the configuration names.
 *
 *   plugins.datasette-auth-passwords   NAME_password_hash, actors, http_basic_auth
 *   plugins.datasette-auth-tokens      tokens: [{token, actor}], param, query: {sql, database}
 *
 * Checking a password is slow by design (see codec/password.h): accounts_sign_in() and accounts_basic() hash on the
 * calling thread, never the loop's; accounts_basic_is_known() tells the loop whether it would. What was right once is
 * remembered under a keyed digest, so that a program that sends its password with every request pays once. */
#ifndef VITRINE_SITE_ACCOUNTS_H
#define VITRINE_SITE_ACCOUNTS_H

#include "codec/value.h"
#include "site/config.h"

struct accounts;

/* Reads both plugins' settings; all memory but the tables of attempts is of `a`, which must outlive them. INVALID names
 * the key that is wrong. */
enum status accounts_new(struct arena *a, const struct config *c, struct accounts **ret, struct err *err) MUST_USE;
void accounts_free(struct accounts *p); /* NULL is fine */

bool accounts_configured(const struct accounts *p);     /* the plugin's settings are there */
size_t accounts_count(const struct accounts *p);        /* people who can sign in */
bool accounts_basic_required(const struct accounts *p); /* http_basic_auth: nobody enters without a password */

/* A name and a password from a client (address, for counting attempts). Returns OK with the actor, FORBIDDEN (wrong, or
 * no such name: both take the same time), RATE with *ret_wait_s. */
enum status accounts_sign_in(struct accounts *p, str name, str password, str client, struct value *ret_actor,
                             int64_t *ret_wait_s, struct err *err) MUST_USE;
bool accounts_is_basic(str authorization); /* of the scheme Basic, in any case (RFC 7617) */
/* The value of an Authorization field of the scheme "Basic": as accounts_sign_in; NOT_FOUND when it is of another. */
enum status accounts_basic(struct accounts *p, struct arena *a, str authorization, str client, struct value *ret_actor,
                           int64_t *ret_wait_s, struct err *err) MUST_USE;
/* The same answered from memory, at once: true with the actor when this name and password were right before. */
bool accounts_basic_is_known(struct accounts *p, struct arena *a, str authorization, struct value *ret_actor);
/* One attempt at something else that is slow by design (making a hash): 0, or seconds to wait. */
int64_t accounts_take_attempt(struct accounts *p, str client);

/* Actor of a configured bearer token, or NONE. */
struct value accounts_token_actor(const struct accounts *p, str token);
/* Name of the query argument that may carry such a token; empty = none. */
str accounts_token_param(const struct accounts *p);
/* Statement that looks up a token "ID-SECRET" and the database it runs on; false when not configured. */
bool accounts_token_query(const struct accounts *p, str *ret_sql, str *ret_database);

#endif
