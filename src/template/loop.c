/* SPDX-License-Identifier: Apache-2.0 */
/* loop — iteration over anything, and {% for %} with its `loop` object. */
#include "template/run.h"

#include "base/utf8.h"

bool iter_begin(struct eval *ev, const struct node *n, struct value of, struct iter *ret)
{
    *ret = (struct iter){.of = of, .length = -1};
    switch (of.kind) {
    case VALUE_LIST:
    case VALUE_DICT:
        ret->length = (int64_t)value_count(of);
        return true;
    case VALUE_STR:
    case VALUE_SAFE:
        ret->length = (int64_t)utf8_count(of.s);
        return true;
    case VALUE_UNDEFINED:
        ret->length = 0;
        return true;
    case VALUE_OBJECT:
        if (!of.object.class->next)
            break;
        ret->length = of.object.class->length ? of.object.class->length(of.object.self, ev) : -1;
        return true;
    case VALUE_NONE:
    case VALUE_BOOL:
    case VALUE_INT:
    case VALUE_FLOAT:
    case VALUE_BYTES:
        break;
    }
    return run_fail(ev, n, STATUS_INVALID, "this value cannot be iterated: %.60s", value_to_str(ev->arena, of).p);
}

bool iter_next(struct eval *ev, struct iter *it, struct value *ret)
{
    switch (it->of.kind) {
    case VALUE_LIST:
        if (it->at >= it->of.list->count)
            return false;
        *ret = it->of.list->items[it->at++];
        return true;
    case VALUE_DICT:
        if (it->at >= it->of.dict->count)
            return false;
        *ret = value_str(it->of.dict->entries[it->at++].key);
        return true;
    case VALUE_STR:
    case VALUE_SAFE: {
        size_t len;
        if (it->at >= it->of.s.n)
            return false;
        utf8_decode(str_from(it->of.s, it->at), &len);
        *ret = value_str(str_sub(it->of.s, it->at, it->at + len));
        ret->kind = it->of.kind;
        it->at += len;
        return true;
    }
    case VALUE_OBJECT:
        return it->of.object.class->next && it->of.object.class->next(it->of.object.self, ev, it->at++, ret);
    case VALUE_UNDEFINED:
    case VALUE_NONE:
    case VALUE_BOOL:
    case VALUE_INT:
    case VALUE_FLOAT:
    case VALUE_BYTES:
        break;
    }
    return false;
}

struct value iter_list(struct eval *ev, struct value of)
{
    struct iter it;
    struct value item, list;
    if (of.kind == VALUE_LIST)
        return of;
    bool iterable = of.kind == VALUE_DICT || value_is_text(of) || of.kind == VALUE_UNDEFINED ||
                    (of.kind == VALUE_OBJECT && of.object.class->next);
    if (!iterable || !iter_begin(ev, ev->node, of, &it))
        return VALUE_UNDEF;
    list = value_list(ev->arena);
    while (iter_next(ev, &it, &item)) {
        if (list.list->count == (size_t)LIMIT_TEMPLATE_ITEMS)
            run_fail(ev, ev->node, STATUS_TOO_LARGE, "a list of more than %d items", LIMIT_TEMPLATE_ITEMS);
        if (!run_step(ev, ev->node))
            return VALUE_UNDEF;
        value_push(list, item);
    }
    return list;
}

struct value eval_list(struct eval *ev, struct value v)
{
    return iter_list(ev, v);
}

struct loop {
    const struct node *node; /* of a recursive loop */
    struct value previous, next;
    bool has_next;
    int64_t index0, length, depth0;
    struct value changed;
    bool has_changed;
    struct scope *scope; /* outside of the loop */
};

static bool run_loop(struct eval *ev, const struct node *n, struct value of, int64_t depth0);

static enum status loop_recurse(void *self, struct eval *ev, const struct value_args *args, struct value *ret)
{
    struct loop *l = self;
    struct buf *outer = ev->out, text;
    if (!l->node->flag || args->count != 1)
        return eval_fail(ev, STATUS_INVALID, "loop() needs {%% for ... recursive %%} and one argument");
    if (++ev->depth > RUN_DEPTH_MAX)
        return eval_fail(ev, STATUS_TOO_LARGE, "loops are nested deeper than %d", RUN_DEPTH_MAX);
    buf_init(&text, outer->max);
    ev->out = &text;
    bool ok = run_loop(ev, l->node, args->positional[0], l->depth0 + 1);
    ev->out = outer;
    ev->depth--;
    *ret = value_safe(arena_str(ev->arena, buf_str(&text)));
    buf_release(&text);
    return ok ? STATUS_OK : ev->status;
}

static enum status loop_cycle(void *self, struct eval *ev, const struct value_args *args, struct value *ret)
{
    const struct loop *l = self;
    if (!args->count)
        return eval_fail(ev, STATUS_INVALID, "loop.cycle() needs values");
    *ret = args->positional[(size_t)l->index0 % args->count];
    return STATUS_OK;
}

static enum status loop_changed(void *self, struct eval *ev, const struct value_args *args, struct value *ret)
{
    struct loop *l = self;
    struct value now = value_list(ev->arena);
    for (size_t i = 0; i < args->count; i++)
        value_push(now, args->positional[i]);
    *ret = value_bool(!l->has_changed || !value_equal(now, l->changed));
    l->changed = now;
    l->has_changed = true;
    return STATUS_OK;
}

static const struct value_class cycle_class = {.name = "method", .call = loop_cycle};
static const struct value_class changed_class = {.name = "method", .call = loop_changed};

static bool loop_attr(void *self, struct eval *ev, str name, struct value *ret)
{
    struct loop *l = self;
    (void)ev;
    if (str_is(name, "index"))
        *ret = value_int(l->index0 + 1);
    else if (str_is(name, "index0"))
        *ret = value_int(l->index0);
    else if (str_is(name, "first"))
        *ret = value_bool(l->index0 == 0);
    else if (str_is(name, "last"))
        *ret = value_bool(!l->has_next);
    else if (str_is(name, "length") && l->length >= 0)
        *ret = value_int(l->length);
    else if (str_is(name, "revindex") && l->length >= 0)
        *ret = value_int(l->length - l->index0);
    else if (str_is(name, "revindex0") && l->length >= 0)
        *ret = value_int(l->length - l->index0 - 1);
    else if (str_is(name, "depth"))
        *ret = value_int(l->depth0 + 1);
    else if (str_is(name, "depth0"))
        *ret = value_int(l->depth0);
    else if (str_is(name, "previtem"))
        *ret = l->previous;
    else if (str_is(name, "nextitem"))
        *ret = l->has_next ? l->next : VALUE_UNDEF;
    else if (str_is(name, "cycle"))
        *ret = value_object(&cycle_class, self);
    else if (str_is(name, "changed"))
        *ret = value_object(&changed_class, self);
    else
        return false;
    return true;
}

static const struct value_class loop_class = {.name = "loop", .attr = loop_attr, .call = loop_recurse};

/* {% for x in y if cond %}: the items that pass, so that loop.length counts them. */
static bool filter_items(struct eval *ev, const struct node *n, struct value of, struct value *ret)
{
    struct iter it;
    struct value item, keep, list = value_list(ev->arena);
    struct scope *outer = ev->scope;
    if (!iter_begin(ev, n->b, of, &it))
        return false;
    ev->scope = scope_new(ev, outer);
    bool ok = true;
    while (ok && iter_next(ev, &it, &item)) {
        ok = assign(ev, n->a, item) && run_expr(ev, n->c, &keep);
        if (ok && value_truth(keep))
            value_push(list, item);
    }
    ev->scope = outer;
    *ret = list;
    return ok;
}

static bool run_loop(struct eval *ev, const struct node *n, struct value of, int64_t depth0)
{
    struct iter it;
    struct loop l = {.node = n, .depth0 = depth0};
    struct scope *outer = ev->scope;
    struct value item;
    if ((n->c && !filter_items(ev, n, of, &of)) || !iter_begin(ev, n->b, of, &it))
        return false;
    l.length = it.length;
    l.has_next = iter_next(ev, &it, &l.next);
    if (!l.has_next)
        return !n->else_body || run_body(ev, n->else_body);
    struct scope *inner = scope_new(ev, outer);
    ev->scope = inner;
    scope_set(ev, inner, STR("loop"), value_object(&loop_class, &l));
    bool ok = true;
    while (ok && l.has_next) {
        item = l.next;
        l.has_next = iter_next(ev, &it, &l.next);
        inner->vars[0].value = value_object(&loop_class, &l); /* {% set loop = ... %} lasts for one round */
        inner->count = 1;
        ok = run_step(ev, n) && assign(ev, n->a, item) && run_body(ev, n->body);
        l.previous = item;
        l.index0++;
    }
    ev->scope = outer;
    return ok;
}

bool run_for(struct eval *ev, const struct node *n)
{
    struct value of;
    return run_value(ev, n->b, &of) && run_loop(ev, n, of, 0);
}
