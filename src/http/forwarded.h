/* SPDX-License-Identifier: Apache-2.0 */
/* forwarded: who the client is when proxies stand between. Only what a trusted proxy added is believed: the chain is
 * read from its end, and the first address that is no trusted proxy is the client. Pure; any thread. */
#ifndef VITRINE_HTTP_FORWARDED_H
#define VITRINE_HTTP_FORWARDED_H

#include "base/err.h"
#include "base/limits.h"
#include "http/headers.h"

struct proxy_range {
    unsigned char address[16]; /* IPv4 mapped into IPv6 */
    unsigned bits;             /* of the 128 that count */
};

struct proxy_list {
    struct proxy_range ranges[LIMIT_TRUSTED_PROXIES];
    size_t count;
    bool unix_peers; /* whoever reaches our Unix socket */
};

#define CLIENT_TEXT_MAX 48 /* longest IPv6 text and its NUL */

/* "127.0.0.1, 10.0.0.0/8, ::1, unix"; empty: nobody is trusted. INVALID names the part that is wrong. */
enum status proxy_list_parse(str text, struct proxy_list *ret, struct err *err) MUST_USE;

/* Is whoever is at the other end of the connection one of them? peer as forwarded_find has it. */
bool proxy_list_has(const struct proxy_list *trusted, str peer);

struct forwarded {
    char client[CLIENT_TEXT_MAX]; /* "192.0.2.1", "2001:db8::1"; "unix" for a Unix socket without a known client */
    bool via_proxy;               /* the peer is trusted and named this client */
    bool secure;                  /* ... and says that the client came by https */
};
/* peer as struct http_request has it: "127.0.0.1:50312", "[::1]:80", "unix:". X-Forwarded-For counts before Forwarded
 * (RFC 7239), X-Forwarded-Proto before its proto. Something unreadable in the chain ends it: the client is then the hop
 * that was read last. */
void forwarded_find(const struct proxy_list *trusted, const struct http_headers *headers, str peer,
                    struct forwarded *ret);
/* Whose attempts count together: of IPv6 the network of 64 bits, which one household has ("2001:db8:0:1::"), else the
 * client itself. */
void client_network(str client, char out[CLIENT_TEXT_MAX]);

#endif
