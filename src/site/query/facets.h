/* SPDX-License-Identifier: Apache-2.0 */
/* query/facets: which facets to count, with what SQL, what each value links to, and which facets to suggest. */
#ifndef VITRINE_SITE_QUERY_FACETS_H
#define VITRINE_SITE_QUERY_FACETS_H

#include "site/query/plan.h"

/* A count in a sample, scaled to the whole and rounded to two digits: it says no more than it knows. At least 1. */
int64_t query_facet_estimate(int64_t count, double factor);

enum query_facet_kind { QUERY_FACET_COLUMN, QUERY_FACET_DATE, QUERY_FACET_ARRAY };
const char *query_facet_type(enum query_facet_kind kind);   /* "column", "date", "array" */
const char *query_facet_option(enum query_facet_kind kind); /* "_facet", "_facet_date", "_facet_array" */

struct query_facet {
    enum query_facet_kind kind;
    str column;
    str asked;       /* the argument that asked for it, as given: the column, or JSON that names it */
    str option;      /* the option it came with: "_facet", "_facet_date", .. */
    str key;         /* key in the result dictionary: column, or column_2 .. when taken */
    bool hideable;   /* false: from the configuration */
    str sql;         /* gives value, count; at most facet_size + 1 rows; bind plan->params */
    str sampled_sql; /* likewise over plan->sampled_sql; empty when there is none */
    str first_sql;   /* likewise over plan->first_sql */
    str toggle_url;  /* a path: the page without this facet */
};

struct query_facets {
    struct query_facet *items; /* in order of results: column, date, array; in each configured ones first */
    size_t count;
    int64_t size; /* values to show; one row more = truncated */
};

/* None when the plan says no_facet. Configured facets of columns that do not exist (any more) are left out: a visitor
 * cannot mend them. INVALID: an unknown column asked for, a JSON facet without column. (Facets that are not allowed at
 * all are refused by query_plan_table.) */
enum status query_facets(struct arena *a, const struct query_plan *plan, struct query_facets *ret,
                         struct err *err) MUST_USE;

struct query_facet_value {
    struct value value; /* as shown: array facets give text */
    bool selected;
    str toggle_url; /* absolute: adds or removes the filter */
};
/* value: first column of a row of facet->sql. */
void query_facet_value(struct arena *a, const struct query_plan *plan, const struct query_facet *facet,
                       struct value value, struct query_facet_value *ret);

/* Order for display (sorted_facet_results): configured first in their order, others by (number of values, name)
 * descending. value_counts[i] belongs to facets->items[i]; order receives facets->count indexes. */
void query_facets_order(struct arena *a, const struct query_plan *plan, const struct query_facets *facets,
                        const size_t *value_counts, size_t *order);
/* Values a facet shows: `_facet_size`, else the configured facet_size, else the default; at most max_returned_rows. */
int64_t query_facet_size(const struct query_plan *plan);

struct query_suggestion {
    enum query_facet_kind kind;
    str column;
    str sql;        /* the probe; a failing or late one means "do not suggest" */
    str sample_sql; /* array only: the second probe, run when the first accepts */
};
struct query_suggestions {
    struct query_suggestion *items; /* candidates: all column ones, then date, then array */
    size_t count;
    int64_t facet_size;
    str row_count_sql; /* rows considered, for when the count of the page is not known */
};
/* `on`: the facets in force, not suggested again. Empty when suggestions are off (settings, `_nosuggest`, `_nofacet`,
 * `_next`). The probes bind plan->params. */
void query_suggestions(struct arena *a, const struct query_plan *plan, const struct query_facets *on,
                       struct query_suggestions *ret);
/* Absolute: the page with this facet. Few candidates are suggested, so few need it. */
str query_suggestion_url(struct arena *a, const struct query_plan *plan, const struct query_suggestion *s);

/* column probe: rows are (value, n). distinct: rows seen; repeated: some n > 1; row_count: count of the page. */
bool query_suggest_column(size_t distinct, bool repeated, int64_t row_count, int64_t facet_size);
/* date probe: rows are (date or NULL); suggest when one is neither NULL nor empty. */
bool query_suggest_date(struct value date);
/* array probe, first step: rows are (json_type); types: the distinct values, "" standing for NULL. */
bool query_suggest_array_types(const str *types, size_t count);
/* array probe, second step: every sample (at least one) must be a JSON array of strings only. */
bool query_suggest_array_sample(struct arena *a, str json);

#endif
