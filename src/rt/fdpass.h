/* SPDX-License-Identifier: Apache-2.0 */
/* fdpass: messages with descriptors over a Unix socket that keeps their bounds (SOCK_SEQPACKET). Any thread. */
#ifndef VITRINE_RT_FDPASS_H
#define VITRINE_RT_FDPASS_H

#include "base/err.h"
#include "base/limits.h"

/* Both ends non-blocking and close-on-exec. Returns OK, IO. */
enum status fdpass_pair(int ret[2], struct err *err) MUST_USE;
/* Sends one message; the descriptors stay the caller's. At most LIMIT_FDPASS_BYTES and LIMIT_FDPASS_FDS. Returns OK,
 * AGAIN (the other side is slow: wait for LOOP_WRITE; or too many descriptors of this user are under way: wait a
 * moment), CLOSED, IO. */
enum status fdpass_send(int socket, str bytes, const int *fds, size_t fd_count, struct err *err) MUST_USE;
/* Receives one message into `space`. The descriptors are close-on-exec and the caller's, at most LIMIT_FDPASS_FDS.
 * Returns OK, AGAIN, CLOSED (the other side is gone), PROTOCOL (cut off: too long, or too many descriptors; they are
 * closed), IO. */
enum status fdpass_receive(int socket, char *space, size_t space_size, str *ret_bytes, int ret_fds[LIMIT_FDPASS_FDS],
                           size_t *ret_fd_count, struct err *err) MUST_USE;

#endif
