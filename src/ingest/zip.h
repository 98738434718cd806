/* SPDX-License-Identifier: Apache-2.0 */
/* zip: the directory of a zip file and the bytes of one file in it, by minizip. Private to this folder. */
#ifndef VITRINE_INGEST_ZIP_H
#define VITRINE_INGEST_ZIP_H

#include "ingest/source.h"

struct zip_entry {
    str name;
    uint64_t index; /* place in the directory */
    uint64_t size_bytes;
};

/* Files that hold data: no folders, nothing hidden or of the Mac's (__MACOSX/). */
enum status zip_list(struct arena *a, const struct source *s, struct zip_entry **ret, size_t *ret_count,
                     struct err *err) MUST_USE;

struct zip_reader;
enum status zip_open(const struct source *s, uint64_t index, struct zip_reader **ret, struct err *err) MUST_USE;
void zip_close(struct zip_reader *z); /* NULL is fine */
/* 0 = end; then the checksum was right. */
enum status zip_read(struct zip_reader *z, char *p, size_t size, size_t *ret_n, struct err *err) MUST_USE;
uint64_t zip_position(const struct zip_reader *z); /* in the zip file */

#endif
