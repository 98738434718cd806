/* SPDX-License-Identifier: Apache-2.0 */
#include "site/space/disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "site/request.h"
#include "site/space/space.h"

#define LOOK_US 1000000

struct space_disk {
    char *folder;
    pthread_mutex_t lock;    /* of the figures: what is asked and what is taken are one step, so that two who bring
                                something at the same time cannot pass the quota together */
    int64_t looked_us;       /* 0 = never */
    int64_t base;            /* what the last look saw */
    int64_t came, came_then; /* bytes taken since the start; those that had come when that look began */
    int64_t held;            /* of what no look can see: bodies that are not in the folder yet */
    pthread_mutex_t looking; /* one at a time; the others take the last figure */
};

struct space_disk *space_disk_new(str folder)
{
    struct space_disk *d = MEM_NEW(struct space_disk);
    d->folder = mem_cstr(folder);
    pthread_mutex_init(&d->looking, NULL);
    pthread_mutex_init(&d->lock, NULL);
    return d;
}

void space_disk_free(struct space_disk *d)
{
    if (!d)
        return;
    pthread_mutex_destroy(&d->looking);
    pthread_mutex_destroy(&d->lock);
    free(d->folder);
    free(d);
}

/* Links are not followed; what goes away meanwhile counts nothing. */
static int64_t size_of(int at, const char *name, int depth)
{
    struct stat st;
    int64_t sum = 0;
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        if (fd >= 0)
            close(fd);
        return 0;
    }
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
            fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (S_ISREG(st.st_mode))
            sum += st.st_size;
        else if (S_ISDIR(st.st_mode) && depth < LIMIT_SPACE_DISK_DEPTH)
            sum += size_of(dirfd(dir), e->d_name, depth + 1);
    }
    closedir(dir);
    return sum;
}

/* What comes while the folders are walked may be counted twice, until the next look; never not at all. */
static void look(struct space_disk *d)
{
    if (pthread_mutex_trylock(&d->looking) != 0)
        return;
    pthread_mutex_lock(&d->lock);
    int64_t came = d->came;
    bool due = !d->looked_us || clock_mono_us() - d->looked_us >= LOOK_US;
    pthread_mutex_unlock(&d->lock);
    if (due) {
        int64_t seen = size_of(AT_FDCWD, d->folder, 0);
        pthread_mutex_lock(&d->lock);
        d->base = seen;
        d->came_then = came;
        d->looked_us = clock_mono_us();
        pthread_mutex_unlock(&d->lock);
    }
    pthread_mutex_unlock(&d->looking);
}

/* Whoever looks just now began before: it is done once more. */
static void look_now(struct space_disk *d)
{
    pthread_mutex_lock(&d->looking);
    pthread_mutex_lock(&d->lock);
    d->looked_us = 0;
    pthread_mutex_unlock(&d->lock);
    pthread_mutex_unlock(&d->looking);
    look(d);
}

static int64_t used_now(const struct space_disk *d) /* under the lock */
{
    return d->base + (d->came - d->came_then) + d->held;
}

int64_t space_disk_left(struct space_disk *d, const struct space *sp)
{
    if (!d || !sp || !sp->disk_bytes)
        return INT64_MAX;
    look(d);
    pthread_mutex_lock(&d->lock);
    int64_t left = sp->disk_bytes - used_now(d);
    pthread_mutex_unlock(&d->lock);
    return left;
}

int64_t space_disk_left_now(struct space_disk *d, const struct space *sp)
{
    if (d && sp && sp->disk_bytes)
        look_now(d);
    return space_disk_left(d, sp);
}

static bool take(struct space_disk *d, const struct space *sp, int64_t bytes, bool hold)
{
    if (!d)
        return true;
    bool limited = sp && sp->disk_bytes;
    if (limited)
        look(d);
    pthread_mutex_lock(&d->lock);
    bool fits = !limited || used_now(d) + bytes <= sp->disk_bytes;
    if (fits)
        *(hold ? &d->held : &d->came) += bytes;
    pthread_mutex_unlock(&d->lock);
    return fits;
}

bool space_disk_take(struct space_disk *d, const struct space *sp, int64_t bytes)
{
    return take(d, sp, bytes, false);
}

bool space_disk_hold(struct space_disk *d, const struct space *sp, int64_t bytes)
{
    return take(d, sp, bytes, true);
}

void space_disk_let(struct space_disk *d, int64_t bytes)
{
    if (!d)
        return;
    pthread_mutex_lock(&d->lock);
    d->held -= bytes;
    d->came += bytes; /* it may lie in the folder now: the next look says */
    pthread_mutex_unlock(&d->lock);
}

static double megabytes(int64_t n)
{
    return (double)MAX(n, 0) / 1e6;
}

enum status space_disk_passed(const struct space *sp, struct err *err)
{
    err_set(err, STATUS_DISK_FULL, "This space has used up the %.1f MB of disk that it may use; nothing was changed",
            megabytes(sp->disk_bytes));
    return err_hint(err, "Delete what is not needed (rows and tables can still be deleted), or ask at %.*s for more.",
                    STR_ARG(sp->hub));
}

static int64_t length_of(const struct request *rq, str name)
{
    int64_t n = 0;
    return str_to_i64(http_header(rq->http, name), &n) ? n : 0;
}

enum status space_disk_room(const struct request *rq, int64_t brings, struct err *err)
{
    int64_t left = space_disk_left(rq->site->shared->disk, rq->space);
    if (left <= 0)
        return space_disk_passed(rq->space, err);
    err_set(err, STATUS_TOO_LARGE,
            "This is %.1f MB, and this space uses %.1f MB of its %.1f MB: there is room for %.1f MB", megabytes(brings),
            megabytes(rq->space->disk_bytes - left), megabytes(rq->space->disk_bytes), megabytes(left));
    return err_hint(err, "Delete what is not needed, or ask at %.*s for a larger quota.", STR_ARG(rq->space->hub));
}

struct held {
    struct site *site;
    int64_t bytes;
};

static void let_go(void *arg)
{
    const struct held *h = arg;
    space_disk_let(h->site->shared->disk, h->bytes);
}

enum status space_disk_check(const struct request *rq, struct err *err)
{
    int64_t brings = MAX(length_of(rq, STR("content-length")), length_of(rq, STR("upload-length")));
    if (space_disk_left(rq->site->shared->disk, rq->space) <= 0)
        return space_disk_passed(rq->space, err);
    if (brings > space_disk_left(rq->site->shared->disk, rq->space))
        return space_disk_room(rq, brings, err);
    return STATUS_OK;
}

enum status space_disk_enter(struct request *rq, struct err *err)
{
    int64_t brings = MAX(length_of(rq, STR("content-length")), 1);
    struct held *h = ARENA_NEW(rq->arena, struct held);
    enum status st = space_disk_check(rq, err);
    if (st != STATUS_OK)
        return st;
    if (!space_disk_hold(rq->site->shared->disk, rq->space, brings))
        return space_disk_room(rq, brings, err);
    *h = (struct held){rq->site, brings};
    arena_defer(rq->arena, let_go, h);
    return STATUS_OK;
}
