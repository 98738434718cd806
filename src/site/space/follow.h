/* SPDX-License-Identifier: Apache-2.0 */
/* follow: the file space.json, read again within a second after it changed. inotify tells at once; a look once a
 * second sees what it misses. Read on a worker; a file that cannot be read or makes no sense is a line in the log, and
 * what was known stays. */
#ifndef VITRINE_SITE_SPACE_FOLLOW_H
#define VITRINE_SITE_SPACE_FOLLOW_H

#include "rt/loop.h"
#include "rt/pool.h"
#include "site/space/space.h"

struct space_follow;

struct space_follow_config {
    struct loop *loop;
    struct pool *pool;
    unsigned lane;
    str path; /* of the cell */
    struct space_cell *cell;
    /* After each change, on the loop's thread; `settings`: limits that the configuration takes part in changed. */
    void (*changed)(void *arg, bool settings);
    void *arg;
};

/* Loop's thread, as all below. */
struct space_follow *space_follow_new(const struct space_follow_config *c) MUST_USE;
void space_follow_free(struct space_follow *f); /* the pool is stopped; NULL is fine */

#endif
