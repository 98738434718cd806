/* SPDX-License-Identifier: Apache-2.0 */
/* account: people: making them, their passwords, links that prove an address. */
#ifndef VITRINE_HUB_ACCOUNT_H
#define VITRINE_HUB_ACCOUNT_H

#include "hub/request.h"

/* A name as it may be shown: at most LIMIT_HUB_NAME bytes of UTF-8 without control characters. INVALID. */
enum status account_name_check(str name, const char *what, struct err *err) MUST_USE;

/* Inside of a write. password_hash empty: none. CONFLICT: the address has an account. */
enum status account_add(struct conn *c, const struct hub_request *rq, str id, str email, str name, str password_hash,
                        bool verified, struct err *err) MUST_USE;

/* FORBIDDEN: an administrator disabled it. For whoever has shown that it is theirs. */
enum status account_closed(const struct hub_request *rq, struct err *err) MUST_USE;

/* Links: a secret that is given out once (in a mail) and used once; hub.db has its hash (hub_secret). Inside of a
 * write. kind: "verify", "reset", "address" (a new one), "admin"; "handed": a "reset" that no mail carried, but
 * somebody who runs the hub; "second": a second step of signing in that was begun, in a cookie; "nobody": of an address
 * without an account, which leads nowhere and takes as long to write. user_id empty: none. */
enum status account_link_add(struct conn *c, str hash, const char *kind, str user_id, str email, int64_t life_s,
                             struct err *err) MUST_USE;
/* Inside of the same write, what goes with it: the hash of the browser (device_id) that asked for it; the hash of the
 * password that it sets; the identity that somebody signs in by. */
enum status account_link_of_browser(struct conn *c, str hash, str browser, struct err *err) MUST_USE;
enum status account_link_of_password(struct conn *c, str hash, str password_hash, struct err *err) MUST_USE;
enum status account_link_of_identity(struct conn *c, str hash, int64_t identity, struct err *err) MUST_USE;
/* The row {user_id, email, browser, password, identity} of a link that can still be used; UNDEFINED: there is none. */
enum status account_link_find(struct conn *c, struct arena *a, str secret, const char *kind, struct value *ret,
                              struct err *err) MUST_USE;
/* Inside of a write: marks it used. CONFLICT: it was used meanwhile. */
enum status account_link_use(struct conn *c, struct arena *a, str secret, const char *kind, struct err *err) MUST_USE;

/* Inside of a write: links that were sent but not used (to another password, to another address), and second steps that
 * were begun, lead nowhere: the password is another one from now on. */
enum status account_void_links(struct conn *c, str user_id, struct err *err) MUST_USE;
/* Inside of a write: a mail reached its owner, so the address is theirs. Where that was not known, whoever made the
 * account may have only claimed it: their password, passkeys, links to others, known browsers and sessions end. (Their
 * app stays: a mailbox does not pass the second step.) */
enum status account_proven(struct conn *c, struct arena *a, str user_id, struct err *err) MUST_USE;

/* Takes away the accounts whose grace is over, and tells their spaces; one that has become the only owner of a space
 * stays until that is settled. Workers, now and then. */
enum status account_purge(struct hub *h, int64_t now_s, struct err *err) MUST_USE;
/* Inside of a read or a write: the spaces {name, title} that nobody else owns, at least nobody who stays. */
enum status account_alone(struct conn *c, struct arena *a, str user_id, struct value *ret, struct err *err) MUST_USE;

#endif
