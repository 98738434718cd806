/* SPDX-License-Identifier: Apache-2.0 */
/* undo_record — what an import keeps for undo (essay: undo.h). Fault point: undo.kept. Tests: tests/ingest/test_undo.py
 */
#include "base/limits.h"
#include "codec/names.h"
#include "ingest/distinct.h"
#include "ingest/undo.h"
#include "rt/fault.h"

#include "base/banned.h"

static const char *const kind_names[] = {"", "made", "added", "changed", "rewritten"};

str undo_rowid_name(struct arena *a, struct conn *c, str table)
{
    static const char *const names[] = {"rowid", "_rowid_", "oid"};
    str *columns;
    size_t count, without = 0;
    str *wr;
    if (conn_fetch_texts(c, a, STR("SELECT 1 FROM pragma_table_list(?1) WHERE schema = 'main' AND wr"), table, &wr,
                         &without, NULL) != STATUS_OK ||
        without ||
        conn_fetch_texts(c, a, STR("SELECT lower(name) FROM pragma_table_xinfo(?1)"), table, &columns, &count, NULL) !=
            STATUS_OK)
        return STR("");
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (!str_in(str_of(names[i]), columns, count))
            return str_of(names[i]);
    return STR("");
}

/* ---- the sum ---- */

static uint64_t add_value(uint64_t row, struct db_value v)
{
    uint64_t bits;
    switch (v.kind) {
    case DB_INT:
        return row_hash_add(row, VALUE_MARK_INT, distinct_hash_u64((uint64_t)v.i));
    case DB_FLOAT:
        v.f += 0.0; /* -0.0 is 0.0 to SQL */
        memcpy(&bits, &v.f, sizeof bits);
        return row_hash_add(row, VALUE_MARK_REAL, distinct_hash_u64(bits));
    case DB_TEXT:
        return row_hash_add(row, VALUE_MARK_TEXT, distinct_hash(v.s));
    case DB_BLOB:
        return row_hash_add(row, VALUE_MARK_BLOB, distinct_hash(v.s));
    case DB_NULL:
        break;
    }
    return row_hash_add(row, VALUE_MARK_NULL, 0);
}

static enum status add_rows(struct conn *c, str sql, uint64_t *rows, uint64_t *sum, struct err *err)
{
    struct stmt *s;
    enum status st = conn_prepare_trusted(c, sql, &s, err);
    if (st != STATUS_OK)
        return st;
    while ((st = stmt_step(s, err)) == STATUS_AGAIN) {
        uint64_t h = 0;
        int count = stmt_column_count(s);
        for (int i = 0; i < count; i++)
            h = add_value(h, stmt_column_value(s, i));
        *sum += h; /* in any order */
        (*rows)++;
    }
    stmt_done(s);
    return st;
}

static enum status add_schema(struct arena *a, struct conn *c, str table, uint64_t *sum, struct err *err)
{
    str *sql;
    size_t count = 0;
    enum status st = conn_fetch_texts(
        c, a, STR("SELECT sql FROM main.sqlite_schema WHERE type = 'table' AND name = ?1"), table, &sql, &count, err);
    if (st == STATUS_OK && count)
        *sum += distinct_hash(sql[0]);
    return st;
}

enum status undo_sum(struct arena *a, struct conn *c, str table, enum undo_kind kind, uint64_t *ret_rows,
                     int64_t *ret_sum, struct err *err)
{
    uint64_t rows = 0, sum = 0;
    str t = name_quoted(a, table), rowid = undo_rowid_name(a, c, table);
    str all = ARENA_CAT(a, STR("SELECT t."), rowid, STR(", t.* FROM "));
    enum status st = STATUS_OK;
    if (kind == UNDO_MADE || !rowid.n) {
        str *children;
        size_t count = 0;
        st = add_rows(c, ARENA_CAT(a, STR("SELECT * FROM "), t), &rows, &sum, err);
        if (st == STATUS_OK)
            st = conn_fetch_texts(c, a, STR("SELECT name FROM main._vitrine_undo_sql WHERE kind = 'made child'"),
                                  (str){0}, &children, &count, err);
        for (size_t i = 0; i < count && st == STATUS_OK; i++)
            st = add_rows(c, ARENA_CAT(a, STR("SELECT * FROM "), name_quoted(a, children[i])), &rows, &sum, err);
    } else if (kind == UNDO_REWRITTEN)
        st = add_rows(c, ARENA_CAT(a, all, t, STR(" AS t")), &rows, &sum, err);
    else
        st = add_rows(c,
                      ARENA_CAT(a, all, STR("_vitrine_undo_new AS n CROSS JOIN "), t, STR(" AS t ON t."), rowid,
                                STR(" BETWEEN n.first AND n.last")),
                      &rows, &sum, err);
    if (st == STATUS_OK && kind == UNDO_CHANGED)
        st = add_rows(
            c,
            ARENA_CAT(a, all, STR("_vitrine_undo_old AS o CROSS JOIN "), t, STR(" AS t ON t."), rowid, STR(" = o.r")),
            &rows, &sum, err);
    if (st == STATUS_OK)
        st = add_schema(a, c, table, &sum, err);
    *ret_rows = rows;
    *ret_sum = (int64_t)sum;
    return st;
}

/* ---- what is kept ---- */

static enum status prepare_tables(struct undo *u, struct err *err)
{
    enum status st = conn_execute(
        u->conn,
        STR("DROP TABLE IF EXISTS main._vitrine_undo_sql; DROP TABLE IF EXISTS main._vitrine_undo_new; DROP TABLE IF "
            "EXISTS "
            "main._vitrine_undo_old; CREATE TABLE IF NOT EXISTS main._vitrine_imports (id INTEGER PRIMARY KEY, "
            "imported_at "
            "TEXT, file TEXT, \"table\" TEXT, rejects TEXT, \"rows\" INTEGER, undo TEXT, sum_rows INTEGER, sum "
            "INTEGER, "
            "why_not TEXT); UPDATE main._vitrine_imports SET undo = NULL, why_not = 'a later import' WHERE undo IS NOT "
            "NULL; CREATE TABLE main._vitrine_undo_sql (kind TEXT, name TEXT, sql TEXT)"),
        err);
    return st;
}

/* r, c0, c1, ...: no types, so that values stay what they are. */
static enum status make_old(struct undo *u, size_t columns, struct err *err)
{
    str all = STR("CREATE TABLE main._vitrine_undo_old (r INTEGER PRIMARY KEY");
    for (size_t i = 0; i < columns; i++)
        all = arena_printf(u->arena, "%.*s, c%zu", STR_ARG(all), i);
    return conn_execute(u->conn, ARENA_CAT(u->arena, all, STR(")")), err);
}

static str columns_of(struct undo *u, const struct table *t, str before)
{
    str all = STR("");
    for (size_t i = 0; i < t->column_count; i++)
        all = ARENA_CAT(u->arena, all, STR(", "), before, name_quoted(u->arena, t->columns[i].name));
    return all;
}

static enum status keep_all(struct undo *u, const struct table *t, struct err *err)
{
    int64_t rows = 0;
    str name = name_quoted(u->arena, t->name), lit = text_quoted(u->arena, t->name);
    enum status st = conn_query_i64(u->conn, ARENA_CAT(u->arena, STR("SELECT count(*) FROM "), name), &rows, err);
    if (st != STATUS_OK)
        return st;
    if (rows > LIMIT_UNDO_ROWS) {
        u->kind = UNDO_NONE;
        u->why_not = "the table was too large to be kept";
        return STATUS_OK;
    }
    st = make_old(u, t->column_count, err);
    if (st == STATUS_OK)
        st =
            conn_execute(u->conn,
                         ARENA_CAT(u->arena, STR("INSERT INTO main._vitrine_undo_old SELECT "),
                                   u->rowid.n ? u->rowid : STR("NULL"), columns_of(u, t, STR("")), STR(" FROM "), name),
                         err);
    if (st == STATUS_OK)
        st = conn_execute(
            u->conn,
            ARENA_CAT(u->arena,
                      STR("INSERT INTO main._vitrine_undo_sql SELECT type, name, sql FROM main.sqlite_schema "
                          "WHERE tbl_name = "),
                      lit, STR(" COLLATE NOCASE AND sql IS NOT NULL ORDER BY type <> 'table', rowid")),
            err);
    return st;
}

/* They live until undo_end(), in no file. */
static enum status keep_changes(struct undo *u, const struct table *t, struct err *err)
{
    struct arena *a = u->arena;
    str name = name_quoted(a, t->name), r = ARENA_CAT(a, STR("old."), u->rowid),
        n = ARENA_CAT(a, STR("new."), u->rowid);
    str keep = ARENA_CAT(a, STR(" BEGIN INSERT INTO _vitrine_undo_old SELECT "), r, columns_of(u, t, STR("old.")),
                         STR(" WHERE NOT EXISTS (SELECT 1 FROM _vitrine_undo_old WHERE r = "), r,
                         STR(") AND NOT EXISTS (SELECT 1 FROM _vitrine_undo_new WHERE first = "), r, STR("); END;"));
    enum status st = make_old(u, t->column_count, err);
    if (st == STATUS_OK) /* recursive: else REPLACE deletes without triggers, and search indexes miss it too */
        st = conn_execute(
            u->conn,
            ARENA_CAT(a,
                      STR("PRAGMA recursive_triggers = ON; CREATE TEMP TRIGGER _vitrine_undo_u BEFORE UPDATE ON main."),
                      name, keep, STR("CREATE TEMP TRIGGER _vitrine_undo_d BEFORE DELETE ON main."), name, keep,
                      STR("CREATE TEMP TRIGGER _vitrine_undo_i AFTER INSERT ON main."), name,
                      STR(" BEGIN INSERT INTO _vitrine_undo_new SELECT "), n, STR(", "), n,
                      STR(" WHERE NOT EXISTS (SELECT 1 FROM _vitrine_undo_new WHERE first = "), n, STR("); END")),
            err);
    return st;
}

enum status undo_begin(struct undo *u, struct arena *a, struct conn *c, const struct table *t,
                       const struct ingest_options *o, struct err *err)
{
    *u = (struct undo){.arena = a, .conn = c, .table = t->name, .first = 1, .last = 0};
    bool changes = o->mode == INGEST_REPLACE || o->mode == INGEST_UPSERT;
    enum status st = prepare_tables(u, err);
    if (st != STATUS_OK)
        return st;
    u->rowid = t->exists ? undo_rowid_name(a, c, t->name) : STR("rowid");
    u->kind = !t->exists                                       ? UNDO_MADE
              : o->truncate || o->replace_table || !u->rowid.n ? UNDO_REWRITTEN
              : changes                                        ? UNDO_CHANGED
                                                               : UNDO_ADDED;
    if (o->children && (t->exists || o->replace_table)) {
        u->kind = UNDO_NONE;
        u->why_not = "it filled tables of lists too";
    }
    if (u->kind == UNDO_ADDED || u->kind == UNDO_CHANGED)
        st = conn_execute(c, STR("CREATE TABLE main._vitrine_undo_new (first INTEGER PRIMARY KEY, last INTEGER)"), err);
    if (st == STATUS_OK && u->kind == UNDO_ADDED)
        st = conn_prepare_trusted(c, STR("INSERT OR IGNORE INTO main._vitrine_undo_new VALUES (?1, ?2)"), &u->put, err);
    if (st == STATUS_OK && u->kind == UNDO_REWRITTEN)
        st = keep_all(u, t, err);
    if (st == STATUS_OK && u->kind == UNDO_CHANGED)
        st = keep_changes(u, t, err);
    if (st == STATUS_OK && FAULT("undo.kept"))
        return err_set(err, STATUS_IO, "a fault was injected");
    return st;
}

static enum status put_range(struct undo *u, struct err *err)
{
    if (u->last < u->first)
        return STATUS_OK;
    enum status st = stmt_bind_i64(u->put, 1, u->first, err);
    if (st == STATUS_OK)
        st = stmt_bind_i64(u->put, 2, u->last, err);
    if (st == STATUS_OK)
        st = stmt_step(u->put, err);
    stmt_reset(u->put);
    u->written++;
    return st;
}

enum status undo_note(struct undo *u, int64_t rowid, struct err *err)
{
    if (u->last >= u->first && rowid == u->last + 1) {
        u->last = rowid;
        return STATUS_OK;
    }
    enum status st = put_range(u, err);
    u->first = u->last = rowid;
    return st;
}

enum status undo_made(struct undo *u, const char *kind, str name, struct err *err)
{
    if (u->kind == UNDO_NONE)
        return STATUS_OK;
    struct arena *a = u->arena;
    return conn_execute(u->conn,
                        ARENA_CAT(a, STR("INSERT INTO main._vitrine_undo_sql VALUES ("),
                                  text_quoted(a, ARENA_CAT(a, STR("made "), str_of(kind))), STR(", "),
                                  text_quoted(a, name), STR(", NULL)")),
                        err);
}

static enum status write_log(struct undo *u, str file, str rejects, const char *at, uint64_t rows, uint64_t sum_rows,
                             int64_t sum, struct err *err)
{
    struct stmt *s;
    enum status st =
        conn_prepare_trusted(u->conn,
                             STR("INSERT INTO main._vitrine_imports (imported_at, file, \"table\", rejects, "
                                 "\"rows\", undo, sum_rows, sum, why_not) VALUES (?1, ?2, ?3, ?4, ?5, "
                                 "nullif(?6, ''), ?7, ?8, ?9)"),
                             &s, err);
    if (st != STATUS_OK)
        return st;
    const str texts[] = {str_of(at), file, u->table, rejects, STR(""), str_of(kind_names[u->kind])};
    for (size_t i = 0; i < ARRAY_LEN(texts) && st == STATUS_OK; i++)
        st = stmt_bind_text(s, (int)i + 1, texts[i], err);
    if (st == STATUS_OK)
        st = stmt_bind_i64(s, 5, (int64_t)rows, err);
    if (st == STATUS_OK)
        st = stmt_bind_i64(s, 7, (int64_t)sum_rows, err);
    if (st == STATUS_OK)
        st = stmt_bind_i64(s, 8, sum, err);
    if (st == STATUS_OK)
        st = u->why_not ? stmt_bind_text(s, 9, str_of(u->why_not), err) : stmt_bind_null(s, 9, err);
    if (st == STATUS_OK)
        st = stmt_step(s, err);
    stmt_done(s);
    if (st == STATUS_OK)
        st = conn_execute(u->conn,
                          arena_printf(u->arena,
                                       "DELETE FROM main._vitrine_imports WHERE id <= (SELECT max(id) FROM "
                                       "main._vitrine_imports) - %d",
                                       LIMIT_UNDO_LOG),
                          err);
    return st;
}

enum status undo_end(struct undo *u, str file, str rejects, const char *at, uint64_t rows, struct err *err)
{
    uint64_t sum_rows = 0;
    int64_t sum = 0;
    enum status st = u->kind == UNDO_ADDED ? put_range(u, err) : STATUS_OK;
    stmt_done(u->put);
    u->put = NULL;
    if (st == STATUS_OK && u->kind == UNDO_CHANGED)
        st = conn_execute(u->conn,
                          STR("DROP TRIGGER temp._vitrine_undo_u; DROP TRIGGER temp._vitrine_undo_d; DROP TRIGGER "
                              "temp._vitrine_undo_i; PRAGMA recursive_triggers = OFF"),
                          err);
    if (st == STATUS_OK && u->summed) {
        sum_rows = u->sum_rows;
        st = add_schema(u->arena, u->conn, u->table, &u->sum, err);
        sum = (int64_t)u->sum;
    } else if (st == STATUS_OK && u->kind != UNDO_NONE) {
        st = undo_sum(u->arena, u->conn, u->table, u->kind, &sum_rows, &sum, err);
    }
    return st == STATUS_OK ? write_log(u, file, rejects, at, rows, sum_rows, sum, err) : st;
}
