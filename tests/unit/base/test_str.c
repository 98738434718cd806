/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "test.h"

static const str none = {NULL, 0};

TEST(str_compare)
{
    CHECK(str_eq(none, STR("")));
    CHECK(!str_eq(STR("a"), STR("A")));
    CHECK(str_eq_nocase(STR("Content-TYPE"), STR("content-type")));
    CHECK(!str_eq_nocase(STR("a["), STR("a{"))); /* 32 apart, but no letters */
    CHECK(!str_eq_nocase(STR("ab"), STR("abc")));
    CHECK(str_cmp(STR("a"), STR("b")) < 0);
    CHECK(str_cmp(STR("b"), STR("abc")) > 0);
    CHECK(str_cmp(STR("ab"), STR("abc")) < 0);
    CHECK(str_cmp(STR("abc"), STR("ab")) > 0);
    CHECK(str_cmp(none, STR("")) == 0);
    CHECK(str_cmp(STR("\xFF"), STR("a")) > 0); /* bytes are unsigned */
    CHECK(str_is(STR("x"), "x") && !str_is(STR("x"), "") && str_is(none, ""));
}

TEST(str_in_lower_case)
{
    char text[] = "AZ[az{@`\0\xC3\x84";
    CHECK_STRS(str_lower(text, str_make(text, 11)), STR("az[az{@`\0\xC3\x84")); /* in place; letters of ASCII only */
    CHECK_INT(str_lower(text, none).n, 0);
    CHECK_INT(str_lower_char('Q'), 'q');
    CHECK_INT(str_cmp_nocase(STR("Straw"), STR("sTRAW")), 0);
    CHECK(str_cmp_nocase(STR("a"), STR("B")) < 0 && str_cmp_nocase(STR("B"), STR("a")) > 0);
    CHECK(str_cmp_nocase(STR("ab"), STR("ABC")) < 0 && str_cmp_nocase(STR("ABC"), STR("ab")) > 0);
    CHECK(str_cmp_nocase(STR("Z"), STR("_")) > 0); /* as lower case: before the brackets it would be less */
    CHECK(str_cmp_nocase(STR("\xFF"), STR("a")) > 0 && str_cmp_nocase(none, STR("")) == 0);
}

TEST(str_slices_are_clamped)
{
    str s = STR("hello");
    CHECK_STR(str_sub(s, 1, 3), "el");
    CHECK_STR(str_sub(s, 3, 1), "");
    CHECK_STR(str_sub(s, 2, 99), "llo");
    CHECK_STR(str_from(s, 2), "llo");
    CHECK_STR(str_from(s, 99), "");
    CHECK_STR(str_from(none, 3), "");
    CHECK_STR(str_sub(none, 0, 3), "");
    CHECK(str_starts(s, STR("he")) && str_starts(s, STR("")) && !str_starts(s, STR("hello!")));
    CHECK(str_ends(s, STR("lo")) && str_ends(s, none) && !str_ends(s, STR("x")));
}

TEST(str_find_things)
{
    CHECK_INT(str_find(STR("abcabc"), STR("ca")), 2);
    CHECK(str_find(STR("abc"), STR("x")) == STR_NPOS);
    CHECK_INT(str_find(none, none), 0);
    CHECK(str_find(none, STR("a")) == STR_NPOS);
    CHECK_INT(str_find_char(STR("a/b/c"), '/'), 1);
    CHECK_INT(str_rfind_char(STR("a/b/c"), '/'), 3);
    CHECK(str_find_char(none, 'x') == STR_NPOS && str_rfind_char(none, 'x') == STR_NPOS);
    CHECK_INT(str_find_char(STR("a\0b"), '\0'), 1);
}

TEST(str_trim_and_cut)
{
    str left, right;
    CHECK_STR(str_trim(STR(" \t\r\n\v\f a b \n")), "a b");
    CHECK_STR(str_trim(STR("   ")), "");
    CHECK_STR(str_trim(STR("\xC2\xA0x")), "\xC2\xA0x"); /* ASCII only */
    CHECK(str_cut(STR("key=value=x"), '=', &left, &right));
    CHECK_STR(left, "key");
    CHECK_STR(right, "value=x");
    CHECK(!str_cut(STR("key"), '=', &left, &right));
    CHECK_STR(left, "key");
    CHECK_STR(right, "");
    str s = STR("a,b");
    CHECK(str_cut(s, ',', &s, &right)); /* in place */
    CHECK_STR(s, "a");
    CHECK_STR(right, "b");
    CHECK(!str_cut(none, ',', &left, &right));
}

TEST(str_to_numbers)
{
    static const struct {
        const char *text;
        bool i_ok, u_ok;
        int64_t i;
        uint64_t u;
    } rows[] = {
        {"0", true, true, 0, 0},
        {"007", true, true, 7, 7},
        {"-1", true, false, -1, 0},
        {"-0", true, false, 0, 0},
        {"9223372036854775807", true, true, INT64_MAX, INT64_MAX},
        {"9223372036854775808", false, true, 0, UINT64_C(9223372036854775808)},
        {"-9223372036854775808", true, false, INT64_MIN, 0},
        {"-9223372036854775809", false, false, 0, 0},
        {"18446744073709551615", false, true, 0, UINT64_MAX},
        {"18446744073709551616", false, false, 0, 0},
        {"184467440737095516150", false, false, 0, 0},
        {"", false, false, 0, 0},
        {"-", false, false, 0, 0},
        {"+1", false, false, 0, 0},
        {" 1", false, false, 0, 0},
        {"1 ", false, false, 0, 0},
        {"--1", false, false, 0, 0},
        {"0x10", false, false, 0, 0},
        {"1e3", false, false, 0, 0},
        {"\xD9\xA1", false, false, 0, 0},
    };
    for (size_t k = 0; k < ARRAY_LEN(rows); k++) {
        int64_t i = 77;
        uint64_t u = 77;
        CHECK_INT(str_to_i64(str_of(rows[k].text), &i), rows[k].i_ok);
        CHECK_INT(i, rows[k].i_ok ? rows[k].i : 77); /* untouched on failure */
        CHECK_INT(str_to_u64(str_of(rows[k].text), &u), rows[k].u_ok);
        CHECK(u == (rows[k].u_ok ? rows[k].u : 77));
    }
    CHECK(str_all_digits(STR("0123456789")) && !str_all_digits(STR("")) && !str_all_digits(STR("1.")));
}

TEST(str_hash_spreads)
{
    /* 4096 near-equal keys of each length into 4096 buckets: about 37 % stay empty; a weak mix leaves far more. */
    for (size_t n = 4; n <= 48; n++) {
        static bool seen[4096];
        char key[48];
        size_t empty = 0;
        memset(seen, 0, sizeof(seen));
        memset(key, 'a', sizeof(key));
        for (unsigned i = 0; i < 4096; i++) {
            key[n - 1] = (char)(i & 63);
            key[n / 2 - 1] = (char)(i >> 6);
            seen[str_hash(str_make(key, n)) & 4095] = true;
        }
        for (size_t i = 0; i < 4096; i++)
            empty += !seen[i];
        CHECK(empty > 1300 && empty < 1700);
    }
    CHECK(str_hash(STR("a")) != str_hash(STR("a\0")));
    CHECK(str_hash(none) == str_hash(STR("")));
}

TEST(str_writes_numbers)
{
    static const struct {
        int64_t v;
        const char *text;
    } rows[] = {{0, "0"},
                {7, "7"},
                {-7, "-7"},
                {10, "10"},
                {99, "99"},
                {-100, "-100"},
                {1234567, "1234567"},
                {INT64_MAX, "9223372036854775807"},
                {INT64_MIN, "-9223372036854775808"}};
    char out[STR_I64_MAX];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        CHECK_STR(str_make(out, str_write_i64(out, rows[i].v)), rows[i].text);
    CHECK_STR(str_make(out, str_write_u64(out, UINT64_MAX)), "18446744073709551615");
}
