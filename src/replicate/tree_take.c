/* SPDX-License-Identifier: Apache-2.0 */
/* tree_take — the folder is walked once and written down; then each content is stored, the largest work, in the order
 * of the paths. A file that changes while it is read is read again, a few times; one that goes away was not there. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "codec/digest.h"
#include "replicate/tree.h"
#include "rt/fault.h"

#define PART     ".part" /* in objects: one process at a time holds the lock */
#define TRIES    3
#define FRESH_US 2000000
#define PIECE    1048576

struct take {
    struct arena *a;
    const struct tree_take *o;
    str folder, name;
    const struct copy_progress *p;
    int root, objects;
    VEC(struct tree_entry) found;
    struct tree tree, before; /* before: the newest one, for what has not changed */
    struct shelf_names *names;
    dev_t own_dev; /* FOLDER: it may lie in the folder that is backed up */
    ino_t own_ino;
    int64_t all, done;
    struct err damage; /* the first database that could not be copied */
};

/* ---- walking ---- */

static bool is_left_out(const struct take *k, str path)
{
    for (size_t i = 0; i < k->o->except_count; i++)
        if (str_eq(path, k->o->except[i]))
            return true;
    return false;
}

static bool begins_as_database(int folder, const char *name)
{
    struct stat now;
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    bool yes = fd >= 0 && fstat(fd, &now) == 0 && S_ISREG(now.st_mode) && tree_is_database(fd);
    if (fd >= 0)
        close(fd);
    return yes;
}

/* What SQLite keeps beside a database belongs to it: the copy holds what stands there. */
static bool is_beside_database(struct arena *a, int folder, str name)
{
    static const char *const ends[] = {"-wal", "-shm", "-journal"};
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (str_ends(name, str_of(ends[i])) && name.n > strlen(ends[i]) &&
            begins_as_database(folder, arena_cstr(a, str_sub(name, 0, name.n - strlen(ends[i])))))
            return true;
    return false;
}

static int64_t ns_of(struct timespec t)
{
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static enum status walk(struct take *k, int fd, str below, int depth, struct err *err);

static enum status found(struct take *k, int folder, str name, str below, int depth, struct err *err)
{
    struct stat now;
    str path = below.n ? ARENA_CAT(k->a, below, STR("/"), name) : name;
    if (is_left_out(k, path) || fstatat(folder, name.p, &now, AT_SYMLINK_NOFOLLOW) != 0)
        return STATUS_OK;
    bool file = S_ISREG(now.st_mode);
    if (!file && !S_ISDIR(now.st_mode)) {
        k->tree.left_out++;
        return STATUS_OK;
    }
    if (file ? is_beside_database(k->a, folder, name) : now.st_dev == k->own_dev && now.st_ino == k->own_ino)
        return STATUS_OK;
    if (path.n > LIMIT_BACKUP_PATH || depth >= LIMIT_BACKUP_DEPTH)
        return err_set(err, STATUS_TOO_LARGE, "%.*s/... lies more than %d folders deep, or its path has over %d bytes",
                       STR_ARG(str_sub(path, 0, 200)), LIMIT_BACKUP_DEPTH, LIMIT_BACKUP_PATH);
    if (k->found.count >= (size_t)LIMIT_BACKUP_FILES) {
        err_set(err, STATUS_TOO_LARGE, "the folder holds more than %d files and folders", (int)LIMIT_BACKUP_FILES);
        return err_hint(err, "Back its parts up one by one, or leave some out with --except.");
    }
    struct tree_entry e = {.kind = !file                                ? TREE_FOLDER
                                   : begins_as_database(folder, name.p) ? TREE_DATABASE
                                                                        : TREE_FILE,
                           .path = path,
                           .mode = now.st_mode & 07777,
                           .mtime_ns = ns_of(now.st_mtim)};
    e.bytes = file ? (int64_t)now.st_size : 0;
    k->all += e.bytes;
    VEC_PUSH(k->a, &k->found, e);
    if (file)
        return STATUS_OK;
    int fd = openat(folder, name.p, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? err_sys(err, STATUS_IO, errno, "cannot read %.*s", STR_ARG(path))
                  : walk(k, fd, path, depth + 1, err);
}

/* Takes fd. */
static enum status walk(struct take *k, int fd, str below, int depth, struct err *err)
{
    enum status st = STATUS_OK;
    DIR *d = fdopendir(fd);
    if (!d) {
        close(fd);
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    }
    for (struct dirent *e; st == STATUS_OK && (e = readdir(d));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            st = found(k, dirfd(d), arena_str(k->a, str_of(e->d_name)), below, depth, err);
    closedir(d);
    return st;
}

static int by_path(const void *a, const void *b)
{
    return str_cmp(((const struct tree_entry *)a)->path, ((const struct tree_entry *)b)->path);
}

/* ---- storing ---- */

static bool is_stored(const struct take *k, const struct tree_entry *e)
{
    struct stat now;
    return fstatat(k->objects, e->sha256, &now, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(now.st_mode) &&
           now.st_size == e->bytes;
}

/* The same file as last time, by what a kernel changes with every write. */
static bool has_not_changed(const struct take *k, struct tree_entry *e)
{
    const struct tree_entry *old =
        k->before.count ? bsearch(e, k->before.entries, k->before.count, sizeof *k->before.entries, by_path) : NULL;
    if (!old || old->kind != TREE_FILE || old->bytes != e->bytes || old->mtime_ns != e->mtime_ns || !e->ctime_ns ||
        old->ctime_ns != e->ctime_ns || !is_stored(k, old))
        return false;
    memcpy(e->sha256, old->sha256, sizeof e->sha256);
    return true;
}

static enum status hash_of(int fd, struct tree_entry *e, struct err *err)
{
    unsigned char raw[DIGEST_RAW_MAX];
    size_t n;
    enum status st = lseek(fd, 0, SEEK_SET) == 0 ? digest_rest(fd, STR("sha256"), raw, &n, err)
                                                 : err_sys(err, STATUS_IO, errno, "cannot read the copy");
    if (st == STATUS_OK)
        digest_to_hex(raw, n, e->sha256);
    return st;
}

static enum status copy_all(struct take *k, int from, int to, struct tree_entry *e, struct err *err)
{
    struct arena *a = arena_new(0);
    char *piece = arena_alloc(a, PIECE);
    enum status st = lseek(from, 0, SEEK_SET) == 0 ? STATUS_OK : err_sys(err, STATUS_IO, errno, "cannot read");
    for (e->bytes = 0; st == STATUS_OK;) {
        ssize_t n = read(from, piece, PIECE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            st = err_sys(err, STATUS_IO, errno, "cannot read %.*s", STR_ARG(e->path));
        if (n <= 0)
            break;
        if (k->p && k->p->cancelled && atomic_load(k->p->cancelled))
            st = err_set(err, STATUS_CANCELLED, "interrupted");
        else
            st = fs_write_fd(to, "the copy", str_make(piece, (size_t)n), err);
        e->bytes += n;
        if (k->p && k->p->step)
            k->p->step(k->p->arg, (uint64_t)(k->done + e->bytes), (uint64_t)MAX(k->all, k->done + e->bytes));
    }
    arena_free(a);
    if (st == STATUS_OK && fsync(to) != 0)
        st = err_sys(err, STATUS_IO, errno, "cannot write the copy of %.*s", STR_ARG(e->path));
    return st;
}

/* What is open becomes an object; e->bytes and e->sha256 are those of the object. */
static enum status store(struct take *k, int from, struct tree_entry *e, struct err *err)
{
    enum status st = hash_of(from, e, err);
    if (st != STATUS_OK || is_stored(k, e))
        return st;
    unlinkat(k->objects, PART, 0);
    int to = openat(k->objects, PART, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (to < 0)
        return err_sys(err, errno == ENOSPC ? STATUS_DISK_FULL : STATUS_IO, errno, "cannot write the copy of %.*s",
                       STR_ARG(e->path));
    st = copy_all(k, from, to, e, err);
    if (st == STATUS_OK)
        st = hash_of(to, e, err); /* of what lies there now */
    close(to);
    if (st == STATUS_OK && renameat(k->objects, PART, k->objects, e->sha256) != 0)
        st = err_sys(err, STATUS_IO, errno, "cannot write the copy of %.*s", STR_ARG(e->path));
    if (st != STATUS_OK)
        unlinkat(k->objects, PART, 0);
    return st;
}

/* *ret_gone: it went away since the walk. */
static enum status store_file(struct take *k, struct tree_entry *e, bool *ret_gone, struct err *err)
{
    struct stat now, after;
    enum status st = STATUS_OK;
    int fd = tree_open_below(k->root, e->path, O_RDONLY);
    bool file = fd >= 0 && fstat(fd, &now) == 0 && S_ISREG(now.st_mode);
    *ret_gone = fd < 0 ? errno == ENOENT || errno == ELOOP || errno == ENOTDIR : !file;
    if (fd < 0 && !*ret_gone)
        return err_sys(err, STATUS_IO, errno, "cannot read %.*s", STR_ARG(e->path));
    for (int i = 0; file && st == STATUS_OK && i < TRIES; i++) {
        e->bytes = (int64_t)now.st_size;
        e->mode = now.st_mode & 07777;
        e->mtime_ns = ns_of(now.st_mtim);
        e->ctime_ns = ns_of(now.st_ctim);
        if (!e->damaged && has_not_changed(k, e))
            break;
        bool fresh = clock_unix_us() - e->ctime_ns / 1000 < FRESH_US;
        st = store(k, fd, e, err);
        bool same = fstat(fd, &after) == 0 && ns_of(after.st_ctim) == ns_of(now.st_ctim);
        if (fresh || !same)
            e->ctime_ns = 0; /* a later change could bear the same time: to be read again next time */
        if (same)
            break;
        now = after;
    }
    if (fd >= 0)
        close(fd);
    return st;
}

static bool is_used(const struct take *k, str name)
{
    for (size_t i = 0; i < k->o->used_count; i++)
        if (str_eq(k->o->used[i], name))
            return true;
    for (size_t i = 0; i < k->names->v.count; i++)
        if (str_eq(k->names->v.items[i], name))
            return true;
    return str_eq(k->name, name);
}

/* "data/things.db" is "things"; where that is another's, "things.db", then a name that says nothing. */
static str name_for(const struct take *k, str path)
{
    size_t slash = str_rfind_char(path, '/');
    str base = slash == STR_NPOS ? path : str_from(path, slash + 1);
    size_t dot = str_rfind_char(base, '.');
    str stem = dot == STR_NPOS || !dot ? base : str_sub(base, 0, dot);
    char hex[DIGEST_HEX_MAX];
    if (shelf_name_check(stem, NULL) == STATUS_OK && !is_used(k, stem))
        return stem;
    if (shelf_name_check(base, NULL) == STATUS_OK && !is_used(k, base))
        return base;
    digest_sha256_hex(path, hex);
    return arena_printf(k->a, "database-%.16s", hex);
}

/* The copy that backup_take checked is the object: another name of the same file where the disk can do that. */
static enum status store_database(struct take *k, struct tree_entry *e, struct err *err)
{
    struct backup b;
    str name = name_for(k, e->path);
    struct copy_progress quiet = {.cancelled = k->p ? k->p->cancelled : NULL};
    enum status st =
        backup_take(k->a, ARENA_CAT(k->a, k->o->source, STR("/"), e->path), k->folder, name, &quiet, &b, err);
    if (st != STATUS_OK)
        return err_prefix(err, "%.*s", STR_ARG(e->path));
    VEC_PUSH(k->a, &k->names->v, name);
    e->bytes = b.size_bytes;
    memcpy(e->sha256, b.sha256.p, b.sha256.n);
    if (is_stored(k, e) || linkat(AT_FDCWD, arena_cstr(k->a, b.file), k->objects, e->sha256, 0) == 0)
        return STATUS_OK;
    int fd;
    st = fs_open(arena_cstr(k->a, b.file), O_RDONLY | O_NOFOLLOW, 0, &fd, err);
    if (st != STATUS_OK)
        return st;
    st = store(k, fd, e, err);
    close(fd);
    return st;
}

static enum status store_one(struct take *k, struct tree_entry *e, bool *ret_gone, struct err *err)
{
    struct err why = ERR_INIT;
    enum status st = STATUS_OK;
    *ret_gone = false;
    if (e->kind == TREE_DATABASE) {
        st = store_database(k, e, &why);
        if (st == STATUS_OK)
            return st;
        if (st == STATUS_CANCELLED || st == STATUS_DISK_FULL) {
            *err = why;
            return st;
        }
        if (k->damage.status == STATUS_OK)
            k->damage = why;
        e->damaged = true; /* its bytes are better than nothing */
        e->kind = TREE_FILE;
        st = STATUS_OK;
    }
    if (e->kind == TREE_FILE)
        st = store_file(k, e, ret_gone, err);
    return st;
}

static enum status store_all(struct take *k, struct err *err)
{
    enum status st = STATUS_OK;
    size_t n = 0;
    for (size_t i = 0; st == STATUS_OK && i < k->found.count; i++) {
        struct tree_entry *e = &k->found.items[i];
        int64_t was = e->bytes;
        bool gone;
        if (k->p && k->p->cancelled && atomic_load(k->p->cancelled))
            return err_set(err, STATUS_CANCELLED, "interrupted");
        st = store_one(k, e, &gone, err);
        k->done += was;
        if (st == STATUS_OK && e->kind != TREE_FOLDER && FAULT("tree.stored"))
            st = err_set(err, STATUS_IO, "the folder cannot be written");
        if (k->p && k->p->step)
            k->p->step(k->p->arg, (uint64_t)k->done, (uint64_t)MAX(k->all, k->done));
        if (gone)
            continue;
        k->tree.bytes += e->bytes;
        k->found.items[n++] = *e;
    }
    k->tree.entries = k->found.items;
    k->tree.count = n;
    return st;
}

/* ---- the .tree ---- */

static str escape(struct arena *a, str path)
{
    bool text = utf8_valid(path);
    struct buf b;
    buf_init(&b, 3 * (size_t)LIMIT_BACKUP_PATH + 16);
    for (size_t i = 0; i < path.n; i++) {
        unsigned char c = (unsigned char)path.p[i];
        if (c == '%' || c < 0x20 || c == 0x7f || (c >= 0x80 && !text))
            buf_printf(&b, "%%%02x", c);
        else
            buf_putc(&b, path.p[i]);
    }
    str out = arena_str(a, buf_str(&b));
    buf_release(&b);
    return out;
}

static struct value entry_value(struct arena *a, const struct tree_entry *e)
{
    static const char *const kinds[] = {[TREE_FOLDER] = "folder", [TREE_FILE] = "file", [TREE_DATABASE] = "database"};
    struct value v = value_dict(a);
    VALUE_SET(v, "path", value_str(escape(a, e->path)));
    VALUE_SET(v, "kind", value_cstr(kinds[e->kind]));
    VALUE_SET(v, "mode", value_int(e->mode));
    VALUE_SET(v, "mtime_ns", value_int(e->mtime_ns));
    if (e->kind == TREE_FOLDER)
        return v;
    VALUE_SET(v, "ctime_ns", value_int(e->ctime_ns));
    VALUE_SET(v, "bytes", value_int(e->bytes));
    VALUE_SET(v, "sha256", value_cstr(e->sha256));
    if (e->damaged)
        VALUE_SET(v, "damaged", value_bool(true));
    return v;
}

static enum status write_tree(struct take *k, struct err *err)
{
    struct value v = value_dict(k->a), entries = value_list(k->a);
    struct buf text;
    const struct tree *t = &k->tree;
    for (size_t i = 0; i < t->count; i++)
        value_push(entries, entry_value(k->a, &t->entries[i]));
    VALUE_SET(v, "taken", value_str(t->taken));
    VALUE_SET(v, "source", value_str(escape(k->a, t->source)));
    VALUE_SET(v, "bytes", value_int(t->bytes));
    VALUE_SET(v, "left_out", value_int(t->left_out));
    VALUE_SET(v, "entries", entries);
    buf_init(&text, LIMIT_BACKUP_MANIFEST);
    value_to_json_indent(&text, v, VALUE_JSON_UTF8, 1);
    buf_putc(&text, '\n');
    str path = shelf_path(k->a, k->folder, k->name, ARENA_CAT(k->a, t->id, STR(".tree")));
    enum status st = text.over ? err_set(err, STATUS_TOO_LARGE, "its list of files is longer than %d bytes",
                                         (int)LIMIT_BACKUP_MANIFEST)
                               : fs_write_atomic(arena_cstr(k->a, path), buf_str(&text), 0644, err);
    buf_release(&text);
    return st;
}

/* ---- the whole ---- */

/* What the newest one holds need not be read again; where it cannot be read, all is. */
static void read_before(struct take *k, int shelf)
{
    str *ids;
    size_t count;
    if (tree_ids(k->a, k->folder, k->name, &ids, &count, NULL) != STATUS_OK || !count ||
        tree_read(k->a, shelf, ids[count - 1], &k->before, NULL) != STATUS_OK)
        k->before = (struct tree){0};
}

static enum status take_all(struct take *k, struct err *err)
{
    int shelf = -1, root = -1;
    enum status st = tree_open(k->a, k->folder, k->name, &shelf, err);
    if (st == STATUS_OK && mkdirat(shelf, "objects", 0755) != 0 && errno != EEXIST)
        st = err_sys(err, STATUS_IO, errno, "cannot make a folder in %.*s", STR_ARG(k->folder));
    k->objects = st == STATUS_OK ? openat(shelf, "objects", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
    if (st == STATUS_OK && k->objects < 0)
        st = err_sys(err, STATUS_IO, errno, "cannot open a folder in %.*s", STR_ARG(k->folder));
    if (st == STATUS_OK)
        st = fs_open(arena_cstr(k->a, k->o->source), O_RDONLY | O_DIRECTORY, 0, &root, err);
    k->root = root;
    struct stat own;
    if (st == STATUS_OK && stat(arena_cstr(k->a, k->folder), &own) == 0) {
        k->own_dev = own.st_dev;
        k->own_ino = own.st_ino;
    }
    if (st == STATUS_OK)
        read_before(k, shelf);
    int again = st == STATUS_OK ? fcntl(root, F_DUPFD_CLOEXEC, 0) : -1;
    if (st == STATUS_OK)
        st = walk(k, again, (str){0}, 0, err);
    if (st == STATUS_OK && k->found.count)
        qsort(k->found.items, k->found.count, sizeof *k->found.items, by_path);
    if (st == STATUS_OK)
        st = store_all(k, err);
    if (st == STATUS_OK && fsync(k->objects) != 0)
        st = err_sys(err, STATUS_IO, errno, "cannot write %.*s", STR_ARG(k->folder));
    if (st == STATUS_OK && FAULT("tree.taken"))
        st = err_set(err, STATUS_IO, "the folder cannot be written");
    if (st == STATUS_OK)
        st = write_tree(k, err);
    const int fds[] = {shelf, k->objects, root};
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    return st;
}

enum status tree_take(struct arena *a, const struct tree_take *o, str folder, str name, const struct copy_progress *p,
                      struct tree *ret, struct shelf_names *ret_names, struct err *err)
{
    int lock;
    *ret_names = (struct shelf_names){0};
    struct take k = {.a = a, .o = o, .folder = folder, .name = name, .p = p, .names = ret_names, .damage = ERR_INIT};
    enum status st = shelf_begin(a, folder, name, &lock, &k.tree.id, &k.tree.taken, err);
    if (st != STATUS_OK)
        return st;
    k.tree.source = o->source;
    st = take_all(&k, err);
    close(lock);
    if (st != STATUS_OK)
        return st;
    *ret = k.tree;
    if (k.damage.status == STATUS_OK)
        return st;
    if (err)
        *err = k.damage;
    return STATUS_CORRUPT;
}
