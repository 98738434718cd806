/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_input — one table of an SQLite file as batches of rows.
 *
 * The file is opened as visitors' files are: read-only, with the authorizer, and one snapshot for both passes. Values
 * keep the types that they are stored with; the declared types of the columns say nothing in SQLite, and are not asked.
 * "Lines" are rows, from 1. Tests: tests/ingest/test_sqlite.py. */
#include <stdlib.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "codec/jwrite.h"
#include "codec/names.h"
#include "db/stmt.h"
#include "ingest/dialect.h"
#include "ingest/input.h"

#include "base/banned.h"

#define BATCH_ROWS  4096
#define BATCH_CELLS 65536

struct sqlite_input {
    struct input base;
    struct conn *conn;
    struct stmt *stmt;
    str sql;
    uint64_t line;
};

static enum status start(struct input *in, struct err *err)
{
    struct sqlite_input *q = (struct sqlite_input *)in;
    stmt_done(q->stmt);
    q->stmt = NULL;
    q->line = 0;
    return conn_prepare(q->conn, q->sql, &q->stmt, err);
}

static str keep(struct batch *b, str s)
{
    char *p = arena_alloc_raw(b->arena, s.n + 1);
    if (s.n)
        memcpy(p, s.p, s.n);
    return str_make(p, s.n);
}

static void set_cell(struct batch *b, struct cell *c, struct db_value v)
{
    char number[JWRITE_DOUBLE_MAX];
    str text = v.s;
    *c = (struct cell){.kind = CELL_NULL};
    switch (v.kind) {
    case DB_NULL:
        return;
    case DB_INT:
        c->kind = CELL_INT;
        c->i = v.i;
        text = str_make(number, (size_t)snprintf(number, sizeof number, "%lld", (long long)v.i));
        break;
    case DB_FLOAT:
        c->kind = CELL_REAL;
        c->f = v.f;
        text = str_make(number, jwrite_double(number, v.f));
        break;
    case DB_TEXT:
        c->kind = CELL_TEXT;
        b->ill_formed |= !utf8_valid(text);
        break;
    case DB_BLOB:
        c->kind = CELL_BLOB;
        break;
    }
    text = keep(b, text);
    c->p = text.p;
    c->n = (uint32_t)text.n;
}

static enum status fill(struct input *in, struct batch *b, struct err *err)
{
    struct sqlite_input *q = (struct sqlite_input *)in;
    enum status st = STATUS_AGAIN;
    while (b->rows.row_count < BATCH_ROWS && b->rows.cell_count < BATCH_CELLS &&
           arena_used(b->arena) < LIMIT_INGEST_BLOCK && (st = stmt_step(q->stmt, err)) == STATUS_AGAIN) {
        size_t first = b->rows.cell_count;
        for (size_t i = 0; i < in->columns.count; i++) {
            struct db_value v = stmt_column_value(q->stmt, (int)i);
            set_cell(b, rows_cell(&b->rows), v);
        }
        rows_end(&b->rows, ++q->line, first);
    }
    if (st != STATUS_OK && st != STATUS_AGAIN)
        return err_prefix(err, "%.*s", STR_ARG(in->source->name));
    b->last = st == STATUS_OK;
    b->columns = in->columns.items;
    b->column_count = in->columns.count;
    return STATUS_OK;
}

static void free_input(struct input *in)
{
    struct sqlite_input *q = (struct sqlite_input *)in;
    stmt_done(q->stmt);
    conn_close(q->conn);
    q->stmt = NULL;
    q->conn = NULL;
}

static const struct input_class sqlite_class = {"SQLite", start, fill, NULL, NULL, free_input};
static const struct input_class dump_class = {"SQL", start, fill, NULL, NULL, free_input};

static void close_input(void *arg)
{
    struct sqlite_input *q = arg;
    free_input(&q->base);
    arena_free(q->base.arena); /* q is in it */
}

/* ---- opening ---------------------------------------------------------------------------------------------------- */

static enum status open_conn(const struct source *s, struct conn **ret, struct err *err)
{
    struct database *db;
    const struct database_options o = {.name = s->name, .path = s->path, .cache_size_kb = LIMIT_INGEST_CACHE_KB};
    enum status st = database_new(&o, &db, err);
    if (st != STATUS_OK)
        return st;
    st = database_check(db, err);
    if (st == STATUS_OK)
        st = conn_open_private(db, CONN_READ, ret, err);
    database_unref(db); /* the connection holds it */
    return st;
}

/* Names in the order in which they were made; without SQLite's own and those that virtual tables hide. */
static enum status list(struct arena *a, struct conn *c, const char *kinds, str **ret, size_t *ret_count,
                        struct err *err)
{
    struct stmt *s;
    VEC(str) names = {0};
    str sql = ARENA_CAT(a,
                        STR("SELECT l.name FROM pragma_table_list l JOIN sqlite_schema m ON m.name = l.name WHERE "
                            "l.schema = 'main' AND l.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND l.name NOT LIKE "
                            "'\\_vitrine\\_%' ESCAPE '\\' AND l.type IN ("),
                        str_of(kinds), STR(") ORDER BY m.rowid"));
    enum status st = conn_prepare_trusted(c, sql, &s, err);
    if (st != STATUS_OK)
        return st;
    while ((st = stmt_step(s, err)) == STATUS_AGAIN)
        VEC_PUSH(a, &names, arena_str(a, stmt_column_text(s, 0)));
    stmt_done(s);
    *ret = names.items;
    *ret_count = names.count;
    return st;
}

#define TABLES           "'table', 'virtual'"
#define TABLES_AND_VIEWS "'table', 'virtual', 'view'"

enum status sqlite_tables(struct arena *a, const struct source *s, str **ret, size_t *ret_count, struct err *err)
{
    struct conn *c;
    enum status st = open_conn(s, &c, err);
    if (st != STATUS_OK)
        return st;
    st = list(a, c, TABLES, ret, ret_count, err);
    conn_close(c);
    return st;
}

static enum status which_table(const struct sqlite_input *q, const char *what, struct err *err)
{
    char names[256];
    size_t n = 0;
    for (size_t i = 0; i < q->base.part_count && n < sizeof names - 1; i++)
        n += (size_t)snprintf(names + n, sizeof names - n, "%s%.*s", i ? ", " : "", STR_ARG(q->base.parts[i]));
    err_set(err, STATUS_NOT_FOUND, "%.*s %s", STR_ARG(q->base.source->name), what);
    return q->base.part_count ? err_hint(err, "Choose one with --table NAME: %s", names) : err->status;
}

static enum status choose(struct sqlite_input *q, str wanted, struct err *err)
{
    str *names;
    size_t count, tables;
    str *ignored;
    enum status st = list(q->base.arena, q->conn, TABLES_AND_VIEWS, &names, &count, err);
    if (st == STATUS_OK)
        st = list(q->base.arena, q->conn, TABLES, &ignored, &tables, err);
    if (st != STATUS_OK)
        return st;
    q->base.part_word = "table";
    q->base.parts = names;
    q->base.part_count = count;
    for (size_t i = 0; wanted.n && i < count; i++)
        if (str_eq_nocase(names[i], wanted)) {
            q->base.part = names[i];
            return STATUS_OK;
        }
    if (wanted.n)
        return which_table(q, "has no such table", err);
    if (tables != 1)
        return which_table(q, tables ? "holds several tables" : "holds no table", err);
    q->base.part = ignored[0];
    return STATUS_OK;
}

static enum status read_keys(struct sqlite_input *q, struct err *err)
{
    struct stmt *s;
    VEC(str) keys = {0};
    enum status st =
        conn_prepare_trusted(q->conn, STR("SELECT name FROM pragma_table_info(?1) WHERE pk > 0 ORDER BY pk"), &s, err);
    if (st != STATUS_OK)
        return st;
    st = stmt_bind_text(s, 1, q->base.part, err);
    if (st == STATUS_OK)
        while ((st = stmt_step(s, err)) == STATUS_AGAIN)
            VEC_PUSH(q->base.arena, &keys, arena_str(q->base.arena, stmt_column_text(s, 0)));
    stmt_done(s);
    q->base.keys = keys.items;
    q->base.key_count = keys.count;
    return st;
}

static enum status read_columns(struct sqlite_input *q, struct err *err)
{
    struct buf sql;
    buf_init(&sql, LIMIT_DB_SQL_BYTES);
    buf_puts(&sql, STR("SELECT * FROM "));
    name_quote(&sql, q->base.part);
    q->sql = arena_str(q->base.arena, buf_str(&sql));
    buf_release(&sql);
    enum status st = start(&q->base, err);
    if (st != STATUS_OK)
        return err_prefix(err, "%.*s", STR_ARG(q->base.source->name));
    size_t count = (size_t)stmt_column_count(q->stmt);
    str *raw = ARENA_ARRAY(q->base.arena, str, count + 1);
    for (size_t i = 0; i < count; i++)
        raw[i] = stmt_column_name(q->stmt, (int)i);
    const str *names = dialect_names(q->base.arena, raw, count);
    for (size_t i = 0; i < count; i++)
        VEC_PUSH(q->base.arena, &q->base.columns, names[i]);
    for (size_t i = 0; i < q->base.key_count; i++)
        if (!str_in(q->base.keys[i], names, count)) /* a name that had to be changed */
            q->base.key_count = 0;
    return STATUS_OK;
}

enum status sqlite_input_new(struct arena *a, const struct source *s, const struct ingest_options *o,
                             struct input **ret, struct err *err)
{
    struct arena *own = arena_new(LIMIT_INGEST_ARENA);
    struct sqlite_input *q = ARENA_NEW(own, struct sqlite_input);
    const struct input_class *class = s->kind == SOURCE_DUMP ? &dump_class : &sqlite_class;
    q->base = (struct input){.class = class, .arena = own, .source = s};
    arena_defer(a, close_input, q);
    enum status st = open_conn(s, &q->conn, err);
    if (st == STATUS_OK)
        st = conn_begin_read(q->conn, err); /* until it is closed */
    if (st == STATUS_OK)
        st = choose(q, o->part, err);
    if (st == STATUS_OK)
        st = read_keys(q, err);
    if (st == STATUS_OK)
        st = read_columns(q, err);
    if (st == STATUS_OK)
        *ret = &q->base;
    return st;
}
