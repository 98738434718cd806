/* SPDX-License-Identifier: Apache-2.0 */
#include "site/figures.h"

#include "base/clock.h"
#include "base/limits.h"
#include "site/count_file.h"

str figure_key(struct arena *a, str sql, const struct query_param *params, size_t param_count)
{
    str *parts = ARENA_ARRAY(a, str, param_count * 2 + 1);
    parts[0] = sql;
    for (size_t i = 0; i < param_count; i++) {
        str text = value_to_str(a, params[i].value);
        parts[1 + i * 2] = arena_printf(a, "\n%d %zu ", (int)params[i].value.kind, text.n);
        parts[2 + i * 2] = text;
    }
    return arena_concat(a, parts, param_count * 2 + 1);
}

struct figure_found {
    struct figure_found *next;
    str key;
    struct rowset rows;
};

/* The signature is read once a request, since a page looks for some thirty figures and each costs four system calls:
 * what it shows is then true of the moment it began, also when the data changes meanwhile. */
static bool begin(struct request *rq)
{
    if (rq->seen_of != rq->db) {
        figures_flush(rq);
        rq->seen_of = NULL;
        if (database_signature(rq->db->database, &rq->seen, NULL) != STATUS_OK)
            return false;
        rq->seen_of = rq->db;
    }
    return true;
}

enum figure_state figure_look(struct request *rq, str key, struct rowset *ret)
{
    if (!begin(rq))
        return FIGURE_NONE;
    for (const struct figure_found *found = rq->found; found; found = found->next)
        if (str_eq(found->key, key)) {
            *ret = found->rows;
            return FIGURE_EXACT;
        }
    return figure_store_get(rq->db->figures, &rq->seen, key, rq->arena, ret);
}

enum figure_state figure_look_integer(struct request *rq, str key, int64_t *ret)
{
    struct rowset r;
    enum figure_state state = figure_look(rq, key, &r);
    if (state != FIGURE_NONE)
        *ret = r.cells[0].i;
    return state;
}

void figure_keep(struct request *rq, str key, const struct rowset *rows)
{
    if (rq->seen_of != rq->db) /* who did not look does not know of which data this is */
        return;
    struct figure_found *found = ARENA_NEW(rq->arena, struct figure_found);
    *found = (struct figure_found){rq->found, key, *rows};
    rq->found = found;
}

void figures_flush(struct request *rq)
{
    struct db_signature now;
    if (rq->found && rq->seen_of && database_signature(rq->seen_of->database, &now, NULL) == STATUS_OK &&
        db_signature_equal(&rq->seen, &now))
        for (const struct figure_found *found = rq->found; found; found = found->next)
            figure_store_put(rq->seen_of->figures, &now, found->key, &found->rows);
    rq->found = NULL;
}

void figure_keep_integer(struct request *rq, str key, int64_t n)
{
    struct cell *cell = ARENA_NEW(rq->arena, struct cell);
    *cell = (struct cell){.kind = CELL_INT, .i = n};
    const struct rowset rows = {.column_count = 1, .cells = cell, .row_count = 1};
    figure_keep(rq, key, &rows);
}

/* ---- in the background ---- */

struct job {
    struct arena *arena; /* owns the job */
    struct published *db;
    const atomic_bool *stopping;
    str key, sql;
    str table; /* its rows are counted; empty = another figure */
    struct internal *internal;
    struct query_param *params;
    size_t param_count, max_rows;
};

static void job_free(struct job *j)
{
    published_unref(j->db);
    arena_free(j->arena);
}

/* Keeps what it found as exact when the data stayed the same from before to after, else as an estimate. */
static enum status work(struct job *j, struct db_signature *ret_before)
{
    struct db_signature after;
    struct rowset rows;
    struct conn *c;
    enum status st = database_signature(j->db->database, ret_before, NULL);
    if (st == STATUS_OK)
        st = conn_acquire(j->db->database, &c, NULL);
    if (st != STATUS_OK)
        return st;
    conn_deadline(c, clock_mono_us() + LIMIT_FIGURE_TIME_MS * 1000, j->stopping);
    st = fetch_on(j->arena, c, j->sql, j->params, j->param_count, &(struct fetch_limits){.max_rows = j->max_rows},
                  &rows, NULL);
    conn_release(c);
    if (st != STATUS_OK)
        return st;
    st = database_signature(j->db->database, &after, NULL);
    if (st == STATUS_OK) {
        if (!db_signature_equal(ret_before, &after))
            after = (struct db_signature){{0}};
        figure_store_put(j->db->figures, &after, j->key, &rows);
        if (j->table.n && rows.cells[0].i >= COUNT_FILE_LEAST)
            count_file_put(j->internal, j->db, &after, j->table, rows.cells[0].i);
    }
    return st;
}

static void run(void *arg, struct worker *w)
{
    struct job *j = arg;
    struct db_signature before = {{0}};
    int64_t begun = clock_mono_us();
    (void)w;
    if (!atomic_load(j->stopping)) {
        enum status st = work(j, &before);
        int64_t now = clock_mono_us();
        figure_store_settle(j->db->figures, &before, j->key, st != STATUS_OK, now - begun, now);
    }
    job_free(j);
}

static void want(struct request *rq, str key, str sql, str table, const struct query_param *params, size_t param_count,
                 size_t max_rows)
{
    int64_t mono = clock_mono_us();
    rq->response_varies = true;
    if (!begin(rq) || !figure_store_claim(rq->db->figures, &rq->seen, key, mono))
        return;
    struct arena *a = arena_new(LIMIT_FIGURE_ARENA);
    struct job *j = ARENA_NEW(a, struct job);
    *j = (struct job){.arena = a,
                      .db = published_ref(rq->db),
                      .stopping = &rq->site->shared->stopping,
                      .key = arena_str(a, key),
                      .sql = arena_str(a, sql),
                      .table = arena_str(a, table),
                      .internal = rq->site->internal,
                      .params = ARENA_ARRAY(a, struct query_param, param_count + 1),
                      .param_count = param_count,
                      .max_rows = max_rows};
    for (size_t i = 0; i < param_count; i++)
        j->params[i] = (struct query_param){arena_str(a, params[i].name), value_copy(a, params[i].value)};
    if (!pool_submit(rq->site->pool, LANE_FIGURES, run, j)) { /* busy: the next page asks again */
        figure_store_settle(rq->db->figures, &rq->seen, key, false, 0, mono);
        job_free(j);
    }
}

void figure_want(struct request *rq, str key, str sql, const struct query_param *params, size_t param_count,
                 size_t max_rows)
{
    want(rq, key, sql, STR(""), params, param_count, max_rows);
}

/* ---- counts of tables ---- */

str figure_count_key(struct arena *a, str table)
{
    return ARENA_CAT(a, STR("select count(*) from "), query_identifier(a, table), STR(" "));
}

static void take_over(void *arg, str table, const struct db_signature *as_of, int64_t count)
{
    struct request *rq = arg;
    struct cell cell = {.kind = CELL_INT, .i = count};
    const struct rowset rows = {.column_count = 1, .cells = &cell, .row_count = 1};
    figure_store_put(rq->db->figures, as_of, figure_count_key(rq->arena, table), &rows);
}

enum figure_state figure_look_left_count(struct request *rq, str table, int64_t *ret)
{
    if (atomic_exchange(&rq->db->counts_read, true))
        return FIGURE_NONE;
    count_file_read(rq->site->internal, rq->db, take_over, rq);
    return figure_look_integer(rq, figure_count_key(rq->arena, table), ret);
}

void figure_want_count(struct request *rq, str table)
{
    str sql = figure_count_key(rq->arena, table);
    want(rq, sql, sql, table, NULL, 0, 1);
}
