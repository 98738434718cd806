/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"

enum status fs_open(const char *path, int flags, mode_t mode, int *ret_fd, struct err *err)
{
    int fd;
    do
        fd = open(path, flags | O_CLOEXEC | O_NOCTTY, mode);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return err_sys(err, STATUS_IO, errno, "cannot open '%s'", path);
    *ret_fd = fd;
    return STATUS_OK;
}

/* size: -1 = not known */
static enum status too_large(const char *name, long long size, size_t max_bytes, struct err *err)
{
    if (size < 0)
        err_set(err, STATUS_TOO_LARGE, "cannot read '%s': more than %zu bytes", name, max_bytes);
    else
        err_set(err, STATUS_TOO_LARGE, "cannot read '%s': it has %lld bytes, at most %zu are taken", name, size,
                max_bytes);
    return err_hint(err, "Is it the right file? If so, make it smaller.");
}

enum status fs_read_fd(int fd, const char *name, size_t max_bytes, struct arena *a, str *ret, struct err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return err_sys(err, STATUS_IO, errno, "cannot read '%s'", name);
    if (S_ISDIR(st.st_mode))
        return err_set(err, STATUS_INVALID, "cannot read '%s': it is a folder, a file is wanted", name);
    bool regular = S_ISREG(st.st_mode);
    if (regular && (uint64_t)st.st_size > max_bytes)
        return too_large(name, (long long)st.st_size, max_bytes, err);
    /* The size is a guess (the file may grow, /proc says 0): room for one byte more tells the end from a full block. */
    size_t n = 0, cap = (regular ? (size_t)st.st_size : 4096) + 1;
    char *p = arena_alloc_raw(a, cap + 1);
    for (;;) {
        if (n == cap) {
            p = arena_grow(a, p, cap + 1, cap * 2 + 1);
            cap *= 2;
        }
        ssize_t got = read(fd, p + n, cap - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_sys(err, STATUS_IO, errno, "cannot read '%s'", name);
        if (got == 0)
            break;
        n += (size_t)got;
        if (n > max_bytes)
            return too_large(name, -1, max_bytes, err);
    }
    p[n] = '\0';
    *ret = (str){p, n};
    return STATUS_OK;
}

enum status fs_read_file(const char *path, size_t max_bytes, struct arena *a, str *ret, struct err *err)
{
    int fd;
    enum status st = fs_open(path, O_RDONLY, 0, &fd, err);
    if (st != STATUS_OK)
        return st;
    st = fs_read_fd(fd, path, max_bytes, a, ret, err);
    (void)close(fd);
    return st;
}

enum status fs_write_fd(int fd, const char *name, str bytes, struct err *err)
{
    while (bytes.n) {
        ssize_t put = write(fd, bytes.p, bytes.n);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return err_sys(err, STATUS_IO, errno, "cannot write '%s'", name);
        bytes = str_from(bytes, (size_t)put);
    }
    return STATUS_OK;
}

/* The rename itself is only durable once the folder is. A file system that cannot sync a folder says EINVAL. */
static enum status fs_sync_folder_of(struct arena *a, const char *path, struct err *err)
{
    size_t slash = str_rfind_char(str_of(path), '/');
    const char *folder = slash == STR_NPOS ? "." : slash == 0 ? "/" : arena_cstr(a, str_make(path, slash));
    int fd;
    enum status st = fs_open(folder, O_RDONLY | O_DIRECTORY, 0, &fd, err);
    if (st != STATUS_OK)
        return st;
    if (fsync(fd) != 0 && errno != EINVAL && errno != EROFS)
        st = err_sys(err, STATUS_IO, errno, "cannot sync the folder '%s'", folder);
    (void)close(fd);
    return st;
}

static enum status replace(const char *path, str bytes, mode_t mode, gid_t gid, bool sync, struct err *err)
{
    struct arena *a = arena_new(0);
    char *temp = arena_cstr(a, arena_printf(a, "%s.tmp-XXXXXX", path));
    enum status st;
    int fd = mkostemp(temp, O_CLOEXEC);
    if (fd < 0) {
        st = err_sys(err, STATUS_IO, errno, "cannot make a file beside '%s'", path);
        arena_free(a);
        return st;
    }
    st = fs_write_fd(fd, temp, bytes, err);
    if (st == STATUS_OK && gid != (gid_t)-1 && fchown(fd, (uid_t)-1, gid) != 0)
        st = err_sys(err, STATUS_IO, errno, "cannot give '%s' to group %u", temp, (unsigned)gid);
    if (st == STATUS_OK && fchmod(fd, mode) != 0)
        st = err_sys(err, STATUS_IO, errno, "cannot set the mode of '%s'", temp);
    if (st == STATUS_OK && sync && fsync(fd) != 0)
        st = err_sys(err, STATUS_IO, errno, "cannot sync '%s'", temp);
    if (close(fd) != 0 && st == STATUS_OK)
        st = err_sys(err, STATUS_IO, errno, "cannot write '%s'", temp);
    if (st == STATUS_OK && rename(temp, path) != 0)
        st = err_sys(err, STATUS_IO, errno, "cannot put '%s' in its place", path);
    if (st != STATUS_OK)
        (void)unlink(temp);
    else if (sync)
        st = fs_sync_folder_of(a, path, err);
    arena_free(a);
    return st;
}

enum status fs_write_atomic_group(const char *path, str bytes, mode_t mode, gid_t gid, struct err *err)
{
    return replace(path, bytes, mode, gid, true, err);
}

enum status fs_write_atomic(const char *path, str bytes, mode_t mode, struct err *err)
{
    return replace(path, bytes, mode, (gid_t)-1, true, err);
}

enum status fs_write_passing(const char *path, str bytes, mode_t mode, struct err *err)
{
    return replace(path, bytes, mode, (gid_t)-1, false, err);
}

enum status fs_make_folders(str path, mode_t mode, struct err *err)
{
    char *at = mem_cstr(path);
    enum status st = STATUS_OK;
    for (char *slash = at[0] ? strchr(at + 1, '/') : NULL; slash && st == STATUS_OK; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(at, mode) != 0 && errno != EEXIST)
            st = err_sys(err, STATUS_IO, errno, "cannot make the folder %s", at);
        *slash = '/';
    }
    free(at);
    return st;
}

static enum status not_removed(const char *root, const char *name, struct err *err)
{
    if (errno == ENOENT)
        return STATUS_OK;
    if (name == root)
        return err_sys(err, STATUS_IO, errno, "cannot remove '%s'", root);
    return err_sys(err, STATUS_IO, errno, "cannot remove '%s', in '%s'", name, root);
}

/* Entry by entry from the folder that is open: no name is looked up through a folder that may have been exchanged. */
static enum status remove_at(int folder, const char *name, int depth, const char *root, struct err *err)
{
    if (unlinkat(folder, name, 0) == 0)
        return STATUS_OK;
    if (errno != EISDIR)
        return not_removed(root, name, err);
    if (depth == LIMIT_FS_DEPTH) {
        err_set(err, STATUS_TOO_LARGE, "cannot remove '%s': it holds more than %d folders inside each other", root,
                LIMIT_FS_DEPTH);
        return err_hint(err, "Remove it by hand.");
    }
    int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        enum status st = not_removed(root, name, err);
        if (fd >= 0)
            (void)close(fd);
        return st;
    }
    enum status first = STATUS_OK;
    for (struct dirent *e; (e = readdir(dir));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        enum status st = remove_at(fd, e->d_name, depth + 1, root, first == STATUS_OK ? err : NULL);
        first = first == STATUS_OK ? st : first;
    }
    (void)closedir(dir);
    if (first == STATUS_OK && unlinkat(folder, name, AT_REMOVEDIR) != 0)
        first = not_removed(root, name, err);
    return first;
}

enum status fs_remove_tree(const char *path, struct err *err)
{
    return remove_at(AT_FDCWD, path, 0, path, err);
}
