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

bool notify_send(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t n = path ? strlen(path) : 0;
    if (n < 2 || n >= sizeof to.sun_path || (path[0] != '/' && path[0] != '@'))
        return false;
    memcpy(to.sun_path, path, n);
    if (path[0] == '@') /* an abstract name */
        to.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    ssize_t sent = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&to, length);
    close(fd);
    return sent >= 0;
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
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return (int)count;
}
