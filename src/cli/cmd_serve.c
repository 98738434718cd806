/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_serve — options and environment in, one loop with one HTTP server and one site out.
 *
 * Order: read options -> bind -> site (files, patterns, a configuration directory) -> serve. The address is bound
 * before anything slow, so that a taken port is told at once; the line with the address on stdout is the ready signal.
 * SIGTERM and SIGINT stop gracefully; a second one cuts what is left. SIGHUP renews the site (site/live.h) and reads
 * the certificate anew. Where files may come and go (a directory, a pattern, --reload) the site renews itself. */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/version.h"
#include "cli/command.h"
#include "cli/get.h"
#include "cli/greeter.h"
#include "cli/import_files.h"
#include "cli/upgrade.h"
#include "codec/b64.h"
#include "http/server.h"
#include "rt/notify.h"
#include "rt/proc.h"
#include "rt/signal.h"
#include "rt/takeover.h"
#include "site/live.h"
#include "site/state.h"

enum {
    OPT_IMMUTABLE,
    OPT_HOST,
    OPT_PORT,
    OPT_UDS,
    OPT_CORS,
    OPT_SETTING,
    OPT_CONFIG,
    OPT_METADATA,
    OPT_SECRET,
    OPT_ROOT,
    OPT_DEFAULT_DENY,
    OPT_STATIC,
    OPT_TEMPLATE_DIR,
    OPT_MEMORY,
    OPT_CROSSDB,
    OPT_NOLOCK,
    OPT_CREATE,
    OPT_INSPECT,
    OPT_EXTENSION,
    OPT_RELOAD,
    OPT_OPEN,
    OPT_CERT,
    OPT_KEY,
    OPT_CACHE,
    OPT_NOTE,
    OPT_INTERNAL,
    OPT_STATE,
    OPT_KEEP,
    OPT_PLUGINS,
    OPT_SYNC,
    OPT_SPACE,
    OPT_GET,
    OPT_HEADERS,
    OPT_TOKEN,
    OPT_ACTOR,
    OPT_PDB,
    OPT_SETTINGS_HELP,
    OPT_LOG_LEVEL,
    OPT_LOG_FORMAT,
    OPT_ACCESS_LOG,
    OPT_DRAIN,
    OPT_GRACE,
    OPT_UPGRADE_TIMEOUT,
    OPT_UPGRADE_GRACE,
    OPT_HELP
};
static const struct option options[] = {
    {"--immutable", 'i', OPTION_VALUE, "FILE", "Open a file that nobody writes: faster, may be downloaded",
     OPT_IMMUTABLE},
    {"--host", 'h', OPTION_VALUE, "HOST", "Listen on this address (default $HOST or 127.0.0.1)", OPT_HOST},
    {"--port", 'p', OPTION_VALUE, "PORT", "Listen on this port, 0 for any (default $PORT or 8001)", OPT_PORT},
    {"--uds", 0, OPTION_VALUE, "PATH", "Listen on a Unix socket instead", OPT_UDS},
    {"--cors", 0, OPTION_FLAG, NULL, "Let pages of other sites use the API", OPT_CORS},
    {"--setting", 's', OPTION_PAIR, "NAME VALUE", "Set a setting, or any configuration by its dotted path",
     OPT_SETTING},
    {"--config", 'c', OPTION_VALUE, "FILE", "Configuration file, JSON or YAML", OPT_CONFIG},
    {"--metadata", 'm', OPTION_VALUE, "FILE", "Metadata file, JSON or YAML", OPT_METADATA},
    {"--secret", 0, OPTION_VALUE, "TEXT", "Secret for signed cookies and tokens ($DATASETTE_SECRET)", OPT_SECRET},
    {"--root", 0, OPTION_FLAG, NULL, "Print a link that signs in as root, once", OPT_ROOT},
    {"--default-deny", 0, OPTION_FLAG, NULL, "Deny everything that the configuration does not allow", OPT_DEFAULT_DENY},
    {"--static", 0, OPTION_VALUE, "MOUNT:DIR", "Serve the files of a directory under /MOUNT/", OPT_STATIC},
    {"--template-dir", 0, OPTION_VALUE, "DIR", "Templates that replace built-in ones", OPT_TEMPLATE_DIR},
    {"--memory", 0, OPTION_FLAG, NULL, "Add an empty database in memory at /_memory", OPT_MEMORY},
    {"--crossdb", 0, OPTION_FLAG, NULL, "Let /_memory query across the first ten databases", OPT_CROSSDB},
    {"--nolock", 0, OPTION_FLAG, NULL, "Read files that another program has locked", OPT_NOLOCK},
    {"--create", 0, OPTION_FLAG, NULL, "Make files that do not exist", OPT_CREATE},
    {"--inspect-file", 0, OPTION_VALUE, "FILE", "Hashes and counts worked out before", OPT_INSPECT},
    {"--load-extension", 0, OPTION_VALUE, "PATH[:ENTRY]", "Load an SQLite extension", OPT_EXTENSION},
    {"--reload", 0, OPTION_FLAG, NULL, "Renew the site when configuration changes; no cache headers", OPT_RELOAD},
    {"--open", 'o', OPTION_FLAG, NULL, "Open a browser", OPT_OPEN},
    {"--ssl-certfile", 0, OPTION_VALUE, "FILE", "Certificate (PEM): serve https", OPT_CERT},
    {"--ssl-keyfile", 0, OPTION_VALUE, "FILE", "Its private key (PEM)", OPT_KEY},
    {"--cache", 0, OPTION_VALUE, "MB", "Memory for finished answers, 0 for none (default 64)", OPT_CACHE},
    {"--version-note", 0, OPTION_VALUE, "TEXT", "Shown at /-/versions", OPT_NOTE},
    {"--internal", 0, OPTION_VALUE, "FILE", "File of the internal database: stored queries and other state of our own",
     OPT_INTERNAL},
    {"--state", 0, OPTION_VALUE, "DIR", "Folder for state of our own (default: one a site in ~/.local/state/vitrine)",
     OPT_STATE},
    {"--space", 0, OPTION_VALUE, "DIR", "Serve a space of a hub: DIR/data, as DIR/space.json says", OPT_SPACE},
    {"--sync", 0, OPTION_VALUE, "full|normal", "Writes survive a power cut (full, default) or a crash (normal)",
     OPT_SYNC},
    {"--keep", 0, OPTION_VALUE, "FILE", "Where data files (CSV, ...) are imported to (default: thrown away at the end)",
     OPT_KEEP},
    {"--plugins-dir", 0, OPTION_VALUE, "DIR", "Accepted for compatibility: Python plugins cannot run here",
     OPT_PLUGINS},
    {"--get", 0, OPTION_VALUE, "PATH", "Print the answer to one request, serve nothing; exit 0 when it is 200",
     OPT_GET},
    {"--headers", 0, OPTION_FLAG, NULL, "With --get: print status and header fields too", OPT_HEADERS},
    {"--token", 0, OPTION_VALUE, "TOKEN", "With --get: ask with this API token", OPT_TOKEN},
    {"--actor", 0, OPTION_VALUE, "JSON", "With --get: ask as this actor, for example '{\"id\": \"root\"}'", OPT_ACTOR},
    {"--pdb", 0, OPTION_FLAG, NULL, "Accepted for compatibility: there is no Python debugger here", OPT_PDB},
    {"--help-settings", 0, OPTION_FLAG, NULL, "List the settings", OPT_SETTINGS_HELP},
    {"--log-level", 0, OPTION_VALUE, "LEVEL", "debug, info, warn, error or off (default info)", OPT_LOG_LEVEL},
    {"--log-format", 0, OPTION_VALUE, "FORMAT", "text or json (default text)", OPT_LOG_FORMAT},
    {"--access-log", 0, OPTION_FLAG, NULL, "Log every request", OPT_ACCESS_LOG},
    {"--drain", 0, OPTION_VALUE, "SECONDS", "After SIGTERM: go on, but not ready, this long (default 0)", OPT_DRAIN},
    {"--grace", 0, OPTION_VALUE, "SECONDS", "Then finish what is on its way, this long (default 10)", OPT_GRACE},
    {"--upgrade-timeout", 0, OPTION_VALUE, "SECONDS",
     "After SIGUSR2: the new process must be ready by then (default 60)", OPT_UPGRADE_TIMEOUT},
    {"--upgrade-grace", 0, OPTION_VALUE, "SECONDS", "Then the old one finishes what it began, this long (default 300)",
     OPT_UPGRADE_GRACE},
    {"--help", 0, OPTION_FLAG, NULL, "Show this text", OPT_HELP},
};

#define STORED_SOCKET "vitrine" /* its name with the service manager */

struct serve {
    struct arena *arena;
    struct site_options site;
    VEC(str) files;
    VEC(bool) immutable;
    VEC(struct value_entry) settings;
    VEC(str) statics;
    VEC(str) extensions;
    str host, uds, cert, key, keep, space;
    struct import_folder imported;
    int64_t port, drain_s, grace_s, upgrade_timeout_s, upgrade_grace_s;
    bool open_browser, access_log, note_plugins, note_pdb;
    struct get get; /* path empty = serve */
    enum log_level log_level;
    enum log_format log_format;

    struct loop *loop;
    struct http_server *server;
    struct sources sources;
    struct live *live;
    struct signal_source *signals;
    struct loop_timer drain, watchdog;
    int64_t watchdog_us;
    bool stopping, stopped;

    struct upgrade *upgrade;
    struct arrival *arrival; /* we take over from another process; NULL = we do not */
    struct takeover_socket sockets[LIMIT_FDPASS_FDS];
    size_t socket_count; /* of them, not yet used */
    struct upgrade_state inherited;
    char ticket_keys[(TLS_TICKET_KEYS + 2) / 3 * 4]; /* base64; only with --ssl-certfile */
    bool activated;                                  /* a socket unit of the service manager listens */
    bool failed;                                     /* nothing can go on here */
    bool imports_are_ours;                           /* not the predecessor's any more */
};

/* ---- options --------------------------------------------------------------------------------------------------- */

static int print_help(void)
{
    printf("Usage: vitrine serve [OPTIONS] FILE...\n\n"
           "Publishes SQLite databases. Data files (CSV, TSV and so on, also .gz, .zst and .zip) are\n"
           "imported first, and their tables served. A directory given alone is a configuration directory: its\n"
           "databases, datasette.yaml, metadata.yaml, templates/ and static/ are used.\n\nOptions:\n");
    option_print_help(options, ARRAY_LEN(options));
    return 0;
}

static int print_settings(void)
{
    printf("Settings (--setting NAME VALUE):\n\n");
    for (size_t i = 0; i < setting_row_count; i++)
        printf("  %-28s %s (default %s)\n", setting_rows[i].name, setting_rows[i].help, setting_rows[i].default_text);
    return 0;
}

static enum status number(str text, const char *what, int64_t min, int64_t max, int64_t *ret, struct err *err)
{
    int64_t n;
    if (!str_to_i64(text, &n) || n < min || n > max)
        return err_set(err, STATUS_USAGE, "%s must be a number from %lld to %lld, not \"%.*s\"", what, (long long)min,
                       (long long)max, STR_ARG(text));
    *ret = n;
    return STATUS_OK;
}

static void add_file(struct serve *s, str path, bool immutable)
{
    VEC_PUSH(s->arena, &s->files, path);
    VEC_PUSH(s->arena, &s->immutable, immutable);
}

/* Where the plain ones go: offsets in struct serve; 0 = see apply(). */
#define AT(member) offsetof(struct serve, member)
static const size_t text_at[OPT_HELP + 1] = {
    [OPT_HOST] = AT(host),
    [OPT_UDS] = AT(uds),
    [OPT_CONFIG] = AT(site.config.config_path),
    [OPT_METADATA] = AT(site.config.metadata_path),
    [OPT_SECRET] = AT(site.secret),
    [OPT_TEMPLATE_DIR] = AT(site.template_dir),
    [OPT_INSPECT] = AT(site.inspect_file),
    [OPT_CERT] = AT(cert),
    [OPT_KEY] = AT(key),
    [OPT_NOTE] = AT(site.version_note),
    [OPT_KEEP] = AT(keep),
    [OPT_GET] = AT(get.path),
    [OPT_TOKEN] = AT(get.token),
    [OPT_ACTOR] = AT(get.actor),
    [OPT_INTERNAL] = AT(site.state.internal),
    [OPT_STATE] = AT(site.state.folder),
    [OPT_SPACE] = AT(space),
};
static const size_t flag_at[OPT_HELP + 1] = {
    [OPT_CORS] = AT(site.cors),        [OPT_ROOT] = AT(site.root),       [OPT_DEFAULT_DENY] = AT(site.default_deny),
    [OPT_MEMORY] = AT(site.memory),    [OPT_CROSSDB] = AT(site.crossdb), [OPT_NOLOCK] = AT(site.nolock),
    [OPT_CREATE] = AT(site.create),    [OPT_RELOAD] = AT(site.reload),   [OPT_OPEN] = AT(open_browser),
    [OPT_ACCESS_LOG] = AT(access_log), [OPT_PLUGINS] = AT(note_plugins), [OPT_HEADERS] = AT(get.headers),
    [OPT_PDB] = AT(note_pdb),
};
#undef AT

static enum status apply(struct serve *s, int id, str value, str second, struct err *err)
{
    struct site_options *o = &s->site;
    int64_t mb;
    if (id >= 0 && text_at[id])
        *(str *)(void *)((char *)s + text_at[id]) = value;
    if (id >= 0 && flag_at[id])
        *(bool *)((char *)s + flag_at[id]) = true;
    switch (id) {
    case -1:
        add_file(s, value, false);
        break;
    case OPT_IMMUTABLE:
        add_file(s, value, true);
        break;
    case OPT_PORT:
        return number(value, "--port", 0, 65535, &s->port, err);
    case OPT_SETTING:
        VEC_PUSH(s->arena, &s->settings, (struct value_entry){.key = value, .value = value_str(second)});
        break;
    case OPT_STATIC:
        VEC_PUSH(s->arena, &s->statics, value);
        break;
    case OPT_EXTENSION:
        VEC_PUSH(s->arena, &s->extensions, value);
        break;
    case OPT_CACHE:
        mb = 0;
        if (number(value, "--cache", 0, 1 << 20, &mb, err) != STATUS_OK)
            return STATUS_USAGE;
        o->cache_bytes = (size_t)mb << 20;
        break;
    case OPT_LOG_LEVEL:
        if (!log_level_parse(value, &s->log_level))
            return err_set(err, STATUS_USAGE, "--log-level must be debug, info, warn, error or off");
        break;
    case OPT_LOG_FORMAT:
        if (!str_is(value, "json") && !str_is(value, "text"))
            return err_set(err, STATUS_USAGE, "--log-format must be text or json");
        s->log_format = str_is(value, "json") ? LOG_JSON : LOG_TEXT;
        break;
    case OPT_DRAIN:
        return number(value, "--drain", 0, 3600, &s->drain_s, err);
    case OPT_GRACE:
        return number(value, "--grace", 0, 3600, &s->grace_s, err);
    case OPT_UPGRADE_TIMEOUT:
        return number(value, "--upgrade-timeout", 1, 86400, &s->upgrade_timeout_s, err);
    case OPT_UPGRADE_GRACE:
        return number(value, "--upgrade-grace", 0, 86400, &s->upgrade_grace_s, err);
    case OPT_SYNC:
        if (!str_is(value, "full") && !str_is(value, "normal"))
            return err_set(err, STATUS_USAGE, "--sync must be full or normal");
        o->sync_normal = str_is(value, "normal");
        break;
    default:
        break;
    }
    return STATUS_OK;
}

static enum status apply_variable(void *arg, int id, str value, struct err *err)
{
    return apply(arg, id, value, (str){0}, err);
}

/* Options win because they come later. */
static enum status from_environment(struct serve *s, struct err *err)
{
    const char *host = getenv("HOST"), *port = getenv("PORT"), *extension = getenv("SQLITE_EXTENSIONS");
    const char *metrics = getenv("VITRINE_METRICS_TOKEN");
    enum status st = STATUS_OK;
    str text;
    if (host && *host)
        s->host = str_of(host);
    if (metrics)
        s->site.metrics_token = str_of(metrics);
    if (port && *port)
        st = number(str_of(port), "PORT", 0, 65535, &s->port, err);
    if (st == STATUS_OK)
        st = environment_options(s->arena, options, ARRAY_LEN(options), apply_variable, s, err);
    if (extension && *extension && !s->extensions.count) /* Datasette's name before 1.0 */
        VEC_PUSH(s->arena, &s->extensions, str_of(extension));
    for (size_t i = 0; i < setting_row_count; i++)
        if (environment_find(s->arena, setting_rows[i].name, &text))
            VEC_PUSH(s->arena, &s->settings,
                     (struct value_entry){.key = str_of(setting_rows[i].name), .value = value_str(text)});
    return st;
}

/* ---- running --------------------------------------------------------------------------------------------------- */

static void on_stopped(void *arg)
{
    struct serve *s = arg;
    s->stopped = true;
    loop_stop(s->loop);
}

static void end_drain(void *arg)
{
    struct serve *s = arg;
    http_server_stop(s->server, (uint32_t)s->grace_s * 1000, on_stopped, s);
}

/* The first signal: not ready any more; requests are taken for `drain`, then those on their way are finished. The
 * second one cuts what is left. */
static void stop(struct serve *s)
{
    bool again = s->stopping;
    s->stopping = true;
    upgrade_cancel(s->upgrade);
    atomic_store(&live_site(s->live)->shared->draining, true);
    notify_send("STOPPING=1");
    if (again)
        http_server_stop(s->server, 0, on_stopped, s);
    else if (s->drain_s)
        loop_timer_after_ms(s->loop, &s->drain, s->drain_s * 1000);
    else
        end_drain(s);
}

/* ticket_keys: empty = new ones. */
static enum status read_tls(const struct serve *s, str ticket_keys, struct tls_server **ret, struct err *err)
{
    static const char *const alpn[] = {"http/1.1", NULL};
    const struct tls_config c = {
        .cert_path = s->cert, .key_path = s->key.n ? s->key : s->cert, .ticket_keys = ticket_keys, .alpn = alpn};
    return tls_server_new(&c, ret, err);
}

/* For a successor; in place, so that it has those of now. */
static void keep_ticket_keys(struct serve *s, const struct tls_server *tls)
{
    char keys[TLS_TICKET_KEYS];
    struct buf text;
    buf_init(&text, sizeof s->ticket_keys);
    tls_server_ticket_keys(tls, keys);
    b64_encode(&text, str_make(keys, sizeof keys));
    ASSERT(text.n == sizeof s->ticket_keys);
    memcpy(s->ticket_keys, text.p, text.n);
    buf_release(&text);
}

/* The certificate is read anew; a bad one leaves the old in place. */
static void renew_certificate(struct serve *s)
{
    struct err err = ERR_INIT;
    struct tls_server *tls = NULL;
    if (!s->cert.n)
        return;
    if (read_tls(s, (str){0}, &tls, &err) == STATUS_OK) {
        http_server_set_tls(s->server, 0, tls);
        keep_ticket_keys(s, tls);
    } else {
        log_line(LOG_ERROR, "serve", "the old certificate stays: %s", err.text);
    }
    tls_server_unref(tls);
}

static void on_signal(void *arg, int signo, int sender_pid)
{
    struct serve *s = arg;
    (void)sender_pid;
    if (signo == SIGTERM || signo == SIGINT)
        stop(s);
    if (signo == SIGUSR2 && !s->stopping && s->upgrade) {
        if (takeover_alone(s->arrival))
            upgrade_begin(s->upgrade);
        else
            log_line(LOG_WARN, "upgrade", "the predecessor is not gone yet: try again in a moment");
    }
    if (signo == SIGHUP && !s->stopping) {
        notify_reloading();
        live_renew(s->live);
        renew_certificate(s);
    }
}

static void open_browser(const char *url)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (fork() == 0) {
            execlp("xdg-open", "xdg-open", url, (char *)NULL);
            _exit(127);
        }
        _exit(0);
    }
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}

static void announce(struct serve *s)
{
    char text[ADDR_TEXT_MAX];
    const struct addr *addr = http_server_addr(s->server, 0);
    const struct site *site = live_site(s->live);
    str base = site->config.settings.base_url, url, token = site->shared->root_token;
    addr_format(addr, text);
    if (addr_is_unix(addr))
        url = str_of(text);
    else
        url = ARENA_CAT(s->arena, s->cert.n ? STR("https://") : STR("http://"), str_of(text),
                        base.n > 1 ? base : STR(""));
    printf("Vitrine %s serves %zu database%s at %.*s (Ctrl+C stops it)\n", version_text(), site->published_count,
           site->published_count == 1 ? "" : "s", STR_ARG(url));
    if (token.n)
        printf("Sign in as root, once: %.*s/-/auth-token?token=%.*s\n", STR_ARG(url), STR_ARG(token));
    fflush(stdout);
    if (s->open_browser && !addr_is_unix(addr))
        open_browser(arena_cstr(s->arena, url));
}

/* The one that an earlier run of ours left with the service manager, when it is where we want to listen: clients that
 * came meanwhile wait in its queue. NULL: there is none, or it is elsewhere. */
static struct listener *listen_again(struct serve *s, const struct addr *wanted, int fd)
{
    struct listener *l = NULL;
    struct addr a = *wanted;
    if (listener_adopt(fd, &l, NULL) != STATUS_OK) {
        close(fd);
        return NULL;
    }
    if (!addr_port(&a))
        addr_set_port(&a, addr_port(listener_addr(l)));
    if (s->uds.n ? addr_is_unix(listener_addr(l)) && listener_own_path(l, s->uds) : addr_eq(listener_addr(l), &a))
        return l;
    listener_free(l);
    notify_forget(STORED_SOCKET);
    return NULL;
}

/* What the service manager holds for us: the port of a socket unit, or the socket of an earlier run. */
static struct listener *listen_inherited(struct serve *s, const struct addr *wanted, struct err *err)
{
    struct listener *l = NULL;
    int count = s->get.path.n ? 0 : notify_listen_fds();
    for (int i = 0; i < count; i++) {
        bool stored = strcmp(notify_listen_name(i), STORED_SOCKET) == 0;
        if (l)
            close(3 + i);
        else if (stored)
            l = listen_again(s, wanted, 3 + i);
        else if (listener_adopt(3 + i, &l, err) == STATUS_OK)
            s->uds = (str){0}, s->activated = true;
    }
    return l;
}

static enum status listen_on(struct serve *s, struct listener **ret, struct err *err)
{
    struct listener_config c = {.unix_mode = 0666};
    if (s->socket_count) { /* the predecessor's */
        enum status adopted = listener_adopt(s->sockets[0].fd, ret, err);
        if (adopted == STATUS_OK) {
            str label = s->sockets[0].label;
            s->socket_count = 0;
            if (str_starts(label, STR("unix:")))
                (void)listener_own_path(*ret, str_from(label, 5));
        }
        return adopted;
    }
    enum status st = s->uds.n ? addr_from_unix_path(s->uds, &c.addr, err)
                              : addr_from_host_port(s->host, (unsigned)s->port, &c.addr, err);
    if (st != STATUS_OK)
        return st;
    *ret = listen_inherited(s, &c.addr, err);
    if (!*ret)
        st = listener_open(&c, ret, err);
    if (st == STATUS_OK && !s->get.path.n && !s->activated)
        (void)notify_store(listener_fd(*ret), STORED_SOCKET);
    return st;
}

static void on_renewed(void *arg, bool renewed)
{
    (void)arg;
    notify_send(renewed ? "READY=1\nSTATUS=" : "READY=1\nSTATUS=A change of the configuration was refused");
}

static enum status start_site(struct serve *s, struct err *err)
{
    s->sources = (struct sources){s->files.items, s->immutable.items, s->files.count, &s->site};
    const struct live_config c = {
        .loop = s->loop,
        .sources = &s->sources,
        .done = on_renewed,
        .access_log = s->access_log,
        .watch = s->site.reload || sources_may_change(&s->sources, s->arena),
    };
    return live_new(&c, &s->live, err);
}

/* Says that the loop turns; systemd starts us again when it does not hear it. */
static void on_watchdog(void *arg)
{
    struct serve *s = arg;
    notify_send("WATCHDOG=1");
    loop_timer_at(s->loop, &s->watchdog, loop_now_us(s->loop) + s->watchdog_us);
}

/* The predecessor's, so that its clients come back by a short handshake. */
static str inherited_ticket_keys(struct serve *s)
{
    str keys = {0};
    if (!s->inherited.ticket_keys.n || !b64_decode(s->arena, s->inherited.ticket_keys, &keys))
        return (str){0};
    return keys;
}

static enum status start(struct serve *s, struct err *err)
{
    struct listener *listener = NULL;
    struct tls_server *tls = NULL;
    enum status st = loop_new(&s->loop, err);
    loop_timer_init(&s->drain, end_drain, s);
    loop_timer_init(&s->watchdog, on_watchdog, s);
    if (st == STATUS_OK && s->cert.n)
        st = read_tls(s, inherited_ticket_keys(s), &tls, err);
    if (tls)
        keep_ticket_keys(s, tls);
    if (st == STATUS_OK)
        st = listen_on(s, &listener, err);
    /* A predecessor still answers; for --get nobody else asks. */
    bool greets = st == STATUS_OK && !tls && !s->arrival && !s->get.path.n;
    struct greeter *greeter = greets ? greeter_new(listener_fd(listener)) : NULL;
    if (st == STATUS_OK)
        st = start_site(s, err); /* Ctrl+C still ends the process: hashing may take long */
    greeter_free(greeter);
    if (st == STATUS_OK)
        st = signal_source_new(s->loop, on_signal, s, &s->signals, err);
    if (st != STATUS_OK) {
        listener_free(listener);
        tls_server_unref(tls);
        return st;
    }
    const struct http_listen listens[] = {{listener, tls}};
    struct http_server_config c = {.loop = s->loop,
                                   .pool = live_site(s->live)->pool,
                                   .stream_lane = LANE_SQL,
                                   .sink_lane = LANE_UPLOAD,
                                   .listens = listens,
                                   .listen_count = 1,
                                   .app = s->live,
                                   .handler = live_handle,
                                   .body_limit = live_body_limit,
                                   .body_sink = live_body_sink,
                                   .access = live_access};
    http_limits_default(&c.limits);
    st = http_server_new(&c, &s->server, err);
    tls_server_unref(tls);
    return st;
}

static void finish(struct serve *s)
{
    if (s->server && !s->stopped) { /* a failure after the server was made */
        s->stopping = true;
        http_server_stop(s->server, 0, on_stopped, s);
        while (!s->stopped && loop_run_once(s->loop, -1, NULL) == STATUS_OK)
            continue;
    }
    if (s->live)
        site_stop(live_site(s->live));
    http_server_free(s->server);
    signal_source_free(s->signals);
    if (s->loop)
        loop_timer_cancel(s->loop, &s->drain);
    if (s->loop)
        loop_timer_cancel(s->loop, &s->watchdog);
    live_free(s->live);
    bool handed = upgrade_handed(s->upgrade);
    upgrade_free(s->upgrade);
    loop_free(s->loop);
    arrival_free(s->arrival);
    if (s->imports_are_ours && !handed)
        import_folder_remove(&s->imported);
}

/* --space DIR: everything has its place there. */
static enum status apply_space(struct serve *s, struct err *err)
{
    struct site_options *o = &s->site;
    struct stat st;
    if (s->files.count || o->config.config_path.n || o->config.metadata_path.n || o->root || o->template_dir.n) {
        err_set(err, STATUS_USAGE, "--space stands alone: no files, --config, --metadata, --template-dir or --root");
        return err_hint(err, "What the space serves lies in %.*s/data.", STR_ARG(s->space));
    }
    str data = ARENA_CAT(s->arena, s->space, STR("/data"));
    if (stat(data.p, &st) != 0 || !S_ISDIR(st.st_mode)) {
        err_set(err, STATUS_NOT_FOUND, "%s is no folder", data.p);
        return err_hint(err, "A space is a folder with space.json and data/ in it; a hub makes them.");
    }
    o->space = ARENA_CAT(s->arena, s->space, STR("/space.json"));
    if (!o->state.folder.n)
        o->state.folder = ARENA_CAT(s->arena, s->space, STR("/state"));
    add_file(s, data, false);
    return STATUS_OK;
}

static enum status read_options(struct serve *s, int argc, char **argv, int *ret_exit, struct err *err)
{
    struct option_reader r = {.options = options, .count = ARRAY_LEN(options), .argc = argc, .argv = argv};
    str value, second;
    int id;
    enum status st = from_environment(s, err);
    if (st != STATUS_OK)
        return st;
    while ((st = option_next(&r, &id, &value, &second, err)) == STATUS_AGAIN) {
        if (id == OPT_HELP || id == OPT_SETTINGS_HELP) {
            *ret_exit = id == OPT_HELP ? print_help() : print_settings();
            return STATUS_OK;
        }
        st = apply(s, id, value, second, err);
        if (st != STATUS_OK)
            return st;
    }
    if (st == STATUS_OK && s->key.n && !s->cert.n)
        return err_set(err, STATUS_USAGE, "--ssl-keyfile needs --ssl-certfile");
    if (st == STATUS_OK && s->space.n)
        st = apply_space(s, err);
    return st == STATUS_OK ? get_check(&s->get, err) : st;
}

/* ---- taking over and handing over (cli/upgrade.c) ---- */

/* What a predecessor has for us comes before anything else, so that it learns soon when we cannot. */
static enum status arrive(struct serve *s, struct err *err)
{
    str state;
    if (!takeover_expected())
        return STATUS_OK;
    enum status st = takeover_arrive(s->arena, &s->arrival, s->sockets, &s->socket_count, &state, err);
    if (st == STATUS_OK)
        st = upgrade_read_state(state, &s->inherited, err);
    if (st != STATUS_OK)
        return st;
    for (; s->socket_count > 1; s->socket_count--) /* we listen at one place */
        close(s->sockets[s->socket_count - 1].fd);
    s->open_browser = false;
    if (!s->site.secret.n)
        s->site.secret = s->inherited.secret;
    return STATUS_OK;
}

static void on_adopt(void *arg, unsigned index, int own_fd, int other_fd, str unread, str note)
{
    (void)note;
    if (other_fd >= 0)
        close(other_fd);
    struct serve *s = arg;
    http_server_adopt(s->server, index, own_fd, unread);
}

static void on_alone(void *arg)
{
    struct serve *s = arg;
    struct http_stats stats;
    http_server_stats(s->server, &stats);
    log_line(LOG_INFO, "upgrade", "took over, with %llu connections", (unsigned long long)stats.adopted);
    notify_send("READY=1");
}

static void on_handed_over(void *arg, bool well)
{
    struct serve *s = arg;
    s->failed = !well;
    if (http_server_stopped(s->server))
        on_stopped(s);
    else
        http_server_stop(s->server, 0, on_stopped, s);
}

static void on_successor_stopped(void *arg)
{
    struct serve *s = arg;
    if (!s->stopping)
        stop(s);
}

static enum status begin_upgrades(struct serve *s, struct err *err)
{
    char text[ADDR_TEXT_MAX];
    struct state_paths paths;
    const struct site *site = live_site(s->live);
    str address = str_make(text, addr_format(http_server_addr(s->server, 0), text));
    state_find(s->arena, &s->site.state, &paths);
    const struct upgrade_config c = {
        .loop = s->loop,
        .server = s->server,
        .pool = site->pool,
        .lane = LANE_UPKEEP,
        .state = {.secret = arena_str(s->arena, site->secret),
                  .database = s->imported.database,
                  .folder = str_of(s->imported.folder),
                  .ticket_keys = str_make(s->ticket_keys, s->cert.n ? sizeof s->ticket_keys : 0)},
        .ready_ms = (uint32_t)s->upgrade_timeout_s * 1000,
        .grace_ms = (uint32_t)s->upgrade_grace_s * 1000,
        .status_path = upgrade_status_path(s->arena, paths.folder),
        .address = arena_str(s->arena, address),
        .arg = s,
        .left = on_handed_over,
        .stopped = on_successor_stopped,
    };
    s->upgrade = upgrade_new(&c);
    const struct arrival_config arrival = {s->loop, s, on_adopt, on_alone};
    enum status st = s->arrival ? takeover_ready(s->arrival, &arrival, err) : STATUS_OK;
    s->imports_are_ours = st == STATUS_OK;
    return st;
}

/* Data files among the files become one database. */
static enum status import_data_files(struct serve *s, struct err *err)
{
    VEC(str) data = {0};
    size_t kept = 0;
    for (size_t i = 0; i < s->files.count; i++) {
        if (import_is_data(s->arena, s->files.items[i])) {
            VEC_PUSH(s->arena, &data, s->files.items[i]);
        } else {
            s->files.items[kept] = s->files.items[i];
            s->immutable.items[kept++] = s->immutable.items[i];
        }
    }
    s->files.count = s->immutable.count = kept;
    if (data.count && s->inherited.database.n) { /* the predecessor imported them, and they may have changed since */
        s->imported.database = s->inherited.database;
        snprintf(s->imported.folder, sizeof s->imported.folder, "%.*s", STR_ARG(s->inherited.folder));
        add_file(s, s->imported.database, false);
        return STATUS_OK;
    }
    if (!data.count)
        return s->keep.n ? err_set(err, STATUS_USAGE, "--keep needs a data file to import") : STATUS_OK;
    enum status st = import_files(s->arena, data.items, data.count, s->keep, &s->imported, err);
    s->imports_are_ours = true;
    if (st == STATUS_OK)
        add_file(s, s->imported.database, false);
    return st;
}

static void fill_options(struct serve *s)
{
    s->site.config.options = s->settings.items;
    s->site.config.option_count = s->settings.count;
    s->site.static_mounts = s->statics.items;
    s->site.static_mount_count = s->statics.count;
    s->site.load_extensions = s->extensions.items;
    s->site.load_extension_count = s->extensions.count;
}

static enum status run(struct serve *s, struct err *err)
{
    enum status st = start(s, err);
    if (st != STATUS_OK)
        return st;
    announce(s);
    st = begin_upgrades(s, err);
    if (st != STATUS_OK)
        return st;
    notify_send("READY=1");
    s->watchdog_us = notify_watchdog_us() / 2;
    if (s->watchdog_us)
        on_watchdog(s);
    return loop_run(s->loop, err);
}

/* --get */
static enum status run_once(struct serve *s, int *ret_exit, struct err *err)
{
    enum status st = get_prepare(&s->get, s->arena, &s->uds, err);
    if (st == STATUS_OK)
        st = start(s, err);
    if (st == STATUS_OK)
        st = get_start(&s->get, s->arena, live_site(s->live)->secret, s->loop, err);
    if (st == STATUS_OK)
        st = loop_run(s->loop, err);
    *ret_exit = get_finish(&s->get);
    return st;
}

int cmd_serve(int argc, char **argv)
{
    struct arena *a = arena_new(0);
    struct serve s = {.arena = a,
                      .host = STR("127.0.0.1"),
                      .port = 8001,
                      .grace_s = 10,
                      .upgrade_timeout_s = 60,
                      .upgrade_grace_s = 300,
                      .log_level = LOG_INFO};
    struct err err = ERR_INIT;
    int code = -1;
    s.site.cache_bytes = (size_t)64 << 20;
    enum status st = read_options(&s, argc, argv, &code, &err);
    if (st == STATUS_OK && code < 0) {
        log_setup(s.log_level, s.log_format, 2);
        if (s.note_plugins)
            log_line(LOG_WARN, "serve", "--plugins-dir is ignored: Python plugins cannot run here");
        if (s.note_pdb)
            log_line(LOG_WARN, "serve",
                     "--pdb is ignored: there is no Python debugger here; --log-level debug says more");
        (void)proc_raise_files();
        s.site.state.served = s.files.count ? s.files.items[0] : (str){0}; /* as it was given, imported or not */
        st = arrive(&s, &err);
        if (st == STATUS_OK)
            st = import_data_files(&s, &err);
        fill_options(&s);
        if (st == STATUS_OK)
            st = s.get.path.n ? run_once(&s, &code, &err) : run(&s, &err);
        if (st != STATUS_OK)
            takeover_refuse(s.arrival, err.text);
        finish(&s);
    }
    if (st != STATUS_OK)
        code = command_fail(&err);
    arena_free(a);
    return code >= 0 ? code : s.failed ? 1 : 0;
}
