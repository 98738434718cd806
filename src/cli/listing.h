/* SPDX-License-Identifier: Apache-2.0 */
/* listing: the frame of commands that print rows of a database: read the command line, open the file for reading, ask,
 * print. Nothing is written to the database. */
#ifndef VITRINE_CLI_LISTING_H
#define VITRINE_CLI_LISTING_H

#include "cli/given.h"
#include "cli/rows_out.h"
#include "db/conn.h"

struct listing {
    struct arena *arena;
    struct conn *conn;
    struct given given;
    const str *words; /* those behind the database */
    size_t word_count;
    VEC(str) sql; /* to be filled: statements with the same columns */
    struct {
        VEC(str) names, values;
    } parameters;
};

struct listing_command {
    const char *usage;
    const char *about; /* may be NULL */
    const struct option *options;
    size_t option_count;
    size_t min_words, max_words;
    const char *missing;     /* what the first missing word is */
    enum rows_format format; /* unless an option says otherwise */
    bool own_sql;            /* none of it is the user's: PRAGMA functions may be used */
    enum status (*ask)(struct listing *l, struct err *err);
};

#define LISTING_FORMAT     900 /* + enum rows_format: ids that all tables of options share */
#define LISTING_NO_HEADERS 920
#define LISTING_HELP       921
#define LISTING_FORMATS                                                                                                \
    {"--json", 0, OPTION_FLAG, NULL, "A JSON list of objects", LISTING_FORMAT + ROWS_JSON},                            \
        {"--nl", 0, OPTION_FLAG, NULL, "A JSON object a line", LISTING_FORMAT + ROWS_NL},                              \
        {"--arrays", 0, OPTION_FLAG, NULL, "JSON lists instead of objects", LISTING_FORMAT + ROWS_ARRAYS},             \
        {"--csv", 0, OPTION_FLAG, NULL, "CSV", LISTING_FORMAT + ROWS_CSV},                                             \
        {"--tsv", 0, OPTION_FLAG, NULL, "Tab-separated", LISTING_FORMAT + ROWS_TSV},                                   \
        {"--table", 't', OPTION_FLAG, NULL, "A table to read", LISTING_FORMAT + ROWS_TABLE},                           \
        {"--no-headers", 0, OPTION_FLAG, NULL, "No first line with names (--csv, --tsv)", LISTING_NO_HEADERS},         \
    {                                                                                                                  \
        "--help", 'h', OPTION_FLAG, NULL, "Show this text", LISTING_HELP                                               \
    }

int listing_command(const struct listing_command *command, int argc, char **argv); /* the exit code */
/* The name of a table or view as the database has it. NOT_FOUND. */
enum status listing_table(struct listing *l, str name, str *ret, struct err *err) MUST_USE;

#endif
