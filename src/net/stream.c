/* SPDX-License-Identifier: Apache-2.0 */
#include "net/stream.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "net/stream_impl.h"

enum status stream_errno(int errno_value, const char *what, struct err *err)
{
    switch (errno_value) {
    case EAGAIN:
    case EINTR:
        return STATUS_AGAIN;
    case EPIPE:
    case ECONNRESET:
    case ECONNABORTED:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENETDOWN:
    case ENOTCONN:
        return err_sys(err, STATUS_CLOSED, errno_value, "the peer is gone");
    default:
        return err_sys(err, STATUS_IO, errno_value, "cannot %s the connection", what);
    }
}

enum status stream_shutdown_fd(struct stream *s, struct err *err)
{
    if (shutdown(s->fd, SHUT_WR) < 0)
        return stream_errno(errno, "end", err);
    return STATUS_OK;
}

static void init(struct stream *s, const struct stream_vtable *vtable, int fd)
{
    *s = (struct stream){.vtable = vtable, .fd = fd, .read_wants = LOOP_READ, .write_wants = LOOP_WRITE};
}

void stream_init_plain(struct stream *s, int fd)
{
    init(s, &stream_plain, fd);
}

enum status stream_init_tls(struct stream *s, int fd, struct tls_server *tls, struct err *err)
{
    init(s, &stream_tls, fd);
    s->tls = tls_session_new(tls, fd);
    if (s->tls)
        return STATUS_OK;
    char text[256];
    tls_error_text(text, sizeof(text));
    close(fd);
    s->fd = -1;
    return err_set(err, STATUS_IO, "cannot begin TLS: %s", text);
}

void stream_release(struct stream *s)
{
    if (s->fd < 0)
        return;
    s->vtable->release(s);
    close(s->fd);
    s->fd = -1;
}

enum status stream_handshake(struct stream *s, struct err *err)
{
    return s->vtable->handshake(s, err);
}

enum status stream_read(struct stream *s, void *p, size_t size, size_t *ret_n, struct err *err)
{
    ASSERT(size > 0);
    return s->vtable->read(s, p, size, ret_n, err);
}

enum status stream_writev(struct stream *s, const struct iovec *iov, int count, unsigned flags, size_t *ret_n,
                          struct err *err)
{
    ASSERT(count > 0 && count <= LIMIT_STREAM_IOV);
    return s->vtable->writev(s, iov, count, flags, ret_n, err);
}

enum status stream_sendfile(struct stream *s, int file_fd, off_t offset, size_t size, size_t *ret_n, struct err *err)
{
    ASSERT(size > 0);
    return s->vtable->sendfile(s, file_fd, offset, size, ret_n, err);
}

enum status stream_shutdown(struct stream *s, struct err *err)
{
    return s->vtable->shutdown(s, err);
}

bool stream_pending(const struct stream *s)
{
    return s->vtable->pending(s);
}

bool stream_is_tls(const struct stream *s)
{
    return s->vtable == &stream_tls;
}

bool stream_drains(const struct stream *s, int *unsent)
{
    int now = 0;
    if (ioctl(s->fd, SIOCOUTQ, &now) != 0 || (*unsent >= 0 && now >= *unsent))
        return false;
    *unsent = now;
    return true;
}
