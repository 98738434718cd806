/* SPDX-License-Identifier: Apache-2.0 */
/* jose: JSON Web Signatures (RFC 7515) with keys as JSON Web Keys (RFC 7517, 7638), by OpenSSL. Signing is ES256 (ECDSA
 * on P-256, RFC 7518 section 3.4) and, with a shared secret, HS256. Any thread; a key may be used by many at once. */
#ifndef VITRINE_CODEC_JOSE_H
#define VITRINE_CODEC_JOSE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

struct jose_key; /* a private key on P-256 */

struct jose_key *jose_key_make(void) MUST_USE;
/* PEM, PKCS #8 or SEC 1, without pass phrase. CONFIG: no such key, or of another kind. */
enum status jose_key_from_pem(str pem, struct jose_key **ret, struct err *err) MUST_USE;
str jose_key_to_pem(struct arena *a, const struct jose_key *k); /* a secret: PKCS #8 */
void jose_key_free(struct jose_key *k);                         /* wipes it; NULL is fine */

/* {"crv":"P-256","kty":"EC","x":"...","y":"..."}: the public half, members in the order of RFC 7638 section 3. */
str jose_jwk(struct arena *a, const struct jose_key *k);
str jose_thumbprint(struct arena *a, const struct jose_key *k); /* base64url of the SHA-256 of that (RFC 7638) */

/* The 64 bytes R and S over "protected.payload" (both base64url already), base64url. */
str jose_es256(struct arena *a, const struct jose_key *k, str protected_b64, str payload_b64);
/* Whole JWS in the flattened JSON form (RFC 7515 section 7.2.2). `header` is JSON and names the algorithm. */
str jose_sign(struct arena *a, const struct jose_key *k, str header, str payload);
str jose_sign_secret(struct arena *a, str secret, str header, str payload); /* HS256 */

#endif
