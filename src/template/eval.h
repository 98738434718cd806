/* SPDX-License-Identifier: Apache-2.0 */
/* eval: what host functions, filters and tests may do while a template is rendered. A struct eval belongs to one render
 * on one thread and dies with it. */
#ifndef VITRINE_TEMPLATE_EVAL_H
#define VITRINE_TEMPLATE_EVAL_H

#include "codec/value.h"

struct arena *eval_arena(struct eval *ev); /* the arena of the render: make results here */

/* Ends the render with a message; template, line and expression are put around it. Returns `status`, so that
 * `return eval_fail(ev, ...)` works. The first failure wins. */
enum status eval_fail(struct eval *ev, enum status status, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* i-th positional argument, else the keyword (NULL = none), else UNDEFINED. */
struct value eval_arg(const struct value_args *args, size_t i, const char *keyword);
/* The same with a type: false after eval_fail() when it is given and of another kind. *ret_x stays when it is absent.
 */
bool eval_arg_int(struct eval *ev, const struct value_args *args, size_t i, const char *keyword, int64_t *ret) MUST_USE;
bool eval_arg_str(struct eval *ev, const struct value_args *args, size_t i, const char *keyword, str *ret) MUST_USE;
bool eval_arg_bool(struct eval *ev, const struct value_args *args, size_t i, const char *keyword, bool *ret) MUST_USE;

/* Calls a function value (host OBJECT, macro, method). */
enum status eval_call(struct eval *ev, struct value fn, const struct value_args *args, struct value *ret) MUST_USE;
/* A variable as the running template sees it; UNDEFINED when absent. */
struct value eval_lookup(struct eval *ev, str name);

/* A LIST with the items of v: v itself when it is a LIST, the keys of a DICT, the characters of a text, what an OBJECT
 * gives when iterated. UNDEFINED: v cannot be iterated, or the rendering has failed. */
struct value eval_list(struct eval *ev, struct value v);

#endif
