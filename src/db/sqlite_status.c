/* SPDX-License-Identifier: Apache-2.0 */
#include "db/sqlite_status.h"

#include <sqlite3.h>

#include "base/banned.h"

struct code_row {
    int code;
    const char *name;
    enum status status;
    const char *hint; /* NULL = none */
};

#define ROW(code, status, hint)                                                                                        \
    {                                                                                                                  \
        code, #code, status, hint                                                                                      \
    }
static const char HINT_DAMAGED[] =
    "Check it with: sqlite3 FILE 'PRAGMA integrity_check'. Restore it from a backup, or save what "
    "can be read with: sqlite3 FILE .recover";
static const char HINT_DISK[] = "Look for disk errors in the kernel log (dmesg) and check the free space.";
static const char HINT_LOCKED[] = "Another process is writing to it; try again, or end that process.";

/* Extended codes come first where they say more than their primary one. */
static const struct code_row code_rows[] = {
    ROW(SQLITE_BUSY_RECOVERY, STATUS_BUSY, "Another process is recovering the write-ahead log; try again in a moment."),
    ROW(SQLITE_BUSY_SNAPSHOT, STATUS_BUSY, HINT_LOCKED),
    ROW(SQLITE_BUSY_TIMEOUT, STATUS_BUSY, HINT_LOCKED),
    ROW(SQLITE_BUSY, STATUS_BUSY, HINT_LOCKED),
    ROW(SQLITE_LOCKED_SHAREDCACHE, STATUS_BUSY, HINT_LOCKED),
    ROW(SQLITE_LOCKED_VTAB, STATUS_BUSY, HINT_LOCKED),
    ROW(SQLITE_LOCKED, STATUS_BUSY, HINT_LOCKED),
    ROW(SQLITE_PROTOCOL, STATUS_BUSY,
        "The locks of the write-ahead log are contended or do not work on this file system."),
    ROW(SQLITE_CORRUPT_VTAB, STATUS_CORRUPT, HINT_DAMAGED),
    ROW(SQLITE_CORRUPT_INDEX, STATUS_CORRUPT, HINT_DAMAGED),
    ROW(SQLITE_CORRUPT_SEQUENCE, STATUS_CORRUPT, HINT_DAMAGED),
    ROW(SQLITE_CORRUPT, STATUS_CORRUPT, HINT_DAMAGED),
    ROW(SQLITE_NOTADB, STATUS_CORRUPT, "The file is no SQLite database, or it is encrypted."),
    ROW(SQLITE_FULL, STATUS_DISK_FULL,
        "Free some space on the disk of the database and of temporary files (/var/tmp, /tmp)."),
    ROW(SQLITE_NOMEM, STATUS_NO_MEMORY, NULL),
    ROW(SQLITE_INTERRUPT, STATUS_CANCELLED, NULL),
    ROW(SQLITE_TOOBIG, STATUS_TOO_LARGE, "A value or the statement is longer than this server allows."),
    ROW(SQLITE_PERM, STATUS_FORBIDDEN, NULL),
    ROW(SQLITE_READONLY_CANTINIT, STATUS_FORBIDDEN,
        "Its -shm file cannot be set up: make the folder writable for this user."),
    ROW(SQLITE_READONLY_CANTLOCK, STATUS_FORBIDDEN, "Its -shm file cannot be locked: make it writable for this user."),
    ROW(SQLITE_READONLY_DBMOVED, STATUS_FORBIDDEN, "The file was moved or deleted while it was open."),
    ROW(SQLITE_READONLY_DIRECTORY, STATUS_FORBIDDEN, "The folder is not writable for this user."),
    ROW(SQLITE_READONLY_RECOVERY, STATUS_FORBIDDEN,
        "The write-ahead log must be recovered: open the file once with write access."),
    ROW(SQLITE_READONLY_ROLLBACK, STATUS_FORBIDDEN,
        "A writer died and left its journal: open the file once with write access, so that it is rolled back."),
    ROW(SQLITE_READONLY, STATUS_SQL, NULL),
    ROW(SQLITE_CANTOPEN_ISDIR, STATUS_IO, NULL),
    ROW(SQLITE_CANTOPEN_NOTEMPDIR, STATUS_IO, "No folder for temporary files is writable; set SQLITE_TMPDIR."),
    ROW(SQLITE_CANTOPEN, STATUS_IO,
        "The database, its -wal or its -shm file cannot be opened: check permissions and the "
        "limit of open files (ulimit -n)."),
    ROW(SQLITE_IOERR_NOMEM, STATUS_NO_MEMORY, NULL),
    ROW(SQLITE_IOERR_CORRUPTFS, STATUS_CORRUPT, HINT_DISK),
    ROW(SQLITE_IOERR_READ, STATUS_IO, HINT_DISK),
    ROW(SQLITE_IOERR_SHORT_READ, STATUS_IO, "The file is shorter than it should be."),
    ROW(SQLITE_IOERR_WRITE, STATUS_IO, HINT_DISK),
    ROW(SQLITE_IOERR_FSYNC, STATUS_IO, HINT_DISK),
    ROW(SQLITE_IOERR_TRUNCATE, STATUS_IO, HINT_DISK),
    ROW(SQLITE_IOERR_SHMOPEN, STATUS_IO, HINT_DISK),
    ROW(SQLITE_IOERR_SHMMAP, STATUS_IO, HINT_DISK),
    ROW(SQLITE_IOERR_SHMSIZE, STATUS_DISK_FULL, HINT_DISK),
    ROW(SQLITE_IOERR_LOCK, STATUS_IO,
        "The file system may not support locks; for a file that never changes use immutable mode."),
    ROW(SQLITE_IOERR, STATUS_IO, HINT_DISK),
    ROW(SQLITE_NOLFS, STATUS_IO, NULL),
    ROW(SQLITE_SCHEMA, STATUS_BUSY, "The tables are being changed right now; try again."),
    ROW(SQLITE_AUTH, STATUS_SQL, NULL),
    ROW(SQLITE_CONSTRAINT, STATUS_CONFLICT, NULL),
    ROW(SQLITE_RANGE, STATUS_RANGE, NULL),
    ROW(SQLITE_ERROR, STATUS_SQL, NULL),
    ROW(SQLITE_MISMATCH, STATUS_SQL, NULL),
    ROW(SQLITE_ABORT_ROLLBACK, STATUS_SQL, NULL),
    ROW(SQLITE_ABORT, STATUS_SQL, NULL),
    ROW(SQLITE_INTERNAL, STATUS_INTERNAL, NULL),
    ROW(SQLITE_MISUSE, STATUS_INTERNAL, NULL),
};

static const struct code_row *row_find(int code)
{
    for (size_t i = 0; i < ARRAY_LEN(code_rows); i++)
        if (code_rows[i].code == code)
            return &code_rows[i];
    for (size_t i = 0; i < ARRAY_LEN(code_rows); i++)
        if (code_rows[i].code == (code & 0xff))
            return &code_rows[i];
    return NULL;
}

enum status status_of_sqlite(int code)
{
    const struct code_row *row = row_find(code);
    return row ? row->status : STATUS_SQL;
}

const char *sqlite_code_name(int code)
{
    const struct code_row *row = row_find(code);
    return row ? row->name : "SQLITE_ERROR";
}

enum status sqlite_err(struct err *err, int code, const char *message)
{
    const struct code_row *row = row_find(code);
    enum status st = row ? row->status : STATUS_SQL;
    if (st == STATUS_SQL || st == STATUS_CONFLICT || st == STATUS_TOO_LARGE)
        err_set(err, st, "%s", message);
    else
        err_set(err, st, "%s (%s)", message, row->name);
    if (row && row->hint)
        err_hint(err, "%s", row->hint);
    return st;
}
