/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_export — `vitrine export`: tables and queries into files. The ending of the name says what kind of file. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/utf8.h"
#include "cli/export_db.h"
#include "cli/export_rows.h"
#include "cli/given.h"
#include "codec/names.h"

enum { OPT_SQL, OPT_ALL, OPT_DIR, OPT_FORMAT, OPT_NULL, OPT_NO_HEADERS, OPT_REPLACE, OPT_TABLE, OPT_SILENT, OPT_HELP };

static const struct option options[] = {
    {"--sql", 0, OPTION_VALUE, "SQL", "The rows of this query, in the place of TABLE", OPT_SQL},
    {"--all", 0, OPTION_FLAG, NULL, "Every table, a file each", OPT_ALL},
    {"--dir", 0, OPTION_VALUE, "DIR", "--all: where to (default: the current folder)", OPT_DIR},
    {"--format", 0, OPTION_VALUE, "NAME", "csv, tsv, json, ndjson, sql or db, also csv.gz and so on (--all, -: csv)",
     OPT_FORMAT},
    {"--null", 0, OPTION_VALUE, "TEXT", "What NULL is in CSV and TSV (default: an empty cell)", OPT_NULL},
    {"--no-headers", 0, OPTION_FLAG, NULL, "CSV and TSV without a first line of names", OPT_NO_HEADERS},
    {"--table", 0, OPTION_VALUE, "NAME", "--sql: the name of the table in SQL and databases (default: data)",
     OPT_TABLE},
    {"--replace", 0, OPTION_FLAG, NULL, "Put a database in the place of a file that is there", OPT_REPLACE},
    {"--silent", 0, OPTION_FLAG, NULL, "No progress, no report", OPT_SILENT},
    {"--help", 'h', OPTION_FLAG, NULL, "Show this text", OPT_HELP},
};

struct export_job {
    struct arena *a;
    struct given given;
    struct conn *conn;
    bool silent;
};

static str select_of(struct export_job *j, str table)
{
    return ARENA_CAT(j->a, STR("SELECT * FROM "), name_quoted(j->a, table));
}

static enum status export_text(struct export_job *j, const struct export_options *o, str sql, str path,
                               uint64_t *ret_rows, struct err *err)
{
    struct stmt *s;
    struct pack *to = NULL;
    enum status st = conn_prepare(j->conn, sql, &s, err);
    if (st != STATUS_OK)
        return st;
    st = pack_new(j->a, path, &to, err);
    if (st == STATUS_OK)
        st = export_rows(s, to, o, ret_rows, err);
    if (st == STATUS_OK)
        st = pack_finish(to, err);
    pack_free(to);
    stmt_done(s);
    return st;
}

/* The name of a table as the database has it. */
static enum status find_table(struct export_job *j, str name, str *ret, struct err *err)
{
    struct stmt *s;
    enum status st = conn_prepare_trusted(
        j->conn, STR("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name = ?1 COLLATE NOCASE"), &s,
        err);
    if (st != STATUS_OK)
        return st;
    st = stmt_bind_text(s, 1, name, err);
    if (st == STATUS_OK)
        st = stmt_step(s, err);
    if (st == STATUS_AGAIN)
        *ret = arena_str(j->a, stmt_column_text(s, 0));
    stmt_done(s);
    if (st == STATUS_OK) {
        err_set(err, STATUS_NOT_FOUND, "there is no table \"%.*s\"", STR_ARG(name));
        return err_hint(err, "vitrine tables lists them.");
    }
    return st == STATUS_AGAIN ? STATUS_OK : st;
}

/* SQL that makes the table, and its indexes; nothing for a view. */
static enum status frame_of(struct export_job *j, struct export_options *o, struct err *err)
{
    struct stmt *s;
    enum status st = conn_prepare_trusted(j->conn,
                                          STR("SELECT type, sql FROM sqlite_schema WHERE tbl_name = ?1 AND type IN "
                                              "('table', 'index') AND sql IS NOT NULL ORDER BY type DESC, rowid"),
                                          &s, err);
    if (st != STATUS_OK)
        return st;
    o->before = o->after = STR("");
    st = stmt_bind_text(s, 1, o->table, err);
    if (st == STATUS_OK)
        while ((st = stmt_step(s, err)) == STATUS_AGAIN) {
            str *to = str_is(stmt_column_text(s, 0), "table") ? &o->before : &o->after;
            *to = ARENA_CAT(j->a, *to, arena_str(j->a, stmt_column_text(s, 1)), STR(";\n"));
        }
    stmt_done(s);
    o->before = ARENA_CAT(j->a, STR("BEGIN;\n"), o->before);
    o->after = ARENA_CAT(j->a, o->after, STR("COMMIT;\n"));
    return st;
}

static enum status export_one(struct export_job *j, str table, str sql, str path, enum export_format format,
                              struct err *err)
{
    struct export_options o = {.format = format,
                               .no_headers = given_has(&j->given, OPT_NO_HEADERS),
                               .null_text = given_text(&j->given, OPT_NULL),
                               .table = table,
                               .terminal = !j->silent && isatty(2) && !str_is(path, "-")};
    uint64_t rows = 0;
    if (format == EXPORT_DB && str_is(path, "-"))
        return err_set(err, STATUS_USAGE, "a database cannot be written to standard output");
    if (format == EXPORT_DB && !str_eq(pack_inner_name(path), path))
        return err_set(err, STATUS_USAGE, "a database cannot be packed on the way: pack %.*s afterwards",
                       STR_ARG(path));
    enum status st = format == EXPORT_SQL && !sql.n ? frame_of(j, &o, err) : STATUS_OK;
    if (st != STATUS_OK)
        return st;
    st = format == EXPORT_DB
             ? export_database(j->a, j->conn, table, sql, path, given_has(&j->given, OPT_REPLACE), &rows, err)
             : export_text(j, &o, sql.n ? sql : select_of(j, table), path, &rows, err);
    if (st == STATUS_OK && !j->silent && !str_is(path, "-"))
        fprintf(stderr, "%.*s: %llu row%s\n", STR_ARG(path), (unsigned long long)rows, rows == 1 ? "" : "s");
    return st;
}

/* ---- --all ---- */

/* A name that every system takes, and that stays in its folder. */
static str file_name(struct export_job *j, str table)
{
    char *p = arena_cstr(j->a, utf8_cut(utf8_repair(j->a, table), 200));
    for (char *c = p; *c; c++)
        if (*c == '/' || *c == '\\' || (unsigned char)*c < ' ' || (c == p && *c == '.'))
            *c = '_';
    return *p ? str_of(p) : STR("_");
}

static enum status list_tables(struct export_job *j, str **ret, size_t *ret_count, struct err *err)
{
    struct stmt *s;
    VEC(str) all = {0};
    enum status st =
        conn_prepare_trusted(j->conn,
                             STR("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' "
                                 "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE "
                                 "'\\_vitrine\\_%' ESCAPE '\\' ORDER BY name"),
                             &s, err);
    if (st != STATUS_OK)
        return st;
    while ((st = stmt_step(s, err)) == STATUS_AGAIN)
        VEC_PUSH(j->a, &all, arena_str(j->a, stmt_column_text(s, 0)));
    stmt_done(s);
    *ret = all.items;
    *ret_count = all.count;
    return st;
}

static enum status export_all(struct export_job *j, str ending, enum export_format format, struct err *err)
{
    str *tables, dir = given_text(&j->given, OPT_DIR);
    size_t count;
    enum status st = list_tables(j, &tables, &count, err);
    if (st != STATUS_OK)
        return st;
    if (dir.n && mkdir(arena_cstr(j->a, dir), 0777) != 0 && errno != EEXIST)
        return err_sys(err, STATUS_IO, errno, "cannot make the folder %.*s", STR_ARG(dir));
    str *names = ARENA_ARRAY(j->a, str, count + 1);
    for (size_t i = 0; i < count && st == STATUS_OK; i++) {
        names[i] = file_name(j, tables[i]);
        for (int n = 2; str_in_nocase(names[i], names, i); n++)
            names[i] = arena_printf(j->a, "%.*s_%d", STR_ARG(file_name(j, tables[i])), n);
        str path = ARENA_CAT(j->a, dir, dir.n ? STR("/") : STR(""), names[i], STR("."), ending);
        st = export_one(j, tables[i], STR(""), path, format, err);
    }
    return st;
}

/* ---- command ---- */

static enum status format_of(struct export_job *j, str path, bool all, str *ret_ending, enum export_format *ret,
                             struct err *err)
{
    str name = given_text(&j->given, OPT_FORMAT);
    *ret_ending = name.p ? name : STR("csv");
    if (!name.p && !all && !str_is(path, "-")) {
        *ret = export_format_of(path);
        if (*ret != EXPORT_NONE)
            return STATUS_OK;
        err_set(err, STATUS_USAGE, "the ending of \"%.*s\" does not say what kind of file it is", STR_ARG(path));
        return err_hint(err,
                        "Use .csv, .tsv, .json, .ndjson, .sql or .db, also with .gz or .zst; or say it with --format.");
    }
    *ret = export_format_of(ARENA_CAT(j->a, STR("x."), *ret_ending));
    if (*ret != EXPORT_NONE)
        return STATUS_OK;
    err_set(err, STATUS_USAGE, "--format: \"%.*s\" is no format", STR_ARG(name));
    return err_hint(err, "The formats are: csv, tsv, json, ndjson, sql, db");
}

static enum status run_export(struct export_job *j, struct err *err)
{
    bool all = given_has(&j->given, OPT_ALL);
    str sql = given_text(&j->given, OPT_SQL), ending, table = STR("");
    size_t wanted = all ? 1 : sql.p ? 2 : 3, count = j->given.words.count;
    enum export_format format;
    if (all && sql.p)
        return err_set(err, STATUS_USAGE, "--all and --sql exclude each other");
    if (count != wanted) {
        static const char *const missing[] = {"a database", "a table or --sql", "a file (or - for standard output)"};
        if (count > wanted)
            return err_set(err, STATUS_USAGE, "\"%.*s\" is one argument too many",
                           STR_ARG(j->given.words.items[wanted]));
        err_set(err, STATUS_USAGE, "%s is missing", missing[count == 1 && sql.p ? 2 : count]);
        return err_hint(err, "Usage: vitrine export DATABASE TABLE FILE");
    }
    str path = all ? STR("") : j->given.words.items[wanted - 1];
    enum status st = format_of(j, path, all, &ending, &format, err);
    if (st == STATUS_OK && all)
        return export_all(j, ending, format, err);
    if (st == STATUS_OK && !sql.p)
        st = find_table(j, j->given.words.items[1], &table, err);
    if (sql.p)
        table = given_has(&j->given, OPT_TABLE) ? given_text(&j->given, OPT_TABLE) : STR("data");
    return st == STATUS_OK ? export_one(j, table, sql.p ? sql : STR(""), path, format, err) : st;
}

static enum status open_and_run(struct export_job *j, struct err *err)
{
    struct database *db;
    if (!j->given.words.count)
        return run_export(j, err);
    const struct database_options o = {.name = j->given.words.items[0], .path = j->given.words.items[0]};
    enum status st = database_new(&o, &db, err);
    if (st != STATUS_OK)
        return st;
    st = database_check(db, err);
    if (st == STATUS_OK)
        st = conn_open_private(db, CONN_READ, &j->conn, err);
    if (st == STATUS_OK)
        st = conn_begin_read(j->conn, err); /* all tables as they are now */
    if (st == STATUS_OK)
        st = run_export(j, err);
    conn_close(j->conn);
    database_unref(db);
    return st;
}

int cmd_export(int argc, char **argv)
{
    struct export_job j = {.a = arena_new(0)};
    struct err err = ERR_INIT;
    int code = 0;
    enum status st = given_read(j.a, options, ARRAY_LEN(options), argc, argv, &j.given, &err);
    if (st == STATUS_OK && given_has(&j.given, OPT_HELP)) {
        printf("Usage: vitrine export [OPTIONS] DATABASE TABLE FILE\n"
               "       vitrine export [OPTIONS] DATABASE --sql SQL FILE\n"
               "       vitrine export [OPTIONS] DATABASE --all --dir DIR\n\n"
               "Writes rows to a file; its ending says what kind: .csv, .tsv, .json, .ndjson, .sql, .db, and for all "
               "but the\n"
               "last also .gz or .zst. The file is in its place only when it is whole; - is standard "
               "output.\n\nOptions:\n");
        option_print_help(options, ARRAY_LEN(options));
    } else if (st == STATUS_OK) {
        j.silent = given_has(&j.given, OPT_SILENT);
        st = open_and_run(&j, &err);
    }
    if (st != STATUS_OK)
        code = command_fail(&err);
    arena_free(j.a);
    return code;
}
