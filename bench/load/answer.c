/* SPDX-License-Identifier: Apache-2.0 */
/* answer: the server behind a proxy that is measured. It answers from memory and does nothing else, so that the proxy
 * is what there is least of.
 *
 *   answer PORT TARGET=BYTES...      listens on 127.0.0.1, keeps connections; 404 for other targets
 *
 * One thread, epoll, one read and one write a request, no allocation after the start. The head is as long as that of a
 * web server with a file: a proxy has the same fields to read. Requests have no body. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TARGETS_MAX = 8, REQUEST_MAX = 8192, BODY_MAX = 1 << 24 };

struct target {
    const char *name;
    size_t name_n, answer_n;
    char *answer;
};

struct connection {
    int fd;
    size_t n;
    char request[REQUEST_MAX];
};

static struct target targets[TARGETS_MAX + 1];
static int target_count, epoll;

static void die(const char *what)
{
    fprintf(stderr, "answer: %s: %s\n", what, errno ? strerror(errno) : "see the head of bench/load/answer.c");
    exit(1);
}

static void target_make(struct target *t, const char *status, size_t body_n)
{
    t->answer = malloc(body_n + 512);
    if (!t->answer)
        die("memory");
    int head_n = snprintf(t->answer, 512,
                          "HTTP/1.1 %s\r\nServer: answer/1\r\nDate: Sat, 21 Nov 2026 12:00:00 GMT\r\n"
                          "Content-Type: text/plain\r\nContent-Length: %zu\r\n"
                          "Last-Modified: Sat, 21 Nov 2026 11:00:00 GMT\r\nConnection: keep-alive\r\n"
                          "ETag: \"6a1f3c2b-400\"\r\nAccept-Ranges: bytes\r\n\r\n",
                          status, body_n);
    memset(t->answer + head_n, 's', body_n);
    t->answer_n = (size_t)head_n + body_n;
}

static const struct target *target_find(const char *request, size_t n)
{
    for (int i = 0; i < target_count; i++) {
        const struct target *t = &targets[i];
        if (n > 4 + t->name_n && memcmp(request + 4, t->name, t->name_n) == 0 && request[4 + t->name_n] == ' ')
            return t;
    }
    return &targets[target_count];
}

static void connection_close(struct connection *c)
{
    close(c->fd);
    free(c);
}

/* Small answers fit into the socket; a large one waits here for a client that is slow. */
static int answer_send(const struct connection *c, const struct target *t)
{
    for (size_t at = 0; at < t->answer_n;) {
        ssize_t n = send(c->fd, t->answer + at, t->answer_n - at, MSG_NOSIGNAL);
        if (n <= 0)
            return -1;
        at += (size_t)n;
    }
    return 0;
}

static void connection_readable(struct connection *c)
{
    ssize_t got = recv(c->fd, c->request + c->n, sizeof(c->request) - c->n, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0) {
        connection_close(c);
        return;
    }
    c->n += (size_t)got;
    char *end;
    while ((end = memmem(c->request, c->n, "\r\n\r\n", 4)) != NULL) {
        if (answer_send(c, target_find(c->request, c->n))) {
            connection_close(c);
            return;
        }
        size_t used = (size_t)(end + 4 - c->request);
        memmove(c->request, c->request + used, c->n - used);
        c->n -= used;
    }
    if (c->n == sizeof(c->request))
        connection_close(c);
}

static void connection_accept(int listening)
{
    int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC), on = 1;
    struct connection *c = fd < 0 ? NULL : calloc(1, sizeof(*c));
    if (!c)
        return;
    c->fd = fd;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
        die("epoll_ctl");
}

static int listen_at(const char *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
        bind(fd, (const struct sockaddr *)&at, sizeof(at)) || listen(fd, 1024))
        die("listen");
    return fd;
}

int main(int argc, char **argv)
{
    if (argc < 3 || argc - 2 > TARGETS_MAX)
        die("arguments");
    for (int i = 2; i < argc; i++) {
        struct target *t = &targets[target_count++];
        char *is = strchr(argv[i], '=');
        if (!is || strtoul(is + 1, NULL, 10) > BODY_MAX)
            die(argv[i]);
        t->name = argv[i];
        t->name_n = (size_t)(is - argv[i]);
        target_make(t, "200 OK", strtoul(is + 1, NULL, 10));
    }
    target_make(&targets[target_count], "404 Not Found", 0);
    int listening = listen_at(argv[1]);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[256];
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listening, &event))
        die("epoll");
    for (;;) {
        int n = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr)
                connection_readable(events[i].data.ptr);
            else
                connection_accept(listening);
        }
    }
}
