/* SPDX-License-Identifier: Apache-2.0 */
/* counts: row counts (key: the table) and other small figures (key: kind and SQL) kept per database and data version.
 * Any thread; one short lock; at most LIMIT_KEPT_COUNTS keys, then all are dropped. */
#ifndef VITRINE_SITE_COUNTS_H
#define VITRINE_SITE_COUNTS_H

#include "db/database.h"

struct counts;

struct counts *counts_new(void) MUST_USE;
void counts_free(struct counts *c);
/* False when the count of that table is not known for exactly this signature. */
bool counts_get(struct counts *c, const struct db_signature *sig, str table, int64_t *ret_count);
/* A new signature drops everything kept under the old one. */
void counts_put(struct counts *c, const struct db_signature *sig, str table, int64_t count);

#endif
