/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox_group — memory, processor time and processes of a space together, where cgroups are ours to make: as root on
 * version 1, in a delegated tree (systemd's Delegate=yes) on version 2. The group lies beneath the one we are in and
 * has the name of the space, so that two incarnations share its limits while one takes over from the other. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/limits.h"
#include "rt/sandbox_impl.h"

#include "base/banned.h"

#define ROOT "/sys/fs/cgroup"

enum { MEMORY, CPU, PIDS, CONTROLLERS };
static const struct {
    const char *name, *file1, *file2; /* of version 1 and 2 */
} controllers[CONTROLLERS] = {
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

/* Our own group of a controller: "9:cpu,cpuacct:/a/b" of version 1, "0::/a/b" of version 2. */
static bool own_group(str text, const char *controller, str *ret)
{
    str line, number, names, name;
    while (text.n) {
        str_cut(text, '\n', &line, &text);
        str_cut(line, ':', &number, &line);
        str_cut(line, ':', &names, &line);
        if (!*controller && !names.n) {
            *ret = line;
            return true;
        }
        while (*controller && names.n) {
            str_cut(names, ',', &name, &names);
            if (str_is(name, controller)) {
                *ret = line;
                return true;
            }
        }
    }
    return false;
}

static bool make_folder(char *path, size_t size, const char *controller, str own, const char *name)
{
    int n = snprintf(path, size, ROOT "%s%s%.*s/vitrine-%s", *controller ? "/" : "", controller,
                     own.n == 1 ? 0 : (int)own.n, own.p, name);
    if (n < 0 || (size_t)n >= size) {
        errno = ENAMETOOLONG;
        path[0] = 0;
        return false;
    }
    if (mkdir(path, 0755) == 0 || errno == EEXIST)
        return true;
    path[0] = 0;
    return false;
}

static uint64_t limit_of(const struct sandbox_config *c, int which)
{
    return which == MEMORY ? c->memory_bytes : which == CPU ? c->cpu_percent : c->processes;
}

static bool set_limit(const struct sandbox_config *c, int which, const char *folder, bool second)
{
    char text[64];
    uint64_t value = limit_of(c, which);
    if (which == CPU) /* microseconds in each 100,000 */
        snprintf(text, sizeof text, second ? "%llu 100000" : "%llu", (unsigned long long)value * 1000);
    else
        snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    return write_text(folder, second ? controllers[which].file2 : controllers[which].file1, str_of(text));
}

/* All controllers in one group. What is in our own group besides us keeps the kernel from giving them to its children;
 * whoever started us has to see to that. */
static bool make_second(const struct sandbox_config *c, struct sandbox_group *g, str own)
{
    char parent[400];
    if (snprintf(parent, sizeof parent, ROOT "%.*s", own.n == 1 ? 0 : (int)own.n, own.p) >= (int)sizeof parent)
        return false;
    (void)write_text(parent, "cgroup.subtree_control", STR("+memory +cpu +pids"));
    bool done = make_folder(g->paths[0], sizeof g->paths[0], "", own, c->name);
    for (int i = 0; i < CONTROLLERS && done; i++)
        done = !limit_of(c, i) || set_limit(c, i, g->paths[0], true);
    return done;
}

static bool make_first(const struct sandbox_config *c, struct sandbox_group *g, str groups)
{
    bool done = true;
    str own;
    for (int i = 0; i < CONTROLLERS && done; i++) {
        if (!limit_of(c, i))
            continue;
        errno = ENOENT;
        done = own_group(groups, controllers[i].name, &own) &&
               make_folder(g->paths[i], sizeof g->paths[i], controllers[i].name, own, c->name) &&
               set_limit(c, i, g->paths[i], false);
    }
    return done;
}

void sandbox_group_make(const struct sandbox_config *c, struct sandbox_group *g, struct sandbox_missing *missing)
{
    *g = (struct sandbox_group){0};
    if (!c->memory_bytes && !c->cpu_percent && !c->processes)
        return;
    struct arena *a = arena_new(0);
    str groups = {0}, own;
    bool second = access(ROOT "/cgroup.controllers", F_OK) == 0, done = false;
    if (fs_read_file("/proc/self/cgroup", 65536, a, &groups, NULL) == STATUS_OK)
        done = !second ? make_first(c, g, groups) : own_group(groups, "", &own) && make_second(c, g, own);
    if (!done) {
        sandbox_missing_add(missing, SANDBOX_CGROUP, "%s", strerror(errno));
        sandbox_group_remove(g);
        *g = (struct sandbox_group){0};
    }
    arena_free(a);
}

bool sandbox_group_add(const struct sandbox_group *g, pid_t pid)
{
    char text[24];
    bool done = true;
    snprintf(text, sizeof text, "%d", (int)pid);
    for (int i = 0; i < CONTROLLERS && done; i++)
        if (g->paths[i][0])
            done = write_text(g->paths[i], "cgroup.procs", str_of(text));
    return done;
}

void sandbox_group_remove(const struct sandbox_group *g)
{
    for (int i = 0; i < CONTROLLERS; i++)
        if (g->paths[i][0])
            (void)rmdir(g->paths[i]);
}
