/* SPDX-License-Identifier: Apache-2.0 */
/* Names, SQL functions, regular expressions, versions, codes. */
#include <sqlite3.h>
#include <unistd.h>

#include "base/clock.h"
#include "codec/names.h"
#include "db/db_version.h"
#include "db/functions.h"
#include "db/regexp.h"
#include "db/sqlite_status.h"
#include "support.h"

TEST(names_escape)
{
    static const char *const cases[][2] = {
        {"abc", "abc"},
        {"_a1", "_a1"},
        {"1a", "[1a]"},
        {"a b", "[a b]"},
        {"select", "[select]"},
        {"SELECT", "[SELECT]"},
        {"", "[]"},
        {"a]b", "\"a]b\""},
        {"a]\"b", "\"a]\"\"b\""},
        {"caf\xc3\xa9", "[caf\xc3\xa9]"},
        {"rowid", "rowid"},
        {"abort", "[abort]"},
        {"without", "[without]"},
        {"window", "window"},
        {"a\"b", "[a\"b]"},
    };
    struct buf b;
    buf_init(&b, 1000);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        buf_clear(&b);
        name_escape(&b, str_of(cases[i][0]));
        CHECK_STR(buf_str(&b), cases[i][1]);
    }
    buf_clear(&b);
    name_quote(&b, STR("a\"b"));
    text_literal(&b, STR("it's"));
    CHECK_STR(buf_str(&b), "\"a\"\"b\"'it''s'");
    buf_release(&b);
    /* SQLite takes every reserved word of ours bare nowhere where it matters: all are quoted. */
    CHECK(name_is_reserved(STR("Current_Timestamp")) && !name_is_reserved(STR("currenttimestamp")));
}

TEST(names_work_in_sqlite)
{
    static const char *const names[] = {"a]b", "a\"]b", "[", "]", "select", "a'b", "\xff", " ", "table", "order"};
    sqlite3 *handle;
    struct buf b;
    buf_init(&b, 1000);
    CHECK_INT(sqlite3_open(":memory:", &handle), SQLITE_OK);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        sqlite3_stmt *s;
        buf_clear(&b);
        buf_puts(&b, STR("create table "));
        name_escape(&b, str_of(names[i]));
        buf_puts(&b, STR("(a)"));
        buf_putc(&b, '\0');
        CHECK_INT(sqlite3_exec(handle, b.p, NULL, NULL, NULL), SQLITE_OK);
        CHECK_INT(sqlite3_prepare_v2(handle, "select 1 from sqlite_schema where name = ?", -1, &s, NULL), SQLITE_OK);
        sqlite3_bind_text(s, 1, names[i], -1, SQLITE_STATIC);
        CHECK_INT(sqlite3_step(s), SQLITE_ROW);
        sqlite3_finalize(s);
    }
    sqlite3_close(handle);
    buf_release(&b);
}

TEST(functions_escape_fts)
{
    static const char *const cases[][2] = {
        {"dog cat", "\"dog\" \"cat\""},
        {"\"dog cat\" bird", "\"dog cat\" \"bird\""},
        {"\"open quote", "\"open quote\""},
        {"a\"b", "\"a\" \"b\""},
        {"", ""},
        {"   ", ""},
        {"\"\"", ""},
        {"a \"\" b", "\"a\" \"b\""},
        {"dog*", "\"dog*\""},
        {"a\xc2\xa0"
         "b\xe3\x80\x80"
         "c",
         "\"a\" \"b\" \"c\""},
        {"x\n\ty", "\"x\" \"y\""},
        {"\"a\nb\"", "\"a \"b\"\""},
        {"pre\"in side\"post", "\"pre\" \"in side\" \"post\""},
        {"caf\xc3\xa9 \xff", "\"caf\xc3\xa9\" \"\xff\""},
    };
    struct buf b;
    buf_init(&b, 1000);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        buf_clear(&b);
        fts_escape(&b, str_of(cases[i][0]));
        CHECK_STR(buf_str(&b), cases[i][1]);
    }
    buf_release(&b);
}

TEST(functions_in_sql)
{
    struct database *db;
    struct database_options o = {.name = STR("m"), .memory = true};
    struct err err = ERR_INIT;
    CHECK_OK(database_new(&o, &db, e));
    struct conn *c = acquire(db);
    CHECK_INT(query_i64(c, "select escape_fts('a b') = '\"a\" \"b\"' and escape_fts(null) is null"), 1);
    CHECK_INT(
        query_i64(c, "select uuid() regexp '^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$'"),
        1);
    CHECK_INT(query_i64(c, "select uuid() <> uuid()"), 1);
    CHECK_INT(query_i64(c, "select round(haversine(45.7597, 4.8422, 48.8567, 2.3508) * 1000)"),
              392217); /* Lyon to Paris */
    CHECK_INT(query_i64(c, "select round(haversine(45.7597, 4.8422, 48.8567, 2.3508, 'mi') * 1000)"), 243713);
    CHECK_INT(query_i64(c, "select haversine(0, 0, 0, null) is null and haversine_m(1, 2, 1, 2) = 0"), 1);
    CHECK_INT(query_i64(c, "select 'hello' regexp 'l+' and not 'hello' regexp '^l' and (null regexp 'a') is null"), 1);
    CHECK_INT(try_sql(c, "select haversine(1, 2, 3, 4, 'parsec')", &err), STATUS_SQL);
    CHECK(strstr(err.text, "the unit is one of"));
    CHECK_INT(try_sql(c, "select 'a' regexp '('", &err), STATUS_SQL);
    CHECK_STR(str_of(err.text), "wrong regular expression: ')' is missing at byte 1");
    CHECK(function_row_count >= 9);
    conn_release(c);
    database_unref(db);
}

static int matches(const char *pattern, str text)
{
    struct regexp *r = NULL;
    struct err err = ERR_INIT;
    if (regexp_compile(str_of(pattern), &r, &err) != STATUS_OK)
        return -1;
    bool found = false;
    CHECK_INT(regexp_search(r, text, NULL, NULL, &found), STATUS_OK);
    regexp_free(r);
    return found;
}

TEST(regexp_matches_as_python)
{
    static const struct {
        const char *pattern, *text;
        int want; /* -1 = refused */
    } cases[] = {
        {"abc", "xabcx", 1},
        {"abc", "ab", 0},
        {"", "", 1},
        {"^$", "", 1},
        {"^a", "ba", 0},
        {"a$", "ab", 0},
        {"a.c", "abc", 1},
        {"a.c", "a\nc", 0},
        {"a|b|", "zzz", 1},
        {"x|y", "ay", 1},
        {"(ab)+c", "ababc", 1},
        {"(?:ab){2}c", "abc", 0},
        {"(?:ab){2}c", "ababc", 1},
        {"a{2,3}$", "baaa", 1},
        {"^a{2,3}$", "aaaa", 0},
        {"^a{,2}$", "aaa", 0},
        {"a{x", "a{x", 1},
        {"[a-c]+", "zzb", 1},
        {"[^a-c]", "abc", 0},
        {"[]x]", "]", 1},
        {"[a-]", "-", 1},
        {"[\\d-]", "-", 1},
        {"\\d+", "a12", 1},
        {"\\D", "12", 0},
        {"\\w+\\s\\w", "ab c", 1},
        {"\\W", "a_1", 0},
        {"\\S", " \t", 0},
        {"\\bfoo\\b", "a foo b", 1},
        {"\\bfoo\\b", "afoo", 0},
        {"\\Bo", "foo", 1},
        {"\\.", "a", 0},
        {"\\.", ".", 1},
        {"(?i)HeLLo", "hEllO", 1},
        {"(?i)[A-C]x", "bX", 1},
        {"(?i)[^a]", "A", 0},
        {"caf\xc3\xa9?$", "caf", 1},
        {"^.$", "\xc3\xa9", 1},
        {"[\xc3\xa0-\xc3\xbf]", "\xc3\xa9", 1},
        {"\\w", "\xc3\xa9", 1},
        {"\\x41\\u0042", "AB", 1},
        {"a*?b", "aab", 1},
        {"(a*)*", "b", 1},
        {"(a*)*b", "aaac", 0},
        {"[[:digit:]]", "5", 1},
        {"[[:nope:]]", "5", -1},
        {"(", "", -1},
        {")", "", -1},
        {"[a", "", -1},
        {"*a", "", -1},
        {"a**", "a", 1},
        {"\\1", "", -1},
        {"\\", "", -1},
        {"(?=a)", "", -1},
        {"[b-a]", "", -1},
        {"a{5,2}", "", -1},
        {"a{2000}", "", -1},
        {"((a{1,99}){1,99}){1,99}", "a", -1},
        {"((){1000}){1000}", "a", -1},
        {"^(a|ab)(c|bcd)$", "abcd", 1},
        {"^(|a)+$", "aaa", 1},
        {"\\n", "\n", 1},
        {"x*", "", 1},
        {"$^", "", 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int got = matches(cases[i].pattern, str_of(cases[i].text));
        if (got != cases[i].want)
            test_fail(__FILE__, __LINE__, "%s on '%s': %d", cases[i].pattern, cases[i].text, got);
    }
    CHECK_INT(matches("a.c", STR("a\0c")), 1);
    CHECK_INT(matches("^.{2}$", STR("\xff\xfe")), 1);
}

TEST(regexp_takes_linear_time)
{
    static char text[30001];
    memset(text, 'a', sizeof text - 1);
    int64_t start = clock_mono_us();
    CHECK_INT(matches("(a*)*(a|aa)*(a+)+b", str_of(text)), 0);
    CHECK_INT(matches("(x+x+)+y", str_of(text)), 0);
    CHECK_INT(matches("(a?){100}a{100}b", str_of(text)), 0);
    CHECK(clock_mono_us() - start < 5000000);
}

TEST(version_rules)
{
    struct err err = ERR_INIT;
    CHECK_OK(db_version_check(e));
    CHECK_INT(db_version_judge(3040001, 3040001, &err), STATUS_CONFIG);
    CHECK(strstr(err.text, "3.40.1") && strstr(err.text, "3.51.3"));
    CHECK_INT(db_version_judge(3051002, 3051002, &err), STATUS_CONFIG);
    CHECK_INT(db_version_judge(3051003, 3051003, &err), STATUS_OK);
    CHECK_INT(db_version_judge(3054001, 3053002, &err), STATUS_CONFIG);
}

TEST(version_report)
{
    struct arena *a = arena_new(1 << 20);
    struct db_versions v;
    CHECK_OK(db_versions(a, NULL, 0, &v, e));
    CHECK_STR(v.version, sqlite3_libversion());
    CHECK_INT(v.fts_version_count, 3);
    CHECK_STR(v.fts_versions[0], "FTS5");
    CHECK(v.compile_option_count > 20);
    bool threadsafe = false;
    for (size_t i = 0; i < v.compile_option_count; i++)
        threadsafe = threadsafe || str_is(v.compile_options[i], "THREADSAFE=2");
    CHECK(threadsafe);
    CHECK_INT(v.extension_count, 1);
    CHECK_STR(v.extensions[0].name, "json1");
    arena_free(a);
}

TEST(codes_have_statuses)
{
    struct err err = ERR_INIT;
    CHECK_INT(status_of_sqlite(SQLITE_BUSY_SNAPSHOT), STATUS_BUSY);
    CHECK_INT(status_of_sqlite(SQLITE_IOERR_DELETE), STATUS_IO); /* not in the table: its primary code */
    CHECK_INT(status_of_sqlite(SQLITE_CORRUPT_INDEX), STATUS_CORRUPT);
    CHECK_INT(status_of_sqlite(SQLITE_NOTADB), STATUS_CORRUPT);
    CHECK_INT(status_of_sqlite(SQLITE_FULL), STATUS_DISK_FULL);
    CHECK_INT(status_of_sqlite(SQLITE_TOOBIG), STATUS_TOO_LARGE);
    CHECK_INT(status_of_sqlite(SQLITE_CONSTRAINT_UNIQUE), STATUS_CONFLICT);
    CHECK_STR(str_of(sqlite_code_name(SQLITE_READONLY_ROLLBACK)), "SQLITE_READONLY_ROLLBACK");
    CHECK_INT(sqlite_err(&err, SQLITE_IOERR_READ, "disk I/O error"), STATUS_IO);
    CHECK_STR(str_of(err.text), "disk I/O error (SQLITE_IOERR_READ)");
    CHECK_INT(sqlite_err(&err, SQLITE_ERROR, "no such table: x"), STATUS_SQL);
    CHECK_STR(str_of(err.text), "no such table: x");
}
