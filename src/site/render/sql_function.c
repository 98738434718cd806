/* SPDX-License-Identifier: Apache-2.0 */
#include "site/render/sql_function.h"

#include "base/clock.h"
#include "base/limits.h"
#include "site/fetch.h"
#include "site/render/row_value.h"
#include "template/eval.h"

struct call {
    struct request *rq;
    str sql;
    struct published *db;
    const struct query_param *params;
    size_t param_count;
};

static bool first_of(const struct value_args *args, size_t i, const char *name, const char *other, struct value *ret)
{
    *ret = eval_arg(args, i, name);
    if (ret->kind == VALUE_UNDEFINED && other)
        *ret = eval_arg(args, args->count, other); /* past the positional ones: by keyword only */
    return !value_is_null(*ret);
}

static enum status read_database(struct call *c, struct value name, struct err *err)
{
    const struct site *s = c->rq->site;
    if (value_is_null(name)) {
        c->db = s->published_count ? s->published[0] : NULL;
        return c->db ? STATUS_OK : err_set(err, STATUS_INVALID, "there is no database");
    }
    str text = value_to_str(c->rq->arena, name);
    c->db = site_find(s, text);
    return c->db ? STATUS_OK : err_set(err, STATUS_INVALID, "there is no database %.*s", STR_ARG(text));
}

/* Texts that other texts were joined to may be marked as HTML; for SQLite they are texts. */
static enum status read_params(struct call *c, struct eval *ev, struct value params)
{
    size_t n = value_count(params);
    if (value_is_null(params))
        return STATUS_OK;
    if (params.kind != VALUE_DICT && params.kind != VALUE_LIST)
        return eval_fail(ev, STATUS_INVALID, "sql(): the parameters must be a dict or a list");
    struct query_param *list = ARENA_ARRAY(eval_arena(ev), struct query_param, n + 1);
    c->params = list;
    for (size_t i = 0; i < n; i++) {
        struct query_param *p = &list[c->param_count++];
        *p = params.kind == VALUE_DICT
                 ? (struct query_param){params.dict->entries[i].key, params.dict->entries[i].value}
                 : (struct query_param){STR(""), value_at(params, i)};
        if (p->value.kind == VALUE_LIST || p->value.kind == VALUE_DICT || p->value.kind == VALUE_OBJECT)
            return eval_fail(ev, STATUS_INVALID, "sql(): parameter %.*s is no text, number or none",
                             p->name.n ? (int)p->name.n : 8, p->name.n ? p->name.p : "of list");
    }
    return STATUS_OK;
}

static enum status run(struct call *c, struct rowset *rows, struct err *err)
{
    struct request *rq = c->rq;
    struct conn *conn;
    int64_t limit_ms = rq->site->config.settings.sql_time_limit_ms,
            left_ms = LIMIT_PAGE_SQL_MS - rq->page_sql_us / 1000;
    rq->response_varies = true; /* of more than the one database that kept answers are checked against */
    if (left_ms <= 0)
        return err_set(err, STATUS_TIMEOUT, "the queries of this page took more than %d ms together",
                       LIMIT_PAGE_SQL_MS);
    struct fetch_limits limits = {
        .max_rows = LIMIT_PAGE_SQL_ROWS, .time_limit_ms = limit_ms ? MIN(limit_ms, left_ms) : left_ms, .trusted = true};
    enum status st = conn_acquire(c->db->database, &conn, err);
    if (st != STATUS_OK)
        return st;
    int64_t begin = clock_mono_us();
    st = fetch_rows(rq, conn, c->sql, c->params, c->param_count, &limits, rows, err);
    rq->page_sql_us += clock_mono_us() - begin;
    conn_release(conn);
    if (st == STATUS_OK && rows->truncated)
        return err_set(err, STATUS_TOO_LARGE, "more than %d rows", LIMIT_PAGE_SQL_ROWS);
    return st;
}

enum status sql_function(void *self, struct eval *ev, const struct value_args *args, struct value *ret)
{
    struct call c = {.rq = self};
    struct value sql, params, database;
    struct err err = ERR_INIT;
    if (!first_of(args, 0, "sql", "query", &sql) || !value_is_text(sql))
        return eval_fail(ev, STATUS_INVALID, "sql() takes the text of a query");
    c.sql = sql.s;
    first_of(args, 1, "args", "params", &params);
    first_of(args, 2, "database", NULL, &database);
    enum status st = read_database(&c, database, &err);
    if (st != STATUS_OK)
        return eval_fail(ev, st, "sql(): %s", err.text);
    st = read_params(&c, ev, params);
    if (st != STATUS_OK)
        return st;
    struct rowset *rows = ARENA_NEW(eval_arena(ev), struct rowset);
    st = run(&c, rows, &err);
    if (st != STATUS_OK)
        return eval_fail(ev, st, "sql(): %s", err.text);
    *ret = row_values(eval_arena(ev), rows, rows->row_count, ROW_TUPLE);
    return STATUS_OK;
}

enum status sql_run(struct request *rq, struct value database, str sql, const struct query_param *params,
                    size_t param_count, struct rowset *ret, struct err *err)
{
    struct call c = {.rq = rq, .sql = sql, .params = params, .param_count = param_count};
    enum status st = read_database(&c, database, err);
    return st == STATUS_OK ? run(&c, ret, err) : st;
}
