/* SPDX-License-Identifier: Apache-2.0 */
/* cron: when something is due, from "every 15m" or five fields as cron(5) has them ("0 6 * * *"). Pure. Times are UTC.
 */
#ifndef VITRINE_SITE_SCHEDULE_CRON_H
#define VITRINE_SITE_SCHEDULE_CRON_H

#include "base/err.h"

struct cron {
    int64_t every_s;                        /* 0 = by the fields */
    uint64_t minutes;                       /* bits */
    uint32_t hours, days, months, weekdays; /* bits; days and months from 1, Sunday is 0 */
    bool any_day, any_weekday;              /* "*": when both are given, either will do, as in cron */
};

/* INVALID with what is wrong and an example. */
enum status cron_parse(str text, struct cron *ret, struct err *err) MUST_USE;
/* The first time after `after` (Unix seconds); 0 = none within eight years. */
int64_t cron_next(const struct cron *c, int64_t after);

#endif
