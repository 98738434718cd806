/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "codec/names.h"
#include "db/history.h"
#include "db/stmt.h"

#include "base/banned.h"

const char *const history_op_names[HISTORY_OPS] = {"insert", "update", "delete", "start", "stop"};

enum fixed_column { C_VERSION, C_AT, C_OP, C_WHO, C_VIA, C_FIRST_KEY };

struct span {
    size_t column;
    int64_t since, until; /* versions (since, until] */
};

struct reader {
    struct conn *c;
    struct arena *a;
    const struct history_info *info;
    VEC(struct span) spans;
    VEC(struct db_value) values; /* to bind */
    struct buf sql;
};

static void put_name(struct reader *r, const char *prefix, str name)
{
    name_quote(&r->sql, ARENA_CAT(r->a, str_of(prefix), name));
}

static void bind_later(struct reader *r, struct db_value v)
{
    VEC_PUSH(r->a, &r->values, v);
    buf_printf(&r->sql, "?%zu", r->values.count);
}

static enum status read_spans(struct reader *r, struct err *err)
{
    struct stmt *s = NULL;
    enum status st = conn_prepare_trusted(
        r->c, STR("SELECT name, since, until FROM " HISTORY_COLUMNS " WHERE history = ?1 COLLATE NOCASE"), &s, err);
    if (st == STATUS_OK)
        st = stmt_bind_text(s, 1, r->info->history, err);
    while (st == STATUS_OK && (st = stmt_step(s, err)) == STATUS_AGAIN) {
        struct span span = {.since = stmt_column_i64(s, 1), .until = stmt_column_i64(s, 2)};
        if (stmt_column_kind(s, 2) == DB_NULL)
            span.until = INT64_MAX;
        str name = stmt_column_text(s, 0);
        for (size_t i = 0; i < r->info->name_count; i++) {
            span.column = i;
            if (str_eq_nocase(r->info->names[i], name))
                VEC_PUSH(r->a, &r->spans, span);
        }
        st = STATUS_OK;
    }
    stmt_done(s);
    return st;
}

static void put_select(struct reader *r)
{
    const struct history_info *h = r->info;
    buf_puts(&r->sql, STR("SELECT version, at, op, who, via"));
    for (size_t i = 0; i < h->shape.key_count; i++) {
        buf_puts(&r->sql, STR(", "));
        put_name(r, "row.", h->shape.keys[i]);
    }
    for (int after = 0; after < 2; after++)
        for (size_t i = 0; i < h->name_count; i++) {
            buf_puts(&r->sql, STR(", "));
            put_name(r, after ? "after." : "before.", h->names[i]);
        }
    buf_puts(&r->sql, STR(" FROM "));
    name_quote(&r->sql, h->history);
    buf_puts(&r->sql, STR(" WHERE version > "));
}

/* Changes that left the row with this key, and those that took the key from it. */
static void put_row(struct reader *r, const str *keys)
{
    const struct history_info *h = r->info;
    for (int moved = 0; moved < 2; moved++) {
        buf_puts(&r->sql, moved ? STR(" UNION SELECT version FROM ") : STR(" AND version IN (SELECT version FROM "));
        name_quote(&r->sql, h->history);
        buf_puts(&r->sql, moved ? STR(" WHERE moved") : STR(" WHERE 1"));
        for (size_t i = 0; i < h->shape.key_count; i++) {
            buf_puts(&r->sql, STR(" AND "));
            put_name(r, moved ? "before." : "row.", h->shape.keys[i]);
            buf_puts(&r->sql, STR(" = "));
            bind_later(r, (struct db_value){.kind = DB_TEXT, .s = keys[i]});
        }
    }
    buf_puts(&r->sql, STR(")"));
}

static void put_text(struct reader *r, const char *before, str text)
{
    if (!text.n)
        return;
    buf_puts(&r->sql, str_of(before));
    bind_later(r, (struct db_value){.kind = DB_TEXT, .s = text});
}

static void put_query(struct reader *r, const struct history_query *q)
{
    put_select(r);
    bind_later(r, (struct db_value){.kind = DB_INT, .i = q->above > 0 ? q->above : 0});
    if (q->below) {
        buf_puts(&r->sql, STR(" AND version < "));
        bind_later(r, (struct db_value){.kind = DB_INT, .i = q->below});
    }
    if (q->version) {
        buf_puts(&r->sql, STR(" AND version = "));
        bind_later(r, (struct db_value){.kind = DB_INT, .i = q->version});
    }
    put_text(r, " AND op = ", q->op);
    put_text(r, " AND who = ", q->who);
    if (q->keys)
        put_row(r, q->keys);
    buf_puts(&r->sql, STR(" ORDER BY version DESC LIMIT "));
    bind_later(r, (struct db_value){.kind = DB_INT, .i = (int64_t)q->limit + 1});
}

static const struct db_value *take(struct reader *r, struct stmt *s, size_t from, size_t count)
{
    struct db_value *v = ARENA_ARRAY(r->a, struct db_value, count + 1);
    for (size_t i = 0; i < count; i++) {
        v[i] = stmt_column_value(s, (int)(from + i));
        if (v[i].kind == DB_TEXT || v[i].kind == DB_BLOB)
            v[i].s = arena_str(r->a, v[i].s);
    }
    return v;
}

static struct history_change read_change(struct reader *r, struct stmt *s)
{
    const struct history_info *h = r->info;
    size_t keys = h->shape.key_count, n = h->name_count;
    struct history_change c = {.version = stmt_column_i64(s, C_VERSION),
                               .at = arena_str(r->a, stmt_column_text(s, C_AT)),
                               .who = arena_str(r->a, stmt_column_text(s, C_WHO)),
                               .via = arena_str(r->a, stmt_column_text(s, C_VIA))};
    int op = 0;
    while (op < HISTORY_STOP && !str_is(stmt_column_text(s, C_OP), history_op_names[op]))
        op++;
    c.op = (enum history_op)op;
    c.keys = take(r, s, C_FIRST_KEY, keys);
    if (c.op == HISTORY_UPDATE || c.op == HISTORY_DELETE)
        c.before = take(r, s, C_FIRST_KEY + keys, n);
    if (c.op == HISTORY_UPDATE || c.op == HISTORY_INSERT)
        c.after = take(r, s, C_FIRST_KEY + keys + n, n);
    bool *recorded = ARENA_ARRAY(r->a, bool, n + 1);
    for (size_t i = 0; i < r->spans.count; i++) {
        const struct span *span = &r->spans.items[i];
        if (c.version > span->since && c.version <= span->until)
            recorded[span->column] = true;
    }
    c.recorded = recorded;
    return c;
}

static enum status run(struct reader *r, const struct history_query *q, struct history_change **ret, size_t *ret_count,
                       bool *ret_more, struct err *err)
{
    struct stmt *s = NULL;
    VEC(struct history_change) found = {0};
    put_query(r, q);
    enum status st = r->sql.over ? err_set(err, STATUS_TOO_LARGE, "too many columns")
                                 : conn_prepare_trusted(r->c, buf_str(&r->sql), &s, err);
    for (size_t i = 0; st == STATUS_OK && i < r->values.count; i++)
        st = stmt_bind(s, (int)i + 1, r->values.items[i], err);
    *ret_more = false;
    while (st == STATUS_OK && (st = stmt_step(s, err)) == STATUS_AGAIN) {
        if (arena_over(r->a)) {
            st = err_set(err, STATUS_TOO_LARGE, "The changes are too large to be shown at once: ask for fewer");
            break;
        }
        st = STATUS_OK;
        if (found.count == q->limit) {
            *ret_more = true;
            break;
        }
        VEC_PUSH(r->a, &found, read_change(r, s));
    }
    stmt_done(s);
    if (st == STATUS_OK) {
        *ret = found.items;
        *ret_count = found.count;
    }
    return st;
}

enum status history_read(struct conn *c, struct arena *a, const struct history_info *info,
                         const struct history_query *q, struct history_change **ret, size_t *ret_count, bool *ret_more,
                         struct err *err)
{
    struct reader r = {.c = c, .a = a, .info = info};
    *ret_count = 0;
    *ret_more = false;
    if (!info->there)
        return STATUS_OK;
    buf_init(&r.sql, LIMIT_DB_SQL_BYTES);
    enum status st = read_spans(&r, err);
    if (st == STATUS_OK)
        st = run(&r, q, ret, ret_count, ret_more, err);
    buf_release(&r.sql);
    return st;
}

static bool same(const struct db_value *x, const struct db_value *y)
{
    if (x->kind != y->kind)
        return false;
    switch (x->kind) {
    case DB_NULL:
        return true;
    case DB_INT:
        return x->i == y->i;
    case DB_FLOAT:
        /* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison,cert-exp42-c,cert-flp37-c): 0.0 is not -0.0 here */
        return memcmp(&x->f, &y->f, sizeof x->f) == 0;
    case DB_TEXT:
    case DB_BLOB:
        return str_eq(x->s, y->s);
    }
    return false;
}

bool history_differs(const struct history_change *h, size_t column)
{
    if (!h->recorded[column] || (!h->before && !h->after))
        return false;
    if (!h->before || !h->after)
        return (h->before ? h->before : h->after)[column].kind != DB_NULL;
    return !same(&h->before[column], &h->after[column]);
}

/* ---- bringing a row back ---- */

static enum status find_change(struct conn *c, struct arena *a, const struct history_info *info, const str *keys,
                               int64_t version, struct history_change **ret, struct err *err)
{
    size_t n = 0;
    bool more;
    const struct history_query q = {.keys = keys, .version = version, .limit = 1};
    enum status st = version > 0 ? history_read(c, a, info, &q, ret, &n, &more, err) : STATUS_OK;
    if (st == STATUS_OK && !n)
        return err_set(err, STATUS_NOT_FOUND, "Version %lld is no change of this row", (long long)version);
    return st;
}

static void put_where_key(struct reader *r, const str *keys)
{
    const struct history_shape *s = &r->info->shape;
    buf_puts(&r->sql, STR(" WHERE "));
    for (size_t i = 0; i < s->key_count; i++) {
        buf_puts(&r->sql, i ? STR(" AND t.") : STR("t."));
        name_quote(&r->sql, s->keys[i]);
        buf_puts(&r->sql, STR(" = "));
        bind_later(r, (struct db_value){.kind = DB_TEXT, .s = keys[i]});
    }
}

static enum status step(struct reader *r, enum status *ret_first, struct err *err)
{
    struct stmt *s = NULL;
    enum status st = r->sql.over ? err_set(err, STATUS_TOO_LARGE, "too many columns")
                                 : conn_prepare_trusted(r->c, buf_str(&r->sql), &s, err);
    for (size_t i = 0; st == STATUS_OK && i < r->values.count; i++)
        st = stmt_bind(s, (int)i + 1, r->values.items[i], err);
    if (st == STATUS_OK)
        *ret_first = st = stmt_step(s, err);
    stmt_done(s);
    buf_clear(&r->sql);
    r->values.count = 0;
    return st == STATUS_AGAIN ? STATUS_OK : st;
}

static enum status row_is_there(struct reader *r, const str *keys, bool *ret, struct err *err)
{
    enum status first = STATUS_OK;
    buf_puts(&r->sql, STR("SELECT 1 FROM "));
    name_quote(&r->sql, r->info->shape.table);
    buf_puts(&r->sql, STR(" AS t"));
    put_where_key(r, keys);
    enum status st = step(r, &first, err);
    *ret = first == STATUS_AGAIN;
    return st;
}

static enum status judge(struct reader *r, const struct history_change *change, const str *keys, enum history_undo *ret,
                         struct err *err)
{
    bool there;
    enum status st = row_is_there(r, keys, &there, err);
    if (st != STATUS_OK)
        return st;
    if (change->op == HISTORY_INSERT && !there)
        return err_set(err, STATUS_CONFLICT, "There was no row before version %lld, and there is none now",
                       (long long)change->version);
    *ret = change->op == HISTORY_INSERT ? HISTORY_UNDO_DELETE : there ? HISTORY_UNDO_UPDATE : HISTORY_UNDO_INSERT;
    return STATUS_OK;
}

enum status history_undo_plan(struct conn *c, struct arena *a, const struct history_info *info, const str *keys,
                              int64_t version, enum history_undo *ret, struct err *err)
{
    struct history_change *change = NULL;
    struct reader r = {.c = c, .a = a, .info = info};
    enum status st = find_change(c, a, info, keys, version, &change, err);
    if (st != STATUS_OK)
        return st;
    buf_init(&r.sql, LIMIT_DB_SQL_BYTES);
    st = judge(&r, change, keys, ret, err);
    buf_release(&r.sql);
    return st;
}

/* Columns of the table that were recorded then: index into info->names, SIZE_MAX = not. */
static size_t recorded_as(const struct history_info *h, const struct history_change *change, size_t column)
{
    for (size_t i = 0; i < h->name_count; i++)
        if (change->recorded[i] && str_eq_nocase(h->names[i], h->shape.columns[column].name))
            return i;
    return SIZE_MAX;
}

static void put_undo(struct reader *r, const struct history_change *change, const str *keys, enum history_undo undo)
{
    const struct history_shape *s = &r->info->shape;
    size_t n = 0;
    if (undo == HISTORY_UNDO_DELETE)
        buf_puts(&r->sql, STR("DELETE FROM "));
    else
        buf_puts(&r->sql, undo == HISTORY_UNDO_UPDATE ? STR("UPDATE ") : STR("INSERT INTO "));
    name_quote(&r->sql, s->table);
    if (undo != HISTORY_UNDO_INSERT)
        buf_puts(&r->sql, STR(" AS t"));
    for (size_t i = 0; undo != HISTORY_UNDO_DELETE && i < s->column_count; i++) {
        size_t at = recorded_as(r->info, change, i);
        if (at == SIZE_MAX)
            continue;
        if (undo == HISTORY_UNDO_UPDATE) {
            buf_puts(&r->sql, n++ ? STR(", ") : STR(" SET "));
            name_quote(&r->sql, s->columns[i].name);
            buf_puts(&r->sql, STR(" = "));
            bind_later(r, change->before[at]);
        } else {
            buf_puts(&r->sql, n++ ? STR(", ") : STR(" ("));
            name_quote(&r->sql, s->columns[i].name);
        }
    }
    if (undo != HISTORY_UNDO_INSERT) {
        put_where_key(r, keys);
        return;
    }
    n = 0;
    for (size_t i = 0; i < s->column_count; i++) {
        size_t at = recorded_as(r->info, change, i);
        if (at == SIZE_MAX)
            continue;
        buf_puts(&r->sql, n++ ? STR(", ") : STR(") VALUES ("));
        bind_later(r, change->before[at]);
    }
    buf_puts(&r->sql, STR(")"));
}

enum status history_undo_run(struct conn *c, struct arena *a, str table, const str *keys, int64_t version,
                             enum history_undo expected, struct err *err)
{
    struct history_info info;
    struct history_change *change = NULL;
    struct reader r = {.c = c, .a = a, .info = &info};
    enum history_undo now = expected;
    enum status st = history_look(c, a, table, &info, err), first;
    if (st == STATUS_OK)
        st = find_change(c, a, &info, keys, version, &change, err);
    if (st != STATUS_OK)
        return st;
    buf_init(&r.sql, LIMIT_DB_SQL_BYTES);
    st = judge(&r, change, keys, &now, err);
    if (st == STATUS_OK && now != expected)
        st = err_set(err, STATUS_CONFLICT, "The row was changed meanwhile: look at it again");
    if (st == STATUS_OK) {
        put_undo(&r, change, keys, now);
        st = step(&r, &first, err);
    }
    buf_release(&r.sql);
    return st;
}
