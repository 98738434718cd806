/* SPDX-License-Identifier: Apache-2.0 */
/* search — one text looked for in every table that can be searched and that the actor may see.
 *
 * Each table answers as its own page with ?_search= would, with its first rows; all of them share one time budget
 * (LIMIT_SEARCH_MS), so that many or slow tables cannot hold a worker: those that were not reached are listed with
 * links. Tests: tests/site/test_search.py. */
#include "base/clock.h"
#include "base/limits.h"
#include "codec/url.h"
#include "site/extras.h"
#include "site/links.h"
#include "site/render/cells.h"
#include "site/render/page.h"
#include "site/searchable.h"
#include "site/view/resources.h"
#include "site/view/view.h"

#define ROWS_SHOWN     5
#define CELL_CHARS_MAX 200

struct search {
    struct request *rq;
    str q;
    int64_t until_mono_us;
    struct value tables, results, not_searched;
    size_t found; /* tables with rows */
};

static struct value table_dict(struct search *s, const struct schema_table *t)
{
    struct request *rq = s->rq;
    struct arena *a = rq->arena;
    struct value d = value_dict(a);
    str url = link_table(rq, rq->db->name, t->name);
    str query = s->q.n ? ARENA_CAT(a, STR("?_search="), url_quote_plus(a, s->q)) : (str){0};
    VALUE_SET(d, "database", value_str(rq->db->name));
    VALUE_SET(d, "table", value_str(arena_str(a, t->name)));
    VALUE_SET(d, "url", value_str(ARENA_CAT(a, url, query)));
    VALUE_SET(d, "url_json", value_str(ARENA_CAT(a, link_with_format(rq, url, STR("json")), query)));
    return d;
}

/* The request that the table's own page would get. */
static enum status fetch(struct search *s, const struct schema_table *t, int64_t left_ms, struct table_page *p,
                         struct err *err)
{
    struct request *sub = ARENA_NEW(s->rq->arena, struct request);
    struct arena *a = s->rq->arena;
    *sub = *s->rq;
    sub->path = ARENA_CAT(a, STR("/"), tilde_encode(a, s->rq->db->name), STR("/"), tilde_encode(a, t->name));
    sub->query_string = ARENA_CAT(a, STR("_search="), url_quote_plus(a, s->q),
                                  arena_printf(a, "&_size=%d&_nocount=1&_nofacet=1&_nosuggest=1&_timelimit=%lld",
                                               ROWS_SHOWN, (long long)left_ms));
    enum status st = args_parse(a, sub->query_string, &sub->args, err);
    if (st == STATUS_OK)
        st = table_page_init(p, sub, t, err);
    return st == STATUS_OK ? table_page_fetch(p, true, err) : st;
}

static struct value rows_json(struct search *s, const struct table_page *p)
{
    struct arena *a = s->rq->arena;
    struct value list = value_list(a);
    for (size_t r = 0; r < p->row_count; r++) {
        struct value d = value_dict(a);
        for (size_t i = 0; i < p->rows.column_count; i++)
            value_set(d, p->rows.columns[i], cell_value(rowset_cell(&p->rows, r, i)));
        value_push(list, d);
    }
    return list;
}

static void rows_html(struct table_page *p, struct value d)
{
    struct request *rq = p->rq;
    struct value columns, rows;
    struct cells_spec spec = {.rq = rq,
                              .rows = &p->rows,
                              .row_count = p->row_count,
                              .table = p->table,
                              .link_column = p->table->kind != SCHEMA_VIEW,
                              .truncate = CELL_CHARS_MAX,
                              .column_types = extra_column_types(rq, p->table->name)};
    cells_build(&spec, &columns, &rows);
    VALUE_SET(d, "display_columns", columns);
    VALUE_SET(d, "display_rows", rows);
}

static enum status search_table(struct search *s, const struct schema_table *t, struct err *err)
{
    struct table_page *p = ARENA_NEW(s->rq->arena, struct table_page);
    struct value d = table_dict(s, t);
    int64_t left_ms = (s->until_mono_us - clock_mono_us()) / 1000;
    struct err wrong = ERR_INIT;
    value_push(s->tables, table_dict(s, t));
    if (!s->q.n)
        return STATUS_OK;
    enum status st = left_ms > 0 ? fetch(s, t, left_ms, p, &wrong) : STATUS_TIMEOUT;
    if (st == STATUS_CANCELLED) {
        *err = wrong;
        return st;
    }
    if (st == STATUS_TIMEOUT) {
        value_push(s->not_searched, d);
        return STATUS_OK;
    }
    if (st == STATUS_OK && !p->row_count)
        return STATUS_OK;
    if (st != STATUS_OK) {
        VALUE_SET(d, "error", value_str(arena_str(s->rq->arena, str_of(wrong.text))));
    } else {
        s->found++;
        VALUE_SET(d, "rows", rows_json(s, p));
        VALUE_SET(d, "more", value_bool(p->next.has));
        if (!str_is(s->rq->format, "json"))
            rows_html(p, d);
    }
    value_push(s->results, d);
    return STATUS_OK;
}

static enum status search_database(struct search *s, struct published *db, struct err *err)
{
    struct request *rq = s->rq;
    struct err unreadable = ERR_INIT;
    rq->db = db;
    enum status st = request_connect(rq, &unreadable);
    bool usable = st == STATUS_OK;
    if (st == STATUS_CANCELLED)
        *err = unreadable;
    for (size_t i = 0; usable && st == STATUS_OK && i < rq->schema->table_count; i++)
        if (searchable_table(rq, &rq->schema->tables[i]))
            st = search_table(s, &rq->schema->tables[i], err);
    request_disconnect(rq);
    rq->db = NULL;
    return st == STATUS_CANCELLED ? st : STATUS_OK; /* a database that cannot be read has no results */
}

static enum status respond(struct search *s, struct err *err)
{
    struct request *rq = s->rq;
    struct value d = value_dict(rq->arena);
    const str names[] = {STR("search_all.html")};
    VALUE_SET(d, "q", value_str(s->q));
    VALUE_SET(d, "results", s->results);
    VALUE_SET(d, "searchable_tables", s->tables);
    VALUE_SET(d, "not_searched", s->not_searched);
    if (str_is(rq->format, "json")) {
        struct value body = value_dict(rq->arena);
        VALUE_SET(body, "ok", value_bool(true));
        for (size_t i = 0; i < value_count(d); i++)
            value_set(body, d.dict->entries[i].key, d.dict->entries[i].value);
        respond_json(rq, 200, body);
        return STATUS_OK;
    }
    VALUE_SET(d, "found", value_int((int64_t)s->found));
    return page_respond(rq, 200, names, 1, d, true, err);
}

enum status view_search(struct request *rq, struct err *err)
{
    struct arena *a = rq->arena;
    struct search s = {.rq = rq, .q = str_trim(request_arg(rq, "q"))};
    enum status st = request_require(rq, ACTION_VIEW_INSTANCE, (str){0}, (str){0}, NULL, err);
    if (st != STATUS_OK)
        return st;
    if (s.q.n > LIMIT_SEARCH_TEXT)
        return err_set(err, STATUS_INVALID, "The text to search for has more than %d bytes", LIMIT_SEARCH_TEXT);
    s.until_mono_us = clock_mono_us() + (int64_t)LIMIT_SEARCH_MS * 1000;
    s.tables = value_list(a);
    s.results = value_list(a);
    s.not_searched = value_list(a);
    struct published **databases = published_by_name(rq);
    for (size_t i = 0; st == STATUS_OK && i < rq->site->published_count; i++)
        st = search_database(&s, databases[i], err);
    return st == STATUS_OK ? respond(&s, err) : st;
}
