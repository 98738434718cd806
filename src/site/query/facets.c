/* SPDX-License-Identifier: Apache-2.0 */
/* Facets: the values of a column with their counts, over the rows that match the filters.
 *
 * Which: those of the configuration first (they cannot be hidden), then those of the arguments; all column facets, then
 * all date ones, then all array ones. Kinds that do not exist (`_facet_size` among them) ask for nothing. An argument
 * may be plain text or JSON {"column": "x"}.
 *
 * Where the reference fails with a bug (an unknown column), this answers INVALID and names the column; a configured
 * facet of a column that is gone is left out.
 *
 * Links: column facets put prefix and path together, the other kinds only the path, as the reference does.
 *
 * Tests: test_facets.c, test_exec.c, test_recorded.c. */
#include "site/query/facets.h"

#include <inttypes.h>
#include <stdlib.h>

#include "site/query/links.h"

static const struct kind {
    const char *type;   /* name in results and configuration */
    const char *option; /* argument that asks for it */
    const char *suffix; /* of the filter a value links to; NULL: none, or __exact for a leading underscore */
    bool prefixed;      /* links carry the prefix */
} kinds[] = {
    [QUERY_FACET_COLUMN] = {"column", "_facet", NULL, true},
    [QUERY_FACET_DATE] = {"date", "_facet_date", "__date", false},
    [QUERY_FACET_ARRAY] = {"array", "_facet_array", "__arraycontains", false},
};

const char *query_facet_type(enum query_facet_kind kind)
{
    return kinds[kind].type;
}
const char *query_facet_option(enum query_facet_kind kind)
{
    return kinds[kind].option;
}

struct facet_list {
    VEC(struct query_facet) v;
};

static str column_of(struct value config)
{
    if (config.kind == VALUE_DICT) {
        struct value named = VALUE_GET(config, "column");
        config = value_is_text(named) && named.s.n ? named : VALUE_GET(config, "simple");
    }
    return value_is_text(config) ? config.s : STR("");
}

/* Entries of `facets:` are "column" or {kind: column}; others are skipped. */
static void add_configured(struct arena *a, const struct query_plan *plan, enum query_facet_kind kind,
                           struct facet_list *out)
{
    struct value list = VALUE_GET(plan->table->config, "facets");
    for (size_t i = 0; i < value_count(list); i++) {
        struct value item = value_at(list, i);
        if (item.kind == VALUE_DICT)
            item = value_get(item, str_of(kinds[kind].type));
        else if (kind != QUERY_FACET_COLUMN)
            continue;
        str column = column_of(item);
        if (str_in_nocase(column, plan->facet_columns, plan->facet_column_count))
            VEC_PUSH(a, &out->v,
                     (struct query_facet){
                         .kind = kind, .column = column, .asked = column, .option = str_of(kinds[kind].option)});
    }
}

static enum status add_requested(struct arena *a, const struct query_plan *plan, str option, enum query_facet_kind kind,
                                 struct facet_list *out, struct err *err)
{
    const struct arg *first;
    size_t count = args_all(&plan->request->args, option, &first);
    for (size_t i = 0; i < count; i++) {
        str column = first[i].value;
        if (str_starts(column, STR("{"))) {
            struct value config;
            if (value_from_json(a, column, &config, NULL) != STATUS_OK || column_of(config).n == 0)
                return err_set(err, STATUS_INVALID, STR_FMT "={...} must be JSON with a \"column\"", STR_ARG(option));
            column = column_of(config);
        }
        if (!str_in_nocase(column, plan->facet_columns, plan->facet_column_count))
            return err_set(err, STATUS_INVALID, "Cannot facet by " STR_FMT " - there is no such column",
                           STR_ARG(column));
        VEC_PUSH(a, &out->v,
                 (struct query_facet){
                     .kind = kind, .column = column, .asked = first[i].value, .option = option, .hideable = true});
    }
    return STATUS_OK;
}

static enum status list_facets(struct arena *a, const struct query_plan *plan, struct facet_list *out, struct err *err)
{
    enum status st = STATUS_OK;
    for (size_t k = 0; k < ARRAY_LEN(kinds) && st == STATUS_OK; k++) {
        add_configured(a, plan, (enum query_facet_kind)k, out);
        st = add_requested(a, plan, str_of(kinds[k].option), (enum query_facet_kind)k, out, err);
        if (st == STATUS_OK && k == QUERY_FACET_COLUMN) /* the long name of the plain kind */
            st = add_requested(a, plan, STR("_facet_column"), QUERY_FACET_COLUMN, out, err);
    }
    return st;
}

static int64_t configured_size(const struct query_plan *plan, int64_t fallback)
{
    struct value v = VALUE_GET(plan->table->config, "facet_size");
    if (value_is_text(v) && str_is(v.s, "max"))
        return plan->settings->max_returned_rows;
    return v.kind == VALUE_INT && v.i > 0 ? v.i : fallback;
}

int64_t query_facet_size(const struct query_plan *plan)
{
    str asked = ARGS_GET(&plan->request->args, "_facet_size");
    int64_t max = plan->settings->max_returned_rows, size;
    if (str_is(asked, "max"))
        return max;
    if (!str_all_digits(asked) || !args_integer(asked, &size))
        size = configured_size(plan, plan->settings->default_facet_size);
    return MIN(size, max);
}

static str facet_sql(struct arena *a, str rows, const struct query_facet *f, int64_t size)
{
    str c = query_identifier(a, f->column), limit = arena_printf(a, "%" PRId64, size + 1);
    if (f->kind == QUERY_FACET_ARRAY)
        return ARENA_CAT(a, STR("with inner as ("), rows,
                         STR("),\ndeduped_array_items as (\n    select distinct j.value, inner.*\n"
                             "    from json_each([inner]."),
                         c,
                         STR(") j join inner\n)\nselect value as value, count(*) as count\nfrom deduped_array_items\n"
                             "group by value order by count(*) desc, value limit "),
                         limit);
    str value = f->kind == QUERY_FACET_DATE ? ARENA_CAT(a, STR("date("), c, STR(")")) : c;
    return ARENA_CAT(a, STR("select "), value, STR(" as value, count(*) as count from (\n    "), rows,
                     STR("\n)\nwhere "), value, STR(" is not null\ngroup by "), value,
                     STR(" order by count desc, value limit "), limit);
}

/* column, column_2, column_3..: the first not taken by facets 0 .. count-1. */
static str free_key(struct arena *a, const struct query_facet *items, size_t count)
{
    str base = items[count].column, key = base;
    for (size_t number = 2;; number++) {
        size_t i = 0;
        while (i < count && !str_eq(items[i].key, key))
            i++;
        if (i == count)
            return key;
        key = ARENA_CAT(a, base, arena_printf(a, "_%zu", number));
    }
}

enum status query_facets(struct arena *a, const struct query_plan *plan, struct query_facets *ret, struct err *err)
{
    const struct query_request *r = plan->request;
    struct facet_list list = {0};
    if (!plan->no_facet) {
        enum status st = list_facets(a, plan, &list, err);
        if (st != STATUS_OK)
            return st;
    }
    int64_t size = query_facet_size(plan);
    for (size_t i = 0; i < list.v.count; i++) {
        struct query_facet *f = &list.v.items[i];
        f->key = free_key(a, list.v.items, i);
        f->sql = facet_sql(a, plan->facet_sql, f, size);
        f->sampled_sql = plan->sampled_sql.n ? facet_sql(a, plan->sampled_sql, f, size) : STR("");
        f->first_sql = facet_sql(a, plan->first_sql, f, size);
        str link = query_link_removed(a, r, f->option, f->asked);
        f->toggle_url = f->kind == QUERY_FACET_DATE ? link : query_link_path(a, r, link);
    }
    *ret = (struct query_facets){list.v.items, list.v.count, size};
    return STATUS_OK;
}

static str filter_key(struct arena *a, const struct query_facet *f)
{
    const char *suffix = kinds[f->kind].suffix;
    if (suffix)
        return ARENA_CAT(a, f->column, str_of(suffix));
    return str_starts(f->column, STR("_")) ? ARENA_CAT(a, f->column, STR("__exact")) : f->column;
}

void query_facet_value(struct arena *a, const struct query_plan *plan, const struct query_facet *facet,
                       struct value value, struct query_facet_value *ret)
{
    const struct query_request *r = plan->request;
    str key = filter_key(a, facet), text = value.kind == VALUE_BYTES ? value.s : value_to_str(a, value);
    const struct arg *first;
    size_t count = args_all(&r->args, key, &first);
    bool selected = false;
    if (facet->kind == QUERY_FACET_DATE)
        selected = count && str_eq(first[count - 1].value, text);
    else
        for (size_t i = 0; i < count && !selected; i++)
            selected = str_eq(first[i].value, text);
    str link = selected ? query_link_removed(a, r, key, text) : query_link_added(a, r, key, text);
    ret->value = facet->kind == QUERY_FACET_ARRAY ? value_str(text) : value;
    ret->selected = selected;
    ret->toggle_url = query_link_absolute(a, r, link, kinds[facet->kind].prefixed);
}

int64_t query_facet_estimate(int64_t count, double factor)
{
    double n = (double)count * factor;
    if (n >= 9e18)
        return INT64_MAX;
    int64_t unit = 1, whole = (int64_t)(n + 0.5);
    if (factor != 1.0)
        while (whole / unit >= 100)
            unit *= 10;
    return MAX((whole + unit / 2) / unit * unit, 1);
}

/* ---- order of display ---- */

struct ordering {
    size_t index;  /* in facets->items */
    size_t rank;   /* place in the configuration; SIZE_MAX: not there */
    size_t values; /* shown */
    str name;
};

static int compare_display(const void *left, const void *right)
{
    const struct ordering *x = left, *y = right;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    if (x->rank == SIZE_MAX && x->values != y->values)
        return x->values > y->values ? -1 : 1;
    int order = x->rank == SIZE_MAX ? str_cmp(y->name, x->name) : 0;
    return order ? order : x->index < y->index ? -1 : 1;
}

static size_t configured_rank(const struct query_plan *plan, str column)
{
    struct value list = VALUE_GET(plan->table->config, "facets");
    size_t rank = SIZE_MAX; /* a column named twice takes its last place */
    for (size_t i = 0; i < value_count(list); i++) {
        struct value item = value_at(list, i);
        if (item.kind == VALUE_DICT && value_count(item) > 0)
            item = item.dict->entries[0].value;
        if (str_eq(column_of(item), column))
            rank = i;
    }
    return rank;
}

void query_facets_order(struct arena *a, const struct query_plan *plan, const struct query_facets *facets,
                        const size_t *value_counts, size_t *order)
{
    struct ordering *list = ARENA_ARRAY(a, struct ordering, facets->count + 1);
    for (size_t i = 0; i < facets->count; i++)
        list[i] = (struct ordering){i, configured_rank(plan, facets->items[i].column), value_counts[i],
                                    facets->items[i].column};
    if (facets->count > 1)
        qsort(list, facets->count, sizeof(*list), compare_display);
    for (size_t i = 0; i < facets->count; i++)
        order[i] = list[i].index;
}
