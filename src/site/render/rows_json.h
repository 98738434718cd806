/* SPDX-License-Identifier: Apache-2.0 */
/* rows_json: rows as JSON, in the five shapes. The hot path of the API: keys are escaped once a column, cells are
 * written straight into the body. */
#ifndef VITRINE_SITE_RENDER_ROWS_JSON_H
#define VITRINE_SITE_RENDER_ROWS_JSON_H

#include "site/fetch.h"
#include "site/query/shape.h"

struct rows_json {
    const struct rowset *rows;
    size_t row_count; /* rows to write */
    struct query_shaping shaping;
    bool infinity;     /* _json_infinity: Infinity as such, else null */
    bool text_blobs;   /* bytes that are UTF-8 as text, as Datasette 0.65 has them */
    const str *parsed; /* _json: columns whose text is JSON */
    size_t parsed_count;
    const str *pks; /* for the object shape; NULL = rowid */
    size_t pk_count;
    struct value head; /* DICT written before "rows"; ignored by array, arrayfirst and object */
    struct value tail; /* DICT written after "rows" */
    bool bare;         /* rows without brackets around them */
    str skip;          /* a column that objects leave out; p == NULL = none */
    /* Writes what wraps one row, from "{" to the name it has in there; "}" follows the row. NULL = nothing. */
    void (*before_row)(const struct rows_json *spec, size_t row, struct buf *out);
    size_t geo[2]; /* for before_row: columns of the geometry, or of latitude and longitude */
};

/* Appends the document to `out`. */
void rows_json_write(struct arena *a, const struct rows_json *spec, struct buf *out);
/* Reads _shape, _nl, _json, _json_infinity. INVALID "Invalid _shape: x". */
enum status rows_json_options(struct request *rq, struct rows_json *spec, struct err *err) MUST_USE;
/* Writes and answers. TOO_LARGE past LIMIT_JSON_OUTPUT. */
enum status rows_json_respond(struct request *rq, const struct rows_json *spec, int http_status,
                              struct err *err) MUST_USE;
/* Content type of the answer: text/plain for _nl. */
const char *rows_json_content_type(const struct rows_json *spec);

#endif
