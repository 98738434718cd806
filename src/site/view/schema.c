/* SPDX-License-Identifier: Apache-2.0 */
/* schema — the CREATE statements of everything, of one database, or of one table or view: HTML, JSON or Markdown. */
#include "site/fetch.h"
#include "site/render/page.h"
#include "site/tables.h"
#include "site/view/resources.h"
#include "site/view/view.h"

#define OBJECTS_MAX 1000000 /* entries of one sqlite_schema that are read */
#define SQL_ALL     "select sql, tbl_name from sqlite_master where sql is not null"
#define SQL_ONE     "select sql, tbl_name from sqlite_master where name = :name and sql is not null limit 1"

static enum status check_format(const struct request *rq, struct err *err)
{
    if (str_is(rq->format, "html") || str_is(rq->format, "json") || str_is(rq->format, "md"))
        return STATUS_OK;
    return err_set(err, STATUS_NOT_FOUND, "Invalid format: %.*s", STR_ARG(rq->format));
}

/* Connects to p, reads and disconnects. Rows are texts. */
static enum status read_sql(struct request *rq, struct published *p, str sql, const struct query_param *params,
                            size_t param_count, struct rowset *ret, struct err *err)
{
    struct fetch_limits limits = {.max_rows = OBJECTS_MAX,
                                  .time_limit_ms = rq->site->config.settings.sql_time_limit_ms};
    rq->db = p;
    enum status st = request_connect(rq, err);
    if (st == STATUS_OK)
        st = fetch_rows(rq, rq->conn, sql, params, param_count, &limits, ret, err);
    return st;
}

/* The statement makes a table that the actor may see, or an index or a trigger of one. Who may run SQL may read
 * sqlite_schema itself: nothing is hidden from them here, as in Datasette. */
static bool statement_allowed(const struct request *rq, const struct rowset *r, size_t row)
{
    if (request_allowed(rq, ACTION_EXECUTE_SQL, rq->db->name, (str){0}))
        return true;
    str name = cell_text(rq->arena, rowset_cell(r, row, 1));
    const struct schema_table *t = schema_table(rq->schema, name);
    return t ? table_allowed(rq, t) : request_allowed(rq, ACTION_VIEW_TABLE, rq->db->name, name);
}

/* All statements that the actor may see, with ";" and a line feed between them. While connected. */
static str join_statements(struct request *rq, const struct rowset *r)
{
    str *parts = ARENA_ARRAY(rq->arena, str, r->row_count + 1);
    size_t n = 0;
    for (size_t i = 0; i < r->row_count; i++)
        if (statement_allowed(rq, r, i))
            parts[n++] = cell_text(rq->arena, rowset_cell(r, i, 0));
    return query_join(rq->arena, parts, n, STR(";\n"));
}

static struct value entry(struct arena *a, str db, str schema)
{
    struct value d = value_dict(a);
    VALUE_SET(d, "database", value_str(db));
    VALUE_SET(d, "schema", value_str(schema));
    return d;
}

static str markdown(struct arena *a, str heading, str schema)
{
    return ARENA_CAT(a, STR("# Schema for "), heading, STR("\n\n```sql\n"), schema, STR("\n```"));
}

static enum status respond_html(struct request *rq, struct value schemas, bool is_instance, str table, struct err *err)
{
    struct value d = value_dict(rq->arena);
    const str names[] = {STR("schema.html")};
    VALUE_SET(d, "schemas", schemas);
    VALUE_SET(d, "is_instance", value_bool(is_instance));
    if (table.n)
        VALUE_SET(d, "table_name", value_str(table));
    return page_respond(rq, 200, names, 1, d, false, err);
}

/* Missing things are JSON or text here: this page has no HTML error. */
static enum status not_found(struct request *rq, const char *text, struct err *err)
{
    if (str_is(rq->format, "json"))
        return err_set(err, STATUS_NOT_FOUND, "%s", text);
    respond_text(rq, 404, "text/plain; charset=utf-8", str_of(text));
    return STATUS_OK;
}

/* One database, or one table of it when `table` is not empty. */
static enum status respond_one(struct request *rq, str db, str table, str schema, struct err *err)
{
    struct arena *a = rq->arena;
    if (str_is(rq->format, "md")) {
        str heading = table.n ? ARENA_CAT(a, db, STR("."), table) : db;
        respond_text(rq, 200, "text/plain; charset=utf-8", ARENA_CAT(a, markdown(a, heading, schema), STR("\n")));
        return STATUS_OK;
    }
    if (str_is(rq->format, "html")) {
        struct value schemas = value_list(a);
        value_push(schemas, entry(a, db, schema));
        return respond_html(rq, schemas, false, table, err);
    }
    struct value d = value_dict(a);
    VALUE_SET(d, "ok", value_bool(true));
    VALUE_SET(d, "database", value_str(db));
    if (table.n)
        VALUE_SET(d, "table", value_str(table));
    VALUE_SET(d, "schema", value_str(schema));
    respond_json(rq, 200, d);
    return STATUS_OK;
}

/* A database that cannot be read now is left out; its own page says why. */
static enum status all_schemas(struct request *rq, struct value schemas, struct err *err)
{
    struct published **order = published_by_name(rq);
    for (size_t i = 0; i < rq->site->published_count; i++) {
        struct rowset r;
        if (!request_allowed(rq, ACTION_VIEW_DATABASE, order[i]->name, (str){0}))
            continue;
        enum status st = read_sql(rq, order[i], STR(SQL_ALL), NULL, 0, &r, err);
        if (st == STATUS_OK)
            value_push(schemas, entry(rq->arena, order[i]->name, join_statements(rq, &r)));
        request_disconnect(rq);
        rq->db = NULL;
        if (st == STATUS_CANCELLED)
            return st;
    }
    return STATUS_OK;
}

enum status view_instance_schema(struct request *rq, struct err *err)
{
    struct arena *a = rq->arena;
    struct value schemas = value_list(a);
    enum status st = check_format(rq, err);
    if (st == STATUS_OK)
        st = all_schemas(rq, schemas, err);
    if (st != STATUS_OK)
        return st;
    if (str_is(rq->format, "html"))
        return respond_html(rq, schemas, true, (str){0}, err);
    if (str_is(rq->format, "json")) {
        struct value d = value_dict(a);
        VALUE_SET(d, "ok", value_bool(true));
        VALUE_SET(d, "schemas", schemas);
        respond_json(rq, 200, d);
        return STATUS_OK;
    }
    size_t n = value_count(schemas);
    str *parts = ARENA_ARRAY(a, str, n + 1);
    for (size_t i = 0; i < n; i++) {
        struct value item = value_at(schemas, i);
        parts[i] = markdown(a, VALUE_GET(item, "database").s, VALUE_GET(item, "schema").s);
    }
    respond_text(rq, 200, "text/plain; charset=utf-8", query_join(a, parts, n, STR("\n\n")));
    return STATUS_OK;
}

/* Permission comes before existence: who may not look cannot tell a refused name from a missing one. */
enum status view_database_schema(struct request *rq, struct err *err)
{
    struct rowset r;
    enum status st = check_format(rq, err);
    if (st == STATUS_OK)
        st = request_require(rq, ACTION_VIEW_DATABASE, rq->params[0], (str){0}, NULL, err);
    if (st != STATUS_OK)
        return st;
    struct published *p = site_find(rq->site, rq->params[0]);
    if (!p)
        return not_found(rq, "Database not found", err);
    st = read_sql(rq, p, STR(SQL_ALL), NULL, 0, &r, err);
    return st == STATUS_OK ? respond_one(rq, p->name, (str){0}, join_statements(rq, &r), err) : st;
}

enum status view_table_schema(struct request *rq, struct err *err)
{
    struct rowset r;
    str table = rq->params[1];
    enum status st = check_format(rq, err);
    if (st == STATUS_OK)
        st = request_require(rq, ACTION_VIEW_TABLE, rq->params[0], table, NULL, err);
    if (st != STATUS_OK)
        return st;
    struct published *p = site_find(rq->site, rq->params[0]);
    if (!p)
        return not_found(rq, "Database not found", err);
    const struct query_param name[] = {{STR("name"), value_str(table)}};
    st = read_sql(rq, p, STR(SQL_ONE), name, 1, &r, err);
    if (st != STATUS_OK)
        return st;
    if (!r.row_count)
        return not_found(rq, "Table not found", err);
    if (!statement_allowed(rq, &r, 0))
        return err_set(err, STATUS_FORBIDDEN, "%s", action_rows[ACTION_VIEW_TABLE].name);
    return respond_one(rq, p->name, table, cell_text(rq->arena, rowset_cell(&r, 0, 0)), err);
}
