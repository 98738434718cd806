/* SPDX-License-Identifier: Apache-2.0 */
/* distinct: how many different values a column has: exactly up to LIMIT_INGEST_DISTINCT, estimated past it
 * (HyperLogLog, 2,048 registers: 2.3 % standard error). 2 KiB a column, 16 KiB while exact. */
#ifndef VITRINE_INGEST_DISTINCT_H
#define VITRINE_INGEST_DISTINCT_H

#include "base/arena.h"
#include "base/limits.h"

#define DISTINCT_SLOTS     2048
#define DISTINCT_REGISTERS 2048

struct distinct {
    uint64_t *slots; /* hashes; 0 = free; NULL at first */
    uint8_t *registers;
    uint32_t count;
    bool estimated;
};

uint64_t distinct_hash(str s);
uint64_t distinct_hash_u64(uint64_t v);
void distinct_add(struct distinct *d, struct arena *a, uint64_t hash);
uint64_t distinct_count(const struct distinct *d);

#endif
