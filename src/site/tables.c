/* SPDX-License-Identifier: Apache-2.0 */
#include "site/tables.h"

#include <stdlib.h>

#include "base/clock.h"
#include "db/count.h"
#include "db/history.h"
#include "site/figures.h"

struct value str_list(struct arena *a, const str *items, size_t count)
{
    struct value list = value_list(a);
    for (size_t i = 0; i < count; i++)
        value_push(list, value_str(items[i]));
    return list;
}

#define COUNT_ONE_MS 100 /* counting up to COUNT_LIMIT takes less than 1 ms unless the disk is asleep */
#define COUNT_ALL_MS 500 /* for all tables of a database together; then one millisecond each */

bool tables_only_inspected(const struct published *p)
{
    return !p->is_mutable && p->inspect_tables.kind == VALUE_DICT;
}

bool table_is_hidden(const struct request *rq, const struct schema_table *t)
{
    return t->hidden || value_truth(VALUE_GET(config_table(&rq->site->config, rq->db->name, t->name), "hidden"));
}

/* Counts up to COUNT_LIMIT + 1 rows, and keeps what that gives. *ret_all: it is the exact count. */
static void count_some(struct request *rq, const struct schema_table *t, int64_t time_limit_ms, bool keep,
                       struct row_count *ret, bool *ret_all)
{
    struct arena *a = rq->arena;
    str key = figure_count_key(a, t->name), least_key = ARENA_CAT(a, STR("at least "), key);
    int64_t n;
    *ret_all = false;
    if (keep && figure_look_integer(rq, least_key, &ret->count) == FIGURE_EXACT)
        return;
    str from = ARENA_CAT(a, STR("select 1 from "), query_identifier(a, t->name));
    if (fetch_count(rq, rq->conn, from, NULL, 0, COUNT_LIMIT + 1, time_limit_ms, &n, ret_all) != STATUS_OK)
        return;
    ret->count = n || *ret_all ? n : -1;
    if (keep && ret->count >= 0)
        figure_keep_integer(rq, *ret_all ? key : least_key, n);
}

/* What is not known at once is left to the background. */
static void count_now(struct request *rq, const struct schema_table *t, int64_t time_limit_ms, bool exact,
                      struct row_count *ret)
{
    int64_t n;
    bool all, keep = t->kind != SCHEMA_VIEW || !fetch_may_vary(rq, t->sql);
    enum figure_state state = keep ? figure_look_integer(rq, figure_count_key(rq->arena, t->name), &n) : FIGURE_NONE;
    if (state != FIGURE_EXACT) {
        count_some(rq, t, time_limit_ms, keep, ret, &all);
        if (all)
            return;
        if (keep && state == FIGURE_NONE)
            state = figure_look_left_count(rq, t->name, &n);
    }
    if (state == FIGURE_EXACT) {
        *ret = (struct row_count){n, false, -1};
        return;
    }
    if (state == FIGURE_OLD)
        ret->estimate = n;
    ret->truncated = ret->count > 0;
    if (exact && keep)
        figure_want_count(rq, t->name);
}

static bool inspected_count(const struct request *rq, const struct schema_table *t, int64_t *ret)
{
    struct value v = VALUE_GET(value_get(rq->db->inspect_tables, t->name), "count");
    if (v.kind == VALUE_INT)
        *ret = v.i;
    return v.kind == VALUE_INT;
}

void table_count(struct request *rq, const struct schema_table *t, int64_t time_limit_ms, bool exact,
                 struct row_count *ret)
{
    *ret = (struct row_count){-1, false, -1};
    if (!inspected_count(rq, t, &ret->count))
        count_now(rq, t, time_limit_ms, exact, ret);
}

enum status tables_list(struct request *rq, struct table_item **ret, size_t *ret_count, struct err *err)
{
    const struct schema *s = rq->schema;
    struct table_item *items = ARENA_ARRAY(rq->arena, struct table_item, s->table_count + 1);
    size_t n = 0;
    int64_t until = clock_mono_us() + COUNT_ALL_MS * 1000;
    for (size_t i = 0; i < s->table_count; i++) {
        const struct schema_table *t = &s->tables[i];
        if (!table_allowed(rq, t))
            continue;
        struct table_item *item = &items[n++];
        *item = (struct table_item){.table = t, .rows = {-1, false, -1}};
        item->hidden = table_is_hidden(rq, t);
        item->is_private = request_private(rq, ACTION_VIEW_TABLE, rq->db->name, t->name);
        int64_t left_ms = (until - clock_mono_us()) / 1000;
        if (tables_only_inspected(rq->db)) /* lists say what the file says, and nothing of other tables */
            inspected_count(rq, t, &item->rows.count);
        else if (t->kind != SCHEMA_VIEW)
            table_count(rq, t, CLAMP(left_ms, 1, COUNT_ONE_MS), !item->hidden, &item->rows);
        if (request_gone(rq) && atomic_load(request_gone(rq)))
            return err_set(err, STATUS_CANCELLED, "The client went away");
    }
    *ret = items;
    *ret_count = n;
    return STATUS_OK;
}

static int by_table_and_column(const void *x, const void *y)
{
    const struct table_link *a = x, *b = y;
    int c = str_cmp(a->other_table, b->other_table);
    c = c ? c : str_cmp(a->column, b->column);
    return c ? c : str_cmp(a->other_column, b->other_column);
}

size_t table_incoming(const struct request *rq, const struct schema_table *t, struct table_link **ret)
{
    struct table_link *links = ARENA_ARRAY(rq->arena, struct table_link, t->incoming_count + 1);
    size_t n = 0;
    for (size_t i = 0; i < t->incoming_count; i++) {
        const struct schema_incoming *in = &t->incoming[i];
        if (request_allowed(rq, ACTION_VIEW_TABLE, rq->db->name, in->other_table))
            links[n++] = (struct table_link){in->other_table, in->column, in->other_column};
    }
    qsort(links, n, sizeof *links, by_table_and_column);
    *ret = links;
    return n;
}

static size_t table_outgoing(struct arena *a, const struct schema_table *t, struct table_link **ret)
{
    struct table_link *links = ARENA_ARRAY(a, struct table_link, t->fk_count + 1);
    size_t n = 0;
    for (size_t i = 0; i < t->fk_count; i++)
        if (t->fks[i].count == 1)
            links[n++] = (struct table_link){t->fks[i].other_table, t->fks[i].columns[0], t->fks[i].other_columns[0]};
    qsort(links, n, sizeof *links, by_table_and_column);
    *ret = links;
    return n;
}

static struct value link_list(struct arena *a, const struct table_link *links, size_t count)
{
    struct value list = value_list(a);
    for (size_t i = 0; i < count; i++) {
        struct value k = value_dict(a);
        VALUE_SET(k, "other_table", value_str(links[i].other_table));
        VALUE_SET(k, "column", value_str(links[i].column));
        VALUE_SET(k, "other_column", value_str(links[i].other_column));
        value_push(list, k);
    }
    return list;
}

size_t table_columns(struct arena *a, const struct schema_table *t, const str **ret)
{
    str *names = ARENA_ARRAY(a, str, t->column_count + 1);
    for (size_t i = 0; i < t->column_count; i++)
        names[i] = t->columns[i].name;
    *ret = names;
    return t->column_count;
}

struct value table_column_list(struct arena *a, const struct schema_table *t)
{
    const str *names;
    size_t n = table_columns(a, t, &names);
    return str_list(a, names, n);
}

struct value table_foreign_keys(const struct request *rq, const struct schema_table *t)
{
    struct arena *a = rq->arena;
    struct value d = value_dict(a);
    struct table_link *in, *out;
    size_t in_count = table_incoming(rq, t, &in), out_count = table_outgoing(a, t, &out);
    struct value incoming = link_list(a, in, in_count), outgoing = link_list(a, out, out_count);
    VALUE_SET(d, "incoming", incoming);
    VALUE_SET(d, "outgoing", outgoing);
    return d;
}

/* Content table of an FTS table: the value of content=... in its CREATE statement, unquoted. Empty = it has its own. */
static str fts_content(str sql)
{
    for (size_t i = 0; i + 8 < sql.n; i++) {
        str rest = str_from(sql, i + 7);
        if (!str_eq_nocase(str_sub(sql, i, i + 7), STR("content")))
            continue;
        rest = str_trim(rest);
        if (!rest.n || rest.p[0] != '=')
            continue;
        rest = str_trim(str_from(rest, 1));
        char close = !rest.n ? 0 : rest.p[0] == '[' ? ']' : rest.p[0];
        size_t end = 0;
        if (close == '"' || close == '\'' || close == '`' || close == ']') {
            end = str_find_char(str_from(rest, 1), close);
            return end == STR_NPOS ? (str){0} : str_sub(rest, 1, end + 1);
        }
        while (end < rest.n && !strchr(",) \t\r\n", rest.p[end]))
            end++;
        return str_sub(rest, 0, end);
    }
    return (str){0};
}

static bool name_allowed(const struct request *rq, str name)
{
    const struct schema_table *t = schema_table(rq->schema, name); /* as SQLite compares names */
    return request_allowed(rq, ACTION_VIEW_TABLE, rq->db->name, t ? t->name : name);
}

bool table_source_allowed(const struct request *rq, const struct schema_table *t)
{
    const struct schema *s = rq->schema;
    str owner = history_owner(s, t->name);
    if (owner.n && !name_allowed(rq, owner))
        return false;
    str content = t->is_fts ? fts_content(t->sql) : (str){0};
    if (content.n && !name_allowed(rq, content))
        return false;
    for (size_t i = 0; t->is_shadow && i < s->table_count; i++) {
        const struct schema_table *fts = &s->tables[i];
        bool inner = fts->is_fts && fts != t && t->name.n > fts->name.n && str_starts(t->name, fts->name) &&
                     t->name.p[fts->name.n] == '_';
        if (inner && !(name_allowed(rq, fts->name) && table_source_allowed(rq, fts)))
            return false;
    }
    return true;
}

bool table_allowed(const struct request *rq, const struct schema_table *t)
{
    return request_allowed(rq, ACTION_VIEW_TABLE, rq->db->name, t->name) && table_source_allowed(rq, t);
}

enum status tables_open(struct request *rq, str name, const struct schema_table **ret, struct err *err)
{
    const struct schema_table *t = schema_table(rq->schema, name);
    bool exists = t && str_eq(t->name, name);
    if (exists ? !table_allowed(rq, t) : !request_allowed(rq, ACTION_VIEW_TABLE, rq->db->name, name))
        return err_set(err, STATUS_FORBIDDEN, "You do not have permission to view this table");
    return tables_find(rq, name, ret, err);
}

enum status tables_find(struct request *rq, str name, const struct schema_table **ret, struct err *err)
{
    const struct schema_table *t = schema_table(rq->schema, name);
    if (!t || !str_eq(t->name, name))
        return err_set(err, STATUS_NOT_FOUND, "Table not found");
    if (t->error.n) {
        err_set(err, STATUS_SQL, "%.*s cannot be read: %.*s", STR_ARG(name), STR_ARG(t->error));
        return err_hint(err, "Repair its definition in the database, or start with the extension it needs.");
    }
    *ret = t;
    return STATUS_OK;
}
