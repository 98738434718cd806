/* SPDX-License-Identifier: Apache-2.0 */
/* stream: one non-blocking connection, plain or TLS, behind one set of functions.
 *
 * AGAIN means: nothing moved; wait on the loop for stream_read_wants (after stream_read, stream_handshake) or
 * stream_write_wants (after the writers, stream_shutdown), then call the same function again. With TLS a read may have
 * to wait for the socket to be writable and the other way round: use the wants, never assume. After stream_read
 * returned OK there may be more, held inside TLS where epoll cannot see it: read until AGAIN, or look at stream_pending
 * before sleeping. After a writer returned AGAIN the next call must begin with the same bytes (more may follow them).
 * CLOSED means the peer is gone (orderly or not); IO and PROTOCOL carry text. After one of these only stream_release
 * helps. Threads: one at a time. */
#ifndef VITRINE_NET_STREAM_H
#define VITRINE_NET_STREAM_H

#include <sys/types.h>
#include <sys/uio.h>

#include "net/tls.h"
#include "rt/loop.h"

struct stream;
struct stream_vtable;

struct stream {
    const struct stream_vtable *vtable;
    int fd;              /* owned; -1 after release */
    void *tls;           /* SSL*, NULL when plain */
    unsigned read_wants; /* LOOP_READ | LOOP_WRITE */
    unsigned write_wants;
};

enum { STREAM_MORE = 1 }; /* flag of stream_writev: more follows at once, do not send a short packet yet */

void stream_init_plain(struct stream *s, int fd); /* takes fd, which must be non-blocking */
/* Takes fd also on failure. Server side; the handshake is done by stream_handshake or by the first read or write.
 * Returns OK, IO. Takes a reference of its own on `tls`. */
enum status stream_init_tls(struct stream *s, int fd, struct tls_server *tls, struct err *err) MUST_USE;
/* Closes at once, without TLS or TCP ceremony; fine when done already, or on {.fd = -1}. */
void stream_release(struct stream *s);

/* Returns OK (finished; at once for plain), AGAIN (see stream_read_wants), PROTOCOL, CLOSED, IO. */
enum status stream_handshake(struct stream *s, struct err *err) MUST_USE;
/* *ret_n > 0 with OK. Returns OK, AGAIN, CLOSED (end of file, reset), PROTOCOL, IO. */
enum status stream_read(struct stream *s, void *p, size_t size, size_t *ret_n, struct err *err) MUST_USE;
/* Sends a beginning of iov[0..count); *ret_n > 0 with OK, maybe less than all. TLS packs small pieces into one record.
 * count 1.. LIMIT_STREAM_IOV, total > 0. Returns OK, AGAIN, CLOSED, IO, PROTOCOL. */
enum status stream_writev(struct stream *s, const struct iovec *iov, int count, unsigned flags, size_t *ret_n,
                          struct err *err) MUST_USE;
/* Sends up to `size` bytes of file_fd from `offset` (the file position is not used). Returns as stream_writev, and
 * CORRUPT when the file ends before `size` bytes were sent. May block on the disk. */
enum status stream_sendfile(struct stream *s, int file_fd, off_t offset, size_t size, size_t *ret_n,
                            struct err *err) MUST_USE;
/* Ends our direction: TLS close_notify, then TCP FIN. The peer's direction stays readable. Returns OK, AGAIN, CLOSED,
 * IO. */
enum status stream_shutdown(struct stream *s, struct err *err) MUST_USE;

/* A TLS handshake that waits for a certificate (tls_session_awaits): AGAIN with no wants. */
static inline str stream_awaits(const struct stream *s)
{
    return s->tls ? tls_session_awaits(s->tls) : STR("");
}

bool stream_pending(const struct stream *s); /* bytes already read from the socket wait inside TLS */
bool stream_is_tls(const struct stream *s);
str stream_alpn(const struct stream *s); /* "http/1.1"; empty when none was agreed; lives as long as the stream */
const char *stream_tls_version(const struct stream *s); /* "TLSv1.3"; "" when plain */

/* Does the peer still take what was written? True when the kernel holds less unsent bytes than *unsent, which becomes
 * that number; -1 = looked at for the first time. For deadlines: a large socket buffer is "writable" only when a third
 * of it is free, which may take a slow reader longer than the deadline. */
bool stream_drains(const struct stream *s, int *unsent);

static inline unsigned stream_read_wants(const struct stream *s)
{
    return s->read_wants;
}
static inline unsigned stream_write_wants(const struct stream *s)
{
    return s->write_wants;
}

#endif
