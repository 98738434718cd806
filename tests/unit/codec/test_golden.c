/* SPDX-License-Identifier: Apache-2.0 */
/* The codecs against recorded answers of the Python programs they stand in for. */
#include "base/arena.h"
#include "codec/csvwrite.h"
#include "codec/jwrite.h"
#include "codec/sign.h"
#include "codec/url.h"
#include "codec/yaml.h"
#include "test.h"

#include "golden.inc"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TEXT_MAX     65536

static str json_of(struct arena *a, struct value v, unsigned flags)
{
    struct buf out;
    buf_init(&out, TEXT_MAX);
    value_to_json(&out, v, flags);
    CHECK(!out.over);
    str text = arena_str(a, buf_str(&out));
    buf_release(&out);
    return text;
}

static struct value json_in(struct arena *a, const char *text)
{
    struct err err = {0};
    struct value v = VALUE_UNDEF;
    CHECK(value_from_json(a, str_of(text), &v, &err) == STATUS_OK);
    return v;
}

TEST(doubles_as_python_repr)
{
    for (size_t i = 0; i < COUNT(golden_floats); i++) {
        struct buf out;
        double f;
        buf_init(&out, TEXT_MAX);
        memcpy(&f, &golden_floats[i].bits, sizeof(f));
        jwrite_put_double(&out, f);
        CHECK_STR(buf_str(&out), golden_floats[i].text);
        buf_release(&out);
    }
}

TEST(json_as_python_dumps)
{
    struct arena *a = arena_new(0);
    for (size_t i = 0; i < COUNT(golden_json); i++) {
        struct value v = json_in(a, golden_json[i].text);
        CHECK_STR(json_of(a, v, 0), golden_json[i].plain);
        CHECK_STR(json_of(a, v, VALUE_JSON_COMPACT | VALUE_JSON_UTF8), golden_json[i].compact_utf8);
        CHECK_STR(json_of(a, v, VALUE_JSON_SORTED), golden_json[i].sorted);
    }
    arena_free(a);
}

TEST(quote_as_urllib)
{
    struct arena *a = arena_new(0);
    for (size_t i = 0; i < COUNT(golden_quotes); i++) {
        str text = str_make(golden_quotes[i].text, golden_quotes[i].n);
        CHECK_STR(url_quote(a, text, "/"), golden_quotes[i].quote);
        CHECK_STR(url_quote_plus(a, text), golden_quotes[i].quote_plus);
        CHECK_STRS(url_unquote(a, str_of(golden_quotes[i].quote)), text);
        CHECK_STRS(url_unquote_plus(a, str_of(golden_quotes[i].quote_plus)), text);
    }
    arena_free(a);
}

TEST(query_strings_as_parse_qsl)
{
    struct arena *a = arena_new(0);
    for (size_t i = 0; i < COUNT(golden_queries); i++) {
        struct url_pair *pairs = NULL;
        size_t count = 0;
        CHECK(url_parse_query(a, str_of(golden_queries[i].text), 100, &pairs, &count));
        struct value list = value_list(a);
        for (size_t k = 0; k < count; k++) {
            struct value pair = value_list(a);
            value_push(pair, value_str(pairs[k].key));
            value_push(pair, value_str(pairs[k].value));
            value_push(list, pair);
        }
        CHECK_STR(json_of(a, list, 0), golden_queries[i].pairs);
    }
    arena_free(a);
}

TEST(csv_as_python_writer)
{
    struct arena *a = arena_new(0);
    for (size_t i = 0; i < COUNT(golden_csv); i++) {
        struct value fields = json_in(a, golden_csv[i].fields);
        struct buf out;
        buf_init(&out, TEXT_MAX);
        struct csvwrite csv;
        csvwrite_init(&csv, &out);
        for (size_t k = 0; k < value_count(fields); k++)
            csvwrite_text(&csv, value_at(fields, k).s);
        csvwrite_end(&csv);
        CHECK_STR(buf_str(&out), golden_csv[i].record);
        buf_release(&out);
    }
    arena_free(a);
}

TEST(signatures_as_itsdangerous)
{
    struct arena *a = arena_new(0);
    struct err err = {0};
    for (size_t i = 0; i < COUNT(golden_signs); i++) {
        const struct golden_sign *g = &golden_signs[i];
        struct value back = VALUE_UNDEF, v = json_in(a, g->json);
        CHECK(sign_loads(a, str_of(g->secret), str_of(g->name_space), str_of(g->text), &back, &err) == STATUS_OK);
        CHECK(value_equal(back, v));
        if (strlen(g->json) < 200) /* longer ones are packed; zlib's bytes may differ between its versions */
            CHECK_STR(sign_dumps(a, str_of(g->secret), str_of(g->name_space), v), g->text);
        CHECK(sign_loads(a, STR("wrong"), str_of(g->name_space), str_of(g->text), &back, &err) == STATUS_INVALID);
        CHECK(sign_loads(a, str_of(g->secret), STR("wrong"), str_of(g->text), &back, &err) == STATUS_INVALID);
    }
    arena_free(a);
}

TEST(yaml_as_pyyaml)
{
    struct arena *a = arena_new(0);
    for (size_t i = 0; i < COUNT(golden_yaml); i++) {
        struct err err = {0};
        struct value v = VALUE_UNDEF;
        CHECK(value_from_yaml(a, str_of(golden_yaml[i].text), &v, &err) == STATUS_OK);
        CHECK_STR(json_of(a, v, 0), golden_yaml[i].json);
    }
    arena_free(a);
}
