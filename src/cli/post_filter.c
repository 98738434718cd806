/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/post_filter.h"

#include "base/limits.h"
#include "codec/names.h"
#include "db/stmt.h"
#include "site/write/write.h"

#include "base/banned.h"

#define COLUMNS_MAX 100 /* names that are looked for in objects without them */

struct post_filter {
    struct arena *arena;
    str expression;
    struct database *db;
    struct conn *conn;
    struct value absent; /* DICT: columns of the expression that some object did not have -> was it ever there? */
};

enum status post_filter_new(struct arena *a, str expression, struct post_filter **ret, struct err *err)
{
    struct post_filter *f = ARENA_NEW(a, struct post_filter);
    const struct database_options o = {.name = STR("filter"), .memory = true};
    *f = (struct post_filter){.arena = a, .expression = expression, .absent = value_dict(a)};
    enum status st = database_new(&o, &f->db, err);
    if (st == STATUS_OK)
        st = conn_open_private(f->db, CONN_READ, &f->conn, err);
    if (st != STATUS_OK) {
        post_filter_free(f);
        return st;
    }
    *ret = f;
    return STATUS_OK;
}

void post_filter_free(struct post_filter *f)
{
    if (!f)
        return;
    conn_close(f->conn);
    database_unref(f->db);
}

/* select (EXPRESSION) from (select ?1 as "item", ?2 as "key", ..., null as "absent") */
static str make_sql(struct post_filter *f, struct arena *a, struct value item)
{
    struct buf sql;
    buf_init(&sql, LIMIT_DB_SQL_BYTES);
    buf_puts(&sql, STR("select ("));
    buf_puts(&sql, f->expression);
    buf_puts(&sql, STR("\n) from (select ?1 as \"item\""));
    for (size_t i = 0; i < value_count(item); i++) {
        buf_printf(&sql, ", ?%zu as ", i + 2);
        name_quote(&sql, item.dict->entries[i].key);
    }
    for (size_t i = 0; i < value_count(f->absent); i++) {
        if (value_has(item, f->absent.dict->entries[i].key))
            continue;
        buf_puts(&sql, STR(", null as "));
        name_quote(&sql, f->absent.dict->entries[i].key);
    }
    buf_putc(&sql, ')');
    str text = arena_str(a, buf_str(&sql));
    buf_release(&sql);
    return text;
}

static enum status prepare(struct post_filter *f, struct arena *a, struct value item, struct stmt **ret,
                           struct err *err)
{
    static const str missing = {"no such column: ", 16};
    for (;;) {
        enum status st = conn_prepare(f->conn, make_sql(f, a, item), ret, err);
        str text = str_of(err->text);
        bool known = value_has(f->absent, str_from(text, MIN(missing.n, text.n))); /* it is not ours to add */
        if (st != STATUS_SQL || !str_starts(text, missing) || known || value_count(f->absent) >= COLUMNS_MAX)
            return st == STATUS_SQL ? err_prefix(err, "--filter") : st;
        value_set(f->absent, arena_str(f->arena, str_from(text, missing.n)), value_bool(false));
        err_clear(err);
    }
}

enum status post_filter_test(struct post_filter *f, struct arena *work, struct value item, str text, bool *ret,
                             struct err *err)
{
    struct stmt *s = NULL;
    struct err local = ERR_INIT;
    err = err ? err : &local;
    enum status st = prepare(f, work, item, &s, err);
    if (st == STATUS_OK)
        st = stmt_bind_text(s, 1, text, err);
    for (size_t i = 0; st == STATUS_OK && i < value_count(item); i++)
        st = stmt_bind(s, (int)i + 2, write_db_value(work, item.dict->entries[i].value), err);
    if (st == STATUS_OK)
        st = stmt_step(s, err);
    if (st == STATUS_AGAIN) {
        *ret = stmt_column_f64(s, 0) != 0;
        st = STATUS_OK;
    } else if (st == STATUS_SQL) {
        err_prefix(err, "--filter");
    }
    stmt_done(s);
    for (size_t i = 0; i < value_count(f->absent); i++)
        if (value_has(item, f->absent.dict->entries[i].key))
            f->absent.dict->entries[i].value = value_bool(true);
    return st;
}

str post_filter_unknown(const struct post_filter *f)
{
    for (size_t i = 0; i < value_count(f->absent); i++)
        if (!value_truth(f->absent.dict->entries[i].value))
            return f->absent.dict->entries[i].key;
    return (str){0};
}
