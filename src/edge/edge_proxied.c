/* SPDX-License-Identifier: Apache-2.0 */
/* edge_proxied — connections from proxies that say first who the client is (--proxy-protocol).
 *
 * The header comes before TLS, so it is read off the bare socket: looked at, and then taken as far as it goes and no
 * byte further. Whoever is on the list must begin with it (guessing would let clients of the others speak for
 * themselves), within the time a head may take; whoever is not is a client like any other. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/mem.h"
#include "edge/worker_impl.h"
#include "net/proxy_header.h"

struct edge_proxied {
    struct tls_server *tls; /* begins behind the header; NULL = plain */
    size_t n;
    char bytes[LIMIT_PROXY_HEADER]; /* taken so far */
};

void edge_proxied_begin(struct edge_conn *c, struct tls_server *tls)
{
    c->proxied = MEM_NEW(struct edge_proxied);
    c->proxied->tls = tls ? tls_server_ref(tls) : NULL;
}

void edge_proxied_free(struct edge_conn *c)
{
    if (!c->proxied)
        return;
    tls_server_unref(c->proxied->tls);
    free(c->proxied);
    c->proxied = NULL;
}

/* It is known who comes: from here on the connection is as any. False: it cannot go on. */
static bool begin_client(struct edge_conn *c, const struct proxy_header *h)
{
    struct edge_proxied *p = c->proxied;
    if (h->known)
        edge_conn_set_peer(c, &h->client);
    c->secure = c->secure || h->secure;
    sm_move(&c->sm, EDGE_CONN_IDLE);
    if (p->tls && stream_init_tls(&c->stream, c->stream.fd, p->tls, NULL) != STATUS_OK) {
        edge_conn_lost(c);
        return false;
    }
    edge_proxied_free(c);
    return true;
}

bool edge_proxied_step(struct edge_conn *c)
{
    struct edge_proxied *p = c->proxied;
    struct proxy_header header;
    struct err err = ERR_INIT;
    size_t used = 0;
    ssize_t n = recv(c->stream.fd, p->bytes + p->n, sizeof(p->bytes) - p->n, MSG_PEEK);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n <= 0) {
        edge_conn_lost(c);
        return false;
    }
    enum status st = proxy_header_parse(str_make(p->bytes, p->n + (size_t)n), &header, &used, &err);
    size_t take = st == STATUS_OK ? used - p->n : (size_t)n;
    if ((st != STATUS_OK && st != STATUS_AGAIN) || recv(c->stream.fd, p->bytes + p->n, take, 0) != (ssize_t)take) {
        log_line(LOG_WARN, "edge", "%s: %s", c->peer[0] ? c->peer : "unix", err.text);
        edge_conn_lost(c);
        return false;
    }
    p->n += take;
    return st == STATUS_AGAIN || begin_client(c, &header);
}
