/* SPDX-License-Identifier: Apache-2.0 */
/* history: what the pages and the API say of the changes of a table (db/history.h). Workers. */
#ifndef VITRINE_SITE_HISTORY_H
#define VITRINE_SITE_HISTORY_H

#include "db/history.h"
#include "site/request.h"

#define HISTORY_WEB "web" /* by which way: pages and the API */

/* Who sees a table only because it was shared sees what is in it, not what was. */
bool history_may_see(const struct request *rq, const struct schema_table *t);
/* The name of the table's history when it has one (and it may be seen), by rq->schema: no I/O; p == NULL when there is
 * none. */
const char *history_of(const struct request *rq, const struct schema_table *t);
/* Changes by q into LIST of DICT {version, at, op, who, via, row, before, after, changed}; *ret_next is the version to
 * pass as q->below for older ones, 0 = there are none. */
enum status history_values(struct request *rq, const struct history_info *info, const struct history_query *q,
                           struct value *ret, int64_t *ret_next, struct err *err) MUST_USE;
/* For templates: the same with the row's key, address and title, each column's difference in pieces, and how it may be
 * undone by this actor. */
enum status history_display(struct request *rq, const struct history_info *info, const struct history_query *q,
                            struct value *ret, int64_t *ret_next, struct err *err) MUST_USE;
/* Key of an address, "a,b~2Fc", as texts. INVALID. */
enum status history_key(struct request *rq, const struct history_info *info, str path, const str **ret,
                        struct err *err) MUST_USE;
/* What row.html shows: {enabled, changes, more_url}; NONE when the table has no history. */
struct value history_of_row(struct request *rq, const struct schema_table *t);

/* Makes sure that the tables that say "history: true" have one. Blocks: before the loop runs, or on the upkeep lane. */
void history_configured(struct site *s);
/* Deletes changes beyond history_max_rows and history_max_age_days. Blocks: likewise. */
void history_prune_all(struct site *s);

#endif
