/* SPDX-License-Identifier: Apache-2.0 */
/* run — statements. Output goes straight into the caller's buf; text nodes are slices of the kept source. */
#include "template/run.h"

#include "base/clock.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/limits.h"
#include "codec/html_escape.h"

#define SOURCE_SHOWN 160 /* bytes of an expression in a message */

bool run_fail(struct eval *ev, const struct node *n, enum status status, const char *fmt, ...)
{
    if (ev->status != STATUS_OK)
        return false;
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    ev->status = status;
    str origin = ev->template ? ev->template->origin : STR("template");
    str source = n ? utf8_cut(n->source, SOURCE_SHOWN) : STR("");
    if (source.n)
        err_set(ev->err, status, "%.*s:%u: %s, in {{ %.*s%s }}", STR_ARG(origin), n->line, text, STR_ARG(source),
                source.n < n->source.n ? "..." : "");
    else
        err_set(ev->err, status, "%.*s:%u: %s", STR_ARG(origin), n ? n->line : 0, text);
    return false;
}

enum status eval_fail(struct eval *ev, enum status status, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    run_fail(ev, ev->node, status, "%s", text);
    return ev->status;
}

struct arena *eval_arena(struct eval *ev)
{
    return ev->arena;
}

void *eval_user(struct eval *ev)
{
    return ev->user;
}

bool eval_autoescape(const struct eval *ev)
{
    return ev->autoescape;
}

struct value eval_arg(const struct value_args *args, size_t i, const char *keyword)
{
    if (i < args->count)
        return args->positional[i];
    for (size_t k = 0; keyword && k < args->keyword_count; k++)
        if (str_is(args->keywords[k].key, keyword))
            return args->keywords[k].value;
    return VALUE_UNDEF;
}

static bool typed(struct eval *ev, struct value v, bool fits, const char *keyword, const char *wanted)
{
    if (v.kind != VALUE_UNDEFINED && !fits)
        eval_fail(ev, STATUS_INVALID, "%s must be %s", keyword ? keyword : "the argument", wanted);
    return v.kind == VALUE_UNDEFINED || fits;
}

bool eval_arg_int(struct eval *ev, const struct value_args *args, size_t i, const char *keyword, int64_t *ret)
{
    struct value v = eval_arg(args, i, keyword);
    if (v.kind == VALUE_INT)
        *ret = v.i;
    return typed(ev, v, v.kind == VALUE_INT, keyword, "a whole number");
}

bool eval_arg_str(struct eval *ev, const struct value_args *args, size_t i, const char *keyword, str *ret)
{
    struct value v = eval_arg(args, i, keyword);
    if (value_is_text(v))
        *ret = v.s;
    return typed(ev, v, value_is_text(v) || v.kind == VALUE_NONE, keyword, "a text");
}

bool eval_arg_bool(struct eval *ev, const struct value_args *args, size_t i, const char *keyword, bool *ret)
{
    struct value v = eval_arg(args, i, keyword);
    if (v.kind == VALUE_BOOL)
        *ret = v.b;
    return typed(ev, v, v.kind == VALUE_BOOL, keyword, "true or false");
}

/* ---- scopes ---- */

struct scope *scope_new(struct eval *ev, struct scope *parent)
{
    struct scope *s = ARENA_NEW(ev->arena, struct scope);
    s->parent = parent;
    return s;
}

void scope_set(struct eval *ev, struct scope *s, str name, struct value v)
{
    for (size_t i = 0; i < s->count; i++) {
        if (str_eq(s->vars[i].name, name)) {
            s->vars[i].value = v;
            return;
        }
    }
    if (s->count == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 4;
        s->vars = arena_grow(ev->arena, s->vars, s->cap * sizeof *s->vars, cap * sizeof *s->vars);
        s->cap = cap;
    }
    s->vars[s->count++] = (struct var){name, v};
}

struct value eval_lookup(struct eval *ev, str name)
{
    for (const struct scope *s = ev->scope; s; s = s->parent)
        for (size_t i = s->count; i-- > 0;)
            if (s->vars[i].name.n == name.n && (s->vars[i].name.p == name.p || str_eq(s->vars[i].name, name)))
                return s->vars[i].value;
    struct value v = ev->no_vars ? VALUE_UNDEF : value_get(ev->vars, name);
    if (v.kind != VALUE_UNDEFINED)
        return v;
    for (size_t i = 0; i < ev->env->global_count; i++)
        if (str_is(name, ev->env->globals[i].name))
            return ev->env->globals[i].value;
    if (str_is(name, "self"))
        return value_object(&self_class, ev);
    return global_lookup(name, &v) ? v : VALUE_UNDEF;
}

bool assign(struct eval *ev, const struct node *target, struct value v)
{
    if (target->kind == N_NAME) {
        scope_set(ev, ev->scope, target->text, v);
        return true;
    }
    if (target->kind == N_ATTR) {
        struct value ns;
        if (!run_expr(ev, target->a, &ns))
            return false;
        if (ns.kind != VALUE_OBJECT || strcmp(ns.object.class->name, "namespace") != 0)
            return run_fail(ev, target, STATUS_INVALID, "only attributes of a namespace() can be set");
        value_set((struct value){.kind = VALUE_DICT, .dict = ns.object.self}, target->text, v);
        return true;
    }
    struct iter it;
    if (!iter_begin(ev, target, v, &it))
        return false;
    for (size_t i = 0; i < target->count; i++) {
        struct value item;
        if (!iter_next(ev, &it, &item))
            return run_fail(ev, target, STATUS_INVALID, "not enough values to unpack (expected %zu, got %zu)",
                            target->count, i);
        if (!assign(ev, target->items[i], item))
            return false;
    }
    struct value extra;
    if (iter_next(ev, &it, &extra))
        return run_fail(ev, target, STATUS_INVALID, "too many values to unpack (expected %zu)", target->count);
    return true;
}

/* ---- output ---- */

str value_text(struct eval *ev, struct value v)
{
    if (v.kind == VALUE_OBJECT && v.object.class->text)
        v = v.object.class->text(v.object.self, ev);
    return value_to_str(ev->arena, v);
}

str value_html(struct eval *ev, struct value v)
{
    if (v.kind == VALUE_SAFE)
        return v.s;
    if (v.kind == VALUE_OBJECT && v.object.class->text) {
        v = v.object.class->text(v.object.self, ev);
        if (v.kind == VALUE_SAFE)
            return v.s;
    }
    return html_escape_arena(ev->arena, value_to_str(ev->arena, v));
}

bool run_fits(struct eval *ev, const struct node *n)
{
    return LIKELY(!ev->out->over) ||
           run_fail(ev, n, STATUS_TOO_LARGE, "the page is larger than %zu bytes", ev->out->max);
}

bool run_print(struct eval *ev, const struct node *n, struct value v)
{
    if (v.kind == VALUE_OBJECT && v.object.class->text)
        v = v.object.class->text(v.object.self, ev);
    if (v.kind == VALUE_SAFE || (v.kind == VALUE_STR && !ev->autoescape))
        buf_puts(ev->out, v.s);
    else if (v.kind == VALUE_STR)
        html_escape(ev->out, v.s);
    else if (v.kind == VALUE_INT)
        buf_put_i64(ev->out, v.i);
    else if (ev->autoescape)
        html_escape(ev->out, value_to_str(ev->arena, v));
    else
        buf_puts(ev->out, value_to_str(ev->arena, v));
    return run_fits(ev, n);
}

bool run_capture(struct eval *ev, const struct node *body, struct value *ret)
{
    struct buf *outer = ev->out, text;
    buf_init(&text, outer->max);
    ev->out = &text;
    bool ok = run_body(ev, body);
    ev->out = outer;
    if (ok) {
        str s = arena_str(ev->arena, buf_str(&text));
        *ret = ev->autoescape ? value_safe(s) : value_str(s);
    }
    buf_release(&text);
    return ok;
}

/* ---- macros ---- */

struct macro_value {
    const struct macro_def *def;
    struct scope *scope; /* it was defined in */
    const struct compiled *template;
    struct chain *chain;
    bool no_vars;
};

static bool enter(struct eval *ev, const struct node *n)
{
    if (++ev->depth > RUN_DEPTH_MAX)
        return run_fail(ev, n, STATUS_TOO_LARGE, "templates, macros and blocks are nested deeper than %d",
                        RUN_DEPTH_MAX);
    return true;
}

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
    if (!enter(ev, ev->node))
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

static struct value macro_new(struct eval *ev, const struct macro_def *def)
{
    struct macro_value *m = ARENA_NEW(ev->arena, struct macro_value);
    *m = (struct macro_value){def, ev->scope, ev->template, ev->chain, ev->no_vars};
    return value_object(&macro_class, m);
}

static bool run_call_block(struct eval *ev, const struct node *n)
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

/* ---- blocks and inheritance ---- */

static const struct node *find_block(const struct chain *chain, str name, size_t *level)
{
    for (; *level < chain->count; (*level)++) {
        const struct compiled *t = chain->templates[*level];
        for (size_t i = 0; i < t->block_count; i++)
            if (str_eq(t->blocks[i].name, name))
                return t->blocks[i].node;
    }
    return NULL;
}

struct super_value {
    str name;
    size_t level; /* first level to look at */
};

static bool run_block_at(struct eval *ev, str name, size_t level, struct scope *parent, bool *ret_found);

static enum status super_call(void *self, struct eval *ev, const struct value_args *args, struct value *ret)
{
    const struct super_value *s = self;
    struct buf *outer = ev->out, text;
    bool found = false;
    (void)args;
    buf_init(&text, outer->max);
    ev->out = &text;
    bool ok = run_block_at(ev, s->name, s->level, ev->module, &found);
    ev->out = outer;
    *ret = value_safe(arena_str(ev->arena, buf_str(&text)));
    buf_release(&text);
    if (ok && !found)
        return eval_fail(ev, STATUS_INVALID, "there is no parent block '%.*s'", STR_ARG(s->name));
    return ok ? STATUS_OK : ev->status;
}

static const struct value_class super_class = {.name = "super", .call = super_call};

static bool run_block_at(struct eval *ev, str name, size_t level, struct scope *parent, bool *ret_found)
{
    const struct node *block = find_block(ev->chain, name, &level);
    *ret_found = block != NULL;
    if (!block)
        return true;
    if (!enter(ev, block))
        return false;
    struct scope *scope = ev->scope;
    const struct compiled *template = ev->template;
    size_t outer_level = ev->level;
    struct super_value *super = ARENA_NEW(ev->arena, struct super_value);
    *super = (struct super_value){name, level + 1};
    ev->scope = scope_new(ev, parent);
    ev->template = ev->chain->templates[level];
    ev->level = level;
    scope_set(ev, ev->scope, STR("super"), value_object(&super_class, super));
    bool ok = run_body(ev, block->body);
    ev->scope = scope;
    ev->template = template;
    ev->level = outer_level;
    ev->depth--;
    return ok;
}

/* self.NAME(): a block once more, by name. */
static enum status self_block_call(void *self, struct eval *ev, const struct value_args *args, struct value *ret)
{
    const struct super_value *s = self;
    return super_call(&(struct super_value){s->name, 0}, ev, args, ret);
}

static const struct value_class self_block_class = {.name = "block", .call = self_block_call};

static bool self_attr(void *self, struct eval *ev, str name, struct value *ret)
{
    size_t level = 0;
    (void)self;
    if (!find_block(ev->chain, name, &level))
        return false;
    struct super_value *s = ARENA_NEW(ev->arena, struct super_value);
    *s = (struct super_value){name, 0};
    *ret = value_object(&self_block_class, s);
    return true;
}

const struct value_class self_class = {.name = "self", .attr = self_attr};

static bool run_block(struct eval *ev, const struct node *n)
{
    bool found;
    if (ev->parent) /* a child template only defines its blocks */
        return true;
    return run_block_at(ev, n->text, 0, n->flag ? ev->scope : ev->module, &found);
}

static bool load_template(struct eval *ev, const struct node *n, str name, struct compiled **ret)
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

static bool run_extends(struct eval *ev, const struct node *n)
{
    struct value name;
    if (!run_expr(ev, n->a, &name))
        return false;
    if (!value_is_text(name))
        return run_fail(ev, n->a, STATUS_INVALID, "{%% extends %%} needs the name of a template");
    if (ev->chain->count == RUN_CHAIN_MAX)
        return run_fail(ev, n, STATUS_TOO_LARGE, "the chain of {%% extends %%} is longer than %d", RUN_CHAIN_MAX);
    return load_template(ev, n, name.s, &ev->parent);
}

bool run_template(struct eval *ev, struct compiled *t)
{
    struct buf *out = ev->out, discarded;
    bool ok = true;
    buf_init(&discarded, out->max);
    for (struct compiled *now = t; ok && now; now = ev->parent) {
        ev->chain->templates[ev->chain->count++] = now;
        ev->template = now;
        ev->parent = NULL;
        ok = true;
        for (size_t i = 0; ok && i < now->root->count; i++) {
            /* what follows {% extends %} runs for its names only */
            ev->out = ev->parent ? &discarded : out;
            const struct node single = {
                .kind = N_BODY, .items = &now->root->items[i], .count = 1, .line = now->root->items[i]->line};
            ok = run_body(ev, &single);
            buf_clear(&discarded);
        }
    }
    ev->out = out;
    buf_release(&discarded);
    return ok;
}

/* Another template with a chain and a module scope of its own. */
static bool run_separate(struct eval *ev, struct compiled *t, struct scope *parent, struct scope **ret_module)
{
    struct eval outer = *ev;
    struct chain *chain = ARENA_NEW(ev->arena, struct chain);
    if (!enter(ev, ev->node))
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

static bool run_include(struct eval *ev, const struct node *n)
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
        if (!load_template(ev, n, name, &t))
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
    if (!load_template(ev, n, name.s, &t))
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

static bool run_import(struct eval *ev, const struct node *n)
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

/* ---- statements ---- */

static bool run_if(struct eval *ev, const struct node *n)
{
    for (size_t i = 0; i + 1 < n->count; i += 2) {
        struct value v;
        if (!run_expr(ev, n->items[i], &v))
            return false;
        if (value_truth(v))
            return run_body(ev, n->items[i + 1]);
    }
    return !n->else_body || run_body(ev, n->else_body);
}

/* A filter chain whose innermost input is NULL: {% filter %} and {% set x | filter %}. */
static bool run_chain(struct eval *ev, const struct node *n, struct value in, struct value *ret)
{
    struct value_args args;
    if (!n) {
        *ret = in;
        return true;
    }
    if (!run_chain(ev, n->a, in, &in) || !run_call_args(ev, n->args, &args))
        return false;
    if (n->filter(ev, in, &args, ret) != STATUS_OK)
        return run_fail(ev, n, STATUS_INVALID, "filter '%.*s' failed", STR_ARG(n->text));
    return true;
}

static bool run_set_block(struct eval *ev, const struct node *n)
{
    struct value v;
    return run_capture(ev, n->body, &v) && run_chain(ev, n->b, v, &v) && assign(ev, n->a, v);
}

static bool run_with(struct eval *ev, const struct node *n)
{
    struct scope *outer = ev->scope, *inner = scope_new(ev, outer);
    bool ok = true;
    for (size_t i = 0; ok && i + 1 < n->count; i += 2) {
        struct value v;
        ok = run_expr(ev, n->items[i + 1], &v);
        ev->scope = inner;
        ok = ok && assign(ev, n->items[i], v);
        ev->scope = outer;
    }
    ev->scope = inner;
    ok = ok && run_body(ev, n->body);
    ev->scope = outer;
    return ok;
}

static bool run_autoescape(struct eval *ev, const struct node *n)
{
    struct value v;
    bool outer = ev->autoescape;
    if (!run_expr(ev, n->a, &v))
        return false;
    ev->autoescape = value_truth(v);
    bool ok = run_body(ev, n->body);
    ev->autoescape = outer;
    return ok;
}

static bool run_tag(struct eval *ev, const struct node *n)
{
    struct value v;
    struct value_args args;
    if (!run_capture(ev, n->body, &v) || !run_call_args(ev, n->args, &args))
        return false;
    if (n->filter(ev, v, &args, &v) != STATUS_OK)
        return run_fail(ev, n, STATUS_INVALID, "the tag failed");
    return run_print(ev, n, v);
}

bool run_step_slow(struct eval *ev, const struct node *n)
{
    if (ev->status != STATUS_OK)
        return false;
    if (ev->steps > ev->max_steps)
        return run_fail(ev, n, STATUS_TOO_LARGE, "the template takes too many steps");
    if (arena_over(ev->arena))
        return run_fail(ev, n, STATUS_TOO_LARGE, "the template takes too much memory");
    if (clock_mono_us() > ev->deadline_us)
        return run_fail(ev, n, STATUS_TIMEOUT, "the template takes more than %d seconds", LIMIT_TEMPLATE_MS / 1000);
    return true;
}

static bool run_node(struct eval *ev, const struct node *n)
{
    struct value v;
    if (!run_step(ev, n))
        return false;
    ev->node = n;
    switch (n->kind) {
    case N_TEXT:
        buf_puts(ev->out, n->text);
        return run_fits(ev, NULL);
    case N_OUTPUT:
        return run_output(ev, n);
    case N_IF:
        return run_if(ev, n);
    case N_FOR:
        return run_for(ev, n);
    case N_SET:
        return run_expr(ev, n->b, &v) && assign(ev, n->a, v);
    case N_SET_BLOCK:
        return run_set_block(ev, n);
    case N_BLOCK:
        return run_block(ev, n);
    case N_EXTENDS:
        return run_extends(ev, n);
    case N_INCLUDE:
        return run_include(ev, n);
    case N_IMPORT:
    case N_FROM_IMPORT:
        return run_import(ev, n);
    case N_MACRO:
        scope_set(ev, ev->scope, n->text, macro_new(ev, n->macro));
        return true;
    case N_CALL_BLOCK:
        return run_call_block(ev, n);
    case N_FILTER_BLOCK:
        return run_capture(ev, n->body, &v) && run_chain(ev, n->a, v, &v) && run_print(ev, n, v);
    case N_WITH:
        return run_with(ev, n);
    case N_DO:
        return run_expr(ev, n->a, &v);
    case N_AUTOESCAPE:
        return run_autoescape(ev, n);
    case N_TAG:
        return run_tag(ev, n);
    case N_BODY:
        return run_body(ev, n);
    default:
        return run_fail(ev, n, STATUS_INTERNAL, "not a statement");
    }
}

bool run_body(struct eval *ev, const struct node *body)
{
    for (size_t i = 0; i < body->count; i++)
        if (!run_node(ev, body->items[i]))
            return false;
    return true;
}
