/* SPDX-License-Identifier: Apache-2.0 */
/* h2: the server's side of one HTTP/2 connection (RFC 9113), without any I/O: bytes in, requests out; answers in, bytes
 * out. Frames, HPACK and flow control are nghttp2's; the house rules and the limits against abuse are here.
 *
 * A request arrives as the head of an HTTP/1.1 request (h2_head.h). Its body waits in the stream until it is read; only
 * then may the client send more: a window of LIMIT_H2_WINDOW, LIMIT_H2_WINDOW_GROWN once the reader has kept up, and
 * LIMIT_H2_CONNECTION_WINDOW for all streams of the connection. What is to be sent is asked for when there is room for
 * it, so an answer never piles up.
 *
 * Callbacks come from inside h2_receive, h2_fill and h2_free, never from elsewhere. They may note, read and copy;
 * h2_answer and the like are called later, or from `request`. Threads: one at a time. */
#ifndef VITRINE_HTTP_H2_H
#define VITRINE_HTTP_H2_H

#include "base/buf.h"
#include "base/err.h"
#include "http/headers.h"

struct h2_session;

struct h2_stream {
    struct h2_stream *prev, *next;
    struct h2_session *session;
    void *owner; /* the caller's; NULL: nobody cares for it any more */
    int32_t id;
    bool ended;    /* the client sends no more of the body */
    bool finished; /* owner NULL: the answer was given, all of it */
    bool grown;
    struct buf body; /* arrived, not read: from `read` on */
    size_t read;
    uint64_t taken; /* bytes of the body that were read */
};

struct h2_handler {
    /* A head is complete: valid during the call. http_status: 0, or the error to answer with. Sets s->owner. */
    void (*request)(void *arg, struct h2_stream *s, str head, int http_status);
    void (*body)(void *owner); /* bytes of the body came, or its end */
    /* How many bytes of the answer may be sent now; *ret_last: nothing follows them. 0 and not the last: h2_resume says
     * when there are more. */
    size_t (*waiting)(void *owner, bool *ret_last);
    void (*take)(void *owner, char *to, size_t n); /* n of those; exactly what `waiting` offered, or less */
    void (*gone)(void *owner); /* reset by the client, or the connection ends; the stream dies with the return */
};

struct h2_limits {
    uint32_t streams;    /* at once */
    uint32_t head_bytes; /* of one request */
};

/* First bytes of a connection that speaks HTTP/2 without having agreed on it (section 3.4). */
#define H2_PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

struct h2_session *h2_new(const struct h2_limits *limits, const struct h2_handler *handler, void *arg);
void h2_free(struct h2_session *h); /* tells `gone` for each stream that has an owner. NULL is fine */

/* Reads what the client sent. Returns OK, PROTOCOL (the connection is to end: send what h2_fill gives, then close). */
enum status h2_receive(struct h2_session *h, str bytes, int64_t now_us, struct err *err) MUST_USE;
/* Adds frames to `out` until it holds about `most` bytes or nothing is left. Returns as h2_receive. */
enum status h2_fill(struct h2_session *h, struct buf *out, size_t most, struct err *err) MUST_USE;
bool h2_over(const struct h2_session *h);           /* everything is said in both directions */
bool h2_in_head(const struct h2_session *h);        /* the head of a request began and is not complete */
struct h2_stream *h2_streams(struct h2_session *h); /* the first of the list */
size_t h2_memory(const struct h2_session *h);       /* bytes that the session holds now */

/* No more than these streams: first a GOAWAY that names none, and once the client has seen it one that names the last
 * stream we took, so that no request is lost between the two (section 6.8). Streams in hand go on. */
void h2_shutdown(struct h2_session *h);
void h2_shutdown_final(struct h2_session *h); /* at once; for clients that do not answer the first */

/* The head of an answer. Names are made lower case. status below 200: an interim one, others follow. body: `waiting`
 * gives it; else the stream ends with the head. */
void h2_answer(struct h2_stream *s, int status, const struct http_header *fields, size_t n, bool body);
void h2_resume(struct h2_stream *s);                       /* there is something to send */
size_t h2_read(struct h2_stream *s, void *p, size_t size); /* takes of the body; 0: nothing is here */
static inline bool h2_readable(const struct h2_stream *s)  /* bytes, or the end */
{
    return s->read < s->body.n || s->ended;
}
bool h2_is_shut(const struct h2_stream *s); /* its client's windows let nothing through now */
/* The answer is complete; the owner is let go. What the client still sends is dropped. */
void h2_finish(struct h2_stream *s);
/* The answer stays incomplete, and the client is told so; the owner is let go. client: it is the client's fault, or it
 * wants it no more (CANCEL); else INTERNAL_ERROR. */
void h2_reset(struct h2_stream *s, bool client);

#endif
