/* SPDX-License-Identifier: Apache-2.0 */
/* drop_form — /DB/TABLE/-/drop-table: says what would be lost, then drops the table. */
#include "db/history.h"
#include "site/links.h"
#include "site/query/plan.h"
#include "site/render/messages.h"
#include "site/render/page.h"
#include "site/view/view.h"
#include "site/write/drop.h"
#include "site/write/write.h"

struct drop_form {
    const struct schema_table *table;
    str message;
    int http_status;
};

/* Other tables whose keys point here. */
static struct value referring(struct request *rq, const struct schema_table *t)
{
    struct value list = value_list(rq->arena);
    for (size_t i = 0; i < t->incoming_count; i++) {
        struct value name = value_str(t->incoming[i].other_table);
        bool told = str_eq(name.s, t->name) || !request_allowed(rq, ACTION_VIEW_TABLE, rq->db->name, name.s);
        for (size_t k = 0; k < value_count(list); k++)
            told = told || str_eq(value_at(list, k).s, name.s);
        if (!told)
            value_push(list, name);
    }
    return list;
}

static enum status respond_form(struct request *rq, const struct drop_form *f, struct err *err)
{
    struct arena *a = rq->arena;
    const struct schema_table *t = f->table;
    struct value d = value_dict(a);
    struct err why = ERR_INIT;
    int64_t rows = -1, limit = rq->site->config.settings.sql_time_limit_ms;
    str sql = ARENA_CAT(a, STR("select count(*) from "), query_quoted(a, t->name));
    if (fetch_integer(rq, rq->conn, sql, NULL, 0, limit, &rows, &why) != STATUS_OK)
        rows = -1;
    VALUE_SET(d, "database", value_str(rq->db->name));
    VALUE_SET(d, "database_color", value_cstr(rq->db->color));
    VALUE_SET(d, "table", value_str(t->name));
    VALUE_SET(d, "table_url", value_str(link_table(rq, rq->db->name, t->name)));
    VALUE_SET(d, "rows", rows < 0 ? VALUE_NULL : value_int(rows));
    VALUE_SET(d, "referring", referring(rq, t));
    VALUE_SET(d, "message", f->message.n ? value_str(f->message) : VALUE_NULL);
    const str names[] = {STR("drop_table.html")};
    return page_respond(rq, f->http_status ? f->http_status : 200, names, 1, d, false, err);
}

static enum status form_apply(struct request *rq, struct conn *c, void *plan, struct err *err)
{
    const struct drop_form *f = plan;
    return drop_run(rq->arena, c, f->table->name, err);
}

static enum status form_finish(struct request *rq, void *plan, enum status st, struct err *err)
{
    struct drop_form *f = plan;
    if (st != STATUS_OK) {
        int code = status_http(err->status);
        f->message = arena_str(rq->arena, str_of(err->text));
        f->http_status = code >= 500 ? code : 400;
        err_clear(err);
        st = request_connect(rq, err);
        return st == STATUS_OK ? respond_form(rq, f, err) : st;
    }
    messages_add(rq, ARENA_CAT(rq->arena, STR("Table "), f->table->name, STR(" dropped")), MESSAGE_WARNING);
    respond_redirect(rq, 302, link_database(rq, rq->db->name));
    return STATUS_OK;
}

enum status view_drop_table(struct request *rq, struct err *err)
{
    struct drop_form *f = ARENA_NEW(rq->arena, struct drop_form);
    enum status st = write_open_table(rq, &f->table, err);
    if (st == STATUS_OK)
        st = request_require(rq, ACTION_DROP_TABLE, rq->db->name, f->table->name, NULL, err);
    if (st == STATUS_OK)
        st = request_require(rq, ACTION_VIEW_TABLE, rq->db->name, f->table->name, NULL, err);
    if (st == STATUS_OK)
        st = write_require_mutable(rq, err);
    if (st == STATUS_OK && history_is_own_table(f->table->name))
        st = err_set(err, STATUS_INVALID, "%.*s belongs to a history: end that instead", STR_ARG(f->table->name));
    if (st != STATUS_OK)
        return st;
    return rq->http->method == HTTP_POST ? write_hand_over(rq, form_apply, form_finish, f, err)
                                         : respond_form(rq, f, err);
}
