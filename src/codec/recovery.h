/* SPDX-License-Identifier: Apache-2.0 */
/* recovery: codes that stand in once for a lost second factor. 80 random bits each, so that a digest needs no slow
 * hash: nobody tries 2^80. Written in Crockford's base32 (no i, l, o, u), which survives paper and handwriting. Any
 * thread. */
#ifndef VITRINE_CODEC_RECOVERY_H
#define VITRINE_CODEC_RECOVERY_H

#include "base/arena.h"
#include "base/err.h"
#include "codec/digest.h"

#define RECOVERY_CODES 10

/* Ten codes "k7qx-3mzp-0a1b-c2d3" in the arena. IO: no random numbers. */
enum status recovery_make(struct arena *a, str ret[RECOVERY_CODES], struct err *err) MUST_USE;
/* What is stored of a code, and how one is looked up: HMAC-SHA256 under a key of the installation, with the user's id
 * before it, in hex. Capitals, spaces and hyphens do not matter, "O" is 0, "I" and "L" are 1. False: no such code can
 * exist. */
bool recovery_digest(str key, str user, str typed, char out[DIGEST_HEX_MAX]) MUST_USE;

#endif
