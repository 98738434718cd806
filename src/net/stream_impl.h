/* SPDX-License-Identifier: Apache-2.0 */
/* stream_impl: the functions behind a stream. Only for stream.c, stream_plain.c, stream_tls.c. */
#ifndef VITRINE_NET_STREAM_IMPL_H
#define VITRINE_NET_STREAM_IMPL_H

#include "net/stream.h"

struct stream_vtable { /* contracts as in stream.h */
    enum status (*handshake)(struct stream *s, struct err *err);
    enum status (*read)(struct stream *s, void *p, size_t size, size_t *ret_n, struct err *err);
    enum status (*writev)(struct stream *s, const struct iovec *iov, int count, unsigned flags, size_t *ret_n,
                          struct err *err);
    enum status (*sendfile)(struct stream *s, int file_fd, off_t offset, size_t size, size_t *ret_n, struct err *err);
    enum status (*shutdown)(struct stream *s, struct err *err);
    bool (*pending)(const struct stream *s);
    void (*release)(struct stream *s); /* all but the descriptor */
};

extern const struct stream_vtable stream_plain;
extern const struct stream_vtable stream_tls;

/* AGAIN, CLOSED (the peer is gone) or IO for an errno of a socket call; `what`: "read from". */
enum status stream_errno(int errno_value, const char *what, struct err *err);
/* Our end of the TCP connection. Returns OK, CLOSED, IO. */
enum status stream_shutdown_fd(struct stream *s, struct err *err);

#endif
