/* SPDX-License-Identifier: Apache-2.0 */
/* gate — a thread a connection: each of them waits for names, for connections and for both ends, and there are few.
 *
 * What it is there for: a space may fetch files of the web, but must not reach what stands behind the firewall with it:
 * the machine itself, its neighbours, the metadata service of a cloud. A name is resolved here, each address is looked
 * at, and the very address that was found good is connected to: a name that resolves differently a moment later
 * (rebinding) changes nothing. Redirects make new connections, which are looked at the same way.
 *
 * Invariants
 *  1. No byte goes to an address that is not public or allowed, or to a port that is not in the list.
 *  2. A user has at most `connections` at once and `bytes` in an hour; the gate has at most LIMIT_GATE_CONNECTIONS, and
 *     beyond half of them nobody begins more than a quarter of `connections`.
 *  3. Every wait ends: greeting and request LIMIT_GATE_HELLO_MS, connecting LIMIT_GATE_CONNECT_MS, silence in both
 *     directions LIMIT_GATE_IDLE_MS.
 *
 * Tests: tests/unit/net/test_socks.c, tests/sandbox/test_gate.py, tests/fuzz/fuzz_socks.c */
#include "net/gate.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/listener.h"
#include "net/socks.h"
#include "rt/thread.h"

#include "base/banned.h"

#define HOUR_US   INT64_C(3600000000)
#define ADDRESSES 8 /* of a name that are tried */

struct user {
    uid_t id;
    unsigned open;
    uint64_t bytes; /* since... */
    int64_t since_us;
};

struct gate {
    struct listener *listener;
    unsigned *ports;
    struct addr *allow;
    size_t port_count, allow_count;
    unsigned connections;
    uint64_t bytes;
    int stop; /* an eventfd that is readable when all shall end */
    pthread_t acceptor;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t none;  /* `open` became 0 */
    unsigned open;
    struct user *users; /* those of the last hour */
    size_t user_count, user_cap;
};

struct visit {
    struct gate *gate;
    int client, server;
    uid_t user;
};

/* ---- users ---- */

/* With the lock held. Those who were quiet for an hour make room. */
static struct user *find_user(struct gate *g, uid_t id)
{
    int64_t now_us = clock_mono_us();
    for (size_t i = 0; i < g->user_count;) {
        struct user *u = &g->users[i];
        if (now_us - u->since_us > HOUR_US) {
            u->bytes = 0;
            u->since_us = now_us;
            if (!u->open && u->id != id) {
                *u = g->users[--g->user_count];
                continue;
            }
        }
        if (u->id == id)
            return u;
        i++;
    }
    if (g->user_count == g->user_cap) {
        g->user_cap = g->user_cap ? 2 * g->user_cap : 16;
        g->users = mem_resize(g->users, g->user_cap, sizeof *g->users);
    }
    g->users[g->user_count] = (struct user){.id = id, .since_us = now_us};
    return &g->users[g->user_count++];
}

static bool come(struct gate *g, uid_t id)
{
    pthread_mutex_lock(&g->lock);
    struct user *u = find_user(g, id);
    /* Somebody may have many users (spaces): what half of all connections leave is for those who have few. */
    unsigned most = g->open < LIMIT_GATE_CONNECTIONS / 2 ? g->connections : MAX(g->connections / 4, 1u);
    bool fine = u->open < most && g->open < LIMIT_GATE_CONNECTIONS;
    if (fine) {
        u->open++;
        g->open++;
    }
    pthread_mutex_unlock(&g->lock);
    return fine;
}

static void go(struct gate *g, uid_t id)
{
    pthread_mutex_lock(&g->lock);
    find_user(g, id)->open--;
    if (--g->open == 0)
        pthread_cond_broadcast(&g->none);
    pthread_mutex_unlock(&g->lock);
}

static bool spend(struct gate *g, uid_t id, size_t bytes)
{
    pthread_mutex_lock(&g->lock);
    struct user *u = find_user(g, id);
    u->bytes += bytes;
    bool fine = u->bytes <= g->bytes;
    pthread_mutex_unlock(&g->lock);
    return fine;
}

/* ---- waiting ---- */

/* False: nothing came in time, or all shall end. */
static bool await(const struct gate *g, int fd, short events, int64_t until_us)
{
    for (;;) {
        int64_t left_ms = (until_us - clock_mono_us()) / 1000;
        struct pollfd fds[2] = {{fd, events, 0}, {g->stop, POLLIN, 0}};
        int n = left_ms > 0 ? poll(fds, 2, (int)left_ms) : 0;
        if (n < 0 && errno == EINTR)
            continue;
        return n > 0 && !fds[1].revents && fds[0].revents;
    }
}

static bool send_all(const struct gate *g, int fd, const char *p, size_t n, int64_t until_us)
{
    while (n) {
        ssize_t sent = send(fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN && errno != EINTR)
            return false;
        if (sent < 0 && !await(g, fd, POLLOUT, until_us))
            return false;
        p += MAX(sent, 0);
        n -= (size_t)MAX(sent, 0);
    }
    return true;
}

/* ---- the beginning ---- */

struct hello {
    char bytes[SOCKS_GREETING_MAX + SOCKS_REQUEST_MAX];
    size_t n;
    int64_t until_us;
};

static bool read_more(const struct visit *v, struct hello *h)
{
    if (h->n == sizeof h->bytes || !await(v->gate, v->client, POLLIN, h->until_us))
        return false;
    ssize_t got = recv(v->client, h->bytes + h->n, sizeof h->bytes - h->n, MSG_DONTWAIT);
    h->n += (size_t)MAX(got, 0);
    return got > 0;
}

static void drop(struct hello *h, size_t used)
{
    memmove(h->bytes, h->bytes + used, h->n - used);
    h->n -= used;
}

static bool answer(const struct visit *v, enum socks_reply reply, int64_t until_us)
{
    char out[SOCKS_ANSWER];
    socks_write_answer(reply, out);
    return send_all(v->gate, v->client, out, sizeof out, until_us);
}

static bool greet(const struct visit *v, struct hello *h)
{
    enum status st;
    size_t used = 0;
    while ((st = socks_read_greeting(str_make(h->bytes, h->n), &used)) == STATUS_AGAIN)
        if (!read_more(v, h))
            return false;
    if (st == STATUS_OK)
        drop(h, used);
    return send_all(v->gate, v->client, st == STATUS_OK ? "\5\0" : "\5\377", 2, h->until_us) && st == STATUS_OK;
}

static bool ask(const struct visit *v, struct hello *h, struct socks_request *ret)
{
    enum socks_reply reply = SOCKS_FAILED;
    enum status st;
    size_t used = 0;
    while ((st = socks_read_request(str_make(h->bytes, h->n), ret, &used, &reply)) == STATUS_AGAIN)
        if (!read_more(v, h))
            return false;
    if (st == STATUS_OK)
        drop(h, used);
    else
        (void)answer(v, reply, h->until_us);
    return st == STATUS_OK;
}

/* ---- the way out ---- */

static bool is_allowed(const struct gate *g, const struct sockaddr *address, socklen_t size)
{
    struct addr one = {.len = size}, port_less;
    if (addr_is_public(address))
        return true;
    memcpy(&one.ss, address, size);
    for (size_t i = 0; i < g->allow_count; i++) {
        port_less = g->allow[i];
        addr_set_port(&port_less, addr_port(&one));
        if (addr_eq(&port_less, &one))
            return true;
    }
    return false;
}

static bool is_port_allowed(const struct gate *g, unsigned port)
{
    for (size_t i = 0; i < g->port_count; i++)
        if (g->ports[i] == port)
            return true;
    return !g->port_count && (port == 80 || port == 443);
}

static bool connect_to(struct visit *v, const struct addrinfo *to, int *ret_errno)
{
    int64_t until_us = clock_mono_us() + INT64_C(1000) * LIMIT_GATE_CONNECT_MS;
    socklen_t size = sizeof *ret_errno;
    v->server = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    *ret_errno = errno;
    if (v->server < 0)
        return false;
    int rc = connect(v->server, to->ai_addr, to->ai_addrlen);
    *ret_errno = rc == 0 ? 0 : errno;
    if (rc != 0 && errno == EINPROGRESS) {
        *ret_errno = ETIMEDOUT;
        if (await(v->gate, v->server, POLLOUT, until_us))
            getsockopt(v->server, SOL_SOCKET, SO_ERROR, ret_errno, &size);
    }
    if (*ret_errno == 0)
        return true;
    close(v->server);
    v->server = -1;
    return false;
}

static enum socks_reply find_way(struct visit *v, const struct socks_request *q)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *found = NULL;
    enum socks_reply reply = SOCKS_HOST_UNREACHABLE;
    char port[8];
    int tried = 0, error = 0;
    if (!is_port_allowed(v->gate, q->port))
        return SOCKS_NOT_ALLOWED;
    (void)snprintf(port, sizeof port, "%u", q->port);
    if (q->is_address)
        hints.ai_flags |= AI_NUMERICHOST;
    if (getaddrinfo(q->host, port, &hints, &found) != 0)
        return SOCKS_HOST_UNREACHABLE;
    for (struct addrinfo *one = found; one && v->server < 0 && tried < ADDRESSES; one = one->ai_next, tried++) {
        if (!is_allowed(v->gate, one->ai_addr, one->ai_addrlen)) {
            reply = reply == SOCKS_HOST_UNREACHABLE ? SOCKS_NOT_ALLOWED : reply;
            continue;
        }
        reply = connect_to(v, one, &error) ? SOCKS_DONE : error == ECONNREFUSED ? SOCKS_REFUSED : SOCKS_FAILED;
    }
    freeaddrinfo(found);
    return reply;
}

/* ---- both ways ---- */

struct way {
    int from, to;
    size_t at, n;
    bool ended; /* `from` has no more, and `to` was told */
    char bytes[LIMIT_GATE_BLOCK];
};

/* False: the visit is over. */
static bool step(struct visit *v, struct way *w, bool readable, bool *moved)
{
    if (!w->n && readable && !w->ended) {
        ssize_t got = recv(w->from, w->bytes, sizeof w->bytes, MSG_DONTWAIT);
        if (got < 0)
            return errno == EAGAIN || errno == EINTR;
        *moved = true;
        w->ended = got == 0;
        if (w->ended)
            return shutdown(w->to, SHUT_WR) == 0;
        w->n = (size_t)got;
        w->at = 0;
        if (!spend(v->gate, v->user, w->n)) {
            log_line(LOG_WARN, "gate", "user %u: the bytes of this hour are used up", v->user);
            return false;
        }
    }
    if (w->n) {
        ssize_t sent = send(w->to, w->bytes + w->at, w->n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0)
            return errno == EAGAIN || errno == EINTR;
        *moved = true;
        w->at += (size_t)sent;
        w->n -= (size_t)sent;
    }
    return true;
}

static void relay(struct visit *v)
{
    struct way *ways = mem_array(2, sizeof *ways);
    ways[0].from = ways[1].to = v->client;
    ways[0].to = ways[1].from = v->server;
    int64_t last_us = clock_mono_us();
    bool fine = true;
    while (fine && !(ways[0].ended && ways[1].ended)) {
        struct pollfd fds[3] = {{.fd = v->client}, {.fd = v->server}, {v->gate->stop, POLLIN, 0}};
        for (int i = 0; i < 2; i++) {
            fds[i].events |= ways[i].n || ways[i].ended ? 0 : POLLIN;
            fds[!i].events |= ways[i].n ? POLLOUT : 0;
        }
        for (int i = 0; i < 2; i++)
            fds[i].fd = fds[i].events ? fds[i].fd : -1; /* what ended is always ready */
        int64_t left_ms = LIMIT_GATE_IDLE_MS - (clock_mono_us() - last_us) / 1000;
        int n = left_ms > 0 ? poll(fds, 3, (int)left_ms) : 0;
        if (n < 0 && errno == EINTR)
            continue;
        bool moved = false;
        fine = n > 0 && !fds[2].revents;
        for (int i = 0; i < 2 && fine; i++)
            fine = step(v, &ways[i], fds[i].revents & (POLLIN | POLLHUP | POLLERR), &moved);
        if (moved)
            last_us = clock_mono_us();
    }
    free(ways);
}

static void serve(void *arg)
{
    struct visit *v = arg;
    struct gate *g = v->gate;
    uid_t user = v->user;
    struct hello h = {.until_us = clock_mono_us() + INT64_C(1000) * LIMIT_GATE_HELLO_MS};
    struct socks_request q = {0};
    if (greet(v, &h) && ask(v, &h, &q)) {
        enum socks_reply reply = find_way(v, &q);
        if (reply == SOCKS_NOT_ALLOWED)
            log_line(LOG_WARN, "gate", "user %u: %s port %u is not for spaces", v->user, q.host, q.port);
        if (answer(v, reply, h.until_us + INT64_C(1000) * LIMIT_GATE_CONNECT_MS * ADDRESSES) && reply == SOCKS_DONE &&
            send_all(v->gate, v->server, h.bytes, h.n, h.until_us + INT64_C(1000) * LIMIT_GATE_IDLE_MS))
            relay(v);
    }
    if (v->server >= 0)
        close(v->server);
    close(v->client);
    free(v);
    go(g, user); /* the last thing: the gate, and the program, may end now */
}

/* ---- the gate ---- */

static void welcome(struct gate *g, int fd)
{
    struct ucred who = {.uid = (uid_t)-1};
    socklen_t size = sizeof who;
    pthread_t thread;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0 || !come(g, who.uid)) {
        close(fd); /* the client sees a proxy that hangs up */
        return;
    }
    struct visit *v = MEM_NEW(struct visit);
    *v = (struct visit){.gate = g, .client = fd, .server = -1, .user = who.uid};
    if (thread_start("gate", 0, serve, v, &thread, NULL) == STATUS_OK) {
        pthread_detach(thread);
        return;
    }
    close(fd);
    free(v);
    go(g, who.uid);
}

static void accept_all(void *arg)
{
    struct gate *g = arg;
    struct pollfd fds[2] = {{listener_fd(g->listener), POLLIN, 0}, {g->stop, POLLIN, 0}};
    while (!fds[1].revents) {
        int fd = accept4(fds[0].fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            welcome(g, fd);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE) /* until somebody goes; clients wait in the backlog */
            (void)poll(&fds[1], 1, 100);
        else
            (void)poll(fds, 2, -1);
    }
}

enum status gate_new(const struct gate_config *c, struct gate **ret, struct err *err)
{
    struct listener_config where = {.unix_mode = 0666};
    struct gate *g = MEM_NEW(struct gate);
    g->connections = c->connections;
    g->bytes = c->bytes;
    g->ports = mem_array(c->port_count, sizeof *g->ports);
    g->allow = mem_array(c->allow_count, sizeof *g->allow);
    for (; g->port_count < c->port_count; g->port_count++)
        g->ports[g->port_count] = c->ports[g->port_count];
    for (; g->allow_count < c->allow_count; g->allow_count++)
        g->allow[g->allow_count] = c->allow[g->allow_count];
    pthread_mutex_init(&g->lock, NULL);
    pthread_cond_init(&g->none, NULL);
    g->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    enum status st =
        g->stop < 0 ? err_sys(err, STATUS_IO, errno, "no eventfd") : addr_from_unix_path(c->path, &where.addr, err);
    if (st == STATUS_OK)
        st = listener_open(&where, &g->listener, err);
    if (st == STATUS_OK)
        st = thread_start("gate-accept", 0, accept_all, g, &g->acceptor, err);
    if (st == STATUS_OK)
        *ret = g;
    else
        gate_free(g);
    return st;
}

void gate_free(struct gate *g)
{
    if (!g)
        return;
    if (g->stop >= 0)
        (void)eventfd_write(g->stop, 1);
    if (g->acceptor)
        thread_join(g->acceptor);
    pthread_mutex_lock(&g->lock);
    while (g->open)
        pthread_cond_wait(&g->none, &g->lock);
    pthread_mutex_unlock(&g->lock);
    listener_free(g->listener);
    if (g->stop >= 0)
        close(g->stop);
    pthread_mutex_destroy(&g->lock);
    pthread_cond_destroy(&g->none);
    free(g->users);
    free(g->ports);
    free(g->allow);
    free(g);
}
