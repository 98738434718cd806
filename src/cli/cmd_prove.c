/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_prove — `vitrine prove URL`: does a server keep every request while it changes? `vitrine prove app`: the backend
 * that counts. Exit status 0 when the proof is clean, 1 when it is not. docs/prove.md. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/limits.h"
#include "cli/command.h"
#include "prove/app.h"
#include "prove/report.h"
#include "rt/proc.h"
#include "rt/signal.h"

/* ---- the client ---- */

enum {
    OPT_APP,
    OPT_KIND,
    OPT_CHANGE,
    OPT_TIMES,
    OPT_EVERY,
    OPT_BEFORE,
    OPT_AFTER,
    OPT_SECONDS,
    OPT_INTERVAL,
    OPT_STALE,
    OPT_TIMEOUT,
    OPT_DEPTH,
    OPT_SIZE,
    OPT_SLOW_BYTES,
    OPT_SLOW_MS,
    OPT_POST,
    OPT_STATUS,
    OPT_SHA256,
    OPT_UDS,
    OPT_CACERT,
    OPT_INSECURE,
    OPT_SEED,
    OPT_TITLE,
    OPT_JSON,
    OPT_HTML,
    OPT_HELP
};
static const struct option options[] = {
    {"--app", 0, OPTION_FLAG, NULL, "What answers is vitrine prove app: count each id on both sides", OPT_APP},
    {"--kind", 'k', OPTION_VALUE, "KIND[:N]",
     "N connections of a kind: keepalive, new, pipeline, http2; with --app also upload, download, websocket (default "
     "keepalive:100). Again for more",
     OPT_KIND},
    {"--change", 'c', OPTION_VALUE, "COMMAND", "What changes the server, for the shell. Again for more: in turn",
     OPT_CHANGE},
    {"--times", 'n', OPTION_VALUE, "N", "How often each change is made (default 10)", OPT_TIMES},
    {"--every", 0, OPTION_VALUE, "MS", "From one change to the next (default 1000)", OPT_EVERY},
    {"--before", 0, OPTION_VALUE, "MS", "Before the first change (default 2000)", OPT_BEFORE},
    {"--after", 0, OPTION_VALUE, "MS", "After the last one (default 2000)", OPT_AFTER},
    {"--seconds", 0, OPTION_VALUE, "N", "Without a change: how long (default 10)", OPT_SECONDS},
    {"--interval", 0, OPTION_VALUE, "MS", "Between two requests of a connection, 0 = at once (default 100)",
     OPT_INTERVAL},
    {"--stale", 0, OPTION_VALUE, "MS", "Age of what a client knows of its connection when it asks (default 20)",
     OPT_STALE},
    {"--timeout", 0, OPTION_VALUE, "MS", "An answer after this is lost (default 30000)", OPT_TIMEOUT},
    {"--depth", 0, OPTION_VALUE, "N", "Requests at once in a pipeline or over HTTP/2 (default 4)", OPT_DEPTH},
    {"--size", 0, OPTION_VALUE, "BYTES", "Of answers and messages, with --app (default 1000)", OPT_SIZE},
    {"--slow-bytes", 0, OPTION_VALUE, "BYTES", "Of an upload or download (default 1000000)", OPT_SLOW_BYTES},
    {"--slow-ms", 0, OPTION_VALUE, "MS", "How long it takes (default 3000)", OPT_SLOW_MS},
    {"--post", 0, OPTION_FLAG, NULL, "With --app: ask with POST, which nobody may send again", OPT_POST},
    {"--status", 0, OPTION_VALUE, "CODE", "Status that answers must have (default 200)", OPT_STATUS},
    {"--sha256", 0, OPTION_VALUE, "HEX", "What the answer must be (default: as the first one)", OPT_SHA256},
    {"--uds", 0, OPTION_VALUE, "PATH", "Connect to this Unix socket", OPT_UDS},
    {"--cacert", 0, OPTION_VALUE, "FILE", "Certificates to trust (PEM)", OPT_CACERT},
    {"--insecure", 0, OPTION_FLAG, NULL, "Trust any certificate", OPT_INSECURE},
    {"--seed", 0, OPTION_VALUE, "N", "Of the moments of asking (default 1)", OPT_SEED},
    {"--title", 0, OPTION_VALUE, "TEXT", "Over the report", OPT_TITLE},
    {"--json", 0, OPTION_FLAG, NULL, "Report as JSON", OPT_JSON},
    {"--html", 0, OPTION_VALUE, "FILE", "Write a page with a chart too", OPT_HTML},
    {"--help", 0, OPTION_FLAG, NULL, "Show this text", OPT_HELP},
};

struct prove {
    struct arena *arena;
    struct prove_config config;
    VEC(const char *) changes;
    str url, uds, cacert, title, html;
    bool insecure, json, help, any_kind;
    uint32_t seconds;
};

static enum status number(str text, const char *what, int64_t max, uint32_t *ret, struct err *err)
{
    int64_t n;
    if (!str_to_i64(text, &n) || n < 0 || n > max)
        return err_set(err, STATUS_USAGE, "%s must be a number from 0 to %lld, not \"%.*s\"", what, (long long)max,
                       STR_ARG(text));
    *ret = (uint32_t)n;
    return STATUS_OK;
}

static enum status add_kind(struct prove *p, str value, struct err *err)
{
    str name, count;
    uint32_t n = 100;
    if (str_cut(value, ':', &name, &count) &&
        number(count, "the number of connections", LIMIT_PROVE_CONNECTIONS, &n, err) != STATUS_OK)
        return STATUS_USAGE;
    for (int k = 0; k < PROVE_KINDS; k++) {
        if (!str_is(name, prove_kind_names[k]))
            continue;
        p->config.connections[k] = n;
        p->any_kind = true;
        return STATUS_OK;
    }
    err_set(err, STATUS_USAGE, "there is no kind of connection \"%.*s\"", STR_ARG(name));
    return err_hint(err, "keepalive, new, pipeline, http2, upload, download, websocket");
}

/* Options that are a number: where it goes and how large it may be. */
static const struct {
    int id;
    size_t at;
    int64_t max;
} numbers[] = {
    {OPT_TIMES, offsetof(struct prove, config.times), LIMIT_PROVE_CHANGES},
    {OPT_EVERY, offsetof(struct prove, config.every_ms), 86400000},
    {OPT_BEFORE, offsetof(struct prove, config.before_ms), 86400000},
    {OPT_AFTER, offsetof(struct prove, config.after_ms), 86400000},
    {OPT_SECONDS, offsetof(struct prove, seconds), 1000000},
    {OPT_INTERVAL, offsetof(struct prove, config.interval_ms), 86400000},
    {OPT_STALE, offsetof(struct prove, config.stale_ms), 86400000},
    {OPT_TIMEOUT, offsetof(struct prove, config.timeout_ms), 86400000},
    {OPT_DEPTH, offsetof(struct prove, config.depth), LIMIT_PROVE_DEPTH},
    {OPT_SIZE, offsetof(struct prove, config.size_bytes), LIMIT_PROVE_FRAME - 64},
    {OPT_SLOW_MS, offsetof(struct prove, config.slow_ms), 86400000},
    {OPT_STATUS, offsetof(struct prove, config.status), 599},
};

static enum status apply(struct prove *p, const struct option *o, str value, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        if (numbers[i].id == o->id)
            return number(value, o->name, numbers[i].max, (uint32_t *)(void *)((char *)p + numbers[i].at), err);
    int64_t big = 0;
    if ((o->id == OPT_SLOW_BYTES || o->id == OPT_SEED) && (!str_to_i64(value, &big) || big < 0))
        return err_set(err, STATUS_USAGE, "%s must be a number, not \"%.*s\"", o->name, STR_ARG(value));
    switch (o->id) {
    case OPT_KIND:
        return add_kind(p, value, err);
    case OPT_CHANGE:
        VEC_PUSH(p->arena, &p->changes, arena_cstr(p->arena, value));
        break;
    case OPT_SLOW_BYTES:
        p->config.slow_bytes = (uint64_t)big;
        break;
    case OPT_SEED:
        p->config.seed = (uint64_t)big;
        break;
    case OPT_APP:
        p->config.app = true;
        break;
    case OPT_POST:
        p->config.post = true;
        break;
    case OPT_SHA256:
        p->config.sha256 = value;
        break;
    case OPT_UDS:
        p->uds = value;
        break;
    case OPT_CACERT:
        p->cacert = value;
        break;
    case OPT_INSECURE:
        p->insecure = true;
        break;
    case OPT_TITLE:
        p->title = value;
        break;
    case OPT_JSON:
        p->json = true;
        break;
    case OPT_HTML:
        p->html = value;
        break;
    default:
        p->help = true;
        break;
    }
    return STATUS_OK;
}

static enum status read_options(struct prove *p, int argc, char **argv, struct err *err)
{
    struct option_reader r = {.options = options, .count = ARRAY_LEN(options), .argc = argc, .argv = argv};
    str value, second;
    enum status st;
    int id;
    while ((st = option_next(&r, &id, &value, &second, err)) == STATUS_AGAIN) {
        if (id < 0 && p->url.n)
            return err_set(err, STATUS_USAGE, "one URL at a time, not %.*s too", STR_ARG(value));
        if (id < 0)
            p->url = value;
        else if ((st = apply(p, &options[id], value, err)) != STATUS_OK)
            return st;
    }
    if (st == STATUS_OK && !p->url.n && !p->help) {
        err_set(err, STATUS_USAGE, "whom shall I ask? A URL is missing");
        return err_hint(err, "For example: vitrine prove http://127.0.0.1:8001/");
    }
    return st;
}

/* http://host[:port]/path, with what the connection needs. */
static enum status read_url(struct prove *p, struct err *err)
{
    struct prove_target *t = &p->config.target;
    bool secure = str_starts(p->url, STR("https://"));
    if (!secure && !str_starts(p->url, STR("http://")))
        return err_set(err, STATUS_USAGE, "%.*s does not begin with http:// or https://", STR_ARG(p->url));
    str rest = str_from(p->url, secure ? 8 : 7), host, port = {0};
    size_t slash = str_find_char(rest, '/');
    t->host = slash == STR_NPOS ? rest : str_sub(rest, 0, slash);
    t->path = slash == STR_NPOS ? STR("/") : str_from(rest, slash);
    for (size_t i = 0; i < p->url.n; i++)
        if (p->url.p[i] <= ' ' || p->url.p[i] == 0x7f)
            return err_set(err, STATUS_USAGE, "%.*s: no valid URL", STR_ARG(p->url));
    if (p->config.app && !str_ends(t->path, STR("/")))
        t->path = ARENA_CAT(p->arena, t->path, STR("/"));
    size_t colon = str_rfind_char(t->host, ':'), bracket = str_rfind_char(t->host, ']');
    host = t->host;
    if (colon != STR_NPOS && (bracket == STR_NPOS || colon > bracket)) {
        host = str_sub(t->host, 0, colon);
        port = str_from(t->host, colon + 1);
    }
    if (host.n > 2 && host.p[0] == '[')
        host = str_sub(host, 1, host.n - 1);
    int64_t n = secure ? 443 : 80;
    if (!host.n || (port.n && (!str_to_i64(port, &n) || n < 1 || n > 65535)))
        return err_set(err, STATUS_USAGE, "%.*s: no valid host and port", STR_ARG(p->url));
    t->name = arena_cstr(p->arena, host);
    enum status st =
        p->uds.n ? addr_from_unix_path(p->uds, &t->addr, err) : addr_from_host_port(host, (unsigned)n, &t->addr, err);
    return st == STATUS_OK && secure ? tls_client_new(p->cacert, p->insecure, &t->tls, err) : st;
}

static int print_help(void)
{
    printf("Usage: vitrine prove [OPTIONS] URL\n"
           "       vitrine prove app [--help]\n\n"
           "Asks a server again and again while commands change it, and counts what it lost. Nothing is\n"
           "asked twice, every byte of every answer is checked. Without --app each answer must be the\n"
           "same as the first one. Exit status 0: clean.\n\nOptions:\n");
    option_print_help(options, ARRAY_LEN(options));
    return 0;
}

static void show_progress(void *arg, uint64_t answered, uint64_t faults, uint32_t changed, uint32_t changes_all)
{
    (void)arg;
    fprintf(stderr, "\r%llu answered, %llu faults, %u of %u changes ", (unsigned long long)answered,
            (unsigned long long)faults, changed, changes_all);
    fflush(stderr);
}

static void on_interrupt(void *arg, int signo, int sender_pid)
{
    (void)arg;
    (void)sender_pid;
    if (signo == SIGINT || signo == SIGTERM)
        prove_interrupt();
}

static enum status print_report(const struct prove *p, const struct prove_result *r, struct err *err)
{
    const struct report_about about = {arena_cstr(p->arena, p->title.n ? p->title : STR("vitrine prove")),
                                       arena_cstr(p->arena, p->url)};
    struct buf out;
    enum status st = STATUS_OK;
    buf_init(&out, REPORT_MAX);
    if (p->html.n) {
        report_html(r, &about, &out);
        st = fs_write_atomic(arena_cstr(p->arena, p->html), buf_str(&out), 0644, err);
        buf_clear(&out);
    }
    if (p->json)
        report_json(r, &about, &out);
    else
        report_text(r, &about, &out);
    fwrite(out.p, 1, out.n, stdout);
    if (fflush(stdout) != 0 && st == STATUS_OK)
        st = err_sys(err, STATUS_IO, errno, "the report cannot be written");
    buf_release(&out);
    return st;
}

static enum status prove(struct prove *p, bool *ret_clean, struct err *err)
{
    struct signal_source *signals = NULL;
    struct prove_result result;
    bool terminal = isatty(STDERR_FILENO) == 1;
    enum status st = loop_new(&p->config.loop, err);
    if (st == STATUS_OK)
        st = signal_source_new(p->config.loop, on_interrupt, p, &signals, err);
    if (st == STATUS_OK)
        st = read_url(p, err);
    if (terminal)
        p->config.progress = show_progress;
    if (st == STATUS_OK)
        st = prove_run(&p->config, &result, err);
    if (terminal)
        fprintf(stderr, "\r\033[K");
    if (st == STATUS_OK) {
        *ret_clean = result.clean;
        st = print_report(p, &result, err);
        prove_result_release(&result);
    }
    tls_client_free(p->config.target.tls);
    signal_source_free(signals);
    loop_free(p->config.loop);
    return st;
}

/* ---- the backend ---- */

enum { APP_HOST, APP_PORT, APP_SOCKET, APP_LEDGER, APP_DELAY, APP_IDLE, APP_GRACE, APP_HELP };
static const struct option app_options[] = {
    {"--host", 'h', OPTION_VALUE, "HOST", "Listen on this address (default 127.0.0.1)", APP_HOST},
    {"--port", 'p', OPTION_VALUE, "PORT", "Listen on this port (default 0: any)", APP_PORT},
    {"--socket", 0, OPTION_VALUE, "PATH", "Listen on a Unix socket instead", APP_SOCKET},
    {"--ledger", 0, OPTION_VALUE, "FILE", "What was executed, shared by all instances and kept (default: in memory)",
     APP_LEDGER},
    {"--delay", 0, OPTION_VALUE, "MS", "Wait before each answer", APP_DELAY},
    {"--idle", 0, OPTION_VALUE, "MS", "Close a connection that is idle so long (default: never)", APP_IDLE},
    {"--grace", 0, OPTION_VALUE, "MS", "After SIGTERM: finish what is on its way, this long (default 10000)",
     APP_GRACE},
    {"--help", 0, OPTION_FLAG, NULL, "Show this text", APP_HELP},
};

struct backend {
    struct loop *loop;
    struct app *app;
    uint32_t grace_ms;
    bool stopping;
};

static void on_stopped(void *arg)
{
    struct backend *b = arg;
    loop_stop(b->loop);
}

static void on_signal(void *arg, int signo, int sender_pid)
{
    struct backend *b = arg;
    (void)sender_pid;
    if (signo != SIGTERM && signo != SIGINT)
        return;
    app_stop(b->app, b->stopping ? 0 : b->grace_ms);
    b->stopping = true;
}

static enum status serve(struct backend *b, const struct listener_config *listen, struct app_config *config,
                         struct err *err)
{
    struct signal_source *signals = NULL;
    enum status st = loop_new(&b->loop, err);
    if (st == STATUS_OK)
        st = signal_source_new(b->loop, on_signal, b, &signals, err);
    if (st == STATUS_OK)
        st = listener_open(listen, &config->listener, err);
    char text[ADDR_TEXT_MAX] = "";
    if (st == STATUS_OK)
        addr_format(listener_addr(config->listener), text);
    config->loop = b->loop;
    config->stopped = on_stopped;
    config->arg = b;
    if (st == STATUS_OK)
        st = app_new(config, &b->app, err);
    if (st == STATUS_OK) {
        printf("vitrine prove app answers at %s%s (Ctrl+C stops it)\n", addr_is_unix(&listen->addr) ? "" : "http://",
               text);
        fflush(stdout);
        st = loop_run(b->loop, err);
    }
    app_free(b->app);
    signal_source_free(signals);
    loop_free(b->loop);
    return st;
}

static int cmd_app(int argc, char **argv)
{
    struct option_reader r = {.options = app_options, .count = ARRAY_LEN(app_options), .argc = argc, .argv = argv};
    struct backend b = {.grace_ms = 10000};
    struct app_config config = {0};
    struct listener_config listen = {0};
    str host = STR("127.0.0.1"), uds = {0}, value, second;
    uint32_t port = 0;
    struct err err = ERR_INIT;
    enum status st;
    int id;
    while ((st = option_next(&r, &id, &value, &second, &err)) == STATUS_AGAIN) {
        uint32_t *n = id == APP_PORT    ? &port
                      : id == APP_DELAY ? &config.delay_ms
                      : id == APP_IDLE  ? &config.idle_ms
                      : id == APP_GRACE ? &b.grace_ms
                                        : NULL;
        str *text = id == APP_HOST ? &host : id == APP_SOCKET ? &uds : id == APP_LEDGER ? &config.ledger : NULL;
        if (id == APP_HELP) {
            printf(
                "Usage: vitrine prove app [OPTIONS]\n\nThe backend of vitrine prove: counts what it executes, checks "
                "what it receives.\n\nOptions:\n");
            option_print_help(app_options, ARRAY_LEN(app_options));
            return 0;
        }
        if (id < 0)
            st = err_set(&err, STATUS_USAGE, "prove app takes options only, not %.*s", STR_ARG(value));
        else if (n)
            st = number(value, app_options[id].name, n == &port ? 65535 : 86400000, n, &err);
        if (text)
            *text = value;
        if (st != STATUS_OK && st != STATUS_AGAIN)
            return command_fail(&err);
    }
    if (st == STATUS_OK)
        st = uds.n ? addr_from_unix_path(uds, &listen.addr, &err) : addr_from_host_port(host, port, &listen.addr, &err);
    (void)proc_raise_files();
    if (st == STATUS_OK)
        st = serve(&b, &listen, &config, &err);
    return st == STATUS_OK ? 0 : command_fail(&err);
}

int cmd_prove(int argc, char **argv)
{
    if (argc > 0 && strcmp(argv[0], "app") == 0)
        return cmd_app(argc - 1, argv + 1);
    struct err err = ERR_INIT;
    bool clean = false;
    struct prove p = {.arena = arena_new(0), .seconds = 10};
    p.config = (struct prove_config){.status = 200,
                                     .interval_ms = 100,
                                     .stale_ms = 20,
                                     .timeout_ms = 30000,
                                     .depth = 4,
                                     .size_bytes = 1000,
                                     .slow_bytes = 1000000,
                                     .slow_ms = 3000,
                                     .times = 10,
                                     .every_ms = 1000,
                                     .before_ms = 2000,
                                     .after_ms = 2000,
                                     .seed = 1};
    enum status st = read_options(&p, argc, argv, &err);
    if (st == STATUS_OK && p.help) {
        arena_free(p.arena);
        return print_help();
    }
    if (!p.any_kind)
        p.config.connections[PROVE_KEEPALIVE] = 100;
    p.config.changes = p.changes.items;
    p.config.change_count = p.changes.count;
    if (!p.config.interval_ms)
        p.config.stale_ms = 0;
    if (!p.changes.count) {
        p.config.before_ms = p.seconds * 1000;
        p.config.after_ms = 0;
    }
    (void)proc_raise_files();
    if (st == STATUS_OK)
        st = prove(&p, &clean, &err);
    arena_free(p.arena);
    return st != STATUS_OK ? command_fail(&err) : clean ? 0 : 1;
}
