/* SPDX-License-Identifier: Apache-2.0 */
/* functions: what every template may call: static(), sql(), crumb_items(), zip() and so on. One table a family. */
#ifndef VITRINE_SITE_RENDER_FUNCTIONS_H
#define VITRINE_SITE_RENDER_FUNCTIONS_H

#include "codec/value.h"

struct request;

struct function {
    const char *name;
    struct value_class class;
};

/* i-th positional argument, else the keyword, as text; empty when absent or none. */
str function_text(struct eval *ev, const struct value_args *args, size_t i, const char *keyword);
/* The function of that name, bound to `self`. */
bool function_find(const struct function *table, size_t count, void *self, str name, struct value *ret);

/* Adds urls, request and all functions to vars; a variable of the page goes before a function of the same name. */
void functions_add(struct request *rq, struct value vars);

#endif
