/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_fts — `vitrine enable-fts`, `disable-fts`, `rebuild-fts`, `optimize`: search indexes. */
#include "cli/edit.h"
#include "db/stmt.h"
#include "migrate/fts.h"

enum { OPT_FTS4, OPT_FTS5, OPT_TOKENIZE, OPT_TRIGGERS, OPT_REPLACE, OPT_NO_VACUUM };

static const struct option enable_options[] = {
    {"--fts5", 0, OPTION_FLAG, NULL, "FTS5; that is what happens anyway", OPT_FTS5},
    {"--fts4", 0, OPTION_FLAG, NULL, "FTS4", OPT_FTS4},
    {"--tokenize", 0, OPTION_VALUE, "NAME", "How text is cut into words, for example porter", OPT_TOKENIZE},
    {"--create-triggers", 0, OPTION_FLAG, NULL, "Keep the index up to date when the table changes", OPT_TRIGGERS},
    {"--replace", 0, OPTION_FLAG, NULL, "Make an index that is there anew", OPT_REPLACE},
    EDIT_ABOUT,
};
static const struct option plain_options[] = {EDIT_ABOUT};
static const struct option optimize_options[] = {
    {"--no-vacuum", 0, OPTION_FLAG, NULL, "Leave the size of the file as it is", OPT_NO_VACUUM},
    EDIT_ABOUT,
};

static enum status enable(struct edit *e, struct err *err)
{
    struct fts_options o = {.columns = e->words + 1,
                            .column_count = e->word_count - 1,
                            .fts4 = given_has(&e->args, OPT_FTS4),
                            .tokenize = given_text(&e->args, OPT_TOKENIZE),
                            .triggers = given_has(&e->args, OPT_TRIGGERS),
                            .replace = given_has(&e->args, OPT_REPLACE)};
    if (o.fts4 && given_has(&e->args, OPT_FTS5))
        return err_set(err, STATUS_USAGE, "--fts4 and --fts5 exclude each other");
    return fts_enable(e->arena, e->conn, e->words[0], &o, &e->log, err);
}

static enum status disable(struct edit *e, struct err *err)
{
    return fts_disable(e->arena, e->conn, e->words[0], &e->log, err);
}

/* Of the tables that are named, or of all. */
static enum status run_all(struct edit *e, const char *command, struct err *err)
{
    str *names;
    size_t count = e->word_count;
    enum status st = STATUS_OK;
    if (count)
        names = ARENA_ARRAY(e->arena, str, count);
    else
        st = conn_fetch_texts(
            e->conn, e->arena,
            STR("SELECT name FROM sqlite_schema WHERE sql LIKE 'create virtual table%using fts%' ORDER BY name"),
            (str){0}, &names, &count, err);
    for (size_t i = 0; i < count && st == STATUS_OK; i++)
        st = fts_run(e->arena, e->conn, e->word_count ? e->words[i] : names[i], command, &e->log, err);
    return st;
}

static enum status rebuild(struct edit *e, struct err *err)
{
    return run_all(e, "rebuild", err);
}

static enum status optimize(struct edit *e, struct err *err)
{
    enum status st = run_all(e, "optimize", err);
    return st == STATUS_OK && !given_has(&e->args, OPT_NO_VACUUM) ? conn_vacuum(e->conn, err) : st;
}

static enum status vacuum(struct edit *e, struct err *err)
{
    return conn_vacuum(e->conn, err);
}

int cmd_enable_fts(int argc, char **argv)
{
    static const struct edit_command command = {
        "enable-fts [OPTIONS] DATABASE TABLE COLUMN...",
        "Makes a search index (TABLE_fts) over columns of a table. vitrine serve and vitrine search use it.",
        enable_options,
        ARRAY_LEN(enable_options),
        2,
        1000,
        false,
        false,
        enable};
    return edit_command(&command, argc, argv);
}

int cmd_disable_fts(int argc, char **argv)
{
    static const struct edit_command command = {"disable-fts [OPTIONS] DATABASE TABLE",
                                                "Drops the search index of a table, and its triggers.",
                                                plain_options,
                                                ARRAY_LEN(plain_options),
                                                1,
                                                1,
                                                false,
                                                false,
                                                disable};
    return edit_command(&command, argc, argv);
}

int cmd_rebuild_fts(int argc, char **argv)
{
    static const struct edit_command command = {"rebuild-fts [OPTIONS] DATABASE [TABLE]...",
                                                "Fills the search indexes of the tables, or all, again.",
                                                plain_options,
                                                ARRAY_LEN(plain_options),
                                                0,
                                                1000,
                                                false,
                                                false,
                                                rebuild};
    return edit_command(&command, argc, argv);
}

int cmd_optimize(int argc, char **argv)
{
    static const struct edit_command command = {
        "optimize [OPTIONS] DATABASE [TABLE]...",
        "Merges the parts of search indexes, then makes the file as small as it can be.",
        optimize_options,
        ARRAY_LEN(optimize_options),
        0,
        1000,
        false,
        true,
        optimize};
    return edit_command(&command, argc, argv);
}

int cmd_vacuum(int argc, char **argv)
{
    static const struct edit_command command = {"vacuum [OPTIONS] DATABASE",
                                                "Makes the file as small as it can be.",
                                                plain_options,
                                                ARRAY_LEN(plain_options),
                                                0,
                                                0,
                                                false,
                                                true,
                                                vacuum};
    return edit_command(&command, argc, argv);
}
