/* SPDX-License-Identifier: Apache-2.0 */
/* query/table: what the planner is told. Plain data, borrowed: everything here must outlive the plan made from it.
 * The planner never sees a database handle; whoever has the schema fills these in. */
#ifndef VITRINE_SITE_QUERY_TABLE_H
#define VITRINE_SITE_QUERY_TABLE_H

#include "codec/value.h"
#include "site/query/args.h"

/* A foreign key of `table` (some other table) that points at the table being planned. */
struct query_incoming {
    str table;        /* who refers to us */
    str column;       /* their column */
    str other_column; /* our column; when the schema leaves it out, our primary key */
};

struct query_table {
    str name;
    bool is_view;
    bool use_rowid;     /* a table without primary key: rowid is selected first and pages are made by it */
    bool has_rowid;     /* rows can be looked up by rowid */
    bool key_is_rowid;  /* no key, or one that is another name of the rowid */
    const str *columns; /* in table order, hidden ones left out */
    size_t column_count;
    const bool *untyped; /* one each: keeps numbers and texts apart (no affinity); NULL = none does */
    const str *pks;      /* in key order; none for views and rowid tables */
    size_t pk_count;
    str fts_table; /* the FTS table found in the schema; empty = none. Config and `_fts_table` override it */
    const struct query_incoming *incoming; /* single-column keys only, in schema order, for `_through` */
    size_t incoming_count;
    /* Columns of any table by name, for `_search_COL`; count 0 = no such table. NULL = no table has columns. */
    size_t (*columns_of)(void *self, str table, const str **ret_columns);
    void *self;
    /* The table's entry in the configuration, a dict, or UNDEFINED. Read here: sort, sort_desc, size, sortable_columns,
     * facets, facet_size, fts_table, fts_pk, searchmode. Anything of a wrong type is ignored. */
    struct value config;
};

struct query_settings {
    int64_t default_page_size;  /* rows */
    int64_t max_returned_rows;  /* rows */
    int64_t default_facet_size; /* values */
    bool allow_facet;
    bool suggest_facets;
};

struct query_request {
    struct args args;
    str raw;    /* the query string as received, without '?' */
    str path;   /* the path as received: percent- or tilde-encoded, with base_url and .format */
    str origin; /* "http://host": put before absolute links */
    /* Put before `path` in links that Datasette makes with its urls.path(): its base_url without the last slash, "" for
     * "/". Datasette thus doubles the prefix of a prefixed request (`/p/p/db/t`); pass "" to get `/p/db/t`. */
    str prefix;
    bool may_execute_sql; /* the actor may use `_where` */
    str next;             /* overrides `_next` when not empty: the second and later pages of a CSV stream */
};

#endif
