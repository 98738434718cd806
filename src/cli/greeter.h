/* SPDX-License-Identifier: Apache-2.0 */
/* greeter: answers on the listening socket while the databases are still being opened. */
#ifndef VITRINE_CLI_GREETER_H
#define VITRINE_CLI_GREETER_H

#include "base/err.h"

struct greeter;

/* From LIMIT_GREET_AFTER_MS on, in a thread of its own: 503 with Retry-After to everybody, 200 to /-/health. Before
 * that, and when no thread can be had (NULL), clients wait in the backlog. The descriptor stays the caller's. */
struct greeter *greeter_new(int listen_fd) MUST_USE;
/* The connection that is being answered is still answered; no other one is taken. Does not wait; NULL is fine. */
void greeter_stop(struct greeter *g);
void greeter_free(struct greeter *g); /* waits for it; NULL is fine */

#endif
