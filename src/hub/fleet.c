/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/fleet.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "codec/digest.h"
#include "hub/backups.h"
#include "hub/edge_apps.h"
#include "hub/sql.h"
#include "rt/fault.h"
#include "rt/proc_run.h"
#include "rt/thread.h"

#define SAMPLE_MIN   20     /* answers below which a share of errors says nothing */
#define ERRORS_MIN   5      /* of one space: fewer may be one visitor's bad luck */
#define SPACE_SLOWER 100000 /* us that one space may be slower on top: what its visitors ask for changes */
#define WAVE_SLOWER  5000

struct fleet {
    struct hub *hub;
    struct arena *a;
    const struct fleet_options *options;
    str version; /* the new one; empty = the hub's own program */
    int64_t run;
    struct value spaces;    /* LIST of {id, name, version}: what has to change, in the order of waves */
    struct value changed;   /* LIST of {id, name}: what is taken back, in that order */
    size_t next, end, done; /* of the wave, or of what is taken back */
    bool last;              /* wave: those that sleep are not woken, the waves before have shown that it starts */
    pthread_mutex_t lock;
    struct err failed; /* the first one */
};

static void say(struct fleet *f, const char *format, ...) PRINTF_LIKE(2, 3);
static void say(struct fleet *f, const char *format, ...)
{
    char line[512];
    va_list ap;
    va_start(ap, format);
    (void)vsnprintf(line, sizeof line, format, ap);
    va_end(ap);
    if (f->options->say)
        f->options->say(f->options->arg, line);
}

size_t fleet_waves(size_t canaries, size_t others, size_t ret[4])
{
    size_t all = canaries + others, n = 0;
    const size_t shares[] = {(all + 99) / 100, (all + 9) / 10, all};
    if (canaries)
        ret[n++] = canaries;
    for (size_t i = 0; i < ARRAY_LEN(shares) && others; i++) {
        size_t take = MIN(shares[i], others);
        ret[n++] = take;
        others -= take;
    }
    return n;
}

/* ---- versions ---- */

static enum status copy_program(struct fleet *f, str from, const char *to, struct err *err)
{
    str bytes;
    struct arena *a = arena_new(0);
    enum status st = fs_read_file(arena_cstr(a, from), LIMIT_HUB_PROGRAM, a, &bytes, err);
    if (st == STATUS_OK)
        st = fs_make_folders(str_of(to), 0711, err);
    if (st == STATUS_OK)
        st = fs_write_atomic(to, bytes, 0755, err);
    arena_free(a);
    (void)f;
    return st;
}

/* The name is made of its bytes: the same program is the same version. It must run and say what it is. */
static enum status take_program(struct fleet *f, struct err *err)
{
    char hex[DIGEST_HEX_MAX];
    struct buf out;
    str from = f->options->program;
    if (!from.n)
        return STATUS_OK;
    enum status st = digest_sha256_file(arena_cstr(f->a, from), hex, err);
    if (st != STATUS_OK)
        return st;
    f->version = arena_str(f->a, str_make(hex, 12));
    str to = edge_apps_program(f->hub, f->a, f->version);
    if (access(to.p, X_OK) != 0)
        st = copy_program(f, from, to.p, err);
    char *argv[] = {arena_cstr(f->a, to), arena_cstr(f->a, STR("version")), NULL};
    buf_init(&out, 4096);
    if (st == STATUS_OK)
        st = proc_run(&(struct proc_config){.path = argv[0], .argv = argv, .new_group = true}, 10000, &out, err);
    if (st != STATUS_OK) {
        err_prefix(err, "%.*s is no vitrine that runs here", STR_ARG(from));
        err_hint(err, "Nothing was changed.");
    }
    buf_release(&out);
    return st;
}

/* ---- hub.db ---- */

struct mark {
    struct fleet *f;
    str id, version;
    int64_t run;
    const char *state, *why;
};

static enum status write_begin(struct conn *c, void *arg, struct err *err)
{
    struct mark *m = arg;
    enum status st = sql_change(c, "update fleet_runs set state = 'left' where state = 'running'", NULL, 0, NULL, err);
    if (st == STATUS_OK)
        st = SQL_RUN(c, err, "insert into fleet_runs (began_at, version, state) values (?1, ?2, 'running')",
                     SQL_I(clock_unix_s()), SQL_T(m->version));
    m->run = conn_last_rowid(c);
    return st;
}

static enum status write_end(struct conn *c, void *arg, struct err *err)
{
    const struct mark *m = arg;
    return SQL_RUN(c, err, "update fleet_runs set ended_at = ?2, state = ?3, why = ?4 where id = ?1", SQL_I(m->run),
                   SQL_I(clock_unix_s()), SQL_T(str_of(m->state)), SQL_T(str_of(m->why)));
}

/* The version before it is kept with the run, so that it can be taken back after a crash too. */
static enum status write_version(struct conn *c, void *arg, struct err *err)
{
    const struct mark *m = arg;
    enum status st = SQL_RUN(c, err,
                             "insert or ignore into fleet_steps (run_id, space_id, before) select ?1, id, version from"
                             " spaces where id = ?2",
                             SQL_I(m->run), SQL_T(m->id));
    return st == STATUS_OK
               ? SQL_RUN(c, err, "update spaces set version = ?2 where id = ?1", SQL_T(m->id), SQL_T(m->version))
               : st;
}

/* The edge has done it. Until then a resumed run asks it again. */
static enum status write_done(struct conn *c, void *arg, struct err *err)
{
    const struct mark *m = arg;
    return SQL_RUN(c, err, "update fleet_steps set done = 1 where run_id = ?1 and space_id = ?2", SQL_I(m->run),
                   SQL_T(m->id));
}

static enum status write_back(struct conn *c, void *arg, struct err *err)
{
    const struct mark *m = arg;
    return SQL_RUN(c, err,
                   "update spaces set version = (select before from fleet_steps where run_id = ?1 and space_id = ?2)"
                   " where id = ?2",
                   SQL_I(m->run), SQL_T(m->id));
}

/* ---- one space ---- */

/* asleep: only written down when it sleeps; the next request starts it. */
static enum status put(struct fleet *f, str id, bool asleep, struct err *err)
{
    struct conn *c;
    enum status st = store_read(f->hub->store, &c, err);
    if (st != STATUS_OK)
        return st;
    st = edge_apps_put(f->hub, c, id, asleep, err);
    conn_release(c);
    return st;
}

static enum status change(struct fleet *f, struct value space, struct err *err)
{
    struct mark m = {.f = f, .id = VALUE_GET(space, "id").s, .version = f->version, .run = f->run};
    enum status st = STATUS_OK;
    if (f->options->backup && backups_wanted(&f->hub->config))
        st = backups_space(f->hub, m.id, err);
    if (st == STATUS_OK)
        st = store_write(f->hub->store, write_version, &m, err);
    (void)FAULT("hub.fleet.written");
    if (st == STATUS_OK)
        st = put(f, m.id, f->last, err);
    (void)FAULT("hub.fleet.put");
    return st == STATUS_OK ? store_write(f->hub->store, write_done, &m, err) : st;
}

/* Several threads take spaces of the wave, until it is empty or one failed. */
static void work(void *arg)
{
    struct fleet *f = arg;
    for (;;) {
        struct err err = ERR_INIT;
        pthread_mutex_lock(&f->lock);
        bool go = f->next < f->end && f->failed.status == STATUS_OK && !atomic_load(&f->hub->stopping);
        struct value space = go ? value_at(f->spaces, f->next++) : VALUE_NULL;
        pthread_mutex_unlock(&f->lock);
        if (!go)
            return;
        enum status st = change(f, space, &err);
        pthread_mutex_lock(&f->lock);
        if (st == STATUS_OK) {
            f->done++;
            say(f, "%.*s: serves (%zu of %zu)", STR_ARG(VALUE_GET(space, "name").s), f->done, value_count(f->spaces));
        } else if (f->failed.status == STATUS_OK) {
            f->failed = err;
            err_prefix(&f->failed, "%s", arena_cstr(f->a, VALUE_GET(space, "name").s));
        }
        pthread_mutex_unlock(&f->lock);
    }
}

static enum status run_workers(struct fleet *f, void (*run)(void *arg), struct err *err)
{
    pthread_t threads[LIMIT_HUB_FLEET_THREADS];
    size_t n = 0;
    enum status st = STATUS_OK;
    for (; st == STATUS_OK && n < (size_t)f->options->at_once && n < LIMIT_HUB_FLEET_THREADS; n++)
        if ((st = thread_start("fleet", 0, run, f, &threads[n], err)) != STATUS_OK)
            break;
    for (size_t i = 0; i < n; i++)
        thread_join(threads[i]);
    return st;
}

/* ---- is the wave well? ---- */

/* ret[0, end - begin): each space of the wave; *ret_sum: all of them. */
static enum status measure(struct fleet *f, size_t begin, size_t end, struct fleet_health *ret,
                           struct fleet_health *ret_sum, struct err *err)
{
    struct arena *a = arena_new(0);
    struct value apps;
    *ret_sum = (struct fleet_health){0};
    enum status st = edge_apps_list(f->hub, a, &apps, err);
    for (size_t i = begin; st == STATUS_OK && i < end; i++) {
        str id = VALUE_GET(value_at(f->spaces, i), "id").s;
        struct value app = value_get(apps, edge_apps_name(a, id));
        struct fleet_health one = {VALUE_GET(app, "requests").i, VALUE_GET(app, "answers_5xx").i,
                                   VALUE_GET(app, "duration_us").i};
        ret[i - begin] = one;
        ret_sum->answers += one.answers;
        ret_sum->errors += one.errors;
        ret_sum->duration_us += one.duration_us;
    }
    arena_free(a);
    return st;
}

enum status fleet_judge(const struct fleet_options *o, const char *name, const struct fleet_health *before,
                        const struct fleet_health *then, const struct fleet_health *now, struct err *err)
{
    const char *what = name ? name : "this wave";
    int64_t answers = now->answers - then->answers, errors = now->errors - then->errors;
    int64_t before_share = before->answers > 0 ? before->errors * 100 / before->answers : 0;
    if (answers < SAMPLE_MIN)
        return STATUS_OK;
    if (errors >= (name ? ERRORS_MIN : 1) && errors * 100 > answers * (before_share + o->errors_percent))
        return err_set(err, STATUS_CONFLICT, "%lld of %lld answers of %s were errors (5xx)", (long long)errors,
                       (long long)answers, what);
    int64_t each = (now->duration_us - then->duration_us) / answers;
    int64_t usual = before->answers >= SAMPLE_MIN ? before->duration_us / before->answers : 0;
    if (o->slower && usual && each > usual * o->slower + (name ? SPACE_SLOWER : WAVE_SLOWER))
        return err_set(err, STATUS_CONFLICT, "answers of %s took %lld us, %lld before", what, (long long)each,
                       (long long)usual);
    return STATUS_OK;
}

struct wave {
    size_t begin, end;
    struct fleet_health *before, *then, *now; /* of each space; one more at the end: of all */
};

/* Each space, and all together: what is too little in each may be enough in all. */
static enum status judge_all(struct fleet *f, const struct wave *w, struct err *err)
{
    size_t count = w->end - w->begin;
    enum status st = STATUS_OK;
    for (size_t i = 0; st == STATUS_OK && i < count; i++) {
        const char *name = arena_cstr(f->a, VALUE_GET(value_at(f->spaces, w->begin + i), "name").s);
        st = fleet_judge(f->options, name, &w->before[i], &w->then[i], &w->now[i], err);
    }
    return st == STATUS_OK ? fleet_judge(f->options, NULL, &w->before[count], &w->then[count], &w->now[count], err)
                           : st;
}

static enum status watch(struct fleet *f, const struct wave *w, struct err *err)
{
    enum status st = measure(f, w->begin, w->end, w->then, &w->then[w->end - w->begin], err);
    for (int64_t left = f->options->watch_ms; st == STATUS_OK && left > 0; left -= 100) {
        if (atomic_load(&f->hub->stopping))
            return err_set(err, STATUS_CANCELLED, "interrupted");
        (void)usleep(100000);
        if (left % 1000 >= 100 && left > 100)
            continue;
        st = measure(f, w->begin, w->end, w->now, &w->now[w->end - w->begin], err);
        if (st == STATUS_OK)
            st = judge_all(f, w, err);
    }
    return st;
}

static enum status wave(struct fleet *f, size_t begin, size_t end, struct err *err)
{
    size_t count = end - begin;
    struct fleet_health *rows = mem_array((count + 1) * 3, sizeof *rows);
    struct wave w = {begin, end, rows, rows + count + 1, rows + 2 * (count + 1)};
    enum status st = measure(f, begin, end, w.before, &w.before[count], err);
    f->next = begin;
    f->end = end;
    if (st == STATUS_OK)
        st = run_workers(f, work, err);
    if (st == STATUS_OK && f->failed.status != STATUS_OK) {
        *err = f->failed;
        st = f->failed.status;
    }
    if (st == STATUS_OK)
        st = watch(f, &w, err);
    free(rows);
    return st;
}

/* ---- back ---- */

static void work_back(void *arg)
{
    struct fleet *f = arg;
    for (;;) {
        struct err err = ERR_INIT;
        pthread_mutex_lock(&f->lock);
        bool go = f->next < f->end;
        struct value space = go ? value_at(f->changed, f->next++) : VALUE_NULL;
        pthread_mutex_unlock(&f->lock);
        if (!go)
            return;
        struct mark m = {.f = f, .id = VALUE_GET(space, "id").s, .run = f->run};
        enum status st = store_write(f->hub->store, write_back, &m, &err);
        (void)FAULT("hub.fleet.back");
        if (st == STATUS_OK)
            st = put(f, m.id, true, &err);
        if (st == STATUS_OK)
            st = store_write(f->hub->store, write_done, &m, &err);
        pthread_mutex_lock(&f->lock);
        f->done += st == STATUS_OK;
        say(f, "%.*s: %s%s", STR_ARG(VALUE_GET(space, "name").s),
            st == STATUS_OK ? "back on the version before" : "could not be taken back: ",
            st == STATUS_OK ? "" : err.text);
        pthread_mutex_unlock(&f->lock);
    }
}

/* Everything that this run changed, the last first. */
static int64_t take_back(struct fleet *f)
{
    struct conn *c;
    struct err err = ERR_INIT;
    if (store_read(f->hub->store, &c, NULL) != STATUS_OK)
        return 0;
    enum status st = SQL_ROWS(c, f->a, &f->changed, &err,
                              "select s.id, s.name from fleet_steps t join spaces s on s.id = t.space_id where"
                              " t.run_id = ?1 and s.version <> t.before order by t.rowid desc",
                              SQL_I(f->run));
    conn_release(c);
    f->next = f->done = 0;
    f->end = st == STATUS_OK ? value_count(f->changed) : 0;
    if (st == STATUS_OK)
        st = run_workers(f, work_back, &err);
    if (st != STATUS_OK)
        say(f, "%s", err.text);
    return (int64_t)f->done;
}

/* ---- the run ---- */

static size_t put_canaries_first(struct fleet *f)
{
    struct value first = value_list(f->a), rest = value_list(f->a);
    for (size_t i = 0; i < value_count(f->spaces); i++) {
        bool canary = false;
        for (size_t k = 0; k < value_count(f->options->canary); k++)
            canary = canary || str_eq(value_at(f->options->canary, k).s, VALUE_GET(value_at(f->spaces, i), "name").s);
        value_push(canary ? first : rest, value_at(f->spaces, i));
    }
    size_t n = value_count(first);
    for (size_t i = 0; i < value_count(rest); i++)
        value_push(first, value_at(rest, i));
    f->spaces = first;
    return n;
}

/* Spaces whose last change the edge may not have been asked for: whoever asked was killed. */
#define UNASKED                                                                                                        \
    "select space_id from fleet_steps s where not done and not exists (select 1 from fleet_steps l where"              \
    " l.space_id = s.space_id and l.run_id > s.run_id)"

static enum status find_spaces(struct fleet *f, struct fleet_report *ret, struct err *err)
{
    struct conn *c;
    struct value row;
    enum status st = store_read(f->hub->store, &c, err);
    if (st != STATUS_OK)
        return st;
    st = SQL_ROWS(c, f->a, &f->spaces, err,
                  "select id, name, version from spaces where state in ('live', 'suspended') and not pinned and"
                  " (version <> ?1 or ?1 = '' or id in (" UNASKED ")) order by id",
                  SQL_T(f->version));
    if (st == STATUS_OK)
        st = sql_row(c, f->a, "select count(*) as n from spaces where pinned", NULL, 0, &row, err);
    if (st == STATUS_OK)
        ret->pinned = VALUE_GET(row, "n").i;
    conn_release(c);
    return st;
}

/* A run that was killed: it goes on with the version it had. */
static enum status find_stopped(struct fleet *f, struct err *err)
{
    struct conn *c;
    struct value row;
    enum status st = store_read(f->hub->store, &c, err);
    if (st != STATUS_OK)
        return st;
    st = sql_row(c, f->a, "select id, version from fleet_runs where state = 'running' order by id desc", NULL, 0, &row,
                 err);
    conn_release(c);
    if (st == STATUS_OK && row.kind != VALUE_DICT) {
        err_set(err, STATUS_NOT_FOUND, "no upgrade stopped half-way");
        return err_hint(err, "Begin one: vitrine fleet upgrade --program FILE");
    }
    if (st == STATUS_OK) {
        f->run = VALUE_GET(row, "id").i;
        f->version = VALUE_GET(row, "version").s;
    }
    return st;
}

/* A name that is mistyped would leave the rest without the canary that somebody counts on. */
static enum status check_canaries(struct fleet *f, struct err *err)
{
    struct value list = f->options->canary, row;
    struct conn *c;
    enum status st = store_read(f->hub->store, &c, err);
    if (st != STATUS_OK)
        return st;
    for (size_t i = 0; st == STATUS_OK && i < value_count(list); i++) {
        str name = value_at(list, i).s;
        st = SQL_ROW(c, f->a, &row, err, "select pinned from spaces where name = ?1 and state in ('live', 'suspended')",
                     SQL_T(name));
        if (st == STATUS_OK && row.kind != VALUE_DICT) {
            st = err_set(err, STATUS_NOT_FOUND, "--canary: there is no space \"%.*s\"", STR_ARG(name));
            err_hint(err, "The first part of its address is its name: museum of museum.%.*s.",
                     STR_ARG(f->hub->config.domain));
        } else if (st == STATUS_OK && VALUE_GET(row, "pinned").i) {
            st = err_set(err, STATUS_CONFLICT, "--canary: \"%.*s\" is pinned to its version", STR_ARG(name));
            err_hint(err, "vitrine fleet unpin %.*s, or name another.", STR_ARG(name));
        }
    }
    conn_release(c);
    return st;
}

static enum status go(struct fleet *f, struct fleet_report *ret, struct err *err)
{
    size_t waves[4], at = 0, count;
    struct mark m = {.f = f, .version = f->version, .run = f->run};
    enum status st = check_canaries(f, err);
    if (st == STATUS_OK)
        st = find_spaces(f, ret, err);
    if (st != STATUS_OK)
        return st;
    size_t canaries = put_canaries_first(f);
    ret->spaces = (int64_t)value_count(f->spaces);
    ret->version = f->version;
    count = fleet_waves(canaries, value_count(f->spaces) - canaries, waves);
    if (!f->run)
        st = store_write(f->hub->store, write_begin, &m, err);
    f->run = m.run;
    for (size_t i = 0; st == STATUS_OK && i < count; i++) {
        say(f, "wave %zu of %zu: %zu space%s", i + 1, count, waves[i], waves[i] == 1 ? "" : "s");
        f->last = i + 1 == count && count > 1;
        st = wave(f, at, at + waves[i], err);
        at += waves[i];
    }
    ret->done = (int64_t)f->done;
    if (st == STATUS_CANCELLED)
        return st; /* as it is: --resume goes on */
    if (st != STATUS_OK) {
        say(f, "stopped: %s", err ? err->text : "");
        ret->rolled_back = take_back(f);
    }
    m.state = st == STATUS_OK ? "done" : "taken back";
    m.why = st == STATUS_OK || !err ? "" : err->text;
    struct err own = ERR_INIT;
    if (store_write(f->hub->store, write_end, &m, &own) != STATUS_OK)
        say(f, "%s", own.text);
    if (st != STATUS_OK && err)
        err->status = STATUS_CONFLICT;
    return st == STATUS_OK ? st : STATUS_CONFLICT;
}

static enum status lock(struct fleet *f, int *ret_fd, struct err *err)
{
    str path = hub_path(f->a, &f->hub->config, "versions/lock");
    enum status st = fs_make_folders(path, 0711, err);
    if (st == STATUS_OK)
        st = fs_open(path.p, O_RDWR | O_CREAT, 0600, ret_fd, err);
    if (st == STATUS_OK && flock(*ret_fd, LOCK_EX | LOCK_NB) != 0)
        return err_set(err, STATUS_BUSY, "another upgrade is under way");
    return st;
}

enum status fleet_upgrade(struct hub *h, struct arena *a, const struct fleet_options *o, struct fleet_report *ret,
                          struct err *err)
{
    struct fleet f = {.hub = h, .a = a, .options = o, .version = STR("")};
    struct err own = ERR_INIT;
    int fd = -1;
    *ret = (struct fleet_report){0};
    pthread_mutex_init(&f.lock, NULL);
    enum status st = lock(&f, &fd, &own);
    if (st == STATUS_OK)
        st = o->resume ? find_stopped(&f, &own) : take_program(&f, &own);
    if (st == STATUS_OK)
        st = go(&f, ret, &own);
    if (fd >= 0)
        close(fd);
    pthread_mutex_destroy(&f.lock);
    if (st != STATUS_OK && err)
        *err = own;
    return st;
}

/* ---- pinning, status ---- */

struct pin {
    str name;
    bool pinned;
};

static enum status write_pin(struct conn *c, void *arg, struct err *err)
{
    const struct pin *p = arg;
    int64_t changes = 0;
    const struct db_value args[] = {SQL_T(p->name), SQL_I(p->pinned)};
    enum status st = sql_change(c, "update spaces set pinned = ?2 where name = ?1", args, 2, &changes, err);
    if (st != STATUS_OK || changes)
        return st;
    err_set(err, STATUS_NOT_FOUND, "there is no space \"%.*s\"", STR_ARG(p->name));
    return err_hint(err, "The first part of its address is its name; the page Administration lists all.");
}

enum status fleet_pin(struct hub *h, str name, bool pinned, struct err *err)
{
    struct pin p = {name, pinned};
    return store_write(h->store, write_pin, &p, err);
}

enum status fleet_status(struct hub *h, struct arena *a, struct value *ret, struct err *err)
{
    struct conn *c;
    struct value versions, run, v = value_dict(a);
    enum status st = store_read(h->store, &c, err);
    if (st != STATUS_OK)
        return st;
    st = sql_rows(
        c, a,
        "select version, count(*) as spaces, sum(pinned) as pinned from spaces where state <> 'deleted' group by"
        " version order by spaces desc",
        NULL, 0, &versions, err);
    if (st == STATUS_OK)
        st = sql_row(
            c, a,
            "select r.*, (select count(*) from fleet_steps t where t.run_id = r.id) as changed from fleet_runs r"
            " order by id desc",
            NULL, 0, &run, err);
    conn_release(c);
    VALUE_SET(v, "versions", versions);
    VALUE_SET(v, "last_run", run.kind == VALUE_DICT ? run : VALUE_NULL);
    if (st == STATUS_OK)
        *ret = v;
    return st;
}
