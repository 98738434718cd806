/* SPDX-License-Identifier: Apache-2.0 */
/* run — statements. Output goes straight into the caller's buf; text nodes are slices of the kept source. How a
 * template runs, and what makes it quick, is told in docs/design/0040-template-engine.md. */
#include "template/run.h"

#include "base/clock.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/limits.h"

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

bool run_enter(struct eval *ev, const struct node *n)
{
    if (++ev->depth > RUN_DEPTH_MAX)
        return run_fail(ev, n, STATUS_TOO_LARGE, "templates, macros and blocks are nested deeper than %d",
                        RUN_DEPTH_MAX);
    return true;
}

/* ---- statements ---- */

static bool run_if(struct eval *ev, const struct node *n)
{
    for (size_t i = 0; i + 1 < n->count; i += 2) {
        struct value v;
        if (!run_value(ev, n->items[i], &v))
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

/* {% name %}...{% endname %} of no tag: the function of that name gets what stands between. */
static bool run_function_tag(struct eval *ev, const struct node *n, struct value body, struct value_args *args)
{
    struct value fn = eval_lookup(ev, n->text), v;
    if (fn.kind == VALUE_UNDEFINED)
        return run_fail(ev, n, STATUS_INVALID, "unknown tag '%.*s', and there is no function of that name",
                        STR_ARG(n->text));
    args->positional = &body;
    args->count = 1;
    if (eval_call(ev, fn, args, &v) != STATUS_OK)
        return run_fail(ev, n, STATUS_INVALID, "the tag failed");
    return run_print(ev, n, v);
}

static bool run_tag(struct eval *ev, const struct node *n)
{
    struct value v;
    struct value_args args;
    if (!run_capture(ev, n->body, &v) || !run_call_args(ev, n->args, &args))
        return false;
    if (!n->filter)
        return run_function_tag(ev, n, v, &args);
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
    ev->node = n;
    if (n->kind == N_OUTPUT) /* these two take no memory and no time of their own: their expressions count */
        return run_output(ev, n);
    if (n->kind == N_IF)
        return run_if(ev, n);
    if (!run_step(ev, n))
        return false;
    switch (n->kind) {
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
    for (size_t i = 0; i < body->count; i++) {
        const struct node *n = body->items[i];
        if (n->kind == N_TEXT)
            buf_puts(ev->out, n->text);
        else if (!run_node(ev, n))
            return false;
    }
    return run_fits(ev, NULL);
}
