/* SPDX-License-Identifier: Apache-2.0 */
/* write/history — POST /DB/TABLE/-/history begins or ends to keep the changes of a table, POST /DB/TABLE/PKS/-/revert
 * brings a row back. Both take JSON or a form. */
#include "site/history.h"

#include "site/actor.h"
#include "site/links.h"
#include "site/render/messages.h"
#include "site/tables.h"
#include "site/view/view.h"
#include "site/write/history.h"
#include "site/write/write.h"

struct history_plan {
    str table;
    bool enable, forget, is_json;
    const str *keys;
    int64_t version;
    enum history_undo undo;
    str to; /* where a form goes on */
};

static void tell(struct request *rq, const struct history_plan *p, const char *text)
{
    messages_add(rq, str_of(text), MESSAGE_INFO);
    respond_redirect(rq, 303, p->to);
}

static enum status finish(struct request *rq, void *plan, enum status st, struct err *err)
{
    const struct history_plan *p = plan;
    if (st == STATUS_OK)
        return STATUS_OK;
    if (p->is_json)
        return write_answer_failure(rq, err);
    messages_add(rq, arena_str(rq->arena, str_of(err->text)), MESSAGE_ERROR);
    respond_redirect(rq, 303, p->to);
    err_clear(err);
    return STATUS_OK;
}

/* ---- keeping ---- */

static enum status keep_apply(struct request *rq, struct conn *c, void *plan, struct err *err)
{
    const struct history_plan *p = plan;
    struct value d = value_dict(rq->arena);
    enum status st = p->enable ? history_enable(c, rq->arena, p->table, actor_name(rq), STR(HISTORY_WEB), NULL, err)
                               : history_disable(c, rq->arena, p->table, p->forget, err);
    if (st != STATUS_OK)
        return st;
    VALUE_SET(d, "ok", value_bool(true));
    VALUE_SET(d, "enabled", value_bool(p->enable));
    if (p->is_json)
        respond_json(rq, 200, d);
    else
        tell(rq, p,
             p->enable ? "Changes of this table are recorded" : "Changes of this table are not recorded any more");
    return STATUS_OK;
}

static enum status plan_keep(struct request *rq, struct history_plan *p, struct err *err)
{
    static const char *const known[] = {"enabled", "forget"};
    const struct schema_table *t;
    struct value body;
    enum status st = write_open_table(rq, &t, err);
    if (st == STATUS_OK)
        st = write_require(rq, ACTION_ALTER_TABLE, rq->db->name, t->name, "Permission denied: need alter-table", err);
    if (st == STATUS_OK)
        st = write_require_mutable(rq, err);
    if (st == STATUS_OK)
        st = write_body_any(rq, &body, &p->is_json, err);
    if (st != STATUS_OK)
        return st;
    str unknown = write_unknown_keys(rq->arena, body, known, ARRAY_LEN(known), STR(", "));
    struct value enabled = VALUE_GET(body, "enabled"), forget = VALUE_GET(body, "forget");
    if (unknown.n)
        return err_set(err, STATUS_INVALID, "Invalid keys: %.*s", STR_ARG(unknown));
    if (p->is_json ? enabled.kind != VALUE_BOOL : !value_is_text(enabled))
        return err_set(err, STATUS_INVALID, "\"enabled\" must be true or false");
    p->enable = p->is_json ? enabled.b : str_is(enabled.s, "1");
    p->forget = p->is_json ? value_truth(forget) : value_is_text(forget) && str_is(forget.s, "1");
    p->table = t->name;
    p->to = ARENA_CAT(rq->arena, link_table(rq, rq->db->name, t->name), STR("/-/history"));
    return write_hand_over(rq, keep_apply, finish, p, err);
}

enum status history_keep(struct request *rq, struct err *err)
{
    struct history_plan *p = ARENA_NEW(rq->arena, struct history_plan);
    return write_end(rq, plan_keep(rq, p, err), err);
}

/* ---- bringing back ---- */

static enum status undo_apply(struct request *rq, struct conn *c, void *plan, struct err *err)
{
    static const struct {
        const char *action, *text;
    } done[] = {
        [HISTORY_UNDO_UPDATE] = {"updated", "Reverted the row"},
        [HISTORY_UNDO_INSERT] = {"inserted", "Restored the row"},
        [HISTORY_UNDO_DELETE] = {"deleted", "Deleted the row"},
    };
    const struct history_plan *p = plan;
    struct value d = value_dict(rq->arena);
    enum status st = history_undo_run(c, rq->arena, p->table, p->keys, p->version, p->undo, err);
    if (st != STATUS_OK)
        return st;
    VALUE_SET(d, "ok", value_bool(true));
    VALUE_SET(d, "action", value_cstr(done[p->undo].action));
    if (p->is_json)
        respond_json(rq, 200, d);
    else
        tell(rq, p, done[p->undo].text);
    return STATUS_OK;
}

static enum status read_version(struct request *rq, struct history_plan *p, struct err *err)
{
    static const char *const known[] = {"version"};
    struct value body;
    enum status st = write_body_any(rq, &body, &p->is_json, err);
    if (st != STATUS_OK)
        return st;
    str unknown = write_unknown_keys(rq->arena, body, known, ARRAY_LEN(known), STR(", "));
    struct value v = VALUE_GET(body, "version");
    p->version = v.kind == VALUE_INT ? v.i : 0;
    if (unknown.n)
        return err_set(err, STATUS_INVALID, "Invalid keys: %.*s", STR_ARG(unknown));
    if (v.kind != VALUE_INT && !(value_is_text(v) && str_to_i64(v.s, &p->version)))
        return err_set(err, STATUS_INVALID, "\"version\" must be the number of a change of this row");
    return STATUS_OK;
}

static enum status plan_undo(struct request *rq, struct history_plan *p, struct err *err)
{
    static const enum action needed[] = {[HISTORY_UNDO_UPDATE] = ACTION_UPDATE_ROW,
                                         [HISTORY_UNDO_INSERT] = ACTION_INSERT_ROW,
                                         [HISTORY_UNDO_DELETE] = ACTION_DELETE_ROW};
    const struct schema_table *t;
    struct history_info info;
    enum status st = write_open_table(rq, &t, err);
    if (st == STATUS_OK)
        st = tables_open(rq, t->name, &t, err);
    if (st == STATUS_OK)
        st = write_require_mutable(rq, err);
    if (st == STATUS_OK)
        st = read_version(rq, p, err);
    if (st == STATUS_OK)
        st = history_look(rq->conn, rq->arena, t->name, &info, err);
    if (st == STATUS_OK)
        st = history_key(rq, &info, rq->params[2], &p->keys, err);
    if (st == STATUS_OK)
        st = history_undo_plan(rq->conn, rq->arena, &info, p->keys, p->version, &p->undo, err);
    if (st != STATUS_OK)
        return st;
    if (!request_allowed(rq, needed[p->undo], rq->db->name, t->name))
        return err_set(err, STATUS_FORBIDDEN, "Permission denied: need %s", action_rows[needed[p->undo]].name);
    p->table = t->name;
    p->to = link_row(rq, rq->db->name, t->name, rq->params[2]);
    if (p->undo == HISTORY_UNDO_DELETE)
        p->to = ARENA_CAT(rq->arena, p->to, STR("/-/history"));
    return write_hand_over(rq, undo_apply, finish, p, err);
}

enum status view_row_revert(struct request *rq, struct err *err)
{
    struct history_plan *p = ARENA_NEW(rq->arena, struct history_plan);
    return write_end(rq, plan_undo(rq, p, err), err);
}
