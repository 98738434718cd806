/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

TEST(query_sort_by_argument_then_configuration)
{
    struct bench b;
    bench_init(&b);
    bench_check_tail(&b, "", "t order by id");
    bench_check_tail(&b, "_sort=name", "t order by name");
    bench_check_tail(&b, "_sort_desc=price", "t order by price desc");
    bench_check_tail(&b, "_sort=&_sort_desc=", "t order by id");
    bench_config(&b, "{\"sort_desc\": \"price\"}");
    bench_check_tail(&b, "", "t order by price desc");
    bench_check_tail(&b, "_sort=name", "t order by name");
    CHECK_STR(bench_plan(&b, "")->human, "sorted by price descending");
    CHECK_STR(bench_plan(&b, "_sort=name&name=x")->human, "where name = \"x\" sorted by name");
    bench_release(&b);
}

TEST(query_sort_ties_have_an_order_when_run)
{
    struct bench b;
    bench_init(&b);
    bench_pks(&b, "name,order");
    const struct query_plan *plan = bench_plan(&b, "_sort_desc=price&_col=price");
    CHECK_STR(plan->sql, "select name, \"order\", price from t order by price desc limit 101");
    CHECK_STR(plan->stable_sql, "select name, \"order\", price from t order by price desc, name, \"order\" limit 101");
    plan = bench_plan(&b, "_sort=price&_next=1,2,3");
    CHECK_STRS(plan->sql, plan->stable_sql);
    plan = bench_plan(&b, "");
    CHECK_STRS(plan->sql, plan->stable_sql);
    bench_pks(&b, "");
    b.table.is_view = true;
    b.table.use_rowid = false;
    plan = bench_plan(&b, "_sort=price");
    CHECK_STRS(plan->sql, plan->stable_sql);
    bench_release(&b);
}

TEST(query_sort_refusals)
{
    struct bench b;
    bench_init(&b);
    bench_check_refused(&b, "_sort=nope", "Cannot sort table by nope");
    bench_check_refused(&b, "_sort_desc=NAME", "Cannot sort table by NAME");
    bench_check_refused(&b, "_sort=rowid", "Cannot sort table by rowid");
    bench_check_refused(&b, "_sort=name&_sort_desc=nope", "Cannot use _sort and _sort_desc at the same time");
    bench_config(&b, "{\"sortable_columns\": [\"price\"]}");
    bench_check_tail(&b, "_sort=price", "t order by price");
    bench_check_refused(&b, "_sort=name", "Cannot sort table by name");
    CHECK(query_sortable(&b.table, STR("price")) && !query_sortable(&b.table, STR("id")));
    bench_config(&b, "{\"sortable_columns\": []}");
    bench_check_refused(&b, "_sort=price", "Cannot sort table by price");
    bench_release(&b);
}

TEST(query_sort_of_views_rowid_and_compound_keys)
{
    struct bench b;
    bench_init(&b);
    bench_pks(&b, "name,order");
    bench_check_tail(&b, "", "t order by name, \"order\"");
    bench_pks(&b, "");
    bench_check_tail(&b, "_sort=rowid", "t order by rowid");
    bench_check_tail(&b, "", "t order by rowid");
    b.table.is_view = true;
    b.table.use_rowid = false;
    CHECK_STR(bench_plan(&b, "")->sql, "select id, name, price, tags, _city from t  limit 101");
    bench_check_tail(&b, "_sort_desc=name", "t order by name desc");
    bench_release(&b);
}
