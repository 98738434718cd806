/* SPDX-License-Identifier: Apache-2.0 */
/* send_url: one request with a body to a URL, and its answer in memory. No redirects, no second try: the caller knows
 * what may be sent twice. Blocks; any thread. */
#ifndef VITRINE_INGEST_SEND_URL_H
#define VITRINE_INGEST_SEND_URL_H

#include "base/arena.h"
#include "base/err.h"

struct send_url {
    str method, url;
    const str *headers; /* "name: value" */
    size_t header_count;
    str body;
    int64_t timeout_ms; /* of everything */
    size_t max_answer;  /* bytes; more: TOO_LARGE */
};

struct send_url_answer {
    int status;
    str body, type;        /* Content-Type */
    int64_t retry_after_s; /* Retry-After in seconds; -1 = not said */
};

/* OK for any answer. INVALID (no URL, no http), IO (no connection), TIMEOUT, TOO_LARGE, NOT_IMPLEMENTED (no libcurl).
 */
enum status send_url(struct arena *a, const struct send_url *s, struct send_url_answer *ret, struct err *err) MUST_USE;

#endif
