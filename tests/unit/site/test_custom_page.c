/* SPDX-License-Identifier: Apache-2.0 */
/* Which address fits which template of pages/: the cases were tried with Datasette. */
#include "base/limits.h"
#include "site/view/custom_page.h"
#include "test.h"

struct fit {
    const char *pattern, *path;
    const char *values; /* "name=value name=value"; NULL = does not fit */
};

static const struct fit fits[] = {
    {"pages/{id}.html", "/7", "id=7"},
    {"pages/{id}.html", "/7.json", "id=7.json"},
    {"pages/{id}.html", "/caf~C3~A9", "id=caf~C3~A9"},
    {"pages/{id}.html", "/a/b", NULL},
    {"pages/{id}.html", "/", "id="},
    {"pages/x{a}-{b}.html", "/x1-2-3", "a=1-2 b=3"},
    {"pages/x{a}-{b}.html", "/x-", "a= b="},
    {"pages/x{a}-{b}.html", "/x1", NULL},
    {"pages/x{a}-{b}.html", "/y1-2", NULL},
    {"pages/topic/{slug}.html", "/topic/a", "slug=a"},
    {"pages/topic/{slug}.html", "/topic/a/b", NULL},
    {"pages/{t}/{s}.html", "//x", "t= s=x"},
    {"pages/{yyyy}-{mm}-{dd}.html", "/2020-01-02", "yyyy=2020 mm=01 dd=02"},
    {"pages/a.b{x}.html", "/acbx", NULL},
    {"pages/{open.html", "/{open", ""},
    {"pages/.html", "/", NULL},
};

static str values_of(struct arena *a, struct value vars)
{
    str out = STR("");
    for (size_t i = vars.dict->count; i-- > 0;) /* set from the last to the first */
        out = ARENA_CAT(a, out, out.n ? STR(" ") : STR(""), vars.dict->entries[i].key, STR("="),
                        vars.dict->entries[i].value.s);
    return out;
}

TEST(custom_pages_by_address)
{
    struct arena *a = arena_new(0);
    for (size_t i = 0; i < ARRAY_LEN(fits); i++) {
        struct value vars = value_dict(a);
        bool got = custom_page_match(str_of(fits[i].pattern), str_of(fits[i].path), vars);
        CHECK_INT(got, fits[i].values != NULL);
        if (got && fits[i].values)
            CHECK_STR(values_of(a, vars), fits[i].values);
    }
    arena_free(a);
}

TEST(custom_page_patterns_cost_little)
{
    struct arena *a = arena_new(0);
    char path[16384];
    memset(path, '-', sizeof path);
    path[0] = '/';
    CHECK(!custom_page_match(STR("pages/{a}-{b}-{c}-{d}-{e}x.html"), str_make(path, sizeof path), value_dict(a)));
    /* Found after n * n / 2 steps at the least: variables take as much as they can first. */
    for (int n = 100; n <= 1000; n += 900) {
        str text = arena_printf(a, "/x%.*s", n, path + 1);
        CHECK_INT(custom_page_match(STR("pages/{a}{b}x{c}.html"), text, value_dict(a)),
                  n * n / 2 < LIMIT_PAGE_MATCH_STEPS);
    }
    arena_free(a);
}
