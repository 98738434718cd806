/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/rejects.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "codec/csvwrite.h"
#include "codec/names.h"

#include "base/banned.h"

void rejects_init(struct rejects *r, struct arena *a, struct conn *c, str table, str file)
{
    *r = (struct rejects){.arena = a, .conn = c, .file = file};
    r->table = ARENA_CAT(a, table, STR("__rejects"));
    clock_format_iso_ms(clock_unix_us(), r->at);
}

static enum status prepare(struct rejects *r, struct err *err)
{
    struct buf sql;
    buf_init(&sql, LIMIT_DB_SQL_BYTES);
    buf_puts(&sql, STR("CREATE TABLE IF NOT EXISTS "));
    name_quote(&sql, r->table);
    buf_puts(&sql, STR(" (line INTEGER, \"column\" TEXT, text, reason TEXT, file TEXT, imported_at TEXT)"));
    enum status st = conn_execute(r->conn, buf_str(&sql), err);
    buf_clear(&sql);
    buf_puts(&sql, STR("INSERT INTO "));
    name_quote(&sql, r->table);
    buf_puts(&sql, STR(" (line, \"column\", text, reason, file, imported_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"));
    if (st == STATUS_OK)
        st = conn_prepare_trusted(r->conn, buf_str(&sql), &r->insert, err);
    buf_release(&sql);
    return st;
}

enum status rejects_add(struct rejects *r, uint64_t line, str column, str text, str reason, struct err *err)
{
    if (!r->count++) {
        r->first_line = line;
        snprintf(r->first_reason, sizeof r->first_reason, "%.*s",
                 STR_ARG(utf8_cut(reason, sizeof r->first_reason - 1)));
    }
    if (!r->conn)
        return STATUS_OK;
    enum status st = r->insert ? STATUS_OK : prepare(r, err);
    if (st != STATUS_OK)
        return st;
    bool valid = utf8_valid(text); /* else the bytes are kept as they are, as a blob */
    st = stmt_bind_i64(r->insert, 1, (int64_t)line, err);
    if (st == STATUS_OK)
        st = column.n ? stmt_bind_text(r->insert, 2, column, err) : stmt_bind_null(r->insert, 2, err);
    if (st == STATUS_OK)
        st = valid ? stmt_bind_text(r->insert, 3, text, err) : stmt_bind_blob(r->insert, 3, text, err);
    if (st == STATUS_OK)
        st = stmt_bind_text(r->insert, 4, reason, err);
    if (st == STATUS_OK)
        st = stmt_bind_text(r->insert, 5, r->file, err);
    if (st == STATUS_OK)
        st = stmt_bind_text(r->insert, 6, str_of(r->at), err);
    if (st == STATUS_OK)
        st = stmt_step(r->insert, err);
    stmt_reset(r->insert);
    return st;
}

enum status rejects_add_row(struct rejects *r, const struct rows *rows, const struct row *row, str column, str reason,
                            struct err *err)
{
    struct buf text;
    buf_init(&text, LIMIT_INGEST_REJECT_TEXT);
    for (uint32_t i = 0; i < row->count; i++) {
        if (i)
            buf_putc(&text, ',');
        csvwrite_field(&text, cell_str(&rows->cells[row->first + i]));
    }
    const struct cell *only = &rows->cells[row->first];
    str whole = row->count == 1 && only->kind == CELL_TEXT ? cell_str(only) : buf_str(&text); /* JSON as it stands */
    whole = str_sub(whole, 0, MIN(whole.n, (size_t)LIMIT_INGEST_REJECT_TEXT));
    if (text.over)
        reason = arena_printf(r->arena, "%.*s (the row is cut off here)", STR_ARG(reason));
    enum status st = rejects_add(r, row->line, column, whole, reason, err);
    buf_release(&text);
    return st;
}

void rejects_end(struct rejects *r)
{
    stmt_done(r->insert);
    r->insert = NULL;
}
