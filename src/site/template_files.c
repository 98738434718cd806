/* SPDX-License-Identifier: Apache-2.0 */
/* template_files — a folder of templates that may change at any time.
 *
 * Finished answers are kept while the data stays the same; a template that changed must drop them at once. So every
 * kept answer remembers the generation it was made under, and asking for the generation must be cheap enough to do it
 * for each request that the cache answers: one read() of an empty queue (rt/changes). The kernel queues an event before
 * the system call that made the change returns, so the next request sees it. What it does not report (folders behind
 * links, network file systems, no watches left) is found by walking the folder, once a second at most.
 *
 * Invariants: (1) the generation only grows; (2) it grew when a walk found another digest of names, sizes, times and
 * inodes, or when an event came; (3) patterns are those of the last walk, made after the events that led to it.
 * Not here: what a template holds (render/templates.c). Tests: tests/unit/site/test_template_files.c. */
#include "site/template_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/mem.h"
#include "rt/changes.h"

#define WALK_US 1000000

struct template_files {
    char *dir;               /* NULL = none */
    struct changes *changes; /* NULL = not available */
    pthread_mutex_t lock;
    _Atomic uint64_t generation;
    uint64_t digest;
    int64_t next_walk_us;
    bool warned;         /* of too many files */
    struct arena *names; /* of `patterns` */
    str *patterns;
    size_t pattern_count, pattern_cap;
};

static uint64_t mix(uint64_t h, uint64_t v)
{
    h ^= v + 0x9E3779B97F4A7C15u + (h << 6) + (h >> 2);
    return h * 0xD6E8FEB86659FD93u;
}

static uint64_t stat_digest(const struct stat *st)
{
    uint64_t h = mix((uint64_t)st->st_mtim.tv_sec, (uint64_t)st->st_mtim.tv_nsec);
    return mix(mix(h, (uint64_t)st->st_ino), (uint64_t)st->st_size);
}

/* ---- the walk ---- */

struct walk {
    struct template_files *f;
    uint64_t digest;
    size_t left; /* entries that may still be looked at */
    bool over;   /* there are more */
};

static void note_pattern(struct template_files *f, str name)
{
    if (!str_starts(name, STR("pages/")) || !str_ends(name, STR(".html")) || str_find_char(name, '{') == STR_NPOS)
        return;
    if (f->pattern_count == f->pattern_cap) {
        size_t cap = f->pattern_cap ? f->pattern_cap * 2 : 16;
        f->patterns = mem_resize(f->patterns, cap, sizeof *f->patterns);
        f->pattern_cap = cap;
    }
    f->patterns[f->pattern_count++] = arena_str(f->names, name);
}

/* name: of the folder below the top, with a slash at its end, or empty. The sum of the entries' digests does not depend
 * on the order that readdir gives. */
static void walk_folder(struct walk *w, int parent, const char *entry, str name, int depth)
{
    struct template_files *f = w->f;
    int fd = openat(parent, entry, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (depth ? O_NOFOLLOW : 0));
    if (fd < 0)
        return;
    const char *path = arena_cstr(f->names, ARENA_CAT(f->names, str_of(f->dir), STR("/"), name));
    if (f->changes)
        (void)changes_add(f->changes, path); /* no watch left: the next walk sees the change */
    DIR *d = fdopendir(fd);
    if (!d) {
        close(fd);
        return;
    }
    for (const struct dirent *e; !w->over && (e = readdir(d));) {
        struct stat st;
        if (e->d_name[0] == '.' || fstatat(dirfd(d), e->d_name, &st, 0) != 0)
            continue;
        w->over = !w->left;
        if (w->over)
            break;
        w->left--;
        str below = ARENA_CAT(f->names, name, str_of(e->d_name));
        w->digest += mix(str_hash(below), S_ISDIR(st.st_mode) ? 1 : stat_digest(&st));
        if (S_ISREG(st.st_mode))
            note_pattern(f, below);
        else if (S_ISDIR(st.st_mode) && depth < LIMIT_WATCH_DEPTH)
            walk_folder(w, dirfd(d), e->d_name, ARENA_CAT(f->names, below, STR("/")), depth + 1);
    }
    closedir(d);
}

static int by_name(const void *x, const void *y)
{
    return str_cmp(*(const str *)x, *(const str *)y);
}

/* Returns true when something is not as it was. */
static bool walk(struct template_files *f)
{
    struct walk w = {.f = f, .left = LIMIT_TEMPLATE_FILES};
    arena_reset(f->names);
    f->pattern_count = 0;
    walk_folder(&w, AT_FDCWD, f->dir, STR(""), 0);
    if (w.over && !f->warned)
        log_line(LOG_WARN, "site", "%s has more than %d files: some addresses of pages/ and changes go unnoticed",
                 f->dir, LIMIT_TEMPLATE_FILES);
    f->warned = w.over;
    if (f->pattern_count)
        qsort(f->patterns, f->pattern_count, sizeof *f->patterns, by_name);
    bool changed = w.digest != f->digest;
    f->digest = w.digest;
    f->next_walk_us = clock_mono_us() + WALK_US;
    return changed;
}

static void look(struct template_files *f)
{
    bool told = f->changes && changes_any(f->changes);
    if (!told && clock_mono_us() < f->next_walk_us)
        return;
    bool changed = walk(f);
    if (told || changed)
        atomic_fetch_add(&f->generation, 1);
}

/* ---- */

enum status template_files_new(str dir, struct template_files **ret, struct err *err)
{
    struct stat st;
    struct template_files *f = mem_alloc(sizeof *f);
    if (dir.n)
        f->dir = mem_cstr(dir);
    pthread_mutex_init(&f->lock, NULL);
    enum status status = STATUS_OK;
    if (f->dir && stat(f->dir, &st) != 0) {
        err_sys(err, STATUS_IO, errno, "cannot use the template directory %s", f->dir);
        status = err_hint(err, "Check the spelling of the name, or leave --template-dir out.");
    } else if (f->dir && !S_ISDIR(st.st_mode)) {
        status = err_set(err, STATUS_INVALID, "--template-dir %s is no directory", f->dir);
    }
    if (status != STATUS_OK) {
        template_files_free(f);
        return status;
    }
    if (f->dir) {
        f->names = arena_new(0);
        struct err why = ERR_INIT;
        if (changes_new(&f->changes, &why) != STATUS_OK)
            log_line(LOG_WARN, "site", "changed templates are noticed within a second only: %s", why.text);
        walk(f);
        atomic_store(&f->generation, 1);
    }
    *ret = f;
    return STATUS_OK;
}

void template_files_free(struct template_files *f)
{
    if (!f)
        return;
    changes_free(f->changes);
    arena_free(f->names);
    free(f->patterns);
    free(f->dir);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

static bool name_is_safe(str name)
{
    if (!name.n || name.p[0] == '/' || memchr(name.p, 0, name.n))
        return false;
    for (str rest = name, part; rest.n;) {
        str_cut(rest, '/', &part, &rest);
        if (str_is(part, ".."))
            return false;
    }
    return true;
}

bool template_files_find(struct template_files *f, str name, struct arena *a, const char **ret_path,
                         uint64_t *ret_stamp)
{
    struct stat st;
    if (!f->dir || !name_is_safe(name))
        return false;
    const char *path = arena_cstr(a, ARENA_CAT(a, str_of(f->dir), STR("/"), name));
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return false;
    *ret_path = path;
    *ret_stamp = mix(stat_digest(&st), atomic_load(&f->generation));
    return true;
}

uint64_t template_files_generation(struct template_files *f)
{
    if (!f->dir)
        return 0;
    pthread_mutex_lock(&f->lock);
    look(f);
    uint64_t generation = atomic_load(&f->generation);
    pthread_mutex_unlock(&f->lock);
    return generation;
}

size_t template_files_patterns(struct template_files *f, struct arena *a, str **ret_names)
{
    *ret_names = NULL;
    if (!f->dir)
        return 0;
    pthread_mutex_lock(&f->lock);
    look(f);
    size_t n = f->pattern_count;
    *ret_names = ARENA_ARRAY(a, str, n + 1);
    for (size_t i = 0; i < n; i++)
        (*ret_names)[i] = arena_str(a, f->patterns[i]);
    pthread_mutex_unlock(&f->lock);
    return n;
}
