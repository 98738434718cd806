/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "http/server_impl.h"

/* A reader as fast as we are must not hold the loop: after this much the others get their turn. */
#define SEND_BURST (INT64_C(1) << 20)

static str compose_prefix(struct h1_conn *c, int status)
{
    struct h1_work *w = c->work;
    char *at = w->prefix;
    str date = server_date_line(c->server), reason = str_of(http_reason(status));
    str server = str_of(c->server->server_line);
    str connection = STR("");
    if (c->close_after)
        connection = STR("connection: close\r\n");
    else if (w->x.request.minor == 0)
        connection = STR("connection: keep-alive\r\n");
    char line[] = "HTTP/1.1 000 ";
    for (int i = 11, v = status; i > 8; i--, v /= 10)
        line[i] = (char)('0' + v % 10);
    const str parts[] = {str_make(line, sizeof(line) - 1), reason, STR("\r\n"), date, server, connection};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        ASSERT((size_t)(at - w->prefix) + parts[i].n <= sizeof(w->prefix));
        if (parts[i].n)
            memcpy(at, parts[i].p, parts[i].n);
        at += parts[i].n;
    }
    return str_make(w->prefix, (size_t)(at - w->prefix));
}

/* Leaving for a successor, TLS connections end: with the last answer of those that were asked for already. */
static bool last_before_leaving(const struct h1_conn *c)
{
    const struct h1_work *w = c->work;
    return c->server->leave.give && stream_is_tls(&c->stream) && w->in.n <= w->in_used && !c->quiet &&
           !stream_pending(&c->stream);
}

void h1_send_begin(struct h1_conn *c)
{
    struct h1_work *w = c->work;
    struct http_exchange *x = &w->x;
    struct http_response *r = &x->response;
    struct h1_out *o = &w->out;
    bool streaming = r->kind == HTTP_BODY_STREAM && r->stream;
    if (r->close || c->server->stopping || last_before_leaving(c) || (streaming && x->request.minor == 0))
        c->close_after = true;
    c->server->stats.statuses[r->status / 100]++;
    *o = (struct h1_out){.file = -1};
    h1_out_add(o, compose_prefix(c, r->status));
    h1_out_add(o, buf_str(&x->head));
    if (r->kind == HTTP_BODY_BLOB)
        h1_out_add(o, x->blob.head);
    w->sent_bytes = w->head_bytes = 0;
    c->unsent = -1;
    for (int i = 0; i < o->count; i++)
        w->head_bytes += (int64_t)o->iov[i].iov_len;
    h1_conn_deadline(c, c->server->config.limits.write_ms);
    if (streaming) {
        struct http_stream *body = r->stream;
        r->stream = NULL;
        sm_move(&c->sm, H1_STREAMING);
        h1_stream_begin(c, body, x->request.minor > 0);
        return;
    }
    sm_move(&c->sm, H1_WRITING);
    if (r->no_body)
        return;
    switch (r->kind) {
    case HTTP_BODY_BUF:
        h1_out_add(o, buf_str(&r->buf));
        break;
    case HTTP_BODY_TEXT:
        h1_out_add(o, r->text);
        break;
    case HTTP_BODY_BLOB:
        o->file = x->blob.body.p == r->blob->body.p && !stream_is_tls(&c->stream) ? http_blob_file(r->blob) : -1;
        if (o->file < 0)
            h1_out_add(o, x->blob.body);
        else
            o->left = (int64_t)x->blob.body.n;
        break;
    case HTTP_BODY_FILE:
        o->file = r->fd;
        o->offset = r->offset;
        o->left = r->length;
        break;
    default:
        break;
    }
}

static void advance(struct h1_out *o, size_t n)
{
    while (n) {
        struct iovec *v = &o->iov[o->at];
        size_t step = MIN(n, v->iov_len);
        v->iov_base = (char *)v->iov_base + step;
        v->iov_len -= step;
        n -= step;
        o->at += v->iov_len == 0;
    }
}

enum status h1_out_flush(struct h1_conn *c)
{
    struct h1_work *w = c->work;
    struct h1_out *o = &w->out;
    int64_t burst = 0;
    c->write_blocked = false;
    while (o->at < o->count || o->left > 0) {
        size_t n = 0;
        enum status st;
        bool file = o->at == o->count;
        if (burst >= SEND_BURST)
            st = STATUS_AGAIN;
        else if (file)
            st = stream_sendfile(&c->stream, o->file, o->offset, (size_t)MIN(o->left, SEND_BURST), &n, NULL);
        else
            st = stream_writev(&c->stream, o->iov + o->at, o->count - o->at, o->left > 0 ? STREAM_MORE : 0, &n, NULL);
        if (st == STATUS_AGAIN) {
            c->write_blocked = true;
            if (burst) {
                c->unsent = -1;
                h1_conn_deadline(c, c->server->config.limits.write_ms);
            }
            return STATUS_AGAIN;
        }
        if (st != STATUS_OK) {
            if (st == STATUS_CORRUPT)
                LOG_WITH(LOG_ERROR, "http", STR("a file became shorter while it was sent"),
                         LOG_STR("target", w->x.request.target));
            return st;
        }
        burst += (int64_t)n;
        w->sent_bytes += (int64_t)n;
        c->server->stats.bytes_out += n;
        if (file) {
            o->offset += (int64_t)n;
            o->left -= (int64_t)n;
        } else {
            advance(o, n);
        }
    }
    return STATUS_OK;
}

bool h1_send_step(struct h1_conn *c)
{
    switch (h1_out_flush(c)) {
    case STATUS_OK:
        http_exchange_log(c, true);
        h1_conn_finish(c);
        return true;
    case STATUS_AGAIN:
        return false;
    default:
        h1_conn_lost(c);
        return false;
    }
}
