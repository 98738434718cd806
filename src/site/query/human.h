/* SPDX-License-Identifier: Apache-2.0 */
/* query/human: "where a and b sorted by c": the page in words. */
#ifndef VITRINE_SITE_QUERY_HUMAN_H
#define VITRINE_SITE_QUERY_HUMAN_H

#include "site/query/plan.h"
#include "site/query/sort.h"

/* Searches and throughs (d->human) first, then the column filters, then the order. May be empty. */
str query_human(const struct query_draft *d, const struct query_sort *sort);

#endif
