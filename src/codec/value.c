/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/value.h"

#include "base/limits.h"

#define INDEX_FROM 9 /* entries from which a dict keeps a hash index */

struct value value_list(struct arena *a)
{
    struct value_list *l = ARENA_NEW(a, struct value_list);
    l->arena = a;
    return (struct value){.kind = VALUE_LIST, .list = l};
}

struct value value_dict(struct arena *a)
{
    struct value_dict *d = ARENA_NEW(a, struct value_dict);
    d->arena = a;
    return (struct value){.kind = VALUE_DICT, .dict = d};
}

struct value value_dict_in(struct arena *a, struct value dict, str key)
{
    struct value child = value_get(dict, key);
    if (child.kind != VALUE_DICT) {
        child = value_dict(a);
        value_set(dict, key, child);
    }
    return child;
}

bool value_same_keys(struct value a, struct value b)
{
    if (a.kind != VALUE_DICT || b.kind != VALUE_DICT || a.dict->count != b.dict->count)
        return false;
    for (size_t i = 0; i < a.dict->count; i++)
        if (!str_eq(a.dict->entries[i].key, b.dict->entries[i].key))
            return false;
    return true;
}

void value_push(struct value list, struct value item)
{
    ASSERT(list.kind == VALUE_LIST);
    struct value_list *l = list.list;
    if (l->count == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 4;
        l->items = arena_grow(l->arena, l->items, l->cap * sizeof *l->items, cap * sizeof *l->items);
        l->cap = cap;
    }
    l->items[l->count++] = item;
}

uint32_t value_hash(str key)
{
    return (uint32_t)str_hash(key);
}

static void index_insert(struct value_dict *d, size_t entry)
{
    size_t mask = d->index_cap - 1, at = d->entries[entry].hash & mask;
    while (d->index[at])
        at = (at + 1) & mask;
    d->index[at] = (uint32_t)entry + 1;
}

static void index_rebuild(struct value_dict *d)
{
    if (d->count < INDEX_FROM) {
        d->index = NULL;
        d->index_cap = 0;
        return;
    }
    size_t cap = 32;
    while (cap < d->cap * 2)
        cap *= 2;
    if (d->index && d->index_cap == cap) { /* after a removal: the arena would keep the old one */
        memset(d->index, 0, cap * sizeof *d->index);
    } else {
        d->index = ARENA_ARRAY(d->arena, uint32_t, cap);
        d->index_cap = cap;
    }
    for (size_t i = 0; i < d->count; i++)
        index_insert(d, i);
}

static struct value_entry *find_hashed(const struct value_dict *d, str key, uint32_t hash)
{
    if (!d->index) {
        for (size_t i = 0; i < d->count; i++)
            if (d->entries[i].hash == hash && str_eq(d->entries[i].key, key))
                return &d->entries[i];
        return NULL;
    }
    size_t mask = d->index_cap - 1;
    for (size_t at = hash & mask; d->index[at]; at = (at + 1) & mask) {
        struct value_entry *e = &d->entries[d->index[at] - 1];
        if (e->hash == hash && str_eq(e->key, key))
            return e;
    }
    return NULL;
}

static struct value_entry *find(const struct value_dict *d, str key)
{
    if (d->index)
        return find_hashed(d, key, value_hash(key));
    for (size_t i = 0; i < d->count; i++)
        if (d->entries[i].key.n == key.n && str_eq(d->entries[i].key, key))
            return &d->entries[i];
    return NULL;
}

void value_set(struct value dict, str key, struct value item)
{
    ASSERT(dict.kind == VALUE_DICT);
    struct value_dict *d = dict.dict;
    uint32_t hash = value_hash(key);
    struct value_entry *e = find_hashed(d, key, hash);
    if (e) {
        e->value = item;
        return;
    }
    bool grown = d->count == d->cap;
    if (grown) {
        size_t cap = d->cap ? d->cap * 2 : 8;
        d->entries = arena_grow(d->arena, d->entries, d->cap * sizeof *d->entries, cap * sizeof *d->entries);
        d->cap = cap;
    }
    d->entries[d->count++] = (struct value_entry){.key = key, .value = item, .hash = hash};
    if (grown || d->count == INDEX_FROM)
        index_rebuild(d);
    else if (d->index)
        index_insert(d, d->count - 1);
}

struct value value_get(struct value dict, str key)
{
    if (dict.kind != VALUE_DICT)
        return VALUE_UNDEF;
    const struct value_entry *e = find(dict.dict, key);
    return e ? e->value : VALUE_UNDEF;
}

struct value value_get_hashed(struct value dict, str key, uint32_t hash)
{
    if (dict.kind != VALUE_DICT)
        return VALUE_UNDEF;
    const struct value_entry *e = find_hashed(dict.dict, key, hash);
    return e ? e->value : VALUE_UNDEF;
}

str value_get_text(struct value dict, str key)
{
    struct value v = value_get(dict, key);
    return value_is_text(v) ? v.s : (str){NULL, 0};
}

bool value_has(struct value dict, str key)
{
    return dict.kind == VALUE_DICT && find(dict.dict, key);
}

bool value_remove(struct value dict, str key)
{
    struct value_entry *e = dict.kind == VALUE_DICT ? find(dict.dict, key) : NULL;
    if (!e)
        return false;
    struct value_dict *d = dict.dict;
    size_t at = (size_t)(e - d->entries);
    memmove(e, e + 1, (d->count - at - 1) * sizeof *e);
    d->count--;
    index_rebuild(d);
    return true;
}

size_t value_count(struct value v)
{
    return v.kind == VALUE_LIST ? v.list->count : v.kind == VALUE_DICT ? v.dict->count : 0;
}

struct value value_at(struct value list, size_t i)
{
    return list.kind == VALUE_LIST && i < list.list->count ? list.list->items[i] : VALUE_UNDEF;
}

bool value_truth(struct value v)
{
    switch (v.kind) {
    case VALUE_UNDEFINED:
    case VALUE_NONE:
        return false;
    case VALUE_BOOL:
        return v.b;
    case VALUE_INT:
        return v.i != 0;
    case VALUE_FLOAT:
        return v.f != 0;
    case VALUE_STR:
    case VALUE_SAFE:
    case VALUE_BYTES:
        return v.s.n > 0;
    case VALUE_LIST:
    case VALUE_DICT:
        return value_count(v) > 0;
    case VALUE_OBJECT:
        return v.object.class->truth ? v.object.class->truth(v.object.self) : true;
    }
    return false;
}

static bool whole(struct value v, int64_t *ret)
{
    if (v.kind != VALUE_BOOL && v.kind != VALUE_INT)
        return false;
    *ret = v.kind == VALUE_BOOL ? v.b : v.i;
    return true;
}

/* Exact: an integer past 2^53 is not rounded first. */
static bool equal_mixed(int64_t i, double f)
{
    return f >= -9223372036854775808.0 && f < 9223372036854775808.0 && (int64_t)f == i && (double)(int64_t)f == f;
}

static bool equal_lists(struct value a, struct value b)
{
    if (value_count(a) != value_count(b))
        return false;
    for (size_t i = 0; i < value_count(a); i++)
        if (!value_equal(a.list->items[i], b.list->items[i]))
            return false;
    return true;
}

static bool equal_dicts(struct value a, struct value b)
{
    if (value_count(a) != value_count(b))
        return false;
    for (size_t i = 0; i < value_count(a); i++) {
        const struct value_entry *e = &a.dict->entries[i], *other = find(b.dict, e->key);
        if (!other || !value_equal(e->value, other->value))
            return false;
    }
    return true;
}

bool value_equal(struct value a, struct value b)
{
    int64_t x, y;
    bool a_whole = whole(a, &x), b_whole = whole(b, &y);
    if (a_whole && b_whole)
        return x == y;
    if (a_whole && b.kind == VALUE_FLOAT)
        return equal_mixed(x, b.f);
    if (b_whole && a.kind == VALUE_FLOAT)
        return equal_mixed(y, a.f);
    if (a.kind == VALUE_FLOAT && b.kind == VALUE_FLOAT)
        return a.f == b.f;
    if (value_is_text(a) && value_is_text(b))
        return str_eq(a.s, b.s);
    if (a.kind != b.kind)
        return false;
    switch (a.kind) {
    case VALUE_BYTES:
        return str_eq(a.s, b.s);
    case VALUE_LIST:
        return equal_lists(a, b);
    case VALUE_DICT:
        return equal_dicts(a, b);
    case VALUE_OBJECT:
        return a.object.class == b.object.class && a.object.self == b.object.self;
    case VALUE_UNDEFINED:
    case VALUE_NONE:
        return true;
    case VALUE_BOOL:
    case VALUE_INT:
    case VALUE_FLOAT:
    case VALUE_STR:
    case VALUE_SAFE:
        break;
    }
    return false;
}

struct value value_copy(struct arena *a, struct value v)
{
    struct value out;
    switch (v.kind) {
    case VALUE_STR:
    case VALUE_SAFE:
    case VALUE_BYTES:
        v.s = arena_str(a, v.s);
        return v;
    case VALUE_LIST:
        out = value_list(a);
        out.tuple = v.tuple;
        for (size_t i = 0; i < v.list->count; i++)
            value_push(out, value_copy(a, v.list->items[i]));
        return out;
    case VALUE_DICT:
        out = value_dict(a);
        for (size_t i = 0; i < v.dict->count; i++)
            value_set(out, arena_str(a, v.dict->entries[i].key), value_copy(a, v.dict->entries[i].value));
        return out;
    case VALUE_UNDEFINED:
    case VALUE_NONE:
    case VALUE_BOOL:
    case VALUE_INT:
    case VALUE_FLOAT:
    case VALUE_OBJECT:
        break;
    }
    return v;
}

static bool has_object(struct value v, int depth)
{
    if (v.kind == VALUE_OBJECT || depth > LIMIT_JSON_DEPTH)
        return true;
    for (size_t i = 0; v.kind == VALUE_LIST && i < v.list->count; i++)
        if (has_object(v.list->items[i], depth + 1))
            return true;
    for (size_t i = 0; v.kind == VALUE_DICT && i < v.dict->count; i++)
        if (has_object(v.dict->entries[i].value, depth + 1))
            return true;
    return false;
}

static struct value plain(struct arena *a, struct value v, int depth)
{
    struct value out = VALUE_NULL;
    if (depth > LIMIT_JSON_DEPTH)
        return out;
    if (v.kind == VALUE_OBJECT)
        return v.object.class->plain ? plain(a, v.object.class->plain(v.object.self, a), depth + 1) : out;
    if (v.kind == VALUE_LIST) {
        out = value_list(a);
        out.tuple = v.tuple;
        for (size_t i = 0; i < v.list->count; i++)
            value_push(out, plain(a, v.list->items[i], depth + 1));
        return out;
    }
    if (v.kind == VALUE_DICT) {
        out = value_dict(a);
        for (size_t i = 0; i < v.dict->count; i++)
            value_set(out, v.dict->entries[i].key, plain(a, v.dict->entries[i].value, depth + 1));
        return out;
    }
    return v;
}

struct value value_plain(struct arena *a, struct value v)
{
    return has_object(v, 0) ? plain(a, v, 0) : v;
}
