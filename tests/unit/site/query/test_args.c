/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

TEST(query_args_group_equal_keys_and_keep_blanks)
{
    struct arena *a = arena_new(1 << 20);
    struct args args;
    CHECK(args_parse(a, STR("b=1&a=x+y&b=2&blank=&flag&a=%C3%A9"), &args, NULL) == STATUS_OK);
    const char *want[][2] = {{"b", "1"}, {"b", "2"}, {"a", "x y"}, {"a", "\303\251"}, {"blank", ""}, {"flag", ""}};
    CHECK_INT(args.count, ARRAY_LEN(want));
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        CHECK_STR(args.items[i].key, want[i][0]);
        CHECK_STR(args.items[i].value, want[i][1]);
    }
    CHECK_STR(ARGS_GET(&args, "b"), "1");
    CHECK(ARGS_GET(&args, "blank").p != NULL && ARGS_GET(&args, "nope").p == NULL);
    CHECK(ARGS_HAS(&args, "flag") && !ARGS_HAS(&args, "B"));
    const struct arg *first;
    CHECK_INT(args_all(&args, STR("a"), &first), 2);
    CHECK_STR(first[1].value, "\303\251");
    CHECK_INT(args_next_key(&args, 0), 2);
    CHECK_INT(args_next_key(&args, 5), 6);
    arena_free(a);
}

TEST(query_args_many_keys)
{
    struct arena *a = arena_new(8 << 20);
    struct buf text;
    buf_init(&text, 1 << 20);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 1500; i++)
            buf_printf(&text, "k%d=%d&", i, round);
    struct args args;
    CHECK(args_parse(a, buf_str(&text), &args, NULL) == STATUS_OK);
    CHECK_INT(args.count, 3000);
    for (size_t i = 0; i < args.count; i += 2) {
        CHECK_STRS(args.items[i].key, args.items[i + 1].key);
        CHECK_STRS(args.items[i].key, arena_printf(a, "k%zu", i / 2));
        CHECK_STR(args.items[i].value, "0");
        CHECK_STR(args.items[i + 1].value, "1");
    }
    struct err err = ERR_INIT;
    buf_clear(&text);
    for (int i = 0; i < 5000; i++)
        buf_puts(&text, STR("a=1&"));
    CHECK(args_parse(a, buf_str(&text), &args, &err) == STATUS_INVALID);
    buf_release(&text);
    arena_free(a);
}

TEST(query_args_special_keys)
{
    CHECK(args_is_special(STR("_search")) && args_is_special(STR("_city_id")) && args_is_special(STR("_")));
    CHECK(!args_is_special(STR("_city_id__exact")) && !args_is_special(STR("__x")) && !args_is_special(STR("state")));
    CHECK(!args_is_special(STR("")));
}

TEST(query_args_booleans_and_integers)
{
    bool flag = false;
    CHECK(args_boolean(STR("On"), &flag) && flag);
    CHECK(args_boolean(STR("FALSE"), &flag) && !flag);
    CHECK(!args_boolean(STR("yes"), &flag) && !args_boolean(STR(""), &flag));
    static const struct {
        const char *text;
        bool ok;
        int64_t value;
    } table[] = {
        {"5", true, 5},
        {" +7 ", true, 7},
        {"-3", true, -3},
        {"1_000", true, 1000},
        {"007", true, 7},
        {"", false, 0},
        {"-", false, 0},
        {"1__0", false, 0},
        {"_1", false, 0},
        {"1_", false, 0},
        {"1.0", false, 0},
        {"0x1", false, 0},
        {"- 1", false, 0},
        {"1 2", false, 0},
        {"99999999999999999999999", true, INT64_MAX},
        {"-99999999999999999999999", true, INT64_MIN},
        {"9223372036854775807", true, INT64_MAX},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        int64_t value = 0;
        if (args_integer(str_of(table[i].text), &value) != table[i].ok)
            test_fail(__FILE__, __LINE__, "\"%s\" should%s be an integer", table[i].text, table[i].ok ? "" : " not");
        if (table[i].ok)
            CHECK_INT(value, table[i].value);
    }
}
