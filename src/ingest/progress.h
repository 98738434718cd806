/* SPDX-License-Identifier: Apache-2.0 */
/* progress: a line on a terminal that says how far an import is: rows, bytes, time left. Costs a look at the clock for
 * each batch; nothing is written more often than ten times a second, and nothing at all where there is no terminal. */
#ifndef VITRINE_INGEST_PROGRESS_H
#define VITRINE_INGEST_PROGRESS_H

#include <stdatomic.h>

#include "base/err.h"

struct progress {
    void (*show)(void *arg, const struct progress *p); /* NULL = nobody looks */
    void *arg;
    const atomic_bool *cancelled; /* the import ends with CANCELLED once it is true; NULL = never */
    const char *phase;            /* "reading", "writing" */
    uint64_t rows, position, size;
    int64_t began_us, shown_us;
};

void progress_begin(struct progress *p, const char *phase, uint64_t size);
void progress_step(struct progress *p, uint64_t rows, uint64_t position);
void progress_end(struct progress *p);
enum status progress_check(const struct progress *p, struct err *err) MUST_USE; /* CANCELLED or OK */
/* Shows on stderr when that is a terminal; else nothing. */
struct progress progress_terminal(void);

#endif
