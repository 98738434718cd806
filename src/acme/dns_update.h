/* SPDX-License-Identifier: Apache-2.0 */
/* dns_update: puts a TXT record into a zone and takes it away again, by dynamic update (RFC 2136) over TCP. Blocks. */
#ifndef VITRINE_ACME_DNS_UPDATE_H
#define VITRINE_ACME_DNS_UPDATE_H

#include "acme/dns_message.h"
#include "net/addr.h"

struct dns_server {
    struct addr addr;
    const char *text; /* its address, for messages */
    str zone;         /* empty: the server is asked */
    bool has_key;     /* else updates are not signed */
    struct dns_key key;
    int64_t wait_s; /* after a record was put: for the zone's other servers */
};
/* "server=HOST[:PORT][,key=FILE][,zone=ZONE][,wait=SECONDS]". Reads the key file. USAGE, CONFIG, NOT_FOUND. */
enum status dns_server_parse(struct arena *a, str text, struct dns_server *ret, struct err *err) MUST_USE;
enum status dns_update_txt(struct arena *a, const struct dns_server *s, str name, str text, bool add,
                           struct err *err) MUST_USE;

#endif
