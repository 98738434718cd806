/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "db/count.h"
#include "site/compat.h"
#include "site/links.h"
#include "site/queries.h"
#include "site/render/page.h"
#include "site/tables.h"
#include "site/view/database.h"
#include "site/view/view.h"

#define QUERIES_SHOWN 5 /* stored queries listed on the page */

static int shown_order(const void *x, const void *y)
{
    const struct table_item *a = x, *b = y;
    if (a->hidden != b->hidden)
        return a->hidden ? 1 : -1;
    return str_cmp(a->table->name, b->table->name);
}

static struct value table_dict(const struct request *rq, const struct table_item *item)
{
    struct arena *a = rq->arena;
    const struct schema_table *t = item->table;
    struct value d = value_dict(a);
    VALUE_SET(d, "name", value_str(t->name));
    VALUE_SET(d, "columns", table_column_list(a, t));
    VALUE_SET(d, "primary_keys", str_list(a, t->pks, t->pk_count));
    VALUE_SET(d, "count", item->rows.count >= 0 ? value_int(item->rows.count) : VALUE_NULL);
    VALUE_SET(d, "count_truncated", value_bool(item->rows.truncated));
    if (item->rows.estimate >= 0)
        VALUE_SET(d, "count_estimate", value_int(item->rows.estimate));
    VALUE_SET(d, "hidden", value_bool(item->hidden));
    VALUE_SET(d, "fts_table", t->fts_table.n ? value_str(t->fts_table) : VALUE_NULL);
    VALUE_SET(d, "foreign_keys", table_foreign_keys(rq, t));
    VALUE_SET(d, "private", value_bool(item->is_private));
    return d;
}

struct value database_tables(struct request *rq)
{
    struct value list = value_list(rq->arena);
    struct table_item *items;
    size_t n;
    if (tables_list(rq, &items, &n, NULL) != STATUS_OK)
        return list;
    qsort(items, n, sizeof *items, shown_order);
    for (size_t i = 0; i < n; i++)
        if (items[i].table->kind != SCHEMA_VIEW)
            value_push(list, table_dict(rq, &items[i]));
    return list;
}

static int by_str(const void *x, const void *y)
{
    return str_cmp(*(const str *)x, *(const str *)y);
}

struct value database_table_columns(struct request *rq)
{
    struct arena *a = rq->arena;
    const struct schema *s = rq->schema;
    struct value d = value_dict(a);
    for (size_t i = 0; i < s->table_count; i++) {
        const struct schema_table *t = &s->tables[i];
        if (t->kind == SCHEMA_VIEW)
            continue;
        str *names = ARENA_ARRAY(a, str, t->column_count + 1);
        for (size_t k = 0; k < t->column_count; k++)
            names[k] = t->columns[k].name;
        qsort(names, t->column_count, sizeof *names, by_str);
        value_set(d, t->name, str_list(a, names, t->column_count));
    }
    for (size_t i = 0; i < s->table_count; i++)
        if (s->tables[i].kind == SCHEMA_VIEW)
            value_set(d, s->tables[i].name, value_list(a));
    return d;
}

struct value database_metadata(const struct request *rq)
{
    struct value m = config_metadata_database(&rq->site->config, rq->db->name);
    if (m.kind != VALUE_DICT)
        return value_dict(rq->arena);
    m = value_copy(rq->arena, m);
    value_remove(m, STR("tables"));
    return m;
}

/* /DB?sql=... is an old address of the SQL page. */
static bool redirect_to_query(struct request *rq)
{
    struct arena *a = rq->arena;
    str sql = request_arg(rq, "sql");
    if (!str_trim(sql).n)
        return false;
    str to = ARENA_CAT(a, link_database(rq, rq->db->name), STR("/-/query"));
    if (!str_is(rq->format, "html"))
        to = ARENA_CAT(a, to, STR("."), rq->format);
    respond_redirect(rq, 302, ARENA_CAT(a, to, STR("?"), rq->query_string));
    return true;
}

static void list_all(struct request *rq, struct table_item *items, size_t n, struct value d)
{
    struct arena *a = rq->arena;
    struct value tables = value_list(a), views = value_list(a);
    int64_t hidden = 0;
    bool only_inspected = tables_only_inspected(rq->db);
    qsort(items, n, sizeof *items, shown_order);
    for (size_t i = 0; i < n; i++) {
        const struct schema_table *t = items[i].table;
        if (t->kind == SCHEMA_VIEW) {
            struct value v = value_dict(a);
            VALUE_SET(v, "name", value_str(t->name));
            VALUE_SET(v, "private", value_bool(items[i].is_private));
            value_push(views, v);
        } else if (!only_inspected || value_has(rq->db->inspect_tables, t->name)) {
            value_push(tables, table_dict(rq, &items[i]));
            hidden += items[i].hidden;
        }
    }
    VALUE_SET(d, "tables", tables);
    VALUE_SET(d, "hidden_count", value_int(hidden));
    VALUE_SET(d, "views", views);
}

static struct value attached(struct request *rq)
{
    struct value list = value_list(rq->arena);
    const struct site *s = rq->site;
    for (size_t i = 0; rq->db->is_memory && s->crossdb && i < s->published_count && value_count(list) < 10; i++)
        if (!s->published[i]->is_memory && request_allowed(rq, ACTION_VIEW_DATABASE, s->published[i]->name, (str){0}))
            value_push(list, value_str(s->published[i]->name));
    return list;
}

enum status view_database(struct request *rq, struct err *err)
{
    struct arena *a = rq->arena;
    struct table_item *items;
    size_t n;
    if (rq->http->method == HTTP_POST)
        return view_sql_post(rq, err);
    enum status st = STATUS_OK;
    if (compat_is_old(rq) && str_trim(request_arg(rq, "sql")).n && !str_is(rq->format, "html")) {
        st = view_query(rq, err); /* clients of 0.65 need not follow redirects; asks for execute-sql itself */
        if (!str_is(rq->format, "csv"))
            page_cache_headers(rq, st == STATUS_OK && rq->response->status == 200);
        return st;
    }
    st = request_open_database(rq, err);
    if (st == STATUS_OK)
        st = request_require(rq, ACTION_VIEW_DATABASE, rq->db->name, (str){0},
                             "You do not have permission to view this database", err);
    if (st != STATUS_OK || redirect_to_query(rq))
        return st;
    bool json = str_is(rq->format, "json");
    if (!json && !str_is(rq->format, "html"))
        return err_set(err, STATUS_NOT_FOUND, "Invalid format: %.*s", STR_ARG(rq->format));
    st = tables_list(rq, &items, &n, err);
    if (st != STATUS_OK)
        return st;
    str db = rq->db->name;
    struct value d = value_dict(a), queries = queries_visible(rq, db);
    bool may_sql = request_allowed(rq, ACTION_EXECUTE_SQL, db, (str){0});
    size_t query_count = value_count(queries);
    VALUE_SET(d, "ok", value_bool(true));
    VALUE_SET(d, "database", value_str(db));
    VALUE_SET(d, "private", value_bool(request_private(rq, ACTION_VIEW_DATABASE, db, (str){0})));
    VALUE_SET(d, "path", value_str(link_database(rq, db)));
    VALUE_SET(d, "size", value_int(published_size(rq->db)));
    list_all(rq, items, n, d);
    struct value first = value_list(a);
    for (size_t i = 0; i < query_count && i < QUERIES_SHOWN; i++)
        value_push(first, value_at(queries, i));
    VALUE_SET(d, "queries", first);
    VALUE_SET(d, "queries_more", value_bool(query_count > QUERIES_SHOWN));
    VALUE_SET(d, "queries_count", value_int((int64_t)query_count));
    VALUE_SET(d, "allow_execute_sql", value_bool(may_sql));
    VALUE_SET(d, "table_columns", may_sql ? database_table_columns(rq) : value_dict(a));
    VALUE_SET(d, "metadata", database_metadata(rq));
    if (json) {
        if (compat_is_old(rq)) {
            compat_database(rq, d);
            page_cache_headers(rq, true);
        }
        respond_json(rq, 200, d);
        return STATUS_OK;
    }
    bool may_download = rq->site->config.settings.allow_download && !rq->db->is_mutable && !rq->db->is_memory;
    str show_hidden = request_arg(rq, "_show_hidden");
    VALUE_SET(d, "database_color", value_cstr(rq->db->color));
    VALUE_SET(d, "database_page_data", value_dict(a));
    VALUE_SET(d, "show_hidden", show_hidden.p ? value_str(show_hidden) : VALUE_NULL);
    VALUE_SET(d, "editable", value_bool(true));
    VALUE_SET(d, "allow_download",
              value_bool(may_download && request_allowed(rq, ACTION_VIEW_DATABASE_DOWNLOAD, db, (str){0})));
    VALUE_SET(d, "attached_databases", attached(rq));
    const str names[] = {ARENA_CAT(a, STR("database-"), css_class(a, db), STR(".html")), STR("database.html")};
    return page_respond(rq, 200, names, 2, d, true, err);
}

enum status view_download(struct request *rq, struct err *err)
{
    struct arena *a = rq->arena;
    rq->refusal = action_rows[ACTION_VIEW_DATABASE_DOWNLOAD].name;
    if (request_find_database(rq, err) != STATUS_OK)
        return err->status;
    struct published *p = rq->db;
    enum status st = request_require(rq, ACTION_VIEW_DATABASE_DOWNLOAD, p->name, (str){0}, NULL, err);
    if (st != STATUS_OK)
        return st;
    if (p->is_memory)
        return err_set(err, STATUS_NOT_FOUND, "Cannot download in-memory databases");
    if (!rq->site->config.settings.allow_download || p->is_mutable)
        return err_set(err, STATUS_FORBIDDEN, "Database download is forbidden");
    size_t slash = str_rfind_char(p->path, '/');
    str base = slash == STR_NPOS ? p->path : str_from(p->path, slash + 1);
    if (p->hash.n)
        response_header(rq->response, STR("etag"), ARENA_CAT(a, STR("\""), p->hash, STR("\"")));
    response_header(rq->response, STR("content-type"), STR("application/octet-stream"));
    response_header(rq->response, STR("content-disposition"),
                    ARENA_CAT(a, STR("attachment; filename=\""), link_filename(a, base), STR("\"")));
    return respond_file(rq, arena_cstr(a, p->path), err);
}
