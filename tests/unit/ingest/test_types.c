/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "ingest/distinct.h"
#include "ingest/types.h"
#include "test.h"

TEST(types_integers)
{
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {{"0", 0},     {"7", 7},
                {"-12", -12}, {" 5", 5},
                {"5 ", 5},    {"9223372036854775807", INT64_MAX},
                {"10", 10},   {"-9223372036854775808", INT64_MIN}};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        int64_t v = 99;
        double f;
        CHECK_INT(number_parse(str_of(good[i].text), &v, &f), NUMBER_INT);
        CHECK(v == good[i].value);
    }
}

TEST(types_no_numbers)
{
    static const char *const bad[] = {"",
                                      " ",
                                      "-",
                                      "--1",
                                      "+1",
                                      "007",
                                      "-07",
                                      "1 2",
                                      "1,2",
                                      "1.2.3",
                                      "1e",
                                      "1e+",
                                      "e5",
                                      ".",
                                      "-.",
                                      "0x1f",
                                      "1_0",
                                      "inf",
                                      "nan",
                                      "1e999",
                                      "00.5",
                                      "\t1",
                                      "1\n",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "99999999999999999999",
                                      "½"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int64_t v = 99;
        double f = 9;
        CHECK_INT(number_parse(str_of(bad[i]), &v, &f), NUMBER_NONE);
        CHECK(v == 99 && f == 9);
    }
}

TEST(types_reals_are_the_nearest_double)
{
    static const char *const texts[] = {"0.1",
                                        ".5",
                                        "5.",
                                        "-0",
                                        "-0.0",
                                        "1e5",
                                        "1E-5",
                                        "2.5e+3",
                                        "123456789.123456789",
                                        "0.30000000000000004",
                                        "1.7976931348623157e308",
                                        "4.9e-324",
                                        "1e-400",
                                        "9007199254740993.0",
                                        "123456789012345678901234567890.5",
                                        "1e22",
                                        "1e23",
                                        "999999999999999e22",
                                        "0.000000000000000000000000000001"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        int64_t v;
        double f = 0, want = strtod(texts[i], NULL);
        CHECK_INT(number_parse(str_of(texts[i]), &v, &f), NUMBER_REAL);
        CHECK(memcmp(&f, &want, sizeof f) == 0);
    }
}

TEST(types_dates)
{
    static const struct {
        const char *text;
        unsigned orders;
        const char *iso; /* in the lowest order */
    } rows[] = {{"1/31/2020", DATE_MDY, "2020-01-31"},
                {"31/1/2020", DATE_DMY, "2020-01-31"},
                {"1/2/2020", DATE_MDY | DATE_DMY, "2020-01-02"},
                {"2020/1/2", DATE_YMD, "2020-01-02"},
                {"2020.01.02", DATE_YMD, "2020-01-02"},
                {"29.2.2020", DATE_DMY, "2020-02-29"},
                {"29.2.2021", 0, ""},
                {"29.2.1900", 0, ""},
                {"2020-01-02", 0, ""},
                {"2020-1-2", DATE_YMD, "2020-01-02"},
                {"1/2-2020", 0, ""},
                {"1/2/20", 0, ""},
                {"13/13/2020", 0, ""},
                {"0/1/2020", 0, ""},
                {"1/31/2020 7:05", DATE_MDY, "2020-01-31T07:05"},
                {"1/31/2020 24:00", 0, ""},
                {"1/31/2020 23:59:60", 0, ""},
                {"1/31/2020 1:2", 0, ""},
                {"31 Jan 2020", DATE_NAMED, "2020-01-31"},
                {"31-jan-2020", DATE_NAMED, "2020-01-31"},
                {"January 31, 2020 10:00:01", DATE_NAMED, "2020-01-31T10:00:01"},
                {"Smarch 31, 2020", 0, ""},
                {"Jan 31 2020", 0, ""},
                {"31 February 2020", 0, ""},
                {"01012020", 0, ""}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char out[DATE_TEXT_MAX];
        unsigned orders = date_orders(str_of(rows[i].text), DATE_ANY);
        CHECK_INT(orders, rows[i].orders);
        size_t n = date_normalise(str_of(rows[i].text), (enum date_order)(orders & (~orders + 1)), out);
        CHECK_STR(str_make(out, n), rows[i].iso);
    }
    CHECK_INT(date_orders(STR("1/2/2020"), DATE_DMY), DATE_DMY);
}

TEST(distinct_is_exact_then_near)
{
    struct arena *a = arena_new(0);
    struct distinct d = {0};
    for (uint64_t i = 0; i < LIMIT_INGEST_DISTINCT * 2; i++)
        distinct_add(&d, a, distinct_hash_u64(i % LIMIT_INGEST_DISTINCT));
    CHECK_INT(distinct_count(&d), LIMIT_INGEST_DISTINCT);
    CHECK(!d.estimated);
    for (uint64_t i = 0; i < 1000000; i++)
        distinct_add(&d, a, distinct_hash_u64(i));
    CHECK(d.estimated);
    CHECK(fabs((double)distinct_count(&d) - 1e6) < 1e5);
    CHECK(distinct_hash(STR("")) != distinct_hash(str_make("\0", 1)));
    arena_free(a);
}
