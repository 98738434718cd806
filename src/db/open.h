/* SPDX-License-Identifier: Apache-2.0 */
/* open: from a database's options to an open sqlite3 handle in the right mode, or to a clear refusal. All of it blocks.
 */
#ifndef VITRINE_DB_OPEN_H
#define VITRINE_DB_OPEN_H

#include "base/buf.h"
#include "base/err.h"
#include "db/inode.h"

struct sqlite3;

struct open_request {
    const char *path;        /* file; NULL = memory */
    const char *memory_name; /* for memory: connections of the process with one name share one content */
    bool immutable, nolock, create, writable;
};

struct open_finding {
    struct inode *inode;  /* owned by the caller */
    bool needs_immutable; /* a WAL database without a log, where no -shm can be made: open it with immutable=1 */
};

/* Looks at the file before SQLite does: it exists, is a regular file, may be read, is empty or starts like a database,
 * is not shorter than it says, and its WAL can be read. Statuses: NOT_FOUND, FORBIDDEN, INVALID, CORRUPT, IO. */
enum status open_inspect(const struct open_request *o, struct open_finding *ret, struct err *err) MUST_USE;
/* Makes the file with an empty schema when it does not exist. */
enum status open_create(const struct open_request *o, struct err *err) MUST_USE;
/* "file:..." for sqlite3_open_v2; every awkward byte is %-escaped. */
void open_uri(struct buf *out, const struct open_request *o, bool immutable);
enum status open_sqlite(const struct open_request *o, bool immutable, struct sqlite3 **ret, struct err *err) MUST_USE;
/* The sentence and the remedy for an error met when an opened file is first read. */
enum status open_error(const struct open_request *o, int sqlite_code, const char *sqlite_message, struct err *err);

#endif
