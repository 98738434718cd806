/* SPDX-License-Identifier: Apache-2.0 */
/* The page in words, for its title and heading. Tests: test_filters.c and the recorded pages in test_recorded.c. */
#include "site/query/human.h"

#include "site/query/filters.h"

str query_human(const struct query_draft *d, const struct query_sort *sort)
{
    struct arena *a = d->a;
    VEC(str) bits = {0};
    for (size_t i = 0; i < d->human.count; i++)
        VEC_PUSH(a, &bits, d->human.items[i]);
    for (size_t i = 0; i < d->selection_count; i++) {
        str text;
        if (query_selection_human(a, &d->selections[i], &text))
            VEC_PUSH(a, &bits, text);
    }
    str where = STR("");
    if (bits.count == 1)
        where = ARENA_CAT(a, STR("where "), bits.items[0]);
    else if (bits.count)
        where = ARENA_CAT(a, STR("where "), query_join(a, bits.items, bits.count - 1, STR(", ")), STR(" and "),
                          bits.items[bits.count - 1]);
    if (sort->sort.n == 0 && sort->sort_desc.n == 0)
        return where;
    return ARENA_CAT(a, where, where.n ? STR(" ") : STR(""), STR("sorted by "),
                     sort->sort.n ? sort->sort : sort->sort_desc, sort->sort_desc.n ? STR(" descending") : STR(""));
}
