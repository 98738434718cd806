/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_generate — `vitrine generate`: a database of a recipe, for trying things out and for tests. */
#include <stdio.h>
#include <unistd.h>

#include "cli/given.h"
#include "cli/recipes.h"
#include "ingest/target.h"

enum { OPT_LIST, OPT_ROWS, OPT_TABLES, OPT_COLUMNS, OPT_BYTES, OPT_SEED, OPT_SILENT, OPT_HELP };

static const struct option options[] = {
    {"--list", 0, OPTION_FLAG, NULL, "List the recipes", OPT_LIST},
    {"--rows", 0, OPTION_VALUE, "N", "How many rows (of each table)", OPT_ROWS},
    {"--tables", 0, OPTION_VALUE, "N", "tables, deep: how many", OPT_TABLES},
    {"--columns", 0, OPTION_VALUE, "N", "wide: how many, at most 2000", OPT_COLUMNS},
    {"--bytes", 0, OPTION_VALUE, "N", "blobs: how large each is", OPT_BYTES},
    {"--seed", 0, OPTION_VALUE, "N", "Another seed makes other rows (default 1)", OPT_SEED},
    {"--silent", 0, OPTION_FLAG, NULL, "No progress", OPT_SILENT},
    {"--help", 'h', OPTION_FLAG, NULL, "Show this text", OPT_HELP},
};

static void list(void)
{
    for (const struct recipe *r = recipes; r->name; r++) {
        printf("%-10s %s", r->name, r->about);
        if (r->rows)
            printf("; --rows %lld", (long long)r->rows);
        if (r->tables)
            printf(" --tables %lld", (long long)r->tables);
        if (r->columns)
            printf(" --columns %lld", (long long)r->columns);
        if (r->bytes)
            printf(" --bytes %lld", (long long)r->bytes);
        printf("\n");
    }
}

/* An option that the recipe has not is a mistake. */
static enum status number(const struct given *g, int id, const char *option, int64_t standard, int64_t max,
                          int64_t *ret, struct err *err)
{
    str text = given_text(g, id);
    *ret = standard;
    if (!text.p)
        return STATUS_OK;
    if (!standard)
        return err_set(err, STATUS_USAGE, "this recipe has no %s", option);
    if (!str_to_i64(text, ret) || *ret < 1 || *ret > max)
        return err_set(err, STATUS_USAGE, "%s must be a number from 1 to %lld, not \"%.*s\"", option, (long long)max,
                       STR_ARG(text));
    return STATUS_OK;
}

static enum status read_numbers(const struct given *g, const struct recipe *r, struct recipe_job *j, struct err *err)
{
    int64_t seed;
    enum status st = number(g, OPT_ROWS, "--rows", r->rows, INT64_C(1000000000000), &j->rows, err);
    if (st == STATUS_OK)
        st = number(g, OPT_TABLES, "--tables", r->tables, 1000000, &j->tables, err);
    if (st == STATUS_OK)
        st = number(g, OPT_COLUMNS, "--columns", r->columns, 2000, &j->columns, err);
    if (st == STATUS_OK)
        st = number(g, OPT_BYTES, "--bytes", r->bytes, 999000000, &j->bytes, err);
    if (st == STATUS_OK)
        st = number(g, OPT_SEED, "--seed", 1, INT64_MAX, &seed, err);
    j->seed = st == STATUS_OK ? (uint64_t)seed : 1;
    return st;
}

static enum status make_database(const struct recipe *r, struct recipe_job *j, struct err *err)
{
    enum status st = target_open(j->path, false, &j->c, err);
    if (st == STATUS_OK)
        st = conn_execute(j->c, STR("BEGIN IMMEDIATE"), err);
    if (st == STATUS_OK)
        st = r->make(j, err);
    if (st == STATUS_OK)
        st = conn_execute(j->c, STR("COMMIT"), err);
    conn_close(j->c);
    return st;
}

static enum status generate(const struct given *g, struct recipe_job *j, struct err *err)
{
    const struct recipe *r = recipes;
    if (g->words.count != 2) {
        err_set(err, STATUS_USAGE, "%s",
                g->words.count > 2 ? "there are too many arguments" : "a recipe or a file is missing");
        return err_hint(err, "Usage: vitrine generate RECIPE FILE; vitrine generate --list lists the recipes.");
    }
    while (r->name && !str_is(g->words.items[0], r->name))
        r++;
    if (!r->name) {
        err_set(err, STATUS_USAGE, "there is no recipe \"%.*s\"", STR_ARG(g->words.items[0]));
        return err_hint(err, "vitrine generate --list lists them.");
    }
    j->path = g->words.items[1];
    enum status st = read_numbers(g, r, j, err);
    if (st != STATUS_OK)
        return st;
    if (access(arena_cstr(j->a, j->path), F_OK) == 0 && !r->files)
        return err_set(err, STATUS_CONFLICT, "there is a file %.*s already", STR_ARG(j->path));
    st = r->files ? r->make(j, err) : make_database(r, j, err);
    if (j->shown_us)
        fprintf(stderr, "\r\033[K");
    return st;
}

int cmd_generate(int argc, char **argv)
{
    struct recipe_job j = {.a = arena_new(0)};
    struct given g;
    struct err err = ERR_INIT;
    int code = 0;
    enum status st = given_read(j.a, options, ARRAY_LEN(options), argc, argv, &g, &err);
    if (st == STATUS_OK && given_has(&g, OPT_HELP)) {
        printf("Usage: vitrine generate [OPTIONS] RECIPE FILE\n\nMakes a new database (or a folder of files) of a "
               "recipe; the "
               "same seed makes the same rows.\n\nOptions:\n");
        option_print_help(options, ARRAY_LEN(options));
        printf("\nRecipes:\n");
        list();
    } else if (st == STATUS_OK && given_has(&g, OPT_LIST)) {
        list();
    } else if (st == STATUS_OK) {
        j.terminal = !given_has(&g, OPT_SILENT) && isatty(2);
        st = generate(&g, &j, &err);
    }
    if (st != STATUS_OK)
        code = command_fail(&err);
    arena_free(j.a);
    return code;
}
