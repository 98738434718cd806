/* SPDX-License-Identifier: Apache-2.0 */
#include "rt/thread.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

struct start {
    void (*fn)(void *arg);
    void *arg;
    char name[16]; /* as much as the kernel keeps */
    int nice;
};

static void *thread_main(void *arg)
{
    struct start s = *(struct start *)arg;
    free(arg);
    (void)pthread_setname_np(pthread_self(), s.name);
    if (s.nice != 0) {
        id_t tid = (id_t)gettid();
        errno = 0;
        int base = getpriority(PRIO_PROCESS, tid);
        int value = (errno ? 0 : base) + s.nice;
        if (setpriority(PRIO_PROCESS, tid, value) < 0)
            log_line(LOG_WARN, "thread", "cannot set nice value %d of thread %s: errno %d", value, s.name, errno);
    }
    s.fn(s.arg);
    return NULL;
}

enum status thread_start(const char *name, int nice, void (*fn)(void *arg), void *arg, pthread_t *ret, struct err *err)
{
    struct start *s = mem_alloc(sizeof(*s));
    *s = (struct start){.fn = fn, .arg = arg, .nice = nice};
    snprintf(s->name, sizeof(s->name), "%s", name);

    sigset_t all, old;
    sigfillset(&all);
    ASSERT(pthread_sigmask(SIG_SETMASK, &all, &old) == 0); /* the new thread inherits: no moment with signals open */
    int rc = pthread_create(ret, NULL, thread_main, s);
    ASSERT(pthread_sigmask(SIG_SETMASK, &old, NULL) == 0);
    if (rc != 0) {
        free(s);
        return err_sys(err, STATUS_IO, rc, "cannot start thread %s", name);
    }
    return STATUS_OK;
}

void thread_join(pthread_t t)
{
    ASSERT(pthread_join(t, NULL) == 0);
}

unsigned thread_cpus(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0)
        return (unsigned)CPU_COUNT(&set);
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (unsigned)n : 1;
}
