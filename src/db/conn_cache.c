/* SPDX-License-Identifier: Apache-2.0 */
/* conn_cache — idle connections, one list a thread.
 *
 * A thread takes from and gives to its own list, so the usual lock is uncontended (20 ns) and page caches and prepared
 * statements stay with the thread. Other threads come only to close: conn_cache_drop() when a database is retired, so
 * that its descriptors are gone when it returns. Thousands of databases: each list is bounded, least recently used
 * goes.
 *
 * SQLite is compiled with THREADSAFE=2: a connection may move between threads, but only one may use it at a time. The
 * list's mutex orders the hand-over.
 *
 * Invariants: (1) caches_lock before a cache's lock, never the other way. (2) sqlite3_close runs under neither. (3) a
 * connection given back after database_retire() is closed: retire sets its flag before it takes the list's lock, and
 * conn_release looks at the flag under that lock. Tests: tests/unit/db/test_conn.c, test_threads.c (TSan). */
#include "db/conn_cache.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"
#include "db/conn_impl.h"

#include "base/banned.h"

struct cache {
    pthread_mutex_t lock;
    struct conn *newest, *oldest;
    size_t count;
    struct cache *next, **link; /* caches_lock */
};

static pthread_mutex_t caches_lock = PTHREAD_MUTEX_INITIALIZER;
static struct cache *caches;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static _Thread_local struct cache *mine;

static void unlink_conn(struct cache *k, struct conn *c)
{
    *(c->prev ? &c->prev->next : &k->newest) = c->next;
    *(c->next ? &c->next->prev : &k->oldest) = c->prev;
    c->next = c->prev = NULL;
    k->count--;
}

static void push_newest(struct cache *k, struct conn *c)
{
    c->prev = NULL;
    c->next = k->newest;
    *(k->newest ? &k->newest->prev : &k->oldest) = c;
    k->newest = c;
    k->count++;
}

static void close_list(struct conn *c)
{
    while (c) {
        struct conn *next = c->next;
        c->next = NULL;
        conn_close(c);
        c = next;
    }
}

/* Moves connections of `db` (NULL = all) to *list; generation: only those of another one (0 = whatever). */
static void take_matching(struct cache *k, struct database *db, uint64_t generation, struct conn **list)
{
    pthread_mutex_lock(&k->lock);
    for (struct conn *c = k->newest, *next; c; c = next) {
        next = c->next;
        if ((!db || c->db == db) && (!generation || c->ticket.generation != generation)) {
            unlink_conn(k, c);
            c->next = *list;
            *list = c;
        }
    }
    pthread_mutex_unlock(&k->lock);
}

static void drop_everywhere(struct database *db, uint64_t generation)
{
    struct conn *list = NULL;
    pthread_mutex_lock(&caches_lock);
    for (struct cache *k = caches; k; k = k->next)
        take_matching(k, db, generation, &list);
    pthread_mutex_unlock(&caches_lock);
    close_list(list);
}

static void thread_ends(void *arg)
{
    struct cache *k = arg;
    struct conn *list = NULL;
    mine = NULL;
    pthread_mutex_lock(&caches_lock);
    *k->link = k->next;
    if (k->next)
        k->next->link = k->link;
    take_matching(k, NULL, 0, &list);
    pthread_mutex_unlock(&caches_lock);
    close_list(list);
    pthread_mutex_destroy(&k->lock);
    free(k);
}

static void key_make(void)
{
    int rc = pthread_key_create(&key, thread_ends);
    ASSERT(rc == 0);
}

static struct cache *my_cache(void)
{
    if (mine)
        return mine;
    pthread_once(&key_once, key_make);
    struct cache *k = MEM_NEW(struct cache);
    pthread_mutex_init(&k->lock, NULL);
    pthread_mutex_lock(&caches_lock);
    k->next = caches;
    k->link = &caches;
    if (k->next)
        k->next->link = &k->next;
    caches = k;
    pthread_mutex_unlock(&caches_lock);
    pthread_setspecific(key, k);
    mine = k;
    return k;
}

static struct conn *take_idle(struct cache *k, struct database *db)
{
    pthread_mutex_lock(&k->lock);
    struct conn *c = k->newest;
    while (c && c->db != db)
        c = c->next;
    if (c)
        unlink_conn(k, c);
    pthread_mutex_unlock(&k->lock);
    return c;
}

enum status conn_acquire(struct database *db, struct conn **ret_conn, struct err *err)
{
    struct cache *k = my_cache();
    struct conn *c;
    while ((c = take_idle(k, db))) {
        if (conn_is_current(c)) {
            *ret_conn = c;
            return STATUS_OK;
        }
        conn_close(c);
    }
    enum status st = conn_open(db, CONN_READ, &c, err);
    if (st != STATUS_OK)
        return st;
    c->cached = true;
    if (c->ticket.generation > 1) /* the file was replaced: nobody needs connections to the old one */
        drop_everywhere(db, c->ticket.generation);
    *ret_conn = c;
    return STATUS_OK;
}

void conn_release(struct conn *c)
{
    if (!c)
        return;
    ASSERT(c->cached);
    conn_rest(c);
    struct cache *k = my_cache();
    struct conn *victim = NULL;
    pthread_mutex_lock(&k->lock);
    if (c->broken || atomic_load(&c->db->retired)) {
        victim = c;
    } else {
        push_newest(k, c);
        if (k->count > LIMIT_DB_CONNS_PER_THREAD) {
            victim = k->oldest;
            unlink_conn(k, victim);
        }
    }
    pthread_mutex_unlock(&k->lock);
    conn_close(victim);
}

void conn_cache_drop(struct database *db)
{
    drop_everywhere(db, 0);
}

size_t conn_cache_idle(void)
{
    struct cache *k = my_cache();
    pthread_mutex_lock(&k->lock);
    size_t n = k->count;
    pthread_mutex_unlock(&k->lock);
    return n;
}

void conn_cache_clear_thread(void)
{
    struct conn *list = NULL;
    take_matching(my_cache(), NULL, 0, &list);
    close_list(list);
}
