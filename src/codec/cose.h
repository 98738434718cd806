/* SPDX-License-Identifier: Apache-2.0 */
/* cose: public keys as authenticators give them (RFC 9052 section 7, RFC 9053, RFC 8230) and signatures checked with
 * them by OpenSSL. ES256 on P-256 (-7), EdDSA on Ed25519 (-8) and RS256 (-257): what WebAuthn section 5.8.5 tells sites
 * to take, and between them what every authenticator has. Any thread. */
#ifndef VITRINE_CODEC_COSE_H
#define VITRINE_CODEC_COSE_H

#include "base/err.h"
#include "base/str.h"

enum cose_alg { COSE_ES256 = -7, COSE_EDDSA = -8, COSE_RS256 = -257 };

/* Takes a key off the front of *text, at most LIMIT_COSE_KEY bytes; *ret_key: its bytes, what is stored and given to
 * cose_verify. INVALID says what is wrong: damaged, of another algorithm, not a point of the curve, an RSA key of fewer
 * than 2048 bits. */
enum status cose_take_key(str *text, str *ret_key, enum cose_alg *ret_alg, struct err *err) MUST_USE;
/* False for a key that cose_take_key refuses, too. */
bool cose_verify(str key, str message, str signature) MUST_USE;

#endif
