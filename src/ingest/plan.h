/* SPDX-License-Identifier: Apache-2.0 */
/* plan: what each column is, found out from every row of the file in a first pass; then the conversion of the rows and
 * what there is to say about each column, in a second one.
 *
 *   plan_new -> plan_look(batch)... -> plan_decide -> (the table may force types) -> plan_convert(batch)...
 *
 * Or both in one pass, with types guessed from a part of the file (essay: plan_guess.c):
 *
 *   plan_guess -> (the table may force types) -> plan_step(batch)... -> plan_settle
 *
 * plan_look runs on the caller's thread, plan_convert and plan_step on the feed's; never at the same time. */
#ifndef VITRINE_INGEST_PLAN_H
#define VITRINE_INGEST_PLAN_H

#include "ingest/distinct.h"
#include "ingest/input.h"
#include "ingest/types.h"

#define PLAN_SAMPLE_TEXT 60 /* bytes of a value kept to be shown */

struct plan_text {
    char p[PLAN_SAMPLE_TEXT + 4];
    uint8_t n;
    bool cut;
};

struct column_plan {
    str name;
    enum column_type type, own; /* own: what its values are, whatever is asked for */
    unsigned date;              /* one enum date_order: text that is changed into ISO form; 0 = as it is */
    unsigned ambiguous;         /* orders that all values allow, when they are several */
    bool forced;                /* by the user or the table: what does not fit is rejected */
    bool given;                 /* its type is that of the user or the table, whether the values fit or not */

    /* A pass with guessed types. */
    uint8_t guess_may; /* what the values of the sample may be */
    bool may_widen;    /* INTEGER may become REAL: it is a column of a new table, and no key */
    bool widened;      /* it did */

    /* First pass. */
    uint64_t fits;     /* values before the odd one */
    uint64_t odd_line; /* the first value that made the type wider; 0 = none */
    struct plan_text odd;
    bool big;  /* an integer that a REAL cannot hold exactly */
    bool blob; /* a value that is bytes */

    /* Second pass. */
    uint64_t blank; /* no value, or empty text */
    int64_t min_i, max_i;
    double min_f, max_f;
    struct plan_text min, max;
    struct distinct distinct;
    uint64_t last_hash;
    bool any;
};

struct plan {
    struct arena *arena; /* its own: plan_convert runs on another thread */
    const struct ingest_options *options;
    struct column_plan *columns;
    size_t count, cap;
    uint8_t *may; /* a column: what all its values so far may be; 0 = text, nothing more to find out */
    uint64_t rows, too_wide, too_short, ill_formed;
    struct plan_note {
        uint64_t line;
        struct cell cell;
        bool bare; /* it has no delimiter at all */
        char text[PLAN_SAMPLE_TEXT];
    } notes[LIMIT_INGEST_NOTE_LINES]; /* rows at the end so far that have only a first cell */
    size_t note_count;
    uint64_t notes_from; /* rows from this line on that have only a first cell are notes; 0 = none */
    bool any_forced;
    bool guessed, wrong; /* types are guessed; a value has shown that they are not right */
    uint64_t empty_hash; /* of an empty text */
};

struct plan *plan_new(struct arena *a, const struct ingest_options *o);
void plan_columns(struct plan *p, const str *names, size_t n); /* takes those that are new */
void plan_look(struct plan *p, const struct batch *b);
/* Decides the types. USAGE: --type names a column or a type that there is not. */
enum status plan_decide(struct plan *p, struct err *err) MUST_USE;
/* Types as `sample` says, a plan that has looked at some of the rows and decided; for a new plan. */
void plan_guess(struct plan *p, const struct plan *sample);
/* plan_look and plan_convert at once. When a value shows that the guess was wrong, the batch and all that follow are
 * only looked at: batch->look_only. */
void plan_step(struct plan *p, struct batch *b);
/* After the last batch: decides as if the pass had only looked. `again` forces the types of the table once more. True
 * when the rows were converted as they should be (an INTEGER column that became REAL aside: c->widened); else the plan
 * is ready for plan_convert. */
enum status plan_settle(struct plan *p, void (*again)(void *arg, struct plan *p), void *arg, bool *ret_right,
                        struct err *err) MUST_USE;
/* The type of a declaration such as "varchar(10)", by SQLite's rules of affinity. */
enum column_type plan_type_of(str declared);
const char *plan_type_name(enum column_type t); /* "INTEGER" */
void plan_force(struct plan *p, size_t column, enum column_type t);
/* Converts the cells of a batch in place; rows that do not fit get a fault, others the hash of their values as SQLite
 * will have them (columns of types of our own choice, blobs aside). */
void plan_convert(struct plan *p, struct batch *b);
/* In words, for the rejects table: "“abc” is no INTEGER". */
str plan_fault_text(struct arena *a, const struct plan *p, const struct row *row, const struct rows *rows);

#endif
