/* SPDX-License-Identifier: Apache-2.0 */
/* changes: did anything change in these folders? Asked for, not told: no loop, no callback, one system call. For
 * watching with a loop see watch. Threads: one at a time. */
#ifndef VITRINE_RT_CHANGES_H
#define VITRINE_RT_CHANGES_H

#include "base/err.h"

struct changes;

/* IO: the system has no more watch queues (fs.inotify.max_user_instances). */
enum status changes_new(struct changes **ret, struct err *err) MUST_USE;
void changes_free(struct changes *c); /* NULL is fine */
/* Entries of that folder from now on: written, made, renamed, removed, new mode; not of folders below it. Adding a
 * folder again is fine; one that goes away is forgotten. False: it cannot be watched (gone, or no watches left). */
bool changes_add(struct changes *c, const char *folder);
/* True when something changed since the last call. A change is there before the system call that made it returns. */
bool changes_any(struct changes *c);

#endif
