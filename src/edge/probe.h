/* SPDX-License-Identifier: Apache-2.0 */
/* probe: asks an instance whether it is well: one GET on a connection of its own. Threads: its loop's. */
#ifndef VITRINE_EDGE_PROBE_H
#define VITRINE_EDGE_PROBE_H

#include "base/buf.h"
#include "http/h1_parse.h"
#include "http/upstream.h"

#define PROBE_TEXT_MAX 256

struct edge_probe {
    struct http_upstream *client;
    struct upstream_pool pool;
    struct upstream_conn *conn; /* NULL: none is under way */
    str path;                   /* borrowed */
    str host;                   /* borrowed: a host that the app answers for */
    bool any_answer;            /* below 500 is well; else only 2xx */
    unsigned send_proxy;        /* version of the PROXY protocol it begins with, as nobody's; 0 = none */
    uint32_t timeout_ms;
    void (*fn)(void *arg, bool well); /* once for each probe_begin */
    void *arg;
    char text[PROBE_TEXT_MAX]; /* what the last one found: "GET /up: 503 Service Unavailable" */
    struct buf in;
    struct h1_parser parser;
    struct http_header fields[LIMIT_HTTP_HEADERS];
};
void probe_init(struct edge_probe *p, struct http_upstream *client, const struct addr *addr, str host, str path,
                void (*fn)(void *arg, bool well), void *arg);
void probe_begin(struct edge_probe *p);   /* nothing when one is under way */
void probe_release(struct edge_probe *p); /* also while one is under way, and from inside fn */

#endif
