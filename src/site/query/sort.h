/* SPDX-License-Identifier: Apache-2.0 */
/* query/sort: `_sort`, `_sort_desc` and the configured order -> ORDER BY. */
#ifndef VITRINE_SITE_QUERY_SORT_H
#define VITRINE_SITE_QUERY_SORT_H

#include "site/query/table.h"

struct query_sort {
    str sort, sort_desc; /* at most one is set */
    str order_by;        /* without "order by"; empty = none */
    str order_by_pks;    /* the tie-breaker, added from the second page on */
};

/* INVALID "Cannot sort table by X", "Cannot use _sort and _sort_desc at the same time". */
enum status query_sort(struct arena *a, const struct query_table *table, const struct query_request *request,
                       struct query_sort *ret, struct err *err) MUST_USE;

#endif
