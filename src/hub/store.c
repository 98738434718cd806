/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "db/writer.h"
#include "hub/sql.h"

struct store {
    struct database *database;
    struct writer *writer;
    pthread_mutex_t lock; /* of what follows */
    void (*written)(void *arg);
    void *arg;
};

struct step {
    const char *name;
    const char *sql;
};
static const struct step steps[] = {
#define X(name, sql) {#name, sql},
#include "hub/tbl/hub_steps.h"
#undef X
};

static bool is_step(str name)
{
    for (size_t i = 0; i < ARRAY_LEN(steps); i++)
        if (str_is(name, steps[i].name))
            return true;
    return false;
}

static bool has(struct value done, const char *name)
{
    for (size_t i = 0; i < value_count(done); i++)
        if (str_is(VALUE_GET(value_at(done, i), "name").s, name))
            return true;
    return false;
}

static enum status run_steps(struct conn *c, struct arena *a, struct err *err)
{
    struct value done;
    enum status st = conn_execute(c, STR("create table if not exists hub_steps (name text primary key)"), err);
    if (st == STATUS_OK)
        st = sql_rows(c, a, "select name from hub_steps", NULL, 0, &done, err);
    for (size_t i = 0; st == STATUS_OK && i < value_count(done); i++) {
        str name = VALUE_GET(value_at(done, i), "name").s;
        if (!is_step(name)) {
            err_set(err, STATUS_CONFLICT, "hub.db was made by a newer version of vitrine (it knows \"%.*s\")",
                    STR_ARG(name));
            return err_hint(err, "Start that version, or restore a backup from before it.");
        }
    }
    for (size_t i = 0; st == STATUS_OK && i < ARRAY_LEN(steps); i++) {
        if (has(done, steps[i].name))
            continue;
        st = conn_execute(c, str_of(steps[i].sql), err);
        if (st == STATUS_OK)
            st = SQL_RUN(c, err, "insert into hub_steps (name) values (?1)", SQL_T(str_of(steps[i].name)));
        if (st != STATUS_OK)
            err_prefix(err, "step %s of hub.db", steps[i].name);
    }
    return st;
}

/* All missing steps in one transaction: a crash leaves all of them or none. */
static enum status bring_up_to_date(struct database *db, struct err *err)
{
    struct conn *c;
    struct arena *a = arena_new(0);
    enum status st = conn_open_private(db, CONN_WRITE, &c, err);
    if (st == STATUS_OK) {
        st = conn_execute(c, STR("pragma journal_mode = wal"), err);
        if (st == STATUS_OK)
            st = conn_execute(c, STR("begin immediate"), err);
        if (st == STATUS_OK)
            st = run_steps(c, a, err);
        if (st == STATUS_OK)
            st = conn_execute(c, STR("commit"), err);
        else
            (void)!conn_execute(c, STR("rollback"), NULL);
        conn_close(c);
    }
    arena_free(a);
    return st;
}

static enum status make_file(const char *path, struct err *err)
{
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
    else if (errno != EEXIST)
        return err_sys(err, STATUS_IO, errno, "cannot make %s", path);
    return STATUS_OK;
}

enum status store_open(str path, struct store **ret, struct err *err)
{
    struct store *s = MEM_NEW(struct store);
    pthread_mutex_init(&s->lock, NULL);
    const struct database_options o = {
        .name = STR("hub"), .path = path, .foreign_keys = true, .busy_timeout_ms = LIMIT_DB_BUSY_TIMEOUT_MS};
    char *file = mem_cstr(path);
    enum status st = make_file(file, err);
    free(file);
    if (st == STATUS_OK)
        st = database_new(&o, &s->database, err);
    if (st == STATUS_OK)
        st = database_check(s->database, err);
    if (st == STATUS_OK)
        st = bring_up_to_date(s->database, err);
    if (st == STATUS_OK) {
        s->writer = writer_new(s->database, WRITER_SYNC_FULL);
        *ret = s;
        return st;
    }
    store_free(s);
    return st;
}

void store_free(struct store *s)
{
    if (!s)
        return;
    writer_free(s->writer);
    database_unref(s->database);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

enum status store_read(struct store *s, struct conn **ret, struct err *err)
{
    return conn_acquire(s->database, ret, err);
}

struct database *store_database(struct store *s)
{
    return s->database;
}

struct job {
    struct writer_job write;
    store_write_fn *fn;
    void *arg;
};

static enum status run_job(struct writer_job *w, struct conn *c, struct err *err)
{
    struct job *j = (struct job *)((char *)w - offsetof(struct job, write));
    return j->fn(c, j->arg, err);
}

enum status store_write(struct store *s, store_write_fn *write, void *arg, struct err *err)
{
    struct job j = {.write = {.run = run_job}, .fn = write, .arg = arg};
    enum status st = writer_run(s->writer, &j.write, err);
    if (st == STATUS_OK) {
        pthread_mutex_lock(&s->lock);
        if (s->written)
            s->written(s->arg);
        pthread_mutex_unlock(&s->lock);
    }
    return st;
}

void store_when_written(struct store *s, void (*fn)(void *arg), void *arg)
{
    pthread_mutex_lock(&s->lock);
    s->written = fn;
    s->arg = arg;
    pthread_mutex_unlock(&s->lock);
}

enum status store_fact(struct conn *c, struct arena *a, const char *name, int64_t *ret, struct err *err)
{
    struct value row;
    enum status st =
        SQL_ROW(c, a, &row, err, "select cast(value as integer) as n from facts where name = ?1", SQL_T(str_of(name)));
    if (st == STATUS_OK)
        *ret = row.kind == VALUE_DICT ? VALUE_GET(row, "n").i : 0;
    return st;
}
