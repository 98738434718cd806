/* SPDX-License-Identifier: Apache-2.0 */
/* load — rows into one table: what is made of it before, each row, what is made of it after. Fault points:
 * ingest.batch, ingest.widened. */
#include "ingest/load.h"

#include "base/limits.h"
#include "db/redeclare.h"
#include "ingest/after.h"
#include "ingest/row_fault.h"
#include "rt/fault.h"

#include "base/banned.h"

static void convert(void *arg, struct batch *b)
{
    plan_convert(arg, b);
}

static void step(void *arg, struct batch *b)
{
    plan_step(arg, b);
}

static enum status reject(struct ingest *l, const struct batch *b, const struct row *row, str reason, struct err *err)
{
    bool of_cell = row->fault == ROW_NO_FIT || row->fault == ROW_ILL_FORMED;
    str column = of_cell && row->fault_cell < l->seen.count ? l->seen.columns[row->fault_cell].name : STR("");
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
    for (size_t i = n; i < l->seen.count && st == STATUS_OK; i++)
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
            st = insert_row(l, &b->rows.cells[row->first], MIN((size_t)row->count, l->seen.count), err);
            l->inserted += st == STATUS_OK;
            if (st == STATUS_OK && l->undo.kind == UNDO_ADDED && conn_changes(l->conn))
                st = undo_note(&l->undo, conn_last_rowid(l->conn), err);
            l->undo.sum_rows += st == STATUS_OK;
            l->undo.sum += st == STATUS_OK ? row->hash : 0;
        }
        if (UNLIKELY(row->fault) || UNLIKELY(st == STATUS_CONFLICT)) {
            struct arena_mark mark = arena_mark(l->scratch);
            str reason = row->fault ? plan_fault_text(l->scratch, &l->seen, row, &b->rows)
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
    if (arena_over(l->input->arena)) {
        err_set(err, STATUS_TOO_LARGE, "%.*s: its names and notes take more than %d bytes", STR_ARG(l->source->name),
                LIMIT_INGEST_ARENA);
        return err_hint(err, "Take out the lines above the header.");
    }
    for (size_t i = 0; i < l->input->notes.count && st == STATUS_OK; i++) {
        const struct input_note *note = &l->input->notes.items[i];
        st = rejects_add(&l->rejects, note->line, STR(""), note->text, note->reason, err);
    }
    return st;
}

/* Ends the pass, and says how reading went. */
static enum status end_feed(struct ingest *l, struct err *err)
{
    enum status st = feed_free(l->feed, err);
    l->feed = NULL;
    l->passes++;
    progress_end(l->progress);
    return st;
}

static enum status was_changed(const struct ingest *l, struct err *err)
{
    err_set(err, STATUS_CONFLICT, "%.*s was changed while it was imported", STR_ARG(l->source->name));
    return err_hint(err, "Nothing was imported; try again.");
}

static void force_again(void *arg, struct plan *p)
{
    struct ingest *l = arg;
    if (l->table.exists)
        table_force(&l->table, p);
}

static enum status settle(struct ingest *l, size_t notes, struct err *err)
{
    bool right;
    enum status st = plan_settle(l->plan, force_again, l, &right, err);
    if (st == STATUS_OK && (!right || l->input->notes.count != notes))
        l->again = AGAIN_LOAD;
    return l->again ? err_set(err, STATUS_CONFLICT, "the types were guessed wrong") : st;
}

/* Columns that nothing but a CREATE TABLE of ours knows of: no key, and no trigger has seen their rows. */
static void allow_widening(struct ingest *l)
{
    const struct ingest_options *o = l->options;
    for (size_t i = 0; i < l->plan->count; i++) {
        struct column_plan *c = &l->plan->columns[i];
        c->may_widen =
            !l->table.exists && !o->replace_table && !c->given && !str_in(c->name, l->table.keys, l->table.key_count);
        for (size_t k = 0; k < o->default_count; k++)
            c->may_widen &= !str_eq_nocase(o->defaults[k].column, c->name);
    }
}

static enum status take_batch(struct ingest *l, struct batch *b, struct err *err)
{
    enum status st = STATUS_OK;
    if (FAULT("ingest.batch"))
        st = err_set(err, STATUS_IO, "a fault was injected");
    load_cut(l, b, l->rows);
    if (st == STATUS_OK)
        st = insert_batch(l, b, err);
    l->rows += b->rows.row_count;
    progress_step(l->progress, l->rows, b->position);
    return st == STATUS_OK ? progress_check(l->progress, err) : st;
}

enum status load_rows(struct ingest *l, struct err *err)
{
    struct batch *b = NULL;
    size_t notes = l->input->notes.count;
    if (l->one_pass)
        allow_widening(l);
    l->seen = *l->plan;
    enum status st = reject_notes(l, err);
    if (st == STATUS_OK)
        st = feed_new(l->input, l->one_pass ? step : convert, l->plan, &l->feed, err);
    if (st != STATUS_OK)
        return st;
    progress_begin(l->progress, "writing", l->source->size_bytes);
    while (st == STATUS_OK && !load_enough(l, l->rows) && (b = feed_next(l->feed)) && !b->look_only)
        st = take_batch(l, b, err);
    if (st == STATUS_OK && b && b->look_only) {
        l->again = AGAIN_LOOK; /* the feed stays */
        return err_set(err, STATUS_CONFLICT, "the types were guessed wrong");
    }
    enum status read = end_feed(l, st == STATUS_OK ? err : NULL);
    if (st != STATUS_OK)
        return st;
    if (l->one_pass && read != STATUS_OK)
        l->again = AGAIN_READ;
    if (read != STATUS_OK)
        return read;
    return l->one_pass ? settle(l, notes, err) : l->rows != l->plan->rows ? was_changed(l, err) : STATUS_OK;
}

enum status load_look_on(struct ingest *l, struct err *err)
{
    struct batch *b;
    bool right;
    enum status st = STATUS_OK;
    progress_begin(l->progress, "reading", l->source->size_bytes);
    while (st == STATUS_OK && (b = feed_next(l->feed))) {
        l->rows += b->rows.row_count;
        progress_step(l->progress, l->rows, b->position);
        st = progress_check(l->progress, err);
    }
    enum status read = end_feed(l, st == STATUS_OK ? err : NULL);
    st = st == STATUS_OK ? read : st;
    return st == STATUS_OK ? plan_settle(l->plan, NULL, NULL, &right, err) : st;
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
        same &= c->type != COLUMN_BLOB && c->type != COLUMN_ANY && !c->widened;
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
enum status load_undo(struct ingest *l, struct err *err)
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

/* The table is declared with the types that its columns turned out to have. */
static enum status declare(struct ingest *l, struct err *err)
{
    bool widened = false;
    for (size_t i = 0; i < l->plan->count; i++)
        widened |= l->plan->columns[i].widened;
    if (!widened)
        return STATUS_OK;
    enum status st =
        conn_redeclare(l->conn, l->table.name, table_create_sql(l->arena, &l->table, l->plan, l->options), err);
    if (st == STATUS_OK && FAULT("ingest.widened"))
        st = err_set(err, STATUS_IO, "a fault was injected");
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
        st = load_rows(l, err);
    stmt_done(l->insert);
    l->insert = NULL;
    rejects_end(&l->rejects);
    if (st == STATUS_OK)
        st = declare(l, err);
    return st == STATUS_OK ? finish(l, err) : st;
}

enum status load_table(struct ingest *l, str table, uint64_t *ret_changed, struct err *err)
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

void load_report(const struct ingest *l, str table, uint64_t changed, struct ingest_report *r)
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
                                .passes = l->passes,
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
