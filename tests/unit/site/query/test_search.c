/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

static size_t columns_of(void *self, str table, const str **ret_columns)
{
    static const str columns[] = {{"name", 4}, {"full text", 9}};
    (void)self;
    *ret_columns = columns;
    return str_is(table, "t_fts") ? 2 : 0;
}

static void searchable(struct bench *b)
{
    bench_init(b);
    b->table.fts_table = STR("t_fts");
    b->table.columns_of = columns_of;
}

TEST(query_search_everywhere)
{
    struct bench b;
    searchable(&b);
    bench_check_tail(
        &b, "_search=dog&name=x",
        "t where \"name\" = :p0 and rowid in (select rowid from t_fts where t_fts match escape_fts(:search))"
        " order by id");
    const struct query_plan *plan = bench_plan(&b, "_search=big+dog&name=x");
    CHECK_STR(bench_params(&b, plan), "{\"p0\": \"x\", \"search\": \"big dog\"}");
    CHECK_STR(plan->human, "where search matches \"big dog\" and name = \"x\"");
    CHECK_STR(plan->search, "big dog");
    CHECK(plan->supports_search);
    bench_check_tail(
        &b, "_search=", "t where rowid in (select rowid from t_fts where t_fts match escape_fts(:search)) order by id");
    bench_check_tail(&b, "_search=a&_searchmode=raw",
                     "t where rowid in (select rowid from t_fts where t_fts match :search) order by id");
    bench_release(&b);
}

TEST(query_search_in_columns)
{
    struct bench b;
    searchable(&b);
    bench_check_tail(&b, "_search_name=a&_search_full+text=b",
                     "t where rowid in (select rowid from t_fts where name match escape_fts(:search_0)) and "
                     "rowid in (select rowid from t_fts where \"full text\" match escape_fts(:search_1)) order by id");
    CHECK_STR(bench_plan(&b, "_search_name=a&_search_full+text=b")->human,
              "where search column \"name\" matches \"a\" and search column \"full text\" matches \"b\"");
    bench_check_refused(&b, "_search_nope=a", "Cannot search by that column");
    bench_check_refused(&b, "_searchx=a", "Cannot search by that column");
    bench_check_tail(&b, "_search=a&_search_nope=b",
                     "t where rowid in (select rowid from t_fts where t_fts match escape_fts(:search)) order by id");
    bench_release(&b);
}

TEST(query_search_table_key_and_mode)
{
    struct bench b;
    searchable(&b);
    bench_check_tail(&b, "_search=a&_fts_table=my+fts&_fts_pk=order",
                     "t where \"order\" in (select rowid from \"my fts\" where \"my fts\" match escape_fts(:search))"
                     " order by id");
    bench_config(&b, "{\"fts_table\": \"other\", \"fts_pk\": \"id\", \"searchmode\": \"raw\"}");
    bench_check_tail(&b, "_search=a", "t where id in (select rowid from other where other match :search) order by id");
    bench_check_tail(&b, "_search=a&_searchmode=escaped",
                     "t where id in (select rowid from other where other match escape_fts(:search)) order by id");
    b.table.config = VALUE_UNDEF;
    b.table.fts_table = STR("");
    bench_check_tail(&b, "_search=a&_search_name=b", "t order by id");
    const struct query_plan *plan = bench_plan(&b, "_search=a");
    CHECK(!plan->supports_search && plan->human.n == 0);
    bench_release(&b);
}
