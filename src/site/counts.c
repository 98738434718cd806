/* SPDX-License-Identifier: Apache-2.0 */
#include "site/counts.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/map.h"

struct counts {
    pthread_mutex_t lock;
    struct db_signature made_under;
    struct map *by_table; /* table -> count + 1 as a pointer-sized integer */
};

struct counts *counts_new(void)
{
    struct counts *c = calloc(1, sizeof *c);
    ASSERT(c);
    pthread_mutex_init(&c->lock, NULL);
    c->by_table = map_new();
    return c;
}

void counts_free(struct counts *c)
{
    if (!c)
        return;
    map_free(c->by_table);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

bool counts_get(struct counts *c, const struct db_signature *sig, str table, int64_t *ret_count)
{
    uintptr_t kept = 0;
    pthread_mutex_lock(&c->lock);
    if (db_signature_equal(&c->made_under, sig))
        kept = (uintptr_t)map_get(c->by_table, table);
    pthread_mutex_unlock(&c->lock);
    if (kept)
        *ret_count = (int64_t)kept - 1;
    return kept != 0;
}

void counts_put(struct counts *c, const struct db_signature *sig, str table, int64_t count)
{
    pthread_mutex_lock(&c->lock);
    if (!db_signature_equal(&c->made_under, sig) || map_count(c->by_table) >= LIMIT_KEPT_COUNTS) {
        map_free(c->by_table);
        c->by_table = map_new();
        c->made_under = *sig;
    }
    map_put(c->by_table, table, (void *)(uintptr_t)(count + 1));
    pthread_mutex_unlock(&c->lock);
}
