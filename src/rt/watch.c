/* SPDX-License-Identifier: Apache-2.0 */
/* watch — inotify, made usable.
 *
 * inotify watches inodes, people mean paths. So a file is watched through its folder (an editor that saves by rename
 * makes a new inode each time), a tree through all its folders, and a folder that went away is looked for once a
 * second.
 *
 * Entries are what the caller added; rows tie an inotify watch to an entry, many to many: inotify gives one number for
 * one inode however often it is added. Events only mark entries; the calls are made when the burst is over
 * (`debounce`), after trees were walked again, so that whoever is called sees a state that is watched already.
 *
 * Invariant: when in doubt (queue overflow, folder gone) an entry counts as changed; nobody is told of a change twice
 * for one burst. Not here: what changed inside a file. Tests: tests/unit/rt/test_watch.c. */
#include "rt/watch.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"

#define RETRY_MS     1000
#define LATEST_TIMES 10 /* a burst without end is reported after this many debounce times */
/* No IN_MODIFY: a database under write load would wake the loop for every page; its readers compare signatures. */
#define FOLDER_MASK                                                                                                    \
    (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF |               \
     IN_MOVE_SELF | IN_ONLYDIR | IN_MASK_ADD)

struct entry {
    char *path;       /* as given */
    char *folder;     /* what is watched: the path itself, or the file's folder */
    const char *name; /* of the file inside the folder; NULL for folders and trees */
    enum watch_kind kind;
    bool changed;
    bool rescan;  /* a tree got a new folder */
    bool missing; /* nothing is watched: look again later */
};

struct row {
    int wd;
    unsigned entry;
};

struct watch {
    struct loop *loop;
    struct loop_fd *fd_watch;
    int fd;
    bool freed;
    int debounce_ms;
    void (*fn)(void *arg, unsigned id);
    void *arg;
    struct loop_timer debounce, retry;
    int64_t burst_us; /* when the burst began; 0 = none */
    struct entry *entries;
    unsigned entry_count, entry_cap;
    struct row *rows;
    size_t row_count, row_cap;
};

/* ---- rows ---- */

static void row_add(struct watch *w, int wd, unsigned entry)
{
    for (size_t i = 0; i < w->row_count; i++)
        if (w->rows[i].wd == wd && w->rows[i].entry == entry)
            return;
    if (w->row_count == w->row_cap) {
        size_t cap = w->row_cap ? w->row_cap * 2 : 16;
        struct row *rows = mem_resize(w->rows, cap, sizeof(*rows));
        w->rows = rows;
        w->row_cap = cap;
    }
    w->rows[w->row_count++] = (struct row){wd, entry};
}

/* The inode behind wd is gone or moved away: its entries have changed, and those left without a row are missing. */
static void rows_drop(struct watch *w, int wd)
{
    size_t kept = 0;
    for (size_t i = 0; i < w->row_count; i++) {
        if (w->rows[i].wd == wd) {
            struct entry *e = &w->entries[w->rows[i].entry];
            e->changed = true;
            e->missing |= e->kind != WATCH_TREE;
            e->rescan |= e->kind == WATCH_TREE;
        } else {
            w->rows[kept++] = w->rows[i];
        }
    }
    w->row_count = kept;
}

static enum status add_folder(struct watch *w, unsigned id, const char *folder, struct err *err)
{
    int wd = inotify_add_watch(w->fd, folder, FOLDER_MASK);
    if (wd < 0) {
        int saved = errno;
        enum status st = err_sys(err, STATUS_IO, saved, "cannot watch '%s'", folder);
        if (saved == ENOSPC) {
            st = err_set(err, STATUS_IO, "cannot watch '%s': the limit of watched folders is reached", folder);
            err_hint(err, "raise it with: sysctl fs.inotify.max_user_watches=65536");
        }
        return st;
    }
    row_add(w, wd, id);
    return STATUS_OK;
}

/* ---- trees ---- */

static bool is_folder(const char *path, const struct dirent *d)
{
    struct stat st;
    if (d->d_type != DT_UNKNOWN)
        return d->d_type == DT_DIR;
    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Folders below that vanish while we walk are no error; the walk that their parent's event asks for sets it right. */
static enum status add_tree(struct watch *w, unsigned id, const char *folder, int depth, struct err *err)
{
    if (w->row_count >= (size_t)LIMIT_WATCH_FOLDERS)
        return err_set(err, STATUS_TOO_LARGE, "cannot watch '%s': more than %d folders", folder, LIMIT_WATCH_FOLDERS);
    enum status st = add_folder(w, id, folder, err);
    if (st != STATUS_OK || depth >= LIMIT_WATCH_DEPTH)
        return st;
    DIR *dir = opendir(folder);
    if (!dir)
        return STATUS_OK;
    const struct dirent *d;
    while (st == STATUS_OK && (d = readdir(dir)) != NULL) {
        char path[PATH_MAX];
        if (d->d_name[0] == '.' || snprintf(path, sizeof(path), "%s/%s", folder, d->d_name) >= (int)sizeof(path))
            continue;
        if (!is_folder(path, d))
            continue;
        st = add_tree(w, id, path, depth + 1, err);
        if (st == STATUS_NOT_FOUND || st == STATUS_FORBIDDEN)
            st = STATUS_OK;
    }
    closedir(dir);
    return st;
}

static enum status attach(struct watch *w, unsigned id, struct err *err)
{
    struct entry *e = &w->entries[id];
    enum status st = e->kind == WATCH_TREE ? add_tree(w, id, e->folder, 0, err) : add_folder(w, id, e->folder, err);
    e->missing = st != STATUS_OK;
    e->rescan = false;
    return st;
}

/* ---- events ---- */

static void touch(struct watch *w)
{
    int64_t now_us = loop_now_us(w->loop);
    int64_t debounce_us = (int64_t)w->debounce_ms * 1000;
    if (w->burst_us == 0)
        w->burst_us = now_us;
    loop_timer_at(w->loop, &w->debounce, MIN(now_us + debounce_us, w->burst_us + LATEST_TIMES * debounce_us));
}

static void mark_name(struct watch *w, const struct inotify_event *ev)
{
    bool any = false;
    for (size_t i = 0; i < w->row_count; i++) {
        struct entry *e = &w->entries[w->rows[i].entry];
        if (w->rows[i].wd != ev->wd || (e->name && (ev->len == 0 || strcmp(e->name, ev->name) != 0)))
            continue;
        e->changed = true;
        e->rescan |= e->kind == WATCH_TREE && (ev->mask & IN_ISDIR) && (ev->mask & (IN_CREATE | IN_MOVED_TO));
        any = true;
    }
    if (any)
        touch(w);
}

static void on_event(struct watch *w, const struct inotify_event *ev)
{
    if (ev->mask & IN_Q_OVERFLOW) {
        for (unsigned i = 0; i < w->entry_count; i++) {
            w->entries[i].changed = true;
            w->entries[i].rescan |= w->entries[i].kind == WATCH_TREE;
        }
        touch(w);
    } else if (ev->mask & (IN_IGNORED | IN_MOVE_SELF)) {
        if (ev->mask & IN_MOVE_SELF)
            inotify_rm_watch(w->fd, ev->wd);
        rows_drop(w, ev->wd);
        touch(w);
    } else {
        mark_name(w, ev);
    }
}

static void on_readable(void *arg, unsigned events)
{
    struct watch *w = arg;
    (void)events;
    _Alignas(struct inotify_event) char data[16 * 1024];
    ssize_t n = read(w->fd, data, sizeof(data));
    for (ssize_t at = 0; at < n;) {
        const struct inotify_event *ev = (const void *)(data + at);
        on_event(w, ev);
        at += (ssize_t)(sizeof(*ev) + ev->len);
    }
}

static void arm_retry(struct watch *w)
{
    for (unsigned i = 0; i < w->entry_count; i++)
        if (w->entries[i].missing && !loop_timer_armed(&w->retry))
            loop_timer_after_ms(w->loop, &w->retry, RETRY_MS);
}

static void on_debounce(void *arg)
{
    struct watch *w = arg;
    w->burst_us = 0;
    for (unsigned i = 0; i < w->entry_count; i++)
        if (w->entries[i].missing || w->entries[i].rescan)
            (void)attach(w, i, NULL);
    arm_retry(w);
    for (unsigned i = 0; i < w->entry_count && !w->freed; i++) {
        if (!w->entries[i].changed)
            continue;
        w->entries[i].changed = false;
        w->fn(w->arg, i);
    }
}

static void on_retry(void *arg)
{
    struct watch *w = arg;
    for (unsigned i = 0; i < w->entry_count; i++) {
        if (w->entries[i].missing && attach(w, i, NULL) == STATUS_OK) {
            w->entries[i].changed = true;
            touch(w);
        }
    }
    arm_retry(w);
}

/* ---- public ---- */

enum status watch_new(struct loop *loop, int debounce_ms, void (*fn)(void *arg, unsigned id), void *arg,
                      struct watch **ret, struct err *err)
{
    struct watch *w = mem_alloc(sizeof(*w));
    *w = (struct watch){.loop = loop, .debounce_ms = debounce_ms, .fn = fn, .arg = arg};
    loop_timer_init(&w->debounce, on_debounce, w);
    loop_timer_init(&w->retry, on_retry, w);
    w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    enum status st;
    if (w->fd < 0) {
        st = err_sys(err, STATUS_IO, errno, "cannot watch files");
        err_hint(err, "raise the limit with: sysctl fs.inotify.max_user_instances=512");
    } else {
        st = loop_add_fd(loop, w->fd, LOOP_READ, on_readable, w, &w->fd_watch, err);
    }
    if (st != STATUS_OK) {
        if (w->fd >= 0)
            close(w->fd);
        free(w);
        return st;
    }
    *ret = w;
    return STATUS_OK;
}

static void release_memory(void *arg)
{
    struct watch *w = arg;
    for (unsigned i = 0; i < w->entry_count; i++) {
        free(w->entries[i].path);
        free(w->entries[i].folder);
    }
    free(w->entries);
    free(w->rows);
    free(w);
}

void watch_free(struct watch *w)
{
    if (!w)
        return;
    w->freed = true;
    loop_timer_cancel(w->loop, &w->debounce);
    loop_timer_cancel(w->loop, &w->retry);
    loop_remove_fd(w->loop, w->fd_watch);
    close(w->fd);
    loop_defer(w->loop, release_memory, w);
}

static void split_path(struct entry *e, enum watch_kind kind)
{
    char *slash = strrchr(e->path, '/');
    if (kind != WATCH_FILE) {
        e->folder = mem_cstr(str_of(e->path));
    } else if (!slash) {
        e->name = e->path;
        e->folder = mem_cstr(str_of("."));
    } else {
        e->name = slash + 1;
        e->folder = slash == e->path ? mem_cstr(str_of("/")) : mem_cstr(str_make(e->path, (size_t)(slash - e->path)));
    }
}

enum status watch_add(struct watch *w, str path, enum watch_kind kind, unsigned *ret_id, struct err *err)
{
    if (path.n == 0 || memchr(path.p, 0, path.n) || (kind == WATCH_FILE && str_ends(path, STR("/"))))
        return err_set(err, STATUS_INVALID, "cannot watch '" STR_FMT "': not the path of a %s", STR_ARG(path),
                       kind == WATCH_FILE ? "file" : "folder");
    if (w->entry_count == w->entry_cap) {
        unsigned cap = w->entry_cap ? w->entry_cap * 2 : 16;
        struct entry *entries = mem_resize(w->entries, cap, sizeof(*entries));
        w->entries = entries;
        w->entry_cap = cap;
    }
    unsigned id = w->entry_count++;
    struct entry *e = &w->entries[id];
    *e = (struct entry){.path = mem_cstr(path), .kind = kind};
    split_path(e, kind);
    enum status st = attach(w, id, err);
    if (st != STATUS_OK) {
        size_t kept = 0; /* a tree may have got some rows before it failed */
        for (size_t i = 0; i < w->row_count; i++)
            if (w->rows[i].entry != id)
                w->rows[kept++] = w->rows[i];
        w->row_count = kept;
        free(e->path);
        free(e->folder);
        w->entry_count--;
        return st;
    }
    if (ret_id)
        *ret_id = id;
    return STATUS_OK;
}
