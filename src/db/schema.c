/* SPDX-License-Identifier: Apache-2.0 */
/* schema — snapshots: shared, immutable, replaced when the schema changes.
 *
 * Per request the question "did the schema change?" costs the look that conn_acquire took: when nothing was committed
 * since this connection last looked, its snapshot is right. When something was, PRAGMA schema_version tells whether it
 * was the schema; mostly it was not. Only then the tables are read again (schema_load.c), by the first connection that
 * notices: the others find its snapshot at the database.
 *
 * Invariants: (1) a snapshot is built within one read transaction, with the version read in it. (2) inside a longer
 * read transaction the connection may see an older state than the signature tells, so nothing is remembered then.
 * Tests: tests/unit/db/test_schema.c */
#include "db/schema.h"

#include <sqlite3.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"
#include "db/conn_impl.h"
#include "db/schema_impl.h"
#include "db/stmt.h"

#include "base/banned.h"

/* ---- snapshots ---- */

struct schema_snapshot *snapshot_new(void)
{
    struct schema_snapshot *n = MEM_NEW(struct schema_snapshot);
    atomic_init(&n->refs, 1);
    n->arena = arena_new(LIMIT_DB_SCHEMA_BYTES);
    n->by_name = map_new();
    n->by_lower = map_new();
    return n;
}

void snapshot_add(struct schema_snapshot *n, struct schema_table t)
{
    if (n->schema.table_count == n->table_cap) {
        n->table_cap = n->table_cap ? n->table_cap * 2 : 16;
        n->tables = mem_resize(n->tables, n->table_cap, sizeof *n->tables);
    }
    n->tables[n->schema.table_count++] = t;
    n->schema.tables = n->tables;
    n->schema.view_count += t.kind == SCHEMA_VIEW;
}

void snapshot_index(struct schema_snapshot *n)
{
    for (size_t i = 0; i < n->schema.table_count; i++) {
        struct schema_table *t = &n->tables[i];
        str lower = arena_lower(n->arena, t->name);
        (void)map_put(n->by_name, t->name, t);
        if (!map_has(n->by_lower, lower))
            (void)map_put(n->by_lower, lower, t);
    }
}

struct schema_table *snapshot_find(const struct schema_snapshot *n, str name)
{
    struct schema_table *t = map_get(n->by_name, name);
    if (t)
        return t;
    char small[128], *lower = name.n <= sizeof small ? small : mem_alloc(name.n);
    t = map_get(n->by_lower, str_lower(lower, name));
    if (lower != small)
        free(lower);
    return t;
}

const struct schema *schema_ref(const struct schema *s)
{
    struct schema_snapshot *n = (struct schema_snapshot *)(uintptr_t)s;
    atomic_fetch_add(&n->refs, 1);
    return s;
}

void schema_unref(const struct schema *s)
{
    struct schema_snapshot *n = (struct schema_snapshot *)(uintptr_t)s;
    if (!n || atomic_fetch_sub(&n->refs, 1) != 1)
        return;
    map_free(n->by_name);
    map_free(n->by_lower);
    arena_free(n->arena);
    free(n->tables);
    free(n);
}

/* ---- getting one ---- */

static enum status load(struct conn *c, int64_t version, const struct schema **ret, struct err *err)
{
    struct schema_snapshot *n = snapshot_new();
    n->schema.version = version;
    enum status st = schema_load(c, n, err);
    if (st == STATUS_OK)
        st = schema_rules(c, n, err);
    if (st == STATUS_OK && arena_over(n->arena))
        st = err_set(err, STATUS_TOO_LARGE, "the schema of '%s' takes more than %d bytes", c->db->name,
                     LIMIT_DB_SCHEMA_BYTES);
    if (st == STATUS_OK)
        *ret = &n->schema;
    else
        schema_unref(&n->schema);
    return st;
}

/* The database's snapshot when it has this version; else a new one, which becomes the database's. */
static enum status share(struct conn *c, int64_t version, const struct schema **ret, struct err *err)
{
    struct database *db = c->db;
    const struct schema *found = NULL, *old = NULL;
    pthread_rwlock_rdlock(&db->lock);
    if (db->schema && db->schema->version == version && db->schema_generation == c->ticket.generation)
        found = schema_ref(db->schema);
    pthread_rwlock_unlock(&db->lock);
    if (found) {
        *ret = found;
        return STATUS_OK;
    }
    enum status st = load(c, version, &found, err);
    if (st != STATUS_OK)
        return st;
    pthread_rwlock_wrlock(&db->lock);
    if (!db->schema || db->schema_generation <= c->ticket.generation) {
        old = db->schema;
        db->schema = schema_ref(found);
        db->schema_generation = c->ticket.generation;
    }
    pthread_rwlock_unlock(&db->lock);
    schema_unref(old);
    *ret = found;
    return STATUS_OK;
}

const struct schema *schema_newest(struct database *db)
{
    pthread_rwlock_rdlock(&db->lock);
    const struct schema *s = db->schema ? schema_ref(db->schema) : NULL;
    pthread_rwlock_unlock(&db->lock);
    return s;
}

/* What conn_acquire saw is good as long as nothing was read since. */
static bool conn_signature(struct conn *c, struct db_signature *ret)
{
    if (!c->looked)
        return database_signature(c->db, ret, NULL) == STATUS_OK;
    c->looked = false;
    *ret = c->acquired;
    return true;
}

enum status schema_get(struct conn *c, const struct schema **ret, struct err *err)
{
    struct db_signature signature;
    const struct schema *found = NULL;
    int64_t version;
    enum status st = STATUS_OK;
    /* The file may be gone from its path: a stream still reads the one that its connection holds, and asks that. */
    bool there = conn_signature(c, &signature);
    bool outer = !sqlite3_get_autocommit(c->sqlite);
    if (there && !outer && c->schema && db_signature_equal(&signature, &c->schema_signature)) {
        *ret = schema_ref(c->schema);
        return STATUS_OK;
    }
    if (!outer)
        st = conn_begin_read(c, err);
    if (st == STATUS_OK)
        st = conn_query_i64(c, STR("PRAGMA main.schema_version"), &version, err);
    if (st == STATUS_OK) {
        if (c->schema && c->schema->version == version)
            found = schema_ref(c->schema);
        else
            st = share(c, version, &found, err);
    }
    if (!outer)
        conn_end_read(c);
    if (st != STATUS_OK)
        return st;
    schema_unref(c->schema);
    c->schema = schema_ref(found);
    c->schema_signature = outer || !there ? (struct db_signature){.words = {0}} : signature;
    *ret = found;
    return STATUS_OK;
}

/* ---- looking up ---- */

const struct schema_table *schema_table(const struct schema *s, str name)
{
    return snapshot_find((const struct schema_snapshot *)(uintptr_t)s, name);
}

const struct schema_column *schema_column(const struct schema_table *t, str name)
{
    for (size_t i = 0; i < t->column_count; i++)
        if (str_eq(t->columns[i].name, name))
            return &t->columns[i];
    for (size_t i = 0; i < t->column_count; i++)
        if (str_eq_nocase(t->columns[i].name, name))
            return &t->columns[i];
    return NULL;
}

const struct schema_index *schema_index(const struct schema_table *t, str name)
{
    for (size_t i = 0; i < t->index_count; i++)
        if (str_eq_nocase(t->indexes[i].name, name))
            return &t->indexes[i];
    return NULL;
}

const struct schema_fk *schema_fk_on(const struct schema_table *t, str column)
{
    for (size_t i = 0; i < t->fk_count; i++)
        if (t->fks[i].count == 1 && str_eq_nocase(t->fks[i].columns[0], column))
            return &t->fks[i];
    return NULL;
}

bool schema_column_is_pk(const struct schema_table *t, str name)
{
    const struct schema_column *column = schema_column(t, name);
    return column && column->pk > 0;
}

static bool type_has(str type, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= type.n; i++)
        if (str_eq_nocase(str_sub(type, i, i + n), str_make(word, n)))
            return true;
    return false;
}

enum schema_affinity schema_affinity(str type)
{
    if (type_has(type, "INT"))
        return AFFINITY_INTEGER;
    if (type_has(type, "CHAR") || type_has(type, "CLOB") || type_has(type, "TEXT"))
        return AFFINITY_TEXT;
    if (!type.n || type_has(type, "BLOB"))
        return AFFINITY_BLOB;
    if (type_has(type, "REAL") || type_has(type, "FLOA") || type_has(type, "DOUB"))
        return AFFINITY_REAL;
    return AFFINITY_NUMERIC;
}

const char *schema_affinity_name(enum schema_affinity affinity)
{
    static const char *const names[] = {"INTEGER", "TEXT", "BLOB", "REAL", "NUMERIC"};
    return names[affinity];
}
