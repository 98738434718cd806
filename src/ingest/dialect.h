/* SPDX-License-Identifier: Apache-2.0 */
/* dialect: what a file of delimited text is like, from its first rows: delimiter, where the header is, names of
 * columns. Pure; any thread. */
#ifndef VITRINE_INGEST_DIALECT_H
#define VITRINE_INGEST_DIALECT_H

#include "codec/rows.h"
#include "ingest/options.h"

struct dialect {
    char delimiter, quote;
    uint64_t header_line; /* line of the header, 1-based; 0 = there is none */
    uint64_t data_line;   /* rows from this line on are data */
    const str *columns;
    size_t column_count;
};

/* `sample`: the first bytes of the file as UTF-8 (ill-formed bytes do no harm), `whole` = that is all of it. What the
 * options say is taken as it is. TOO_LARGE: more columns than a table may have. */
enum status dialect_detect(struct arena *a, str sample, bool whole, const struct ingest_options *o, str ending,
                           struct dialect *ret, struct err *err) MUST_USE;
/* The same for rows that have been read already: header and columns. `placed`: each cell is known to be under the right
 * heading (a sheet), so that a blank first heading is one. */
enum status dialect_header(struct arena *a, const struct rows *rows, const struct ingest_options *o, bool placed,
                           struct dialect *ret, struct err *err) MUST_USE;
/* Names for a table: trimmed, blanks filled ("column_3"), duplicates numbered ("x_2"); letters differ only in case are
 * duplicates, as SQLite sees them. */
const str *dialect_names(struct arena *a, const str *raw, size_t count) MUST_USE;

#endif
