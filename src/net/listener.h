/* SPDX-License-Identifier: Apache-2.0 */
/* listener: a bound, listening socket; accepted connections come as callbacks on the loop.
 *
 * Out of descriptors or kernel memory: accepting pauses 100 ms at a time (clients wait in the backlog), with one log
 * line when it begins and one when it ends. Threads: the loop's. */
#ifndef VITRINE_NET_LISTENER_H
#define VITRINE_NET_LISTENER_H

#include "net/addr.h"
#include "rt/loop.h"

struct listener;

struct listener_config {
    struct addr addr;
    int backlog;        /* 0 = LIMIT_LISTEN_BACKLOG */
    unsigned unix_mode; /* permission bits of the socket file; 0 = 0666 less the umask */
    bool reuse_port;    /* SO_REUSEPORT: several processes or loops share the port */
};

/* Binds and listens; does not accept yet. A unix path that holds a socket nobody listens on is replaced; one that is in
 * use, or that is not a socket, is refused. Returns OK, CONFLICT (address in use), FORBIDDEN (port below 1024, folder
 * not writable), NOT_FOUND (no such folder or local address), IO. */
enum status listener_open(const struct listener_config *config, struct listener **ret, struct err *err) MUST_USE;
/* Takes over a listening socket that somebody else made (socket activation, a predecessor). The descriptor becomes the
 * listener's on success. A unix socket file is not unlinked at the end. INVALID: not a listening stream socket. */
enum status listener_adopt(int fd, struct listener **ret, struct err *err) MUST_USE;
/* Begins accepting. on_accept owns fd: non-blocking, close-on-exec, TCP_NODELAY. `peer` lives during the call. It may
 * call listener_pause and listener_stop. Returns OK, IO. */
enum status listener_start(struct listener *l, struct loop *loop,
                           void (*on_accept)(void *arg, int fd, const struct addr *peer), void *arg,
                           struct err *err) MUST_USE;
void listener_pause(struct listener *l); /* clients wait in the backlog; pauses do not nest */
void listener_resume(struct listener *l);
void listener_stop(struct listener *l); /* stops accepting and leaves the loop; the socket stays open */
/* Stops, closes, unlinks its own unix socket file (only if it is still the one it made). Also from inside on_accept.
 * NULL is fine. */
void listener_free(struct listener *l);

/* The socket file is another's to unlink from now on (a successor that listens on the same socket). */
void listener_disown_path(struct listener *l);
/* The other half: an adopted listener takes the socket file `path` as its own; false when it is not there any more. */
bool listener_own_path(struct listener *l, str path);

const struct addr *listener_addr(const struct listener *l); /* as bound: the port the kernel chose */
int listener_fd(const struct listener *l);                  /* to hand on; stays the listener's */
uint64_t listener_accepted(const struct listener *l);       /* connections since start */
bool listener_starved(const struct listener *l);            /* pausing because descriptors ran out */

#endif
