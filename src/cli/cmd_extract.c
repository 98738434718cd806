/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_extract — `vitrine extract`: columns into a lookup table. */
#include "cli/edit.h"
#include "migrate/extract.h"

enum { OPT_TABLE, OPT_FK_COLUMN, OPT_RENAME };

static const struct option options[] = {
    {"--table", 0, OPTION_VALUE, "NAME", "The lookup table (default: the columns joined with _)", OPT_TABLE},
    {"--fk-column", 0, OPTION_VALUE, "NAME", "The column that refers to it (default: TABLE_id)", OPT_FK_COLUMN},
    {"--rename", 0, OPTION_PAIR, "COLUMN NAME", "What a column is called in the lookup table", OPT_RENAME},
    EDIT_PRINT,
    EDIT_ABOUT,
};

static enum status extract(struct edit *e, struct err *err)
{
    size_t count = e->word_count - 1;
    str *names = ARENA_ARRAY(e->arena, str, count);
    struct extract_options o = {.columns = e->words + 1,
                                .column_count = count,
                                .names = names,
                                .table = given_text(&e->args, OPT_TABLE),
                                .fk_column = given_text(&e->args, OPT_FK_COLUMN)};
    for (size_t i = 0; i < e->args.options.count; i++) {
        const struct given_option *g = &e->args.options.items[i];
        size_t at = 0;
        while (at < count && g->id == OPT_RENAME && !str_eq_nocase(o.columns[at], g->value[0]))
            at++;
        if (g->id == OPT_RENAME && at == count)
            return err_set(err, STATUS_USAGE, "--rename: \"%.*s\" is not extracted", STR_ARG(g->value[0]));
        if (g->id == OPT_RENAME)
            names[at] = g->value[1];
    }
    return extract_columns(e->arena, e->conn, e->words[0], &o, &e->log, err);
}

int cmd_extract(int argc, char **argv)
{
    static const struct edit_command command = {"extract [OPTIONS] DATABASE TABLE COLUMN...",
                                                "Moves columns into a lookup table, each combination of values once, "
                                                "with a number in their place that refers to it.\n"
                                                "Rows where all of them are NULL refer to nothing.",
                                                options,
                                                ARRAY_LEN(options),
                                                2,
                                                100,
                                                false,
                                                false,
                                                extract};
    return edit_command(&command, argc, argv);
}
