/* SPDX-License-Identifier: Apache-2.0 */
/* run: what run.c, client.c, client_talk.c and fetch.c share; nobody else includes it. */
#ifndef VITRINE_PROVE_RUN_H
#define VITRINE_PROVE_RUN_H

#include "base/sm.h"
#include "net/stream.h"
#include "prove/answer.h"
#include "prove/prove.h"

enum client_state {
    CLIENT_CLOSED,     /* no connection */
    CLIENT_CONNECTING, /* TCP, TLS, the WebSocket's upgrade is asked for in WAITING */
    CLIENT_READY,      /* connected, nothing under way */
    CLIENT_WAITING,    /* requests are sent or being sent; answers are due */
    CLIENT_OFF,        /* told to end */
    CLIENT_STATES
};
extern const struct sm_state client_states[CLIENT_STATES];

struct run;

struct client {
    struct run *run;
    enum prove_kind kind;
    uint32_t index; /* over all kinds; high bits of its ids */
    struct sm sm;
    struct stream stream;
    struct tls_resume resume;
    struct loop_fd *watch;
    struct loop_timer timer;    /* when to look, when to send, when the next piece of an upload goes */
    struct loop_timer deadline; /* of what is under way */
    int64_t due_us;             /* the request's, by the plan: its time is measured from here */
    uint64_t random;
    bool looked;    /* the connection was looked at: news of it do not count any more */
    bool due;       /* the moment came, the connection is not there yet */
    bool handshake; /* TLS is under way */
    bool upgraded;  /* a WebSocket stands */
    bool asked;     /* the upgrade is what is under way */
    bool used;      /* this connection brought an answer */
    uint64_t first; /* the oldest request under way */
    unsigned pending;
    uint64_t next; /* number of the next request */
    struct answer answer;
    struct talk_h2 *h2; /* of HTTP2, while it is connected */
    struct buf in;      /* WebSocket: incomplete frame */
    struct buf out;     /* what is to be sent */
    size_t out_at;
    uint64_t body_sent, body_size; /* of an upload */
    int64_t upload_us;             /* when it began */
    uint8_t *outcomes;             /* by number; enum prove_outcome, executions in the high bits */
    uint64_t outcome_cap;
};

struct run {
    const struct prove_config *config;
    struct prove_result *result;
    struct loop *loop;
    uint64_t id; /* tells this run's entries in the ledger */
    struct client *clients;
    uint32_t client_count, off;
    int64_t began_us;
    struct buf reference; /* without `app`: what each answer must be */
    bool stopping;
    struct loop_timer next_change, end, report;
    struct proc *change;
    char scratch[65536];
};

#define CLIENT_ID_SHIFT 40

static inline uint64_t client_request_id(const struct client *c, uint64_t number)
{
    return (uint64_t)c->index << CLIENT_ID_SHIFT | number;
}

/* client.c */
void client_start(struct client *c, struct run *run, enum prove_kind kind, uint32_t index);
void client_stop(struct client *c); /* ends when nothing is under way */
void client_release(struct client *c);
void client_settle(struct client *c, uint64_t number, enum prove_outcome o, const char *why);
void client_next(struct client *c); /* plans the next request */
/* The connection ended, or is ended by us: what is under way is lost. */
void client_drop(struct client *c, enum prove_outcome first, const char *why);

/* client_talk.c */
void talk_send(struct client *c);                   /* READY: sends what is due; to WAITING */
void talk_event(struct client *c, unsigned events); /* READY and WAITING */
void talk_begin_websocket(struct client *c);        /* connected: asks for the upgrade */

/* h2_talk.c */
void talk_h2_open(struct client *c);                  /* connected */
void talk_h2_free(struct client *c);                  /* fine when there is none */
void talk_h2_ask(struct client *c);                   /* what is pending, into c->out */
bool talk_h2_fill(struct client *c);                  /* c->out is sent: is there more? */
void talk_h2_fail(struct client *c, const char *why); /* settles what is open, drops the connection */
/* Returns OK (nothing is open), AGAIN, PROTOCOL. */
enum status talk_h2_hear(struct client *c, str in, struct err *err);
bool talk_h2_last(const struct client *c); /* the other side takes no more requests here */

/* fetch.c: one question, asked with patience (20 s), its answer whole. */
enum status run_fetch(struct run *r, str path, struct buf *out, int *ret_status, struct err *err);
/* Not waited for. resume: NULL = none. */
enum status run_connect(struct run *r, struct tls_resume *resume, struct stream *ret, struct err *err);

#endif
