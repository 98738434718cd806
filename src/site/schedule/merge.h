/* SPDX-License-Identifier: Apache-2.0 */
/* merge: a table of another database file into a table of this one: only what differs is written. On a connection that
 * writes, without a transaction: the file is attached, and everything happens in one transaction of its own. */
#ifndef VITRINE_SITE_SCHEDULE_MERGE_H
#define VITRINE_SITE_SCHEDULE_MERGE_H

#include "base/arena.h"
#include "db/conn.h"

enum merge_vanished { MERGE_KEEP, MERGE_DELETE, MERGE_MARK }; /* rows that are not in the other file any more */
#define MERGE_MARK_COLUMN "vanished_at"

struct merge_options {
    str table, file; /* the table has this name in both */
    const str *pk;
    size_t pk_count;
    enum merge_vanished vanished;
    int64_t max_removed_percent; /* more rows gone than this: CONFLICT, nothing is changed. 100 = any number */
    bool history;
    str who; /* for the history */
};

struct merge_result {
    int64_t rows, added, changed, removed; /* rows: in the other file */
    bool created;
};

/* Statuses: CONFLICT (held back; or the table has no such key), those of SQL. After a failure nothing is changed. */
enum status merge_run(struct conn *c, struct arena *a, const struct merge_options *o, struct merge_result *ret,
                      struct err *err) MUST_USE;

#endif
