/* SPDX-License-Identifier: Apache-2.0 */
/* Facets worth suggesting: a cheap probe for each column and kind, over the first rows that match, and the rule that
 * judges what the probe found. Probes are allowed to fail or to run out of time: then nothing is suggested.
 * Tests: test_facets.c, test_exec.c, test_recorded.c. */
#include "site/query/facets.h"

#include <inttypes.h>

#include "site/query/links.h"

#define CONSIDER "1000" /* rows looked at by column and array probes */

static bool enabled(const struct query_facets *on, enum query_facet_kind kind, str column)
{
    for (size_t i = 0; i < on->count; i++)
        if (on->items[i].kind == kind && str_eq(on->items[i].column, column))
            return true;
    return false;
}

static str probe_sql(struct arena *a, const struct query_plan *plan, enum query_facet_kind kind, str c, int64_t size)
{
    str rows = plan->rows_sql;
    if (kind == QUERY_FACET_COLUMN)
        return ARENA_CAT(a, STR("with limited as (select * from ("), rows, STR(") limit " CONSIDER ")\nselect "), c,
                         STR(" as value, count(*) as n from limited\nwhere value is not null\ngroup by value\nlimit "),
                         arena_printf(a, "%" PRId64, size + 1));
    if (kind == QUERY_FACET_DATE)
        return ARENA_CAT(a, STR("select date("), c, STR(") from (\n    select * from ("), rows,
                         STR(") limit 100\n) where "), c,
                         STR(" glob \"????"
                             "-??"
                             "-*\""));
    return ARENA_CAT(a, STR("with limited as (select * from ("), rows,
                     STR(") limit " CONSIDER ")\nselect distinct json_type("), c, STR(")\nfrom limited\nwhere "), c,
                     STR(" is not null and "), c, STR(" != ''"));
}

static str sample_sql(struct arena *a, const struct query_plan *plan, str c)
{
    return ARENA_CAT(a, STR("select "), c, STR(" from ("), plan->first_sql, STR(") where "), c,
                     STR(" is not null and "), c, STR(" != '' and json_array_length("), c, STR(") > 0 limit 100"));
}

void query_suggestions(struct arena *a, const struct query_plan *plan, const struct query_facets *on,
                       struct query_suggestions *ret)
{
    const struct query_request *r = plan->request;
    *ret = (struct query_suggestions){.facet_size = query_facet_size(plan)};
    if (!plan->settings->suggest_facets || !plan->settings->allow_facet || plan->no_facet || plan->no_suggest ||
        ARGS_GET(&r->args, "_next").n)
        return;
    static const enum query_facet_kind kinds[] = {QUERY_FACET_COLUMN, QUERY_FACET_DATE, QUERY_FACET_ARRAY};
    VEC(struct query_suggestion) list = {0};
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        for (size_t i = 0; i < plan->facet_column_count; i++) {
            str column = plan->facet_columns[i];
            if (enabled(on, kinds[k], column))
                continue;
            str c = query_identifier(a, column);
            struct query_suggestion s = {.kind = kinds[k], .column = column};
            s.sql = probe_sql(a, plan, kinds[k], c, ret->facet_size);
            s.sample_sql = kinds[k] == QUERY_FACET_ARRAY ? sample_sql(a, plan, c) : STR("");
            VEC_PUSH(a, &list, s);
        }
    }
    ret->items = list.items;
    ret->count = list.count;
    ret->row_count_sql =
        ARENA_CAT(a, STR("select count(*) from (select * from ("), plan->rows_sql, STR(") limit " CONSIDER ")"));
}

str query_suggestion_url(struct arena *a, const struct query_plan *plan, const struct query_suggestion *s)
{
    str link = query_link_added(a, plan->request, str_of(query_facet_option(s->kind)), s->column);
    return query_link_absolute(a, plan->request, link, true);
}

bool query_suggest_column(size_t distinct, bool repeated, int64_t row_count, int64_t facet_size)
{
    return distinct > 1 && (int64_t)distinct < row_count && (int64_t)distinct <= facet_size && repeated;
}

bool query_suggest_date(struct value date)
{
    return !value_is_null(date) && value_truth(date);
}

bool query_suggest_array_types(const str *types, size_t count)
{
    if (count == 0 || !str_is(types[0], "array"))
        return false;
    return count == 1 || (count == 2 && types[1].n == 0);
}

bool query_suggest_array_sample(struct arena *a, str json)
{
    struct value v;
    if (value_from_json(a, json, &v, NULL) != STATUS_OK || v.kind != VALUE_LIST)
        return false;
    for (size_t i = 0; i < value_count(v); i++)
        if (!value_is_text(value_at(v, i)))
            return false;
    return true;
}
