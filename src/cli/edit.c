/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/edit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/limits.h"
#include "codec/names.h"
#include "db/history.h"
#include "db/stmt.h"
#include "ingest/target.h"

str edit_quoted(struct edit *e, str name)
{
    return name_quoted(e->arena, name);
}

enum status edit_run(struct edit *e, str sql, struct err *err)
{
    return rebuild_run(e->arena, e->conn, sql, &e->log, err);
}

enum status edit_run_one(struct edit *e, str sql, struct err *err)
{
    struct stmt *s;
    VEC_PUSH(e->arena, &e->log.items, sql);
    enum status st = conn_prepare_trusted(e->conn, sql, &s, err);
    if (st != STATUS_OK)
        return st;
    while ((st = stmt_step(s, err)) == STATUS_AGAIN)
        continue;
    stmt_done(s);
    return st;
}

enum status edit_column(struct edit *e, struct table_def *d, str name, struct def_column **ret, struct err *err)
{
    str list = STR("");
    *ret = table_def_find(d, name);
    if (*ret)
        return STATUS_OK;
    for (size_t i = 0; i < d->columns.count; i++)
        list = ARENA_CAT(e->arena, list, i ? STR(", ") : STR(""), d->columns.items[i].name);
    err_set(err, STATUS_USAGE, "the table \"%.*s\" has no column \"%.*s\"", STR_ARG(d->name), STR_ARG(name));
    return err_hint(err, "The columns are: %.*s", STR_ARG(list));
}

static bool is_number(str s)
{
    bool digit = false, point = false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '.' && !point)
            point = true;
        else if (s.p[i] >= '0' && s.p[i] <= '9')
            digit = true;
        else if (!(i == 0 && s.p[i] == '-'))
            return false;
    }
    return digit;
}

str edit_default(struct edit *e, str type, str text)
{
    static const char *const words[] = {"CURRENT_TIME", "CURRENT_DATE", "CURRENT_TIMESTAMP"};
    bool quoted = text.n >= 2 && (text.p[0] == '\'' || text.p[0] == '"') && text.p[text.n - 1] == text.p[0];
    bool numeric = !str_eq_nocase(type, STR("TEXT")) && type.n && is_number(text);
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        quoted |= str_eq_nocase(text, str_of(words[i]));
    if (quoted || numeric)
        return text;
    if (text.n && text.p[text.n - 1] == ')')
        return ARENA_CAT(e->arena, STR("("), text, STR(")"));
    return text_quoted(e->arena, text);
}

enum status edit_type(struct edit *e, str text, str *ret, struct err *err)
{
    static const struct {
        const char *word, *type;
    } types[] = {{"text", "TEXT"}, {"str", "TEXT"},  {"integer", "INTEGER"}, {"int", "INTEGER"}, {"float", "FLOAT"},
                 {"real", "REAL"}, {"blob", "BLOB"}, {"bytes", "BLOB"},      {"any", "ANY"}};
    (void)e;
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (str_eq_nocase(text, str_of(types[i].word))) {
            *ret = str_of(types[i].type);
            return STATUS_OK;
        }
    err_set(err, STATUS_USAGE, "\"%.*s\" is no type of column", STR_ARG(text));
    return err_hint(err, "The types are: text, integer, float, real, blob, any");
}

/* ---- the frame ---- */

static enum status open_database(struct edit *e, const struct edit_command *command, struct err *err)
{
    str path = e->args.words.items[0];
    if (!command->creates && access(arena_cstr(e->arena, path), F_OK) != 0) {
        err_set(err, STATUS_NOT_FOUND, "there is no database \"%.*s\"", STR_ARG(path));
        return err_hint(err, "vitrine create-table or vitrine insert make one.");
    }
    return target_open(path, false, &e->conn, err);
}

static void print_log(const struct edit *e, bool alone)
{
    fputs(alone ? "" : "BEGIN;\n", stdout);
    for (size_t i = 0; i < e->log.items.count; i++)
        printf("%.*s;\n", STR_ARG(e->log.items.items[i]));
    fputs(alone ? "" : "COMMIT;\n", stdout);
}

static enum status run(struct edit *e, const struct edit_command *command, struct err *err)
{
    bool only_print = given_has(&e->args, EDIT_SQL);
    e->words = e->args.words.items + 1;
    e->word_count = e->args.words.count - 1;
    e->log.dry = only_print;
    enum status st = open_database(e, command, err);
    if (st == STATUS_OK && !command->alone)
        st = conn_execute(e->conn, STR("BEGIN IMMEDIATE"), err);
    if (st != STATUS_OK)
        return st;
    bool histories = !command->alone && !only_print && history_in_use(e->conn);
    if (histories)
        st = history_author(e->conn, str_of(getenv("USER")), STR(HISTORY_COMMAND_LINE), err);
    if (st == STATUS_OK)
        st = command->run(e, err);
    if (st == STATUS_OK && histories)
        st = history_refresh_all(e->conn, e->arena, err);
    if (st == STATUS_OK && histories)
        st = history_author(e->conn, (str){0}, (str){0}, err);
    if (st == STATUS_OK && only_print)
        print_log(e, command->alone);
    if (st == STATUS_OK && !command->alone)
        st = conn_execute(e->conn, only_print ? STR("ROLLBACK") : STR("COMMIT"), err);
    if (st != STATUS_OK && !command->alone)
        (void)!conn_execute(e->conn, STR("ROLLBACK"), NULL); /* SQLite may have done it itself */
    return st;
}

static enum status check_words(const struct given *g, const struct edit_command *command, struct err *err)
{
    if (g->words.count > command->max_words + 1)
        return err_set(err, STATUS_USAGE, "\"%.*s\" is one argument too many",
                       STR_ARG(g->words.items[command->max_words + 1]));
    if (g->words.count >= command->min_words + 1)
        return STATUS_OK;
    err_set(err, STATUS_USAGE, "%s is missing", g->words.count ? "something" : "a database");
    return err_hint(err, "Usage: vitrine %s", command->usage);
}

int edit_command(const struct edit_command *command, int argc, char **argv)
{
    struct edit e = {.arena = arena_new(0)};
    struct err err = ERR_INIT;
    int code = 0;
    enum status st = given_read(e.arena, command->options, command->option_count, argc, argv, &e.args, &err);
    if (st == STATUS_OK && given_has(&e.args, EDIT_HELP)) {
        printf("Usage: vitrine %s\n\n%s\n\nOptions:\n", command->usage, command->about);
        option_print_help(command->options, command->option_count);
    } else if (st == STATUS_OK) {
        st = check_words(&e.args, command, &err);
        if (st == STATUS_OK)
            st = run(&e, command, &err);
        conn_close(e.conn);
        if (st == STATUS_OK && e.note)
            fprintf(stderr, "%s\n", e.note);
        if (st == STATUS_OK && fflush(stdout) != 0)
            st = err_set(&err, STATUS_IO, "standard output cannot be written");
    }
    if (st != STATUS_OK)
        code = command_fail(&err);
    arena_free(e.arena);
    return code;
}
