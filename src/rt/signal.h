/* SPDX-License-Identifier: Apache-2.0 */
/* signal: process signals as calls on the loop's thread, through one signalfd. */
#ifndef VITRINE_RT_SIGNAL_H
#define VITRINE_RT_SIGNAL_H

#include "rt/loop.h"

struct signal_source;

/* Blocks SIGINT SIGTERM SIGHUP SIGUSR1 SIGUSR2 SIGCHLD in the calling thread, ignores SIGPIPE, and calls fn(arg, signo,
 * sender_pid) for each one. Call it before any other thread starts: later threads inherit the blocked set. sender_pid
 * is 0 when the kernel sent it (the terminal). Same-numbered signals that arrive together are delivered once, as
 * always. Returns OK, IO. Threads: the loop's. */
enum status signal_source_new(struct loop *loop, void (*fn)(void *arg, int signo, int sender_pid), void *arg,
                              struct signal_source **ret, struct err *err) MUST_USE;
/* Puts the old mask and the old SIGPIPE action back. NULL is fine. Also from inside fn. */
void signal_source_free(struct signal_source *s);
const char *signal_name(int signo); /* "SIGTERM"; "signal" for an unknown one */

#endif
