/* SPDX-License-Identifier: Apache-2.0 */
/* write/insert: rows of a JSON body -> what to insert. Pure: no database, no request. */
#ifndef VITRINE_SITE_WRITE_INSERT_H
#define VITRINE_SITE_WRITE_INSERT_H

#include "codec/value.h"

struct insert_table { /* facts of the table as the reader saw it */
    str name;
    const str *columns; /* those that may be set */
    size_t column_count;
    const str *pks; /* none: rows are found by rowid */
    size_t pk_count;
    bool has_rowid;
};

struct insert_plan {
    struct insert_table table;
    struct value rows; /* LIST of DICT column -> value, base64 decoded */
    bool upsert, ignore, replace, alter, give_rows;
};

/* INVALID: the body is refused, with the first reason in err; when there are several, all are in *ret_errors (LIST of
 * texts, else empty). Strings are borrowed from the body and from `table`. */
enum status insert_plan_read(struct arena *a, struct value body, const struct insert_table *table, bool upsert,
                             int64_t max_rows, struct insert_plan *ret, struct value *ret_errors,
                             struct err *err) MUST_USE;

/* "insert or ignore into "t" ("a", "b") values (?, ?)" for the keys of one row. */
str insert_sql(struct arena *a, const struct insert_plan *p, struct value row);
/* "update "t" set "b" = ? where "a" = ?"; empty when the row has nothing but its key. */
str insert_update_sql(struct arena *a, const struct insert_plan *p, struct value row);
bool insert_is_key(const struct insert_plan *p, str column);

#endif
