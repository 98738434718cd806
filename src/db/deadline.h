/* SPDX-License-Identifier: Apache-2.0 */
/* deadline: when a statement has to stop. One per connection; looked at from SQLite's progress and busy handlers, from
 * our own long SQL functions, and by a watchdog thread for the places where SQLite looks only at sqlite3_interrupt().
 */
#ifndef VITRINE_DB_DEADLINE_H
#define VITRINE_DB_DEADLINE_H

#include <stdatomic.h>

#include "base/err.h"

struct sqlite3;

struct deadline {
    int64_t at_mono_us;           /* 0 = none */
    const atomic_bool *cancelled; /* NULL = none */
    enum status tripped;          /* OK, TIMEOUT or CANCELLED: what deadline_passed() saw last */
    int64_t busy_timeout_us;      /* longest wait for a lock */
    int64_t busy_since_us;
    atomic_llong *waited_us; /* set to the time of each look at a lock that is held; NULL = nobody wants to know */
    struct sqlite3 *sqlite;
    bool armed;                    /* in the watchdog's list; the connection's thread only */
    struct deadline *next, **link; /* watchdog's list, under its lock: neighbours of other threads change them */
};

/* Installs progress and busy handler on the handle. `waited_us` (may be NULL) must outlive it: with it, locks are
 * looked at every 2 ms, so that a reader finds the gap between two commits of the writer, which makes one when it sees
 * that readers wait (writer.c). */
void deadline_init(struct deadline *d, struct sqlite3 *sqlite, int64_t busy_timeout_ms, atomic_llong *waited_us);
void deadline_release(struct deadline *d); /* before sqlite3_close */
/* Thread of the connection. Sets both; (0, NULL) clears. */
void deadline_set(struct deadline *d, int64_t at_mono_us, const atomic_bool *cancelled);
/* True when work has to stop; `tripped` says why. Thread of the connection. About 30 ns. */
bool deadline_passed(struct deadline *d);

#endif
