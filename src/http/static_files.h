/* SPDX-License-Identifier: Apache-2.0 */
/* static_files: files below one directory as answers. Nothing outside of the root is ever opened: openat2 with
 * RESOLVE_BENEATH, or a walk of openat(O_NOFOLLOW) on kernels without it; no listings; no files whose name begins with
 * a dot unless asked for. ETag is the quoted MD5 of the bytes, remembered per (device, inode, mtime, size). Small files
 * are kept in memory with their gzip variant, checked against the disk on each request. Threads: any (locks inside). */
#ifndef VITRINE_HTTP_STATIC_FILES_H
#define VITRINE_HTTP_STATIC_FILES_H

#include "base/err.h"
#include "http/message.h"

struct static_dir;

struct static_options {
    str path;           /* the root; must be a directory */
    str cache_control;  /* Cache-Control field; empty = none */
    bool dot_files;     /* serve names that begin with "." too */
    size_t cache_bytes; /* memory for small files; 0 = LIMIT_STATIC_CACHE */
};
/* Returns OK, NOT_FOUND, FORBIDDEN, INVALID (no directory), IO. */
enum status static_dir_new(const struct static_options *o, struct static_dir **ret, struct err *err) MUST_USE;
void static_dir_free(struct static_dir *d); /* NULL is fine */

/* Fills `r` for raw_path (%-encoded, relative to the root, leading "/" allowed). Returns
 *   OK         r is ready to be sent
 *   AGAIN      would take long (over 16 KiB and not hashed yet): call static_dir_serve_blocking on a worker
 *   NOT_FOUND  missing, dot file, traversal, NUL;  FORBIDDEN  a directory or no permission;  METHOD  not GET or HEAD;
 * BUSY  out of descriptors;  IO. Leaves r untouched unless OK. Loop thread: opens and looks, a few microseconds when
 * the disk cache is warm. */
enum status static_dir_serve(struct static_dir *d, const struct http_request *rq, str raw_path, struct http_response *r,
                             struct err *err) MUST_USE;
enum status static_dir_serve_blocking(struct static_dir *d, const struct http_request *rq, str raw_path,
                                      struct http_response *r, struct err *err) MUST_USE;

#endif
