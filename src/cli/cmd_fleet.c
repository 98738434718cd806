/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_fleet — vitrine fleet: all spaces of a hub to another version. */
#include <signal.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/limits.h"
#include "cli/command.h"
#include "cli/given.h"
#include "hub/fleet.h"

enum {
    OPT_DIR,
    OPT_PROGRAM,
    OPT_CANARY,
    OPT_WATCH,
    OPT_AT_ONCE,
    OPT_ERRORS,
    OPT_SLOWER,
    OPT_NO_BACKUP,
    OPT_RESUME,
    OPT_JSON,
    OPT_QUIET,
    OPT_HELP
};
static const struct option options[] = {
    {"--dir", 'd', OPTION_VALUE, "DIR", "Folder (default: $VITRINE_HUB, /var/lib/vitrine, ~/.local/share/vitrine)",
     OPT_DIR},
    {"--program", 0, OPTION_VALUE, "FILE", "The new version; a copy of it is kept (default: this program)",
     OPT_PROGRAM},
    {"--canary", 0, OPTION_VALUE, "NAME", "A space that goes first; may be repeated", OPT_CANARY},
    {"--watch", 0, OPTION_VALUE, "SECONDS", "Time after each wave in which it must stay well (default 10)", OPT_WATCH},
    {"--at-once", 0, OPTION_VALUE, "N", "Spaces that change at the same time (default 4)", OPT_AT_ONCE},
    {"--errors", 0, OPTION_VALUE, "PERCENT", "Answers that may be errors, above what was usual (default 1)",
     OPT_ERRORS},
    {"--slower", 0, OPTION_VALUE, "TIMES", "Answers may take so many times as long; 0 = any (default 3)", OPT_SLOWER},
    {"--no-backup", 0, OPTION_FLAG, NULL, "Do not back up each space before", OPT_NO_BACKUP},
    {"--resume", 0, OPTION_FLAG, NULL, "Go on with an upgrade that was interrupted", OPT_RESUME},
    {"--json", 0, OPTION_FLAG, NULL, "Say what was done as JSON", OPT_JSON},
    {"--quiet", 'q', OPTION_FLAG, NULL, "No progress", OPT_QUIET},
    {"--help", 'h', OPTION_FLAG, NULL, "Show this text", OPT_HELP},
};

static struct hub *interrupted; /* the one that stops */

static void on_interrupt(int signo)
{
    (void)signo;
    if (interrupted)
        atomic_store(&interrupted->stopping, true);
}

static void print_line(void *arg, const char *line)
{
    (void)arg;
    (void)fprintf(stderr, "%s\n", line);
}

static enum status number(const struct given *g, int id, int64_t low, int64_t high, int64_t *io, struct err *err)
{
    str text = given_text(g, id);
    if (!text.p || (str_to_i64(text, io) && *io >= low && *io <= high))
        return STATUS_OK;
    return err_set(err, STATUS_USAGE, "\"%.*s\" is no number from %lld to %lld", STR_ARG(text), (long long)low,
                   (long long)high);
}

static enum status upgrade(struct hub *h, struct arena *a, const struct given *g, struct err *err)
{
    struct fleet_report r;
    struct fleet_options o = {.program = given_text(g, OPT_PROGRAM),
                              .canary = value_list(a),
                              .resume = given_has(g, OPT_RESUME),
                              .backup = !given_has(g, OPT_NO_BACKUP),
                              .say = given_has(g, OPT_QUIET) ? NULL : print_line,
                              .watch_ms = 10,
                              .at_once = 4,
                              .errors_percent = 1,
                              .slower = 3};
    int64_t began_ms = clock_mono_ms();
    enum status st = number(g, OPT_WATCH, 0, 86400, &o.watch_ms, err);
    if (st == STATUS_OK)
        st = number(g, OPT_AT_ONCE, 1, LIMIT_HUB_FLEET_THREADS, &o.at_once, err);
    if (st == STATUS_OK)
        st = number(g, OPT_ERRORS, 0, 100, &o.errors_percent, err);
    if (st == STATUS_OK)
        st = number(g, OPT_SLOWER, 0, 1000, &o.slower, err);
    if (st != STATUS_OK)
        return st;
    o.watch_ms *= 1000;
    size_t canaries = 0;
    str *names = given_list(a, g, OPT_CANARY, &canaries);
    for (size_t i = 0; i < canaries; i++)
        value_push(o.canary, value_str(names[i]));
    if (!o.program.n)
        o.program = h->program;
    st = fleet_upgrade(h, a, &o, &r, err);
    if (given_has(g, OPT_JSON)) {
        struct value v = value_dict(a);
        VALUE_SET(v, "ok", value_bool(st == STATUS_OK));
        VALUE_SET(v, "version", value_str(r.version));
        VALUE_SET(v, "spaces", value_int(r.spaces));
        VALUE_SET(v, "changed", value_int(r.done));
        VALUE_SET(v, "taken_back", value_int(r.rolled_back));
        VALUE_SET(v, "pinned", value_int(r.pinned));
        VALUE_SET(v, "milliseconds", value_int(clock_mono_ms() - began_ms));
        VALUE_SET(v, "error", st == STATUS_OK || !err ? VALUE_NULL : value_str(arena_str(a, str_of(err->text))));
        command_print_json(v, VALUE_JSON_UTF8, 0);
    } else if (st == STATUS_OK) {
        printf("%lld of %lld space%s changed to %.*s in %.1f s, %lld pinned\n", (long long)r.done, (long long)r.spaces,
               r.spaces == 1 ? "" : "s", STR_ARG(r.version), (double)(clock_mono_ms() - began_ms) / 1000,
               (long long)r.pinned);
    }
    if (st == STATUS_CONFLICT && r.rolled_back)
        err_hint(err, "%lld spaces are back on the version before; nothing else was changed.",
                 (long long)r.rolled_back);
    return st;
}

static enum status show_status(struct hub *h, struct arena *a, const struct given *g, struct err *err)
{
    struct value v;
    enum status st = fleet_status(h, a, &v, err);
    if (st != STATUS_OK)
        return st;
    if (given_has(g, OPT_JSON)) {
        command_print_json(v, VALUE_JSON_UTF8, 0);
        return st;
    }
    struct value versions = VALUE_GET(v, "versions"), run = VALUE_GET(v, "last_run");
    for (size_t i = 0; i < value_count(versions); i++) {
        struct value one = value_at(versions, i);
        str version = VALUE_GET(one, "version").s;
        int64_t n = VALUE_GET(one, "spaces").i;
        printf("%-16.*s %6lld space%s, %lld pinned\n", STR_ARG(version.n ? version : STR("the hub's own")),
               (long long)n, n == 1 ? "" : "s", (long long)VALUE_GET(one, "pinned").i);
    }
    if (!value_count(versions))
        printf("There are no spaces yet.\n");
    if (run.kind == VALUE_DICT)
        printf("last upgrade: to %.*s, %.*s, %lld spaces changed%s%.*s\n", STR_ARG(VALUE_GET(run, "version").s),
               STR_ARG(VALUE_GET(run, "state").s), (long long)VALUE_GET(run, "changed").i,
               VALUE_GET(run, "why").s.n ? ": " : "", STR_ARG(VALUE_GET(run, "why").s));
    return st;
}

static enum status run(struct arena *a, const struct given *g, struct err *err)
{
    struct hub h;
    str dir = given_text(g, OPT_DIR);
    str verb = g->words.count ? g->words.items[0] : STR(""), name = g->words.count > 1 ? g->words.items[1] : STR("");
    bool pins = str_is(verb, "pin") || str_is(verb, "unpin");
    if (!str_is(verb, "upgrade") && !str_is(verb, "status") && !pins) {
        err_set(err, STATUS_USAGE, "fleet does upgrade, status, pin or unpin");
        return err_hint(err, "vitrine fleet --help");
    }
    if (g->words.count != (pins ? 2 : 1)) {
        err_set(err, STATUS_USAGE, pins ? "fleet %.*s: which space?" : "fleet %.*s: one word too many", STR_ARG(verb));
        return err_hint(err,
                        pins ? "vitrine fleet %.*s NAME; its name is the first part of its address."
                             : "vitrine fleet --help says what goes with %.*s.",
                        STR_ARG(verb));
    }
    enum status st = dir.n ? STATUS_OK : hub_usual_dir(a, &dir, err);
    if (st != STATUS_OK)
        return st;
    st = hub_open(&h, dir, err);
    interrupted = &h;
    if (st == STATUS_OK && pins)
        st = fleet_pin(&h, name, str_is(verb, "pin"), err);
    else if (st == STATUS_OK)
        st = str_is(verb, "status") ? show_status(&h, a, g, err) : upgrade(&h, a, g, err);
    interrupted = NULL;
    hub_close(&h);
    return st;
}

int cmd_fleet(int argc, char **argv)
{
    struct arena *a = arena_new(0);
    struct given g;
    struct err err = ERR_INIT;
    int code = 0;
    const struct sigaction on = {.sa_handler = on_interrupt};
    sigaction(SIGINT, &on, NULL);
    sigaction(SIGTERM, &on, NULL);
    enum status st = given_read(a, options, ARRAY_LEN(options), argc, argv, &g, &err);
    if (st == STATUS_OK && given_has(&g, OPT_HELP)) {
        puts(
            "Usage: vitrine fleet upgrade [OPTIONS] [--dir DIR]\n"
            "       vitrine fleet status [--json] [--dir DIR]\n"
            "       vitrine fleet pin | unpin NAME [--dir DIR]\n\n"
            "Takes all spaces to a new version while they are in use: canaries, 1 %, 10 %, the rest. Each must become\n"
            "healthy, and each wave must stay well, or all go back to the version before. Pinned spaces keep "
            "theirs.\n\n"
            "Options:");
        option_print_help(options, ARRAY_LEN(options));
    } else if (st == STATUS_OK) {
        st = run(a, &g, &err);
    }
    if (st != STATUS_OK)
        code = command_fail(&err);
    arena_free(a);
    return code;
}
