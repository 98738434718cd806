/* SPDX-License-Identifier: Apache-2.0 */
/* query/filters: `?column__op=value` -> SQL conditions. The 22 operators are one table (filters.c). */
#ifndef VITRINE_SITE_QUERY_FILTERS_H
#define VITRINE_SITE_QUERY_FILTERS_H

#include "site/query/plan.h"

struct query_op {
    const char *key;     /* "gte" */
    const char *display; /* "≥": text of the choice in the filter form */
    bool no_argument;    /* isnull and friends: takes no value */
};

/* The operators in the order of the filter form; NULL past the last. Static; any thread. */
const struct query_op *query_op_at(size_t i);

/* One filter of the query string, known operator or not (unknown ones make no SQL but are shown by the form). */
struct query_selection {
    str column, op, value;
};

/* Pairs sorted by (key, value); op is what follows the last `__`, else "exact". */
void query_selections(struct arena *a, const struct args *args, struct query_selection **ret, size_t *ret_count);

/* Appends the conditions and parameters :p0.. of all selections to the draft. INVALID: `in=[` with bad JSON, or nested
 * values in it; a number that does not fit 64 bits. */
enum status query_filters_apply(struct query_draft *d, struct err *err) MUST_USE;
/* where.c: `_where` (FORBIDDEN "_where= is not allowed"), appended verbatim, and the links that remove each. */
enum status query_where_apply(struct query_draft *d, struct err *err) MUST_USE;
/* through.c: `_through={"table","column","value"}`. INVALID when not such JSON or when no foreign key leads here. */
enum status query_through_apply(struct query_draft *d, struct err *err) MUST_USE;
/* Appends the human text of one selection ("state = \"CA\""); false for an unknown operator. */
bool query_selection_human(struct arena *a, const struct query_selection *s, str *ret);

#endif
