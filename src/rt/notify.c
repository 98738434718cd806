/* SPDX-License-Identifier: Apache-2.0 */
#include "rt/notify.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"

static char listen_names[LIMIT_NOTIFY_NAMES]; /* of this process, as its environment was; separated by ':' */

/* A datagram to the service manager, with a descriptor unless fd is -1. */
static bool send_to_manager(const char *state, int fd)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t n = path ? strlen(path) : 0;
    if (n < 2 || n >= sizeof to.sun_path || (path[0] != '/' && path[0] != '@'))
        return false;
    memcpy(to.sun_path, path, n);
    if (path[0] == '@') /* an abstract name */
        to.sun_path[0] = '\0';
    int socket_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (socket_fd < 0)
        return false;
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec iov = {(void *)(uintptr_t)state, strlen(state)};
    struct msghdr m = {.msg_name = &to,
                       .msg_namelen = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n),
                       .msg_iov = &iov,
                       .msg_iovlen = 1};
    if (fd >= 0) {
        m.msg_control = control.space;
        m.msg_controllen = sizeof control.space;
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof(int));
    }
    ssize_t sent = sendmsg(socket_fd, &m, MSG_NOSIGNAL);
    close(socket_fd);
    return sent >= 0;
}

bool notify_send(const char *state)
{
    return send_to_manager(state, -1);
}

bool notify_store(int fd, const char *name)
{
    char text[128];
    snprintf(text, sizeof text, "FDSTORE=1\nFDNAME=%s", name);
    return send_to_manager(text, fd);
}

bool notify_forget(const char *name)
{
    char text[128];
    snprintf(text, sizeof text, "FDSTOREREMOVE=1\nFDNAME=%s", name);
    return send_to_manager(text, -1);
}

bool notify_reloading(void)
{
    char text[64];
    snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)clock_mono_us());
    return notify_send(text);
}

static bool is_for_us(const char *name)
{
    const char *text = getenv(name);
    int64_t pid;
    return text && str_to_i64(str_of(text), &pid) && pid == getpid();
}

int64_t notify_watchdog_us(void)
{
    const char *text = getenv("WATCHDOG_USEC");
    int64_t us;
    if (!text || (getenv("WATCHDOG_PID") && !is_for_us("WATCHDOG_PID")))
        return 0;
    return str_to_i64(str_of(text), &us) && us > 0 ? us : 0;
}

int notify_listen_fds(void)
{
    const char *text = getenv("LISTEN_FDS");
    int64_t count = 0;
    if (!text || !is_for_us("LISTEN_PID") || !str_to_i64(str_of(text), &count) || count < 0 || count > 64)
        count = 0;
    for (int fd = 3; fd < 3 + count; fd++)
        if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
            count = fd - 3;
    const char *names = count ? getenv("LISTEN_FDNAMES") : NULL;
    snprintf(listen_names, sizeof listen_names, "%s", names ? names : "");
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return (int)count;
}

const char *notify_listen_name(int index)
{
    static char name[LIMIT_NOTIFY_NAMES]; /* start-up is one thread */
    str rest = str_of(listen_names), one = {0};
    for (int i = 0; i <= index; i++)
        str_cut(rest, ':', &one, &rest);
    snprintf(name, sizeof name, "%.*s", STR_ARG(one));
    return name;
}
