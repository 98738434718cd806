/* SPDX-License-Identifier: Apache-2.0 */
/* after: what is done with a table when its rows are in: lookup tables, indexes, a search index. */
#ifndef VITRINE_INGEST_AFTER_H
#define VITRINE_INGEST_AFTER_H

#include "ingest/undo.h"

/* Before anything is written: columns that there are not (USAGE), --extract into a table that is there (CONFLICT). */
enum status after_check(const struct table *t, const struct plan *p, const struct ingest_options *o,
                        struct err *err) MUST_USE;
/* `u` may be NULL. */
enum status after_load(struct arena *a, struct conn *c, const struct table *t, const struct ingest_options *o,
                       struct undo *u, struct err *err) MUST_USE;

#endif
