/* SPDX-License-Identifier: Apache-2.0 */
/* extras: the ?_extra= blocks of table, row and query pages. One table: name, scopes, description, function. */
#ifndef VITRINE_SITE_EXTRAS_H
#define VITRINE_SITE_EXTRAS_H

#include "site/table_page.h"

enum extra_scope { EXTRA_TABLE = 1, EXTRA_ROW = 2, EXTRA_QUERY = 4 };

struct extra_context {
    enum extra_scope scope;
    struct request *rq;
    struct table_page *page;          /* TABLE */
    const struct schema_table *table; /* TABLE, ROW */
    const struct rowset *rows;
    size_t row_count;
    const str *pks; /* ROW: {"rowid"} for rowid tables; else as declared */
    size_t pk_count;
    const str *pk_values; /* ROW */
    str sql;
    struct value params;   /* DICT */
    struct value metadata; /* QUERY */
    str query_name;        /* QUERY: stored query; empty = custom SQL */
    struct value names;    /* LIST of the extras asked for, in order */
};

/* Adds a name that another one, or the address, brings along. */
void extras_imply(struct extra_context *c, str name);
/* Names of ?_extra=a,b&_extra=c. INVALID "Unknown _extra: x" for names this scope does not have. */
enum status extras_parse(struct request *rq, enum extra_scope scope, struct value *ret_names, struct err *err) MUST_USE;
/* Adds one block to `out`. Unknown names add nothing. */
enum status extras_add(struct extra_context *c, str name, struct value out, struct err *err) MUST_USE;
/* One block's value; UNDEFINED when the name is unknown or the block failed. */
struct value extras_get(struct extra_context *c, const char *name);

/* Parts that HTML pages use too. */
struct value extra_table_metadata(struct request *rq, str table);
struct value extra_column_types(struct request *rq, str table);
bool extra_has_labels(const struct schema_table *t); /* has keys that can be shown with labels */
struct value extra_display_templates(struct request *rq, str table, const char *kind);
void extra_display(struct extra_context *c, bool link_column, struct value *ret_columns, struct value *ret_rows);

#endif
