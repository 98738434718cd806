/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "rt/fault.h"

/* Once a process is enough: metrics count the rest. */
static void tell_full(int error)
{
    static _Atomic bool told;
    if (!atomic_exchange(&told, true))
        log_line(LOG_WARN, "edge", "uploads pass without being kept: %s; they are lost when their instance ends",
                 error ? strerrordesc_np(error) : "--spool-max is reached");
}

static int open_nameless(const char *folder)
{
    char path[4200];
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT))
        return fd;
    (void)snprintf(path, sizeof(path), "%s/spool-XXXXXX", folder); /* a file system that cannot */
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        (void)unlink(path);
    return fd;
}

struct spool_file *spool_open(struct spool *s)
{
    if (!s || s->max <= 0)
        return NULL;
    int fd = open_nameless(s->folder);
    if (fd < 0) {
        tell_full(errno);
        return NULL;
    }
    struct spool_file *f = MEM_NEW(struct spool_file);
    f->spool = s;
    f->fd = fd;
    return f;
}

bool spool_put(struct spool_file *f, str bytes)
{
    int64_t all =
        atomic_fetch_add_explicit(&f->spool->bytes, (int64_t)bytes.n, memory_order_relaxed) + (int64_t)bytes.n;
    f->n += (int64_t)bytes.n; /* counted also when it fails: spool_close takes it off */
    if (all > f->spool->max) {
        tell_full(0);
        return false;
    }
    int64_t from = f->n - (int64_t)bytes.n;
    for (size_t at = 0; at < bytes.n;) {
        bool full = FAULT("spool.write");
        ssize_t n = full ? -1 : pwrite(f->fd, bytes.p + at, bytes.n - at, from + (int64_t)at);
        if (n < 0 && !full && errno == EINTR)
            continue;
        if (n <= 0) {
            tell_full(full ? ENOSPC : errno);
            return false;
        }
        at += (size_t)n;
    }
    return true;
}

str spool_next(struct spool_file *f)
{
    ssize_t n = -1;
    if (!f->block)
        f->block = mem_alloc(LIMIT_EDGE_BLOCK);
    if (FAULT("spool.read"))
        return STR("");
    do
        n = pread(f->fd, f->block, (size_t)MIN(LIMIT_EDGE_BLOCK, f->n - f->at), f->at);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return STR("");
    f->at += n;
    return str_make(f->block, (size_t)n);
}

void spool_close(struct spool_file *f)
{
    if (!f)
        return;
    atomic_fetch_sub_explicit(&f->spool->bytes, f->n, memory_order_relaxed);
    close(f->fd);
    free(f->block);
    free(f);
}
