/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_query — `vitrine query`, `rows` and `tables`: rows of a database on standard output, as sqlite-utils prints them.
 * Rows go out as they come (--table has to see them all first). Nothing is written to the database. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "cli/command.h"
#include "codec/b64.h"
#include "codec/csvwrite.h"
#include "codec/jwrite.h"
#include "codec/names.h"
#include "db/stmt.h"

enum verb { VERB_QUERY, VERB_ROWS, VERB_TABLES };
enum output { OUT_JSON, OUT_NL, OUT_ARRAYS, OUT_CSV, OUT_TSV, OUT_TABLE };
enum {
    OPT_JSON,
    OPT_NL,
    OPT_ARRAYS,
    OPT_CSV,
    OPT_TSV,
    OPT_TABLE,
    OPT_NO_HEADERS,
    OPT_PARAM,
    OPT_LIMIT,
    OPT_OFFSET,
    OPT_WHERE,
    OPT_ORDER,
    OPT_COLUMN,
    OPT_COUNTS,
    OPT_HELP
};
static const struct option options[] = {
    {"--json", 0, OPTION_FLAG, NULL, "A JSON list of objects (that is what happens anyway)", OPT_JSON},
    {"--nl", 0, OPTION_FLAG, NULL, "A JSON object a line", OPT_NL},
    {"--arrays", 0, OPTION_FLAG, NULL, "JSON lists instead of objects", OPT_ARRAYS},
    {"--csv", 0, OPTION_FLAG, NULL, "CSV", OPT_CSV},
    {"--tsv", 0, OPTION_FLAG, NULL, "Tab-separated", OPT_TSV},
    {"--table", 't', OPTION_FLAG, NULL, "A table to read", OPT_TABLE},
    {"--no-headers", 0, OPTION_FLAG, NULL, "No first line with names (--csv, --tsv)", OPT_NO_HEADERS},
    {"--param", 'p', OPTION_PAIR, "NAME VALUE", "query: the value of :NAME", OPT_PARAM},
    {"--limit", 0, OPTION_VALUE, "N", "rows: at most N", OPT_LIMIT},
    {"--offset", 0, OPTION_VALUE, "N", "rows: without the first N", OPT_OFFSET},
    {"--where", 0, OPTION_VALUE, "SQL", "rows: those where this holds", OPT_WHERE},
    {"--order", 0, OPTION_VALUE, "SQL", "rows: sorted by this", OPT_ORDER},
    {"--column", 'c', OPTION_VALUE, "COLUMN", "rows: this column; may be given again", OPT_COLUMN},
    {"--counts", 0, OPTION_FLAG, NULL, "tables: how many rows each has", OPT_COUNTS},
    {"--help", 'h', OPTION_FLAG, NULL, "Show this text", OPT_HELP},
};

struct query {
    struct arena *arena;
    enum verb verb;
    enum output output;
    bool no_headers, counts, help;
    VEC(str) names, values, columns;
    str words[2], where, order, limit, offset;
    size_t word_count;
    struct buf out;
    uint64_t rows;
};

static enum status read_options(struct query *q, int argc, char **argv, struct err *err)
{
    static const char *const second_words[] = {"an SQL statement", "a table"};
    struct option_reader r = {.options = options, .count = ARRAY_LEN(options), .argc = argc, .argv = argv};
    size_t wanted = q->verb == VERB_TABLES ? 1 : 2;
    str value, second;
    int64_t number;
    int id;
    enum status st;
    while ((st = option_next(&r, &id, &value, &second, err)) == STATUS_AGAIN) {
        if (id == -1 && q->word_count == wanted)
            return err_set(err, STATUS_USAGE, "\"%.*s\" is one argument too many", STR_ARG(value));
        if (id == -1)
            q->words[q->word_count++] = value;
        if ((id == OPT_LIMIT || id == OPT_OFFSET) && (!str_to_i64(value, &number) || number < 0))
            return err_set(err, STATUS_USAGE, "\"%.*s\" is no number of rows", STR_ARG(value));
        if (id >= OPT_JSON && id <= OPT_TABLE)
            q->output = (enum output)(id - OPT_JSON);
        if (id == OPT_PARAM) {
            VEC_PUSH(q->arena, &q->names, value);
            VEC_PUSH(q->arena, &q->values, second);
        }
        if (id == OPT_COLUMN)
            VEC_PUSH(q->arena, &q->columns, value);
        q->where = id == OPT_WHERE ? value : q->where;
        q->order = id == OPT_ORDER ? value : q->order;
        q->limit = id == OPT_LIMIT ? value : q->limit;
        q->offset = id == OPT_OFFSET ? value : q->offset;
        q->no_headers |= id == OPT_NO_HEADERS;
        q->counts |= id == OPT_COUNTS;
        q->help |= id == OPT_HELP;
    }
    if (st == STATUS_OK && !q->help && q->word_count < wanted)
        return err_set(err, STATUS_USAGE, "%s is missing",
                       q->word_count ? second_words[q->verb == VERB_ROWS] : "a database");
    return st;
}

/* ---- output ----------------------------------------------------------------------------------------------------- */

static void flush_out(struct query *q, size_t above)
{
    if (q->out.n <= above)
        return;
    fwrite(q->out.p, 1, q->out.n, stdout);
    buf_clear(&q->out);
}

static void put_json(struct buf *out, const struct db_value *v)
{
    switch (v->kind) {
    case DB_NULL:
        buf_puts(out, STR("null"));
        break;
    case DB_INT:
        buf_put_i64(out, v->i);
        break;
    case DB_FLOAT:
        if (isfinite(v->f))
            jwrite_put_double(out, v->f);
        else
            buf_puts(out, STR("null")); /* JSON has no infinities */
        break;
    case DB_TEXT:
        jwrite_put_string(out, v->s, JWRITE_UTF8);
        break;
    case DB_BLOB:
        jwrite_put_bytes(out, v->s, 0);
        break;
    }
}

static str plain_text(struct arena *a, const struct db_value *v)
{
    struct buf b;
    buf_init(&b, LIMIT_JSON_OUTPUT);
    if (v->kind == DB_TEXT)
        buf_puts(&b, v->s);
    else if (v->kind == DB_BLOB)
        b64_encode(&b, v->s);
    else if (v->kind != DB_NULL)
        put_json(&b, v);
    str text = arena_str(a, buf_str(&b));
    buf_release(&b);
    return text;
}

static void json_row(struct query *q, struct stmt *s, int count)
{
    bool arrays = q->output == OUT_ARRAYS;
    if (q->output != OUT_NL)
        buf_puts(&q->out, q->rows ? STR(",\n ") : STR("["));
    buf_putc(&q->out, arrays ? '[' : '{');
    for (int i = 0; i < count; i++) {
        struct db_value v = stmt_column_value(s, i);
        buf_puts(&q->out, i ? STR(", ") : STR(""));
        if (!arrays) {
            jwrite_put_string(&q->out, stmt_column_name(s, i), JWRITE_UTF8);
            buf_puts(&q->out, STR(": "));
        }
        put_json(&q->out, &v);
    }
    buf_putc(&q->out, arrays ? ']' : '}');
    if (q->output == OUT_NL)
        buf_putc(&q->out, '\n');
}

static void tsv_field(struct buf *out, str text)
{
    for (size_t i = 0; i < text.n; i++)
        buf_putc(out, text.p[i] == '\t' || text.p[i] == '\n' || text.p[i] == '\r' ? ' ' : text.p[i]);
}

/* One line of cells; header: the names. */
static void text_row(struct query *q, struct stmt *s, int count, bool header)
{
    struct arena_mark mark = arena_mark(q->arena);
    for (int i = 0; i < count; i++) {
        struct db_value v =
            header ? (struct db_value){.kind = DB_TEXT, .s = stmt_column_name(s, i)} : stmt_column_value(s, i);
        str text = plain_text(q->arena, &v);
        if (i)
            buf_putc(&q->out, q->output == OUT_CSV ? ',' : '\t');
        if (q->output == OUT_CSV)
            csvwrite_field(&q->out, text);
        else
            tsv_field(&q->out, text);
    }
    buf_puts(&q->out, q->output == OUT_CSV ? STR("\r\n") : STR("\n"));
    arena_rewind(q->arena, mark);
}

static enum status table(struct query *q, struct stmt *s, int count, struct err *err)
{
    VEC(str) cells = {0};
    size_t columns = (size_t)count, *widths = ARENA_ARRAY(q->arena, size_t, columns + 1);
    enum status st;
    for (int i = 0; i < count; i++)
        VEC_PUSH(q->arena, &cells, arena_str(q->arena, stmt_column_name(s, i)));
    while ((st = stmt_step(s, err)) == STATUS_AGAIN) {
        for (int i = 0; i < count; i++) {
            struct db_value v = stmt_column_value(s, i);
            VEC_PUSH(q->arena, &cells, plain_text(q->arena, &v));
        }
        if (arena_over(q->arena))
            return err_set(err, STATUS_TOO_LARGE, "too many rows for --table: use --csv, or a limit");
    }
    for (size_t i = 0; i < cells.count; i++)
        widths[i % columns] = MAX(widths[i % columns], utf8_count(cells.items[i]));
    for (size_t i = 0; i < cells.count; i++) {
        bool last = i % columns == columns - 1;
        tsv_field(&q->out, cells.items[i]);
        for (size_t n = utf8_count(cells.items[i]); n < widths[i % columns] && !last; n++)
            buf_putc(&q->out, ' ');
        buf_puts(&q->out, last ? STR("\n") : STR("  "));
        if (i + 1 == columns)
            for (size_t k = 0; k < columns; k++) {
                for (size_t n = 0; n < widths[k]; n++)
                    buf_putc(&q->out, '-');
                buf_puts(&q->out, k + 1 == columns ? STR("\n") : STR("  "));
            }
        flush_out(q, 65536);
    }
    return st;
}

static enum status print_rows(struct query *q, struct stmt *s, struct err *err)
{
    int count = stmt_column_count(s);
    bool lines = q->output == OUT_CSV || q->output == OUT_TSV;
    enum status st;
    if (q->output == OUT_TABLE && count > 0)
        return table(q, s, count, err);
    if (lines && !q->no_headers)
        text_row(q, s, count, true);
    for (; (st = stmt_step(s, err)) == STATUS_AGAIN; q->rows++) {
        if (lines)
            text_row(q, s, count, false);
        else
            json_row(q, s, count);
        if (q->out.over)
            return err_set(err, STATUS_TOO_LARGE, "a row is too large to be printed");
        flush_out(q, 65536);
    }
    if (st == STATUS_OK && (q->output == OUT_JSON || q->output == OUT_ARRAYS))
        buf_puts(&q->out, q->rows ? STR("]\n") : STR("[]\n"));
    return st;
}

/* ---- SQL -------------------------------------------------------------------------------------------------------- */

static void rows_sql(struct query *q, struct buf *sql)
{
    buf_puts(sql, STR("SELECT "));
    for (size_t i = 0; i < q->columns.count; i++) {
        buf_puts(sql, i ? STR(", ") : STR(""));
        name_quote(sql, q->words[1]); /* a bare "name" that there is not would be taken for text */
        buf_putc(sql, '.');
        name_quote(sql, q->columns.items[i]);
    }
    buf_puts(sql, q->columns.count ? STR(" FROM ") : STR("* FROM "));
    name_quote(sql, q->words[1]);
    if (q->where.n)
        buf_printf(sql, " WHERE %.*s", STR_ARG(q->where));
    if (q->order.n)
        buf_printf(sql, " ORDER BY %.*s", STR_ARG(q->order));
    if (q->limit.n || q->offset.n)
        buf_printf(sql, " LIMIT %.*s OFFSET %.*s", STR_ARG(q->limit.n ? q->limit : STR("-1")),
                   STR_ARG(q->offset.n ? q->offset : STR("0")));
}

/* One SELECT a table: names cannot be parameters. */
static enum status tables_sql(struct query *q, struct conn *c, struct buf *sql, struct err *err)
{
    struct stmt *s;
    bool any = false;
    enum status st = conn_prepare_trusted(c,
                                          STR("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE "
                                              "'sqlite\\_%' ESCAPE '\\' ORDER BY 1"),
                                          &s, err);
    if (st != STATUS_OK)
        return st;
    while ((st = stmt_step(s, err)) == STATUS_AGAIN) {
        str name = stmt_column_text(s, 0);
        buf_puts(sql, any ? STR(" UNION ALL SELECT ") : STR("SELECT "));
        text_literal(sql, name);
        buf_puts(sql, STR(" AS \"table\""));
        if (q->counts) {
            buf_puts(sql, STR(", (SELECT count(*) FROM "));
            name_quote(sql, name);
            buf_puts(sql, STR(") AS \"count\""));
        }
        any = true;
    }
    stmt_done(s);
    if (!any)
        buf_puts(sql, STR("SELECT NULL AS \"table\" WHERE 0"));
    return st;
}

static enum status ask(struct query *q, struct conn *c, struct err *err)
{
    struct buf sql;
    struct stmt *s = NULL;
    enum status st = STATUS_OK;
    buf_init(&sql, LIMIT_DB_SQL_BYTES);
    if (q->verb == VERB_QUERY)
        buf_puts(&sql, q->words[1]);
    else if (q->verb == VERB_ROWS)
        rows_sql(q, &sql);
    else
        st = tables_sql(q, c, &sql, err);
    if (st == STATUS_OK)
        st = conn_prepare(c, buf_str(&sql), &s, err);
    for (size_t i = 0; i < q->names.count && st == STATUS_OK; i++)
        st = stmt_bind_named(s, q->names.items[i], (struct db_value){.kind = DB_TEXT, .s = q->values.items[i]}, err);
    if (st == STATUS_OK)
        st = print_rows(q, s, err);
    flush_out(q, 0);
    stmt_done(s);
    buf_release(&sql);
    if (st == STATUS_OK && (fflush(stdout) != 0 || ferror(stdout)))
        st = err_set(err, STATUS_IO, "standard output cannot be written");
    return st;
}

static enum status run_query(struct query *q, struct err *err)
{
    struct database *db;
    struct conn *c = NULL;
    const struct database_options o = {.name = q->words[0], .path = q->words[0]};
    enum status st = database_new(&o, &db, err);
    if (st != STATUS_OK)
        return st;
    st = database_check(db, err);
    if (st == STATUS_OK)
        st = conn_open_private(db, CONN_READ, &c, err);
    if (st == STATUS_OK)
        st = ask(q, c, err);
    conn_close(c);
    database_unref(db);
    return st;
}

static int run(enum verb verb, const char *usage, int argc, char **argv)
{
    struct query q = {.arena = arena_new(LIMIT_REQUEST_ARENA), .verb = verb};
    struct err err = ERR_INIT;
    int code = 0;
    buf_init(&q.out, LIMIT_JSON_OUTPUT);
    enum status st = read_options(&q, argc, argv, &err);
    if (st == STATUS_OK && q.help) {
        printf("Usage: vitrine %s\n\nOptions:\n", usage);
        option_print_help(options, ARRAY_LEN(options));
    } else if (st == STATUS_OK) {
        st = run_query(&q, &err);
    }
    if (st != STATUS_OK)
        code = command_fail(&err);
    buf_release(&q.out);
    arena_free(q.arena);
    return code;
}

int cmd_query(int argc, char **argv)
{
    return run(VERB_QUERY, "query [OPTIONS] DATABASE SQL", argc, argv);
}

int cmd_rows(int argc, char **argv)
{
    return run(VERB_ROWS, "rows [OPTIONS] DATABASE TABLE", argc, argv);
}

int cmd_tables(int argc, char **argv)
{
    return run(VERB_TABLES, "tables [OPTIONS] DATABASE", argc, argv);
}
