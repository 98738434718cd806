/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/export_db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/limits.h"
#include "codec/names.h"
#include "db/stmt.h"
#include "ingest/target.h"
#include "migrate/rebuild.h"

#include "base/banned.h"

struct copy {
    struct arena *a;
    struct conn *from, *to;
    str table, create, select, insert;
    uint64_t rows;
};

/* ---- what to copy ---- */

static str table_sql(struct copy *x, struct err *err, enum status *ret)
{
    struct stmt *s;
    str sql = STR("");
    *ret = conn_prepare_trusted(x->from, STR("SELECT sql FROM main.sqlite_schema WHERE type = 'table' AND name = ?1"),
                                &s, err);
    if (*ret != STATUS_OK)
        return sql;
    *ret = stmt_bind_text(s, 1, x->table, err);
    if (*ret == STATUS_OK && (*ret = stmt_step(s, err)) == STATUS_AGAIN) {
        sql = arena_str(x->a, stmt_column_text(s, 0));
        *ret = STATUS_OK;
    }
    stmt_done(s);
    return sql;
}

static void put_column(struct copy *x, str name, size_t *count, str *columns, str *places)
{
    *columns = ARENA_CAT(x->a, *columns, *count ? STR(", ") : STR(""), name);
    *places = arena_printf(x->a, "%.*s%s?%zu", STR_ARG(*places), *count ? ", " : "", *count + 1);
    (*count)++;
}

static enum status plan_table(struct copy *x, struct err *err)
{
    static const char *const rowids[] = {"rowid", "_rowid_", "oid"};
    struct table_def d;
    str columns = STR(""), places = STR("");
    size_t count = 0;
    enum status st = rebuild_read(x->a, x->from, x->table, &d, err);
    if (st != STATUS_OK)
        return st;
    x->table = d.name;
    for (size_t i = 0; i < ARRAY_LEN(rowids) && !count && !d.without_rowid && !table_def_rowid_column(&d); i++)
        if (!table_def_find(&d, str_of(rowids[i])))
            put_column(x, str_of(rowids[i]), &count, &columns, &places);
    for (size_t i = 0; i < d.columns.count; i++)
        if (!d.columns.items[i].generated)
            put_column(x, name_quoted(x->a, d.columns.items[i].name), &count, &columns, &places);
    str name = name_quoted(x->a, x->table);
    x->create = table_sql(x, err, &st);
    x->select = ARENA_CAT(x->a, STR("SELECT "), columns, STR(" FROM "), name);
    x->insert = ARENA_CAT(x->a, STR("INSERT INTO "), name, STR(" ("), columns, STR(") VALUES ("), places, STR(")"));
    return st;
}

static enum status plan_query(struct copy *x, str sql, struct err *err)
{
    struct stmt *s;
    str columns = STR(""), places = STR("");
    size_t count = 0;
    enum status st = conn_prepare(x->from, sql, &s, err);
    if (st != STATUS_OK)
        return st;
    for (int i = 0; i < stmt_column_count(s); i++) {
        str type = stmt_column_decltype(s, i);
        put_column(x, ARENA_CAT(x->a, name_quoted(x->a, stmt_column_name(s, i)), type.n ? STR(" ") : STR(""), type),
                   &count, &columns, &places);
    }
    stmt_done(s);
    str name = name_quoted(x->a, x->table);
    x->select = sql;
    x->create = ARENA_CAT(x->a, STR("CREATE TABLE "), name, STR(" ("), columns, STR(")"));
    x->insert = ARENA_CAT(x->a, STR("INSERT INTO "), name, STR(" VALUES ("), places, STR(")"));
    return STATUS_OK;
}

/* ---- copying ---- */

static enum status copy_row(struct stmt *from, struct stmt *to, int count, struct err *err)
{
    enum status st = STATUS_OK;
    for (int i = 0; i < count && st == STATUS_OK; i++)
        st = stmt_bind(to, i + 1, stmt_column_value(from, i), err);
    if (st == STATUS_OK)
        st = stmt_step(to, err);
    stmt_reset(to);
    return st;
}

static enum status copy_rows(struct copy *x, struct err *err)
{
    struct stmt *from = NULL, *to = NULL;
    enum status st = conn_prepare(x->from, x->select, &from, err), put = STATUS_OK;
    if (st == STATUS_OK)
        st = conn_prepare_trusted(x->to, x->insert, &to, err);
    if (st == STATUS_OK)
        while (put == STATUS_OK && (st = stmt_step(from, err)) == STATUS_AGAIN) {
            put = copy_row(from, to, stmt_column_count(from), err);
            x->rows++;
        }
    stmt_done(from);
    stmt_done(to);
    return put != STATUS_OK ? put : st;
}

static enum status copy_indexes(struct copy *x, struct err *err)
{
    struct stmt *s;
    enum status st =
        conn_prepare_trusted(x->from,
                             STR("SELECT sql FROM main.sqlite_schema WHERE type = 'index' AND tbl_name = ?1 AND "
                                 "sql IS NOT NULL ORDER BY rowid"),
                             &s, err);
    if (st != STATUS_OK)
        return st;
    enum status put = STATUS_OK;
    st = stmt_bind_text(s, 1, x->table, err);
    if (st == STATUS_OK)
        while (put == STATUS_OK && (st = stmt_step(s, err)) == STATUS_AGAIN)
            put = conn_execute(x->to, stmt_column_text(s, 0), err);
    stmt_done(s);
    return put != STATUS_OK ? put : st;
}

static enum status copy_all(struct copy *x, bool with_indexes, struct err *err)
{
    enum status st = conn_execute(x->to, STR("BEGIN"), err);
    if (st == STATUS_OK)
        st = conn_execute(x->to, x->create, err);
    if (st == STATUS_OK)
        st = copy_rows(x, err);
    if (st == STATUS_OK && with_indexes)
        st = copy_indexes(x, err);
    return st == STATUS_OK ? conn_execute(x->to, STR("COMMIT; PRAGMA synchronous = FULL"), err) : st;
}

enum status export_database(struct arena *a, struct conn *from, str table, str sql, str path, bool replace,
                            uint64_t *ret_rows, struct err *err)
{
    struct copy x = {.a = a, .from = from, .table = table};
    char *place = arena_cstr(a, path), *partial = arena_cstr(a, ARENA_CAT(a, path, STR(".partial-XXXXXX")));
    if (!replace && access(place, F_OK) == 0) {
        err_set(err, STATUS_CONFLICT, "there is a file %s already", place);
        return err_hint(err, "--replace puts the new database in its place.");
    }
    enum status st = sql.n ? plan_query(&x, sql, err) : plan_table(&x, err);
    if (st != STATUS_OK)
        return st;
    int fd = mkostemp(partial, O_CLOEXEC);
    if (fd < 0)
        return err_sys(err, STATUS_IO, errno, "cannot write beside %s", place);
    close(fd);
    st = target_open(str_of(partial), true, &x.to, err);
    if (st == STATUS_OK)
        st = copy_all(&x, !sql.n, err);
    conn_close(x.to);
    if (st == STATUS_OK && rename(partial, place) != 0)
        st = err_sys(err, STATUS_IO, errno, "cannot put %s in its place", place);
    if (st != STATUS_OK)
        unlink(partial);
    *ret_rows = x.rows;
    return st;
}
