/* SPDX-License-Identifier: Apache-2.0 */
/* host_cert: the certificates of hosts, as the edge tells them, in words for the owners of spaces. */
#ifndef VITRINE_HUB_HOST_CERT_H
#define VITRINE_HUB_HOST_CERT_H

#include "codec/value.h"
#include "hub/hub.h"

/* DICT {well, words, hint} of a host. certs: what the edge answers to GET /certs. hint: empty, or what to do. Pure. */
struct value host_cert_of(struct arena *a, struct value certs, str host);
/* Gives each row (DICT with "host") a "cert" as above. Nothing where TLS is not the edge's, or the edge is not there.
 * Asks the edge, blocks. */
void host_cert_add(struct hub *h, struct arena *a, struct value rows);

#endif
