/* SPDX-License-Identifier: Apache-2.0 */
#include "rt/fdpass.h"

#include <errno.h>
#include <stdalign.h>
#include <sys/socket.h>
#include <unistd.h>

union control { /* room for the descriptors, aligned as cmsg(3) wants it */
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int) * LIMIT_FDPASS_FDS)];
};

enum status fdpass_pair(int ret[2], struct err *err)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ret) == 0)
        return STATUS_OK;
    return err_sys(err, STATUS_IO, errno, "no pair of sockets");
}

enum status fdpass_send(int socket, str bytes, const int *fds, size_t fd_count, struct err *err)
{
    ASSERT(bytes.n > 0 && bytes.n <= LIMIT_FDPASS_BYTES && fd_count <= LIMIT_FDPASS_FDS);
    union control control = {0};
    struct iovec iov = {(void *)(uintptr_t)bytes.p, bytes.n};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    if (fd_count) {
        m.msg_control = control.space;
        m.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * fd_count);
    }
    if (sendmsg(socket, &m, MSG_NOSIGNAL) >= 0)
        return STATUS_OK;
    if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS || errno == ETOOMANYREFS)
        return STATUS_AGAIN;
    if (errno == EPIPE || errno == ECONNRESET)
        return err_set(err, STATUS_CLOSED, "the other side is gone");
    return err_sys(err, STATUS_IO, errno, "descriptors cannot be handed over");
}

/* The descriptors that came; all of them, so that none is lost when the message is refused. */
static size_t take_fds(struct msghdr *m, int ret_fds[LIMIT_FDPASS_FDS])
{
    size_t count = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n && count < LIMIT_FDPASS_FDS; i++)
            memcpy(&ret_fds[count++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
    }
    return count;
}

enum status fdpass_receive(int socket, char *space, size_t space_size, str *ret_bytes, int ret_fds[LIMIT_FDPASS_FDS],
                           size_t *ret_fd_count, struct err *err)
{
    union control control = {0};
    struct iovec iov = {space, space_size};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space};
    ssize_t n = recvmsg(socket, &m, MSG_CMSG_CLOEXEC);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return STATUS_AGAIN;
    if (n == 0 || (n < 0 && errno == ECONNRESET))
        return err_set(err, STATUS_CLOSED, "the other side is gone");
    if (n < 0)
        return err_sys(err, STATUS_IO, errno, "nothing can be received");
    size_t count = take_fds(&m, ret_fds);
    if (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
        for (size_t i = 0; i < count; i++)
            close(ret_fds[i]);
        return err_set(err, STATUS_PROTOCOL, "a message that is too long, or has too many descriptors");
    }
    *ret_bytes = str_make(space, (size_t)n);
    *ret_fd_count = count;
    return STATUS_OK;
}
