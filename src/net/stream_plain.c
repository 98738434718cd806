/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include "net/stream_impl.h"

static enum status plain_handshake(struct stream *s, struct err *err)
{
    (void)s;
    (void)err;
    return STATUS_OK;
}

static enum status plain_read(struct stream *s, void *p, size_t size, size_t *ret_n, struct err *err)
{
    ssize_t n = recv(s->fd, p, size, 0);
    if (n < 0)
        return stream_errno(errno, "read from", err);
    if (n == 0)
        return err_set(err, STATUS_CLOSED, "the peer ended the connection");
    *ret_n = (size_t)n;
    return STATUS_OK;
}

static enum status plain_writev(struct stream *s, const struct iovec *iov, int count, unsigned flags, size_t *ret_n,
                                struct err *err)
{
    int send_flags = MSG_NOSIGNAL | ((flags & STREAM_MORE) ? MSG_MORE : 0);
    ssize_t n;
    if (count == 1) {
        n = send(s->fd, iov[0].iov_base, iov[0].iov_len, send_flags);
    } else {
        /* sendmsg does not write to the array; its type predates const */
        struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)count};
        n = sendmsg(s->fd, &msg, send_flags);
    }
    if (n < 0)
        return stream_errno(errno, "write to", err);
    *ret_n = (size_t)n;
    return STATUS_OK;
}

static enum status plain_sendfile(struct stream *s, int file_fd, off_t offset, size_t size, size_t *ret_n,
                                  struct err *err)
{
    ssize_t n = sendfile(s->fd, file_fd, &offset, size);
    if (n < 0)
        return stream_errno(errno, "send a file to", err);
    if (n == 0)
        return err_set(err, STATUS_CORRUPT, "the file became shorter while it was sent");
    *ret_n = (size_t)n;
    return STATUS_OK;
}

static bool plain_pending(const struct stream *s)
{
    (void)s;
    return false;
}

static void plain_release(struct stream *s)
{
    (void)s;
}

const struct stream_vtable stream_plain = {
    .handshake = plain_handshake,
    .read = plain_read,
    .writev = plain_writev,
    .sendfile = plain_sendfile,
    .shutdown = stream_shutdown_fd,
    .pending = plain_pending,
    .release = plain_release,
};
