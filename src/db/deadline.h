/* SPDX-License-Identifier: Apache-2.0 */
/* deadline: when a statement has to stop. One per connection; looked at from SQLite's progress and busy handlers and from
 * our own long SQL functions. */
#ifndef VITRINE_DB_DEADLINE_H
#define VITRINE_DB_DEADLINE_H

#include <stdatomic.h>

#include "base/err.h"

struct conn;

struct deadline {
    int64_t at_mono_us;           /* 0 = none */
    const atomic_bool *cancelled; /* NULL = none */
    enum status tripped;          /* OK, TIMEOUT or CANCELLED: why the statement was stopped; reset by stmt_step's start */
};

/* True when work has to stop; remembers why. About 30 ns. */
bool deadline_passed(struct deadline *d);
void deadline_install(struct conn *c);

#endif
