/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

TEST(query_page_sizes)
{
    struct bench b;
    bench_init(&b);
    CHECK_INT(bench_plan(&b, "")->page_size, 100);
    CHECK_INT(bench_plan(&b, "_size=")->page_size, 100);
    CHECK_INT(bench_plan(&b, "_size=0")->page_size, 0);
    CHECK_INT(bench_plan(&b, "_size=7")->page_size, 7);
    CHECK_INT(bench_plan(&b, "_size=max")->page_size, 1000);
    CHECK(str_ends(bench_plan(&b, "_size=7")->sql, STR(" limit 8")));
    bench_check_refused(&b, "_size=1001", "_size must be <= 1000");
    bench_check_refused(&b, "_size=99999999999999999999", "_size must be <= 1000");
    bench_check_refused(&b, "_size=-1", "_size must be a positive integer");
    bench_check_refused(&b, "_size=x", "_size must be a positive integer");
    bench_config(&b, "{\"size\": 20}");
    CHECK_INT(bench_plan(&b, "")->page_size, 20);
    CHECK_INT(bench_plan(&b, "_size=5")->page_size, 5);
    bench_config(&b, "{\"size\": \"max\"}");
    CHECK_INT(bench_plan(&b, "")->page_size, 1000);
    bench_config(&b, "{\"size\": 2000}");
    bench_check_refused(&b, "", "_size must be <= 1000");
    b.table.config = VALUE_UNDEF;
    b.settings.default_page_size = 5000;
    CHECK_INT(bench_plan(&b, "")->page_size, 1000);
    bench_release(&b);
}

TEST(query_page_conditions_by_key)
{
    struct bench b;
    bench_init(&b);
    bench_check_tail(&b, "_next=5&name=x", "t where \"name\" = :p0 and ((id > :p1)) order by id");
    CHECK_STR(bench_plan(&b, "_next=5&name=x")->count_sql, "select count(*) from t where \"name\" = :p0 ");
    CHECK_INT(bench_plan(&b, "_next=5&name=x")->count_param_count, 1);
    bench_pks(&b, "id,name,price");
    bench_check_tail(
        &b, "_next=a~2Cb,~24null,c+d",
        "t where ((id > :p0)\n  or\n(id = :p0 and name > :p1)\n  or\n(id = :p0 and name = :p1 and price > :p2))"
        " order by id, name, price");
    CHECK_STR(bench_params(&b, bench_plan(&b, "_next=a~2Cb,~24null,c%2Bd")),
              "{\"p0\": \"a,b\", \"p1\": \"$null\", \"p2\": \"c d\"}");
    bench_check_tail(&b, "_next=a,b", "t order by id, name, price");
    CHECK(!bench_plan(&b, "_sort=tags&_next=1,2") && b.err.status == STATUS_INVALID);
    bench_pks(&b, "");
    bench_check_tail(&b, "_next=9", "t where rowid > :p0 order by rowid");
    bench_release(&b);
}

TEST(query_page_conditions_by_sort_column)
{
    struct bench b;
    bench_init(&b);
    bench_check_tail(&b, "_sort=price&_next=2.5,7",
                     "t where (price > :p1 or (price = :p1 and ((id > :p0)))) order by price, id");
    CHECK_STR(bench_params(&b, bench_plan(&b, "_sort=price&_next=2.5,7")), "{\"p0\": \"7\", \"p1\": \"2.5\"}");
    bench_check_tail(
        &b, "_sort_desc=price&_next=2.5,7",
        "t where (price < :p1 or price is null or (price = :p1 and ((id > :p0)))) order by price desc, id");
    bench_check_tail(&b, "_sort=price&_next=$null,7",
                     "t where (price is not null or (price is null and ((id > :p0)))) order by price, id");
    bench_check_tail(&b, "_sort_desc=price&_next=$null,7",
                     "t where (price is null and ((id > :p0))) order by price desc, id");
    bench_check_tail(&b, "_sort=price&_next=~24null,7",
                     "t where (price > :p1 or (price = :p1 and ((id > :p0)))) order by price, id");
    bench_release(&b);
}

TEST(query_page_of_views_is_an_offset)
{
    struct bench b;
    bench_init(&b);
    bench_pks(&b, "");
    b.table.is_view = true;
    b.table.use_rowid = false;
    CHECK_STR(bench_plan(&b, "_next=20&_size=10")->sql,
              "select id, name, price, tags, _city from t  limit 11 offset 20");
    CHECK_STR(bench_plan(&b, "_next=20&_sort=name&_size=10")->sql,
              "select id, name, price, tags, _city from t order by name limit 11 offset 20");
    CHECK(!bench_plan(&b, "_next=garbage") && b.err.status == STATUS_INVALID);
    CHECK(!bench_plan(&b, "_next=-5") && b.err.status == STATUS_INVALID);
    struct query_next next;
    query_next(b.a, bench_plan(&b, "_next=20&_sort=name&_size=10"), 11, NULL, VALUE_UNDEF, &next);
    CHECK(next.has);
    CHECK_STR(next.token, "30");
    CHECK_STR(next.url, "http://h/db/t.json?_sort=name&_size=10&_next=30");
    bench_release(&b);
}

static struct query_next next_of(struct bench *b, const char *query, int64_t rows, const char *last_json,
                                 const char *sort)
{
    struct value list = bench_value(b->a, last_json);
    struct query_next next;
    query_next(b->a, bench_plan(b, query), rows, list.list->items, bench_value(b->a, sort), &next);
    return next;
}

TEST(query_next_tokens)
{
    struct bench b;
    bench_init(&b);
    const char *row = "[7, \"a,b\", 2.0, null, \"$null\"]";
    CHECK(!next_of(&b, "_size=2", 2, row, "null").has);
    CHECK(!next_of(&b, "_size=0", 1, row, "null").has);
    CHECK_STR(next_of(&b, "_size=2", 3, row, "null").token, "7");
    CHECK_STR(next_of(&b, "_size=2&_next=4&blank=&name=x+y", 3, row, "null").url,
              "http://h/db/t.json?_size=2&name=x+y&_next=7");
    CHECK_STR(next_of(&b, "_size=2&_sort=price", 3, row, "null").token, "2~2E0,7");
    CHECK_STR(next_of(&b, "_size=2&_sort=tags", 3, row, "null").token, "$null,7");
    CHECK_STR(next_of(&b, "_size=2&_sort_desc=_city", 3, row, "null").token, "~24null,7");
    CHECK_STR(next_of(&b, "_sort_desc=name&_size=2", 3, row, "null").url,
              "http://h/db/t.json?_size=2&_next=a~2Cb%2C7&_sort_desc=name");
    bench_config(&b, "{\"sort\": \"name\"}");
    CHECK_STR(next_of(&b, "_size=2", 3, row, "null").url, "http://h/db/t.json?_size=2&_next=a~2Cb%2C7&_sort=name");
    bench_pks(&b, "name,id");
    CHECK_STR(next_of(&b, "_size=2&_sort=id", 3, row, "null").token, "7,a~2Cb,7");
    bench_release(&b);
}

TEST(query_next_looks_up_a_sort_column_that_is_not_shown)
{
    struct bench b;
    bench_init(&b);
    const struct query_plan *plan = bench_plan(&b, "_col=name&_sort=price");
    CHECK_STR(plan->sort_lookup_sql, "select price from t where id = :pk0");
    CHECK_STR(bench_plan(&b, "_col=price&_sort=price")->sort_lookup_sql, "");
    CHECK_STR(next_of(&b, "_col=name&_sort=price&_size=1", 2, "[7, \"x\"]", "1.5").token, "1~2E5,7");
    CHECK_STR(next_of(&b, "_col=name&_sort=price&_size=1", 2, "[7, \"x\"]", "null").token, "$null,7");
    bench_pks(&b, "");
    CHECK_STR(bench_plan(&b, "_col=name&_sort=price")->sort_lookup_sql, "select price from t where rowid = :pk0");
    bench_release(&b);
}

TEST(query_next_stream_override_wins)
{
    struct bench b;
    bench_init(&b);
    b.request.next = STR("12");
    bench_check_tail(&b, "_size=2", "t where ((id > :p0)) order by id");
    CHECK_STR(bench_params(&b, bench_plan(&b, "_next=5")), "{\"p0\": \"12\"}");
    bench_release(&b);
}
