/* SPDX-License-Identifier: Apache-2.0 */
/* access: what is known of a request besides its answer: ids, client, what it cost. Written while the request is on its
 * way, read when its answer is out: for the access log, headers and error pages. */
#ifndef VITRINE_SITE_ACCESS_H
#define VITRINE_SITE_ACCESS_H

#include "http/forwarded.h"
#include "http/server.h"
#include "http/trace_context.h"

struct site;

struct request_note { /* in the exchange's arena; one thread at a time, as the exchange */
    str id;           /* X-Request-ID: the client's own, or made here */
    str trace_id;     /* of traceparent; empty = none */
    str parent_id;    /* likewise */
    str actor;        /* id of who was signed in; empty = nobody */
    str budget;       /* whose SQL budget this uses; empty = nobody's */
    str reason;       /* why it was refused, for the log: "busy", "over budget"; empty = it was not */
    uint32_t flow;    /* place of the client in queues */
    int64_t sql_us;   /* in SQL statements */
    bool cached;      /* answered from the cache */
    bool has_client;  /* `from` was filled */
    struct forwarded from;
    char span_id[TRACE_SPAN_HEX + 1]; /* ours */
    char made_id[TRACE_SPAN_HEX + 1];
};

/* Loop's thread. */
struct request_note *access_note(struct site *s, const struct http_request *http);
/* "192.0.2.1"; looked up once. */
str access_client(const struct site *s, const struct http_request *http, struct request_note *note);
/* Adds X-Request-ID, and Server-Timing when the setting says so. render_us < 0: from the cache. */
void access_headers(const struct site *s, const struct request_note *note, int64_t render_us, struct http_response *r);
/* One line of the access log. */
void access_log(const struct site *s, const struct http_access *a);

#endif
