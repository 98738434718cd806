/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox_calls — which system calls the program may make. The lists are in sandbox_filters.c, which makes the kernel's
 * filters of them when this program is built.
 *
 * The program itself has to be started by execve after the filter is there. So execve asks a listener (the parent of
 * the sandbox, seccomp_unotify(2)): it lets the first through and closes the listener, and from then on the kernel
 * answers ENOSYS to each further one. There is nothing to look at in the first one's arguments, for all code that runs
 * until then is ours. A program that goes on in this process (sandbox_own.c) needs no start: nobody listens from the
 * beginning. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rt/sandbox_filters.h"
#include "rt/sandbox_impl.h"

#include "base/banned.h"

#define PROGRAM(filter)                                                                                                \
    {                                                                                                                  \
        (unsigned short)ARRAY_LEN(filter), (struct sock_filter *)(uintptr_t)(filter)                                   \
    }

void sandbox_calls_lock(const struct sandbox_config *c, bool starts, int *ret_listener, struct sandbox_missing *missing)
{
    static const struct sock_fprog programs[] = {PROGRAM(filter_0), PROGRAM(filter_1), PROGRAM(filter_2),
                                                 PROGRAM(filter_3)};
    const struct sock_fprog *program = &programs[(c->network ? 2 : 0) + (c->children ? 1 : 0)];
    bool asks = starts && !c->children;
    long rc = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (rc == 0) /* a new listener is close-on-exec */
        rc = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, asks ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0, program);
    *ret_listener = rc >= 0 && asks ? (int)rc : -1;
    if (rc < 0)
        sandbox_missing_add(missing, SANDBOX_SECCOMP, "%s", strerror(errno));
}

bool sandbox_calls_let_start(int listener)
{
    struct seccomp_notif_sizes sizes;
    union { /* a newer kernel's may be longer */
        struct seccomp_notif asked;
        struct seccomp_notif_resp answer;
        char room[1024];
    } u = {.room = {0}};
    if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) != 0 || sizes.seccomp_notif > sizeof u ||
        sizes.seccomp_notif_resp > sizeof u || ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &u.asked) != 0)
        return false;
    uint64_t id = u.asked.id;
    memset(&u, 0, sizeof u);
    u.answer.id = id;
    u.answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &u.answer) == 0;
}
