/* SPDX-License-Identifier: Apache-2.0 */
/* proxy_header: who the client is, as a proxy in front says before the first byte of a connection, and as we say it to
 * others (PROXY protocol, versions 1 and 2; haproxy doc/proxy-protocol.txt). Pure; any thread. */
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

/* Writes the header of `version` (1 or 2) behind which the connection of a client goes on. client_host: as
 * addr_format_host writes it; "" = unknown (a Unix socket, or the proxy's own question): UNKNOWN or LOCAL. server:
 * where the client connected to; of another family than IP: its address is written as zero. When only one of the two is
 * IPv6, the other is written as mapped. `secure` is told by version 2 alone (PP2_TYPE_SSL). */
void proxy_header_put(struct buf *out, unsigned version, str client_host, unsigned client_port,
                      const struct addr *server, bool secure);

#endif
