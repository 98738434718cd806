/* SPDX-License-Identifier: Apache-2.0 */
#include "site/table_page.h"

#include "base/clock.h"
#include "db/count.h"
#include "site/figures.h"
#include "site/labels.h"
#include "site/links.h"
#include "site/tables.h"

static size_t columns_of(void *self, str table, const str **ret)
{
    const struct table_page *p = self;
    const struct schema_table *t = schema_table(p->rq->schema, table);
    if (!t)
        return 0;
    return table_columns(p->rq->arena, t, ret);
}

/* "id INTEGER PRIMARY KEY" is another name of the rowid, unless the key has an index of its own (DESC). */
static bool key_is_rowid(const struct schema_table *t)
{
    if (t->use_rowid || !t->has_rowid || t->pk_count != 1)
        return t->use_rowid;
    for (size_t i = 0; i < t->index_count; i++)
        if (t->indexes[i].origin == 'p')
            return false;
    const struct schema_column *key = schema_column(t, t->pks[0]);
    return key && str_eq_nocase(key->type, STR("INTEGER"));
}

static void fill_query_table(struct table_page *p)
{
    struct arena *a = p->rq->arena;
    const struct schema_table *t = p->table;
    struct query_incoming *incoming = ARENA_ARRAY(a, struct query_incoming, t->incoming_count + 1);
    struct table_link *links;
    size_t incoming_count = table_incoming(p->rq, t, &links);
    for (size_t i = 0; i < incoming_count; i++)
        incoming[i] = (struct query_incoming){links[i].other_table, links[i].other_column, links[i].column};
    const str *columns;
    size_t column_count = table_columns(a, t, &columns);
    bool *untyped = ARENA_ARRAY(a, bool, column_count + 1);
    for (size_t i = 0; i < column_count; i++)
        untyped[i] = schema_affinity(t->columns[i].type) == AFFINITY_BLOB;
    p->query_table = (struct query_table){
        .name = t->name,
        .is_view = t->kind == SCHEMA_VIEW,
        .use_rowid = t->use_rowid,
        .has_rowid = t->kind == SCHEMA_TABLE && t->has_rowid,
        .key_is_rowid = key_is_rowid(t),
        .columns = columns,
        .column_count = column_count,
        .untyped = untyped,
        .pks = t->pks,
        .pk_count = t->pk_count,
        .fts_table = t->fts_table,
        .incoming = incoming,
        .incoming_count = incoming_count,
        .columns_of = columns_of,
        .self = p,
        .config = p->config,
    };
}

enum status table_page_init(struct table_page *p, struct request *rq, const struct schema_table *t, struct err *err)
{
    const struct settings *s = &rq->site->config.settings;
    str index = request_arg(rq, "_fts_table");
    const struct schema_table *found = index.n ? schema_table(rq->schema, index) : NULL;
    if (index.n && (found ? !table_allowed(rq, found) : !request_allowed(rq, ACTION_VIEW_TABLE, rq->db->name, index)))
        return err_set(err, STATUS_FORBIDDEN, "You do not have permission to search that table");
    *p = (struct table_page){.rq = rq, .table = t, .count = -1, .count_estimate = -1};
    p->config = config_table(&rq->site->config, rq->db->name, t->name);
    fill_query_table(p);
    p->query_settings = (struct query_settings){s->default_page_size, s->max_returned_rows, s->default_facet_size,
                                                s->allow_facet, s->suggest_facets};
    p->query_request = (struct query_request){
        .args = rq->args,
        .raw = rq->query_string,
        .path = link_path(rq, rq->path),
        .origin = request_origin(rq),
        .prefix = str_sub(rq->site->config.settings.base_url, 0, rq->site->config.settings.base_url.n - 1),
        .may_execute_sql = request_allowed(rq, ACTION_EXECUTE_SQL, rq->db->name, (str){0}),
    };
    return STATUS_OK;
}

/* The setting, lowered (never raised) by _timelimit. */
static int64_t time_limit_ms(const struct table_page *p)
{
    int64_t limit = p->rq->site->config.settings.sql_time_limit_ms;
    return p->plan->timelimit_ms && p->plan->timelimit_ms < limit ? p->plan->timelimit_ms : limit;
}

static void read_label_args(struct table_page *p, bool labels_default)
{
    struct request *rq = p->rq;
    const struct arg *first;
    p->labels_on = request_flag(rq, "_labels", labels_default);
    size_t n = args_all(&rq->args, STR("_label"), &first);
    if (!n)
        return;
    str *only = ARENA_ARRAY(rq->arena, str, n);
    for (size_t i = 0; i < n; i++)
        only[i] = first[i].value;
    p->labels_only = only;
    p->labels_only_count = n;
    p->labels_on = true;
}

/* The value of a sort column that the page does not show, for the token of the next page. */
static struct value sort_value(struct table_page *p, size_t last)
{
    struct request *rq = p->rq;
    struct arena *a = rq->arena;
    const struct schema_table *t = p->table;
    static const str rowid[] = {{"rowid", 5}};
    const str *keys = t->pk_count ? t->pks : rowid;
    size_t n = t->pk_count ? t->pk_count : 1;
    struct query_param *params = ARENA_ARRAY(a, struct query_param, n);
    for (size_t i = 0; i < n; i++) {
        size_t column = rowset_column(&p->rows, keys[i]);
        params[i].name = arena_printf(a, "pk%zu", i);
        params[i].value = column == (size_t)-1 ? VALUE_NULL : cell_value(rowset_cell(&p->rows, last, column));
    }
    struct fetch_limits limits = {.max_rows = 1, .time_limit_ms = time_limit_ms(p)};
    struct rowset r;
    if (fetch_rows(rq, rq->conn, p->plan->sort_lookup_sql, params, n, &limits, &r, NULL) != STATUS_OK || !r.row_count)
        return VALUE_NULL;
    return cell_value(rowset_cell(&r, 0, 0));
}

/* `last` is the place in p->rows of the last row to show, when `fetched` says that there are more. */
static void find_next(struct table_page *p, size_t fetched, size_t last)
{
    struct arena *a = p->rq->arena;
    int64_t size = p->plan->page_size;
    p->next = (struct query_next){0};
    p->row_count = MIN(fetched, (size_t)size);
    if (!size || fetched <= (size_t)size)
        return;
    struct value *cells = ARENA_ARRAY(a, struct value, p->rows.column_count + 1);
    for (size_t i = 0; i < p->rows.column_count; i++)
        cells[i] = cell_value(rowset_cell(&p->rows, last, i));
    struct value sort = p->plan->sort_lookup_sql.n ? sort_value(p, last) : VALUE_UNDEF;
    query_next(a, p->plan, (int64_t)fetched, cells, sort, &p->next);
}

struct handing {
    struct table_page *page;
    struct rowset last; /* the last row to show: the next page begins after it */
};

static void hand_row(void *arg)
{
    struct handing *h = arg;
    struct table_page *p = h->page;
    struct arena *a = p->rq->arena;
    if (p->handed++ >= (size_t)p->plan->page_size)
        return;
    p->each(p->each_arg);
    if (p->handed < (size_t)p->plan->page_size)
        return;
    h->last = p->rows;
    h->last.cells = ARENA_ARRAY(a, struct cell, p->rows.column_count + 1);
    for (size_t i = 0; i < p->rows.column_count; i++) {
        struct cell *c = &h->last.cells[i];
        *c = p->rows.cells[i];
        if (c->kind == CELL_TEXT || c->kind == CELL_BLOB)
            c->s = arena_str(a, c->s);
    }
}

static enum status run_each(struct table_page *p, str sql, const struct fetch_limits *limits, struct err *err)
{
    struct handing h = {.page = p};
    const struct query_plan *plan = p->plan;
    p->handed = 0;
    enum status st =
        fetch_each(p->rq, p->rq->conn, sql, plan->params, plan->param_count, limits, hand_row, &h, &p->rows, err);
    if (st != STATUS_OK)
        return st;
    struct rowset none = p->rows;
    p->rows = h.last;
    find_next(p, p->handed, 0);
    p->rows = none;
    return STATUS_OK;
}

static enum status run_whole(struct table_page *p, str sql, const struct fetch_limits *limits, struct err *err)
{
    const struct query_plan *plan = p->plan;
    enum status st = fetch_rows(p->rq, p->rq->conn, sql, plan->params, plan->param_count, limits, &p->rows, err);
    if (st == STATUS_OK)
        find_next(p, p->rows.row_count, (size_t)plan->page_size - 1);
    return st;
}

enum status table_page_fetch(struct table_page *p, bool labels_default, struct err *err)
{
    struct request *rq = p->rq;
    read_label_args(p, labels_default);
    enum status st = query_plan_table(rq->arena, &p->query_table, &p->query_settings, &p->query_request, &p->plan, err);
    if (st != STATUS_OK)
        return st;
    struct fetch_limits limits = {.max_rows = (size_t)p->plan->page_size + 1, .time_limit_ms = time_limit_ms(p)};
    str sql = p->plan->search_sql.n ? p->plan->search_sql : p->plan->stable_sql;
    bool whole = !p->each || p->labels_on;
    st = whole ? run_whole(p, sql, &limits, err) : run_each(p, sql, &limits, err);
    if (st == STATUS_SQL || st == STATUS_INVALID)
        rq->error_title = "Invalid SQL";
    if (st == STATUS_TIMEOUT)
        rq->error_title = "SQL Interrupted";
    if (st != STATUS_OK)
        return st;
    p->may_vary = (p->table->kind == SCHEMA_VIEW || p->plan->where_count) &&
                  fetch_may_vary(rq, ARENA_CAT(rq->arena, p->plan->sql, p->table->sql));
    rq->response_varies |= p->may_vary;
    if (!p->labels_on)
        return STATUS_OK;
    return labels_expand(rq, rq->schema, p->table, p->labels_only, p->labels_only_count, &p->rows, p->row_count, err);
}

#define COUNT_MS 100 /* what counting may hold up a page; small tables take less than 1 ms */

/* A filtered count: up to COUNT_LIMIT + 1 rows and COUNT_MS at once. Filters of our own are then counted to the end in
 * the background; what visitors wrote as SQL is not given more time than they have. */
static void count_filtered(struct table_page *p)
{
    struct request *rq = p->rq;
    const struct query_plan *plan = p->plan;
    struct arena *a = rq->arena;
    str key = figure_key(a, plan->count_sql, plan->params, plan->count_param_count);
    int64_t n;
    bool all;
    enum figure_state state = p->may_vary ? FIGURE_NONE : figure_look_integer(rq, key, &n);
    if (state == FIGURE_EXACT) {
        p->count = n;
        return;
    }
    str sql = query_count_sql_limited(a, plan, COUNT_LIMIT + 1);
    if (fetch_count(rq, rq->conn, sql, plan->params, plan->count_param_count, COUNT_LIMIT + 1,
                    MIN(time_limit_ms(p), COUNT_MS), &n, &all) != STATUS_OK)
        return;
    p->count = n || all ? n : -1;
    p->count_truncated = n && !all;
    if (all && !p->may_vary)
        figure_keep_integer(rq, key, n);
    else if (!all && !p->may_vary && !plan->where_count)
        figure_want(rq, key, plan->count_sql, plan->params, plan->count_param_count, 1);
}

void table_page_count(struct table_page *p)
{
    struct request *rq = p->rq;
    const struct query_plan *plan = p->plan;
    if (p->count_known)
        return;
    p->count_known = true;
    if (plan->no_count)
        return;
    bool whole = !plan->selection_count && !plan->where_count && !plan->count_param_count &&
                 str_eq(plan->count_sql, ARENA_CAT(rq->arena, STR("select count(*) from "),
                                                   query_identifier(rq->arena, p->table->name), STR(" ")));
    if (!whole) {
        count_filtered(p);
        return;
    }
    struct row_count rows;
    table_count(rq, p->table, MIN(time_limit_ms(p), COUNT_MS), true, &rows);
    p->count = rows.count;
    p->count_truncated = rows.truncated;
    p->count_estimate = rows.estimate;
}
