/* SPDX-License-Identifier: Apache-2.0 */
/* supervisor: the small process in front of `vitrine edge`: it holds the sockets and starts the edge anew when that
 * dies. The essay is in supervisor.c. */
#ifndef VITRINE_EDGE_SUPERVISOR_H
#define VITRINE_EDGE_SUPERVISOR_H

#include "base/arena.h"
#include "base/err.h"

/* What this process is to be. */
enum supervisor_role {
    SUPERVISOR_FIRST,   /* started by a person or by systemd: supervises, and starts the edge */
    SUPERVISOR_AGAIN,   /* supervises an edge that runs: ret->channel is its end */
    SUPERVISOR_WATCHED, /* is an edge: ret->channel leads to its supervisor */
};
struct supervisor_ends { /* -1 = none */
    int channel;
    int kept; /* of SUPERVISOR_AGAIN: what it kept before it became this program lies in this socket */
};
/* Once, at start: the environment forgets it. */
enum supervisor_role supervisor_role(struct supervisor_ends *ret);
/* `ends` as supervisor_role said (takes them). Runs until the edge ended because it was told to, or could not start at
 * all; *ret_exit is then what the process is to end with. Blocks. */
enum status supervisor_run(const struct supervisor_ends *ends, int *ret_exit, struct err *err) MUST_USE;

/* The descriptors that a supervisor and an edge hand to what they start, and the variables that say which it is. */
#define SUPERVISOR_FD      3
#define SUPERVISOR_KEPT_FD 4
#define SUPERVISOR_CHANNEL "VITRINE_EDGE_CHANNEL"    /* of an edge */
#define SUPERVISOR_EDGE    "VITRINE_EDGE_SUPERVISED" /* of a supervisor whose edge runs */
#define SUPERVISOR_KEPT    "VITRINE_EDGE_KEPT"       /* ... that became a new program */
/* Our environment with `variable`, without the other two and what systemd said to this process alone. `again`: for
 * one that takes another's place, which meets no fault that was meant for that one. */
char **supervisor_environment(struct arena *a, const char *variable, bool again);

#endif
