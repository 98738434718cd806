/* SPDX-License-Identifier: Apache-2.0 */
#include "site/render/filters.h"

#include "site/query/filters.h"
#include "template/eval.h"

static struct value triple(struct arena *a, struct value x, struct value y, struct value z)
{
    struct value t = value_list(a);
    t.tuple = true;
    value_push(t, x);
    value_push(t, y);
    value_push(t, z);
    return t;
}

static enum status selections(void *self, struct eval *ev, const struct value_args *args, struct value *ret)
{
    const struct table_page *p = self;
    struct arena *a = eval_arena(ev);
    (void)args;
    *ret = value_list(a);
    for (size_t i = 0; i < p->plan->selection_count; i++) {
        const struct query_selection *s = &p->plan->selections[i];
        value_push(*ret, triple(a, value_str(s->column), value_str(s->op), value_str(s->value)));
    }
    return STATUS_OK;
}

static enum status lookups(void *self, struct eval *ev, const struct value_args *args, struct value *ret)
{
    struct arena *a = eval_arena(ev);
    const struct query_op *op;
    (void)self;
    (void)args;
    *ret = value_list(a);
    for (size_t i = 0; (op = query_op_at(i)); i++)
        value_push(*ret, triple(a, value_cstr(op->key), value_cstr(op->display), value_bool(op->no_argument)));
    return STATUS_OK;
}

/* The filters in words; unlike the variable of that name without the order. */
static enum status human(void *self, struct eval *ev, const struct value_args *args, struct value *ret)
{
    const struct query_plan *plan = ((const struct table_page *)self)->plan;
    str column = plan->sort_desc.n ? plan->sort_desc : plan->sort, text = plan->human;
    str order = ARENA_CAT(eval_arena(ev), STR("sorted by "), column, plan->sort_desc.n ? STR(" descending") : STR(""));
    (void)args;
    if (column.n && str_ends(text, order))
        text = str_trim(str_sub(text, 0, text.n - order.n));
    *ret = value_str(text);
    return STATUS_OK;
}

static enum status has_selections(void *self, struct eval *ev, const struct value_args *args, struct value *ret)
{
    (void)ev;
    (void)args;
    *ret = value_bool(((const struct table_page *)self)->plan->selection_count > 0);
    return STATUS_OK;
}

static const struct value_class selections_class = {.name = "method", .call = selections};
static const struct value_class lookups_class = {.name = "method", .call = lookups};
static const struct value_class has_selections_class = {.name = "method", .call = has_selections};
static const struct value_class human_class = {.name = "method", .call = human};

static bool filters_attr(void *self, struct eval *ev, str name, struct value *ret)
{
    (void)ev;
    if (str_is(name, "selections"))
        *ret = value_object(&selections_class, self);
    else if (str_is(name, "lookups"))
        *ret = value_object(&lookups_class, self);
    else if (str_is(name, "has_selections"))
        *ret = value_object(&has_selections_class, self);
    else if (str_is(name, "human_description_en"))
        *ret = value_object(&human_class, self);
    else
        return false;
    return true;
}

static const struct value_class filters_class = {.name = "filters", .attr = filters_attr};

struct value filters_object(struct table_page *p)
{
    return value_object(&filters_class, p);
}
