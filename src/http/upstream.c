/* SPDX-License-Identifier: Apache-2.0 */
#include "http/upstream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

#define AGAIN_MS 5 /* between two tries at a Unix socket whose backlog is full */

const struct sm_state upstream_states[UPSTREAM_STATES] = {
    [UPSTREAM_CONNECTING] = {"connecting", SM_TO(UPSTREAM_IN_USE) | SM_TO(UPSTREAM_CLOSED), SM_INITIAL},
    [UPSTREAM_IN_USE] = {"in use", SM_TO(UPSTREAM_IDLE) | SM_TO(UPSTREAM_CLOSED), 0},
    [UPSTREAM_IDLE] = {"idle", SM_TO(UPSTREAM_IN_USE) | SM_TO(UPSTREAM_CLOSED), 0},
    [UPSTREAM_CLOSED] = {"closed", 0, SM_FINAL},
};

static void on_expired(struct wheel_item *item);

void http_upstream_init(struct http_upstream *h, struct loop *loop, const struct upstream_limits *limits)
{
    *h = (struct http_upstream){.loop = loop, .limits = *limits};
    wheel_init(&h->wheel, loop, on_expired);
}

void http_upstream_release(struct http_upstream *h)
{
    ASSERT(h->open == 0);
    wheel_release(&h->wheel);
}

void upstream_pool_init(struct upstream_pool *p, struct http_upstream *client, const struct addr *addr)
{
    *p = (struct upstream_pool){.client = client, .addr = *addr};
}

void upstream_pool_close(struct upstream_pool *p)
{
    p->closed = true;
    while (p->idle)
        upstream_drop(p->idle);
}

void upstream_pool_release(struct upstream_pool *p)
{
    upstream_pool_close(p);
    ASSERT(p->in_use == 0);
}

/* ---- the list of idle ones ---- */

static void unlink_idle(struct upstream_conn *c)
{
    struct upstream_pool *p = c->pool;
    if (c->prev)
        c->prev->next = c->next;
    else
        p->idle = c->next;
    if (c->next)
        c->next->prev = c->prev;
    c->prev = c->next = NULL;
    p->idle_count--;
}

static void link_idle(struct upstream_conn *c)
{
    struct upstream_pool *p = c->pool;
    c->prev = NULL;
    c->next = p->idle;
    if (c->next)
        c->next->prev = c;
    p->idle = c;
    p->idle_count++;
}

void upstream_drop(struct upstream_conn *c)
{
    if (!c)
        return;
    struct upstream_pool *p = c->pool;
    struct http_upstream *h = p->client;
    if (sm_state(&c->sm) == UPSTREAM_IDLE)
        unlink_idle(c);
    else
        p->in_use--;
    sm_move(&c->sm, UPSTREAM_CLOSED);
    loop_timer_cancel(h->loop, &c->again);
    wheel_remove(&h->wheel, &c->deadline);
    loop_remove_fd(h->loop, c->watch);
    c->watch = NULL;
    stream_release(&c->stream);
    h->open--;
    loop_defer(h->loop, free, c);
}

void upstream_give(struct upstream_conn *c)
{
    struct upstream_pool *p = c->pool;
    if (p->closed || p->idle_count >= p->client->limits.idle_max) {
        upstream_drop(c);
        return;
    }
    sm_move(&c->sm, UPSTREAM_IDLE);
    p->in_use--;
    c->uses++;
    c->fn = NULL;
    link_idle(c);
    upstream_deadline(c, p->client->limits.idle_ms);
    upstream_watch(c, LOOP_READ);
}

void upstream_watch(struct upstream_conn *c, unsigned events)
{
    if (c->watch && sm_state(&c->sm) != UPSTREAM_CONNECTING)
        loop_set_events(c->pool->client->loop, c->watch, events);
}

void upstream_deadline(struct upstream_conn *c, uint32_t after_ms)
{
    struct http_upstream *h = c->pool->client;
    wheel_set(&h->wheel, &c->deadline, after_ms ? loop_now_us(h->loop) + after_ms * INT64_C(1000) : 0);
}

static void on_expired(struct wheel_item *item)
{
    struct upstream_conn *c = (struct upstream_conn *)(void *)((char *)item - offsetof(struct upstream_conn, deadline));
    if (sm_state(&c->sm) == UPSTREAM_IDLE)
        upstream_drop(c);
    else
        c->fn(c->owner, UPSTREAM_EXPIRED);
}

/* ---- connecting ---- */

static void tell(struct upstream_conn *c, int error)
{
    c->error = error;
    if (error) {
        c->fn(c->owner, UPSTREAM_FAILED);
        return;
    }
    sm_move(&c->sm, UPSTREAM_IN_USE);
    upstream_deadline(c, 0);
    c->fn(c->owner, UPSTREAM_CONNECTED);
}

static void on_event(void *arg, unsigned events)
{
    struct upstream_conn *c = arg;
    switch (sm_state(&c->sm)) {
    case UPSTREAM_CONNECTING: {
        int error = 0;
        socklen_t n = sizeof(error);
        if (getsockopt(c->stream.fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0)
            error = errno;
        if (!error && !(events & LOOP_WRITE))
            return;
        tell(c, error);
        break;
    }
    case UPSTREAM_IDLE: /* its end, or bytes nobody asked for */
        upstream_drop(c);
        break;
    case UPSTREAM_IN_USE:
        c->fn(c->owner, events);
        break;
    default:
        break;
    }
}

static void try_connect(void *arg)
{
    struct upstream_conn *c = arg;
    struct upstream_pool *p = c->pool;
    int rc = connect(c->stream.fd, (const struct sockaddr *)&p->addr.ss, p->addr.len);
    int error = rc == 0 ? 0 : errno;
    if (error == EAGAIN) {
        loop_timer_after_ms(p->client->loop, &c->again, AGAIN_MS);
        return;
    }
    if (error == EINPROGRESS || error == EINTR)
        error = 0; /* epoll says how it ends; so it does for one that is connected already */
    if (!error && !c->watch) {
        struct err err;
        if (loop_add_fd(p->client->loop, c->stream.fd, LOOP_WRITE, on_event, c, &c->watch, &err) != STATUS_OK)
            error = ENOMEM;
    }
    if (error)
        tell(c, error);
}

static enum status connect_new(struct upstream_pool *p, struct upstream_conn **ret, struct err *err)
{
    struct http_upstream *h = p->client;
    int fd = socket(p->addr.ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;
    if (fd < 0)
        return err_sys(err, STATUS_IO, errno, "cannot open a connection");
    if (!addr_is_unix(&p->addr))
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    struct upstream_conn *c = MEM_NEW(struct upstream_conn);
    sm_init(&c->sm, "upstream_conn", upstream_states, UPSTREAM_STATES, UPSTREAM_CONNECTING);
    c->pool = p;
    stream_init_plain(&c->stream, fd);
    loop_timer_init(&c->again, try_connect, c);
    upstream_deadline(c, h->limits.connect_ms);
    h->open++;
    p->in_use++;
    /* The call is made by a timer of this very round: its end is told by fn, and fn is never called from inside take.
     */
    loop_timer_at(h->loop, &c->again, 0);
    *ret = c;
    return STATUS_OK;
}

int upstream_detach(struct upstream_conn *c)
{
    int fd = c->stream.fd;
    loop_remove_fd(c->pool->client->loop, c->watch);
    c->watch = NULL;
    c->stream.fd = -1;
    upstream_drop(c);
    return fd;
}

enum status upstream_adopt(struct upstream_pool *p, int own_fd, void (*fn)(void *owner, unsigned events), void *owner,
                           struct upstream_conn **ret, struct err *err)
{
    struct upstream_conn *c = MEM_NEW(struct upstream_conn);
    enum status st = loop_add_fd(p->client->loop, own_fd, 0, on_event, c, &c->watch, err);
    if (st != STATUS_OK) {
        close(own_fd);
        free(c);
        return st;
    }
    sm_init(&c->sm, "upstream_conn", upstream_states, UPSTREAM_STATES, UPSTREAM_CONNECTING);
    sm_move(&c->sm, UPSTREAM_IN_USE);
    c->pool = p;
    c->fn = fn;
    c->owner = owner;
    stream_init_plain(&c->stream, own_fd);
    loop_timer_init(&c->again, try_connect, c);
    p->client->open++;
    p->in_use++;
    *ret = c;
    return STATUS_OK;
}

static bool still_alive(const struct upstream_conn *c)
{
    char byte;
    return recv(c->stream.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

enum status upstream_take(struct upstream_pool *p, bool fresh, bool sure, void (*fn)(void *owner, unsigned events),
                          void *owner, struct upstream_conn **ret, struct err *err)
{
    struct upstream_conn *c = NULL;
    while (!fresh && p->idle && !c) {
        c = p->idle;
        if (sure && !still_alive(c)) {
            upstream_drop(c);
            c = NULL;
        }
    }
    if (c) {
        unlink_idle(c);
        sm_move(&c->sm, UPSTREAM_IN_USE);
        p->in_use++;
        upstream_deadline(c, 0);
    } else {
        enum status st = connect_new(p, &c, err);
        if (st != STATUS_OK)
            return st;
    }
    c->fn = fn;
    c->owner = owner;
    *ret = c;
    return STATUS_OK;
}
