/* SPDX-License-Identifier: Apache-2.0 */
/* supervisor — the process that people and systemd see: one number for as long as the service lives.
 *
 *   supervisor --channel (a pair of sockets)--> edge --takeover--> next edge, with the same channel
 *
 * It binds nothing, reads no request and knows no app. It keeps copies of what an edge must not lose (listening
 * sockets, the lock of the state folder, the keys of session tickets), passes signals on, speaks to systemd, and waits
 * for processes whose parent is gone: the edge's apps are its grandchildren, and when an edge dies they become its
 * children (PR_SET_CHILD_SUBREAPER), not strangers.
 *
 * Alive means: somebody has the other end of the channel. An edge that hands over gives it to its successor with the
 * sockets; so of two edges either may die, and only when both are gone is one started anew. No process number is
 * compared with another. The new one finds in its channel what the dead one had: clients that came meanwhile wait in
 * the queue of the listening socket and notice a pause of some milliseconds.
 *
 * When the supervisor itself is killed nothing happens to anybody: the edge sees the end of the channel and starts
 * another supervisor (link.c), which asks what it is to keep. After the upgrade of an edge the supervisor becomes the
 * new program as well (exec), keeps its number, and asks in the same way. What it kept goes along in a socket of its
 * own, so that at no moment the edge is the only one who has the listening sockets.
 *
 * It ends when the edge said that it was told to stop; or with the edge's exit status when the first one never became
 * ready. An edge that dies again and again is started with growing pauses.
 *
 * Not here: what an edge does with all that (link.c, legacy.c). Tests: tests/edge/test_kill.py. */
#include "edge/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "rt/cgroup.h"
#include "rt/fault.h"
#include "rt/fdpass.h"
#include "rt/msg.h"
#include "rt/notify.h"
#include "rt/proc.h"
#include "rt/signal.h"
#include "rt/takeover.h"

#define AGAIN_FIRST_MS  20
#define AGAIN_MAX_MS    30000
#define AGAIN_SERVED_MS 80 /* ... of one that served: a start costs some 20 ms, silence costs every visitor more */
#define STABLE_US       INT64_C(300000) /* one that served so long died by accident: the next one comes at once */
#define TRIES_MAX       5               /* of an edge that was never ready */
#define STORED_NAME     "edge"          /* of sockets that systemd keeps for us */

struct supervisor {
    struct loop *loop;
    struct signal_source *signals;
    struct arena *arena; /* as long as the program */
    struct arena *kept_arena;
    struct takeover_socket kept[LIMIT_FDPASS_FDS];
    size_t kept_count;
    str state;
    char **argv;
    int channel;
    struct loop_fd *watch;         /* NULL: no edge has the other end */
    struct proc *child;            /* the edge we started last */
    struct proc *serving;          /* the one that said it serves, when it is another one */
    bool ready, stopped, stopping; /* ready: some edge was */
    uint64_t unheard;              /* signals that came while nobody was known to pass them on to */
    bool served;                   /* the one we started last was */
    int wait_status;               /* of `child`, when it ended */
    unsigned failures;
    int64_t began_us;
    struct loop_timer again;
    int exit_code;
    struct err err;
};

enum supervisor_role supervisor_role(struct supervisor_ends *ret)
{
    bool watched = getenv(SUPERVISOR_CHANNEL) != NULL, again = getenv(SUPERVISOR_EDGE) != NULL;
    bool kept = again && getenv(SUPERVISOR_KEPT) != NULL;
    unsetenv(SUPERVISOR_CHANNEL);
    unsetenv(SUPERVISOR_EDGE);
    unsetenv(SUPERVISOR_KEPT);
    *ret = (struct supervisor_ends){.channel = watched || again ? SUPERVISOR_FD : -1,
                                    .kept = kept ? SUPERVISOR_KEPT_FD : -1};
    if (ret->channel >= 0 && fcntl(SUPERVISOR_FD, F_SETFD, FD_CLOEXEC) != 0) { /* left over from somebody else */
        watched = again = kept = false;
        *ret = (struct supervisor_ends){-1, -1};
    }
    if (kept && fcntl(SUPERVISOR_KEPT_FD, F_SETFD, FD_CLOEXEC) != 0)
        ret->kept = -1;
    return watched ? SUPERVISOR_WATCHED : again ? SUPERVISOR_AGAIN : SUPERVISOR_FIRST;
}

/* Ours, with `variable`, and without what is for this process alone. An edge that is started again meets no fault that
 * was meant for the one before it. */
char **supervisor_environment(struct arena *a, const char *variable, bool again)
{
    static const char *const own[] = {SUPERVISOR_CHANNEL "=", SUPERVISOR_EDGE "=", SUPERVISOR_KEPT "=", "WATCHDOG_PID=",
                                      "LISTEN_PID=",          "LISTEN_FDS=",       "LISTEN_FDNAMES="};
    VEC(char *) v = {0};
    for (char **e = environ; *e; e++) {
        bool leave_out = again && fault_compiled_in() && str_starts(str_of(*e), STR("VITRINE_FAULT="));
        for (size_t i = 0; i < ARRAY_LEN(own); i++)
            leave_out = leave_out || str_starts(str_of(*e), str_of(own[i]));
        if (!leave_out)
            VEC_PUSH(a, &v, *e);
    }
    VEC_PUSH(a, &v, arena_cstr(a, arena_printf(a, "%s=1", variable)));
    VEC_PUSH(a, &v, NULL);
    return v.items;
}

/* ---- what is kept ---- */

static void drop_kept(struct supervisor *s)
{
    for (size_t i = 0; i < s->kept_count; i++)
        close(s->kept[i].fd);
    s->kept_count = 0;
    s->state = STR("");
    arena_free(s->kept_arena);
    s->kept_arena = arena_new(0);
}

static void keep(struct supervisor *s, const struct msg *m, const int *fds, size_t count)
{
    str rest = m->fields[MSG_TAG_LABELS], label;
    drop_kept(s);
    for (size_t i = 0; i < count; i++) {
        if (!str_cut(rest, '\0', &label, &rest))
            label = STR("");
        s->kept[s->kept_count++] = (struct takeover_socket){fds[i], arena_str(s->kept_arena, label)};
        if (str_starts(label, STR("listen ")) || str_starts(label, STR("systemd ")))
            (void)notify_store(fds[i], STORED_NAME);
    }
    s->state = arena_str(s->kept_arena, m->fields[MSG_TAG_STATE]);
    (void)FAULT("supervisor.keep");
}

static enum status send_kept(const struct supervisor *s, int channel, struct err *err)
{
    struct buf b;
    int fds[LIMIT_FDPASS_FDS];
    buf_init(&b, LIMIT_FDPASS_BYTES);
    msg_begin(&b, MSG_KEEP);
    struct buf labels;
    buf_init(&labels, LIMIT_FDPASS_BYTES);
    for (size_t i = 0; i < s->kept_count; i++) {
        fds[i] = s->kept[i].fd;
        buf_puts(&labels, s->kept[i].label);
        buf_putc(&labels, '\0');
    }
    msg_put(&b, MSG_TAG_LABELS, buf_str(&labels));
    msg_put(&b, MSG_TAG_STATE, s->state);
    enum status st = fdpass_send(channel, buf_str(&b), fds, s->kept_count, err);
    buf_release(&labels);
    buf_release(&b);
    return st == STATUS_AGAIN ? err_set(err, STATUS_IO, "the edge cannot be told what it has") : st;
}

/* ---- the edge ---- */

static void check_end(struct supervisor *s);
static void on_channel(void *arg, unsigned events);

static void on_child_end(void *arg, int wait_status)
{
    struct supervisor *s = arg;
    s->wait_status = wait_status;
    proc_free(s->child);
    s->child = NULL;
    check_end(s);
}

static enum status start(struct supervisor *s, struct err *err)
{
    int pair[2];
    struct arena *a = arena_new(0);
    (void)FAULT("supervisor.start");
    enum status st = fdpass_pair(pair, err);
    if (st != STATUS_OK) {
        arena_free(a);
        return st;
    }
    const struct proc_fd fds[] = {{pair[1], SUPERVISOR_FD}};
    const struct proc_config c = {.path = proc_own_program(s->argv[0]),
                                  .argv = s->argv,
                                  .envp = supervisor_environment(a, SUPERVISOR_CHANNEL, s->began_us != 0),
                                  .fds = fds,
                                  .fd_count = 1};
    st = proc_spawn(s->loop, &c, on_child_end, s, &s->child, err);
    close(pair[1]);
    arena_free(a);
    s->channel = pair[0];
    s->began_us = loop_refresh_now_us(s->loop);
    s->wait_status = -1;
    s->served = false;
    if (st == STATUS_OK)
        st = send_kept(s, s->channel, err);
    if (st == STATUS_OK)
        st = loop_add_fd(s->loop, s->channel, LOOP_READ, on_channel, s, &s->watch, err);
    if (st != STATUS_OK) {
        close(s->channel);
        s->channel = -1;
    }
    return st;
}

static void plan_start(struct supervisor *s)
{
    int64_t lived_us = loop_refresh_now_us(s->loop) - s->began_us;
    s->failures = s->served && lived_us > STABLE_US ? 1 : s->failures + 1;
    int64_t most_ms = s->served ? AGAIN_SERVED_MS : AGAIN_MAX_MS;
    int64_t wait_ms = s->failures <= 2 ? 0 : MIN(most_ms, (int64_t)AGAIN_FIRST_MS << MIN(s->failures, 12u));
    loop_timer_after_ms(s->loop, &s->again, wait_ms);
}

static void on_again(void *arg)
{
    struct supervisor *s = arg;
    struct err err = ERR_INIT;
    if (start(s, &err) != STATUS_OK) {
        log_line(LOG_ERROR, "edge", "the edge cannot be started again: %s", err.text);
        plan_start(s);
    }
}

/* Nobody has the other end of the channel, and how our child ended is known. */
static void check_end(struct supervisor *s)
{
    char how[64];
    if (s->watch || s->child || loop_timer_armed(&s->again))
        return;
    /* One that says why it cannot start says it once; one that is killed meanwhile gets some more tries. */
    bool killed = s->wait_status >= 0 && WIFSIGNALED(s->wait_status) && s->failures < TRIES_MAX;
    if (s->stopped || s->stopping || (!s->ready && !killed)) {
        bool exited = s->wait_status >= 0 && WIFEXITED(s->wait_status);
        bool told = s->stopping && s->wait_status >= 0 && WIFSIGNALED(s->wait_status) &&
                    (WTERMSIG(s->wait_status) == SIGTERM || WTERMSIG(s->wait_status) == SIGINT);
        s->exit_code = s->stopped || told ? 0 : exited && WEXITSTATUS(s->wait_status) ? WEXITSTATUS(s->wait_status) : 1;
        loop_stop(s->loop);
        return;
    }
    if (s->wait_status < 0)
        (void)snprintf(how, sizeof how, "how is not known: it was no child of ours");
    else
        proc_describe(s->wait_status, how, sizeof how);
    log_line(LOG_ERROR, "edge", "the edge is gone (%s); it is started again, its apps and sockets are still there",
             how);
    plan_start(s);
}

static void on_serving_end(void *arg, int wait_status)
{
    struct supervisor *s = arg;
    s->wait_status = wait_status;
    proc_free(s->serving);
    s->serving = NULL;
}

static void pass_on(struct supervisor *s, int signo)
{
    struct proc *edge = s->serving ? s->serving : s->child;
    if (edge)
        (void)proc_kill(edge, signo);
    else
        s->unheard |= UINT64_C(1) << signo;
}

/* Whoever serves from now on is told what its predecessor was told on its way out, or nobody was. */
static void repeat(struct supervisor *s)
{
    uint64_t signals = s->unheard;
    s->unheard = 0;
    for (int signo = 1; signo < 64; signo++)
        if (signals >> signo & 1)
            pass_on(s, signo);
    if (s->stopping && !s->stopped && !(signals >> SIGTERM & 1))
        pass_on(s, SIGTERM);
}

static void note_serving(struct supervisor *s, pid_t pid)
{
    if (s->serving && proc_pid(s->serving) == pid) /* told unasked, and again when asked */
        return;
    proc_disown(s->serving);
    s->serving = NULL;
    s->ready = s->served = true;
    struct err err = ERR_INIT;
    if ((!s->child || proc_pid(s->child) != pid) &&
        proc_adopt(s->loop, pid, proc_start_ticks(pid), on_serving_end, s, &s->serving, &err) != STATUS_OK)
        log_line(LOG_WARN, "edge", "signals cannot be passed on: %s", err.text);
    repeat(s);
}

static bool program_replaced(const char *program)
{
    bool same;
    return strchr(program, '/') && proc_compare_own(program, &same) && !same;
}

/* What is kept, as a message to ourselves: what a socket holds stays there when its other end is closed. */
static int put_by(const struct supervisor *s)
{
    struct err err = ERR_INIT;
    int pair[2];
    if (fdpass_pair(pair, &err) != STATUS_OK)
        return -1;
    bool sent = send_kept(s, pair[0], &err) == STATUS_OK;
    close(pair[0]);
    if (sent)
        return pair[1];
    log_line(LOG_WARN, "edge", "the new program has to ask what it is to keep: %s", err.text);
    close(pair[1]);
    return -1;
}

/* `fd` (taken) as the descriptor `to` of the next program; whatever was there is closed by exec anyway. */
static bool give(int fd, int to)
{
    bool given = fd == to ? fcntl(to, F_SETFD, 0) == 0 : dup2(fd, to) == to;
    if (fd != to)
        close(fd);
    return given;
}

/* The same process goes on as the new program. Copies are made above the numbers that they are to have: those may be in
 * use, and when exec fails everything is as it was but for two descriptors that nobody knows. */
static void renew(struct supervisor *s)
{
    const char *program = proc_own_program(s->argv[0]);
    if (s->stopping || s->stopped || !program_replaced(program)) /* one that was told to end must not forget it */
        return;
    log_line(LOG_INFO, "edge", "the supervisor becomes the new program");
    int held[2] = {fcntl(SUPERVISOR_FD, F_DUPFD_CLOEXEC, SUPERVISOR_KEPT_FD + 1),
                   fcntl(SUPERVISOR_KEPT_FD, F_DUPFD_CLOEXEC, SUPERVISOR_KEPT_FD + 1)};
    int channel = fcntl(s->channel, F_DUPFD_CLOEXEC, SUPERVISOR_KEPT_FD + 1);
    int by = put_by(s), kept = by < 0 ? -1 : fcntl(by, F_DUPFD_CLOEXEC, SUPERVISOR_KEPT_FD + 1);
    if (by >= 0)
        close(by);
    int error = EMFILE;
    if (channel >= 0 && give(channel, SUPERVISOR_FD)) {
        (void)setenv(SUPERVISOR_EDGE, "1", 1);
        if (kept >= 0 && give(kept, SUPERVISOR_KEPT_FD))
            (void)setenv(SUPERVISOR_KEPT, "1", 1);
        execv(program, s->argv);
        error = errno;
    }
    (void)unsetenv(SUPERVISOR_EDGE);
    (void)unsetenv(SUPERVISOR_KEPT);
    for (int i = 0; i < 2; i++) { /* back to their numbers */
        int fd = SUPERVISOR_FD + i;
        if (held[i] < 0)
            close(fd);
        else if (dup3(held[i], fd, O_CLOEXEC) == fd)
            close(held[i]);
    }
    log_line(LOG_WARN, "edge", "the supervisor stays what it was: %s", strerrordesc_np(error));
}

static void on_message(struct supervisor *s, const struct msg *m, const int *fds, size_t count)
{
    char text[1024];
    size_t taken = 0;
    if (m->type == MSG_KEEP) {
        keep(s, m, fds, count);
        taken = count;
    } else if (m->type == MSG_MAIN) {
        note_serving(s, (pid_t)m->numbers[MSG_TAG_PID]);
    } else if (m->type == MSG_NOTIFY) {
        (void)snprintf(text, sizeof text, "%.*s", STR_ARG(m->fields[MSG_TAG_TEXT]));
        (void)notify_send(text);
    } else if (m->type == MSG_STOPPED) {
        s->stopped = true;
    } else if (m->type == MSG_RENEW) {
        renew(s);
    }
    for (size_t i = taken; i < count; i++)
        close(fds[i]);
}

/* *ret_m stays valid until the next. As fdpass_receive and msg_read; after anything but OK no descriptor is left. */
static enum status receive(int socket, struct msg *ret_m, int fds[LIMIT_FDPASS_FDS], size_t *ret_count, struct err *err)
{
    static char space[LIMIT_FDPASS_BYTES]; /* one supervisor in a process */
    size_t count = 0;
    str bytes;
    enum status st = fdpass_receive(socket, space, sizeof space, &bytes, fds, &count, err);
    if (st == STATUS_OK)
        st = msg_read(bytes, count, ret_m, err);
    for (size_t i = 0; i < count && st != STATUS_OK; i++)
        close(fds[i]);
    *ret_count = count;
    return st;
}

static void on_channel(void *arg, unsigned events)
{
    struct supervisor *s = arg;
    (void)events;
    while (s->watch) {
        struct err err = ERR_INIT;
        struct msg m = {0};
        int fds[LIMIT_FDPASS_FDS];
        size_t count;
        enum status st = receive(s->channel, &m, fds, &count, &err);
        if (st == STATUS_AGAIN)
            return;
        if (st == STATUS_OK) {
            on_message(s, &m, fds, count);
            continue;
        }
        if (st == STATUS_PROTOCOL) {
            log_line(LOG_ERROR, "edge", "the edge told its supervisor: %s", err.text);
            continue;
        }
        loop_remove_fd(s->loop, s->watch);
        s->watch = NULL;
        close(s->channel);
        s->channel = -1;
        check_end(s);
    }
}

/* ---- signals ---- */

/* Whoever lost its parent is ours now. The edge that we started is waited for by its own descriptor. */
static void reap_strangers(const struct supervisor *s)
{
    siginfo_t info = {0};
    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid > 0 &&
           (!s->child || info.si_pid != proc_pid(s->child))) {
        while (waitpid(info.si_pid, NULL, 0) < 0 && errno == EINTR)
            ;
        info.si_pid = 0;
    }
}

static void on_signal(void *arg, int signo, int sender_pid)
{
    struct supervisor *s = arg;
    (void)sender_pid;
    if (signo == SIGCHLD) {
        reap_strangers(s);
        return;
    }
    if (signo == SIGTERM || signo == SIGINT) {
        s->stopping = true;
        if (loop_timer_armed(&s->again)) { /* between two edges */
            loop_timer_cancel(s->loop, &s->again);
            check_end(s);
            return;
        }
    }
    pass_on(s, signo);
}

/* ---- life ---- */

/* Sockets of a socket unit, or those that systemd kept for us. */
static void take_systemd(struct supervisor *s)
{
    int count = notify_listen_fds();
    for (int i = 0; i < count; i++) {
        if (s->kept_count == LIMIT_FDPASS_FDS) {
            close(3 + i);
            continue;
        }
        str label = arena_printf(s->kept_arena, "systemd %s", notify_listen_name(i));
        s->kept[s->kept_count++] = (struct takeover_socket){3 + i, label};
    }
}

/* What the program that we were before put by. */
static void take_kept(struct supervisor *s, int socket)
{
    struct err err = ERR_INIT;
    struct msg m = {0};
    int fds[LIMIT_FDPASS_FDS];
    size_t count;
    if (receive(socket, &m, fds, &count, &err) == STATUS_OK)
        on_message(s, &m, fds, count);
    else
        log_line(LOG_WARN, "edge", "what the supervisor kept is lost until the edge answers: %s", err.text);
    close(socket);
}

/* The edge runs already: it is asked who it is and what is to be kept. One that is gone by now has closed its end: then
 * another one is started, as always. */
static enum status join(struct supervisor *s, const struct supervisor_ends *ends, struct err *err)
{
    struct buf b;
    char text[48];
    if (ends->kept >= 0)
        take_kept(s, ends->kept);
    (void)FAULT("supervisor.join");
    s->channel = ends->channel;
    s->ready = true;
    s->began_us = loop_now_us(s->loop);
    buf_init(&b, LIMIT_TAKEOVER_WORD);
    msg_begin(&b, MSG_ASK);
    enum status st = fdpass_send(s->channel, buf_str(&b), NULL, 0, err);
    buf_release(&b);
    if (st == STATUS_OK || st == STATUS_CLOSED)
        st = loop_add_fd(s->loop, s->channel, LOOP_READ, on_channel, s, &s->watch, err);
    (void)snprintf(text, sizeof text, "MAINPID=%d", (int)getpid());
    (void)notify_send(text);
    return st;
}

/* So that groups for what the edge starts can be made beside ours. Where the tree is not ours, whoever needs one says
 * what it goes without. */
static void settle(void)
{
    struct err err = ERR_INIT;
    enum status st = cgroup_settle(&err);
    if (st != STATUS_OK && st != STATUS_FORBIDDEN && st != STATUS_NOT_FOUND)
        log_line(LOG_WARN, "edge", "what is started gets no cgroups: %s", err.text);
}

static enum status run(struct supervisor *s, const struct supervisor_ends *ends, struct err *err)
{
    enum status st = proc_own_arguments(s->arena, &s->argv, err);
    if (st == STATUS_OK)
        st = signal_source_new(s->loop, on_signal, s, &s->signals, err);
    if (st != STATUS_OK)
        return st;
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    settle();
    if (ends->channel < 0)
        take_systemd(s);
    st = ends->channel < 0 ? start(s, err) : join(s, ends, err);
    return st == STATUS_OK ? loop_run(s->loop, err) : st;
}

enum status supervisor_run(const struct supervisor_ends *ends, int *ret_exit, struct err *err)
{
    struct supervisor s = {.channel = -1, .wait_status = -1, .arena = arena_new(0), .kept_arena = arena_new(0)};
    enum status st = loop_new(&s.loop, err);
    if (st == STATUS_OK) {
        loop_timer_init(&s.again, on_again, &s);
        st = run(&s, ends, err);
        loop_timer_cancel(s.loop, &s.again);
        loop_remove_fd(s.loop, s.watch);
        proc_disown(s.child);
        proc_disown(s.serving);
        signal_source_free(s.signals);
        loop_free(s.loop);
    }
    if (s.channel >= 0)
        close(s.channel);
    drop_kept(&s);
    arena_free(s.kept_arena);
    arena_free(s.arena);
    *ret_exit = s.exit_code;
    return st;
}
