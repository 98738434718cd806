/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/pattern.h"

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t pattern_random(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    return mix(*state);
}

static uint64_t word(uint64_t id, uint64_t index)
{
    return mix(mix(id + 1) + index * UINT64_C(0x9e3779b97f4a7c15));
}

void pattern_fill(uint64_t id, uint64_t offset, char *out, size_t n)
{
    for (size_t i = 0; i < n;) {
        uint64_t w = word(id, (offset + i) / 8);
        for (unsigned at = (unsigned)((offset + i) % 8); at < 8 && i < n; at++, i++)
            out[i] = (char)(w >> (8 * at));
    }
}

bool pattern_is(uint64_t id, uint64_t offset, str s)
{
    char want[512];
    while (s.n) {
        size_t n = MIN(s.n, sizeof want);
        pattern_fill(id, offset, want, n);
        if (memcmp(s.p, want, n) != 0)
            return false;
        offset += n;
        s = str_from(s, n);
    }
    return true;
}
