/* SPDX-License-Identifier: Apache-2.0 */
/* heir — the edge hands over to a new process of itself: SIGUSR2, `vitrine edge upgrade`.
 *
 *   nothing is being changed -> freeze, save the state, start the program anew (rt/takeover)
 *     -> it finds sockets, state and running apps, has a table, serves: "ready"
 *     -> the workers here stop accepting and give away connections between two requests, and requests that wait
 *     -> what is under way is finished; nothing is left, or the time is over -> end
 *
 * Frozen (from the start of the new process to the end of the upgrade, either way) no app is started or stopped here,
 * so what the state file says stays true while the new one reads it: an app that dies meanwhile is replaced by whoever
 * serves afterwards. From "ready" on the state file, the control socket, the run folder and the apps are the heir's.
 * The apps' parent is still this process; when it ends they become the supervisor's children. The heir watches them by
 * pidfd, and knows of each that somebody else may have requests in hand there until this process is gone
 * (unit.c: look_at_drain).
 *
 * When the heir dies before it was ready, we thaw. When it dies afterwards and changed nothing, we take the sockets up
 * again. When it had changed apps, what is in memory here is no longer so: then this process ends, and the supervisor
 * starts one that reads the state file. A change of apps asked for during the freeze is told to come again (BUSY),
 * which the commands do.
 *
 * Threads: the control thread; give and left come from the workers and are posted here. Tests: tests/takeover. */
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "edge/certs.h"
#include "rt/fault.h"

#define LAST_WORD_MS 2000 /* after everything ended here: the heir may still say that it has everything */
#define WAIT_LOOK_MS 20
#define TLS_IDLE_MS  5000 /* a TLS connection that asks nothing is closed after this */
#define CUT_GRACE_MS 1000 /* what is in hand when nothing can go on here */

/* ---- what the state file says of apps, without what changes by itself ---- */

static void put_digest(struct buf *out, struct value apps)
{
    for (size_t i = 0; i < value_count(apps); i++) {
        struct value app = value_at(apps, i), units = VALUE_GET(app, "instances");
        buf_printf(out, "%.*s %lld %.*s", STR_ARG(value_get_text(app, STR("name"))),
                   (long long)VALUE_GET(app, "last_number").i, STR_ARG(value_get_text(app, STR("traffic"))));
        for (size_t k = 0; k < value_count(units); k++)
            buf_printf(out, " %lld", (long long)VALUE_GET(value_at(units, k), "pid").i);
        buf_putc(out, '\n');
    }
}

static void read_digest(struct edge *e, struct buf *out)
{
    struct arena *a = arena_new(0);
    str text;
    struct value v = VALUE_NULL;
    buf_init(out, LIMIT_EDGE_STATE);
    if (fs_read_file(edge_path(e, a, "", EDGE_STATE_FILE), LIMIT_EDGE_STATE, a, &text, NULL) == STATUS_OK &&
        value_from_json(a, text, &v, NULL) == STATUS_OK)
        put_digest(out, VALUE_GET(v, "apps"));
    arena_free(a);
}

/* ---- telling whoever asked ---- */

static void answer(struct edge *e, const struct err *err, int pid)
{
    struct http_exchange *x = e->heir.asked;
    e->heir.asked = NULL;
    if (!x)
        return;
    http_exchange_on_gone(x, NULL, NULL);
    if (err) {
        control_error(x, err);
        return;
    }
    struct value v = value_dict(http_exchange_arena(x));
    VALUE_SET(v, "pid", value_int(pid));
    VALUE_SET(v, "before", value_int(getpid()));
    control_value(x, 200, v);
}

static void asker_gone(void *arg)
{
    struct edge *e = arg;
    struct http_exchange *x = e->heir.asked;
    e->heir.asked = NULL;
    http_exchange_fail(x, 499, STR(""));
}

static void told(struct edge *e, enum status status, const char *why)
{
    struct err err = ERR_INIT;
    err_set(&err, status, "%s; this edge goes on", why);
    log_line(LOG_ERROR, "edge", "the upgrade failed: %s", err.text);
    edge_notify(e, "READY=1\nSTATUS=An upgrade failed; the log says why");
    answer(e, &err, 0);
}

/* ---- connections ---- */

static void on_parcel(void *arg)
{
    struct edge_parcel *p = arg;
    struct edge *e = p->to;
    e->heir.given++;
    if (e->heir.takeover && e->heir.handed)
        takeover_give(e->heir.takeover, (unsigned)p->slot, p->fd, p->other_fd, p->unread, p->note);
    else
        edge_worker_take(e->workers, e->worker_count, p->slot, p->fd, p->other_fd, p->unread,
                         p->note); /* the heir died */
    free(p);
}

/* From a worker to the control thread. */
static void give(void *arg, size_t slot, int own_fd, int other_fd, str unread, str note)
{
    struct edge *e = arg;
    struct edge_parcel *p = edge_parcel_new(on_parcel, e, slot, own_fd, other_fd, unread, note);
    loop_post_message(e->loop, &p->message);
}

static void give_control(void *arg, size_t index, int own_fd, str unread)
{
    struct edge *e = arg;
    (void)index;
    takeover_give(e->heir.takeover, (unsigned)e->listen_count, own_fd, -1, unread, STR(""));
}

static void nothing(struct edge_worker *w, void *arg)
{
    (void)w;
    (void)arg;
}

/* Every worker had nothing left, and then answered once more: so nothing is on its way from one to another either. */
static void all_given(void *arg)
{
    struct edge *e = arg;
    if (e->heir.takeover && e->heir.handed && e->heir.control_left)
        takeover_leave(e->heir.takeover);
}

static void check_given(struct edge *e)
{
    if (e->heir.handed && e->heir.control_left && e->heir.workers_left >= e->worker_count && !e->stopping)
        edge_ask(e, nothing, NULL, all_given, e);
}

static void on_worker_left(void *arg)
{
    struct edge *e = arg;
    e->heir.workers_left++;
    check_given(e);
}

static void worker_left(void *arg)
{
    loop_post(((struct edge *)arg)->loop, on_worker_left, arg);
}

static void control_left(void *arg)
{
    struct edge *e = arg;
    e->heir.control_left = true;
    check_given(e);
}

static void leave(struct edge_worker *w, void *arg)
{
    const struct edge_leave how = {arg, give, worker_left, TLS_IDLE_MS};
    edge_worker_leave(w, &how);
}

static void come_back(struct edge_worker *w, void *arg)
{
    (void)arg;
    edge_worker_return(w);
}

/* ---- the takeover's words ---- */

static void on_ready(void *arg, int pid)
{
    struct edge *e = arg;
    const struct http_leave how = {e, give_control, control_left, TLS_IDLE_MS};
    log_line(LOG_INFO, "edge", "process %d takes over", pid);
    certs_freeze(e);
    e->heir.handed = true;
    e->heir.workers_left = 0;
    e->heir.control_left = false;
    link_unwatch(e);
    loop_timer_after_ms(e->loop, &e->heir.cap, e->config->upgrade_grace_ms);
    answer(e, NULL, pid);
    (void)FAULT("edge.leave");
    edge_ask(e, leave, e, NULL, NULL);
    http_server_leave(e->control, &how);
}

/* Nothing can go on here: what is in hand ends, then the supervisor starts an edge that reads the state file. */
static void give_up(struct edge *e, const char *why)
{
    log_line(LOG_ERROR, "edge", "%s, after it had changed apps; this process ends and another one starts", why);
    e->failed = true;
    edge_end(e, CUT_GRACE_MS);
}

static void on_failed(void *arg, const char *why, bool was_ready, bool stopped)
{
    struct edge *e = arg;
    takeover_free(e->heir.takeover);
    e->heir.takeover = NULL;
    loop_timer_cancel(e->loop, &e->heir.cap);
    if (!was_ready) {
        told(e, STATUS_CONFLICT, why);
        edge_thaw(e);
        return;
    }
    if (e->stopping || e->workers_stopped) { /* it has no connection any more */
        e->failed = !stopped;
        edge_end(e, 0);
        edge_check_stopped(e);
        return;
    }
    if (stopped) { /* somebody stopped it and meant the service */
        edge_end(e, e->config->grace_ms);
        return;
    }
    struct buf now;
    read_digest(e, &now);
    bool same = str_eq(buf_str(&now), str_of(e->heir.digest));
    buf_release(&now);
    if (!same) {
        give_up(e, why);
        return;
    }
    e->heir.handed = false;
    edge_ask(e, come_back, NULL, NULL, NULL);
    http_server_return(e->control);
    told(e, STATUS_CONFLICT, why);
    link_tell(e, MSG_MAIN, NULL);
    edge_thaw(e);
}

static void on_left(void *arg)
{
    struct edge *e = arg;
    log_line(LOG_INFO, "edge", "handed over: %llu connections went on with the new process",
             (unsigned long long)e->heir.given);
    edge_end(e, 0);
    edge_check_stopped(e);
}

static void on_cap(void *arg)
{
    struct edge *e = arg;
    uint32_t connections = 0;
    if (e->workers_stopped) {
        log_line(LOG_WARN, "edge", "the new process does not say that it has everything; this one ends");
        takeover_free(e->heir.takeover);
        e->heir.takeover = NULL;
        edge_check_stopped(e);
        return;
    }
    for (unsigned i = 0; i < e->worker_count; i++)
        connections += edge_worker_connections(e->workers[i]);
    log_line(LOG_WARN, "edge", "%u connections did not end in time and are cut", connections);
    edge_end(e, 0);
}

/* The workers ended. True: the heir has said that it has everything, or will not. */
bool heir_finished(struct edge *e)
{
    if (!e->heir.takeover || takeover_state(e->heir.takeover) == TAKEOVER_LEFT)
        return true;
    if (takeover_state(e->heir.takeover) == TAKEOVER_HANDING) {
        loop_timer_after_ms(e->loop, &e->heir.cap, LAST_WORD_MS);
        takeover_leave(e->heir.takeover);
    }
    return !e->heir.takeover;
}

/* ---- beginning ---- */

static enum status begin(struct edge *e, struct err *err)
{
    struct takeover_socket sockets[LIMIT_FDPASS_FDS];
    char state[EDGE_LEGACY_STATE], **argv;
    struct arena *a = arena_new(0);
    struct buf digest;
    enum status st = proc_own_arguments(a, &argv, err);
    rest_freeze(e);
    edge_save(e);
    read_digest(e, &digest);
    free(e->heir.digest);
    e->heir.digest = mem_cstr(buf_str(&digest));
    buf_release(&digest);
    if (st == STATUS_OK) {
        size_t count = legacy_sockets(e, true, sockets);
        const struct takeover_config c = {.loop = e->loop,
                                          .program = proc_own_program(argv[0]),
                                          .argv = argv,
                                          .sockets = sockets,
                                          .socket_count = count,
                                          .state = legacy_state(e, state),
                                          .ready_ms = e->config->upgrade_ready_ms,
                                          .arg = e,
                                          .ready = on_ready,
                                          .failed = on_failed,
                                          .left = on_left};
        st = takeover_new(&c, &e->heir.takeover, err);
    }
    arena_free(a);
    return st;
}

static void on_again(void *arg)
{
    struct edge *e = arg;
    struct err err = ERR_INIT;
    const char *what = edge_busy_with(e);
    if (what && loop_now_us(e->loop) < e->heir.until_us) {
        loop_timer_after_ms(e->loop, &e->heir.again, WAIT_LOOK_MS);
        return;
    }
    e->heir.waiting = false;
    if (what) {
        char text[200];
        (void)snprintf(text, sizeof text, "%s is still under way", what);
        told(e, STATUS_BUSY, text);
        return;
    }
    log_line(LOG_INFO, "edge", "a new process prepares itself to take over");
    e->heir.given = 0;
    if (begin(e, &err) != STATUS_OK) {
        takeover_free(e->heir.takeover);
        e->heir.takeover = NULL;
        told(e, err.status, err.text);
        edge_thaw(e);
    }
}

bool heir_frozen(const struct edge *e)
{
    return e->heir.takeover != NULL || e->heir.handed;
}

void heir_begin(struct edge *e, struct http_exchange *x)
{
    struct err err = ERR_INIT;
    if (e->stopping || heir_frozen(e) || e->heir.waiting) {
        err_set(&err, STATUS_BUSY, e->stopping ? "the edge is stopping" : "an upgrade is under way already");
        err_hint(&err, "Try again in a moment.");
        log_line(LOG_WARN, "edge", "no upgrade now: %s", err.text);
        if (x)
            control_error(x, &err);
        return;
    }
    e->heir.asked = x;
    if (x)
        http_exchange_on_gone(x, asker_gone, e);
    e->heir.waiting = true;
    e->heir.until_us = loop_now_us(e->loop) + e->config->upgrade_ready_ms * INT64_C(1000);
    link_reloading(e);
    on_again(e);
}

void heir_init(struct edge *e)
{
    loop_timer_init(&e->heir.cap, on_cap, e);
    loop_timer_init(&e->heir.again, on_again, e);
}

void heir_cancel(struct edge *e)
{
    loop_timer_cancel(e->loop, &e->heir.again);
    e->heir.waiting = false;
    if (e->heir.handed)
        return;
    takeover_free(e->heir.takeover);
    e->heir.takeover = NULL;
}

void heir_release(struct edge *e)
{
    loop_timer_cancel(e->loop, &e->heir.cap);
    loop_timer_cancel(e->loop, &e->heir.again);
    takeover_free(e->heir.takeover);
    free(e->heir.digest);
}

/* ---- the one that comes ---- */

static void on_adopt(void *arg, unsigned index, int own_fd, int other_fd, str unread, str note)
{
    struct edge *e = arg;
    size_t slot = index;
    if (slot == e->listen_count && e->control) {
        http_server_adopt(e->control, 0, own_fd, unread);
        return;
    }
    e->heir.adopted++;
    (void)FAULT("heir.adopt");
    edge_worker_take(e->workers, e->worker_count, slot, own_fd, other_fd, unread, note);
}

static void on_alone(void *arg)
{
    struct edge *e = arg;
    (void)FAULT("heir.alone");
    log_line(LOG_INFO, "edge", "took over, with %llu connections", (unsigned long long)e->heir.adopted);
    link_tell(e, MSG_RENEW, NULL);
}

enum status heir_arrived(struct edge *e, struct err *err)
{
    const struct arrival_config c = {e->loop, e, on_adopt, on_alone};
    return e->arrival ? takeover_ready(e->arrival, &c, err) : STATUS_OK;
}
