/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_plugins — the plugins of Datasette whose part is built in, as JSON in Datasette's form. */
#include <stdio.h>

#include "base/limits.h"
#include "cli/given.h"
#include "codec/value.h"
#include "site/config.h"

enum { OPT_ALL, OPT_REQUIREMENTS, OPT_FOLDER, OPT_HELP };
static const struct option options[] = {
    {"--all", 0, OPTION_FLAG, NULL, "The same list: nothing is hidden", OPT_ALL},
    {"--requirements", 0, OPTION_FLAG, NULL, "Names only, one a line", OPT_REQUIREMENTS},
    {"--plugins-dir", 0, OPTION_VALUE, "DIR", "Accepted for compatibility: Python plugins cannot run here", OPT_FOLDER},
    {"--help", 'h', OPTION_FLAG, NULL, "Show this text", OPT_HELP},
};

static void print_list(struct arena *a)
{
    struct value list = value_list(a);
    for (size_t i = 0; i < plugin_row_count; i++)
        value_push(list, plugin_entry(a, &plugin_rows[i]));
    command_print_json(list, 0, 4);
}

int cmd_plugins(int argc, char **argv)
{
    struct arena *a = arena_new(LIMIT_REQUEST_ARENA);
    struct given g;
    struct err err = ERR_INIT;
    int code = 0;
    enum status st = given_read(a, options, ARRAY_LEN(options), argc, argv, &g, &err);
    if (st == STATUS_OK && g.words.count)
        st = err_set(&err, STATUS_USAGE, "'%.*s' is one word too many", STR_ARG(g.words.items[0]));
    if (st != STATUS_OK) {
        code = command_fail(&err);
    } else if (given_has(&g, OPT_HELP)) {
        puts("Usage: vitrine plugins\n\nLists the plugins of Datasette whose part is built in. Those that a site has "
             "configured: /-/plugins of that site.\n\nOptions:");
        option_print_help(options, ARRAY_LEN(options));
    } else if (given_has(&g, OPT_REQUIREMENTS)) {
        for (size_t i = 0; i < plugin_row_count; i++)
            puts(plugin_rows[i].name);
    } else {
        print_list(a);
    }
    arena_free(a);
    return code;
}
