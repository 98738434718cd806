/* SPDX-License-Identifier: Apache-2.0 */
/* query/page: page size, the condition that starts a later page, and the token of the next one. */
#ifndef VITRINE_SITE_QUERY_PAGE_H
#define VITRINE_SITE_QUERY_PAGE_H

#include "site/query/plan.h"
#include "site/query/sort.h"

/* A size argument (of pages here, of lists elsewhere): blank = fallback, "max" = maximum. INVALID "NAME must be a
 * positive integer" or "NAME must be <= N". */
enum status query_size(str text, const char *name, int64_t fallback, int64_t maximum, int64_t *ret,
                       struct err *err) MUST_USE;

/* `_size`, else the configured size, else the default; never more than max_returned_rows. */
enum status query_page_size(const struct query_table *table, const struct query_settings *settings,
                            const struct args *args, int64_t *ret, struct err *err) MUST_USE;

/* Appends the keyset condition of `_next` (or sets *ret_offset for a view; INVALID when that is no integer). A token
 * that does not fit the key is ignored, on a sorted page INVALID. *ret_paged: a condition or offset is in force. */
enum status query_page_apply(struct query_draft *d, const struct query_sort *sort, bool *ret_paged, int64_t *ret_offset,
                             struct err *err) MUST_USE;

struct query_next {
    bool has;  /* there is a next page */
    str token; /* value of `_next` */
    str url;   /* absolute */
};

/* row_count: rows that `plan->sql` gave (page_size + 1 when there are more). last: the cells of row number page_size -
 * 1 in the order of plan->columns, unexpanded; used only when there is a next page. sort_value: result of
 * plan->sort_lookup_sql, else ignored. */
void query_next(struct arena *a, const struct query_plan *plan, int64_t row_count, const struct value *last,
                struct value sort_value, struct query_next *ret);

/* The path of a row, "a~2Fb,c": keys tilde-encoded, joined by commas. */
str query_row_path(struct arena *a, const struct value *keys, size_t count);

#endif
