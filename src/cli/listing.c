/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/listing.h"

#include <stdio.h>

#include "base/limits.h"
#include "codec/names.h"
#include "db/stmt.h"

enum status listing_table(struct listing *l, str name, str *ret, struct err *err)
{
    str *found;
    size_t count;
    enum status st = conn_fetch_texts(
        l->conn, l->arena,
        STR("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name = ?1 COLLATE NOCASE"), name,
        &found, &count, err);
    if (st == STATUS_OK && !count) {
        err_set(err, STATUS_NOT_FOUND, "there is no table \"%.*s\"", STR_ARG(name));
        return err_hint(err, "vitrine tables lists them.");
    }
    if (st == STATUS_OK)
        *ret = found[0];
    return st;
}

static enum status print_all(struct listing *l, bool own_sql, struct rows_out *out, struct err *err)
{
    enum status st = STATUS_OK;
    for (size_t i = 0; i < l->sql.count && st == STATUS_OK; i++) {
        struct stmt *s = NULL;
        st = own_sql ? conn_prepare_trusted(l->conn, l->sql.items[i], &s, err)
                     : conn_prepare(l->conn, l->sql.items[i], &s, err);
        for (size_t k = 0; k < l->parameters.names.count && st == STATUS_OK; k++)
            st = stmt_bind_named(s, l->parameters.names.items[k],
                                 (struct db_value){.kind = DB_TEXT, .s = l->parameters.values.items[k]}, err);
        if (st == STATUS_OK)
            st = rows_out_print(out, s, err);
        stmt_done(s);
    }
    enum status end = rows_out_end(out, st == STATUS_OK ? err : NULL);
    return st == STATUS_OK ? end : st;
}

static enum status open_and_ask(struct listing *l, const struct listing_command *command, struct err *err)
{
    struct database *db;
    const struct database_options o = {.name = l->given.words.items[0], .path = l->given.words.items[0]};
    enum status st = database_new(&o, &db, err);
    if (st != STATUS_OK)
        return st;
    st = database_check(db, err);
    if (st == STATUS_OK)
        st = conn_open_private(db, CONN_READ, &l->conn, err);
    if (st == STATUS_OK)
        st = command->ask(l, err);
    database_unref(db); /* the connection holds it */
    return st;
}

static enum status run(struct listing *l, const struct listing_command *command, struct err *err)
{
    struct rows_out out;
    enum rows_format format = command->format;
    for (size_t i = 0; i < l->given.options.count; i++) {
        int id = l->given.options.items[i].id - LISTING_FORMAT;
        if (id >= ROWS_JSON && id <= ROWS_TABLE)
            format = (enum rows_format)id;
    }
    l->words = l->given.words.items + 1;
    l->word_count = l->given.words.count - 1;
    enum status st = open_and_ask(l, command, err);
    if (st == STATUS_OK) {
        rows_out_init(&out, l->arena, format, given_has(&l->given, LISTING_NO_HEADERS));
        st = print_all(l, command->own_sql, &out, err);
        rows_out_release(&out);
    }
    conn_close(l->conn);
    return st;
}

static enum status check_words(const struct given *g, const struct listing_command *command, struct err *err)
{
    if (g->words.count > command->max_words + 1)
        return err_set(err, STATUS_USAGE, "\"%.*s\" is one argument too many",
                       STR_ARG(g->words.items[command->max_words + 1]));
    if (g->words.count >= command->min_words + 1)
        return STATUS_OK;
    err_set(err, STATUS_USAGE, "%s is missing", g->words.count ? command->missing : "a database");
    return err_hint(err, "Usage: vitrine %s", command->usage);
}

int listing_command(const struct listing_command *command, int argc, char **argv)
{
    struct listing l = {.arena = arena_new(0)};
    struct err err = ERR_INIT;
    int code = 0;
    enum status st = given_read(l.arena, command->options, command->option_count, argc, argv, &l.given, &err);
    if (st == STATUS_OK && given_has(&l.given, LISTING_HELP)) {
        printf("Usage: vitrine %s\n\n%s%sOptions:\n", command->usage, command->about ? command->about : "",
               command->about ? "\n\n" : "");
        option_print_help(command->options, command->option_count);
    } else if (st == STATUS_OK) {
        st = check_words(&l.given, command, &err);
        if (st == STATUS_OK)
            st = run(&l, command, &err);
    }
    if (st != STATUS_OK)
        code = command_fail(&err);
    arena_free(l.arena);
    return code;
}
