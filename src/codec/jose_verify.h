/* SPDX-License-Identifier: Apache-2.0 */
/* jose_verify: checking what others signed (RFC 7515, compact form) with the keys they publish (a JWK Set, RFC 7517
 * section 5). RS256, ES256 and EdDSA with Ed25519 (RFC 7518, 8037); "none" and shared secrets are no algorithms here:
 * the caller names those that it takes, and a key serves only the algorithm of its own kind. Any thread. */
#ifndef VITRINE_CODEC_JOSE_VERIFY_H
#define VITRINE_CODEC_JOSE_VERIFY_H

#include "codec/value.h"

enum jose_algorithm { JOSE_RS256 = 1, JOSE_ES256 = 2, JOSE_EDDSA = 4 }; /* bits */

struct jose_keys; /* immutable once read; may be used by many threads at once */

/* Keys of other kinds, for encryption, of RSA under 2,048 bits and broken ones are left out. INVALID: not the JSON of a
 * key set. TOO_LARGE: more than LIMIT_JOSE_KEYS. An empty set is OK. */
enum status jose_keys_read(str json, struct jose_keys **ret, struct err *err) MUST_USE;
void jose_keys_free(struct jose_keys *keys); /* NULL is fine */
size_t jose_keys_count(const struct jose_keys *keys);

/* What `text` says, when one of the keys signed it with one of the `wanted` algorithms (bits). The header's "kid"
 * chooses the key; without one every key of that kind is tried. Nothing of the claims is looked at before. NOT_FOUND:
 * there is no such key (the set may be an old one: read it anew, once). INVALID: anything else, and no reason to try
 * again. */
enum status jose_verify(struct arena *a, const struct jose_keys *keys, unsigned wanted, str text,
                        struct value *ret_claims, struct err *err) MUST_USE;

#endif
