/* SPDX-License-Identifier: Apache-2.0 */
/* When something is due: both ways to write it, what is refused, the next time over ends of months and years. */
#include "base/limits.h"
#include "site/schedule/cron.h"

#include "test.h"

#define AT(days, hours, minutes) ((int64_t)(days)*86400 + (hours)*3600 + (minutes)*60)
#define DAY_2026                 20454 /* 1 January 2026, a Thursday */

static int64_t next(const char *text, int64_t after)
{
    struct cron c;
    struct err err = ERR_INIT;
    CHECK_INT(cron_parse(str_of(text), &c, &err), STATUS_OK);
    return cron_next(&c, after);
}

TEST(schedule_by_fields)
{
    int64_t noon = AT(DAY_2026, 12, 0);
    CHECK_INT(next("* * * * *", noon), noon + 60);
    CHECK_INT(next("* * * * *", noon + 59), noon + 60);
    CHECK_INT(next("0 6 * * *", noon), AT(DAY_2026 + 1, 6, 0));
    CHECK_INT(next("0 12 * * *", noon), AT(DAY_2026 + 1, 12, 0)); /* later than, not at */
    CHECK_INT(next("*/20 12-13 * * *", noon), AT(DAY_2026, 12, 20));
    CHECK_INT(next("5,50 11 * * *", noon), AT(DAY_2026 + 1, 11, 5));
    CHECK_INT(next("0 0 1 * *", noon), AT(DAY_2026 + 31, 0, 0));
    CHECK_INT(next("0 0 31 * *", AT(DAY_2026 + 31, 0, 0)), AT(DAY_2026 + 31 + 28 + 30, 0, 0)); /* not in February */
    CHECK_INT(next("0 0 29 2 *", noon), AT(DAY_2026 + 365 * 2 + 59, 0, 0));                    /* 2028 */
    CHECK_INT(next("0 0 * * 1", noon), AT(DAY_2026 + 4, 0, 0));
    CHECK_INT(next("0 0 * * 0", noon), next("0 0 * * 7", noon));
    CHECK_INT(next("0 0 10 * 1", noon), AT(DAY_2026 + 4, 0, 0)); /* either will do */
    CHECK_INT(next("0 0 30 2 *", noon), 0);                      /* never */
    CHECK_INT(next("10/15 * * * *", noon), noon + 600);
}

TEST(schedule_by_intervals)
{
    CHECK_INT(next("every 15m", 1000), 1900);
    CHECK_INT(next("every 2h", 0), 7200);
    CHECK_INT(LIMIT_SCHEDULE_DAYS, 366); /* and one more below */
    CHECK_INT(next("every 366d", 0), LIMIT_SCHEDULE_DAYS * 86400);
    CHECK_INT(next("every 8784h", 0), LIMIT_SCHEDULE_DAYS * 86400);
}

TEST(schedules_that_are_none)
{
    static const char *const texts[] = {"",
                                        "every",
                                        "every m",
                                        "every 0m",
                                        "every -1m",
                                        "every 367d",
                                        "every 8785h",
                                        "every 5s",
                                        "every 5",
                                        "60 * * * *",
                                        "* 24 * * *",
                                        "* * 0 * *",
                                        "* * * 13 *",
                                        "* * * * 8",
                                        "* * * *",
                                        "* * * * * *",
                                        "a * * * *",
                                        "1, * * * *",
                                        "5-1 * * * *",
                                        "*/0 * * * *",
                                        "1-2-3 * * * *",
                                        "every 99999999999999999999m"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct cron c;
        struct err err = ERR_INIT;
        if (cron_parse(str_of(texts[i]), &c, &err) != STATUS_INVALID || !err.hint[0])
            test_fail(__FILE__, __LINE__, "\"%s\" was taken", texts[i]);
    }
}
