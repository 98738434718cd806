/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_deploy — the verbs that change the apps of a running edge: deploy, rollback, pause, resume, stop, remove. Each is
 * one call of its control socket. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/command.h"
#include "edge/edge.h"
#include "http/edge_call.h"

enum {
    OPT_STATE,
    OPT_QUIET,
    OPT_HELP,
    OPT_WRITES,
    OPT_MESSAGE,
    OPT_ASLEEP,
    OPT_FIRST_FIELD = 100 /* + the place in field_options */
};

/* deploy's options are the fields of an app (edge/spec.h); kind says how the text becomes JSON. */
enum field_kind { TEXT, LIST, NUMBER, FLAG, DICT };
static const struct field_option {
    const char *option, *argument, *field, *help;
    enum field_kind kind;
} field_options[] = {
    {"--host", "HOST", "host", "Host name it answers for; may be repeated (default: any)", LIST},
    {"--path", "PATH", "path", "Path it answers for, with all below (default /)", TEXT},
    {"--strip", NULL, "strip", "The app does not see that path", FLAG},
    {"--run", "COMMAND", "run", "Command that starts it, with {port} or {socket}", TEXT},
    {"--to", "ADDR", "to", "Address where it runs already; may be repeated", LIST},
    {"--folder", "DIR", "folder", "Folder in which the command starts (default: this one)", TEXT},
    {"--env", "NAME=VALUE", "env", "Variable of its environment; may be repeated", DICT},
    {"--health", "PATH", "health", "Path that answers 2xx when it is ready (default: any answer to /)", TEXT},
    {"--replicas", "N", "replicas", "Instances that are started (default 1)", NUMBER},
    {"--timeout", "SECONDS", "deploy_seconds", "Time until it must be healthy (default 30)", NUMBER},
    {"--drain", "SECONDS", "drain_seconds", "Time that requests of the old version have (default 30)", NUMBER},
    {"--stop-timeout", "SECONDS", "stop_seconds", "Time between SIGTERM and SIGKILL (default 10)", NUMBER},
    {"--answer-timeout", "SECONDS", "answer_seconds", "Time until an answer must begin (default 60)", NUMBER},
    {"--hold", "SECONDS", "hold_seconds", "Time a request waits for an instance (default 30)", NUMBER},
    {"--hold-max", "N", "hold_max", "Requests that may wait (default 20000)", NUMBER},
    {"--hold-rate", "N", "hold_rate", "Waiting requests let out per second (default: at once)", NUMBER},
    {"--sleep", "SECONDS", "sleep_seconds",
     "Stop it when nothing was asked for so long; the next request starts it (default: never)", NUMBER},
    {"--in-hand", "N", "in_hand_max", "Requests it has in hand at once; more wait (default: any number)", NUMBER},
    {"--rate", "N", "rate", "Requests a second; more get 429 (default: any number)", NUMBER},
    {"--burst", "N", "burst", "Requests at once within that rate (default: as many as --rate)", NUMBER},
    {"--spool", "on|off", "spool", "Keep large uploads on disk, to send them again when an instance ends (default on)",
     TEXT},
    {"--send-proxy", "v1|v2", "send_proxy",
     "Begin connections to it with the PROXY protocol, which names the client; one for each request", TEXT},
    {"--redirect", "ADDRESS", "redirect", "Redirect everything there instead", TEXT},
    {"--redirect-status", "N", "redirect_status", "301, 302, 303, 307 or 308 (default 308)", NUMBER},
};

struct verb {
    const char *name, *usage, *what;
    struct option options[ARRAY_LEN(field_options) + 8];
    size_t count;
};

struct typed {
    struct arena *a;
    str app, state, message;
    bool quiet, help, writes, asleep;
    struct value fields;
};

static void add_option(struct verb *v, struct option option)
{
    ASSERT(v->count < ARRAY_LEN(v->options));
    v->options[v->count++] = option;
}

static void verb_init(struct verb *v, const char *name, const char *usage, const char *what)
{
    *v = (struct verb){.name = name, .usage = usage, .what = what};
    add_option(v, (struct option){"--state", 0, OPTION_VALUE, "DIR", "State folder of the edge", OPT_STATE});
    add_option(v, (struct option){"--help", 0, OPTION_FLAG, NULL, "Show this text", OPT_HELP});
}

static enum status set_field(struct typed *t, const struct field_option *f, str value, struct err *err)
{
    str key = str_of(f->field), name, text;
    struct value old = value_get(t->fields, key);
    double n;
    char *end;
    switch (f->kind) {
    case FLAG:
        value_set(t->fields, key, value_bool(true));
        break;
    case LIST:
        if (old.kind != VALUE_LIST)
            value_set(t->fields, key, old = value_list(t->a));
        value_push(old, value_str(value));
        break;
    case DICT:
        if (!str_cut(value, '=', &name, &text))
            return err_set(err, STATUS_USAGE, "%s: write NAME=VALUE, not \"%.*s\"", f->option, STR_ARG(value));
        if (old.kind != VALUE_DICT)
            value_set(t->fields, key, old = value_dict(t->a));
        value_set(old, name, value_str(text));
        break;
    case NUMBER:
        n = strtod(arena_cstr(t->a, value), &end);
        if (*end || !value.n)
            return err_set(err, STATUS_USAGE, "%s: \"%.*s\" is no number", f->option, STR_ARG(value));
        value_set(t->fields, key, value_float(n));
        break;
    default:
        value_set(t->fields, key, value_str(value));
        break;
    }
    return STATUS_OK;
}

static enum status take(struct typed *t, int id, str value, struct err *err)
{
    if (id >= OPT_FIRST_FIELD)
        return set_field(t, &field_options[id - OPT_FIRST_FIELD], value, err);
    switch (id) {
    case OPT_STATE:
        t->state = value;
        break;
    case OPT_QUIET:
        t->quiet = true;
        break;
    case OPT_HELP:
        t->help = true;
        break;
    case OPT_WRITES:
        t->writes = true;
        break;
    case OPT_ASLEEP:
        t->asleep = true;
        break;
    case OPT_MESSAGE:
        t->message = value;
        break;
    default:
        if (t->app.n)
            return err_set(err, STATUS_USAGE, "one app at a time: \"%.*s\" is too much", STR_ARG(value));
        t->app = value;
    }
    return STATUS_OK;
}

/* True: go on. False: the exit status is in *ret_code. */
static bool read_line(const struct verb *v, int argc, char **argv, struct typed *t, int *ret_code)
{
    struct option_reader r = {.options = v->options, .count = v->count, .argc = argc, .argv = argv};
    struct err err = ERR_INIT;
    str value, second;
    enum status st;
    int id;
    *t = (struct typed){.a = arena_new(0)};
    t->fields = value_dict(t->a);
    while ((st = option_next(&r, &id, &value, &second, &err)) == STATUS_AGAIN)
        if ((st = take(t, id, value, &err)) != STATUS_OK)
            break;
    if (t->help) {
        printf("Usage: vitrine %s %s\n\n%s\n\nOptions:\n", v->name, v->usage, v->what);
        option_print_help(v->options, v->count);
        *ret_code = 0;
        arena_free(t->a);
        return false;
    }
    if (st == STATUS_OK && !t->app.n) {
        st = err_set(&err, STATUS_USAGE, "%s: which app?", v->name);
        err_hint(&err, "vitrine %s %s", v->name, v->usage);
    }
    if (st != STATUS_OK) {
        *ret_code = command_fail(&err);
        arena_free(t->a);
        return false;
    }
    t->state = edge_state_folder(t->a, t->state);
    return true;
}

static int finish(struct typed *t, enum status st, const struct err *err)
{
    arena_free(t->a);
    return st == STATUS_OK ? 0 : command_fail(err);
}

static str path_of(const struct typed *t, const char *what)
{
    return arena_printf(t->a, "/apps/%.*s/%s%s", STR_ARG(t->app), what, t->asleep ? "?asleep=1" : "");
}

static int simple(struct verb *v, int argc, char **argv, struct value (*body)(const struct typed *t))
{
    struct typed t;
    struct err err = ERR_INIT;
    int code = 0;
    add_option(v, (struct option){"--quiet", 'q', OPTION_FLAG, NULL, "Print nothing but errors", OPT_QUIET});
    if (!read_line(v, argc, argv, &t, &code))
        return code;
    enum status st = edge_do(t.a, t.state, path_of(&t, v->name), body ? body(&t) : VALUE_UNDEF, t.quiet, &err);
    return finish(&t, st, &err);
}

static struct value deploy_body(const struct typed *t)
{
    char here[4096];
    if (value_has(t->fields, STR("run")) && !value_has(t->fields, STR("folder")) && getcwd(here, sizeof(here)))
        VALUE_SET(t->fields, "folder", value_str(arena_str(t->a, str_of(here))));
    return t->fields;
}

int cmd_deploy(int argc, char **argv)
{
    struct verb v;
    verb_init(&v, "deploy", "APP (--run COMMAND | --to ADDR | --redirect ADDRESS) [OPTIONS]",
              "Puts an app, or a new version of it, behind the running edge: starts it, waits until it is\n"
              "healthy, switches all new requests to it at once, lets the old version finish what it has in\n"
              "hand, stops it, and returns. When the new version does not become healthy, nothing changes.");
    for (size_t i = 0; i < ARRAY_LEN(field_options); i++) {
        const struct field_option *f = &field_options[i];
        add_option(&v, (struct option){f->option, 0, f->kind == FLAG ? OPTION_FLAG : OPTION_VALUE, f->argument, f->help,
                                       OPT_FIRST_FIELD + (int)i});
    }
    add_option(&v, (struct option){"--asleep", 0, OPTION_FLAG, NULL,
                                   "When it sleeps or is new, only write the version down: the next request starts it",
                                   OPT_ASLEEP});
    return simple(&v, argc, argv, deploy_body);
}

int cmd_rollback(int argc, char **argv)
{
    struct verb v;
    verb_init(&v, "rollback", "APP", "Deploys again what the version before the present one was.");
    return simple(&v, argc, argv, NULL);
}

int cmd_remove(int argc, char **argv)
{
    struct verb v;
    verb_init(&v, "remove", "APP",
              "Takes an app away: its routes at once, its processes when they have nothing in hand.");
    return simple(&v, argc, argv, NULL);
}

static struct value pause_body(const struct typed *t)
{
    VALUE_SET(t->fields, "writes_only", value_bool(t->writes));
    return t->fields;
}

int cmd_pause(int argc, char **argv)
{
    struct verb v;
    verb_init(&v, "pause", "APP [--writes-only]",
              "Holds new requests until resume, and returns when those that had begun are done. Requests wait\n"
              "first in first out, at most as long as the app's --hold says.");
    add_option(&v,
               (struct option){"--writes-only", 0, OPTION_FLAG, NULL, "Let GET, HEAD and OPTIONS through", OPT_WRITES});
    return simple(&v, argc, argv, pause_body);
}

int cmd_resume(int argc, char **argv)
{
    struct verb v;
    verb_init(&v, "resume", "APP", "Lets requests through again after pause or stop.");
    return simple(&v, argc, argv, NULL);
}

static struct value stop_body(const struct typed *t)
{
    VALUE_SET(t->fields, "message", value_str(t->message));
    return t->fields;
}

int cmd_stop(int argc, char **argv)
{
    struct verb v;
    verb_init(&v, "stop", "APP [--message TEXT]", "Answers 503 for an app until resume; its processes go on.");
    add_option(&v, (struct option){"--message", 0, OPTION_VALUE, "TEXT", "What visitors read", OPT_MESSAGE});
    return simple(&v, argc, argv, stop_body);
}
