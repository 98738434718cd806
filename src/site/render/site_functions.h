/* SPDX-License-Identifier: Apache-2.0 */
/* site_functions: what the configuration adds for templates, in place of Datasette's hook extra_template_vars().
 *
 *   template_variables:  NAME: a value, or {sql: ..., database: ...}: the first column of its first row
 *   template_functions:  NAME: {sql: ..., database: ..., scalar: true}: called in a template, gives rows as sql() does,
 *                        or with `scalar` the first column of the first row
 *
 * The SQL's :parameters are, in this order: keyword arguments of the call, columns of the one row (or dict) it is
 * called with, arguments in order, arguments of the address; else NULL. */
#ifndef VITRINE_SITE_RENDER_SITE_FUNCTIONS_H
#define VITRINE_SITE_RENDER_SITE_FUNCTIONS_H

#include "site/request.h"

/* Variables of the page go before these. Statuses: those of the SQL. */
enum status site_functions_add(struct request *rq, struct value vars, struct err *err) MUST_USE;

#endif
