/* SPDX-License-Identifier: Apache-2.0 */
/* template: a Jinja2-compatible template engine. Templates are compiled once to a tree with resolved names and rendered
 * by any number of threads at the same time, straight into a buf.
 *
 * Life: make an env, add filters, tests, globals and tags, then render from any thread. Adding anything after the first
 * render is a bug (ASSERT). Compiled templates are cached by name, immutable and reference-counted: a render keeps
 * those it used until its arena is reset or freed, so values and text may point into them. */
#ifndef VITRINE_TEMPLATE_TEMPLATE_H
#define VITRINE_TEMPLATE_TEMPLATE_H

#include "codec/value.h"

struct template_env;

/* Where sources come from. Called from any thread, without locks held; must be thread-safe. Names are as written in the
 * templates ("default:base.html" is just a name). */
struct template_loader {
    void *self;
    /* *ret_source: UTF-8, in `a` or static; *ret_origin: where it came from, for messages (a path), may be empty.
     * NOT_FOUND when there is no such template; other statuses are reported as they are. */
    enum status (*load)(void *self, str name, struct arena *a, str *ret_source, str *ret_origin, struct err *err);
    /* A number that changes when the template of that name changes, appears or vanishes; called at every use of a name
     * (once a render). NULL = sources never change. */
    uint64_t (*stamp)(void *self, str name);
};

/* in: what stands left of the bar (or the rendered body of a tag); args: the rest. Returns OK or eval_fail(). */
typedef enum status template_filter_fn(struct eval *ev, struct value in, const struct value_args *args,
                                       struct value *ret);
typedef enum status template_test_fn(struct eval *ev, struct value in, const struct value_args *args, bool *ret);

/* loader: copied; its self must outlive the env. NULL = no templates by name (template_render_string only). */
struct template_env *template_env_new(const struct template_loader *loader) MUST_USE;
/* NULL is fine. Templates still kept by an arena die with that arena. */
void template_env_free(struct template_env *env);

/* Names are string literals or live as long as the env. A later one replaces an earlier one of the same name. */
void template_env_add_filter(struct template_env *env, const char *name, template_filter_fn *fn);
/* {% NAME args %} body {% endNAME %}: fn gets the rendered body (SAFE when autoescape is on). */
void template_env_add_block_tag(struct template_env *env, const char *name, template_filter_fn *fn);
/* Visible in every template below the variables. name and v are borrowed and must outlive the env; v is shared by
 * threads, so templates cannot change it. */
void template_env_set_global(struct template_env *env, str name, struct value v);
/* Autoescape is on, except for names that end with one of these (default: none added). `suffix` is borrowed. */
void template_env_no_autoescape(struct template_env *env, const char *suffix);
/* Loop rounds, calls and includes of one render, at most; then TOO_LARGE. Default LIMIT_TEMPLATE_STEPS. */
void template_env_max_steps(struct template_env *env, uint64_t steps);

/* Renders template `name` into `out` (appends; on failure out is as before).
 *   vars   DICT; its lists and dicts may be changed by the template where they live in `a`.
 *   a      everything made on the way; templates stay referenced until it is reset or freed. One thread at a time.
 * Returns OK; NOT_FOUND (no such template, also for extends and include); INVALID (syntax, undefined, wrong argument:
 * the text names template, line and expression); TOO_LARGE (a limit of base/limits.h LIMIT_TEMPLATE_* or out->max); or
 * what a host function failed with. Threads: any. Blocks: only as much as the loader does. */
enum status template_render(struct template_env *env, str name, struct value vars, struct arena *a, struct buf *out,
                            struct err *err) MUST_USE;
/* The same for a source that is not cached; `name` is for messages and decides about autoescape. */
enum status template_render_string(struct template_env *env, str name, str source, struct value vars, struct arena *a,
                                   struct buf *out, struct err *err) MUST_USE;

/* True when the loader has it, even if it does not compile. */
bool template_exists(struct template_env *env, str name);
/* First of names[0..n) that exists; false when none does. *ret is one of names. */
bool template_select(struct template_env *env, const str *names, size_t n, str *ret) MUST_USE;
/* Loads and compiles without rendering: for checks at start. */
enum status template_check(struct template_env *env, str name, struct err *err) MUST_USE;

#endif
