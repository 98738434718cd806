/* SPDX-License-Identifier: Apache-2.0 */
/* b64: base64 (RFC 4648), standard with padding and URL-safe without. */
#ifndef VITRINE_CODEC_B64_H
#define VITRINE_CODEC_B64_H

#include "base/arena.h"
#include "base/buf.h"

void b64_encode(struct buf *out, str bytes);
str b64_encode_arena(struct arena *a, str bytes);
str b64url_encode(struct arena *a, str bytes); /* no padding */
/* False on characters outside the alphabet, wrong padding or length. Both alphabets strict; b64url takes none or full
 * padding. */
bool b64_decode(struct arena *a, str text, str *ret) MUST_USE;
bool b64url_decode(struct arena *a, str text, str *ret) MUST_USE;

#endif
