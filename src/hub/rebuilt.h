/* SPDX-License-Identifier: Apache-2.0 */
/* rebuilt: a whole hub made of its backups, on a machine where there is none: `vitrine hub restore --from`. */
#ifndef VITRINE_HUB_REBUILT_H
#define VITRINE_HUB_REBUILT_H

#include "hub/hub.h"

struct rebuilt_options {
    str from;  /* the folder of all backups: FROM/hub, FROM/ID */
    str keys;  /* the file that `vitrine hub keys --save` wrote; empty: there is none */
    str at;    /* as backup_find has it; empty: the newest */
    bool lost; /* the keys are lost: new ones */
    /* After each space: `why` is NULL when it came back; taken: of when it is. */
    void (*say)(void *arg, str space, str taken, const struct err *why);
    void *arg;
};
struct rebuilt_report {
    str origin, taken;      /* of the hub; taken: of when it is */
    int64_t spaces, failed; /* that came back; that did not, each was told */
    int64_t versions;       /* spaces whose program is not on this machine: they run this one */
    bool settings;          /* hub.yaml came back too */
};
/* DIR becomes the hub. What is there may be a hub that nobody has used yet: its hub.yaml stays. OK although spaces
 * failed: look at *ret. CONFLICT: a hub with people, or one that runs, is there, or the keys are those of another hub.
 * NOT_FOUND: no backups of a hub, or no hub.yaml. Run again after it was interrupted. Blocks for long. */
enum status rebuilt_from(struct arena *a, str dir, const struct rebuilt_options *o, struct rebuilt_report *ret,
                         struct err *err) MUST_USE;

#endif
