/* SPDX-License-Identifier: Apache-2.0 */
/* filters_list — filters that sort, group and compare lists. */
#include <stdlib.h>

#include "template/filters.h"

struct sortable {
    struct value key, item;
    bool nocase, reverse;
    size_t at;
};

static int by_key(const void *x, const void *y)
{
    const struct sortable *a = x, *b = y;
    bool comparable;
    int c;
    if (a->nocase && value_is_text(a->key) && value_is_text(b->key)) {
        c = str_cmp_nocase(a->key.s, b->key.s);
    } else {
        c = op_order(a->key, b->key, &comparable);
    }
    if (a->reverse)
        c = -c;
    return c ? c : a->at < b->at ? -1 : 1;
}

static struct value sort_list(struct eval *ev, struct value list, struct value attr, bool nocase, bool reverse)
{
    size_t n = value_count(list);
    struct sortable *s = ARENA_ARRAY(ev->arena, struct sortable, n + 1);
    for (size_t i = 0; i < n; i++) {
        struct value item = value_at(list, i);
        s[i] = (struct sortable){value_is_null(attr) ? item : filter_path(ev, item, attr), item, nocase, reverse, i};
    }
    qsort(s, n, sizeof *s, by_key);
    struct value out = value_list(ev->arena);
    for (size_t i = 0; i < n; i++)
        value_push(out, s[i].item);
    return out;
}

F(sort)
{
    struct value reverse = eval_arg(args, 0, "reverse"), sensitive = eval_arg(args, 1, "case_sensitive");
    *ret =
        sort_list(ev, iter_list(ev, in), eval_arg(args, 2, "attribute"), !value_truth(sensitive), value_truth(reverse));
    return ev->status;
}

F(dictsort)
{
    struct value by = eval_arg(args, 1, "by"), items;
    bool found, by_value = value_is_text(by) && str_is(by.s, "value");
    struct value_args none = {0};
    if (in.kind != VALUE_DICT)
        return eval_fail(ev, STATUS_INVALID, "dictsort needs a dict");
    method_call(ev, in, STR("items"), &none, &items, &found);
    *ret = sort_list(ev, items, value_int(by_value), !value_truth(eval_arg(args, 0, "case_sensitive")),
                     value_truth(eval_arg(args, 2, "reverse")));
    return ev->status;
}

/* (grouper, list), by place and by name. */
struct group {
    struct value pair[2];
};

static bool group_next(void *self, struct eval *ev, size_t i, struct value *ret)
{
    (void)ev;
    if (i < 2)
        *ret = ((const struct group *)self)->pair[i];
    return i < 2;
}

static bool group_item(void *self, struct eval *ev, struct value key, struct value *ret)
{
    return key.kind == VALUE_INT && key.i >= 0 && group_next(self, ev, (size_t)key.i, ret);
}

static bool group_attr(void *self, struct eval *ev, str name, struct value *ret)
{
    bool grouper = str_is(name, "grouper");
    return (grouper || str_is(name, "list")) && group_next(self, ev, !grouper, ret);
}

static int64_t group_length(void *self, struct eval *ev)
{
    (void)self, (void)ev;
    return 2;
}

static const struct value_class group_class = {
    .name = "group", .next = group_next, .item = group_item, .attr = group_attr, .length = group_length};

F(groupby)
{
    struct value attr = eval_arg(args, 0, "attribute"), sorted = sort_list(ev, iter_list(ev, in), attr, true, false);
    struct value fallback = eval_arg(args, 1, "default");
    *ret = value_list(ev->arena);
    struct group *group = NULL;
    for (size_t i = 0; i < value_count(sorted); i++) {
        struct value item = value_at(sorted, i), key = filter_path(ev, item, attr);
        if (key.kind == VALUE_UNDEFINED)
            key = fallback;
        if (!group || !value_equal(key, group->pair[0])) {
            group = ARENA_NEW(ev->arena, struct group);
            *group = (struct group){{key, value_list(ev->arena)}};
            value_push(*ret, value_object(&group_class, group));
        }
        value_push(group->pair[1], item);
    }
    return ev->status;
}

/* By printed form and kind, upper and lower case alike: no search through all that came before. */
F(unique)
{
    struct value sensitive = eval_arg(args, 0, "case_sensitive"), attr = eval_arg(args, 1, "attribute");
    struct value list = iter_list(ev, in), seen = value_dict(ev->arena);
    *ret = value_list(ev->arena);
    for (size_t i = 0; i < value_count(list) && run_step(ev, ev->node); i++) {
        struct value item = value_at(list, i), key = value_is_null(attr) ? item : filter_path(ev, item, attr);
        str text = value_to_str(ev->arena, key);
        if (value_is_text(key) && !value_truth(sensitive))
            text = letters_case(ev->arena, text, 'l');
        text = ARENA_CAT(ev->arena, value_is_text(key) ? STR("s") : STR("v"), text);
        if (value_has(seen, text))
            continue;
        value_set(seen, text, VALUE_NULL);
        value_push(*ret, item);
    }
    return ev->status;
}

static enum status extreme(struct eval *ev, struct value in, const struct value_args *args, bool max, struct value *ret)
{
    struct value sorted = sort_list(ev, iter_list(ev, in), eval_arg(args, 1, "attribute"), true, false);
    *ret = value_at(sorted, max ? value_count(sorted) - 1 : 0);
    return ev->status;
}

F(min)
{
    return extreme(ev, in, args, false, ret);
}
F(max)
{
    return extreme(ev, in, args, true, ret);
}

F(sum)
{
    struct value attr = eval_arg(args, 0, "attribute"), start = eval_arg(args, 1, "start"), list = iter_list(ev, in);
    *ret = value_is_null(start) ? value_int(0) : start;
    for (size_t i = 0; i < value_count(list); i++) {
        struct value item = value_is_null(attr) ? value_at(list, i) : filter_path(ev, value_at(list, i), attr);
        if (!op_binary(ev, ev->node, OP_ADD, *ret, item, ret))
            return ev->status;
    }
    return ev->status;
}

F(batch)
{
    struct value size = eval_arg(args, 0, "linecount"), fill = eval_arg(args, 1, "fill_with"), list = iter_list(ev, in);
    *ret = value_list(ev->arena);
    if (size.kind != VALUE_INT || size.i < 1)
        return eval_fail(ev, STATUS_INVALID, "batch() needs a size");
    struct value line = VALUE_UNDEF;
    for (size_t i = 0; i < value_count(list); i++) {
        if (i % (size_t)size.i == 0) {
            line = value_list(ev->arena);
            value_push(*ret, line);
        }
        value_push(line, value_at(list, i));
    }
    while (line.kind == VALUE_LIST && !value_is_null(fill) && (int64_t)value_count(line) < MIN(size.i, 10000))
        value_push(line, fill);
    return ev->status;
}

F(items)
{
    bool found;
    struct value_args none = {0};
    (void)args;
    *ret = value_list(ev->arena);
    if (in.kind == VALUE_DICT)
        method_call(ev, in, STR("items"), &none, ret, &found);
    return ev->status;
}

F(attr)
{
    *ret = VALUE_UNDEF;
    struct value name = eval_arg(args, 0, "name");
    if (value_is_text(name) && in.kind == VALUE_OBJECT)
        op_attr(ev, in, name.s, ret);
    return STATUS_OK;
}
