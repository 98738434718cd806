/* SPDX-License-Identifier: Apache-2.0 */
/* ledger: which ids were executed, appended to a file before the answer goes out, so that it outlives a killed process
 * and is shared by all instances of the backend. One thread at a time a process; any number of processes. */
#ifndef VITRINE_PROVE_LEDGER_H
#define VITRINE_PROVE_LEDGER_H

#include "base/buf.h"
#include "base/err.h"

struct ledger {
    int fd;
};

/* path empty: memory that dies with the process. Returns OK, NOT_FOUND, FORBIDDEN, IO. */
enum status ledger_open(str path, struct ledger *ret, struct err *err) MUST_USE;
void ledger_release(struct ledger *l);
/* Counts one execution. IO, DISK_FULL: it was not counted. */
enum status ledger_add(struct ledger *l, uint64_t run, uint64_t id, struct err *err) MUST_USE;
/* Appends the ids of a run, 8 bytes each in little endian, in the order of their execution. TOO_LARGE: out is full. */
enum status ledger_read(const struct ledger *l, uint64_t run, struct buf *out, struct err *err) MUST_USE;

#endif
