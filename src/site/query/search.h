/* SPDX-License-Identifier: Apache-2.0 */
/* query/search: `_search`, `_search_COLUMN`, `_searchmode`, `_fts_table`, `_fts_pk` -> FTS conditions. */
#ifndef VITRINE_SITE_QUERY_SEARCH_H
#define VITRINE_SITE_QUERY_SEARCH_H

#include "site/query/plan.h"

/* Finds the FTS table (argument, else configuration, else schema), then appends conditions with :search or :search_N.
 * INVALID "Cannot search by that column". Without an FTS table the arguments are ignored. */
enum status query_search_apply(struct query_draft *d, struct err *err) MUST_USE;

/* The SQL function escape_fts(): splits on white space keeping "quoted parts", quotes every other word, closes an odd
 * quote. The result lives in the arena. */
str query_escape_fts(struct arena *a, str text);

#endif
