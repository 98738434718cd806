/* SPDX-License-Identifier: Apache-2.0 */
/* `_where`: conditions written in SQL, for actors who may run SQL anyway. Each can be taken away by a link.
 * Tests: test_filters.c. */
#include "site/query/filters.h"
#include "site/query/links.h"

enum status query_where_apply(struct query_draft *d, struct err *err)
{
    const struct arg *first;
    size_t count = args_all(&d->request->args, STR("_where"), &first);
    if (count && !d->request->may_execute_sql)
        return err_set(err, STATUS_FORBIDDEN, "_where= is not allowed");
    for (size_t i = 0; i < count; i++) {
        VEC_PUSH(d->a, &d->where, first[i].value);
        VEC_PUSH(
            d->a, &d->wheres,
            (struct query_where){first[i].value, query_link_removed(d->a, d->request, STR("_where"), first[i].value)});
    }
    return STATUS_OK;
}
