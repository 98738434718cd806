/* SPDX-License-Identifier: Apache-2.0 */
/* sql: our own constant SQL in one call, rows as documents for templates. Values are always bound. Blocks: workers and
 * the writer's thread only. */
#ifndef VITRINE_HUB_SQL_H
#define VITRINE_HUB_SQL_H

#include "codec/value.h"
#include "db/stmt.h"

#define SQL_T(text)   ((struct db_value){.kind = DB_TEXT, .s = (text)})
#define SQL_I(number) ((struct db_value){.kind = DB_INT, .i = (number)})
#define SQL_B(bytes)  ((struct db_value){.kind = DB_BLOB, .s = (bytes)})

/* All rows: a LIST of DICTs, column name -> STR, BYTES, INT, FLOAT or NONE, in `a`. TOO_LARGE past LIMIT_HUB_ROWS. */
enum status sql_rows(struct conn *c, struct arena *a, const char *sql, const struct db_value *args, size_t count,
                     struct value *ret, struct err *err) MUST_USE;
/* The first row, or UNDEFINED. */
enum status sql_row(struct conn *c, struct arena *a, const char *sql, const struct db_value *args, size_t count,
                    struct value *ret, struct err *err) MUST_USE;
/* For what changes something: *ret_changes (NULL is fine) rows. CONFLICT when a UNIQUE constraint refuses it. */
enum status sql_change(struct conn *c, const char *sql, const struct db_value *args, size_t count, int64_t *ret_changes,
                       struct err *err) MUST_USE;

#define SQL_ARGS_(...)                                                                                                 \
    (const struct db_value[]){__VA_ARGS__}, sizeof((const struct db_value[]){__VA_ARGS__}) / sizeof(struct db_value)
/* The same with the values written behind the statement. */
#define SQL_ROWS(c, a, ret, err, sql, ...) sql_rows((c), (a), (sql), SQL_ARGS_(__VA_ARGS__), (ret), (err))
#define SQL_ROW(c, a, ret, err, sql, ...)  sql_row((c), (a), (sql), SQL_ARGS_(__VA_ARGS__), (ret), (err))
#define SQL_RUN(c, err, sql, ...)          sql_change((c), (sql), SQL_ARGS_(__VA_ARGS__), NULL, (err))

#endif
