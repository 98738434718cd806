/* SPDX-License-Identifier: Apache-2.0 */
/* edge_handshake — a client asks for a name whose certificate is still being obtained: its handshake waits, nothing is
 * read from it meanwhile, and it goes on with the certificate or ends without.
 *
 * It may come by the listening socket before, and be looked at after, the certificates changed: the newest are tried
 * before it waits. Bounded in number (then it is refused at once) and in time (the connection's deadline). */
#include <stdlib.h>

#include "base/mem.h"
#include "edge/worker_impl.h"

struct edge_handshake {
    struct edge_handshake *next, *prev;
    struct edge_conn *conn;
    char host[];
};

void edge_handshake_end(struct edge_conn *c)
{
    struct edge_handshake *h = c->handshake;
    struct edge_worker *w = c->worker;
    if (!h)
        return;
    if (h->prev)
        h->prev->next = h->next;
    else
        w->handshakes = h->next;
    if (h->next)
        h->next->prev = h->prev;
    w->handshake_count--;
    c->handshake = NULL;
    free(h);
}

static void begin(struct edge_conn *c, str host)
{
    struct edge_worker *w = c->worker;
    struct edge_handshake *h = mem_alloc(sizeof(*h) + host.n + 1);
    *h = (struct edge_handshake){.next = w->handshakes, .conn = c};
    memcpy(h->host, host.p, host.n);
    h->host[host.n] = 0;
    if (h->next)
        h->next->prev = h;
    w->handshakes = h;
    w->handshake_count++;
    c->handshake = h;
    edge_conn_deadline(c, LIMIT_EDGE_HANDSHAKE_MS);
    w->config.want_cert(w->config.arg, host);
}

bool edge_handshake_step(struct edge_conn *c)
{
    struct edge_worker *w = c->worker;
    str host = stream_awaits(&c->stream);
    if (!host.n && c->handshake) { /* it goes on */
        edge_handshake_end(c);
        edge_conn_deadline(c, w->config.limits.head_ms);
    }
    if (!host.n)
        return false;
    c->may_read = true;
    if (w->slots[c->slot].tls && tls_session_use(c->stream.tls, w->slots[c->slot].tls))
        return true;
    if (c->stopped || !w->config.want_cert ||
        (!c->handshake && w->handshake_count >= (unsigned)LIMIT_EDGE_HANDSHAKES)) {
        tls_session_give_up(c->stream.tls);
        return true;
    }
    c->may_read = false;
    if (!c->handshake)
        begin(c, host);
    return false;
}

static void again(struct edge_conn *c)
{
    c->may_read = true;
    edge_conn_tick(c);
}

void edge_handshakes_again(struct edge_worker *w, size_t index)
{
    struct edge_handshake *next;
    for (struct edge_handshake *h = w->handshakes; h; h = next) {
        next = h->next;
        if (h->conn->slot == index)
            again(h->conn);
    }
}

static bool is_for(const struct edge_handshake *h, str name)
{
    str host = str_of(h->host);
    size_t dot = str_find_char(host, '.');
    return str_eq(host, name) ||
           (str_starts(name, STR("*.")) && dot != STR_NPOS && str_eq(str_from(host, dot), str_from(name, 1)));
}

void edge_worker_refuse_cert(struct edge_worker *w, str name)
{
    struct edge_handshake *next;
    for (struct edge_handshake *h = w->handshakes; h; h = next) {
        next = h->next;
        if (!is_for(h, name))
            continue;
        tls_session_give_up(h->conn->stream.tls);
        again(h->conn);
    }
}
