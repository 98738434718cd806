/* SPDX-License-Identifier: Apache-2.0 */
/* edge — the control thread: it binds, starts the workers, keeps the apps, and never touches a visitor's connection.
 *
 * Listening sockets are opened here and nowhere else, and lent to the workers as copies: whoever hands them to a
 * successor finds them in e->listeners. One socket for all loops: nothing that waits in its backlog is lost when a loop
 * ends, as it would be with SO_REUSEPORT.
 *
 * An end by SIGTERM: no new connections, answers in hand are finished, then the workers end, then the apps. After a
 * kill -9 the apps live on; the next edge finds them in the state file and takes them over (unit_adopt). */
#include "edge/edge.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock_jump.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "edge/app_log.h"
#include "edge/certs.h"
#include "edge/wish.h"
#include "rt/fault.h"
#include "rt/notify.h"
#include "rt/signal.h"

const char *edge_path(struct edge *e, struct arena *a, const char *folder, const char *name)
{
    str state = e->config->state;
    return arena_printf(a, "%.*s%s%s/%s", STR_ARG(state), *folder ? "/" : "", folder, name).p;
}

struct life *edge_life(struct edge *e, str name)
{
    return map_get(e->lives, name);
}

struct life *edge_life_make(struct edge *e, str name)
{
    struct life *l = edge_life(e, name);
    if (!l) {
        l = life_new(e, name);
        map_put(e->lives, name, l);
    }
    return l;
}

/* ---- stopping ---- */

static void free_lives(struct edge *e)
{
    size_t pos = 0;
    void *item;
    while (map_next(e->lives, &pos, NULL, &item))
        life_free(item);
    map_clear(e->lives);
}

static void on_control_stopped(void *arg)
{
    loop_stop(((struct edge *)arg)->loop);
}

static bool units_left(struct edge *e)
{
    size_t pos = 0;
    void *item;
    while (map_next(e->lives, &pos, NULL, &item))
        if (((struct life *)item)->units)
            return true;
    return false;
}

void edge_check_stopped(struct edge *e)
{
    if (e->workers_stopped && !e->asks && !units_left(e) && e->control && heir_finished(e))
        http_server_stop(e->control, 200, on_control_stopped, e);
}

/* The apps are another edge's: they are forgotten, and go on. */
static void let_go(struct edge *e)
{
    size_t pos = 0;
    void *item;
    while (map_next(e->lives, &pos, NULL, &item))
        for (struct life *l = item; l->units;) {
            struct unit *u = l->units;
            l->units = u->next;
            for (unsigned i = 0; i < e->worker_count; i++)
                edge_worker_forget(e->workers[i], u->instance);
            unit_free(u);
        }
}

/* The workers ended; nobody asks the apps any more. */
static void on_workers_stopped(void *arg)
{
    struct edge *e = arg;
    size_t pos = 0;
    void *item;
    for (unsigned i = 0; i < e->worker_count; i++) {
        struct err ignored = ERR_INIT;
        edge_worker_join(e->workers[i]);
        /* What was asked of it after its last round. */
        if (loop_run_once(edge_worker_loop(e->workers[i]), 0, &ignored) != STATUS_OK)
            log_line(LOG_ERROR, "edge", "%s", ignored.text);
    }
    e->workers_stopped = true;
    if (e->heir.handed) {
        if (!e->asks)
            let_go(e);
        edge_check_stopped(e);
        return;
    }
    while (map_next(e->lives, &pos, NULL, &item)) {
        struct unit *next;
        for (struct unit *u = ((struct life *)item)->units; u; u = next) {
            next = u->next;
            unit_retire(u);
        }
    }
    edge_publish(e);
    edge_check_stopped(e);
}

static void stop_worker(struct edge_worker *w, void *arg)
{
    edge_worker_stop(w, ((struct edge *)arg)->stop_grace_ms);
}

void edge_end(struct edge *e, uint32_t grace_ms)
{
    if (e->workers_stopped)
        return;
    e->stopping = e->heir.handed = true;
    e->stop_grace_ms = grace_ms;
    edge_ask(e, stop_worker, e, NULL, NULL);
}

void edge_stop_begin(struct edge *e)
{
    if (e->heir.handed) { /* the service is another process's; what is in hand here gets no longer than after a stop */
        edge_end(e, e->config->grace_ms);
        return;
    }
    if (e->stopping)
        return;
    e->stopping = true;
    heir_cancel(e);
    edge_notify(e, "STOPPING=1");
    link_unwatch(e);
    link_tell(e, MSG_STOPPED, NULL);
    log_line(LOG_INFO, "edge", "stopping");
    (void)FAULT("edge.stop");
    e->stop_grace_ms = e->config->grace_ms;
    edge_ask(e, stop_worker, e, NULL, NULL);
}

void edge_thaw(struct edge *e)
{
    size_t pos = 0;
    void *item;
    edge_notify(e, "READY=1");
    link_watch(e);
    certs_go(e);
    while (map_next(e->lives, &pos, NULL, &item))
        life_thaw(item);
    wish_poke(e);
}

const char *edge_busy_with(struct edge *e)
{
    size_t pos = 0;
    void *item;
    while (map_next(e->lives, &pos, NULL, &item)) {
        const struct life *l = item;
        if (l->job || l->pause_job)
            return l->job ? l->job->what : l->pause_job->what;
        if (sm_state(&l->sm) != LIFE_STEADY || sm_state(&l->rest) == REST_DROWSY)
            return l->app->name;
        /* They would wait here for a word that is said to another process. */
        if (atomic_load_explicit(&l->app->bound, memory_order_relaxed))
            return "a pause in which requests over TLS, HTTP/2 or with large bodies wait";
    }
    return e->reloading ? "a reload" : edge_predecessor_lives(e) ? "the end of the process before this one" : NULL;
}

bool edge_predecessor_lives(const struct edge *e)
{
    return !takeover_alone(e->arrival);
}

/* On the control thread, once for each worker whose loop ended. */
static void on_worker_ended(void *arg)
{
    struct edge *e = arg;
    if (++e->workers_ended == e->worker_count && e->stopping)
        on_workers_stopped(e);
}

static void tell_ended(void *arg)
{
    loop_post(((struct edge *)arg)->loop, on_worker_ended, arg);
}

/* Of the files that were given, or of none: then all that is shown is what certs.c has. */
static enum status load_certs(struct edge *e, struct tls_server **ret, struct err *err)
{
    if (!e->config->cert_count && !e->config->acme.on)
        return STATUS_OK;
    static const char *const protocols[] = {"h2", "http/1.1", NULL};
    char keys[TLS_TICKET_KEYS];
    struct tls_config tls = {0};
    if (e->config->cert_count) {
        tls = e->config->certs[0];
        tls.more = e->config->certs + 1;
        tls.more_count = e->config->cert_count - 1;
    }
    tls.alpn = protocols;
    tls.ticket_keys = legacy_ticket_keys(e);
    if (e->tls && clock_age_s(e->keys_since_s, clock_unix_s()) < TICKET_KEYS_LIVE_S) {
        /* Tickets that were given out stay good. */
        tls_server_ticket_keys(e->tls, keys);
        tls.ticket_keys = str_make(keys, sizeof(keys));
    }
    if (!tls.ticket_keys.n)
        e->keys_since_s = clock_unix_s();
    enum status st = tls_server_new(&tls, ret, err);
    explicit_bzero(keys, sizeof(keys));
    return st;
}

static enum status open_access_log(struct edge *e, int *ret_fd, struct err *err)
{
    str path = e->config->access_log;
    if (str_is(path, "-"))
        *ret_fd = STDOUT_FILENO;
    else if (path.n)
        return fs_open(arena_cstr(e->arena, path), O_WRONLY | O_CREAT | O_APPEND, 0640, ret_fd, err);
    return STATUS_OK;
}

static void nothing(struct edge_worker *w, void *arg)
{
    (void)w;
    (void)arg;
}

/* The workers have all that was published. */
static void reloaded(void *arg)
{
    ((struct edge *)arg)->reloading = false;
}

enum status edge_reload(struct edge *e, struct err *err)
{
    struct tls_server *tls = NULL;
    int fd = -1;
    if (e->reloading || e->stopping || heir_frozen(e))
        return err_set(err, STATUS_BUSY, "the edge is busy");
    enum status st = load_certs(e, &tls, err);
    if (st == STATUS_OK)
        st = open_access_log(e, &fd, err);
    if (st != STATUS_OK) {
        tls_server_unref(tls);
        return st;
    }
    if (fd > STDERR_FILENO) { /* under the number that the workers write to */
        (void)dup3(fd, e->access_fd, O_CLOEXEC);
        close(fd);
    }
    tls_server_unref(e->given);
    e->given = tls;
    e->reloading = true;
    edge_publish_tls(e);
    link_keep(e);
    edge_ask(e, nothing, NULL, reloaded, e);
    log_line(LOG_INFO, "edge", "certificates and access log were read again");
    return STATUS_OK;
}

static void on_signal(void *arg, int signo, int sender_pid)
{
    struct edge *e = arg;
    (void)sender_pid;
    struct err err = ERR_INIT;
    if (signo == SIGTERM || signo == SIGINT)
        edge_stop_begin(e);
    if (signo == SIGUSR2)
        heir_begin(e, NULL);
    if (signo != SIGHUP)
        return;
    link_reloading(e);
    if (edge_reload(e, &err) != STATUS_OK)
        log_line(LOG_ERROR, "edge", "not reloaded, all goes on as before: %s", err.text);
    edge_notify(e, "READY=1");
}

/* ---- starting ---- */

static enum status make_folder(struct edge *e, const char *name, struct err *err)
{
    const char *path = edge_path(e, e->arena, "", name);
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return err_sys(err, STATUS_IO, errno, "cannot make the folder '%s'", path);
    return STATUS_OK;
}

/* Two edges on one state folder would each undo what the other does. */
static enum status lock(struct edge *e, struct err *err)
{
    if (e->lock_fd >= 0) /* it was left to us */
        return STATUS_OK;
    enum status st = fs_open(edge_path(e, e->arena, "", "lock"), O_RDWR | O_CREAT, 0600, &e->lock_fd, err);
    if (st == STATUS_OK && flock(e->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        err_set(err, STATUS_CONFLICT, "an edge runs already with the state folder '%.*s'", STR_ARG(e->config->state));
        err_hint(err,
                 "vitrine edge upgrade --state %.*s takes it to this program, vitrine edge stop --state %.*s ends it.",
                 STR_ARG(e->config->state), STR_ARG(e->config->state));
        st = STATUS_CONFLICT;
    }
    return st;
}

struct wanted_cert {
    struct edge *edge;
    char host[LIMIT_EDGE_HOST + 1];
};

static void on_cert_wanted(void *arg)
{
    struct wanted_cert *want = arg;
    certs_wanted(want->edge, str_of(want->host));
    free(want);
}

/* On a worker's thread. */
static void want_cert(void *arg, str host)
{
    struct wanted_cert *want = MEM_NEW(struct wanted_cert);
    want->edge = arg;
    (void)snprintf(want->host, sizeof(want->host), "%.*s", STR_ARG(host));
    loop_post(want->edge->loop, on_cert_wanted, want);
}

static enum status make_workers(struct edge *e, struct err *err)
{
    struct edge_listen listens[LIMIT_HTTP_LISTENERS];
    for (size_t i = 0; i < e->listen_count; i++)
        listens[i] = (struct edge_listen){.fd = listener_fd(e->listeners[i]), .tls = e->listens[i].tls ? e->tls : NULL};
    for (unsigned i = 0; i < e->config->loops; i++) {
        struct edge_worker_config config = {.index = i,
                                            .limits = e->config->limits,
                                            .trusted = &e->config->trusted,
                                            .proxied = &e->config->proxied,
                                            .listens = listens,
                                            .listen_count = e->listen_count,
                                            .spool = &e->spool,
                                            .wake = rest_wake,
                                            .access_fd = e->access_fd,
                                            .on_end = tell_ended,
                                            .want_cert = e->certs ? want_cert : NULL,
                                            .arg = e};
        enum status st = edge_worker_new(&config, &e->workers[i], err);
        if (st != STATUS_OK)
            return st;
        e->worker_count++;
    }
    return STATUS_OK;
}

static enum status start(struct edge *e, struct err *err)
{
    e->spool.folder = arena_cstr(e->arena, e->config->state);
    enum status st = legacy_find(e, err);
    if (e->arrival)
        (void)FAULT("heir.found");
    if (st == STATUS_OK)
        st = lock(e, err);
    if (st == STATUS_OK)
        st = make_folder(e, EDGE_LOG_FOLDER, err);
    if (st == STATUS_OK)
        st = make_folder(e, EDGE_RUN_FOLDER, err);
    if (st == STATUS_OK)
        st = open_access_log(e, &e->access_fd, err);
    if (st == STATUS_OK)
        st = load_certs(e, &e->given, err);
    if (st == STATUS_OK)
        st = certs_start(e, err);
    if (st == STATUS_OK)
        st = legacy_listen(e, err);
    if (st == STATUS_OK)
        edge_make_tls(e);
    if (st == STATUS_OK)
        st = signal_source_new(e->loop, on_signal, e, &e->signals, err);
    if (st == STATUS_OK)
        st = make_workers(e, err);
    return st;
}

static void say_ready(struct edge *e)
{
    for (size_t i = 0; i < e->listen_count; i++) {
        char text[ADDR_TEXT_MAX];
        addr_format(listener_addr(e->listeners[i]), text);
        bool on_unix = addr_is_unix(listener_addr(e->listeners[i]));
        log_line(LOG_INFO, "edge", "listening on %s%s",
                 on_unix             ? ""
                 : e->listens[i].tls ? "https://"
                                     : "http://",
                 text);
    }
    edge_notify(e, "READY=1");
}

static void stop_now(void *arg)
{
    edge_worker_stop(arg, 0);
}

/* A start that failed half-way: what runs ends. */
static void undo(struct edge *e)
{
    struct err ignored = ERR_INIT;
    size_t pos = 0;
    void *item;
    for (unsigned i = 0; i < e->worker_count; i++)
        loop_post(edge_worker_loop(e->workers[i]), stop_now, e->workers[i]);
    while (map_next(e->lives, &pos, NULL, &item))
        for (struct life *l = item; l->units;) {
            struct unit *u = l->units;
            l->units = u->next;
            unit_free(u);
        }
    if (e->control)
        http_server_stop(e->control, 0, NULL, NULL);
    while (e->control && !http_server_stopped(e->control))
        if (loop_run_once(e->loop, 0, &ignored) != STATUS_OK)
            return;
}

/* systemd is told that we live when every loop has answered. */
static void workers_live(void *arg)
{
    edge_notify(arg, "WATCHDOG=1");
}

static void on_watchdog(void *arg)
{
    struct edge *e = arg;
    if (!e->stopping)
        edge_ask(e, nothing, NULL, workers_live, e);
    loop_timer_at(e->loop, &e->watchdog, loop_now_us(e->loop) + e->watchdog_us);
}

static enum status run(struct edge *e, struct err *err)
{
    enum status st = start(e, err);
    if (st == STATUS_OK)
        st = control_start(e, err);
    if (st == STATUS_OK)
        st = state_restore(e, err);
    if (e->arrival)
        (void)FAULT("heir.restored");
    else if (st == STATUS_OK)
        strays_end(e);
    if (st == STATUS_OK)
        edge_publish(e);                                     /* waits for the workers in their mailboxes */
    if (st == STATUS_OK && !e->arrival && e->config->apps.n) /* before the first request: it may be for one of these */
        st = app_folder_start(e, e->config->apps, err);
    for (unsigned i = 0; st == STATUS_OK && i < e->worker_count; i++)
        edge_worker_set_peers(e->workers[i], e->workers, e->worker_count);
    for (unsigned i = 0; st == STATUS_OK && i < e->worker_count; i++)
        st = edge_worker_start(e->workers[i], err);
    if (st == STATUS_OK)
        st = heir_arrived(e, err);
    if (st != STATUS_OK) {
        takeover_refuse(e->arrival, err->text);
        undo(e);
        return st;
    }
    legacy_close(e);
    link_keep(e);
    link_tell(e, MSG_MAIN, NULL);
    link_watch(e);
    rest_freeze(e);
    edge_save(e);
    if (e->arrival && e->config->apps.n && app_folder_start(e, e->config->apps, err) != STATUS_OK)
        log_line(LOG_ERROR, "edge", "the folder of app files is not watched: %s", err->text);
    if (e->config->engine)
        engine_start(e, e->config->engine);
    app_logs_watch(e);
    say_ready(e);
    certs_go(e);
    e->watchdog_us = notify_watchdog_us() / 2;
    if (e->watchdog_us)
        on_watchdog(e);
    st = loop_run(e->loop, err);
    if (st == STATUS_OK && e->failed)
        st = err_set(err, STATUS_IO, "the process that took over died");
    return st;
}

static void release(struct edge *e)
{
    heir_release(e);
    link_close(e);
    proc_disown(e->supervisor);
    arrival_free(e->arrival);
    legacy_close(e);
    loop_timer_cancel(e->loop, &e->watchdog);
    http_server_free(e->control);
    wish_sources_free(e);
    for (unsigned i = 0; i < e->worker_count; i++)
        edge_worker_free(e->workers[i]);
    free_lives(e);
    map_free(e->lives);
    e->lives = NULL; /* answers of workers that still lie in the mailbox find nothing */
    size_t pos = 0;
    void *item;
    while (e->jobs) {
        struct job *j = e->jobs;
        e->jobs = j->next;
        job_free(j);
    }
    for (size_t i = 0; i < e->listen_count; i++) {
        if (e->heir.handed && e->listeners[i])
            listener_disown_path(e->listeners[i]);
        listener_free(e->listeners[i]);
    }
    signal_source_free(e->signals);
    certs_free(e);
    tls_server_unref(e->tls);
    tls_server_unref(e->given);
    http_upstream_release(&e->client);
    loop_timer_cancel(e->loop, &e->logs);
    loop_free(e->loop);
    while (map_next(e->apps, &pos, NULL, &item)) /* after the mailbox: their messages may lie there */
        free(item);
    map_free(e->apps);
    if (e->access_fd > STDERR_FILENO)
        close(e->access_fd);
    if (e->lock_fd >= 0)
        close(e->lock_fd);
    arena_free(e->arena);
    free(e);
}

enum status edge_run(const struct edge_config *config, struct err *err)
{
    ASSERT(config->loops > 0 && config->loops <= LIMIT_EDGE_LOOPS);
    struct edge *e = MEM_NEW(struct edge);
    e->config = config;
    e->spool.max = config->spool_bytes;
    e->arena = arena_new(0);
    e->lives = map_new();
    e->apps = map_new();
    e->access_fd = e->lock_fd = -1;
    e->channel = config->channel;
    heir_init(e);
    loop_timer_init(&e->supervisor_again, link_again, e);
    loop_timer_init(&e->watchdog, on_watchdog, e);
    e->started_unix_s = clock_unix_s();
    enum status st = loop_new(&e->loop, err);
    if (st != STATUS_OK) {
        map_free(e->lives);
        map_free(e->apps);
        arena_free(e->arena);
        free(e);
        return st;
    }
    http_upstream_init(&e->client, e->loop, &(struct upstream_limits){.connect_ms = 5000, .idle_ms = 1000});
    st = run(e, err);
    release(e);
    return st;
}
