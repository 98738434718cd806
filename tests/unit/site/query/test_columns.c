/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

static void check_select(struct bench *b, const char *query, const char *want)
{
    const struct query_plan *plan = bench_plan(b, query);
    if (!plan)
        test_fail(__FILE__, __LINE__, "%s: refused: %s", query, b->err.text);
    size_t from = str_find(plan->sql, STR(" from "));
    CHECK_STR(str_sub(plan->sql, 7, from), want);
}

TEST(query_identifiers)
{
    struct bench b;
    bench_init(&b);
    static const char *const table[][2] = {
        {"a", "a"},
        {"_a9", "_a9"},
        {"9a", "\"9a\""},
        {"a b", "\"a b\""},
        {"", "\"\""},
        {"select", "\"select\""},
        {"Group", "\"Group\""},
        {"without", "\"without\""},
        {"abort", "\"abort\""},
        {"selects", "selects"},
        {"a\"b", "\"a\"\"b\""},
        {"caf\303\251", "\"caf\303\251\""},
        {"a-b", "\"a-b\""},
        {"current_timestamp", "\"current_timestamp\""},
        {"a\n", "\"a\n\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        CHECK_STR(query_identifier(b.a, str_of(table[i][0])), table[i][1]);
    bench_release(&b);
}

TEST(query_columns_chosen_and_left_out)
{
    struct bench b;
    bench_init(&b);
    check_select(&b, "", "id, name, price, tags, _city");
    check_select(&b, "_col=price&_col=name&_col=price", "id, price, name");
    check_select(&b, "_nocol=tags&_nocol=_city", "id, name, price");
    check_select(&b, "_col=name&_col=price&_nocol=price", "id, name");
    check_select(&b, "_col=name&_nocol=price", "id, name");
    CHECK_STR(bench_plan(&b, "_col=name")->facet_sql, "select id, name, price, tags, _city from t ");
    bench_check_refused(&b, "_col=x&_col=name&_col=y", "_col=x, y - invalid columns");
    bench_check_refused(&b, "_col=", "_col= - invalid columns");
    bench_check_refused(&b, "_nocol=nope&_nocol=id", "_nocol=nope, id - invalid columns");
    bench_check_refused(&b, "_col=nope&_sort=nope", "_col=nope - invalid columns");
    bench_release(&b);
}

TEST(query_columns_of_rowid_tables_and_views)
{
    struct bench b;
    bench_init(&b);
    bench_pks(&b, "");
    check_select(&b, "", "rowid, id, name, price, tags, _city");
    check_select(&b, "_col=name", "rowid, name");
    check_select(&b, "_nocol=id&_nocol=name&_nocol=price&_nocol=tags&_nocol=_city", "rowid");
    CHECK_STR(bench_plan(&b, "")->columns[0], "rowid");
    b.table.is_view = true;
    b.table.use_rowid = false;
    check_select(&b, "_col=name", "name");
    CHECK(!bench_plan(&b, "_nocol=id&_nocol=name&_nocol=price&_nocol=tags&_nocol=_city"));
    CHECK_INT(b.err.status, STATUS_INVALID);
    bench_release(&b);
}
