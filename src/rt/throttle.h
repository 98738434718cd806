/* SPDX-License-Identifier: Apache-2.0 */
/* throttle: how many attempts a name (a client, a user) has left. Each name is a bucket that fills by one an attempt
 * and runs empty with time; a full one makes the next attempt wait. A fixed number of buckets: with more names than
 * that, those with the fewest attempts are forgotten first. Any thread. */
#ifndef VITRINE_RT_THROTTLE_H
#define VITRINE_RT_THROTTLE_H

#include "base/str.h"

struct throttle;

struct throttle_rule {
    uint32_t burst;     /* attempts in a row */
    uint32_t refill_ms; /* one more after each of these */
};

struct throttle *throttle_new(void) MUST_USE;
void throttle_free(struct throttle *t); /* NULL is fine */
/* Takes one attempt of `name`: 0, or how many seconds to wait (1..) when there is none. */
int64_t throttle_take(struct throttle *t, str name, struct throttle_rule rule, int64_t now_ms);
/* The attempt was a good one: it does not count. */
void throttle_give_back(struct throttle *t, str name, struct throttle_rule rule, int64_t now_ms);

/* The same buckets for costs instead of attempts, in the unit of the caller's clock: how far the bucket of `name` is
 * from being empty, and putting that off by `cost`. */
int64_t throttle_level(struct throttle *t, str name, int64_t now);
void throttle_charge(struct throttle *t, str name, int64_t cost, int64_t now);

#endif
