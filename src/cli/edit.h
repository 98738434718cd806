/* SPDX-License-Identifier: Apache-2.0 */
/* edit: the frame of commands that change a database: read the command line, open the file, do it all in one
 * transaction, or none of it. */
#ifndef VITRINE_CLI_EDIT_H
#define VITRINE_CLI_EDIT_H

#include "cli/given.h"
#include "migrate/rebuild.h"

struct edit {
    struct arena *arena;
    struct conn *conn;
    struct given args;
    const str *words; /* those behind the database */
    size_t word_count;
    struct sql_log log;
    const char *note; /* printed on standard error when all went well; NULL = nothing */
};

struct edit_command {
    const char *usage; /* "transform [OPTIONS] DATABASE TABLE" */
    const char *about; /* sentences for --help */
    const struct option *options;
    size_t option_count;
    size_t min_words, max_words; /* behind the database */
    bool creates;                /* the file when there is none */
    bool alone;                  /* no transaction: VACUUM */
    enum status (*run)(struct edit *e, struct err *err);
};

#define EDIT_HELP 1000 /* ids that all tables of options share */
#define EDIT_SQL  1001
#define EDIT_ABOUT                                                                                                     \
    {                                                                                                                  \
        "--help", 'h', OPTION_FLAG, NULL, "Show this text", EDIT_HELP                                                  \
    }
#define EDIT_PRINT                                                                                                     \
    {                                                                                                                  \
        "--sql", 0, OPTION_FLAG, NULL, "Print the SQL, change nothing", EDIT_SQL                                       \
    }

int edit_command(const struct edit_command *command, int argc, char **argv); /* the exit code */
/* Runs one statement, with notes for --sql. */
enum status edit_run(struct edit *e, str sql, struct err *err) MUST_USE;
/* Runs one statement that the user wrote a part of: INVALID when it is more than one. */
enum status edit_run_one(struct edit *e, str sql, struct err *err) MUST_USE;
str edit_quoted(struct edit *e, str name);
/* USAGE "there is no column ...", with the columns there are. */
enum status edit_column(struct edit *e, struct table_def *d, str name, struct def_column **ret,
                        struct err *err) MUST_USE;
/* A default as the user types it: a number, CURRENT_DATE and the like, 'quoted', an expression in brackets, or text. */
str edit_default(struct edit *e, str type, str text);
enum status edit_type(struct edit *e, str text, str *ret, struct err *err) MUST_USE;

#endif
