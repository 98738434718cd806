/* SPDX-License-Identifier: Apache-2.0 */
/* autocomplete — rows of a table whose key or label contains what was typed, for the foreign key fields of the
 * editing forms; and a page to try it.
 *
 * The first attempt scans the table under a time limit of its own. When that is not enough, rows whose first key column
 * begins with the text are looked up through the index; when even that is not, there are no suggestions. */
#include <stdlib.h>

#include "base/utf8.h"
#include "codec/url.h"
#include "site/fetch.h"
#include "site/labels.h"
#include "site/links.h"
#include "site/render/page.h"
#include "site/tables.h"
#include "site/view/resources.h"
#include "site/view/view.h"

#define TIME_LIMIT_MS  500
#define ROWS_MAX       10
#define TABLES_SCANNED 100 /* debug page */
#define TABLES_SHOWN   5

struct completion {
    struct request *rq;
    const struct schema_table *table;
    const str *pks; /* {"rowid"} without declared key */
    size_t pk_count;
    str label;       /* column; empty = none */
    size_t label_at; /* its place among the selected columns */
    str select;      /* columns as SQL */
    str q;
    struct query_param params[4];
    size_t param_count;
};

static const str rowid_pk[] = {{"rowid", 5}};

/* ---- SQL ---- */

/* For LIKE ... ESCAPE char(92): \ % _ with a backslash in front. */
static str escape_like(struct arena *a, str s)
{
    char *out = arena_alloc_raw(a, 2 * s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\\' || s.p[i] == '%' || s.p[i] == '_')
            out[n++] = '\\';
        out[n++] = s.p[i];
    }
    return str_make(out, n);
}

/* The least text above everything that begins with s; empty when there is none. */
static str prefix_end(struct arena *a, str s)
{
    while (s.n) {
        size_t at = s.n - 1, n;
        while (at && ((unsigned char)s.p[at] & 0xc0) == 0x80)
            at--;
        uint32_t code = utf8_decode(str_from(s, at), &n);
        if (code < 0x10ffff) {
            char next[4];
            n = utf8_encode(code == 0xd7ff ? 0xe000 : code + 1, next);
            return ARENA_CAT(a, str_sub(s, 0, at), str_make(next, n));
        }
        s.n = at;
    }
    return s;
}

static str like(struct arena *a, str column)
{
    return ARENA_CAT(a, query_identifier(a, column), STR(" like :like escape char(92)"));
}

static bool label_is_key(const struct completion *c)
{
    for (size_t i = 0; i < c->pk_count; i++)
        if (str_eq(c->pks[i], c->label))
            return true;
    return false;
}

static str key_columns(const struct completion *c)
{
    struct arena *a = c->rq->arena;
    str *parts = ARENA_ARRAY(a, str, c->pk_count);
    for (size_t i = 0; i < c->pk_count; i++)
        parts[i] = query_identifier(a, c->pks[i]);
    return query_join(a, parts, c->pk_count, STR(", "));
}

static str any_like(const struct completion *c)
{
    struct arena *a = c->rq->arena;
    str *parts = ARENA_ARRAY(a, str, c->pk_count + 1);
    size_t n = 0;
    for (size_t i = 0; i < c->pk_count; i++)
        parts[n++] = like(a, c->pks[i]);
    if (c->label.n && !label_is_key(c))
        parts[n++] = like(a, c->label);
    return query_join(a, parts, n, STR(" or "));
}

/* The exact key first, then matching labels, short ones before long ones. */
static str best_first(const struct completion *c)
{
    struct arena *a = c->rq->arena;
    str first_key = query_identifier(a, c->pks[0]), exact = STR(""), rank;
    if (c->pk_count == 1)
        exact = ARENA_CAT(a, STR("case when cast("), first_key, STR(" as text) = :q then 0 else 1 end, "));
    if (c->label.n) {
        str matches = like(a, c->label);
        rank = ARENA_CAT(a, STR("case when "), matches, STR(" then 0 else 1 end, case when "), matches,
                         STR(" then length(cast("), query_identifier(a, c->label), STR(" as text)) end"));
    } else {
        rank = ARENA_CAT(a, STR("length(cast("), first_key, STR(" as text))"));
    }
    return ARENA_CAT(a, exact, rank, STR(", "), key_columns(c));
}

static str newest_first(const struct completion *c)
{
    struct arena *a = c->rq->arena;
    str *parts = ARENA_ARRAY(a, str, c->pk_count);
    for (size_t i = 0; i < c->pk_count; i++)
        parts[i] = i ? query_identifier(a, c->pks[i]) : ARENA_CAT(a, query_identifier(a, c->pks[i]), STR(" desc"));
    return query_join(a, parts, c->pk_count, STR(", "));
}

static enum status select_rows(struct completion *c, str where, str order, struct rowset *ret, struct err *err)
{
    struct arena *a = c->rq->arena;
    struct fetch_limits limits = {.max_rows = ROWS_MAX, .time_limit_ms = TIME_LIMIT_MS};
    str sql = ARENA_CAT(a, STR("select "), c->select, STR(" from "), query_identifier(a, c->table->name),
                        STR(" where "), where, STR(" order by "), order, STR(" limit 10"));
    return fetch_rows(c->rq, c->rq->conn, sql, c->params, c->param_count, &limits, ret, err);
}

static enum status by_prefix(struct completion *c, struct rowset *ret, struct err *err)
{
    struct arena *a = c->rq->arena;
    str key = query_identifier(a, c->pks[0]), end = prefix_end(a, c->q);
    str where = ARENA_CAT(a, key, STR(" like :prefix escape char(92)"));
    if (end.n) {
        c->params[c->param_count++] = (struct query_param){STR("prefix_end"), value_str(end)};
        where = ARENA_CAT(a, key, STR(" >= :q and "), key, STR(" < :prefix_end and "), where);
    }
    return select_rows(c, where, key_columns(c), ret, err);
}

/* ---- the endpoint ---- */

static void prepare(struct completion *c)
{
    struct request *rq = c->rq;
    struct arena *a = rq->arena;
    c->pks = c->table->pk_count ? c->table->pks : rowid_pk;
    c->pk_count = c->table->pk_count ? c->table->pk_count : 1;
    c->label = label_column(rq, rq->schema, c->table->name);
    c->select = key_columns(c);
    c->label_at = c->pk_count;
    for (size_t i = 0; i < c->pk_count; i++)
        if (str_eq(c->pks[i], c->label))
            c->label_at = i;
    if (c->label.n && c->label_at == c->pk_count)
        c->select = ARENA_CAT(a, c->select, STR(", "), query_identifier(a, c->label));
    str escaped = escape_like(a, c->q);
    c->params[0] = (struct query_param){STR("q"), value_str(c->q)};
    c->params[1] = (struct query_param){STR("like"), value_str(like_containing(a, escaped))};
    c->params[2] = (struct query_param){STR("prefix"), value_str(ARENA_CAT(a, escaped, STR("%")))};
    c->param_count = 3;
}

static void respond_rows(struct completion *c, const struct rowset *r)
{
    struct arena *a = c->rq->arena;
    struct value d = value_dict(a), list = value_list(a);
    for (size_t i = 0; i < r->row_count; i++) {
        struct value item = value_dict(a), keys = value_dict(a);
        for (size_t k = 0; k < c->pk_count; k++)
            value_set(keys, c->pks[k], cell_value(rowset_cell(r, i, k)));
        VALUE_SET(item, "pks", keys);
        if (c->label.n)
            VALUE_SET(item, "label", cell_value(rowset_cell(r, i, c->label_at)));
        value_push(list, item);
    }
    VALUE_SET(d, "ok", value_bool(true));
    VALUE_SET(d, "rows", list);
    respond_json(c->rq, 200, d);
}

enum status view_autocomplete(struct request *rq, struct err *err)
{
    struct completion c = {.rq = rq, .q = request_arg(rq, "q")};
    struct rowset r = {0};
    enum status st = request_open_database(rq, err);
    if (st == STATUS_OK)
        st = tables_open(rq, rq->params[1], &c.table, err);
    if (st == STATUS_OK && c.table->kind == SCHEMA_VIEW)
        return err_set(err, STATUS_INVALID, "Autocomplete is only available for tables");
    if (st != STATUS_OK)
        return st;
    bool initial = !c.q.n && request_flag(rq, "_initial", false);
    if (c.q.n || initial) {
        prepare(&c);
        st = initial ? select_rows(&c, STR("1 = 1"), newest_first(&c), &r, err)
                     : select_rows(&c, any_like(&c), best_first(&c), &r, err);
        if (st == STATUS_TIMEOUT)
            st = by_prefix(&c, &r, err);
        if (st != STATUS_OK && st != STATUS_TIMEOUT)
            return st;
    }
    respond_rows(&c, &r);
    return STATUS_OK;
}

/* ---- the page to try it ---- */

static int by_table_name(const void *x, const void *y)
{
    const struct schema_table *const *a = x, *const *b = y;
    return str_cmp((*a)->name, (*b)->name);
}

struct suggestions {
    struct value list;
    size_t scanned;
};

static void suggest(struct request *rq, const struct schema_table *t, struct suggestions *s)
{
    struct arena *a = rq->arena;
    str label = label_column(rq, rq->schema, t->name), db = rq->db->name, table = arena_str(a, t->name);
    if (!label.n || !request_allowed(rq, ACTION_VIEW_TABLE, db, table))
        return;
    struct value d = value_dict(a);
    const struct url_pair pairs[] = {{STR("database"), db}, {STR("table"), table}};
    VALUE_SET(d, "database", value_str(db));
    VALUE_SET(d, "table", value_str(table));
    VALUE_SET(d, "label_column", value_str(arena_str(a, label)));
    VALUE_SET(d, "url", value_str(ARENA_CAT(a, link_path(rq, STR("-/debug/autocomplete?")), url_encode(a, pairs, 2))));
    value_push(s->list, d);
}

static void suggest_from(struct request *rq, struct suggestions *s)
{
    const struct schema_table **tables =
        ARENA_ARRAY(rq->arena, const struct schema_table *, rq->schema->table_count + 1);
    size_t n = 0;
    for (size_t i = 0; i < rq->schema->table_count; i++)
        if (rq->schema->tables[i].kind != SCHEMA_VIEW)
            tables[n++] = &rq->schema->tables[i];
    qsort(tables, n, sizeof *tables, by_table_name);
    for (size_t i = 0; i < n && s->scanned < TABLES_SCANNED && value_count(s->list) < TABLES_SHOWN; i++) {
        s->scanned++;
        suggest(rq, tables[i], s);
    }
}

static enum status suggestion_vars(struct request *rq, struct value d, struct err *err)
{
    struct suggestions s = {.list = value_list(rq->arena)};
    for (size_t i = 0; i < rq->site->published_count; i++) {
        if (s.scanned >= TABLES_SCANNED || value_count(s.list) >= TABLES_SHOWN)
            break;
        rq->db = rq->site->published[i];
        enum status st = request_connect(rq, err);
        if (st == STATUS_OK)
            suggest_from(rq, &s);
        request_disconnect(rq);
        rq->db = NULL;
        if (st == STATUS_CANCELLED)
            return st;
    }
    VALUE_SET(d, "suggestions", s.list);
    VALUE_SET(d, "scanned", value_int((int64_t)s.scanned));
    VALUE_SET(d, "reached_scan_limit", value_bool(s.scanned >= TABLES_SCANNED));
    return STATUS_OK;
}

static enum status table_vars(struct request *rq, str db, str table, struct value d, struct err *err)
{
    struct arena *a = rq->arena;
    const struct schema_table *t = NULL;
    rq->db = site_find(rq->site, db);
    enum status st = rq->db ? request_connect(rq, err) : STATUS_OK;
    if (st == STATUS_OK && rq->db)
        t = schema_table(rq->schema, table);
    if (t && (t->kind == SCHEMA_VIEW || !str_eq(t->name, table)))
        t = NULL;
    if (!db.n || !table.n)
        VALUE_SET(d, "error", value_cstr("Both database and table are required."));
    else if (st == STATUS_OK && !rq->db)
        VALUE_SET(d, "error", value_cstr("Database not found."));
    else if (st == STATUS_OK && !t)
        VALUE_SET(d, "error", value_cstr("Table not found."));
    if (st == STATUS_OK && t)
        st = request_require(rq, ACTION_VIEW_TABLE, db, table, NULL, err);
    if (st == STATUS_OK && t) {
        str label = label_column(rq, rq->schema, table);
        VALUE_SET(d, "autocomplete_url", value_str(ARENA_CAT(a, link_table(rq, db, table), STR("/-/autocomplete"))));
        VALUE_SET(d, "label_column", label.n ? value_str(arena_str(a, label)) : VALUE_NULL);
    }
    request_disconnect(rq);
    rq->db = NULL;
    return st;
}

enum status view_debug_autocomplete(struct request *rq, struct err *err)
{
    struct value d = value_dict(rq->arena);
    str db = request_arg(rq, "database"), table = request_arg(rq, "table");
    const str names[] = {STR("debug_autocomplete.html")};
    enum status st = request_require(rq, ACTION_VIEW_INSTANCE, (str){0}, (str){0}, NULL, err);
    if (st != STATUS_OK)
        return st;
    VALUE_SET(d, "database_name", text_or_none(db));
    VALUE_SET(d, "table_name", text_or_none(table));
    st = db.n || table.n ? table_vars(rq, db, table, d, err) : suggestion_vars(rq, d, err);
    return st == STATUS_OK ? page_respond(rq, 200, names, 1, d, false, err) : st;
}
