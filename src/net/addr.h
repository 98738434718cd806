/* SPDX-License-Identifier: Apache-2.0 */
/* addr: socket addresses as text and back. */
#ifndef VITRINE_NET_ADDR_H
#define VITRINE_NET_ADDR_H

#include <sys/socket.h>

#include "base/err.h"

struct addr {
    struct sockaddr_storage ss;
    socklen_t len;   /* bytes of ss in use; 0 = none */
    bool dual_stack; /* ":port": IPv6 any address that takes IPv4 too, or IPv4 where there is no IPv6 */
};

#define ADDR_TEXT_MAX 128 /* longest addr_format text with its NUL */

/* Reads "127.0.0.1:80", "[::1]:80", "localhost:80", ":80" (all addresses), "*:80" (the same), "unix:/path". A host that
 * is a name is resolved, first answer wins, localhost is 127.0.0.1 (blocks: at start only). Port 0 asks the kernel for
 * a free one. Returns OK, INVALID (says what is wrong), NOT_FOUND (unknown host name). Threads: any. */
enum status addr_parse(str text, struct addr *ret, struct err *err) MUST_USE;
/* As above with host and port apart, as on a command line; the host is without brackets. */
enum status addr_from_host_port(str host, unsigned port, struct addr *ret, struct err *err) MUST_USE;
enum status addr_from_unix_path(str path, struct addr *ret,
                                struct err *err) MUST_USE; /* INVALID: empty, NUL, over 107 bytes */

bool addr_is_unix(const struct addr *a);
unsigned addr_port(const struct addr *a); /* 0 for unix */
void addr_set_port(struct addr *a, unsigned port);
const char *addr_unix_path(const struct addr *a); /* "" when it has none; points into `a` */
bool addr_is_loopback(const struct addr *a);      /* 127/8, ::1, unix */
/* Not of this machine, link or private network, mapped and translated IPv4 told apart: for URLs of strangers. */
bool addr_is_public(const struct sockaddr *address);
bool addr_is_any(const struct addr *a); /* 0.0.0.0, :: */
bool addr_eq(const struct addr *a, const struct addr *b);

/* "127.0.0.1:80", "[::1]:80", "unix:/path", "unix:" (unnamed peer). Mapped IPv4 is shown as IPv4. Returns bytes,
 * without NUL. */
size_t addr_format(const struct addr *a, char out[ADDR_TEXT_MAX]);
/* Host alone: "127.0.0.1", "::1"; "" for unix. */
size_t addr_format_host(const struct addr *a, char out[ADDR_TEXT_MAX]);

#endif
