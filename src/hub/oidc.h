/* SPDX-License-Identifier: Apache-2.0 */
/* oidc: signing in by OpenID Connect (Core 1.0, authorization code flow with PKCE, RFC 7636), with any issuer.
 *
 *   oidc_start   the address to send the browser to, with a state, a nonce and the challenge of a verifier
 *   oidc_finish  the code that it came back with -> tokens -> whom they are about
 *
 * State, nonce and verifier belong to one try and one browser: view/identity.c keeps them, in a cookie. What an issuer
 * says of itself and its keys are kept for an hour. Both functions wait for the issuer (10 s at most for each
 * question): never on the loop's thread. Any other thread, and many at once. */
#ifndef VITRINE_HUB_OIDC_H
#define VITRINE_HUB_OIDC_H

#include "hub/oidc_token.h"

struct oidc;

struct oidc *oidc_new(const struct oidc_config *c) MUST_USE; /* the configuration lives longer */
void oidc_free(struct oidc *o);                              /* NULL is fine */
const struct oidc_config *oidc_config(const struct oidc *o);

struct oidc_try {
    str redirect_uri, state, nonce, verifier; /* each of 22 to 128 letters, digits, "-" and "_" but the first */
};

/* IO, TIMEOUT, TOO_LARGE, INVALID, FORBIDDEN: the issuer cannot be used now; the text says why. */
enum status oidc_start(struct oidc *o, struct arena *a, const struct oidc_try *t, str *ret_url,
                       struct err *err) MUST_USE;
/* `issuer`: "iss" of the answer (RFC 9207), empty when there was none. INVALID: something does not fit, and nobody is
 * signed in; FORBIDDEN: in no group that may sign in. *ret_id_token is for oidc_end. Texts live in `a`. */
enum status oidc_finish(struct oidc *o, struct arena *a, const struct oidc_try *t, str code, str issuer,
                        struct identity_person *ret, str *ret_id_token, struct err *err) MUST_USE;
/* Where to send the browser to sign out there too (RP-Initiated Logout 1.0). NOT_FOUND: the issuer has no such page, or
 * has not been asked for one yet. Does not wait. */
enum status oidc_end(struct oidc *o, struct arena *a, str id_token, str back_to, str *ret_url) MUST_USE;

/* base64url of the SHA-256 of the verifier (RFC 7636 section 4.2). */
str oidc_challenge(struct arena *a, str verifier);

#endif
