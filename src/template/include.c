/* SPDX-License-Identifier: Apache-2.0 */
/* include — templates inside templates: {% include %}, {% import %}, {% from %}. Each has a chain and a module scope of
 * its own. */
#include "template/run.h"

bool run_load(struct eval *ev, const struct node *n, str name, struct compiled **ret)
{
    enum status st = template_get(ev->env, name, ret, ev->err);
    if (st != STATUS_OK) {
        ev->status = st == STATUS_NOT_FOUND ? STATUS_INVALID : st;
        if (st == STATUS_NOT_FOUND)
            err_set(ev->err, STATUS_INVALID, "%.*s:%u: there is no template '%.*s'",
                    STR_ARG(ev->template ? ev->template->origin : STR("template")), n->line, STR_ARG(name));
        return false;
    }
    arena_defer(ev->arena, (void (*)(void *))template_unref, *ret);
    return true;
}

/* Another template with a chain and a module scope of its own. */
static bool run_separate(struct eval *ev, struct compiled *t, struct scope *parent, struct scope **ret_module)
{
    struct eval outer = *ev;
    struct chain *chain = ARENA_NEW(ev->arena, struct chain);
    if (!run_enter(ev, ev->node))
        return false;
    ev->chain = chain;
    ev->level = 0;
    ev->scope = ev->module = scope_new(ev, parent);
    ev->parent = NULL;
    bool ok = run_template(ev, t);
    if (ret_module)
        *ret_module = ev->module;
    ev->chain = outer.chain;
    ev->level = outer.level;
    ev->scope = outer.scope;
    ev->module = outer.module;
    ev->parent = outer.parent;
    ev->template = outer.template;
    ev->depth = outer.depth;
    return ok;
}

bool run_include(struct eval *ev, const struct node *n)
{
    struct value names;
    struct compiled *t = NULL;
    if (!run_expr(ev, n->a, &names))
        return false;
    struct value list = names;
    if (value_is_text(names)) {
        list = value_list(ev->arena);
        value_push(list, names);
    }
    if (list.kind != VALUE_LIST)
        return run_fail(ev, n->a, STATUS_INVALID, "{%% include %%} needs a name or a list of names");
    for (size_t i = 0; i < value_count(list) && !t; i++) {
        str name = value_to_str(ev->arena, value_at(list, i));
        bool last = i + 1 == value_count(list);
        if ((!last || n->flag2) && !template_exists(ev->env, name))
            continue;
        if (!run_load(ev, n, name, &t))
            return false;
    }
    if (!t)
        return n->flag2 || run_fail(ev, n->a, STATUS_INVALID, "none of the templates to include exists");
    bool no_vars = ev->no_vars;
    ev->no_vars = no_vars || !n->flag;
    bool ok = run_separate(ev, t, n->flag ? ev->scope : NULL, NULL);
    ev->no_vars = no_vars;
    return ok;
}

static bool module_attr(void *self, struct eval *ev, str name, struct value *ret)
{
    const struct scope *s = self;
    (void)ev;
    for (size_t i = 0; i < s->count; i++) {
        if (str_eq(s->vars[i].name, name)) {
            *ret = s->vars[i].value;
            return true;
        }
    }
    return false;
}

static const struct value_class module_class = {.name = "module", .attr = module_attr};

static bool import_module(struct eval *ev, const struct node *n, struct scope **ret)
{
    struct value name;
    struct compiled *t;
    struct buf *out = ev->out, discarded;
    if (!run_expr(ev, n->a, &name))
        return false;
    if (!value_is_text(name))
        return run_fail(ev, n->a, STATUS_INVALID, "{%% import %%} needs the name of a template");
    if (!run_load(ev, n, name.s, &t))
        return false;
    buf_init(&discarded, out->max);
    bool no_vars = ev->no_vars;
    ev->out = &discarded;
    ev->no_vars = no_vars || !n->flag;
    bool ok = run_separate(ev, t, n->flag ? ev->scope : NULL, ret);
    ev->no_vars = no_vars;
    ev->out = out;
    buf_release(&discarded);
    return ok;
}

bool run_import(struct eval *ev, const struct node *n)
{
    struct scope *module;
    if (!import_module(ev, n, &module))
        return false;
    if (n->kind == N_IMPORT) {
        scope_set(ev, ev->scope, n->text, value_object(&module_class, module));
        return true;
    }
    for (size_t i = 0; i < n->count; i++) {
        struct value v = VALUE_UNDEF;
        module_attr(module, ev, n->names[i], &v);
        scope_set(ev, ev->scope, n->aliases[i], v);
    }
    return true;
}
