/* SPDX-License-Identifier: Apache-2.0 */
/* socks: what a client of a SOCKS5 proxy says (RFC 1928): its greeting, and where it wants to go. CONNECT without
 * authentication only. Pure functions; any thread. */
#ifndef VITRINE_NET_SOCKS_H
#define VITRINE_NET_SOCKS_H

#include "base/err.h"

enum socks_reply { /* RFC 1928 section 6 */
                   SOCKS_DONE = 0,
                   SOCKS_FAILED = 1,
                   SOCKS_NOT_ALLOWED = 2,
                   SOCKS_HOST_UNREACHABLE = 4,
                   SOCKS_REFUSED = 5,
                   SOCKS_NO_SUCH_COMMAND = 7,
                   SOCKS_NO_SUCH_ADDRESS = 8,
};

#define SOCKS_GREETING_MAX 257 /* bytes */
#define SOCKS_REQUEST_MAX  262
#define SOCKS_ANSWER       10

struct socks_request {
    char host[256]; /* a name, or an address as text; never empty, no byte below '!' */
    bool is_address;
    unsigned port; /* 1 to 65535 */
};

/* OK: *ret_used bytes were the greeting, and the client can do without authentication. AGAIN: not whole yet. PROTOCOL:
 * no SOCKS5, or no method that we have. */
enum status socks_read_greeting(str bytes, size_t *ret_used) MUST_USE;
/* OK; AGAIN; PROTOCOL: *ret_reply is what to answer. */
enum status socks_read_request(str bytes, struct socks_request *ret, size_t *ret_used,
                               enum socks_reply *ret_reply) MUST_USE;
/* The answer to a request; the address in it is 0.0.0.0:0. */
void socks_write_answer(enum socks_reply reply, char out[SOCKS_ANSWER]);

#endif
