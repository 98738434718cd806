/* SPDX-License-Identifier: Apache-2.0 */
/* query/sql: rules for SQL that visitors write: is it a SELECT, which parameters does it name, what are they bound to.
 */
#ifndef VITRINE_SITE_QUERY_SQL_H
#define VITRINE_SITE_QUERY_SQL_H

#include "site/query/plan.h"

/* INVALID "Statement must be a SELECT", or the sentence that lists the allowed PRAGMA functions. A first gate with
 * exact messages; what a statement may touch is the authorizer's business. */
enum status query_sql_validate(struct arena *a, str sql, struct err *err) MUST_USE;

/* Names of the :parameters outside strings, quoted identifiers and comments; each once, in order of appearance. */
void query_sql_parameters(struct arena *a, str sql, const str **ret_names, size_t *ret_count);

/* Bindings for `names` out of the arguments (first value; "" when missing). Names that start with '_' have no default:
 * STATUS_SQL "You did not supply a value for binding parameter :_x." The argument `sql` is never a value. */
enum status query_sql_bind(struct arena *a, const struct args *args, const str *names, size_t count,
                           const struct query_param **ret_params, size_t *ret_count, struct err *err) MUST_USE;

#endif
