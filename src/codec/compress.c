/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/compress.h"

#include <stdlib.h>
#include <zlib.h>

#include "base/mem.h"

#define GZIP_WINDOW (15 + 16) /* 32 KiB window, gzip header and trailer */
#define ANY_WINDOW  (15 + 32) /* zlib or gzip, by the first bytes */
#define PIECE       16384

struct gzip_stream {
    z_stream z;
};

struct gzip_stream *gzip_stream_new(int level)
{
    struct gzip_stream *g = mem_alloc(sizeof *g);
    ASSERT(deflateInit2(&g->z, level, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    return g;
}

void gzip_stream_free(struct gzip_stream *g)
{
    if (!g)
        return;
    (void)deflateEnd(&g->z);
    free(g);
}

static void set_input(z_stream *z, str in)
{
    union {
        const char *in;
        Bytef *out;
    } p = {.in = in.p}; /* zlib does not write to its input */
    z->next_in = p.out;
    z->avail_in = (uInt)in.n;
}

/* Room for the next output: as much as `out` may still take, at most a piece. 0 = full. */
static size_t next_room(struct buf *out, size_t wanted, z_stream *z)
{
    size_t left = out->max > out->n ? out->max - out->n : 0, n = MIN(MIN(wanted, left), UINT32_MAX);
    char *room = buf_reserve(out, MAX(n, 1)); /* asking for one byte where there is none marks it as over */
    z->next_out = (Bytef *)room;
    z->avail_out = room ? (uInt)n : 0;
    return z->avail_out;
}

static enum status deflate_all(z_stream *z, int flush, struct buf *out)
{
    for (;;) {
        size_t room = next_room(out, PIECE, z);
        if (!room)
            return STATUS_TOO_LARGE;
        int rc = deflate(z, flush);
        ASSERT(rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR); /* else it was used after its end */
        out->n += room - z->avail_out;
        if (rc == Z_STREAM_END || (flush != Z_FINISH && z->avail_out))
            return STATUS_OK;
    }
}

enum status gzip_stream_put(struct gzip_stream *g, str piece, bool last, struct buf *out)
{
    enum status st = STATUS_OK;
    for (str now; piece.n > UINT32_MAX && st == STATUS_OK; piece = str_from(piece, now.n)) {
        now = str_sub(piece, 0, (size_t)1 << 31);
        set_input(&g->z, now);
        st = deflate_all(&g->z, Z_NO_FLUSH, out);
    }
    if (st != STATUS_OK)
        return st;
    set_input(&g->z, piece);
    return deflate_all(&g->z, last ? Z_FINISH : Z_SYNC_FLUSH, out);
}

enum status compress_gzip(struct buf *out, str bytes, int level)
{
    struct gzip_stream *g = gzip_stream_new(level);
    enum status st = gzip_stream_put(g, bytes, true, out);
    gzip_stream_free(g);
    return st;
}

str compress_zlib(struct arena *a, str bytes)
{
    uLongf n = compressBound((uLong)bytes.n);
    unsigned char *p = arena_alloc_raw(a, n + 1);
    ASSERT(compress(p, &n, (const Bytef *)(bytes.p ? bytes.p : ""), (uLong)bytes.n) == Z_OK);
    return str_make((const char *)p, n);
}

static enum status inflate_all(z_stream *z, struct buf *out)
{
    for (;;) {
        size_t room = next_room(out, PIECE, z);
        if (!room)
            return STATUS_TOO_LARGE;
        int rc = inflate(z, Z_NO_FLUSH);
        out->n += room - z->avail_out;
        if (rc == Z_STREAM_END)
            return STATUS_OK;
        if (rc != Z_OK || (z->avail_out && !z->avail_in))
            return STATUS_INVALID;
    }
}

enum status compress_unzlib(struct arena *a, str bytes, size_t max_bytes, str *ret, struct err *err)
{
    if (bytes.n > UINT32_MAX)
        return err_set(err, STATUS_TOO_LARGE, "the compressed text has more than 4 GiB");
    z_stream z = {0};
    struct buf out;
    ASSERT(inflateInit2(&z, ANY_WINDOW) == Z_OK);
    buf_init(&out, max_bytes + 1); /* the end may be seen only with room left */
    set_input(&z, bytes);
    enum status st = inflate_all(&z, &out);
    (void)inflateEnd(&z);
    if (st == STATUS_INVALID)
        (void)err_set(err, STATUS_INVALID, "the compressed text is damaged or cut short");
    else if (st != STATUS_OK || out.n > max_bytes)
        st = err_set(err, STATUS_TOO_LARGE, "the compressed text unpacks to more than %zu bytes", max_bytes);
    else
        *ret = arena_str(a, buf_str(&out));
    buf_release(&out);
    return st;
}
