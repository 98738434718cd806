/* SPDX-License-Identifier: Apache-2.0 */
/* metric: what the program counts. Each thread counts in a block of its own: no lock, no shared cache line, two or
 * three instructions. Reading adds the blocks up and may miss what is being counted that moment. */
#ifndef VITRINE_BASE_METRIC_H
#define VITRINE_BASE_METRIC_H

#include "base/str.h"

enum metric {
#define X(id, kind, name, labels, help) METRIC_##id,
#include "base/tbl/metrics.h"
#undef X
    METRIC_COUNT
};

enum metric_kind { METRIC_COUNTER, METRIC_SECONDS, METRIC_SERIES, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric_row {
    enum metric_kind kind;
    const char *name, *labels, *help;
};
extern const struct metric_row metric_rows[METRIC_COUNT];

void metric_add(enum metric m, uint64_t n); /* COUNTER and SECONDS (microseconds). Any thread */
uint64_t metric_sum(enum metric m);         /* over all threads, also those that ended. Any thread */
uint64_t metric_mine(enum metric m);        /* what the calling thread added */

#endif
