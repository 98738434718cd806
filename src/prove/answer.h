/* SPDX-License-Identifier: Apache-2.0 */
/* answer: reads an HTTP/1.x answer as it comes, strictly (RFC 9112), and gives its body away in pieces. No I/O. One
 * thread at a time. */
#ifndef VITRINE_PROVE_ANSWER_H
#define VITRINE_PROVE_ANSWER_H

#include "base/buf.h"
#include "base/err.h"
#include "http/h1_chunked.h"

enum answer_phase { ANSWER_HEAD, ANSWER_SIZED, ANSWER_CHUNKED, ANSWER_TO_CLOSE, ANSWER_DONE };

struct answer {
    enum answer_phase phase;
    int status;    /* 0 until the head is in */
    bool close;    /* the connection ends after it */
    bool has_id;   /* a field "prove-id" was there */
    uint64_t id;   /* its value */
    uint64_t seen; /* body bytes given away so far */
    bool started;  /* at least one byte of it came */
    uint64_t left; /* of Content-Length */
    struct h1_chunked chunked;
    struct buf head; /* kept between answers */
};

void answer_init(struct answer *a);
void answer_release(struct answer *a);
void answer_begin(struct answer *a); /* for the next one */
/* Takes a beginning of `in`, at least one byte when there is one; at most one piece of body is given away.
 * Returns OK (complete), AGAIN (call again with the rest, or with more), PROTOCOL (says what is wrong). Answers of 1xx
 * are passed over, but 101, which ends behind its head. */
enum status answer_read(struct answer *a, str in, size_t *ret_used, str *ret_piece, struct err *err) MUST_USE;
/* The connection ended: OK when that ends the answer, else CLOSED. */
enum status answer_end(struct answer *a);

#endif
