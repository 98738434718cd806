/* SPDX-License-Identifier: Apache-2.0 */
/* view/history — the changes of a table or of one row: page, JSON; of a table also CSV, Atom and whatever rows can be
 * had as. */
#include "site/history.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "codec/jwrite.h"
#include "db/stmt.h"
#include "site/links.h"
#include "site/render/formats.h"
#include "site/render/page.h"
#include "site/tables.h"
#include "site/view/view.h"
#include "site/write/history.h"

#define PAGE_SIZE 50

struct history_page {
    struct request *rq;
    const struct schema_table *table;
    struct history_info info;
    struct history_query query;
    bool of_row;
};

static enum status read_number(const struct request *rq, const char *name, int64_t max, int64_t *ret, struct err *err)
{
    str text = request_arg(rq, name);
    if (text.n && (!str_to_i64(text, ret) || *ret < 1 || *ret > max))
        return err_set(err, STATUS_INVALID, "%s must be a number from 1 to %lld", name, (long long)max);
    return STATUS_OK;
}

static enum status open_page(struct history_page *p, struct err *err)
{
    struct request *rq = p->rq;
    int64_t size = PAGE_SIZE;
    enum status st = request_open_database(rq, err);
    if (st == STATUS_OK)
        st = tables_open(rq, rq->params[1], &p->table, err);
    if (st == STATUS_OK && !history_may_see(rq, p->table))
        st = err_set(err, STATUS_FORBIDDEN, "You do not have permission to view this history");
    if (st == STATUS_OK)
        st = history_look(rq->conn, rq->arena, p->table->name, &p->info, err);
    if (st == STATUS_OK && p->of_row)
        st = history_key(rq, &p->info, rq->params[2], &p->query.keys, err);
    if (st == STATUS_OK)
        st = read_number(rq, "_size", rq->site->config.settings.max_returned_rows, &size, err);
    if (st == STATUS_OK)
        st = read_number(rq, "_next", INT64_MAX, &p->query.below, err);
    p->query.limit = (size_t)size;
    p->query.op = request_arg(rq, "op");
    p->query.who = request_arg(rq, "who");
    return st;
}

static str next_path(const struct history_page *p, int64_t next)
{
    return link_this_replaced(p->rq, "_next", arena_printf(p->rq->arena, "%lld", (long long)next).p);
}

static void put_common(const struct history_page *p, struct value d)
{
    struct request *rq = p->rq;
    struct arena *a = rq->arena;
    VALUE_SET(d, "ok", value_bool(true));
    VALUE_SET(d, "database", value_str(rq->db->name));
    VALUE_SET(d, "table", value_str(p->table->name));
    VALUE_SET(d, "primary_keys", str_list(a, p->info.shape.keys, p->info.shape.key_count));
    VALUE_SET(d, "enabled", value_bool(p->info.enabled));
    VALUE_SET(d, "complete", value_bool(p->info.current));
    VALUE_SET(d, "problem",
              p->info.why
                  ? value_str(ARENA_CAT(a, p->info.column, p->info.column.n ? STR(": ") : STR(""), str_of(p->info.why)))
                  : VALUE_NULL);
}

static enum status respond_as_json(struct history_page *p, struct err *err)
{
    struct request *rq = p->rq;
    struct value d = value_dict(rq->arena), list;
    int64_t next;
    enum status st = history_values(rq, &p->info, &p->query, &list, &next, err);
    if (st != STATUS_OK)
        return st;
    put_common(p, d);
    VALUE_SET(d, "changes", list);
    VALUE_SET(d, "next", next ? value_int(next) : VALUE_NULL);
    VALUE_SET(d, "next_url", next ? value_str(request_absolute_url(rq, next_path(p, next))) : VALUE_NULL);
    respond_json(rq, 200, d);
    return STATUS_OK;
}

static enum status respond_as_html(struct history_page *p, struct err *err)
{
    struct request *rq = p->rq;
    struct arena *a = rq->arena;
    struct value d = value_dict(a), list;
    int64_t next;
    str base = p->of_row ? link_row(rq, rq->db->name, p->table->name, rq->params[2])
                         : link_table(rq, rq->db->name, p->table->name);
    enum status st = history_display(rq, &p->info, &p->query, &list, &next, err);
    if (st != STATUS_OK)
        return st;
    put_common(p, d);
    VALUE_SET(d, "database_color", value_cstr(rq->db->color));
    VALUE_SET(d, "changes", list);
    VALUE_SET(d, "next_url", next ? value_str(next_path(p, next)) : VALUE_NULL);
    VALUE_SET(d, "of_row", value_bool(p->of_row));
    VALUE_SET(d, "there", value_bool(p->info.there));
    VALUE_SET(d, "filtered", value_bool(p->query.op.n || p->query.who.n || p->query.below));
    VALUE_SET(d, "history_url", value_str(ARENA_CAT(a, base, STR("/-/history"))));
    VALUE_SET(d, "table_history_url",
              value_str(ARENA_CAT(a, link_table(rq, rq->db->name, p->table->name), STR("/-/history"))));
    VALUE_SET(d, "may_keep",
              value_bool(rq->db->writer && request_allowed(rq, ACTION_ALTER_TABLE, rq->db->name, p->table->name)));
    str *keys = ARENA_ARRAY(a, str, p->info.shape.key_count + 1);
    for (size_t i = 0; p->of_row && i < p->info.shape.key_count; i++)
        keys[i] = p->query.keys[i];
    VALUE_SET(d, "row_keys", p->of_row ? str_list(a, keys, p->info.shape.key_count) : VALUE_NULL);
    VALUE_SET(d, "row_url", p->of_row ? value_str(base) : VALUE_NULL);
    const str names[] = {STR("history.html")};
    return page_respond(rq, 200, names, 1, d, true, err);
}

/* ---- a table of changes, for CSV and the like ---- */

struct cells {
    struct arena *a;
    struct rowset rows;
    size_t at;
};

static void put_text(struct cells *c, str s)
{
    c->rows.cells[c->at++] =
        s.n ? (struct cell){.kind = CELL_TEXT, .s = utf8_repair(c->a, s)} : (struct cell){.kind = CELL_NULL};
}

static void put_db(struct cells *c, const struct db_value *v)
{
    struct cell *cell = &c->rows.cells[c->at++];
    *cell = (struct cell){.kind = CELL_NULL};
    if (!v || v->kind == DB_NULL)
        return;
    cell->kind = v->kind == DB_INT     ? CELL_INT
                 : v->kind == DB_FLOAT ? CELL_FLOAT
                 : v->kind == DB_TEXT  ? CELL_TEXT
                                       : CELL_BLOB;
    if (v->kind == DB_INT)
        cell->i = v->i;
    else if (v->kind == DB_FLOAT)
        cell->f = v->f;
    else
        cell->s = v->kind == DB_TEXT ? utf8_repair(c->a, v->s) : v->s;
}

static void make_rows(const struct history_page *p, const struct history_change *changes, size_t n, struct rowset *ret)
{
    static const char *const fixed[] = {"version", "at", "op", "who", "via"};
    const struct history_info *info = &p->info;
    struct arena *a = p->rq->arena;
    size_t columns = ARRAY_LEN(fixed) + info->shape.key_count + info->name_count * 2, k = 0;
    struct cells c = {.a = a};
    c.rows = (struct rowset){.columns = ARENA_ARRAY(a, str, columns),
                             .column_count = columns,
                             .cells = ARENA_ARRAY(a, struct cell, columns * n + 1),
                             .row_count = n};
    for (; k < ARRAY_LEN(fixed); k++)
        c.rows.columns[k] = str_of(fixed[k]);
    for (size_t i = 0; i < info->shape.key_count; i++)
        c.rows.columns[k++] = utf8_repair(a, ARENA_CAT(a, STR("row."), info->shape.keys[i]));
    for (int after = 0; after < 2; after++)
        for (size_t i = 0; i < info->name_count; i++)
            c.rows.columns[k++] = utf8_repair(a, ARENA_CAT(a, after ? STR("after.") : STR("before."), info->names[i]));
    for (size_t r = 0; r < n; r++) {
        const struct history_change *h = &changes[r];
        c.rows.cells[c.at++] = (struct cell){.kind = CELL_INT, .i = h->version};
        put_text(&c, h->at);
        put_text(&c, str_of(history_op_names[h->op]));
        put_text(&c, h->who);
        put_text(&c, h->via);
        for (size_t i = 0; i < info->shape.key_count; i++)
            put_db(&c, &h->keys[i]);
        for (size_t i = 0; i < info->name_count * 2; i++) {
            const struct db_value *side = i < info->name_count ? h->before : h->after;
            put_db(&c, side ? &side[i % info->name_count] : NULL);
        }
    }
    *ret = c.rows;
}

/* ---- a feed ---- */

static str key_text(struct arena *a, const struct history_page *p, const struct history_change *h)
{
    str text = {0};
    for (size_t i = 0; h->op <= HISTORY_DELETE && i < p->info.shape.key_count; i++) {
        const struct db_value *v = &h->keys[i];
        str one = v->kind == DB_INT    ? arena_printf(a, "%lld", (long long)v->i)
                  : v->kind == DB_TEXT ? utf8_repair(a, v->s)
                                       : STR("?");
        text = i ? ARENA_CAT(a, text, STR(", "), one) : one;
    }
    return text;
}

static void put_side(struct buf *b, const struct db_value *v)
{
    switch (v->kind) {
    case DB_NULL:
        buf_puts(b, STR("null"));
        break;
    case DB_INT:
        buf_put_i64(b, v->i);
        break;
    case DB_FLOAT:
        jwrite_put_double(b, v->f);
        break;
    case DB_TEXT:
        utf8_put_repaired(b, str_sub(v->s, 0, utf8_offset(v->s, 500)));
        break;
    case DB_BLOB:
        buf_printf(b, "(binary, %zu bytes)", v->s.n);
        break;
    }
}

static str content_text(struct arena *a, const struct history_page *p, const struct history_change *h)
{
    struct buf b;
    buf_init(&b, LIMIT_JSON_OUTPUT);
    for (size_t i = 0; i < p->info.name_count; i++) {
        if (!history_differs(h, i))
            continue;
        buf_puts(&b, p->info.names[i]);
        buf_puts(&b, STR(": "));
        if (h->before)
            put_side(&b, &h->before[i]);
        if (h->before && h->after)
            buf_puts(&b, STR(" \xe2\x86\x92 "));
        if (h->after)
            put_side(&b, &h->after[i]);
        buf_putc(&b, '\n');
    }
    str text = arena_str(a, buf_str(&b));
    buf_release(&b);
    return text;
}

static void make_feed(const struct history_page *p, const struct history_change *changes, size_t n, struct rowset *ret)
{
    static const char *const verbs[] = {"added", "changed", "deleted", "recording began", "recording ended"};
    static const char *const columns[] = {"atom_id",   "atom_title",   "atom_updated",
                                          "atom_link", "atom_content", "atom_author_name"};
    struct request *rq = p->rq;
    struct arena *a = rq->arena;
    str base = request_absolute_url(rq, ARENA_CAT(a, link_table(rq, rq->db->name, p->table->name), STR("/-/history")));
    struct cells c = {.a = a};
    c.rows = (struct rowset){.columns = ARENA_ARRAY(a, str, ARRAY_LEN(columns)),
                             .column_count = ARRAY_LEN(columns),
                             .cells = ARENA_ARRAY(a, struct cell, ARRAY_LEN(columns) * n + 1),
                             .row_count = n};
    for (size_t i = 0; i < ARRAY_LEN(columns); i++)
        c.rows.columns[i] = str_of(columns[i]);
    for (size_t i = 0; i < n; i++) {
        const struct history_change *h = &changes[i];
        str key = key_text(a, p, h);
        put_text(&c, arena_printf(a, "%.*s#v%lld", STR_ARG(base), (long long)h->version));
        put_text(&c, key.n ? ARENA_CAT(a, p->table->name, STR(" "), key, STR(" "), str_of(verbs[h->op]))
                           : ARENA_CAT(a, p->table->name, STR(": "), str_of(verbs[h->op])));
        put_text(&c, h->at);
        put_text(&c, arena_printf(a, "%.*s#v%lld", STR_ARG(base), (long long)h->version));
        put_text(&c, content_text(a, p, h));
        put_text(&c, h->who.n ? h->who : h->via.n ? h->via : STR("another program"));
    }
    *ret = c.rows;
}

static enum status respond_as_rows(struct history_page *p, const struct format *f, struct err *err)
{
    struct request *rq = p->rq;
    struct history_change *changes = NULL;
    struct rowset rows;
    size_t n = 0;
    bool more;
    str name = ARENA_CAT(rq->arena, p->table->name, STR(" history"));
    enum status st = history_read(rq->conn, rq->arena, &p->info, &p->query, &changes, &n, &more, err);
    if (st != STATUS_OK)
        return st;
    if (str_is(rq->format, "atom"))
        make_feed(p, changes, n, &rows);
    else
        make_rows(p, changes, n, &rows);
    if (f->rows)
        return row_stream_rows(rq, &rows, name, NULL, f->rows, err);
    struct export x = {.rq = rq, .rows = &rows, .row_count = n, .name = name, .title = name};
    return f->respond(&x, err);
}

static enum status respond(struct history_page *p, struct err *err)
{
    str format = p->rq->format;
    const struct format *f = NULL;
    if (!format.n || str_is(format, "html"))
        return respond_as_html(p, err);
    if (str_is(format, "json"))
        return respond_as_json(p, err);
    enum status st = format_require(format, &f, err);
    if (st == STATUS_OK && !f->rows && !f->respond)
        return err_set(err, STATUS_NOT_FOUND, "Invalid format: %.*s", STR_ARG(format));
    return st == STATUS_OK ? respond_as_rows(p, f, err) : st;
}

enum status view_history(struct request *rq, struct err *err)
{
    struct history_page *p = ARENA_NEW(rq->arena, struct history_page);
    if (rq->http->method == HTTP_POST)
        return history_keep(rq, err);
    p->rq = rq;
    enum status st = open_page(p, err);
    return st == STATUS_OK ? respond(p, err) : st;
}

enum status view_row_history(struct request *rq, struct err *err)
{
    struct history_page *p = ARENA_NEW(rq->arena, struct history_page);
    p->rq = rq;
    p->of_row = true;
    enum status st = open_page(p, err);
    return st == STATUS_OK ? respond(p, err) : st;
}
