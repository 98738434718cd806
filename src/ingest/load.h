/* SPDX-License-Identifier: Apache-2.0 */
/* load: one import on its way, and the parts of it: ingest.c (the passes and the transaction), guess.c (types from a
 * sample), load.c (rows into one table), children.c (tables of the lists inside of rows). */
#ifndef VITRINE_INGEST_LOAD_H
#define VITRINE_INGEST_LOAD_H

#include "ingest/feed.h"
#include "ingest/ingest.h"
#include "ingest/table.h"
#include "ingest/undo.h"

/* Why a load with guessed types failed, when nothing but the guess is wrong, and what has to come before the next one.
 */
enum load_again {
    AGAIN_NOT,  /* something else is wrong */
    AGAIN_LOAD, /* nothing: the pass went to its end, the plan is decided */
    AGAIN_LOOK, /* the rest of the pass: load_look_on() */
    AGAIN_READ, /* reading failed: class->recover(), then a pass from the start */
    AGAIN_ALL,  /* a pass from the start */
};

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
    struct plan seen;  /* the plan as it was before the rows came: the feed's thread goes on with the other one */
    struct feed *feed; /* a pass that is not at its end */
    bool one_pass;     /* types were guessed */
    enum load_again again;
    unsigned passes; /* over the file */
    uint64_t rows, inserted;
    int64_t began_us;
    struct ingest_report *children;
    size_t child_count;
    int64_t changes; /* total_changes() when the last row was in */
};

/* guess.c: looks at the head of the file and some places further on. *ret_all: that was the whole file, and the plan
 * has seen it. *ret_fit: one pass with the types in the plan is worth trying. Neither: a pass over the whole file has
 * to find out, and say what is wrong with it. */
void guess(struct ingest *l, bool *ret_all, bool *ret_fit);

/* load.c: everything from the table as it is to its indexes, inside of the transaction. *ret_changed: rows. */
enum status load_table(struct ingest *l, str table, uint64_t *ret_changed, struct err *err) MUST_USE;
enum status load_rows(struct ingest *l, struct err *err) MUST_USE; /* a dry run without a database is this only */
/* Reads on, without inserting, what load_rows has left. */
enum status load_look_on(struct ingest *l, struct err *err) MUST_USE;
/* What is needed to take all of it back; the last thing in the transaction. */
enum status load_undo(struct ingest *l, struct err *err) MUST_USE;
void load_report(const struct ingest *l, str table, uint64_t changed, struct ingest_report *ret);

/* children.c */
enum status children_clear(struct ingest *l, str table, struct err *err) MUST_USE; /* before the parent's rows go */
enum status children_load(struct ingest *l, str table, struct err *err) MUST_USE;
enum status children_check(const struct ingest *l, struct err *err) MUST_USE;

/* Whether --stop-after allows no more; leaves no more rows in the batch than it allows. */
static inline bool load_enough(const struct ingest *l, uint64_t rows)
{
    return l->options->stop_after > 0 && rows >= (uint64_t)l->options->stop_after;
}

static inline void load_cut(const struct ingest *l, struct batch *b, uint64_t rows)
{
    uint64_t max = l->options->stop_after > 0 ? (uint64_t)l->options->stop_after : UINT64_MAX;
    if (b->rows.row_count > max - rows)
        b->rows.row_count = (size_t)(max - rows);
}

#endif
