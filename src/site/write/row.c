/* SPDX-License-Identifier: Apache-2.0 */
/* row — POST /DB/TABLE/PKS/-/update and /-/delete: one row, found by the key in the address. */
#include "codec/url.h"
#include "db/history.h"
#include "site/labels.h"
#include "site/links.h"
#include "site/render/messages.h"
#include "site/tables.h"
#include "site/view/view.h"
#include "site/write/column_types.h"
#include "site/write/write.h"

struct row_plan {
    str table, db;
    str where; /* "id" = ? and ... */
    struct db_value *key;
    size_t key_count;
    str select;          /* "select * from ..." without where */
    struct value update; /* DICT; delete: UNDEFINED */
    const str *pks;      /* {"rowid"} for rowid tables */
    str label_column;    /* empty = none */
    struct value keys;   /* LIST of texts, as in the address */
    bool alter, give_row, tell, to_table;
};

static const str rowid_pk[] = {{"rowid", 5}};

#define LABEL_CHARS 80 /* of a row's label in a message */

/* ---- which row ---- */

static enum status read_key(struct request *rq, const struct schema_table *t, struct row_plan *p, struct err *err)
{
    struct arena *a = rq->arena;
    str rest = rq->params[2], part;
    size_t n = 1, wanted = t->pk_count ? t->pk_count : 1;
    for (size_t i = 0; i < rest.n; i++)
        n += rest.p[i] == ',';
    if (n != wanted)
        return err_set(err, STATUS_INVALID, "URL row identifier does not match the primary key for this table");
    p->pks = t->pk_count ? t->pks : rowid_pk;
    p->key = ARENA_ARRAY(a, struct db_value, n);
    p->key_count = n;
    p->keys = value_list(a);
    str *wheres = ARENA_ARRAY(a, str, n);
    for (size_t i = 0; i < n; i++) {
        str_cut(rest, ',', &part, &rest);
        str text = tilde_decode(a, part);
        p->key[i] = (struct db_value){.kind = DB_TEXT, .s = text};
        value_push(p->keys, value_str(text));
        wheres[i] = ARENA_CAT(a, t->pk_count ? query_quoted(a, t->pks[i]) : STR("rowid"), STR(" = ?"));
    }
    p->where = write_join(a, wheres, n, STR(" and "));
    p->table = t->name;
    p->db = rq->db->name;
    p->select = ARENA_CAT(a, t->pk_count ? STR("select * from ") : STR("select rowid, * from "),
                          query_quoted(a, t->name), STR(" where "));
    p->label_column = label_column(rq, rq->schema, t->name);
    return STATUS_OK;
}

static enum status not_found(struct request *rq, const struct row_plan *p, struct err *err)
{
    return err_set(err, STATUS_NOT_FOUND, "Record not found: %.*s", STR_ARG(value_to_str(rq->arena, p->keys)));
}

/* The row as a visitor reads it now; a view has no rows that can be named. */
static enum status find_row(struct request *rq, const struct schema_table *t, struct row_plan *p, struct err *err)
{
    struct value list = value_list(rq->arena);
    if (t->kind == SCHEMA_VIEW)
        return not_found(rq, p, err);
    enum status st =
        write_fetch(rq->arena, rq->conn, ARENA_CAT(rq->arena, p->select, p->where), p->key, p->key_count, 1, list, err);
    if (st == STATUS_OK && !value_count(list))
        return not_found(rq, p, err);
    return st;
}

static enum status open_row(struct request *rq, enum action a, const struct schema_table **ret_table,
                            struct row_plan *p, struct err *err)
{
    enum status st = request_open_database(rq, err);
    if (st == STATUS_OK)
        st = write_require_any(rq, a, err);
    if (st == STATUS_OK)
        st = tables_find(rq, rq->params[1], ret_table, err);
    if (st == STATUS_NOT_FOUND && rq->db)
        st = err_set(err, STATUS_NOT_FOUND, "Table not found: %.*s", STR_ARG(rq->params[1]));
    if (st == STATUS_OK && history_is_own_table((*ret_table)->name))
        st = err_set(err, STATUS_FORBIDDEN, "%.*s is part of a history, which nobody changes",
                     STR_ARG((*ret_table)->name));
    if (st == STATUS_OK)
        st = read_key(rq, *ret_table, p, err);
    if (st == STATUS_OK)
        st = find_row(rq, *ret_table, p, err);
    if (st == STATUS_OK)
        st = write_require(rq, a, rq->db->name, (*ret_table)->name, "Permission denied", err);
    return st == STATUS_OK ? write_require_mutable(rq, err) : st;
}

/* ---- messages ---- */

static str one_line(struct arena *a, str s)
{
    struct buf b;
    buf_init(&b, s.n + 8);
    size_t chars = 0;
    bool cut = false;
    for (size_t i = 0; i < s.n && !cut; i++) {
        bool space = s.p[i] == ' ' || (s.p[i] >= '\t' && s.p[i] <= '\r');
        bool first = ((unsigned char)s.p[i] & 0xc0) != 0x80;
        if (space && (!b.n || b.p[b.n - 1] == ' '))
            continue;
        if (first && ++chars > LABEL_CHARS)
            cut = true;
        else
            buf_putc(&b, space ? ' ' : s.p[i]);
    }
    if (cut)
        buf_puts(&b, STR("\xe2\x80\xa6"));
    str text = arena_str(a, buf_str(&b));
    buf_release(&b);
    return str_trim(text);
}

/* "Updated row 1 (Rex)" */
static void tell(struct request *rq, const struct row_plan *p, const char *what, struct value row)
{
    struct arena *a = rq->arena;
    str *keys = ARENA_ARRAY(a, str, p->key_count), key, label = {0};
    for (size_t i = 0; i < p->key_count; i++)
        keys[i] = p->key[i].s;
    key = write_join(a, keys, p->key_count, STR(", "));
    struct value v = p->label_column.n ? value_get(row, p->label_column) : VALUE_NULL;
    if (!value_is_null(v) && v.kind != VALUE_BYTES)
        label = one_line(a, value_to_str(a, v));
    str text = ARENA_CAT(a, str_of(what), STR(" row "), key);
    if (label.n && !str_eq(label, key))
        text = ARENA_CAT(a, text, STR(" ("), label, STR(")"));
    messages_add(rq, text, MESSAGE_INFO);
}

/* ---- update ---- */

static enum status run_update(struct request *rq, struct conn *c, const struct row_plan *p, struct err *err)
{
    struct arena *a = rq->arena;
    size_t n = value_count(p->update);
    str *sets = ARENA_ARRAY(a, str, n + 1);
    struct db_value *values = ARENA_ARRAY(a, struct db_value, n + p->key_count);
    if (!n)
        return STATUS_OK;
    for (size_t i = 0; i < n; i++) {
        sets[i] = ARENA_CAT(a, query_quoted(a, p->update.dict->entries[i].key), STR(" = ?"));
        values[i] = write_db_value(a, p->update.dict->entries[i].value);
    }
    for (size_t i = 0; i < p->key_count; i++)
        values[n + i] = p->key[i];
    str sql = ARENA_CAT(a, STR("update "), query_quoted(a, p->table), STR(" set "), write_join(a, sets, n, STR(", ")),
                        STR(" where "), p->where);
    enum status st = write_run(c, sql, values, n + p->key_count, err);
    return st == STATUS_OK && !conn_changes(c) ? not_found(rq, p, err) : st;
}

/* The row as it is now: its key may be among what was updated. */
static enum status fetch_now(struct request *rq, struct conn *c, const struct row_plan *p, struct value *ret,
                             struct err *err)
{
    struct arena *a = rq->arena;
    struct value list = value_list(a);
    struct db_value *key = ARENA_ARRAY(a, struct db_value, p->key_count);
    for (size_t i = 0; i < p->key_count; i++) {
        struct value now = value_get(p->update, p->pks[i]);
        key[i] = now.kind == VALUE_UNDEFINED ? p->key[i] : write_db_value(a, now);
    }
    enum status st = write_fetch(a, c, ARENA_CAT(a, p->select, p->where), key, p->key_count, 1, list, err);
    *ret = value_count(list) ? value_at(list, 0) : VALUE_NULL;
    return st;
}

static enum status update_apply(struct request *rq, struct conn *c, void *plan, struct err *err)
{
    struct row_plan *p = plan;
    struct arena *a = rq->arena;
    struct value rows = value_list(a), row = VALUE_NULL, d = value_dict(a);
    enum status st = STATUS_OK;
    if (p->alter) {
        struct value list = value_list(a);
        value_push(list, p->update);
        st = write_add_missing_columns(a, c, p->table, list, err);
    }
    if (st == STATUS_OK)
        st = run_update(rq, c, p, err);
    if (st == STATUS_OK && (p->give_row || p->tell))
        st = fetch_now(rq, c, p, &row, err);
    if (st != STATUS_OK)
        return st;
    VALUE_SET(d, "ok", value_bool(true));
    if (p->give_row) {
        value_push(rows, row);
        VALUE_SET(d, "rows", rows);
    }
    if (p->tell)
        tell(rq, p, "Updated", row);
    respond_json(rq, 200, d);
    return STATUS_OK;
}

static enum status read_update(struct request *rq, struct row_plan *p, struct err *err)
{
    static const char *const known[] = {"update", "return", "alter"};
    struct value body, list = value_list(rq->arena);
    enum status st = write_body_object(rq, &body, err);
    if (st != STATUS_OK)
        return st;
    struct value update = VALUE_GET(body, "update");
    if (update.kind != VALUE_DICT)
        return err_set(err, STATUS_INVALID, "JSON must contain an update dictionary");
    str unknown = write_unknown_keys(rq->arena, body, known, ARRAY_LEN(known), STR(", "));
    if (unknown.n)
        return err_set(err, STATUS_INVALID, "Invalid keys: %.*s", STR_ARG(unknown));
    st = write_decode_row(rq->arena, update, &p->update, err);
    value_push(list, p->update);
    p->alter = value_truth(VALUE_GET(body, "alter"));
    p->give_row = value_truth(VALUE_GET(body, "return"));
    p->tell = request_arg(rq, "_message").n > 0;
    if (st == STATUS_OK)
        st = column_types_check(rq, p->table, list, err);
    if (st == STATUS_OK && p->alter)
        st = write_require(rq, ACTION_ALTER_TABLE, p->db, p->table, "Permission denied for alter-table", err);
    return st;
}

static enum status plan_update(struct request *rq, struct err *err)
{
    const struct schema_table *t;
    struct row_plan *p = ARENA_NEW(rq->arena, struct row_plan);
    enum status st = open_row(rq, ACTION_UPDATE_ROW, &t, p, err);
    if (st == STATUS_OK)
        st = read_update(rq, p, err);
    return st == STATUS_OK ? write_hand_over(rq, update_apply, NULL, p, err) : st;
}

enum status view_row_update(struct request *rq, struct err *err)
{
    return write_end(rq, plan_update(rq, err), err);
}

/* ---- delete ---- */

static enum status delete_apply(struct request *rq, struct conn *c, void *plan, struct err *err)
{
    struct row_plan *p = plan;
    struct arena *a = rq->arena;
    struct value row = VALUE_NULL, d = value_dict(a);
    enum status st = p->to_table ? fetch_now(rq, c, p, &row, err) : STATUS_OK;
    str sql = ARENA_CAT(a, STR("delete from "), query_quoted(a, p->table), STR(" where "), p->where);
    if (st == STATUS_OK)
        st = write_run(c, sql, p->key, p->key_count, err);
    if (st == STATUS_OK && !conn_changes(c))
        st = not_found(rq, p, err);
    if (st != STATUS_OK)
        return st;
    VALUE_SET(d, "ok", value_bool(true));
    if (p->to_table) {
        tell(rq, p, "Deleted", row);
        VALUE_SET(d, "redirect", value_str(link_table(rq, p->db, p->table)));
    }
    respond_json(rq, 200, d);
    return STATUS_OK;
}

static enum status plan_delete(struct request *rq, struct err *err)
{
    const struct schema_table *t;
    struct row_plan *p = ARENA_NEW(rq->arena, struct row_plan);
    enum status st = open_row(rq, ACTION_DELETE_ROW, &t, p, err);
    p->to_table = request_arg(rq, "_redirect_to_table").n > 0;
    return st == STATUS_OK ? write_hand_over(rq, delete_apply, NULL, p, err) : st;
}

enum status view_row_delete(struct request *rq, struct err *err)
{
    return write_end(rq, plan_delete(rq, err), err);
}
