/* SPDX-License-Identifier: Apache-2.0 */
/* b64: base64 (RFC 4648), standard with padding and URL-safe without, and base32 for what people type. Results in the
 * arena have a NUL after them. Any thread. */
#ifndef VITRINE_CODEC_B64_H
#define VITRINE_CODEC_B64_H

#include "base/arena.h"
#include "base/buf.h"

void b64_encode(struct buf *out, str bytes); /* sets out->over when it does not fit */
str b64_encode_arena(struct arena *a, str bytes);
str b64url_encode(struct arena *a, str bytes); /* no padding */
/* False (*ret untouched) on characters outside the alphabet, white space too, and on wrong padding or length.
 * b64_decode wants full padding, b64url_decode takes none or full. Unused low bits of the last digit are ignored, as
 * Python does. */
bool b64_decode(struct arena *a, str text, str *ret) MUST_USE;
bool b64url_decode(struct arena *a, str text, str *ret) MUST_USE;

str b32_encode(struct arena *a, str bytes); /* RFC 4648 section 6, A-Z2-7, no padding */

#endif
