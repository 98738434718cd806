/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_serve — options and environment (serve_options.h) in, one loop with one HTTP server and one site out.
 *
 * Order: read options -> bind -> site (files, patterns, a configuration directory) -> serve. The address is bound
 * before anything slow, so that a taken port is told at once; the line with the address on stdout is the ready signal.
 * SIGTERM and SIGINT stop gracefully; a second one cuts what is left. SIGHUP renews the site (site/live.h) and reads
 * the certificate anew. Where files may come and go (a directory, a pattern, --reload) the site renews itself. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/version.h"
#include "cli/command.h"
#include "cli/greeter.h"
#include "cli/import_files.h"
#include "cli/serve_options.h"
#include "cli/upgrade.h"
#include "codec/b64.h"
#include "http/server.h"
#include "rt/notify.h"
#include "rt/proc.h"
#include "rt/signal.h"
#include "rt/takeover.h"
#include "site/state.h"

#define STORED_SOCKET "vitrine" /* its name with the service manager */

struct serve {
    struct arena *arena;
    struct serve_options options;
    struct import_folder imported;
    struct loop *loop;
    struct http_server *server;
    struct sources sources;
    struct live *live;
    struct signal_source *signals;
    struct greeter *greeter;
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
    http_server_stop(s->server, (uint32_t)s->options.grace_s * 1000, on_stopped, s);
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
    else if (s->options.drain_s)
        loop_timer_after_ms(s->loop, &s->drain, s->options.drain_s * 1000);
    else
        end_drain(s);
}

/* ticket_keys: empty = new ones. */
static enum status read_tls(const struct serve *s, str ticket_keys, struct tls_server **ret, struct err *err)
{
    static const char *const alpn[] = {"http/1.1", NULL};
    const struct tls_config c = {.cert_path = s->options.cert,
                                 .key_path = s->options.key.n ? s->options.key : s->options.cert,
                                 .ticket_keys = ticket_keys,
                                 .alpn = alpn};
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
    if (!s->options.cert.n)
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
        url = ARENA_CAT(s->arena, s->options.cert.n ? STR("https://") : STR("http://"), str_of(text),
                        base.n > 1 ? base : STR(""));
    printf("Vitrine %s serves %zu database%s at %.*s (Ctrl+C stops it)\n", version_text(), site->published_count,
           site->published_count == 1 ? "" : "s", STR_ARG(url));
    if (token.n)
        printf("Sign in as root, once: %.*s/-/auth-token?token=%.*s\n", STR_ARG(url), STR_ARG(token));
    fflush(stdout);
    if (s->options.open_browser && !addr_is_unix(addr))
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
    if (s->options.uds.n ? addr_is_unix(listener_addr(l)) && listener_own_path(l, s->options.uds)
                         : addr_eq(listener_addr(l), &a))
        return l;
    listener_free(l);
    notify_forget(STORED_SOCKET);
    return NULL;
}

/* What the service manager holds for us: the port of a socket unit, or the socket of an earlier run. */
static struct listener *listen_inherited(struct serve *s, const struct addr *wanted, struct err *err)
{
    struct listener *l = NULL;
    int count = s->options.get.path.n ? 0 : notify_listen_fds();
    for (int i = 0; i < count; i++) {
        bool stored = strcmp(notify_listen_name(i), STORED_SOCKET) == 0;
        if (l)
            close(3 + i);
        else if (stored)
            l = listen_again(s, wanted, 3 + i);
        else if (listener_adopt(3 + i, &l, err) == STATUS_OK)
            s->options.uds = (str){0}, s->activated = true;
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
    enum status st = s->options.uds.n ? addr_from_unix_path(s->options.uds, &c.addr, err)
                                      : addr_from_host_port(s->options.host, (unsigned)s->options.port, &c.addr, err);
    if (st != STATUS_OK)
        return st;
    *ret = listen_inherited(s, &c.addr, err);
    if (!*ret)
        st = listener_open(&c, ret, err);
    if (st == STATUS_OK && !s->options.get.path.n && !s->activated)
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
    s->sources =
        (struct sources){s->options.files.items, s->options.immutable.items, s->options.files.count, &s->options.site};
    const struct live_config c = {
        .loop = s->loop,
        .sources = &s->sources,
        .done = on_renewed,
        .access_log = s->options.access_log,
        .watch = s->options.site.reload || sources_may_change(&s->sources, s->arena),
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
    if (st == STATUS_OK && s->options.cert.n)
        st = read_tls(s, inherited_ticket_keys(s), &tls, err);
    if (tls)
        keep_ticket_keys(s, tls);
    if (st == STATUS_OK)
        st = listen_on(s, &listener, err);
    /* A predecessor still answers; for --get nobody else asks. */
    bool greets = st == STATUS_OK && !tls && !s->arrival && !s->options.get.path.n;
    s->greeter = greets ? greeter_new(listener_fd(listener)) : NULL;
    if (st == STATUS_OK)
        st = start_site(s, err); /* Ctrl+C still ends the process: hashing may take long */
    greeter_stop(s->greeter);    /* somebody waits for the first answer: its thread ends by itself */
    if (st == STATUS_OK)
        st = signal_source_new(s->loop, on_signal, s, &s->signals, err);
    if (st != STATUS_OK) {
        greeter_free(s->greeter); /* it has the listener's descriptor */
        s->greeter = NULL;
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
    greeter_free(s->greeter);
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
    s->options.open_browser = false;
    if (!s->options.site.secret.n)
        s->options.site.secret = s->inherited.secret;
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
    state_find(s->arena, &s->options.site.state, &paths);
    const struct upgrade_config c = {
        .loop = s->loop,
        .server = s->server,
        .pool = site->pool,
        .lane = LANE_UPKEEP,
        .state = {.secret = arena_str(s->arena, site->secret),
                  .database = s->imported.database,
                  .folder = str_of(s->imported.folder),
                  .ticket_keys = str_make(s->ticket_keys, s->options.cert.n ? sizeof s->ticket_keys : 0)},
        .ready_ms = (uint32_t)s->options.upgrade_timeout_s * 1000,
        .grace_ms = (uint32_t)s->options.upgrade_grace_s * 1000,
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
    for (size_t i = 0; i < s->options.files.count; i++) {
        if (import_is_data(s->arena, s->options.files.items[i])) {
            VEC_PUSH(s->arena, &data, s->options.files.items[i]);
        } else {
            s->options.files.items[kept] = s->options.files.items[i];
            s->options.immutable.items[kept++] = s->options.immutable.items[i];
        }
    }
    s->options.files.count = s->options.immutable.count = kept;
    if (data.count && s->inherited.database.n) { /* the predecessor imported them, and they may have changed since */
        s->imported.database = s->inherited.database;
        snprintf(s->imported.folder, sizeof s->imported.folder, "%.*s", STR_ARG(s->inherited.folder));
        serve_options_add_file(&s->options, s->imported.database, false);
        return STATUS_OK;
    }
    if (!data.count)
        return s->options.keep.n ? err_set(err, STATUS_USAGE, "--keep needs a data file to import") : STATUS_OK;
    enum status st = import_files(s->arena, data.items, data.count, s->options.keep, &s->imported, err);
    s->imports_are_ours = true;
    if (st == STATUS_OK)
        serve_options_add_file(&s->options, s->imported.database, false);
    return st;
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
    enum status st = get_prepare(&s->options.get, s->arena, &s->options.uds, err);
    if (st == STATUS_OK)
        st = start(s, err);
    if (st == STATUS_OK)
        st = get_start(&s->options.get, s->arena, live_site(s->live)->secret, s->loop, err);
    if (st == STATUS_OK)
        st = loop_run(s->loop, err);
    *ret_exit = get_finish(&s->options.get);
    return st;
}

int cmd_serve(int argc, char **argv)
{
    struct arena *a = arena_new(0);
    struct serve s = {.arena = a};
    struct err err = ERR_INIT;
    int code = -1;
    enum status st = serve_options_read(&s.options, a, argc, argv, &code, &err);
    if (st == STATUS_OK && code < 0) {
        log_setup(s.options.log_level, s.options.log_format, 2);
        if (s.options.note_plugins)
            log_line(LOG_WARN, "serve", "--plugins-dir is ignored: Python plugins cannot run here");
        if (s.options.note_pdb)
            log_line(LOG_WARN, "serve",
                     "--pdb is ignored: there is no Python debugger here; --log-level debug says more");
        (void)proc_raise_files();
        s.options.site.state.served =
            s.options.files.count ? s.options.files.items[0] : (str){0}; /* as it was given, imported or not */
        st = arrive(&s, &err);
        if (st == STATUS_OK)
            st = import_data_files(&s, &err);
        if (st == STATUS_OK)
            st = s.options.get.path.n ? run_once(&s, &code, &err) : run(&s, &err);
        if (st != STATUS_OK)
            takeover_refuse(s.arrival, err.text);
        finish(&s);
    }
    if (st != STATUS_OK)
        code = command_fail(&err);
    arena_free(a);
    return code >= 0 ? code : s.failed ? 1 : 0;
}
