/* SPDX-License-Identifier: Apache-2.0 */
/* sql_function: sql(query, params, database=...) of templates, as datasette-template-sql has it: a list of rows.
 * Read-only, under the SQL time limit. Templates belong to whoever runs the site, so they may read everything that is
 * published: no permission is asked for. */
#ifndef VITRINE_SITE_RENDER_SQL_FUNCTION_H
#define VITRINE_SITE_RENDER_SQL_FUNCTION_H

#include "site/fetch.h"

/* self: the struct request. params: a dict of :names, or a list for ? in order. Without a database: the first one. */
enum status sql_function(void *self, struct eval *ev, const struct value_args *args, struct value *ret);
/* The same from C: `database` a name, or null for the first one. */
enum status sql_run(struct request *rq, struct value database, str sql, const struct query_param *params,
                    size_t param_count, struct rowset *ret, struct err *err) MUST_USE;

#endif
