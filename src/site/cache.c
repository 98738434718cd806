/* SPDX-License-Identifier: Apache-2.0 */
#include "site/cache.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/metric.h"

struct entry {
    struct entry *next_in_bucket;
    struct entry *newer, *older; /* use order */
    uint64_t hash;
    char *key;
    size_t key_n;
    struct database *db; /* NULL = depends on none */
    struct db_signature made_under;
    struct http_blob *blob;
    size_t cost_bytes;
};

struct answer_cache {
    pthread_mutex_t lock;
    struct { /* the signature that was read last; db is only compared, never followed */
        uint64_t round;
        const struct database *db;
        struct db_signature signature;
    } seen;
    struct entry **buckets;
    size_t bucket_count; /* power of two */
    struct entry *newest, *oldest;
    size_t max_bytes;
    struct answer_cache_stats stats;
};

struct answer_cache *answer_cache_new(size_t max_bytes)
{
    struct answer_cache *c = calloc(1, sizeof *c);
    ASSERT(c);
    c->bucket_count = LIMIT_CACHE_BUCKETS;
    c->buckets = calloc(c->bucket_count, sizeof(*c->buckets));
    ASSERT(c->buckets);
    c->max_bytes = max_bytes;
    pthread_mutex_init(&c->lock, NULL);
    return c;
}

static void unlink_use(struct answer_cache *c, struct entry *e)
{
    *(e->newer ? &e->newer->older : &c->newest) = e->older;
    *(e->older ? &e->older->newer : &c->oldest) = e->newer;
    e->newer = e->older = NULL;
}

static void link_newest(struct answer_cache *c, struct entry *e)
{
    e->older = c->newest;
    e->newer = NULL;
    *(c->newest ? &c->newest->newer : &c->oldest) = e;
    c->newest = e;
}

static void entry_remove(struct answer_cache *c, struct entry *e)
{
    struct entry **at = &c->buckets[e->hash & (c->bucket_count - 1)];
    while (*at != e)
        at = &(*at)->next_in_bucket;
    *at = e->next_in_bucket;
    unlink_use(c, e);
    c->stats.bytes -= e->cost_bytes;
    c->stats.entries--;
    http_blob_unref(e->blob);
    if (e->db)
        database_unref(e->db);
    free(e->key);
    free(e);
}

void answer_cache_free(struct answer_cache *c)
{
    if (!c)
        return;
    while (c->oldest)
        entry_remove(c, c->oldest);
    pthread_mutex_destroy(&c->lock);
    free(c->buckets);
    free(c);
}

static struct entry *find(struct answer_cache *c, str key, uint64_t hash)
{
    struct entry *e = c->buckets[hash & (c->bucket_count - 1)];
    while (e && !(e->hash == hash && str_eq(key, str_make(e->key, e->key_n))))
        e = e->next_in_bucket;
    return e;
}

/* What was read in this round is younger than every request that gives its round. */
static bool is_current(struct answer_cache *c, const struct entry *e, uint64_t round)
{
    if (!e->db)
        return true;
    if (!round || c->seen.round != round || c->seen.db != e->db) {
        c->seen.round = 0;
        if (database_signature(e->db, &c->seen.signature, NULL) != STATUS_OK)
            return false;
        c->seen.round = round;
        c->seen.db = e->db;
    }
    return db_signature_equal(&c->seen.signature, &e->made_under);
}

struct http_blob *answer_cache_get(struct answer_cache *c, str key, uint64_t round)
{
    struct http_blob *blob = NULL;
    uint64_t hash = str_hash(key);
    pthread_mutex_lock(&c->lock);
    struct entry *e = find(c, key, hash);
    if (!e) {
        metric_add(METRIC_CACHE_MISSES, 1);
    } else if (!is_current(c, e, round)) {
        metric_add(METRIC_CACHE_STALE, 1);
        entry_remove(c, e);
    } else {
        metric_add(METRIC_CACHE_HITS, 1);
        if (c->newest != e) {
            unlink_use(c, e);
            link_newest(c, e);
        }
        blob = http_blob_ref(e->blob);
    }
    pthread_mutex_unlock(&c->lock);
    return blob;
}

void answer_cache_put(struct answer_cache *c, str key, struct database *db, const struct db_signature *made_under,
                      struct http_blob *blob)
{
    size_t cost = blob->size + key.n + sizeof(struct entry);
    if (cost > c->max_bytes / 8)
        return; /* one answer never pushes everything else out */
    uint64_t hash = str_hash(key);
    struct entry *e = calloc(1, sizeof *e);
    ASSERT(e);
    e->key = malloc(key.n + 1);
    ASSERT(e->key);
    memcpy(e->key, key.p, key.n);
    e->key_n = key.n;
    e->hash = hash;
    e->db = db ? database_ref(db) : NULL;
    if (made_under)
        e->made_under = *made_under;
    e->blob = http_blob_ref(blob);
    e->cost_bytes = cost;
    pthread_mutex_lock(&c->lock);
    struct entry *old = find(c, key, hash);
    if (old)
        entry_remove(c, old);
    struct entry **bucket = &c->buckets[hash & (c->bucket_count - 1)];
    e->next_in_bucket = *bucket;
    *bucket = e;
    link_newest(c, e);
    c->stats.entries++;
    c->stats.bytes += cost;
    while (c->stats.bytes > c->max_bytes) {
        metric_add(METRIC_CACHE_EVICTED, 1);
        entry_remove(c, c->oldest);
    }
    pthread_mutex_unlock(&c->lock);
}

void answer_cache_stats(struct answer_cache *c, struct answer_cache_stats *ret)
{
    pthread_mutex_lock(&c->lock);
    *ret = c->stats;
    pthread_mutex_unlock(&c->lock);
}
