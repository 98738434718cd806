/* SPDX-License-Identifier: Apache-2.0 */
/* job — one import.
 *
 *   RECEIVING (whole) --start--> RUNNING --> DONE | FAILED | CANCELLED      FAILED, CANCELLED --start--> RUNNING
 *   DONE --undo--> UNDONE
 *
 * The first pass over the file (types) runs on a worker of the import lane; the second is a job of the database's
 * writer, alone and in one transaction: whatever happens, the table is as before or has everything. The file stays
 * locked from start to end, so a second start is refused, in other processes too; a row that says RUNNING while its
 * lock is free belongs to a process that died, and nothing was changed.
 *
 * What is in memory (progress, the flag to cancel) is found by id, behind one lock. */
#include "site/upload/job.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/writer.h"
#include "ingest/ingest.h"
#include "ingest/preview.h"
#include "ingest/undo.h"
#include "site/history.h"
#include "site/space/disk.h"
#include "site/space/space.h"

#define PREVIEW_ROWS 20

struct import_job {
    struct import_job *next;
    struct import_jobs *all;
    struct import_progress progress; /* under the lock of `all` */
    atomic_bool cancelled;
    const struct space *space; /* as it was when the import began; NULL = there is no quota */
    bool passed;               /* the quota of disk, on the way */
    bool stopped;              /* by the end of the process; under the lock */
    struct arena *arena;
    struct site *site;
    struct published *db;
    struct upload upload;
    int fd;
    struct ingest_options options;
    struct ingest *ingest;
    struct ingest_report report;
    str import_id; /* of last_import() */
    struct progress watch;
    struct writer_job write;
};

struct import_jobs {
    pthread_mutex_t lock;
    pthread_cond_t turns; /* one ended, or is not wanted any more */
    bool writing;         /* one with a quota */
    struct import_job *first;
};

struct import_jobs *import_jobs_new(void)
{
    struct import_jobs *j = MEM_NEW(struct import_jobs);
    pthread_mutex_init(&j->lock, NULL);
    pthread_cond_init(&j->turns, NULL);
    return j;
}

void import_jobs_free(struct import_jobs *j)
{
    if (!j)
        return;
    ASSERT(!j->first);
    pthread_cond_destroy(&j->turns);
    pthread_mutex_destroy(&j->lock);
    free(j);
}

void import_jobs_stop(struct import_jobs *j)
{
    pthread_mutex_lock(&j->lock);
    for (struct import_job *i = j->first; i; i = i->next) {
        i->stopped = true;
        atomic_store(&i->cancelled, true);
    }
    pthread_cond_broadcast(&j->turns);
    pthread_mutex_unlock(&j->lock);
}

static struct import_job *find(struct import_jobs *j, str id)
{
    struct import_job *i = j->first;
    while (i && !str_eq(i->upload.id, id))
        i = i->next;
    return i;
}

bool import_progress(struct site *s, str id, struct import_progress *ret)
{
    struct import_jobs *j = s->shared->imports;
    pthread_mutex_lock(&j->lock);
    const struct import_job *i = find(j, id);
    if (i)
        *ret = i->progress;
    pthread_mutex_unlock(&j->lock);
    return i != NULL;
}

struct value import_progress_json(struct arena *a, const struct import_progress *p)
{
    struct value d = value_dict(a);
    double half = p->size ? (double)MIN(p->position, p->size) / (double)p->size * 50 : 0;
    VALUE_SET(d, "phase", value_cstr(p->phase));
    VALUE_SET(d, "rows", value_int((int64_t)p->rows));
    VALUE_SET(d, "position", value_int((int64_t)p->position));
    VALUE_SET(d, "size", value_int((int64_t)p->size));
    VALUE_SET(d, "percent", value_int((int64_t)half + (str_is(str_of(p->phase), "writing") ? 50 : 0)));
    return d;
}

bool import_cancel(struct site *s, str id)
{
    struct import_jobs *j = s->shared->imports;
    pthread_mutex_lock(&j->lock);
    struct import_job *i = find(j, id);
    if (i)
        atomic_store(&i->cancelled, true);
    pthread_cond_broadcast(&j->turns);
    pthread_mutex_unlock(&j->lock);
    return i != NULL;
}

static void show(void *arg, const struct progress *p)
{
    struct import_job *i = arg;
    if (i->space && space_disk_left(i->site->shared->disk, i->space) <= 0) {
        i->passed = true;
        atomic_store(&i->cancelled, true);
    }
    pthread_mutex_lock(&i->all->lock);
    i->progress = (struct import_progress){p->phase, p->rows, p->position, p->size};
    pthread_mutex_unlock(&i->all->lock);
}

/* ---- options ---- */

static str text_of(struct value d, str key)
{
    str s = value_get_text(d, key);
    return s.p ? s : STR("");
}

static void read_options(struct arena *a, struct value d, struct ingest_options *o)
{
    struct value columns = VALUE_GET(d, "columns"), pk = VALUE_GET(d, "pk");
    str mode = text_of(d, STR("mode"));
    size_t n = value_count(columns);
    struct ingest_pair *renames = ARENA_ARRAY(a, struct ingest_pair, n + 1);
    struct ingest_pair *types = ARENA_ARRAY(a, struct ingest_pair, n + 1);
    str *keys = ARENA_ARRAY(a, str, value_count(pk) + 1);
    *o = (struct ingest_options){.skip_lines = -1, .renames = renames, .types = types, .pk = keys};
    for (size_t i = 0; i < n; i++) {
        struct value c = value_at(columns, i);
        str name = text_of(c, STR("name")), as = text_of(c, STR("as")), type = text_of(c, STR("type"));
        if (as.n && !str_eq(as, name))
            renames[o->rename_count++] = (struct ingest_pair){name, as};
        if (type.n)
            types[o->type_count++] = (struct ingest_pair){as.n ? as : name, type};
    }
    for (size_t i = 0; i < value_count(pk); i++)
        keys[o->pk_count++] = value_at(pk, i).s;
    o->mode = str_is(mode, "upsert") ? INGEST_UPSERT : INGEST_INSERT;
    o->replace_table = str_is(mode, "replace");
    o->delimiter = text_of(d, STR("delimiter"));
    o->encoding = text_of(d, STR("encoding"));
    o->entry = o->part = text_of(d, STR("entry")); /* whichever the file has */
    o->no_headers = value_truth(VALUE_GET(d, "no_headers"));
    o->alter = value_truth(VALUE_GET(d, "alter"));
}

/* ---- writer's thread ---- */

static enum status check_table(struct import_job *i, struct conn *c, struct err *err)
{
    str mode = text_of(i->upload.options, STR("mode"));
    struct stmt *s;
    enum status st = conn_prepare_trusted(
        c, STR("select 1 from main.sqlite_schema where name = ?1 collate nocase and type in ('table', 'view')"), &s,
        err);
    if (st != STATUS_OK)
        return st;
    st = stmt_bind_text(s, 1, i->upload.table, err);
    if (st == STATUS_OK)
        st = stmt_step(s, err);
    stmt_done(s);
    if (st != STATUS_OK && st != STATUS_AGAIN)
        return st;
    bool there = st == STATUS_AGAIN;
    if (there && str_is(mode, "create")) {
        err_set(err, STATUS_CONFLICT, "There is a table \"%.*s\" already", STR_ARG(i->upload.table));
        return err_hint(err, "Choose another name, or add the rows to it.");
    }
    if (!there && str_is(mode, "append"))
        return err_set(err, STATUS_NOT_FOUND, "There is no table \"%.*s\"", STR_ARG(i->upload.table));
    return STATUS_OK;
}

/* What undo knows the last import by; empty = there is none. Numbers alone are given again. */
static str last_import(struct arena *a, struct conn *c)
{
    struct stmt *s;
    str id = {0};
    if (conn_prepare_trusted(c,
                             STR("SELECT id || ' ' || imported_at || ' ' || \"table\" || ' ' || file FROM"
                                 " main._vitrine_imports ORDER BY id DESC LIMIT 1"),
                             &s, NULL) != STATUS_OK)
        return id;
    if (stmt_step(s, NULL) == STATUS_AGAIN)
        id = arena_str(a, stmt_column_text(s, 0));
    stmt_done(s);
    return id;
}

/* SQLite itself stops where the room ends: what is held in memory until the COMMIT counts too. left < 0 = no limit. */
static enum status limit_pages(struct import_job *i, struct conn *c, int64_t left, struct err *err)
{
    struct stmt *s;
    int64_t pages = 4294967294; /* SQLite's own limit */
    if (left >= 0) {
        enum status st = conn_prepare_trusted(
            c, STR("SELECT page_count + ?1 / page_size FROM pragma_page_count(), pragma_page_size()"), &s, err);
        if (st != STATUS_OK)
            return st;
        st = stmt_bind_i64(s, 1, left, err);
        if (st == STATUS_OK)
            st = stmt_step(s, err);
        if (st == STATUS_AGAIN)
            pages = MAX(stmt_column_i64(s, 0), 1);
        stmt_done(s);
        if (st != STATUS_AGAIN)
            return st;
    }
    return conn_execute(c, arena_printf(i->arena, "PRAGMA max_page_count = %lld", (long long)pages), err);
}

static enum status load(struct writer_job *w, struct conn *c, struct err *err)
{
    struct import_job *i = (struct import_job *)((char *)w - offsetof(struct import_job, write));
    int64_t left = space_disk_left_now(i->site->shared->disk, i->space);
    bool limited = left != INT64_MAX;
    conn_deadline(c, 0, &i->cancelled);
    enum status st = check_table(i, c, err);
    if (st == STATUS_OK && limited)
        st = limit_pages(i, c, MAX(left, 0), err);
    if (st == STATUS_OK)
        st = ingest_load(i->ingest, c, i->upload.table, &i->report, err);
    if (limited && limit_pages(i, c, -1, NULL) != STATUS_OK)
        log_line(LOG_WARN, "import", "the limit of pages could not be lifted");
    i->passed = i->passed || (limited && st == STATUS_DISK_FULL);
    conn_deadline(c, 0, NULL);
    if (st == STATUS_OK)
        i->import_id = last_import(i->arena, c);
    return st;
}

/* Waits for the writer on the stack of whoever asked. */
struct undo_job {
    struct writer_job job; /* first */
    struct arena *arena;
    str import_id;
    struct undo_report report;
};

static enum status run_undo(struct writer_job *w, struct conn *c, struct err *err)
{
    struct undo_job *u = (struct undo_job *)w;
    if (!u->import_id.n || !str_eq(last_import(u->arena, c), u->import_id))
        return err_set(err, STATUS_CONFLICT, "It cannot be taken back: something else was imported since, or undone");
    return undo_last(u->arena, c, &u->report, err);
}

enum status import_undo(struct request *rq, struct upload *u, str *ret_text, struct err *err)
{
    struct undo_job j = {.job = {.run = run_undo, .alone = true}, .arena = rq->arena};
    j.import_id = value_get_text(u->report, STR("import_id"));
    enum status st = writer_run(rq->db->writer, &j.job, err);
    if (st != STATUS_OK)
        return st;
    const struct undo_report *r = &j.report;
    *ret_text = r->dropped ? arena_printf(rq->arena, "The table %.*s is gone again", STR_ARG(r->table))
                           : arena_printf(rq->arena, "%llu rows are gone again, %llu are as they were",
                                          (unsigned long long)r->gone, (unsigned long long)r->back);
    u->state = UPLOAD_UNDONE;
    return upload_save(rq->site, rq->arena, u, err);
}

/* ---- worker ---- */

/* An import may fill what is left of the quota to the last page, whatever its database: so no two write at once. It
 * waits here and not in the writer, which goes on with other writes meanwhile. */
static enum status begin_turn(struct import_job *i, struct err *err)
{
    pthread_mutex_lock(&i->all->lock);
    while (i->all->writing && !atomic_load(&i->cancelled))
        pthread_cond_wait(&i->all->turns, &i->all->lock);
    bool cancelled = atomic_load(&i->cancelled);
    i->all->writing |= !cancelled;
    pthread_mutex_unlock(&i->all->lock);
    return cancelled ? progress_check(&i->watch, err) : STATUS_OK;
}

static void end_turn(struct import_job *i)
{
    pthread_mutex_lock(&i->all->lock);
    i->all->writing = false;
    pthread_cond_broadcast(&i->all->turns);
    pthread_mutex_unlock(&i->all->lock);
}

static enum status import(struct import_job *i, struct err *err)
{
    struct arena *a = i->arena;
    struct source *source = ARENA_NEW(a, struct source);
    enum status st =
        source_open_as(a, upload_path(i->site, a, i->upload.id), i->upload.name, i->options.entry, source, err);
    if (st == STATUS_OK)
        st = ingest_look(a, source, &i->options, &i->watch, &i->ingest, err);
    i->write = (struct writer_job){.run = load, .alone = true};
    bool limited = i->space && i->space->disk_bytes;
    if (st == STATUS_OK && limited)
        st = begin_turn(i, err);
    if (st != STATUS_OK)
        return st;
    st = writer_run(i->db->writer, &i->write, err);
    if (limited)
        end_turn(i);
    return st;
}

static void keep_report(struct import_job *i)
{
    struct buf b;
    struct value v;
    buf_init(&b, LIMIT_JSON_OUTPUT);
    ingest_report_json(&b, &i->report);
    if (!b.over && value_from_json(i->arena, buf_str(&b), &v, NULL) == STATUS_OK)
        i->upload.report = v;
    if (i->upload.report.kind == VALUE_DICT)
        VALUE_SET(i->upload.report, "import_id", value_str_if(i->import_id.n, i->import_id));
    buf_release(&b);
}

static void finish(struct import_job *i, enum status st, const struct err *err)
{
    struct upload *u = &i->upload;
    struct err local = ERR_INIT;
    u->state = st == STATUS_OK ? UPLOAD_DONE : st == STATUS_CANCELLED ? UPLOAD_CANCELLED : UPLOAD_FAILED;
    u->fault = (str){0};
    if (st == STATUS_OK)
        keep_report(i);
    else if (st == STATUS_CANCELLED && i->stopped)
        u->fault = STR("The server was stopped while it imported");
    else if (st != STATUS_CANCELLED)
        u->fault = arena_printf(i->arena, "%s%s%s", err->text, err->hint[0] ? ". " : "", err->hint);
    if (upload_save(i->site, i->arena, u, &local) != STATUS_OK)
        log_line(LOG_WARN, "import", "what became of an import could not be kept: %s", local.text);
    if (st == STATUS_OK)
        upload_drop_file(i->site, i->arena, u->id);
}

static void forget(struct import_job *i)
{
    struct import_job **at = &i->all->first;
    pthread_mutex_lock(&i->all->lock);
    while (*at != i)
        at = &(*at)->next;
    *at = i->next;
    pthread_mutex_unlock(&i->all->lock);
    close(i->fd);
    published_unref(i->db);
    struct site *s = i->site;
    struct arena *a = i->arena;
    arena_free(a); /* the job lives in it */
    site_unref(s);
}

static void run(void *arg, struct worker *w)
{
    struct import_job *i = arg;
    struct err err = ERR_INIT;
    (void)w;
    enum status st = progress_check(&i->watch, &err);
    if (st == STATUS_OK)
        st = import(i, &err);
    if (st != STATUS_OK && i->passed)
        st = space_disk_passed(i->space, &err);
    finish(i, st, &err);
    forget(i);
}

static struct upload copy(struct arena *a, const struct upload *u)
{
    struct upload c = *u;
    str *const texts[] = {&c.id, &c.actor, &c.name, &c.metadata, &c.database, &c.table, &c.fault};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        *texts[i] = arena_str(a, *texts[i]);
    c.options = value_copy(a, u->options);
    c.report = VALUE_UNDEF;
    return c;
}

enum status import_start(struct request *rq, struct upload *u, int own_fd, struct err *err)
{
    struct import_jobs *all = rq->site->shared->imports;
    struct arena *a = arena_new(0);
    struct import_job *i = ARENA_NEW(a, struct import_job);
    u->state = UPLOAD_RUNNING;
    u->fault = (str){0};
    i->arena = a;
    i->all = all;
    i->fd = own_fd;
    i->site = site_ref(rq->site);
    i->space = space_cell_borrow(rq->site->shared->space, a);
    i->db = published_ref(rq->db);
    i->upload = copy(a, u);
    i->progress.phase = "waiting";
    i->watch = (struct progress){.show = show, .arg = i, .cancelled = &i->cancelled};
    read_options(a, i->upload.options, &i->options);
    i->options.who = i->upload.actor;
    i->options.via = STR(HISTORY_WEB);
    i->options.undo = true;
    enum status st = upload_save(rq->site, rq->arena, u, err);
    pthread_mutex_lock(&all->lock);
    i->next = all->first;
    all->first = i;
    pthread_mutex_unlock(&all->lock);
    if (st == STATUS_OK && !pool_submit(rq->site->pool, LANE_IMPORT, run, i)) {
        st = err_set(err, STATUS_BUSY, "Too many imports are waiting. Try again in a moment.");
        u->state = UPLOAD_RECEIVING;
        (void)!upload_save(rq->site, rq->arena, u, NULL);
    }
    if (st != STATUS_OK)
        forget(i);
    return st;
}

/* ---- preview ---- */

static struct value preview_rows(struct arena *a, const struct preview *p)
{
    struct value rows = value_list(a);
    for (size_t r = 0; r < p->row_count; r++) {
        struct value row = value_list(a);
        for (size_t c = 0; c < p->column_count; c++) {
            str cell = p->cells[r * p->column_count + c];
            value_push(row, value_str_if(cell.p != NULL, cell));
        }
        value_push(rows, row);
    }
    return rows;
}

enum status import_preview(struct request *rq, const struct upload *u, struct value *ret, struct err *err)
{
    struct arena *a = rq->arena;
    struct ingest_options o;
    struct source source;
    struct preview p;
    struct value d = value_dict(a), columns = value_list(a);
    read_options(a, u->options, &o);
    enum status st = source_open_as(a, upload_path(rq->site, a, u->id), u->name, o.entry, &source, err);
    if (st == STATUS_OK)
        st = preview_make(a, &source, &o, PREVIEW_ROWS, &p, err);
    if (st != STATUS_OK)
        return st;
    for (size_t i = 0; i < p.column_count; i++) {
        struct value c = value_dict(a);
        VALUE_SET(c, "name", value_str(p.columns[i].name));
        VALUE_SET(c, "type", value_str(p.columns[i].type));
        VALUE_SET(c, "unique", value_bool(p.columns[i].unique));
        value_push(columns, c);
    }
    VALUE_SET(d, "format", value_str(p.format));
    VALUE_SET(d, "encoding", value_str(p.encoding));
    VALUE_SET(d, "delimiter", value_str(arena_str(a, str_make(&p.delimiter, p.delimiter != 0))));
    VALUE_SET(d, "header_line", value_int((int64_t)p.header_line));
    VALUE_SET(d, "rows_read", value_int((int64_t)p.rows_read));
    VALUE_SET(d, "whole", value_bool(p.whole));
    VALUE_SET(d, "stem", value_str(source.stem));
    VALUE_SET(d, "columns", columns);
    VALUE_SET(d, "rows", preview_rows(a, &p));
    *ret = d;
    return STATUS_OK;
}
