/* SPDX-License-Identifier: Apache-2.0 */
/* row_stream: formats that are written row by row. `_stream=on` walks all pages of a table in constant memory: the
 * answer is pulled piece by piece on workers, as fast as the client reads. */
#ifndef VITRINE_SITE_RENDER_ROW_STREAM_H
#define VITRINE_SITE_RENDER_ROW_STREAM_H

#include "site/table_page.h"

/* Rows on their way to text: one page of them. */
struct row_text {
    struct request *rq;
    struct buf *out;
    const struct rowset *rows;
    size_t row_count;                 /* rows to write */
    const struct schema_table *table; /* NULL for queries */
    const bool *expanded;             /* a column: its foreign keys were asked to be expanded; NULL = none */
    size_t written;                   /* rows of the pages before */
};

/* What does not fit sets out->over. */
struct row_format {
    const char *name;
    bool by_row; /* rows() is cheap for a single row too; only for formats without check() */
    /* Do the columns serve? INVALID with the remedy. NULL = any do. */
    enum status (*check)(struct row_text *t, struct err *err);
    void (*begin)(struct row_text *t); /* before the first row; NULL = nothing */
    void (*rows)(struct row_text *t);
    void (*end)(struct row_text *t);                     /* after the last row; NULL = nothing */
    void (*headers)(struct request *rq, str name);       /* content type and so on; `name` of the table or query */
    size_t (*max_bytes)(const struct request *rq);       /* of the whole answer; NULL = no limit */
    void (*overflow)(size_t max_bytes, struct buf *out); /* what it ends with past that */
};

/* Fetches the page, or with ?_stream=1 one page after the other, and answers. */
enum status row_stream_table(struct table_page *p, const struct row_format *f, struct err *err) MUST_USE;
/* Rows already fetched: queries and single rows. `table` NULL: of a query. */
enum status row_stream_rows(struct request *rq, const struct rowset *rows, str name, const struct schema_table *table,
                            const struct row_format *f, struct err *err) MUST_USE;

#endif
