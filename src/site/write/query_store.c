/* SPDX-License-Identifier: Apache-2.0 */
/* query_store — stored queries that visitors make: /DB/-/queries/store and /analyze, /DB/QUERY/-/update, /-/edit,
 * /-/delete; JSON and forms. Who stores SQL that writes needs the rights for what it does; whoever runs it needs them
 * again. */
#include "site/kept.h"
#include "site/links.h"
#include "site/queries.h"
#include "site/query/sql.h"
#include "site/render/messages.h"
#include "site/render/page.h"
#include "site/tables.h"
#include "site/view/resources.h"
#include "site/view/view.h"
#include "site/write/decide.h"
#include "site/write/write.h"

static const char *const write_fields[] = {"on_success_message", "on_success_redirect", "on_error_message",
                                           "on_error_redirect"};
static const char *const create_fields[] = {"sql",
                                            "title",
                                            "description",
                                            "hide_sql",
                                            "fragment",
                                            "parameters",
                                            "is_private",
                                            "on_success_message",
                                            "on_success_redirect",
                                            "on_error_message",
                                            "on_error_redirect",
                                            "name",
                                            "mode",
                                            "csrftoken"};
#define UPDATE_FIELDS 11 /* the first of them */

static bool as_bool(struct value v)
{
    static const char *const yes[] = {"1", "true", "t", "yes", "on"};
    if (!value_is_text(v))
        return value_truth(v);
    for (size_t i = 0; i < ARRAY_LEN(yes); i++)
        if (str_eq_nocase(v.s, str_of(yes[i])))
            return true;
    return false;
}

static struct value text_or_null(struct value v)
{
    return value_is_text(v) ? v : VALUE_NULL;
}

/* ---- checks ---- */

static enum status check_name(struct request *rq, struct value name, struct err *err)
{
    if (!value_is_text(name) || !name.s.n)
        return err_set(err, STATUS_INVALID, "Query name is required");
    if (str_find_char(name.s, '/') != STR_NPOS || str_find_char(name.s, '.') != STR_NPOS ||
        str_find_char(name.s, '\n') != STR_NPOS)
        return err_set(err, STATUS_INVALID, "Invalid query name");
    if (schema_table(rq->schema, name.s))
        return err_set(err, STATUS_INVALID, "Query name conflicts with a table or view");
    if (queries_exists(rq, rq->db->name, name.s))
        return err_set(err, STATUS_INVALID, "Query already exists");
    return STATUS_OK;
}

/* What the SQL names and does; FORBIDDEN when it writes and the actor may not. */
static enum status look_at_sql(struct request *rq, struct value sql, const str **ret_names, size_t *ret_count,
                               bool *ret_write, struct err *err)
{
    struct sql_analysis an;
    if (!value_is_text(sql) || !sql.s.n)
        return err_set(err, STATUS_INVALID, "SQL is required");
    enum status st = decide_parameters(rq->arena, sql.s, ret_names, ret_count, err);
    if (st == STATUS_OK) {
        st = sql_analyze(rq->conn, rq->arena, sql.s, &an, err);
        if (st != STATUS_OK)
            return err_prefix(err, "Could not analyze query");
    }
    if (st != STATUS_OK)
        return st;
    *ret_write = decide_is_write(&an);
    return *ret_write ? decide_check(rq, &an, NULL, err) : query_sql_validate(rq->arena, sql.s, err);
}

/* A list, or text with commas and spaces; its names must be those of the SQL. */
static enum status check_parameters(struct arena *a, struct value given, const str *names, size_t n, struct value *ret,
                                    struct err *err)
{
    if (value_is_null(given)) {
        *ret = str_list(a, names, n);
        return STATUS_OK;
    }
    struct value list = given;
    if (value_is_text(given)) {
        list = value_list(a);
        for (size_t i = 0; i < given.s.n;) {
            size_t start = i;
            while (i < given.s.n && given.s.p[i] != ',' && given.s.p[i] > ' ')
                i++;
            if (i > start)
                value_push(list, value_str(str_sub(given.s, start, i)));
            i += i < given.s.n;
        }
    }
    if (list.kind != VALUE_LIST)
        return err_set(err, STATUS_INVALID, "parameters must be a list of strings");
    for (size_t i = 0; i < value_count(list); i++) {
        struct value v = value_at(list, i);
        if (!value_is_text(v))
            return err_set(err, STATUS_INVALID, "parameters must be a list of strings");
        if (str_starts(v.s, STR("_")))
            return err_set(err, STATUS_INVALID, "Magic parameters are not allowed");
        if (!str_in(v.s, names, n))
            return err_set(err, STATUS_INVALID, "parameters must match SQL named parameters");
    }
    for (size_t i = 0; i < n; i++) {
        bool found = false;
        for (size_t k = 0; k < value_count(list); k++)
            found = found || str_eq(value_at(list, k).s, names[i]);
        if (!found)
            return err_set(err, STATUS_INVALID, "parameters must match SQL named parameters");
    }
    *ret = list;
    return STATUS_OK;
}

static enum status check_write_fields(struct value q, bool is_write, struct err *err)
{
    for (size_t i = 0; !is_write && i < ARRAY_LEN(write_fields); i++)
        if (value_truth(value_get(q, str_of(write_fields[i]))))
            return err_set(err, STATUS_INVALID, "Writable query fields require writable SQL");
    return STATUS_OK;
}

static enum status check_keys(struct arena *a, struct value q, size_t known, struct err *err)
{
    str unknown = write_unknown_keys(a, q, create_fields, known, STR(", "));
    return unknown.n ? err_set(err, STATUS_INVALID, "Invalid keys: %.*s", STR_ARG(unknown)) : STATUS_OK;
}

/* ---- storing ---- */

static enum status prepare_create(struct request *rq, struct value given, struct value *ret, struct err *err)
{
    static const char *const texts[] = {"sql", "title", "description", "fragment"};
    struct arena *a = rq->arena;
    const str *names = NULL;
    size_t n = 0;
    bool is_write = false;
    struct value q = value_dict(a), parameters = VALUE_NULL, is_private = VALUE_GET(given, "is_private");
    enum status st = check_keys(a, given, ARRAY_LEN(create_fields), err);
    if (st == STATUS_OK)
        st = check_name(rq, VALUE_GET(given, "name"), err);
    if (st == STATUS_OK)
        st = look_at_sql(rq, VALUE_GET(given, "sql"), &names, &n, &is_write, err);
    if (st == STATUS_OK)
        st = check_write_fields(given, is_write, err);
    if (st == STATUS_OK)
        st = check_parameters(a, VALUE_GET(given, "parameters"), names, n, &parameters, err);
    if (st != STATUS_OK)
        return st;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        value_set(q, str_of(texts[i]), text_or_null(value_get(given, str_of(texts[i]))));
    for (size_t i = 0; i < ARRAY_LEN(write_fields); i++)
        value_set(q, str_of(write_fields[i]), text_or_null(value_get(given, str_of(write_fields[i]))));
    struct value id = VALUE_GET(rq->actor, "id");
    VALUE_SET(q, "hide_sql", value_bool(as_bool(VALUE_GET(given, "hide_sql"))));
    VALUE_SET(q, "parameters", parameters);
    VALUE_SET(q, "is_write", value_bool(is_write));
    VALUE_SET(q, "is_private", value_bool(is_private.kind == VALUE_UNDEFINED || as_bool(is_private)));
    VALUE_SET(q, "is_trusted", value_bool(false));
    VALUE_SET(q, "source", value_cstr("user"));
    VALUE_SET(q, "owner_id", value_is_null(id) ? VALUE_NULL : value_str(value_to_str(a, id)));
    *ret = q;
    return STATUS_OK;
}

static struct value shown(struct request *rq, str name)
{
    struct value q = queries_get(rq, rq->db->name, name);
    value_remove(q, STR("private"));
    return q;
}

static const char *form_message(const char *text)
{
    static const struct {
        const char *api, *form;
    } rows[] = {{"Query name is required", "URL is required"},
                {"Invalid query name", "Invalid URL"},
                {"Query name conflicts with a table or view", "URL conflicts with an existing table or view"},
                {"Query already exists", "A query already exists at that URL"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strcmp(text, rows[i].api) == 0)
            return rows[i].form;
    return text;
}

/* The form, with what was typed into it. */
static enum status respond_form(struct request *rq, struct value typed, const char *template, int code, struct err *err)
{
    static const char *const fields[] = {"sql", "name", "title", "description"};
    struct value sql = VALUE_GET(typed, "sql"), is_private = VALUE_GET(typed, "is_private");
    struct value d = decide_store_data(rq, value_is_text(sql) ? sql.s : STR(""));
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        struct value v = value_get(typed, str_of(fields[i]));
        value_set(d, str_of(fields[i]), value_is_text(v) ? v : value_cstr(""));
    }
    VALUE_SET(d, "database", value_str(rq->db->name));
    VALUE_SET(d, "database_color", value_cstr(rq->db->color));
    VALUE_SET(d, "is_private", value_bool(is_private.kind == VALUE_UNDEFINED || as_bool(is_private)));
    if (value_has(typed, STR("name")))
        VALUE_SET(d, "query_url", value_str(link_table(rq, rq->db->name, VALUE_GET(d, "name").s)));
    const str names[] = {str_of(template)};
    return page_respond(rq, code, names, 1, d, false, err);
}

static enum status form_failed(struct request *rq, struct value typed, const char *template, struct err *err)
{
    int code = status_http(err->status);
    messages_add(rq, str_of(arena_cstr(rq->arena, str_of(form_message(err->text)))), MESSAGE_ERROR);
    err_clear(err);
    return respond_form(rq, typed, template, code, err);
}

static enum status may_store(struct request *rq, struct err *err)
{
    enum status st =
        write_require(rq, ACTION_EXECUTE_SQL, rq->db->name, (str){0}, "Permission denied: need execute-sql", err);
    return st == STATUS_OK ? write_require(rq, ACTION_STORE_QUERY, rq->db->name, (str){0},
                                           "Permission denied: need store-query", err)
                           : st;
}

static enum status save_new(struct request *rq, struct value given, struct err *err)
{
    struct value q;
    enum status st = prepare_create(rq, given, &q, err);
    if (st == STATUS_OK)
        st = kept_save_query(rq->site->kept, rq->db->name, VALUE_GET(given, "name").s, q, false, err);
    return st;
}

static enum status store_json(struct request *rq, struct value body, struct err *err)
{
    struct value given = VALUE_GET(body, "query"), d = value_dict(rq->arena);
    if (given.kind != VALUE_DICT)
        return err_set(err, STATUS_INVALID, "JSON must contain a query dictionary");
    enum status st = save_new(rq, given, err);
    if (st != STATUS_OK)
        return st;
    VALUE_SET(d, "ok", value_bool(true));
    VALUE_SET(d, "unstable", value_cstr(UNSTABLE_API));
    VALUE_SET(d, "query", shown(rq, VALUE_GET(given, "name").s));
    respond_json(rq, 201, d);
    return STATUS_OK;
}

static enum status post_store(struct request *rq, struct err *err)
{
    struct value body = VALUE_UNDEF;
    bool is_json;
    enum status st = may_store(rq, err);
    if (st == STATUS_OK)
        st = write_body_any(rq, &body, &is_json, err);
    if (st != STATUS_OK)
        return write_end(rq, st, err);
    if (is_json)
        return write_end(rq, store_json(rq, body, err), err);
    if (save_new(rq, body, err) != STATUS_OK)
        return form_failed(rq, body, "query_create.html", err);
    messages_add(rq, STR("Query saved"), MESSAGE_INFO);
    respond_redirect(rq, 302, link_table(rq, rq->db->name, VALUE_GET(body, "name").s));
    return STATUS_OK;
}

enum status view_query_store(struct request *rq, struct err *err)
{
    enum status st = request_open_database(rq, err);
    if (st != STATUS_OK)
        return st;
    if (rq->http->method == HTTP_POST)
        return post_store(rq, err);
    st = request_require(rq, ACTION_EXECUTE_SQL, rq->db->name, (str){0}, NULL, err);
    if (st == STATUS_OK)
        st = request_require(rq, ACTION_STORE_QUERY, rq->db->name, (str){0}, NULL, err);
    if (st != STATUS_OK)
        return st;
    struct value typed = value_dict(rq->arena);
    str sql = request_arg(rq, "sql");
    VALUE_SET(typed, "sql", value_str(sql.p ? sql : STR("")));
    return respond_form(rq, typed, "query_create.html", 200, err);
}

enum status view_query_analyze(struct request *rq, struct err *err)
{
    enum status st = request_open_database(rq, err);
    if (st != STATUS_OK)
        return st;
    st = may_store(rq, err);
    if (st == STATUS_OK)
        st = write_only_sql_argument(rq, err);
    if (st != STATUS_OK) {
        write_answer_failure(rq, err);
        write_no_framing(rq);
        return STATUS_OK;
    }
    struct value d = decide_store_data(rq, request_arg(rq, "sql"));
    VALUE_SET(d, "unstable", value_cstr(UNSTABLE_API));
    respond_json(rq, 200, d);
    write_no_framing(rq);
    return STATUS_OK;
}

/* ---- changing ---- */

/* The query as it is; NOT_FOUND, FORBIDDEN (also for trusted ones: they belong to the configuration). */
static enum status open_query(struct request *rq, enum action a, const char *trusted, struct value *ret,
                              struct err *err)
{
    str name = rq->params[1];
    /* permission first: names of private queries do not differ from names that nobody uses */
    if (!request_allowed(rq, a, rq->db->name, name))
        return err_set(err, STATUS_FORBIDDEN, "Permission denied: need %s", action_rows[a].name);
    if (!queries_exists(rq, rq->db->name, name))
        return err_set(err, STATUS_NOT_FOUND, "Query not found: %.*s", STR_ARG(name));
    *ret = queries_get(rq, rq->db->name, name);
    if (value_truth(VALUE_GET(*ret, "is_trusted")) || str_is(VALUE_GET(*ret, "source").s, "config"))
        return err_set(err, STATUS_FORBIDDEN, "%s", trusted);
    return STATUS_OK;
}

static enum status apply_update(struct request *rq, struct value q, struct value update, struct err *err)
{
    struct arena *a = rq->arena;
    const str *names = NULL;
    size_t n = 0;
    bool new_sql = value_has(update, STR("sql")), is_write = value_truth(VALUE_GET(q, "is_write"));
    struct value sql = new_sql ? VALUE_GET(update, "sql") : VALUE_GET(q, "sql"),
                 parameters = VALUE_GET(q, "parameters");
    enum status st = check_keys(a, update, UPDATE_FIELDS, err);
    if (st == STATUS_OK && new_sql)
        st = look_at_sql(rq, sql, &names, &n, &is_write, err);
    else if (st == STATUS_OK)
        st = decide_parameters(a, sql.s, &names, &n, err);
    if (st == STATUS_OK && (new_sql || value_has(update, STR("parameters"))))
        st = check_parameters(a, VALUE_GET(update, "parameters"), names, n, &parameters, err);
    if (st == STATUS_OK)
        st = check_write_fields(update, is_write, err);
    if (st != STATUS_OK)
        return st;
    for (size_t i = 0; i < value_count(update); i++) {
        str key = update.dict->entries[i].key;
        struct value v = update.dict->entries[i].value;
        bool flag = str_is(key, "hide_sql") || str_is(key, "is_private");
        value_set(q, key, flag ? value_bool(as_bool(v)) : text_or_null(v));
    }
    VALUE_SET(q, "parameters", parameters);
    VALUE_SET(q, "is_write", value_bool(is_write));
    return kept_save_query(rq->site->kept, rq->db->name, rq->params[1], q, true, err);
}

static enum status update_query(struct request *rq, struct err *err)
{
    static const char *const known[] = {"update", "return"};
    struct value q, body = VALUE_UNDEF, d = value_dict(rq->arena);
    bool is_json;
    enum status st = open_query(rq, ACTION_UPDATE_QUERY, "Trusted queries cannot be updated using the API", &q, err);
    if (st == STATUS_OK)
        st = write_body_any(rq, &body, &is_json, err);
    if (st != STATUS_OK)
        return st;
    str unknown = write_unknown_keys(rq->arena, body, known, ARRAY_LEN(known), STR(", "));
    struct value update = VALUE_GET(body, "update");
    if (unknown.n)
        return err_set(err, STATUS_INVALID, "Invalid keys: %.*s", STR_ARG(unknown));
    if (update.kind != VALUE_DICT)
        return err_set(err, STATUS_INVALID, "JSON must contain an update dictionary");
    if (value_has(update, STR("sql")))
        st = write_require(rq, ACTION_EXECUTE_SQL, rq->db->name, (str){0}, "Permission denied: need execute-sql", err);
    if (st == STATUS_OK)
        st = apply_update(rq, q, update, err);
    if (st != STATUS_OK)
        return st;
    VALUE_SET(d, "ok", value_bool(true));
    if (value_truth(VALUE_GET(body, "return")))
        VALUE_SET(d, "query", shown(rq, rq->params[1]));
    respond_json(rq, 200, d);
    return STATUS_OK;
}

enum status view_query_update(struct request *rq, struct err *err)
{
    enum status st = request_open_database(rq, err);
    return st == STATUS_OK ? write_end(rq, update_query(rq, err), err) : st;
}

static enum status post_edit(struct request *rq, struct value q, struct err *err)
{
    struct value body = VALUE_UNDEF, update = value_dict(rq->arena), sql;
    bool is_json;
    enum status st = write_body_any(rq, &body, &is_json, err);
    if (st != STATUS_OK)
        return st;
    VALUE_SET(update, "title", text_or_null(VALUE_GET(body, "title")));
    VALUE_SET(update, "description", text_or_null(VALUE_GET(body, "description")));
    VALUE_SET(update, "is_private", value_bool(as_bool(VALUE_GET(body, "is_private"))));
    sql = VALUE_GET(body, "sql");
    if (value_is_text(sql) && !str_eq(str_trim(sql.s), VALUE_GET(q, "sql").s)) {
        VALUE_SET(update, "sql", value_str(str_trim(sql.s)));
        st = write_require(rq, ACTION_EXECUTE_SQL, rq->db->name, (str){0},
                           "Permission denied: need execute-sql to change the SQL", err);
    }
    VALUE_SET(body, "name", value_str(rq->params[1]));
    if (st == STATUS_OK)
        st = apply_update(rq, q, update, err);
    if (st != STATUS_OK)
        return form_failed(rq, body, "query_edit.html", err);
    messages_add(rq, STR("Query updated"), MESSAGE_INFO);
    respond_redirect(rq, 302, link_table(rq, rq->db->name, rq->params[1]));
    return STATUS_OK;
}

enum status view_query_edit(struct request *rq, struct err *err)
{
    struct value q;
    enum status st = request_open_database(rq, err);
    if (st == STATUS_OK)
        st = open_query(rq, ACTION_UPDATE_QUERY, "Trusted queries cannot be edited", &q, err);
    if (st != STATUS_OK)
        return st;
    return rq->http->method == HTTP_POST ? post_edit(rq, q, err) : respond_form(rq, q, "query_edit.html", 200, err);
}

static enum status post_delete(struct request *rq, struct value q, struct err *err)
{
    struct arena *a = rq->arena;
    struct value d = value_dict(a), title = VALUE_GET(q, "title");
    str shown_name = value_is_text(title) && title.s.n ? title.s : rq->params[1];
    enum status st = kept_delete_query(rq->site->kept, rq->db->name, rq->params[1], err);
    if (st != STATUS_OK)
        return st;
    if (write_body_is_json(rq)) {
        VALUE_SET(d, "ok", value_bool(true));
        respond_json(rq, 200, d);
        return STATUS_OK;
    }
    messages_add(rq, ARENA_CAT(a, STR("Query \xe2\x80\x9c"), shown_name, STR("\xe2\x80\x9d deleted")), MESSAGE_INFO);
    respond_redirect(rq, 302, link_database(rq, rq->db->name));
    return STATUS_OK;
}

enum status view_query_delete(struct request *rq, struct err *err)
{
    struct value q, d = value_dict(rq->arena);
    enum status st = request_open_database(rq, err);
    if (st == STATUS_OK)
        st = open_query(rq, ACTION_DELETE_QUERY, "Trusted queries cannot be deleted using the API", &q, err);
    if (rq->http->method == HTTP_POST && rq->db) {
        if (st == STATUS_OK)
            st = post_delete(rq, q, err);
        return write_end(rq, st, err);
    }
    if (st != STATUS_OK)
        return st;
    VALUE_SET(d, "database", value_str(rq->db->name));
    VALUE_SET(d, "database_color", value_cstr(rq->db->color));
    VALUE_SET(d, "query", q);
    VALUE_SET(d, "query_url", value_str(link_table(rq, rq->db->name, rq->params[1])));
    const str names[] = {STR("query_delete.html")};
    return page_respond(rq, 200, names, 1, d, false, err);
}
