/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "codec/url.h"
#include "site/compat.h"
#include "site/extras.h"
#include "site/history.h"
#include "site/labels.h"
#include "site/links.h"
#include "site/render/blob.h"
#include "site/render/cells.h"
#include "site/render/formats.h"
#include "site/render/page.h"
#include "site/render/page_vars.h"
#include "site/render/row_value.h"
#include "site/render/rows_json.h"
#include "site/tables.h"
#include "site/view/view.h"
#include "site/write/actions.h"

struct row_page {
    struct request *rq;
    const struct schema_table *table;
    const str *pks; /* {"rowid"} for rowid tables */
    str *values;    /* decoded, as in the URL */
    size_t pk_count;
    str sql;
    struct query_param *params;
    struct rowset rows;
};

static const str rowid_pk[] = {{"rowid", 5}};

/* The comma-separated, tilde-encoded key of the URL -> values. */
static enum status parse_key(struct row_page *p, struct err *err)
{
    struct request *rq = p->rq;
    struct arena *a = rq->arena;
    str rest = rq->params[2], part;
    size_t n = 1;
    for (size_t i = 0; i < rest.n; i++)
        n += rest.p[i] == ',';
    p->pks = p->table->pk_count ? p->table->pks : rowid_pk;
    p->pk_count = p->table->pk_count ? p->table->pk_count : 1;
    if (n != p->pk_count)
        return err_set(err, STATUS_INVALID, "URL row identifier does not match the primary key for this table");
    p->values = ARENA_ARRAY(a, str, n);
    for (size_t i = 0; i < n; i++) {
        str_cut(rest, ',', &part, &rest);
        p->values[i] = tilde_decode(a, part);
    }
    return STATUS_OK;
}

static enum status fetch_row(struct row_page *p, struct err *err)
{
    struct request *rq = p->rq;
    struct arena *a = rq->arena;
    str sql = p->table->use_rowid ? STR("select rowid, * from ") : STR("select * from ");
    sql = ARENA_CAT(a, sql, query_identifier(a, p->table->name), STR(" where "));
    p->params = ARENA_ARRAY(a, struct query_param, p->pk_count);
    for (size_t i = 0; i < p->pk_count; i++) {
        str name = arena_printf(a, "p%zu", i);
        str column = ARENA_CAT(a, STR("\""), p->pks[i], STR("\""));
        if (str_find_char(p->pks[i], '"') != STR_NPOS)
            column = query_identifier(a, p->pks[i]);
        sql = ARENA_CAT(a, sql, i ? STR(" AND ") : STR(""), column, STR("=:"), name);
        p->params[i] = (struct query_param){name, value_str(p->values[i])};
    }
    p->sql = sql;
    struct fetch_limits limits = {.max_rows = 1, .time_limit_ms = rq->site->config.settings.sql_time_limit_ms};
    enum status st = fetch_rows(rq, rq->conn, sql, p->params, p->pk_count, &limits, &p->rows, err);
    if (st == STATUS_SQL)
        rq->error_title = "Invalid SQL";
    if (st == STATUS_OK && !p->rows.row_count)
        return err_set(err, STATUS_NOT_FOUND, "Row not found");
    return st;
}

static struct extra_context context_of(struct row_page *p)
{
    struct arena *a = p->rq->arena;
    struct value params = value_dict(a);
    for (size_t i = 0; i < p->pk_count; i++)
        value_set(params, p->params[i].name, p->params[i].value);
    return (struct extra_context){.scope = EXTRA_ROW,
                                  .rq = p->rq,
                                  .table = p->table,
                                  .rows = &p->rows,
                                  .row_count = 1,
                                  .pks = p->pks,
                                  .pk_count = p->pk_count,
                                  .pk_values = p->values,
                                  .sql = p->sql,
                                  .params = params};
}

static enum status respond_as_old_json(struct extra_context *c, struct rows_json *spec, struct err *err)
{
    spec->head = value_dict(c->rq->arena);
    spec->tail = value_dict(c->rq->arena);
    compat_row(c, spec->head, spec->tail);
    enum status st = rows_json_options(c->rq, spec, err);
    return st == STATUS_OK ? rows_json_respond(c->rq, spec, 200, err) : st;
}

static enum status respond_as_json(struct row_page *p, struct err *err)
{
    struct request *rq = p->rq;
    struct arena *a = rq->arena;
    struct extra_context c = context_of(p);
    struct rows_json spec = {.rows = &p->rows, .row_count = 1, .pks = p->pks, .pk_count = p->pk_count};
    struct value head = value_dict(a), tail = value_dict(a);
    if (compat_is_old(rq))
        return respond_as_old_json(&c, &spec, err);
    VALUE_SET(head, "ok", value_bool(true));
    VALUE_SET(head, "database", value_str(rq->db->name));
    VALUE_SET(head, "table", value_str(p->table->name));
    VALUE_SET(tail, "primary_keys", str_list(a, p->pks, p->pk_count));
    VALUE_SET(tail, "primary_key_values", str_list(a, p->values, p->pk_count));
    enum status st = extras_parse(rq, EXTRA_ROW, &c.names, err);
    struct value reserved = head;
    for (size_t i = 0; st == STATUS_OK && i < value_count(c.names); i++)
        if (!value_has(reserved, value_at(c.names, i).s))
            st = extras_add(&c, value_at(c.names, i).s, tail, err);
    if (st != STATUS_OK)
        return st;
    if (rows_json_options(rq, &spec, err) != STATUS_OK) { /* the row itself was found: its headers stay */
        respond_json(rq, 400, page_error_json(a, err, 400));
        return STATUS_OK;
    }
    VALUE_SET(tail, "query_ms", value_float((double)(clock_mono_us() - rq->started_mono_us) / 1000.0));
    VALUE_SET(tail, "truncated", value_bool(false));
    spec.head = head;
    spec.tail = tail;
    return rows_json_respond(rq, &spec, 200, err);
}

/* Primary keys come first on the page. */
static void keys_first(struct row_page *p)
{
    struct arena *a = p->rq->arena;
    struct rowset *r = &p->rows;
    str *columns = ARENA_ARRAY(a, str, r->column_count + 1);
    struct cell *cells = ARENA_ARRAY(a, struct cell, r->column_count + 1);
    size_t n = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < r->column_count; i++) {
            bool key = false;
            for (size_t k = 0; k < p->pk_count; k++)
                key |= str_eq(p->pks[k], r->columns[i]);
            if (key == (pass == 0)) {
                columns[n] = r->columns[i];
                cells[n++] = r->cells[i];
            }
        }
    }
    r->columns = columns;
    r->cells = cells;
}

static enum status respond_as_html(struct row_page *p, struct err *err)
{
    struct request *rq = p->rq;
    struct arena *a = rq->arena;
    keys_first(p);
    enum status st = labels_expand(rq, rq->schema, p->table, NULL, 0, &p->rows, 1, err);
    if (st != STATUS_OK)
        return st;
    struct extra_context c = context_of(p);
    struct value d = value_dict(a), columns, rows;
    extra_display(&c, false, &columns, &rows);
    VALUE_SET(d, "ok", value_bool(true));
    VALUE_SET(d, "database", value_str(rq->db->name));
    VALUE_SET(d, "table", value_str(p->table->name));
    VALUE_SET(d, "database_color", value_cstr(rq->db->color));
    VALUE_SET(d, "columns", str_list(a, p->rows.columns, p->rows.column_count));
    VALUE_SET(d, "primary_keys", str_list(a, p->pks, p->pk_count));
    VALUE_SET(d, "primary_key_values", str_list(a, p->values, p->pk_count));
    VALUE_SET(d, "display_columns", columns);
    VALUE_SET(d, "display_rows", rows);
    VALUE_SET(d, "rows", row_values(a, &p->rows, 1, ROW_TUPLE));
    VALUE_SET(d, "foreign_key_tables", extras_get(&c, "foreign_key_tables"));
    VALUE_SET(d, "private", extras_get(&c, "private"));
    VALUE_SET(d, "metadata", value_dict(a));
    VALUE_SET(d, "custom_table_templates", extra_display_templates(rq, p->table->name, "row"));
    VALUE_SET(d, "renderers", format_links(rq, p->rows.columns, p->rows.column_count, false, true));
    VALUE_SET(d, "row_actions", actions_of_row(rq));
    VALUE_SET(d, "row_history", history_of_row(rq, p->table));
    VALUE_SET(d, "row_mutation_ui", value_bool(false));
    VALUE_SET(d, "table_page_data", value_dict(a));
    VALUE_SET(d, "settings", page_vars_settings(rq));
    page_vars_csv(rq, d, false);
    VALUE_SET(d, "query_ms", value_float((double)(clock_mono_us() - rq->started_mono_us) / 1000.0));
    const str names[] = {
        ARENA_CAT(a, STR("row-"), css_class(a, rq->db->name), STR("-"), css_class(a, p->table->name), STR(".html")),
        STR("row.html")};
    return page_respond(rq, 200, names, 2, d, true, err);
}

static enum status respond_page(struct row_page *p, struct err *err)
{
    struct request *rq = p->rq;
    enum status st = parse_key(p, err);
    if (st == STATUS_OK)
        st = fetch_row(p, err);
    if (st != STATUS_OK)
        return st;
    if (str_is(rq->format, "json"))
        return respond_as_json(p, err);
    if (str_is(rq->format, "blob"))
        return blob_respond(rq, &p->rows, 1, p->table->name, rq->params[2], err);
    const struct format *f = format_find(rq->format);
    if (!f)
        return err_set(err, STATUS_NOT_FOUND, "Invalid format: %.*s", STR_ARG(rq->format));
    struct value names;
    if (f->rows && extras_parse(rq, EXTRA_ROW, &names, err) != STATUS_OK)
        return err->status;
    if (f->rows)
        return row_stream_rows(rq, &p->rows, p->table->name, p->table, f->rows, err);
    struct export x = {
        .rq = rq, .rows = &p->rows, .row_count = 1, .table = p->table, .name = p->table->name, .sql = p->sql};
    return f->respond ? f->respond(&x, err) : respond_as_html(p, err);
}

enum status view_row(struct request *rq, struct err *err)
{
    struct row_page p = {.rq = rq};
    enum status st = request_open_database(rq, err);
    if (st == STATUS_OK)
        st = tables_open(rq, rq->params[1], &p.table, err);
    if (st == STATUS_OK && p.table->kind == SCHEMA_VIEW)
        return err_set(err, STATUS_NOT_FOUND, "Row not found");
    if (st != STATUS_OK)
        return st;
    st = respond_page(&p, err);
    if (!str_is(rq->format, "csv"))
        page_cache_headers(rq, st == STATUS_OK && rq->response->status == 200);
    return st;
}
