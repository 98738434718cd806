/* SPDX-License-Identifier: Apache-2.0 */
/* tables: what the index and database pages list: tables and views this actor may see, with kept row counts. */
#ifndef VITRINE_SITE_TABLES_H
#define VITRINE_SITE_TABLES_H

#include "db/schema.h"
#include "site/request.h"

/* What is known about a number of rows. Exact figures come from what is kept for this data version; a big table whose
 * figure is not kept yet is counted up to COUNT_LIMIT + 1, and the rest of the work goes on in the background. */
struct row_count {
    int64_t count;    /* -1 = not known in time */
    bool truncated;   /* there are at least `count` rows */
    int64_t estimate; /* when truncated or not known: the exact figure of older data; -1 = none */
};

struct table_item {
    const struct schema_table *table;
    bool hidden; /* by the schema's rules or by configuration */
    bool is_private;
    struct row_count rows; /* of tables; views are not counted here */
};

/* Tables and views of rq->db in schema order. */
enum status tables_list(struct request *rq, struct table_item **ret, size_t *ret_count, struct err *err) MUST_USE;
bool table_is_hidden(const struct request *rq, const struct schema_table *t);
/* `exact`: a figure that is not known is worth working out in the background. */
void table_count(struct request *rq, const struct schema_table *t, int64_t time_limit_ms, bool exact,
                 struct row_count *ret);

/* Inspect data of an immutable file replaces counting: tables it does not name have no count. */
bool tables_only_inspected(const struct published *p);
/* All columns, hidden ones of virtual tables too, as Datasette lists and selects them. */
size_t table_columns(struct arena *a, const struct schema_table *t, const str **ret);
struct value table_column_list(struct arena *a, const struct schema_table *t);
struct table_link {
    str other_table, column, other_column;
};
/* Single-column keys of other tables that point here, by table and column. Tables that the actor may not see are left
 * out. */
size_t table_incoming(const struct request *rq, const struct schema_table *t, struct table_link **ret);
/* {"incoming": [...], "outgoing": [...]} */
struct value table_foreign_keys(const struct request *rq, const struct schema_table *t);
struct value str_list(struct arena *a, const str *items, size_t count);

/* May the actor see this table? A search index holds the text of its table: whoever may not see that, may not see the
 * index or its inner tables either. */
bool table_allowed(const struct request *rq, const struct schema_table *t);
bool table_source_allowed(const struct request *rq, const struct schema_table *t); /* the second half of it alone */
/* Table of the request, which the actor may see: FORBIDDEN, NOT_FOUND "Table not found". Permission comes before
 * existence: who may not look cannot tell a refused name from a missing one. */
enum status tables_open(struct request *rq, str name, const struct schema_table **ret, struct err *err) MUST_USE;
/* The same for whoever asks: permission is the caller's business. */
enum status tables_find(struct request *rq, str name, const struct schema_table **ret, struct err *err) MUST_USE;

#endif
