/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "codec/csvread.h"
#include "codec/csvwrite.h"
#include "ingest/input.h"

#include "base/banned.h"

void batch_init(struct batch *b)
{
    *b = (struct batch){.arena = arena_new(0)};
}

void batch_release(struct batch *b)
{
    free(b->text);
    rows_release(&b->rows);
    arena_free(b->arena);
    *b = (struct batch){0};
}

void batch_clear(struct batch *b)
{
    rows_clear(&b->rows);
    arena_reset(b->arena);
    b->ill_formed = b->last = b->notes = b->look_only = false;
}

void batch_reserve(struct batch *b, size_t size)
{
    if (size <= b->text_cap)
        return;
    b->text = mem_resize(b->text, size_add(size, CSVREAD_PAD), 1);
    b->text_cap = size;
    memset(b->text + size, 0, CSVREAD_PAD);
}

/* Text of a row as CSV with commas. */
static str row_text(struct arena *a, const struct batch *b, const struct row *row)
{
    struct buf text;
    buf_init(&text, LIMIT_INGEST_REJECT_TEXT);
    for (uint32_t i = 0; i < row->count; i++) {
        if (i)
            buf_putc(&text, ',');
        csvwrite_field(&text, cell_str(&b->rows.cells[row->first + i]));
    }
    str copy = utf8_repair(a, arena_str(a, buf_str(&text)));
    buf_release(&text);
    return copy;
}

void batch_cut_head(struct input *in, struct batch *b, uint64_t header_line, uint64_t data_line)
{
    size_t n = 0;
    while (n < b->rows.row_count && b->rows.rows[n].line < data_line) {
        const struct row *row = &b->rows.rows[n++];
        if (row->line == header_line || in->noted)
            continue;
        struct input_note note = {row->line, row_text(in->arena, b, row), STR("a line above the header")};
        VEC_PUSH(in->arena, &in->notes, note);
    }
    if (n) {
        b->rows.row_count -= n;
        memmove(b->rows.rows, b->rows.rows + n, b->rows.row_count * sizeof *b->rows.rows);
    } else if (b->rows.row_count) {
        in->noted = true;
    }
}
