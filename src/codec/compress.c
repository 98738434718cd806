/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/compress.h"

#include <stdlib.h>
#include <zlib.h>

#include "base/mem.h"

#define GZIP_WINDOW (15 + 16) /* 32 KiB window, gzip header and trailer */
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
    deflateEnd(&g->z);
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

enum status gzip_stream_put(struct gzip_stream *g, str piece, bool last, struct buf *out)
{
    int flush = last ? Z_FINISH : Z_SYNC_FLUSH;
    ASSERT(piece.n <= UINT32_MAX);
    set_input(&g->z, piece);
    for (;;) {
        char *room = buf_reserve(out, PIECE);
        if (!room)
            return STATUS_TOO_LARGE;
        g->z.next_out = (Bytef *)room;
        g->z.avail_out = PIECE;
        int rc = deflate(&g->z, flush);
        out->n += PIECE - g->z.avail_out;
        if (rc == Z_STREAM_END || (rc != Z_OK && rc != Z_BUF_ERROR))
            break;
        if (g->z.avail_out && !last)
            break;
    }
    return STATUS_OK;
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

enum status compress_unzlib(struct arena *a, str bytes, size_t max_bytes, str *ret, struct err *err)
{
    z_stream z = {0};
    struct buf out;
    enum status st = STATUS_OK;
    ASSERT(inflateInit(&z) == Z_OK);
    buf_init(&out, max_bytes + PIECE);
    set_input(&z, bytes);
    for (;;) {
        char *room = buf_reserve(&out, PIECE);
        if (!room || out.n > max_bytes) {
            st = err_set(err, STATUS_TOO_LARGE, "the compressed text is larger than %zu bytes", max_bytes);
            break;
        }
        z.next_out = (Bytef *)room;
        z.avail_out = PIECE;
        int rc = inflate(&z, Z_NO_FLUSH);
        out.n += PIECE - z.avail_out;
        if (rc == Z_STREAM_END)
            break;
        if (rc != Z_OK || (z.avail_out && !z.avail_in)) {
            st = err_set(err, STATUS_INVALID, "the compressed text is damaged");
            break;
        }
    }
    inflateEnd(&z);
    if (st == STATUS_OK)
        *ret = arena_str(a, buf_str(&out));
    buf_release(&out);
    return st;
}
