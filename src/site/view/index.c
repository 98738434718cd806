/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "db/count.h"
#include "site/compat.h"
#include "site/links.h"
#include "site/render/page.h"
#include "site/searchable.h"
#include "site/tables.h"
#include "site/view/view.h"
#include "site/write/actions.h"

#define SHOWN_MAX 5 /* tables and views listed under each database */
#define UNSTABLE  "This API is not part of Datasette's stable interface and may change at any time"

struct entry {
    struct value dict; /* one table as the page shows it */
    int64_t relationships, count;
    str name;
};

static int by_weight_descending(const void *x, const void *y)
{
    const struct entry *a = x, *b = y;
    if (a->relationships != b->relationships)
        return a->relationships < b->relationships ? 1 : -1;
    if (a->count != b->count)
        return a->count < b->count ? 1 : -1;
    return str_cmp(b->name, a->name);
}

static struct value table_dict(struct arena *a, const struct table_item *item, bool counted, int64_t relationships)
{
    struct value d = value_dict(a);
    const struct schema_table *t = item->table;
    VALUE_SET(d, "name", value_str(t->name));
    VALUE_SET(d, "columns", table_column_list(a, t));
    VALUE_SET(d, "primary_keys", str_list(a, t->pks, t->pk_count));
    VALUE_SET(d, "count", counted && item->rows.count >= 0 ? value_int(item->rows.count) : VALUE_NULL);
    VALUE_SET(d, "hidden", value_bool(item->hidden));
    VALUE_SET(d, "fts_table", t->fts_table.n ? value_str(t->fts_table) : VALUE_NULL);
    VALUE_SET(d, "num_relationships_for_sorting", value_int(relationships));
    VALUE_SET(d, "private", value_bool(item->is_private));
    return d;
}

static int64_t relationships(const struct schema_table *t)
{
    int64_t n = (int64_t)t->incoming_count;
    for (size_t i = 0; i < t->fk_count; i++)
        n += t->fks[i].count == 1;
    return n;
}

struct totals {
    size_t tables, views, hidden;
    int64_t rows, hidden_rows;
};

static void shown_list(struct request *rq, const struct table_item *items, size_t n, bool counted, struct value shown,
                       struct totals *t)
{
    struct arena *a = rq->arena;
    struct entry *entries = ARENA_ARRAY(a, struct entry, n + 1);
    size_t entry_count = 0;
    bool by_relationships = str_is(request_arg(rq, "_sort"), "relationships") || !counted;
    for (size_t i = 0; i < n; i++) {
        const struct table_item *item = &items[i];
        if (item->table->kind == SCHEMA_VIEW) {
            t->views++;
            continue;
        }
        int64_t rows = counted && item->rows.count > 0 ? item->rows.count : 0;
        if (item->hidden) {
            t->hidden++;
            t->hidden_rows += rows;
            continue;
        }
        t->tables++;
        t->rows += rows;
        int64_t weight = by_relationships ? relationships(item->table) : 0;
        entries[entry_count++] = (struct entry){table_dict(a, item, counted, weight), weight, rows, item->table->name};
    }
    qsort(entries, entry_count, sizeof *entries, by_weight_descending);
    for (size_t i = 0; i < entry_count && i < SHOWN_MAX; i++)
        value_push(shown, entries[i].dict);
    for (size_t i = 0; i < n && value_count(shown) < SHOWN_MAX; i++) {
        if (items[i].table->kind != SCHEMA_VIEW)
            continue;
        struct value d = value_dict(a);
        VALUE_SET(d, "name", value_str(items[i].table->name));
        VALUE_SET(d, "private", value_bool(items[i].is_private));
        value_push(shown, d);
    }
}

static enum status database_entry(struct request *rq, struct value databases, struct err *err)
{
    struct arena *a = rq->arena;
    struct published *p = rq->db;
    struct table_item *items;
    struct totals t = {0};
    size_t n;
    enum status st = tables_list(rq, &items, &n, err);
    if (st != STATUS_OK)
        return st;
    bool counted = true, truncated = false;
    size_t table_total = 0;
    for (size_t i = 0; i < n; i++) {
        if (items[i].table->kind == SCHEMA_VIEW)
            continue;
        table_total++;
        counted = counted && (items[i].rows.count >= 0 || tables_only_inspected(p));
        truncated = truncated || (items[i].rows.truncated && !items[i].hidden);
    }
    counted = counted && table_total;
    struct value d = value_dict(a), shown = value_list(a);
    shown_list(rq, items, n, counted, shown, &t);
    VALUE_SET(d, "name", value_str(p->name));
    VALUE_SET(d, "hash", p->hash.n ? value_str(p->hash) : VALUE_NULL);
    VALUE_SET(d, "color", value_cstr(p->color));
    VALUE_SET(d, "path", value_str(link_database(rq, p->name)));
    VALUE_SET(d, "tables_and_views_truncated", shown);
    VALUE_SET(d, "tables_and_views_more", value_bool(t.tables + t.views > SHOWN_MAX));
    VALUE_SET(d, "tables_count", value_int((int64_t)t.tables));
    VALUE_SET(d, "table_rows_sum", value_int(t.rows));
    VALUE_SET(d, "show_table_row_counts", value_bool(counted));
    if (counted && truncated) /* a table is still being counted */
        VALUE_SET(d, "table_rows_truncated", value_bool(true));
    VALUE_SET(d, "hidden_table_rows_sum", value_int(t.hidden_rows));
    VALUE_SET(d, "hidden_tables_count", value_int((int64_t)t.hidden));
    VALUE_SET(d, "views_count", value_int((int64_t)t.views));
    VALUE_SET(d, "private", value_bool(request_private(rq, ACTION_VIEW_DATABASE, p->name, (str){0})));
    value_push(databases, d);
    return STATUS_OK;
}

static int by_name(const void *x, const void *y)
{
    struct published *const *a = x, *const *b = y;
    return str_cmp((*a)->name, (*b)->name);
}

/* A database that cannot be read now is left out of the page; its own page says why. */
static enum status all_databases(struct request *rq, struct value databases, struct err *err)
{
    const struct site *s = rq->site;
    struct published **order = ARENA_ARRAY(rq->arena, struct published *, s->published_count + 1);
    memcpy(order, s->published, s->published_count * sizeof *order);
    qsort(order, s->published_count, sizeof *order, by_name);
    for (size_t i = 0; i < s->published_count; i++) {
        if (!request_allowed(rq, ACTION_VIEW_DATABASE, order[i]->name, (str){0}))
            continue;
        rq->db = order[i];
        enum status st = request_connect(rq, err);
        if (st == STATUS_OK)
            st = database_entry(rq, databases, err);
        request_disconnect(rq);
        rq->db = NULL;
        if (st == STATUS_CANCELLED)
            return st;
    }
    return STATUS_OK;
}

enum status view_index(struct request *rq, struct err *err)
{
    struct arena *a = rq->arena;
    enum status st = request_require(rq, ACTION_VIEW_INSTANCE, (str){0}, (str){0}, NULL, err);
    if (st != STATUS_OK)
        return st;
    struct value databases = value_list(a), metadata = value_copy(a, rq->site->config.metadata);
    value_remove(metadata, STR("databases"));
    st = all_databases(rq, databases, err);
    if (st != STATUS_OK)
        return st;
    struct value d = value_dict(a);
    if (str_is(rq->format, "json")) {
        if (compat_is_old(rq)) {
            respond_json(rq, 200, compat_by_name(a, databases));
            return STATUS_OK;
        }
        VALUE_SET(d, "ok", value_bool(true));
        VALUE_SET(d, "unstable", value_cstr(UNSTABLE));
        VALUE_SET(d, "databases", databases);
        VALUE_SET(d, "metadata", metadata);
        respond_json(rq, 200, d);
        return STATUS_OK;
    }
    bool builtin = str_starts(rq->path, STR("/-/"));
    VALUE_SET(d, "databases", databases);
    VALUE_SET(d, "metadata", metadata);
    VALUE_SET(d, "private", value_bool(request_private(rq, ACTION_VIEW_INSTANCE, (str){0}, (str){0})));
    VALUE_SET(d, "homepage_actions", actions_of_home(rq));
    VALUE_SET(d, "has_searchable", value_bool(searchable_any(rq)));
    VALUE_SET(d, "noindex", value_bool(builtin));
    const str names[] = {builtin ? STR("default:index.html") : STR("index.html")};
    return page_respond(rq, 200, names, 1, d, true, err);
}
