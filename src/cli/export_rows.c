/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/export_rows.h"

#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/limits.h"
#include "codec/b64.h"
#include "codec/csvwrite.h"
#include "codec/jwrite.h"
#include "codec/names.h"
#include "db/db_value.h"

#define FLUSH_BYTES   262144
#define SHOW_EVERY_US 100000

static const struct {
    const char *ending;
    enum export_format format;
} endings[] = {{"csv", EXPORT_CSV},   {"tsv", EXPORT_TSV},   {"json", EXPORT_JSON},    {"ndjson", EXPORT_NDJSON},
               {"sql", EXPORT_SQL},   {"db", EXPORT_DB},     {"jsonl", EXPORT_NDJSON}, {"nl", EXPORT_NDJSON},
               {"sqlite", EXPORT_DB}, {"sqlite3", EXPORT_DB}};

enum export_format export_format_of(str path)
{
    str name = pack_inner_name(path);
    size_t dot = str_rfind_char(name, '.');
    for (size_t i = 0; dot != STR_NPOS && i < ARRAY_LEN(endings); i++)
        if (str_eq_nocase(str_from(name, dot + 1), str_of(endings[i].ending)))
            return endings[i].format;
    return EXPORT_NONE;
}

struct export
{
    const struct export_options *o;
    struct stmt *s;
    int count;
    struct buf out, cell;
    uint64_t rows;
    int64_t shown_us;
};

/* ---- a value ---- */

/* JSON has no infinities; 9e999 is read as one. */
static void put_json(struct buf *out, const struct db_value *v)
{
    if (v->kind == DB_FLOAT && !isfinite(v->f))
        buf_puts(out, v->f > 0 ? STR("9e999") : STR("-9e999"));
    else
        db_value_put_json(out, v);
}

static void put_sql(struct buf *out, const struct db_value *v)
{
    static const char digits[] = "0123456789abcdef";
    bool nul = v->kind == DB_TEXT && v->s.n && memchr(v->s.p, 0, v->s.n);
    if (v->kind == DB_TEXT && !nul) {
        text_literal(out, v->s);
    } else if (v->kind == DB_TEXT || v->kind == DB_BLOB) { /* a NUL would end the statement */
        buf_puts(out, nul ? STR("CAST(x'") : STR("x'"));
        for (size_t i = 0; i < v->s.n; i++) {
            buf_putc(out, digits[(unsigned char)v->s.p[i] >> 4]);
            buf_putc(out, digits[(unsigned char)v->s.p[i] & 15]);
        }
        buf_puts(out, nul ? STR("' AS TEXT)") : STR("'"));
    } else {
        put_json(out, v);
    }
}

static void put_plain(struct export *x, const struct db_value *v)
{
    buf_clear(&x->cell);
    if (v->kind == DB_TEXT)
        buf_puts(&x->cell, v->s);
    else if (v->kind == DB_BLOB)
        b64_encode(&x->cell, v->s);
    else if (v->kind == DB_NULL)
        buf_puts(&x->cell, x->o->null_text);
    else
        put_json(&x->cell, v);
    if (x->cell.over)
        x->out.over = true;
}

/* As csvwrite_field(), for tabs. */
static void put_tsv(struct buf *out, str s)
{
    bool quotes = false;
    for (size_t i = 0; i < s.n && !quotes; i++)
        quotes = s.p[i] == '\t' || s.p[i] == '"' || s.p[i] == '\n' || s.p[i] == '\r';
    if (!quotes) {
        buf_puts(out, s);
        return;
    }
    buf_putc(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"')
            buf_putc(out, '"');
        buf_putc(out, s.p[i]);
    }
    buf_putc(out, '"');
}

/* ---- a row ---- */

static void text_row(struct export *x, bool header)
{
    bool csv = x->o->format == EXPORT_CSV;
    for (int i = 0; i < x->count; i++) {
        struct db_value v =
            header ? (struct db_value){.kind = DB_TEXT, .s = stmt_column_name(x->s, i)} : stmt_column_value(x->s, i);
        put_plain(x, &v);
        if (i)
            buf_putc(&x->out, csv ? ',' : '\t');
        if (x->count == 1 && !x->cell.n) /* else the line would be empty, and no row */
            buf_puts(&x->out, STR("\"\""));
        else if (csv)
            csvwrite_field(&x->out, buf_str(&x->cell));
        else
            put_tsv(&x->out, buf_str(&x->cell));
    }
    buf_puts(&x->out, csv ? STR("\r\n") : STR("\n"));
}

static void json_row(struct export *x)
{
    if (x->o->format == EXPORT_JSON)
        buf_puts(&x->out, x->rows ? STR(",\n") : STR("[\n"));
    buf_putc(&x->out, '{');
    for (int i = 0; i < x->count; i++) {
        struct db_value v = stmt_column_value(x->s, i);
        buf_puts(&x->out, i ? STR(", ") : STR(""));
        jwrite_put_string(&x->out, stmt_column_name(x->s, i), JWRITE_UTF8);
        buf_puts(&x->out, STR(": "));
        put_json(&x->out, &v);
    }
    buf_puts(&x->out, x->o->format == EXPORT_JSON ? STR("}") : STR("}\n"));
}

static void sql_row(struct export *x)
{
    buf_puts(&x->out, STR("INSERT INTO "));
    name_quote(&x->out, x->o->table);
    for (int i = 0; i < x->count; i++) {
        buf_puts(&x->out, i ? STR(", ") : STR(" ("));
        name_quote(&x->out, stmt_column_name(x->s, i));
    }
    buf_puts(&x->out, STR(") VALUES ("));
    for (int i = 0; i < x->count; i++) {
        struct db_value v = stmt_column_value(x->s, i);
        buf_puts(&x->out, i ? STR(", ") : STR(""));
        put_sql(&x->out, &v);
    }
    buf_puts(&x->out, STR(");\n"));
}

static void show(struct export *x)
{
    int64_t now = x->o->terminal && x->rows % 256 == 0 ? clock_mono_us() : 0;
    if (now - x->shown_us < SHOW_EVERY_US)
        return;
    x->shown_us = now;
    fprintf(stderr, "\r%llu rows ", (unsigned long long)x->rows);
}

static enum status flush(struct export *x, struct pack *to, size_t above, struct err *err)
{
    if (x->out.over)
        return err_set(err, STATUS_TOO_LARGE, "row %llu is too large to be written", (unsigned long long)x->rows + 1);
    if (x->out.n <= above)
        return STATUS_OK;
    enum status st = pack_put(to, buf_str(&x->out), err);
    buf_clear(&x->out);
    return st;
}

enum status export_rows(struct stmt *s, struct pack *to, const struct export_options *o, uint64_t *ret_rows,
                        struct err *err)
{
    struct export x = {.o = o, .s = s, .count = stmt_column_count(s)};
    bool text = o->format == EXPORT_CSV || o->format == EXPORT_TSV;
    enum status st = STATUS_AGAIN, put = STATUS_OK;
    buf_init(&x.out, LIMIT_JSON_OUTPUT);
    buf_init(&x.cell, LIMIT_JSON_OUTPUT);
    buf_puts(&x.out, o->before);
    if (text && !o->no_headers)
        text_row(&x, true);
    while (put == STATUS_OK && (st = stmt_step(s, err)) == STATUS_AGAIN) {
        if (text)
            text_row(&x, false);
        else if (o->format == EXPORT_SQL)
            sql_row(&x);
        else
            json_row(&x);
        put = flush(&x, to, FLUSH_BYTES, err);
        x.rows++;
        show(&x);
    }
    if (put == STATUS_OK && st == STATUS_OK && o->format == EXPORT_JSON)
        buf_puts(&x.out, x.rows ? STR("\n]\n") : STR("[]\n"));
    buf_puts(&x.out, o->after);
    if (put == STATUS_OK && st == STATUS_OK)
        put = flush(&x, to, 0, err);
    if (x.shown_us)
        fprintf(stderr, "\r\033[K");
    buf_release(&x.out);
    buf_release(&x.cell);
    *ret_rows = x.rows;
    return put != STATUS_OK ? put : st;
}
