/* SPDX-License-Identifier: Apache-2.0 */
/* takeover: a running process gives its sockets to a new one and ends; no connection notices. The essay is in
 * takeover.c. Nothing here knows what the sockets carry. Threads: the loop's.
 *
 *   predecessor                                        successor
 *   takeover_new: starts the program           --->    takeover_arrive: the listening sockets
 *                                                      ... opens, warms up ...
 *   ready(): stops accepting                   <---    takeover_ready: accepts
 *   takeover_give: connection by connection    --->    adopt()
 *   takeover_leave, left(): ends               --->    alone() */
#ifndef VITRINE_RT_TAKEOVER_H
#define VITRINE_RT_TAKEOVER_H

#include "base/arena.h"
#include "base/limits.h"
#include "base/sm.h"
#include "rt/loop.h"

/* ---- the one that goes ---- */
enum takeover_state {
    TAKEOVER_STARTING, /* the program was started */
    TAKEOVER_WARMING,  /* it has the listening sockets and prepares itself */
    TAKEOVER_HANDING,  /* it accepts; connections go over */
    TAKEOVER_LEAVING,  /* nothing is left here; the successor has to say that it has everything */
    TAKEOVER_LEFT,
    TAKEOVER_FAILED, /* we go on */
    TAKEOVER_STATES
};
extern const struct sm_state takeover_states[TAKEOVER_STATES];

struct takeover;
struct takeover_socket {
    int fd; /* the caller's; shared with the successor */
    str label;
};
struct takeover_config { /* all of it is only read by takeover_new, but loop, arg and the functions */
    struct loop *loop;
    const char *program; /* looked up in PATH when it has no '/' */
    char *const *argv;   /* as the successor shall see it */
    const struct takeover_socket *sockets;
    size_t socket_count; /* 1.. LIMIT_FDPASS_FDS */
    str state;           /* for the successor, at most LIMIT_TAKEOVER_STATE bytes */
    uint32_t ready_ms;   /* it must be ready by then */
    void *arg;
    void (*ready)(void *arg, int pid); /* the successor accepts: stop accepting, then give */
    /* The successor failed or is gone: go on, accept (again). was_ready: connections were given to it. stopped: it
     * ended well after it was ready, so somebody stopped it and meant the service. Free the takeover later (it may be
     * done in here). */
    void (*failed)(void *arg, const char *why, bool was_ready, bool stopped);
    void (*left)(void *arg); /* after takeover_leave: the successor has everything */
};
/* Starts the successor. Returns OK, INVALID, NOT_FOUND, FORBIDDEN, IO. */
enum status takeover_new(const struct takeover_config *config, struct takeover **ret, struct err *err) MUST_USE;
/* HANDING: a connection of socket `index` and the bytes that were read of it, at most LIMIT_TAKEOVER_UNREAD, with what
 * the application has to say of it (LIMIT_TAKEOVER_NOTE). other_fd: a second one that belongs to it; -1 = none. Takes
 * both. */
void takeover_give(struct takeover *t, unsigned index, int own_fd, int other_fd, str unread, str note);
void takeover_leave(struct takeover *t); /* HANDING: that was the last one */
enum takeover_state takeover_state(const struct takeover *t);
/* The successor is killed unless it is ready. Connections that wait to be sent are closed. NULL is fine. */
void takeover_free(struct takeover *t);

/* ---- the one that comes ---- */
enum arrival_state { ARRIVAL_ASKING, ARRIVAL_WARMING, ARRIVAL_ADOPTING, ARRIVAL_ALONE, ARRIVAL_FAILED, ARRIVAL_STATES };
extern const struct sm_state arrival_states[ARRIVAL_STATES];

struct arrival;
struct arrival_config {
    struct loop *loop;
    void *arg;
    /* The descriptors are the application's; the second is -1, and the note empty, when there is none. */
    void (*adopt)(void *arg, unsigned index, int own_fd, int other_fd, str unread, str note);
    void (*alone)(void *arg); /* the predecessor has ended, or will now; once. Not from inside takeover_ready */
};
/* Is this process a successor? Once, at start: the environment forgets it. */
bool takeover_expected(void);
/* Asks for the listening sockets: they are the caller's, with their labels and the state in `a`. Blocks up to
 * LIMIT_TAKEOVER_ARRIVE_MS. Returns OK, TIMEOUT, CLOSED, PROTOCOL. */
enum status takeover_arrive(struct arena *a, struct arrival **ret, struct takeover_socket *ret_sockets,
                            size_t *ret_socket_count, str *ret_state, struct err *err) MUST_USE;
/* Accepting has begun. From now on adopt() is called. A predecessor that died meanwhile is no failure. */
enum status takeover_ready(struct arrival *r, const struct arrival_config *config, struct err *err) MUST_USE;
bool takeover_alone(const struct arrival *r); /* the predecessor is gone, or there was none (NULL) */
/* Before it was ready: tells the predecessor why it must go on (NULL: nothing to tell). NULL is fine. */
void takeover_refuse(struct arrival *r, const char *why);
void arrival_free(struct arrival *r);

#endif
