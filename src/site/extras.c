/* SPDX-License-Identifier: Apache-2.0 */
#include "site/extras.h"

#include <stdlib.h>

#include "codec/url.h"
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

static struct value x_count(struct extra_context *c)
{
    table_page_count(c->page);
    return c->page->count >= 0 ? value_int(c->page->count) : VALUE_NULL;
}

static struct value x_count_truncated(struct extra_context *c)
{
    table_page_count(c->page);
    return value_bool(c->page->count_truncated);
}

static struct value x_count_sql(struct extra_context *c)
{
    return value_str(c->page->plan->count_sql);
}

static struct value x_facet_results(struct extra_context *c)
{
    return c->page->facet_results;
}

static struct value x_facets_timed_out(struct extra_context *c)
{
    return c->page->facets_timed_out;
}

static struct value x_sorted_facet_results(struct extra_context *c)
{
    return c->page->facets_sorted;
}

static struct value x_suggested_facets(struct extra_context *c)
{
    return table_page_suggested(c->page);
}

static struct value x_human_description_en(struct extra_context *c)
{
    return value_str(c->page->plan->human);
}

/* ---- columns ---- */

static struct value x_columns(struct extra_context *c)
{
    return str_list(c->rq->arena, c->rows->columns, c->rows->column_count);
}

static struct value x_all_columns(struct extra_context *c)
{
    return table_column_list(c->rq->arena, c->table);
}

static struct value x_primary_keys(struct extra_context *c)
{
    return str_list(c->rq->arena, c->pks, c->pk_count);
}

static struct value x_column_details(struct extra_context *c)
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

static struct value x_column_types(struct extra_context *c)
{
    return extra_column_types(c->rq, c->table->name);
}

static struct value x_set_column_type_ui(struct extra_context *c)
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

static struct value x_display_columns(struct extra_context *c)
{
    struct value columns, rows;
    extra_display(c, c->table->kind != SCHEMA_VIEW, &columns, &rows);
    return columns;
}

static struct value x_render_cell(struct extra_context *c)
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

static struct value x_debug(struct extra_context *c)
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

static struct value x_request(struct extra_context *c)
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

static struct value x_query(struct extra_context *c)
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

static struct value x_metadata(struct extra_context *c)
{
    return c->scope == EXTRA_QUERY ? c->metadata : extra_table_metadata(c->rq, c->table->name);
}

static struct value x_database(struct extra_context *c)
{
    return value_str(db_name(c));
}

static struct value x_table(struct extra_context *c)
{
    return value_str(c->table->name);
}

static struct value x_database_color(struct extra_context *c)
{
    return value_cstr(c->rq->db->color);
}

static struct value x_form_hidden_args(struct extra_context *c)
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

static struct value x_custom_table_templates(struct extra_context *c)
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

static struct value x_table_definition(struct extra_context *c)
{
    str sql = c->table->kind == SCHEMA_VIEW ? (str){0} : definition(c->rq->arena, c->table);
    return text_or_null(sql);
}

static struct value x_view_definition(struct extra_context *c)
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

static struct value x_renderers(struct extra_context *c)
{
    return format_links(c->rq, c->rows->columns, c->rows->column_count, extra_has_labels(c->table), false);
}

static struct value x_is_view(struct extra_context *c)
{
    return value_bool(c->table->kind == SCHEMA_VIEW);
}

static struct value x_private(struct extra_context *c)
{
    struct request *rq = c->rq;
    if (c->table)
        return value_bool(request_private(rq, ACTION_VIEW_TABLE, db_name(c), c->table->name));
    if (c->query_name.n)
        return value_bool(request_private(rq, ACTION_VIEW_QUERY, db_name(c), c->query_name));
    return value_bool(request_private(rq, ACTION_EXECUTE_SQL, db_name(c), (str){0}));
}

static struct value x_expandable_columns(struct extra_context *c)
{
    struct arena *a = c->rq->arena;
    struct value list = value_list(a);
    for (size_t i = 0; i < c->table->fk_count; i++) {
        const struct schema_fk *fk = &c->table->fks[i];
        struct value pair = value_list(a), d = value_dict(a);
        if (fk->count != 1 || !request_allowed(c->rq, ACTION_VIEW_TABLE, db_name(c), fk->other_table))
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
static struct value x_foreign_key_tables(struct extra_context *c)
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

static struct value x_extras(struct extra_context *c);

/* ---- the table ---- */

/* The descriptions are Datasette's, word for word, under its Apache-2.0 licence: they are part of what ?_extra=extras
 * answers, and programs that were written for it compare them. */

#define T EXTRA_TABLE
#define R EXTRA_ROW
#define Q EXTRA_QUERY
static const struct extra {
    const char *name;
    unsigned scopes;
    const char *description;
    struct value (*fn)(struct extra_context *c);
} extras[] = {
    {"count", T, "Total count of rows matching these filters", x_count},
    {"count_truncated", T,
     "True if the count hit Datasette's counting limit, meaning the real number of matching rows is at "
     "least the reported count.",
     x_count_truncated},
    {"count_sql", T,
     "SQL query string used to calculate the total count for the current table view, including active "
     "filters.",
     x_count_sql},
    {"facet_results", T,
     "Results of facets calculated against this data. A dictionary with ``results`` and ``timed_out`` "
     "keys: ``results`` maps facet names to facet dictionaries with ``name``, ``type``, ``results`` and "
     "URL keys, and each facet result item includes ``value``, ``label``, ``count`` and ``toggle_url``.",
     x_facet_results},
    {"facets_timed_out", T, "List of names of facet calculations that exceeded the facet time limit.",
     x_facets_timed_out},
    {"suggested_facets", T,
     "Suggestions for facets that might return interesting results. Each item is a dictionary with "
     "``name`` and ``toggle_url`` keys, and may include extra keys such as ``type`` or ``label`` depending "
     "on the facet class.",
     x_suggested_facets},
    {"human_description_en", T, "Human-readable description of the filters", x_human_description_en},
    {"columns", T | R | Q, "List of column names returned by this table, row or query.", x_columns},
    {"all_columns", T, "List of all column names in the table, regardless of ``_col=`` or ``_nocol=`` filtering.",
     x_all_columns},
    {"primary_keys", T | R,
     "List of primary key column names for this table, or an empty list if the table has no explicit "
     "primary key.",
     x_primary_keys},
    {"column_details", T | R,
     "SQLite schema details for columns in this table. The dictionary maps column names to objects "
     "describing the schema for each column.",
     x_column_details},
    {"display_columns", T,
     "Column metadata used by the HTML table display. Each item includes ``name``, ``sortable``, "
     "``is_pk``, ``type``, ``notnull``, ``description``, ``column_type`` and ``column_type_config`` keys.",
     x_display_columns},
    {"render_cell", T | R | Q, "Rendered HTML for each cell using the render_cell plugin hook", x_render_cell},
    {"debug", T | R | Q,
     "Extra debug information dictionary. This is intended for development only and its shape is not part "
     "of the stable template contract.",
     x_debug},
    {"request", T | R | Q,
     "Dictionary with request details: ``url``, ``path``, ``full_path``, ``host`` and ``args`` where "
     "``args`` maps query string parameter names to their values.",
     x_request},
    {"query", T | R | Q, "Details of the underlying SQL query as a dictionary with ``sql`` and ``params`` keys.",
     x_query},
    {"column_types", T | R,
     "Column type assignments for this table. A dictionary mapping column names to ``{\"type\": type_name, "
     "\"config\": config}`` dictionaries.",
     x_column_types},
    {"set_column_type_ui", T,
     "Information needed to build an interface for assigning column types, or ``None`` if unavailable. "
     "When present it has ``path`` and ``columns`` keys; ``columns`` maps column names to ``current`` and "
     "``options`` values.",
     x_set_column_type_ui},
    {"metadata", T | R | Q,
     "Metadata dictionary for the table, database or stored query. Table and row metadata include a "
     "``columns`` dictionary mapping column names to descriptions; stored query metadata returns the "
     "stored query configuration.",
     x_metadata},
    {"extras", T | R | Q,
     "List of ``?_extra=`` blocks that can be used on this page. Each item has ``name``, ``description``, "
     "``toggle_url`` and ``selected`` keys.",
     x_extras},
    {"database", T | R | Q, "Database name", x_database},
    {"table", T | R, "Table name", x_table},
    {"database_color", T | R | Q, "Color assigned to the database", x_database_color},
    {"renderers", T,
     "Dictionary mapping output format names such as ``json`` or plugin-provided renderer names to URLs "
     "for this data in that format.",
     x_renderers},
    {"custom_table_templates", T, "List of custom template names considered for rendering table rows, in lookup order.",
     x_custom_table_templates},
    {"sorted_facet_results", T,
     "Facet result dictionaries sorted for display. Each item has the same shape as an entry from "
     "``facet_results['results']``.",
     x_sorted_facet_results},
    {"table_definition", T, "SQL definition for this table", x_table_definition},
    {"view_definition", T, "SQL definition for this view", x_view_definition},
    {"is_view", T, "Whether this resource is a view instead of a table", x_is_view},
    {"private", T | R | Q, "Whether this resource is private to the current actor", x_private},
    {"expandable_columns", T,
     "List of foreign key columns that can be expanded with labels. Each item is a ``(foreign_key, "
     "label_column)`` pair where ``foreign_key`` is the SQLite foreign key dictionary and ``label_column`` "
     "is the label column in the referenced table, or ``None``.",
     x_expandable_columns},
    {"foreign_key_tables", R,
     "List of tables that link to this row using foreign keys. Each item includes the foreign key fields "
     "plus ``count`` for matching rows and ``link`` for the filtered table URL.",
     x_foreign_key_tables},
    {"form_hidden_args", T,
     "List of ``(name, value)`` pairs for hidden form fields used by the HTML table interface to preserve "
     "current query string options.",
     x_form_hidden_args},
};
#undef T
#undef R
#undef Q

static const struct extra *find(str name, enum extra_scope scope)
{
    for (size_t i = 0; i < ARRAY_LEN(extras); i++)
        if (str_is(name, extras[i].name) && (extras[i].scopes & scope))
            return &extras[i];
    return NULL;
}

/* Keys that every table answer has anyway. They are no extras, so asking for nothing else is refused as Datasette does;
 * beside an extra they are accepted, because the released script of datasette-cluster-map asks for "count,next_url". */
static bool always_there(str name, enum extra_scope scope)
{
    return scope == EXTRA_TABLE && (str_is(name, "next") || str_is(name, "next_url"));
}

static bool has_name(struct value names, str name)
{
    for (size_t i = 0; i < value_count(names); i++)
        if (str_eq(value_at(names, i).s, name))
            return true;
    return false;
}

void extras_imply(struct extra_context *c, str name)
{
    if (!has_name(c->names, name))
        value_push(c->names, value_str(name));
}

static struct value x_extras(struct extra_context *c)
{
    struct request *rq = c->rq;
    struct arena *a = rq->arena;
    struct value list = value_list(a);
    for (size_t i = 0; i < ARRAY_LEN(extras); i++) {
        if (!(extras[i].scopes & c->scope))
            continue;
        str name = str_of(extras[i].name);
        bool selected = has_name(c->names, name);
        const struct url_pair pair = {STR("_extra"), name};
        str path = link_path(rq, rq->path);
        str toggled = selected ? url_with_removed(a, path, rq->query_string, &pair, 1)
                               : url_with_added(a, path, rq->query_string, &pair, 1);
        struct value d = value_dict(a);
        VALUE_SET(d, "name", value_str(name));
        VALUE_SET(d, "description", value_cstr(extras[i].description));
        VALUE_SET(d, "toggle_url", value_str(request_absolute_url(rq, toggled)));
        VALUE_SET(d, "selected", value_bool(selected));
        value_push(list, d);
    }
    return list;
}

static enum status unknown_extra(str name, struct err *err)
{
    err_set(err, STATUS_INVALID, "Unknown _extra: %.*s", STR_ARG(name));
    return err_hint(err, "Ask for ?_extra=extras to see the names.");
}

enum status extras_parse(struct request *rq, enum extra_scope scope, struct value *ret_names, struct err *err)
{
    const struct arg *first;
    size_t n = args_all(&rq->args, STR("_extra"), &first);
    struct value names = value_list(rq->arena);
    str needless = {0};
    for (size_t i = 0; i < n; i++) {
        str rest = first[i].value, name;
        while (rest.n) {
            str_cut(rest, ',', &name, &rest);
            if (always_there(name, scope))
                needless = name;
            else if (name.n && !find(name, scope))
                return unknown_extra(name, err);
            else if (name.n && !has_name(names, name))
                value_push(names, value_str(name));
        }
    }
    if (needless.n && !value_count(names))
        return unknown_extra(needless, err);
    *ret_names = names;
    return STATUS_OK;
}

static enum status prepare(struct extra_context *c, str name, struct err *err)
{
    bool facets =
        str_is(name, "facet_results") || str_is(name, "facets_timed_out") || str_is(name, "sorted_facet_results");
    return facets && c->page ? table_page_facets(c->page, err) : STATUS_OK;
}

enum status extras_add(struct extra_context *c, str name, struct value out, struct err *err)
{
    const struct extra *x = find(name, c->scope);
    if (!x)
        return STATUS_OK;
    enum status st = prepare(c, name, err);
    if (st == STATUS_OK)
        value_set(out, str_of(x->name), x->fn(c));
    return st;
}

struct value extras_get(struct extra_context *c, const char *name)
{
    const struct extra *x = find(str_of(name), c->scope);
    return x && prepare(c, str_of(name), NULL) == STATUS_OK ? x->fn(c) : VALUE_UNDEF;
}
