/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "prove/run.h"

#define PATIENCE_MS 20000

enum status run_connect(struct run *r, struct tls_resume *resume, struct stream *ret, struct err *err)
{
    const struct prove_target *t = &r->config->target;
    int fd = socket(t->addr.ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0)
        return err_sys(err, STATUS_IO, errno, "no socket");
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (const struct sockaddr *)&t->addr.ss, t->addr.len) < 0 && errno != EINPROGRESS) {
        int saved = errno;
        close(fd);
        return err_sys(err, STATUS_CLOSED, saved, "cannot connect");
    }
    if (t->tls)
        return stream_init_tls_client(ret, fd, t->tls, t->name, resume, err);
    stream_init_plain(ret, fd);
    return STATUS_OK;
}

static enum status wait_for(const struct stream *s, unsigned wants, int64_t until_ms, struct err *err)
{
    struct pollfd p = {.fd = s->fd,
                       .events = (short)((wants & LOOP_READ ? POLLIN : 0) | (wants & LOOP_WRITE ? POLLOUT : 0))};
    int64_t left = until_ms - clock_mono_ms();
    if (left <= 0 || poll(&p, 1, (int)left) == 0)
        return err_set(err, STATUS_TIMEOUT, "the server does not answer within %d s", PATIENCE_MS / 1000);
    return STATUS_OK;
}

static enum status send_all(struct stream *s, str text, int64_t until_ms, struct err *err)
{
    enum status st = wait_for(s, LOOP_WRITE, until_ms, err); /* connected, or failed */
    while (st == STATUS_OK && (st = stream_handshake(s, err)) == STATUS_AGAIN)
        st = wait_for(s, stream_read_wants(s), until_ms, err);
    while (st == STATUS_OK && text.n) {
        struct iovec v = {(void *)(uintptr_t)text.p, text.n};
        size_t n = 0;
        st = stream_writev(s, &v, 1, 0, &n, err);
        if (st == STATUS_AGAIN)
            st = wait_for(s, stream_write_wants(s), until_ms, err);
        text = str_from(text, n);
    }
    return st;
}

/* Feeds what came; OK once the answer is complete. */
static enum status feed(struct answer *a, str in, struct buf *out, struct err *err)
{
    enum status st = STATUS_AGAIN;
    while (in.n && st == STATUS_AGAIN) {
        size_t used;
        str piece;
        st = answer_read(a, in, &used, &piece, err);
        buf_puts(out, piece);
        in = str_from(in, used);
    }
    if (out->over) {
        err_set(err, STATUS_TOO_LARGE, "the answer is larger than %zu bytes", out->max);
        return err_hint(err, "Choose an address with a smaller one.");
    }
    return st;
}

static enum status receive(struct run *r, struct stream *s, struct answer *a, struct buf *out, int64_t until_ms,
                           struct err *err)
{
    for (;;) {
        size_t n = 0;
        enum status st = stream_read(s, r->scratch, sizeof r->scratch, &n, err);
        if (st == STATUS_AGAIN)
            st = wait_for(s, stream_read_wants(s), until_ms, err);
        else if (st == STATUS_CLOSED)
            return answer_end(a) == STATUS_OK ? STATUS_OK : st;
        else if (st == STATUS_OK && (st = feed(a, str_make(r->scratch, n), out, err)) == STATUS_OK)
            return STATUS_OK;
        if (st != STATUS_OK && st != STATUS_AGAIN)
            return st;
    }
}

enum status run_fetch(struct run *r, str path, struct buf *out, int *ret_status, struct err *err)
{
    struct stream s = {.fd = -1};
    struct answer a;
    struct buf text;
    int64_t until_ms = clock_mono_ms() + PATIENCE_MS;
    answer_init(&a);
    buf_init(&text, LIMIT_PROVE_HEAD);
    buf_printf(&text, "GET %.*s HTTP/1.1\r\nHost: %.*s\r\nConnection: close\r\n\r\n", STR_ARG(path),
               STR_ARG(r->config->target.host));
    enum status st = run_connect(r, NULL, &s, err);
    if (st == STATUS_OK)
        st = send_all(&s, buf_str(&text), until_ms, err);
    if (st == STATUS_OK)
        st = receive(r, &s, &a, out, until_ms, err);
    if (st == STATUS_OK)
        *ret_status = a.status;
    stream_release(&s);
    answer_release(&a);
    buf_release(&text);
    return st;
}
