/* SPDX-License-Identifier: Apache-2.0 */
/* proc: child processes started clean and reaped on the loop. */
#ifndef VITRINE_RT_PROC_H
#define VITRINE_RT_PROC_H

#include <sys/types.h>

#include "base/arena.h"
#include "rt/loop.h"

struct proc;

struct proc_fd {
    int from; /* ours */
    int to;   /* the child's number */
};
struct proc_config {
    const char *path;  /* program; looked up in PATH when it has no '/' */
    char *const *argv; /* NULL-terminated; argv[0] as the child shall see it */
    char *const *envp; /* NULL-terminated; NULL = ours */
    const struct proc_fd
        *fds; /* what the child gets besides what is not close-on-exec; 0, 1, 2 are kept unless listed */
    size_t fd_count;
    const char *folder; /* where it starts; NULL = where we are */
    bool end_group;     /* with new_group: what is left of the group when the child ends is killed */
    bool new_group;     /* own process group, so that the terminal's Ctrl-C does not reach it */
};
/* Starts the child with no signal blocked or ignored, and calls on_exit(arg, wait_status) once on the loop's thread
 * when it ends (wait_status as of waitpid(2)). Returns OK, NOT_FOUND, FORBIDDEN, IO. */
enum status proc_spawn(struct loop *loop, const struct proc_config *config, void (*on_exit)(void *arg, int wait_status),
                       void *arg, struct proc **ret, struct err *err) MUST_USE;
pid_t proc_pid(const struct proc *p);
bool proc_running(const struct proc *p);
/* Watches a process that somebody else started: on_exit gets wait_status -1, for only a parent is told. NOT_FOUND: it
 * has ended, or the number now belongs to another (start_ticks as proc_start_ticks gave it). */
enum status proc_adopt(struct loop *loop, pid_t pid, uint64_t start_ticks, void (*on_exit)(void *arg, int wait_status),
                       void *arg, struct proc **ret, struct err *err) MUST_USE;
uint64_t proc_start_ticks(pid_t pid); /* when it started, in clock ticks since boot: field 22 of stat; 0 = none */
/* `count` numbers of /proc/PID/stat, from field `first` (4 or later) as proc(5) counts them. */
bool proc_stat_numbers(pid_t pid, int first, uint64_t *ret, size_t count);
/* To the whole process group of a child started with new_group, so that what a shell started is told too. */
bool proc_kill_group(struct proc *p, int signo);
bool proc_kill(struct proc *p, int signo); /* false when it has ended; never hits a reused pid */
/* Forgets the child; when it still runs it is killed and waited for (blocks for that moment). May be called from
 * on_exit. NULL is fine. */
void proc_free(struct proc *p);
/* Forgets the child and lets it run: it outlives us, or is reaped by whoever inherits it. NULL is fine. */
void proc_disown(struct proc *p);
/* Our own command line, as the kernel keeps it, NULL at its end. IO. */
enum status proc_own_arguments(struct arena *a, char ***ret, struct err *err) MUST_USE;
/* What our first argument names now (a link that points elsewhere, a replaced file); where no such file is any more,
 * the program that runs. */
const char *proc_own_program(const char *name);
/* Whether the file `path` is the very one that this process runs. False: one of them cannot be looked at. */
bool proc_compare_own(const char *path, bool *ret_same);
/* As many descriptors for this process as the system allows; returns how many it were before. */
uint64_t proc_raise_files(void);
/* The exit status by which `vitrine sandbox` says that its program was ended for lack of memory: none that a shell
 * makes of a signal. */
#define PROC_EXIT_MEMORY 250
bool proc_out_of_memory(int wait_status);
/* "exited with 3", "killed by SIGKILL" into out. */
void proc_describe(int wait_status, char *out, size_t out_size);

#endif
