/* SPDX-License-Identifier: Apache-2.0 */
#include "template/run.h"

#include <math.h>

#include "base/utf8.h"

static bool to_number(struct value v, double *ret)
{
    if (v.kind == VALUE_BOOL)
        *ret = v.b;
    else if (v.kind == VALUE_INT)
        *ret = (double)v.i;
    else if (v.kind == VALUE_FLOAT)
        *ret = v.f;
    else
        return false;
    return true;
}

static bool is_int(struct value v, int64_t *ret)
{
    if (v.kind == VALUE_BOOL)
        *ret = v.b;
    else if (v.kind == VALUE_INT)
        *ret = v.i;
    else
        return false;
    return true;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    int64_t q = a / b;
    return (a % b != 0 && ((a < 0) != (b < 0))) ? q - 1 : q;
}

static bool int_op(enum op op, int64_t a, int64_t b, struct value *ret)
{
    int64_t r = 0;
    switch (op) {
    case OP_ADD:
        if (__builtin_add_overflow(a, b, &r))
            return false;
        break;
    case OP_SUB:
        if (__builtin_sub_overflow(a, b, &r))
            return false;
        break;
    case OP_MUL:
        if (__builtin_mul_overflow(a, b, &r))
            return false;
        break;
    case OP_FLOOR:
        if (b == -1)
            return false;
        r = floor_div(a, b);
        break;
    case OP_MOD:
        r = b == -1 ? 0 : a - b * floor_div(a, b);
        break;
    case OP_POW:
        if (b < 0 || b > 64)
            return false;
        r = 1;
        for (int64_t i = 0; i < b; i++)
            if (__builtin_mul_overflow(r, a, &r))
                return false;
        break;
    default:
        return false;
    }
    *ret = value_int(r);
    return true;
}

static bool number_op(struct eval *ev, const struct node *n, enum op op, struct value a, struct value b,
                      struct value *ret)
{
    double x = 0, y = 0;
    int64_t i, k;
    to_number(a, &x);
    to_number(b, &y);
    if ((op == OP_DIV || op == OP_FLOOR || op == OP_MOD) && y == 0)
        return run_fail(ev, n, STATUS_INVALID, "division by zero");
    if (op != OP_DIV && is_int(a, &i) && is_int(b, &k) && int_op(op, i, k, ret))
        return true;
    switch (op) {
    case OP_ADD:
        *ret = value_float(x + y);
        break;
    case OP_SUB:
        *ret = value_float(x - y);
        break;
    case OP_MUL:
        *ret = value_float(x * y);
        break;
    case OP_DIV:
        *ret = value_float(x / y);
        break;
    case OP_FLOOR:
        *ret = value_float(floor(x / y));
        break;
    case OP_MOD:
        *ret = value_float(x - y * floor(x / y));
        break;
    case OP_POW:
        *ret = value_float(pow(x, y));
        break;
    default:
        return run_fail(ev, n, STATUS_INTERNAL, "unknown operator");
    }
    return true;
}

struct value op_concat(struct eval *ev, const struct value *items, size_t count)
{
    bool safe = false;
    str *parts = ARENA_ARRAY(ev->arena, str, count + 1);
    for (size_t i = 0; i < count; i++)
        safe |= items[i].kind == VALUE_SAFE;
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        parts[i] = safe ? value_html(ev, items[i]) : value_text(ev, items[i]);
        total += parts[i].n;
    }
    if (total > ev->out->max) {
        run_fail(ev, ev->node, STATUS_TOO_LARGE, "a text is larger than %zu bytes", ev->out->max);
        return value_str(STR(""));
    }
    str s = arena_concat(ev->arena, parts, count);
    return safe ? value_safe(s) : value_str(s);
}

/* "ab" * 3 and [0] * 3 */
static bool repeat(struct eval *ev, const struct node *n, struct value of, uint64_t times, struct value *ret)
{
    size_t unit = of.kind == VALUE_LIST ? value_count(of) : of.s.n;
    size_t most = of.kind == VALUE_LIST ? (size_t)LIMIT_TEMPLATE_ITEMS : ev->out->max;
    if (unit && times > most / unit)
        return run_fail(ev, n, STATUS_TOO_LARGE, "the %s is repeated too often",
                        of.kind == VALUE_LIST ? "list" : "text");
    *ret = of;
    if (of.kind == VALUE_LIST) {
        *ret = value_list(ev->arena);
        ret->tuple = of.tuple;
        for (uint64_t i = 0; unit && i < times; i++)
            for (size_t k = 0; k < unit; k++)
                value_push(*ret, value_at(of, k));
        return true;
    }
    char *p = arena_alloc_raw(ev->arena, unit * times + 1);
    for (uint64_t i = 0; unit && i < times; i++)
        memcpy(p + i * unit, of.s.p, unit);
    ret->s = str_make(p, unit * times);
    return true;
}

bool op_binary(struct eval *ev, const struct node *n, enum op op, struct value a, struct value b, struct value *ret)
{
    double x;
    int64_t times;
    struct value both[2] = {a, b};
    if (op == OP_CONCAT || (op == OP_ADD && value_is_text(a) && value_is_text(b))) {
        *ret = op_concat(ev, both, 2);
        return true;
    }
    if (to_number(a, &x) && to_number(b, &x))
        return number_op(ev, n, op, a, b, ret);
    if (op == OP_ADD && a.kind == VALUE_LIST && b.kind == VALUE_LIST) {
        *ret = value_list(ev->arena);
        ret->tuple = a.tuple;
        for (size_t i = 0; i < value_count(a); i++)
            value_push(*ret, value_at(a, i));
        for (size_t i = 0; i < value_count(b); i++)
            value_push(*ret, value_at(b, i));
        return true;
    }
    if (op == OP_MUL && (value_is_text(a) || a.kind == VALUE_LIST) && is_int(b, &times))
        return repeat(ev, n, a, times < 0 ? 0 : (uint64_t)times, ret);
    if (op == OP_MOD && value_is_text(a))
        return format_percent(ev, a.s, a.kind == VALUE_SAFE, b, ret);
    if (a.kind == VALUE_UNDEFINED || b.kind == VALUE_UNDEFINED)
        return run_fail(ev, n, STATUS_INVALID, "'%.*s' is undefined",
                        STR_ARG(a.kind == VALUE_UNDEFINED ? n->a->source : n->b->source));
    return run_fail(ev, n, STATUS_INVALID, "the operands do not fit the operator");
}

int op_order(struct value a, struct value b, bool *ret_comparable)
{
    double x, y;
    *ret_comparable = true;
    if (a.kind == VALUE_INT && b.kind == VALUE_INT)
        return a.i < b.i ? -1 : a.i > b.i;
    if (to_number(a, &x) && to_number(b, &y))
        return x < y ? -1 : x > y;
    if (value_is_text(a) && value_is_text(b))
        return str_cmp(a.s, b.s);
    if (a.kind == VALUE_LIST && b.kind == VALUE_LIST) {
        for (size_t i = 0; i < value_count(a) && i < value_count(b); i++) {
            int c = value_equal(value_at(a, i), value_at(b, i))
                        ? 0
                        : op_order(value_at(a, i), value_at(b, i), ret_comparable);
            if (c || !*ret_comparable)
                return c;
        }
        return value_count(a) < value_count(b) ? -1 : value_count(a) > value_count(b);
    }
    *ret_comparable = false;
    return 0;
}

bool op_contains(struct eval *ev, struct value container, struct value item)
{
    if (value_is_text(container))
        return value_is_text(item) && str_find(container.s, item.s) != STR_NPOS;
    if (container.kind == VALUE_DICT)
        return value_has(container, value_to_str(ev->arena, item));
    struct value v, list = iter_list(ev, container);
    if (container.kind == VALUE_OBJECT && container.object.class->item && value_is_text(item) &&
        container.object.class->item(container.object.self, ev, item, &v))
        return true;
    for (size_t i = 0; i < value_count(list); i++)
        if (value_equal(value_at(list, i), item))
            return true;
    return false;
}

bool op_compare(struct eval *ev, const struct node *n, enum op op, struct value a, struct value b, bool *ret)
{
    bool comparable;
    if (op == OP_EQ || op == OP_NE) {
        *ret = value_equal(a, b) == (op == OP_EQ);
        return true;
    }
    if (op == OP_IN || op == OP_NOT_IN) {
        *ret = op_contains(ev, b, a) == (op == OP_IN);
        return true;
    }
    int c = op_order(a, b, &comparable);
    if (!comparable)
        return run_fail(ev, n, STATUS_INVALID, "these values have no order");
    *ret = op == OP_LT ? c < 0 : op == OP_LE ? c <= 0 : op == OP_GT ? c > 0 : c >= 0;
    return true;
}

bool op_attr(struct eval *ev, struct value of, str name, struct value *ret)
{
    return op_attr_hashed(ev, of, name, value_hash(name), ret);
}

bool op_attr_hashed(struct eval *ev, struct value of, str name, uint32_t hash, struct value *ret)
{
    if (of.kind == VALUE_OBJECT) {
        const struct value_class *c = of.object.class;
        return (c->attr && c->attr(of.object.self, ev, name, ret)) ||
               (c->item && c->item(of.object.self, ev, value_str(name), ret));
    }
    if (of.kind == VALUE_DICT) {
        struct value v = value_get_hashed(of, name, hash);
        if (v.kind != VALUE_UNDEFINED)
            *ret = v;
        return v.kind != VALUE_UNDEFINED;
    }
    return false;
}

bool op_item(struct eval *ev, struct value of, struct value key, struct value *ret)
{
    int64_t i;
    if (of.kind == VALUE_OBJECT) {
        const struct value_class *c = of.object.class;
        return (c->item && c->item(of.object.self, ev, key, ret)) ||
               (c->attr && value_is_text(key) && c->attr(of.object.self, ev, key.s, ret));
    }
    if (of.kind == VALUE_DICT)
        return op_attr(ev, of, value_to_str(ev->arena, key), ret);
    if (is_int(key, &i) && of.kind == VALUE_LIST) {
        if (i < 0)
            i += (int64_t)value_count(of);
        if (i < 0 || i >= (int64_t)value_count(of))
            return false;
        *ret = value_at(of, (size_t)i);
        return true;
    }
    if (is_int(key, &i) && value_is_text(of)) {
        int64_t n = (int64_t)utf8_count(of.s);
        if (i < 0)
            i += n;
        if (i < 0 || i >= n)
            return false;
        size_t from = utf8_offset(of.s, (size_t)i), to = utf8_offset(of.s, (size_t)i + 1);
        *ret = of;
        ret->s = str_sub(of.s, from, to);
        return true;
    }
    return false;
}

/* Python's slice indexes for a length. */
static void bounds(int64_t n, const int64_t *from, const int64_t *to, int64_t step, int64_t *start, int64_t *stop)
{
    int64_t low = step < 0 ? -1 : 0, high = step < 0 ? n - 1 : n;
    *start = from ? *from : step < 0 ? high : low;
    *stop = to ? *to : step < 0 ? low : high;
    if (from && *start < 0)
        *start += n;
    if (to && *stop < 0)
        *stop += n;
    *start = from ? MAX(low, MIN(*start, high)) : *start;
    *stop = to ? MAX(low, MIN(*stop, high)) : *stop;
}

struct value op_slice(struct eval *ev, struct value of, const int64_t *from, const int64_t *to, int64_t step)
{
    int64_t start, stop;
    if (value_is_text(of)) {
        bounds((int64_t)utf8_count(of.s), from, to, step, &start, &stop);
        struct value out = of;
        if (step == 1) {
            out.s = start < stop ? str_sub(of.s, utf8_offset(of.s, (size_t)start), utf8_offset(of.s, (size_t)stop))
                                 : STR("");
            return out;
        }
        struct value chars = iter_list(ev, of), picked = op_slice(ev, chars, from, to, step);
        out = op_concat(ev, picked.list->items, picked.list->count);
        out.kind = of.kind;
        return out;
    }
    struct value list = iter_list(ev, of), out = value_list(ev->arena);
    out.tuple = of.tuple;
    bounds((int64_t)value_count(list), from, to, step, &start, &stop);
    for (int64_t i = start; step > 0 ? i < stop : i > stop; i += step)
        value_push(out, value_at(list, (size_t)i));
    return out;
}

int64_t op_length(struct eval *ev, struct value v)
{
    if (v.kind == VALUE_LIST || v.kind == VALUE_DICT)
        return (int64_t)value_count(v);
    if (value_is_text(v))
        return (int64_t)utf8_count(v.s);
    if (v.kind == VALUE_BYTES)
        return (int64_t)v.s.n;
    if (v.kind == VALUE_UNDEFINED)
        return 0;
    if (v.kind == VALUE_OBJECT && v.object.class->length)
        return v.object.class->length(v.object.self, ev);
    if (v.kind == VALUE_OBJECT && v.object.class->next)
        return (int64_t)value_count(iter_list(ev, v));
    return -1;
}
