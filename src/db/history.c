/* SPDX-License-Identifier: Apache-2.0 */
#include "db/history_impl.h"

#include "base/limits.h"
#include "codec/names.h"
#include "db/stmt.h"

#include "base/banned.h"

static enum status execute(struct conn *c, struct buf *sql, struct err *err)
{
    enum status st = sql->over ? err_set(err, STATUS_TOO_LARGE, "the table has too many columns for a history")
                               : conn_execute(c, buf_str(sql), err);
    buf_clear(sql);
    return st;
}

/* ---- bringing it up to date ---- */

static enum status drop_triggers(struct conn *c, const struct history_state *state, struct err *err)
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
    if (!str_in_nocase(from, h->names, h->name_count) || str_in_nocase(to, h->names, h->name_count))
        return STATUS_OK;
    struct history_names keys;
    enum status st = history_fetch_names(
        c, a, "SELECT substr(name, 5) FROM pragma_table_xinfo(?1, 'main') WHERE substr(name, 1, 4) = 'row.'",
        h->history, &keys, err);
    if (st != STATUS_OK)
        return st;
    buf_init(&sql, LIMIT_DB_SQL_BYTES);
    put_rename_column(a, &sql, h->history, "before.", from, to);
    put_rename_column(a, &sql, h->history, "after.", from, to);
    if (str_in_nocase(from, keys.v.items, keys.v.count))
        put_rename_column(a, &sql, h->history, "row.", from, to);
    buf_puts(&sql, STR("UPDATE " HISTORY_COLUMNS " SET name = "));
    text_literal(&sql, to);
    put_where_column(&sql, h->history, from);
    st = execute(c, &sql, err);
    buf_release(&sql);
    return st == STATUS_OK ? history_look_names(c, a, h, err) : st;
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
static enum status follow_rename(struct conn *c, struct arena *a, struct history_info *h,
                                 const struct history_state *state, struct err *err)
{
    const struct history_found *t = history_find_trigger(state, history_trigger_name(a, h->history, HISTORY_ON_INSERT));
    str to = {0}, from = {0};
    size_t added = 0, gone = 0;
    for (size_t i = 0; i < h->shape.column_count; i++)
        if (!str_in_nocase(h->shape.columns[i].name, h->names, h->name_count) && ++added)
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
    struct history_names there;
    struct buf sql;
    str to = ARENA_CAT(a, STR(HISTORY_PREFIX), h->shape.table);
    if (!h->there || str_eq(h->history, to))
        return STATUS_OK;
    enum status st =
        history_fetch_names(c, a, "SELECT name FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE", to, &there, err);
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
        if (h->there && !str_in_nocase(s->columns[i].name, h->names, h->name_count)) {
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
    struct history_names keys;
    struct buf sql;
    enum status st = history_fetch_names(
        c, a, "SELECT substr(name, 5) FROM pragma_table_xinfo(?1, 'main') WHERE substr(name, 1, 4) = 'row.'",
        h->history, &keys, err);
    if (st != STATUS_OK)
        return st;
    buf_init(&sql, LIMIT_DB_SQL_BYTES);
    for (size_t i = 0; i < s->key_count; i++) {
        if (str_in_nocase(s->keys[i], keys.v.items, keys.v.count))
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

static enum status make(struct conn *c, struct arena *a, struct history_info *h, const struct history_state *state,
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
    struct history_state state;
    enum status st = history_look_whole(c, a, table, &h, &state, err);
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
    struct history_state state;
    if (!history_in_use(c))
        return STATUS_OK;
    enum status st = history_look_whole(c, a, table, &h, &state, err);
    return st == STATUS_OK && h.enabled && !h.current ? make(c, a, &h, &state, err) : st;
}

enum status history_refresh_all(struct conn *c, struct arena *a, struct err *err)
{
    struct history_names tables;
    if (!history_in_use(c))
        return STATUS_OK;
    enum status st =
        history_fetch_names(c, a,
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
    struct history_state state;
    enum status st = history_look_whole(c, a, table, &h, &state, err);
    if (st == STATUS_OK)
        st = drop_triggers(c, &state, err);
    if (st == STATUS_OK && h.there && h.enabled && !forget_all)
        st = mark(c, h.history, "stop", err);
    return st == STATUS_OK && h.there ? drop(c, a, h.history, forget_all, err) : st;
}

enum status history_suspend(struct conn *c, struct arena *a, str table, struct history_info *ret, struct err *err)
{
    struct history_state state;
    if (!history_in_use(c)) {
        *ret = (struct history_info){0};
        return STATUS_OK;
    }
    enum status st = history_look_whole(c, a, table, ret, &state, err);
    return st == STATUS_OK && ret->enabled ? drop_triggers(c, &state, err) : st;
}

enum status history_resume(struct conn *c, struct arena *a, const struct history_info *was, str table_now,
                           const struct history_rename *renames, size_t count, struct err *err)
{
    struct history_info h;
    struct history_state none = {0};
    enum status st = STATUS_OK;
    if (!was->enabled)
        return STATUS_OK;
    h = *was;
    for (size_t i = 0; st == STATUS_OK && i < count; i++)
        st = rename_column(c, a, &h, renames[i].from, renames[i].to, err);
    if (st == STATUS_OK)
        st = history_look_shape(c, a, table_now, &h.shape, err);
    h.shape.history = h.history;
    return st == STATUS_OK ? make(c, a, &h, &none, err) : st;
}

/* ---- writing ---- */

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
