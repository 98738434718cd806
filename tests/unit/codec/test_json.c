/* SPDX-License-Identifier: Apache-2.0 */
/* What the JSON and YAML readers refuse and where they say it is; the writers' options; the tree. */
#include "base/arena.h"
#include "codec/jread.h"
#include "codec/jwrite.h"
#include "codec/value.h"
#include "codec/yaml.h"
#include "test.h"

#define TEXT_MAX  65536
#define DEPTH_MAX (sizeof(((struct jread *)NULL)->nesting))

TEST(json_refused)
{
    static const char *const bad[] = {"",      " ",   "[1,]",       "{\"a\":}", "{a:1}", "01",      "1.",
                                      "+1",    ".5",  "NaN",        "nul",      "\"a",   "\"\\x\"", "\"\\u12\"",
                                      "[1 2]", "1 2", "{\"a\":1,}", "\"\001\"", "[",     "// x\n1", "'a'"};
    struct arena *a = arena_new(0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err err = {0};
        struct value v = value_int(42);
        CHECK(value_from_json(a, str_of(bad[i]), &v, &err) == STATUS_INVALID);
        CHECK(v.kind == VALUE_INT && v.i == 42);
        CHECK(str_starts(str_of(err.text), STR("line ")));
    }
    arena_free(a);
}

TEST(json_place_of_an_error)
{
    struct arena *a = arena_new(0);
    struct err err = {0};
    struct value v;
    CHECK(value_from_json(a, STR("{\n \"a\": 1,\n \"b\": x}"), &v, &err) == STATUS_INVALID);
    CHECK(str_find(str_of(err.text), STR("line 3 column 7")) != STR_NPOS);
    arena_free(a);
}

TEST(json_nesting_has_a_limit)
{
    struct arena *a = arena_new(0);
    struct err err = {0};
    struct value v;
    char text[2 * DEPTH_MAX + 2];
    memset(text, '[', DEPTH_MAX);
    memset(text + DEPTH_MAX, ']', DEPTH_MAX);
    CHECK(value_from_json(a, str_make(text, 2 * DEPTH_MAX), &v, &err) == STATUS_OK);
    memset(text, '[', DEPTH_MAX + 1);
    memset(text + DEPTH_MAX + 1, ']', DEPTH_MAX + 1);
    CHECK(value_from_json(a, str_make(text, sizeof(text)), &v, &err) == STATUS_INVALID);
    arena_free(a);
}

TEST(tokens)
{
    static const enum jread_token want[] = {JREAD_OBJECT_BEGIN, JREAD_KEY,       JREAD_ARRAY_BEGIN, JREAD_INT,
                                            JREAD_FLOAT,        JREAD_ARRAY_END, JREAD_KEY,         JREAD_NULL,
                                            JREAD_OBJECT_END,   JREAD_END};
    struct arena *a = arena_new(0);
    struct err err = {0};
    struct jread r;
    jread_init(&r, a, STR("{\"a\": [1, 2.5], \"b\": null}"));
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        enum jread_token got = JREAD_END;
        CHECK(jread_next(&r, &got, &err) == STATUS_OK);
        CHECK_INT(got, want[i]);
    }
    arena_free(a);
}

TEST(document_as_it_goes)
{
    struct buf out;
    struct jwrite w;
    buf_init(&out, TEXT_MAX);
    jwrite_init(&w, &out, 0);
    jwrite_object_begin(&w);
    jwrite_key(&w, STR("rows"));
    jwrite_array_begin(&w);
    jwrite_i64(&w, INT64_MIN);
    jwrite_f64(&w, 1e300 * 1e300);
    jwrite_bool(&w, true);
    jwrite_array_end(&w);
    jwrite_key(&w, STR("x"));
    jwrite_null(&w);
    jwrite_object_end(&w);
    CHECK_STR(buf_str(&out), "{\"rows\": [-9223372036854775808, null, true], \"x\": null}");
    buf_release(&out);
}

TEST(writing_html_safe_and_repaired)
{
    struct buf out;
    buf_init(&out, TEXT_MAX);
    jwrite_put_string(&out, STR("</script>&'"), JWRITE_HTML);
    CHECK_STR(buf_str(&out), "\"\\u003c/script\\u003e\\u0026\\u0027\"");
    buf_clear(&out);
    jwrite_put_string(&out, STR("a\377b"), 0);
    CHECK_STR(buf_str(&out), "\"a\\ufffdb\"");
    buf_release(&out);
    buf_init(&out, 4);
    jwrite_put_string(&out, STR("too long"), 0);
    CHECK(out.over);
    buf_release(&out);
}

TEST(dicts)
{
    struct arena *a = arena_new(0);
    struct value d = value_dict(a);
    for (int i = 0; i < 1000; i++)
        value_set(d, arena_printf(a, "key%d", i), value_int(i));
    value_set(d, STR("key500"), value_int(-1));
    CHECK_INT(value_count(d), 1000);
    CHECK_INT(value_get(d, STR("key500")).i, -1);
    CHECK(value_remove(d, STR("key0")));
    CHECK(!value_remove(d, STR("key0")));
    CHECK(!value_has(d, STR("key0")));
    CHECK_STRS(d.dict->entries[0].key, STR("key1"));
    CHECK(value_has(d, STR("key999")));
    CHECK(value_get(d, STR("nope")).kind == VALUE_UNDEFINED);
    arena_free(a);
}

TEST(python_rules)
{
    struct arena *a = arena_new(0);
    CHECK(value_equal(value_int(1), value_bool(true)));
    CHECK(value_equal(value_int(1), value_float(1.0)));
    CHECK(!value_equal(value_int(1), value_cstr("1")));
    CHECK(!value_truth(value_list(a)) && !value_truth(value_cstr("")) && !value_truth(VALUE_NULL));
    CHECK(value_truth(value_cstr("0")));
    CHECK_STR(value_to_str(a, VALUE_NULL), "None");
    CHECK_STR(value_to_str(a, value_float(3)), "3.0");
    struct value list = value_list(a);
    value_push(list, value_cstr("it's"));
    value_push(list, value_bool(false));
    CHECK_STR(value_to_str(a, list), "[\"it's\", False]");
    arena_free(a);
}

TEST(yaml_refused)
{
    static const char *const bad[] = {"a: [1", "a: *nope", "\tx: 1", "a: 1\n b: 2", "{a: 1"};
    struct arena *a = arena_new(0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err err = {0};
        struct value v = value_int(42);
        CHECK(value_from_yaml(a, str_of(bad[i]), &v, &err) == STATUS_INVALID);
        CHECK(v.kind == VALUE_INT);
        CHECK(str_starts(str_of(err.text), STR("line ")));
    }
    arena_free(a);
}

TEST(yaml_aliases_have_a_limit) /* the billion laughs */
{
    struct arena *a = arena_new(0);
    struct buf text;
    buf_init(&text, TEXT_MAX);
    buf_puts(&text, STR("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"));
    for (int i = 1; i < 12; i++) {
        buf_printf(&text, "a%d: &a%d [", i, i);
        for (int k = 0; k < 10; k++)
            buf_printf(&text, "%s*a%d", k ? ", " : "", i - 1);
        buf_puts(&text, STR("]\n"));
    }
    struct err err = {0};
    struct value v = VALUE_UNDEF;
    enum status s = value_from_yaml(a, buf_str(&text), &v, &err);
    CHECK(s == STATUS_OK || s == STATUS_TOO_LARGE);
    CHECK(arena_used(a) < 1 << 20); /* shared, not copied */
    buf_release(&text);
    arena_free(a);
}

/* With and without an index, found or not, by name or by a hash that is known. */
TEST(dicts_by_hash)
{
    struct arena *a = arena_new(0);
    struct value d = value_dict(a);
    for (int i = 0; i < 40; i++) {
        str key = arena_printf(a, "key %d", i), none = arena_printf(a, "none %d", i);
        value_set(d, key, value_int(i));
        for (int k = 0; k <= i; k++) {
            str old = arena_printf(a, "key %d", k);
            CHECK_INT(value_get_hashed(d, old, value_hash(old)).i, k);
            CHECK_INT(value_get(d, old).i, k);
        }
        CHECK_INT(value_get_hashed(d, none, value_hash(none)).kind, VALUE_UNDEFINED);
        CHECK_INT(value_get_hashed(d, none, value_hash(key)).kind, VALUE_UNDEFINED);
    }
    CHECK_INT(value_get_hashed(value_int(1), STR("x"), value_hash(STR("x"))).kind, VALUE_UNDEFINED);
    arena_free(a);
}
