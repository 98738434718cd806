/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"
#include "test.h"

/* Input, what Python 3.11 makes of it with bytes.decode("utf-8", "replace"), its length in code points. */
static const struct {
    str bytes, repaired;
    size_t count;
} cases[] = {
    {{"", 0}, {"", 0}, 0},
    {{"\141\142\143", 3}, {"\141\142\143", 3}, 3},
    {{"\303\251", 2}, {"\303\251", 2}, 1},
    {{"\377", 1}, {"\357\277\275", 3}, 1},
    {{"\141\377\142", 3}, {"\141\357\277\275\142", 5}, 3},
    {{"\300\200", 2}, {"\357\277\275\357\277\275", 6}, 2},
    {{"\301\277", 2}, {"\357\277\275\357\277\275", 6}, 2},
    {{"\342\202", 2}, {"\357\277\275", 3}, 1},
    {{"\342\202\172", 3}, {"\357\277\275\172", 4}, 2},
    {{"\342", 1}, {"\357\277\275", 3}, 1},
    {{"\355\240\200", 3}, {"\357\277\275\357\277\275\357\277\275", 9}, 3},
    {{"\355\277\277", 3}, {"\357\277\275\357\277\275\357\277\275", 9}, 3},
    {{"\360\237\230", 3}, {"\357\277\275", 3}, 1},
    {{"\360\237\230\200", 4}, {"\360\237\230\200", 4}, 1},
    {{"\360\200\200\200", 4}, {"\357\277\275\357\277\275\357\277\275\357\277\275", 12}, 4},
    {{"\364\220\200\200", 4}, {"\357\277\275\357\277\275\357\277\275\357\277\275", 12}, 4},
    {{"\365\200\200\200", 4}, {"\357\277\275\357\277\275\357\277\275\357\277\275", 12}, 4},
    {{"\340\200\200", 3}, {"\357\277\275\357\277\275\357\277\275", 9}, 3},
    {{"\340\237\277", 3}, {"\357\277\275\357\277\275\357\277\275", 9}, 3},
    {{"\357\277\277", 3}, {"\357\277\277", 3}, 1},
    {{"\200\200\200", 3}, {"\357\277\275\357\277\275\357\277\275", 9}, 3},
    {{"\360\237\360\237\230\200", 6}, {"\357\277\275\360\237\230\200", 7}, 2},
    {{"\143\141\146\303\040\342\202\254\342\050\241", 11},
     {"\143\141\146\357\277\275\040\342\202\254\357\277\275\050\357\277\275", 17},
     9},
    {{"\061\062\063\064\065\066\067\070\377\061\062\063\064\065\066\067\070", 17},
     {"\061\062\063\064\065\066\067\070\357\277\275\061\062\063\064\065\066\067\070", 19},
     17},
    {{"\061\062\063\064\065\066\067\303\251\061\062\063\064\065\066\067\070\342\202", 19},
     {"\061\062\063\064\065\066\067\303\251\061\062\063\064\065\066\067\070\357\277\275", 20},
     17},
    {{"\364\217\277\277\370\210", 6}, {"\364\217\277\277\357\277\275\357\277\275", 10}, 3},
};

TEST(utf8_repair_is_pythons_replace)
{
    struct arena *a = arena_new(0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf b;
        buf_init(&b, 1000);
        utf8_put_repaired(&b, cases[i].bytes);
        CHECK_STRS(buf_str(&b), cases[i].repaired);
        buf_release(&b);
        str repaired = utf8_repair(a, cases[i].bytes);
        CHECK_STRS(repaired, cases[i].repaired);
        bool same = str_eq(cases[i].bytes, cases[i].repaired);
        CHECK(utf8_valid(cases[i].bytes) == same);
        CHECK((repaired.p == cases[i].bytes.p) == same); /* no copy of what is well-formed */
        CHECK_INT(utf8_count(cases[i].bytes), cases[i].count);
        CHECK_INT(utf8_count(repaired), cases[i].count);
        CHECK(utf8_valid(repaired));
    }
    arena_free(a);
}

TEST(utf8_every_code_point_round_trips)
{
    for (uint32_t code = 0; code <= 0x110000; code++) {
        char text[4];
        size_t len, n = utf8_encode(code, text);
        bool ok = code <= 0x10FFFF && !(code >= 0xD800 && code <= 0xDFFF);
        CHECK_INT(utf8_decode(str_make(text, n), &len), ok ? code : UTF8_REPLACEMENT);
        CHECK_INT(len, n);
        for (size_t cut = 1; cut < n; cut++) { /* every proper prefix is one ill-formed piece */
            CHECK(utf8_decode(str_make(text, cut), &len) == UTF8_BAD);
            CHECK_INT(len, cut);
        }
    }
}

TEST(utf8_cut_keeps_code_points_whole)
{
    str s = STR("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z"); /* a é € 😀 z: ends at 1 3 6 10 11 */
    static const size_t want[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};
    for (size_t max = 0; max < ARRAY_LEN(want); max++)
        CHECK_INT(utf8_cut(s, max).n, want[max]);
    CHECK_INT(utf8_cut(STR("\x80\x80\x80\x80\x80"), 4).n, 4);
    CHECK_INT(utf8_cut(STR("ab\xE2\xFFzz"), 3).n, 3); /* ill-formed: nothing to keep whole */
    CHECK_INT(utf8_cut((str){NULL, 0}, 4).n, 0);
}

TEST(utf8_offset_counts_code_points)
{
    str s = STR("a\xC3\xA9\xE2\x82\xAC\xFF"
                "b");
    static const size_t want[] = {0, 1, 3, 6, 7, 8, 8};
    for (size_t count = 0; count < ARRAY_LEN(want); count++)
        CHECK_INT(utf8_offset(s, count), want[count]);
}
