/* SPDX-License-Identifier: Apache-2.0 */
/* The walls of template/: what is at the limit renders, one more is refused with a message that names it. */
#include <stdlib.h>

#include "base/limits.h"
#include "render.h"

static str repeated(struct arena *a, const char *before, const char *middle, const char *after, int times)
{
    struct buf b;
    buf_init(&b, 64u << 20);
    for (int i = 0; i < times; i++)
        buf_puts(&b, str_of(before));
    buf_puts(&b, str_of(middle));
    for (int i = 0; i < times; i++)
        buf_puts(&b, str_of(after));
    buf_putc(&b, '\0');
    str out = arena_str(a, buf_str(&b));
    buf_release(&b);
    return out;
}

static bool fails(struct arena *a, const char *text, const char *part)
{
    str got = render(a, text, NULL);
    return str_starts(got, STR("ERROR: ")) && str_find(got, str_of(part)) != STR_NPOS;
}

TEST(nesting_of_tags_and_brackets)
{
    struct arena *a = arena_new(0);
    CHECK(LIMIT_TEMPLATE_NESTING == 200);
    CHECK_STR(render(a, repeated(a, "{% if 1 %}", "x", "{% endif %}", 150).p, NULL), "x");
    CHECK(fails(a, repeated(a, "{% if 1 %}", "x", "{% endif %}", LIMIT_TEMPLATE_NESTING + 1).p, "nested"));
    CHECK(fails(a, repeated(a, "{{ ", repeated(a, "(", "1", ")", LIMIT_TEMPLATE_NESTING + 1).p, " }}", 1).p, "nested"));
    arena_free(a);
}

TEST(depth_of_calls)
{
    struct arena *a = arena_new(0);
    char text[200];
    const char *macro = "{% macro m(n) %}{{ m(n - 1) if n else 'end' }}{% endmacro %}";
    snprintf(text, sizeof text, "%s{{ m(%d) }}", macro, LIMIT_TEMPLATE_DEPTH - 10);
    CHECK_STR(render(a, text, NULL), "end");
    snprintf(text, sizeof text, "%s{{ m(%d) }}", macro, LIMIT_TEMPLATE_DEPTH);
    CHECK(fails(a, text, "nested deeper"));
    arena_free(a);
}

TEST(items_of_a_list)
{
    struct arena *a = arena_new(0);
    char text[100];
    snprintf(text, sizeof text, "{{ range(%d)|list|length }}", LIMIT_TEMPLATE_ITEMS);
    CHECK_STR(render(a, text, NULL), "1000000");
    snprintf(text, sizeof text, "{{ range(%d)|list|length }}", LIMIT_TEMPLATE_ITEMS + 1);
    CHECK(fails(a, text, "more than 1000000 items"));
    arena_free(a);
}

TEST(steps)
{
    struct arena *a = arena_new(0);
    CHECK(LIMIT_TEMPLATE_STEPS < 10000 * 10000);
    CHECK(fails(a, "{% for a in range(10000) %}{% for b in range(10000) %}{% endfor %}{% endfor %}", "too many steps"));
    arena_free(a);
}

#if defined(VITRINE_FAULTS) && VITRINE_FAULTS
TEST(time)
{
    struct arena *a = arena_new(0);
    setenv("VITRINE_LIMITS", "TEMPLATE_MS=20", 1);
    CHECK_INT(LIMIT_TEMPLATE_MS, 20);
    CHECK(
        fails(a, "{% for a in range(10000) %}{% for b in range(10000) %}{% endfor %}{% endfor %}", "takes more than"));
    arena_free(a);
}
#endif
