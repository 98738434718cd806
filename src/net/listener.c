/* SPDX-License-Identifier: Apache-2.0 */
/* listener — from an address to accepted connections.
 *
 *   open --start--> ACCEPTING <--resume/pause--> PAUSED          stop: back to "open"
 *                   ACCEPTING --no descriptors--> STARVED --100 ms--> ACCEPTING (the log speaks once for the whole
 * famine)
 *
 * Socket options that accepted connections inherit (TCP_NODELAY) are set on the listening socket, once. A unix socket
 * is bound under a temporary name, given its mode, made to listen, and only then renamed to its path: nobody can meet
 * it half-made, and the path never disappears while a successor takes over from a dead server.
 *
 * Not here: what a connection is (http/). Fault points: listener.accept (no descriptor left).
 * Tests: tests/unit/net/test_listener.c. */
#include "net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "rt/fault.h"

#define STARVED_PAUSE_MS 100
#define UNIX_SUFFIX      ".new" /* of the temporary name */

struct listener {
    struct addr addr;
    int fd;
    char *unix_path; /* of the file we made; NULL otherwise */
    dev_t unix_dev;
    ino_t unix_ino;
    struct loop *loop; /* NULL unless started */
    struct loop_fd *watch;
    struct loop_timer retry;
    void (*on_accept)(void *arg, int fd, const struct addr *peer);
    void *arg;
    uint64_t accepted;
    bool paused, starved, freed;
};

/* ---- opening ---- */

static enum status failed(const struct addr *a, const char *what, int errno_value, struct err *err)
{
    char text[ADDR_TEXT_MAX];
    addr_format(a, text);
    enum status status = STATUS_IO;
    const char *hint = NULL;
    if (errno_value == EADDRINUSE) {
        status = STATUS_CONFLICT;
        hint = "another program uses this address: stop it, or choose another port";
    } else if (errno_value == EACCES) {
        status = STATUS_FORBIDDEN;
        hint = addr_is_unix(a) ? "choose a folder that this user may write to"
                               : "ports below 1024 need root or CAP_NET_BIND_SERVICE: choose another port";
    } else if (errno_value == EADDRNOTAVAIL) {
        status = STATUS_NOT_FOUND;
        hint = "this machine does not have that address";
    } else if (errno_value == ENOENT) {
        status = STATUS_NOT_FOUND;
        hint = "make the folder of the socket first";
    }
    err_sys(err, status, errno_value, "cannot %s %s", what, text);
    if (hint)
        err_hint(err, "%s", hint);
    return status;
}

static void set_option(int fd, int level, int option, int value)
{
    (void)setsockopt(fd, level, option, &value, sizeof(value)); /* an option the system lacks is no reason to fail */
}

static int open_tcp(const struct addr *a, bool reuse_port)
{
    int fd = socket(a->ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (reuse_port)
        set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (a->ss.ss_family == AF_INET6)
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, a->dual_stack ? 0 : 1);
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (bind(fd, (const struct sockaddr *)&a->ss, a->len) < 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

static enum status listen_tcp(struct listener *l, const struct listener_config *c, int backlog, struct err *err)
{
    l->fd = open_tcp(&l->addr, c->reuse_port);
    if (l->fd < 0 && l->addr.dual_stack && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) {
        unsigned port = addr_port(&l->addr);
        enum status st = addr_from_host_port(STR("0.0.0.0"), port, &l->addr, err);
        if (st != STATUS_OK)
            return st;
        l->fd = open_tcp(&l->addr, c->reuse_port);
    }
    if (l->fd < 0 || listen(l->fd, backlog) < 0)
        return failed(&l->addr, "listen on", errno, err);
    return STATUS_OK;
}

/* OK: the path is free, or holds a socket that nobody listens on. */
static enum status check_unix_path(const struct addr *a, struct err *err)
{
    const char *path = addr_unix_path(a);
    struct stat st;
    if (lstat(path, &st) < 0)
        return errno == ENOENT ? STATUS_OK : failed(a, "listen on", errno, err);
    if (!S_ISSOCK(st.st_mode)) {
        err_set(err, STATUS_CONFLICT, "cannot listen on unix:%s: a file that is not a socket is there", path);
        err_hint(err, "move it away, or choose another path");
        return STATUS_CONFLICT;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return failed(a, "make a socket for", errno, err);
    int rc = connect(fd, (const struct sockaddr *)&a->ss, a->len);
    int saved = errno;
    close(fd);
    if (rc < 0 && (saved == ECONNREFUSED || saved == ENOENT))
        return STATUS_OK;
    return failed(a, "listen on", rc == 0 || saved == EAGAIN ? EADDRINUSE : saved, err);
}

static enum status listen_unix(struct listener *l, const struct listener_config *c, int backlog, struct err *err)
{
    enum status st = check_unix_path(&l->addr, err);
    if (st != STATUS_OK)
        return st;
    const char *path = addr_unix_path(&l->addr);
    char temporary[sizeof(((struct sockaddr_un *)0)->sun_path) + sizeof(UNIX_SUFFIX)];
    snprintf(temporary, sizeof(temporary), "%s" UNIX_SUFFIX, path);
    struct addr bound;
    st = addr_from_unix_path(str_of(temporary), &bound, err);
    if (st != STATUS_OK)
        return st;
    (void)unlink(temporary); /* left by a server that died between bind and rename */
    l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->fd < 0 || bind(l->fd, (const struct sockaddr *)&bound.ss, bound.len) < 0)
        return failed(&l->addr, "listen on", errno, err);
    struct stat file;
    if ((c->unix_mode != 0 && chmod(temporary, (mode_t)c->unix_mode) < 0) || listen(l->fd, backlog) < 0 ||
        lstat(temporary, &file) < 0 || rename(temporary, path) < 0) {
        st = failed(&l->addr, "listen on", errno, err);
        (void)unlink(temporary);
        return st;
    }
    l->unix_path = mem_cstr(str_of(path));
    l->unix_dev = file.st_dev;
    l->unix_ino = file.st_ino;
    return STATUS_OK;
}

static enum status learn_addr(struct listener *l, struct err *err)
{
    struct addr bound = {.len = sizeof(bound.ss)};
    if (getsockname(l->fd, (struct sockaddr *)&bound.ss, &bound.len) < 0)
        return err_sys(err, STATUS_INVALID, errno, "descriptor %d is not a socket", l->fd);
    if (!l->unix_path) /* ours was renamed after bind: the kernel knows the temporary name only */
        l->addr = bound;
    return STATUS_OK;
}

static void on_retry(void *arg);

static struct listener *listener_make(int fd)
{
    struct listener *l = mem_alloc(sizeof(*l));
    l->fd = fd;
    loop_timer_init(&l->retry, on_retry, l);
    return l;
}

enum status listener_open(const struct listener_config *config, struct listener **ret, struct err *err)
{
    struct listener *l = listener_make(-1);
    l->addr = config->addr;
    int backlog = config->backlog > 0 ? config->backlog : LIMIT_LISTEN_BACKLOG;
    enum status st =
        addr_is_unix(&l->addr) ? listen_unix(l, config, backlog, err) : listen_tcp(l, config, backlog, err);
    if (st == STATUS_OK)
        st = learn_addr(l, err);
    if (st != STATUS_OK) {
        listener_free(l);
        return st;
    }
    *ret = l;
    return STATUS_OK;
}

static bool is_listening(int fd)
{
    int type = 0, listening = 0;
    socklen_t n = sizeof(type), m = sizeof(listening);
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0 && type == SOCK_STREAM &&
           getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &m) == 0 && listening;
}

enum status listener_adopt(int fd, struct listener **ret, struct err *err)
{
    if (!is_listening(fd))
        return err_set(err, STATUS_INVALID, "descriptor %d is not a listening stream socket", fd);
    if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return err_sys(err, STATUS_IO, errno, "cannot prepare inherited descriptor %d", fd);
    struct listener *l = listener_make(fd);
    enum status st = learn_addr(l, err);
    if (st != STATUS_OK) {
        free(l);
        return st;
    }
    if (!addr_is_unix(&l->addr))
        set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    *ret = l;
    return STATUS_OK;
}

/* ---- accepting ---- */

static void update_events(struct listener *l)
{
    if (l->watch)
        loop_set_events(l->loop, l->watch, l->paused || loop_timer_armed(&l->retry) ? 0 : LOOP_READ);
}

static void on_retry(void *arg)
{
    update_events(arg);
}

static void famine(struct listener *l, int errno_value)
{
    char text[ADDR_TEXT_MAX];
    addr_format(&l->addr, text);
    if (!l->starved)
        log_line(LOG_ERROR, "net", "cannot accept on %s: %s; trying every %d ms, %llu connections accepted so far",
                 text, strerrordesc_np(errno_value), STARVED_PAUSE_MS, (unsigned long long)l->accepted);
    l->starved = true;
    loop_timer_after_ms(l->loop, &l->retry, STARVED_PAUSE_MS);
    update_events(l);
}

static void famine_over(struct listener *l)
{
    char text[ADDR_TEXT_MAX];
    addr_format(&l->addr, text);
    log_line(LOG_INFO, "net", "accepting on %s again", text);
    l->starved = false;
}

static int accept_one(struct listener *l, struct addr *peer)
{
    if (FAULT("listener.accept")) {
        errno = EMFILE;
        return -1;
    }
    peer->len = sizeof(peer->ss);
    return accept4(l->fd, (struct sockaddr *)&peer->ss, &peer->len, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/* A connection that died in the backlog, or a network error that Linux reports here (accept(2)): take the next one. */
static bool is_passing(int errno_value)
{
    static const int passing[] = {EINTR,  ECONNABORTED, EPROTO,      ENETDOWN, ENOPROTOOPT, EHOSTDOWN,
                                  ENONET, EHOSTUNREACH, ENETUNREACH, EPERM,    ETIMEDOUT,   EOPNOTSUPP};
    for (size_t i = 0; i < ARRAY_LEN(passing); i++)
        if (passing[i] == errno_value)
            return true;
    return false;
}

static void on_ready(void *arg, unsigned events)
{
    struct listener *l = arg;
    (void)events;
    /* A bounded batch: connections that exist are served between batches. */
    for (int i = 0; i < LIMIT_ACCEPT_BATCH && !l->freed && l->watch && !l->paused; i++) {
        struct addr peer = {0};
        int fd = accept_one(l, &peer);
        if (fd >= 0) {
            if (l->starved)
                famine_over(l);
            l->accepted++;
            l->on_accept(l->arg, fd, &peer);
        } else if (errno == EAGAIN) {
            return;
        } else if (!is_passing(errno)) {
            famine(l, errno);
            return;
        }
    }
}

enum status listener_start(struct listener *l, struct loop *loop,
                           void (*on_accept)(void *arg, int fd, const struct addr *peer), void *arg, struct err *err)
{
    ASSERT(!l->watch);
    l->loop = loop;
    l->on_accept = on_accept;
    l->arg = arg;
    l->paused = false;
    return loop_add_fd(loop, l->fd, LOOP_READ, on_ready, l, &l->watch, err);
}

void listener_pause(struct listener *l)
{
    l->paused = true;
    update_events(l);
}

void listener_resume(struct listener *l)
{
    l->paused = false;
    update_events(l);
}

void listener_stop(struct listener *l)
{
    if (!l->watch)
        return;
    loop_timer_cancel(l->loop, &l->retry);
    loop_remove_fd(l->loop, l->watch);
    l->watch = NULL;
}

static void unlink_own(const struct listener *l)
{
    struct stat st;
    if (l->unix_path && lstat(l->unix_path, &st) == 0 && st.st_dev == l->unix_dev && st.st_ino == l->unix_ino)
        (void)unlink(l->unix_path);
}

void listener_free(struct listener *l)
{
    if (!l)
        return;
    listener_stop(l);
    unlink_own(l);
    if (l->fd >= 0)
        close(l->fd);
    free(l->unix_path);
    l->freed = true;
    if (l->loop)
        loop_defer(l->loop, free, l); /* we may be inside on_accept */
    else
        free(l);
}

void listener_disown_path(struct listener *l)
{
    free(l->unix_path);
    l->unix_path = NULL;
}

bool listener_own_path(struct listener *l, str path)
{
    struct stat st;
    struct addr addr;
    char *text = mem_cstr(path);
    if (lstat(text, &st) < 0 || !S_ISSOCK(st.st_mode) || addr_from_unix_path(path, &addr, NULL) != STATUS_OK) {
        free(text);
        return false;
    }
    free(l->unix_path);
    l->unix_path = text;
    l->unix_dev = st.st_dev;
    l->unix_ino = st.st_ino;
    l->addr = addr; /* the kernel knows the name it was bound to, before it was renamed */
    return true;
}

const struct addr *listener_addr(const struct listener *l)
{
    return &l->addr;
}

int listener_fd(const struct listener *l)
{
    return l->fd;
}

uint64_t listener_accepted(const struct listener *l)
{
    return l->accepted;
}

bool listener_starved(const struct listener *l)
{
    return l->starved;
}
