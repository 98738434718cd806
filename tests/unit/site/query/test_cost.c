/* SPDX-License-Identifier: Apache-2.0 */
/* What a page view runs does not grow with the table: the steps of SQLite's machine over all statements of a page are
 * the same for a table and for one of twice its rows. */
#include <inttypes.h>
#include <sqlite3.h>

#include "support.h"

#define SMALL 80000 /* a seventh of them is more than any statement of a page looks at */

static sqlite3 *open_rows(int rows)
{
    static const char *const script[] = {
        "create table t (id integer primary key, name text, price real, tags text, _city integer, day text);"
        "create virtual table t_fts using fts5(name, content='t', content_rowid='id');"
        "create index t_city on t (_city);",
        "insert into t_fts(t_fts) values ('rebuild');",
    };
    sqlite3 *db;
    char *insert = sqlite3_mprintf("with recursive c(i) as (select 1 union all select i + 1 from c where i < %d) "
                                   "insert into t select i, 'name ' || "
                                   "(i %% 9), i / 4.0, '[\"a\"]', i %% 7, '2020-01-01' from c",
                                   rows);
    const char *const statements[] = {script[0], insert, script[1]};
    CHECK_INT(sqlite3_open(":memory:", &db), SQLITE_OK);
    for (size_t i = 0; i < ARRAY_LEN(statements); i++)
        CHECK_INT(sqlite3_exec(db, statements[i], NULL, NULL, NULL), SQLITE_OK);
    sqlite3_free(insert);
    return db;
}

static int64_t steps(sqlite3 *db, const struct query_plan *plan, str sql)
{
    sqlite3_stmt *s;
    if (!sql.n)
        return 0;
    if (sqlite3_prepare_v2(db, sql.p, (int)sql.n, &s, NULL) != SQLITE_OK)
        test_fail(__FILE__, __LINE__, STR_FMT ": %s", STR_ARG(sql), sqlite3_errmsg(db));
    for (int i = 1; i <= sqlite3_bind_parameter_count(s); i++) {
        const char *name = sqlite3_bind_parameter_name(s, i) + 1;
        str text = str_of(strcmp(name, QUERY_SAMPLE) ? "" : "[1,2,3,100,200,19999]");
        for (size_t k = 0; k < plan->param_count; k++)
            if (str_is(plan->params[k].name, name))
                text = plan->params[k].value.s;
        sqlite3_bind_text(s, i, text.p, (int)text.n, SQLITE_STATIC);
    }
    while (sqlite3_step(s) == SQLITE_ROW) {
    }
    int64_t n = sqlite3_stmt_status(s, SQLITE_STMTSTATUS_VM_STEP, 0);
    sqlite3_finalize(s); /* a probe that finds no JSON ends with an error */
    return n;
}

static int64_t page_steps(struct bench *b, sqlite3 *db, const char *query)
{
    struct query_facets facets;
    struct query_suggestions suggestions;
    const struct query_plan *plan = bench_plan(b, query);
    if (!plan || query_facets(b->a, plan, &facets, &b->err) != STATUS_OK)
        test_fail(__FILE__, __LINE__, "%s: %s", query, b->err.text);
    query_suggestions(b->a, plan, &facets, &suggestions);
    int64_t n = steps(db, plan, plan->search_sql.n ? plan->search_sql : plan->stable_sql) +
                steps(db, plan, query_count_sql_limited(b->a, plan, 10001));
    for (size_t i = 0; i < facets.count; i++)
        n += steps(db, plan, facets.items[i].sampled_sql) + steps(db, plan, facets.items[i].first_sql);
    for (size_t i = 0; i < suggestions.count; i++)
        n += steps(db, plan, suggestions.items[i].sql) + steps(db, plan, suggestions.items[i].sample_sql);
    return n;
}

TEST(query_cost_of_a_page_does_not_grow_with_the_table)
{
    static const char *const queries[] = {
        "",
        "_next=9000",
        "_facet=name&_facet_array=tags&_facet_date=day",
        "_city__exact=3",
        "_city__exact=3&_facet=name",
        "_sort=_city&_size=5",
        "_search=name&_searchmode=raw",
        "_search=name&_searchmode=raw&_next=9000&_facet=name",
        "name__contains=name&_size=1000",
    };
    struct bench b;
    bench_init(&b);
    bench_columns(&b, "id,name,price,tags,_city,day");
    b.table.fts_table = STR("t_fts");
    b.table.has_rowid = b.table.key_is_rowid = true;
    sqlite3 *one = open_rows(SMALL), *two = open_rows(2 * SMALL);
    for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
        int64_t less = page_steps(&b, one, queries[i]), more = page_steps(&b, two, queries[i]);
        if (more > less + less / 10)
            test_fail(__FILE__, __LINE__, "\"%s\": %" PRId64 " steps over %d rows, %" PRId64 " over twice as many",
                      queries[i], less, SMALL, more);
    }
    sqlite3_close(one);
    sqlite3_close(two);
    bench_release(&b);
}
