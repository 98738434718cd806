/* SPDX-License-Identifier: Apache-2.0 */
/* shares_impl: what shares.c (the picture, verdicts) and shares_write.c (changes, uses) share. */
#ifndef VITRINE_SITE_SHARE_SHARES_IMPL_H
#define VITRINE_SITE_SHARE_SHARES_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "codec/digest.h"
#include "db/database.h"
#include "rt/throttle.h"
#include "site/share/shares.h"

#define SHARE_ID_BYTES 8

struct entry {
    struct share share;
    str token_hash;
};

struct picture {
    struct arena *arena;
    struct entry *entries; /* by database, then name */
    size_t count;
    uint64_t hash; /* of all of it but the uses */
};

struct use {
    char id[2 * SHARE_ID_BYTES + 1];
    int64_t used_at, unwritten, since_picture;
};

struct shares {
    struct internal *in;
    str secret;
    struct throttle *throttle;
    atomic_bool read;
    atomic_llong looked_ms;
    pthread_mutex_t changing;
    struct db_signature seen; /* under `changing` */
    pthread_rwlock_t lock;    /* of `picture` */
    struct picture picture;
    atomic_ullong generation;
    atomic_llong next_end; /* Unix seconds: the first share with everybody to end; INT64_MAX = none */
    pthread_mutex_t using;
    struct use uses[LIMIT_SHARE_USES];
    size_t use_count;
    int64_t written_ms;
};

/* Makes the picture anew. Under `changing`. */
enum status shares_refresh(struct shares *s, struct err *err) MUST_USE;
/* The token of a link, made of its nonce, and the hash of a token that the file keeps. */
str shares_token_of(struct shares *s, struct arena *a, str nonce);
void shares_token_hash(str token, char out[DIGEST_HEX_MAX]);
/* Writes down what was used. Under `using`. What cannot be written is lost: it is a figure, not a right. */
void shares_write_uses(struct shares *s);

#endif
