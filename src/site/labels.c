/* SPDX-License-Identifier: Apache-2.0 */
#include "site/labels.h"

#include "base/limits.h"
#include "site/tables.h"

str label_column(const struct request *rq, const struct schema *schema, str table)
{
    struct value configured = VALUE_GET(config_table(&rq->site->config, rq->db->name, table), "label_column");
    if (value_is_text(configured))
        return configured.s;
    const struct schema_table *t = schema_table(schema, table);
    return t ? t->label_column : (str){0};
}

bool labels_is_expanded(const struct schema_table *table, str column, const str *only, size_t only_count)
{
    return schema_fk_on(table, column) && (!only || str_in(column, only, only_count));
}

bool labels_are_allowed(const struct request *rq, const struct schema_fk *fk)
{
    const struct schema_table *other = schema_table(rq->schema, fk->other_table);
    return other ? table_allowed(rq, other) : request_allowed(rq, ACTION_VIEW_TABLE, rq->db->name, fk->other_table);
}

/* "select other_column, label from other where other_column in (:v0, :v1, ...)" */
static enum status look_up(struct request *rq, const struct schema_fk *fk, str label, const struct cell *distinct,
                           size_t count, struct rowset *ret, struct err *err)
{
    struct arena *a = rq->arena;
    struct buf sql;
    struct query_param *params = ARENA_ARRAY(a, struct query_param, count + 1);
    buf_init(&sql, LIMIT_DB_SQL_BYTES);
    str key = query_identifier(a, fk->other_columns[0]);
    buf_puts(&sql,
             ARENA_CAT(a, STR("select "), key, STR(", "), query_identifier(a, label.n ? label : fk->other_columns[0]),
                       STR(" from "), query_identifier(a, fk->other_table), STR(" where "), key, STR(" in (")));
    for (size_t i = 0; i < count; i++) {
        params[i] = (struct query_param){arena_printf(a, "v%zu", i), cell_value(&distinct[i])};
        buf_printf(&sql, "%s:v%zu", i ? ", " : "", i);
    }
    buf_putc(&sql, ')');
    struct fetch_limits limits = {.max_rows = count, .time_limit_ms = rq->site->config.settings.sql_time_limit_ms};
    enum status st = fetch_rows(rq, rq->conn, arena_str(a, buf_str(&sql)), params, count, &limits, ret, err);
    buf_release(&sql);
    return st;
}

#define LABEL_BATCH 900 /* values a look-up; below every build's limit of bound variables */

enum status labels_of_values(struct request *rq, const struct schema *schema, const struct schema_table *table,
                             str column, const struct cell *values, size_t count, str *ret_labels, struct err *err)
{
    struct arena *a = rq->arena;
    const struct schema_fk *fk = schema_fk_on(table, column);
    for (size_t i = 0; i < count; i++)
        ret_labels[i] = (str){0};
    if (!fk || !schema_table(schema, fk->other_table) || !labels_are_allowed(rq, fk))
        return STATUS_OK;
    str label = label_column(rq, schema, fk->other_table);
    struct cell *distinct = ARENA_ARRAY(a, struct cell, count + 1);
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        bool known = values[i].kind == CELL_NULL || values[i].kind == CELL_BLOB;
        for (size_t k = 0; k < n && !known; k++)
            known = cell_equal(&distinct[k], &values[i]);
        if (!known)
            distinct[n++] = values[i];
    }
    for (size_t from = 0; from < n; from += LABEL_BATCH) {
        struct rowset found;
        struct err ignored = ERR_INIT;
        enum status st = look_up(rq, fk, label, distinct + from, MIN(n - from, (size_t)LABEL_BATCH), &found, &ignored);
        if (st == STATUS_CANCELLED)
            return err_set(err, st, "%s", ignored.text);
        if (st != STATUS_OK)
            return STATUS_OK; /* raw values are a fine answer */
        for (size_t i = 0; i < count; i++) {
            for (size_t r = 0; r < found.row_count && !ret_labels[i].p; r++) {
                const struct cell *text = rowset_cell(&found, r, 1);
                if (!cell_equal(rowset_cell(&found, r, 0), &values[i]))
                    continue;
                if (text->kind != CELL_NULL)
                    ret_labels[i] = text->kind == CELL_TEXT && !text->s.n ? STR("") : cell_text(a, text);
            }
        }
    }
    return STATUS_OK;
}

static enum status expand_column(struct request *rq, const struct schema *schema, const struct schema_table *table,
                                 struct rowset *rows, size_t row_count, size_t column, struct err *err)
{
    struct arena *a = rq->arena;
    struct cell *values = ARENA_ARRAY(a, struct cell, row_count + 1);
    str *labels = ARENA_ARRAY(a, str, row_count + 1);
    for (size_t r = 0; r < row_count; r++)
        values[r] = *rowset_cell(rows, r, column);
    enum status st = labels_of_values(rq, schema, table, rows->columns[column], values, row_count, labels, err);
    for (size_t r = 0; st == STATUS_OK && r < row_count; r++)
        rows->cells[r * rows->column_count + column].label = labels[r];
    return st;
}

enum status labels_expand(struct request *rq, const struct schema *schema, const struct schema_table *table,
                          const str *only, size_t only_count, struct rowset *rows, size_t row_count, struct err *err)
{
    for (size_t i = 0; i < rows->column_count; i++) {
        if (!labels_is_expanded(table, rows->columns[i], only, only_count))
            continue;
        enum status st = expand_column(rq, schema, table, rows, row_count, i, err);
        if (st != STATUS_OK)
            return st;
    }
    return STATUS_OK;
}
