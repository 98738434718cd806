/* SPDX-License-Identifier: Apache-2.0 */
/* seal: bytes that nobody can read or change who has not the secret: AES-256-GCM (OpenSSL), for what a database must
 * hold readable to us only. The key is made of the secret for this purpose alone, each seal has a nonce of its own (96
 * random bits: good for 2^32 seals of one secret), and `context` says where it belongs: what is sealed for one place
 * opens in no other. Any thread. */
#ifndef VITRINE_CODEC_SEAL_H
#define VITRINE_CODEC_SEAL_H

#include "base/arena.h"
#include "base/err.h"

#define SEAL_OVERHEAD 29 /* bytes: version 1, nonce 12, tag 16 */
#define SEAL_NAME     16 /* letters of seal_name */

/* plain.n + SEAL_OVERHEAD bytes in `a`. */
str seal_close(struct arena *a, str secret, str context, str plain);
/* INVALID: made with another secret or for another context, changed, or no seal at all. *ret in `a`. */
enum status seal_open(struct arena *a, str secret, str context, str sealed, str *ret, struct err *err) MUST_USE;
/* Tells secrets apart, and tells nothing about them: hex. */
str seal_name(struct arena *a, str secret);

#endif
