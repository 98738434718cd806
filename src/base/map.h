/* SPDX-License-Identifier: Apache-2.0 */
/* map: str -> pointer on the heap. Keys are copied and owned, values are the caller's. Iteration is in the order of
 * insertion, whatever the hash seed of the process. Not thread-safe; concurrent readers without a writer are fine.
 * Cost: one hash and about one probe a look-up; 32 bytes an entry and 4-8 bytes of index. */
#ifndef VITRINE_BASE_MAP_H
#define VITRINE_BASE_MAP_H

#include "base/str.h"

struct map;

struct map *map_new(void) MUST_USE;
void map_free(struct map *m);  /* frees keys, not values; NULL is fine */
void map_clear(struct map *m); /* drops every entry, keeps the memory of the table */
size_t map_count(const struct map *m);
void *map_get(const struct map *m, str key); /* NULL when absent (or when NULL was put) */
bool map_has(const struct map *m, str key);
/* Adds or replaces; returns the value that was there (NULL when none) for the caller to free. A replaced key keeps its
 * place in the order. */
void *map_put(struct map *m, str key, void *value);
void *map_remove(struct map *m, str key); /* returns the value that was there, NULL when none */
/* Iteration: size_t pos = 0; while (map_next(m, &pos, &key, &value)) ... Key and value may be NULL pointers when not
 * wanted. The current entry may be removed meanwhile; nothing may be added. `key` lives until its entry is removed. */
bool map_next(const struct map *m, size_t *pos, str *ret_key, void **ret_value);

#endif
