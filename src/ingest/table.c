/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/table.h"

#include "base/limits.h"
#include "codec/names.h"
#include "db/history.h"
#include "rt/fault.h"

#include "base/banned.h"

enum status table_look(struct arena *a, struct conn *c, str name, struct table *ret, struct err *err)
{
    struct table t = {.name = name};
    struct stmt *s;
    VEC(struct table_column) columns = {0};
    enum status st = conn_prepare_trusted(
        c,
        STR("SELECT type, name, sql LIKE 'create virtual%' FROM main.sqlite_schema WHERE name = ?1 COLLATE NOCASE AND "
            "type IN ('table', 'view')"),
        &s, err);
    if (st != STATUS_OK)
        return st;
    st = stmt_bind_text(s, 1, name, err);
    if (st == STATUS_OK)
        st = stmt_step(s, err);
    if (st == STATUS_AGAIN) {
        t.exists = true;
        t.name = arena_str(a, stmt_column_text(s, 1));
        bool plain = str_is(stmt_column_text(s, 0), "table") && !stmt_column_i64(s, 2);
        st = plain ? STATUS_OK : err_set(err, STATUS_INVALID, "\"%.*s\" is no plain table", STR_ARG(name));
    }
    stmt_done(s);
    if (st == STATUS_OK && t.exists)
        st = conn_prepare_trusted(c, STR("SELECT name, type, pk FROM pragma_table_info(?1)"), &s, err);
    if (st != STATUS_OK || !t.exists) {
        if (st == STATUS_OK)
            *ret = t;
        return st;
    }
    st = stmt_bind_text(s, 1, t.name, err);
    if (st == STATUS_OK)
        while ((st = stmt_step(s, err)) == STATUS_AGAIN)
            VEC_PUSH(a, &columns,
                     (struct table_column){arena_str(a, stmt_column_text(s, 0)), arena_str(a, stmt_column_text(s, 1)),
                                           (int)stmt_column_i64(s, 2)});
    stmt_done(s);
    t.columns = columns.items;
    t.column_count = columns.count;
    if (st == STATUS_OK)
        *ret = t;
    return st;
}

static size_t find_column(const struct table *t, str name)
{
    for (size_t i = 0; i < t->column_count; i++)
        if (str_eq_nocase(t->columns[i].name, name))
            return i;
    return SIZE_MAX;
}

static bool plan_has(const struct plan *p, str name)
{
    for (size_t i = 0; i < p->count; i++)
        if (str_eq_nocase(p->columns[i].name, name))
            return true;
    return false;
}

static enum status no_column(const struct plan *p, const char *option, str name, struct err *err)
{
    char list[256];
    size_t n = 0;
    for (size_t i = 0; i < p->count && n < sizeof list - 1; i++)
        n += (size_t)snprintf(list + n, sizeof list - n, "%s%.*s", i ? ", " : "", STR_ARG(p->columns[i].name));
    err_set(err, STATUS_USAGE, "%s: there is no column \"%.*s\"", option, STR_ARG(name));
    return err_hint(err, "The columns are: %s", list);
}

void table_force(const struct table *t, struct plan *p)
{
    for (size_t i = 0; i < p->count; i++)
        if (t->map[i] != SIZE_MAX)
            plan_force(p, i, plan_type_of(t->columns[t->map[i]].type));
}

static enum status fit_existing(struct table *t, struct plan *p, const struct ingest_options *o, struct err *err)
{
    for (size_t i = 0; i < p->count; i++) {
        t->map[i] = find_column(t, p->columns[i].name);
        if (t->map[i] != SIZE_MAX) {
            p->columns[i].name = t->columns[t->map[i]].name;
        } else if (!o->alter) {
            err_set(err, STATUS_CONFLICT, "the table \"%.*s\" has no column \"%.*s\"", STR_ARG(t->name),
                    STR_ARG(p->columns[i].name));
            return err_hint(err, "Add missing columns with --alter, or make the table anew with --replace-table.");
        }
    }
    table_force(t, p);
    return STATUS_OK;
}

static void keys_of_table(struct arena *a, struct table *t)
{
    str *keys = ARENA_ARRAY(a, str, t->column_count + 1);
    for (size_t i = 0; i < t->column_count; i++)
        if (t->columns[i].pk > 0) {
            keys[t->columns[i].pk - 1] = t->columns[i].name;
            t->key_count++;
        }
    t->keys = keys;
}

enum status table_fit(struct arena *a, struct table *t, struct plan *p, const struct ingest_options *o, struct err *err)
{
    if (o->replace_table)
        t->exists = false;
    for (size_t i = 0; i < o->pk_count; i++)
        if (!plan_has(p, o->pk[i]))
            return no_column(p, "--pk", o->pk[i], err);
    for (size_t i = 0; i < o->not_null_count; i++)
        if (!plan_has(p, o->not_null[i]))
            return no_column(p, "--not-null", o->not_null[i], err);
    for (size_t i = 0; i < o->default_count; i++)
        if (!plan_has(p, o->defaults[i].column))
            return no_column(p, "--default", o->defaults[i].column, err);
    t->map = ARENA_ARRAY(a, size_t, p->count + 1);
    for (size_t i = 0; i < p->count; i++)
        t->map[i] = SIZE_MAX;
    enum status st = t->exists ? fit_existing(t, p, o, err) : STATUS_OK;
    if (st != STATUS_OK)
        return st;
    if (t->exists)
        keys_of_table(a, t);
    if (!t->key_count) {
        t->keys = o->pk;
        t->key_count = o->pk_count;
    }
    if (o->mode == INGEST_UPSERT && !t->key_count)
        return err_set(err, STATUS_USAGE, "an upsert needs --pk: which columns tell rows apart");
    if (o->mode == INGEST_UPSERT)
        for (size_t i = 0; i < t->key_count; i++)
            if (!plan_has(p, t->keys[i]))
                return no_column(p, "the key", t->keys[i], err);
    return STATUS_OK;
}

/* ---- SQL -------------------------------------------------------------------------------------------------------- */

static void put_column(struct buf *sql, const struct column_plan *c, const struct ingest_options *o)
{
    name_quote(sql, c->name);
    buf_printf(sql, " %s", plan_type_name(c->type));
    if (o->parent && str_eq(o->parent->column, c->name)) {
        buf_puts(sql, STR(" REFERENCES "));
        name_quote(sql, o->parent->table);
        buf_puts(sql, STR(" ("));
        name_quote(sql, o->parent->key_name);
        buf_putc(sql, ')');
    }
    if (str_in_nocase(c->name, o->not_null, o->not_null_count))
        buf_puts(sql, STR(" NOT NULL"));
    for (size_t i = 0; i < o->default_count; i++)
        if (str_eq_nocase(o->defaults[i].column, c->name)) {
            int64_t number;
            buf_puts(sql, STR(" DEFAULT "));
            if (c->type != COLUMN_TEXT && str_to_i64(o->defaults[i].value, &number))
                buf_put_i64(sql, number);
            else
                text_literal(sql, o->defaults[i].value);
        }
}

static void create_sql(struct buf *sql, const struct table *t, const struct plan *p, const struct ingest_options *o)
{
    buf_puts(sql, STR("CREATE TABLE "));
    name_quote(sql, t->name);
    buf_puts(sql, STR(" (\n"));
    for (size_t i = 0; i < p->count; i++) {
        buf_puts(sql, i ? STR(",\n    ") : STR("    "));
        put_column(sql, &p->columns[i], o);
        if (t->key_count == 1 && str_eq_nocase(t->keys[0], p->columns[i].name))
            buf_puts(sql, STR(" PRIMARY KEY"));
    }
    if (t->key_count > 1) {
        buf_puts(sql, STR(",\n    PRIMARY KEY ("));
        for (size_t i = 0; i < t->key_count; i++) {
            buf_puts(sql, i ? STR(", ") : STR(""));
            name_quote(sql, t->keys[i]);
        }
        buf_putc(sql, ')');
    }
    buf_puts(sql, STR("\n)"));
}

str table_create_sql(struct arena *a, const struct table *t, const struct plan *p, const struct ingest_options *o)
{
    struct buf sql;
    buf_init(&sql, LIMIT_DB_SQL_BYTES);
    create_sql(&sql, t, p, o);
    str text = arena_str(a, buf_str(&sql));
    buf_release(&sql);
    return text;
}

static enum status run(struct conn *c, struct buf *sql, struct err *err)
{
    enum status st = sql->over ? err_set(err, STATUS_TOO_LARGE, "the statement that makes the table is too long")
                               : conn_execute(c, buf_str(sql), err);
    buf_clear(sql);
    return st;
}

enum status table_empty(struct conn *c, str name, struct err *err)
{
    struct buf sql;
    buf_init(&sql, LIMIT_DB_SQL_BYTES);
    buf_puts(&sql, STR("DELETE FROM "));
    name_quote(&sql, name);
    enum status st = run(c, &sql, err);
    buf_release(&sql);
    return st;
}

enum status table_prepare(struct arena *a, struct conn *c, struct table *t, const struct plan *p,
                          const struct ingest_options *o, struct err *err)
{
    struct buf sql;
    struct history_info history;
    enum status st = history_suspend(c, a, t->name, &history, err);
    if (st == STATUS_NOT_FOUND) { /* no table yet: no history either */
        err_clear(err);
        history = (struct history_info){0};
        st = STATUS_OK;
    }
    buf_init(&sql, LIMIT_DB_SQL_BYTES);
    if (st == STATUS_OK && o->replace_table) {
        buf_puts(&sql, STR("DROP TABLE IF EXISTS "));
        name_quote(&sql, t->name);
        st = run(c, &sql, err);
    }
    if (st == STATUS_OK && FAULT("ingest.table"))
        st = err_set(err, STATUS_IO, "a fault was injected");
    if (st == STATUS_OK && !t->exists) {
        create_sql(&sql, t, p, o);
        st = run(c, &sql, err);
    }
    for (size_t i = 0; t->exists && i < p->count && st == STATUS_OK; i++)
        if (t->map[i] == SIZE_MAX) {
            buf_puts(&sql, STR("ALTER TABLE "));
            name_quote(&sql, t->name);
            buf_puts(&sql, STR(" ADD COLUMN "));
            put_column(&sql, &p->columns[i], o);
            st = run(c, &sql, err);
        }
    if (st == STATUS_OK)
        st = history_resume(c, a, &history, t->name, NULL, 0, err);
    if (st == STATUS_OK && t->exists && o->truncate)
        st = table_empty(c, t->name, err);
    buf_release(&sql);
    return st;
}

static void put_upsert(struct buf *sql, const struct table *t, const struct plan *p)
{
    bool any = false;
    buf_puts(sql, STR(" ON CONFLICT ("));
    for (size_t i = 0; i < t->key_count; i++) {
        buf_puts(sql, i ? STR(", ") : STR(""));
        name_quote(sql, t->keys[i]);
    }
    buf_puts(sql, STR(") DO "));
    for (size_t i = 0; i < p->count; i++) {
        if (str_in_nocase(p->columns[i].name, t->keys, t->key_count))
            continue;
        buf_puts(sql, any ? STR(", ") : STR("UPDATE SET "));
        any = true;
        name_quote(sql, p->columns[i].name);
        buf_puts(sql, STR(" = excluded."));
        name_quote(sql, p->columns[i].name);
    }
    if (!any)
        buf_puts(sql, STR("NOTHING"));
}

str table_insert_sql(struct arena *a, const struct table *t, const struct plan *p, const struct ingest_options *o)
{
    static const char *const verbs[] = {"INSERT", "INSERT OR REPLACE", "INSERT OR IGNORE", "INSERT"};
    struct buf sql;
    buf_init(&sql, LIMIT_DB_SQL_BYTES);
    buf_printf(&sql, "%s INTO ", verbs[o->mode]);
    name_quote(&sql, t->name);
    buf_puts(&sql, STR(" ("));
    for (size_t i = 0; i < p->count; i++) {
        buf_puts(&sql, i ? STR(", ") : STR(""));
        name_quote(&sql, p->columns[i].name);
    }
    buf_puts(&sql, STR(") VALUES ("));
    for (size_t i = 0; i < p->count; i++)
        buf_printf(&sql, "%s?%zu", i ? ", " : "", i + 1);
    buf_putc(&sql, ')');
    if (o->mode == INGEST_UPSERT)
        put_upsert(&sql, t, p);
    str text = arena_str(a, buf_str(&sql));
    buf_release(&sql);
    return text;
}

enum status table_index_parent(struct conn *c, const struct table *t, const struct ingest_options *o, struct err *err)
{
    struct buf sql, name;
    if (!o->parent)
        return STATUS_OK;
    buf_init(&name, LIMIT_DB_SQL_BYTES);
    buf_init(&sql, LIMIT_DB_SQL_BYTES);
    buf_printf(&name, "idx_%.*s_%.*s", STR_ARG(t->name), STR_ARG(o->parent->column));
    buf_puts(&sql, STR("CREATE INDEX IF NOT EXISTS "));
    name_quote(&sql, buf_str(&name));
    buf_puts(&sql, STR(" ON "));
    name_quote(&sql, t->name);
    buf_puts(&sql, STR(" ("));
    name_quote(&sql, o->parent->column);
    buf_putc(&sql, ')');
    enum status st = run(c, &sql, err);
    buf_release(&name);
    buf_release(&sql);
    return st;
}
