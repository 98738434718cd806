/* SPDX-License-Identifier: Apache-2.0 */
/* table — the page of a table or view in all its formats; names that are no table are looked up as stored queries. */
#include "site/compat.h"
#include "site/extras.h"
#include "site/links.h"
#include "site/queries.h"
#include "site/query/redirect.h"
#include "site/render/blob.h"
#include "site/render/filters.h"
#include "site/render/formats.h"
#include "site/render/page.h"
#include "site/render/page_vars.h"
#include "site/render/row_value.h"
#include "site/render/rows_json.h"
#include "site/share/guest.h"
#include "site/tables.h"
#include "site/view/view.h"
#include "site/write/write.h"

static struct value param_dict(struct arena *a, const struct query_plan *plan)
{
    struct value d = value_dict(a);
    for (size_t i = 0; i < plan->param_count; i++)
        value_set(d, plan->params[i].name, plan->params[i].value);
    return d;
}

static struct extra_context context_of(struct table_page *p)
{
    return (struct extra_context){.scope = EXTRA_TABLE,
                                  .rq = p->rq,
                                  .page = p,
                                  .table = p->table,
                                  .rows = &p->rows,
                                  .row_count = p->row_count,
                                  .pks = p->table->pks,
                                  .pk_count = p->table->pk_count,
                                  .sql = p->plan->sql,
                                  .params = param_dict(p->rq->arena, p->plan)};
}

static void next_link(struct table_page *p)
{
    if (p->next.has)
        response_header(p->rq->response, STR("link"),
                        ARENA_CAT(p->rq->arena, STR("<"), p->next.url, STR(">; rel=\"next\"")));
}

/* ---- json ---- */

static bool asks_for_facets(const struct request *rq)
{
    for (size_t i = 0; i < rq->args.count; i++)
        if (str_is(rq->args.items[i].key, "_facet") || str_starts(rq->args.items[i].key, STR("_facet_")))
            return true;
    return false;
}

static enum status add_extras(struct extra_context *c, struct value head, struct err *err)
{
    struct request *rq = c->rq;
    enum status st = extras_parse(rq, EXTRA_TABLE, &c->names, err);
    size_t asked = st == STATUS_OK ? value_count(c->names) : 0;
    bool facets = st == STATUS_OK && asks_for_facets(rq);
    for (size_t i = 0; i < asked; i++)
        if (str_is(value_at(c->names, i).s, "count"))
            extras_imply(c, STR("count_truncated"));
    if (facets)
        extras_imply(c, STR("facet_results"));
    for (size_t i = 0; st == STATUS_OK && i < value_count(c->names); i++)
        st = extras_add(c, value_at(c->names, i).s, head, err);
    return st;
}

static enum status respond_as_json(struct table_page *p, struct err *err)
{
    struct request *rq = p->rq;
    struct arena *a = rq->arena;
    struct extra_context c = context_of(p);
    struct rows_json spec = {
        .rows = &p->rows, .row_count = p->row_count, .pks = p->table->pks, .pk_count = p->table->pk_count};
    struct value head = value_dict(a), tail = value_dict(a);
    bool old = compat_is_old(rq);
    if (!old) {
        VALUE_SET(head, "ok", value_bool(true));
        VALUE_SET(head, "next", value_str_if(p->next.has, p->next.token));
        VALUE_SET(head, "next_url", value_str_if(p->next.has, p->next.url));
    }
    enum status st = old ? STATUS_OK : add_extras(&c, head, err);
    if (st != STATUS_OK)
        return st;
    st = rows_json_options(rq, &spec, err);
    if (st == STATUS_OK)
        st = query_shape_check(spec.shaping.shape, true, p->table->pk_count > 0, err);
    if (st != STATUS_OK) { /* the page itself was fine: its headers stay */
        struct value body = page_error_json(a, err, status_http(st));
        if (old)
            VALUE_SET(body, "title", VALUE_NULL);
        respond_json(rq, status_http(st), body);
        return STATUS_OK;
    }
    if (!old && !value_has(head, STR("columns")))
        spec.parsed_count = 0; /* Datasette reads _json only beside _extra=columns */
    bool enveloped = spec.shaping.shape == QUERY_SHAPE_ARRAYS || spec.shaping.shape == QUERY_SHAPE_OBJECTS;
    VALUE_SET(tail, "truncated", value_bool(false));
    if (old && enveloped)
        compat_table(&c, p, head, tail);
    if (old && enveloped && !spec.parsed_count && value_count(VALUE_GET(tail, "expanded_columns")))
        spec.shaping.shape = QUERY_SHAPE_OBJECTS; /* rows with labels are no lists, unless _json rewrites them */
    spec.head = head;
    spec.tail = tail;
    return rows_json_respond(rq, &spec, 200, err);
}

/* ---- html ---- */

static struct value filter_columns(struct table_page *p)
{
    struct arena *a = p->rq->arena;
    struct value list = str_list(a, p->rows.columns, p->rows.column_count);
    for (size_t i = 0; i < p->table->column_count; i++)
        if (rowset_column(&p->rows, p->table->columns[i].name) == (size_t)-1)
            value_push(list, value_str(p->table->columns[i].name));
    return list;
}

static struct value extra_wheres(struct table_page *p)
{
    struct arena *a = p->rq->arena;
    struct value list = value_list(a);
    for (size_t i = 0; i < p->plan->where_count; i++) {
        struct value d = value_dict(a);
        VALUE_SET(d, "text", value_str(p->plan->wheres[i].text));
        VALUE_SET(d, "remove_url", value_str(p->plan->wheres[i].remove_url));
        value_push(list, d);
    }
    return list;
}

static struct value page_data(struct table_page *p)
{
    struct arena *a = p->rq->arena;
    struct value d = value_dict(a);
    VALUE_SET(d, "database", value_str(p->rq->db->name));
    VALUE_SET(d, "table", value_str(p->table->name));
    VALUE_SET(d, "tableUrl", value_str(link_table(p->rq, p->rq->db->name, p->table->name)));
    return d;
}

static bool any_sortable(struct value columns)
{
    for (size_t i = 0; i < value_count(columns); i++)
        if (value_truth(VALUE_GET(value_at(columns, i), "sortable")))
            return true;
    return false;
}

static enum status html_vars(struct table_page *p, struct value d, struct err *err)
{
    static const char *const from_extras[] = {
        "count",
        "count_truncated",
        "count_sql",
        "human_description_en",
        "metadata",
        "query",
        "columns",
        "database",
        "table",
        "database_color",
        "table_definition",
        "view_definition",
        "is_view",
        "private",
        "primary_keys",
        "all_columns",
        "expandable_columns",
        "form_hidden_args",
        "set_column_type_ui",
        "facet_results",
        "facets_timed_out",
        "sorted_facet_results",
        "suggested_facets",
        "custom_table_templates",
    };
    struct request *rq = p->rq;
    struct extra_context c = context_of(p);
    enum status st = table_page_facets(p, err);
    for (size_t i = 0; st == STATUS_OK && i < ARRAY_LEN(from_extras); i++)
        st = extras_add(&c, str_of(from_extras[i]), d, err);
    if (st != STATUS_OK)
        return st;
    struct value columns, rows;
    bool linked = p->table->kind != SCHEMA_VIEW && !rq->guest->embedded; /* a frame does not lead to rows */
    extra_display(&c, linked, &columns, &rows);
    VALUE_SET(d, "ok", value_bool(true));
    VALUE_SET(d, "facets_awaited", p->facets_awaited);
    VALUE_SET(d, "count_estimate", p->count_estimate >= 0 ? value_int(p->count_estimate) : VALUE_NULL);
    VALUE_SET(d, "renderers",
              format_links(rq, p->rows.columns, p->rows.column_count, extra_has_labels(p->table), true));
    VALUE_SET(d, "display_columns", columns);
    VALUE_SET(d, "display_rows", rows);
    VALUE_SET(d, "is_sortable", value_bool(any_sortable(columns)));
    VALUE_SET(d, "next", value_str_if(p->next.has, p->next.token));
    VALUE_SET(d, "next_url", value_str_if(p->next.has, p->next.url));
    VALUE_SET(d, "filters", filters_object(p));
    VALUE_SET(d, "filter_columns", filter_columns(p));
    VALUE_SET(d, "supports_search", value_bool(p->plan->supports_search));
    VALUE_SET(d, "search", value_str(STR(""))); /* Datasette leaves the box empty */
    VALUE_SET(d, "search_text", value_str(p->plan->search));
    VALUE_SET(d, "extra_wheres_for_ui", extra_wheres(p));
    VALUE_SET(d, "settings", page_vars_settings(rq));
    VALUE_SET(d, "datasette_allow_facet", value_cstr(rq->site->config.settings.allow_facet ? "true" : "false"));
    VALUE_SET(d, "allow_execute_sql", value_bool(p->query_request.may_execute_sql));
    VALUE_SET(d, "query_ms", value_float(1.2));
    VALUE_SET(d, "table_page_data", page_data(p));
    VALUE_SET(d, "table_insert_ui", VALUE_NULL);
    VALUE_SET(d, "table_alter_ui", VALUE_NULL);
    VALUE_SET(d, "rows", row_values(rq->arena, &p->rows, p->row_count, ROW_DICT));
    page_vars_sort(p, d);
    page_vars_csv(rq, d, extra_has_labels(p->table));
    return STATUS_OK;
}

static enum status respond_as_html(struct table_page *p, struct err *err)
{
    struct request *rq = p->rq;
    struct arena *a = rq->arena;
    struct value d = value_dict(a);
    enum status st = html_vars(p, d, err);
    if (st != STATUS_OK)
        return st;
    str db = css_class(a, rq->db->name), t = css_class(a, p->table->name);
    const str names[] = {ARENA_CAT(a, STR("table-"), db, STR("-"), t, STR(".html")), STR("table.html")};
    return page_respond(rq, 200, names, 2, d, true, err);
}

/* ---- the page ---- */

static enum status check_facets_allowed(const struct request *rq, struct err *err)
{
    for (size_t i = 0; !rq->site->config.settings.allow_facet && i < rq->args.count; i++)
        if (str_starts(rq->args.items[i].key, STR("_facet")))
            return err_set(err, STATUS_INVALID, "_facet= is not allowed");
    return STATUS_OK;
}

static enum status respond_page(struct table_page *p, struct err *err)
{
    struct request *rq = p->rq;
    bool html = str_is(rq->format, "html");
    const struct format *f = format_find(rq->format);
    if (f->rows)
        return row_stream_table(p, f->rows, err);
    enum status st = table_page_fetch(p, html, err);
    if (st == STATUS_OK)
        st = check_facets_allowed(rq, err);
    if (st != STATUS_OK)
        return st;
    if (str_is(rq->format, "blob"))
        return blob_respond(rq, &p->rows, p->row_count, p->table->name, (str){0}, err);
    struct export x = {.rq = rq,
                       .rows = &p->rows,
                       .row_count = p->row_count,
                       .table = p->table,
                       .page = p,
                       .name = p->table->name,
                       .sql = p->plan->sql};
    st = f->respond ? f->respond(&x, err) : html ? respond_as_html(p, err) : respond_as_json(p, err);
    if (st == STATUS_OK)
        next_link(p);
    return st;
}

enum status view_table(struct request *rq, struct err *err)
{
    const struct schema_table *t;
    struct table_page *p = ARENA_NEW(rq->arena, struct table_page);
    str location;
    enum status st = request_open_database(rq, err);
    if (st != STATUS_OK)
        return st;
    t = schema_table(rq->schema, rq->params[1]);
    if ((!t || !str_eq(t->name, rq->params[1])) && queries_exists(rq, rq->db->name, rq->params[1]))
        return view_stored_query(rq, err);
    st = tables_open(rq, rq->params[1], &t, err);
    if (st != STATUS_OK)
        return st;
    if (rq->http->method == HTTP_POST && str_is(rq->format, "json") && write_is_short_form(rq))
        return view_insert(rq, err);
    if (rq->http->method == HTTP_POST) {
        respond_text(rq, 405, "text/plain; charset=utf-8", STR("Method not allowed"));
        page_cache_headers(rq, false);
        return STATUS_OK;
    }
    st = table_page_init(p, rq, t, err);
    if (st != STATUS_OK)
        return st;
    const struct format *f;
    st = format_require(rq->format, &f, err);
    if (st != STATUS_OK)
        return st;
    if (query_redirect(rq->arena, &p->query_request, &location)) {
        respond_redirect(rq, 302, location);
        response_header(rq->response, STR("link"), ARENA_CAT(rq->arena, STR("<"), location, STR(">; rel=preload")));
        page_cache_headers(rq, false);
        return STATUS_OK;
    }
    st = respond_page(p, err);
    page_cache_headers(rq, st == STATUS_OK && rq->response->status == 200);
    return st;
}
