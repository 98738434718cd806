/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_status — what a running edge has: list (a line for each app) and status (with instances, counters and what is
 * wrong). --json gives everything that the control socket knows. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "cli/command.h"
#include "edge/edge.h"
#include "http/edge_call.h"

enum { OPT_STATE, OPT_JSON, OPT_HELP };
static const struct option options[] = {
    {"--json", 0, OPTION_FLAG, NULL, "The same as JSON, with everything", OPT_JSON},
    {"--state", 0, OPTION_VALUE, "DIR", "State folder of the edge", OPT_STATE},
    {"--help", 0, OPTION_FLAG, NULL, "Show this text", OPT_HELP},
};

/* ---- columns as wide as what stands in them ---- */

#define COLUMNS 8
struct table {
    struct arena *a;
    size_t columns;
    VEC(str) cells;
};

static void cell(struct table *t, str text)
{
    VEC_PUSH(t->a, &t->cells, text);
}

static void cell_number(struct table *t, int64_t n)
{
    cell(t, arena_printf(t->a, "%lld", (long long)n));
}

/* In characters, not bytes. */
static int width_of(str s)
{
    int n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

static void print_table(const struct table *t, const char *indent)
{
    int widths[COLUMNS] = {0};
    for (size_t i = 0; i < t->cells.count; i++)
        widths[i % t->columns] = MAX(widths[i % t->columns], width_of(t->cells.items[i]));
    for (size_t i = 0; i < t->cells.count; i++) {
        str s = t->cells.items[i];
        bool last = i % t->columns == t->columns - 1;
        printf("%s%.*s%*s", i % t->columns ? "  " : indent, STR_ARG(s), last ? 0 : widths[i % t->columns] - width_of(s),
               "");
        if (last)
            (void)putchar('\n');
    }
}

/* ---- what is said of an app ---- */

static str text(struct value v, const char *key)
{
    return value_get_text(v, str_of(key));
}

static int64_t number(struct value v, const char *key)
{
    struct value n = value_get(v, str_of(key));
    return n.kind == VALUE_INT ? n.i : 0;
}

static str joined(struct arena *a, struct value list, const char *empty)
{
    str s = str_of(empty);
    for (size_t i = 0; i < value_count(list); i++)
        s = i ? ARENA_CAT(a, s, STR(", "), value_at(list, i).s) : value_at(list, i).s;
    return s;
}

static struct value serving_spec(struct value app)
{
    return VALUE_GET(value_at(VALUE_GET(app, "versions"), 0), "spec");
}

static str where(struct arena *a, struct value app)
{
    struct value spec = serving_spec(app);
    str path = text(spec, "path"), redirect = text(spec, "redirect");
    str s = ARENA_CAT(a, joined(a, VALUE_GET(spec, "host"), "any host"), path.n > 1 ? path : STR(""));
    return redirect.n ? ARENA_CAT(a, s, STR(" -> "), redirect) : s;
}

static str ready(struct arena *a, struct value app)
{
    struct value units = VALUE_GET(app, "instances");
    str rest = text(app, "rest");
    size_t n = 0;
    if (rest.n && !str_is(rest, "awake"))
        return rest;
    for (size_t i = 0; i < value_count(units); i++)
        n += str_is(text(value_at(units, i), "state"), "ready");
    return arena_printf(a, "%zu of %zu", n, value_count(units));
}

static str ago(struct arena *a, int64_t unix_s)
{
    int64_t s = MAX(0, clock_unix_s() - unix_s);
    if (s < 120)
        return arena_printf(a, "%lld s", (long long)s);
    if (s < 7200)
        return arena_printf(a, "%lld min", (long long)(s / 60));
    return s < 172800 ? arena_printf(a, "%lld h", (long long)(s / 3600))
                      : arena_printf(a, "%lld days", (long long)(s / 86400));
}

static void print_list(struct arena *a, struct value apps)
{
    struct table t = {.a = a, .columns = 7};
    static const char *const heads[] = {"APP", "ANSWERS FOR", "VERSION", "SINCE", "READY", "TRAFFIC", "DOING"};
    for (size_t i = 0; i < ARRAY_LEN(heads); i++)
        cell(&t, str_of(heads[i]));
    for (size_t i = 0; i < value_count(apps); i++) {
        struct value app = value_at(apps, i), version = value_at(VALUE_GET(app, "versions"), 0);
        cell(&t, text(app, "name"));
        cell(&t, where(a, app));
        cell_number(&t, number(version, "number"));
        cell(&t, number(version, "since") ? ago(a, number(version, "since")) : STR("-"));
        cell(&t, ready(a, app));
        cell(&t, text(app, "traffic"));
        cell(&t, text(app, "doing"));
    }
    print_table(&t, "");
}

static void print_instances(struct arena *a, struct value units)
{
    struct table t = {.a = a, .columns = 6};
    static const char *const heads[] = {"INSTANCE", "VERSION", "STATE", "ADDRESS", "IN HAND", "HEALTH"};
    for (size_t i = 0; i < ARRAY_LEN(heads); i++)
        cell(&t, str_of(heads[i]));
    for (size_t i = 0; i < value_count(units); i++) {
        struct value u = value_at(units, i);
        cell(&t, text(u, "name"));
        cell_number(&t, number(u, "version"));
        cell(&t, text(u, "state"));
        cell(&t, text(u, "address"));
        cell_number(&t, number(u, "requests_in_hand"));
        cell(&t, text(u, "ended").n ? text(u, "ended") : text(u, "health"));
    }
    if (value_count(units))
        print_table(&t, "  ");
}

/* "  down: exited with 3, for 2 min, 7 times; next try in 5 s" */
static void print_rest(struct arena *a, struct value app)
{
    str rest = text(app, "rest"), problem = text(app, "problem");
    struct value next = VALUE_GET(app, "next_try_seconds");
    if (!problem.n && (!rest.n || str_is(rest, "awake")))
        return;
    printf("  %.*s", STR_ARG(rest));
    if (problem.n)
        printf(": %.*s, for %.*s, %lld times", STR_ARG(problem), STR_ARG(ago(a, number(app, "problem_since"))),
               (long long)number(app, "failures"));
    if (next.kind == VALUE_FLOAT)
        printf("; next try in %.0f s", next.f);
    (void)putchar('\n');
}

static void print_app(struct arena *a, struct value app)
{
    struct value versions = VALUE_GET(app, "versions"), now = value_at(versions, 0);
    str doing = text(app, "doing"), from = text(app, "from"), traffic = text(app, "traffic");
    printf("%.*s  %.*s%s%.*s\n", STR_ARG(text(app, "name")), STR_ARG(where(a, app)), from.n ? "  from " : "",
           STR_ARG(from));
    if (value_count(versions))
        printf("  version %lld for %.*s", (long long)number(now, "number"), STR_ARG(ago(a, number(now, "since"))));
    else
        printf("  no version serves yet");
    for (size_t i = 1; i < value_count(versions); i++)
        printf("%s%lld", i == 1 ? "; kept: " : ", ", (long long)number(value_at(versions, i), "number"));
    printf("%s%.*s%s%.*s\n", str_is(traffic, "running") ? "" : "; ",
           STR_ARG(str_is(traffic, "running") ? STR("") : traffic), doing.n ? "; now: " : "", STR_ARG(doing));
    print_instances(a, VALUE_GET(app, "instances"));
    print_rest(a, app);
    printf("  %lld requests, %lld waiting, %lld server errors, %lld cut, %lld tried again\n\n",
           (long long)number(app, "requests"), (long long)number(app, "waiting"), (long long)number(app, "answers_5xx"),
           (long long)number(app, "answers_cut"), (long long)number(app, "retries"));
}

static void print_problems(struct value sources)
{
    for (size_t i = 0; i < value_count(sources); i++) {
        struct value s = value_at(sources, i), apps = VALUE_GET(s, "apps");
        if (text(s, "problem").n)
            printf("problem: %.*s: %.*s\n", STR_ARG(text(s, "where")), STR_ARG(text(s, "problem")));
        for (size_t k = 0; k < value_count(apps); k++)
            if (text(value_at(apps, k), "problem").n)
                printf("problem: %.*s\n", STR_ARG(text(value_at(apps, k), "problem")));
    }
}

static void print_json(struct value v)
{
    struct buf out;
    buf_init(&out, LIMIT_EDGE_STATE);
    value_to_json_indent(&out, v, VALUE_JSON_UTF8, 2);
    printf("%.*s\n", STR_ARG(buf_str(&out)));
    buf_release(&out);
}

static enum status print_one(struct arena *a, struct value all, str name, bool json, struct err *err)
{
    struct value apps = VALUE_GET(all, "apps");
    for (size_t i = 0; i < value_count(apps); i++) {
        struct value app = value_at(apps, i);
        if (!str_eq(text(app, "name"), name))
            continue;
        if (json)
            print_json(app);
        else
            print_app(a, app);
        return STATUS_OK;
    }
    err_set(err, STATUS_NOT_FOUND, "there is no app \"%.*s\"", STR_ARG(name));
    return err_hint(err, "vitrine list shows those there are.");
}

static void print_all(struct arena *a, struct value all, bool details, bool json)
{
    struct value apps = VALUE_GET(all, "apps");
    if (json) {
        print_json(all);
        return;
    }
    for (size_t i = 0; details && i < value_count(apps); i++)
        print_app(a, value_at(apps, i));
    if (!details && value_count(apps))
        print_list(a, apps);
    if (!value_count(apps))
        printf("No apps yet. Put one behind the edge: vitrine deploy APP --run COMMAND\n");
    if (details)
        printf("edge: process %lld for %.*s, on %.*s; %lld connections\n", (long long)number(all, "pid"),
               STR_ARG(ago(a, number(all, "since"))), STR_ARG(joined(a, VALUE_GET(all, "listen"), "")),
               (long long)number(all, "connections"));
    print_problems(VALUE_GET(all, "sources"));
}

static int help(bool details)
{
    printf("Usage: vitrine %s [OPTIONS]\n\n%s\n\nOptions:\n", details ? "status [APP]" : "list",
           details
               ? "Shows the edge's apps: versions, instances with what their health check last answered, counters,\n"
                 "and what is wrong with app files and container labels."
               : "Lists the edge's apps, a line for each.");
    option_print_help(options, ARRAY_LEN(options));
    return 0;
}

static int show(int argc, char **argv, bool details)
{
    struct option_reader r = {.options = options, .count = ARRAY_LEN(options), .argc = argc, .argv = argv};
    struct arena *a = arena_new(0);
    struct err err = ERR_INIT;
    struct value all;
    str value, second, app = STR(""), state = STR("");
    enum status st;
    bool json = false, wants_help = false;
    int id;
    while ((st = option_next(&r, &id, &value, &second, &err)) == STATUS_AGAIN) {
        json = json || id == OPT_JSON;
        wants_help = wants_help || id == OPT_HELP;
        if (id == OPT_STATE)
            state = value;
        if (id == -1 && (app.n || !details)) {
            st = err_set(&err, STATUS_USAGE, "\"%.*s\" is too much", STR_ARG(value));
            break;
        }
        if (id == -1)
            app = value;
    }
    if (st == STATUS_OK && !wants_help)
        st = edge_call(a, edge_state_folder(a, state), "GET", STR("/status"), VALUE_UNDEF, &all, &err);
    if (st == STATUS_OK && !wants_help && app.n)
        st = print_one(a, all, app, json, &err);
    else if (st == STATUS_OK && !wants_help)
        print_all(a, all, details, json);
    arena_free(a);
    if (wants_help)
        return help(details);
    return st == STATUS_OK ? 0 : command_fail(&err);
}

int cmd_list(int argc, char **argv)
{
    return show(argc, argv, false);
}

int cmd_status(int argc, char **argv)
{
    return show(argc, argv, true);
}
