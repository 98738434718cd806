/* SPDX-License-Identifier: Apache-2.0 */
/* blob: a finished answer, immutable and shared by reference count: status, header lines, body and gzip variant ready
 * to be sent as they are. Serving one costs no allocation and no copy. What caches and embedded assets hold. */
#ifndef VITRINE_HTTP_BLOB_H
#define VITRINE_HTTP_BLOB_H

#include <stdatomic.h>

#include "http/headers.h"

struct http_response;

struct http_blob {
    atomic_uint refs;
    int status;
    str etag;          /* with its quotes, of the identity variant; empty = none */
    str modified;      /* Last-Modified text; empty = none */
    str body;          /* identity */
    str gzip;          /* p == NULL: no gzip variant */
    str head;          /* header lines with their CRLFs for `body`: fields given + ETag, Vary, Content-Length */
    str gzip_head;     /* ... for `gzip` */
    str head_304;      /* ... for 304: ETag, Vary, Cache-Control and such (RFC 9110 section 15.4.5) */
    size_t size;       /* bytes of memory the blob takes, for cache budgets */
    atomic_int file;   /* memory file that holds `body`; 0 = none made (see http_blob_file) */
    unsigned label;    /* of whoever made it, for http_exchange_note; 0 = none */
    atomic_uint asked; /* how often http_blob_file was called */
};

enum http_blob_flags {
    HTTP_BLOB_GZIP = 1,   /* make the gzip variant when the type is compressible and it saves something (costs CPU) */
    HTTP_BLOB_ETAG = 2,   /* make an ETag (quoted MD5 of the body) when `headers` has none */
    HTTP_BLOB_STATIC = 4, /* `body` and `gzip` are never freed or moved (embedded): borrowed instead of copied */
};
/* Copies headers and body into one allocation; the caller owns one reference. `headers` must not hold Content-Length,
 * Content-Encoding or Vary: Accept-Encoding (made here). gzip: ready-made variant, or p == NULL. Threads: any. */
struct http_blob *http_blob_new(int status, const struct http_headers *headers, str body, str gzip,
                                unsigned flags) MUST_USE;
/* As above from a response with a BUF, TEXT or no body that is not prepared yet; the response is left as it is. NULL
 * for other bodies. */
struct http_blob *http_blob_from_response(const struct http_response *r, unsigned flags) MUST_USE;
struct http_blob *http_blob_ref(struct http_blob *b); /* any thread; returns b */
void http_blob_unref(struct http_blob *b);            /* any thread; NULL is fine */
/* A descriptor with the bytes of `body`, for sendfile(2): a large answer that is asked for again and again is then not
 * copied by the kernel either (measured: 1.6 times the throughput at 97 KiB). Made at the second call, for bodies of
 * LIMIT_BLOB_FILE_MIN bytes and more; -1 = send the bytes themselves. The blob owns it. At most LIMIT_BLOB_FILES files
 * of LIMIT_BLOB_FILE_BYTES in all exist. Threads: any. Source: memfd_create(2). */
int http_blob_file(struct http_blob *b);

#endif
