/* SPDX-License-Identifier: Apache-2.0 */
/* h1_parse: the head of an HTTP/1.x request or answer out of a buffer, strictly (RFC 9112). No I/O; server and proxy
 * share it. */
#ifndef VITRINE_HTTP_H1_PARSE_H
#define VITRINE_HTTP_H1_PARSE_H

#include "base/err.h"
#include "base/limits.h"
#include "http/headers.h"

struct h1_limits {
    uint32_t line_bytes;   /* request line without CRLF; below head_bytes */
    uint32_t head_bytes;   /* everything up to and with the empty line */
    uint32_t header_count; /* at most LIMIT_HTTP_HEADERS */
};

struct h1_head {
    str method, target; /* of a request */
    int status;         /* of an answer: 100 to 599 */
    str reason;         /* of an answer; may be empty */
    int minor;          /* 0 or 1; a higher minor version is read as 1 (RFC 9110 section 2.5) */
    struct http_headers headers;
    str host;               /* value of the Host field; p == NULL when absent (1.0 only) */
    int64_t content_length; /* -1 = no such field */
    bool chunked;           /* the body comes in chunks */
    bool keep_alive;        /* the client would like to go on after this request */
    bool expect_continue;   /* waits for 100 (Continue) */
    size_t bytes;           /* length of the head; the body begins there */
};

struct h1_span { /* offsets into the buffer, since the buffer may move between two calls */
    uint32_t name, name_n, value, value_n;
};
struct h1_parser {
    struct h1_limits limits;
    int http_status;                     /* after a failure: 400, 413, 414, 431, 501 or 505; of an answer 502 */
    uint32_t line;                       /* offset of the line not yet read */
    uint32_t scanned;                    /* no LF in [line, scanned) */
    uint32_t method_n, target, target_n; /* of an answer the reason stands in target */
    uint16_t count;
    uint16_t status;
    uint16_t host; /* index plus 1 */
    uint8_t minor;
    bool answer, started, got_first_line, got_length, got_coding, chunked, bad_coding, close, keep, expect_continue;
    int64_t content_length;
    struct h1_span spans[LIMIT_HTTP_HEADERS];
};

void h1_parser_init(struct h1_parser *p, const struct h1_limits *limits); /* cheap: the spans are not touched */
/* Reads on in `in`, which holds the same bytes as in the call before and maybe more (it may have moved). Each byte is
 * looked at about twice, however small the pieces.
 *   storage   room for limits.header_count fields; ret->headers points there
 * Returns OK (ret is set, all slices point into `in`; bytes after ret->bytes are not looked at), AGAIN (incomplete),
 * INVALID, TOO_LARGE, URI_TOO_LONG, HEADERS_TOO_LARGE, NOT_IMPLEMENTED, with p->http_status; then the connection must
 * be closed. The result depends on the bytes alone, never on how they were cut. */
enum status h1_parse_request(struct h1_parser *p, str in, struct http_header *storage, struct h1_head *ret,
                             struct err *err) MUST_USE;
/* The same for an answer. Returns OK, AGAIN, PROTOCOL. After an interim answer (status below 200, but not 101) the next
 * head follows: parse it with a new parser. */
void h1_parser_init_answer(struct h1_parser *p, const struct h1_limits *limits);
enum status h1_parse_answer(struct h1_parser *p, str in, struct http_header *storage, struct h1_head *ret,
                            struct err *err) MUST_USE;
/* How the body of an answer ends (RFC 9112 section 6.3). to_head: the request was HEAD. */
enum h1_body { H1_BODY_NONE, H1_BODY_LENGTH, H1_BODY_CHUNKED, H1_BODY_CLOSE };
enum h1_body h1_answer_body(const struct h1_head *h, bool to_head);
/* The result of an h1_parse_request that returned OK once more, when the buffer moved to `in` meanwhile. */
void h1_parser_head(const struct h1_parser *p, str in, struct http_header *storage, struct h1_head *ret);
/* False before the first byte that belongs to a request (a CRLF in front is skipped): then the end of input is clean.
 */
static inline bool h1_parser_started(const struct h1_parser *p)
{
    return p->started;
}

#endif
