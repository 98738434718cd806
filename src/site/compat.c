/* SPDX-License-Identifier: Apache-2.0 */
#include "site/compat.h"

#include "base/clock.h"
#include "site/tables.h"

bool compat_is_old(const struct request *rq)
{
    str asked = request_arg(rq, "_compat");
    if (str_is(asked, "0.65") || str_is(asked, "1.0"))
        return str_is(asked, "0.65");
    return str_is(rq->site->config.settings.json_compat, "0.65");
}

static struct value query_of(struct extra_context *c)
{
    struct value d = value_dict(c->rq->arena);
    VALUE_SET(d, "sql", c->sql.n ? value_str(c->sql) : VALUE_NULL);
    VALUE_SET(d, "params", c->params.kind == VALUE_DICT ? c->params : value_dict(c->rq->arena));
    return d;
}

static struct value milliseconds(const struct request *rq)
{
    return value_float((double)(clock_mono_us() - rq->started_mono_us) / 1000.0);
}

/* What every page of data ended with: the time, and the source of the whole instance. */
static void add_ending(struct request *rq, struct value tail)
{
    static const char *const keys[] = {"source", "source_url", "license", "license_url"};
    VALUE_SET(tail, "query_ms", milliseconds(rq));
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        struct value v = value_get(rq->site->config.metadata, str_of(keys[i]));
        if (value_truth(v))
            value_set(tail, str_of(keys[i]), v);
    }
}

static struct value may_execute(const struct request *rq)
{
    return value_bool(request_allowed(rq, ACTION_EXECUTE_SQL, rq->db->name, (str){0}));
}

static struct value units_of(struct extra_context *c)
{
    struct value units =
        VALUE_GET(config_metadata_table(&c->rq->site->config, c->rq->db->name, c->table->name), "units");
    return units.kind == VALUE_DICT ? units : value_dict(c->rq->arena);
}

static struct value expanded(struct extra_context *c, const struct table_page *p, struct value expandable)
{
    struct value list = value_list(c->rq->arena);
    for (size_t i = 0; p->labels_on && i < value_count(expandable); i++) {
        struct value column = VALUE_GET(value_at(value_at(expandable, i), 0), "column");
        bool wanted = !p->labels_only;
        for (size_t k = 0; k < p->labels_only_count && p->labels_only; k++)
            wanted |= value_is_text(column) && str_eq(p->labels_only[k], column.s);
        if (wanted)
            value_push(list, column);
    }
    return list;
}

static struct value or_empty(struct value v, struct value empty)
{
    return v.kind == VALUE_UNDEFINED ? empty : v;
}

void compat_table(struct extra_context *c, struct table_page *p, struct value head, struct value tail)
{
    struct arena *a = c->rq->arena;
    struct value expandable = or_empty(extras_get(c, "expandable_columns"), value_list(a));
    VALUE_SET(head, "database", value_str(c->rq->db->name));
    VALUE_SET(head, "table", value_str(c->table->name));
    VALUE_SET(head, "is_view", value_bool(c->table->kind == SCHEMA_VIEW));
    VALUE_SET(head, "human_description_en", extras_get(c, "human_description_en"));
    VALUE_SET(tail, "truncated", value_bool(false));
    VALUE_SET(tail, "filtered_table_rows_count", or_empty(extras_get(c, "count"), VALUE_NULL));
    VALUE_SET(tail, "expanded_columns", expanded(c, p, expandable));
    VALUE_SET(tail, "expandable_columns", expandable);
    VALUE_SET(tail, "columns", extras_get(c, "columns"));
    VALUE_SET(tail, "primary_keys", extras_get(c, "primary_keys"));
    VALUE_SET(tail, "units", units_of(c));
    VALUE_SET(tail, "query", extras_get(c, "query"));
    VALUE_SET(tail, "facet_results", or_empty(VALUE_GET(extras_get(c, "facet_results"), "results"), value_dict(a)));
    VALUE_SET(tail, "suggested_facets", or_empty(extras_get(c, "suggested_facets"), value_list(a)));
    VALUE_SET(tail, "next", p->next.has ? value_str(p->next.token) : VALUE_NULL);
    VALUE_SET(tail, "next_url", p->next.has ? value_str(p->next.url) : VALUE_NULL);
    VALUE_SET(tail, "private", extras_get(c, "private"));
    VALUE_SET(tail, "allow_execute_sql", may_execute(c->rq));
    add_ending(c->rq, tail);
}

void compat_row(struct extra_context *c, struct value head, struct value tail)
{
    struct arena *a = c->rq->arena;
    VALUE_SET(head, "database", value_str(c->rq->db->name));
    VALUE_SET(head, "table", value_str(c->table->name));
    VALUE_SET(tail, "columns", str_list(a, c->rows->columns, c->rows->column_count));
    VALUE_SET(tail, "primary_keys", str_list(a, c->pks, c->pk_count));
    VALUE_SET(tail, "primary_key_values", str_list(a, c->pk_values, c->pk_count));
    VALUE_SET(tail, "units", units_of(c));
    if (str_find(request_arg(c->rq, "_extras"), STR("foreign_key_tables")) != STR_NPOS)
        VALUE_SET(tail, "foreign_key_tables", extras_get(c, "foreign_key_tables"));
    add_ending(c->rq, tail);
}

void compat_query(struct extra_context *c, const struct err *error, bool truncated, struct value head,
                  struct value tail)
{
    struct arena *a = c->rq->arena;
    bool failed = error->status != STATUS_OK;
    VALUE_SET(head, "ok", value_bool(!failed));
    VALUE_SET(head, "database", value_str(c->rq->db->name));
    VALUE_SET(head, "query_name", c->query_name.n ? value_str(c->query_name) : VALUE_NULL);
    VALUE_SET(tail, "truncated", value_bool(truncated));
    VALUE_SET(tail, "columns", str_list(a, c->rows->columns, c->rows->column_count));
    struct value query = query_of(c), params = VALUE_GET(query, "params");
    for (size_t i = 0; i < c->rq->args.count; i = args_next_key(&c->rq->args, i)) {
        const struct arg *arg = &c->rq->args.items[i];
        bool own = str_is(arg->key, "sql") || str_is(arg->key, "_shape") || str_is(arg->key, "_compat");
        if (!own && !value_has(params, arg->key))
            value_set(params, arg->key, value_str(arg->value));
    }
    VALUE_SET(tail, "query", query);
    VALUE_SET(tail, "error", failed ? value_str(arena_str(a, str_of(error->text))) : VALUE_NULL);
    VALUE_SET(tail, "private", extras_get(c, "private"));
    VALUE_SET(tail, "allow_execute_sql", may_execute(c->rq));
    add_ending(c->rq, tail);
}

void compat_database(struct request *rq, struct value page)
{
    static const char *const newer[] = {"ok", "queries_more", "queries_count", "table_columns", "metadata"};
    for (size_t i = 0; i < ARRAY_LEN(newer); i++)
        value_remove(page, str_of(newer[i]));
    struct value tables = VALUE_GET(page, "tables");
    for (size_t i = 0; i < value_count(tables); i++)
        value_remove(value_at(tables, i), STR("count_truncated"));
    add_ending(rq, page);
}

struct value compat_by_name(struct arena *a, struct value databases)
{
    struct value d = value_dict(a);
    for (size_t i = 0; i < value_count(databases); i++)
        value_set(d, VALUE_GET(value_at(databases, i), "name").s, value_at(databases, i));
    return d;
}
