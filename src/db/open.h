/* SPDX-License-Identifier: Apache-2.0 */
/* open: from a database's options to an open sqlite3 handle in the right mode, or to a clear refusal. */
#ifndef VITRINE_DB_OPEN_H
#define VITRINE_DB_OPEN_H

#include "base/buf.h"
#include "base/err.h"
#include "db/inode.h"

struct sqlite3;

struct open_request {
    str path; /* file; empty = memory */
    str memory_name; /* for memory: empty = private to the connection */
    bool immutable, nolock, create;
    bool writable;
};

/* Looks at the file before SQLite does: exists, is a regular file, may be read, is empty or starts as a database, is not
 * shorter than it says. On success *ret_inode (may be NULL) owns a reference to the open file; *ret_immutable says that
 * immutable=1 is needed because a WAL database lies where no -shm file can be made. Blocks. */
enum status open_inspect(const struct open_request *o, struct inode **ret_inode, bool *ret_immutable,
                         struct err *err) MUST_USE;
/* "file:..." for sqlite3_open_v2; every awkward byte is %-escaped. */
void open_uri(struct buf *out, const struct open_request *o, bool immutable);
enum status open_sqlite(const struct open_request *o, bool immutable, struct sqlite3 **ret, struct err *err) MUST_USE;
/* A sentence and a remedy for an error met when first reading an opened file. */
enum status open_error(const struct open_request *o, int sqlite_code, const char *sqlite_message, struct err *err);

#endif
