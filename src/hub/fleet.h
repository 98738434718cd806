/* SPDX-License-Identifier: Apache-2.0 */
/* fleet: all spaces to another version of the program, in waves.
 *
 *   canaries -> watch -> 1 % -> watch -> 10 % -> watch -> the rest -> watch -> done
 *      `---------- a space that does not start, or is worse than before -----------> all back, stopped
 *
 * A version is a copy of the program in DIR/versions. What was decided and done is in hub.db (fleet_runs, and
 * spaces.version of each space), written before the next thing is done: a run that was killed is resumed, or taken
 * back. Docs: docs/hub.md; why so: docs/design/0065-fleet.md. */
#ifndef VITRINE_HUB_FLEET_H
#define VITRINE_HUB_FLEET_H

#include "hub/hub.h"

struct fleet_options {
    str program;            /* a file; empty: the hub's own, without a copy */
    struct value canary;    /* LIST of STR: names of spaces that go first */
    int64_t watch_ms;       /* after each wave */
    int64_t errors_percent; /* of a wave's answers that may be 5xx more than before */
    int64_t slower;         /* times as slow as before, at most; 0 = not looked at */
    int64_t at_once;        /* spaces that change at the same time */
    bool resume;            /* the run that stopped half-way, with its options */
    bool backup;            /* of each space, before */
    void *arg;
    void (*say)(void *arg, const char *line); /* progress, for people; from any thread, one at a time */
};
struct fleet_report {
    str version;
    int64_t spaces, done, rolled_back, pinned;
};
/* Blocks until it is done. CONFLICT: it was stopped and taken back (*err says why), or another run is under way. */
enum status fleet_upgrade(struct hub *h, struct arena *a, const struct fleet_options *o, struct fleet_report *ret,
                          struct err *err) MUST_USE;
/* A space keeps its version, or goes with the others again. NOT_FOUND. */
enum status fleet_pin(struct hub *h, str name, bool pinned, struct err *err) MUST_USE;
/* DICT: versions with their numbers of spaces, pinned ones, the last run. */
enum status fleet_status(struct hub *h, struct arena *a, struct value *ret, struct err *err) MUST_USE;

/* What visitors got, since the edge was started. */
struct fleet_health {
    int64_t answers, errors, duration_us;
};
/* Was it well between `then`, when it had changed, and `now`? before: until it began to change; what was usual. name:
 * of one space; NULL: a whole wave. Fewer than 20 answers say nothing. CONFLICT says what was worse. Pure. */
enum status fleet_judge(const struct fleet_options *o, const char *name, const struct fleet_health *before,
                        const struct fleet_health *then, const struct fleet_health *now, struct err *err) MUST_USE;

/* Cuts `count` spaces into waves: canaries, then 1 %, then 10 % (each at least one), then the rest. *ret: the number of
 * each wave, in order, none 0. Returns how many waves. Pure. */
size_t fleet_waves(size_t canaries, size_t others, size_t ret[4]);

#endif
