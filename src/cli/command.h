/* SPDX-License-Identifier: Apache-2.0 */
/* command: the table of commands and the reader of their options. The same tables make --help. */
#ifndef VITRINE_CLI_COMMAND_H
#define VITRINE_CLI_COMMAND_H

#include "base/arena.h"
#include "base/err.h"
#include "codec/value.h"

struct command {
    const char *name;
    const char *summary;
    /* argv without the program and the command name. Returns the exit code. */
    int (*run)(int argc, char **argv);
};
extern const struct command commands[]; /* ends with a row whose name is NULL */

/* The program: argv with its name. Returns the exit code. */
int command_main(int argc, char **argv);

int cmd_serve(int argc, char **argv);
int cmd_healthcheck(int argc, char **argv);
int cmd_certs(int argc, char **argv);
int cmd_backup(int argc, char **argv);
int cmd_config(int argc, char **argv);
int cmd_inspect(int argc, char **argv);
int cmd_create_token(int argc, char **argv);
int cmd_hash_password(int argc, char **argv);
int cmd_history(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_insert(int argc, char **argv);
int cmd_package(int argc, char **argv);
int cmd_plugins(int argc, char **argv);
int cmd_publish(int argc, char **argv);
int cmd_post(int argc, char **argv);
int cmd_prove(int argc, char **argv);
int cmd_query(int argc, char **argv);
int cmd_rows(int argc, char **argv);
int cmd_tables(int argc, char **argv);
int cmd_add_column(int argc, char **argv);
int cmd_analyze(int argc, char **argv);
int cmd_analyze_tables(int argc, char **argv);
int cmd_create_index(int argc, char **argv);
int cmd_create_table(int argc, char **argv);
int cmd_create_view(int argc, char **argv);
int cmd_disable_fts(int argc, char **argv);
int cmd_drop_index(int argc, char **argv);
int cmd_drop_table(int argc, char **argv);
int cmd_drop_view(int argc, char **argv);
int cmd_duplicate(int argc, char **argv);
int cmd_enable_fts(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_extract(int argc, char **argv);
int cmd_index_foreign_keys(int argc, char **argv);
int cmd_indexes(int argc, char **argv);
int cmd_optimize(int argc, char **argv);
int cmd_rebuild_fts(int argc, char **argv);
int cmd_rename_table(int argc, char **argv);
int cmd_schema(int argc, char **argv);
int cmd_gate(int argc, char **argv);
int cmd_sandbox(int argc, char **argv);
int cmd_search(int argc, char **argv);
int cmd_triggers(int argc, char **argv);
int cmd_vacuum(int argc, char **argv);
int cmd_views(int argc, char **argv);
int cmd_add_foreign_key(int argc, char **argv);
int cmd_add_foreign_keys(int argc, char **argv);
int cmd_transform(int argc, char **argv);
int cmd_generate(int argc, char **argv);
int cmd_undo(int argc, char **argv);
int cmd_upgrade(int argc, char **argv);
int cmd_upsert(int argc, char **argv);
int cmd_hub(int argc, char **argv);
int cmd_fleet(int argc, char **argv);
int cmd_ship(int argc, char **argv);
int cmd_up(int argc, char **argv);
int cmd_edge(int argc, char **argv);
int cmd_edge_apply(int argc, char **argv);
int cmd_deploy(int argc, char **argv);
int cmd_restore(int argc, char **argv);
int cmd_rollback(int argc, char **argv);
int cmd_pause(int argc, char **argv);
int cmd_resume(int argc, char **argv);
int cmd_stop(int argc, char **argv);
int cmd_remove(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_logs(int argc, char **argv);
int cmd_version(int argc, char **argv);

enum option_kind { OPTION_FLAG, OPTION_VALUE, OPTION_PAIR, OPTION_TRIPLE }; /* PAIR takes two arguments */

struct option {
    const char *name; /* "--port" */
    char letter;      /* 'p', or 0 */
    enum option_kind kind;
    const char *argument; /* "PORT", "NAME VALUE" */
    const char *help;
    int id;
};

struct option_reader {
    const struct option *options;
    size_t count;
    int argc;
    char **argv;
    int at;
    bool only_positional; /* after "--" */
};

/* The third argument of the TRIPLE that option_next() gave last. */
str option_third(const struct option_reader *r);
/* Next option or positional argument: *ret_id is the option's id, or -1 for a positional one (its text in *ret_value).
 * AGAIN = one was read, OK = the end, USAGE = unknown option or missing value (with the nearest names). */
enum status option_next(struct option_reader *r, int *ret_id, str *ret_value, str *ret_second,
                        struct err *err) MUST_USE;
void option_print_help(const struct option *options, size_t count);
/* Calls apply for each option that $VITRINE_NAME or $DATASETTE_NAME gives; what only makes sense typed (--help, --get)
 * has none. USAGE names the variable. */
enum status environment_options(struct arena *a, const struct option *options, size_t count,
                                enum status (*apply)(void *arg, int id, str value, struct err *err), void *arg,
                                struct err *err) MUST_USE;
/* The variable that gives `name` ("--port", "default_page_size") and its text; NULL = none. Empty ones count as none.
 */
const char *environment_find(struct arena *a, const char *name, str *ret);
/* Prints "vitrine: text" and the hint on stderr; returns the status's exit code. */
int command_fail(const struct err *err);
/* v and a newline on standard output: flags as value_to_json; indent: spaces a level, 0 = one line. */
void command_print_json(struct value v, unsigned flags, int indent);

#endif
