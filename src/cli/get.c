/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/get.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/limits.h"
#include "codec/sign.h"
#include "net/addr.h"
#include "rt/thread.h"

enum status get_check(const struct get *g, struct err *err)
{
    struct arena *a = arena_new(0);
    struct value actor;
    enum status st = STATUS_OK;
    const char *needs = g->headers ? "--headers" : g->token.n ? "--token" : g->actor.n ? "--actor" : NULL;
    if (!g->path.n && needs)
        st = err_set(err, STATUS_USAGE, "%s can only be used with --get", needs);
    else if (g->path.n && g->path.p[0] != '/')
        st = err_set(err, STATUS_USAGE, "--get needs a path that begins with /, not \"%.*s\"", STR_ARG(g->path));
    else if (g->actor.n && (value_from_json(a, g->actor, &actor, NULL) != STATUS_OK || actor.kind != VALUE_DICT))
        st = err_set(err, STATUS_USAGE, "--actor must be a JSON object, for example '{\"id\": \"root\"}'");
    arena_free(a);
    return st;
}

enum status get_prepare(struct get *g, struct arena *a, str *ret_socket, struct err *err)
{
    const char *temp = getenv("TMPDIR");
    g->folder = arena_cstr(a, arena_printf(a, "%s/vitrine-get-XXXXXX", temp && *temp ? temp : "/tmp"));
    if (!mkdtemp(g->folder)) {
        err_sys(err, STATUS_IO, errno, "cannot make a folder like %s", g->folder);
        g->folder = NULL;
        return err ? err->status : STATUS_IO;
    }
    g->socket = arena_cstr(a, arena_printf(a, "%s/s", g->folder));
    *ret_socket = str_of(g->socket);
    return STATUS_OK;
}

/* Header fields hold no line ends: they come from the command line. */
static str one_line(struct arena *a, str s)
{
    char *out = arena_cstr(a, s);
    for (char *p = out; *p; p++)
        if (*p == '\r' || *p == '\n')
            *p = ' ';
    return str_of(out);
}

static str make_request(const struct get *g, struct arena *a, str secret)
{
    str extra = {0};
    if (g->token.n)
        extra = ARENA_CAT(a, STR("Authorization: Bearer "), one_line(a, g->token), STR("\r\n"));
    if (g->actor.n) {
        struct value payload = value_dict(a), actor = VALUE_NULL;
        if (value_from_json(a, g->actor, &actor, NULL) == STATUS_OK)
            VALUE_SET(payload, "a", actor);
        extra =
            ARENA_CAT(a, extra, STR("Cookie: ds_actor="), sign_dumps(a, secret, STR("actor"), payload), STR("\r\n"));
    }
    str path = one_line(a, g->path);
    VEC(char) target = {0};
    for (size_t i = 0; i < path.n; i++) { /* a path as people type it: spaces and letters beyond ASCII */
        unsigned char c = (unsigned char)path.p[i];
        char hex[4];
        snprintf(hex, sizeof hex, "%%%02X", c);
        for (size_t k = 0; k < (c <= ' ' || c >= 0x7f ? 3u : 1u); k++)
            VEC_PUSH(a, &target, c <= ' ' || c >= 0x7f ? hex[k] : (char)c);
    }
    /* HTTP/1.0: a streamed body ends with the connection, without chunks */
    return ARENA_CAT(a, STR("GET "), str_make(target.items, target.count), STR(" HTTP/1.0\r\nHost: localhost\r\n"),
                     extra, STR("\r\n"));
}

static int connect_to(const char *path)
{
    struct addr addr;
    if (addr_from_unix_path(str_of(path), &addr, NULL) != STATUS_OK)
        return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&addr.ss, addr.len) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Header field names come in lower case, without the carriage returns. */
static void print_head(const struct get *g, str head)
{
    str line, rest = head;
    printf("HTTP/1.1 %d\n", g->status);
    str_cut(rest, '\n', &line, &rest);
    while (rest.n) {
        str_cut(rest, '\n', &line, &rest);
        printf("%.*s\n", STR_ARG(str_trim(line)));
    }
    putchar('\n');
}

/* Takes head and first bytes of the body off `b`; false while the head is not whole. */
static bool take_head(struct get *g, struct buf *b)
{
    size_t end = str_find(buf_str(b), STR("\r\n\r\n"));
    if (end == STR_NPOS)
        return false;
    str head = str_sub(buf_str(b), 0, end);
    int64_t status = 0;
    if (head.n < 12 || !str_to_i64(str_sub(head, 9, 12), &status))
        status = 0;
    g->status = (int)status;
    if (g->headers)
        print_head(g, head);
    fwrite(b->p + end + 4, 1, b->n - end - 4, stdout);
    return true;
}

static void copy_answer(struct get *g, int fd)
{
    struct buf head;
    char piece[65536], last = '\n';
    bool in_body = false;
    ssize_t n;
    buf_init(&head, LIMIT_HTTP_RESPONSE_HEAD + sizeof piece);
    do {
        n = read(fd, piece, sizeof piece);
        if (n <= 0)
            continue;
        last = piece[n - 1];
        if (in_body) {
            fwrite(piece, 1, (size_t)n, stdout);
        } else {
            buf_put(&head, piece, (size_t)n);
            in_body = take_head(g, &head);
        }
    } while (n > 0 || (n < 0 && errno == EINTR));
    buf_release(&head);
    if (last != '\n')
        putchar('\n');
    if (fflush(stdout) != 0)
        g->status = 0;
}

static void ask(void *arg)
{
    struct get *g = arg;
    int fd = connect_to(g->socket);
    if (fd >= 0 && fs_write_fd(fd, "the server", g->request, NULL) == STATUS_OK)
        copy_answer(g, fd);
    if (fd >= 0)
        close(fd);
    loop_stop(g->loop);
}

enum status get_start(struct get *g, struct arena *a, str secret, struct loop *loop, struct err *err)
{
    g->loop = loop;
    g->request = make_request(g, a, secret);
    enum status st = thread_start("get", 0, ask, g, &g->thread, err);
    g->running = st == STATUS_OK;
    return st;
}

int get_finish(struct get *g)
{
    if (g->running)
        thread_join(g->thread);
    if (g->socket)
        unlink(g->socket);
    if (g->folder)
        rmdir(g->folder);
    return g->status == 200 ? 0 : 1;
}
