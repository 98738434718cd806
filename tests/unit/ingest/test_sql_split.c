/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/sql_split.h"
#include "test.h"

static size_t first(const char *text)
{
    struct sql_split s = {0};
    size_t n = 0;
    CHECK(sql_split(&s, str_of(text), true, &n));
    return n;
}

TEST(sql_split_statements)
{
    CHECK_INT(first("select 1; select 2"), 9);
    CHECK_INT(first("select 1"), 8);
    CHECK_INT(first("select ';' ; x"), 12);
    CHECK_INT(first("select 'a'';' ; x"), 15);
    CHECK_INT(first("select \";\", `;`, [;] ; x"), 22);
    CHECK_INT(first("-- a;\n/* b; * / */ ; x"), 20);
    CHECK_INT(first("a-b/c; x"), 6);
    CHECK_INT(first("/*"), 2);
    CHECK_INT(first("create trigger t after insert on a begin select 1; end; x"), 55);
    CHECK_INT(first("/* c */ CREATE TEMP TRIGGER t begin select case 1 when 2 then 3 end; END ; x"), 74);
    CHECK_INT(first("create table trigger_a (x); y"), 27);
}

TEST(sql_split_in_pieces)
{
    static const char text[] = "insert into a values ('--', '/*') -- ;\n /* ; */ ; rest";
    struct sql_split s = {0};
    size_t n = 0;
    for (size_t i = 1; i < 50; i++)
        CHECK_INT(sql_split(&s, str_make(text, i), false, &n), i >= 49);
    CHECK_INT(n, 49);
}

TEST(sql_words)
{
    CHECK_STR(sql_trim(STR(" -- a\n /* b */\t/**/ select 1 ")), "select 1 ");
    CHECK_STR(sql_trim(STR("-- a")), "");
    CHECK_STR(sql_trim(STR("/* a")), "");
    CHECK(sql_word_is(STR("Create  TABLE x"), 0, "create") && sql_word_is(STR("Create  TABLE x"), 1, "table"));
    CHECK(sql_word_is(STR("commit;"), 0, "commit") && !sql_word_is(STR("commits"), 0, "commit"));
    CHECK(!sql_word_is(STR(""), 0, "commit") && !sql_word_is(STR("a"), 3, "a"));
}
