/* SPDX-License-Identifier: Apache-2.0 */
/* preview: what a file seems to be, from its first rows: for people who decide before it is imported. Reads at most
 * LIMIT_INGEST_PREVIEW bytes, whatever the size of the file: what it says of types is a guess, and says so (`whole`).
 */
#ifndef VITRINE_INGEST_PREVIEW_H
#define VITRINE_INGEST_PREVIEW_H

#include "ingest/options.h"
#include "ingest/source.h"

struct preview_column {
    str name, type; /* name as in the file; "INTEGER" */
    bool unique;    /* no value of the rows read comes twice, and none is blank: it may be the key */
};

struct preview {
    str format, encoding; /* "CSV", "UTF-8" */
    char delimiter;       /* 0 = none */
    uint64_t header_line; /* 0 = none */
    struct preview_column *columns;
    size_t column_count;
    str *cells; /* row_count * column_count; p NULL = no value */
    size_t row_count;
    uint64_t rows_read;
    bool whole; /* rows_read is all of it */
};

/* Statuses: those of ingest_run. At most `rows` rows are given. Any thread; blocks on disk. */
enum status preview_make(struct arena *a, const struct source *s, const struct ingest_options *o, size_t rows,
                         struct preview *ret, struct err *err) MUST_USE;

#endif
