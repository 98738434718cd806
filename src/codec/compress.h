/* SPDX-License-Identifier: Apache-2.0 */
/* compress: gzip and zlib by the zlib library. */
#ifndef VITRINE_CODEC_COMPRESS_H
#define VITRINE_CODEC_COMPRESS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

/* Appends a whole gzip member. level 1-9. TOO_LARGE when `out` overflows. */
enum status compress_gzip(struct buf *out, str bytes, int level) MUST_USE;
/* Raw zlib (RFC 1950) text into the arena. */
str compress_zlib(struct arena *a, str bytes);
/* INVALID: not zlib; TOO_LARGE: more than max_bytes come out. */
enum status compress_unzlib(struct arena *a, str bytes, size_t max_bytes, str *ret, struct err *err) MUST_USE;

/* Streaming gzip: feed pieces, take what comes out. One thread at a time. */
struct gzip_stream;
struct gzip_stream *gzip_stream_new(int level) MUST_USE;
void gzip_stream_free(struct gzip_stream *g); /* NULL is fine */
/* Compresses `piece` into `out`; flushed so that the client sees it at once. last = end of the member. */
enum status gzip_stream_put(struct gzip_stream *g, str piece, bool last, struct buf *out) MUST_USE;

#endif
