/* SPDX-License-Identifier: Apache-2.0 */
/* Identifiers as SQL text. Tests: tests/unit/site/query/test_columns.c. */
#include "codec/names.h"
#include "site/query/plan.h"

str query_quoted(struct arena *a, str name)
{
    return name_quoted(a, name);
}

str query_identifier(struct arena *a, str name)
{
    return name_is_bare(name) ? name : query_quoted(a, name);
}

str query_join(struct arena *a, const str *parts, size_t count, str separator)
{
    if (count == 0)
        return STR("");
    str *all = ARENA_ARRAY(a, str, count * 2 - 1);
    for (size_t i = 0; i < count; i++) {
        all[i * 2] = parts[i];
        if (i + 1 < count)
            all[i * 2 + 1] = separator;
    }
    return arena_concat(a, all, count * 2 - 1);
}
