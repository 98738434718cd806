/* SPDX-License-Identifier: Apache-2.0 */
#include "http/edge_call.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "http/h1_parse.h"
#include "net/addr.h"

#define BUSY_PAUSE_US 50000
#define BUSY_TRIES    600
#define ANSWER_MAX    (LIMIT_EDGE_STATE + 65536)

str edge_state_folder(struct arena *a, str given)
{
    const char *own = getenv("VITRINE_EDGE_STATE"), *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (given.n)
        return given;
    if (own && *own)
        return str_of(own);
    if (xdg && *xdg == '/')
        return arena_printf(a, "%s/vitrine/edge", xdg);
    return home && *home ? arena_printf(a, "%s/.local/state/vitrine/edge", home) : STR("");
}

static enum status connect_to(struct arena *a, str state, int *ret_fd, struct err *err)
{
    struct addr addr;
    str path = arena_printf(a, "%.*s/%s", STR_ARG(state), EDGE_CONTROL_SOCKET);
    enum status st = addr_from_unix_path(path, &addr, err);
    if (st != STATUS_OK)
        return st;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_sys(err, STATUS_IO, errno, "no socket");
    if (connect(fd, (const struct sockaddr *)&addr.ss, addr.len) < 0) {
        int error = errno;
        close(fd);
        if (error == EACCES)
            return err_set(err, STATUS_FORBIDDEN, "the edge with the state folder '%.*s' is another user's",
                           STR_ARG(state));
        err_set(err, STATUS_NOT_FOUND, "no edge runs with the state folder '%.*s'", STR_ARG(state));
        return err_hint(err, "Start one: vitrine edge --listen ADDRESS --state DIR; or name its folder with --state.");
    }
    *ret_fd = fd;
    return STATUS_OK;
}

static enum status exchange(int fd, str request, struct buf *in, struct err *err)
{
    for (size_t at = 0; at < request.n;) {
        ssize_t n = send(fd, request.p + at, request.n - at, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return err_set(err, STATUS_IO, "the edge ended the connection");
        at += (size_t)n;
    }
    for (;;) { /* "Connection: close": until its end */
        char *to = buf_reserve(in, 16384);
        ssize_t n = to ? recv(fd, to, 16384, 0) : -1;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(err, STATUS_IO, "the edge's answer cannot be read");
        if (n == 0)
            return STATUS_OK;
        in->n += (size_t)n;
    }
}

static enum status status_named(str name)
{
    for (int i = 0; i < STATUS_COUNT; i++)
        if (str_is(name, status_name((enum status)i)))
            return (enum status)i;
    return STATUS_IO;
}

static enum status told(struct value v, struct err *err)
{
    str text = value_get_text(v, STR("error")), hint = value_get_text(v, STR("hint"));
    enum status st = err_set(err, status_named(value_get_text(v, STR("status"))), "%.*s", STR_ARG(text));
    if (hint.n)
        err_hint(err, "%.*s", STR_ARG(hint));
    return st;
}

static enum status read_answer(struct arena *a, str in, struct value *ret, struct err *err)
{
    struct h1_parser p;
    struct h1_head head;
    struct http_header fields[LIMIT_HTTP_HEADERS];
    h1_parser_init_answer(&p, &(struct h1_limits){4096, 32768, LIMIT_HTTP_HEADERS});
    enum status st = h1_parse_answer(&p, in, fields, &head, err);
    if (st != STATUS_OK)
        return st == STATUS_AGAIN ? err_set(err, STATUS_IO, "the edge ended the connection") : st;
    str body = str_from(in, head.bytes);
    if (head.content_length >= 0 && (int64_t)body.n < head.content_length)
        return err_set(err, STATUS_IO, "the edge's answer is not complete");
    bool json = str_eq_nocase(http_headers_get(&head.headers, STR("content-type")), STR("application/json"));
    *ret = value_str(arena_str(a, body));
    if (json)
        st = value_from_json(a, ret->s, ret, err);
    if (st == STATUS_OK && head.status == 413 && !json) {
        err_set(err, STATUS_TOO_LARGE, "what the edge is told is longer than %d bytes", LIMIT_EDGE_CONTROL);
        return err_hint(err, "Put long values into a file, and its name into the environment.");
    }
    if (st == STATUS_OK && head.status >= 400)
        return json ? told(*ret, err) : err_set(err, STATUS_IO, "the edge answered %d", head.status);
    return st;
}

enum status edge_call(struct arena *a, str state, const char *method, str path, struct value body, struct value *ret,
                      struct err *err)
{
    struct buf request, in, json;
    int fd;
    if (!state.n)
        return err_set(err, STATUS_USAGE, "no state folder: HOME is not set; give --state DIR");
    enum status st = connect_to(a, state, &fd, err);
    if (st != STATUS_OK)
        return st;
    buf_init(&request, ANSWER_MAX);
    buf_init(&in, ANSWER_MAX);
    buf_init(&json, ANSWER_MAX);
    if (body.kind == VALUE_DICT)
        value_to_json(&json, body, VALUE_JSON_UTF8);
    buf_printf(&request, "%s %.*s HTTP/1.1\r\nHost: edge\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n", method,
               STR_ARG(path), json.n);
    buf_puts(&request, buf_str(&json));
    st = exchange(fd, buf_str(&request), &in, err);
    close(fd);
    if (st == STATUS_OK)
        st = read_answer(a, buf_str(&in), ret, err);
    buf_release(&request);
    buf_release(&in);
    buf_release(&json);
    return st;
}

enum status edge_do(struct arena *a, str state, str path, struct value body, bool quiet, struct err *err)
{
    struct value v;
    enum status st = edge_call(a, state, "POST", path, body, &v, err);
    for (int tries = 0; st == STATUS_BUSY && tries < BUSY_TRIES; tries++) { /* an upgrade of the edge is under way */
        (void)usleep(BUSY_PAUSE_US);
        err_clear(err);
        st = edge_call(a, state, "POST", path, body, &v, err);
    }
    if (st != STATUS_OK)
        return st;
    int64_t job = VALUE_GET(v, "job").i, next = 0;
    for (;;) {
        str where = arena_printf(a, "/jobs/%lld?after=%lld", (long long)job, (long long)next);
        st = edge_call(a, state, "GET", where, VALUE_UNDEF, &v, err);
        if (st != STATUS_OK)
            return st;
        struct value lines = VALUE_GET(v, "lines");
        for (size_t i = 0; !quiet && i < value_count(lines); i++)
            (void)fprintf(stderr, "%.*s\n", STR_ARG(value_at(lines, i).s));
        next = VALUE_GET(v, "next").i;
        if (value_truth(VALUE_GET(v, "done")))
            return value_has(v, STR("error")) ? told(v, err) : STATUS_OK;
    }
}
