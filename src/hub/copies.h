/* SPDX-License-Identifier: Apache-2.0 */
/* copies: what a space's folder `data` holds at one moment, in a temporary folder: what is downloaded, what a clone
 * begins with. It is read inside of a sandbox by the space's own user: what somebody put there is opened by nobody who
 * could do more than the space can. `state` is not copied: tokens and shares belong to the one space. */
#ifndef VITRINE_HUB_COPIES_H
#define VITRINE_HUB_COPIES_H

#include "hub/hub.h"
#include "replicate/tree.h"

struct copies {
    str folder; /* DIR/copies/ID-N; locked while it is used */
    int lock;   /* the folder, open */
    int shelf;  /* FOLDER/files, open: the contents lie there */
    struct tree tree;
};

/* Blocks for as long as the databases are large. CONFLICT names a database that cannot be copied; RATE: there are
 * LIMIT_HUB_COPIES of the space. After OK: copies_release. */
enum status copies_take(struct hub *h, struct arena *a, str space_id, struct copies *ret, struct err *err) MUST_USE;
void copies_release(struct copies *c); /* the folder goes; fine twice */
/* The bytes of tree.entries[i], to be read and closed by the caller. */
enum status copies_open(const struct copies *c, size_t i, int *ret_fd, struct err *err) MUST_USE;
/* All of them into an empty folder that nobody else writes. */
enum status copies_into(const struct copies *c, struct arena *a, str folder, struct err *err) MUST_USE;
/* Removes what a process that was killed left behind. */
void copies_sweep(struct hub *h);

/* The folder, with what was put into it by others (a backup that was copied here), becomes the space's user's. */
enum status copies_give(struct hub *h, str folder, str space_id, struct err *err) MUST_USE;

#endif
