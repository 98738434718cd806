/* SPDX-License-Identifier: Apache-2.0 */
/* table_facets — facets of a table page, and which others to suggest.
 *
 * Counting the values of a column reads the column. For a table of up to COUNT_LIMIT rows that is done at once, with
 * the site's own limit, as Datasette does. Otherwise:
 *
 *   kept for this data version      -> exact, at once
 *   counted within FACET_TRY_MS     -> exact, kept
 *   else                            -> an estimate marked as one ("estimated": true, ~ on the page), the exact figures
 *                                      of older data if there are any; the background counts, a later page is exact.
 *                                      Where not even an estimate comes in time: named as awaited
 *
 * An estimate reads SAMPLE_RUNS * SAMPLE_RUN_ROWS rows spread over the rowids. It is unbiased however the rowids are
 * distributed: each stands for the same share of their range. Views, virtual tables and tables without rowid give their
 * first rows instead, which is worse.
 *
 * That a facet of these rows was too slow is kept too, so that one attempt is made and not one a page.
 * Tests: tests/site/test_figures.py, tests/unit/site/query/test_facets.c. docs/internals/counts-and-facets.md */
#include "site/table_page.h"

#include "base/clock.h"
#include "db/count.h"
#include "site/figures.h"
#include "site/labels.h"
#include "site/tables.h"

#define FACET_TRY_MS    40  /* one attempt a page: a first facet of a big table answers within 100 ms */
#define SAMPLE_MS       200 /* an estimate takes 10 to 20 ms; with a sleeping disk it may not come */
#define SAMPLE_RUNS     250
#define SAMPLE_RUN_ROWS 16

static struct value facet_dict(struct table_page *p, const struct query_facets *facets, const struct query_facet *f,
                               const struct rowset *r, struct err *err)
{
    struct request *rq = p->rq;
    struct arena *a = rq->arena;
    struct value d = value_dict(a), results = value_list(a);
    size_t n = MIN(r->row_count, (size_t)facets->size);
    struct cell *values = ARENA_ARRAY(a, struct cell, n + 1);
    str *labels = ARENA_ARRAY(a, str, n + 1);
    for (size_t i = 0; i < n; i++)
        values[i] = *rowset_cell(r, i, 0);
    if (f->kind == QUERY_FACET_COLUMN &&
        labels_of_values(rq, rq->schema, p->table, f->column, values, n, labels, err) != STATUS_OK)
        n = 0;
    for (size_t i = 0; i < n; i++) {
        struct value item = value_dict(a);
        struct query_facet_value v;
        query_facet_value(a, p->plan, f, cell_value(&values[i]), &v);
        VALUE_SET(item, "value", v.value);
        VALUE_SET(item, "label", labels[i].p ? value_str(labels[i]) : v.value);
        VALUE_SET(item, "count", cell_value(rowset_cell(r, i, 1)));
        VALUE_SET(item, "toggle_url", value_str(v.toggle_url));
        VALUE_SET(item, "selected", value_bool(v.selected));
        value_push(results, item);
    }
    VALUE_SET(d, "name", value_str(f->column));
    VALUE_SET(d, "type", value_cstr(query_facet_type(f->kind)));
    VALUE_SET(d, "hideable", value_bool(f->hideable));
    VALUE_SET(d, "toggle_url", value_str(f->toggle_url));
    VALUE_SET(d, "results", results);
    VALUE_SET(d, "truncated", value_bool(r->row_count > (size_t)facets->size));
    return d;
}

/* ---- facets of big tables ---- */

static str slow_key(struct table_page *p)
{
    struct arena *a = p->rq->arena;
    return ARENA_CAT(a, STR("slow facets "), figure_key(a, p->plan->facet_sql, p->plan->params, p->plan->param_count));
}

/* How long counting may try to be exact. What a small table needs is never cut short, whatever the machine does. */
static int64_t try_ms(struct table_page *p)
{
    struct request *rq = p->rq;
    struct row_count rows = {-1, false, -1};
    int64_t full = rq->site->config.settings.facet_time_limit_ms, ignored;
    if (p->table->kind != SCHEMA_VIEW)
        table_count(rq, p->table, FACET_TRY_MS, false, &rows);
    if (rows.count >= 0 && !rows.truncated && rows.count <= COUNT_LIMIT)
        return full;
    if (figure_look_integer(rq, slow_key(p), &ignored) != FIGURE_NONE)
        return 0;
    return p->table->kind == SCHEMA_VIEW || p->plan->where_count ? full : MIN(full, FACET_TRY_MS);
}

/* Rowids to look at, as a JSON list: runs of neighbours whose starts are spread evenly by the golden ratio, so that no
 * pattern in the data meets one in the sample. *ret_factor: how many rowids stand behind each. */
static bool sample_rowids(struct table_page *p, str *ret_json, double *ret_factor)
{
    struct request *rq = p->rq;
    str table = query_identifier(rq->arena, p->table->name);
    str sql = ARENA_CAT(rq->arena, STR("select (select min(rowid) from "), table, STR("), (select max(rowid) from "),
                        table, STR(")"));
    struct rowset r;
    struct fetch_limits limits = {.max_rows = 1, .time_limit_ms = SAMPLE_MS};
    if (fetch_rows(rq, rq->conn, sql, NULL, 0, &limits, &r, NULL) != STATUS_OK || !r.row_count ||
        r.cells[0].kind != CELL_INT || r.cells[1].kind != CELL_INT)
        return false;
    double low = (double)r.cells[0].i, range = (double)r.cells[1].i - low + 1, place = 0;
    struct buf json;
    if (range > 9e18)
        return false;
    buf_init(&json, SAMPLE_RUNS * SAMPLE_RUN_ROWS * 21 + 16);
    for (int run = 0; run < SAMPLE_RUNS; run++) {
        place += 0.6180339887498949;
        place -= place >= 1;
        int64_t start = (int64_t)(low + place * MAX(range - SAMPLE_RUN_ROWS, 0));
        for (int i = 0; i < SAMPLE_RUN_ROWS; i++)
            buf_printf(&json, "%c%lld", run || i ? ',' : '[', (long long)start + i);
    }
    buf_putc(&json, ']');
    *ret_json = arena_str(rq->arena, buf_str(&json));
    *ret_factor = MAX(range / (SAMPLE_RUNS * SAMPLE_RUN_ROWS), 1);
    buf_release(&json);
    return true;
}

static bool run_estimate(struct table_page *p, str sql, str rowids, size_t max_rows, struct rowset *r)
{
    const struct query_plan *plan = p->plan;
    struct query_param *params = ARENA_ARRAY(p->rq->arena, struct query_param, plan->param_count + 1);
    struct fetch_limits limits = {.max_rows = max_rows, .time_limit_ms = SAMPLE_MS};
    if (plan->param_count)
        memcpy(params, plan->params, plan->param_count * sizeof *params);
    params[plan->param_count] = (struct query_param){STR(QUERY_SAMPLE), value_str(rowids)};
    return fetch_rows(p->rq, p->rq->conn, sql, params, plan->param_count + 1, &limits, r, NULL) == STATUS_OK;
}

static void scale(struct rowset *r, double factor)
{
    for (size_t i = 0; i < r->row_count; i++) {
        struct cell *n = &r->cells[i * r->column_count + 1];
        n->i = query_facet_estimate(n->i, factor);
    }
}

/* From rows spread over the table; a table that has none where they should be, or no rowids, gives its first rows.
 * What these stand for is known only when all have been counted: a count that was cut short says nothing of the rest.
 */
static bool estimate(struct table_page *p, const struct query_facet *f, size_t max_rows, struct rowset *r)
{
    str rowids;
    double factor;
    if (f->sampled_sql.n && sample_rowids(p, &rowids, &factor) &&
        run_estimate(p, f->sampled_sql, rowids, max_rows, r) && r->row_count) {
        scale(r, factor);
        return true;
    }
    table_page_count(p);
    int64_t rows = p->count_estimate >= 0 ? p->count_estimate : p->count_truncated ? -1 : p->count;
    if (rows < 0 || !run_estimate(p, f->first_sql, STR(""), max_rows, r))
        return false;
    scale(r, rows > QUERY_FIRST_ROWS ? (double)rows / QUERY_FIRST_ROWS : 1);
    return true;
}

struct facet_budget {
    int64_t try_ms; /* for each; 0 = no more attempts */
    bool known;
};

/* The rows of a facet: kept, counted now, or estimated while they are counted in the background. TIMEOUT: neither. */
static enum status facet_rows(struct table_page *p, const struct query_facet *f, size_t max_rows,
                              struct facet_budget *budget, struct rowset *r, bool *ret_estimated, struct err *err)
{
    struct request *rq = p->rq;
    const struct query_plan *plan = p->plan;
    str key = figure_key(rq->arena, f->sql, plan->params, plan->param_count);
    *ret_estimated = false;
    enum figure_state state = p->may_vary ? FIGURE_NONE : figure_look(rq, key, r);
    if (state == FIGURE_EXACT)
        return STATUS_OK;
    if (!budget->known)
        *budget = (struct facet_budget){try_ms(p), true};
    enum status st = STATUS_TIMEOUT;
    bool small = budget->try_ms >= rq->site->config.settings.facet_time_limit_ms;
    if (budget->try_ms) {
        struct fetch_limits limits = {.max_rows = max_rows, .time_limit_ms = budget->try_ms};
        st = fetch_rows(rq, rq->conn, f->sql, plan->params, plan->param_count, &limits, r, err);
        if (st == STATUS_OK && !p->may_vary)
            figure_keep(rq, key, r);
        if (st != STATUS_TIMEOUT)
            return st;
    }
    if (small && p->table->kind != SCHEMA_VIEW && !plan->where_count)
        return st; /* the site's own limit is so low that it means it */
    figure_keep_integer(rq, slow_key(p), 1);
    budget->try_ms = 0;
    if (!p->may_vary && !plan->where_count)
        figure_want(rq, key, f->sql, plan->params, plan->param_count, max_rows);
    rq->response_varies = true;
    *ret_estimated = true;
    if (state == FIGURE_OLD)
        return figure_look(rq, key, r) == FIGURE_NONE ? STATUS_TIMEOUT : STATUS_OK;
    return estimate(p, f, max_rows, r) ? STATUS_OK : STATUS_TIMEOUT;
}

enum status table_page_facets(struct table_page *p, struct err *err)
{
    struct request *rq = p->rq;
    struct arena *a = rq->arena;
    struct query_facets facets;
    struct facet_budget budget = {0};
    if (p->facets_known)
        return STATUS_OK;
    p->facets_known = true;
    enum status st = query_facets(a, p->plan, &facets, err);
    if (st != STATUS_OK)
        return st;
    struct value results = value_dict(a), sorted = value_list(a);
    struct value *dicts = ARENA_ARRAY(a, struct value, facets.count + 1);
    size_t *sizes = ARENA_ARRAY(a, size_t, facets.count + 1), *order = ARENA_ARRAY(a, size_t, facets.count + 1);
    p->facets_timed_out = value_list(a);
    p->facets_awaited = value_list(a);
    for (size_t i = 0; i < facets.count; i++) {
        const struct query_facet *f = &facets.items[i];
        struct rowset r;
        bool estimated;
        st = facet_rows(p, f, (size_t)facets.size + 1, &budget, &r, &estimated, err);
        if (st == STATUS_TIMEOUT) {
            value_push(p->facets_timed_out, value_str(f->column));
            if (estimated && !p->may_vary && !p->plan->where_count) /* the background counts */
                value_push(p->facets_awaited, value_str(f->column));
        } else if (st != STATUS_OK)
            return st == STATUS_SQL ? err_prefix(err, "The facet %.*s cannot be counted", STR_ARG(f->column)) : st;
        if (st == STATUS_OK) {
            dicts[i] = facet_dict(p, &facets, f, &r, err);
            if (estimated)
                VALUE_SET(dicts[i], "estimated", value_bool(true));
            sizes[i] = value_count(VALUE_GET(dicts[i], "results"));
            value_set(results, f->key, dicts[i]);
        }
    }
    query_facets_order(a, p->plan, &facets, sizes, order);
    for (size_t i = 0; i < facets.count; i++)
        if (dicts[order[i]].kind == VALUE_DICT)
            value_push(sorted, dicts[order[i]]);
    p->facet_results = value_dict(a);
    VALUE_SET(p->facet_results, "results", results);
    VALUE_SET(p->facet_results, "timed_out", p->facets_timed_out);
    p->facets_sorted = sorted;
    return STATUS_OK;
}

/* ---- suggestions ---- */

#define SUGGEST_DATE_ROWS 100

/* All suggestions of a page together. Processor time, so that a busy machine does not change what is suggested; the
 * clock for probes that wait for the disk. */
#ifdef VITRINE_FAULTS /* a build for tests: with sanitizers the same work takes ten times as long */
#define SUGGEST_SLOWDOWN 10
#else
#define SUGGEST_SLOWDOWN 1
#endif
#define SUGGEST_CPU_US  (30000 * SUGGEST_SLOWDOWN)
#define SUGGEST_WALL_US (100000 * SUGGEST_SLOWDOWN)

static bool probe(struct table_page *p, str sql, size_t max_rows, struct rowset *r)
{
    struct request *rq = p->rq;
    struct fetch_limits limits = {.max_rows = max_rows,
                                  .time_limit_ms = rq->site->config.settings.facet_suggest_time_limit_ms};
    return fetch_rows(rq, rq->conn, sql, p->plan->params, p->plan->param_count, &limits, r, NULL) == STATUS_OK;
}

static bool accept_column(struct table_page *p, const struct query_suggestions *s, const struct query_suggestion *c,
                          int64_t row_count)
{
    struct rowset r;
    bool repeated = false;
    if (!probe(p, c->sql, (size_t)s->facet_size + 1, &r))
        return false;
    for (size_t i = 0; i < r.row_count; i++) {
        const struct cell *n = rowset_cell(&r, i, 1);
        repeated |= n->kind == CELL_INT && n->i > 1;
    }
    return query_suggest_column(r.row_count, repeated, row_count, s->facet_size);
}

static bool accept_date(struct table_page *p, const struct query_suggestion *c)
{
    struct rowset r;
    if (!probe(p, c->sql, SUGGEST_DATE_ROWS, &r))
        return false;
    for (size_t i = 0; i < r.row_count; i++)
        if (query_suggest_date(cell_value(rowset_cell(&r, i, 0))))
            return true;
    return false;
}

static bool accept_array(struct table_page *p, const struct query_suggestion *c)
{
    struct arena *a = p->rq->arena;
    struct rowset r;
    if (!probe(p, c->sql, 16, &r))
        return false;
    str *types = ARENA_ARRAY(a, str, r.row_count + 1);
    for (size_t i = 0; i < r.row_count; i++)
        types[i] = rowset_cell(&r, i, 0)->kind == CELL_NULL ? STR("") : cell_text(a, rowset_cell(&r, i, 0));
    if (!query_suggest_array_types(types, r.row_count) || !probe(p, c->sample_sql, SUGGEST_DATE_ROWS, &r) ||
        !r.row_count)
        return false;
    for (size_t i = 0; i < r.row_count; i++)
        if (!query_suggest_array_sample(a, cell_text(a, rowset_cell(&r, i, 0))))
            return false;
    return true;
}

struct spending {
    str key, facet_size; /* of all verdicts of this page */
    int64_t cpu_us, wall_us;
};

static bool is_spent(struct spending *s)
{
    int64_t cpu = clock_thread_cpu_us(), wall = clock_mono_us();
    if (!s->wall_us) {
        s->cpu_us = cpu;
        s->wall_us = wall;
    }
    return cpu - s->cpu_us > SUGGEST_CPU_US || wall - s->wall_us > SUGGEST_WALL_US;
}

/* A verdict depends on the data, the rows looked at, the column and the size of facets: it is kept until the data
 * changes. */
static bool accepted(struct table_page *p, const struct query_suggestions *s, const struct query_suggestion *c,
                     int64_t rows, struct spending *so_far)
{
    struct request *rq = p->rq;
    struct arena *a = rq->arena;
    int64_t verdict;
    str key = ARENA_CAT(a, STR("suggest "), str_of(query_facet_type(c->kind)), STR(" "), so_far->facet_size, STR(" "),
                        c->column, STR("\n"), so_far->key);
    if (figure_look_integer(rq, key, &verdict) == FIGURE_EXACT)
        return verdict;
    if (is_spent(so_far)) { /* the next page goes on from here */
        rq->response_varies = true;
        return false;
    }
    verdict = c->kind == QUERY_FACET_COLUMN ? accept_column(p, s, c, rows)
              : c->kind == QUERY_FACET_DATE ? accept_date(p, c)
                                            : accept_array(p, c);
    figure_keep_integer(rq, key, verdict);
    return verdict;
}

struct value table_page_suggested(struct table_page *p)
{
    struct request *rq = p->rq;
    struct arena *a = rq->arena;
    struct value list = value_list(a);
    struct query_suggestions s;
    struct query_facets on;
    if (query_facets(a, p->plan, &on, NULL) != STATUS_OK)
        return list;
    query_suggestions(a, p->plan, &on, &s);
    if (!s.count)
        return list;
    table_page_count(p);
    int64_t rows = p->count_truncated ? COUNT_LIMIT + 1 : p->count;
    if (rows < 0 && fetch_integer(rq, rq->conn, s.row_count_sql, p->plan->params, p->plan->param_count,
                                  rq->site->config.settings.facet_suggest_time_limit_ms, &rows, NULL) != STATUS_OK)
        return list;
    struct spending so_far = {.key = figure_key(a, p->plan->facet_sql, p->plan->params, p->plan->param_count),
                              .facet_size = arena_i64(a, s.facet_size)};
    for (size_t i = 0; i < s.count; i++) {
        const struct query_suggestion *c = &s.items[i];
        if (!accepted(p, &s, c, rows, &so_far))
            continue;
        struct value d = value_dict(a);
        VALUE_SET(d, "name", value_str(c->column));
        VALUE_SET(d, "toggle_url", value_str(query_suggestion_url(a, p->plan, c)));
        if (c->kind != QUERY_FACET_COLUMN)
            VALUE_SET(d, "type", value_cstr(query_facet_type(c->kind)));
        value_push(list, d);
    }
    return list;
}
