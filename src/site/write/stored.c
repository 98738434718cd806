/* SPDX-License-Identifier: Apache-2.0 */
/* stored — POST of a stored query that writes: form (redirect and message) or JSON. Queries of the configuration are
 * trusted: who may see one may run it. One that a visitor stored runs with the rights of whoever runs it. */
#include "site/write/stored.h"
#include "site/links.h"
#include "site/magic.h"
#include "site/query/sql.h"
#include "site/render/messages.h"
#include "site/render/page.h"
#include "site/view/view.h"
#include "site/write/execute.h"
#include "site/write/write.h"

struct stored_plan {
    struct execute_plan run;
    struct value query; /* DICT */
    bool wants_json;
    str message; /* of on_success_message_sql */
    bool message_failed;
};

/* ---- parameters ---- */

/* {...} is JSON whatever its content type says, as in Datasette; else a form. */
static enum status read_params(struct request *rq, struct stored_plan *p, struct err *err)
{
    struct arena *a = rq->arena;
    str body = str_trim(rq->http->body);
    struct value given = value_dict(a);
    enum status st = request_body_check(rq, err);
    if (st != STATUS_OK)
        return st;
    if (body.n && body.p[0] == '{' && body.p[body.n - 1] == '}') {
        struct value v;
        st = write_body_object(rq, &v, err);
        for (size_t i = 0; st == STATUS_OK && i < value_count(v); i++) {
            struct value item = v.dict->entries[i].value;
            value_set(given, v.dict->entries[i].key, item.kind == VALUE_NONE ? item : value_str(value_to_str(a, item)));
        }
    } else {
        struct args form;
        st = args_parse(a, rq->http->body, &form, err);
        for (size_t i = 0; st == STATUS_OK && i < form.count; i++) /* the last value of a key wins */
            value_set(given, form.items[i].key, value_str(form.items[i].value));
    }
    value_remove(given, STR("csrftoken"));
    p->wants_json = p->wants_json || value_truth(VALUE_GET(given, "_json"));
    p->run.params = given;
    return st;
}

static void add_magic(struct request *rq, struct stored_plan *p, str sql)
{
    const str *names;
    size_t n;
    struct value v;
    query_sql_parameters(rq->arena, sql, &names, &n);
    for (size_t i = 0; i < n; i++) {
        if (!str_starts(names[i], STR("_")))
            continue;
        value_remove(p->run.params, names[i]); /* magic values are not the client's to give */
        if (magic_value(rq, names[i], &v) && v.kind != VALUE_UNDEFINED)
            value_set(p->run.params, names[i], v);
    }
}

/* ---- writer's thread ---- */

/* A message made by a query: its first value. It sees what was written. */
static void run_message(struct request *rq, struct conn *c, struct stored_plan *p)
{
    struct err why = ERR_INIT;
    struct execute_plan m = {.sql = value_get_text(p->query, STR("on_success_message_sql")), .params = p->run.params};
    if (!m.sql.n)
        return;
    if (execute_run(rq, c, &m, &why) != STATUS_OK) {
        p->message = arena_printf(rq->arena, "Error running on_success_message_sql: %s", why.text);
        p->message_failed = true;
        return;
    }
    struct value row = value_at(m.rows, 0);
    if (value_count(m.rows) && m.column_count && value_truth(value_get(row, m.columns[0])))
        p->message = value_to_str(rq->arena, value_get(row, m.columns[0]));
}

static enum status stored_apply(struct request *rq, struct conn *c, void *plan, struct err *err)
{
    struct stored_plan *p = plan;
    p->message = (str){0};
    p->message_failed = false;
    enum status st = execute_run(rq, c, &p->run, err);
    if (st == STATUS_OK)
        run_message(rq, c, p);
    return st;
}

static str success_message(struct request *rq, const struct stored_plan *p)
{
    str text = value_get_text(p->query, STR("on_success_message"));
    if (p->message.n)
        return p->message;
    return text.n ? text : execute_message(rq->arena, &p->run);
}

static str redirect_of(const struct stored_plan *p, bool ok)
{
    return value_get_text(p->query, ok ? STR("on_success_redirect") : STR("on_error_redirect"));
}

static int failure_status(const struct err *err)
{
    int code = status_http(err->status);
    return err->status == STATUS_FORBIDDEN || code >= 500 ? code : 400;
}

static void answer_json(struct request *rq, const struct stored_plan *p, bool ok, str message, const struct err *err)
{
    struct arena *a = rq->arena;
    str to = redirect_of(p, ok);
    int code = ok ? 200 : failure_status(err);
    struct value d = ok ? value_dict(a) : page_error_json(a, err, code), errors = value_list(a);
    if (ok) {
        VALUE_SET(d, "ok", value_bool(true));
        VALUE_SET(d, "message", value_str(message));
    } else {
        value_push(errors, value_str(message));
        VALUE_SET(d, "error", value_str(message));
        VALUE_SET(d, "errors", errors);
    }
    VALUE_SET(d, "redirect", to.n ? value_str(to) : VALUE_NULL);
    respond_json(rq, code, d);
}

static enum status stored_finish(struct request *rq, void *plan, enum status st, struct err *err)
{
    struct stored_plan *p = plan;
    bool ok = st == STATUS_OK;
    str own = value_get_text(p->query, STR("on_error_message")), to = redirect_of(p, ok);
    str message = ok ? success_message(rq, p) : own.n ? own : arena_str(rq->arena, str_of(err->text));
    if (p->wants_json) {
        answer_json(rq, p, ok, message, err);
    } else {
        messages_add(rq, message, ok && !p->message_failed ? MESSAGE_INFO : MESSAGE_ERROR);
        respond_redirect(rq, 302, to.n ? to : link_path(rq, rq->path));
    }
    page_cache_headers(rq, p->wants_json && ok);
    return STATUS_OK;
}

/* ---- worker ---- */

enum status stored_query_may_run(struct request *rq, struct value query, bool *ret_rejected, struct err *err)
{
    struct sql_analysis an;
    str db = rq->db->name;
    if (value_truth(VALUE_GET(query, "is_trusted")))
        return STATUS_OK;
    if (!value_truth(VALUE_GET(query, "is_write")))
        return request_require(rq, ACTION_EXECUTE_SQL, db, (str){0}, NULL, err);
    enum status st = request_require(rq, ACTION_EXECUTE_WRITE_SQL, db, (str){0}, NULL, err);
    if (st == STATUS_OK) {
        st = sql_analyze(rq->conn, rq->arena, value_get_text(query, STR("sql")), &an, err);
        if (st != STATUS_OK)
            return err_set(err, STATUS_FORBIDDEN, "Could not analyze query: %.*s",
                           STR_ARG(arena_str(rq->arena, str_of(err ? err->text : ""))));
        st = decide_check(rq, &an, ret_rejected, err);
    }
    return st;
}

enum status stored_query_post(struct request *rq, struct value query, struct err *err)
{
    struct stored_plan *p = ARENA_NEW(rq->arena, struct stored_plan);
    bool rejected = false;
    p->query = query;
    p->wants_json = str_is(http_header(rq->http, STR("accept")), "application/json") || request_arg(rq, "_json").n;
    enum status st = stored_query_may_run(rq, query, &rejected, err);
    if (rejected)
        return stored_finish(rq, p, st, err);
    if (st == STATUS_OK)
        st = write_require_mutable(rq, err);
    if (st == STATUS_OK)
        st = read_params(rq, p, err);
    if (st != STATUS_OK)
        return st;
    p->run.sql = value_get_text(query, STR("sql"));
    p->run.check = !value_truth(VALUE_GET(query, "is_trusted"));
    add_magic(rq, p, p->run.sql);
    add_magic(rq, p, value_get_text(query, STR("on_success_message_sql")));
    return write_hand_over(rq, stored_apply, stored_finish, p, err);
}
