/* SPDX-License-Identifier: Apache-2.0 */
/* insert — POST /DB/TABLE/-/insert and /-/upsert. Rows need not have the same keys: a column that a row does not name
 * keeps its default (insert) or its value (upsert). */
#include "site/write/insert.h"

#include <stdlib.h>

#include "site/render/page.h"
#include "site/tables.h"
#include "site/view/view.h"
#include "site/write/column_types.h"
#include "site/write/write.h"

/* ---- writer's thread ---- */

struct insert_run {
    struct request *rq;
    struct conn *c;
    const struct insert_plan *p;
    struct value last; /* row whose keys `sql` was made for */
    str sql, update_sql;
    int64_t *rowids; /* of the rows to give back */
    size_t rowid_count;
};

static struct db_value *row_values(struct arena *a, struct value row)
{
    struct db_value *values = ARENA_ARRAY(a, struct db_value, value_count(row) + 1);
    for (size_t i = 0; i < value_count(row); i++)
        values[i] = write_db_value(a, row.dict->entries[i].value);
    return values;
}

/* Values of the primary key, in its order. */
static struct db_value *key_values(struct arena *a, const struct insert_plan *p, struct value row)
{
    struct db_value *values = ARENA_ARRAY(a, struct db_value, p->table.pk_count + 1);
    for (size_t i = 0; i < p->table.pk_count; i++)
        values[i] = write_db_value(a, value_get(row, p->table.pks[i]));
    if (!p->table.pk_count)
        values[0] = write_db_value(a, VALUE_GET(row, "rowid"));
    return values;
}

static size_t key_count(const struct insert_plan *p)
{
    return p->table.pk_count ? p->table.pk_count : 1;
}

static str select_by_key(struct arena *a, const struct insert_plan *p, const char *what)
{
    str *wheres = ARENA_ARRAY(a, str, key_count(p));
    for (size_t i = 0; i < key_count(p); i++)
        wheres[i] = ARENA_CAT(a, p->table.pk_count ? query_quoted(a, p->table.pks[i]) : STR("rowid"), STR(" = ?"));
    return ARENA_CAT(a, STR("select "), str_of(what), STR(" from "), query_quoted(a, p->table.name), STR(" where "),
                     write_join(a, wheres, key_count(p), STR(" and ")));
}

static bool has_key(const struct insert_plan *p, struct value row)
{
    for (size_t i = 0; i < p->table.pk_count; i++)
        if (value_is_null(value_get(row, p->table.pks[i])))
            return false;
    return p->table.pk_count > 0;
}

/* Remembers the row to give back: the one just inserted, or the one that an ignored row met. */
static enum status remember(struct insert_run *r, struct value row, struct err *err)
{
    struct arena *a = r->rq->arena;
    if (!r->p->give_rows || !r->p->table.has_rowid)
        return STATUS_OK;
    if (conn_changes(r->c) > 0) {
        r->rowids[r->rowid_count++] = conn_last_rowid(r->c);
        return STATUS_OK;
    }
    if (!has_key(r->p, row))
        return STATUS_OK;
    struct value found = value_list(a);
    enum status st = write_fetch(a, r->c, select_by_key(a, r->p, "rowid as r"), key_values(a, r->p, row),
                                 key_count(r->p), 1, found, err);
    if (st == STATUS_OK && value_count(found))
        r->rowids[r->rowid_count++] = VALUE_GET(value_at(found, 0), "r").i;
    return st;
}

static enum status insert_row(struct insert_run *r, struct value row, struct err *err)
{
    struct arena *a = r->rq->arena;
    if (!value_same_keys(r->last, row)) {
        r->sql = insert_sql(a, r->p, row);
        r->update_sql = r->p->upsert ? insert_update_sql(a, r->p, row) : (str){0};
        r->last = row;
    }
    enum status st = write_run(r->c, r->sql, row_values(a, row), value_count(row), err);
    return st == STATUS_OK ? remember(r, row, err) : st;
}

static enum status upsert_row(struct insert_run *r, struct value row, struct err *err)
{
    struct arena *a = r->rq->arena;
    size_t n = 0;
    if (!value_same_keys(r->last, row)) {
        r->sql = insert_sql(a, r->p, row);
        r->update_sql = insert_update_sql(a, r->p, row);
        r->last = row;
    }
    struct db_value *values = ARENA_ARRAY(a, struct db_value, value_count(row) + key_count(r->p));
    for (size_t i = 0; i < value_count(row); i++)
        if (!insert_is_key(r->p, row.dict->entries[i].key))
            values[n++] = write_db_value(a, row.dict->entries[i].value);
    struct db_value *key = key_values(a, r->p, row);
    for (size_t i = 0; i < key_count(r->p); i++)
        values[n++] = key[i];
    enum status st = STATUS_OK;
    if (r->update_sql.n) {
        st = write_run(r->c, r->update_sql, values, n, err);
        if (st != STATUS_OK || conn_changes(r->c) > 0)
            return st;
    } else {
        struct value found = value_list(a);
        st = write_fetch(a, r->c, select_by_key(a, r->p, "1 as r"), key, key_count(r->p), 1, found, err);
        if (st != STATUS_OK || value_count(found))
            return st;
    }
    return write_run(r->c, r->sql, row_values(a, row), value_count(row), err);
}

static int by_number(const void *x, const void *y)
{
    const int64_t *a = x, *b = y;
    return *a < *b ? -1 : *a > *b;
}

static enum status give_by_rowid(struct insert_run *r, struct value list, struct err *err)
{
    struct arena *a = r->rq->arena;
    str sql = ARENA_CAT(a, STR("select * from "), query_quoted(a, r->p->table.name), STR(" where rowid = ?"));
    enum status st = STATUS_OK;
    if (r->rowid_count)
        qsort(r->rowids, r->rowid_count, sizeof *r->rowids, by_number);
    for (size_t i = 0; st == STATUS_OK && i < r->rowid_count; i++) {
        struct db_value id = {.kind = DB_INT, .i = r->rowids[i]};
        if (!i || r->rowids[i] != r->rowids[i - 1])
            st = write_fetch(a, r->c, sql, &id, 1, SIZE_MAX, list, err);
    }
    return st;
}

/* Rows found by the key that the client gave, each once, in the order of the request. */
static enum status give_by_key(struct insert_run *r, struct value list, struct err *err)
{
    struct arena *a = r->rq->arena;
    str sql = select_by_key(a, r->p, r->p->table.pk_count ? "*" : "rowid, *");
    struct value seen = value_dict(a);
    enum status st = STATUS_OK;
    for (size_t i = 0; st == STATUS_OK && i < value_count(r->p->rows); i++) {
        struct value row = value_at(r->p->rows, i), key = value_list(a);
        if (r->p->table.pk_count && !has_key(r->p, row))
            continue;
        for (size_t k = 0; k < r->p->table.pk_count; k++)
            value_push(key, value_get(row, r->p->table.pks[k]));
        if (!r->p->table.pk_count)
            value_push(key, VALUE_GET(row, "rowid"));
        str text = query_json(a, key);
        if (value_has(seen, text))
            continue;
        value_set(seen, text, VALUE_NULL);
        st = write_fetch(a, r->c, sql, key_values(a, r->p, row), key_count(r->p), SIZE_MAX, list, err);
    }
    return st;
}

static enum status insert_apply(struct request *rq, struct conn *c, void *plan, struct err *err)
{
    struct insert_plan *p = plan;
    struct insert_run r = {.rq = rq, .c = c, .p = p};
    struct arena *a = rq->arena;
    enum status st = STATUS_OK;
    if (p->alter)
        st = write_add_missing_columns(a, c, p->table.name, p->rows, err);
    if (p->give_rows)
        r.rowids = ARENA_ARRAY(a, int64_t, value_count(p->rows) + 1);
    for (size_t i = 0; st == STATUS_OK && i < value_count(p->rows); i++) {
        struct value row = value_at(p->rows, i);
        st = p->upsert ? upsert_row(&r, row, err) : insert_row(&r, row, err);
    }
    struct value d = value_dict(a), list = value_list(a);
    VALUE_SET(d, "ok", value_bool(true));
    if (st == STATUS_OK && p->give_rows) {
        st = p->upsert || !p->table.has_rowid ? give_by_key(&r, list, err) : give_by_rowid(&r, list, err);
        VALUE_SET(d, "rows", list);
    }
    if (st == STATUS_OK)
        respond_json(rq, p->upsert ? 200 : 201, d);
    return st;
}

/* ---- worker ---- */

static enum status check_permissions(struct request *rq, const struct insert_plan *p, struct err *err)
{
    str db = rq->db->name, table = p->table.name;
    enum status st = STATUS_OK;
    if (p->replace)
        st = write_require(rq, ACTION_UPDATE_ROW, db, table, "Permission denied: need update-row to use \"replace\"",
                           err);
    if (st == STATUS_OK && p->alter)
        st = write_require(rq, ACTION_ALTER_TABLE, db, table, "Permission denied for alter-table", err);
    return st;
}

static enum status may_insert(struct request *rq, str table, bool upsert, struct err *err)
{
    str db = rq->db->name;
    const char *message = upsert ? "Permission denied: need both insert-row and update-row" : "Permission denied";
    enum status st = write_require(rq, ACTION_INSERT_ROW, db, table, message, err);
    if (st == STATUS_OK && upsert)
        st = write_require(rq, ACTION_UPDATE_ROW, db, table, message, err);
    return st == STATUS_OK ? write_require_mutable(rq, err) : st;
}

static struct insert_table facts(struct arena *a, const struct schema_table *t)
{
    struct insert_table f = {.name = t->name, .pks = t->pks, .pk_count = t->pk_count};
    f.column_count = table_columns(a, t, &f.columns);
    f.has_rowid = t->has_rowid;
    return f;
}

static enum status plan_insert(struct request *rq, bool upsert, struct err *err)
{
    const struct schema_table *t;
    struct value body, errors = VALUE_UNDEF;
    struct insert_plan *p = ARENA_NEW(rq->arena, struct insert_plan);
    enum status st = write_open_table(rq, &t, err);
    if (st == STATUS_OK)
        st = may_insert(rq, t->name, upsert, err);
    if (st == STATUS_OK)
        st = write_body_object(rq, &body, err);
    if (st != STATUS_OK)
        return st;
    struct insert_table table = facts(rq->arena, t);
    st = insert_plan_read(rq->arena, body, &table, upsert, rq->site->config.settings.max_insert_rows, p, &errors, err);
    if (st != STATUS_OK && value_count(errors))
        return write_errors(rq, errors, err);
    if (st == STATUS_OK)
        st = column_types_check(rq, t->name, p->rows, err);
    if (st == STATUS_OK)
        st = check_permissions(rq, p, err);
    return st == STATUS_OK ? write_hand_over(rq, insert_apply, NULL, p, err) : st;
}

enum status view_insert(struct request *rq, struct err *err)
{
    return write_end(rq, plan_insert(rq, false, err), err);
}

enum status view_upsert(struct request *rq, struct err *err)
{
    return write_end(rq, plan_insert(rq, true, err), err);
}
