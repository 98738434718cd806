/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_healthcheck — GET /-/health, or an address that was given, without a shell or curl: exit 0 when the answer is 200
 * in time, else 1. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "cli/command.h"
#include "net/addr.h"

struct place {
    str host, uds, path;
    int64_t port;
};

enum { OPT_HOST, OPT_PORT, OPT_UDS, OPT_TIMEOUT, OPT_HELP };
static const struct option options[] = {
    {"--host", 'h', OPTION_VALUE, "HOST", "Where the server listens (default 127.0.0.1)", OPT_HOST},
    {"--port", 'p', OPTION_VALUE, "PORT", "Its port (default $PORT or 8001)", OPT_PORT},
    {"--uds", 0, OPTION_VALUE, "PATH", "Its Unix socket", OPT_UDS},
    {"--timeout", 0, OPTION_VALUE, "SECONDS", "How long to wait (default 5)", OPT_TIMEOUT},
    {"--help", 0, OPTION_FLAG, NULL, "Show this text", OPT_HELP},
};

static enum status ask(const struct addr *addr, str path, int64_t timeout_s, struct err *err)
{
    char request[LIMIT_HEALTH_PATH + 128], answer[64] = {0};
    struct timeval limit = {.tv_sec = timeout_s};
    int n = snprintf(request, sizeof request, "GET %.*s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                     STR_ARG(path));
    int fd = socket(addr->ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_set(err, STATUS_IO, "no socket");
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    bool sent = connect(fd, (const struct sockaddr *)&addr->ss, addr->len) == 0 &&
                send(fd, request, (size_t)n, MSG_NOSIGNAL) == n;
    ssize_t got = sent ? recv(fd, answer, sizeof answer - 1, MSG_WAITALL) : -1;
    close(fd);
    if (got < 12)
        return err_set(err, STATUS_IO, sent ? "the server does not answer" : "no server listens there");
    if (strncmp(answer, "HTTP/1.", 7) != 0)
        return err_set(err, STATUS_IO, "what listens there speaks no HTTP (or only https)");
    if (strncmp(answer + 9, "200", 3) != 0)
        return err_set(err, STATUS_IO, "%.*s answers %.3s", STR_ARG(path), answer + 9);
    return STATUS_OK;
}

/* "http://127.0.0.1:8001/prefix/-/ready": each part but the host may be missing. */
static enum status read_url(str url, struct place *p, struct err *err)
{
    str rest = url, authority, port;
    if (str_starts(url, STR("https://"))) {
        err_set(err, STATUS_USAGE, "healthcheck does not speak https");
        return err_hint(err, "Ask over a second, plain address, or a Unix socket with --uds.");
    }
    if (str_starts(url, STR("http://")))
        rest = str_from(url, 7);
    size_t slash = str_find_char(rest, '/');
    authority = slash == STR_NPOS ? rest : str_sub(rest, 0, slash);
    if (slash != STR_NPOS && slash + 1 < rest.n)
        p->path = str_from(rest, slash);
    size_t colon = str_rfind_char(authority, ':'), end = str_rfind_char(authority, ']');
    if (colon != STR_NPOS && (end == STR_NPOS || colon > end)) {
        port = str_from(authority, colon + 1);
        authority = str_sub(authority, 0, colon);
        if (!str_to_i64(port, &p->port) || p->port < 1 || p->port > 65535)
            return err_set(err, STATUS_USAGE, "%.*s: no valid port", STR_ARG(url));
    } else {
        p->port = 80;
    }
    if (authority.n > 2 && authority.p[0] == '[')
        authority = str_sub(authority, 1, authority.n - 1);
    if (p->path.n > LIMIT_HEALTH_PATH) {
        err_set(err, STATUS_USAGE, "a path of %zu bytes, at most %d are possible", p->path.n, LIMIT_HEALTH_PATH);
        return err_hint(err, "Ask for a short one, /-/health or /-/ready.");
    }
    for (size_t i = 0; i < p->path.n; i++)
        if (p->path.p[i] <= ' ' || p->path.p[i] == 0x7f)
            return err_set(err, STATUS_USAGE, "no valid path in %.*s", STR_ARG(url));
    if (!authority.n)
        return err_set(err, STATUS_USAGE, "%.*s: no host", STR_ARG(url));
    p->host = authority;
    return STATUS_OK;
}

int cmd_healthcheck(int argc, char **argv)
{
    struct option_reader r = {.options = options, .count = ARRAY_LEN(options), .argc = argc, .argv = argv};
    struct err err = ERR_INIT;
    struct addr addr;
    struct place p = {.host = STR("127.0.0.1"), .path = STR("/-/health"), .port = 8001};
    str value, second;
    int64_t timeout_s = 5;
    const char *env = getenv("PORT");
    enum status st;
    int id;
    if (env && !str_to_i64(str_of(env), &p.port))
        p.port = 8001;
    while ((st = option_next(&r, &id, &value, &second, &err)) == STATUS_AGAIN) {
        if (id == OPT_HELP) {
            printf("Usage: vitrine healthcheck [OPTIONS] [URL]\n\n"
                   "Asks http://127.0.0.1:8001/-/health, or URL: exit status 0 when the answer is 200, else "
                   "1.\n\nOptions:\n");
            option_print_help(options, ARRAY_LEN(options));
            return 0;
        }
        if (id == OPT_HOST)
            p.host = value;
        if (id == OPT_UDS)
            p.uds = value;
        if (id == -1 && read_url(value, &p, &err) != STATUS_OK)
            return command_fail(&err);
        int64_t *number = id == OPT_PORT ? &p.port : id == OPT_TIMEOUT ? &timeout_s : NULL;
        if (number && (!str_to_i64(value, number) || *number < 1 || *number > 65535)) {
            err_set(&err, STATUS_USAGE, "%.*s is no valid number", STR_ARG(value));
            return command_fail(&err);
        }
    }
    if (st == STATUS_OK)
        st = p.uds.n ? addr_from_unix_path(p.uds, &addr, &err)
                     : addr_from_host_port(p.host, (unsigned)p.port, &addr, &err);
    if (st == STATUS_OK)
        st = ask(&addr, p.path, timeout_s, &err);
    if (st == STATUS_OK)
        return 0;
    int code = command_fail(&err);
    return st == STATUS_USAGE ? code : 1; /* what containers know: 0 well, 1 not */
}
