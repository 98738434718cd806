/* SPDX-License-Identifier: Apache-2.0 */
/* h2_head: the fields of an HTTP/2 request, one by one, written as the head of an HTTP/1.1 request (RFC 9113
 * section 8.3).
 *
 * So everything behind it sees one kind of request, checked by one parser: h1_parse_request reads the result and finds
 * what is too long, double or malformed. Pure; one thread at a time.
 *   :method :path :authority   become the first line and Host; a Host field that says the same is dropped
 *   cookie                     crumbs are joined by "; " (section 8.2.3)
 *   body of unknown length     becomes Transfer-Encoding: chunked; its bytes come without chunks all the same
 *   :protocol websocket        becomes GET with Upgrade (RFC 8441) */
#ifndef VITRINE_HTTP_H2_HEAD_H
#define VITRINE_HTTP_H2_HEAD_H

#include "base/buf.h"
#include "base/limits.h"

enum h2_pseudo { H2_METHOD, H2_SCHEME, H2_AUTHORITY, H2_PATH, H2_PROTOCOL, H2_PSEUDOS };

struct h2_head {
    struct buf fields, cookie, pseudo;
    struct {
        uint32_t at, n;
        bool set;
    } spans[H2_PSEUDOS];
    size_t most; /* bytes to keep; more: 431 */
    bool bad;    /* 400 */
    bool length; /* Content-Length was there */
};
void h2_head_init(struct h2_head *h, size_t most);
void h2_head_release(struct h2_head *h);
void h2_head_clear(struct h2_head *h); /* for the next request; buffers are given back when they grew */
/* A field as the HPACK decoder gives it. Anything that cannot stand in a line sets h->bad. */
void h2_head_field(struct h2_head *h, str name, str value);
/* Writes the head to `out`. ended: no body follows. Returns 0, or the status to answer with instead: 400, 431, 501. */
int h2_head_finish(struct h2_head *h, bool ended, struct buf *out);

#endif
