/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "http/accept.h"
#include "http/conditional.h"
#include "http/cookie.h"
#include "http/headers.h"
#include "http/mime.h"
#include "http/range.h"
#include "test.h"

static struct arena *arena(void)
{
    return arena_new(1 << 20);
}

TEST(headers_keep_order_and_repeats)
{
    struct arena *a = arena();
    struct http_headers h = {NULL, 0, 0};
    CHECK(http_headers_add(&h, a, STR("A"), STR("1")));
    CHECK(http_headers_add(&h, a, STR("b"), STR("2")));
    CHECK(http_headers_add(&h, a, STR("a"), STR("3")));
    CHECK_STR(http_headers_get(&h, STR("a")), "1");
    CHECK_STR(http_headers_join(&h, STR("A"), a), "1, 3");
    CHECK_INT(http_headers_count(&h, STR("A")), 2);
    CHECK(http_headers_get(&h, STR("c")).p == NULL);
    CHECK(http_headers_set(&h, a, STR("A"), STR("9")));
    CHECK_INT(h.count, 2);
    CHECK_STR(http_headers_join(&h, STR("a"), a), "9");
    CHECK_INT(http_headers_remove(&h, STR("B")), 1);
    CHECK(!http_headers_has(&h, STR("b")));
    arena_free(a);
}

TEST(headers_refuse_what_breaks_a_line)
{
    struct arena *a = arena();
    struct http_headers h = {NULL, 0, 0};
    static const char *const names[] = {"", "a b", "a:", "a\r", "a\n", "\xc3\xa4", "(x)", "a/b"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        CHECK(!http_headers_add(&h, a, str_of(names[i]), STR("v")));
    static const str values[] = {{"a\rb", 3}, {"a\nb", 3}, {"a\0b", 3}, {"\r\n", 2}, {"a\x7f", 2}, {"\x1b", 1}};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        CHECK(!http_headers_add(&h, a, STR("x"), values[i]));
        CHECK(!http_headers_set(&h, a, STR("x"), values[i]));
    }
    CHECK_INT(h.count, 0);
    CHECK(http_headers_add(&h, a, STR("x"), STR("tab\tand \xc3\xa4 pass")));
    for (size_t i = 1; i < LIMIT_HTTP_RESPONSE_HEADERS; i++)
        CHECK(http_headers_add(&h, a, STR("x"), STR("")));
    CHECK(!http_headers_add(&h, a, STR("x"), STR("one too many")));
    arena_free(a);
}

TEST(lists_know_quotes)
{
    str rest = STR(" a, \"b, \\\" c\" ,, d;x=1 ,"), item;
    CHECK(http_list_next(&rest, &item));
    CHECK_STR(item, "a");
    CHECK(http_list_next(&rest, &item));
    CHECK_STR(item, "\"b, \\\" c\"");
    CHECK(http_list_next(&rest, &item));
    CHECK_STR(item, "d;x=1");
    CHECK(!http_list_next(&rest, &item));
    CHECK(http_list_has(STR("keep-alive, Close"), STR("close")));
    CHECK(!http_list_has(STR("closed"), STR("close")));
    CHECK(!http_list_has((str){NULL, 0}, STR("close")));
}

TEST(accept_encoding)
{
    CHECK_INT(accept_encoding_weight(STR("gzip;q=0.5, br"), STR("gzip")), 500);
    CHECK_INT(accept_encoding_weight(STR("GZIP ; Q=0.123"), STR("gzip")), 123);
    CHECK_INT(accept_encoding_weight(STR("*;q=0.1"), STR("gzip")), 100);
    CHECK_INT(accept_encoding_weight(STR("x-gzip"), STR("gzip")), 1000);
    CHECK_INT(accept_encoding_weight(STR("br"), STR("gzip")), 0);
    CHECK_INT(accept_encoding_weight((str){NULL, 0}, STR("gzip")), 0);
    CHECK_INT(accept_encoding_weight((str){NULL, 0}, STR("identity")), 1000);
    CHECK(accept_gzip(STR("gzip, deflate, br")));
    CHECK(accept_gzip(STR("gzip;q=0.2")));
    CHECK(accept_gzip(STR("*")));
    CHECK(!accept_gzip(STR("gzip;q=0")));
    CHECK(!accept_gzip(STR("gzip;q=0.000, *")));
    CHECK(!accept_gzip(STR("gzip;q=0.5, identity;q=0.9")));
    CHECK(!accept_gzip(STR("")));
    CHECK(!accept_gzip(STR("gzipped")));
    CHECK(!accept_gzip((str){NULL, 0}));
}

TEST(accept_types)
{
    str browser = STR("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
    CHECK(accept_names_type(STR("application/json"), STR("application/json")));
    CHECK(!accept_names_type(browser, STR("application/json")));
    CHECK(!accept_names_type(STR("application/json;q=0"), STR("application/json")));
}

TEST(conditional_tags)
{
    CHECK(conditional_none_match(STR("\"a\""), STR("\"a\"")));
    CHECK(conditional_none_match(STR("W/\"a\""), STR("\"a\"")));
    CHECK(conditional_none_match(STR("\"x\", W/\"y\",\"a\""), STR("W/\"a\"")));
    CHECK(conditional_none_match(STR("\"with, comma\", \"a\""), STR("\"a\"")));
    CHECK(conditional_none_match(STR(" * "), STR("")));
    CHECK(!conditional_none_match(STR("\"b\""), STR("\"a\"")));
    CHECK(!conditional_none_match(STR("a"), STR("\"a\"")));
    CHECK(conditional_none_match(STR("junk, \"a\""), STR("\"a\"")));
    CHECK(!conditional_none_match(STR("\"a"), STR("\"a\"")));
    CHECK(!conditional_none_match(STR("\"a\""), STR("")));
    CHECK(!conditional_none_match(STR(""), STR("\"a\"")));
}

TEST(conditional_dates)
{
    str none = {NULL, 0}, date = STR("Sun, 06 Nov 1994 08:49:37 GMT"), later = STR("Sun, 06 Nov 1994 08:49:38 GMT");
    CHECK(conditional_not_modified(none, date, STR(""), date));
    CHECK(conditional_not_modified(none, later, STR(""), date));
    CHECK(!conditional_not_modified(none, date, STR(""), later));
    CHECK(!conditional_not_modified(none, STR("yesterday"), STR(""), date));
    CHECK(!conditional_not_modified(STR("\"x\""), later, STR("\"a\""), date)); /* the tag wins */
    CHECK(!conditional_not_modified(none, none, STR("\"a\""), date));
    CHECK(conditional_if_range(none, STR("\"a\""), date));
    CHECK(conditional_if_range(STR("\"a\""), STR("\"a\""), date));
    CHECK(!conditional_if_range(STR("W/\"a\""), STR("\"a\""), date));
    CHECK(!conditional_if_range(STR("\"b\""), STR("\"a\""), date));
    CHECK(conditional_if_range(date, STR("\"a\""), date));
    CHECK(!conditional_if_range(later, STR("\"a\""), date));
}

TEST(ranges)
{
    static const struct {
        const char *field;
        enum range_result result;
        int64_t first, length;
    } cases[] = {
        {"bytes=0-0", RANGE_ONE, 0, 1},
        {"bytes=0-", RANGE_ONE, 0, 100},
        {"Bytes=10-19", RANGE_ONE, 10, 10},
        {"bytes=90-200", RANGE_ONE, 90, 10},
        {"bytes=-5", RANGE_ONE, 95, 5},
        {"bytes=-500", RANGE_ONE, 0, 100},
        {"bytes=5-99999999999999999999999", RANGE_ONE, 5, 95},
        {"bytes=100-", RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=99999999999999999999999-", RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=-0", RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=100-200", RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=0-1,3-4", RANGE_NONE, 0, 0},
        {"bytes=5-4", RANGE_NONE, 0, 0},
        {"bytes=a-b", RANGE_NONE, 0, 0},
        {"bytes=-", RANGE_NONE, 0, 0},
        {"bytes=", RANGE_NONE, 0, 0},
        {"bytes=--5", RANGE_NONE, 0, 0},
        {"items=0-1", RANGE_NONE, 0, 0},
        {"", RANGE_NONE, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t first = 0, length = 0;
        CHECK_INT(range_parse(str_of(cases[i].field), 100, &first, &length), cases[i].result);
        CHECK_INT(first, cases[i].first);
        CHECK_INT(length, cases[i].length);
    }
    int64_t x;
    CHECK_INT(range_parse(STR("bytes=0-"), 0, &x, &x), RANGE_UNSATISFIABLE);
    CHECK_INT(range_parse((str){NULL, 0}, 10, &x, &x), RANGE_NONE);
}

TEST(mime_types)
{
    static const char *const in_order[] = {
#define X(extension, type, compressible) extension,
#include "http/tbl/mime.h"
#undef X
    };
    for (size_t i = 0; i < ARRAY_LEN(in_order); i++) {
        char path[64];
        (void)snprintf(path, sizeof(path), "a/b.c/file.%s", in_order[i]);
        CHECK(!str_is(mime_of_path(str_of(path)), "application/octet-stream"));
        CHECK(!i || strcmp(in_order[i - 1], in_order[i]) < 0);
    }
    CHECK_STR(mime_of_path(STR("a.css")), "text/css");
    CHECK_STR(mime_of_path(STR("x/A.PNG")), "image/png");
    CHECK_STR(mime_of_path(STR("x.css/readme")), "application/octet-stream");
    CHECK_STR(mime_of_path(STR("a.")), "application/octet-stream");
    CHECK_STR(mime_of_path(STR("a.averyveryverylongextension")), "application/octet-stream");
    CHECK(mime_compressible(STR("text/html; charset=utf-8")));
    CHECK(mime_compressible(STR("application/json")));
    CHECK(mime_compressible(STR("image/svg+xml")));
    CHECK(mime_compressible(STR("application/geo+json")));
    CHECK(!mime_compressible(STR("image/png")));
    CHECK(!mime_compressible(STR("")));
}

TEST(cookies_in)
{
    struct arena *a = arena();
    str field = STR("a=1; b=\"x; y\\073 \\\"q\\\"\"; a=2; junk; c=; =v; d=e=f");
    CHECK_STR(cookie_find(a, field, STR("a")), "1");
    CHECK_STR(cookie_find(a, field, STR("b")), "x; y; \"q\"");
    CHECK_STR(cookie_find(a, field, STR("d")), "e=f");
    CHECK(cookie_find(a, field, STR("c")).p && !cookie_find(a, field, STR("c")).n);
    CHECK(!cookie_find(a, field, STR("junk")).p);
    CHECK(!cookie_find(a, (str){NULL, 0}, STR("a")).p);
    CHECK(!cookie_find(a, STR("A=1"), STR("a")).p);
    struct value all = cookie_parse(a, field);
    CHECK_INT(value_count(all), 4);
    CHECK_STR(value_get(all, STR("a")).s, "1");
    arena_free(a);
}

TEST(cookies_out)
{
    struct arena *a = arena();
    CHECK_STR(cookie_format(a, STR("n"), STR("v"), STR(""), -1, 0), "n=v; Path=/");
    CHECK_STR(cookie_format(a, STR("n"), STR("v"), STR("/x"), 60, COOKIE_HTTP_ONLY | COOKIE_SECURE | COOKIE_LAX),
              "n=v; Path=/x; Max-Age=60; HttpOnly; Secure; SameSite=lax");
    CHECK(!cookie_format(a, STR("n"), STR("a;b"), STR(""), -1, 0).p);
    CHECK(!cookie_format(a, STR("n"), STR("a\r\nSet-Cookie: x"), STR(""), -1, 0).p);
    CHECK(!cookie_format(a, STR("n="), STR("a"), STR(""), -1, 0).p);
    CHECK(!cookie_format(a, STR("n"), STR("a"), STR("/;"), -1, 0).p);
    arena_free(a);
}
