/* SPDX-License-Identifier: Apache-2.0 */
/* write/execute: SQL that writes, run once with its parameters: for /-/execute-write and for stored queries. */
#ifndef VITRINE_SITE_WRITE_EXECUTE_H
#define VITRINE_SITE_WRITE_EXECUTE_H

#include "site/fetch.h"
#include "site/write/decide.h"

#define EXECUTE_ROWS_MAX 10 /* of RETURNING */

struct execute_plan {
    str sql;
    struct value params; /* DICT name -> value; every parameter of the statement must be there */
    bool check;          /* ask for the permissions of what it does, again on the writer's connection */
    /* made by running it */
    struct sql_analysis analysis;
    int64_t rowcount; /* -1 = not known: no rows were inserted, changed or deleted by the statement itself */
    int64_t last_rowid;
    bool gives_rows, truncated;
    str *columns;
    size_t column_count;
    struct value rows;    /* LIST of DICT, at most EXECUTE_ROWS_MAX */
    struct rowset rowset; /* the same, for pages */
};

/* Writer's thread. SQL, CONFLICT ... with SQLite's words; "You did not supply a value for binding parameter :x." */
enum status execute_run(struct request *rq, struct conn *c, struct execute_plan *p, struct err *err) MUST_USE;
/* "Query executed, 2 rows affected" */
str execute_message(struct arena *a, const struct execute_plan *p);

#endif
