/* SPDX-License-Identifier: Apache-2.0 */
/* upgrade: a serving process hands over to a new one of the same command line. The essay is in upgrade.c. */
#ifndef VITRINE_CLI_UPGRADE_H
#define VITRINE_CLI_UPGRADE_H

#include "base/arena.h"
#include "http/server.h"
#include "rt/takeover.h"

/* What a successor gets beside the sockets. */
struct upgrade_state {
    str secret;      /* of signed cookies and tokens */
    str database;    /* data files were imported into this one; empty = none */
    str ticket_keys; /* of TLS, base64; empty = none */
    str folder;      /* ... in this folder, which goes with the last process; empty = it is kept */
};

struct upgrade;
struct upgrade_config {
    struct loop *loop;
    struct http_server *server;
    struct pool *pool; /* for the status file */
    unsigned lane;
    struct upgrade_state state;
    uint32_t ready_ms, grace_ms;
    str status_path; /* told to `vitrine upgrade`; empty = none */
    str address;     /* for it */
    void *arg;
    void (*left)(void *arg, bool well); /* all is handed over, or nothing can go on here: the process may end */
    void (*stopped)(void *arg);         /* somebody stopped the successor: stop too */
};
struct upgrade *upgrade_new(const struct upgrade_config *config);
void upgrade_begin(struct upgrade *u); /* SIGUSR2 */
/* The process stops: a successor that is not ready yet is ended. */
void upgrade_cancel(struct upgrade *u);
bool upgrade_handed(const struct upgrade *u); /* connections, socket files and the import folder are the successor's */
void upgrade_free(struct upgrade *u);         /* removes the status file unless it is the successor's. NULL is fine */

/* ---- the successor's side ---- */
/* What takeover_arrive gave as state. PROTOCOL: it is not whole. */
enum status upgrade_read_state(str bytes, struct upgrade_state *ret, struct err *err) MUST_USE;

/* ---- what `vitrine upgrade` reads ---- */
str upgrade_status_path(struct arena *a, str state_folder); /* empty when there is no folder */
struct upgrade_status {
    int64_t pid, failures;
    str version, address, failure; /* failure: why the last upgrade failed */
};
/* NOT_FOUND, INVALID, IO. */
enum status upgrade_read_status(struct arena *a, str path, struct upgrade_status *ret, struct err *err) MUST_USE;

#endif
