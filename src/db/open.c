/* SPDX-License-Identifier: Apache-2.0 */
/* open — the right mode for a file, found by looking, and a remedy where there is none.
 *
 * SQLite says "unable to open database file" for a dozen different troubles, most of them only at the first read. So
 * the file is inspected first, through the shared descriptor of inode.c, and each trouble gets its own sentence.
 *
 *   rollback journal          file:PATH?mode=ro
 *   WAL, -shm there or can be made    the same: readers need the -shm file for the log's index
 *   WAL, no -shm, cannot be made, no log or an empty one    &immutable=1: all content is in the main file. The caller
 *                             re-inspects when the signature moves (database.c), because the file is not really
 * immutable WAL, no -shm, cannot be made, log with content    refused: without the index the log cannot be read safely
 *
 * File format facts: https://www.sqlite.org/fileformat2.html section 1.3 (header), 4 (WAL).
 * Not here: locks (SQLite's), descriptors (inode.c), change detection (database.c). Tests: tests/unit/db/test_open.c.
 */
#include "db/open.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "db/sqlite_status.h"

#include "base/banned.h"

#define HEADER_BYTES 100
#define HEADER_MAGIC "SQLite format 3"

static uint32_t be32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void beside(struct buf *out, const char *path, const char *suffix)
{
    buf_clear(out);
    buf_puts(out, str_of(path));
    buf_put(out, suffix, strlen(suffix) + 1);
}

/* The folder part as a NUL-terminated string: "." for a bare name. */
static void folder_of(struct buf *out, const char *path)
{
    buf_clear(out);
    const char *slash = strrchr(path, '/');
    if (!slash)
        buf_puts(out, STR("."));
    else
        buf_put(out, path, slash == path ? 1 : (size_t)(slash - path));
    buf_putc(out, '\0');
}

static bool may(const char *path, int how)
{
    return faccessat(AT_FDCWD, path, how, AT_EACCESS) == 0;
}

/* ---- refusals ---- */

static enum status missing(const struct open_request *o, struct err *err)
{
    struct buf folder;
    struct stat st;
    buf_init(&folder, LIMIT_DB_PATH_BYTES);
    folder_of(&folder, o->path);
    if (lstat(o->path, &st) == 0 && S_ISLNK(st.st_mode))
        err_hint(err, "It is a symbolic link to a file that does not exist.");
    else if (stat(folder.p, &st) != 0 && errno == ENOENT)
        err_hint(err, "The folder '%s' does not exist.", folder.p);
    else
        err_hint(err, "Check the spelling of the name; --create makes an empty database.");
    buf_release(&folder);
    return err ? err->status : STATUS_NOT_FOUND;
}

static enum status no_permission(const struct open_request *o, struct err *err)
{
    struct stat st;
    if (stat(o->path, &st) != 0)
        err_hint(err, "A folder on the way to it may not be entered by this user (uid %u).", (unsigned)geteuid());
    else
        err_hint(err, "The file belongs to uid %u with mode %04o and this process runs as uid %u: make it readable.",
                 (unsigned)st.st_uid, (unsigned)(st.st_mode & 07777), (unsigned)geteuid());
    return STATUS_FORBIDDEN;
}

static enum status not_a_database(const struct open_request *o, const unsigned char *head, size_t n, struct err *err)
{
    err_set(err, STATUS_CORRUPT, "'%s' is not a SQLite database", o->path);
    size_t i = 0;
    while (i < n && (head[i] == ' ' || head[i] == '\n' || head[i] == '\r' || head[i] == '\t'))
        i++;
    bool text = true;
    for (size_t k = 0; k < n; k++)
        text = text && (head[k] >= 0x20 || head[k] == '\n' || head[k] == '\r' || head[k] == '\t');
    if (n >= 2 && head[0] == 0x1f && head[1] == 0x8b)
        err_hint(err, "It is compressed with gzip: unpack it first (gunzip).");
    else if (n >= 4 && memcmp(head, "PK\3\4", 4) == 0)
        err_hint(err, "It is a ZIP file: unpack it first.");
    else if (n >= 15 && memcmp(head, "** This file co", 15) == 0)
        err_hint(err, "It is a SQLite 2 database: convert it with sqlite .dump | sqlite3 NEW.db.");
    else if (text && i < n && (head[i] == '{' || head[i] == '['))
        err_hint(err, "It looks like JSON: make a database from it first.");
    else if (text)
        err_hint(err, "It looks like text (CSV or SQL?): make a database from it first.");
    else
        err_hint(err, "It does not start with '" HEADER_MAGIC "': it may be encrypted or damaged.");
    return STATUS_CORRUPT;
}

/* ---- inspection ---- */

/* -wal and -shm of a WAL database that is not opened immutable. */
static enum status inspect_wal(const struct open_request *o, bool *ret_immutable, struct err *err)
{
    struct buf wal, shm, folder;
    struct stat st;
    enum status status = STATUS_OK;
    buf_init(&wal, LIMIT_DB_PATH_BYTES);
    buf_init(&shm, LIMIT_DB_PATH_BYTES);
    buf_init(&folder, LIMIT_DB_PATH_BYTES);
    beside(&wal, o->path, "-wal");
    beside(&shm, o->path, "-shm");
    folder_of(&folder, o->path);

    int64_t wal_size = stat(wal.p, &st) == 0 ? (int64_t)st.st_size : 0;
    bool shm_exists = stat(shm.p, &st) == 0;
    bool can_make = may(folder.p, W_OK | X_OK);
    if (wal_size > 0 && !may(wal.p, R_OK)) {
        status = err_set(err, STATUS_FORBIDDEN, "cannot read '%s', the write-ahead log of the database", wal.p);
        err_hint(err, "Make it readable for this user (uid %u).", (unsigned)geteuid());
    } else if (shm_exists && may(shm.p, R_OK)) {
        *ret_immutable = false;
    } else if (!shm_exists && can_make) {
        *ret_immutable = false;
    } else if (wal_size == 0) {
        *ret_immutable = true;
    } else {
        status = err_set(err, STATUS_FORBIDDEN, "cannot read '%s': it has a write-ahead log, but its index '%s' %s",
                         o->path, shm.p, shm_exists ? "is not readable" : "does not exist and cannot be made");
        if (shm_exists)
            err_hint(err, "Make '%s' readable for this user (uid %u).", shm.p, (unsigned)geteuid());
        else
            err_hint(
                err,
                "Make the folder '%s' writable for this user (uid %u), or, with write access, empty the log first: "
                "sqlite3 FILE 'PRAGMA wal_checkpoint(TRUNCATE)'.",
                folder.p, (unsigned)geteuid());
    }
    buf_release(&wal);
    buf_release(&shm);
    buf_release(&folder);
    return status;
}

/* True when a -wal with content or a -journal lies beside the file: then the main file alone says nothing about its
 * size. */
static bool has_log(const char *path)
{
    struct buf name;
    struct stat st;
    buf_init(&name, LIMIT_DB_PATH_BYTES);
    beside(&name, path, "-journal");
    bool found = stat(name.p, &st) == 0;
    beside(&name, path, "-wal");
    found = found || (stat(name.p, &st) == 0 && st.st_size > 0);
    buf_release(&name);
    return found;
}

static enum status inspect_header(const struct open_request *o, const struct inode *inode, bool *ret_immutable,
                                  struct err *err)
{
    unsigned char head[HEADER_BYTES];
    struct stat st;
    ssize_t n = pread(inode->fd, head, sizeof head, 0);
    if (n < 0 || fstat(inode->fd, &st) != 0)
        return err_sys(err, STATUS_IO, errno, "cannot read '%s'", o->path);
    if (n == 0)
        return STATUS_OK; /* an empty file is an empty database */
    if ((size_t)n < sizeof HEADER_MAGIC || memcmp(head, HEADER_MAGIC, sizeof HEADER_MAGIC) != 0)
        return not_a_database(o, head, (size_t)n, err);
    uint32_t page_size = (uint32_t)head[16] << 8 | head[17];
    page_size = page_size == 1 ? 65536 : page_size;
    if (n < HEADER_BYTES || page_size < 512 || (page_size & (page_size - 1))) {
        err_set(err, STATUS_CORRUPT, "'%s' is damaged: its header is %s", o->path, n < HEADER_BYTES ? "cut" : "wrong");
        err_hint(err, "Restore it from a backup.");
        return STATUS_CORRUPT;
    }
    /* The page count counts only when the file was last written by a SQLite that keeps it (3.7.0, 2010). */
    uint32_t pages = be32(head + 28);
    int64_t says = (int64_t)pages * page_size;
    if (pages && be32(head + 24) == be32(head + 92) && st.st_size < says && !has_log(o->path)) {
        err_set(err, STATUS_CORRUPT, "'%s' is cut short: it has %lld bytes of %lld", o->path, (long long)st.st_size,
                (long long)says);
        err_hint(err, "It may still be being copied. Otherwise copy it again or restore it from a backup.");
        return STATUS_CORRUPT;
    }
    if ((head[18] == 2 || head[19] == 2) && !o->immutable && !o->writable)
        return inspect_wal(o, ret_immutable, err);
    return STATUS_OK;
}

enum status open_inspect(const struct open_request *o, struct open_finding *ret, struct err *err)
{
    struct inode *inode = NULL;
    bool immutable = false;
    enum status st = inode_open(o->path, &inode, err);
    if (st == STATUS_NOT_FOUND)
        missing(o, err);
    if (st == STATUS_FORBIDDEN)
        no_permission(o, err);
    if (st == STATUS_OK)
        st = inspect_header(o, inode, &immutable, err);
    if (st != STATUS_OK) {
        inode_unref(inode);
        return st;
    }
    *ret = (struct open_finding){.inode = inode, .needs_immutable = immutable};
    return STATUS_OK;
}

/* ---- opening ---- */

void open_uri(struct buf *out, const struct open_request *o, bool immutable)
{
    static const char hex[] = "0123456789ABCDEF";
    buf_puts(out, STR("file:"));
    if (o->path && o->path[0] != '/')
        buf_puts(out, STR("./")); /* a file named :memory: is a file */
    for (const char *p = o->path ? o->path : o->memory_name; *p; p++) {
        unsigned char c = (unsigned char)*p;
        /* "//" at the start would be an authority (RFC 3986 section 3.2): the second slash is escaped too. */
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                     c == '_' || c == '-' || (c == '/' && (out->n == 0 || out->p[out->n - 1] != '/'));
        if (plain) {
            buf_putc(out, (char)c);
        } else {
            buf_putc(out, '%');
            buf_putc(out, hex[c >> 4]);
            buf_putc(out, hex[c & 15]);
        }
    }
    if (!o->path) {
        buf_puts(out, STR("?vfs=memdb"));
        return;
    }
    buf_puts(out, !o->writable ? STR("?mode=ro") : o->create ? STR("?mode=rwc") : STR("?mode=rw"));
    if (immutable)
        buf_puts(out, STR("&immutable=1"));
    if (o->nolock && !o->writable) /* writing without locks would destroy what others write */
        buf_puts(out, STR("&nolock=1"));
}

enum status open_sqlite(const struct open_request *o, bool immutable, struct sqlite3 **ret, struct err *err)
{
    sqlite3 *handle = NULL;
    struct buf uri;
    buf_init(&uri, LIMIT_DB_PATH_BYTES);
    open_uri(&uri, o, immutable);
    buf_putc(&uri, '\0');
    int flags = SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    if (!o->path || o->writable)
        flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE; /* mode= in the URI takes away, it does not add */
    else
        flags |= SQLITE_OPEN_READONLY;
    int rc = sqlite3_open_v2(uri.p, &handle, flags, NULL);
    buf_release(&uri);
    if (rc != SQLITE_OK) {
        enum status st = open_error(o, rc, handle ? sqlite3_errmsg(handle) : sqlite3_errstr(rc), err);
        sqlite3_close(handle);
        return st;
    }
    *ret = handle;
    return STATUS_OK;
}

enum status open_create(const struct open_request *o, struct err *err)
{
    struct stat st;
    if (stat(o->path, &st) == 0 || errno != ENOENT)
        return STATUS_OK; /* inspection says what is wrong with it */
    struct open_request write = *o;
    sqlite3 *handle = NULL;
    write.create = write.writable = true;
    enum status status = open_sqlite(&write, false, &handle, err);
    if (status != STATUS_OK) {
        err_prefix(err, "cannot create '%s'", o->path);
        return status;
    }
    int rc = sqlite3_exec(handle, "VACUUM", NULL, NULL, NULL); /* writes the header, as Datasette's --create does */
    if (rc != SQLITE_OK) {
        status = sqlite_err(err, rc, sqlite3_errmsg(handle));
        err_prefix(err, "cannot create '%s'", o->path);
    }
    sqlite3_close(handle);
    return status;
}

enum status open_error(const struct open_request *o, int code, const char *message, struct err *err)
{
    const char *what = o->path ? o->path : o->memory_name;
    enum status st = sqlite_err(err, code, message);
    switch (code & 0xff) {
    case SQLITE_CANTOPEN:
        if (errno == EMFILE || errno == ENFILE) {
            err_set(err, STATUS_IO, "cannot open '%s': too many open files", what);
            err_hint(err, "Raise the limit of open files (ulimit -n, LimitNOFILE).");
            return STATUS_IO;
        }
        break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        err_set(err, STATUS_BUSY, "'%s' is locked by another process (%s)", what, sqlite_code_name(code));
        err_hint(err, "Try again when it has finished writing; --nolock reads it anyway, perhaps inconsistently.");
        return STATUS_BUSY;
    case SQLITE_NOTADB:
        err_set(err, STATUS_CORRUPT, "'%s' is not a SQLite database, or it is encrypted", what);
        return STATUS_CORRUPT;
    default:
        break;
    }
    err_prefix(err, "cannot read '%s'", what);
    return st;
}
