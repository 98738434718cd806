/* SPDX-License-Identifier: Apache-2.0 */
/* copy — why it is not one call.
 *
 * sqlite3_backup_step() takes and releases a read lock each time. Of a WAL database the whole copy is read from one
 * snapshot, held by a read transaction: its writers go on, and the copy is of the moment it began. Of a database with
 * a rollback journal such a transaction would keep writers out for as long as the copy takes; so no lock is held
 * between the steps, and SQLite begins anew when another process has written meanwhile. After RESTARTS_MAX of those
 * the remedy is a write-ahead log, and the message says so.
 *
 * Tests: tests/replicate/test_backup.py. */
#include "db/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "db/conn_impl.h"
#include "db/sqlite_status.h"
#include "db/stmt.h"
#include "rt/fault.h"

#include "base/banned.h"

enum { STEP_PAGES = 4096, RESTARTS_MAX = 5, WAIT_MS = 20 };

static enum status journal_is_wal(struct conn *c, bool *ret, struct err *err)
{
    struct stmt *s = NULL;
    enum status st = conn_prepare_trusted(c, STR("pragma journal_mode"), &s, err);
    if (st == STATUS_OK && (st = stmt_step(s, err)) == STATUS_AGAIN) {
        *ret = str_is(stmt_column_text(s, 0), "wal");
        st = STATUS_OK;
    }
    stmt_done(s);
    return st;
}

/* Of the last step: what it means, and whether to go on (AGAIN). */
static enum status after_step(int code, int64_t *busy_until_ms, struct err *err)
{
    if (code == SQLITE_OK) {
        *busy_until_ms = 0;
        return STATUS_AGAIN;
    }
    if (code == SQLITE_DONE)
        return STATUS_OK;
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED) {
        int64_t now = clock_mono_ms();
        if (!*busy_until_ms)
            *busy_until_ms = now + LIMIT_DB_WRITE_BUSY_MS;
        if (now < *busy_until_ms) {
            sqlite3_sleep(WAIT_MS);
            return STATUS_AGAIN;
        }
    }
    return sqlite_err(err, code, sqlite3_errstr(code));
}

static enum status run(struct conn *from, struct sqlite3 *to, bool wal, const struct copy_progress *p, struct err *err)
{
    sqlite3_backup *b = sqlite3_backup_init(to, "main", from->sqlite, "main");
    if (!b)
        return sqlite_err(err, sqlite3_extended_errcode(to), sqlite3_errmsg(to));
    enum status st = STATUS_AGAIN;
    int left = INT_MAX, restarts = 0;
    int64_t busy_until_ms = 0;
    while (st == STATUS_AGAIN) {
        int code = FAULT("copy.step") ? SQLITE_FULL : sqlite3_backup_step(b, STEP_PAGES);
        st = after_step(code, &busy_until_ms, err);
        int now_left = sqlite3_backup_remaining(b), all = sqlite3_backup_pagecount(b);
        if (st == STATUS_AGAIN && code == SQLITE_OK && now_left >= left && ++restarts > RESTARTS_MAX && !wal) {
            err_set(err, STATUS_BUSY, "it is written all the time: the copy began anew %d times", RESTARTS_MAX);
            st = err_hint(err, "Let it keep a write-ahead log: sqlite3 FILE 'PRAGMA journal_mode=wal'.");
        }
        left = code == SQLITE_OK ? now_left : left;
        if (p && p->step && all > 0)
            p->step(p->arg, (uint64_t)(all - now_left), (uint64_t)all);
        if (st == STATUS_AGAIN && p && p->cancelled && atomic_load(p->cancelled))
            st = err_set(err, STATUS_CANCELLED, "stopped");
    }
    int code = sqlite3_backup_finish(b);
    return st == STATUS_OK && code != SQLITE_OK ? sqlite_err(err, code, sqlite3_errstr(code)) : st;
}

static enum status sync_file(const char *file, struct err *err)
{
    int fd;
    enum status st = fs_open(file, O_RDONLY, 0, &fd, err);
    if (st != STATUS_OK)
        return st;
    if (fsync(fd) != 0)
        st = err_sys(err, STATUS_IO, errno, "cannot write %s", file);
    close(fd);
    return st;
}

enum status copy_database(struct database *from, const char *file, const struct copy_progress *progress,
                          struct err *err)
{
    struct conn *c = NULL;
    struct sqlite3 *to = NULL;
    bool wal = false;
    enum status st = conn_open_private(from, CONN_READ, &c, err);
    if (st == STATUS_OK)
        st = journal_is_wal(c, &wal, err);
    if (st == STATUS_OK && wal)
        st = conn_begin_read(c, err);
    if (st == STATUS_OK) {
        int code = sqlite3_open_v2(file, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
        if (code != SQLITE_OK)
            st = sqlite_err(err, code, to ? sqlite3_errmsg(to) : "no memory");
    }
    if (st == STATUS_OK)
        st = run(c, to, wal, progress, err);
    sqlite3_close(to);
    conn_close(c);
    return st == STATUS_OK ? sync_file(file, err) : st;
}

enum status copy_check(const char *file, bool quick, const atomic_bool *cancelled, struct err *err)
{
    const struct database_options o = {.name = str_of(file), .path = str_of(file), .immutable = true};
    struct database *db;
    struct conn *c = NULL;
    struct stmt *s = NULL;
    enum status st = database_new(&o, &db, err);
    if (st != STATUS_OK)
        return st;
    st = conn_open_private(db, CONN_READ, &c, err);
    if (st == STATUS_OK) {
        conn_deadline(c, 0, cancelled);
        st = conn_prepare_trusted(c, quick ? STR("pragma quick_check(1)") : STR("pragma integrity_check(1)"), &s, err);
    }
    if (st == STATUS_OK && (st = stmt_step(s, err)) == STATUS_AGAIN) {
        str found = stmt_column_text(s, 0);
        st =
            str_is(found, "ok") ? STATUS_OK : err_set(err, STATUS_CORRUPT, "%s is damaged: %.*s", file, STR_ARG(found));
    }
    stmt_done(s);
    conn_close(c);
    database_unref(db);
    return st;
}
