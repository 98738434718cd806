/* SPDX-License-Identifier: Apache-2.0 */
/* histogram: times in log-linear buckets, 64 a power of two: a percentile is right to 1.6 %. One thread at a time. */
#ifndef VITRINE_PROVE_HISTOGRAM_H
#define VITRINE_PROVE_HISTOGRAM_H

#include "base/str.h"

#define HISTOGRAM_BUCKETS (64 * 32) /* up to 2^37 us, more than a day; longer times are counted as that */

struct histogram { /* zeroed before first use */
    uint64_t count;
    int64_t max_us;
    uint32_t buckets[HISTOGRAM_BUCKETS];
};
void histogram_add(struct histogram *h, int64_t us); /* negative: 0 */
/* The time that `part` (0..1) of all were not longer than; 0 when there are none. */
int64_t histogram_percentile_us(const struct histogram *h, double part);

#endif
