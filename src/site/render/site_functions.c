/* SPDX-License-Identifier: Apache-2.0 */
#include "site/render/site_functions.h"

#include "site/query/sql.h"
#include "site/render/row_value.h"
#include "site/render/sql_function.h"
#include "template/eval.h"

struct site_function {
    struct request *rq;
    str name;
    struct value spec;
};

static bool record_item(struct eval *ev, const struct value_args *args, str name, struct value *ret)
{
    struct value record = args && args->count == 1 ? args->positional[0] : VALUE_UNDEF;
    if (record.kind == VALUE_DICT)
        *ret = value_get(record, name);
    else if (record.kind != VALUE_OBJECT || !record.object.class->item ||
             !record.object.class->item(record.object.self, ev, value_str(name), ret))
        return false;
    return ret->kind != VALUE_UNDEFINED;
}

static struct value parameter(struct request *rq, struct eval *ev, const struct value_args *args, str name,
                              size_t place)
{
    struct value v;
    for (size_t i = 0; args && i < args->keyword_count; i++)
        if (str_eq(args->keywords[i].key, name))
            return args->keywords[i].value;
    if (record_item(ev, args, name, &v))
        return v;
    if (args && place < args->count && args->positional[place].kind != VALUE_OBJECT)
        return args->positional[place];
    str asked = args_get(&rq->args, name);
    return asked.p ? value_str(asked) : VALUE_NULL;
}

static enum status run(struct request *rq, struct eval *ev, struct value spec, const struct value_args *args,
                       bool scalar, struct value *ret, struct err *err)
{
    struct arena *a = rq->arena;
    struct value sql = VALUE_GET(spec, "sql"), name = VALUE_GET(spec, "database");
    struct rowset *rows = ARENA_NEW(a, struct rowset);
    const str *names;
    size_t count;
    if (!value_is_text(sql))
        return err_set(err, STATUS_INVALID, "it has no sql in the configuration");
    query_sql_parameters(a, sql.s, &names, &count);
    struct query_param *params = ARENA_ARRAY(a, struct query_param, count + 1);
    for (size_t i = 0; i < count; i++)
        params[i] = (struct query_param){names[i], parameter(rq, ev, args, names[i], i)};
    enum status st = sql_run(rq, name, sql.s, params, count, rows, err);
    if (st != STATUS_OK)
        return st;
    bool html = value_truth(VALUE_GET(spec, "html"));
    if (!scalar && !html)
        *ret = row_values(a, rows, rows->row_count, ROW_TUPLE);
    else
        *ret = rows->row_count && rows->column_count ? cell_value(rowset_cell(rows, 0, 0)) : VALUE_NULL;
    if (html && ret->kind == VALUE_STR)
        *ret = value_safe(ret->s);
    return STATUS_OK;
}

static enum status call(void *self, struct eval *ev, const struct value_args *args, struct value *ret)
{
    const struct site_function *f = self;
    struct err err = ERR_INIT;
    enum status st = run(f->rq, ev, f->spec, args, value_truth(VALUE_GET(f->spec, "scalar")), ret, &err);
    return st == STATUS_OK ? st : eval_fail(ev, st, "%.*s(): %s", STR_ARG(f->name), err.text);
}

static const struct value_class function_class = {.name = "function", .call = call};

enum status site_functions_add(struct request *rq, struct value vars, struct err *err)
{
    struct value root = rq->site->config.root, functions = VALUE_GET(root, "template_functions"),
                 variables = VALUE_GET(root, "template_variables");
    for (size_t i = 0; functions.kind == VALUE_DICT && i < functions.dict->count; i++) {
        const struct value_entry *e = &functions.dict->entries[i];
        struct site_function *f = ARENA_NEW(rq->arena, struct site_function);
        *f = (struct site_function){rq, e->key, e->value};
        if (!value_has(vars, e->key))
            value_set(vars, e->key, value_object(&function_class, f));
    }
    for (size_t i = 0; variables.kind == VALUE_DICT && i < variables.dict->count; i++) {
        const struct value_entry *e = &variables.dict->entries[i];
        struct value v = e->value;
        if (value_has(vars, e->key))
            continue;
        enum status st = value_has(v, STR("sql")) ? run(rq, NULL, v, NULL, true, &v, err) : STATUS_OK;
        if (st != STATUS_OK)
            return err_prefix(err, "template_variables.%.*s", STR_ARG(e->key));
        value_set(vars, e->key, v);
    }
    return STATUS_OK;
}
