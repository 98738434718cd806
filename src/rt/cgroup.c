/* SPDX-License-Identifier: Apache-2.0 */
/* cgroup — memory, processor time and number of the processes of a space together.
 *
 * The group lies beneath the one we are in and has the name of the space, so that two incarnations share its limits
 * while one takes over from the other. Who uses a group has a shared lock on its folder; the last one removes it. A
 * folder that was removed between being found and being locked is another one by then, and is made anew.
 *
 * Version 2 gives controllers to the children of a group only while no process is in the group itself:
 *
 *   vitrine-hub.service          systemd's gift (Delegate=yes): nobody is in it
 *     vitrine.main               all that was in it: supervisor, edge, hub, who waits for spaces (cgroup_settle)
 *     vitrine-s4k2...            a space
 *     .control                   systemd's, for commands of the unit
 *
 * A tree that nobody gave us is not touched: another manager counts on being alone there. It was given when systemd
 * says so in an attribute of the folder, or when there is no systemd and nobody but us is in it (a container).
 * Memory beyond the limit is not swapped out, for that would make the disk slow for all. */
#include "rt/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fs.h"

#include "base/banned.h"

#define ROOT   "/sys/fs/cgroup"
#define LEAF   "/vitrine.main"
#define PREFIX "vitrine-"
#define ROUNDS 20 /* processes that start others while they are moved; folders that go while they are made */

enum { MEMORY, CPU, PIDS };
static const struct {
    const char *name, *file1, *file2; /* of version 1 and 2 */
} controllers[CGROUP_CONTROLLERS] = {
    [MEMORY] = {"memory", "memory.limit_in_bytes", "memory.max"},
    [CPU] = {"cpu", "cpu.cfs_quota_us", "cpu.max"},
    [PIDS] = {"pids", "pids.max", "pids.max"},
};

static bool write_text(const char *folder, const char *file, str text)
{
    char path[640];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, file) >= sizeof path)
        return false;
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool done = fd >= 0 && write(fd, text.p, text.n) == (ssize_t)text.n;
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return done;
}

static bool write_number(const char *folder, const char *file, uint64_t n)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)n);
    return write_text(folder, file, str_of(text));
}

/* "": there is no such file. */
static str read_text(struct arena *a, const char *folder, const char *file)
{
    str text = STR("");
    const char *path = arena_printf(a, "%s/%s", folder, file).p;
    return fs_read_file(path, 1 << 20, a, &text, NULL) == STATUS_OK ? text : STR("");
}

/* Of a file that holds one number (key ""), or lines "KEY NUMBER"; 0: it does not say. */
static uint64_t read_number(const char *folder, const char *file, const char *key)
{
    struct arena *a = arena_new_small();
    str text = read_text(a, folder, file), line, name, rest;
    uint64_t n = 0;
    while (text.n) {
        str_cut(text, '\n', &line, &text);
        if (*key)
            str_cut(line, ' ', &name, &rest);
        else
            name = STR(""), rest = line;
        if (str_is(name, key) && str_to_u64(str_trim(rest), &n))
            break;
    }
    arena_free(a);
    return n;
}

bool cgroup_path(str text, const char *controller, str *ret)
{
    str line, number, names, name;
    while (text.n) {
        str_cut(text, '\n', &line, &text);
        str_cut(line, ':', &number, &line);
        str_cut(line, ':', &names, &line);
        bool found = !*controller && !names.n && str_is(number, "0");
        while (*controller && names.n && !found) {
            str_cut(names, ',', &name, &names);
            found = str_is(name, controller);
        }
        if (found && str_starts(line, STR("/")) &&
            !str_starts(line, STR("/.."))) { /* "/..": not to be seen from here */
            *ret = line.n == 1 ? STR("") : line;
            return true;
        }
    }
    return false;
}

static enum status own_path(struct arena *a, const char *controller, str *ret, struct err *err)
{
    str text;
    enum status st = fs_read_file("/proc/self/cgroup", 65536, a, &text, err);
    if (st == STATUS_OK && !cgroup_path(text, controller, ret))
        st = err_set(err, STATUS_NOT_FOUND, "no group of ours is to be seen");
    return st;
}

static bool is_second(void)
{
    return access(ROOT "/cgroup.controllers", F_OK) == 0;
}

/* ---- a tree of ours (version 2) ---- */

/* Where groups are made: our own group, or the one above when we are in its leaf already. */
static enum status find_base(struct arena *a, const char **ret_base, bool *ret_settled, struct err *err)
{
    str own = {0};
    enum status st = own_path(a, "", &own, err);
    if (st != STATUS_OK)
        return st;
    *ret_settled = str_ends(own, STR(LEAF));
    if (*ret_settled)
        own = str_sub(own, 0, own.n - (sizeof LEAF - 1));
    *ret_base = arena_printf(a, ROOT "%.*s", STR_ARG(own)).p;
    return STATUS_OK;
}

static bool is_given(struct arena *a, const char *base)
{
    static const char *const names[] = {"user.delegate", "trusted.delegate"};
    char value[4];
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (getxattr(base, names[i], value, sizeof value) == 1 && value[0] == '1')
            return true;
    return access("/run/systemd/system", F_OK) != 0 &&
           str_eq(str_trim(read_text(a, base, "cgroup.procs")), arena_printf(a, "%d", (int)getpid()));
}

/* All that the kernel has to give. */
static bool give_controllers(struct arena *a, const char *base)
{
    str have = read_text(a, base, "cgroup.controllers"), given = read_text(a, base, "cgroup.subtree_control"), name;
    while (have.n) {
        str_cut(str_trim(have), ' ', &name, &have);
        bool wanted = false, there = false;
        for (int i = 0; i < CGROUP_CONTROLLERS; i++)
            wanted = wanted || str_is(name, controllers[i].name);
        for (str rest = given, one; rest.n && wanted;) {
            str_cut(str_trim(rest), ' ', &one, &rest);
            there = there || str_eq(one, name);
        }
        if (wanted && !there && !write_text(base, "cgroup.subtree_control", ARENA_CAT(a, STR("+"), name)))
            return false;
    }
    return true;
}

/* False: somebody cannot be moved, or is never done starting others. A process that ended meanwhile is nobody. */
static bool move_all(struct arena *a, const char *base, const char *leaf)
{
    for (int round = 0; round < ROUNDS; round++) {
        str list = str_trim(read_text(a, base, "cgroup.procs")), pid;
        if (!list.n)
            return true;
        while (list.n) {
            str_cut(list, '\n', &pid, &list);
            if (!write_text(leaf, "cgroup.procs", pid) && errno != ESRCH)
                return false;
        }
    }
    errno = EBUSY;
    return false;
}

static enum status settle(struct arena *a, const char *base, bool settled, struct err *err)
{
    const char *leaf = arena_printf(a, "%s" LEAF, base).p;
    bool top = access(arena_printf(a, "%s/cgroup.type", base).p, F_OK) != 0; /* the machine's own: it may have both */
    if (!settled && !top && !is_given(a, base)) {
        err_set(err, STATUS_FORBIDDEN, "this tree belongs to another manager");
        return err_hint(err, "Let systemd give one: Delegate=yes in the unit, or systemd-run --scope -p Delegate=yes.");
    }
    if (!settled && !top && mkdir(leaf, 0755) != 0 && errno != EEXIST)
        return err_sys(err, STATUS_IO, errno, "no group can be made");
    for (int round = 0; round < ROUNDS; round++) {
        if (!top && !settled && !move_all(a, base, leaf))
            return err_sys(err, STATUS_IO, errno, "processes cannot be put aside");
        if (give_controllers(a, base))
            return STATUS_OK;
        if (errno != EBUSY || settled || top) /* EBUSY: one was started there meanwhile */
            break;
    }
    return err_sys(err, STATUS_IO, errno, "no limits can be given to groups");
}

/* Groups of nobody: whoever should have removed them was killed. */
static void sweep(struct arena *a, const char *base)
{
    DIR *dir = opendir(base);
    struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        if (!str_starts(str_of(entry->d_name), STR(PREFIX)))
            continue;
        const char *path = arena_printf(a, "%s/%s", base, entry->d_name).p;
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
            (void)rmdir(path);
        if (fd >= 0)
            close(fd);
    }
    if (dir)
        (void)closedir(dir);
}

enum status cgroup_settle(struct err *err)
{
    if (!is_second())
        return STATUS_OK;
    struct arena *a = arena_new(0);
    const char *base = NULL;
    bool settled = false;
    enum status st = find_base(a, &base, &settled, err);
    if (st == STATUS_OK)
        st = settle(a, base, settled, err);
    if (st == STATUS_OK)
        sweep(a, base);
    arena_free(a);
    return st;
}

/* ---- groups ---- */

/* The folder, with a lock that says it is used. */
static bool open_folder(const char *path, int *ret_fd)
{
    for (int round = 0; round < ROUNDS; round++) {
        struct stat ours, there;
        if (mkdir(path, 0755) != 0 && errno != EEXIST)
            return false;
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 && errno != ENOENT)
            return false;
        if (fd < 0)
            continue;
        if (flock(fd, LOCK_SH) == 0 && fstat(fd, &ours) == 0 && stat(path, &there) == 0 &&
            ours.st_ino == there.st_ino) {
            *ret_fd = fd;
            return true;
        }
        close(fd);
    }
    errno = EBUSY;
    return false;
}

static bool make_folder(struct cgroup *g, int which, const char *parent, const char *name)
{
    char *path = g->paths[which];
    int n = snprintf(path, sizeof g->paths[which], "%s/" PREFIX "%s", parent, name);
    bool fits = n > 0 && (size_t)n < sizeof g->paths[which];
    if (!fits)
        errno = ENAMETOOLONG;
    if (fits && open_folder(path, &g->fds[which]))
        return true;
    path[0] = 0;
    return false;
}

/* What more than the new limit has already would be ended at once, requests and all: the next start is under it. */
static bool holds_more(const struct cgroup *g, uint64_t bytes)
{
    return read_number(g->paths[MEMORY], g->second ? "memory.current" : "memory.usage_in_bytes", "") > bytes;
}

static bool limit_memory(const struct cgroup *g, uint64_t bytes)
{
    const char *folder = g->paths[MEMORY];
    if (!g->second)
        return holds_more(g, bytes) || write_number(folder, controllers[MEMORY].file1, bytes);
    if (!bytes) /* one before us may have had a limit; where there is no such file there is none */
        return write_text(folder, "memory.max", STR("max")) || errno == ENOENT;
    if (holds_more(g, bytes))
        return true;
    /* Under pressure a while before it is too late: what can be read again is let go first. */
    (void)write_number(folder, "memory.high", bytes - bytes / 16);
    (void)write_number(folder, "memory.swap.max", 0);
    return write_number(folder, "memory.max", bytes);
}

static bool limit_cpu(const struct cgroup *g, uint64_t percent)
{
    char text[48]; /* microseconds in each 100,000 */
    if (!g->second)
        return write_number(g->paths[CPU], controllers[CPU].file1, percent * 1000);
    if (!percent)
        return write_text(g->paths[0], "cpu.max", STR("max")) || errno == ENOENT;
    (void)snprintf(text, sizeof text, "%llu 100000", (unsigned long long)percent * 1000);
    return write_text(g->paths[0], "cpu.max", str_of(text));
}

static bool limit_processes(const struct cgroup *g, uint64_t n)
{
    const char *folder = g->paths[g->second ? 0 : PIDS];
    return n ? write_number(folder, "pids.max", n) : write_text(folder, "pids.max", STR("max")) || errno == ENOENT;
}

static uint64_t limit_of(const struct cgroup_limits *l, int which)
{
    return which == MEMORY ? l->memory_bytes : which == CPU ? l->cpu_percent : l->processes;
}

static bool set_limit(const struct cgroup *g, const struct cgroup_limits *l, int which)
{
    return which == MEMORY ? limit_memory(g, l->memory_bytes)
           : which == CPU  ? limit_cpu(g, l->cpu_percent)
                           : limit_processes(g, l->processes);
}

static enum status make_second(struct arena *a, const char *name, const struct cgroup_limits *l, struct cgroup *g,
                               struct err *err)
{
    const char *base = NULL;
    bool settled = false;
    enum status st = find_base(a, &base, &settled, err);
    if (st == STATUS_OK)
        st = settle(a, base, settled, err);
    if (st == STATUS_OK && !make_folder(g, 0, base, name))
        st = err_sys(err, STATUS_IO, errno, "no group can be made");
    for (int i = 0; i < CGROUP_CONTROLLERS && st == STATUS_OK; i++)
        if (!set_limit(g, l, i))
            st = err_sys(err, STATUS_IO, errno, "no limit of %s", controllers[i].name);
    return st;
}

static enum status make_first(struct arena *a, const char *name, const struct cgroup_limits *l, struct cgroup *g,
                              struct err *err)
{
    str own = {0};
    enum status st = STATUS_OK;
    for (int i = 0; i < CGROUP_CONTROLLERS && st == STATUS_OK; i++) {
        if (!limit_of(l, i))
            continue;
        st = own_path(a, controllers[i].name, &own, err);
        const char *parent = arena_printf(a, ROOT "/%s%.*s", controllers[i].name, STR_ARG(own)).p;
        if (st == STATUS_OK && (!make_folder(g, i, parent, name) || !set_limit(g, l, i)))
            st = err_sys(err, STATUS_IO, errno, "no limit of %s", controllers[i].name);
    }
    return st;
}

/* Processes that were ended, and how often the limit was in the way (version 1 does not tell apart whose it was). */
static uint64_t kills(const struct cgroup *g)
{
    return g->paths[0][0] ? read_number(g->paths[0], g->second ? "memory.events" : "memory.oom_control", "oom_kill")
                          : 0;
}

static uint64_t shortages(const struct cgroup *g)
{
    return g->second ? read_number(g->paths[0], "memory.events", "oom") : kills(g);
}

enum status cgroup_make(const char *name, const struct cgroup_limits *limits, struct cgroup *ret, struct err *err)
{
    struct cgroup g = CGROUP_NONE;
    struct arena *a = arena_new(0);
    g.second = is_second();
    enum status st = g.second ? make_second(a, name, limits, &g, err) : make_first(a, name, limits, &g, err);
    arena_free(a);
    if (st != STATUS_OK) {
        cgroup_remove(&g);
        return st;
    }
    g.kills = kills(&g);
    g.shortages = shortages(&g);
    *ret = g;
    return STATUS_OK;
}

struct clone3_args { /* struct clone_args of linux/sched.h, which cannot be included beside sched.h */
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};
#define INTO_CGROUP UINT64_C(0x200000000) /* CLONE_INTO_CGROUP, Linux 5.7 */

/* A process that moves itself while it is its only thread waits for nobody; one that is moved by another waits, with
 * all who make groups meanwhile, until the kernel knows that no processor is just starting a thread: 4 to 20 ms.
 * Version 2 has no file for one thread alone, but such kernels take a process that is born there. */
static bool open_doors(const struct cgroup *g, int doors[CGROUP_CONTROLLERS])
{
    bool done = true;
    for (int i = 0; i < CGROUP_CONTROLLERS; i++)
        doors[i] = g->fds[i] < 0 ? -1 : openat(g->fds[i], g->second ? "cgroup.procs" : "tasks", O_WRONLY | O_CLOEXEC);
    for (int i = 0; i < CGROUP_CONTROLLERS; i++)
        done = done && (g->fds[i] < 0 || doors[i] >= 0);
    return done;
}

static bool enter(const int doors[CGROUP_CONTROLLERS])
{
    bool done = true;
    for (int i = 0; i < CGROUP_CONTROLLERS && done; i++)
        done = doors[i] < 0 || write(doors[i], "0", 1) == 1; /* 0: whoever writes it */
    return done;
}

pid_t cgroup_clone(const struct cgroup *g, unsigned long flags, bool *ret_inside)
{
    int doors[CGROUP_CONTROLLERS];
    *ret_inside = true;
    if (g->second && g->fds[0] >= 0) {
        struct clone3_args args = {.flags = flags | INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (uint64_t)g->fds[0]};
        pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
        if (pid >= 0)
            return pid;
    }
    bool open = open_doors(g, doors); /* by us: the child may be somebody else in a moment */
    pid_t pid = (pid_t)syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid == 0)
        *ret_inside = open && enter(doors);
    int error = errno;
    for (int i = 0; i < CGROUP_CONTROLLERS; i++)
        if (doors[i] >= 0)
            close(doors[i]);
    errno = error;
    return pid;
}

enum cgroup_end cgroup_end(const struct cgroup *g)
{
    return kills(g) == g->kills ? CGROUP_FINE : shortages(g) == g->shortages ? CGROUP_MACHINE_FULL : CGROUP_FULL;
}

void cgroup_remove(struct cgroup *g)
{
    for (int i = 0; i < CGROUP_CONTROLLERS; i++) {
        if (g->fds[i] < 0)
            continue;
        if (flock(g->fds[i], LOCK_EX | LOCK_NB) == 0)
            (void)rmdir(g->paths[i]);
        close(g->fds[i]);
        g->fds[i] = -1;
        g->paths[i][0] = 0;
    }
}
