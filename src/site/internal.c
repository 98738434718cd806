/* SPDX-License-Identifier: Apache-2.0 */
/* internal — our own state in one SQLite file.
 *
 * Opened by the first thread that needs it, under `lock`: start-up and sites that keep nothing pay nothing. The file is
 * made with mode 0600, because stored queries and logs may be private. `database` is set once and then read without the
 * lock (release/acquire), so readers never wait for writers; WAL lets them read meanwhile.
 *
 * Invariants: (1) `writer` is used under `lock` only. (2) After a failed write the connection is rolled back; after an
 * I/O error it is closed and made anew by the next write. (3) A file that cannot be opened at first is not tried again:
 * state that comes and goes would be worse than none.
 *
 * Not here: where the file lies (state.c), what the tables mean (their users). Tests: tests/unit/site/test_internal.c,
 * tests/site/test_state.py. */
#include "site/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/stmt.h"
#include "site/state.h"

struct internal {
    char *path; /* "" = memory */
    pthread_mutex_t lock;
    _Atomic(struct database *) database; /* NULL until first use */
    struct conn *writer;                 /* under lock; NULL = to be opened */
    atomic_bool in_memory;
};

struct step {
    const char *name;
    const char *sql;
};

static const struct step steps[] = {
#define X(name, sql) {#name, sql},
#include "site/tbl/internal_steps.h"
#undef X
};

struct internal *internal_new(str path)
{
    struct internal *in = MEM_NEW(struct internal);
    in->path = mem_cstr(path);
    pthread_mutex_init(&in->lock, NULL);
    atomic_init(&in->in_memory, path.n == 0);
    return in;
}

void internal_free(struct internal *in)
{
    if (!in)
        return;
    conn_close(in->writer);
    database_unref(atomic_load(&in->database));
    pthread_mutex_destroy(&in->lock);
    free(in->path);
    free(in);
}

/* ---- opening, under lock --------------------------------------------------------------------------------------- */

static enum status has_step(struct conn *c, const char *name, bool *ret, struct err *err)
{
    struct stmt *s;
    enum status st = conn_prepare(c, STR("select 1 from vitrine_steps where name = ?1"), &s, err);
    if (st != STATUS_OK)
        return st;
    st = stmt_bind_text(s, 1, str_of(name), err);
    if (st == STATUS_OK)
        st = stmt_step(s, err);
    stmt_done(s);
    *ret = st == STATUS_AGAIN;
    return st == STATUS_AGAIN ? STATUS_OK : st;
}

static enum status run_step(struct conn *c, const struct step *step, struct err *err)
{
    bool done = false;
    struct stmt *s;
    enum status st = has_step(c, step->name, &done, err);
    if (st != STATUS_OK || done)
        return st;
    st = conn_execute(c, str_of(step->sql), err);
    if (st == STATUS_OK)
        st = conn_prepare(c, STR("insert into vitrine_steps (name) values (?1)"), &s, err);
    if (st != STATUS_OK)
        return err_prefix(err, "step %s of the internal database", step->name);
    st = stmt_bind_text(s, 1, str_of(step->name), err);
    if (st == STATUS_OK)
        st = stmt_step(s, err);
    stmt_done(s);
    return st;
}

/* All steps that are missing, in one transaction: a crash leaves all of them or none. */
static enum status run_steps(struct conn *c, struct err *err)
{
    enum status st = conn_execute(c, STR("begin immediate"), err);
    if (st == STATUS_OK)
        st = conn_execute(c,
                          STR("create table if not exists vitrine_steps (name text primary key,"
                              " applied_at text not null default current_timestamp)"),
                          err);
    for (size_t i = 0; st == STATUS_OK && i < ARRAY_LEN(steps); i++)
        st = run_step(c, &steps[i], err);
    if (st == STATUS_OK)
        return conn_execute(c, STR("commit"), err);
    (void)!conn_execute(c, STR("rollback"), NULL);
    return st;
}

/* An empty file is an empty database; made here for its mode. */
static enum status make_file(const char *path, struct err *err)
{
    enum status st = fs_make_folders(str_of(path), 0700, err);
    if (st != STATUS_OK)
        return st;
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd); /* nobody has a lock on a file that is new */
    else if (errno != EEXIST)
        return err_sys(err, STATUS_IO, errno, "cannot make %s", path);
    return STATUS_OK;
}

static enum status open_database(const char *path, struct database **ret_db, struct conn **ret_writer, struct err *err)
{
    const struct database_options o = {
        .name = STR("_internal"), .path = str_of(path), .memory = !*path, .busy_timeout_ms = LIMIT_DB_BUSY_TIMEOUT_MS};
    struct database *db;
    struct conn *writer = NULL;
    enum status st = *path ? make_file(path, err) : STATUS_OK;
    if (st == STATUS_OK)
        st = database_new(&o, &db, err);
    if (st != STATUS_OK)
        return st;
    st = conn_open_private(db, CONN_WRITE, &writer, err);
    if (st == STATUS_OK && *path)
        st = conn_execute(writer, STR("pragma journal_mode = wal"), err);
    if (st == STATUS_OK && *path) /* a site that falls asleep opens it again and again */
        st = conn_keep_log(writer, err);
    if (st == STATUS_OK)
        st = run_steps(writer, err);
    if (st != STATUS_OK) {
        conn_close(writer);
        database_unref(db);
        return st;
    }
    *ret_db = db;
    *ret_writer = writer;
    return STATUS_OK;
}

static enum status open_locked(struct internal *in, bool fall_back, struct err *err)
{
    struct database *db = NULL;
    struct err why = ERR_INIT;
    if (atomic_load(&in->database))
        return STATUS_OK;
    enum status st = open_database(in->path, &db, &in->writer, &why);
    if (st != STATUS_OK && *in->path && fall_back) {
        log_line(LOG_WARN, "state", "%s; what is stored from now on ends with this process", why.text);
        atomic_store(&in->in_memory, true);
        st = open_database("", &db, &in->writer, &why);
    }
    if (st != STATUS_OK) {
        err_set(err, st, "%s", why.text);
        return err_hint(err, "%s", why.hint[0] ? why.hint : "Name another place with --internal or --state.");
    }
    atomic_store_explicit(&in->database, db, memory_order_release);
    return STATUS_OK;
}

enum status internal_open(struct internal *in, struct err *err)
{
    pthread_mutex_lock(&in->lock);
    enum status st = open_locked(in, false, err);
    pthread_mutex_unlock(&in->lock);
    return st;
}

static enum status need(struct internal *in, struct database **ret_db, struct err *err)
{
    enum status st = STATUS_OK;
    struct database *db = atomic_load_explicit(&in->database, memory_order_acquire);
    if (!db) {
        pthread_mutex_lock(&in->lock);
        st = open_locked(in, true, err);
        db = atomic_load(&in->database);
        pthread_mutex_unlock(&in->lock);
    }
    if (st == STATUS_OK)
        *ret_db = db;
    return st;
}

/* ---- use ------------------------------------------------------------------------------------------------------- */

enum status internal_read(struct internal *in, struct conn **ret_conn, struct err *err)
{
    struct database *db = NULL;
    enum status st = need(in, &db, err);
    return st == STATUS_OK ? conn_acquire(db, ret_conn, err) : st;
}

static enum status write_locked(struct internal *in, internal_fn *fn, void *arg, struct err *err)
{
    enum status st = open_locked(in, true, err);
    if (st == STATUS_OK && !in->writer)
        st = conn_open_private(atomic_load(&in->database), CONN_WRITE, &in->writer, err);
    if (st != STATUS_OK)
        return st;
    st = conn_execute(in->writer, STR("begin immediate"), err);
    if (st == STATUS_OK)
        st = fn(in->writer, arg, err);
    if (st == STATUS_OK)
        st = conn_execute(in->writer, STR("commit"), err);
    if (st == STATUS_OK)
        return STATUS_OK;
    (void)!conn_execute(in->writer, STR("rollback"), NULL); /* fails when BEGIN did, or SQLite rolled back itself */
    if (st == STATUS_IO || st == STATUS_CORRUPT) {
        conn_close(in->writer);
        in->writer = NULL;
    }
    return st;
}

enum status internal_write(struct internal *in, internal_fn *fn, void *arg, struct err *err)
{
    pthread_mutex_lock(&in->lock);
    enum status st = write_locked(in, fn, arg, err);
    pthread_mutex_unlock(&in->lock);
    return st;
}

struct single {
    const char *sql;
    const struct db_value *values;
    size_t count;
    int64_t changes;
};

static enum status run_single(struct conn *c, void *arg, struct err *err)
{
    struct single *one = arg;
    struct stmt *s;
    enum status st = conn_prepare_trusted(c, str_of(one->sql), &s, err);
    if (st != STATUS_OK)
        return st;
    for (size_t i = 0; st == STATUS_OK && i < one->count; i++)
        st = stmt_bind(s, (int)i + 1, one->values[i], err);
    if (st == STATUS_OK)
        st = stmt_step(s, err);
    stmt_done(s);
    one->changes = conn_changes(c);
    return st;
}

enum status internal_run(struct internal *in, const char *sql, const struct db_value *values, size_t count,
                         int64_t *ret_changes, struct err *err)
{
    struct single one = {.sql = sql, .values = values, .count = count};
    enum status st = internal_write(in, run_single, &one, err);
    if (st == STATUS_OK && ret_changes)
        *ret_changes = one.changes;
    return st;
}

enum status internal_signature(struct internal *in, struct db_signature *ret, struct err *err)
{
    struct database *db = NULL;
    enum status st = need(in, &db, err);
    return st == STATUS_OK ? database_signature(db, ret, err) : st;
}

bool internal_is_memory(struct internal *in)
{
    struct database *db;
    (void)!need(in, &db, NULL);
    return atomic_load(&in->in_memory);
}

str internal_path(const struct internal *in)
{
    return str_of(in->path);
}
