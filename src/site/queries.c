/* SPDX-License-Identifier: Apache-2.0 */
#include "site/queries.h"

#include <stdlib.h>

#include "site/kept.h"

static bool in_config(const struct request *rq, str db, str name)
{
    struct value q = value_get(config_queries(&rq->site->config, db), name);
    return value_is_text(q) || q.kind == VALUE_DICT;
}

bool queries_exists(const struct request *rq, str db, str name)
{
    str owner;
    bool is_private;
    return in_config(rq, db, name) || kept_query_owner(rq->site->kept, rq->arena, db, name, &owner, &is_private);
}

static struct value or_null(struct value v)
{
    return v.kind == VALUE_UNDEFINED ? VALUE_NULL : v;
}

/* "params" is a list of names or an object of default values. */
static struct value parameters(struct arena *a, struct value q)
{
    struct value p = VALUE_GET(q, "params"), list = value_list(a);
    if (p.kind == VALUE_LIST)
        return p;
    for (size_t i = 0; p.kind == VALUE_DICT && i < p.dict->count; i++)
        value_push(list, value_str(p.dict->entries[i].key));
    return list;
}

static bool flag(struct value q, const char *key, bool fallback)
{
    struct value v = value_get(q, str_of(key));
    return v.kind == VALUE_UNDEFINED ? fallback : value_truth(v);
}

/* One that a visitor stored, with the keys in the order of the API. */
static struct value stored(struct request *rq, str db, str name)
{
    static const char *const keys[] = {"sql",
                                       "title",
                                       "description",
                                       "description_html",
                                       "hide_sql",
                                       "fragment",
                                       "parameters",
                                       "is_write",
                                       "is_private",
                                       "is_trusted",
                                       "source",
                                       "owner_id",
                                       "on_success_message",
                                       "on_success_message_sql",
                                       "on_success_redirect",
                                       "on_error_message",
                                       "on_error_redirect"};
    struct value q = kept_query(rq->site->kept, rq->arena, db, name), d = value_dict(rq->arena);
    if (q.kind != VALUE_DICT)
        return VALUE_UNDEF;
    VALUE_SET(d, "database", value_str(db));
    VALUE_SET(d, "name", value_str(name));
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        value_set(d, str_of(keys[i]), or_null(value_get(q, str_of(keys[i]))));
    VALUE_SET(d, "private",
              value_bool(value_truth(VALUE_GET(q, "is_private")) || request_private(rq, ACTION_VIEW_QUERY, db, name)));
    return d;
}

struct value queries_get(struct request *rq, str db, str name)
{
    static const char *const texts[] = {"title", "description", "description_html"};
    static const char *const outcomes[] = {"on_success_message", "on_success_message_sql", "on_success_redirect",
                                           "on_error_message", "on_error_redirect"};
    struct arena *a = rq->arena;
    struct value q = value_get(config_queries(&rq->site->config, db), name), d = value_dict(a);
    if (!in_config(rq, db, name))
        return stored(rq, db, name);
    VALUE_SET(d, "database", value_str(db));
    VALUE_SET(d, "name", value_str(name));
    VALUE_SET(d, "sql", value_is_text(q) ? q : VALUE_GET(q, "sql"));
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        value_set(d, str_of(texts[i]), or_null(value_get(q, str_of(texts[i]))));
    VALUE_SET(d, "hide_sql", value_bool(flag(q, "hide_sql", false)));
    VALUE_SET(d, "fragment", or_null(VALUE_GET(q, "fragment")));
    VALUE_SET(d, "parameters", parameters(a, q));
    VALUE_SET(d, "is_write", value_bool(flag(q, "write", false)));
    VALUE_SET(d, "is_private", value_bool(false));
    VALUE_SET(d, "is_trusted", value_bool(flag(q, "is_trusted", true)));
    VALUE_SET(d, "source", value_cstr("config"));
    VALUE_SET(d, "owner_id", VALUE_NULL);
    for (size_t i = 0; i < ARRAY_LEN(outcomes); i++)
        value_set(d, str_of(outcomes[i]), or_null(value_get(q, str_of(outcomes[i]))));
    VALUE_SET(d, "private", value_bool(request_private(rq, ACTION_VIEW_QUERY, db, name)));
    return d;
}

static int by_title(const void *x, const void *y)
{
    const struct value *a = x, *b = y;
    str p = VALUE_GET(*a, "title").kind == VALUE_STR ? VALUE_GET(*a, "title").s : VALUE_GET(*a, "name").s;
    str q = VALUE_GET(*b, "title").kind == VALUE_STR ? VALUE_GET(*b, "title").s : VALUE_GET(*b, "name").s;
    return str_cmp_nocase(p, q); /* as lower() of SQLite: ASCII */
}

struct value queries_visible(struct request *rq, str db)
{
    struct arena *a = rq->arena;
    struct value all = config_queries(&rq->site->config, db), list = value_list(a);
    for (size_t i = 0; all.kind == VALUE_DICT && i < all.dict->count; i++)
        if (request_allowed(rq, ACTION_VIEW_QUERY, db, all.dict->entries[i].key))
            value_push(list, queries_get(rq, db, all.dict->entries[i].key));
    struct value kept = kept_queries(rq->site->kept, a, db);
    for (size_t i = 0; i < value_count(kept); i++) {
        str name = kept.dict->entries[i].key;
        if (!in_config(rq, db, name) && request_allowed(rq, ACTION_VIEW_QUERY, db, name))
            value_push(list, stored(rq, db, name));
    }
    if (value_count(list))
        qsort(list.list->items, list.list->count, sizeof *list.list->items, by_title);
    return list;
}

str queries_default(const struct request *rq, str db, str query, str parameter)
{
    struct value q = value_get(config_queries(&rq->site->config, db), query);
    struct value v = value_get(VALUE_GET(q, "params"), parameter);
    return value_is_null(v) ? (str){0} : value_to_str(rq->arena, v);
}
