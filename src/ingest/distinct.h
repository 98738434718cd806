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

/* What a value adds to the hash of its row, beside its own hash: a number and a text that looks like it differ. */
enum value_mark { VALUE_MARK_INT, VALUE_MARK_REAL, VALUE_MARK_TEXT, VALUE_MARK_BLOB, VALUE_MARK_NULL };

static inline uint64_t row_hash_add(uint64_t row, enum value_mark mark, uint64_t value)
{
    row = (row ^ (value + (uint64_t)mark)) * UINT64_C(0x9e3779b97f4a7c15);
    return row ^ row >> 29;
}

uint64_t distinct_hash(str s);
uint64_t distinct_hash_u64(uint64_t v);
void distinct_add(struct distinct *d, struct arena *a, uint64_t hash);
uint64_t distinct_count(const struct distinct *d);

#endif
