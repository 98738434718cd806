/* SPDX-License-Identifier: Apache-2.0 */
/* schedule — imports that run by themselves.
 *
 *   tick (loop, each second): due and not running? -> worker of the import lane
 *   worker: fetch (conditional: ETag, Last-Modified) -> read into a database of its own, types and all -> the writer of
 *           the database: compare, write what differs, one transaction (merge.h) -> state into the internal database
 *
 * When it runs next is kept across restarts: a run that was missed while the process was down happens once, at the next
 * start. A clock that was set back does not make it wait longer than the schedule says; one set forward makes it run
 * once. After a failure it tries again after 1, 2, 4 ... minutes, up to BACKOFF_MAX_S.
 *
 * Invariants: (1) an entry has one run at a time: `running` is set under the lock by the tick, cleared by the worker.
 * (2) a run has a copy of its configuration: a new generation changes the next run. (3) the table is as before or as
 * the source is, never between. (4) the end of the process cancels fetching, reading and writing
 * (site_shared.stopping).
 *
 * Not here: when something is due (cron.c), what is written (merge.c). Tests: tests/site/test_schedule.py,
 * tests/unit/site/test_cron.c. */
#include "site/schedule/schedule.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/url.h"
#include "db/stmt.h"
#include "db/writer.h"
#include "ingest/ingest.h"
#include "ingest/target.h"
#include "site/internal.h"
#include "site/schedule/cron.h"
#include "site/schedule/merge.h"

#define BACKOFF_FIRST_S 60
#define BACKOFF_MAX_S   21600

struct run_state { /* in the internal database; texts on the heap of the entry's arena */
    int64_t started, finished, next, failures;
    int64_t rows, added, changed, removed, rejected;
    str result, error, hint, etag, last_modified;
};

struct entry {
    struct entry *next;
    struct arena *config_arena, *state_arena;
    str db, table;
    struct value config;
    struct cron cron;
    str problem; /* why it cannot run at all; empty = it can */
    struct run_state state;
    bool running, wanted, configured;
};

struct schedule {
    struct internal *in;
    pthread_mutex_t lock; /* of all below */
    struct entry *first;
};

struct schedule *schedule_new(struct internal *in)
{
    struct schedule *s = MEM_NEW(struct schedule);
    s->in = in;
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

void schedule_free(struct schedule *s)
{
    if (!s)
        return;
    for (struct entry *e = s->first, *next; e; e = next) {
        next = e->next;
        arena_free(e->config_arena);
        arena_free(e->state_arena);
        free(e);
    }
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static struct entry *find(struct schedule *s, str db, str table)
{
    struct entry *e = s->first;
    while (e && !(str_eq(e->db, db) && str_eq(e->table, table)))
        e = e->next;
    return e;
}

/* ---- state ---- */

static str *state_texts(struct run_state *s, size_t i)
{
    str *const texts[] = {&s->result, &s->error, &s->hint, &s->etag, &s->last_modified};
    return texts[i];
}

static int64_t *state_number(struct run_state *s, size_t i)
{
    int64_t *const numbers[] = {&s->started, &s->finished, &s->next,    &s->failures, &s->rows,
                                &s->added,   &s->changed,  &s->removed, &s->rejected};
    return numbers[i];
}

#define STATE_NUMBERS 9
#define STATE_TEXTS   5
#define STATE_COLUMNS                                                                                                  \
    "started, finished, next_run, failures, row_count, added, changed, removed, rejected, result, error, hint, etag, " \
    "last_modified"

static void read_state(struct schedule *s, struct entry *e)
{
    struct conn *c = NULL;
    struct stmt *q = NULL;
    enum status st = internal_read(s->in, &c, NULL);
    if (st == STATUS_OK)
        st = conn_prepare_trusted(
            c, STR("select " STATE_COLUMNS " from import_runs where database_name = ?1 and table_name = ?2"), &q, NULL);
    if (st == STATUS_OK)
        st = stmt_bind_text(q, 1, e->db, NULL);
    if (st == STATUS_OK)
        st = stmt_bind_text(q, 2, e->table, NULL);
    if (st == STATUS_OK && stmt_step(q, NULL) == STATUS_AGAIN) {
        for (size_t i = 0; i < STATE_NUMBERS; i++)
            *state_number(&e->state, i) = stmt_column_i64(q, (int)i);
        for (size_t i = 0; i < STATE_TEXTS; i++)
            *state_texts(&e->state, i) = arena_str(e->state_arena, stmt_column_text(q, (int)(STATE_NUMBERS + i)));
    }
    stmt_done(q);
    conn_release(c);
}

struct saving {
    str db, table;
    struct run_state state;
};

static enum status save_state(struct conn *c, void *arg, struct err *err)
{
    struct saving *s = arg;
    struct stmt *q = NULL;
    enum status st =
        conn_prepare_trusted(c,
                             STR("insert or replace into import_runs (database_name, table_name, " STATE_COLUMNS
                                 ") values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
                             &q, err);
    if (st == STATUS_OK)
        st = stmt_bind_text(q, 1, s->db, err);
    if (st == STATUS_OK)
        st = stmt_bind_text(q, 2, s->table, err);
    for (size_t i = 0; st == STATUS_OK && i < STATE_NUMBERS; i++)
        st = stmt_bind_i64(q, (int)i + 3, *state_number(&s->state, i), err);
    for (size_t i = 0; st == STATUS_OK && i < STATE_TEXTS; i++)
        st = stmt_bind_text(q, (int)(i + STATE_NUMBERS) + 3, *state_texts(&s->state, i), err);
    if (st == STATUS_OK)
        st = stmt_step(q, err);
    stmt_done(q);
    return st;
}

/* ---- configuration ---- */

static str text_of(struct value d, const char *key)
{
    struct value v = value_get(d, str_of(key));
    return value_is_text(v) ? v.s : (str){0};
}

static void check(struct entry *e)
{
    struct err err = ERR_INIT;
    struct value d = e->config, pk = VALUE_GET(d, "pk"), percent = VALUE_GET(d, "max_removed_percent");
    str vanished = text_of(d, "vanished"), problem = {0};
    bool keys = value_is_text(pk) || value_count(pk) > 0;
    if (!text_of(d, "url").n == !text_of(d, "file").n)
        problem = STR("it needs a url or a file (one of them)");
    else if (!keys)
        problem = STR("it needs pk: the column, or list of columns, that tells rows apart");
    else if (vanished.n && !str_is(vanished, "keep") && !str_is(vanished, "delete") && !str_is(vanished, "mark"))
        problem = STR("vanished must be keep, delete or mark");
    else if (percent.kind != VALUE_UNDEFINED && !(percent.kind == VALUE_INT && percent.i >= 0 && percent.i <= 100))
        problem = STR("max_removed_percent must be a number from 0 to 100");
    else if (cron_parse(text_of(d, "schedule"), &e->cron, &err) != STATUS_OK)
        problem = arena_printf(e->config_arena, "%s. %s", err.text, err.hint);
    e->problem = problem;
    if (problem.n)
        LOG_WITH(LOG_WARN, "schedule", STR("an import cannot run"), LOG_STR("database", e->db),
                 LOG_STR("table", e->table), LOG_STR("why", problem));
}

static void configure(struct schedule *s, str db, struct value config)
{
    struct arena *a = arena_new(0);
    struct value copy = value_copy(a, config);
    str table = text_of(copy, "table");
    struct entry *e = find(s, db, table);
    if (e) {
        arena_free(e->config_arena);
    } else {
        e = MEM_NEW(struct entry);
        e->state_arena = arena_new(0);
        e->next = s->first;
        s->first = e;
    }
    bool is_new = !e->table.p;
    e->config_arena = a;
    e->config = copy;
    e->configured = true;
    e->db = arena_str(a, db);
    e->table = table.n ? table : STR("");
    if (is_new)
        read_state(s, e);
    check(e);
    if (!table.n)
        e->problem = STR("it needs a table");
}

void schedule_configure(struct site *site)
{
    struct schedule *s = site->shared->schedule;
    pthread_mutex_lock(&s->lock);
    for (struct entry *e = s->first; e; e = e->next)
        e->configured = false;
    for (size_t i = 0; i < site->published_count; i++) {
        str db = site->published[i]->name;
        struct value list = VALUE_GET(config_database(&site->config, db), "imports");
        for (size_t k = 0; k < value_count(list) && k < (size_t)LIMIT_SCHEDULE_IMPORTS; k++)
            if (value_at(list, k).kind == VALUE_DICT)
                configure(s, db, value_at(list, k));
        if (value_count(list) > (size_t)LIMIT_SCHEDULE_IMPORTS)
            log_line(LOG_WARN, "schedule", "%.*s has more than %d imports: the rest is left out", STR_ARG(db),
                     LIMIT_SCHEDULE_IMPORTS);
    }
    pthread_mutex_unlock(&s->lock);
}

/* ---- one run ---- */

struct run {
    struct arena *arena;
    struct site *site;
    struct published *db;
    str name, table, folder;
    struct value config;
    struct run_state state;
    struct cron cron;
    struct merge_options merge;
    struct merge_result result;
    struct writer_job write;
};

static void read_format(struct run *r, struct ingest_options *o)
{
    struct value pk = VALUE_GET(r->config, "pk");
    size_t n = value_is_text(pk) ? 1 : value_count(pk);
    str *names = ARENA_ARRAY(r->arena, str, n + 1);
    for (size_t i = 0; i < n; i++)
        names[i] = value_to_str(r->arena, value_is_text(pk) ? pk : value_at(pk, i));
    *o = (struct ingest_options){.skip_lines = -1,
                                 .mode = INGEST_INSERT,
                                 .pk = names,
                                 .pk_count = n,
                                 .path = text_of(r->config, "path"),
                                 .part = text_of(r->config, "part"),
                                 .entry = text_of(r->config, "entry"),
                                 .encoding = text_of(r->config, "encoding"),
                                 .delimiter = text_of(r->config, "delimiter"),
                                 .flatten = value_truth(VALUE_GET(r->config, "flatten")),
                                 .no_types = value_truth(VALUE_GET(r->config, "no_types")),
                                 .no_headers = value_truth(VALUE_GET(r->config, "no_headers"))};
    r->merge.pk = names;
    r->merge.pk_count = n;
}

static str path_in(struct run *r, const char *name)
{
    return ARENA_CAT(r->arena, r->folder, STR("/"), str_of(name));
}

/* *ret_same: it is what the last run saw. */
static enum status fetch(struct run *r, struct source *source, bool *ret_same, struct err *err)
{
    str url = text_of(r->config, "url"), path = path_in(r, "source"), entry = text_of(r->config, "entry"), file_name;
    struct fetch_url_result got;
    const struct fetch_url_options o = {
        .etag = r->state.etag, .last_modified = r->state.last_modified, .cancelled = &r->site->shared->stopping};
    int fd = open(path.p, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set(err, STATUS_IO, "cannot make %.*s", STR_ARG(path));
    enum status st = fetch_url(r->arena, url, &o, fd, &got, err);
    close(fd);
    if (st != STATUS_OK)
        return st;
    *ret_same = got.not_modified;
    if (got.not_modified)
        return STATUS_OK;
    r->state.etag = got.etag;
    r->state.last_modified = got.last_modified;
    file_name = got.file_name.n ? got.file_name : STR("source");
    return source_open_as(r->arena, path, file_name, entry, source, err);
}

static enum status open_file(struct run *r, struct source *source, bool *ret_same, struct err *err)
{
    str file = text_of(r->config, "file"), entry = text_of(r->config, "entry");
    struct stat st;
    if (stat(arena_cstr(r->arena, file), &st) != 0)
        return err_set(err, STATUS_NOT_FOUND, "There is no file %.*s", STR_ARG(file));
    str mark = arena_printf(r->arena, "%lld.%09ld %lld", (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
                            (long long)st.st_size);
    *ret_same = str_eq(mark, r->state.etag);
    r->state.etag = mark;
    return *ret_same ? STATUS_OK : source_open(r->arena, file, entry, NULL, source, err);
}

/* The source as a table of a database that is thrown away. */
static enum status stage(struct run *r, const struct source *source, struct err *err)
{
    struct ingest_options o;
    struct ingest_report report;
    struct conn *c = NULL;
    struct progress watch = {.cancelled = &r->site->shared->stopping};
    str file = path_in(r, "staging.db");
    read_format(r, &o);
    enum status st = target_open(file, true, &c, err);
    if (st == STATUS_OK)
        st = ingest_run(r->arena, c, source, r->table, &o, &watch, &report, err);
    conn_close(c);
    r->merge.file = file;
    if (st == STATUS_OK)
        r->state.rejected = (int64_t)report.rejected;
    return st;
}

static enum status write_merge(struct writer_job *j, struct conn *c, struct err *err)
{
    struct run *r = (struct run *)((char *)j - offsetof(struct run, write));
    conn_deadline(c, 0, &r->site->shared->stopping);
    return merge_run(c, r->arena, &r->merge, &r->result, err);
}

static enum status import(struct run *r, bool *ret_same, struct err *err)
{
    struct source *source = ARENA_NEW(r->arena, struct source);
    struct value percent = VALUE_GET(r->config, "max_removed_percent");
    str vanished = text_of(r->config, "vanished");
    if (!r->db->writer)
        return err_set(err, STATUS_FORBIDDEN, "Database is immutable");
    enum status st =
        text_of(r->config, "url").n ? fetch(r, source, ret_same, err) : open_file(r, source, ret_same, err);
    if (st != STATUS_OK || *ret_same)
        return st;
    r->merge.table = r->table;
    r->merge.vanished = str_is(vanished, "delete") ? MERGE_DELETE : str_is(vanished, "mark") ? MERGE_MARK : MERGE_KEEP;
    r->merge.max_removed_percent = percent.kind == VALUE_INT ? percent.i : LIMIT_SCHEDULE_REMOVED;
    r->merge.history = value_truth(VALUE_GET(r->config, "history"));
    r->merge.who =
        text_of(r->config, "url").n ? url_shown(r->arena, text_of(r->config, "url")) : text_of(r->config, "file");
    st = stage(r, source, err);
    r->write = (struct writer_job){.run = write_merge, .alone = true};
    return st == STATUS_OK ? writer_run(r->db->writer, &r->write, err) : st;
}

static void note(struct run *r, enum status st, bool same, const struct err *err, const struct run_state *before)
{
    struct run_state *s = &r->state;
    s->finished = clock_unix_s();
    s->failures = st == STATUS_OK ? 0 : before->failures + 1;
    s->result = st != STATUS_OK ? STR("failed") : same ? STR("not modified") : STR("imported");
    s->error = st == STATUS_OK ? STR("") : arena_str(r->arena, str_of(err->text));
    s->hint = st == STATUS_OK ? STR("") : arena_str(r->arena, str_of(err->hint));
    s->next = cron_next(&r->cron, s->finished);
    if (st == STATUS_OK && !same) {
        s->rows = r->result.rows;
        s->added = r->result.added;
        s->changed = r->result.changed;
        s->removed = r->result.removed;
    } else if (st != STATUS_OK) { /* the next try fetches it anew */
        s->etag = before->etag;
        s->last_modified = before->last_modified;
        int64_t wait_s = s->failures > 9 ? BACKOFF_MAX_S : BACKOFF_FIRST_S << (s->failures - 1);
        s->next = s->finished + MIN(wait_s, (int64_t)BACKOFF_MAX_S);
    } else {
        s->added = s->changed = s->removed = 0;
    }
    if (st == STATUS_OK)
        LOG_WITH(LOG_INFO, "schedule", s->result, LOG_STR("database", r->name), LOG_STR("table", r->table),
                 LOG_I64("added", s->added), LOG_I64("changed", s->changed), LOG_I64("removed", s->removed));
    else
        LOG_WITH(LOG_WARN, "schedule", STR("an import failed"), LOG_STR("database", r->name),
                 LOG_STR("table", r->table), LOG_STR("why", s->error));
}

static void keep(struct run *r)
{
    struct schedule *s = r->site->shared->schedule;
    struct saving saving = {r->name, r->table, r->state};
    struct err err = ERR_INIT;
    if (internal_write(s->in, save_state, &saving, &err) != STATUS_OK)
        log_line(LOG_WARN, "schedule", "what became of an import could not be kept: %s", err.text);
    pthread_mutex_lock(&s->lock);
    struct entry *e = find(s, r->name, r->table);
    struct arena *a = arena_new(0);
    arena_free(e->state_arena);
    e->state_arena = a;
    e->state = r->state;
    for (size_t i = 0; i < STATE_TEXTS; i++)
        *state_texts(&e->state, i) = arena_str(a, *state_texts(&e->state, i));
    e->running = false;
    pthread_mutex_unlock(&s->lock);
}

static void remove_folder(struct run *r)
{
    static const char *const names[] = {"source", "staging.db", "staging.db-journal", "staging.db-wal"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        unlink(path_in(r, names[i]).p);
    rmdir(r->folder.p);
}

static void run_import(void *arg, struct worker *w)
{
    struct run *r = arg;
    struct err err = ERR_INIT;
    struct run_state before = r->state;
    bool same = false;
    const char *tmp = getenv("TMPDIR");
    char *folder =
        arena_cstr(r->arena, ARENA_CAT(r->arena, str_of(tmp && *tmp ? tmp : "/tmp"), STR("/vitrine-import-XXXXXX")));
    (void)w;
    r->state.started = clock_unix_s();
    enum status st =
        mkdtemp(folder) ? STATUS_OK : err_set(&err, STATUS_IO, "no folder for temporary files: %s", folder);
    r->folder = str_of(folder);
    if (st == STATUS_OK)
        st = import(r, &same, &err);
    note(r, st, same, &err, &before);
    struct site *site = r->site;
    struct arena *a = r->arena;
    if (atomic_load(&site->shared->stopping) && st != STATUS_OK)
        r->state = before; /* the end of the process is no failure: it is due again at the next start */
    keep(r);
    remove_folder(r);
    published_unref(r->db);
    arena_free(a); /* closes the source; the run lives in it */
    site_unref(site);
}

/* ---- when ---- */

static void start(struct site *site, struct entry *e)
{
    struct published *db = site_find(site, e->db);
    struct arena *a = arena_new(0);
    struct run *r = ARENA_NEW(a, struct run);
    r->arena = a;
    r->site = site_ref(site);
    r->db = published_ref(db);
    r->name = arena_str(a, e->db);
    r->table = arena_str(a, e->table);
    r->config = value_copy(a, e->config);
    r->cron = e->cron;
    r->state = e->state;
    for (size_t i = 0; i < STATE_TEXTS; i++)
        *state_texts(&r->state, i) = arena_str(a, *state_texts(&r->state, i));
    e->running = pool_submit(site->pool, LANE_IMPORT, run_import, r);
    e->wanted = e->wanted && !e->running;
    if (!e->running) {
        published_unref(r->db);
        site_unref(r->site);
        arena_free(a);
    }
}

/* A clock that was set back does not lengthen the wait. */
static int64_t due_at(const struct entry *e, int64_t now)
{
    int64_t latest = e->state.failures ? now + BACKOFF_MAX_S : cron_next(&e->cron, now);
    return latest ? MIN(e->state.next, latest) : e->state.next;
}

void schedule_tick(struct site *site)
{
    struct schedule *s = site->shared->schedule;
    int64_t now = clock_unix_s();
    pthread_mutex_lock(&s->lock);
    for (struct entry *e = s->first; e; e = e->next)
        if (e->configured && !e->running && !e->problem.n && site_find(site, e->db) &&
            (e->wanted || due_at(e, now) <= now))
            start(site, e);
    pthread_mutex_unlock(&s->lock);
}

bool schedule_run_now(struct site *site, str db, str table)
{
    struct schedule *s = site->shared->schedule;
    pthread_mutex_lock(&s->lock);
    struct entry *e = find(s, db, table);
    bool can = e && e->configured && !e->running && !e->problem.n;
    if (can)
        e->wanted = true;
    pthread_mutex_unlock(&s->lock);
    return can;
}

static struct value time_value(struct arena *a, int64_t unix_s)
{
    struct tm tm;
    time_t t = (time_t)unix_s;
    if (!unix_s || !gmtime_r(&t, &tm))
        return VALUE_NULL;
    return value_str(arena_printf(a, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                                  tm.tm_hour, tm.tm_min, tm.tm_sec));
}

static struct value entry_value(struct arena *a, const struct entry *e)
{
    struct value d = value_dict(a);
    const struct run_state *s = &e->state;
    str url = text_of(e->config, "url"), source = url.n ? url_shown(a, url) : text_of(e->config, "file");
    VALUE_SET(d, "database", value_str(arena_str(a, e->db)));
    VALUE_SET(d, "table", value_str(arena_str(a, e->table)));
    VALUE_SET(d, "source", value_str(arena_str(a, source)));
    VALUE_SET(d, "schedule", value_str(arena_str(a, text_of(e->config, "schedule"))));
    VALUE_SET(d, "problem", value_str_if(e->problem.n > 0, arena_str(a, e->problem)));
    VALUE_SET(d, "running", value_bool(e->running || e->wanted));
    VALUE_SET(d, "last_run", time_value(a, s->started));
    VALUE_SET(d, "next_run", e->problem.n ? VALUE_NULL : time_value(a, s->next));
    VALUE_SET(d, "result", value_str_if(s->result.n > 0, arena_str(a, s->result)));
    VALUE_SET(d, "error", value_str_if(s->error.n > 0, arena_str(a, s->error)));
    VALUE_SET(d, "hint", value_str_if(s->hint.n > 0, arena_str(a, s->hint)));
    VALUE_SET(d, "failures", value_int(s->failures));
    VALUE_SET(d, "rows", value_int(s->rows));
    VALUE_SET(d, "added", value_int(s->added));
    VALUE_SET(d, "changed", value_int(s->changed));
    VALUE_SET(d, "removed", value_int(s->removed));
    VALUE_SET(d, "rejected", value_int(s->rejected));
    return d;
}

struct value schedule_list(struct site *site, struct arena *a)
{
    struct schedule *s = site->shared->schedule;
    struct value list = value_list(a);
    pthread_mutex_lock(&s->lock);
    for (struct entry *e = s->first; e; e = e->next)
        if (e->configured)
            value_push(list, entry_value(a, e));
    pthread_mutex_unlock(&s->lock);
    return list;
}
