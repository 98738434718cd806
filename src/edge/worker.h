/* SPDX-License-Identifier: Apache-2.0 */
/* worker: one loop thread of the edge: accepts, routes, forwards. Workers share nothing but the table, the instances
 * (model.h) and the listening sockets; the control thread talks to them through their mailboxes only. */
#ifndef VITRINE_EDGE_WORKER_H
#define VITRINE_EDGE_WORKER_H

#include "edge/model.h"
#include "http/forwarded.h"
#include "net/listener.h"

struct edge_limits {
    uint32_t line_bytes, head_bytes, header_count; /* of a request: 414, 431 */
    uint32_t connections_max;                      /* of each loop; further ones wait in the backlog */
    uint32_t head_ms;                              /* first byte to end of head; then 408 */
    uint32_t idle_ms;                              /* between two requests of a client; then closed */
    uint32_t body_ms;                              /* pause between two pieces of a request body; then 408 */
    uint32_t write_ms;                             /* a client takes nothing of an answer; then cut */
    uint32_t pause_ms;                             /* pause between two pieces of an answer; event streams: none */
    uint32_t tunnel_ms;                            /* a tunnel in which nothing moves; then closed */
    uint32_t linger_ms;
    uint32_t body_rate;            /* bytes a second that a body must make on average; 0 = any */
    int64_t body_bytes;            /* of one request; more: 413. 0 = any size */
    struct upstream_limits client; /* connections to apps */
};
void edge_limits_default(struct edge_limits *ret);

struct edge_listen {
    int fd;                 /* listening; stays the caller's: each worker adopts a copy */
    struct tls_server *tls; /* NULL = plain; borrowed */
};

struct edge_worker;
struct edge_worker_config {
    unsigned index;
    struct edge_limits limits;
    const struct proxy_list *trusted, *proxied; /* borrowed */
    const struct edge_listen *listens;
    size_t listen_count;
    /* A handshake waits for the certificate of `host`: edge_worker_set_tls or edge_worker_refuse_cert follows. On its
     * thread; arg as for on_end. */
    void (*want_cert)(void *arg, str host);
    struct spool *spool;                           /* borrowed; NULL = nothing is kept */
    void (*wake)(void *arg, struct edge_app *app); /* on its thread: somebody waits for an app that is asleep */
    int access_fd;                                 /* -1 = no access log */
    void (*on_end)(void *arg);                     /* on its thread, as the last thing */
    void *arg;
};
/* Makes it; its thread begins with edge_worker_start. Returns OK, IO. */
enum status edge_worker_new(const struct edge_worker_config *config, struct edge_worker **ret,
                            struct err *err) MUST_USE;
/* All workers of the edge, itself among them: new connections are shared out. Before the first one is started. */
void edge_worker_set_peers(struct edge_worker *w, struct edge_worker *const *peers, unsigned count);
enum status edge_worker_start(struct edge_worker *w, struct err *err) MUST_USE;
void edge_worker_join(struct edge_worker *w); /* waits for its thread, which ends after edge_worker_stop */
/* Joins and frees. Every instance was forgotten, which after the join any thread may do. NULL is fine. */
void edge_worker_free(struct edge_worker *w);
struct loop *edge_worker_loop(const struct edge_worker *w);

/* ---- from here on: on the worker's own thread, by loop_post ---- */
void edge_worker_adopt(struct edge_worker *w, struct edge_table *t);     /* takes a reference; lets held ones go */
void edge_worker_cut(struct edge_worker *w, struct edge_instance *i);    /* what it still has in hand ends now */
void edge_worker_forget(struct edge_worker *w, struct edge_instance *i); /* closes its pool; none is in hand */
void edge_worker_set_tls(struct edge_worker *w, size_t index, struct tls_server *tls); /* takes a reference */
/* Handshakes that wait for this certificate, or for one below "*.NAME", wait no more. */
void edge_worker_refuse_cert(struct edge_worker *w, str name);
/* No new connections, idle ones close, requests in hand are answered and then close; after grace_ms all are cut. The
 * thread ends when none is left. */
void edge_worker_stop(struct edge_worker *w, uint32_t grace_ms);

/* ---- leaving for another process: leave.c ---- */
struct edge_leave {
    void *arg;
    /* A connection that the other process may take: its listening socket, what was read of it, and what else is to be
     * known (LIMIT_TAKEOVER_NOTE). other_fd: of a tunnel, the app's end; else -1. Takes both; the texts live during the
     * call. On the worker's thread, like left. */
    void (*give)(void *arg, size_t slot, int own_fd, int other_fd, str unread, str note);
    void (*left)(void *arg); /* no connection is left; once. One that came from another loop meanwhile may follow */
    uint32_t idle_ms;        /* a TLS connection on which nothing is asked ends after this */
};
/* No new connections; plain ones are given away between two requests, the others end with their next answer. */
void edge_worker_leave(struct edge_worker *w, const struct edge_leave *how);
void edge_worker_return(struct edge_worker *w); /* the other process is gone: accepts again */
/* A connection on its way to another thread, as one message that is freed whole. */
struct edge_parcel {
    struct loop_message message;
    void *to; /* whose thread that is: message.fn knows */
    size_t slot;
    int fd, other_fd;
    struct addr peer;
    str unread, note; /* of one that another process had */
    char bytes[];
};
/* fn gets the parcel. Copies the texts; peer is left for the caller. */
struct edge_parcel *edge_parcel_new(void (*fn)(void *arg), void *to, size_t slot, int own_fd, int other_fd, str unread,
                                    str note) MUST_USE;
/* Any thread: a connection that another process gave; the loop with the fewest takes it. Takes the descriptors, copies
 * the texts. */
void edge_worker_take(struct edge_worker *const *workers, unsigned count, size_t slot, int own_fd, int other_fd,
                      str unread, str note);
uint32_t edge_worker_connections(const struct edge_worker *w); /* any thread: about */

#endif
