/* SPDX-License-Identifier: Apache-2.0 */
/* copies — a folder of the hub's that the space's user writes into, and that is read with distrust: the program that
 * filled it had opened what strangers uploaded. So nothing there is opened through a link, and what is no plain file is
 * refused. The folder is locked for as long as somebody uses it; one without a lock was left by a process that was
 * killed, and is swept away at the next start. */
#include "hub/copies.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "hub/edge_apps.h"
#include "rt/sandbox.h"

/* ---- what backups do too ---- */

enum status copies_give(struct hub *h, str folder, str space_id, struct err *err)
{
    unsigned user = h->config.isolation == ISOLATION_OFF ? geteuid() : edge_apps_user(space_id);
    struct stat now;
    if (user == geteuid() || (lstat(folder.p, &now) == 0 && now.st_uid == user && now.st_gid == user))
        return STATUS_OK;
    return sandbox_give(folder.p, user, err);
}

/* ---- the folder ---- */

static void erase(const char *path)
{
    struct err err = ERR_INIT;
    if (fs_remove_tree(path, &err) != STATUS_OK)
        log_line(LOG_ERROR, "hub", "%s", err.text);
}

/* As many names as there may be copies of a space at once, whatever process has them: each is as large as the space,
 * and whoever takes a download decides how long it is there. */
static enum status make_folder(struct hub *h, struct arena *a, str space_id, struct copies *c, struct err *err)
{
    enum status st = STATUS_OK;
    for (int i = 0; i < LIMIT_HUB_COPIES && st == STATUS_OK; i++) {
        c->folder = arena_printf(a, "%.*s/copies/%.*s-%d", STR_ARG(h->config.dir), STR_ARG(space_id), i);
        st = fs_make_folders(c->folder, 0711, err); /* spaces' users pass through it */
        if (st == STATUS_OK && mkdir(c->folder.p, 0700) == 0)
            return STATUS_OK;
        if (st == STATUS_OK && errno != EEXIST)
            st = err_sys(err, STATUS_IO, errno, "cannot make %.*s", STR_ARG(c->folder));
    }
    if (st != STATUS_OK)
        return st;
    err_set(err, STATUS_RATE, "This space is being copied already.");
    return err_hint(err, "Wait until the downloads and clones of it have ended.");
}

static enum status begin(struct hub *h, struct arena *a, str space_id, struct copies *c, struct err *err)
{
    enum status st = make_folder(h, a, space_id, c, err);
    if (st != STATUS_OK)
        return st;
    st = fs_open(c->folder.p, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &c->lock, err);
    if (st != STATUS_OK)
        rmdir(c->folder.p); /* it would count */
    if (st == STATUS_OK && flock(c->lock, LOCK_EX | LOCK_NB) != 0)
        st = err_sys(err, STATUS_IO, errno, "cannot lock %.*s", STR_ARG(c->folder));
    return st == STATUS_OK ? copies_give(h, c->folder, space_id, err) : st;
}

void copies_release(struct copies *c)
{
    if (c->lock < 0)
        return;
    if (c->shelf >= 0)
        close(c->shelf);
    erase(c->folder.p);
    close(c->lock);
    c->shelf = -1;
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

/* ---- the copy ---- */

#define NAME "files"

/* What `vitrine backup` wrote there; a database that it could not copy is named. */
static enum status look(struct copies *c, struct arena *a, struct err *err)
{
    str *ids;
    size_t count;
    c->shelf = openat(c->lock, NAME, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (c->shelf < 0)
        return err_sys(err, STATUS_IO, errno, "cannot read the copy");
    enum status st = tree_ids(a, c->folder, STR(NAME), &ids, &count, err);
    if (st == STATUS_OK && count != 1)
        st = err_set(err, STATUS_IO, "there is no copy");
    if (st == STATUS_OK)
        st = tree_read(a, c->shelf, ids[0], &c->tree, err);
    for (size_t i = 0; st == STATUS_OK && i < c->tree.count; i++) {
        if (!c->tree.entries[i].damaged)
            continue;
        err_set(err, STATUS_CONFLICT, "\"%.*s\" cannot be copied.", STR_ARG(c->tree.entries[i].path));
        st = err_hint(err, "It may be damaged, written without a pause, or the disk is full. The log says more.");
    }
    return st;
}

enum status copies_take(struct hub *h, struct arena *a, str space_id, struct copies *ret, struct err *err)
{
    struct copies c = {.lock = -1, .shelf = -1};
    struct value words = value_list(a);
    struct err own = ERR_INIT;
    str data = arena_printf(a, "%.*s/spaces/%.*s/data", STR_ARG(h->config.dir), STR_ARG(space_id));
    enum status st = begin(h, a, space_id, &c, err);
    const str list[] = {STR("backup"), data, STR("--name"), STR(NAME), STR("--quiet"), STR("--to"), c.folder};
    for (size_t i = 0; i < ARRAY_LEN(list); i++)
        value_push(words, value_str(list[i]));
    if (st == STATUS_OK) {
        enum status done = edge_apps_run(h, a, space_id, c.folder, words, LIMIT_HUB_BACKUP_MS, &own);
        if (done != STATUS_OK) /* names folders: for the log */
            log_line(LOG_ERROR, "hub", "copy of %.*s: %s", STR_ARG(space_id), own.text);
        st = look(&c, a, err);
        if (st == STATUS_IO || (st == STATUS_OK && done != STATUS_OK)) {
            err_set(err, STATUS_CONFLICT, "The space cannot be copied.");
            st = err_hint(err, "The disk may be full. The log says more.");
        }
    }
    if (st == STATUS_OK)
        *ret = c;
    else
        copies_release(&c);
    return st;
}

enum status copies_open(const struct copies *c, size_t i, int *ret_fd, struct err *err)
{
    return tree_content(c->shelf, &c->tree.entries[i], ret_fd, err);
}

enum status copies_into(const struct copies *c, struct arena *a, str folder, struct err *err)
{
    return tree_restore(a, c->shelf, &c->tree, c->folder, STR(NAME), folder, NULL, err);
}
