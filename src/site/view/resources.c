/* SPDX-License-Identifier: Apache-2.0 */
#include "site/view/resources.h"

#include <stdlib.h>

#include "base/utf8.h"
#include "site/kept.h"
#include "site/render/page.h"
#include "site/tables.h"

struct collected {
    VEC(struct resource) items;
};

static int by_parent_and_child(const void *x, const void *y)
{
    const struct resource *a = x, *b = y;
    int order = str_cmp(a->parent, b->parent);
    return order ? order : str_cmp(a->child, b->child);
}

static int by_name(const void *x, const void *y)
{
    const struct published *const *a = x, *const *b = y;
    return str_cmp((*a)->name, (*b)->name);
}

struct published **published_by_name(struct request *rq)
{
    const struct site *s = rq->site;
    struct published **order = ARENA_ARRAY(rq->arena, struct published *, s->published_count + 1);
    memcpy(order, s->published, s->published_count * sizeof *order);
    qsort(order, s->published_count, sizeof *order, by_name);
    return order;
}

static enum status add_tables(struct request *rq, struct published *p, struct collected *c, struct err *err)
{
    rq->db = p;
    enum status st = request_connect(rq, err);
    for (size_t i = 0; st == STATUS_OK && i < rq->schema->table_count; i++) {
        const struct schema_table *t = &rq->schema->tables[i];
        if (!table_source_allowed(rq, t))
            continue;
        struct resource r = {p->name, arena_str(rq->arena, t->name), t->kind == SCHEMA_VIEW};
        VEC_PUSH(rq->arena, &c->items, r);
    }
    request_disconnect(rq);
    rq->db = NULL;
    return st == STATUS_CANCELLED ? st : STATUS_OK;
}

static void add_queries(struct request *rq, struct published *p, struct collected *c)
{
    struct value queries = config_queries(&rq->site->config, p->name);
    for (size_t i = 0; queries.kind == VALUE_DICT && i < queries.dict->count; i++) {
        struct resource r = {p->name, queries.dict->entries[i].key, false};
        VEC_PUSH(rq->arena, &c->items, r);
    }
    struct value kept = kept_queries(rq->site->kept, rq->arena, p->name);
    for (size_t i = 0; i < value_count(kept); i++) {
        struct resource r = {p->name, kept.dict->entries[i].key, false};
        if (!value_has(queries, r.child))
            VEC_PUSH(rq->arena, &c->items, r);
    }
}

enum status resources_list(struct request *rq, enum action_level level, str parent, struct resource **ret,
                           size_t *ret_count, struct err *err)
{
    struct collected c = {0};
    const struct site *s = rq->site;
    enum status st = STATUS_OK;
    for (size_t i = 0; st == STATUS_OK && level != ACTION_LEVEL_GLOBAL && i < s->published_count; i++) {
        struct published *p = s->published[i];
        if (parent.n && !str_eq(parent, p->name))
            continue;
        if (level == ACTION_LEVEL_DATABASE)
            VEC_PUSH(rq->arena, &c.items, (struct resource){.parent = p->name});
        else if (level == ACTION_LEVEL_TABLE)
            st = add_tables(rq, p, &c, err);
        else
            add_queries(rq, p, &c);
    }
    if (st != STATUS_OK)
        return st;
    if (c.items.count)
        qsort(c.items.items, c.items.count, sizeof *c.items.items, by_parent_and_child);
    *ret = c.items.items;
    *ret_count = c.items.count;
    return STATUS_OK;
}

enum status resources_allowed(struct request *rq, enum action a, str parent, struct resource **ret, size_t *ret_count,
                              struct err *err)
{
    struct resource *items = NULL;
    size_t n = 0, kept = 0;
    enum status st = resources_list(rq, action_rows[a].level, parent, &items, &n, err);
    if (st != STATUS_OK)
        return st;
    for (size_t i = 0; i < n; i++)
        if (request_allowed(rq, a, items[i].parent, items[i].child))
            items[kept++] = items[i];
    *ret = items;
    *ret_count = kept;
    return STATUS_OK;
}

/* ---- LIKE ---- */

static size_t step(str text, size_t at)
{
    size_t n;
    (void)utf8_decode(str_from(text, at), &n);
    return n;
}

/* Only the last % need be tried again: an earlier one could not do better. */
bool like_matches(str pattern, str text)
{
    size_t p = 0, t = 0, percent = STR_NPOS, retry = 0;
    while (t < text.n) {
        if (p < pattern.n && pattern.p[p] == '%') {
            percent = ++p;
            retry = t;
        } else if (p < pattern.n && pattern.p[p] == '_') {
            p++;
            t += step(text, t);
        } else if (p < pattern.n && str_lower_char(pattern.p[p]) == str_lower_char(text.p[t])) {
            p++;
            t++;
        } else if (percent != STR_NPOS) {
            p = percent;
            t = retry += step(text, retry);
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '%')
        p++;
    return p == pattern.n;
}

str like_containing(struct arena *a, str x)
{
    return ARENA_CAT(a, STR("%"), x, STR("%"));
}

/* ---- arguments ---- */

enum status page_size_arg(const struct request *rq, int64_t fallback, int64_t maximum, int64_t *ret, struct err *err)
{
    str text = request_arg(rq, "_size");
    int64_t size;
    if (!text.n) {
        *ret = fallback;
        return STATUS_OK;
    }
    if (str_is(text, "max")) {
        *ret = maximum;
        return STATUS_OK;
    }
    if (!args_integer(text, &size) || size < 0)
        return err_set(err, STATUS_INVALID, "_size must be a positive integer");
    if (size > maximum)
        return err_set(err, STATUS_INVALID, "_size must be <= %lld", (long long)maximum);
    *ret = size;
    return STATUS_OK;
}

enum status page_number_arg(const struct request *rq, int64_t *ret, struct err *err)
{
    str text = request_arg(rq, "_page");
    int64_t page = 1;
    if (text.p && (!args_integer(text, &page) || page < 1))
        return err_set(err, STATUS_INVALID, "_page must be a positive integer");
    *ret = page;
    return STATUS_OK;
}

enum status form_parse(const struct request *rq, struct args *ret, struct err *err)
{
    enum status st = request_body_check(rq, err);
    return st == STATUS_OK ? args_parse(rq->arena, rq->http->body, ret, err) : st;
}

/* ---- answers ---- */

enum status respond_error_json(struct request *rq, const struct err *err)
{
    int http_status = status_http(err->status);
    respond_json(rq, http_status, page_error_json(rq->arena, err, http_status));
    return STATUS_OK;
}

str resource_path(struct arena *a, str parent, str child)
{
    if (!parent.n)
        return STR("/");
    return child.n ? ARENA_CAT(a, STR("/"), parent, STR("/"), child) : ARENA_CAT(a, STR("/"), parent);
}

struct value text_or_none(str s)
{
    return s.n ? value_str(s) : VALUE_NULL;
}
