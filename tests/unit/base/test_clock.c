/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "base/clock_jump.h"
#include "test.h"

TEST(age_of_what_was_noted)
{
    CHECK_INT(clock_age_s(1000, 1000), 0);
    CHECK_INT(clock_age_s(1000, 1500), 500);
    CHECK_INT(clock_age_s(1060, 1000), 0);         /* corrected a little */
    CHECK_INT(clock_age_s(1061, 1000), INT64_MAX); /* set back */
    CHECK_INT(clock_age_s(0, 1000), 1000);
}

TEST(clock_http_dates_both_ways_against_libc)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    /* Steps of 1000003 s, a prime: all months, leap days and times of day over 0001-9999. */
    for (int64_t t = -62135596800; t < 253402300800; t += 1000003 * 41) {
        char got[CLOCK_HTTP_LEN + 1], want[64];
        struct tm tm;
        time_t libc = (time_t)t;
        CHECK(gmtime_r(&libc, &tm) != NULL);
        (void)snprintf(want, sizeof(want), "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday], tm.tm_mday,
                       months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
        clock_format_http(t, got);
        CHECK_STR(str_of(got), want);
        int64_t back;
        CHECK(clock_parse_http(str_of(got), &back));
        CHECK_INT(back, t);
    }
}

TEST(clock_iso)
{
    char text[CLOCK_ISO_LEN + 1];
    clock_format_iso_ms(1769903999123456, text);
    CHECK_STR(str_of(text), "2026-01-31T23:59:59.123Z");
    clock_format_iso_ms(-1, text);
    CHECK_STR(str_of(text), "1969-12-31T23:59:59.999Z");
    clock_format_iso_ms(951782400000000, text);
    CHECK_STR(str_of(text), "2000-02-29T00:00:00.000Z");
    clock_format_iso_ms(INT64_MAX, text); /* clamped: the text keeps its length */
    CHECK_STR(str_sub(str_of(text), 0, 10), "9999-12-31");
    clock_format_iso_ms(INT64_MIN, text);
    CHECK_STR(str_sub(str_of(text), 0, 10), "0000-01-01");
    CHECK_INT(strlen(text), CLOCK_ISO_LEN);
}

TEST(clock_parses_the_obsolete_forms)
{
    int64_t t;
    CHECK(clock_parse_http(STR("Sunday, 06-Nov-94 08:49:37 GMT"), &t));
    CHECK_INT(t, 784111777);
    CHECK(clock_parse_http(STR("Sun Nov  6 08:49:37 1994"), &t));
    CHECK_INT(t, 784111777);
    CHECK(clock_parse_http(STR("Sun Nov 16 08:49:37 1994"), &t));
    CHECK_INT(t, 784111777 + 864000);
    CHECK(clock_parse_http(STR("Friday, 01-Jan-27 00:00:00 GMT"), &t)); /* near future stays future */
    CHECK_INT(t, 1798761600);
}

TEST(clock_refuses_what_is_no_date)
{
    static const char *const bad[] = {"",
                                      "now",
                                      "Sun, 06 Nov 1994 08:49:37",
                                      "Sun, 06 Nov 1994 08:49:37 UTC",
                                      "Sun, 06 Nov 1994 08:49:37 GMT ",
                                      "Sun, 6 Nov 1994 08:49:37 GMT",
                                      "Sun, 31 Feb 1994 08:49:37 GMT",
                                      "Sun, 29 Feb 1900 08:49:37 GMT",
                                      "Sun, 00 Nov 1994 08:49:37 GMT",
                                      "Sun, 06 Nov 1994 24:00:00 GMT",
                                      "Sun, 06 Nov 1994 08:60:37 GMT",
                                      "Sun, 06 Nov 1994 08:49:61 GMT",
                                      "Sun, 06 nov 1994 08:49:37 GMT",
                                      "Xxx, 06 Nov 1994 08:49:37 GMT",
                                      "Sun, -6 Nov 1994 08:49:37 GMT",
                                      "Sun, 06 Nov 19940 08:49:37 GMT",
                                      "Sun Nov 6 08:49:37 1994"};
    int64_t t = 77;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (clock_parse_http(str_of(bad[i]), &t))
            test_fail(__FILE__, __LINE__, "taken for a date: '%s'", bad[i]);
        CHECK_INT(t, 77);
    }
}

TEST(clock_moves_forward)
{
    int64_t a = clock_mono_us();
    struct timespec pause = {.tv_nsec = 2000000};
    (void)nanosleep(&pause, NULL);
    int64_t b = clock_mono_us();
    CHECK(b - a >= 2000 && b - a < 10000000);
    CHECK(clock_mono_ms() - b / 1000 <= 1000);
    CHECK(clock_unix_s() > 1600000000);
    CHECK(clock_unix_us() / 1000000 - clock_unix_s() <= 1);
}
