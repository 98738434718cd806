/* SPDX-License-Identifier: Apache-2.0 */
/* tar: what stands around the files of a tar archive (POSIX pax, IEEE 1003.1-2017 "pax"), for writing one piece by
 * piece: tar_head, the file's bytes, tar_pad, ..., tar_end. */
#ifndef VITRINE_CODEC_TAR_H
#define VITRINE_CODEC_TAR_H

#include "base/buf.h"

#define TAR_BLOCK 512

/* A plain file, readable by its owner only. Names that are long or not ASCII, and sizes from 8 GiB on, get a pax header
 * before. name: no leading slash. */
void tar_head(struct buf *out, str name, int64_t size, int64_t mtime_s);
void tar_pad(struct buf *out, int64_t size); /* after the bytes of a file of this size */
void tar_end(struct buf *out);

#endif
