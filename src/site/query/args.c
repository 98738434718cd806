/* SPDX-License-Identifier: Apache-2.0 */
/* The ordered multi-map of query arguments. A query string has few pairs: look-ups are linear scans; only the grouping
 * at parse time, which would be quadratic, goes through a small hash table. Tests: test_args.c. */
#include "site/query/args.h"

#include "base/limits.h"
#include "codec/url.h"

/* items[] grouped by key, groups in order of their first pair. Cost O(n). */
static const struct arg *group(struct arena *a, const struct arg *pairs, size_t count)
{
    size_t slots = 16;
    while (slots < count * 2)
        slots *= 2;
    uint32_t *table = ARENA_ARRAY(a, uint32_t, slots); /* group number + 1 */
    uint32_t *group_of = ARENA_ARRAY(a, uint32_t, count);
    uint32_t *first = ARENA_ARRAY(a, uint32_t, count); /* first pair of a group */
    size_t *start = ARENA_ARRAY(a, size_t, count + 1);
    uint32_t groups = 0;
    for (size_t i = 0; i < count; i++) {
        size_t at = str_hash(pairs[i].key) & (slots - 1);
        while (table[at] && !str_eq(pairs[first[table[at] - 1]].key, pairs[i].key))
            at = (at + 1) & (slots - 1);
        if (!table[at]) {
            first[groups] = (uint32_t)i;
            table[at] = ++groups;
        }
        group_of[i] = table[at] - 1;
        start[group_of[i] + 1]++;
    }
    for (size_t g = 0; g < groups; g++)
        start[g + 1] += start[g];
    struct arg *items = ARENA_ARRAY(a, struct arg, count);
    for (size_t i = 0; i < count; i++)
        items[start[group_of[i]]++] = pairs[i];
    return items;
}

enum status args_parse(struct arena *a, str raw, struct args *ret, struct err *err)
{
    struct url_pair *pairs;
    size_t count;
    if (!url_parse_query(a, raw, LIMIT_QUERY_ARGS, &pairs, &count))
        return err_set(err, STATUS_INVALID, "The query string has more than %d arguments", LIMIT_QUERY_ARGS);
    struct arg *items = ARENA_ARRAY(a, struct arg, count + 1);
    for (size_t i = 0; i < count; i++)
        items[i] = (struct arg){pairs[i].key, pairs[i].value.p ? pairs[i].value : STR("")};
    *ret = (struct args){group(a, items, count), count};
    return STATUS_OK;
}

str args_get(const struct args *args, str key)
{
    const struct arg *first;
    return args_all(args, key, &first) ? first->value : (str){NULL, 0};
}

bool args_has(const struct args *args, str key)
{
    const struct arg *first;
    return args_all(args, key, &first) > 0;
}

size_t args_all(const struct args *args, str key, const struct arg **ret_first)
{
    for (size_t i = 0; i < args->count; i++) {
        if (str_eq(args->items[i].key, key)) {
            *ret_first = &args->items[i];
            return args_next_key(args, i) - i;
        }
    }
    *ret_first = NULL;
    return 0;
}

size_t args_next_key(const struct args *args, size_t i)
{
    size_t j = i;
    while (j < args->count && str_eq(args->items[j].key, args->items[i].key))
        j++;
    return j;
}

bool args_is_special(str key)
{
    return str_starts(key, STR("_")) && str_find(key, STR("__")) == STR_NPOS;
}

bool args_boolean(str text, bool *ret)
{
    static const struct {
        const char *word;
        bool is;
    } words[] = {{"on", true}, {"off", false}, {"true", true}, {"false", false}, {"1", true}, {"0", false}};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (str_eq_nocase(text, str_of(words[i].word))) {
            *ret = words[i].is;
            return true;
        }
    }
    return false;
}

bool args_integer(str text, int64_t *ret)
{
    text = str_trim(text);
    bool negative = str_starts(text, STR("-"));
    if (negative || str_starts(text, STR("+")))
        text = str_from(text, 1);
    if (text.n == 0)
        return false;
    int64_t value = 0; /* kept negative: INT64_MIN has no positive twin */
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '_' && i > 0 && i + 1 < text.n && text.p[i - 1] != '_')
            continue;
        if (c < '0' || c > '9')
            return false;
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_sub_overflow(value, c - '0', &value))
            value = INT64_MIN;
    }
    *ret = negative ? value : value == INT64_MIN ? INT64_MAX : -value;
    return true;
}
