/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox: runs a program that sees its own folder and nothing else: namespaces, a root of its own, Landlock, seccomp,
 * limits. It blocks until the program ends. One thread, before any other is started. */
#ifndef VITRINE_RT_SANDBOX_H
#define VITRINE_RT_SANDBOX_H

#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"

enum sandbox_part { /* what a kernel, a container or an administrator may have taken away */
                    SANDBOX_NAMESPACES = 1,
                    SANDBOX_LANDLOCK = 2,
                    SANDBOX_SECCOMP = 4,
                    SANDBOX_CGROUP = 8,
};
#define SANDBOX_PARTS 4
const char *sandbox_part_name(enum sandbox_part part); /* "namespaces" */

enum sandbox_bind_kind { SANDBOX_READ, SANDBOX_WRITE, SANDBOX_RUN }; /* RUN: read, and it may be a program */

struct sandbox_bind {
    const char *path; /* absolute; it has the same name inside */
    enum sandbox_bind_kind kind;
    bool optional; /* where it is not there, it is not there inside */
};

struct sandbox_config {
    const char *program;               /* absolute path of an ELF file */
    char *const *argv;                 /* NULL at the end */
    int (*own)(int argc, char **argv); /* what `program` does, when it is the very file that we are: it is called
                                          instead of started, where that can be done; NULL = another file */
    char *const *envp; /* NULL at the end: all that the program gets, but for LISTEN_PID and LISTEN_FDS */
    const struct sandbox_bind *binds;
    size_t bind_count;
    const char *folder; /* a space: itself is read only, data/, state/ and outbox/ (made where missing) can be written;
                           NULL = none */
    const char *name;   /* of the host inside, and of the cgroup */
    const char *listen; /* path of a Unix socket that is made and given to the program; NULL = none */
    uid_t user_id;      /* as root: who the program is outside; the folder's files are given to it */
    bool network;       /* the network of the machine */
    bool children;      /* it may start processes and other programs */
    unsigned require;   /* parts without which it is not run */
    uint64_t memory_bytes, file_bytes, tmp_bytes;
    uint64_t cpu_percent; /* of one core; 0 = no limit */
    uint64_t processes;   /* with threads */
    uint64_t files;       /* open descriptors */
};

/* Runs the program to its end: *ret_exit is its exit status, or 128 and the signal that ended it. SIGTERM, SIGINT,
 * SIGHUP, SIGQUIT, SIGUSR1 and SIGUSR2 are passed on; when this process dies, so does all that it started. What was
 * not to be had is logged in one line. NOT_FOUND, FORBIDDEN, CONFIG (a part that is required is missing; the hint says
 * what to do), IO. */
enum status sandbox_run(const struct sandbox_config *config, int *ret_exit, struct err *err) MUST_USE;

/* Whether a process may have namespaces and mounts of its own here; a container's filter, or a kernel, may refuse them,
 * and then programs see the machine's paths. Forks; before other children are waited for. */
bool sandbox_has_namespaces(void);

/* As root: all in the folder, then the folder itself, is that user's from now on; no link is followed. IO. */
enum status sandbox_give(const char *folder, uid_t id, struct err *err) MUST_USE;

#endif
