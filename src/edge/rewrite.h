/* SPDX-License-Identifier: Apache-2.0 */
/* rewrite: heads as they leave the edge. Pure; any thread.
 *
 * Fields of one hop (RFC 9110 section 7.6.1) end here: Connection and what it names, Keep-Alive, TE, Trailer,
 * Transfer-Encoding, Upgrade, Expect, Proxy-*. Framing is written anew from what the parser understood, never copied.
 * X-Forwarded-For, -Proto, -Host and Forwarded come from clients only when they are trusted proxies; also spelled with
 * "_", which many apps cannot tell from "-". */
#ifndef VITRINE_EDGE_REWRITE_H
#define VITRINE_EDGE_REWRITE_H

#include "base/buf.h"
#include "http/h1_parse.h"
#include "http/uri.h"

struct rewrite_request {
    const struct h1_head *head;
    const struct uri_target *target; /* of head->target */
    str host;                        /* authority in force */
    str peer;                        /* address of the peer without its port; "" for a Unix socket */
    bool trusted;                    /* the peer is a proxy of ours */
    bool secure;                     /* it came by TLS */
    str strip;                       /* beginning of the path that the app does not see; "" or "/shop" */
    bool upgrade;                    /* pass Upgrade on */
    bool replay;                     /* the app may answer 379 to a request with a body: Vitrine-Replay says so */
};
/* Appends the whole head. out->over: too large. */
void rewrite_request(struct buf *out, const struct rewrite_request *r);
/* The protocol that the client would like to change to and may: not h2c, and not with a body (p == NULL: none). */
str rewrite_upgrade(const struct h1_head *head);

struct rewrite_answer {
    const struct h1_head *head;
    enum h1_body body; /* CHUNKED, LENGTH or NONE; CLOSE: neither field is written */
    bool close;        /* the client connection ends after it */
    bool keep_alive;   /* say so: the client speaks HTTP/1.0 */
    bool upgrade;      /* 101: Upgrade is passed on */
};
void rewrite_answer(struct buf *out, const struct rewrite_answer *r);
/* The same as fields, for HTTP/2, which has no Connection and frames bodies itself. out: room for LIMIT_HTTP_HEADERS +
 * 1; number: for the text of Content-Length. Returns how many. */
size_t rewrite_answer_fields(struct http_header *out, char number[24], const struct rewrite_answer *r);

#endif
