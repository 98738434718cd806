/* SPDX-License-Identifier: Apache-2.0 */
/* write: what the endpoints of the write API share. README.md tells the way of a write.
 *
 *   view (worker): permissions, body -> plan  ->  write_hand_over()  ->  apply (writer's thread)  ->  COMMIT  -> answer
 */
#ifndef VITRINE_SITE_WRITE_WRITE_H
#define VITRINE_SITE_WRITE_WRITE_H

#include "db/schema.h"
#include "db/stmt.h"
#include "site/fetch.h"
#include "site/request.h"

/* ---- answers ---- */

/* {"ok": false, ...} for any status, with the text of err or the list of write_errors(). Returns OK. */
enum status write_answer_failure(struct request *rq, const struct err *err);
/* OK and AGAIN as they are; anything else becomes the JSON answer of write_answer_failure(). */
enum status write_end(struct request *rq, enum status st, const struct err *err);
/* Several messages for one refusal (LIST of texts); gives INVALID, or OK when the list is empty. */
enum status write_errors(struct request *rq, struct value errors, struct err *err) MUST_USE;
/* content-security-policy and x-frame-options of the pages that run SQL. */
void write_no_framing(struct request *rq);

/* ---- requests ---- */

/* The body as JSON, whatever its content type. INVALID "Invalid JSON: ..." / "JSON must be a dictionary", TOO_LARGE. */
enum status write_body_object(struct request *rq, struct value *ret, struct err *err) MUST_USE;
/* Pure part of it: integers that do not fit 64 bits are refused, since they would be stored as other numbers. */
enum status write_json(struct arena *a, str text, struct value *ret, struct err *err) MUST_USE;
bool write_body_is_json(const struct request *rq); /* by content type */
/* A JSON object, or a form as DICT of texts (last value of a key). */
enum status write_body_any(struct request *rq, struct value *ret, bool *ret_is_json, struct err *err) MUST_USE;
/* POST /DB/TABLE.json with a JSON object: the short form of /-/insert. */
bool write_is_short_form(const struct request *rq);
/* Opens rq->db and finds params[1]: NOT_FOUND also for views. */
enum status write_open_table(struct request *rq, const struct schema_table **ret, struct err *err) MUST_USE;
/* FORBIDDEN when the actor may neither view the table of the address nor do `a` on it. */
enum status write_require_any(const struct request *rq, enum action a, struct err *err) MUST_USE;
enum status write_require(const struct request *rq, enum action a, str db, str table, const char *message,
                          struct err *err) MUST_USE;
enum status write_require_mutable(const struct request *rq, struct err *err) MUST_USE;
/* INVALID "Invalid keys: x" when there is another query argument than sql. */
enum status write_only_sql_argument(const struct request *rq, struct err *err) MUST_USE;
/* Keys of `d` that are not in `known`, sorted, joined by `between`; empty = none. */
str write_unknown_keys(struct arena *a, struct value d, const char *const *known, size_t count, str between);
/* "a, b" */
str write_join(struct arena *a, const str *items, size_t count, str between);

/* ---- the writer ---- */

/* Gives AGAIN, or FORBIDDEN for an immutable database. */
enum status write_hand_over(struct request *rq,
                            enum status (*apply)(struct request *rq, struct conn *c, void *plan, struct err *err),
                            enum status (*finish)(struct request *rq, void *plan, enum status st, struct err *err),
                            void *plan, struct err *err) MUST_USE;

/* One statement with positional parameters, to its end. */
enum status write_run(struct conn *c, str sql, const struct db_value *values, size_t count, struct err *err) MUST_USE;
/* Rows of one statement, at most `max_rows`; *ret_truncated (NULL is fine) when there were more. Appends DICTs. */
enum status write_fetch(struct arena *a, struct conn *c, str sql, const struct db_value *values, size_t count,
                        size_t max_rows, struct value list, struct err *err) MUST_USE;
/* The current row of a statement as DICT column -> value. */
struct value write_row(struct arena *a, struct stmt *s);
/* "CREATE TABLE ..." as the database has it now; empty = no such table. */
enum status write_schema_of(struct arena *a, struct conn *c, str table, str *ret, struct err *err) MUST_USE;

/* ---- values of rows ---- */

/* {"$base64": true, "encoded": "..."} -> BYTES, {"$raw": x} -> x, others as they are. INVALID for wrong base64. */
enum status write_decode_cell(struct arena *a, struct value v, struct value *ret, struct err *err) MUST_USE;
enum status write_decode_row(struct arena *a, struct value row, struct value *ret, struct err *err) MUST_USE;
/* As SQLite stores it: lists and objects become JSON text, true becomes 1. */
struct db_value write_db_value(struct arena *a, struct value v);

/* The SQLite type for a column that holds these values ("INTEGER", "REAL", "TEXT", "BLOB"). */
struct write_types {
    unsigned seen; /* bits of write_types_add() */
};
void write_types_add(struct write_types *t, struct value v);
const char *write_types_name(struct write_types t);
/* ALTER TABLE for each key of the rows (LIST of DICT) that the table does not have, in order of appearance. */
enum status write_add_missing_columns(struct arena *a, struct conn *c, str table, struct value rows,
                                      struct err *err) MUST_USE;

#endif
