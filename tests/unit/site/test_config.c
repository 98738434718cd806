/* SPDX-License-Identifier: Apache-2.0 */
/* Settings and configuration texts. */
#include "base/arena.h"
#include "site/config.h"
#include "site/settings.h"
#include "test.h"

TEST(every_default_is_what_its_text_says)
{
    struct arena *a = arena_new(0);
    struct settings fresh, set;
    settings_default(&fresh);
    settings_default(&set);
    for (size_t i = 0; i < setting_row_count; i++) {
        const struct setting_row *row = &setting_rows[i];
        struct err err = {0};
        CHECK(settings_set(&set, a, str_of(row->name), str_of(row->default_text), &err) == STATUS_OK);
        CHECK(value_equal(settings_get(&fresh, row), settings_get(&set, row)));
        CHECK(row->help && *row->help);
    }
    arena_free(a);
}

TEST(settings_from_text)
{
    struct arena *a = arena_new(0);
    struct settings s;
    struct err err = {0};
    settings_default(&s);
    CHECK(settings_set(&s, a, STR("default_page_size"), STR("7"), &err) == STATUS_OK);
    CHECK_INT(s.default_page_size, 7);
    CHECK(settings_set(&s, a, STR("allow_facet"), STR("off"), &err) == STATUS_OK);
    CHECK(!s.allow_facet);
    CHECK(settings_set(&s, a, STR("default_page_size"), STR("many"), &err) == STATUS_INVALID);
    CHECK(str_find(str_of(err.text), STR("default_page_size")) != STR_NPOS);
    CHECK_INT(s.default_page_size, 7);
    err = (struct err){0};
    CHECK(settings_set(&s, a, STR("default_page_sise"), STR("7"), &err) == STATUS_INVALID);
    CHECK(str_find(str_of(err.text), STR("default_page_sise")) != STR_NPOS);
    arena_free(a);
}

TEST(types_in_files_are_strict)
{
    struct arena *a = arena_new(0);
    struct settings s;
    struct err err = {0};
    settings_default(&s);
    CHECK(settings_set_value(&s, a, STR("default_page_size"), value_int(9), &err) == STATUS_OK);
    CHECK_INT(s.default_page_size, 9);
    CHECK(settings_set_value(&s, a, STR("default_page_size"), value_cstr("9"), &err) == STATUS_INVALID);
    CHECK(settings_set_value(&s, a, STR("allow_facet"), value_cstr("on"), &err) == STATUS_INVALID);
    arena_free(a);
}

TEST(json_and_yaml_are_told_apart)
{
    struct arena *a = arena_new(0);
    struct err err = {0};
    struct value x = VALUE_UNDEF, y = VALUE_UNDEF;
    CHECK(config_read(a, STR("{\"a\": {\"b\": [1, true]}}"), STR("x.json"), &x, &err) == STATUS_OK);
    CHECK(config_read(a, STR("a:\n  b: [1, true]\n"), STR("y.yaml"), &y, &err) == STATUS_OK);
    CHECK(value_equal(x, y));
    CHECK(config_read(a, STR("a: [1"), STR("broken.yaml"), &y, &err) == STATUS_INVALID);
    CHECK(str_find(str_of(err.text), STR("broken.yaml")) != STR_NPOS);
    arena_free(a);
}

TEST(secrets_are_not_shown)
{
    struct arena *a = arena_new(0);
    struct err err = {0};
    struct value v = VALUE_UNDEF;
    CHECK(config_read(a, STR("{\"plugins\": {\"p\": {\"api_key\": \"s\", \"Secret\": \"s\", \"n\": 1}}}"), STR("x"), &v,
                      &err) == STATUS_OK);
    struct value p = VALUE_GET(VALUE_GET(config_redact(a, v), "plugins"), "p");
    CHECK_STR(VALUE_GET(p, "api_key").s, "***");
    CHECK_INT(VALUE_GET(p, "n").i, 1);
    CHECK_STR(VALUE_GET(VALUE_GET(VALUE_GET(v, "plugins"), "p"), "api_key").s, "s"); /* a copy */
    arena_free(a);
}

TEST(look_ups)
{
    struct arena *a = arena_new(0);
    struct err err = {0};
    struct config c = {.metadata = value_dict(a)};
    CHECK(config_read(a,
                      STR("databases:\n  db:\n    tables:\n      t: {sort: x}\n    queries: {q: {sql: select 1}}\n"
                          "    plugins: {p: {n: 2}}\nplugins: {p: {n: 1}}\n"),
                      STR("x"), &c.root, &err) == STATUS_OK);
    CHECK_STR(VALUE_GET(config_table(&c, STR("db"), STR("t")), "sort").s, "x");
    CHECK(config_table(&c, STR("db"), STR("u")).kind == VALUE_UNDEFINED);
    CHECK(config_database(&c, STR("nope")).kind == VALUE_UNDEFINED);
    CHECK_INT(value_count(config_queries(&c, STR("db"))), 1);
    CHECK_INT(VALUE_GET(config_plugin(&c, STR("p"), STR("db"), STR("")), "n").i, 2);
    CHECK_INT(VALUE_GET(config_plugin(&c, STR("p"), STR(""), STR("")), "n").i, 1);
    arena_free(a);
}
