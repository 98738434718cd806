/* SPDX-License-Identifier: Apache-2.0 */
/* link — the edge's end of the channel to its supervisor (supervisor.c has the essay).
 *
 * The supervisor is told what it is to keep, who serves, and what systemd shall know. When the other end closes, it was
 * killed: this process starts another one, as a child. Not while an upgrade is under way, since two supervisors would
 * each start an edge one day: whoever serves when that is over does it. */
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "edge/edge_impl.h"
#include "edge/supervisor.h"
#include "rt/fault.h"
#include "rt/fdpass.h"
#include "rt/msg.h"
#include "rt/notify.h"

#define AGAIN_MS 1000

static void send_message(const struct edge *e, const struct buf *b, const int *fds, size_t count)
{
    struct err err = ERR_INIT;
    enum status st = e->channel < 0 ? STATUS_OK : fdpass_send(e->channel, buf_str(b), fds, count, &err);
    if (st != STATUS_OK && st != STATUS_CLOSED)
        log_line(LOG_WARN, "edge", "the supervisor does not listen: %s", st == STATUS_AGAIN ? "it is busy" : err.text);
}

void link_tell(const struct edge *e, enum msg_type type, const char *text)
{
    struct buf b;
    buf_init(&b, LIMIT_TAKEOVER_WORD);
    msg_begin(&b, type);
    if (type == MSG_MAIN)
        msg_put_number(&b, MSG_TAG_PID, (uint64_t)getpid());
    if (text)
        msg_put(&b, MSG_TAG_TEXT, str_of(text));
    send_message(e, &b, NULL, 0);
    buf_release(&b);
}

void edge_notify(const struct edge *e, const char *text)
{
    if (e->channel >= 0)
        link_tell(e, MSG_NOTIFY, text);
    else
        (void)notify_send(text);
}

/* With the time that Type=notify-reload wants. */
void link_reloading(const struct edge *e)
{
    char text[64];
    (void)snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)clock_mono_us());
    edge_notify(e, text);
}

void link_keep(struct edge *e)
{
    struct takeover_socket sockets[LIMIT_FDPASS_FDS];
    char state[EDGE_LEGACY_STATE];
    int fds[LIMIT_FDPASS_FDS];
    size_t count = legacy_sockets(e, false, sockets);
    struct buf b, labels;
    buf_init(&b, LIMIT_FDPASS_BYTES);
    buf_init(&labels, LIMIT_FDPASS_BYTES);
    for (size_t i = 0; i < count; i++) {
        fds[i] = sockets[i].fd;
        buf_puts(&labels, sockets[i].label);
        buf_putc(&labels, '\0');
    }
    msg_begin(&b, MSG_KEEP);
    msg_put(&b, MSG_TAG_LABELS, buf_str(&labels));
    msg_put(&b, MSG_TAG_STATE, legacy_state(e, state));
    send_message(e, &b, fds, count);
    buf_release(&labels);
    buf_release(&b);
    (void)FAULT("edge.keep");
}

static void start_supervisor(struct edge *e);

static void on_supervisor_end(void *arg, int wait_status)
{
    struct edge *e = arg;
    (void)wait_status; /* the channel tells the rest */
    proc_free(e->supervisor);
    e->supervisor = NULL;
}

static void on_message(struct edge *e, const struct msg *m)
{
    if (m->type != MSG_ASK)
        return;
    link_keep(e);
    link_tell(e, MSG_MAIN, NULL);
}

static void on_channel(void *arg, unsigned events)
{
    struct edge *e = arg;
    (void)events;
    while (e->channel_watch) {
        char space[LIMIT_TAKEOVER_WORD];
        struct err err = ERR_INIT;
        struct msg m = {0};
        int fds[LIMIT_FDPASS_FDS];
        size_t count = 0;
        str bytes;
        enum status st = fdpass_receive(e->channel, space, sizeof space, &bytes, fds, &count, &err);
        if (st == STATUS_AGAIN)
            return;
        if (st == STATUS_OK)
            st = msg_read(bytes, count, &m, &err);
        for (size_t i = 0; i < count; i++)
            close(fds[i]);
        if (st == STATUS_OK) {
            on_message(e, &m);
            continue;
        }
        if (st == STATUS_PROTOCOL)
            continue;
        log_line(LOG_ERROR, "edge", "the supervisor is gone; another one is started");
        link_close(e);
        start_supervisor(e);
    }
}

void link_watch(struct edge *e)
{
    struct err err = ERR_INIT;
    if (e->channel < 0 && e->watched) { /* it ended while nobody looked */
        start_supervisor(e);
        return;
    }
    if (e->channel >= 0 && !e->channel_watch &&
        loop_add_fd(e->loop, e->channel, LOOP_READ, on_channel, e, &e->channel_watch, &err) != STATUS_OK)
        log_line(LOG_WARN, "edge", "the supervisor is not watched: %s", err.text);
}

void link_unwatch(struct edge *e)
{
    loop_timer_cancel(e->loop, &e->supervisor_again);
    loop_remove_fd(e->loop, e->channel_watch);
    e->channel_watch = NULL;
}

void link_close(struct edge *e)
{
    link_unwatch(e);
    if (e->channel >= 0)
        close(e->channel);
    e->channel = -1;
}

void link_again(void *arg)
{
    start_supervisor(arg);
}

static enum status spawn(struct edge *e, int far_end, struct err *err)
{
    struct arena *a = arena_new(0);
    char **argv;
    const struct proc_fd fds[] = {{far_end, SUPERVISOR_FD}};
    enum status st = proc_own_arguments(a, &argv, err);
    if (st == STATUS_OK) {
        const struct proc_config c = {.path = proc_own_program(argv[0]),
                                      .argv = argv,
                                      .envp = supervisor_environment(a, SUPERVISOR_EDGE, true),
                                      .fds = fds,
                                      .fd_count = 1};
        st = proc_spawn(e->loop, &c, on_supervisor_end, e, &e->supervisor, err);
    }
    arena_free(a);
    return st;
}

static void start_supervisor(struct edge *e)
{
    struct err err = ERR_INIT;
    int pair[2];
    if (e->stopping || e->heir.takeover) /* whoever serves afterwards does it */
        return;
    if (e->supervisor) { /* it closed its end and has not quite gone */
        loop_timer_after_ms(e->loop, &e->supervisor_again, AGAIN_MS);
        return;
    }
    enum status st = fdpass_pair(pair, &err);
    if (st == STATUS_OK) {
        st = spawn(e, pair[1], &err);
        close(pair[1]);
        e->channel = pair[0];
    }
    if (st == STATUS_OK) { /* told before it asks: it may find us gone */
        link_keep(e);
        link_tell(e, MSG_MAIN, NULL);
        link_watch(e);
        return;
    }
    log_line(LOG_ERROR, "edge", "no supervisor can be started: %s", err.text);
    link_close(e);
    loop_timer_after_ms(e->loop, &e->supervisor_again, AGAIN_MS);
}
