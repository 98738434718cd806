/* SPDX-License-Identifier: Apache-2.0 */
/* query/sql: rules for SQL that visitors write: is it a SELECT, which parameters does it name. */
#ifndef VITRINE_SITE_QUERY_SQL_H
#define VITRINE_SITE_QUERY_SQL_H

#include "site/query/plan.h"

/* INVALID "Statement must be a SELECT", or the sentence that lists the allowed PRAGMA functions. A first gate with
 * exact messages; what a statement may touch is the authorizer's business. */
enum status query_sql_validate(struct arena *a, str sql, struct err *err) MUST_USE;

/* Names of the :parameters outside strings, quoted identifiers and comments; each once, in order of appearance. */
void query_sql_parameters(struct arena *a, str sql, const str **ret_names, size_t *ret_count);

#endif
