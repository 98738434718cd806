/* SPDX-License-Identifier: Apache-2.0 */
#include "site/extra_blocks.h"

#include <stdlib.h>

#include "site/labels.h"
#include "site/links.h"
#include "site/render/cell_html.h"
#include "site/render/cell_show.h"
#include "site/render/cells.h"
#include "site/render/formats.h"
#include "site/tables.h"
#include "site/write/column_types.h"

static str db_name(const struct extra_context *c)
{
    return c->rq->db->name;
}

static struct value text_or_null(str s)
{
    return s.n ? value_str(s) : VALUE_NULL;
}

/* ---- counts and facets ---- */

struct value extra_block_count(struct extra_context *c)
{
    table_page_count(c->page);
    return c->page->count >= 0 ? value_int(c->page->count) : VALUE_NULL;
}

struct value extra_block_count_truncated(struct extra_context *c)
{
    table_page_count(c->page);
    return value_bool(c->page->count_truncated);
}

struct value extra_block_count_sql(struct extra_context *c)
{
    return value_str(c->page->plan->count_sql);
}

struct value extra_block_facet_results(struct extra_context *c)
{
    return c->page->facet_results;
}

struct value extra_block_facets_timed_out(struct extra_context *c)
{
    return c->page->facets_timed_out;
}

struct value extra_block_sorted_facet_results(struct extra_context *c)
{
    return c->page->facets_sorted;
}

struct value extra_block_suggested_facets(struct extra_context *c)
{
    return table_page_suggested(c->page);
}

struct value extra_block_human_description_en(struct extra_context *c)
{
    return value_str(c->page->plan->human);
}

/* ---- columns ---- */

struct value extra_block_columns(struct extra_context *c)
{
    return str_list(c->rq->arena, c->rows->columns, c->rows->column_count);
}

struct value extra_block_all_columns(struct extra_context *c)
{
    return table_column_list(c->rq->arena, c->table);
}

struct value extra_block_primary_keys(struct extra_context *c)
{
    return str_list(c->rq->arena, c->pks, c->pk_count);
}

struct value extra_block_column_details(struct extra_context *c)
{
    struct arena *a = c->rq->arena;
    struct value out = value_dict(a);
    for (size_t i = 0; i < c->table->column_count; i++) {
        const struct schema_column *col = &c->table->columns[i];
        struct value d = value_dict(a);
        VALUE_SET(d, "type", value_str(col->type));
        VALUE_SET(d, "sqlite_type", value_cstr(schema_affinity_name(schema_affinity(col->type))));
        VALUE_SET(d, "notnull", value_bool(col->notnull));
        VALUE_SET(d, "default", col->default_value.p ? value_str(col->default_value) : VALUE_NULL);
        VALUE_SET(d, "is_pk", value_bool(col->pk > 0));
        VALUE_SET(d, "pk_position", value_int(col->pk));
        VALUE_SET(d, "hidden", value_int(col->hidden));
        value_set(out, col->name, d);
    }
    return out;
}

struct value extra_column_types(struct request *rq, str table)
{
    const struct schema_table *t = schema_table(rq->schema, table);
    return t ? column_types_of(rq, t) : value_dict(rq->arena);
}

struct value extra_block_column_types(struct extra_context *c)
{
    return extra_column_types(c->rq, c->table->name);
}

struct value extra_block_set_column_type_ui(struct extra_context *c)
{
    struct request *rq = c->rq;
    struct arena *a = rq->arena;
    if (!request_allowed(rq, ACTION_SET_COLUMN_TYPE, rq->db->name, c->table->name))
        return VALUE_NULL;
    struct value d = value_dict(a), columns = value_dict(a), types = column_types_of(rq, c->table);
    for (size_t i = 0; i < c->table->column_count; i++) {
        const struct schema_column *column = &c->table->columns[i];
        struct value item = value_dict(a), options = value_list(a), now = value_get(types, column->name);
        for (size_t k = 0; strcmp(column_sqlite_type(column->type), "TEXT") == 0 && k < column_type_count; k++) {
            struct value option = value_dict(a);
            VALUE_SET(option, "name", value_cstr(column_type_rows[k].name));
            VALUE_SET(option, "description", value_cstr(column_type_rows[k].description));
            value_push(options, option);
        }
        VALUE_SET(item, "current", now.kind == VALUE_DICT ? now : VALUE_NULL);
        VALUE_SET(item, "options", options);
        if (column->hidden != 1)
            value_set(columns, column->name, item);
    }
    str path = ARENA_CAT(a, link_table(rq, rq->db->name, c->table->name), STR("/-/set-column-type"));
    VALUE_SET(d, "path", value_str(path));
    VALUE_SET(d, "columns", columns);
    return d;
}

void extra_display(struct extra_context *c, bool link_column, struct value *ret_columns, struct value *ret_rows)
{
    struct request *rq = c->rq;
    struct arena *a = rq->arena;
    const struct schema_table *t = c->table;
    str *sortable = ARENA_ARRAY(a, str, c->rows->column_count + 1);
    size_t n = 0;
    for (size_t i = 0; c->page && i < c->rows->column_count; i++)
        if (query_sortable(&c->page->query_table, c->rows->columns[i]))
            sortable[n++] = c->rows->columns[i];
    struct cells_spec spec = {
        .rq = rq,
        .rows = c->rows,
        .row_count = c->row_count,
        .table = t,
        .link_column = link_column,
        .truncate = c->scope == EXTRA_TABLE ? rq->site->config.settings.truncate_cells_html : 0,
        .sortable = sortable,
        .sortable_count = n,
        .descriptions = VALUE_GET(extra_table_metadata(rq, t->name), "columns"),
        .column_types = extra_column_types(rq, t->name),
        .label_column = t->kind == SCHEMA_VIEW ? (str){0} : label_column(rq, rq->schema, t->name),
    };
    cells_build(&spec, ret_columns, ret_rows);
}

struct value extra_block_display_columns(struct extra_context *c)
{
    struct value columns, rows;
    extra_display(c, c->table->kind != SCHEMA_VIEW, &columns, &rows);
    return columns;
}

struct value extra_block_render_cell(struct extra_context *c)
{
    struct arena *a = c->rq->arena;
    struct value list = value_list(a), types = c->table ? extra_column_types(c->rq, c->table->name) : value_dict(a);
    struct cell_html h;
    cell_html_init(&h, c->rq, c->table ? c->table->name : (str){0});
    for (size_t r = 0; r < c->row_count; r++) {
        struct value d = value_dict(a);
        for (size_t i = 0; i < c->rows->column_count; i++) {
            struct value type = VALUE_GET(value_get(types, c->rows->columns[i]), "type");
            str html = value_is_text(type) ? cell_show_typed(a, type.s, rowset_cell(c->rows, r, i)) : (str){0};
            const struct cell *cell = rowset_cell(c->rows, r, i);
            if (!value_is_text(type) && cell->kind == CELL_TEXT && !cell->label.p)
                html = cell_html(&h, cell_html_is_markdown(&h, c->rows->columns[i]), cell->s);
            if (html.p)
                value_set(d, c->rows->columns[i], value_str(html));
        }
        value_push(list, d);
    }
    return list;
}

/* ---- the page itself ---- */

struct value extra_block_debug(struct extra_context *c)
{
    struct arena *a = c->rq->arena;
    struct value d = value_dict(a);
    VALUE_SET(d, "url_vars", request_url_vars(c->rq, a));
    if (c->scope == EXTRA_TABLE) {
        str nofacet = request_arg(c->rq, "_nofacet"), nosuggest = request_arg(c->rq, "_nosuggest");
        VALUE_SET(d, "resolved",
                  value_str(ARENA_CAT(a, STR("ResolvedTable("), db_name(c), STR(", "), c->table->name, STR(")"))));
        VALUE_SET(d, "nofacet", nofacet.p ? value_str(nofacet) : VALUE_NULL);
        VALUE_SET(d, "nosuggest", nosuggest.p ? value_str(nosuggest) : VALUE_NULL);
    }
    if (c->scope == EXTRA_ROW) {
        struct value r = value_dict(a);
        VALUE_SET(r, "table", value_str(c->table->name));
        VALUE_SET(r, "sql", value_str(c->sql));
        VALUE_SET(r, "params", c->params);
        VALUE_SET(r, "pks", str_list(a, c->pks, c->pk_count));
        VALUE_SET(r, "pk_values", str_list(a, c->pk_values, c->pk_count));
        VALUE_SET(d, "resolved", r);
    }
    return d;
}

struct value extra_block_request(struct extra_context *c)
{
    struct request *rq = c->rq;
    struct arena *a = rq->arena;
    struct value d = value_dict(a), args = value_dict(a);
    for (size_t i = 0; i < rq->args.count; i = args_next_key(&rq->args, i)) {
        const struct arg *first;
        struct value list = value_list(a);
        size_t n = args_all(&rq->args, rq->args.items[i].key, &first);
        for (size_t k = 0; k < n; k++)
            value_push(list, value_str(first[k].value));
        value_set(args, rq->args.items[i].key, list);
    }
    VALUE_SET(d, "url", value_str(request_absolute_url(rq, request_full_path(rq))));
    VALUE_SET(d, "path", value_str(link_path(rq, rq->path)));
    VALUE_SET(d, "full_path", value_str(request_full_path(rq)));
    VALUE_SET(d, "host", value_str(rq->http->host));
    VALUE_SET(d, "args", args);
    return d;
}

struct value extra_block_query(struct extra_context *c)
{
    struct value d = value_dict(c->rq->arena);
    VALUE_SET(d, "sql", value_str(c->sql));
    VALUE_SET(d, "params", c->params);
    return d;
}

static int by_key(const void *x, const void *y)
{
    return str_cmp(((const struct value_entry *)x)->key, ((const struct value_entry *)y)->key);
}

static struct value sorted_by_key(struct arena *a, struct value dict)
{
    struct value out = value_dict(a);
    qsort(dict.dict->entries, dict.dict->count, sizeof *dict.dict->entries, by_key); /* a copy: see value_copy */
    for (size_t i = 0; i < dict.dict->count; i++)
        value_set(out, dict.dict->entries[i].key, dict.dict->entries[i].value);
    return out;
}

struct value extra_table_metadata(struct request *rq, str table)
{
    struct arena *a = rq->arena;
    struct value m = config_metadata_table(&rq->site->config, rq->db->name, table);
    struct value out = m.kind == VALUE_DICT ? value_copy(a, m) : value_dict(a);
    struct value columns = VALUE_GET(out, "columns");
    value_remove(out, STR("columns"));
    VALUE_SET(out, "columns", columns.kind == VALUE_DICT ? sorted_by_key(a, columns) : value_dict(a));
    return out;
}

struct value extra_block_metadata(struct extra_context *c)
{
    return c->scope == EXTRA_QUERY ? c->metadata : extra_table_metadata(c->rq, c->table->name);
}

struct value extra_block_database(struct extra_context *c)
{
    return value_str(db_name(c));
}

struct value extra_block_table(struct extra_context *c)
{
    return value_str(c->table->name);
}

struct value extra_block_database_color(struct extra_context *c)
{
    return value_cstr(c->rq->db->color);
}

struct value extra_block_form_hidden_args(struct extra_context *c)
{
    struct arena *a = c->rq->arena;
    struct value list = value_list(a);
    for (size_t i = 0; i < c->page->plan->form_hidden_arg_count; i++) {
        struct value pair = value_list(a);
        pair.tuple = true;
        value_push(pair, value_str(c->page->plan->form_hidden_args[i].key));
        value_push(pair, value_str(c->page->plan->form_hidden_args[i].value));
        value_push(list, pair);
    }
    return list;
}

struct value extra_display_templates(struct request *rq, str table, const char *kind)
{
    struct arena *a = rq->arena;
    str db = css_class(a, rq->db->name), t = css_class(a, table);
    struct value list = value_list(a);
    value_push(list, value_str(ARENA_CAT(a, STR("_table-"), db, STR("-"), t, STR(".html"))));
    value_push(list, value_str(ARENA_CAT(a, STR("_table-"), str_of(kind), STR("-"), db, STR("-"), t, STR(".html"))));
    value_push(list, value_str(STR("_table.html")));
    return list;
}

struct value extra_block_custom_table_templates(struct extra_context *c)
{
    return extra_display_templates(c->rq, c->table->name, "table");
}

/* CREATE statements of a table and its indexes, or of a view. */
static str definition(struct arena *a, const struct schema_table *t)
{
    str out = ARENA_CAT(a, t->sql, STR(";"));
    for (size_t i = 0; i < t->index_count; i++)
        if (t->indexes[i].sql.n)
            out = ARENA_CAT(a, out, STR("\n"), t->indexes[i].sql, STR(";"));
    return out;
}

struct value extra_block_table_definition(struct extra_context *c)
{
    str sql = c->table->kind == SCHEMA_VIEW ? (str){0} : definition(c->rq->arena, c->table);
    return text_or_null(sql);
}

struct value extra_block_view_definition(struct extra_context *c)
{
    str sql = c->table->kind == SCHEMA_VIEW ? definition(c->rq->arena, c->table) : (str){0};
    return text_or_null(sql);
}

bool extra_has_labels(const struct schema_table *t)
{
    for (size_t i = 0; i < t->fk_count; i++)
        if (t->fks[i].count == 1)
            return true;
    return false;
}

struct value extra_block_renderers(struct extra_context *c)
{
    return format_links(c->rq, c->rows->columns, c->rows->column_count, extra_has_labels(c->table), false);
}

struct value extra_block_is_view(struct extra_context *c)
{
    return value_bool(c->table->kind == SCHEMA_VIEW);
}

struct value extra_block_private(struct extra_context *c)
{
    struct request *rq = c->rq;
    if (c->table)
        return value_bool(request_private(rq, ACTION_VIEW_TABLE, db_name(c), c->table->name));
    if (c->query_name.n)
        return value_bool(request_private(rq, ACTION_VIEW_QUERY, db_name(c), c->query_name));
    return value_bool(request_private(rq, ACTION_EXECUTE_SQL, db_name(c), (str){0}));
}

struct value extra_block_expandable_columns(struct extra_context *c)
{
    struct arena *a = c->rq->arena;
    struct value list = value_list(a);
    for (size_t i = 0; i < c->table->fk_count; i++) {
        const struct schema_fk *fk = &c->table->fks[i];
        struct value pair = value_list(a), d = value_dict(a);
        if (fk->count != 1 || !labels_are_allowed(c->rq, fk))
            continue;
        pair.tuple = true;
        VALUE_SET(d, "column", value_str(fk->columns[0]));
        VALUE_SET(d, "other_table", value_str(fk->other_table));
        VALUE_SET(d, "other_column", value_str(fk->other_columns[0]));
        value_push(pair, d);
        value_push(pair, text_or_null(label_column(c->rq, c->rq->schema, fk->other_table)));
        value_push(list, pair);
    }
    return list;
}

/* Rows of other tables that point at this row. Tables the actor may not see are left out. */
struct value extra_block_foreign_key_tables(struct extra_context *c)
{
    struct request *rq = c->rq;
    struct arena *a = rq->arena;
    struct value list = value_list(a);
    if (c->pk_count != 1)
        return list;
    struct table_link *links;
    size_t n_links = table_incoming(rq, c->table, &links);
    for (size_t i = 0; i < n_links; i++) {
        const struct table_link *in = &links[i];
        str sql = ARENA_CAT(a, STR("select count(*) from "), query_identifier(a, in->other_table), STR(" where "),
                            query_identifier(a, in->other_column), STR("=:id"));
        struct query_param param = {STR("id"), value_str(c->pk_values[0])};
        int64_t n = 0;
        if (fetch_integer(rq, rq->conn, sql, &param, 1, rq->site->config.settings.sql_time_limit_ms, &n, NULL) !=
            STATUS_OK)
            continue;
        bool special = in->other_column.n && in->other_column.p[0] == '_';
        struct value d = value_dict(a);
        VALUE_SET(d, "other_table", value_str(in->other_table));
        VALUE_SET(d, "column", value_str(in->column));
        VALUE_SET(d, "other_column", value_str(in->other_column));
        VALUE_SET(d, "count", value_int(n));
        VALUE_SET(d, "link",
                  value_str(ARENA_CAT(a, link_table(rq, db_name(c), in->other_table), STR("?"), in->other_column,
                                      special ? STR("__exact=") : STR("="), c->pk_values[0])));
        value_push(list, d);
    }
    return list;
}
