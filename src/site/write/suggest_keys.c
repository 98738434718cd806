/* SPDX-License-Identifier: Apache-2.0 */
/* suggest_keys — GET /DB/TABLE/-/foreign-key-suggestions: for each column the tables whose single key it may point at
 * (options), and those in which all values of a sample are found (suggestions). Bounded by time: 50 ms a look-up,
 * 200 ms all of them. */
#include <stdlib.h>

#include "base/clock.h"
#include "site/tables.h"
#include "site/view/view.h"
#include "site/write/column_types.h"
#include "site/write/write.h"

#define SAMPLE_ROWS    500
#define LOOKUP_TIME_MS 50
#define TOTAL_TIME_MS  200

struct target {
    str table, column, type;
    const char *affinity;
};

struct source {
    const struct schema_column *column;
    const char *affinity;
    struct target *options; /* fitting ones; those whose name matches first */
    size_t option_count;
    struct value suggestions;
    struct query_param *values; /* distinct ones of the sample */
    size_t value_count;
};

struct search {
    struct request *rq;
    const struct schema_table *table;
    struct target *targets;
    size_t target_count;
    struct source *sources;
    size_t source_count;
    int64_t sampled_rows, checked;
    bool timed_out;
};

static str upper(struct arena *a, str s)
{
    char *out = arena_alloc_raw(a, s.n + 1);
    for (size_t i = 0; i < s.n; i++)
        out[i] = s.p[i] >= 'a' && s.p[i] <= 'z' ? (char)(s.p[i] - 32) : s.p[i];
    return str_make(out, s.n);
}

static const char *affinity_of(str type)
{
    static const char *const names[][2] = {
        {"INTEGER", "integer"}, {"TEXT", "text"}, {"BLOB", "blob"}, {"REAL", "real"}, {"NUMERIC", "numeric"}};
    const char *sqlite_type = column_sqlite_type(type);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(sqlite_type, names[i][0]) == 0)
            return names[i][1];
    return "numeric";
}

static bool is_numeric(const char *affinity)
{
    return strcmp(affinity, "integer") == 0 || strcmp(affinity, "real") == 0 || strcmp(affinity, "numeric") == 0;
}

static bool fits(const char *from, const char *to)
{
    if (strcmp(from, to) == 0)
        return true;
    bool loose = strcmp(from, "numeric") == 0 || strcmp(to, "numeric") == 0;
    return loose && is_numeric(from) && is_numeric(to);
}

static bool is_joined(str name, str first, str second)
{
    return name.n == first.n + 1 + second.n && str_eq_nocase(str_sub(name, 0, first.n), first) &&
           name.p[first.n] == '_' && str_eq_nocase(str_from(name, first.n + 1), second);
}

/* "owner_id" points at owner.id, owners.id. */
static bool names_match(struct arena *a, str column, const struct target *t)
{
    str one = t->table;
    if (str_ends(t->table, STR("ies")) && t->table.n > 3)
        one = ARENA_CAT(a, str_sub(t->table, 0, t->table.n - 3), STR("y"));
    else if (str_ends(t->table, STR("s")) && t->table.n > 1)
        one = str_sub(t->table, 0, t->table.n - 1);
    return is_joined(column, t->table, t->column) || is_joined(column, one, t->column);
}

static int by_name(const void *x, const void *y)
{
    return str_cmp(((const struct target *)x)->table, ((const struct target *)y)->table);
}

static void find_targets(struct search *s)
{
    const struct schema *schema = s->rq->schema;
    s->targets = ARENA_ARRAY(s->rq->arena, struct target, schema->table_count + 1);
    for (size_t i = 0; i < schema->table_count; i++) {
        const struct schema_table *t = &schema->tables[i];
        if (t == s->table || t->kind == SCHEMA_VIEW || t->pk_count != 1 || table_is_hidden(s->rq, t) ||
            !request_allowed(s->rq, ACTION_VIEW_TABLE, s->rq->db->name, t->name))
            continue;
        const struct schema_column *c = schema_column(t, t->pks[0]);
        if (c)
            s->targets[s->target_count++] =
                (struct target){t->name, c->name, upper(s->rq->arena, c->type), affinity_of(c->type)};
    }
    if (s->target_count)
        qsort(s->targets, s->target_count, sizeof *s->targets, by_name);
}

static void find_options(struct search *s)
{
    struct arena *a = s->rq->arena;
    s->sources = ARENA_ARRAY(a, struct source, s->table->column_count + 1);
    for (size_t i = 0; i < s->table->column_count; i++) {
        const struct schema_column *c = &s->table->columns[i];
        if (c->hidden)
            continue;
        struct source *src = &s->sources[s->source_count++];
        *src = (struct source){.column = c, .affinity = affinity_of(c->type), .suggestions = value_list(a)};
        src->options = ARENA_ARRAY(a, struct target, s->target_count + 1);
        for (int match = 1; match >= 0; match--)
            for (size_t k = 0; k < s->target_count; k++)
                if (fits(src->affinity, s->targets[k].affinity) && names_match(a, c->name, &s->targets[k]) == match)
                    src->options[src->option_count++] = s->targets[k];
    }
}

/* ---- the sample ---- */

static bool is_known(const struct source *src, const struct cell *c)
{
    for (size_t i = 0; i < src->value_count; i++)
        if (value_equal(src->values[i].value, cell_value(c)))
            return true;
    return false;
}

static enum status sample(struct search *s, struct err *err)
{
    struct request *rq = s->rq;
    struct arena *a = rq->arena;
    str *names = ARENA_ARRAY(a, str, s->source_count + 1);
    struct source **asked = ARENA_ARRAY(a, struct source *, s->source_count + 1);
    struct rowset rows;
    size_t n = 0;
    for (size_t i = 0; i < s->source_count; i++) {
        if (!s->sources[i].option_count)
            continue;
        asked[n] = &s->sources[i];
        names[n++] = query_quoted(a, s->sources[i].column->name);
    }
    if (!n)
        return STATUS_OK;
    struct fetch_limits limits = {.max_rows = SAMPLE_ROWS, .time_limit_ms = LOOKUP_TIME_MS};
    str sql = ARENA_CAT(a, STR("select "), write_join(a, names, n, STR(", ")), STR(" from "),
                        query_quoted(a, s->table->name), arena_printf(a, " limit %d", SAMPLE_ROWS));
    enum status st = fetch_rows(rq, rq->conn, sql, NULL, 0, &limits, &rows, err);
    if (st != STATUS_OK)
        return st;
    s->sampled_rows = (int64_t)rows.row_count;
    for (size_t i = 0; i < n; i++) {
        asked[i]->values = ARENA_ARRAY(a, struct query_param, rows.row_count + 1);
        for (size_t k = 0; k < rows.row_count; k++) {
            const struct cell *c = rowset_cell(&rows, k, i);
            if (c->kind == CELL_NULL || is_known(asked[i], c))
                continue;
            asked[i]->values[asked[i]->value_count] =
                (struct query_param){arena_printf(a, "v%zu", asked[i]->value_count), cell_value(c)};
            asked[i]->value_count++;
        }
    }
    return STATUS_OK;
}

/* Are all values keys of the target? */
static enum status all_there(struct search *s, const struct source *src, const struct target *t, int64_t limit_ms,
                             bool *ret, struct err *err)
{
    struct arena *a = s->rq->arena;
    str *marks = ARENA_ARRAY(a, str, src->value_count + 1);
    struct rowset rows;
    for (size_t i = 0; i < src->value_count; i++)
        marks[i] = ARENA_CAT(a, STR(":"), src->values[i].name);
    str column = query_quoted(a, t->column);
    str sql =
        ARENA_CAT(a, STR("select count(distinct "), column, STR(") from "), query_quoted(a, t->table), STR(" where "),
                  column, STR(" in ("), write_join(a, marks, src->value_count, STR(", ")), STR(")"));
    struct fetch_limits limits = {.max_rows = 1, .time_limit_ms = limit_ms};
    enum status st = fetch_rows(s->rq, s->rq->conn, sql, src->values, src->value_count, &limits, &rows, err);
    if (st == STATUS_OK)
        *ret = rowset_cell(&rows, 0, 0)->i == (int64_t)src->value_count;
    return st;
}

static void suggest(struct search *s, struct source *src, const struct target *t)
{
    struct arena *a = s->rq->arena;
    struct value d = value_dict(a), reasons = value_list(a);
    value_push(reasons, value_cstr("type_match"));
    value_push(reasons, value_cstr("sample_values_exist"));
    if (names_match(a, src->column->name, t))
        value_push(reasons, value_cstr("name_match"));
    VALUE_SET(d, "fk_table", value_str(t->table));
    VALUE_SET(d, "fk_column", value_str(t->column));
    VALUE_SET(d, "confidence", value_cstr("sampled"));
    VALUE_SET(d, "sampled_values", value_int((int64_t)src->value_count));
    VALUE_SET(d, "reasons", reasons);
    value_push(src->suggestions, d);
}

static enum status check_all(struct search *s, struct err *err)
{
    int64_t end_ms = clock_mono_us() / 1000 + TOTAL_TIME_MS;
    for (size_t i = 0; i < s->source_count; i++) {
        struct source *src = &s->sources[i];
        for (size_t k = 0; src->value_count && k < src->option_count; k++) {
            bool there = false;
            int64_t left_ms = end_ms - clock_mono_us() / 1000;
            if (left_ms <= 0)
                return err_set(err, STATUS_TIMEOUT, "out of time");
            enum status st = all_there(s, src, &src->options[k], MIN(left_ms, LOOKUP_TIME_MS), &there, err);
            if (st != STATUS_OK)
                return st;
            if (there)
                suggest(s, src, &src->options[k]);
            s->checked++;
        }
    }
    return STATUS_OK;
}

/* ---- answer ---- */

static struct value column_json(struct search *s, const struct source *src)
{
    struct arena *a = s->rq->arena;
    struct value d = value_dict(a), options = value_list(a), current = VALUE_NULL;
    const struct schema_fk *fk = schema_fk_on(s->table, src->column->name);
    if (fk) {
        current = value_dict(a);
        VALUE_SET(current, "fk_table", value_str(fk->other_table));
        VALUE_SET(current, "fk_column", value_str(fk->other_columns[0]));
    }
    for (size_t i = 0; i < src->option_count; i++) {
        struct value o = value_dict(a);
        VALUE_SET(o, "fk_table", value_str(src->options[i].table));
        VALUE_SET(o, "fk_column", value_str(src->options[i].column));
        VALUE_SET(o, "type", value_str(src->options[i].type));
        value_push(options, o);
    }
    VALUE_SET(d, "column", value_str(src->column->name));
    VALUE_SET(d, "type", value_str(upper(a, src->column->type)));
    VALUE_SET(d, "affinity", value_cstr(src->affinity));
    VALUE_SET(d, "current", current);
    VALUE_SET(d, "suggestions", src->suggestions);
    VALUE_SET(d, "options", options);
    return d;
}

static void respond(struct search *s)
{
    struct request *rq = s->rq;
    struct arena *a = rq->arena;
    struct value d = value_dict(a), check = value_dict(a), columns = value_list(a);
    bool attempted = false;
    for (size_t i = 0; i < s->source_count; i++) {
        attempted = attempted || s->sources[i].option_count;
        value_push(columns, column_json(s, &s->sources[i]));
    }
    VALUE_SET(check, "attempted", value_bool(attempted));
    VALUE_SET(check, "status", value_cstr(s->timed_out ? "timed_out" : attempted ? "completed" : "skipped"));
    VALUE_SET(check, "row_limit", value_int(SAMPLE_ROWS));
    VALUE_SET(check, "sampled_rows", value_int(s->sampled_rows));
    VALUE_SET(check, "checked_options", value_int(s->checked));
    VALUE_SET(d, "ok", value_bool(true));
    VALUE_SET(d, "database", value_str(rq->db->name));
    VALUE_SET(d, "table", value_str(s->table->name));
    VALUE_SET(d, "row_check", check);
    VALUE_SET(d, "columns", columns);
    respond_json(rq, 200, d);
}

static enum status search_keys(struct request *rq, struct err *err)
{
    const struct schema_table *t;
    struct search s = {.rq = rq};
    enum status st = request_open_database(rq, err);
    if (st == STATUS_OK)
        st = tables_find(rq, rq->params[1], &t, err);
    if (st == STATUS_OK && t->kind == SCHEMA_VIEW)
        return err_set(err, STATUS_INVALID, "Cannot suggest foreign keys for a view");
    if (st == STATUS_OK)
        st = write_require(rq, ACTION_ALTER_TABLE, rq->db->name, t->name, "Permission denied: need alter-table", err);
    if (st != STATUS_OK)
        return st;
    s.table = t;
    find_targets(&s);
    find_options(&s);
    st = sample(&s, err);
    if (st == STATUS_OK)
        st = check_all(&s, err);
    s.timed_out = st == STATUS_TIMEOUT;
    if (st != STATUS_OK && !s.timed_out)
        return st;
    respond(&s);
    return STATUS_OK;
}

enum status view_foreign_key_suggestions(struct request *rq, struct err *err)
{
    return write_end(rq, search_keys(rq, err), err);
}
