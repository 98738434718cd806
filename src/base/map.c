/* SPDX-License-Identifier: Apache-2.0 */
/* map — entries in order of insertion in one array, and an index of 32-bit positions by open addressing.
 *
 * Invariants: (1) index_size is a power of two and at least 4/3 of entry_count (dead entries included), so a probe
 * ends. (2) a removed entry keeps its place in `entries` with key.p == NULL until the next rebuild; its index slot
 * stays taken. (3) slot 0 = empty, else position + 1. Tests: tests/unit/base/test_map.c. */
#include "base/map.h"

#include "base/mem.h"

struct entry {
    str key; /* owned; p NULL = removed */
    uint64_t hash;
    void *value;
};

struct map {
    struct entry *entries;
    uint32_t *index;
    size_t entry_count, entry_cap; /* with removed ones */
    size_t index_size;
    size_t live;
};

struct map *map_new(void)
{
    return MEM_NEW(struct map);
}

static void map_drop_keys(struct map *m)
{
    for (size_t i = 0; i < m->entry_count; i++)
        free((void *)(uintptr_t)m->entries[i].key.p);
}

void map_free(struct map *m)
{
    if (!m)
        return;
    map_drop_keys(m);
    free(m->entries);
    free(m->index);
    free(m);
}

void map_clear(struct map *m)
{
    map_drop_keys(m);
    if (m->index)
        memset(m->index, 0, m->index_size * sizeof(*m->index));
    m->entry_count = m->live = 0;
}

size_t map_count(const struct map *m)
{
    return m->live;
}

static struct entry *map_find(const struct map *m, str key, uint64_t hash)
{
    if (m->live == 0)
        return NULL;
    size_t mask = m->index_size - 1;
    for (size_t slot = hash & mask; m->index[slot]; slot = (slot + 1) & mask) {
        struct entry *e = &m->entries[m->index[slot] - 1];
        if (e->hash == hash && e->key.p && str_eq(e->key, key))
            return e;
    }
    return NULL;
}

static void map_index(struct map *m, size_t position)
{
    size_t mask = m->index_size - 1, slot = m->entries[position].hash & mask;
    while (m->index[slot])
        slot = (slot + 1) & mask;
    m->index[slot] = (uint32_t)(position + 1);
}

/* Drops removed entries and makes room for at least one more. */
static void map_rebuild(struct map *m)
{
    size_t kept = 0;
    for (size_t i = 0; i < m->entry_count; i++)
        if (m->entries[i].key.p)
            m->entries[kept++] = m->entries[i];
    m->entry_count = kept;
    size_t size = 16;
    while (size / 2 <= kept)
        size *= 2;
    ASSERT(size <= UINT32_MAX);
    m->entry_cap = size / 4 * 3;
    m->entries = mem_resize(m->entries, m->entry_cap, sizeof(*m->entries));
    free(m->index);
    m->index = mem_array(size, sizeof(*m->index));
    m->index_size = size;
    for (size_t i = 0; i < kept; i++)
        map_index(m, i);
}

void *map_get(const struct map *m, str key)
{
    const struct entry *e = map_find(m, key, str_hash(key));
    return e ? e->value : NULL;
}

bool map_has(const struct map *m, str key)
{
    return map_find(m, key, str_hash(key)) != NULL;
}

void *map_put(struct map *m, str key, void *value)
{
    uint64_t hash = str_hash(key);
    struct entry *e = map_find(m, key, hash);
    if (e) {
        void *old = e->value;
        e->value = value;
        return old;
    }
    if (m->entry_count == m->entry_cap)
        map_rebuild(m);
    m->entries[m->entry_count] = (struct entry){{mem_cstr(key), key.n}, hash, value};
    map_index(m, m->entry_count++);
    m->live++;
    return NULL;
}

void *map_remove(struct map *m, str key)
{
    struct entry *e = map_find(m, key, str_hash(key));
    if (!e)
        return NULL;
    void *old = e->value;
    free((void *)(uintptr_t)e->key.p);
    e->key = (str){NULL, 0};
    e->value = NULL;
    m->live--;
    return old;
}

bool map_next(const struct map *m, size_t *pos, str *ret_key, void **ret_value)
{
    while (*pos < m->entry_count) {
        const struct entry *e = &m->entries[(*pos)++];
        if (!e->key.p)
            continue;
        if (ret_key)
            *ret_key = e->key;
        if (ret_value)
            *ret_value = e->value;
        return true;
    }
    return false;
}
