/* SPDX-License-Identifier: Apache-2.0 */
#include "rt/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "rt/signal.h"

struct proc {
    struct loop *loop;
    struct loop_fd *watch;
    pid_t pid;
    bool end_group;
    bool adopted; /* not our child: nothing to wait for */
    int pidfd;    /* -1 once reaped: names this child and no other, whatever becomes of its number */
    void (*on_exit)(void *arg, int wait_status);
    void *arg;
};

static int reap(struct proc *p)
{
    int wait_status = p->adopted ? -1 : 0;
    if (p->end_group) /* while the leader is not waited for, its number is the group's and nobody else's */
        kill(-p->pid, SIGKILL);
    while (!p->adopted && waitpid(p->pid, &wait_status, 0) < 0 && errno == EINTR)
        ;
    loop_remove_fd(p->loop, p->watch);
    close(p->pidfd);
    p->watch = NULL;
    p->pidfd = -1;
    return wait_status;
}

static void on_end(void *arg, unsigned events)
{
    struct proc *p = arg;
    (void)events;
    int wait_status = reap(p);
    p->on_exit(p->arg, wait_status); /* may free p */
}

/* Copies of the descriptors above all target numbers, so that no dup2 in the child overwrites a source still needed. */
static enum status lift_fds(const struct proc_config *c, int *lifted, struct err *err)
{
    int above = 3;
    for (size_t i = 0; i < c->fd_count; i++)
        above = MAX(above, c->fds[i].to + 1);
    for (size_t i = 0; i < c->fd_count; i++) {
        lifted[i] = fcntl(c->fds[i].from, F_DUPFD_CLOEXEC, above);
        if (lifted[i] >= 0)
            continue;
        enum status st = err_sys(err, STATUS_IO, errno, "cannot hand descriptor %d to '%s'", c->fds[i].from, c->path);
        while (i > 0)
            close(lifted[--i]);
        return st;
    }
    return STATUS_OK;
}

static int spawn(const struct proc_config *c, const int *lifted, pid_t *ret_pid)
{
    posix_spawnattr_t attr;
    posix_spawn_file_actions_t actions;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(&attr);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    posix_spawnattr_setpgroup(&attr, 0);
    posix_spawnattr_setflags(
        &attr, (short)(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | (c->new_group ? POSIX_SPAWN_SETPGROUP : 0)));
    int rc = 0;
    for (size_t i = 0; i < c->fd_count && rc == 0; i++)
        rc = posix_spawn_file_actions_adddup2(&actions, lifted[i], c->fds[i].to);
    if (rc == 0 && c->folder)
        rc = posix_spawn_file_actions_addchdir_np(&actions, c->folder);
    if (rc == 0)
        rc = posix_spawnp(ret_pid, c->path, &actions, &attr, c->argv, c->envp ? c->envp : environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    return rc;
}

enum status proc_spawn(struct loop *loop, const struct proc_config *c, void (*on_exit)(void *arg, int wait_status),
                       void *arg, struct proc **ret, struct err *err)
{
    int lifted[LIMIT_PROC_FDS];
    if (c->fd_count > LIMIT_PROC_FDS)
        return err_set(err, STATUS_INVALID, "cannot hand %zu descriptors to a child, at most %d", c->fd_count,
                       LIMIT_PROC_FDS);
    enum status st = lift_fds(c, lifted, err);
    if (st != STATUS_OK)
        return st;
    pid_t pid = -1;
    int rc = spawn(c, lifted, &pid);
    for (size_t i = 0; i < c->fd_count; i++)
        close(lifted[i]);
    if (rc != 0)
        return err_sys(err, STATUS_IO, rc, "cannot start '%s'", c->path);

    struct proc *p = mem_alloc(sizeof(*p));
    *p = (struct proc){
        .loop = loop, .pid = pid, .end_group = c->new_group && c->end_group, .on_exit = on_exit, .arg = arg};
    p->pidfd = (int)syscall(SYS_pidfd_open, pid, 0); /* close-on-exec by itself */
    st = p->pidfd < 0 ? err_sys(err, STATUS_IO, errno, "cannot watch process %d ('%s')", (int)pid, c->path)
                      : loop_add_fd(loop, p->pidfd, LOOP_READ, on_end, p, &p->watch, err);
    if (st != STATUS_OK) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        if (p->pidfd >= 0)
            close(p->pidfd);
        free(p);
        return st;
    }
    *ret = p;
    return STATUS_OK;
}

/* What follows the name, from field 3 on: the name, in brackets, may hold anything. */
static bool read_stat(pid_t pid, char *space, size_t size, str *ret)
{
    char path[48];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, space, size - 1);
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return false;
    str text = str_make(space, (size_t)n);
    *ret = str_from(text, str_rfind_char(text, ')') + 2);
    return true;
}

static bool take_numbers(str rest, int first, uint64_t *ret, size_t count)
{
    str field;
    for (int i = 3; i < first; i++)
        str_cut(rest, ' ', &field, &rest);
    for (size_t i = 0; i < count; i++) {
        str_cut(rest, ' ', &field, &rest);
        if (!str_to_u64(field, &ret[i]))
            return false;
    }
    return true;
}

bool proc_stat_numbers(pid_t pid, int first, uint64_t *ret, size_t count)
{
    char space[1024];
    str rest;
    return read_stat(pid, space, sizeof(space), &rest) && take_numbers(rest, first, ret, count);
}

uint64_t proc_start_ticks(pid_t pid)
{
    char space[1024];
    str rest;
    uint64_t ticks = 0;
    if (!read_stat(pid, space, sizeof(space), &rest) || str_starts(rest, STR("Z"))) /* ended, waits for its parent */
        return 0;
    return take_numbers(rest, 22, &ticks, 1) ? ticks : 0;
}

enum status proc_adopt(struct loop *loop, pid_t pid, uint64_t start_ticks, void (*on_exit)(void *arg, int wait_status),
                       void *arg, struct proc **ret, struct err *err)
{
    struct proc *p = mem_alloc(sizeof(*p));
    *p = (struct proc){.loop = loop, .pid = pid, .adopted = true, .on_exit = on_exit, .arg = arg};
    p->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    enum status st = STATUS_OK;
    /* Looked at after the descriptor is there: from then on the number names this process. */
    if (p->pidfd < 0 || !start_ticks || proc_start_ticks(pid) != start_ticks)
        st = err_set(err, STATUS_NOT_FOUND, "process %d has ended", (int)pid);
    else
        st = loop_add_fd(loop, p->pidfd, LOOP_READ, on_end, p, &p->watch, err);
    if (st != STATUS_OK) {
        if (p->pidfd >= 0)
            close(p->pidfd);
        free(p);
        return st;
    }
    *ret = p;
    return STATUS_OK;
}

pid_t proc_pid(const struct proc *p)
{
    return p->pid;
}

bool proc_running(const struct proc *p)
{
    return p->pidfd >= 0;
}

bool proc_kill(struct proc *p, int signo)
{
    return p->pidfd >= 0 && syscall(SYS_pidfd_send_signal, p->pidfd, signo, NULL, 0) == 0;
}

bool proc_kill_group(struct proc *p, int signo)
{
    /* While the leader is not reaped its number is taken, so the group is still its own. */
    return p->pidfd >= 0 && (kill(-p->pid, signo) == 0 || proc_kill(p, signo));
}

void proc_free(struct proc *p)
{
    if (!p)
        return;
    if (p->pidfd >= 0) {
        proc_kill(p, SIGKILL);
        (void)reap(p);
    }
    free(p);
}

void proc_disown(struct proc *p)
{
    if (!p)
        return;
    if (p->pidfd >= 0) {
        loop_remove_fd(p->loop, p->watch);
        close(p->pidfd);
    }
    free(p);
}

enum status proc_own_arguments(struct arena *a, char ***ret, struct err *err)
{
    str text, one;
    VEC(char *) argv = {0};
    enum status st = fs_read_file("/proc/self/cmdline", (size_t)LIMIT_UPGRADE_ARGUMENTS, a, &text, err);
    while (st == STATUS_OK && text.n) {
        str_cut(text, '\0', &one, &text);
        VEC_PUSH(a, &argv, arena_cstr(a, one));
    }
    if (st == STATUS_OK && !argv.count)
        st = err_set(err, STATUS_IO, "this process has no command line");
    VEC_PUSH(a, &argv, NULL);
    *ret = argv.items;
    return st;
}

const char *proc_own_program(const char *name)
{
    bool is_path = strchr(name, '/') != NULL;
    return is_path && access(name, X_OK) != 0 ? "/proc/self/exe" : name;
}

bool proc_compare_own(const char *path, bool *ret_same)
{
    struct stat theirs, ours;
    if (stat(path, &theirs) != 0 || stat("/proc/self/exe", &ours) != 0)
        return false;
    *ret_same = theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino;
    return true;
}

uint64_t proc_raise_files(void)
{
    struct rlimit l = {0};
    if (getrlimit(RLIMIT_NOFILE, &l) != 0)
        return 0;
    uint64_t before = l.rlim_cur;
    if (l.rlim_cur < l.rlim_max) {
        l.rlim_cur = l.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &l);
    }
    return before;
}

bool proc_out_of_memory(int wait_status)
{
    return WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == PROC_EXIT_MEMORY;
}

void proc_describe(int wait_status, char *out, size_t out_size)
{
    if (WIFSIGNALED(wait_status))
        snprintf(out, out_size, "killed by %s (%d)", signal_name(WTERMSIG(wait_status)), WTERMSIG(wait_status));
    else if (proc_out_of_memory(wait_status))
        snprintf(out, out_size, "ended for lack of memory");
    else
        snprintf(out, out_size, "exited with %d", WEXITSTATUS(wait_status));
}
