/* SPDX-License-Identifier: Apache-2.0 */
/* ingest — the passes, and the transaction around the one that writes.
 *
 *   guess   look at a sample; small enough, and that was the file
 *   look    read everything, decide types (again from the start when the encoding or a quote was guessed wrong)
 *   load    BEGIN IMMEDIATE -> the table as it is now -> fit -> create or alter -> insert -> ANALYZE -> COMMIT
 *
 *   guess -> load, looking at every value on the way -> done, when the types were right
 *         \-> look -> load       \-> ROLLBACK -> look at the rest -> load (the same, by types that are known)
 *
 * What is in the database afterwards does not depend on the way. Guessing is for files that nobody waits for another
 * answer about: `strict` names the first bad row of a file that is known to be readable, --stop-after and lists inside
 * of rows are read to their end first.
 *
 * Invariants: (1) nothing is committed before the whole file has been read once without an error. (2) everything
 * written is in one transaction: after kill -9 at any point SQLite's journal brings the old state back. (3) a row is
 * either imported or in the rejects table (or ignored by key, and counted). (4) two passes saw the same number of rows,
 * else the file was changed meanwhile and nothing is imported.
 *
 * Fault points: ingest.begin, ingest.table, ingest.batch, ingest.widened, ingest.again, ingest.commit,
 * ingest.committed. Tests: tests/ingest. */
#include "ingest/ingest.h"

#include <sys/stat.h>

#include "base/clock.h"
#include "base/limits.h"
#include "db/history.h"
#include "ingest/load.h"
#include "rt/fault.h"

#include "base/banned.h"

/* ---- first pass ------------------------------------------------------------------------------------------------- */

static enum status look_once(struct ingest *l, struct err *err)
{
    struct feed *f;
    struct batch *b;
    l->plan = plan_new(l->arena, l->options);
    plan_columns(l->plan, l->input->columns.items, l->input->columns.count);
    enum status st = feed_new(l->input, NULL, NULL, &f, err);
    if (st != STATUS_OK)
        return st;
    progress_begin(l->progress, "reading", l->source->size_bytes);
    while (!load_enough(l, l->plan->rows) && (b = feed_next(f))) {
        load_cut(l, b, l->plan->rows);
        plan_columns(l->plan, b->columns, b->column_count);
        plan_look(l->plan, b);
        progress_step(l->progress, l->plan->rows, b->position);
        st = progress_check(l->progress, err);
        if (st != STATUS_OK)
            break;
    }
    progress_end(l->progress);
    enum status read = feed_free(f, st == STATUS_OK ? err : NULL);
    l->passes++;
    return st == STATUS_OK ? read : st;
}

static enum status decide(struct ingest *l, struct err *err)
{
    if (!l->plan->count)
        return err_set(err, STATUS_INVALID, "%.*s holds no rows to make columns of", STR_ARG(l->source->name));
    return plan_decide(l->plan, err);
}

static enum status look(struct ingest *l, struct err *err)
{
    enum status st = look_once(l, err);
    while (st != STATUS_OK && st != STATUS_CANCELLED && l->input->class->recover &&
           l->input->class->recover(l->input, err))
        st = look_once(l, err);
    return st == STATUS_OK ? decide(l, err) : st;
}

/* ---- the transaction -------------------------------------------------------------------------------------------- */

static enum status load_database(struct ingest *l, str table, uint64_t *ret_changed, struct err *err)
{
    enum status st = STATUS_OK;
    if (FAULT("ingest.begin"))
        return err_set(err, STATUS_IO, "a fault was injected");
    if (l->input->children.count) /* a row of a list whose parent was rejected is rejected too */
        st = conn_execute(l->conn, STR("PRAGMA foreign_keys = ON"), err);
    if (st == STATUS_OK)
        st = conn_execute(l->conn, STR("BEGIN IMMEDIATE"), err);
    if (st != STATUS_OK)
        return st;
    const struct ingest_options *o = l->options;
    if (o->via.n)
        st = history_author(l->conn, o->who, o->via, err);
    if (st == STATUS_OK)
        st = children_clear(l, l->table.name.n ? l->table.name : table, err);
    if (st == STATUS_OK)
        st = load_table(l, table, ret_changed, err);
    if (st == STATUS_OK)
        st = children_load(l, l->table.name, err);
    if (st == STATUS_OK && o->via.n)
        st = history_author(l->conn, (str){0}, (str){0}, err);
    if (st == STATUS_OK && l->options->undo)
        st = load_undo(l, err);
    if (st == STATUS_OK && FAULT("ingest.commit"))
        st = err_set(err, STATUS_IO, "a fault was injected");
    if (st == STATUS_OK)
        st = l->options->dry_run ? conn_execute(l->conn, STR("ROLLBACK"), err)
                                 : conn_execute(l->conn, STR("COMMIT"), err);
    if (st != STATUS_OK) {
        stmt_done(l->undo.put);
        (void)!conn_execute(l->conn, STR("ROLLBACK"), NULL); /* SQLite may have done it itself */
        (void)!conn_execute(l->conn, STR("PRAGMA recursive_triggers = OFF"), NULL);
        return st;
    }
    (void)FAULT("ingest.committed");
    return STATUS_OK;
}

/* Reading and writing one file would wait for each other. */
static enum status not_itself(const struct ingest *l, struct err *err)
{
    struct stat a, b;
    str path = l->conn && l->source->path.n ? database_path(conn_database(l->conn)) : STR("");
    if (!path.n || fstat(l->source->fd, &a) != 0 || stat(arena_cstr(l->scratch, path), &b) != 0 ||
        a.st_dev != b.st_dev || a.st_ino != b.st_ino)
        return STATUS_OK;
    err_set(err, STATUS_USAGE, "%.*s cannot be imported into itself", STR_ARG(l->source->name));
    return err_hint(err, "Inside of one database: CREATE TABLE new AS SELECT * FROM old.");
}

/* A new table takes over the key that its rows have where they come from. */
static void take_keys(struct ingest *l)
{
    const struct ingest_options *o = l->options;
    bool fresh = !l->table.exists || o->replace_table;
    if (o->pk_count || !l->input->key_count || !fresh)
        return;
    struct ingest_options *own = ARENA_NEW(l->arena, struct ingest_options);
    *own = *o;
    own->pk = l->input->keys;
    own->pk_count = l->input->key_count;
    l->options = own;
}

static void free_scratch(void *arg)
{
    arena_free(arg);
}

static enum status open_ingest(struct arena *a, const struct source *s, const struct ingest_options *o,
                               struct progress *progress, struct ingest **ret, struct err *err)
{
    struct ingest *l = ARENA_NEW(a, struct ingest);
    *l = (struct ingest){.arena = a, .source = s, .options = o, .progress = progress, .began_us = clock_mono_us()};
    if (!progress)
        l->progress = ARENA_NEW(a, struct progress);
    l->scratch = arena_new(0);
    arena_defer(a, free_scratch, l->scratch);
    *ret = l;
    return input_open(a, s, o, &l->input, err);
}

enum status ingest_look(struct arena *a, const struct source *s, const struct ingest_options *o,
                        struct progress *progress, struct ingest **ret, struct err *err)
{
    struct ingest *l;
    struct err local = ERR_INIT;
    err = err ? err : &local;
    enum status st = open_ingest(a, s, o, progress, &l, err);
    if (st == STATUS_OK)
        st = look(l, err);
    if (st == STATUS_OK)
        *ret = l;
    return st;
}

enum status ingest_load(struct ingest *l, struct conn *c, str table, struct ingest_report *ret, struct err *err)
{
    uint64_t changed = 0;
    struct err local = ERR_INIT;
    err = err ? err : &local;
    l->conn = c;
    l->rows = l->inserted = 0;
    l->again = AGAIN_NOT;
    enum status st = c ? table_look(l->arena, c, table, &l->table, err) : STATUS_OK;
    if (st == STATUS_OK)
        st = not_itself(l, err);
    if (st == STATUS_OK)
        st = children_check(l, err);
    if (st != STATUS_OK)
        return st;
    take_keys(l);
    rejects_init(&l->rejects, l->arena, c, l->table.name.n ? l->table.name : table, l->source->name);
    if (c)
        st = load_database(l, table, &changed, err);
    else
        st = load_rows(l, err);
    if (st == STATUS_OK && !c)
        st = children_load(l, table, err);
    if (st != STATUS_OK)
        return st;
    load_report(l, table, changed, ret);
    ret->children = l->children;
    ret->child_count = l->child_count;
    ret->duration_us = clock_mono_us() - l->began_us;
    return STATUS_OK;
}

/* The guess was wrong, and the transaction is gone: a look at the whole file, as if nothing had been guessed. */
static enum status look_again(struct ingest *l, struct err *err)
{
    const struct input_class *class = l->input->class;
    enum load_again again = l->again;
    enum status st = again == AGAIN_READ ? err->status : STATUS_OK;
    if (again != AGAIN_READ)
        err_clear(err);
    if (again == AGAIN_LOOK)
        st = load_look_on(l, err);
    bool recovers = st != STATUS_OK && st != STATUS_CANCELLED && class->recover && class->recover(l->input, err);
    return again == AGAIN_ALL || recovers ? look(l, err) : st;
}

static enum status run_guessed(struct ingest *l, struct conn *c, str table, struct ingest_report *ret, struct err *err)
{
    l->one_pass = true;
    enum status st = ingest_load(l, c, table, ret, err);
    l->one_pass = false;
    if (st != STATUS_OK && !l->passes && !l->feed && l->input->sparse)
        l->again = AGAIN_ALL; /* perhaps a column is missed that comes later */
    if (st == STATUS_OK || l->again == AGAIN_NOT)
        return st;
    st = look_again(l, err);
    if (st == STATUS_OK && FAULT("ingest.again"))
        st = err_set(err, STATUS_IO, "a fault was injected");
    return st == STATUS_OK ? ingest_load(l, c, table, ret, err) : st;
}

enum status ingest_run(struct arena *a, struct conn *c, const struct source *s, str table,
                       const struct ingest_options *o, struct progress *progress, struct ingest_report *ret,
                       struct err *err)
{
    struct table early;
    struct ingest *l;
    struct err local = ERR_INIT;
    bool all = false, fit = false, may = !o->strict && !o->children && !o->stop_after && o->sample_rows >= 0;
    err = err ? err : &local;
    enum status st = c ? table_look(a, c, table, &early, err) : STATUS_OK; /* what cannot work is told at once */
    if (st == STATUS_OK)
        st = open_ingest(a, s, o, progress, &l, err);
    if (st == STATUS_OK && may)
        guess(l, &all, &fit);
    if (st == STATUS_OK && fit)
        return run_guessed(l, c, table, ret, err);
    if (st == STATUS_OK)
        st = all ? decide(l, err) : look(l, err);
    return st == STATUS_OK ? ingest_load(l, c, table, ret, err) : st;
}
