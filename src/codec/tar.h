/* SPDX-License-Identifier: Apache-2.0 */
/* tar: what stands around the files of a tar archive (POSIX pax, IEEE 1003.1-2017 "pax"), for writing one piece by
 * piece: tar_head, the file's bytes, tar_pad, ..., tar_end. */
#ifndef VITRINE_CODEC_TAR_H
#define VITRINE_CODEC_TAR_H

#include "base/buf.h"

#define TAR_BLOCK 512

struct tar_entry {
    str name;      /* no leading slash */
    bool folder;   /* its name gets the slash at its end */
    unsigned mode; /* 0777 at most */
    int64_t size;  /* bytes; 0 of a folder */
    int64_t mtime_s;
};
/* Names that are long or not ASCII, and sizes from 8 GiB on, get a pax header before. */
void tar_head(struct buf *out, const struct tar_entry *e);
void tar_pad(struct buf *out, int64_t size); /* after the bytes of a file of this size */
void tar_end(struct buf *out);

#endif
