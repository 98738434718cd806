/* SPDX-License-Identifier: Apache-2.0 */
/* table_page: everything fetched for one table page, in the order it is needed: plan, rows, labels, next page, count,
 * facets. */
#ifndef VITRINE_SITE_TABLE_PAGE_H
#define VITRINE_SITE_TABLE_PAGE_H

#include "site/fetch.h"
#include "site/query/facets.h"
#include "site/query/page.h"

struct table_page {
    struct request *rq;
    const struct schema_table *table;
    struct value config; /* of this table; DICT or UNDEFINED */
    struct query_table query_table;
    struct query_settings query_settings;
    struct query_request query_request;
    const struct query_plan *plan;
    struct rowset rows; /* page_size + 1 rows when there are more */
    size_t row_count;   /* rows to show */
    /* Set before the fetch by who writes rows at once and keeps none: called for each row to show, the only one of
     * `rows` then; afterwards `rows` has none. Without labels only. */
    void (*each)(void *arg);
    void *each_arg;
    size_t handed; /* rows fetched that way, one more than shown included */
    struct query_next next;
    const str *labels_only; /* _label; NULL with labels_on = all */
    size_t labels_only_count;
    bool labels_on;
    bool count_known;       /* count has been asked for */
    int64_t count;          /* -1 = not in time or _nocount */
    bool count_truncated;   /* at least so many */
    int64_t count_estimate; /* then: the exact figure of older data; -1 = none */
    bool may_vary;          /* time or chance decide: nothing is kept */
    bool facets_known;
    struct value facet_results; /* {"results": {...}, "timed_out": [...]} */
    struct value facets_sorted; /* LIST of the same dicts in display order */
    struct value facets_timed_out;
    struct value facets_awaited; /* those of them that a later page shows */
};

/* Fills what the planner needs; does not run anything. */
enum status table_page_init(struct table_page *p, struct request *rq, const struct schema_table *t,
                            struct err *err) MUST_USE;
/* Plans and runs the page; `labels_default`: expand foreign keys when _labels does not say. */
enum status table_page_fetch(struct table_page *p, bool labels_default, struct err *err) MUST_USE;
/* Once each; later calls are free. */
void table_page_count(struct table_page *p);
enum status table_page_facets(struct table_page *p, struct err *err) MUST_USE;
struct value table_page_suggested(struct table_page *p);

#endif
