/* SPDX-License-Identifier: Apache-2.0 */
/* The order of a page. The first page is ordered by the sort column alone; ties are ordered by key only from the second
 * page on (page.c), which is what the recorded SQL of Datasette shows. Tests: test_sort.c. */
#include "site/query/sort.h"

#include "site/query/plan.h"

static str config_text(const struct query_table *table, str key)
{
    struct value v = value_get(table->config, key);
    return value_is_text(v) ? v.s : STR("");
}

bool query_sortable(const struct query_table *table, str column)
{
    if (table->use_rowid && str_is(column, "rowid"))
        return true;
    struct value listed = VALUE_GET(table->config, "sortable_columns");
    if (listed.kind == VALUE_LIST) {
        for (size_t i = 0; i < value_count(listed); i++) {
            struct value item = value_at(listed, i);
            if (value_is_text(item) && str_eq(item.s, column))
                return true;
        }
        return false;
    }
    for (size_t i = 0; i < table->column_count; i++)
        if (str_eq(table->columns[i], column))
            return true;
    return false;
}

static enum status check(const struct query_table *table, str column, struct err *err)
{
    if (column.n == 0 || query_sortable(table, column))
        return STATUS_OK;
    return err_set(err, STATUS_INVALID, "Cannot sort table by " STR_FMT, STR_ARG(column));
}

static str order_by_pks(struct arena *a, const struct query_table *table)
{
    if (table->use_rowid)
        return STR("rowid");
    str *quoted = ARENA_ARRAY(a, str, table->pk_count + 1);
    for (size_t i = 0; i < table->pk_count; i++)
        quoted[i] = query_identifier(a, table->pks[i]);
    return query_join(a, quoted, table->pk_count, STR(", "));
}

enum status query_sort(struct arena *a, const struct query_table *table, const struct query_request *request,
                       struct query_sort *ret, struct err *err)
{
    struct query_sort s = {ARGS_GET(&request->args, "_sort"), ARGS_GET(&request->args, "_sort_desc"), STR(""),
                           order_by_pks(a, table)};
    if (s.sort.n == 0 && s.sort_desc.n == 0) {
        s.sort = config_text(table, STR("sort"));
        s.sort_desc = config_text(table, STR("sort_desc"));
    }
    if (s.sort.n && s.sort_desc.n)
        return err_set(err, STATUS_INVALID, "Cannot use _sort and _sort_desc at the same time");
    enum status st = check(table, s.sort.n ? s.sort : s.sort_desc, err);
    if (st != STATUS_OK)
        return st;
    if (s.sort.n)
        s.order_by = query_identifier(a, s.sort);
    else if (s.sort_desc.n)
        s.order_by = ARENA_CAT(a, query_identifier(a, s.sort_desc), STR(" desc"));
    else if (!table->is_view)
        s.order_by = s.order_by_pks;
    *ret = s;
    return STATUS_OK;
}
