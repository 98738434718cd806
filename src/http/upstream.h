/* SPDX-License-Identifier: Apache-2.0 */
/* upstream: connections to HTTP/1.1 servers, opened without blocking and kept for the next request.
 *
 *   upstream_take -> CONNECTING -> IN_USE -> upstream_give -> IDLE -> upstream_take ...
 *                      any of them -> upstream_drop -> CLOSED
 *
 * Only the transport lives here: the owner writes heads, reads answers with h1_parse_answer and decides whether a
 * connection may be kept (the answer was framed, wholly read, and nothing follows it). An idle connection stays in
 * epoll: when the server ends it, or sends something nobody asked for, it is closed at once and never lent again.
 * Threads: everything of one struct http_upstream is for its loop's thread. */
#ifndef VITRINE_HTTP_UPSTREAM_H
#define VITRINE_HTTP_UPSTREAM_H

#include "base/sm.h"
#include "http/wheel.h"
#include "net/addr.h"
#include "net/stream.h"

enum upstream_state { UPSTREAM_CONNECTING, UPSTREAM_IN_USE, UPSTREAM_IDLE, UPSTREAM_CLOSED, UPSTREAM_STATES };
extern const struct sm_state upstream_states[UPSTREAM_STATES];

enum {                           /* further bits of `events`, beside LOOP_READ and so on */
       UPSTREAM_CONNECTED = 256, /* from now on it may be written to */
       UPSTREAM_FAILED = 512,    /* it could not connect: upstream_conn.error */
       UPSTREAM_EXPIRED = 1024,  /* the deadline of upstream_deadline passed, or that for connecting */
};

struct upstream_limits {
    uint32_t connect_ms;
    uint32_t idle_ms;  /* shorter than servers wait, so that they do not close under a request */
    unsigned idle_max; /* kept per pool; further ones are closed when given back */
};

struct http_upstream { /* all pools of one loop */
    struct loop *loop;
    struct wheel wheel;
    struct upstream_limits limits;
    uint32_t open; /* connections that exist */
};
void http_upstream_init(struct http_upstream *h, struct loop *loop, const struct upstream_limits *limits);
void http_upstream_release(struct http_upstream *h); /* all pools were released */

struct upstream_pool { /* connections to one address; storage by the caller */
    struct http_upstream *client;
    struct addr addr;
    struct upstream_conn *idle; /* the one used last comes first: the others may grow old and go */
    unsigned idle_count, in_use;
    bool closed;
};
void upstream_pool_init(struct upstream_pool *p, struct http_upstream *client, const struct addr *addr);
void upstream_pool_close(struct upstream_pool *p);   /* idle ones end now, the others when they are given back */
void upstream_pool_release(struct upstream_pool *p); /* closes; none may be in use */

struct upstream_conn {
    struct stream stream;
    struct sm sm;
    struct upstream_pool *pool;
    struct loop_fd *watch;
    struct upstream_conn *prev, *next; /* in the idle list */
    struct wheel_item deadline;
    struct loop_timer again; /* a Unix socket whose backlog is full takes no one: asked again shortly */
    void (*fn)(void *owner, unsigned events);
    void *owner;
    uint32_t uses; /* requests before this one */
    int error;     /* errno of UPSTREAM_FAILED */
};

/* A connection for one request: a kept one, or a new one that is connecting (upstream_connected says which; a new one
 * calls fn with UPSTREAM_CONNECTED, UPSTREAM_FAILED or UPSTREAM_EXPIRED later, never from inside this call).
 *   fresh  never a kept one
 *   sure   look once more whether a kept one is still alive: for requests that must not be sent twice
 * Returns OK, IO (out of descriptors). */
enum status upstream_take(struct upstream_pool *p, bool fresh, bool sure, void (*fn)(void *owner, unsigned events),
                          void *owner, struct upstream_conn **ret, struct err *err) MUST_USE;
/* The two halves of a hand-over to another process: its descriptor, which is the caller's then (the connection is
 * gone); and a connection that another process had, IN_USE at once. IO: out of descriptors; takes fd also then. */
int upstream_detach(struct upstream_conn *c);
enum status upstream_adopt(struct upstream_pool *p, int own_fd, void (*fn)(void *owner, unsigned events), void *owner,
                           struct upstream_conn **ret, struct err *err) MUST_USE;
static inline bool upstream_connected(const struct upstream_conn *c)
{
    return sm_state(&c->sm) == UPSTREAM_IN_USE;
}
void upstream_watch(struct upstream_conn *c, unsigned events);      /* what fn is to be called for */
void upstream_deadline(struct upstream_conn *c, uint32_t after_ms); /* 0 = none */
void upstream_give(struct upstream_conn *c);                        /* back into the pool; fn is not called any more */
void upstream_drop(struct upstream_conn *c);                        /* closes; also from inside fn. NULL is fine */

#endif
