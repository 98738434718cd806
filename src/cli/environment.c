/* SPDX-License-Identifier: Apache-2.0 */
/* environment — every option with a value, every flag and every setting has a variable: VITRINE_NAME, or DATASETTE_NAME
 * as the deployment guides write it. Options on the command line win over VITRINE_, that over DATASETTE_, that over
 * the plain HOST and PORT of hosting services; settings from here win over files. */
#include <stdlib.h>

#include "cli/command.h"

/* Of one run, not of a place. */
static const char *const only_typed[] = {"--immutable", "--open",  "--help", "--help-settings", "--get", "--headers",
                                         "--token",     "--actor", "--pdb"};

static bool has_variable(const struct option *o)
{
    for (size_t i = 0; i < ARRAY_LEN(only_typed); i++)
        if (strcmp(o->name, only_typed[i]) == 0)
            return false;
    return o->kind == OPTION_FLAG || o->kind == OPTION_VALUE;
}

/* "--template-dir" or "default_page_size" to "VITRINE_TEMPLATE_DIR". */
static char *variable_name(struct arena *a, const char *prefix, const char *name)
{
    str bare = str_of(name);
    while (bare.n && bare.p[0] == '-')
        bare = str_from(bare, 1);
    char *out = arena_cstr(a, ARENA_CAT(a, str_of(prefix), bare));
    for (char *p = out; *p; p++)
        *p = *p == '-' ? '_' : *p >= 'a' && *p <= 'z' ? (char)(*p - 32) : *p;
    return out;
}

const char *environment_find(struct arena *a, const char *name, str *ret)
{
    static const char *const prefixes[] = {"VITRINE_", "DATASETTE_"};
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        const char *variable = variable_name(a, prefixes[i], name), *text = getenv(variable);
        if (!text || !*text)
            continue;
        /* Kubernetes gives every pod DATASETTE_PORT=tcp://10.0.0.1:80 when a service is called "datasette". */
        if (str_starts(str_of(text), STR("tcp://")))
            continue;
        *ret = str_of(text);
        return variable;
    }
    return NULL;
}

static bool is_on(str text, bool *ret)
{
    static const char *const on[] = {"1", "true", "on", "yes"}, *const off[] = {"0", "false", "off", "no"};
    for (size_t i = 0; i < ARRAY_LEN(on); i++) {
        if (str_eq_nocase(text, str_of(on[i])) || str_eq_nocase(text, str_of(off[i]))) {
            *ret = str_eq_nocase(text, str_of(on[i]));
            return true;
        }
    }
    return false;
}

enum status environment_options(struct arena *a, const struct option *options, size_t count,
                                enum status (*apply)(void *arg, int id, str value, struct err *err), void *arg,
                                struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        const struct option *o = &options[i];
        str text;
        const char *variable = has_variable(o) ? environment_find(a, o->name, &text) : NULL;
        if (!variable)
            continue;
        bool on = true;
        if (o->kind == OPTION_FLAG && !is_on(text, &on)) {
            err_set(err, STATUS_USAGE, "%s must be 1 or 0, not \"%.*s\"", variable, STR_ARG(text));
            return err_hint(err, "It stands for the option %s.", o->name);
        }
        enum status st = on ? apply(arg, o->id, text, err) : STATUS_OK;
        if (st != STATUS_OK)
            return err_prefix(err, "%s", variable);
    }
    return STATUS_OK;
}
