/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox_root — a root of its own: a small tmpfs with what the program may see at the places where it is outside, so
 * that a path means the same on both sides.
 *
 * The order, and why:
 *  1. /proc is made first: the kernel allows a new one only where an old one can still be seen whole.
 *  2. What is to be seen is cloned (open_tree) while we still are who we were: below folders that only we may enter.
 *  3. We become the user of the space, capabilities kept: in a user namespace only a user that it knows can make files,
 *     and what is made belongs to the space.
 *  4. The tmpfs is put together, and is our root: the old one is gone, not hidden.
 *
 * Mount flags are set on the clones, with everything mounted beneath them, before anybody can see them. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/securebits.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "rt/sandbox_impl.h"

#include "base/banned.h"

#define SAFE (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

struct tree {
    int fd; /* -1: it is not there */
    bool folder;
};

static enum status clone_tree(const struct sandbox_bind *b, struct tree *t, struct err *err)
{
    static const uint64_t flags[] = {[SANDBOX_READ] = SAFE | MOUNT_ATTR_RDONLY,
                                     [SANDBOX_WRITE] = SAFE,
                                     [SANDBOX_RUN] = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_RDONLY};
    struct stat st;
    t->fd = open_tree(AT_FDCWD, b->path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    if (t->fd < 0 && b->optional && (errno == ENOENT || errno == ENOTDIR))
        return STATUS_OK;
    if (t->fd < 0 || fstat(t->fd, &st) != 0)
        return err_sys(err, STATUS_IO, errno, "cannot show '%s' to the program", b->path);
    struct mount_attr attr = {.attr_set = flags[b->kind]};
    if (S_ISCHR(st.st_mode))
        attr.attr_set &= ~(uint64_t)MOUNT_ATTR_NODEV;
    t->folder = S_ISDIR(st.st_mode);
    if (mount_setattr(t->fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof attr) != 0)
        return err_sys(err, STATUS_IO, errno, "cannot protect '%s'", b->path);
    return STATUS_OK;
}

/* A mounted file system that is nowhere yet. `options`: "size=1m", "mode=755"; NULL at the end. */
static int new_tree(const char *type, const char *const *options, unsigned attributes)
{
    int fd = -1, fs = fsopen(type, FSOPEN_CLOEXEC);
    bool ok = fs >= 0;
    for (size_t i = 0; ok && options[i]; i += 2)
        ok = fsconfig(fs, FSCONFIG_SET_STRING, options[i], options[i + 1], 0) == 0;
    if (ok && fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
        fd = fsmount(fs, FSMOUNT_CLOEXEC, attributes);
    int error = errno;
    if (fs >= 0)
        close(fs);
    errno = error;
    return fd;
}

/* The folders above, and the place itself, below the open folder `root`. */
static bool make_place(int root, const char *path, bool folder)
{
    char part[PATH_MAX];
    const char *name = path + 1;
    if (strlen(name) >= sizeof part)
        return errno = ENAMETOOLONG, false;
    for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
        snprintf(part, sizeof part, "%.*s", (int)(slash - name), name);
        if (mkdirat(root, part, 0755) != 0 && errno != EEXIST)
            return false;
    }
    if (folder)
        return mkdirat(root, name, 0755) == 0 || errno == EEXIST;
    int fd = openat(root, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444);
    if (fd >= 0)
        close(fd);
    return fd >= 0 || errno == EEXIST;
}

static enum status place(int root, int tree, const char *path, bool folder, struct err *err)
{
    if (!make_place(root, path, folder) || move_mount(tree, "", root, path + 1, MOVE_MOUNT_F_EMPTY_PATH) != 0)
        return err_sys(err, STATUS_IO, errno, "cannot put '%s' into the program's root", path);
    close(tree);
    return STATUS_OK;
}

enum status sandbox_become(uid_t id, struct err *err)
{
    if (id == (uid_t)-1)
        return STATUS_OK;
    if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) != 0 || setgroups(0, NULL) != 0 ||
        setresgid(id, id, id) != 0 || setresuid(id, id, id) != 0)
        return err_sys(err, STATUS_IO, errno, "cannot become user %u", id);
    return STATUS_OK;
}

static enum status assemble(int root, const struct sandbox_config *c, const struct sandbox_binds *all,
                            struct tree *trees, int proc, struct err *err)
{
    char size[32], inodes[32];
    snprintf(size, sizeof size, "%llu", (unsigned long long)c->tmp_bytes);
    snprintf(inodes, sizeof inodes, "%d", LIMIT_SANDBOX_TMP_FILES);
    const char *const options[] = {"mode", "1777", "size", size, "nr_inodes", inodes, NULL};
    int tmp = new_tree("tmpfs", options, SAFE);
    enum status st =
        tmp < 0 ? err_sys(err, STATUS_IO, errno, "cannot make a /tmp") : place(root, tmp, "/tmp", true, err);
    if (st == STATUS_OK && proc >= 0)
        st = place(root, proc, "/proc", true, err);
    for (size_t i = 0; i < all->count && st == STATUS_OK; i++)
        if (trees[i].fd >= 0)
            st = place(root, trees[i].fd, all->items[i].path, trees[i].folder, err);
    return st;
}

static enum status enter(int root, struct err *err)
{
    struct mount_attr closed = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
    if (fchdir(root) != 0 || syscall(SYS_pivot_root, ".", ".") != 0 || umount2(".", MNT_DETACH) != 0 ||
        chdir("/") != 0 || mount_setattr(AT_FDCWD, "/", 0, &closed, sizeof closed) != 0)
        return err_sys(err, STATUS_IO, errno, "cannot enter a root of its own");
    return STATUS_OK;
}

enum status sandbox_root_enter(const struct sandbox_config *c, const struct sandbox_binds *all, bool pids, uid_t id,
                               struct sandbox_missing *missing, struct err *err)
{
    static const char *const proc_options[] = {"hidepid", "invisible", "subset", "pid", NULL};
    static const char *const root_options[] = {"mode", "755", "size", "1m", NULL};
    struct tree *trees = mem_array(all->count, sizeof *trees);
    enum status st = STATUS_OK;
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        (mount_setattr(-1, "", 0, NULL, 0) != 0 && errno == ENOSYS)) { /* Linux 5.12 */
        sandbox_missing_add(missing, SANDBOX_NAMESPACES, "%s", strerror(errno));
        st = err_sys(err, STATUS_IO, errno, "cannot make mounts of our own");
    }
    int proc = pids ? new_tree("proc", proc_options, SAFE | MOUNT_ATTR_RDONLY) : -1;
    if (proc < 0) /* the program does without: a container hides parts of its own */
        sandbox_missing_add(missing, 0, "no /proc: %s", strerror(errno));
    for (size_t i = 0; i < all->count && st == STATUS_OK; i++)
        st = clone_tree(&all->items[i], &trees[i], err);
    if (st == STATUS_OK)
        st = sandbox_become(id, err);
    int root = st == STATUS_OK ? new_tree("tmpfs", root_options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV) : -1;
    if (st == STATUS_OK && (root < 0 || move_mount(root, "", AT_FDCWD, "/tmp", MOVE_MOUNT_F_EMPTY_PATH) != 0))
        st = err_sys(err, STATUS_IO, errno, "cannot make a root of its own");
    if (st == STATUS_OK)
        st = assemble(root, c, all, trees, proc, err);
    if (st == STATUS_OK)
        st = enter(root, err);
    free(trees);
    return st; /* descriptors are left to the end of the process or the start of the program */
}
