/* SPDX-License-Identifier: Apache-2.0 */
/* input: one table in a file, as rows in batches, read from the start as often as wanted. Each format has a class.
 *
 *   input_start -> input_fill ... until batch->last; again input_start for another pass; input_free
 *
 * Between start and the last fill the input belongs to the thread of feed.c. */
#ifndef VITRINE_INGEST_INPUT_H
#define VITRINE_INGEST_INPUT_H

#include "codec/rows.h"
#include "ingest/options.h"
#include "ingest/source.h"

struct batch {
    char *text; /* what the cells point into */
    size_t text_cap;
    struct arena *arena; /* for what the conversion makes; reset with the batch */
    struct rows rows;
    uint64_t position;  /* packed bytes of the source taken up to its end */
    bool ill_formed;    /* some of the text is not UTF-8: cells must be looked at */
    bool last;          /* nothing follows */
    bool notes;         /* rows of a first cell only may be notes under the table */
    bool look_only;     /* it was not converted: the types that were guessed are wrong (plan_step) */
    const str *columns; /* names known when it was filled; more may be added behind them later */
    size_t column_count;
};

struct input;

struct input_class {
    const char *name; /* "CSV" */
    enum status (*start)(struct input *in, struct err *err);
    /* Fills an empty batch with some rows (perhaps none). */
    enum status (*fill)(struct input *in, struct batch *b, struct err *err);
    /* Fills an empty batch with rows from somewhere behind `offset` (packed bytes), to guess types from; none when what
     * is there makes no sense. Not during a pass; only when `seekable`. */
    enum status (*window)(struct input *in, uint64_t offset, struct batch *b, struct err *err);
    /* After a failure: true when the input has changed how it reads (another encoding, quotes set right) and a pass
     * from the start may succeed. *err is the failure, replaced when finding out fails too. NULL = never. */
    bool (*recover)(struct input *in, struct err *err);
    void (*free)(struct input *in);
};

struct input_note { /* rows left out before or besides the data, for the rejects table */
    uint64_t line;
    str text, reason;
};

struct input {
    const struct input_class *class;
    struct arena *arena; /* its own: the feed's thread allocates here */
    const struct source *source;
    VEC(str) columns; /* names; formats that find them on the way add some while they fill in the first pass */
    VEC(struct input_note) notes;
    bool noted;                         /* all that come before the header are in `notes` */
    VEC(str) children;                  /* keys of lists that are tables of their own; found in a pass */
    const char *encoding;               /* for the report */
    bool seekable;                      /* class->window can be used */
    bool sparse;                        /* rows may leave columns out: short ones are nothing to speak of */
    char delimiter;                     /* for the report; 0 = none */
    uint64_t header_line;               /* 0 = none */
    uint64_t replaced;                  /* characters that could not be decoded, after a pass */
    uint64_t cell_errors, uncalculated; /* of a workbook: cells that show an error, formulas without a value */
    const char *part_word;              /* "sheet", "table" */
    str part;                           /* which table of the file it is; empty = it holds one */
    const str *parts;                   /* all of them */
    size_t part_count;
    const str *keys; /* the primary key that it has in the file; for a new table when none is asked for */
    size_t key_count;
};

/* Looks at the file and makes the fitting input. */
enum status input_open(struct arena *a, const struct source *s, const struct ingest_options *o, struct input **ret,
                       struct err *err) MUST_USE;
/* The tables in a file that can hold several (sheets that are not hidden or empty); none for any other file. */
enum status input_parts(struct arena *a, const struct source *s, str **ret, size_t *ret_count,
                        struct err *err) MUST_USE;
static inline enum status input_start(struct input *in, struct err *err)
{
    if (!in->noted)
        in->notes.count = 0;
    return in->class->start(in, err);
}
static inline void input_free(struct input *in)
{
    if (in)
        in->class->free(in);
}

/* The formats. */
enum status csv_input_new(struct arena *a, const struct source *s, const struct ingest_options *o, str sample,
                          struct input **ret, struct err *err) MUST_USE;

enum status json_input_new(struct arena *a, const struct source *s, const struct ingest_options *o, str sample,
                           struct input **ret, struct err *err) MUST_USE;

enum status xlsx_input_new(struct arena *a, const struct source *s, const struct ingest_options *o, struct input **ret,
                           struct err *err) MUST_USE;
enum status xlsx_sheets(struct arena *a, const struct source *s, str **ret, size_t *ret_count,
                        struct err *err) MUST_USE;

/* A table of a database, or of what a dump made. */
enum status sqlite_input_new(struct arena *a, const struct source *s, const struct ingest_options *o,
                             struct input **ret, struct err *err) MUST_USE;
enum status sqlite_tables(struct arena *a, const struct source *s, str **ret, size_t *ret_count,
                          struct err *err) MUST_USE;

/* Takes the rows before the data out of the batch; what is not the header becomes a note, once. */
void batch_cut_head(struct input *in, struct batch *b, uint64_t header_line, uint64_t data_line);
void batch_init(struct batch *b);
void batch_release(struct batch *b);
void batch_clear(struct batch *b);
/* Room for `size` bytes of text and the padding that csvread wants; what is there stays. */
void batch_reserve(struct batch *b, size_t size);

#endif
