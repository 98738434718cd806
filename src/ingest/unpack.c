/* SPDX-License-Identifier: Apache-2.0 */
/* unpack — plain, gzip, zstd and zip as one stream of bytes.
 *
 * Bombs: the ratio of unpacked to packed bytes is looked at after the first LIMIT_INGEST_UNPACK_FREE bytes (deflate
 * cannot do better than 1032 to 1, so only layers of nothing or zstd can pass it), and LIMIT_INGEST_UNPACKED is the
 * wall. Memory does not grow with either: a zstd file that needs a window of more than 32 MiB is refused. A gzip file
 * may be several members in a row (RFC 1952 section 2.2). */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "ingest/source.h"
#include "ingest/zip.h"

#include "base/banned.h"

#define INPUT_BYTES     65536
#define ZSTD_WINDOW_LOG 25 /* 32 MiB: what `zstd -19` makes needs 8, `--ultra -22` 128 */
#define ANY_GZIP_WINDOW (15 + 16)

struct unpack {
    const struct source *source;
    uint64_t position, out;
    z_stream z;
    ZSTD_DStream *zstd;
    struct zip_reader *zip;
    unsigned char *input;
    size_t input_at, input_n;
    bool z_open, member_done, ended, frame_done;
};

enum status unpack_new(const struct source *s, struct unpack **ret, struct err *err)
{
    struct unpack *u = MEM_NEW(struct unpack);
    enum status st = STATUS_OK;
    u->source = s;
    u->frame_done = true;
    if (s->packing == PACKING_GZIP) {
        ASSERT(inflateInit2(&u->z, ANY_GZIP_WINDOW) == Z_OK);
        u->z_open = true;
    } else if (s->packing == PACKING_ZSTD) {
        u->zstd = ZSTD_createDStream();
        ASSERT(u->zstd);
        ZSTD_DCtx_setParameter(u->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG);
    } else if (s->packing == PACKING_ZIP) {
        st = zip_open(s, s->entry_index, &u->zip, err);
    }
    if (u->z_open || u->zstd)
        u->input = mem_alloc(INPUT_BYTES);
    if (st != STATUS_OK) {
        unpack_free(u);
        return st;
    }
    *ret = u;
    return STATUS_OK;
}

void unpack_free(struct unpack *u)
{
    if (!u)
        return;
    if (u->z_open)
        (void)inflateEnd(&u->z);
    ZSTD_freeDStream(u->zstd);
    zip_close(u->zip);
    free(u->input);
    free(u);
}

bool unpack_seek(struct unpack *u, uint64_t offset)
{
    if (u->source->packing != PACKING_NONE)
        return false;
    u->position = offset;
    return true;
}

uint64_t unpack_position(const struct unpack *u)
{
    return u->zip ? zip_position(u->zip) : u->position;
}

uint64_t unpack_unpacked(const struct unpack *u)
{
    return u->out;
}

static enum status read_plain(struct unpack *u, void *p, size_t size, size_t *ret_n, struct err *err)
{
    ssize_t n;
    do
        n = pread(u->source->fd, p, size, (off_t)u->position);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_sys(err, STATUS_IO, errno, "cannot read %.*s", STR_ARG(u->source->name));
    u->position += (uint64_t)n;
    *ret_n = (size_t)n;
    return STATUS_OK;
}

static enum status fill_input(struct unpack *u, struct err *err)
{
    u->input_at = u->input_n = 0;
    return read_plain(u, u->input, INPUT_BYTES, &u->input_n, err);
}

static enum status damaged(const struct unpack *u, const char *what, struct err *err)
{
    err_set(err, STATUS_INVALID, "%.*s: %s after %llu unpacked bytes", STR_ARG(u->source->name), what,
            (unsigned long long)u->out);
    return err_hint(err, "Fetch the file again; nothing was imported.");
}

static enum status read_gzip(struct unpack *u, char *p, size_t size, size_t *ret_n, struct err *err)
{
    u->z.next_out = (Bytef *)p;
    u->z.avail_out = (uInt)size;
    while (u->z.avail_out == size && !u->ended) {
        if (u->input_at == u->input_n) {
            enum status st = fill_input(u, err);
            if (st != STATUS_OK)
                return st;
            if (!u->input_n) {
                u->ended = true;
                if (!u->member_done)
                    return damaged(u, "the gzip data ends too early", err);
                break;
            }
        }
        if (u->member_done) { /* another member, or padding */
            if (u->input[u->input_at] != 0x1f) {
                u->ended = true;
                break;
            }
            ASSERT(inflateReset(&u->z) == Z_OK);
            u->member_done = false;
        }
        u->z.next_in = u->input + u->input_at;
        u->z.avail_in = (uInt)(u->input_n - u->input_at);
        int rc = inflate(&u->z, Z_NO_FLUSH);
        u->input_at = u->input_n - u->z.avail_in;
        if (rc == Z_STREAM_END)
            u->member_done = true;
        else if (rc != Z_OK && rc != Z_BUF_ERROR)
            return damaged(u, "damaged gzip data", err);
    }
    *ret_n = size - u->z.avail_out;
    return STATUS_OK;
}

static enum status read_zstd(struct unpack *u, char *p, size_t size, size_t *ret_n, struct err *err)
{
    ZSTD_outBuffer out = {p, size, 0};
    while (out.pos == 0 && !u->ended) {
        if (u->input_at == u->input_n) {
            enum status st = fill_input(u, err);
            if (st != STATUS_OK)
                return st;
            if (!u->input_n) {
                u->ended = true;
                if (!u->frame_done)
                    return damaged(u, "the zstd data ends too early", err);
                break;
            }
        }
        ZSTD_inBuffer in = {u->input, u->input_n, u->input_at};
        size_t rc = ZSTD_decompressStream(u->zstd, &out, &in);
        u->input_at = in.pos;
        if (ZSTD_isError(rc))
            return damaged(u, ZSTD_getErrorName(rc), err);
        u->frame_done = rc == 0;
    }
    *ret_n = out.pos;
    return STATUS_OK;
}

static enum status check_size(struct unpack *u, struct err *err)
{
    uint64_t packed = MAX(unpack_position(u), 1);
    bool too_dense = u->source->packing != PACKING_NONE && u->out > (size_t)LIMIT_INGEST_UNPACK_FREE &&
                     u->out / packed > LIMIT_INGEST_UNPACK_RATIO;
    if (too_dense || u->out > (size_t)LIMIT_INGEST_UNPACKED) {
        err_set(err, STATUS_TOO_LARGE, "%.*s unpacks to more than %llu bytes: it looks like a bomb",
                STR_ARG(u->source->name), (unsigned long long)u->out);
        return err_hint(err, "If it is what you want, unpack it yourself and import the result.");
    }
    return STATUS_OK;
}

enum status unpack_read(struct unpack *u, char *p, size_t size, size_t *ret_n, struct err *err)
{
    size_t done = 0;
    while (done < size) {
        size_t n = 0, room = MIN(size - done, (size_t)1 << 30);
        enum status st = u->zip && u->ended                   ? STATUS_OK
                         : u->source->packing == PACKING_GZIP ? read_gzip(u, p + done, room, &n, err)
                         : u->source->packing == PACKING_ZSTD ? read_zstd(u, p + done, room, &n, err)
                         : u->zip                             ? zip_read(u->zip, p + done, room, &n, err)
                                                              : read_plain(u, p + done, room, &n, err);
        if (st != STATUS_OK)
            return st;
        if (!n) {
            u->ended = true;
            break;
        }
        done += n;
        u->out += n;
        if (u->source->packing != PACKING_NONE) {
            st = check_size(u, err);
            if (st != STATUS_OK)
                return st;
        }
    }
    *ret_n = done;
    return STATUS_OK;
}
