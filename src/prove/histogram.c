/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/histogram.h"

#define PER_POWER 64 /* the first 64 buckets are exact */

static unsigned bucket_of(int64_t us)
{
    uint64_t v = us < 0 ? 0 : (uint64_t)us;
    if (v < PER_POWER)
        return (unsigned)v;
    unsigned top = 63u - (unsigned)__builtin_clzll(v); /* >= 6 */
    unsigned at = (top - 5) * PER_POWER + (unsigned)((v >> (top - 6)) & (PER_POWER - 1));
    return MIN(at, (unsigned)HISTOGRAM_BUCKETS - 1);
}

/* The longest time of the bucket. */
static int64_t bucket_us(unsigned at)
{
    if (at < PER_POWER)
        return at;
    unsigned shift = at / PER_POWER - 1;
    return (int64_t)(((uint64_t)(PER_POWER + at % PER_POWER) << shift) + ((UINT64_C(1) << shift) - 1));
}

void histogram_add(struct histogram *h, int64_t us)
{
    h->buckets[bucket_of(us)]++;
    h->count++;
    h->max_us = MAX(h->max_us, us);
}

int64_t histogram_percentile_us(const struct histogram *h, double part)
{
    uint64_t want = (uint64_t)((double)h->count * part), seen = 0;
    if (!h->count)
        return 0;
    want = CLAMP(want, 1, h->count);
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen >= want)
            return MIN(bucket_us(i), h->max_us);
    }
    return h->max_us;
}
