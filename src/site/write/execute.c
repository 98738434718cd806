/* SPDX-License-Identifier: Apache-2.0 */
/* execute — /DB/-/execute-write as API and page, /DB/-/execute-write/analyze.
 *
 * What the SQL would do is found out before it runs (db/analyze.h), each table needs the permissions of decide.c, and
 * on the writer's connection the same is asked again. The page works without JavaScript: a first POST of SQL that has
 * parameters shows their fields. */
#include "site/write/execute.h"

#include "codec/url.h"
#include "site/links.h"
#include "site/render/cells.h"
#include "site/render/messages.h"
#include "site/render/page.h"
#include "site/tables.h"
#include "site/view/database.h"
#include "site/view/resources.h"
#include "site/view/view.h"
#include "site/write/write.h"

#define TEMPLATE_TABLES_MAX 50
#define FIELD_PREFIX        "_sql_param_" /* of form fields: a parameter may be named "sql" */

struct execute_request {
    struct execute_plan plan;
    struct value given; /* DICT name -> text, for the form */
    bool wants_json;
};

/* ---- page ---- */

struct execute_page {
    str sql, message; /* message empty = none */
    bool ok;
    struct value values;             /* DICT parameter -> text */
    const struct execute_plan *done; /* what ran; NULL = nothing */
    str row_url;                     /* of the row that was inserted; empty = none */
    int http_status;
};

/* A parameter for a column: its name in small letters, what is no letter or digit as "_". */
static str parameter_of(struct arena *a, str column)
{
    char *out = arena_alloc_raw(a, column.n + 8);
    size_t n = 0;
    for (size_t i = 0; i < column.n; i++) {
        char c = str_lower_char(column.p[i]);
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (plain || (n && out[n - 1] != '_'))
            out[n++] = plain ? c : '_';
    }
    while (n && out[n - 1] == '_')
        n--;
    if (!n)
        return STR("value");
    return out[0] >= '0' && out[0] <= '9' ? ARENA_CAT(a, STR("p_"), str_make(out, n)) : str_make(out, n);
}

static bool numbers_itself(const struct schema_table *t, const struct schema_column *c)
{
    return t->pk_count == 1 && c->pk && str_eq_nocase(c->type, STR("integer"));
}

/* The column that a WHERE would name. */
static str key_of(const struct schema_table *t)
{
    return t->pk_count ? t->pks[0] : t->column_name_count ? t->column_names[0] : STR("rowid");
}

static str insert_template(struct arena *a, const struct schema_table *t)
{
    str *names = ARENA_ARRAY(a, str, t->column_count + 1), *marks = ARENA_ARRAY(a, str, t->column_count + 1);
    size_t n = 0;
    for (size_t i = 0; i < t->column_count; i++) {
        if (t->columns[i].hidden || numbers_itself(t, &t->columns[i]))
            continue;
        names[n] = ARENA_CAT(a, STR("  "), query_quoted(a, t->columns[i].name));
        marks[n++] = ARENA_CAT(a, STR("  :"), parameter_of(a, t->columns[i].name));
    }
    if (!n)
        return ARENA_CAT(a, STR("insert into "), query_quoted(a, t->name), STR("\ndefault values"));
    return ARENA_CAT(a, STR("insert into "), query_quoted(a, t->name), STR(" (\n"), write_join(a, names, n, STR(",\n")),
                     STR("\n)\nvalues (\n"), write_join(a, marks, n, STR(",\n")), STR("\n)"));
}

static str where_key(struct arena *a, const struct schema_table *t)
{
    str key = key_of(t);
    return ARENA_CAT(a, STR("\nwhere "), query_quoted(a, key), STR(" = :"), parameter_of(a, key));
}

static str update_template(struct arena *a, const struct schema_table *t)
{
    str *sets = ARENA_ARRAY(a, str, t->column_count + 1), key = key_of(t);
    size_t n = 0;
    for (size_t i = 0; i < t->column_count; i++)
        if (!t->columns[i].hidden && !str_eq(t->columns[i].name, key))
            sets[n++] =
                ARENA_CAT(a, query_quoted(a, t->columns[i].name), STR(" = :"), parameter_of(a, t->columns[i].name));
    if (!n)
        sets[n++] = ARENA_CAT(a, query_quoted(a, key), STR(" = :new_"), parameter_of(a, key));
    return ARENA_CAT(a, STR("update "), query_quoted(a, t->name), STR("\nset "), write_join(a, sets, n, STR(",\n    ")),
                     where_key(a, t));
}

static str delete_template(struct arena *a, const struct schema_table *t)
{
    return ARENA_CAT(a, STR("delete from "), query_quoted(a, t->name), where_key(a, t));
}

static void push_link(struct request *rq, struct value list, const char *label, str sql)
{
    struct value d = value_dict(rq->arena);
    const struct url_pair pair = {STR("sql"), sql};
    VALUE_SET(d, "label", value_cstr(label));
    VALUE_SET(d, "href",
              value_str(ARENA_CAT(rq->arena, link_database(rq, rq->db->name), STR("/-/execute-write?"),
                                  url_encode(rq->arena, &pair, 1))));
    value_push(list, d);
}

/* LIST of {name, links}: statements to start from, for tables whose rows the actor may change. */
static struct value templates_for(struct request *rq)
{
    struct arena *a = rq->arena;
    struct value list = value_list(a);
    for (size_t i = 0; i < rq->schema->table_count && value_count(list) < TEMPLATE_TABLES_MAX; i++) {
        const struct schema_table *t = &rq->schema->tables[i];
        struct value links = value_list(a), d = value_dict(a);
        if (t->kind != SCHEMA_TABLE || t->is_shadow || table_is_hidden(rq, t))
            continue;
        bool may_delete = request_allowed(rq, ACTION_DELETE_ROW, rq->db->name, t->name);
        bool may_change = may_delete && request_allowed(rq, ACTION_UPDATE_ROW, rq->db->name, t->name) &&
                          request_allowed(rq, ACTION_INSERT_ROW, rq->db->name, t->name);
        if (may_change) {
            push_link(rq, links, "insert", insert_template(a, t));
            push_link(rq, links, "update", update_template(a, t));
        }
        if (may_delete)
            push_link(rq, links, "delete", delete_template(a, t));
        if (!value_count(links))
            continue;
        VALUE_SET(d, "name", value_str(t->name));
        VALUE_SET(d, "links", links);
        value_push(list, d);
    }
    return list;
}

static void result_vars(struct request *rq, const struct execute_page *p, struct value d)
{
    const struct execute_plan *done = p->done;
    bool rows = done && done->gives_rows;
    VALUE_SET(d, "execution_message", p->message.n ? value_str(p->message) : VALUE_NULL);
    VALUE_SET(d, "execution_ok", value_bool(p->ok));
    VALUE_SET(d, "inserted_row_url", p->row_url.n ? value_str(p->row_url) : VALUE_NULL);
    VALUE_SET(d, "returns_rows", value_bool(rows));
    VALUE_SET(d, "truncated", value_bool(rows && done->truncated));
    VALUE_SET(d, "columns", rows ? str_list(rq->arena, done->columns, done->column_count) : value_list(rq->arena));
    VALUE_SET(d, "display_rows", rows ? cells_query_rows(rq, &done->rowset) : value_list(rq->arena));
}

/* Needs rq->conn. */
static enum status respond_page(struct request *rq, const struct execute_page *p, struct err *err)
{
    struct arena *a = rq->arena;
    struct value d = decide_execute_data(rq, p->sql);
    str base = link_database(rq, rq->db->name);
    bool may_store = request_allowed(rq, ACTION_EXECUTE_SQL, rq->db->name, (str){0}) &&
                     request_allowed(rq, ACTION_STORE_QUERY, rq->db->name, (str){0});
    const struct url_pair sql = {STR("sql"), p->sql};
    VALUE_SET(d, "database", value_str(rq->db->name));
    VALUE_SET(d, "database_color", value_cstr(rq->db->color));
    VALUE_SET(d, "sql", value_str(p->sql));
    VALUE_SET(d, "parameter_values", p->values.kind == VALUE_DICT ? p->values : value_dict(a));
    VALUE_SET(d, "parameter_prefix", value_cstr(FIELD_PREFIX));
    VALUE_SET(d, "write_tables", templates_for(rq));
    struct value create = value_list(a);
    if (request_allowed(rq, ACTION_CREATE_TABLE, rq->db->name, (str){0}))
        push_link(rq, create, "create a table",
                  STR("create table new_table (\n  id integer primary key,\n  name text\n)"));
    VALUE_SET(d, "create_links", create);
    VALUE_SET(d, "table_columns", database_table_columns(rq));
    VALUE_SET(d, "save_query_url",
              may_store && p->sql.n && !value_truth(VALUE_GET(d, "execute_disabled"))
                  ? value_str(ARENA_CAT(a, base, STR("/-/queries/store?"), url_encode(a, &sql, 1)))
                  : VALUE_NULL);
    result_vars(rq, p, d);
    const str names[] = {STR("execute_write.html")};
    enum status st = page_respond(rq, p->http_status ? p->http_status : 200, names, 1, d, false, err);
    write_no_framing(rq);
    return st;
}

/* ---- writer's thread ---- */

/* Path of the row that the statement put into one table. */
static enum status find_row(struct request *rq, struct conn *c, const struct execute_plan *p, str *ret, struct err *err)
{
    struct arena *a = rq->arena;
    const struct sql_operation *insert = NULL;
    for (size_t i = 0; i < p->analysis.count; i++) {
        const struct sql_operation *o = &p->analysis.items[i];
        if (o->verb != SQL_INSERT || o->target != SQL_ON_TABLE || o->internal || o->source.p)
            continue;
        if (insert)
            return STATUS_OK;
        insert = o;
    }
    const struct schema_table *t = insert ? schema_table(rq->schema, insert->table) : NULL;
    if (!t || p->rowcount != 1 || !t->has_rowid)
        return STATUS_OK;
    str *names = ARENA_ARRAY(a, str, t->pk_count + 1);
    for (size_t i = 0; i < t->pk_count; i++)
        names[i] = query_quoted(a, t->pks[i]);
    str what = t->pk_count ? write_join(a, names, t->pk_count, STR(", ")) : STR("rowid");
    struct value rows = value_list(a);
    struct db_value id = {.kind = DB_INT, .i = p->last_rowid};
    enum status st = write_fetch(
        a, c, ARENA_CAT(a, STR("select "), what, STR(" from "), query_quoted(a, t->name), STR(" where rowid = ?")), &id,
        1, 1, rows, err);
    if (st != STATUS_OK || !value_count(rows))
        return st;
    struct value row = value_at(rows, 0);
    str *parts = ARENA_ARRAY(a, str, value_count(row) + 1);
    for (size_t i = 0; i < value_count(row); i++)
        parts[i] = tilde_encode(a, value_to_str(a, row.dict->entries[i].value));
    *ret = link_row(rq, rq->db->name, t->name, write_join(a, parts, value_count(row), STR(",")));
    return STATUS_OK;
}

struct execute_step {
    struct execute_request r;
    str row_url;
};

static enum status execute_apply(struct request *rq, struct conn *c, void *plan, struct err *err)
{
    struct execute_step *s = plan;
    struct execute_plan *p = &s->r.plan;
    enum status st = execute_run(rq, c, p, err);
    if (st == STATUS_OK && !s->r.wants_json)
        return find_row(rq, c, p, &s->row_url, err);
    if (st != STATUS_OK)
        return st;
    struct value d = value_dict(rq->arena);
    VALUE_SET(d, "ok", value_bool(true));
    VALUE_SET(d, "message", value_str(execute_message(rq->arena, p)));
    VALUE_SET(d, "rowcount", value_int(p->rowcount));
    VALUE_SET(d, "rows", p->rows);
    VALUE_SET(d, "truncated", value_bool(p->truncated));
    VALUE_SET(d, "analysis", decide_rows(rq, &p->analysis, false));
    respond_json(rq, 200, d);
    write_no_framing(rq);
    return STATUS_OK;
}

static enum status failed_json(struct request *rq, const struct err *err)
{
    enum status st = write_answer_failure(rq, err);
    write_no_framing(rq);
    return st;
}

/* The page, with what came out of it. */
static enum status execute_finish(struct request *rq, void *plan, enum status st, struct err *err)
{
    struct execute_step *s = plan;
    struct err said = *err, local = ERR_INIT;
    if (s->r.wants_json)
        return st == STATUS_OK ? STATUS_OK : failed_json(rq, err);
    struct execute_page page = {.sql = s->r.plan.sql, .values = s->r.given, .ok = st == STATUS_OK};
    page.message = st == STATUS_OK ? execute_message(rq->arena, &s->r.plan) : arena_str(rq->arena, str_of(said.text));
    page.done = st == STATUS_OK ? &s->r.plan : NULL;
    page.row_url = st == STATUS_OK ? s->row_url : (str){0};
    page.http_status = st == STATUS_OK ? 200 : 400;
    if (request_connect(rq, &local) != STATUS_OK || respond_page(rq, &page, &local) != STATUS_OK) {
        *err = local;
        return local.status;
    }
    return STATUS_OK;
}

/* ---- worker ---- */

static enum status read_json(struct value body, struct arena *a, struct execute_request *r, struct err *err)
{
    static const char *const known[] = {"sql", "params"};
    str unknown = write_unknown_keys(a, body, known, ARRAY_LEN(known), STR(", "));
    struct value params = VALUE_GET(body, "params"), sql = VALUE_GET(body, "sql");
    if (unknown.n)
        return err_set(err, STATUS_INVALID, "Invalid keys: %.*s", STR_ARG(unknown));
    if (value_truth(params) && params.kind != VALUE_DICT)
        return err_set(err, STATUS_INVALID, "params must be a dictionary");
    r->given = value_truth(params) ? params : value_dict(a);
    r->plan.sql = value_is_text(sql) ? sql.s : (str){0};
    return STATUS_OK;
}

static void read_form(struct value body, struct arena *a, struct execute_request *r)
{
    struct value sql = VALUE_GET(body, "sql");
    r->given = value_dict(a);
    r->plan.sql = value_is_text(sql) ? sql.s : (str){0};
    for (size_t i = 0; i < value_count(body); i++) {
        str key = body.dict->entries[i].key;
        if (str_is(key, "sql") || str_is(key, "csrftoken") || str_is(key, "_json"))
            continue;
        if (str_starts(key, STR(FIELD_PREFIX)))
            key = str_from(key, sizeof FIELD_PREFIX - 1);
        value_set(r->given, key, body.dict->entries[i].value);
    }
}

static enum status read_body(struct request *rq, struct execute_request *r, struct err *err)
{
    struct value body = VALUE_UNDEF;
    bool is_json = write_body_is_json(rq);
    r->wants_json = is_json || str_is(http_header(rq->http, STR("accept")), "application/json");
    enum status st = write_body_any(rq, &body, &is_json, err);
    if (st != STATUS_OK)
        return st;
    r->wants_json = r->wants_json || value_truth(VALUE_GET(body, "_json"));
    if (is_json)
        return read_json(body, rq->arena, r, err);
    read_form(body, rq->arena, r);
    return STATUS_OK;
}

/* Given and asked parameters meet: what was not given is "", what is not asked for is refused. A form whose SQL has a
 * field too few has not been shown yet: *ret_ask. */
static enum status bind_parameters(struct request *rq, struct execute_request *r, bool *ret_ask, struct err *err)
{
    struct arena *a = rq->arena;
    const str *names;
    size_t n;
    enum status st = decide_parameters(a, r->plan.sql, &names, &n, err);
    if (st != STATUS_OK)
        return st;
    const char **known = ARENA_ARRAY(a, const char *, n + 1);
    r->plan.params = value_dict(a);
    for (size_t i = 0; i < n; i++) {
        struct value v = value_get(r->given, names[i]);
        known[i] = arena_cstr(a, names[i]);
        *ret_ask = *ret_ask || v.kind == VALUE_UNDEFINED;
        value_set(r->plan.params, names[i], v.kind == VALUE_UNDEFINED ? value_cstr("") : v);
    }
    str unknown = write_unknown_keys(a, r->given, known, n, STR(", "));
    if (unknown.n)
        return err_set(err, STATUS_INVALID, "Unknown parameters: %.*s", STR_ARG(unknown));
    return STATUS_OK;
}

static enum status prepare(struct request *rq, struct execute_request *r, bool *ret_ask, struct err *err)
{
    struct sql_analysis an;
    if (!r->plan.sql.n)
        return err_set(err, STATUS_INVALID, "SQL is required");
    enum status st = bind_parameters(rq, r, ret_ask, err);
    if (st != STATUS_OK)
        return st;
    st = sql_analyze(rq->conn, rq->arena, r->plan.sql, &an, err);
    if (st != STATUS_OK)
        return st == STATUS_TIMEOUT || st == STATUS_BUSY ? st : err_prefix(err, "Could not analyze query");
    if (!decide_is_write(&an))
        return err_set(err, STATUS_INVALID, "Use /-/query for read-only SQL; this endpoint only executes writes");
    r->plan.check = true;
    return decide_check(rq, &an, NULL, err);
}

static enum status refused(struct request *rq, const struct execute_request *r, struct err *err)
{
    struct execute_page page = {.sql = r->plan.sql, .values = r->given};
    if (r->wants_json)
        return failed_json(rq, err);
    page.message = arena_str(rq->arena, str_of(err->text));
    page.http_status = status_http(err->status);
    err_clear(err);
    return respond_page(rq, &page, err);
}

static enum status post(struct request *rq, struct err *err)
{
    struct execute_step *s = ARENA_NEW(rq->arena, struct execute_step);
    struct execute_request *r = &s->r;
    bool ask = false;
    r->given = value_dict(rq->arena);
    if (!request_allowed(rq, ACTION_EXECUTE_WRITE_SQL, rq->db->name, (str){0}))
        err_set(err, STATUS_FORBIDDEN, "Permission denied: need execute-write-sql");
    else if (!rq->db->writer)
        err_set(err, STATUS_FORBIDDEN, "Database is immutable");
    if (err->status != STATUS_OK)
        return failed_json(rq, err);
    enum status st = read_body(rq, r, err);
    if (st == STATUS_OK)
        st = prepare(rq, r, &ask, err);
    if (st != STATUS_OK)
        return refused(rq, r, err);
    if (ask && !r->wants_json) { /* a form of SQL alone: show the fields for its parameters */
        struct execute_page page = {.sql = r->plan.sql, .values = r->given};
        return respond_page(rq, &page, err);
    }
    return write_hand_over(rq, execute_apply, execute_finish, s, err);
}

static enum status get(struct request *rq, struct err *err)
{
    struct execute_page page = {.sql = request_arg(rq, "sql")};
    enum status st = request_require(rq, ACTION_EXECUTE_WRITE_SQL, rq->db->name, (str){0}, NULL, err);
    if (st != STATUS_OK)
        return st;
    if (!rq->db->writer) {
        err_set(err, STATUS_FORBIDDEN, "Cannot execute write SQL because this database is immutable.");
        return failed_json(rq, err);
    }
    if (!page.sql.p)
        page.sql = STR("");
    return respond_page(rq, &page, err);
}

enum status view_execute_write(struct request *rq, struct err *err)
{
    enum status st = request_open_database(rq, err);
    if (st != STATUS_OK)
        return st;
    return rq->http->method == HTTP_POST ? post(rq, err) : get(rq, err);
}

enum status write_only_sql_argument(const struct request *rq, struct err *err)
{
    for (size_t i = 0; i < rq->args.count; i++)
        if (!str_is(rq->args.items[i].key, "sql"))
            return err_set(err, STATUS_INVALID, "Invalid keys: %.*s", STR_ARG(rq->args.items[i].key));
    return STATUS_OK;
}

enum status view_execute_write_analyze(struct request *rq, struct err *err)
{
    enum status st = request_open_database(rq, err);
    if (st != STATUS_OK)
        return st;
    st = write_require(rq, ACTION_EXECUTE_WRITE_SQL, rq->db->name, (str){0},
                       "Permission denied: need execute-write-sql", err);
    if (st == STATUS_OK)
        st = write_only_sql_argument(rq, err);
    if (st != STATUS_OK)
        return failed_json(rq, err);
    struct value d = decide_execute_data(rq, request_arg(rq, "sql"));
    VALUE_SET(d, "unstable", value_cstr(UNSTABLE_API));
    respond_json(rq, 200, d);
    write_no_framing(rq);
    return STATUS_OK;
}
