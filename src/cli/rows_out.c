/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/rows_out.h"

#include <stdio.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "codec/b64.h"
#include "codec/csvwrite.h"
#include "codec/jwrite.h"
#include "db/db_value.h"
#include "db/stmt.h"

void rows_out_init(struct rows_out *q, struct arena *a, enum rows_format format, bool no_headers)
{
    *q = (struct rows_out){.arena = a, .format = format, .no_headers = no_headers};
    buf_init(&q->out, LIMIT_JSON_OUTPUT);
}

void rows_out_release(struct rows_out *q)
{
    buf_release(&q->out);
}

static void flush_out(struct rows_out *q, size_t above)
{
    if (q->out.n <= above)
        return;
    fwrite(q->out.p, 1, q->out.n, stdout);
    buf_clear(&q->out);
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
        db_value_put_json(&b, v);
    str text = arena_str(a, buf_str(&b));
    buf_release(&b);
    return text;
}

static void json_row(struct rows_out *q, struct stmt *s, int count)
{
    bool arrays = q->format == ROWS_ARRAYS;
    if (q->format != ROWS_NL)
        buf_puts(&q->out, q->rows ? STR(",\n ") : STR("["));
    buf_putc(&q->out, arrays ? '[' : '{');
    for (int i = 0; i < count; i++) {
        struct db_value v = stmt_column_value(s, i);
        buf_puts(&q->out, i ? STR(", ") : STR(""));
        if (!arrays) {
            jwrite_put_string(&q->out, stmt_column_name(s, i), JWRITE_UTF8);
            buf_puts(&q->out, STR(": "));
        }
        db_value_put_json(&q->out, &v);
    }
    buf_putc(&q->out, arrays ? ']' : '}');
    if (q->format == ROWS_NL)
        buf_putc(&q->out, '\n');
}

static void tsv_field(struct buf *out, str text)
{
    for (size_t i = 0; i < text.n; i++)
        buf_putc(out, text.p[i] == '\t' || text.p[i] == '\n' || text.p[i] == '\r' ? ' ' : text.p[i]);
}

/* One line of cells; header: the names. */
static void text_row(struct rows_out *q, struct stmt *s, int count, bool header)
{
    struct arena_mark mark = arena_mark(q->arena);
    struct csvwrite csv;
    csvwrite_init(&csv, &q->out);
    for (int i = 0; i < count; i++) {
        struct db_value v =
            header ? (struct db_value){.kind = DB_TEXT, .s = stmt_column_name(s, i)} : stmt_column_value(s, i);
        str text = plain_text(q->arena, &v);
        if (q->format == ROWS_CSV) {
            csvwrite_text(&csv, text);
            continue;
        }
        if (i)
            buf_putc(&q->out, '\t');
        tsv_field(&q->out, text);
    }
    if (q->format == ROWS_CSV)
        csvwrite_end(&csv);
    else
        buf_putc(&q->out, '\n');
    arena_rewind(q->arena, mark);
}

static void plain_row(struct rows_out *q, struct stmt *s)
{
    buf_puts(&q->out, stmt_column_text(s, 0));
    buf_putc(&q->out, '\n');
}

/* All rows are kept until the end: the widths depend on them. */
static enum status keep_cells(struct rows_out *q, struct stmt *s, int count, struct err *err)
{
    enum status st;
    for (int i = 0; i < count && !q->cells.count; i++) /* once */
        q->columns = (size_t)count;
    for (int i = 0; i < count && q->cells.count < q->columns; i++)
        VEC_PUSH(q->arena, &q->cells, arena_str(q->arena, stmt_column_name(s, i)));
    while ((st = stmt_step(s, err)) == STATUS_AGAIN) {
        for (int i = 0; i < count; i++) {
            struct db_value v = stmt_column_value(s, i);
            VEC_PUSH(q->arena, &q->cells, plain_text(q->arena, &v));
        }
        if (arena_used(q->arena) > (size_t)LIMIT_REQUEST_ARENA) {
            err_set(err, STATUS_TOO_LARGE, "the rows take more than %d bytes", LIMIT_REQUEST_ARENA);
            return err_hint(err, "A table needs all of them to find the widths: use --csv, or a limit.");
        }
    }
    return st;
}

static void put_table(struct rows_out *q)
{
    size_t columns = q->columns, *widths = ARENA_ARRAY(q->arena, size_t, columns + 1);
    for (size_t i = 0; i < q->cells.count; i++)
        widths[i % columns] = MAX(widths[i % columns], utf8_count(q->cells.items[i]));
    for (size_t i = 0; i < q->cells.count; i++) {
        bool last = i % columns == columns - 1;
        tsv_field(&q->out, q->cells.items[i]);
        for (size_t n = utf8_count(q->cells.items[i]); n < widths[i % columns] && !last; n++)
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
}

enum status rows_out_print(struct rows_out *q, struct stmt *s, struct err *err)
{
    int count = stmt_column_count(s);
    bool lines = q->format == ROWS_CSV || q->format == ROWS_TSV, first = !q->begun;
    enum status st;
    q->begun = true;
    if (q->format == ROWS_TABLE && count > 0)
        return keep_cells(q, s, count, err);
    if (lines && first && !q->no_headers)
        text_row(q, s, count, true);
    for (; (st = stmt_step(s, err)) == STATUS_AGAIN; q->rows++) {
        if (lines)
            text_row(q, s, count, false);
        else if (q->format == ROWS_PLAIN)
            plain_row(q, s);
        else
            json_row(q, s, count);
        if (q->out.over)
            return err_set(err, STATUS_TOO_LARGE, "a row is too large to be printed");
        flush_out(q, 65536);
    }
    return st;
}

enum status rows_out_end(struct rows_out *q, struct err *err)
{
    if (q->format == ROWS_TABLE && q->columns)
        put_table(q);
    if (q->begun && (q->format == ROWS_JSON || q->format == ROWS_ARRAYS))
        buf_puts(&q->out, q->rows ? STR("]\n") : STR("[]\n"));
    flush_out(q, 0);
    if (fflush(stdout) != 0 || ferror(stdout))
        return err_set(err, STATUS_IO, "standard output cannot be written");
    return STATUS_OK;
}
