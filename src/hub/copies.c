/* SPDX-License-Identifier: Apache-2.0 */
/* copies — a folder of the hub's that the space's user writes into, and that is read with distrust: the program that
 * filled it had opened what strangers uploaded. So nothing there is opened through a link, and what is no plain file is
 * refused. The folder is locked for as long as somebody uses it; one without a lock was left by a process that was
 * killed, and is swept away at the next start. */
#include "hub/copies.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "hub/edge_apps.h"

/* ---- what backups do too ---- */

static bool is_database(int folder, const char *name)
{
    char head[16];
    struct stat st;
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    bool ok = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
              read(fd, head, sizeof head) == (ssize_t)sizeof head && memcmp(head, "SQLite format 3", 16) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

enum status copies_find(struct arena *a, str folder, struct value files, struct err *err)
{
    char *path = arena_cstr(a, folder);
    DIR *d = opendir(path);
    enum status st = STATUS_OK;
    if (!d)
        return errno == ENOENT ? STATUS_OK : err_sys(err, STATUS_IO, errno, "cannot read %s", path);
    for (struct dirent *e; st == STATUS_OK && (e = readdir(d));) {
        if (e->d_name[0] == '.' || !is_database(dirfd(d), e->d_name))
            continue;
        if (value_count(files) == LIMIT_HUB_DATABASES)
            st = err_set(err, STATUS_TOO_LARGE, "more than %d databases in %s", LIMIT_HUB_DATABASES, path);
        value_push(files, value_str(ARENA_CAT(a, folder, STR("/"), str_of(e->d_name))));
    }
    closedir(d);
    return st;
}

enum status copies_give(struct hub *h, str folder, str space_id, struct err *err)
{
    unsigned user = h->config.isolation == ISOLATION_OFF ? geteuid() : edge_apps_user(space_id);
    if (user != geteuid() && lchown(folder.p, user, user) != 0)
        return err_sys(err, STATUS_IO, errno, "cannot give away %.*s", STR_ARG(folder));
    return STATUS_OK;
}

/* ---- the folder ---- */

static void erase(const char *path)
{
    struct err err = ERR_INIT;
    if (fs_remove_tree(path, &err) != STATUS_OK)
        log_line(LOG_ERROR, "hub", "%s", err.text);
}

static enum status begin(struct hub *h, struct arena *a, str space_id, struct copies *c, struct err *err)
{
    c->folder = arena_printf(a, "%.*s/copies/%.*s", STR_ARG(h->config.dir), STR_ARG(hub_id(a, 'c')));
    enum status st = fs_make_folders(c->folder, 0711, err); /* spaces' users pass through it */
    if (st == STATUS_OK && mkdir(c->folder.p, 0700) != 0)
        st = err_sys(err, STATUS_IO, errno, "cannot make %.*s", STR_ARG(c->folder));
    if (st == STATUS_OK)
        st = fs_open(c->folder.p, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &c->lock, err);
    if (st == STATUS_OK && flock(c->lock, LOCK_EX | LOCK_NB) != 0)
        st = err_sys(err, STATUS_IO, errno, "cannot lock %.*s", STR_ARG(c->folder));
    return st == STATUS_OK ? copies_give(h, c->folder, space_id, err) : st;
}

void copies_release(struct copies *c)
{
    if (c->lock < 0)
        return;
    erase(c->folder.p);
    close(c->lock);
    c->lock = -1;
}

void copies_sweep(struct hub *h)
{
    struct arena *a = arena_new(0);
    str folder = hub_path(a, &h->config, "copies");
    DIR *d = opendir(folder.p);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (e->d_name[0] == '.')
            continue;
        int fd = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) /* else somebody is at it */
            erase(arena_printf(a, "%.*s/%s", STR_ARG(folder), e->d_name).p);
        if (fd >= 0)
            close(fd);
    }
    if (d)
        closedir(d);
    arena_free(a);
}

/* ---- one copy ---- */

/* The folder of copy number i, which `vitrine backup` made. */
static int open_below(const struct copies *c, size_t i)
{
    char name[24];
    (void)snprintf(name, sizeof name, "n%zu", i);
    return openat(c->lock, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static enum status look(const struct copies *c, struct arena *a, size_t i, struct err *err)
{
    struct copies_file *f = &c->files[i];
    struct stat st;
    int below = open_below(c, i);
    DIR *d = below >= 0 ? fdopendir(below) : NULL;
    if (!d) {
        if (below >= 0)
            close(below);
        return err_sys(err, STATUS_IO, errno, "cannot read the copy of %.*s", STR_ARG(f->name));
    }
    for (struct dirent *e; (e = readdir(d));)
        if (str_ends(str_of(e->d_name), STR(".db")) && fstatat(below, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(st.st_mode)) {
            f->copy = arena_str(a, str_of(e->d_name));
            f->bytes = st.st_size;
        }
    closedir(d);
    return f->copy.n ? STATUS_OK : err_set(err, STATUS_IO, "there is no copy of %.*s", STR_ARG(f->name));
}

static enum status take_one(struct hub *h, struct arena *a, str space_id, struct copies *c, size_t i, str path,
                            struct err *err)
{
    struct value words = value_list(a);
    struct err own = ERR_INIT;
    const str list[] = {STR("backup"),  path,        STR("--name"), arena_printf(a, "n%zu", i),
                        STR("--quiet"), STR("--to"), c->folder};
    for (size_t k = 0; k < ARRAY_LEN(list); k++)
        value_push(words, value_str(list[k]));
    enum status st = edge_apps_run(h, a, space_id, c->folder, words, LIMIT_HUB_BACKUP_MS, &own);
    if (st == STATUS_OK)
        return look(c, a, i, err);
    log_line(LOG_ERROR, "hub", "copy of %.*s: %s", STR_ARG(path), own.text); /* names folders: for the log */
    err_set(err, STATUS_CONFLICT, "\"%.*s\" cannot be copied.", STR_ARG(c->files[i].name));
    return err_hint(err, "It may be damaged, written without a pause, or the disk is full. The log says more.");
}

enum status copies_take(struct hub *h, struct arena *a, str space_id, struct copies *ret, struct err *err)
{
    struct copies c = {.lock = -1};
    struct value paths = value_list(a);
    str data = arena_printf(a, "%.*s/spaces/%.*s/data", STR_ARG(h->config.dir), STR_ARG(space_id));
    enum status st = copies_find(a, data, paths, err);
    if (st == STATUS_OK)
        st = begin(h, a, space_id, &c, err);
    c.files = ARENA_ARRAY(a, struct copies_file, value_count(paths) + 1);
    for (; st == STATUS_OK && c.count < value_count(paths); c.count++) {
        str path = value_at(paths, c.count).s;
        c.files[c.count].name = str_from(path, data.n + 1);
        st = take_one(h, a, space_id, &c, c.count, path, err);
        c.bytes += c.files[c.count].bytes;
    }
    if (st == STATUS_OK)
        *ret = c;
    else
        copies_release(&c);
    return st;
}

enum status copies_open(const struct copies *c, size_t i, int *ret_fd, struct err *err)
{
    struct stat now;
    int below = open_below(c, i);
    int fd = below < 0 ? -1 : openat(below, c->files[i].copy.p, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    bool ok = fd >= 0 && fstat(fd, &now) == 0 && S_ISREG(now.st_mode) && now.st_size == c->files[i].bytes;
    if (below >= 0)
        close(below);
    if (!ok && fd >= 0)
        close(fd);
    if (!ok)
        return err_set(err, STATUS_IO, "the copy of %.*s is gone", STR_ARG(c->files[i].name));
    *ret_fd = fd;
    return STATUS_OK;
}

/* ---- into a new space ---- */

static enum status copy_bytes(int from, int to, int64_t bytes, const char *name, struct err *err)
{
    while (bytes > 0) {
        ssize_t n = sendfile(to, from, NULL, (size_t)MIN(bytes, INT64_C(1) << 30));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return err_sys(err, STATUS_IO, n < 0 ? errno : EIO, "cannot copy %s", name);
        bytes -= n;
    }
    return fsync(to) == 0 ? STATUS_OK : err_sys(err, STATUS_IO, errno, "cannot write %s", name);
}

enum status copies_into(const struct copies *c, struct arena *a, str folder, struct err *err)
{
    enum status st = STATUS_OK;
    for (size_t i = 0; st == STATUS_OK && i < c->count; i++) {
        int from = -1, to = -1;
        char *path = arena_cstr(a, ARENA_CAT(a, folder, STR("/"), c->files[i].name));
        st = copies_open(c, i, &from, err);
        if (st == STATUS_OK)
            st = fs_open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600, &to, err);
        if (st == STATUS_OK)
            st = copy_bytes(from, to, c->files[i].bytes, path, err);
        if (from >= 0)
            close(from);
        if (to >= 0)
            close(to);
    }
    return st;
}
