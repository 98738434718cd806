/* SPDX-License-Identifier: Apache-2.0 */
/* Answers are given as long as their data version is the present one; one look serves a round, and no more. */
#include "site/cache.h"

#include "http/blob.h"
#include "test.h"

static struct http_blob *blob_of(const char *text)
{
    return http_blob_new(200, NULL, str_of(text), (str){NULL, 0}, 0);
}

static bool gives(struct answer_cache *c, const char *key, uint64_t round)
{
    struct http_blob *b = answer_cache_get(c, str_of(key), round);
    http_blob_unref(b);
    return b != NULL;
}

static void put(struct answer_cache *c, const char *key, struct database *db)
{
    struct db_signature now = {{0}};
    struct http_blob *b = blob_of(key);
    if (db)
        CHECK_INT(database_signature(db, &now, NULL), STATUS_OK);
    answer_cache_put(c, str_of(key), db, &now, b);
    http_blob_unref(b);
}

static struct database *memory(const char *name)
{
    struct database_options o = {.name = str_of(name), .memory = true};
    struct database *db;
    CHECK_INT(database_new(&o, &db, NULL), STATUS_OK);
    return db;
}

TEST(a_change_takes_the_answer_away)
{
    struct answer_cache *c = answer_cache_new(1 << 20);
    struct database *db = memory("d");
    put(c, "k", db);
    put(c, "always", NULL);
    CHECK(gives(c, "k", 0) && gives(c, "k", 7));
    database_touch(db);
    CHECK(!gives(c, "k", 0) && !gives(c, "k", 0));
    CHECK(gives(c, "always", 0));
    answer_cache_free(c);
    database_unref(db);
}

TEST(one_look_serves_one_round)
{
    struct answer_cache *c = answer_cache_new(1 << 20);
    struct database *db = memory("d"), *other = memory("o");
    put(c, "k", db);
    put(c, "l", db);
    put(c, "m", other);
    CHECK(gives(c, "k", 7));
    database_touch(db);
    CHECK(gives(c, "l", 7)); /* the request was there before the change */
    CHECK(gives(c, "m", 7)); /* another database: looked at anew */
    CHECK(!gives(c, "l", 8));
    put(c, "l", db);
    CHECK(gives(c, "l", 8));
    database_touch(db);
    CHECK(!gives(c, "l", 0)); /* a request that came later, in the same round */
    put(c, "l", db);
    CHECK(gives(c, "l", 8));
    answer_cache_free(c);
    database_unref(db);
    database_unref(other);
}

TEST(the_oldest_go_first)
{
    struct answer_cache *c = answer_cache_new(64 << 10);
    struct answer_cache_stats stats;
    char key[16];
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        put(c, key, NULL);
        CHECK(i == 0 || gives(c, "k0", 0));
    }
    answer_cache_stats(c, &stats);
    CHECK(stats.bytes <= 64 << 10 && stats.entries > 10 && stats.entries < 1000);
    CHECK(gives(c, "k999", 0) && !gives(c, "k1", 0));
    answer_cache_free(c);
}
