/* SPDX-License-Identifier: Apache-2.0 */
/* utf8: checking, repairing, decoding and cutting (Unicode 15 table 3-7: no overlong forms, no surrogates, up to
 * U+10FFFF). Repair puts one U+FFFD for each maximal ill-formed piece, which is what Python's errors="replace" does.
 * All pure; any thread. */
#ifndef VITRINE_BASE_UTF8_H
#define VITRINE_BASE_UTF8_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

#define UTF8_BAD         UINT32_MAX
#define UTF8_REPLACEMENT UINT32_C(0xFFFD)

bool utf8_valid(str s); /* ASCII goes 8 bytes at a time */
/* Decodes the first code point. s.n > 0. Returns it, or UTF8_BAD; *ret_len = bytes to skip (1-4, for bad input the
 * maximal ill-formed piece, 1-3). */
uint32_t utf8_decode(str s, size_t *ret_len);
/* Writes `code` as 1-4 bytes, returns how many. Surrogates and codes past U+10FFFF become U+FFFD. */
size_t utf8_encode(uint32_t code, char out[4]);
/* Code points, counting each ill-formed piece as one: the length that Python sees after errors="replace". */
size_t utf8_count(str s);
/* The longest prefix of at most max_bytes that does not end inside a well-formed code point. */
str utf8_cut(str s, size_t max_bytes);
/* Bytes of the first `count` code points (all of s when it has fewer). */
size_t utf8_offset(str s, size_t count);
/* s itself when it is well-formed (no copy), else a repaired copy in the arena. */
str utf8_repair(struct arena *a, str s);
void utf8_put_repaired(struct buf *b, str s); /* appends the repaired form */

#endif
