/* SPDX-License-Identifier: Apache-2.0 */
/* query/search: `_search`, `_search_COLUMN`, `_searchmode`, `_fts_table`, `_fts_pk` -> FTS conditions.
 * The SQL names the function escape_fts(), which the connection provides (db/). */
#ifndef VITRINE_SITE_QUERY_SEARCH_H
#define VITRINE_SITE_QUERY_SEARCH_H

#include "site/query/plan.h"

/* Finds the FTS table (argument, else configuration, else schema), then appends conditions with :search or :search_N.
 * INVALID "Cannot search by that column". Without an FTS table the arguments are ignored. */
enum status query_search_apply(struct query_draft *d, struct err *err) MUST_USE;

#endif
