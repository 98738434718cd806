/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_edge — vitrine edge: the proxy in front of apps; and vitrine edge apply, reload, stop. */
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "cli/certs_options.h"
#include "cli/command.h"
#include "cli/edge_serve.h"
#include "http/edge_call.h"

enum {
    OPT_LISTEN,
    OPT_LISTEN_TLS,
    OPT_STATE,
    OPT_CERT,
    OPT_REDIRECT,
    OPT_LOOPS,
    OPT_TRUSTED,
    OPT_PROXIED,
    OPT_ACCESS,
    OPT_BODY,
    OPT_CONNECTIONS,
    OPT_IDLE,
    OPT_HEAD,
    OPT_GRACE,
    OPT_APPS,
    OPT_BODY_TIME,
    OPT_SPOOL,
    OPT_RATE,
    OPT_CONTAINERS,
    OPT_UPGRADE_TIMEOUT,
    OPT_UPGRADE_GRACE,
    OPT_NO_WAIT,
    OPT_LOG_LEVEL,
    OPT_HELP
};
static const struct option options[] = {
    {"--listen", 'l', OPTION_VALUE, "ADDR",
     "Where it listens: :80, 127.0.0.1:8080, unix:/run/edge.sock; may be repeated", OPT_LISTEN},
    {"--listen-tls", 0, OPTION_VALUE, "ADDR", "The same with TLS; needs --cert or --acme", OPT_LISTEN_TLS},
    {"--cert", 0, OPTION_PAIR, "CERT KEY", "Certificate (with its chain) and key, PEM files", OPT_CERT},
    CERTS_OPTIONS,
    {"--redirect-https", 0, OPTION_VALUE, "PORT",
     "Plain requests to hosts with a certificate are sent to https at this port (443)", OPT_REDIRECT},
    {"--state", 0, OPTION_VALUE, "DIR", "Folder of its state; the other commands find it there", OPT_STATE},
    {"--loops", 0, OPTION_VALUE, "N", "Threads that serve connections (default: one per core)", OPT_LOOPS},
    {"--trusted-proxies", 0, OPTION_VALUE, "LIST",
     "Whose X-Forwarded-* is believed: 10.0.0.0/8, unix (default: nobody)", OPT_TRUSTED},
    {"--proxy-protocol", 0, OPTION_VALUE, "LIST",
     "Whose connections begin with the PROXY protocol, version 1 or 2: 10.0.0.5, unix (default: nobody's)",
     OPT_PROXIED},
    {"--access-log", 0, OPTION_VALUE, "FILE", "One JSON line per request; - is standard output (default: none)",
     OPT_ACCESS},
    {"--max-body", 0, OPTION_VALUE, "BYTES", "Largest request body; 0 = any (default)", OPT_BODY},
    {"--max-connections", 0, OPTION_VALUE, "N", "Client connections of each thread (default 100000)", OPT_CONNECTIONS},
    {"--idle-timeout", 0, OPTION_VALUE, "SECONDS", "A client connection without a request is closed (default 75)",
     OPT_IDLE},
    {"--head-timeout", 0, OPTION_VALUE, "SECONDS", "The head of a request must be complete by then (default 15)",
     OPT_HEAD},
    {"--grace", 0, OPTION_VALUE, "SECONDS", "Requests in hand may go on so long after SIGTERM (default 30)", OPT_GRACE},
    {"--spool-max", 0, OPTION_VALUE, "BYTES",
     "Disk for uploads that are kept to be sent again, of all together (default 4 GiB); 0 = none", OPT_SPOOL},
    {"--body-timeout", 0, OPTION_VALUE, "SECONDS", "A request body may pause so long (default 30)", OPT_BODY_TIME},
    {"--min-upload-rate", 0, OPTION_VALUE, "BYTES",
     "A body that makes less a second on average is ended; 0 = any (default 256)", OPT_RATE},
    {"--apps", 0, OPTION_VALUE, "DIR", "Folder of app files: NAME.yaml is the app NAME; watched", OPT_APPS},
    {"--containers", 0, OPTION_VALUE, "ADDR",
     "Container engine whose labels are followed: unix:/var/run/docker.sock, 127.0.0.1:2375, or auto", OPT_CONTAINERS},
    {"--upgrade-timeout", 0, OPTION_VALUE, "SECONDS", "A new process must be ready to take over by then (default 60)",
     OPT_UPGRADE_TIMEOUT},
    {"--upgrade-grace", 0, OPTION_VALUE, "SECONDS",
     "Uploads, downloads and tunnels may go on so long in the old process (default 300)", OPT_UPGRADE_GRACE},
    {"--no-wait", 0, OPTION_FLAG, NULL, "upgrade: do not wait until the old process has ended", OPT_NO_WAIT},
    {"--log-level", 0, OPTION_VALUE, "LEVEL", "debug, info, warn, error (default info)", OPT_LOG_LEVEL},
    {"--help", 0, OPTION_FLAG, NULL, "Show this text", OPT_HELP},
};

struct setup {
    struct arena *a;
    struct edge_config config;
    struct edge_listen_config listens[LIMIT_HTTP_LISTENERS];
    struct tls_config certs[LIMIT_EDGE_HOSTS];
    struct addr engine;
    struct certs_options acme;
    bool tls_wanted, help, no_wait;
    const char *verb; /* path of the control socket that is asked, instead of running */
};

static enum status number(str value, int64_t low, int64_t high, int64_t *ret, struct err *err)
{
    if (str_to_i64(value, ret) && *ret >= low && *ret <= high)
        return STATUS_OK;
    return err_set(err, STATUS_USAGE, "\"%.*s\" is no number from %lld to %lld", STR_ARG(value), (long long)low,
                   (long long)high);
}

static enum status add_listen(struct setup *s, str value, bool tls, struct err *err)
{
    if (s->config.listen_count == LIMIT_HTTP_LISTENERS)
        return err_set(err, STATUS_USAGE, "more than %d addresses to listen on", LIMIT_HTTP_LISTENERS);
    struct edge_listen_config *l = &s->listens[s->config.listen_count];
    enum status st = addr_parse(value, &l->addr, err);
    if (st != STATUS_OK)
        return st;
    l->tls = tls;
    s->tls_wanted = s->tls_wanted || tls;
    s->config.listen_count++;
    return STATUS_OK;
}

/* DOCKER_HOST as its users have it, or the first of the usual sockets that is there. */
static enum status find_engine(struct arena *a, str value, struct addr *ret, struct err *err)
{
    const char *host = getenv("DOCKER_HOST"), *run = getenv("XDG_RUNTIME_DIR");
    const char *usual[] = {"/var/run/docker.sock", "/run/podman/podman.sock",
                           run ? arena_printf(a, "%s/podman/podman.sock", run).p : NULL};
    bool search = str_is(value, "auto");
    if (search && host && *host)
        value = str_of(host);
    for (size_t i = 0; i < ARRAY_LEN(usual) && str_is(value, "auto"); i++)
        if (usual[i] && access(usual[i], F_OK) == 0)
            value = arena_printf(a, "unix:%s", usual[i]);
    if (str_is(value, "auto")) {
        err_set(err, STATUS_NOT_FOUND, "no container engine's socket is found");
        return err_hint(err, "Say where it is: --containers unix:/var/run/docker.sock");
    }
    if (str_starts(value, STR("unix://")))
        value = ARENA_CAT(a, STR("unix:"), str_from(value, 7));
    else if (str_starts(value, STR("tcp://")))
        value = str_from(value, 6);
    enum status st = addr_parse(value, ret, err);
    if (st != STATUS_OK)
        err_prefix(err, search ? "DOCKER_HOST" : "--containers");
    return st;
}

/* Options that are one number: where it goes, and what it is multiplied by there. */
static const struct {
    int id;
    uint32_t low, high, times;
    size_t field; /* a uint32_t of struct edge_config */
} numbers[] = {
    {OPT_LOOPS, 1, LIMIT_EDGE_LOOPS, 1, offsetof(struct edge_config, loops)},
    {OPT_CONNECTIONS, 1, 10000000, 1, offsetof(struct edge_config, limits.connections_max)},
    {OPT_IDLE, 1, 86400, 1000, offsetof(struct edge_config, limits.idle_ms)},
    {OPT_HEAD, 1, 3600, 1000, offsetof(struct edge_config, limits.head_ms)},
    {OPT_BODY_TIME, 1, 3600, 1000, offsetof(struct edge_config, limits.body_ms)},
    {OPT_RATE, 0, 1000000000, 1, offsetof(struct edge_config, limits.body_rate)},
    {OPT_GRACE, 0, 86400, 1000, offsetof(struct edge_config, grace_ms)},
    {OPT_UPGRADE_TIMEOUT, 1, 86400, 1000, offsetof(struct edge_config, upgrade_ready_ms)},
    {OPT_UPGRADE_GRACE, 0, 86400, 1000, offsetof(struct edge_config, upgrade_grace_ms)},
};

static enum status apply(struct setup *s, int id, str value, str second, struct err *err)
{
    struct edge_config *c = &s->config;
    int64_t n = 0;
    enum log_level level;
    enum status st = STATUS_OK;
    if (id >= CERTS_OPTION && id < CERTS_OPTION_END)
        return certs_options_apply(s->a, &s->acme, id, value, second, err);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        if (numbers[i].id != id)
            continue;
        st = number(value, numbers[i].low, numbers[i].high, &n, err);
        *(uint32_t *)(void *)((char *)c + numbers[i].field) = (uint32_t)n * numbers[i].times;
        return st;
    }
    switch (id) {
    case OPT_REDIRECT:
        st = number(value, 1, 65535, &n, err);
        c->https_port = (uint16_t)n;
        return st;
    case OPT_LISTEN:
    case OPT_LISTEN_TLS:
        return add_listen(s, value, id == OPT_LISTEN_TLS, err);
    case OPT_CERT:
        if (c->cert_count == LIMIT_EDGE_HOSTS)
            return err_set(err, STATUS_USAGE, "more than %d certificates", LIMIT_EDGE_HOSTS);
        s->certs[c->cert_count++] = (struct tls_config){.cert_path = value, .key_path = second};
        return STATUS_OK;
    case OPT_STATE:
        c->state = value;
        return STATUS_OK;
    case OPT_TRUSTED:
        return proxy_list_parse(value, &c->trusted, err);
    case OPT_PROXIED:
        return proxy_list_parse(value, &c->proxied, err);
    case OPT_ACCESS:
        c->access_log = value;
        return STATUS_OK;
    case OPT_BODY:
        return number(value, 0, INT64_MAX, &c->limits.body_bytes, err);
    case OPT_SPOOL:
        return number(value, 0, INT64_MAX, &c->spool_bytes, err);
    case OPT_APPS:
        c->apps = value;
        return STATUS_OK;
    case OPT_CONTAINERS:
        c->engine = &s->engine;
        return find_engine(s->a, value, &s->engine, err);
    case OPT_NO_WAIT:
        s->no_wait = true;
        return STATUS_OK;
    case OPT_LOG_LEVEL:
        if (!log_level_parse(value, &level))
            return err_set(err, STATUS_USAGE, "\"%.*s\" is no log level", STR_ARG(value));
        log_setup(level, LOG_TEXT, 2);
        return STATUS_OK;
    case OPT_HELP:
        s->help = true;
        return STATUS_OK;
    default:
        s->verb = str_is(value, "stop")      ? "/stop"
                  : str_is(value, "reload")  ? "/reload"
                  : str_is(value, "upgrade") ? "/upgrade"
                                             : NULL;
        return s->verb ? STATUS_OK : err_set(err, STATUS_USAGE, "\"%.*s\" is nothing edge does", STR_ARG(value));
    }
}

/* The edge answers when the new process serves; the old one may still finish what it has in hand. */
static enum status upgrade(struct setup *s, struct err *err)
{
    struct value v;
    enum status st = edge_call(s->a, s->config.state, "POST", STR("/upgrade"), VALUE_UNDEF, &v, err);
    if (st != STATUS_OK)
        return st;
    int64_t began_ms = clock_mono_ms(), before = VALUE_GET(v, "before").i, now = VALUE_GET(v, "pid").i;
    printf("Process %lld serves\n", (long long)now);
    fflush(stdout);
    if (s->no_wait || before <= 1 || now <= 1)
        return STATUS_OK;
    struct pollfd p[2] = {{.fd = (int)syscall(SYS_pidfd_open, (pid_t)before, 0), .events = POLLIN},
                          {.fd = (int)syscall(SYS_pidfd_open, (pid_t)now, 0), .events = POLLIN}};
    bool told = false;
    while (p[0].fd >= 0 && poll(p, 2, told ? -1 : 1000) == 0) {
        printf("Process %lld finishes what it has in hand\n", (long long)before);
        fflush(stdout);
        told = true;
    }
    if (p[0].fd < 0 || p[0].revents)
        printf("Process %lld has ended after %lld ms\n", (long long)before, (long long)(clock_mono_ms() - began_ms));
    else
        st = err_set(err, STATUS_CONFLICT, "process %lld ended before it had taken over everything", (long long)now);
    for (int i = 0; i < 2; i++)
        if (p[i].fd >= 0)
            close(p[i].fd);
    return st;
}

int cmd_edge(int argc, char **argv)
{
    struct option_reader r = {.options = options, .count = ARRAY_LEN(options), .argc = argc, .argv = argv};
    struct setup s = {.a = arena_new(0)};
    struct err err = ERR_INIT;
    struct value v;
    str value, second;
    enum status st;
    int id, code = 0;
    edge_config_default(&s.config);
    s.config.listens = s.listens;
    s.config.certs = s.certs;
    if (argc > 0 && strcmp(argv[0], "apply") == 0) {
        arena_free(s.a);
        return cmd_edge_apply(argc - 1, argv + 1);
    }
    certs_options_init(&s.acme);
    while ((st = option_next(&r, &id, &value, &second, &err)) == STATUS_AGAIN)
        if ((st = apply(&s, id, value, second, &err)) != STATUS_OK)
            break;
    s.config.state = edge_state_folder(s.a, s.config.state);
    if (s.help) {
        printf(
            "Usage: vitrine edge --listen ADDR [OPTIONS]\n"
            "       vitrine edge apply [--dry-run] FILE\n"
            "       vitrine edge upgrade [--no-wait] [--state DIR]\n"
            "       vitrine edge reload | stop [--state DIR]\n\n"
            "Stands in front of apps: vitrine deploy puts them behind it, one at a time, and vitrine edge apply as a\n"
            "file says. reload (or SIGHUP) reads the certificates again and reopens the access log. upgrade (or "
            "SIGUSR2)\n"
            "replaces the edge by a new process of the program as it is on disk now; no request is "
            "lost.\n\nOptions:\n");
        option_print_help(options, ARRAY_LEN(options));
    } else if (st == STATUS_OK && s.verb && strcmp(s.verb, "/upgrade") == 0) {
        st = upgrade(&s, &err);
    } else if (st == STATUS_OK && s.verb) {
        st = edge_call(s.a, s.config.state, "POST", str_of(s.verb), VALUE_UNDEF, &v, &err);
    } else if (st == STATUS_OK) {
        st = certs_options_edge(&s.acme, &s.config, &err);
        if (st == STATUS_OK && s.tls_wanted && !s.config.cert_count && !s.acme.on) {
            st = err_set(&err, STATUS_USAGE, "edge: --listen-tls needs a certificate");
            err_hint(&err, "Add --cert CERT.pem KEY.pem, or --acme MAIL --acme-agree to get one.");
        }
        if (st == STATUS_OK)
            st = edge_serve(&s.config, &code, &err);
    }
    arena_free(s.a);
    return s.help || st == STATUS_OK ? code : command_fail(&err);
}
