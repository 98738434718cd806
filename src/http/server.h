/* SPDX-License-Identifier: Apache-2.0 */
/* server: HTTP/1.1 on listeners, one loop thread; requests go to one handler, answers may come from any thread.
 *
 *   accept -> connection (h1_conn) -> handler(app, exchange) on the loop's thread -> http_exchange_respond
 *
 * The handler answers at once (cached bytes, redirects, errors) or hands the exchange to a worker, which calls
 * http_exchange_respond when it is done. The server does keep-alive, pipelining in order, framing both ways, HEAD,
 * 100-continue, 304, ranges, limits with their statuses, deadlines and the Date, Server, Connection, Content-Length and
 * Transfer-Encoding fields. docs/internals/http.md tells how. */
#ifndef VITRINE_HTTP_SERVER_H
#define VITRINE_HTTP_SERVER_H

#include <stdatomic.h>

#include "http/message.h"
#include "net/listener.h"
#include "net/tls.h"
#include "rt/loop.h"
#include "rt/pool.h"

struct http_server;
struct http_exchange; /* one request and its answer */

/* ---- what a handler works with ---- */
/* Valid until http_exchange_respond. The arena belongs to whoever holds the exchange: loop, then one worker. */
const struct http_request *http_exchange_request(const struct http_exchange *x);
struct arena *http_exchange_arena(const struct http_exchange *x);
/* Exactly once per exchange, from any thread. Takes all that `r` owns; afterwards the exchange, its request and its
 * arena are no longer the caller's. When the client is gone the answer is released quietly. Never blocks. */
void http_exchange_respond(struct http_exchange *x, struct http_response *r);
/* Plain-text answer in one call: status, reason or `text`. */
void http_exchange_fail(struct http_exchange *x, int status, str text);
/* True once the client went away (reset, closed, or closed its sending half). Any thread; valid until respond. */
const atomic_bool *http_exchange_gone(const struct http_exchange *x);
/* fn(arg) once on the loop's thread when the client goes away before the answer was given. Set it on the loop's thread
 * (in the handler). `arg` must live as long as the exchange's arena: a call may cross the answer of a worker. */
void http_exchange_on_gone(struct http_exchange *x, void (*fn)(void *arg), void *arg);
/* The sink that took the body, now the caller's to close; NULL = there is none. In the handler or the worker. */
struct http_sink *http_exchange_take_sink(struct http_exchange *x);
/* For the access callback: a number, and something that lives as long as the exchange's arena. Set it on the loop's
 * thread, in the handler; what `note` points to may change until the answer is given. */
void http_exchange_note(struct http_exchange *x, unsigned label, const void *note);
/* Not 0: the first byte of the request was here before this round of the loop (loop_round) began, so whatever the
 * handler looked up since then is younger than the request. Loop's thread, in the handler. */
uint64_t http_exchange_round(const struct http_exchange *x);

/* ---- server ---- */
struct http_limits {
    uint32_t line_bytes;      /* request line; longer: 414 */
    uint32_t head_bytes;      /* request line and header fields; more: 431. At most LIMIT_HTTP_HEAD */
    uint32_t header_count;    /* more: 431. At most LIMIT_HTTP_HEADERS */
    uint32_t connections_max; /* open at once; further ones wait in the backlog */
    uint32_t head_ms;         /* first byte to end of head; then 408 */
    uint32_t body_ms;         /* pause between two pieces of a body; then 408 */
    uint32_t body_total_ms;   /* the whole body; then 408 */
    uint32_t idle_ms;         /* between two requests; then closed */
    uint32_t write_ms;        /* the client takes nothing of an answer; cut after one to two of these */
    uint32_t linger_ms;       /* after a refused request: what the client still sends is dropped this long */
    int64_t body_bytes;       /* request body; more: 413. See body_limit */
    int64_t bodies_bytes;     /* all bodies being held together; more: 503 */
};
void http_limits_default(struct http_limits *ret);

struct http_listen {
    struct listener *listener; /* opened, not started; the server's from http_server_new on, also when that fails */
    struct tls_server *tls;    /* NULL = plain; the server takes a reference of its own */
};

struct http_stats;
void http_exchange_stats(const struct http_exchange *x, struct http_stats *ret); /* of its server; loop's thread */

struct http_access {                    /* one finished exchange, for an access log; borrowed during the call */
    const struct http_request *request; /* a refused one may have no method and no target */
    str peer;
    unsigned label; /* of http_exchange_note; 0 = none was given */
    const void *note;
    int status;         /* 0: the client went away before the answer */
    int64_t sent_bytes; /* body bytes handed to the kernel */
    int64_t duration_us;
    bool complete; /* all of the answer was sent */
};

struct http_server_config {
    struct loop *loop;
    struct pool
        *pool; /* for stream bodies; must outlive the server; may be NULL: streams are then pulled on the loop */
    unsigned stream_lane; /* lanes of `pool` */
    unsigned sink_lane;
    const struct http_listen *listens;
    size_t listen_count; /* 1.. LIMIT_HTTP_LISTENERS */
    struct http_limits limits;
    const char *server_name; /* Server field; NULL or "" = none. Kept, not copied */
    void *app;
    void (*handler)(void *app, struct http_exchange *x); /* on the loop's thread */
    /* May lower or raise the body limit of one request when its head is in: bytes, 0 = no body allowed. NULL = limits.
     */
    int64_t (*body_limit)(void *app, const struct http_request *rq);
    /* Where the body of this request goes, when its head is in and it has a body: a sink, or NULL = memory. Loop's
     * thread: must not block. NULL = all in memory. */
    struct http_sink *(*body_sink)(void *app, struct http_exchange *x);
    void (*access)(void *app, const struct http_access *a); /* NULL = none */
};
/* Starts accepting. Returns OK, INVALID, IO. */
enum status http_server_new(const struct http_server_config *config, struct http_server **ret,
                            struct err *err) MUST_USE;
/* Graceful stop: listeners closed, idle connections closed, requests in flight answered with Connection: close; what is
 * left after grace_ms is cut. on_stopped(arg) on the loop's thread once no connection and no exchange is left (an
 * exchange that a worker still holds is waited for, however long). Calling it again shortens the grace. */
void http_server_stop(struct http_server *s, uint32_t grace_ms, void (*on_stopped)(void *arg), void *arg);
bool http_server_stopped(const struct http_server *s);
void http_server_free(
    struct http_server *s); /* only when stopped; not from inside on_stopped (defer it). NULL is fine */
/* ---- leaving for a successor (rt/takeover.h) ---- */
struct http_leave {
    void *arg;
    /* A plain connection between two requests, with what was read of it and not used (at most LIMIT_TAKEOVER_UNREAD).
     * Takes fd. */
    void (*give)(void *arg, size_t index, int own_fd, str unread);
    void (*left)(void *arg); /* no connection is left; once. Stop the server then */
    uint32_t idle_ms;        /* TLS connections without a request are closed after this */
};
/* Stops accepting; the listening sockets stay open. Plain connections are given away, now or after the answer that is
 * under way; TLS connections are told to close with their next answer. */
void http_server_leave(struct http_server *s, const struct http_leave *leave);
/* The successor is gone: accepts again. */
void http_server_return(struct http_server *s);
/* Takes a plain connection of listens[index] that a predecessor gave. */
void http_server_adopt(struct http_server *s, size_t index, int own_fd, str unread);
size_t http_server_listen_count(const struct http_server *s);
const struct listener *http_server_listener(const struct http_server *s, size_t index);

/* New certificate for listens[index]; takes a reference of its own. Connections that exist keep theirs. */
void http_server_set_tls(struct http_server *s, size_t index, struct tls_server *tls);
const struct addr *http_server_addr(const struct http_server *s, size_t index); /* as bound */

struct http_stats {
    uint64_t accepted, requests, bytes_in, bytes_out;
    uint64_t refused;        /* answered by the server itself: 400, 408, 413, 414, 431, 501, 505 ... */
    uint64_t timeouts;       /* deadlines that passed, idle ones not counted */
    uint64_t gone;           /* clients that left before their answer */
    uint64_t statuses[6];    /* answers by first digit; [0] unused */
    uint64_t adopted, given; /* connections that came from a predecessor, went to a successor */
    uint32_t connections, idle, handling, streaming; /* now */
    int64_t bodies_bytes;                            /* request bodies held now */
};
void http_server_stats(const struct http_server *s, struct http_stats *ret); /* loop's thread */

#endif
