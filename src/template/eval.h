/* SPDX-License-Identifier: Apache-2.0 */
/* eval: what host functions, filters and tests may ask of a running template. Valid during the call only. */
#ifndef VITRINE_TEMPLATE_EVAL_H
#define VITRINE_TEMPLATE_EVAL_H

#include "codec/value.h"
#include "template/template.h"

struct arena *eval_arena(struct eval *ev);
void *eval_user(struct eval *ev);
/* Ends the rendering with a message; returns `status` so that `return eval_fail(...)` works. */
enum status eval_fail(struct eval *ev, enum status status, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Calls a callable value (function, macro). */
enum status eval_call(struct eval *ev, struct value fn, const struct value_args *args, struct value *ret) MUST_USE;
/* Variable of the template by name, or UNDEFINED. */
struct value eval_lookup(struct eval *ev, str name);
bool eval_autoescape(const struct eval *ev);

/* i-th positional argument, else the keyword of that name, else UNDEFINED. */
struct value args_value(const struct value_args *args, size_t i, const char *keyword);

#endif
