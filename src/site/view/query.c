/* SPDX-License-Identifier: Apache-2.0 */
/* query — custom SQL and stored queries, one page for both. A stored query that writes only shows its form here. */
#include <stdlib.h>

#include "codec/url.h"
#include "site/compat.h"
#include "site/extras.h"
#include "site/links.h"
#include "site/magic.h"
#include "site/queries.h"
#include "site/query/sql.h"
#include "site/render/blob.h"
#include "site/render/cells.h"
#include "site/render/formats.h"
#include "site/render/page.h"
#include "site/render/page_vars.h"
#include "site/render/row_value.h"
#include "site/render/rows_json.h"
#include "site/share/guest.h"
#include "site/tables.h"
#include "site/view/database.h"
#include "site/view/resources.h"
#include "site/view/view.h"
#include "site/write/decide.h"
#include "site/write/stored.h"

struct query_page {
    struct request *rq;
    struct value stored; /* DICT of queries_get(); UNDEFINED for custom SQL */
    str name;            /* of the stored query */
    str sql;
    const str *names; /* parameters, without magic ones */
    size_t name_count;
    struct query_param *params; /* everything to bind */
    size_t param_count;
    struct value values; /* DICT of the named ones, as the form shows them */
    struct rowset rows;
    struct err error; /* SQL error to show on the page; status OK when none */
    bool is_write;
};

static bool is_stored(const struct query_page *p)
{
    return p->stored.kind == VALUE_DICT;
}

static void named_parameters(struct query_page *p)
{
    struct arena *a = p->rq->arena;
    struct value configured = VALUE_GET(p->stored, "parameters");
    const str *names;
    size_t n;
    if (value_count(configured)) {
        str *own = ARENA_ARRAY(a, str, value_count(configured));
        n = value_count(configured);
        for (size_t i = 0; i < n; i++)
            own[i] = value_to_str(a, value_at(configured, i));
        names = own;
    } else {
        query_sql_parameters(a, p->sql, &names, &n);
    }
    str *plain = ARENA_ARRAY(a, str, n + 1);
    for (size_t i = 0; i < n; i++)
        if (!names[i].n || names[i].p[0] != '_')
            plain[p->name_count++] = names[i];
    p->names = plain;
}

static str parameter_text(struct query_page *p, str name)
{
    str v = args_get(&p->rq->args, name);
    if (!v.p && is_stored(p))
        v = queries_default(p->rq, p->rq->db->name, p->name, name);
    return v.p ? v : STR("");
}

/* Named ones from the URL (missing = ""), magic ones of stored queries from the request. */
static void bind_parameters(struct query_page *p)
{
    struct request *rq = p->rq;
    struct arena *a = rq->arena;
    const str *all;
    size_t all_count;
    query_sql_parameters(a, p->sql, &all, &all_count);
    p->params = ARENA_ARRAY(a, struct query_param, p->name_count + all_count + 1);
    p->values = value_dict(a);
    for (size_t i = 0; i < p->name_count; i++) {
        struct value v = value_str(parameter_text(p, p->names[i]));
        value_set(p->values, p->names[i], v);
        p->params[p->param_count++] = (struct query_param){p->names[i], v};
    }
    for (size_t i = 0; i < all_count; i++) {
        struct value v;
        if (all[i].n && all[i].p[0] == '_') {
            if (is_stored(p) && magic_value(rq, all[i], &v)) {
                p->params[p->param_count++] = (struct query_param){all[i], v};
                rq->response_varies = true;
            }
        } else if (!value_has(p->values, all[i])) {
            p->params[p->param_count++] = (struct query_param){all[i], value_str(parameter_text(p, all[i]))};
        }
    }
}

static enum status run(struct query_page *p, struct err *err)
{
    struct request *rq = p->rq;
    const struct settings *s = &rq->site->config.settings;
    int64_t limit = s->sql_time_limit_ms, asked;
    str text = request_arg(rq, "_timelimit");
    if (text.n && (!args_integer(text, &asked) || asked < 0))
        return err_set(err, STATUS_INVALID, "_timelimit must be a positive integer");
    if (text.n && asked && asked < limit) /* 0 is no limit of one's own */
        limit = asked;
    struct fetch_limits limits = {.max_rows = (size_t)s->max_returned_rows, .time_limit_ms = limit};
    limits.trusted = value_truth(VALUE_GET(p->stored, "is_trusted"));
    rq->response_varies |= fetch_may_vary(rq, p->sql);
    enum status st = fetch_rows(rq, rq->conn, p->sql, p->params, p->param_count, &limits, &p->rows, err);
    if (st == STATUS_TIMEOUT) {
        rq->error_title = "SQL Interrupted";
        rq->error_extra = value_dict(rq->arena);
        VALUE_SET(rq->error_extra, "sql", value_str(p->sql));
    }
    return st;
}

/* ---- data formats ---- */

static struct extra_context context_of(struct query_page *p)
{
    struct value metadata = is_stored(p) ? value_copy(p->rq->arena, p->stored) : database_metadata(p->rq);
    if (is_stored(p)) {
        value_remove(metadata, STR("source"));
        value_remove(metadata, STR("private"));
    }
    return (struct extra_context){.scope = EXTRA_QUERY,
                                  .rq = p->rq,
                                  .rows = &p->rows,
                                  .row_count = p->rows.row_count,
                                  .sql = p->sql,
                                  .params = p->values,
                                  .metadata = metadata,
                                  .query_name = p->name};
}

static enum status respond_as_json(struct query_page *p, struct err *err)
{
    struct request *rq = p->rq;
    struct arena *a = rq->arena;
    struct extra_context c = context_of(p);
    struct rows_json spec = {.rows = &p->rows, .row_count = p->rows.row_count};
    struct value head = value_dict(a), tail = value_dict(a);
    bool failed = p->error.status != STATUS_OK;
    bool old = compat_is_old(rq);
    VALUE_SET(head, "ok", value_bool(!failed));
    enum status st = extras_parse(rq, EXTRA_QUERY, &c.names, err);
    for (size_t i = 0; st == STATUS_OK && i < value_count(c.names); i++)
        st = extras_add(&c, value_at(c.names, i).s, tail, err);
    if (st == STATUS_OK && !failed)
        st = rows_json_options(rq, &spec, err);
    if (st == STATUS_OK && !failed)
        st = query_shape_check(spec.shaping.shape, false, false, err);
    if (st != STATUS_OK)
        return st;
    if (failed && !old) {
        struct value body = page_error_json(a, &p->error, 400);
        for (size_t i = 0; i < body.dict->count; i++)
            if (!str_is(body.dict->entries[i].key, "ok"))
                value_set(tail, body.dict->entries[i].key, body.dict->entries[i].value);
    }
    VALUE_SET(tail, "truncated", value_bool(p->rows.truncated));
    if (old)
        compat_query(&c, &p->error, p->rows.truncated, head, tail);
    spec.head = head;
    spec.tail = tail;
    return rows_json_respond(rq, &spec, failed ? 400 : 200, err);
}

/* ---- html ---- */

/* An argument without a value says nothing here: links leave it away. */
static str replace_arg(struct query_page *p, const char *key, const char *value)
{
    struct request *rq = p->rq;
    struct arena *a = rq->arena;
    VEC(struct url_pair) pairs = {0};
    for (size_t i = 0; i < rq->args.count; i++)
        if (rq->args.items[i].value.n && !str_is(rq->args.items[i].key, key))
            VEC_PUSH(a, &pairs, (struct url_pair){rq->args.items[i].key, rq->args.items[i].value});
    if (value)
        VEC_PUSH(a, &pairs, (struct url_pair){str_of(key), str_of(value)});
    str query = url_encode(a, pairs.items, pairs.count), path = link_path(rq, rq->path);
    return query.n ? ARENA_CAT(a, path, STR("?"), query) : path;
}

static void hide_vars(struct query_page *p, struct value d)
{
    bool hidden_by_default = value_truth(VALUE_GET(p->stored, "hide_sql"));
    const char *key = hidden_by_default ? "_show_sql" : "_hide_sql";
    bool toggled = request_arg(p->rq, key).n > 0;
    bool hide = hidden_by_default ? !toggled : toggled;
    VALUE_SET(d, "hide_sql", value_bool(hide));
    VALUE_SET(d, "show_hide_text", value_cstr(hide ? "show" : "hide"));
    VALUE_SET(d, "show_hide_link", value_str(replace_arg(p, key, toggled ? NULL : "1")));
    VALUE_SET(d, "show_hide_hidden",
              toggled ? value_safe(ARENA_CAT(p->rq->arena, STR("<input type=\"hidden\" name=\""), str_of(key),
                                             STR("\" value=\"1\">")))
                      : value_safe(STR("")));
}

static str encode_with_sql(struct query_page *p, bool parameters)
{
    struct arena *a = p->rq->arena;
    VEC(struct url_pair) pairs = {0};
    VEC_PUSH(a, &pairs, (struct url_pair){STR("sql"), p->sql});
    for (size_t i = 0; parameters && i < p->name_count; i++)
        VEC_PUSH(a, &pairs, (struct url_pair){p->names[i], parameter_text(p, p->names[i])});
    return url_encode(a, pairs.items, pairs.count);
}

static void edit_vars(struct query_page *p, struct value d, bool may_sql)
{
    struct request *rq = p->rq;
    struct arena *a = rq->arena;
    bool plain =
        p->sql.n && query_sql_validate(a, p->sql, NULL) == STATUS_OK && str_find(p->sql, STR(":_")) == STR_NPOS;
    bool may_store = request_allowed(rq, ACTION_STORE_QUERY, rq->db->name, (str){0});
    str base = link_database(rq, rq->db->name);
    VALUE_SET(d, "edit_sql_url",
              plain && may_sql ? value_str(ARENA_CAT(a, base, STR("/-/query?"), encode_with_sql(p, true)))
                               : VALUE_NULL);
    VALUE_SET(d, "save_query_url",
              plain && may_sql && may_store && !is_stored(p)
                  ? value_str(ARENA_CAT(a, base, STR("/-/queries/store?"), encode_with_sql(p, false)))
                  : VALUE_NULL);
}

static struct value all_params(struct query_page *p)
{
    struct request *rq = p->rq;
    struct value d = value_dict(rq->arena);
    for (size_t i = 0; i < rq->args.count; i = args_next_key(&rq->args, i))
        if (!str_is(rq->args.items[i].key, "sql"))
            value_set(d, rq->args.items[i].key, value_str(rq->args.items[i].value));
    for (size_t i = 0; i < p->name_count; i++)
        value_set(d, p->names[i], value_str(parameter_text(p, p->names[i])));
    return d;
}

static enum status respond_as_html(struct query_page *p, struct err *err)
{
    struct request *rq = p->rq;
    struct arena *a = rq->arena;
    struct value d = value_dict(a), query = value_dict(a);
    struct extra_context c = context_of(p);
    bool may_sql = request_allowed(rq, ACTION_EXECUTE_SQL, rq->db->name, (str){0});
    VALUE_SET(query, "sql", p->sql.n ? value_str(p->sql) : VALUE_NULL);
    VALUE_SET(query, "params", all_params(p));
    VALUE_SET(d, "database", value_str(rq->db->name));
    VALUE_SET(d, "database_color", value_cstr(rq->db->color));
    VALUE_SET(d, "query", query);
    VALUE_SET(d, "stored_query", is_stored(p) ? value_str(p->name) : VALUE_NULL);
    VALUE_SET(d, "stored_query_write", value_bool(p->is_write));
    VALUE_SET(d, "private", extras_get(&c, "private"));
    VALUE_SET(d, "db_is_immutable", value_bool(!rq->db->is_mutable));
    VALUE_SET(d, "metadata", c.metadata);
    VALUE_SET(d, "error", p->error.status == STATUS_OK ? VALUE_NULL : value_cstr(p->error.text));
    VALUE_SET(d, "editable", value_bool(!is_stored(p)));
    VALUE_SET(d, "allow_execute_sql", value_bool(may_sql));
    VALUE_SET(d, "tables", database_tables(rq));
    VALUE_SET(d, "named_parameter_values", p->values);
    VALUE_SET(d, "columns", str_list(a, p->rows.columns, p->rows.column_count));
    VALUE_SET(d, "rows", row_values(a, &p->rows, p->rows.row_count, ROW_TUPLE));
    VALUE_SET(d, "display_rows", cells_query_rows(rq, &p->rows));
    VALUE_SET(d, "truncated", value_bool(p->rows.truncated));
    VALUE_SET(d, "renderers", format_links(rq, p->rows.columns, p->rows.column_count, false, true));
    VALUE_SET(d, "table_columns", may_sql ? database_table_columns(rq) : value_dict(a));
    const struct arg csv[] = {{STR("_size"), STR("max")}};
    VALUE_SET(d, "url_csv", value_str(link_this_format(rq, STR("csv"), csv, 1)));
    VALUE_SET(d, "settings", page_vars_settings(rq));
    hide_vars(p, d);
    edit_vars(p, d, may_sql);
    str db = css_class(a, rq->db->name);
    str names[3];
    size_t n = 0;
    if (is_stored(p))
        names[n++] = ARENA_CAT(a, STR("query-"), db, STR("-"), css_class(a, p->name), STR(".html"));
    names[n++] = ARENA_CAT(a, STR("query-"), db, STR(".html"));
    names[n++] = STR("query.html");
    return page_respond(rq, 200, names, n, d, true, err);
}

/* ---- the page ---- */

static enum status respond_page(struct query_page *p, struct err *err)
{
    struct request *rq = p->rq;
    bool html = str_is(rq->format, "html");
    const struct format *f = format_find(rq->format);
    if (!f)
        return err_set(err, STATUS_NOT_FOUND, "Invalid format: %.*s", STR_ARG(rq->format));
    if (!p->sql.n && !html)
        return err_set(err, STATUS_INVALID, "?sql= is required");
    named_parameters(p);
    bind_parameters(p);
    if (p->sql.n && !p->is_write) {
        if (!is_stored(p)) {
            rq->error_title = "Invalid SQL";
            enum status valid = query_sql_validate(rq->arena, p->sql, err);
            if (valid != STATUS_OK)
                return valid;
            rq->error_title = NULL;
        }
        enum status st = run(p, &p->error);
        bool shown_here = st == STATUS_SQL || (st == STATUS_INVALID && p->error.status == STATUS_INVALID);
        if (st != STATUS_OK && (!shown_here || !(html || str_is(rq->format, "json")))) {
            *err = p->error;
            if (shown_here)
                rq->error_title = "Invalid SQL";
            return st;
        }
    }
    str name = is_stored(p) ? p->name : rq->db->name;
    if (f->rows)
        return row_stream_rows(rq, &p->rows, name, NULL, f->rows, err);
    if (str_is(rq->format, "blob"))
        return blob_respond(rq, &p->rows, p->rows.row_count, (str){0}, (str){0}, err);
    struct value title = VALUE_GET(p->stored, "title");
    struct export x = {.rq = rq, .rows = &p->rows, .row_count = p->rows.row_count, .name = name, .sql = p->sql};
    x.title = value_is_text(title) ? title.s : (str){0};
    x.is_stored = is_stored(p) && value_truth(VALUE_GET(p->stored, "is_trusted"));
    return f->respond ? f->respond(&x, err) : html ? respond_as_html(p, err) : respond_as_json(p, err);
}

enum status view_query(struct request *rq, struct err *err)
{
    struct query_page p = {.rq = rq, .error = ERR_INIT};
    rq->refusal = action_rows[ACTION_EXECUTE_SQL].name;
    enum status st = request_open_database(rq, err);
    if (st == STATUS_OK)
        st = request_require(rq, ACTION_EXECUTE_SQL, rq->db->name, (str){0}, NULL, err);
    if (st != STATUS_OK)
        return st;
    p.sql = request_arg(rq, "sql");
    return respond_page(&p, err);
}

/* This very query was shared, by somebody who may run it: it runs for those who may run no SQL of their own. */
static bool is_shared(struct request *rq, str name)
{
    struct share share;
    return !request_allowed_by_rules(rq, ACTION_VIEW_QUERY, rq->db->name, name) &&
           shares_get(rq->site->shares, rq->arena, str_of(rq->guest->seen.id), &share) && share.kind == SHARE_QUERY &&
           str_eq(share.name, name);
}

enum status view_stored_query(struct request *rq, struct err *err)
{
    struct query_page p = {.rq = rq, .error = ERR_INIT, .name = rq->params[1]};
    /* where neither tables nor queries are open, a query's name answers as one that is nothing */
    const char *what = request_allowed(rq, ACTION_VIEW_TABLE, rq->db->name, p.name) ? "query" : "table";
    const char *text = arena_printf(rq->arena, "You do not have permission to view this %s", what).p;
    enum status st = request_require(rq, ACTION_VIEW_QUERY, rq->db->name, p.name, text, err);
    if (st != STATUS_OK)
        return st;
    p.stored = queries_get(rq, rq->db->name, p.name);
    p.sql = VALUE_GET(p.stored, "sql").s;
    p.is_write = value_truth(VALUE_GET(p.stored, "is_write"));
    const char *refusal = guest_query_refusal(rq, rq->db->name, p.name, p.sql, p.is_write);
    if (refusal)
        return err_set(err, STATUS_FORBIDDEN, "%s", refusal);
    if (rq->http->method == HTTP_POST)
        return stored_query_post(rq, p.stored, err);
    if (!request_is_get(rq)) {
        if (rq->http->method == HTTP_OPTIONS)
            respond_options(rq, "HEAD, GET, POST");
        page_cache_headers(rq, rq->http->method == HTTP_OPTIONS);
        return rq->http->method == HTTP_OPTIONS ? STATUS_OK : err_set(err, STATUS_METHOD, "Method not allowed");
    }
    if (!p.is_write && !is_shared(rq, p.name))
        st = stored_query_may_run(rq, p.stored, NULL, err);
    if (st != STATUS_OK)
        return st;
    st = respond_page(&p, err);
    page_cache_headers(rq, st == STATUS_OK && rq->response->status == 200);
    return st;
}

enum status view_query_parameters(struct request *rq, struct err *err)
{
    struct arena *a = rq->arena;
    const str *names;
    size_t n;
    enum status st = request_open_database(rq, err);
    if (st != STATUS_OK)
        return st;
    response_header(rq->response, STR("content-security-policy"), STR("frame-ancestors 'none'"));
    response_header(rq->response, STR("x-frame-options"), STR("DENY"));
    if (!request_allowed(rq, ACTION_EXECUTE_SQL, rq->db->name, (str){0})) {
        err_set(err, STATUS_FORBIDDEN, "Permission denied: need execute-sql");
        return respond_error_json(rq, err);
    }
    for (size_t i = 0; i < rq->args.count; i++) {
        if (!str_is(rq->args.items[i].key, "sql")) {
            err_set(err, STATUS_INVALID, "Invalid keys: %.*s", STR_ARG(rq->args.items[i].key));
            return respond_error_json(rq, err);
        }
    }
    if (decide_parameters(a, request_arg(rq, "sql"), &names, &n, err) != STATUS_OK)
        return respond_error_json(rq, err);
    struct value d = value_dict(a);
    VALUE_SET(d, "ok", value_bool(true));
    VALUE_SET(d, "unstable", value_cstr(UNSTABLE_API));
    VALUE_SET(d, "parameters", str_list(a, names, n));
    respond_json(rq, 200, d);
    return STATUS_OK;
}
