/* SPDX-License-Identifier: Apache-2.0 */
/* Errors name the template, the line and the expression; limits end what has no end. */
#include "render.h"

static void fails(const char *text, const char *part)
{
    struct arena *a = arena_new(1u << 26);
    str got = render(a, text, NULL);
    if (!str_starts(got, STR("ERROR: ")) || str_find(got, str_of(part)) == STR_NPOS)
        test_fail(__FILE__, __LINE__, "%s: got \"%.*s\", wanted an error with \"%s\"", text, STR_ARG(got), part);
    arena_free(a);
}

TEST(syntax)
{
    fails("a\nb {% if %}", "page.html:2");
    fails("{{ 1 + }}", "page.html:1");
    fails("{{ x ", "has no }}");
    fails("{% nope %}", "unknown tag 'nope'");
    fails("{% if x %}", "endif");
    fails("{{ x|nofilter }}", "no filter named 'nofilter'");
    fails("{{ x is notest }}", "no test named 'notest'");
    fails("{% block a %}{% endblock %}{% block a %}{% endblock %}", "defined twice");
    fails("{{ 'abc }}", "no end");
}

TEST(run_time)
{
    fails("\n{{ a.b }}", "page.html:2: 'a' is undefined, in {{ a.b }}");
    fails("{{ f() }}", "'f' is undefined");
    fails("{{ 1 / 0 }}", "division by zero");
    fails("{% for x in 5 %}{% endfor %}", "cannot be iterated");
    fails("{% include 'none.html' %}", "no template 'none.html'");
    fails("{% set a, b = [1] %}", "not enough values");
}

TEST(limits)
{
    fails("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "nested deeper");
    fails("{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}", "too many steps");
    fails("{% for a in range(999999) %}0123456789{% endfor %}", "larger than");
    fails("{{ range(100000000)|list }}", "more than 1000000 items");
    fails("{{ range(9223372036854775807) }}", "range()");
    fails("{% set ns = namespace(x='12345678') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
          "larger than");
    fails("{{ 'ab' * 1000000000 }}", "too often");
}
