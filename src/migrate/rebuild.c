/* SPDX-License-Identifier: Apache-2.0 */
/* rebuild — the way of https://sqlite.org/lang_altertable.html#otheralter, within the transaction of the caller.
 *
 *   notes   what belongs to the table: indexes, triggers, figures of ANALYZE, the AUTOINCREMENT counter; and which
 * views and triggers of the whole database work make    CREATE TABLE under another name -> INSERT ... SELECT with
 * rowids -> DROP the old one -> RENAME again   indexes, triggers, figures, counter check   every view and trigger that
 * worked still does rename  columns, by SQLite
 *
 * The name is given with legacy_alter_table on, as the manual says: else views that name the table make it fail.
 * Columns are renamed last, on the finished table, so that a name given up by one column may be taken by another.
 *
 * Invariants: (1) a failure at any step leaves the undoing to the caller's rollback; kill -9 to SQLite's journal.
 * (2) rows keep their rowid unless the new key says what it is: search indexes and links use it. (3) an index that
 * names a column that goes away is refused, for it would be another index.
 *
 * Not here: foreign_keys. With it on, dropping the old table would delete rows of others; it cannot be switched off
 * inside of a transaction, and no connection of ours has it on.
 *
 * Fault points: rebuild.copied, rebuild.dropped, rebuild.renamed. Tests: tests/cli/test_rebuild.py, tests/site. */
#include "migrate/rebuild.h"

#include <sys/random.h>

#include "base/limits.h"
#include "codec/names.h"
#include "db/history.h"
#include "db/stmt.h"
#include "rt/fault.h"

#include "base/banned.h"

struct texts {
    str *items;
    size_t count, cap;
};

struct rebuild {
    struct arena *a;
    struct conn *c;
    struct sql_log *log;
    str table;
    struct table_def was, def;
    struct texts indexes, index_names, triggers; /* their SQL */
    struct texts probes;                         /* statements over views and triggers that compile */
    struct texts stats;                          /* INSERT statements */
    bool has_sequence;
    int64_t sequence;
};

enum status rebuild_run(struct arena *a, struct conn *c, str sql, struct sql_log *log, struct err *err)
{
    if (log)
        VEC_PUSH(a, &log->items, arena_str(a, sql));
    return conn_execute(c, sql, err);
}

enum status rebuild_run_late(struct arena *a, struct conn *c, str sql, struct sql_log *log, struct err *err)
{
    if (!log || !log->dry)
        return rebuild_run(a, c, sql, log, err);
    VEC_PUSH(a, &log->items, arena_str(a, sql));
    return STATUS_OK;
}

static enum status run(struct rebuild *r, str sql, struct err *err)
{
    return rebuild_run(r->a, r->c, sql, r->log, err);
}

static enum status run_late(struct rebuild *r, str sql, struct err *err)
{
    return rebuild_run_late(r->a, r->c, sql, r->log, err);
}

/* The first column of each row; the statement's only parameter is `value`. */
static enum status fetch(struct rebuild *r, str sql, str value, struct texts *ret, struct err *err)
{
    struct stmt *s;
    enum status st = conn_prepare_trusted(r->c, sql, &s, err);
    if (st != STATUS_OK)
        return st;
    if (stmt_parameter_count(s))
        st = stmt_bind_text(s, 1, value, err);
    if (st == STATUS_OK)
        while ((st = stmt_step(s, err)) == STATUS_AGAIN)
            VEC_PUSH(r->a, ret, arena_str(r->a, stmt_column_text(s, 0)));
    stmt_done(s);
    return st;
}

enum status rebuild_read(struct arena *a, struct conn *c, str table, struct table_def *ret, struct err *err)
{
    struct stmt *s;
    enum status st = conn_prepare_trusted(
        c,
        STR("SELECT name, type, sql FROM main.sqlite_schema WHERE name = ?1 COLLATE NOCASE AND type IN "
            "('table', 'view')"),
        &s, err);
    str name = {0}, type = {0}, sql = {0};
    if (st != STATUS_OK)
        return st;
    st = stmt_bind_text(s, 1, table, err);
    if (st == STATUS_OK)
        st = stmt_step(s, err);
    if (st == STATUS_AGAIN) {
        name = arena_str(a, stmt_column_text(s, 0));
        type = arena_str(a, stmt_column_text(s, 1));
        sql = arena_str(a, stmt_column_text(s, 2));
    }
    stmt_done(s);
    if (st == STATUS_OK)
        return err_set(err, STATUS_NOT_FOUND, "there is no table \"%.*s\"", STR_ARG(table));
    if (st != STATUS_AGAIN)
        return st;
    if (str_is(type, "view"))
        return err_set(err, STATUS_INVALID, "\"%.*s\" is a view, not a table", STR_ARG(name));
    if (str_starts(sql, STR("CREATE VIRTUAL")))
        return err_set(err, STATUS_INVALID, "Table \"%.*s\" is virtual and cannot be altered", STR_ARG(name));
    st = table_def_parse(a, sql, ret, err);
    if (st == STATUS_OK)
        ret->name = name; /* the statement may say it in another case */
    return st;
}

/* ---- notes ---- */

static enum status note_sequence(struct rebuild *r, struct err *err)
{
    struct texts found = {0};
    enum status st = r->was.autoincrement
                         ? fetch(r, STR("SELECT seq FROM sqlite_sequence WHERE name = ?1"), r->table, &found, err)
                         : STATUS_OK;
    if (st == STATUS_OK && found.count)
        r->has_sequence = str_to_i64(found.items[0], &r->sequence);
    return st;
}

/* Figures of indexes that will be there again. */
static enum status note_stats(struct rebuild *r, struct err *err)
{
    struct texts there = {0};
    enum status st =
        fetch(r, STR("SELECT 1 FROM main.sqlite_schema WHERE name = 'sqlite_stat1'"), (str){0}, &there, err);
    if (st != STATUS_OK || !there.count)
        return st;
    return fetch(r,
                 STR("SELECT 'INSERT INTO sqlite_stat1 (tbl, idx, stat) SELECT ' || quote(tbl) || ', ' || quote(idx) "
                     "|| ', ' || quote(stat) || ' WHERE ' || coalesce('EXISTS (SELECT 1 FROM sqlite_schema WHERE name "
                     "= ' || quote(idx) || ')', '1') FROM sqlite_stat1 WHERE tbl = ?1 COLLATE NOCASE"),
                 r->table, &r->stats, err);
}

/* Nothing runs. A step, for a statement that was compiled before the change is compiled again by it. */
static bool compiles(struct rebuild *r, str sql, struct err *err)
{
    struct stmt *s;
    if (conn_prepare_trusted(r->c, ARENA_CAT(r->a, STR("EXPLAIN "), sql), &s, err) != STATUS_OK)
        return false;
    enum status st = stmt_step(s, err);
    stmt_done(s);
    return st == STATUS_AGAIN;
}

/* For a table with triggers, three statements: their programs are compiled with them. */
static void probe_table(struct rebuild *r, str table, struct texts *ret)
{
    struct texts columns = {0};
    str name = name_quoted(r->a, table);
    VEC_PUSH(r->a, ret, ARENA_CAT(r->a, STR("INSERT INTO "), name, STR(" DEFAULT VALUES")));
    VEC_PUSH(r->a, ret, ARENA_CAT(r->a, STR("DELETE FROM "), name));
    enum status st = fetch(r,
                           STR("SELECT group_concat('\"' || replace(name, '\"', '\"\"') || '\" = NULL', ', ') FROM "
                               "pragma_table_xinfo(?1) WHERE hidden = 0"),
                           table, &columns, NULL);
    if (st == STATUS_OK && columns.count) /* else it is a view that does not work */
        VEC_PUSH(r->a, ret, ARENA_CAT(r->a, STR("UPDATE "), name, STR(" SET "), columns.items[0]));
}

/* Statements that say whether the views and triggers of the database work. */
static enum status list_probes(struct rebuild *r, struct texts *ret, struct err *err)
{
    struct texts views = {0}, tables = {0};
    enum status st = fetch(r, STR("SELECT name FROM main.sqlite_schema WHERE type = 'view'"), (str){0}, &views, err);
    if (st == STATUS_OK)
        st = fetch(r, STR("SELECT DISTINCT tbl_name FROM main.sqlite_schema WHERE type = 'trigger'"), (str){0}, &tables,
                   err);
    for (size_t i = 0; i < views.count; i++)
        VEC_PUSH(r->a, ret, ARENA_CAT(r->a, STR("SELECT 1 FROM "), name_quoted(r->a, views.items[i])));
    for (size_t i = 0; i < tables.count; i++)
        probe_table(r, tables.items[i], ret);
    return st;
}

/* The columns behind SET may be others afterwards. */
static str probe_key(str sql)
{
    size_t set = str_starts(sql, STR("UPDATE")) ? str_find(sql, STR(" SET \"")) : STR_NPOS;
    return set == STR_NPOS ? sql : str_sub(sql, 0, set);
}

static enum status note_probes(struct rebuild *r, struct err *err)
{
    struct texts all = {0};
    enum status st = list_probes(r, &all, err);
    for (size_t i = 0; i < all.count; i++)
        if (compiles(r, all.items[i], NULL))
            VEC_PUSH(r->a, &r->probes, probe_key(all.items[i]));
    return st;
}

static enum status take_notes(struct rebuild *r, struct err *err)
{
    enum status st = note_sequence(r, err);
    if (st == STATUS_OK)
        st = fetch(r,
                   STR("SELECT sql FROM main.sqlite_schema WHERE type = 'index' AND tbl_name = ?1 COLLATE NOCASE AND "
                       "sql IS NOT NULL ORDER BY rowid"),
                   r->table, &r->indexes, err);
    if (st == STATUS_OK)
        st = fetch(r,
                   STR("SELECT name FROM main.sqlite_schema WHERE type = 'index' AND tbl_name = ?1 COLLATE NOCASE AND "
                       "sql IS NOT NULL ORDER BY rowid"),
                   r->table, &r->index_names, err);
    if (st == STATUS_OK)
        st = fetch(r,
                   STR("SELECT sql FROM main.sqlite_schema WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE "
                       "ORDER BY rowid"),
                   r->table, &r->triggers, err);
    if (st == STATUS_OK)
        st = note_stats(r, err);
    return st == STATUS_OK ? note_probes(r, err) : st;
}

static enum status check_indexes(struct rebuild *r, struct err *err)
{
    for (size_t i = 0; i < r->index_names.count; i++) {
        struct texts columns = {0};
        enum status st =
            fetch(r, STR("SELECT name FROM pragma_index_info(?1)"), r->index_names.items[i], &columns, err);
        if (st != STATUS_OK)
            return st;
        for (size_t k = 0; k < columns.count; k++)
            if (columns.items[k].n && !table_def_find(&r->def, columns.items[k])) {
                err_set(err, STATUS_INVALID,
                        "Index '%.*s' is on column '%.*s', which is being dropped: drop the index first",
                        STR_ARG(r->index_names.items[i]), STR_ARG(columns.items[k]));
                return err_hint(err, "vitrine drop-index DATABASE TABLE '%.*s'", STR_ARG(r->index_names.items[i]));
            }
    }
    return STATUS_OK;
}

/* ---- make ---- */

static str random_name(struct arena *a, str table)
{
    unsigned char bytes[6] = {0};
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        bytes[0] = 1; /* a name that is taken makes CREATE TABLE fail, which undoes everything */
    return arena_printf(a, "%.*s_new_%02x%02x%02x%02x%02x%02x", STR_ARG(table), bytes[0], bytes[1], bytes[2], bytes[3],
                        bytes[4], bytes[5]);
}

/* The name of the rowid when rows have one that no column of either table hides and no column of the new one sets. */
static str rowid_name(struct rebuild *r)
{
    static const char *const names[] = {"rowid", "_rowid_", "oid"};
    if (r->was.without_rowid || r->def.without_rowid || table_def_rowid_column(&r->def))
        return STR("");
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (!table_def_find(&r->was, str_of(names[i])) && !table_def_find(&r->def, str_of(names[i])))
            return str_of(names[i]);
    return STR("");
}

static str copy_sql(struct rebuild *r, str to)
{
    struct buf names, values;
    str rowid = rowid_name(r);
    bool any = rowid.n > 0;
    buf_init(&names, LIMIT_DB_SQL_BYTES);
    buf_init(&values, LIMIT_DB_SQL_BYTES);
    buf_puts(&names, rowid);
    buf_puts(&values, rowid);
    for (size_t i = 0; i < r->def.columns.count; i++) {
        const struct def_column *c = &r->def.columns.items[i];
        if (c->generated || (c->is_new && !c->fill.n))
            continue;
        buf_puts(&names, any ? STR(", ") : STR(""));
        buf_puts(&values, any ? STR(", ") : STR(""));
        any = true;
        name_quote(&names, c->name);
        if (c->fill.n)
            buf_puts(&values, c->fill);
        else
            name_quote(&values, c->name);
    }
    str sql = ARENA_CAT(r->a, STR("INSERT INTO "), name_quoted(r->a, to), STR(" ("), buf_str(&names),
                        STR(")\n   SELECT "), buf_str(&values), STR(" FROM "), name_quoted(r->a, r->table));
    buf_release(&names);
    buf_release(&values);
    return sql;
}

static enum status swap(struct rebuild *r, str made, struct err *err)
{
    enum status st = run_late(r, ARENA_CAT(r->a, STR("DROP TABLE "), name_quoted(r->a, r->table)), err);
    if (st == STATUS_OK && FAULT("rebuild.dropped"))
        st = err_set(err, STATUS_IO, "a fault was injected");
    if (st == STATUS_OK)
        st = conn_execute(r->c, STR("PRAGMA legacy_alter_table=ON"), err);
    if (st != STATUS_OK)
        return st;
    st = run_late(
        r,
        ARENA_CAT(r->a, STR("ALTER TABLE "), name_quoted(r->a, made), STR(" RENAME TO "), name_quoted(r->a, r->table)),
        err);
    enum status off = conn_execute(r->c, STR("PRAGMA legacy_alter_table=OFF"), st == STATUS_OK ? err : NULL);
    if (st == STATUS_OK && FAULT("rebuild.renamed"))
        return err_set(err, STATUS_IO, "a fault was injected");
    return st == STATUS_OK ? off : st;
}

static enum status run_list(struct rebuild *r, const struct texts *list, struct err *err)
{
    enum status st = STATUS_OK;
    for (size_t i = 0; i < list->count && st == STATUS_OK; i++)
        st = run_late(r, list->items[i], err);
    return st;
}

/* The copy has counted up to the largest rowid; rows that were deleted had counted further. */
static enum status again(struct rebuild *r, struct err *err)
{
    enum status st = run_list(r, &r->indexes, err);
    if (st == STATUS_OK)
        st = run_list(r, &r->triggers, err);
    if (st == STATUS_OK)
        st = run_list(r, &r->stats, err);
    if (st == STATUS_OK && r->has_sequence && r->def.autoincrement) {
        str literal = text_quoted(r->a, r->table);
        st = run_late(r, ARENA_CAT(r->a, STR("DELETE FROM sqlite_sequence WHERE name = "), literal), err);
        if (st == STATUS_OK)
            st = run_late(r,
                          ARENA_CAT(r->a, STR("INSERT INTO sqlite_sequence (name, seq) VALUES ("), literal,
                                    arena_printf(r->a, ", %lld)", (long long)r->sequence)),
                          err);
    }
    return st;
}

static enum status check_probes(struct rebuild *r, struct err *err)
{
    struct texts all = {0};
    if (r->log && r->log->dry)
        return STATUS_OK;
    enum status st = list_probes(r, &all, err);
    for (size_t i = 0; i < all.count && st == STATUS_OK; i++) {
        struct err why = ERR_INIT;
        const char *what = str_starts(all.items[i], STR("SELECT")) ? "view" : "trigger";
        if (!str_in(probe_key(all.items[i]), r->probes.items, r->probes.count) || compiles(r, all.items[i], &why))
            continue;
        err_set(err, STATUS_CONFLICT, "a %s would not work any more: %s (%.*s)", what, why.text,
                STR_ARG(probe_key(all.items[i])));
        return err_hint(err, "Drop or change the %s first.", what);
    }
    return st;
}

static enum status make(struct rebuild *r, struct err *err)
{
    struct table_def made = r->def;
    made.name = random_name(r->a, r->table);
    enum status st = take_notes(r, err);
    if (st == STATUS_OK)
        st = check_indexes(r, err);
    if (st == STATUS_OK)
        st = run(r, table_def_sql(r->a, &made), err);
    if (st == STATUS_OK)
        st = run_late(r, copy_sql(r, made.name), err);
    if (st == STATUS_OK && FAULT("rebuild.copied"))
        st = err_set(err, STATUS_IO, "a fault was injected");
    if (st == STATUS_OK)
        st = swap(r, made.name, err);
    if (st == STATUS_OK)
        st = again(r, err);
    return st == STATUS_OK ? check_probes(r, err) : st;
}

/* ---- rename ---- */

static enum status rename_column(struct rebuild *r, str from, str to, struct err *err)
{
    return run_late(r,
                    ARENA_CAT(r->a, STR("ALTER TABLE "), name_quoted(r->a, r->table), STR(" RENAME COLUMN "),
                              name_quoted(r->a, from), STR(" TO "), name_quoted(r->a, to)),
                    err);
}

/* A name that another column gives up later is reached by way of a third one. */
static enum status rename_columns(struct rebuild *r, bool *changed, struct err *err)
{
    enum status st = STATUS_OK;
    for (size_t i = 0; i < r->def.columns.count && st == STATUS_OK; i++) {
        struct def_column *c = &r->def.columns.items[i], *other;
        if (!c->becomes.n || str_eq(c->becomes, c->name))
            continue;
        *changed = true;
        other = table_def_find(&r->def, c->becomes);
        if (other && other != c && other->becomes.n) {
            str third = random_name(r->a, other->name);
            st = rename_column(r, other->name, third, err);
            other->name = third;
        }
        if (st == STATUS_OK)
            st = rename_column(r, c->name, c->becomes, err);
        c->name = c->becomes;
    }
    return st;
}

/* The changes that were recorded of a column stay its own when it gets another name. */
static enum status resume_history(const struct history_info *was, const struct table_def *def, struct arena *a,
                                  struct conn *c, struct err *err)
{
    struct history_rename *renames = ARENA_ARRAY(a, struct history_rename, def->columns.count + 1);
    size_t n = 0;
    for (size_t i = 0; i < def->columns.count; i++)
        if (def->columns.items[i].becomes.n)
            renames[n++] = (struct history_rename){def->columns.items[i].name, def->columns.items[i].becomes};
    return history_resume(c, a, was, def->name, renames, n, err);
}

enum status rebuild_table(struct arena *a, struct conn *c, const struct table_def *def, struct sql_log *log,
                          bool *ret_changed, struct err *err)
{
    struct rebuild r = {.a = a, .c = c, .log = log, .table = def->name, .def = table_def_copy(a, def)};
    struct history_info history;
    bool changed = false;
    if (!def->columns.count)
        return err_set(err, STATUS_INVALID, "A table must have at least one column");
    enum status st = rebuild_read(a, c, def->name, &r.was, err);
    if (st == STATUS_OK)
        st = history_suspend(c, a, r.was.name, &history, err);
    if (st != STATUS_OK)
        return st;
    if (table_def_differs(a, &r.was, &r.def)) {
        changed = true;
        st = make(&r, err);
    }
    if (st == STATUS_OK)
        st = rename_columns(&r, &changed, err);
    if (st == STATUS_OK)
        st = resume_history(&history, def, a, c, err);
    if (st == STATUS_OK)
        *ret_changed = changed;
    return st;
}
