/* SPDX-License-Identifier: Apache-2.0 */
/* template: a Jinja2-compatible engine. Knows nothing of HTTP or SQL.
 *
 * A template is compiled once into a tree of nodes and kept; any number of threads render it at the same time. A loader
 * finds the sources; its stamp tells when one has changed. docs/internals/template.md has the language and the limits. */
#ifndef VITRINE_TEMPLATE_TEMPLATE_H
#define VITRINE_TEMPLATE_TEMPLATE_H

#include "codec/value.h"

struct template_env;
struct eval;

struct template_loader {
    void *self;
    /* Source text and where it comes from (for messages), in the arena or static. NOT_FOUND when there is none. */
    enum status (*load)(void *self, str name, struct arena *a, str *ret_source, str *ret_origin, struct err *err);
    /* Changes when the source changes. NULL: never changes. */
    uint64_t (*stamp)(void *self, str name);
};

/* in | name(args): *ret in the eval's arena. Errors by eval_fail(). */
typedef enum status (*template_filter)(struct eval *ev, struct value in, const struct value_args *args, struct value *ret);
/* in is name(args) */
typedef enum status (*template_test)(struct eval *ev, struct value in, const struct value_args *args, bool *ret);

struct template_env *template_env_new(const struct template_loader *loader) MUST_USE;
void template_env_free(struct template_env *env); /* NULL is fine; nobody may render any more */
/* Before the first render, from one thread. Names are kept, not copied. */
void template_env_add_filter(struct template_env *env, const char *name, template_filter fn);
void template_env_add_test(struct template_env *env, const char *name, template_test fn);
/* {% name %} ... {% endname %}: fn gets the rendered body as SAFE text. */
void template_env_add_block_tag(struct template_env *env, const char *name, template_filter fn);
/* Visible in every template, imported ones too. The value must outlive the env. */
void template_env_set_global(struct template_env *env, const char *name, struct value v);

/* vars: DICT. `user` is given to host functions by eval_user(). Appends to `out`; on failure `out` may hold a part.
 * NOT_FOUND (no such template), INVALID (syntax or run-time error, with template, line and expression), TOO_LARGE
 * (out is full, too many steps, nested too deeply). Threads: any. */
enum status template_render(struct template_env *env, str name, struct value vars, void *user, struct arena *a,
                            struct buf *out, struct err *err) MUST_USE;
/* The same for a source text that is not kept. */
enum status template_render_text(struct template_env *env, str source, struct value vars, void *user, struct arena *a,
                                 struct buf *out, struct err *err) MUST_USE;
bool template_exists(struct template_env *env, str name);
/* First of the names that exists. */
bool template_select(struct template_env *env, const str *names, size_t count, str *ret_name);

#endif
