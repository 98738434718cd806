/* SPDX-License-Identifier: Apache-2.0 */
/* client_hello: what a client says about itself before a certificate is chosen: bytes from outside, as OpenSSL hands
 * them over unread. Pure; any thread. */
#ifndef VITRINE_NET_CLIENT_HELLO_H
#define VITRINE_NET_CLIENT_HELLO_H

#include "base/str.h"

#define CLIENT_HELLO_HOST_MAX 254 /* bytes with the NUL: RFC 1035 section 2.3.4 */

/* The name in an extension server_name (RFC 6066 section 3), in lower case, without a dot at its end, NUL-terminated.
 * Returns its length; 0: there is none that a certificate could have (also an address, or other characters than
 * a-z 0-9 - _ and dots). */
size_t client_hello_host(str extension, char out[CLIENT_HELLO_HOST_MAX]);
/* The extension application_layer_protocol_negotiation (RFC 7301 section 3.1) offers this protocol and no other. */
bool client_hello_only(str extension, str protocol);

#endif
