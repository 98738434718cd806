/* SPDX-License-Identifier: Apache-2.0 */
/* export_rows: the rows of a statement as CSV, TSV, JSON, newline-delimited JSON or SQL, written as they come. */
#ifndef VITRINE_CLI_EXPORT_ROWS_H
#define VITRINE_CLI_EXPORT_ROWS_H

#include "db/stmt.h"
#include "ingest/pack.h"

enum export_format { EXPORT_CSV, EXPORT_TSV, EXPORT_JSON, EXPORT_NDJSON, EXPORT_SQL, EXPORT_DB, EXPORT_NONE };

struct export_options {
    enum export_format format;
    bool no_headers;
    str null_text; /* CSV and TSV: what NULL is written as */
    str table;     /* SQL: INSERT INTO this */
    str before, after;
    bool terminal; /* show how far it is */
};

/* By the ending of the name, .gz and .zst aside; NONE = unknown. */
enum export_format export_format_of(str path);
/* Blobs: base64 in CSV and TSV, {"$base64": true, "encoded": ...} in JSON. Statuses: those of stmt_step() and of
 * pack_put(). */
enum status export_rows(struct stmt *s, struct pack *to, const struct export_options *o, uint64_t *ret_rows,
                        struct err *err) MUST_USE;

#endif
