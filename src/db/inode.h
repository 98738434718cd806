/* SPDX-License-Identifier: Apache-2.0 */
/* inode: file descriptors of database files, one per (device, inode) for the whole process, never closed too early.
 * The essay on POSIX locks is in inode.c. */
#ifndef VITRINE_DB_INODE_H
#define VITRINE_DB_INODE_H

#include <sys/types.h>

#include "base/err.h"

struct inode {
    dev_t dev;
    ino_t ino;
    int fd; /* read-only; for pread and fstat only */
    /* the rest is inode.c's */
    int refs;
    int *late_fds; /* opened by a lost race; closed together with fd */
    size_t late_count;
    struct inode *next;
};

/* Opens `path` (a NUL-terminated, regular file) or finds it open already. Refuses what is no regular file without
 * opening it (a FIFO would block). NOT_FOUND, FORBIDDEN, INVALID, IO. Threads: any. */
enum status inode_open(const char *path, struct inode **ret, struct err *err) MUST_USE;
void inode_unref(struct inode *i); /* NULL is fine; the last one closes */

#endif
