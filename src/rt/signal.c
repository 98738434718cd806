/* SPDX-License-Identifier: Apache-2.0 */
#include "rt/signal.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/mem.h"

struct signal_source {
    struct loop *loop;
    struct loop_fd *watch;
    int fd;
    bool freed; /* by its own callback; the memory goes at the end of the round */
    void (*fn)(void *arg, int signo, int sender_pid);
    void *arg;
    sigset_t old_mask;
    struct sigaction old_pipe;
};

static const struct {
    int signo;
    const char *name;
    bool watched;
} SIGNALS[] = {
    {SIGINT, "SIGINT", true},    {SIGTERM, "SIGTERM", true},  {SIGHUP, "SIGHUP", true},    {SIGUSR1, "SIGUSR1", true},
    {SIGUSR2, "SIGUSR2", true},  {SIGCHLD, "SIGCHLD", true},  {SIGPIPE, "SIGPIPE", false}, {SIGKILL, "SIGKILL", false},
    {SIGSEGV, "SIGSEGV", false}, {SIGABRT, "SIGABRT", false}, {SIGBUS, "SIGBUS", false},   {SIGFPE, "SIGFPE", false},
    {SIGILL, "SIGILL", false},   {SIGQUIT, "SIGQUIT", false}, {SIGSYS, "SIGSYS", false},   {SIGXCPU, "SIGXCPU", false},
};

const char *signal_name(int signo)
{
    for (size_t i = 0; i < ARRAY_LEN(SIGNALS); i++)
        if (SIGNALS[i].signo == signo)
            return SIGNALS[i].name;
    return "signal";
}

static void on_readable(void *arg, unsigned events)
{
    struct signal_source *s = arg;
    (void)events;
    struct signalfd_siginfo info[16];
    ssize_t n = read(s->fd, info, sizeof(info));
    if (n < 0)
        return; /* EAGAIN: another thread of a forked copy took it; the level trigger brings us back */
    for (size_t i = 0; i < (size_t)n / sizeof(info[0]) && !s->freed; i++)
        s->fn(s->arg, (int)info[i].ssi_signo, info[i].ssi_code == SI_KERNEL ? 0 : (int)info[i].ssi_pid);
}

enum status signal_source_new(struct loop *loop, void (*fn)(void *arg, int signo, int sender_pid), void *arg,
                              struct signal_source **ret, struct err *err)
{
    struct signal_source *s = mem_alloc(sizeof(*s));
    *s = (struct signal_source){.loop = loop, .fn = fn, .arg = arg};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_LEN(SIGNALS); i++)
        if (SIGNALS[i].watched)
            sigaddset(&set, SIGNALS[i].signo);
    s->fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    enum status st = s->fd < 0 ? err_sys(err, STATUS_IO, errno, "cannot make a signal descriptor")
                               : loop_add_fd(loop, s->fd, LOOP_READ, on_readable, s, &s->watch, err);
    if (st != STATUS_OK) {
        if (s->fd >= 0)
            close(s->fd);
        free(s);
        return st;
    }
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    ASSERT(pthread_sigmask(SIG_BLOCK, &set, &s->old_mask) == 0);
    ASSERT(sigaction(SIGPIPE, &ignore, &s->old_pipe) == 0);
    *ret = s;
    return STATUS_OK;
}

void signal_source_free(struct signal_source *s)
{
    if (!s)
        return;
    s->freed = true;
    loop_remove_fd(s->loop, s->watch);
    close(s->fd);
    ASSERT(sigaction(SIGPIPE, &s->old_pipe, NULL) == 0);
    ASSERT(pthread_sigmask(SIG_SETMASK, &s->old_mask, NULL) == 0);
    loop_defer(s->loop, free, s);
}
