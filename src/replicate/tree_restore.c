/* SPDX-License-Identifier: Apache-2.0 */
/* tree_restore — a folder made of a backup; which backups stay.
 *
 * A folder that is not there is made beside its place, as TO.part, and renamed when it is whole. One that is there is
 * changed file by file, each by a rename; a database that is there by SQLite's locks, so that a server goes on. Either
 * way what is already as it should be is left alone: so a run that was killed is simply made again. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/limits.h"
#include "codec/digest.h"
#include "replicate/tree.h"
#include "rt/fault.h"

#define PIECE 1048576

struct restore {
    struct arena *a;
    int shelf, root;
    str folder, name, into; /* into: the path of root */
    bool fresh;             /* nobody uses what is in it */
    const struct tree *t;
    const struct copy_progress *p;
};

/* ---- one file ---- */

/* The folder that the path's last part is in, open, and that part. */
static int open_parent(int root, str path, const char **ret_name)
{
    size_t slash = str_rfind_char(path, '/');
    *ret_name = slash == STR_NPOS ? path.p : path.p + slash + 1; /* paths of a tree end with NUL */
    return slash == STR_NPOS ? fcntl(root, F_DUPFD_CLOEXEC, 0)
                             : tree_open_below(root, str_sub(path, 0, slash), O_RDONLY | O_DIRECTORY);
}

static bool is_same(int fd, const struct tree_entry *e)
{
    unsigned char raw[DIGEST_RAW_MAX];
    char hex[DIGEST_HEX_MAX];
    struct stat now;
    size_t n;
    if (fd < 0 || fstat(fd, &now) != 0 || !S_ISREG(now.st_mode) || now.st_size != e->bytes ||
        digest_rest(fd, STR("sha256"), raw, &n, NULL) != STATUS_OK)
        return false;
    digest_to_hex(raw, n, hex);
    return strcmp(hex, e->sha256) == 0;
}

static void set_times(int fd, const struct tree_entry *e)
{
    int64_t ns = e->mtime_ns % 1000000000, s = e->mtime_ns / 1000000000;
    if (ns < 0) {
        ns += 1000000000;
        s--;
    }
    const struct timespec times[] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = s, .tv_nsec = ns}};
    (void)futimens(fd, times); /* what the disk cannot keep is no loss */
}

static enum status cannot(const struct tree_entry *e, struct err *err)
{
    return err_sys(err, errno == ENOSPC ? STATUS_DISK_FULL : STATUS_IO, errno, "cannot write %.*s", STR_ARG(e->path));
}

static enum status copy_content(struct restore *r, int to, const struct tree_entry *e, struct err *err)
{
    struct arena *a = arena_new(0);
    char *piece = arena_alloc(a, PIECE);
    int from;
    enum status st = tree_content(r->shelf, e, &from, err);
    bool open = st == STATUS_OK;
    while (st == STATUS_OK) {
        ssize_t n = read(from, piece, PIECE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            st = err_sys(err, STATUS_IO, errno, "cannot read the content of %.*s", STR_ARG(e->path));
        if (n <= 0)
            break;
        if (r->p && r->p->cancelled && atomic_load(r->p->cancelled))
            st = err_set(err, STATUS_CANCELLED, "interrupted");
        else
            st = fs_write_fd(to, "the file", str_make(piece, (size_t)n), err);
    }
    if (open)
        close(from);
    arena_free(a);
    return st;
}

/* Written beside it and renamed: whoever reads it meanwhile sees the old one or the new one. */
static enum status put_file(struct restore *r, int parent, const char *name, const struct tree_entry *e,
                            struct err *err)
{
    char part[64];
    (void)snprintf(part, sizeof part, ".%.20s.part", r->t->id.p);
    unlinkat(parent, part, 0);
    int to = openat(parent, part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (to < 0)
        return cannot(e, err);
    enum status st = copy_content(r, to, e, err);
    if (st == STATUS_OK && fchmod(to, e->mode & 0777) != 0) /* no set-user-id comes out of a backup */
        st = cannot(e, err);
    if (st == STATUS_OK)
        set_times(to, e);
    if (st == STATUS_OK && fsync(to) != 0)
        st = cannot(e, err);
    close(to);
    if (st == STATUS_OK && renameat(parent, part, parent, name) != 0)
        st = cannot(e, err);
    if (st != STATUS_OK)
        unlinkat(parent, part, 0);
    return st;
}

/* What an earlier database of that name left would be taken for the new one's. */
static void remove_beside(struct arena *a, int parent, const char *name)
{
    static const char *const ends[] = {"-wal", "-shm", "-journal"};
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        unlinkat(parent, arena_printf(a, "%s%s", name, ends[i]).p, 0);
}

static enum status put_database(struct restore *r, const struct tree_entry *e, struct err *err)
{
    str file = ARENA_CAT(r->a, shelf_path(r->a, r->folder, r->name, STR("objects/")), str_of(e->sha256));
    const struct database_options o = {.name = file, .path = file, .immutable = true};
    const struct copy_progress quiet = {.cancelled = r->p ? r->p->cancelled : NULL};
    struct database *db;
    enum status st = database_new(&o, &db, err);
    if (st != STATUS_OK)
        return st;
    st = copy_database(db, arena_cstr(r->a, ARENA_CAT(r->a, r->into, STR("/"), e->path)), &quiet, err);
    database_unref(db);
    return st;
}

static enum status put(struct restore *r, const struct tree_entry *e, struct err *err)
{
    const char *name;
    struct stat now;
    int parent = open_parent(r->root, e->path, &name);
    if (parent < 0)
        return cannot(e, err);
    enum status st = STATUS_OK;
    int there = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    bool file = there >= 0 && fstat(there, &now) == 0 && S_ISREG(now.st_mode);
    if (e->kind == TREE_FOLDER) {
        if (mkdirat(parent, name, 0700) != 0 && (errno != EEXIST || file || there < 0))
            st = cannot(e, err);
    } else if (e->kind == TREE_DATABASE && !r->fresh && file && tree_is_database(there)) {
        st = put_database(r, e, err);
    } else {
        if (e->kind == TREE_DATABASE)
            remove_beside(r->a, parent, name);
        if (!is_same(there, e) || fchmod(there, e->mode & 0777) != 0)
            st = put_file(r, parent, name, e, err);
    }
    if (there >= 0)
        close(there);
    close(parent);
    return st;
}

/* ---- all ---- */

/* Last, the innermost first: a folder that nobody may write in is filled before. */
static enum status set_folders(struct restore *r, struct err *err)
{
    enum status st = STATUS_OK;
    for (size_t i = r->t->count; st == STATUS_OK && i > 0; i--) {
        const struct tree_entry *e = &r->t->entries[i - 1];
        if (e->kind != TREE_FOLDER)
            continue;
        int fd = tree_open_below(r->root, e->path, O_RDONLY | O_DIRECTORY);
        if (fd < 0 || fchmod(fd, e->mode & 0777) != 0 || fsync(fd) != 0)
            st = cannot(e, err);
        if (fd >= 0) {
            set_times(fd, e);
            close(fd);
        }
    }
    return st;
}

static enum status put_all(struct restore *r, struct err *err)
{
    enum status st = STATUS_OK;
    int64_t done = 0;
    for (size_t i = 0; st == STATUS_OK && i < r->t->count; i++) {
        if (r->p && r->p->cancelled && atomic_load(r->p->cancelled))
            return err_set(err, STATUS_CANCELLED, "interrupted");
        st = put(r, &r->t->entries[i], err);
        if (st == STATUS_OK && FAULT("tree.restored"))
            st = err_set(err, STATUS_IO, "the folder cannot be written");
        done += r->t->entries[i].bytes;
        if (r->p && r->p->step)
            r->p->step(r->p->arg, (uint64_t)done, (uint64_t)r->t->bytes);
    }
    if (st == STATUS_OK)
        st = set_folders(r, err);
    if (st == STATUS_OK && fsync(r->root) != 0)
        st = err_sys(err, STATUS_IO, errno, "cannot write %.*s", STR_ARG(r->into));
    return st;
}

enum status tree_restore(struct arena *a, int shelf, const struct tree *t, str folder, str name, str to,
                         const struct copy_progress *p, struct err *err)
{
    struct restore r = {.a = a, .shelf = shelf, .root = -1, .folder = folder, .name = name, .into = to, .t = t, .p = p};
    while (to.n > 1 && to.p[to.n - 1] == '/')
        to.n--;
    char *place = arena_cstr(a, to);
    struct shelf_names there;
    struct stat was = {.st_mode = 0755};
    enum status st = shelf_entries(a, to, &there, err);
    if (st != STATUS_OK && st != STATUS_NOT_FOUND)
        return st;
    r.fresh = st == STATUS_NOT_FOUND || !there.v.count;
    (void)stat(place, &was);
    if (r.fresh)
        r.into = ARENA_CAT(a, to, STR(".part"));
    const char *into = arena_cstr(a, r.into);
    st = tree_check(shelf, t, p, err);
    if (st == STATUS_OK && r.fresh && mkdir(into, 0700) != 0 && errno != EEXIST)
        st = err_sys(err, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO, errno, "cannot make %s", into);
    if (st == STATUS_OK)
        st = fs_open(into, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &r.root, err);
    if (st == STATUS_OK)
        st = put_all(&r, err);
    if (st == STATUS_OK && r.fresh && (fchmod(r.root, was.st_mode & 0777) != 0 || rename(into, place) != 0))
        st = err_sys(err, STATUS_IO, errno, "cannot make %s", place);
    if (r.root >= 0)
        close(r.root);
    return st;
}

/* ---- keeping ---- */

static int by_hash(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Contents that no backup names. One that cannot be read may name any: then all stay. */
static enum status sweep(struct arena *a, str folder, str name, int shelf, const str *ids, size_t count,
                         struct err *err)
{
    VEC(char *) named = {0};
    struct shelf_names objects;
    enum status st = STATUS_OK;
    for (size_t i = 0; st == STATUS_OK && i < count; i++) {
        struct arena *own = arena_new(0);
        struct tree t;
        st = tree_read(own, shelf, ids[i], &t, err);
        for (size_t k = 0; st == STATUS_OK && k < t.count; k++)
            if (t.entries[k].kind != TREE_FOLDER)
                VEC_PUSH(a, &named, arena_cstr(a, str_of(t.entries[k].sha256)));
        arena_free(own);
    }
    str path = shelf_path(a, folder, name, STR("objects"));
    if (st == STATUS_OK)
        st = shelf_entries(a, path, &objects, err);
    if (st == STATUS_NOT_FOUND)
        return STATUS_OK;
    if (named.count)
        qsort(named.items, named.count, sizeof *named.items, by_hash);
    for (size_t i = 0; st == STATUS_OK && i < objects.v.count; i++) {
        char *one = arena_cstr(a, objects.v.items[i]);
        if (!named.count || !bsearch(&one, named.items, named.count, sizeof *named.items, by_hash))
            unlink(arena_cstr(a, ARENA_CAT(a, path, STR("/"), objects.v.items[i])));
    }
    return st;
}

enum status tree_prune(struct arena *a, str folder, str name, const struct backup_keep *k, str **ret_removed,
                       size_t *ret_count, struct err *err)
{
    VEC(str) removed = {0}, left = {0};
    int lock = -1, shelf = -1;
    str *ids;
    size_t count;
    bool all = !k->last && !k->daily && !k->weekly && !k->monthly;
    enum status st = shelf_lock(a, folder, name, &lock, err);
    if (st == STATUS_OK)
        st = tree_ids(a, folder, name, &ids, &count, err);
    if (st == STATUS_OK)
        st = tree_open(a, folder, name, &shelf, err);
    if (st == STATUS_OK) {
        bool *kept = arena_alloc(a, count + 1);
        shelf_mark_kept(ids, count, k, kept);
        for (size_t i = 0; i < count && st == STATUS_OK; i++) {
            char *file = arena_cstr(a, ARENA_CAT(a, ids[i], STR(".tree")));
            if (all || kept[i])
                VEC_PUSH(a, &left, ids[i]);
            else if (unlinkat(shelf, file, 0) != 0)
                st = err_sys(err, STATUS_IO, errno, "cannot remove %s", file);
            else
                VEC_PUSH(a, &removed, ids[i]);
        }
    }
    if (st == STATUS_OK && fsync(shelf) != 0)
        st = err_sys(err, STATUS_IO, errno, "cannot write %.*s", STR_ARG(folder));
    if (st == STATUS_OK)
        st = sweep(a, folder, name, shelf, left.items, left.count, err);
    if (shelf >= 0)
        close(shelf);
    if (lock >= 0)
        close(lock);
    if (st != STATUS_OK)
        return st;
    *ret_removed = removed.items;
    *ret_count = removed.count;
    return st;
}
