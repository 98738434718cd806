/* SPDX-License-Identifier: Apache-2.0 */
#include "site/figure_store.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"

#define REST_FACTOR 10 /* a figure that took a second is worked out again after ten at the earliest */

struct entry {
    struct entry *newer, *older; /* use order */
    str key;
    bool has_rows, pending, failed;
    struct db_signature made_under, failed_under;
    int64_t not_before_us;
    struct cell *cells; /* one block with the texts behind it */
    size_t rows, columns, bytes;
};

struct figure_store {
    pthread_mutex_t lock;
    struct map *by_key;
    struct entry *newest, *oldest;
    size_t bytes, max_bytes;
};

struct figure_store *figure_store_new(size_t max_bytes)
{
    struct figure_store *k = MEM_NEW(struct figure_store);
    pthread_mutex_init(&k->lock, NULL);
    k->by_key = map_new();
    k->max_bytes = max_bytes;
    return k;
}

static void unlink_use(struct figure_store *k, struct entry *e)
{
    *(e->newer ? &e->newer->older : &k->newest) = e->older;
    *(e->older ? &e->older->newer : &k->oldest) = e->newer;
    e->newer = e->older = NULL;
}

static void link_newest(struct figure_store *k, struct entry *e)
{
    e->older = k->newest;
    e->newer = NULL;
    *(k->newest ? &k->newest->newer : &k->oldest) = e;
    k->newest = e;
}

static void entry_remove(struct figure_store *k, struct entry *e)
{
    map_remove(k->by_key, e->key);
    unlink_use(k, e);
    k->bytes -= e->bytes;
    free((void *)(uintptr_t)e->key.p);
    free(e->cells);
    free(e);
}

void figure_store_free(struct figure_store *k)
{
    if (!k)
        return;
    while (k->oldest)
        entry_remove(k, k->oldest);
    map_free(k->by_key);
    pthread_mutex_destroy(&k->lock);
    free(k);
}

static struct entry *find(struct figure_store *k, str key)
{
    struct entry *e = map_get(k->by_key, key);
    if (e && k->newest != e) {
        unlink_use(k, e);
        link_newest(k, e);
    }
    return e;
}

static size_t entry_bytes(str key)
{
    return sizeof(struct entry) + 2 * key.n + 64; /* the map has a copy of the key, and its own 40 bytes */
}

static struct entry *find_or_make(struct figure_store *k, str key)
{
    struct entry *e = find(k, key);
    if (e)
        return e;
    e = MEM_NEW(struct entry);
    e->key = str_make(mem_cstr(key), key.n);
    e->bytes = entry_bytes(key);
    k->bytes += e->bytes;
    map_put(k->by_key, e->key, e);
    link_newest(k, e);
    return e;
}

static bool has_text(const struct cell *c)
{
    return c->kind == CELL_TEXT || c->kind == CELL_BLOB;
}

enum figure_state figure_store_get(struct figure_store *k, const struct db_signature *now, str key, struct arena *a,
                                   struct rowset *ret)
{
    enum figure_state state = FIGURE_NONE;
    pthread_mutex_lock(&k->lock);
    struct entry *e = find(k, key);
    if (e && e->has_rows) {
        size_t n = e->rows * e->columns;
        struct rowset r = {.column_count = e->columns, .row_count = e->rows};
        r.columns = ARENA_ARRAY(a, str, e->columns + 1);
        r.cells = ARENA_ARRAY(a, struct cell, n + 1);
        for (size_t i = 0; i < n; i++) {
            r.cells[i] = e->cells[i];
            if (has_text(&e->cells[i]))
                r.cells[i].s = arena_str(a, e->cells[i].s);
        }
        *ret = r;
        state = db_signature_equal(now, &e->made_under) ? FIGURE_EXACT : FIGURE_OLD;
    }
    pthread_mutex_unlock(&k->lock);
    return state;
}

static struct cell *copy_cells(const struct rowset *rows, size_t *ret_bytes)
{
    size_t n = rows->row_count * rows->column_count, bytes = (n + 1) * sizeof(struct cell);
    for (size_t i = 0; i < n; i++)
        bytes += has_text(&rows->cells[i]) ? rows->cells[i].s.n : 0;
    struct cell *cells = mem_alloc(bytes);
    char *text = (char *)(cells + n + 1);
    for (size_t i = 0; i < n; i++) {
        cells[i] = rows->cells[i];
        cells[i].label = (str){0};
        if (!has_text(&cells[i]))
            continue;
        if (cells[i].s.n)
            memcpy(text, cells[i].s.p, cells[i].s.n);
        cells[i].s.p = text;
        text += cells[i].s.n;
    }
    *ret_bytes = bytes;
    return cells;
}

void figure_store_put(struct figure_store *k, const struct db_signature *made_under, str key, const struct rowset *rows)
{
    size_t bytes;
    struct cell *cells = copy_cells(rows, &bytes);
    if (bytes + key.n > k->max_bytes / 8) {
        free(cells);
        return;
    }
    pthread_mutex_lock(&k->lock);
    struct entry *e = find_or_make(k, key);
    free(e->cells);
    size_t base = entry_bytes(key);
    k->bytes += base + bytes - e->bytes;
    e->bytes = base + bytes;
    e->cells = cells;
    e->rows = rows->row_count;
    e->columns = rows->column_count;
    e->has_rows = true;
    e->failed = false;
    e->made_under = *made_under;
    while (k->bytes > k->max_bytes && k->oldest != e)
        entry_remove(k, k->oldest);
    pthread_mutex_unlock(&k->lock);
}

bool figure_store_claim(struct figure_store *k, const struct db_signature *now, str key, int64_t now_mono_us)
{
    pthread_mutex_lock(&k->lock);
    struct entry *e = find_or_make(k, key);
    bool known = e->has_rows && db_signature_equal(now, &e->made_under);
    bool hopeless = e->failed && db_signature_equal(now, &e->failed_under);
    bool mine = !known && !hopeless && !e->pending && now_mono_us >= e->not_before_us;
    if (mine)
        e->pending = true;
    while (k->bytes > k->max_bytes && k->oldest != e)
        entry_remove(k, k->oldest);
    pthread_mutex_unlock(&k->lock);
    return mine;
}

void figure_store_settle(struct figure_store *k, const struct db_signature *tried_under, str key, bool failed,
                         int64_t cost_us, int64_t now_mono_us)
{
    pthread_mutex_lock(&k->lock);
    struct entry *e = find(k, key);
    if (e) {
        e->pending = false;
        e->failed = failed;
        e->failed_under = *tried_under;
        e->not_before_us = now_mono_us + cost_us * REST_FACTOR;
    }
    pthread_mutex_unlock(&k->lock);
}

void figure_store_stats(struct figure_store *k, struct figure_stats *ret)
{
    pthread_mutex_lock(&k->lock);
    *ret = (struct figure_stats){map_count(k->by_key), k->bytes};
    pthread_mutex_unlock(&k->lock);
}
