/* SPDX-License-Identifier: Apache-2.0 */
/* upgrade — SIGUSR2 to a serving process.
 *
 *   start the program anew, with our own command line (rt/takeover) -> it opens the same files and says "ready"
 *     -> stop accepting, give away plain connections between their requests, finish what is under way
 *     -> nothing is left, or grace_ms is over: end
 *   it is not ready in time, or it ends: the log says why, and we go on; connections that it had are gone with it
 *
 * Both processes have the databases open for a while. SQLite's locks keep writes apart, the answer cache asks each
 * database for its version (PRAGMA data_version sees the other process's commits), and an acknowledged write was
 * committed by whoever acknowledged it: so nothing needs to be handed over but sockets and what exists in memory only
 * (struct upgrade_state).
 *
 * The program is what our first argument names now, not what it was when we were started: a link that points elsewhere
 * or a replaced file is the point of it. Where no such file is any more, it is the one that runs (/proc/self/exe).
 *
 * The status file in the state folder says who serves and why the last upgrade failed; `vitrine upgrade` reads it.
 *
 * Not here: the hand-over itself (rt/takeover.c), connections (http/server.c). Tests: tests/takeover. */
#include "cli/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/version.h"
#include "codec/jwrite.h"
#include "codec/value.h"
#include "rt/notify.h"
#include "rt/proc.h"

#define LAST_WORD_MS 2000 /* after the cap: the new process may still say that it has everything */
#define TLS_IDLE_MS  5000 /* a TLS connection that asks nothing is closed after this */

struct upgrade {
    struct upgrade_config config;
    struct takeover *takeover; /* NULL = none is under way */
    struct loop_timer cap;
    int64_t failures;
    char failure[ERR_TEXT_MAX];
    bool cut, handed;
};

/* ---- the status file ---- */

struct status_job {
    char *path;
    struct buf text;
};

static void write_status(void *arg, struct worker *w)
{
    struct status_job *j = arg;
    struct err err = ERR_INIT;
    (void)w;
    if (fs_make_folders(str_of(j->path), 0700, &err) != STATUS_OK ||
        fs_write_passing(j->path, buf_str(&j->text), 0600, &err) != STATUS_OK)
        log_line(LOG_WARN, "upgrade", "vitrine upgrade will need --pid: %s", err.text);
    buf_release(&j->text);
    free(j->path);
    free(j);
}

/* At start at once, so that it is true when the predecessor learns that we are ready; later not on the loop's thread.
 */
static void put_status(struct upgrade *u, bool starting)
{
    struct jwrite w;
    if (!u->config.status_path.n || getpid() == 1) /* which cannot be upgraded (begin) */
        return;
    struct status_job *j = MEM_NEW(struct status_job);
    j->path = mem_cstr(u->config.status_path);
    buf_init(&j->text, LIMIT_UPGRADE_STATUS);
    jwrite_init(&w, &j->text, 0);
    jwrite_object_begin(&w);
    jwrite_key(&w, STR("pid"));
    jwrite_i64(&w, getpid());
    jwrite_key(&w, STR("version"));
    jwrite_string(&w, str_of(version_text()));
    jwrite_key(&w, STR("address"));
    jwrite_string(&w, u->config.address);
    jwrite_key(&w, STR("failures"));
    jwrite_i64(&w, u->failures);
    jwrite_key(&w, STR("failure"));
    jwrite_string(&w, str_of(u->failure));
    jwrite_object_end(&w);
    if (starting || !pool_submit(u->config.pool, u->config.lane, write_status, j)) /* or the lane is full */
        write_status(j, NULL);
}

str upgrade_status_path(struct arena *a, str state_folder)
{
    return state_folder.n ? ARENA_CAT(a, state_folder, STR("/serve.json")) : (str){0};
}

enum status upgrade_read_status(struct arena *a, str path, struct upgrade_status *ret, struct err *err)
{
    str text;
    struct value v;
    enum status st = fs_read_file(arena_cstr(a, path), LIMIT_UPGRADE_STATUS, a, &text, err);
    if (st == STATUS_OK)
        st = value_from_json(a, text, &v, err);
    if (st != STATUS_OK)
        return st;
    struct value pid = v.kind == VALUE_DICT ? VALUE_GET(v, "pid") : VALUE_NULL;
    if (pid.kind != VALUE_INT || pid.i <= 1)
        return err_set(err, STATUS_INVALID, "%.*s names no process", STR_ARG(path));
    struct value failures = VALUE_GET(v, "failures");
    *ret = (struct upgrade_status){.pid = pid.i,
                                   .failures = failures.kind == VALUE_INT ? failures.i : 0,
                                   .version = value_get_text(v, STR("version")),
                                   .address = value_get_text(v, STR("address")),
                                   .failure = value_get_text(v, STR("failure"))};
    return STATUS_OK;
}

/* ---- what goes over ---- */

static void put_state(struct buf *out, const struct upgrade_state *s)
{
    const str parts[] = {s->secret, s->database, s->folder, s->ticket_keys};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        buf_puts(out, parts[i]);
        buf_putc(out, '\0');
    }
}

enum status upgrade_read_state(str bytes, struct upgrade_state *ret, struct err *err)
{
    struct upgrade_state s;
    if (!str_cut(bytes, '\0', &s.secret, &bytes) || !str_cut(bytes, '\0', &s.database, &bytes) ||
        !str_cut(bytes, '\0', &s.folder, &bytes))
        return err_set(err, STATUS_PROTOCOL, "the predecessor's state is not whole");
    str_cut(bytes, '\0', &s.ticket_keys, &bytes);
    *ret = s;
    return STATUS_OK;
}

/* ---- the way out ---- */

static void on_ready(void *arg, int pid);
static void on_failed(void *arg, const char *why, bool was_ready, bool stopped);
static void on_left(void *arg);

static void told(struct upgrade *u, const char *why)
{
    log_line(LOG_ERROR, "upgrade", "the upgrade failed, this process goes on: %s", why);
    notify_send("READY=1\nSTATUS=An upgrade failed; the log says why");
    u->failures++;
    snprintf(u->failure, sizeof u->failure, "%s", why);
    put_status(u, false);
}

static enum status begin(struct upgrade *u, struct arena *a, struct err *err)
{
    struct takeover_socket sockets[LIMIT_FDPASS_FDS];
    char text[ADDR_TEXT_MAX], **argv;
    size_t count = http_server_listen_count(u->config.server);
    struct buf state;
    if (getpid() == 1) {
        err_set(err, STATUS_INVALID, "process 1 cannot hand over: everything ends with it");
        return err_hint(err, "Run it under an init process, for example docker run --init.");
    }
    enum status st = proc_own_arguments(a, &argv, err);
    if (st != STATUS_OK)
        return st;
    for (size_t i = 0; i < count && i < LIMIT_FDPASS_FDS; i++) {
        const struct listener *l = http_server_listener(u->config.server, i);
        sockets[i].fd = listener_fd(l);
        sockets[i].label = arena_str(a, str_make(text, addr_format(listener_addr(l), text)));
    }
    buf_init(&state, LIMIT_TAKEOVER_STATE);
    put_state(&state, &u->config.state);
    const struct takeover_config c = {.loop = u->config.loop,
                                      .program = proc_own_program(argv[0]),
                                      .argv = argv,
                                      .sockets = sockets,
                                      .socket_count = count,
                                      .state = buf_str(&state),
                                      .ready_ms = u->config.ready_ms,
                                      .arg = u,
                                      .ready = on_ready,
                                      .failed = on_failed,
                                      .left = on_left};
    st = takeover_new(&c, &u->takeover, err);
    buf_release(&state);
    return st;
}

void upgrade_begin(struct upgrade *u)
{
    struct err err = ERR_INIT;
    if (u->takeover) {
        log_line(LOG_WARN, "upgrade", "an upgrade is under way already");
        return;
    }
    struct arena *a = arena_new(0);
    notify_reloading();
    if (begin(u, a, &err) == STATUS_OK)
        log_line(LOG_INFO, "upgrade", "a new process prepares itself to take over");
    else
        told(u, err.text);
    arena_free(a);
}

static void give(void *arg, size_t index, int own_fd, str unread)
{
    struct upgrade *u = arg;
    takeover_give(u->takeover, (unsigned)index, own_fd, -1, unread, STR(""));
}

static void no_connection_left(void *arg)
{
    struct upgrade *u = arg;
    if (u->takeover && u->handed)
        takeover_leave(u->takeover);
}

static void on_cut(void *arg)
{
    struct upgrade *u = arg;
    loop_timer_after_ms(u->config.loop, &u->cap, LAST_WORD_MS);
    no_connection_left(u);
}

static void on_cap(void *arg)
{
    struct upgrade *u = arg;
    struct http_stats stats;
    if (u->cut) {
        log_line(LOG_WARN, "upgrade", "the new process does not say that it has everything; this one ends");
        u->config.left(u->config.arg, true);
        return;
    }
    http_server_stats(u->config.server, &stats);
    log_line(LOG_WARN, "upgrade", "%u connections did not end in time and are cut", stats.connections);
    u->cut = true;
    http_server_stop(u->config.server, 0, on_cut, u);
}

static void on_ready(void *arg, int pid)
{
    struct upgrade *u = arg;
    char text[64];
    struct http_stats stats;
    const struct http_leave leave = {u, give, no_connection_left, TLS_IDLE_MS};
    http_server_stats(u->config.server, &stats);
    log_line(LOG_INFO, "upgrade", "process %d takes over; %u connections are here", pid, stats.connections);
    snprintf(text, sizeof text, "MAINPID=%d\nREADY=1\nSTATUS=", pid);
    notify_send(text);
    u->handed = true;
    loop_timer_after_ms(u->config.loop, &u->cap, u->config.grace_ms);
    http_server_leave(u->config.server, &leave);
}

static void on_failed(void *arg, const char *why, bool was_ready, bool stopped)
{
    struct upgrade *u = arg;
    struct takeover *t = u->takeover;
    u->takeover = NULL;
    u->handed = false;
    loop_timer_cancel(u->config.loop, &u->cap);
    takeover_free(t);
    if (u->cut) { /* it died while we were ending: nobody accepts any more, and whoever watches us starts us again */
        log_line(LOG_ERROR, "upgrade", "%s, after this process had closed its connections", why);
        u->config.left(u->config.arg, false);
        return;
    }
    if (was_ready)
        http_server_return(u->config.server);
    if (stopped)
        u->config.stopped(u->config.arg);
    else
        told(u, why);
    if (was_ready && !stopped) {
        char text[64];
        snprintf(text, sizeof text, "MAINPID=%d", (int)getpid());
        notify_send(text);
    }
}

static void on_left(void *arg)
{
    struct upgrade *u = arg;
    struct http_stats stats;
    http_server_stats(u->config.server, &stats);
    loop_timer_cancel(u->config.loop, &u->cap);
    log_line(LOG_INFO, "upgrade", "handed over: %llu connections went on with the new process",
             (unsigned long long)stats.given);
    u->config.left(u->config.arg, true);
}

/* ---- life ---- */

struct upgrade *upgrade_new(const struct upgrade_config *config)
{
    struct upgrade *u = MEM_NEW(struct upgrade);
    u->config = *config;
    loop_timer_init(&u->cap, on_cap, u);
    put_status(u, true);
    return u;
}

void upgrade_cancel(struct upgrade *u)
{
    if (!u || !u->takeover || u->handed)
        return;
    takeover_free(u->takeover);
    u->takeover = NULL;
}

bool upgrade_handed(const struct upgrade *u)
{
    return u && u->handed;
}

void upgrade_free(struct upgrade *u)
{
    if (!u)
        return;
    loop_timer_cancel(u->config.loop, &u->cap);
    takeover_free(u->takeover);
    if (!u->handed && u->config.status_path.n) {
        char *path = mem_cstr(u->config.status_path);
        (void)unlink(path);
        free(path);
    }
    free(u);
}
