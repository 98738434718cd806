/* SPDX-License-Identifier: Apache-2.0 */
/* database — a published file, and how to know in a microsecond that it changed.
 *
 * Every answer is cached under the signature of the data it was made from, so the signature must move with EVERY commit
 * of EVERY process, as soon as readers can see the commit. SQLite answers the same question for its own page cache; we
 * read what it reads, without a connection and without its locks:
 *
 *   rollback journal   bytes 24..27 of the file, the change counter: each commit writes it before its commit point
 * (deleting the journal), under the exclusive lock that keeps readers out until then. WAL                the header of
 * the -shm file (WalIndexHdr, wal.c): iChange, mxFrame, checksum of the last frame, salts. Writing the header IS what
 * makes a WAL commit visible. It is written through a shared mapping, and pread() of a shared mapping's file is
 * coherent on Linux. The two copies are read in one call; a torn read gives a signature that no complete header has,
 * thus at worst an extra cache miss. no -shm            nobody has the WAL open: size, time and inode of -wal instead.
 *   always             inode and device of the path (replaced, restored), size and mtime of the file (cp over it,
 * checkpoint).
 *
 * No timestamps are needed for SQLite's own commits: two commits in one microsecond differ in their counters.
 *
 *   One hole is left to the caller, and database.h says so: a writer that has written the counter and dies before its
 * commit point is rolled back by the next reader, and the counter goes back. A reader that took the signature in
 * between must not store what it read: it sees that the signature has changed again when it has finished.
 *
 * Replaced files: stat() of the path gives another inode -> a new db_file, generation + 1. Connections carry the
 * generation they were opened under; conn_acquire closes those of an older one, running ones finish on the old inode,
 * which their reference to the old db_file keeps open (inode.c says why that matters). The object itself, its name and
 * its place in the site stay.
 *
 * Invariants: (1) lock is never held while SQLite reads or waits (making the empty anchor of a memory database is
 * neither). (2) db_file.main is the inode of `path` when it was looked at. (3) a -shm descriptor is kept until the
 * db_file goes, i.e. after the last connection on it. (4) owners == 0 -> retired: no connection is made. Not here:
 * modes (open.c), connections (conn.c, conn_cache.c). Tests: tests/unit/db/test_signature.c (other processes write with
 * the system's sqlite3), test_open.c. */
#include "db/database.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "db/conn.h"
#include "db/conn_cache.h"
#include "db/database_impl.h"
#include "db/schema.h"
#include "db/sqlite_status.h"

#include "base/banned.h"

#define SHM_HEADER_BYTES 48 /* WalIndexHdr; two copies lie one after the other */

/* ---- files ---- */

static struct db_file *file_new(const struct open_finding *finding)
{
    struct db_file *f = MEM_NEW(struct db_file);
    atomic_init(&f->refs, 1);
    f->main = finding->inode;
    f->needs_immutable = finding->needs_immutable;
    return f;
}

void db_file_unref(struct db_file *f)
{
    if (!f || atomic_fetch_sub(&f->refs, 1) != 1)
        return;
    for (size_t i = 0; i < f->shm_count; i++)
        inode_unref(f->shm[i]);
    free(f->shm);
    inode_unref(f->main);
    free(f);
}

struct open_request database_request(const struct database *db, bool writable)
{
    return (struct open_request){.path = db->path,
                                 .memory_name = db->memory_name,
                                 .immutable = db->immutable,
                                 .nolock = db->nolock,
                                 .create = db->create,
                                 .writable = writable};
}

/* Is db->file the file that the path leads to? Fills `st`, but not for immutable files, which are looked at once.
 * Called with the lock, shared or alone. */
static bool is_known(const struct database *db, struct stat *st)
{
    if (!db->file || db->immutable)
        return db->file != NULL;
    return stat(db->path, st) == 0 && db->file->main->ino == st->st_ino && db->file->main->dev == st->st_dev;
}

/* Makes db->file the file that the path leads to. `st` is filled. Called with the lock alone. */
static enum status find_file(struct database *db, struct stat *st, struct err *err)
{
    struct open_request o = database_request(db, false);
    struct open_finding finding;
    enum status status = open_inspect(&o, &finding, err);
    if (status != STATUS_OK)
        return status;
    if (fstat(finding.inode->fd, st) != 0) {
        inode_unref(finding.inode);
        return err_sys(err, STATUS_IO, errno, "cannot read '%s'", db->path);
    }
    db_file_unref(db->file);
    db->file = file_new(&finding);
    atomic_fetch_add(&db->generation, 1);
    atomic_store(&db->fixed, db->immutable);
    return STATUS_OK;
}

/* Takes the lock, whatever is returned: shared while the file is the one that is known, which lets all threads look at
 * the same time; alone where it has to be found, or where the caller says so. */
static enum status lock_file(struct database *db, bool alone, struct stat *st, struct err *err)
{
    if (!alone) {
        pthread_rwlock_rdlock(&db->lock);
        if (is_known(db, st))
            return STATUS_OK;
        pthread_rwlock_unlock(&db->lock);
    }
    pthread_rwlock_wrlock(&db->lock);
    return is_known(db, st) ? STATUS_OK : find_file(db, st, err);
}

/* The anchor of a memory database. Called with the lock alone; the content is empty, so SQLite does not block here. */
static enum status refresh_memory(struct database *db, struct err *err)
{
    if (db->anchor)
        return STATUS_OK;
    struct open_request o = database_request(db, true);
    enum status st = open_sqlite(&o, false, &db->anchor, err);
    if (st != STATUS_OK)
        return st;
    /* memdb frees the content with its last connection, and makes it at the first access. */
    int rc = sqlite3_exec(db->anchor, "PRAGMA schema_version", NULL, NULL, NULL);
    return rc == SQLITE_OK ? STATUS_OK : sqlite_err(err, rc, sqlite3_errmsg(db->anchor));
}

enum status database_generation(struct database *db, uint64_t *ret_generation, struct err *err)
{
    enum status st = STATUS_OK;
    if (atomic_load(&db->fixed) && !db->attached_count) {
        *ret_generation = atomic_load(&db->generation);
        return STATUS_OK;
    }
    if (!db->path) {
        pthread_rwlock_wrlock(&db->lock);
        st = refresh_memory(db, err);
        pthread_rwlock_unlock(&db->lock);
    }
    return st == STATUS_OK ? database_look(db, ret_generation, NULL, err) : st;
}

enum status database_ticket(struct database *db, struct db_ticket *ret, struct err *err)
{
    if (atomic_load(&db->retired))
        return err_set(err, STATUS_CLOSED, "the database '%s' is no longer published", db->name);
    struct db_ticket t = {0};
    enum status st = database_generation(db, &t.generation, err);
    if (st != STATUS_OK)
        return st;
    pthread_rwlock_rdlock(&db->lock);
    /* Replaced since: the connection opens the newer file under the older number, and is closed at its next acquire. */
    if (db->file) {
        atomic_fetch_add(&db->file->refs, 1);
        t.file = db->file;
        t.needs_immutable = db->file->needs_immutable;
    }
    pthread_rwlock_unlock(&db->lock);
    *ret = t;
    return STATUS_OK;
}

void database_reinspect(struct database *db)
{
    pthread_rwlock_wrlock(&db->lock);
    db_file_unref(db->file);
    db->file = NULL;
    atomic_store(&db->fixed, false);
    pthread_rwlock_unlock(&db->lock);
}

/* ---- signature ---- */

static uint32_t be32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint64_t mtime_ns(const struct stat *st)
{
    return (uint64_t)st->st_mtim.tv_sec * UINT64_C(1000000000) + (uint64_t)st->st_mtim.tv_nsec;
}

/* The descriptor of the -shm file that is there now. -1 = there is none, or it cannot be read. AGAIN: it is a new one,
 * and the lock is not held alone. */
static enum status shm_fd(struct database *db, bool alone, int *ret_fd)
{
    struct db_file *f = db->file;
    struct stat st;
    *ret_fd = -1;
    if (stat(db->shm_path, &st) != 0)
        return STATUS_OK;
    for (size_t i = f->shm_count; i-- > 0;) {
        if (f->shm[i]->ino == st.st_ino && f->shm[i]->dev == st.st_dev) {
            *ret_fd = f->shm[i]->fd;
            return STATUS_OK;
        }
    }
    if (!alone)
        return STATUS_AGAIN;
    struct inode *inode;
    if (inode_open(db->shm_path, &inode, NULL) != STATUS_OK)
        return STATUS_OK;
    /* A -shm file goes away with its last connection of all processes. So one that is replaced has no lock of ours,
     * unless somebody deleted it by hand: then it is kept for as long as connections are. */
    if (atomic_load(&f->refs) == 1) {
        for (size_t i = 0; i < f->shm_count; i++)
            inode_unref(f->shm[i]);
        f->shm_count = 0;
    }
    f->shm = mem_resize(f->shm, f->shm_count + 1, sizeof *f->shm);
    f->shm[f->shm_count++] = inode;
    *ret_fd = inode->fd;
    return STATUS_OK;
}

static enum status sign_wal(struct database *db, bool alone, uint64_t *words)
{
    unsigned char head[2 * SHM_HEADER_BYTES];
    struct stat st;
    int fd;
    if (shm_fd(db, alone, &fd) != STATUS_OK)
        return STATUS_AGAIN;
    if (fd >= 0) {
        for (int tries = 0; tries < 4; tries++) {
            ssize_t n = pread(fd, head, sizeof head, 0);
            if (n != (ssize_t)sizeof head)
                break;
            memcpy(words, head + 8, SHM_HEADER_BYTES - 8);
            if (!head[12])
                break; /* isInit: still zeros, somebody is just making it */
            if (memcmp(head, head + SHM_HEADER_BYTES, SHM_HEADER_BYTES) == 0 || tries == 3)
                return STATUS_OK; /* torn each time: differs from any whole header */
        }
    }
    memset(words, 0, 5 * sizeof *words);
    if (stat(db->wal_path, &st) == 0) {
        words[0] = 1;
        words[1] = (uint64_t)st.st_size;
        words[2] = mtime_ns(&st);
        words[3] = st.st_ino;
    }
    return STATUS_OK;
}

/* `st` is what is_known() filled. AGAIN: to be tried with the lock alone. */
static enum status sign_file(struct database *db, bool alone, const struct stat *st, uint64_t *w, struct err *err)
{
    unsigned char head[100] = {0};
    w[0] = db->file->main->ino;
    w[1] = db->file->main->dev;
    if (db->immutable)
        return STATUS_OK;
    ssize_t n = pread(db->file->main->fd, head, sizeof head, 0);
    if (n < 0)
        return err_sys(err, STATUS_IO, errno, "cannot read '%s'", db->path);
    w[2] = (uint64_t)st->st_size;
    w[3] = mtime_ns(st);
    w[1] ^= (uint64_t)head[18] << 56 | (uint64_t)head[19] << 48; /* journal mode */
    w[4] = (uint64_t)be32(head + 24) << 32 | be32(head + 40);    /* change counter, schema cookie */
    if (n < (ssize_t)sizeof head || head[18] == 2 || head[19] == 2)
        return sign_wal(db, alone, w + 5);
    return STATUS_OK;
}

static enum status look_at_file(struct database *db, uint64_t *ret_generation, struct db_signature *s, struct err *err)
{
    struct stat file_stat;
    enum status st = STATUS_AGAIN;
    for (int alone = 0; st == STATUS_AGAIN && alone < 2; alone++) {
        st = lock_file(db, alone, &file_stat, err);
        if (st == STATUS_OK && s)
            st = sign_file(db, alone, &file_stat, s->words, err);
        *ret_generation = atomic_load(&db->generation);
        pthread_rwlock_unlock(&db->lock);
    }
    return st;
}

enum status database_look(struct database *db, uint64_t *ret_generation, struct db_signature *ret, struct err *err)
{
    struct db_signature s = {{0}}, other;
    uint64_t generation, others = 0, g;
    enum status st = STATUS_OK;
    if (db->path) {
        st = look_at_file(db, &generation, ret ? &s : NULL, err);
    } else {
        generation = atomic_load(&db->generation);
        s.words[0] = atomic_load(&db->touched);
    }
    for (size_t i = 0; st == STATUS_OK && i < db->attached_count; i++) {
        st = database_look(db->attached[i], &g, ret ? &other : NULL, err);
        if (st != STATUS_OK)
            break;
        others += g;
        if (ret)
            s.words[9] = s.words[9] * UINT64_C(0x9E3779B97F4A7C15) + db_signature_hash(&other);
    }
    if (st != STATUS_OK)
        return st;
    *ret_generation = generation + others;
    if (ret)
        *ret = s;
    return STATUS_OK;
}

enum status database_signature(struct database *db, struct db_signature *ret, struct err *err)
{
    uint64_t generation;
    return database_look(db, &generation, ret, err);
}

uint64_t db_signature_hash(const struct db_signature *s)
{
    return str_hash(str_make((const char *)s->words, sizeof s->words));
}

void database_touch(struct database *db)
{
    atomic_fetch_add(&db->touched, 1);
}

/* ---- life ---- */

static char *with_suffix(const char *path, const char *suffix)
{
    size_t n = strlen(path), m = strlen(suffix);
    char *s = mem_alloc(n + m + 1);
    memcpy(s, path, n);
    memcpy(s + n, suffix, m);
    return s;
}

static void database_free(struct database *db)
{
    for (size_t i = 0; i < db->attached_count; i++) {
        database_unref(db->attached[i]);
        free(db->attached_names[i]);
    }
    for (size_t i = 0; i < db->extension_count; i++)
        free(db->extensions[i]);
    schema_unref(db->schema);
    sqlite3_close(db->anchor);
    db_file_unref(db->file);
    pthread_rwlock_destroy(&db->lock);
    free(db->attached);
    free(db->attached_names);
    free(db->extensions);
    free(db->name);
    free(db->path);
    free(db->shm_path);
    free(db->wal_path);
    free(db->memory_name);
    free(db);
}

static enum status options_check(const struct database_options *o, struct err *err)
{
    if (!o->memory && o->path.n == 0)
        return err_set(err, STATUS_INVALID, "a database needs a file name");
    if (!o->memory && memchr(o->path.p, 0, o->path.n))
        return err_set(err, STATUS_INVALID, "the file name of a database holds a NUL byte");
    if (o->path.n > LIMIT_DB_PATH_BYTES / 4)
        return err_set(err, STATUS_INVALID, "the file name of a database is too long (%zu bytes)", o->path.n);
    if (o->attach_count > LIMIT_DB_ATTACHED)
        return err_set(err, STATUS_INVALID, "%zu databases cannot be attached to one, the most is %d", o->attach_count,
                       LIMIT_DB_ATTACHED);
    return STATUS_OK;
}

static enum status attach_all(struct database *db, const struct database_options *o, struct err *err)
{
    db->attached = mem_array(o->attach_count, sizeof *db->attached);
    db->attached_names = mem_array(o->attach_count, sizeof *db->attached_names);
    for (size_t i = 0; i < o->attach_count; i++) {
        struct database_options sub = {.name = o->attach[i].name,
                                       .path = o->attach[i].path,
                                       .immutable = o->attach[i].immutable,
                                       .nolock = o->nolock};
        enum status st = database_new(&sub, &db->attached[i], err);
        if (st != STATUS_OK)
            return st;
        db->attached_names[i] = mem_cstr(o->attach[i].name);
        db->attached_count = i + 1;
    }
    return STATUS_OK;
}

enum status database_new(const struct database_options *o, struct database **ret_db, struct err *err)
{
    static atomic_ullong memory_number;
    enum status st = options_check(o, err);
    if (st != STATUS_OK)
        return st;
    struct database *db = MEM_NEW(struct database);
    pthread_rwlock_init(&db->lock, NULL);
    atomic_init(&db->refs, 1);
    atomic_init(&db->owners, 1);
    db->name = mem_cstr(o->name.n ? o->name : o->path);
    if (o->memory) {
        char name[48]; /* memdb shares content between connections whose name starts with '/' */
        snprintf(name, sizeof name, "/vitrine-%llu", (unsigned long long)atomic_fetch_add(&memory_number, 1));
        db->memory_name = with_suffix(name, "");
    } else {
        db->path = mem_cstr(o->path);
        db->shm_path = with_suffix(db->path, "-shm");
        db->wal_path = with_suffix(db->path, "-wal");
    }
    db->immutable = o->immutable && !o->memory;
    db->nolock = o->nolock;
    db->create = o->create;
    db->foreign_keys = o->foreign_keys;
    db->cache_size_kb = o->cache_size_kb;
    db->busy_timeout_ms = o->busy_timeout_ms ? o->busy_timeout_ms : LIMIT_DB_BUSY_TIMEOUT_MS;
    db->extensions = mem_array(o->load_extension_count, sizeof *db->extensions);
    for (; db->extension_count < o->load_extension_count; db->extension_count++)
        db->extensions[db->extension_count] = mem_cstr(o->load_extensions[db->extension_count]);
    st = attach_all(db, o, err);
    if (st != STATUS_OK) {
        database_free(db);
        return st;
    }
    *ret_db = db;
    return STATUS_OK;
}

void database_hold(struct database *db)
{
    atomic_fetch_add(&db->refs, 1);
}

void database_drop(struct database *db)
{
    if (atomic_fetch_sub(&db->refs, 1) == 1)
        database_free(db);
}

struct database *database_ref(struct database *db)
{
    int before = atomic_fetch_add(&db->owners, 1);
    ASSERT(before > 0);
    return db;
}

void database_unref(struct database *db)
{
    if (!db || atomic_fetch_sub(&db->owners, 1) != 1)
        return;
    database_retire(db);
    database_drop(db);
}

void database_retire(struct database *db)
{
    atomic_store(&db->retired, true);
    conn_cache_drop(db);
}

enum status database_check(struct database *db, struct err *err)
{
    struct conn *c;
    struct open_request o = database_request(db, false);
    enum status st = db->path && db->create ? open_create(&o, err) : STATUS_OK;
    if (st == STATUS_OK)
        st = conn_open_private(db, CONN_READ, &c, err);
    if (st == STATUS_OK)
        conn_close(c);
    return st;
}

str database_name(const struct database *db)
{
    return str_of(db->name);
}

str database_path(const struct database *db)
{
    return str_of(db->path);
}

bool database_is_immutable(const struct database *db)
{
    return db->immutable;
}

int64_t database_size_bytes(struct database *db)
{
    struct stat st;
    return db->path && stat(db->path, &st) == 0 ? (int64_t)st.st_size : 0;
}
