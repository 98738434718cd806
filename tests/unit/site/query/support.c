/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

void bench_init(struct bench *b)
{
    *b = (struct bench){.a = arena_new(64 << 20)};
    b->table.name = STR("t");
    bench_columns(b, "id,name,price,tags,_city");
    bench_pks(b, "id");
    b->settings = (struct query_settings){100, 1000, 30, true, true};
    b->request.path = STR("/db/t.json");
    b->request.origin = STR("http://h");
    b->request.may_execute_sql = true;
}

void bench_release(struct bench *b)
{
    arena_free(b->a);
}

const str *bench_names(struct bench *b, const char *list, size_t *ret_count)
{
    VEC(str) names = {0};
    str item, rest = str_of(list);
    bool more = rest.n > 0;
    while (more) {
        more = str_cut(rest, ',', &item, &rest);
        VEC_PUSH(b->a, &names, item);
    }
    *ret_count = names.count;
    return names.items;
}

void bench_columns(struct bench *b, const char *list)
{
    b->table.columns = bench_names(b, list, &b->table.column_count);
}

void bench_pks(struct bench *b, const char *list)
{
    b->table.pks = bench_names(b, list, &b->table.pk_count);
    b->table.use_rowid = b->table.pk_count == 0;
}

void bench_config(struct bench *b, const char *json)
{
    b->table.config = bench_value(b->a, json);
}

const struct query_plan *bench_plan(struct bench *b, const char *query)
{
    const struct query_plan *plan = NULL;
    b->request.raw = str_of(query);
    err_clear(&b->err);
    if (args_parse(b->a, b->request.raw, &b->request.args, &b->err) != STATUS_OK ||
        query_plan_table(b->a, &b->table, &b->settings, &b->request, &plan, &b->err) != STATUS_OK)
        return NULL;
    return plan;
}

void bench_check_tail(struct bench *b, const char *query, const char *want)
{
    const struct query_plan *plan = bench_plan(b, query);
    if (!plan)
        test_fail(__FILE__, __LINE__, "%s: refused: %s", query, b->err.text);
    size_t from = str_find(plan->sql, STR(" from ")), to = str_find(plan->sql, STR(" limit "));
    CHECK(from != STR_NPOS && to != STR_NPOS);
    CHECK_STR(str_sub(plan->sql, from + 6, to), want);
}

void bench_check_refused(struct bench *b, const char *query, const char *message)
{
    if (bench_plan(b, query))
        test_fail(__FILE__, __LINE__, "%s: planned, though it should be refused: %s", query, message);
    CHECK_STR(str_of(b->err.text), message);
}

str bench_params(struct bench *b, const struct query_plan *plan)
{
    struct value dict = value_dict(b->a);
    for (size_t i = 0; i < plan->param_count; i++)
        value_set(dict, plan->params[i].name, plan->params[i].value);
    return bench_json(b->a, dict);
}

str bench_json(struct arena *a, struct value v)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    value_to_json(&out, v, 0);
    str text = arena_str(a, buf_str(&out));
    buf_release(&out);
    return text;
}

struct value bench_value(struct arena *a, const char *json)
{
    struct value v;
    struct err err = ERR_INIT;
    if (value_from_json(a, str_of(json), &v, &err) != STATUS_OK)
        test_fail(__FILE__, __LINE__, "%s: %s", json, err.text);
    return v;
}
