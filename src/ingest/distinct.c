/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/distinct.h"

#include <math.h>

#include "base/banned.h"

static inline uint64_t mix(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 u128;
    u128 m = (u128)a * b;
    return (uint64_t)m ^ (uint64_t)(m >> 64);
}

/* Every bit of v reaches every bit of the result (the finalizer of MurmurHash3); 0 marks a free slot. */
uint64_t distinct_hash_u64(uint64_t v)
{
    v = (v ^ v >> 33) * UINT64_C(0xff51afd7ed558ccd);
    v = (v ^ v >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return (v ^ v >> 33) | 1;
}

uint64_t distinct_hash(str s)
{
    uint64_t h = s.n ^ UINT64_C(0x8ebc6af09c88c6e3), w;
    while (s.n >= 8) {
        memcpy(&w, s.p, 8);
        h = mix(h ^ w, UINT64_C(0xa0761d6478bd642f));
        s.p += 8;
        s.n -= 8;
    }
    w = 0;
    for (size_t i = 0; i < s.n; i++)
        w |= (uint64_t)(unsigned char)s.p[i] << (8 * i);
    h = mix(h ^ w ^ UINT64_C(0x589965cc75374cc3), UINT64_C(0xe7037ed1a0b428db));
    return distinct_hash_u64(h);
}

static inline void estimate(struct distinct *d, uint64_t hash)
{
    size_t at = hash >> 53;
    uint64_t rest = hash << 11 | 1;
    uint8_t rank = (uint8_t)(__builtin_clzll(rest) + 1);
    if (rank > d->registers[at])
        d->registers[at] = rank;
}

void distinct_add(struct distinct *d, struct arena *a, uint64_t hash)
{
    if (LIKELY(d->estimated)) {
        estimate(d, hash);
        return;
    }
    if (!d->slots)
        d->slots = ARENA_ARRAY(a, uint64_t, DISTINCT_SLOTS);
    size_t at = (hash >> 20) % DISTINCT_SLOTS;
    while (d->slots[at] && d->slots[at] != hash)
        at = (at + 1) % DISTINCT_SLOTS;
    if (d->slots[at])
        return;
    if (d->count == LIMIT_INGEST_DISTINCT) {
        d->registers = ARENA_ARRAY(a, uint8_t, DISTINCT_REGISTERS);
        d->estimated = true;
        for (size_t i = 0; i < DISTINCT_SLOTS; i++)
            if (d->slots[i])
                estimate(d, d->slots[i]);
        estimate(d, hash);
        return;
    }
    d->slots[at] = hash;
    d->count++;
}

uint64_t distinct_count(const struct distinct *d)
{
    if (!d->estimated)
        return d->count;
    double sum = 0, m = DISTINCT_REGISTERS;
    size_t zeros = 0;
    for (size_t i = 0; i < DISTINCT_REGISTERS; i++) {
        sum += ldexp(1, -d->registers[i]);
        zeros += d->registers[i] == 0;
    }
    double count = 0.7213 / (1 + 1.079 / m) * m * m / sum;
    if (count < 2.5 * m && zeros)
        count = m * log(m / (double)zeros); /* linear counting for small ones */
    return (uint64_t)MAX(count, (double)LIMIT_INGEST_DISTINCT + 1);
}
