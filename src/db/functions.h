/* SPDX-License-Identifier: Apache-2.0 */
/* functions: the SQL functions every connection has besides SQLite's own. One table: tbl/functions.h. */
#ifndef VITRINE_DB_FUNCTIONS_H
#define VITRINE_DB_FUNCTIONS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

struct conn;

struct function_row { /* for the documentation */
    const char *name;
    int args; /* -1 = any number */
    const char *signature;
    const char *help;
};
extern const struct function_row function_rows[];
extern const size_t function_row_count;

/* Registers all on the connection's handle. NO_MEMORY. */
enum status functions_register(struct conn *c, struct err *err) MUST_USE;

/* escape_fts() in C: splits on white space keeping "quoted parts", wraps other words in double quotes, closes an odd
 * quote. */
void fts_escape(struct buf *out, str query);

#endif
