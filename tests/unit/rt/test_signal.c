/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "rt/signal.h"
#include "test.h"

struct seen {
    struct signal_source *source;
    int signals[8], count, sender;
    bool free_at_first;
};

static void on_signal(void *arg, int signo, int sender_pid)
{
    struct seen *seen = arg;
    seen->signals[seen->count++ & 7] = signo;
    seen->sender = sender_pid;
    if (seen->free_at_first) {
        signal_source_free(seen->source);
        seen->source = NULL;
    }
}

static struct loop *begin(struct seen *seen)
{
    struct loop *l;
    struct err err = ERR_INIT;
    CHECK_INT(loop_new(&l, &err), STATUS_OK);
    CHECK_INT(signal_source_new(l, on_signal, seen, &seen->source, &err), STATUS_OK);
    return l;
}

TEST(signals_come_on_the_loop)
{
    struct seen seen = {0};
    struct loop *l = begin(&seen);
    struct err err = ERR_INIT;
    CHECK(kill(getpid(), SIGHUP) == 0 && kill(getpid(), SIGTERM) == 0 && kill(getpid(), SIGTERM) == 0);
    while (seen.count < 2)
        CHECK_INT(loop_run_once(l, 1000, &err), STATUS_OK);
    CHECK_INT(loop_run_once(l, 0, &err), STATUS_OK);
    CHECK_INT(seen.count, 2); /* two SIGTERM together are one */
    CHECK(seen.signals[0] + seen.signals[1] == SIGHUP + SIGTERM);
    CHECK_INT(seen.sender, getpid());
    signal_source_free(seen.source);
    loop_free(l);
}

TEST(a_broken_pipe_is_an_error_and_not_the_end)
{
    struct seen seen = {0};
    struct loop *l = begin(&seen);
    int p[2];
    CHECK(pipe(p) == 0);
    close(p[0]);
    CHECK(write(p[1], "x", 1) < 0 && errno == EPIPE);
    close(p[1]);
    signal_source_free(seen.source);
    struct sigaction now;
    CHECK(sigaction(SIGPIPE, NULL, &now) == 0 && now.sa_handler == SIG_DFL);
    sigset_t set;
    CHECK(pthread_sigmask(SIG_BLOCK, NULL, &set) == 0 && !sigismember(&set, SIGTERM));
    loop_free(l);
}

TEST(a_source_may_be_freed_by_its_own_callback)
{
    struct seen seen = {.free_at_first = true};
    struct loop *l = begin(&seen);
    struct err err = ERR_INIT;
    CHECK(kill(getpid(), SIGUSR1) == 0);
    while (seen.count == 0)
        CHECK_INT(loop_run_once(l, 1000, &err), STATUS_OK);
    CHECK_INT(seen.signals[0], SIGUSR1);
    loop_free(l);
}

TEST(names)
{
    CHECK_STR(str_of(signal_name(SIGTERM)), "SIGTERM");
    CHECK_STR(str_of(signal_name(63)), "signal");
}
