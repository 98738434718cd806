/* SPDX-License-Identifier: Apache-2.0 */
/* schema_load — reads the tables of a database that may hold anything.
 *
 * One pass over sqlite_schema gives names, SQL, indexes and triggers; then table_xinfo for each table, and index_list
 * and foreign_key_list only where the first pass says that there is something (an index row, the word REFERENCES): a
 * plain table costs one pragma, some 10 us, so that 10,000 tables take a tenth of a second. Not PRAGMA table_list: it
 * compiles every view, and starts again after each.
 *
 * A broken view or a virtual table whose module is missing makes its own pragma fail; the table then carries the
 * message and no columns. Names are bytes: they go in as bound parameters, never into SQL text. Tests:
 * tests/unit/db/test_schema.c */
#include "base/limits.h"
#include "codec/names.h"
#include "db/conn_impl.h"
#include "db/schema_impl.h"
#include "db/stmt.h"

#include "base/banned.h"

struct raw_index { /* rows of sqlite_schema, waiting for their table */
    str table, name, sql;
};

struct loader {
    struct conn *conn;
    struct schema_snapshot *n;
    struct arena *arena;
    struct err *err;
    VEC(struct raw_index) indexes;
    VEC(struct raw_index) triggers;
    struct map *index_sql;   /* index name -> struct raw_index */
    struct map *has_indexes; /* lower table name -> non-NULL */
};

static str keep(struct loader *l, struct stmt *s, int column)
{
    return arena_str(l->arena, stmt_column_text(s, column));
}

/* Prepares `sql` with ?1 = name, runs row(l, self, s) for each row. */
static enum status each_row(struct loader *l, str sql, str name, void (*row)(struct loader *, void *, struct stmt *),
                            void *self, struct err *err)
{
    struct stmt *s;
    enum status st = conn_prepare_trusted(l->conn, sql, &s, err);
    if (st != STATUS_OK)
        return st;
    if (stmt_parameter_count(s) > 0)
        st = stmt_bind_text_static(s, 1, name, err);
    if (st == STATUS_OK) {
        while ((st = stmt_step(s, err)) == STATUS_AGAIN && !arena_over(l->arena))
            row(l, self, s);
        if (st == STATUS_AGAIN)
            st = STATUS_OK; /* over: schema.c says so */
    }
    stmt_done(s);
    return st;
}

/* ---- sqlite_schema ---- */

static str module_of(struct loader *l, str sql)
{
    size_t at = find_nocase(sql, STR(" USING "), 0);
    if (at == STR_NPOS)
        return str_make("", 0);
    str rest = str_trim(str_from(sql, at + 7));
    size_t n = 0;
    while (n < rest.n && rest.p[n] != '(' && rest.p[n] != ' ' && rest.p[n] != '\n' && rest.p[n] != '\t' &&
           rest.p[n] != ';')
        n++;
    str word = str_sub(rest, 0, n);
    if (word.n >= 2 && (word.p[0] == '"' || word.p[0] == '[' || word.p[0] == '`'))
        word = str_sub(word, 1, word.n - 1);
    return arena_lower(l->arena, word);
}

static void add_object(struct loader *l, void *self, struct stmt *s)
{
    (void)self;
    str type = stmt_column_text(s, 0), name = keep(l, s, 1), table = keep(l, s, 2), sql = keep(l, s, 4);
    struct schema_table t = {
        .name = name, .sql = sql, .module = STR(""), .fts_table = STR(""), .label_column = STR("")};
    t.error = STR("");
    if (str_is(type, "index")) {
        VEC_PUSH(l->arena, &l->indexes, (struct raw_index){table, name, sql});
    } else if (str_is(type, "trigger")) {
        VEC_PUSH(l->arena, &l->triggers, (struct raw_index){table, name, sql});
    } else if (str_is(type, "view")) {
        t.kind = SCHEMA_VIEW;
        snapshot_add(l->n, t);
    } else if (str_is(type, "table")) {
        bool virtual = stmt_column_i64(s, 3) == 0;
        bool without_rowid = false;
        t.kind = virtual ? SCHEMA_VIRTUAL : SCHEMA_TABLE;
        if (virtual)
            t.module = module_of(l, sql);
        else
            schema_table_options(sql, &without_rowid, &t.strict);
        t.has_rowid = !without_rowid;
        snapshot_add(l->n, t);
    }
}

/* Indexes and triggers find their tables. */
static void sort_objects(struct loader *l)
{
    for (size_t i = 0; i < l->indexes.count; i++) {
        (void)map_put(l->index_sql, l->indexes.items[i].name, &l->indexes.items[i]);
        struct schema_table *t = snapshot_find(l->n, l->indexes.items[i].table);
        if (t)
            (void)map_put(l->has_indexes, t->name, t);
    }
    /* Counted first, so that each table's triggers are one array. */
    for (size_t pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < l->triggers.count; i++) {
            struct raw_index *r = &l->triggers.items[i];
            struct schema_table *t = snapshot_find(l->n, r->table);
            if (!t)
                continue;
            if (pass == 0) {
                t->trigger_count++;
                continue;
            }
            if (!t->triggers) {
                t->triggers = ARENA_ARRAY(l->arena, struct schema_trigger, t->trigger_count);
                t->trigger_count = 0;
            }
            ((struct schema_trigger *)(uintptr_t)t->triggers)[t->trigger_count++] =
                (struct schema_trigger){r->name, r->sql};
        }
    }
}

/* ---- columns ---- */

struct columns {
    VEC(struct schema_column) v;
};

static void add_column(struct loader *l, void *self, struct stmt *s)
{
    struct columns *cs = self;
    struct schema_column c = {.name = keep(l, s, 0),
                              .type = keep(l, s, 1),
                              .notnull = stmt_column_i64(s, 2) != 0,
                              .pk = (int)stmt_column_i64(s, 4),
                              .hidden = (int)stmt_column_i64(s, 5)};
    if (stmt_column_kind(s, 3) != DB_NULL)
        c.default_value = keep(l, s, 3);
    VEC_PUSH(l->arena, &cs->v, c);
}

static void derive_columns(struct loader *l, struct schema_table *t)
{
    str *names = ARENA_ARRAY(l->arena, str, t->column_count + 1);
    str *pks = ARENA_ARRAY(l->arena, str, t->column_count + 1);
    for (size_t i = 0; i < t->column_count; i++) {
        const struct schema_column *c = &t->columns[i];
        if (c->hidden != 1)
            names[t->column_name_count++] = c->name;
        if (c->pk > 0 && (size_t)c->pk <= t->column_count) {
            pks[c->pk - 1] = c->name;
            t->pk_count++;
        }
    }
    t->column_names = names;
    t->pks = pks;
    t->use_rowid = t->kind != SCHEMA_VIEW && t->pk_count == 0;
}

/* Why a table without columns has none, in SQLite's words. */
static str why_no_columns(struct loader *l, str table)
{
    struct buf sql;
    struct stmt *s = NULL;
    struct err why = ERR_INIT;
    buf_init(&sql, LIMIT_DB_SQL_BYTES);
    buf_puts(&sql, STR("SELECT * FROM main."));
    name_quote(&sql, table);
    enum status st = conn_prepare_trusted(l->conn, buf_str(&sql), &s, &why);
    stmt_done(st == STATUS_OK ? s : NULL);
    buf_release(&sql);
    return st == STATUS_OK ? STR("its columns cannot be read") : arena_str(l->arena, str_of(why.text));
}

static bool is_about_this_table(enum status st)
{
    return st == STATUS_SQL || st == STATUS_INVALID || st == STATUS_NOT_FOUND || st == STATUS_CONFLICT;
}

static enum status load_columns(struct loader *l, struct schema_table *t)
{
    struct columns cs = {0};
    struct err why = ERR_INIT;
    enum status st =
        each_row(l, STR("SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo(?1, 'main')"),
                 t->name, add_column, &cs, &why);
    if (st != STATUS_OK && !is_about_this_table(st) && !(st == STATUS_CORRUPT && t->kind != SCHEMA_TABLE)) {
        if (l->err)
            *l->err = why;
        return st;
    }
    if (st != STATUS_OK) {
        t->error = arena_str(l->arena, str_of(why.text));
        cs.v.count = 0;
    } else if (cs.v.count == 0) {
        t->error = why_no_columns(l, t->name);
    }
    t->columns = cs.v.items;
    t->column_count = cs.v.count;
    derive_columns(l, t);
    return STATUS_OK;
}

/* ---- indexes ---- */

struct indexes {
    VEC(struct schema_index) v;
};
struct names {
    VEC(str) v;
};

static void add_index(struct loader *l, void *self, struct stmt *s)
{
    struct indexes *is = self;
    struct schema_index x = {.name = keep(l, s, 0),
                             .unique = stmt_column_i64(s, 1) != 0,
                             .partial = stmt_column_i64(s, 3) != 0,
                             .origin = 'c',
                             .sql = STR("")};
    str origin = stmt_column_text(s, 2);
    if (origin.n)
        x.origin = origin.p[0];
    struct raw_index *raw = map_get(l->index_sql, x.name);
    if (raw)
        x.sql = raw->sql;
    VEC_PUSH(l->arena, &is->v, x);
}

static void add_name(struct loader *l, void *self, struct stmt *s)
{
    struct names *ns = self;
    VEC_PUSH(l->arena, &ns->v, keep(l, s, 0));
}

static enum status load_indexes(struct loader *l, struct schema_table *t)
{
    struct indexes is = {0};
    enum status st = each_row(l, STR("SELECT name, \"unique\", origin, partial FROM pragma_index_list(?1, 'main')"),
                              t->name, add_index, &is, l->err);
    for (size_t i = 0; st == STATUS_OK && i < is.v.count; i++) {
        struct names ns = {0};
        st = each_row(l, STR("SELECT coalesce(name, '') FROM pragma_index_info(?1, 'main')"), is.v.items[i].name,
                      add_name, &ns, l->err);
        is.v.items[i].columns = ns.v.items;
        is.v.items[i].column_count = ns.v.count;
    }
    t->indexes = is.v.items;
    t->index_count = is.v.count;
    return st;
}

/* ---- foreign keys ---- */

struct raw_fk {
    int64_t id;
    str other_table, column, other_column, on_update, on_delete;
};
struct raw_fks {
    VEC(struct raw_fk) v;
};

static void add_fk(struct loader *l, void *self, struct stmt *s)
{
    struct raw_fks *fs = self;
    struct raw_fk f = {stmt_column_i64(s, 0), keep(l, s, 1), keep(l, s, 2),
                       keep(l, s, 3),         keep(l, s, 4), keep(l, s, 5)};
    VEC_PUSH(l->arena, &fs->v, f);
}

static enum status load_fks(struct loader *l, struct schema_table *t)
{
    struct raw_fks raw = {0};
    VEC(struct schema_fk) fks = {0};
    enum status st = each_row(l,
                              STR("SELECT id, \"table\", \"from\", \"to\", on_update, on_delete "
                                  "FROM pragma_foreign_key_list(?1, 'main')"),
                              t->name, add_fk, &raw, l->err);
    for (size_t i = 0; i < raw.v.count;) { /* rows of one key follow each other, in the order of its columns */
        size_t n = 1;
        struct raw_fk *r = &raw.v.items[i];
        while (i + n < raw.v.count && raw.v.items[i + n].id == r->id)
            n++;
        str *columns = ARENA_ARRAY(l->arena, str, n), *others = ARENA_ARRAY(l->arena, str, n);
        for (size_t k = 0; k < n; k++) {
            columns[k] = r[k].column;
            others[k] = r[k].other_column;
        }
        struct schema_fk f = {.other_table = r->other_table,
                              .columns = columns,
                              .other_columns = others,
                              .count = n,
                              .on_update = r->on_update,
                              .on_delete = r->on_delete};
        VEC_PUSH(l->arena, &fks, f);
        i += n;
    }
    t->fks = fks.items;
    t->fk_count = fks.count;
    return st;
}

/* "REFERENCES other" without columns means other's primary key. Then each key is entered at the table it points to. */
static void link_fks(struct loader *l)
{
    struct incoming_list {
        VEC(struct schema_incoming) v;
    } *lists = ARENA_ARRAY(l->arena, struct incoming_list, l->n->schema.table_count + 1);
    for (size_t i = 0; i < l->n->schema.table_count; i++) {
        struct schema_table *t = &l->n->tables[i];
        for (size_t k = 0; k < t->fk_count; k++) {
            const struct schema_fk *f = &t->fks[k];
            struct schema_table *other = snapshot_find(l->n, f->other_table);
            str *others = (str *)(uintptr_t)f->other_columns;
            for (size_t m = 0; m < f->count; m++)
                if (!others[m].n)
                    others[m] = other && other->pk_count == f->count ? other->pks[m] : STR("");
            if (other && f->count == 1)
                VEC_PUSH(l->arena, &lists[other - l->n->tables].v,
                         (struct schema_incoming){t->name, f->columns[0], others[0]});
        }
    }
    for (size_t i = 0; i < l->n->schema.table_count; i++) {
        l->n->tables[i].incoming = lists[i].v.items;
        l->n->tables[i].incoming_count = lists[i].v.count;
    }
}

/* ---- all ---- */

static enum status load_all(struct loader *l)
{
    enum status st = each_row(l, STR("SELECT type, name, tbl_name, rootpage, sql FROM main.sqlite_schema"), STR(""),
                              add_object, NULL, l->err);
    if (st != STATUS_OK)
        return st;
    snapshot_index(l->n);
    sort_objects(l);
    for (size_t i = 0; st == STATUS_OK && i < l->n->schema.table_count && !arena_over(l->arena); i++) {
        struct schema_table *t = &l->n->tables[i];
        st = load_columns(l, t);
        if (st != STATUS_OK || t->kind != SCHEMA_TABLE || t->error.n)
            continue;
        if (map_has(l->has_indexes, t->name) || !t->has_rowid)
            st = load_indexes(l, t);
        if (st == STATUS_OK && find_nocase(t->sql, STR("REFERENCES"), 0) != STR_NPOS)
            st = load_fks(l, t);
    }
    if (st == STATUS_OK)
        link_fks(l);
    return st;
}

enum status schema_load(struct conn *c, struct schema_snapshot *n, struct err *err)
{
    struct loader l = {
        .conn = c, .n = n, .arena = n->arena, .err = err, .index_sql = map_new(), .has_indexes = map_new()};
    enum status st = load_all(&l);
    map_free(l.index_sql);
    map_free(l.has_indexes);
    return st;
}
