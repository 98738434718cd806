/* SPDX-License-Identifier: Apache-2.0 */
/* ask: one request to a server of others (HTTP, HTTPS), and its answer in memory. No redirects, no second try: the
 * caller knows what may be sent twice, and whom it trusts. Certificates are always checked. Blocks; any thread. */
#ifndef VITRINE_NET_ASK_H
#define VITRINE_NET_ASK_H

#include "base/arena.h"
#include "base/err.h"
#include "codec/value.h"

struct ask {
    str method, url;
    const str *headers; /* "name: value" */
    size_t header_count;
    str body;
    int64_t timeout_ms; /* of everything */
    size_t max_answer;  /* bytes of the body, unpacked; more: TOO_LARGE */
    str ca_file;        /* certificates to trust; empty = what SSL_CERT_FILE names, or the system's */
    bool public_only;   /* no address of this machine or of a private network: for URLs of strangers */
};

struct ask_answer {
    int status;
    str body, type;        /* Content-Type */
    int64_t retry_after_s; /* Retry-After in seconds; -1 = not said */
    str *headers;          /* "name: value", as they came; of LIMIT_ASK_HEADERS bytes at most */
    size_t header_count;
};

/* OK for any answer. INVALID (no URL, no http), IO (no connection, a certificate that is not trusted), TIMEOUT,
 * TOO_LARGE, FORBIDDEN (an address that is not public), NOT_IMPLEMENTED (no libcurl). */
enum status ask_url(struct arena *a, const struct ask *q, struct ask_answer *ret, struct err *err) MUST_USE;
/* As above, and the body read as JSON. INVALID when it is none, but for statuses from 400 on: then *ret_json is
 * UNDEFINED. */
enum status ask_json(struct arena *a, const struct ask *q, struct ask_answer *ret, struct value *ret_json,
                     struct err *err) MUST_USE;
/* The value of the first header of that name, whatever its case; empty (p NULL) = absent. */
str ask_header(const struct ask_answer *answer, str name);

#endif
