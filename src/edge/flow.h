/* SPDX-License-Identifier: Apache-2.0 */
/* flow: the body of one message on its way from one connection to the other, after its head.
 *
 * Bytes are read into a buffer of the caller's, checked and cut by flow_take, and written from that same buffer:
 * nothing is copied, but that data of several small chunks is moved together. What is waiting must be written before
 * the buffer is filled again: so a slow reader slows the writer, and a message of any size costs one buffer. Chunks are
 * framed anew, so extensions and trailers end here. */
#ifndef VITRINE_EDGE_FLOW_H
#define VITRINE_EDGE_FLOW_H

#include <sys/uio.h>

#include "http/h1_chunked.h"
#include "http/h1_parse.h"
#include "net/stream.h"

struct edge_flow {
    enum h1_body from; /* how the source frames it; CLOSE: until its end */
    bool chunk_out;    /* to be written in chunks; else as it is */
    bool ended;        /* the source gave all of it */
    int64_t left;      /* of LENGTH */
    int64_t bytes;     /* of the body so far */
    str data;          /* of it what flow_take took last, without its framing */
    struct h1_chunked decoder;
    struct iovec out[4]; /* waiting: head, size line, data, end */
    int out_n, out_at;
    char size_line[24];
};
void flow_init(struct edge_flow *f, enum h1_body from, int64_t length, bool chunk_out);
void flow_put(struct edge_flow *f, str bytes); /* a head, or a whole answer: written before what is taken later */
/* Takes a beginning of p[0..n) and makes it wait to be written; *ret_used tells how much. What is behind the end of the
 * body is left alone. Returns OK, INVALID, HEADERS_TOO_LARGE (chunked only). At most once between two flow_write that
 * returned OK. */
enum status flow_take(struct edge_flow *f, char *p, size_t n, size_t *ret_used, struct err *err) MUST_USE;
/* Body bytes that were taken before wait to be written once more; last: they are its end. */
void flow_again(struct edge_flow *f, str data, bool last);
void flow_source_end(struct edge_flow *f); /* CLOSE: the source is at its end */
static inline bool flow_waiting(const struct edge_flow *f)
{
    return f->out_at < f->out_n;
}
size_t flow_waiting_bytes(const struct edge_flow *f);
void flow_copy_out(struct edge_flow *f, char *to, size_t n); /* the first n of those; they wait no more */
/* Writes what waits. OK: all of it; else as stream_writev. *ret_n is added to. */
enum status flow_write(struct edge_flow *f, struct stream *to, uint64_t *ret_n, struct err *err) MUST_USE;

#endif
