/* SPDX-License-Identifier: Apache-2.0 */
/* pattern: the bytes that belong to an id. Both sides make them, so every byte that went over the wire can be checked
 * without keeping it: a checksum would only tell that something was wrong, this tells where. Any thread. */
#ifndef VITRINE_PROVE_PATTERN_H
#define VITRINE_PROVE_PATTERN_H

#include "base/str.h"

/* Bytes [offset, offset + n) of the id's pattern, which has no end. */
void pattern_fill(uint64_t id, uint64_t offset, char *out, size_t n);
/* True when `s` is the pattern from `offset` on. */
bool pattern_is(uint64_t id, uint64_t offset, str s);
/* The next of a row of well-mixed numbers; `state` is the seed (splitmix64). */
uint64_t pattern_random(uint64_t *state);

#endif
