/* SPDX-License-Identifier: Apache-2.0 */
/* rejects: the table beside a table, <name>__rejects, where rows go that did not fit: line, column, the row as text,
 * the reason. It is made when the first one comes, inside of the import's transaction. */
#ifndef VITRINE_INGEST_REJECTS_H
#define VITRINE_INGEST_REJECTS_H

#include "db/stmt.h"
#include "ingest/plan.h"

struct rejects {
    struct arena *arena; /* of the import */
    struct conn *conn;   /* NULL = count only (dry run) */
    str table;           /* "<name>__rejects" */
    str file;            /* where the rows come from */
    struct stmt *insert;
    uint64_t count;
    uint64_t first_line;
    char first_reason[200];
    char at[32]; /* time of the import */
};

void rejects_init(struct rejects *r, struct arena *a, struct conn *c, str table, str file);
enum status rejects_add(struct rejects *r, uint64_t line, str column, str text, str reason, struct err *err) MUST_USE;
/* A row whose cells are still in the batch. */
enum status rejects_add_row(struct rejects *r, const struct rows *rows, const struct row *row, str column, str reason,
                            struct err *err) MUST_USE;
void rejects_end(struct rejects *r);

#endif
