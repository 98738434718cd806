/* SPDX-License-Identifier: Apache-2.0 */
/* count: row counts that never run away. */
#ifndef VITRINE_DB_COUNT_H
#define VITRINE_DB_COUNT_H

#include "db/conn.h"

#define COUNT_LIMIT 10000 /* Datasette's: more is shown as ">10,000" */

/* Rows of a table or view, counting at most `limit` + 1 (0 = all) and for at most `time_limit_ms` (0 = none besides the
 * connection's deadline). *ret is exact when it is <= limit. TIMEOUT: not known in that time. */
enum status count_rows(struct conn *c, str table, int64_t limit, int64_t time_limit_ms, int64_t *ret,
                       struct err *err) MUST_USE;

#endif
