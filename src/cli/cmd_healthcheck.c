/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_healthcheck — GET /-/health without a shell or curl: exit 0 when the answer is 200 in time, else 1. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/command.h"
#include "net/addr.h"

enum { OPT_HOST, OPT_PORT, OPT_UDS, OPT_TIMEOUT, OPT_HELP };
static const struct option options[] = {
    {"--host", 'h', OPTION_VALUE, "HOST", "Where the server listens (default 127.0.0.1)", OPT_HOST},
    {"--port", 'p', OPTION_VALUE, "PORT", "Its port (default $PORT or 8001)", OPT_PORT},
    {"--uds", 0, OPTION_VALUE, "PATH", "Its Unix socket", OPT_UDS},
    {"--timeout", 0, OPTION_VALUE, "SECONDS", "How long to wait (default 5)", OPT_TIMEOUT},
    {"--help", 0, OPTION_FLAG, NULL, "Show this text", OPT_HELP},
};

static enum status ask(const struct addr *addr, int64_t timeout_s, struct err *err)
{
    static const char request[] = "GET /-/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    struct timeval limit = {.tv_sec = timeout_s};
    char answer[64] = {0};
    int fd = socket(addr->ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_set(err, STATUS_IO, "no socket");
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    bool sent = connect(fd, (const struct sockaddr *)&addr->ss, addr->len) == 0 &&
                send(fd, request, sizeof request - 1, MSG_NOSIGNAL) == (ssize_t)sizeof request - 1;
    ssize_t n = sent ? recv(fd, answer, sizeof answer - 1, MSG_WAITALL) : -1;
    close(fd);
    if (n < 12)
        return err_set(err, STATUS_IO, sent ? "the server does not answer" : "no server listens there");
    if (strncmp(answer + 9, "200", 3) != 0)
        return err_set(err, STATUS_IO, "the server answers %.3s", answer + 9);
    return STATUS_OK;
}

int cmd_healthcheck(int argc, char **argv)
{
    struct option_reader r = {.options = options, .count = ARRAY_LEN(options), .argc = argc, .argv = argv};
    struct err err = ERR_INIT;
    struct addr addr;
    str host = STR("127.0.0.1"), uds = {0}, value, second;
    int64_t port = 8001, timeout_s = 5;
    const char *env = getenv("PORT");
    enum status st;
    int id;
    if (env && !str_to_i64(str_of(env), &port))
        port = 8001;
    while ((st = option_next(&r, &id, &value, &second, &err)) == STATUS_AGAIN) {
        if (id == OPT_HELP) {
            printf("Usage: vitrine healthcheck [OPTIONS]\n\n");
            option_print_help(options, ARRAY_LEN(options));
            return 0;
        }
        if (id == OPT_HOST)
            host = value;
        if (id == OPT_UDS)
            uds = value;
        int64_t *number = id == OPT_PORT ? &port : id == OPT_TIMEOUT ? &timeout_s : NULL;
        if (number && (!str_to_i64(value, number) || *number < 1 || *number > 65535)) {
            err_set(&err, STATUS_USAGE, "%.*s is no valid number", STR_ARG(value));
            return command_fail(&err);
        }
    }
    if (st == STATUS_OK)
        st = uds.n ? addr_from_unix_path(uds, &addr, &err) : addr_from_host_port(host, (unsigned)port, &addr, &err);
    if (st == STATUS_OK)
        st = ask(&addr, timeout_s, &err);
    if (st == STATUS_OK)
        return 0;
    int code = command_fail(&err);
    return st == STATUS_USAGE ? code : 1; /* what containers know: 0 well, 1 not */
}
