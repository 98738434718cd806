/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/waiting.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "hub/room.h"
#include "rt/fault.h"

static str path_of(struct hub *h, struct arena *a, str hash)
{
    return arena_printf(a, "%.*s/incoming/%.*s", STR_ARG(h->config.dir), STR_ARG(hash));
}

/* ---- room ---- */

static enum status check_room(struct hub *h, struct arena *a, int64_t reserve, struct err *err)
{
    int64_t files = 0, bytes = reserve;
    DIR *d = opendir(hub_path(a, &h->config, "incoming").p);
    if (!d)
        return err_sys(err, STATUS_IO, errno, "cannot read the folder of files that come in");
    for (struct dirent *e; (e = readdir(d));) {
        struct stat st;
        if (e->d_name[0] == '.' || fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        files++;
        bytes += st.st_size;
    }
    closedir(d);
    if (files < LIMIT_HUB_START_FILES && bytes <= LIMIT_HUB_START_TOTAL)
        return STATUS_OK;
    err_set(err, STATUS_BUSY, "There is no room for more files of visitors just now.");
    return err_hint(err, "Sign up or sign in first, make a space, and put the file in there.");
}

enum status waiting_begin(struct hub *h, struct arena *a, str hash, int64_t reserve, int *ret_fd, struct err *err)
{
    str path = path_of(h, a, hash);
    int fd = -1;
    enum status st = fs_make_folders(path, 0700, err);
    pthread_mutex_lock(&h->incoming); /* nobody takes the room between the look and the file */
    if (st == STATUS_OK)
        st = hub_room(h, reserve, err);
    if (st == STATUS_OK)
        st = check_room(h, a, reserve, err);
    if (st == STATUS_OK)
        st = fs_open(path.p, O_RDWR | O_CREAT | O_EXCL, 0600, &fd, err);
    if (st == STATUS_OK && (flock(fd, LOCK_EX | LOCK_NB) != 0 || ftruncate(fd, reserve) != 0)) {
        st = err_sys(err, STATUS_IO, errno, "cannot make a file for what comes in");
        unlink(path.p);
        close(fd);
    }
    pthread_mutex_unlock(&h->incoming);
    if (st == STATUS_OK)
        *ret_fd = fd;
    return st;
}

void waiting_remove(struct hub *h, struct arena *a, str hash)
{
    str path = path_of(h, a, hash);
    if (unlink(path.p) != 0 && errno != ENOENT)
        log_line(LOG_ERROR, "hub", "cannot remove %.*s", STR_ARG(path));
}

/* ---- rows ---- */

/* Whose files a request sees: ?1 the hash of its cookie, ?2 its user; each may be empty. */
#define MINE "((user_id = '' and hash = ?1) or (user_id <> '' and user_id = ?2))"

static str cookie_hash(const struct hub_request *rq)
{
    str secret = hub_cookie_of(rq, WAITING_COOKIE);
    return secret.n && secret.n <= 100 ? hub_hash(rq->a, secret) : STR("");
}

struct keep {
    struct hub_request *rq;
    str hash, name;
    int64_t bytes;
    struct value before;
};

static enum status write_keep(struct conn *c, void *arg, struct err *err)
{
    struct keep *k = arg;
    str old = cookie_hash(k->rq), user = hub_user_id(k->rq);
    enum status st =
        SQL_ROWS(c, k->rq->a, &k->before, err, "select hash from waiting where " MINE, SQL_T(old), SQL_T(user));
    if (st == STATUS_OK)
        st = SQL_RUN(c, err, "delete from waiting where " MINE, SQL_T(old), SQL_T(user));
    if (st == STATUS_OK)
        st = SQL_RUN(c, err, "insert into waiting (hash, name, bytes, at, user_id) values (?1, ?2, ?3, ?4, ?5)",
                     SQL_T(k->hash), SQL_T(k->name), SQL_I(k->bytes), SQL_I(clock_unix_s()), SQL_T(user));
    return st;
}

enum status waiting_keep(struct hub_request *rq, str hash, str name, int64_t bytes, int fd, struct err *err)
{
    struct keep k = {rq, hash, name, bytes, VALUE_NULL};
    if (ftruncate(fd, bytes) != 0 || fsync(fd) != 0)
        return err_sys(err, STATUS_IO, errno, "cannot write the file that came in");
    hub_conn_release(rq);
    enum status st = store_write(rq->hub->store, write_keep, &k, err);
    (void)FAULT("hub.waiting.kept");
    for (size_t i = 0; st == STATUS_OK && i < value_count(k.before); i++)
        waiting_remove(rq->hub, rq->a, VALUE_GET(value_at(k.before, i), "hash").s);
    return st;
}

enum status waiting_find(struct hub_request *rq, struct value *ret, struct err *err)
{
    str hash = cookie_hash(rq), user = hub_user_id(rq);
    struct conn *c;
    *ret = VALUE_UNDEF;
    if (!hash.n && !user.n)
        return STATUS_OK;
    enum status st = hub_conn(rq, &c, err);
    return st == STATUS_OK
               ? SQL_ROW(c, rq->a, ret, err,
                         "select hash, name, bytes from waiting where at > ?3 and " MINE " order by at desc limit 1",
                         SQL_T(hash), SQL_T(user), SQL_I(clock_unix_s() - LIMIT_HUB_START_S))
               : st;
}

enum status waiting_give(struct conn *c, const struct hub_request *rq, str user_id, struct err *err)
{
    return SQL_RUN(c, err, "update waiting set user_id = ?2 where hash = ?1 and user_id = ''", SQL_T(cookie_hash(rq)),
                   SQL_T(user_id));
}

enum status waiting_forget(struct conn *c, str hash, struct err *err)
{
    return SQL_RUN(c, err, "delete from waiting where hash = ?1", SQL_T(hash));
}

enum status waiting_open(struct hub *h, struct arena *a, str hash, int *ret_fd, struct err *err)
{
    int fd;
    enum status st = fs_open(path_of(h, a, hash).p, O_RDONLY | O_NOFOLLOW, 0, &fd, err);
    if (st == STATUS_NOT_FOUND) {
        err_set(err, STATUS_NOT_FOUND, "The file is not here any more.");
        return err_hint(err, "Bring it again.");
    }
    if (st == STATUS_OK && flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        err_set(err, STATUS_BUSY, "The file is being put into a space already.");
        return err_hint(err, "Look at your spaces in a moment.");
    }
    if (st == STATUS_OK)
        *ret_fd = fd;
    return st;
}

/* ---- upkeep ---- */

static enum status write_forget_old(struct conn *c, void *arg, struct err *err)
{
    int64_t now_s = *(const int64_t *)arg;
    return SQL_RUN(c, err, "delete from waiting where at <= ?1", SQL_I(now_s - LIMIT_HUB_START_S));
}

/* The lock comes first: whoever writes makes the row before letting it go. */
static enum status remove_rest(struct hub *h, struct arena *a, int folder, const char *name, struct err *err)
{
    struct conn *c = NULL;
    struct value row;
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    enum status st = STATUS_OK;
    if (fd < 0)
        return STATUS_OK;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        st = store_read(h->store, &c, err);
        if (st == STATUS_OK)
            st = SQL_ROW(c, a, &row, err, "select 1 as one from waiting where hash = ?1", SQL_T(str_of(name)));
        conn_release(c);
        if (st == STATUS_OK && row.kind != VALUE_DICT)
            unlinkat(folder, name, 0);
    }
    close(fd);
    return st;
}

enum status waiting_upkeep(struct hub *h, int64_t now_s, struct err *err)
{
    struct arena *a = arena_new(0);
    enum status st = store_write(h->store, write_forget_old, &now_s, err);
    DIR *d = st == STATUS_OK ? opendir(hub_path(a, &h->config, "incoming").p) : NULL; /* NULL: nobody brought any yet */
    for (struct dirent *e; d && st == STATUS_OK && (e = readdir(d));)
        if (e->d_name[0] != '.')
            st = remove_rest(h, a, dirfd(d), e->d_name, err);
    if (d)
        closedir(d);
    arena_free(a);
    return st;
}
