/* SPDX-License-Identifier: Apache-2.0 */
#include "db/history.h"

#include <sqlite3.h>

#include "base/limits.h"
#include "codec/names.h"
#include "db/conn_impl.h"
#include "db/schema.h"
#include "db/stmt.h"

#include "base/banned.h"

struct names {
    VEC(str) v;
};

/* ---- small queries ---- */

static enum status prepare(struct conn *c, const char *sql, str one, struct stmt **ret, struct err *err)
{
    enum status st = conn_prepare_trusted(c, str_of(sql), ret, err);
    return st == STATUS_OK && stmt_parameter_count(*ret) ? stmt_bind_text(*ret, 1, one, err) : st;
}

/* First column of all rows. */
static enum status fetch_names(struct conn *c, struct arena *a, const char *sql, str one, struct names *ret,
                               struct err *err)
{
    struct stmt *s = NULL;
    *ret = (struct names){0};
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

static enum status execute(struct conn *c, struct buf *sql, struct err *err)
{
    enum status st = sql->over ? err_set(err, STATUS_TOO_LARGE, "the table has too many columns for a history")
                               : conn_execute(c, buf_str(sql), err);
    buf_clear(sql);
    return st;
}

bool history_is_own_table(str table)
{
    return str_eq_nocase(table, STR(HISTORY_ACTOR)) || str_eq_nocase(table, STR(HISTORY_COLUMNS)) ||
           str_eq_nocase(str_sub(table, 0, sizeof HISTORY_PREFIX - 1), STR(HISTORY_PREFIX));
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
        continue;
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
    struct names indexes, columns;
    enum status st = fetch_names(
        l->c, l->a, "SELECT name FROM pragma_index_list(?1, 'main') WHERE \"unique\" AND origin <> 'pk' ORDER BY name",
        l->s->table, &indexes, err);
    for (size_t i = 0; st == STATUS_OK && i < indexes.v.count; i++) {
        st = fetch_names(l->c, l->a, "SELECT coalesce(name, '') FROM pragma_index_info(?1, 'main') ORDER BY seqno",
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
    struct names kinds;
    enum status st = fetch_names(
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

static enum status look_shape(struct conn *c, struct arena *a, str table, struct history_shape *ret, struct err *err)
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

struct trigger_found {
    str name, sql;
};

struct state {
    VEC(struct trigger_found) triggers;
};

/* Triggers of the table that are a history's. The one behind INSERT names the history, also when the table got another
 * name since. */
static enum status look_triggers(struct conn *c, struct arena *a, struct history_info *h, struct state *state,
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
        struct trigger_found t = {arena_str(a, stmt_column_text(s, 0)), arena_str(a, stmt_column_text(s, 1))};
        st = STATUS_OK;
        if (str_ends(t.name, suffix) && !str_ends(t.name, STR(":before insert"))) {
            h->enabled = true;
            h->history = str_sub(t.name, 0, t.name.n - suffix.n);
        }
        VEC_PUSH(a, &state->triggers, t);
        continue;
    }
    stmt_done(s);
    h->shape.history = h->history;
    return st;
}

static bool has_name(const str *names, size_t count, str name)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq_nocase(names[i], name))
            return true;
    return false;
}

static enum status look_names(struct conn *c, struct arena *a, struct history_info *h, struct err *err)
{
    struct names n;
    enum status st = fetch_names(
        c, a, "SELECT substr(name, 8) FROM pragma_table_xinfo(?1, 'main') WHERE substr(name, 1, 7) = 'before.'",
        h->history, &n, err);
    h->names = n.v.items;
    h->name_count = n.v.count;
    h->there = n.v.count > 0;
    return st;
}

static const struct trigger_found *find_trigger(const struct state *state, str name)
{
    for (size_t i = 0; i < state->triggers.count; i++)
        if (str_eq(state->triggers.items[i].name, name))
            return &state->triggers.items[i];
    return NULL;
}

static void judge(struct arena *a, struct history_info *h, const struct state *state)
{
    struct history_shape *s = &h->shape;
    h->current = h->enabled && h->there;
    for (size_t i = 0; h->enabled && i < s->column_count; i++) {
        if (has_name(h->names, h->name_count, s->columns[i].name))
            continue;
        h->current = false;
        h->why = "the column was added or renamed by another program and is not recorded";
        h->column = s->columns[i].name;
    }
    for (int t = 0; h->current && t < HISTORY_TRIGGERS; t++) {
        str want = history_trigger_sql(a, s, (enum history_trigger)t);
        const struct trigger_found *have =
            find_trigger(state, history_trigger_name(a, h->history, (enum history_trigger)t));
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

static enum status look(struct conn *c, struct arena *a, str table, struct history_info *ret, struct state *state,
                        struct err *err)
{
    struct history_info h = {0};
    *state = (struct state){0};
    enum status st = look_shape(c, a, table, &h.shape, err);
    if (st == STATUS_OK)
        st = look_triggers(c, a, &h, state, err);
    if (st == STATUS_OK)
        st = look_names(c, a, &h, err);
    if (st != STATUS_OK)
        return st;
    judge(a, &h, state);
    *ret = h;
    return STATUS_OK;
}

enum status history_look(struct conn *c, struct arena *a, str table, struct history_info *ret, struct err *err)
{
    struct state state;
    return look(c, a, table, ret, &state, err);
}

/* ---- bringing it up to date ---- */

static enum status drop_triggers(struct conn *c, const struct state *state, struct err *err)
{
    struct buf sql;
    buf_init(&sql, LIMIT_DB_SQL_BYTES);
    for (size_t i = 0; i < state->triggers.count; i++) {
        buf_puts(&sql, STR("DROP TRIGGER IF EXISTS "));
        name_quote(&sql, state->triggers.items[i].name);
        buf_puts(&sql, STR(";"));
    }
    enum status st = sql.n ? execute(c, &sql, err) : STATUS_OK;
    buf_release(&sql);
    return st;
}

static void put_rename_column(struct arena *a, struct buf *sql, str history, const char *prefix, str from, str to)
{
    buf_puts(sql, STR("ALTER TABLE "));
    name_quote(sql, history);
    buf_puts(sql, STR(" RENAME COLUMN "));
    name_quote(sql, ARENA_CAT(a, str_of(prefix), from));
    buf_puts(sql, STR(" TO "));
    name_quote(sql, ARENA_CAT(a, str_of(prefix), to));
    buf_puts(sql, STR(";"));
}

static void put_where_column(struct buf *sql, str history, str name)
{
    buf_puts(sql, STR(" WHERE history = "));
    text_literal(sql, history);
    buf_puts(sql, STR(" AND name = "));
    text_literal(sql, name);
    buf_puts(sql, STR(";"));
}

/* A column that has another name now keeps its past. */
static enum status rename_column(struct conn *c, struct arena *a, struct history_info *h, str from, str to,
                                 struct err *err)
{
    struct buf sql;
    if (!has_name(h->names, h->name_count, from) || has_name(h->names, h->name_count, to))
        return STATUS_OK;
    struct names keys;
    enum status st = fetch_names(
        c, a, "SELECT substr(name, 5) FROM pragma_table_xinfo(?1, 'main') WHERE substr(name, 1, 4) = 'row.'",
        h->history, &keys, err);
    if (st != STATUS_OK)
        return st;
    buf_init(&sql, LIMIT_DB_SQL_BYTES);
    put_rename_column(a, &sql, h->history, "before.", from, to);
    put_rename_column(a, &sql, h->history, "after.", from, to);
    if (has_name(keys.v.items, keys.v.count, from))
        put_rename_column(a, &sql, h->history, "row.", from, to);
    buf_puts(&sql, STR("UPDATE " HISTORY_COLUMNS " SET name = "));
    text_literal(&sql, to);
    put_where_column(&sql, h->history, from);
    st = execute(c, &sql, err);
    buf_release(&sql);
    return st == STATUS_OK ? look_names(c, a, h, err) : st;
}

static bool mentions(struct arena *a, str sql, str column)
{
    struct buf b;
    buf_init(&b, LIMIT_DB_SQL_BYTES);
    buf_puts(&b, STR("NEW."));
    name_quote(&b, column);
    str want = arena_str(a, buf_str(&b));
    buf_release(&b);
    return str_find(sql, want) != STR_NPOS;
}

/* Another program renamed one column: SQLite changed our triggers to the new name, the history has the old one. */
static enum status follow_rename(struct conn *c, struct arena *a, struct history_info *h, const struct state *state,
                                 struct err *err)
{
    const struct trigger_found *t = find_trigger(state, history_trigger_name(a, h->history, HISTORY_ON_INSERT));
    str to = {0}, from = {0};
    size_t added = 0, gone = 0;
    for (size_t i = 0; i < h->shape.column_count; i++)
        if (!has_name(h->names, h->name_count, h->shape.columns[i].name) && ++added)
            to = h->shape.columns[i].name;
    for (size_t i = 0; i < h->name_count; i++) {
        bool still = false;
        for (size_t k = 0; k < h->shape.column_count; k++)
            still |= str_eq_nocase(h->shape.columns[k].name, h->names[i]);
        if (!still && ++gone)
            from = h->names[i];
    }
    bool renamed = t && added == 1 && gone == 1 && mentions(a, t->sql, to);
    return renamed ? rename_column(c, a, h, from, to, err) : STATUS_OK;
}

/* Also the table's own name may be new. */
static enum status rename_table(struct conn *c, struct arena *a, struct history_info *h, struct err *err)
{
    struct names there;
    struct buf sql;
    str to = ARENA_CAT(a, STR(HISTORY_PREFIX), h->shape.table);
    if (!h->there || str_eq(h->history, to))
        return STATUS_OK;
    enum status st =
        fetch_names(c, a, "SELECT name FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE", to, &there, err);
    if (st != STATUS_OK || there.v.count) /* the history of an earlier table: both stay what they are */
        return st;
    buf_init(&sql, LIMIT_DB_SQL_BYTES);
    buf_puts(&sql, STR("PRAGMA legacy_alter_table=ON; ALTER TABLE "));
    name_quote(&sql, h->history);
    buf_puts(&sql, STR(" RENAME TO "));
    name_quote(&sql, to);
    buf_puts(&sql, STR("; UPDATE " HISTORY_COLUMNS " SET history = "));
    text_literal(&sql, to);
    buf_puts(&sql, STR(" WHERE history = "));
    text_literal(&sql, h->history);
    for (int i = 0; i < 3; i++) {
        static const char *const suffixes[] = {":row", ":moved", HISTORY_ASIDE};
        buf_puts(&sql, i < 2 ? STR("; DROP INDEX IF EXISTS ") : STR("; DROP TABLE IF EXISTS "));
        name_quote(&sql, ARENA_CAT(a, h->history, str_of(suffixes[i])));
    }
    st = execute(c, &sql, err);
    buf_release(&sql);
    enum status off = conn_execute(c, STR("PRAGMA legacy_alter_table=OFF"), st == STATUS_OK ? err : NULL);
    h->history = h->shape.history = to;
    return st == STATUS_OK ? off : st;
}

static void put_span(struct buf *sql, str history, str name)
{
    buf_puts(sql, STR("INSERT INTO " HISTORY_COLUMNS " (history, name, since) SELECT "));
    text_literal(sql, history);
    buf_puts(sql, STR(", "));
    text_literal(sql, name);
    buf_puts(sql, STR(", (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = "));
    text_literal(sql, history);
    buf_puts(sql, STR(") WHERE NOT EXISTS (SELECT 1 FROM " HISTORY_COLUMNS " WHERE until IS NULL AND history = "));
    text_literal(sql, history);
    buf_puts(sql, STR(" AND name = "));
    text_literal(sql, name);
    buf_puts(sql, STR(");"));
}

static void put_add_column(struct arena *a, struct buf *sql, str history, const char *prefix, str name,
                           const char *type)
{
    buf_puts(sql, STR("ALTER TABLE "));
    name_quote(sql, history);
    buf_puts(sql, STR(" ADD COLUMN "));
    name_quote(sql, ARENA_CAT(a, str_of(prefix), name));
    buf_printf(sql, " %s;", type);
}

/* Columns that are new get a place; since when each is recorded, and until when, is written down. */
static enum status fit_columns(struct conn *c, struct arena *a, const struct history_info *h, struct err *err)
{
    const struct history_shape *s = &h->shape;
    struct buf sql;
    buf_init(&sql, LIMIT_DB_SQL_BYTES);
    for (size_t i = 0; i < h->name_count; i++) {
        bool still = false;
        for (size_t k = 0; k < s->column_count; k++)
            still |= str_eq_nocase(s->columns[k].name, h->names[i]);
        if (still)
            continue;
        buf_puts(&sql, STR("UPDATE " HISTORY_COLUMNS " SET until = (SELECT seq FROM sqlite_sequence WHERE name = "));
        text_literal(&sql, h->history);
        buf_puts(&sql, STR(")"));
        buf_puts(&sql, STR(" WHERE until IS NULL AND history = "));
        text_literal(&sql, h->history);
        buf_puts(&sql, STR(" AND name = "));
        text_literal(&sql, h->names[i]);
        buf_puts(&sql, STR(";"));
    }
    for (size_t i = 0; i < s->column_count; i++) {
        if (h->there && !has_name(h->names, h->name_count, s->columns[i].name)) {
            put_add_column(a, &sql, h->history, "before.", s->columns[i].name, "");
            put_add_column(a, &sql, h->history, "after.", s->columns[i].name, "");
        }
        put_span(&sql, h->history, s->columns[i].name);
    }
    enum status st = sql.n ? execute(c, &sql, err) : STATUS_OK;
    buf_release(&sql);
    return st;
}

static const char *affinity_of(const struct history_shape *s, str column)
{
    for (size_t i = 0; i < s->column_count; i++)
        if (str_eq_nocase(s->columns[i].name, column))
            return s->columns[i].affinity;
    return "";
}

/* Another primary key: what was recorded before is found by it too. */
static enum status fit_keys(struct conn *c, struct arena *a, const struct history_info *h, struct err *err)
{
    const struct history_shape *s = &h->shape;
    struct names keys;
    struct buf sql;
    enum status st = fetch_names(
        c, a, "SELECT substr(name, 5) FROM pragma_table_xinfo(?1, 'main') WHERE substr(name, 1, 4) = 'row.'",
        h->history, &keys, err);
    if (st != STATUS_OK)
        return st;
    buf_init(&sql, LIMIT_DB_SQL_BYTES);
    for (size_t i = 0; i < s->key_count; i++) {
        if (has_name(keys.v.items, keys.v.count, s->keys[i]))
            continue;
        put_add_column(a, &sql, h->history, "row.", s->keys[i], affinity_of(s, s->keys[i]));
        buf_puts(&sql, STR("UPDATE "));
        name_quote(&sql, h->history);
        buf_puts(&sql, STR(" SET "));
        name_quote(&sql, ARENA_CAT(a, STR("row."), s->keys[i]));
        buf_puts(&sql, STR(" = CASE op WHEN 'delete' THEN "));
        name_quote(&sql, ARENA_CAT(a, STR("before."), s->keys[i]));
        buf_puts(&sql, STR(" ELSE "));
        name_quote(&sql, ARENA_CAT(a, STR("after."), s->keys[i]));
        buf_puts(&sql, STR(" END;"));
    }
    buf_puts(&sql, history_index_sql(a, s));
    st = execute(c, &sql, err);
    buf_release(&sql);
    return st;
}

static enum status mark(struct conn *c, str history, const char *op, struct err *err)
{
    struct buf sql;
    buf_init(&sql, LIMIT_DB_SQL_BYTES);
    buf_puts(&sql, STR("INSERT INTO "));
    name_quote(&sql, history);
    buf_puts(&sql, STR(" (at, op, who, via) SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), "));
    text_literal(&sql, str_of(op));
    buf_puts(&sql, STR(", (SELECT who FROM " HISTORY_ACTOR "), (SELECT via FROM " HISTORY_ACTOR ")"));
    enum status st = execute(c, &sql, err);
    buf_release(&sql);
    return st;
}

static enum status make(struct conn *c, struct arena *a, struct history_info *h, const struct state *state,
                        struct err *err)
{
    bool began = !h->enabled;
    enum status st = follow_rename(c, a, h, state, err);
    if (st == STATUS_OK)
        st = drop_triggers(c, state, err);
    if (st == STATUS_OK)
        st = rename_table(c, a, h, err);
    if (st == STATUS_OK && !h->there)
        st = conn_execute(c, history_table_sql(a, &h->shape), err);
    if (st == STATUS_OK)
        st = fit_columns(c, a, h, err);
    if (st == STATUS_OK)
        st = fit_keys(c, a, h, err);
    if (st == STATUS_OK)
        st = conn_execute(c, history_aside_sql(a, &h->shape), err);
    for (int t = 0; st == STATUS_OK && t < HISTORY_TRIGGERS; t++) {
        str sql = history_trigger_sql(a, &h->shape, (enum history_trigger)t);
        if (sql.n)
            st = conn_execute(c, sql, err);
        else if (t != HISTORY_BEFORE_UPDATE)
            st = err_set(err, STATUS_TOO_LARGE, "the table has too many columns for a history");
    }
    return st == STATUS_OK && began ? mark(c, h->history, "start", err) : st;
}

enum status history_enable(struct conn *c, struct arena *a, str table, str who, str via, bool *ret_changed,
                           struct err *err)
{
    struct history_info h;
    struct state state;
    enum status st = look(c, a, table, &h, &state, err);
    if (st != STATUS_OK)
        return st;
    if (ret_changed)
        *ret_changed = !h.current;
    if (h.current)
        return STATUS_OK;
    st = conn_execute(c, str_of(history_shared_sql), err);
    if (st == STATUS_OK)
        st = history_author(c, who, via, err);
    return st == STATUS_OK ? make(c, a, &h, &state, err) : st;
}

enum status history_refresh(struct conn *c, struct arena *a, str table, struct err *err)
{
    struct history_info h;
    struct state state;
    if (!history_in_use(c))
        return STATUS_OK;
    enum status st = look(c, a, table, &h, &state, err);
    return st == STATUS_OK && h.enabled && !h.current ? make(c, a, &h, &state, err) : st;
}

enum status history_refresh_all(struct conn *c, struct arena *a, struct err *err)
{
    struct names tables;
    if (!history_in_use(c))
        return STATUS_OK;
    enum status st = fetch_names(c, a,
                                 "SELECT tbl_name FROM sqlite_schema WHERE type = 'trigger' AND substr(name, 1, 9) = "
                                 "'" HISTORY_PREFIX "' AND name LIKE '%:insert'",
                                 (str){0}, &tables, err);
    for (size_t i = 0; st == STATUS_OK && i < tables.v.count; i++)
        st = history_refresh(c, a, tables.v.items[i], err);
    return st;
}

static enum status drop(struct conn *c, struct arena *a, str history, bool all, struct err *err)
{
    struct buf sql;
    buf_init(&sql, LIMIT_DB_SQL_BYTES);
    buf_puts(&sql, STR("DROP TABLE IF EXISTS "));
    name_quote(&sql, ARENA_CAT(a, history, STR(HISTORY_ASIDE)));
    if (all) {
        buf_puts(&sql, STR("; DROP TABLE IF EXISTS "));
        name_quote(&sql, history);
        buf_puts(&sql, STR("; DELETE FROM " HISTORY_COLUMNS " WHERE history = "));
        text_literal(&sql, history);
    }
    enum status st = execute(c, &sql, err);
    buf_release(&sql);
    return st;
}

enum status history_disable(struct conn *c, struct arena *a, str table, bool forget_all, struct err *err)
{
    struct history_info h;
    struct state state;
    enum status st = look(c, a, table, &h, &state, err);
    if (st == STATUS_OK)
        st = drop_triggers(c, &state, err);
    if (st == STATUS_OK && h.there && h.enabled && !forget_all)
        st = mark(c, h.history, "stop", err);
    return st == STATUS_OK && h.there ? drop(c, a, h.history, forget_all, err) : st;
}

enum status history_suspend(struct conn *c, struct arena *a, str table, struct history_info *ret, struct err *err)
{
    struct state state;
    if (!history_in_use(c)) {
        *ret = (struct history_info){0};
        return STATUS_OK;
    }
    enum status st = look(c, a, table, ret, &state, err);
    return st == STATUS_OK && ret->enabled ? drop_triggers(c, &state, err) : st;
}

enum status history_resume(struct conn *c, struct arena *a, const struct history_info *was, str table_now,
                           const struct history_rename *renames, size_t count, struct err *err)
{
    struct history_info h;
    struct state none = {0};
    enum status st = STATUS_OK;
    if (!was->enabled)
        return STATUS_OK;
    h = *was;
    for (size_t i = 0; st == STATUS_OK && i < count; i++)
        st = rename_column(c, a, &h, renames[i].from, renames[i].to, err);
    if (st == STATUS_OK)
        st = look_shape(c, a, table_now, &h.shape, err);
    h.shape.history = h.history;
    return st == STATUS_OK ? make(c, a, &h, &none, err) : st;
}

/* ---- writing ---- */

bool history_in_use(struct conn *c)
{
    /* any statement sees whether another program changed the schema; the look itself costs nothing */
    int64_t n;
    if (conn_query_i64(c, STR("SELECT count(*) FROM (SELECT 1 FROM sqlite_schema LIMIT 1)"), &n, NULL) != STATUS_OK)
        return false;
    return sqlite3_table_column_metadata(c->sqlite, "main", HISTORY_ACTOR, NULL, NULL, NULL, NULL, NULL, NULL) ==
           SQLITE_OK;
}

enum status history_author(struct conn *c, str who, str via, struct err *err)
{
    struct stmt *s = NULL;
    if (!history_in_use(c))
        return STATUS_OK;
    enum status st = conn_prepare_trusted(c, STR("UPDATE " HISTORY_ACTOR " SET who = ?1, via = ?2"), &s, err);
    if (st == STATUS_OK && via.n && who.n)
        st = stmt_bind_text(s, 1, who, err);
    if (st == STATUS_OK && via.n)
        st = stmt_bind_text(s, 2, via, err);
    if (st == STATUS_OK)
        st = stmt_step(s, err);
    stmt_done(s);
    return st;
}

/* Versions are dense: how many rows there are is known from the first and the last one. */
static enum status prune_below(struct conn *c, str history, int64_t max_rows, str before, int64_t *ret_count,
                               struct err *err)
{
    struct buf sql;
    struct stmt *s = NULL;
    buf_init(&sql, LIMIT_DB_SQL_BYTES);
    buf_puts(&sql, STR("DELETE FROM "));
    name_quote(&sql, history);
    buf_puts(&sql, STR(" WHERE version IN (SELECT version FROM "));
    name_quote(&sql, history);
    buf_printf(&sql,
               " WHERE version > 0 ORDER BY version LIMIT %d) AND (at < ?1 OR version <= (SELECT max(version) FROM ",
               LIMIT_HISTORY_PRUNE);
    name_quote(&sql, history);
    buf_puts(&sql, STR(") - ?2)"));
    enum status st = conn_prepare_trusted(c, buf_str(&sql), &s, err);
    if (st == STATUS_OK)
        st = stmt_bind_text(s, 1, before, err); /* no time is before "" */
    if (st == STATUS_OK)
        st = stmt_bind_i64(s, 2, max_rows > 0 ? max_rows : INT64_MAX, err);
    if (st == STATUS_OK)
        st = stmt_step(s, err);
    stmt_done(s);
    buf_release(&sql);
    *ret_count = conn_changes(c);
    return st;
}

enum status history_prune(struct conn *c, str history, int64_t max_rows, str before, bool *ret_more, struct err *err)
{
    int64_t n = 0;
    enum status st = prune_below(c, history, max_rows, before, &n, err);
    *ret_more = st == STATUS_OK && n == LIMIT_HISTORY_PRUNE;
    return st;
}

enum status history_list(struct conn *c, struct arena *a, const str **ret, size_t *ret_count, struct err *err)
{
    struct names n;
    enum status st =
        fetch_names(c, a,
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
