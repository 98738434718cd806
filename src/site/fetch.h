/* SPDX-License-Identifier: Apache-2.0 */
/* fetch: runs planned SQL on the request's connection and brings rows into its arena. Worker threads only; blocks. */
#ifndef VITRINE_SITE_FETCH_H
#define VITRINE_SITE_FETCH_H

#include "site/query/plan.h"
#include "site/request.h"

enum cell_kind { CELL_NULL, CELL_INT, CELL_FLOAT, CELL_TEXT, CELL_BLOB };

struct cell {
    enum cell_kind kind;
    union {
        int64_t i;
        double f;
    };
    str s;     /* TEXT (valid UTF-8) or BLOB */
    str label; /* foreign-key label when expanded: label.p != NULL */
};

struct rowset {
    str *columns; /* names, valid UTF-8 */
    size_t column_count;
    struct cell *cells; /* row_count * column_count, row by row */
    size_t row_count;
    bool truncated; /* there were more than max_rows */
};

struct fetch_limits {
    size_t max_rows;       /* more are not read; rowset.truncated says so */
    int64_t time_limit_ms; /* 0 = none */
    bool trusted;          /* SQL of the configuration: past the authorizer */
};

/* Runs one statement. Parameters that the statement does not name are ignored; names it has but `params` lacks are an
 * error of SQLite's wording. SQL (with SQLite's message), TIMEOUT, CANCELLED, TOO_LARGE. */
enum status fetch_rows(struct request *rq, struct conn *conn, str sql, const struct query_param *params,
                       size_t param_count, const struct fetch_limits *limits, struct rowset *ret,
                       struct err *err) MUST_USE;
/* The same on memory and a connection of the caller's, whose deadline is as it is; limits->time_limit_ms is ignored. */
enum status fetch_on(struct arena *a, struct conn *conn, str sql, const struct query_param *params, size_t param_count,
                     const struct fetch_limits *limits, struct rowset *ret, struct err *err) MUST_USE;
/* The same, but rows are handed to `each` one by one as the only row of *ret, whose texts are SQLite's until it
 * returns: what is wanted longer must be copied. Afterwards *ret has the columns and no row. For long answers: nothing
 * is copied, so the memory is that of one row. */
enum status fetch_each(struct request *rq, struct conn *conn, str sql, const struct query_param *params,
                       size_t param_count, const struct fetch_limits *limits, void (*each)(void *arg), void *arg,
                       struct rowset *ret, struct err *err) MUST_USE;
/* Number of rows the statement gives, up to `limit`. *ret_all: there are no more; false also when time was up. */
enum status fetch_count(struct request *rq, struct conn *conn, str sql, const struct query_param *params,
                        size_t param_count, int64_t limit, int64_t time_limit_ms, int64_t *ret, bool *ret_all) MUST_USE;
/* First column of the first row as an integer; -1 when there is no row. */
enum status fetch_integer(struct request *rq, struct conn *conn, str sql, const struct query_param *params,
                          size_t param_count, int64_t time_limit_ms, int64_t *ret, struct err *err) MUST_USE;

/* What SQLite is given for a value: numbers, text and bytes as they are, true as 1; NULL for the rest. */
struct db_value fetch_db_value(struct value v);

/* Sets the connection's deadline and ties it to the client: a client that goes away cancels the query. 0 = no limit. */
void fetch_deadline(struct request *rq, struct conn *conn, int64_t time_limit_ms);

/* Could the statement give another answer for the same data (time, random numbers), itself or through a view? */
bool fetch_may_vary(const struct request *rq, str sql);

const struct cell *rowset_cell(const struct rowset *r, size_t row, size_t column);
size_t rowset_column(const struct rowset *r, str name); /* (size_t)-1 when absent */

/* Python's str() of a cell: "" for NULL is the caller's business, "None" here. */
str cell_text(struct arena *a, const struct cell *c);
struct value cell_value(const struct cell *c); /* NONE INT FLOAT STR BYTES */
bool cell_equal(const struct cell *a, const struct cell *b);

#endif
