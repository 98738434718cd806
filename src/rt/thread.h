/* SPDX-License-Identifier: Apache-2.0 */
/* thread: a thread that blocks all signals, with a name and a nice value. */
#ifndef VITRINE_RT_THREAD_H
#define VITRINE_RT_THREAD_H

#include <pthread.h>

#include "base/err.h"

/* name: at most 15 bytes are shown by the kernel. nice: of this thread only (Linux); 0 leaves it. A nice value that may
 * not be set is logged and ignored. Returns OK, IO. */
enum status thread_start(const char *name, int nice, void (*fn)(void *arg), void *arg, pthread_t *ret,
                         struct err *err) MUST_USE;
void thread_join(pthread_t t);
unsigned thread_cpus(void); /* cores this process may use, at least 1 */

#endif
