/* SPDX-License-Identifier: Apache-2.0 */
/* The plan of a table page. The order of the steps is the order in which errors win and conditions stand in the SQL:
 *   columns -> column filters -> _where -> _through -> search -> sort     (so far: count_sql)
 *           -> size -> page condition -> texts
 * Tests: test_recorded.c (recorded answers), test_exec.c (the SQL is run). */
#include "site/query/plan.h"

#include <inttypes.h>

#include "base/limits.h"
#include "site/query/columns.h"
#include "site/query/filters.h"
#include "site/query/human.h"
#include "site/query/page.h"
#include "site/query/search.h"
#include "site/query/sort.h"

void query_draft_param(struct query_draft *d, str name, struct value value)
{
    for (size_t i = 0; i < d->params.count; i++) {
        if (str_eq(d->params.items[i].name, name)) {
            d->params.items[i].value = value;
            return;
        }
    }
    VEC_PUSH(d->a, &d->params, (struct query_param){name, value});
}

/* Names cannot collide: pN is only ever made here, N being the number of all parameters before it. */
str query_draft_next_param(struct query_draft *d, struct value value)
{
    str reference = arena_printf(d->a, ":p%zu", d->params.count);
    VEC_PUSH(d->a, &d->params, (struct query_param){str_from(reference, 1), value});
    return reference;
}

str query_json(struct arena *a, struct value v)
{
    struct buf b;
    buf_init(&b, LIMIT_JSON_OUTPUT);
    value_to_json(&b, v, 0);
    str text = arena_str(a, buf_str(&b));
    buf_release(&b);
    return text;
}

static str where_clause(struct query_draft *d)
{
    if (d->where.count == 0)
        return STR("");
    return ARENA_CAT(d->a, STR("where "), query_join(d->a, d->where.items, d->where.count, STR(" and ")), STR(" "));
}

static enum status conditions(struct query_draft *d, struct err *err)
{
    enum status st = query_filters_apply(d, err);
    if (st == STATUS_OK)
        st = query_where_apply(d, err);
    if (st == STATUS_OK)
        st = query_through_apply(d, err);
    if (st == STATUS_OK)
        st = query_search_apply(d, err);
    return st;
}

static void read_flags(struct query_plan *p)
{
    const struct args *args = &p->request->args;
    str shape = ARGS_GET(args, "_shape");
    bool bare = str_is(shape, "array") || str_is(shape, "object");
    p->no_count = bare || ARGS_GET(args, "_nocount").n > 0;
    p->no_facet = bare || ARGS_GET(args, "_nofacet").n > 0;
    p->no_suggest = ARGS_GET(args, "_nosuggest").n > 0;
}

static enum status read_timelimit(struct query_plan *p, struct err *err)
{
    str text = ARGS_GET(&p->request->args, "_timelimit");
    if (text.n == 0)
        return STATUS_OK;
    int64_t ms;
    if (!args_integer(text, &ms) || ms < 0)
        return err_set(err, STATUS_INVALID, "_timelimit must be a number of milliseconds");
    p->timelimit_ms = ms;
    return STATUS_OK;
}

static enum status check_facets_allowed(const struct query_plan *p, struct err *err)
{
    const struct args *args = &p->request->args;
    if (p->settings->allow_facet)
        return STATUS_OK;
    for (size_t i = 0; i < args->count; i++)
        if (str_starts(args->items[i].key, STR("_facet")))
            return err_set(err, STATUS_INVALID, "_facet= is not allowed");
    return STATUS_OK;
}

static bool is_carried(str key)
{
    static const char *const own[] = {"_sort", "_sort_desc", "_search", "_next"};
    return args_is_special(key) && !str_is_any(key, own, ARRAY_LEN(own));
}

static void form_hidden_args(struct arena *a, struct query_plan *p)
{
    const struct args *args = &p->request->args;
    struct arg *out = ARENA_ARRAY(a, struct arg, args->count + 1);
    size_t count = 0;
    for (size_t i = 0; i < args->count; i++)
        if (is_carried(args->items[i].key))
            out[count++] = args->items[i];
    p->form_hidden_args = out;
    p->form_hidden_arg_count = count;
}

static str sort_lookup(struct arena *a, const struct query_plan *p)
{
    const struct query_table *table = p->table;
    str by = p->sort.n ? p->sort : p->sort_desc;
    bool shown = by.n == 0 || table->is_view;
    for (size_t i = 0; i < p->column_count && !shown; i++)
        shown = str_eq(p->columns[i], by);
    if (shown)
        return STR("");
    size_t count = table->use_rowid ? 1 : table->pk_count;
    str *keys = ARENA_ARRAY(a, str, count + 1);
    for (size_t i = 0; i < count; i++)
        keys[i] = ARENA_CAT(a, query_identifier(a, table->use_rowid ? STR("rowid") : table->pks[i]),
                            arena_printf(a, " = :pk%zu", i));
    return ARENA_CAT(a, STR("select "), query_identifier(a, by), STR(" from "), query_identifier(a, table->name),
                     STR(" where "), query_join(a, keys, count, STR(" and ")));
}

static str page_sql(struct arena *a, const struct query_plan *p, str columns, str table, str where, str order_by)
{
    str order = order_by.n ? ARENA_CAT(a, STR("order by "), order_by) : STR("");
    str limit = arena_printf(a, " limit %" PRId64, p->page_size + 1);
    str offset = p->table->is_view && p->paged ? arena_printf(a, " offset %" PRId64, p->offset) : STR("");
    return ARENA_CAT(a, STR("select "), columns, STR(" from "), table, STR(" "), where, order, limit, offset);
}

static bool mentions(str condition, str word)
{
    for (size_t i = 0; i + word.n <= condition.n; i++)
        if (str_eq_nocase(str_sub(condition, i, i + word.n), word))
            return true;
    return false;
}

/* "from (select rowid as "_found" from F where F match X) cross join T on T.rowid = "_found" where ...": the search
 * leads. Columns of T mean what they did, since the inner table has only a name of its own; `rowid` does not, so
 * conditions that may say it keep the other form. Empty when that is so. `page`: with the condition of the page. */
static str found_from(struct query_draft *d, const struct query_table *table, size_t count, bool page)
{
    struct arena *a = d->a;
    str *conditions = ARENA_ARRAY(a, str, count + 2), name = query_identifier(a, table->name);
    size_t n = 0;
    if (!d->found_sql.n || !table->key_is_rowid || d->wheres.count)
        return STR("");
    for (size_t i = 0; i < count; i++) {
        if (i == d->found_where)
            continue;
        if (mentions(d->where.items[i], STR("rowid")) || mentions(d->where.items[i], STR("oid")))
            return STR("");
        conditions[n++] = d->where.items[i];
    }
    if (page && d->page_param.n)
        conditions[n++] = ARENA_CAT(a, STR(QUERY_FOUND " > cast("), d->page_param, STR(" as integer)"));
    return ARENA_CAT(a, STR("from ("), d->found_sql, STR(") cross join "), name, STR(" on "), name,
                     STR(".rowid = " QUERY_FOUND " "), n ? STR("where ") : STR(""),
                     query_join(a, conditions, n, STR(" and ")), n ? STR(" ") : STR(""));
}

static str found_columns(struct arena *a, const struct query_table *table, str columns)
{
    return table->use_rowid ? ARENA_CAT(a, query_identifier(a, table->name), STR("."), columns) : columns;
}

/* Everything that is text made of the finished draft. */
static void write_sql(struct query_draft *d, struct query_plan *p, const struct query_columns *columns,
                      const struct query_columns *all, const struct query_sort *sort)
{
    struct arena *a = d->a;
    str table = query_identifier(a, p->table->name), where = where_clause(d);
    bool ties = !p->table->is_view && (sort->sort.n || sort->sort_desc.n);
    str with_ties = ties ? ARENA_CAT(a, sort->order_by, STR(", "), sort->order_by_pks) : sort->order_by;
    p->stable_sql = page_sql(a, p, columns->sql, table, where, with_ties);
    p->sql = p->paged ? p->stable_sql : page_sql(a, p, columns->sql, table, where, sort->order_by);
    p->facet_sql = ARENA_CAT(a, STR("select "), all->sql, STR(" from "), table, STR(" "), where);
    size_t without_page = d->where.count - (p->paged && !p->table->is_view);
    bool by_key = !p->sort.n && !p->sort_desc.n;
    str found = found_from(d, p->table, without_page, by_key);
    bool ok = found.n && (by_key || !p->paged);
    p->search_sql = ok && by_key
                        ? ARENA_CAT(a, STR("select "), found_columns(a, p->table, columns->sql), STR(" "), found,
                                    STR("order by " QUERY_FOUND), arena_printf(a, " limit %" PRId64, p->page_size + 1))
                        : STR("");
    p->rows_sql =
        ok ? ARENA_CAT(a, STR("select "), found_columns(a, p->table, all->sql), STR(" "), found) : p->facet_sql;
    bool rowid = p->table->has_rowid && !ok;
    for (size_t i = 0; i < p->table->column_count && rowid; i++)
        rowid = !str_eq_nocase(p->table->columns[i], STR("rowid"));
    if (rowid)
        p->sampled_sql = ARENA_CAT(a, p->facet_sql, d->where.count ? STR("and ") : STR("where "),
                                   STR("rowid in (select value from json_each(:" QUERY_SAMPLE "))"));
    p->first_sql = ARENA_CAT(a, STR("select * from ("), p->rows_sql, arena_printf(a, ") limit %d", QUERY_FIRST_ROWS));
    p->columns = columns->names;
    p->column_count = columns->count;
    p->facet_columns = all->names;
    p->facet_column_count = all->count;
    p->params = d->params.items;
    p->param_count = d->params.count;
    p->wheres = d->wheres.items;
    p->where_count = d->wheres.count;
    p->selections = d->selections;
    p->selection_count = d->selection_count;
    p->fts_table = d->fts_table;
    p->supports_search = d->fts_table.n > 0;
    p->search = d->search;
}

static enum status make(struct query_draft *d, struct query_plan *p, struct err *err)
{
    struct arena *a = d->a;
    struct query_columns columns, all;
    struct query_sort sort;
    enum status st = query_columns(a, p->table, &p->request->args, &columns, err);
    if (st != STATUS_OK)
        return st;
    query_columns_all(a, p->table, &all);
    query_selections(a, &p->request->args, &d->selections, &d->selection_count);
    if ((st = conditions(d, err)) != STATUS_OK || (st = query_sort(a, p->table, p->request, &sort, err)) != STATUS_OK)
        return st;
    p->sort = sort.sort;
    p->sort_desc = sort.sort_desc;
    p->from_sql = ARENA_CAT(a, STR("from "), query_identifier(a, p->table->name), STR(" "), where_clause(d));
    p->count_sql = ARENA_CAT(a, STR("select count(*) "), p->from_sql);
    p->count_param_count = d->params.count;
    p->found_from_sql = found_from(d, p->table, d->where.count, false);

    if ((st = query_page_size(p->table, p->settings, &p->request->args, &p->page_size, err)) != STATUS_OK ||
        (st = query_page_apply(d, &sort, &p->paged, &p->offset, err)) != STATUS_OK ||
        (st = read_timelimit(p, err)) != STATUS_OK || (st = check_facets_allowed(p, err)) != STATUS_OK)
        return st;
    write_sql(d, p, &columns, &all, &sort);
    p->sort_lookup_sql = sort_lookup(a, p);
    p->human = query_human(d, &sort);
    return STATUS_OK;
}

enum status query_plan_table(struct arena *a, const struct query_table *table, const struct query_settings *settings,
                             const struct query_request *request, const struct query_plan **ret_plan, struct err *err)
{
    struct query_plan *p = ARENA_NEW(a, struct query_plan);
    struct query_draft draft = {.a = a, .table = table, .request = request};
    p->table = table;
    p->settings = settings;
    p->request = request;
    read_flags(p);
    form_hidden_args(a, p);
    enum status st = make(&draft, p, err);
    if (st != STATUS_OK)
        return st;
    *ret_plan = p;
    return STATUS_OK;
}

str query_count_sql_limited(struct arena *a, const struct query_plan *plan, int64_t limit)
{
    return ARENA_CAT(a, STR("select 1 "), plan->found_from_sql.n ? plan->found_from_sql : plan->from_sql,
                     arena_printf(a, " limit %" PRId64, limit));
}
