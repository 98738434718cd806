/* SPDX-License-Identifier: Apache-2.0 */
/* prove: a strict load client. It asks without ever trying again, checks every byte of every answer, counts each id on
 * both sides, and meanwhile runs the commands that change the server. The essay is in run.c. */
#ifndef VITRINE_PROVE_PROVE_H
#define VITRINE_PROVE_PROVE_H

#include "net/addr.h"
#include "net/tls_client.h"
#include "prove/histogram.h"
#include "rt/loop.h"

enum prove_kind {
    PROVE_KEEPALIVE, /* one request after another on a kept connection */
    PROVE_NEW,       /* a connection for each request */
    PROVE_PIPELINE,  /* several requests at once, answers in order */
    PROVE_HTTP2,     /* several at once as streams of HTTP/2 */
    PROVE_UPLOAD,    /* a body that takes its time */
    PROVE_DOWNLOAD,  /* an answer that takes its time */
    PROVE_WEBSOCKET, /* numbered messages, echoed */
    PROVE_KINDS
};
extern const char *const prove_kind_names[PROVE_KINDS];

enum prove_outcome { /* of one request, or one message of a WebSocket */
                     PROVE_UNSENT,
                     PROVE_OK,        /* whole, right, its own */
                     PROVE_LOST,      /* no byte of an answer: refused, reset, closed, too late */
                     PROVE_TRUNCATED, /* the answer began and did not end */
                     PROVE_WRONG,     /* a byte was not what it had to be, or no HTTP */
                     PROVE_REORDERED, /* the answer belongs to another request */
                     PROVE_REFUSED,   /* a whole answer with another status than was expected: 502, 503, 504 ... */
                     PROVE_OUTCOMES
};
extern const char *const prove_outcome_names[PROVE_OUTCOMES];

struct prove_target {
    struct addr addr;
    struct tls_client *tls; /* NULL = plain */
    str host;               /* for the Host field */
    const char *name;       /* to be proved by TLS */
    str path;               /* of the URL; with `app` the folder it is mounted at, ends with "/" */
};

struct prove_config {
    struct loop *loop;
    struct prove_target target;
    bool app;   /* the other side is `vitrine prove app`: ids are counted there too */
    bool post;  /* ask with POST, which nobody in between may send twice */
    str sha256; /* of the answer, hex; empty: as the first answer. Not with `app` */
    int status; /* expected of answers */
    uint32_t connections[PROVE_KINDS];
    uint32_t interval_ms; /* between the requests of a connection; 0 = at once */
    uint32_t stale_ms;    /* what is known of a connection is this old when a request is sent */
    uint32_t timeout_ms;
    uint32_t depth;             /* of pipelines; streams of HTTP/2 at once */
    uint32_t size_bytes;        /* of answers and messages, with `app` */
    uint64_t slow_bytes;        /* of uploads and downloads */
    uint32_t slow_ms;           /* how long one takes */
    const char *const *changes; /* commands for the shell */
    size_t change_count;
    uint32_t times; /* each change is made so often */
    uint32_t every_ms, before_ms, after_ms;
    uint64_t seed;
    /* Now and then while it runs; may be NULL. */
    void (*progress)(void *arg, uint64_t answered, uint64_t faults, uint32_t changed, uint32_t changes_all);
    void *arg;
};

struct prove_tally { /* of one kind */
    uint64_t outcomes[PROVE_OUTCOMES];
    uint64_t doubled, unseen;            /* with `app`: executed more than once; answered but never executed */
    uint64_t executed_lost;              /* lost or truncated, but executed */
    uint64_t opened;                     /* connections that stood */
    uint64_t resumed;                    /* ... of them by a short TLS handshake */
    uint64_t closed_idle;                /* closed by the other side between two answers, unannounced */
    uint64_t told_to_close;              /* answers that announced it */
    struct histogram all, quiet, around; /* around: due within a second of a change */
    char fault[240];                     /* the first one, in words */
};

struct prove_change {
    uint32_t command;           /* index into changes */
    int64_t began_us, ended_us; /* since the beginning of the run */
    int wait_status;            /* as of waitpid(2); -1: it could not be started */
};

struct prove_tick { /* a piece of the time line */
    uint32_t answered, faults;
    int64_t max_us;
};

struct prove_result {
    const struct prove_config *config;
    struct prove_tally tallies[PROVE_KINDS];
    struct prove_change *changes;
    uint32_t change_count;
    struct prove_tick *ticks;
    size_t tick_count;
    int64_t tick_us, duration_us;
    bool counted; /* both sides: the backend's ledger was read */
    bool interrupted;
    bool clean; /* nothing was lost, doubled, truncated, wrong, reordered, refused or unseen, and each change went well
                 */
};

/* Runs to the end on the calling thread, which must be the loop's. Returns OK, also when faults were counted; INVALID,
 * and what the first question met (IO, CLOSED, PROTOCOL, NOT_FOUND): nothing was proved then. */
enum status prove_run(const struct prove_config *config, struct prove_result *ret, struct err *err) MUST_USE;
void prove_interrupt(void); /* ends the run early, with its report; from a callback of the loop */
void prove_result_release(struct prove_result *r);

uint64_t prove_sent(const struct prove_tally *t);
uint64_t prove_faults(const struct prove_tally *t);

#endif
