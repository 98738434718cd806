/* SPDX-License-Identifier: Apache-2.0 */
/* Identifiers as SQL text. Tests: tests/unit/site/query/test_columns.c. */
#include "codec/names.h"
#include "site/query/plan.h"

str query_quoted(struct arena *a, str name)
{
    size_t quotes = 0;
    for (size_t i = 0; i < name.n; i++)
        quotes += name.p[i] == '"';
    char *out = arena_alloc_raw(a, name.n + quotes + 2), *to = out;
    *to++ = '"';
    for (size_t i = 0; i < name.n; i++) {
        *to++ = name.p[i];
        if (name.p[i] == '"')
            *to++ = '"';
    }
    *to++ = '"';
    return str_make(out, (size_t)(to - out));
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
