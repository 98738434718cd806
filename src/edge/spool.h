/* SPDX-License-Identifier: Apache-2.0 */
/* spool: bodies of requests kept on disk while they pass, so that a request can be sent to another instance.
 *
 * A body goes into a file without a name in the state folder, which the kernel takes away with the last descriptor:
 * also after a kill -9 nothing is left. The bytes of all bodies together are bounded; one that finds no room (the
 * bound, a full disk, no descriptor) passes as before, only that it cannot be sent again.
 *
 * Written and read by the loop that forwards the request: both are copies to and from the page cache. Threads: the pool
 * any; a file its loop. */
#ifndef VITRINE_EDGE_SPOOL_H
#define VITRINE_EDGE_SPOOL_H

#include <stdatomic.h>

#include "edge/flow.h"

struct spool { /* of the edge */
    const char *folder;
    int64_t max; /* bytes of all files; 0 = nothing is kept */
    _Atomic int64_t bytes;
};
struct spool_file {
    struct spool *spool;
    int fd;
    int64_t n;             /* bytes of the body so far, without its framing */
    int64_t at;            /* of them sent to the present instance */
    char *block;           /* LIMIT_EDGE_BLOCK; NULL: nothing was read yet */
    struct edge_flow flow; /* where the client's framing stood when the request was taken back */
};
struct spool_file *spool_open(struct spool *s);  /* NULL: there is no room, or s is NULL */
bool spool_put(struct spool_file *f, str bytes); /* false: there is no room; the file is worthless now */
/* The next bytes, in a buffer of the file's own; n == 0: it cannot be read. Not when all were read. */
str spool_next(struct spool_file *f);
void spool_close(struct spool_file *f); /* NULL is fine */

#endif
