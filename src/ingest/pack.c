/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "codec/compress.h"

#include "base/banned.h"

#define GZIP_LEVEL 6
#define ZSTD_LEVEL 3

struct pack {
    char *path, *partial; /* partial NULL = standard output */
    int fd;
    bool finished;
    struct gzip_stream *gzip;
    ZSTD_CStream *zstd;
    struct buf out;
};

str pack_inner_name(str path)
{
    static const char *const endings[] = {".gz", ".zst"};
    for (size_t i = 0; i < ARRAY_LEN(endings); i++)
        if (str_ends(path, str_of(endings[i])))
            return str_sub(path, 0, path.n - strlen(endings[i]));
    return path;
}

static enum status open_partial(struct pack *p, struct err *err)
{
    struct stat st;
    mode_t mask = umask(0);
    (void)umask(mask);
    if (stat(p->path, &st) == 0 && !S_ISREG(st.st_mode))
        return err_set(err, STATUS_INVALID, "%s is no regular file", p->path);
    p->fd = mkostemp(p->partial, O_CLOEXEC);
    if (p->fd < 0)
        return err_sys(err, STATUS_IO, errno, "cannot write beside %s", p->path);
    if (fchmod(p->fd, 0666 & ~mask) != 0)
        return err_sys(err, STATUS_IO, errno, "cannot set the rights of %s", p->path);
    return STATUS_OK;
}

enum status pack_new(struct arena *a, str path, struct pack **ret, struct err *err)
{
    struct pack *p = MEM_NEW(struct pack);
    enum status st = STATUS_OK;
    p->fd = 1;
    p->path = arena_cstr(a, path);
    buf_init(&p->out, LIMIT_JSON_OUTPUT);
    if (!str_is(path, "-")) {
        p->partial = arena_cstr(a, ARENA_CAT(a, path, STR(".partial-XXXXXX")));
        st = open_partial(p, err);
    }
    if (str_ends(path, STR(".gz")))
        p->gzip = gzip_stream_new(GZIP_LEVEL);
    if (str_ends(path, STR(".zst"))) {
        p->zstd = ZSTD_createCStream();
        if (!p->zstd || ZSTD_isError(ZSTD_initCStream(p->zstd, ZSTD_LEVEL)))
            st = err_set(err, STATUS_NO_MEMORY, "no memory for packing with zstd");
    }
    if (st != STATUS_OK) {
        pack_free(p);
        return st;
    }
    *ret = p;
    return STATUS_OK;
}

static enum status put_zstd(struct pack *p, str bytes, bool last, struct err *err)
{
    ZSTD_inBuffer in = {bytes.n ? bytes.p : "", bytes.n, 0};
    size_t left;
    do {
        char *to = buf_reserve(&p->out, ZSTD_CStreamOutSize());
        ZSTD_outBuffer out = {to, ZSTD_CStreamOutSize(), 0};
        if (!to)
            return err_set(err, STATUS_TOO_LARGE, "a piece is too large to be packed");
        left = ZSTD_compressStream2(p->zstd, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(left))
            return err_set(err, STATUS_IO, "zstd: %s", ZSTD_getErrorName(left));
        p->out.n += out.pos;
    } while (in.pos < in.size || (last && left));
    return STATUS_OK;
}

static enum status put(struct pack *p, str bytes, bool last, struct err *err)
{
    enum status st = STATUS_OK;
    if (!p->gzip && !p->zstd)
        return bytes.n ? fs_write_fd(p->fd, p->path, bytes, err) : STATUS_OK;
    buf_clear(&p->out);
    if (p->zstd)
        st = put_zstd(p, bytes, last, err);
    else if (gzip_stream_put(p->gzip, bytes, last, &p->out) != STATUS_OK)
        st = err_set(err, STATUS_TOO_LARGE, "a piece is too large to be packed");
    return st == STATUS_OK && p->out.n ? fs_write_fd(p->fd, p->path, buf_str(&p->out), err) : st;
}

enum status pack_put(struct pack *p, str bytes, struct err *err)
{
    return put(p, bytes, false, err);
}

enum status pack_finish(struct pack *p, struct err *err)
{
    enum status st = put(p, STR(""), true, err);
    if (st != STATUS_OK || !p->partial)
        return st;
    if (fsync(p->fd) != 0)
        return err_sys(err, STATUS_IO, errno, "cannot write %s", p->path);
    if (rename(p->partial, p->path) != 0)
        return err_sys(err, STATUS_IO, errno, "cannot put %s in its place", p->path);
    p->finished = true;
    return STATUS_OK;
}

void pack_free(struct pack *p)
{
    if (!p)
        return;
    if (p->partial && p->fd > 1) {
        close(p->fd);
        if (!p->finished)
            unlink(p->partial);
    }
    gzip_stream_free(p->gzip);
    ZSTD_freeCStream(p->zstd);
    buf_release(&p->out);
    free(p);
}
