/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

/* Every operator: address, condition, binding, words. */
static const struct {
    const char *query, *where, *params, *human;
} operators[] = {
    {"name=x", "\"name\" = :p0", "{\"p0\": \"x\"}", "name = \"x\""},
    {"name=12", "\"name\" = :p0", "{\"p0\": \"12\"}", "name = 12"},
    {"name__exact=", "\"name\" = :p0", "{\"p0\": \"\"}", "name = \"\""},
    {"name__not=x", "\"name\" != :p0", "{\"p0\": \"x\"}", "name != \"x\""},
    {"name__not=7", "\"name\" != :p0", "{\"p0\": \"7\"}", "name != 7"},
    {"name__contains=a%25", "\"name\" like :p0", "{\"p0\": \"%a%%\"}", "name contains \"a%\""},
    {"name__notcontains=a", "\"name\" not like :p0", "{\"p0\": \"%a%\"}", "name does not contain \"a\""},
    {"name__endswith=a", "\"name\" like :p0", "{\"p0\": \"%a\"}", "name ends with \"a\""},
    {"name__startswith=a", "\"name\" like :p0", "{\"p0\": \"a%\"}", "name starts with \"a\""},
    {"price__gt=9", "\"price\" > :p0", "{\"p0\": 9}", "price > 9"},
    {"price__gt=9.5", "\"price\" > :p0", "{\"p0\": \"9.5\"}", "price > 9.5"},
    {"price__gte=-1", "\"price\" >= :p0", "{\"p0\": \"-1\"}", "price \u2265 -1"},
    {"price__lt=007", "\"price\" < :p0", "{\"p0\": 7}", "price < 007"},
    {"price__lte=", "\"price\" <= :p0", "{\"p0\": \"\"}", "price \u2264 "},
    {"name__like=a_", "\"name\" like :p0", "{\"p0\": \"a_\"}", "name like \"a_\""},
    {"name__notlike=a", "\"name\" not like :p0", "{\"p0\": \"a\"}", "name not like \"a\""},
    {"name__glob=a*", "\"name\" glob :p0", "{\"p0\": \"a*\"}", "name glob \"a*\""},
    {"name__in=a,+b,", "name in (:p0, :p1, :p2)", "{\"p0\": \"a\", \"p1\": \"b\", \"p2\": \"\"}",
     "name in [\"a\", \"b\", \"\"]"},
    {"name__in=[1,null,\"\303\251\"]", "name in (:p0, :p1, :p2)", "{\"p0\": 1, \"p1\": null, \"p2\": \"\\u00e9\"}",
     "name in [1, null, \"\\u00e9\"]"},
    {"name__in=[]", "name in ()", "{}", "name in []"},
    {"name__in=", "name in (:p0)", "{\"p0\": \"\"}", "name in [\"\"]"},
    {"order__notin=a", "\"order\" not in (:p0)", "{\"p0\": \"a\"}", "order not in [\"a\"]"},
    {"tags__arraycontains=x", ":p0 in (select value from json_each([t].[tags]))", "{\"p0\": \"x\"}",
     "tags contains \"x\""},
    {"tags__arraynotcontains=x", ":p0 not in (select value from json_each([t].[tags]))", "{\"p0\": \"x\"}",
     "tags does not contain \"x\""},
    {"name__date=2020-01-01", "date(\"name\") = :p0", "{\"p0\": \"2020-01-01\"}", "\"name\" is on date 2020-01-01"},
    {"name__isnull=1", "\"name\" is null", "{}", "name is null"},
    {"name__notnull=", "\"name\" is not null", "{}", "name is not null"},
    {"name__isblank=1", "(\"name\" is null or \"name\" = \"\")", "{}", "name is blank"},
    {"name__notblank=1", "(\"name\" is not null and \"name\" != \"\")", "{}", "name is not blank"},
    {"_city__exact=1", "\"_city\" = :p0", "{\"p0\": \"1\"}", "_city = 1"},
    {"a__b__gt=1", "\"a__b\" > :p0", "{\"p0\": 1}", "a__b > 1"},
    {"a___gt=1", "\"a_\" > :p0", "{\"p0\": 1}", "a_ > 1"},
};

TEST(query_filters_every_operator)
{
    struct bench b;
    bench_init(&b);
    for (size_t i = 0; i < ARRAY_LEN(operators); i++) {
        str tail = ARENA_CAT(b.a, STR("t where "), str_of(operators[i].where), STR(" order by id"));
        bench_check_tail(&b, operators[i].query, arena_cstr(b.a, tail));
        const struct query_plan *plan = bench_plan(&b, operators[i].query);
        CHECK_STR(bench_params(&b, plan), operators[i].params);
        CHECK_STRS(plan->human, ARENA_CAT(b.a, STR("where "), str_of(operators[i].human)));
        CHECK_STRS(plan->count_sql,
                   ARENA_CAT(b.a, STR("select count(*) from t where "), str_of(operators[i].where), STR(" ")));
    }
    bench_release(&b);
}

TEST(query_filters_all_operators_are_tested_above)
{
    for (size_t i = 0; query_op_at(i); i++) {
        const char *key = query_op_at(i)->key;
        bool found = false;
        for (size_t k = 0; k < ARRAY_LEN(operators) && !found; k++)
            found = str_find(str_of(operators[k].query), str_of(key)) != STR_NPOS;
        if (!found)
            test_fail(__FILE__, __LINE__, "operator %s has no test", key);
    }
    CHECK(query_op_at(21) && !query_op_at(22));
}

TEST(query_filters_are_sorted_then_numbered)
{
    struct bench b;
    bench_init(&b);
    bench_check_tail(&b, "z=1&name__in=b,a&name=2&name=1&_size=3",
                     "t where \"name\" = :p0 and \"name\" = :p1 and name in (:p2, :p3) and \"z\" = :p4 order by id");
    CHECK_STR(bench_params(&b, bench_plan(&b, "z=1&name__in=b,a&name=2&name=1")),
              "{\"p0\": \"1\", \"p1\": \"2\", \"p2\": \"b\", \"p3\": \"a\", \"p4\": \"1\"}");
    bench_release(&b);
}

TEST(query_filters_unknown_operator_makes_nothing)
{
    struct bench b;
    bench_init(&b);
    bench_check_tail(&b, "name__nope=1&price__gt=3", "t where \"price\" > :p0 order by id");
    const struct query_plan *plan = bench_plan(&b, "name__nope=1&name__=2");
    CHECK_STR(plan->human, "");
    CHECK_INT(plan->selection_count, 2);
    CHECK_STR(plan->selections[1].op, "nope");
    bench_release(&b);
}

/* A column name is the one thing of the address bar that becomes SQL text. */
TEST(query_filters_column_names_cannot_break_out)
{
    struct bench b;
    bench_init(&b);
    b.table.name = STR("a]b");
    bench_check_tail(&b, "x%22+%3D+%22x%22+or+1--=v", "\"a]b\" where \"x\"\" = \"\"x\"\" or 1--\" = :p0 order by id");
    bench_check_tail(&b, "q]%22__arraycontains=v",
                     "\"a]b\" where :p0 in (select value from json_each(\"a]b\".\"q]\"\"\")) order by id");
    bench_check_tail(&b, "%22+or+1%3D1+--__in=v", "\"a]b\" where \"\"\" or 1=1 --\" in (:p0) order by id");
    bench_release(&b);
}

TEST(query_filters_bad_values_are_refused)
{
    struct bench b;
    bench_init(&b);
    CHECK(bench_plan(&b, "id__in=[1") == NULL && b.err.status == STATUS_INVALID);
    CHECK(str_starts(str_of(b.err.text), STR("id__in is not a JSON list: ")));
    bench_check_refused(&b, "id__in=[1,[2]]", "id__in: item 2 of the list is itself a list or an object");
    bench_check_refused(&b, "id__gt=99999999999999999999",
                        "id__gt=99999999999999999999 is too large for a 64-bit integer");
    bench_release(&b);
}

TEST(query_where_is_verbatim_and_can_be_removed)
{
    struct bench b;
    bench_init(&b);
    const struct query_plan *plan = bench_plan(&b, "_where=price+%3E+1&name=x&_where=1%3D1&blank=");
    CHECK_STR(plan->count_sql,
              "select count(*) from t where \"blank\" = :p0 and \"name\" = :p1 and price > 1 and 1=1 ");
    CHECK_INT(plan->where_count, 2);
    CHECK_STR(plan->wheres[1].text, "1=1");
    CHECK_STR(plan->wheres[0].remove_url, "/db/t.json?name=x&_where=1%3D1");
    CHECK_STR(plan->human, "where blank = \"\" and name = \"x\"");
    b.request.may_execute_sql = false;
    bench_check_refused(&b, "_where=1", "_where= is not allowed");
    CHECK_INT(b.err.status, STATUS_FORBIDDEN);
    bench_release(&b);
}

TEST(query_through_follows_a_foreign_key)
{
    struct bench b;
    bench_init(&b);
    static const struct query_incoming incoming[] = {{{"links", 5}, {"t id", 4}, {"id", 2}},
                                                     {{"links", 5}, {"second", 6}, {"id", 2}}};
    b.table.incoming = incoming;
    b.table.incoming_count = 2;
    bench_check_tail(&b, "_through={\"table\":\"links\",\"column\":\"tag\",\"value\":\"x\"}",
                     "t where id in (select \"t id\" from links where tag = :p0) order by id");
    const struct query_plan *plan =
        bench_plan(&b, "name=a&_through={\"table\":\"links\",\"column\":\"order\",\"value\":3}");
    CHECK_STR(plan->from_sql,
              "from t where \"name\" = :p0 and id in (select \"t id\" from links where \"order\" = :p1) ");
    CHECK_STR(bench_params(&b, plan), "{\"p0\": \"a\", \"p1\": 3}");
    CHECK_STR(plan->human, "where links.order = \"3\" and name = \"a\"");
    bench_check_refused(&b, "_through={\"table\":\"other\",\"column\":\"tag\",\"value\":\"x\"}",
                        "Invalid _through - could not find corresponding foreign key");
    CHECK(!bench_plan(&b, "_through=nope") && b.err.status == STATUS_INVALID);
    CHECK(!bench_plan(&b, "_through={\"table\":\"links\"}") && b.err.status == STATUS_INVALID);
    CHECK(!bench_plan(&b, "_through={\"table\":\"links\",\"column\":\"c\",\"value\":[]}") &&
          b.err.status == STATUS_INVALID);
    bench_release(&b);
}
