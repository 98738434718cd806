/* SPDX-License-Identifier: Apache-2.0 */
/* undo — the last import is taken back (essay: undo.h). Everything in one transaction: after kill -9 the import is
 * there or it is gone. Fault point: undo.commit. Tests: tests/ingest/test_undo.py */
#include "ingest/undo.h"

#include "codec/names.h"
#include "migrate/fts.h"
#include "rt/fault.h"

#include "base/banned.h"

struct taking {
    struct arena *a;
    struct conn *c;
    int64_t id, sum_rows, sum;
    enum undo_kind kind;
    str table, rejects, file, at, why_not;
    struct undo_report *report;
};

static enum status run(struct taking *t, str sql, struct err *err)
{
    return conn_execute(t->c, sql, err);
}

/* Rows of up to three texts. */
struct line {
    str text[3];
};

static enum status fetch(struct taking *t, str sql, str value, struct line **ret, size_t *ret_count, struct err *err)
{
    struct stmt *s;
    VEC(struct line) all = {0};
    enum status st = conn_prepare_trusted(t->c, sql, &s, err);
    if (st != STATUS_OK)
        return st;
    if (stmt_parameter_count(s))
        st = stmt_bind_text(s, 1, value, err);
    if (st == STATUS_OK)
        while ((st = stmt_step(s, err)) == STATUS_AGAIN) {
            struct line l = {0};
            for (int i = 0; i < stmt_column_count(s) && i < 3; i++)
                l.text[i] = arena_str(t->a, stmt_column_text(s, i));
            VEC_PUSH(t->a, &all, l);
        }
    stmt_done(s);
    *ret = all.items;
    *ret_count = all.count;
    return st;
}

static enum status nothing(struct err *err)
{
    return err_set(err, STATUS_NOT_FOUND, "there is no import that could be taken back");
}

static enum undo_kind kind_of(str name)
{
    static const char *const names[] = {"", "made", "added", "changed", "rewritten"};
    for (size_t i = 1; i < ARRAY_LEN(names); i++)
        if (str_is(name, names[i]))
            return (enum undo_kind)i;
    return UNDO_NONE;
}

static enum status read_log(struct taking *t, struct err *err)
{
    struct stmt *s;
    struct line *there;
    size_t count = 0;
    enum status st =
        fetch(t, STR("SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = '_vitrine_imports'"), (str){0},
              &there, &count, err);
    if (st != STATUS_OK || !count)
        return st == STATUS_OK ? nothing(err) : st;
    st = conn_prepare_trusted(t->c,
                              STR("SELECT id, imported_at, file, \"table\", rejects, undo, sum_rows, sum, why_not FROM "
                                  "main._vitrine_imports ORDER BY id DESC LIMIT 1"),
                              &s, err);
    if (st != STATUS_OK)
        return st;
    st = stmt_step(s, err);
    if (st == STATUS_AGAIN) {
        t->id = stmt_column_i64(s, 0);
        t->at = arena_str(t->a, stmt_column_text(s, 1));
        t->file = arena_str(t->a, stmt_column_text(s, 2));
        t->table = arena_str(t->a, stmt_column_text(s, 3));
        t->rejects = arena_str(t->a, stmt_column_text(s, 4));
        t->kind = kind_of(stmt_column_text(s, 5));
        t->sum_rows = stmt_column_i64(s, 6);
        t->sum = stmt_column_i64(s, 7);
        t->why_not = arena_str(t->a, stmt_column_text(s, 8));
    }
    stmt_done(s);
    if (st == STATUS_OK)
        return nothing(err);
    if (st != STATUS_AGAIN)
        return st;
    if (t->kind == UNDO_NONE)
        return err_set(err, STATUS_CONFLICT, "the import of %.*s into \"%.*s\" cannot be taken back: %.*s",
                       STR_ARG(t->file), STR_ARG(t->table), STR_ARG(t->why_not));
    return STATUS_OK;
}

static enum status check_unchanged(struct taking *t, struct err *err)
{
    uint64_t rows;
    int64_t sum;
    struct line *there;
    size_t count = 0;
    enum status st = fetch(t, STR("SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = ?1"), t->table,
                           &there, &count, err);
    if (st == STATUS_OK && !count)
        return err_set(err, STATUS_CONFLICT, "the table \"%.*s\" is not there any more", STR_ARG(t->table));
    if (st == STATUS_OK)
        st = undo_sum(t->a, t->c, t->table, t->kind, &rows, &sum, err);
    if (st != STATUS_OK)
        return st;
    if (rows != (uint64_t)t->sum_rows || sum != t->sum) {
        err_set(err, STATUS_CONFLICT, "the table \"%.*s\" was changed after %.*s was imported into it",
                STR_ARG(t->table), STR_ARG(t->file));
        return err_hint(err, "Taking the import back would lose those changes: nothing was done.");
    }
    return STATUS_OK;
}

/* ---- rows ---- */

static enum status count_changes(struct taking *t, str sql, uint64_t *ret, struct err *err)
{
    enum status st = run(t, sql, err);
    *ret += st == STATUS_OK ? (uint64_t)conn_changes(t->c) : 0;
    return st;
}

static enum status names_of_old(struct taking *t, str *ret_columns, str *ret_values, struct err *err)
{
    struct line *columns, *made;
    size_t count, made_count, kept = 0;
    str names = STR(""), values = STR("");
    enum status st = fetch(t, STR("SELECT name FROM pragma_table_info(?1)"), t->table, &columns, &count, err);
    if (st == STATUS_OK)
        st = fetch(t, STR("SELECT name FROM main._vitrine_undo_sql WHERE kind = 'made column'"), (str){0}, &made,
                   &made_count, err);
    for (size_t i = 0; i < count && st == STATUS_OK; i++) {
        bool is_new = false;
        for (size_t k = 0; k < made_count; k++)
            is_new |= str_eq_nocase(made[k].text[0], columns[i].text[0]);
        if (is_new)
            continue;
        names = ARENA_CAT(t->a, names, STR(", "), name_quoted(t->a, columns[i].text[0]));
        values = arena_printf(t->a, "%.*s, c%zu", STR_ARG(values), kept++);
    }
    *ret_columns = names;
    *ret_values = values;
    return st;
}

static enum status put_back(struct taking *t, str rowid, struct err *err)
{
    str columns, values, rows;
    enum status st = names_of_old(t, &columns, &values, err);
    if (st != STATUS_OK)
        return st;
    rows = rowid.n ? ARENA_CAT(t->a, STR(" ("), rowid, columns, STR(") SELECT r"), values)
                   : ARENA_CAT(t->a, STR(" ("), str_from(columns, 2), STR(") SELECT "), str_from(values, 2));
    return count_changes(t,
                         ARENA_CAT(t->a, STR("INSERT INTO main."), name_quoted(t->a, t->table), rows,
                                   STR(" FROM main._vitrine_undo_old ORDER BY _vitrine_undo_old.r")),
                         &t->report->back, err);
}

static enum status take_rows(struct taking *t, struct err *err)
{
    struct line *made;
    size_t count = 0;
    str table = name_quoted(t->a, t->table), rowid = undo_rowid_name(t->a, t->c, t->table);
    enum status st =
        count_changes(t,
                      ARENA_CAT(t->a, STR("DELETE FROM main."), table, STR(" WHERE "), rowid, STR(" IN (SELECT t."),
                                rowid, STR(" FROM main._vitrine_undo_new AS n CROSS JOIN main."), table,
                                STR(" AS t ON t."), rowid, STR(" BETWEEN n.first AND n.last)")),
                      &t->report->gone, err);
    uint64_t replaced = 0;
    if (st == STATUS_OK && t->kind == UNDO_CHANGED)
        st = count_changes(t,
                           ARENA_CAT(t->a, STR("DELETE FROM main."), table, STR(" WHERE "), rowid,
                                     STR(" IN (SELECT r FROM main._vitrine_undo_old)")),
                           &replaced, err);
    if (st == STATUS_OK && t->kind == UNDO_CHANGED)
        st = put_back(t, rowid, err);
    if (st == STATUS_OK)
        st = fetch(t, STR("SELECT name FROM main._vitrine_undo_sql WHERE kind = 'made column'"), (str){0}, &made,
                   &count, err);
    for (size_t i = 0; i < count && st == STATUS_OK; i++)
        st = run(
            t,
            ARENA_CAT(t->a, STR("ALTER TABLE main."), table, STR(" DROP COLUMN "), name_quoted(t->a, made[i].text[0])),
            err);
    return st;
}

/* ---- tables ---- */

static enum status drop_table(struct taking *t, struct err *err)
{
    bool fts5;
    str fts;
    enum status st = fts_find(t->a, t->c, t->table, &fts, &fts5, err);
    if (st == STATUS_OK && fts.n && t->kind == UNDO_MADE)
        st = fts_disable(t->a, t->c, t->table, NULL, err);
    return st == STATUS_OK ? run(t, ARENA_CAT(t->a, STR("DROP TABLE main."), name_quoted(t->a, t->table)), err) : st;
}

static enum status drop_made_tables(struct taking *t, struct err *err)
{
    struct line *made;
    size_t count = 0;
    enum status st = fetch(t, STR("SELECT name FROM main._vitrine_undo_sql WHERE kind IN ('made table', 'made child')"),
                           (str){0}, &made, &count, err);
    for (size_t i = 0; i < count && st == STATUS_OK; i++)
        st = run(t, ARENA_CAT(t->a, STR("DROP TABLE IF EXISTS main."), name_quoted(t->a, made[i].text[0])), err);
    return st;
}

/* What the record says of a table, an index or a trigger. The record lies in a database that anybody may have made: so
 * it is one statement that makes something, and is compiled as SQL of others is. */
static enum status make_again(struct taking *t, str sql, struct err *err)
{
    const str create = STR("CREATE ");
    struct stmt *s = NULL;
    if (!str_eq_nocase(str_sub(sql, 0, create.n), create))
        return err_set(err, STATUS_CORRUPT, "the record of this import was changed: it makes nothing");
    enum status st = conn_prepare(t->c, sql, &s, err);
    if (st != STATUS_OK)
        return st;
    while ((st = stmt_step(s, err)) == STATUS_AGAIN)
        continue;
    stmt_done(s);
    return st;
}

/* The table is made again as it was, filled, then its indexes and triggers. A search index follows. */
static enum status restore_table(struct taking *t, struct err *err)
{
    struct line *sql;
    size_t count = 0;
    bool fts5;
    str fts;
    enum status st = fetch(t, STR("SELECT kind, sql FROM main._vitrine_undo_sql WHERE sql IS NOT NULL"), (str){0}, &sql,
                           &count, err);
    t->report->gone = (uint64_t)t->sum_rows;
    if (st == STATUS_OK)
        st = drop_table(t, err);
    for (size_t i = 0; i < count && st == STATUS_OK; i++) {
        st = make_again(t, sql[i].text[1], err);
        if (st == STATUS_OK && str_is(sql[i].text[0], "table"))
            st = put_back(t, undo_rowid_name(t->a, t->c, t->table), err);
    }
    if (st == STATUS_OK)
        st = fts_find(t->a, t->c, t->table, &fts, &fts5, err);
    return st == STATUS_OK && fts.n ? fts_run(t->a, t->c, t->table, "rebuild", NULL, err) : st;
}

/* ---- the rest ---- */

static enum status take_rejects(struct taking *t, struct err *err)
{
    struct line *there;
    struct stmt *s;
    size_t count = 0;
    int64_t left = 0;
    str name = name_quoted(t->a, t->rejects);
    enum status st = fetch(t, STR("SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = ?1"), t->rejects,
                           &there, &count, err);
    if (st != STATUS_OK || !count)
        return st;
    st = conn_prepare_trusted(t->c, ARENA_CAT(t->a, STR("DELETE FROM main."), name, STR(" WHERE imported_at = ?1")), &s,
                              err);
    if (st != STATUS_OK)
        return st;
    st = stmt_bind_text(s, 1, t->at, err);
    if (st == STATUS_OK)
        st = stmt_step(s, err);
    stmt_done(s);
    if (st == STATUS_OK)
        st = conn_query_i64(t->c, ARENA_CAT(t->a, STR("SELECT count(*) FROM main."), name), &left, err);
    return st == STATUS_OK && !left ? run(t, ARENA_CAT(t->a, STR("DROP TABLE main."), name), err) : st;
}

static enum status forget(struct taking *t, struct err *err)
{
    return run(
        t,
        arena_printf(t->a,
                     "DROP TABLE IF EXISTS main._vitrine_undo_sql; DROP TABLE IF EXISTS main._vitrine_undo_new; DROP "
                     "TABLE IF EXISTS main._vitrine_undo_old; DELETE FROM main._vitrine_imports WHERE id = %lld",
                     (long long)t->id),
        err);
}

static enum status take_back(struct taking *t, struct err *err)
{
    enum status st = read_log(t, err);
    if (st == STATUS_OK)
        st = check_unchanged(t, err);
    if (st != STATUS_OK)
        return st;
    t->report->dropped = t->kind == UNDO_MADE;
    if (t->kind == UNDO_MADE) {
        t->report->gone = (uint64_t)t->sum_rows;
        st = drop_table(t, err);
    } else if (t->kind == UNDO_REWRITTEN) {
        st = restore_table(t, err);
    } else {
        st = take_rows(t, err);
    }
    if (st == STATUS_OK)
        st = drop_made_tables(t, err);
    if (st == STATUS_OK && t->rejects.n)
        st = take_rejects(t, err);
    return st == STATUS_OK ? forget(t, err) : st;
}

enum status undo_last(struct arena *a, struct conn *c, struct undo_report *ret, struct err *err)
{
    struct undo_report report = {0};
    struct taking t = {.a = a, .c = c, .report = &report};
    enum status st = conn_execute(c, STR("BEGIN IMMEDIATE"), err);
    if (st != STATUS_OK)
        return st;
    st = take_back(&t, err);
    if (st == STATUS_OK && FAULT("undo.commit"))
        st = err_set(err, STATUS_IO, "a fault was injected");
    if (st == STATUS_OK)
        st = conn_execute(c, STR("COMMIT"), err);
    if (st != STATUS_OK) {
        (void)!conn_execute(c, STR("ROLLBACK"), NULL); /* SQLite may have done it itself */
        return st;
    }
    report.file = t.file;
    report.table = t.table;
    *ret = report;
    return STATUS_OK;
}
