/* SPDX-License-Identifier: Apache-2.0 */
/* proxy_header: who the client is, as a proxy in front says before the first byte of a connection (PROXY protocol,
 * versions 1 and 2; haproxy doc/proxy-protocol.txt). Pure; any thread. */
#ifndef VITRINE_NET_PROXY_HEADER_H
#define VITRINE_NET_PROXY_HEADER_H

#include "base/buf.h"
#include "net/addr.h"

struct proxy_header {
    bool known;         /* false: LOCAL or UNKNOWN, the connection is the proxy's own; client and server are empty */
    struct addr client; /* of a Unix socket: its path is not kept */
    struct addr server; /* where it connected to */
    bool secure;        /* the proxy says that the client came by TLS (version 2, PP2_TYPE_SSL) */
};
/* Reads it at the beginning of `in`. Returns OK (*ret_used bytes are the header), AGAIN (all of `in` belongs to it, and
 * more does), INVALID (it is none, or it is longer than LIMIT_PROXY_HEADER). */
enum status proxy_header_parse(str in, struct proxy_header *ret, size_t *ret_used, struct err *err) MUST_USE;

#endif
