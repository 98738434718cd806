/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_create_token — a signed API token for an actor, with or without restrictions, as Datasette's command makes it. */
#include <stdio.h>

#include "base/log.h"
#include "cli/command.h"
#include "codec/sign.h"
#include "site/actor.h"
#include "site/permit.h"
#include "site/state.h"

enum { OPT_SECRET, OPT_STATE, OPT_EXPIRES, OPT_ALL, OPT_DATABASE, OPT_RESOURCE, OPT_DEBUG, OPT_PLUGINS, OPT_HELP };
static const struct option options[] = {
    {"--secret", 0, OPTION_VALUE, "TEXT", "Secret of the server that shall accept it ($DATASETTE_SECRET)", OPT_SECRET},
    {"--state", 0, OPTION_VALUE, "DIR", "Or: the state folder of that server, which keeps its secret", OPT_STATE},
    {"--expires-after", 'e', OPTION_VALUE, "SECONDS", "Good for so long (default: for ever)", OPT_EXPIRES},
    {"--all", 'a', OPTION_VALUE, "ACTION", "Restrict to this action, everywhere; may be repeated", OPT_ALL},
    {"--database", 'd', OPTION_PAIR, "DB ACTION", "Restrict to this action in one database; may be repeated",
     OPT_DATABASE},
    {"--resource", 'r', OPTION_TRIPLE, "DB TABLE ACTION", "Restrict to this action on one table, view or query",
     OPT_RESOURCE},
    {"--debug", 0, OPTION_FLAG, NULL, "Also print what is inside", OPT_DEBUG},
    {"--plugins-dir", 0, OPTION_VALUE, "DIR", "Accepted for compatibility: Python plugins cannot run here",
     OPT_PLUGINS},
    {"--help", 0, OPTION_FLAG, NULL, "Show this text", OPT_HELP},
};

struct token {
    struct arena *arena;
    str id, secret, state;
    int64_t seconds;
    struct value restrictions; /* DICT a, d, r: action lists by level */
    bool debug;
};

static struct value child(struct arena *a, struct value dict, str key, bool list)
{
    if (!value_has(dict, key))
        value_set(dict, key, list ? value_list(a) : value_dict(a));
    return value_get(dict, key);
}

/* Actions are written by abbreviation; an unknown one is kept as it is, with a warning, as Datasette does. */
static struct value action_word(str name)
{
    enum action action = action_find(name);
    if (action != ACTION_NONE)
        return value_cstr(action_rows[action].abbr);
    log_line(LOG_WARN, "create-token", "there is no action %.*s", STR_ARG(name));
    return value_str(name);
}

static enum status take_argument(struct token *t, str value, struct err *err)
{
    if (t->id.n)
        return err_set(err, STATUS_USAGE, "create-token needs one actor id, not also \"%.*s\"", STR_ARG(value));
    t->id = value;
    return STATUS_OK;
}

static enum status apply(struct token *t, const struct option_reader *r, int id, str value, str second, struct err *err)
{
    struct arena *a = t->arena;
    struct value all = t->restrictions;
    switch (id) {
    case -1:
        return take_argument(t, value, err);
    case OPT_SECRET:
        t->secret = value;
        break;
    case OPT_STATE:
        t->state = value;
        break;
    case OPT_EXPIRES:
        if (!str_to_i64(value, &t->seconds) || t->seconds < 1)
            return err_set(err, STATUS_USAGE, "--expires-after must be a number of seconds, not \"%.*s\"",
                           STR_ARG(value));
        break;
    case OPT_ALL:
        value_push(child(a, all, STR("a"), true), action_word(value));
        break;
    case OPT_DATABASE:
        value_push(child(a, child(a, all, STR("d"), false), value, true), action_word(second));
        break;
    case OPT_RESOURCE:
        value_push(child(a, child(a, child(a, all, STR("r"), false), value, false), second, true),
                   action_word(option_third(r)));
        break;
    case OPT_DEBUG:
        t->debug = true;
        break;
    default:
        break;
    }
    return STATUS_OK;
}

static enum status find_secret(struct token *t, struct err *err)
{
    if (t->secret.n)
        return STATUS_OK;
    if (t->state.n)
        return state_secret(t->arena, ARENA_CAT(t->arena, t->state, STR("/secret")), &t->secret, err);
    err_set(err, STATUS_USAGE, "create-token needs the secret of the server");
    return err_hint(err, "Give --secret, set DATASETTE_SECRET, or name the server's --state folder.");
}

static void print_decoded(const struct token *t, str token)
{
    struct value inside;
    if (sign_loads(t->arena, t->secret, STR("token"), str_from(token, sizeof "dstok_" - 1), &inside, NULL) != STATUS_OK)
        return;
    printf("\nDecoded:\n\n");
    command_print_json(inside, 0, 2);
}

static int print_help(void)
{
    printf("Usage: vitrine create-token [OPTIONS] ACTOR-ID\n\n"
           "Prints a signed API token. Without restrictions it may do what the actor may do; with --all,\n"
           "--database or --resource only those of these actions.\n\nOptions:\n");
    option_print_help(options, ARRAY_LEN(options));
    return 0;
}

int cmd_create_token(int argc, char **argv)
{
    struct option_reader r = {.options = options, .count = ARRAY_LEN(options), .argc = argc, .argv = argv};
    struct token t = {.arena = arena_new(0)};
    struct err err = ERR_INIT;
    str value, second;
    int id, code = -1;
    t.restrictions = value_dict(t.arena);
    enum status st = STATUS_OK;
    (void)environment_find(t.arena, "--secret", &t.secret);
    (void)environment_find(t.arena, "--state", &t.state);
    while (st == STATUS_OK && (st = option_next(&r, &id, &value, &second, &err)) == STATUS_AGAIN) {
        if (id == OPT_HELP) {
            code = print_help();
            break;
        }
        st = apply(&t, &r, id, value, second, &err);
    }
    if (code < 0 && st == STATUS_OK && !t.id.n)
        st = err_set(&err, STATUS_USAGE, "create-token needs the id of an actor");
    if (code < 0 && st == STATUS_OK)
        st = find_secret(&t, &err);
    if (code < 0 && st == STATUS_OK) {
        str token = actor_make_token(t.arena, t.secret, t.id, (str){0}, t.seconds, t.restrictions);
        printf("%.*s\n", STR_ARG(token));
        if (t.debug)
            print_decoded(&t, token);
        code = 0;
    }
    if (code < 0)
        code = command_fail(&err);
    arena_free(t.arena);
    return code;
}
