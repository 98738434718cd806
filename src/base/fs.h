/* SPDX-License-Identifier: Apache-2.0 */
/* fs: whole small files in, whole small files out, whole folders gone. Every descriptor is close-on-exec. All of it
 * blocks: never on a loop thread after start-up. Any thread. */
#ifndef VITRINE_BASE_FS_H
#define VITRINE_BASE_FS_H

#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/* Reads all of `path` into the arena (NUL follows the last byte). Pipes and devices are read to their end.
 * Returns OK, NOT_FOUND, FORBIDDEN, TOO_LARGE (more than max_bytes), INVALID (a directory), IO, ... */
enum status fs_read_file(const char *path, size_t max_bytes, struct arena *a, str *ret, struct err *err) MUST_USE;
/* As above from an open descriptor, from its current position; `name` is for messages. fd stays the caller's. */
enum status fs_read_fd(int fd, const char *name, size_t max_bytes, struct arena *a, str *ret, struct err *err) MUST_USE;
/* Replaces `path` as a whole: temporary file beside it, fsync, rename, fsync of the folder. After a failure the old
 * file is untouched and no temporary file is left. Returns OK, DISK_FULL, FORBIDDEN, NOT_FOUND (no such folder), IO. */
enum status fs_write_atomic(const char *path, str bytes, mode_t mode, struct err *err) MUST_USE;
/* The same for a file of the group `gid`; (gid_t)-1: of ours. */
enum status fs_write_atomic_group(const char *path, str bytes, mode_t mode, gid_t gid, struct err *err) MUST_USE;
/* The same for what says something of this process alone: readers find the old file or the new one, but it waits for no
 * disk, and when the machine stops either may be lost, or empty. */
enum status fs_write_passing(const char *path, str bytes, mode_t mode, struct err *err) MUST_USE;
/* Writes all of `bytes` to fd, however many write(2) it takes. */
enum status fs_write_fd(int fd, const char *name, str bytes, struct err *err) MUST_USE;
/* Makes the folders above the last part of `path` that do not exist ("a/b/c": a and a/b; "a/b/": both). */
enum status fs_make_folders(str path, mode_t mode, struct err *err) MUST_USE;
/* Removes `path` with all below it; a link goes, what it leads to stays, even when somebody puts links there meanwhile.
 * What is not there is fine. Goes on after a failure and tells the first: IO, FORBIDDEN, TOO_LARGE (LIMIT_FS_DEPTH). */
enum status fs_remove_tree(const char *path, struct err *err) MUST_USE;
/* open(2) with O_CLOEXEC, EINTR retried and the reason in words. */
enum status fs_open(const char *path, int flags, mode_t mode, int *ret_fd, struct err *err) MUST_USE;

#endif
