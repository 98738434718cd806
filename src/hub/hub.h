/* SPDX-License-Identifier: Apache-2.0 */
/* hub: accounts, spaces and who may do what in them: a web application on its own database, behind the edge.
 *
 * One loop thread takes requests and hands each to a lane of workers; views run there, may block, and write through the
 * store. The hub never opens a space's data: it tells a space what it must know by space.json, and asks the edge to
 * start, change and stop it. docs/design/0060-hub.md says who does what. */
#ifndef VITRINE_HUB_HUB_H
#define VITRINE_HUB_HUB_H

#include <pthread.h>
#include <stdatomic.h>

#include "hub/config.h"
#include "hub/mail.h"
#include "hub/store.h"
#include "net/addr.h"
#include "rt/loop.h"
#include "rt/pool.h"
#include "rt/throttle.h"
#include "template/template.h"

struct hub_static;
struct providers;
struct token_key;

enum hub_lane {
    HUB_PAGE,       /* pages: reading, short writes */
    HUB_PASSWORD,   /* what hashes a password: tens of milliseconds of processor time each */
    HUB_SIGN_UP,    /* the same for new accounts: those who have one do not wait behind them */
    HUB_KNOWN,      /* the same for browsers that signed in before: they do not wait behind strangers */
    HUB_CHANGE,     /* what waits for the edge: starting and stopping spaces */
    HUB_COPY,       /* what copies whole databases: minutes */
    HUB_OUTSIDE,    /* what waits for others on the web: issuers */
    HUB_NAMES,      /* what waits for name servers that somebody chose: nobody who signs in waits behind them */
    HUB_BODY,       /* files that come in */
    HUB_BACKGROUND, /* mail, telling spaces, what nobody waits for */
    HUB_LANES
};

/* What hub_open and the start of hub_run set stays as it is; any thread may read it. What changes says who may touch
 * it, or is behind a header of its own. */
struct hub {
    struct arena *arena;
    struct hub_config config;
    struct mail_config mail_config;
    struct mailer *mailer;       /* of a hub that runs */
    struct providers *providers; /* ... who signs people in for us */
    str program;                 /* this program, absolute: what spaces run */
    struct store *store;
    struct token_key *key; /* signs tickets */
    str secret;            /* 32 bytes of keys/secret: for MACs that only the hub checks */
    struct template_env *templates;
    struct hub_static *statics; /* loop's thread */
    struct throttle *throttle;
    struct loop *loop;
    struct pool *pool;
    pthread_mutex_t incoming; /* who takes room for a file (waiting.h) */
    pthread_mutex_t tell;     /* one writer of space.json at a time, so that the newest is written last */
    atomic_bool unsettled;    /* the edge may differ from hub.db: the next round of upkeep looks (space_reconcile) */
    int64_t settle_ms, settle_pause_ms; /* upkeep's own: when it looks next (mono), and how long it waits after that */
    atomic_bool stopping;
};

#define HUB_GATE "gate/gate.sock" /* below the hub's folder: the way of spaces to the web (net/gate.h) */

struct hub_run_config {
    str dir;          /* with hub.yaml */
    struct addr addr; /* where it listens */
    uint32_t grace_ms;
};
/* Until SIGTERM. Blocks. */
enum status hub_run(const struct hub_run_config *config, struct err *err) MUST_USE;

/* Whether the parts of hub.yaml that this process needs are right too: mail, oidc, github. */
enum status hub_check(const struct hub_config *c, struct err *err) MUST_USE;

/* Opens what requests and commands need: configuration, hub.db, keys; no loop, no pool. */
enum status hub_open(struct hub *h, str dir, struct err *err) MUST_USE;
void hub_close(struct hub *h);

/* "s" or "u" and 12 letters of a-z2-7: 60 random bits. */
str hub_id(struct arena *a, char kind);
/* 32 random bytes as base64url, and the hash under which it is kept. */
str hub_secret(struct arena *a, str *ret_hash);
str hub_hash(struct arena *a, str secret); /* SHA-256 in hex */

#endif
