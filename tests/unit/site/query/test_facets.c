/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

static struct query_facets facets_of(struct bench *b, const char *query)
{
    struct query_facets f = {0};
    const struct query_plan *plan = bench_plan(b, query);
    if (!plan || query_facets(b->a, plan, &f, &b->err) != STATUS_OK)
        test_fail(__FILE__, __LINE__, "%s: refused: %s", query, b->err.text);
    return f;
}

static void check_refused(struct bench *b, const char *query, const char *message)
{
    struct query_facets f;
    const struct query_plan *plan = bench_plan(b, query);
    CHECK(plan && query_facets(b->a, plan, &f, &b->err) == STATUS_INVALID);
    CHECK_STR(str_of(b->err.text), message);
}

TEST(query_facets_sources_kinds_and_keys)
{
    struct bench b;
    bench_init(&b);
    bench_config(&b, "{\"facets\": [{\"array\": \"tags\"}, \"price\", {\"date\": {\"column\": \"name\"}}, \"gone\", "
                     "{\"odd\": \"x\"}, 7]}");
    struct query_facets f = facets_of(&b, "_facet=name&_facet=price&_facet_date=name&_facet_nope=id&_facet_size=4");
    static const struct {
        const char *type, *column, *key;
        bool hideable;
    } want[] = {
        {"column", "price", "price", false}, {"column", "name", "name", true}, {"column", "price", "price_2", true},
        {"date", "name", "name_2", false},   {"date", "name", "name_3", true}, {"array", "tags", "tags", false},
    };
    CHECK_INT(f.count, ARRAY_LEN(want));
    CHECK_INT(f.size, 4);
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        CHECK_STR(str_of(query_facet_type(f.items[i].kind)), want[i].type);
        CHECK_STR(f.items[i].column, want[i].column);
        CHECK_STR(f.items[i].key, want[i].key);
        CHECK(f.items[i].hideable == want[i].hideable);
    }
    CHECK_INT(facets_of(&b, "_facet=name&_nofacet=1").count, 0);
    CHECK_INT(facets_of(&b, "_facet=name&_shape=array").count, 0);
    CHECK_INT(facets_of(&b, "_facet=name&_shape=arrays").count, 4);
    bench_release(&b);
}

TEST(query_facets_refusals)
{
    struct bench b;
    bench_init(&b);
    check_refused(&b, "_facet=nope", "Cannot facet by nope - there is no such column");
    check_refused(&b, "_facet_array=a%22b", "Cannot facet by a\"b - there is no such column");
    check_refused(&b, "_facet={}", "_facet={...} must be JSON with a \"column\"");
    check_refused(&b, "_facet={", "_facet={...} must be JSON with a \"column\"");
    struct query_facets f = facets_of(&b, "_facet={\"column\":\"NAME\"}");
    CHECK_STR(f.items[0].column, "NAME");
    CHECK_STR(f.items[0].toggle_url, "/db/t.json");
    b.settings.allow_facet = false;
    bench_check_refused(&b, "_facet=name", "_facet= is not allowed");
    bench_check_refused(&b, "_facet_size=2", "_facet= is not allowed");
    bench_release(&b);
}

TEST(query_facets_sizes)
{
    struct bench b;
    bench_init(&b);
    CHECK_INT(facets_of(&b, "").size, 30);
    CHECK_INT(facets_of(&b, "_facet_size=3").size, 3);
    CHECK_INT(facets_of(&b, "_facet_size=max").size, 1000);
    CHECK_INT(facets_of(&b, "_facet_size=5000").size, 1000);
    CHECK_INT(facets_of(&b, "_facet_size=-1").size, 30);
    bench_config(&b, "{\"facet_size\": 7}");
    CHECK_INT(facets_of(&b, "_facet_size=x").size, 7);
    CHECK_INT(facets_of(&b, "_facet_size=2").size, 2);
    bench_config(&b, "{\"facet_size\": \"max\"}");
    CHECK_INT(facets_of(&b, "").size, 1000);
    bench_release(&b);
}

static void check_value(struct bench *b, const char *query, size_t facet, const char *json, bool selected,
                        const char *url)
{
    struct query_facets f = facets_of(b, query);
    struct query_facet_value v;
    query_facet_value(b->a, bench_plan(b, query), &f.items[facet], bench_value(b->a, json), &v);
    CHECK(v.selected == selected);
    CHECK_STR(v.toggle_url, url);
}

TEST(query_facet_links)
{
    struct bench b;
    bench_init(&b);
    check_value(&b, "_facet=name", 0, "\"x y\"", false, "http://h/db/t.json?_facet=name&name=x+y");
    check_value(&b, "name=x&_facet=name&name=y", 0, "\"x\"", true, "http://h/db/t.json?_facet=name&name=y");
    check_value(&b, "_facet=price&price=2.5", 0, "2.5", true, "http://h/db/t.json?_facet=price");
    check_value(&b, "_facet=_city", 0, "1", false, "http://h/db/t.json?_facet=_city&_city__exact=1");
    check_value(&b, "_facet_array=tags&tags__arraycontains=a", 0, "\"a\"", true,
                "http://h/db/t.json?_facet_array=tags");
    check_value(
        &b, "_facet_date=name&name__date=2020-01-01&name__date=2021-01-01", 0, "\"2020-01-01\"", false,
        "http://h/db/t.json?_facet_date=name&name__date=2020-01-01&name__date=2021-01-01&name__date=2020-01-01");
    CHECK_STR(facets_of(&b, "_facet=name&_facet=id&_size=2").items[0].toggle_url, "/db/t.json?_facet=id&_size=2");
    b.request.prefix = STR("/p");
    b.request.path = STR("/p/db/t");
    check_value(&b, "_facet=name", 0, "1", false, "http://h/p/p/db/t?_facet=name&name=1");
    check_value(&b, "_facet_array=tags", 0, "1", false, "http://h/p/db/t?_facet_array=tags&tags__arraycontains=1");
    CHECK_STR(facets_of(&b, "_facet_date=name").items[0].toggle_url, "/p/db/t");
    CHECK_STR(facets_of(&b, "_facet_array=tags").items[0].toggle_url, "/p/p/db/t");
    bench_release(&b);
}

TEST(query_facets_display_order)
{
    struct bench b;
    bench_init(&b);
    const char *query = "_facet=name&_facet=id&_facet=price&_facet_date=name";
    struct query_facets f = facets_of(&b, query);
    size_t counts[] = {2, 5, 5, 9}, order[4];
    query_facets_order(b.a, bench_plan(&b, query), &f, counts, order);
    const size_t plain[] = {3, 2, 1, 0}; /* 9, then 5 price, 5 id, then 2 */
    for (size_t i = 0; i < 4; i++)
        CHECK_INT(order[i], plain[i]);
    bench_config(&b, "{\"facets\": [{\"array\": \"tags\"}, \"price\"]}");
    f = facets_of(&b, "_facet=name"); /* price, name, tags */
    size_t few[] = {1, 9, 1};
    query_facets_order(b.a, bench_plan(&b, "_facet=name"), &f, few, order);
    const size_t configured[] = {2, 0, 1};
    for (size_t i = 0; i < 3; i++)
        CHECK_INT(order[i], configured[i]);
    bench_release(&b);
}

TEST(query_suggestions_candidates)
{
    struct bench b;
    bench_init(&b);
    bench_pks(&b, "");
    const char *query = "_facet=name&_size=0";
    struct query_facets f = facets_of(&b, query);
    struct query_suggestions s;
    const struct query_plan *plan = bench_plan(&b, query);
    query_suggestions(b.a, plan, &f, &s);
    CHECK_INT(s.count, 6 * 3 - 1);
    CHECK_STR(s.items[0].column, "rowid");
    CHECK_STR(query_suggestion_url(b.a, plan, &s.items[0]), "http://h/db/t.json?_facet=name&_size=0&_facet=rowid");
    CHECK_STR(query_suggestion_url(b.a, plan, &s.items[s.count - 1]),
              "http://h/db/t.json?_facet=name&_size=0&_facet_array=_city");
    static const char *const off[] = {"_nosuggest=1", "_nofacet=1", "_next=3", "_shape=object"};
    for (size_t i = 0; i < ARRAY_LEN(off); i++) {
        query_suggestions(b.a, bench_plan(&b, off[i]), &f, &s);
        CHECK_INT(s.count, 0);
    }
    b.settings.suggest_facets = false;
    query_suggestions(b.a, bench_plan(&b, ""), &f, &s);
    CHECK_INT(s.count, 0);
    bench_release(&b);
}

TEST(query_suggestions_rules)
{
    CHECK(query_suggest_column(2, true, 3, 30));
    CHECK(!query_suggest_column(1, true, 3, 30) && !query_suggest_column(3, true, 3, 30));
    CHECK(!query_suggest_column(31, true, 99, 30) && query_suggest_column(30, true, 99, 30));
    CHECK(!query_suggest_column(2, false, 3, 30));
    CHECK(query_suggest_date(value_cstr("2020-01-01")) && !query_suggest_date(VALUE_NULL) &&
          !query_suggest_date(value_cstr("")));
    const str array[] = {{"array", 5}, {"", 0}}, object[] = {{"array", 5}, {"object", 6}};
    CHECK(query_suggest_array_types(array, 1) && query_suggest_array_types(array, 2));
    CHECK(!query_suggest_array_types(object, 2) && !query_suggest_array_types(object + 1, 1));
    CHECK(!query_suggest_array_types(array, 0));
    struct arena *a = arena_new(1 << 20);
    CHECK(query_suggest_array_sample(a, STR("[\"a\", \"b\"]")) && query_suggest_array_sample(a, STR("[]")));
    CHECK(!query_suggest_array_sample(a, STR("[1]")) && !query_suggest_array_sample(a, STR("{}")));
    CHECK(!query_suggest_array_sample(a, STR("nope")));
    arena_free(a);
}

TEST(query_facet_estimates_say_what_they_know)
{
    CHECK_INT(query_facet_estimate(7, 1), 7);
    CHECK_INT(query_facet_estimate(123456, 1), 123456);
    CHECK_INT(query_facet_estimate(1, 1250), 1300);
    CHECK_INT(query_facet_estimate(101, 1250), 130000);
    CHECK_INT(query_facet_estimate(1, 0.001), 1);
    CHECK(query_facet_estimate(INT64_MAX, 2) == INT64_MAX);
}
