/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/flow.h"

void flow_init(struct edge_flow *f, enum h1_body from, int64_t length, bool chunk_out)
{
    *f = (struct edge_flow){.from = from, .left = from == H1_BODY_LENGTH ? length : 0, .chunk_out = chunk_out};
    f->ended = from == H1_BODY_NONE || (from == H1_BODY_LENGTH && length == 0);
    if (from == H1_BODY_CHUNKED)
        h1_chunked_init(&f->decoder);
}

void flow_put(struct edge_flow *f, str bytes)
{
    ASSERT(f->out_n < (int)ARRAY_LEN(f->out));
    if (bytes.n)
        f->out[f->out_n++] = (struct iovec){(void *)(uintptr_t)bytes.p, bytes.n};
}

/* Puts the data of all whole and begun chunks in p[0..n) together, at the place of the first. */
static enum status unchunk(struct edge_flow *f, char *p, size_t n, size_t *ret_used, str *ret_data, struct err *err)
{
    char *data = p;
    size_t at = 0, data_n = 0;
    while (at < n && !f->ended) {
        size_t used = 0;
        str piece;
        enum status st = h1_chunked_decode(&f->decoder, str_make(p + at, n - at), &used, &piece, err);
        if (st != STATUS_OK && st != STATUS_AGAIN)
            return st;
        f->ended = st == STATUS_OK;
        if (piece.n && !data_n)
            data = p + (piece.p - p);
        else if (piece.n && data + data_n != piece.p)
            memmove(data + data_n, piece.p, piece.n);
        data_n += piece.n;
        at += used;
    }
    *ret_used = at;
    *ret_data = str_make(data, data_n);
    return STATUS_OK;
}

static str size_line(struct edge_flow *f, size_t n)
{
    size_t at = sizeof(f->size_line);
    f->size_line[--at] = '\n';
    f->size_line[--at] = '\r';
    do
        f->size_line[--at] = "0123456789abcdef"[n & 15];
    while (n >>= 4);
    return str_make(f->size_line + at, sizeof(f->size_line) - at);
}

void flow_again(struct edge_flow *f, str data, bool last)
{
    if (!f->chunk_out) {
        flow_put(f, data);
        return;
    }
    if (data.n) {
        flow_put(f, size_line(f, data.n));
        flow_put(f, data);
        flow_put(f, last ? STR("\r\n0\r\n\r\n") : STR("\r\n"));
    } else if (last) {
        flow_put(f, STR("0\r\n\r\n"));
    }
}

enum status flow_take(struct edge_flow *f, char *p, size_t n, size_t *ret_used, struct err *err)
{
    str data = {p, n};
    size_t used = 0;
    if (f->from == H1_BODY_CHUNKED) {
        enum status st = unchunk(f, p, n, &used, &data, err);
        if (st != STATUS_OK)
            return st;
    } else if (f->from == H1_BODY_LENGTH) {
        used = data.n = (size_t)MIN((int64_t)n, f->left);
        f->left -= (int64_t)used;
        f->ended = f->left == 0;
    } else if (f->from == H1_BODY_CLOSE) {
        used = n;
    } else {
        data.n = 0;
    }
    f->data = data;
    f->bytes += (int64_t)data.n;
    flow_again(f, data, f->ended);
    *ret_used = used;
    return STATUS_OK;
}

void flow_source_end(struct edge_flow *f)
{
    f->ended = true;
    if (f->chunk_out)
        flow_put(f, STR("0\r\n\r\n"));
}

/* n bytes of what waits are gone. */
static void advance(struct edge_flow *f, size_t n)
{
    while (n > 0 && n >= f->out[f->out_at].iov_len)
        n -= f->out[f->out_at++].iov_len;
    if (n > 0) {
        f->out[f->out_at].iov_base = (char *)f->out[f->out_at].iov_base + n;
        f->out[f->out_at].iov_len -= n;
    }
    if (!flow_waiting(f))
        f->out_n = f->out_at = 0;
}

enum status flow_write(struct edge_flow *f, struct stream *to, uint64_t *ret_n, struct err *err)
{
    while (flow_waiting(f)) {
        size_t n = 0;
        enum status st = stream_writev(to, f->out + f->out_at, f->out_n - f->out_at, 0, &n, err);
        if (st != STATUS_OK)
            return st;
        *ret_n += n;
        advance(f, n);
    }
    return STATUS_OK;
}

size_t flow_waiting_bytes(const struct edge_flow *f)
{
    size_t n = 0;
    for (int i = f->out_at; i < f->out_n; i++)
        n += f->out[i].iov_len;
    return n;
}

void flow_copy_out(struct edge_flow *f, char *to, size_t n)
{
    size_t left = n;
    for (int i = f->out_at; left > 0; i++) {
        size_t part = MIN(left, f->out[i].iov_len);
        memcpy(to, f->out[i].iov_base, part);
        to += part;
        left -= part;
    }
    advance(f, n);
}
