/* SPDX-License-Identifier: Apache-2.0 */
/* Links to the same page with other arguments. Tests: test_page.c, test_facets.c, test_redirect.c. */
#include "site/query/links.h"

#include "base/limits.h"
#include "codec/url.h"

struct pairs {
    VEC(struct url_pair) v;
};

/* Current pairs that are not blank, as the reference's parser sees them. A query string that args_parse refused has
 * none. */
static struct pairs current(struct arena *a, const struct query_request *r)
{
    struct url_pair *raw;
    size_t count;
    struct pairs out = {0};
    if (!url_parse_query(a, r->raw, LIMIT_QUERY_ARGS, &raw, &count))
        return out;
    for (size_t i = 0; i < count; i++)
        if (raw[i].value.n)
            VEC_PUSH(a, &out.v, raw[i]);
    return out;
}

static str address(struct arena *a, const struct query_request *r, const struct pairs *p)
{
    if (p->v.count == 0)
        return r->path;
    return ARENA_CAT(a, r->path, STR("?"), url_encode(a, p->v.items, p->v.count));
}

static bool names(const struct arg *list, size_t count, str key, bool only_removed)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(list[i].key, key) && (!only_removed || !list[i].value.p))
            return true;
    return false;
}

static str rewritten(struct arena *a, const struct query_request *r, const struct arg *list, size_t count,
                     bool only_removed)
{
    struct pairs now = current(a, r), out = {0};
    for (size_t i = 0; i < now.v.count; i++)
        if (!names(list, count, now.v.items[i].key, only_removed))
            VEC_PUSH(a, &out.v, now.v.items[i]);
    for (size_t i = 0; i < count; i++)
        if (list[i].value.p)
            VEC_PUSH(a, &out.v, (struct url_pair){list[i].key, list[i].value});
    return address(a, r, &out);
}

str query_link_changed(struct arena *a, const struct query_request *r, const struct arg *changes, size_t count)
{
    return rewritten(a, r, changes, count, true);
}

str query_link_replaced(struct arena *a, const struct query_request *r, const struct arg *set, size_t count)
{
    return rewritten(a, r, set, count, false);
}

str query_link_added(struct arena *a, const struct query_request *r, str key, str value)
{
    struct arg one = {key, value.p ? value : STR("")};
    return query_link_changed(a, r, &one, 1);
}

str query_link_removed(struct arena *a, const struct query_request *r, str key, str value)
{
    struct pairs now = current(a, r), out = {0};
    for (size_t i = 0; i < now.v.count; i++)
        if (!str_eq(now.v.items[i].key, key) || !str_eq(now.v.items[i].value, value))
            VEC_PUSH(a, &out.v, now.v.items[i]);
    return address(a, r, &out);
}

str query_link_path(struct arena *a, const struct query_request *r, str link)
{
    return ARENA_CAT(a, r->prefix, link);
}

str query_link_absolute(struct arena *a, const struct query_request *r, str link, bool prefixed)
{
    return ARENA_CAT(a, r->origin, prefixed ? r->prefix : STR(""), link);
}
