/* SPDX-License-Identifier: Apache-2.0 */
/* What Jinja2 3.1 prints for the same source; the expectations were made with it. */
#include "render.h"

TEST(text_and_output)
{
    RENDERS("a{{ x }}b", "{\"x\": 5}", "a5b");
    RENDERS("{{ x }}", "{\"x\": \"<b>\"}", "&lt;b&gt;");
    RENDERS("{{ x|safe }}", "{\"x\": \"<b>\"}", "<b>");
    RENDERS("{{ missing }}.", NULL, ".");
    RENDERS("line\n", NULL, "line");
    RENDERS("{# no #}x{#- no -#} y", NULL, "xy");
    RENDERS("{% raw %}{{ x }}{% endraw %}", NULL, "{{ x }}");
    RENDERS("a {%- if true %} b {%- endif %} c", NULL, "a b c");
}

TEST(expressions)
{
    RENDERS("{{ 1 + 2 * 3 }} {{ 7 // 2 }} {{ 7 % 3 }} {{ 7 / 2 }} {{ 2 ** 10 }} {{ -3 // 2 }}", NULL,
            "7 3 1 3.5 1024 -2");
    RENDERS("{{ 'a' ~ 1 ~ none }} {{ 'x' + 'y' }}", NULL, "a1None xy");
    RENDERS("{{ 1 < 2 < 3 }} {{ 1 in [1, 2] }} {{ 'b' not in 'abc' }} {{ not true }}", NULL, "True True False False");
    RENDERS("{{ 'yes' if n > 1 else 'no' }}{{ 'x' if false }}", "{\"n\": 2}", "yes");
    RENDERS("{{ d.a.b }} {{ d['a']['b'] }} {{ l[0] }} {{ l[-1] }} {{ l[1:] }}",
            "{\"d\": {\"a\": {\"b\": 1}}, \"l\": [1, 2, 3]}", "1 1 1 3 [2, 3]");
    RENDERS("{{ 'hello'[1:3] }} {{ 'hello'[::-1] }}", NULL, "el olleh");
    RENDERS("{{ [1, 'a', none, true, 1.5] }} {{ (1,) }} {{ {'k': 1} }}", NULL,
            "[1, &#39;a&#39;, None, True, 1.5] (1,) {&#39;k&#39;: 1}");
}

TEST(statements)
{
    RENDERS("{% for x in l %}{{ loop.index }}{{ x }}{% if not loop.last %},{% endif %}{% else %}none{% endfor %}",
            "{\"l\": [\"a\", \"b\"]}", "1a,2b");
    RENDERS("{% for x in [] %}x{% else %}none{% endfor %}", NULL, "none");
    RENDERS("{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}", "{\"d\": {\"a\": 1, \"b\": 2}}", "a=1;b=2;");
    RENDERS("{% for x in [1, 2, 3, 4] if x % 2 == 0 %}{{ x }}/{{ loop.length }} {% endfor %}", NULL, "2/2 4/2 ");
    RENDERS("{% set x = 1 %}{% for i in [1] %}{% set x = 2 %}{% endfor %}{{ x }}", NULL, "1");
    RENDERS("{% set ns = namespace(n=0) %}{% for i in [1, 2] %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}", NULL,
            "3");
    RENDERS("{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set c %}<i>{{ a }}</i>{% endset %}{{ c }}", NULL, "12<i>1</i>");
    RENDERS("{% if x %}a{% elif y %}b{% else %}c{% endif %}", "{\"x\": 0, \"y\": [1]}", "b");
    RENDERS("{% with a = 1 %}{{ a }}{% endwith %}{{ a }}", NULL, "1");
    RENDERS("{% filter upper %}abc{% endfilter %}", NULL, "ABC");
    RENDERS("{% set l = [] %}{% do l.append(1) %}{{ l }}", NULL, "[1]");
    RENDERS("{% for x in [[1, [2, []]]] recursive %}{{ x[0] }}{% if x[1] %}({{ loop([x[1]]) }}){% endif %}{% endfor %}",
            NULL, "1(2)");
}

TEST(macros)
{
    RENDERS("{% macro m(a, b=2) %}{{ a }}-{{ b }}{% endmacro %}{{ m(1) }} {{ m(1, b=3) }}", NULL, "1-2 1-3");
    RENDERS("{% macro m() %}[{{ caller() }}]{% endmacro %}{% call m() %}x{% endcall %}", NULL, "[x]");
    RENDERS("{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, a=2) }}", NULL, "(1,){&#39;a&#39;: 2}");
}

static const struct source pages[] = {
    {"base.html",
     "{% import 'mac.html' as mac with context %}<{% block title %}base{% endblock %}>{% block body %}{% endblock %}"},
    {"mid.html", "{% extends 'base.html' %}{% block title %}mid {{ super() }}{% endblock %}"},
    {"mac.html", "{% macro hi(n) %}hi {{ n }} {{ who }}{% endmacro %}{% set v = 7 %}"},
    {"part.html", "part {{ x }}"},
    {NULL, NULL},
};

TEST(inheritance_and_inclusion)
{
    sources = pages;
    RENDERS("{% extends 'mid.html' %}{% block title %}top {{ super() }}{% endblock %}{% block body %}{{ mac.hi('a') "
            "}}{% endblock %}",
            "{\"who\": \"me\"}", "<top mid base>hi a me");
    RENDERS(
        "{% include 'part.html' %}|{% include ['none.html', 'part.html'] %}|{% include 'none.html' ignore missing %}",
        "{\"x\": 1}", "part 1|part 1|");
    RENDERS("{% for x in [1, 2] %}{% include 'part.html' %} {% endfor %}", NULL, "part 1 part 2 ");
    RENDERS("{% from 'mac.html' import hi as h, v %}{{ h('b') }}{{ v }}", "{\"who\": \"me\"}", "hi b 7");
}

TEST(filters)
{
    RENDERS("{{ x|default('d') }} {{ ''|default('e', true) }} {{ l|length }} {{ l|join(', ') }}", "{\"l\": [1, 2]}",
            "d e 2 1, 2");
    RENDERS("{{ d|dictsort }}", "{\"d\": {\"b\": 1, \"a\": 2}}", "[(&#39;a&#39;, 2), (&#39;b&#39;, 1)]");
    RENDERS("{{ l|map(attribute='n')|list }}", "{\"l\": [{\"n\": 1}, {\"n\": 2}]}", "[1, 2]");
    RENDERS("{{ 2.567|round(2) }} {{ 5|string }} {{ ' x '|trim }} {{ 'ab'|replace('a', 'c') }}", NULL, "2.57 5 x cb");
    RENDERS("{{ d|tojson }}", "{\"d\": {\"b\": \"<\", \"a\": [1]}}", "{\"a\": [1], \"b\": \"\\u003c\"}");
    RENDERS("{{ 'a b&c/d'|urlencode }} {{ {'q': 'a b'}|urlencode }}", NULL, "a%20b%26c/d q=a+b");
    RENDERS("{{ '%s-%d'|format('x', 3) }} {{ 'hello world'|title }}", NULL, "x-3 Hello World");
    RENDERS("{{ [3, 1, 2]|sort }} {{ [1, 2]|sum }} {{ [1, 1, 2]|unique|list }}", NULL, "[1, 2, 3] 3 [1, 2]");
    RENDERS("{{ '<a>'|e }} {{ '<b>x</b>'|striptags }}", NULL, "&lt;a&gt; x");
    RENDERS("{{ ['<', '>'|safe]|join('&') }}", NULL, "&lt;&amp;>");
}

TEST(methods_and_tests)
{
    RENDERS("{{ '{:,}'.format(1234567) }} {{ '{0}-{name}'.format(1, name='x') }} {{ '{:.2f}'.format(1.005) }}", NULL,
            "1,234,567 1-x 1.00");
    RENDERS("{{ 'a,b'.split(',') }} {{ '-'.join(['x', 'y']) }} {{ 'ABC'.lower() }} {{ 'abc'.startswith('ab') }}", NULL,
            "[&#39;a&#39;, &#39;b&#39;] x-y abc True");
    RENDERS("{{ d.get('x', 1) }} {{ d.keys() | list }}", "{\"d\": {\"a\": 1}}", "1 [&#39;a&#39;]");
    RENDERS("{{ x is defined }} {{ none is none }} {{ 4 is even }} {{ 9 is divisibleby 3 }} {{ 1 is not string }}",
            NULL, "False True True True True");
    RENDERS("{{ range(3) | list }} {{ dict(a=1) }}", NULL, "[0, 1, 2] {&#39;a&#39;: 1}");
    RENDERS("{{ range(2, 11, 3)|join(',') }} {{ range(5, 0, -2)|list }} {{ range(0)|length }} {{ range(3)|sum }}", NULL,
            "2,5,8 [5, 3, 1] 0 3");
    RENDERS("{{ range(3) }}{{ range(1, 5, 2) }}{% for i in range(2) %}{{ loop.last }}{% else %}x{% endfor %}", NULL,
            "range(0, 3)range(1, 5, 2)FalseTrue");
    RENDERS("{{ range(10)[2] }} {{ range(5)[-1] }} {{ 3 in range(5) }} {{ 7 in range(5) }}", NULL, "2 4 True False");
    RENDERS("{{ 'ünï'|upper }} {{ 'ÄÖÜ Ž'|lower }} {{ 'éa öb'|title }} {{ 'привет'|capitalize }} {{ 'ΑΒΓ'|lower }}",
            NULL, "ÜNÏ äöü ž Éa Öb Привет αβγ");
    RENDERS("{{ [1, 2, 3, 4, 5]|slice(2)|list }} {{ [1]|slice(2, 'x')|list }}", NULL,
            "[[1, 2, 3], [4, 5]] [[1], [&#39;x&#39;]]");
    RENDERS("{{ 'hello world this is long'|wordwrap(10) }} {{ 'abcdef'|wordwrap(4) }}", NULL,
            "hello\nworld this\nis long abcd\nef");
    RENDERS("{{ ['a', 'A', 'b', 1, 1.5, 1]|unique|list }} {{ 'it'|pprint }} {{ [5]|random }}", NULL,
            "[&#39;a&#39;, &#39;b&#39;, 1, 1.5] &#39;it&#39; 5");
    RENDERS("{{ 'go www.a.org, (http://b.org/x?y=1&z) or x@y.com.'|urlize }}", NULL,
            "go <a href=\"https://www.a.org\" rel=\"noopener\">www.a.org</a>, (<a href=\"http://b.org/x?y=1&amp;z\" "
            "rel=\"noopener\">http://b.org/x?y=1&amp;z</a>) or <a href=\"mailto:x@y.com\">x@y.com</a>.");
    RENDERS("{{ 'a-b-c'.partition('-') }} {{ 'a-b-c'.rpartition('-')[2] }} {{ 'abab'.rfind('b') }} {{ 'ab'.rjust(4) }}",
            NULL, "(&#39;a&#39;, &#39;-&#39;, &#39;b-c&#39;) c 3   ab");
    RENDERS("{{ 'abc'.removeprefix('a') }} {{ 'abc'.removesuffix('c') }} {{ 'abc'.islower() }} {{ [1, 2].__len__() }}",
            NULL, "bc ab True 2");
    RENDERS("{{ '<p>a &amp;&#39;&#x41;&hellip; <!-- > -->  <b\nc>d</b>&nope; & < e' | striptags }}", NULL,
            "a &amp;&#39;A… d&amp;nope; &amp;");
    RENDERS("{{ 0x1f }} {{ 0b11 }} {{ 0o17 }} {{ 0 }}", NULL, "31 3 15 0");
    RENDERS("{% block t %}<b>{{ 1 }}</b>{% endblock %} {{ self.t() }} {{ self.nope is defined }}", NULL,
            "<b>1</b> <b>1</b> False");
    RENDERS("{{ [1, 2] * 2 }} {{ 'ab' * 3 }} {{ 'ab' * -1 }}|", NULL, "[1, 2, 1, 2] ababab |");
}

static bool lent_attr(void *self, struct eval *ev, str name, struct value *ret)
{
    (void)self, (void)ev;
    *ret = value_str(name);
    return true;
}

static bool lent_print(void *self, struct eval *ev, str name, struct buf *out)
{
    (void)ev;
    if (!str_is(name, "html"))
        return false;
    ++*(int *)self;
    buf_puts(out, STR("<b>"));
    return true;
}

/* An attribute goes straight to the page only where it is printed into HTML as it is. */
TEST(attributes_that_print_themselves)
{
    static const struct value_class class = {.name = "lent", .attr = lent_attr, .print = lent_print};
    static const struct {
        const char *source, *want;
        int printed;
    } rows[] = {{"{{ x.html }}", "<b>", 1},
                {"{{ x.html }}{{ x.html }}", "<b><b>", 2},
                {"{{ x.other }}", "other", 0},
                {"{{ x.html|upper }}", "HTML", 0},
                {"{{ x['html'] }}", "html", 0},
                {"{% set y = x.html %}{{ y }}", "html", 0},
                {"{% autoescape false %}{{ x.html }}{% endautoescape %}", "html", 0},
                {"{% set y %}{{ x.html }}{% endset %}{{ y|length }}{{ y }}", "3<b>", 1}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena *a = arena_new(0);
        struct template_env *env = template_env_new(NULL);
        struct value vars = value_dict(a);
        struct buf out;
        struct err err = ERR_INIT;
        int printed = 0;
        buf_init(&out, 1000);
        VALUE_SET(vars, "x", value_object(&class, &printed));
        CHECK_INT(template_render_string(env, STR("p.html"), str_of(rows[i].source), vars, a, &out, &err), STATUS_OK);
        CHECK_STR(buf_str(&out), rows[i].want);
        CHECK_INT(printed, rows[i].printed);
        buf_release(&out);
        template_env_free(env);
        arena_free(a);
    }
}

/* Names are found by hash, past scopes that surely lack them. */
TEST(names_in_scopes)
{
    static const struct source parts[] = {
        {"inc.html", "[{{ x }}{{ loop.index }}{% set x = 'own' %}{{ x }}]"},
        {"mac.html", "{% macro say() %}{{ who }}{% endmacro %}{% set who = 'module' %}"},
        {NULL, NULL},
    };
    sources = parts;
    RENDERS("{% macro m() %}{{ v }}{% endmacro %}{{ m() }}{% set v = 1 %}{{ m() }}{% set v = 2 %}{{ m() }}", NULL,
            "12");
    RENDERS("{% for x in [1, 2] %}{% include 'inc.html' %}{{ x }}{% endfor %}{{ x }}", "{\"x\": 0}",
            "[11own]1[22own]20");
    RENDERS("{% from 'mac.html' import say %}{{ say() }}", "{\"who\": \"page\"}", "module");
    RENDERS("{% for x in [1] %}{% for x in [2] %}{{ x }}{% endfor %}{{ x }}{% set x = 3 %}{{ x }}{% endfor %}{{ x }}",
            "{\"x\": 0}", "2130");
    RENDERS(
        "{% with a = x, x = 5 %}{{ a }}{{ x }}{% with %}{% set x = 6 %}{{ x }}{% endwith %}{{ x }}{% endwith %}{{ x }}",
        "{\"x\": 0}", "05650");
    RENDERS("{% set range = 4 %}{{ range }}{% block b %}{{ range }}{% endblock %}{{ dict(a=1).a }}", NULL, "441");
    RENDERS("{{ none_such }}{{ x.none_such }}{{ x['a'] }}{{ x.a }}", "{\"x\": {\"a\": 1}}", "11");
}

/* More variables than bits: every name is found, none is taken for another. */
TEST(many_names)
{
    struct arena *a = arena_new(1u << 26);
    struct buf source, want;
    buf_init(&source, 1u << 20);
    buf_init(&want, 1u << 20);
    for (int i = 0; i < 300; i++)
        buf_printf(&source, "{%% set name%d = %d %%}", i, i);
    buf_puts(&source, STR("{% for x in [1] %}{% set name7 = 'inner' %}"));
    for (int i = 0; i < 300; i++) {
        buf_printf(&source, "{{ name%d }}{{ other%d }} ", i, i);
        i == 7 ? buf_puts(&want, STR("inner ")) : buf_printf(&want, "%d ", i);
    }
    buf_puts(&source, STR("{% endfor %}{{ name7 }}"));
    buf_puts(&want, STR("7"));
    str text = arena_str(a, buf_str(&source));
    CHECK_STRS(render(a, text.p, NULL), buf_str(&want));
    buf_release(&source);
    buf_release(&want);
    arena_free(a);
}

/* What a page took before is only a guess: a small one fits where the large one would not. */
TEST(pages_of_many_sizes)
{
    static const struct source one[] = {{"p.html", "{% for i in range(n) %}0123456789{% endfor %}"}, {NULL, NULL}};
    static const struct {
        int64_t n;
        size_t max;
        enum status status;
    } rows[] = {{1000, 1u << 20, STATUS_OK},   {1, 10, STATUS_OK},       {2, 10, STATUS_TOO_LARGE},
                {100000, 1u << 20, STATUS_OK}, {3, 1u << 20, STATUS_OK}, {0, 0, STATUS_OK}};
    struct template_loader loader = {.load = source_load};
    sources = one;
    struct template_env *env = template_env_new(&loader);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena *a = arena_new(0);
        struct value vars = value_dict(a);
        struct buf out;
        struct err err = ERR_INIT;
        buf_init(&out, rows[i].max);
        VALUE_SET(vars, "n", value_int(rows[i].n));
        CHECK_INT(template_render(env, STR("p.html"), vars, a, &out, &err), rows[i].status);
        CHECK_INT(out.n, rows[i].status == STATUS_OK ? 10 * rows[i].n : 0);
        buf_release(&out);
        arena_free(a);
    }
    template_env_free(env);
}
