/* SPDX-License-Identifier: Apache-2.0 */
/* macro — {% macro %} and {% call %}: a body with parameters. It runs in the scope and for the template that it was
 * written in, so it sees nothing of the place that calls it. */
#include "template/run.h"

struct macro_value {
    const struct macro_def *def;
    struct scope *scope; /* it was defined in */
    const struct compiled *template;
    struct chain *chain;
    bool no_vars;
};

static const struct value_entry *find_keyword(const struct value_args *args, str name)
{
    for (size_t i = 0; i < args->keyword_count; i++)
        if (str_eq(args->keywords[i].key, name))
            return &args->keywords[i];
    return NULL;
}

static bool bind_macro(struct eval *ev, const struct macro_value *m, const struct value_args *args)
{
    const struct macro_def *d = m->def;
    for (size_t i = 0; i < d->param_count; i++) {
        const struct value_entry *keyword = find_keyword(args, d->params[i]);
        struct value v = VALUE_UNDEF;
        if (i < args->count)
            v = args->positional[i];
        else if (keyword)
            v = keyword->value;
        else if (d->defaults[i] && !run_expr(ev, d->defaults[i], &v))
            return false;
        scope_set(ev, ev->scope, d->params[i], v);
    }
    if (args->count > d->param_count && !d->uses_varargs)
        return run_fail(ev, ev->node, STATUS_INVALID, "macro '%.*s' takes not more than %zu argument(s)",
                        STR_ARG(d->name), d->param_count);
    struct value varargs = value_list(ev->arena), kwargs = value_dict(ev->arena);
    varargs.tuple = true;
    for (size_t i = d->param_count; i < args->count; i++)
        value_push(varargs, args->positional[i]);
    for (size_t i = 0; i < args->keyword_count; i++) {
        bool known = str_is(args->keywords[i].key, "caller");
        for (size_t k = 0; k < d->param_count; k++)
            known |= str_eq(args->keywords[i].key, d->params[k]);
        if (str_is(args->keywords[i].key, "caller"))
            scope_set(ev, ev->scope, STR("caller"), args->keywords[i].value);
        else if (!known && !d->uses_kwargs)
            return run_fail(ev, ev->node, STATUS_INVALID, "macro '%.*s' takes no keyword argument '%.*s'",
                            STR_ARG(d->name), STR_ARG(args->keywords[i].key));
        else if (!known)
            value_set(kwargs, args->keywords[i].key, args->keywords[i].value);
    }
    scope_set(ev, ev->scope, STR("varargs"), varargs);
    scope_set(ev, ev->scope, STR("kwargs"), kwargs);
    return true;
}

static enum status macro_call(void *self, struct eval *ev, const struct value_args *args, struct value *ret)
{
    const struct macro_value *m = self;
    struct scope *scope = ev->scope;
    const struct compiled *template = ev->template;
    struct chain *chain = ev->chain;
    bool no_vars = ev->no_vars;
    if (!run_enter(ev, ev->node))
        return ev->status;
    ev->scope = scope_new(ev, m->scope);
    ev->template = m->template;
    ev->chain = m->chain;
    ev->no_vars = m->no_vars;
    bool ok = bind_macro(ev, m, args) && run_capture(ev, m->def->body, ret);
    ev->scope = scope;
    ev->template = template;
    ev->chain = chain;
    ev->no_vars = no_vars;
    ev->depth--;
    return ok ? STATUS_OK : ev->status;
}

static bool macro_attr(void *self, struct eval *ev, str name, struct value *ret)
{
    const struct macro_value *m = self;
    if (str_is(name, "name")) {
        *ret = value_str(m->def->name);
        return true;
    }
    if (str_is(name, "arguments")) {
        *ret = value_list(ev->arena);
        for (size_t i = 0; i < m->def->param_count; i++)
            value_push(*ret, value_str(m->def->params[i]));
        return true;
    }
    return false;
}

static const struct value_class macro_class = {.name = "macro", .call = macro_call, .attr = macro_attr};

struct value macro_new(struct eval *ev, const struct macro_def *def)
{
    struct macro_value *m = ARENA_NEW(ev->arena, struct macro_value);
    *m = (struct macro_value){def, ev->scope, ev->template, ev->chain, ev->no_vars};
    return value_object(&macro_class, m);
}

bool run_call_block(struct eval *ev, const struct node *n)
{
    struct value fn, out;
    struct value_args args;
    if (!run_expr(ev, n->a->a, &fn) || !run_call_args(ev, n->a->args, &args))
        return false;
    struct value_entry *keywords = ARENA_ARRAY(ev->arena, struct value_entry, args.keyword_count + 1);
    for (size_t i = 0; i < args.keyword_count; i++)
        keywords[i] = args.keywords[i];
    keywords[args.keyword_count] = (struct value_entry){.key = STR("caller"), .value = macro_new(ev, n->macro)};
    args.keywords = keywords;
    args.keyword_count++;
    if (eval_call(ev, fn, &args, &out) != STATUS_OK)
        return run_fail(ev, n->a, STATUS_INVALID, "the call failed");
    return run_print(ev, n, out);
}
