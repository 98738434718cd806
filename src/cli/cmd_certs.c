/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_certs — the certificates of a running edge: list, show, renew; and obtain and look, which the edge starts. */
#include <signal.h>
#include <stdio.h>

#include "base/log.h"
#include "cli/certs_obtain.h"
#include "edge/cert_store.h"
#include "http/edge_call.h"
#include "rt/signal.h"

enum { OPT_STATE, OPT_JSON, OPT_ALL, OPT_NAME, OPT_CHALLENGE, OPT_ASK_FIRST, OPT_HELP };
static const struct option options[] = {
    {"--json", 0, OPTION_FLAG, NULL, "list, show: as JSON", OPT_JSON},
    {"--all", 0, OPTION_FLAG, NULL, "renew: all of them", OPT_ALL},
    {"--state", 0, OPTION_VALUE, "DIR", "State folder of the edge", OPT_STATE},
    {"--name", 0, OPTION_VALUE, "NAME", "obtain, look: the name", OPT_NAME},
    {"--challenge", 0, OPTION_VALUE, "KIND", "obtain: http-01, tls-alpn-01 or dns-01", OPT_CHALLENGE},
    {"--ask-first", 0, OPTION_FLAG, NULL, "obtain: ask whether the name is one of ours", OPT_ASK_FIRST},
    CERTS_OPTIONS,
    {"--help", 0, OPTION_FLAG, NULL, "Show this text", OPT_HELP},
};

struct certs_command {
    struct arena *a;
    str verb, word, state;
    bool json, all, help;
    VEC(str) names;
    struct certs_options options;
    struct certs_job job;
};

static enum status apply(struct certs_command *c, int id, str value, str second, struct err *err)
{
    if (id >= CERTS_OPTION && id < CERTS_OPTION_END)
        return certs_options_apply(c->a, &c->options, id, value, second, err);
    switch (id) {
    case OPT_STATE:
        c->state = value;
        return STATUS_OK;
    case OPT_JSON:
        c->json = true;
        return STATUS_OK;
    case OPT_ALL:
        c->all = true;
        return STATUS_OK;
    case OPT_NAME:
        VEC_PUSH(c->a, &c->names, value);
        return STATUS_OK;
    case OPT_CHALLENGE:
        return acme_kind_parse(value, &c->job.kind)
                   ? STATUS_OK
                   : err_set(err, STATUS_USAGE, "\"%.*s\" is no kind of challenge", STR_ARG(value));
    case OPT_ASK_FIRST:
        c->job.ask_first = true;
        return STATUS_OK;
    case OPT_HELP:
        c->help = true;
        return STATUS_OK;
    default:
        if (c->verb.n && c->word.n)
            return err_set(err, STATUS_USAGE, "\"%.*s\" is too much", STR_ARG(value));
        *(c->verb.n ? &c->word : &c->verb) = value;
        return STATUS_OK;
    }
}

static str text_of(struct value v, const char *name)
{
    str s = value_get_text(v, str_of(name));
    return s.n ? s : STR("-");
}

static str name_of(struct value v)
{
    struct value names = VALUE_GET(v, "names");
    return value_count(names) ? value_to_str(NULL, value_at(names, 0)) : text_of(v, "name");
}

static enum status list(struct certs_command *c, struct err *err)
{
    struct value v;
    enum status st = edge_call(c->a, c->state, "GET", STR("/certs"), VALUE_UNDEF, &v, err);
    struct value all = VALUE_GET(v, "certificates");
    int width = 4;
    if (st != STATUS_OK)
        return st;
    if (c->json) {
        command_print_json(v, VALUE_JSON_UTF8, 2);
        return STATUS_OK;
    }
    for (size_t i = 0; i < value_count(all); i++)
        width = MAX(width, (int)name_of(value_at(all, i)).n);
    if (value_count(all))
        printf("%-*s  %-14s  %-7s  %-20s  %s\n", width, "NAME", "STATE", "FROM", "EXPIRES", "RENEWED FROM");
    else
        printf("No certificates%s\n", value_truth(VALUE_GET(v, "acme"))
                                          ? ": no app has a --host yet"
                                          : ": the edge was started without --acme and --cert");
    for (size_t i = 0; i < value_count(all); i++) {
        struct value t = value_at(all, i);
        printf("%-*.*s  %-14.*s  %-7.*s  %-20.*s  %.*s\n", width, STR_ARG(name_of(t)), STR_ARG(text_of(t, "state")),
               STR_ARG(text_of(t, "from")), STR_ARG(text_of(t, "expires")), STR_ARG(text_of(t, "renew_at")));
        str error = value_get_text(t, STR("error")), hint = value_get_text(t, STR("hint"));
        if (error.n)
            printf("    %.*s\n", STR_ARG(error));
        if (hint.n)
            printf("    %.*s\n", STR_ARG(hint));
    }
    return STATUS_OK;
}

static enum status show(struct certs_command *c, struct err *err)
{
    static const char *const lines[] = {"name",    "state",    "from",  "issuer", "begins",
                                        "expires", "renew_at", "error", "hint",   "retry_at"};
    struct value v;
    enum status st = edge_call(c->a, c->state, "GET", ARENA_CAT(c->a, STR("/certs/"), c->word), VALUE_UNDEF, &v, err);
    if (st != STATUS_OK)
        return st;
    if (c->json) {
        command_print_json(v, VALUE_JSON_UTF8, 2);
        return STATUS_OK;
    }
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        str text = value_get_text(v, str_of(lines[i]));
        if (text.n)
            printf("%-9s  %.*s\n", lines[i], STR_ARG(text));
    }
    return STATUS_OK;
}

static enum status renew_one(struct certs_command *c, str name, struct err *err)
{
    enum status st =
        edge_do(c->a, c->state, arena_printf(c->a, "/certs/%.*s/renew", STR_ARG(name)), VALUE_UNDEF, false, err);
    if (st == STATUS_OK)
        printf("%.*s has a new certificate\n", STR_ARG(name));
    return st;
}

static enum status renew(struct certs_command *c, struct err *err)
{
    struct value v;
    if (!c->all)
        return renew_one(c, c->word, err);
    enum status st = edge_call(c->a, c->state, "GET", STR("/certs"), VALUE_UNDEF, &v, err), last = STATUS_OK;
    struct value all = VALUE_GET(v, "certificates");
    for (size_t i = 0; i < value_count(all) && st == STATUS_OK; i++) {
        str name = value_get_text(value_at(all, i), STR("name"));
        struct err one = ERR_INIT;
        if (!name.n || renew_one(c, name, &one) == STATUS_OK)
            continue;
        (void)command_fail(&one);
        last = one.status;
    }
    return st != STATUS_OK || last == STATUS_OK ? st : err_set(err, last, "not all of them were renewed");
}

static enum status obtain(struct certs_command *c, struct err *err)
{
    c->job.a = c->a;
    c->job.options = &c->options;
    c->job.state = c->state;
    (void)signal(SIGPIPE, SIG_IGN);
    enum status st = c->options.on ? certs_options_check(&c->options, err)
                                   : err_set(err, STATUS_USAGE, "certs %.*s needs --acme", STR_ARG(c->verb));
    for (size_t i = 0; i < c->names.count && st == STATUS_OK; i++)
        if (!cert_name_ok(c->names.items[i]))
            st = err_set(err, STATUS_USAGE, "\"%.*s\" is no name for a certificate", STR_ARG(c->names.items[i]));
    if (st != STATUS_OK)
        return st;
    if (str_is(c->verb, "look"))
        return certs_look(&c->job, c->names.items, c->names.count, err);
    if (c->names.count != 1)
        return err_set(err, STATUS_USAGE, "certs obtain needs one --name");
    c->job.name = c->names.items[0];
    return certs_obtain(&c->job, err);
}

static const struct verb {
    const char *name;
    enum status (*run)(struct certs_command *c, struct err *err);
    bool named;
} verbs[] = {
    {"list", list, false},     {"show", show, true},    {"renew", renew, true},
    {"obtain", obtain, false}, {"look", obtain, false},
};

static enum status run(struct certs_command *c, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        if (!str_is(c->verb, verbs[i].name))
            continue;
        if (verbs[i].named != (c->word.n > 0) && !(c->all && !c->word.n))
            return err_set(err, STATUS_USAGE, "certs %s %s", verbs[i].name,
                           verbs[i].named ? "needs the name of a certificate" : "takes no name");
        return verbs[i].run(c, err);
    }
    err_set(err, STATUS_USAGE, "certs does not know \"%.*s\"", STR_ARG(c->verb));
    return err_hint(err, "It knows list, show NAME, renew NAME.");
}

int cmd_certs(int argc, char **argv)
{
    struct option_reader r = {.options = options, .count = ARRAY_LEN(options), .argc = argc, .argv = argv};
    struct certs_command c = {.a = arena_new(0)};
    struct err err = ERR_INIT;
    enum status st;
    str value, second;
    int id;
    certs_options_init(&c.options);
    while ((st = option_next(&r, &id, &value, &second, &err)) == STATUS_AGAIN)
        if ((st = apply(&c, id, value, second, &err)) != STATUS_OK)
            break;
    c.state = edge_state_folder(c.a, c.state);
    if (!c.verb.n)
        c.verb = STR("list");
    if (st == STATUS_OK && c.help) {
        printf("Usage: vitrine certs [list] [--json] [--state DIR]\n"
               "       vitrine certs show NAME [--json]\n"
               "       vitrine certs renew NAME | --all\n\n"
               "The certificates of a running edge: those it was given, and those it gets by itself (vitrine edge\n"
               "--acme). obtain and look are what the edge runs for that.\n\nOptions:\n");
        option_print_help(options, ARRAY_LEN(options));
    } else if (st == STATUS_OK) {
        st = run(&c, &err);
    }
    arena_free(c.a);
    return st == STATUS_OK ? 0 : command_fail(&err);
}
