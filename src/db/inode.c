/* SPDX-License-Identifier: Apache-2.0 */
/* inode — descriptors of database files that are never closed while SQLite may hold locks on the same file.
 *
 * Why: SQLite locks with fcntl(F_SETLK). POSIX ties such locks to (process, inode), not to the descriptor: when a
 * process closes ANY descriptor of an inode, ALL its locks on that inode are gone, without notice (fcntl(2), "Record
 * locks"; SQLite's "How To Corrupt", section 2.2). A connection that believes it holds a shared lock would then read
 * while another process writes. Nothing in this program may therefore open and close a published file beside SQLite —
 * not to look at its header, not to stat its log, not to hash it. SQLite keeps its own such table (unixInodeInfo,
 * os_unix.c), which does not know our descriptors; this is ours.
 *
 * How: one entry per (device, inode) holds one descriptor for all users: database.c (change signature), open.c
 * (inspection), each conn (for as long as its sqlite3 handle lives). It is closed by the last user, so after the last
 * sqlite3_close. Two databases of the same file, and a file renamed away and back, find the same entry.
 *
 * Invariants:
 *  (1) inode_open never opens an inode it has: it asks stat() first. When the path changes between stat and open, and
 * the new file turns out to be known, the extra descriptor is parked in late_fds and closed with the entry. (2) Every
 * conn holds a reference to its main file's inode until after sqlite3_close (conn.c). (3) -shm files: SQLite holds its
 * locks there too, so they are entries as well, held by the db_file that every conn of the file holds (database.c). Not
 * here: files that SQLite opens itself. Immutable files take no locks, so other code may read those freely. Tests:
 * tests/unit/db/test_inode.c (a second process finds the lock still held). */
#include "db/inode.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#include "base/banned.h"

static pthread_mutex_t inode_lock = PTHREAD_MUTEX_INITIALIZER;
static struct inode *inode_table[1024]; /* lists by number: one or two entries a database, and there may be thousands */

static struct inode **list_of(ino_t ino)
{
    return &inode_table[ino % ARRAY_LEN(inode_table)];
}

static struct inode *list_find(dev_t dev, ino_t ino)
{
    struct inode *i = *list_of(ino);
    while (i && (i->ino != ino || i->dev != dev))
        i = i->next;
    return i;
}

static const char *kind_name(mode_t mode)
{
    return S_ISDIR(mode)    ? "a directory"
           : S_ISFIFO(mode) ? "a named pipe"
           : S_ISSOCK(mode) ? "a socket"
           : S_ISCHR(mode)  ? "a character device"
           : S_ISBLK(mode)  ? "a block device"
                            : "no regular file";
}

static enum status refuse(const char *path, int error, struct err *err)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ELOOP:
        return err_sys(err, STATUS_NOT_FOUND, error, "cannot open '%s'", path);
    case EACCES:
    case EPERM:
        return err_sys(err, STATUS_FORBIDDEN, error, "cannot open '%s'", path);
    default:
        return err_sys(err, STATUS_IO, error, "cannot open '%s'", path);
    }
}

static enum status open_locked(const char *path, struct inode **ret, struct err *err)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return refuse(path, errno, err);
    if (!S_ISREG(st.st_mode)) {
        err_set(err, STATUS_INVALID, "'%s' is %s, not a database file", path, kind_name(st.st_mode));
        if (S_ISDIR(st.st_mode))
            err_hint(err, "Name the database files inside it, for example '%s/data.db'.", path);
        return STATUS_INVALID;
    }
    struct inode *i = list_find(st.st_dev, st.st_ino);
    if (i) {
        i->refs++;
        *ret = i;
        return STATUS_OK;
    }
    int fd;
    do
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return refuse(path, errno, err);
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd); /* no regular file: SQLite has no locks there */
        return err_set(err, STATUS_IO, "'%s' was replaced while it was being opened", path);
    }
    i = list_find(st.st_dev, st.st_ino);
    if (i) { /* invariant 1: replaced by a file we know, between stat and open */
        i->late_fds = mem_resize(i->late_fds, i->late_count + 1, sizeof *i->late_fds);
        i->late_fds[i->late_count++] = fd;
        i->refs++;
    } else {
        i = MEM_NEW(struct inode);
        struct inode **list = list_of(st.st_ino);
        *i = (struct inode){.dev = st.st_dev, .ino = st.st_ino, .fd = fd, .refs = 1, .next = *list};
        *list = i;
    }
    *ret = i;
    return STATUS_OK;
}

enum status inode_open(const char *path, struct inode **ret, struct err *err)
{
    pthread_mutex_lock(&inode_lock);
    enum status st = open_locked(path, ret, err);
    pthread_mutex_unlock(&inode_lock);
    return st;
}

void inode_unref(struct inode *i)
{
    if (!i)
        return;
    pthread_mutex_lock(&inode_lock);
    if (--i->refs == 0) {
        struct inode **link = list_of(i->ino);
        while (*link != i)
            link = &(*link)->next;
        *link = i->next;
        close(i->fd);
        for (size_t k = 0; k < i->late_count; k++)
            close(i->late_fds[k]);
        free(i->late_fds);
        free(i);
    }
    pthread_mutex_unlock(&inode_lock);
}
