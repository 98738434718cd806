/* SPDX-License-Identifier: Apache-2.0 */
#include "site/fetch.h"
#include "site/trace.h"

#include "base/clock.h"
#include "base/utf8.h"
#include "codec/jwrite.h"
#include "db/stmt.h"

struct db_value fetch_db_value(struct value v)
{
    switch (v.kind) {
    case VALUE_INT:
        return (struct db_value){.kind = DB_INT, .i = v.i};
    case VALUE_BOOL:
        return (struct db_value){.kind = DB_INT, .i = v.b};
    case VALUE_FLOAT:
        return (struct db_value){.kind = DB_FLOAT, .f = v.f};
    case VALUE_STR:
    case VALUE_SAFE:
        return (struct db_value){.kind = DB_TEXT, .s = v.s};
    case VALUE_BYTES:
        return (struct db_value){.kind = DB_BLOB, .s = v.s};
    case VALUE_UNDEFINED:
    case VALUE_NONE:
    case VALUE_LIST:
    case VALUE_DICT:
    case VALUE_OBJECT:
        break;
    }
    return (struct db_value){.kind = DB_NULL};
}

/* Every parameter of the statement must have a value: a forgotten one would silently be NULL. Values without a name
 * are for the parameters by place. */
static enum status bind_all(struct stmt *s, const struct query_param *params, size_t count, struct err *err)
{
    int n = stmt_parameter_count(s);
    for (int i = 1; i <= n; i++) {
        str name = stmt_parameter_name(s, i);
        const struct query_param *found = NULL;
        for (size_t k = 0; name.n && k < count && !found; k++)
            if (str_eq(params[k].name, name))
                found = &params[k];
        if (!found && (size_t)i <= count && !params[i - 1].name.n)
            found = &params[i - 1];
        if (!found && name.n)
            return err_set(err, STATUS_SQL, "You did not supply a value for binding parameter :%.*s.", STR_ARG(name));
        if (!found)
            return err_set(err, STATUS_SQL, "Use named parameters such as :name, not ?");
        enum status st = stmt_bind(s, i, fetch_db_value(found->value), err);
        if (st != STATUS_OK)
            return st;
    }
    return STATUS_OK;
}

/* Texts and blobs stay SQLite's, unless they had to be repaired. `c` is written in place: pages have thousands. */
static void borrow_cell(struct arena *a, struct stmt *s, int column, struct cell *c)
{
    struct db_value v = stmt_column_value(s, column);
    c->label = c->s = (str){0};
    switch (v.kind) {
    case DB_INT:
        c->kind = CELL_INT;
        c->i = v.i;
        return;
    case DB_FLOAT:
        c->kind = CELL_FLOAT;
        c->f = v.f;
        return;
    case DB_TEXT:
        c->kind = CELL_TEXT;
        c->s = utf8_repair(a, v.s);
        return;
    case DB_BLOB:
        c->kind = CELL_BLOB;
        c->s = v.s;
        return;
    case DB_NULL:
        break;
    }
    c->kind = CELL_NULL;
}

static void read_cell(struct arena *a, struct stmt *s, int column, struct cell *c)
{
    borrow_cell(a, s, column, c);
    if (c->kind == CELL_TEXT || c->kind == CELL_BLOB)
        c->s = arena_str(a, c->s);
}

static void read_columns(struct arena *a, struct stmt *s, struct rowset *r)
{
    r->column_count = (size_t)stmt_column_count(s);
    r->columns = ARENA_ARRAY(a, str, r->column_count + 1);
    for (size_t i = 0; i < r->column_count; i++) {
        str name = stmt_column_name(s, (int)i), repaired = utf8_repair(a, name);
        r->columns[i] = repaired.p == name.p ? arena_str(a, name) : repaired;
    }
}

/* Room that the first rows get: a page of 100 rows does not move while it is read. */
#define FIRST_BYTES 65536

static size_t first_rows(size_t columns, size_t max_rows)
{
    return MIN(max_rows, MAX(16, FIRST_BYTES / (MAX(columns, 1) * sizeof(struct cell))));
}

static enum status read_rows(struct arena *a, struct stmt *s, size_t max_rows, struct rowset *r, struct err *err)
{
    size_t cap = 0, n = r->column_count;
    enum status st;
    while ((st = stmt_step(s, err)) == STATUS_AGAIN) {
        if (r->row_count == max_rows) {
            r->truncated = true;
            return STATUS_OK;
        }
        if (r->row_count == cap) {
            size_t grown = cap ? cap * 2 : first_rows(n, max_rows);
            r->cells = arena_grow(a, r->cells, cap * n * sizeof(*r->cells), grown * n * sizeof(*r->cells));
            cap = grown;
        }
        for (size_t i = 0; i < n; i++)
            read_cell(a, s, (int)i, &r->cells[r->row_count * n + i]);
        r->row_count++;
        if (arena_over(a)) {
            err_set(err, STATUS_TOO_LARGE, "The answer does not fit in memory");
            return err_hint(err, "Ask for fewer rows or columns, or export as CSV with _stream=1.");
        }
    }
    return st;
}

static enum status hand_over(struct arena *a, struct stmt *s, size_t max_rows, void (*each)(void *arg), void *arg,
                             struct rowset *r, struct err *err)
{
    struct cell *row = ARENA_ARRAY(a, struct cell, r->column_count + 1);
    enum status st;
    for (size_t n = 0; (st = stmt_step(s, err)) == STATUS_AGAIN; n++) {
        if (n == max_rows) {
            r->truncated = true;
            st = STATUS_OK;
            break;
        }
        for (size_t i = 0; i < r->column_count; i++)
            borrow_cell(a, s, (int)i, &row[i]);
        r->cells = row;
        r->row_count = 1;
        each(arg);
    }
    r->cells = NULL;
    r->row_count = 0;
    return st;
}

void fetch_deadline(struct request *rq, struct conn *conn, int64_t time_limit_ms)
{
    conn_deadline(conn, time_limit_ms ? clock_mono_us() + time_limit_ms * 1000 : 0, request_gone(rq));
}

static enum status prepare(struct conn *conn, str sql, const struct query_param *params, size_t param_count,
                           bool trusted, struct stmt **ret, struct err *err)
{
    struct stmt *s = NULL;
    enum status st = trusted ? conn_prepare_trusted(conn, sql, &s, err) : conn_prepare(conn, sql, &s, err);
    if (st == STATUS_OK)
        st = bind_all(s, params, param_count, err);
    if (st == STATUS_OK)
        *ret = s;
    else
        stmt_done(s);
    return st;
}

enum status fetch_on(struct arena *a, struct conn *conn, str sql, const struct query_param *params, size_t param_count,
                     const struct fetch_limits *limits, struct rowset *ret, struct err *err)
{
    struct stmt *s;
    struct rowset r = {0};
    enum status st = prepare(conn, sql, params, param_count, limits->trusted, &s, err);
    if (st != STATUS_OK)
        return st;
    read_columns(a, s, &r);
    st = read_rows(a, s, limits->max_rows, &r, err);
    stmt_done(s);
    if (st == STATUS_OK)
        *ret = r;
    return st;
}

enum status fetch_count(struct request *rq, struct conn *conn, str sql, const struct query_param *params,
                        size_t param_count, int64_t limit, int64_t time_limit_ms, int64_t *ret, bool *ret_all)
{
    struct stmt *s;
    int64_t n = 0;
    fetch_deadline(rq, conn, time_limit_ms);
    enum status st = prepare(conn, sql, params, param_count, false, &s, NULL);
    if (st != STATUS_OK)
        return st;
    do
        st = n < limit ? stmt_step(s, NULL) : STATUS_TIMEOUT;
    while (st == STATUS_AGAIN && ++n);
    stmt_done(s);
    if (st != STATUS_OK && st != STATUS_TIMEOUT)
        return st;
    *ret = n;
    *ret_all = st == STATUS_OK;
    return STATUS_OK;
}

static void too_long(enum status st, struct err *err)
{
    if (st != STATUS_TIMEOUT || !err)
        return;
    err_set(err, STATUS_TIMEOUT,
            "SQL query took too long. The time limit is controlled by the sql_time_limit_ms setting.");
    err_hint(err, "Narrow the query with a filter or a LIMIT.");
}

enum status fetch_rows(struct request *rq, struct conn *conn, str sql, const struct query_param *params,
                       size_t param_count, const struct fetch_limits *limits, struct rowset *ret, struct err *err)
{
    int64_t started = rq->trace ? clock_mono_us() : 0;
    fetch_deadline(rq, conn, limits->time_limit_ms);
    enum status st = fetch_on(rq->arena, conn, sql, params, param_count, limits, ret, err);
    trace_sql(rq, sql, params, param_count, started, st == STATUS_OK ? NULL : err ? err->text : status_text(st));
    too_long(st, err);
    return st;
}

enum status fetch_each(struct request *rq, struct conn *conn, str sql, const struct query_param *params,
                       size_t param_count, const struct fetch_limits *limits, void (*each)(void *arg), void *arg,
                       struct rowset *ret, struct err *err)
{
    struct stmt *s;
    fetch_deadline(rq, conn, limits->time_limit_ms);
    enum status st = prepare(conn, sql, params, param_count, limits->trusted, &s, err);
    if (st != STATUS_OK)
        return st;
    *ret = (struct rowset){0};
    read_columns(rq->arena, s, ret);
    st = hand_over(rq->arena, s, limits->max_rows, each, arg, ret, err);
    stmt_done(s);
    too_long(st, err);
    return st;
}

enum status fetch_integer(struct request *rq, struct conn *conn, str sql, const struct query_param *params,
                          size_t param_count, int64_t time_limit_ms, int64_t *ret, struct err *err)
{
    struct fetch_limits limits = {.max_rows = 1, .time_limit_ms = time_limit_ms};
    struct rowset r;
    enum status st = fetch_rows(rq, conn, sql, params, param_count, &limits, &r, err);
    if (st == STATUS_OK)
        *ret = r.row_count && r.column_count && r.cells[0].kind == CELL_INT ? r.cells[0].i : -1;
    return st;
}

static bool has_word(str sql, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= sql.n; i++)
        if ((sql.p[i] | 32) == word[0] && str_eq_nocase(str_sub(sql, i, i + n), str_make(word, n)))
            return true;
    return false;
}

static bool text_may_vary(str sql)
{
    static const char *const words[] = {"random",    "now",       "current_", "date", "time",
                                        "julianday", "unixepoch", "changes",  "uuid"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (has_word(sql, words[i]))
            return true;
    return false;
}

bool fetch_may_vary(const struct request *rq, str sql)
{
    if (text_may_vary(sql))
        return true;
    for (size_t i = 0; i < rq->schema->table_count; i++) {
        const struct schema_table *t = &rq->schema->tables[i];
        if (t->kind == SCHEMA_VIEW && has_word(sql, arena_cstr(rq->arena, t->name)) && text_may_vary(t->sql))
            return true;
    }
    return false;
}

const struct cell *rowset_cell(const struct rowset *r, size_t row, size_t column)
{
    return &r->cells[row * r->column_count + column];
}

size_t rowset_column(const struct rowset *r, str name)
{
    for (size_t i = 0; i < r->column_count; i++)
        if (str_eq(r->columns[i], name))
            return i;
    return (size_t)-1;
}

str cell_text(struct arena *a, const struct cell *c)
{
    switch (c->kind) {
    case CELL_INT:
        return arena_i64(a, c->i);
    case CELL_FLOAT:
        return value_to_str(a, value_float(c->f));
    case CELL_TEXT:
        return c->s;
    case CELL_BLOB:
        return value_to_str(a, value_bytes(c->s));
    case CELL_NULL:
        break;
    }
    return STR("None");
}

struct value cell_value(const struct cell *c)
{
    switch (c->kind) {
    case CELL_INT:
        return value_int(c->i);
    case CELL_FLOAT:
        return value_float(c->f);
    case CELL_TEXT:
        return value_str(c->s);
    case CELL_BLOB:
        return value_bytes(c->s);
    case CELL_NULL:
        break;
    }
    return VALUE_NULL;
}

bool cell_equal(const struct cell *a, const struct cell *b)
{
    if (a->kind == CELL_INT && b->kind == CELL_FLOAT)
        return (double)a->i == b->f;
    if (a->kind == CELL_FLOAT && b->kind == CELL_INT)
        return a->f == (double)b->i;
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case CELL_INT:
        return a->i == b->i;
    case CELL_FLOAT:
        return a->f == b->f;
    case CELL_TEXT:
    case CELL_BLOB:
        return str_eq(a->s, b->s);
    case CELL_NULL:
        break;
    }
    return true;
}
