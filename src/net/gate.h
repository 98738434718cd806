/* SPDX-License-Identifier: Apache-2.0 */
/* gate: the only way from a sandbox to the network: a SOCKS5 proxy on a Unix socket, which connects to public addresses
 * on some ports and nowhere else. Users of the socket are told apart by their user id (SO_PEERCRED). */
#ifndef VITRINE_NET_GATE_H
#define VITRINE_NET_GATE_H

#include "net/addr.h"

struct gate;

struct gate_config {
    str path;                 /* of the socket */
    const unsigned *ports;    /* that may be asked for */
    size_t port_count;        /* 0 = 80 and 443 */
    const struct addr *allow; /* addresses that may be reached though they are not public; their port is ignored */
    size_t allow_count;
    unsigned connections; /* at once, of a user */
    uint64_t bytes;       /* in both directions, of a user in an hour */
};

/* Listens, and serves on threads of its own. Returns as listener_open. */
enum status gate_new(const struct gate_config *config, struct gate **ret, struct err *err) MUST_USE;
/* Ends all connections, waits for the threads (as long as the system's resolver takes). NULL is fine. */
void gate_free(struct gate *g);

#endif
