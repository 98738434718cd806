/* SPDX-License-Identifier: Apache-2.0 */
/* cache: finished answers by data version. An entry is valid exactly while the signature of its database is the one it
 * was made under, so a change of data is visible in the very next answer; nothing expires by time.
 *
 * Only answers to anonymous GET requests that depend on one database (or none) are kept. Loop thread and workers may
 * call everything: one short lock. Bounded by bytes; the least recently used go first. */
#ifndef VITRINE_SITE_CACHE_H
#define VITRINE_SITE_CACHE_H

#include "db/database.h"
#include "http/message.h"

struct answer_cache;

struct answer_cache *answer_cache_new(size_t max_bytes) MUST_USE;
void answer_cache_free(struct answer_cache *c); /* NULL is fine */

/* The blob with a reference for the caller, or NULL. Reads the database's signature (two or three small reads), once
 * for all requests of the same `round` of the loop: see http_exchange_round. 0 = for this request alone. */
struct http_blob *answer_cache_get(struct answer_cache *c, str key, uint64_t round);
/* Keeps a reference of its own. `made_under` was read before the first query of the answer. db NULL: valid for ever. */
void answer_cache_put(struct answer_cache *c, str key, struct database *db, const struct db_signature *made_under,
                      struct http_blob *blob);

/* Hits and misses are in base/metric.h. */
struct answer_cache_stats {
    size_t entries, bytes;
};
void answer_cache_stats(struct answer_cache *c, struct answer_cache_stats *ret);

#endif
