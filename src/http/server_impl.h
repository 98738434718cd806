/* SPDX-License-Identifier: Apache-2.0 */
/* server_impl: what server.c, exchange.c and the h1_*.c files share; nobody else includes it.
 *
 * A connection that waits for its next request is a struct h1_conn and nothing more. The buffers a request needs are a
 * struct h1_work, lent to the connection from its first byte to the end of the answer, and kept for the next one. */
#ifndef VITRINE_HTTP_SERVER_IMPL_H
#define VITRINE_HTTP_SERVER_IMPL_H

#include <sys/uio.h>

#include "base/limits.h"
#include "base/sm.h"
#include "http/h1_chunked.h"
#include "http/h1_parse.h"
#include "http/response.h"
#include "http/server.h"
#include "http/wheel.h"
#include "net/stream.h"

enum h1_state {
    H1_IDLE,         /* between requests, no buffers */
    H1_READING_HEAD, /* some bytes of a request are here */
    H1_READING_BODY,
    H1_HANDLING,  /* the handler, or a worker, has the exchange */
    H1_WRITING,   /* an answer of known parts is on its way */
    H1_STREAMING, /* an answer is being made while it is sent */
    H1_LINGER,    /* our direction is ended; what still comes in is dropped, so that the answer is not reset away */
    H1_ABANDONED, /* the socket is closed, a worker still holds the exchange or the stream */
    H1_CLOSED,
    H1_STATES
};
extern const struct sm_state h1_conn_states[H1_STATES];

struct h1_work;
struct h1_conn;

struct http_exchange {
    struct h1_conn *conn;
    struct http_request request;
    struct arena *arena;
    atomic_bool gone;
    atomic_bool answered; /* respond was called: the second call is a bug */
    bool ready;           /* loop only: the answer below may be sent */
    void (*on_gone)(void *arg);
    void *on_gone_arg;
    int64_t started_us;
    uint64_t round; /* of the loop that reported its first byte; 0 = not known */
    unsigned label; /* for the access callback: http_exchange_note */
    const void *note;
    struct http_response response;
    struct buf head; /* header lines of the answer, written by whoever answered */
    struct blob_choice blob;
    struct loop_message message; /* from the worker's respond to the loop */
};

struct h1_out { /* what is being sent */
    struct iovec iov[8];
    int count, at;
    int file; /* borrowed from the response; -1 = none */
    int64_t offset, left;
};

struct h1_stream { /* body made by http_stream; lives while the connection is STREAMING, or ABANDONED with a job running
                    */
    struct h1_conn *conn;
    struct http_stream *body;
    struct buf fill, piece; /* the worker appends to fill, the loop sends piece */
    enum status status;     /* of the last pull */
    bool busy;              /* a job is queued or running; fill, status, err and body are the worker's */
    bool closed;            /* body was closed */
    bool chunked, began, last;
    bool rested; /* the pause that the last pull asked for is over */
    struct loop_message message;
    struct loop_timer retry; /* of such a pause, or of a lane that is full */
    char size_line[24];
    struct err err;
};

struct h1_sink { /* a body on its way to the application; lives while READING_BODY, or ABANDONED with a job running */
    struct h1_conn *conn;
    struct http_sink *body;
    struct buf piece;   /* the loop fills it, then a worker hands it over */
    enum status status; /* of the last write */
    bool busy;          /* a job is queued or running; piece, status and body are the worker's */
    bool whole;         /* the last byte is in `piece` or was handed over */
    bool closed;        /* abandoned: body was closed */
    struct loop_message message;
    struct loop_timer retry;
};

struct h1_work {
    struct h1_work *next_spare;
    struct http_exchange x;
    struct h1_parser parser;
    struct h1_head head;
    struct h1_chunked chunked;
    struct buf in;  /* bytes received: the present request first, then what the client sent ahead */
    size_t in_used; /* bytes of `in` that belong to the present request */
    struct buf body;
    int64_t body_left;  /* of Content-Length */
    int64_t body_limit; /* most this request may bring */
    int64_t body_bytes; /* received */
    int64_t charged;    /* of the server's bodies_bytes */
    int64_t body_until_us;
    uint8_t continue_left; /* bytes of "100 Continue" still to be sent */
    struct h1_out out;
    struct h1_stream *stream;
    struct h1_sink *sink;
    int64_t sent_bytes, head_bytes; /* sent_bytes counts head and body */
    char prefix[256];               /* status line, Date, Server, Connection */
    struct http_header fields[LIMIT_HTTP_HEADERS];
};

struct h1_conn {
    struct sm sm;
    struct stream stream;
    struct http_server *server;
    struct loop_fd *watch;
    struct h1_work *work;
    struct h1_conn *prev, *next; /* all connections of the server */
    struct wheel_item deadline;
    char *peer;
    uint32_t listen;      /* index of the listening socket */
    uint64_t event_round; /* the round in which epoll reported the bytes that are read next; 0 = they may be newer */
    int unsent;           /* bytes the kernel held when the write deadline was looked at last; -1 = not yet */
    int64_t linger_left;  /* bytes still dropped before the connection is cut */
    bool may_read;        /* epoll said so, or TLS holds bytes, since the last AGAIN */
    bool quiet;           /* bytes wait but are not wanted now: epoll need not repeat it */
    bool half_closed;     /* the client sent its end */
    bool write_blocked;
    bool close_after; /* no further request on this connection */
    bool refused;     /* the answer is the server's own and the request was not read to its end */
    bool in_tick;
    bool served; /* at least one request was answered: from now on idle_ms, before head_ms */
};

struct http_server {
    struct http_server_config config;
    struct http_listen_slot {
        struct http_server *server;
        struct listener *listener; /* NULL once stopped */
        struct tls_server *tls;
    } listens[LIMIT_HTTP_LISTENERS];
    struct h1_limits head_limits;
    struct wheel wheel;
    struct h1_conn *conns;
    uint32_t conn_count;
    struct h1_work *spare;
    unsigned spare_count;
    char date_line[64]; /* "date: ...\r\n" */
    size_t date_line_n;
    int64_t date_until_us;
    char server_line[80];
    struct http_leave leave;      /* give is set while we leave for a successor */
    bool paused;                  /* listeners wait for a connection to end */
    bool stopping, told, stopped; /* told: on_stopped is on its way */
    struct loop_timer grace;
    void (*on_stopped)(void *arg);
    void *on_stopped_arg;
    struct http_stats stats;
};

/* server.c */
struct h1_work *server_work_take(struct http_server *s);
void server_work_give(struct http_server *s, struct h1_work *w);
str server_date_line(struct http_server *s);
void server_conn_gone(struct http_server *s, struct h1_conn *c); /* unlinks; resumes accepting; ends a stop */

/* h1_conn.c */
void h1_conn_start(struct http_server *s, int fd, const struct addr *peer, uint32_t listen);
void h1_conn_adopt(struct http_server *s, int fd, const struct addr *peer, uint32_t listen, str unread);
void h1_conn_leave(struct h1_conn *c);          /* the server leaves: gives it away, or sees to it that it ends */
void h1_conn_tick(struct h1_conn *c);           /* does all that can be done now */
void h1_conn_expired(struct h1_conn *c);        /* its deadline passed */
void h1_conn_stop(struct h1_conn *c, bool now); /* graceful: idle ones close; now: all do */
void h1_conn_lost(struct h1_conn *c);           /* the client is gone, or must go */
/* Reads once; keeps track of whether more may be there. OK, AGAIN, or the connection is at its end. */
enum status h1_conn_read(struct h1_conn *c, void *p, size_t size, size_t *ret_n);
void h1_conn_reset(struct h1_conn *c); /* lost, and the client is told by a TCP reset that the answer is not complete */
void h1_conn_deadline(struct h1_conn *c, uint32_t after_ms); /* 0 = none */
void h1_conn_finish(struct h1_conn *c);                      /* the answer is out: next request, linger or close */
void h1_conn_abandoned(struct h1_conn *c); /* nobody holds anything of an ABANDONED connection any more */

/* h1_body.c; a step returns false when the tick must wait for an event */
void h1_body_begin(struct h1_conn *c); /* after the head: READING_BODY, or straight to the handler */
bool h1_body_step(struct h1_conn *c);
bool h1_body_give_back(struct h1_conn *c); /* at a stop; false: nobody keeps it, so its end is waited for */
void h1_body_dispatch(struct h1_conn *c);  /* to the handler */
void h1_body_deadline(struct h1_conn *c);  /* of the next piece, never after that of the whole body */
void h1_conn_refuse(struct h1_conn *c, int http_status, const char *text); /* answers by itself, then closes */

/* h1_send.c */
void h1_send_begin(struct h1_conn *c);       /* x->ready: to WRITING or STREAMING */
bool h1_send_step(struct h1_conn *c);        /* WRITING */
enum status h1_out_flush(struct h1_conn *c); /* OK all sent, AGAIN blocked, else lost */
static inline void h1_out_add(struct h1_out *o, str s)
{
    if (s.n)
        o->iov[o->count++] = (struct iovec){(void *)(uintptr_t)s.p, s.n};
}

/* h1_stream.c */
void h1_stream_begin(struct h1_conn *c, struct http_stream *body, bool chunked);
bool h1_stream_step(struct h1_conn *c);
/* The connection goes. True: it must wait as ABANDONED until a worker let go of the stream. */
bool h1_stream_abandon(struct h1_work *w);

/* h1_sink.c */
void h1_sink_begin(struct h1_conn *c, struct http_sink *body);
/* Hands over what is in the piece, when there is something or the body is whole; dispatches at its end or after a
 * failure. False: a worker has it, wait. */
bool h1_sink_flush(struct h1_conn *c);
void h1_sink_fail(struct h1_conn *c, enum status st, const char *text); /* the request goes to its handler, failed */
/* The connection goes. True: it must wait as ABANDONED until a worker let go of the sink. */
bool h1_sink_abandon(struct h1_work *w);
static inline bool h1_sink_busy(const struct h1_work *w)
{
    return w && w->sink && (w->sink->busy || loop_timer_armed(&w->sink->retry));
}

/* exchange.c */
void http_exchange_init(struct http_exchange *x);
void http_exchange_reset(struct http_exchange *x);
void http_exchange_mark_gone(struct http_exchange *x);
/* Puts a plain-text answer of the server's own in place of whatever was there. */
void http_exchange_set(struct http_exchange *x, int status, const char *text);
void http_exchange_log(struct h1_conn *c, bool complete);

#endif
