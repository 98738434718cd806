/* SPDX-License-Identifier: Apache-2.0 */
/* greeter — a start that takes long (thousands of files, large ones that are hashed, an import) is told, not endured:
 * browsers get a page that goes on by itself, programs a 503 with Retry-After, probes a true answer.
 *
 * Most starts are over before it says anything: a request that came early is then answered as any other. It knows no
 * site, so it speaks the least HTTP there is: one request a connection, its head read up to a bound and a deadline, and
 * only the path of it is looked at. One connection at a time; the others wait. Not over TLS: that is the server's.
 * Tests: tests/cli/test_greeter.py. */
#include "cli/greeter.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"
#include "rt/thread.h"

#define HEAD_BYTES 8192
#define HEAD_MS    500 /* for the whole of it */
#define RETRY_MS   50
#define RETRY_S    "2"

/* It asks by itself and is replaced once there is something else: no reload while it is read (WCAG 2.2.1). */
#define PAGE                                                                                                           \
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>One moment</title>"                       \
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"                                         \
    "<meta name=\"color-scheme\" content=\"light dark\">"                                                              \
    "<style>:root{color-scheme:light dark}body{font:1.0625rem/1.55 system-ui,sans-serif;margin:18vh auto;"             \
    "max-width:34rem;padding:0 1.5rem}h1{font-size:1.6rem;line-height:1.25}a{display:inline-block;padding:.55rem 0;"   \
    "min-height:44px}</style></head><body><main><h1>One moment</h1>"                                                   \
    "<p>This site is just starting: its databases are being opened. The page comes as soon as they are.</p>"           \
    "<p><a href=\"\">Try again</a></p></main><script>setInterval(function(){fetch(location.href,{method:'HEAD',"       \
    "cache:'no-store'}).then(function(r){if(r.status!==503)location.reload()},function(){})}," RETRY_S                 \
    "000)</script></body></html>\n"
#define JSON                                                                                                           \
    "{\"ok\": false, \"status\": \"not ready\", \"error\": \"Databases are being opened\", \"reason\": "               \
    "\"Databases are being opened\"}"
#define HEALTHY "{\"ok\": true, \"status\": \"ok\"}"

static const struct answer {
    const char *end; /* of the path */
    const char *line, *type, *body;
} answers[] = {
    {"/-/health", "200 OK", "application/json", HEALTHY},
    {"/-/health.json", "200 OK", "application/json", HEALTHY},
    {"/-/ready", "503 Service Unavailable", "application/json", JSON},
    {".json", "503 Service Unavailable", "application/json", JSON},
    {"", "503 Service Unavailable", "text/html; charset=utf-8", PAGE}, /* all others */
};

struct greeter {
    int listen_fd, stop_fd;
    pthread_t thread;
};

/* False: told to stop, or nothing came in time. */
static bool ready(const struct greeter *g, int fd, int64_t until_us)
{
    struct pollfd wait[] = {{.fd = g->stop_fd, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    int64_t left_us = until_us - clock_mono_us();
    int n = poll(wait, fd < 0 ? 1 : 2, until_us ? (int)(MAX(left_us, 0) / 1000) : -1);
    return n > 0 && !wait[0].revents && fd >= 0;
}

static bool read_head(const struct greeter *g, int fd, char head[HEAD_BYTES], size_t *ret_n)
{
    int64_t until_us = clock_mono_us() + HEAD_MS * INT64_C(1000);
    size_t n = 0;
    while (n < HEAD_BYTES && ready(g, fd, until_us)) {
        ssize_t got = recv(fd, head + n, HEAD_BYTES - n, MSG_DONTWAIT);
        if (got <= 0)
            return false;
        n += (size_t)got;
        *ret_n = n;
        if (str_find(str_make(head, n), STR("\r\n\r\n")) != STR_NPOS)
            return true;
    }
    return false;
}

static const struct answer *choose(str head)
{
    str method, rest, target, path;
    size_t i = 0;
    (void)str_cut(head, ' ', &method, &rest);
    (void)str_cut(rest, ' ', &target, &rest);
    (void)str_cut(target, '?', &path, &rest);
    while (!str_ends(path, str_of(answers[i].end)))
        i++;
    return &answers[i];
}

static void greet(const struct greeter *g, int fd)
{
    char head[HEAD_BYTES], out[sizeof(PAGE) + 512];
    size_t n = 0;
    if (!read_head(g, fd, head, &n))
        return;
    const struct answer *a = choose(str_make(head, n));
    bool no_body = str_starts(str_make(head, n), STR("HEAD "));
    int length = snprintf(out, sizeof out,
                          "HTTP/1.1 %s\r\ncontent-type: %s\r\ncontent-length: %zu\r\nretry-after: " RETRY_S
                          "\r\ncache-control: no-store\r\nconnection: close\r\n\r\n%s",
                          a->line, a->type, strlen(a->body), no_body ? "" : a->body);
    (void)!send(fd, out, (size_t)length, MSG_NOSIGNAL);
    shutdown(fd, SHUT_WR);
    for (int64_t until_us = clock_mono_us() + HEAD_MS * INT64_C(1000); ready(g, fd, until_us);) /* a reset would */
        if (recv(fd, head, sizeof head, MSG_DONTWAIT) <= 0)                                     /* take it away */
            break;
}

static void run(void *arg)
{
    const struct greeter *g = arg;
    struct pollfd stop = {.fd = g->stop_fd, .events = POLLIN};
    if (poll(&stop, 1, LIMIT_GREET_AFTER_MS) != 0)
        return;
    while (ready(g, g->listen_fd, 0)) {
        int fd = accept4(g->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) { /* gone again, or no descriptor is left: no hurry */
            (void)poll(&stop, 1, RETRY_MS);
            continue;
        }
        greet(g, fd);
        close(fd);
    }
}

struct greeter *greeter_new(int listen_fd)
{
    struct greeter *g = MEM_NEW(struct greeter);
    g->listen_fd = listen_fd;
    g->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (g->stop_fd >= 0 && thread_start("greeter", 0, run, g, &g->thread, NULL) == STATUS_OK)
        return g;
    if (g->stop_fd >= 0)
        close(g->stop_fd);
    free(g);
    return NULL;
}

void greeter_stop(struct greeter *g)
{
    uint64_t one = 1;
    if (g)
        (void)!write(g->stop_fd, &one, sizeof one);
}

void greeter_free(struct greeter *g)
{
    if (!g)
        return;
    greeter_stop(g);
    thread_join(g->thread);
    close(g->stop_fd);
    free(g);
}
