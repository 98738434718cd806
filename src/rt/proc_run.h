/* SPDX-License-Identifier: Apache-2.0 */
/* proc_run: another program, waited for. On a loop of its own: any thread that may block. */
#ifndef VITRINE_RT_PROC_RUN_H
#define VITRINE_RT_PROC_RUN_H

#include "base/buf.h"
#include "rt/proc.h"

/* Runs it to its end; with timeout_ms (0 = none) it is killed, with its group where it has one. output: what it wrote
 * to standard output and error, as far as it fits (the end of it is kept when it does not); NULL: it goes where ours
 * goes. OK: it exited with 0. NOT_FOUND, FORBIDDEN: there is no such program. TIMEOUT. IO: "NAME exited with 3". */
enum status proc_run(const struct proc_config *config, int64_t timeout_ms, struct buf *output,
                     struct err *err) MUST_USE;

#endif
