/* SPDX-License-Identifier: Apache-2.0 */
/* identity: which account somebody has whom an issuer (or GitHub) names. A person is issuer and subject; an e-mail
 * address is not who somebody is, and never leads into an account by itself.
 *
 *   known                             -> that account
 *   unknown, somebody is signed in    -> linked to that account
 *   unknown, the address is verified by the issuer
 *       and no account's              -> a new account
 *       and an account's              -> asked for in a mail to that address, which that account's owner confirms
 *   unknown, the address is not verified (or there is none) -> refused: sign up, then link
 *
 * What changes something runs inside of a write of the store. */
#ifndef VITRINE_HUB_IDENTITY_H
#define VITRINE_HUB_IDENTITY_H

#include "db/conn.h"
#include "hub/oidc_token.h"

/* NOT_FOUND: nobody's. *ret_user: the account's id, in `a`; *ret_id (NULL is fine): the identity's. */
enum status identity_find(struct conn *c, struct arena *a, const struct identity_person *p, str *ret_user,
                          int64_t *ret_id, struct err *err) MUST_USE;
/* Notes that it was used now, and what its owner is called there by now. */
enum status identity_used(struct conn *c, const struct identity_person *p, struct err *err) MUST_USE;
/* `provider`: its name in hub.yaml. OK too when it is that account's already; CONFLICT: another account's. TOO_LARGE:
 * LIMIT_IDENTITIES of one account. */
enum status identity_link(struct conn *c, struct arena *a, str user, str provider, const struct identity_person *p,
                          struct err *err) MUST_USE;
/* NOT_FOUND: not this account's. Whether it is the last way in is the caller's to know (identity_count). */
enum status identity_unlink(struct conn *c, str user, int64_t id, struct err *err) MUST_USE;
enum status identity_count(struct conn *c, str user, int64_t *ret, struct err *err) MUST_USE;
/* A list of {id, provider, issuer, who, created_at, used_at}, oldest first. */
enum status identity_list(struct conn *c, struct arena *a, str user, struct value *ret, struct err *err) MUST_USE;
/* A try to sign in is good for one answer. CONFLICT: this one had its answer. `until_s`: when the try ends by itself.
 */
enum status identity_use_try(struct conn *c, str state, int64_t until_s, struct err *err) MUST_USE;

#endif
