/* SPDX-License-Identifier: Apache-2.0 */
/* fetch_url: what a URL answers with, into a file. http and https only; redirects are followed; a broken transfer goes
 * on where it stopped when the server can do that (RFC 9110 section 14, If-Range), and begins anew when it cannot. The
 * bytes are kept as they were sent: a gzip or zstd content coding is found out later like any packed file. Blocks; any
 * thread. Nothing is known of tables here: imports that run on a schedule use it as well. */
#ifndef VITRINE_INGEST_FETCH_URL_H
#define VITRINE_INGEST_FETCH_URL_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/err.h"
#include "ingest/progress.h"

struct fetch_url_options {
    uint64_t max_bytes;           /* 0 = LIMIT_FETCH_BYTES */
    int64_t timeout_ms;           /* of everything; 0 = LIMIT_FETCH_MS */
    int64_t backoff_ms;           /* before the second try, doubled for each further one; 0 = LIMIT_FETCH_BACKOFF_MS */
    bool public_only;             /* no address of this machine or of a private network: for URLs of strangers */
    str etag, last_modified;      /* of the copy that is there: an answer that it is fresh is `not_modified` */
    struct progress *progress;    /* NULL = none */
    const atomic_bool *cancelled; /* NULL = never */
};

struct fetch_url_result {
    str file_name; /* Content-Disposition's, else the last part of the path; may be empty */
    str type;      /* media type in lower case, without parameters */
    str charset;   /* of Content-Type, lower case; may be empty */
    str etag, last_modified;
    uint64_t size_bytes;
    bool not_modified; /* nothing was written */
};

/* True for http:// and https:// (and for other schemes, which fetch_url refuses: they are no file names either). */
bool fetch_url_is(str spec);
/* `fd`: an empty regular file. Statuses: NOT_FOUND (404, 410), FORBIDDEN (401, 403, an address that is not public),
 * INVALID (no URL, another scheme, any other answer), TOO_LARGE, TIMEOUT, CANCELLED, IO (network; after some tries),
 * DISK_FULL, NOT_IMPLEMENTED. */
enum status fetch_url(struct arena *a, str url, const struct fetch_url_options *o, int fd, struct fetch_url_result *ret,
                      struct err *err) MUST_USE;

#endif
