/* SPDX-License-Identifier: Apache-2.0 */
/* stream_tls — OpenSSL on a non-blocking socket.
 *
 * OpenSSL turns a byte stream into records of up to 16 KiB. A short header and its body written one by one would be two
 * records and two packets, so writev gathers pieces into one record; a piece that fills a record alone goes without a
 * copy. When the socket is full OpenSSL keeps the encrypted record and wants to be called again with the same bytes
 * (they may have moved and more may follow: SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER): hence the rule in stream.h. sendfile
 * gathers from the file in the same way and so reads a part of it again after AGAIN.
 *
 * Invariants: (1) the error queue of the thread is empty before each OpenSSL call, or SSL_get_error would report an old
 * error. (2) after SSL_ERROR_SSL or SSL_ERROR_SYSCALL nothing is sent any more (read_wants is 0).
 * Tests: tests/unit/net/test_tls.c. */
/* OpenSSL first: see tls.c. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include "base/limits.h"
#include "net/stream_impl.h"

#define RECORD_MAX 16384 /* RFC 8446 section 5.1 */

static enum status tls_result(struct stream *s, int rc, unsigned *wants, const char *what, struct err *err)
{
    int saved = errno;
    switch (SSL_get_error(s->tls, rc)) {
    case SSL_ERROR_WANT_READ:
        *wants = LOOP_READ;
        return STATUS_AGAIN;
    case SSL_ERROR_WANT_WRITE:
        *wants = LOOP_WRITE;
        return STATUS_AGAIN;
    case SSL_ERROR_WANT_CLIENT_HELLO_CB: /* it awaits a certificate, and no bytes */
        *wants = 0;
        return STATUS_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return err_set(err, STATUS_CLOSED, "the peer ended the connection");
    case SSL_ERROR_SYSCALL:
        s->read_wants = 0;
        if (saved == 0 || saved == EAGAIN)
            return err_set(err, STATUS_CLOSED, "the peer ended the connection");
        return stream_errno(saved, what, err);
    default:
        s->read_wants = 0;
        char text[256];
        tls_error_text(text, sizeof(text));
        return err_set(err, STATUS_PROTOCOL, "TLS failed: %s", text);
    }
}

static void before_call(void)
{
    ERR_clear_error();
    errno = 0;
}

static enum status tls_handshake(struct stream *s, struct err *err)
{
    before_call();
    int rc = SSL_do_handshake(s->tls);
    if (rc != 1)
        return tls_result(s, rc, &s->read_wants, "read from", err);
    s->read_wants = LOOP_READ;
    return STATUS_OK;
}

static enum status tls_read(struct stream *s, void *p, size_t size, size_t *ret_n, struct err *err)
{
    before_call();
    int rc = SSL_read_ex(s->tls, p, size, ret_n);
    if (rc != 1)
        return tls_result(s, rc, &s->read_wants, "read from", err);
    s->read_wants = LOOP_READ;
    return STATUS_OK;
}

static enum status write_record(struct stream *s, const void *p, size_t size, size_t *ret_n, struct err *err)
{
    before_call();
    int rc = SSL_write_ex(s->tls, p, size, ret_n);
    if (rc != 1)
        return tls_result(s, rc, &s->write_wants, "write to", err);
    s->write_wants = LOOP_WRITE;
    return STATUS_OK;
}

/* Where in an iovec array we are. */
struct cursor {
    const struct iovec *iov;
    int count;
    size_t skip; /* bytes of iov[0] already sent */
};

static void cursor_advance(struct cursor *c, size_t n)
{
    while (c->count > 0 && n >= c->iov->iov_len - c->skip) {
        n -= c->iov->iov_len - c->skip;
        c->iov++;
        c->count--;
        c->skip = 0;
    }
    c->skip += n;
}

/* The next record: the piece itself when it fills one, else a copy of as many pieces as fit. */
static str cursor_record(const struct cursor *c, char space[RECORD_MAX])
{
    size_t first = c->iov->iov_len - c->skip;
    if (first >= RECORD_MAX || c->count == 1)
        return str_make((const char *)c->iov->iov_base + c->skip, MIN(first, (size_t)RECORD_MAX));
    size_t n = 0, skip = c->skip;
    for (int i = 0; i < c->count && n < RECORD_MAX; i++) {
        size_t part = MIN(c->iov[i].iov_len - skip, RECORD_MAX - n);
        if (part > 0)
            memcpy(space + n, (const char *)c->iov[i].iov_base + skip, part);
        n += part;
        skip = 0;
    }
    return str_make(space, n);
}

/* Some bytes are out: say so now, and meet the error again with the next call. AGAIN leaves write_wants as set. */
static enum status tls_writev(struct stream *s, const struct iovec *iov, int count, unsigned flags, size_t *ret_n,
                              struct err *err)
{
    (void)flags; /* records are gathered here already */
    char space[RECORD_MAX];
    struct cursor c = {iov, count, 0};
    size_t sent = 0;
    cursor_advance(&c, 0); /* empty pieces in front */
    while (c.count > 0 && sent < LIMIT_STREAM_TLS_BURST) {
        str record = cursor_record(&c, space);
        size_t n;
        enum status st = write_record(s, record.p, record.n, &n, err);
        if (st != STATUS_OK && sent == 0)
            return st;
        if (st != STATUS_OK)
            break;
        sent += n;
        cursor_advance(&c, n);
    }
    *ret_n = sent;
    return STATUS_OK;
}

static enum status tls_sendfile(struct stream *s, int file_fd, off_t offset, size_t size, size_t *ret_n,
                                struct err *err)
{
    char space[RECORD_MAX];
    size_t sent = 0;
    while (sent < size && sent < LIMIT_STREAM_TLS_BURST) {
        size_t want = MIN(size - sent, sizeof(space)), n;
        ssize_t got = pread(file_fd, space, want, offset + (off_t)sent);
        if (got < 0)
            return err_sys(err, STATUS_IO, errno, "cannot read the file to be sent");
        if ((size_t)got < want)
            return err_set(err, STATUS_CORRUPT, "the file became shorter while it was sent");
        enum status st = write_record(s, space, want, &n, err);
        if (st != STATUS_OK && sent == 0)
            return st;
        if (st != STATUS_OK)
            break;
        sent += n;
    }
    *ret_n = sent;
    return STATUS_OK;
}

static enum status tls_shutdown(struct stream *s, struct err *err)
{
    if (s->read_wants != 0 && SSL_is_init_finished(s->tls)) {
        before_call();
        int rc = SSL_shutdown(s->tls);
        if (rc < 0 && SSL_get_error(s->tls, rc) == SSL_ERROR_WANT_WRITE) {
            s->write_wants = LOOP_WRITE;
            return STATUS_AGAIN;
        }
    }
    return stream_shutdown_fd(s, err);
}

static bool tls_pending(const struct stream *s)
{
    return SSL_has_pending(s->tls) != 0;
}

static void tls_release(struct stream *s)
{
    tls_session_free(s->tls);
    s->tls = NULL;
}

const struct stream_vtable stream_tls = {
    .handshake = tls_handshake,
    .read = tls_read,
    .writev = tls_writev,
    .sendfile = tls_sendfile,
    .shutdown = tls_shutdown,
    .pending = tls_pending,
    .release = tls_release,
};

str stream_alpn(const struct stream *s)
{
    const unsigned char *p = NULL;
    unsigned n = 0;
    if (s->tls)
        SSL_get0_alpn_selected(s->tls, &p, &n);
    return str_make((const char *)p, n);
}

const char *stream_tls_version(const struct stream *s)
{
    return s->tls ? SSL_get_version(s->tls) : "";
}
