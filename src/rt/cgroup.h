/* SPDX-License-Identifier: Apache-2.0 */
/* cgroup: processes that have memory, processor time and a number of processes together. Of version 1 as root; of
 * version 2 in a tree that is ours (systemd's Delegate=yes, or a container that lets us write there). */
#ifndef VITRINE_RT_CGROUP_H
#define VITRINE_RT_CGROUP_H

#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"

struct cgroup_limits {
    uint64_t memory_bytes; /* 0 = no limit, of each */
    uint64_t cpu_percent;  /* of one processor */
    uint64_t processes;    /* with threads */
};

#define CGROUP_CONTROLLERS 3
struct cgroup {
    char paths[CGROUP_CONTROLLERS][512]; /* of version 1 one for each controller; empty = none */
    int fds[CGROUP_CONTROLLERS];         /* those folders, locked as long as somebody uses them; -1 = none */
    bool second;                         /* of version 2: paths[0] is all there is */
    uint64_t kills, shortages;           /* what was counted when it was made */
};

enum cgroup_end { CGROUP_FINE, CGROUP_FULL, CGROUP_MACHINE_FULL };

/* Version 2: puts this process, with all that are in its group, into a leaf of it, because the kernel gives no memory
 * to groups beside processes; from then on groups can be made. Removes groups that nobody uses any more. Where that was
 * done already, or nothing needs to be done, it is OK. FORBIDDEN: the tree is not ours (the hint says how it becomes
 * so); NOT_FOUND, IO. */
enum status cgroup_settle(struct err *err) MUST_USE;

/* A group of that name beneath ours, or the one that others use already under that name: its limits are then these,
 * unless it holds more memory now. *ret needs cgroup_remove. NOT_FOUND, FORBIDDEN, IO. */
enum status cgroup_make(const char *name, const struct cgroup_limits *limits, struct cgroup *ret,
                        struct err *err) MUST_USE;
#define CGROUP_NONE                                                                                                    \
    {                                                                                                                  \
        .fds = { -1, -1, -1 }                                                                                          \
    }
/* As fork(2) with flags of clone(2). The child is in the group, and with it all that it starts, or *ret_inside is false
 * there (errno is set). One thread only. */
pid_t cgroup_clone(const struct cgroup *g, unsigned long flags, bool *ret_inside);
/* Was a process in it ended for lack of memory since it was made? */
enum cgroup_end cgroup_end(const struct cgroup *g);
void cgroup_remove(struct cgroup *g); /* the group itself goes with the last that uses it */

/* The path of a controller in the text of /proc/PID/cgroup: "9:cpu,cpuacct:/a/b" of version 1, "0::/a/b" of version 2
 * (controller ""). */
bool cgroup_path(str text, const char *controller, str *ret);

#endif
