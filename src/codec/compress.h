/* SPDX-License-Identifier: Apache-2.0 */
/* compress: gzip and zlib by the zlib library. A compressor costs about 260 KiB while it lives, a reader 40 KiB. */
#ifndef VITRINE_CODEC_COMPRESS_H
#define VITRINE_CODEC_COMPRESS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

/* Appends a whole gzip member. level 1-9. TOO_LARGE (and out->over) when it does not fit into `out`: with out->max =
 * bytes.n that says "it would grow". Any thread. */
enum status compress_gzip(struct buf *out, str bytes, int level) MUST_USE;
/* A zlib stream (RFC 1950) in the arena, at zlib's default level. */
str compress_zlib(struct arena *a, str bytes);
/* One whole zlib stream or gzip member, told apart by its first bytes; what follows its end is ignored.
 * Returns OK, INVALID (damaged or cut short) or TOO_LARGE (more than max_bytes would come out; no more than that is
 * held in memory). */
enum status compress_unzlib(struct arena *a, str bytes, size_t max_bytes, str *ret, struct err *err) MUST_USE;

/* Streaming gzip: feed pieces, take what comes out. One thread at a time; may move between threads. */
struct gzip_stream;
struct gzip_stream *gzip_stream_new(int level) MUST_USE;
void gzip_stream_free(struct gzip_stream *g); /* NULL is fine; at any time */
/* Compresses `piece` into `out`; flushed, so that the client can read all of it at once. last = end of the member;
 * nothing may follow. Returns OK, or TOO_LARGE when `out` is full: then the stream is lost. */
enum status gzip_stream_put(struct gzip_stream *g, str piece, bool last, struct buf *out) MUST_USE;

#endif
