/* SPDX-License-Identifier: Apache-2.0 */
/* drop — POST /DB/TABLE/-/drop: without {"confirm": true} it only says how many rows would go. */
#include "site/write/drop.h"

#include "db/history.h"
#include "site/query/plan.h"
#include "site/render/messages.h"
#include "site/view/view.h"
#include "site/write/write.h"

enum status drop_run(struct arena *a, struct conn *c, str table, struct err *err)
{
    enum status st = history_in_use(c) ? history_disable(c, a, table, true, err) : STATUS_OK;
    if (st == STATUS_OK)
        st = write_run(c, ARENA_CAT(a, STR("drop table "), query_quoted(a, table)), NULL, 0, err);
    return st;
}

static enum status drop_apply(struct request *rq, struct conn *c, void *plan, struct err *err)
{
    const str *table = plan;
    struct arena *a = rq->arena;
    struct value d = value_dict(a);
    enum status st = drop_run(a, c, *table, err);
    if (st != STATUS_OK)
        return st;
    messages_add(rq, ARENA_CAT(a, STR("Table "), *table, STR(" dropped")), MESSAGE_WARNING);
    VALUE_SET(d, "ok", value_bool(true));
    respond_json(rq, 200, d);
    return STATUS_OK;
}

static enum status ask(struct request *rq, str table, struct err *err)
{
    struct arena *a = rq->arena;
    struct value d = value_dict(a);
    struct fetch_limits limits = {.max_rows = 1, .time_limit_ms = rq->site->config.settings.sql_time_limit_ms};
    struct rowset rows;
    str sql = ARENA_CAT(a, STR("select count(*) from "), query_quoted(a, table));
    enum status st = fetch_rows(rq, rq->conn, sql, NULL, 0, &limits, &rows, err);
    if (st != STATUS_OK && st != STATUS_TIMEOUT)
        return st;
    VALUE_SET(d, "ok", value_bool(true));
    VALUE_SET(d, "database", value_str(rq->db->name));
    VALUE_SET(d, "table", value_str(table));
    VALUE_SET(d, "row_count", st == STATUS_OK ? cell_value(rowset_cell(&rows, 0, 0)) : VALUE_NULL);
    VALUE_SET(d, "message", value_cstr("Pass \"confirm\": true to confirm"));
    respond_json(rq, 200, d);
    return STATUS_OK;
}

static enum status plan_drop(struct request *rq, struct err *err)
{
    const struct schema_table *t;
    struct value body = VALUE_UNDEF;
    enum status st = write_open_table(rq, &t, err);
    if (st == STATUS_OK)
        st = write_require(rq, ACTION_DROP_TABLE, rq->db->name, t->name, "Permission denied", err);
    if (st == STATUS_OK)
        st = write_require_mutable(rq, err);
    if (st != STATUS_OK)
        return st;
    if (write_json(rq->arena, rq->http->body, &body, NULL) != STATUS_OK || !value_truth(VALUE_GET(body, "confirm")))
        return ask(rq, t->name, err);
    str *table = ARENA_NEW(rq->arena, str);
    *table = t->name;
    return write_hand_over(rq, drop_apply, NULL, table, err);
}

enum status view_drop(struct request *rq, struct err *err)
{
    return write_end(rq, plan_drop(rq, err), err);
}
