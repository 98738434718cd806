/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"
#include "site/write/execute.h"
#include "site/write/write.h"

static enum status bind_named(struct request *rq, struct stmt *s, const struct execute_plan *p, struct err *err)
{
    int n = stmt_parameter_count(s);
    for (int i = 1; i <= n; i++) {
        str name = stmt_parameter_name(s, i);
        struct value v = value_get(p->params, name);
        if (v.kind == VALUE_UNDEFINED && name.n)
            return err_set(err, STATUS_SQL, "You did not supply a value for binding parameter :%.*s.", STR_ARG(name));
        if (v.kind == VALUE_UNDEFINED)
            return err_set(err, STATUS_SQL, "Use named parameters such as :name, not ?");
        enum status st = stmt_bind(s, i, write_db_value(rq->arena, v), err);
        if (st != STATUS_OK)
            return st;
    }
    return STATUS_OK;
}

/* Does the statement itself insert, change or delete rows, and nothing of the schema? */
static bool counts_rows(const struct sql_analysis *an)
{
    bool rows = false;
    for (size_t i = 0; i < an->count; i++) {
        const struct sql_operation *o = &an->items[i];
        if (o->verb == SQL_CREATE || o->verb == SQL_DROP || o->verb == SQL_ALTER)
            return false;
        if ((o->verb == SQL_INSERT || o->verb == SQL_UPDATE || o->verb == SQL_DELETE) && !o->source.p)
            rows = true;
    }
    return rows;
}

static struct cell cell_of(struct arena *a, struct value v)
{
    switch (v.kind) {
    case VALUE_INT:
        return (struct cell){.kind = CELL_INT, .i = v.i};
    case VALUE_FLOAT:
        return (struct cell){.kind = CELL_FLOAT, .f = v.f};
    case VALUE_STR:
        return (struct cell){.kind = CELL_TEXT, .s = utf8_repair(a, v.s)};
    case VALUE_BYTES:
        return (struct cell){.kind = CELL_BLOB, .s = v.s};
    default:
        return (struct cell){.kind = CELL_NULL};
    }
}

static void take_row(struct arena *a, struct stmt *s, struct execute_plan *p)
{
    struct value row = write_row(a, s);
    for (size_t i = 0; i < p->column_count; i++)
        p->rowset.cells[p->rowset.row_count * p->column_count + i] = cell_of(a, value_get(row, p->columns[i]));
    p->rowset.row_count++;
    value_push(p->rows, row);
}

/* All rows of RETURNING are stepped over: the statement is not finished before. */
static enum status step_all(struct arena *a, struct stmt *s, struct execute_plan *p, struct err *err)
{
    enum status st;
    p->rows = value_list(a);
    p->truncated = false;
    p->column_count = (size_t)stmt_column_count(s);
    p->gives_rows = p->column_count > 0;
    p->columns = ARENA_ARRAY(a, str, p->column_count + 1);
    for (size_t i = 0; i < p->column_count; i++)
        p->columns[i] = arena_str(a, stmt_column_name(s, (int)i));
    p->rowset = (struct rowset){.columns = p->columns, .column_count = p->column_count};
    p->rowset.cells = ARENA_ARRAY(a, struct cell, p->column_count * EXECUTE_ROWS_MAX + 1);
    while ((st = stmt_step(s, err)) == STATUS_AGAIN) {
        if (value_count(p->rows) < EXECUTE_ROWS_MAX)
            take_row(a, s, p);
        else
            p->truncated = true;
    }
    return st;
}

enum status execute_run(struct request *rq, struct conn *c, struct execute_plan *p, struct err *err)
{
    struct stmt *s = NULL;
    enum status st = sql_analyze(c, rq->arena, p->sql, &p->analysis, err);
    if (st == STATUS_OK && p->check) /* tables and triggers may have changed since the first look */
        st = decide_check(rq, &p->analysis, NULL, err);
    if (st == STATUS_OK)
        st = conn_prepare(c, p->sql, &s, err);
    if (st == STATUS_OK)
        st = bind_named(rq, s, p, err);
    if (st == STATUS_OK)
        st = step_all(rq->arena, s, p, err);
    p->rowcount = counts_rows(&p->analysis) ? conn_changes(c) : -1;
    p->last_rowid = conn_last_rowid(c);
    stmt_done(s);
    return st;
}

str execute_message(struct arena *a, const struct execute_plan *p)
{
    if (p->rowcount < 0)
        return STR("Query executed");
    return arena_printf(a, "Query executed, %lld row%s affected", (long long)p->rowcount, p->rowcount == 1 ? "" : "s");
}
