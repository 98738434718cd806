/* SPDX-License-Identifier: Apache-2.0 */
/* create_form — /DB/-/create-table: a table from a plain form; the form becomes the body of /-/create and takes its
 * way. */
#include "site/links.h"
#include "site/render/messages.h"
#include "site/render/page.h"
#include "site/view/view.h"
#include "site/write/column_rows.h"
#include "site/write/create.h"
#include "site/write/write.h"

#define FIRST_ROWS 5

struct create_form {
    struct value typed; /* DICT; UNDEFINED before the first POST */
    str message;
    int http_status;
    struct create_plan *plan;
};

static enum status respond_form(struct request *rq, const struct create_form *f, struct err *err)
{
    struct arena *a = rq->arena;
    struct value d = value_dict(a), rows = value_list(a), table = VALUE_GET(f->typed, "table");
    size_t n = column_rows_count(f->typed, FIRST_ROWS);
    for (size_t i = 0; i < n; i++) {
        struct value row = column_row(a, f->typed, i);
        if (!i && f->typed.kind != VALUE_DICT) {
            VALUE_SET(row, "name", value_cstr("id"));
            VALUE_SET(row, "type", value_cstr("integer"));
            VALUE_SET(row, "is_pk", value_bool(true));
        }
        value_push(rows, row);
    }
    VALUE_SET(d, "database", value_str(rq->db->name));
    VALUE_SET(d, "database_color", value_cstr(rq->db->color));
    VALUE_SET(d, "table_name", value_is_text(table) ? table : value_cstr(""));
    VALUE_SET(d, "columns", rows);
    VALUE_SET(d, "key_tables", column_key_tables(rq));
    VALUE_SET(d, "message", f->message.n ? value_str(f->message) : VALUE_NULL);
    const str names[] = {STR("create_table.html")};
    return page_respond(rq, f->http_status ? f->http_status : 200, names, 1, d, false, err);
}

/* The form as the API's body. */
static struct value body_of(struct arena *a, const struct create_form *f)
{
    struct value body = value_dict(a), columns = value_list(a), pks = value_list(a);
    struct value table = VALUE_GET(f->typed, "table");
    VALUE_SET(body, "table", value_is_text(table) ? value_str(str_trim(table.s)) : value_cstr(""));
    for (size_t i = 0; i < column_rows_count(f->typed, 0); i++) {
        str name = str_trim(column_row_field(a, f->typed, "name", i)),
            standard = column_row_field(a, f->typed, "default", i), fk = column_row_field(a, f->typed, "fk_table", i);
        struct value c = value_dict(a);
        if (!name.n)
            continue;
        VALUE_SET(c, "name", value_str(name));
        VALUE_SET(c, "type", value_str(column_row_field(a, f->typed, "type", i)));
        VALUE_SET(c, "not_null", value_bool(column_row_field(a, f->typed, "not_null", i).n));
        if (standard.n)
            VALUE_SET(c, "default", value_str(standard));
        if (fk.n)
            VALUE_SET(c, "fk_table", value_str(fk));
        if (column_row_field(a, f->typed, "pk", i).n)
            value_push(pks, value_str(name));
        value_push(columns, c);
    }
    VALUE_SET(body, "columns", columns);
    if (value_count(pks))
        VALUE_SET(body, "pks", pks);
    return body;
}

static enum status respond_again(struct request *rq, struct create_form *f, const struct err *why, struct err *err)
{
    int code = status_http(why->status);
    f->message = arena_str(rq->arena, str_of(why->text));
    f->http_status = code >= 500 ? code : 400;
    return respond_form(rq, f, err);
}

static enum status form_apply(struct request *rq, struct conn *c, void *plan, struct err *err)
{
    struct create_form *f = plan;
    str schema;
    return create_run(rq->arena, c, f->plan, &schema, err);
}

static enum status form_finish(struct request *rq, void *plan, enum status st, struct err *err)
{
    struct create_form *f = plan;
    struct err why = *err;
    if (st != STATUS_OK) {
        err_clear(err);
        st = request_connect(rq, err);
        return st == STATUS_OK ? respond_again(rq, f, &why, err) : st;
    }
    messages_add(rq, ARENA_CAT(rq->arena, STR("Table "), f->plan->table, STR(" created")), MESSAGE_INFO);
    respond_redirect(rq, 302, link_table(rq, rq->db->name, f->plan->table));
    return STATUS_OK;
}

static enum status post(struct request *rq, struct create_form *f, struct err *err)
{
    struct err why = ERR_INIT;
    bool is_json;
    enum status st = write_body_any(rq, &f->typed, &is_json, err);
    if (st != STATUS_OK)
        return st;
    if (column_rows_more(f->typed))
        return respond_form(rq, f, err);
    f->plan = ARENA_NEW(rq->arena, struct create_plan);
    st = create_plan_read(rq->arena, body_of(rq->arena, f), f->plan, &why);
    if (st == STATUS_OK && schema_table(rq->schema, f->plan->table))
        st = err_set(&why, STATUS_INVALID, "table \"%.*s\" already exists", STR_ARG(f->plan->table));
    if (st != STATUS_OK)
        return respond_again(rq, f, &why, err);
    return write_hand_over(rq, form_apply, form_finish, f, err);
}

enum status view_create_table(struct request *rq, struct err *err)
{
    struct create_form *f = ARENA_NEW(rq->arena, struct create_form);
    enum status st = request_open_database(rq, err);
    if (st == STATUS_OK)
        st = request_require(rq, ACTION_CREATE_TABLE, rq->db->name, (str){0}, NULL, err);
    if (st == STATUS_OK)
        st = write_require_mutable(rq, err);
    if (st != STATUS_OK)
        return st;
    return rq->http->method == HTTP_POST ? post(rq, f, err) : respond_form(rq, f, err);
}
