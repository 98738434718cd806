/* SPDX-License-Identifier: Apache-2.0 */
/* h1_chunked: the chunked transfer coding, decoding side (RFC 9112 section 7.1). No I/O. */
#ifndef VITRINE_HTTP_H1_CHUNKED_H
#define VITRINE_HTTP_H1_CHUNKED_H

#include "base/err.h"

struct h1_chunked {
    int64_t left;   /* bytes of chunk data still to come */
    uint32_t line;  /* bytes of the present size line */
    uint32_t trail; /* bytes of trailer fields so far */
    uint8_t state;
    uint8_t digits;
    bool last; /* the size read is 0 */
    uint8_t name_n;
    char name[18]; /* beginning of the present trailer's name, for those that are refused */
};

void h1_chunked_init(struct h1_chunked *c);
/* Takes a beginning of `in` and returns at most one piece of body.
 *   ret_used  bytes of `in` taken (set also on AGAIN)
 *   ret_data  body bytes, a slice of `in`; may be empty
 * Returns OK (the body is complete, trailers read and dropped), AGAIN (call again with what is left, or with more input
 * when nothing is left), INVALID, HEADERS_TOO_LARGE (trailers). */
enum status h1_chunked_decode(struct h1_chunked *c, str in, size_t *ret_used, str *ret_data, struct err *err) MUST_USE;

#endif
