/* SPDX-License-Identifier: Apache-2.0 */
/* ingest — the passes, and the transaction around the second one.
 *
 *   look    read everything, decide types (again from the start when the encoding or a quote was guessed wrong)
 *   BEGIN IMMEDIATE -> the table as it is now -> fit -> create or alter -> insert -> ANALYZE -> COMMIT
 *
 * Invariants: (1) nothing is written before the whole file has been read once without an error. (2) everything written
 * is in one transaction: after kill -9 at any point SQLite's journal brings the old state back. (3) a row is either
 * imported or in the rejects table (or ignored by key, and counted). (4) both passes saw the same number of rows, else
 * the file was changed meanwhile and nothing is imported.
 *
 * Fault points: ingest.begin, ingest.table, ingest.batch, ingest.commit, ingest.committed. Tests: tests/ingest. */
#include "ingest/ingest.h"

#include <sys/stat.h>

#include "base/clock.h"
#include "base/limits.h"
#include "db/history.h"
#include "ingest/after.h"
#include "ingest/feed.h"
#include "ingest/row_fault.h"
#include "ingest/table.h"
#include "ingest/target.h"
#include "rt/fault.h"

#include "base/banned.h"

struct ingest {
    struct arena *arena, *scratch;
    struct conn *conn;
    const struct source *source;
    const struct ingest_options *options;
    struct progress *progress;
    struct input *input;
    struct plan *plan;
    struct table table;
    struct rejects rejects;
    struct stmt *insert;
    struct undo undo;
    uint64_t rows, inserted;
    int64_t began_us;
    struct ingest_report *children;
    size_t child_count;
    int64_t changes; /* total_changes() when the last row was in */
};

/* ---- first pass ------------------------------------------------------------------------------------------------- */

static bool enough(const struct ingest *l, uint64_t rows)
{
    return l->options->stop_after > 0 && rows >= (uint64_t)l->options->stop_after;
}

/* Leaves no more rows in the batch than --stop-after allows. */
static void cut(const struct ingest *l, struct batch *b, uint64_t rows)
{
    uint64_t max = l->options->stop_after > 0 ? (uint64_t)l->options->stop_after : UINT64_MAX;
    if (b->rows.row_count > max - rows)
        b->rows.row_count = (size_t)(max - rows);
}

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
    while (!enough(l, l->plan->rows) && (b = feed_next(f))) {
        cut(l, b, l->plan->rows);
        plan_columns(l->plan, b->columns, b->column_count);
        plan_look(l->plan, b);
        progress_step(l->progress, l->plan->rows, b->position);
        st = progress_check(l->progress, err);
        if (st != STATUS_OK)
            break;
    }
    progress_end(l->progress);
    enum status read = feed_free(f, st == STATUS_OK ? err : NULL);
    return st == STATUS_OK ? read : st;
}

static enum status look(struct ingest *l, struct err *err)
{
    enum status st = look_once(l, err);
    while (st != STATUS_OK && st != STATUS_CANCELLED && l->input->class->recover &&
           l->input->class->recover(l->input, err))
        st = look_once(l, err);
    if (st == STATUS_OK && !l->plan->count)
        st = err_set(err, STATUS_INVALID, "%.*s holds no rows to make columns of", STR_ARG(l->source->name));
    return st == STATUS_OK ? plan_decide(l->plan, err) : st;
}

/* ---- second pass ------------------------------------------------------------------------------------------------ */

static void convert(void *arg, struct batch *b)
{
    plan_convert(arg, b);
}

static enum status reject(struct ingest *l, const struct batch *b, const struct row *row, str reason, struct err *err)
{
    bool of_cell = row->fault == ROW_NO_FIT || row->fault == ROW_ILL_FORMED;
    str column = of_cell && row->fault_cell < l->plan->count ? l->plan->columns[row->fault_cell].name : STR("");
    if (l->options->strict) {
        err_set(err, STATUS_INVALID, "%.*s line %llu%s%.*s: %.*s", STR_ARG(l->source->name),
                (unsigned long long)row->line, column.n ? ", column " : "", STR_ARG(column), STR_ARG(reason));
        return err_hint(err, "Nothing was imported. Without --strict such rows go to the table \"%.*s\".",
                        STR_ARG(l->rejects.table));
    }
    return rejects_add_row(&l->rejects, &b->rows, row, column, reason, err);
}

static inline enum status bind_cell(struct stmt *s, int index, const struct cell *c, struct err *err)
{
    switch ((enum cell_kind)c->kind) {
    case CELL_RAW:
    case CELL_TEXT:
        return stmt_bind_text_static(s, index, cell_str(c), err);
    case CELL_INT:
        return stmt_bind_i64(s, index, c->i, err);
    case CELL_REAL:
        return stmt_bind_f64(s, index, c->f, err);
    case CELL_OTHER:
        return stmt_bind_text_static(s, index, str_make(c->other, c->other_n), err);
    case CELL_BLOB:
        return stmt_bind_blob(s, index, cell_str(c), err);
    case CELL_NULL:
        break;
    }
    return stmt_bind_null(s, index, err);
}

/* CONFLICT: a constraint of the table forbids the row. */
static inline enum status insert_row(struct ingest *l, const struct cell *cells, size_t n, struct err *err)
{
    enum status st = STATUS_OK;
    for (size_t i = 0; i < n && st == STATUS_OK; i++)
        st = bind_cell(l->insert, (int)i + 1, &cells[i], err);
    for (size_t i = n; i < l->plan->count && st == STATUS_OK; i++)
        st = stmt_bind_null(l->insert, (int)i + 1, err);
    if (st == STATUS_OK)
        st = stmt_step(l->insert, err);
    stmt_reset(l->insert);
    return st;
}

static enum status insert_batch(struct ingest *l, const struct batch *b, struct err *err)
{
    for (size_t r = 0; r < b->rows.row_count; r++) {
        const struct row *row = &b->rows.rows[r];
        enum status st = STATUS_OK;
        if (LIKELY(!row->fault) && l->conn) {
            st = insert_row(l, &b->rows.cells[row->first], MIN((size_t)row->count, l->plan->count), err);
            l->inserted += st == STATUS_OK;
            if (st == STATUS_OK && l->undo.kind == UNDO_ADDED && conn_changes(l->conn))
                st = undo_note(&l->undo, conn_last_rowid(l->conn), err);
            l->undo.sum_rows += st == STATUS_OK;
            l->undo.sum += st == STATUS_OK ? row->hash : 0;
        }
        if (UNLIKELY(row->fault) || UNLIKELY(st == STATUS_CONFLICT)) {
            struct arena_mark mark = arena_mark(l->scratch);
            str reason = row->fault ? plan_fault_text(l->scratch, l->plan, row, &b->rows)
                                    : arena_str(l->scratch, str_of(err->text));
            err_clear(err);
            st = reject(l, b, row, reason, err);
            arena_rewind(l->scratch, mark);
        }
        if (UNLIKELY(st != STATUS_OK))
            return st;
    }
    return STATUS_OK;
}

static enum status reject_notes(struct ingest *l, struct err *err)
{
    enum status st = STATUS_OK;
    for (size_t i = 0; i < l->input->notes.count && st == STATUS_OK; i++) {
        const struct input_note *note = &l->input->notes.items[i];
        st = rejects_add(&l->rejects, note->line, STR(""), note->text, note->reason, err);
    }
    return st;
}

static enum status insert_all(struct ingest *l, struct err *err)
{
    struct feed *f;
    struct batch *b;
    enum status st = reject_notes(l, err);
    if (st == STATUS_OK)
        st = feed_new(l->input, convert, l->plan, &f, err);
    if (st != STATUS_OK)
        return st;
    progress_begin(l->progress, "writing", l->source->size_bytes);
    while (st == STATUS_OK && !enough(l, l->rows) && (b = feed_next(f))) {
        if (FAULT("ingest.batch"))
            st = err_set(err, STATUS_IO, "a fault was injected");
        cut(l, b, l->rows);
        if (st == STATUS_OK)
            st = insert_batch(l, b, err);
        l->rows += b->rows.row_count;
        progress_step(l->progress, l->rows, b->position);
        if (st == STATUS_OK)
            st = progress_check(l->progress, err);
    }
    progress_end(l->progress);
    enum status read = feed_free(f, st == STATUS_OK ? err : NULL);
    if (st == STATUS_OK)
        st = read;
    if (st == STATUS_OK && l->rows != l->plan->rows) {
        err_set(err, STATUS_CONFLICT, "%.*s was changed while it was imported", STR_ARG(l->source->name));
        return err_hint(err, "Nothing was imported; try again.");
    }
    return st;
}

/* ---- one table -------------------------------------------------------------------------------------------------- */

/* Whether the hashes of the rows that went in are those of the rows that are there: nothing was replaced, no key was
 * made up, no value was changed on the way in or afterwards. */
static bool is_summed(const struct ingest *l)
{
    const struct ingest_options *o = l->options;
    bool same = l->undo.kind == UNDO_MADE && o->mode == INGEST_INSERT && !o->extract_count;
    for (size_t i = 0; i < l->plan->count; i++) {
        const struct column_plan *c = &l->plan->columns[i];
        same &= c->type != COLUMN_BLOB && c->type != COLUMN_ANY;
        for (size_t k = 0; k < l->table.key_count; k++)
            same &= !(c->blank && str_eq_nocase(l->table.keys[k], c->name));
    }
    return same;
}

/* What the import does beside inserting. */
static enum status finish(struct ingest *l, struct err *err)
{
    struct undo *u = l->options->undo ? &l->undo : NULL;
    enum status st = conn_query_i64(l->conn, STR("SELECT total_changes()"), &l->changes, err);
    l->changes -= (int64_t)l->undo.written;
    if (st == STATUS_OK)
        st = after_load(l->arena, l->conn, &l->table, l->options, u, err);
    if (st == STATUS_OK && l->options->analyze)
        st = conn_execute(l->conn, STR("ANALYZE"), err);
    return st;
}

/* What is needed to take all of it back. */
static enum status finish_undo(struct ingest *l, struct err *err)
{
    struct undo *u = &l->undo;
    enum status st = STATUS_OK;
    for (size_t i = 0; l->table.exists && i < l->plan->count && st == STATUS_OK; i++)
        if (l->table.map[i] == SIZE_MAX)
            st = undo_made(u, "column", l->plan->columns[i].name, err);
    for (size_t i = 0; i < l->child_count && st == STATUS_OK; i++)
        st = undo_made(u, "child", l->children[i].table, err);
    u->summed = !l->child_count && is_summed(l);
    if (st == STATUS_OK)
        st = undo_end(u, l->source->name, l->rejects.count ? l->rejects.table : STR(""), l->rejects.at, l->inserted,
                      err);
    return st;
}

static enum status change(struct ingest *l, str table, struct err *err)
{
    enum status st = table_look(l->arena, l->conn, table, &l->table, err);
    if (st == STATUS_OK && l->options->undo)
        st = undo_begin(&l->undo, l->arena, l->conn, &l->table, l->options, err);
    if (st == STATUS_OK)
        st = table_fit(l->arena, &l->table, l->plan, l->options, err);
    if (st == STATUS_OK)
        st = after_check(&l->table, l->plan, l->options, err);
    if (st == STATUS_OK)
        st = table_prepare(l->arena, l->conn, &l->table, l->plan, l->options, err);
    if (st == STATUS_OK)
        st = conn_prepare_trusted(l->conn, table_insert_sql(l->arena, &l->table, l->plan, l->options), &l->insert, err);
    if (st == STATUS_OK)
        st = insert_all(l, err);
    stmt_done(l->insert);
    rejects_end(&l->rejects);
    return st == STATUS_OK ? finish(l, err) : st;
}

static enum status change_counted(struct ingest *l, str table, uint64_t *ret_changed, struct err *err)
{
    int64_t before = 0;
    enum status st = conn_query_i64(l->conn, STR("SELECT total_changes()"), &before, err);
    if (st == STATUS_OK)
        st = change(l, table, err);
    if (st == STATUS_OK)
        st = table_index_parent(l->conn, &l->table, l->options, err);
    *ret_changed = (uint64_t)(l->changes - before);
    return st;
}

/* ---- tables of lists inside of rows ----------------------------------------------------------------------------- */

static void fill_report(const struct ingest *l, str table, uint64_t changed, struct ingest_report *r);

static str child_table(const struct ingest *parent, str parent_table, str list)
{
    return ARENA_CAT(parent->arena, parent_table, STR("_"), target_table_name(parent->arena, list));
}

/* Rows that refer to rows that go must go first. */
static enum status clear_children(struct ingest *l, str table, struct err *err)
{
    struct table child;
    enum status st = STATUS_OK;
    if (!l->options->replace_table && !l->options->truncate)
        return STATUS_OK;
    for (size_t i = 0; st == STATUS_OK && i < l->input->children.count; i++) {
        st = table_look(l->arena, l->conn, child_table(l, table, l->input->children.items[i]), &child, err);
        if (st == STATUS_OK && child.exists)
            st = table_empty(l->conn, child.name, err);
    }
    return st;
}

/* As the parent is imported, but for what is said of its columns. */
static const struct ingest_options *child_options(const struct ingest *parent, str parent_table, str list)
{
    const struct ingest_options *o = parent->options;
    struct ingest_parent *p = ARENA_NEW(parent->arena, struct ingest_parent);
    struct ingest_options *own = ARENA_NEW(parent->arena, struct ingest_options);
    bool numbered = parent->input->key_count > 0;
    str key = numbered ? parent->input->keys[0] : o->pk[0];
    str between = key.p[0] == '_' ? STR("") : STR("_");
    *p = (struct ingest_parent){.list = list,
                                .key = key,
                                .numbered = numbered,
                                .column = ARENA_CAT(parent->arena, parent_table, between, key),
                                .table = parent_table,
                                .key_name = key};
    *own = (struct ingest_options){.format = o->format,
                                   .skip_lines = -1,
                                   .no_types = o->no_types,
                                   .no_dates = o->no_dates,
                                   .alter = o->alter,
                                   .truncate = o->truncate,
                                   .replace_table = o->replace_table,
                                   .strict = o->strict,
                                   .dry_run = o->dry_run,
                                   .path = o->path,
                                   .flatten = o->flatten,
                                   .parent = p};
    return own;
}

/* A list that the parent's rows hold, into "parent_list". */
static enum status load_child(const struct ingest *parent, str parent_table, str list, struct ingest_report *ret,
                              struct err *err)
{
    str table = child_table(parent, parent_table, list);
    const struct ingest_options *o = child_options(parent, parent_table, list);
    struct ingest *l;
    uint64_t changed = 0;
    enum status st = ingest_look(parent->arena, parent->source, o, parent->progress, &l, err);
    if (st != STATUS_OK)
        return st;
    l->conn = parent->conn;
    if (l->conn)
        st = table_look(l->arena, l->conn, table, &l->table, err);
    if (st == STATUS_OK && l->table.exists && !parent->table.exists && !o->replace_table) {
        err_set(err, STATUS_CONFLICT, "there is a table \"%.*s\" already", STR_ARG(table));
        return err_hint(err, "The list \"%.*s\" would go there. --replace-table makes it anew.", STR_ARG(list));
    }
    rejects_init(&l->rejects, l->arena, l->conn, l->table.name.n ? l->table.name : table, l->source->name);
    if (st == STATUS_OK)
        st = l->conn ? change_counted(l, table, &changed, err) : insert_all(l, err);
    if (st != STATUS_OK)
        return st;
    fill_report(l, table, changed, ret);
    ret->duration_us = clock_mono_us() - l->began_us;
    return STATUS_OK;
}

static enum status load_children(struct ingest *l, str table, struct err *err)
{
    enum status st = STATUS_OK;
    size_t count = l->input->children.count;
    l->children = ARENA_ARRAY(l->arena, struct ingest_report, count + 1);
    for (; st == STATUS_OK && l->child_count < count; l->child_count++)
        st = load_child(l, table, l->input->children.items[l->child_count], &l->children[l->child_count], err);
    return st;
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
        st = clear_children(l, l->table.name.n ? l->table.name : table, err);
    if (st == STATUS_OK)
        st = change_counted(l, table, ret_changed, err);
    if (st == STATUS_OK)
        st = load_children(l, l->table.name, err);
    if (st == STATUS_OK && o->via.n)
        st = history_author(l->conn, (str){0}, (str){0}, err);
    if (st == STATUS_OK && l->options->undo)
        st = finish_undo(l, err);
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

static void fill_report(const struct ingest *l, str table, uint64_t changed, struct ingest_report *r)
{
    const struct input *in = l->input;
    bool ignores = l->options->mode == INGEST_IGNORE && l->conn;
    uint64_t fresh = ignores && changed >= l->rejects.count ? changed - l->rejects.count : l->inserted;
    *r = (struct ingest_report){.file = l->source->name,
                                .table = l->table.name.n ? l->table.name : table,
                                .rejects_table = l->rejects.table,
                                .format = in->class->name,
                                .encoding = in->encoding,
                                .delimiter = in->delimiter,
                                .header_line = in->header_line,
                                .created = !l->table.exists,
                                .dry_run = l->options->dry_run,
                                .rows = l->plan->rows,
                                .imported = l->conn ? fresh : 0,
                                .ignored = ignores && l->inserted > fresh ? l->inserted - fresh : 0,
                                .rejected = l->rejects.count,
                                .too_short = in->sparse ? 0 : l->plan->too_short,
                                .replaced_characters = in->replaced,
                                .cell_errors = in->cell_errors,
                                .uncalculated = in->uncalculated,
                                .part_word = in->part_word,
                                .part = in->part,
                                .parts = in->parts,
                                .part_count = in->part_count,
                                .first_reject_line = l->rejects.first_line,
                                .first_reject_reason = arena_str(l->arena, str_of(l->rejects.first_reason)),
                                .plan = l->plan};
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

static enum status check_children(const struct ingest *l, struct err *err)
{
    const struct ingest_options *o = l->options;
    if (!o->children)
        return STATUS_OK;
    if (o->mode != INGEST_INSERT)
        return err_set(err, STATUS_USAGE, "--children goes with plain inserting only");
    if (o->pk_count > 1)
        return err_set(err, STATUS_USAGE, "--children needs a key of one column");
    if (l->table.exists && !o->pk_count && !o->replace_table) {
        err_set(err, STATUS_USAGE, "--children needs --pk for a table that exists");
        return err_hint(err, "It tells the rows of the lists whose they are.");
    }
    return STATUS_OK;
}

enum status ingest_look(struct arena *a, const struct source *s, const struct ingest_options *o,
                        struct progress *progress, struct ingest **ret, struct err *err)
{
    struct ingest *l = ARENA_NEW(a, struct ingest);
    struct err local = ERR_INIT;
    *l = (struct ingest){.arena = a, .source = s, .options = o, .progress = progress, .began_us = clock_mono_us()};
    if (!progress)
        l->progress = ARENA_NEW(a, struct progress);
    l->scratch = arena_new(0);
    arena_defer(a, free_scratch, l->scratch);
    err = err ? err : &local;
    enum status st = input_open(a, s, o, &l->input, err);
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
    enum status st = c ? table_look(l->arena, c, table, &l->table, err) : STATUS_OK;
    if (st == STATUS_OK)
        st = not_itself(l, err);
    if (st == STATUS_OK)
        st = check_children(l, err);
    if (st != STATUS_OK)
        return st;
    take_keys(l);
    rejects_init(&l->rejects, l->arena, c, l->table.name.n ? l->table.name : table, l->source->name);
    if (c)
        st = load_database(l, table, &changed, err);
    else
        st = insert_all(l, err);
    if (st == STATUS_OK && !c)
        st = load_children(l, table, err);
    if (st != STATUS_OK)
        return st;
    fill_report(l, table, changed, ret);
    ret->children = l->children;
    ret->child_count = l->child_count;
    ret->duration_us = clock_mono_us() - l->began_us;
    return STATUS_OK;
}

enum status ingest_run(struct arena *a, struct conn *c, const struct source *s, str table,
                       const struct ingest_options *o, struct progress *progress, struct ingest_report *ret,
                       struct err *err)
{
    struct table early;
    struct ingest *l;
    enum status st = c ? table_look(a, c, table, &early, err) : STATUS_OK; /* what cannot work is told at once */
    if (st == STATUS_OK)
        st = ingest_look(a, s, o, progress, &l, err);
    return st == STATUS_OK ? ingest_load(l, c, table, ret, err) : st;
}
