/* SPDX-License-Identifier: Apache-2.0 */
/* figure_store: figures about the data of one database - counts, facets, verdicts - each with the data version it was
 * made from. A figure of an older version is not thrown away: it is a fair estimate until the new one is known.
 *
 * Also who is working one out, so that nobody does twice. Any thread; one short lock. Bounded by bytes; the least
 * recently used figures go first. */
#ifndef VITRINE_SITE_FIGURE_STORE_H
#define VITRINE_SITE_FIGURE_STORE_H

#include "db/database.h"
#include "site/fetch.h"

struct figure_store;

enum figure_state {
    FIGURE_NONE,
    FIGURE_OLD,  /* made from other data */
    FIGURE_EXACT /* made from exactly this data */
};

struct figure_store *figure_store_new(size_t max_bytes) MUST_USE;
void figure_store_free(struct figure_store *k); /* NULL is fine */

/* The figure, copied into `a` (column names are not kept). *ret is untouched with FIGURE_NONE. */
enum figure_state figure_store_get(struct figure_store *k, const struct db_signature *now, str key, struct arena *a,
                                   struct rowset *ret);
/* A figure larger than an eighth of the maximum is not kept. */
void figure_store_put(struct figure_store *k, const struct db_signature *made_under, str key,
                      const struct rowset *rows);

/* May the caller work the figure out for data `now`? Not when it is known, when somebody else is at it, when it failed
 * on the same data, or when the last attempt took so long that ten times as long has not passed yet: a table that is
 * written all the time is not counted all the time. */
bool figure_store_claim(struct figure_store *k, const struct db_signature *now, str key, int64_t now_mono_us) MUST_USE;
/* Ends a claim, after figure_store_put() when it worked. */
void figure_store_settle(struct figure_store *k, const struct db_signature *tried_under, str key, bool failed,
                         int64_t cost_us, int64_t now_mono_us);

struct figure_stats {
    size_t entries, bytes;
};
void figure_store_stats(struct figure_store *k, struct figure_stats *ret);

#endif
