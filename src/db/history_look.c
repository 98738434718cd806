/* SPDX-License-Identifier: Apache-2.0 */
/* history_look — a table as it is, its history as it is, and whether the two fit each other. Writes nothing. */
#include <sqlite3.h>

#include "base/limits.h"
#include "db/conn_impl.h"
#include "db/history_impl.h"
#include "db/schema.h"
#include "db/stmt.h"

#include "base/banned.h"

/* ---- small queries ---- */

static enum status prepare(struct conn *c, const char *sql, str one, struct stmt **ret, struct err *err)
{
    enum status st = conn_prepare_trusted(c, str_of(sql), ret, err);
    return st == STATUS_OK && stmt_parameter_count(*ret) ? stmt_bind_text(*ret, 1, one, err) : st;
}

enum status history_fetch_names(struct conn *c, struct arena *a, const char *sql, str one, struct history_names *ret,
                                struct err *err)
{
    struct stmt *s = NULL;
    *ret = (struct history_names){0};
    enum status st = prepare(c, sql, one, &s, err);
    while (st == STATUS_OK && (st = stmt_step(s, err)) == STATUS_AGAIN) {
        VEC_PUSH(a, &ret->v, arena_str(a, stmt_column_text(s, 0)));
        st = STATUS_OK;
        if (arena_over(a))
            st = err_set(err, STATUS_TOO_LARGE, "the schema is too large");
        else
            continue;
    }
    stmt_done(s);
    return st;
}

bool history_is_own_table(str table)
{
    const str prefixes[] = {STR(HISTORY_PREFIX), STR(HISTORY_OWN_PREFIX)};
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
        if (str_eq_nocase(str_sub(table, 0, MIN(table.n, prefixes[i].n)), prefixes[i]))
            return true;
    return false;
}

/* ---- the table as it is ---- */

static const char *affinity(str type)
{
    enum schema_affinity f = schema_affinity(type);
    return f == AFFINITY_BLOB ? "BLOB" : schema_affinity_name(f);
}

struct look {
    struct conn *c;
    struct arena *a;
    struct history_shape *s;
    VEC(struct history_column) columns;
    VEC(str) keys;
    VEC(struct history_unique) uniques;
};

static enum status look_columns(struct look *l, struct err *err)
{
    struct stmt *s = NULL;
    struct {
        str name;
        int64_t place;
    } *keys = NULL;
    size_t key_count = 0;
    enum status st =
        prepare(l->c, "SELECT name, type, pk, hidden FROM pragma_table_xinfo(?1, 'main')", l->s->table, &s, err);
    keys = arena_alloc(l->a, sizeof *keys * (LIMIT_WRITE_COLUMNS + 1));
    while (st == STATUS_OK && (st = stmt_step(s, err)) == STATUS_AGAIN) {
        str name = arena_str(l->a, stmt_column_text(s, 0)), type = stmt_column_text(s, 1);
        st = STATUS_OK;
        if (stmt_column_i64(s, 3))
            continue;
        VEC_PUSH(l->a, &l->columns, (struct history_column){name, affinity(type)});
        if (stmt_column_i64(s, 2) && key_count < LIMIT_WRITE_COLUMNS) {
            keys[key_count].name = name;
            keys[key_count++].place = stmt_column_i64(s, 2);
        }
    }
    stmt_done(s);
    for (size_t place = 1; place <= key_count; place++)
        for (size_t i = 0; i < key_count; i++)
            if (keys[i].place == (int64_t)place)
                VEC_PUSH(l->a, &l->keys, keys[i].name);
    return st;
}

/* A table without a primary key: its rows are known by their rowid, which is recorded as a column. */
static enum status look_rowid(struct look *l, struct err *err)
{
    static const char *const aliases[] = {"rowid", "_rowid_", "oid"};
    for (size_t k = 0; k < ARRAY_LEN(aliases); k++) {
        bool taken = false;
        for (size_t i = 0; i < l->columns.count; i++)
            taken |= str_eq_nocase(l->columns.items[i].name, str_of(aliases[k]));
        if (taken)
            continue;
        VEC_PUSH(l->a, &l->columns, (struct history_column){0});
        memmove(l->columns.items + 1, l->columns.items, (l->columns.count - 1) * sizeof *l->columns.items);
        l->columns.items[0] = (struct history_column){str_of(aliases[k]), "INTEGER"};
        VEC_PUSH(l->a, &l->keys, str_of(aliases[k]));
        l->s->by_rowid = true;
        return STATUS_OK;
    }
    return err_set(err, STATUS_INVALID, "%.*s has no primary key and columns named rowid, _rowid_ and oid",
                   STR_ARG(l->s->table));
}

static enum status look_uniques(struct look *l, struct err *err)
{
    struct history_names indexes, columns;
    enum status st = history_fetch_names(
        l->c, l->a, "SELECT name FROM pragma_index_list(?1, 'main') WHERE \"unique\" AND origin <> 'pk' ORDER BY name",
        l->s->table, &indexes, err);
    for (size_t i = 0; st == STATUS_OK && i < indexes.v.count; i++) {
        st = history_fetch_names(l->c, l->a,
                                 "SELECT coalesce(name, '') FROM pragma_index_info(?1, 'main') ORDER BY seqno",
                                 indexes.v.items[i], &columns, err);
        bool plain = st == STATUS_OK && columns.v.count;
        for (size_t k = 0; plain && k < columns.v.count; k++)
            plain = columns.v.items[k].n > 0; /* an expression has no name */
        if (plain)
            VEC_PUSH(l->a, &l->uniques, (struct history_unique){columns.v.items, columns.v.count});
    }
    return st;
}

static enum status check_kind(struct conn *c, struct arena *a, str table, struct err *err)
{
    struct history_names kinds;
    enum status st = history_fetch_names(
        c, a,
        "SELECT CASE WHEN type <> 'table' THEN 'view' WHEN sql LIKE 'CREATE VIRTUAL%' THEN 'virtual' ELSE type END"
        " FROM sqlite_schema WHERE type IN ('table', 'view') AND name = ?1",
        table, &kinds, err);
    if (st != STATUS_OK)
        return st;
    if (!kinds.v.count)
        return err_set(err, STATUS_NOT_FOUND, "Table not found: %.*s", STR_ARG(table));
    if (!str_is(kinds.v.items[0], "table"))
        return err_set(err, STATUS_INVALID, "%.*s is a %.*s: only tables have a history", STR_ARG(table),
                       STR_ARG(str_is(kinds.v.items[0], "view") ? STR("view") : STR("virtual table")));
    if (history_is_own_table(table) || str_starts(table, STR("sqlite_")))
        return err_set(err, STATUS_INVALID, "%.*s keeps no history of its own", STR_ARG(table));
    return STATUS_OK;
}

enum status history_look_shape(struct conn *c, struct arena *a, str table, struct history_shape *ret, struct err *err)
{
    struct look l = {.c = c, .a = a, .s = ret};
    *ret = (struct history_shape){.table = table};
    enum status st = check_kind(c, a, table, err);
    if (st == STATUS_OK)
        st = look_columns(&l, err);
    if (st == STATUS_OK && !l.keys.count)
        st = look_rowid(&l, err);
    if (st == STATUS_OK)
        st = look_uniques(&l, err);
    if (st == STATUS_OK && l.columns.count > LIMIT_HISTORY_COLUMNS)
        return err_set(err, STATUS_INVALID, "%.*s has %zu columns: a history is kept of tables with %d at most",
                       STR_ARG(table), l.columns.count, LIMIT_HISTORY_COLUMNS);
    ret->columns = l.columns.items;
    ret->column_count = l.columns.count;
    ret->keys = l.keys.items;
    ret->key_count = l.keys.count;
    ret->uniques = l.uniques.items;
    ret->unique_count = l.uniques.count;
    return st;
}

/* ---- the history as it is ---- */

/* Triggers of the table that are a history's. The one behind INSERT names the history, also when the table got another
 * name since. */
static enum status look_triggers(struct conn *c, struct arena *a, struct history_info *h, struct history_state *state,
                                 struct err *err)
{
    struct stmt *s = NULL;
    str suffix = STR(":insert");
    enum status st =
        prepare(c,
                "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE"
                " AND substr(name, 1, 9) = '" HISTORY_PREFIX "'",
                h->shape.table, &s, err);
    h->history = ARENA_CAT(a, STR(HISTORY_PREFIX), h->shape.table);
    while (st == STATUS_OK && (st = stmt_step(s, err)) == STATUS_AGAIN) {
        struct history_found t = {arena_str(a, stmt_column_text(s, 0)), arena_str(a, stmt_column_text(s, 1))};
        st = STATUS_OK;
        if (str_ends(t.name, suffix) && !str_ends(t.name, STR(":before insert"))) {
            h->enabled = true;
            h->history = str_sub(t.name, 0, t.name.n - suffix.n);
        }
        VEC_PUSH(a, &state->triggers, t);
    }
    stmt_done(s);
    h->shape.history = h->history;
    return st;
}

enum status history_look_names(struct conn *c, struct arena *a, struct history_info *h, struct err *err)
{
    struct history_names n;
    enum status st = history_fetch_names(
        c, a, "SELECT substr(name, 8) FROM pragma_table_xinfo(?1, 'main') WHERE substr(name, 1, 7) = 'before.'",
        h->history, &n, err);
    h->names = n.v.items;
    h->name_count = n.v.count;
    h->there = n.v.count > 0;
    return st;
}

const struct history_found *history_find_trigger(const struct history_state *state, str name)
{
    for (size_t i = 0; i < state->triggers.count; i++)
        if (str_eq(state->triggers.items[i].name, name))
            return &state->triggers.items[i];
    return NULL;
}

static void judge(struct arena *a, struct history_info *h, const struct history_state *state)
{
    struct history_shape *s = &h->shape;
    h->current = h->enabled && h->there;
    for (size_t i = 0; h->enabled && i < s->column_count; i++) {
        if (str_in_nocase(s->columns[i].name, h->names, h->name_count))
            continue;
        h->current = false;
        h->why = "the column was added or renamed by another program and is not recorded";
        h->column = s->columns[i].name;
    }
    for (int t = 0; h->current && t < HISTORY_TRIGGERS; t++) {
        str want = history_trigger_sql(a, s, (enum history_trigger)t);
        const struct history_found *have =
            history_find_trigger(state, history_trigger_name(a, h->history, (enum history_trigger)t));
        if (want.n ? have && str_eq(have->sql, want) : !have)
            continue;
        h->current = false;
        h->why = "the table's definition changed since recording began";
    }
    if (h->enabled && !h->there)
        h->why = "the table that keeps the history is gone: writes fail until it is made again";
    else if (h->current && !str_eq(h->history, ARENA_CAT(a, STR(HISTORY_PREFIX), s->table))) {
        h->current = false;
        h->why = "the table was renamed by another program";
    }
}

enum status history_look_whole(struct conn *c, struct arena *a, str table, struct history_info *ret,
                               struct history_state *state, struct err *err)
{
    struct history_info h = {0};
    *state = (struct history_state){0};
    enum status st = history_look_shape(c, a, table, &h.shape, err);
    if (st == STATUS_OK)
        st = look_triggers(c, a, &h, state, err);
    if (st == STATUS_OK)
        st = history_look_names(c, a, &h, err);
    if (st != STATUS_OK)
        return st;
    judge(a, &h, state);
    *ret = h;
    return STATUS_OK;
}

enum status history_look(struct conn *c, struct arena *a, str table, struct history_info *ret, struct err *err)
{
    struct history_state state;
    return history_look_whole(c, a, table, ret, &state, err);
}

bool history_in_use(struct conn *c)
{
    /* any statement sees whether another program changed the schema; the look itself costs nothing */
    int64_t n;
    if (conn_query_i64(c, STR("SELECT count(*) FROM (SELECT 1 FROM sqlite_schema LIMIT 1)"), &n, NULL) != STATUS_OK)
        return false;
    return sqlite3_table_column_metadata(c->sqlite, "main", HISTORY_ACTOR, NULL, NULL, NULL, NULL, NULL, NULL) ==
           SQLITE_OK;
}

enum status history_list(struct conn *c, struct arena *a, const str **ret, size_t *ret_count, struct err *err)
{
    struct history_names n;
    enum status st = history_fetch_names(
        c, a,
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND substr(name, 1, 9) = "
        "'" HISTORY_PREFIX "' AND sql LIKE '%version INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT, op TEXT%'",
        (str){0}, &n, err);
    *ret = n.v.items;
    *ret_count = n.v.count;
    return st;
}

str history_owner(const struct schema *s, str table)
{
    if (!str_eq_nocase(str_sub(table, 0, sizeof HISTORY_PREFIX - 1), STR(HISTORY_PREFIX)))
        return (str){0};
    if (str_ends(table, STR(HISTORY_ASIDE)))
        table.n -= sizeof HISTORY_ASIDE - 1;
    for (size_t i = 0; s && i < s->table_count; i++) {
        const struct schema_table *t = &s->tables[i];
        for (size_t k = 0; k < t->trigger_count; k++) {
            str name = t->triggers[k].name;
            if (str_ends(name, STR(":insert")) && str_eq_nocase(str_sub(name, 0, name.n - 7), table))
                return t->name;
        }
    }
    return str_from(table, sizeof HISTORY_PREFIX - 1);
}
