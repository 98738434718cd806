/* SPDX-License-Identifier: Apache-2.0 */
/* Replays recorded.inc (see make_recorded.py): what a real server answered for table pages, as far as the plan decides
 * it. */
#include "site/query/redirect.h"
#include "support.h"

struct recorded_table {
    const char *database, *name;
    bool is_view;
    const char *const *columns, *const *pks;
    const char *fts;
    const char *const *incoming; /* table, column, our column, ... NULL */
};

struct recorded {
    const char *id, *database, *table, *path, *query, *origin, *prefix, *config;
    int page_size, max_rows, facet_size;
    bool allow_facet, suggest_facets, may_execute_sql;
    int status;
    const char *sql, *link_sql, *params, *count_sql, *human, *hidden, *error, *location, *next, *next_url, *last,
        *facets, *suggested;
};

#include "recorded.inc"

static const struct recorded *now; /* the case being replayed, for messages */

static void same(const char *what, str got, const char *want)
{
    if (want && !str_is(got, want))
        test_fail(__FILE__, __LINE__, "%s: %s\n got: " STR_FMT "\nwant: %s", now->id, what, STR_ARG(got), want);
}

/* Runs of white space become one space: links were recorded that way. */
static str squeezed(struct arena *a, str s)
{
    char *out = arena_alloc(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        bool space = s.p[i] == ' ' || s.p[i] == '\n';
        if (!space || (n && out[n - 1] != ' '))
            out[n++] = space ? ' ' : s.p[i];
    }
    return str_make(out, n);
}

static const str *strings(struct arena *a, const char *const *list, size_t *ret_count)
{
    size_t count = 0;
    while (list[count])
        count++;
    str *out = ARENA_ARRAY(a, str, count + 1);
    for (size_t i = 0; i < count; i++)
        out[i] = str_of(list[i]);
    *ret_count = count;
    return out;
}

static const struct recorded_table *find_table(const char *database, str name)
{
    for (size_t i = 0; i < ARRAY_LEN(recorded_tables); i++)
        if (str_is(name, recorded_tables[i].name) && strcmp(database, recorded_tables[i].database) == 0)
            return &recorded_tables[i];
    return NULL;
}

static size_t columns_of(void *self, str table, const str **ret_columns)
{
    struct bench *b = self;
    const struct recorded_table *t = find_table(now->database, table);
    size_t count = 0;
    if (t)
        *ret_columns = strings(b->a, t->columns, &count);
    return count;
}

static void set_up(struct bench *b)
{
    const struct recorded_table *t = find_table(now->database, str_of(now->table));
    CHECK(t);
    bench_init(b);
    b->table.name = str_of(t->name);
    b->table.is_view = t->is_view;
    b->table.columns = strings(b->a, t->columns, &b->table.column_count);
    b->table.pks = strings(b->a, t->pks, &b->table.pk_count);
    b->table.use_rowid = b->table.pk_count == 0 && !t->is_view;
    b->table.fts_table = str_of(t->fts);
    b->table.columns_of = columns_of;
    b->table.self = b;
    size_t parts;
    const str *links = strings(b->a, t->incoming, &parts);
    struct query_incoming *incoming = ARENA_ARRAY(b->a, struct query_incoming, parts / 3 + 1);
    for (size_t i = 0; i + 2 < parts; i += 3)
        incoming[i / 3] = (struct query_incoming){links[i], links[i + 1], links[i + 2]};
    b->table.incoming = incoming;
    b->table.incoming_count = parts / 3;
    bench_config(b, now->config);
    b->settings =
        (struct query_settings){now->page_size, now->max_rows, now->facet_size, now->allow_facet, now->suggest_facets};
    b->request.path = str_of(now->path);
    b->request.origin = str_of(now->origin);
    b->request.prefix = str_of(now->prefix);
    b->request.may_execute_sql = now->may_execute_sql;
}

static void check_next(struct bench *b, const struct query_plan *plan)
{
    struct value row = bench_value(b->a, now->last);
    struct value *cells = ARENA_ARRAY(b->a, struct value, plan->column_count + 1);
    for (size_t i = 0; i < plan->column_count; i++) {
        cells[i] = row.kind == VALUE_LIST ? value_at(row, i) : value_get(row, plan->columns[i]);
        if (cells[i].kind == VALUE_DICT)
            cells[i] = VALUE_GET(cells[i], "value");
    }
    struct query_next next;
    query_next(b->a, plan, plan->page_size + 1, cells, VALUE_NULL, &next);
    CHECK(next.has);
    same("next", next.token, now->next);
    same("next_url", next.url, now->next_url);
}

static void check_facets(struct bench *b, const struct query_plan *plan)
{
    struct query_facets facets;
    struct value want = bench_value(b->a, now->facets);
    if (query_facets(b->a, plan, &facets, &b->err) != STATUS_OK)
        test_fail(__FILE__, __LINE__, "%s: %s", now->id, b->err.text);
    CHECK_INT(facets.count, value_count(want));
    for (size_t i = 0; i < facets.count; i++) {
        const struct query_facet *f = &facets.items[i];
        struct value_entry *entry = &want.dict->entries[i];
        CHECK_STRS(f->key, entry->key);
        CHECK_STRS(f->column, VALUE_GET(entry->value, "name").s);
        CHECK_STRS(str_of(query_facet_type(f->kind)), VALUE_GET(entry->value, "type").s);
        CHECK_STRS(f->toggle_url, VALUE_GET(entry->value, "toggle_url").s);
        CHECK(f->hideable == VALUE_GET(entry->value, "hideable").b);
        struct value results = VALUE_GET(entry->value, "results");
        CHECK((int64_t)value_count(results) <= facets.size);
        if (VALUE_GET(entry->value, "truncated").b)
            CHECK_INT(value_count(results), facets.size);
        for (size_t k = 0; k < value_count(results); k++) {
            struct value item = value_at(results, k);
            struct query_facet_value v;
            query_facet_value(b->a, plan, f, VALUE_GET(item, "value"), &v);
            CHECK_STRS(v.toggle_url, VALUE_GET(item, "toggle_url").s);
            CHECK(v.selected == VALUE_GET(item, "selected").b);
        }
    }
}

/* Every recorded suggestion is among the candidates, in their order. */
static void check_suggested(struct bench *b, const struct query_plan *plan)
{
    struct query_facets facets;
    struct query_suggestions s;
    struct value want = bench_value(b->a, now->suggested);
    CHECK(query_facets(b->a, plan, &facets, &b->err) == STATUS_OK);
    query_suggestions(b->a, plan, &facets, &s);
    size_t at = 0;
    for (size_t i = 0; i < value_count(want); i++, at++) {
        struct value type = VALUE_GET(value_at(want, i), "type");
        while (at < s.count &&
               !(str_eq(s.items[at].column, VALUE_GET(value_at(want, i), "name").s) &&
                 str_is(value_is_text(type) ? type.s : STR("column"), query_facet_type(s.items[at].kind))))
            at++;
        if (at == s.count)
            test_fail(__FILE__, __LINE__, "%s: suggestion %zu is no candidate", now->id, i);
        CHECK_STRS(query_suggestion_url(b->a, plan, &s.items[at]), VALUE_GET(value_at(want, i), "toggle_url").s);
    }
    if (value_count(want) == 0 && !now->suggest_facets)
        CHECK_INT(s.count, 0);
}

static str hidden_args(struct bench *b, const struct query_plan *plan)
{
    struct value list = value_list(b->a);
    for (size_t i = 0; i < plan->form_hidden_arg_count; i++) {
        struct value pair = value_list(b->a);
        value_push(pair, value_str(plan->form_hidden_args[i].key));
        value_push(pair, value_str(plan->form_hidden_args[i].value));
        value_push(list, pair);
    }
    return bench_json(b->a, list);
}

static void check_plan(struct bench *b)
{
    const struct query_plan *plan = bench_plan(b, now->query);
    if (now->error) {
        if (plan)
            test_fail(__FILE__, __LINE__, "%s: planned, should be refused: %s", now->id, now->error);
        same("error", str_of(b->err.text), now->error);
        CHECK_INT(status_http(b->err.status), now->status);
        return;
    }
    if (!plan)
        test_fail(__FILE__, __LINE__, "%s: refused: %s", now->id, b->err.text);
    same("sql", plan->sql, now->sql);
    same("SQL of the link", squeezed(b->a, plan->sql), now->link_sql);
    same("params", bench_params(b, plan), now->params);
    same("count_sql", plan->count_sql, now->count_sql);
    same("human_description_en", plan->human, now->human);
    if (now->hidden)
        same("form_hidden_args", hidden_args(b, plan), now->hidden);
    if (now->next)
        check_next(b, plan);
    if (now->facets)
        check_facets(b, plan);
    if (now->suggested)
        check_suggested(b, plan);
}

TEST(query_recorded_pages)
{
    CHECK(ARRAY_LEN(recorded_cases) > 100);
    for (size_t i = 0; i < ARRAY_LEN(recorded_cases); i++) {
        struct bench b;
        str location;
        now = &recorded_cases[i];
        set_up(&b);
        b.request.raw = str_of(now->query);
        CHECK(args_parse(b.a, b.request.raw, &b.request.args, &b.err) == STATUS_OK);
        bool redirect = query_redirect(b.a, &b.request, &location);
        CHECK(redirect == (now->location != NULL));
        if (redirect)
            same("location", location, now->location);
        else
            check_plan(&b);
        bench_release(&b);
    }
}
