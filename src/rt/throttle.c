/* SPDX-License-Identifier: Apache-2.0 */
/* throttle — leaky buckets in a table of WAYS neighbours a hash.
 *
 * A bucket is (hash of the name, when it will be empty). Time alone empties it, so nothing has to be swept: an attempt
 * puts off `empty_ms` by one refill, and the bucket is full while more than `burst` refills lie ahead. The hash is
 * salted per process, so that nobody can choose a name that shares another's bucket. */
#include "rt/throttle.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/limits.h"

#define WAYS 4

struct bucket {
    uint64_t hash;    /* 0 = free */
    int64_t empty_ms; /* of the caller's clock */
};

struct throttle {
    pthread_mutex_t lock;
    uint64_t salt;
    struct bucket buckets[LIMIT_THROTTLE_BUCKETS];
};

struct throttle *throttle_new(void)
{
    struct throttle *t = calloc(1, sizeof *t);
    ASSERT(t);
    pthread_mutex_init(&t->lock, NULL);
    if (getrandom(&t->salt, sizeof t->salt, 0) != (ssize_t)sizeof t->salt)
        t->salt = (uint64_t)(uintptr_t)t;
    return t;
}

void throttle_free(struct throttle *t)
{
    if (!t)
        return;
    pthread_mutex_destroy(&t->lock);
    free(t);
}

static uint64_t mix(uint64_t x)
{
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    x ^= x >> 32;
    return x ? x : 1;
}

/* The bucket of the name; with `make`, else NULL, the one of its neighbours that is nearest to being empty. */
static struct bucket *find(struct throttle *t, str name, bool make)
{
    uint64_t hash = mix(str_hash(name) ^ t->salt);
    struct bucket *first = &t->buckets[hash % (LIMIT_THROTTLE_BUCKETS / WAYS) * WAYS], *spare = first;
    for (size_t i = 0; i < WAYS; i++) {
        if (first[i].hash == hash)
            return &first[i];
        if (first[i].empty_ms < spare->empty_ms)
            spare = &first[i];
    }
    if (!make)
        return NULL;
    *spare = (struct bucket){hash, 0};
    return spare;
}

int64_t throttle_take(struct throttle *t, str name, struct throttle_rule rule, int64_t now_ms)
{
    int64_t wait_ms;
    pthread_mutex_lock(&t->lock);
    struct bucket *b = find(t, name, true);
    if (b->empty_ms < now_ms)
        b->empty_ms = now_ms;
    wait_ms = b->empty_ms + rule.refill_ms - (now_ms + (int64_t)rule.burst * rule.refill_ms);
    if (wait_ms <= 0)
        b->empty_ms += rule.refill_ms;
    pthread_mutex_unlock(&t->lock);
    return wait_ms <= 0 ? 0 : (wait_ms + 999) / 1000;
}

void throttle_give_back(struct throttle *t, str name, struct throttle_rule rule, int64_t now_ms)
{
    pthread_mutex_lock(&t->lock);
    struct bucket *b = find(t, name, true);
    if (b->empty_ms > now_ms)
        b->empty_ms -= MIN(b->empty_ms - now_ms, (int64_t)rule.refill_ms);
    pthread_mutex_unlock(&t->lock);
}

int64_t throttle_level(struct throttle *t, str name, int64_t now)
{
    pthread_mutex_lock(&t->lock);
    const struct bucket *b = find(t, name, false);
    int64_t level = b ? MAX(b->empty_ms - now, 0) : 0;
    pthread_mutex_unlock(&t->lock);
    return level;
}

void throttle_charge(struct throttle *t, str name, int64_t cost, int64_t now)
{
    pthread_mutex_lock(&t->lock);
    struct bucket *b = find(t, name, true);
    b->empty_ms = MAX(b->empty_ms, now) + cost;
    pthread_mutex_unlock(&t->lock);
}
