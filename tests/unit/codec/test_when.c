/* SPDX-License-Identifier: Apache-2.0 */
/* Dates as they are read and written. */
#include "codec/when.h"
#include "test.h"

TEST(when_cases)
{
    static const struct {
        const char *text, *rfc3339, *ical; /* NULL: no date */
    } cases[] = {
        {"2024-02-29", "2024-02-29T00:00:00Z", "20240229"},
        {" 2024-02-29 12:30 ", "2024-02-29T12:30:00Z", "20240229T123000Z"},
        {"2024-02-29T12:30:15.123456Z", "2024-02-29T12:30:15Z", "20240229T123015Z"},
        {"2024-01-01T00:30:00+02:00", "2024-01-01T00:30:00+02:00", "20231231T223000Z"},
        {"2024-02-28 23:30:00-0100", "2024-02-28T23:30:00-01:00", "20240229T003000Z"},
        {"2023-02-28 23:30:00 -01", "2023-02-28T23:30:00-01:00", "20230301T003000Z"},
        {"2000-03-01T00:00:60 UTC", "2000-03-01T00:00:59Z", "20000301T000059Z"},
        {"2023-02-29", NULL, NULL},
        {"2024-13-01", NULL, NULL},
        {"2024-1-1", NULL, NULL},
        {"2024-01-01x", NULL, NULL},
        {"2024-01-01T25:00", NULL, NULL},
        {"2024-01-01T10:00+2", NULL, NULL},
        {"2024-01-01T10:00 CEST", NULL, NULL},
        {"", NULL, NULL},
    };
    struct buf b;
    buf_init(&b, 1000);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct when w;
        bool good = when_parse(str_of(cases[i].text), &w);
        CHECK_INT(good, cases[i].rfc3339 != NULL);
        if (!good || !cases[i].rfc3339)
            continue;
        buf_clear(&b);
        when_rfc3339(&b, &w);
        CHECK_STR(buf_str(&b), cases[i].rfc3339);
        buf_clear(&b);
        when_ical(&b, &w, false);
        CHECK_STR(buf_str(&b), cases[i].ical);
    }
    buf_release(&b);
}

/* Every day of 800 years through UTC and back. */
TEST(when_days)
{
    struct buf b;
    struct when w, last = {0};
    char text[32];
    buf_init(&b, 1000);
    for (int y = 1600; y < 2400; y++) {
        for (int m = 1; m <= 12; m++) {
            for (int d = 1; d <= 31; d++) {
                snprintf(text, sizeof text, "%04d-%02d-%02dT10:00Z", y, m, d);
                if (!when_parse(str_of(text), &w))
                    continue;
                buf_clear(&b);
                when_ical(&b, &w, false);
                snprintf(text, sizeof text, "%04d%02d%02dT100000Z", y, m, d);
                CHECK_STR(buf_str(&b), text);
                CHECK(!last.year || when_compare(&last, &w) < 0);
                last = w;
            }
        }
    }
    buf_release(&b);
}
