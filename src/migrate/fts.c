/* SPDX-License-Identifier: Apache-2.0 */
/* fts — FTS4 has no 'delete' command for a row that is gone already, so its triggers take the old text out before the
 * row changes. */
#include "migrate/fts.h"

#include "base/limits.h"
#include "codec/names.h"
#include "db/stmt.h"

#include "base/banned.h"

static str list(struct arena *a, const struct fts_options *o, str before)
{
    str all = STR("");
    for (size_t i = 0; i < o->column_count; i++)
        all = ARENA_CAT(a, all, i ? STR(", ") : STR(""), before, name_quoted(a, o->columns[i]));
    return all;
}

/* The name of the table that a virtual table's content= names, by the tokens of its statement. */
static bool content_is(struct arena *a, str sql, str table)
{
    size_t at = str_find(sql, STR("content="));
    if (at == STR_NPOS)
        return false;
    str rest = str_trim(str_from(sql, at + 8));
    char close = rest.n ? rest.p[0] == '[' ? ']' : rest.p[0] : '\0';
    if (close == '"' || close == '\'' || close == '`' || close == ']') {
        struct buf b;
        buf_init(&b, LIMIT_DB_SQL_BYTES);
        for (size_t i = 1; i < rest.n; i++) {
            if (rest.p[i] == close && (close == ']' || i + 1 >= rest.n || rest.p[++i] != close))
                break;
            buf_putc(&b, rest.p[i]);
        }
        str name = arena_str(a, buf_str(&b));
        buf_release(&b);
        return str_eq_nocase(name, table);
    }
    size_t end = 0;
    while (end < rest.n && rest.p[end] != ',' && rest.p[end] != ')' && rest.p[end] > ' ')
        end++;
    return str_eq_nocase(str_sub(rest, 0, end), table);
}

enum status fts_find(struct arena *a, struct conn *c, str table, str *ret, bool *ret_fts5, struct err *err)
{
    struct stmt *s;
    enum status st = conn_prepare_trusted(c,
                                          STR("SELECT name, sql, sql LIKE '%using fts5%' FROM main.sqlite_schema WHERE "
                                              "sql LIKE 'create virtual table%using fts%' ORDER BY rowid"),
                                          &s, err);
    *ret = STR("");
    *ret_fts5 = false;
    if (st != STATUS_OK)
        return st;
    while ((st = stmt_step(s, err)) == STATUS_AGAIN) {
        str name = stmt_column_text(s, 0);
        if (ret->n || !(str_eq_nocase(name, table) || content_is(a, stmt_column_text(s, 1), table)))
            continue;
        *ret = arena_str(a, name);
        *ret_fts5 = stmt_column_i64(s, 2) != 0;
    }
    stmt_done(s);
    return st;
}

static enum status check(struct arena *a, struct conn *c, str table, const struct fts_options *o, struct err *err)
{
    struct table_def d;
    enum status st = rebuild_read(a, c, table, &d, err);
    if (st != STATUS_OK)
        return st;
    if (d.without_rowid)
        return err_set(err, STATUS_INVALID, "\"%.*s\" is a WITHOUT ROWID table: it cannot have a search index",
                       STR_ARG(table));
    for (size_t i = 0; i < o->column_count; i++)
        if (!table_def_find(&d, o->columns[i]))
            return err_set(err, STATUS_INVALID, "the table \"%.*s\" has no column \"%.*s\"", STR_ARG(table),
                           STR_ARG(o->columns[i]));
    return STATUS_OK;
}

static enum status make_triggers(struct arena *a, struct conn *c, str table, const struct fts_options *o,
                                 struct sql_log *log, struct err *err)
{
    str t = name_quoted(a, table), fts = name_quoted(a, ARENA_CAT(a, table, STR("_fts")));
    str put = ARENA_CAT(a, STR("  INSERT INTO "), fts, STR(" (rowid, "), list(a, o, STR("")),
                        STR(") VALUES (new.rowid, "), list(a, o, STR("new.")), STR(");\n"));
    str gone5 = ARENA_CAT(a, STR("  INSERT INTO "), fts, STR(" ("), fts, STR(", rowid, "), list(a, o, STR("")),
                          STR(") VALUES ('delete', old.rowid, "), list(a, o, STR("old.")), STR(");\n"));
    str gone4 = ARENA_CAT(a, STR("  DELETE FROM "), fts, STR(" WHERE docid = old.rowid;\n"));
    const struct {
        const char *suffix, *when;
        str body;
    } all[] = {
        {"_ai", "AFTER INSERT", put},
        {"_ad", "AFTER DELETE", o->fts4 ? STR("") : gone5},
        {"_au", "AFTER UPDATE", o->fts4 ? put : ARENA_CAT(a, gone5, put)},
        {"_bd", "BEFORE DELETE", o->fts4 ? gone4 : STR("")},
        {"_bu", "BEFORE UPDATE", o->fts4 ? gone4 : STR("")},
    };
    enum status st = STATUS_OK;
    for (size_t i = 0; i < ARRAY_LEN(all) && st == STATUS_OK; i++)
        if (all[i].body.n)
            st = rebuild_run(a, c,
                             ARENA_CAT(a, STR("CREATE TRIGGER "),
                                       name_quoted(a, ARENA_CAT(a, table, str_of(all[i].suffix))), STR(" "),
                                       str_of(all[i].when), STR(" ON "), t, STR(" BEGIN\n"), all[i].body, STR("END")),
                             log, err);
    return st;
}

enum status fts_enable(struct arena *a, struct conn *c, str table, const struct fts_options *o, struct sql_log *log,
                       struct err *err)
{
    str there, fts = ARENA_CAT(a, table, STR("_fts"));
    bool fts5;
    enum status st = check(a, c, table, o, err);
    if (st == STATUS_OK)
        st = fts_find(a, c, table, &there, &fts5, err);
    if (st == STATUS_OK && there.n && !o->replace) {
        err_set(err, STATUS_CONFLICT, "\"%.*s\" has a search index already: \"%.*s\"", STR_ARG(table), STR_ARG(there));
        return err_hint(err, "--replace makes it anew.");
    }
    if (st == STATUS_OK && there.n)
        st = fts_disable(a, c, table, log, err);
    if (st != STATUS_OK)
        return st;
    st = rebuild_run(a, c,
                     ARENA_CAT(a, STR("CREATE VIRTUAL TABLE "), name_quoted(a, fts), STR(" USING "),
                               o->fts4 ? STR("FTS4") : STR("FTS5"), STR(" (\n    "), list(a, o, STR("")),
                               o->tokenize.n ? STR(",\n    tokenize=") : STR(""),
                               !o->tokenize.n ? STR("")
                               : o->fts4      ? o->tokenize
                                              : text_quoted(a, o->tokenize),
                               STR(",\n    content="), name_quoted(a, table), STR("\n)")),
                     log, err);
    if (st == STATUS_OK)
        st = fts_run(a, c, table, "rebuild", log, err);
    return st == STATUS_OK && o->triggers ? make_triggers(a, c, table, o, log, err) : st;
}

static enum status need(struct arena *a, struct conn *c, str table, str *ret, struct err *err)
{
    bool fts5;
    enum status st = fts_find(a, c, table, ret, &fts5, err);
    if (st == STATUS_OK && !ret->n) {
        err_set(err, STATUS_NOT_FOUND, "\"%.*s\" has no search index", STR_ARG(table));
        return err_hint(err, "Make one with: vitrine enable-fts DATABASE TABLE COLUMN...");
    }
    return st;
}

enum status fts_run(struct arena *a, struct conn *c, str table, const char *command, struct sql_log *log,
                    struct err *err)
{
    str fts;
    enum status st = need(a, c, table, &fts, err);
    return st == STATUS_OK
               ? rebuild_run(a, c,
                             ARENA_CAT(a, STR("INSERT INTO "), name_quoted(a, fts), STR(" ("), name_quoted(a, fts),
                                       STR(") VALUES ("), text_quoted(a, str_of(command)), STR(")")),
                             log, err)
               : st;
}

/* Triggers of the table that write to the index, whatever they are called. */
static enum status drop_triggers(struct arena *a, struct conn *c, str table, str fts, struct sql_log *log,
                                 struct err *err)
{
    struct stmt *s;
    VEC(str) names = {0};
    str mention = name_quoted(a, fts), bracket = ARENA_CAT(a, STR("["), fts, STR("]"));
    enum status st =
        conn_prepare_trusted(c,
                             STR("SELECT name FROM main.sqlite_schema WHERE type = 'trigger' AND tbl_name = ?1 "
                                 "COLLATE NOCASE AND (instr(sql, ?2) OR instr(sql, ?3) OR instr(sql, "
                                 "'into ' || ?4) OR instr(sql, 'INTO ' || ?4))"),
                             &s, err);
    const str values[] = {table, mention, bracket, fts};
    for (size_t i = 0; i < ARRAY_LEN(values) && st == STATUS_OK; i++)
        st = stmt_bind_text(s, (int)i + 1, values[i], err);
    if (st == STATUS_OK)
        while ((st = stmt_step(s, err)) == STATUS_AGAIN)
            VEC_PUSH(a, &names, arena_str(a, stmt_column_text(s, 0)));
    stmt_done(s);
    for (size_t i = 0; i < names.count && st == STATUS_OK; i++)
        st = rebuild_run(a, c, ARENA_CAT(a, STR("DROP TRIGGER "), name_quoted(a, names.items[i])), log, err);
    return st;
}

enum status fts_disable(struct arena *a, struct conn *c, str table, struct sql_log *log, struct err *err)
{
    str fts;
    enum status st = need(a, c, table, &fts, err);
    if (st == STATUS_OK)
        st = drop_triggers(a, c, table, fts, log, err);
    return st == STATUS_OK ? rebuild_run(a, c, ARENA_CAT(a, STR("DROP TABLE "), name_quoted(a, fts)), log, err) : st;
}
