/* SPDX-License-Identifier: Apache-2.0 */
/* worker_impl: what the files of a worker share; nobody else includes it.
 *
 *   struct edge_conn      one client connection: socket, peer, what it waits for
 *   struct edge_request   one request on it, from its first byte to the end of its answer
 *   struct edge_exchange  the buffers that a request needs while it is read and forwarded
 *
 * A connection that waits for its next request is a struct edge_conn and nothing more. A request that is held gives its
 * struct edge_exchange back and keeps the bytes of its head alone. */
#ifndef VITRINE_EDGE_WORKER_IMPL_H
#define VITRINE_EDGE_WORKER_IMPL_H

#include <pthread.h>

#include "base/sm.h"
#include "edge/flow.h"
#include "edge/rewrite.h"
#include "edge/spool.h"
#include "edge/worker.h"
#include "http/h2.h"
#include "http/wheel.h"

enum edge_conn_state {
    EDGE_CONN_PROXY,  /* a proxy says first who the client is */
    EDGE_CONN_IDLE,   /* between requests, no buffers */
    EDGE_CONN_BUSY,   /* a request is in hand */
    EDGE_CONN_H2,     /* it speaks HTTP/2: any number of requests at once */
    EDGE_CONN_LINGER, /* our direction is ended; what still comes in is dropped */
    EDGE_CONN_CLOSED,
    EDGE_CONN_STATES
};
extern const struct sm_state edge_conn_states[EDGE_CONN_STATES];

enum edge_request_state {
    EDGE_REQUEST_HEAD,       /* its head is being read */
    EDGE_REQUEST_HOLDING,    /* no instance takes it now: it waits, first in first out */
    EDGE_REQUEST_CONNECTING, /* an instance is chosen, its connection is being made */
    EDGE_REQUEST_FORWARDING, /* request and answer are on their way */
    EDGE_REQUEST_TUNNEL,     /* after 101: bytes both ways until both ends */
    EDGE_REQUEST_REPLYING,   /* the edge's own answer is on its way */
    EDGE_REQUEST_OVER,
    EDGE_REQUEST_STATES
};
extern const struct sm_state edge_request_states[EDGE_REQUEST_STATES];

struct edge_exchange {
    struct edge_exchange *next, *prev; /* in its instance's place; `next` also among the spare ones */
    struct edge_request *owner;
    struct h1_parser parser;
    struct h1_head head;
    struct uri_target target;
    str host;
    struct buf in;  /* from the client: the head first, then what is read of the body */
    size_t in_used; /* bytes of it that were taken */
    bool whole;     /* all of the request that was read is still there: it can be sent again */

    struct edge_app *app; /* NULL: no route */
    struct edge_instance *instance;
    uint64_t tried[LIMIT_EDGE_TRIES]; /* ids of instances that failed */
    unsigned tries;
    uint32_t answer_ms;
    /* Version of the PROXY protocol that its head begins with. Then the connection to the app is for it alone. */
    uint8_t send_proxy;
    str strip; /* valid only while the request is dispatched: it lies in the table */
    struct upstream_conn *up;
    bool up_may_read, up_blocked, up_ended, up_hung;
    bool request_cut; /* the app takes no more of the request; it may still answer */
    bool keep_up;     /* the connection to the app may serve the next request */
    bool is_write;    /* counted in the app's `writes` while an instance has it */
    bool waits;       /* answer_ms runs */
    bool began;       /* a byte was written to the app */
    bool stale;       /* the connection was a kept one: the app may have closed it meanwhile */

    struct buf request_head, answer_head;
    struct edge_flow request, answer;
    struct buf up_in;
    size_t up_used;
    struct h1_parser answer_parser;
    struct h1_head answer_h;
    bool answering;       /* the head of the answer is on its way */
    bool answer_bytes;    /* the app sent something */
    bool event_stream;    /* text/event-stream: it may be silent for as long as it likes */
    bool continue_wanted; /* the client waits for 100 */
    bool spool_wanted;    /* a body that does not fit into `in` is kept on disk */
    bool uploading;       /* `request` says how far it is */
    int64_t wait_from_us; /* since when the client is waited for; 0 = it is not */
    int64_t waited_us;    /* before that, for this body */

    int status;
    char retry_after[24];
    int64_t started_us;
    int64_t released_us; /* when it was dispatched last: after it was held, later than started_us */
    uint64_t sent_bytes; /* to the client, heads counted */
    uint64_t request_bytes;
    struct http_header fields[LIMIT_HTTP_HEADERS], answer_fields[LIMIT_HTTP_HEADERS];
};

struct edge_request {
    struct sm sm;
    struct edge_conn *conn;
    struct edge_exchange *x; /* NULL: it is held, or over */
    struct wheel_item deadline;
    struct edge_request *held_prev, *held_next;
    struct edge_app *held_app;
    char *held;                        /* bytes of its head, while it waits */
    uint32_t held_n, held_body;        /* bytes of the head; of the body that came meanwhile (HTTP/2) */
    bool bound;                        /* while it waits: it cannot go to another process */
    int64_t held_until_us, arrived_us; /* arrived: when it was first held; 0 = was not */
    struct h2_stream *stream;          /* of HTTP/2; NULL: its client cares no more */
    struct edge_request *ready_next;   /* ... in the list of those that can go on */
    bool ready;
    uint64_t mark;            /* ... x->sent_bytes when its client was looked at */
    bool write_blocked;       /* its client takes no more of the answer now */
    bool close_after;         /* the connection ends with its answer */
    bool expired;             /* it waited long enough */
    struct spool_file *spool; /* its body so far, on disk; NULL: it is in the buffer, or not kept */
    unsigned deaths;          /* of apps that had it; after a few it is not tried again */
    unsigned replays;         /* how often an app let go of it */
};

struct edge_conn {
    struct sm sm;
    struct stream stream;
    const struct edge_client *client;
    struct edge_worker *worker;
    struct loop_fd *watch;
    struct edge_request *request;     /* of BUSY */
    struct edge_h2 *h2;               /* of H2 */
    struct edge_proxied *proxied;     /* of PROXY */
    struct edge_handshake *handshake; /* of IDLE: it waits for a certificate */
    struct edge_conn *prev, *next;    /* all of the worker */
    struct wheel_item deadline;       /* of IDLE and LINGER; a request has its own */
    int unsent;
    int64_t linger_left;
    char peer[ADDR_TEXT_MAX - 80]; /* address without port; "" for a Unix socket */
    uint16_t peer_port;            /* 0: not known */
    bool trusted, secure;          /* secure: by TLS to us, or to the proxy in front */
    bool fresh;                    /* what it speaks is not known yet */
    bool may_read, quiet, half_closed;
    bool in_tick, stopped;
    uint8_t slot; /* the listening socket it came by */
};

struct edge_slot { /* one listening socket */
    struct edge_worker *worker;
    int fd; /* the caller's */
    struct listener *listener;
    struct tls_server *tls;
};

struct edge_worker {
    struct edge_worker_config config;
    struct h1_limits head_limits;
    struct loop *loop;
    pthread_t thread;
    bool running;
    struct edge_slot slots[LIMIT_HTTP_LISTENERS];
    struct http_upstream client;
    struct wheel wheel, request_wheel;
    struct edge_table *table;
    struct edge_conn *conns;
    struct edge_handshake *handshakes; /* that wait */
    unsigned handshake_count;
    _Atomic uint32_t conn_count; /* with those that another loop is handing over */
    struct edge_worker *const *peers;
    unsigned peer_count;
    bool paused, stopping;
    struct edge_leave leave; /* give NULL: it stays */
    struct edge_exchange *spare;
    unsigned spare_count;
    int64_t held_bytes;
    struct edge_queue *queues; /* in which somebody waits */
    uint64_t pass;
    struct loop_timer grace, release;
    uint64_t turn; /* of the round robin */
    struct buf access;
    struct loop_hook access_hook;
};

/* worker.c */
struct edge_exchange *worker_exchange_take(struct edge_worker *w, struct edge_request *r);
void worker_exchange_give(struct edge_worker *w, struct edge_exchange *x);
void worker_conn_gone(struct edge_worker *w, struct edge_conn *c);
void worker_stop_accepting(struct edge_worker *w);
void worker_check_left(struct edge_worker *w);

/* leave.c */
/* To the other process, with what was read of it; false: it is not leaving, or cannot go. The connection is gone then.
 */
bool leave_give(struct edge_conn *c, str unread, int64_t arrived_us);
bool leave_tunnel(struct edge_request *r); /* the same for two sockets and nothing between them */
void leave_adopt(struct edge_conn *c, int other_fd, str unread, str note); /* other_fd -1 = none; takes it */

/* edge_conn.c */
/* NULL: out of kernel memory; the client sees a closed connection. */
/* began: in another process, so that it begins with no header of a proxy. */
struct edge_conn *edge_conn_start(struct edge_worker *w, int fd, const struct addr *peer, size_t slot, bool began);
int edge_conn_detach(struct edge_conn *c);   /* its socket is the caller's now; nothing is left to do but ... */
void edge_conn_discard(struct edge_conn *c); /* ends it without a word, with its request */
/* A new one goes on where another process was: with what that one had read. arrived_us: of a request that waited. */
void edge_conn_resume(struct edge_conn *c, str unread, int64_t arrived_us);
void edge_conn_resume_tunnel(struct edge_conn *c, struct edge_instance *i, int own_fd, int64_t started_us);
void edge_conn_retire(struct edge_conn *c, uint32_t idle_ms); /* ends with its next answer, or after a silence */
void edge_conn_tick(struct edge_conn *c);
void edge_conn_expired(struct edge_conn *c);
void edge_conn_stop(struct edge_conn *c, bool now);
/* ... for edge_h2.c */
void edge_conn_lost(struct edge_conn *c);  /* the client is gone, or must go */
void edge_conn_reset(struct edge_conn *c); /* ... and a TCP reset tells it that what it got is not whole */
void edge_conn_linger(struct edge_conn *c);
void edge_conn_deadline(struct edge_conn *c, uint32_t after_ms);
enum status edge_conn_read(struct edge_conn *c, void *p, size_t size, size_t *ret_n); /* as stream_read */

/* edge_proxied.c: a connection in state PROXY */
void edge_proxied_begin(struct edge_conn *c, struct tls_server *tls);
bool edge_proxied_step(struct edge_conn *c);
void edge_proxied_free(struct edge_conn *c);
void edge_conn_set_peer(struct edge_conn *c, const struct addr *peer);

/* edge_handshake.c: a connection in state IDLE whose TLS handshake waits for a certificate. False: it does not. */
bool edge_handshake_step(struct edge_conn *c);
void edge_handshakes_again(struct edge_worker *w, size_t index); /* there are other certificates */
void edge_handshake_end(struct edge_conn *c);                    /* waits no more; NULL is fine */

/* edge_h2.c: a connection in state H2 */
void edge_h2_begin(struct edge_conn *c, str bytes); /* what was read of it already */
void edge_h2_free(struct edge_conn *c);             /* counts and drops what is in hand */
bool edge_h2_step(struct edge_conn *c);
void edge_h2_event(struct edge_conn *c, unsigned events);
unsigned edge_h2_wants(struct edge_conn *c); /* events of its socket; sets its deadline */
void edge_h2_expired(struct edge_conn *c);
void edge_h2_stop(struct edge_conn *c);
void edge_h2_leave(struct edge_conn *c); /* no new requests; those that are there, and those that wait, are answered */

/* What a request asks of the connection it came by: edge_conn.c gives it for HTTP/1.1, edge_h2.c for HTTP/2. */
struct edge_client {
    const char *protocol;
    bool frames_bodies;                   /* it says itself where a body ends: no chunks */
    bool (*more)(struct edge_request *r); /* HEAD: reads on; false: nothing came */
    bool (*readable)(const struct edge_request *r);
    enum status (*read)(struct edge_request *r, void *p, size_t size, size_t *ret_n); /* of the body; as stream_read */
    size_t (*ahead)(const struct edge_request *r); /* bytes of the body that came, are not read, and take memory */
    /* The head of an answer waits to be written. False: too large, nothing waits. */
    bool (*head)(struct edge_request *r, const struct rewrite_answer *a);
    enum status (*write)(struct edge_request *r); /* what waits in x->answer; as stream_writev */
    void (*stalled)(struct edge_request *r);
    bool (*drains)(struct edge_request *r); /* it took something since it was last asked, or since `stalled` */
    void (*finish)(struct edge_request *r); /* the answer is out: drops it; next request, linger or close */
    void (*lost)(struct edge_request *r);   /* the client is gone, or must go; a tunnel is over */
    void (*reset)(struct edge_request *r);  /* ... and is told that the answer is not whole */
    void (*tick)(struct edge_request *r);   /* something happened to it; fine when it is over */
};

/* request.c */
struct edge_request *edge_request_new(struct edge_conn *c);
bool edge_request_step(struct edge_request *r);
void edge_request_refuse(struct edge_request *r, int status, const char *text); /* HEAD: its head is not valid */
void edge_request_expired(struct edge_request *r);
void edge_request_deadline(struct edge_request *r, uint32_t after_ms);
void edge_request_await_client(struct edge_request *r); /* write_ms for the client to take something */
void edge_request_finish(struct edge_request *r);       /* all of its answer is written */
void edge_request_gone(struct edge_request *r);         /* its client left: counts it, then drops it */
void edge_request_drop(struct edge_request *r);         /* from any state; freed at the end of the round */

/* forward.c */
void forward_begin(struct edge_request *r, const struct edge_target *target); /* chooses an instance */
bool forward_step(struct edge_request *r);
bool tunnel_step(struct edge_request *r);
bool tunnel_quiet(const struct edge_request *r); /* nothing is on its way, either way */
/* Goes on with a tunnel to `i` that another process had; false: it cannot. Takes fd. */
bool tunnel_resume(struct edge_request *r, struct edge_instance *i, int own_fd);
void forward_end(struct edge_request *r, bool keep); /* lets go of instance and connection */
void forward_client_expired(struct edge_request *r);
bool forward_wants_body(const struct edge_request *r); /* more of the request may be read */
/* The app failed before its answer began: another instance, a wait, or this answer. */
void forward_fail(struct edge_request *r, int status, const char *text);
void forward_cut(struct edge_request *r); /* ... and after that: the client must see that it is not whole */
/* The app let go of it unexecuted: to an instance again, or into the queue. False: not all of it is kept. */
bool forward_replay(struct edge_request *r);
void forward_withdraw(struct edge_request *r); /* its instance ends now: again elsewhere if that is safe, else cut */

/* upload.c: the request's way to the app */
void upload_begin(struct edge_request *r);
void upload_rewind(struct edge_request *r); /* taken back from an instance: the next upload_begin sends all of it */
bool upload_step(struct edge_request *r);
bool upload_wants(const struct edge_request *r);    /* more of the body from the client */
bool upload_kept(const struct edge_request *r);     /* all of it so far can be sent again */
bool upload_over(const struct edge_request *r);     /* nothing more goes to the app */
bool upload_complete(const struct edge_request *r); /* ... for it has all of it: it may execute it */
bool upload_bad(struct edge_request *r, int status, const char *text);
/* Milliseconds that the client has for its next byte: body_ms, less when it is slower than body_rate. */
uint32_t upload_patience(struct edge_request *r);

/* download.c: the app's answer on its way to the client */
void download_begin(struct edge_exchange *x);
bool download_step(struct edge_request *r);

/* reply.c: answers of the edge's own. After this the request is REPLYING. */
void reply_status(struct edge_request *r, int status, const char *text, const char *remedy);
void reply_nowhere(struct edge_request *r); /* no app answers for this address */
void reply_stopped(struct edge_request *r, const struct edge_target *target);
void reply_late(struct edge_request *r, const char *text); /* it waited too long, or found no room to wait */
void reply_trouble(struct edge_request *r, const struct edge_target *target); /* nothing runs, and nobody may wait */
void reply_too_many(struct edge_request *r, int64_t after_ms);
void reply_https(struct edge_request *r, const struct edge_route *route);
void reply_token(struct edge_request *r, str text);
void reply_redirect(struct edge_request *r, const struct edge_route *route);
bool reply_step(struct edge_request *r);

/* rate.c: may one more request come now? False: *ret_after_ms until it may. */
bool rate_take(struct edge_app *app, const struct edge_target *target, int64_t now_us, int64_t *ret_after_ms);

/* hold.c */
bool hold_wanted(const struct edge_request *r, const struct edge_target *target);
void hold_begin(struct edge_request *r, const struct edge_target *target);
void hold_leave(struct edge_request *r); /* out of the queue: it goes on, or its client left */
void hold_release(struct edge_worker *w);
void hold_look_soon(struct edge_worker *w); /* at the end of this round: there is room for one of them */
bool hold_grew(struct edge_request *r); /* HOLDING: more of its body may have come. True: too much, it is HEAD again */
void hold_expired(struct edge_request *r);

/* edge_access.c: counts an exchange that is over and writes its line; called once, before it is given back */
void edge_access_note(struct edge_request *r, bool complete);
void edge_access_flush(void *worker);

#endif
