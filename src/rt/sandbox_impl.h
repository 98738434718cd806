/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox_impl: what the files of the sandbox share; nobody else includes it. All of it runs in the child between its
 * birth and the program's start, but for the cgroup, which is the parent's. */
#ifndef VITRINE_RT_SANDBOX_IMPL_H
#define VITRINE_RT_SANDBOX_IMPL_H

#include "rt/sandbox.h"

#define SANDBOX_INNER_ID 1000 /* user and group inside */
#define SANDBOX_LISTEN   3    /* the descriptor of the listening socket, as service managers give it */

struct sandbox_missing { /* what could not be had, and why: one line of the log */
    unsigned parts;
    char text[512];
};
void sandbox_missing_add(struct sandbox_missing *m, enum sandbox_part part, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* sandbox_root.c: a root of its own. In a new mount namespace, with all capabilities; becomes `id` on the way (-1:
 * stays who it is). `all`: the binds with the folder's and the system's, as sandbox_binds gave them. */
struct sandbox_binds {
    struct sandbox_bind *items;
    size_t count, cap;
};
enum status sandbox_root_enter(const struct sandbox_config *c, const struct sandbox_binds *all, bool pids, uid_t id,
                               struct sandbox_missing *missing, struct err *err) MUST_USE;
/* Becomes user and group `id`, capabilities kept. */
enum status sandbox_become(uid_t id, struct err *err) MUST_USE;
void sandbox_binds_add(struct sandbox_binds *all, const char *path, enum sandbox_bind_kind kind, bool optional);

/* sandbox_folder.c: the folders of a space are there and belong to `id` (-1: to whom they belong). */
enum status sandbox_folder_prepare(const char *folder, uid_t id, struct err *err) MUST_USE;
extern const char *const sandbox_folder_parts[]; /* what can be written; NULL at the end */

/* sandbox_lock.c: limits, Landlock, capabilities. */
enum status sandbox_lock_limits(const struct sandbox_config *c, struct err *err) MUST_USE;
void sandbox_lock_files(const struct sandbox_config *c, const struct sandbox_binds *all,
                        struct sandbox_missing *missing);
enum status sandbox_lock_capabilities(struct err *err) MUST_USE;

/* sandbox_own.c: the program that is this file, and goes on in the child. */
struct sandbox_own {
    pid_t *tid;    /* where the C library keeps the number of the thread */
    str args, env; /* where ours lie */
};
/* In the parent, of one thread. False: the system does not say, and the program has to be started like any other. */
bool sandbox_own_find(struct sandbox_own *ret);
/* `env` is the program's from now on. Descriptors, signals and rights are as they shall be. */
NORETURN void sandbox_own_start(const struct sandbox_own *o, const struct sandbox_config *c, char **env);

/* sandbox_calls.c: system calls. *ret_listener: a descriptor on which the one start of a program waits for leave, -1
 * when none is asked for (`starts` is false, config->children) or there is no seccomp. */
void sandbox_calls_lock(const struct sandbox_config *c, bool starts, int *ret_listener,
                        struct sandbox_missing *missing);
/* Lets the call that waits through: true when there was one. */
bool sandbox_calls_let_start(int listener);

#endif
