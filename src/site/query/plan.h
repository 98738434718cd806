/* SPDX-License-Identifier: Apache-2.0 */
/* query/plan: everything about one table page that follows from its arguments and its table: SQL, bindings, texts.
 *
 * Pure: no I/O, no clock, no globals; the same input gives the same plan. All memory comes from the arena given;
 * strings may also point into the table and the request, which must outlive the plan. Any thread, one arena each.
 *
 * What the caller does with it: show `sql`, run `stable_sql` with `params` (at most page_size + 1 rows come back: show
 * page_size of them), hand the last row shown to query_next(), run count_sql and the facets (facets.h) when wanted. */
#ifndef VITRINE_SITE_QUERY_PLAN_H
#define VITRINE_SITE_QUERY_PLAN_H

#include "site/query/table.h"

/* A named binding. value.kind is STR, BYTES, INT, FLOAT, BOOL (bind as 0/1) or NONE. */
struct query_param {
    str name; /* without ':' */
    struct value value;
};

struct query_where {
    str text;       /* one `_where`, as given */
    str remove_url; /* path?query without it */
};

struct query_selection;

#define QUERY_SAMPLE     "_sample" /* parameter of sampled_sql */
#define QUERY_FIRST_ROWS 5000      /* of first_sql: some 10 ms */

struct query_plan {
    const struct query_table *table;
    const struct query_settings *settings;
    const struct query_request *request;

    str sql; /* select COLUMNS from TABLE where ... order by ... limit PAGE_SIZE+1 [offset N] */
    /* What to run: `sql`, but with ties of the first sorted page in key order too, so that no row is repeated or missed
     * on the way to the second (docs/internals/query.md). Elsewhere the same text. */
    str stable_sql;
    /* Searches come in the order of rowids out of their index. When the page wants that order, or none, this reads no
     * further than it shows, where `stable_sql` first collects every match. Empty = run stable_sql. */
    str search_sql;
    str rows_sql;  /* facet_sql, or the same rows in that cheaper way: for looking at the first of them */
    str facet_sql; /* the same rows without order and limit, all columns: what facets are counted over */
    /* facet_sql over a part of the rows: those with the rowids of the JSON list bound to QUERY_SAMPLE (empty: the table
     * has none), and the first QUERY_FIRST_ROWS that match. */
    str sampled_sql, first_sql;
    str count_sql; /* "select count(*) from T where ... ": without the page's own condition; keeps its trailing space */
    str from_sql;  /* "from T where ... ": the tail of count_sql */
    str found_from_sql;               /* the same rows in the way of search_sql; empty = none */
    const struct query_param *params; /* for sql and facet_sql, in the order they came up */
    size_t param_count;
    size_t count_param_count; /* count_sql and from_sql use the first so many of params */

    const str *columns; /* names of the columns of `sql`: rowid first for rowid tables */
    size_t column_count;
    const str *facet_columns; /* likewise of facet_sql */
    size_t facet_column_count;

    int64_t page_size;    /* rows to show; may be 0 */
    bool paged;           /* not the first page */
    int64_t offset;       /* views: rows skipped before this page */
    int64_t timelimit_ms; /* `_timelimit`; 0 = not given */
    str sort, sort_desc;  /* effective: from the request, else the configuration; at most one is set */
    /* When the sort column is not among `columns`, one more statement gives its value for query_next(): bind :pk0,
     * :pk1.. with the key columns of the last row shown. Empty otherwise. */
    str sort_lookup_sql;

    bool supports_search;
    str search;    /* what to show in the search box */
    str fts_table; /* empty = none */
    const struct query_where *wheres;
    size_t where_count;
    const struct arg *form_hidden_args; /* options the filter form must carry along */
    size_t form_hidden_arg_count;
    const struct query_selection *selections; /* filters.h: for the filter form, in canonical order */
    size_t selection_count;
    str human; /* human_description_en: "where state = \"CA\" sorted by pk"; may be empty */

    bool no_count, no_facet, no_suggest; /* as the arguments and `_shape` say */
};

/* Fails with INVALID (wrong argument; text as Datasette has it where it has one), FORBIDDEN (`_where`). Redirects
 * (redirect.h) come before it. */
enum status query_plan_table(struct arena *a, const struct query_table *table, const struct query_settings *settings,
                             const struct query_request *request, const struct query_plan **ret_plan,
                             struct err *err) MUST_USE;

/* May the page be sorted by this column (config sortable_columns, else all columns and rowid)? */
bool query_sortable(const struct query_table *table, str column);
/* "select 1 FROM limit N": one row for each row to count, no more than `limit`. */
str query_count_sql_limited(struct arena *a, const struct query_plan *plan, int64_t limit);

/* An identifier as SQL text: bare when it is a plain word and not reserved, else in double quotes. */
str query_identifier(struct arena *a, str name);
/* An identifier in double quotes, always. */
str query_quoted(struct arena *a, str name);

/* ---- for the files of this folder: a plan being made ---- */

struct query_draft {
    struct arena *a;
    const struct query_table *table;
    const struct query_request *request;
    VEC(str) where; /* conditions, joined by " and " */
    VEC(str) human; /* descriptions of searches and throughs; column filters come after them */
    VEC(struct query_param) params;
    VEC(struct query_where) wheres;
    struct query_selection *selections;
    size_t selection_count;
    str fts_table, search;
    str found_sql;      /* gives the rowids of a search as QUERY_FOUND; empty = none */
    size_t found_where; /* its condition in `where` */
    str page_param;     /* ":p3": key of the last row of the page before, when it is one value; empty = first page */
};

#define QUERY_FOUND "\"_found\""

/* Sets a parameter; one of the same name is replaced in place. */
void query_draft_param(struct query_draft *d, str name, struct value value);
/* Adds the next free :pN and returns it with its colon (":p3"). */
str query_draft_next_param(struct query_draft *d, struct value value);
/* parts[0] separator parts[1] ...; "" for none. */
str query_join(struct arena *a, const str *parts, size_t count, str separator);
/* A value as Python's json.dumps() writes it. */
str query_json(struct arena *a, struct value v);

#endif
