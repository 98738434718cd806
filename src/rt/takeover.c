/* SPDX-License-Identifier: Apache-2.0 */
/* takeover — the one that goes.
 *
 *   STARTING --hello--> WARMING --ready--> HANDING --leave--> LEAVING --alone--> LEFT
 *       |                  |                  |                  |
 *       `-- late, dead, refused -------------'`-- dead ----------'--> FAILED: we go on as if nothing was
 *
 * The successor is a child with one end of a pair of sockets. Both have the listening sockets from WARMING on, so the
 * kernel's queue of new connections never has nobody: until "ready" only we accept, afterwards only the successor. The
 * listening sockets stay open here until the end; when the successor dies we accept again.
 *
 * Connections that are between two requests go over as descriptors, with the bytes that were read of them and not used.
 * What the kernel has not given us yet stays with the socket, so nothing is lost and nothing is read twice. What the
 * sending socket does not take waits in a queue here (bytes that were in memory before, too).
 *
 * Killed at any point: before "ready" we go on, or the successor does when it is us who die after it got the sockets;
 * after "ready" whoever is left accepts; we end only when the successor said that it has everything. A connection is at
 * one place at any time: those that were with the one that died end, those with the other go on.
 *
 * A number in a message's head tells its version (msg.h); a successor of a later version sends what we do not know,
 * which is passed over, or does not understand us, which it says: then we go on.
 *
 * Invariants: (1) failed() or left() is called once, and after it nothing. (2) a descriptor is closed here only after
 * the message with it was sent. (3) never do two processes accept for longer than it takes to hand over: a successor
 * that we cannot talk to is killed. Fault points: takeover.start, takeover.sockets, takeover.switch, takeover.give,
 * takeover.leave. Not here: the one that comes (arrival.c), what connections are (http/server.c). Tests:
 * tests/unit/rt/test_takeover.c, tests/takeover. */
#include "rt/takeover.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "rt/fault.h"
#include "rt/fdpass.h"
#include "rt/msg.h"
#include "rt/proc.h"
#include "rt/takeover_impl.h"

#define RETRY_MS 10 /* too many descriptors are under way */

const struct sm_state takeover_states[TAKEOVER_STATES] = {
    [TAKEOVER_STARTING] = {"starting", SM_TO(TAKEOVER_WARMING) | SM_TO(TAKEOVER_FAILED), SM_INITIAL},
    [TAKEOVER_WARMING] = {"warming", SM_TO(TAKEOVER_HANDING) | SM_TO(TAKEOVER_FAILED), 0},
    [TAKEOVER_HANDING] = {"handing", SM_TO(TAKEOVER_LEAVING) | SM_TO(TAKEOVER_FAILED), 0},
    [TAKEOVER_LEAVING] = {"leaving", SM_TO(TAKEOVER_LEFT) | SM_TO(TAKEOVER_FAILED), 0},
    [TAKEOVER_LEFT] = {"left", 0, SM_FINAL},
    [TAKEOVER_FAILED] = {"failed", 0, SM_FINAL},
};

struct parcel { /* waits to be sent */
    struct parcel *next;
    int fds[2]; /* -1 = none */
    struct buf bytes;
};

struct takeover {
    struct takeover_config config;
    struct sm sm;
    struct proc *child;
    int pid;
    int socket;
    struct loop_fd *watch;
    struct loop_timer late, retry;
    struct parcel *first, **last;
    struct buf sockets_message;
    int sockets[LIMIT_FDPASS_FDS]; /* copies: the sockets may not be ours for ever */
    size_t socket_count;
    char why[ERR_TEXT_MAX];
    bool freed;
};

static void parcel_free(struct parcel *p)
{
    for (int i = 0; i < 2; i++)
        if (p->fds[i] >= 0)
            close(p->fds[i]);
    buf_release(&p->bytes);
    free(p);
}

static bool was_ready(const struct takeover *t)
{
    unsigned st = sm_state(&t->sm);
    return st == TAKEOVER_HANDING || st == TAKEOVER_LEAVING || st == TAKEOVER_LEFT;
}

/* Everything but the memory. */
static void close_all(struct takeover *t)
{
    struct loop *loop = t->config.loop;
    loop_timer_cancel(loop, &t->late);
    loop_timer_cancel(loop, &t->retry);
    loop_remove_fd(loop, t->watch);
    t->watch = NULL;
    if (t->socket >= 0)
        close(t->socket);
    t->socket = -1;
    while (t->first) {
        struct parcel *p = t->first;
        t->first = p->next;
        parcel_free(p);
    }
    t->last = &t->first;
    for (size_t i = 0; i < t->socket_count; i++)
        close(t->sockets[i]);
    t->socket_count = 0;
}

static void fail(struct takeover *t, const char *why, int wait_status)
{
    if (sm_final(&t->sm))
        return;
    bool ready = was_ready(t), stopped = ready && WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0;
    snprintf(t->why, sizeof t->why, "%s", why);
    sm_move(&t->sm, TAKEOVER_FAILED);
    close_all(t);
    proc_free(t->child); /* two that accept and do not know of each other would be worse than the connections it has */
    t->child = NULL;
    t->config.failed(t->config.arg, t->why, ready, stopped);
}

#define NOT_ENDED 0xff00 /* a wait status that is no clean end */

static void on_exit_of_child(void *arg, int wait_status)
{
    struct takeover *t = arg;
    char how[64], why[ERR_TEXT_MAX + 128];
    proc_describe(wait_status, how, sizeof how);
    snprintf(why, sizeof why, "the new program %s%s%s", how, t->why[0] ? ": " : "", t->why);
    fail(t, why, wait_status);
}

static void on_late(void *arg)
{
    char why[120];
    const struct takeover *t = arg;
    snprintf(why, sizeof why, "the new program was not ready within %u s", t->config.ready_ms / 1000);
    fail(arg, why, NOT_ENDED);
}

/* ---- sending ---- */

static void flush(struct takeover *t);

static void on_retry(void *arg)
{
    flush(arg);
}

static void finish(struct takeover *t)
{
    sm_move(&t->sm, TAKEOVER_LEFT);
    close_all(t);
    proc_disown(t->child);
    t->child = NULL;
    t->config.left(t->config.arg);
}

static void flush(struct takeover *t)
{
    struct err err = ERR_INIT;
    while (t->first) {
        struct parcel *p = t->first;
        if (p->fds[0] >= 0 && FAULT("takeover.give")) {
            fail(t, "the connection to the new program broke", NOT_ENDED);
            return;
        }
        enum status st = fdpass_send(t->socket, buf_str(&p->bytes), p->fds,
                                     (size_t)(p->fds[0] >= 0) + (size_t)(p->fds[1] >= 0), &err);
        if (st == STATUS_AGAIN) {
            loop_set_events(t->config.loop, t->watch, LOOP_READ | LOOP_WRITE);
            loop_timer_after_ms(t->config.loop, &t->retry, RETRY_MS);
            return;
        }
        if (st != STATUS_OK) {
            fail(t, err.text, NOT_ENDED);
            return;
        }
        t->first = p->next;
        parcel_free(p);
    }
    t->last = &t->first;
    loop_timer_cancel(t->config.loop, &t->retry);
    loop_set_events(t->config.loop, t->watch, LOOP_READ);
}

static void post(struct takeover *t, struct parcel *p)
{
    bool idle = !t->first;
    *t->last = p;
    t->last = &p->next;
    if (idle)
        flush(t);
}

static struct parcel *parcel_new(enum msg_type type, int fd, int other_fd)
{
    struct parcel *p = MEM_NEW(struct parcel);
    p->fds[0] = fd;
    p->fds[1] = other_fd;
    buf_init(&p->bytes, LIMIT_FDPASS_BYTES);
    msg_begin(&p->bytes, type);
    return p;
}

void takeover_give(struct takeover *t, unsigned index, int own_fd, int other_fd, str unread, str note)
{
    ASSERT(unread.n <= LIMIT_TAKEOVER_UNREAD && note.n <= LIMIT_TAKEOVER_NOTE);
    if (sm_state(&t->sm) != TAKEOVER_HANDING) { /* it failed a moment ago */
        close(own_fd);
        if (other_fd >= 0)
            close(other_fd);
        return;
    }
    struct parcel *p = parcel_new(other_fd >= 0 ? MSG_TUNNEL : MSG_CONNECTION, own_fd, other_fd);
    msg_put_number(&p->bytes, MSG_TAG_SOCKET, index);
    msg_put(&p->bytes, MSG_TAG_UNREAD, unread);
    if (note.n)
        msg_put(&p->bytes, MSG_TAG_NOTE, note);
    post(t, p);
}

void takeover_leave(struct takeover *t)
{
    if (sm_state(&t->sm) != TAKEOVER_HANDING)
        return;
    if (FAULT("takeover.leave")) {
        fail(t, "the connection to the new program broke", NOT_ENDED);
        return;
    }
    sm_move(&t->sm, TAKEOVER_LEAVING);
    post(t, parcel_new(MSG_DONE, -1, -1));
}

/* ---- receiving ---- */

static void send_sockets(struct takeover *t)
{
    struct err err = ERR_INIT;
    enum status st = FAULT("takeover.sockets")
                         ? err_set(&err, STATUS_IO, "the sockets cannot be handed over")
                         : fdpass_send(t->socket, buf_str(&t->sockets_message), t->sockets, t->socket_count, &err);
    if (st == STATUS_OK)
        sm_move(&t->sm, TAKEOVER_WARMING);
    else
        fail(t, st == STATUS_AGAIN ? "the sockets cannot be handed over now" : err.text, NOT_ENDED);
}

static void on_ready(struct takeover *t)
{
    if (FAULT("takeover.switch")) {
        fail(t, "the connection to the new program broke", NOT_ENDED);
        return;
    }
    sm_move(&t->sm, TAKEOVER_HANDING);
    loop_timer_cancel(t->config.loop, &t->late);
    t->config.ready(t->config.arg, t->pid);
}

static void receive(struct takeover *t, const struct msg *m)
{
    unsigned st = sm_state(&t->sm);
    if (m->type == MSG_HELLO && st == TAKEOVER_STARTING) {
        log_line(LOG_INFO, "takeover", "process %d, version %.*s, prepares itself", t->pid,
                 STR_ARG(m->fields[MSG_TAG_PROGRAM]));
        send_sockets(t);
    } else if (m->type == MSG_READY && st == TAKEOVER_WARMING) {
        on_ready(t);
    } else if (m->type == MSG_ALONE && st == TAKEOVER_LEAVING) {
        finish(t);
    } else if (m->type == MSG_FAILED && (st == TAKEOVER_WARMING || st == TAKEOVER_STARTING)) {
        snprintf(t->why, sizeof t->why, "%.*s", STR_ARG(m->fields[MSG_TAG_WHY])); /* its end follows */
    } else if (m->type != MSG_UNKNOWN) {
        char why[120];
        snprintf(why, sizeof why, "the new program said \"%s\" while it was %s", msg_name(m->type),
                 sm_state_name(&t->sm));
        fail(t, why, NOT_ENDED);
    }
}

static void on_event(void *arg, unsigned events)
{
    struct takeover *t = arg;
    char space[LIMIT_TAKEOVER_WORD];
    int fds[LIMIT_FDPASS_FDS];
    if (events & LOOP_WRITE)
        flush(t);
    while (t->watch) {
        struct err err = ERR_INIT;
        struct msg m;
        str bytes;
        size_t count = 0;
        enum status st = fdpass_receive(t->socket, space, sizeof space, &bytes, fds, &count, &err);
        if (st == STATUS_AGAIN)
            return;
        if (st == STATUS_CLOSED) { /* it ends; how is told by its exit status */
            loop_remove_fd(t->config.loop, t->watch);
            t->watch = NULL;
            return;
        }
        if (st == STATUS_OK)
            st = msg_read(bytes, count, &m, &err);
        for (size_t i = 0; i < count; i++)
            close(fds[i]); /* none is wanted */
        if (st == STATUS_OK)
            receive(t, &m);
        else
            fail(t, err.text, NOT_ENDED);
    }
}

/* ---- life ---- */

static enum status prepare(struct takeover *t, struct err *err)
{
    const struct takeover_config *c = &t->config;
    if (!c->socket_count || c->socket_count > LIMIT_FDPASS_FDS || c->state.n > LIMIT_TAKEOVER_STATE)
        return err_set(err, STATUS_INVALID, "1 to %d sockets can be handed over", LIMIT_FDPASS_FDS);
    struct buf labels;
    buf_init(&labels, LIMIT_FDPASS_BYTES);
    for (size_t i = 0; i < c->socket_count; i++) {
        int fd = dup_cloexec(c->sockets[i].fd);
        if (fd < 0) {
            buf_release(&labels);
            return err_set(err, STATUS_IO, "no descriptor is left");
        }
        t->sockets[t->socket_count++] = fd;
        buf_puts(&labels, c->sockets[i].label);
        buf_putc(&labels, '\0');
    }
    msg_begin(&t->sockets_message, MSG_SOCKETS);
    msg_put(&t->sockets_message, MSG_TAG_LABELS, buf_str(&labels));
    if (c->state.n)
        msg_put(&t->sockets_message, MSG_TAG_STATE, c->state);
    buf_release(&labels);
    return t->sockets_message.over ? err_set(err, STATUS_INVALID, "the names of the sockets are too long") : STATUS_OK;
}

/* Our environment, with the number of the socket and without what is for this process alone. */
static char **make_environment(struct arena *a)
{
    size_t count = 0;
    while (environ[count])
        count++;
    char **env = ARENA_ARRAY(a, char *, count + 2);
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        if (!str_starts(str_of(environ[i]), STR("WATCHDOG_PID=")) &&
            !str_starts(str_of(environ[i]), STR(TAKEOVER_VARIABLE "=")))
            env[n++] = environ[i];
    env[n] = arena_cstr(a, arena_printf(a, TAKEOVER_VARIABLE "=%d", TAKEOVER_FD));
    return env;
}

static enum status start_child(struct takeover *t, struct err *err)
{
    int pair[2];
    enum status st =
        FAULT("takeover.start") ? err_set(err, STATUS_IO, "no process can be started") : fdpass_pair(pair, err);
    if (st != STATUS_OK)
        return st;
    struct arena *a = arena_new(0);
    const struct proc_fd fds[] = {{pair[1], TAKEOVER_FD}};
    const struct proc_config c = {
        .path = t->config.program, .argv = t->config.argv, .envp = make_environment(a), .fds = fds, .fd_count = 1};
    t->socket = pair[0];
    st = proc_spawn(t->config.loop, &c, on_exit_of_child, t, &t->child, err);
    close(pair[1]);
    arena_free(a);
    if (st == STATUS_OK)
        t->pid = (int)proc_pid(t->child);
    return st == STATUS_OK ? loop_add_fd(t->config.loop, t->socket, LOOP_READ, on_event, t, &t->watch, err) : st;
}

static void free_memory(void *arg)
{
    struct takeover *t = arg;
    buf_release(&t->sockets_message);
    free(t);
}

void takeover_free(struct takeover *t)
{
    if (!t || t->freed)
        return;
    t->freed = true;
    close_all(t);
    if (was_ready(t))
        proc_disown(t->child);
    else
        proc_free(t->child);
    loop_defer(t->config.loop, free_memory, t);
}

enum status takeover_new(const struct takeover_config *config, struct takeover **ret, struct err *err)
{
    struct takeover *t = MEM_NEW(struct takeover);
    t->config = *config;
    t->socket = -1;
    t->last = &t->first;
    sm_init(&t->sm, "takeover", takeover_states, TAKEOVER_STATES, TAKEOVER_STARTING);
    buf_init(&t->sockets_message, LIMIT_FDPASS_BYTES);
    loop_timer_init(&t->late, on_late, t);
    loop_timer_init(&t->retry, on_retry, t);
    enum status st = prepare(t, err);
    if (st == STATUS_OK)
        st = start_child(t, err);
    if (st != STATUS_OK) {
        takeover_free(t);
        return st;
    }
    t->config.sockets = NULL;
    loop_timer_after_ms(config->loop, &t->late, config->ready_ms);
    *ret = t;
    return STATUS_OK;
}

enum takeover_state takeover_state(const struct takeover *t)
{
    return (enum takeover_state)sm_state(&t->sm);
}
