/* SPDX-License-Identifier: Apache-2.0 */
/* figures: what pages say about data without reading it all: counts, facets, suggestions. Looked up in what is kept,
 * kept when they were cheap, and worked out in the background (lane "figures") when they are not. */
#ifndef VITRINE_SITE_FIGURES_H
#define VITRINE_SITE_FIGURES_H

#include "site/fetch.h"
#include "site/figure_store.h"

/* A figure's key: the SQL with the values bound in it. */
str figure_key(struct arena *a, str sql, const struct query_param *params, size_t param_count);
/* From what is kept; memory of the request. */
enum figure_state figure_look(struct request *rq, str key, struct rowset *ret);
/* One integer likewise. */
enum figure_state figure_look_integer(struct request *rq, str key, int64_t *ret);

/* One that was looked for, and then worked out at once: kept when the request is over, if the data did not change since
 * it first looked; until then this request finds it. Rows and key live as long as the request. */
void figure_keep(struct request *rq, str key, const struct rowset *rows);
void figure_keep_integer(struct request *rq, str key, int64_t n);
/* The request is over, or goes on with another database. */
void figures_flush(struct request *rq);

/* Has the statement run in the background and its first `max_rows` rows kept under the key, unless that is not needed,
 * not possible, or too early (figure_store_claim). The answer that is being made must not be kept: it will soon be
 * better. */
void figure_want(struct request *rq, str key, str sql, const struct query_param *params, size_t param_count,
                 size_t max_rows);

/* The row count of a whole table likewise. The second way to look it up is for large tables only: it asks, once for
 * each database, what an earlier process left in the internal database, which is opened for that. */
str figure_count_key(struct arena *a, str table);
enum figure_state figure_look_left_count(struct request *rq, str table, int64_t *ret);
void figure_want_count(struct request *rq, str table);

#endif
