/* SPDX-License-Identifier: Apache-2.0 */
/* run: the state of one rendering, shared by the statement and the expression interpreter. Private to this folder.
 *
 * Scopes: a chain of small arrays, searched from the innermost out; the module scope of a template holds its top-level
 * names and its parent is nothing but the render variables. `for`, macros, blocks, includes open scopes; `if` does not.
 * Blocks and macros run with the module scope as parent, so they do not see the locals of the place they are used at.
 */
#ifndef VITRINE_TEMPLATE_RUN_H
#define VITRINE_TEMPLATE_RUN_H

#include "base/limits.h"
#include "template/ast.h"
#include "template/eval.h"

#define RUN_DEPTH_MAX   LIMIT_TEMPLATE_DEPTH
#define RUN_CHAIN_MAX   32 /* templates in one chain of {% extends %} */
#define RUN_CLOCK_STEPS 64 /* a look at the clock each so many steps: one step may be the sorting of a long list */

struct var {
    str name;
    uint32_t hash; /* value_hash of the name */
    struct value value;
};

/* Only the innermost scope is ever written to, so what `names` says of those around it stays true. */
struct scope {
    struct scope *parent;
    uint64_t names; /* one bit of the hash of each name in here and in the parents: 0 = surely not there */
    struct var *vars;
    size_t count, cap;
};

struct chain { /* templates of one inheritance chain, most derived first */
    struct compiled *templates[RUN_CHAIN_MAX];
    size_t count;
};

struct eval {
    struct template_env *env;
    struct arena *arena;
    struct buf *out;
    struct value vars; /* DICT given to template_render */
    bool no_vars;      /* inside an import without context */
    struct err *err;
    enum status status; /* of the failure; OK while running */
    bool autoescape;
    struct scope *scope, *module;
    struct chain *chain;
    size_t level;            /* place in the chain of what runs now */
    const struct node *node; /* statement being run, for messages */
    const struct compiled *template;
    struct compiled *parent; /* set by {% extends %} */
    unsigned depth;
    uint64_t steps, max_steps;
    int64_t deadline_us; /* of the monotonic clock */
};

bool run_body(struct eval *ev, const struct node *body);
bool run_template(struct eval *ev, struct compiled *t); /* with its own chain and module scope set up by the caller */
/* Runs `body` into text; SAFE when autoescaping. */
bool run_capture(struct eval *ev, const struct node *body, struct value *ret);
bool run_expr(struct eval *ev, const struct node *n, struct value *ret);
bool run_output(struct eval *ev, const struct node *n); /* {{ ... }} */
bool run_fits(struct eval *ev, const struct node *n);   /* fails when the page got too large */
bool run_call_args(struct eval *ev, const struct call_args *in, struct value_args *ret);

/* Always false. The message gets place and expression in front. */
bool run_fail(struct eval *ev, const struct node *n, enum status status, const char *fmt, ...) PRINTF_LIKE(4, 5);

/* Counts a step; false when the rendering failed, or uses too many steps, too much memory or too much time. */
bool run_step_slow(struct eval *ev, const struct node *n);
static inline bool run_step(struct eval *ev, const struct node *n)
{
    if (LIKELY(++ev->steps % RUN_CLOCK_STEPS && ev->steps <= ev->max_steps && ev->status == STATUS_OK &&
               !arena_over(ev->arena)))
        return true;
    return run_step_slow(ev, n);
}

/* One level deeper into templates, macros and blocks; the caller takes it off ev->depth again. */
bool run_enter(struct eval *ev, const struct node *n);

/* scope.c */
struct scope *scope_new(struct eval *ev, struct scope *parent);
void scope_set(struct eval *ev, struct scope *s, str name, struct value v);
void scope_put(struct eval *ev, struct scope *s, str name, uint32_t hash, struct value v);
struct value scope_look(struct eval *ev, str name, uint32_t hash); /* UNDEFINED when absent */
bool assign(struct eval *ev, const struct node *target, struct value v);

/* run_expr for the two most frequent kinds of nodes without a call. */
static inline bool run_value(struct eval *ev, const struct node *n, struct value *ret)
{
    if (n->kind == N_NAME) {
        *ret = scope_look(ev, n->text, n->hash);
        return true;
    }
    if (n->kind == N_CONST) {
        *ret = n->constant;
        return true;
    }
    return run_expr(ev, n, ret);
}

/* macro.c */
struct value macro_new(struct eval *ev, const struct macro_def *def);
bool run_call_block(struct eval *ev, const struct node *n);
/* inherit.c */
bool run_block(struct eval *ev, const struct node *n);
bool run_extends(struct eval *ev, const struct node *n);
/* include.c */
bool run_load(struct eval *ev, const struct node *n, str name, struct compiled **ret); /* kept by the arena */
bool run_include(struct eval *ev, const struct node *n);
bool run_import(struct eval *ev, const struct node *n);

/* Appends a value, escaped when autoescaping asks for it. */
bool run_print(struct eval *ev, const struct node *n, struct value v);

/* Iteration over anything: prepare once, then item by item. */
struct iter {
    struct value of;
    str text;
    size_t at;      /* next index; bytes for text */
    int64_t length; /* -1 = unknown */
};
bool iter_begin(struct eval *ev, const struct node *n, struct value of, struct iter *ret);
bool iter_next(struct eval *ev, struct iter *it, struct value *ret);
struct value iter_list(struct eval *ev, struct value of); /* as a LIST; UNDEFINED when it cannot be iterated */

extern const struct value_class self_class; /* of `self` in templates */

/* ops.c */
bool op_binary(struct eval *ev, const struct node *n, enum op op, struct value a, struct value b, struct value *ret);
bool op_compare(struct eval *ev, const struct node *n, enum op op, struct value a, struct value b, bool *ret);
int op_order(struct value a, struct value b, bool *ret_comparable); /* <0, 0, >0 */
bool op_contains(struct eval *ev, struct value container, struct value item);
/* text; SAFE when one is SAFE. Too much text: empty, and the rendering has failed. */
struct value op_concat(struct eval *ev, const struct value *items, size_t count);
/* a.name; false = undefined. hash: value_hash of the name */
bool op_attr_hashed(struct eval *ev, struct value of, str name, uint32_t hash, struct value *ret);
bool op_attr(struct eval *ev, struct value of, str name, struct value *ret);
bool op_item(struct eval *ev, struct value of, struct value key, struct value *ret);
struct value op_slice(struct eval *ev, struct value of, const int64_t *from, const int64_t *to, int64_t step);
int64_t op_length(struct eval *ev, struct value v); /* -1 = has none */
/* methods.c: a.name(args) of built-in types; false = there is no such method */
bool method_call(struct eval *ev, struct value of, str name, const struct value_args *args, struct value *ret,
                 bool *ret_found);
/* format.c: "{:,}".format(x) and "%s" % x */
bool format_braces(struct eval *ev, str fmt, bool safe, const struct value_args *args, struct value *ret);
bool format_percent(struct eval *ev, str fmt, bool safe, struct value arg, struct value *ret);
/* loop.c */
bool run_for(struct eval *ev, const struct node *n);

extern const struct named_filter builtin_filters[];
extern const size_t builtin_filter_count;
extern const struct named_test builtin_tests[];
extern const size_t builtin_test_count;
bool global_lookup(str name, struct value *ret); /* range, dict, namespace, cycler, joiner */

/* letters.c: how = 'u'pper, 'l'ower, 't'itle, 'c'apitalize, 's'wap. Latin, Greek and Cyrillic letters. */
str letters_case(struct arena *a, str s, char how);

str value_text(struct eval *ev, struct value v); /* what printing gives, unescaped */
str value_html(struct eval *ev, struct value v); /* escaped unless SAFE */

#endif
