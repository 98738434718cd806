/* SPDX-License-Identifier: Apache-2.0 */
#include "site/extras.h"

#include "codec/url.h"
#include "site/extra_blocks.h"
#include "site/links.h"

enum { EXTRA_TABLE_ROW = EXTRA_TABLE | EXTRA_ROW, EXTRA_ALL = EXTRA_TABLE_ROW | EXTRA_QUERY };
static const struct extra {
    const char *name;
    unsigned scopes;
    const char *description;
    struct value (*fn)(struct extra_context *c);
} extras[] = {
#define X(name, scopes, description) {#name, EXTRA_##scopes, description, extra_block_##name},
#include "site/tbl/extras.h"
#undef X
};

static const struct extra *find(str name, enum extra_scope scope)
{
    for (size_t i = 0; i < ARRAY_LEN(extras); i++)
        if (str_is(name, extras[i].name) && (extras[i].scopes & scope))
            return &extras[i];
    return NULL;
}

/* Keys that every table answer has anyway. They are no extras, so asking for nothing else is refused as Datasette does;
 * beside an extra they are accepted, because the released script of datasette-cluster-map asks for "count,next_url". */
static bool always_there(str name, enum extra_scope scope)
{
    return scope == EXTRA_TABLE && (str_is(name, "next") || str_is(name, "next_url"));
}

static bool has_name(struct value names, str name)
{
    for (size_t i = 0; i < value_count(names); i++)
        if (str_eq(value_at(names, i).s, name))
            return true;
    return false;
}

void extras_imply(struct extra_context *c, str name)
{
    if (!has_name(c->names, name))
        value_push(c->names, value_str(name));
}

struct value extra_block_extras(struct extra_context *c)
{
    struct request *rq = c->rq;
    struct arena *a = rq->arena;
    struct value list = value_list(a);
    for (size_t i = 0; i < ARRAY_LEN(extras); i++) {
        if (!(extras[i].scopes & c->scope))
            continue;
        str name = str_of(extras[i].name);
        bool selected = has_name(c->names, name);
        const struct url_pair pair = {STR("_extra"), name};
        str path = link_path(rq, rq->path);
        str toggled = selected ? url_with_removed(a, path, rq->query_string, &pair, 1)
                               : url_with_added(a, path, rq->query_string, &pair, 1);
        struct value d = value_dict(a);
        VALUE_SET(d, "name", value_str(name));
        VALUE_SET(d, "description", value_cstr(extras[i].description));
        VALUE_SET(d, "toggle_url", value_str(request_absolute_url(rq, toggled)));
        VALUE_SET(d, "selected", value_bool(selected));
        value_push(list, d);
    }
    return list;
}

static enum status unknown_extra(str name, struct err *err)
{
    err_set(err, STATUS_INVALID, "Unknown _extra: %.*s", STR_ARG(name));
    return err_hint(err, "Ask for ?_extra=extras to see the names.");
}

enum status extras_parse(struct request *rq, enum extra_scope scope, struct value *ret_names, struct err *err)
{
    const struct arg *first;
    size_t n = args_all(&rq->args, STR("_extra"), &first);
    struct value names = value_list(rq->arena);
    str needless = {0};
    for (size_t i = 0; i < n; i++) {
        str rest = first[i].value, name;
        while (rest.n) {
            str_cut(rest, ',', &name, &rest);
            if (always_there(name, scope))
                needless = name;
            else if (name.n && !find(name, scope))
                return unknown_extra(name, err);
            else if (name.n && !has_name(names, name))
                value_push(names, value_str(name));
        }
    }
    if (needless.n && !value_count(names))
        return unknown_extra(needless, err);
    *ret_names = names;
    return STATUS_OK;
}

static enum status prepare(struct extra_context *c, str name, struct err *err)
{
    bool facets =
        str_is(name, "facet_results") || str_is(name, "facets_timed_out") || str_is(name, "sorted_facet_results");
    return facets && c->page ? table_page_facets(c->page, err) : STATUS_OK;
}

enum status extras_add(struct extra_context *c, str name, struct value out, struct err *err)
{
    const struct extra *x = find(name, c->scope);
    if (!x)
        return STATUS_OK;
    enum status st = prepare(c, name, err);
    if (st == STATUS_OK)
        value_set(out, str_of(x->name), x->fn(c));
    return st;
}

struct value extras_get(struct extra_context *c, const char *name)
{
    const struct extra *x = find(str_of(name), c->scope);
    return x && prepare(c, str_of(name), NULL) == STATUS_OK ? x->fn(c) : VALUE_UNDEF;
}
