/* SPDX-License-Identifier: Apache-2.0 */
/* tree — what a backup of a folder is, and reading it. Taking one is tree_take.c, bringing one back tree_restore.c.
 *
 * A content is written as objects/.part, synced, hashed as it lies on the disk and renamed to that hash: so an object
 * is whole or not there, and a run after a killed one finds it. The .tree is written when all of its objects are.
 * Removing goes the other way: first .tree, then the objects that no .tree names.
 *
 * Invariants
 * 1. Beside every .tree stand all of its objects.
 * 2. An object is never written again: those of two backups may be one file, and a database's is a link to its backup.
 * 3. A path of a .tree stays below the folder, whoever wrote the .tree: a hub reads those of its spaces.
 *
 * Not here: owners, links, extended attributes. Fault points: tree.stored, tree.taken, tree.restored. Tests:
 * tests/replicate/test_tree.py, tests/fuzz/fuzz_tree.c. */
#include "replicate/tree.h"

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

#define SUFFIX ".tree"

/* ---- files ---- */

int tree_open_below(int root, str path, int flags)
{
    int at = root, fd = -1;
    char part[256];
    for (;;) {
        size_t slash = str_find_char(path, '/'), n = slash == STR_NPOS ? path.n : slash;
        bool last = slash == STR_NPOS;
        if (!n || n >= sizeof part) {
            errno = ENAMETOOLONG;
            fd = -1;
        } else {
            memcpy(part, path.p, n);
            part[n] = '\0';
            fd = openat(at, part, (last ? flags : O_RDONLY | O_DIRECTORY) | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
        }
        int why = errno;
        if (at != root)
            close(at);
        errno = why;
        if (fd < 0 || last)
            return fd;
        at = fd;
        path = str_from(path, n + 1);
    }
}

bool tree_is_database(int fd)
{
    char head[16];
    return pread(fd, head, sizeof head, 0) == (ssize_t)sizeof head && memcmp(head, "SQLite format 3", 16) == 0;
}

enum status tree_open(struct arena *a, str folder, str name, int *ret_shelf, struct err *err)
{
    enum status st = shelf_name_check(name, err);
    return st == STATUS_OK ? fs_open(arena_cstr(a, ARENA_CAT(a, folder, STR("/"), name)),
                                     O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, ret_shelf, err)
                           : st;
}

enum status tree_ids(struct arena *a, str folder, str name, str **ret, size_t *ret_count, struct err *err)
{
    struct shelf_names names;
    size_t n = 0;
    enum status st = shelf_name_check(name, err);
    if (st == STATUS_OK)
        st = shelf_entries(a, ARENA_CAT(a, folder, STR("/"), name), &names, err);
    if (st != STATUS_OK)
        return st;
    for (size_t i = 0; i < names.v.count; i++) {
        str one = names.v.items[i];
        if (str_ends(one, STR(SUFFIX)) && shelf_is_id(str_sub(one, 0, one.n - strlen(SUFFIX))))
            names.v.items[n++] = str_sub(one, 0, one.n - strlen(SUFFIX));
    }
    *ret = names.v.items;
    *ret_count = n;
    return STATUS_OK;
}

/* ---- the .tree ---- */

static int hex_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "%41" stands for a byte that JSON could not hold: the writer's side is in tree_take.c. False: none of ours. */
static bool unescape(struct arena *a, str text, str *ret)
{
    char *out = arena_alloc(a, text.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        out[n] = text.p[i];
        if (text.p[i] == '%') {
            int high = i + 2 < text.n ? hex_of(text.p[i + 1]) : -1, low = high >= 0 ? hex_of(text.p[i + 2]) : -1;
            if (low < 0)
                return false;
            out[n] = (char)(high * 16 + low);
            i += 2;
        }
        n++;
    }
    out[n] = '\0';
    *ret = str_make(out, n);
    return true;
}

static bool is_path(str path)
{
    if (!path.n || path.n > LIMIT_BACKUP_PATH || memchr(path.p, '\0', path.n))
        return false;
    for (;;) {
        size_t slash = str_find_char(path, '/');
        str part = str_sub(path, 0, slash == STR_NPOS ? path.n : slash);
        if (!part.n || part.n > 255 || str_is(part, ".") || str_is(part, ".."))
            return false;
        if (slash == STR_NPOS)
            return true;
        path = str_from(path, slash + 1);
    }
}

static bool is_hash(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (hex_of(s.p[i]) < 0)
            return false;
    return s.n == DIGEST_HEX_MAX - 1;
}

static bool read_entry(struct arena *a, struct value v, struct tree_entry *e)
{
    static const char *const kinds[] = {[TREE_FOLDER] = "folder", [TREE_FILE] = "file", [TREE_DATABASE] = "database"};
    struct value mode = VALUE_GET(v, "mode"), mtime = VALUE_GET(v, "mtime_ns"), changed = VALUE_GET(v, "ctime_ns"),
                 bytes = VALUE_GET(v, "bytes");
    str kind = value_get_text(v, STR("kind")), hash = value_get_text(v, STR("sha256"));
    bool known = false;
    *e = (struct tree_entry){.damaged = value_truth(VALUE_GET(v, "damaged"))};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (str_is(kind, kinds[i])) {
            e->kind = (enum tree_kind)i;
            known = true;
        }
    }
    if (!known || mode.kind != VALUE_INT || mode.i < 0 || mode.i > 07777 || mtime.kind != VALUE_INT ||
        !unescape(a, value_get_text(v, STR("path")), &e->path) || !is_path(e->path))
        return false;
    e->mode = (unsigned)mode.i;
    e->mtime_ns = mtime.i;
    e->ctime_ns = changed.kind == VALUE_INT ? changed.i : 0;
    if (e->kind == TREE_FOLDER)
        return true;
    if (bytes.kind != VALUE_INT || bytes.i < 0 || !is_hash(hash))
        return false;
    e->bytes = bytes.i;
    memcpy(e->sha256, hash.p, hash.n);
    return true;
}

enum status tree_parse(struct arena *a, str text, struct tree *ret, struct err *err)
{
    struct value v;
    enum status st = value_from_json(a, text, &v, err);
    struct value list = st == STATUS_OK ? VALUE_GET(v, "entries") : VALUE_NULL;
    if (st == STATUS_OK && (list.kind != VALUE_LIST || value_count(list) > (size_t)LIMIT_BACKUP_FILES))
        st = STATUS_INVALID;
    struct tree t = {.count = st == STATUS_OK ? value_count(list) : 0};
    t.entries = ARENA_ARRAY(a, struct tree_entry, t.count + 1);
    for (size_t i = 0; st == STATUS_OK && i < t.count; i++) {
        struct tree_entry *e = &t.entries[i];
        bool sorted = read_entry(a, value_at(list, i), e) && (!i || str_cmp(e[-1].path, e->path) < 0);
        if (!sorted || t.bytes > INT64_MAX - e->bytes)
            st = STATUS_INVALID;
        else
            t.bytes += e->bytes;
    }
    if (st != STATUS_OK)
        return err_set(err, STATUS_CORRUPT, "it is not what vitrine backup writes");
    struct value left = VALUE_GET(v, "left_out");
    t.left_out = left.kind == VALUE_INT ? left.i : 0;
    t.taken = value_get_text(v, STR("taken"));
    t.source = value_get_text(v, STR("source"));
    *ret = t;
    return STATUS_OK;
}

enum status tree_read(struct arena *a, int shelf, str id, struct tree *ret, struct err *err)
{
    char *name = arena_cstr(a, ARENA_CAT(a, id, STR(SUFFIX)));
    struct stat now;
    str text;
    int fd = openat(shelf, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &now) != 0 || !S_ISREG(now.st_mode)) {
        enum status st = err_sys(err, STATUS_IO, fd < 0 ? errno : EINVAL, "cannot read %s", name);
        if (fd >= 0)
            close(fd);
        return st;
    }
    enum status st = fs_read_fd(fd, name, LIMIT_BACKUP_MANIFEST, a, &text, err);
    close(fd);
    if (st == STATUS_OK && (st = tree_parse(a, text, ret, err)) != STATUS_OK)
        err_prefix(err, "%s", name);
    ret->id = id;
    return st;
}

/* ---- contents ---- */

enum status tree_content(int shelf, const struct tree_entry *e, int *ret_fd, struct err *err)
{
    struct stat now;
    int objects = openat(shelf, "objects", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int fd = objects < 0 ? -1 : openat(objects, e->sha256, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    bool ok = fd >= 0 && fstat(fd, &now) == 0 && S_ISREG(now.st_mode) && now.st_size == e->bytes;
    if (objects >= 0)
        close(objects);
    if (ok) {
        *ret_fd = fd;
        return STATUS_OK;
    }
    if (fd >= 0)
        close(fd);
    err_set(err, STATUS_CORRUPT, "the content of %.*s is %s", STR_ARG(e->path), fd < 0 ? "gone" : "of another length");
    return err_hint(err, "Use an older backup, and look after the disk.");
}

/* Out of the way of the next backup, which stores the content again while some file still has it: so what the disk lost
 * comes back by itself. Where we may not write, it stays. */
static void set_aside(int shelf, const char *hash)
{
    char bad[DIGEST_HEX_MAX + 4];
    int objects = openat(shelf, "objects", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    (void)snprintf(bad, sizeof bad, "%s.bad", hash);
    if (objects < 0)
        return;
    (void)!renameat(objects, hash, objects, bad);
    close(objects);
}

static enum status check_one(int shelf, const struct tree_entry *e, struct err *err)
{
    unsigned char raw[DIGEST_RAW_MAX];
    char hex[DIGEST_HEX_MAX];
    size_t n;
    int fd;
    enum status st = tree_content(shelf, e, &fd, err);
    if (st != STATUS_OK)
        return st;
    st = digest_rest(fd, STR("sha256"), raw, &n, err);
    close(fd);
    if (st != STATUS_OK)
        return st;
    digest_to_hex(raw, n, hex);
    if (strcmp(hex, e->sha256) == 0)
        return STATUS_OK;
    set_aside(shelf, e->sha256);
    err_set(err, STATUS_CORRUPT, "the content of %.*s is not what was written: its bytes have changed",
            STR_ARG(e->path));
    return err_hint(err, "Take a backup now: it stores what is still there again. And look after the disk.");
}

enum status tree_check(int shelf, const struct tree *t, const struct copy_progress *p, struct err *err)
{
    enum status st = STATUS_OK;
    int64_t done = 0;
    for (size_t i = 0; st == STATUS_OK && i < t->count; i++) {
        if (p && p->cancelled && atomic_load(p->cancelled))
            return err_set(err, STATUS_CANCELLED, "interrupted");
        if (t->entries[i].kind != TREE_FOLDER)
            st = check_one(shelf, &t->entries[i], err);
        done += t->entries[i].bytes;
        if (p && p->step)
            p->step(p->arg, (uint64_t)done, (uint64_t)t->bytes);
    }
    return st;
}
