/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox_folder — before a space starts: the folders that it writes are there and belong to it, whoever put files into
 * them (an administrator, a restored backup).
 *
 * As root this walks through a folder that a process of the space may be changing at the same time, so nothing is done
 * by name: each entry is opened without following links and looked at, and what was opened is given away. A file that
 * has a second name elsewhere cannot be one of others: links cannot be made inside the sandbox, nor across its
 * mounts. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "rt/sandbox_impl.h"

#include "base/banned.h"

const char *const sandbox_folder_parts[] = {"data", "state", "outbox", NULL};

/* Gives away what `name` is now; *ret_fd: an open folder to go down into, else -1. */
static enum status give(int folder, const char *name, uid_t id, int *ret_fd, struct err *err)
{
    struct stat st;
    *ret_fd = -1;
    int fd = openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? STATUS_OK : err_sys(err, STATUS_IO, errno, "cannot open '%s'", name);
    bool ok = fstat(fd, &st) == 0;
    if (ok && (st.st_uid != id || st.st_gid != id))
        ok = fchownat(fd, "", id, id, AT_EMPTY_PATH) == 0;
    enum status done = ok ? STATUS_OK : err_sys(err, STATUS_IO, errno, "cannot give '%s' to user %u", name, id);
    if (ok && S_ISDIR(st.st_mode))
        *ret_fd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    close(fd);
    return done;
}

/* Takes `fd`. */
static enum status give_all(int fd, uid_t id, int depth, struct err *err)
{
    enum status st = STATUS_OK;
    DIR *folder = fdopendir(fd);
    if (!folder) {
        st = err_sys(err, STATUS_IO, errno, "cannot read a folder of the space");
        close(fd);
        return st;
    }
    for (struct dirent *e; st == STATUS_OK && (e = readdir(folder));) {
        int inner = -1;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        st = give(fd, e->d_name, id, &inner, err);
        if (st == STATUS_OK && inner >= 0 && depth < LIMIT_SANDBOX_DEPTH)
            st = give_all(inner, id, depth + 1, err);
        else if (inner >= 0)
            close(inner);
    }
    closedir(folder);
    return st;
}

static enum status prepare_part(int folder, const char *part, uid_t id, struct err *err)
{
    int fd = -1;
    if (mkdirat(folder, part, 0700) != 0 && errno != EEXIST)
        return err_sys(err, STATUS_IO, errno, "cannot make the folder '%s'", part);
    if (id == (uid_t)-1)
        return STATUS_OK;
    enum status st = give(folder, part, id, &fd, err);
    if (st == STATUS_OK && fd < 0)
        st = err_set(err, STATUS_CONFIG, "'%s' is no folder", part);
    return st == STATUS_OK ? give_all(fd, id, 0, err) : st;
}

enum status sandbox_give(const char *folder, uid_t id, struct err *err)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int all = fd < 0 ? -1 : openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum status st = all < 0 ? err_sys(err, STATUS_IO, errno, "cannot open the folder '%s'", folder) : STATUS_OK;
    if (st == STATUS_OK)
        st = give_all(all, id, 0, err);
    if (st == STATUS_OK && fchown(fd, id, id) != 0)
        st = err_sys(err, STATUS_IO, errno, "cannot give '%s' to user %u", folder, id);
    if (fd >= 0)
        close(fd);
    return st;
}

enum status sandbox_folder_prepare(const char *folder, uid_t id, struct err *err)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(err, STATUS_IO, errno, "cannot open the folder '%s'", folder);
    struct stat now;
    enum status st = STATUS_OK;
    /* Its user may enter and read it by its group; it stays whose it is. */
    if (id != (uid_t)-1 && fstat(fd, &now) == 0 && now.st_uid != id &&
        (fchown(fd, (uid_t)-1, id) != 0 || fchmod(fd, (now.st_mode & 07777) | 0050) != 0))
        st = err_sys(err, STATUS_IO, errno, "cannot open it to user %u", id);
    for (size_t i = 0; sandbox_folder_parts[i] && st == STATUS_OK; i++)
        st = prepare_part(fd, sandbox_folder_parts[i], id, err);
    close(fd);
    return st == STATUS_OK ? st : err_prefix(err, "%s", folder);
}
