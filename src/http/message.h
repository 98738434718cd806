/* SPDX-License-Identifier: Apache-2.0 */
/* message: a request as the handler sees it, and a response as the handler builds it. */
#ifndef VITRINE_HTTP_MESSAGE_H
#define VITRINE_HTTP_MESSAGE_H

#include "base/buf.h"
#include "base/err.h"
#include "http/blob.h"
#include "http/headers.h"

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_TRACE,
    HTTP_CONNECT,
    HTTP_OTHER /* any other token: see method_text */
};
enum http_method http_method_parse(str token);    /* case counts (RFC 9110 section 9.1) */
const char *http_method_name(enum http_method m); /* "GET"; "" for HTTP_OTHER */
const char *http_reason(int status);              /* "Not Found"; "Unknown" for a status the table has not */

/* Takes a body piece by piece, as it comes in, in place of memory. write and close run on workers of the server's sink
 * lane (on the loop's thread without a pool), one call at a time; they may block on disk and use the exchange's arena.
 * While a piece is written nothing is read, so a fast client waits in TCP. close is called exactly once: by whoever
 * took the sink with http_exchange_take_sink, or by the server when nobody did or the client went away before the end.
 */
struct http_sink {
    /* Anything but OK: the rest of the body is not read and the handler gets the request with `failed` set. */
    enum status (*write)(struct http_sink *s, str bytes, struct err *err);
    void (*close)(struct http_sink *s);
    struct err failed; /* status OK = the whole body was written; CLOSED = the client went away */
    int64_t bytes;     /* written */
};

/* Everything is borrowed from the exchange and its arena: gone once http_exchange_respond was called. */
struct http_request {
    enum http_method method;
    str method_text;
    str target; /* as received */
    str path;   /* raw, undecoded, begins with "/" ("*" for OPTIONS *); of an absolute-form target its path */
    str query;  /* raw, without "?" */
    bool has_query;
    bool secure; /* TLS ends here */
    int minor;   /* of HTTP/1.x: 0 or 1 */
    str host;    /* authority in force: of the absolute-form target, else the Host field; may be empty */
    struct http_headers headers;
    str body;               /* whole, chunked framing undone; empty when it went to a sink */
    struct http_sink *sink; /* NULL = `body` is all */
    str peer;               /* "127.0.0.1:50312", "[::1]:80", "unix:" */
    struct arena *arena;
};
/* First value of a request header, or empty with p == NULL. */
str http_header(const struct http_request *rq, str name);

/* A body made piece by piece on a worker of the server's stream lane, one call at a time, not always the same thread.
 * pull appends to `out`, about 64 KiB a call, and returns AGAIN (more to come), OK (finished), or an error: the
 * connection is then cut so that the client sees a truncated answer, and the error is logged. It is called again only
 * when the client took most of what came before. close is called exactly once, after the last pull, also when the
 * client went away: on a worker of the lane, or on the loop's thread when the lane is full or stopping. It may free the
 * stream. The exchange's arena and its "gone" flag live until close returned.
 * A pull that has nothing to say yet sets pause_ms: the next one comes that much later, and no worker waits meanwhile.
 */
struct http_stream {
    enum status (*pull)(struct http_stream *s, struct buf *out, struct err *err);
    void (*close)(struct http_stream *s);
    uint32_t pause_ms; /* after AGAIN; the stream's from one pull to the next */
};

enum http_body_kind { HTTP_BODY_NONE, HTTP_BODY_BUF, HTTP_BODY_TEXT, HTTP_BODY_BLOB, HTTP_BODY_FILE, HTTP_BODY_STREAM };

struct http_response {
    int status; /* 200 after response_init */
    struct http_headers headers;
    struct arena *arena; /* for the header list; of the exchange */
    enum http_body_kind kind;
    bool prepared;              /* response_prepare was here */
    bool no_body;               /* HEAD or 304: body_length is announced, the body stays home */
    bool bad_header;            /* sticky: a header was refused; the server answers 500 instead and logs it */
    bool close;                 /* close the connection after this answer */
    struct buf buf;             /* BUF: owned */
    str text;                   /* TEXT: borrowed from the exchange's arena, or static */
    struct http_blob *blob;     /* BLOB: one reference, owned */
    int fd;                     /* FILE: owned, else -1 */
    int64_t offset, length;     /* FILE: bytes to send */
    struct http_stream *stream; /* STREAM: owned until close */
};

/* Life: response_init, fill, then http_exchange_respond (which takes all that is owned), or response_release. The
 * struct itself may be on the stack. Nothing allocates until a header is added. */
void response_init(struct http_response *r, struct arena *arena);
void response_release(struct http_response *r); /* frees an unsent body; fine twice */
/* Forgets headers and body, to answer something else instead (an error page). */
void response_clear(struct http_response *r);

/* Name and value are borrowed until http_exchange_respond: literals or the exchange's arena. Content-Length,
 * Transfer-Encoding, Connection, Date and Server are the server's business and refused here. False when refused. */
bool response_header(struct http_response *r, str name, str value);     /* adds */
bool response_header_set(struct http_response *r, str name, str value); /* replaces */
str response_header_get(const struct http_response *r, str name);

/* Each replaces the body set before. */
void response_body_take(struct http_response *r, struct buf *own_body); /* moved; *own_body is empty afterwards */
void response_body_text(struct http_response *r, str body); /* borrowed until the answer is sent: arena or static */
/* Takes the caller's reference. Status, Content-Type, ETag and so on come from the blob; headers added to the response
 * are sent too. */
void response_body_blob(struct http_response *r, struct http_blob *own_blob);
/* Takes fd. The file must not shrink while it is sent (else the connection is cut). */
void response_body_file(struct http_response *r, int own_fd, int64_t offset, int64_t length);
void response_body_stream(struct http_response *r, struct http_stream *own_stream);

/* Makes the answer fit the request: If-None-Match against the ETag header and If-Modified-Since against Last-Modified
 * (304), Range and If-Range for FILE bodies (206, 416), gzip of BUF, TEXT and STREAM bodies of a compressible type when
 * Accept-Encoding asks for it (with Vary), HEAD. Compresses, so call it on the worker that made the body; an answer
 * given to http_exchange_respond without it gets all but the gzip. Does nothing the second time, and nothing to BLOB
 * bodies (their variants are chosen when they are sent). Threads: any. */
void response_prepare(struct http_response *r, const struct http_request *rq);

#endif
