/* SPDX-License-Identifier: Apache-2.0 */
#include "http/uri.h"

#include "base/limits.h"
#include "test.h"

static struct uri_target good(const char *text)
{
    struct uri_target t = {0};
    CHECK_INT(uri_parse_target(str_of(text), false, false, &t, NULL), STATUS_OK);
    return t;
}

TEST(origin_form)
{
    struct uri_target t = good("/a%20b/c?x=1&y=?z");
    CHECK_INT(t.form, URI_ORIGIN);
    CHECK_STR(t.path, "/a%20b/c");
    CHECK_STR(t.query, "x=1&y=?z");
    CHECK(t.has_query);
    t = good("//double//slashes/..");
    CHECK_STR(t.path, "//double//slashes/..");
    CHECK(!t.has_query);
    t = good("/?");
    CHECK_STR(t.path, "/");
    CHECK(t.has_query && !t.query.n);
}

TEST(absolute_form)
{
    struct uri_target t = good("http://Host:80/p?q");
    CHECK_INT(t.form, URI_ABSOLUTE);
    CHECK_STR(t.authority, "Host:80");
    CHECK_STR(t.path, "/p");
    CHECK_STR(t.query, "q");
    t = good("HTTPS://[::1]?q");
    CHECK_STR(t.authority, "[::1]");
    CHECK_STR(t.path, "/");
    CHECK_STR(t.query, "q");
    CHECK_STR(good("http://a").path, "/");
}

TEST(bad_targets)
{
    static const char *const bad[] = {"",
                                      "a",
                                      "?x",
                                      "*",
                                      "/a b",
                                      "/a\x01",
                                      "/a\x7f",
                                      "/\xc3\xa4",
                                      "/a#f",
                                      "ftp://x/",
                                      "http:/x",
                                      "http://",
                                      "http:///x",
                                      "http://u@h/",
                                      "http://h:99999/",
                                      "http://h:/x:y@",
                                      "http://h:8a/",
                                      "http://[::1/",
                                      "://x",
                                      "http://a b/"};
    struct uri_target t;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err err = ERR_INIT;
        if (i != 15) /* "h:" has an empty port, which is fine; the rest is its path */
            CHECK_INT(uri_parse_target(str_of(bad[i]), false, false, &t, &err), STATUS_INVALID);
        CHECK(i == 15 || err.text[0]);
    }
    CHECK_INT(uri_parse_target((str){"/a\0b", 4}, false, false, &t, NULL), STATUS_INVALID);
}

TEST(asterisk_and_authority)
{
    struct uri_target t;
    CHECK_INT(uri_parse_target(STR("*"), true, false, &t, NULL), STATUS_OK);
    CHECK_INT(t.form, URI_ASTERISK);
    CHECK_INT(uri_parse_target(STR("h:443"), false, true, &t, NULL), STATUS_OK);
    CHECK_STR(t.authority, "h:443");
    CHECK_INT(uri_parse_target(STR("/x"), false, true, &t, NULL), STATUS_INVALID);
    CHECK_INT(uri_parse_target(STR("h"), false, true, &t, NULL), STATUS_INVALID);
}

TEST(authorities)
{
    static const char *const fine[] = {"", "a", "a.b-c_d:80", "127.0.0.1:", "[::1]", "[::1]:8001", "[v1.x]", "a%20b"};
    static const char *const bad[] = {":80", "a:b",     "a:80:90",  "[::1",     "[]",  "[::1]x", "a b",    "a/b",
                                      "a@b", "a:65536", "a:123456", "\xc3\xa4", "a%2", "a,\"b",  "[::1]:x"};
    for (size_t i = 0; i < ARRAY_LEN(fine); i++)
        CHECK(uri_authority_ok(str_of(fine[i])));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK(!uri_authority_ok(str_of(bad[i])));
}

TEST(own_paths)
{
    static const char *const own[] = {"/",        "/a/b?c=1&d=//x", "/a//b",    "/a#b", "/:80",        "/%2f%2fhost",
                                      "/%5chost", "/a%0ab",         "/.//host", "/@",   "/http://host"};
    static const char *const elsewhere[] = {"",        "a",        "//",         "//host",      "///host", "/\\host",
                                            "/\\",     "/a\\b",    "\\\\host",   "\\/host",     " /a",     "/a b",
                                            "/\thost", "/\n/host", "/a\r\nX: y", "http://h",    "//h@x",   "?a",
                                            "#a",      "/a\x7f",   "/\xc3\xa4",  "javascript:x"};
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        CHECK(uri_is_own_path(str_of(own[i])));
    for (size_t i = 0; i < ARRAY_LEN(elsewhere); i++)
        CHECK(!uri_is_own_path(str_of(elsewhere[i])));
    CHECK(!uri_is_own_path((str){"/a\0b", 4}));
    char longest[LIMIT_SIGN_IN_NEXT + 1];
    memset(longest, 'n', sizeof longest);
    longest[0] = '/';
    CHECK(uri_is_own_path(str_make(longest, sizeof longest - 1)));
    CHECK(!uri_is_own_path(str_make(longest, sizeof longest)));
}

TEST(file_paths)
{
    static const char *const cases[][2] = {
        {"a/b.css", "a/b.css"},
        {"/a//b", "a/b"},
        {"a/./b/../c", "a/c"},
        {"", ""},
        {"/", ""},
        {"a/", "a/"},
        {"a/.", "a/"},
        {"a/b/..", "a/"},
        {"%61%2Fb", "a/b"},
        {"a%20b", "a b"},
        {"a/../", ""},
        {"%2e%2e%2fa/../..", NULL},
        {"..", NULL},
        {"a/../../b", NULL},
        {"%2e%2e/etc", NULL},
        {"a%00b", NULL},
        {"a%zz", NULL},
        {"a%2", NULL},
        {"a\\b", NULL},
        {"a%5c..%5cb", NULL},
        {"a%0a", NULL},
        {"...", "..."},
        {"%252e%252e/a", "%2e%2e/a"},
    };
    struct arena *a = arena_new(1 << 20);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        str path = STR("untouched");
        enum status st = uri_file_path(a, str_of(cases[i][0]), &path, NULL);
        CHECK_INT(st, cases[i][1] ? STATUS_OK : STATUS_NOT_FOUND);
        CHECK_STR(path, cases[i][1] ? cases[i][1] : "untouched");
    }
    arena_free(a);
}
