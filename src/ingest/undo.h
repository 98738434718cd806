/* SPDX-License-Identifier: Apache-2.0 */
/* undo: the last import of a database can be taken back. What is needed for that is kept in the database itself, in
 * tables named _vitrine_*, written in the transaction of the import: it is there exactly when the import is.
 *
 *   _vitrine_imports    a row an import: when, which file, which table, how many rows; the last LIMIT_UNDO_LOG of them
 *   _vitrine_undo_sql   of the last one: SQL of what was dropped, names of what was made
 *   _vitrine_undo_new   of the last one: rowids of rows that came, as ranges
 *   _vitrine_undo_old   of the last one: rows as they were before they were changed or went
 *
 * How, by what the import does to the table:
 *   made        nothing is kept: undo drops it
 *   added       ranges of rowids: undo deletes them; added columns are dropped
 *   changed     (upsert, replace) triggers that live as long as the import note what came and what was there
 *   rewritten   (truncate, replace the table, WITHOUT ROWID) all rows and the SQL of the table are kept
 *
 * The rows that undo would touch are summed up when the import ends, and again before they are touched: a row that was
 * changed since makes undo refuse. Design: docs/design/0011-undo.md. */
#ifndef VITRINE_INGEST_UNDO_H
#define VITRINE_INGEST_UNDO_H

#include "db/stmt.h"
#include "ingest/options.h"
#include "ingest/table.h"

enum undo_kind { UNDO_NONE, UNDO_MADE, UNDO_ADDED, UNDO_CHANGED, UNDO_REWRITTEN };

struct undo {
    struct arena *arena;
    struct conn *conn;
    enum undo_kind kind;
    str table, rowid;    /* rowid: a name for it that no column hides */
    int64_t first, last; /* range that is growing; last < first = none */
    struct stmt *put;
    uint64_t written;    /* rows that were written here, not by the import */
    const char *why_not; /* UNDO_NONE: a sentence for the log */
    bool summed;         /* UNDO_MADE: the rows were summed up as they went in */
    uint64_t sum_rows, sum;
};

/* Before the table is changed; `t`: as it is. Forgets the import before. */
enum status undo_begin(struct undo *u, struct arena *a, struct conn *c, const struct table *t,
                       const struct ingest_options *o, struct err *err) MUST_USE;
/* A row was inserted (UNDO_ADDED only). */
enum status undo_note(struct undo *u, int64_t rowid, struct err *err) MUST_USE;
/* Something was made beside the table: "column" (of it), "table", "child" (a table of
 * lists, with rows of the file). Before undo_end(). */
enum status undo_made(struct undo *u, const char *kind, str name, struct err *err) MUST_USE;
/* After everything else, in the same transaction. */
enum status undo_end(struct undo *u, str file, str rejects, const char *at, uint64_t rows, struct err *err) MUST_USE;

struct undo_report {
    str file, table;
    bool dropped;        /* the table */
    uint64_t gone, back; /* rows deleted, rows that are there again */
};

/* Takes back the last import, in a transaction of its own. NOT_FOUND: there is none. CONFLICT: it cannot be taken back,
 * and why. After a failure the database is as before. */
enum status undo_last(struct arena *a, struct conn *c, struct undo_report *ret, struct err *err) MUST_USE;

/* Shared by the two halves: the sum over the rows that the last import touched. Reading a table again costs a third of
 * importing it: for a new table the reader's thread makes the same sum on the way (row->hash), rowids left out. */
enum status undo_sum(struct arena *a, struct conn *c, str table, enum undo_kind kind, uint64_t *ret_rows,
                     int64_t *ret_sum, struct err *err) MUST_USE;
str undo_rowid_name(struct arena *a, struct conn *c, str table); /* empty = it has none that can be named */

#endif
