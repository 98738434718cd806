/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the planned SQL on a small database: does it select what it should? The planner itself never sees SQLite. */
#include <sqlite3.h>
#include <stdlib.h>

#include "support.h"

static sqlite3 *open_fixture(const char *sql)
{
    sqlite3 *db;
    char *message = NULL;
    CHECK(sqlite3_open(":memory:", &db) == SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        test_fail(__FILE__, __LINE__, "%s", message);
    return db;
}

static void bind(sqlite3_stmt *s, const struct query_param *p)
{
    char name[64];
    snprintf(name, sizeof(name), ":" STR_FMT, STR_ARG(p->name));
    int at = sqlite3_bind_parameter_index(s, name);
    if (at == 0)
        return;
    switch (p->value.kind) {
    case VALUE_INT:
        sqlite3_bind_int64(s, at, p->value.i);
        break;
    case VALUE_FLOAT:
        sqlite3_bind_double(s, at, p->value.f);
        break;
    case VALUE_BOOL:
        sqlite3_bind_int64(s, at, p->value.b);
        break;
    case VALUE_STR:
        sqlite3_bind_text(s, at, p->value.s.p ? p->value.s.p : "", (int)p->value.s.n, SQLITE_TRANSIENT);
        break;
    default:
        sqlite3_bind_null(s, at);
    }
}

static struct value column_value(struct arena *a, sqlite3_stmt *s, int i)
{
    switch (sqlite3_column_type(s, i)) {
    case SQLITE_INTEGER:
        return value_int(sqlite3_column_int64(s, i));
    case SQLITE_FLOAT:
        return value_float(sqlite3_column_double(s, i));
    case SQLITE_NULL:
        return VALUE_NULL;
    default:
        return value_str(
            arena_str(a, str_make((const char *)sqlite3_column_text(s, i), (size_t)sqlite3_column_bytes(s, i))));
    }
}

/* A list of rows, each a list of values. */
static struct value run(struct arena *a, sqlite3 *db, str sql, const struct query_param *params, size_t count)
{
    sqlite3_stmt *s;
    struct value rows = value_list(a);
    if (sqlite3_prepare_v2(db, sql.p, (int)sql.n, &s, NULL) != SQLITE_OK)
        test_fail(__FILE__, __LINE__, STR_FMT ": %s", STR_ARG(sql), sqlite3_errmsg(db));
    for (size_t i = 0; i < count; i++)
        bind(s, &params[i]);
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        struct value row = value_list(a);
        for (int i = 0; i < sqlite3_column_count(s); i++)
            value_push(row, column_value(a, s, i));
        value_push(rows, row);
    }
    if (rc != SQLITE_DONE)
        test_fail(__FILE__, __LINE__, STR_FMT ": %s", STR_ARG(sql), sqlite3_errmsg(db));
    sqlite3_finalize(s);
    return rows;
}

static struct value run_plan(struct bench *b, sqlite3 *db, const struct query_plan *plan)
{
    return run(b->a, db, plan->stable_sql, plan->params, plan->param_count);
}

/* The first column of the rows, "1 2 5". */
static str ids(struct bench *b, struct value rows)
{
    str *texts = ARENA_ARRAY(b->a, str, value_count(rows) + 1);
    for (size_t i = 0; i < value_count(rows); i++)
        texts[i] = value_to_str(b->a, value_at(value_at(rows, i), 0));
    return query_join(b->a, texts, value_count(rows), STR(" "));
}

static const char fixture[] =
    "create table t (id integer primary key, name text, price real, tags text, _city integer, day text);"
    "insert into t values (1,'apple',1.5,'[\"a\",\"b\"]',1,'2020-01-01 "
    "10:00'),(2,'Banana',9,'[\"b\",\"b\"]',1,'2020-01-01'),"
    "(3,'cherry',10,'[]',2,'2020-01-02'),(4,'',null,null,2,null),(5,null,2.25,'[\"c\"]',null,'not a day'),"
    "(6,'a%_b',-1,'[\"a\"]',1,'2021-05-05'),(7,'[x]',9,'[\"d\"]',2,'2020-01-02');"
    "create table link (t_id integer references t(id), word text);"
    "insert into link values (1,'x'),(3,'x'),(3,'y'),(7,'z');"
    "create virtual table t_fts using fts5(name, content='t', content_rowid='id');"
    "insert into t_fts(t_fts) values ('rebuild');"
    "create view v as select name, price from t where price > 0 order by price;";

static void use_fixture(struct bench *b)
{
    static const struct query_incoming incoming = {{"link", 4}, {"t_id", 4}, {"id", 2}};
    bench_init(b);
    bench_columns(b, "id,name,price,tags,_city,day");
    b->table.incoming = &incoming;
    b->table.incoming_count = 1;
    b->table.fts_table = STR("t_fts");
}

TEST(query_exec_filters)
{
    static const char *const table[][2] = {
        {"", "1 2 3 4 5 6 7"},
        {"name=apple", "1"},
        {"id=3", "3"},
        {"id__exact=3", "3"},
        {"name__not=apple", "2 3 4 6 7"},
        {"name__contains=AN", "2"},
        {"name__contains=%25", "1 2 3 4 6 7"},
        {"name__notcontains=a", "3 4 7"},
        {"name__endswith=y", "3"},
        {"name__startswith=a", "1 6"},
        {"price__gt=9", "3"},
        {"price__gt=1.5", "2 3 5 7"},
        {"price__gte=9", "2 3 7"},
        {"price__lt=2", "1 6"},
        {"price__lte=-1", "6"},
        {"name__like=%25n%25", "2"},
        {"name__notlike=a%25", "2 3 4 7"},
        {"name__glob=B*", "2"},
        {"id__in=1,3,+5,x", "1 3 5"},
        {"id__in=[2,%22four%22,null]", "2"},
        {"name__in=[\"[x]\"]", "7"},
        {"id__in=[]", ""},
        {"id__in=", ""},
        {"id__notin=1,2,3,4,5", "6 7"},
        {"tags__arraycontains=b", "1 2"},
        {"tags__arraynotcontains=b", "3 4 5 6 7"},
        {"day__date=2020-01-01", "1 2"},
        {"price__isnull=1", "4"},
        {"price__notnull=1", "1 2 3 5 6 7"},
        {"name__isblank=1", "4 5"},
        {"name__notblank=1", "1 2 3 6 7"},
        {"_city__exact=2&price__gte=10", "3"},
        {"name=apple&name=Banana", ""},
        {"nope=1", ""},
        {"nope__nope=1", "1 2 3 4 5 6 7"},
        {"_where=price+%3C+2&_where=id+%3E+1", "6"},
        {"_through={\"table\":\"link\",\"column\":\"word\",\"value\":\"x\"}", "1 3"},
        {"name=cherry&_through={\"table\":\"link\",\"column\":\"word\",\"value\":\"x\"}", "3"},
        {"_through={\"table\":\"link\",\"column\":\"word\",\"value\":\"x\"}&_through={\"table\":\"link\",\"column\":"
         "\"word\",\"value\":\"y\"}",
         "3"},
        {"_search=apple+OR+cherry&_searchmode=raw", "1 3"},
        {"_sort=price&_size=3", "4 6 1 5"},
        {"_sort_desc=price&price__notnull=1&_size=2", "3 2 7"},
    };
    struct bench b;
    use_fixture(&b);
    sqlite3 *db = open_fixture(fixture);
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        const struct query_plan *plan = bench_plan(&b, table[i][0]);
        if (!plan)
            test_fail(__FILE__, __LINE__, "%s: %s", table[i][0], b.err.text);
        str got = ids(&b, run_plan(&b, db, plan));
        if (!str_is(got, table[i][1]))
            test_fail(__FILE__, __LINE__, "%s: got \"" STR_FMT "\", want \"%s\"", table[i][0], STR_ARG(got),
                      table[i][1]);
        if (plan->page_size == 100) {
            struct value count = run(b.a, db, plan->count_sql, plan->params, plan->count_param_count);
            CHECK_INT(value_at(value_at(count, 0), 0).i, value_count(run_plan(&b, db, plan)));
        }
    }
    sqlite3_close(db);
    bench_release(&b);
}

/* The way a search is run and the way it is shown give the same rows; NULL = there is only one way. */
static void check_search(struct bench *b, sqlite3 *db, const char *query, const char *page, const char *rows)
{
    const struct query_plan *plan = bench_plan(b, query);
    if (!plan)
        test_fail(__FILE__, __LINE__, "%s: %s", query, b->err.text);
    const struct query_param *params = plan->params;
    size_t n = plan->param_count;
    if ((plan->search_sql.n > 0) != (page != NULL) || str_eq(plan->rows_sql, plan->facet_sql) != (rows == NULL))
        test_fail(__FILE__, __LINE__, "%s: wrong way: " STR_FMT, query, STR_ARG(plan->rows_sql));
    if (page)
        CHECK_STR(ids(b, run(b->a, db, plan->search_sql, params, n)), page);
    if (page)
        CHECK_STR(ids(b, run_plan(b, db, plan)), page);
    CHECK(rows == NULL || str_is(ids(b, run(b->a, db, plan->rows_sql, params, n)), rows));
    struct value all = run(b->a, db, plan->count_sql, params, plan->count_param_count);
    struct value limited = run(b->a, db, query_count_sql_limited(b->a, plan, 100), params, plan->count_param_count);
    CHECK_INT(value_count(limited), value_at(value_at(all, 0), 0).i);
}

TEST(query_exec_search_in_the_order_of_its_index)
{
    struct bench b;
    use_fixture(&b);
    b.table.key_is_rowid = true;
    sqlite3 *db = open_fixture(fixture);
    check_search(&b, db, "_search=a*+OR+b*+OR+c*+OR+x&_searchmode=raw", "1 2 3 6 7", "1 2 3 6 7");
    check_search(&b, db, "_search=a*+OR+b*+OR+c*+OR+x&_searchmode=raw&_size=2&_next=2", "3 6 7", "3 6 7");
    check_search(&b, db, "_search=a*+OR+c*&_searchmode=raw&_city__exact=1&price__gt=0", "1", "1");
    check_search(&b, db, "_search=a*+OR+c*&_searchmode=raw&_col=name", "1 3 6", "1 3 6");
    check_search(&b, db, "_search=a*+OR+c*&_searchmode=raw&_sort=price", NULL, "1 3 6");
    check_search(&b, db, "_search=a*+OR+c*&_searchmode=raw&_sort=price&_next=1.5,1", NULL, NULL);
    check_search(&b, db, "_search=a*+OR+c*&_searchmode=raw&rowid__gt=2", NULL, NULL);
    check_search(&b, db, "_search=a*+OR+c*&_searchmode=raw&_where=id+>+2", NULL, NULL);
    check_search(&b, db, "name=apple", NULL, NULL);
    b.table.key_is_rowid = false;
    check_search(&b, db, "_search=a*+OR+c*&_searchmode=raw", NULL, NULL);
    b.table.key_is_rowid = true;
    bench_pks(&b, "");
    check_search(&b, db, "_search=a*+OR+b*+OR+c*+OR+x&_searchmode=raw&_size=1&_next=1", "2 3", "2 3 6 7");
    sqlite3_close(db);
    bench_release(&b);
}

TEST(query_exec_limited_count)
{
    struct bench b;
    use_fixture(&b);
    sqlite3 *db = open_fixture(fixture);
    const struct query_plan *plan = bench_plan(&b, "id__gt=1&_next=4");
    CHECK_STR(ids(&b, run_plan(&b, db, plan)), "5 6 7");
    str sql = query_count_sql_limited(b.a, plan, 4);
    CHECK_STR(ids(&b, run(b.a, db, sql, plan->params, plan->count_param_count)), "1 1 1 1");
    sqlite3_close(db);
    bench_release(&b);
}

static void check_facet(struct bench *b, sqlite3 *db, const char *query, const char *want)
{
    struct query_facets f;
    const struct query_plan *plan = bench_plan(b, query);
    CHECK(plan && query_facets(b->a, plan, &f, &b->err) == STATUS_OK && f.count == 1);
    CHECK_STR(bench_json(b->a, run(b->a, db, f.items[0].sql, plan->params, plan->param_count)), want);
}

TEST(query_exec_facets)
{
    struct bench b;
    use_fixture(&b);
    sqlite3 *db = open_fixture(fixture);
    check_facet(&b, db, "_facet=_city", "[[1, 3], [2, 3]]");
    check_facet(&b, db, "_facet=_city&price__gt=8", "[[2, 2], [1, 1]]");
    check_facet(&b, db, "_facet=price&_facet_size=1", "[[9.0, 2], [-1.0, 1]]");
    check_facet(&b, db, "_facet_date=day", "[[\"2020-01-01\", 2], [\"2020-01-02\", 2], [\"2021-05-05\", 1]]");
    check_facet(&b, db, "_facet_array=tags", "[[\"a\", 2], [\"b\", 2], [\"c\", 1], [\"d\", 1]]");
    sqlite3_close(db);
    bench_release(&b);
}

/* Runs all probes by the rules of facets.h; "column:_city date:day ..." */
static str suggested(struct bench *b, sqlite3 *db, const char *query, int64_t row_count)
{
    struct query_facets on;
    struct query_suggestions s;
    const struct query_plan *plan = bench_plan(b, query);
    CHECK(plan && query_facets(b->a, plan, &on, &b->err) == STATUS_OK);
    query_suggestions(b->a, plan, &on, &s);
    VEC(str) out = {0};
    for (size_t i = 0; i < s.count; i++) {
        struct query_suggestion *c = &s.items[i];
        sqlite3_stmt *probe;
        CHECK(sqlite3_prepare_v2(db, c->sql.p, (int)c->sql.n, &probe, NULL) == SQLITE_OK);
        sqlite3_finalize(probe);
        if (c->kind == QUERY_FACET_ARRAY && !str_is(c->column, "tags"))
            continue; /* json_type() of plain text fails, as expected of a probe */
        struct value rows = run(b->a, db, c->sql, plan->params, plan->param_count);
        bool take = false;
        str types[8];
        size_t type_count = 0;
        for (size_t k = 0; k < value_count(rows); k++) {
            struct value row = value_at(rows, k);
            if (c->kind == QUERY_FACET_COLUMN)
                take |= value_at(row, 1).i > 1;
            else if (c->kind == QUERY_FACET_DATE)
                take |= query_suggest_date(value_at(row, 0));
            else if (type_count < ARRAY_LEN(types))
                types[type_count++] = value_is_null(value_at(row, 0)) ? STR("") : value_at(row, 0).s;
        }
        if (c->kind == QUERY_FACET_COLUMN)
            take = query_suggest_column(value_count(rows), take, row_count, s.facet_size);
        if (c->kind == QUERY_FACET_ARRAY) {
            struct value samples = run(b->a, db, c->sample_sql, plan->params, plan->param_count);
            take = query_suggest_array_types(types, type_count) && value_count(samples) > 0;
            for (size_t k = 0; k < value_count(samples); k++)
                take &= query_suggest_array_sample(b->a, value_at(value_at(samples, k), 0).s);
        }
        if (take)
            VEC_PUSH(b->a, &out, ARENA_CAT(b->a, str_of(query_facet_type(c->kind)), STR(":"), c->column));
    }
    return query_join(b->a, out.items, out.count, STR(" "));
}

TEST(query_exec_suggestions)
{
    struct bench b;
    use_fixture(&b);
    sqlite3 *db = open_fixture(fixture);
    CHECK_STR(suggested(&b, db, "", 7), "column:price column:_city column:day date:day array:tags");
    CHECK_STR(suggested(&b, db, "_facet=price&_facet_date=day&_facet_array=tags", 7), "column:_city column:day");
    CHECK_STR(suggested(&b, db, "_facet_size=2", 7), "column:_city date:day array:tags");
    CHECK_STR(suggested(&b, db, "id=6", 1), "date:day array:tags");
    struct query_suggestions s;
    struct query_facets none = {0};
    const struct query_plan *plan = bench_plan(&b, "price__gt=1");
    query_suggestions(b.a, plan, &none, &s);
    CHECK_STR(ids(&b, run(b.a, db, s.row_count_sql, plan->params, plan->param_count)), "5");
    sqlite3_close(db);
    bench_release(&b);
}

/* ---- walking pages: every row once, in order, whatever the values, keys and order ---- */

static const char walk_schema[] = "create table one (id integer primary key, s text, r real, x);"
                                  "create table two (a text, b integer, s text, r real, x, primary key (a, b));"
                                  "create table bare (s text, r real, x);";

static const char *random_value(uint64_t *seed)
{
    static const char *const values[] = {
        "null", "'$null'",  "''",         "'a,b'", "'a~2Cb'",          "1",  "2", "2.5",
        "-1",   "'x y+z%'", "'\303\251'", "1e100", "9007199254740993", "'1'"};
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return values[(*seed >> 33) % ARRAY_LEN(values)];
}

/* Rows of `two` go in out of key order: the scan order of the table is not the order of its key. */
static void fill(sqlite3 *db, uint64_t seed)
{
    for (int i = 0; i < 40; i++) {
        const char *s = random_value(&seed), *r = random_value(&seed), *x = random_value(&seed);
        char *sql = sqlite3_mprintf("insert into one(s,r,x) values (%s,%s,%s); insert into bare values (%s,%s,%s);"
                                    "insert into two values ('k,%d', %d, %s, %s, %s)",
                                    s, r, x, s, r, x, i % 7, 40 - i, s, r, x);
        CHECK(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK);
        sqlite3_free(sql);
    }
}

/* The rows of all pages, following the tokens; `want` is the same without paging. */
static void walk(struct bench *b, sqlite3 *db, const char *query, const char *order)
{
    struct value want = run(b->a, db,
                            ARENA_CAT(b->a, STR("select "), b->table.use_rowid ? STR("rowid, *") : STR("*"),
                                      STR(" from "), b->table.name, STR(" order by "), str_of(order)),
                            NULL, 0);
    struct value got = value_list(b->a);
    b->request.next = STR("");
    for (size_t pages = 0; pages < 100; pages++) {
        const struct query_plan *plan = bench_plan(b, query);
        CHECK(plan);
        struct value rows = run_plan(b, db, plan);
        size_t shown = (size_t)MIN((int64_t)value_count(rows), plan->page_size);
        for (size_t i = 0; i < shown; i++)
            value_push(got, value_at(rows, i));
        struct query_next next;
        query_next(b->a, plan, (int64_t)value_count(rows), shown ? value_at(rows, shown - 1).list->items : NULL,
                   VALUE_NULL, &next);
        if (!next.has)
            break;
        b->request.next = next.token;
    }
    if (!value_equal(got, want))
        test_fail(__FILE__, __LINE__, STR_FMT "?%s: %zu rows, want %zu\n got: " STR_FMT "\nwant: " STR_FMT,
                  STR_ARG(b->table.name), query, value_count(got), value_count(want), STR_ARG(bench_json(b->a, got)),
                  STR_ARG(bench_json(b->a, want)));
}

TEST(query_exec_pages_show_every_row_once)
{
    static const char *const sorts[][2] = {{"", ""},
                                           {"&_sort=s", "s, "},
                                           {"&_sort_desc=s", "s desc, "},
                                           {"&_sort=r", "r, "},
                                           {"&_sort_desc=r", "r desc, "}};
    static const struct {
        const char *name, *columns, *pks, *order;
    } tables[] = {{"one", "id,s,r,x", "id", "id"}, {"two", "a,b,s,r,x", "a,b", "a, b"}, {"bare", "s,r,x", "", "rowid"}};
    for (uint64_t seed = 1; seed <= 3; seed++) {
        sqlite3 *db = open_fixture(walk_schema);
        fill(db, seed);
        for (size_t t = 0; t < ARRAY_LEN(tables); t++) {
            for (size_t s = 0; s < ARRAY_LEN(sorts); s++) {
                struct bench b;
                bench_init(&b);
                b.table.name = str_of(tables[t].name);
                bench_columns(&b, tables[t].columns);
                bench_pks(&b, tables[t].pks);
                str query = ARENA_CAT(b.a, STR("_size=3"), str_of(sorts[s][0]));
                str order = ARENA_CAT(b.a, str_of(sorts[s][1]), str_of(tables[t].order));
                walk(&b, db, arena_cstr(b.a, query), arena_cstr(b.a, order));
                bench_release(&b);
            }
        }
        sqlite3_close(db);
    }
}

TEST(query_exec_view_pages)
{
    struct bench b;
    use_fixture(&b);
    sqlite3 *db = open_fixture(fixture);
    b.table.name = STR("v");
    b.table.is_view = true;
    bench_columns(&b, "name,price");
    b.table.pk_count = 0;
    walk(&b, db, "_size=2&_sort_desc=price", "price desc");
    sqlite3_close(db);
    bench_release(&b);
}
