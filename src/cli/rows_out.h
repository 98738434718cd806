/* SPDX-License-Identifier: Apache-2.0 */
/* rows_out: rows on standard output, as sqlite-utils prints them. They go out as they come (--table has to see them all
 * first). */
#ifndef VITRINE_CLI_ROWS_OUT_H
#define VITRINE_CLI_ROWS_OUT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum rows_format { ROWS_JSON, ROWS_NL, ROWS_ARRAYS, ROWS_CSV, ROWS_TSV, ROWS_TABLE, ROWS_PLAIN };

struct stmt;
struct rows_out {
    struct arena *arena;
    enum rows_format format; /* PLAIN: the first column as it is, a line each */
    bool no_headers, begun;
    struct buf out;
    uint64_t rows;
    size_t columns; /* TABLE */
    VEC(str) cells;
};

void rows_out_init(struct rows_out *q, struct arena *a, enum rows_format format, bool no_headers);
void rows_out_release(struct rows_out *q);
/* The rows of a statement that is ready to run; several ones with the same columns are printed as one. */
enum status rows_out_print(struct rows_out *q, struct stmt *s, struct err *err) MUST_USE;
enum status rows_out_end(struct rows_out *q, struct err *err) MUST_USE;

#endif
