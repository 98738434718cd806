/* SPDX-License-Identifier: Apache-2.0 */
#include "template/run.h"

static bool no_args(const struct call_args *in)
{
    return !in->count && !in->keyword_count && !in->star && !in->star_star;
}

bool run_call_args(struct eval *ev, const struct call_args *in, struct value_args *ret)
{
    if (no_args(in)) {
        *ret = (struct value_args){0};
        return true;
    }
    size_t n = in->count, k = in->keyword_count;
    struct value star = VALUE_UNDEF, star_star = VALUE_UNDEF;
    if (in->star) {
        if (!run_value(ev, in->star, &star))
            return false;
        star = iter_list(ev, star);
        n += value_count(star);
    }
    if (in->star_star) {
        if (!run_value(ev, in->star_star, &star_star))
            return false;
        k += value_count(star_star);
    }
    *ret = (struct value_args){.count = n, .keyword_count = k};
    if (n) {
        struct value *p = arena_alloc_raw(ev->arena, n * sizeof *p);
        for (size_t i = 0; i < in->count; i++)
            if (!run_value(ev, in->positional[i], &p[i]))
                return false;
        for (size_t i = in->count; i < n; i++)
            p[i] = value_at(star, i - in->count);
        ret->positional = p;
    }
    if (k) {
        struct value_entry *e = ARENA_ARRAY(ev->arena, struct value_entry, k);
        for (size_t i = 0; i < in->keyword_count; i++) {
            e[i].key = in->names[i];
            if (!run_value(ev, in->keywords[i], &e[i].value))
                return false;
        }
        for (size_t i = in->keyword_count; i < k; i++)
            e[i] = star_star.dict->entries[i - in->keyword_count];
        ret->keywords = e;
    }
    return true;
}

enum status eval_call(struct eval *ev, struct value fn, const struct value_args *args, struct value *ret)
{
    if (fn.kind != VALUE_OBJECT || !fn.object.class->call)
        return eval_fail(ev, STATUS_INVALID,
                         fn.kind == VALUE_UNDEFINED ? "an undefined value is called" : "this value cannot be called");
    *ret = VALUE_UNDEF;
    return fn.object.class->call(fn.object.self, ev, args, ret);
}

static bool run_call(struct eval *ev, const struct node *n, struct value *ret)
{
    struct value_args args;
    struct value fn = VALUE_UNDEF;
    if (n->a->kind == N_ATTR) {
        struct value of;
        bool found;
        if (!run_value(ev, n->a->a, &of))
            return false;
        if (of.kind == VALUE_UNDEFINED)
            return run_fail(ev, n->a, STATUS_INVALID, "'%.*s' is undefined", STR_ARG(n->a->a->source));
        if (!run_call_args(ev, n->args, &args))
            return false;
        if (of.kind != VALUE_OBJECT) {
            if (!method_call(ev, of, n->a->text, &args, ret, &found))
                return run_fail(ev, n, STATUS_INVALID, "%.*s() failed", STR_ARG(n->a->text));
            if (found)
                return true;
        }
        op_attr_hashed(ev, of, n->a->text, n->a->hash, &fn);
    } else if (!run_value(ev, n->a, &fn) || !run_call_args(ev, n->args, &args)) {
        return false;
    }
    if (fn.kind == VALUE_UNDEFINED)
        return run_fail(ev, n->a, STATUS_INVALID, "'%.*s' is undefined", STR_ARG(n->a->source));
    if (fn.kind != VALUE_OBJECT || !fn.object.class->call)
        return run_fail(ev, n->a, STATUS_INVALID, "'%.*s' cannot be called", STR_ARG(n->a->source));
    *ret = VALUE_UNDEF;
    const struct node *statement = ev->node;
    ev->node = n; /* what a host function says of its arguments is about this call */
    enum status st = fn.object.class->call(fn.object.self, ev, &args, ret);
    ev->node = statement;
    if (st == STATUS_OK)
        return true;
    if (ev->status == STATUS_OK)
        ev->status = st;
    return false;
}

static bool run_list(struct eval *ev, const struct node *n, struct value *ret)
{
    *ret = value_list(ev->arena);
    ret->tuple = n->flag;
    for (size_t i = 0; i < n->count; i++) {
        struct value v;
        if (!run_value(ev, n->items[i], &v))
            return false;
        value_push(*ret, v);
    }
    return true;
}

static bool run_dict(struct eval *ev, const struct node *n, struct value *ret)
{
    *ret = value_dict(ev->arena);
    for (size_t i = 0; i + 1 < n->count; i += 2) {
        struct value k, v;
        if (!run_value(ev, n->items[i], &k) || !run_value(ev, n->items[i + 1], &v))
            return false;
        value_set(*ret, value_to_str(ev->arena, k), v);
    }
    return true;
}

static bool run_compare(struct eval *ev, const struct node *n, struct value *ret)
{
    struct value a, b;
    if (!run_value(ev, n->a, &a))
        return false;
    for (size_t i = 0; i < n->count; i++) {
        bool is;
        if (!run_value(ev, n->items[i], &b) || !op_compare(ev, n, n->ops[i], a, b, &is))
            return false;
        *ret = value_bool(is);
        if (!is)
            return true;
        a = b;
    }
    return true;
}

static bool run_unary(struct eval *ev, const struct node *n, struct value *ret)
{
    struct value v;
    if (!run_value(ev, n->a, &v))
        return false;
    if (n->op == OP_NOT) {
        *ret = value_bool(!value_truth(v));
        return true;
    }
    if (v.kind == VALUE_BOOL)
        v = value_int(v.b);
    if (v.kind == VALUE_INT)
        *ret = value_int(n->op == OP_NEG ? (int64_t)(0 - (uint64_t)v.i) : v.i);
    else if (v.kind == VALUE_FLOAT)
        *ret = value_float(n->op == OP_NEG ? -v.f : v.f);
    else
        return run_fail(ev, n, STATUS_INVALID, "a number was expected");
    return true;
}

static bool run_of(struct eval *ev, const struct node *n, struct value *ret)
{
    if (!run_value(ev, n->a, ret))
        return false;
    return ret->kind != VALUE_UNDEFINED ||
           run_fail(ev, n, STATUS_INVALID, "'%.*s' is undefined", STR_ARG(n->a->source));
}

static bool run_attr(struct eval *ev, const struct node *n, struct value *ret)
{
    struct value of;
    if (!run_of(ev, n, &of))
        return false;
    *ret = VALUE_UNDEF;
    op_attr_hashed(ev, of, n->text, n->hash, ret);
    return ev->status == STATUS_OK;
}

static bool run_item(struct eval *ev, const struct node *n, struct value *ret)
{
    struct value of, key;
    if (!run_of(ev, n, &of) || !run_value(ev, n->b, &key))
        return false;
    *ret = VALUE_UNDEF;
    op_item(ev, of, key, ret);
    return ev->status == STATUS_OK;
}

bool run_output(struct eval *ev, const struct node *n)
{
    const struct node *x = n->a;
    struct value v;
    if (x->kind == N_ATTR && ev->autoescape) {
        if (!run_of(ev, x, &v))
            return false;
        if (v.kind == VALUE_OBJECT && v.object.class->print &&
            v.object.class->print(v.object.self, ev, x->text, ev->out))
            return run_fits(ev, n);
        struct value of = v;
        v = VALUE_UNDEF;
        op_attr_hashed(ev, of, x->text, x->hash, &v);
        return ev->status == STATUS_OK && run_print(ev, n, v);
    }
    return run_value(ev, x, &v) && run_print(ev, n, v);
}

static bool run_slice(struct eval *ev, const struct node *n, struct value *ret)
{
    struct value of, part;
    int64_t bounds[3] = {0, 0, 1};
    bool given[3] = {false};
    if (!run_value(ev, n->a, &of))
        return false;
    for (int i = 0; i < 3; i++) {
        if (!n->items[i])
            continue;
        if (!run_value(ev, n->items[i], &part))
            return false;
        if (value_is_null(part))
            continue;
        if (part.kind != VALUE_INT)
            return run_fail(ev, n, STATUS_INVALID, "slice bounds must be integers");
        bounds[i] = part.i;
        given[i] = true;
    }
    if (!bounds[2])
        return run_fail(ev, n, STATUS_INVALID, "a slice step cannot be 0");
    *ret = op_slice(ev, of, given[0] ? &bounds[0] : NULL, given[1] ? &bounds[1] : NULL, bounds[2]);
    return true;
}

static bool run_filter(struct eval *ev, const struct node *n, struct value *ret)
{
    struct value in;
    struct value_args args;
    if (!run_value(ev, n->a, &in) || !run_call_args(ev, n->args, &args))
        return false;
    *ret = VALUE_UNDEF;
    enum status st = n->filter(ev, in, &args, ret);
    if (st != STATUS_OK)
        return run_fail(ev, n, st, "filter '%.*s' failed", STR_ARG(n->text));
    return true;
}

static bool run_test(struct eval *ev, const struct node *n, struct value *ret)
{
    struct value in;
    struct value_args args;
    bool is = false;
    if (!run_value(ev, n->a, &in) || !run_call_args(ev, n->args, &args))
        return false;
    if (n->test(ev, in, &args, &is) != STATUS_OK)
        return run_fail(ev, n, STATUS_INVALID, "test '%.*s' failed", STR_ARG(n->text));
    *ret = value_bool(is != n->flag);
    return true;
}

bool run_expr(struct eval *ev, const struct node *n, struct value *ret)
{
    struct value a, b;
    if (n->kind == N_ATTR)
        return run_attr(ev, n, ret);
    if (!run_step(ev, n))
        return false;
    switch (n->kind) {
    case N_CONST:
    case N_NAME:
        return run_value(ev, n, ret);
    case N_ITEM:
        return run_item(ev, n, ret);
    case N_SLICE:
        return run_slice(ev, n, ret);
    case N_CALL:
        return run_call(ev, n, ret);
    case N_FILTER:
        return run_filter(ev, n, ret);
    case N_TEST:
        return run_test(ev, n, ret);
    case N_UNARY:
        return run_unary(ev, n, ret);
    case N_BINARY:
        return run_value(ev, n->a, &a) && run_value(ev, n->b, &b) && op_binary(ev, n, n->op, a, b, ret);
    case N_AND:
        return run_value(ev, n->a, ret) && (!value_truth(*ret) || run_value(ev, n->b, ret));
    case N_OR:
        return run_value(ev, n->a, ret) && (value_truth(*ret) || run_value(ev, n->b, ret));
    case N_COMPARE:
        return run_compare(ev, n, ret);
    case N_IF_EXPR:
        if (!run_value(ev, n->a, &a))
            return false;
        if (value_truth(a))
            return run_value(ev, n->b, ret);
        *ret = VALUE_UNDEF;
        return !n->c || run_value(ev, n->c, ret);
    case N_LIST:
        return run_list(ev, n, ret);
    case N_DICT:
        return run_dict(ev, n, ret);
    default:
        return run_fail(ev, n, STATUS_INTERNAL, "not an expression");
    }
}
