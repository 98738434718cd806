/* SPDX-License-Identifier: Apache-2.0 */
#include <locale.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/version.h"
#include "cli/command.h"
#include "codec/digest.h"
#include "db/db_version.h"

const struct command commands[] = {
    {"serve", "Publish SQLite databases as a website and a JSON API", cmd_serve},
    {"insert", "Put the rows of a file into a table", cmd_insert},
    {"import", "The same as insert", cmd_insert},
    {"tables", "List the tables of a database", cmd_tables},
    {"rows", "Print the rows of a table", cmd_rows},
    {"query", "Print what an SQL query gives", cmd_query},
    {"search", "Print the rows that a search index finds", cmd_search},
    {"views", "List the views of a database", cmd_views},
    {"indexes", "List indexes", cmd_indexes},
    {"triggers", "List triggers", cmd_triggers},
    {"schema", "Print the SQL that made a database", cmd_schema},
    {"analyze-tables", "Print what is in the columns of tables", cmd_analyze_tables},
    {"upsert", "Put the rows of a file into a table, changing those whose key is there", cmd_upsert},
    {"undo", "Take the last import back", cmd_undo},
    {"export", "Write tables and queries to files", cmd_export},
    {"transform", "Change types, names, order, keys and defaults of a table", cmd_transform},
    {"extract", "Move columns into a lookup table", cmd_extract},
    {"create-table", "Make a table", cmd_create_table},
    {"add-column", "Add a column to a table", cmd_add_column},
    {"rename-table", "Give a table another name", cmd_rename_table},
    {"duplicate", "Copy a table", cmd_duplicate},
    {"drop-table", "Drop a table", cmd_drop_table},
    {"create-view", "Make a view", cmd_create_view},
    {"drop-view", "Drop a view", cmd_drop_view},
    {"create-index", "Make an index", cmd_create_index},
    {"add-index", "The same as create-index", cmd_create_index},
    {"drop-index", "Drop an index", cmd_drop_index},
    {"add-foreign-key", "Let a column refer to another table", cmd_add_foreign_key},
    {"add-foreign-keys", "Let several columns refer to other tables", cmd_add_foreign_keys},
    {"index-foreign-keys", "Make an index for each foreign key", cmd_index_foreign_keys},
    {"enable-fts", "Make a search index for a table", cmd_enable_fts},
    {"disable-fts", "Drop the search index of a table", cmd_disable_fts},
    {"rebuild-fts", "Fill search indexes again", cmd_rebuild_fts},
    {"analyze", "Let SQLite look at tables, so that it plans queries better", cmd_analyze},
    {"optimize", "Make search indexes and the file as small as they can be", cmd_optimize},
    {"vacuum", "Make the file as small as it can be", cmd_vacuum},
    {"replay", "Send recorded requests again and compare the answers", cmd_replay},
    {"history", "Keep, show and undo the changes of a table: history enable|disable|show|revert", cmd_history},
    {"post", "Send the objects of a JSON file to a URL, in batches", cmd_post},
    {"generate", "Make a database to try things out with", cmd_generate},
    {"config", "Check configuration files: config check [FILE|DIR]", cmd_config},
    {"backup", "Copy databases into a folder while they are in use", cmd_backup},
    {"restore", "List backups, check them, make databases of them", cmd_restore},
    {"package", "Build a container image that serves databases", cmd_package},
    {"publish", "Send databases to a host as an image that serves them: fly, cloudrun", cmd_publish},
    {"plugins", "List the plugins of Datasette whose part is built in", cmd_plugins},
    {"inspect", "Print hashes and row counts of databases, for --inspect-file", cmd_inspect},
    {"create-token", "Make a signed API token", cmd_create_token},
    {"healthcheck", "Ask a running server whether it is well (for containers)", cmd_healthcheck},
    {"upgrade", "Replace a running server by a new process, without losing a request", cmd_upgrade},
    {"prove", "Load a server while it changes, and count what it lost", cmd_prove},
    {"hash-password", "Print the hash of a password for the configuration", cmd_hash_password},
    {"hub", "Make and check a data cloud of your own: accounts, spaces", cmd_hub},
    {"fleet", "Take all spaces of a hub to another version, in waves", cmd_fleet},
    {"up", "Start the hub with everything in front of it and behind it", cmd_up},
    {"ship", "Install a hub on another machine over ssh, and start it or take it to this version", cmd_ship},
    {"certs", "The certificates of an edge: list, show, renew", cmd_certs},
    {"edge", "Stand in front of apps: routes, TLS, changes without a failed request", cmd_edge},
    {"deploy", "Put an app, or its new version, behind the edge", cmd_deploy},
    {"rollback", "Deploy the version before the present one again", cmd_rollback},
    {"pause", "Hold an app's requests until resume", cmd_pause},
    {"resume", "Let an app's requests through again", cmd_resume},
    {"stop", "Answer 503 for an app until resume", cmd_stop},
    {"remove", "Take an app away from the edge", cmd_remove},
    {"list", "List the edge's apps", cmd_list},
    {"status", "Show the edge's apps with instances and counters", cmd_status},
    {"logs", "Print the end of what an app wrote", cmd_logs},
    {"gate", "Let sandboxed programs reach the web, and nothing inside of the network", cmd_gate},
    {"sandbox", "Run a program that sees its own folder and nothing else", cmd_sandbox},
    {"version", "Print the versions of Vitrine, SQLite and OpenSSL", cmd_version},
    {NULL, NULL, NULL},
};

static int help(void)
{
    printf("Vitrine %s publishes SQLite databases as websites and JSON APIs.\n\n"
           "Usage: vitrine COMMAND [OPTIONS]\n"
           "       vitrine FILE...            (short for: vitrine serve FILE...)\n\nCommands:\n",
           version_text());
    for (const struct command *c = commands; c->name; c++)
        printf("  %-18s %s\n", c->name, c->summary);
    printf("\nRun vitrine COMMAND --help for the options of a command.\n");
    return 0;
}

int cmd_version(int argc, char **argv)
{
    struct arena *a = arena_new(1u << 20);
    struct db_versions v;
    struct err err = ERR_INIT;
    (void)argc;
    (void)argv;
    enum status st = db_versions(a, NULL, 0, &v, &err);
    if (st == STATUS_OK)
        printf("vitrine %s (%s)\nSQLite %.*s\n%s\n", version_text(), version_commit(), STR_ARG(v.version),
               digest_library_version());
    arena_free(a);
    return st == STATUS_OK ? 0 : command_fail(&err);
}

int command_main(int argc, char **argv)
{
    struct err err = ERR_INIT;
    struct stat st;
    if (db_version_check(&err) != STATUS_OK)
        return command_fail(&err);
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0 || strcmp(argv[1], "-h") == 0)
        return help();
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
        return cmd_version(0, NULL);
    for (const struct command *c = commands; c->name; c++)
        if (strcmp(argv[1], c->name) == 0)
            return c->run(argc - 2, argv + 2);
    if (argv[1][0] == '-' || stat(argv[1], &st) == 0 || strpbrk(argv[1], "./*"))
        return cmd_serve(argc - 1, argv + 1);
    err_set(&err, STATUS_USAGE, "%s is neither a command nor a file", argv[1]);
    err_hint(&err, "Run vitrine --help for the commands.");
    return command_fail(&err);
}

int main(int argc, char **argv)
{
    return command_main(argc, argv);
}
