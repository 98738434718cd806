/* SPDX-License-Identifier: Apache-2.0 */
/* copies: the databases of a space as they are at one moment each, in a temporary folder: what is downloaded, what a
 * clone begins with. They are read inside of a sandbox by the space's own user: what somebody put there is opened by
 * nobody who could do more than the space can. What is in `data` beside databases is not copied, and `state` is not:
 * tokens and shares belong to the one space. */
#ifndef VITRINE_HUB_COPIES_H
#define VITRINE_HUB_COPIES_H

#include "codec/value.h"
#include "hub/hub.h"

struct copies_file {
    str name; /* "things.db", as in the space */
    str copy; /* name of the copy in its folder */
    int64_t bytes;
};
struct copies {
    str folder; /* DIR/copies/ID; locked while it is used */
    int lock;   /* the folder, open */
    struct copies_file *files;
    size_t count;
    int64_t bytes; /* of all */
};

/* Blocks for as long as the databases are large. CONFLICT names a database that cannot be copied. After OK:
 * copies_release. */
enum status copies_take(struct hub *h, struct arena *a, str space_id, struct copies *ret, struct err *err) MUST_USE;
void copies_release(struct copies *c); /* the folder goes; fine twice */
enum status copies_open(const struct copies *c, size_t i, int *ret_fd, struct err *err) MUST_USE;
/* All of them into a folder that nobody else writes. */
enum status copies_into(const struct copies *c, struct arena *a, str folder, struct err *err) MUST_USE;
/* Removes what a process that was killed left behind. */
void copies_sweep(struct hub *h);

/* Adds FOLDER/NAME of every database in it; at most LIMIT_HUB_DATABASES in `files`. */
enum status copies_find(struct arena *a, str folder, struct value files, struct err *err) MUST_USE;
/* A folder that the space's user owns: it writes there. */
enum status copies_give(struct hub *h, str folder, str space_id, struct err *err) MUST_USE;

#endif
