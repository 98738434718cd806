/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/rule.h"

#include "base/buf.h"
#include "base/limits.h"
#include "test.h"

static str places(struct arena *a, const char *rule)
{
    struct rule_place *p;
    struct err err = ERR_INIT;
    size_t n = 0;
    str text = STR("");
    if (rule_parse(a, str_of(rule), &p, &n, &err) != STATUS_OK)
        return arena_str(a, str_of(err.text));
    for (size_t i = 0; i < n; i++)
        text = ARENA_CAT(a, text, i ? STR(" ") : STR(""), p[i].host, p[i].path);
    return text;
}

TEST(rules_name_places)
{
    static const char *const cases[][2] = {
        {"Host(`a.test`)", "a.test/"},
        {"Host(`a.test`) || Host(`b.test`) && PathPrefix(`/p`)", "a.test/ b.test/p"},
        {"(Host(`a.test`) || Host(`b.test`)) && PathPrefix(`/p/`)", "a.test/p b.test/p"},
        {"Host(\"a.test\", `b.test`)", "a.test/ b.test/"},
        {"PathPrefix(`/a`) && PathPrefix(`/a/b`)", "/a/b"},
        {"Host(`a`) && (PathPrefix(`/x`) || PathPrefix(`/y`))", "a/x a/y"},
        {"Host(`a`) || Host(`A`)", "a/"},
        {" Host ( `a` ) ", "a/"},
    };
    struct arena *a = arena_new(0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK_STR(places(a, cases[i][0]), cases[i][1]);
    arena_free(a);
}

TEST(rules_that_are_refused)
{
    static const char *const cases[][2] = {
        {"", "rule, column 1: Host(`...`) or PathPrefix(`...`) is expected"},
        {"Host(`a`) && Host(`b`)", "rule: no request can fit it"},
        {"PathPrefix(`/ab`) && PathPrefix(`/a`)", "rule: no request can fit it"},
        {"!Host(`a`)", "rule, column 1: \"!\" is not known here"},
        {"HostRegexp(`a`)", "rule, column 1: HostRegexp is not known here, only Host and PathPrefix"},
        {"Host(`a`", "rule, column 9: \")\" is expected"},
        {"Host(a)", "rule, column 6: a text in backticks is expected"},
        {"Host(`a", "rule, column 8: the text does not end"},
        {"Host(``)", "rule, column 6: an empty host would be every host"},
        {"Host(`a`) Host(`b`)", "rule, column 11: \"&&\", \"||\" or the end is expected"},
        {"Host(`a:80`)", "rule, column 6: \"a:80\": a host is written without port"},
        {"PathPrefix(`p`)", "rule, column 12: \"p\" is no path"},
        {"(Host(`a`)", "rule, column 11: \")\" is expected"},
        {"Host(`a`) ||", "rule, column 13: Host(`...`) or PathPrefix(`...`) is expected"},
    };
    struct arena *a = arena_new(0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK_STR(places(a, cases[i][0]), cases[i][1]);
    arena_free(a);
}

TEST(rules_have_bounds)
{
    struct arena *a = arena_new(0);
    struct rule_place *p;
    size_t n;
    struct buf long_one, many, deep;
    buf_init(&long_one, SIZE_MAX);
    buf_init(&many, SIZE_MAX);
    buf_init(&deep, SIZE_MAX);
    for (int i = 0; i <= LIMIT_EDGE_RUN; i++)
        buf_putc(&long_one, ' ');
    for (int i = 0; i <= LIMIT_EDGE_HOSTS; i++)
        buf_printf(&many, "%sHost(`h%d`)", i ? "||" : "", i);
    for (int i = 0; i < 40; i++)
        buf_putc(&deep, '(');
    CHECK(rule_parse(a, buf_str(&long_one), &p, &n, NULL) == STATUS_TOO_LARGE);
    CHECK(rule_parse(a, buf_str(&many), &p, &n, NULL) == STATUS_TOO_LARGE);
    CHECK(rule_parse(a, buf_str(&deep), &p, &n, NULL) == STATUS_INVALID);
    buf_release(&long_one);
    buf_release(&many);
    buf_release(&deep);
    arena_free(a);
}
