/* SPDX-License-Identifier: Apache-2.0 */
#include "site/space/disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
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
    atomic_llong used;       /* at the last look, and what came since */
    atomic_llong looked_us;  /* 0 = never */
    pthread_mutex_t looking; /* one at a time; the others take the last figure */
};

struct space_disk *space_disk_new(str folder)
{
    struct space_disk *d = MEM_NEW(struct space_disk);
    d->folder = mem_cstr(folder);
    pthread_mutex_init(&d->looking, NULL);
    return d;
}

void space_disk_free(struct space_disk *d)
{
    if (!d)
        return;
    pthread_mutex_destroy(&d->looking);
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

static void look(struct space_disk *d)
{
    int64_t now = clock_mono_us(), last = atomic_load(&d->looked_us);
    if ((last && now - last < LOOK_US) || pthread_mutex_trylock(&d->looking) != 0)
        return;
    atomic_store(&d->used, size_of(AT_FDCWD, d->folder, 0));
    atomic_store(&d->looked_us, clock_mono_us());
    pthread_mutex_unlock(&d->looking);
}

int64_t space_disk_left(struct space_disk *d, const struct space *sp)
{
    if (!d || !sp || !sp->disk_bytes)
        return INT64_MAX;
    look(d);
    return sp->disk_bytes - atomic_load(&d->used);
}

void space_disk_add(struct space_disk *d, int64_t bytes)
{
    if (d)
        atomic_fetch_add(&d->used, bytes);
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

enum status space_disk_check(const struct request *rq, struct err *err)
{
    int64_t left = space_disk_left(rq->site->shared->disk, rq->space);
    int64_t brings = MAX(length_of(rq, STR("content-length")), length_of(rq, STR("upload-length")));
    if (left <= 0)
        return space_disk_passed(rq->space, err);
    if (brings <= left)
        return STATUS_OK;
    err_set(err, STATUS_TOO_LARGE, "This is %.1f MB, and there is room for %.1f MB more in this space",
            megabytes(brings), megabytes(left));
    return err_hint(err, "Delete what is not needed, or ask at %.*s for a larger quota.", STR_ARG(rq->space->hub));
}
