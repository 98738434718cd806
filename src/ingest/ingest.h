/* SPDX-License-Identifier: Apache-2.0 */
/* ingest: one table of a file into one table of a database, whole or not at all.
 *
 * One pass over the file when the types that its head and some places further on suggest hold for all of it; else a
 * first pass finds out what each column is, and a second one converts and inserts. One transaction. Rows that do not
 * fit go to <table>__rejects (see rejects.h) and the rest is imported; with `strict` the first one ends it. Blocks for
 * as long as it takes; one thread of its own reads ahead. */
#ifndef VITRINE_INGEST_INGEST_H
#define VITRINE_INGEST_INGEST_H

#include "base/buf.h"
#include "ingest/plan.h"
#include "ingest/progress.h"
#include "ingest/rejects.h"

struct ingest_report {
    str file, table, rejects_table;
    const char *format, *encoding;
    char delimiter; /* 0 = none */
    uint64_t header_line;
    bool created, dry_run;
    unsigned passes;   /* over the file */
    uint64_t rows;     /* in the file */
    uint64_t imported; /* inserted, replaced or updated */
    uint64_t ignored;  /* INGEST_IGNORE: rows whose key was there */
    uint64_t rejected, too_short, replaced_characters;
    uint64_t cell_errors, uncalculated; /* of a workbook: cells that show an error, formulas without a value: NULL */
    const char *part_word;              /* "sheet", "table" */
    str part;                           /* which table of a file that holds several; empty = it holds one */
    const str *parts;
    size_t part_count;
    uint64_t first_reject_line;
    str first_reject_reason;
    const struct plan *plan; /* the columns */
    int64_t duration_us;
    const struct ingest_report *children; /* the tables made of lists inside of the rows */
    size_t child_count;
};

/* `c`: a writable connection without a transaction; NULL = a dry run without a database. The report and what it points
 * to live in `a`. Statuses: INVALID (damaged, binary, strict), USAGE, CONFLICT (columns are missing), TOO_LARGE,
 * DISK_FULL, BUSY, IO. After a failure the database is as before. */
enum status ingest_run(struct arena *a, struct conn *c, const struct source *s, str table,
                       const struct ingest_options *o, struct progress *progress, struct ingest_report *ret,
                       struct err *err) MUST_USE;

/* Always in two passes, in two halves, for who has the database for the second only: reading the file and deciding the
 * types, then the transaction. `c` NULL = a dry run. */
struct ingest;
enum status ingest_look(struct arena *a, const struct source *s, const struct ingest_options *o,
                        struct progress *progress, struct ingest **ret, struct err *err) MUST_USE;
enum status ingest_load(struct ingest *l, struct conn *c, str table, struct ingest_report *ret,
                        struct err *err) MUST_USE;

/* For people, and as one JSON object. */
void ingest_report_text(struct buf *out, const struct ingest_report *r);
void ingest_report_json(struct buf *out, const struct ingest_report *r);

#endif
